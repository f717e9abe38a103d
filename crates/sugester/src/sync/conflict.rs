//! Who wins where one field was changed on both sides (contract 4.3; the rule is a setting, the default is assumed).

use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::mapping::Side;

/// Times that differ by no more than this are the same moment.
const SAME_MOMENT: SignedDuration = SignedDuration::from_secs(2);

/// One field with two values that differ.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dispute {
    /// Its name in BitFactura.
    pub field: String,
    /// What BitFactura has; `None` if nothing.
    pub bitfactura: Option<String>,
    /// What Sugester has; `None` if nothing.
    pub sugester: Option<String>,
    /// What both had at the last synchronisation, in normal form; `None` if the field was never synchronised.
    pub last_synced: Option<String>,
    /// When the record was last edited in BitFactura, if that is known.
    pub bitfactura_updated_at: Option<Timestamp>,
    /// When the record was last edited in Sugester, if that is known.
    pub sugester_updated_at: Option<Timestamp>,
}

/// Whose value is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Winner {
    /// That of one side, which is written to the other.
    Side(Side),
    /// Nobody's: neither side is written.
    Neither,
}

/// A conflict as it is reported, always with both values.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conflict {
    /// What differs.
    pub dispute: Dispute,
    /// Whose value is kept.
    pub winner: Winner,
}

/// A strategy for conflicts. Pure: the same dispute must get the same winner.
///
/// ```
/// use sugester::sync::{ConflictRule, Dispute, Side, Winner};
///
/// /// The people of the CRM know phones, the accountants everything else.
/// #[derive(Debug)]
/// struct PhonesAreTheirs;
///
/// impl ConflictRule for PhonesAreTheirs {
///     fn winner(&self, dispute: &Dispute) -> Winner {
///         let is_phone = dispute.field.ends_with("phone");
///         Winner::Side(if is_phone { Side::Sugester } else { Side::BitFactura })
///     }
/// }
/// ```
pub trait ConflictRule: fmt::Debug + Send + Sync {
    /// Whose value is kept.
    fn winner(&self, dispute: &Dispute) -> Winner;
}

/// The rules of the contract, or one of the caller's own.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum ConflictPolicy {
    /// The side that was edited later; BitFactura, if the times differ by no more than 2 s or one is missing.
    #[default]
    Newest,
    /// Always BitFactura.
    PreferBitFactura,
    /// Always Sugester.
    PreferSugester,
    /// Nobody: conflicts are reported, neither side is written.
    ReportOnly,
    /// The caller's.
    Custom(Arc<dyn ConflictRule>),
}

impl ConflictRule for ConflictPolicy {
    fn winner(&self, dispute: &Dispute) -> Winner {
        match self {
            Self::Newest => Winner::Side(newest(dispute)),
            Self::PreferBitFactura => Winner::Side(Side::BitFactura),
            Self::PreferSugester => Winner::Side(Side::Sugester),
            Self::ReportOnly => Winner::Neither,
            Self::Custom(rule) => rule.winner(dispute),
        }
    }
}

fn newest(dispute: &Dispute) -> Side {
    let (Some(bitfactura), Some(sugester)) = (dispute.bitfactura_updated_at, dispute.sugester_updated_at)
    else {
        return Side::BitFactura;
    };
    let sugester_is_later = sugester.duration_since(bitfactura) > SAME_MOMENT;
    if sugester_is_later { Side::Sugester } else { Side::BitFactura }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dispute(bitfactura: Option<&str>, sugester: Option<&str>) -> Dispute {
        let at = |text: Option<&str>| text.map(|text| text.parse().unwrap());
        Dispute {
            field: "name".to_owned(),
            bitfactura: Some("a".to_owned()),
            sugester: Some("b".to_owned()),
            last_synced: None,
            bitfactura_updated_at: at(bitfactura),
            sugester_updated_at: at(sugester),
        }
    }

    #[test]
    fn the_newest_wins_by_more_than_two_seconds() {
        const TEN: Option<&str> = Some("2024-11-08T10:00:10Z");
        for (bitfactura, sugester, winner) in [
            (TEN, Some("2024-11-08T10:00:12.001Z"), Side::Sugester),
            (TEN, Some("2024-11-08T10:00:12Z"), Side::BitFactura),
            (TEN, Some("2024-11-08T10:00:08Z"), Side::BitFactura),
            (TEN, Some("2024-11-08T10:00:00Z"), Side::BitFactura),
            (TEN, Some("2024-11-08T11:00:10.5+01:00"), Side::BitFactura),
            (TEN, None, Side::BitFactura),
            (None, TEN, Side::BitFactura),
            (None, None, Side::BitFactura),
        ] {
            let dispute = dispute(bitfactura, sugester);
            assert_eq!(ConflictPolicy::default().winner(&dispute), Winner::Side(winner), "{dispute:?}");
        }
    }

    #[test]
    fn the_other_rules_do_not_look_at_times() {
        let dispute = dispute(None, None);
        assert_eq!(ConflictPolicy::PreferBitFactura.winner(&dispute), Winner::Side(Side::BitFactura));
        assert_eq!(ConflictPolicy::PreferSugester.winner(&dispute), Winner::Side(Side::Sugester));
        assert_eq!(ConflictPolicy::ReportOnly.winner(&dispute), Winner::Neither);
        let nested = ConflictPolicy::Custom(Arc::new(ConflictPolicy::ReportOnly));
        assert_eq!(nested.winner(&dispute), Winner::Neither);
    }
}
