//! The portal on which a firm's contacts see their case files (contract of `apiges-sync`, layer B).
//!
//! **The protocol is this project's own**: the vendor's is not public. Every row of section 3.7 is served with its
//! errors and rules, below `{base_url}/websync/v1/{tenant}`. What the contract leaves open is read so:
//!
//! | row | reading |
//! |---|---|
//! | W10, W41, W74 | `after` and `next` are opaque texts, `next` null at the end |
//! | W12 | `If-Match` of a grant that is not there is `version-conflict`; versions of a grant go on after W14; a preview counts once, and only while the members are those it showed |
//! | W15 | a code that is taken is `code-taken`, another `contactId` is `refused` |
//! | W16 | `members` are those of the union that would be, the joining contact among them |
//! | W21 | runs beside a load of all; two of one contact are `load-open` |
//! | W22 | a batch that comes again with another digest is 422 `digest`; `version-reuse` (O5) is 409, of a tombstone too |
//! | W23 | a case that was pushed after `baseSequence` is `stale`; so is one whose later push did not name the grant |
//! | W24, W25 | `contacts[]` with `contact`, `lastBatch`, `committed`; close with open contacts is `uncommitted` |
//! | W30 | the content of a version is its projections and withdrawals; an unknown grant is 422 `refused`; a projection for a suspended grant is kept and not shown |
//! | W33 | in a union every field that all show, boxed or not, as the first grant by kind and code shows it; one of nobody sees nothing; `grants`, and `cases[]` with `caseId`, `version`, `holder`, `view`, `grants`, `documents` |
//! | W40, W62 | versions begin at 1 (400 for the whole list); what is not there gets a tombstone, and is `already`; the version of what is there is `version-reuse` |
//! | W60 | `hidden` is what [`WebSync::mark_hidden`] says, and goes before what the version says |
//! | W72 | `state` is `sent`, `delivered`, `read` or `acknowledged` |
//! | W75 | `records[]` are the keys of X6 with `hash` among them |
//!
//! The portal shows what it was given (W33). What it *should* show is computed from the firm's truth and the grants,
//! by section 4.3 alone: [`WebSync::differences`].
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use integration_sandbox::websync::{ContactRef, Row};
//! use integration_sandbox::{Fault, Sandbox};
//!
//! let sandbox = Sandbox::start().await?;
//! let portal = sandbox.websync();
//! println!("APIGES_WEB_BASE_URL={} APIGES_WEB_TENANT={}", portal.base_url(), portal.tenant());
//! println!("APIGES_WEB_TOKEN={}", portal.token());
//!
//! // The next push takes effect, and its answer is lost.
//! portal.inject(Row::W30, Fault::ActThenReset);
//! portal.set_group("G7", &[ContactRef::new("C", "4879"), ContactRef::new("C", "4880")]);
//! // … run the program under test, then compare:
//! assert!(portal.differences(sandbox.apiges()).is_empty());
//! # Ok(()) }
//! ```
//!
//! The control API does the same over HTTP, below `/_sandbox/websync/`.

mod documents;
mod evaluate;
mod evidence;
mod loads;
mod messages;
mod office;
mod portal;
mod refusal;
mod settings;
mod view;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::apiges::Apiges;
use crate::server::{Bound, Running};
use crate::stage::{Stage, staged};

pub use crate::stage::{Recorded, Twist};
pub use evaluate::Difference;
pub(crate) use evaluate::Explained;
pub use settings::{Row, Settings};
pub use wire::{ContactRef, ReceiptEvent};

use office::{Office, instant};
use view::Viewer;

const TENANT: &str = "demo";
const TOKEN: &str = "sync-credential-of-the-sandbox";

/// Handle of the simulated portal; clones drive the same one.
///
/// It works as long as the [`Sandbox`](crate::Sandbox) it came from is alive.
#[derive(Debug, Clone)]
pub struct WebSync(pub(crate) Arc<Stage<Office>>);

staged!(WebSync, Row);

/// Members of each union, by its tag.
fn unions(portal: &portal::Portal) -> BTreeMap<&str, Vec<ContactRef>> {
    let mut unions: BTreeMap<&str, Vec<ContactRef>> = BTreeMap::new();
    for grant in portal.grants.values() {
        if let Some(tag) = grant.pair_tag() {
            unions.entry(tag).or_default().push(grant.contact.clone());
        }
    }
    unions
}

fn fresh() -> Office {
    let mut office = Office::default();
    TENANT.clone_into(&mut office.portal.tenant);
    TOKEN.clone_into(&mut office.token);
    office
}

impl WebSync {
    /// Serves the portal on a bound port until the guard is dropped.
    pub(crate) fn serve(bound: Bound) -> (Self, Running) {
        let stage = Arc::new(Stage::new(bound.url(), bound.door(), fresh()));
        (Self(Arc::clone(&stage)), bound.serve(stage))
    }

    /// `sync_base_url`, such as `http://127.0.0.1:7808`, without a slash at its end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.0.base_url
    }

    /// The tenant, which is part of every path.
    #[must_use]
    pub fn tenant(&self) -> &str {
        TENANT
    }

    /// The sync credential that is good from the start.
    #[must_use]
    pub fn token(&self) -> &str {
        TOKEN
    }

    /// Makes another text the only good credential.
    pub fn set_token(&self, token: &str) {
        token.clone_into(&mut self.0.state().office.token);
    }

    /// What a contact sees with his own access now, as W33 answers it; nothing without a grant.
    #[must_use]
    pub fn view(&self, contact: &ContactRef) -> Option<Value> {
        self.0.state().office.portal.view(&Viewer::Own(contact.clone())).ok().map(|(_, data)| data)
    }

    /// What an administrator sees now who enters with the pair of this tag.
    #[must_use]
    pub fn view_of_union(&self, pair_tag: &str) -> Option<Value> {
        self.0.state().office.portal.view(&Viewer::Union(pair_tag.to_owned())).ok().map(|(_, data)| data)
    }

    /// Every grant as W11 answers it.
    #[must_use]
    pub fn grants(&self) -> Vec<Value> {
        self.0.state().office.portal.grants.values().map(|grant| json!(grant)).collect()
    }

    /// A case as W32 answers it.
    #[must_use]
    pub fn case(&self, id: i64) -> Option<Value> {
        self.0.state().office.portal.case(id).ok().map(|(_, data)| data)
    }

    /// Every withdrawal that took effect, as W41 answers it.
    #[must_use]
    pub fn withdrawals(&self) -> Vec<Value> {
        let (_, data) = match self.0.state().office.portal.list_withdrawals(0, usize::MAX) {
            Ok(done) => done,
            Err(_) => return Vec::new(),
        };
        data.get("items").and_then(Value::as_array).cloned().unwrap_or_default()
    }

    /// Bytes and media type of a stored blob.
    #[must_use]
    pub fn blob(&self, sha256: &str) -> Option<(Bytes, String)> {
        let state = self.0.state();
        state.office.portal.blobs.get(sha256).map(|blob| (blob.bytes.clone(), blob.media_type.clone()))
    }

    /// Digests of pictures that a view refers to and that were never stored.
    #[must_use]
    pub fn missing_pictures(&self) -> BTreeSet<String> {
        self.0.state().office.portal.missing_pictures()
    }

    /// Pushes and batches that carried a field or a modality that their grant did not show when they came.
    #[must_use]
    pub fn excesses(&self) -> Vec<Value> {
        self.0.state().office.portal.excesses.clone()
    }

    /// How often the write under each `Idempotency-Key` was carried out: never more than once within 24 hours.
    #[must_use]
    pub fn executions(&self) -> BTreeMap<String, u32> {
        self.0.state().office.executions.clone()
    }

    /// How often a remembered answer was given again.
    #[must_use]
    pub fn replays(&self) -> usize {
        self.0.state().office.replays
    }

    /// Whether a text is in anything that the portal holds now for anybody: views, links, messages. What was
    /// withdrawn is gone.
    #[must_use]
    pub fn holds(&self, text: &str) -> bool {
        let state = self.0.state();
        let portal = &state.office.portal;
        let inside = |value: &Value| crate::stage::inside(value, text);
        let mut views = portal.cases.values().flat_map(|case| case.held.values());
        views.any(|held| held.view.iter().any(|(key, value)| key.contains(text) || inside(value)))
            || portal.documents.values().any(|document| inside(&json!(document.link)))
            || portal
                .threads
                .values()
                .flat_map(|thread| &thread.posted)
                .any(|one| inside(&json!(one.message)))
    }

    /// Who is in a group now; for [`differences`](Self::differences) only, since the portal knows no groups.
    pub fn set_group(&self, group: &str, members: &[ContactRef]) {
        let members = members.iter().cloned().collect();
        self.0.state().office.portal.groups.insert(group.to_owned(), members);
    }

    /// Where the portal does not show exactly what section 4.3 allows, for every viewer and every union. Computed from
    /// the firm's files, the portal's grants and the groups that were set, and from nothing that was pushed.
    #[must_use]
    pub fn differences(&self, apiges: &Apiges) -> Vec<Difference> {
        let firm = apiges.0.state();
        let portal = self.0.state();
        evaluate::differences(&firm.office.firm, &portal.office.portal)
    }

    /// What a viewer may see by section 4.3: case and fields, pictures as their digest.
    #[must_use]
    pub fn allowed(&self, apiges: &Apiges, contact: &ContactRef) -> BTreeMap<i64, Value> {
        let firm = apiges.0.state();
        let portal = self.0.state();
        evaluate::allowed(&firm.office.firm, &portal.office.portal, &Viewer::Own(contact.clone()))
    }

    /// Who can look: every contact with a grant, and every union of an administrator by its members. The tag of a union
    /// is no name for people, so unions are counted.
    pub(crate) fn viewers(&self) -> Vec<(String, Vec<ContactRef>)> {
        let state = self.0.state();
        let portal = &state.office.portal;
        let own = portal.grants.keys().map(|contact| (contact.to_string(), vec![contact.clone()]));
        let unions = unions(portal).into_values().enumerate();
        own.chain(unions.map(|(at, members)| (format!("union-{}", at + 1), members))).collect()
    }

    /// What a viewer of [`viewers`](Self::viewers) sees now, and what is kept from him and why, file by file.
    pub(crate) fn explained(&self, apiges: &Apiges, viewer: &str) -> Option<BTreeMap<i64, Explained>> {
        let firm = apiges.0.state();
        let portal = self.0.state();
        let portal = &portal.office.portal;
        let known = |contact: &ContactRef| portal.grants.contains_key(contact);
        let viewer = match viewer.strip_prefix("union-").and_then(|at| at.parse::<usize>().ok()) {
            Some(at) => Viewer::Union(unions(portal).into_keys().nth(at.checked_sub(1)?)?.to_owned()),
            None => Viewer::Own(ContactRef::named(viewer).filter(known)?),
        };
        Some(evaluate::explained(&firm.office.firm, portal, &viewer))
    }

    /// Has W60 answer 422 `hidden` for this document, or no longer.
    pub fn mark_hidden(&self, case: i64, annotation: &str, document: &str, hidden: bool) {
        let key = (case, annotation.to_owned(), document.to_owned());
        let set = &mut self.0.state().office.portal.hidden;
        if hidden {
            set.insert(key);
        } else {
            set.remove(&key);
        }
    }

    /// A viewer writes a message on the portal, which W74 tells. Answers its id; nothing if he does not see the case.
    #[must_use]
    pub fn viewer_writes(&self, case: i64, viewer: &ContactRef, text: &str) -> Option<String> {
        let mut state = self.0.state();
        let now = instant(state.timeline.now());
        state.office.portal.viewer_writes(case, viewer, text, &now)
    }

    /// A message reaches a viewer, or he opens or acknowledges it, which W74 tells. Answers the receipt's id; nothing if
    /// he does not see the message's case.
    #[must_use]
    pub fn viewer_receives(&self, message: &str, viewer: &ContactRef, event: ReceiptEvent) -> Option<String> {
        let mut state = self.0.state();
        let now = instant(state.timeline.now());
        state.office.portal.viewer_receives(message, viewer, event, &now)
    }

    /// `sent`, `delivered`, `read` or `acknowledged`.
    #[must_use]
    pub fn message_state(&self, message: &str) -> Option<&'static str> {
        self.0.state().office.portal.message_state(message)
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.0.state().office.portal.settings.clone()
    }

    /// Changes settings.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.0.state().office.portal.settings);
    }

    /// Back to the beginning: an empty portal, default settings, a running clock, no requests or faults. A port that
    /// refuses connections stays so.
    pub fn reset(&self) {
        self.0.reset(fresh());
    }

    /// Everything that can be read back in short, as JSON for the control API.
    pub(crate) fn snapshot(&self) -> Value {
        let state = self.0.state();
        let portal = &state.office.portal;
        json!({
            "base_url": self.0.base_url,
            "tenant": TENANT,
            "token": TOKEN,
            "now": state.timeline.now().iso_micros(),
            "grants": portal.grants.values().collect::<Vec<_>>(),
            "groups": portal.groups,
            "cases": portal.cases.len(),
            "withdrawals": portal.withdrawals.len(),
            "blobs": portal.blobs.len(),
            "events": portal.events,
            "excesses": portal.excesses,
            "executions": state.office.executions,
            "replays": state.office.replays,
            "requests": state.requests,
            "connections": state.connections,
            "faults": state.faults,
            "twists": state.twists,
            "settings": portal.settings,
        })
    }
}
