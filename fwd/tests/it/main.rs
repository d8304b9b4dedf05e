//! The data plane as its users see it, judged by the oracle.

mod accounting;
mod bench;
mod differential;
mod generate;
mod publication;
mod random;
mod rules;
mod scale;
