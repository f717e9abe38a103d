//! Companies and persons out of a seed: the same seed and number give the same ones in both services.

use serde_json::{Map, Value, json};

use crate::fault::bits;

const FIRST: [&str; 16] = [
    "Ana", "Luis", "María", "José", "Carmen", "Jorge", "Lucía", "Pedro", "Elena", "Raúl", "Sofía", "Iván",
    "Marta", "Andrés", "Paula", "Hugo",
];
const LAST: [&str; 16] = [
    "García",
    "Rojas",
    "Muñoz",
    "Díaz",
    "Pérez",
    "Soto",
    "Contreras",
    "Silva",
    "Martínez",
    "Sepúlveda",
    "Morales",
    "Rodríguez",
    "López",
    "Fuentes",
    "Araya",
    "Torres",
];
const TRADE: [&str; 12] = [
    "Comercial",
    "Transportes",
    "Ferretería",
    "Panadería",
    "Librería",
    "Clínica",
    "Talleres",
    "Viñedos",
    "Construcciones",
    "Textiles",
    "Muebles",
    "Electrónica",
];
const CITY: [(&str, &str); 8] = [
    ("Santiago", "CL"),
    ("Valparaíso", "CL"),
    ("Madrid", "ES"),
    ("Sevilla", "ES"),
    ("Bogotá", "CO"),
    ("Lima", "PE"),
    ("Bilbao", "ES"),
    ("Temuco", "CL"),
];

/// Numbers out of a seed.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Independent of the dice of other numbers.
    pub(crate) fn of(seed: u64, number: u64) -> Self {
        let mut mixed = seed ^ number.wrapping_mul(0xA24B_AED4_963E_E407);
        Self(bits(&mut mixed))
    }

    /// From 0 up to, but not including, `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        bits(&mut self.0).checked_rem(end).unwrap_or(0)
    }

    pub(crate) fn one_of<T: Copy + Default>(&mut self, choice: &[T]) -> T {
        let place = usize::try_from(self.below(choice.len() as u64)).unwrap_or(0);
        choice.get(place).copied().unwrap_or_default()
    }
}

/// The client with this number, from 1, in the fields that both services have.
pub(crate) fn client(seed: u64, number: u64) -> Map<String, Value> {
    let mut dice = Dice::of(seed, number);
    let (first, last) = (dice.one_of(&FIRST), dice.one_of(&LAST));
    let is_company = dice.below(4) > 0;
    let (city, country) = dice.one_of(&CITY);
    let name = if is_company {
        format!("{} {last} {number}", dice.one_of(&TRADE))
    } else {
        format!("{first} {last}")
    };
    let tax_no = rut(50_000_000_u64.wrapping_add(number.wrapping_mul(7)));
    let street_no = dice.below(900).saturating_add(1).to_string();
    let phone = format!("+569{:08}", dice.below(100_000_000));
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    put("name", json!(name));
    put("first_name", json!(first));
    put("last_name", json!(last));
    put("tax_no", json!(tax_no));
    put("company", json!(is_company));
    put("kind", json!("buyer"));
    put("email", json!(format!("client{number}@example.com")));
    put("phone", json!(phone));
    put("street", json!(format!("Calle {last}")));
    put("street_no", json!(street_no));
    put("city", json!(city));
    put("country", json!(country));
    fields
}

/// A number with its check character (contract section 5).
fn rut(body: u64) -> String {
    let digits = body.to_string();
    let weights = (2..=7_u32).cycle();
    let sum: u32 = digits
        .chars()
        .rev()
        .zip(weights)
        .map(|(digit, weight)| digit.to_digit(10).unwrap_or(0) * weight)
        .sum();
    let check = match 11 - sum % 11 {
        11 => "0".to_owned(),
        10 => "K".to_owned(),
        other => other.to_string(),
    };
    format!("{digits}-{check}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_characters_are_those_of_the_contract() {
        for (body, whole) in
            [(12_345_678, "12345678-5"), (12_667_869, "12667869-K"), (9_868_503, "9868503-0")]
        {
            assert_eq!(rut(body), whole);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_people() {
        assert_eq!(client(1, 5), client(1, 5));
        assert_ne!(client(1, 5), client(1, 6));
        assert_ne!(client(1, 5)["name"], client(2, 5)["name"]);
    }
}
