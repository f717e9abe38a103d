//! What is wrong with a caller's input: every fault at once, each with where, which rule, both values and what to do.
//!
//! A [`Fault`] names its field by the **wire** path (`cuerpofactura[2].monto`), because that is the name that the
//! service's manual, its support desk and its own error messages use.

use std::borrow::Cow;
use std::fmt;

use crate::Error;

/// How many characters of a caller's text a fault repeats. Input may be megabytes long or hold control characters.
const EXCERPT: usize = 60;

/// Whether a fault stops the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing; the call goes on.
    Warning,
    /// The call is not made.
    Error,
}

/// One broken rule.
///
/// ```
/// use integration_core::{Fault, Severity};
///
/// let fault = Fault::error("I1", "cuerpofactura[2].monto")
///     .with_expected("10.00")
///     .with_actual("10.01")
///     .with_hint("monto is precio x cantidad - descuento, rounded half-up to cents");
/// assert_eq!(
///     fault.to_string(),
///     "cuerpofactura[2].monto [I1]: expected 10.00, got 10.01; \
///      monto is precio x cantidad - descuento, rounded half-up to cents",
/// );
/// assert_eq!(fault.severity(), Severity::Error);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    severity: Severity,
    rule: &'static str,
    path: String,
    expected: Cow<'static, str>,
    actual: Cow<'static, str>,
    hint: Cow<'static, str>,
}

impl Fault {
    /// A fault that stops the call. `rule` is the id that the crate's documentation lists.
    #[must_use]
    pub fn error(rule: &'static str, path: impl Into<String>) -> Self {
        Self::new(Severity::Error, rule, path.into())
    }

    /// A fault that is reported while the call goes on.
    #[must_use]
    pub fn warning(rule: &'static str, path: impl Into<String>) -> Self {
        Self::new(Severity::Warning, rule, path.into())
    }

    fn new(severity: Severity, rule: &'static str, path: String) -> Self {
        let empty = Cow::Borrowed("");
        Self { severity, rule, path, expected: empty.clone(), actual: empty.clone(), hint: empty }
    }

    /// Says what the rule asks for.
    #[must_use]
    pub fn with_expected(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.expected = text.into();
        self
    }

    /// Says what was found; long or unprintable input is shortened and escaped, and quoted unless it is a plain number.
    #[must_use]
    pub fn with_actual(mut self, text: impl AsRef<str>) -> Self {
        let text = text.as_ref();
        let plain = !text.is_empty() && text.len() <= EXCERPT && text.bytes().all(is_numeric);
        self.actual = Cow::Owned(if plain { text.to_owned() } else { excerpt(text) });
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn with_hint(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.hint = text.into();
        self
    }

    /// The same fault with another severity.
    #[must_use]
    pub fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// The same fault with every text changed by `mask`.
    pub(crate) fn masked(mut self, mask: impl Fn(&str) -> String) -> Self {
        self.path = mask(&self.path);
        for text in [&mut self.expected, &mut self.actual, &mut self.hint] {
            *text = Cow::Owned(mask(text));
        }
        self
    }

    /// Whether it stops the call.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.severity
    }

    /// The id of the broken rule, for example `I8`.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        self.rule
    }

    /// The field, in wire names.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What the rule asks for; empty when the rule has no single right value.
    #[must_use]
    pub fn expected(&self) -> &str {
        &self.expected
    }

    /// What was found, shortened.
    #[must_use]
    pub fn actual(&self) -> &str {
        &self.actual
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]:", self.path, self.rule)?;
        match (self.expected.is_empty(), self.actual.is_empty()) {
            (false, false) => write!(f, " expected {}, got {}", self.expected, self.actual)?,
            (false, true) => write!(f, " expected {}", self.expected)?,
            (true, false) => write!(f, " got {}", self.actual)?,
            (true, true) => {}
        }
        let separator = if self.expected.is_empty() && self.actual.is_empty() { " " } else { "; " };
        if self.hint.is_empty() { Ok(()) } else { write!(f, "{separator}{}", self.hint) }
    }
}

/// Collects faults, so that a caller sees all of them and not the first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// An empty collection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// Whether any of them stops the call.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|fault| fault.severity == Severity::Error)
    }

    /// Those that stop the call.
    pub fn errors(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter().filter(|fault| fault.severity == Severity::Error)
    }

    /// Those that do not.
    pub fn warnings(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter().filter(|fault| fault.severity == Severity::Warning)
    }

    /// All of them, in the order found.
    #[must_use]
    pub fn as_slice(&self) -> &[Fault] {
        &self.0
    }

    /// All of them, in the order found.
    #[must_use]
    pub fn into_vec(self) -> Vec<Fault> {
        self.0
    }

    /// The warnings, if nothing stops the call.
    ///
    /// # Errors
    /// A validation error of `operation` with all of them, warnings included, if one stops the call.
    ///
    /// ```
    /// use integration_core::{Fault, Faults};
    ///
    /// let mut faults = Faults::new();
    /// faults.push(Fault::warning("SIZE", "$"));
    /// assert_eq!(faults.clone().into_result("issue")?.len(), 1);
    /// faults.push(Fault::error("R3", "nombrecliente"));
    /// assert_eq!(faults.into_result("issue").unwrap_err().faults().len(), 2);
    /// # Ok::<(), integration_core::Error>(())
    /// ```
    pub fn into_result(self, operation: impl Into<Cow<'static, str>>) -> Result<Vec<Fault>, Error> {
        if self.has_errors() {
            return Err(Error::validation(operation, self.0).with_hint("correct the fields named above"));
        }
        Ok(self.0)
    }
}

impl Extend<Fault> for Faults {
    fn extend<T: IntoIterator<Item = Fault>>(&mut self, faults: T) {
        self.0.extend(faults);
    }
}

fn is_numeric(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'.' | b'-')
}

/// The beginning of a text in quotes, with control characters escaped and its length told when it was cut.
///
/// ```
/// assert_eq!(integration_core::fault::excerpt("a\nb"), r#""a\nb""#);
/// ```
#[must_use]
pub fn excerpt(text: &str) -> String {
    let shown: String = text.chars().take(EXCERPT).flat_map(escape).collect();
    let total = text.chars().count();
    if total > EXCERPT { format!("\"{shown}...\" ({total} characters)") } else { format!("\"{shown}\"") }
}

/// One line, printable, of at most `limit` characters: for texts that came from outside.
pub(crate) fn one_line(text: &str, limit: usize) -> String {
    let shown: String = text.trim().chars().take(limit).flat_map(escape).collect();
    if text.trim().chars().nth(limit).is_some() { shown + "..." } else { shown }
}

fn escape(c: char) -> impl Iterator<Item = char> {
    // Control and bidirectional characters could forge lines in a log or hide what a message says.
    let hostile = c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    let plain = (!hostile).then_some(c);
    plain.into_iter().chain((hostile).then(|| c.escape_default()).into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_hostile_input_is_shortened_and_escaped() {
        let shown = excerpt(&"\u{1b}".repeat(10_000_000));
        assert!(shown.len() < 600 && shown.contains("(10000000 characters)") && !shown.contains('\u{1b}'));
        assert_eq!(excerpt("niño 🧾"), "\"niño 🧾\"");
        assert!(!excerpt("a\u{202e}b").contains('\u{202e}'));
    }

    #[test]
    fn one_line_never_breaks_the_line() {
        assert_eq!(one_line(" a\r\nb ", 10), "a\\r\\nb");
        assert_eq!(one_line("abcdef", 3), "abc...");
    }

    #[test]
    fn warnings_and_errors_are_kept_apart() {
        let mut faults = Faults::new();
        faults.push(Fault::warning("I14", "formasdepago"));
        assert!(!faults.has_errors());
        faults.push(Fault::error("I12", "total"));
        assert_eq!((faults.errors().count(), faults.warnings().count()), (1, 1));
    }
}
