//! Filters: whatever value or column a stranger gives, what goes out means what was built (contract of GeoSite, 3.2).

use geosite::{Feature, Filter};

use super::clients::geosite::{aside, client};
use super::scripted::{Reply, Script, block_on};

/// What goes out for a filter; nothing if it is refused.
fn sent(filter: Filter) -> Option<String> {
    let script = Script::new(vec![Reply::json(r#"{"total":0,"records":[]}"#)], aside);
    let list = client(script.clone()).list(Feature::Cto).columns(["fid"]).filter(filter);
    let answered = block_on(list.all());
    let asked = script.asked();
    assert_eq!(answered.is_ok(), asked.len() == 1, "{answered:?}");
    let query = asked.first()?.query()?.to_owned();
    Some(
        query
            .split('&')
            .find_map(|pair| pair.strip_prefix("filter=").map(unescaped))
            .expect("a filter goes out"),
    )
}

fn unescaped(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (first, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            (other, _) => bytes.push(*other),
        }
        rest = after;
    }
    String::from_utf8(bytes).expect("UTF-8 goes out")
}

/// A quoted text from the front, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut rest) = (String::new(), text.strip_prefix('\'')?);
    loop {
        let (head, after) = rest.split_once('\'')?;
        value.push_str(head);
        match after.strip_prefix('\'') {
            Some(more) => {
                value.push('\'');
                rest = more;
            }
            None => return Some((value, after)),
        }
    }
}

pub fn filters(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    if let Some(out) = sent(Filter::eq("nome", text.as_str()).and(Filter::gt("fid", 5))) {
        let (value, rest) = out.strip_prefix("Nome = ").and_then(quoted).expect("a quoted value");
        assert_eq!((value.as_str(), rest), (text.as_str(), " AND fid > 5"), "{out}");
    }
    let middle = (0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let halves = text.split_at(middle);
    if let Some(out) = sent(Filter::is_in("nome", [halves.0, halves.1])) {
        let (one, rest) = out.strip_prefix("Nome IN (").and_then(quoted).expect("a first value");
        let (two, rest) = rest.strip_prefix(", ").and_then(quoted).expect("a second value");
        assert_eq!((one.as_str(), two.as_str(), rest), (halves.0, halves.1, ")"), "{out}");
    }
    // No column that is not described goes out, and a described one as it was described.
    if let Some(out) = sent(Filter::eq(text.as_str(), 1)) {
        let column = out.strip_suffix(" = 1").expect("the value");
        assert!(column.chars().all(|c| c.is_alphanumeric() || c == '_'), "{out}");
        assert_eq!(column.to_lowercase(), text.trim().to_lowercase(), "{out}");
    }
    // Raw text stays between its parentheses.
    if let Some(out) = sent(Filter::raw_filter(text.as_str()).and(Filter::gt("fid", 5))) {
        let raw =
            out.strip_prefix('(').and_then(|rest| rest.strip_suffix(") AND fid > 5")).expect("parentheses");
        assert_eq!(raw, text.trim());
        let (mut depth, mut rest) = (0_i32, raw);
        while let Some(c) = rest.chars().next() {
            if c == '\'' {
                rest = quoted(rest).expect("a closed quote").1;
                continue;
            }
            depth += i32::from(c == '(') - i32::from(c == ')');
            assert!(depth >= 0, "{out}");
            rest = &rest[c.len_utf8()..];
        }
        assert_eq!(depth, 0, "{out}");
        assert!(!raw.is_empty());
    }
}
