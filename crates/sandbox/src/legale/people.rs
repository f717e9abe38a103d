//! Contacts (contract, section 3.6): unique e-mails, viewer licences, and a RUT that nobody checks.

use serde_json::{Value, json};

use super::office::{Call, Office, Outcome, acted, object, read, required};
use super::records::Contact;
use super::refusal::{Reason, Refusal, invalid};
use super::reply::{self, Reply};
use super::rules::{is_email, optional};
use crate::json::Json;

impl Office {
    pub(super) fn list_contacts(&self, call: &Call<'_>, caller: &str) -> Outcome {
        let mut own: Vec<&Contact> = self.contacts.iter().filter(|contact| contact.owner == caller).collect();
        reply::ordered(&mut own, |contact| contact.email.clone(), &self.settings);
        let url = format!("{}/api/v2/contacts/", self.base_url);
        read(reply::page(own, shown, &call.target.query, &url, &self.settings)?)
    }

    pub(super) fn create_contact(&mut self, call: &Call<'_>, caller: &str) -> Outcome {
        let body = object(call)?;
        let email = required(&body, "email")?;
        let (firstname, lastname1) = (required(&body, "firstname")?, required(&body, "lastname1")?);
        if !is_email(&email) {
            return Err(invalid("email", "email", "is not an e-mail address"));
        }
        self.unused(&email, caller, None)?;
        let now = call.moment.iso_micros();
        let mut contact = Contact {
            id: 0,
            owner: caller.to_owned(),
            email,
            firstname,
            lastname1,
            lastname2: None,
            company_email: None,
            phone: None,
            rut: None,
            is_user: false,
            is_external: false,
            created_at: now.clone(),
            updated_at: now,
        };
        change(&mut contact, &body);
        self.licence_left(&contact, caller)?;
        contact.id = self.next_id();
        let answer = Reply::v2(201, shown(&contact));
        self.contacts.push(contact);
        acted(answer)
    }

    /// E-mails are unique per account, without case.
    fn unused(&self, email: &str, caller: &str, except: Option<u64>) -> Result<(), Refusal> {
        let same = |contact: &Contact| {
            contact.owner == caller && contact.email.eq_ignore_ascii_case(email) && Some(contact.id) != except
        };
        if self.contacts.iter().any(same) { Err(Reason::DuplicateContact.into()) } else { Ok(()) }
    }

    fn licence_left(&self, contact: &Contact, caller: &str) -> Result<(), Refusal> {
        let others = |other: &&Contact| other.owner == caller && other.is_external && other.id != contact.id;
        let used = self.contacts.iter().filter(others).count();
        let short = contact.is_external && used >= self.settings.viewer_licences;
        if short { Err(Reason::NoLicence.into()) } else { Ok(()) }
    }

    fn own_contact(&self, id: &str, caller: &str) -> Result<usize, Refusal> {
        let own = |contact: &Contact| contact.owner == caller && contact.id.to_string() == id;
        self.contacts.iter().position(own).ok_or_else(|| Reason::Absent.into())
    }

    pub(super) fn update_contact(&mut self, call: &Call<'_>, caller: &str) -> Outcome {
        let body = object(call)?;
        let place = self.own_contact(&call.target.name, caller)?;
        let Some(mut contact) = self.contacts.get(place).cloned() else { return Err(Reason::Absent.into()) };
        change(&mut contact, &body);
        if !is_email(&contact.email) {
            return Err(invalid("email", "email", "is not an e-mail address"));
        }
        self.unused(&contact.email, caller, Some(contact.id))?;
        self.licence_left(&contact, caller)?;
        contact.updated_at = call.moment.iso_micros();
        let answer = Reply::v2(200, shown(&contact));
        if let Some(kept) = self.contacts.get_mut(place) {
            *kept = contact;
        }
        acted(answer)
    }

    pub(super) fn get_contact(&self, call: &Call<'_>, caller: &str) -> Outcome {
        let place = self.own_contact(&call.target.name, caller)?;
        read(Reply::v2(200, self.contacts.get(place).map(shown).unwrap_or_default()))
    }

    pub(super) fn delete_contact(&mut self, call: &Call<'_>, caller: &str) -> Outcome {
        let place = self.own_contact(&call.target.name, caller)?;
        self.contacts.remove(place);
        acted(Reply::Done)
    }
}

/// Takes over what was given; in a PUT everything is optional.
fn change(contact: &mut Contact, body: &Json) {
    let text = |to: &mut String, key: &str| {
        if let Some(given) = optional(body, key) {
            *to = given;
        }
    };
    text(&mut contact.email, "email");
    text(&mut contact.firstname, "firstname");
    text(&mut contact.lastname1, "lastname1");
    let maybe = |to: &mut Option<String>, key: &str| {
        if *body.get(key) != Json::Absent {
            *to = optional(body, key);
        }
    };
    maybe(&mut contact.lastname2, "lastname2");
    maybe(&mut contact.company_email, "company_email");
    maybe(&mut contact.phone, "phone");
    maybe(&mut contact.rut, "rut");
    let truth = |to: &mut bool, key: &str| {
        if let Json::Bool(given) = body.get(key) {
            *to = *given;
        }
    };
    truth(&mut contact.is_user, "is_user");
    truth(&mut contact.is_external, "is_external");
}

fn shown(contact: &Contact) -> Value {
    json!({
        "id": contact.id, "email": contact.email, "firstname": contact.firstname,
        "lastname1": contact.lastname1, "lastname2": contact.lastname2,
        "company_email": contact.company_email, "phone": contact.phone, "country_code": "CL",
        "rut": contact.rut, "is_user": contact.is_user, "is_external": contact.is_external,
        "created_at": contact.created_at, "updated_at": contact.updated_at,
    })
}
