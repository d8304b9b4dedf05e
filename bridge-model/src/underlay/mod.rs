//! The protocols that a host speaks on its underlay, without I/O: ARP and neighbour discovery, ping,
//! BFD, and the search for the path MTU.
//!
//! [`Machine`] holds them all for one host. It gets frames and the time, and gives [`Action`]s:
//!
//! ```text
//!   configure(now, table)  frame(now, link, bytes)  tick(now)
//!             \                   |                  /        ^
//!              v                  v                 v         | due()
//!            neighbours      BFD sessions      path MTU probes
//!                                 |
//!                              poll() -> Send, Resolved, PeerDown, ...
//! ```
//!
//! **Architecture invariant:** no clock and no random numbers of its own. Time is the caller's, and all
//! chance comes from the seed: the same calls give the same actions.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use crate::compile::UnderlayTable;
use crate::types::{MacAddr, Name, UnderlayId};
use crate::wire::bfd::Diagnostic;

mod random;
mod schedule;
mod suppress;
mod view;

pub use suppress::{Entry, NeighborLearner};
pub use view::{BfdView, Hops, NeighborState, NeighborView, PathMtuState, PathMtuView, PeerView};

use random::Random;

/// What the caller has to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send a frame by a link. It has no tag; that of the link is the caller's to push.
    Send {
        /// The link.
        link: UnderlayId,
        /// From the destination address on, at least 60 octets.
        frame: Vec<u8>,
    },
    /// The MAC of a next hop is known, or has changed. Said again of all of them after each
    /// [`Machine::configure`].
    Resolved {
        /// The link that it is on.
        link: UnderlayId,
        /// Its address.
        next_hop: IpAddr,
        /// Its MAC.
        mac: MacAddr,
    },
    /// The MAC of a next hop is not known any more.
    Unresolved {
        /// The link that it is on.
        link: UnderlayId,
        /// Its address.
        next_hop: IpAddr,
    },
    /// Frames may be sent to a peer: its session came up, or it is not watched any more.
    PeerUp {
        /// The host or tunnel.
        name: Name,
    },
    /// A peer is out of reach: its session went down or could not be established.
    PeerDown {
        /// The host or tunnel.
        name: Name,
        /// Why.
        diagnostic: Diagnostic,
    },
    /// The largest IP packet that reaches a peer has changed.
    PathMtu {
        /// The host or tunnel.
        name: Name,
        /// In octets.
        mtu: u16,
    },
    /// Somebody else uses one of our addresses. Said at most every ten seconds for each address.
    Conflict {
        /// The link where that was seen.
        link: UnderlayId,
        /// The address.
        address: IpAddr,
        /// Who uses it.
        mac: MacAddr,
    },
}

/// All underlay protocols of one host.
#[derive(Clone, Debug)]
pub struct Machine {
    random: Random,
    actions: VecDeque<Action>,
}

impl Machine {
    /// A machine that has nothing to do. The seed should differ from start to start: it makes
    /// discriminators, and with them a restart visible to BFD peers.
    pub fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), actions: VecDeque::new() }
    }

    /// Takes over new tables. `links_up` says for each link whether it has carrier. Neighbours and
    /// sessions that both tables have go on undisturbed, whatever their numbers are now.
    pub fn configure(&mut self, now: Duration, table: &UnderlayTable, links_up: &[bool]) {
        let _ = (now, table, links_up, self.random.next());
    }

    /// Takes a frame that arrived by `link`, without the tag that selected the link. Frames that have
    /// arrived are to be handed in before [`Self::tick`] is called, or a caller that was kept from
    /// running takes its own pause for the silence of a peer.
    ///
    /// Of a longer packet the first 1500 octets are enough if the rest is zero, as in our own probes.
    pub fn frame(&mut self, now: Duration, link: UnderlayId, frame: &[u8]) {
        let _ = (now, link, frame);
    }

    /// Does what is due. [`Self::due`] is later than `now` afterwards.
    pub fn tick(&mut self, now: Duration) {
        let _ = now;
    }

    /// When [`Self::tick`] has something to do next.
    pub fn due(&self) -> Option<Duration> {
        None
    }

    /// The next action. To be called until there is none, after each other call.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The daemon is about to end: takes leave of BFD peers (RFC 5880 section 6.8.16), so that they
    /// need not wait for the detection time.
    pub fn shutdown(&mut self, now: Duration) {
        let _ = now;
    }

    /// All next hops, by link and address.
    pub fn neighbors(&self) -> impl Iterator<Item = NeighborView> {
        std::iter::empty()
    }

    /// All peers, in the order of the table.
    pub fn peers(&self) -> impl Iterator<Item = PeerView> {
        std::iter::empty()
    }
}
