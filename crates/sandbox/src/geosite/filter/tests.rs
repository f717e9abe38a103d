//! The grammar against rows by hand, and against anything at all.

use super::*;
use crate::geosite::feature::Feature;
use crate::geosite::schema::Source;
use crate::geosite::settings::Settings;

fn read_for(feature: Feature, text: &str) -> Result<Filter, Fault> {
    read(text, &Schema::of(feature), &Times::new(&Settings::default()))
}

/// A customer on port 3 of splitter 77, changed 2023-11-20 01:00:00 local.
fn customer(key: Key) -> Cell<'static> {
    match key {
        Key::Known(Source::Fid) => Cell::Integer(1_000_007),
        Key::Known(Source::Name) => Cell::Text("Ana D'Ávila".into()),
        Key::Known(Source::Document) => Cell::Text("01234567890".into()),
        Key::Known(Source::Contract) => Cell::Integer(4711),
        Key::Known(Source::Splitter) => Cell::Integer(77),
        Key::Known(Source::Port) => Cell::Integer(3),
        Key::Known(Source::Latitude) => Cell::Degrees(-227_253_000),
        Key::Known(Source::Changed) => Cell::Time(1_700_452_800),
        _ => Cell::Null,
    }
}

#[test]
fn what_holds_and_what_does_not() {
    for (text, wanted) in [
        ("fid > 1000006", true),
        ("fid > 1000007", false),
        ("FID>=1000007", true),
        ("fid = '1000007'", true),
        ("porta IN (1, 2, 3)", true),
        ("porta in (1,2)", false),
        ("documento = '01234567890' AND contrato='4711'", true),
        ("documento = 01234567890", true),
        ("documento = '1234567890'", false),
        ("nome = 'Ana D''Ávila'", true),
        ("nome <> 'Ana D''Ávila'", false),
        ("nome = 'a'' OR ''1''=''1'", false),
        ("codigo IS NULL", true),
        ("codigo is not null", false),
        ("codigo = ''", false),
        ("codigo <> 'x'", false),
        ("dataAlteracao >= '2023-11-20 01:00:00'", true),
        ("dataAlteracao > '2023-11-20 01:00:00'", false),
        ("dataAlteracao >= '2023-11-20 00:45:00' AND fid > 0", true),
        ("latitude < -22.7 AND latitude > -22.8", true),
        ("porta = 9 OR porta = 8 AND fid > 0 OR porta = 3", true),
        ("(porta = 3 OR porta = 9) AND contrato = 1", false),
        ("porta = 3 OR porta = 9 AND contrato = 1", true),
        ("((porta = 3))", true),
    ] {
        let filter = read_for(Feature::Cliente, text).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
        assert_eq!(filter.holds(&customer), wanted, "{text}");
    }
}

#[test]
fn what_is_no_filter_is_refused_and_an_unknown_column_is_named() {
    for text in [
        "",
        "fid",
        "fid >",
        "fid > > 3",
        "fid = 1 AND",
        "(fid = 1",
        "fid = 1)",
        "nome = 'x",
        "fid = 'x'",
        "dataAlteracao >= '2023-11-20'",
        "dataAlteracao >= 7",
        "porta IN ()",
        "porta IN (1",
        "fid IS 3",
        "fid != 3",
        "fid = fid",
        "fid = 1; DROP",
        "1 = 1",
        "fid = 1--2",
        "nome LIKE 'a'",
    ] {
        assert!(matches!(read_for(Feature::Cliente, text), Err(Fault::Grammar(_))), "{text}");
    }
    let named = read_for(Feature::Cto, "fid > 1 AND documento = '1'");
    assert_eq!(named, Err(Fault::Column("documento".into())));
    let deep = format!("{}fid = 1{}", "(".repeat(10_000), ")".repeat(10_000));
    assert!(matches!(read_for(Feature::Cto, &deep), Err(Fault::Grammar(_))));
}

#[test]
fn a_conjunction_comes_apart() {
    let filter = read_for(Feature::Cto, "(fid > 1 AND codigo = 'a') AND (nome = 'b' OR nome = 'c')").unwrap();
    assert_eq!(filter.conjuncts().len(), 3);
}

/// Random pieces of the grammar never panic, and whatever is read can be judged.
#[test]
fn no_text_breaks_the_reader() {
    let pieces = [
        "fid",
        "nome",
        " ",
        "=",
        "<>",
        "<",
        ">=",
        "'",
        "''",
        "'x'",
        "(",
        ")",
        ",",
        "IN",
        "IS",
        "NOT",
        "NULL",
        " AND ",
        " OR ",
        "fid = 1",
        "nome IS NULL",
        "-",
        "1",
        ".",
        "ã",
        "\"",
        "%",
    ];
    let mut dice = crate::geosite::names::Dice::new(11);
    let mut understood = 0;
    for _ in 0..50_000 {
        let count = dice.below(9) as usize;
        let text: String = (0..count).map(|_| pieces[dice.below(pieces.len() as u32) as usize]).collect();
        if let Ok(filter) = read_for(Feature::Cliente, &text) {
            filter.holds(&customer);
            understood += 1;
        }
    }
    assert!(understood > 10, "{understood}");
}
