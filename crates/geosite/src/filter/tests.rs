//! Filters are read back by a small parser of its own, which knows the contract's grammar and nothing of the builder.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::error::Route;
use crate::feature::Feature;

fn schema() -> Schema {
    let value = json!({"columns": ["fid", "Nome", "código", "bad name", "x) OR (1=1", "dataAlteracao"]});
    Schema::read(Feature::Cto, &value, &Route { operation: "x", text: "x".into() }).unwrap()
}

fn times() -> LocalTimes {
    LocalTimes::new("America/Sao_Paulo", "yyyy-MM-dd HH:mm:ss").unwrap()
}

fn render(filter: &Filter) -> Result<String, Problem> {
    filter.render(&schema(), &times(), "GET /cto/list")
}

#[test]
fn filters_are_written_by_the_grammar() {
    let at: Timestamp = "2023-11-20T03:45:00Z".parse().unwrap();
    for (filter, text) in [
        (Filter::eq("nome", "D'Ávila"), "Nome = 'D''Ávila'"),
        (Filter::ne("FID", 7), "fid <> 7"),
        (Filter::lt("fid", -1.5), "fid < -1.5"),
        (Filter::le("fid", 1e21), "fid <= 1000000000000000000000"),
        (Filter::gt("fid", 3_u32), "fid > 3"),
        (Filter::ge("dataalteracao", at), "dataAlteracao >= '2023-11-20 00:45:00'"),
        (Filter::is_in("código", ["a", "b'"]), "código IN ('a', 'b''')"),
        (Filter::is_null("nome"), "Nome IS NULL"),
        (Filter::is_not_null("nome"), "Nome IS NOT NULL"),
        (
            Filter::eq("fid", 1).or(Filter::eq("fid", 2)).and(Filter::gt("fid", 0)),
            "(fid = 1 OR fid = 2) AND fid > 0",
        ),
        (
            Filter::eq("fid", 1).and(Filter::eq("fid", 2)).and(Filter::eq("fid", 3)),
            "fid = 1 AND fid = 2 AND fid = 3",
        ),
        (
            Filter::raw_filter(" a = 1 OR b = ';--)' ").and(Filter::gt("fid", 9)),
            "(a = 1 OR b = ';--)') AND fid > 9",
        ),
    ] {
        assert_eq!(render(&filter).unwrap(), text);
    }
}

#[test]
fn columns_that_are_not_there_once_or_could_inject_are_refused() {
    assert!(matches!(render(&Filter::eq("bairro", 1)), Err(Problem::ColumnUnknown { .. })));
    assert!(matches!(render(&Filter::eq("1=1 OR fid", 1)), Err(Problem::ColumnUnknown { .. })));
    for name in ["bad name", "x) OR (1=1"] {
        assert!(matches!(render(&Filter::eq(name, 1)), Err(Problem::FilterInvalid { .. })), "{name}");
    }
}

#[test]
fn what_cannot_be_a_condition_is_refused() {
    let deep = (0..40).fold(Filter::eq("fid", 1), |inner, turn| {
        let other = Filter::eq("fid", 2);
        if turn % 2 == 0 { other.and(inner) } else { other.or(inner) }
    });
    for filter in [
        Filter::is_in("fid", Vec::<i64>::new()),
        Filter::eq("fid", f64::NAN),
        Filter::eq("nome", "a\0b"),
        Filter::eq("nome", "a\nb"),
        deep,
        Filter::raw_filter(""),
        Filter::raw_filter("a = 1) OR (b = 1"),
        Filter::raw_filter("a = 'x"),
        Filter::raw_filter("(a = 1"),
        Filter::raw_filter("a = 1; DROP"),
        Filter::raw_filter("a = 1 -- x"),
        Filter::raw_filter("a = 1 /* x"),
        Filter::raw_filter("a =\n1"),
    ] {
        assert!(matches!(render(&filter), Err(Problem::FilterInvalid { .. })), "{filter:?}");
    }
}

#[test]
fn the_length_is_that_of_the_encoded_query() {
    assert_eq!(query_length(&[("columns", "fid,nome".into())]), "columns=fid%2Cnome".len() + 1);
    assert_eq!(query_length(&[("a", "é ".into()), ("b", "-._~".into())]), "?a=%C3%A9%20&b=-._~".len());
}

/// What a filter means, as the parser below reads it.
#[derive(Debug, Clone, PartialEq)]
enum Read {
    Test(String, String, Vec<String>),
    All(Vec<Read>),
    Any(Vec<Read>),
}

#[derive(Debug, Clone, PartialEq)]
enum Word {
    Quoted(String),
    Other(String),
}

fn words(text: &str) -> Vec<Word> {
    let (mut words, mut chars) = (Vec::new(), text.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            ' ' => {}
            '(' | ')' | ',' => words.push(Word::Other(c.into())),
            '\'' => {
                let mut inner = String::new();
                loop {
                    match chars.next().expect("an open quote") {
                        '\'' if chars.peek() == Some(&'\'') => inner.push(chars.next().unwrap()),
                        '\'' => break,
                        other => inner.push(other),
                    }
                }
                words.push(Word::Quoted(inner));
            }
            _ => {
                let mut word = String::from(c);
                while let Some(next) = chars.next_if(|next| !" (),'".contains(*next)) {
                    word.push(next);
                }
                words.push(Word::Other(word));
            }
        }
    }
    words.reverse();
    words
}

fn is(words: &[Word], wanted: &str) -> bool {
    words.last() == Some(&Word::Other(wanted.into()))
}

fn list(words: &mut Vec<Word>, joint: &str, of: &dyn Fn(&mut Vec<Word>) -> Read) -> Vec<Read> {
    let mut parts = vec![of(words)];
    while is(words, joint) {
        words.pop();
        parts.push(of(words));
    }
    parts
}

fn either(words: &mut Vec<Word>) -> Read {
    let mut parts = list(words, "OR", &conjunction);
    if parts.len() == 1 { parts.remove(0) } else { Read::Any(parts) }
}

fn conjunction(words: &mut Vec<Word>) -> Read {
    let mut parts = list(words, "AND", &term);
    if parts.len() == 1 { parts.remove(0) } else { Read::All(parts) }
}

fn term(words: &mut Vec<Word>) -> Read {
    if is(words, "(") {
        words.pop();
        let inner = either(words);
        assert_eq!(words.pop(), Some(Word::Other(")".into())));
        return inner;
    }
    let mut plain = || match words.pop() {
        Some(Word::Other(word)) => word,
        other => panic!("{other:?}"),
    };
    let (column, op) = (plain(), plain());
    let mut values = Vec::new();
    if op == "IN" {
        assert_eq!(words.pop(), Some(Word::Other("(".into())));
        loop {
            values.push(value(words));
            match words.pop() {
                Some(Word::Other(word)) if word == "," => {}
                end => {
                    assert_eq!(end, Some(Word::Other(")".into())));
                    break;
                }
            }
        }
    } else {
        values.push(value(words));
    }
    Read::Test(column, op, values)
}

fn value(words: &mut Vec<Word>) -> String {
    match words.pop() {
        Some(Word::Quoted(text)) => format!("text {text}"),
        Some(Word::Other(number)) => format!("number {number}"),
        None => panic!("a value"),
    }
}

/// A filter, and what it means.
fn filters() -> impl Strategy<Value = (Filter, Read)> {
    let text = r#"[^\p{Cc}]{0,12}|'{0,3}( OR | AND |\)|\(|=|--|;|'){0,4}'{0,3}"#;
    let test = |op: &str, values: Vec<String>| Read::Test("Nome".into(), op.into(), values);
    let leaf = prop_oneof![
        text.prop_map(move |text| (
            Filter::eq("nome", text.as_str()),
            test("=", vec![format!("text {text}")])
        )),
        proptest::prelude::any::<i64>()
            .prop_map(move |n| (Filter::ge("NOME", n), test(">=", vec![format!("number {n}")]))),
        prop::collection::vec(text, 1..4).prop_map(move |texts| {
            let read = test("IN", texts.iter().map(|text| format!("text {text}")).collect());
            (Filter::is_in("nome", texts), read)
        }),
    ];
    leaf.prop_recursive(4, 12, 2, |inner| {
        (inner.clone(), inner, proptest::prelude::any::<bool>()).prop_map(
            |((one, one_read), (two, two_read), and)| {
                // The builder lists what is joined by the same word on its left.
                let join = |read: Read, other: Read| match (read, and) {
                    (Read::All(mut parts), true) => {
                        parts.push(other);
                        Read::All(parts)
                    }
                    (Read::Any(mut parts), false) => {
                        parts.push(other);
                        Read::Any(parts)
                    }
                    (read, true) => Read::All(vec![read, other]),
                    (read, false) => Read::Any(vec![read, other]),
                };
                let filter = if and { one.and(two) } else { one.or(two) };
                (filter, join(one_read, two_read))
            },
        )
    })
}

proptest! {
    #[test]
    fn whatever_is_built_means_what_was_built((filter, meant) in filters()) {
        let text = render(&filter).unwrap();
        let mut words = words(&text);
        let read = either(&mut words);
        prop_assert!(words.is_empty(), "{text}");
        prop_assert_eq!(read, meant, "{}", text);
    }

    #[test]
    fn no_raw_text_leaves_its_parentheses(text in r#"[()'a=;/*\- ]{0,16}"#) {
        if let Ok(rendered) = render(&Filter::raw_filter(&text).and(Filter::gt("fid", 5))) {
            let mut depth = 0_i32;
            let words = words(&rendered);
            let last_five = words.iter().rev().take(words.len() - 4);
            for (place, word) in last_five.enumerate() {
                match word {
                    Word::Other(word) if word == "(" => depth += 1,
                    Word::Other(word) if word == ")" => depth -= 1,
                    _ => {}
                }
                prop_assert!(depth > 0 || place + 1 == words.len() - 4, "{}", rendered);
            }
            prop_assert!(rendered.ends_with(") AND fid > 5"));
        }
    }
}
