//! Registers in tables, for the firm's own SQL.
//!
//! | table or view | holds |
//! |---|---|
//! | `geosite_splitters`, `geosite_boxes`, `geosite_customers`, `geosite_elements` (stations, spans, poles) | the elements; what was deleted has `tombstoned_at` and `tombstone_reason` |
//! | `geosite_ports` | a view: each port of a service splitter up to number 256, with whoever sits on it |
//! | `geosite_runs`, `geosite_cursors`, `geosite_candidates`, `geosite_checkpoints`, `geosite_leases`, `geosite_integrations`, `geosite_sheets` | what the synchronisation needs |
//!
//! Moments are texts in UTC of one width, coordinates ten-millionths of a degree, `extra` a JSON object of every column that has
//! none of its own here. Read as you like; write nothing: the next run would take it for the plant's.

#[cfg(feature = "postgres")]
pub(super) mod postgres;
mod sheet;
#[cfg(feature = "sqlite")]
pub(super) mod sqlite;
pub(crate) mod tables;

/// One step a version. A step that was released is never changed.
const STEPS: &[&str] = &[include_str!("v1.sql"), include_str!("v2.sql")];

/// The register's operations, each in one transaction: written once for both engines.
macro_rules! register {
    ($engine:ident) => {
        impl Register for $engine {
            register!(look integration(name: &'a str) -> Option<(Integration, i64)>);
            register!(write keep_integration(
                name: &'a str, integration: &'a Integration, version: i64, forget: &'a [Feature]
            ) -> Option<i64>);
            register!(write claim(integration: &'a str, worker: &'a str, term: Term) -> Claim);
            register!(write open_run(integration: &'a str, fence: Option<i64>, run: RunRow) -> i64);
            register!(write close_run(ticket: &'a Ticket, run: RunRow) -> ());
            register!(write release(integration: &'a str, fence: i64) -> ());
            fn commit_page<'a>(&'a self, ticket: &'a Ticket, term: Term, page: Page) -> Done<'a, ()> {
                Box::pin(async move {
                    let mut writing = match page.is_checkpoint_only() {
                        true => self.begin_lightly().await?,
                        false => self.begin().await?,
                    };
                    operations::commit_page(writing.connection()?, ticket, term, page).await?;
                    writing.commit().await
                })
            }
            register!(write finish_kind(ticket: &'a Ticket, term: Term, finish: Finish) -> Vec<Candidate>);
            register!(write deselect(
                ticket: &'a Ticket, term: Term, planned: &'a BTreeMap<Kind, u64>, forget: &'a [Feature]
            ) -> Option<BTreeMap<Kind, u64>>);
            register!(write refresh(
                ticket: &'a Ticket, now: Timestamp, elements: Vec<(Element, Digest)>, gone: Vec<(Shelf, i64)>
            ) -> ());
            register!(look checkpoints(integration: &'a str, run: i64) -> BTreeMap<Shelf, String>);
            register!(look candidates(
                integration: &'a str, run: i64, after: Option<(Shelf, i64)>, limit: usize
            ) -> Vec<Candidate>);
            register!(look known(integration: &'a str, shelf: Shelf, after: Option<i64>, limit: usize) -> Vec<Known>);
            register!(look known_of(integration: &'a str, shelf: Shelf, fids: &'a [i64]) -> Vec<Known>);
            register!(look holders(
                integration: &'a str, contracts: &'a [String]
            ) -> Vec<(String, Option<String>, i64)>);
            fn get<'a>(&'a self, integration: &'a str, shelf: Shelf, fid: i64) -> Done<'a, Option<Stored>> {
                Box::pin(async move {
                    let mut connection = self.reader().await?;
                    operations::one(&mut connection, integration, shelf, fid).await
                })
            }
            register!(look list(integration: &'a str, kind: Kind, after: Option<i64>, limit: usize) -> Vec<Stored>);
            register!(look children(integration: &'a str, shelf: Shelf, parent: i64) -> Vec<Stored>);
            register!(look counts(integration: &'a str) -> BTreeMap<Kind, Count>);
            register!(look customers_below(integration: &'a str, kind: Kind) -> u64);
            register!(look cursors(integration: &'a str) -> BTreeMap<Feature, Timestamp>);
            register!(look history(integration: &'a str, before: Option<i64>, limit: usize) -> Vec<RunRow>);
            register!(write purge(integration: &'a str, tombstones: Timestamp, history: Timestamp) -> ());
        }
    };
    (look $name:ident($($argument:ident: $type:ty),*) -> $done:ty) => {
        fn $name<'a>(&'a self, $($argument: $type),*) -> Done<'a, $done> {
            Box::pin(async move {
                let mut connection = self.reader().await?;
                operations::$name(&mut connection, $($argument),*).await
            })
        }
    };
    (write $name:ident($($argument:ident: $type:ty),*) -> $done:ty) => {
        fn $name<'a>(&'a self, $($argument: $type),*) -> Done<'a, $done> {
            Box::pin(async move {
                let mut writing = self.begin().await?;
                let done = operations::$name(writing.connection()?, $($argument),*).await?;
                writing.commit().await?;
                Ok(done)
            })
        }
    };
}
pub(crate) use register;
