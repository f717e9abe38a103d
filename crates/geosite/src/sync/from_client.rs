//! The client as a plant: its records as elements, its readings as lists (contract 4.7, 4.8).
//!
//! Every column is read, so that an element asked for by itself has the same content as one from a list.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use integration_core::BoxFuture;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::doubt::{Doubt, UnreadRow};
use super::element::Element;
use super::kind::Kind;
use super::plant::{From, Lookup, Piece, Plant, PlantError, PlantErrorKind, Rows};
use crate::client::Client;
use crate::error::{ErrorExt as _, Problem};
use crate::feature::{ElementKind, Feature, SplitterRole};
use crate::filter::{Filter, Literal};
use crate::geometry::{self, Position};
use crate::read::{Checkpoint, Read, ReadAll};
use crate::record::{Detail, Fid, Record, configured};
use integration_core::Error;
use integration_core::body::fields::When;

impl Plant for Client {
    fn whole(&self, feature: Feature, from: From) -> Rows<'_> {
        listed(self, self.reading(feature), from)
    }

    fn changed(&self, feature: Feature, since: Timestamp, from: From) -> Rows<'_> {
        let reading = self.reading(feature);
        match &self.assumptions().change_column {
            Some(column) => listed(self, reading.filter(Filter::ge(column, Literal::Time(since))), from),
            None => listed(self, reading, from),
        }
    }

    fn tells_changes(&self, _: Feature) -> bool {
        self.assumptions().change_column.is_some()
    }

    fn lacking(&self, feature: Feature) -> BoxFuture<'_, Result<Vec<String>, PlantError>> {
        Box::pin(async move {
            let schema = self.schema(feature).await.map_err(broken)?;
            Ok(schema.select(configured(feature, self.assumptions())).missing)
        })
    }

    fn one(&self, feature: Feature, fid: i64) -> BoxFuture<'_, Result<Lookup, PlantError>> {
        Box::pin(async move {
            let number = u64::try_from(fid)
                .map_err(|_| unreadable(format!("fid {fid} is no number of an element")))?;
            match self.get(feature, number).await.map_err(|error| failed(&error.to_string(), error))? {
                Some(record) => Ok(Lookup::Found(Box::new(element(self, record)?))),
                None => Ok(Lookup::NotFound),
            }
        })
    }

    fn splitters_of(&self, parent: i64) -> BoxFuture<'_, Result<Vec<Element>, PlantError>> {
        Box::pin(async move {
            let below = Filter::eq(self.assumptions().parent_column.as_str(), parent);
            let mut reading = self.read_all(Feature::Splitter).all_columns().filter(below);
            let mut found = Vec::new();
            while let Some(read) = reading.next().await {
                match read.map_err(|error| failed(&error.to_string(), error))? {
                    Read::Row(record) => found.push(element(self, record)?),
                    Read::Failed(row) => return Err(unreadable(row.to_string())),
                    Read::Restarted { .. } => found.clear(),
                    Read::Page(_) => {}
                }
            }
            let whole = reading.summary().is_some_and(|summary| summary.complete);
            whole
                .then_some(found)
                .ok_or_else(|| unreadable(format!("the splitters of {parent} are not all there")))
        })
    }

    fn server_time(&self) -> BoxFuture<'_, Result<Option<Timestamp>, PlantError>> {
        Box::pin(async move {
            let smallest = self.list(Feature::Splitter).columns(["fid"]).limit(1);
            let rows = smallest.open().await.map_err(|error| failed(&error.to_string(), error))?;
            Ok(rows.date())
        })
    }
}

/// More rows of one page than this are not asked for: a list holds the rows of its page (contract G6).
const ROWS: u32 = 1_000;
/// Of a service that sends more than it was asked for, more rows than this are not held back.
const MOST: usize = 8_192;

impl Client {
    fn reading(&self, feature: Feature) -> ReadAll {
        self.read_all(feature).page_size(self.assumptions().page_size.min(ROWS))
    }
}

fn listed(client: &Client, reading: ReadAll, from: From) -> Rows<'static> {
    let reading = reading.all_columns();
    let reading = match from.after {
        Some(after) => reading.resume(checkpoint(after, from)),
        None => reading,
    };
    Box::pin(Listed::new(client.clone(), reading))
}

fn checkpoint(after: i64, from: From) -> Checkpoint {
    Checkpoint {
        pages: 1,
        collected: from.read,
        last: u64::try_from(after).ok().map(Fid),
        total: from.total,
        without_total: from.total.is_none(),
        ..Checkpoint::default()
    }
}

/// A reading as a list, page by page: a page that is being read holds one of the client's places for calls, and the lists of a
/// shelf wait for each other's rows. With more lists than places none would ever go on.
struct Listed {
    client: Client,
    reading: ReadAll,
    /// How many pages were read before it.
    pages: u32,
    told: bool,
    page: VecDeque<Result<Piece, PlantError>>,
    giving: bool,
    ended: bool,
}

impl Stream for Listed {
    type Item = Result<Piece, PlantError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if self.giving {
                match self.page.pop_front() {
                    Some(piece) => return Poll::Ready(Some(piece)),
                    None => self.giving = false,
                }
            }
            if self.ended {
                return Poll::Ready(None);
            }
            let read = ready!(Pin::new(&mut self.reading).poll_next(context));
            self.take(read);
        }
    }
}

impl Listed {
    fn new(client: Client, reading: ReadAll) -> Self {
        let pages = reading.progress().pages;
        Self { client, reading, pages, told: false, page: VecDeque::new(), giving: false, ended: false }
    }

    fn take(&mut self, read: Option<Result<Read, Error>>) {
        match read {
            Some(Ok(Read::Row(record))) => {
                let (code, name) = (record.code.clone(), record.name.clone());
                let piece = match element(&self.client, record) {
                    Ok(element) => Piece::Row(Box::new(element)),
                    Err(error) => self.unread(None, (code, name), error.to_string()),
                };
                self.page.push_back(Ok(piece));
            }
            Some(Ok(Read::Failed(row))) => {
                let why = row.to_string();
                let piece = self.unread(row.fid, (row.code, row.name), why);
                self.page.push_back(Ok(piece));
            }
            Some(Ok(Read::Page(at))) => {
                if let Some(total) = at.total.filter(|_| !self.told) {
                    self.page.push_front(Ok(Piece::Total(total)));
                }
                self.page.push_front(Ok(Piece::Page));
                (self.told, self.giving) = (true, true);
            }
            Some(Ok(Read::Restarted { drift, .. })) => {
                self.end(Err(PlantError::new(PlantErrorKind::Drift, format!("{drift:?}"))));
            }
            Some(Err(error)) => self.end(Err(broken(error))),
            None => {
                let complete = self.reading.summary().is_some_and(|summary| summary.complete);
                self.end(Ok(Piece::End { complete }));
            }
        }
        // A service that obeys no limit must neither fill the memory nor keep a place from the other lists.
        if !self.giving && self.page.len() >= MOST {
            self.reading.let_go();
            self.giving = true;
        }
    }

    /// A row that has just been read, and could not be.
    fn unread(&self, fid: Option<Fid>, (code, name): (Option<String>, Option<String>), why: String) -> Piece {
        let at = self.reading.progress();
        let page = u64::from(at.pages.saturating_sub(self.pages)).saturating_add(1);
        let mut row = UnreadRow::new(self.reading.feature(), page, at.collected, why);
        (row.fid, row.code, row.name) = (fid.and_then(|fid| i64::try_from(fid.0).ok()), code, name);
        Piece::Bad(Box::new(row))
    }

    fn end(&mut self, last: Result<Piece, PlantError>) {
        self.page.push_back(last);
        (self.giving, self.ended) = (true, true);
    }
}

fn broken(error: Error) -> PlantError {
    let message = error.to_string();
    match error.problem() {
        Some(Problem::PageDrift { .. }) => PlantError::new(PlantErrorKind::Drift, message).with_source(error),
        Some(
            Problem::ColumnUnknown { .. } | Problem::AmbiguousColumn { .. } | Problem::FilterInvalid { .. },
        ) => PlantError::new(PlantErrorKind::Setup, message).with_source(error),
        _ => failed(&message, error),
    }
}

fn failed(message: &str, error: Error) -> PlantError {
    PlantError::new(PlantErrorKind::Failed, message).with_source(error)
}

fn unreadable(message: String) -> PlantError {
    PlantError::new(PlantErrorKind::Failed, message)
}

/// A record as the register keeps it. Its kind is that of the list it was met in, which is what a snapshot proves.
fn element(client: &Client, record: Record) -> Result<Element, PlantError> {
    let fid =
        i64::try_from(record.fid.0).map_err(|_| unreadable(format!("fid {} is too large", record.fid)))?;
    let mut element = Element::new(kind(&record), fid);
    (element.designed, element.doubts) = (!client.is_existing(&record), doubts(&record));
    let mut extra: Map<String, Value> = record.extra.into_iter().collect();
    for (name, text) in [
        ("descricao", record.description),
        ("endereco", record.address),
        ("bairro", record.district),
        ("observacao", record.note),
        ("modelo", record.model),
        ("status", record.status),
        ("dataCadastro", record.registered.map(|when| written(&when))),
    ] {
        extra.extend(text.map(|text| (name.to_owned(), Value::String(text))));
    }
    extra.extend(record.capacity.map(|capacity| ("capacidade".to_owned(), capacity.into())));
    (element.code, element.name) = (record.code, record.name);
    if let Some(position) = record.position {
        element.latitude_e7 = Some(e7(position.latitude.degrees()));
        element.longitude_e7 = Some(e7(position.longitude.degrees()));
    }
    match record.changed {
        Some(When::At(at)) => element.changed_at = Some(at),
        Some(other) => extra.extend([("changed".to_owned(), Value::String(written(&other)))]),
        None => {}
    }
    detail(&mut element, &mut extra, record.detail, record.capacity);
    element.extra = Value::Object(extra).to_string();
    Ok(element)
}

fn doubts(record: &Record) -> Vec<Doubt> {
    let placed = record.position.and_then(Position::doubt).map(|doubt| match doubt {
        geometry::Doubt::OutsideBrazil => Doubt::OutsideBrazil,
        geometry::Doubt::LooksSwapped => Doubt::LooksSwapped,
    });
    let warned =
        |rule: &'static str| record.warnings.iter().filter(move |fault| fault.rule() == rule).count();
    let half = (warned("R9") > usize::from(placed.is_some())).then_some(Doubt::HalfAPlace);
    let time = (warned("TIME") > 0).then_some(Doubt::TimeUnreadable);
    let document = (warned("C4") > 0).then_some(Doubt::DocumentInvalid);
    let keyless = record.customer().is_some_and(|customer| customer.key().is_none());
    let all = [placed, half, time, document, keyless.then_some(Doubt::Unmatched)];
    all.into_iter().flatten().collect()
}

fn kind(record: &Record) -> Kind {
    match (&record.detail, ElementKind::of_feature(record.feature)) {
        (Detail::Splitter(splitter), _) => match splitter.role {
            SplitterRole::Service => Kind::SplitterAtendimento,
            SplitterRole::Distribution => Kind::SplitterDistribuicao,
            SplitterRole::Unknown(_) => Kind::SplitterUnknown,
        },
        (_, Some(kind)) => kind.into(),
        (_, None) => Kind::SplitterUnknown,
    }
}

fn detail(element: &mut Element, extra: &mut Map<String, Value>, detail: Detail, capacity: Option<i64>) {
    let number = |fid: Option<Fid>| fid.and_then(|fid| i64::try_from(fid.0).ok());
    match detail {
        Detail::Plain => {}
        Detail::Box { type_code } => {
            extra.extend(type_code.map(|code| ("fidTipoCaixaEmenda".to_owned(), code.into())));
            // Of the other boxes the capacity counts fibres.
            element.ports = capacity.filter(|_| element.kind == Kind::Cto);
        }
        Detail::Splitter(splitter) => {
            element.parent = number(splitter.parent);
            element.ports = splitter.ports.map(i64::from);
            element.role = Some(match splitter.role {
                SplitterRole::Service => "Service".to_owned(),
                SplitterRole::Distribution => "Distribution".to_owned(),
                SplitterRole::Unknown(text) => text,
            });
        }
        Detail::Customer(customer) => {
            element.document = customer.document.map(|document| document.normalized().to_owned());
            element.contract = customer.contract.map(|contract| contract.to_string());
            element.parent = number(customer.splitter);
            element.port = customer.port.map(i64::from);
        }
    }
}

fn written(when: &When) -> String {
    match when {
        When::At(at) => at.to_string(),
        When::Unreadable(text) => text.clone(),
        other => format!("{other:?}"),
    }
}

/// Ten-millionths of a degree; the types of the coordinates keep them within ±180.
#[allow(clippy::cast_possible_truncation, reason = "at most 1.8e9")]
fn e7(degrees: f64) -> i64 {
    (degrees * 1e7).round() as i64
}
