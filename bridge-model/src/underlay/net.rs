//! The links of a host and its neighbours there: what every other protocol sends by.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::Action;
use super::discovery::{self, Ask};
use super::neighbor::{Heard, Neighbor};
use super::random::Random;
use crate::compile::{PathTable, UnderlayLinkTable};
use crate::types::{InterfaceId, MacAddr, UnderlayId, VlanId};
use crate::wire::ethernet::{self, MIN_FRAME_LEN};
use crate::wire::ip::{ETHER_TYPE_IPV4, ETHER_TYPE_IPV6};

/// What a link is, whatever its number in a table.
pub(super) type LinkKey = (InterfaceId, Option<VlanId>);

/// Who answers for the addresses of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// This machine.
    Us,
    /// The kernel: it answers ARP, ND and ping, and announces its addresses. We only ask, from the same
    /// addresses.
    Kernel,
}

/// An underlay link.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) id: UnderlayId,
    pub(super) key: LinkKey,
    pub(super) mac: MacAddr,
    pub(super) mtu: u16,
    pub(super) addresses: Vec<IpNet>,
    pub(super) owner: Owner,
    pub(super) has_carrier: bool,
}

impl Link {
    pub(super) fn new(id: UnderlayId, table: &UnderlayLinkTable, has_carrier: bool) -> Self {
        Self {
            id,
            key: (table.interface, table.vlan),
            mac: table.mac,
            mtu: table.mtu,
            addresses: table.addresses.clone(),
            owner: if table.kernel.is_some() { Owner::Kernel } else { Owner::Us },
            has_carrier,
        }
    }

    /// Whether `ip` is an address of this host on the link.
    pub(super) fn has(&self, ip: IpAddr) -> bool {
        self.addresses.iter().any(|net| net.addr() == ip)
    }

    /// Whether `ours` is an address of the link, and `theirs` is in its prefix.
    pub(super) fn joins(&self, ours: IpAddr, theirs: IpAddr) -> bool {
        self.addresses.iter().any(|net| net.addr() == ours && net.contains(&theirs))
    }

    /// The address to ask for `next_hop` from: one in its prefix, else any of its family.
    pub(super) fn source_for(&self, next_hop: IpAddr) -> Option<IpAddr> {
        let mut family =
            self.addresses.iter().filter(|net| net.addr().is_ipv4() == next_hop.is_ipv4());
        let near = family.clone().find(|net| net.contains(&next_hop));
        near.or_else(|| family.next()).map(IpNet::addr)
    }
}

/// Links, neighbours, and the way out.
#[derive(Clone, Debug, Default)]
pub(super) struct Net {
    /// By [`UnderlayId`].
    pub(super) links: Vec<Link>,
    /// The next hops of the peers' paths, and nobody else: whatever arrives, this does not grow.
    pub(super) neighbors: BTreeMap<(UnderlayId, IpAddr), Neighbor>,
    pub(super) actions: VecDeque<Action>,
}

impl Net {
    pub(super) fn link(&self, id: UnderlayId) -> Option<&Link> {
        self.links.get(id.index())
    }

    /// Sends a frame, padded to the least length.
    pub(super) fn send(&mut self, link: UnderlayId, mut frame: Vec<u8>) {
        if frame.len() < MIN_FRAME_LEN {
            frame.resize(MIN_FRAME_LEN, 0);
        }
        self.actions.push_back(Action::Send { link, frame });
    }

    /// Whether the next hop of a path is known, and frames to it leave.
    pub(super) fn is_resolved(&self, path: &PathTable) -> bool {
        self.address(path).is_some()
    }

    /// The MAC that frames for a path are sent to.
    pub(super) fn address(&self, path: &PathTable) -> Option<MacAddr> {
        self.link(path.link).filter(|link| link.has_carrier)?;
        self.neighbors.get(&(path.link, path.next_hop))?.mac()
    }

    /// Sends an IP packet by a path. False if its next hop is not known.
    pub(super) fn send_packet(&mut self, path: &PathTable, packet: &[u8]) -> bool {
        let Some(mac) = self.address(path) else { return false };
        self.send_packet_to(path.link, mac, packet);
        true
    }

    /// Sends an IP packet to a station on a link.
    pub(super) fn send_packet_to(&mut self, link: UnderlayId, mac: MacAddr, packet: &[u8]) {
        let Some(source) = self.link(link).map(|link| link.mac) else { return };
        let is_v4 = packet.first().is_some_and(|first| first >> 4 == 4);
        let ether_type = if is_v4 { ETHER_TYPE_IPV4 } else { ETHER_TYPE_IPV6 };
        self.send(link, ethernet::build(mac, source, &[], ether_type, packet));
    }

    /// The timer of a neighbour has run out. When it wants to be called next.
    pub(super) fn neighbor_tick(
        &mut self,
        now: Duration,
        (link, ip): (UnderlayId, IpAddr),
        random: &mut Random,
    ) -> Option<Duration> {
        let neighbor = self.neighbors.get_mut(&(link, ip))?;
        let tick = neighbor.tick(now, random);
        let due = neighbor.due();
        if tick.is_lost {
            self.actions.push_back(Action::Unresolved { link, next_hop: ip });
        }
        self.ask(link, ip, tick.ask);
        due
    }

    fn ask(&mut self, link: UnderlayId, ip: IpAddr, ask: Ask) {
        let question = self.link(link).and_then(|link| discovery::question(link, ip, ask));
        if let Some(frame) = question {
            self.send(link, frame);
        }
    }

    /// A neighbour said something about itself. True if its MAC is new, so that frames leave that had
    /// to wait.
    pub(super) fn heard(
        &mut self,
        now: Duration,
        (link, ip): (UnderlayId, IpAddr),
        heard: &Heard,
        random: &mut Random,
    ) -> bool {
        let Some(neighbor) = self.neighbors.get_mut(&(link, ip)) else { return false };
        let Some(mac) = neighbor.heard(now, heard, random) else { return false };
        self.actions.push_back(Action::Resolved { link, next_hop: ip, mac });
        true
    }
}
