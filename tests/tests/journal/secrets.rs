//! The token is in nothing that is stored, printed, exported or traced, even where the service repeats it.

use std::fmt::Write as _;

use fiscal_printer::Mail;
use fiscal_printer::journal::{Search, StatusProbe};

use super::files::{Folder, bench_in};
use super::*;
use crate::leaks::capture;

#[tokio::test]
async fn the_token_is_in_nothing_that_is_stored_or_printed() {
    let (log, _guard) = capture();
    let folder = Folder::new();
    let bench = bench_in(&folder).await;
    let token = bench.fiscal().token().to_owned();
    let mut printed = String::new();
    let mut print = |what: &dyn std::fmt::Debug| {
        let _ = writeln!(printed, "{what:?} {what:#?}");
    };

    let echo = |status: u16, body: String| {
        Fault::Answer(Scripted::new(status).header("content-type", "application/json").body(body))
    };
    let envelope = |code: i64| {
        format!(r#"{{"success":false,"error":{{"code":{code},"message":"Bearer {token} no vale"}}}}"#)
    };
    print(&bench.journal);
    print(&bench.journal.issue(&invoice(1)).await.unwrap());
    let note = debit_note(1, "00-00000001");
    bench.play(echo(
        200,
        format!(
            r#"{{"success":true,"data":{{"numerodocumento":"00-00000002","urlpdf":"https://x/?t={token}"}}}}"#
        ),
    ));
    print(&bench.journal.issue(&note).await.unwrap());
    for fault in [
        echo(202, envelope(2)),
        echo(401, format!("\"{token}\"")),
        echo(200, format!(r#"{{"success":true,"data":{{"numerodocumento":"","x":"{token}"}}}}"#)),
    ] {
        bench.play(fault);
        let error = bench.journal.issue(&invoice(2)).await.unwrap_err();
        print(&error.to_string());
        print(&error);
        print(&bench.entry(2).await);
    }
    bench.play(echo(500, format!("Bearer {token}")));
    print(&bench.resolve_open(2).await);
    print(&bench.journal.resume().await.unwrap());
    print(&bench.journal.open_questions().await.unwrap());
    let mail = Mail::new("00-00000001".parse().unwrap(), "a@example.com");
    bench.fiscal().inject(Endpoint::Email, echo(202, envelope(1)));
    print(&bench.journal.mail(&mail).await.unwrap_err());
    bench.fiscal().inject_always(Endpoint::Annul, echo(202, envelope(1)));
    print(&bench.journal.annul(&bench.entry(1).await, "Error").await.unwrap_err());
    print(&bench.journal.mails(&bench.entry(1).await).await.unwrap());

    let builder = Journal::builder(bench.journal.client().clone(), &bench.store).probe(StatusProbe);
    print(&builder);
    let mut out = Vec::new();
    bench.journal.export_csv(Search::new(), &mut out).await.unwrap();
    bench.journal.export_json(Search::new(), &mut out).await.unwrap();
    for outbox in ["fiscal-documents", "fiscal-mails", "fiscal-annulments"] {
        print(&bench.store.backend().lines(outbox, 0, 1000).await.unwrap());
    }
    printed.push_str(&String::from_utf8(out).unwrap());
    printed.push_str(&log.text());
    let signature = token.rsplit('.').next().unwrap();
    assert!(printed.len() > 10_000);
    assert!(!printed.contains(signature), "printed: {}", around(&printed, signature));
    let stored = folder.bytes();
    assert!(stored.len() > 10_000);
    assert!(!contains(&stored, signature.as_bytes()), "in the store's files");
    assert!(contains(&stored, b"Comercial Ejemplo"), "the files are the store's");
}

fn around(text: &str, needle: &str) -> String {
    let at = text.find(needle).unwrap_or(0);
    text.chars().skip(text[..at].chars().count().saturating_sub(300)).take(300).collect()
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}
