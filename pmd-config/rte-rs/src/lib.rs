//! Safe DPDK: the part of libdpdk that a gateway needs, with DPDK's prose rules as types.
//!
//! | DPDK says | here |
//! |---|---|
//! | initialise the EAL once per process, before anything else | [`Eal::start`] hands out the only proof; every constructor asks for it |
//! | nothing outlives the EAL | the EAL and its pools live as long as the process |
//! | a queue is polled by one lcore at a time | [`RxQueue`], [`TxQueue`]: `Send`, not `Sync`, not `Clone`, `&mut self` |
//! | do not stop a device while a queue is polled | [`Device::stop`] asks for the queues back |
//! | an mbuf has one owner | [`Mbuf`] is not `Clone`; sending one gives it away |
//! | an lcore id belongs to a thread | [`LcoreThread`] is not `Send` |
//!
//! **Architecture invariant:** the only crate that calls `dpdk-sys`. No C call per packet: receive,
//! transmit, allocate and free take bursts, and the fields of an mbuf are read here.
//!
//! The EAL can be started once per process, so a test binary must run each test in a process of its
//! own: use `cargo nextest run`. Under plain `cargo test` the second test is told so.
//!
//! A `memif`, `vhost-user` or `virtio-user` peer shares memory with this process and the drivers
//! believe its descriptors: such a peer is inside the trust boundary.
#![expect(unsafe_code, reason = "the safe side of the border to C")]

mod clock;
mod devargs;
mod device;
mod eal;
mod errno;
mod event;
mod fragments;
mod gate;
mod kernel;
mod lcore;
mod log;
mod mbuf;
mod mempool;
mod queue;
mod remedy;
mod stats;

pub use clock::{ticks, ticks_per_second};
pub use devargs::{DeviceSpec, InvalidSpec, MacSource, Role};
pub use device::{Device, DeviceConfig, DeviceError, DeviceInfo, EthDevId, Queues, TransmitFree};
pub use eal::{Eal, EalError, EalOptions, Memory, Pci};
pub use errno::Errno;
pub use kernel::{LinkState, UnknownInterface};
pub use lcore::{
    LcoreError, LcoreThread, Scheduling, interrupt, pin_to_cpu, sleep_precisely, wake_promptly,
};
pub use log::{LogLevel, LogLine};
pub use mbuf::{HEADROOM, Mbuf, free_bulk};
pub use mempool::{Mempool, PoolError, PoolOptions, data_room_for_mtu};
pub use queue::{BURST, RxQueue, TxQueue};
pub use remedy::Diagnosis;
pub use stats::{ExtendedStatistic, Statistics};

/// The table above, checked.
mod assertions {
    use crate::{Device, Eal, LcoreThread, Mbuf, Mempool, RxQueue, TxQueue};
    use static_assertions::{assert_impl_all, assert_not_impl_any};

    assert_impl_all!(Eal: Send, Sync, Clone);
    assert_impl_all!(Mempool: Send, Sync, Clone);
    assert_impl_all!(Device: Send, Sync);
    assert_not_impl_any!(Device: Clone);
    assert_impl_all!(RxQueue: Send);
    assert_not_impl_any!(RxQueue: Sync, Clone);
    assert_impl_all!(TxQueue: Send);
    assert_not_impl_any!(TxQueue: Sync, Clone);
    assert_impl_all!(Mbuf: Send);
    assert_not_impl_any!(Mbuf: Clone);
    // Only an owned buffer can be sent or given back: see `TxQueue::transmit` and `free_bulk`.
    assert_not_impl_any!(&'static Mbuf: Into<Mbuf>);
    assert_not_impl_any!(std::sync::Arc<Mbuf>: Into<Mbuf>);
    assert_not_impl_any!(LcoreThread: Send, Sync, Clone);
    const _: () = assert!(size_of::<Option<Mbuf>>() == size_of::<usize>());
}
