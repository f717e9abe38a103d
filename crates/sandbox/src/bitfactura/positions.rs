//! Positions of an invoice and its totals (contract section 3.5, positions), as this simulator reads them: every position
//! is rounded to cents by itself, and the invoice is the sum of its positions.

use serde_json::{Map, Value, json};

use super::fields::POSITION;
use crate::crm::money::Decimal;
use crate::crm::refusal::{Refusal, invalid, not_found};
use crate::crm::rows::{Fields, text};

/// Net, tax and gross.
#[derive(Debug, Clone, Copy)]
pub(super) struct Amounts {
    net: Decimal,
    tax: Decimal,
    gross: Decimal,
}

/// Merges given positions into the stored ones: without `id` appended, `_destroy` removed, else changed.
pub(super) fn merged(
    stored: &[Value],
    given: &[Value],
    next: &mut u64,
    product: impl Fn(u64) -> Option<Fields>,
) -> Result<Vec<Value>, Refusal> {
    let mut positions = stored.to_vec();
    for given in given {
        let given = given.as_object().ok_or_else(|| invalid("positions", "positions", "is invalid"))?;
        let id = given.get("id").map(text).filter(|id| !id.is_empty());
        let Some(id) = id else {
            if !is_destroyed(given) {
                *next = next.saturating_add(1);
                positions.push(computed(with_product(given, &product)?, *next)?);
            }
            continue;
        };
        let at = positions.iter().position(|position| position.get("id").map(text).as_ref() == Some(&id));
        let at = at.ok_or_else(not_found)?;
        let old = positions.remove(at);
        if !is_destroyed(given) {
            positions.insert(at, changed(&old, given)?);
        }
    }
    Ok(positions)
}

fn is_destroyed(given: &Map<String, Value>) -> bool {
    given.get("_destroy").is_some_and(|value| ["1", "true"].contains(&value.to_string().trim_matches('"')))
}

/// Prices that a change gives take the place of all that were computed before.
fn changed(old: &Value, given: &Map<String, Value>) -> Result<Value, Refusal> {
    let mut fields = old.as_object().cloned().unwrap_or_default();
    let prices = ["price_net", "price_gross", "total_price_net", "total_price_gross"];
    if prices.iter().any(|name| given.contains_key(*name)) {
        prices.iter().for_each(|name| drop(fields.remove(*name)));
    } else {
        // Without a new price the net price of one stays and the totals follow the quantity.
        ["price_gross", "total_price_net", "total_price_gross"]
            .iter()
            .for_each(|name| drop(fields.remove(*name)));
    }
    fields.extend(given.clone());
    let id = old.get("id").and_then(Value::as_u64).unwrap_or(0);
    computed(fields, id)
}

/// What the product knows and the position does not say.
fn with_product(
    given: &Map<String, Value>,
    product: &impl Fn(u64) -> Option<Fields>,
) -> Result<Fields, Refusal> {
    let mut fields = given.clone();
    let Some(id) = given.get("product_id").map(text).filter(|id| !id.is_empty()) else { return Ok(fields) };
    let product = id.parse().ok().and_then(product);
    let product = product.ok_or_else(|| invalid("product_id", "product_id", "does not exist"))?;
    let has_price = PRICES.iter().any(|name| given.contains_key(*name));
    for name in ["name", "tax", "code", "quantity_unit", "price_net", "price_gross"] {
        let is_price = name.starts_with("price_");
        if let Some(value) = product.get(name).filter(|_| !(is_price && has_price)) {
            fields.entry(name).or_insert_with(|| value.clone());
        }
    }
    if fields.contains_key("price_net") {
        fields.remove("price_gross");
    }
    Ok(fields)
}

const PRICES: [&str; 4] = ["price_net", "price_gross", "total_price_net", "total_price_gross"];

fn computed(mut fields: Fields, id: u64) -> Result<Value, Refusal> {
    fields.retain(|name, value| POSITION.contains(&name.as_str()) && !value.is_null());
    for name in PRICES.iter().chain(["quantity", "discount", "discount_percent"].iter()) {
        let bad = fields.get(*name).is_some_and(|value| value != "" && Decimal::read(value).is_none());
        if bad {
            return Err(invalid("number", name, "is not a number"));
        }
    }
    let quantity = read(&fields, "quantity").unwrap_or(Decimal::ONE);
    let rate = rate(&fields)?;
    let amounts = discounted(&fields, amounts(&fields, quantity, rate), rate);
    fields.insert("id".into(), json!(id));
    fields.insert("quantity".into(), json!(fields.get("quantity").map_or("1.0".into(), text)));
    let unit = |total: Decimal| total.over(quantity).json();
    let given = |name: &str| read(&fields, name).map(Decimal::json);
    let price_net = given("price_net").unwrap_or_else(|| unit(amounts.net));
    let price_gross = given("price_gross").unwrap_or_else(|| unit(amounts.gross));
    fields.insert("price_net".into(), price_net);
    fields.insert("price_gross".into(), price_gross);
    fields.insert("price_tax".into(), unit(amounts.tax));
    fields.insert("total_price_net".into(), amounts.net.json());
    fields.insert("total_price_tax".into(), amounts.tax.json());
    fields.insert("total_price_gross".into(), amounts.gross.json());
    Ok(Value::Object(fields))
}

fn read(fields: &Fields, name: &str) -> Option<Decimal> {
    fields.get(name).and_then(Decimal::read)
}

/// A percentage, or a name without one: `na`, `np`, `exempt`.
fn rate(fields: &Fields) -> Result<Decimal, Refusal> {
    let tax = fields.get("tax").map(text).unwrap_or_default();
    if ["", "na", "np", "exempt"].contains(&tax.as_str()) {
        return Ok(Decimal::ZERO);
    }
    Decimal::read(&json!(tax.trim_end_matches('%'))).ok_or_else(|| invalid("tax", "tax", "is not a rate"))
}

/// From whichever price is given, the most final one first.
fn amounts(fields: &Fields, quantity: Decimal, rate: Decimal) -> Amounts {
    let total = |name: &str| read(fields, name).map(|price| price.times(quantity));
    let gross = read(fields, "total_price_gross");
    let net = read(fields, "total_price_net");
    match (gross, net, total("price_net"), total("price_gross")) {
        (Some(gross), ..) | (None, None, None, Some(gross)) => of_gross(gross, rate),
        (None, Some(net), ..) | (None, None, Some(net), _) => of_net(net, rate),
        (None, None, None, None) => of_net(Decimal::ZERO, rate),
    }
}

fn of_net(net: Decimal, rate: Decimal) -> Amounts {
    let net = net.rounded();
    let tax = net.times(rate.percent()).rounded();
    Amounts { net, tax, gross: net.plus(tax) }
}

fn of_gross(gross: Decimal, rate: Decimal) -> Amounts {
    let gross = gross.rounded();
    let net = gross.over(Decimal::ONE.plus(rate.percent())).rounded();
    Amounts { net, tax: gross.minus(net), gross }
}

/// A percentage or an amount taken off the net total.
fn discounted(fields: &Fields, whole: Amounts, rate: Decimal) -> Amounts {
    let percent = read(fields, "discount_percent").filter(|percent| percent.is_positive());
    let amount = read(fields, "discount").filter(|amount| amount.is_positive());
    match (percent, amount) {
        (Some(percent), _) => of_net(whole.net.minus(whole.net.times(percent.percent())), rate),
        (None, Some(amount)) => of_net(whole.net.minus(amount), rate),
        (None, None) => whole,
    }
}

/// Sums of the positions under the names of the invoice's totals.
pub(super) fn totals(positions: &[Value]) -> [(&'static str, Value); 3] {
    let sum = |name: &str| {
        let amounts = positions.iter().filter_map(|position| Decimal::read(position.get(name)?));
        amounts.fold(Decimal::ZERO, Decimal::plus).json()
    };
    [
        ("price_net", sum("total_price_net")),
        ("price_tax", sum("total_price_tax")),
        ("price_gross", sum("total_price_gross")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(position: Value) -> Value {
        merged(&[], &[position], &mut 0, |_| None).unwrap().remove(0)
    }

    #[test]
    fn totals_follow_from_any_price() {
        // 2 × 10.25 = 20.50; 19 % of it is 3.895, rounded 3.90.
        let net = one(json!({ "name": "a", "quantity": 2, "price_net": "10.25", "tax": 19 }));
        assert_eq!((&net["total_price_net"], &net["total_price_tax"]), (&json!("20.50"), &json!("3.90")));
        assert_eq!(net["total_price_gross"], "24.40");
        // 59,00 gross at 23 %: 59 / 1.23 = 47.967…
        let gross = one(json!({ "name": "b", "quantity": "1", "total_price_gross": "59,00", "tax": "23" }));
        assert_eq!(
            (&gross["total_price_net"], &gross["total_price_tax"]),
            (&json!("47.97"), &json!("11.03"))
        );
        for tax in ["na", "np", "exempt"] {
            let free = one(json!({ "name": "c", "quantity": 3, "price_gross": 5, "tax": tax }));
            assert_eq!((&free["total_price_net"], &free["tax"]), (&json!("15.00"), &json!(tax)));
        }
        let sums = totals(&[net, gross]);
        assert_eq!(sums.map(|(_, value)| value), [json!("68.47"), json!("14.93"), json!("83.40")]);
    }

    #[test]
    fn positions_are_appended_changed_and_destroyed() {
        let mut next = 0;
        let first = merged(&[], &[json!({ "name": "a", "price_net": 1 })], &mut next, |_| None).unwrap();
        let second = merged(&first, &[json!({ "name": "b", "price_net": 2 })], &mut next, |_| None).unwrap();
        assert_eq!((second.len(), &second[1]["id"]), (2, &json!(2)));
        let third = merged(
            &second,
            &[json!({ "id": 1, "_destroy": 1 }), json!({ "id": "2", "quantity": 3 })],
            &mut next,
            |_| None,
        )
        .unwrap();
        assert_eq!((third.len(), &third[0]["total_price_net"]), (1, &json!("6.00")));
        assert!(merged(&third, &[json!({ "id": 9 })], &mut next, |_| None).is_err());
        assert!(merged(&[], &[json!({ "price_net": "x" })], &mut next, |_| None).is_err());
        assert!(merged(&[], &[json!({ "tax": "much" })], &mut next, |_| None).is_err());
    }

    #[test]
    fn discounts_come_off_the_net_total() {
        let percent = one(json!({ "quantity": 1, "price_net": 100, "tax": 10, "discount_percent": 25 }));
        assert_eq!(percent["total_price_gross"], "82.50");
        let amount = one(json!({ "quantity": 1, "price_net": 100, "tax": 10, "discount": "10.00" }));
        assert_eq!(amount["total_price_gross"], "99.00");
    }
}
