//! Lists in JSON whose elements are decoded one by one as the bytes arrive.
//!
//! The rules enforced here: memory holds one element and never the list; an element has a limit in bytes and in depth; a list
//! that breaks off, is not where it should be, or is followed by anything else is an error and never the end of a shorter
//! list. The whole answer is read to its last byte before the list counts as ended.
//!
//! An element that has arrived whole is decoded where it lies, in one pass and without a copy; only one that is cut in two by the
//! end of a piece is looked for first, put together and decoded then. Either way leads to the same elements and errors.

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use serde::de::DeserializeOwned;

use super::beside::Beside;
pub use super::scan::Broken;
use super::scan::{Found, Scanner, is_blank, nests_within};
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

    /// Keeps what stands beside the list, up to so many bytes; nothing unless set.
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
    /// let text = Text(Some(r#"{"success":true,"records":[1,2],"total":"2"}"#));
    /// let mut numbers = Elements::<u32, _>::new(text, "records").keep_beside(4096);
    /// while let Some(number) = numbers.next().await {
    ///     number?;
    /// }
    /// assert_eq!(numbers.beside().scalar("total").integer(), Some(2));
    /// assert_eq!(numbers.beside().scalar("success").boolean(), Some(true));
    /// # Ok::<(), integration_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn keep_beside(mut self, bytes: usize) -> Self {
        self.scanner.beside = Beside::up_to(bytes);
        self
    }

    /// What stands beside the list, as far as it has been read: whole once the list has ended, and after an error as far as it got.
    #[must_use]
    pub fn beside(&self) -> &Beside {
        &self.scanner.beside
    }

    /// Where the bytes come from.
    #[must_use]
    pub fn source(&self) -> &S {
        &self.source
    }

    /// How many elements were handed out.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.index
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
        self.error(kind, broken.to_string()).with_source(broken.clone())
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
        loop {
            let (used, found) = self.scanner.scan(&self.chunk);
            self.chunk.advance(used.min(self.chunk.len()));
            match found {
                Err(broken) => return Some(Err(self.fail(&broken))),
                Ok(Found::Nothing) => return None,
                Ok(Found::Element) => return Some(self.decode()),
                Ok(Found::Start) => {
                    if let Some(element) = self.decode_in_place() {
                        return Some(Ok(element));
                    }
                }
            }
        }
    }

    /// The element that begins here, if all of it has arrived and nothing is wrong with it. Whatever is wrong with it is told by
    /// [`decode`](Self::decode).
    #[inline]
    fn decode_in_place(&mut self) -> Option<T> {
        let (element, length) = whole(&self.chunk)?;
        let bytes = self.chunk.get(..length)?;
        if length > self.scanner.element_limit || !nests_within(bytes, self.scanner.depth_limit) {
            return None;
        }
        self.scanner.taken();
        self.chunk.advance(length);
        self.index = self.index.saturating_add(1);
        Some(element)
    }

    fn decode(&mut self) -> Result<T, Error> {
        let decoded = from_json(self.scanner.element());
        let index = self.index;
        self.index = self.index.saturating_add(1);
        decoded.map_err(|message| {
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

/// A value at the beginning of `bytes`, and its length, if it certainly ends there.
#[inline]
fn whole<T: DeserializeOwned>(bytes: &[u8]) -> Option<(T, usize)> {
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<T>();
    let value = values.next()?.ok()?;
    let length = values.byte_offset();
    let closed = matches!(bytes.first(), Some(b'{' | b'[' | b'"'));
    // A number may go on in the next piece.
    let ends = |byte: &u8| is_blank(*byte) || matches!(byte, b',' | b']' | b'}');
    (length > 0 && (closed || bytes.get(length).is_some_and(ends))).then_some((value, length))
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
            ("<html>", "", 0, "is not JSON"),
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
    fn what_stands_beside_the_list_is_kept_wherever_it_stands() {
        let text = r#" {"total" : "7","data":{"n":[1,{"a":"]"}],"items":[{"total":9}],"s":1.50},"ok":true,"z":null}"#;
        for size in 1..=text.len() {
            let mut elements =
                Elements::<Value, _>::new(in_chunks(text, size), "data.items").keep_beside(1000);
            run(async {
                while let Some(next) = elements.next().await {
                    next.unwrap();
                }
            });
            let beside = elements.beside();
            let names: Vec<&str> = beside.names().collect();
            assert_eq!(names, ["total", "data", "data.n", "data.items", "data.s", "ok", "z"], "by {size}");
            assert_eq!(beside.get("data.n").unwrap().get(), r#"[1,{"a":"]"}]"#);
            assert_eq!(beside.scalar("data.s").text().as_deref(), Some("1.50"));
            assert_eq!(
                (beside.scalar("total").integer(), beside.scalar("ok").boolean()),
                (Some(7), Some(true))
            );
            assert!(beside.get("items").is_none() && beside.get("data.items").is_none() && !beside.is_cut());
            assert_eq!(elements.count(), 1);
        }
    }

    #[test]
    fn what_does_not_fit_beside_the_list_is_left_out_and_what_comes_after_it_is_kept() {
        let long = "x".repeat(200);
        let text = format!(r#"{{"note":"{long}","a":[1],"total":3,"{long}":1}}"#);
        for size in [1, 7, 1000] {
            let mut elements = Elements::<u8, _>::new(in_chunks(&text, size), "a").keep_beside(40);
            run(async {
                while let Some(next) = elements.next().await {
                    next.unwrap();
                }
            });
            let beside = elements.beside();
            assert!(beside.is_cut() && beside.get("note").is_none());
            assert_eq!(beside.scalar("total").integer(), Some(3));
            assert_eq!(beside.names().collect::<Vec<_>>(), ["note", "a", "total"]);
        }
        assert!(read(&text, "a", 9).1.is_none(), "nothing is kept unless asked for");
    }

    #[test]
    fn what_stands_beside_a_missing_list_is_known_and_so_is_the_reason() {
        let mut elements =
            Elements::<u8, _>::new(in_chunks(r#"{"success":"false","rows":[1]}"#, 3), "records")
                .keep_beside(100);
        let error = run(async { elements.next().await.unwrap().unwrap_err() });
        assert_eq!(error.find_source::<Broken>(), Some(&Broken::NoList("records".into())));
        assert_eq!(elements.beside().names().collect::<Vec<_>>(), ["success", "rows"]);
        assert_eq!(elements.beside().scalar("success").boolean(), Some(false));
    }

    #[test]
    fn what_stands_beside_has_to_be_json_when_it_is_kept() {
        let mut elements =
            Elements::<u8, _>::new(in_chunks(r#"{"x":nul,"a":[1]}"#, 99), "a").keep_beside(100);
        assert_eq!(
            run(async { elements.next().await.unwrap().unwrap_err() }).kind(),
            ErrorKind::UnexpectedAnswer
        );
    }

    #[test]
    fn depth_and_size_are_limited_whether_decoded_in_place_or_not() {
        let deep = format!("[{}1{}]", "[".repeat(65), "]".repeat(65));
        for size in [3, 1000] {
            let mut elements = Elements::<Value, _>::new(in_chunks(&deep, size), "");
            let error = run(async { elements.next().await.unwrap().unwrap_err() });
            assert_eq!(error.find_source::<Broken>(), Some(&Broken::TooDeep(64)), "by {size}");
            let mut elements =
                Elements::<Value, _>::new(in_chunks("[[1,2,3,4,5]]", size), "").with_element_limit(8);
            let error = run(async { elements.next().await.unwrap().unwrap_err() });
            assert_eq!(error.kind(), ErrorKind::TooLarge, "by {size}");
        }
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
            items in prop::collection::vec(json(), 0..6), aside in json(), size in prop_oneof![1usize..40, 40usize..4000], pretty in any::<bool>()
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
