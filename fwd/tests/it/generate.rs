//! Topologies and frames of every kind, from a seed.

use bridge_model::compile::{
    HostView, InterfaceView, Link, MacLimit, OverLimit, StormLimits, StormRate,
};
use bridge_model::topology::{
    AccessPort, AdminState, Binding, Bridge, GatewayBridge, Host, LinkKey, RedundancyMode,
    ReservedPolicy, StaticKey, StaticMac, Topology, TrunkPort, VlanLink, VlanSet,
};
use bridge_model::types::{IndividualMac, MacAddr, Name, Tpid, VlanId};

use crate::random::Random;

pub(crate) const INTERFACES: u16 = 7;
const VIDS: [u16; 6] = [1, 10, 20, 30, 100, 4094];

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn vid(raw: u16) -> VlanId {
    VlanId::new(raw).unwrap()
}

/// Stations 0.. as addresses.
pub(crate) fn station(number: u64) -> IndividualMac {
    IndividualMac::try_from(MacAddr::from_u64(0x0200_0000_0000 | number)).unwrap()
}

pub(crate) fn host() -> Name {
    name("gw")
}

pub(crate) fn interface(index: u16) -> Name {
    name(&format!("eth{index}"))
}

pub(crate) fn view() -> HostView {
    let interface = |index| InterfaceView {
        name: interface(index),
        mtu: 1500,
        mac: MacAddr::from_u64(0x0600_0000_0000 | u64::from(index)),
        link: Link::Up,
    };
    HostView::new(host(), (0..INTERFACES).map(interface).collect())
}

pub(crate) fn random_view(random: &mut Random) -> HostView {
    let mut view = view();
    for interface in &mut view.interfaces {
        interface.mtu = random.pick(&[1500, 1500, 1500, 1400, 9000]);
        if random.one_in(12) {
            interface.link = Link::Down;
        }
    }
    view
}

fn admin(random: &mut Random) -> AdminState {
    if random.one_in(12) { AdminState::Down } else { AdminState::Up }
}

/// The same for a port of this name in every topology of a run: limits that come and go would
/// have to forget their buckets in the same way on both sides.
fn storm(port: &str, seed: u64) -> StormLimits {
    let mut random = Random::new(seed ^ port.bytes().fold(7, |hash, b| hash * 31 + u64::from(b)));
    let mut rate = || {
        random.one_in(4).then(|| StormRate {
            frames_per_second: random.pick(&[1, 10, 1000]),
            burst: random.pick(&[1, 3, 40]),
        })
    };
    StormLimits { broadcast: rate(), multicast: rate(), unknown_unicast: rate() }
}

fn mac_limit(random: &mut Random) -> Option<MacLimit> {
    random.one_in(4).then(|| MacLimit {
        entries: random.pick(&[0, 1, 2, 5]),
        over: random.pick(&[OverLimit::Forward, OverLimit::Drop]),
    })
}

/// A topology that passes its own check. `seed` fixes what has to be the same in all topologies of
/// a run.
pub(crate) fn topology(random: &mut Random, seed: u64) -> Topology {
    loop {
        let topology = attempt(random, seed);
        if topology.check().is_ok() {
            return topology;
        }
    }
}

fn attempt(random: &mut Random, seed: u64) -> Topology {
    let mut topology = Topology::default();
    topology.hosts.insert(host(), Host::new(host()));
    for index in 0..=random.below(3) {
        let mut bridge = Bridge::new(name(&format!("b{index}")));
        bridge.transparent = random.one_in(5);
        bridge.admin = admin(random);
        bridge.mac_limit = mac_limit(random);
        topology.bridges.insert(bridge.name.clone(), bridge);
    }
    for index in 0..=random.below(2) {
        let mut gateway = GatewayBridge::new(name(&format!("g{index}")));
        gateway.mode = random.pick(&[RedundancyMode::Lease, RedundancyMode::StpTransparent]);
        gateway.transit = gateway.mode == RedundancyMode::StpTransparent && random.one_in(2);
        gateway.admin = admin(random);
        if random.one_in(3) {
            let address = MacAddr::from_u64(random.pick(&[0x0180_c200_0021, 0x0180_c200_0003]));
            gateway.reserved.insert(address, ReservedPolicy::Pass);
        }
        topology.gateway_bridges.insert(gateway.name.clone(), gateway);
    }
    for index in 0..INTERFACES {
        let role = random.below(8);
        let binding = Some(Binding { host: host(), interface: interface(index) });
        let mut native = false;
        if (0..4).contains(&role) {
            let trunk = trunk(random, &topology, index, binding.clone(), seed);
            native = trunk.native.is_some();
            topology.trunks.insert(trunk.name.clone(), trunk);
        }
        if (3..7).contains(&role) && !native {
            let bridges: Vec<Name> = topology.bridges.keys().cloned().collect();
            let port = format!("a{index}");
            let mut access = AccessPort::new(name(&port), random.pick(&bridges), binding);
            access.admin = admin(random);
            access.mac_limit = mac_limit(random);
            access.storm_control.port = storm(&port, seed);
            topology.access_ports.insert(access.name.clone(), access);
        }
    }
    links(random, &mut topology);
    statics(random, &mut topology);
    topology
}

fn trunk(
    random: &mut Random,
    topology: &Topology,
    index: u16,
    binding: Option<Binding>,
    seed: u64,
) -> TrunkPort {
    let gateways: Vec<Name> = topology.gateway_bridges.keys().cloned().collect();
    let port = format!("t{index}");
    let mut trunk = TrunkPort::new(name(&port), random.pick(&gateways), binding);
    if random.one_in(3) {
        let vids = VIDS.iter().filter(|_| random.one_in(2)).map(|raw| vid(*raw));
        trunk.allowed = Some(vids.collect::<VlanSet>());
    }
    trunk.native = random.one_in(3).then(|| vid(random.pick(&VIDS)));
    trunk.tpid = random.pick(&[Tpid::CTag, Tpid::CTag, Tpid::CTag, Tpid::STag]);
    trunk.admin = admin(random);
    trunk.mac_limit = mac_limit(random);
    trunk.storm_control.port = storm(&port, seed);
    trunk.storm_control.per_vlan = storm(&format!("{port}v"), seed);
    trunk
}

fn links(random: &mut Random, topology: &mut Topology) {
    let gateways: Vec<Name> = topology.gateway_bridges.keys().cloned().collect();
    for bridge in topology.bridges.keys().cloned().collect::<Vec<_>>() {
        for _ in 0..random.below(4) {
            let inner_vid = random.one_in(5).then(|| vid(random.pick(&VIDS)));
            let key = LinkKey {
                gateway_bridge: random.pick(&gateways),
                vid: vid(random.pick(&VIDS)),
                inner_vid,
            };
            // One VID is linked by itself or by pairs, and once.
            let taken = topology.vlan_links.keys().any(|other| {
                other.gateway_bridge == key.gateway_bridge
                    && other.vid == key.vid
                    && (other.inner_vid.is_none() || inner_vid.is_none() || *other == key)
            });
            if !taken {
                let link = VlanLink { key: key.clone(), bridge: bridge.clone(), join: true };
                topology.vlan_links.insert(key, link);
            }
        }
    }
}

fn statics(random: &mut Random, topology: &mut Topology) {
    for _ in 0..random.below(3) {
        let mac = station(random.below(4) as u64);
        let links: Vec<VlanLink> = topology.vlan_links.values().cloned().collect();
        let accesses: Vec<AccessPort> = topology.access_ports.values().cloned().collect();
        let entry = if random.one_in(2) && !links.is_empty() {
            let link = random.pick(&links);
            let trunks: Vec<Name> = topology
                .trunks
                .values()
                .filter(|trunk| trunk.gateway_bridge == link.key.gateway_bridge)
                .map(|trunk| trunk.name.clone())
                .collect();
            if trunks.is_empty() {
                continue;
            }
            let key = StaticKey { bridge: link.bridge, mac, payload_vid: None };
            let vid = Some((link.key.vid, link.key.inner_vid));
            StaticMac { key, port: random.pick(&trunks), vid }
        } else if !accesses.is_empty() {
            let access = random.pick(&accesses);
            let transparent = topology.bridges[&access.bridge].transparent;
            let payload_vid = (transparent && random.one_in(2)).then(|| vid(random.pick(&VIDS)));
            let key = StaticKey { bridge: access.bridge, mac, payload_vid };
            StaticMac { key, port: access.name, vid: None }
        } else {
            continue;
        };
        topology.static_macs.insert(entry.key.clone(), entry);
        if topology.check().is_err() {
            let key = topology.static_macs.keys().next_back().cloned();
            topology.static_macs.remove(&key.unwrap());
        }
    }
}

const RESERVED: [u64; 12] = [
    0x0180_c200_0000,
    0x0180_c200_0001,
    0x0180_c200_0002,
    0x0180_c200_0003,
    0x0180_c200_0008,
    0x0180_c200_000e,
    0x0180_c200_0021,
    0x0180_c200_002f,
    0x0100_0ccc_cccc,
    0x0100_0ccc_cccd,
    0x0100_0ccd_cdcd,
    0x00e0_2b00_0004,
];
/// Neighbours of reserved addresses that are ordinary.
const NEARLY: [u64; 4] = [0x0180_c200_0010, 0x0180_c200_0030, 0x0100_0ccc_ccce, 0x00e0_2b00_0005];

fn destination(random: &mut Random) -> u64 {
    match random.below(16) {
        0..=8 => station(random.below(8) as u64).get().to_u64(),
        9 => 0xffff_ffff_ffff,
        10 => 0x0100_5e00_0001 + random.below(4) as u64,
        11 => random.word() & 0xfeff_ffff_ffff,
        12 => random.pick(&NEARLY),
        _ => random.pick(&RESERVED),
    }
}

fn source(random: &mut Random) -> u64 {
    match random.below(40) {
        0 => 0,
        1 => 0x0300_0000_0001,
        2 => random.word() & 0xfeff_ffff_ffff,
        _ => station(random.below(8) as u64).get().to_u64(),
    }
}

fn tags(random: &mut Random) -> Vec<u8> {
    let count = random.pick(&[0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 3]);
    let mut bytes = Vec::new();
    for _ in 0..count {
        let tpid = random.pick(&[0x8100_u16, 0x8100, 0x8100, 0x8100, 0x88a8]);
        let raw = match random.below(10) {
            0 => 0,
            1 => 4095,
            2 => random.below(4096) as u16,
            _ => random.pick(&VIDS),
        };
        let tci = raw | (random.below(16) as u16) << 12;
        bytes.extend(tpid.to_be_bytes());
        bytes.extend(tci.to_be_bytes());
    }
    bytes
}

/// One frame of any kind.
pub(crate) fn frame(random: &mut Random) -> Vec<u8> {
    let destination = destination(random);
    let mut frame = destination.to_be_bytes()[2..].to_vec();
    frame.extend(&source(random).to_be_bytes()[2..]);
    frame.extend(tags(random));
    let is_pvst = destination == 0x0100_0ccc_cccd && !random.one_in(4);
    let ether_type = if is_pvst { 50 } else { random.pick(&[0x0800_u16, 0x0806, 0x88cc, 38]) };
    frame.extend(ether_type.to_be_bytes());
    if is_pvst {
        frame.extend([0xaa, 0xaa, 0x03, 0x00, 0x00, 0x0c, 0x01, 0x0b]);
    }
    let octets = match random.below(20) {
        0 => 14 + random.below(46),
        1 => 1500 + 14 - 6 + random.below(16),
        2 => 1400 + 14 - 6 + random.below(16),
        3 => 9000 + 14 - 6 + random.below(16),
        4 => 64,
        _ => 60 + random.below(40),
    };
    let salt = random.word();
    let missing = octets.saturating_sub(frame.len());
    frame.extend((0..missing).map(|at| (salt >> (at % 8 * 8)) as u8 ^ at as u8));
    if random.one_in(25) {
        frame.truncate(random.below(26));
    }
    frame
}
