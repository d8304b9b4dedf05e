//! Sites whose bridges span hosts.

use std::net::IpAddr;

use bridge_model::topology::{
    AccessPort, BfdTimers, Binding, Host, IpFamily, MssClamp, NeighborSuppression, Route,
    StaticKey, StaticMac, Topology, TrunkPort, Tunnel, TunnelDscp, TunnelKind, TunnelZone,
    UdpChecksum, UnderlayLink, Vtep,
};
use bridge_model::types::{Name, Vni};

use crate::generate::{self, INTERFACES, interface, name, station, vid};
use crate::random::Random;

/// Where peers may be: the first four on a link, the others behind routers.
pub(super) const REMOTES: [&str; 12] = [
    "192.0.2.2",
    "192.0.2.3",
    "10.1.0.4",
    "192.0.2.9",
    "198.51.100.2",
    "198.51.100.3",
    "198.51.100.9",
    "2001:db8::2",
    "2001:db8::3",
    "2001:db8::9",
    "2001:db8:ff::4",
    "2001:db8:ff::9",
];
/// Routers, all on links.
pub(super) const ROUTERS: [&str; 6] =
    ["192.0.2.250", "192.0.2.251", "10.1.0.250", "10.1.0.251", "2001:db8::fe", "2001:db8:1::fe"];
/// What the host `gw` may be called on the underlay.
pub(super) const OWN: [&str; 7] = [
    "192.0.2.1",
    "192.0.2.11",
    "10.1.0.1",
    "203.0.113.1",
    "2001:db8::1",
    "2001:db8:1::1",
    "2001:db8:ee::1",
];
/// Who may be at the other end of a tunnel.
pub(super) const PEERS: [&str; 6] = ["h1", "h2", "h3", "f0", "f1", "f2"];
pub(super) const FIRST_VNI: u32 = 5000;

/// Changes the site, if it then still keeps the limits.
fn attempt(topology: &mut Topology, change: impl FnOnce(&mut Topology)) {
    let mut changed = topology.clone();
    change(&mut changed);
    if changed.check().is_ok() {
        *topology = changed;
    }
}

/// A topology that passes its own check, mostly with tunnels.
pub(crate) fn topology(random: &mut Random, seed: u64) -> Topology {
    let mut topology = generate::topology(random, seed);
    bridges(random, &mut topology);
    hosts(random, &mut topology);
    links(random, &mut topology);
    routes(random, &mut topology);
    for index in 0..2 {
        let zone = zone(random, index);
        attempt(&mut topology, |site| drop(site.tunnel_zones.insert(zone.name.clone(), zone)));
    }
    for index in 0..3 {
        let tunnel = tunnel(random, index);
        attempt(&mut topology, |site| drop(site.tunnels.insert(tunnel.name.clone(), tunnel)));
    }
    ports(random, &mut topology);
    statics(random, &mut topology);
    topology
}

fn bridges(random: &mut Random, topology: &mut Topology) {
    for (bridge, vni) in topology.bridges.values_mut().zip(FIRST_VNI..) {
        bridge.vni = (!random.one_in(8)).then(|| Vni::new(vni).unwrap());
        if random.one_in(2) {
            bridge.neighbor_suppression = NeighborSuppression::On;
        }
        if random.one_in(3) {
            bridge.mss_clamp = MssClamp::On;
        }
    }
}

fn vtep(random: &mut Random, v4: &[&str], v6: &[&str]) -> Vtep {
    Vtep {
        v4: (!random.one_in(8)).then(|| random.pick(v4).parse().unwrap()),
        v6: (!random.one_in(3)).then(|| random.pick(v6).parse().unwrap()),
    }
}

fn hosts(random: &mut Random, topology: &mut Topology) {
    let here = vtep(random, &["192.0.2.1", "203.0.113.1"], &["2001:db8::1", "2001:db8:ee::1"]);
    attempt(topology, |site| site.hosts.get_mut(&generate::host()).unwrap().vtep = here);
    let others: [(&str, &[&str], &[&str]); 3] = [
        ("h1", &["192.0.2.2", "198.51.100.2"], &["2001:db8::2"]),
        ("h2", &["192.0.2.3", "198.51.100.3"], &["2001:db8::3"]),
        ("h3", &["10.1.0.4"], &["2001:db8:ff::4"]),
    ];
    for (id, v4, v6) in others {
        let host = Host { vtep: vtep(random, v4, v6), ..Host::new(name(id)) };
        attempt(topology, |site| drop(site.hosts.insert(host.name.clone(), host)));
    }
}

/// Up to two links. Where there is a port already, the check refuses some of them.
fn links(random: &mut Random, topology: &mut Topology) {
    let both: [&[&str]; 2] = [
        &["192.0.2.1/24", "2001:db8::1/64", "192.0.2.11/24"],
        &["10.1.0.1/24", "2001:db8:1::1/64"],
    ];
    for (number, addresses) in both.into_iter().enumerate() {
        for _ in 0..6 {
            let link = UnderlayLink {
                interface: interface(random.below(usize::from(INTERFACES)) as u16),
                vlan: random.one_in(2).then(|| vid(random.pick(&[40, 40, 41, 10]))),
                addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
                kernel: random
                    .one_in(3)
                    .then(|| interface(random.below(usize::from(INTERFACES)) as u16)),
            };
            attempt(topology, |site| {
                site.hosts.get_mut(&generate::host()).unwrap().underlay.push(link);
            });
            if topology.hosts[&generate::host()].underlay.len() > number {
                break;
            }
        }
    }
}

fn routes(random: &mut Random, topology: &mut Topology) {
    let all: [(&str, &[&str]); 5] = [
        ("0.0.0.0/0", &["192.0.2.250", "192.0.2.251", "10.1.0.250"]),
        ("198.51.100.0/24", &["10.1.0.250", "10.1.0.251"]),
        ("198.51.100.2/32", &["192.0.2.251"]),
        ("::/0", &["2001:db8::fe", "2001:db8:1::fe"]),
        ("2001:db8:ff::/48", &["2001:db8::fe"]),
    ];
    for (to, via) in all {
        if random.one_in(3) {
            continue;
        }
        let via = via.iter().map(|via| via.parse::<IpAddr>().unwrap()).collect();
        let route = Route { to: to.parse().unwrap(), via };
        attempt(topology, |site| {
            site.hosts.get_mut(&generate::host()).unwrap().routes.push(route);
        });
    }
}

fn bfd(random: &mut Random) -> Option<BfdTimers> {
    random.one_in(2).then(BfdTimers::default)
}

fn zone(random: &mut Random, index: usize) -> TunnelZone {
    let kind = random.pick(&[TunnelKind::Vxlan, TunnelKind::Vxlan, TunnelKind::Gre]);
    let mut zone = TunnelZone::new(name(&format!("z{index}")), kind);
    zone.family = random.pick(&[None, None, None, Some(IpFamily::V4), Some(IpFamily::V6)]);
    let hosts: &[&str] = if index == 0 { &["gw", "h1", "h2"] } else { &["gw", "h3"] };
    zone.hosts = hosts.iter().filter(|_| !random.one_in(8)).map(|host| name(host)).collect();
    if kind == TunnelKind::Vxlan {
        zone.udp_checksum =
            random.pick(&[UdpChecksum::Auto, UdpChecksum::Zero, UdpChecksum::Computed]);
        zone.udp_port = random.pick(&[4789, 4789, 8472]);
    }
    zone.dscp = match random.below(3) {
        0 => TunnelDscp::Copy,
        _ => TunnelDscp::Fixed(random.below(64) as u8),
    };
    zone.bfd = bfd(random);
    zone
}

fn tunnel(random: &mut Random, index: usize) -> Tunnel {
    let foreign: Vec<&str> = REMOTES.iter().copied().filter(|at| at.ends_with('9')).collect();
    let mut bridges: Vec<Name> = ["b0", "b1", "b2"].map(name).to_vec();
    bridges.retain(|_| !random.one_in(3));
    Tunnel {
        name: name(&format!("f{index}")),
        zone: name(random.pick(&["z0", "z1"])),
        remote: random.pick(&foreign).parse().unwrap(),
        bridges,
        bfd: bfd(random),
    }
}

/// Ports on other hosts: what makes them members of bridges.
fn ports(random: &mut Random, topology: &mut Topology) {
    let bridges: Vec<Name> = topology.bridges.keys().cloned().collect();
    let gateways: Vec<Name> = topology.gateway_bridges.keys().cloned().collect();
    for index in 0..5 {
        let binding = Some(Binding {
            host: name(random.pick(&["h1", "h2", "h3"])),
            interface: name(&format!("vm{index}")),
        });
        if random.one_in(4) {
            let trunk = TrunkPort::new(name(&format!("y{index}")), random.pick(&gateways), binding);
            attempt(topology, |site| drop(site.trunks.insert(trunk.name.clone(), trunk)));
        } else {
            let port = AccessPort::new(name(&format!("x{index}")), random.pick(&bridges), binding);
            attempt(topology, |site| drop(site.access_ports.insert(port.name.clone(), port)));
        }
    }
}

/// Stations that are behind tunnels whatever anybody says.
fn statics(random: &mut Random, topology: &mut Topology) {
    for _ in 0..random.below(3) {
        let bridges: Vec<Name> = topology.bridges.keys().cloned().collect();
        let key = StaticKey {
            bridge: random.pick(&bridges),
            mac: station(random.below(8) as u64),
            payload_vid: None,
        };
        let port = name(random.pick(&["f0", "f1", "x0", "x1", "x2"]));
        let entry = StaticMac { key, port, vid: None };
        attempt(topology, |site| drop(site.static_macs.insert(entry.key.clone(), entry)));
    }
}
