//! What the protocol thread shows of itself. It replaces the whole now and then, so that a reader holds
//! nothing up.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bridge_model::types::{MacAddr, Name, UnderlayId};
use bridge_model::underlay::{NeighborView, PeerView};
use parking_lot::RwLock;
use rte_rs::Scheduling;

/// Another station uses an address of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The link it was seen on, by the name of its port.
    pub link: Name,
    /// Our address.
    pub address: IpAddr,
    /// The other station.
    pub mac: MacAddr,
    /// When it was last seen.
    pub at: Duration,
}

/// What the thread did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// The most that it was late for something that was due.
    pub lateness_max: Duration,
    /// The same over the last seconds.
    pub lateness_recent: Duration,
    /// Frames that it was given.
    pub received: u64,
    /// Frames that it sent.
    pub sent: u64,
    /// Frames that no worker took.
    pub lost: u64,
    /// Senders that were told that their packet is too big.
    pub too_big: u64,
    /// Addresses that are known for `neighborSuppression`.
    pub known_neighbors: u64,
    /// How soon the kernel runs the thread.
    pub scheduling: Scheduling,
}

/// Everything that it shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProtocolView {
    /// By link, as the tables that the thread has number them, and address.
    pub neighbors: Vec<NeighborView>,
    /// In the order of names.
    pub peers: Vec<PeerView>,
    /// Those of the last minute.
    pub conflicts: Vec<Conflict>,
    /// What it did.
    pub statistics: Statistics,
}

impl ProtocolView {
    /// What is known of the neighbour `ip` on `link`.
    pub fn neighbor(&self, link: UnderlayId, ip: IpAddr) -> Option<&NeighborView> {
        let at = self.neighbors.binary_search_by(|one| (one.link, one.ip).cmp(&(link, ip))).ok()?;
        self.neighbors.get(at)
    }

    /// What is known of the peer `name`.
    pub fn peer(&self, name: &Name) -> Option<&PeerView> {
        let at = self.peers.binary_search_by(|peer| peer.name.cmp(name)).ok()?;
        self.peers.get(at)
    }
}

/// Where the thread leaves its view.
#[derive(Debug, Default)]
pub struct Board(RwLock<Arc<ProtocolView>>);

impl Board {
    /// The latest view.
    pub fn get(&self) -> Arc<ProtocolView> {
        Arc::clone(&self.0.read())
    }

    /// Puts up another one. A reader holds the lock for as long as it takes to clone a pointer.
    pub(crate) fn put(&self, mut view: ProtocolView) {
        view.neighbors.sort_by_key(|one| (one.link, one.ip));
        view.peers.sort_by(|a, b| a.name.cmp(&b.name));
        let view = Arc::new(view);
        let old = std::mem::replace(&mut *self.0.write(), view);
        drop(old);
    }
}
