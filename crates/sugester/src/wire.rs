//! Records and changes as JSON: what a field of each type is on the wire, and the two macros that declare them (contract 3.9).
//!
//! The rules enforced here: every field may be absent; a number in quotes is a number; unknown fields are kept token for token; amounts
//! go out as text with a point; a field that nobody touched is not sent.

use std::collections::BTreeMap;

use integration_core::body::fields::{Token, Unreadable};
use integration_core::body::wire::number_token;
use integration_core::{Error, Fault, Secret};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::value::{self, Day, ExternalIds, Extra, Fields, Moment, Patch, Tokens};

/// The JSON of a value that is always one.
pub(crate) fn token(value: &(impl Serialize + ?Sized)) -> Box<RawValue> {
    to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// A value of a field.
pub(crate) trait Field: Sized {
    /// Takes it. What does not fit is an error, or left among the unknown fields where nothing hangs on it.
    fn read(fields: &mut Fields, key: &str) -> Result<Option<Self>, Unreadable>;

    /// As it is sent.
    fn token(&self) -> Box<RawValue>;
}

impl Field for String {
    fn read(fields: &mut Fields, key: &str) -> Result<Option<Self>, Unreadable> {
        fields.text(key)
    }

    fn token(&self) -> Box<RawValue> {
        token(self)
    }
}

impl Field for Decimal {
    fn read(fields: &mut Fields, key: &str) -> Result<Option<Self>, Unreadable> {
        fields.decimal(key)
    }

    /// Text with a point (contract 3.9).
    fn token(&self) -> Box<RawValue> {
        token(&number_token(*self))
    }
}

impl Field for i64 {
    fn read(fields: &mut Fields, key: &str) -> Result<Option<Self>, Unreadable> {
        Ok(fields.integer(key))
    }

    fn token(&self) -> Box<RawValue> {
        token(self)
    }
}

/// The id of another record.
impl Field for u64 {
    fn read(fields: &mut Fields, key: &str) -> Result<Option<Self>, Unreadable> {
        Ok(fields.id(key))
    }

    fn token(&self) -> Box<RawValue> {
        token(self)
    }
}

impl Field for bool {
    fn read(fields: &mut Fields, key: &str) -> Result<Option<Self>, Unreadable> {
        Ok(fields.boolean(key))
    }

    fn token(&self) -> Box<RawValue> {
        token(self)
    }
}

impl Field for Day {
    fn read(fields: &mut Fields, key: &str) -> Result<Option<Self>, Unreadable> {
        value::day(fields, key)
    }

    fn token(&self) -> Box<RawValue> {
        token(self)
    }
}

impl Field for Moment {
    fn read(fields: &mut Fields, key: &str) -> Result<Option<Self>, Unreadable> {
        value::moment(fields, key)
    }

    fn token(&self) -> Box<RawValue> {
        token(self)
    }
}

impl Field for ExternalIds {
    fn read(fields: &mut Fields, key: &str) -> Result<Option<Self>, Unreadable> {
        value::external_ids(fields, key).map(Some)
    }

    fn token(&self) -> Box<RawValue> {
        token(self)
    }
}

/// A public-view token, or the text that a webhook echoes: read, and shown nowhere.
impl Field for Secret {
    fn read(fields: &mut Fields, key: &str) -> Result<Option<Self>, Unreadable> {
        Ok(fields.text(key)?.filter(|text| !text.is_empty()).map(Self::new))
    }

    fn token(&self) -> Box<RawValue> {
        token(self.reveal())
    }
}

/// A list, told from none.
fn listed(fields: &mut Fields, key: &str) -> Result<Option<Vec<Box<RawValue>>>, Unreadable> {
    let Some(token) = fields.take(key) else { return Ok(None) };
    token.into_list().map(Some).ok_or_else(|| Unreadable::new(key, "a list"))
}

/// A list of texts, also where one text stands for it.
impl Field for Vec<String> {
    fn read(fields: &mut Fields, key: &str) -> Result<Option<Self>, Unreadable> {
        if fields.get(key).is_some_and(|token| token.get().starts_with('"')) {
            return Ok(fields.text(key)?.map(|text| vec![text]));
        }
        let items = listed(fields, key)?;
        Ok(items.map(|items| items.iter().filter_map(|item| item.scalar().text()).collect()))
    }

    fn token(&self) -> Box<RawValue> {
        token(self)
    }
}

/// A list of ids; what is none is left out.
impl Field for Vec<u64> {
    fn read(fields: &mut Fields, key: &str) -> Result<Option<Self>, Unreadable> {
        let items = listed(fields, key)?;
        Ok(items.map(|items| items.iter().filter_map(|item| item.scalar().id()).collect()))
    }

    fn token(&self) -> Box<RawValue> {
        token(self)
    }
}

/// An object that this crate has no names for.
impl Field for Extra {
    fn read(fields: &mut Fields, key: &str) -> Result<Option<Self>, Unreadable> {
        Ok(fields.object(key)?.map(value::extra))
    }

    fn token(&self) -> Box<RawValue> {
        token(self)
    }
}

/// Open enums are fields.
macro_rules! enum_fields {
    ($($name:ident),+ $(,)?) => {$(
        impl Field for crate::kinds::$name {
            fn read(fields: &mut Fields, key: &str) -> Result<Option<Self>, Unreadable> {
                Ok(fields.text(key)?.filter(|text| !text.is_empty()).map(Self::from))
            }

            fn token(&self) -> Box<RawValue> {
                token(self)
            }
        }
    )+};
}

enum_fields!(
    ClientKind,
    DiscountKind,
    ExchangeKind,
    InvoiceKind,
    InvoiceStatus,
    Language,
    PaymentType,
    PostKind,
    StatusKind,
    TaskKind,
    WebhookKind,
);

/// What a record keeps of a field.
pub(crate) trait Slot: Sized {
    fn read(fields: &mut Fields, key: &str) -> Result<Self, Unreadable>;

    /// Its JSON; nothing where there is nothing to write.
    fn token(&self) -> Option<Box<RawValue>>;
}

impl<T: Field> Slot for Option<T> {
    fn read(fields: &mut Fields, key: &str) -> Result<Self, Unreadable> {
        T::read(fields, key)
    }

    fn token(&self) -> Option<Box<RawValue>> {
        self.as_ref().map(Field::token)
    }
}

impl Slot for ExternalIds {
    fn read(fields: &mut Fields, key: &str) -> Result<Self, Unreadable> {
        value::external_ids(fields, key)
    }

    fn token(&self) -> Option<Box<RawValue>> {
        (!self.is_empty()).then(|| token(self))
    }
}

/// Parts of a record, such as the positions of an invoice.
impl<T: Part + Serialize> Slot for Vec<T> {
    fn read(fields: &mut Fields, key: &str) -> Result<Self, Unreadable> {
        let parts = fields.list(key)?.into_iter().enumerate();
        let part = |(at, token)| -> Result<T, Unreadable> {
            let within = |cause: Unreadable| cause.within(format!("{key}[{at}]"));
            Fields::of(token, "part").and_then(T::read).map_err(within)
        };
        parts.map(part).collect()
    }

    fn token(&self) -> Option<Box<RawValue>> {
        (!self.is_empty()).then(|| token(self))
    }
}

/// What is read from an object.
pub(crate) trait Part: Sized {
    fn read(fields: Fields) -> Result<Self, Unreadable>;
}

/// A record of a service, with its id.
pub(crate) trait Record: Part + Send + 'static {
    /// The name of the object that may hold it, and that it is sent in.
    const WRAPPER: &'static str;
    /// The name of the list that may hold it.
    const PLURAL: &'static str;

    fn id(&self) -> u64;
}

/// A bare object, or one key equal to the wrapper's name; it needs an `id` (contract 3.9).
pub(crate) fn read_record<T: Record>(token: Box<RawValue>) -> Result<T, Unreadable> {
    Fields::of(unwrapped(token, T::WRAPPER)?, T::WRAPPER).and_then(T::read)
}

/// What is within an object whose only key is `wrapper`; otherwise the object itself.
pub(crate) fn unwrapped(token: Box<RawValue>, wrapper: &'static str) -> Result<Box<RawValue>, Unreadable> {
    if begins_otherwise(token.get(), wrapper) {
        return Ok(token);
    }
    let mut fields = Fields::of(token.clone(), wrapper)?;
    let is_wrapped = fields.names().eq([wrapper]);
    Ok(fields.take(wrapper).filter(|_| is_wrapped).unwrap_or(token))
}

/// Whether it is an object whose first key is another one, which can be seen without reading it. Of a key with escapes that is not
/// told.
fn begins_otherwise(object: &str, wrapper: &str) -> bool {
    let inner = object.strip_prefix('{').map(str::trim_start);
    let key = inner.and_then(|inner| inner.strip_prefix('"')?.split_once('"'));
    key.is_some_and(|(key, _)| key != wrapper && !key.contains('\\'))
}

/// A bare list; or an object whose `data`, `results` or plural name holds it; `null` is empty (contract 3.9).
pub(crate) fn read_list<T: Record>(answer: Box<RawValue>) -> Result<Vec<T>, Unreadable> {
    let items = items(answer, T::PLURAL)?.into_iter().enumerate();
    items.map(|(at, item)| read_record(item).map_err(|cause| cause.within(format!("[{at}]")))).collect()
}

fn items(answer: Box<RawValue>, plural: &'static str) -> Result<Vec<Box<RawValue>>, Unreadable> {
    let wrong = || Unreadable::new(plural, "a list");
    match answer.get().as_bytes().first() {
        Some(b'n') => Ok(Vec::new()),
        Some(b'[') => answer.into_list().ok_or_else(wrong),
        _ => {
            let mut fields = Fields::of(answer, plural).map_err(|_| wrong())?;
            let key = ["data", "results", plural].into_iter().find(|key| fields.get(key).is_some());
            fields.list(key.ok_or_else(wrong)?)
        }
    }
}

/// What deletes and actions answer: nothing, `null`, `"ok"` or an object that is no error (contract 3.9).
// A reader as the others are.
#[allow(clippy::boxed_local, clippy::needless_pass_by_value)]
pub(crate) fn done(answer: Box<RawValue>) -> Result<(), Unreadable> {
    let text = answer.get();
    if text == "null" || text.starts_with('{') || text.eq_ignore_ascii_case("\"ok\"") {
        return Ok(());
    }
    Err(Unreadable::new("answer", "nothing, \"ok\" or an object"))
}

/// What a change sends.
pub(crate) trait Change {
    /// The fields that are not left alone.
    fn tokens(&self) -> Tokens;
}

/// Adds a field unless it is left alone.
pub(crate) fn put<T: Field>(tokens: &mut Tokens, key: &str, patch: &Patch<T>) {
    let token = match patch {
        Patch::Keep => return,
        Patch::Clear => RawValue::NULL.to_owned(),
        Patch::Set(value) => value.token(),
    };
    tokens.insert(key.to_owned(), token);
}

/// An update of no field would be a call for nothing.
///
/// # Errors
/// A validation error.
pub(crate) fn changed(tokens: Tokens, operation: &'static str) -> Result<Tokens, Error> {
    if !tokens.is_empty() {
        return Ok(tokens);
    }
    let fault = Fault::error("CHANGE", "*").with_expected("at least one field that is set or cleared");
    Err(Error::validation(operation, vec![fault]))
}

/// A record as text by name, for [`Serialize`].
pub(crate) type Written<'r> = BTreeMap<&'r str, Box<RawValue>>;

/// Declares what is read from an object: its fields by their wire names, and everything else in `extra`.
macro_rules! part {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $type:ty,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default)]
        #[non_exhaustive]
        pub struct $name {
            $(
                #[doc = concat!("`", stringify!($field), "`")]
                $(#[$doc])*
                pub $field: $type,
            )+
            /// Everything else, token for token.
            pub extra: $crate::value::Extra,
        }

        impl $name {
            fn fields(
                mut fields: $crate::value::Fields,
            ) -> Result<Self, integration_core::body::fields::Unreadable> {
                Ok(Self {
                    $($field: $crate::wire::Slot::read(&mut fields, stringify!($field))?,)+
                    extra: $crate::value::extra(fields),
                })
            }
        }

        /// Every field that holds something, in wire names, tokens among them, and the unknown ones as they came.
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut written = $crate::wire::Written::new();
                $(
                    if let Some(token) = $crate::wire::Slot::token(&self.$field) {
                        written.insert(stringify!($field), token);
                    }
                )+
                for (key, token) in self.extra.tokens() {
                    written.insert(key, token.clone());
                }
                serializer.collect_map(written)
            }
        }
    };
}

/// Declares a record: a part with an `id`.
macro_rules! record {
    ($(#[$meta:meta])* $name:ident in $wrapper:literal of $plural:literal {
        $($(#[$doc:meta])* $field:ident: $type:ty,)+
    }) => {
        $crate::wire::part! {
            $(#[$meta])*
            $name {
                /// of the record; 0 only in one that a test made.
                id: $crate::wire::RecordId,
                $($(#[$doc])* $field: $type,)+
            }
        }

        impl $crate::wire::Part for $name {
            fn read(
                fields: $crate::value::Fields,
            ) -> Result<Self, integration_core::body::fields::Unreadable> {
                Self::fields(fields)
            }
        }

        impl $crate::wire::Record for $name {
            const WRAPPER: &'static str = $wrapper;
            const PLURAL: &'static str = $plural;

            fn id(&self) -> u64 {
                self.id
            }
        }
    };
}

/// The id of a record, which has to be there.
pub(crate) type RecordId = u64;

impl Slot for RecordId {
    fn read(fields: &mut Fields, key: &str) -> Result<Self, Unreadable> {
        fields.id(key).ok_or_else(|| Unreadable::new(key, "the id of a record"))
    }

    fn token(&self) -> Option<Box<RawValue>> {
        Some(token(self))
    }
}

/// Declares the fields that a caller may set, each of them left alone, cleared or set.
macro_rules! change {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $type:ty,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default)]
        pub struct $name {
            $(
                #[doc = concat!("`", stringify!($field), "`")]
                $(#[$doc])*
                pub $field: $crate::value::Patch<$type>,
            )+
            /// Fields that this crate has no name for, sent as they are, above all those that a record brought in its `extra`.
            pub extra: $crate::value::Extra,
        }

        impl $crate::wire::Change for $name {
            fn tokens(&self) -> $crate::value::Tokens {
                let mut tokens: $crate::value::Tokens =
                    self.extra.tokens().map(|(key, token)| (key.to_owned(), token.clone())).collect();
                $($crate::wire::put(&mut tokens, stringify!($field), &self.$field);)+
                tokens
            }
        }
    };
}

pub(crate) use {change, part, record};

#[cfg(test)]
#[allow(unreachable_pub)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    part! {
        /// A line.
        Line {
            name: Option<String>,
            price: Option<Decimal>,
        }
    }

    impl Part for Line {
        fn read(fields: Fields) -> Result<Self, Unreadable> {
            Self::fields(fields)
        }
    }

    record! {
        /// A thing.
        Thing in "thing" of "things" {
            name: Option<String>,
            price: Option<Decimal>,
            owner_id: Option<u64>,
            company: Option<bool>,
            token: Option<Secret>,
            external_ids: ExternalIds,
            positions: Vec<Line>,
            tags: Option<Vec<String>>,
        }
    }

    change! {
        /// Of a thing.
        ThingFields {
            name: String,
            price: Decimal,
            company: bool,
        }
    }

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn a_record_is_bare_or_in_its_wrapper_and_has_an_id() {
        let read = |text: &str| read_record::<Thing>(raw(text));
        assert_eq!(read(r#"{"id":"7","name":5}"#).unwrap().name.as_deref(), Some("5"));
        assert_eq!(read(r#"{"thing":{"id":8}}"#).unwrap().id, 8);
        assert_eq!(read(r#"{"id":7,"thing":{"id":8}}"#).unwrap().id, 7);
        for bad in ["null", "[]", "\"ok\"", "{}", r#"{"id":0}"#, r#"{"id":null}"#, r#"{"other":{"id":8}}"#] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_list_is_bare_or_under_one_of_three_names() {
        let ids = |text: &str| {
            read_list::<Thing>(raw(text)).map(|things| things.iter().map(|t| t.id).collect::<Vec<_>>())
        };
        assert_eq!(ids(r#"[{"id":1},{"thing":{"id":2}}]"#), Ok(vec![1, 2]));
        for name in ["data", "results", "things"] {
            assert_eq!(ids(&format!("{{\"{name}\":[{{\"id\":1}}]}}")), Ok(vec![1]), "{name}");
        }
        assert_eq!(ids("null"), Ok(vec![]));
        for bad in ["{}", r#"{"data":{}}"#, "\"ok\"", "1", r#"{"id":1}"#, r#"{"others":[]}"#] {
            assert!(ids(bad).is_err(), "{bad}");
        }
        assert_eq!(ids(r#"[{"id":1},{}]"#).unwrap_err().field, "[1].id");
    }

    #[test]
    fn deletes_and_actions_bring_nothing() {
        for good in ["null", "\"ok\"", "{}", r#"{"code":"success"}"#] {
            assert!(done(raw(good)).is_ok(), "{good}");
        }
        for bad in ["[]", "\"error\"", "1", "true"] {
            assert!(done(raw(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_record_goes_back_as_it_came_and_hides_its_token() {
        let text = r#"{"company":true,"id":7,"name":"a","owner_id":3,"positions":[{"price":"1.50","x":[1]}],"price":"19.90","tags":["a"],"x":0.10}"#;
        let thing: Thing = read_record(raw(text)).unwrap();
        assert_eq!(serde_json::to_string(&thing).unwrap(), text);
        let thing: Thing =
            read_record(raw(r#"{"id":7,"token":"planted","tags":"a","owner_id":"x"}"#)).unwrap();
        assert!(!format!("{thing:?}").contains("planted"));
        assert_eq!((thing.tags, thing.extra.get("owner_id")), (Some(vec!["a".to_owned()]), Some("\"x\"")));
        let error = read_record::<Thing>(raw(r#"{"id":7,"positions":[{},{"price":"x"}]}"#)).unwrap_err();
        assert_eq!(error.field, "positions[1].price");
    }

    #[test]
    fn a_change_sends_what_was_touched_and_amounts_as_text() {
        let sent = |change: &ThingFields| serde_json::to_string(&change.tokens()).unwrap();
        assert_eq!(sent(&ThingFields::default()), "{}");
        let change = ThingFields {
            name: Patch::Clear,
            price: Decimal::new(1990, 2).into(),
            extra: crate::value::Extra::parse(r#"{"new":1.0}"#).unwrap(),
            ..ThingFields::default()
        };
        assert_eq!(sent(&change), r#"{"name":null,"new":1.0,"price":"19.90"}"#);
    }

    proptest! {
        #[test]
        fn any_json_is_read_or_refused(text in "[\\[{]?(\"(id|data|thing|things|x)\"[:,]|[\\[{}\\],0-9]|null|\"ok\"){0,12}") {
            if let Ok(token) = RawValue::from_string(text) {
                let _ = (read_record::<Thing>(token.clone()), read_list::<Thing>(token.clone()), done(token));
            }
        }

        #[test]
        fn what_was_read_is_written_as_it_was(id in 1_u64.., mantissa in any::<i64>(), scale in 0_u32..10, name in any::<String>()) {
            let amount = Decimal::new(mantissa, scale);
            let body = serde_json::json!({"id": id, "name": name, "price": amount.to_string(), "unknown": [name]});
            let thing: Thing = read_record(raw(&body.to_string())).unwrap();
            let expected = if amount.is_zero() { amount.abs() } else { amount };
            prop_assert_eq!((thing.price, thing.price.map(|price| price.scale())), (Some(expected), Some(scale)));
            prop_assert_eq!(serde_json::to_value(&thing).unwrap(), body);
        }
    }
}
