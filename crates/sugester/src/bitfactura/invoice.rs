//! An invoice and its positions, as they are read and as they are set (contract 3.5).

use integration_core::Secret;
use integration_core::body::fields::Unreadable;
use rust_decimal::Decimal;
use serde_json::value::RawValue;

use crate::kinds::{DiscountKind, ExchangeKind, InvoiceKind, InvoiceStatus, Language, PaymentType};
use crate::value::{Day, Extra, Fields, Moment};
use crate::wire::{Field, Part, change, part, record, token};

/// Which way the money goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Income {
    /// `1`: a sale.
    Sale,
    /// `0`: a cost.
    Cost,
}

impl Field for Income {
    fn read(fields: &mut Fields, key: &str) -> Result<Option<Self>, Unreadable> {
        Ok(fields.boolean(key).map(|income| if income { Self::Sale } else { Self::Cost }))
    }

    fn token(&self) -> Box<RawValue> {
        token(if *self == Self::Sale { "1" } else { "0" })
    }
}

part! {
    /// A position of an invoice.
    Position {
        id: Option<u64>,
        product_id: Option<u64>,
        name: Option<String>,
        code: Option<String>,
        additional_info: Option<String>,
        quantity: Option<Decimal>,
        quantity_unit: Option<String>,
        price_net: Option<Decimal>,
        price_gross: Option<Decimal>,
        total_price_net: Option<Decimal>,
        total_price_gross: Option<Decimal>,
        /// a rate, or `na`, `np`, `exempt`.
        tax: Option<String>,
        discount: Option<Decimal>,
        discount_percent: Option<Decimal>,
        kind: Option<String>,
        correction_before_attributes: Option<Extra>,
        correction_after_attributes: Option<Extra>,
    }
}

impl Part for Position {
    fn read(fields: Fields) -> Result<Self, Unreadable> {
        Self::fields(fields)
    }
}

change! {
    /// What may be set of a position. Amounts are sent as text with a point.
    #[doc(alias("positions", "posicion", "posición", "linea de factura"))]
    PositionFields {
        product_id: u64,
        name: String,
        code: String,
        additional_info: String,
        quantity: Decimal,
        quantity_unit: String,
        price_net: Decimal,
        price_gross: Decimal,
        total_price_net: Decimal,
        total_price_gross: Decimal,
        /// a rate, or `na`, `np`, `exempt`.
        tax: String,
        discount: Decimal,
        discount_percent: Decimal,
        kind: String,
        correction_before_attributes: Extra,
        correction_after_attributes: Extra,
    }
}

record! {
    /// An invoice as the service shows it. The answer to a creation has fewer fields than the invoice that is read.
    #[doc(alias = "factura")]
    Invoice in "invoice" of "invoices" {
        number: Option<String>,
        kind: Option<InvoiceKind>,
        income: Option<Income>,
        status: Option<InvoiceStatus>,
        issue_date: Option<Day>,
        /// a day or a month.
        sell_date: Option<Day>,
        place: Option<String>,
        lang: Option<Language>,
        currency: Option<String>,
        description: Option<String>,
        description_footer: Option<String>,
        description_long: Option<String>,
        internal_note: Option<String>,
        oid: Option<String>,
        category_id: Option<u64>,
        department_id: Option<u64>,
        warehouse_id: Option<u64>,
        invoice_id: Option<u64>,
        from_invoice_id: Option<u64>,
        correction_reason: Option<String>,
        exchange_currency: Option<String>,
        exchange_kind: Option<ExchangeKind>,
        exchange_currency_rate: Option<Decimal>,
        price_net: Option<Decimal>,
        price_gross: Option<Decimal>,
        price_tax: Option<Decimal>,
        discount_kind: Option<DiscountKind>,
        show_discount: Option<bool>,
        seller_name: Option<String>,
        seller_tax_no: Option<String>,
        client_id: Option<u64>,
        buyer_name: Option<String>,
        buyer_first_name: Option<String>,
        buyer_last_name: Option<String>,
        buyer_company: Option<bool>,
        buyer_tax_no: Option<String>,
        buyer_tax_no_kind: Option<String>,
        buyer_street: Option<String>,
        buyer_post_code: Option<String>,
        buyer_city: Option<String>,
        buyer_country: Option<String>,
        buyer_email: Option<String>,
        buyer_note: Option<String>,
        recipient_id: Option<u64>,
        recipient_name: Option<String>,
        payment_type: Option<PaymentType>,
        /// a number of days, or `other_date`.
        payment_to_kind: Option<String>,
        payment_to: Option<Day>,
        paid: Option<Decimal>,
        paid_date: Option<Day>,
        split_payment: Option<bool>,
        delivery_date: Option<Day>,
        positions: Vec<Position>,
        /// opens the public view: printed nowhere.
        token: Option<Secret>,
        /// opens the public view, possibly on another domain (trap 19): printed nowhere.
        view_url: Option<Secret>,
        payment_url: Option<Secret>,
        cancelled: Option<bool>,
        deleted: Option<bool>,
        test: Option<bool>,
        from_api: Option<bool>,
        origin: Option<String>,
        email_status: Option<String>,
        created_at: Option<Moment>,
        updated_at: Option<Moment>,
    }
}

change! {
    /// What may be set of an invoice; what is left alone is not sent. The client is chosen by [`Buyer`](super::Buyer), the key by
    /// [`NewInvoice::oid`](super::NewInvoice::oid).
    InvoiceFields {
        /// clear or leave it for a number that the service chooses.
        number: String,
        kind: InvoiceKind,
        income: Income,
        status: InvoiceStatus,
        issue_date: Day,
        /// a day or a month.
        sell_date: Day,
        place: String,
        lang: Language,
        currency: String,
        description: String,
        description_footer: String,
        description_long: String,
        internal_note: String,
        category_id: u64,
        department_id: u64,
        warehouse_id: u64,
        invoice_template_id: u64,
        invoice_id: u64,
        from_invoice_id: u64,
        invoice_ids: Vec<u64>,
        /// **the copy carries the internal note along** (trap 20).
        copy_invoice_from: u64,
        advance_creation_mode: String,
        advance_value: Decimal,
        position_name: String,
        correction_reason: String,
        /// `position`, `sum`, `invoice_form_price_kind`
        calculating_strategy: Extra,
        exchange_currency: String,
        exchange_kind: ExchangeKind,
        exchange_currency_rate: Decimal,
        accounting_kind: String,
        accounting_vat_tax_date: Day,
        accounting_income_tax_date: Day,
        use_moss: bool,
        delivery_date: Day,
        additional_info: String,
        additional_info_desc: String,
        additional_invoice_field: String,
        show_discount: bool,
        discount_kind: DiscountKind,
        exclude_from_stock_level: bool,
        procedure_designations: Vec<String>,
        seller_name: String,
        seller_tax_no: String,
        seller_tax_no_kind: String,
        seller_bank: String,
        seller_bank_account: String,
        seller_street: String,
        seller_post_code: String,
        seller_city: String,
        seller_country: String,
        seller_email: String,
        seller_www: String,
        seller_fax: String,
        seller_phone: String,
        seller_person: String,
        buyer_name: String,
        buyer_first_name: String,
        buyer_last_name: String,
        buyer_tax_no: String,
        buyer_tax_no_kind: String,
        buyer_street: String,
        buyer_post_code: String,
        buyer_city: String,
        buyer_country: String,
        buyer_email: String,
        buyer_note: String,
        buyer_company: bool,
        /// overwrites the stored client with what the invoice says (documented for sister brands).
        buyer_override: bool,
        recipient_id: u64,
        recipient_name: String,
        recipient_street: String,
        recipient_post_code: String,
        recipient_city: String,
        recipient_country: String,
        recipient_email: String,
        recipient_phone: String,
        recipient_note: String,
        disable_tax_no_validation: bool,
        payment_type: PaymentType,
        /// a number of days, or `other_date`.
        payment_to_kind: String,
        payment_to: Day,
        paid: Decimal,
        paid_date: Day,
        split_payment: bool,
        /// asks the service not to fire its webhooks for this write.
        skip_webhooks: bool,
    }
}
