//! Operations, tables and settings of the simulated Sugester.

use serde::{Deserialize, Serialize};

use crate::crm::Wire;

choices! {
    /// A table of Sugester.
    Table {
        /// Clients; companies are clients with `company`.
        Clients,
        /// Contacts of clients.
        Contacts,
        /// Deals ("asuntos").
        Deals,
        /// Tasks, tickets and comments.
        Posts,
        /// Recipient lists.
        ContactLists,
        /// Statuses.
        Statuses,
        /// Accounts that a partner made.
        Accounts,
    }
}

choices! {
    /// An operation of Sugester.
    Endpoint {
        /// `GET /app/clients.json`
        Clients,
        /// `GET /app/clients/{id}.json`
        Client,
        /// `POST /app/clients.json`
        CreateClient,
        /// `PUT /app/clients/{id}.json`
        UpdateClient,
        /// `DELETE /app/clients/{id}.json`
        DeleteClient,
        /// `POST /app/clients/external_update.json`
        ExternalUpdate,
        /// `GET /app/contacts.json`
        Contacts,
        /// `GET /app/contacts/{id}.json`
        Contact,
        /// `POST /app/contacts.json`
        CreateContact,
        /// `PUT /app/contacts/{id}.json`
        UpdateContact,
        /// `DELETE /app/contacts/{id}.json`
        DeleteContact,
        /// `GET /app/deals.json`
        Deals,
        /// `GET /app/deals/{id}.json`
        Deal,
        /// `POST /app/deals.json`
        CreateDeal,
        /// `PUT /app/deals/{id}.json`
        UpdateDeal,
        /// `DELETE /app/deals/{id}.json`
        DeleteDeal,
        /// `GET /app.json`, at the root
        Helpdesk,
        /// `GET /app/tasks.json`
        Tasks,
        /// `GET /app/posts/{id}.json`
        Post,
        /// `POST /app/posts.json`
        CreatePost,
        /// `GET /app/contact_lists/{id}.json`
        ContactList,
        /// `POST /app/contact_lists.json`
        CreateContactList,
        /// `PUT /app/contact_lists/{id}.json`
        UpdateContactList,
        /// `GET /app/statuses.json`
        Statuses,
        /// `GET /app/statuses/{id}.json`
        Status,
        /// `POST /app/statuses.json`
        CreateStatus,
        /// `POST /app/account.json`
        CreateAccount,
    }
}

choices! {
    /// By what `try_update` finds the client to update; the service's key is unknown.
    TryUpdateBy {
        /// Any of `external_ids`.
        ExternalIds,
        /// The tax number.
        TaxNo,
        /// The e-mail address.
        Email,
        /// The name.
        Name,
    }
}

choices! {
    /// What a PUT with `external_ids` does to the ids that it does not name.
    ExternalIds {
        /// They are gone: whoever writes one must write all.
        Replaced,
        /// They stay.
        Merged,
    }
}

choices! {
    /// What the sync receiver answers.
    ReceiverAnswer {
        /// The client.
        Record,
        /// Nothing.
        Empty,
        /// The JSON text `"ok"`.
        Ok,
        /// `{"code":"success","message":"ok"}`
        Success,
    }
}

/// What a test can choose about the simulated Sugester.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// What BitFactura has as well.
    pub wire: Wire,
    /// Key of `try_update`.
    pub try_update_by: TryUpdateBy,
    /// PUT of `external_ids`.
    pub external_ids: ExternalIds,
    /// Answer of `clients/external_update.json`.
    pub receiver_answer: ReceiverAnswer,
    /// There is no `clients/external_update.json`: 404.
    pub no_receiver: bool,
    /// Lists honour `client_id`, `name`, `email`, `tax_no` and `external_id` of the query. Nothing documents filters, so they
    /// are ignored by default: everything is listed.
    pub filters: bool,
}
