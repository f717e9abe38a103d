//! Documents that are right by the contract's section 6.1, computed here in whole numbers and nowhere near the crate.

use super::wire::Wire;

/// SplitMix64: the seed is the whole state, so a document is named by its seed.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: i128, high: i128) -> i128 {
        low + i128::from(self.next()) % (high - low + 1)
    }

    pub fn one_in(&mut self, count: i128) -> bool {
        self.between(1, count) == 1
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.between(0, from.len() as i128 - 1)).unwrap()].clone()
    }
}

/// `value` / 10^`places`, half-up, for what is not negative.
fn half_up(value: i128, places: u32) -> i128 {
    let divisor = 10i128.pow(places);
    (value + divisor / 2) / divisor
}

/// Percent of cents, in cents, half-up.
fn percent(cents: i128, rate: i128) -> i128 {
    half_up(cents * rate, 2)
}

/// Digits with `places` decimals.
fn digits(value: i128, places: u32) -> String {
    let divisor = 10i128.pow(places);
    match places {
        0 => value.to_string(),
        _ => format!("{}.{:0width$}", value / divisor, value % divisor, width = places as usize),
    }
}

/// Cents in one of the spellings of the same number.
fn money(dice: &mut Dice, cents: i128) -> Wire {
    match dice.between(1, 12) {
        1 if cents % 100 == 0 => Wire::raw(cents / 100),
        2 if cents % 10 == 0 => Wire::raw(digits(cents / 10, 1)),
        3 => Wire::text(digits(cents, 2)),
        4 => Wire::raw(format!("{}00", digits(cents, 2))),
        _ => Wire::raw(digits(cents, 2)),
    }
}

/// What the service is expected to make of the document, kept beside it.
#[derive(Debug, Clone)]
pub struct Made {
    pub json: Wire,
    /// Header amounts in cents, by wire name.
    pub cents: Vec<(&'static str, i128)>,
    pub lines: usize,
    pub kind: i128,
}

impl Made {
    pub fn cents_of(&self, name: &str) -> i128 {
        self.cents.iter().find(|(key, _)| *key == name).map_or(0, |(_, cents)| *cents)
    }
}

/// Every amount of the header that follows from lines and IGTF base, and the rates in force. `tasaa` is not among them: it
/// alone tells that the document has the luxury group.
pub const COMPUTED: [&str; 13] = [
    "subtotal",
    "exento",
    "tasag",
    "baseg",
    "impuestog",
    "tasar",
    "baser",
    "impuestor",
    "basea",
    "impuestoa",
    "tasaigtf",
    "impuestoigtf",
    "total",
];

#[derive(Clone, Copy, PartialEq)]
enum Tax {
    General,
    Reduced,
    Luxury,
    Exempt,
}

impl Tax {
    fn rate(self) -> i128 {
        match self {
            Self::General => 16,
            Self::Reduced => 8,
            Self::Luxury => 31,
            Self::Exempt => 0,
        }
    }
}

struct Item {
    json: Wire,
    tax: Tax,
    cents: i128,
}

/// How large the amounts are: from cents to near the largest that doubles hold.
fn price(dice: &mut Dice) -> (i128, u32) {
    let places = dice.pick(&[2, 2, 2, 2, 0, 1, 3, 4]);
    let top = dice.pick(&[99, 9_999, 999_999, 99_999_999, 9_999_999_999]);
    let free = dice.one_in(40);
    (dice.between(i128::from(!free), top), places)
}

fn quantity(dice: &mut Dice) -> (i128, u32) {
    match dice.between(1, 6) {
        1 => (dice.between(1, 99), 1),
        2 => (dice.between(1, 9_999), 2),
        3 => (dice.pick(&[5, 15, 25]), 1),
        4 => (dice.between(1, 99_999), dice.pick(&[3, 4])),
        _ => (dice.between(1, 500), 0),
    }
}

fn item(dice: &mut Dice, index: usize, luxury: bool) -> Item {
    let tax = match dice.between(1, 8) {
        1 | 2 => Tax::Exempt,
        3 | 4 => Tax::Reduced,
        5 if luxury => Tax::Luxury,
        _ => Tax::General,
    };
    let ((price, price_places), (count, count_places)) = (price(dice), quantity(dice));
    // In units of 10^-8, which both scales together never exceed.
    let gross = price * count * 10i128.pow(8 - price_places - count_places);
    let largest_discount = gross / 1_000_000;
    let discount = if dice.one_in(3) { dice.between(0, largest_discount) } else { 0 };
    let cents = half_up(gross - discount * 1_000_000, 6);
    let rate = Wire::raw(dice.pick(&[digits(tax.rate(), 0), digits(tax.rate() * 100, 2)]));
    let fields = vec![
        ("codigo", Wire::text(format!("A{index}"))),
        ("descripcion", Wire::text(words(dice, 250))),
        ("comentario", Wire::text(if dice.one_in(4) { words(dice, 150) } else { String::new() })),
        ("precio", Wire::raw(digits(price, price_places))),
        ("cantidad", Wire::raw(digits(count, count_places))),
        ("tasa", rate),
        ("impuesto", money(dice, percent(cents, tax.rate()))),
        ("descuento", money(dice, discount)),
        ("exento", Wire::raw(tax == Tax::Exempt)),
        ("monto", money(dice, cents)),
    ];
    let mut fields: Vec<_> = fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    if dice.one_in(10) {
        fields.push(("intipounidad".to_owned(), Wire::raw(dice.between(1, 5))));
    }
    Item { json: Wire::Object(fields), tax, cents }
}

/// Texts that are allowed, of all lengths up to the limit, with what Spanish and the printer's own marks bring.
fn words(dice: &mut Dice, most: i128) -> String {
    let length = if dice.one_in(30) { most } else { dice.between(1, most.min(40)) };
    let alphabet: Vec<char> = "abcdeñáéíóúü ABC019.,;:-_/|\"\\<>&%$#'()°ºª€".chars().collect();
    let mut text: String = (1..length).map(|_| dice.pick(&alphabet)).collect();
    text.push('x');
    text
}

/// The check digit of a RIF by the contract's section 7.
fn rif(dice: &mut Dice) -> String {
    let (letter, value) = dice.pick(&[('V', 1), ('E', 2), ('J', 3), ('P', 4), ('G', 5), ('C', 3)]);
    let body = format!("{:08}", dice.between(0, 99_999_999));
    let weights = [3, 2, 7, 6, 5, 4, 3, 2];
    let sum: u32 =
        body.chars().zip(weights).map(|(digit, weight)| digit.to_digit(10).unwrap() * weight).sum();
    let rest = 11 - (sum + value * 4) % 11;
    let check = if rest >= 10 { 0 } else { rest };
    format!("{letter}-{body}-{check}")
}

fn identity(dice: &mut Dice) -> (i128, String) {
    match dice.between(1, 3) {
        1 => (1, format!("{}-{}", dice.pick(&['V', 'E']), dice.between(10_000, 99_999_999))),
        2 => (2, format!("P{}", dice.between(1_0000, 99_999_999_999))),
        _ => (3, rif(dice)),
    }
}

/// The document of a seed. `related` is the control number of an invoice that exists; `rif` the issuer.
pub fn make(seed: u64, issuer: &str, related: &str) -> Made {
    let dice = &mut Dice::new(seed);
    let kind = dice.pick(&[1, 1, 1, 2, 3, 4, 5]);
    let luxury = dice.one_in(4);
    let count = match dice.between(1, 60) {
        1 => 150,
        2..=5 => dice.between(10, 40),
        _ => dice.between(1, 6),
    };
    let mut items: Vec<Item> =
        (0..usize::try_from(count).unwrap()).map(|index| item(dice, index, luxury)).collect();
    let sum = |items: &[Item], tax| -> i128 {
        items.iter().filter(|item| item.tax == tax).map(|item| item.cents).sum()
    };
    if items.iter().map(|item| item.cents).sum::<i128>() == 0 {
        // I13: something must be above zero.
        items.push(Item {
            json: Wire::Object(
                [
                    ("codigo", Wire::text("Z")),
                    ("descripcion", Wire::text("Uno")),
                    ("comentario", Wire::text("")),
                    ("precio", Wire::raw("1.00")),
                    ("cantidad", Wire::raw(1)),
                    ("tasa", Wire::raw(0)),
                    ("impuesto", Wire::raw(0)),
                    ("descuento", Wire::raw(0)),
                    ("exento", Wire::raw(true)),
                    ("monto", Wire::raw(1)),
                ]
                .map(|(key, value)| (key.to_owned(), value))
                .into(),
            ),
            tax: Tax::Exempt,
            cents: 100,
        });
    }
    let (general, reduced) = (sum(&items, Tax::General), sum(&items, Tax::Reduced));
    let (lux, exempt) = (sum(&items, Tax::Luxury), sum(&items, Tax::Exempt));
    let subtotal = general + reduced + lux + exempt;
    let (tax_g, tax_r, tax_a) = (percent(general, 16), percent(reduced, 8), percent(lux, 31));
    let taxed = subtotal + tax_g + tax_r + tax_a;
    let igtf_base = match dice.between(1, 4) {
        1 => taxed,
        2 => dice.between(0, taxed),
        _ => 0,
    };
    let igtf = percent(igtf_base, 3);
    let total = taxed + igtf;
    let currency = dice.pick(&[1, 1, 2, 3]);
    let rate = match (currency, dice.one_in(3)) {
        (1, false) => "0".to_owned(),
        _ => digits(dice.between(1, 9_999_999), dice.pick(&[0, 1, 2, 3, 4])),
    };
    let rate =
        if currency != 1 && rate.chars().all(|c| c == '0' || c == '.') { "1".to_owned() } else { rate };
    let (identity_kind, identity) = identity(dice);
    let previous = kind != 1 && kind < 4 && dice.one_in(4);

    let mut fields: Vec<(&str, Wire)> = vec![
        ("rif", Wire::text(issuer)),
        ("nombrecliente", Wire::text(words(dice, 100))),
        ("rifcedulacliente", Wire::text(identity)),
        ("idtipocedulacliente", Wire::raw(identity_kind)),
        ("emailcliente", Wire::text(dice.pick(&["a@example.com", "a@example.com|b@example.com", ""]))),
        ("direccioncliente", Wire::text(words(dice, 500))),
        ("telefonocliente", Wire::text(dice.pick(&["584121234567", "0412-1234567", "+58 412 1234567", "x"]))),
        ("idtipodocumento", Wire::raw(kind)),
        ("numerointerno", Wire::text(format!("{:08}", seed % 100_000_000))),
        ("tasadecambio", Wire::raw(&rate)),
        ("tasacambio", Wire::raw(&rate)),
        ("tipomoneda", Wire::raw(currency)),
    ];
    let mut cents = vec![
        ("subtotal", subtotal),
        ("exento", exempt),
        ("baseg", general),
        ("impuestog", tax_g),
        ("baser", reduced),
        ("impuestor", tax_r),
        ("baseigft", igtf_base),
        ("baseigtf", igtf_base),
        ("impuestoigtf", igtf),
        ("total", total),
    ];
    let mut rates = vec![("tasag", 16), ("tasar", 8), ("tasaigtf", 3)];
    if luxury {
        cents.extend([("basea", lux), ("impuestoa", tax_a)]);
        rates.push(("tasaa", 31));
    }
    fields.extend(
        rates
            .into_iter()
            .map(|(key, rate)| (key, Wire::raw(dice.pick(&[digits(rate, 0), digits(rate * 100, 2)])))),
    );
    fields.extend(cents.iter().map(|(key, value)| (*key, money(dice, *value))));
    fields.push(("sendmail", dice.pick(&[Wire::raw(0), Wire::raw(1), Wire::text("1")])));
    if kind == 2 || kind == 3 {
        fields.push(("relacionado", Wire::text(if previous { "A-0042" } else { related })));
        if previous {
            fields.push(("regimenanterior", Wire::raw(1)));
        }
        fields.push(("observacion", Wire::text("Devolución")));
    } else if dice.one_in(3) {
        fields.push(("observacion", Wire::text(words(dice, 200))));
    }
    for (key, most) in [("trackingid", 50), ("sucursal", 10), ("direccionsucursal", 500)] {
        if dice.one_in(6) {
            fields.push((key, Wire::text(words(dice, most))));
        }
    }
    if dice.one_in(8) {
        fields.push(("serial", Wire::text("B")));
        fields.push(("fechavence", Wire::text("2026-12-31")));
        fields.push(("botondepago", Wire::raw(0)));
    }
    let lines = items.len();
    fields.push(("cuerpofactura", Wire::List(items.into_iter().map(|item| item.json).collect())));
    let mut payments = Vec::new();
    if dice.one_in(2) {
        let first = if total > 1 { dice.between(1, total - 1) } else { total };
        for part in [first, total - first].into_iter().filter(|part| *part > 0) {
            let form = Wire::text(words(dice, 20));
            payments.push(Wire::Object(vec![("forma".into(), form), ("valor".into(), money(dice, part))]));
        }
    }
    fields.push(("formasdepago", Wire::List(payments)));
    let json = Wire::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect());
    Made { json, cents, lines, kind }
}

/// The same document without any amount that the crate can compute.
pub fn stripped(made: &Made) -> Wire {
    let mut json = made.json.clone();
    for key in COMPUTED {
        json.remove(key);
    }
    for line in 0..made.lines {
        json.remove(&format!("cuerpofactura[{line}].impuesto"));
        json.remove(&format!("cuerpofactura[{line}].monto"));
    }
    json
}
