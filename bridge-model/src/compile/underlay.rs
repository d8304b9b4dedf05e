//! Where this host joins the underlay, whom it tunnels to, and by which ways.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::fids::bridge_domain;
use super::local::Local;
use super::{
    Encapsulation, HostView, InterfaceView, Link, Note, Numbering, PathTable, PeerTable, Place,
    UnderlayLinkTable, UnderlayTable, VniTable, reserved,
};
use crate::topology::{
    Host, IpFamily, Kind, ObjectRef, Route, Topology, Tunnel, TunnelKind, TunnelZone, UdpChecksum,
    UnderlayLink,
};
use crate::types::{InterfaceId, MemberId, Name, PeerId, PortId, UnderlayId, Vni};

/// An underlay link whose interface is there.
#[derive(Debug)]
pub(super) struct LocalLink<'a> {
    pub(super) link: &'a UnderlayLink,
    /// The port that it counts for.
    pub(super) port: Name,
    pub(super) interface: InterfaceId,
    view: &'a InterfaceView,
    pub(super) kernel: Option<InterfaceId>,
}

impl LocalLink<'_> {
    fn has_carrier(&self) -> bool {
        self.view.link == Link::Up
    }
}

/// The far end of a tunnel of this host.
#[derive(Debug)]
pub(super) struct LocalPeer<'a> {
    /// The host or the tunnel.
    pub(super) name: &'a Name,
    /// The port that it counts for.
    pub(super) port: Name,
    /// The foreign endpoint; `None` is a host.
    pub(super) tunnel: Option<&'a Tunnel>,
    /// All but the number of its port.
    table: PeerTable,
}

/// The overlay as this host sees it.
#[derive(Debug, Default)]
pub(super) struct Underlay<'a> {
    host: Option<&'a Host>,
    /// In the order of the site; the index is the [`UnderlayId`].
    pub(super) links: Vec<LocalLink<'a>>,
    /// By name; the index is the [`PeerId`].
    pub(super) peers: Vec<LocalPeer<'a>>,
    /// The zones that this host is in.
    zones: Vec<&'a TunnelZone>,
    /// Interfaces that its links name and the node file does not have.
    missing: BTreeSet<&'a Name>,
    /// Links whose way to the kernel is missing in the node file.
    without_kernel: Vec<(&'a UnderlayLink, &'a Name)>,
}

impl<'a> Underlay<'a> {
    pub(super) fn new(topology: &'a Topology, view: &'a HostView) -> Self {
        let Some(host) = topology.hosts.get(&view.host) else { return Self::default() };
        let mut underlay = Self { host: Some(host), ..Self::default() };
        for link in &host.underlay {
            underlay.add_link(view, link);
        }
        let zones = topology.tunnel_zones.values();
        underlay.zones = zones.filter(|zone| zone.hosts.contains(&host.name)).collect();
        let mut peers = BTreeMap::new();
        for zone in &underlay.zones {
            for peer in zone.hosts.iter().filter_map(|name| topology.hosts.get(name)) {
                if peer.name == host.name {
                    continue;
                }
                if let Some((local, remote)) = between(host, peer, zone.family) {
                    let found = underlay.peer(view, zone, &peer.name, None, (local, remote));
                    peers.entry(&peer.name).or_insert(found);
                }
            }
            for tunnel in topology.tunnels.values().filter(|tunnel| tunnel.zone == zone.name) {
                if let Some(local) = host.vtep.get(IpFamily::of(&tunnel.remote)) {
                    let ends = (local, tunnel.remote);
                    let found = underlay.peer(view, zone, &tunnel.name, Some(tunnel), ends);
                    peers.entry(&tunnel.name).or_insert(found);
                }
            }
        }
        underlay.peers = peers.into_values().collect();
        underlay
    }

    fn add_link(&mut self, view: &'a HostView, link: &'a UnderlayLink) {
        let found = |name| {
            let id = view.interface_id(name)?;
            Some((id, view.interface(id)?))
        };
        let Some((interface, interface_view)) = found(&link.interface) else {
            let kernel = link.kernel.as_ref().filter(|kernel| found(kernel).is_none());
            self.missing.extend(kernel.into_iter().chain([&link.interface]));
            return;
        };
        if let Some(kernel) = &link.kernel
            && found(kernel).is_none()
        {
            self.without_kernel.push((link, kernel));
        }
        self.links.push(LocalLink {
            link,
            port: Name::of_underlay(&link.interface, link.vlan),
            interface,
            view: interface_view,
            kernel: link.kernel.as_ref().and_then(found).map(|(id, _)| id),
        });
    }

    fn peer(
        &self,
        view: &HostView,
        zone: &'a TunnelZone,
        name: &'a Name,
        tunnel: Option<&'a Tunnel>,
        (local, remote): (IpAddr, IpAddr),
    ) -> LocalPeer<'a> {
        let paths = self.paths(remote);
        let links = paths.iter().filter_map(|path| self.links.get(path.link.index()));
        let smallest = links.map(|link| link.view.mtu).min();
        let probed = view.path_mtus.get(name).copied().unwrap_or(u16::MAX);
        let table = PeerTable {
            name: name.clone(),
            is_host: tunnel.is_none(),
            port: PortId::default(),
            local,
            remote,
            encapsulation: encapsulation(zone, remote),
            dscp: zone.dscp,
            mtu: smallest.map_or(0, |mtu| mtu.min(probed)),
            paths,
            bfd: tunnel.map_or(zone.bfd, |tunnel| tunnel.bfd),
        };
        LocalPeer { name, port: Name::of_peer(name), tunnel, table }
    }

    /// The ways to an address. One that is on a link needs no router. Otherwise the most specific route
    /// with a next hop on a link decides. A link without carrier is none.
    fn paths(&self, to: IpAddr) -> Vec<PathTable> {
        if let Some(link) = self.link_to(to) {
            return vec![PathTable { link, next_hop: to }];
        }
        let routes = self.host.map_or(&[][..], |host| &host.routes);
        let mut routes: Vec<&Route> =
            routes.iter().filter(|route| route.to.contains(&to)).collect();
        routes.sort_by_key(|route| std::cmp::Reverse(route.to.prefix_len()));
        let ways = |route: &&Route| {
            let mut ways: Vec<PathTable> = Vec::new();
            for &next_hop in &route.via {
                let way = self.link_to(next_hop).map(|link| PathTable { link, next_hop });
                ways.extend(way.filter(|way| !ways.contains(way)));
            }
            ways.truncate(Route::MAX_NEXT_HOPS);
            ways
        };
        routes.iter().map(ways).find(|ways| !ways.is_empty()).unwrap_or_default()
    }

    /// The link with carrier whose prefix holds an address: of several the longest prefix, then the
    /// first in the site's order.
    fn link_to(&self, address: IpAddr) -> Option<UnderlayId> {
        let numbered = self.links.iter().zip((0..).map(UnderlayId));
        let prefixes = numbered.filter(|(link, _)| link.has_carrier()).flat_map(|(link, id)| {
            let holding = link.link.addresses.iter().filter(|prefix| prefix.contains(&address));
            holding.map(move |prefix| (std::cmp::Reverse(prefix.prefix_len()), id))
        });
        prefixes.min().map(|(_, id)| id)
    }

    /// The ports of links and peers, each with what it is bound to: a peer whose address changes loses
    /// what was learned behind it.
    pub(super) fn bindings(&self) -> impl Iterator<Item = (Name, String)> {
        let links =
            self.links.iter().map(|link| (link.port.clone(), link.link.interface.to_string()));
        let peers =
            self.peers.iter().map(|peer| (peer.port.clone(), peer.table.remote.to_string()));
        links.chain(peers)
    }

    /// The untagged link on an interface.
    pub(super) fn untagged_on(&self, on: InterfaceId) -> Option<UnderlayId> {
        let is_it = |link: &LocalLink<'_>| link.interface == on && link.link.vlan.is_none();
        self.numbered(is_it).next().map(|(id, _)| id)
    }

    /// The links on an interface, with their numbers.
    pub(super) fn links_on(
        &self,
        on: InterfaceId,
    ) -> impl Iterator<Item = (UnderlayId, &LocalLink<'a>)> {
        self.numbered(move |link| link.interface == on)
    }

    /// The link that an interface serves as its way to the kernel.
    pub(super) fn kernel_of(&self, interface: InterfaceId) -> Option<UnderlayId> {
        self.numbered(|link| link.kernel == Some(interface)).next().map(|(id, _)| id)
    }

    fn numbered(
        &self,
        is_it: impl Fn(&LocalLink<'a>) -> bool,
    ) -> impl Iterator<Item = (UnderlayId, &LocalLink<'a>)> {
        let numbered = (0..).map(UnderlayId).zip(&self.links);
        numbered.filter(move |(_, link)| is_it(link))
    }

    /// The peer with the name of an object.
    pub(super) fn peer_named(&self, name: &Name) -> Option<&LocalPeer<'a>> {
        let at = self.peers.binary_search_by_key(&name, |peer| peer.name).ok()?;
        self.peers.get(at)
    }

    pub(super) fn notes(&self, notes: &mut Vec<Note>) {
        let Some(host) = self.host else { return };
        for interface in &self.missing {
            let (host, interface) = (host.name.clone(), (*interface).clone());
            notes.push(Note::UnderlayWaiting { host, interface });
        }
        for (link, interface) in &self.without_kernel {
            let (host, link) = (host.name.clone(), link.label());
            notes.push(Note::KernelMissing { host, link, interface: (*interface).clone() });
        }
        if host.underlay.is_empty() {
            let zones = self.zones.iter().map(|zone| zone.name.clone());
            notes.extend(zones.map(|zone| Note::NoUnderlay { host: host.name.clone(), zone }));
            return;
        }
        for peer in self.peers.iter().filter(|peer| peer.table.paths.is_empty()) {
            let (peer, remote) = (peer.object(), peer.table.remote);
            notes.push(Note::NoRoute { peer, remote, host: host.name.clone() });
        }
    }
}

impl LocalPeer<'_> {
    /// The largest layer 3 packet that it takes, in octets; `None` without a path, by which nothing
    /// leaves, however small.
    pub(super) fn inner_mtu(&self) -> Option<u16> {
        let table = &self.table;
        (!table.paths.is_empty()).then(|| table.max_frame().saturating_sub(ETHERNET))
    }

    fn object(&self) -> ObjectRef {
        let kind = if self.tunnel.is_some() { Kind::Tunnel } else { Kind::Host };
        ObjectRef::new(kind, self.name)
    }
}

/// How frames are wrapped for an endpoint of a zone.
fn encapsulation(zone: &TunnelZone, remote: IpAddr) -> Encapsulation {
    match zone.kind {
        TunnelKind::Gre => Encapsulation::Gre,
        TunnelKind::Vxlan => Encapsulation::Vxlan {
            port: zone.udp_port,
            checksum: match zone.udp_checksum {
                UdpChecksum::Auto => remote.is_ipv6(),
                UdpChecksum::Zero => false,
                UdpChecksum::Computed => true,
            },
            accept_zero: zone.udp_checksum == UdpChecksum::Zero,
        },
    }
}

/// Octets of an Ethernet header.
const ETHERNET: u16 = 14;

/// Our address and that of another host, of the family by which two hosts of a zone reach each other.
fn between(here: &Host, there: &Host, family: Option<IpFamily>) -> Option<(IpAddr, IpAddr)> {
    let families = family.map_or(vec![IpFamily::V4, IpFamily::V6], |family| vec![family]);
    families.into_iter().find_map(|f| Some((here.vtep.get(f)?, there.vtep.get(f)?)))
}

/// The table of the underlay; empty on a host without.
pub(super) fn build(local: &Local<'_>, numbering: &Numbering) -> UnderlayTable {
    let underlay = &local.underlay;
    let Some(host) = underlay.host else { return UnderlayTable::default() };
    if host.underlay.is_empty() && host.vtep.is_empty() {
        return UnderlayTable::default();
    }
    let port_of = |port: &Name| numbering.port_id(port).unwrap_or_default();
    let peers = underlay.peers.iter().map(|peer| {
        let port = port_of(&peer.port);
        PeerTable { port, ..peer.table.clone() }
    });
    let links = underlay.links.iter().map(|link| UnderlayLinkTable {
        port: port_of(&link.port),
        interface: link.interface,
        vlan: link.link.vlan,
        mac: link.view.mac,
        mtu: link.view.mtu,
        addresses: link.link.addresses.clone(),
        kernel: link.kernel,
    });
    let of_links = underlay.links.iter().flat_map(|link| &link.link.addresses).map(IpNet::addr);
    let addresses: BTreeSet<IpAddr> = of_links.chain(host.vtep.addresses()).collect();
    let vxlan = underlay.zones.iter().filter(|zone| zone.kind == TunnelKind::Vxlan);
    let ports: BTreeSet<u16> = vxlan.map(|zone| zone.udp_port).collect();
    UnderlayTable {
        links: links.collect(),
        local: addresses.into_iter().collect(),
        peers: peers.collect(),
        vnis: vnis(local, numbering),
        vxlan_ports: ports.into_iter().collect(),
        reserved: Some(reserved::in_tunnels()),
    }
}

/// Every bridge with a VNI and a learning domain here.
fn vnis(local: &Local<'_>, numbering: &Numbering) -> BTreeMap<Vni, VniTable> {
    let mut vnis = BTreeMap::new();
    for bridge in local.topology.bridges.values() {
        let domain = bridge_domain(local, &bridge.name);
        let (Some(vni), Some(fid)) = (bridge.vni, numbering.fid_of(&domain)) else { continue };
        let member =
            |peer: &LocalPeer<'_>| numbering.member_of(&domain, &Place::Peer(peer.port.clone()));
        let members: BTreeMap<PeerId, MemberId> = (0..)
            .map(PeerId)
            .zip(&local.underlay.peers)
            .filter_map(|(id, peer)| Some((id, member(peer)?)))
            .collect();
        let (transparent, is_up) = (bridge.transparent, bridge.admin.is_up());
        vnis.insert(vni, VniTable { fid, transparent, is_up, members });
    }
    vnis
}
