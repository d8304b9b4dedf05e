//! Receive and transmit queues.

use crate::device::Lease;
use crate::gate::Turnstile;
use crate::mbuf::Mbuf;
use arrayvec::ArrayVec;
use dpdk_sys::{rte_eth_fp_ops as FastPath, rte_mbuf};
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

/// Frames per burst. Drivers with vector receive work in multiples of 8, most efficiently by 32.
pub const BURST: usize = 32;

/// A receive queue of a started device: movable to another thread, never shared between two.
#[derive(Debug)]
pub struct RxQueue {
    queue: RawQueue,
}

/// A transmit queue of a started device: movable to another thread, never shared between two.
#[derive(Debug)]
pub struct TxQueue {
    queue: RawQueue,
}

/// One index of one device. Whoever holds it is the only one to.
#[derive(Debug)]
struct RawQueue {
    fast_path: *const FastPath,
    index: u16,
    lease: Arc<Lease>,
    /// For drivers that unmap memory under a burst.
    turnstile: Option<Turnstile>,
}

// SAFETY: DPDK's rule is one thread at a time per queue, and the owner of this value is that thread
// (not `Sync`, not `Clone`, bursts take `&mut`). `fast_path` points into a static table.
unsafe impl Send for RawQueue {}

impl RawQueue {
    /// The queue `index` of the device that `lease` keeps started.
    fn new(lease: &Arc<Lease>, index: u16) -> Self {
        let table = (&raw const dpdk_sys::rte_eth_fp_ops).cast::<FastPath>();
        // SAFETY: the table has an entry for every device number that DPDK gives out.
        let fast_path = unsafe { table.add(usize::from(lease.device().0)) };
        let turnstile = lease.needs_gate().then(Turnstile::new);
        Self { fast_path, index, lease: Arc::clone(lease), turnstile }
    }

    /// Runs one burst of the driver, when it is safe to.
    #[inline]
    fn run(&self, burst: impl FnOnce() -> u16) -> u16 {
        match &self.turnstile {
            None => burst(),
            Some(turnstile) => turnstile.pass(burst),
        }
    }
}

impl RxQueue {
    /// # Safety
    /// Queue `index` is set up, the device is started and stays so while `lease` exists, and no
    /// other receive queue object has this index.
    pub(crate) unsafe fn new(lease: &Arc<Lease>, index: u16) -> Self {
        Self { queue: RawQueue::new(lease, index) }
    }

    /// The number of the queue on its device.
    pub const fn index(&self) -> u16 {
        self.queue.index
    }

    /// Appends what has arrived, at most [`BURST`] frames and the room in `burst`, and says how many.
    /// Does not wait.
    #[inline]
    pub fn receive<F: From<Mbuf>, const N: usize>(&mut self, burst: &mut ArrayVec<F, N>) -> usize {
        let mut raw = [std::ptr::null_mut::<rte_mbuf>(); BURST];
        let room = burst.remaining_capacity().min(BURST);
        let fast_path = self.queue.fast_path;
        // SAFETY: the entry is part of a static table. DPDK rewrites it when the device stops, which
        // `lease` prevents, and when it is removed, with functions that do nothing.
        let function = unsafe { (*fast_path).rx_pkt_burst };
        let Some(function) = function else { return 0 };
        // SAFETY: as above.
        let queues = unsafe { (*fast_path).rxq.data };
        let queue = queues.wrapping_add(usize::from(self.queue.index));
        // SAFETY: the device is started (`lease`), so its table of queues has this index.
        let queue: *mut c_void = unsafe { *queue };
        #[expect(clippy::cast_possible_truncation, reason = "at most BURST")]
        let room = room as u16;
        let places = raw.as_mut_ptr();
        // SAFETY: the queue is set up and started, no other thread polls it (`&mut self`), and `raw`
        // has `room` places. Receive callbacks are skipped: nothing here installs any.
        let count = self.queue.run(|| unsafe { function(queue, places, room) });
        for &raw in &raw[..usize::from(count.min(room))] {
            if let Some(raw) = NonNull::new(raw) {
                // SAFETY: the driver gives the buffer away, with a reference count of one.
                burst.push(F::from(unsafe { Mbuf::from_raw(raw) }));
            }
        }
        usize::from(count)
    }
}

impl TxQueue {
    /// # Safety
    /// Queue `index` is set up, the device is started and stays so while `lease` exists, and no
    /// other transmit queue object has this index.
    pub(crate) unsafe fn new(lease: &Arc<Lease>, index: u16) -> Self {
        Self { queue: RawQueue::new(lease, index) }
    }

    /// The number of the queue on its device.
    pub const fn index(&self) -> u16 {
        self.queue.index
    }

    /// Octets of the longest frame that the device sends, without FCS. Some drivers discard longer
    /// ones in silence.
    #[inline]
    pub fn frame_octets_max(&self) -> u32 {
        self.queue.lease.frame_octets_max()
    }

    /// Hands frames to the driver from the front of `burst`, removes them there and says how many.
    /// What stays did not fit now. One call to the driver, with at most [`BURST`] frames.
    ///
    /// `F` is [`Mbuf`] or a type around one that can be taken apart and put together again: what is
    /// sent was owned, which a reference is not.
    #[inline]
    pub fn transmit<F: Into<Mbuf> + From<Mbuf>, const N: usize>(
        &mut self,
        burst: &mut ArrayVec<F, N>,
    ) -> usize {
        if burst.is_empty() {
            return 0;
        }
        let fast_path = self.queue.fast_path;
        // SAFETY: the entry is part of a static table. DPDK rewrites it when the device stops, which
        // `lease` prevents, and when it is removed, with functions that do nothing.
        let function = unsafe { (*fast_path).tx_pkt_burst };
        let Some(function) = function else { return 0 };
        // SAFETY: as above.
        let queues = unsafe { (*fast_path).txq.data };
        let queue = queues.wrapping_add(usize::from(self.queue.index));
        // SAFETY: the device is started (`lease`), so its table of queues has this index.
        let queue: *mut c_void = unsafe { *queue };
        let mut raw: ArrayVec<*mut rte_mbuf, N> =
            burst.drain(..).map(|frame| frame.into().into_raw()).collect();
        #[expect(clippy::cast_possible_truncation, reason = "at most BURST")]
        let count = raw.len().min(BURST) as u16;
        let frames = raw.as_mut_ptr();
        // SAFETY: the queue is set up and started, no other thread uses it (`&mut self`), and `raw`
        // has `count` buffers that were ours alone until `into_raw` gave them up.
        let sent = self.queue.run(|| unsafe { function(queue, frames, count) }).min(count);
        let sent = usize::from(sent);
        // The driver owns the first `sent` now and frees them; the others are ours again.
        for &raw in raw.get(sent..).unwrap_or_default() {
            if let Some(raw) = NonNull::new(raw) {
                // SAFETY: from `into_raw` above, and the driver did not take it.
                burst.push(F::from(unsafe { Mbuf::from_raw(raw) }));
            }
        }
        sent
    }
}
