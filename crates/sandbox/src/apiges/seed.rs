//! A firm made up from a seed: contacts of three kinds and case files spread over them.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::file::{Annotation, CaseFile, Filed, Graphic};
use super::firm::{Contact, Firm};
use super::words;
use crate::fault::bits;

/// How large a made-up firm is.
///
/// ```
/// use integration_sandbox::apiges::Seed;
///
/// let seed = Seed::new(500, 20_000).seed(7);
/// assert_eq!(seed, Seed::new(500, 20_000).seed(7));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed {
    contacts: u32,
    files: u32,
    #[serde(default)]
    seed: u64,
}

impl Seed {
    /// So many contacts (of ten, seven are clients, two intermediaries, one an agent) and so many case files.
    #[must_use]
    pub fn new(contacts: u32, files: u32) -> Self {
        Self { contacts, files, seed: 1 }
    }

    /// Another firm of the same size.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

/// First id of a contact, and first id of a case file.
const FIRST: (i64, i64) = (1_001, 100_001);
const SYLLABLES: [&str; 12] = ["al", "ber", "ca", "do", "el", "fi", "gra", "lu", "mar", "no", "sol", "ta"];

struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(u64::MAX);
        usize::try_from(bits(&mut self.0) % end).unwrap_or(0)
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        for _ in 0..3 {
            name.push_str(SYLLABLES.get(self.below(SYLLABLES.len())).copied().unwrap_or_default());
        }
        name.to_uppercase()
    }
}

/// Makes the firm.
pub(super) fn firm(seed: Seed) -> Firm {
    let mut firm = Firm::default();
    let mut dice = Dice(seed.seed);
    let mut by_kind: [Vec<i64>; 3] = Default::default();
    for number in 0..seed.contacts {
        let (place, kind) =
            [(0, "C"), (1, "I"), (2, "A")].into_iter().nth(kind_at(number)).unwrap_or((0, "C"));
        let id = firm.enter(contact(number, kind, &mut dice));
        if let Some(list) = by_kind.get_mut(place) {
            list.push(id);
        }
    }
    for number in 0..seed.files {
        let file = file(number, &by_kind, &mut dice);
        firm.enter_file(file);
    }
    firm
}

/// Seven clients, two intermediaries and an agent in every ten.
fn kind_at(number: u32) -> usize {
    match number % 10 {
        3 | 7 => 1,
        9 => 2,
        _ => 0,
    }
}

/// Codes count up within a kind, with leading zeros: client 0001 and intermediary 0001 are two contacts.
fn contact(number: u32, kind: &str, dice: &mut Dice) -> Contact {
    let tens = number / 10;
    let within = (tens * 10..number).filter(|other| kind_at(*other) == kind_at(number)).count();
    let per_ten = [7, 2, 1].into_iter().nth(kind_at(number)).unwrap_or(7);
    let code = format!("{:04}", tens as usize * per_ten + within + 1);
    let mut contact =
        Contact { id: FIRST.0 + i64::from(number), kind: kind.to_owned(), code, ..Contact::default() };
    let name = dice.name();
    for (field, value) in [
        ("apellidos", json!(name)),
        ("clave", json!(format!("KC-{:08x}", dice.below(usize::from(u16::MAX))))),
        ("descuento", json!("2.50")),
        ("iva", json!("21.00")),
        ("estado", json!("A")),
        (
            "banco",
            json!({ "codigo": "0049", "descripcion": "Banco Ejemplo", "iban": "ES91 2100 0418 4502 0005 1332" }),
        ),
    ] {
        contact.fields.insert(field.to_owned(), value);
    }
    contact.holders.push(json!({ "id": 1, "nombre": format!("{name} S.L.") }));
    contact.addresses.push(json!({ "id": 1, "poblacion": "Madrid", "codPostal": "28001" }));
    contact
}

/// A file of a client; a third also have an intermediary, some an agent.
fn file(number: u32, by_kind: &[Vec<i64>; 3], dice: &mut Dice) -> CaseFile {
    let mut file = CaseFile::new(FIRST.1 + i64::from(number));
    for ((list, own), every) in by_kind.iter().zip(&mut file.holders).zip([1, 3, 5]) {
        if dice.one_in(every) {
            *own = list.get(dice.below(list.len())).copied();
        }
    }
    file.set_code("modalidad", words::modality(dice.below(7)));
    file.set_code("pais", words::country(dice.below(6)));
    if dice.one_in(20) {
        file.set_code("estado", "B");
    }
    let number_text = format!("{}", 3_000_000 + number);
    for (name, prefix) in [
        ("clave", "K"),
        ("referencia", "R1"),
        ("referencia2", "R2"),
        ("referencia3", "R3"),
        ("referencia4", "R4"),
    ] {
        let text = format!("{prefix}-{number_text}-{:04x}", dice.below(65_536));
        file.set_text(name, (!dice.one_in(6)).then_some(text.as_str()));
    }
    file.set_text("numero", Some(&number_text));
    file.set_text("bis", dice.one_in(15).then_some("B"));
    file.set_text("observacion", Some("Nota interna"));
    file.name = dice.name().into();
    file.situations.push(words::situation(dice.below(4)).into());
    file.classes =
        (0..1 + dice.below(2)).map(|step| (1 + (dice.below(40) + step) % 45).to_string()).collect();
    let (day, month) =
        (i8::try_from(1 + dice.below(28)).unwrap_or(1), i8::try_from(1 + dice.below(12)).unwrap_or(1));
    let year = 2026 + i16::try_from(dice.below(10)).unwrap_or(0);
    file.expiry = jiff::civil::Date::new(year, month, day).ok();
    if number.is_multiple_of(5) {
        details(&mut file, number);
    }
    file
}

/// One file in five has a picture, an annotation with a document, an act and a task.
fn details(file: &mut CaseFile, number: u32) {
    file.graphics.push(Graphic {
        id: 1,
        media_type: "image/png".to_owned(),
        bytes: format!("\u{89}PNG sandbox {number}").into_bytes().into(),
    });
    let filed = Filed {
        id: 1,
        name: "carta.pdf".to_owned(),
        media_type: "application/pdf".to_owned(),
        bytes: format!("%PDF-1.4 sandbox {number}").into_bytes().into(),
        hidden: Some(number.is_multiple_of(15)),
        external: false,
    };
    file.annotations.push(Annotation {
        id: 1,
        fecha: "20/06/2025".to_owned(),
        usuario: "u1".to_owned(),
        asunto: "Carta al cliente".to_owned(),
        documents: vec![filed],
    });
    if let Some(acts) = file.list_mut("actos") {
        acts.push(json!({ "id": 1, "codigo": "SOL", "fecha": "20/06/2025" }));
    }
    if let Some(tasks) = file.list_mut("tareas") {
        tasks.push(json!({ "id": 1, "codigo": "REN", "fecha": "20/06/2025", "importes": [] }));
    }
    if let Some(holders) = file.list_mut("titulares") {
        holders.push(json!({ "id": 1, "nombre": "Titular Uno" }));
    }
}
