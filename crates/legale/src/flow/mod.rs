//! Placeholder of the flow builder, which is written elsewhere: only what starting a flow needs.

#[allow(dead_code)]
mod pair;

use integration_core::Error;
use serde_json::Value;

pub use pair::{Level, SignFlow, SignMethod};

/// A validated flow.
#[derive(Debug, Clone)]
pub struct Flow(Value);

impl Flow {
    /// A flow from its JSON, unchecked: for tests until the builder is here.
    ///
    /// # Errors
    /// None at present.
    #[doc(hidden)]
    pub fn from_json(body: Value) -> Result<Self, Error> {
        Ok(Self(body))
    }

    pub(crate) fn to_body(&self) -> Value {
        self.0.clone()
    }
}
