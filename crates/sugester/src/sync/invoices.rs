//! Every invoice a deal, exactly once (contract 4.5).
//!
//! The rules enforced here: an invoice that has a deal changes that deal and never gets a second one; whether it has one is asked of the
//! links first and then of all deals; edited and cancelled invoices change the deal; what was deleted on one side is left on the other.

use integration_core::Error;
use ring::digest::{SHA256, digest};
use serde_json::value::RawValue;

use super::book::{Batch, DealLinkRecord, pad};
use super::clients::unreadable;
use super::collect::List;
use super::deal::{Deal, DealLink, deal_of};
use super::identity::{Ambiguity, Evidence};
use super::journal::{Deed, Intent, Sent};
use super::loop_guard::Turn;
use super::mapping::Side;
use super::ports::InvoiceRecord;
use super::report::{Done, Skip};
use super::run::{DEALS, Run, is_final};
use crate::value::Unreadable;
use crate::wire::token;

impl Run<'_> {
    /// Whether an invoice of a list may have to be written: what it says is not what it said.
    pub(super) async fn note_invoice(
        &mut self,
        invoice: &InvoiceRecord,
        _: &mut Batch,
    ) -> Result<bool, Error> {
        let link: Option<DealLinkRecord> = self.links.get(DEALS, invoice.facts.id).await?;
        Ok(match link {
            None => self.parts.settings.deals.carries(&invoice.facts).is_ok(),
            Some(link) => link.tombstone.is_none() && link.digest != Some(self.digest_of(invoice)),
        })
    }

    /// Over everything that goes into the deal, and whose it is.
    fn digest_of(&self, invoice: &InvoiceRecord) -> String {
        let deal = deal_of(&invoice.facts, DealLink::Client(0), &self.parts.settings.deals);
        let deal = deal.map(|deal| token(&deal).get().to_owned()).unwrap_or_default();
        let text = format!("{deal}\n{:?}\n{:?}", invoice.client_id, invoice.facts.deleted);
        digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) async fn settle_invoice(&mut self, id: u64) -> Result<Done, Error> {
        let link: Option<DealLinkRecord> = self.links.get(DEALS, id).await?;
        if let Some(DealLinkRecord { tombstone: Some(deleted_in), .. }) = link {
            return Ok(Done::Skipped(Skip::Tombstoned(deleted_in)));
        }
        let invoice = self.parts.billing.invoice(id).await?.filter(|found| found.facts.deleted != Some(true));
        match (invoice, link) {
            (None, None) => Ok(Done::Skipped(Skip::Gone)),
            (None, Some(link)) => self.bury_deal(link, Side::BitFactura).await,
            (Some(invoice), Some(link)) => self.edit_deal(&invoice, link).await,
            (Some(invoice), None) => self.settle_unlinked_invoice(&invoice).await,
        }
    }

    async fn bury_deal(&mut self, link: DealLinkRecord, deleted_in: Side) -> Result<Done, Error> {
        self.save_deal(&DealLinkRecord { tombstone: Some(deleted_in), ..link }).await?;
        Ok(Done::Tombstoned(deleted_in))
    }

    async fn save_deal(&mut self, link: &DealLinkRecord) -> Result<(), Error> {
        let mut batch = Batch::default();
        batch.put(DEALS, pad(link.invoice), link);
        self.links.commit(batch).await
    }

    async fn settle_unlinked_invoice(&mut self, invoice: &InvoiceRecord) -> Result<Done, Error> {
        if let Err(reason) = self.parts.settings.deals.carries(&invoice.facts) {
            return Ok(Done::Skipped(Skip::NotCarried(reason)));
        }
        let id = invoice.facts.id;
        if self.is_unsettled(Deed::CreateDeal, id) {
            return Ok(Done::Skipped(Skip::Settling));
        }
        if !self.ensure(List::Deals).await? {
            return Ok(Done::Skipped(Skip::Unstable));
        }
        match self.work.ids_under("deal-ext", &pad(id)).await?.as_slice() {
            [] => self.create_deal(invoice).await,
            [deal] => self.adopt_deal(invoice, *deal).await,
            several => {
                let candidates = several.to_vec();
                Ok(Done::Skipped(Skip::Ambiguous(Ambiguity::Several {
                    by: Evidence::ExternalIds,
                    candidates,
                })))
            }
        }
    }

    async fn adopt_deal(&mut self, invoice: &InvoiceRecord, deal: u64) -> Result<Done, Error> {
        let link = DealLinkRecord {
            invoice: invoice.facts.id,
            deal,
            digest: None,
            tombstone: None,
            written: Vec::new(),
        };
        self.save_deal(&link).await?;
        let done = self.edit_deal(invoice, link).await?;
        Ok(if matches!(done, Done::Unchanged | Done::Updated { .. }) { Done::Linked(deal) } else { done })
    }

    async fn create_deal(&mut self, invoice: &InvoiceRecord) -> Result<Done, Error> {
        let link = match self.client_of(invoice).await? {
            Ok(link) => link,
            Err(done) => return Ok(done),
        };
        let deal = deal_of(&invoice.facts, link.clone(), &self.parts.settings.deals)?;
        let (parts, id) = (self.parts, invoice.facts.id);
        if let (Some(client), DealLink::Buyer(_)) = (invoice.client_id, &link) {
            self.nested.insert(client);
        }
        let Some(journal) = &mut self.journal else { return Ok(Done::Created(0)) };
        let call = |body| parts.crm.create_deal(body);
        let (made, open) = match journal.send(Intent::new(Deed::CreateDeal, id), &token(&deal), call).await? {
            Sent::Now(made, open) => (made, Some(open)),
            Sent::Before(said) => match said.parse() {
                Ok(id) => (super::ports::NewDeal { id, client_id: None }, None),
                Err(_) => return Ok(Done::Skipped(Skip::Settling)),
            },
            Sent::Unsettled => return self.left_unsettled(Deed::CreateDeal, id),
            Sent::Failed(error) => return self.failed_to_write(Deed::CreateDeal, id, error),
        };
        let digest = Some(self.digest_of(invoice)).filter(|_| open.is_some());
        let kept =
            DealLinkRecord { invoice: id, deal: made.id, digest, tombstone: None, written: Vec::new() };
        self.save_deal(&kept).await?;
        if let (Some(client), Some(partner), DealLink::Buyer(_)) = (invoice.client_id, made.client_id, &link)
        {
            self.link_nested(client, partner).await?;
        }
        if let (Some(open), Some(journal)) = (open, &mut self.journal) {
            journal.done(open, made.id).await?;
        }
        Ok(Done::Created(made.id))
    }

    /// A client that Sugester made out of a deal, whose original is gone: the next invoice of it goes to the same one.
    async fn link_nested(&mut self, bitfactura: u64, sugester: u64) -> Result<(), Error> {
        if self.link_of(Side::BitFactura, bitfactura).await?.is_some()
            || self.link_of(Side::Sugester, sugester).await?.is_some()
        {
            return Ok(());
        }
        let link = super::book::Link::new(bitfactura, sugester);
        self.save_link(&super::book::Link { tombstone: Some(Side::BitFactura), ..link }).await
    }

    /// Whose the deal is. A client that can be linked is linked first: inside the deal it would be made once more.
    async fn client_of(&mut self, invoice: &InvoiceRecord) -> Result<Result<DealLink, Done>, Error> {
        let nested = Ok(Ok(DealLink::Buyer(invoice.buyer.clone())));
        let Some(client) = invoice.client_id else { return nested };
        if let Some(known) = self.deal_link(client).await? {
            return Ok(Ok(known));
        }
        if self.read_client(Side::BitFactura, client).await?.is_none() {
            // Several deals of one client that is gone would make it several times: Sugester may have it by now.
            if !self.ensure(List::Sugester).await? {
                return Ok(Err(Done::Skipped(Skip::Unstable)));
            }
            return match self.work.ids_under("ext", &pad(client)).await?.as_slice() {
                [] if self.nested.contains(&client) => Ok(Err(Done::Skipped(Skip::ClientNotLinked))),
                [] => nested,
                [known, ..] => Ok(Ok(DealLink::Client(*known))),
            };
        }
        let done = self.settle_client(Side::BitFactura, client).await?;
        Ok(match self.deal_link(client).await? {
            Some(known) => Ok(known),
            None if self.is_dry() && is_final(&done) => Ok(DealLink::Buyer(invoice.buyer.clone())),
            None => Err(Done::Skipped(Skip::ClientNotLinked)),
        })
    }

    async fn deal_link(&self, client: u64) -> Result<Option<DealLink>, Error> {
        let link = self.link_of(Side::BitFactura, client).await?;
        Ok(link.map(|link| match link.tombstone {
            Some(Side::Sugester) => DealLink::Nobody,
            _ => DealLink::Client(link.sugester),
        }))
    }

    async fn edit_deal(&mut self, invoice: &InvoiceRecord, mut link: DealLinkRecord) -> Result<Done, Error> {
        if self.is_unsettled(Deed::EditDeal, link.invoice) {
            return Ok(Done::Skipped(Skip::Settling));
        }
        let Some(existing) = self.parts.crm.deal(link.deal).await? else {
            return self.bury_deal(link, Side::Sugester).await;
        };
        // No nested client goes into a deal that exists.
        let client = match invoice.client_id {
            Some(client) => self.deal_link(client).await?,
            None => None,
        };
        let whose = client.unwrap_or_else(|| DealLink::Buyer(invoice.buyer.clone()));
        let deal = deal_of(&invoice.facts, whose, &self.parts.settings.deals)?;
        link.digest = Some(self.digest_of(invoice));
        let Some(changes) = deal.changes(&existing.fields) else {
            self.save_deal(&link).await?;
            return Ok(Done::Unchanged);
        };
        self.write_deal(link, &changes).await
    }

    async fn write_deal(&mut self, mut link: DealLinkRecord, changes: &Deal) -> Result<Done, Error> {
        let now = self.now().await?;
        if let Turn::Pause { writes } = self.parts.settings.guard.judge(link.written.iter().copied(), now) {
            return Ok(Done::Paused { writes });
        }
        let body = token(changes);
        let names = names_of(&body).map_err(|error| unreadable(&error))?;
        let (turn, parts, deal) = (self.next_turn(), self.parts, link.deal);
        let Some(journal) = &mut self.journal else { return Ok(updated(names)) };
        let call = |body| parts.crm.update_deal(deal, body);
        let open = match journal
            .send(Intent::new(Deed::EditDeal, link.invoice).turn(turn), &body, call)
            .await?
        {
            Sent::Now((), open) => open,
            Sent::Before(_) | Sent::Unsettled => return self.left_unsettled(Deed::EditDeal, link.invoice),
            Sent::Failed(error) => return self.failed_to_write(Deed::EditDeal, link.invoice, error),
        };
        let surplus = link.written.len().saturating_sub(63);
        link.written.drain(..surplus);
        link.written.push(now);
        self.save_deal(&link).await?;
        if let Some(journal) = &mut self.journal {
            journal.done(open, deal).await?;
        }
        Ok(updated(names))
    }

    /// Remembers which deal an invoice has.
    pub(super) async fn link_deal(&mut self, invoice: u64, deal: u64) -> Result<(), Error> {
        // Without digest: what the invoice says now may not be what was sent.
        let link = DealLinkRecord { invoice, deal, digest: None, tombstone: None, written: Vec::new() };
        self.save_deal(&link).await
    }
}

const fn updated(sugester: Vec<String>) -> Done {
    Done::Updated { bitfactura: Vec::new(), sugester }
}

fn names_of(body: &RawValue) -> Result<Vec<String>, Unreadable> {
    let fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(body.get()).map_err(|_| Unreadable::new("deal", "an object"))?;
    Ok(fields.keys().filter(|name| *name != "skip_webhooks").cloned().collect())
}
