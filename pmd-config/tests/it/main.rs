//! Node files brought up on this host: every virtual kind carries frames, failures say why, and a
//! killed predecessor is no obstacle.
//!
//! Each test starts DPDK, so each needs a process of its own, and a network namespace of its own:
//! run as root with `cargo nextest run`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "helpers of tests stop the test, and tests read the clock"
)]

mod failures;
mod kinds;
mod peers;
mod restart;
mod support;
mod wire;
