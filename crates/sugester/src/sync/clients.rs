//! One pair of clients: who belongs to whom, and what is written (contract 4.2, 4.3).
//!
//! The rules enforced here: both records are read by id before anything is decided; nobody is created while an earlier creation may
//! still take effect, or where the other side's list could not be read for certain; link, snapshot and digests are committed right
//! after each confirmed write; nothing is deleted, and nothing that was deleted is created again.

use integration_core::body::fields::Unreadable;
use integration_core::{Error, Fault};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::book::{Batch, Link, pad};
use super::carried::{CarriedClient, Digest};
use super::collect::{List, tax_index};
use super::conflict::{Conflict, Winner};
use super::identity::{Ambiguity, Candidate, Evidence, Findings, Identity, identify};
use super::journal::{Deed, Intent, Sent};
use super::loop_guard::Turn;
use super::mapping::Side;
use super::plan::{Pair, PairPlan, plan, plan_new};
use super::ports::{ClientRecord, content};
use super::report::{Done, Event, RecordRef, Skip};
use super::run::{CONFLICTS, LostCreation, Run, work_of};
use super::settings::Settings;
use crate::tax::comparable;
use crate::value::{ExternalIds, Linked};

/// A conflict as the store keeps it, so that a run that is killed loses none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeptConflict {
    /// The client in BitFactura.
    pub bitfactura: u64,
    /// The client in Sugester.
    pub sugester: u64,
    /// The field, by its name in BitFactura.
    pub field: String,
    /// What BitFactura had.
    pub in_bitfactura: Option<String>,
    /// What Sugester had.
    pub in_sugester: Option<String>,
    /// What both had before.
    pub last_synced: Option<String>,
    /// Whose value was kept; nobody's if none.
    pub kept: Option<Side>,
    /// When it was found, by the store's clock.
    pub found_at: jiff::Timestamp,
}

pub(super) fn carried(
    settings: &Settings,
    side: Side,
    client: &ClientRecord,
) -> Result<CarriedClient, Error> {
    CarriedClient::of(&settings.mapping, side, &client.fields).map_err(|error| unreadable(&error))
}

pub(super) fn unreadable(error: &Unreadable) -> Error {
    let fault = Fault::error("RECORD", error.field.clone()).with_hint(error.to_string());
    Error::validation("read a record", vec![fault])
}

const fn edit_in(side: Side) -> Deed {
    match side {
        Side::BitFactura => Deed::EditBitFactura,
        Side::Sugester => Deed::EditSugester,
    }
}

/// The creation of the partner of a record of this side.
const fn creation_from(side: Side) -> Deed {
    match side {
        Side::BitFactura => Deed::CreateInSugester,
        Side::Sugester => Deed::CreateInBitFactura,
    }
}

/// Both records of a pair, read just now.
struct Both {
    bitfactura: ClientRecord,
    sugester: ClientRecord,
    carried_bitfactura: CarriedClient,
    carried_sugester: CarriedClient,
}

impl Both {
    const fn on(&self, side: Side) -> &ClientRecord {
        match side {
            Side::BitFactura => &self.bitfactura,
            Side::Sugester => &self.sugester,
        }
    }

    fn plan(&self, settings: &Settings, link: &Link) -> PairPlan {
        let pair = Pair::new(&self.carried_bitfactura, &self.carried_sugester)
            .since(link.snapshot.as_ref())
            .updated_at(self.bitfactura.updated_at, self.sugester.updated_at);
        plan(&settings.mapping, pair, &settings.policy)
    }
}

impl Run<'_> {
    pub(super) async fn settle_client(&mut self, side: Side, id: u64) -> Result<Done, Error> {
        match self.link_of(side, id).await? {
            Some(Link { tombstone: Some(deleted_in), .. }) => Ok(Done::Skipped(Skip::Tombstoned(deleted_in))),
            Some(link) => self.settle_pair(link).await,
            None => self.settle_unlinked(side, id).await,
        }
    }

    pub(super) async fn read_client(&self, side: Side, id: u64) -> Result<Option<ClientRecord>, Error> {
        let found = match side {
            Side::BitFactura => self.parts.billing.client(id).await?,
            Side::Sugester => self.parts.crm.client(id).await?,
        };
        Ok(found.filter(|client| !client.is_deleted))
    }

    async fn settle_unlinked(&mut self, side: Side, id: u64) -> Result<Done, Error> {
        if self.is_unsettled(creation_from(side), id) {
            return Ok(Done::Skipped(Skip::Settling));
        }
        let Some(own) = self.read_client(side, id).await? else { return Ok(Done::Skipped(Skip::Gone)) };
        if side == Side::BitFactura && self.may_be_a_lost_creation(&own)? {
            return Ok(Done::Skipped(Skip::Settling));
        }
        if !self.ensure(List::Sugester).await? {
            return Ok(Done::Skipped(Skip::Unstable));
        }
        match self.who_is(side, &own).await? {
            Identity::Known { id: partner, .. } => {
                let link = match side {
                    Side::BitFactura => Link::new(own.id, partner),
                    Side::Sugester => Link::new(partner, own.id),
                };
                self.save_link(&link).await?;
                let done = self.settle_pair(link).await?;
                Ok(if matches!(done, Done::Unchanged | Done::Updated { .. }) {
                    Done::Linked(partner)
                } else {
                    done
                })
            }
            Identity::New => self.create_partner(side, &own).await,
            Identity::Tombstoned { deleted_in } => self.bury_unlinked(side, &own, deleted_in).await,
            Identity::Ambiguous(ambiguity) => Ok(Done::Skipped(Skip::Ambiguous(ambiguity))),
        }
    }

    /// Whether a client of BitFactura may be the one whose creation was not answered: then it is not new.
    fn may_be_a_lost_creation(&self, own: &ClientRecord) -> Result<bool, Error> {
        let carried = carried(&self.parts.settings, Side::BitFactura, own)?;
        let open = self
            .lost_creations
            .iter()
            .filter(|lost| self.is_unsettled(Deed::CreateInBitFactura, lost.sugester));
        let mut open = open.filter(|lost| own.created_at.is_none_or(|created| created >= lost.since));
        Ok(open.any(|lost| lost.sent.iter().all(|(field, text)| carried.normal(field) == text)))
    }

    /// A record that names one that is gone: it stays, and is not created again.
    async fn bury_unlinked(
        &mut self,
        side: Side,
        own: &ClientRecord,
        deleted_in: Side,
    ) -> Result<Done, Error> {
        let app = &self.parts.settings.app;
        let named = own.external_ids.ids(app, Linked::Client).first().and_then(|id| id.parse().ok());
        let (Side::Sugester, Some(bitfactura)) = (side, named) else {
            return Ok(Done::Skipped(Skip::Tombstoned(deleted_in)));
        };
        let link = Link { tombstone: Some(deleted_in), ..Link::new(bitfactura, own.id) };
        self.save_link(&link).await?;
        Ok(Done::Tombstoned(deleted_in))
    }

    async fn who_is(&self, side: Side, own: &ClientRecord) -> Result<Identity, Error> {
        let findings = match side {
            Side::BitFactura => Findings::new().with_external_ids(self.that_name(own.id).await?),
            Side::Sugester => match self.named_by(own).await? {
                Ok(findings) => findings,
                Err(identity) => return Ok(identity),
            },
        };
        let findings = findings.with_tax_no(self.of_same_tax_no(side, own).await?);
        Ok(identify(own.id, &findings))
    }

    /// The clients of Sugester that name a client of BitFactura.
    async fn that_name(&self, bitfactura: u64) -> Result<Vec<Candidate>, Error> {
        let mut candidates = Vec::new();
        for id in self.work.ids_under("ext", &pad(bitfactura)).await? {
            candidates.push(self.candidate(Side::Sugester, id).await?);
        }
        Ok(candidates)
    }

    async fn candidate(&self, side: Side, id: u64) -> Result<Candidate, Error> {
        let link = self.link_of(side, id).await?;
        Ok(link.map_or(Candidate::free(id), |link| Candidate::linked(id, link.id_in(side.other()))))
    }

    /// Whom a client of Sugester names; or what that settles at once.
    async fn named_by(&self, own: &ClientRecord) -> Result<Result<Findings, Identity>, Error> {
        let ids = own.external_ids.ids(&self.parts.settings.app, Linked::Client);
        let several =
            |candidates| Identity::Ambiguous(Ambiguity::Several { by: Evidence::ExternalIds, candidates });
        let named = match ids.as_slice() {
            [] => return Ok(Ok(Findings::new())),
            [one] => one.parse::<u64>().ok().filter(|id| *id > 0),
            _ => None,
        };
        let Some(named) = named else {
            return Ok(Err(several(ids.iter().filter_map(|id| id.parse().ok()).collect())));
        };
        let others = self.work.ids_under("ext", &pad(named)).await?;
        if others.iter().any(|other| *other != own.id) {
            return Ok(Err(several(vec![named])));
        }
        if self.link_of(Side::BitFactura, named).await?.is_none()
            && self.read_client(Side::BitFactura, named).await?.is_none()
        {
            return Ok(Ok(Findings::new().with_tombstone(Side::BitFactura)));
        }
        Ok(Ok(Findings::new().with_external_ids([self.candidate(Side::BitFactura, named).await?])))
    }

    /// The clients of the other side with the same tax number, as they are now; none unless that is switched on.
    async fn of_same_tax_no(&self, side: Side, own: &ClientRecord) -> Result<Vec<Candidate>, Error> {
        let settings = &self.parts.settings;
        let number = |client: &ClientRecord, side| {
            carried(settings, side, client).map(|carried| comparable(&carried.normal("tax_no")))
        };
        let wanted = number(own, side)?;
        if !settings.match_tax_no || wanted.is_empty() {
            return Ok(Vec::new());
        }
        let mut candidates = Vec::new();
        for id in self.work.ids_under(tax_index(side.other()), &wanted).await? {
            let Some(other) = self.read_client(side.other(), id).await? else { continue };
            let names_another = !other.external_ids.ids(&settings.app, Linked::Client).is_empty();
            if !names_another && number(&other, side.other())? == wanted {
                candidates.push(self.candidate(side.other(), id).await?);
            }
        }
        Ok(candidates)
    }

    async fn create_partner(&mut self, side: Side, own: &ClientRecord) -> Result<Done, Error> {
        let settings = &self.parts.settings;
        let carried = carried(settings, side, own)?;
        let plan = plan_new(&settings.mapping, &carried, side.other());
        let mut fields = plan.to(side.other()).to_json();
        if side == Side::BitFactura {
            let ids = ExternalIds::of(&settings.app, Linked::Client, own.id);
            fields.insert("external_ids".to_owned(), serde_json::to_value(ids).unwrap_or_default());
        }
        let Some(journal) = &mut self.journal else { return Ok(Done::Created(0)) };
        let (parts, body, deed) = (self.parts, content(&fields), creation_from(side));
        let sent = journal
            .send(Intent::new(deed, own.id), &body, |body| match side {
                Side::BitFactura => parts.crm.create_client(body),
                Side::Sugester => parts.billing.create_client(body),
            })
            .await?;
        let (partner, open) = match sent {
            Sent::Now(partner, open) => (partner, Some(open)),
            Sent::Before(said) => match said.parse() {
                Ok(partner) => (partner, None),
                Err(_) => return Ok(Done::Skipped(Skip::Settling)),
            },
            Sent::Unsettled => return self.left_unsettled(deed, own.id),
            Sent::Failed(error) => {
                if side == Side::Sugester && !error.is_safe_to_repeat() {
                    self.remember_lost(own.id, &fields).await?;
                }
                return self.failed_to_write(deed, own.id, error);
            }
        };
        let link = self.new_link(side, own, &carried, &plan, partner, &fields);
        self.save_link(&link).await?;
        if let (Some(open), Some(journal)) = (open, &mut self.journal) {
            journal.done(open, partner).await?;
        }
        if side == Side::Sugester {
            // The link is not complete until Sugester's record names it.
            match self.settle_pair(link).await? {
                Done::Unchanged | Done::Updated { .. } => {}
                unfinished => return Ok(unfinished),
            }
        }
        Ok(Done::Created(partner))
    }

    /// Its client may turn up in BitFactura before this run has ended.
    async fn remember_lost(&mut self, sugester: u64, sent: &Map<String, Value>) -> Result<(), Error> {
        let sent = CarriedClient::of(&self.parts.settings.mapping, Side::BitFactura, sent);
        let sent = sent.map_err(|error| unreadable(&error))?.normalised();
        let now = self.now().await?;
        let overlap = jiff::SignedDuration::try_from(self.parts.settings.overlap).unwrap_or_default();
        let since = now.checked_sub(overlap).unwrap_or(now);
        self.lost_creations.push(LostCreation { sugester, sent, since });
        Ok(())
    }

    pub(super) fn left_unsettled(&mut self, deed: Deed, id: u64) -> Result<Done, Error> {
        self.unsettle(deed, id)?;
        Ok(Done::Skipped(Skip::Settling))
    }

    pub(super) fn failed_to_write(&mut self, deed: Deed, id: u64, error: Error) -> Result<Done, Error> {
        if !error.is_safe_to_repeat() {
            self.unsettle(deed, id)?;
        }
        Err(error)
    }

    fn new_link(
        &self,
        side: Side,
        own: &ClientRecord,
        carried: &CarriedClient,
        plan: &PairPlan,
        partner: u64,
        written: &Map<String, Value>,
    ) -> Link {
        let mut link = match side {
            Side::BitFactura => Link::new(own.id, partner),
            Side::Sugester => Link::new(partner, own.id),
        };
        link.snapshot = Some(plan.snapshot.clone());
        link.set_digest(side, Some(carried.digest()));
        link.set_digest(side.other(), self.digest_after(side.other(), &Map::new(), written));
        link
    }

    /// The digest that a record will have after a write; none if it cannot be told, which makes the next run look.
    fn digest_after(
        &self,
        side: Side,
        record: &Map<String, Value>,
        written: &Map<String, Value>,
    ) -> Option<Digest> {
        let mut after = record.clone();
        after.extend(written.iter().map(|(name, value)| (name.clone(), value.clone())));
        let carried = CarriedClient::of(&self.parts.settings.mapping, side, &after).ok()?;
        Some(carried.digest())
    }

    /// Three-way compare of two linked records, and the writes that come of it.
    async fn settle_pair(&mut self, mut link: Link) -> Result<Done, Error> {
        let both = match self.read_both(&link).await? {
            Ok(both) => both,
            Err(deleted_in) => return self.bury(link, deleted_in).await,
        };
        let unsettled = [(Deed::EditBitFactura, link.bitfactura), (Deed::EditSugester, link.sugester)];
        if unsettled.iter().any(|write| self.unsettled.contains(write)) {
            return Ok(Done::Skipped(Skip::Settling));
        }
        let naming = match self.naming(&link, &both.sugester) {
            Ok(naming) => naming,
            Err(ambiguity) => return Ok(Done::Skipped(Skip::Ambiguous(ambiguity))),
        };
        let plan = both.plan(&self.parts.settings, &link);
        self.tell_conflicts(&link, &plan.conflicts).await?;
        let writes =
            [Side::BitFactura, Side::Sugester].map(|side| (side, fields_for(side, &plan, naming.as_ref())));
        if let Some(paused) = self.paused(&mut link, &writes).await? {
            return Ok(paused);
        }
        let before = link.clone();
        for (side, fields) in writes.iter().filter(|(_, fields)| !fields.is_empty()) {
            if let Some(unfinished) = self.write_side(&mut link, &both, &plan, *side, fields).await? {
                return Ok(unfinished);
            }
        }
        self.remember(link, &before, &both, &plan, &writes).await?;
        Ok(outcome_of(&plan, &writes))
    }

    async fn read_both(&self, link: &Link) -> Result<Result<Both, Side>, Error> {
        let Some(bitfactura) = self.read_client(Side::BitFactura, link.bitfactura).await? else {
            return Ok(Err(Side::BitFactura));
        };
        let Some(sugester) = self.read_client(Side::Sugester, link.sugester).await? else {
            return Ok(Err(Side::Sugester));
        };
        let settings = &self.parts.settings;
        let carried_bitfactura = carried(settings, Side::BitFactura, &bitfactura)?;
        let carried_sugester = carried(settings, Side::Sugester, &sugester)?;
        Ok(Ok(Both { bitfactura, sugester, carried_bitfactura, carried_sugester }))
    }

    async fn bury(&mut self, link: Link, deleted_in: Side) -> Result<Done, Error> {
        self.finish_partner(&link);
        self.save_link(&Link { tombstone: Some(deleted_in), ..link }).await?;
        Ok(Done::Tombstoned(deleted_in))
    }

    /// What Sugester's record has to be told of its partner: nothing if it names it already.
    fn naming(&self, link: &Link, sugester: &ClientRecord) -> Result<Option<ExternalIds>, Ambiguity> {
        let app = &self.parts.settings.app;
        let ids = sugester.external_ids.ids(app, Linked::Client);
        if ids == [link.bitfactura.to_string()] {
            return Ok(None);
        }
        if ids.is_empty() {
            return Ok(Some(sugester.external_ids.clone().with_text(app, Linked::Client, link.bitfactura)));
        }
        let candidates = ids.iter().filter_map(|id| id.parse().ok()).chain([link.bitfactura]).collect();
        Err(Ambiguity::Several { by: Evidence::ExternalIds, candidates })
    }

    async fn tell_conflicts(&mut self, link: &Link, conflicts: &[Conflict]) -> Result<(), Error> {
        if conflicts.is_empty() {
            return Ok(());
        }
        let found_at = self.now().await?;
        let mut batch = Batch::default();
        for conflict in conflicts {
            let kept = kept(link, conflict, found_at);
            batch.put(CONFLICTS, key_of(&kept), &kept);
            let (bitfactura, sugester) = (link.bitfactura, link.sugester);
            self.tell(Event::Conflict { bitfactura, sugester, conflict: Box::new(conflict.clone()) });
        }
        self.links.commit(batch).await
    }

    /// Whether one of the writes would be one too many (contract 4.3).
    async fn paused(
        &mut self,
        link: &mut Link,
        writes: &[(Side, Map<String, Value>); 2],
    ) -> Result<Option<Done>, Error> {
        let now = self.now().await?;
        for (side, _) in writes.iter().filter(|(_, fields)| !fields.is_empty()) {
            let written = link.written_mut(*side);
            if let Turn::Pause { writes } = self.parts.settings.guard.judge(written.iter().copied(), now) {
                return Ok(Some(Done::Paused { writes }));
            }
            // No more than the guard can ever want to see.
            let surplus = written.len().saturating_sub(63);
            written.drain(..surplus);
        }
        Ok(None)
    }

    /// Writes one side and remembers at once that it was written; or why this is not finished.
    async fn write_side(
        &mut self,
        link: &mut Link,
        both: &Both,
        plan: &PairPlan,
        side: Side,
        fields: &Map<String, Value>,
    ) -> Result<Option<Done>, Error> {
        let (turn, parts, id, deed) = (self.next_turn(), self.parts, link.id_in(side), edit_in(side));
        let intent = Intent::new(deed, id).turn(turn).seen(both.on(side).updated_at);
        let Some(journal) = &mut self.journal else { return Ok(None) };
        let sent = journal
            .send(intent, &content(fields), |body| match side {
                Side::BitFactura => parts.billing.update_client(id, body),
                Side::Sugester => parts.crm.update_client(id, body),
            })
            .await?;
        let open = match sent {
            Sent::Now((), open) => open,
            Sent::Before(_) | Sent::Unsettled => return self.left_unsettled(deed, id).map(Some),
            Sent::Failed(error) => return self.failed_to_write(deed, id, error).map(Some),
        };
        link.snapshot.get_or_insert_default().confirm(
            &parts.settings.mapping,
            side,
            plan.to(side),
            &plan.snapshot,
        );
        link.set_digest(side, self.digest_after(side, &both.on(side).fields, fields));
        let now = self.now().await?;
        link.written_mut(side).push(now);
        self.save_link(link).await?;
        if let Some(journal) = &mut self.journal {
            journal.done(open, id).await?;
        }
        Ok(None)
    }

    /// Both sides are as planned.
    async fn remember(
        &mut self,
        mut link: Link,
        before: &Link,
        both: &Both,
        plan: &PairPlan,
        writes: &[(Side, Map<String, Value>); 2],
    ) -> Result<(), Error> {
        for (side, fields) in writes {
            link.set_digest(*side, self.digest_after(*side, &both.on(*side).fields, fields));
        }
        link.snapshot = Some(plan.snapshot.clone());
        self.finish_partner(&link);
        if link == *before { Ok(()) } else { self.save_link(&link).await }
    }

    /// Takes both records off the list.
    fn finish_partner(&mut self, link: &Link) {
        for side in [Side::BitFactura, Side::Sugester] {
            let id = link.id_in(side);
            self.finished_partners.delete(work_of(RecordRef::client(side, id)), pad(id));
        }
    }
}

fn fields_for(side: Side, plan: &PairPlan, naming: Option<&ExternalIds>) -> Map<String, Value> {
    let naming = naming.filter(|_| side == Side::Sugester);
    if plan.to(side).is_empty() && naming.is_none() {
        return Map::new();
    }
    let mut fields = plan.to(side).to_json();
    if let Some(ids) = naming {
        fields.insert("external_ids".to_owned(), serde_json::to_value(ids).unwrap_or_default());
    }
    fields
}

fn outcome_of(plan: &PairPlan, writes: &[(Side, Map<String, Value>); 2]) -> Done {
    let names = |side| plan.to(side).iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    if writes.iter().all(|(_, fields)| fields.is_empty()) {
        return Done::Unchanged;
    }
    let mut sugester = names(Side::Sugester);
    if writes.iter().any(|(_, fields)| fields.contains_key("external_ids")) {
        sugester.push("external_ids".to_owned());
    }
    Done::Updated { bitfactura: names(Side::BitFactura), sugester }
}

fn kept(link: &Link, conflict: &Conflict, found_at: jiff::Timestamp) -> KeptConflict {
    let dispute = &conflict.dispute;
    KeptConflict {
        bitfactura: link.bitfactura,
        sugester: link.sugester,
        field: dispute.field.clone(),
        in_bitfactura: dispute.bitfactura.clone(),
        in_sugester: dispute.sugester.clone(),
        last_synced: dispute.last_synced.clone(),
        kept: match conflict.winner {
            Winner::Side(side) => Some(side),
            Winner::Neither => None,
        },
        found_at,
    }
}

/// The same conflict, met again after a kill, stands once.
fn key_of(kept: &KeptConflict) -> String {
    let values = format!("{:?}/{:?}/{:?}", kept.in_bitfactura, kept.in_sugester, kept.last_synced);
    let digest = ring::digest::digest(&ring::digest::SHA256, values.as_bytes());
    let hex: String = digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{}/{}/{hex}", pad(kept.bitfactura), kept.field)
}
