//! Which part of a list is read (contract 3.3 and 4.7).

use integration_core::body::page::Pages;
use integration_core::{Error, Fault, Faults};

use crate::desk::{Ask, Desk, check_page_size, only_an_empty_page_ends};
use crate::wire::Record;

/// Names that the client itself sends.
const RESERVED: [&str; 3] = ["page", "per_page", "api_token"];

/// Which part of a list. Nothing documents pages or filters of Sugester: `page` and `per_page` are sent (assumed), and a list ends at an
/// empty page or at one that brings nothing new. A short page says nothing.
///
/// ```
/// use sugester::crm::ListQuery;
///
/// let query = ListQuery::new().per_page(50).filter("client_id", "17");
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct ListQuery {
    per_page: Option<u32>,
    first: u32,
    filters: Vec<(String, String)>,
}

impl Default for ListQuery {
    fn default() -> Self {
        Self { per_page: None, first: 1, filters: Vec::new() }
    }
}

impl ListQuery {
    /// Everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// `per_page`, 1 to 100; the client's unless set.
    pub fn per_page(mut self, records: u32) -> Self {
        self.per_page = Some(records);
        self
    }

    /// Starts at this page; 1 unless set.
    pub fn starting_at(mut self, page: u32) -> Self {
        self.first = page;
        self
    }

    /// A filter such as `client_id`. None is documented, and a service that does not know it gives everything: compare again.
    pub fn filter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.filters.push((name.into(), value.into()));
        self
    }

    fn check(&self, operation: &'static str) -> Result<(), Error> {
        let mut faults = Faults::new();
        if let Some(Err(error)) = self.per_page.map(check_page_size) {
            error.faults().iter().for_each(|fault| faults.push(fault.clone()));
        }
        if self.first == 0 {
            faults.push(Fault::error("PAGE", "page").with_expected("1 or more").with_actual("0"));
        }
        for (name, _) in self.filters.iter().filter(|(name, _)| RESERVED.contains(&name.as_str())) {
            let fault = Fault::error("FILTER", name).with_expected("a filter's name");
            faults.push(fault.with_hint("the client itself sends this one"));
        }
        faults.into_result(operation).map(drop)
    }

    /// The list that `ask` asks for.
    pub(super) fn pages<T: Record>(
        &self,
        desk: &Desk,
        operation: &'static str,
        ask: Ask,
    ) -> Result<Pages<T>, Error> {
        self.check(operation)?;
        let ask = self.filters.iter().fold(ask, |ask, (name, value)| ask.query(name, value));
        let per_page = self.per_page.unwrap_or(desk.per_page());
        Ok(desk.pages(ask, per_page, only_an_empty_page_ends).starting_at(self.first))
    }
}
