//! One run: what it holds, and the order of its steps.
//!
//! The rules enforced here: lost answers are resolved before anything else is written; what is to be done stands in the store before the
//! cursor moves; one failure stops nothing, but a service that refuses the token or cannot be reached at all ends the run.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use integration_core::{Error, ErrorKind, Outcome};
use integration_store::Entry;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::book::{Batch, Book, Link, pad, unpad};
use super::collect::{List, Scan};
use super::engine::Parts;
use super::journal::{Deed, Journal, Note};
use super::mapping::Side;
use super::report::{Done, Event, RecordRef, Report, Skip};

pub(super) const LINKS: &str = "links";
pub(super) const BY_SUGESTER: &str = "by-sugester";
pub(super) const DEALS: &str = "deals";
pub(super) const CONFLICTS: &str = "conflicts";
pub(super) const HINT: &str = "hint";

/// How many lost answers a run bears: they are held in memory.
const MOST_UNKNOWN: usize = 1_000;
/// How many finished records are taken off the list at once. After a kill so many are looked at once more, which changes nothing.
const FLUSH: usize = 20;

/// How far the lists were read, and how often.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Cursor {
    /// How many runs there were: makes keys of edits.
    pub(super) runs: u64,
    /// The newest `updated_at` of BitFactura's clients.
    pub(super) clients: Option<Timestamp>,
    /// The newest `updated_at` of invoices.
    pub(super) invoices: Option<Timestamp>,
    /// When BitFactura's lists were last read to their end.
    pub(super) whole: Option<Timestamp>,
    /// Whether all tax numbers of BitFactura are in the index.
    pub(super) has_tax_index: bool,
}

/// What a run looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Lists and hints.
    Lists,
    /// Hints and what was left over, without reading lists unless somebody's identity hangs on them.
    Hints,
}

/// A creation in BitFactura whose answer was lost: it can be recognised by what it holds alone.
#[derive(Debug, Clone)]
pub(super) struct LostCreation {
    pub(super) sugester: u64,
    pub(super) sent: super::carried::Normalised,
    pub(super) since: Timestamp,
}

pub(super) struct Run<'s> {
    pub(super) parts: &'s Parts,
    pub(super) links: Book,
    pub(super) work: Book,
    pub(super) cursor: Cursor,
    /// Nothing in a dry run.
    pub(super) journal: Option<Journal>,
    pub(super) report: Report,
    pub(super) scans: BTreeMap<List, Scan>,
    pub(super) lost: Vec<(Entry, Note)>,
    pub(super) lost_creations: Vec<LostCreation>,
    /// What may not be written, because nobody knows what became of the last write.
    pub(super) unsettled: BTreeSet<(Deed, u64)>,
    /// Partners that were dealt with together with a record of the list.
    pub(super) finished_partners: Batch,
    pub(super) turn: u64,
    /// Clients that are gone in BitFactura and went into a deal in this run: whether Sugester made them shows in the next.
    pub(super) nested: BTreeSet<u64>,
    failures_in_a_row: u32,
}

pub(super) const fn work_of(record: RecordRef) -> &'static str {
    match record {
        RecordRef::BitFacturaClient(_) => "work-bitfactura",
        RecordRef::SugesterClient(_) => "work-sugester",
        RecordRef::Invoice(_) => "work-invoices",
    }
}

impl<'s> Run<'s> {
    pub(super) async fn open(parts: &'s Parts, is_dry: bool) -> Result<Self, Error> {
        let name = &parts.settings.name;
        let journal = if is_dry { None } else { Some(parts.journal().await?) };
        let links = Book::open(&parts.store, format!("sugester/{name}/links")).await?;
        let work = Book::open(&parts.store, format!("sugester/{name}/work")).await?;
        let cursor: Cursor = work.cursor()?;
        let mut run = Self {
            parts,
            links,
            work,
            cursor,
            journal,
            report: Report { is_dry, ..Report::default() },
            scans: BTreeMap::new(),
            lost: Vec::new(),
            lost_creations: Vec::new(),
            unsettled: BTreeSet::new(),
            finished_partners: Batch::default(),
            turn: 0,
            nested: BTreeSet::new(),
            failures_in_a_row: 0,
        };
        if is_dry {
            run.make_dry().await?;
        } else {
            run.cursor.runs += 1;
        }
        run.save_cursor(Batch::default()).await?;
        run.clear_spools().await?;
        Ok(run)
    }

    /// A dry run has a list of its own, with what is left over on the real one, and touches neither links nor cursor.
    async fn make_dry(&mut self) -> Result<(), Error> {
        let name = format!("sugester/{}/dry-run", self.parts.settings.name);
        let mut dry = Book::open(&self.parts.store, name).await?;
        let lists = [RecordRef::BitFacturaClient(0), RecordRef::SugesterClient(0), RecordRef::Invoice(0)]
            .map(work_of);
        dry.clear(&lists).await?;
        dry.clear(&["tax-bitfactura"]).await?;
        self.cursor.has_tax_index = false;
        for list in lists {
            let mut after: Option<String> = None;
            loop {
                let page = self.work.page::<bool>(list, after.as_deref()).await?;
                let Some((last, _)) = page.last() else { break };
                after = Some(last.clone());
                let mut batch = Batch::default();
                page.iter().for_each(|(key, _)| batch.put(list, key.as_str(), &true));
                dry.commit(batch).await?;
            }
        }
        self.work = dry;
        let links =
            Book::open(&self.parts.store, format!("sugester/{}/links", self.parts.settings.name)).await?;
        self.links = links.frozen();
        Ok(())
    }

    async fn clear_spools(&mut self) -> Result<(), Error> {
        let seen = [List::Sugester, List::BitFactura, List::Invoices, List::Deals].map(List::seen);
        self.work.clear(&seen).await?;
        self.work.clear(&["ext", "deal-ext", "candidates", "tax-sugester"]).await
    }

    pub(super) const fn is_dry(&self) -> bool {
        self.journal.is_none()
    }

    /// Commits changes of the list together with the cursor.
    pub(super) async fn save_cursor(&mut self, batch: Batch) -> Result<(), Error> {
        self.work.set_cursor(&self.cursor);
        self.work.commit(batch).await
    }

    pub(super) async fn go(&mut self, scope: Scope) -> Result<(), Error> {
        self.take_hints().await?;
        self.load_lost().await?;
        if scope == Scope::Lists {
            self.read_lists().await?;
            self.resolve().await?;
        }
        self.settle_all().await
    }

    async fn read_lists(&mut self) -> Result<(), Error> {
        let settings = &self.parts.settings;
        let started = self.now().await?;
        let is_whole = self.whole_scan_is_due(started);
        if settings.with_clients || settings.with_invoices {
            self.pass(List::Sugester, None).await?;
        }
        if settings.with_clients {
            let needs_all = is_whole
                || !self.lost_creations.is_empty()
                || (settings.match_tax_no && !self.cursor.has_tax_index);
            self.read_list(List::BitFactura, started, needs_all).await?;
            self.note_absent(Side::Sugester).await?;
            if self.scans.get(&List::BitFactura).is_some_and(|scan| scan.is_whole) {
                self.note_absent(Side::BitFactura).await?;
            }
        }
        if settings.with_invoices {
            self.read_list(List::Invoices, started, is_whole).await?;
        }
        if is_whole {
            self.cursor.whole = Some(started);
            self.save_cursor(Batch::default()).await?;
        }
        Ok(())
    }

    fn whole_scan_is_due(&self, now: Timestamp) -> bool {
        let span =
            SignedDuration::try_from(self.parts.settings.full_scan_every).unwrap_or(SignedDuration::MAX);
        self.cursor.whole.is_none_or(|last| now.duration_since(last) >= span || last > now)
    }

    /// The store's clock now; in a dry run the machine's.
    pub(super) async fn now(&self) -> Result<Timestamp, Error> {
        match &self.journal {
            Some(journal) => journal.now().await,
            None => Ok(self.parts.clock.wall()),
        }
    }

    #[allow(clippy::needless_pass_by_value)]
    pub(super) fn tell(&mut self, event: Event) {
        self.report.count(&event);
        if let Some(observer) = &self.parts.observer {
            observer.hear(&event);
        }
    }

    async fn take_hints(&mut self) -> Result<(), Error> {
        let hints = self.parts.hints();
        let mut after: Option<String> = None;
        loop {
            let page = hints.page(after.as_deref()).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(last.clone());
            let mut batch = Batch::default();
            for (key, _) in &page {
                if let Some(record) = record_of(key) {
                    batch.put(work_of(record), pad(record.id()), &true);
                }
            }
            self.work.commit(batch).await?;
            if !self.is_dry() {
                hints.forget(&page).await?;
            }
        }
    }

    /// Works off the list: clients first, so that invoices find them linked.
    async fn settle_all(&mut self) -> Result<(), Error> {
        let settings = &self.parts.settings;
        let (clients, invoices) = (settings.with_clients, settings.with_invoices);
        if clients {
            self.settle_list(RecordRef::BitFacturaClient).await?;
            self.settle_list(RecordRef::SugesterClient).await?;
        }
        if invoices {
            self.settle_list(RecordRef::Invoice).await?;
        }
        Ok(())
    }

    pub(super) async fn settle_list(&mut self, of: fn(u64) -> RecordRef) -> Result<(), Error> {
        let list = work_of(of(0));
        let mut after: Option<String> = None;
        loop {
            let page = self.work.page::<bool>(list, after.as_deref()).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(last.clone());
            let mut finished = Batch::default();
            for id in page.iter().filter_map(|(key, _)| unpad(key)) {
                let ended = self.settle(of(id)).await;
                if ended.as_ref().is_ok_and(is_final) {
                    finished.delete(list, pad(id));
                }
                if finished.len() >= FLUSH || ended.is_err() {
                    self.flush(&mut finished).await?;
                }
                ended?;
            }
            self.flush(&mut finished).await?;
        }
    }

    async fn flush(&mut self, finished: &mut Batch) -> Result<(), Error> {
        let mut batch = std::mem::take(finished);
        batch.extend(std::mem::take(&mut self.finished_partners));
        if batch.is_empty() { Ok(()) } else { self.work.commit(batch).await }
    }

    /// Brings one record to its end. An error ends the run.
    pub(super) async fn settle(&mut self, record: RecordRef) -> Result<Done, Error> {
        let settled = match record {
            RecordRef::BitFacturaClient(id) => self.settle_client(Side::BitFactura, id).await,
            RecordRef::SugesterClient(id) => self.settle_client(Side::Sugester, id).await,
            RecordRef::Invoice(id) => self.settle_invoice(id).await,
        };
        let done = self.judged(settled)?;
        self.tell(Event::Settled { record, done: done.clone() });
        Ok(done)
    }

    /// A failure of one record is how that record ends, unless it would be every other record's too.
    pub(super) fn judged(&mut self, settled: Result<Done, Error>) -> Result<Done, Error> {
        let error = match settled {
            Ok(done) => {
                self.failures_in_a_row = 0;
                return Ok(done);
            }
            Err(error) => error,
        };
        let says_nothing_of_others = error.is_refused() || error.is_validation();
        self.failures_in_a_row = if says_nothing_of_others { 0 } else { self.failures_in_a_row + 1 };
        if ends_the_run(&error) || self.failures_in_a_row >= self.parts.settings.most_failures_in_a_row {
            return Err(error);
        }
        Ok(Done::Failed { reason: error.to_string(), is_outcome_unknown: error.is_outcome_unknown() })
    }

    pub(super) fn is_unsettled(&self, deed: Deed, id: u64) -> bool {
        self.unsettled.contains(&(deed, id))
    }

    pub(super) fn unsettle(&mut self, deed: Deed, id: u64) -> Result<(), Error> {
        self.unsettled.insert((deed, id));
        if self.unsettled.len() < MOST_UNKNOWN {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Blocked, "synchronise")
            .with_outcome(Outcome::NotSent)
            .with_message(format!("the answers to {MOST_UNKNOWN} writes were lost"))
            .with_hint("see to the connection, then run again: what became of them is found out first"))
    }

    pub(super) fn next_turn(&mut self) -> String {
        self.turn += 1;
        format!("{}.{}", self.cursor.runs, self.turn)
    }

    pub(super) async fn link_of(&self, side: Side, id: u64) -> Result<Option<Link>, Error> {
        match side {
            Side::BitFactura => self.links.get(LINKS, id).await,
            Side::Sugester => match self.links.get::<u64>(BY_SUGESTER, id).await? {
                Some(bitfactura) => self.links.get(LINKS, bitfactura).await,
                None => Ok(None),
            },
        }
    }

    pub(super) async fn save_link(&mut self, link: &Link) -> Result<(), Error> {
        let mut batch = Batch::default();
        batch.put(LINKS, pad(link.bitfactura), link);
        batch.put(BY_SUGESTER, pad(link.sugester), &link.bitfactura);
        self.links.commit(batch).await
    }
}

/// Whether every other record would meet the same.
fn ends_the_run(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Store
            | ErrorKind::Blocked
            | ErrorKind::Authentication
            | ErrorKind::Credentials
            | ErrorKind::Configuration
    )
}

/// Whether nothing is left to do for a record until it changes.
pub(super) const fn is_final(done: &Done) -> bool {
    !matches!(
        done,
        Done::Failed { .. }
            | Done::Paused { .. }
            | Done::Skipped(
                Skip::Settling
                    | Skip::Unstable
                    | Skip::ClientNotLinked
                    | Skip::NormalRun
                    | Skip::Ambiguous(_)
            )
    )
}

pub(super) fn hint_key(record: RecordRef) -> String {
    let letter = match record {
        RecordRef::BitFacturaClient(_) => 'b',
        RecordRef::SugesterClient(_) => 's',
        RecordRef::Invoice(_) => 'i',
    };
    format!("{letter}{}", pad(record.id()))
}

fn record_of(key: &str) -> Option<RecordRef> {
    let (letter, id) = key.split_at_checked(1)?;
    let id = unpad(id)?;
    match letter {
        "b" => Some(RecordRef::BitFacturaClient(id)),
        "s" => Some(RecordRef::SugesterClient(id)),
        "i" => Some(RecordRef::Invoice(id)),
        _ => None,
    }
}
