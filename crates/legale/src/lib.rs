//! Typed client for the Legale e-signature service: send documents to be signed, follow, remind, fetch the signed file.
