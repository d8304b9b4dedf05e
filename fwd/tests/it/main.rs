//! The data plane as its users see it, judged by the oracle.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "helpers of tests are tests; generators take the low bits of random words"
)]

mod accounting;
mod bench;
mod budgets;
mod differential;
mod generate;
mod overlay;
mod publication;
mod random;
mod rules;
mod scale;
mod tunnels;
mod underlay;
