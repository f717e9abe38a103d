//! Which operation a request line means (contract sections 3.4 to 3.6).

use super::settings::{Endpoint, Table};
use crate::crm::desk::Target;

/// Path, wrapper and table of the resources that are stored as they come.
pub(super) const RESOURCES: &[(&str, &str, Table)] = &[
    ("products", "product", Table::Products),
    ("price_lists", "price_list", Table::PriceLists),
    ("warehouse_documents", "warehouse_document", Table::WarehouseDocuments),
    ("warehouses", "warehouse", Table::Warehouses),
    ("categories", "category", Table::Categories),
    ("departments", "department", Table::Departments),
    ("recurrings", "recurring", Table::Recurrings),
    ("payments", "banking_payment", Table::Payments),
];

pub(super) fn route(method: &str, path: &str) -> Option<Target<Endpoint>> {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    match segments.as_slice() {
        [whole] => collection(method, whole.strip_suffix(".json")?),
        ["banking", "payments.json"] => resources(method, "payments"),
        ["banking", "payments", one] => resource(method, "payments", one),
        ["account", action] if method == "POST" => account(action.strip_suffix(".json")?),
        ["invoices", "cancel.json"] if method == "POST" => Target::plain(Endpoint::Cancel),
        ["invoices", one, action] => of_invoice(method, one, action.strip_suffix(".json")?),
        ["invoice", token] if method == "GET" => Some(public(token)),
        ["f", _, token] if method == "GET" => Some(view(token)),
        ["uploads", key] if method == "POST" => Some(Target::plain(Endpoint::Upload)?.named(key)),
        ["invoices", one] if method == "GET" && one.ends_with(".pdf") => {
            Target::with_id(Endpoint::Pdf, one, ".pdf")
        }
        [name, one] => single(method, name, one),
        _ => None,
    }
}

fn collection(method: &str, name: &str) -> Option<Target<Endpoint>> {
    let endpoint = match (method, name) {
        ("GET", "clients") => Endpoint::Clients,
        ("POST", "clients") => Endpoint::CreateClient,
        ("GET", "invoices") => Endpoint::Invoices,
        ("POST", "invoices") => Endpoint::CreateInvoice,
        ("GET", "webhooks") => Endpoint::Webhooks,
        ("POST", "webhooks") => Endpoint::CreateWebhook,
        ("GET", "account") => Endpoint::Account,
        ("POST", "account") => Endpoint::CreateAccount,
        ("POST", "login") => Endpoint::Login,
        (_, "payments") => return None,
        (method, name) => return resources(method, name),
    };
    Target::plain(endpoint)
}

fn resources(method: &str, name: &str) -> Option<Target<Endpoint>> {
    RESOURCES.iter().find(|(path, ..)| *path == name)?;
    let endpoint = match method {
        "GET" => Endpoint::Resources,
        "POST" => Endpoint::CreateResource,
        _ => return None,
    };
    Some(Target::plain(endpoint)?.named(name))
}

fn single(method: &str, name: &str, one: &str) -> Option<Target<Endpoint>> {
    let endpoint = match (method, name) {
        ("GET", "clients") => Endpoint::Client,
        ("PUT", "clients") => Endpoint::UpdateClient,
        ("DELETE", "clients") => Endpoint::DeleteClient,
        ("GET", "invoices") => Endpoint::Invoice,
        ("PUT", "invoices") => Endpoint::UpdateInvoice,
        ("DELETE", "invoices") => Endpoint::DeleteInvoice,
        ("GET", "webhooks") => Endpoint::Webhook,
        ("PUT", "webhooks") => Endpoint::UpdateWebhook,
        ("DELETE", "webhooks") => Endpoint::DeleteWebhook,
        (_, "payments") => return None,
        (method, name) => return resource(method, name, one),
    };
    Target::with_id(endpoint, one, ".json")
}

/// Payments are changed by PATCH, everything else by PUT.
fn resource(method: &str, name: &str, one: &str) -> Option<Target<Endpoint>> {
    RESOURCES.iter().find(|(path, ..)| *path == name)?;
    let update = if name == "payments" { "PATCH" } else { "PUT" };
    let endpoint = match method {
        "GET" => Endpoint::Resource,
        "DELETE" => Endpoint::DeleteResource,
        method if method == update => Endpoint::UpdateResource,
        _ => return None,
    };
    Some(Target::with_id(endpoint, one, ".json")?.named(name))
}

fn account(action: &str) -> Option<Target<Endpoint>> {
    let known = ["add_user", "delete", "unlink"].contains(&action);
    Some(Target::plain(Endpoint::ChangeAccount)?.named(action)).filter(|_| known)
}

fn of_invoice(method: &str, one: &str, action: &str) -> Option<Target<Endpoint>> {
    let endpoint = match (method, action) {
        ("POST", "change_status") => Endpoint::ChangeStatus,
        ("POST", "send_by_email") => Endpoint::SendByEmail,
        ("GET", "attachments_zip") => Endpoint::AttachmentsZip,
        ("GET", "get_new_attachment_credentials") => Endpoint::AttachmentCredentials,
        ("POST", "add_attachment") => Endpoint::AddAttachment,
        _ => return None,
    };
    Target::with_id(endpoint, one, "")
}

fn public(token: &str) -> Target<Endpoint> {
    match token.strip_suffix(".pdf") {
        Some(token) => Target { endpoint: Endpoint::PublicPdf, id: 0, name: token.to_owned() },
        None => view(token),
    }
}

fn view(token: &str) -> Target<Endpoint> {
    Target { endpoint: Endpoint::PublicView, id: 0, name: token.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_contract() {
        let found = |method, path| route(method, path).map(|target| (target.endpoint, target.id));
        for (method, path, expected) in [
            ("GET", "/clients.json", (Endpoint::Clients, 0)),
            ("GET", "/invoices/7.pdf", (Endpoint::Pdf, 7)),
            ("POST", "/invoices/7/change_status.json", (Endpoint::ChangeStatus, 7)),
            ("POST", "/invoices/cancel.json", (Endpoint::Cancel, 0)),
            ("GET", "/invoice/abc", (Endpoint::PublicView, 0)),
            ("GET", "/f/1%2F11%2F2026/abc", (Endpoint::PublicView, 0)),
            ("PATCH", "/banking/payments/3.json", (Endpoint::UpdateResource, 3)),
            ("PUT", "/products/3.json", (Endpoint::UpdateResource, 3)),
            ("DELETE", "/webhooks/3.json", (Endpoint::DeleteWebhook, 3)),
        ] {
            assert_eq!(found(method, path), Some(expected), "{method} {path}");
        }
        for (method, path) in [
            ("GET", "/app/clients.json"),
            ("GET", "/clients"),
            ("GET", "/banking/payment/3.json"),
            ("PUT", "/banking/payments/3.json"),
            ("GET", "/payments.json"),
            ("GET", "/invoices/x.json"),
            ("GET", "/nothing.json"),
        ] {
            assert_eq!(found(method, path), None, "{method} {path}");
        }
    }
}
