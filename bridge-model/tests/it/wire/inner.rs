//! The lenient look into frames: flow hash, DSCP, segment size.

use bridge_model::wire::inner::{InnerIp, flow_hash, mss_option, source_port};
use proptest::prelude::*;

use crate::parsers::hex;

const STATIONS: &str = "020000000002 020000000001";
const V4: &str = "45b80028 00004000 40060000 0a000001 0a000002";
const V6: &str =
    "6b812345 0014 11 40 20010db8000000000000000000000001 20010db8000000000000000000000002";
const PORTS: &str = "d431 0050 00000000 00000000 50020000 00000000";

fn frame(parts: &[&str]) -> Vec<u8> {
    hex(&[&[STATIONS], parts].concat().concat())
}

fn v4() -> Vec<u8> {
    frame(&["0800", V4, PORTS])
}

fn v6() -> Vec<u8> {
    frame(&["86dd", V6, PORTS])
}

#[test]
fn packets_behind_up_to_two_tags_are_found() {
    let ip = InnerIp::of(&v4()).unwrap();
    assert_eq!((ip.offset, ip.version, ip.dscp, ip.protocol, ip.header_len), (14, 4, 46, 6, 20));
    assert!(ip.dont_fragment && !ip.is_fragment);
    let ip = InnerIp::of(&v6()).unwrap();
    assert_eq!((ip.offset, ip.version, ip.dscp, ip.protocol, ip.header_len), (14, 6, 46, 17, 40));
    assert!(ip.dont_fragment);
    let tagged = frame(&["8100000a 0800", V4, PORTS]);
    assert_eq!(InnerIp::of(&tagged).map(|ip| ip.offset), Some(18));
    let tagged = frame(&["88a80064 8100000a 86dd", V6, PORTS]);
    assert_eq!(InnerIp::of(&tagged).map(|ip| ip.offset), Some(22));
    let deeper = frame(&["88a80064 8100000a 8100000b 0800", V4, PORTS]);
    assert_eq!(InnerIp::of(&deeper), None);
}

#[test]
fn what_is_no_packet_is_payload() {
    for (text, why) in [
        (frame(&["0800 65", &V4[2..], PORTS]), "version 6 in IPv4"),
        (frame(&["86dd 45", &V6[2..], PORTS]), "version 4 in IPv6"),
        (frame(&["0800 44", &V4[2..], PORTS]), "a header too short"),
        (frame(&["0806", V4, PORTS]), "another type"),
    ] {
        assert_eq!(InnerIp::of(&text), None, "{why}");
    }
    assert_eq!(InnerIp::of(&v4()[..33]), None);
    assert!(InnerIp::of(&v4()[..34]).is_some(), "the header is enough");
    assert_eq!(InnerIp::of(&v6()[..53]), None);
    assert!(InnerIp::of(&v6()[..54]).is_some());
}

#[test]
fn the_hash_is_the_same_on_every_host_and_in_every_release() {
    // Computed by another program from the description alone.
    let plain = |bytes: &str| frame(&[bytes]);
    let zeros = "00000000 00000000 00000000 00000000";
    let v4 = "45000028 00004000 40060000 0a000001 0a000002 d4310050";
    let v6 = "60000000 0014 11 40 20010db8000000000000000000000001 \
        20010db8000000000000000000000002 d4310050";
    assert_eq!(flow_hash(&plain(&format!("0800{v4}{zeros}"))), 0x81ae);
    assert_eq!(flow_hash(&plain(&format!("86dd{v6}{zeros}"))), 0x623c);
    assert_eq!(flow_hash(&plain("0806 0001080006040001")), 0x456b);
    assert_eq!(flow_hash(&plain(&format!("8100000a 0800{v4}{zeros}"))), 0x81ae, "tags are no part");
}

#[test]
fn what_changes_within_a_flow_does_not_change_its_hash() {
    let hash = flow_hash(&v4());
    // DSCP, length, identification, DF, TTL, checksum; sequence number and flags of TCP; length.
    for at in [15, 17, 18, 19, 22, 24, 25, 38, 45, 47] {
        let mut bytes = v4();
        bytes[at] ^= 0x01;
        assert_eq!(flow_hash(&bytes), hash, "octet {at}");
    }
    assert_eq!(flow_hash(&[v4(), vec![0xff; 100]].concat()), hash);
    // Traffic class, flow label, length, hop limit.
    let hash = flow_hash(&v6());
    for at in [15, 16, 17, 18, 19, 21] {
        let mut bytes = v6();
        bytes[at] ^= 0x01;
        assert_eq!(flow_hash(&bytes), hash, "octet {at}");
    }
}

#[test]
fn all_parts_of_a_fragmented_packet_have_one_hash() {
    let fragment = |flags: &str, behind: &str| {
        frame(&["0800 45000028 0000", flags, "40110000 0a000001 0a000002", behind])
    };
    let first = flow_hash(&fragment("2000", "d4310050"));
    assert_eq!(flow_hash(&fragment("2064", "01020304")), first);
    assert_eq!(flow_hash(&fragment("0064", "ffffffff")), first);
    assert_ne!(flow_hash(&fragment("4000", "d4310050")), first, "ports are looked at");
}

#[test]
fn flows_spread_evenly_over_next_hops_and_source_ports() {
    for make in [v4 as fn() -> Vec<u8>, v6] {
        let at = if make().len() == v4().len() { 34 } else { 54 };
        let mut ways = [0_u32; 8];
        let mut ports = std::collections::BTreeSet::new();
        for number in 0..8_000_u16 {
            let mut bytes = make();
            bytes[at..at + 2].copy_from_slice(&(1024 + number).to_be_bytes());
            let hash = flow_hash(&bytes);
            ways[(usize::from(hash) * ways.len()) >> 16] += 1;
            ports.insert(source_port(hash));
        }
        assert!(ways.iter().all(|flows| (850..=1150).contains(flows)), "{ways:?}");
        assert!(ports.iter().all(|port| *port >= 49_152));
        // 8000 balls in 16384 urns fill 6330 of them.
        assert!(ports.len() > 6_100, "{}", ports.len());
    }
}

#[test]
fn both_directions_and_other_stations_are_other_flows() {
    let hash = flow_hash(&v4());
    for at in [0, 5, 6, 11, 13, 26, 33, 34, 37] {
        let mut bytes = v4();
        bytes[at] ^= 0x04;
        assert_ne!(flow_hash(&bytes), hash, "octet {at}");
    }
}

/// A SYN with these options behind its header; data offset as they need.
fn syn(options: &str) -> Vec<u8> {
    let words = 5 + hex(options).len() / 4;
    let header = format!("d4310050 00000001 00000000 {words:x}002ffff 00000000");
    frame(&["0800", V4, &header, options])
}

fn mss(bytes: &[u8]) -> Option<(usize, u16)> {
    mss_option(bytes, &InnerIp::of(bytes)?)
}

#[test]
fn the_segment_size_of_a_syn_is_found_among_its_options() {
    assert_eq!(mss(&syn("020405b4")), Some((56, 1460)));
    // Behind padding: at an odd octet of the segment.
    assert_eq!(mss(&syn("01 020405b4 010101")), Some((57, 1460)));
    // Behind window scale, SACK permitted, a time stamp.
    assert_eq!(mss(&syn("030307 01 0402 080a 0000000100000000 020405b4")), Some((72, 1460)));
    let v6 = frame(&[
        "86dd 60000000 0018 06 40 20010db8000000000000000000000001 20010db8000000000000000000000002",
        "d4310050 00000001 00000000 6002ffff 00000000 020405a0",
    ]);
    assert_eq!(mss(&v6), Some((76, 1440)));
}

#[test]
fn what_announces_no_segment_size_is_left_alone() {
    let cases = [
        (syn(""), "no options"),
        (syn("00 020405b4 000000"), "behind the end of the options"),
        (syn("020305b4"), "an option of three octets"),
        (syn("020505b4 00010101"), "an option of five octets"),
        (syn("01010102 0405b400")[..58].to_vec(), "cut off"),
        (syn("020405b4")[..57].to_vec(), "cut within it"),
    ];
    for (bytes, why) in cases {
        assert_eq!(mss(&bytes), None, "{why}");
    }
    let mut no_syn = syn("020405b4");
    no_syn[47] = 0x10;
    assert_eq!(mss(&no_syn), None);
    let mut syn_ack = syn("020405b4");
    syn_ack[47] = 0x12;
    assert!(mss(&syn_ack).is_some(), "both ends announce one");
    let mut udp = syn("020405b4");
    udp[23] = 17;
    assert_eq!(mss(&udp), None);
    let mut fragment = syn("020405b4");
    fragment[21] = 1;
    assert_eq!(mss(&fragment), None);
    let mut beyond = syn("020405b4");
    beyond[46] = 0x50;
    assert_eq!(mss(&beyond), None, "the data offset says that these are data");
    // Options may not run over their end even if the frame goes on.
    let beyond = [syn("01010102"), hex("0405b400")].concat();
    assert_eq!(mss(&beyond), None);
}

proptest! {
    #[test]
    fn arbitrary_octets_panic_in_no_look(
        mut bytes in prop::collection::vec(any::<u8>(), 0..120),
        like in 0..3_usize,
    ) {
        let like = [syn("01 020405b4 010101"), v6(), Vec::new()][like].clone();
        for (octet, like) in bytes.iter_mut().zip(like) {
            if *octet < 220 {
                *octet = like;
            }
        }
        prop_assert_eq!(flow_hash(&bytes), flow_hash(&bytes.clone()));
        if let Some(ip) = InnerIp::of(&bytes) {
            prop_assert!(ip.offset + 20 <= bytes.len());
            if let Some((at, size)) = mss_option(&bytes, &ip) {
                prop_assert_eq!(&bytes[at - 2..at], &[2, 4]);
                prop_assert_eq!(&bytes[at..at + 2], &size.to_be_bytes());
            }
        }
    }

    #[test]
    fn a_packet_has_the_same_hash_in_whatever_frame(
        ports in any::<[u8; 4]>(),
        tags in 0..3_usize,
    ) {
        let mut bytes = v4();
        bytes[34..38].copy_from_slice(&ports);
        let hash = flow_hash(&bytes);
        for _ in 0..tags {
            bytes.splice(12..12, [0x81, 0, 0, 10]);
        }
        prop_assert_eq!(flow_hash(&bytes), hash);
    }
}
