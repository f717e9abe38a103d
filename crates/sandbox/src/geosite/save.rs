//! `cliente/save`: a confirmed link is written back or taken back (contract section 3.6, L2 and L3).
//!
//! Without `fid` every call makes a new customer, even if the same contract is there: whoever repeats a call
//! without looking first makes a second one.

use serde_json::{Map, Value, json};

use super::feature::Feature;
use super::names::is_document;
use super::office::{Answered, Failure, Office, failure, seconds};
use super::plant::whole;
use super::records::Save;
use super::shelf::Role;
use crate::clock::Moment;

const FIELDS: [&str; 8] =
    ["fid", "documento", "contrato", "nome", "fidSplitter", "porta", "latitude", "longitude"];

fn refused(text: impl Into<String>) -> Failure {
    failure(422, "DADOS_INVALIDOS", text)
}

/// Where the customer is to be.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Seat {
    /// Not mentioned.
    Unchanged,
    /// Both null.
    None,
    On(u32, u16),
}

impl Office {
    pub(super) fn save(&mut self, body: &[u8], now: Moment) -> Answered {
        let body: Map<String, Value> =
            serde_json::from_slice(body).map_err(|_| failure(400, "PARAMETRO_INVALIDO", "JSON"))?;
        let fid = self.customer(&body)?;
        let (document, contract) = self.identity(&body)?;
        let seat = seat(&body)?;
        if let Seat::On(splitter, port) = seat {
            self.check_seat(fid, splitter, port)?;
        }
        let saved = self.write(fid, body, now)?;
        let row = self.plant.get(Feature::Cliente, saved);
        let seat = row.filter(|row| row.parent > 0 && row.port > 0).map(|row| (row.parent, row.port));
        self.saves.push(Save { fid: saved, created: fid.is_none(), document, contract, seat });
        Ok(self.succeeded(json!({ "fid": saved })))
    }

    /// The customer who is named, who has to be there.
    fn customer(&self, body: &Map<String, Value>) -> Result<Option<u32>, Failure> {
        let Some(named) = body.get("fid").filter(|fid| !fid.is_null()) else { return Ok(None) };
        let fid = whole(named).ok_or_else(|| refused("fid"))?;
        let absent = Failure { status: 404, body: json!({ "success": "false" }) };
        self.plant.get(Feature::Cliente, fid).map(|_| Some(fid)).ok_or(absent)
    }

    fn identity(&self, body: &Map<String, Value>) -> Result<(String, u32), Failure> {
        if let Some(unknown) = body.keys().find(|key| !FIELDS.contains(&key.as_str())) {
            return Err(refused(format!("{unknown} is not saved")));
        }
        let text = |key: &str| body.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let document = text("documento").ok_or_else(|| refused("documento"))?;
        if self.settings.checks_documents && !is_document(document) {
            return Err(refused("documento"));
        }
        text("nome").ok_or_else(|| refused("nome"))?;
        let contract: Option<u32> = body.get("contrato").and_then(whole);
        let contract = contract.filter(|contract| *contract > 0).ok_or_else(|| refused("contrato"))?;
        Ok((document.to_owned(), contract))
    }

    fn check_seat(&self, fid: Option<u32>, splitter: u32, port: u16) -> Result<(), Failure> {
        let row = self.plant.get(Feature::Splitter, splitter).ok_or_else(|| refused("fidSplitter"))?;
        if row.role != Role::Service {
            return Err(refused("fidSplitter: o splitter não é de atendimento"));
        }
        if !(1..=row.capacity).contains(&port) {
            return Err(refused("porta"));
        }
        match self.plant.holders(splitter, port).find(|holder| Some(*holder) != fid) {
            Some(holder) => Err(self.taken_by(holder)),
            None => Ok(()),
        }
    }

    fn taken_by(&self, holder: u32) -> Failure {
        let contract = self.plant.get(Feature::Cliente, holder).map(|row| row.contract);
        let body = json!({ "success": "false", "codigo": "PORTA_OCUPADA", "contrato": contract });
        Failure { status: 409, body }
    }

    fn write(&mut self, fid: Option<u32>, mut body: Map<String, Value>, now: Moment) -> Result<u32, Failure> {
        body.remove("fid");
        if let Some(contract) = body.get("contrato").and_then(whole::<u32>) {
            body.insert("contrato".to_owned(), contract.into());
        }
        let (times, now) = (self.times(), seconds(now));
        let written = match fid {
            Some(fid) => self.plant.edit(Feature::Cliente, fid, body, Some(now), &times).map(|()| fid),
            None => self.plant.insert(Feature::Cliente, body, now, &times),
        };
        written.map_err(|error| refused(error.to_string()))
    }
}

fn seat(body: &Map<String, Value>) -> Result<Seat, Failure> {
    match (body.get("fidSplitter"), body.get("porta")) {
        (None, None) => Ok(Seat::Unchanged),
        (Some(Value::Null), Some(Value::Null)) => Ok(Seat::None),
        (Some(splitter), Some(port)) => {
            let splitter = splitter.as_u64().and_then(|fid| u32::try_from(fid).ok());
            let port = port.as_u64().and_then(|port| u16::try_from(port).ok());
            let on = splitter.zip(port).map(|(splitter, port)| Seat::On(splitter, port));
            on.ok_or_else(|| refused("fidSplitter, porta"))
        }
        _ => Err(refused("fidSplitter, porta")),
    }
}
