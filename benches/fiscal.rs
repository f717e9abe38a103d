//! A fiscal document of 100 lines, checked, beside the same sums done bare: `cargo bench -p integration-benches --bench fiscal`.
//!
//! "Checked" is `DocumentBuilder::build` of a draft that brings every amount: all identities of the contract (section 6.1), and with
//! them the rules of every text and identifier and the prediction of what the service's doubles would refuse. Its floor is the
//! identities alone, by the operators of `rust_decimal`, on values that lie ready. "From JSON" is `Document::from_json` and that; its
//! floor is `serde_json` into a plain struct, numbers read exactly from their tokens (a double would lose cents), and the same sums.
//!
//! Instructions are callgrind's, of what 60 documents need more than 20, so only where `valgrind` is installed. Allocations count those
//! that grow. Times are medians of rounds in turns.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

use std::alloc::System;
use std::hint::black_box;
use std::time::Duration;

use fiscal_printer::{Buyer, Decimal, Document, DocumentBuilder, HeaderAmount, Line, Payment, WireProfile};
use integration_benches::{instructions, is_asked_for, median};
use integration_core::clock::{Clock as _, SystemClock};
use rust_decimal::RoundingStrategy;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// By this argument the program does one thing so often, for callgrind to count.
const COUNT: &str = "--count";
const FEW: usize = 20;
const MANY: usize = 60;

const ROUNDS: usize = 151;
/// Few, so that a round is over before another program has its turn.
const DOCUMENTS: usize = 10;
const LINES: i64 = 100;

// ---- the floor -----------------------------------------------------------------------------------------------------------------

/// What somebody writes who reads such a document to add it up.
#[derive(Deserialize)]
#[allow(dead_code)]
struct Bare {
    #[serde(deserialize_with = "exact")]
    subtotal: Decimal,
    #[serde(deserialize_with = "exact")]
    exento: Decimal,
    #[serde(deserialize_with = "exact")]
    tasag: Decimal,
    #[serde(deserialize_with = "exact")]
    baseg: Decimal,
    #[serde(deserialize_with = "exact")]
    impuestog: Decimal,
    #[serde(deserialize_with = "exact")]
    tasar: Decimal,
    #[serde(deserialize_with = "exact")]
    baser: Decimal,
    #[serde(deserialize_with = "exact")]
    impuestor: Decimal,
    #[serde(deserialize_with = "exact")]
    tasaigtf: Decimal,
    #[serde(deserialize_with = "exact")]
    baseigtf: Decimal,
    #[serde(deserialize_with = "exact")]
    impuestoigtf: Decimal,
    #[serde(deserialize_with = "exact")]
    total: Decimal,
    cuerpofactura: Vec<BareLine>,
    formasdepago: Vec<BarePayment>,
    rif: String,
    nombrecliente: String,
    rifcedulacliente: String,
    idtipocedulacliente: u8,
    emailcliente: String,
    direccioncliente: String,
    telefonocliente: String,
    idtipodocumento: u8,
    numerointerno: String,
    tipomoneda: u8,
    sendmail: u8,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct BareLine {
    codigo: String,
    descripcion: String,
    comentario: String,
    #[serde(deserialize_with = "exact")]
    precio: Decimal,
    #[serde(deserialize_with = "exact")]
    cantidad: Decimal,
    #[serde(deserialize_with = "exact")]
    tasa: Decimal,
    #[serde(deserialize_with = "exact")]
    impuesto: Decimal,
    #[serde(deserialize_with = "exact")]
    descuento: Decimal,
    exento: bool,
    #[serde(deserialize_with = "exact")]
    monto: Decimal,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct BarePayment {
    forma: String,
    #[serde(deserialize_with = "exact")]
    valor: Decimal,
}

fn exact<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    let token = <&RawValue>::deserialize(deserializer)?;
    Decimal::from_str_exact(token.get()).map_err(serde::de::Error::custom)
}

fn cents(value: Decimal) -> Decimal {
    value.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}

/// The identities I1 to I14 and I18, I19 of the contract, and the drift of the lines.
fn adds_up(bare: &Bare) -> bool {
    let hundred = Decimal::ONE_HUNDRED;
    let (mut general, mut reduced, mut exempt) = (Decimal::ZERO, Decimal::ZERO, Decimal::ZERO);
    let (mut general_tax, mut reduced_tax) = (Decimal::ZERO, Decimal::ZERO);
    let mut right = true;
    for line in &bare.cuerpofactura {
        let gross = line.precio * line.cantidad;
        right &= line.precio >= Decimal::ZERO && line.cantidad > Decimal::ZERO;
        right &= line.descuento >= Decimal::ZERO && line.descuento <= gross;
        right &= line.monto == cents(gross - line.descuento);
        right &= line.exento == line.tasa.is_zero();
        right &= line.impuesto == cents(line.monto * line.tasa / hundred);
        right &= [line.monto, line.impuesto, line.descuento].iter().all(|amount| amount.scale() <= 2);
        if line.exento {
            exempt += line.monto;
        } else if line.tasa == bare.tasag {
            general += line.monto;
            general_tax += line.impuesto;
        } else if line.tasa == bare.tasar {
            reduced += line.monto;
            reduced_tax += line.impuesto;
        } else {
            right = false;
        }
    }
    right &= bare.baseg == general && bare.baser == reduced && bare.exento == exempt;
    right &= bare.impuestog == cents(bare.baseg * bare.tasag / hundred);
    right &= bare.impuestor == cents(bare.baser * bare.tasar / hundred);
    right &= bare.impuestoigtf == cents(bare.baseigtf * bare.tasaigtf / hundred);
    let taxed = bare.subtotal + bare.impuestog + bare.impuestor;
    right &= bare.subtotal == bare.baseg + bare.baser + bare.exento && bare.subtotal > Decimal::ZERO;
    right &= bare.baseigtf >= Decimal::ZERO && bare.baseigtf <= taxed;
    right &= bare.total == taxed + bare.impuestoigtf;
    let paid: Decimal = bare.formasdepago.iter().map(|payment| payment.valor).sum();
    black_box((general_tax - bare.impuestog, reduced_tax - bare.impuestor));
    right && paid == bare.total
}

// ---- both sides ----------------------------------------------------------------------------------------------------------------

/// The nth line, without its amounts.
fn line(nth: i64) -> Line {
    let price = Decimal::new(1_000 + nth * 37, 2);
    // Every fifth by weight, with a price of four decimals.
    let (price, quantity) = match nth % 5 {
        0 => (Decimal::new(12_345 + nth * 3, 4), Decimal::new(1_333 + nth, 3)),
        rest => (price, Decimal::from(rest)),
    };
    let line = Line::new(format!("A{nth:03}"), format!("Tornillos M4 x {nth}, caja de 100"), price, quantity);
    let line = line.discount(Decimal::new(nth % 3 * 10, 2));
    match nth % 4 {
        0 => line.reduced(),
        1 => line.exempt(),
        _ => line,
    }
}

fn plain() -> DocumentBuilder {
    let buyer = Buyer::new("Comercial Ejemplo", "V-12345678").email("compras@example.com");
    let buyer = buyer.address("Calle 1, edificio 2, Caracas").phone("0412-1234567");
    Document::invoice("J-12345678-4", 42).buyer(buyer).lines((1..=LINES).map(line))
}

/// What is measured: the same document as a draft of values, as JSON, and as the floor has it.
struct Sample {
    draft: DocumentBuilder,
    json: String,
    bare: Bare,
}

impl Sample {
    fn new() -> Self {
        let unpaid = plain().build().unwrap();
        let paid = plain().payment(Payment::new("Transferencia", unpaid.totals().total)).build().unwrap();
        // That lines are rounded one by one shows in nearly every document of this length, and is told.
        assert!(paid.warnings().iter().all(|warning| warning.rule() == "I8"), "{:?}", paid.warnings());
        let json = paid.to_json(&WireProfile::default());
        let bare: Bare = serde_json::from_str(&json).unwrap();
        assert!(adds_up(&bare));
        let claimed = (1..=LINES).zip(&bare.cuerpofactura);
        let lines = claimed.map(|(nth, bare)| line(nth).amount(bare.monto).tax(bare.impuesto));
        let buyer = Buyer::new("Comercial Ejemplo", "V-12345678").email("compras@example.com");
        let buyer = buyer.address("Calle 1, edificio 2, Caracas").phone("0412-1234567");
        let draft = Document::invoice("J-12345678-4", 42).buyer(buyer).lines(lines).verify_only();
        let totals = paid.totals();
        let claims = HeaderAmount::ALL.into_iter().filter_map(|name| Some((name, totals.get(name)?)));
        let draft = claims.fold(draft, |draft, (name, amount)| draft.claim(name, amount));
        let draft = draft.payment(Payment::new("Transferencia", totals.total));
        assert_eq!(draft.clone().build().unwrap().totals(), totals);
        Self { draft, json, bare }
    }

    fn once(&self, what: &str) {
        match what {
            "draft" => drop(black_box(self.draft.clone())),
            "checked" => drop(black_box(self.draft.clone().build().unwrap())),
            "sums" => assert!(adds_up(black_box(&self.bare))),
            "json" => drop(black_box(read(&self.json))),
            _ => assert!(adds_up(&bare(&self.json))),
        }
    }
}

fn read(json: &str) -> Document {
    Document::from_json(black_box(json.as_bytes())).unwrap().build().unwrap()
}

fn bare(json: &str) -> Bare {
    serde_json::from_slice(black_box(json.as_bytes())).unwrap()
}

/// How long something takes, done as often as a round has documents, each with its own input.
fn timed<I, O>(inputs: Vec<I>, each: impl Fn(I) -> O) -> f64 {
    let mut outputs = Vec::with_capacity(inputs.len());
    let clock = SystemClock::new();
    for input in inputs {
        outputs.push(each(input));
    }
    let took: Duration = clock.elapsed();
    drop(outputs);
    took.as_secs_f64() * 1e6 / DOCUMENTS as f64
}

fn allocations<O>(work: impl FnOnce() -> O) -> f64 {
    let region = Region::new(HEAP);
    let output = work();
    let change = region.change();
    drop(output);
    (change.allocations + change.reallocations) as f64
}

/// Instructions that one more document needs.
fn counted(what: &str) -> Option<f64> {
    let all = |count: usize| instructions(&[COUNT, what, &count.to_string()]);
    Some((all(MANY)? - all(FEW)?) / (MANY - FEW) as f64)
}

fn row(name: &str, floor: f64, ours: f64, ratio: f64) {
    // Of a floor that allocates nothing there is no ratio.
    let ratio = if ratio.is_finite() { format!("{ratio:.2}") } else { "-".to_owned() };
    println!("| {name} | {floor:.1} | {ours:.1} | {ratio} |");
}

fn times(sample: &Sample, name: &str, floor: impl Fn(&Sample) -> f64, ours: impl Fn(&Sample) -> f64) {
    let (mut floors, mut all) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        floors.push(floor(sample));
        all.push(ours(sample));
    }
    let ratio = median(all.iter().zip(&floors).map(|(ours, floor)| ours / floor).collect());
    row(name, median(floors), median(all), ratio);
}

fn figures() {
    let sample = Sample::new();
    println!("one document of {LINES} lines, {} bytes of JSON\n", sample.json.len());
    println!("| one document | floor | ours | ratio |\n|---|---|---|---|");
    if let (Some(floor), Some(draft), Some(ours)) = (counted("sums"), counted("draft"), counted("checked")) {
        row("checked, instructions", floor, ours - draft, (ours - draft) / floor);
    }
    let draft = sample.draft.clone();
    row("checked, allocations", 0.0, allocations(|| draft.build()), f64::NAN);
    times(
        &sample,
        "checked, µs",
        |sample| timed(vec![(); DOCUMENTS], |()| adds_up(black_box(&sample.bare))),
        |sample| timed(vec![sample.draft.clone(); DOCUMENTS], |draft| draft.build().unwrap()),
    );
    if let (Some(floor), Some(ours)) = (counted("bare"), counted("json")) {
        row("from JSON, instructions", floor, ours, ours / floor);
    }
    let (floor, ours) = (allocations(|| bare(&sample.json)), allocations(|| read(&sample.json)));
    row("from JSON, allocations", floor, ours, ours / floor);
    times(
        &sample,
        "from JSON, µs",
        |sample| {
            timed(vec![(); DOCUMENTS], |()| {
                let bare = bare(&sample.json);
                assert!(adds_up(&bare));
                bare
            })
        },
        |sample| timed(vec![(); DOCUMENTS], |()| read(&sample.json)),
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [COUNT, what, count] => {
            let sample = Sample::new();
            (0..count.parse().unwrap()).for_each(|_| sample.once(what));
        }
        _ if is_asked_for() => figures(),
        _ => println!("skipped: run it by `cargo bench`"),
    }
}
