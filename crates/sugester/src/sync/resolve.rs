//! What became of writes whose answers were lost (contract 4.9).
//!
//! The rules enforced here: the service is asked, never guessed; "it is not there" counts only once the write cannot take effect any
//! more, and only in a list in which nothing can have slipped; a creation in BitFactura, which carries no mark, is recognised by what it
//! holds, and only if exactly one unlinked record fits.

use integration_core::Error;
use integration_core::body::fields::{Scalar, Token as _};
use integration_store::Entry;
use jiff::SignedDuration;
use serde_json::{Map, Value};

use super::book::{Batch, Link, pad};
use super::carried::CarriedClient;
use super::collect::List;
use super::journal::{Deed, Note};
use super::mapping::Side;
use super::plan::Snapshot;
use super::ports::tokens_of;
use super::report::{Event, RecordRef};
use super::run::{DEALS, LostCreation, Run, work_of};

/// What was found out about a write.
enum Found {
    Applied(String),
    NotApplied,
    /// Nobody can tell yet, or nobody may decide.
    Open,
}

fn sent(entry: &Entry) -> Map<String, Value> {
    serde_json::from_slice(&entry.body).unwrap_or_default()
}

impl Run<'_> {
    /// Reads which answers were lost. Until they are resolved, their records are not written.
    pub(super) async fn load_lost(&mut self) -> Result<(), Error> {
        let Some(journal) = &self.journal else { return Ok(()) };
        let mut after = 0;
        let mut lost = Vec::new();
        loop {
            let page = journal.unknown(after).await?;
            let Some((last, _)) = page.last() else { break };
            after = last.id;
            lost.extend(page);
        }
        let margin = SignedDuration::try_from(self.parts.settings.overlap).unwrap_or(SignedDuration::ZERO);
        for (entry, note) in &lost {
            self.unsettle(note.deed, note.id)?;
            if note.deed == Deed::CreateInBitFactura {
                let sent = CarriedClient::of(&self.parts.settings.mapping, Side::BitFactura, &sent(entry));
                let sent = sent.map_err(|error| super::clients::unreadable(&error))?.normalised();
                let since = note.sent_at.checked_sub(margin).unwrap_or(note.sent_at);
                self.lost_creations.push(LostCreation { sugester: note.id, sent, since });
            }
        }
        self.lost = lost;
        Ok(())
    }

    /// Finds out about each of them, and closes those that are certain.
    pub(super) async fn resolve(&mut self) -> Result<(), Error> {
        let settling = SignedDuration::try_from(self.parts.settings.settling).unwrap_or(SignedDuration::MAX);
        for (entry, note) in std::mem::take(&mut self.lost) {
            let is_over = self.now().await?.duration_since(note.sent_at) >= settling;
            let found = match self.look(&entry, &note).await {
                Ok(Found::NotApplied) if !is_over => Found::Open,
                Ok(found) => found,
                // One that cannot be asked about stays open, unless nothing can be asked.
                Err(error) if error.is_refused() => Found::Open,
                Err(error) => return Err(error),
            };
            let (was_applied, said) = match found {
                Found::Open => continue,
                Found::Applied(said) => (true, said),
                Found::NotApplied => (false, "looked for and not found".to_owned()),
            };
            self.look_again(&note).await?;
            if let Some(journal) = &self.journal {
                journal.resolve(&entry, &note, was_applied, said).await?;
            }
            self.unsettled.remove(&(note.deed, note.id));
            self.tell(Event::Resolved { key: entry.key.clone(), was_applied });
        }
        Ok(())
    }

    async fn look(&mut self, entry: &Entry, note: &Note) -> Result<Found, Error> {
        match note.deed {
            Deed::CreateInSugester => self.look_in_sugester(entry, note).await,
            Deed::Push => self.look_for_push(note).await,
            Deed::CreateInBitFactura => self.look_in_bitfactura(entry, note).await,
            Deed::CreateDeal => self.look_for_deal(note).await,
            Deed::RegisterWebhook => self.look_for_webhook().await,
            Deed::EditBitFactura => self.look_at_edit(Side::BitFactura, entry, note).await,
            Deed::EditSugester => self.look_at_edit(Side::Sugester, entry, note).await,
            Deed::EditDeal => self.look_at_deal(entry, note).await,
        }
    }

    async fn look_in_sugester(&mut self, entry: &Entry, note: &Note) -> Result<Found, Error> {
        let is_certain = self.ensure(List::Sugester).await?;
        Ok(match self.work.ids_under("ext", &pad(note.id)).await?.as_slice() {
            [] if is_certain => Found::NotApplied,
            [partner] => {
                let partner = *partner;
                self.link_unless_linked(Side::Sugester, entry, Link::new(note.id, partner)).await?;
                Found::Applied(partner.to_string())
            }
            _ => Found::Open,
        })
    }

    /// A link without digests, so that the next look compares everything, with what was sent as what both said.
    async fn link_unless_linked(&mut self, to: Side, entry: &Entry, mut link: Link) -> Result<(), Error> {
        if self.link_of(Side::BitFactura, link.bitfactura).await?.is_some()
            || self.link_of(Side::Sugester, link.sugester).await?.is_some()
        {
            return Ok(());
        }
        let mapping = &self.parts.settings.mapping;
        let sent = CarriedClient::of(mapping, to, &sent(entry));
        let sent = sent.map_err(|error| super::clients::unreadable(&error))?;
        link.snapshot = Some(Snapshot::of_creation(mapping, &sent));
        self.save_link(&link).await
    }

    async fn look_for_push(&mut self, note: &Note) -> Result<Found, Error> {
        let is_certain = self.ensure(List::Sugester).await?;
        Ok(match self.work.ids_under("ext", &pad(note.id)).await?.as_slice() {
            [] if is_certain => Found::NotApplied,
            [] => Found::Open,
            [partner, ..] => Found::Applied(partner.to_string()),
        })
    }

    async fn look_in_bitfactura(&mut self, entry: &Entry, note: &Note) -> Result<Found, Error> {
        if let Some(link) = self.link_of(Side::Sugester, note.id).await? {
            return Ok(Found::Applied(link.bitfactura.to_string()));
        }
        let is_certain = self.ensure(List::BitFactura).await?;
        let mut free = Vec::new();
        for candidate in self.work.ids_under("candidates", &pad(note.id)).await? {
            if self.link_of(Side::BitFactura, candidate).await?.is_none() {
                free.push(candidate);
            }
        }
        Ok(match free.as_slice() {
            [] if is_certain => Found::NotApplied,
            [partner] if is_certain => {
                self.link_unless_linked(Side::BitFactura, entry, Link::new(*partner, note.id)).await?;
                Found::Applied(partner.to_string())
            }
            _ => Found::Open,
        })
    }

    async fn look_for_deal(&mut self, note: &Note) -> Result<Found, Error> {
        let is_certain = self.ensure(List::Deals).await?;
        Ok(match self.work.ids_under("deal-ext", &pad(note.id)).await?.as_slice() {
            [] if is_certain => Found::NotApplied,
            [deal] => {
                let deal = *deal;
                self.link_deal(note.id, deal).await?;
                Found::Applied(deal.to_string())
            }
            _ => Found::Open,
        })
    }

    async fn look_for_webhook(&mut self) -> Result<Found, Error> {
        let rows = self.parts.billing.webhooks().await?;
        let receiver = self.parts.crm.receiver();
        let row = rows.iter().find(|row| super::first::is_ours(row, &receiver));
        Ok(row.map_or(Found::NotApplied, |row| Found::Applied(row.id.to_string())))
    }

    /// Takes over into the snapshot what the record says now and was sent: otherwise an edit that undoes it on the other side would look
    /// like an edit of this one. What cannot be told becomes a dispute, and is reported.
    async fn look_at_edit(&mut self, side: Side, entry: &Entry, note: &Note) -> Result<Found, Error> {
        let Some(record) = self.read_client(side, note.id).await? else { return Ok(Found::NotApplied) };
        let Some(mut link) = self.link_of(side, note.id).await? else { return Ok(Found::NotApplied) };
        let settings = &self.parts.settings;
        let now = super::clients::carried(settings, side, &record)?;
        let sent = sent(entry);
        let then = CarriedClient::of(&settings.mapping, side, &sent)
            .map_err(|error| super::clients::unreadable(&error))?;
        let mut was_applied = false;
        let was_touched = record.updated_at.is_none() || record.updated_at != note.seen;
        let snapshot = link.snapshot.get_or_insert_default();
        for rule in settings.mapping.fields().iter().filter(|rule| sent.contains_key(rule.name_in(side))) {
            let (field, now) = (rule.bitfactura(), now.normal(rule.bitfactura()));
            let then = then.normal(field);
            // Fields that went along unchanged, as `company` does, prove nothing.
            if snapshot.get(field) == Some(then.as_str()) {
                continue;
            }
            if now == then {
                snapshot.remember(field, now);
                was_applied = true;
            } else if was_touched {
                // Perhaps it took effect and somebody undid it: then what both said at last is not what is remembered.
                snapshot.forget(field);
            }
        }
        let named = sent.get("external_ids");
        was_applied |= named.is_some() && named == record.fields.get("external_ids");
        self.save_link(&link).await?;
        Ok(if was_applied { Found::Applied(note.id.to_string()) } else { Found::NotApplied })
    }

    #[allow(clippy::borrowed_box)]
    async fn look_at_deal(&mut self, entry: &Entry, note: &Note) -> Result<Found, Error> {
        let link: Option<super::book::DealLinkRecord> = self.links.get(DEALS, note.id).await?;
        let Some(link) = link else { return Ok(Found::NotApplied) };
        let Some(deal) = self.parts.crm.deal(link.deal).await? else { return Ok(Found::NotApplied) };
        let sent: Box<serde_json::value::RawValue> = serde_json::from_slice(&entry.body)
            .unwrap_or_else(|_| serde_json::value::RawValue::NULL.to_owned());
        let says = |(name, sent): (&String, &Box<serde_json::value::RawValue>)| {
            let Some(now) = deal.fields.get(name) else { return name == "skip_webhooks" };
            match (sent.scalar(), now.scalar()) {
                (Scalar::Compound, _) => true,
                (sent, now) => sent == now || (sent.decimal().is_some() && sent.decimal() == now.decimal()),
            }
        };
        Ok(if tokens_of(&sent).iter().all(says) {
            Found::Applied(link.deal.to_string())
        } else {
            Found::NotApplied
        })
    }

    /// Puts the record on the list once more: what came of the write is compared.
    async fn look_again(&mut self, note: &Note) -> Result<(), Error> {
        let record = match note.deed {
            Deed::CreateInSugester | Deed::EditBitFactura => RecordRef::BitFacturaClient(note.id),
            Deed::CreateInBitFactura | Deed::EditSugester => RecordRef::SugesterClient(note.id),
            Deed::CreateDeal | Deed::EditDeal => RecordRef::Invoice(note.id),
            Deed::Push | Deed::RegisterWebhook => return Ok(()),
        };
        let mut batch = Batch::default();
        batch.put(work_of(record), pad(note.id), &true);
        self.work.commit(batch).await
    }
}
