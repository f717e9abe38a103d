//! Texts: identifiers, amounts, times, places, names. What is read, written and read again is the same.

use std::time::Duration;

use fiscal_printer::{ControlNumber, InternalNumber, Secret, TokenHint, WireProfile};
use geosite::schedule::{History, Next, Schedule};
use geosite::{CustomerKey, Position};
use http::{HeaderMap, HeaderValue, StatusCode};
use integration_core::Answer;
use integration_core::body::fields::{Fields, Scalar, When};
use integration_core::body::wire::{exact_lenient, number_token, parse_number_token};
use integration_core::call::retry::parse_retry_after;
use integration_core::call::{BaseUrl, Link};
use integration_core::tax::id::{Cedula, Cnpj, Cpf, CpfOrCnpj, Given, Identifier, Passport, Rif, Rut};
use integration_core::tax::money::{Exact, parse_decimal, round_half_up};
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde_json::value::RawValue;
use sugester::value::{Day, Moment};
use sugester::{AccountName, ApiToken};

use super::input::Input;
use super::scripted::SENTINEL;

fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

fn one_identifier<T: Identifier + PartialEq>(text: &str) {
    let strict: Option<T> = text.parse().ok();
    let lenient = T::parse_lenient(text).ok();
    if let Some(id) = &strict {
        assert!(id.verify().is_ok(), "{text:?} is read strictly and not verified");
        assert_eq!(lenient.as_ref(), Some(id), "{text:?} is read strictly and not leniently");
    }
    let Some(id) = lenient else { return };
    for written in [id.wire(), id.to_string()] {
        assert_eq!(T::parse_lenient(&written).ok().as_ref(), Some(&id), "{text:?} is written as {written:?}");
        assert_eq!(written.parse::<T>().is_ok(), id.verify().is_ok(), "{written:?}");
    }
    // Nobody's number is printed whole.
    assert!(!format!("{id:?}").contains(&id.wire()) || id.wire().len() < 4, "{id:?}");
}

pub fn identifiers(data: &[u8]) {
    let text = text(data);
    one_identifier::<Rif>(&text);
    one_identifier::<Cedula>(&text);
    one_identifier::<Rut>(&text);
    one_identifier::<Cpf>(&text);
    one_identifier::<Cnpj>(&text);
    one_identifier::<CpfOrCnpj>(&text);
    one_identifier::<Passport>(&text);
    let given = serde_json::to_string(&Given::<Rif>::new(&text)).unwrap();
    let again: Given<Rif> = serde_json::from_str(&given).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), given);
    if let Ok(number) = text.parse::<ControlNumber>() {
        assert_eq!(number.as_received(), text);
        assert_eq!(number.to_string().parse(), Ok(number));
    }
    if let Ok(number) = text.parse::<InternalNumber>() {
        assert_eq!(InternalNumber::with_width(number.value(), text.len()).unwrap(), number);
        assert!(
            number.next().is_ok_and(|next| next.value() == number.value() + 1)
                || number.value() == 9_999_999_999
        );
    }
    let document = geosite::Document::read(&text);
    let again = geosite::Document::read(document.normalized());
    assert_eq!((document.given(), again.normalized()), (text.as_str(), document.normalized()));
    assert_eq!(geosite::Document::strict(&text).is_ok(), document.problem().is_none());
    let key = CustomerKey::read(&text, 7);
    let json = serde_json::to_string(&key).unwrap();
    assert_eq!(serde_json::from_str::<CustomerKey>(&json).unwrap(), key);
    let comparable = sugester::tax::comparable(&text);
    assert_eq!(sugester::tax::comparable(&comparable), comparable);
    _ = sugester::tax::rut_note(&text);
}

/// URLs, account names, tokens: what may be printed holds no credential.
pub fn addresses(data: &[u8]) {
    let text = text(data);
    if let Ok(base) = BaseUrl::parse(&text) {
        let written = base.to_string();
        assert_eq!(
            BaseUrl::parse(&written).map(|base| base.to_string()).ok(),
            Some(written.clone()),
            "{text:?}"
        );
        assert!(!base.is_plain() || base.is_loopback(), "plain http leaves this machine: {written}");
        let joined = base.join("/a/b");
        assert!(BaseUrl::parse(joined.as_str()).is_ok_and(|joined| joined.has_origin_of(&base)), "{joined}");
    }
    if let Ok(link) = Link::parse(&text) {
        assert!(!link.base().is_plain() || link.base().is_loopback());
    }
    if let Ok(name) = text.parse::<AccountName>() {
        assert_eq!(name.as_str(), text);
    }
    _ = AccountName::in_host(&text);
    if let Ok(token) = ApiToken::parse(&text) {
        assert!(token.matches(text.trim()), "{text:?}");
        let secret = token.secret();
        // A token of few stars looks as its own mask.
        let is_mask = secret.reveal().chars().all(|c| c == '*');
        assert!(is_mask || !token.to_string().contains(secret.reveal()), "a token is printed");
        assert!(ApiToken::parse(token.secret().reveal()).is_ok_and(|again| again.prefix() == token.prefix()));
    }
    let printed = Secret::new(SENTINEL).redact(&text).into_owned();
    assert!(!printed.contains(SENTINEL));
    // Whatever a service echoes of any secret is masked.
    let mut halves = Input(data);
    let secret = String::from_utf8_lossy(halves.until(b'\n')).into_owned();
    let secret = Secret::new(secret);
    let echoed = format!("a{}b{}", secret.reveal(), String::from_utf8_lossy(halves.0));
    let is_plain = secret.reveal().len() >= 8 && secret.reveal().chars().all(|c| c.is_ascii_graphic());
    let masked = secret.redact(&echoed).replace("[redacted]", " ");
    assert!(!is_plain || !masked.contains(secret.reveal()), "{masked:?}");
}

fn as_number(text: &str) -> f64 {
    text.parse().unwrap_or(f64::NAN)
}

fn near(value: Decimal, text: &str) -> bool {
    let (value, text) = (as_number(&value.to_string()), as_number(text));
    (value - text).abs() <= text.abs() * 1e-9 + 1e-27
}

pub fn money(data: &[u8]) {
    let text = text(data);
    if let Ok(value) = parse_decimal(&text) {
        assert!(near(value, &text), "{text:?} is read as {value}");
        let written = number_token(value);
        let again = parse_decimal(&written).expect("what is written is read");
        assert_eq!((again, again.scale()), (value, value.scale()), "{text:?} is written as {written}");
    }
    if let Ok(value) = parse_number_token(&text) {
        assert!(serde_json::from_str::<&RawValue>(&text).is_ok(), "{text:?} is no number of JSON");
        assert!(near(value, &text), "{text:?} is read as {value}");
        let written = number_token(value);
        assert_eq!(parse_number_token(&written).ok(), Some(value), "{text:?} is written as {written}");
        let exact = Exact::from(value);
        assert_eq!(exact.to_decimal(), Some(value));
        assert!(exact.checked_sub(exact).is_none_or(Exact::is_zero));
        _ = exact.checked_mul(exact).and_then(|square| square.round_half_up(2));
        let rounded = round_half_up(value, 2);
        assert!((rounded - value).abs() <= Decimal::new(5, 3), "{value} is rounded to {rounded}");
    }
    let json = format!(r#"{{"a":{text},"b":{}}}"#, serde_json::Value::from(text.as_str()));
    let lenient =
        |token: &str| exact_lenient::deserialize(&mut serde_json::Deserializer::from_str(token)).ok();
    if let Some(value) = lenient(&serde_json::Value::from(text.as_str()).to_string()) {
        assert!(near(value, &text), "{text:?} is read as {value}");
    }
    if let Some(mut fields) = Fields::<Box<RawValue>>::parse(json.as_bytes()) {
        _ = (fields.integer("a"), fields.id("b"), fields.boolean("a"));
        _ = (fields.decimal("b"), fields.time("a"), fields.list("a"), fields.object("a"));
    }
    for scalar in [Scalar::Text(text.as_str().into()), Scalar::Number(text.as_str().into())] {
        if let Some(number) = scalar.clone().integer() {
            assert!(
                (as_number(&text.trim().replace(',', ".")) - number as f64).abs() <= 1e3,
                "{text:?} is {number}"
            );
        }
        _ = (scalar.clone().id(), scalar.clone().boolean(), scalar.is_blank());
        if let Some(value) = scalar.clone().decimal() {
            // In quotes a comma is a point.
            assert!(near(value, &text.trim().replace(',', ".")), "{text:?} is read as {value}");
        }
    }
}

/// `Retry-After`, times and days of answers, as headers and as texts.
pub fn times(data: &[u8]) {
    let text = text(data);
    let now: Timestamp = "2026-11-22T08:00:00Z".parse().unwrap();
    if let Some(wait) = parse_retry_after(&text, now) {
        let digits = text.trim().bytes().all(|byte| byte.is_ascii_digit());
        assert!(digits || wait <= Duration::from_secs(300_000_000_000), "{text:?} asks for {wait:?}");
        assert!(
            !digits
                || text
                    .trim()
                    .parse()
                    .map_or(wait.as_secs() == u64::MAX, |seconds| wait == Duration::from_secs(seconds))
        );
    }
    let mut headers = HeaderMap::new();
    for name in ["retry-after", "content-type", "date", "x-request-id"] {
        if let Ok(value) = HeaderValue::from_bytes(data) {
            headers.insert(name, value);
        }
    }
    let answer = Answer::new(StatusCode::TOO_MANY_REQUESTS, headers, data.to_vec());
    _ = (answer.retry_after(now), answer.request_id().map(str::len), answer.content_type().map(str::len));
    assert!(format!("{answer:?}").len() < 1 << 20);
    match When::read(&text) {
        When::At(at) => assert_eq!(When::read(&at.to_string()), When::At(at), "{text:?}"),
        other => assert_eq!(other.to_string(), text),
    }
    let day = Day::read(text.as_str());
    assert_eq!(day.as_str(), text);
    assert!(day.date().is_none_or(|date| date.to_string() == text.trim()), "{text:?} is {:?}", day.date());
    let moment = Moment::read(text.as_str());
    assert_eq!(moment.as_str(), text);
    assert!(moment.timestamp().is_none_or(|at| Moment::from(at).timestamp() == Some(at)));
    _ = legale::status::Status::from_legacy(&text, None);
}

/// The payload of a token, which is read for hints alone.
pub fn token(data: &[u8]) {
    let text = text(data);
    let hint = TokenHint::read(&Secret::new(text.as_str()));
    assert!(hint.is_none() || text.split('.').count() == 3, "{text:?} gave {hint:?}");
    // As a payload that is well packed.
    let packed = packed(data);
    if let Some(hint) = TokenHint::read(&Secret::new(format!("e30.{packed}.c2ln"))) {
        let value: serde_json::Value = serde_json::from_slice(data).expect("a hint of what is no JSON");
        assert_eq!(hint.rif(), value["user"]["rif"].as_str(), "{value}");
        assert!(
            value["user"]["validarinterno"] != serde_json::Value::Null || hint.enforces_numbers().is_none()
        );
    }
}

/// Base64 for URLs, without padding.
pub fn packed(data: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in data.chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - chunk.len()));
        (0..=chunk.len())
            .for_each(|place| out.push(char::from(LETTERS[(bits >> (18 - 6 * place)) as usize & 63])));
    }
    out
}

/// Places in WKT, and in what is drawn of them.
pub fn wkt(data: &[u8]) {
    let text = text(data);
    let position = Position::parse_wkt(&text).ok();
    if let Some(position) = position {
        assert_eq!(Position::parse_wkt(&position.to_wkt()), Ok(position), "{text:?}");
        assert!(position.latitude.degrees().abs() <= 90.0 && position.longitude.degrees().abs() <= 180.0);
        assert!(text.to_ascii_uppercase().contains("POINT"), "{text:?}");
    }
    let course = geosite::Course::parse_wkt(&text);
    if let Ok(course) = &course {
        assert_eq!(course.places().len(), text.matches(',').count() + 1, "{text:?}");
        assert!(position.is_none(), "{text:?} is a point and a line");
    }
    let element = geosite::picture::Element::new(Some(geosite::ElementKind::Cto), 7, position);
    let mut json = geosite::picture::GeoJson::new(Vec::new()).unwrap();
    json.add(&element.with_name(&text)).unwrap();
    let written = json.finish().unwrap();
    let value: serde_json::Value = serde_json::from_slice(&written).expect("GeoJSON is JSON");
    assert_eq!(value["features"].as_array().map(Vec::len), Some(1));
    let scripts = |name: &str| {
        let element = geosite::picture::Element::new(Some(geosite::ElementKind::Cto), 7, position);
        let element = element.with_name(name);
        let mut bounds = geosite::picture::Bounds::new();
        bounds.cover(&element);
        let mut map = geosite::picture::Map::new(Vec::new(), name, bounds).unwrap();
        map.add(&element).unwrap();
        let page = String::from_utf8(map.finish().unwrap()).expect("a page is text");
        page.to_lowercase().matches("<script").count()
    };
    assert_eq!(scripts(&text), scripts("a name"), "a name becomes a part of the page: {text:?}");
}

/// Any zone, hour, past and present; the next moment is ahead and there is one.
pub fn schedule(data: &[u8]) {
    const ZONES: &[&str] = &["America/Sao_Paulo", "Pacific/Apia", "Africa/Cairo", "UTC", "Antarctica/Troll"];
    let mut input = Input(data);
    let zone = *input.choose(ZONES);
    let hour = (input.byte() % 24).cast_signed();
    let minute = (input.byte() % 60).cast_signed();
    let Ok(schedule) = Schedule::in_zone(zone) else { return };
    let schedule = schedule.with_time(jiff::civil::time(hour, minute, 0, 0));
    // All of time that can be written, with a margin for zones.
    let mut moment = || {
        let seconds = input.number().rem_euclid(600_000_000_000) - 300_000_000_000;
        Timestamp::from_second(seconds.clamp(-377_000_000_000, 253_000_000_000)).unwrap()
    };
    let (since, watching, now) = (moment(), moment(), moment());
    let mut history = History::starting(since);
    let mut watching = watching;
    let mut now = now;
    for _ in 0..4 {
        match schedule.next(&history, watching, now) {
            Next::Run(order) => {
                assert!(order.planned_at <= now, "a run of the future: {order:?} at {now}");
                assert!(order.planned_at > since, "a run before anybody watched");
                assert_eq!(schedule.planned(order.date), Some(order.planned_at));
                history = history.begun(&order).ended();
                let next = schedule.next(&history, watching, now);
                assert!(matches!(next, Next::Wait { .. }), "a run is due twice: {next:?} after {order:?}");
            }
            Next::Wait { until } => {
                assert!(
                    until > now || until == Timestamp::MAX,
                    "{zone}: nothing until {until}, and it is {now}"
                );
                let Ok(within) = now.checked_add(SignedDuration::from_hours(80)) else { return };
                assert!(until <= within, "{zone}: nothing from {now} until {until}");
                (watching, now) = (now, until);
            }
            _ => {}
        }
    }
}

/// Folders, names, notes, identifiers of the signing service.
pub fn naming(data: &[u8]) {
    use legale::naming::{FileName, Folder, Metadata, lint, next_version, version};

    let text = text(data);
    if let Ok(metadata) = text.parse::<Metadata>() {
        assert_eq!(metadata.pack().parse::<Metadata>().ok(), Some(metadata), "{text:?}");
    }
    let (key, value) = text.split_once('\n').unwrap_or((&text, ""));
    let metadata = Metadata::new().with(key, value).with("x", key);
    assert_eq!(metadata.pack().parse::<Metadata>().ok(), Some(metadata.clone()), "{metadata}");
    if let Ok(folder) = Folder::new(text.as_str()) {
        assert_eq!(Folder::from_answer(&format!("root/{folder}")).as_ref(), Some(&folder), "{text:?}");
        assert!(folder.covers(&text) && folder.covers(&format!("{text}/x")), "{text:?}");
    }
    if let Ok(name) = FileName::new("pdf").part(key).part(value).year(2025).build() {
        assert!(name.len() <= 255 && !name.contains(['/', '\\', '\0']), "{name:?}");
        assert!(
            lint(&name).iter().all(|fault| fault.rule() != "EXTENSION" && fault.rule() != "BLANKS"),
            "{name:?}"
        );
    }
    _ = lint(&text);
    if let Ok(next) = next_version(&text) {
        assert_eq!(version(&next), version(&text) + 1, "{text:?} is followed by {next:?}");
    }
    if let Ok(id) = text.parse::<legale::DocumentId>() {
        assert_eq!(id.to_string().parse::<legale::DocumentId>().ok(), Some(id));
    }
}

/// A document as a caller's file holds it: what is built says the same when it is read again.
pub fn document(data: &[u8]) {
    let Ok(builder) = fiscal_printer::Document::from_json(data) else { return };
    let builder = builder.dated(jiff::civil::date(2026, 11, 22));
    let Ok(document) = builder.build() else { return };
    let written = document.to_json(&WireProfile::default());
    let again = fiscal_printer::Document::from_json(written.as_bytes()).expect("what goes out is read");
    let again = again.dated(jiff::civil::date(2026, 11, 22)).build().expect("what goes out is right");
    assert_eq!(again.totals(), document.totals());
    assert_eq!(again.to_json(&WireProfile::default()), written);
}
