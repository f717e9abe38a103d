//! The wire types of the web synchronisation, both ways exactly as they travel (contract 3.6, 3.7).
//!
//! **All of it is our own design** and not the vendor's protocol.
