//! A file in a field of a JSON answer, taken out or left out while the answer arrives ([`FieldToWriter`]): wherever it is cut, however it
//! is escaped, and whatever is wrong with it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use bytes::Bytes;
use integration_core::body::base64::{FieldToWriter, NotBase64, Taken};
use integration_core::call::{AnswerStream, Call, Intake, NotTaken, Operation, Verdict};
use integration_core::{Answer, Error, ErrorKind, Outcome};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{Fake, Pieces, broken, builder, streamed};

const DETAIL: Operation = Operation::get("read a document", "/documents/7");

fn field() -> FieldToWriter {
    FieldToWriter::new("base64").below("data").leaving_out("file")
}

type Piece = Result<Bytes, integration_core::call::TransportError>;

async fn opened(pieces: Vec<Piece>) -> (Answer, AnswerStream) {
    let pieces = std::sync::Mutex::new(Some(pieces));
    let fake = Fake::new(move |_, _| {
        Ok(streamed(200, &[("x-kept", "yes")], Pieces::of(pieces.lock().unwrap().take().unwrap())))
    });
    let caller = builder(&fake).build().unwrap();
    let streamed = caller.open(&Call::new(DETAIL), u64::MAX, Verdict::<()>::success).await.unwrap();
    let ((), head, body) = streamed.into_parts();
    (head, body)
}

fn cut(text: &str, at: usize) -> Vec<Piece> {
    let (before, after) = text.as_bytes().split_at(at);
    [before, after].into_iter().map(|piece| Ok(Bytes::copy_from_slice(piece))).collect()
}

/// What was kept, what was written, and what came of it.
async fn took(field: &FieldToWriter, pieces: Vec<Piece>, limit: u64) -> (Result<Taken, Error>, Vec<u8>) {
    let (head, body) = opened(pieces).await;
    let mut file = Vec::new();
    let mut intake = Intake::new(&mut file, limit);
    let taken = field.take(&head, body, &mut intake).await;
    if let Ok(taken) = &taken {
        assert_eq!(taken.is_found, intake.length() > 0);
    }
    (taken, file)
}

async fn whole(text: &str) -> (Value, Vec<u8>, bool) {
    let (taken, file) = took(&field(), cut(text, 0), u64::MAX).await;
    let taken = taken.unwrap();
    (taken.rest.json().unwrap(), file, taken.is_found)
}

/// As PHP and Python write it: `\/`, and `+` as a code; line breaks within; other files and a look-alike around it.
const DOCUMENT: &str = r#"{"data": {"GUID": "a\"b\\", "base64": "JVBERi0x\/\u002b\u002F\r\n4\tTV\u0051=", "file_name": "ñ.pdf", "n": 1.50,
 "attached_file": [{"file": "QUJD", "base64": "REVG"}], "note": "base64"}, "code": null, "message": "\"base64\":\"QUJD\""}"#;

fn rest_of_document() -> Value {
    json!({"data": {"GUID": "a\"b\\", "base64": true, "file_name": "ñ.pdf", "n": 1.50,
        "attached_file": [{"file": true, "base64": true}], "note": "base64"}, "code": null,
        "message": "\"base64\":\"QUJD\""})
}

/// `JVBERi0x/+/4TVQ=`, decoded with `base64 -d | xxd -p`.
const FILE: &[u8] = b"%PDF-1\xff\xef\xf8MT";

#[tokio::test]
async fn wherever_the_answer_is_cut_file_and_rest_are_the_same() {
    for at in 0..=DOCUMENT.len() {
        let (taken, file) = took(&field(), cut(DOCUMENT, at), u64::MAX).await;
        let taken = taken.unwrap();
        assert_eq!(file, FILE, "cut at {at}");
        assert_eq!(taken.rest.json::<Value>().unwrap(), rest_of_document(), "cut at {at}");
        assert!(taken.is_found);
        let (head, body) = opened(cut(DOCUMENT, at)).await;
        let skipped = field().skip(&head, body).await.unwrap();
        assert!(skipped.is_found, "cut at {at}");
        assert_eq!(skipped.rest.json::<Value>().unwrap(), rest_of_document(), "cut at {at}");
        assert_eq!(
            (skipped.rest.status(), &skipped.rest.headers()["x-kept"]),
            (head.status(), &"yes".parse().unwrap())
        );
    }
}

#[tokio::test]
async fn only_the_field_in_its_place_is_the_file() {
    for (text, file, rest) in [
        (r#"{"base64":"QUJD"}"#, "ABC", json!({"base64": true})),
        (r#"{"data":{"base64":"QUJD"}}"#, "ABC", json!({"data": {"base64": true}})),
        // Deeper, in a list, below another name: left out, and not the file.
        (r#"{"data":{"x":{"base64":"QUJD"}}}"#, "", json!({"data": {"x": {"base64": true}}})),
        (r#"{"data":[{"base64":"QUJD"}]}"#, "", json!({"data": [{"base64": true}]})),
        (r#"{"x":{"base64":"QUJD"}}"#, "", json!({"x": {"base64": true}})),
        (r#"[{"base64":"QUJD"}]"#, "", json!([{"base64": true}])),
        (
            r#"{"x":{"data":{"base64":"QUJD"}},"base64":"REVG"}"#,
            "DEF",
            json!({"x": {"data": {"base64": true}}, "base64": true}),
        ),
        // No text, no file.
        (r#"{"base64":null}"#, "", json!({"base64": null})),
        (r#"{"base64":["QUJD"]}"#, "", json!({"base64": ["QUJD"]})),
        (r#"{"base64":""}"#, "", json!({"base64": ""})),
        (r#"{"BASE64":"QUJD"}"#, "", json!({"BASE64": "QUJD"})),
        // After an object that has ended its name counts no more.
        (r#"{"data":{},"other":{"base64":"QUJD"}}"#, "", json!({"data": {}, "other": {"base64": true}})),
        (
            r#"{"other":{"a":[]},"data":{"a":{},"base64":"QUJD"}}"#,
            "ABC",
            json!({"other": {"a": []}, "data": {"a": {}, "base64": true}}),
        ),
    ] {
        let (kept, written, is_found) = whole(text).await;
        assert_eq!((kept, written.as_slice(), is_found), (rest, file.as_bytes(), !file.is_empty()), "{text}");
    }
}

/// `skip` reads the same rest and asks nothing of the text.
#[tokio::test]
async fn a_text_that_is_no_base64_is_an_error_for_who_takes_it_only() {
    for text in [
        "QUI",
        "QUJ",
        "QUJD=",
        "QUJDRA=",
        "QUJDRA===",
        "QUJDRA==QUJD",
        "QU*D",
        "QUJDRB==",
        r"QU\u12ffD",
        r"QU\u004",
        r"QU\u004gRA==",
        r"QU\qD",
        r"QU\\D",
        r#"QU\"D"#,
        "=",
        "Q",
    ] {
        let body = format!(r#"{{"base64":"{text}","more":1}}"#);
        let is_padding_only_missing = text == "QUI";
        for at in 0..=body.len() {
            let (taken, _) = took(&field(), cut(&body, at), u64::MAX).await;
            if is_padding_only_missing {
                assert!(taken.unwrap().is_found, "missing padding is accepted");
                continue;
            }
            let error = taken.expect_err(text);
            assert_eq!(
                (error.kind(), error.outcome()),
                (ErrorKind::UnexpectedAnswer, Outcome::ReadOnly),
                "{text}"
            );
            assert!(
                error.find_source::<NotBase64>().is_some() && error.operation() == "read a document",
                "{error}"
            );
            let (head, rest) = opened(cut(&body, at)).await;
            assert!(field().skip(&head, rest).await.is_ok(), "{text}");
        }
    }
}

#[tokio::test]
async fn a_file_that_is_too_large_or_begins_otherwise_is_not_taken() {
    let body = format!(r#"{{"base64":"{}"}}"#, "QUJD".repeat(1000));
    for at in [0, 1, 20, 1000, 4000] {
        let (taken, file) = took(&field(), cut(&body, at), 2999).await;
        let error = taken.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(matches!(error.find_source::<NotTaken>(), Some(NotTaken::TooLarge(2999))));
        assert!(file.len() <= 2999);
        let (taken, file) = took(&field(), cut(&body, at), 3000).await;
        assert!(taken.unwrap().is_found && file == b"ABC".repeat(1000));
        let (head, stream) = opened(cut(&body, at)).await;
        let (mut written, field) = (Vec::new(), field());
        let mut intake = Intake::new(&mut written, u64::MAX).beginning_with(b"%PDF-");
        let error = field.take(&head, stream, &mut intake).await.unwrap_err();
        assert!(matches!(error.find_source::<NotTaken>(), Some(NotTaken::Beginning)), "{error}");
        assert!(written.is_empty());
    }
}

/// What is kept is bounded, however large the file is.
#[tokio::test]
async fn the_rest_has_a_limit_and_the_file_does_not_count() {
    let body = format!(r#"{{"base64":"{}","x":"{}"}}"#, "QUJD".repeat(5000), "y".repeat(100));
    // `{"base64":true,"x":"…"}`
    let kept = 10 + 4 + 1 + 5 + 100 + 1 + 1;
    for at in [0, 5, 20_020, body.len()] {
        let (taken, _) = took(&field().keeping(kept), cut(&body, at), u64::MAX).await;
        assert_eq!(taken.unwrap().rest.text().len(), kept);
        let (taken, _) = took(&field().keeping(kept - 1), cut(&body, at), u64::MAX).await;
        assert_eq!(taken.unwrap_err().kind(), ErrorKind::TooLarge);
        let (head, stream) = opened(cut(&body, at)).await;
        assert_eq!(
            field().keeping(kept - 1).skip(&head, stream).await.unwrap_err().kind(),
            ErrorKind::TooLarge
        );
    }
}

/// An answer that breaks off is never a file, wherever that is.
#[tokio::test]
async fn an_answer_that_is_cut_is_an_error_wherever_it_is() {
    for at in 0..DOCUMENT.len() {
        let mut pieces = cut(DOCUMENT, at);
        pieces[1] = Err(broken());
        let (taken, file) = took(&field(), pieces, u64::MAX).await;
        assert_eq!(taken.unwrap_err().kind(), ErrorKind::Interrupted, "cut at {at}");
        assert!(FILE.starts_with(&file), "cut at {at}");
        let mut pieces = cut(DOCUMENT, at);
        pieces[1] = Err(broken());
        let (head, body) = opened(pieces).await;
        assert_eq!(
            field().skip(&head, body).await.unwrap_err().kind(),
            ErrorKind::Interrupted,
            "cut at {at}"
        );
        // Ended in order, but too soon: the rest is no JSON, and that is for its reader to find.
        let pieces = cut(DOCUMENT, at).into_iter().take(1).collect();
        if let (Ok(taken), _) = took(&field(), pieces, u64::MAX).await {
            assert!(taken.rest.json::<Value>().is_err(), "cut at {at}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Any file among any neighbours, in pieces of any sizes, escaped or not: the file and the neighbours are what they were.
    #[test]
    fn any_file_among_any_neighbours_comes_out(
        file in proptest::collection::vec(any::<u8>(), 1..2000),
        before in ".{0,30}", after in ".{0,30}",
        sizes in proptest::collection::vec(1usize..300, 1..6),
        is_escaped in any::<bool>(),
    ) {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(&file);
        let text = if is_escaped { text.replace('/', "\\/").replace('+', "\\u002b") } else { text };
        let (b, a) = (Value::from(before.as_str()), Value::from(after.as_str()));
        let body = format!(r#"{{"before":{b},"data":{{"a":[{a}],"base64":"{text}","b":{b}}},"after":{a}}}"#);
        let (mut pieces, mut rest) = (Vec::new(), body.as_bytes());
        for size in sizes.iter().cycle() {
            if rest.is_empty() { break; }
            let (piece, left) = rest.split_at((*size).min(rest.len()));
            pieces.push(Ok(Bytes::copy_from_slice(piece)));
            rest = left;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (taken, written) = runtime.block_on(took(&field(), pieces, u64::MAX));
        prop_assert_eq!(written, file);
        let expected = json!({"before": b, "data": {"a": [a], "base64": true, "b": b}, "after": a});
        prop_assert_eq!(taken.unwrap().rest.json::<Value>().unwrap(), expected);
    }
}
