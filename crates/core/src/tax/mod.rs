//! What is true about amounts and taxpayers.
