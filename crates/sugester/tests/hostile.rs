//! Every kind of call of both clients against every shape of error of contract 3.7 and 3.9: each must end in the right error, say whether
//! it may have been applied, be sent as often as it may, and show the token in no spelling. Expected values are the contract's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[path = "hostile/answers.rs"]
mod answers;
#[path = "hostile/calls.rs"]
mod calls;
mod support;
#[path = "hostile/values.rs"]
mod values;
