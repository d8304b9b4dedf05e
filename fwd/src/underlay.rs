//! What changes about the underlay between two images, and that workers read: which next hop has
//! which address, and which peer is alive.
//!
//! An image holds a pointer to the cell of each next hop and of each peer that it uses. So a neighbour
//! that is resolved, or a peer that goes down, is one store for all workers and all images at once,
//! whatever is being compiled meanwhile. Cells are made by the control side, which keeps them by what
//! they stand for, and outlive every image.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bridge_model::types::{InterfaceId, MacAddr, Name, VlanId};
use parking_lot::Mutex;

/// Set in the word of a next hop whose address is known.
const RESOLVED: u64 = 1 << 63;

/// One neighbour on one underlay link.
#[derive(Debug, Default)]
pub struct NextHop(AtomicU64);

impl NextHop {
    /// Its address in the low 48 bits, if it is known.
    #[inline]
    pub(crate) fn address(&self) -> Option<u64> {
        let word = self.0.load(Ordering::Relaxed);
        (word & RESOLVED != 0).then_some(word & !RESOLVED)
    }

    /// Its address is known now, or has become unknown. Takes effect with the next frame.
    pub fn set(&self, address: Option<MacAddr>) {
        let word = address.map_or(0, |address| address.to_u64() | RESOLVED);
        self.0.store(word, Ordering::Relaxed);
    }
}

/// One peer: whether frames are sent to it.
#[derive(Debug)]
pub struct PeerCell(AtomicBool);

impl PeerCell {
    /// Frames are sent to it.
    #[inline]
    pub(crate) fn is_up(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes it out of all flood lists and makes everything that was learned behind it unknown, or
    /// ends that. Takes effect with the next frame; the image without the peer, which makes it last,
    /// may follow later.
    pub fn set_up(&self, up: bool) {
        self.0.store(up, Ordering::Relaxed);
    }
}

/// A neighbour by what it is: interface, VLAN on it, address.
pub type NextHopKey = (InterfaceId, Option<VlanId>, IpAddr);

/// The cells that images point to, for the life of the process. Only the control side takes its locks.
#[derive(Debug, Default)]
pub struct UnderlayCells {
    next_hops: Mutex<BTreeMap<NextHopKey, Arc<NextHop>>>,
    peers: Mutex<BTreeMap<Name, Arc<PeerCell>>>,
}

impl UnderlayCells {
    /// The cell of a neighbour; unresolved when it is new.
    pub fn next_hop(&self, key: NextHopKey) -> Arc<NextHop> {
        Arc::clone(self.next_hops.lock().entry(key).or_default())
    }

    /// The cell of a peer (a host or a tunnel, by its name); up when it is new.
    pub fn peer(&self, name: &Name) -> Arc<PeerCell> {
        let new = || Arc::new(PeerCell(AtomicBool::new(true)));
        Arc::clone(self.peers.lock().entry(name.clone()).or_insert_with(new))
    }

    /// Forgets what no image and no protocol uses any more.
    pub fn prune(&self) {
        self.next_hops.lock().retain(|_, cell| Arc::strong_count(cell) > 1);
        self.peers.lock().retain(|_, cell| Arc::strong_count(cell) > 1);
    }
}
