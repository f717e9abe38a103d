//! Lists, page by page (contract 3.9).
//!
//! The rules enforced here: `page` and `page_size` are always sent; the address in `next` is never followed, only whether there is
//! one; a listing ends at `next: null`, at an empty page, at one that brings nothing unseen, or at a bare list shorter than was asked
//! for, and after 10 000 pages in an error.

use std::collections::HashSet;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use integration_core::call::Operation;
use integration_core::{BoxFuture, Error, ErrorKind, Outcome};
use serde_json::Value;

use crate::client::{Ask, Client};
use crate::error::ErrorExt;
use crate::wire::{Fields, Unreadable, integer};

const MAX_PAGES: u32 = 10_000;

/// One page of a list.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Page<T> {
    /// Its number, from 1.
    pub number: u32,
    /// What it brought that no earlier page of this listing had.
    pub items: Vec<T>,
    /// How many there are in all, if the service says so.
    pub count: Option<u64>,
    /// Whether the service says that there is more.
    pub has_next: bool,
}

/// What is listed.
pub(crate) trait Listed: Sized + Send + 'static {
    fn read(value: Value) -> Result<Self, Unreadable>;

    /// What makes it the same item on two pages.
    fn identity(&self) -> Option<String>;
}

/// A list as it is asked for, page by page: a `Stream` of pages, also usable by [`next_page`](Self::next_page) alone.
///
/// Items are asked for while others may add some, so an item can appear on two pages: it is handed out once. After an error the
/// list has ended. The order is the service's and not documented.
#[must_use = "nothing is asked until a page is awaited"]
pub struct Pages<T> {
    client: Client,
    operation: Operation,
    is_v2: bool,
    next: Option<u32>,
    seen: HashSet<String>,
    asking: Option<BoxFuture<'static, Result<Page<T>, Error>>>,
}

#[allow(private_bounds)]
impl<T: Listed> Pages<T> {
    pub(crate) fn v1(client: &Client, operation: Operation) -> Self {
        Self::new(client, operation, false)
    }

    pub(crate) fn v2(client: &Client, operation: Operation) -> Self {
        Self::new(client, operation, true)
    }

    fn new(client: &Client, operation: Operation, is_v2: bool) -> Self {
        Self { client: client.clone(), operation, is_v2, next: Some(1), seen: HashSet::new(), asking: None }
    }

    /// The next page; `None` after the last.
    ///
    /// # Errors
    /// What asking met, or [`ErrorKind::TooLarge`] after 10 000 pages.
    pub async fn next_page(&mut self) -> Result<Option<Page<T>>, Error> {
        std::future::poll_fn(|context| self.poll_page(context)).await.transpose()
    }

    /// Everything that is left, in memory.
    ///
    /// # Errors
    /// As [`next_page`](Self::next_page).
    pub async fn all(mut self) -> Result<Vec<T>, Error> {
        let mut items = Vec::new();
        while let Some(page) = self.next_page().await? {
            items.extend(page.items);
        }
        Ok(items)
    }

    fn poll_page(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Page<T>, Error>>> {
        let Some(number) = self.next else { return Poll::Ready(None) };
        if number > MAX_PAGES {
            self.next = None;
            return Poll::Ready(Some(Err(too_many(self.operation.name))));
        }
        let asking = match &mut self.asking {
            Some(asking) => asking,
            None => self.asking.insert(Box::pin(ask(
                self.client.clone(),
                self.operation.clone(),
                self.is_v2,
                number,
            ))),
        };
        let asked = ready!(asking.as_mut().poll(context));
        self.asking = None;
        Poll::Ready(self.turned(number, asked))
    }

    fn turned(&mut self, number: u32, asked: Result<Page<T>, Error>) -> Option<Result<Page<T>, Error>> {
        self.next = None;
        let mut page = match asked {
            // Beyond the first, "no such page" is how some lists end that shrank meanwhile.
            Err(error) if number > 1 && error.is_not_found() => return None,
            Err(error) => return Some(Err(error)),
            Ok(page) => page,
        };
        page.items.retain(|item| item.identity().is_none_or(|identity| self.seen.insert(identity)));
        if page.items.is_empty() && number > 1 {
            return None;
        }
        if page.has_next && !page.items.is_empty() {
            self.next = Some(number.saturating_add(1));
        }
        Some(Ok(page))
    }
}

/// One page of a V1 list by itself; a number beyond the last gives an empty one.
pub(crate) async fn page<T: Listed>(
    client: &Client,
    operation: Operation,
    number: u32,
) -> Result<Page<T>, Error> {
    match ask(client.clone(), operation, false, number).await {
        Err(error) if number > 1 && error.is_not_found() => {
            Ok(Page { number, items: Vec::new(), count: None, has_next: false })
        }
        asked => asked,
    }
}

fn too_many(operation: &'static str) -> Error {
    Error::new(ErrorKind::TooLarge, operation)
        .with_outcome(Outcome::ReadOnly)
        .with_message("the list has more than 10000 pages")
        .with_hint("ask for larger pages")
}

async fn ask<T: Listed>(
    client: Client,
    operation: Operation,
    is_v2: bool,
    number: u32,
) -> Result<Page<T>, Error> {
    let ask = if is_v2 { Ask::v2(operation) } else { Ask::v1(operation) };
    let ask = ask.query("page", number).query("page_size", client.rules().page_size);
    let size = usize::try_from(client.rules().page_size).unwrap_or(usize::MAX);
    client.ask(ask, move |value| read(value, number, size)).await
}

/// `{count, next, previous, results}`, or a bare list, which is one complete page: if it is as long as was asked for, there may be
/// another one, and nothing in it tells.
fn read<T: Listed>(value: Value, number: u32, size: usize) -> Result<Page<T>, Unreadable> {
    let (items, count, has_next) = match value {
        Value::Array(items) => {
            let has_next = items.len() >= size;
            (items, None, has_next)
        }
        other => {
            if other.get("results").is_none() {
                return Err(Unreadable::new("results", "there"));
            }
            let mut fields = Fields::of(other, "the page")?;
            let count = fields.take("count").as_ref().and_then(integer);
            let has_next = fields.take("next").is_some_and(|next| next.as_str() != Some(""));
            (fields.list("results")?, count.and_then(|count| u64::try_from(count).ok()), has_next)
        }
    };
    let items = items.into_iter().enumerate().map(|(at, item)| {
        T::read(item)
            .map_err(|cause| Unreadable::new(format!("results[{at}].{}", cause.field), cause.expected))
    });
    Ok(Page { number, items: items.collect::<Result<_, _>>()?, count, has_next })
}

#[allow(private_bounds)]
impl<T: Listed> Stream for Pages<T> {
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
            .field("operation", &self.operation.name)
            .field("next", &self.next)
            .field("seen", &self.seen.len())
            .finish_non_exhaustive()
    }
}
