//! Reading lists: what may have to be done is written down, page by page, and nothing else happens (contract 4.2, 4.6, 4.7).
//!
//! The rules enforced here: nothing of a list is held in memory but its page; a record is missing only if two passes agree, for a list
//! that shrinks while it is read lets records slip; the cursor moves with the last page.
//!
//! Why two passes are enough: a record that was there all the time can slip through a pass only if another one, which had been read,
//! was deleted during it; then the next pass does not bring that other one any more. So if the second brings everything that the
//! first did, both together have missed nothing.

use std::collections::BTreeSet;

use integration_core::Error;
use jiff::{SignedDuration, Timestamp};

use super::book::{Batch, Link, pad, unpad};
use super::carried::CarriedClient;
use super::mapping::Side;
use super::ports::{ClientRecord, DealRecord, InvoiceRecord, Listed};
use super::report::{Done, Event, RecordRef};
use super::run::{BY_SUGESTER, LINKS, Run, work_of};
use crate::tax::comparable;
use crate::value::Linked;

/// A list is read so often at most; then it counts as unstable.
const MOST_PASSES: u32 = 5;

/// A list of either system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum List {
    Sugester,
    BitFactura,
    Invoices,
    Deals,
}

impl List {
    /// The collection of ids that were seen, with the pass that saw them last.
    pub(super) const fn seen(self) -> &'static str {
        match self {
            Self::Sugester => "seen-sugester",
            Self::BitFactura => "seen-bitfactura",
            Self::Invoices => "seen-invoices",
            Self::Deals => "seen-deals",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Sugester => "Sugester clients",
            Self::BitFactura => "BitFactura clients",
            Self::Invoices => "BitFactura invoices",
            Self::Deals => "Sugester deals",
        }
    }
}

/// How far a list was read in this run.
#[derive(Debug, Clone, Default)]
pub(super) struct Scan {
    passes: u32,
    /// Records of the last pass that count.
    count: u64,
    /// Whether nothing can have slipped.
    pub(super) is_stable: bool,
    /// Whether it was read to its end, in every pass.
    pub(super) is_whole: bool,
    newest: Option<Timestamp>,
}

enum Source {
    Client(Side, Listed<ClientRecord>),
    Invoice(Listed<InvoiceRecord>),
    Deal(Listed<DealRecord>),
}

enum Row {
    Client(Side, Box<ClientRecord>),
    Invoice(Box<InvoiceRecord>),
    Deal(Box<DealRecord>),
}

impl Row {
    const fn id(&self) -> u64 {
        match self {
            Self::Client(_, client) => client.id,
            Self::Invoice(invoice) => invoice.facts.id,
            Self::Deal(deal) => deal.id,
        }
    }

    const fn updated_at(&self) -> Option<Timestamp> {
        match self {
            Self::Client(_, client) => client.updated_at,
            Self::Invoice(invoice) => invoice.updated_at,
            Self::Deal(_) => None,
        }
    }

    const fn record(&self) -> Option<RecordRef> {
        match self {
            Self::Client(side, client) => Some(RecordRef::client(*side, client.id)),
            Self::Invoice(invoice) => Some(RecordRef::Invoice(invoice.facts.id)),
            Self::Deal(_) => None,
        }
    }
}

impl Source {
    async fn next_page(&mut self) -> Result<Option<Vec<Row>>, Error> {
        Ok(match self {
            Self::Client(side, list) => {
                rows(list.next_page().await?, |row| Row::Client(*side, Box::new(row)))
            }
            Self::Invoice(list) => rows(list.next_page().await?, |row| Row::Invoice(Box::new(row))),
            Self::Deal(list) => rows(list.next_page().await?, |row| Row::Deal(Box::new(row))),
        })
    }
}

fn rows<T>(page: Option<Vec<T>>, row: impl Fn(T) -> Row) -> Option<Vec<Row>> {
    page.map(|page| page.into_iter().map(row).collect())
}

/// One pass while it goes on.
#[derive(Debug, Default)]
struct Pass {
    number: u32,
    since: Option<Timestamp>,
    /// What counts: records that are not older than `since`.
    count: u64,
    /// Of these, those that the pass before had.
    again: u64,
    records: u64,
    pages: u32,
    newest: Option<Timestamp>,
    last: Option<Timestamp>,
    is_out_of_order: bool,
    reached_end: bool,
}

impl Pass {
    /// Takes note of a row; whether it lies before the time that is asked for.
    fn take(&mut self, at: Option<Timestamp>) -> bool {
        self.records += 1;
        self.newest = self.newest.max(at);
        let falls = self.last.zip(at).is_none_or(|(last, at)| at <= last);
        self.is_out_of_order |= !falls || at.is_none();
        self.last = at.or(self.last);
        self.since.zip(at).is_some_and(|(since, at)| at < since)
    }
}

impl Run<'_> {
    /// Reads a list of BitFactura from its newest record back to where the last run began, or to its end, and moves the cursor.
    pub(super) async fn read_list(
        &mut self,
        list: List,
        started: Timestamp,
        whole: bool,
    ) -> Result<(), Error> {
        let overlap = SignedDuration::try_from(self.parts.settings.overlap).unwrap_or(SignedDuration::ZERO);
        let cursor = if list == List::Invoices { self.cursor.invoices } else { self.cursor.clients };
        let since = cursor.filter(|_| !whole).and_then(|cursor| cursor.checked_sub(overlap).ok());
        self.passes(list, since).await?;
        let Some(scan) = self.scans.get(&list).filter(|scan| scan.is_stable) else { return Ok(()) };
        // By the service's clock, and never later than now by ours: whatever changes from here on is not older.
        let reached = scan.newest.map(|newest| newest.min(started)).or(cursor);
        let has_all = scan.is_whole && self.parts.settings.match_tax_no;
        match list {
            List::Invoices => self.cursor.invoices = reached,
            _ => self.cursor.clients = reached,
        }
        self.cursor.has_tax_index |= has_all && list == List::BitFactura;
        self.save_cursor(Batch::default()).await
    }

    /// Reads a list until nothing can have slipped; whether that came about.
    pub(super) async fn ensure(&mut self, list: List) -> Result<bool, Error> {
        if let Some(scan) = self.scans.get(&list).filter(|scan| scan.is_stable && scan.is_whole) {
            return Ok(scan.is_stable);
        }
        self.passes(list, None).await?;
        Ok(self.scans.get(&list).is_some_and(|scan| scan.is_stable))
    }

    async fn passes(&mut self, list: List, since: Option<Timestamp>) -> Result<(), Error> {
        for _ in 0..MOST_PASSES {
            self.pass(list, since).await?;
            if self.scans.get(&list).is_some_and(|scan| scan.is_stable) {
                break;
            }
        }
        Ok(())
    }

    pub(super) async fn pass(&mut self, list: List, since: Option<Timestamp>) -> Result<(), Error> {
        let before = self.scans.get(&list).cloned().unwrap_or_default();
        let mut pass = Pass { number: before.passes + 1, since, ..Pass::default() };
        let mut source = self.source(list);
        loop {
            let Some(rows) = source.next_page().await? else {
                pass.reached_end = true;
                break;
            };
            if self.page(list, &mut pass, rows).await? {
                break;
            }
        }
        let is_stable =
            (pass.number == 1 && pass.pages <= 1) || (pass.number > 1 && pass.again == before.count);
        let is_whole = pass.reached_end && (before.is_whole || pass.number == 1);
        let newest = before.newest.max(pass.newest);
        let scan = Scan { passes: pass.number, count: pass.count, is_stable, is_whole, newest };
        self.scans.insert(list, scan);
        Ok(())
    }

    fn source(&self, list: List) -> Source {
        match list {
            List::Sugester => Source::Client(Side::Sugester, self.parts.crm.clients()),
            List::BitFactura => Source::Client(Side::BitFactura, self.parts.billing.clients()),
            List::Invoices => Source::Invoice(self.parts.billing.invoices()),
            List::Deals => Source::Deal(self.parts.crm.deals()),
        }
    }

    /// Writes down what a page brings; whether the rest is too old to be of interest. Only a whole page of old records ends a list, and
    /// only one that has fallen in time all along: a service may ignore the order that it was asked for.
    async fn page(&mut self, list: List, pass: &mut Pass, rows: Vec<Row>) -> Result<bool, Error> {
        let mut batch = Batch::default();
        let mut all_old = !rows.is_empty();
        for row in rows {
            let is_old = pass.take(row.updated_at());
            all_old &= is_old;
            if !is_old {
                let seen = self.work.get::<u32>(list.seen(), row.id()).await?;
                pass.count += 1;
                pass.again += u64::from(seen == pass.number.checked_sub(1).filter(|before| *before > 0));
            }
            batch.put(list.seen(), pad(row.id()), &pass.number);
            self.note(row, &mut batch).await?;
        }
        self.work.commit(batch).await?;
        if let Some(journal) = &mut self.journal {
            journal.keep().await?;
        }
        pass.pages += 1;
        self.tell(Event::Listed { list: list.name(), records: pass.records, pass: pass.number });
        Ok(all_old && !pass.is_out_of_order)
    }

    async fn note(&mut self, row: Row, batch: &mut Batch) -> Result<(), Error> {
        let record = row.record();
        let noted = match row {
            Row::Client(side, client) => self.note_client(side, &client, batch).await,
            Row::Invoice(invoice) => self.note_invoice(&invoice, batch).await,
            Row::Deal(deal) => {
                self.note_deal(&deal, batch);
                return Ok(());
            }
        };
        match (noted, record) {
            (Ok(is_due), Some(record)) => {
                if is_due {
                    batch.put(work_of(record), pad(record.id()), &true);
                }
                Ok(())
            }
            (Err(error), Some(record)) if error.is_validation() => {
                let done = Done::Failed { reason: error.to_string(), is_outcome_unknown: false };
                self.tell(Event::Settled { record, done });
                Ok(())
            }
            (noted, _) => noted.map(drop),
        }
    }

    /// Whether a client may have to be written.
    async fn note_client(
        &mut self,
        side: Side,
        client: &ClientRecord,
        batch: &mut Batch,
    ) -> Result<bool, Error> {
        let settings = &self.parts.settings;
        let carried = super::clients::carried(settings, side, client)?;
        let ids = client.external_ids.ids(&settings.app, Linked::Client);
        if side == Side::Sugester && !client.is_deleted {
            for named in ids.iter().filter_map(|id| id.parse::<u64>().ok()) {
                batch.put("ext", format!("{}/{}", pad(named), pad(client.id)), &true);
            }
        }
        if settings.match_tax_no && !client.is_deleted {
            note_tax_no(side, &carried, client.id, batch);
        }
        let Some(link) = self.link_of(side, client.id).await? else {
            if side == Side::BitFactura {
                self.note_candidate(client, &carried, batch);
            }
            return Ok(settings.with_clients && !client.is_deleted);
        };
        Ok(settings.with_clients && self.is_due(side, &link, client, &carried))
    }

    fn is_due(&self, side: Side, link: &Link, client: &ClientRecord, carried: &CarriedClient) -> bool {
        let app = &self.parts.settings.app;
        let is_unnamed =
            side == Side::Sugester && !client.external_ids.links_to(app, Linked::Client, link.bitfactura);
        let has_changed = client.is_deleted || link.digest_of(side) != Some(carried.digest());
        link.tombstone.is_none() && (has_changed || is_unnamed)
    }

    /// An unlinked client of BitFactura that may be the one whose creation was not answered.
    fn note_candidate(&self, client: &ClientRecord, carried: &CarriedClient, batch: &mut Batch) {
        for lost in &self.lost_creations {
            let is_later = client.created_at.is_none_or(|created| created >= lost.since);
            let is_equal = lost.sent.iter().all(|(field, text)| carried.normal(field) == text);
            if is_later && is_equal {
                batch.put("candidates", format!("{}/{}", pad(lost.sugester), pad(client.id)), &true);
            }
        }
    }

    fn note_deal(&self, deal: &DealRecord, batch: &mut Batch) {
        let ids = deal.external_ids.ids(&self.parts.settings.app, Linked::Invoice);
        for invoice in ids.iter().filter_map(|id| id.parse::<u64>().ok()) {
            batch.put("deal-ext", format!("{}/{}", pad(invoice), pad(deal.id)), &true);
        }
    }

    /// Puts linked clients on the list that were not in the list of their side: what became of them is asked by id.
    pub(super) async fn note_absent(&mut self, side: Side) -> Result<(), Error> {
        let (index, seen) = match side {
            Side::BitFactura => (LINKS, List::BitFactura.seen()),
            Side::Sugester => (BY_SUGESTER, List::Sugester.seen()),
        };
        let mut after: Option<String> = None;
        loop {
            let page = self.links.page::<serde_json::Value>(index, after.as_deref()).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            let mut absent: BTreeSet<&str> = page.iter().map(|(key, _)| key.as_str()).collect();
            self.take_out_seen(seen, after.as_deref(), last, &mut absent).await?;
            let mut batch = Batch::default();
            for id in absent.iter().filter_map(|key| unpad(key)) {
                if self.link_of(side, id).await?.is_some_and(|link| link.tombstone.is_none()) {
                    batch.put(work_of(RecordRef::client(side, id)), pad(id), &true);
                }
            }
            if !batch.is_empty() {
                self.work.commit(batch).await?;
            }
            after = Some(last.clone());
        }
    }

    /// Leaves of `absent` what was not seen.
    async fn take_out_seen(
        &self,
        seen: &str,
        after: Option<&str>,
        last: &str,
        absent: &mut BTreeSet<&str>,
    ) -> Result<(), Error> {
        let mut after = after.map(str::to_owned);
        loop {
            let page = self.work.page::<u32>(seen, after.as_deref()).await?;
            absent.retain(|key| page.binary_search_by(|(seen, _)| seen.as_str().cmp(key)).is_err());
            after = page.last().map(|(key, _)| key.clone());
            if after.as_deref().is_none_or(|key| key >= last) {
                return Ok(());
            }
        }
    }
}

fn note_tax_no(side: Side, carried: &CarriedClient, id: u64, batch: &mut Batch) {
    let number = comparable(&carried.normal("tax_no"));
    if !number.is_empty() {
        batch.put(tax_index(side), format!("{number}/{}", pad(id)), &true);
    }
}

pub(super) const fn tax_index(side: Side) -> &'static str {
    match side {
        Side::BitFactura => "tax-bitfactura",
        Side::Sugester => "tax-sugester",
    }
}
