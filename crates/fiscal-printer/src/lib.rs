//! Typed client for the SMART digital fiscal printing house.
