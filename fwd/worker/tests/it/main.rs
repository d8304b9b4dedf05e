//! Whole workers on software devices. Each test starts an EAL, so each needs a process of its own:
//! run with `cargo nextest run` as root.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "helpers of tests stop the test, and read the clock to stop waiting"
)]

mod forwarding;
mod hand_over;
mod kernel_interfaces;
mod lifecycle;
mod support;
