//! The list of everything that a crate's users can name: one line for each item, field, variant, method and implemented trait.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::crate_doc::{CrateDoc, Target, ids};
use crate::types::Writer;

/// Traits that the compiler grants by itself and that users rely on.
const GRANTED: [&str; 3] = ["Send", "Sync", "Unpin"];

/// What a crate shows.
pub struct Listing {
    pub lines: BTreeSet<String>,
    /// Crate and item; the first of the crate's items that names it.
    pub foreign: BTreeMap<(String, String), String>,
    /// Types in signatures that nobody can name; the first item that has each.
    pub hidden: BTreeMap<String, String>,
    /// Types, and those of [`GRANTED`] that they have.
    pub granted: BTreeMap<String, BTreeSet<String>>,
}

impl Listing {
    pub fn of(doc: &CrateDoc) -> Self {
        let mut list = Lines { writer: Writer::new(doc), lines: BTreeSet::new(), granted: BTreeMap::new() };
        for (path, target) in &doc.paths {
            list.writer.at(path);
            match target {
                Target::Own(id) if doc.own_path(*id) == Some(path) => list.item(path, *id),
                Target::Own(id) | Target::Foreign(id) => list.alias(path, *id),
            }
        }
        let Lines { writer, lines, granted } = list;
        Self { lines, granted, hidden: writer.hidden(), foreign: writer.into_foreign() }
    }
}

struct Lines<'d> {
    writer: Writer<'d>,
    lines: BTreeSet<String>,
    granted: BTreeMap<String, BTreeSet<String>>,
}

impl Lines<'_> {
    fn say(&mut self, line: String) {
        self.lines.insert(line);
    }

    fn alias(&mut self, path: &str, id: u64) {
        let name = self.writer.name(id, "?");
        self.say(format!("{path} = {name}"));
    }

    fn item(&mut self, path: &str, id: u64) {
        let doc = self.writer.doc;
        let Some(item) = doc.item(id) else { return };
        let (kind, inner) = CrateDoc::kind_of(item);
        let marks = marks(item);
        let generics = self.writer.parameters(&inner["generics"]["params"]);
        let conditions = self.writer.conditions(&[&inner["generics"]]);
        match kind {
            "struct" => self.structure(path, item, inner),
            "enum" | "union" => self.say(format!("{path}: {marks}{kind}{generics}{conditions}")),
            "trait" => {
                let bounds = self.writer.bounds(&inner["bounds"]);
                self.say(format!("{path}: trait{generics}: {bounds}{conditions}"));
            }
            "function" => self.function(path, inner, None),
            "type_alias" => {
                let ty = self.writer.ty(&inner["type"]);
                self.say(format!("{path}: type{generics} = {ty}"));
            }
            "constant" | "static" => {
                let ty = self.writer.ty(&inner["type"]);
                self.say(format!("{path}: {kind} {ty}"));
            }
            "macro" => self.say(format!("{path}: {}", one_line(inner))),
            _ => self.say(format!("{path}: {kind}")),
        }
        self.parts(path, inner);
    }

    fn structure(&mut self, path: &str, item: &Value, inner: &Value) {
        let generics = self.writer.parameters(&inner["generics"]["params"]);
        let conditions = self.writer.conditions(&[&inner["generics"]]);
        let kind = &inner["kind"];
        let fields = match (kind.get("plain"), kind.get("tuple")) {
            (Some(plain), _) if plain["has_stripped_fields"] == true => " { .. }".to_owned(),
            (Some(_), _) => " { }".to_owned(),
            (_, Some(tuple)) => self.tuple(tuple),
            _ => String::new(),
        };
        self.say(format!("{path}: {}struct{generics}{fields}{conditions}", marks(item)));
    }

    fn tuple(&self, fields: &Value) -> String {
        let field = |id: &Value| match id.as_u64().and_then(|id| self.writer.doc.item(id)) {
            Some(field) => self.writer.ty(CrateDoc::kind_of(field).1),
            None => "_".to_owned(),
        };
        let all: Vec<String> = fields.as_array().into_iter().flatten().map(field).collect();
        format!("({})", all.join(", "))
    }

    /// Fields, variants, members of a trait, and implementations.
    fn parts(&mut self, path: &str, inner: &Value) {
        for id in ids(&inner["kind"]["plain"]["fields"]) {
            self.field(path, id);
        }
        for id in ids(&inner["variants"]) {
            self.variant(path, id);
        }
        if inner["is_dyn_compatible"].is_boolean() {
            for id in ids(&inner["items"]) {
                self.member(path, id, None);
            }
        }
        for id in ids(&inner["impls"]) {
            self.implementation(path, id);
        }
    }

    fn field(&mut self, path: &str, id: u64) {
        let doc = self.writer.doc;
        let Some(item) = doc.item(id) else { return };
        if matches!(item["visibility"].as_str(), Some("public" | "default")) {
            let ty = self.writer.ty(CrateDoc::kind_of(item).1);
            self.say(format!("{path}::{}: field {ty}", doc.name_of(id)));
        }
    }

    fn variant(&mut self, path: &str, id: u64) {
        let doc = self.writer.doc;
        let Some(item) = doc.item(id) else { return };
        let kind = &CrateDoc::kind_of(item).1["kind"];
        let path = format!("{path}::{}", doc.name_of(id));
        let fields = kind.get("tuple").map(|tuple| self.tuple(tuple)).unwrap_or_default();
        let fields = if kind.get("struct").is_some() { " { }".to_owned() } else { fields };
        self.say(format!("{path}: {}variant{fields}", marks(item)));
        for id in ids(&kind["struct"]["fields"]) {
            self.field(&path, id);
        }
    }

    fn member(&mut self, path: &str, id: u64, generics: Option<&Value>) {
        let doc = self.writer.doc;
        let Some(item) = doc.item(id) else { return };
        if !matches!(item["visibility"].as_str(), Some("public" | "default")) {
            return;
        }
        let path = format!("{path}::{}", doc.name_of(id));
        let (kind, inner) = CrateDoc::kind_of(item);
        match kind {
            "function" => self.function(&path, inner, generics),
            "assoc_type" => {
                let bounds = self.writer.bounds(&inner["bounds"]);
                self.say(format!("{path}: associated type: {bounds}"));
            }
            _ => {
                let ty = self.writer.ty(&inner["type"]);
                self.say(format!("{path}: associated const {ty}"));
            }
        }
    }

    fn function(&mut self, path: &str, inner: &Value, around: Option<&Value>) {
        let header = &inner["header"];
        let word = |said: &str, word| if header[said] == true { word } else { "" };
        let words = format!(
            "{}{}{}",
            word("is_const", "const "),
            word("is_async", "async "),
            word("is_unsafe", "unsafe ")
        );
        let provided =
            if around.is_none() && inner["sig"]["inputs"][0][0] == "self" && inner["has_body"] == true {
                " (provided)"
            } else {
                ""
            };
        let generics = self.writer.parameters(&inner["generics"]["params"]);
        let signature = self.writer.signature(&inner["sig"]);
        let around: Vec<&Value> = around.into_iter().chain([&inner["generics"]]).collect();
        let conditions = self.writer.conditions(&around);
        self.say(format!("{path}: {words}fn{generics}{signature}{conditions}{provided}"));
    }

    fn implementation(&mut self, path: &str, id: u64) {
        let doc = self.writer.doc;
        let Some(item) = doc.item(id) else { return };
        let inner = CrateDoc::kind_of(item).1;
        if !inner["blanket_impl"].is_null() {
            return;
        }
        if inner["is_synthetic"] == true {
            return self.grant(path, inner);
        }
        if inner["trait"].is_object() {
            return self.implemented(inner);
        }
        for id in ids(&inner["items"]) {
            // Parameters of the type are written where they are bound to something.
            let bound = self.writer.parameters(&inner["generics"]["params"]);
            let place = if bound.contains(':') { format!("{path}{bound}") } else { path.to_owned() };
            self.member(&place, id, Some(&inner["generics"]));
        }
    }

    fn grant(&mut self, path: &str, inner: &Value) {
        let written = inner["trait"]["path"].as_str().unwrap_or_default();
        let name = written.rsplit("::").next().unwrap_or_default();
        let granted = self.granted.entry(path.to_owned()).or_default();
        if GRANTED.contains(&name) && inner["is_negative"] != true {
            granted.insert(name.to_owned());
        } else if GRANTED.contains(&name) {
            self.say(format!("{path}: not {name}"));
        }
    }

    fn implemented(&mut self, inner: &Value) {
        let of = self.writer.path(&inner["trait"]);
        if of.starts_with("std::marker::StructuralPartialEq") {
            return;
        }
        let ty = self.writer.ty(&inner["for"]);
        let generics = self.writer.parameters(&inner["generics"]["params"]);
        let conditions = self.writer.conditions(&[&inner["generics"]]);
        let types = self.associated(inner);
        self.say(format!("impl{generics} {of} for {ty}{conditions}{types}"));
    }

    fn associated(&self, inner: &Value) -> String {
        let doc = self.writer.doc;
        let one = |id: u64| {
            let item = doc.item(id)?;
            let ("assoc_type", ty) = CrateDoc::kind_of(item) else { return None };
            Some(format!("{} = {}", doc.name_of(id), self.writer.ty(&ty["type"])))
        };
        let all: Vec<String> = ids(&inner["items"]).into_iter().filter_map(one).collect();
        if all.is_empty() { String::new() } else { format!(" {{ {} }}", all.join(", ")) }
    }
}

fn marks(item: &Value) -> &'static str {
    let open = |attr: &Value| attr == "non_exhaustive" || attr["other"] == "#[non_exhaustive]";
    if item["attrs"].as_array().into_iter().flatten().any(open) { "non_exhaustive " } else { "" }
}

fn one_line(text: &Value) -> String {
    text.as_str().unwrap_or("?").split_whitespace().collect::<Vec<_>>().join(" ")
}
