//! The real `sluiced`, on real kernel interfaces, asked through its real API.
//!
//! Each test makes a network and a mount namespace of its own and starts the daemon as a child, so
//! each needs a process of its own: run as root with `cargo nextest run`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "helpers of tests stop the test, and tests read the clock"
)]

mod apply;
mod client;
mod devices;
mod faults;
mod frames;
mod gateway;
mod lifecycle;
mod macs;
mod overlay;
mod packets;
mod protocols;
mod underlay;
mod wire;
