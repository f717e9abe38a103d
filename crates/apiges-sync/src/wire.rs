//! The envelope of layer A (contract P1, R1, R2) and how `data` is taken out of it.
//!
//! The rule enforced here: an empty list inside a proper envelope is a real empty answer; a list where an object is due, the reverse,
//! and nothing where something is due are errors.

use integration_core::body::fields::{Fields, Token};
use serde_json::value::RawValue;

use crate::error::{Problem, Route, Said, keys};
use crate::record::{Data, FieldError, Record};
use crate::search::RowError;

/// `{ "statusCode": n, "message": text, "data": … }`.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) status: i64,
    pub(crate) message: Option<String>,
    /// Nothing if the key is not there; `null` is there.
    pub(crate) data: Option<Data>,
}

/// The top-level keys of what is an object and no envelope, and why.
type NoEnvelope = (Vec<String>, &'static str);

impl Envelope {
    /// Nothing if it is no object at all.
    pub(crate) fn read(body: &[u8]) -> Option<Result<Self, NoEnvelope>> {
        let fields = Fields::<Box<RawValue>>::parse(body)?;
        let status = fields.get("statusCode").and_then(|status| status.scalar().integer());
        let Some(status) = status else {
            return Some(Err((keys(fields.names()), "there is no `statusCode` that is a number")));
        };
        let message = fields.get("message").and_then(|message| message.scalar().text());
        let message = message.filter(|text| !text.trim().is_empty());
        let data = fields.rest().remove("data").map(Data::of);
        Some(Ok(Self { status, message, data }))
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// An answer that says success.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) route: Route<'static>,
    pub(crate) said: Said,
    pub(crate) data: Option<Data>,
}

impl Received {
    /// What came, also if it is nothing: for writes whose answer the contract does not describe.
    pub(crate) fn data(&self) -> Data {
        self.data.clone().unwrap_or_else(Data::null)
    }

    /// What has to be there (R1).
    pub(crate) fn due(&self) -> Result<&Data, Problem> {
        match &self.data {
            None => Err(self.route.shape(Vec::new(), "the envelope has no `data`")),
            Some(data) if data.is_null() => Err(Problem::NoData(self.said.clone())),
            Some(data) => Ok(data),
        }
    }

    pub(crate) fn record(&self) -> Result<Record, Problem> {
        self.due()?.record().ok_or_else(|| self.route.shape(Vec::new(), "`data` is not an object"))
    }

    pub(crate) fn list(&self) -> Result<Vec<Data>, Problem> {
        self.due()?.list().ok_or_else(|| {
            let names = self.due().ok().and_then(Data::record);
            let names = names.as_ref().map(|record| keys(record.names())).unwrap_or_default();
            self.route.shape(names, "`data` is not a list")
        })
    }

    pub(crate) fn records(&self) -> Result<Vec<Record>, Problem> {
        let no_object =
            |place| self.route.shape(Vec::new(), format!("element {place} of `data` is not an object"));
        let rows = self.list()?.into_iter().enumerate();
        rows.map(|(place, row)| row.record().ok_or_else(|| no_object(place))).collect()
    }

    /// The one entity.
    pub(crate) fn one<T>(&self, read: impl Fn(Record) -> Result<T, FieldError>) -> Result<T, Problem> {
        read(self.record()?).map_err(|error| self.route.field(&error))
    }

    /// Every entity of a list, where one that cannot be read makes the answer unusable.
    pub(crate) fn every<T>(&self, read: impl Fn(Record) -> Result<T, FieldError>) -> Result<Vec<T>, Problem> {
        let rows = self.records()?.into_iter().enumerate();
        rows.map(|(place, row)| {
            read(row).map_err(|error| self.route.field(&error.within(format!("data[{place}]"))))
        })
        .collect()
    }

    /// R4: a bad field is an error of its row.
    pub(crate) fn rows<T>(
        &self,
        read: impl Fn(Record) -> Result<T, FieldError>,
    ) -> Result<(Vec<T>, Vec<RowError>), Problem> {
        let (mut rows, mut unreadable) = (Vec::new(), Vec::new());
        for (place, row) in self.records()?.into_iter().enumerate() {
            match read(row.clone()) {
                Ok(row) => rows.push(row),
                Err(error) => unreadable.push(RowError::new(place, row, error)),
            }
        }
        Ok((rows, unreadable))
    }
}
