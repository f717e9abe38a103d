//! Contacts and what stands below them (contract 3.2, 3.4, P5).
//!
//! The rules enforced here: creating is get-or-create, and nobody is told that a contact is new; amounts that come as text are read
//! exactly; what the contract does not list is kept.

use std::fmt;

use http::Method;
use integration_core::Error;
use integration_core::call::{Idempotency, Operation};
use rust_decimal::Decimal;
use serde::Serialize;

use crate::client::{Ask, Client};
use crate::error::Problem;
use crate::pair::{Pair, State};
use crate::record::{Data, FieldError, Record};
use crate::search::{Found, Search};
use crate::wire::Received;

const READ: Operation = Operation::get("read a contact", "/contactos/{id}");
const ACTIONS: Operation = Operation::get("list a contact's actions", "/contactos/{id}/acciones");
const ADDRESSES: Operation = Operation::get("list a contact's addresses", "/contactos/{id}/domicilios");
const HOLDERS: Operation = Operation::get("list a contact's holders", "/contactos/{id}/titulares");
const CREATE: Operation = Operation::post("get or create a contact", "/contactos", Idempotency::Once);
const SEARCH: Operation = Operation::post("search contacts", "/contactos/search", Idempotency::Safe);
const ADD_HOLDER: Operation =
    Operation::post("add a holder to a contact", "/contactos/{id}/titulares", Idempotency::Once);
const ADD_ADDRESS: Operation =
    Operation::post("add an address to a contact", "/contactos/{id}/domicilios", Idempotency::Once);
const CHANGE_ADDRESS: Operation = Operation::new(
    "change an address of a contact",
    Method::PUT,
    "/contactos/{id}/domicilios/{idDomicilio}",
    Idempotency::Once,
);

pub(crate) const OPERATIONS: [Operation; 9] =
    [READ, ACTIONS, ADDRESSES, HOLDERS, CREATE, SEARCH, ADD_HOLDER, ADD_ADDRESS, CHANGE_ADDRESS];

const KNOWN: [&str; 17] = [
    "id",
    "numeroExpedientesAlta",
    "codigo",
    "observacion",
    "referencia",
    "clave",
    "cnae",
    "pyme",
    "descuento",
    "iva",
    "empresa",
    "tarifaFacturación",
    "tipo",
    "estado",
    "riesgo",
    "logo",
    "banco",
];

/// A contact: client, intermediary, agent and more (contract 3.4). Client 1 and intermediary 1 are two contacts (trap 8).
///
/// Its `Debug` shows number, kind and state; the rest is a client's data.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias("contacto", "cliente"))]
pub struct Contact {
    /// `id`: its identity.
    pub id: u64,
    /// `numeroExpedientesAlta`: how many open case files it has.
    #[doc(alias = "numeroExpedientesAlta")]
    pub open_case_files: Option<u64>,
    /// `codigo`: an alias that people use; text, leading zeros kept, unique within a kind only.
    #[doc(alias = "codigo")]
    pub code: Option<String>,
    /// `observacion`.
    #[doc(alias = "observacion")]
    pub observation: Option<String>,
    /// `referencia`.
    #[doc(alias = "referencia")]
    pub reference: Option<String>,
    /// `clave`: not that of a case file, and never shown to anybody on the web (N3).
    #[doc(alias = "clave")]
    pub key: Option<String>,
    /// `cnae`.
    pub cnae: Option<String>,
    /// `pyme`.
    pub pyme: Option<String>,
    /// `descuento`, which comes as text.
    #[doc(alias = "descuento")]
    pub discount: Option<Decimal>,
    /// `iva`, which comes as text.
    #[doc(alias = "iva")]
    pub vat: Option<Decimal>,
    /// `empresa`.
    #[doc(alias = "empresa")]
    pub company: Option<Pair>,
    /// `tarifaFacturación`.
    #[doc(alias = "tarifaFacturación")]
    pub billing_rate: Option<Pair>,
    /// `tipo`: its kind, `C` for a client; the firm's own list is the catalogue `/tipos/contactos`.
    #[doc(alias = "tipo")]
    pub kind: Option<Pair>,
    /// `estado`.
    #[doc(alias = "estado")]
    pub state: Option<Pair<State>>,
    /// `riesgo`.
    #[doc(alias = "riesgo")]
    pub risk: Option<Pair>,
    /// `logo`, whose form the contract does not tell.
    pub logo: Option<Data>,
    /// `banco`.
    #[doc(alias = "banco")]
    pub bank: Option<Bank>,
    /// Everything else, as it came.
    pub extra: Record,
}

impl Contact {
    pub(crate) fn read(record: Record) -> Result<Self, FieldError> {
        Ok(Self {
            id: record.id("id")?.ok_or_else(|| FieldError::new("id", "there"))?,
            open_case_files: record.id("numeroExpedientesAlta")?,
            code: record.text("codigo")?,
            observation: record.text("observacion")?,
            reference: record.text("referencia")?,
            key: record.text("clave")?,
            cnae: record.text("cnae")?,
            pyme: record.text("pyme")?,
            discount: record.decimal("descuento")?,
            vat: record.decimal("iva")?,
            company: record.pair("empresa")?,
            billing_rate: record.pair("tarifaFacturación")?,
            kind: record.pair("tipo")?,
            state: record.pair("estado")?,
            risk: record.pair("riesgo")?,
            logo: record.get("logo").filter(|logo| !logo.is_null()),
            bank: record
                .record("banco")?
                .map(Bank::read)
                .transpose()
                .map_err(|error| error.within("banco"))?,
            extra: record.without(&KNOWN),
        })
    }
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contact")
            .field("id", &self.id)
            .field("kind", &self.kind.as_ref().map(|kind| &kind.code))
            .field("state", &self.state.as_ref().map(|state| &state.code))
            .finish_non_exhaustive()
    }
}

/// A contact's bank (contract 3.4). Its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "banco")]
pub struct Bank {
    /// `codigo`.
    #[doc(alias = "codigo")]
    pub code: Option<String>,
    /// `descripcion`.
    #[doc(alias = "descripcion")]
    pub description: Option<String>,
    /// `domicilio`.
    #[doc(alias = "domicilio")]
    pub address: Option<String>,
    /// `poblacion`.
    #[doc(alias = "poblacion")]
    pub city: Option<String>,
    /// `codPostal`.
    #[doc(alias = "codPostal")]
    pub postal_code: Option<String>,
    /// `pais`, whose form the contract does not tell.
    #[doc(alias = "pais")]
    pub country: Option<Data>,
    /// `sucursal`.
    #[doc(alias = "sucursal")]
    pub branch: Option<String>,
    /// `digito`.
    #[doc(alias = "digito")]
    pub check_digits: Option<String>,
    /// `cuenta`.
    #[doc(alias = "cuenta")]
    pub account: Option<String>,
    /// `iban`, with the blanks it came with.
    pub iban: Option<String>,
    /// `swift`.
    pub swift: Option<String>,
    /// Everything else, as it came.
    pub extra: Record,
}

impl Bank {
    fn read(record: Record) -> Result<Self, FieldError> {
        const KNOWN: [&str; 11] = [
            "codigo",
            "descripcion",
            "domicilio",
            "poblacion",
            "codPostal",
            "pais",
            "sucursal",
            "digito",
            "cuenta",
            "iban",
            "swift",
        ];
        Ok(Self {
            code: record.text("codigo")?,
            description: record.text("descripcion")?,
            address: record.text("domicilio")?,
            city: record.text("poblacion")?,
            postal_code: record.text("codPostal")?,
            country: record.get("pais").filter(|country| !country.is_null()),
            branch: record.text("sucursal")?,
            check_digits: record.text("digito")?,
            account: record.text("cuenta")?,
            iban: record.text("iban")?,
            swift: record.text("swift")?,
            extra: record.without(&KNOWN),
        })
    }
}

impl fmt::Debug for Bank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bank").finish_non_exhaustive()
    }
}

/// P5: the number itself, or the `id` of an object.
fn id_of(received: &Received) -> Result<u64, Problem> {
    let shape = || received.route.shape(Vec::new(), "`data` brings no `id` of a contact");
    received.due()?.id().ok_or_else(shape)
}

impl Client {
    /// `GET /contactos/{id}` (contract 3.2): one contact. May be repeated.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// What the call met; [`Problem::UnexpectedShape`] for a contact without `id` or with a field of another shape.
    ///
    /// ```no_run
    /// # async fn run(client: apiges_sync::Client) -> Result<(), apiges_sync::Error> {
    /// let contact = client.contact(1).await?;
    /// println!("{:?} has {:?} open case files", contact.code, contact.open_case_files);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("contactos", "contacto", "cliente"))]
    pub async fn contact(&self, id: u64) -> Result<Contact, Error> {
        self.ask(Ask::new(READ).id("id", id), |received| received.one(Contact::read)).await
    }

    /// `GET /contactos/{id}/acciones` (contract 3.2): its commercial actions, whose fields the contract does not tell. May be repeated.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// What the call met; a list of anything but objects is [`Problem::UnexpectedShape`].
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (person, client) = (kit.person(), kit.client);
    /// for action in client.contact_actions(person).await? {
    ///     println!("{:?}", action.names().collect::<Vec<_>>());
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias = "acciones")]
    pub async fn contact_actions(&self, id: u64) -> Result<Vec<Record>, Error> {
        self.ask(Ask::new(ACTIONS).id("id", id), Received::records).await
    }

    /// `GET /contactos/{id}/domicilios` (contract 3.2): its addresses. May be repeated.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// As [`contact_actions`](Self::contact_actions).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (person, client) = (kit.person(), kit.client);
    /// for address in client.contact_addresses(person).await? {
    ///     println!("{:?}", address.names().collect::<Vec<_>>());
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias = "domicilios")]
    pub async fn contact_addresses(&self, id: u64) -> Result<Vec<Record>, Error> {
        self.ask(Ask::new(ADDRESSES).id("id", id), Received::records).await
    }

    /// `GET /contactos/{id}/titulares` (contract 3.2): its holders. May be repeated.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// As [`contact_actions`](Self::contact_actions).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (person, client) = (kit.person(), kit.client);
    /// for holder in client.contact_holders(person).await? {
    ///     println!("{:?}", holder.names().collect::<Vec<_>>());
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias = "titulares")]
    pub async fn contact_holders(&self, id: u64) -> Result<Vec<Record>, Error> {
        self.ask(Ask::new(HOLDERS).id("id", id), Received::records).await
    }

    /// `POST /contactos` (contract 3.2, P5): the number of the contact, which may well be one that existed before; the service does
    /// not tell, so neither does this (trap 5). The body's fields are the caller's. Never repeated by itself.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// A validation error if the body is no JSON object; what the call met, where [`Error::is_outcome_unknown`] tells that it may
    /// have been created.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// use serde_json::json;
    ///
    /// let body = json!({ "tipo": "C", "codigo": "0042" });
    /// let id = client.get_or_create_contact(&body).await?; // new, or there before
    /// println!("{id}");
    /// # Ok(()) });
    /// ```
    #[doc(alias = "contacto")]
    pub async fn get_or_create_contact(&self, body: &(impl Serialize + ?Sized)) -> Result<u64, Error> {
        self.ask(Ask::new(CREATE).json(body)?, id_of).await
    }

    /// `POST /contactos/search` (contract 3.2, 3.3): the contacts that match. Reads only, and may be repeated.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// A validation error for a condition that cannot be right; what the call met. A bad field is an error of its row.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// use apiges_sync::Search;
    ///
    /// let found = client.search_contacts(&Search::all().equal("codigo", ["0001"])).await?;
    /// for contact in &found.rows {
    ///     println!("{} {:?}", contact.id, contact.code);
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias = "contactos")]
    pub async fn search_contacts(&self, search: &Search) -> Result<Found<Contact>, Error> {
        self.search(SEARCH, search, Contact::read).await
    }

    /// `POST /contactos/{id}/titulares` (contract 3.2): adds a holder; answers what the service says, which may be nothing. Never
    /// repeated by itself.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// As [`get_or_create_contact`](Self::get_or_create_contact).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (person, client) = (kit.person(), kit.client);
    /// use serde_json::json;
    ///
    /// let answer = client.add_contact_holder(person, &json!({ "idTitular": 2 })).await?;
    /// println!("{:?}", answer.record());
    /// # Ok(()) });
    /// ```
    #[doc(alias = "titular")]
    pub async fn add_contact_holder(&self, id: u64, body: &(impl Serialize + ?Sized)) -> Result<Data, Error> {
        self.write(Ask::new(ADD_HOLDER).id("id", id), body).await
    }

    /// `POST /contactos/{id}/domicilios` (contract 3.2): adds an address. Never repeated by itself.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// As [`get_or_create_contact`](Self::get_or_create_contact).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (person, client) = (kit.person(), kit.client);
    /// use serde_json::json;
    ///
    /// let answer = client.add_contact_address(person, &json!({ "direccion": "Calle Mayor 1", "poblacion": "Madrid" })).await?;
    /// println!("{:?}", answer.record());
    /// # Ok(()) });
    /// ```
    #[doc(alias = "domicilio")]
    pub async fn add_contact_address(
        &self,
        id: u64,
        body: &(impl Serialize + ?Sized),
    ) -> Result<Data, Error> {
        self.write(Ask::new(ADD_ADDRESS).id("id", id), body).await
    }

    /// `PUT /contactos/{id}/domicilios/{idDomicilio}` (contract 3.2): changes an address. Never repeated by itself.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// As [`get_or_create_contact`](Self::get_or_create_contact).
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (person, client) = (kit.person(), kit.client);
    /// use serde_json::json;
    ///
    /// let answer = client.change_contact_address(person, 1, &json!({ "direccion": "Calle Mayor 2" })).await?;
    /// println!("{:?}", answer.record());
    /// # Ok(()) });
    /// ```
    #[doc(alias = "domicilio")]
    pub async fn change_contact_address(
        &self,
        id: u64,
        address: u64,
        body: &(impl Serialize + ?Sized),
    ) -> Result<Data, Error> {
        self.write(Ask::new(CHANGE_ADDRESS).id("id", id).id("idDomicilio", address), body).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Contact, FieldError> {
        Contact::read(Record::parse(text).unwrap())
    }

    /// The fields of contract 3.4, traps 6 and 7.
    #[test]
    fn every_field_of_the_contract_is_read() {
        let contact = read(
            r#"{"id":1,"numeroExpedientesAlta":"12","codigo":"0487","observacion":"o","referencia":"r","clave":"k",
                "cnae":"6910","pyme":"S","descuento":"10.50","iva":"21,00","empresa":{"codigo":"1","descripcion":"E"},
                "tarifaFacturación":{"codigo":"T1","descripcion":"Tarifa"},"tipo":{"codigo":"C","descripcion":"Cliente"},
                "estado":{"codigo":"A","descripcion":"Alta"},"riesgo":null,"logo":null,
                "banco":{"codigo":"2100","iban":"ES91 2100 0418","swift":null,"codPostal":"08001","nuevo":1},"color":"azul"}"#,
        )
        .unwrap();
        assert_eq!(
            (contact.id, contact.open_case_files, contact.code.as_deref()),
            (1, Some(12), Some("0487"))
        );
        let amounts = [contact.discount, contact.vat].map(|amount| amount.unwrap().to_string());
        assert_eq!(amounts, ["10.50", "21.00"]);
        assert_eq!(contact.billing_rate.unwrap().code, "T1");
        assert_eq!((contact.kind.unwrap().code.as_str(), contact.state.unwrap().code), ("C", State::Open));
        assert!(contact.risk.is_none() && contact.logo.is_none());
        let bank = contact.bank.unwrap();
        assert_eq!((bank.iban.as_deref(), bank.extra.json("nuevo")), (Some("ES91 2100 0418"), Some("1")));
        assert_eq!(contact.extra.names().collect::<Vec<_>>(), ["color"]);
    }

    #[test]
    fn the_accent_is_part_of_the_key() {
        let contact = read(r#"{"id":1,"tarifaFacturacion":{"codigo":"T1"}}"#).unwrap();
        assert!(contact.billing_rate.is_none());
        assert_eq!(contact.extra.names().collect::<Vec<_>>(), ["tarifaFacturacion"]);
    }

    #[test]
    fn what_cannot_be_read_names_the_field() {
        for (text, field) in [
            ("{}", "id"),
            (r#"{"id":"x"}"#, "id"),
            (r#"{"id":1,"descuento":"diez"}"#, "descuento"),
            (r#"{"id":1,"estado":"A"}"#, "estado"),
            (r#"{"id":1,"banco":{"iban":[]}}"#, "banco.iban"),
        ] {
            assert_eq!(read(text).unwrap_err().field(), field);
        }
    }

    #[test]
    fn no_clients_data_is_printed() {
        let contact = read(
            r#"{"id":1,"codigo":"sentinel","observacion":"sentinel","clave":"sentinel","banco":{"iban":"sentinel"},"x":"sentinel"}"#,
        );
        let contact = contact.unwrap();
        assert!(!format!("{contact:?}{:?}", contact.bank).contains("sentinel"));
    }
}
