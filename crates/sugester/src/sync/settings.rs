//! How a synchronisation is set up. Everything that the contract assumes is a setting here, with the contract's default.

use std::time::Duration;

use super::conflict::ConflictPolicy;
use super::deal::DealSettings;
use super::loop_guard::LoopGuard;
use super::mapping::Mapping;
use crate::value::AppKey;

/// How both systems are kept in step.
///
/// ```
/// use std::time::Duration;
/// use sugester::sync::{ConflictPolicy, Settings};
///
/// let settings = Settings::new("acme")
///     .policy(ConflictPolicy::ReportOnly)
///     .full_scan_every(Duration::from_secs(6 * 3_600))
///     .match_tax_no(true);
/// assert_eq!(settings.name(), "acme");
/// ```
#[derive(Debug, Clone)]
pub struct Settings {
    pub(super) name: String,
    pub(super) app: AppKey,
    pub(super) mapping: Mapping,
    pub(super) policy: ConflictPolicy,
    pub(super) guard: LoopGuard,
    pub(super) deals: DealSettings,
    pub(super) with_clients: bool,
    pub(super) with_invoices: bool,
    pub(super) match_tax_no: bool,
    pub(super) overlap: Duration,
    pub(super) full_scan_every: Duration,
    pub(super) settling: Duration,
    pub(super) lease: Duration,
    pub(super) most_failures_in_a_row: u32,
    pub(super) locale: String,
}

impl Settings {
    /// The contract's defaults, for the integration of this name: all that it remembers stands in the store under it.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            app: AppKey::default(),
            mapping: Mapping::default(),
            policy: ConflictPolicy::default(),
            guard: LoopGuard::default(),
            deals: DealSettings::default(),
            with_clients: true,
            with_invoices: true,
            match_tax_no: false,
            overlap: Duration::from_secs(600),
            full_scan_every: Duration::from_secs(24 * 3_600),
            settling: Duration::from_secs(120),
            lease: Duration::from_secs(120),
            most_failures_in_a_row: 10,
            locale: "es".to_owned(),
        }
    }

    /// The name of the integration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key of `external_ids`, for clients and deals; `bitfactura` unless set.
    #[must_use]
    pub fn app(self, app: AppKey) -> Self {
        Self { deals: self.deals.app(app.clone()), app, ..self }
    }

    /// Which fields are carried.
    #[must_use]
    pub fn mapping(self, mapping: Mapping) -> Self {
        Self { mapping, ..self }
    }

    /// Who wins where a field was changed on both sides.
    #[must_use]
    pub fn policy(self, policy: ConflictPolicy) -> Self {
        Self { policy, ..self }
    }

    /// How often one record may be written.
    #[must_use]
    pub fn guard(self, guard: LoopGuard) -> Self {
        Self { guard, ..self }
    }

    /// Which documents get deals. Its key of `external_ids` is that of [`app`](Self::app).
    #[must_use]
    pub fn deals(self, deals: DealSettings) -> Self {
        Self { deals: deals.app(self.app.clone()), ..self }
    }

    /// Whether clients are kept in step; they are unless set.
    #[must_use]
    pub fn clients(self, clients: bool) -> Self {
        Self { with_clients: clients, ..self }
    }

    /// Whether invoices get deals; they do unless set.
    #[must_use]
    pub fn invoices(self, invoices: bool) -> Self {
        Self { with_invoices: invoices, ..self }
    }

    /// Whether clients that nothing links are the same if they are the only ones with one tax number. Not unless set
    /// (contract 4.2).
    #[must_use]
    pub fn match_tax_no(self, same: bool) -> Self {
        Self { match_tax_no: same, ..self }
    }

    /// How far before the newest record of the last run the next one looks; 10 minutes unless set (contract 4.6).
    #[must_use]
    pub fn overlap(self, overlap: Duration) -> Self {
        Self { overlap, ..self }
    }

    /// After how long BitFactura's lists are read to their end again, which also finds what was deleted there; a day unless set.
    /// Sugester's list of clients is read to its end in every run, for it has no other.
    #[must_use]
    pub fn full_scan_every(self, span: Duration) -> Self {
        Self { full_scan_every: span, ..self }
    }

    /// How long a write whose answer was lost may still take effect; 2 minutes unless set. Until then the record waits: whoever
    /// concludes earlier that nothing happened creates a double. Must be longer than the time limit of a call.
    #[must_use]
    pub fn settling(self, span: Duration) -> Self {
        Self { settling: span, ..self }
    }

    /// After how many failures in a row that are no refusals a run ends; 10 unless set. A first run ends after 5 of any kind
    /// (contract 4.4).
    #[must_use]
    pub fn most_failures_in_a_row(self, failures: u32) -> Self {
        Self { most_failures_in_a_row: failures.max(1), ..self }
    }

    /// `locale` of what is pushed in a first run; `es` unless set (contract 4.4).
    #[must_use]
    pub fn locale(self, locale: impl Into<String>) -> Self {
        Self { locale: locale.into(), ..self }
    }
}
