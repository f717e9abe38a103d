//! What is read while it arrives: how the bytes are cut never matters, and what comes out is what an independent reader finds.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_core::Stream;
use integration_core::Error;
use integration_core::body::base64::{Decoder, FieldToWriter, decode};
use integration_core::body::stream::Elements;
use integration_core::call::{BaseUrl, Call, Caller, Intake, Operation, RetryPolicy, Verdict};
use integration_core::clock::ManualClock;
use serde_json::value::RawValue;

use super::input::Input;
use super::scripted::{Pieces, Reply, Script, block_on, print};

const PATHS: &[&str] = &["", "records", "data.items", "a.b.c"];

/// Path and pieces, then JSON.
pub fn elements(data: &[u8]) {
    let mut input = Input(data);
    let (path, split) = (*input.choose(PATHS), input.byte());
    let text = input.0;
    let read = |split| {
        let source: Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>> = Pieces::of(text, split).into();
        let mut elements =
            Elements::<Box<RawValue>, _>::new(source, path).with_element_limit(512).with_depth_limit(16);
        elements = elements.keep_beside(256);
        block_on(async move {
            let mut found = Vec::new();
            let end = loop {
                match elements.next().await {
                    Some(Ok(element)) => found.push(element.get().trim().to_owned()),
                    Some(Err(error)) => break Some(print(&error)),
                    None => break None,
                }
            };
            assert!(elements.next().await.is_none(), "it goes on after its end");
            (found, end, format!("{:?}", elements.beside()))
        })
    };
    let (mut whole, mut pieces) = (read(0), read(split.max(1)));
    if whole.1.is_some() {
        // How far what stands beside was read before the error is nobody's business.
        (whole.2, pieces.2) = Default::default();
    }
    assert_eq!(whole, pieces, "the pieces of a list make a difference");
    if whole.1.is_none() {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let expected = listed(text, path);
        assert_eq!(
            expected.as_deref(),
            Some(&whole.0[..]),
            "another reader of {:?}",
            String::from_utf8_lossy(text)
        );
    }
}

/// The elements of the list, by serde_json.
fn listed(text: &[u8], path: &str) -> Option<Vec<String>> {
    let mut value: Box<RawValue> = serde_json::from_slice(text).ok()?;
    for name in path.split('.').filter(|name| !name.is_empty()) {
        value = serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(value.get()).ok()?.remove(name)?;
    }
    let list: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
    Some(list.iter().map(|element| element.get().to_owned()).collect())
}

/// Pieces, then base64: as a reader that is written down here finds it.
pub fn base64(data: &[u8]) {
    let mut input = Input(data);
    let split = input.byte();
    let text = input.0;
    let read = |split| {
        let (mut decoder, mut out) = (Decoder::default(), Vec::new());
        for piece in super::input::pieces(text, split) {
            if decoder.read(&piece, &mut out).is_err() {
                return None;
            }
        }
        decoder.finish(&mut out).is_ok().then_some(out)
    };
    let whole = read(0);
    assert_eq!(whole, read(split.max(1)), "the pieces of a text make a difference");
    if let Ok(text) = std::str::from_utf8(text) {
        assert_eq!(decode(text).ok(), whole, "decoding at once makes a difference");
    }
    if let Some(bytes) = whole {
        let letters: Vec<u8> =
            text.iter().copied().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=').collect();
        assert_eq!(unpacked(&letters).as_ref(), Some(&bytes), "another reader of {text:?}");
    }
}

/// RFC 4648 without padding, in either alphabet.
fn unpacked(letters: &[u8]) -> Option<Vec<u8>> {
    let (mut bits, mut held, mut out) = (0_u32, 0_u32, Vec::new());
    for letter in letters {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        held = (held << 6) | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from((held >> bits) & 0xFF).unwrap());
            held &= (1 << bits) - 1;
        }
    }
    Some(out)
}

const DETAIL: Operation = Operation::get("read a document", "/documents/7");

/// Pieces, then JSON with a file in the field `content`, at the top or below `data`.
pub fn file_in_json(data: &[u8]) {
    let mut input = Input(data);
    let split = input.byte();
    let text = input.0;
    let read = |split| {
        let reply = Reply { split, ..Reply::json(text) };
        let caller = Caller::builder(BaseUrl::parse("https://service.example.com").unwrap());
        let caller = caller
            .transport(Arc::new(Script::new(vec![reply], |_| None)))
            .clock(Arc::new(ManualClock::new()));
        let caller = caller.retry(RetryPolicy::never()).build().unwrap();
        let mut file = Vec::new();
        let taken = block_on(async {
            let streamed = caller.open(&Call::new(DETAIL), 1 << 20, Verdict::<()>::success).await?;
            let ((), head, body) = streamed.into_parts();
            let mut intake = Intake::new(&mut file, 1 << 20);
            let field = FieldToWriter::new("content").below("data").leaving_out("attachment").keeping(4096);
            field.take(&head, body, &mut intake).await
        });
        match taken {
            Ok(taken) => Ok((taken.is_found, taken.rest.body().clone(), file)),
            Err(error) => Err(print(&error)),
        }
    };
    let whole = read(0);
    assert_eq!(whole, read(split.max(1)), "the pieces of an answer make a difference");
    let Ok((is_found, rest, file)) = whole else { return };
    assert!(is_found || file.is_empty(), "a file from nowhere");
    if !is_found {
        return;
    }
    // Whoever took the file judges the rest.
    if serde_json::from_slice::<serde_json::Value>(&rest).is_err() {
        return;
    }
    let there = contents(text);
    let fits = |told: &String| decode(told).is_ok_and(|bytes| bytes == file);
    assert!(there.iter().any(fits), "the file is in none of {there:?}");
}

/// The texts of the field, wherever it may stand.
fn contents(text: &[u8]) -> Vec<String> {
    type Object = BTreeMap<String, Box<RawValue>>;
    let Ok(top) = serde_json::from_slice::<Object>(text) else { return Vec::new() };
    let below = top.get("data").and_then(|data| serde_json::from_str::<Object>(data.get()).ok());
    let field = |object: &Object| serde_json::from_str(object.get("content")?.get()).ok();
    [field(&top), below.as_ref().and_then(field)].into_iter().flatten().collect()
}
