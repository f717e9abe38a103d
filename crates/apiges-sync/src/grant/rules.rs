//! What is assumed about boxes, holders and closed files, in one place and to be changed there (contract N3, N4, step 3 of 4.3).

use std::collections::{BTreeMap, BTreeSet};

use integration_core::{Error, Fault, Faults};

use crate::web::{ContactKind, FieldBox};

/// A field of a case file that is shown only if a box says so. There is no other: the fourth reference, the remarks and a contact's
/// key have no place here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CaseField {
    /// `referencia`.
    Referencia,
    /// `referencia2`.
    Referencia2,
    /// `referencia3`.
    Referencia3,
    /// `clave` of the case file.
    Clave,
}

impl CaseField {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Referencia, Self::Referencia2, Self::Referencia3, Self::Clave];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Referencia => "referencia",
            Self::Referencia2 => "referencia2",
            Self::Referencia3 => "referencia3",
            Self::Clave => "clave",
        }
    }
}

impl std::fmt::Display for CaseField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The role in which a contact holds a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HolderRole {
    /// `idCliente`.
    #[doc(alias("idCliente", "cliente"))]
    Client,
    /// `idIntermediario`.
    #[doc(alias = "idIntermediario")]
    Intermediary,
    /// `idAgente`.
    #[doc(alias = "idAgente")]
    Agent,
}

/// The assumptions by which grants are judged. [`Rules::default`] holds the contract's.
///
/// ```
/// use apiges_sync::grant::{CaseField, Rules};
/// use apiges_sync::web::FieldBox;
///
/// let rules = Rules::default().with_box(FieldBox::Clave, CaseField::Referencia3);
/// assert!(rules.check().is_err(), "two boxes would show one field");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    boxes: BTreeMap<FieldBox, CaseField>,
    holders: BTreeMap<ContactKind, HolderRole>,
    closed: BTreeSet<String>,
}

impl Default for Rules {
    /// Each box shows the field of its name; `C`, `I` and `A` hold files as client, intermediary and agent; `B` is closed.
    fn default() -> Self {
        Self {
            boxes: BTreeMap::from([
                (FieldBox::Referencia1, CaseField::Referencia),
                (FieldBox::Referencia2, CaseField::Referencia2),
                (FieldBox::Referencia3, CaseField::Referencia3),
                (FieldBox::Clave, CaseField::Clave),
            ]),
            holders: BTreeMap::from([
                (ContactKind::Client, HolderRole::Client),
                (ContactKind::Intermediary, HolderRole::Intermediary),
                (ContactKind::Agent, HolderRole::Agent),
            ]),
            closed: BTreeSet::from(["B".to_owned()]),
        }
    }
}

impl Rules {
    /// Lets a box show another field.
    #[must_use]
    pub fn with_box(mut self, ticked: FieldBox, field: CaseField) -> Self {
        self.boxes.insert(ticked, field);
        self
    }

    /// Lets a kind of contact hold files in a role.
    #[must_use]
    pub fn with_holder(mut self, kind: ContactKind, role: HolderRole) -> Self {
        self.holders.insert(kind, role);
        self
    }

    /// Lets no contact of a kind hold files: it cannot be granted anything then.
    #[must_use]
    pub fn without_holder(mut self, kind: &ContactKind) -> Self {
        self.holders.remove(kind);
        self
    }

    /// The codes of `estado` that mean closed, in place of `B`.
    #[must_use]
    pub fn with_closed_states<T: Into<String>>(mut self, codes: impl IntoIterator<Item = T>) -> Self {
        self.closed = codes.into_iter().map(Into::into).collect();
        self
    }

    /// Checks that no two boxes show one field, which would make either of them open what the other hides.
    ///
    /// # Errors
    /// A validation error with every field that has more than one box.
    pub fn check(&self) -> Result<(), Error> {
        let mut faults = Faults::new();
        for field in CaseField::ALL {
            let count = self.boxes.values().filter(|shown| **shown == field).count();
            if count > 1 {
                let hint = "each box shows a field of its own";
                faults
                    .push(Fault::error("N3", field.as_str()).with_actual(count.to_string()).with_hint(hint));
            }
        }
        faults.into_result("configure rules").map(drop)
    }

    /// The field of a box; a box that nobody knows has none.
    #[must_use]
    pub fn field(&self, ticked: &FieldBox) -> Option<CaseField> {
        self.boxes.get(ticked).copied()
    }

    /// The fields that ticked boxes show.
    #[must_use]
    pub fn shown(&self, show: &BTreeSet<FieldBox>) -> BTreeSet<CaseField> {
        show.iter().filter_map(|ticked| self.field(ticked)).collect()
    }

    /// The role in which contacts of a kind hold files.
    #[must_use]
    pub fn role(&self, kind: &ContactKind) -> Option<HolderRole> {
        self.holders.get(kind).copied()
    }

    /// Whether a state says that the file is open. One without a state is not: nobody said so.
    #[must_use]
    pub fn is_open(&self, state: Option<&str>) -> bool {
        state.is_some_and(|state| !self.closed.contains(state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contracts_table() {
        let rules = Rules::default();
        for (ticked, field) in [
            ("referencia1", Some(CaseField::Referencia)),
            ("referencia2", Some(CaseField::Referencia2)),
            ("referencia3", Some(CaseField::Referencia3)),
            ("clave", Some(CaseField::Clave)),
            ("referencia4", None),
            ("referencia", None),
        ] {
            assert_eq!(rules.field(&FieldBox::from_wire(ticked)), field, "{ticked}");
        }
        for (kind, role) in [
            ("C", Some(HolderRole::Client)),
            ("I", Some(HolderRole::Intermediary)),
            ("A", Some(HolderRole::Agent)),
            ("P", None),
        ] {
            assert_eq!(rules.role(&ContactKind::from_wire(kind)), role, "{kind}");
        }
        assert_eq!([Some("A"), Some("B"), None].map(|state| rules.is_open(state)), [true, false, false]);
        assert!(rules.check().is_ok());
    }

    #[test]
    fn boxes_may_change_places_and_may_not_share_one() {
        let swapped = Rules::default()
            .with_box(FieldBox::Clave, CaseField::Referencia3)
            .with_box(FieldBox::Referencia3, CaseField::Clave);
        assert!(swapped.check().is_ok());
        assert_eq!(
            swapped.shown(&BTreeSet::from([FieldBox::Clave])),
            BTreeSet::from([CaseField::Referencia3])
        );
        let shared = Rules::default().with_box(FieldBox::from_wire("x"), CaseField::Clave);
        assert_eq!(shared.check().unwrap_err().faults().len(), 1);
    }
}
