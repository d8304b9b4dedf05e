//! `sluiced`: the composition root.
#![forbid(unsafe_code)]

pub mod args;
pub mod clock;
pub mod condition;
pub mod frame_text;
pub mod logging;
pub mod neighbors;
pub mod requests;
pub mod socket;
pub mod store;
pub mod systemd;
pub mod window;
