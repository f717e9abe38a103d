//! Lists in JSON whose elements are decoded one by one as the bytes arrive.
//!
//! The rules enforced here: memory holds one element and never the list; an element has a limit in bytes and in depth; a list
//! that breaks off, is not where it should be, or is followed by anything else is an error and never the end of a shorter
//! list. The whole answer is read to its last byte before the list counts as ended.

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use serde::de::DeserializeOwned;

use super::scan::{Broken, Scanner};
use crate::call::AnswerStream;
use crate::call::answer::from_json;
use crate::{Error, ErrorKind, Outcome};

const ELEMENT_LIMIT: usize = 1024 * 1024;
const DEPTH_LIMIT: usize = 64;

/// The elements of a list within a JSON text: a `Stream`, also usable by [`next`](Self::next) alone.
///
/// ```
/// use integration_core::body::stream::Elements;
/// # use std::pin::Pin;
/// # use std::task::{Context, Poll};
/// # struct Text(Option<&'static str>);
/// # impl futures_core::Stream for Text {
/// #     type Item = Result<bytes::Bytes, integration_core::Error>;
/// #     fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
/// #         Poll::Ready(self.0.take().map(|text| Ok(text.into())))
/// #     }
/// # }
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// let text = Text(Some(r#"{"code":200,"data":{"items":[1,2]}}"#)); // or `Streamed::into_parts` of a call
/// let mut numbers = Elements::<u32, _>::new(text, "data.items");
/// assert_eq!(numbers.next().await.transpose()?, Some(1));
/// assert_eq!(numbers.next().await.transpose()?, Some(2));
/// assert_eq!(numbers.next().await.transpose()?, None);
/// # Ok::<(), integration_core::Error>(())
/// # }).unwrap();
/// ```
#[must_use = "nothing is read until it is polled"]
pub struct Elements<T, S = AnswerStream> {
    source: S,
    scanner: Scanner,
    chunk: Bytes,
    index: u64,
    operation: &'static str,
    outcome: Outcome,
    ended: bool,
    element: PhantomData<fn() -> T>,
}

impl<T, S> Elements<T, S> {
    /// The list at `path`, names joined by dots; an empty path means that the text itself is the list.
    pub fn new(source: S, path: &str) -> Self {
        Self {
            source,
            scanner: Scanner::new(path, ELEMENT_LIMIT, DEPTH_LIMIT),
            chunk: Bytes::new(),
            index: 0,
            operation: "read a list",
            outcome: Outcome::ReadOnly,
            ended: false,
            element: PhantomData,
        }
    }

    /// Takes elements of at most this many bytes; 1 MiB unless set.
    pub fn with_element_limit(mut self, bytes: usize) -> Self {
        self.scanner.element_limit = bytes;
        self
    }

    /// Takes values that nest at most this deep; 64 unless set.
    pub fn with_depth_limit(mut self, depth: usize) -> Self {
        self.scanner.depth_limit = depth;
        self
    }

    /// Names the operation in errors, and what a failure to read its answer means for it.
    pub fn of_operation(mut self, operation: &'static str, outcome: Outcome) -> Self {
        (self.operation, self.outcome) = (operation, outcome);
        self
    }

    fn fail(&mut self, broken: &Broken) -> Error {
        self.ended = true;
        let kind = match broken {
            Broken::ElementTooLarge(_) => ErrorKind::TooLarge,
            _ => ErrorKind::UnexpectedAnswer,
        };
        self.error(kind, broken.to_string())
    }

    fn error(&self, kind: ErrorKind, message: String) -> Error {
        Error::new(kind, self.operation)
            .with_outcome(self.outcome)
            .with_message(message)
            .with_hint("what was read so far is not the whole list; read it again")
    }
}

impl<T: DeserializeOwned, S: Stream<Item = Result<Bytes, Error>> + Unpin> Elements<T, S> {
    /// The next element; `None` once the whole text was read.
    ///
    /// # Errors
    /// Within the result: [`ErrorKind::UnexpectedAnswer`] if the text is not what it should be or ends in the middle,
    /// [`ErrorKind::TooLarge`] for an element beyond the limit, and what the source met. Nothing comes after an error.
    pub async fn next(&mut self) -> Option<Result<T, Error>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// The next element of what has arrived already.
    fn scan(&mut self) -> Option<Result<T, Error>> {
        let (used, found) = self.scanner.scan(&self.chunk);
        self.chunk.advance(used.min(self.chunk.len()));
        match found {
            Err(broken) => Some(Err(self.fail(&broken))),
            Ok(None) => None,
            Ok(Some(element)) => Some(self.decode(&element)),
        }
    }

    fn decode(&mut self, element: &[u8]) -> Result<T, Error> {
        let index = self.index;
        self.index = self.index.saturating_add(1);
        from_json(element).map_err(|message| {
            self.ended = true;
            self.error(ErrorKind::UnexpectedAnswer, format!("element {index} of the list: {message}"))
        })
    }

    fn end(&mut self) -> Option<Result<T, Error>> {
        let ended = self.scanner.end().map_err(|broken| self.fail(&broken));
        self.ended = true;
        ended.err().map(Err)
    }
}

impl<T: DeserializeOwned, S: Stream<Item = Result<Bytes, Error>> + Unpin> Stream for Elements<T, S> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        while !this.ended {
            if let Some(found) = this.scan() {
                return Poll::Ready(Some(found));
            }
            match ready!(Pin::new(&mut this.source).poll_next(context)) {
                Some(Ok(chunk)) => this.chunk = chunk,
                Some(Err(error)) => {
                    this.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
                None => return Poll::Ready(this.end()),
            }
        }
        Poll::Ready(None)
    }
}

impl<T, S> fmt::Debug for Elements<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elements")
            .field("index", &self.index)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

impl<T, S> Unpin for Elements<T, S> {}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    struct Chunks(VecDeque<Result<Bytes, Error>>);

    impl Stream for Chunks {
        type Item = Result<Bytes, Error>;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            Poll::Ready(self.0.pop_front())
        }
    }

    fn in_chunks(text: &str, size: usize) -> Chunks {
        Chunks(text.as_bytes().chunks(size).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect())
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    /// What is read, and how it ends.
    fn read(text: &str, path: &str, size: usize) -> (Vec<Value>, Option<String>) {
        let mut elements =
            Elements::<Value, _>::new(in_chunks(text, size), path).with_element_limit(64).with_depth_limit(8);
        run(async {
            let mut read = Vec::new();
            while let Some(next) = elements.next().await {
                match next {
                    Ok(value) => read.push(value),
                    Err(error) => {
                        assert!(elements.next().await.is_none(), "nothing comes after an error");
                        return (read, error.message().map(str::to_owned));
                    }
                }
            }
            (read, None)
        })
    }

    #[test]
    fn lists_are_read_wherever_they_stand_and_however_they_arrive() {
        let table = [
            ("[]", "", "[]"),
            (
                " [ 1 , \"a,]\\\\\\\"\" , {\"b\":[1,[2]]} , null ] \n",
                "",
                r#"[1,"a,]\\\"",{"b":[1,[2]]},null]"#,
            ),
            ("[-1.5e3,true,false]", "", "[-1.5e3,true,false]"),
            (r#"{"data":{"items":[1,2],"total":2},"code":200}"#, "data.items", "[1,2]"),
            (r#"{"x":{"items":[9]},"items":[1]}"#, "items", "[1]"),
            (
                r#"{"x":["]","}",{"y":"\"}"}],"data":{"n":null,"items":[{"items":[7]}]}}"#,
                "data.items",
                r#"[{"items":[7]}]"#,
            ),
            (r#"{"d\u0061ta":[1]}"#, "data", "[1]"),
        ];
        for (text, path, expected) in table {
            let expected: Vec<Value> = serde_json::from_str(expected).unwrap();
            for size in 1..=text.len() {
                assert_eq!(read(text, path, size), (expected.clone(), None), "{text} by {size}");
            }
        }
    }

    #[test]
    fn what_is_not_a_whole_list_is_an_error() {
        let long = format!("[1,\"{}\"]", "x".repeat(100));
        let deep = format!("[1,{}1{}]", "[".repeat(9), "]".repeat(9));
        let deep_aside = format!("{{\"x\":{}1{},\"a\":[]}}", "[".repeat(9), "]".repeat(9));
        let table = [
            ("", "", 0, "ends in the middle"),
            ("[", "", 0, "ends in the middle"),
            ("[1", "", 0, "ends in the middle"),
            ("[1,", "", 1, "ends in the middle"),
            ("[1,2", "", 1, "ends in the middle"),
            ("[1] x", "", 1, "goes on after its end"),
            ("[1][2]", "", 1, "goes on after its end"),
            (r#"{"a":[1]"#, "a", 1, "ends in the middle"),
            (r#"{"a":[1]}}"#, "a", 1, "goes on after its end"),
            (r#"{"a":[1],"a":[2]}"#, "a", 1, "is there twice"),
            (r#"{"b":[1]}"#, "a", 0, "has no list at `a`"),
            (r#"{"a":{"c":1}}"#, "a.b", 0, "has no list at `a.b`"),
            (r#"{"a":null}"#, "a", 0, "has no list at `a`"),
            (r#"{"a":{"b":[1]}}"#, "a", 0, "has no list at `a`"),
            ("{}", "", 0, "has no list"),
            ("null", "", 0, "has no list"),
            ("<html>", "", 0, "has no list"),
            ("[1,]", "", 1, "is not JSON"),
            ("[1 2]", "", 1, "is not JSON"),
            ("[,1]", "", 0, "is not JSON"),
            ("[1}", "", 1, "is not JSON"),
            ("[{]", "", 0, "is not JSON"),
            ("[nul]", "", 0, "element 0 of the list: the JSON ends in the middle"),
            ("[{\"a\" 1}]", "", 0, "element 0 of the list: it is not JSON"),
            (r#"{"x":1 2,"a":[]}"#, "a", 0, "is not JSON"),
            (r#"{"x":{],"a":[]}"#, "a", 0, "is not JSON"),
            (r#"{a:[]}"#, "a", 0, "is not JSON"),
            (r#"{"a":[],}"#, "a", 0, "is not JSON"),
            (long.as_str(), "", 1, "larger than 64 bytes"),
            (deep.as_str(), "", 1, "nests deeper than 8"),
            (deep_aside.as_str(), "a", 0, "nests deeper than 8"),
        ];
        for (text, path, count, complaint) in table {
            for size in 1..=text.len().max(1) {
                let (read, error) = read(text, path, size);
                let error = error.unwrap_or_else(|| panic!("{text} by {size} was taken for whole"));
                assert!(error.contains(complaint), "{text} by {size}: {error}");
                assert_eq!(read.len(), count, "{text} by {size}");
            }
        }
    }

    #[test]
    fn errors_name_the_element_and_repeat_nothing_of_it() {
        #[derive(Debug, serde::Deserialize)]
        #[allow(dead_code)]
        struct Line {
            total: u8,
        }
        let text = r#"[{"total":1},{"total":"Ana"}]"#;
        let mut lines =
            Elements::<Line, _>::new(in_chunks(text, 5), "").of_operation("list", Outcome::Unknown);
        let error = run(async {
            lines.next().await.unwrap().unwrap();
            lines.next().await.unwrap().unwrap_err()
        });
        assert!(error.message().unwrap().starts_with("element 1 of the list: `total` is not"), "{error}");
        assert!(!format!("{error:?}").contains("Ana"));
        assert_eq!((error.operation(), error.outcome()), ("list", Outcome::Unknown));
    }

    #[test]
    fn what_the_source_met_is_passed_on() {
        let chunks = [Ok(Bytes::from_static(b"[1,2")), Err(Error::new(ErrorKind::Interrupted, "list"))];
        let mut numbers = Elements::<u8, _>::new(Chunks(chunks.into_iter().collect()), "");
        run(async {
            assert_eq!(numbers.next().await.unwrap().unwrap(), 1);
            assert_eq!(numbers.next().await.unwrap().unwrap_err().kind(), ErrorKind::Interrupted);
            assert!(numbers.next().await.is_none());
        });
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".{0,6}", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_list_is_read_as_serde_reads_it(
            items in prop::collection::vec(json(), 0..6), aside in json(), size in 1usize..40, pretty in any::<bool>()
        ) {
            let whole = serde_json::json!({"aside": aside, "data": {"items": items, "z": 1}});
            let text = if pretty { format!("{whole:#}") } else { whole.to_string() };
            let mut elements = Elements::<Value, _>::new(in_chunks(&text, size), "data.items");
            let read = run(async {
                let mut read = Vec::new();
                while let Some(next) = elements.next().await {
                    read.push(next.unwrap());
                }
                read
            });
            prop_assert_eq!(read, items);
        }

        #[test]
        fn no_text_panics_and_no_beginning_is_taken_for_the_whole(text in r#"[\[\]{}",:1a\\ ]{0,40}"#, size in 1usize..9) {
            for path in ["", "a"] {
                let (items, error) = read(&text, path, size);
                if error.is_none() {
                    let whole: Result<Value, _> = serde_json::from_str(&text);
                    // Words beside the list are walked through and not read.
                    prop_assert!(whole.is_ok() || !path.is_empty(), "taken for whole");
                    let Ok(whole) = whole else { continue };
                    let list = if path.is_empty() { &whole } else { &whole[path] };
                    prop_assert_eq!(list.as_array().unwrap(), &items);
                }
            }
        }
    }
}
