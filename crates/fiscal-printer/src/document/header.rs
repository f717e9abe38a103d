//! The amounts of a document's header, by name (contract 3.1 rows 14-25 and 3.4).

/// One amount or rate of the header, for callers who bring their own totals.
///
/// Each stands under the wire name that [`wire_name`](Self::wire_name) gives; the IGTF base goes out under both of its
/// spellings unless the profile says otherwise. Amounts have at most two decimals, rates are percentages.
///
/// ```
/// use fiscal_printer::HeaderAmount;
///
/// assert_eq!(HeaderAmount::GeneralBase.wire_name(), "baseg");
/// assert!(HeaderAmount::ALL.into_iter().filter(|name| name.is_rate()).count() == 4);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum HeaderAmount {
    /// `subtotal`: total before taxes.
    Subtotal,
    /// `exento`: untaxed amount.
    #[doc(alias = "exento")]
    Exempt,
    /// `tasag`: general VAT rate in percent.
    #[doc(alias = "tasag")]
    GeneralRate,
    /// `baseg`: base at the general rate.
    #[doc(alias = "baseg")]
    GeneralBase,
    /// `impuestog`: tax at the general rate.
    #[doc(alias = "impuestog")]
    GeneralTax,
    /// `tasar`: reduced VAT rate in percent.
    #[doc(alias = "tasar")]
    ReducedRate,
    /// `baser`: base at the reduced rate.
    #[doc(alias = "baser")]
    ReducedBase,
    /// `impuestor`: tax at the reduced rate.
    #[doc(alias = "impuestor")]
    ReducedTax,
    /// `tasaa`: luxury VAT rate in percent (observed only).
    #[doc(alias = "tasaa")]
    LuxuryRate,
    /// `basea`: base at the luxury rate (observed only).
    #[doc(alias = "basea")]
    LuxuryBase,
    /// `impuestoa`: tax at the luxury rate (observed only).
    #[doc(alias = "impuestoa")]
    LuxuryTax,
    /// `tasaigtf`: IGTF rate in percent.
    #[doc(alias = "tasaigtf")]
    IgtfRate,
    /// `baseigft` / `baseigtf`: what was paid in foreign currency, the IGTF itself left out.
    #[doc(alias("baseigft", "baseigtf"))]
    IgtfBase,
    /// `impuestoigtf`: IGTF amount.
    #[doc(alias = "impuestoigtf")]
    IgtfTax,
    /// `total`: total of the operation.
    Total,
}

impl HeaderAmount {
    /// All of them in the manual's order.
    pub const ALL: [Self; 15] = [
        Self::Subtotal,
        Self::Exempt,
        Self::GeneralRate,
        Self::GeneralBase,
        Self::GeneralTax,
        Self::ReducedRate,
        Self::ReducedBase,
        Self::ReducedTax,
        Self::LuxuryRate,
        Self::LuxuryBase,
        Self::LuxuryTax,
        Self::IgtfRate,
        Self::IgtfBase,
        Self::IgtfTax,
        Self::Total,
    ];

    /// The name on the wire; for the IGTF base the manual's spelling.
    #[must_use]
    pub const fn wire_name(self) -> &'static str {
        match self {
            Self::Subtotal => "subtotal",
            Self::Exempt => "exento",
            Self::GeneralRate => "tasag",
            Self::GeneralBase => "baseg",
            Self::GeneralTax => "impuestog",
            Self::ReducedRate => "tasar",
            Self::ReducedBase => "baser",
            Self::ReducedTax => "impuestor",
            Self::LuxuryRate => "tasaa",
            Self::LuxuryBase => "basea",
            Self::LuxuryTax => "impuestoa",
            Self::IgtfRate => "tasaigtf",
            Self::IgtfBase => "baseigft",
            Self::IgtfTax => "impuestoigtf",
            Self::Total => "total",
        }
    }

    /// The row of the manual, as the id of the rule "this field is required".
    pub(crate) const fn row(self) -> &'static str {
        match self {
            Self::Subtotal => "R14",
            Self::Exempt => "R15",
            Self::GeneralRate => "R16",
            Self::GeneralBase => "R17",
            Self::GeneralTax => "R18",
            Self::ReducedRate => "R19",
            Self::ReducedBase => "R20",
            Self::ReducedTax => "R21",
            Self::IgtfRate => "R22",
            Self::IgtfBase => "R23",
            Self::IgtfTax => "R24",
            Self::Total => "R25",
            Self::LuxuryRate | Self::LuxuryBase | Self::LuxuryTax => "LUXURY",
        }
    }

    /// Whether it is a percentage, not an amount of money.
    #[must_use]
    pub const fn is_rate(self) -> bool {
        matches!(self, Self::GeneralRate | Self::ReducedRate | Self::LuxuryRate | Self::IgtfRate)
    }

    pub(crate) const fn is_luxury(self) -> bool {
        matches!(self, Self::LuxuryRate | Self::LuxuryBase | Self::LuxuryTax)
    }
}
