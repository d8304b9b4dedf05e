//! The MAC table: which member of a learning domain a station is behind.
//!
//! One entry is one 64-bit word and one bucket is one cache line of seven entries, so a lookup
//! touches one line and an entry changes by one atomic store. Workers look up, refresh ages and move
//! stations; one [`MacWriter`] on a control thread inserts, removes, ages and grows.
//!
//! A worker's use of it, per burst:
//!
//! 1. [`MacTable::hash`] for all sources and destinations, [`MacTable::prefetch`] for each;
//! 2. [`MacTable::find`] with the burst's [`Kernel`];
//! 3. for a source: unknown -> a [`LearnEvent`] to the writer; known here -> [`Hit::refresh`] if
//!    [`Hit::is_stale`]; known elsewhere -> [`Hit::move_to`] and a `LearnEvent` with `moved_from`.

mod age;
mod bucket;
mod counts;
mod kernel;
mod kernel_memory;
#[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
mod kernel_x86;
mod permute;
mod store;
mod table;
mod word;
mod writer;

pub use age::{AgeClock, AgeEpoch, AgeTable};
#[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
pub use kernel::{Avx2, Avx512};
pub use kernel::{Burst, Isa, Kernel, Scalar};
pub use permute::Seed;
pub use table::{Hashed, Hit, MacTable, TableError};
pub use writer::{
    EntryView, GrowthStage, LearnEvent, Learned, MacWriter, Refusal, Statistics, SweepProgress,
    Verdict,
};

#[cfg(test)]
#[cfg(loom)]
mod loom_tests;
#[cfg(test)]
#[cfg(not(loom))]
mod tests;
