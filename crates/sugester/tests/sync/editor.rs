//! The people who edit both systems by hand while the synchronisation runs, and what they remember of it.

use std::collections::{BTreeMap, BTreeSet};

use integration_sandbox::bitfactura::{BitFactura, Table as Bills};
use integration_sandbox::sugester::{Sugester, Table as Crm};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::checker::{id, named, text};

/// What is edited. Values are never used twice.
pub(crate) const FIELDS: [&str; 4] = ["phone", "city", "note", "street"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    BitFactura,
    Sugester,
}

#[derive(Debug)]
pub(crate) struct Edit {
    pub(crate) side: Side,
    pub(crate) field: &'static str,
    pub(crate) value: String,
    /// What the other system showed at that moment.
    pub(crate) other_showed: Option<String>,
    pub(crate) began: Timestamp,
    pub(crate) ended: Timestamp,
}

/// A client that was removed by hand while it stood on both sides.
#[derive(Debug)]
pub(crate) struct Removed {
    pub(crate) side: Side,
    pub(crate) serial: String,
}

pub(crate) struct Editor {
    bills: BitFactura,
    crm: Sugester,
    dice: Dice,
    pub(crate) serials: Vec<String>,
    here: BTreeMap<String, u64>,
    there: BTreeMap<String, u64>,
    /// Those without invoices: what becomes of their deals when they are removed is another rule's.
    removable: BTreeSet<String>,
    pub(crate) edits: Vec<Edit>,
    of: BTreeMap<(String, &'static str), Vec<usize>>,
    pub(crate) removed: Vec<Removed>,
    number: u64,
    invoices: Vec<u64>,
}

impl Editor {
    pub(crate) fn new(bills: &BitFactura, crm: &Sugester, seed: u64) -> Self {
        Self {
            bills: bills.clone(),
            crm: crm.clone(),
            dice: Dice(seed),
            serials: Vec::new(),
            here: BTreeMap::new(),
            there: BTreeMap::new(),
            removable: BTreeSet::new(),
            edits: Vec::new(),
            of: BTreeMap::new(),
            removed: Vec::new(),
            number: 0,
            invoices: Vec::new(),
        }
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.dice.below(limit)
    }

    pub(crate) fn edits_of(&self, serial: &str, field: &'static str) -> impl Iterator<Item = &Edit> {
        self.of.get(&(serial.to_owned(), field)).into_iter().flatten().map(|at| &self.edits[*at])
    }

    fn unused(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// Four in five clients begin in BitFactura.
    pub(crate) fn add_client(&mut self) {
        let number = self.unused();
        let serial = format!("S{number:06}");
        let fields = json!({"name": format!("Client {number}"), "company": true, "register_number": serial,
            "tax_no": format!("T-{number}"), "phone": format!("p{number}"), "kind": "buyer"});
        if number.is_multiple_of(5) {
            self.there.insert(serial.clone(), self.crm.add(Crm::Clients, &fields).unwrap());
        } else {
            self.here.insert(serial.clone(), self.bills.add(Bills::Clients, &fields).unwrap());
        }
        if number % 10 >= 8 {
            self.removable.insert(serial.clone());
        }
        self.serials.push(serial);
    }

    pub(crate) fn add_invoice(&mut self) {
        let serial = self.any_serial();
        let Some(client) = self.here.get(&serial).copied().filter(|_| !self.removable.contains(&serial))
        else {
            return self.add_invoice();
        };
        let number = self.unused();
        let invoice = json!({"client_id": client, "kind": "vat", "income": "1", "description": format!("d{number}"),
            "positions": [{"name": format!("Work {number}"), "quantity": "1", "tax": "19",
                "total_price_gross": format!("{}.{:02}", 1 + number % 999, number % 100)}]});
        self.invoices.push(self.bills.add(Bills::Invoices, &invoice).unwrap());
    }

    fn any_serial(&mut self) -> String {
        let at = self.below(self.serials.len() as u64);
        self.serials[usize::try_from(at).unwrap()].clone()
    }

    /// Learns what the synchronisation has made meanwhile.
    pub(crate) fn look_around(&mut self) {
        for client in self.crm.records(Crm::Clients) {
            self.there.insert(text(&client, "register_number"), id(&client));
        }
        for client in self.bills.records(Bills::Clients) {
            self.here.insert(text(&client, "register_number"), id(&client));
        }
        for removed in &self.removed {
            let known = if removed.side == Side::Sugester { &mut self.there } else { &mut self.here };
            known.remove(&removed.serial);
        }
    }

    /// Something that people do.
    pub(crate) fn act(&mut self) {
        match self.below(100) {
            0..3 => self.add_client(),
            3..8 => self.add_invoice(),
            8..14 => self.edit_invoice(),
            14..15 => self.remove_client(),
            // Both sides at once: a conflict.
            15..25 => {
                let (serial, field) = (self.any_serial(), self.any_field());
                self.edit(&serial, Side::BitFactura, field);
                self.edit(&serial, Side::Sugester, field);
            }
            _ => {
                let (serial, field) = (self.any_serial(), self.any_field());
                let side = if self.below(2) == 0 { Side::BitFactura } else { Side::Sugester };
                self.edit(&serial, side, field);
            }
        }
    }

    fn any_field(&mut self) -> &'static str {
        FIELDS[usize::try_from(self.below(4)).unwrap()]
    }

    fn record(&self, side: Side, serial: &str) -> Option<Value> {
        match side {
            Side::BitFactura => self.bills.record(Bills::Clients, *self.here.get(serial)?),
            Side::Sugester => self.crm.record(Crm::Clients, *self.there.get(serial)?),
        }
    }

    fn is_linked(&self, serial: &str) -> bool {
        let here = self.here.get(serial).map(u64::to_string);
        self.record(Side::Sugester, serial).is_some_and(|client| Some(named(&client)) == here)
    }

    fn edit(&mut self, serial: &str, side: Side, field: &'static str) {
        let began_in_sugester = serial.get(1..).unwrap().parse::<u64>().unwrap().is_multiple_of(5);
        // A client that was made in BitFactura without an answer carries no mark: what it holds is all that it can be known by.
        let must_be_linked = side == Side::BitFactura && began_in_sugester;
        if self.record(side, serial).is_none() || (must_be_linked && !self.is_linked(serial)) {
            return;
        }
        let other = if side == Side::BitFactura { Side::Sugester } else { Side::BitFactura };
        let other_showed = self.record(other, serial).map(|record| text(&record, field));
        let value = format!("{field}{}", self.unused());
        let fields = json!({ field: value });
        let began = now();
        match side {
            Side::BitFactura => self.bills.edit(Bills::Clients, self.here[serial], &fields).unwrap(),
            Side::Sugester => self.crm.edit(Crm::Clients, self.there[serial], &fields).unwrap(),
        }
        self.of.entry((serial.to_owned(), field)).or_default().push(self.edits.len());
        self.edits.push(Edit { side, field, value, other_showed, began, ended: now() });
    }

    fn edit_invoice(&mut self) {
        let at = self.below(self.invoices.len() as u64);
        let Some(invoice) = self.invoices.get(usize::try_from(at).unwrap()).copied() else { return };
        let fields = match self.below(4) {
            0 => json!({"status": "paid"}),
            1 => json!({"status": "sent"}),
            _ => json!({"description": format!("e{}", self.unused())}),
        };
        self.bills.edit(Bills::Invoices, invoice, &fields).unwrap();
    }

    fn remove_client(&mut self) {
        let serial = self.any_serial();
        let is_gone = self.removed.iter().any(|removed| removed.serial == serial);
        if is_gone || !self.removable.contains(&serial) || !self.is_linked(&serial) {
            return;
        }
        let side = if self.below(2) == 0 { Side::BitFactura } else { Side::Sugester };
        match side {
            Side::BitFactura => {
                self.bills.remove(Bills::Clients, self.here.remove(&serial).unwrap()).unwrap();
            }
            Side::Sugester => self.crm.remove(Crm::Clients, self.there.remove(&serial).unwrap()).unwrap(),
        }
        self.removed.push(Removed { side, serial });
    }
}

#[expect(clippy::disallowed_methods, reason = "compared with the times of the sandbox's log, which are real")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// `SplitMix64`: the same seed gives the same dice.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }
}
