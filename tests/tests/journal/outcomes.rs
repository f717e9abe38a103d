//! Contract 9.2 through the journal: where each answer leaves the document.

use super::*;
use crate::faults::{meet, rows};

#[tokio::test]
async fn each_fault_leaves_an_open_question() {
    for row in rows() {
        let bench = bench().await;
        let name = format!("{:?}", row.fault);
        bench.play(row.fault.clone());
        let document = invoice(1);
        let call = bench.journal.issue(&document);
        let error = meet(bench.fiscal(), &bench.clock, &row.fault, call).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (row.kind, row.outcome), "{name}: {error}");
        let entry = bench.entry(1).await;
        assert_eq!((entry.state(), entry.tries()), (DocumentState::Unknown, 1), "{name}");
        assert!(entry.reason().is_some_and(|reason| !reason.is_empty()), "{name}");
        assert_eq!(bench.issues().len(), 1, "{name}");
        assert_eq!(bench.fiscal().count("00000001"), usize::from(row.fault.acts()), "{name}");
        // And it is left rightly: issued once, whatever the fault was.
        let settled = bench.resolve_settled(1).await;
        assert_eq!(settled.state(), DocumentState::Issued, "{name}");
        assert_eq!(bench.fiscal().count("00000001"), 1, "{name}");
    }
}

fn answer(status: u16, body: &str) -> Fault {
    Fault::Answer(Scripted::new(status).header("content-type", "application/json").body(body))
}

async fn after(fault: Fault) -> (Result<JournalEntry, Error>, JournalEntry) {
    let bench = bench().await;
    bench.play(fault);
    let told = bench.journal.issue(&invoice(1)).await;
    (told, bench.entry(1).await)
}

#[tokio::test]
async fn success_with_a_control_number_of_any_form_is_issued() {
    let (told, entry) =
        after(answer(200, r#"{"success":true,"data":{"numerodocumento":"SERIE A 12"}}"#)).await;
    assert_eq!(told.unwrap().control_text(), Some("SERIE A 12"));
    assert_eq!((entry.state(), entry.control_text()), (DocumentState::Issued, Some("SERIE A 12")));
    assert_eq!(entry.control_number(), None);
}

#[tokio::test]
async fn success_that_cannot_be_relied_upon_is_unknown() {
    for (status, body) in [
        (200, r#"{"success":true,"data":{}}"#),
        (200, r#"{"success":true,"data":{"numerodocumento":""}}"#),
        (200, r#"{"success":true,"data":null}"#),
        (400, r#"{"success":true,"data":{"numerodocumento":"00-00000001"}}"#),
        (500, r#"{"success":true,"data":{"numerodocumento":"00-00000001"}}"#),
    ] {
        let (told, entry) = after(answer(status, body)).await;
        assert_eq!(told.unwrap_err().outcome(), Outcome::Unknown, "{status} {body}");
        assert_eq!(entry.state(), DocumentState::Unknown, "{status} {body}");
    }
}

#[tokio::test]
async fn listed_codes_reject_and_others_do_not() {
    for code in [1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 20, 21, 22, 23, 24] {
        let (told, entry) = after(Fault::Answer(refusal(code, ""))).await;
        assert_eq!(told.unwrap_err().outcome(), Outcome::Refused, "{code}");
        assert_eq!(entry.state(), DocumentState::Rejected, "{code}");
    }
    for body in [
        r#"{"success":false,"error":{"code":6}}"#,
        r#"{"success":false,"error":{"code":99}}"#,
        r#"{"success":false,"error":{"code":"x"}}"#,
        r#"{"success":false}"#,
    ] {
        let (told, entry) = after(answer(202, body)).await;
        assert_eq!(told.unwrap_err().outcome(), Outcome::Unknown, "{body}");
        assert_eq!(entry.state(), DocumentState::Unknown, "{body}");
    }
}

#[tokio::test]
async fn statuses_without_an_envelope_follow_the_table() {
    for status in [401, 404, 405, 413, 415] {
        let (told, entry) = after(Fault::Answer(Scripted::new(status).body("no"))).await;
        assert_eq!(told.unwrap_err().outcome(), Outcome::Refused, "{status}");
        assert_eq!(entry.state(), DocumentState::Rejected, "{status}");
    }
    for status in [400, 402, 403, 406, 408, 409, 410, 422, 425, 429, 500, 501, 502, 503, 504, 520] {
        let (told, entry) = after(Fault::Answer(Scripted::new(status).body("no"))).await;
        assert_eq!(told.unwrap_err().outcome(), Outcome::Unknown, "{status}");
        assert_eq!(entry.state(), DocumentState::Unknown, "{status}");
    }
}
