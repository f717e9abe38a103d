//! Which kind of event a URL is for: the only thing that tells (contract 4.6 and trap 4).

use std::fmt;

use crate::kinds::WebhookKind;

/// The path that a webhook came to.
///
/// ```
/// use sugester::kinds::WebhookKind;
/// use sugester::webhook::Route;
///
/// assert_eq!(Route::of(&WebhookKind::InvoiceDestroy), Route::Invoice);
/// assert_eq!(Route::of(&"warehouse:update".into()), Route::Open);
/// assert_eq!(Route::Invoice.name(), "invoice");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Route {
    /// `/client`: `client:create`, `client:update`, `client:destroy`, `client:sync`.
    Client,
    /// `/invoice`: `invoice:create`, `invoice:update`, `invoice:destroy`. The body carries a deal.
    Invoice,
    /// `/product`: `product:…`. The shape is not known, so every body is an [`Unknown`](super::Unknown).
    Product,
    /// `/open`: every kind that the contract does not know. Every body is an [`Unknown`](super::Unknown).
    Open,
}

impl Route {
    /// Every route.
    pub const ALL: [Self; 4] = [Self::Client, Self::Invoice, Self::Product, Self::Open];

    /// The segment of the path, which an [`Observer`](super::Observer) is told too: `client`, `invoice`, `product` or `open`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Invoice => "invoice",
            Self::Product => "product",
            Self::Open => "open",
        }
    }

    /// The route of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|route| route.name() == name)
    }

    /// The route that a row of this kind has to be pointed to.
    #[must_use]
    pub fn of(kind: &WebhookKind) -> Self {
        let family = kind.as_str().split(':').next().unwrap_or_default();
        Self::named(family).unwrap_or(Self::Open)
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_kind_has_the_route_of_its_family() {
        for kind in WebhookKind::LISTED {
            let family = kind.as_str().split_once(':').unwrap().0;
            assert_eq!(Route::of(kind).name(), family);
        }
        for other in ["", "clients:create", "open:x", "deal"] {
            assert_eq!(Route::of(&other.into()), Route::Open, "{other:?}");
        }
        for route in Route::ALL {
            assert_eq!(Route::named(route.name()), Some(route));
        }
    }
}
