//! Promise 5: no secret is printed.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata, Subscriber};

/// Everything that was traced on this thread, as text.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<String>>);

impl Log {
    pub fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

/// Captures every event and span, at every level, on this thread until the guard is dropped.
pub fn capture() -> (Log, DefaultGuard) {
    let log = Log::default();
    let guard = tracing::subscriber::set_default(Recorder(log.clone()));
    (log, guard)
}

struct Recorder(Log);

impl Recorder {
    fn note(&self, metadata: Option<&Metadata<'_>>, fields: impl FnOnce(&mut Fields)) {
        let mut line = Fields(String::new());
        if let Some(metadata) = metadata {
            let _ = write!(line.0, "{} {} {}", metadata.level(), metadata.target(), metadata.name());
        }
        fields(&mut line);
        let mut log = self.0.0.lock().unwrap();
        log.push_str(&line.0);
        log.push('\n');
    }
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.note(Some(span.metadata()), |line| span.record(line));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        self.note(None, |line| values.record(line));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.note(Some(event.metadata()), |line| event.record(line));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
