//! `sluiced`: the composition root. Node file and site file in, forwarded frames and an API out.
//!
//! ```text
//!   main ---- Engine::start: devices, workers, learning thread, control thread
//!    |
//!    +------- server: gRPC on the control socket; systemd: ready, watchdog; signals
//! ```
//!
//! **Architecture invariant:** the only crate that reads the clock and the environment. No thread of
//! it waits for a worker, and no worker for one of them; every change of what workers run goes
//! through the control thread.
#![forbid(unsafe_code)]

pub mod args;
pub mod clock;
pub mod condition;
pub mod control;
pub mod daemon;
pub mod diagnosis;
pub mod dpdk_log;
pub mod engine;
pub mod exit;
pub mod failures;
pub mod interface;
pub mod learn;
pub mod logging;
pub mod neighbors;
pub mod node;
pub mod peers;
pub mod ports;
pub mod protocol;
pub mod requests;
pub mod samples;
pub mod server;
pub mod service;
pub mod shared;
pub mod socket;
pub mod store;
pub mod systemd;
#[cfg(test)]
mod testing;
pub mod window;
pub mod workers;
