//! Shared ground of the integration clients.
pub mod tax;
