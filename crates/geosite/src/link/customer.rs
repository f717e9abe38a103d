//! What goes out about a customer, and nothing else (contract 3.6, 4.3).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{CustomerKey, Position};

/// A customer to be linked. `Debug` shows no name, and the last two characters of the document.
///
/// ```
/// use geosite::CustomerKey;
/// use geosite::link::Subscriber;
///
/// let ann = Subscriber::new(CustomerKey::new("529.982.247-25", 42)?, "Ana Souza");
/// assert!(!format!("{ann:?}").contains("Ana"));
/// # Ok::<(), geosite::Error>(())
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Subscriber {
    /// Document and contract.
    pub key: CustomerKey,
    /// `nome`.
    #[doc(alias = "nome")]
    pub name: String,
    /// `latitude` and `longitude`, if they are to be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[doc(alias("latitude", "longitude"))]
    pub position: Option<Position>,
}

impl Subscriber {
    /// A customer whose place is not to be written.
    #[must_use]
    pub fn new(key: CustomerKey, name: impl Into<String>) -> Self {
        Self { key, name: name.into(), position: None }
    }

    /// With a place, which is written when the customer's port or name is.
    #[must_use]
    pub fn with_position(mut self, position: Position) -> Self {
        self.position = Some(position);
        self
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber").field("key", &self.key).finish_non_exhaustive()
    }
}
