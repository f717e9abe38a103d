//! Fields of Sugester's records (contract section 3.2).

use super::settings::Table;

const CLIENT: &[&str] = &[
    "external_id",
    "external_ids",
    "kind",
    "company",
    "name",
    "shortcut",
    "first_name",
    "last_name",
    "description",
    "note",
    "tax_no",
    "register_number",
    "street",
    "street_no",
    "post_code",
    "city",
    "province",
    "country",
    "use_delivery_address",
    "delivery_address",
    "email",
    "phone",
    "mobile_phone",
    "fax",
    "www",
    "bank",
    "bank_account",
    "bank_account_id",
    "discount",
    "payment_to_kind",
    "project_id",
    "contact_id",
    "status_id",
    "category_id",
    "department_id",
    "responsible_id",
    "creator_id",
    "updater_id",
    "sensitive_data",
];
const CLIENT_READ_ONLY: &[&str] = &[
    "token",
    "appendixes_count",
    "posts_count",
    "contacts_count",
    "position",
    "paid_from",
    "paid_to",
    "paid_total",
    "last_activity",
];
/// Only read when a client is created, never shown.
const CLIENT_ORDERS: &[&str] = &["try_update", "origin", "url", "skip_webhooks"];
const CONTACT: &[&str] = &[
    "name",
    "description",
    "first_name",
    "last_name",
    "responsible_id",
    "email",
    "phone",
    "note",
    "client_id",
];
const DEAL: &[&str] = &[
    "name",
    "description",
    "client_id",
    "price",
    "external_ids",
    "url",
    "status_id",
    "date",
    "paid",
    "invoice_no",
    "kind",
    "status",
    "currency",
];
const DEAL_ORDERS: &[&str] = &["client", "skip_webhooks"];
const POST: &[&str] = &[
    "title",
    "content",
    "kind",
    "task_kind",
    "client_id",
    "post_id",
    "project_id",
    "responsible_id",
    "user_id",
    "status_id",
    "category_id",
    "forum_id",
    "priority",
    "scheduled_at",
    "closed",
    "private",
    "unread",
    "tags",
    "email",
    "email_to",
    "email_cc",
    "email_bcc",
    "email_reply_to",
    "use_html",
    "answer",
    "answered",
    "points",
    "nick",
    "votes_cache",
    "comments_cache",
    "ip",
    "agent",
    "response",
    "response_user_id",
    "referrer",
    "last_action_status",
    "uid",
    "spam_kind",
    "spam_score",
    "spam_report",
    "user_spam_report",
    "duplicate_from_id",
    "abstract",
    "view_count",
    "facebook_likes",
    "min_votes_to_start",
    "title_note",
    "help_link",
    "help_content",
    "www",
    "email_recipient",
];

/// Names that a record of this table always shows.
pub(super) fn known(table: Table) -> &'static [&'static str] {
    match table {
        Table::Clients => CLIENT,
        Table::Contacts => CONTACT,
        Table::Deals => DEAL,
        Table::Posts => POST,
        Table::ContactLists => &["name"],
        Table::Statuses => &["code", "name", "kind"],
        Table::Accounts => &["prefix"],
    }
}

/// Whether a field of this name can be written; `string1` to `datetime10` are a client's own.
pub(super) fn is_writable(table: Table, name: &str) -> bool {
    let orders: &[&str] = match table {
        Table::Clients => CLIENT_ORDERS,
        Table::Deals => DEAL_ORDERS,
        Table::Accounts => &["initial_module", "from_partner"],
        _ => &[],
    };
    known(table).contains(&name) || orders.contains(&name) || (table == Table::Clients && is_custom(name))
}

fn is_custom(name: &str) -> bool {
    let number = name.trim_start_matches(|sign: char| sign.is_ascii_lowercase());
    let stem = name.strip_suffix(number).unwrap_or(name);
    let stems = ["string", "integer", "decimal", "checkbox", "date", "text", "datetime"];
    stems.contains(&stem) && number.parse::<u8>().is_ok_and(|number| (1..=10).contains(&number))
}

/// Orders are obeyed, not stored.
pub(super) fn is_order(table: Table, name: &str) -> bool {
    is_writable(table, name) && !known(table).contains(&name) && !is_custom(name)
}

/// Everything that a client's record shows.
pub(super) fn shown(table: Table) -> Vec<&'static str> {
    let more: &[&str] = if table == Table::Clients { CLIENT_READ_ONLY } else { &[] };
    known(table).iter().chain(more).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn custom_fields_are_numbered_from_one_to_ten() {
        for name in ["string1", "datetime10", "checkbox7"] {
            assert!(is_writable(Table::Clients, name), "{name}");
        }
        for name in ["string0", "string11", "string", "token", "created_at", "colour1"] {
            assert!(!is_writable(Table::Clients, name), "{name}");
        }
        assert!(is_order(Table::Deals, "client") && !is_order(Table::Deals, "client_id"));
    }
}
