//! Helpers of the flow tests.
