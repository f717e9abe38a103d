//! Shared ground of the integration clients.
