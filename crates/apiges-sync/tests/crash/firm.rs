//! A firm of two halves that share no file and no group: nobody of the shut half is ever shown a key, so its keys are canaries.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use integration_sandbox::Sandbox;
use integration_sandbox::apiges::{Apiges, Role};
use integration_sandbox::websync::WebSync;
use serde_json::{Value, json};

use super::orders::{Contact, Order, Wanted};
use super::worker::Worker;

/// What nobody may ever be sent.
pub(crate) const CANARY: &str = "canary-";
const MODALITIES: [&str; 3] = ["M", "P", "D"];
const BOXES: [&str; 4] = ["clave", "referencia1", "referencia2", "referencia3"];
const GROUP_SIZE: usize = 4;
/// The first contact of the open half.
const FIRST: usize = 0;

pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides.max(1)
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.roll(count) == 0
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[usize::try_from(self.roll(all.len() as u64)).unwrap()]
    }
}

pub(crate) struct World {
    pub(crate) dice: Dice,
    pub(crate) firm: Apiges,
    pub(crate) portal: WebSync,
    folder: PathBuf,
    pub(crate) contacts: Vec<Contact>,
    /// File, and whether it is of the shut half.
    pub(crate) files: Vec<(u64, bool)>,
    pub(crate) groups: BTreeMap<String, BTreeSet<usize>>,
    pub(crate) wanted: BTreeMap<usize, Wanted>,
    last_file: u64,
    /// How often what was done.
    pub(crate) done: BTreeMap<&'static str, u64>,
}

impl World {
    pub(crate) fn new(sandbox: &Sandbox, folder: &Path, contacts: usize, files: usize, seed: u64) -> Self {
        let mut world = Self {
            dice: Dice(seed),
            firm: sandbox.apiges().clone(),
            portal: sandbox.websync().clone(),
            folder: folder.to_owned(),
            contacts: vec![],
            files: vec![],
            groups: BTreeMap::new(),
            wanted: BTreeMap::new(),
            last_file: 1_000_000,
            done: BTreeMap::new(),
        };
        world.firm.clear();
        (0..contacts.max(20)).for_each(|place| world.add_contact(place));
        for _ in 0..files {
            world.add_file();
        }
        world.write_groups();
        world
    }

    /// Of ten, seven are clients, two intermediaries, one an agent; codes are the same in every kind.
    fn add_contact(&mut self, place: usize) {
        let kind = ["C", "C", "C", "I", "C", "C", "C", "I", "C", "A"][(place / 2) % 10];
        let code = format!("{}", place / 4 * 2 + place % 2);
        let code = if self.contacts.iter().any(|own| own.kind == kind && own.code == code) {
            format!("0{place}")
        } else {
            code
        };
        let fields = json!({"tipo": kind, "codigo": code, "clave": format!("{CANARY}contact")});
        let id = u64::try_from(self.firm.add_contact(&fields).unwrap()).unwrap();
        self.contacts.push(Contact { id, kind: kind.to_owned(), code });
        if !self.dice.one_in(3) {
            self.groups.entry(group_of(place)).or_default().insert(place);
        }
    }

    /// Those of the odd places.
    fn is_shut(place: usize) -> bool {
        place % 2 == 1
    }

    pub(crate) fn words(&self) -> PathBuf {
        self.folder.join("child.log")
    }

    fn some(&mut self, kind: &str, shut: bool) -> u64 {
        loop {
            let place = usize::try_from(self.dice.roll(self.contacts.len() as u64)).unwrap();
            let contact = &self.contacts[place];
            if contact.kind == kind && Self::is_shut(place) == shut {
                return contact.id;
            }
        }
    }

    fn add_file(&mut self) -> u64 {
        self.last_file += 1;
        let (id, shut) = (self.last_file, self.dice.one_in(2));
        let clave = if shut { format!("{CANARY}clave-{id}") } else { format!("clave-{id}") };
        let mut fields = json!({
            "id": id, "idCliente": self.some("C", shut), "modalidad": self.dice.pick(&MODALITIES), "denominacion": format!("NAME{id}"),
            "numero": marker(id), "clases": ["9", "35"], "situacion": ["1"], "fechaVencimiento": "20/06/2031", "clave": clave,
            "referencia": format!("R1-{id}"), "referencia2": format!("R2-{id}"), "referencia3": format!("R3-{id}"),
            "referencia4": format!("{CANARY}r4-{id}"), "observacion": format!("{CANARY}note-{id}"),
        });
        if self.dice.one_in(2) {
            fields["idIntermediario"] = json!(self.some("I", shut));
        }
        if self.dice.one_in(5) {
            fields["idAgente"] = json!(self.some("A", shut));
        }
        self.firm.add_file(&fields).unwrap();
        if self.dice.one_in(8) {
            self.firm.set_graphic(at(id), "image/png", format!("picture of {id}").as_bytes()).unwrap();
        }
        self.files.push((id, shut));
        id
    }

    fn write_groups(&self) {
        let members =
            self.groups.iter().flat_map(|(group, members)| members.iter().map(move |member| (group, member)));
        let all: Vec<Value> = members.map(|(group, member)| json!([self.contacts[*member], group])).collect();
        let (draft, whole) = (self.folder.join("groups.draft"), self.folder.join("groups.json"));
        std::fs::write(&draft, serde_json::to_vec(&all).unwrap()).unwrap();
        std::fs::rename(draft, whole).unwrap();
        for (group, members) in &self.groups {
            let name = |place: &usize| {
                integration_sandbox::websync::ContactRef::new(
                    &self.contacts[*place].kind,
                    &self.contacts[*place].code,
                )
            };
            self.portal.set_group(group, &members.iter().map(name).collect::<Vec<_>>());
        }
    }

    /// Three of four contacts have a grant from the start.
    pub(crate) fn open_all(&mut self, worker: &mut Worker) {
        for place in 0..self.contacts.len() {
            if !self.dice.one_in(4) || place == FIRST {
                let mut wanted = self.new_grant(place);
                // Somebody is shown keys from the start, whatever the dice: what is never sent proves nothing of what is hidden.
                wanted.show.extend((place == FIRST).then(|| BOXES[0].to_owned()));
                self.want(worker, place, Some(wanted));
            }
        }
        worker.send(Order::Load);
    }

    /// So that nothing that is held is exempt any more.
    pub(crate) fn resume_all(&mut self, worker: &mut Worker) {
        for (place, mut wanted) in self.wanted.clone() {
            if !wanted.active {
                wanted.active = true;
                self.want(worker, place, Some(wanted));
            }
        }
    }

    fn new_grant(&mut self, place: usize) -> Wanted {
        let mut wanted = Wanted {
            active: true,
            group: None,
            show: BTreeSet::new(),
            excluded: BTreeSet::new(),
            keep: self.dice.one_in(3),
            english: self.dice.one_in(4),
            tag: None,
        };
        (0..4).for_each(|_| self.alter(place, &mut wanted));
        wanted
    }

    fn want(&mut self, worker: &mut Worker, place: usize, wanted: Option<Wanted>) {
        worker.send(Order::Grant(self.contacts[place].clone(), wanted.clone()));
        match wanted {
            Some(wanted) => drop(self.wanted.insert(place, wanted)),
            None => drop(self.wanted.remove(&place)),
        }
    }

    fn alter(&mut self, place: usize, wanted: &mut Wanted) {
        match self.dice.roll(12) {
            0..=3 => {
                let boxes = if Self::is_shut(place) { &BOXES[1..] } else { &BOXES[..] };
                let ticked = (*self.dice.pick(boxes)).to_owned();
                if !wanted.show.remove(&ticked) {
                    wanted.show.insert(ticked);
                }
            }
            4..=5 => {
                let modality = (*self.dice.pick(&MODALITIES)).to_owned();
                if !wanted.excluded.remove(&modality) {
                    wanted.excluded.insert(modality);
                }
            }
            6..=7 => wanted.group = if wanted.group.is_none() { Some(group_of(place)) } else { None },
            8 => wanted.keep = !wanted.keep,
            9 => wanted.english = !wanted.english,
            _ => {
                wanted.tag =
                    if wanted.tag.is_none() { Some(["a1", "b2"][place / 2 % 2].repeat(32)) } else { None }
            }
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.done.entry(what).or_default() += 1;
    }

    /// Something that happens in a firm.
    pub(crate) fn act(&mut self, worker: &mut Worker) {
        match self.dice.roll(40) {
            0..=27 => self.act_on_file(worker),
            28..=35 => self.act_on_grant(worker),
            36..=37 => self.act_on_group(worker),
            38 => {
                let contact = self.dice.pick(&self.contacts).clone();
                self.count("single push");
                worker.send(Order::Push(contact));
            }
            // Of a large firm it takes too long for what happens between two kills.
            _ if self.files.len() < 1_000 => {
                self.count("load");
                worker.send(Order::Load);
            }
            _ => {}
        }
    }

    fn act_on_file(&mut self, worker: &mut Worker) {
        let (id, shut) = *self.dice.pick(&self.files);
        let text = format!("{}", self.dice.roll(1_000_000));
        let mut order = Order::Saved(id);
        match self.dice.roll(16) {
            0 => {
                self.count("closed");
                self.firm.close_file(at(id)).unwrap();
            }
            1 => {
                self.count("reopened");
                self.firm.reopen_file(at(id)).unwrap();
            }
            2 | 3 => {
                self.count("moved");
                let to = self.some("C", shut);
                self.firm.move_file(at(id), Role::Client, Some(at(to))).unwrap();
            }
            4 => {
                self.count("moved to another intermediary");
                let to = self.some("I", shut);
                let to = Some(at(to)).filter(|_| !self.dice.one_in(3));
                self.firm.move_file(at(id), Role::Intermediary, to).unwrap();
            }
            5 => {
                self.count("other modality");
                let modality = *self.dice.pick(&MODALITIES);
                self.edit(id, json!({"modalidad": modality}));
            }
            6 => {
                self.count("other picture");
                self.firm.set_graphic(at(id), "image/png", text.as_bytes()).unwrap();
                order = Order::Graphic(id);
            }
            7 => {
                self.count("picture taken away");
                self.firm.set_graphic(at(id), "image/png", b"").unwrap();
                order = Order::Graphic(id);
            }
            8 => {
                self.count("removed");
                self.firm.remove_file(at(id)).unwrap();
                self.files.retain(|(own, _)| *own != id);
                order = Order::Removed(id);
            }
            9 => {
                self.count("added");
                order = Order::Saved(self.add_file());
            }
            10 => self.edit(id, json!({"referencia": text, "referencia3": format!("3-{text}")})),
            11 => {
                let class = *self.dice.pick(&["1", "9", "35", "42"]);
                self.edit(id, json!({"clases": [class]}));
            }
            _ => self.edit(id, json!({"denominacion": text})),
        }
        // Not every save is reported: the scan finds it.
        if self.dice.one_in(20) {
            self.count("unreported");
        } else {
            worker.send(order);
        }
    }

    fn edit(&mut self, id: u64, fields: Value) {
        self.count("edited");
        self.firm.edit_file(at(id), &fields).unwrap();
    }

    fn act_on_grant(&mut self, worker: &mut Worker) {
        let place = usize::try_from(self.dice.roll(self.contacts.len() as u64)).unwrap();
        let Some(mut wanted) = self.wanted.get(&place).cloned() else {
            self.count("opened");
            let wanted = self.new_grant(place);
            return self.want(worker, place, Some(wanted));
        };
        match self.dice.roll(8) {
            0 => {
                self.count("revoked");
                return self.want(worker, place, None);
            }
            1 | 2 => {
                self.count(if wanted.active { "suspended" } else { "resumed" });
                wanted.active = !wanted.active;
            }
            _ => {
                self.count("revised");
                self.alter(place, &mut wanted);
            }
        }
        self.want(worker, place, Some(wanted));
    }

    fn act_on_group(&mut self, worker: &mut Worker) {
        let place = usize::try_from(self.dice.roll(self.contacts.len() as u64)).unwrap();
        let members = self.groups.entry(group_of(place)).or_default();
        let joined = !members.remove(&place) && members.insert(place);
        self.count(if joined { "joined" } else { "left" });
        self.write_groups();
        worker.send(Order::Member(self.contacts[place].clone()));
    }
}

fn at(id: u64) -> i64 {
    i64::try_from(id).unwrap()
}

/// By which a file is known in whatever the portal holds.
pub(crate) fn marker(id: u64) -> String {
    format!("N/{id}/")
}

/// Neighbours of the same half.
fn group_of(place: usize) -> String {
    format!("G{}-{}", place / 2 / GROUP_SIZE, place % 2)
}
