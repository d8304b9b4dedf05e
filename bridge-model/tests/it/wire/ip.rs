//! IPv4 (RFC 791), IPv6 (RFC 8200), UDP (RFC 768) as a tunnel endpoint reads and writes them.

use std::net::IpAddr;

use bridge_model::wire::ip::{
    Datagram, ETHER_TYPE_IPV4, ETHER_TYPE_IPV6, Header, IpError, PROTOCOL_UDP, Packet,
};
use proptest::prelude::*;

use super::{addr, ones_sum, upper_sum};
use crate::parsers::hex;

/// A UDP packet with DF and TTL 64; the header is the one of textbooks but for the length.
const V4: &str = "4500001c 00004000 4011b8b8 c0a80001 c0a800c7  0035 0036 0008 0000";
/// DSCP 46, ECN 1, flow label 0x12345, UDP, hop limit 64.
const V6: &str = "6b912345 0008 11 40 20010db8000000000000000000000001 \
    20010db8000000000000000000000002  0035 0036 0008 0000";

type Read = for<'p> fn(&'p [u8]) -> Result<Packet<'p>, IpError>;

fn v4(bytes: &[u8]) -> Result<Packet<'_>, IpError> {
    Packet::parse(ETHER_TYPE_IPV4, bytes).unwrap()
}

fn v6(bytes: &[u8]) -> Result<Packet<'_>, IpError> {
    Packet::parse(ETHER_TYPE_IPV6, bytes).unwrap()
}

/// With the header checksum made right.
fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let header = usize::from(bytes[0] & 15) * 4;
    bytes[10..12].fill(0);
    let sum = !ones_sum(&bytes[..header]);
    bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    bytes
}

#[test]
fn packets_of_both_versions_are_read() {
    let bytes = hex(V4);
    let packet = v4(&bytes).unwrap();
    assert_eq!((packet.source, packet.destination), (addr("192.168.0.1"), addr("192.168.0.199")));
    assert_eq!((packet.protocol, packet.hop_limit, packet.dscp), (17, 64, 0));
    assert_eq!(packet.payload, hex("0035 0036 0008 0000"));
    let bytes = hex(V6);
    let packet = v6(&bytes).unwrap();
    assert_eq!((packet.source, packet.destination), (addr("2001:db8::1"), addr("2001:db8::2")));
    assert_eq!((packet.protocol, packet.hop_limit, packet.dscp), (17, 64, 46));
    assert_eq!(packet.payload.len(), 8);
    assert_eq!(Packet::parse(0x0806, &bytes), None, "another type");
}

#[test]
fn what_stands_behind_the_packet_is_padding() {
    for (text, read) in [(V4, v4 as Read), (V6, v6)] {
        let bytes = hex(text);
        let mut padded = bytes.clone();
        padded.extend([0xff; 18]);
        assert_eq!(read(&padded), read(&bytes));
    }
}

#[test]
fn a_header_that_cannot_be_is_refused() {
    let cases: [(usize, u8, &str); 6] = [
        (0, 0x55, "version 5"),
        (0, 0x44, "a header of 16 octets"),
        (0, 0x4f, "a header longer than the packet"),
        (3, 0x13, "a total length within the header"),
        (3, 0x1d, "a total length beyond the frame"),
        (2, 0x80, "a total length beyond the frame, by far"),
    ];
    for (at, value, why) in cases {
        let mut bytes = hex(V4);
        bytes[at] = value;
        assert_eq!(v4(&bytes), Err(IpError::Header), "{why}");
    }
    let cases: [(usize, u8, &str); 3] =
        [(0, 0x4b, "version 4"), (5, 0x09, "beyond the frame"), (4, 0x01, "far beyond the frame")];
    for (at, value, why) in cases {
        let mut bytes = hex(V6);
        bytes[at] = value;
        assert_eq!(v6(&bytes), Err(IpError::Header), "{why}");
    }
    for (text, read) in [(V4, v4 as Read), (V6, v6)] {
        let bytes = hex(text);
        for end in 0..bytes.len() {
            assert_eq!(read(&bytes[..end]), Err(IpError::Header), "cut to {end}");
        }
    }
}

#[test]
fn options_are_skipped_and_belong_to_the_checksum() {
    let mut bytes = hex("46000020 00004000 40110000 c0a80001 c0a800c7 01010100 0035003600080000");
    assert_eq!(v4(&bytes), Err(IpError::Checksum));
    bytes = resealed(bytes);
    assert_eq!(v4(&bytes).unwrap().payload, hex("0035003600080000"));
    bytes[21] ^= 1;
    assert_eq!(v4(&bytes), Err(IpError::Checksum), "within the options");
}

#[test]
fn every_part_of_a_fragmented_packet_is_a_fragment_and_nothing_else_is() {
    for (flags, is_fragment) in [
        (0x0000_u16, false),
        (0x4000, false),
        // Reserved; ignored.
        (0x8000, false),
        (0x2000, true),
        (0x0001, true),
        (0x1fff, true),
        (0x6000, true),
    ] {
        let mut bytes = hex(V4);
        bytes[6..8].copy_from_slice(&flags.to_be_bytes());
        bytes = resealed(bytes);
        let read = v4(&bytes).map(|_| ());
        let expected = if is_fragment { Err(IpError::Fragment) } else { Ok(()) };
        assert_eq!(read, expected, "{flags:#06x}");
        // A broken header says nothing, not even that.
        bytes[10] ^= 0x40;
        assert_eq!(v4(&bytes), Err(IpError::Checksum));
    }
}

#[test]
fn a_header_is_built_as_a_tunnel_needs_it() {
    let header = Header { dscp: 46, ..Header::new(addr("192.0.2.1"), addr("192.0.2.2"), 17, 64) };
    let bytes = header.packet(&[7; 4]).unwrap();
    // Version and length, DSCP with ECN 0, total length, identification 0, DF and no offset.
    assert_eq!(bytes[..10], hex("45b8 0018 0000 4000 4011"));
    assert_eq!(ones_sum(&bytes[..20]), 0xffff);
    let header = Header {
        dscp: 46,
        flow_label: 0xabcd,
        ..Header::new(addr("2001:db8::1"), addr("2001:db8::2"), 47, 255)
    };
    let bytes = header.packet(&[7; 4]).unwrap();
    assert_eq!(bytes[..8], hex("6b80abcd 0004 2f ff"));
    assert_eq!((Header::new(addr("::1"), addr("::2"), 1, 1)).ether_type(), ETHER_TYPE_IPV6);
    // The longest that fit their length fields, and one octet more.
    let v4 = Header::new(addr("192.0.2.1"), addr("192.0.2.2"), 17, 64);
    assert!(v4.build(65_515).is_some() && v4.build(65_516).is_none());
    let v6 = Header::new(addr("::1"), addr("::2"), 17, 64);
    assert!(v6.build(65_535).is_some() && v6.build(65_536).is_none());
    assert!(Header::new(addr("192.0.2.1"), addr("::2"), 17, 64).build(0).is_none());
}

#[test]
fn a_datagram_ends_where_its_length_field_says() {
    let bytes = hex("0035 12b5 000a 0000 0102 0304");
    let datagram = Datagram::parse(&bytes).unwrap();
    assert_eq!((datagram.source, datagram.destination, datagram.checksum), (53, 4789, 0));
    assert_eq!(datagram.payload, [1, 2]);
    for (length, fits) in [(7, false), (0, false), (8, true), (12, true), (13, false)] {
        let mut bytes = bytes.clone();
        bytes[5] = length;
        assert_eq!(Datagram::parse(&bytes).is_some(), fits, "{length}");
    }
    for end in 0..8 {
        assert_eq!(Datagram::parse(&bytes[..end]), None);
    }
}

fn packet(source: IpAddr, destination: IpAddr, payload: &[u8]) -> Packet<'_> {
    Packet { source, destination, protocol: PROTOCOL_UDP, hop_limit: 64, dscp: 0, ecn: 0, payload }
}

#[test]
fn a_computed_checksum_is_never_zero() {
    for (from, to) in [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")] {
        let ends = (addr(from), addr(to));
        let built = |word: u16| Datagram::build(ends, (1, 2), &word.to_be_bytes(), true).unwrap();
        let field = |datagram: &[u8]| u16::from_be_bytes([datagram[6], datagram[7]]);
        // One word of payload takes every checksum once, so 0xffff stands for two sums.
        let all: Vec<u16> = (0..=u16::MAX).map(|word| field(&built(word))).collect();
        assert!(!all.contains(&0));
        let twice = (0..=u16::MAX).filter(|word| field(&built(*word)) == 0xffff);
        for word in twice {
            let datagram = built(word);
            assert!(Datagram::checksum_is_correct(&packet(ends.0, ends.1, &datagram)));
        }
        let without = Datagram::build(ends, (1, 2), &[9; 3], false).unwrap();
        assert_eq!(field(&without), 0);
    }
}

#[test]
fn a_checksum_covers_the_datagram_and_not_what_stands_behind_it() {
    let ends = (addr("192.0.2.1"), addr("192.0.2.2"));
    let mut datagram = Datagram::build(ends, (1, 2), b"abc", true).unwrap();
    assert!(Datagram::checksum_is_correct(&packet(ends.0, ends.1, &datagram)));
    assert!(!Datagram::checksum_is_correct(&packet(ends.0, addr("192.0.2.3"), &datagram)));
    datagram.extend([0xff; 5]);
    assert!(Datagram::checksum_is_correct(&packet(ends.0, ends.1, &datagram)));
    datagram[9] ^= 1;
    assert!(!Datagram::checksum_is_correct(&packet(ends.0, ends.1, &datagram)));
    assert!(!Datagram::checksum_is_correct(&packet(ends.0, ends.1, &datagram[..10])));
    assert!(Datagram::build(ends, (1, 2), &vec![0; 65_527], true).is_some());
    assert!(Datagram::build(ends, (1, 2), &vec![0; 65_528], true).is_none());
}

fn ends() -> impl Strategy<Value = (IpAddr, IpAddr)> {
    prop_oneof![
        any::<([u8; 4], [u8; 4])>().prop_map(|(a, b)| (a.into(), b.into())),
        any::<([u8; 16], [u8; 16])>().prop_map(|(a, b)| (a.into(), b.into())),
    ]
}

proptest! {
    #[test]
    fn what_is_built_is_read_back(
        (source, destination) in ends(),
        (protocol, hop_limit, dscp, flow_label) in (any::<u8>(), any::<u8>(), 0..64_u8, 0..0x10_0000_u32),
        ports in any::<(u16, u16)>(),
        payload in prop::collection::vec(any::<u8>(), 0..300),
        with_checksum in any::<bool>(),
    ) {
        let header = Header { source, destination, protocol, hop_limit, dscp, flow_label };
        let datagram = Datagram::build((source, destination), ports, &payload, with_checksum).unwrap();
        let bytes = header.packet(&datagram).unwrap();
        let packet = Packet::parse(header.ether_type(), &bytes).unwrap().unwrap();
        let read_back =
            Packet { source, destination, protocol, hop_limit, dscp, ecn: 0, payload: &datagram };
        prop_assert_eq!(packet, read_back);
        let read = Datagram::parse(packet.payload).unwrap();
        prop_assert_eq!((read.source, read.destination), ports);
        prop_assert_eq!(read.payload, &payload);
        if with_checksum {
            prop_assert!(Datagram::checksum_is_correct(&packet));
            prop_assert_eq!(upper_sum(source, destination, PROTOCOL_UDP, &datagram), 0xffff);
        } else {
            prop_assert_eq!(read.checksum, 0);
        }
    }

    #[test]
    fn no_flipped_bit_of_an_ipv4_header_goes_unseen(bit in 0..160_usize) {
        let mut bytes = hex(V4);
        bytes[bit / 8] ^= 0x80 >> (bit % 8);
        prop_assert!(v4(&bytes).is_err());
    }

    #[test]
    fn arbitrary_octets_give_a_packet_within_them_or_none(
        mut bytes in prop::collection::vec(any::<u8>(), 0..90),
        like in prop::sample::select(vec!["", V4, V6]),
    ) {
        for (octet, like) in bytes.iter_mut().zip(hex(like)) {
            if *octet < 200 {
                *octet = like;
            }
        }
        for ether_type in [ETHER_TYPE_IPV4, ETHER_TYPE_IPV6] {
            if let Some(Ok(packet)) = Packet::parse(ether_type, &bytes) {
                prop_assert!(packet.payload.len() + 20 <= bytes.len());
                let _ = Datagram::checksum_is_correct(&packet);
                if let Some(datagram) = Datagram::parse(packet.payload) {
                    prop_assert!(datagram.payload.len() + 8 <= packet.payload.len());
                }
            }
        }
    }
}
