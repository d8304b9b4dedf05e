//! The overlay, rule by rule: F3, F5, F6 and F8, the tunnel rows of sections 3 and 5, what a frame of
//! the underlay may do (U0 to U13), how a frame is wrapped, suppression.
//!
//! Packets are put together here octet by octet, with arithmetic of their own: what the parsers and
//! builders of the crate have in common with each other they do not have in common with these tests.

mod captures;
mod decapsulation;
mod encapsulation;
mod fabric;
mod membership;
mod segments;
mod suppression;
mod tunnels;
mod underlay;

use std::net::IpAddr;

use bridge_model::oracle::{Copy, Outcome};
use bridge_model::types::{InterfaceId, MacAddr};

use crate::wire::{addr, ones_sum, upper_sum};
use crate::world::{Frame, World, frame, mac, topology, view};

/// Host `h` with a trunk, access ports and one untagged underlay link on `up0`; `o2` and `o3` on the
/// same network, a foreign endpoint `leaf` at .9.
pub(crate) const SITE: &str = "
hosts:
- name: h
  vtep: [192.0.2.1, \"2001:db8::1\"]
  underlay: [{interface: up0, addresses: [192.0.2.1/24, \"2001:db8::1/64\"]}]
- {name: o2, vtep: [192.0.2.2, \"2001:db8::2\"]}
- {name: o3, vtep: 192.0.2.3}
bridges: [{name: web, vni: 5001}, {name: db, vni: 5002}, {name: raw, vni: 5003, transparent: true}]
gatewayBridges: [{name: gw}]
trunks: [{name: t, gatewayBridge: gw, host: h, interface: eth1}]
vlanLinks: [{gatewayBridge: gw, vid: 10, bridge: web}]
accessPorts:
- {name: p1, bridge: web, host: h, interface: vm1}
- {name: p2, bridge: web, host: h, interface: vm2}
- {name: p3, bridge: db, host: h, interface: vm3}
- {name: p4, bridge: raw, host: h, interface: vm4}
- {name: q1, bridge: web, host: o2, interface: vm1}
- {name: q2, bridge: web, host: o2, interface: vm2}
- {name: q3, bridge: raw, host: o2, interface: vm3}
- {name: r1, bridge: web, host: o3, interface: vm1}
tunnelZones:
- {name: dc, kind: vxlan, hosts: [h, o2, o3], bfd: off}
tunnels:
- {name: leaf, zone: dc, remote: 192.0.2.9, bridges: [web]}
";

pub(crate) const INTERFACES: [&str; 8] = ["eth1", "vm1", "vm2", "vm3", "vm4", "up0", "up1", "tap0"];

/// The address of a neighbour on the underlay, by the last octet of its IP address.
pub(crate) fn neighbor(last: u8) -> MacAddr {
    MacAddr::new([8, 0, 0, 0, 0, last])
}

/// The world of a site with every neighbour resolved that a test uses.
pub(crate) fn world_of(site: &str) -> World {
    let mut world = World::with(topology(site), view(&INTERFACES));
    for last in [2, 3, 4, 9, 252, 253, 254] {
        world.resolve(&format!("192.0.2.{last}"), Some(neighbor(last)));
        world.resolve(&format!("2001:db8::{last:x}"), Some(neighbor(last)));
    }
    world
}

pub(crate) fn world() -> World {
    world_of(SITE)
}

/// An IP packet in a frame, in the making.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) to_mac: MacAddr,
    pub(crate) from: IpAddr,
    pub(crate) to: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) payload: Vec<u8>,
}

impl Packet {
    /// To `up0` and our tunnel endpoint there.
    pub(crate) fn new(from: &str, protocol: u8, payload: Vec<u8>) -> Self {
        let from = addr(from);
        let to = addr(if from.is_ipv4() { "192.0.2.1" } else { "2001:db8::1" });
        Self { to_mac: MacAddr::new([6, 0, 0, 0, 0, 5]), from, to, protocol, payload }
    }

    pub(crate) fn to(self, address: &str) -> Self {
        Self { to: addr(address), ..self }
    }

    pub(crate) fn on_wire_to(self, address: &str) -> Self {
        Self { to_mac: mac(address), ..self }
    }

    /// The frame.
    pub(crate) fn frame(&self) -> Frame {
        let mut bytes = self.to_mac.octets().to_vec();
        bytes.extend(neighbor(2).octets());
        let length = u16::try_from(self.payload.len()).unwrap();
        match (self.from, self.to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let mut header = vec![0x45, 0];
                header.extend((length + 20).to_be_bytes());
                header.extend([0, 0, 0x40, 0, 64, self.protocol, 0, 0]);
                header.extend(from.octets());
                header.extend(to.octets());
                let sum = !ones_sum(&header);
                header[10..12].copy_from_slice(&sum.to_be_bytes());
                bytes.extend([0x08, 0x00]);
                bytes.extend(header);
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                bytes.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
                bytes.extend(length.to_be_bytes());
                bytes.extend([self.protocol, 64]);
                bytes.extend(from.octets());
                bytes.extend(to.octets());
            }
            _ => panic!("two families"),
        }
        bytes.extend(&self.payload);
        Frame { bytes }
    }
}

/// A UDP datagram without checksum.
pub(crate) fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 8).unwrap();
    let mut bytes = [50_000, port, length, 0].map(u16::to_be_bytes).concat();
    bytes.extend(payload);
    bytes
}

/// A VXLAN header and a frame.
pub(crate) fn vxlan_payload(vni: u32, inner: &Frame) -> Vec<u8> {
    let mut bytes = vec![0x08, 0, 0, 0];
    bytes.extend((vni << 8).to_be_bytes());
    bytes.extend(&inner.bytes);
    bytes
}

/// A VXLAN packet from a peer: without checksum over IPv4, with one over IPv6.
pub(crate) fn vxlan(from: &str, vni: u32, inner: &Frame) -> Frame {
    vxlan_packet(from, vni, inner).frame()
}

pub(crate) fn vxlan_packet(from: &str, vni: u32, inner: &Frame) -> Packet {
    let mut packet = Packet::new(from, 17, udp(4789, &vxlan_payload(vni, inner)));
    if packet.from.is_ipv6() {
        with_checksum(&mut packet);
    }
    packet
}

/// Fills in the UDP checksum.
pub(crate) fn with_checksum(packet: &mut Packet) {
    packet.payload[6..8].fill(0);
    let sum = !upper_sum(packet.from, packet.to, 17, &packet.payload);
    packet.payload[6..8].copy_from_slice(&sum.to_be_bytes());
}

/// A GRE header with these flags, its fields, and a frame.
pub(crate) fn gre_payload(flags: u16, key: u32, inner: &Frame) -> Vec<u8> {
    let mut bytes = flags.to_be_bytes().to_vec();
    bytes.extend([0x65, 0x58]);
    if flags & 0x8000 != 0 {
        bytes.extend([0; 4]);
    }
    if flags & 0x2000 != 0 {
        bytes.extend(key.to_be_bytes());
    }
    if flags & 0x1000 != 0 {
        bytes.extend([0, 0, 0, 7]);
    }
    bytes.extend(&inner.bytes);
    if flags & 0x8000 != 0 {
        let sum = !ones_sum(&bytes);
        bytes[4..6].copy_from_slice(&sum.to_be_bytes());
    }
    bytes
}

pub(crate) fn gre(from: &str, key: u32, inner: &Frame) -> Frame {
    Packet::new(from, 47, gre_payload(0x2000, key, inner)).frame()
}

/// What becomes of a frame, as a short text (see [`World::shown`]).
pub(crate) fn shown(world: &mut World, interface: &str, frame: &Frame) -> String {
    let outcome = world.send(interface, frame);
    world.shown(world.interface(interface), &frame.bytes, &outcome)
}

/// The copies that leave by an interface.
pub(crate) fn sent_by(world: &World, interface: &str, outcome: &Outcome) -> Vec<Vec<u8>> {
    let id: InterfaceId = world.interface(interface);
    let by = |copy: &&Copy| copy.interface == id;
    outcome.copies().iter().filter(by).map(|copy| copy.bytes.clone()).collect()
}

/// The one copy that leaves.
#[track_caller]
pub(crate) fn only_copy(outcome: &Outcome) -> Vec<u8> {
    match outcome.copies() {
        [copy] => copy.bytes.clone(),
        other => panic!("{} copies: {outcome:?}", other.len()),
    }
}

/// Teaches the world that a station is behind a peer.
pub(crate) fn teach(world: &mut World, from: &str, vni: u32, station: &str) {
    world.send("up0", &vxlan(from, vni, &frame(station, "*")));
}
