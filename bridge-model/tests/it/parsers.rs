//! Wire formats: captured vectors, and arbitrary bytes, which never panic.

use bridge_model::snoop::{self, Snooper};
use bridge_model::topology::Topology;
use bridge_model::types::{Name, VlanId};
use bridge_model::wire::bpdu::{Bpdu, BpduError, Version};
use bridge_model::wire::ethernet::Header;
use bridge_model::wire::lacpdu::{self, SlowProtocol};
use bridge_model::wire::lldp::Neighbor;
use proptest::prelude::*;
use std::time::Duration;

use crate::admission::SITE;
use crate::world::{name, topology};

/// Octets from hexadecimal text; blanks are ignored.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// RST BPDU, captured from a switch.
const RST: &str = "0180c2000000 ee50c288918e 0027 424203 0000 02 02 3e 1000025100000001 00000000 \
    1000025100000001 8002 0000 1400 0200 0f00 00";
/// Configuration BPDU with topology change, captured.
const CONFIG_TC: &str = "0180c2000000 ee50c288918e 0026 424203 0000 00 00 01 1000025100000001 \
    00000000 1000025100000001 8002 0000 0600 0100 0400";
/// Topology change notification.
const TCN: &str = "0180c2000000 020000000001 0007 424203 0000 00 80";
/// LACPDU, captured, fast and in sync.
const LACP: &str = "0180c2000002 060d1cf30f32 8809 01 01 01 14 00c8 02bb00000001 0001 ffff 0002 3f \
    000000 02 14 0064 02aa00000001 0007 ffff 000b 3f 000000";

fn bpdu(bytes: &[u8]) -> Result<Bpdu, BpduError> {
    Bpdu::parse(bytes, &Header::parse(bytes).unwrap())
}

/// A PVST+ frame in VLAN `vid` (RSTP version), tagged or not.
fn pvst(vid: u16, tagged: bool, flags: u8) -> Vec<u8> {
    let mut bytes = hex("01000ccccccd ee50c288918e");
    if tagged {
        bytes.extend([0x81, 0x00]);
        bytes.extend(vid.to_be_bytes());
    }
    bytes.extend(hex("0032 aaaa0300000c010b 0000 02 02"));
    bytes.push(flags);
    bytes.extend(hex("1000025100000001 00000000 1000025100000001 8002 0000 1400 0200 0f00 00"));
    bytes.extend(hex("0000 0002"));
    bytes.extend(vid.to_be_bytes());
    bytes
}

/// An MST BPDU with the given CIST flags and one record for each entry of `instances`.
fn mst(flags: u8, instances: &[u8]) -> Vec<u8> {
    let message_len = 102 + 16 * instances.len();
    let mut bytes = hex("0180c2000000 ee50c288918e");
    bytes.extend(u16::try_from(message_len + 3).unwrap().to_be_bytes());
    bytes.extend(hex("424203 0000 03 02"));
    bytes.push(flags);
    bytes.resize(17 + 36, 0);
    bytes.extend(u16::try_from(64 + 16 * instances.len()).unwrap().to_be_bytes());
    bytes.resize(17 + 102, 0);
    for flags in instances {
        bytes.push(*flags);
        bytes.extend([0; 15]);
    }
    bytes
}

#[test]
fn spanning_tree_frames_of_every_flavour_are_read() {
    let rst = bpdu(&hex(RST)).unwrap();
    assert_eq!((rst.version, rst.topology_change), (Version::Rstp, false));
    let tree = rst.tree.unwrap();
    assert_eq!((tree.root.0, tree.port), (0x1000_0251_0000_0001, 0x8002));
    let config = bpdu(&hex(CONFIG_TC)).unwrap();
    assert_eq!((config.version, config.topology_change), (Version::Stp, true));
    let tcn = bpdu(&hex(TCN)).unwrap();
    assert_eq!((tcn.version, tcn.topology_change, tcn.tree), (Version::Stp, true, None));
    let per_vlan = bpdu(&pvst(20, true, 0x3d)).unwrap();
    assert_eq!(per_vlan.per_vlan, Some(VlanId::new(20).ok()));
    assert!(per_vlan.topology_change);
    assert_eq!(bpdu(&mst(0x7c, &[])).unwrap().version, Version::Mstp);
    assert!(!bpdu(&mst(0x7c, &[0x7c, 0x7c])).unwrap().topology_change);
    assert!(bpdu(&mst(0x7d, &[0x7c])).unwrap().topology_change);
    assert!(bpdu(&mst(0x7c, &[0x7c, 0x7d])).unwrap().topology_change, "of an instance");
    // Padding behind the 802.3 length is no part of the message.
    let mut padded = hex(TCN);
    padded.resize(60, 0xff);
    assert_eq!(bpdu(&padded), Ok(tcn));
    let mut padded = mst(0x7c, &[0x7c]);
    padded.extend([0xff; 16]);
    assert!(!bpdu(&padded).unwrap().topology_change);
}

#[test]
fn what_only_looks_like_spanning_tree_is_told_apart() {
    let mut other_llc = hex(RST);
    other_llc[14] = 0xaa;
    assert_eq!(bpdu(&other_llc), Err(BpduError::Llc));
    let mut ether_type = hex(RST);
    ether_type[12] = 0x08;
    assert_eq!(bpdu(&ether_type), Err(BpduError::Llc));
    let mut other_kind = hex(RST);
    other_kind[20] = 0x7f;
    assert!(matches!(bpdu(&other_kind), Err(BpduError::Unknown { kind: 0x7f, .. })));
    let mut short = hex(RST);
    short[13] = 20;
    assert!(matches!(bpdu(&short), Err(BpduError::Truncated { len: 17 })));
    assert_eq!(bpdu(&hex(LACP)), Err(BpduError::Destination));
}

#[test]
fn a_lacpdu_is_told_apart_from_its_neighbours() {
    let read = |bytes: &[u8]| lacpdu::detect(bytes, &Header::parse(bytes).unwrap());
    let lacp = hex(LACP);
    let expected = SlowProtocol::Lacp {
        system_priority: 200,
        system: "02:bb:00:00:00:01".parse().unwrap(),
        port: 2,
    };
    assert_eq!(read(&lacp), Some(expected));
    for (subtype, expected) in [
        (2, SlowProtocol::Marker),
        (3, SlowProtocol::Oam),
        (10, SlowProtocol::Other { subtype: 10 }),
    ] {
        let mut bytes = lacp.clone();
        bytes[14] = subtype;
        assert_eq!(read(&bytes), Some(expected));
    }
    let mut tagged = lacp.clone();
    tagged.splice(12..12, [0x81, 0, 0, 10]);
    assert_eq!(read(&tagged), None);
    assert_eq!(read(&lacp[..20]), None);
    assert_eq!(read(&hex(RST)), None);
}

#[test]
fn an_lldp_neighbour_is_read_and_unknown_tlvs_are_skipped() {
    let text = |kind: u8, text: &str| {
        let mut tlv = vec![kind << 1, u8::try_from(text.len()).unwrap()];
        tlv.extend(text.bytes());
        tlv
    };
    let mut bytes =
        hex("0180c200000e 020000000001 88cc 0207 04 525400123456 0404 05 657468 0602 0078");
    bytes.extend(text(4, "uplink\u{7}"));
    bytes.extend(hex("fe04 00120f 01"));
    bytes.extend(text(5, "leaf-1"));
    bytes.extend(text(6, "A switch"));
    bytes.extend(hex("0000 ffff"));
    let header = Header::parse(&bytes).unwrap();
    let neighbor = Neighbor::parse(&bytes, &header).unwrap();
    assert_eq!(neighbor.chassis.text, "52:54:00:12:34:56");
    assert_eq!(neighbor.port.text, "eth");
    assert_eq!(neighbor.time_to_live, Duration::from_secs(120));
    assert_eq!(neighbor.system_name.as_deref(), Some("leaf-1"));
    assert_eq!(neighbor.port_description.as_deref(), Some("uplink\u{fffd}"));
    for end in 14..bytes.len() {
        let cut = &bytes[..end];
        // Cut anywhere it is an error or the same neighbour with less said, never anything else.
        if let Ok(shorter) = Neighbor::parse(cut, &Header::parse(cut).unwrap()) {
            assert_eq!(shorter.chassis, neighbor.chassis, "{end}");
        }
    }
}

/// A snooper of a host with one trunk `t` on `eth1`.
struct Bench {
    snooper: Snooper,
    site: Topology,
    interface: Name,
}

impl Bench {
    fn new() -> Self {
        Self { snooper: Snooper::default(), site: topology(SITE), interface: name("eth1") }
    }

    /// The VLANs (0 for all) that are flushed because of a frame.
    fn frame(&mut self, at_ms: u64, bytes: &[u8]) -> Vec<u16> {
        let now = Duration::from_millis(at_ms);
        let from = (&name("h"), &self.interface);
        shown(self.snooper.frame(now, &self.site, from, bytes))
    }

    fn due(&mut self, at_ms: u64) -> Vec<u16> {
        shown(self.snooper.due(Duration::from_millis(at_ms)))
    }
}

fn shown(scopes: impl IntoIterator<Item = bridge_model::compile::Scope>) -> Vec<u16> {
    let vid = |scope| match scope {
        bridge_model::compile::Scope::GatewayBridge { vid, .. } => vid.map_or(0, VlanId::get),
        other => panic!("{other:?}"),
    };
    scopes.into_iter().map(vid).collect()
}

#[test]
fn section_5_a_topology_change_flushes_once_when_its_flag_goes_up() {
    let mut b = Bench::new();
    assert_eq!(b.frame(0, &hex(RST)), []);
    assert_eq!(b.frame(0, &hex(CONFIG_TC)), [0]);
    // The flag stays up for 35 s in classic spanning tree: no further flush.
    for second in 1..35 {
        assert_eq!(b.frame(second * 1000, &hex(CONFIG_TC)), [], "{second}");
        assert_eq!(b.due(second * 1000), []);
    }
    assert_eq!(b.frame(36_000, &hex(RST)), [], "the flag goes down");
    assert_eq!(b.frame(37_000, &hex(CONFIG_TC)), [0], "and up again");
}

#[test]
fn section_5_two_changes_within_a_second_make_two_flushes_a_second_apart() {
    let mut b = Bench::new();
    assert_eq!(b.frame(0, &hex(TCN)), [0]);
    assert_eq!(b.frame(100, &hex(RST)), []);
    assert_eq!(b.frame(200, &hex(TCN)), []);
    assert_eq!(b.due(999), []);
    assert_eq!(b.due(1000), [0], "the second change is not lost");
    assert_eq!(b.due(5000), []);
}

#[test]
fn section_5_a_flag_that_is_not_heard_of_any_more_is_down() {
    let mut b = Bench::new();
    assert_eq!(b.frame(0, &hex(TCN)), [0]);
    assert_eq!(b.frame(5_900, &hex(TCN)), []);
    assert_eq!(b.frame(11_800, &hex(TCN)), [], "still the same change");
    assert_eq!(b.frame(17_800, &hex(TCN)), [0]);
}

#[test]
fn section_5_per_vlan_spanning_tree_flushes_its_vlan_only() {
    let mut b = Bench::new();
    assert_eq!(b.frame(0, &pvst(20, true, 0x3d)), [20]);
    assert_eq!(b.frame(0, &pvst(10, true, 0x3d)), [10], "another VLAN has its own second");
    assert_eq!(b.frame(10, &pvst(20, true, 0x3d)), []);
    assert_eq!(b.frame(20, &pvst(7, false, 0x3d)), [7], "untagged: the VLAN that it names");
    assert_eq!(b.frame(30, &pvst(10, true, 0x3c)), []);
}

#[test]
fn section_5_only_spanning_tree_from_a_trunk_can_flush() {
    let site = topology(SITE);
    let change = |interface: &str, bytes: &[u8]| {
        snoop::topology_change(&site, &name("h"), &name(interface), bytes)
    };
    assert!(change("eth1", &hex(TCN)).is_some());
    assert!(change("vm1", &hex(TCN)).is_none());
    assert!(change("eth1", &hex(RST)).is_none());
    assert!(change("eth1", &hex(LACP)).is_none());
    assert!(change("eth1", &[]).is_none());
}

proptest! {
    #[test]
    fn arbitrary_octets_panic_in_no_parser(
        start in prop::sample::select(vec![RST, CONFIG_TC, TCN, LACP, "", "0180c200000e02000000000188cc", "01000ccccccd"]),
        tail in prop::collection::vec(any::<u8>(), 0..200),
        cut in 0..220_usize,
        flips in prop::collection::vec((0..200_usize, any::<u8>()), 0..4),
    ) {
        let mut bytes = hex(start);
        bytes.extend(tail);
        bytes.truncate(cut);
        for (at, value) in flips {
            if let Some(octet) = bytes.get_mut(at) {
                *octet = value;
            }
        }
        let site = topology("");
        let _ = snoop::signal(&bytes, None);
        let _ = snoop::topology_change(&site, &name("h"), &name("e"), &bytes);
        if let Ok(header) = Header::parse(&bytes) {
            prop_assert!(header.payload_offset() <= bytes.len());
            let _ = Bpdu::parse(&bytes, &header);
            let _ = lacpdu::detect(&bytes, &header);
            let _ = Neighbor::parse(&bytes, &header);
            let _ = bridge_model::wire::reserved::classify(&bytes, &header);
        } else {
            prop_assert!(bytes.len() < 22);
        }
    }

    #[test]
    fn arbitrary_text_panics_in_no_reader(
        text in "[-{}\\[\\]:, \n\t\"'#&*!|>a-z0-9.]{0,120}",
        at in 0..600_usize,
    ) {
        let _ = bridge_model::site::parse("x", &text).map_err(|errors| errors.to_string());
        // A good site with something in the middle of it.
        let mut site = SITE.to_owned();
        site.insert_str(at.min(site.len()), &text);
        if let Err(errors) = bridge_model::site::parse("x", &site) {
            prop_assert!(!errors.is_empty());
            for error in errors.iter() {
                prop_assert!(error.span.end <= site.len() && error.line >= 1 && error.column >= 1);
            }
            prop_assert!(errors.to_string().contains("help: "));
        }
    }
}
