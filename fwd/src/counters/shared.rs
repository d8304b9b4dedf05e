//! The block that one worker writes and anyone reads.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use bridge_model::reason::{DropReason, PuntReason};
use bridge_model::types::VlanId;

use super::slots::{CounterLayout, PortSlot, TrunkBlock};
use super::snapshot::{Lost, PortSnapshot, Snapshot, Traffic, VidSnapshot};

/// VIDs per trunk block.
pub(super) const VIDS: usize = 4096;

/// A counter with one writer: load and store, never a locked instruction.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    #[inline]
    pub(super) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn add(&self, amount: u64) {
        self.set(self.get().wrapping_add(amount));
    }
}

#[derive(Debug)]
#[repr(align(64))]
pub(super) struct PortBlock {
    pub(super) rx_frames: Counter,
    pub(super) rx_octets: Counter,
    pub(super) tx_frames: Counter,
    pub(super) tx_octets: Counter,
    pub(super) drops: [Counter; DropReason::COUNT],
    pub(super) consumed: [Counter; PuntReason::COUNT],
}

impl Default for PortBlock {
    fn default() -> Self {
        Self {
            rx_frames: Counter::default(),
            rx_octets: Counter::default(),
            tx_frames: Counter::default(),
            tx_octets: Counter::default(),
            drops: std::array::from_fn(|_| Counter::default()),
            consumed: std::array::from_fn(|_| Counter::default()),
        }
    }
}

/// Two of these fill a cache line.
#[derive(Debug, Default)]
#[repr(align(32))]
pub(super) struct VidBlock {
    pub(super) rx_frames: Counter,
    pub(super) rx_octets: Counter,
    pub(super) tx_frames: Counter,
    pub(super) tx_octets: Counter,
}

/// One worker's counters, as other threads see them.
#[derive(Debug)]
pub struct WorkerCounters {
    pub(super) sequence: AtomicU64,
    /// Readers at work; the writer postpones publication while it is not 0.
    pub(super) readers: AtomicU32,
    pub(super) originated: Counter,
    pub(super) copied: Counter,
    pub(super) handed_over: Counter,
    pub(super) taken_over: Counter,
    pub(super) learn_events_lost: Counter,
    pub(super) snoops_lost: Counter,
    pub(super) samples_lost: Counter,
    pub(super) ports: Box<[PortBlock]>,
    pub(super) vids: Box<[VidBlock]>,
    /// By port slot: a bit per drop reason whose next frame is to be sampled.
    pub(super) armed: Box<[AtomicU64]>,
}

const _: () = assert!(DropReason::COUNT <= 64, "the reasons must fit the sampling mask");

/// Removes the reader's request whatever happens in between.
struct Reading<'a>(&'a AtomicU32);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

impl WorkerCounters {
    pub(super) fn new(layout: CounterLayout) -> Self {
        let ports = usize::from(layout.ports.max(1));
        let vids = (usize::from(layout.trunks) + 1) * VIDS;
        Self {
            sequence: AtomicU64::new(0),
            readers: AtomicU32::new(0),
            originated: Counter::default(),
            copied: Counter::default(),
            handed_over: Counter::default(),
            taken_over: Counter::default(),
            learn_events_lost: Counter::default(),
            snoops_lost: Counter::default(),
            samples_lost: Counter::default(),
            ports: (0..ports).map(|_| PortBlock::default()).collect(),
            vids: (0..vids).map(|_| VidBlock::default()).collect(),
            armed: (0..ports).map(|_| AtomicU64::new(u64::MAX)).collect(),
        }
    }

    /// All counters at the end of one turn of the worker. Waits for the publication in progress at
    /// most, a few dozen stores; never for the worker's next turn.
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        self.snapshot_into(&mut snapshot);
        snapshot
    }

    fn snapshot_into(&self, snapshot: &mut Snapshot) {
        self.readers.fetch_add(1, Ordering::Acquire);
        let _reading = Reading(&self.readers);
        loop {
            let before = self.sequence.load(Ordering::Acquire);
            if before.is_multiple_of(2) {
                self.read(snapshot);
                fence(Ordering::Acquire);
                if self.sequence.load(Ordering::Relaxed) == before {
                    return;
                }
            }
            std::hint::spin_loop();
        }
    }

    fn read(&self, snapshot: &mut Snapshot) {
        snapshot.originated = self.originated.get();
        snapshot.copied = self.copied.get();
        snapshot.handed_over = self.handed_over.get();
        snapshot.taken_over = self.taken_over.get();
        snapshot.lost = Lost {
            learn_events: self.learn_events_lost.get(),
            snoops: self.snoops_lost.get(),
            samples: self.samples_lost.get(),
        };
        snapshot.ports.clear();
        snapshot.ports.extend(self.ports.iter().map(|port| PortSnapshot {
            rx: Traffic { frames: port.rx_frames.get(), octets: port.rx_octets.get() },
            tx: Traffic { frames: port.tx_frames.get(), octets: port.tx_octets.get() },
            drops: std::array::from_fn(|reason| port.drops[reason].get()),
            consumed: std::array::from_fn(|reason| port.consumed[reason].get()),
        }));
    }

    /// The counters of one VID of a trunk.
    pub fn vid(&self, trunk: TrunkBlock, vid: VlanId) -> VidSnapshot {
        let index = usize::from(trunk.0) * VIDS + usize::from(vid.get());
        self.vids.get(index).map_or_else(VidSnapshot::default, |vid| VidSnapshot {
            rx: Traffic { frames: vid.rx_frames.get(), octets: vid.rx_octets.get() },
            tx: Traffic { frames: vid.tx_frames.get(), octets: vid.tx_octets.get() },
        })
    }

    /// Lets the next frame that is dropped here for this reason be sampled again.
    pub fn arm(&self, slot: PortSlot, reason: DropReason) {
        if let Some(mask) = self.armed.get(slot.index()) {
            mask.fetch_or(1 << reason.index(), Ordering::Relaxed);
        }
    }

    /// Lets one frame for each port and reason be sampled again.
    pub fn arm_all(&self) {
        self.armed.iter().for_each(|mask| mask.store(u64::MAX, Ordering::Relaxed));
    }
}
