//! The program from outside: what it prints, where, and how it ends.

mod canned;
mod errors;
mod golden_files;
mod host;
mod offline;
mod requests;
mod server;
mod sluice;
