//! Smart documents, and flows started from them: a list of items in V1, one item in V2 (contract, section 3.6).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::flow::NewFlow;
use super::office::{Call, Office, Outcome, acted, object, read};
use super::papers::NewPaper;
use super::pdf;
use super::records::Origin;
use super::refusal::{Reason, Refusal, invalid};
use super::reply::{self, Link, Reply};
use super::rules::{self, Kind, optional};
use crate::blob::Content;
use crate::clock::Moment;
use crate::json::Json;

/// A smart document.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Template {
    pub(super) id: u64,
    pub(super) name: String,
    /// Names of its variables; their numbers count from 1.
    pub(super) variables: Vec<String>,
}

impl Template {
    /// Those that are there from the start.
    pub(super) fn first_ones() -> Vec<Self> {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        vec![
            Self {
                id: 1,
                name: "Contrato de trabajo".into(),
                variables: names(&["nombre", "cargo", "sueldo"]),
            },
            Self {
                id: 2,
                name: "Acuerdo de confidencialidad".into(),
                variables: names(&["empresa", "fecha"]),
            },
        ]
    }
}

/// An item that passed every check.
struct Item {
    variables: Map<String, Value>,
    flow: NewFlow,
    folder: Option<String>,
    file_name: Option<String>,
    callback_url: Option<String>,
    callback_key: Option<String>,
}

impl Office {
    pub(super) fn list_templates(&self, call: &Call<'_>) -> Outcome {
        let shown = |template: &Template| self.template_shown(template, call.moment);
        let url = format!("{}/api/v2/smart-documents/", self.base_url);
        let all: Vec<&Template> = self.templates.iter().collect();
        read(reply::page(all, shown, &call.target.query, &url, &self.settings)?)
    }

    fn template_shown(&self, template: &Template, moment: Moment) -> Value {
        let items = template.variables.iter().enumerate().map(|(at, name)| {
            let number = at.saturating_add(1) as u64;
            json!({
                "id": template.id.saturating_mul(100).saturating_add(number), "name": name, "type": "text",
                "format": null, "item_number": number, "col_span": 12, "is_required": true,
                "is_conditional_visible": false, "is_hidden": false, "extra_data": {},
            })
        });
        let time = reply::time(moment, &self.settings);
        json!({
            "id": template.id, "items": items.collect::<Value>(), "name": template.name,
            "content": format!("<p>{}</p>", template.name),
            "preview": format!("{}/media/previews/{}.pdf", self.base_url, template.id),
            "callback_url": null, "created_at": time, "updated_at": time,
            "owner": self.accounts.accounts.first().map(|account| &account.email), "users": [],
        })
    }

    fn template(&self, id: &str) -> Result<Template, Refusal> {
        let known = self.templates.iter().find(|template| template.id.to_string() == id);
        known.cloned().ok_or_else(|| Reason::Absent.into())
    }

    pub(super) fn start_template(&mut self, call: &Call<'_>, caller: &str) -> Outcome {
        let template = self.template(&call.target.name)?;
        let body = object(call)?;
        let items = body.get("data").items();
        if items.is_empty() {
            return Err(invalid("data", "data", "is a list of at least one item"));
        }
        let read: Vec<Result<Item, Refusal>> =
            items.iter().map(|item| self.read_item(item, Kind::Template, caller)).collect();
        if let Some(refusal) = read.iter().find_map(|item| item.as_ref().err()).cloned()
            && !self.settings.template_partial
        {
            return Err(refusal);
        }
        let mut results = Vec::new();
        for item in read {
            results.push(match item {
                Ok(item) => {
                    let (guid, links) = self.start_item(item, &template, caller, call.moment);
                    json!({ "GUID": guid, "sign_urls": reply::links(&links, &self.settings) })
                }
                Err(refusal) => json!({ "code": refusal.code(&self.settings), "message": refusal.detail() }),
            });
        }
        acted(Reply::v1(results.into()))
    }

    pub(super) fn start_workflow(&mut self, call: &Call<'_>, caller: &str) -> Outcome {
        let template = self.template(&call.target.name)?;
        let body = object(call)?;
        let item = self.read_item(&body, Kind::Workflow, caller)?;
        let (_, links) = self.start_item(item, &template, caller, call.moment);
        acted(Reply::v2(200, reply::links(&links, &self.settings)))
    }

    fn read_item(&self, item: &Json, kind: Kind, caller: &str) -> Result<Item, Refusal> {
        let given = item.get("variables");
        let Json::Object(given_variables) = given else {
            return Err(invalid("variables", "variables", "is an object"));
        };
        let fea_ready = |email: &str, me: bool| self.fea_ready(caller, email, me);
        let signers = rules::signers(item, "signers", kind, &fea_ready)?;
        // V2 has the options of the document among the variables.
        let options = if kind == Kind::Workflow { given } else { item };
        let reserved = ["folder", "file_name", "callback_url", "callback_key"];
        let own = given_variables.iter().filter(|(key, _)| !reserved.contains(&key.as_str()));
        Ok(Item {
            variables: own.map(|(key, value)| (key.clone(), value.spelled().into())).collect(),
            flow: NewFlow::plain(signers, rules::shared(item, kind)?),
            folder: optional(given, "folder"),
            file_name: optional(given, "file_name"),
            callback_url: optional(options, "callback_url"),
            callback_key: optional(options, "callback_key"),
        })
    }

    fn start_item(
        &mut self,
        item: Item,
        template: &Template,
        caller: &str,
        moment: Moment,
    ) -> (String, Vec<Link>) {
        let file = Content::from_bytes(pdf::small(&rendered(template, &item.variables)));
        let name = item.file_name.unwrap_or_else(|| format!("{}.pdf", template.name));
        let mut new = NewPaper::plain(Origin::Template, caller, &name, &template.name, file);
        new.folder = item.folder;
        new.callback_url = item.callback_url;
        new.callback_key = item.callback_key;
        let place = self.add(new, moment);
        let guid = self.papers.get_mut(place).map(|paper| {
            paper.variables = Some(item.variables.into());
            paper.record.guid.clone()
        });
        let links = self.launch(place, item.flow, moment);
        (guid.unwrap_or_default(), links)
    }
}

/// The template with its variables by number; a missing one is blank.
fn rendered(template: &Template, variables: &Map<String, Value>) -> String {
    let filled = template.variables.iter().enumerate().map(|(at, name)| {
        let number = at.saturating_add(1).to_string();
        let value = variables.get(&number).and_then(Value::as_str).unwrap_or("");
        let plain: String = value.chars().filter(char::is_ascii_graphic).collect();
        format!("{name}={plain}")
    });
    format!("{} {}", template.name, filled.collect::<Vec<_>>().join(" "))
}
