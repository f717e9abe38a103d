//! Good answers, in the shapes that the contract permits: envelopes, pages, scalars, file contents.

use serde_json::{Map, Value, json};

use super::refusal::{Reason, Refusal};
use super::route::{Query, encoded};
use super::settings::{
    Bools, Envelope, LinksShape, ListShape, NextLink, Numbers, Order, PastEnd, Settings, Times,
};
use crate::answer::Answer;
use crate::blob::Content;
use crate::clock::Moment;
use crate::payload::{Inline, Payload};

/// What an operation answers when nothing is wrong.
#[derive(Debug)]
pub(super) enum Reply {
    /// JSON, with the envelope that is natural for it.
    Json { status: u16, value: Value, inline: Inline, wrapped: bool },
    /// JSON exactly so.
    Exactly { status: u16, value: Value, inline: Inline },
    /// A file.
    File { content: Content, content_type: &'static str },
    /// A page for people.
    Html { status: u16, text: String },
    /// Nothing, or a bare acknowledgement.
    Done,
}

impl Reply {
    /// A V1 object.
    pub(super) fn v1(value: Value) -> Self {
        Self::Json { status: 200, value, inline: Inline::new(), wrapped: true }
    }

    /// A V2 object or a page.
    pub(super) fn v2(status: u16, value: Value) -> Self {
        Self::Json { status, value, inline: Inline::new(), wrapped: false }
    }

    pub(super) fn exactly(status: u16, value: Value) -> Self {
        Self::Exactly { status, value, inline: Inline::new() }
    }

    pub(super) fn answer(self, settings: &Settings) -> Answer {
        match self {
            Self::Json { status, value, inline, wrapped } => {
                let value = enveloped(value, wrapped, settings);
                Answer::new(status, crate::answer::JSON, inline.render(&dressed(value, settings)))
            }
            Self::Exactly { status, value, inline } => {
                Answer::new(status, crate::answer::JSON, inline.render(&value))
            }
            Self::File { content, content_type } => Answer::new(200, content_type, Payload::file(content)),
            Self::Html { status, text } => Answer::new(status, crate::answer::HTML, text),
            Self::Done if settings.empty_success => Answer::new(200, crate::answer::JSON, ""),
            Self::Done => Answer::json(200, &json!({ "data": null, "code": null, "message": "" })),
        }
    }
}

fn enveloped(value: Value, natural: bool, settings: &Settings) -> Value {
    let wrapped = match settings.envelope {
        Envelope::Natural => natural,
        Envelope::Wrapped => true,
        Envelope::Bare => false,
    };
    if wrapped { json!({ "data": value, "code": null, "message": "" }) } else { value }
}

/// Scalars, lists and keys as the settings want them.
fn dressed(value: Value, settings: &Settings) -> Value {
    match value {
        Value::Number(number) if settings.numbers == Numbers::Text => number.to_string().into(),
        Value::Bool(truth) => match settings.bools {
            Bools::Plain => truth.into(),
            Bools::Digits => u8::from(truth).into(),
            Bools::Text => truth.to_string().into(),
        },
        Value::Array(items) => items.into_iter().map(|item| dressed(item, settings)).collect(),
        Value::Object(fields) => dressed_object(fields, settings),
        other => other,
    }
}

fn dressed_object(fields: Map<String, Value>, settings: &Settings) -> Value {
    let mut dressed_fields: Map<String, Value> = fields
        .into_iter()
        .map(|(key, value)| {
            let gone = settings.null_lists && value.as_array().is_some_and(Vec::is_empty) && key != "results";
            let value = if gone { Value::Null } else { dressed(value, settings) };
            let key = if key == "GUID" && settings.lower_case_guid { "guid".to_owned() } else { key };
            (key, value)
        })
        .collect();
    if settings.unknown_keys {
        dressed_fields.insert("x_added_later".into(), json!({ "why": "to be kept" }));
    }
    dressed_fields.into()
}

/// A time as answers write it.
pub(super) fn time(moment: Moment, settings: &Settings) -> String {
    match settings.times {
        Times::Micros => moment.iso_micros(),
        Times::Seconds => moment.utc("%Y-%m-%dT%H:%M:%SZ"),
        Times::Nanos => moment.utc("%Y-%m-%dT%H:%M:%S%.9fZ"),
        Times::Spaced => moment.utc("%Y-%m-%d %H:%M:%S"),
        Times::Unreadable => "yesterday".into(),
    }
}

/// A sign URL and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) email: String,
    pub(super) url: String,
}

/// The sign URLs of a started flow.
pub(super) fn links(links: &[Link], settings: &Settings) -> Value {
    let objects = |key: &str| -> Value {
        links.iter().map(|link| json!({ "email": link.email, key: link.url })).collect()
    };
    match settings.links_shape {
        LinksShape::Strings => links.iter().map(|link| Value::from(link.url.as_str())).collect(),
        LinksShape::Url => objects("url"),
        LinksShape::SignUrl => objects("sign_url"),
        LinksShape::Link => objects("link"),
        LinksShape::Map => {
            let pairs = links.iter().map(|link| (link.email.clone(), link.url.clone().into()));
            pairs.collect::<Map<_, _>>().into()
        }
        LinksShape::Nothing => Value::Null,
    }
}

/// Which part of a list a page shows.
#[derive(Debug, PartialEq, Eq)]
struct Window {
    page: usize,
    size: usize,
    start: usize,
}

/// `None` if no page was asked for: then everything comes at once.
fn window(query: &Query, count: usize, settings: &Settings) -> Result<Option<Window>, Refusal> {
    let number =
        |key: &str| query.get(key).map(|text| text.parse::<usize>().ok().filter(|number| *number > 0));
    let (page, size) = (number("page"), number("page_size"));
    if page.is_none() && size.is_none() {
        return Ok(None);
    }
    let absent = || Refusal::from(Reason::Absent);
    let page = page.unwrap_or(Some(1)).ok_or_else(absent)?;
    let size = size.unwrap_or(Some(50)).ok_or_else(absent)?;
    let size = if settings.page_cap == 0 { size } else { size.min(settings.page_cap) };
    let last = count.div_ceil(size).max(1);
    let page = if page > last && settings.past_end == PastEnd::Repeat { last } else { page };
    if page > last && settings.past_end == PastEnd::NotFound {
        return Err(absent());
    }
    Ok(Some(Window { page, size, start: page.saturating_sub(1).saturating_mul(size) }))
}

/// Puts a list in the order of the settings; it comes oldest first.
pub(super) fn ordered<T>(items: &mut [T], name: impl Fn(&T) -> String, settings: &Settings) {
    match settings.order {
        Order::Newest => items.reverse(),
        Order::Oldest => {}
        Order::Arbitrary => items.sort_by_key(|item| crate::blob::sha256(name(item).as_bytes())),
    }
}

/// One page of a list. `url` is the list's own, without a query.
pub(super) fn page<T>(
    items: Vec<T>,
    shown: impl FnMut(T) -> Value,
    query: &Query,
    url: &str,
    settings: &Settings,
) -> Result<Reply, Refusal> {
    let count = items.len();
    let window = window(query, count, settings)?;
    let (start, size) = window.as_ref().map_or((0, count), |window| (window.start, window.size));
    let results: Vec<Value> = items.into_iter().skip(start).take(size).map(shown).collect();
    if settings.list_shape == ListShape::Array {
        return Ok(Reply::v2(200, results.into()));
    }
    let more = start.saturating_add(results.len()) < count || settings.next_link == NextLink::Endless;
    let link = |page: usize| {
        let host = if settings.next_link == NextLink::Elsewhere { "http://elsewhere.invalid" } else { url };
        format!("{host}?page={page}&page_size={size}")
    };
    let number = window.as_ref().map(|window| window.page);
    let next = number.filter(|_| more).map(|page| link(page.saturating_add(1)));
    let previous = number.filter(|page| *page > 1).map(|page| link(page.saturating_sub(1)));
    let results = if results.is_empty() && settings.null_results { Value::Null } else { results.into() };
    Ok(Reply::v2(200, json!({ "count": count, "next": next, "previous": previous, "results": results })))
}

/// Where a file can be fetched, as the settings want it written.
pub(super) fn media_path(name: &str, until: Option<i64>) -> String {
    let path: Vec<String> = name.split('/').map(encoded).collect();
    let life = until.map(|until| format!("?expires={until}")).unwrap_or_default();
    format!("{}{life}", path.join("/"))
}

#[cfg(test)]
mod tests;
