//! Documents against a model of whole numbers, equal to the cent (contract 6.1: I1, I3, I6 to I12, I15, and the rule that a tax is
//! computed once on its base). The model was written from the contract, not from the crate, and knows no decimal type.
//!
//! The ordinary run takes a small share, with a recorded seed. As many as one likes, with any seed:
//!
//! ```sh
//! MODEL_DOCUMENTS=10000000 MODEL_SEED=7 cargo test --release -p fiscal-printer --test model -- --ignored --nocapture
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use fiscal_printer::{
    Buyer, Decimal, Document, DocumentBuilder, HeaderAmount, Line, Payment, Rates, WireProfile,
};

/// What the ordinary run takes; a seed that found something is kept here.
const SHARE: [(u64, u64); 2] = [(1, 3_000), (2026, 3_000)];

/// A number of 10^-`scale`.
#[derive(Debug, Clone, Copy)]
struct Number {
    units: i128,
    scale: u32,
}

impl Number {
    const fn cents(units: i128) -> Self {
        Self { units, scale: 2 }
    }

    fn decimal(self) -> Decimal {
        Decimal::from_i128_with_scale(self.units, self.scale)
    }
}

/// `r2` of the contract: whole cents of `units` x 10^-`scale`, half-up. Amounts are never negative.
fn r2(units: i128, scale: u32) -> i128 {
    assert!(units >= 0);
    match scale.checked_sub(2) {
        None => units * 10_i128.pow(2 - scale),
        Some(0) => units,
        Some(beyond) => (units + 5 * 10_i128.pow(beyond - 1)).div_euclid(10_i128.pow(beyond)),
    }
}

/// Percent of cents, in cents: I3, I8, I9.
fn tax(base: i128, rate: Number) -> i128 {
    // base is in 10^-2 and the rate in 10^-scale of a hundredth.
    r2(base * rate.units, 2 + rate.scale + 2)
}

/// Numbers without pattern (SplitMix64), so that a run can be repeated from its seed alone.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 0 to `limit` - 1.
    fn below(&mut self, limit: u64) -> i128 {
        i128::from(self.next() % limit)
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// Up to so many digits, all lengths alike: small amounts are where half cents are.
    fn digits(&mut self, most: u64) -> i128 {
        let length = 1 + self.next() % most;
        self.below(10_u64.pow(u32::try_from(length).unwrap()))
    }
}

/// Which group a line belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    General,
    Reduced,
    Luxury,
    Exempt,
}

#[derive(Debug)]
struct Item {
    price: Number,
    quantity: Number,
    discount: i128,
    group: Group,
    amount: i128,
    tax: i128,
}

/// The rates of a document: general, reduced, luxury, IGTF.
#[derive(Debug, Clone, Copy)]
struct Percent([Number; 4]);

impl Percent {
    fn any(chance: &mut Chance) -> Self {
        let of = |units| Number { units, scale: 0 };
        let mut rates = [of(16), of(8), of(31), of(3)];
        if chance.one_in(4) {
            // Any with two decimals, 1 % to 100 %, but no two alike: a line's group is told by its rate.
            for (nth, rate) in rates.iter_mut().enumerate() {
                let units = 100 + chance.below(2_400) * 4 + i128::try_from(nth).unwrap();
                *rate = Number { units, scale: 2 };
            }
        }
        Self(rates)
    }

    fn rates(self) -> Rates {
        let [general, reduced, luxury, igtf] = self.0.map(Number::decimal);
        let mut rates = Rates::in_force(jiff::civil::date(2026, 1, 1)).unwrap();
        (rates.general, rates.reduced, rates.luxury, rates.igtf) = (general, reduced, luxury, igtf);
        rates
    }

    fn of(self, group: Group) -> Number {
        match group {
            Group::General => self.0[0],
            Group::Reduced => self.0[1],
            Group::Luxury => self.0[2],
            Group::Exempt => Number { units: 0, scale: 0 },
        }
    }
}

fn item(chance: &mut Chance, rates: Percent, luxury: bool) -> Item {
    let price = Number { units: chance.digits(9), scale: 2 + chance.below(5) as u32 };
    let quantity = match chance.below(3) {
        0 => Number { units: 1 + chance.digits(4), scale: 0 },
        // Halves and quarters make most of the exact ties.
        1 => Number { units: 25 * (1 + chance.digits(3)), scale: 2 },
        _ => Number { units: 1 + chance.digits(6), scale: 1 + chance.below(4) as u32 },
    };
    let scale = price.scale + quantity.scale;
    let gross = price.units * quantity.units;
    let whole_cents = gross / 10_i128.pow(scale - 2);
    let discount = if chance.one_in(3) { chance.digits(9).min(whole_cents) } else { 0 };
    let amount = r2(gross - discount * 10_i128.pow(scale - 2), scale);
    let group = match chance.below(if luxury { 4 } else { 3 }) {
        0 => Group::General,
        1 => Group::Reduced,
        2 => Group::Exempt,
        _ => Group::Luxury,
    };
    Item { price, quantity, discount, group, amount, tax: tax(amount, rates.of(group)) }
}

/// A document, and what the contract says of it. Amounts in cents.
#[derive(Debug)]
struct Model {
    rates: Percent,
    luxury: bool,
    items: Vec<Item>,
    /// An IGTF base by hand, or payments: what was paid in foreign currency and otherwise.
    base: Option<i128>,
    paid: Option<[i128; 2]>,
    /// Base and tax of the groups, general, reduced, luxury.
    groups: [[i128; 2]; 3],
    exempt: i128,
    subtotal: i128,
    /// More than one where payments can be read in two ways.
    igtf_bases: Vec<i128>,
    igtf: i128,
    total: i128,
}

impl Model {
    /// One with a subtotal above zero (I13).
    fn any(chance: &mut Chance) -> Self {
        loop {
            let model = Self::attempt(chance);
            if model.subtotal > 0 {
                return model;
            }
        }
    }

    fn attempt(chance: &mut Chance) -> Self {
        let (rates, luxury) = (Percent::any(chance), chance.one_in(4));
        let count = 1 + chance.below(12);
        let items: Vec<Item> = (0..count).map(|_| item(chance, rates, luxury)).collect();
        let base_of = |group| items.iter().filter(|item| item.group == group).map(|item| item.amount).sum();
        let groups = [Group::General, Group::Reduced, Group::Luxury].map(|group| {
            let base: i128 = base_of(group);
            [base, tax(base, rates.of(group))]
        });
        let exempt = base_of(Group::Exempt);
        let subtotal = groups.iter().map(|[base, _]| base).sum::<i128>() + exempt;
        let taxed = subtotal + groups.iter().map(|[_, tax]| tax).sum::<i128>();
        let mut model = Self {
            rates,
            luxury,
            items,
            base: None,
            paid: None,
            groups,
            exempt,
            subtotal,
            igtf_bases: vec![0],
            igtf: 0,
            total: taxed,
        };
        model.pay(chance, taxed);
        model
    }

    /// Nothing paid, all in bolívars, a base by hand, or a part in foreign currency, with the IGTF or without (I15).
    fn pay(&mut self, chance: &mut Chance, taxed: i128) {
        let rate = self.rates.0[3];
        let part = if chance.one_in(2) { taxed } else { chance.digits(12).min(taxed) };
        let igtf = tax(part, rate);
        match chance.below(4) {
            0 => return,
            1 => {
                self.paid = Some([0, taxed]);
                return;
            }
            2 => {
                self.base = Some(part);
                self.igtf_bases = vec![part];
            }
            _ => {
                let dollars_pay_it = chance.one_in(2);
                let foreign = if dollars_pay_it { part + igtf } else { part };
                if foreign == 0 {
                    return;
                }
                self.paid = Some([foreign, taxed + igtf - foreign]);
                self.igtf_bases = vec![part];
                // Where the IGTF of all that is foreign is the same cent, the sums do not tell whether it is among it.
                if dollars_pay_it && tax(foreign.min(taxed), rate) == igtf {
                    self.igtf_bases.push(foreign.min(taxed));
                }
            }
        }
        self.igtf = igtf;
        self.total = taxed + igtf;
    }

    fn draft(&self) -> DocumentBuilder {
        let buyer = Buyer::new("Comercial Ejemplo", "V-12345678").address("Calle 1").phone("0412-1234567");
        let mut draft = Document::invoice("J-12345678-4", 42).buyer(buyer).rates(self.rates.rates());
        if self.luxury {
            draft = draft.luxury_rate();
        }
        if let Some(base) = self.base {
            draft = draft.igtf_base(Number::cents(base).decimal());
        }
        if let Some([foreign, local]) = self.paid {
            let amount = |cents| Number::cents(cents).decimal();
            for payment in [
                (foreign > 0).then(|| Payment::in_foreign_currency("USD", amount(foreign))),
                (local > 0).then(|| Payment::new("Bs", amount(local))),
            ] {
                draft = payment.into_iter().fold(draft, DocumentBuilder::payment);
            }
        }
        draft.lines(self.items.iter().map(Item::line))
    }

    /// The amounts of the header; the IGTF base is looked at apart.
    fn header(&self) -> Vec<(HeaderAmount, i128)> {
        use HeaderAmount as H;
        let [general, reduced, luxury] = self.groups;
        let mut all = vec![
            (H::GeneralBase, general[0]),
            (H::GeneralTax, general[1]),
            (H::ReducedBase, reduced[0]),
            (H::ReducedTax, reduced[1]),
            (H::Exempt, self.exempt),
            (H::Subtotal, self.subtotal),
            (H::IgtfTax, self.igtf),
            (H::Total, self.total),
        ];
        if self.luxury {
            all.extend([(H::LuxuryBase, luxury[0]), (H::LuxuryTax, luxury[1])]);
        }
        all
    }

    /// That the crate computes every amount as the model does, and sends it so.
    fn check_computed(&self) -> Document {
        let document = self.draft().build().unwrap_or_else(|error| panic!("{}\n{self:?}", error.report()));
        let totals = document.totals();
        for (name, cents) in self.header() {
            let amount = totals.get(name).unwrap();
            assert_eq!((amount.mantissa(), amount.scale()), (cents, 2), "{name:?} of {self:?}");
        }
        let base = totals.igtf.base.mantissa();
        assert!(self.igtf_bases.contains(&base), "IGTF base {base} of {self:?}");
        let sent = document.to_json(&WireProfile::default());
        let lines: Vec<[i128; 2]> = sent
            .split("\"codigo\"")
            .skip(1)
            .map(|line| [cents(line, "monto"), cents(line, "impuesto")])
            .collect();
        let expected: Vec<[i128; 2]> = self.items.iter().map(|item| [item.amount, item.tax]).collect();
        assert_eq!(lines, expected, "lines of {self:?}");
        document
    }

    /// That the crate accepts the model's amounts when they are brought, and refuses any of them a cent off.
    fn check_verified(&self, chance: &mut Chance, document: &Document) {
        let base = Number::cents(document.totals().igtf.base.mantissa());
        let claimed = |draft: DocumentBuilder| {
            let claim =
                |draft: DocumentBuilder, (name, cents)| draft.claim(name, Number::cents(cents).decimal());
            self.header().into_iter().fold(draft, claim).claim(HeaderAmount::IgtfBase, base.decimal())
        };
        claimed(self.draft()).build().unwrap_or_else(|error| panic!("{}\n{self:?}", error.report()));
        let header = self.header();
        let (name, right) = header[chance.below(header.len() as u64) as usize];
        let wrong = if right > 0 && chance.one_in(2) { right - 1 } else { right + 1 };
        let refused = claimed(self.draft()).claim(name, Number::cents(wrong).decimal()).build();
        let error = refused.map(|_| panic!("{name:?} {wrong} for {right} in {self:?}")).unwrap_err();
        assert!(error.faults().iter().any(|fault| fault.path() == name.wire_name()), "{}", error.report());
    }
}

impl Item {
    fn line(&self) -> Line {
        let line = Line::new("A", "B", self.price.decimal(), self.quantity.decimal());
        let line = line.discount(Number::cents(self.discount).decimal());
        match self.group {
            Group::General => line,
            Group::Reduced => line.reduced(),
            Group::Luxury => line.luxury(),
            Group::Exempt => line.exempt(),
        }
    }
}

/// A number token of two decimals, as cents.
fn cents(json: &str, key: &str) -> i128 {
    let after = json.split_once(&format!("\"{key}\":")).unwrap().1;
    let token = after.split([',', '}']).next().unwrap();
    let (whole, fraction) = token.split_once('.').unwrap();
    assert_eq!(fraction.len(), 2, "{key} {token}");
    format!("{whole}{fraction}").parse().unwrap()
}

fn check(seed: u64, documents: u64) {
    let mut chance = Chance(seed);
    for nth in 0..documents {
        let model = Model::any(&mut chance);
        let document = model.check_computed();
        if nth % 8 == 0 {
            model.check_verified(&mut chance, &document);
        }
    }
}

#[test]
fn documents_are_equal_to_the_cent_to_a_model_of_whole_numbers() {
    for (seed, documents) in SHARE {
        check(seed, documents);
    }
}

#[test]
fn the_model_knows_the_worked_samples_of_the_contract() {
    let percent = |units| Number { units, scale: 0 };
    assert_eq!([tax(2_000, percent(16)), tax(1_000, percent(8)), tax(4_400, percent(3))], [320, 80, 132]);
    assert_eq!([tax(32_840, percent(16)), tax(12_315, percent(3))], [5_254, 369]);
    // Exact ties: 0.50 at 3 %, 0.50 at 31 %, 0.10 at 15 %; and 0.29 x 0.5, 0.58 x 0.25.
    assert_eq!([tax(50, percent(3)), tax(50, percent(31)), tax(10, percent(15))], [2, 16, 2]);
    assert_eq!([r2(29 * 5, 3), r2(58 * 25, 4), r2(3 * 16, 4), r2(9 * 16, 4)], [15, 15, 0, 1]);
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}

#[test]
#[ignore = "as many documents as the environment says, 10 million unless it does"]
fn as_many_documents_as_the_environment_says() {
    let (documents, seed) = (setting("MODEL_DOCUMENTS", 10_000_000), setting("MODEL_SEED", 7));
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let handles: Vec<_> = (0..threads)
        .map(|nth| {
            let share = documents / threads + u64::from(nth < documents % threads);
            std::thread::spawn(move || check(seed.wrapping_mul(1_000_003).wrapping_add(nth), share))
        })
        .collect();
    for handle in handles {
        handle.join().unwrap();
    }
    println!("{documents} documents from seed {seed}: every amount equal to the cent");
}
