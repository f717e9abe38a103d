//! Everything that the contract assumes, in one value (contract M2, 2.5).
//!
//! **None of this is the vendor's protocol.** It is what this crate and its sandbox assume where nothing is public; change what the
//! installation at hand does differently.

use std::time::Duration;

use integration_core::{Error, Fault};

use crate::time::LocalTimes;

/// How long lists are asked for (contract 4.8 G1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Paging {
    /// `sorter=fid` and `fid > last`; where the service refuses that filter, by `start`.
    Keyset,
    /// By `start`, a row offset from 0 (observed only).
    Offset,
}

/// What tells that a single element is not there. Anything else is an error, and never "gone".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct NotFoundRule {
    /// HTTP 404 with an empty body or JSON; a page for people is an error, since it tells of the address and not of the element.
    pub http_404: bool,
    /// 200 with `success` false and no record.
    pub success_false: bool,
}

/// The columns of a customer's point.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct CustomerColumns {
    /// CPF or CNPJ (its existence is documented).
    pub document: String,
    /// The contract (its existence is documented).
    pub contract: String,
    /// The name.
    pub name: String,
    /// `fid` of the splitter.
    pub splitter: String,
    /// The port, from 1.
    pub port: String,
}

/// When removals of a full compare are held back (contract 4.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct GuardLimits {
    /// More than so many.
    pub items: u64,
    /// More than so many per cent of what is stored,
    pub percent: u8,
    /// which counts from so many stored items on.
    pub percent_from: u64,
}

/// Whether confirmed links are written back (contract 3.6). The body is assumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteBack {
    /// Never.
    Disabled,
    /// By `cliente/save`, as the contract assumes it.
    Http,
}

/// Every assumption, with the contract's defaults.
///
/// ```
/// use geosite::Assumptions;
///
/// let mut assumptions = Assumptions::default();
/// assumptions.change_column = Some("dataAlteracao".into());
/// assert_eq!((assumptions.page_size, assumptions.role_column.as_str()), (500, "tipo"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Assumptions {
    /// The column of the last change; unset means that every run reads everything. `check` proposes candidates, a human sets it.
    pub change_column: Option<String>,
    /// How date-times are written: `yyyy-MM-dd HH:mm:ss`.
    pub change_literal_format: String,
    /// In which zone: `America/Sao_Paulo`.
    pub change_zone: String,
    /// The column of a splitter's role: `tipo`.
    pub role_column: String,
    /// Its values for service splitters: `Atendimento`.
    pub role_service_values: Vec<String>,
    /// Its values for splitters within the network: `Distribuição`, `Distribuicao`, `Rede`.
    pub role_distribution_values: Vec<String>,
    /// The column that names a splitter's box: `fidCaixaEmenda`.
    pub parent_column: String,
    /// The column of a splitter's number of ports: `qtdPortas`.
    pub port_count_column: String,
    /// The columns of customers.
    pub customer_columns: CustomerColumns,
    /// How lists are paged.
    pub paging: Paging,
    /// Rows per page: 500. A synchronisation, whose lists hold the rows of a page, asks for at most 1,000.
    pub page_size: u32,
    /// What "not there" looks like.
    pub not_found: NotFoundRule,
    /// Days of full runs, local: Saturday and Sunday.
    pub full_run_days: Vec<jiff::civil::Weekday>,
    /// How far an incremental query reaches back behind its cursor: 15 minutes.
    pub overlap: Duration,
    /// How far our clock may be off when the service tells no time: 2 minutes.
    pub clock_skew: Duration,
    /// When removals are held back.
    pub guard: GuardLimits,
    /// The column that tells designed from existing elements; unset.
    pub status_column: Option<String>,
    /// What the status column says of elements that are built, trimmed, without case and accents; none is known, so it is needed
    /// where only existing elements count.
    pub status_existing_values: Vec<String>,
    /// Whether only existing elements count; unless set, if there is a status column.
    pub existing_only: Option<bool>,
    /// Whether confirmed links are written back; heard by `link::Links::assuming`, and by `link::HttpLinkWriter`, which cannot be made
    /// without.
    pub write_back: WriteBack,
}

impl Default for Assumptions {
    fn default() -> Self {
        let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        Self {
            change_column: None,
            change_literal_format: "yyyy-MM-dd HH:mm:ss".into(),
            change_zone: "America/Sao_Paulo".into(),
            role_column: "tipo".into(),
            role_service_values: list(&["Atendimento"]),
            role_distribution_values: list(&["Distribuição", "Distribuicao", "Rede"]),
            parent_column: "fidCaixaEmenda".into(),
            port_count_column: "qtdPortas".into(),
            customer_columns: CustomerColumns {
                document: "documento".into(),
                contract: "contrato".into(),
                name: "nome".into(),
                splitter: "fidSplitter".into(),
                port: "porta".into(),
            },
            paging: Paging::Keyset,
            page_size: 500,
            not_found: NotFoundRule { http_404: true, success_false: true },
            full_run_days: vec![jiff::civil::Weekday::Saturday, jiff::civil::Weekday::Sunday],
            overlap: Duration::from_secs(15 * 60),
            clock_skew: Duration::from_secs(2 * 60),
            guard: GuardLimits { items: 50, percent: 5, percent_from: 20 },
            status_column: None,
            status_existing_values: Vec::new(),
            existing_only: None,
            write_back: WriteBack::Disabled,
        }
    }
}

impl Assumptions {
    /// Whether only existing elements count.
    #[must_use]
    pub fn existing_only(&self) -> bool {
        self.existing_only.unwrap_or(self.status_column.is_some())
    }

    fn existing_faults(&self) -> Vec<Fault> {
        let fault = |path: &'static str, hint: &'static str| Fault::error("ASSUMPTION", path).with_hint(hint);
        if !self.existing_only() {
            Vec::new()
        } else if self.status_column.is_none() {
            vec![fault("status_column", "`existing_only` needs the column that tells designed from existing")]
        } else if self.status_existing_values.is_empty() {
            let hint =
                "say what the column holds for elements that are built, or set `existing_only` to false";
            vec![fault("status_existing_values", hint)]
        } else {
            Vec::new()
        }
    }

    /// # Errors
    /// A validation error with every setting that cannot work.
    pub(crate) fn times(&self) -> Result<LocalTimes, Error> {
        let mut faults = Vec::new();
        if self.page_size == 0 {
            faults.push(Fault::error("ASSUMPTION", "page_size").with_expected("at least 1").with_actual("0"));
        }
        faults.extend(self.existing_faults());
        match LocalTimes::new(&self.change_zone, &self.change_literal_format) {
            Ok(times) if faults.is_empty() => Ok(times),
            Ok(_) => Err(Error::validation("configure", faults)),
            Err(more) => {
                faults.extend(more);
                Err(Error::validation("configure", faults))
            }
        }
    }
}
