//! Generated packets of the underlay: tunnel packets well-formed and broken in every way that can be
//! told apart, protocols of the underlay, and what is not for us.

use std::net::IpAddr;

use bridge_model::compile::{Encapsulation, UnderlayTable};
use bridge_model::types::{InterfaceId, MacAddr, Priority, Tpid, VlanTag};
use bridge_model::wire::ethernet;
use bridge_model::wire::ip::{self, Datagram};
use bridge_model::wire::neighbor::Arp;
use proptest::prelude::*;
use proptest::sample::select;

use super::frames;
use super::overlay::{LINK_VLANS, OWN, PEERS, ROUTERS};
use super::site::mostly;
use crate::world::World;

/// What the IP packet carries.
#[derive(Clone, Debug)]
enum Load {
    /// VXLAN to this UDP port.
    Vxlan(u16),
    /// GRE with these flags.
    Gre(u16),
    /// Something else over UDP, to this port.
    Udp(u16),
    /// Another protocol, with this first octet.
    Other(u8, u8),
}

/// How a packet is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// The checksum of the IPv4 header, or the version of IPv6.
    Header,
    /// A fragment.
    Fragment,
    /// Only so many octets behind the IP header.
    Cut(usize),
    /// The length field of UDP.
    UdpLength,
    /// The first octet of the tunnel header.
    TunnelHeader,
    /// A checksum of UDP or GRE that is wrong.
    Checksum,
    /// The type field: no IP.
    Type(u16),
}

/// A packet in the making; the frame is built for the site and the interface that it arrives on.
#[derive(Clone, Debug)]
pub(super) struct Outer {
    /// Mostly it fits: from a peer of this number, in its way of wrapping, by a link of this number.
    fits: Option<(usize, usize)>,
    /// To that interface, to a group, or to somebody else.
    to: Option<MacAddr>,
    tag: Option<(u16, Tpid)>,
    addresses: (IpAddr, IpAddr),
    load: Load,
    fault: Fault,
    with_checksum: bool,
    ecn: u8,
    vni: u32,
    inner: Vec<u8>,
}

impl Outer {
    /// The frame, and the interface that it arrives on.
    pub(super) fn build(&self, world: &World, index: usize) -> (InterfaceId, Vec<u8>) {
        let mut interface = InterfaceId(u16::try_from(index).unwrap());
        let mut outer = self.clone();
        let UnderlayTable { peers, links, .. } = &world.machine.compiled.tables.underlay;
        if let Some((peer, link)) = self.fits {
            if let Some(peer) = peers.get(peer % peers.len().max(1)) {
                outer.addresses = (peer.remote, peer.local);
                outer.load = match (&self.load, peer.encapsulation) {
                    (Load::Gre(_), Encapsulation::Vxlan { port, .. }) => Load::Vxlan(port),
                    (Load::Vxlan(_), Encapsulation::Gre) => Load::Gre(0x2000),
                    (load, _) => load.clone(),
                };
            }
            if let Some(link) = links.get(link % links.len().max(1)) {
                interface = link.interface;
                outer.tag = link.vlan.map(|vlan| (vlan.get(), Tpid::CTag));
            }
        }
        let own = world.view.interface(interface).map_or(MacAddr::ZERO, |view| view.mac);
        (interface, outer.frame(own))
    }

    fn frame(&self, own: MacAddr) -> Vec<u8> {
        let (source, destination) = self.addresses;
        let (protocol, payload) = self.payload();
        let header = ip::Header::new(source, destination, protocol, 64);
        let mut packet = header.packet(&payload).unwrap();
        frames::set_ecn(&mut packet, self.ecn);
        match self.fault {
            Fault::Header if source.is_ipv4() => packet[10] ^= 1,
            Fault::Header => packet[0] ^= 0x10,
            Fault::Fragment if source.is_ipv4() => {
                packet[6] = 0x20;
                packet[10..12].fill(0);
                let sum = bridge_model::wire::checksum::internet(&packet[..20]);
                packet[10..12].copy_from_slice(&sum.to_be_bytes());
            }
            Fault::Fragment => packet[6] = 44,
            _ => {}
        }
        let ether_type = match self.fault {
            Fault::Type(other) => other,
            _ => header.ether_type(),
        };
        let tag =
            |(vid, tpid): (u16, Tpid)| VlanTag { tpid, tci: Priority::default().to_tci() | vid };
        let tags: Vec<VlanTag> = self.tag.map(tag).into_iter().collect();
        let from = MacAddr::new([8, 0, 0, 0, 0, 1]);
        ethernet::build(self.to.unwrap_or(own), from, &tags, ether_type, &packet)
    }

    fn payload(&self) -> (u8, Vec<u8>) {
        let (protocol, mut payload) = match self.load {
            Load::Vxlan(port) => {
                let [_, a, b, c] = self.vni.to_be_bytes();
                let first = if self.fault == Fault::TunnelHeader { 0xf7 } else { 0x08 };
                let mut payload = vec![first, 0xff, 0, 7, a, b, c, 1];
                payload.extend(&self.inner);
                (17, self.datagram(port, &payload))
            }
            Load::Gre(flags) => (47, self.gre(flags)),
            Load::Udp(port) => (17, self.datagram(port, &self.inner)),
            Load::Other(protocol, first) => {
                let mut payload = vec![first, 0, 0, 0];
                payload.extend(&self.inner);
                (protocol, payload)
            }
        };
        if let Fault::Cut(octets) = self.fault {
            payload.truncate(octets);
        }
        (protocol, payload)
    }

    fn datagram(&self, port: u16, payload: &[u8]) -> Vec<u8> {
        let ports = (50_000, port);
        let mut datagram =
            Datagram::build(self.addresses, ports, payload, self.with_checksum).unwrap();
        match self.fault {
            Fault::UdpLength => datagram[4] ^= 0x40,
            Fault::Checksum => {
                datagram[7] ^= 1;
                // Zero would be none.
                datagram[6] |= 0x80;
            }
            _ => {}
        }
        datagram
    }

    fn gre(&self, flags: u16) -> Vec<u8> {
        let mut bytes = flags.to_be_bytes().to_vec();
        bytes.extend(if self.fault == Fault::TunnelHeader { [0x08, 0x00] } else { [0x65, 0x58] });
        if flags & 0x8000 != 0 {
            bytes.extend([0; 4]);
        }
        bytes.extend(self.vni.to_be_bytes());
        if flags & 0x1000 != 0 {
            bytes.extend([0, 0, 0, 9]);
        }
        bytes.extend(&self.inner);
        if flags & 0x8000 != 0 {
            let sum = bridge_model::wire::checksum::internet(&bytes);
            let sum = if self.fault == Fault::Checksum { sum ^ 1 } else { sum };
            bytes[4..6].copy_from_slice(&sum.to_be_bytes());
        }
        bytes
    }
}

fn address(of: &'static [&'static str]) -> impl Strategy<Value = IpAddr> {
    select(of).prop_map(|text| text.parse().unwrap())
}

/// From whom and to whom, of one family.
fn addresses() -> impl Strategy<Value = (IpAddr, IpAddr)> {
    let source = prop_oneof![12 => address(&PEERS), 1 => address(&ROUTERS), 1 => address(&["10.0.0.77", "fd00::77"])];
    let own = prop_oneof![12 => address(&OWN), 1 => address(&["10.0.0.200", "fd00::200"])];
    (source, prop::collection::vec(own, 12)).prop_map(|(source, own)| {
        let same = own.iter().find(|own| own.is_ipv4() == source.is_ipv4());
        let other: IpAddr = if source.is_ipv4() { OWN[0] } else { OWN[3] }.parse().unwrap();
        (source, same.copied().unwrap_or(other))
    })
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        30 => Just(Fault::None),
        1 => Just(Fault::Header),
        1 => Just(Fault::Fragment),
        2 => (0..30_usize).prop_map(Fault::Cut),
        1 => Just(Fault::UdpLength),
        1 => Just(Fault::TunnelHeader),
        3 => Just(Fault::Checksum),
        1 => select(vec![0x0806, 0x88b5, 0x8100, 0x0800, 0x86dd]).prop_map(Fault::Type),
    ]
}

pub(super) fn outer() -> BoxedStrategy<Outer> {
    let to = prop_oneof![
        20 => Just(None),
        1 => select(vec![
            MacAddr::BROADCAST,
            MacAddr::new([0x33, 0x33, 0, 0, 0, 1]),
            MacAddr::new([6, 0, 0, 0, 0, 0x77]),
        ])
        .prop_map(Some),
    ];
    let vid = prop_oneof![10 => select(&LINK_VLANS[..]), 1 => select(vec![0_u16, 1, 4095])];
    let tpid = prop_oneof![20 => Just(Tpid::CTag), 1 => Just(Tpid::STag)];
    let tag = prop::option::weighted(0.4, (vid, tpid));
    let load = prop_oneof![
        14 => select(vec![4789_u16, 4789, 4789, 8472]).prop_map(Load::Vxlan),
        8 => select(vec![0x2000_u16, 0x2000, 0xa000, 0x3000, 0xb000, 0, 0x2001, 0x6000])
            .prop_map(Load::Gre),
        2 => select(vec![3784_u16, 4784, 53]).prop_map(Load::Udp),
        2 => (select(vec![1_u8, 58, 58, 6, 44, 0]), select(vec![8_u8, 128, 135, 136]))
            .prop_map(|(protocol, first)| Load::Other(protocol, first)),
    ];
    let vni = prop_oneof![
        12 => 5000..5003_u32,
        1 => select(vec![0_u32, 9999, 0x0100_0000 + 5000]),
    ];
    let ecn = prop_oneof![3 => Just(0), 1 => 0..4_u8, 1 => Just(3)];
    let how = (fault(), any::<bool>(), ecn, vni);
    let fits = prop::option::weighted(0.8, (0..6_usize, 0..2_usize));
    (to, tag, addresses(), (fits, load), how, frames::inner())
        .prop_map(|(to, tag, addresses, (fits, load), (fault, with_checksum, ecn, vni), inner)| {
            Outer { fits, to, tag, addresses, load, fault, with_checksum, ecn, vni, inner }
        })
        .boxed()
}

/// What the kernel sends by its interface, and what asks for us.
pub(super) fn station() -> BoxedStrategy<Vec<u8>> {
    (address(&OWN), mostly(true))
        .prop_map(|(asked, broadcast)| {
            let IpAddr::V4(target) = asked else { return vec![0; 60] };
            let from = MacAddr::new([8, 0, 0, 0, 0, 2]);
            let sender = [10, 0, 0, 2].into();
            let arp =
                Arp { operation: 1, sender_mac: from, sender, target_mac: MacAddr::ZERO, target };
            arp.frame(if broadcast { MacAddr::BROADCAST } else { from }, from)
        })
        .boxed()
}
