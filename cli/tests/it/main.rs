//! The program from outside: what it prints, where, and how it ends.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says where; the setting for tests does not reach helpers"
)]

mod canned;
mod canned_overlay;
mod check;
mod errors;
mod golden_files;
mod host;
mod offline;
mod requests;
mod server;
mod sluice;
