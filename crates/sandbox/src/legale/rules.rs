//! What a flow must fulfil to be started (contract, sections 3.5, 3.6, 4.2 and 4.3); the first broken rule wins.
//!
//! The real order of checks is not documented; this one goes from the flow to its signers, and per signer from
//! the pair to what the pair needs.

use super::refusal::{Refusal, invalid};
use crate::json::Json;

type Verdict = Result<(), Refusal>;

/// The 15 pairs that exist.
const PAIRS: &[(&str, &[&str])] = &[
    ("me", &["certification", "local_certificate", "sms", "no_sms", "fea"]),
    ("other", &["sms", "no_sms", "fea"]),
    ("legale", &["certification", "no_certification"]),
    ("approve", &["approve", "approve_legale", "approve_api"]),
    ("tablet", &["tablet_sign"]),
    ("signing_portal", &["signing_portal"]),
];

/// Most characters of an anchor in a V2 workflow.
const ANCHOR_LIMIT: usize = 63;

/// Which request names the signer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `/sign/start`
    Start,
    /// `/template`
    Template,
    /// `/smart-document/{id}/workflow/`
    Workflow,
}

/// A signer who passed every check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NewSigner {
    pub(super) email: String,
    pub(super) firstname: String,
    pub(super) lastname1: String,
    pub(super) lastname2: String,
    pub(super) phone: String,
    pub(super) flow: Option<String>,
    pub(super) method: String,
    pub(super) skip_email: bool,
    pub(super) status_callback_url: Option<String>,
}

/// Whether a signer may use `fea`: his contact is complete. The flow's owner is asked with `me`.
pub(super) type FeaReady<'a> = &'a dyn Fn(&str, bool) -> bool;

/// One signer under the rules.
struct Case<'a> {
    json: &'a Json,
    field: String,
    kind: Kind,
    fea_ready: FeaReady<'a>,
}

impl Case<'_> {
    fn text(&self, key: &str) -> &str {
        self.json.get(key).spelled()
    }

    fn method(&self) -> &str {
        self.text("sign_method")
    }

    fn refused(&self, rule: &'static str, key: &str, what: &str) -> Refusal {
        invalid(rule, format_args!("{}.{key}", self.field), what)
    }

    fn required(&self, rule: &'static str, key: &str) -> Verdict {
        let given = self.json.get(key).as_text().is_some_and(|text| !text.trim().is_empty());
        if given { Ok(()) } else { Err(self.refused(rule, key, "is required")) }
    }

    fn unless(&self, wrong: bool, rule: &'static str, key: &str, what: &str) -> Verdict {
        if wrong { Err(self.refused(rule, key, what)) } else { Ok(()) }
    }
}

const CHECKS: &[fn(&Case<'_>) -> Verdict] =
    &[pair, email, names, phone, tablet, identity_checks, placement, advanced];

fn pair(case: &Case<'_>) -> Verdict {
    let method = case.method();
    if case.kind != Kind::Start {
        let known = PAIRS.iter().any(|(_, methods)| methods.contains(&method));
        return case.unless(!known, "method", "sign_method", "is not a method");
    }
    let flow = case.text("sign_flow");
    let methods = PAIRS.iter().find(|(name, _)| *name == flow).map(|(_, methods)| *methods);
    let methods = methods.ok_or_else(|| case.refused("flow", "sign_flow", "is not a flow"))?;
    let what = format!("{flow} does not go with {method}; it goes with {}", methods.join(", "));
    case.unless(!methods.contains(&method), "pair", "sign_method", &what)
}

fn email(case: &Case<'_>) -> Verdict {
    case.required("email", "email")?;
    case.unless(!is_email(case.text("email")), "email", "email", "is not an e-mail address")
}

pub(super) fn is_email(text: &str) -> bool {
    let sides = text.split_once('@').filter(|(_, domain)| !domain.contains('@'));
    let filled = |(name, domain): (&str, &str)| !name.is_empty() && !domain.is_empty();
    sides.is_some_and(filled) && !text.contains(char::is_whitespace)
}

fn names(case: &Case<'_>) -> Verdict {
    if case.kind != Kind::Workflow {
        return Ok(());
    }
    ["firstname", "lastname1", "anchor"].into_iter().try_for_each(|key| case.required("required", key))
}

fn phone(case: &Case<'_>) -> Verdict {
    if case.method() == "sms" {
        case.required("phone", "phone")?;
    }
    let phone = case.text("phone");
    let digits = phone.bytes().filter(u8::is_ascii_digit).count();
    let odd = !phone.is_empty() && !(8..=15).contains(&digits);
    case.unless(odd, "phone", "phone", "does not have 8 to 15 digits")
}

fn tablet(case: &Case<'_>) -> Verdict {
    if case.method() != "tablet_sign" {
        // Superfluous tablet fields are taken: the vendor's own sample has them.
        return Ok(());
    }
    case.required("tablet", "device_id")?;
    ["is_fingerprint", "is_NID"].into_iter().try_for_each(|key| {
        let given = matches!(case.json.get(key), Json::Bool(_));
        case.unless(!given, "tablet", key, "is required")
    })
}

fn identity_checks(case: &Case<'_>) -> Verdict {
    if matches!(case.method(), "sms" | "no_sms") {
        return Ok(());
    }
    ["video_validation", "selfie_validation", "id_validation"].into_iter().try_for_each(|key| {
        let wanted = *case.json.get(key) == Json::Bool(true);
        case.unless(wanted, "identity", key, "goes with sms and no_sms only")
    })
}

fn placement(case: &Case<'_>) -> Verdict {
    let anchor = case.text("anchor").chars().count();
    let long = case.kind == Kind::Workflow && anchor > ANCHOR_LIMIT;
    case.unless(long, "anchor", "anchor", "has more than 63 characters")?;
    let keys = ["x1", "y1", "x2", "y2", "pageno"];
    let given = keys.into_iter().filter(|key| !case.json.get(key).is_missing()).count();
    if given == 0 {
        return Ok(());
    }
    case.unless(given < keys.len(), "box", "x1", "a box needs x1, y1, x2, y2 and pageno")?;
    let [x1, y1, x2, y2, page] = keys.map(|key| case.json.get(key).num());
    let whole = [x1, y1, x2, y2, page].iter().all(|number| number.fract() == 0.0 && *number >= 0.0);
    case.unless(!whole, "box", "x1", "a box has whole numbers of 0 or more")?;
    case.unless(x1 >= x2 || y1 >= y2, "box", "x2", "the box is inverted or empty")?;
    case.unless(page < 1.0, "box", "pageno", "the first page is 1")
}

fn advanced(case: &Case<'_>) -> Verdict {
    let me = case.text("sign_flow") == "me";
    let blocked = case.method() == "fea" && !(case.fea_ready)(case.text("email"), me);
    case.unless(blocked, "fea", "email", "fea needs a contact with first and last name and a valid RUT")
}

fn signer(case: &Case<'_>) -> Result<NewSigner, Refusal> {
    CHECKS.iter().try_for_each(|check| check(case))?;
    let text = |key: &str| case.text(key).to_owned();
    Ok(NewSigner {
        email: text("email"),
        firstname: text("firstname"),
        lastname1: text("lastname1"),
        lastname2: text("lastname2"),
        phone: text("phone"),
        flow: case.json.get("sign_flow").as_text().map(ToOwned::to_owned),
        method: text("sign_method"),
        skip_email: *case.json.get("skip_email") == Json::Bool(true),
        status_callback_url: optional(case.json, "sign_status_callback_url"),
    })
}

/// The signers of a request, all checked.
pub(super) fn signers(
    body: &Json,
    key: &str,
    kind: Kind,
    fea_ready: FeaReady<'_>,
) -> Result<Vec<NewSigner>, Refusal> {
    let items = body.get(key).items();
    if items.is_empty() {
        return Err(invalid("signers", key, "needs at least one signer"));
    }
    let case = |(at, json)| Case { json, field: format!("{key}[{at}]"), kind, fea_ready };
    items.iter().enumerate().map(|item| signer(&case(item))).collect()
}

/// `flow_type`; the vendor's default is `priority`.
pub(super) fn flow_type(body: &Json) -> Result<String, Refusal> {
    let given = body.get("flow_type");
    match given.as_text() {
        None if given.is_missing() => Ok("priority".into()),
        Some(known @ ("priority" | "simultaneously")) => Ok(known.into()),
        _ => Err(invalid("flow_type", "flow_type", "is priority or simultaneously")),
    }
}

/// `expiration` in days, if it was given.
pub(super) fn expiration(body: &Json) -> Result<Option<u64>, Refusal> {
    let given = body.get("expiration");
    if given.is_missing() {
        return Ok(None);
    }
    let days = given.strict_num();
    let valid = days.fract() == 0.0 && (1.0..=36_500.0).contains(&days);
    if valid {
        Ok(Some(days as u64))
    } else {
        Err(invalid("expiration", "expiration", "is a whole number of days from 1"))
    }
}

/// E-mails of `shared_list`: objects in V1 and templates, plain texts in V2.
pub(super) fn shared(body: &Json, kind: Kind) -> Result<Vec<String>, Refusal> {
    let wrong = |what: &str| invalid("shared_list", "shared_list", what);
    let list = body.get("shared_list");
    if !list.is_missing() && !matches!(list, Json::Array(_)) {
        return Err(wrong("is not a list"));
    }
    let read = |item: &Json| match (kind, item) {
        (Kind::Workflow, Json::Text(email)) => Ok(email.clone()),
        (Kind::Workflow, _) => Err(wrong("holds plain e-mails here")),
        (_, Json::Object(_)) => Ok(item.get("email").spelled().to_owned()),
        _ => Err(wrong("holds objects here")),
    };
    let emails: Vec<String> = list.items().iter().map(read).collect::<Result<_, _>>()?;
    if emails.iter().all(|email| is_email(email)) {
        Ok(emails)
    } else {
        Err(wrong("holds what is no e-mail"))
    }
}

/// A text that may be missing, null or empty.
pub(super) fn optional(body: &Json, key: &str) -> Option<String> {
    body.get(key).as_text().filter(|text| !text.is_empty()).map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests;
