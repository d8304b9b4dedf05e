//! Captures of real and malformed frames, replayed through oracle and tables: every frame is
//! forwarded as layer 2 or dropped with one named reason, and nothing is learned from garbage.
//!
//! The captures are found by `SLUICE_CORPUS`; a few frames of our own kind are always replayed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bridge_model::oracle::Outcome;

use crate::parsers::hex;
use crate::world::World;

/// Frames as they come in real networks, small: a gratuitous ARP, a tagged ping's beginning, double
/// tags, an MSTP message in a priority tag, a UDLD hello, a pause frame, a router advertisement, and
/// cut ones.
const SEEDS: &[&str] = &[
    "ffffffffffff 525400000001 0806 0001080006040001 525400000001 0a000001 000000000000 0a000001",
    "525400000002 525400000001 8100000a 0800 45000054 00004000 4001 0000 0a000001 0a000002",
    "ffffffffffff 525400000003 88a80064 8100000a 0806 0001080006040001",
    "0180c2000000 525400000004 8100e000 0069 424203 0000 03 02 7c",
    "01000ccccccc 525400000005 0024 aaaa0300000c0111 21 00",
    "0180c2000001 525400000006 8808 0001 ffff",
    "333300000001 525400000007 86dd 6000000000103aff",
    "ffffffffffff ffffffffffff 0800",
    "525400000002 525400000001 8100",
    "5254000000",
];

/// A host that takes part in everything: trunk with native VLAN, transit, access, transparent.
fn worlds() -> Vec<World> {
    let text = "
hosts: [{name: h}]
bridges: [{name: a}, {name: b}, {name: raw, transparent: true}]
gatewayBridges: [{name: gw, mode: stp-transparent, transit: true}, {name: gl}]
trunks:
- {name: t1, gatewayBridge: gw, host: h, interface: eth1, native: 1, allowed: [\"1-4094\"]}
- {name: t2, gatewayBridge: gw, host: h, interface: eth2, allowed: [\"1-4094\"]}
- {name: t3, gatewayBridge: gl, host: h, interface: eth3, tpid: 0x88a8}
vlanLinks:
- {gatewayBridge: gw, vid: 1, bridge: a}
- {gatewayBridge: gl, vid: 100, bridge: b}
accessPorts:
- {name: p1, bridge: a, host: h, interface: vm1}
- {name: p2, bridge: b, host: h, interface: vm2}
- {name: p3, bridge: raw, host: h, interface: vm3}
- {name: p4, bridge: raw, host: h, interface: vm4}
";
    vec![World::new(text, &["eth1", "eth2", "eth3", "vm1", "vm2", "vm3", "vm4"])]
}

/// The frames of a classic pcap file with link type Ethernet; `None` for any other file.
pub(crate) fn pcap_frames(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let big = match bytes.get(..4)? {
        [0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1] => false,
        [0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d] => true,
        _ => return None,
    };
    let number = |at: usize| {
        let octets: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(if big { u32::from_be_bytes(octets) } else { u32::from_le_bytes(octets) })
    };
    if number(20)? & 0xffff != 1 {
        return None;
    }
    let mut frames = Vec::new();
    let mut at = 24;
    while let Some(len) = number(at + 8) {
        let len = usize::try_from(len).ok()?;
        let Some(frame) = bytes.get(at + 16..at + 16 + len) else { break };
        frames.push(frame.to_vec());
        at += 16 + len;
    }
    Some(frames)
}

pub(crate) fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Replays frames on every interface. Returns how often each outcome was seen.
fn replay(frames: &[Vec<u8>]) -> BTreeMap<String, usize> {
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    for mut world in worlds() {
        for bytes in frames {
            for index in 0..world.view.interfaces.len() {
                let id = bridge_model::types::InterfaceId(u16::try_from(index).unwrap());
                let known = world.oracle.learned().len();
                let outcome = world.send_bytes(id, bytes);
                let (key, may_teach) = match &outcome {
                    Outcome::Sent { .. } => ("sent".to_owned(), true),
                    Outcome::Answered(_) => ("answered".to_owned(), true),
                    Outcome::Consumed(reason) => (reason.to_string(), false),
                    Outcome::Dropped(reason) => {
                        use bridge_model::reason::Stage::{Forward, Transmit};
                        (reason.to_string(), matches!(reason.stage(), Forward | Transmit))
                    }
                };
                *outcomes.entry(key).or_default() += 1;
                assert!(may_teach || world.oracle.learned().len() == known, "{bytes:02x?}");
            }
        }
    }
    outcomes
}

#[test]
fn frames_of_our_own_are_forwarded_or_dropped_with_one_reason() {
    let frames: Vec<Vec<u8>> = SEEDS.iter().map(|seed| hex(seed)).collect();
    let outcomes = replay(&frames);
    for expected in ["sent", "malformed", "bad_source", "bpdu_on_access", "reserved", "bad_tpid"] {
        assert!(outcomes.contains_key(expected), "{expected}: {outcomes:?}");
    }
}

#[test]
fn captured_frames_are_forwarded_or_dropped_with_one_reason() {
    let Some(folder) = std::env::var_os("SLUICE_CORPUS") else {
        println!("skipped: set SLUICE_CORPUS to the folder of captures to replay them");
        return;
    };
    let mut paths = Vec::new();
    files(Path::new(&folder), &mut paths);
    let mut total = 0;
    let mut captures = 0;
    for path in paths {
        let Some(frames) = pcap_frames(&std::fs::read(&path).unwrap()) else { continue };
        captures += 1;
        total += frames.len();
        let outcomes = replay(&frames);
        println!("{}: {outcomes:?}", path.display());
    }
    println!("{captures} captures, {total} frames");
    assert!(total > 0, "{} holds no capture", Path::new(&folder).display());
}
