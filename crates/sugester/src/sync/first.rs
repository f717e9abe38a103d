//! The first full `client:sync` (contract 4.4): from BitFactura to Sugester alone.
//!
//! The rules enforced here: the whole list is read first, records go in ascending id, and a killed run goes on after the last one that it
//! finished; a token that is refused ends it, and so do five failures in a row; a repeat changes nothing that is equal.

use integration_core::Error;
use serde_json::{Map, Value, json};

use super::book::{pad, unpad};
use super::collect::List;
use super::journal::{Deed, Intent, Sent};
use super::mapping::Side;
use super::ports::{Receiver, WebhookRow, content};
use super::report::{Done, Event, RecordRef, Skip};
use super::run::{Run, is_final, work_of};
use crate::value::{ExternalIds, Linked};

/// How a first synchronisation reaches Sugester. All of them are assumed: the vendor names the way and does not describe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum FirstMode {
    /// Posts each client of BitFactura to Sugester's receiver.
    #[default]
    PushRecords,
    /// Writes the row `client:sync` into BitFactura's webhooks, which makes BitFactura post them. An equal row is used again.
    RegisterWebhook,
    /// Looks each client up in Sugester by `external_ids`, then adds or changes it there.
    RestUpsert,
}

/// Contract 4.4.
const MOST_FAILURES: u32 = 5;

pub(super) fn is_ours(row: &WebhookRow, receiver: &Receiver) -> bool {
    row.kind == "client:sync" && row.url == receiver.url && row.is_active
}

impl Run<'_> {
    pub(super) async fn first(&mut self, mode: FirstMode) -> Result<(), Error> {
        self.load_lost().await?;
        if mode == FirstMode::RegisterWebhook {
            self.pass(List::Sugester, None).await?;
            self.resolve().await?;
            return self.register().await;
        }
        let started = self.now().await?;
        self.pass(List::Sugester, None).await?;
        self.read_list(List::BitFactura, started, true).await?;
        self.resolve().await?;
        self.first_list(mode).await?;
        self.tell_left_over().await
    }

    async fn first_list(&mut self, mode: FirstMode) -> Result<(), Error> {
        let list = work_of(RecordRef::BitFacturaClient(0));
        let (mut after, mut failures): (Option<String>, u32) = (None, 0);
        loop {
            let page = self.work.page::<bool>(list, after.as_deref()).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(last.clone());
            for id in page.iter().filter_map(|(key, _)| unpad(key)) {
                let outcome = match mode {
                    FirstMode::PushRecords => self.push(id).await,
                    _ => self.settle_client(Side::BitFactura, id).await,
                };
                let failed = outcome.as_ref().err().map(ToString::to_string);
                let done = self.first_judged(outcome, &mut failures)?;
                if is_final(&done) {
                    self.finish_first(list, id).await?;
                }
                self.tell(Event::Settled { record: RecordRef::BitFacturaClient(id), done });
                if failures >= MOST_FAILURES {
                    return Err(too_many(failed));
                }
            }
        }
    }

    fn first_judged(&mut self, outcome: Result<Done, Error>, failures: &mut u32) -> Result<Done, Error> {
        *failures = if outcome.is_ok() { 0 } else { *failures + 1 };
        if let Err(error) = &outcome
            && error.kind() == integration_core::ErrorKind::Forbidden
        {
            return outcome;
        }
        self.judged(outcome)
    }

    async fn finish_first(&mut self, list: &str, id: u64) -> Result<(), Error> {
        self.report.last_finished = Some(id);
        let mut batch = std::mem::take(&mut self.finished_partners);
        // What was pushed is linked by the normal run, which finds it in Sugester's list.
        batch.delete(list, pad(id));
        self.work.commit(batch).await
    }

    /// Posts one client to the receiver, once.
    async fn push(&mut self, id: u64) -> Result<Done, Error> {
        if self.is_unsettled(Deed::Push, id) {
            return Ok(Done::Skipped(Skip::Settling));
        }
        if let Some(link) = self.link_of(Side::BitFactura, id).await? {
            return match link.tombstone {
                Some(deleted_in) => Ok(Done::Skipped(Skip::Tombstoned(deleted_in))),
                None => self.settle_client(Side::BitFactura, id).await,
            };
        }
        // Sugester has it already: it is compared, and not posted over what was edited there.
        if !self.work.ids_under("ext", &pad(id)).await?.is_empty() {
            return self.settle_client(Side::BitFactura, id).await;
        }
        let Some(client) = self.read_client(Side::BitFactura, id).await? else {
            return Ok(Done::Skipped(Skip::Gone));
        };
        let settings = &self.parts.settings;
        let carried = super::clients::carried(settings, Side::BitFactura, &client)?;
        let mut fields =
            super::plan::plan_new(&settings.mapping, &carried, Side::Sugester).to_sugester.to_json();
        let ids = ExternalIds::default().with_number(&settings.app, Linked::Client, id);
        fields.insert("external_ids".to_owned(), serde_json::to_value(ids).unwrap_or_default());
        fields.insert("id".to_owned(), id.into());
        let envelope = envelope(settings.app.as_str(), &settings.locale, id, fields);
        let Some(journal) = &mut self.journal else { return Ok(Done::Created(0)) };
        let (parts, body) = (self.parts, content(&envelope));
        match journal.send(Intent::new(Deed::Push, id), &body, |_| parts.crm.push_client(envelope)).await? {
            Sent::Now((), open) => {
                journal.done(open, id).await?;
                Ok(Done::Created(0))
            }
            Sent::Before(_) => Ok(Done::Unchanged),
            Sent::Unsettled => self.left_unsettled(Deed::Push, id),
            Sent::Failed(error) => self.failed_to_write(Deed::Push, id, error),
        }
    }

    async fn register(&mut self) -> Result<(), Error> {
        let (parts, receiver) = (self.parts, self.parts.crm.receiver());
        let rows = parts.billing.webhooks().await?;
        let record = RecordRef::BitFacturaClient(0);
        if rows.iter().any(|row| is_ours(row, &receiver)) {
            self.tell(Event::Settled { record, done: Done::Unchanged });
            return Ok(());
        }
        let Some(journal) = &mut self.journal else { return Ok(()) };
        let body = content(&Map::from_iter([
            ("kind".to_owned(), json!("client:sync")),
            ("url".to_owned(), json!(receiver.url)),
        ]));
        let sent = journal
            .send(Intent::new(Deed::RegisterWebhook, 0), &body, |_| {
                parts.billing.create_webhook("client:sync", receiver)
            })
            .await?;
        let done = match sent {
            Sent::Now(row, open) => {
                journal.done(open, row).await?;
                Done::Created(row)
            }
            Sent::Before(_) | Sent::Unsettled => Done::Skipped(Skip::Settling),
            Sent::Failed(error) => return Err(error),
        };
        self.tell(Event::Settled { record, done });
        Ok(())
    }

    /// Clients that Sugester alone has are not touched in a first run, and listed.
    async fn tell_left_over(&mut self) -> Result<(), Error> {
        let list = work_of(RecordRef::SugesterClient(0));
        let mut after: Option<String> = None;
        loop {
            let page = self.work.page::<bool>(list, after.as_deref()).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(last.clone());
            for id in page.iter().filter_map(|(key, _)| unpad(key)) {
                if self.link_of(Side::Sugester, id).await?.is_none() {
                    let done = Done::Skipped(Skip::NormalRun);
                    self.tell(Event::Settled { record: RecordRef::SugesterClient(id), done });
                }
            }
        }
    }
}

/// The shape of a captured client webhook.
fn envelope(app: &str, locale: &str, id: u64, client: Map<String, Value>) -> Map<String, Value> {
    Map::from_iter([
        ("app_name".to_owned(), app.into()),
        ("locale".to_owned(), locale.into()),
        ("client_id".to_owned(), id.into()),
        ("client".to_owned(), client.into()),
    ])
}

fn too_many(last: Option<String>) -> Error {
    Error::new(integration_core::ErrorKind::Blocked, "first synchronisation")
        .with_outcome(integration_core::Outcome::NotSent)
        .with_message(format!("{MOST_FAILURES} failures in a row; the last: {}", last.unwrap_or_default()))
        .with_hint("mend the cause and run again: it goes on after the last finished client")
}
