//! Whole flows of the clients against the simulated services, in one binary so that only one is linked.
//!
//! Expected values come from the contracts in `contracts/` or from arithmetic that is independent of the crates under test.
//! Nothing here waits for real, except where a real time limit is the thing tested.

mod support;

mod crash;
mod differential;
mod documents;
mod drafts;
mod fault_matrix;
mod faults;
mod flows;
mod geosite;
mod idempotency;
mod journal;
mod leaks;
mod legale;
mod observability;
mod openapi;
mod packages;
mod strangers;
mod sugester;
mod surface;
