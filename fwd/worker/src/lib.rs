//! Binds the pipeline to DPDK: one pinned thread per worker that receives, forwards and sends, and
//! never waits.
//!
//! ```text
//!   control thread                        worker 0                    worker 1
//!   Publisher ---- images ------------->  poll_image                  poll_image
//!   LinkMonitor -- link flags --------->  rx queues -> burst -> bins  (the same)
//!   Originator --- frames ------------->  originate, inject
//!   WorkerHandle <- stamp, cycles ------  flush -> tx queues <- hand-over ring
//! ```
//!
//! **Architecture invariant:** no policy, and a worker never waits: no lock, no allocation, no log
//! line; on a dedicated core no system call either beside those of a driver. A queue has one owner.
//! Where a device has fewer transmit queues than there are workers, the owner of a queue sends for
//! the others, which hand it frames through rings.
#![forbid(unsafe_code)]

mod backoff;
mod frame;
mod handle;
mod io;
mod links;
mod originate;
mod ports;
mod run;

pub use backoff::Sharing;
pub use frame::MbufFrame;
pub use handle::{Observation, SpawnError, Stopped, WorkerHandle, WorkerPlan, spawn};
pub use links::{LinkChange, LinkMonitor, Links};
pub use originate::{OriginateError, Originator};
pub use ports::{Attachment, PortPlan, WorkerPorts, distribute};
