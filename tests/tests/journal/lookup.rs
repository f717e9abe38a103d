//! Search by number, date, state and type; exports.

use fiscal_printer::journal::Search;

use super::*;

/// Numbers 1 to 3 issued, 4 rejected, 5 open; a debit note; all an hour apart.
async fn filled_bench() -> Bench {
    let bench = bench().await;
    let hour = Duration::from_secs(3600);
    for value in 1..=3 {
        bench.journal.issue(&invoice(value)).await.unwrap();
        bench.clock.advance(hour);
    }
    bench.refuse(2, "=cmd|' /C calc'!A0, \"quoted\"");
    bench.journal.issue(&invoice(4)).await.unwrap_err();
    bench.clock.advance(hour);
    bench.journal.issue(&debit_note(1, "00-00000002")).await.unwrap();
    bench.clock.advance(hour);
    bench.lose_unacted(5).await;
    bench
}

async fn found(bench: &Bench, search: Search) -> Vec<(u8, String)> {
    let entries = bench.journal.search(search).all().await.unwrap();
    entries.iter().map(|entry| (entry.kind().unwrap().code(), entry.number().to_owned())).collect()
}

fn invoices(numbers: impl IntoIterator<Item = u32>) -> Vec<(u8, String)> {
    numbers.into_iter().map(|value| (1, padded(value))).collect()
}

#[tokio::test]
async fn documents_are_found_by_number_date_state_and_type() {
    let bench = filled_bench().await;
    let at = |seconds| jiff::Timestamp::from_second(seconds).unwrap();
    assert_eq!(found(&bench, Search::new()).await.len(), 6);
    assert_eq!(found(&bench, Search::new().kind(DocumentType::DebitNote)).await, [(2, padded(1))]);
    assert_eq!(found(&bench, Search::new().series(&bench.series())).await, invoices(1..=5));
    let numbered = Search::new().kind(DocumentType::Invoice).numbers(2..=4);
    assert_eq!(found(&bench, numbered).await, invoices(2..=4));
    assert_eq!(found(&bench, Search::new().state(DocumentState::Rejected)).await, invoices([4]));
    let open = Search::new().state(DocumentState::Unknown).state(DocumentState::Rejected);
    assert_eq!(found(&bench, open).await, invoices([4, 5]));
    let dated = Search::new().created_from(at(3600)).created_before(at(3 * 3600));
    assert_eq!(found(&bench, dated).await, invoices([2, 3]));
    assert!(found(&bench, Search::new().numbers(77..=99)).await.is_empty());
    let elsewhere = Series::new("elsewhere", &RIF.parse().unwrap(), DocumentType::Invoice);
    assert!(found(&bench, Search::new().series(&elsewhere)).await.is_empty());
}

/// RFC 4180: lines end in CRLF, a field with a comma or a quote is quoted, quotes are doubled.
#[tokio::test]
async fn the_table_follows_the_rfc_and_disarms_formulas() {
    let bench = filled_bench().await;
    let mut out = Vec::new();
    assert_eq!(bench.journal.export_csv(Search::new(), &mut out).await.unwrap(), 6);
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<_> = text.strip_suffix("\r\n").expect("the last line ends too").split("\r\n").collect();
    assert_eq!(lines.len(), 7);
    assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
    assert!(lines[0].starts_with("environment,issuer,document_type,number,state,control_number,"));
    assert!(lines[1].contains(",J-12345678-4,1,00000001,issued,00-00000001,"), "{}", lines[1]);
    assert!(lines[4].contains(r#","'=cmd|' /C calc'!A0, ""quoted""","#), "{}", lines[4]);
}

#[tokio::test]
async fn the_json_export_is_one_array_with_the_totals_as_texts() {
    let bench = filled_bench().await;
    let mut out = Vec::new();
    let search = Search::new().kind(DocumentType::Invoice);
    assert_eq!(bench.journal.export_json(search, &mut out).await.unwrap(), 5);
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&out).unwrap();
    assert_eq!((rows.len(), &rows[0]["total"]), (5, &"23.20".into()));
    assert_eq!((&rows[3]["state"], &rows[3]["code"]), (&"rejected".into(), &"2".into()));
    assert_eq!(rows[3]["reason"], "=cmd|' /C calc'!A0, \"quoted\"");
    assert_eq!(
        (&rows[4]["state"], &rows[4]["control_number"]),
        (&"unknown".into(), &serde_json::Value::Null)
    );
    let mut empty = Vec::new();
    bench.journal.export_json(Search::new().numbers(77..=77), &mut empty).await.unwrap();
    assert_eq!(serde_json::from_slice::<Vec<serde_json::Value>>(&empty).unwrap().len(), 0);
}

#[tokio::test]
async fn open_questions_are_listed_with_what_they_wait_for() {
    let bench = filled_bench().await;
    let open = bench.journal.open_questions().await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].entry.number(), open[0].because), ("00000005", Because::Settling(DELAY)));
    bench.clock.advance(DELAY);
    assert_eq!(bench.journal.open_questions().await.unwrap()[0].because, Because::Unasked);
    assert!(bench.issues().len() == 6);
}
