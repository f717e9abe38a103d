//! Every public item of a crate once, with its fields, variants and methods.

use serde_json::Value;

use crate::crate_doc::{CrateDoc, Target, ids};

/// A public item by its shortest path.
pub struct Place<'d> {
    pub path: String,
    /// What rustdoc calls it: `struct`, `struct_field`, `variant`, `function` and so on.
    pub kind: &'d str,
    pub item: &'d Value,
    pub inner: &'d Value,
    /// Of a type or a trait, and not by itself.
    pub is_member: bool,
}

/// All of them, in the order of their paths; what is taken over from other crates is left out.
pub fn places(doc: &CrateDoc) -> Vec<Place<'_>> {
    let mut walk = Walk { doc, places: Vec::new() };
    for (path, target) in &doc.paths {
        if let Target::Own(id) = target
            && doc.own_path(*id) == Some(path)
        {
            walk.enter(path.clone(), *id, false);
        }
    }
    walk.places
}

struct Walk<'d> {
    doc: &'d CrateDoc,
    places: Vec<Place<'d>>,
}

impl<'d> Walk<'d> {
    fn enter(&mut self, path: String, id: u64, is_member: bool) {
        let Some(item) = self.doc.item(id) else { return };
        if !matches!(item["visibility"].as_str(), Some("public" | "default")) {
            return;
        }
        let (kind, inner) = CrateDoc::kind_of(item);
        self.members(&path, inner);
        self.places.push(Place { path, kind, item, inner, is_member });
    }

    fn members(&mut self, path: &str, inner: &'d Value) {
        let kind = &inner["kind"];
        let fields = ids(&kind["plain"]["fields"]).into_iter().chain(ids(&kind["struct"]["fields"]));
        let own: Vec<u64> = fields.chain(ids(&inner["variants"])).chain(self.methods(inner)).collect();
        for id in own {
            self.enter(format!("{path}::{}", self.doc.name_of(id)), id, true);
        }
    }

    /// Of a type's own blocks, or of a trait.
    fn methods(&self, inner: &Value) -> Vec<u64> {
        let own = |id: u64| {
            let block = CrateDoc::kind_of(self.doc.item(id)?).1;
            let is_own = block["trait"].is_null() && block["blanket_impl"].is_null();
            is_own.then(|| ids(&block["items"]))
        };
        let of_trait =
            if inner["is_dyn_compatible"].is_boolean() { ids(&inner["items"]) } else { Vec::new() };
        ids(&inner["impls"]).into_iter().filter_map(own).flatten().chain(of_trait).collect()
    }
}
