//! Generated overlays: hosts with links, routes and tunnel endpoints, zones of both kinds and
//! families, foreign tunnels.

use std::time::Duration;

use bridge_model::topology::{
    BfdTimers, Host, IpFamily, Route, Topology, Tunnel, TunnelDscp, TunnelKind, TunnelZone,
    UdpChecksum, UnderlayLink, Vtep,
};
use bridge_model::types::VlanId;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::site::{HOSTS, INTERFACES, keep_if_allowed, mostly};
use crate::world::name;

/// Addresses at which a peer may be: those of hosts end in 2 to 4, those of foreign endpoints in 9.
/// `10.0.0.0/24`, `10.1.0.0/24`, `fd00::/64` and `fd01::/64` may be on a link of host `h`, the rest is behind
/// routers.
pub(super) const PEERS: [&str; 20] = [
    "10.0.0.2",
    "10.0.0.3",
    "10.0.0.4",
    "10.0.0.9",
    "10.1.0.2",
    "10.1.0.3",
    "10.1.0.4",
    "10.1.0.9",
    "172.16.0.2",
    "172.16.0.3",
    "172.16.0.4",
    "172.16.0.9",
    "fd00::2",
    "fd00::3",
    "fd00::4",
    "fd00::9",
    "fd10::2",
    "fd10::3",
    "fd10::4",
    "fd10::9",
];
/// Routers.
pub(super) const ROUTERS: [&str; 8] = [
    "10.0.0.252",
    "10.0.0.253",
    "10.0.0.254",
    "10.1.0.254",
    "fd00::fd",
    "fd00::fe",
    "fd01::fe",
    "10.1.0.253",
];
/// Addresses that host `h` may have.
pub(super) const OWN: [&str; 7] =
    ["10.0.0.1", "10.1.0.1", "172.16.0.1", "fd00::1", "fd01::1", "fd10::1", "10.0.0.11"];
/// VLANs that an underlay link may be on. VID 2 is also one of those that trunks carry.
pub(super) const LINK_VLANS: [u16; 2] = [40, 2];
/// Objects that a peer may stand for.
pub(crate) const PEER_NAMES: [&str; 6] = ["o1", "o2", "o3", "f0", "f1", "f2"];

/// What makes a site an overlay.
#[derive(Clone, Debug)]
pub(super) struct Overlay {
    hosts: Vec<Host>,
    zones: Vec<TunnelZone>,
    tunnels: Vec<Tunnel>,
}

impl Overlay {
    /// Adds what keeps the limits, piece by piece.
    pub(super) fn add_to(self, site: &mut Topology) {
        for host in self.hosts {
            let id = host.name.clone();
            site.hosts.insert(id.clone(), Host::new(id.clone()));
            let mut add = |change: &dyn Fn(&mut Host)| {
                keep_if_allowed(site, |site| change(site.hosts.get_mut(&id).unwrap()));
            };
            add(&|new| new.vtep = host.vtep);
            for link in &host.underlay {
                add(&|new| new.underlay.push(link.clone()));
            }
            for route in &host.routes {
                add(&|new| new.routes.push(route.clone()));
            }
        }
        for zone in self.zones {
            keep_if_allowed(site, |site| {
                site.tunnel_zones.insert(zone.name.clone(), zone);
            });
        }
        for tunnel in self.tunnels {
            keep_if_allowed(site, |site| {
                site.tunnels.insert(tunnel.name.clone(), tunnel);
            });
        }
    }
}

fn vtep(last: usize) -> impl Strategy<Value = Vtep> {
    let v4 = select(vec!["10.0.0.", "10.0.0.", "10.1.0.", "172.16.0."]);
    let v6 = select(vec!["fd00::", "fd10::"]);
    let both = (prop::option::weighted(0.9, v4), prop::option::weighted(0.6, v6));
    both.prop_map(move |(v4, v6)| Vtep {
        v4: v4.map(|net| format!("{net}{last}").parse().unwrap()),
        v6: v6.map(|net| format!("{net}{last}").parse().unwrap()),
    })
}

/// Mostly on the last port's interface alone, else beside a trunk or an access port.
fn link(addresses: &'static [&'static str]) -> impl Strategy<Value = UnderlayLink> {
    let interface = prop_oneof![4 => Just(INTERFACES[4]), 3 => select(&INTERFACES[..5])];
    let vlan = prop::option::weighted(0.4, select(&LINK_VLANS[..]));
    let addresses = prop_oneof![
        2 => Just(addresses.to_vec()),
        1 => select(addresses).prop_map(|one| vec![one]),
    ];
    let kernel = prop::option::weighted(0.35, Just(INTERFACES[5]));
    (interface, vlan, addresses, kernel).prop_map(|(interface, vlan, addresses, kernel)| {
        UnderlayLink {
            interface: name(interface),
            vlan: vlan.map(|vlan| VlanId::new(vlan).unwrap()),
            addresses: addresses.iter().map(|net| net.parse().unwrap()).collect(),
            kernel: kernel.map(name),
        }
    })
}

fn routes() -> impl Strategy<Value = Vec<Route>> {
    const ROUTES: [(&str, &[&str]); 5] = [
        ("0.0.0.0/0", &["10.0.0.254", "10.1.0.254", "10.0.0.253"]),
        ("172.16.0.0/16", &["10.1.0.254", "10.1.0.253"]),
        ("172.16.0.2/32", &["10.0.0.252"]),
        ("::/0", &["fd00::fe", "fd01::fe"]),
        ("fd10::/16", &["fd00::fd"]),
    ];
    subsequence(&ROUTES[..], 0..=5).prop_map(|routes| {
        let route = |(to, via): (&str, &[&str])| Route {
            to: to.parse().unwrap(),
            via: via.iter().map(|via| via.parse().unwrap()).collect(),
        };
        routes.into_iter().map(route).collect()
    })
}

fn here() -> impl Strategy<Value = Host> {
    let first = link(&["10.0.0.1/24", "fd00::1/64", "10.0.0.11/24"]);
    let second = link(&["10.1.0.1/24", "fd01::1/64"]);
    let links = (prop::option::weighted(0.9, first), prop::option::weighted(0.5, second));
    (vtep(1), links, routes()).prop_map(|(vtep, (first, second), routes)| Host {
        vtep,
        underlay: first.into_iter().chain(second).collect(),
        routes,
        ..Host::new(name(HOSTS[0]))
    })
}

fn bfd() -> impl Strategy<Value = Option<BfdTimers>> {
    let timers = (10..300_u64, 1..5_u8).prop_map(|(millis, multiplier)| BfdTimers {
        interval: Duration::from_millis(millis),
        multiplier,
    });
    prop::option::of(timers)
}

fn zone(index: usize) -> impl Strategy<Value = TunnelZone> {
    let kind = select(vec![TunnelKind::Vxlan, TunnelKind::Vxlan, TunnelKind::Gre]);
    let family = prop::option::weighted(0.3, select(vec![IpFamily::V4, IpFamily::V6]));
    let hosts = (mostly(true), subsequence(&HOSTS[1..], 0..=3));
    let checksum = select(vec![UdpChecksum::Auto, UdpChecksum::Zero, UdpChecksum::Computed]);
    let dscp = prop_oneof![(0..64_u8).prop_map(TunnelDscp::Fixed), Just(TunnelDscp::Copy)];
    (kind, family, hosts, (checksum, mostly(true)), dscp, bfd()).prop_map(
        move |(kind, family, (here, others), (checksum, usual), dscp, bfd)| {
            let mut zone = TunnelZone::new(name(&format!("z{index}")), kind);
            zone.family = family;
            zone.hosts =
                HOSTS[..1].iter().filter(|_| here).chain(&others).map(|h| name(h)).collect();
            if kind == TunnelKind::Vxlan {
                zone.udp_checksum = checksum;
                zone.udp_port = if usual { 4789 } else { 8472 };
            }
            zone.dscp = dscp;
            zone.bfd = bfd;
            zone
        },
    )
}

fn tunnel(index: usize) -> impl Strategy<Value = Tunnel> {
    let remote = prop_oneof![
        8 => select(PEERS.iter().copied().filter(|peer| peer.ends_with('9')).collect::<Vec<_>>()),
        1 => select(&PEERS[..]),
    ];
    let bridges = subsequence(&["b0", "b1", "b2"][..], 1..=3);
    (0..2_usize, remote, bridges, bfd()).prop_map(move |(zone, remote, bridges, bfd)| Tunnel {
        name: name(&format!("f{index}")),
        zone: name(&format!("z{zone}")),
        remote: remote.parse().unwrap(),
        bridges: bridges.into_iter().map(name).collect(),
        bfd,
    })
}

pub(super) fn overlay() -> BoxedStrategy<Overlay> {
    let others = (vtep(2), vtep(3), vtep(4)).boxed();
    let zones = (zone(0).boxed(), zone(1).boxed()).boxed();
    let tunnels = (tunnel(0).boxed(), tunnel(1).boxed(), tunnel(2).boxed()).boxed();
    (here().boxed(), others, zones, tunnels)
        .prop_map(|(here, others, zones, tunnels)| {
            let vteps = [others.0, others.1, others.2];
            let other = |(id, vtep): (&&str, Vtep)| Host { vtep, ..Host::new(name(id)) };
            let others = HOSTS[1..].iter().zip(vteps).map(other);
            Overlay {
                hosts: std::iter::once(here).chain(others).collect(),
                zones: vec![zones.0, zones.1],
                tunnels: vec![tunnels.0, tunnels.1, tunnels.2],
            }
        })
        .boxed()
}
