//! The worker's side of the counters.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use bridge_model::reason::{DropReason, PuntReason};

use super::shared::{VidBlock, WorkerCounters};
use super::slots::{CounterLayout, PortSlot};
use super::snapshot::Lost;

/// The counters of one worker: the end that writes and the end that everyone else reads.
pub fn counters(layout: CounterLayout) -> (CounterWriter, Arc<WorkerCounters>) {
    let shared = Arc::new(WorkerCounters::new(layout));
    let ports = shared.ports.len();
    let writer = CounterWriter {
        pending: (0..ports).map(|_| Pending::default()).collect(),
        changed: Vec::with_capacity(ports),
        totals_changed: false,
        originated: 0,
        copied: 0,
        handed_over: 0,
        taken_over: 0,
        lost: Lost::default(),
        shared: Arc::clone(&shared),
    };
    (writer, shared)
}

/// What a port's published counters lack.
#[derive(Debug)]
struct Pending {
    rx_frames: u64,
    rx_octets: u64,
    tx_frames: u64,
    tx_octets: u64,
    drops: [u32; DropReason::COUNT],
    consumed: [u32; PuntReason::COUNT],
    /// The port is in the list of changed ones.
    listed: bool,
    /// Not only traffic changed.
    ended: bool,
}

impl Default for Pending {
    fn default() -> Self {
        Self {
            rx_frames: 0,
            rx_octets: 0,
            tx_frames: 0,
            tx_octets: 0,
            drops: [0; DropReason::COUNT],
            consumed: [0; PuntReason::COUNT],
            listed: false,
            ended: false,
        }
    }
}

/// The only writer of one [`WorkerCounters`].
#[derive(Debug)]
pub struct CounterWriter {
    pending: Box<[Pending]>,
    /// Ports with something pending, each once: never longer than `pending`.
    changed: Vec<u16>,
    totals_changed: bool,
    originated: u64,
    copied: u64,
    handed_over: u64,
    taken_over: u64,
    lost: Lost,
    shared: Arc<WorkerCounters>,
}

impl CounterWriter {
    #[inline]
    fn port(&mut self, slot: PortSlot) -> &mut Pending {
        // A slot that the register gave out is always below the layout's bound; should the layouts
        // differ, the count goes where nobody's counts go rather than nowhere.
        let index = if slot.index() < self.pending.len() { slot.index() } else { 0 };
        let pending = &mut self.pending[index];
        if !pending.listed {
            pending.listed = true;
            self.changed.push(u16::try_from(index).unwrap_or(0));
        }
        pending
    }

    /// Counts frames received by a port.
    #[inline]
    pub(crate) fn received(&mut self, slot: PortSlot, frames: u64, octets: u64) {
        let port = self.port(slot);
        port.rx_frames += frames;
        port.rx_octets += octets;
    }

    /// Counts frames that a device took for a port.
    #[inline]
    pub(crate) fn sent(&mut self, slot: PortSlot, frames: u64, octets: u64) {
        let port = self.port(slot);
        port.tx_frames += frames;
        port.tx_octets += octets;
    }

    /// Counts one dropped frame. True: the control side wants to see such a frame.
    #[inline]
    pub(crate) fn dropped(&mut self, slot: PortSlot, reason: DropReason) -> bool {
        let port = self.port(slot);
        port.ended = true;
        port.drops[reason.index()] += 1;
        let bit = 1 << reason.index();
        match self.shared.armed.get(slot.index()) {
            Some(mask) if mask.load(Ordering::Relaxed) & bit != 0 => {
                mask.fetch_and(!bit, Ordering::Relaxed);
                true
            }
            _ => false,
        }
    }

    /// Counts one frame that the control plane took.
    #[inline]
    pub(crate) fn consumed(&mut self, slot: PortSlot, reason: PuntReason) {
        let port = self.port(slot);
        port.ended = true;
        port.consumed[reason.index()] += 1;
    }

    /// Counts one frame that the control plane gave.
    pub(crate) fn originated(&mut self) {
        self.originated += 1;
        self.totals_changed = true;
    }

    /// Counts further copies called for.
    #[inline]
    pub(crate) fn copied(&mut self, copies: u64) {
        self.copied += copies;
        self.totals_changed = true;
    }

    /// Counts frames left to another worker.
    #[inline]
    pub(crate) fn handed_over(&mut self, frames: u64) {
        self.handed_over += frames;
        self.totals_changed = true;
    }

    /// Counts frames that another worker left to this one and that end here.
    pub(crate) fn taken_over(&mut self, frames: u64) {
        self.taken_over += frames;
        self.totals_changed = true;
    }

    /// What the control side did not get.
    #[inline]
    pub(crate) fn lost(&mut self) -> &mut Lost {
        self.totals_changed = true;
        &mut self.lost
    }

    /// Per-VID counters of frames that came in.
    #[inline]
    pub(crate) fn received_vid(&self, index: u32, frames: u64, octets: u64) {
        if let Some(vid) = self.vid(index) {
            vid.rx_frames.add(frames);
            vid.rx_octets.add(octets);
        }
    }

    /// Per-VID counters of frames that a device took.
    #[inline]
    pub(crate) fn sent_vid(&self, index: u32, frames: u64, octets: u64) {
        if let Some(vid) = self.vid(index) {
            vid.tx_frames.add(frames);
            vid.tx_octets.add(octets);
        }
    }

    #[inline]
    fn vid(&self, index: u32) -> Option<&VidBlock> {
        self.shared.vids.get(index as usize)
    }

    /// Publishes what changed since the last time, unless a reader is at work: then at the end of
    /// the next turn. True if nothing is left to be published.
    #[inline]
    pub(crate) fn publish(&mut self) -> bool {
        if self.changed.is_empty() && !self.totals_changed {
            return true;
        }
        if self.shared.readers.load(Ordering::Relaxed) != 0 {
            return false;
        }
        let sequence = self.shared.sequence.load(Ordering::Relaxed);
        self.shared.sequence.store(sequence.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        self.publish_totals();
        for slot in self.changed.drain(..) {
            let slot = usize::from(slot);
            if let (Some(pending), Some(shared)) =
                (self.pending.get_mut(slot), self.shared.ports.get(slot))
            {
                pending.publish(shared);
            }
        }
        self.shared.sequence.store(sequence.wrapping_add(2), Ordering::Release);
        true
    }

    fn publish_totals(&mut self) {
        if self.totals_changed {
            self.totals_changed = false;
            self.shared.originated.set(self.originated);
            self.shared.copied.set(self.copied);
            self.shared.handed_over.set(self.handed_over);
            self.shared.taken_over.set(self.taken_over);
            self.shared.learn_events_lost.set(self.lost.learn_events);
            self.shared.snoops_lost.set(self.lost.snoops);
            self.shared.samples_lost.set(self.lost.samples);
        }
    }
}

impl Pending {
    #[inline]
    fn publish(&mut self, shared: &super::shared::PortBlock) {
        self.listed = false;
        shared.rx_frames.add(std::mem::take(&mut self.rx_frames));
        shared.rx_octets.add(std::mem::take(&mut self.rx_octets));
        shared.tx_frames.add(std::mem::take(&mut self.tx_frames));
        shared.tx_octets.add(std::mem::take(&mut self.tx_octets));
        if self.ended {
            self.ended = false;
            for (to, from) in shared.drops.iter().zip(&mut self.drops) {
                to.add(u64::from(std::mem::take(from)));
            }
            for (to, from) in shared.consumed.iter().zip(&mut self.consumed) {
                to.add(u64::from(std::mem::take(from)));
            }
        }
    }
}
