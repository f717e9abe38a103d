//! One crate's rustdoc JSON: its items, and by which public path each is reached.
//!
//! The reader is tolerant: what it does not know it prints as `?`, so that a later format of rustdoc shows as a difference and not as
//! nothing.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

/// A crate as rustdoc describes it.
pub struct CrateDoc {
    doc: Value,
    /// Every public path, and the item it leads to.
    pub paths: BTreeMap<String, Target>,
    /// The shortest public path of each of the crate's own items.
    canonical: BTreeMap<u64, String>,
}

/// What a public path leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Own(u64),
    Foreign(u64),
}

impl CrateDoc {
    pub fn read(text: &str) -> Result<Self, serde_json::Error> {
        let mut new =
            Self { doc: serde_json::from_str(text)?, paths: BTreeMap::new(), canonical: BTreeMap::new() };
        if let Some(root) = new.doc["root"].as_u64() {
            let name = new.name_of(root);
            new.paths = new.reached_from(root, &name);
        }
        new.choose_paths();
        Ok(new)
    }

    pub fn format(&self) -> u64 {
        self.doc["format_version"].as_u64().unwrap_or_default()
    }

    pub fn item(&self, id: u64) -> Option<&Value> {
        self.doc["index"].get(id.to_string())
    }

    /// What kind of item it is, and what is said of it.
    pub fn kind_of(item: &Value) -> (&str, &Value) {
        let inner = item["inner"].as_object().and_then(|inner| inner.iter().next());
        inner.map_or(("?", &Value::Null), |(kind, inner)| (kind, inner))
    }

    pub fn name_of(&self, id: u64) -> String {
        self.item(id).and_then(|item| item["name"].as_str()).unwrap_or("?").to_owned()
    }

    /// The public path of one of the crate's own items.
    pub fn own_path(&self, id: u64) -> Option<&str> {
        self.canonical.get(&id).map(String::as_str)
    }

    /// Where an item is defined: the crate's name and the path there, whether it is public or not.
    pub fn defined(&self, id: u64) -> Option<(String, Vec<String>)> {
        let known = self.doc["paths"].get(id.to_string())?;
        let path: Vec<String> =
            known["path"].as_array()?.iter().filter_map(|part| part.as_str().map(str::to_owned)).collect();
        let number = known["crate_id"].as_u64()?;
        let name = self.doc["external_crates"][number.to_string()]["name"].as_str();
        Some((name.or(path.first().map(String::as_str))?.to_owned(), path))
    }

    fn reached_from(&self, root: u64, name: &str) -> BTreeMap<String, Target> {
        let mut paths = BTreeMap::new();
        self.walk(root, name, &mut HashSet::new(), &mut paths);
        paths
    }

    /// `open` holds the modules on the way here, since re-exports may go round in circles.
    fn walk(&self, module: u64, path: &str, open: &mut HashSet<u64>, paths: &mut BTreeMap<String, Target>) {
        if !open.insert(module) {
            return;
        }
        for id in self.members(module) {
            self.visit(id, path, open, paths);
        }
        open.remove(&module);
    }

    fn visit(&self, id: u64, path: &str, open: &mut HashSet<u64>, paths: &mut BTreeMap<String, Target>) {
        let Some(item) = self.item(id) else { return };
        if !matches!(item["visibility"].as_str(), Some("public" | "default")) {
            return;
        }
        match Self::kind_of(item) {
            ("use", used) => self.follow(used, path, open, paths),
            ("impl", _) => {}
            _ => self.enter(id, &format!("{path}::{}", self.name_of(id)), open, paths),
        }
    }

    fn follow(
        &self,
        used: &Value,
        path: &str,
        open: &mut HashSet<u64>,
        paths: &mut BTreeMap<String, Target>,
    ) {
        let Some(id) = used["id"].as_u64() else { return };
        let name = used["name"].as_str().unwrap_or("?");
        match (self.item(id).is_some(), used["is_glob"] == true) {
            (true, true) => self.walk(id, path, open, paths),
            (true, false) => self.enter(id, &format!("{path}::{name}"), open, paths),
            (false, true) => _ = paths.insert(format!("{path}::*"), Target::Foreign(id)),
            (false, false) => _ = paths.insert(format!("{path}::{name}"), Target::Foreign(id)),
        }
    }

    fn enter(&self, id: u64, path: &str, open: &mut HashSet<u64>, paths: &mut BTreeMap<String, Target>) {
        paths.insert(path.to_owned(), Target::Own(id));
        if self.item(id).is_some_and(|item| Self::kind_of(item).0 == "module") {
            self.walk(id, path, open, paths);
        }
    }

    fn members(&self, id: u64) -> Vec<u64> {
        let Some(item) = self.item(id) else { return Vec::new() };
        let inner = Self::kind_of(item).1;
        let list = if inner["items"].is_array() { &inner["items"] } else { &inner["variants"] };
        ids(list)
    }

    fn choose_paths(&mut self) {
        let mut own: Vec<(&String, u64)> = Vec::new();
        for (path, target) in &self.paths {
            if let Target::Own(id) = target {
                own.push((path, *id));
            }
        }
        own.sort_by_key(|(path, _)| (path.matches("::").count(), path.len(), (*path).clone()));
        let mut canonical = BTreeMap::new();
        for (path, id) in own {
            canonical.entry(id).or_insert_with(|| path.clone());
        }
        self.canonical = canonical;
    }
}

/// The numbers of a list; what was left out of it is `null` there.
pub fn ids(list: &Value) -> Vec<u64> {
    list.as_array().into_iter().flatten().filter_map(Value::as_u64).collect()
}
