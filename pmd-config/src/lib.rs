//! The machine Sluice runs on: what the node file asks for, what the host has, whether the two fit,
//! and bringing it up.
//!
//! ```text
//!   sluice.toml --parse--> NodeFile --+
//!                                     +--check--> Report { findings, Plan } --bring_up--> Running
//!   /sys, /proc --probe--> Host ------+
//! ```
//!
//! **Architecture invariant:** a plan is data and is validated before any device is touched; no
//! frame is ever seen here. Everything up to the plan reads below a root folder that the caller
//! names, so that a test can hand it a made-up host; only [`bring_up`] knows DPDK.

pub mod amount;
pub mod bring_up;
pub mod check;
pub mod claim;
pub mod cpu_set;
pub mod instance;
pub mod node;
pub mod plan;
pub mod probe;
