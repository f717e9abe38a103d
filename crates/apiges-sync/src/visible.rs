//! The one function that says who sees what: [`visible`] (contract 4.3). Deny wins.
//!
//! It is pure: everything it judges by is handed in. What it returns is masked already, so that a hidden value reaches no outbox, log,
//! cache, search, export or error.
//!
//! | step | test | if it fails |
//! |---|---|---|
//! | 1 | the viewer's own grant, or every grant with the administrator's pair; only active ones | nothing |
//! | 2 | the holder is the grant's contact or, with group scope, both are in the grant's group now | not by this grant |
//! | 3 | the file is open, or the grant keeps closed ones | not by this grant |
//! | 4 | its modality is excluded neither by the grant nor, with group scope, by the holder's own grant | not by this grant |
//! | 5 | the grant's box is ticked and, with group scope over another holder, in the holder's own grant too | field absent |
//! | 6 | every grant of the viewer that reaches the file shows the field | field absent |
//!
//! Where the contract is silent, what is not known is denied: a file without state counts as closed, one without modality as excluded
//! by whoever excludes any, id 0 as nobody. A holder's own grant restricts others while it is suspended, too.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::grant::{CaseField, HolderRole, PairTag, Rules};
use crate::web::{ClosedCases, ContactRef, Grant, GrantState, Projection, Reason, Scope, View};

/// What is known of a case file, before anybody looks at it. `Debug` shows which fields there are and nothing of what they say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaseFacts {
    /// The file.
    pub case_id: u64,
    /// The client's numeric id.
    pub client: Option<u64>,
    /// The intermediary's numeric id.
    pub intermediary: Option<u64>,
    /// The agent's numeric id.
    pub agent: Option<u64>,
    /// Every field that any viewer might see, unmasked.
    pub full: View,
}

impl CaseFacts {
    /// Who holds it in a role; nobody has the id 0.
    #[must_use]
    pub fn holder(&self, role: HolderRole) -> Option<u64> {
        let id = match role {
            HolderRole::Client => self.client,
            HolderRole::Intermediary => self.intermediary,
            HolderRole::Agent => self.agent,
        };
        id.filter(|id| *id != 0)
    }

    fn modality(&self) -> Option<&str> {
        self.full.modalidad.as_ref().map(|modality| modality.codigo.as_str())
    }

    fn state(&self) -> Option<&str> {
        self.full.estado.as_ref().map(|state| state.codigo.as_str())
    }

    fn masked(&self, shown: &BTreeSet<CaseField>) -> View {
        let full = self.full.clone();
        let keep = |field, value: Option<String>| value.filter(|_| shown.contains(&field));
        View {
            referencia: keep(CaseField::Referencia, full.referencia),
            referencia2: keep(CaseField::Referencia2, full.referencia2),
            referencia3: keep(CaseField::Referencia3, full.referencia3),
            clave: keep(CaseField::Clave, full.clave),
            ..full
        }
    }
}

/// Who is in which group now, by numeric id (N5).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Membership {
    members: BTreeMap<u64, (ContactRef, BTreeSet<String>)>,
}

impl Membership {
    /// Nobody in any group.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a contact into a group.
    pub fn join(&mut self, contact_id: u64, contact: ContactRef, group: impl Into<String>) {
        let member = self.members.entry(contact_id).or_insert_with(|| (contact.clone(), BTreeSet::new()));
        member.0 = contact;
        member.1.insert(group.into());
    }

    /// Takes a contact out of a group.
    pub fn leave(&mut self, contact_id: u64, group: &str) {
        if let Some((_, groups)) = self.members.get_mut(&contact_id) {
            groups.remove(group);
        }
    }

    /// Whether a contact is in a group. Nobody is in a group without a name.
    #[must_use]
    pub fn contains(&self, contact_id: u64, group: &str) -> bool {
        let named = !group.trim().is_empty();
        named && self.members.get(&contact_id).is_some_and(|(_, groups)| groups.contains(group))
    }

    /// The numeric ids of a group's members.
    pub fn of_group<'m>(&'m self, group: &'m str) -> impl Iterator<Item = u64> + 'm {
        self.members.keys().copied().filter(move |id| self.contains(*id, group))
    }

    /// A contact's groups.
    #[cfg(feature = "store")]
    fn groups_of(&self, contact_id: u64) -> impl Iterator<Item = &String> {
        self.members.get(&contact_id).into_iter().flat_map(|(_, groups)| groups)
    }

    fn contact(&self, contact_id: u64) -> Option<&ContactRef> {
        self.members.get(&contact_id).map(|(contact, _)| contact)
    }
}

/// All grants of a tenant, each contact's one; the order in which they came does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    by_contact: BTreeMap<ContactRef, Grant>,
    by_id: BTreeMap<u64, BTreeSet<ContactRef>>,
    /// Those with group scope.
    by_group: BTreeMap<String, BTreeSet<ContactRef>>,
}

impl Grants {
    /// No grants: nobody sees anything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a grant, in place of the contact's former one.
    pub fn insert(&mut self, grant: Grant) {
        self.remove(&grant.contact);
        self.by_id.entry(grant.contact_id).or_default().insert(grant.contact.clone());
        if let Scope::Group { group } = &grant.scope {
            self.by_group.entry(group.clone()).or_default().insert(grant.contact.clone());
        }
        self.by_contact.insert(grant.contact.clone(), grant);
    }

    /// Takes a grant away.
    pub fn remove(&mut self, contact: &ContactRef) -> Option<Grant> {
        let grant = self.by_contact.remove(contact)?;
        if let Some(aliases) = self.by_id.get_mut(&grant.contact_id) {
            aliases.remove(contact);
        }
        if let Scope::Group { group } = &grant.scope
            && let Some(scoped) = self.by_group.get_mut(group)
        {
            scoped.remove(contact);
        }
        Some(grant)
    }

    /// A contact's grant.
    #[must_use]
    pub fn get(&self, contact: &ContactRef) -> Option<&Grant> {
        self.by_contact.get(contact)
    }

    /// All grants, by contact.
    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.by_contact.values()
    }

    /// The grants of a contact, by identity: one, unless a code was renamed and both are known.
    /// The grants that may reach a file: those of its holders, and those over a group that a holder is in. Whoever is not among them is
    /// denied by step 2; whoever is may still be denied. A grant may come more than once.
    #[cfg(feature = "store")]
    pub(crate) fn reaching<'g>(
        &'g self,
        file: &CaseFacts,
        groups: &'g Membership,
    ) -> impl Iterator<Item = &'g Grant> + use<'g> {
        let roles = [HolderRole::Client, HolderRole::Intermediary, HolderRole::Agent];
        let holders = roles.map(|role| file.holder(role));
        holders.into_iter().flatten().flat_map(move |holder| {
            let by_group = groups.groups_of(holder).filter_map(|group| self.by_group.get(group)).flatten();
            self.own_of(holder).chain(by_group.filter_map(|contact| self.by_contact.get(contact)))
        })
    }

    fn own_of(&self, contact_id: u64) -> impl Iterator<Item = &Grant> {
        self.by_id.get(&contact_id).into_iter().flatten().filter_map(|contact| self.by_contact.get(contact))
    }

    /// Step 1, without the states.
    fn of_viewer(&self, viewer: &Viewer) -> Vec<&Grant> {
        match viewer {
            Viewer::Contact(contact) => self.get(contact).into_iter().collect(),
            Viewer::Administrator(tag) => self.iter().filter(|grant| is_in_union(grant, tag)).collect(),
        }
    }
}

impl FromIterator<Grant> for Grants {
    fn from_iter<T: IntoIterator<Item = Grant>>(grants: T) -> Self {
        let mut all = Self::new();
        grants.into_iter().for_each(|grant| all.insert(grant));
        all
    }
}

fn is_in_union(grant: &Grant, tag: &PairTag) -> bool {
    grant.admin.as_ref().is_some_and(|admin| admin.pair_tag.matches(tag))
}

/// Who looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Viewer {
    /// A contact that entered with its own access data.
    Contact(ContactRef),
    /// Somebody who entered with an administrator pair (S7).
    Administrator(PairTag),
}

/// Why a grant does not reach a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Denial {
    /// Step 1: it is suspended.
    NotActive,
    /// Step 2: contacts of this kind hold no files (N4).
    NoHolderRole,
    /// Step 2: the file is another's, and no group opens it.
    NotHolder,
    /// Step 3: the file is closed, or nobody says that it is open.
    Closed,
    /// Step 4: the grant excludes its modality.
    ModalityExcluded,
    /// Step 4: the holder's own grant excludes its modality.
    ModalityExcludedByHolder,
}

impl Denial {
    /// The step of the table that decided.
    #[must_use]
    pub const fn step(&self) -> u8 {
        match self {
            Self::NotActive => 1,
            Self::NoHolderRole | Self::NotHolder => 2,
            Self::Closed => 3,
            Self::ModalityExcluded | Self::ModalityExcludedByHolder => 4,
        }
    }

    /// The reason that a withdrawal gives for it, unless the cause of the change gives a better one (a moved file, a revoked grant).
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::NotActive => Reason::GrantRevoked,
            Self::NoHolderRole | Self::NotHolder => Reason::ScopeNarrowed,
            Self::Closed => Reason::CaseClosed,
            Self::ModalityExcluded | Self::ModalityExcludedByHolder => Reason::ModalityExcluded,
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotActive => "the grant is not active",
            Self::NoHolderRole => "contacts of this kind hold no files",
            Self::NotHolder => "the file is held by another, and no group opens it",
            Self::Closed => "the file is not open",
            Self::ModalityExcluded => "the grant excludes the modality",
            Self::ModalityExcludedByHolder => "the holder's own grant excludes the modality",
        })
    }
}

/// Why a field is absent, although its file is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mask {
    /// Step 5: the grant's box is not ticked. In a union this is step 6: it counts for every grant.
    BoxNotTicked,
    /// Step 5: the holder's own grant does not show it.
    HolderDoesNotShow,
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BoxNotTicked => "its box is not ticked",
            Self::HolderDoesNotShow => "the holder's own grant does not show it",
        })
    }
}

/// What one grant opens of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// Whose file it is.
    pub holder: ContactRef,
    /// The boxed fields that it hides, and why; it shows the others.
    pub masked: BTreeMap<CaseField, Mask>,
}

impl Reach {
    /// The boxed fields that it shows.
    #[must_use]
    pub fn shown(&self) -> BTreeSet<CaseField> {
        CaseField::ALL.into_iter().filter(|field| !self.masked.contains_key(field)).collect()
    }
}

/// Why a file is not seen at all.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unseen {
    /// Step 1: the viewer has no grant.
    NoGrant,
    /// None of the viewer's grants reaches it.
    Denied(Vec<(ContactRef, Denial)>),
}

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Denied(denials) = self else { return f.write_str("step 1: no grant") };
        for (index, (contact, denial)) in denials.iter().enumerate() {
            let separator = if index > 0 { "; " } else { "" };
            write!(f, "{separator}{contact}: step {}: {denial}", denial.step())?;
        }
        Ok(())
    }
}

/// How it was decided, grant by grant. It holds no value of the file.
///
/// `Display` gives one line for each grant, such as `C/1: reaches the file, without clave (step 5: its box is not ticked)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Each of the viewer's grants with what it says.
    pub by_grant: Vec<(ContactRef, Result<Reach, Denial>)>,
}

impl Explanation {
    /// The boxed fields that the viewer sees (step 6); nothing if the file is not seen.
    #[must_use]
    pub fn shown(&self) -> Option<BTreeSet<CaseField>> {
        let shown = self.by_grant.iter().filter_map(|(_, verdict)| verdict.as_ref().ok()).map(Reach::shown);
        shown.reduce(|all, one| &all & &one)
    }

    /// Which step hides a field, and by whose grant; empty if it is seen, or if the file is not.
    #[must_use]
    pub fn hidden_by(&self, field: CaseField) -> Vec<(u8, &ContactRef, Mask)> {
        let reaching: Vec<_> = self
            .by_grant
            .iter()
            .filter_map(|(contact, verdict)| Some((contact, verdict.as_ref().ok()?)))
            .collect();
        let alone = reaching.iter().all(|(_, reach)| reach.masked.contains_key(&field));
        let step = if alone { 5 } else { 6 };
        let masks =
            reaching.into_iter().filter_map(|(contact, reach)| Some((contact, *reach.masked.get(&field)?)));
        masks.map(|(contact, mask)| (step, contact, mask)).collect()
    }

    fn unseen(self) -> Unseen {
        let denials =
            self.by_grant.into_iter().filter_map(|(contact, verdict)| Some((contact, verdict.err()?)));
        let denials: Vec<_> = denials.collect();
        if denials.is_empty() { Unseen::NoGrant } else { Unseen::Denied(denials) }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.by_grant.is_empty() {
            return write!(f, "{}", Unseen::NoGrant);
        }
        for (index, (contact, verdict)) in self.by_grant.iter().enumerate() {
            f.write_str(if index > 0 { "\n" } else { "" })?;
            match verdict {
                Err(denial) => write!(f, "{contact}: step {}: {denial}", denial.step())?,
                Ok(reach) => write!(f, "{contact}: reaches the file{}", without(reach))?,
            }
        }
        Ok(())
    }
}

fn without(reach: &Reach) -> String {
    reach.masked.iter().map(|(field, mask)| format!(", without {field} (step 5: {mask})")).collect()
}

/// What a viewer sees of a file now, masked; or why not. See the table of this module.
///
/// Descriptions are taken as they stand in `file`: read it in the grant's language.
///
/// ```
/// use apiges_sync::grant::{Rules, WebGrant};
/// use apiges_sync::visible::{CaseFacts, Grants, Membership, Viewer, visible};
/// use apiges_sync::web::{ContactRef, FieldBox, Labelled, View};
///
/// let (client, rules) = (ContactRef::client("4879")?, Rules::default());
/// let grant = WebGrant::new(client.clone(), 7).show(FieldBox::Referencia1).activated()?.to_wire(&rules)?;
/// let full = View {
///     numero: Some("M4012345".into()),
///     estado: Some(Labelled::new("A", "Alta")),
///     referencia: Some("R-1".into()),
///     clave: Some("K-1".into()),
///     ..View::default()
/// };
/// let file = CaseFacts { case_id: 3992, client: Some(7), full, ..CaseFacts::default() };
///
/// let grants = Grants::from_iter([grant]);
/// let seen = visible(&Viewer::Contact(client), &file, &grants, &Membership::new(), &rules).unwrap();
/// assert_eq!(seen.referencia.as_deref(), Some("R-1"));
/// assert_eq!(seen.clave, None, "its box is not ticked");
///
/// let other = Viewer::Contact(ContactRef::client("12")?);
/// assert!(visible(&other, &file, &grants, &Membership::new(), &rules).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Unseen`] if the viewer sees nothing of it, with the step that each grant fails.
pub fn visible(
    viewer: &Viewer,
    file: &CaseFacts,
    grants: &Grants,
    groups: &Membership,
    rules: &Rules,
) -> Result<View, Unseen> {
    let explanation = explain(viewer, file, grants, groups, rules);
    match explanation.shown() {
        Some(shown) => Ok(file.masked(&shown)),
        None => Err(explanation.unseen()),
    }
}

/// How [`visible`] decides, grant by grant: for a table of who sees what.
#[must_use]
pub fn explain(
    viewer: &Viewer,
    file: &CaseFacts,
    grants: &Grants,
    groups: &Membership,
    rules: &Rules,
) -> Explanation {
    let verdict = |grant: &Grant| (grant.contact.clone(), reach(grant, file, grants, groups, rules));
    Explanation { by_grant: grants.of_viewer(viewer).into_iter().map(verdict).collect() }
}

/// What is pushed of a file for one grant: [`visible`] for the grant's own viewer, with the holder.
///
/// # Errors
/// [`Denial`] if the grant does not reach it.
pub fn project(
    grant: &Grant,
    file: &CaseFacts,
    grants: &Grants,
    groups: &Membership,
    rules: &Rules,
) -> Result<Projection, Denial> {
    let reach = reach(grant, file, grants, groups, rules)?;
    let view = file.masked(&reach.shown());
    Ok(Projection { grant: grant.contact.clone(), holder: reach.holder, view })
}

/// Steps 1 to 5 for one grant.
fn reach(
    grant: &Grant,
    file: &CaseFacts,
    grants: &Grants,
    groups: &Membership,
    rules: &Rules,
) -> Result<Reach, Denial> {
    if grant.state != GrantState::Active {
        return Err(Denial::NotActive);
    }
    let role = rules.role(grant.contact.kind()).ok_or(Denial::NoHolderRole)?;
    let holder = file.holder(role).ok_or(Denial::NotHolder)?;
    let contact = holder_in_scope(grant, holder, groups).ok_or(Denial::NotHolder)?;
    if grant.closed_cases != ClosedCases::Keep && !rules.is_open(file.state()) {
        return Err(Denial::Closed);
    }
    if excludes(grant, file.modality()) {
        return Err(Denial::ModalityExcluded);
    }
    // The contact's own files are under its own grant, which was just asked.
    let others: Vec<&Grant> =
        if holder == grant.contact_id { vec![] } else { grants.own_of(holder).collect() };
    if others.iter().any(|own| excludes(own, file.modality())) {
        return Err(Denial::ModalityExcludedByHolder);
    }
    Ok(Reach { holder: contact.clone(), masked: masks(grant, &others, rules) })
}

/// Step 2: the holder, if the grant's scope holds it.
fn holder_in_scope<'a>(grant: &'a Grant, holder: u64, groups: &'a Membership) -> Option<&'a ContactRef> {
    if holder == grant.contact_id {
        return Some(&grant.contact);
    }
    let Scope::Group { group } = &grant.scope else { return None };
    let together = groups.contains(grant.contact_id, group) && groups.contains(holder, group);
    groups.contact(holder).filter(|_| together)
}

/// Step 4 for one grant.
fn excludes(grant: &Grant, modality: Option<&str>) -> bool {
    match modality {
        Some(code) => grant.excluded_modalities.contains(code),
        None => !grant.excluded_modalities.is_empty(),
    }
}

/// Step 5: what is not shown, and why.
fn masks(grant: &Grant, others: &[&Grant], rules: &Rules) -> BTreeMap<CaseField, Mask> {
    let ticked = rules.shown(&grant.show);
    let shown_by_all = |field: &CaseField| others.iter().all(|own| rules.shown(&own.show).contains(field));
    let mask = |field: CaseField| {
        if !ticked.contains(&field) {
            return Some((field, Mask::BoxNotTicked));
        }
        (!shown_by_all(&field)).then_some((field, Mask::HolderDoesNotShow))
    };
    CaseField::ALL.into_iter().filter_map(mask).collect()
}

#[cfg(test)]
mod tests;
