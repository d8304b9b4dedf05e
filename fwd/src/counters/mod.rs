//! What happened to every frame, counted without atomic read-modify-writes and read without tearing.
//!
//! One thread writes a block, any thread reads it. During a turn the writer counts in memory of its
//! own; at the end of the turn, when its transmit bins are empty, it publishes the ports that
//! changed under a sequence number. So a reader sees only states in which every frame has ended
//! somewhere: [`Accounting::difference`] is 0 at any instant, not only at rest.
//!
//! A reader of many ports would rarely find a pause between two turns of a busy worker, so it asks
//! for one: while [`WorkerCounters::snapshot`] runs, the writer postpones publication (it does not
//! wait; it goes on counting in its own memory).

mod note;
mod shared;
mod slots;
mod snapshot;
mod writer;

pub use note::Note;
pub use shared::WorkerCounters;
pub use slots::{CounterLayout, CounterSlots, Owner, PortSlot, TrunkBlock};
pub use snapshot::{Accounting, Lost, PortSnapshot, Snapshot, Traffic, VidSnapshot};
pub use writer::{CounterWriter, counters};
