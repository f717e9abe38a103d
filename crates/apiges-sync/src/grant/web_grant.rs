//! A grant as a value: what is not opened stays shut (contract N1 to N4, N6, N7).

use std::collections::BTreeSet;

use integration_core::{Error, ErrorKind, Fault, Faults, Outcome, Secret};

use super::pair::{EmptyPair, PairTag, UnionKey};
use super::rules::Rules;
use crate::language::Lang;
use crate::web::{AdminPair, ClosedCases, ContactRef, FieldBox, Grant, GrantState, PreviewId, Scope};

/// Where a grant is in its life (N2): `draft` → `active` ⇄ `suspended` → `revoked`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Local only.
    Draft,
    /// Its viewer sees what it opens.
    Active,
    /// Its viewer sees nothing; the data stays.
    Suspended,
    /// Everything is withdrawn; that is final.
    Revoked,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pair {
    None,
    Empty,
    Tag(PairTag),
}

/// What a contact may see. A new one opens the contact's own files and none of the four boxes (N1).
///
/// ```
/// use apiges_sync::grant::{Rules, WebGrant};
/// use apiges_sync::web::{ContactRef, FieldBox, GrantState};
///
/// let grant = WebGrant::new(ContactRef::client("4879")?, 1)
///     .show(FieldBox::Referencia1)
///     .exclude_modality("P")
///     .activated()?
///     .to_wire(&Rules::default())?;
/// assert_eq!(grant.state, GrantState::Active);
/// assert!(!grant.show.contains(&FieldBox::Clave));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a grant does nothing until it is sent"]
#[doc(alias("autorizacion", "autorización", "permiso"))]
pub struct WebGrant {
    contact: ContactRef,
    contact_id: u64,
    version: u64,
    stage: Stage,
    scope: Scope,
    show: BTreeSet<FieldBox>,
    excluded: BTreeSet<String>,
    pair: Pair,
    preview: Option<PreviewId>,
    closed: ClosedCases,
    lang: Lang,
}

impl WebGrant {
    /// A draft that opens the contact's own files, without any of the boxes. `contact_id` is the contact's numeric id at the service.
    pub fn new(contact: ContactRef, contact_id: u64) -> Self {
        Self {
            contact,
            contact_id,
            version: 0,
            stage: Stage::Draft,
            scope: Scope::Own,
            show: BTreeSet::new(),
            excluded: BTreeSet::new(),
            pair: Pair::None,
            preview: None,
            closed: ClosedCases::Withdraw,
            lang: Lang::default(),
        }
    }

    /// A grant as the portal keeps it, to be changed. A state that this crate does not know counts as suspended.
    pub fn stored(grant: Grant) -> Self {
        let stage = if grant.state == GrantState::Active { Stage::Active } else { Stage::Suspended };
        let (pair, preview) = match grant.admin {
            Some(AdminPair { pair_tag, preview_id }) => (Pair::Tag(pair_tag), Some(preview_id)),
            None => (Pair::None, None),
        };
        Self {
            contact: grant.contact,
            contact_id: grant.contact_id,
            version: grant.version,
            stage,
            scope: grant.scope,
            show: grant.show,
            excluded: grant.excluded_modalities,
            pair,
            preview,
            closed: grant.closed_cases,
            lang: grant.lang,
        }
    }

    /// Opens the files of everybody who is in the contact's group, in place of its own only (S5).
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.scope = Scope::Group { group: group.into() };
        self
    }

    /// Opens the contact's own files only.
    pub fn own(mut self) -> Self {
        self.scope = Scope::Own;
        self
    }

    /// Ticks a box.
    pub fn show(mut self, ticked: FieldBox) -> Self {
        self.show.insert(ticked);
        self
    }

    /// Unticks a box.
    pub fn hide(mut self, ticked: &FieldBox) -> Self {
        self.show.remove(ticked);
        self
    }

    /// Does not open files of a modality, given by its code (S6).
    pub fn exclude_modality(mut self, code: impl Into<String>) -> Self {
        self.excluded.insert(code.into());
        self
    }

    /// Opens files of a modality again.
    pub fn include_modality(mut self, code: &str) -> Self {
        self.excluded.remove(code);
        self
    }

    /// Says what becomes of files that are closed; they are withdrawn otherwise.
    pub fn closed_cases(mut self, closed: ClosedCases) -> Self {
        self.closed = closed;
        self
    }

    /// The language of descriptions; Spanish otherwise.
    pub fn lang(mut self, lang: Lang) -> Self {
        self.lang = lang;
        self
    }

    /// Sets the administrator pair (S7, N6). It takes effect when the members of its union were shown and
    /// [`confirmed`](Self::confirmed); another pair leaves the old union at once. Code and key are not kept.
    pub fn administrator(mut self, union_key: &UnionKey, code: &str, key: &Secret) -> Self {
        self.preview = None;
        self.pair = match union_key.tag(code, key) {
            Ok(tag) => Pair::Tag(tag),
            Err(EmptyPair) => Pair::Empty,
        };
        self
    }

    /// Says that the members of the union were shown to a person: the id of that preview (W16, N7).
    pub fn confirmed(mut self, preview: PreviewId) -> Self {
        self.preview = Some(preview);
        self
    }

    /// Takes it out of its union.
    pub fn without_administrator(mut self) -> Self {
        (self.pair, self.preview) = (Pair::None, None);
        self
    }

    /// Where it is in its life.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        self.stage
    }

    /// The pair's tag, for the preview of the union.
    #[must_use]
    pub const fn pair_tag(&self) -> Option<&PairTag> {
        match &self.pair {
            Pair::Tag(tag) => Some(tag),
            Pair::None | Pair::Empty => None,
        }
    }

    /// From draft to active.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] in any other stage.
    pub fn activated(self) -> Result<Self, Error> {
        self.moved(&[Stage::Draft], Stage::Active)
    }

    /// From active to suspended: the portal refuses, the data stays.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] in any other stage.
    pub fn suspended(self) -> Result<Self, Error> {
        self.moved(&[Stage::Active], Stage::Suspended)
    }

    /// From suspended to active: a single push has to follow.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] in any other stage.
    pub fn resumed(self) -> Result<Self, Error> {
        self.moved(&[Stage::Suspended], Stage::Active)
    }

    /// From active or suspended to revoked: everything is withdrawn.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] in any other stage.
    pub fn revoked(self) -> Result<Self, Error> {
        self.moved(&[Stage::Active, Stage::Suspended], Stage::Revoked)
    }

    fn moved(mut self, from: &[Stage], to: Stage) -> Result<Self, Error> {
        if !from.contains(&self.stage) {
            let message = format!("a grant cannot go from {:?} to {to:?}", self.stage);
            let error = Error::new(ErrorKind::Conflict, "change grant").with_outcome(Outcome::NotSent);
            return Err(error
                .with_message(message)
                .with_hint("draft, active, suspended and active, revoked"));
        }
        self.stage = to;
        Ok(self)
    }

    /// The grant as it travels.
    ///
    /// # Errors
    /// A validation error with every fault: an empty pair (N6), a pair that nobody confirmed (N7), a kind that holds no files (N4), no
    /// numeric id, an empty group, a box or a modality that nobody knows, and a stage that does not travel (N2).
    pub fn to_wire(&self, rules: &Rules) -> Result<Grant, Error> {
        let mut faults = Faults::new();
        faults.extend(self.faults(rules));
        faults.into_result("send grant")?;
        Ok(Grant {
            contact: self.contact.clone(),
            contact_id: self.contact_id,
            state: if self.stage == Stage::Active { GrantState::Active } else { GrantState::Suspended },
            version: self.version,
            scope: self.scope.clone(),
            show: self.show.clone(),
            excluded_modalities: self.excluded.clone(),
            admin: self.admin(),
            closed_cases: self.closed.clone(),
            lang: self.lang,
        })
    }

    fn admin(&self) -> Option<AdminPair> {
        let (pair_tag, preview_id) = (self.pair_tag()?.clone(), self.preview.clone()?);
        Some(AdminPair { pair_tag, preview_id })
    }

    fn faults(&self, rules: &Rules) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut fault = |broken: bool, rule, path: &str, hint: &'static str| {
            if broken {
                faults.push(Fault::error(rule, path).with_hint(hint));
            }
        };
        let travels = matches!(self.stage, Stage::Active | Stage::Suspended);
        fault(!travels, "N2", "state", "activate a draft first; a revoked grant is deleted and not sent");
        fault(self.contact_id == 0, "N4", "contactId", "the contact's numeric id, which the service gives");
        let holds = rules.role(self.contact.kind()).is_some();
        fault(!holds, "N4", "contact.kind", "contacts of this kind hold no files; see Rules::with_holder");
        let nameless = matches!(&self.scope, Scope::Group { group } if group.trim().is_empty());
        fault(nameless, "N5", "scope.group", "an empty group would unite everybody who has none");
        let unknown = self.show.iter().any(|ticked| rules.field(ticked).is_none());
        fault(unknown, "N3", "show", "a box that shows no field; see Rules::with_box");
        let blank = self.excluded.iter().any(|code| code.trim().is_empty());
        fault(blank, "S6", "excludedModalities", "the code of a modality");
        fault(
            matches!(self.closed, ClosedCases::Other(_)),
            "4.3",
            "closedCases",
            "withdraw or keep: nobody knows what another word does",
        );
        fault(
            self.pair == Pair::Empty,
            "N6",
            "admin.pairTag",
            "empty-pair: give both code and key, or neither",
        );
        let unconfirmed = self.pair_tag().is_some() != self.preview.is_some();
        let unconfirmed = unconfirmed && self.pair != Pair::Empty;
        fault(
            unconfirmed,
            "N7",
            "admin.previewId",
            "show the members of the union and pass the preview's id",
        );
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::ContactKind;
    use serde_json::json;

    fn draft() -> WebGrant {
        WebGrant::new(ContactRef::client("4879").unwrap(), 7)
    }

    fn key() -> UnionKey {
        UnionKey::from_hex(Secret::new("ab".repeat(32))).unwrap()
    }

    fn wire(grant: &WebGrant) -> Grant {
        grant.to_wire(&Rules::default()).unwrap()
    }

    fn broken(grant: &WebGrant) -> Vec<(&'static str, String)> {
        let error = grant.to_wire(&Rules::default()).unwrap_err();
        error.faults().iter().map(|fault| (fault.rule(), fault.path().to_owned())).collect()
    }

    #[test]
    fn a_new_grant_opens_own_files_and_no_box() {
        let expected = json!({
            "contact": {"kind": "C", "code": "4879"}, "contactId": 7, "state": "active", "version": 0,
            "scope": {"type": "own"}, "show": [], "excludedModalities": [], "admin": null,
            "closedCases": "withdraw", "lang": "es"
        });
        assert_eq!(serde_json::to_value(wire(&draft().activated().unwrap())).unwrap(), expected);
    }

    #[test]
    fn all_faults_come_at_once_and_nothing_secret_with_them() {
        let supplier = ContactRef::new(ContactKind::from_wire("P"), "1").unwrap();
        let grant = WebGrant::new(supplier, 0)
            .group(" ")
            .show(FieldBox::from_wire("referencia4"))
            .exclude_modality("")
            .closed_cases(ClosedCases::from_wire("forget"))
            .administrator(&key(), "", &Secret::new("canary-key"));
        let expected = [
            ("N2", "state"),
            ("N4", "contactId"),
            ("N4", "contact.kind"),
            ("N5", "scope.group"),
            ("N3", "show"),
            ("S6", "excludedModalities"),
            ("4.3", "closedCases"),
            ("N6", "admin.pairTag"),
        ];
        assert_eq!(broken(&grant), expected.map(|(rule, path)| (rule, path.to_owned())));
        let error = grant.to_wire(&Rules::default()).unwrap_err();
        assert!(!format!("{grant:?}{error:?}{error}").contains("canary"));
        assert!(
            error.is_not_sent() && error.faults().iter().any(|fault| fault.hint().starts_with("empty-pair"))
        );
    }

    #[test]
    fn a_pair_takes_effect_when_its_union_was_shown() {
        let paired = draft().activated().unwrap().administrator(&key(), "A", &Secret::new("K"));
        assert_eq!(broken(&paired), [("N7", "admin.previewId".to_owned())]);
        let confirmed = paired.confirmed(PreviewId::new("p-1"));
        let admin = wire(&confirmed).admin.unwrap();
        assert_eq!(admin.pair_tag, key().tag("A", &Secret::new("K")).unwrap());
        let changed = confirmed.clone().administrator(&key(), "A", &Secret::new("L"));
        assert_eq!(
            broken(&changed),
            [("N7", "admin.previewId".to_owned())],
            "the old preview showed another union"
        );
        assert_eq!(wire(&confirmed.without_administrator()).admin, None);
        let lone = draft().activated().unwrap().confirmed(PreviewId::new("p-1"));
        assert_eq!(broken(&lone), [("N7", "admin.previewId".to_owned())]);
    }

    #[test]
    fn what_was_opened_can_be_shut_again() {
        let grant = draft().activated().unwrap().group("G7").show(FieldBox::Clave).exclude_modality("P");
        let grant = grant.closed_cases(ClosedCases::Keep).lang(Lang::Pt);
        assert_eq!(WebGrant::stored(wire(&grant)), grant);
        let shut = grant.own().hide(&FieldBox::Clave).include_modality("P").lang(Lang::Es);
        assert_eq!(shut.closed_cases(ClosedCases::Withdraw), draft().activated().unwrap());
    }

    #[test]
    fn stages_follow_one_another() {
        type Move = fn(WebGrant) -> Result<WebGrant, Error>;
        let moves: [(Move, Stage); 4] = [
            (WebGrant::activated, Stage::Active),
            (WebGrant::suspended, Stage::Suspended),
            (WebGrant::resumed, Stage::Active),
            (WebGrant::revoked, Stage::Revoked),
        ];
        let active = draft().activated().unwrap();
        let suspended = active.clone().suspended().unwrap();
        let revoked = active.clone().revoked().unwrap();
        for (grant, allowed) in [
            (draft(), [true, false, false, false]),
            (active, [false, true, false, true]),
            (suspended.clone(), [false, false, true, true]),
            (revoked.clone(), [false; 4]),
        ] {
            for ((step, to), allowed) in moves.iter().zip(allowed) {
                let moved = step(grant.clone()).map(|grant| grant.stage());
                assert_eq!(moved.ok(), allowed.then_some(*to), "{:?} to {to:?}", grant.stage());
            }
        }
        assert_eq!(wire(&suspended).state, GrantState::Suspended);
        assert_eq!(broken(&revoked), [("N2", "state".to_owned())]);
        let mut unknown = wire(&suspended);
        unknown.state = GrantState::from_wire("frozen");
        assert_eq!(WebGrant::stored(unknown).stage(), Stage::Suspended);
    }
}
