//! The five kinds of document and the three currencies (contract 3.1 rows 9 and 13).

/// The kind of a fiscal document, `idtipodocumento`.
///
/// **Types 4 and 5**: the manual's table says 4 dispatch guide and 5 delivery note, and that is what this crate follows;
/// the observed service prints 4 as a delivery order and 5 as a dispatch guide (contract section 10, row 14). Look at a
/// printed one on the test host before relying on either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias("idtipodocumento", "tipo de documento"))]
pub enum DocumentType {
    /// 1, `factura`.
    #[doc(alias = "factura")]
    Invoice,
    /// 2, `nota de débito`: raises an invoice. Amounts are positive.
    #[doc(alias("nota de débito", "nota de debito"))]
    DebitNote,
    /// 3, `nota de crédito`: lowers an invoice. Amounts are positive; the type carries the sense.
    #[doc(alias("nota de crédito", "nota de credito"))]
    CreditNote,
    /// 4, `guía de despacho`.
    #[doc(alias("guía de despacho", "guia de despacho"))]
    DispatchGuide,
    /// 5, `nota de entrega`.
    #[doc(alias = "nota de entrega")]
    DeliveryNote,
}

impl DocumentType {
    /// All five, in the order of their numbers.
    pub const ALL: [Self; 5] =
        [Self::Invoice, Self::DebitNote, Self::CreditNote, Self::DispatchGuide, Self::DeliveryNote];

    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Invoice => 1,
            Self::DebitNote => 2,
            Self::CreditNote => 3,
            Self::DispatchGuide => 4,
            Self::DeliveryNote => 5,
        }
    }

    /// The kind behind a number.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Whether it refers to an invoice.
    #[must_use]
    pub const fn is_note(self) -> bool {
        matches!(self, Self::DebitNote | Self::CreditNote)
    }
}

/// The currency of a document, `tipomoneda`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
#[doc(alias("tipomoneda", "moneda"))]
pub enum Currency {
    /// 1: bolívar, ISO VES.
    #[default]
    Bolivar,
    /// 2: US dollar.
    Dollar,
    /// 3: euro.
    Euro,
}

impl Currency {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Bolivar => 1,
            Self::Dollar => 2,
            Self::Euro => 3,
        }
    }

    /// The currency behind a number.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Bolivar, Self::Dollar, Self::Euro].into_iter().find(|currency| currency.code() == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_manual() {
        let codes: Vec<u8> = DocumentType::ALL.into_iter().map(DocumentType::code).collect();
        assert_eq!(codes, [1, 2, 3, 4, 5]);
        for code in 0..=u8::MAX {
            assert_eq!(
                DocumentType::from_code(code).map(DocumentType::code),
                (1..=5).contains(&code).then_some(code)
            );
            assert_eq!(
                Currency::from_code(code).map(Currency::code),
                (1..=3).contains(&code).then_some(code)
            );
        }
    }
}
