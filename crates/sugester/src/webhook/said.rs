//! The bodies of webhooks in every captured and documented shape (contract 4.6), read to a hint and to what they say.
//!
//! The rules enforced here: the kind comes from the route and never from the body (trap 4); an invoice event is a deal, and its id comes
//! from the top level or from `external_ids` (trap 3); ids that contradict each other are no hint; `skip_webhooks` decides
//! nothing (trap 2); the secret is taken out before anything is kept.

use integration_core::Secret;
use integration_core::body::fields::Unreadable;
use rust_decimal::Decimal;

use super::hint::{Hint, Subject, Unknown, digest_of};
use super::route::Route;
use crate::kinds::{ClientKind, InvoiceKind, InvoiceStatus};
use crate::value::{AppKey, Day, ExternalIds, Extra, Fields, Linked, extra};
use crate::wire::{Field, part};

part! {
    /// What a client event says of a client. **Not proven**: whoever knows the secret can say anything, and what was true when it was
    /// sent may not be any more.
    ClientSaid {
        id: Option<u64>,
        name: Option<String>,
        tax_no: Option<String>,
        post_code: Option<String>,
        city: Option<String>,
        street: Option<String>,
        street_no: Option<String>,
        first_name: Option<String>,
        last_name: Option<String>,
        country: Option<String>,
        email: Option<String>,
        phone: Option<String>,
        mobile_phone: Option<String>,
        www: Option<String>,
        fax: Option<String>,
        kind: Option<ClientKind>,
        bank: Option<String>,
        bank_account: Option<String>,
        bank_account_id: Option<u64>,
        shortcut: Option<String>,
        note: Option<String>,
        deleted: Option<bool>,
        discount: Option<String>,
        payment_to_kind: Option<String>,
        use_delivery_address: Option<bool>,
        delivery_address: Option<String>,
        company: Option<bool>,
        register_number: Option<String>,
        external_ids: ExternalIds,
        /// the payer that this client is linked to.
        buyer: Option<Extra>,
    }
}

part! {
    /// What an invoice event says of the invoice's client. It has no e-mail address and no phone.
    DealClientSaid {
        name: Option<String>,
        tax_no: Option<String>,
        first_name: Option<String>,
        last_name: Option<String>,
        bank_account: Option<String>,
        bank_account_id: Option<u64>,
        register_number: Option<String>,
        external_ids: ExternalIds,
    }
}

/// The client within a deal.
impl Field for DealClientSaid {
    fn read(fields: &mut Fields, key: &str) -> Result<Option<Self>, Unreadable> {
        fields.object(key)?.map(Self::fields).transpose().map_err(|cause| cause.within(key))
    }

    fn token(&self) -> Box<serde_json::value::RawValue> {
        crate::wire::token(self)
    }
}

part! {
    /// What an invoice event says: **a deal, not an invoice** (trap 3), and not proven.
    DealSaid {
        /// of the first position, in captures.
        name: Option<String>,
        description: Option<String>,
        /// gross.
        price: Option<Decimal>,
        paid: Option<bool>,
        date: Option<Day>,
        invoice_no: Option<String>,
        kind: Option<InvoiceKind>,
        /// in newer captures.
        status: Option<InvoiceStatus>,
        /// in newer captures.
        currency: Option<String>,
        /// opens the public view: printed nowhere.
        url: Option<Secret>,
        /// with the id of the **invoice**.
        external_ids: ExternalIds,
        client: Option<DealClientSaid>,
        deleted: Option<bool>,
    }
}

/// What stands around every event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Envelope {
    /// `app_name`: "BitFactura" in the help page, the brand in lower case in captures.
    pub app_name: Option<String>,
    /// `locale`
    pub locale: Option<String>,
    /// `client_id`, which the help page adds. Its meaning is not documented, so it makes no hint.
    pub client_id: Option<u64>,
}

/// What the body says of its record; nothing in it was proven.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Said {
    /// A client event.
    Client(Box<ClientSaid>),
    /// An invoice event.
    Deal(Box<DealSaid>),
    /// The record is named, but a field of it is not of the shape that the contract knows.
    Unreadable,
}

/// A webhook that hints at a record.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Notice {
    /// Which record is to be read again.
    pub hint: Hint,
    /// What stands around the event.
    pub envelope: Envelope,
    /// What the event says.
    pub said: Said,
}

/// A body from whoever knows the secret, read.
#[derive(Debug)]
pub(super) enum Read {
    Notice(Box<Notice>),
    Unknown(Unknown),
}

/// Reads the body of a route.
pub(super) fn read(route: Route, app: &AppKey, mut fields: Fields) -> Read {
    fields.take("api_token");
    let raw = extra(fields.clone());
    let digest = digest_of(&raw);
    let found = match route {
        Route::Client => client(app, &mut fields),
        Route::Invoice => deal(app, &mut fields),
        Route::Product | Route::Open => None,
    };
    match found {
        Some((subject, id, is_deleted, said)) => {
            let hint = Hint { is_deleted, digest, ..Hint::new(subject, id) };
            Read::Notice(Box::new(Notice { hint, envelope: envelope(&mut fields), said }))
        }
        None => Read::Unknown(Unknown { route, raw, digest }),
    }
}

type Found = Option<(Subject, u64, bool, Said)>;

fn client(app: &AppKey, fields: &mut Fields) -> Found {
    let client = fields.object("client").ok()??;
    // Only where `id` is missing: it is the record's own, the other a copy.
    let own = own_id(&client, "id");
    let linked = linked_ids(&client, app, Linked::Client);
    let id = own.or_else(|| one(linked.into_iter()))?;
    let is_deleted = says_deleted(&client);
    let said = ClientSaid::fields(client).map_or(Said::Unreadable, |said| Said::Client(Box::new(said)));
    Some((Subject::Client, id, is_deleted, said))
}

fn deal(app: &AppKey, fields: &mut Fields) -> Found {
    let top = own_id(fields, "id");
    let is_deleted = says_deleted(fields);
    let deal = fields.object("deal").ok()??;
    let linked = linked_ids(&deal, app, Linked::Invoice);
    let id = one(top.into_iter().chain(linked))?;
    let is_deleted = is_deleted || says_deleted(&deal);
    let said = DealSaid::fields(deal).map_or(Said::Unreadable, |said| Said::Deal(Box::new(said)));
    Some((Subject::Invoice, id, is_deleted, said))
}

fn own_id(fields: &Fields, key: &str) -> Option<u64> {
    fields.clone().id(key)
}

fn says_deleted(fields: &Fields) -> bool {
    fields.clone().boolean("deleted") == Some(true)
}

fn linked_ids(fields: &Fields, app: &AppKey, linked: Linked) -> Vec<u64> {
    let ids = crate::value::external_ids(&mut fields.clone(), "external_ids").unwrap_or_default();
    // An id that is no number is a contradiction as well, if another one is there: 0 is nobody's.
    ids.ids(app, linked).iter().map(|id| id.parse().unwrap_or(0)).collect()
}

/// The one id that all of them are.
fn one(mut ids: impl Iterator<Item = u64>) -> Option<u64> {
    let first = ids.next().filter(|id| *id > 0)?;
    ids.all(|id| id == first).then_some(first)
}

fn envelope(fields: &mut Fields) -> Envelope {
    Envelope {
        app_name: fields.text("app_name").ok().flatten(),
        locale: fields.text("locale").ok().flatten(),
        client_id: fields.id("client_id"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn read_at(route: Route, body: &Value) -> Read {
        read(route, &AppKey::default(), Fields::parse(body.to_string().as_bytes()).unwrap())
    }

    fn notice(route: Route, body: &Value) -> Notice {
        match read_at(route, body) {
            Read::Notice(notice) => *notice,
            Read::Unknown(_) => panic!("{body} is unknown"),
        }
    }

    fn id(route: Route, body: &Value) -> Option<u64> {
        match read_at(route, body) {
            Read::Notice(notice) => Some(notice.hint.id),
            Read::Unknown(unknown) => {
                assert!(unknown.raw.get("api_token").is_none());
                None
            }
        }
    }

    #[test]
    fn a_client_event_is_named_by_its_id() {
        for (body, expected) in [
            (json!({"client": {"id": 17}}), Some(17)),
            (json!({"client": {"id": "17", "external_ids": {"bitfactura": 18}}}), Some(17)),
            (json!({"client": {"external_ids": {"BITFACTURA": 18}}}), Some(18)),
            (json!({"client": {"external_ids": {"bitfactura_client_id": "18"}}}), Some(18)),
            (json!({"client": {"external_ids": {"bitfactura": 18, "BitFactura": 19}}}), None),
            (json!({"client": {"external_ids": {"bitfactura_invoice_id": 18}}}), None),
            (json!({"client": {"id": 0}}), None),
            (json!({"client": {"id": -3}}), None),
            (json!({"client": {}, "client_id": 17}), None),
            (json!({"client": [{"id": 17}]}), None),
            (json!({"id": 17, "name": "bare"}), None),
            (json!({"deal": {"external_ids": {"bitfactura": 21}}}), None),
            (json!({}), None),
        ] {
            assert_eq!(id(Route::Client, &body), expected, "{body}");
        }
    }

    #[test]
    fn an_invoice_event_is_named_by_both_styles_and_by_the_top_level() {
        for (body, expected) in [
            (json!({"deal": {"external_ids": {"bitfactura": 21}}}), Some(21)),
            (json!({"deal": {"external_ids": {"BitFactura": "21"}}}), Some(21)),
            (json!({"deal": {"external_ids": {"bitfactura_invoice_id": "21"}}}), Some(21)),
            (json!({"id": 21, "deal": {}}), Some(21)),
            (json!({"id": "21", "deal": {"external_ids": {"bitfactura": 21}}}), Some(21)),
            (json!({"id": 22, "deal": {"external_ids": {"bitfactura": 21}}}), None),
            (json!({"id": 21, "deal": {"external_ids": {"bitfactura": "x"}}}), None),
            (json!({"deal": {"external_ids": {"bitfactura_client_id": 21}}}), None),
            (json!({"deal": {"id": 21}}), None),
            (json!({"id": 21}), None),
            (json!({"invoice": {"id": 21}}), None),
            (json!({"client": {"id": 17}}), None),
        ] {
            assert_eq!(id(Route::Invoice, &body), expected, "{body}");
        }
    }

    #[test]
    fn the_body_never_names_the_kind() {
        let both = json!({"kind": "client:update", "id": 21, "client": {"id": 17}, "deal": {}});
        assert_eq!(notice(Route::Client, &both).hint.subject, Subject::Client);
        assert_eq!(notice(Route::Invoice, &both).hint.subject, Subject::Invoice);
        for route in [Route::Product, Route::Open] {
            assert_eq!(id(route, &both), None);
        }
    }

    #[test]
    fn what_is_deleted_is_a_tombstone() {
        for (deleted, expected) in
            [(json!(true), true), (json!("1"), true), (json!(false), false), (json!(null), false)]
        {
            let client = json!({"client": {"id": 17, "deleted": deleted}});
            assert_eq!(notice(Route::Client, &client).hint.is_deleted, expected);
            let deal = json!({"id": 21, "deal": {"deleted": deleted}});
            assert_eq!(notice(Route::Invoice, &deal).hint.is_deleted, expected);
        }
        let at_top = json!({"id": 21, "deleted": true, "deal": {}});
        assert!(notice(Route::Invoice, &at_top).hint.is_deleted);
    }

    #[test]
    fn skip_webhooks_decides_nothing() {
        for said in [json!(true), json!(false), json!(null), json!("x")] {
            let body = json!({"client": {"id": 17, "skip_webhooks": said}, "skip_webhooks": said});
            assert_eq!(id(Route::Client, &body), Some(17), "{said}");
            let body = json!({"deal": {"external_ids": {"bitfactura": 21}, "skip_webhooks": said}});
            assert_eq!(id(Route::Invoice, &body), Some(21), "{said}");
        }
    }

    #[test]
    fn what_is_said_is_typed() {
        let body = json!({"app_name": "BitFactura", "api_token": "s", "locale": "es", "client_id": 17, "client": {
            "id": 17, "name": "Acme", "company": "1", "kind": "buyer", "buyer": {}, "skip_webhooks": true}});
        let Notice { envelope, said, .. } = notice(Route::Client, &body);
        let (app_name, locale) = (Some("BitFactura".to_owned()), Some("es".to_owned()));
        assert_eq!(envelope, Envelope { app_name, locale, client_id: Some(17) });
        let Said::Client(client) = said else { panic!() };
        assert_eq!((client.name.as_deref(), client.company), (Some("Acme"), Some(true)));
        assert_eq!(client.extra.get("skip_webhooks"), Some("true"));

        let body = json!({"deal": {"price": "119.00", "paid": false, "date": "2024-11-08", "kind": "vat",
            "url": "https://x.example/f/1/planted", "external_ids": {"bitfactura": 21},
            "client": {"name": "Acme", "external_ids": {"bitfactura": 17}}}});
        let Notice { said: Said::Deal(deal), .. } = notice(Route::Invoice, &body) else { panic!() };
        assert_eq!(deal.price.unwrap().to_string(), "119.00");
        assert_eq!(
            deal.client.as_ref().unwrap().external_ids.ids(&AppKey::default(), Linked::Client),
            ["17"]
        );
        assert!(!format!("{deal:?}").contains("planted"));
    }

    #[test]
    fn a_field_of_another_shape_does_not_lose_the_hint() {
        let odd = notice(Route::Client, &json!({"client": {"id": 17, "name": ["x"]}}));
        assert!(odd.hint.id == 17 && matches!(odd.said, Said::Unreadable));
    }

    #[test]
    fn the_digest_leaves_out_the_secret_and_nothing_else() {
        let digest = |body: &Value| notice(Route::Client, body).hint.digest;
        let one = digest(&json!({"api_token": "a", "client": {"id": 17}}));
        assert_eq!(one, digest(&json!({"client": {"id": 17}, "api_token": "b"})));
        assert_ne!(one, digest(&json!({"client": {"id": 17, "city": "x"}})));
        // printf '{"client":{"id":17}}' | sha256sum
        assert_eq!(one, "182cbe9500689d7ac0a2aee7a74d39feb07f7a6efd64ad0f958c1979c9b6b5f0");
    }

    proptest! {
        #[test]
        fn no_body_panics_or_makes_a_hint_of_id_0(text in "\\{\"(client|deal|id)\":[\\[{\"a-z:0-9,}\\]]{0,40}\\}") {
            for route in Route::ALL {
                if let Some(fields) = Fields::parse(text.as_bytes())
                    && let Read::Notice(notice) = read(route, &AppKey::default(), fields)
                {
                    prop_assert!(notice.hint.id > 0);
                }
            }
        }
    }
}
