//! The older API of the same product family (contract, section 3.7): one signer per call, answers of its own form.

use serde_json::{Value, json};

use super::flow::NewFlow;
use super::office::{Call, Done, Office, Outcome, acted, object};
use super::papers::{NewPaper, Paper};
use super::records::{FlowState, Origin, SignerState};
use super::refusal::{Reason, Refusal};
use super::reply::Reply;
use super::route::Product;
use super::rules::{NewSigner, optional};
use crate::json::Json;
use crate::payload::Inline;

impl Product {
    fn required(self) -> &'static [&'static str] {
        const NAMES: [&str; 9] = [
            "subject",
            "description",
            "document",
            "ID",
            "signerID",
            "signerEmail",
            "signerFirstname",
            "signerLastname1",
            "signerLastname2",
        ];
        const WITH_PHONE: [&str; 11] = [
            "subject",
            "description",
            "document",
            "ID",
            "signerID",
            "signerEmail",
            "signerFirstname",
            "signerLastname1",
            "signerLastname2",
            "signerPhone",
            "signerCountry",
        ];
        match self {
            Self::Inbox => &["subject", "description", "document", "ID", "user", "FileName"],
            Self::EmailPin => &NAMES,
            Self::OneShot => &WITH_PHONE,
        }
    }

    fn method(self) -> &'static str {
        match self {
            Self::Inbox => "certification",
            Self::EmailPin => "no_sms",
            Self::OneShot => "sms",
        }
    }
}

impl Office {
    fn legacy_failure(&self, debug: &str) -> Outcome {
        let body = json!({ "success": false, "status": "", "document": "", "debug": debug });
        Ok(Done { reply: Reply::exactly(self.settings.legacy_failure_status, body), acted: false })
    }

    pub(super) fn legacy_send(&mut self, call: &Call<'_>) -> Outcome {
        let body = object(call)?;
        let product = call.target.product.ok_or_else(|| Refusal::from(Reason::Absent))?;
        if let Some(missing) = product.required().iter().find(|key| body.get(key).is_falsy()) {
            return self.legacy_failure(&format!("Missing field: {missing}"));
        }
        let country = body.get("signerCountry").spelled();
        if product == Product::OneShot && country.chars().count() != 2 {
            return self.legacy_failure("Invalid signerCountry");
        }
        let Some(file) = call.body.file(body.get("document")) else {
            return self.legacy_failure("Invalid document");
        };
        let text = |key: &str| body.get(key).spelled();
        let name = optional(&body, "FileName").unwrap_or_else(|| "document.pdf".into());
        let mut new = NewPaper::plain(Origin::Legacy, "", &name, text("description"), file);
        new.subject = optional(&body, "subject");
        new.callback_url = optional(&body, "callbackURL");
        for key in ["attached1", "attached2", "attached3"] {
            new.attachments.extend(call.body.file(body.get(key)).map(|content| (key.to_owned(), content)));
        }
        let place = self.add(new, call.moment);
        if let Some(paper) = self.papers.get_mut(place) {
            paper.record.delete_after_callback = *body.get("deleteAfterSign") == Json::Bool(true);
            paper.skip_notification = *body.get("skipNotification") == Json::Bool(true);
        }
        let skip_email = *body.get("skipEmail") == Json::Bool(true);
        self.launch(place, NewFlow::plain(vec![signer(product, &body, skip_email)], Vec::new()), call.moment);
        let mut answer =
            json!({ "success": true, "GUID": self.papers.get(place).map(|paper| &paper.record.guid) });
        let link = self.papers.get(place).and_then(|paper| paper.record.signers.first()?.link.clone());
        if let (true, Some(link), Value::Object(fields)) = (skip_email, link, &mut answer) {
            fields.insert("sign_url".into(), link.into());
        }
        acted(Reply::exactly(200, answer))
    }

    pub(super) fn legacy_status(&self, call: &Call<'_>) -> Outcome {
        let paper = self.paper(&call.target.name).filter(|paper| paper.record.origin == Origin::Legacy);
        let Some(paper) = paper else { return self.legacy_failure("Invalid GUID") };
        let state = paper.state(call.moment);
        let mut inline = Inline::new();
        let document = match state {
            FlowState::Signed => inline.mark(paper.current()),
            // The reject reason stands where the file would be.
            FlowState::Rejected => paper.record.comment.clone().unwrap_or_default().into(),
            _ => Value::from(""),
        };
        let status = self.legacy_text(paper, state);
        let value = json!({ "success": true, "status": status, "document": document, "debug": "" });
        Ok(Done { reply: Reply::Exactly { status: 200, value, inline }, acted: false })
    }

    fn legacy_text(&self, paper: &Paper, state: FlowState) -> String {
        let opened = paper.record.signers.iter().any(|signer| signer.state == SignerState::Opened);
        match state {
            FlowState::Signed => "Signed".into(),
            FlowState::Rejected => "Rejected".into(),
            FlowState::Deleted => "Deleted".into(),
            _ if opened => self.settings.legacy_signing.clone(),
            _ => "Not Signed".into(),
        }
    }
}

fn signer(product: Product, body: &Json, skip_email: bool) -> NewSigner {
    let text = |key: &str| body.get(key).spelled().to_owned();
    let inbox = product == Product::Inbox;
    NewSigner {
        email: text(if inbox { "user" } else { "signerEmail" }),
        firstname: text("signerFirstname"),
        lastname1: text("signerLastname1"),
        lastname2: text("signerLastname2"),
        phone: text("signerPhone"),
        flow: Some(if inbox { "legale" } else { "other" }.into()),
        method: product.method().into(),
        skip_email,
        status_callback_url: None,
    }
}
