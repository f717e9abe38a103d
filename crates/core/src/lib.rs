//! Shared ground of the integration clients.
pub mod body;
pub mod tax;
