//! Received invoices, with the only DELETE routes there are (section 3.3).
//!
//! Their fields are not known: what is written is kept and answered as it was given. Lines come with the invoice,
//! as the list `lineas` of its body; that is assumed.

use serde_json::{Value, json};

use super::office::{Call, Failure, Office, body, has_id, not_there, post_row};
use super::settings::Endpoint;

pub(super) fn route(method: &str, rest: &[&str]) -> Option<Endpoint> {
    let known = match rest {
        [] => method == "POST",
        [_] => ["GET", "PUT"].contains(&method),
        [_, "lineas"] => method == "GET",
        [_, "lineas", _] | [_, "lineas", _, "gastosEmitidos"] => method == "DELETE",
        [_, "lineas", _, "expedientes"] => ["GET", "POST"].contains(&method),
        _ => false,
    };
    known.then_some(Endpoint::Invoice)
}

pub(super) fn answer(office: &mut Office, call: &Call<'_>, segments: &[&str]) -> Result<Value, Failure> {
    let Some((id, rest)) = segments.split_first() else {
        let fields = body(call)?;
        let id = office.firm.next_id();
        let mut invoice = json!({ "id": id, "lineas": [] });
        merge(&mut invoice, fields.into(), id);
        office.firm.invoices.insert(id, invoice);
        return Ok(office.created(id));
    };
    let id: i64 = id.parse().map_err(|_| not_there())?;
    let created = office.created(id);
    let invoice = office.firm.invoices.get_mut(&id).ok_or_else(not_there)?;
    match (call.method, rest) {
        ("GET", []) => Ok(invoice.clone()),
        ("PUT", []) => {
            merge(invoice, body(call)?.into(), id);
            Ok(created)
        }
        ("GET", [_]) => Ok(invoice.get("lineas").cloned().unwrap_or_else(|| json!([]))),
        (method, [_, line, part @ ..]) => {
            let lines = invoice.get_mut("lineas").and_then(Value::as_array_mut).ok_or_else(not_there)?;
            of_line(lines, line, part, method, call)
        }
        _ => Err(not_there()),
    }
}

fn of_line(
    lines: &mut Vec<Value>,
    line: &str,
    part: &[&str],
    method: &str,
    call: &Call<'_>,
) -> Result<Value, Failure> {
    let place = lines.iter().position(|own| has_id(own, line)).ok_or_else(not_there)?;
    if part.is_empty() {
        lines.remove(place);
        return Ok(json!(true));
    }
    let own = lines.get_mut(place).and_then(Value::as_object_mut).ok_or_else(not_there)?;
    if method == "DELETE" {
        own.remove("gastosEmitidos");
        return Ok(json!(true));
    }
    let files = own.entry("expedientes").or_insert_with(|| json!([]));
    let files = files.as_array_mut().ok_or_else(not_there)?;
    match method {
        "POST" => Ok(json!(post_row(files, body(call)?))),
        _ => Ok(json!(files)),
    }
}

/// Lines without an id get their place for one.
fn merge(invoice: &mut Value, fields: Value, id: i64) {
    if let (Some(own), Value::Object(fields)) = (invoice.as_object_mut(), fields) {
        own.extend(fields);
        own.insert("id".to_owned(), json!(id));
        let lines = own.get_mut("lineas").and_then(Value::as_array_mut);
        for (place, line) in lines.into_iter().flatten().enumerate() {
            if let Some(line) = line.as_object_mut() {
                line.entry("id").or_insert_with(|| json!(place + 1));
            }
        }
    }
}
