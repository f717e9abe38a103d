//! Faults and limits, on both services.

use integration_sandbox::bitfactura::ErrorInside;
use integration_sandbox::{Fault, bitfactura, sugester};
use serde_json::{Value, json};

use crate::support::*;

fn client() -> Value {
    json!({ "client": { "name": "A" } })
}

#[tokio::test]
async fn what_acts_is_counted_and_what_does_not_is_not() {
    let sandbox = start().await;
    let sugester = sandbox.sugester();
    let create = async |fault: Fault| {
        sugester.inject(sugester::Endpoint::CreateClient, fault);
        crm(sugester, "POST", "/app/clients.json", client()).await
    };
    let created = || sugester.created(sugester::Table::Clients);
    assert!(create(Fault::ResetBeforeActing).await.reset);
    assert!(create(Fault::ResetBeforeBody).await.reset);
    assert_eq!(create(Fault::too_many_requests("7")).await.status, 429);
    assert_eq!(create(Fault::Html).await.status, 200);
    assert_eq!(
        create(Fault::ErrorInside { code: "no".into() }).await.json(),
        json!({ "code": "error", "message": "no" })
    );
    assert_eq!(create(Fault::RevokeCredential).await.status, 401);
    assert_eq!(created(), 0);
    sugester.add_token(sugester.token());
    assert_eq!(create(Fault::ActThenReset).await.status, 0);
    assert_eq!(create(Fault::act_then_html(502)).await.status, 502);
    assert!(serde_json::from_slice::<Value>(&create(Fault::ActThenCutBody).await.body).is_err());
    assert_eq!(create(Fault::ActThenErrorInside { code: "no".into() }).await.json()["code"], "error");
    assert_eq!(created(), 4);
    assert_eq!(sugester.requests().iter().filter(|request| request.acted).count(), 4);
    assert_eq!(crm(sugester, "POST", "/app/clients.json", client()).await.status, 201);
}

#[tokio::test]
async fn errors_inside_200_have_two_shapes() {
    let sandbox = start().await;
    let bitfactura = sandbox.bitfactura();
    for (shape, key) in [(ErrorInside::Code, "code"), (ErrorInside::Status, "status")] {
        bitfactura.configure(|settings| settings.wire.error_inside = shape);
        bitfactura.inject(bitfactura::Endpoint::Clients, Fault::ErrorInside { code: "failed".into() });
        let answer = bill(bitfactura, "GET", "/clients.json", Value::Null).await;
        assert_eq!((answer.status, answer.json()), (200, json!({ key: "error", "message": "failed" })));
    }
}

#[tokio::test]
async fn limits_hint_when_to_come_back() {
    let sandbox = start().await;
    let bitfactura = sandbox.bitfactura();
    bitfactura.stop_clock();
    bitfactura.configure(|settings| {
        settings.wire.calls_per_minute = Some(2);
        settings.wire.retry_after = "30".into();
    });
    let get = async || bill(bitfactura, "GET", "/clients.json", Value::Null).await;
    assert_eq!((get().await.status, get().await.status), (200, 200));
    let limited = get().await;
    assert_eq!(limited.status, 429);
    assert!(limited.head.contains("retry-after: 30\r\n"), "{}", limited.head);
    bitfactura.advance_clock(std::time::Duration::from_secs(61));
    assert_eq!(get().await.status, 200);
    bitfactura.configure(|settings| {
        (settings.wire.calls_per_minute, settings.wire.calls_at_once) = (None, Some(1));
    });
    bitfactura.inject(bitfactura::Endpoint::Clients, Fault::ActThenHold);
    let second = async {
        bitfactura.wait_for_requests(5).await;
        let second = get().await;
        bitfactura.release_held();
        second.status
    };
    let (first, second) = tokio::join!(get(), second);
    assert_eq!((first.status, second, bitfactura.peak_in_flight()), (200, 429, 2));
}

#[tokio::test]
async fn a_missing_account_is_told_and_large_bodies_are_refused() {
    let sandbox = start().await;
    let sugester = sandbox.sugester();
    sugester.configure(|settings| settings.wire.no_account = true);
    let answer = crm(sugester, "GET", "/app/clients.json", Value::Null).await;
    assert!(answer.status == 422 && answer.text().contains("no account"));
    sugester.configure(|settings| (settings.wire.no_account, settings.wire.body_limit) = (false, 10));
    assert_eq!(crm(sugester, "POST", "/app/clients.json", client()).await.status, 413);
    sugester.refuse_connections().await.unwrap();
    assert!(tokio::net::TcpStream::connect(crate::raw::address(sugester.base_url())).await.is_err());
    sugester.accept_connections().await.unwrap();
    sugester.reset();
    assert_eq!(crm(sugester, "POST", "/app/clients.json", client()).await.status, 201);
}
