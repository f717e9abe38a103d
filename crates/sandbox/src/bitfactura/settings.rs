//! Operations, tables and settings of the simulated BitFactura.

use serde::{Deserialize, Serialize};

use crate::crm::Wire;

choices! {
    /// A table of BitFactura.
    Table {
        /// Clients.
        Clients,
        /// Invoices, costs among them.
        Invoices,
        /// Registered receivers of webhooks.
        Webhooks,
        /// `/products`
        Products,
        /// `/price_lists`
        PriceLists,
        /// `/warehouse_documents`
        WarehouseDocuments,
        /// `/warehouses`
        Warehouses,
        /// `/categories`
        Categories,
        /// `/departments`
        Departments,
        /// `/recurrings`
        Recurrings,
        /// `/banking/payments`
        Payments,
    }
}

choices! {
    /// An operation of BitFactura.
    Endpoint {
        /// `GET /clients.json`
        Clients,
        /// `GET /clients/{id}.json`
        Client,
        /// `POST /clients.json`
        CreateClient,
        /// `PUT /clients/{id}.json`
        UpdateClient,
        /// `DELETE /clients/{id}.json`
        DeleteClient,
        /// `GET /invoices.json`
        Invoices,
        /// `GET /invoices/{id}.json`
        Invoice,
        /// `POST /invoices.json`
        CreateInvoice,
        /// `PUT /invoices/{id}.json`
        UpdateInvoice,
        /// `DELETE /invoices/{id}.json`
        DeleteInvoice,
        /// `GET /invoices/{id}.pdf`
        Pdf,
        /// `POST /invoices/{id}/change_status.json`
        ChangeStatus,
        /// `POST /invoices/{id}/send_by_email.json`
        SendByEmail,
        /// `POST /invoices/cancel.json`
        Cancel,
        /// `GET /invoices/{id}/attachments_zip.json`
        AttachmentsZip,
        /// `GET /invoices/{id}/get_new_attachment_credentials.json`
        AttachmentCredentials,
        /// The form upload to the URL of the credentials.
        Upload,
        /// `POST /invoices/{id}/add_attachment.json`
        AddAttachment,
        /// `GET /invoice/{token}` and `GET /f/{number}/{token}`
        PublicView,
        /// `GET /invoice/{token}.pdf`
        PublicPdf,
        /// `GET /webhooks.json`
        Webhooks,
        /// `GET /webhooks/{id}.json`
        Webhook,
        /// `POST /webhooks.json`
        CreateWebhook,
        /// `PUT /webhooks/{id}.json`
        UpdateWebhook,
        /// `DELETE /webhooks/{id}.json`
        DeleteWebhook,
        /// `GET` of a list of another resource, such as `/products.json`
        Resources,
        /// `GET` of another resource
        Resource,
        /// `POST` of another resource
        CreateResource,
        /// `PUT` (payments: `PATCH`) of another resource
        UpdateResource,
        /// `DELETE` of another resource
        DeleteResource,
        /// `GET /account.json`
        Account,
        /// `POST /account.json`
        CreateAccount,
        /// `POST /account/add_user.json`, `/account/delete.json`, `/account/unlink.json`
        ChangeAccount,
        /// `POST /login.json`
        Login,
    }
}

choices! {
    /// How a filter of the query matches.
    Filter {
        /// Values that begin so, whatever the case: `A-1` finds `A-10` as well.
        Prefix,
        /// Equal values, whatever the case.
        Exact,
        /// Not at all: everything is listed.
        Ignored,
    }
}

choices! {
    /// What a PDF answers as long as it is not ready.
    NotReady {
        /// 422
        Unprocessable,
        /// 200 with a page.
        Html,
        /// 302 to the invoice's page.
        Redirect,
    }
}

choices! {
    /// How a ready PDF is served.
    PdfAnswer {
        /// At once.
        Direct,
        /// By 302 to the public PDF on the same host.
        Redirect,
    }
}

choices! {
    /// The field `view_url`.
    ViewUrl {
        /// On this host, below `/f/`.
        Own,
        /// On another domain, which answers nobody.
        OtherDomain,
        /// Null; the field `token` is there.
        Absent,
        /// Null, and so is `token`: there is no link.
        NoToken,
    }
}

choices! {
    /// What is shown of a client or an invoice that was deleted.
    Deleted {
        /// 404
        NotFound,
        /// The record with `deleted`.
        Marked,
    }
}

choices! {
    /// Shape of webhooks.
    WebhookShape {
        /// As newer captures have it: invoice events with the invoice's `id`, `deal.status` and `deal.currency`.
        Newer,
        /// As older captures have it, without these.
        Older,
        /// As the help page has it: `app_name` is `BitFactura`, and `client_id` stands outside.
        HelpPage,
    }
}

/// What a test can choose about the simulated BitFactura.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// What Sugester has as well. Bearer tokens are taken here by default.
    pub wire: Wire,
    /// Filter `tax_no` of clients.
    pub tax_no_filter: Filter,
    /// Filter `name` of clients.
    pub name_filter: Filter,
    /// Filter `oid` of invoices.
    pub oid_filter: Filter,
    /// `company` of a client that is made without it.
    pub company_by_default: bool,
    /// Invoices older than 12 months are listed, too, when no period is asked for.
    pub lists_all_periods: bool,
    /// A new invoice answers all fields, not only the most important.
    pub whole_create_answer: bool,
    /// How often the PDF of a new invoice is not ready; seeded ones are ready.
    pub pdf_not_ready_times: u32,
    /// What it says then.
    pub pdf_not_ready: NotReady,
    /// How it comes once it is.
    pub pdf_answer: PdfAnswer,
    /// Where the public view is.
    pub view_url: ViewUrl,
    /// `GET` of what was deleted.
    pub deleted: Deleted,
    /// `api_token` is among the answer to a log-in.
    pub login_shows_token: bool,
    /// A log-in ends in "Multipass login failed" inside 200.
    pub multipass_fails: bool,
    /// Shape of webhooks.
    pub webhook_shape: WebhookShape,
    /// `app_name` of webhooks in captured shapes.
    pub app_name: String,
    /// The key of `external_ids` in webhooks.
    pub app_key: String,
    /// `locale` of webhooks.
    pub locale: String,
    /// A write with `skip_webhooks` in the record (or beside it) fires nothing. Unknown of the service.
    pub honours_skip_webhooks: bool,
    /// A new `client:sync` row makes every client be posted to it.
    pub sync_fires: bool,
    /// How often a webhook is tried until it is accepted.
    pub webhook_attempts: u32,
    /// Pause between the attempts, in milliseconds.
    pub webhook_pause_ms: u64,
    /// How long an answer is waited for, in milliseconds.
    pub webhook_timeout_ms: u64,
    /// A row is switched off after this many failures in a row; never if null.
    pub switches_off_after: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            wire: Wire { bearer: true, ..Wire::default() },
            tax_no_filter: Filter::default(),
            name_filter: Filter::default(),
            oid_filter: Filter::default(),
            company_by_default: true,
            lists_all_periods: false,
            whole_create_answer: false,
            pdf_not_ready_times: 0,
            pdf_not_ready: NotReady::default(),
            pdf_answer: PdfAnswer::default(),
            view_url: ViewUrl::default(),
            deleted: Deleted::default(),
            login_shows_token: true,
            multipass_fails: false,
            webhook_shape: WebhookShape::default(),
            app_name: "bitfactura".into(),
            app_key: "bitfactura".into(),
            locale: "es".into(),
            honours_skip_webhooks: true,
            sync_fires: true,
            webhook_attempts: 1,
            webhook_pause_ms: 20,
            webhook_timeout_ms: 5_000,
            switches_off_after: Some(10),
        }
    }
}
