//! What the gateway decides, and nothing else.
//!
//! Types, wire formats, topology and its validation, the site file, the forwarding oracle, and the
//! compilation of a topology into the tables that the data plane reads.
//!
//! **Architecture invariant:** no I/O, clock, thread, random number, async runtime, DPDK or `unsafe`.
//! The same input gives the same output in the same order, on every host and in every test.
#![forbid(unsafe_code)]

pub mod compile;
pub mod election;
pub mod oracle;
pub mod reason;
pub mod site;
pub mod snoop;
pub mod topology;
pub mod types;
pub mod underlay;
pub mod wire;
