//! Lists, page by page (contract 3.9).
//!
//! The rules enforced here: `page` and `page_size` are always sent; the address in `next` is never followed, only whether there is
//! one; a bare list is a complete page, after which there may be another one if it is as long as was asked for. The rest is the core's:
//! an item is handed out once, a listing ends at an empty page or one that brings nothing unseen, and after 10 000 in an error.

use integration_core::Error;
use integration_core::body::page::{Page, Pages};
use integration_core::call::Operation;
use serde_json::Value;

use crate::client::{Ask, Client};
use crate::wire::{Fields, Unreadable, integer};

/// What is listed.
pub(crate) trait Listed: Sized + Send + 'static {
    fn read(value: Value) -> Result<Self, Unreadable>;

    /// What makes it the same item on two pages.
    fn identity(&self) -> Option<String>;
}

pub(crate) fn v1<T: Listed>(client: &Client, operation: Operation) -> Pages<T> {
    pages(client, Ask::v1(operation))
}

pub(crate) fn v2<T: Listed>(client: &Client, operation: Operation) -> Pages<T> {
    pages(client, Ask::v2(operation))
}

fn pages<T: Listed>(client: &Client, question: Ask) -> Pages<T> {
    let (client, name) = (client.clone(), question.operation.name);
    let turn = move |number| {
        let (client, question) = (client.clone(), question.clone());
        async move { ask(&client, question, number).await }
    };
    // A bare list, which has no count, is complete (contract 3.9); there may only be more where it is as long as was asked for.
    Pages::new(name, turn, T::identity).ending_at_not_found()
}

/// One page of a V1 list by itself; a number beyond the last gives an empty one.
pub(crate) async fn page<T: Listed>(
    client: &Client,
    operation: Operation,
    number: u32,
) -> Result<Page<T>, Error> {
    match ask(client, Ask::v1(operation), number).await {
        Err(error) if number > 1 && error.is_not_found() => Ok(Page::new(number, Vec::new(), false)),
        asked => asked,
    }
}

async fn ask<T: Listed>(client: &Client, question: Ask, number: u32) -> Result<Page<T>, Error> {
    let page_size = client.rules().page_size;
    let question = question.query("page", number).query("page_size", page_size);
    let size = usize::try_from(page_size).unwrap_or(usize::MAX);
    client.ask(question, move |value| read(value, number, size)).await
}

/// `{count, next, previous, results}`, or a bare list.
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
    let items = items.into_iter().enumerate();
    let items = items.map(|(at, item)| T::read(item).map_err(|cause| cause.within(format!("results[{at}]"))));
    Ok(Page::new(number, items.collect::<Result<_, _>>()?, has_next).with_count(count))
}
