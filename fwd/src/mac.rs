//! The MAC table: which member of a learning domain a station is behind.
//!
//! One entry is one 64-bit word and one bucket is one cache line of seven entries, so a lookup
//! touches one line and an entry changes by one atomic store. Workers look up, refresh ages and move
//! stations; one [`MacWriter`] on a control thread inserts, removes, ages and grows.
//!
//! ```text
//!  key = fid 16 bits, MAC 48 bits --keyed bijection--> low b bits: home bucket | remainder
//!
//!  bucket (64 octets): [ meta | entry | entry | entry | entry | entry | entry | entry ]
//!  entry  (8 octets):  [ remainder 64-b | 0.. | alternate 1 | static 1 | age 3 | member 12 ]
//!  meta   (8 octets):  [ version 32 | 16 counters of 2 bits: keys that live in their alternate ]
//! ```
//!
//! Bucket, alternate bit and remainder *are* the key, so there are no false positives and nothing
//! else to compare. A key lives in its home bucket or, when that is full, in one other. A miss at
//! home whose counter is zero is final: hits and misses alike take one line, but for the entries in
//! alternate buckets (at 75 % load about one in fifteen). Learning stops at 90 % of the slots, which
//! is 10.2 octets an entry; displacement still finds room beyond 95 % for static entries.
//!
//! A flush needs no scan: the compiled image gives the member a new number and the old one reads as
//! "unknown" at once; the writer's sweep removes the entries later.
//!
//! A worker's use of it, per burst:
//!
//! 1. [`MacTable::hash`] for all sources and destinations, [`MacTable::prefetch`] for each;
//! 2. [`MacTable::find`] with the burst's [`Kernel`];
//! 3. for a source: unknown -> a [`LearnEvent`] to the writer; known here -> [`Hit::refresh`] if
//!    [`Hit::is_stale`]; known elsewhere -> [`Hit::move_to`] and a `LearnEvent` with `moved_from`
//!    (reserve the place in the event ring *before* the move, or the writer's counts drift).
//!
//! The control thread, per turn: [`AgeClock::advance`]; [`MacWriter::learn`] for all events;
//! [`MacWriter::sweep`] for some buckets (then [`AgeClock::sweep_completed`] when it says so);
//! [`MacWriter::grow`] when [`MacWriter::is_crowded`].
//!
//! Tests explore the races under loom (`RUSTFLAGS="--cfg loom" cargo test -p fwd --release
//! mac::loom`). Under `cfg(miri)` and `cfg(loom)` only the scalar kernel and plain memory exist.

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
