//! Documents made wrong in one place: whatever the service then refuses, the crate must have refused, naming the field.

use std::collections::BTreeMap;

use fiscal_printer::{Document, Error};

use super::generator::{Dice, make};
use super::wire::Wire;
use super::{Bench, ISSUER, Said, foretold, paths};

/// Whether a fault at `path` names what the service means by code and message (section 5 and the order of its checks).
pub fn means(code: u32, message: &str, path: &str) -> bool {
    let field = path.rsplit('.').next().unwrap_or(path);
    let any = |fields: &[&str]| fields.contains(&field) && !path.starts_with("cuerpofactura[");
    let group = |letter: &str| {
        any(&[&format!("tasa{letter}"), &format!("base{letter}"), &format!("impuesto{letter}")])
    };
    let igtf = any(&["tasaigtf", "baseigft", "baseigtf", "impuestoigtf"]);
    match code {
        2 if message.contains("rif o cedula") => any(&["rifcedulacliente", "idtipocedulacliente"]),
        2 => any(&["nombrecliente"]),
        4 if message.contains("general") => group("g"),
        4 if message.contains("reducido") => group("r"),
        4 if message.contains("lujo") => group("a"),
        4 if message.contains("IGTF") => igtf,
        // A sum is wrong where the sum or one of its terms is.
        4 if message.contains("subtotal") => {
            any(&["subtotal", "exento"]) || group("g") || group("r") || group("a")
        }
        4 if message.contains("total") => {
            any(&["total", "subtotal"]) || group("g") || group("r") || group("a") || igtf
        }
        4 => {
            path.starts_with("cuerpofactura[")
                && ["precio", "cantidad", "descuento", "monto"].contains(&field)
                || item_itself(path)
        }
        5 => any(&["relacionado"]),
        10 => path.starts_with("cuerpofactura"),
        14 => path.starts_with("formasdepago[") && (field == "forma" || path.ends_with(']')),
        20 => any(&["observacion"]),
        21 => any(&["direccioncliente"]),
        22 => any(&["telefonocliente"]),
        23 => any(&["tasadecambio", "tasacambio", "tipomoneda"]),
        24 => any(&["tipomoneda"]),
        _ => false,
    }
}

fn item_itself(path: &str) -> bool {
    path.starts_with("cuerpofactura[") && path.ends_with(']')
}

/// Codes that depend on the body alone (contract 9.3, step 3); 7 cannot come from this issuer.
const OF_THE_BODY: [u32; 10] = [2, 4, 5, 10, 14, 20, 21, 22, 23, 24];

struct Mutant {
    name: &'static str,
    path: String,
    json: Wire,
}

const TEXTS: [(&str, usize); 14] = [
    ("nombrecliente", 100),
    ("rifcedulacliente", 12),
    ("emailcliente", 100),
    ("direccioncliente", 500),
    ("telefonocliente", 50),
    ("trackingid", 50),
    ("numerointerno", 10),
    ("relacionado", 12),
    ("sucursal", 10),
    ("direccionsucursal", 500),
    ("observacion", 200),
    ("codigo", 50),
    ("descripcion", 250),
    ("comentario", 150),
];

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// A pair of keys for one value: both change together, or the service would read the other one.
fn twin(path: &str) -> Option<&'static str> {
    [("tasadecambio", "tasacambio"), ("baseigft", "baseigtf")]
        .into_iter()
        .find_map(|(one, other)| if path == one { Some(other) } else { (path == other).then_some(one) })
}

fn number_of(value: &Wire) -> Option<i128> {
    let (Wire::Raw(token) | Wire::Text(token)) = value else { return None };
    let (whole, decimals) = token.split_once('.').unwrap_or((token, ""));
    let decimals: String = decimals.chars().chain("0000".chars()).take(4).collect();
    format!("{whole}{decimals}").parse().ok()
}

fn cent(value: &Wire, cents: i128) -> Option<Wire> {
    let ten_thousandths = number_of(value)? + cents * 100;
    let (sign, size) = (if ten_thousandths < 0 { "-" } else { "" }, ten_thousandths.abs());
    Some(Wire::raw(format!("{sign}{}.{:04}", size / 10_000, size % 10_000)))
}

/// One change at one place; `None` where it does not apply there.
fn change(dice: &mut Dice, json: &mut Wire, path: &str) -> Option<&'static str> {
    let old = json.at(path)?.clone();
    let limit = TEXTS.iter().find(|(field, _)| *field == last(path)).map(|(_, most)| *most);
    let numeric = number_of(&old).is_some() && limit.is_none() && last(path) != "sendmail";
    let (name, new) = match dice.between(1, 24) {
        1 | 2 if numeric => ("a cent more", cent(&old, 1)?),
        3 | 4 if numeric => ("a cent less", cent(&old, -1)?),
        5 if numeric => ("negative", Wire::raw(format!("-{}.01", dice.between(0, 99)))),
        6 if numeric => ("zero", Wire::raw(dice.pick(&["0", "0.00", "-0", "-0.00", "0e5"]))),
        7 if numeric => (
            "huge",
            Wire::raw(dice.pick(&[
                "90071992547409.93",
                "12345678901234567890123456789",
                "1e30",
                "1e400",
                "0.00000000000000000000000000001",
            ])),
        ),
        8 if numeric => (
            "no number",
            Wire::text(dice.pick(&[
                "NaN",
                "Infinity",
                "-",
                "",
                " ",
                "1,00",
                "1.234.567",
                "0x10",
                "1_0",
                "١",
            ])),
        ),
        9 if numeric => ("a cent and a half", Wire::raw(format!("{}.005", dice.between(0, 9_999)))),
        10 if numeric => {
            ("another number", Wire::raw(format!("{}.{:02}", dice.between(0, 99), dice.between(0, 99))))
        }
        11 => ("null", Wire::raw("null")),
        12 => ("a boolean", Wire::raw(dice.pick(&["true", "false"]))),
        13 => ("a list", Wire::List(vec![old])),
        14 => ("an empty list", Wire::List(Vec::new())),
        15 => ("an object", Wire::Object(vec![("x".into(), old)])),
        16 => ("an empty text", Wire::text("")),
        17 => ("blanks", Wire::text("  ")),
        18 if limit.is_some() => ("too long", Wire::text("x".repeat(limit? + 1))),
        19 if limit.is_some() => {
            ("control characters", Wire::text(dice.pick(&["a\nb", "a\u{0}b", "\u{7f}", "a\rb"])))
        }
        20 if limit.is_some() => ("emoji", Wire::text("niño 🧾")),
        21 if limit.is_some() => ("a number for a text", Wire::raw(dice.pick(&["0", "7", "1e3"]))),
        22 => {
            let (object, key) = json.parent_of(path)?;
            object.push((key, dice.pick(&[old, Wire::raw(1), Wire::text("")])));
            return Some("twice");
        }
        23 | 24 => {
            json.parent_of(path)?;
            json.remove(path);
            if let Some(twin) = twin(path) {
                json.remove(twin);
            }
            return Some("missing");
        }
        _ => return None,
    };
    if let Some(twin) = twin(path) {
        json.set(twin, new.clone());
    }
    json.set(path, new);
    Some(name)
}

/// Changes that take a document apart in a way that one leaf does not show.
fn special(dice: &mut Dice, json: &mut Wire, note: bool) -> (&'static str, String) {
    let codes = |dice: &mut Dice| {
        Wire::raw(dice.pick(&["0", "4", "6", "-1", "1.0", "2.5", "\"2\"", "\"0\"", "9999"]))
    };
    let (name, path, value) = match dice.between(1, 12) {
        1 => ("another type", "idtipodocumento", codes(dice)),
        2 => ("another currency", "tipomoneda", codes(dice)),
        3 => ("no items", "cuerpofactura", Wire::List(Vec::new())),
        4 => (
            "items of nothing",
            "cuerpofactura",
            Wire::List(vec![dice.pick(&[Wire::raw("null"), Wire::raw(1), Wire::Object(vec![])])]),
        ),
        5 => {
            let payment = vec![("forma".into(), Wire::text("")), ("valor".into(), Wire::raw("1.00"))];
            ("a payment without a form", "formasdepago", Wire::List(vec![Wire::Object(payment)]))
        }
        6 => {
            let payment = vec![("valor".into(), Wire::raw("1.00"))];
            (
                "a payment without the field of its form",
                "formasdepago",
                Wire::List(vec![Wire::Object(payment)]),
            )
        }
        7 => {
            let related = dice.pick(&["00-99999999", "00-1", "42", "", "00-00000001 ", "A-1"]);
            ("another related document", "relacionado", Wire::text(related))
        }
        8 => ("a fraction for a rate", dice.pick(&["tasag", "tasar", "tasaigtf"]), Wire::raw("0.16")),
        9 => (
            "another rate",
            dice.pick(&["tasag", "tasar", "tasaigtf"]),
            Wire::raw(dice.pick(&["12", "8", "16", "0", "100", "101"])),
        ),
        10 => ("another exemption", "cuerpofactura[0].exento", Wire::raw(dice.pick(&["true", "false"]))),
        11 => (
            "another rate of a line",
            "cuerpofactura[0].tasa",
            Wire::raw(dice.pick(&["31", "16", "8", "0", "12"])),
        ),
        _ if note => {
            json.set("regimenanterior", Wire::raw(1));
            json.remove("observacion");
            return ("an earlier regime without a remark", "observacion".into());
        }
        _ => ("an earlier regime", "regimenanterior", Wire::raw(1)),
    };
    json.set(path, value);
    (name, path.into())
}

fn mutant(seed: u64, related: &str) -> Option<Mutant> {
    let made = make(seed / 8, ISSUER, related);
    // A document that the service refuses anyway shows nothing about what was changed in it.
    if foretold(&super::read(&made.json.to_string()).ok()?).is_some() {
        return None;
    }
    let dice = &mut Dice::new(seed ^ 0x5EED);
    let mut json = made.json;
    if dice.one_in(6) {
        let (name, path) = special(dice, &mut json, made.kind == 2 || made.kind == 3);
        return Some(Mutant { name, path, json });
    }
    let paths = json.paths();
    let path = dice.pick(&paths);
    let name = change(dice, &mut json, &path)?;
    Some(Mutant { name, path, json })
}

/// The shape of a path, so that findings of one kind come together.
fn shape(path: &str) -> String {
    path.chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// What is known to differ on purpose, by code.
fn on_purpose(document: &Document, code: u32) -> bool {
    foretold(document) == Some(code)
}

/// Whether a fault is at the place that was changed: the field, what holds it, or another field of the same item.
fn names(error: &Error, place: &str) -> bool {
    // What the type allows is said of the field that the type forbids; a changed rate shows where it is applied.
    match place {
        "idtipodocumento" => return true,
        "tasag" | "tasar" | "tasaa" => {
            return paths(error).iter().any(|path| path.contains("tasa") || path.starts_with("base"));
        }
        _ => {}
    }
    let taxed = place.ends_with("].tasa") && paths(error).iter().any(|path| path.starts_with("base"));
    let place = place.split_once("].").map_or(place, |(item, _)| item);
    taxed
        || paths(error).iter().any(|path| {
            let twin = twin(place).is_some_and(|twin| *path == twin);
            twin || path.starts_with(place) || place.starts_with(path)
        })
}

/// Changes that the contract has refused even where the service does not look: lengths (section 3), I1 to I9, I11, I12, I18 and
/// what is no amount. A cent on the IGTF base may be right (I10 only bounds it).
fn must_refuse(name: &str, path: &str) -> bool {
    const HEADER: [&str; 10] = [
        "subtotal",
        "exento",
        "baseg",
        "impuestog",
        "baser",
        "impuestor",
        "basea",
        "impuestoa",
        "impuestoigtf",
        "total",
    ];
    let of_item = |fields: &[&str]| path.starts_with("cuerpofactura[") && fields.contains(&last(path));
    match name {
        "a cent more" | "a cent less" => HEADER.contains(&path) || of_item(&["impuesto", "monto"]),
        "a cent and a half" => HEADER.contains(&path) || of_item(&["impuesto", "monto", "descuento"]),
        "negative" => {
            HEADER.contains(&path) || of_item(&["precio", "cantidad", "impuesto", "monto", "descuento"])
        }
        // Extras are not the crate's to judge.
        "no number" => !["botondepago", "intipounidad"].contains(&last(path)),
        "too long" => true,
        _ => false,
    }
}

/// Everything that is found is told at once: one line for each kind of disagreement, with a seed that shows it.
#[derive(Default)]
struct Findings {
    wrong: BTreeMap<String, u64>,
    stricter: BTreeMap<String, u64>,
    tried: u64,
    /// How many of them the contract refuses whatever the service does.
    demanded: u64,
    refused: BTreeMap<u32, u64>,
    failed: u64,
}

impl Findings {
    fn wrong(&mut self, seed: u64, text: String) {
        self.wrong.entry(text).or_insert(seed);
    }
}

async fn try_mutant(bench: &Bench, seed: u64, mutant: &Mutant, found: &mut Findings) {
    let json = mutant.json.to_string();
    let label = format!("{} {}", shape(&mutant.path), mutant.name);
    let said = bench.says(&json).await;
    let draft =
        Document::from_json(json.as_bytes()).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{json}"));
    let verified = draft.clone().verify_only().build();
    found.tried += 1;
    if must_refuse(mutant.name, &mutant.path) {
        found.demanded += 1;
        if !verified.as_ref().is_err_and(|error| names(error, &mutant.path)) {
            found.wrong(seed, format!("{label}: the contract refuses it, the crate does not say so"));
        }
    }
    match (&said, &verified) {
        (Said::Refused(code, message), verified) if OF_THE_BODY.contains(code) => {
            *found.refused.entry(*code).or_default() += 1;
            match verified {
                Err(error) if paths(error).iter().any(|path| means(*code, message, path)) => {}
                Err(error) => {
                    found.wrong(seed, format!("{label}: code {code} ({message}) but {:?}", paths(error)))
                }
                Ok(document) if on_purpose(document, *code) => {}
                Ok(_) => {
                    found.wrong(seed, format!("{label}: code {code} ({message}) but the crate accepts it"))
                }
            }
        }
        (Said::Failed(_), Err(error)) if !names(error, &mutant.path) => {
            found.wrong(seed, format!("{label}: the service breaks but {:?}", paths(error)));
        }
        (Said::Failed(_), _) => found.failed += 1,
        (Said::Issued, Err(error)) if !names(error, &mutant.path) => {
            found.wrong(seed, format!("{label}: issued, and the crate blames {:?}", paths(error)));
        }
        (Said::Issued, Err(_)) => *found.stricter.entry(label.clone()).or_default() += 1,
        _ => {}
    }
    // Whatever the crate lets out is taken, or was foretold.
    if let Ok(document) = draft.build() {
        let own = bench.says_to(&document).await;
        let expected = match &own {
            Said::Issued => foretold(&document).is_none(),
            Said::Refused(11, _) => mutant.path == "relacionado",
            Said::Refused(code, _) => on_purpose(&document, *code),
            // Refused by the client itself, before sending: the token's RIF.
            Said::Failed(text) => mutant.path == "rif" && text.contains("nothing was sent"),
        };
        if !expected {
            found.wrong(seed, format!("{label}: the crate sends it and hears {own:?}"));
        }
    }
}

#[tokio::test]
async fn what_the_service_refuses_the_crate_refuses_first_naming_the_same_field() {
    let bench = Bench::new().await;
    let mut found = Findings::default();
    for seed in 8..8 + 3 * super::count() {
        if let Some(mutant) = mutant(seed, &bench.related) {
            try_mutant(&bench, seed, &mutant, &mut found).await;
        }
    }
    println!(
        "{} wrong documents: refused {:?}, broke the service {}",
        found.tried, found.refused, found.failed
    );
    println!("{} of them are refused by the contract alone", found.demanded);
    println!("the crate is stricter on purpose in {} kinds", found.stricter.len());
    if std::env::var("DIFFERENTIAL_VERBOSE").is_ok() {
        for (label, times) in &found.stricter {
            println!("  {times:4} {label}");
        }
    }
    let wrong: Vec<String> = found.wrong.iter().map(|(text, seed)| format!("seed {seed}: {text}")).collect();
    assert!(wrong.is_empty(), "{} disagreements:\n{}", wrong.len(), wrong.join("\n"));
    assert!(found.tried > super::count(), "{}", found.tried);
    for code in OF_THE_BODY {
        assert!(found.refused.contains_key(&code), "code {code} was provoked");
    }
}

/// I10: the service does not look at it, the contract does.
#[test]
fn an_igtf_base_beyond_what_was_paid_is_refused() {
    let mut full = 0;
    for seed in 1..=300 {
        let mut made = make(seed, ISSUER, "00-00000001");
        let taxed: i128 =
            ["subtotal", "impuestog", "impuestor", "impuestoa"].map(|key| made.cents_of(key)).iter().sum();
        if made.cents_of("baseigtf") != taxed {
            continue;
        }
        full += 1;
        for key in ["baseigft", "baseigtf"] {
            made.json.set(key, Wire::raw(format!("{}.{:02}", (taxed + 1) / 100, (taxed + 1) % 100)));
        }
        let error = super::read(&made.json.to_string()).unwrap_err();
        assert!(
            error.faults().iter().any(|fault| (fault.rule(), fault.path()) == ("I10", "baseigft")),
            "{error}"
        );
    }
    assert!(full > 20, "{full}");
}
