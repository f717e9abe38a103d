//! x
#[derive(Debug, Clone)]
/// x
pub struct Metadata;
