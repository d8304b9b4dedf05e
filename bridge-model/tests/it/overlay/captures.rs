//! Tunnel packets of real networks, replayed as what arrives on the underlay: each is taken out of its
//! tunnel or dropped with one named reason, and teaches nothing but the source of its inner frame.
//!
//! The captures are found by `SLUICE_CORPUS`; a few packets of our own are always replayed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use bridge_model::oracle::Outcome;
use bridge_model::reason::{DropReason, Stage};
use bridge_model::topology::{Topology, TunnelKind};
use bridge_model::types::{MacAddr, Vni};
use bridge_model::wire::ethernet::Header;
use bridge_model::wire::ip::{Datagram, Packet};

use super::{INTERFACES, gre, vxlan};
use crate::corpus::{files, pcap_frames};
use crate::world::{Frame, World, frame, topology, view};

/// The ends of a packet that may be a tunnel's, with what it says of the tunnel.
struct Ends {
    to_mac: [u8; 6],
    from: IpAddr,
    to: IpAddr,
    kind: TunnelKind,
    port: u16,
    vni: u32,
}

fn ends(bytes: &[u8]) -> Option<Ends> {
    let header = Header::parse(bytes).ok()?;
    let packet = Packet::parse(header.type_or_length, &bytes[header.payload_offset()..])?.ok()?;
    let number =
        |at: usize| packet.payload.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
    let (kind, port, vni) = match packet.protocol {
        17 => {
            let datagram = Datagram::parse(packet.payload)?;
            (TunnelKind::Vxlan, datagram.destination, number(12)? >> 8)
        }
        47 => (TunnelKind::Gre, 4789, number(4)?),
        _ => return None,
    };
    let (from, to) = (packet.source, packet.destination);
    Some(Ends { to_mac: bytes[..6].try_into().unwrap(), from, to, kind, port, vni })
}

/// A host that is at the far end of a packet: it has the address, expects its sender, has its VNI. A
/// capture is of ports other than 4789 in part; the zone has the port of the packet. What carries no
/// number that could be a VNI is for a host with another.
fn site_for(ends: &Ends) -> Option<Topology> {
    let kind = ends.kind.name();
    let port = if ends.kind == TunnelKind::Vxlan {
        format!("udpPort: {}, udpChecksum: zero,", ends.port)
    } else {
        String::new()
    };
    let (host, prefix) = (ends.to, if ends.to.is_ipv4() { 24 } else { 64 });
    let vni = Vni::new(ends.vni).map_or(77, Vni::get);
    let text = format!(
        "
hosts: [{{name: h, vtep: \"{host}\", underlay: [{{interface: up0, addresses: [\"{host}/{prefix}\"]}}]}}]
bridges: [{{name: web, vni: {vni}}}]
accessPorts:
- {{name: p1, bridge: web, host: h, interface: vm1}}
- {{name: p2, bridge: web, host: h, interface: vm2}}
tunnelZones: [{{name: z, kind: {kind}, {port} hosts: [h], bfd: off}}]
tunnels: [{{name: far, zone: z, remote: \"{}\", bridges: [web]}}]
",
        ends.from
    );
    // Not every number is a VNI and not every address one of a host.
    bridge_model::site::parse("capture.yaml", &text).ok()
}

/// Replays packets at a host made for each. Returns how often each outcome was seen.
fn replay(frames: &[Vec<u8>]) -> BTreeMap<String, usize> {
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    let mut worlds: BTreeMap<String, World> = BTreeMap::new();
    for bytes in frames {
        let found = ends(bytes);
        let site = found.as_ref().and_then(site_for);
        let text =
            site.as_ref().map_or_else(|| super::SITE.to_owned(), bridge_model::site::to_yaml);
        let to_mac = found.as_ref().map_or([6, 0, 0, 0, 0, 5], |ends| ends.to_mac);
        let world = worlds.entry(format!("{to_mac:?}{text}")).or_insert_with(|| {
            let mut view = view(&INTERFACES);
            for interface in &mut view.interfaces {
                interface.mtu = 9600;
            }
            view.interfaces[5].mac = MacAddr::new(to_mac);
            World::with(topology(&text), view)
        });
        let before: BTreeSet<_> = world.oracle.learned().into_iter().collect();
        let outcome = world.send("up0", &Frame { bytes: bytes.clone() });
        let after: BTreeSet<_> = world.oracle.learned().into_iter().collect();
        let (key, may_teach) = match &outcome {
            Outcome::Sent { .. } => ("sent".to_owned(), true),
            Outcome::Answered(_) => ("answered".to_owned(), true),
            Outcome::Consumed(reason) => (reason.to_string(), false),
            Outcome::Dropped(reason) => {
                let is_out = matches!(reason.stage(), Stage::Forward | Stage::Transmit);
                (reason.to_string(), is_out && !is_of_the_way_in(*reason))
            }
        };
        assert!(may_teach || before == after, "{outcome:?} of {bytes:02x?}");
        assert!(after.difference(&before).count() <= 1, "{bytes:02x?}");
        *outcomes.entry(key).or_default() += 1;
    }
    outcomes
}

fn is_of_the_way_in(reason: DropReason) -> bool {
    reason.stage() == Stage::Tunnel
}

#[test]
fn packets_of_our_own_come_out_of_their_tunnels_or_are_dropped_with_one_reason() {
    let inner = frame("B", "*");
    let mut frames = vec![
        vxlan("192.0.2.2", 5001, &inner).bytes,
        vxlan("2001:db8::2", 5001, &inner).bytes,
        gre("192.0.2.4", 77, &inner).bytes,
    ];
    for at in [14, 24, 38, 42] {
        let mut broken = frames[0].clone();
        broken[at] ^= 0x48;
        frames.push(broken);
    }
    let outcomes = replay(&frames);
    assert_eq!(outcomes.get("sent"), Some(&3), "{outcomes:?}");
    for expected in ["tunnel_bad_header", "tunnel_bad_checksum"] {
        assert!(outcomes.contains_key(expected), "{expected}: {outcomes:?}");
    }
}

#[test]
fn captured_tunnel_packets_come_out_of_their_tunnels_or_are_dropped_with_one_reason() {
    let Some(folder) = std::env::var_os("SLUICE_CORPUS") else {
        println!("skipped: set SLUICE_CORPUS to the folder of captures to replay them");
        return;
    };
    let mut paths = Vec::new();
    files(Path::new(&folder), &mut paths);
    // The others are replayed as what stations send, elsewhere.
    paths.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.contains("vxlan") || name.contains("gre")
    });
    let mut total: BTreeMap<String, usize> = BTreeMap::new();
    for path in paths {
        let Some(frames) = pcap_frames(&std::fs::read(&path).unwrap()) else { continue };
        let outcomes = replay(&frames);
        println!("{}: {outcomes:?}", path.display());
        for (outcome, count) in outcomes {
            *total.entry(outcome).or_default() += count;
        }
    }
    println!("in all: {total:?}");
    // What came out is sent, or is for a station behind the same peer.
    let count = |outcome| total.get(outcome).copied().unwrap_or_default();
    assert!(count("sent") >= 40 && count("hairpin") >= 100, "{total:?}");
}
