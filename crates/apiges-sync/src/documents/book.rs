//! The annotations book of a case file, as far as documents need it (contract S12, B1, B2).
//!
//! The rule enforced here: a document is shown only if its entry says so. A flag that is missing or that cannot be read hides it; what
//! could not be read whole proves nothing absent.

use std::fmt;
use std::sync::Arc;

use integration_core::call::Body;
use integration_core::{BoxFuture, Error};

use crate::web::{DocumentPlace, Pending};
use crate::{CalendarDate, Client, Data, Record};

/// What the book says about a document's being hidden (B2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HiddenFlag {
    /// It is not hidden.
    Shown,
    /// It is.
    Hidden,
    /// Nothing is said: as hidden.
    Missing,
    /// What is said cannot be read: as hidden.
    Unreadable,
}

/// A document of an entry. `Debug` does not show its name.
#[derive(Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct BookDocument {
    /// Its id within the case file.
    pub id: String,
    /// Whether it is hidden.
    pub hidden: HiddenFlag,
    /// Whether it is in an outside folder, where it cannot be flagged.
    pub external: bool,
    /// Its name, which may be a whole path.
    pub file_name: Option<String>,
    /// What it is.
    pub media_type: Option<String>,
    /// Its size in bytes, if the book tells it.
    pub bytes: Option<u64>,
}

impl fmt::Debug for BookDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BookDocument")
            .field("id", &self.id)
            .field("hidden", &self.hidden)
            .field("external", &self.external)
            .field("media_type", &self.media_type)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// An entry of the book.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct BookEntry {
    /// Its id within the case file.
    pub id: String,
    /// Its day.
    pub date: Option<CalendarDate>,
    /// What is filed with it.
    pub documents: Vec<BookDocument>,
}

/// The annotations book of one case file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Book {
    /// Its entries.
    pub entries: Vec<BookEntry>,
    /// Whether these are all of them. If not, nothing is taken for removed that is not among them (Y4).
    pub complete: bool,
}

impl Book {
    pub(super) fn find(&self, place: &DocumentPlace) -> Found<'_> {
        let Some(entry) = self.entries.iter().find(|entry| entry.id == place.annotation) else {
            return Found::NoEntry;
        };
        let document = entry.documents.iter().find(|document| document.id == place.document);
        document.map_or(Found::NoDocument, |document| Found::There(entry, document))
    }
}

/// What a book has at a place.
#[derive(Debug)]
pub(super) enum Found<'b> {
    There(&'b BookEntry, &'b BookDocument),
    NoDocument,
    NoEntry,
}

/// Where the annotations books come from: [`RestAnnotations`], or the caller's own system.
pub trait Annotations: fmt::Debug + Send + Sync + 'static {
    /// The book of a case file, as it stands now. It is asked for twice per document that is published, so it is not cached.
    fn book(&self, case: u64) -> Pending<'_, Book>;

    /// The bytes of a document, which are read twice: for the digest, and on their way up. Give the length with them if it is known, so
    /// that what is too large is refused before it is read.
    fn content<'a>(&'a self, place: &'a DocumentPlace) -> Pending<'a, Body>;
}

/// Names of fields in the answer of `GET /expedientes/{id}/anotaciones`. **The route is documented, none of these names is**: they are
/// assumed, so change what the installation at hand calls otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BookFields {
    /// Of an entry's id: `id`.
    pub entry_id: String,
    /// Of its day: `fecha`.
    pub date: String,
    /// Of the list of its documents: `documentos`.
    pub documents: String,
    /// Of a document's id: `id`.
    pub document_id: String,
    /// Of its name: `nombre`.
    pub file_name: String,
    /// Of its media type: `mediaType`.
    pub media_type: String,
    /// Of its size in bytes: `tamano`.
    pub bytes: String,
    /// Of what tells that it is in an outside folder: `externo`.
    pub external: String,
    /// Of what tells that it is hidden: `oculto`, the contract's `hidden_field`.
    pub hidden: String,
    /// Whether an answer holds the whole book: `true`. Unset, nothing is withdrawn because it is absent.
    pub answers_are_complete: bool,
}

impl Default for BookFields {
    fn default() -> Self {
        Self {
            entry_id: "id".into(),
            date: "fecha".into(),
            documents: "documentos".into(),
            document_id: "id".into(),
            file_name: "nombre".into(),
            media_type: "mediaType".into(),
            bytes: "tamano".into(),
            external: "externo".into(),
            hidden: "oculto".into(),
            answers_are_complete: true,
        }
    }
}

type Contents = dyn Fn(DocumentPlace) -> BoxFuture<'static, Result<Body, Error>> + Send + Sync;

/// The books over the REST API. No route of it gives a document's bytes, so the caller does.
///
/// ```no_run
/// use apiges_sync::documents::{BookFields, RestAnnotations};
/// use apiges_sync::{Body, Client};
///
/// # fn run() -> Result<(), apiges_sync::Error> {
/// let mut fields = BookFields::default();
/// fields.hidden = "privado".into();
/// let annotations = RestAnnotations::new(Client::from_env()?, fields, |place| {
///     Box::pin(async move { Ok(Body::bytes(format!("bytes of {place}"))) })
/// });
/// # drop(annotations);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RestAnnotations {
    client: Client,
    fields: BookFields,
    contents: Arc<Contents>,
}

impl RestAnnotations {
    /// The books as `client` reads them, with the bytes that `contents` gives.
    pub fn new(
        client: Client,
        fields: BookFields,
        contents: impl Fn(DocumentPlace) -> BoxFuture<'static, Result<Body, Error>> + Send + Sync + 'static,
    ) -> Self {
        Self { client, fields, contents: Arc::new(contents) }
    }
}

impl fmt::Debug for RestAnnotations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestAnnotations").field("fields", &self.fields).finish_non_exhaustive()
    }
}

impl Annotations for RestAnnotations {
    fn book(&self, case: u64) -> Pending<'_, Book> {
        Box::pin(async move { Ok(self.fields.book(&self.client.case_file_notes(case).await?)) })
    }

    fn content<'a>(&'a self, place: &'a DocumentPlace) -> Pending<'a, Body> {
        (self.contents)(place.clone())
    }
}

impl BookFields {
    /// The book of an answer's rows. A row that cannot be read leaves it incomplete.
    fn book(&self, rows: &[Record]) -> Book {
        let mut complete = self.answers_are_complete;
        let entries = rows.iter().filter_map(|row| self.entry(row, &mut complete)).collect();
        Book { entries, complete }
    }

    fn entry(&self, row: &Record, complete: &mut bool) -> Option<BookEntry> {
        let Some(id) = name_of(row, &self.entry_id) else {
            *complete = false;
            return None;
        };
        let documents = match row.list(&self.documents) {
            Ok(documents) => documents.unwrap_or_default(),
            Err(_) => {
                *complete = false;
                Vec::new()
            }
        };
        let documents = documents.iter().filter_map(|document| self.document(document, complete)).collect();
        Some(BookEntry { id, date: row.date(&self.date).ok().flatten(), documents })
    }

    fn document(&self, data: &Data, complete: &mut bool) -> Option<BookDocument> {
        let row = data.record();
        let Some((row, id)) = row.and_then(|row| name_of(&row, &self.document_id).map(|id| (row, id))) else {
            *complete = false;
            return None;
        };
        let external = row.boolean(&self.external);
        // Nobody knows then whether the flag may be missing.
        let hidden = if external.is_ok() { self.flag(&row) } else { HiddenFlag::Unreadable };
        Some(BookDocument {
            id,
            hidden,
            external: external.ok().flatten().unwrap_or(false),
            file_name: row.text(&self.file_name).ok().flatten(),
            media_type: row.text(&self.media_type).ok().flatten(),
            bytes: row.id(&self.bytes).ok().flatten(),
        })
    }

    fn flag(&self, row: &Record) -> HiddenFlag {
        match row.boolean(&self.hidden) {
            Ok(Some(false)) => HiddenFlag::Shown,
            Ok(Some(true)) => HiddenFlag::Hidden,
            Ok(None) => HiddenFlag::Missing,
            Err(_) => HiddenFlag::Unreadable,
        }
    }
}

fn name_of(row: &Record, field: &str) -> Option<String> {
    row.text(field).ok().flatten().filter(|id| !id.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(rows: &[&str]) -> Book {
        let rows: Vec<Record> = rows.iter().map(|row| Record::parse(row).unwrap()).collect();
        BookFields::default().book(&rows)
    }

    fn flags(documents: &str) -> Vec<(HiddenFlag, bool)> {
        let book = book(&[&format!(r#"{{"id":1,"fecha":"02/03/2026","documentos":[{documents}]}}"#)]);
        book.entries[0].documents.iter().map(|one| (one.hidden, one.external)).collect()
    }

    /// Trap 21.
    #[test]
    fn only_a_flag_that_says_no_shows() {
        use HiddenFlag::{Hidden, Missing, Shown, Unreadable};
        for (flag, expected) in [
            (r#","oculto":false"#, Shown),
            (r#","oculto":0"#, Shown),
            (r#","oculto":true"#, Hidden),
            (r#","oculto":"1""#, Hidden),
            ("", Missing),
            (r#","oculto":null"#, Missing),
            (r#","oculto":"""#, Missing),
            (r#","Oculto":false"#, Missing),
            (r#","oculto":"quizás""#, Unreadable),
            (r#","oculto":[false]"#, Unreadable),
            (r#","oculto":2"#, Unreadable),
            (r#","oculto":false,"externo":"quizás""#, Unreadable),
        ] {
            assert_eq!(flags(&format!(r#"{{"id":7{flag}}}"#)), [(expected, false)], "{flag}");
        }
        assert_eq!(flags(r#"{"id":7,"externo":true}"#), [(Missing, true)]);
    }

    #[test]
    fn what_cannot_be_read_leaves_the_book_incomplete() {
        let whole =
            r#"{"id":"5","fecha":"02/03/2026","documentos":[{"id":7,"nombre":"x.pdf","tamano":"9"}]}"#;
        let read = book(&[whole]);
        assert!(read.complete && read.entries[0].documents[0].bytes == Some(9));
        for bad in [
            r#"{"fecha":"02/03/2026"}"#,
            r#"{"id":""}"#,
            r#"{"id":5,"documentos":{}}"#,
            r#"{"id":5,"documentos":[{}]}"#,
            r#"{"id":5,"documentos":[7]}"#,
        ] {
            let read = book(&[whole, bad]);
            assert!(!read.complete && read.entries[0].documents.len() == 1, "{bad}");
        }
        assert!(book(&[r#"{"id":5}"#]).complete);
        assert_eq!(book(&[r#"{"id":5,"fecha":"31/02/2026"}"#]).entries[0].date, None);
    }

    #[test]
    fn no_name_is_printed() {
        let read = book(&[r#"{"id":1,"documentos":[{"id":7,"nombre":"canario.pdf"}],"asunto":"canario"}"#]);
        assert!(!format!("{read:?}").contains("canario"));
    }
}
