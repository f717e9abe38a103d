//! Every rule of a flow, each a small function that reports to one list; the order is that of the fields, not of importance.

use std::collections::BTreeSet;

use integration_core::tax::id::Rut;
use integration_core::{Fault, Faults};

use super::builder::FlowBuilder;
use super::pair::{Level, SignFlow, SignMethod};
use super::placement::{Placement, SignBox};
use super::signer::Signer;

/// The limit of V2, in characters (documented there; assumed to be worth a warning in V1).
pub(crate) const ANCHOR_LIMIT: usize = 63;
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 8..=15;

pub(super) fn all(flow: &FlowBuilder) -> Faults {
    let mut faults = Faults::new();
    whole(flow, &mut faults);
    for (index, signer) in flow.signers.iter().enumerate() {
        let at = At { signer, base: format!("signer_list[{index}]"), faults: &mut faults };
        at.check(flow.min_level);
    }
    for (index, copied) in flow.shared.iter().enumerate() {
        email(&copied.email, format!("shared_list[{index}].email"), &mut faults);
    }
    repeated(flow, &mut faults);
    faults
}

fn whole(flow: &FlowBuilder, faults: &mut Faults) {
    if let super::Order::Other(order) = &flow.order
        && !order.is_sendable()
    {
        faults.push(unlisted("flow_type".into(), order.as_str()));
    }
    if flow.expiration_days == Some(0) {
        let fault = Fault::error("EXPIRATION", "expiration").with_expected("at least 1").with_actual("0");
        faults.push(fault.with_hint("the life of the links in days"));
    }
    if flow.signers.is_empty() {
        faults.push(Fault::error("SIGNERS", "signer_list").with_hint("add at least one signer"));
    } else if flow.signers.iter().all(|signer| signer.method.is_approval()) {
        let fault = Fault::warning("ONLY-APPROVERS", "signer_list");
        faults.push(fault.with_hint("approvers add no signature: nobody signs this document"));
    }
    let has_subject = flow.document_subject.as_deref().is_some_and(|subject| !subject.trim().is_empty());
    if !has_subject && flow.signers.iter().any(|signer| signer.flow == SignFlow::Portal) {
        let fault = Fault::warning("PORTAL-SUBJECT", "subject");
        faults.push(fault.with_hint("the portal finds a document by its subject: give the document one"));
    }
}

/// The same e-mail or the same word twice.
fn repeated(flow: &FlowBuilder, faults: &mut Faults) {
    let (mut emails, mut anchors) = (BTreeSet::new(), BTreeSet::new());
    for (index, signer) in flow.signers.iter().enumerate() {
        if !emails.insert(signer.email.trim().to_lowercase()) {
            let fault = Fault::warning("SAME-EMAIL", format!("signer_list[{index}].email"));
            faults.push(fault.with_actual(&signer.email).with_hint("takes part twice"));
        }
        if let Placement::Anchor(word) = &signer.placement
            && !anchors.insert(word.trim())
        {
            let fault = Fault::warning("SAME-ANCHOR", format!("signer_list[{index}].anchor"));
            faults.push(fault.with_actual(word).with_hint("two signatures would lie on each other"));
        }
    }
}

fn unlisted(path: String, value: &str) -> Fault {
    Fault::error("OPEN", path)
        .with_actual(value)
        .with_hint("occurs in answers only; `unchecked` sends it nevertheless")
}

fn email(text: &str, path: String, faults: &mut Faults) {
    if !is_email(text) {
        let fault = Fault::error("EMAIL", path).with_expected("one @, something on both sides, no blanks");
        faults.push(fault.with_actual(text));
    }
}

/// Exactly one `@`, something on both sides, no blanks.
pub(crate) fn is_email(text: &str) -> bool {
    let has_blanks = text.chars().any(|c| c.is_whitespace() || c.is_control());
    let sides: Vec<_> = text.split('@').collect();
    !has_blanks && matches!(sides.as_slice(), [name, host] if !name.is_empty() && !host.is_empty())
}

/// 8 to 15 digits after an optional `+`, with separators between.
pub(crate) fn is_phone(text: &str) -> bool {
    let text = text.trim();
    let rest = text.strip_prefix('+').unwrap_or(text);
    let digits = rest.chars().filter(char::is_ascii_digit).count();
    let is_plain = rest.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '.' | '-' | '(' | ')'));
    is_plain && PHONE_DIGITS.contains(&digits)
}

/// One signer under examination.
struct At<'a> {
    signer: &'a Signer,
    base: String,
    faults: &'a mut Faults,
}

impl At<'_> {
    fn check(mut self, min_level: Option<Level>) {
        self.pair();
        email(&self.signer.email, self.path("email"), self.faults);
        self.needs();
        self.phone();
        self.rut();
        self.tablet();
        self.identity();
        self.level(min_level);
        self.placement();
        self.callback();
    }

    fn path(&self, field: &str) -> String {
        format!("{}.{field}", self.base)
    }

    fn error(&self, rule: &'static str, field: &str) -> Fault {
        Fault::error(rule, self.path(field))
    }

    fn pair(&mut self) {
        let signer = self.signer;
        let mut is_open = false;
        if let SignFlow::Other(flow) = &signer.flow
            && !flow.is_sendable()
        {
            is_open = true;
            self.faults.push(unlisted(self.path("sign_flow"), flow.as_str()));
        }
        if let SignMethod::Other(method) = &signer.method
            && !method.is_sendable()
        {
            is_open = true;
            self.faults.push(unlisted(self.path("sign_method"), method.as_str()));
        }
        // Who forces one value vouches for the pair.
        if is_open || signer.is_unchecked() || signer.flow.allows(&signer.method) {
            return;
        }
        let allowed: Vec<_> = signer.flow.methods().iter().map(SignMethod::as_str).collect();
        let fault = self.error("PAIR", "sign_method").with_expected(allowed.join(", "));
        let hint = format!("sign_flow {} takes no other method", signer.flow);
        self.faults.push(fault.with_actual(signer.method.as_str()).with_hint(hint));
    }

    /// What the method cannot do without; a bad pair is not also incomplete.
    fn needs(&mut self) {
        let signer = self.signer;
        if !signer.is_unchecked() && !signer.flow.allows(&signer.method) {
            return;
        }
        match signer.method {
            SignMethod::Sms => self.text("phone", signer.phone.as_deref()),
            SignMethod::Fea => {
                self.text("firstname", signer.firstname.as_deref());
                self.text("lastname1", signer.lastname1.as_deref());
                self.text("rut", signer.rut.as_deref());
            }
            SignMethod::TabletSign => {
                self.text("device_id", signer.device_id.as_deref());
                self.present("is_fingerprint", signer.is_fingerprint.is_some());
                self.present("is_NID", signer.is_nid.is_some());
            }
            _ => {}
        }
    }

    fn text(&mut self, field: &str, value: Option<&str>) {
        self.present(field, value.is_some_and(|text| !text.trim().is_empty()));
    }

    fn present(&mut self, field: &str, is_present: bool) {
        if !is_present {
            let hint = format!("sign_method {} needs it", self.signer.method);
            let fault = self.error("REQUIRED", field).with_hint(hint);
            self.faults.push(fault);
        }
    }

    fn phone(&mut self) {
        let Some(phone) = self.signer.phone.as_deref().filter(|phone| !phone.trim().is_empty()) else {
            return;
        };
        if !is_phone(phone) {
            let fault = self.error("PHONE", "phone").with_expected("8 to 15 digits, + before them at most");
            self.faults.push(fault.with_actual(phone));
        }
    }

    fn rut(&mut self) {
        let Some(rut) = self.signer.rut.as_deref().filter(|rut| !rut.trim().is_empty()) else { return };
        let is_strict = self.signer.method == SignMethod::Fea;
        let read = if is_strict { rut.parse::<Rut>() } else { Rut::parse_lenient(rut) };
        if let Err(error) = read {
            let fault =
                if is_strict { self.error("RUT", "rut") } else { Fault::warning("RUT", self.path("rut")) };
            self.faults.push(fault.with_actual(rut).with_hint(error.to_string()));
        }
    }

    fn tablet(&mut self) {
        let signer = self.signer;
        if signer.method == SignMethod::TabletSign || signer.is_unchecked() {
            return;
        }
        let given = [
            ("device_id", signer.device_id.is_some()),
            ("is_fingerprint", signer.is_fingerprint.is_some()),
            ("is_NID", signer.is_nid.is_some()),
        ];
        for (field, _) in given.into_iter().filter(|(_, is_given)| *is_given) {
            let fault = self.error("TABLET", field).with_hint("goes with sign_method tablet_sign only");
            self.faults.push(fault);
        }
    }

    fn identity(&mut self) {
        let signer = self.signer;
        if signer.method.allows_identity_checks() || signer.is_unchecked() {
            return;
        }
        let asked = [
            ("video_validation", signer.video_validation),
            ("selfie_validation", signer.selfie_validation),
            ("id_validation", signer.id_validation),
        ];
        for (field, _) in asked.into_iter().filter(|(_, is_asked)| *is_asked) {
            let hint = "identity checks go with sign_method sms and no_sms only";
            let fault = self.error("IDENTITY", field).with_actual(signer.method.as_str()).with_hint(hint);
            self.faults.push(fault);
        }
    }

    fn level(&mut self, min_level: Option<Level>) {
        let level = self.signer.method.level();
        let Some(least) = min_level.filter(|least| level < *least && !self.signer.method.is_approval())
        else {
            return;
        };
        let fault = self.error("LEVEL", "sign_method").with_expected(format!("{} or more", least.name()));
        let actual = format!("{} ({})", level.name(), self.signer.method);
        self.faults.push(fault.with_actual(actual));
    }

    fn placement(&mut self) {
        let signer = self.signer;
        match &signer.placement {
            Placement::Unset => {}
            Placement::Anchor(word) => self.anchor(word),
            Placement::Box(sign_box) => self.sign_box(sign_box),
        }
    }

    fn anchor(&mut self, word: &str) {
        let length = word.trim().chars().count();
        if length == 0 || word.trim().chars().any(is_line_break) {
            let fault = self.error("ANCHOR", "anchor").with_expected("one line, not empty").with_actual(word);
            self.faults.push(fault);
        } else if length > ANCHOR_LIMIT {
            let fault = Fault::warning("ANCHOR-LENGTH", self.path("anchor"));
            let fault = fault.with_expected("at most 63 characters").with_actual(length.to_string());
            self.faults.push(fault.with_hint("V2 refuses it; V1 is not known to"));
        }
    }

    fn sign_box(&mut self, sign_box: &SignBox) {
        for (name, value) in sign_box.parts() {
            let least = i64::from(name == "pageno");
            let hint = match value {
                None => "a box needs all five of x1, y1, x2, y2, pageno",
                Some(value) if value < least => "measured from the bottom left corner; pages count from 1",
                Some(_) => continue,
            };
            let actual = value.map_or_else(String::new, |value| value.to_string());
            let fault = self.error("BOX", name).with_expected(format!("at least {least}"));
            let fault = if value.is_some() { fault.with_actual(actual) } else { fault };
            self.faults.push(fault.with_hint(hint));
        }
        let width = self.extent("x2", sign_box.x1, sign_box.x2);
        let height = self.extent("y2", sign_box.y1, sign_box.y2);
        if let (Some(width), Some(height)) = (width, height) {
            self.ratio(width, height);
        }
    }

    /// The distance of two corners, which must be above zero.
    fn extent(&mut self, name: &str, from: Option<i64>, to: Option<i64>) -> Option<i128> {
        let (from, to) = (from?, to?);
        if to > from {
            return Some(i128::from(to) - i128::from(from));
        }
        let fault = self.error("BOX", name).with_expected(format!("more than {from}"));
        let fault = fault.with_actual(to.to_string());
        self.faults.push(fault.with_hint("(x1, y1) is the bottom left corner, (x2, y2) the top right one"));
        None
    }

    fn ratio(&mut self, width: i128, height: i128) {
        let (tenfold, is_advised) = (width * 10, width * 10 >= height * 27 && width * 10 <= height * 33);
        if !is_advised {
            let fault = Fault::warning("BOX-RATIO", self.path("x2")).with_expected("between 2.7 and 3.3");
            let actual = format!("{}.{}", tenfold / height / 10, tenfold / height % 10);
            self.faults.push(fault.with_actual(actual).with_hint("three times as wide as high is advised"));
        }
    }

    fn callback(&mut self) {
        let Some(callback) = &self.signer.callback else { return };
        let is_web = |url: &url::Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        if !url::Url::parse(callback.reveal()).is_ok_and(|url| is_web(&url)) {
            // The text is not repeated: it may hold a secret.
            let fault = self.error("CALLBACK", "sign_status_callback_url");
            self.faults.push(fault.with_expected("an absolute http or https URL"));
        }
    }
}

fn is_line_break(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}
