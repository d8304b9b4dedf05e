//! Captures of real and malformed frames, as frames of stations, inside tunnels, and as packets of the
//! underlay: the pipeline says of each what the oracle says, and never panics.
//!
//! The captures are found by `SLUICE_CORPUS`; a few frames of our own are always replayed.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use bridge_model::compile::Encapsulation;
use bridge_model::site;
use bridge_model::types::{InterfaceId, MacAddr, Vni};
use bridge_model::wire::checksum::internet;
use bridge_model::wire::ethernet;
use bridge_model::wire::ip::{self, Datagram};
use bridge_model::wire::tunnel::{gre_header, vxlan_header};
use fwd::mac::Isa;

use super::Pair;
use crate::differential::expected;
use crate::generate;

/// One card for everything: the underlay untagged on eth0 beside a trunk, and on a VLAN of eth1 with
/// the kernel behind it; bridges that answer for neighbours and one that is transparent.
const SITE: &str = "
hosts:
- name: gw
  vtep: [192.0.2.1, \"2001:db8::1\"]
  underlay:
  - {interface: eth0, addresses: [192.0.2.1/24, \"2001:db8::1/64\"]}
  - {interface: eth1, vlan: 40, addresses: [10.1.0.1/24], kernel: eth6}
- {name: h1, vtep: 192.0.2.2}
- {name: h2, vtep: \"2001:db8::2\"}
bridges:
- {name: b0, vni: 123, neighborSuppression: true, mssClamp: true}
- {name: b1, vni: 5001, transparent: true}
gatewayBridges: [{name: g}]
trunks: [{name: t0, gatewayBridge: g, host: gw, interface: eth0}]
vlanLinks: [{gatewayBridge: g, vid: 10, bridge: b0}]
accessPorts:
- {name: a2, bridge: b0, host: gw, interface: eth2}
- {name: a3, bridge: b0, host: gw, interface: eth3}
- {name: a4, bridge: b1, host: gw, interface: eth4}
- {name: x1, bridge: b0, host: h1, interface: vm1}
- {name: x2, bridge: b1, host: h1, interface: vm2}
- {name: x3, bridge: b0, host: h2, interface: vm1}
tunnelZones:
- {name: v, kind: vxlan, hosts: [gw, h1]}
- {name: w, kind: gre, hosts: [gw, h2]}
tunnels: [{name: f0, zone: v, remote: 10.1.0.9, bridges: [b0, b1]}]
";

/// A tagged ping's beginning, double tags, cut ones, a question in a tunnel.
const SEEDS: [&[u8]; 5] = [
    &[0x52, 0x54, 0, 0, 0, 2, 0x52, 0x54, 0, 0, 0, 1, 0x81, 0, 0, 10, 8, 0, 0x45, 0, 0, 0x54],
    &[0xff; 14],
    &[0x52, 0x54, 0, 0, 0, 2, 0x52, 0x54, 0, 0, 0, 1, 0x81, 0],
    &[0x52, 0x54, 0],
    &[0x33, 0x33, 0, 0, 0, 1, 0x52, 0x54, 0, 0, 0, 1, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 0x10, 58, 255],
];

/// The frames of a classic pcap file with link type Ethernet; none of any other file.
fn frames(bytes: &[u8]) -> Vec<Vec<u8>> {
    let is_big = match bytes.get(..4) {
        Some([0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1]) => false,
        Some([0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d]) => true,
        _ => return Vec::new(),
    };
    let number = |at: usize| {
        let octets: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(if is_big { u32::from_be_bytes(octets) } else { u32::from_le_bytes(octets) } as usize)
    };
    let (mut frames, mut at) = (Vec::new(), 24);
    if number(20).is_none_or(|kind| kind & 0xffff != 1) {
        return frames;
    }
    while let Some(octets) = number(at + 8) {
        let Some(frame) = bytes.get(at + 16..at + 16 + octets) else { break };
        frames.push(frame.to_vec());
        at += 16 + octets;
    }
    frames
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn world() -> Pair {
    let topology = site::parse("site.yaml", SITE).unwrap();
    let mut pair = Pair::of(topology, generate::view(), Isa::detect());
    for next_hop in ["192.0.2.2", "10.1.0.9", "2001:db8::2"] {
        pair.resolve(next_hop, Some(MacAddr::from_u64(0x0800_0000_0001)));
    }
    pair
}

/// The frame in a tunnel of every peer, for one bridge.
fn wrapped(pair: &Pair, inner: &[u8], vni: u32) -> Vec<(InterfaceId, Vec<u8>)> {
    let vni = Vni::new(vni).unwrap();
    let underlay = &pair.bench.underlay;
    let wrap = |peer: &bridge_model::compile::PeerTable| {
        let ends = (peer.remote, peer.local);
        let (protocol, payload) = match peer.encapsulation {
            Encapsulation::Vxlan { port, checksum, .. } => {
                let payload = [&vxlan_header(vni)[..], inner].concat();
                (17, Datagram::build(ends, (50_000, port), &payload, checksum)?)
            }
            Encapsulation::Gre => (47, [&gre_header(vni)[..], inner].concat()),
        };
        let header = ip::Header::new(ends.0, ends.1, protocol, 64);
        Some((header.ether_type(), header.packet(&payload)?))
    };
    let packets = underlay.peers.iter().filter_map(wrap);
    packets.map(|(ether_type, packet)| arriving(pair, ether_type, &packet)).collect()
}

/// On the untagged link, from a neighbour.
fn arriving(pair: &Pair, ether_type: u16, packet: &[u8]) -> (InterfaceId, Vec<u8>) {
    let link = &pair.bench.underlay.links[0];
    let from = MacAddr::from_u64(0x0800_0000_0001);
    (link.interface, ethernet::build(link.mac, from, &[], ether_type, packet))
}

/// The packet of a captured frame as one of the underlay: to our station, and between the addresses
/// of a peer and of ours.
fn as_outer(pair: &Pair, frame: &[u8]) -> Option<(InterfaceId, Vec<u8>)> {
    let header = ethernet::Header::parse(frame).ok()?;
    let mut packet = frame.get(header.payload_offset()..)?.to_vec();
    let peers = &pair.bench.underlay.peers;
    match header.type_or_length {
        0x0800 => {
            let peer = peers.iter().find(|peer| peer.remote.is_ipv4())?;
            let (IpAddr::V4(remote), IpAddr::V4(local)) = (peer.remote, peer.local) else {
                return None;
            };
            packet.get_mut(12..16)?.copy_from_slice(&remote.octets());
            packet.get_mut(16..20)?.copy_from_slice(&local.octets());
            let octets = usize::from(packet[0] & 15) * 4;
            packet.get_mut(10..12)?.fill(0);
            let sum = internet(packet.get(..octets)?).to_be_bytes();
            packet.get_mut(10..12)?.copy_from_slice(&sum);
        }
        0x86dd => {
            let peer = peers.iter().find(|peer| peer.remote.is_ipv6())?;
            let (IpAddr::V6(remote), IpAddr::V6(local)) = (peer.remote, peer.local) else {
                return None;
            };
            packet.get_mut(8..24)?.copy_from_slice(&remote.octets());
            packet.get_mut(24..40)?.copy_from_slice(&local.octets());
        }
        _ => {}
    }
    Some(arriving(pair, header.type_or_length, &packet))
}

/// All ways in which a frame can arrive.
fn arrivals(pair: &Pair, frame: &[u8]) -> Vec<(InterfaceId, Vec<u8>)> {
    let mut arrivals: Vec<(InterfaceId, Vec<u8>)> =
        (0..generate::INTERFACES).map(|id| (InterfaceId(id), frame.to_vec())).collect();
    arrivals.extend(wrapped(pair, frame, 123));
    arrivals.extend(wrapped(pair, frame, 5001));
    arrivals.extend(as_outer(pair, frame));
    // The same for the link with a tag, whatever the frame was.
    let link = &pair.bench.underlay.links[1];
    let mut tagged = link.mac.octets().to_vec();
    tagged.extend(frame.get(6..12).unwrap_or_default());
    tagged.extend([0x81, 0x00, 0, 40]);
    tagged.extend(frame.get(12..).unwrap_or_default());
    arrivals.push((link.interface, tagged));
    arrivals
}

fn replay(pair: &mut Pair, frame: &[u8]) -> u64 {
    let mut decapsulated = 0;
    for (interface, bytes) in arrivals(pair, frame) {
        pair.now += std::time::Duration::from_millis(2);
        let outcome = pair.oracle.frame(pair.now, interface, &bytes);
        let mut seen = pair.bench.frame(pair.now, interface, &bytes);
        seen.sent.sort();
        assert_eq!(seen, expected(&outcome), "{bytes:02x?} on interface {interface}");
        let ends = seen.dropped.len() + seen.consumed.len() + seen.sent.len();
        assert!(ends >= 1, "{bytes:02x?}");
        decapsulated += u64::from(bytes.len() > frame.len() + 30 && !seen.sent.is_empty());
        while pair.bench.punts.pop().is_ok() {}
        while pair.bench.protocols.pop().is_ok() {}
    }
    decapsulated
}

#[test]
fn frames_of_our_own_end_as_the_oracle_says_in_tunnels_and_outside() {
    let mut pair = world();
    let decapsulated: u64 = SEEDS.iter().map(|frame| replay(&mut pair, frame)).sum();
    assert!(decapsulated >= 3, "{decapsulated}");
}

#[test]
fn captured_frames_end_as_the_oracle_says_in_tunnels_and_outside() {
    let Some(folder) = std::env::var_os("SLUICE_CORPUS") else {
        println!("skipped: set SLUICE_CORPUS to the folder of captures to replay them");
        return;
    };
    let mut paths = Vec::new();
    files(Path::new(&folder), &mut paths);
    let (mut total, mut decapsulated) = (0, 0);
    let mut pair = world();
    for path in paths {
        let frames = frames(&std::fs::read(&path).unwrap());
        total += frames.len();
        for frame in &frames {
            decapsulated += replay(&mut pair, frame);
        }
        if !frames.is_empty() {
            // What was learned from one capture is not part of the next.
            pair = world();
        }
    }
    println!("{total} frames, {decapsulated} forwarded out of a tunnel");
    assert!(total > 0, "{} holds no capture", Path::new(&folder).display());
}
