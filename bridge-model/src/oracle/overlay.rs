//! Who is at the other end of tunnels, by which ways, and what they have to do with a bridge:
//! questions to the topology, answered by looking.

use std::cmp::Reverse;
use std::net::IpAddr;

use super::site::Site;
use crate::compile::{InterfaceView, Link, Place};
use crate::topology::{
    Bridge, Host, IpFamily, Route, Tunnel, TunnelKind, TunnelZone, UdpChecksum, UnderlayLink,
};
use crate::types::{InterfaceId, Name};
use crate::wire::ethernet::HEADER_LEN;
use crate::wire::ip::{IPV4_HEADER_LEN, IPV6_HEADER_LEN, UDP_HEADER_LEN};
use crate::wire::tunnel::{GRE_HEADER_LEN, VXLAN_HEADER_LEN};

/// The far end of a tunnel: another host of a zone, or a foreign endpoint.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer<'a> {
    /// The host or the tunnel.
    pub(super) name: &'a Name,
    /// How frames are wrapped.
    pub(super) zone: &'a TunnelZone,
    /// Our address.
    pub(super) local: IpAddr,
    /// Its address.
    pub(super) remote: IpAddr,
    /// The object of a foreign endpoint.
    tunnel: Option<&'a Tunnel>,
}

impl Peer<'_> {
    /// The port by which it is reached.
    pub(super) fn place(&self) -> Place {
        Place::Peer(Name::of_peer(self.name))
    }

    /// Whether it is watched.
    pub(super) fn has_bfd(&self) -> bool {
        self.tunnel.map_or(self.zone.bfd, |tunnel| tunnel.bfd).is_some()
    }

    /// Whether the outer UDP checksum is computed.
    pub(super) fn computes_checksum(&self) -> bool {
        match self.zone.udp_checksum {
            UdpChecksum::Auto => self.remote.is_ipv6(),
            UdpChecksum::Zero => false,
            UdpChecksum::Computed => true,
        }
    }

    /// Octets of all headers from the outer IP header to the inner frame.
    fn overhead(&self) -> usize {
        let ip = if self.remote.is_ipv4() { IPV4_HEADER_LEN } else { IPV6_HEADER_LEN };
        ip + match self.zone.kind {
            TunnelKind::Vxlan => UDP_HEADER_LEN + VXLAN_HEADER_LEN,
            TunnelKind::Gre => GRE_HEADER_LEN,
        }
    }
}

/// An underlay link whose interface is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Underlay<'a> {
    pub(super) link: &'a UnderlayLink,
    pub(super) interface: InterfaceId,
    pub(super) view: &'a InterfaceView,
    /// Where everything goes that is not ours, if that interface is there.
    pub(super) kernel: Option<InterfaceId>,
}

/// One way to a peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path<'a> {
    pub(super) link: Underlay<'a>,
    pub(super) next_hop: IpAddr,
}

impl Site {
    fn host(&self) -> Option<&Host> {
        self.topology.hosts.get(&self.view.host)
    }

    /// The peers of this host: the other hosts of its zones, and the tunnels of these zones.
    pub(super) fn peers(&self) -> Vec<Peer<'_>> {
        let Some(here) = self.host() else { return Vec::new() };
        let mut peers = Vec::new();
        for zone in self.topology.tunnel_zones.values().filter(|z| z.hosts.contains(&here.name)) {
            let others = zone.hosts.iter().filter(|name| **name != here.name);
            for there in others.filter_map(|name| self.topology.hosts.get(name)) {
                let both = |family| Some((here.vtep.get(family)?, there.vtep.get(family)?));
                let addresses = match zone.family {
                    Some(family) => both(family),
                    None => both(IpFamily::V4).or_else(|| both(IpFamily::V6)),
                };
                if let Some((local, remote)) = addresses {
                    peers.push(Peer { name: &there.name, zone, local, remote, tunnel: None });
                }
            }
            for tunnel in self.topology.tunnels.values().filter(|t| t.zone == zone.name) {
                let remote = tunnel.remote;
                if let Some(local) = here.vtep.get(IpFamily::of(&remote)) {
                    let (name, tunnel) = (&tunnel.name, Some(tunnel));
                    peers.push(Peer { name, zone, local, remote, tunnel });
                }
            }
        }
        peers
    }

    /// The peer that a place stands for.
    pub(super) fn peer_at(&self, place: &Place) -> Option<Peer<'_>> {
        self.peers().into_iter().find(|peer| peer.place() == *place)
    }

    /// Whether the peer is out of reach.
    pub(super) fn is_down(&self, peer: &Peer<'_>) -> bool {
        self.view.peers_down.contains(peer.name)
    }

    /// The underlay links of this host.
    pub(super) fn underlay(&self) -> Vec<Underlay<'_>> {
        let links = self.host().map_or(&[][..], |host| &host.underlay);
        links
            .iter()
            .filter_map(|link| {
                let interface = self.view.interface_id(&link.interface)?;
                let view = self.view.interface(interface)?;
                let kernel = link.kernel.as_ref().and_then(|name| self.view.interface_id(name));
                Some(Underlay { link, interface, view, kernel })
            })
            .collect()
    }

    /// Whether an address on the underlay is one of this host: of a link, or a tunnel endpoint's.
    pub(super) fn is_ours(&self, address: IpAddr) -> bool {
        let is_vtep = self.host().is_some_and(|host| host.vtep.addresses().any(|a| a == address));
        is_vtep
            || self.underlay().iter().any(|u| u.link.addresses.iter().any(|a| a.addr() == address))
    }

    /// The UDP ports at which VXLAN is expected.
    pub(super) fn expects_vxlan(&self, port: u16) -> bool {
        self.topology.tunnel_zones.values().any(|zone| {
            zone.kind == TunnelKind::Vxlan
                && zone.udp_port == port
                && zone.hosts.contains(&self.view.host)
        })
    }

    /// The ways to an address, among which flows are spread. What is on a link needs no router;
    /// otherwise the most specific route decides that has a next hop on a link. A link without
    /// carrier is none.
    pub(super) fn paths(&self, to: IpAddr) -> Vec<Path<'_>> {
        if let Some(link) = self.link_towards(to) {
            return vec![Path { link, next_hop: to }];
        }
        let routes = self.host().map_or(&[][..], |host| &host.routes);
        let mut routes: Vec<&Route> = routes.iter().filter(|r| r.to.contains(&to)).collect();
        routes.sort_by_key(|route| Reverse(route.to.prefix_len()));
        for route in routes {
            let way = |&next_hop: &IpAddr| {
                let link = self.link_towards(next_hop)?;
                Some(Path { link, next_hop })
            };
            let ways: Vec<Path<'_>> = route.via.iter().filter_map(way).collect();
            if !ways.is_empty() {
                return ways;
            }
        }
        Vec::new()
    }

    /// The link with carrier that an address is on: of several that with the longest prefix, of these
    /// the first.
    fn link_towards(&self, address: IpAddr) -> Option<Underlay<'_>> {
        let mut best: Option<(u8, Underlay<'_>)> = None;
        for link in self.underlay().into_iter().filter(|link| link.view.link == Link::Up) {
            for prefix in link.link.addresses.iter().filter(|prefix| prefix.contains(&address)) {
                if best.is_none_or(|(longest, _)| prefix.prefix_len() > longest) {
                    best = Some((prefix.prefix_len(), link));
                }
            }
        }
        best.map(|(_, link)| link)
    }

    /// The longest inner frame that every way to a peer takes, in octets; `None` without a way.
    pub(super) fn max_frame(&self, peer: &Peer<'_>) -> Option<usize> {
        let paths = self.paths(peer.remote);
        let mtu = paths.iter().map(|path| path.link.view.mtu).min()?;
        let probed = self.view.path_mtus.get(peer.name).copied().unwrap_or(u16::MAX);
        Some(usize::from(mtu.min(probed)).saturating_sub(peer.overhead()))
    }

    /// The peers that have to do with a bridge. None, if the bridge is down, is on no wire, or has no
    /// business on this host.
    pub(super) fn peers_in(&self, bridge: &Bridge) -> Vec<Peer<'_>> {
        if !bridge.admin.is_up() || bridge.vni.is_none() || !self.is_here(&bridge.name) {
            return Vec::new();
        }
        let takes_part = |peer: &Peer<'_>| match peer.tunnel {
            Some(tunnel) => tunnel.bridges.contains(&bridge.name),
            None => self.has_exit(peer.name, &bridge.name),
        };
        let peers = self.peers().into_iter();
        peers.filter(|peer| !self.is_down(peer) && takes_part(peer)).collect()
    }

    /// Whether a host can send frames of a bridge to somebody: by an access port, or by a trunk that
    /// it has the right to forward with (rules F5 and F8).
    fn has_exit(&self, host: &Name, bridge: &Name) -> bool {
        let by_access = self.topology.access_ports.values().any(|port| {
            let is_there = port.binding.as_ref().is_some_and(|binding| binding.host == *host);
            port.bridge == *bridge && port.admin.is_up() && is_there
        });
        by_access || self.links_to(bridge).any(|link| self.holder(&link.key) == Some(host))
    }

    /// Whether a bridge has a port on this host, or a trunk of this host carries a VID of it, up or
    /// not.
    pub(super) fn is_here(&self, bridge: &Name) -> bool {
        let topology = &self.topology;
        let by_access = topology
            .access_ports
            .values()
            .any(|port| port.bridge == *bridge && self.local(port.binding.as_ref()).is_some());
        by_access
            || self.links_to(bridge).any(|link| {
                topology.trunks.values().any(|trunk| {
                    trunk.gateway_bridge == link.key.gateway_bridge
                        && self.carries(trunk, link.key.vid)
                        && self.local(trunk.binding()).is_some()
                })
            })
    }

    /// The largest layer 3 packet that every tunnel of a bridge takes, in octets.
    pub(super) fn tunnel_mtu(&self, bridge: &Bridge) -> Option<usize> {
        let peers = self.peers_in(bridge);
        let longest = peers.iter().filter_map(|peer| self.max_frame(peer)).min();
        longest.map(|octets| octets.saturating_sub(HEADER_LEN))
    }
}
