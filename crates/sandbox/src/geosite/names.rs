//! Texts of generated elements, made from their serial numbers when they are asked for, and seeded chance.
//!
//! Documents follow contract sections 5.1 and 5.2: most are valid, one in two hundred is not (rule C4), some CNPJ
//! have letters, and one customer in forty shares the document of the one before (rule C3).

use super::feature::Feature;
use super::shelf::Row;
use serde::{Deserialize, Serialize};

/// SplitMix64, whose whole state is the seed.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// 0 up to, but not with, `limit`; 0 if there is no room.
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        u32::try_from((self.roll() >> 32).wrapping_mul(u64::from(limit)) >> 32).unwrap_or(0)
    }

    fn of<'a>(&mut self, words: &'a [&'a str]) -> &'a str {
        let number = self.below(u32::try_from(words.len()).unwrap_or(1));
        words.get(number as usize).copied().unwrap_or("")
    }
}

const STREETS: [&str; 24] = [
    "Rua das Acácias",
    "Rua Quinze de Novembro",
    "Avenida Brasil",
    "Rua São João",
    "Rua Marechal Deodoro",
    "Rua Sete de Setembro",
    "Travessa do Comércio",
    "Rua Dona Amélia",
    "Avenida Getúlio Vargas",
    "Rua Tiradentes",
    "Rua Santo Antônio",
    "Rua dos Ipês",
    "Rua José Bonifácio",
    "Rua Treze de Maio",
    "Avenida Independência",
    "Rua Dom Pedro II",
    "Rua Rui Barbosa",
    "Rua da Estação",
    "Rua Princesa Isabel",
    "Rua Voluntários da Pátria",
    "Rua Joaquim Nabuco",
    "Avenida Rio Claro",
    "Rua Sant'Ana",
    "Rua do Rosário",
];
const GIVEN: [&str; 20] = [
    "Ana",
    "João",
    "Maria",
    "José",
    "Antônia",
    "Luís",
    "Francisca",
    "Paulo",
    "Adriana",
    "Carlos",
    "Juliana",
    "Marcos",
    "Conceição",
    "Rafael",
    "Patrícia",
    "Thiago",
    "Aline",
    "Sebastião",
    "Letícia",
    "Vinícius",
];
const FAMILY: [&str; 20] = [
    "da Silva",
    "Souza",
    "Oliveira",
    "dos Santos",
    "Pereira",
    "Lima",
    "Ferreira",
    "Alves",
    "Ribeiro",
    "Gonçalves",
    "Araújo",
    "Barbosa",
    "Rocha",
    "Dias",
    "D'Ávila",
    "Nascimento",
    "Moreira",
    "Cardoso",
    "Teixeira",
    "Corrêa",
];
const TRADES: [&str; 10] = [
    "Padaria",
    "Mercado",
    "Farmácia",
    "Oficina",
    "Escola",
    "Clínica",
    "Papelaria",
    "Restaurante",
    "Pousada",
    "Transportadora",
];

/// Makes the texts of one network.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Names {
    pub(super) seed: u64,
}

impl Names {
    fn dice(self, feature: Feature, serial: u32) -> Dice {
        let mut dice = Dice::new(self.seed ^ (u64::from(serial) << 8) ^ feature as u64);
        dice.roll();
        dice
    }

    /// `CTO-000042`
    pub(super) fn code(feature: Feature, row: &Row) -> String {
        format!("{}-{:06}", feature.prefix(), row.serial)
    }

    pub(super) fn name(self, feature: Feature, row: &Row) -> String {
        match feature {
            Feature::Cliente if self.is_company(row.serial) => self.company(row.serial),
            Feature::Cliente => self.person(row.serial),
            _ => format!("{} {}", feature.prefix(), self.street(row)),
        }
    }

    /// Whole streets share a name: they run along the grid of the town, here by bands of latitude.
    pub(super) fn street(self, row: &Row) -> String {
        let band = row.latitude.div_euclid(8000);
        let mut dice = Dice::new(self.seed ^ u64::from(band.unsigned_abs()));
        format!("{}, {}", dice.of(&STREETS), row.longitude.rem_euclid(2000))
    }

    fn person(self, serial: u32) -> String {
        let mut dice = self.dice(Feature::Cliente, serial);
        format!("{} {}", dice.of(&GIVEN), dice.of(&FAMILY))
    }

    fn company(self, serial: u32) -> String {
        let mut dice = self.dice(Feature::Cliente, serial);
        format!("{} {} Ltda", dice.of(&TRADES), dice.of(&FAMILY))
    }

    /// Three in twenty.
    fn is_company(self, serial: u32) -> bool {
        self.dice(Feature::Hub, serial).below(20) < 3
    }

    /// CPF or CNPJ without a mask.
    pub(super) fn document(self, serial: u32) -> String {
        let mut dice = self.dice(Feature::Cto, serial);
        let shared = serial > 1 && dice.below(40) == 0;
        let owner = if shared { serial - 1 } else { serial };
        let mut document = self.own_document(owner);
        if dice.below(200) == 0 {
            document = spoiled(&document);
        }
        document
    }

    fn own_document(self, serial: u32) -> String {
        let mut dice = self.dice(Feature::Poste, serial);
        if !self.is_company(serial) {
            // Three times the same digit never makes ten of them: no repeated-digit CPF comes out.
            return cpf(&format!("{:08}{}", dice.below(99_999_999), dice.below(9)));
        }
        let root = if dice.below(4) == 0 {
            (0..8).map(|_| letter_or_digit(dice.below(36))).collect()
        } else {
            format!("{:08}", 1 + dice.below(99_999_998))
        };
        cnpj(&format!("{root}0001"))
    }
}

fn letter_or_digit(number: u32) -> char {
    char::from_digit(number, 36).map_or('0', |digit| digit.to_ascii_uppercase())
}

/// With another last digit.
fn spoiled(document: &str) -> String {
    let mut text = document.to_owned();
    let last = text.pop().and_then(|digit| digit.to_digit(10)).unwrap_or(0);
    format!("{text}{}", (last + 1) % 10)
}

/// The check digit of values with these weights: 0 if the rest of 11 is below 2, else 11 less the rest.
fn check(text: &str, weights: impl Iterator<Item = u32>) -> u32 {
    let values = text.bytes().map(|byte| u32::from(byte).saturating_sub(48));
    let rest = values.zip(weights).map(|(value, weight)| value * weight).sum::<u32>() % 11;
    if rest < 2 { 0 } else { 11 - rest }
}

/// Nine digits and their two check digits.
pub(super) fn cpf(nine: &str) -> String {
    let first = check(nine, (2..=10).rev());
    let ten = format!("{nine}{first}");
    let second = check(&ten, (2..=11).rev());
    format!("{ten}{second}")
}

/// Twelve letters or digits and their two check digits.
pub(super) fn cnpj(twelve: &str) -> String {
    let weights = || (2..=9).rev().cycle();
    let first = check(twelve, weights().skip(4));
    let thirteen = format!("{twelve}{first}");
    let second = check(&thirteen, weights().skip(3));
    format!("{thirteen}{second}")
}

/// Whether a CPF or CNPJ without a mask is in order; numbers of one repeated character are not.
pub(super) fn is_document(text: &str) -> bool {
    let known = text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    let repeated = text.bytes().all(|byte| text.bytes().next() == Some(byte));
    let right = match (text.get(..9), text.get(..12)) {
        (Some(nine), _) if text.len() == 11 => {
            nine.bytes().all(|byte| byte.is_ascii_digit()) && cpf(nine) == text
        }
        (_, Some(twelve)) if text.len() == 14 => cnpj(twelve) == text,
        _ => false,
    };
    known && !repeated && right
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tables of 5.1 and 5.2.
    #[test]
    fn documents_of_the_contract() {
        for good in [
            "52998224725",
            "12345678909",
            "01234567890",
            "10000000280",
            "12ABC34501DE35",
            "00000000000191",
            "11222333000181",
            "ABCDEFGH000195",
            "A1B2C3D4000193",
            "A8TEST0X000108",
        ] {
            assert!(is_document(good), "{good}");
            assert!(!is_document(&spoiled(good)), "{good}");
        }
        for bad in ["11111111111", "00000000000000", "12ABC34501DE45", "12abc34501de35", "5299822472", ""] {
            assert!(!is_document(bad), "{bad}");
        }
    }

    #[test]
    fn generated_documents_are_of_every_kind() {
        let names = Names { seed: 7 };
        let all: Vec<String> = (1..=20_000).map(|serial| names.document(serial)).collect();
        let share = |wanted: &dyn Fn(&str) -> bool| all.iter().filter(|text| wanted(text)).count();
        assert!((50..200).contains(&share(&|text| !is_document(text))));
        assert!((2500..3500).contains(&share(&|text| text.len() == 14)));
        assert!(share(&|text| text.bytes().any(|byte| byte.is_ascii_uppercase())) > 500);
        assert!(share(&|text| text.starts_with('0')) > 500);
        let doubled = all.windows(2).filter(|pair| pair.first() == pair.last()).count();
        assert!((300..700).contains(&doubled), "{doubled}");
    }
}
