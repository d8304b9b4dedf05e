//! The data plane: pipeline, MAC table, counters.
//!
//! **Architecture invariant:** on the packet path no allocation, lock, system call, log line, panic
//! or `dyn`; nothing of DPDK or of an async runtime anywhere, so that the crate runs under Miri,
//! loom, fuzzers and benches. Time is an argument.
//!
//! ```text
//!  control side                                        a worker
//!  Tables -> Image -> Publisher ==== mailboxes ====> Worker::burst
//!  Learner <======================= learn events ====   |
//!     |  inserts, ages, removes                         |  looks up, refreshes, moves
//!     +------------------> MacTable <-------------------+
//! ```

pub mod counters;
mod events;
pub mod frame;
pub mod heap;
mod image;
mod isa;
mod learner;
mod live;
pub mod mac;
pub mod neighbors;
mod pipeline;
mod publication;
mod storm;
mod sync;
pub mod trace;
pub mod underlay;

pub use events::{
    DropSample, PROTOCOL_OCTETS, PUNT_OCTETS, ProtocolEvent, ProtocolFrame, PuntFrame,
    SAMPLE_OCTETS,
};
pub use frame::{BURST, Frame, FrameBurst, Io};
pub use image::{Image, ImageError, ImageParts};
pub use isa::prefetch_octet as prefetch;
#[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
pub use isa::time_stamp;
pub use learner::{Learner, LearnerOptions, Released, Turn};
pub use live::Live;
pub use pipeline::{Worker, WorkerParts};
pub use publication::{ImageReceiver, Publisher, publication};
