//! Folders: paths that creates bring into being, shown as a flat list of named nodes.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::office::{Call, Office, Outcome, acted, read};
use super::refusal::Reason;
use super::reply::{Reply, time};
use crate::clock::Moment;

/// One folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Folder {
    id: u64,
    parent: Option<u64>,
    title: String,
    owner: String,
    updated: Moment,
}

impl Office {
    /// Makes the folders of a path that are missing; returns the path without `root/` and outer slashes.
    pub(super) fn ensure_folder(&mut self, path: &str, owner: &str, moment: Moment) -> String {
        let mut parent = None;
        let mut whole = Vec::new();
        for title in path.split('/').filter(|title| !title.is_empty()) {
            let known = self.folders.iter().find(|folder| folder.parent == parent && folder.title == title);
            parent = Some(match known.map(|folder| folder.id) {
                Some(id) => id,
                None => self.add_folder(parent, title, owner, moment),
            });
            whole.push(title);
        }
        whole.join("/")
    }

    fn add_folder(&mut self, parent: Option<u64>, title: &str, owner: &str, updated: Moment) -> u64 {
        let id = self.next_id();
        self.folders.push(Folder { id, parent, title: title.to_owned(), owner: owner.to_owned(), updated });
        id
    }

    fn path_of(&self, folder: &Folder) -> String {
        let mut titles = vec![folder.title.as_str()];
        let mut parent = folder.parent;
        // A folder is made after its parent, so this ends.
        while let Some(above) = self.folders.iter().find(|other| Some(other.id) == parent) {
            titles.push(&above.title);
            parent = above.parent;
        }
        titles.reverse();
        titles.join("/")
    }

    pub(super) fn list_folders(&self) -> Outcome {
        let shown = |folder: &Folder| {
            let path = self.path_of(folder);
            let held = self.papers.iter().filter(|paper| !paper.deleted && paper.record.folder == path);
            json!({
                "id": folder.id, "owned": true, "total_document_number": held.count(), "has_sftp": false,
                "owner": folder.owner, "title": folder.title, "auto_sign": false,
                "updated_at": time(folder.updated, &self.settings), "parent": folder.parent,
            })
        };
        read(Reply::v1(self.folders.iter().map(shown).collect()))
    }

    /// A folder goes with everything below it; its documents stay, in the root.
    pub(super) fn delete_folder(&mut self, call: &Call<'_>) -> Outcome {
        let id = call.target.name.parse::<u64>().ok();
        let path =
            self.folders.iter().find(|folder| Some(folder.id) == id).map(|folder| self.path_of(folder));
        let Some(path) = path else { return Err(Reason::Absent.into()) };
        let below = format!("{path}/");
        let concerned = |other: &str| other == path || other.starts_with(&below);
        let gone: Vec<u64> = self
            .folders
            .iter()
            .filter(|folder| concerned(&self.path_of(folder)))
            .map(|folder| folder.id)
            .collect();
        self.folders.retain(|folder| !gone.contains(&folder.id));
        self.papers.iter_mut().filter(|paper| concerned(&paper.record.folder)).for_each(|paper| {
            paper.record.folder.clear();
        });
        acted(Reply::Done)
    }

    /// Folders as paths, for the read-back.
    pub(super) fn folder_paths(&self) -> Vec<String> {
        self.folders.iter().map(|folder| self.path_of(folder)).collect()
    }
}
