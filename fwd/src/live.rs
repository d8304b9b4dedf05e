//! The little that changes between two images and that workers read: limits that were reached.
//!
//! An image is immutable. What the learner decides many times per second lies here instead, one
//! octet for each learning domain and each port, written by the learner alone. (Age clocks are in
//! [`crate::mac::AgeTable`].) A worker looks here only when it meets a station that is new or has
//! moved.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use bridge_model::types::Fid;

use crate::counters::{CounterLayout, PortSlot};
use crate::neighbors::NeighborTable;
use crate::underlay::UnderlayCells;

const FULL: u8 = 1;
const UNFAIR: u8 = 2;

/// Shared by the learner and all workers for the life of the process.
#[derive(Debug)]
pub struct Live {
    /// By fid: the domain has reached its MAC limit.
    fids: Box<[AtomicU8]>,
    /// By port slot.
    ports: Box<[AtomicU8]>,
    /// The learner's turns so far.
    turn: AtomicU32,
    /// Next hops and peers.
    pub(crate) underlay: UnderlayCells,
    /// Stations by IP address.
    pub(crate) neighbors: NeighborTable,
}

impl Live {
    /// For workers with counters of this layout. About 2 MiB.
    pub fn new(layout: CounterLayout) -> Self {
        Self {
            fids: (0..=u16::MAX).map(|_| AtomicU8::new(0)).collect(),
            ports: (0..layout.ports.max(1)).map(|_| AtomicU8::new(0)).collect(),
            turn: AtomicU32::new(0),
            underlay: UnderlayCells::default(),
            neighbors: NeighborTable::new(),
        }
    }

    /// The cells of next hops and peers.
    pub fn underlay(&self) -> &UnderlayCells {
        &self.underlay
    }

    /// Stations by IP address, of bridges with `neighborSuppression`.
    pub fn neighbors(&self) -> &NeighborTable {
        &self.neighbors
    }

    /// The learning domain has reached its MAC limit.
    #[inline]
    pub fn fid_is_full(&self, fid: Fid) -> bool {
        self.fids.get(fid.index()).is_some_and(|flags| flags.load(Ordering::Relaxed) & FULL != 0)
    }

    /// The port has reached its MAC limit.
    #[inline]
    pub fn port_is_full(&self, slot: PortSlot) -> bool {
        self.port(slot) & FULL != 0
    }

    /// Learning stopped here because the table is nearly full and this port has the most entries.
    #[inline]
    pub fn port_is_unfair(&self, slot: PortSlot) -> bool {
        self.port(slot) & UNFAIR != 0
    }

    #[inline]
    fn port(&self, slot: PortSlot) -> u8 {
        self.ports.get(slot.index()).map_or(0, |flags| flags.load(Ordering::Relaxed))
    }

    /// The learner's turns so far, wrapping.
    #[inline]
    pub(crate) fn turn(&self) -> u32 {
        self.turn.load(Ordering::Relaxed)
    }

    pub(crate) fn end_turn(&self) {
        self.turn.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn set_fid(&self, fid: Fid, full: bool) {
        if let Some(flags) = self.fids.get(fid.index()) {
            flags.store(if full { FULL } else { 0 }, Ordering::Relaxed);
        }
    }

    pub(crate) fn set_port(&self, slot: PortSlot, full: bool, unfair: bool) {
        if let Some(flags) = self.ports.get(slot.index()) {
            let full = if full { FULL } else { 0 };
            let unfair = if unfair { UNFAIR } else { 0 };
            flags.store(full | unfair, Ordering::Relaxed);
        }
    }
}
