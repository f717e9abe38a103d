//! Everything that was printed, in every way in which a value or an error can be.

use std::error::Error as _;
use std::fmt::{Debug, Write as _};

use integration_core::Error;

/// What was printed of values and of errors, and what errors keep of an answer, which is for whoever asks for it.
#[derive(Default)]
pub struct Printed {
    pub values: String,
    pub errors: String,
    pub kept: String,
}

impl Printed {
    pub fn value(&mut self, what: &dyn Debug) {
        let _ = writeln!(self.values, "{what:?} {what:#?}");
    }

    fn told(&mut self, what: &dyn Debug) {
        let _ = writeln!(self.errors, "{what:?} {what:#?}");
    }

    pub fn error(&mut self, error: &Error) {
        self.told(error);
        self.told(&error.report());
        let _ = writeln!(self.errors, "{error} {error:#} {}", error.report());
        self.told(&(error.hint(), error.faults()));
        let (legale, sugester) =
            (legale::ErrorExt::support_summary(error), sugester::ErrorExt::support_summary(error));
        let _ = writeln!(self.errors, "{legale} {sugester}");
        let mut cause = error.source();
        while let Some(current) = cause {
            let _ = writeln!(self.errors, "{current} {current:?} {current:#?}");
            cause = current.source();
        }
        self.keep(error);
    }

    /// What a program asks an error for, word by word.
    fn keep(&mut self, error: &Error) {
        let said = (error.message(), error.service_code(), error.request_id());
        let _ = writeln!(self.kept, "{said:?}");
        let (field_errors, refused) =
            (sugester::ErrorExt::field_errors(error), sugester::ErrorExt::refused(error));
        let _ = writeln!(self.kept, "{field_errors:?} {refused:?} {:?}", legale::ErrorExt::refusal(error));
        let (geosite, apiges) = (geosite::ErrorExt::problem(error), apiges_sync::ErrorExt::problem(error));
        let _ =
            writeln!(self.kept, "{geosite:?} {apiges:?} {:?}", apiges_sync::ErrorExt::service_message(error));
        if let Some(refusal) = fiscal_printer::Refusal::of(error) {
            let _ = writeln!(self.kept, "{refusal} {refusal:?}");
        }
        if let Some(answer) = error.answer() {
            self.value(answer);
            let _ =
                writeln!(self.kept, "{} {:?} {:?}", answer.text(), answer.headers(), answer.content_type());
        }
    }

    pub fn result<T: Debug>(&mut self, result: Result<T, Error>) {
        match result {
            Ok(value) => self.value(&value),
            Err(error) => self.error(&error),
        }
    }

    /// Neither printed nor kept.
    pub fn holds_none_of(&self, what: &str, private: &[&str]) {
        none_of(&format!("{what}, a value"), &self.values, private);
        none_of(&format!("{what}, an error"), &self.errors, private);
        none_of(&format!("{what}, kept"), &self.kept, private);
    }
}

/// # Panics
/// With the surroundings, if `text` holds one of them.
pub fn none_of(what: &str, text: &str, private: &[&str]) {
    for private in private {
        if let Some(at) = text.find(private) {
            let (before, after) = text.split_at(at);
            let before: Vec<_> = before.chars().rev().take(300).collect();
            let before: String = before.into_iter().rev().collect();
            let after: String = after.chars().take(private.len() + 100).collect();
            panic!("{what} shows {private}: {before}{after}");
        }
    }
}
