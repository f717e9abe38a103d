//! One page of a feature, and one element (contract 3.2 F2 and F3, 3.7).
//!
//! The rules enforced here: no call without columns, and none with a column that `desc` does not have; a page is decoded row by row
//! as its bytes arrive; another shape than `records` is an error that names the keys.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use integration_core::body::fields::Scalar;
use integration_core::body::stream::{Broken, Elements};
use integration_core::call::{AnswerStream, Operation, Verdict};
use integration_core::{Answer, Error, ErrorKind, Outcome, Secret};
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::client::{Ask, Client, date_of};
use crate::error::{ErrorExt, Problem, Route, keys, keys_of};
use crate::feature::Feature;
use crate::filter::Filter;
use crate::record::{Fid, Reader, Record, RowError};
use crate::schema::Schema;
use crate::wire::{self, Row};

pub(crate) const LIST: Operation = Operation::get("list elements", "/{feature}/list");
pub(crate) const GET: Operation = Operation::get("read an element", "/{feature}/get");

/// Room for one row where a page was asked to have more of them than the page's limit would hold (assumed).
const ROW_BYTES: u64 = 64 * 1024;
const BESIDE: usize = 16 * 1024;

/// What to list. Columns are needed (contract F3).
///
/// ```no_run
/// # async fn run(client: geosite::Client) -> Result<(), geosite::Error> {
/// use geosite::{Feature, Filter};
///
/// let full = client
///     .list(Feature::Cto)
///     .columns(["fid", "nome", "latitude", "longitude"])
///     .filter(Filter::eq("bairro", "Centro"))
///     .limit(100)
///     .all()
///     .await?;
/// println!("{} of {:?}", full.records.len(), full.total);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is asked until it is opened"]
pub struct List {
    client: Client,
    pub(crate) feature: Feature,
    pub(crate) columns: Vec<String>,
    pub(crate) filter: Option<Filter>,
    pub(crate) sorter: Vec<String>,
    pub(crate) limit: Option<u32>,
    pub(crate) start: Option<u64>,
    hidden: Vec<Secret>,
}

/// A page that was read to its end.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Page {
    /// Its elements.
    pub records: Vec<Record>,
    /// Rows that could not be read.
    pub failed: Vec<RowError>,
    /// How many rows match in all.
    pub total: Total,
    /// When the service says that it answered.
    pub date: Option<Timestamp>,
}

/// How many rows match in all, as the service says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Total {
    /// So many; it may have come as text.
    Of(u64),
    /// It does not say.
    Missing,
    /// It says something that is no number.
    Unreadable,
}

impl Total {
    /// The number, if there is one.
    #[must_use]
    pub const fn number(self) -> Option<u64> {
        match self {
            Self::Of(number) => Some(number),
            _ => None,
        }
    }
}

impl Client {
    /// Starts a list of a feature's elements.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.2 F3); nothing is sent before one of its functions is awaited.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// use geosite::Feature;
    ///
    /// let page = client.list(Feature::Cto).columns(["fid", "codigo"]).limit(10).all().await?;
    /// println!("{} rows", page.records.len());
    /// # Ok(()) });
    /// ```
    #[doc(alias = "listar")]
    pub fn list(&self, feature: Feature) -> List {
        let client = self.clone();
        List {
            client,
            feature,
            columns: Vec::new(),
            filter: None,
            sorter: Vec::new(),
            limit: None,
            start: None,
            hidden: Vec::new(),
        }
    }

    /// One element by its number (F2), or nothing if the service says that there is none.
    ///
    /// "Nothing" is an authoritative answer: it takes the configured [`NotFoundRule`](crate::NotFoundRule). Every other shape is an
    /// error.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.2).
    ///
    /// # Errors
    /// What the call met; [`Problem::UnexpectedShape`], [`Problem::WrongRecord`] if another element came,
    /// [`Problem::RowUnreadable`], [`Problem::AmbiguousColumn`], [`Problem::ApiRefused`].
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (client, cto) = (kit.client.clone(), kit.cto());
    /// use geosite::Feature;
    ///
    /// match client.get(Feature::Cto, cto).await? {
    ///     Some(element) => println!("{} {:?}", element.fid, element.name),
    ///     None => println!("the service says that there is none"),
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias = "buscar")]
    pub async fn get(&self, feature: Feature, fid: impl Into<Fid>) -> Result<Option<Record>, Error> {
        let fid = fid.into();
        let ask = Ask::of(GET, feature).query("fid", fid);
        let route = ask.route();
        let call = ask.call(self)?;
        let (clock, reader) = (self.clock().clone(), self.reader(feature));
        let rule = self.assumptions().not_found;
        let judge = |answer: &Answer| {
            if rule.http_404 && is_plain_404(answer) {
                return Verdict::Accept(None);
            }
            if !answer.status().is_success() {
                return route.refused(answer, &*clock);
            }
            let read = one(answer, &route, rule.success_false);
            match read.and_then(|found| found.map(|row| checked(row, fid, &reader, &route)).transpose()) {
                Ok(found) => Verdict::Accept(found),
                Err(problem @ Problem::ApiRefused { .. }) => Verdict::Refuse(route.error(problem)),
                Err(problem) => route.doubt(problem),
            }
        };
        Ok(self.caller().call(&call, judge).await?.value)
    }
}

/// A page for people says that the address is wrong, not that the element is gone.
fn is_plain_404(answer: &Answer) -> bool {
    let empty = answer.body().iter().all(u8::is_ascii_whitespace);
    answer.status() == http::StatusCode::NOT_FOUND && (empty || answer.json::<Value>().is_ok())
}

/// R7: the record itself, with every key, doubled ones included; `record`, or `records` of exactly one.
fn one(answer: &Answer, route: &Route, none_by_success: bool) -> Result<Option<Row>, Problem> {
    let row = answer.is_complete().then(|| serde_json::from_slice::<Row>(answer.body()).ok());
    let Some(row) = row.flatten() else {
        let value = route.json(answer)?;
        return Err(route.shape(keys_of(&value), "it is no object"));
    };
    if row.0.iter().any(|(name, _)| wire::same(name, "fid")) {
        return Ok(Some(row));
    }
    wrapped(row.into_fields(), answer, route, none_by_success)
}

fn wrapped(
    fields: Map<String, Value>,
    answer: &Answer,
    route: &Route,
    none_by_success: bool,
) -> Result<Option<Row>, Problem> {
    let mut fields = fields;
    let keys = keys(fields.keys().map(String::as_str));
    let wrapped = match (fields.remove("record"), fields.remove("records")) {
        (Some(Value::Object(inner)), None) => Some(inner),
        (None, Some(Value::Array(mut list))) if list.len() == 1 => match list.pop() {
            Some(Value::Object(inner)) => Some(inner),
            _ => return Err(route.shape(keys, "the one of `records` is no object")),
        },
        (None | Some(Value::Null), None) => None,
        (None, Some(Value::Array(list))) if list.is_empty() => None,
        (None, Some(Value::Array(list))) => {
            return Err(route.shape(keys, format!("`records` has {} records instead of one", list.len())));
        }
        _ => return Err(route.shape(keys, "there is no single record")),
    };
    match (wire::inner_refusal(&fields), wrapped) {
        (Some(_), None) if none_by_success && says_false(&fields) => Ok(None),
        (Some(refused), _) => Err(route.api_refused(answer, refused)),
        (None, Some(inner)) => Ok(Some(Row::of(inner))),
        (None, None) => Err(route.shape(keys, "there is no record")),
    }
}

fn says_false(fields: &Map<String, Value>) -> bool {
    use integration_core::body::fields::Token;
    fields.get("success").and_then(|success| success.scalar().boolean()) == Some(false)
}

fn checked(row: Row, asked: Fid, reader: &Reader, route: &Route) -> Result<Record, Problem> {
    if let Some(column) = row.doubled() {
        return Err(Problem::AmbiguousColumn { route: route.text.clone(), column: column.to_owned() });
    }
    let record = reader.read(row).map_err(|row| Problem::RowUnreadable { route: route.text.clone(), row })?;
    if record.fid != asked {
        return Err(Problem::WrongRecord { route: route.text.clone(), asked: asked.0, found: record.fid.0 });
    }
    Ok(record)
}

impl List {
    /// Asks for these columns, which all have to be there, and for `fid`; names without case.
    pub fn columns<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.columns.extend(names.into_iter().map(Into::into));
        self
    }

    /// Takes only rows for which this holds; a second filter has to hold too.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(match self.filter {
            Some(before) => before.and(filter),
            None => filter,
        });
        self
    }

    /// Sorts by these columns, ascending.
    pub fn sorter<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.sorter.extend(names.into_iter().map(Into::into));
        self
    }

    /// Asks for at most so many rows; the service may send fewer. Without it the service decides, and the page has to stay within
    /// the client's limit of bytes, [`ClientBuilder::page_limit`](crate::ClientBuilder::page_limit).
    pub fn limit(mut self, rows: u32) -> Self {
        self.limit = Some(rows);
        self
    }

    /// Leaves out so many rows (observed only).
    pub fn start(mut self, row: u64) -> Self {
        self.start = Some(row);
        self
    }

    /// Masks these in errors.
    #[cfg(feature = "store")]
    pub(crate) fn hiding(mut self, secrets: impl IntoIterator<Item = Secret>) -> Self {
        self.hidden.extend(secrets);
        self
    }

    fn ask(&self, schema: &Schema) -> Result<Ask, Error> {
        let ask = Ask::of(LIST, self.feature).hiding(self.hidden.iter().cloned());
        let route = ask.route();
        self.query(ask, schema, &route).map_err(|problem| route.error(problem))
    }

    fn query(&self, ask: Ask, schema: &Schema, route: &Route) -> Result<Ask, Problem> {
        if self.columns.is_empty() {
            return Err(Problem::ColumnUnknown { route: route.text.clone(), columns: Vec::new() });
        }
        // Without its number a row is no element (R6).
        let asked: Vec<String> = self.columns.iter().cloned().chain(["fid".to_owned()]).collect();
        let columns = resolved(&asked, schema, route)?;
        let mut ask = ask.query("columns", columns.join(","));
        if let Some(limit) = self.limit {
            ask = ask.query("limit", limit);
        }
        if let Some(start) = self.start {
            ask = ask.query("start", start);
        }
        if let Some(filter) = &self.filter {
            ask = ask.query("filter", filter.render(schema, self.client.times(), &route.text)?);
        }
        let sorter = resolved(&self.sorter, schema, route)?;
        Ok(if sorter.is_empty() { ask } else { ask.query("sorter", sorter.join(",")) })
    }

    /// Every column that it names.
    fn named(&self) -> impl Iterator<Item = &str> {
        let filter = self.filter.iter().flat_map(Filter::columns);
        self.columns.iter().chain(&self.sorter).map(String::as_str).chain(filter)
    }

    /// Sends it; the rows come as a stream.
    ///
    /// A column that the kept description does not have, or that the service does not know, leads to one new look at `desc`.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.2 F3).
    ///
    /// # Errors
    /// [`Problem::ColumnUnknown`] without columns or with unknown ones, [`Problem::AmbiguousColumn`], [`Problem::FilterInvalid`],
    /// all before anything is sent; what the call met.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// use geosite::Feature;
    ///
    /// let mut rows = client.list(Feature::Cto).columns(["fid", "codigo"]).open().await?;
    /// while let Some(row) = rows.next().await {
    ///     match row? {
    ///         Ok(element) => println!("{}", element.fid),
    ///         Err(unreadable) => println!("{unreadable:?}"),
    ///     }
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn open(&self) -> Result<Rows, Error> {
        let mut schema = self.client.schema(self.feature).await?;
        if self.named().any(|name| !schema.has(name)) {
            schema = self.client.read_schema(self.feature).await?;
        }
        let opened = self.send(&schema).await;
        match opened {
            Err(error) if is_refused(&error) => Err(self.explained(error).await),
            opened => opened,
        }
    }

    /// Whether the service refused since a column has gone, which only `desc` can tell.
    async fn explained(&self, error: Error) -> Error {
        match self.client.read_schema(self.feature).await {
            Ok(schema) => self.ask(&schema).err().unwrap_or(error),
            Err(_) => error,
        }
    }

    async fn send(&self, schema: &Schema) -> Result<Rows, Error> {
        let ask = self.ask(schema)?;
        let route = ask.route();
        let call = ask.call(&self.client)?;
        let clock = self.client.clock().clone();
        let judge = |answer: &Answer| match answer.is_head() {
            true if !calls_itself_html(answer) => Verdict::Accept(()),
            true => route.doubt(route.content_type(answer)),
            // Only what the head did not recommend is read whole.
            false => match route.whole(answer, &*clock, Ok) {
                Verdict::Accept(value) => {
                    route.doubt(route.shape(keys_of(&value), "it calls itself a page for people"))
                }
                Verdict::Refuse(error) => Verdict::Refuse(error),
                Verdict::Unauthorized(error) => Verdict::Unauthorized(error),
                Verdict::NotApplied(error) => Verdict::NotApplied(error),
                Verdict::Doubt { error, transient } => Verdict::Doubt { error, transient },
                _ => route.doubt(route.content_type(answer)),
            },
        };
        let opened = self.client.caller().open(&call, self.most_bytes(), judge).await.map_err(too_large);
        let (_, head, body) = opened?.into_parts();
        Ok(Rows::new(body, head, route, self.client.reader(self.feature)))
    }

    /// The client's limit for a page, or more if more rows were asked for.
    fn most_bytes(&self) -> u64 {
        let of_rows = u64::from(self.limit.unwrap_or_default()).saturating_mul(ROW_BYTES);
        self.client.page_limit().max(of_rows)
    }

    /// Reads the page whole, into memory.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.2 F3).
    ///
    /// # Errors
    /// As [`open`](Self::open) and [`Rows::next`].
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// use geosite::Feature;
    ///
    /// let page = client.list(Feature::Cto).columns(["fid", "codigo"]).limit(10).all().await?;
    /// println!("{} rows of {:?}", page.records.len(), page.total);
    /// # Ok(()) });
    /// ```
    pub async fn all(&self) -> Result<Page, Error> {
        let mut rows = self.open().await?;
        let (mut records, mut failed) = (Vec::new(), Vec::new());
        while let Some(row) = rows.next().await {
            match row? {
                Ok(record) => records.push(record),
                Err(error) => failed.push(error),
            }
        }
        Ok(Page { records, failed, total: rows.total(), date: rows.date() })
    }
}

fn too_large(error: Error) -> Error {
    if error.kind() != ErrorKind::TooLarge {
        return error;
    }
    error.with_hint(
        "ask for fewer rows at a time, or raise `ClientBuilder::page_limit` if such pages are meant",
    )
}

/// Whether the service understood and said no: then a column may have gone.
pub(crate) fn is_refused(error: &Error) -> bool {
    error.kind() == ErrorKind::Refused && error.is_refused()
}

fn resolved(names: &[String], schema: &Schema, route: &Route) -> Result<Vec<String>, Problem> {
    let selection = schema.select(names);
    if let Some(column) = selection.ambiguous.into_iter().next() {
        return Err(Problem::AmbiguousColumn { route: route.text.clone(), column });
    }
    if !selection.missing.is_empty() {
        return Err(Problem::ColumnUnknown { route: route.text.clone(), columns: selection.missing });
    }
    Ok(selection.columns)
}

fn calls_itself_html(answer: &Answer) -> bool {
    let content_type = answer.content_type().unwrap_or_default().to_ascii_lowercase();
    content_type.starts_with("text/html") || content_type.starts_with("application/xhtml")
}

/// The rows of one page as they arrive: a `Stream`, also usable by [`next`](Self::next) alone. Memory holds one row.
///
/// An item is an element, or a row that cannot be read; the outer error ends the page, which then is not to be believed to be whole.
#[must_use = "nothing is read until it is polled"]
pub struct Rows {
    elements: Elements<Row>,
    head: Answer,
    route: Route,
    reader: Arc<Reader>,
    ended: bool,
}

impl Rows {
    fn new(body: AnswerStream, head: Answer, route: Route, reader: Arc<Reader>) -> Self {
        let elements = Elements::new(body, "records").keep_beside(BESIDE);
        let elements = elements.of_operation(route.operation, Outcome::ReadOnly);
        Self { elements, head, route, reader, ended: false }
    }

    /// The next row; `None` once the whole answer was read and was a success.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.7); the request is not sent again, and what came stays.
    ///
    /// # Errors
    /// Within the result: [`Problem::UnexpectedShape`], [`Problem::UnexpectedContentType`], [`Problem::ApiRefused`],
    /// [`Problem::AmbiguousColumn`]; [`ErrorKind::Timeout`] when nothing came for too long, or the page was not taken in within the
    /// time of a call; [`ErrorKind::TooLarge`] beyond [`ClientBuilder::page_limit`](crate::ClientBuilder::page_limit);
    /// [`ErrorKind::Interrupted`].
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// use geosite::Feature;
    ///
    /// let mut rows = client.list(Feature::Cto).columns(["fid"]).open().await?;
    /// let first = rows.next().await.ok_or("no row")??;
    /// println!("{first:?}");
    /// # Ok(()) });
    /// ```
    pub async fn next(&mut self) -> Option<Result<Result<Record, RowError>, Error>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// How many rows match in all; known for certain once the rows have ended.
    #[must_use]
    pub fn total(&self) -> Total {
        match self.elements.beside().scalar("total") {
            Scalar::Null => Total::Missing,
            Scalar::Text(text) if text.trim().is_empty() => Total::Missing,
            scalar => {
                let number = scalar.integer().and_then(|total| u64::try_from(total).ok());
                number.map_or(Total::Unreadable, Total::Of)
            }
        }
    }

    /// When the service says that it answered.
    #[must_use]
    pub fn date(&self) -> Option<Timestamp> {
        date_of(&self.head)
    }

    fn read(&mut self, row: Row) -> Result<Result<Record, RowError>, Error> {
        if let Some(column) = row.doubled() {
            let (route, column) = (self.route.text.clone(), column.to_owned());
            return Err(self.fail(Problem::AmbiguousColumn { route, column }));
        }
        Ok(self.reader.read(row))
    }

    fn fail(&mut self, problem: Problem) -> Error {
        self.ended = true;
        // Nobody masks what is found after the call has ended.
        self.elements.source().without_secrets(self.route.error(problem).with_answer(self.head.clone()))
    }

    /// What was wrong with the list, if it was the list and not the connection.
    fn broken(&mut self, error: Error) -> Error {
        self.ended = true;
        let beside = self.elements.beside();
        let keys = keys(beside.names());
        let problem = match error.find_source::<Broken>() {
            Some(Broken::NotJson) if keys.is_empty() && self.elements.count() == 0 => {
                self.route.content_type(&self.head)
            }
            Some(Broken::NoList(_)) if wire::refusal_beside(beside).is_some() => {
                let refused = wire::refusal_beside(beside).unwrap_or_default();
                self.route.api_refused(&self.head, refused)
            }
            Some(Broken::Truncated) if self.elements.source().length() == 0 => {
                self.route.shape(keys, "the answer is empty")
            }
            Some(broken) => self.route.shape(keys, broken.to_string()),
            None if error.kind() == ErrorKind::UnexpectedAnswer => {
                self.route.shape(keys, format!("a row is no object: {}", error.message().unwrap_or_default()))
            }
            None => return too_large(error),
        };
        self.fail(problem)
    }

    fn end(&mut self) -> Option<Error> {
        self.ended = true;
        let refused = wire::refusal_beside(self.elements.beside())?;
        let problem = self.route.api_refused(&self.head, refused);
        Some(self.fail(problem))
    }
}

impl Stream for Rows {
    type Item = Result<Result<Record, RowError>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(Pin::new(&mut this.elements).poll_next(context)) {
            Some(Ok(row)) => Some(this.read(row)),
            Some(Err(error)) => Some(Err(this.broken(error))),
            None => this.end().map(Err),
        })
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows")
            .field("route", &self.route.text)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

/// The typed cause of a refused filter.
pub(crate) fn refuses_filter(error: &Error) -> bool {
    is_refused(error) && !matches!(error.problem(), Some(Problem::ColumnUnknown { .. }))
}
