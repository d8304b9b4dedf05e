//! The far end of a tunnel, as the protocols see it.

use std::net::IpAddr;
use std::time::Duration;

use super::net::{LinkKey, Net};
use super::path_mtu::{PathMtu, Ping};
use super::random::Random;
use super::view::{Hops, PathMtuState, PathMtuView, PeerView};
use super::watch::Watch;
use crate::compile::{Encapsulation, PathTable, PeerTable};
use crate::types::Name;
use crate::wire::bfd::Control;
use crate::wire::icmp;
use crate::wire::ip::{IPV4_HEADER_LEN, IPV6_HEADER_LEN};

/// Octets of the header of a ping.
const ECHO_HEADER_LEN: usize = 8;

/// One way to a peer.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub(super) table: PathTable,
    pub(super) link: LinkKey,
    pub(super) mtu: PathMtu,
}

/// A peer.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) name: Name,
    pub(super) is_host: bool,
    pub(super) local: IpAddr,
    pub(super) remote: IpAddr,
    pub(super) encapsulation: Encapsulation,
    pub(super) paths: Vec<Path>,
    pub(super) watch: Option<Watch>,
    /// What the caller was told last, or found out from the links itself.
    pub(super) told_mtu: u16,
}

impl Peer {
    /// A peer whose paths and session are yet to be made.
    pub(super) fn new(table: &PeerTable) -> Self {
        Self {
            name: table.name.clone(),
            is_host: table.is_host,
            local: table.local,
            remote: table.remote,
            encapsulation: table.encapsulation,
            paths: Vec::new(),
            watch: None,
            told_mtu: 0,
        }
    }

    /// Whether `table` is about the same peer at the same two ends.
    pub(super) fn is(&self, table: &PeerTable) -> bool {
        (&self.name, self.is_host, self.local, self.remote)
            == (&table.name, table.is_host, table.local, table.remote)
    }

    /// Takes over the paths of a table, and what is known of those that it had before.
    pub(super) fn set_paths(
        &mut self,
        now: Duration,
        table: &PeerTable,
        net: &Net,
        random: &mut Random,
    ) {
        let mut old = std::mem::take(&mut self.paths);
        for path in &table.paths {
            let Some(link) = net.link(path.link) else { continue };
            let known = old
                .iter()
                .position(|old| old.link == link.key && old.table.next_hop == path.next_hop);
            let mtu = match known {
                Some(index) => {
                    let mut mtu = old.swap_remove(index).mtu;
                    mtu.set_link_mtu(now, link.mtu);
                    mtu
                }
                None => PathMtu::new(now, link.mtu, self.remote.is_ipv4(), random),
            };
            self.paths.push(Path { table: path.clone(), link: link.key, mtu });
        }
    }

    /// Whether both ends are on one link (RFC 5881 section 1), or either is behind it. A neighbour that
    /// we meet with an address that is not the link's sees us behind a next hop, so that both ends come
    /// to the same answer.
    pub(super) fn hops(&self, net: &Net) -> Hops {
        let is_near = self.paths.iter().any(|path| {
            path.table.next_hop == self.remote
                && net.link(path.table.link).is_some_and(|link| link.joins(self.local, self.remote))
        });
        if is_near { Hops::Single } else { Hops::Multi }
    }

    /// The largest packet that every path takes; 0 without a path.
    pub(super) fn mtu(&self) -> u16 {
        self.paths.iter().map(|path| path.mtu.mtu()).min().unwrap_or(0)
    }

    /// What the links of its paths take; 0 without a path.
    pub(super) fn link_mtu(&self) -> u16 {
        self.paths.iter().map(|path| path.mtu.link_mtu()).min().unwrap_or(0)
    }

    /// Sends a control packet by the first path whose next hop is known.
    pub(super) fn send_control(&mut self, now: Duration, control: &Control, net: &mut Net) {
        let Some(watch) = &mut self.watch else { return };
        let path = self.paths.iter().find(|path| net.is_resolved(&path.table));
        let has_left = path.is_some_and(|path| {
            watch
                .packet((self.local, self.remote), control)
                .is_some_and(|packet| net.send_packet(&path.table, &packet))
        });
        watch.sent(now, has_left);
    }

    /// The ping of a given size, in octets of the IP packet: its data are zeros.
    pub(super) fn ping(&self, ping: Ping) -> Option<Vec<u8>> {
        let ip = if self.remote.is_ipv4() { IPV4_HEADER_LEN } else { IPV6_HEADER_LEN };
        let data = vec![0; usize::from(ping.size).checked_sub(ip + ECHO_HEADER_LEN)?];
        icmp::echo((self.local, self.remote), false, ping.id, &data)
    }

    pub(super) fn view(&self) -> PeerView {
        let states = self.paths.iter().map(|path| path.mtu.state());
        let state = if states.clone().any(|state| state == PathMtuState::Searching) {
            PathMtuState::Searching
        } else if states.clone().all(|state| state == PathMtuState::Confirmed)
            && !self.paths.is_empty()
        {
            PathMtuState::Confirmed
        } else {
            PathMtuState::Unknown
        };
        PeerView {
            name: self.name.clone(),
            bfd: self.watch.as_ref().map(Watch::view),
            path_mtu: PathMtuView { mtu: self.mtu(), link_mtu: self.link_mtu(), state },
        }
    }
}
