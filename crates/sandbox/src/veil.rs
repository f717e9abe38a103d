//! Texts as people may see them: credentials hidden, JSON laid out.
//!
//! Three nets, since each has holes: what the sandbox itself hands out as a credential, what has the form of a JWT,
//! and what stands under a name such as `password`. Numbers stay as they were written.

/// What stands in the place of a credential.
pub(crate) const HIDDEN: &str = "•••";
/// Parts of the names of fields, in lower case without separators, whose values are hidden.
const SECRET_NAMES: [&str; 10] = [
    "password",
    "passwd",
    "contrasena",
    "clave",
    "senha",
    "token",
    "secret",
    "apikey",
    "authorization",
    "credential",
];
/// Longer texts in JSON are cut: files in base64 say nothing to people.
const LONG: usize = 600;
const JWT_AT_LEAST: usize = 20;

/// Hides credentials; knows those of one sandbox.
#[derive(Clone, Default)]
pub(crate) struct Veil {
    known: Vec<String>,
}

impl std::fmt::Debug for Veil {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "a veil over {} credentials", self.known.len())
    }
}

impl Veil {
    pub(crate) fn new<'a>(known: impl IntoIterator<Item = &'a str>) -> Self {
        let mut all: Vec<String> = Vec::new();
        for secret in known.into_iter().filter(|secret| secret.len() >= 4) {
            all.extend([secret.to_owned(), secret.replace('/', "%2F"), secret.replace('/', "%2f")]);
        }
        // A secret may contain another one.
        all.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        all.dedup();
        Self { known: all }
    }

    /// A path, a query, or any other text.
    pub(crate) fn text(&self, text: &str) -> String {
        let known = self.known.iter().fold(text.to_owned(), |text, secret| text.replace(secret, HIDDEN));
        pairs(&tokens(&known))
    }

    /// A body; one that begins like JSON is laid out, even if its end is missing.
    pub(crate) fn body(&self, text: &str) -> String {
        let json = text.trim_start().starts_with(['{', '[']);
        self.text(&if json { Layout::of(text) } else { text.to_owned() })
    }
}

/// Whether the value of a field of this name is hidden.
pub(crate) fn is_secret(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let plain = plain.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|secret| plain.contains(secret))
}

/// Hides what has the form of a JWT.
fn tokens(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, token)) = rest.find("eyJ").and_then(|at| rest.split_at_checked(at)) {
        let end =
            token.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))).unwrap_or(token.len());
        let (token, after) = token.split_at_checked(end).unwrap_or((token, ""));
        out.push_str(before);
        out.push_str(if token.len() >= JWT_AT_LEAST { HIDDEN } else { token });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Hides values in `name=value`, as in a query or a form.
fn pairs(text: &str) -> String {
    let ends = |c: char| c == '&' || c == '"' || c == '<' || c.is_whitespace();
    let mut out = String::with_capacity(text.len());
    for piece in text.split_inclusive(ends) {
        let body = piece.trim_end_matches(ends);
        let hidden = body.split_once('=').and_then(|(name, value)| {
            let own = name.rsplit(['?', '&', ';']).next().unwrap_or(name);
            (!value.is_empty() && is_secret(own)).then_some(name)
        });
        match hidden {
            Some(name) => {
                out.push_str(&format!("{name}={HIDDEN}"));
                out.push_str(piece.strip_prefix(body).unwrap_or_default());
            }
            None => out.push_str(piece),
        }
    }
    out
}

/// Lays JSON out token by token, so that numbers keep their digits and a missing end is no error.
#[derive(Debug, Default)]
struct Layout {
    out: String,
    depth: usize,
    /// The text read last, which is a name if a colon follows.
    name: String,
    /// Set between a secret name's colon and the end of its value.
    hides: bool,
    /// Depth at which a hidden list or object ends.
    hidden_until: Option<usize>,
}

impl Layout {
    fn of(text: &str) -> String {
        let mut layout = Self::default();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '"' => layout.string(&quoted(&mut chars), chars.clone().find(|c| !c.is_whitespace())),
                '{' | '[' => {
                    let close = if c == '{' { '}' } else { ']' };
                    layout.open(c);
                    // Nothing inside stays on one line.
                    while chars.next_if(|c| c.is_whitespace()).is_some() {}
                    if chars.next_if_eq(&close).is_some() {
                        layout.close_empty(close);
                    } else {
                        layout.line();
                    }
                }
                '}' | ']' => layout.close(c),
                ',' => layout.comma(),
                ':' => layout.colon(),
                c if c.is_whitespace() => {}
                c => {
                    let mut scalar = String::from(c);
                    while let Some(next) = chars.next_if(|c| !c.is_whitespace() && !",:]}[{\"".contains(*c)) {
                        scalar.push(next);
                    }
                    layout.scalar(&scalar);
                }
            }
        }
        layout.out
    }

    fn line(&mut self) {
        self.out.push('\n');
        self.out.push_str(&"  ".repeat(self.depth.min(40)));
    }

    fn string(&mut self, text: &str, next: Option<char>) {
        if next == Some(':') {
            self.name = text.to_owned();
            self.out.push_str(&format!("\"{text}\""));
        } else if self.hidden() {
            self.out.push_str(&format!("\"{HIDDEN}\""));
        } else {
            self.out.push_str(&format!("\"{}\"", shortened(text)));
        }
    }

    fn scalar(&mut self, text: &str) {
        self.out.push_str(if self.hidden() && text != "null" { HIDDEN } else { text });
    }

    fn hidden(&self) -> bool {
        self.hides || self.hidden_until.is_some()
    }

    fn colon(&mut self) {
        self.out.push_str(": ");
        self.hides = is_secret(&self.name);
    }

    fn comma(&mut self) {
        self.hides = false;
        self.out.push(',');
        self.line();
    }

    fn open(&mut self, c: char) {
        if std::mem::take(&mut self.hides) && self.hidden_until.is_none() {
            self.hidden_until = Some(self.depth);
        }
        self.out.push(c);
        self.depth = self.depth.saturating_add(1);
    }

    fn close(&mut self, c: char) {
        self.leave();
        self.line();
        self.out.push(c);
    }

    fn close_empty(&mut self, c: char) {
        self.leave();
        self.out.push(c);
    }

    fn leave(&mut self) {
        self.hides = false;
        self.depth = self.depth.saturating_sub(1);
        self.hidden_until = self.hidden_until.filter(|until| self.depth > *until);
    }
}

/// A JSON text up to its closing quote, escapes as they are.
fn quoted(chars: &mut impl Iterator<Item = char>) -> String {
    let mut text = String::new();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => {
                text.push(c);
                text.extend(chars.next());
            }
            c => text.push(c),
        }
    }
    text
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONG).is_some() {
        false => text.to_owned(),
        true => {
            let start: String = text.chars().take(LONG / 6).collect();
            format!("{start}… ({} characters)", text.chars().count())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn veil() -> Veil {
        Veil::new(["abc/acme", "sandbox-password"])
    }

    #[test]
    fn known_credentials_are_hidden_however_they_are_written() {
        let veil = veil();
        assert_eq!(veil.text("/x?api_token=abc%2Facme&page=2"), "/x?api_token=•••&page=2");
        assert_eq!(veil.text("<b>sandbox-password</b>"), "<b>•••</b>");
        assert_eq!(veil.body(r#"{"note":"abc/acme"}"#), "{\n  \"note\": \"•••\"\n}");
    }

    #[test]
    fn values_under_secret_names_are_hidden() {
        let body = veil()
            .body(r#"{"user":"ana","Password":"x","apiToken":12,"api-key":["a",{"b":"c"}],"n":45.320}"#);
        assert!(!body.contains("\"x\"") && !body.contains("12") && !body.contains("\"c\""), "{body}");
        assert!(body.contains("\"ana\"") && body.contains("45.320"), "{body}");
        assert_eq!(
            veil().text("grant_type=password&password=x&client_secret=y"),
            "grant_type=password&password=•••&client_secret=•••"
        );
    }

    #[test]
    fn jwts_are_hidden_anywhere() {
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyIjp7fX0.c2lnbmF0dXJl";
        assert_eq!(veil().text(&format!("Bearer {jwt}, then")), "Bearer •••, then");
        assert_eq!(veil().text("eyJ short"), "eyJ short");
    }

    #[test]
    fn a_cut_body_is_laid_out_as_far_as_it_goes() {
        assert_eq!(
            veil().body(r#"{"a":[1.50,2],"b":{},"password":"sec"#),
            "{\n  \"a\": [\n    1.50,\n    2\n  ],\n  \"b\": {},\n  \"password\": \"•••\""
        );
    }

    #[test]
    fn a_file_in_base64_is_cut_short() {
        let body = veil().body(&format!(r#"{{"file":"{}"}}"#, "A".repeat(5000)));
        assert!(body.len() < 200 && body.contains("(5000 characters)"), "{body}");
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "\\PC{0,80}") {
            let _ = veil().body(&text);
            let _ = veil().body(&format!("{{{text}"));
        }

        #[test]
        fn no_password_survives(secret in "[a-z0-9]{9,12}", name in "(password|api_token|client-secret|clave)") {
            let json = format!(r#"{{"a":[{{"{name}" : "{secret}"}}],"b":1"#);
            prop_assert!(!veil().body(&json).contains(&secret));
            let query = format!("/p?x=1&{name}={secret}");
            prop_assert!(!veil().text(&query).contains(&secret));
        }
    }
}
