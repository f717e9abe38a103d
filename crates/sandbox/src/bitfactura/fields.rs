//! Fields of BitFactura's records (contract sections 3.4 and 3.5).

pub(super) const CLIENT: &[&str] = &[
    "name",
    "tax_no",
    "bank",
    "bank_account",
    "city",
    "country",
    "email",
    "person",
    "post_code",
    "phone",
    "street",
    "shortcut",
    "tax_no_kind",
    "register_number",
    "accounting_id",
    "use_delivery_address",
    "delivery_address",
    "first_name",
    "last_name",
    "mobile_phone",
    "www",
    "fax",
    "note",
    "company",
    "kind",
    "category_id",
    "discount",
    "default_tax",
    "price_list_id",
    "payment_to_kind",
    "default_payment_type",
    "disable_auto_reminders",
    "buyer_id",
    "mass_payment_code",
    "external_id",
    "tp_client_connection",
    "title",
    "public_entity",
    "email_for_reminders",
    "swift",
    "department_id",
    "panel_url",
    "accounting_id2",
    "use_mass_payment",
    "multiple_delivery_addresses",
    "sepa_b2b",
    "sepa_mandate_no",
    "street_no",
];
/// Written, but not shown in every list.
const CLIENT_MORE: &[&str] = &["tag_list", "skip_webhooks"];
pub(super) const CLIENT_READ_ONLY: &[&str] = &[
    "token",
    "deleted",
    "dynamic_fields",
    "attachments_count",
    "tax_no_check",
    "bank_account_id",
    "import",
    "referrer",
    "panel_user_id",
    "fname",
    "femail",
    "fuid",
    "password_hash",
    "password_salt",
];

const INVOICE_HEAD: &[&str] = &[
    "number",
    "kind",
    "income",
    "issue_date",
    "place",
    "sell_date",
    "category_id",
    "department_id",
    "status",
    "lang",
    "currency",
    "description",
    "internal_note",
    "oid",
    "oid_unique",
    "invoice_id",
    "from_invoice_id",
    "copy_invoice_from",
    "invoice_ids",
    "advance_creation_mode",
    "advance_value",
    "position_name",
    "correction_reason",
    "calculating_strategy",
    "exchange_currency",
    "exchange_kind",
    "exchange_currency_rate",
    "accounting_kind",
    "accounting_vat_tax_date",
    "accounting_income_tax_date",
    "use_moss",
    "invoice_template_id",
    "description_footer",
    "description_long",
    "delivery_date",
    "additional_info",
    "additional_info_desc",
    "additional_invoice_field",
    "show_discount",
    "discount_kind",
    "warehouse_id",
    "exclude_from_stock_level",
    "procedure_designations",
    "client_id",
    "disable_tax_no_validation",
    "payment_type",
    "payment_to_kind",
    "payment_to",
    "paid",
    "paid_date",
    "split_payment",
];
const SELLER: &[&str] = &[
    "name",
    "tax_no",
    "tax_no_kind",
    "bank_account",
    "bank",
    "post_code",
    "city",
    "street",
    "country",
    "email",
    "www",
    "fax",
    "phone",
    "person",
];
/// Fields of a buyer; those of a client have the same names.
pub(super) const BUYER: &[&str] = &[
    "name",
    "tax_no",
    "tax_no_kind",
    "post_code",
    "city",
    "street",
    "country",
    "note",
    "email",
    "first_name",
    "last_name",
    "company",
];
const RECIPIENT: &[&str] =
    &["id", "name", "street", "post_code", "city", "country", "email", "phone", "note"];
const INVOICE_ORDERS: &[&str] = &["buyer_override", "skip_webhooks", "positions"];
const INVOICE_READ_ONLY: &[&str] = &["test", "cancelled", "deleted", "from_api", "origin", "email_status"];
pub(super) const POSITION: &[&str] = &[
    "id",
    "product_id",
    "name",
    "additional_info",
    "discount_percent",
    "discount",
    "quantity",
    "quantity_unit",
    "price_net",
    "tax",
    "price_gross",
    "total_price_net",
    "total_price_gross",
    "code",
    "kind",
    "correction_before_attributes",
    "correction_after_attributes",
    "_destroy",
];

pub(super) fn is_client_field(name: &str) -> bool {
    CLIENT.contains(&name) || CLIENT_MORE.contains(&name) || name.starts_with("delivery_address_")
}

/// Obeyed, not stored.
pub(super) fn is_order(name: &str) -> bool {
    name == "skip_webhooks" || name == "buyer_override"
}

fn is_party(name: &str) -> bool {
    let of =
        |prefix: &str, names: &[&str]| name.strip_prefix(prefix).is_some_and(|rest| names.contains(&rest));
    of("seller_", SELLER) || of("buyer_", BUYER) || of("recipient_", RECIPIENT)
}

pub(super) fn is_invoice_field(name: &str) -> bool {
    INVOICE_HEAD.contains(&name) || INVOICE_ORDERS.contains(&name) || is_party(name)
}

/// Names that an invoice always shows.
pub(super) fn invoice() -> Vec<&'static str> {
    const PARTIES: &[&str] = &[
        "seller_name",
        "seller_tax_no",
        "buyer_name",
        "buyer_tax_no",
        "buyer_post_code",
        "buyer_city",
        "buyer_street",
        "buyer_country",
        "buyer_email",
        "buyer_first_name",
        "buyer_last_name",
        "buyer_company",
    ];
    INVOICE_HEAD.iter().chain(PARTIES).chain(INVOICE_READ_ONLY).copied().collect()
}

/// What a new invoice answers (contract section 3.5: fewer keys than its show).
pub(super) const AFTER_CREATE: &[&str] = &[
    "token",
    "number",
    "kind",
    "status",
    "view_url",
    "price_net",
    "price_gross",
    "price_tax",
    "currency",
    "issue_date",
    "sell_date",
    "payment_to",
    "paid",
    "client_id",
    "buyer_name",
    "buyer_tax_no",
    "income",
    "oid",
    "created_at",
    "updated_at",
];
