//! Types, bounds and generics as one writes them, with names that say which crate they come from; whatever is named on the way is noted.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::crate_doc::CrateDoc;

/// Names that need no path.
const PRELUDE: [&str; 8] = ["Box", "Option", "Result", "Some", "String", "Vec", "Into", "Sized"];

/// Writes types of one crate.
pub struct Writer<'d> {
    pub doc: &'d CrateDoc,
    /// The foreign crates and items that are named, and the first item that names each.
    foreign: RefCell<BTreeMap<(String, String), String>>,
    /// Types of the crate itself that a signature names and no path reaches.
    hidden: RefCell<BTreeMap<String, String>>,
    place: RefCell<String>,
}

impl<'d> Writer<'d> {
    pub fn new(doc: &'d CrateDoc) -> Self {
        Self { doc, foreign: RefCell::default(), hidden: RefCell::default(), place: RefCell::default() }
    }

    /// Says what is being written from now on.
    pub fn at(&self, place: &str) {
        place.clone_into(&mut self.place.borrow_mut());
    }

    pub fn into_foreign(self) -> BTreeMap<(String, String), String> {
        self.foreign.into_inner()
    }

    pub fn hidden(&self) -> BTreeMap<String, String> {
        self.hidden.borrow().clone()
    }

    /// The name of what `id` stands for; `written` is how the source has it.
    pub fn name(&self, id: u64, written: &str) -> String {
        if let Some(path) = self.doc.own_path(id) {
            return path.split_once("::").map_or(path, |(_, rest)| rest).to_owned();
        }
        let last = written.rsplit("::").next().unwrap_or(written);
        let Some((from, path)) = self.doc.defined(id) else { return last.to_owned() };
        let last = path.last().map_or(last, String::as_str);
        let place = || self.place.borrow().clone();
        if self.doc.item(id).is_some() {
            self.hidden.borrow_mut().entry(path.join("::")).or_insert_with(place);
            return format!("(private) {last}");
        }
        self.foreign.borrow_mut().entry((from.clone(), path.join("::"))).or_insert_with(place);
        foreign_name(&from, &path, last)
    }

    pub fn path(&self, path: &Value) -> String {
        let written = path["path"].as_str().unwrap_or("?");
        let name = path["id"].as_u64().map_or_else(|| written.to_owned(), |id| self.name(id, written));
        format!("{name}{}", self.arguments(&path["args"]))
    }

    pub fn ty(&self, ty: &Value) -> String {
        let Some((kind, inner)) = ty.as_object().and_then(|ty| ty.iter().next()) else {
            return if ty == "infer" { "_".to_owned() } else { "?".to_owned() };
        };
        match kind.as_str() {
            "resolved_path" => self.path(inner),
            "generic" | "primitive" => text(inner),
            "tuple" => format!("({})", self.list(inner, |ty| self.ty(ty))),
            "slice" => format!("[{}]", self.ty(inner)),
            "array" => format!("[{}; {}]", self.ty(&inner["type"]), text(&inner["len"])),
            "impl_trait" => format!("impl {}", self.bounds(inner)),
            "dyn_trait" => self.object(inner),
            "borrowed_ref" => self.reference(inner),
            "qualified_path" => self.projection(inner),
            "function_pointer" => format!("fn{}", self.signature(&inner["sig"])),
            _ => format!("?{kind}"),
        }
    }

    fn reference(&self, inner: &Value) -> String {
        let lifetime = inner["lifetime"].as_str().map(|name| format!("{name} ")).unwrap_or_default();
        let mutable = if inner["is_mutable"] == true { "mut " } else { "" };
        format!("&{lifetime}{mutable}{}", self.ty(&inner["type"]))
    }

    fn object(&self, inner: &Value) -> String {
        let traits = inner["traits"].as_array().into_iter().flatten().map(|one| self.path(&one["trait"]));
        let lifetime = inner["lifetime"].as_str().map(str::to_owned);
        format!("dyn {}", traits.chain(lifetime).collect::<Vec<_>>().join(" + "))
    }

    fn projection(&self, inner: &Value) -> String {
        let name = text(&inner["name"]);
        let of = self.ty(&inner["self_type"]);
        match inner["trait"].is_object() {
            true => format!("<{of} as {}>::{name}", self.path(&inner["trait"])),
            false => format!("{of}::{name}"),
        }
    }

    fn arguments(&self, args: &Value) -> String {
        if let Some(inner) = args.get("parenthesized") {
            return self.signature_of(&inner["inputs"], &inner["output"], |ty| self.ty(ty));
        }
        let Some(inner) = args.get("angle_bracketed") else { return String::new() };
        let given = inner["args"].as_array().into_iter().flatten().map(|arg| self.argument(arg));
        let constraints =
            inner["constraints"].as_array().into_iter().flatten().map(|one| self.constraint(one));
        let all: Vec<String> = given.chain(constraints).collect();
        if all.is_empty() { String::new() } else { format!("<{}>", all.join(", ")) }
    }

    fn argument(&self, arg: &Value) -> String {
        match arg.as_object().and_then(|arg| arg.iter().next()) {
            Some((kind, inner)) if kind == "type" => self.ty(inner),
            Some((kind, inner)) if kind == "const" => text(&inner["expr"]),
            Some((_, inner)) => text(inner),
            None => "_".to_owned(),
        }
    }

    fn constraint(&self, one: &Value) -> String {
        let name = text(&one["name"]);
        let binding = &one["binding"];
        match binding.get("equality") {
            Some(equal) => format!("{name} = {}", self.argument(equal)),
            None => format!("{name}: {}", self.bounds(&binding["constraint"])),
        }
    }

    pub fn bounds(&self, bounds: &Value) -> String {
        let all: Vec<String> =
            bounds.as_array().into_iter().flatten().map(|bound| self.bound(bound)).collect();
        all.join(" + ")
    }

    fn bound(&self, bound: &Value) -> String {
        let Some(inner) = bound.get("trait_bound") else {
            return bound.get("outlives").map_or_else(|| "use<..>".to_owned(), text);
        };
        let maybe = if inner["modifier"] == "maybe" { "?" } else { "" };
        let params = self.parameters(&inner["generic_params"]);
        let forall = if params.is_empty() { params } else { format!("for{params} ") };
        format!("{maybe}{forall}{}", self.path(&inner["trait"]))
    }

    /// `<'a, T: Bound>`, without the parameters that `impl Trait` makes.
    pub fn parameters(&self, params: &Value) -> String {
        let shown: Vec<String> =
            params.as_array().into_iter().flatten().filter_map(|param| self.parameter(param)).collect();
        if shown.is_empty() { String::new() } else { format!("<{}>", shown.join(", ")) }
    }

    fn parameter(&self, param: &Value) -> Option<String> {
        let name = text(&param["name"]);
        let kind = &param["kind"];
        if let Some(constant) = kind.get("const") {
            return Some(format!("const {name}: {}", self.ty(&constant["type"])));
        }
        let Some(of) = kind.get("type") else { return Some(name) };
        if of["is_synthetic"] == true {
            return None;
        }
        let bounds = self.bounds(&of["bounds"]);
        let bounds = if bounds.is_empty() { bounds } else { format!(": {bounds}") };
        let default =
            if of["default"].is_object() { format!(" = {}", self.ty(&of["default"])) } else { String::new() };
        Some(format!("{name}{bounds}{default}"))
    }

    pub fn conditions(&self, generics: &[&Value]) -> String {
        let each = generics.iter().flat_map(|one| one["where_predicates"].as_array().into_iter().flatten());
        let all: Vec<String> = each.map(|one| self.condition(one)).collect();
        if all.is_empty() { String::new() } else { format!(" where {}", all.join(", ")) }
    }

    fn condition(&self, one: &Value) -> String {
        if let Some(bound) = one.get("bound_predicate") {
            return format!("{}: {}", self.ty(&bound["type"]), self.bounds(&bound["bounds"]));
        }
        if let Some(lifetime) = one.get("lifetime_predicate") {
            return format!("{}: {}", text(&lifetime["lifetime"]), self.list(&lifetime["outlives"], text));
        }
        "?".to_owned()
    }

    pub fn signature(&self, sig: &Value) -> String {
        self.signature_of(&sig["inputs"], &sig["output"], |input| self.input(input))
    }

    fn signature_of(&self, inputs: &Value, output: &Value, each: impl Fn(&Value) -> String) -> String {
        let output = if output.is_null() { String::new() } else { format!(" -> {}", self.ty(output)) };
        format!("({}){output}", self.list(inputs, each))
    }

    fn input(&self, input: &Value) -> String {
        let (name, ty) = (text(&input[0]), self.ty(&input[1]));
        match (name.as_str(), ty.as_str()) {
            ("self", "Self") => "self".to_owned(),
            ("self", "&Self") => "&self".to_owned(),
            ("self", "&mut Self") => "&mut self".to_owned(),
            ("", _) => ty,
            _ => format!("{name}: {ty}"),
        }
    }

    fn list(&self, list: &Value, each: impl Fn(&Value) -> String) -> String {
        list.as_array().into_iter().flatten().map(each).collect::<Vec<_>>().join(", ")
    }
}

/// The standard library's crates are one to whoever uses them, and their modules below the first are private as often as not.
fn foreign_name(from: &str, path: &[String], last: &str) -> String {
    match (from, path) {
        _ if PRELUDE.contains(&last) => last.to_owned(),
        ("std" | "core" | "alloc", [_, module, _, ..]) => format!("std::{module}::{last}"),
        ("serde_core", _) => format!("serde::{last}"),
        _ => format!("{from}::{last}"),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
