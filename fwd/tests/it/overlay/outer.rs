//! Frames of the underlay: tunnels well-formed and broken in every way that is told apart, packets of
//! protocols, and what is not for us.

use std::net::IpAddr;

use bridge_model::compile::{Encapsulation, HostView, UnderlayLinkTable, UnderlayTable};
use bridge_model::types::{InterfaceId, MacAddr, Tpid, VlanId, VlanTag};
use bridge_model::wire::checksum::internet;
use bridge_model::wire::ethernet;
use bridge_model::wire::ip::{self, Datagram};
use bridge_model::wire::neighbor::Arp;

use super::inner;
use super::site::{FIRST_VNI, OWN, REMOTES, ROUTERS};
use crate::generate;
use crate::random::Random;

/// What the packet carries.
enum Load {
    Vxlan { port: u16 },
    Gre { flags: u16 },
    Udp { port: u16 },
    Other { protocol: u8, first: u8 },
}

/// Where and between whom.
struct Way {
    interface: InterfaceId,
    own: MacAddr,
    vlan: Option<u16>,
    source: IpAddr,
    destination: IpAddr,
    vni: u32,
}

fn parse(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A frame for the underlay of this host, and the interface that it arrives on. Without a link it is
/// anything anywhere.
pub(super) fn frame(
    random: &mut Random,
    underlay: &UnderlayTable,
    view: &HostView,
) -> (InterfaceId, Vec<u8>) {
    if underlay.links.is_empty() || random.one_in(40) {
        return (InterfaceId(random.below(8) as u16), inner::frame(random));
    }
    let link = random.pick(&underlay.links);
    if let Some(kernel) = link.kernel
        && random.one_in(6)
    {
        return (kernel, from_kernel(random, &link));
    }
    let (mut way, load) = way(random, underlay, &link, view);
    if random.one_in(60) {
        way.interface = InterfaceId(random.below(8) as u16);
    }
    let frame = match random.below(12) {
        0 => arp(random, &way),
        _ => ip_frame(random, &way, &load),
    };
    (way.interface, frame)
}

/// Mostly a peer that is known, in its own way of wrapping.
fn way(
    random: &mut Random,
    underlay: &UnderlayTable,
    link: &UnderlayLinkTable,
    view: &HostView,
) -> (Way, Load) {
    let mut load = match random.below(16) {
        0 => Load::Udp { port: random.pick(&[3784, 4784, 53, 4789, 8472]) },
        1 => Load::Other {
            protocol: random.pick(&[1, 58, 6, 44, 0]),
            first: random.pick(&[8, 128, 135, 136]),
        },
        2..=5 => Load::Gre {
            flags: random
                .pick(&[0x2000, 0x2000, 0x2000, 0xa000, 0x3000, 0xb000, 0, 0x2001, 0x6000]),
        },
        _ => Load::Vxlan { port: random.pick(&[4789, 4789, 4789, 8472]) },
    };
    let source = parse(random.pick(&REMOTES));
    let own: Vec<&str> =
        OWN.iter().copied().filter(|own| parse(own).is_ipv4() == source.is_ipv4()).collect();
    let (mut source, mut destination) = (source, parse(random.pick(&own)));
    let mut vni = match random.below(8) {
        0 => random.pick(&[0, 9999, 0x0100_0000 + FIRST_VNI, 0xff_ffff]),
        _ => FIRST_VNI + random.pick(&[0, 0, 1, 1, 2, 3]),
    };
    // Mostly a bridge that the peer has something to do with.
    let bridges: Vec<(u32, usize)> = underlay
        .vnis
        .iter()
        .flat_map(|(vni, bridge)| bridge.members.keys().map(|peer| (vni.get(), peer.index())))
        .collect();
    if !underlay.peers.is_empty() && !random.one_in(8) {
        let mut peer = random.pick(&underlay.peers);
        if !bridges.is_empty() && !random.one_in(4) {
            let (number, index) = random.pick(&bridges);
            (vni, peer) = (number, underlay.peers[index].clone());
        }
        (source, destination) = (peer.remote, peer.local);
        load = match (load, peer.encapsulation) {
            (Load::Gre { .. }, Encapsulation::Vxlan { port, .. })
            | (Load::Vxlan { .. }, Encapsulation::Vxlan { port, .. }) => Load::Vxlan { port },
            (Load::Vxlan { .. }, Encapsulation::Gre) => Load::Gre { flags: 0x2000 },
            (load, _) => load,
        };
    }
    match random.below(40) {
        0 => source = parse(random.pick(&ROUTERS)),
        1 if destination.is_ipv4() => destination = parse("192.0.2.200"),
        1 => destination = parse("2001:db8::200"),
        _ => {}
    }
    if source.is_ipv4() != destination.is_ipv4() {
        source = parse(if destination.is_ipv4() { REMOTES[0] } else { REMOTES[7] });
    }
    let own = view.interface(link.interface).map_or(MacAddr::ZERO, |view| view.mac);
    let vlan = link.vlan.map(VlanId::get);
    (Way { interface: link.interface, own, vlan, source, destination, vni }, load)
}

fn ethernet(random: &mut Random, way: &Way, ether_type: u16, packet: &[u8]) -> Vec<u8> {
    let to = match random.below(30) {
        0 => MacAddr::BROADCAST,
        1 => MacAddr::new([0x33, 0x33, 0, 0, 0, 1]),
        2 => MacAddr::new([8, 0, 0, 0, 0, 0x77]),
        3 => MacAddr::new([1, 0x80, 0xc2, 0, 0, random.pick(&[0, 2, 14])]),
        _ => way.own,
    };
    let from = if random.one_in(60) { MacAddr::ZERO } else { MacAddr::new([8, 0, 0, 0, 0, 1]) };
    let vlan = match random.below(40) {
        0 => Some(random.pick(&[0, 1, 10, 40, 41, 4095])),
        1 => None,
        // A priority tag is no tag.
        2 => way.vlan.or(Some(0)),
        _ => way.vlan,
    };
    let tpid = if random.one_in(40) { Tpid::STag } else { Tpid::CTag };
    let mut tags: Vec<VlanTag> = Vec::new();
    tags.extend(vlan.map(|vid| VlanTag { tpid, tci: vid | (random.below(16) as u16) << 12 }));
    if random.one_in(60) {
        tags.push(VlanTag { tpid: Tpid::CTag, tci: 10 });
    }
    ethernet::build(to, from, &tags, ether_type, packet)
}

fn arp(random: &mut Random, way: &Way) -> Vec<u8> {
    let from = MacAddr::new([8, 0, 0, 0, 0, 1]);
    let arp = Arp {
        operation: random.pick(&[1, 2]),
        sender_mac: from,
        sender: [192, 0, 2, 2].into(),
        target_mac: MacAddr::ZERO,
        target: [192, 0, 2, 1].into(),
    };
    ethernet(random, way, 0x0806, &arp.build())
}

fn from_kernel(random: &mut Random, link: &UnderlayLinkTable) -> Vec<u8> {
    if random.one_in(4) {
        return generate::frame(random);
    }
    let to = random.pick(&[MacAddr::BROADCAST, MacAddr::new([8, 0, 0, 0, 0, 1]), link.mac]);
    let tag = random
        .one_in(8)
        .then(|| VlanTag { tpid: Tpid::CTag, tci: random.pick(&[0, 0xe000, 5, 4095]) });
    let tags: Vec<VlanTag> = tag.into_iter().collect();
    let octets = random.pick(&[20, 46, 100, 1386, 1400, 1402, 1500, 1504, 9000]);
    ethernet::build(to, link.mac, &tags, 0x0800, &vec![0x45; octets])
}

fn ip_frame(random: &mut Random, way: &Way, load: &Load) -> Vec<u8> {
    let inner = inner::inside(random);
    let (protocol, mut payload) = match load {
        Load::Vxlan { port } => (17, vxlan(random, way, *port, &inner)),
        Load::Gre { flags } => (47, gre(random, way, *flags, &inner)),
        Load::Udp { port } => (17, datagram(random, way, *port, &inner)),
        Load::Other { protocol, first } => (*protocol, [&[*first, 0, 0, 0][..], &inner].concat()),
    };
    if random.one_in(25) {
        payload.truncate(random.below(36));
    }
    let header = ip::Header::new(way.source, way.destination, protocol, 64);
    let header = ip::Header { dscp: random.below(64) as u8, ..header };
    let mut packet = header.packet(&payload).unwrap();
    inner::set_ecn(&mut packet, random.pick(&[0, 0, 0, 1, 2, 3, 3]));
    if header.ether_type() == 0x0800 {
        broken_v4(random, &mut packet);
    } else {
        match random.below(40) {
            0 => packet[0] ^= 0x10,
            1 => packet[6] = 44,
            2 => packet[5] = packet[5].wrapping_add(1),
            _ => {}
        }
    }
    // Padding, as of a short frame, is not part of the packet.
    if random.one_in(8) {
        packet.extend(vec![0xaa; random.below(40)]);
    }
    let ether_type = if random.one_in(50) {
        random.pick(&[0x88b5, 0x0800, 0x86dd])
    } else {
        header.ether_type()
    };
    ethernet(random, way, ether_type, &packet)
}

fn broken_v4(random: &mut Random, packet: &mut Vec<u8>) {
    let with_sum = |packet: &mut Vec<u8>| {
        let octets = usize::from(packet[0] & 15) * 4;
        packet[10..12].fill(0);
        let sum = internet(&packet[..octets]).to_be_bytes();
        packet[10..12].copy_from_slice(&sum);
    };
    match random.below(40) {
        0 => packet[10] ^= 1,
        1 => packet[0] = random.pick(&[0x44, 0x4f, 0x65, 0x46]),
        2 => {
            packet[6..8].copy_from_slice(&random.pick(&[[0x20, 0], [0, 5], [0x60, 1]]));
            with_sum(packet);
        }
        3 => {
            // Options.
            packet[0] = 0x46;
            packet.splice(20..20, [1, 1, 1, 0]);
            let total = u16::from_be_bytes([packet[2], packet[3]]) + 4;
            packet[2..4].copy_from_slice(&total.to_be_bytes());
            with_sum(packet);
        }
        4 => {
            // It says that it is shorter than it is.
            let total = u16::from_be_bytes([packet[2], packet[3]]);
            let total = total.saturating_sub(random.below(60) as u16);
            packet[2..4].copy_from_slice(&total.to_be_bytes());
            with_sum(packet);
        }
        5 => {
            packet[6..8].copy_from_slice(&[0, 0]);
            with_sum(packet);
        }
        _ => {}
    }
}

fn vxlan(random: &mut Random, way: &Way, port: u16, inner: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = way.vni.to_be_bytes();
    let first = random.pick(&[8, 8, 8, 8, 8, 8, 8, 0xff, 0xf7, 0]);
    let reserved = if random.one_in(3) { random.word() as u8 } else { 0 };
    let mut payload = vec![first, reserved, 0, reserved, a, b, c, reserved];
    payload.extend(inner);
    datagram(random, way, port, &payload)
}

fn datagram(random: &mut Random, way: &Way, port: u16, payload: &[u8]) -> Vec<u8> {
    let with_checksum = random.one_in(2);
    let pair = (way.source, way.destination);
    let mut datagram = Datagram::build(pair, (50_000, port), payload, with_checksum).unwrap();
    match random.below(40) {
        0 => datagram[5] ^= 0x40,
        1 => datagram[4..6].copy_from_slice(&[0, 7]),
        // Zero would be none.
        2 | 3 => datagram[6..8].copy_from_slice(&[0x80, 1]),
        4 => {
            // Shorter than the packet.
            let octets = u16::from_be_bytes([datagram[4], datagram[5]]).saturating_sub(3);
            datagram[4..6].copy_from_slice(&octets.to_be_bytes());
            datagram[6..8].fill(0);
        }
        _ => {}
    }
    datagram
}

fn gre(random: &mut Random, way: &Way, flags: u16, inner: &[u8]) -> Vec<u8> {
    let mut bytes = flags.to_be_bytes().to_vec();
    bytes.extend(if random.one_in(25) { [0x08, 0x00] } else { [0x65, 0x58] });
    if flags & 0x8000 != 0 {
        bytes.extend([0; 4]);
    }
    bytes.extend(way.vni.to_be_bytes());
    if flags & 0x1000 != 0 {
        bytes.extend([0, 0, 0, 9]);
    }
    bytes.extend(inner);
    if flags & 0x8000 != 0 {
        let sum = internet(&bytes) ^ u16::from(random.one_in(4));
        bytes[4..6].copy_from_slice(&sum.to_be_bytes());
    }
    bytes
}
