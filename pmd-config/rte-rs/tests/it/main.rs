//! DPDK on software devices. Each test starts an EAL, so each needs a process of its own: run with
//! `cargo nextest run` as root. Tests that touch the network enter a network namespace of their own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "helpers of tests stop the test, and read the clock to stop waiting"
)]

mod eal;
mod kernel_devices;
mod pools;
mod shared_memory;
mod software_devices;
mod support;
