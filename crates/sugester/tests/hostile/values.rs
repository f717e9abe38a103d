//! Scalars in each permitted form, lists of servers that ignore what they are asked for, keys and changes, byte for byte.

use rust_decimal::Decimal;
use serde_json::{Value, json};
use sugester::bitfactura::{
    Buyer, ClientQuery, InvoiceChange, InvoiceFields, InvoiceQuery, Keyed, NewInvoice, PositionChange,
    PositionFields,
};
use sugester::crm::{self, DealFields, ListQuery};
use sugester::value::Patch;
use sugester::{ErrorKind, Outcome};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::calls::Rig;
use crate::support::{ok, on, query, requests, script, status};

async fn body_of(server: &MockServer) -> String {
    String::from_utf8(requests(server).await.last().unwrap().body.clone()).unwrap()
}

fn raw(body: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body, "application/json")
}

async fn rig(verb: &str, at: &str, answer: ResponseTemplate) -> (MockServer, Rig) {
    let server = MockServer::start().await;
    on(&server, verb, at, answer).await;
    let rig = Rig::of(&server);
    (server, rig)
}

/// Contract 3.9 and trap 16.
#[tokio::test]
async fn decimals_are_read_in_each_permitted_form() {
    for (written, read) in [
        ("339.99", Some("339.99")),
        ("\"339.99\"", Some("339.99")),
        ("\"59,00\"", Some("59.00")),
        ("\" 59,00 \"", Some("59.00")),
        ("\"-59,00\"", Some("-59.00")),
        ("0", Some("0")),
        ("\"0.0\"", Some("0.0")),
        ("12345678901234567890.1234", Some("12345678901234567890.1234")),
        ("1e2", Some("100")),
        ("\"\"", None),
        ("\" \"", None),
        ("null", None),
    ] {
        let (_server, rig) =
            rig("GET", "/invoices/7.json", raw(&format!(r#"{{"id":7,"price_gross":{written}}}"#))).await;
        let price = rig.billing.invoice(7).await.unwrap().price_gross;
        assert_eq!(price.map(|price| price.to_string()).as_deref(), read, "{written}");
    }
    for written in ["\"1.234,56\"", "\"1,234,56\"", "\"12 EUR\"", "true", "[]", "{}"] {
        let (_server, rig) =
            rig("GET", "/invoices/7.json", raw(&format!(r#"{{"id":7,"price_gross":{written}}}"#))).await;
        let error = rig.billing.invoice(7).await.unwrap_err();
        assert!(
            error.kind() == ErrorKind::UnexpectedAnswer && error.to_string().contains("price_gross"),
            "{error}"
        );
    }
    assert_eq!(Decimal::new(5900, 2), Decimal::new(59, 0), "equality ignores trailing zeros");
}

#[tokio::test]
async fn bools_ids_and_dates_are_read_in_each_permitted_form() {
    for (written, read) in [
        ("true", Some(true)),
        ("1", Some(true)),
        ("\"1\"", Some(true)),
        ("\"true\"", Some(true)),
        ("\"yes\"", Some(true)),
        ("false", Some(false)),
        ("0", Some(false)),
        ("\"0\"", Some(false)),
        ("\"false\"", Some(false)),
        ("\"no\"", Some(false)),
        ("null", None),
    ] {
        let (_server, rig) =
            rig("GET", "/clients/7.json", raw(&format!(r#"{{"id":"7","company":{written}}}"#))).await;
        assert_eq!(rig.billing.client(7).await.unwrap().company, read, "{written}");
    }
    for (written, date, kept) in [
        ("\"2024-02-29\"", Some((2024, 2, 29)), Some("2024-02-29")),
        ("\"2024-02\"", None, Some("2024-02")),
        ("\"soon\"", None, Some("soon")),
        ("\"\"", None, None),
        ("null", None, None),
    ] {
        let (_server, rig) =
            rig("GET", "/invoices/7.json", raw(&format!(r#"{{"id":7,"sell_date":{written}}}"#))).await;
        let day = rig.billing.invoice(7).await.unwrap().sell_date;
        let expected = date.map(|(y, m, d)| jiff::civil::date(y, m, d));
        assert_eq!(day.as_ref().and_then(sugester::value::Day::date), expected, "{written}");
        assert_eq!(day.as_ref().map(sugester::value::Day::as_str), kept, "{written}");
    }
    for fraction in ["", ".1", ".123", ".123456789"] {
        for offset in ["Z", "+01:00", "-03:00"] {
            let text = format!("2024-11-08T10:00:00{fraction}{offset}");
            let (_server, rig) =
                rig("GET", "/clients/7.json", raw(&format!(r#"{{"id":7,"updated_at":"{text}"}}"#))).await;
            let read = rig.billing.client(7).await.unwrap().updated_at.unwrap();
            assert!(read.timestamp().is_some() && read.as_str() == text, "{text}");
        }
    }
    for id in ["0", "-7", "\"x\"", "7.5", "null", "18446744073709551616", "true"] {
        let (_server, rig) = rig("GET", "/clients/7.json", raw(&format!(r#"{{"id":{id}}}"#))).await;
        assert_eq!(rig.billing.client(7).await.unwrap_err().kind(), ErrorKind::UnexpectedAnswer, "{id}");
    }
}

/// A server that has `count` records and gives `size` of them a page, whatever is asked for; nothing above `stuck` but page `stuck` again.
fn server_of(count: u64, size: u64, stuck: u64) -> impl Fn(&Request) -> ResponseTemplate {
    move |request: &Request| {
        let page: u64 = query(request, "page").unwrap().parse().unwrap();
        let first = (page.min(stuck) - 1) * size + 1;
        let last = (first + size - 1).min(count);
        ok((first..=last).map(|id| json!({"id": id})).collect())
    }
}

async fn listed(count: u64, size: u64, stuck: u64) -> (usize, usize, usize, usize) {
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(server_of(count, size, stuck)).mount(&server).await;
    let rig = Rig::of(&server);
    let billing = rig.billing.clients(&ClientQuery::new()).unwrap().all().await.unwrap().len();
    let asked = requests(&server).await.len();
    let crm = rig.crm.clients(&ListQuery::new()).unwrap().all().await.unwrap().len();
    (billing, asked, crm, requests(&server).await.len() - asked)
}

/// Contract 4.7 and trap 11.
#[tokio::test]
async fn every_record_is_listed_once_whatever_the_server_ignores() {
    const HONEST: u64 = 1000;
    // It obeys: BitFactura stops at the short page, Sugester goes on to the empty one.
    assert_eq!(listed(230, 100, HONEST).await, (230, 3, 230, 4));
    // Its last page is full.
    assert_eq!(listed(200, 100, HONEST).await, (200, 3, 200, 3));
    // It ignores `per_page`: 25 or 50 a page.
    assert_eq!(listed(60, 25, HONEST).await, (60, 3, 60, 4));
    assert_eq!(listed(110, 50, HONEST).await, (110, 3, 110, 4));
    assert_eq!(listed(50, 25, HONEST).await, (50, 3, 50, 3));
    // It ignores `page` and gives the first for ever.
    assert_eq!(listed(300, 100, 1).await, (100, 2, 100, 2));
    assert_eq!(listed(25, 25, 1).await, (25, 2, 25, 2));
    // It ignores both and gives everything at once.
    assert_eq!(listed(730, 1000, 1).await, (730, 2, 730, 2));
    assert_eq!(listed(3, 1000, 1).await, (3, 1, 3, 2));
    assert_eq!(listed(0, 100, HONEST).await, (0, 1, 0, 1));
}

fn invoice() -> NewInvoice {
    let position =
        PositionFields { product_id: 5.into(), quantity: Decimal::ONE.into(), ..PositionFields::default() };
    let fields = InvoiceFields { payment_to_kind: "14".into(), ..InvoiceFields::default() };
    NewInvoice::new(Buyer::Existing(17)).fields(fields).position(position)
}

/// Contract 4.9: exact, all pages, never sent again.
#[tokio::test]
async fn an_oid_is_looked_up_exactly_and_on_all_pages() {
    let row = |id: u64, oid: Value| json!({"id": id, "oid": oid});
    let filler: Vec<_> = (1000..1100).map(|id| row(id, json!("other"))).collect();
    for (pages, expected) in [
        (vec![json!(filler), json!([row(7, json!("a 1"))])], Ok(7)),
        (vec![json!([row(7, json!("a 1")), row(7, json!("a 1"))])], Ok(7)),
        (
            vec![json!([row(6, json!("A 1")), row(7, json!("a 1 ")), row(8, json!(null)), json!({"id": 9})])],
            Err(None),
        ),
        (vec![json!(filler), json!([row(7, json!("a 1"))]), json!([])], Ok(7)),
        (vec![json!([row(7, json!("a 1")), row(8, json!("a 1"))])], Err(Some(["7", "8"]))),
    ] {
        let server = MockServer::start().await;
        on(&server, "POST", "/invoices.json", ResponseTemplate::new(500)).await;
        script(&server, "GET", "/invoices.json", pages.iter().cloned().map(ok).collect()).await;
        let made = Rig::of(&server).billing.create_invoice_keyed(&invoice().oid("a 1")).await;
        match (made, expected) {
            (Ok(Keyed::Found(found)), Ok(id)) => assert_eq!(found.id, id),
            (Err(error), Err(named)) => {
                assert_eq!(error.outcome(), Outcome::Unknown);
                let kind = if named.is_some() { ErrorKind::Conflict } else { ErrorKind::UnexpectedStatus };
                assert_eq!(error.kind(), kind, "{error}");
                assert!(named.into_iter().flatten().all(|id| error.to_string().contains(id)), "{error}");
            }
            (made, _) => panic!("{made:?}"),
        }
        let posts =
            requests(&server).await.iter().filter(|request| request.method.as_str() == "POST").count();
        assert_eq!(posts, 1);
    }
    // A number in place of the text, and a used key in a sentence.
    let server = MockServer::start().await;
    on(&server, "POST", "/invoices.json", status(422, json!({"message": ["- Oid has already been taken"]})))
        .await;
    on(&server, "GET", "/invoices.json", ok(json!([{"id": 7, "oid": 881}]))).await;
    let made = Rig::of(&server).billing.create_invoice_keyed(&invoice().oid("881")).await.unwrap();
    assert!(made.was_found() && made.into_inner().id == 7);
}

/// Left alone, cleared, set: three things on the wire, byte for byte.
#[tokio::test]
async fn an_update_has_three_states_for_each_field() {
    let (server, rig) = rig("PUT", "/clients/7.json", ok(json!({"id": 7}))).await;
    on(&server, "PUT", "/app/clients/7.json", ok(json!({"id": 7}))).await;
    on(&server, "PUT", "/app/deals/7.json", ok(json!({"id": 7}))).await;
    on(&server, "PUT", "/invoices/7.json", ok(json!({"id": 7}))).await;
    let change = sugester::bitfactura::ClientFields {
        name: "".into(),
        phone: "1".into(),
        fax: Patch::Clear,
        company: false.into(),
        discount: Decimal::new(50, 1).into(),
        category_id: Patch::Clear,
        tag_list: Patch::Set(Vec::new()),
        ..sugester::bitfactura::ClientFields::default()
    };
    rig.billing.update_client(7, &change).await.unwrap();
    assert_eq!(
        body_of(&server).await,
        r#"{"api_token":"pl4nted/s3cret/acme","client":{"category_id":null,"company":false,"discount":"5.0","fax":null,"name":"","phone":"1","tag_list":[]}}"#
    );
    let change = crm::ClientFields {
        phone: "1".into(),
        fax: Patch::Clear,
        external_ids: Patch::Clear,
        status_id: 3.into(),
        ..crm::ClientFields::default()
    };
    rig.crm.update_client(7, &change).await.unwrap();
    assert_eq!(
        body_of(&server).await,
        r#"{"api_token":"pl4nted/s3cret/acme","client":{"external_ids":null,"fax":null,"phone":"1","status_id":3}}"#
    );
    for (price, written) in
        [(Patch::Clear, "null"), (Decimal::new(1190, 2).into(), "11.90"), (Decimal::new(-0, 0).into(), "0")]
    {
        rig.crm.update_deal(7, &DealFields { price, ..DealFields::default() }).await.unwrap();
        assert_eq!(
            body_of(&server).await,
            format!(r#"{{"api_token":"pl4nted/s3cret/acme","deal":{{"price":{written}}}}}"#)
        );
    }
    let fields =
        InvoiceFields { number: Patch::Clear, paid: Decimal::new(10, 1).into(), ..InvoiceFields::default() };
    let position = PositionFields { name: "x".into(), discount: Patch::Clear, ..PositionFields::default() };
    let change = InvoiceChange::new(fields)
        .position(PositionChange::Add(position.clone()))
        .position(PositionChange::Edit(5, position))
        .position(PositionChange::Remove(6));
    rig.billing.update_invoice(7, &change).await.unwrap();
    assert_eq!(
        body_of(&server).await,
        r#"{"api_token":"pl4nted/s3cret/acme","invoice":{"number":null,"paid":"1.0","positions":[{"discount":null,"name":"x"},{"discount":null,"id":5,"name":"x"},{"_destroy":1,"id":6}]}}"#
    );
}

/// Ids of nobody, texts that have to be there: nothing is sent.
#[tokio::test]
async fn what_cannot_be_is_not_sent() {
    let server = MockServer::start().await;
    let rig = Rig::of(&server);
    let change = InvoiceChange::new(InvoiceFields::default())
        .client(0)
        .position(PositionChange::Remove(0))
        .position(PositionChange::Edit(0, PositionFields::default()));
    let error = rig.billing.update_invoice(7, &change).await.unwrap_err();
    let fields: Vec<_> = error.faults().iter().map(|fault| fault.path().to_owned()).collect();
    assert_eq!(fields, ["invoice.client_id", "invoice.positions[0].id", "invoice.positions[1].id"]);
    assert!(rig.billing.cancel_invoice(0, None).await.unwrap_err().is_not_sent());
    let login = sugester::bitfactura::Login::new(" ", "").host(rig.url.clone());
    let error = login.send().await.unwrap_err();
    assert_eq!((error.is_not_sent(), error.faults().len()), (true, 2));
    for per_page in [0, 101] {
        assert!(rig.billing.invoices(&InvoiceQuery::new().per_page(per_page)).unwrap_err().is_not_sent());
        assert!(rig.crm.clients(&ListQuery::new().per_page(per_page)).unwrap_err().is_not_sent());
    }
    assert!(requests(&server).await.is_empty());
}
