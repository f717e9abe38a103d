//! The journal as a table for people and programs.

use std::io::Write;

use integration_core::{Error, ErrorKind, Outcome};
use serde::Serialize;

use super::Journal;
use super::entry::JournalEntry;
use super::search::Search;

/// One line of an export. The column names are part of the crate's promises.
#[derive(Debug, Serialize)]
struct Row<'e> {
    environment: &'e str,
    issuer: &'e str,
    document_type: u8,
    number: &'e str,
    state: &'static str,
    control_number: Option<&'e str>,
    evidence: Option<String>,
    total: &'e str,
    related: Option<&'e str>,
    registered: Option<&'e str>,
    annulled: bool,
    paper: Option<&'e str>,
    code: Option<&'e str>,
    reason: Option<&'e str>,
    decided_by: Option<&'e str>,
    decided_because: Option<&'e str>,
    tries: u32,
    sha256: &'e str,
    created: String,
    changed: String,
}

impl<'e> Row<'e> {
    fn of(entry: &'e JournalEntry) -> Self {
        let series = entry.series();
        Self {
            environment: series.environment(),
            issuer: series.issuer(),
            document_type: series.kind_code(),
            number: entry.number(),
            state: entry.state().name(),
            control_number: entry.control_text(),
            evidence: entry.evidence().map(|evidence| format!("{evidence:?}")),
            total: entry.total(),
            related: entry.related(),
            registered: entry.registered_text(),
            annulled: entry.is_annulled(),
            paper: entry.paper().map(|(number, _)| number),
            code: entry.code(),
            reason: entry.reason(),
            decided_by: entry.decision().map(|decision| decision.who.as_str()),
            decided_because: entry.decision().map(|decision| decision.why.as_str()),
            tries: entry.tries(),
            sha256: entry.hash(),
            created: entry.created().to_string(),
            changed: entry.changed().to_string(),
        }
    }

    /// Texts that a spreadsheet would run as a formula are led by an apostrophe.
    fn disarmed(&self) -> Result<Vec<String>, serde_json::Error> {
        let serde_json::Value::Object(columns) = serde_json::to_value(self)? else { return Ok(Vec::new()) };
        Ok(COLUMNS
            .iter()
            .map(|name| disarm(columns.get(*name).unwrap_or(&serde_json::Value::Null)))
            .collect())
    }
}

const COLUMNS: [&str; 20] = [
    "environment",
    "issuer",
    "document_type",
    "number",
    "state",
    "control_number",
    "evidence",
    "total",
    "related",
    "registered",
    "annulled",
    "paper",
    "code",
    "reason",
    "decided_by",
    "decided_because",
    "tries",
    "sha256",
    "created",
    "changed",
];

fn disarm(value: &serde_json::Value) -> String {
    let text = match value {
        serde_json::Value::Null => return String::new(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text }
}

impl Journal {
    /// Writes what a search finds as CSV (RFC 4180, UTF-8, with a line of column names), page by page; returns how many documents
    /// it wrote. Texts beginning like a formula are led by an apostrophe.
    ///
    /// Idempotency: no call to the service (contract 9.1).
    ///
    /// # Errors
    /// The store's failures and those of `out`.
    ///
    /// ```
    /// # use fiscal_printer::{Client, Environment, journal::{Journal, Search}};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Client::builder().environment(Environment::custom("http://127.0.0.1:1")?).token("t").build()?;
    /// # let journal = Journal::builder(client, &integration_store::Store::open("memory:").await?).build()?;
    /// let mut table = Vec::new();
    /// journal.export_csv(Search::new(), &mut table).await?;
    /// assert!(table.starts_with(b"environment,issuer,document_type,number,state,control_number,"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn export_csv(&self, search: Search, out: &mut (impl Write + Send)) -> Result<u64, Error> {
        let mut table = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
        table.write_record(COLUMNS).map_err(unwritten)?;
        let mut found = self.search(search);
        let mut count = 0u64;
        while let Some(page) = found.next_page().await? {
            for entry in &page {
                table.write_record(Row::of(entry).disarmed().map_err(unwritten)?).map_err(unwritten)?;
                count = count.saturating_add(1);
            }
        }
        table.flush().map_err(unwritten)?;
        Ok(count)
    }

    /// Writes what a search finds as one JSON array of objects with the columns of [`export_csv`](Self::export_csv), page by page;
    /// returns how many documents it wrote. Totals are texts, so that no reader makes doubles of them.
    ///
    /// Idempotency: no call to the service (contract 9.1).
    ///
    /// # Errors
    /// The store's failures and those of `out`.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let journal = kit.journal().await;
    /// use fiscal_printer::journal::Search;
    ///
    /// let mut out = Vec::new();
    /// let written = journal.export_json(Search::new(), &mut out).await?;
    /// assert_eq!((written, serde_json::from_slice::<Vec<serde_json::Value>>(&out)?.len()), (0, 0));
    /// # Ok(()) });
    /// ```
    pub async fn export_json(&self, search: Search, out: &mut (impl Write + Send)) -> Result<u64, Error> {
        let mut found = self.search(search);
        let mut count = 0u64;
        out.write_all(b"[").map_err(unwritten)?;
        while let Some(page) = found.next_page().await? {
            for entry in &page {
                out.write_all(if count == 0 { b"\n" } else { b",\n" }).map_err(unwritten)?;
                serde_json::to_writer(&mut *out, &Row::of(entry)).map_err(unwritten)?;
                count = count.saturating_add(1);
            }
        }
        out.write_all(b"\n]\n").and_then(|()| out.flush()).map_err(unwritten)?;
        Ok(count)
    }
}

fn unwritten(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Store, "export")
        .with_outcome(Outcome::NotSent)
        .with_message("the export could not be written")
        .with_hint("check where it is written to; the journal itself is untouched")
        .with_source(cause)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn formulas_are_disarmed() {
        for (value, expected) in [
            (json!("=1+1"), "'=1+1"),
            (json!("@sum"), "'@sum"),
            (json!("-5"), "'-5"),
            (json!("00-00000001"), "00-00000001"),
            (json!(null), ""),
            (json!(3), "3"),
            (json!(true), "true"),
        ] {
            assert_eq!(disarm(&value), expected);
        }
    }
}
