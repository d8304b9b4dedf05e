//! The protocols that a host speaks on its underlay, without I/O: ARP, neighbour discovery, MLD, ping,
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

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::types::{MacAddr, Name, UnderlayId};
use crate::wire::bfd::{Control, Diagnostic};

mod announce;
mod bfd;
mod configure;
mod discovery;
mod echo;
mod mld;
mod neighbor;
mod net;
mod path_mtu;
mod peer;
mod quote;
mod random;
mod receive;
mod schedule;
mod suppress;
mod view;
mod watch;

pub use suppress::{Entry, NeighborLearner};
pub use view::{BfdView, Hops, NeighborState, NeighborView, PathMtuState, PathMtuView, PeerView};

use announce::Announcer;
use configure::Leaving;
use echo::Responders;
use net::Net;
use peer::Peer;
use random::Random;
use schedule::Schedule;
use watch::Verdict;

/// No part is called again sooner than this after it was called: whatever is configured or heard, a
/// caller that sleeps until [`Machine::due`] sleeps.
const STEP: Duration = Duration::from_micros(100);

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
    /// The largest IP packet that reaches a host has changed. Not said of foreign endpoints, many of
    /// which limit the pings that they take: [`Machine::peers`] shows what was found there.
    PathMtu {
        /// The host.
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
    net: Net,
    announcer: Announcer,
    /// Pings of peers are counted apart: nobody else can keep them from finding their path MTU.
    responders: Responders,
    /// Every address of this host.
    local: Vec<IpAddr>,
    /// In the order of the table.
    peers: Vec<Peer>,
    /// Their numbers by remote address.
    by_address: BTreeMap<IpAddr, usize>,
    /// Sessions that were given up and still say so, by remote address.
    leaving: BTreeMap<IpAddr, Leaving>,
    schedule: Schedule<Timer>,
}

/// Who has a timer. Numbers are those of the present configuration, which sets all timers anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The next announcement of an address.
    Announce(UnderlayId, IpAddr),
    /// The next question to a neighbour.
    Neighbor(UnderlayId, IpAddr),
    /// The session of a peer.
    Watch(usize),
    /// The pings of a path of a peer.
    Path(usize, usize),
    /// A session that was given up.
    Leaving(IpAddr),
}

impl Machine {
    /// A machine that has nothing to do. The seed should differ from start to start: it makes
    /// discriminators, and with them a restart visible to BFD peers.
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            net: Net::default(),
            announcer: Announcer::default(),
            responders: Responders::default(),
            local: Vec::new(),
            peers: Vec::new(),
            by_address: BTreeMap::new(),
            leaving: BTreeMap::new(),
            schedule: Schedule::default(),
        }
    }

    /// Does what is due. [`Self::due`] is later than `now` afterwards.
    pub fn tick(&mut self, now: Duration) {
        while let Some(timer) = self.schedule.pop(now) {
            let next = match timer {
                Timer::Announce(link, ip) => self.announce(now, (link, ip)),
                Timer::Neighbor(link, ip) => {
                    self.net.neighbor_tick(now, (link, ip), &mut self.random)
                }
                Timer::Watch(peer) => self.watch_tick(now, peer),
                Timer::Path(peer, path) => self.path_tick(now, peer, path),
                Timer::Leaving(remote) => self.leaving_tick(now, remote),
            };
            self.schedule.set(timer, next.map(|next| next.max(now + STEP)));
        }
    }

    /// When [`Self::tick`] has something to do next.
    pub fn due(&self) -> Option<Duration> {
        self.schedule.due()
    }

    /// The next action. To be called until there is none, after each other call.
    pub fn poll(&mut self) -> Option<Action> {
        self.net.actions.pop_front()
    }

    /// The daemon is about to end: takes leave of BFD peers (RFC 5880 section 6.8.16), so that they
    /// need not wait for the detection time. Nothing else is to be called afterwards but
    /// [`Self::poll`].
    pub fn shutdown(&mut self, now: Duration) {
        for peer in &mut self.peers {
            let Some(watch) = &mut peer.watch else { continue };
            let control = watch.admin_down(now, &mut self.random);
            peer.send_control(now, &control, &mut self.net);
        }
    }

    /// All next hops, by link and address.
    pub fn neighbors(&self) -> impl Iterator<Item = NeighborView> {
        self.net.neighbors.iter().map(|((link, ip), neighbor)| neighbor.view(*link, *ip))
    }

    /// All peers, in the order of the table.
    pub fn peers(&self) -> impl Iterator<Item = PeerView> {
        self.peers.iter().map(Peer::view)
    }

    fn announce(&mut self, now: Duration, key: (UnderlayId, IpAddr)) -> Option<Duration> {
        let link = self.net.link(key.0)?;
        let is_news = self.announcer.is_news(key);
        let announcement = is_news.then(|| discovery::announcement(link, key.1));
        for frame in mld::report(link, key.1).into_iter().chain(announcement) {
            self.net.send(key.0, frame);
        }
        self.announcer.tick(now, key, &mut self.random)
    }

    fn watch_tick(&mut self, now: Duration, index: usize) -> Option<Duration> {
        let watch = self.peers.get_mut(index)?.watch.as_mut()?;
        let (send, verdict) = watch.tick(now, &mut self.random);
        self.follow(now, index, send.as_ref(), verdict);
        self.peers.get(index)?.watch.as_ref()?.due()
    }

    /// Does what a session wants after an event.
    fn follow(
        &mut self,
        now: Duration,
        index: usize,
        send: Option<&Control>,
        verdict: Option<Verdict>,
    ) {
        let Some(peer) = self.peers.get_mut(index) else { return };
        if let Some(control) = send {
            peer.send_control(now, control, &mut self.net);
        }
        let name = peer.name.clone();
        match verdict {
            None => {}
            Some(Verdict::Up) => self.net.actions.push_back(Action::PeerUp { name }),
            Some(Verdict::Down(diagnostic)) => {
                self.net.actions.push_back(Action::PeerDown { name, diagnostic });
                // Perhaps it was the way there: its first steps are looked at.
                for path in &peer.paths {
                    let key = (path.table.link, path.table.next_hop);
                    let Some(neighbor) = self.net.neighbors.get_mut(&key) else { continue };
                    neighbor.suspect(now);
                    self.schedule.set(Timer::Neighbor(key.0, key.1), neighbor.due());
                }
            }
        }
    }

    fn path_tick(&mut self, now: Duration, index: usize, number: usize) -> Option<Duration> {
        let peer = self.peers.get_mut(index)?;
        let path = peer.paths.get_mut(number)?;
        if self.net.is_resolved(&path.table) {
            let pings = path.mtu.tick(now, &mut self.random);
            let table = path.table.clone();
            for packet in pings.into_iter().filter_map(|ping| peer.ping(ping)) {
                self.net.send_packet(&table, &packet);
            }
        } else {
            path.mtu.wait(now);
        }
        self.tell_mtu(index);
        self.peers.get(index)?.paths.get(number).map(|path| path.mtu.due())
    }

    /// Tells the caller what is known of the path MTU of a host, if that has changed.
    fn tell_mtu(&mut self, index: usize) {
        let Some(peer) = self.peers.get_mut(index) else { return };
        let mtu = peer.mtu();
        // Without a path nothing is known.
        if peer.is_host && mtu != peer.told_mtu && mtu != 0 {
            peer.told_mtu = mtu;
            self.net.actions.push_back(Action::PathMtu { name: peer.name.clone(), mtu });
        }
    }
}
