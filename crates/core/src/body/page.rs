//! Lists, page by page, without believing the service more than is safe.
//!
//! The rules enforced here: an item that stands on two pages is handed out once; a list ends where its client says that it does, at
//! an empty page, or at one that brings nothing unseen; at "no such page" only if everything that the service counts has come, or if its
//! lists are known to end so, since a gateway that loses its way says the same; and after too many pages in an error, so that a service that ignores the page's number cannot keep a program busy for ever; after an error it has
//! ended.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::Hash;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use crate::{BoxFuture, Error, ErrorKind, Outcome};

/// One page of a list.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Page<T> {
    /// Its number.
    pub number: u32,
    /// What it brought that no earlier page of this listing had.
    pub items: Vec<T>,
    /// How many there are in all, if the service says so.
    pub count: Option<u64>,
    /// Whether there may be another one.
    pub has_next: bool,
}

impl<T> Page<T> {
    /// A page of which nothing but its items is known.
    #[must_use]
    pub const fn new(number: u32, items: Vec<T>, has_next: bool) -> Self {
        Self { number, items, count: None, has_next }
    }

    /// Says how many items the whole list has.
    #[must_use]
    pub fn with_count(mut self, count: Option<u64>) -> Self {
        self.count = count;
        self
    }
}

type Ask<T> = Box<dyn Fn(u32) -> BoxFuture<'static, Result<Page<T>, Error>> + Send + Sync>;
/// Numbers that were seen, 64 to a word.
#[derive(Debug, Default)]
struct Numbers(HashMap<u64, u64>);

impl Numbers {
    /// Whether it is new.
    fn insert(&mut self, number: u64) -> bool {
        let word = self.0.entry(number >> 6).or_default();
        let bit = 1 << (number & 63);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }
}

type Unseen<T> = Box<dyn FnMut(&T) -> bool + Send + Sync>;

/// A list as it is asked for, page by page: a `Stream` of pages, also usable by [`next_page`](Self::next_page) alone.
///
/// Items are asked for while others may add some, so an item can appear on two pages: it is handed out once. After an error the
/// list has ended.
///
/// ```
/// use integration_core::body::page::{Page, Pages};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), integration_core::Error> {
/// // What a client does with its call: three pages, the last of which the service repeats for ever.
/// let ask = |number| async move { Ok(Page::new(number, vec![number.min(3)], true)) };
/// let pages = Pages::new("list numbers", ask, |number: &u32| Some(*number));
/// assert_eq!(pages.all().await?, [1, 2, 3]);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is asked until a page is awaited"]
pub struct Pages<T> {
    operation: &'static str,
    ask: Ask<T>,
    is_unseen: Unseen<T>,
    first: u32,
    next: Option<u32>,
    most: u32,
    ends_at_not_found: bool,
    asking: Option<BoxFuture<'static, Result<Page<T>, Error>>>,
    /// How many items were handed out, and how many the service last said that there are.
    handed_out: u64,
    count: Option<u64>,
}

impl<T: 'static> Pages<T> {
    /// A list whose pages, from the first, `ask` gets; `identity` says what makes an item the same on two pages, and nothing for one
    /// that has no identity.
    pub fn new<K, F>(
        operation: &'static str,
        ask: impl Fn(u32) -> F + Send + Sync + 'static,
        identity: impl Fn(&T) -> Option<K> + Send + Sync + 'static,
    ) -> Self
    where
        K: Eq + Hash + Send + Sync + 'static,
        F: Future<Output = Result<Page<T>, Error>> + Send + 'static,
    {
        let mut seen = HashSet::new();
        Self::remembering(operation, ask, move |item| {
            identity(item).is_none_or(|identity| seen.insert(identity))
        })
    }

    /// As [`new`](Self::new), for items that have a number of their own: what was seen is remembered in a bit for each, as long as the
    /// numbers lie close together.
    pub fn numbered<F>(
        operation: &'static str,
        ask: impl Fn(u32) -> F + Send + Sync + 'static,
        id: impl Fn(&T) -> u64 + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Page<T>, Error>> + Send + 'static,
    {
        let mut seen = Numbers::default();
        Self::remembering(operation, ask, move |item| seen.insert(id(item)))
    }

    fn remembering<F>(
        operation: &'static str,
        ask: impl Fn(u32) -> F + Send + Sync + 'static,
        is_unseen: impl FnMut(&T) -> bool + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Page<T>, Error>> + Send + 'static,
    {
        Self {
            operation,
            ask: Box::new(move |number| Box::pin(ask(number))),
            is_unseen: Box::new(is_unseen),
            first: 1,
            next: Some(1),
            most: 10_000,
            ends_at_not_found: false,
            asking: None,
            handed_out: 0,
            count: None,
        }
    }

    /// Starts at this page, of a list that counts from 0 or to go on where an earlier listing ended; 1 unless set.
    pub fn starting_at(mut self, number: u32) -> Self {
        (self.first, self.next) = (number, Some(number));
        self
    }

    /// Reads at most so many pages; one more is an error. 10 000 unless set.
    pub fn at_most(mut self, pages: u32) -> Self {
        self.most = pages;
        self
    }

    /// Says that lists of this service end at a page that is not there (a 404), for those that do not count their items. Otherwise such
    /// a page is an error: no contract so far has it as an end, a false one would cut the list short, and who looks for something in
    /// half a list makes it twice. Where the service counts, the count decides.
    pub fn ending_at_not_found(mut self) -> Self {
        self.ends_at_not_found = true;
        self
    }

    /// The next page; `None` after the last.
    ///
    /// # Errors
    /// What asking met; [`ErrorKind::UnexpectedAnswer`] at a page beyond the first that is not there, unless the list is complete; or [`ErrorKind::TooLarge`] beyond the most pages.
    pub async fn next_page(&mut self) -> Result<Option<Page<T>>, Error> {
        std::future::poll_fn(|context| self.poll_page(context)).await.transpose()
    }

    /// Everything that is left, in memory.
    ///
    /// # Errors
    /// As [`next_page`](Self::next_page).
    pub async fn all(mut self) -> Result<Vec<T>, Error> {
        let mut items = Vec::new();
        self.read_into(&mut items).await?;
        Ok(items)
    }

    /// Adds everything that is left to `items`; after an error they hold what was read before it.
    ///
    /// # Errors
    /// As [`next_page`](Self::next_page).
    pub async fn read_into(&mut self, items: &mut Vec<T>) -> Result<(), Error> {
        while let Some(page) = self.next_page().await? {
            items.extend(page.items);
        }
        Ok(())
    }

    fn poll_page(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Page<T>, Error>>> {
        let Some(number) = self.next else { return Poll::Ready(None) };
        if number.saturating_sub(self.first) >= self.most {
            self.next = None;
            return Poll::Ready(Some(Err(self.too_many())));
        }
        let asking = match &mut self.asking {
            Some(asking) => asking,
            None => self.asking.insert((self.ask)(number)),
        };
        let asked = ready!(asking.as_mut().poll(context));
        self.asking = None;
        Poll::Ready(self.turned(number, asked))
    }

    fn turned(&mut self, number: u32, asked: Result<Page<T>, Error>) -> Option<Result<Page<T>, Error>> {
        self.next = None;
        let is_first = number == self.first;
        let mut page = match asked {
            // Beyond the first, "no such page" is how some lists end that shrank meanwhile.
            Err(error) if !is_first && error.is_not_found() => return self.ended(error),
            Err(error) => return Some(Err(error)),
            Ok(page) => page,
        };
        self.count = page.count.or(self.count);
        page.items.retain(|item| (self.is_unseen)(item));
        if page.items.is_empty() && !is_first {
            return None;
        }
        self.handed_out = self.handed_out.saturating_add(u64::try_from(page.items.len()).unwrap_or(u64::MAX));
        if page.has_next && !page.items.is_empty() {
            self.next = Some(number.saturating_add(1));
        }
        Some(Ok(page))
    }

    /// The end of a list at a page that is not there, if that is one.
    fn ended(&self, missing: Error) -> Option<Result<Page<T>, Error>> {
        let handed_out = self.handed_out;
        let message = match self.count {
            Some(count) if handed_out >= count => return None,
            Some(count) => format!("the list ended after {handed_out} of {count} items"),
            None if self.ends_at_not_found => return None,
            None => format!("the list ended after {handed_out} items at a page that is not there"),
        };
        let error = Error::new(ErrorKind::UnexpectedAnswer, self.operation).with_outcome(Outcome::ReadOnly);
        Some(Err(error
            .with_message(message)
            .with_hint("it moved while it was read, or its pages are wrong; read it again")
            .with_source(missing)))
    }

    fn too_many(&self) -> Error {
        Error::new(ErrorKind::TooLarge, self.operation)
            .with_outcome(Outcome::ReadOnly)
            .with_message(format!("the list has more than {} pages", self.most))
            .with_hint("ask for larger pages, or for less")
    }
}

impl<T: 'static> Stream for Pages<T> {
    type Item = Result<Page<T>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_page(context)
    }
}

// A page under way is behind a box, and nothing else is pinned.
impl<T> Unpin for Pages<T> {}

impl<T> fmt::Debug for Pages<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages")
            .field("operation", &self.operation)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    /// A list of these pages, the last of which says that there is another one if `more`; and how often it was asked.
    fn list(pages: Vec<Vec<u32>>, more: bool) -> (Pages<u32>, Arc<AtomicU32>) {
        let asked = Arc::new(AtomicU32::new(0));
        let count = asked.clone();
        let ask = move |number: u32| {
            count.fetch_add(1, Ordering::Relaxed);
            let last = pages.len();
            let index = usize::try_from(number).unwrap() - 1;
            let page = pages.get(index.min(last - 1)).cloned().unwrap();
            async move { Ok(Page::new(number, page, index + 1 < last || more)) }
        };
        (Pages::new("list", ask, |item| Some(*item)), asked)
    }

    fn read(pages: &[&[u32]], more: bool) -> (Vec<u32>, u32) {
        let (list, asked) = list(pages.iter().map(|page| page.to_vec()).collect(), more);
        (run(list.all()).unwrap(), asked.load(Ordering::Relaxed))
    }

    #[test]
    fn a_list_ends_at_the_last_page_an_empty_one_and_one_without_news() {
        assert_eq!(read(&[&[1, 2], &[3]], false), (vec![1, 2, 3], 2));
        assert_eq!(read(&[&[1, 2], &[]], true), (vec![1, 2], 2));
        assert_eq!(read(&[&[1, 2], &[2, 1], &[3]], true), (vec![1, 2], 2));
        assert_eq!(read(&[&[1, 2], &[2, 3], &[]], true), (vec![1, 2, 3], 3));
        assert_eq!(read(&[&[]], true), (vec![], 1));
    }

    #[test]
    fn no_such_page_ends_only_a_list_that_is_complete_or_known_to_end_so() {
        let list = |count: Option<u64>| {
            let ask = move |number: u32| async move {
                let gone = || Error::new(ErrorKind::NotFound, "list").with_outcome(Outcome::ReadOnly);
                if number > 1 {
                    Err(gone())
                } else {
                    Ok(Page::new(number, vec![1, 2], true).with_count(count))
                }
            };
            Pages::new("list", ask, |item: &u32| Some(*item))
        };
        assert_eq!(run(list(None).ending_at_not_found().all()).unwrap(), [1, 2]);
        assert_eq!(run(list(Some(2)).all()).unwrap(), [1, 2]);
        for (list, expected) in [
            (list(Some(3)), "the list ended after 2 of 3 items"),
            (list(Some(3)).ending_at_not_found(), "the list ended after 2 of 3 items"),
            (list(None), "the list ended after 2 items at a page that is not there"),
        ] {
            let error = run(list.all()).unwrap_err();
            assert_eq!((error.kind(), error.message()), (ErrorKind::UnexpectedAnswer, Some(expected)));
            // Whoever asks whether something is there has no answer.
            assert!(!error.is_not_found());
        }
    }

    #[test]
    fn numbers_are_new_once() {
        let mut numbers = Numbers::default();
        for number in [0, 1, 63, 64, 65, 127, 128, u64::MAX, u64::MAX - 63] {
            assert!(numbers.insert(number), "{number}");
        }
        for number in [0, 63, 64, 127, 128, u64::MAX] {
            assert!(!numbers.insert(number), "{number}");
        }
        // A bit each where they lie close together.
        (1_000_000..1_010_000).for_each(|number| assert!(numbers.insert(number)));
        assert!(numbers.0.len() < 170, "{}", numbers.0.len());
    }

    #[test]
    fn numbered_items_come_once_too() {
        let ask = |number: u32| async move { Ok(Page::new(number, vec![1, number], number < 4)) };
        assert_eq!(
            run(Pages::numbered("list", ask, |item: &u32| u64::from(*item)).all()).unwrap(),
            [1, 2, 3, 4]
        );
    }

    #[test]
    fn too_many_pages_are_an_error_and_nothing_comes_after_it() {
        let ask = |number: u32| async move { Ok(Page::new(number, vec![number], true)) };
        let mut pages = Pages::new("list", ask, |item| Some(*item)).starting_at(0).at_most(2);
        run(async {
            assert_eq!(pages.next_page().await.unwrap().unwrap().number, 0);
            assert_eq!(pages.next_page().await.unwrap().unwrap().number, 1);
            assert_eq!(pages.next_page().await.unwrap_err().kind(), ErrorKind::TooLarge);
            assert!(pages.next_page().await.unwrap().is_none());
        });
    }

    #[test]
    fn what_was_read_before_an_error_is_kept() {
        let ask = |number: u32| async move { Ok(Page::new(number, vec![number], true)) };
        let mut items = Vec::new();
        let mut pages = Pages::new("list", ask, |item| Some(*item)).at_most(2);
        assert!(run(pages.read_into(&mut items)).is_err());
        assert_eq!(items, [1, 2]);
    }

    #[test]
    fn no_such_page_ends_a_list_but_does_not_begin_one() {
        let ask = |missing: u32| {
            move |number: u32| async move {
                let gone = || Error::new(ErrorKind::NotFound, "list").with_outcome(Outcome::ReadOnly);
                if number == missing { Err(gone()) } else { Ok(Page::new(number, vec![number], true)) }
            }
        };
        let identity = |item: &u32| Some(*item);
        assert_eq!(run(Pages::new("list", ask(2), identity).ending_at_not_found().all()).unwrap(), [1]);
        assert!(run(Pages::new("list", ask(1), identity).all()).unwrap_err().is_not_found());
    }
}
