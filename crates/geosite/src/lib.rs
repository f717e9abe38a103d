//! Skeleton.

pub mod link;
pub mod picture;
pub mod schedule;
