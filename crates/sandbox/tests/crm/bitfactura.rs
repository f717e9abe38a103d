//! BitFactura: sections 2.3 and 3.4 to 3.7 of the contract.

use integration_sandbox::BitFactura;
use integration_sandbox::bitfactura::{
    Deleted, ErrorInside, Filter, NotReady, Order, PdfAnswer, Table, ViewUrl,
};
use serde_json::{Value, json};

use crate::support::*;

async fn invoice(bitfactura: &BitFactura, fields: Value) -> Answer {
    bill(bitfactura, "POST", "/invoices.json", json!({ "invoice": fields })).await
}

fn positions() -> Value {
    json!([{ "name": "Servicio", "quantity": 2, "price_net": "10.25", "tax": 19 }])
}

#[tokio::test]
async fn clients_are_filtered_sorted_and_hold_hashes() {
    let sandbox = start().await;
    let bitfactura = sandbox.bitfactura();
    let make =
        async |fields: Value| bill(bitfactura, "POST", "/clients.json", json!({ "client": fields })).await;
    let one =
        make(json!({ "name": "A", "tax_no": "A-1", "external_id": "x1", "email": "a@b.c" })).await.json();
    let ten = make(json!({ "name": "B", "tax_no": "A-10" })).await.json();
    let (one, ten) = (one["id"].as_u64().unwrap(), ten["id"].as_u64().unwrap());
    let find = async |query: &str| {
        ids(&bill(bitfactura, "GET", &format!("/clients.json?{query}"), Value::Null).await)
    };
    assert_eq!(find("external_id=x1").await, [one]);
    assert!(find("external_id=x").await.is_empty());
    assert_eq!(find("email=A%40B.C").await, [one]);
    assert_eq!(find("tax_no=a1").await.len(), 2, "the filter is unreliable");
    bitfactura.configure(|settings| settings.tax_no_filter = Filter::Exact);
    assert_eq!(find("tax_no=a1").await, [one]);
    bitfactura.configure(|settings| settings.tax_no_filter = Filter::Ignored);
    assert_eq!(find("tax_no=zzz").await.len(), 2);

    let shown = bill(bitfactura, "GET", &format!("/clients/{one}.json"), Value::Null).await.json();
    assert_eq!((&shown["balance"], &shown["company"]), (&json!("0.00"), &json!(true)));
    assert!(shown["password_hash"].is_string() && shown["password_salt"].is_string());
    bill(bitfactura, "PUT", &format!("/clients/{one}.json"), json!({ "client": { "city": "X" } })).await;
    assert_eq!(find("order=updated_at.desc").await, [one, ten]);
    assert_eq!(find("order=updated_at").await, [ten, one]);

    let nameless = make(json!({ "last_name": "Soto", "company": true })).await;
    assert_eq!(nameless.json(), json!({ "code": "error", "message": { "name": ["- can't be blank"] } }));
    assert_eq!(nameless.status, 422);
    let person = make(json!({ "last_name": "Soto", "first_name": "Ana", "company": "0" })).await.json();
    assert_eq!((&person["name"], &person["company"]), (&json!("Ana Soto"), &json!(false)));
    assert_eq!(bill(bitfactura, "DELETE", &format!("/clients/{ten}.json"), Value::Null).await.json(), "ok");
    let gone = async || bill(bitfactura, "GET", &format!("/clients/{ten}.json"), Value::Null).await;
    let missing = gone().await;
    assert_eq!((missing.status, missing.json()), (404, json!({ "code": "error", "message": "Not found" })));
    bitfactura.configure(|settings| settings.deleted = Deleted::Marked);
    assert_eq!(gone().await.json()["deleted"], true);
}

#[tokio::test]
async fn an_invoice_is_numbered_and_summed() {
    let sandbox = start().await;
    let bitfactura = sandbox.bitfactura();
    let client =
        bitfactura.add(Table::Clients, &json!({ "name": "A", "tax_no": "9", "email": "a@b.c" })).unwrap();
    let new = json!({ "client_id": client, "positions": positions(), "payment_to_kind": 10, "issue_date": "2026-01-05" });
    let made = invoice(bitfactura, new).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    assert_eq!(
        (&made["price_net"], &made["price_tax"], &made["price_gross"]),
        (&json!("20.50"), &json!("3.90"), &json!("24.40"))
    );
    assert!(made.get("positions").is_none() && !made["number"].as_str().unwrap().is_empty());
    let path = format!("/invoices/{}.json", made["id"]);
    let shown = bill(bitfactura, "GET", &path, Value::Null).await.json();
    assert_eq!((&shown["buyer_name"], &shown["payment_to"]), (&json!("A"), &json!("2026-01-15")));
    assert_eq!(shown["positions"][0]["total_price_gross"], "24.40");

    let line = shown["positions"][0]["id"].clone();
    let more =
        json!({ "invoice": { "positions": [{ "name": "Dos", "total_price_gross": 59, "tax": "exempt" }] } });
    let two = bill(bitfactura, "PUT", &path, more).await.json();
    assert_eq!((two["positions"].as_array().unwrap().len(), &two["price_gross"]), (2, &json!("83.40")));
    let less = json!({ "invoice": { "positions": [{ "id": line, "_destroy": 1 }] } });
    let last = bill(bitfactura, "PUT", &path, less).await.json();
    assert_eq!((last["positions"].as_array().unwrap().len(), &last["price_tax"]), (1, &json!("0.00")));

    let product = json!({ "product": { "name": "P", "price_net": "5.00", "tax": "21" } });
    let product = bill(bitfactura, "POST", "/products.json", product).await.json()["id"].clone();
    let smallest = json!({ "client_id": client, "positions": [{ "product_id": product, "quantity": 2 }] });
    let second = invoice(bitfactura, smallest).await.json();
    assert_eq!(second["price_gross"], "12.10");
    assert_ne!(second["number"], made["number"]);
}

#[tokio::test]
async fn the_buyer_is_named_found_or_made() {
    let sandbox = start().await;
    let bitfactura = sandbox.bitfactura();
    let client = bitfactura.add(Table::Clients, &json!({ "name": "A", "tax_no": "12-3" })).unwrap();
    let of = async |fields: Value| invoice(bitfactura, fields).await;
    assert_eq!(of(json!({ "buyer_name": "Other", "buyer_tax_no": "123" })).await.json()["client_id"], client);
    let made = of(json!({ "buyer_name": "New" })).await.json()["client_id"].clone();
    assert_ne!(made, client);
    assert_ne!(of(json!({ "buyer_name": "New", "client_id": -1 })).await.json()["client_id"], made);
    assert_eq!(bitfactura.created(Table::Clients), 3);
    assert_eq!(of(json!({ "client_id": 1 })).await.status, 422);
    assert_eq!(of(json!({ "positions": [] })).await.status, 422);
    of(json!({ "client_id": client, "buyer_name": "B", "buyer_override": true })).await;
    assert_eq!(bitfactura.record(Table::Clients, client).unwrap()["name"], "B");
}

#[tokio::test]
async fn an_oid_is_refused_a_second_time_when_it_is_to_be_unique() {
    let sandbox = start().await;
    let bitfactura = sandbox.bitfactura();
    let with = |oid: &str| json!({ "buyer_name": "A", "oid": oid, "oid_unique": "yes" });
    assert_eq!(invoice(bitfactura, with("A-1")).await.status, 201);
    let again = invoice(bitfactura, with("A-1")).await;
    assert_eq!((again.status, again.json()["message"]["oid"].is_array()), (422, true));
    assert_eq!(invoice(bitfactura, with("a-1")).await.status, 201, "byte for byte");
    assert_eq!(invoice(bitfactura, json!({ "buyer_name": "A", "oid": "A-1" })).await.status, 201);
    assert_eq!(invoice(bitfactura, with("A-10")).await.status, 201);
    let find =
        async || ids(&bill(bitfactura, "GET", "/invoices.json?oid=A-1&period=all", Value::Null).await).len();
    assert_eq!(find().await, 4, "not exact");
    bitfactura.configure(|settings| settings.oid_filter = Filter::Exact);
    assert_eq!(find().await, 3);
}

#[tokio::test]
async fn old_invoices_hide_and_lists_are_narrowed() {
    let sandbox = start().await;
    let bitfactura = sandbox.bitfactura();
    let mut made = Vec::new();
    for (day, kind, income) in
        [("2001-02-03", "vat", "1"), ("", "vat", "1"), ("", "proforma", "1"), ("", "vat", "0")]
    {
        let fields = json!({ "buyer_name": "A", "issue_date": day, "kind": kind, "income": income, "positions": positions() });
        made.push(invoice(bitfactura, fields).await.json()["id"].as_u64().unwrap());
    }
    let find = async |query: &str| {
        ids(&bill(bitfactura, "GET", &format!("/invoices.json?{query}"), Value::Null).await)
    };
    assert_eq!(find("").await, [made[2], made[1]]);
    assert_eq!(find("period=all&order=number").await.len(), 3);
    assert_eq!(find("period=more&date_from=2001-01-01&date_to=2001-12-31").await, [made[0]]);
    assert_eq!(find("income=no").await, [made[3]]);
    assert_eq!(find("kind=proforma").await, [made[2]]);
    assert_eq!(find("kinds[]=proforma&kinds[]=vat").await.len(), 2);
    assert_eq!(find(&format!("period=all&invoice_ids={},{}", made[0], made[1])).await, [made[1], made[0]]);
    assert_eq!(find("client_id=1").await.len(), 0);
    assert_eq!(find("per_page=1&page=2").await, [made[1]]);
    let list = async |query: &str| {
        bill(bitfactura, "GET", &format!("/invoices.json?{query}"), Value::Null).await.json()
    };
    assert!(list("").await[0].get("positions").is_none());
    assert!(list("include_positions=true").await[0]["positions"][0]["id"].is_u64());
    assert_eq!(list("fields[invoice]=id,number").await[0].as_object().unwrap().len(), 2);
    bitfactura
        .configure(|settings| (settings.lists_all_periods, settings.wire.order) = (true, Order::IdAscending));
    assert_eq!(find("").await, [made[0], made[1], made[2]]);
}

#[tokio::test]
async fn a_pdf_is_not_ready_at_first() {
    let sandbox = start().await;
    let bitfactura = sandbox.bitfactura();
    for (kind, status) in [(NotReady::Unprocessable, 422), (NotReady::Html, 200), (NotReady::Redirect, 302)] {
        bitfactura.configure(|settings| (settings.pdf_not_ready, settings.pdf_not_ready_times) = (kind, 1));
        let id = bitfactura.add(Table::Invoices, &json!({ "buyer_name": "A" })).unwrap();
        let get = async || {
            bill(bitfactura, "GET", &format!("/invoices/{id}.pdf?print_option=copy"), Value::Null).await
        };
        let early = get().await;
        assert!(early.status == status && !early.body.starts_with(b"%PDF-"));
        assert!(get().await.body.starts_with(b"%PDF-"));
        bitfactura.configure(|settings| settings.pdf_answer = PdfAnswer::Redirect);
        let moved = get().await;
        let location = moved.head.lines().find_map(|line| line.strip_prefix("location: ")).unwrap();
        let path = location.strip_prefix(bitfactura.base_url()).unwrap();
        assert_eq!(moved.status, 302);
        assert!(send(bitfactura.base_url(), "GET", path, "", b"").await.body.starts_with(b"%PDF-"));
        bitfactura.configure(|settings| settings.pdf_answer = PdfAnswer::Direct);
    }
}

#[tokio::test]
async fn views_status_mail_and_cancellation() {
    let sandbox = start().await;
    let bitfactura = sandbox.bitfactura();
    let new = json!({ "buyer_name": "A", "positions": positions() });
    let id = invoice(bitfactura, new).await.json()["id"].as_u64().unwrap();
    let show = async || bill(bitfactura, "GET", &format!("/invoices/{id}.json"), Value::Null).await.json();
    let view = show().await["view_url"].as_str().unwrap().to_owned();
    let path = view.strip_prefix(bitfactura.base_url()).unwrap();
    assert_eq!(send(bitfactura.base_url(), "GET", path, "", b"").await.status, 200);
    assert_eq!(send(bitfactura.base_url(), "GET", "/invoice/nobody", "", b"").await.status, 404);
    bitfactura.configure(|settings| settings.view_url = ViewUrl::NoToken);
    assert!(show().await["view_url"].is_null() && show().await["token"].is_null());

    let act =
        async |path: &str| bill(bitfactura, "POST", &format!("/invoices/{id}/{path}"), Value::Null).await;
    assert_eq!(act("change_status.json?status=lost").await.status, 422);
    assert_eq!(act("change_status.json?status=paid").await.json()["code"], "success");
    assert_eq!((&show().await["status"], &show().await["paid"]), (&json!("paid"), &json!("24.40")));
    let nobody = act("send_by_email.json").await;
    assert_eq!((nobody.status, nobody.json()["code"].as_str()), (200, Some("error")));
    bitfactura.configure(|settings| settings.wire.error_inside = ErrorInside::Status);
    assert_eq!(act("send_by_email.json").await.json()["status"], "error");
    assert_eq!(act("send_by_email.json?email_to=a@b.c,d@e.f").await.json()["code"], "success");
    assert_eq!(act("send_by_email.json?email_to=1@b.c,2@b.c,3@b.c,4@b.c,5@b.c,6@b.c").await.status, 422);
    assert_eq!(bitfactura.mails()[0].to, ["a@b.c", "d@e.f"]);
    let cancel = bill(bitfactura, "POST", "/invoices/cancel.json", json!({ "cancel_invoice_id": id })).await;
    assert_eq!((cancel.status, &show().await["cancelled"]), (200, &json!(true)));
}

#[tokio::test]
async fn attachments_go_by_form_and_come_back_in_an_archive() {
    let sandbox = start().await;
    let bitfactura = sandbox.bitfactura();
    let id = bitfactura.add(Table::Invoices, &json!({ "buyer_name": "A" })).unwrap();
    let at = |path: &str| format!("/invoices/{id}/{path}");
    let early = bill(bitfactura, "POST", &at("add_attachment.json?file_name=a.txt"), Value::Null).await;
    assert_eq!(early.json()["code"], "error");
    let credentials =
        bill(bitfactura, "GET", &at("get_new_attachment_credentials.json"), Value::Null).await.json();
    let path = credentials["url"].as_str().unwrap().strip_prefix(bitfactura.base_url()).unwrap().to_owned();
    let form =
        b"--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello\r\n--X--\r\n";
    let headers = "Content-Type: multipart/form-data; boundary=X\r\n";
    assert_eq!(send(bitfactura.base_url(), "POST", "/uploads/other", headers, form).await.status, 403);
    assert_eq!(send(bitfactura.base_url(), "POST", &path, headers, form).await.status, 201);
    bill(bitfactura, "POST", &at("add_attachment.json?file_name=a.txt"), Value::Null).await;
    assert_eq!(bitfactura.attachment(id, "a.txt").unwrap(), b"hello");
    let archive = bill(bitfactura, "GET", &at("attachments_zip.json"), Value::Null).await;
    assert!(archive.body.starts_with(b"PK\x03\x04") && archive.text().contains("a.txthello"));
}

#[tokio::test]
async fn account_log_in_and_other_resources() {
    let sandbox = start().await;
    let bitfactura = sandbox.bitfactura();
    let log_in = async |password: &str| {
        let body = json!({ "login": bitfactura.login(), "password": password, "integration_token": "i" });
        send(bitfactura.base_url(), "POST", "/login.json", JSON, body.to_string().as_bytes()).await
    };
    let answer = log_in(bitfactura.password()).await.json();
    assert_eq!((&answer["login"], &answer["prefix"]), (&json!(bitfactura.login()), &json!("acme")));
    assert!(answer["api_token"].is_string());
    assert_eq!(log_in("wrong").await.status, 401);
    bitfactura.configure(|settings| settings.login_shows_token = false);
    assert!(log_in(bitfactura.password()).await.json().get("api_token").is_none());
    bitfactura.configure(|settings| settings.multipass_fails = true);
    assert!(log_in(bitfactura.password()).await.text().contains("Multipass login failed"));

    assert_eq!(bill(bitfactura, "GET", "/account.json", Value::Null).await.json()["prefix"], "acme");
    let wish = json!({ "account": { "prefix": "acme" }, "integration_token": "i" });
    assert_ne!(bill(bitfactura, "POST", "/account.json", wish).await.json()["prefix"], "acme");
    assert_eq!(bill(bitfactura, "POST", "/account/unlink.json", json!({})).await.json()["code"], "success");

    let payment = json!({ "banking_payment": { "name": "p", "price": "5" } });
    let id = bill(bitfactura, "POST", "/banking/payments.json", payment).await.json()["id"].clone();
    let change = json!({ "banking_payment": { "name": "q" } });
    let path = format!("/banking/payments/{id}.json");
    assert_eq!(bill(bitfactura, "PATCH", &path, change).await.json()["name"], "q");
    assert_eq!(
        bill(bitfactura, "GET", &format!("/banking/payment/{id}.json"), Value::Null).await.status,
        404
    );
    for name in [
        "products",
        "price_lists",
        "warehouse_documents",
        "warehouses",
        "categories",
        "departments",
        "recurrings",
    ] {
        assert_eq!(
            bill(bitfactura, "GET", &format!("/{name}.json"), Value::Null).await.json(),
            json!([]),
            "{name}"
        );
    }
}
