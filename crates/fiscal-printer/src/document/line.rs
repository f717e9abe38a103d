//! Items and payments of a document (contract 3.2 and 3.3).

use super::extras::{ExtraValue, Extras};
use super::numeric::Numeric;

/// Which tax a line carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LineTax {
    General,
    Reduced,
    Luxury,
    Exempt,
    Percent(Numeric),
}

/// One item, an element of `cuerpofactura`.
///
/// At the general rate unless said otherwise; `monto` and `impuesto` are computed.
///
/// ```
/// use fiscal_printer::Line;
///
/// let bread = Line::new("A1", "Pan", "10.00", 1).reduced();
/// let screws = Line::new("A2", "Tornillos", "0.0125", 400).discount("0.50").comment("M4 // x 20");
/// let book = Line::new("A3", "Libro", "5.00", 2).exempt();
/// ```
#[derive(Debug, Clone)]
#[must_use]
#[doc(alias("cuerpofactura", "renglon", "renglón"))]
pub struct Line {
    pub(crate) code: String,
    pub(crate) description: String,
    pub(crate) comment: String,
    pub(crate) price: Numeric,
    pub(crate) quantity: Numeric,
    pub(crate) discount: Option<Numeric>,
    pub(crate) tax: LineTax,
    pub(crate) exempt: Option<bool>,
    pub(crate) claimed_tax: Option<Numeric>,
    pub(crate) claimed_amount: Option<Numeric>,
    pub(crate) extras: Extras,
}

impl Line {
    /// An item by `codigo` (operation code, at most 50 characters), `descripcion` (at most 250), `precio` per unit
    /// and `cantidad`. Price and quantity may have more than two decimals.
    #[doc(alias("codigo", "descripcion", "precio", "cantidad"))]
    pub fn new(
        code: impl Into<String>,
        description: impl Into<String>,
        price: impl Into<Numeric>,
        quantity: impl Into<Numeric>,
    ) -> Self {
        Self {
            code: code.into(),
            description: description.into(),
            comment: String::new(),
            price: price.into(),
            quantity: quantity.into(),
            discount: None,
            tax: LineTax::General,
            exempt: None,
            claimed_tax: None,
            claimed_amount: None,
            extras: Extras::default(),
        }
    }

    /// Takes the reduced VAT rate.
    #[doc(alias("tasar", "alicuota reducida"))]
    pub fn reduced(mut self) -> Self {
        self.tax = LineTax::Reduced;
        self
    }

    /// Takes the luxury VAT rate; the document must allow it with
    /// [`luxury_rate`](super::DocumentBuilder::luxury_rate), since the documented service has no such group.
    #[doc(alias("tasaa", "alicuota adicional"))]
    pub fn luxury(mut self) -> Self {
        self.tax = LineTax::Luxury;
        self
    }

    /// Untaxed: `exento` true, rate and tax zero. Exports at 0 % go out like this too.
    #[doc(alias = "exento")]
    pub fn exempt(mut self) -> Self {
        self.tax = LineTax::Exempt;
        self.exempt = Some(true);
        self
    }

    /// Takes a VAT rate by its percentage, which must be one of the document's.
    #[doc(alias("tasa", "alicuota", "alícuota"))]
    pub fn percent(mut self, rate: impl Into<Numeric>) -> Self {
        self.tax = LineTax::Percent(rate.into());
        self
    }

    /// Takes off an **amount** (not a percentage) from price x quantity.
    #[doc(alias = "descuento")]
    pub fn discount(mut self, amount: impl Into<Numeric>) -> Self {
        self.discount = Some(amount.into());
        self
    }

    /// Adds further text, at most 150 characters; `//` separates rows and a vertical bar two columns when printed.
    #[doc(alias = "comentario")]
    pub fn comment(mut self, text: impl Into<String>) -> Self {
        self.comment = text.into();
        self
    }

    /// Brings a `monto` computed elsewhere: it is verified (I1), not trusted.
    #[doc(alias = "monto")]
    pub fn amount(mut self, amount: impl Into<Numeric>) -> Self {
        self.claimed_amount = Some(amount.into());
        self
    }

    /// Brings an `impuesto` computed elsewhere: it is verified (I3), not trusted.
    #[doc(alias("impuesto", "iva"))]
    pub fn tax(mut self, tax: impl Into<Numeric>) -> Self {
        self.claimed_tax = Some(tax.into());
        self
    }

    /// Adds a field that this crate does not know.
    pub fn extra(mut self, key: impl Into<String>, value: impl Into<ExtraValue>) -> Self {
        self.extras.push(key, value.into());
        self
    }
}

/// One payment, an element of `formasdepago`.
///
/// ```
/// use fiscal_printer::Payment;
///
/// let cash = Payment::new("Efectivo", "1.32");
/// let dollars = Payment::in_foreign_currency("Efectivo USD", "44.00");
/// ```
#[derive(Debug, Clone)]
#[must_use]
#[doc(alias("formasdepago", "forma de pago", "pago"))]
pub struct Payment {
    pub(crate) form: String,
    pub(crate) value: Numeric,
    pub(crate) foreign: bool,
    pub(crate) extras: Extras,
}

impl Payment {
    /// A payment in bolívars: `forma` (free text, at most 20 characters) and `valor` in the document's currency.
    #[doc(alias("forma", "valor"))]
    pub fn new(form: impl Into<String>, value: impl Into<Numeric>) -> Self {
        Self { form: form.into(), value: value.into(), foreign: false, extras: Extras::default() }
    }

    /// A payment in foreign currency or non-State crypto, which the IGTF is levied on. `value` is still in the
    /// document's currency.
    pub fn in_foreign_currency(form: impl Into<String>, value: impl Into<Numeric>) -> Self {
        Self { foreign: true, ..Self::new(form, value) }
    }

    /// Adds a field that this crate does not know.
    pub fn extra(mut self, key: impl Into<String>, value: impl Into<ExtraValue>) -> Self {
        self.extras.push(key, value.into());
        self
    }
}
