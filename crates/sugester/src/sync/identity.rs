//! Which record of the other side is the same client (contract 4.2): by the stored link, by `external_ids`, by tax number if that
//! is switched on. Never by guessing: several candidates are reported, and nothing is written.

use std::collections::BTreeSet;

use super::mapping::Side;

/// A record of the other side that may be the same client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Candidate {
    id: u64,
    linked_to: Option<u64>,
}

impl Candidate {
    /// A record that is linked to nothing.
    #[must_use]
    pub const fn free(id: u64) -> Self {
        Self { id, linked_to: None }
    }

    /// A record that the link store knows as the partner of `own_side`, a record of the side that is looked from.
    #[must_use]
    pub const fn linked(id: u64, own_side: u64) -> Self {
        Self { id, linked_to: Some(own_side) }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }
}

/// What was found about one record. Gather in this order; what a stronger finding settles need not be asked.
///
/// Works from both sides: from BitFactura, `by_external_ids` are the clients of Sugester whose `external_ids` name the record; from
/// Sugester, they are the clients of BitFactura that the record's own `external_ids` name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    link: Option<u64>,
    tombstone: Option<Side>,
    by_external_ids: Vec<Candidate>,
    by_tax_no: Vec<Candidate>,
}

impl Findings {
    /// Nothing found.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The link store names this partner.
    #[must_use]
    pub fn with_link(self, partner: u64) -> Self {
        Self { link: Some(partner), ..self }
    }

    /// The link store knows that the partner was deleted on this side.
    #[must_use]
    pub fn with_tombstone(self, deleted_in: Side) -> Self {
        Self { tombstone: Some(deleted_in), ..self }
    }

    /// Records that `external_ids` name.
    #[must_use]
    pub fn with_external_ids(self, candidates: impl IntoIterator<Item = Candidate>) -> Self {
        Self { by_external_ids: candidates.into_iter().collect(), ..self }
    }

    /// Records with the same [`comparable`](crate::tax::comparable) tax number, which must not be empty. Leave it out unless the
    /// caller has switched this on.
    #[must_use]
    pub fn with_tax_no(self, candidates: impl IntoIterator<Item = Candidate>) -> Self {
        Self { by_tax_no: candidates.into_iter().collect(), ..self }
    }
}

/// What an identity rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Evidence {
    /// The link store.
    Link,
    /// `external_ids`.
    ExternalIds,
    /// The tax number.
    TaxNo,
}

/// Why nobody may decide.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ambiguity {
    /// More than one record fits.
    Several {
        /// By what.
        by: Evidence,
        /// Their ids, in order.
        candidates: Vec<u64>,
    },
    /// `external_ids` name a record that the link store knows as the partner of another.
    LinkedElsewhere {
        /// The record.
        candidate: u64,
        /// Whose partner it is.
        partner_of: u64,
    },
}

/// Who a record is on the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Identity {
    /// This one.
    Known {
        /// Its id.
        id: u64,
        /// By what.
        by: Evidence,
    },
    /// Nobody yet.
    New,
    /// Nobody any more: it was deleted there, and is not created again there.
    Tombstoned {
        /// Where.
        deleted_in: Side,
    },
    /// Cannot be told; to be reported, nothing is written.
    Ambiguous(Ambiguity),
}

/// Decides who the record `own` is on the other side.
///
/// A record that is already the partner of another is no candidate by tax number: two branches of one company share it.
///
/// ```
/// use sugester::sync::{Candidate, Evidence, Findings, Identity, identify};
///
/// let findings = Findings::new().with_external_ids([Candidate::free(9)]).with_tax_no([Candidate::free(5)]);
/// assert_eq!(identify(1, &findings), Identity::Known { id: 9, by: Evidence::ExternalIds });
/// let findings = Findings::new().with_tax_no([Candidate::free(5), Candidate::free(6)]);
/// assert!(matches!(identify(1, &findings), Identity::Ambiguous(_)));
/// ```
#[must_use]
pub fn identify(own: u64, findings: &Findings) -> Identity {
    if let Some(deleted_in) = findings.tombstone {
        return Identity::Tombstoned { deleted_in };
    }
    if let Some(id) = findings.link {
        return Identity::Known { id, by: Evidence::Link };
    }
    let strangers = findings.by_external_ids.iter().find_map(|candidate| {
        let partner_of = candidate.linked_to.filter(|partner| *partner != own)?;
        Some(Ambiguity::LinkedElsewhere { candidate: candidate.id, partner_of })
    });
    let free_by_tax_no =
        findings.by_tax_no.iter().filter(|candidate| candidate.linked_to.is_none_or(|id| id == own));
    only_one(findings.by_external_ids.iter(), Evidence::ExternalIds, strangers)
        .or_else(|| only_one(free_by_tax_no, Evidence::TaxNo, None))
        .unwrap_or(Identity::New)
}

/// The one candidate, or why there is none to take; `None` if nobody fits.
fn only_one<'c>(
    candidates: impl Iterator<Item = &'c Candidate>,
    by: Evidence,
    stranger: Option<Ambiguity>,
) -> Option<Identity> {
    let ids: BTreeSet<u64> = candidates.map(|candidate| candidate.id).collect();
    let first = *ids.first()?;
    Some(match (ids.len(), stranger) {
        (1, None) => Identity::Known { id: first, by },
        (1, Some(stranger)) => Identity::Ambiguous(stranger),
        _ => Identity::Ambiguous(Ambiguity::Several { by, candidates: ids.into_iter().collect() }),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_order_is_link_external_ids_tax_number() {
        let all = Findings::new()
            .with_link(1)
            .with_external_ids([Candidate::free(2)])
            .with_tax_no([Candidate::free(3)]);
        assert_eq!(identify(7, &all), Identity::Known { id: 1, by: Evidence::Link });
        let two = Findings::new().with_external_ids([Candidate::free(2)]).with_tax_no([Candidate::free(3)]);
        assert_eq!(identify(7, &two), Identity::Known { id: 2, by: Evidence::ExternalIds });
        let one = Findings::new().with_tax_no([Candidate::free(3)]);
        assert_eq!(identify(7, &one), Identity::Known { id: 3, by: Evidence::TaxNo });
        assert_eq!(identify(7, &Findings::new()), Identity::New);
    }

    #[test]
    fn several_candidates_are_reported_and_not_passed_over() {
        let findings = Findings::new()
            .with_external_ids([Candidate::free(3), Candidate::free(2), Candidate::free(3)])
            .with_tax_no([Candidate::free(9)]);
        let several = Ambiguity::Several { by: Evidence::ExternalIds, candidates: vec![2, 3] };
        assert_eq!(identify(7, &findings), Identity::Ambiguous(several));
        let findings = Findings::new().with_tax_no([Candidate::free(1), Candidate::free(2)]);
        let several = Ambiguity::Several { by: Evidence::TaxNo, candidates: vec![1, 2] };
        assert_eq!(identify(7, &findings), Identity::Ambiguous(several));
    }

    #[test]
    fn what_was_deleted_is_not_created_again() {
        let findings =
            Findings::new().with_link(1).with_tombstone(Side::Sugester).with_tax_no([Candidate::free(3)]);
        assert_eq!(identify(7, &findings), Identity::Tombstoned { deleted_in: Side::Sugester });
    }

    #[test]
    fn a_partner_of_another_is_never_taken() {
        let findings = Findings::new().with_external_ids([Candidate::linked(2, 8)]);
        let elsewhere = Ambiguity::LinkedElsewhere { candidate: 2, partner_of: 8 };
        assert_eq!(identify(7, &findings), Identity::Ambiguous(elsewhere));
        let branches = Findings::new().with_tax_no([Candidate::linked(2, 8)]);
        assert_eq!(identify(7, &branches), Identity::New);
        let branches = Findings::new().with_tax_no([Candidate::linked(2, 8), Candidate::free(4)]);
        assert_eq!(identify(7, &branches), Identity::Known { id: 4, by: Evidence::TaxNo });
        let own = Findings::new().with_external_ids([Candidate::linked(2, 7)]);
        assert_eq!(identify(7, &own), Identity::Known { id: 2, by: Evidence::ExternalIds });
    }

    fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
        let one = (1_u64..5, prop::option::of(1_u64..5));
        prop::collection::vec(one.prop_map(|(id, linked_to)| Candidate { id, linked_to }), 0..4)
    }

    proptest! {
        #[test]
        fn whom_weak_evidence_names_is_alone_and_nobody_elses(own in 1_u64..5, ids in candidates(), tax in candidates()) {
            let findings = Findings::new().with_external_ids(ids.clone()).with_tax_no(tax.clone());
            if let Identity::Known { id, by } = identify(own, &findings) {
                let seen = if by == Evidence::ExternalIds { ids } else { tax };
                let free = |c: &&Candidate| by == Evidence::ExternalIds || c.linked_to.is_none_or(|l| l == own);
                prop_assert!(seen.iter().filter(free).all(|c| c.id == id && c.linked_to.is_none_or(|l| l == own)));
            }
        }
    }
}
