//! Contacts, in V2 (contract 3.1 rows 13 to 15, 3.6, 4.3).
//!
//! An advanced signature (`fea`) needs a contact with names and a right RUT, since starting a flow has no field for it (trap 21). The
//! vendor does not check the number; this crate does, for what it sends. What it reads is never refused because of it.

use http::Method;
use integration_core::body::page::Pages;
use integration_core::call::{Idempotency, Operation};
use integration_core::tax::id::Rut;
use integration_core::{Error, Fault, Faults};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::client::{Ask, Client};
use crate::error::{Code, ErrorExt};
use crate::id::ContactId;
use crate::page::{self, Listed};
use crate::wire::{Fields, Unreadable, When};

pub(crate) const LIST: Operation = Operation::get("list contacts", "/contacts/");
pub(crate) const CREATE: Operation = Operation::post("create a contact", "/contacts/", Idempotency::Once);
// Singular, and with a slash at the end (trap 24).
pub(crate) const UPDATE: Operation =
    Operation::new("update a contact", Method::PUT, "/contact/{id}/", Idempotency::Once);
pub(crate) const READ: Operation = Operation::get("read a contact", "/contact/{id}/");
pub(crate) const DELETE: Operation =
    Operation::new("delete a contact", Method::DELETE, "/contact/{id}/", Idempotency::Once);

/// A contact as the service shows it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[doc(alias = "contacto")]
pub struct Contact {
    /// `id`
    pub id: ContactId,
    /// `email`: unique within the account.
    pub email: Option<String>,
    /// `firstname`
    pub firstname: Option<String>,
    /// `lastname1`
    pub lastname1: Option<String>,
    /// `lastname2`
    pub lastname2: Option<String>,
    /// `company_email`
    pub company_email: Option<String>,
    /// `phone`
    pub phone: Option<String>,
    /// `country_code`
    pub country_code: Option<String>,
    /// `rut` as it came, right or wrong; see [`rut`](Self::rut).
    #[doc(alias = "rut")]
    pub rut_text: Option<String>,
    /// `is_user`: shown among the service's users.
    pub is_user: Option<bool>,
    /// `is_external`: has the viewer portal, which uses a licence.
    pub is_external: Option<bool>,
    /// `created_at`
    pub created_at: Option<When>,
    /// `updated_at`
    pub updated_at: Option<When>,
    /// Fields that the contract does not know.
    pub extra: Map<String, Value>,
}

impl Contact {
    /// The RUT, if it has the shape of one. Its check digit may be wrong: [`Rut::has_valid_check_digit`] tells.
    #[must_use]
    pub fn rut(&self) -> Option<Rut> {
        Rut::parse_lenient(self.rut_text.as_deref()?).ok()
    }
}

impl Listed for Contact {
    fn read(value: Value) -> Result<Self, Unreadable> {
        let mut fields = Fields::of(value, "the contact")?;
        let id = fields.required("id")?.parse().map_err(|_| Unreadable::new("id", "an id"))?;
        Ok(Self {
            id,
            email: fields.text("email")?,
            firstname: fields.text("firstname")?,
            lastname1: fields.text("lastname1")?,
            lastname2: fields.text("lastname2")?,
            company_email: fields.text("company_email")?,
            phone: fields.text("phone")?,
            country_code: fields.text("country_code")?,
            rut_text: fields.text("rut")?,
            is_user: fields.boolean("is_user"),
            is_external: fields.boolean("is_external"),
            created_at: fields.time("created_at")?,
            updated_at: fields.time("updated_at")?,
            extra: fields.extra(),
        })
    }

    fn identity(&self) -> Option<String> {
        Some(self.id.as_str().to_owned())
    }
}

/// What a partial update does with one field: leave it out, send `null`, or send a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// Not sent: it stays as it is.
    #[default]
    Keep,
    /// Sent as `null`.
    Clear,
    /// Sent.
    Set(T),
}

impl<T> Patch<T> {
    fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }
}

impl<T: Serialize> Serialize for Patch<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Set(value) => value.serialize(serializer),
            Self::Keep | Self::Clear => serializer.serialize_none(),
        }
    }
}

/// The changeable fields of a contact; all optional, those left at [`Patch::Keep`] are not sent.
///
/// ```
/// use legale::{ContactPatch, Patch};
///
/// let patch = ContactPatch { phone: Patch::Set("+56 9 1234 5678".into()), company_email: Patch::Clear, ..ContactPatch::default() };
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ContactPatch {
    /// `email`
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub email: Patch<String>,
    /// `firstname`
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub firstname: Patch<String>,
    /// `lastname1`
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub lastname1: Patch<String>,
    /// `lastname2`
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub lastname2: Patch<String>,
    /// `company_email`
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub company_email: Patch<String>,
    /// `phone`
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub phone: Patch<String>,
    /// `rut`, sent as `12345678-5`; refused with a wrong check digit.
    #[serde(skip_serializing_if = "Patch::is_keep", serialize_with = "wire_rut")]
    pub rut: Patch<Rut>,
    /// `is_user`
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub is_user: Patch<bool>,
    /// `is_external`: uses a viewer licence.
    #[serde(skip_serializing_if = "Patch::is_keep")]
    pub is_external: Patch<bool>,
}

fn wire_rut<S: Serializer>(rut: &Patch<Rut>, serializer: S) -> Result<S::Ok, S::Error> {
    match rut {
        Patch::Set(rut) => serializer.serialize_str(&rut.wire()),
        Patch::Keep | Patch::Clear => serializer.serialize_none(),
    }
}

/// A contact to be created: e-mail, first name and last name, and whatever else [`ContactPatch`] holds.
///
/// ```
/// use legale::{NewContact, Rut};
///
/// let contact = NewContact::new("ana@example.com", "Ana", "Rojas").rut("12.345.678-5".parse::<Rut>()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct NewContact(ContactPatch);

impl NewContact {
    /// The three required fields.
    pub fn new(email: impl Into<String>, firstname: impl Into<String>, lastname1: impl Into<String>) -> Self {
        Self(ContactPatch {
            email: Patch::Set(email.into()),
            firstname: Patch::Set(firstname.into()),
            lastname1: Patch::Set(lastname1.into()),
            ..ContactPatch::default()
        })
    }

    /// Adds the second last name.
    pub fn lastname2(mut self, text: impl Into<String>) -> Self {
        self.0.lastname2 = Patch::Set(text.into());
        self
    }

    /// Adds the RUT, needed for `fea`.
    pub fn rut(mut self, rut: Rut) -> Self {
        self.0.rut = Patch::Set(rut);
        self
    }

    /// Adds a phone number.
    pub fn phone(mut self, text: impl Into<String>) -> Self {
        self.0.phone = Patch::Set(text.into());
        self
    }

    /// Adds the company's e-mail address.
    pub fn company_email(mut self, text: impl Into<String>) -> Self {
        self.0.company_email = Patch::Set(text.into());
        self
    }

    /// Shows it among the service's users.
    pub fn user(mut self, on: bool) -> Self {
        self.0.is_user = Patch::Set(on);
        self
    }

    /// Gives it the viewer portal, which uses a licence.
    pub fn external(mut self, on: bool) -> Self {
        self.0.is_external = Patch::Set(on);
        self
    }
}

fn check(patch: &ContactPatch, operation: &'static str) -> Result<(), Error> {
    let mut faults = Faults::new();
    for (field, value) in
        [("email", &patch.email), ("firstname", &patch.firstname), ("lastname1", &patch.lastname1)]
    {
        match value {
            Patch::Keep => {}
            Patch::Clear => faults.push(Fault::error("REQUIRED", field).with_hint("it cannot be cleared")),
            Patch::Set(text) => crate::document::check_text(field, text, None, &mut faults),
        }
    }
    if let Patch::Set(email) = &patch.email
        && !is_email(email)
    {
        faults.push(
            Fault::error("EMAIL", "email")
                .with_expected("one @ between two parts, no blanks")
                .with_actual(email),
        );
    }
    if let Patch::Set(rut) = &patch.rut
        && !rut.has_valid_check_digit()
    {
        let expected = format!("check character {}", rut.expected_check_digit().as_str());
        faults.push(Fault::error("RUT", "rut").with_expected(expected).with_actual(rut.wire()));
    }
    faults.into_result(operation).map(drop)
}

/// Exactly one `@`, something on both sides, no blanks (contract 4.1).
pub(crate) fn is_email(text: &str) -> bool {
    let sides = text.split_once('@');
    sides.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
        && !text.contains(char::is_whitespace)
}

impl Client {
    /// Lists the contacts, page by page (contract 3.1 row 13).
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.1 row 13): a page that was lost is asked for again.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// # client.create_contact(&legale::NewContact::new("ana@example.com", "Ana", "Rojas")).await?;
    /// let mut pages = client.contacts();
    /// while let Some(page) = pages.next_page().await? {
    ///     for contact in page.items {
    ///         println!("{} {:?}", contact.id, contact.email);
    ///     }
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias = "contactos")]
    pub fn contacts(&self) -> Pages<Contact> {
        page::v2(self, LIST)
    }

    /// Creates a contact (contract 3.1 row 14). Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// A validation error for a missing name, a bad address or a wrong RUT; [`Code::ContactDuplicated`];
    /// [`Code::NoProductNumber`] if no viewer licence is left; and as every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// use legale::{NewContact, Rut};
    ///
    /// let ana = NewContact::new("ana@example.com", "Ana", "Rojas").rut("12.345.678-5".parse::<Rut>()?);
    /// let contact = client.create_contact(&ana).await?;
    /// assert_eq!(contact.email.as_deref(), Some("ana@example.com"));
    /// # Ok(()) });
    /// ```
    #[doc(alias = "contacto")]
    pub async fn create_contact(&self, contact: &NewContact) -> Result<Contact, Error> {
        check(&contact.0, CREATE.name)?;
        self.ask(Ask::v2(CREATE).json(&contact.0)?, Contact::read).await
    }

    /// Changes the given fields of a contact and leaves the others (contract 3.1 row 14). Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once); repeating one whose outcome is unknown is harmless, yet the crate leaves it to the
    /// caller.
    ///
    /// # Errors
    /// As [`create_contact`](Self::create_contact).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// # let id = client.create_contact(&legale::NewContact::new("ana@example.com", "Ana", "Rojas")).await?.id;
    /// use legale::{ContactPatch, Patch};
    ///
    /// let patch = ContactPatch { phone: Patch::Set("+56 9 1234 5678".into()), ..ContactPatch::default() };
    /// let contact = client.update_contact(&id, &patch).await?;
    /// assert_eq!(contact.phone.as_deref(), Some("+56 9 1234 5678"));
    /// # Ok(()) });
    /// ```
    pub async fn update_contact(&self, id: &ContactId, patch: &ContactPatch) -> Result<Contact, Error> {
        check(patch, UPDATE.name)?;
        self.ask(Ask::v2(UPDATE).param("id", id).json(patch)?, Contact::read).await
    }

    /// Reads one contact: a call that exists by analogy only (assumed, contract 3.1 row 15).
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// A configuration error unless [`ClientBuilder::allow_contact_by_id`](crate::ClientBuilder::allow_contact_by_id) is on; else as
    /// every call.
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// # let id = client.create_contact(&legale::NewContact::new("ana@example.com", "Ana", "Rojas")).await?.id;
    /// // `ClientBuilder::allow_contact_by_id(true)`: nothing public shows this call.
    /// let contact = client.contact(&id).await?;
    /// assert_eq!(contact.firstname.as_deref(), Some("Ana"));
    /// # Ok(()) });
    /// ```
    pub async fn contact(&self, id: &ContactId) -> Result<Contact, Error> {
        self.by_id_allowed()?;
        self.ask(Ask::v2(READ).param("id", id), Contact::read).await
    }

    /// Deletes one contact: a call that exists by analogy only (assumed, contract 3.1 row 15). Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// As [`contact`](Self::contact).
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// # let id = client.create_contact(&legale::NewContact::new("ana@example.com", "Ana", "Rojas")).await?.id;
    /// // `ClientBuilder::allow_contact_by_id(true)`: nothing public shows this call.
    /// client.delete_contact(&id).await?;
    /// assert!(client.contact(&id).await.unwrap_err().is_not_found());
    /// # Ok(()) });
    /// ```
    pub async fn delete_contact(&self, id: &ContactId) -> Result<(), Error> {
        self.by_id_allowed()?;
        self.ask(Ask::v2(DELETE).param("id", id).may_be_empty(), |_| Ok(())).await
    }

    fn by_id_allowed(&self) -> Result<(), Error> {
        if self.rules().contact_by_id {
            return Ok(());
        }
        let hint = "no reference shows this call; switch it on with `ClientBuilder::allow_contact_by_id`";
        Err(Error::configuration("reading and deleting one contact is off", hint))
    }

    /// Makes sure that there is a contact with these names and this RUT, as an advanced signature needs (contract 4.3, assumed):
    /// looks for the e-mail without case, creates the contact if there is none, and updates only what differs.
    ///
    /// Idempotency: each call that it makes by its own class; calling it again after any failure is right.
    ///
    /// # Errors
    /// As the calls that it makes.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// use legale::{NewContact, Rut};
    ///
    /// let ana = NewContact::new("ana@example.com", "Ana", "Rojas").rut("12.345.678-5".parse::<Rut>()?);
    /// let first = client.ensure_contact(&ana).await?;
    /// assert_eq!(client.ensure_contact(&ana).await?.id, first.id);
    /// # Ok(()) });
    /// ```
    #[doc(alias = "contacto")]
    pub async fn ensure_contact(&self, wanted: &NewContact) -> Result<Contact, Error> {
        check(&wanted.0, CREATE.name)?;
        if let Some(found) = self.contact_of(wanted).await? {
            return self.brought_up(found, wanted).await;
        }
        match self.create_contact(wanted).await {
            Err(error) if error.code() == Some(Code::ContactDuplicated) => {
                match self.contact_of(wanted).await? {
                    Some(found) => self.brought_up(found, wanted).await,
                    None => Err(error),
                }
            }
            result => result,
        }
    }

    async fn contact_of(&self, wanted: &NewContact) -> Result<Option<Contact>, Error> {
        let Patch::Set(email) = &wanted.0.email else { return Ok(None) };
        let email = email.trim().to_lowercase();
        let mut pages = self.contacts();
        while let Some(page) = pages.next_page().await? {
            let same = |contact: &Contact| {
                contact.email.as_deref().is_some_and(|text| text.trim().to_lowercase() == email)
            };
            if let Some(found) = page.items.into_iter().find(same) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    async fn brought_up(&self, found: Contact, wanted: &NewContact) -> Result<Contact, Error> {
        let patch = difference(&found, &wanted.0);
        if patch == ContactPatch::default() {
            return Ok(found);
        }
        self.update_contact(&found.id, &patch).await
    }
}

/// What of `wanted` the contact does not have yet. The address is how it was found.
fn difference(found: &Contact, wanted: &ContactPatch) -> ContactPatch {
    let text = |wanted: &Patch<String>, found: &Option<String>| match wanted {
        Patch::Set(text) if found.as_deref() != Some(text) => Patch::Set(text.clone()),
        _ => Patch::Keep,
    };
    let flag = |wanted: &Patch<bool>, found: Option<bool>| match wanted {
        Patch::Set(on) if found != Some(*on) => Patch::Set(*on),
        _ => Patch::Keep,
    };
    let rut = match wanted.rut {
        Patch::Set(rut) if found.rut() != Some(rut) => Patch::Set(rut),
        _ => Patch::Keep,
    };
    ContactPatch {
        email: Patch::Keep,
        firstname: text(&wanted.firstname, &found.firstname),
        lastname1: text(&wanted.lastname1, &found.lastname1),
        lastname2: text(&wanted.lastname2, &found.lastname2),
        company_email: text(&wanted.company_email, &found.company_email),
        phone: text(&wanted.phone, &found.phone),
        rut,
        is_user: flag(&wanted.is_user, found.is_user),
        is_external: flag(&wanted.is_external, found.is_external),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn absent_null_and_value_are_three_things() {
        let patch = ContactPatch {
            phone: Patch::Clear,
            rut: Patch::Set("12.345.678-5".parse().unwrap()),
            lastname2: Patch::Set("Soto".into()),
            ..ContactPatch::default()
        };
        let sent = serde_json::to_value(&patch).unwrap();
        assert_eq!(sent, json!({"phone": null, "rut": "12345678-5", "lastname2": "Soto"}));
    }

    #[test]
    fn a_wrong_rut_is_refused_when_sent_and_read_when_it_comes() {
        let wrong = Rut::parse_lenient("11.222.333-k").unwrap();
        let error = check(&NewContact::new("a@b", "A", "B").rut(wrong).0, "x").unwrap_err();
        assert_eq!((error.faults()[0].path(), error.faults()[0].expected()), ("rut", "check character 9"));
        for rut in ["11.222.333-k", "nonsense", ""] {
            let contact = Contact::read(json!({"id": 1, "rut": rut, "is_user": "1"})).unwrap();
            assert_eq!(contact.rut_text.as_deref(), Some(rut));
            assert_eq!(contact.is_user, Some(true));
        }
    }

    #[test]
    fn only_what_differs_is_updated() {
        let found = Contact::read(
            json!({"id": 1, "email": "A@b", "firstname": "Ana", "lastname1": "Rojas", "rut": "12.345.678-5"}),
        );
        let wanted = NewContact::new("a@b", "Ana", "Soto").rut("12345678-5".parse().unwrap());
        let patch = difference(&found.unwrap(), &wanted.0);
        assert_eq!(serde_json::to_value(&patch).unwrap(), json!({"lastname1": "Soto"}));
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let error = check(&NewContact::new("a@@b", "", " ").0, "x").unwrap_err();
        let paths: Vec<_> = error.faults().iter().map(Fault::path).collect();
        assert_eq!(paths, ["firstname", "lastname1", "email"]);
    }
}
