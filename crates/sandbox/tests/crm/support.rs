//! Calls with the token where the contract wants it (section 2.2).

use integration_sandbox::{BitFactura, Sugester};
use serde_json::{Value, json};

pub(crate) use crate::raw::{Answer, Receiver, send, start};

pub(crate) const JSON: &str = "Content-Type: application/json\r\n";

/// POST and PUT carry the token in the body, everything else in the query.
pub(crate) async fn call(base: &str, token: &str, method: &str, path: &str, body: Value) -> Answer {
    let Value::Object(mut fields) = body else {
        let mark = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{mark}api_token={}", token.replace('/', "%2F"));
        return send(base, method, &path, "", b"").await;
    };
    fields.insert("api_token".into(), json!(token));
    send(base, method, path, JSON, Value::Object(fields).to_string().as_bytes()).await
}

pub(crate) async fn crm(crm: &Sugester, method: &str, path: &str, body: Value) -> Answer {
    call(crm.base_url(), crm.token(), method, path, body).await
}

pub(crate) async fn bill(bills: &BitFactura, method: &str, path: &str, body: Value) -> Answer {
    call(bills.base_url(), bills.token(), method, path, body).await
}

pub(crate) fn ids(answer: &Answer) -> Vec<u64> {
    answer.json().as_array().unwrap().iter().map(|record| record["id"].as_u64().unwrap()).collect()
}
