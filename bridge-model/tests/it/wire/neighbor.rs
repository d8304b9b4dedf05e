//! ARP (RFC 826, RFC 5227) and neighbour discovery (RFC 4861).

use std::net::{IpAddr, Ipv6Addr};

use bridge_model::types::MacAddr;
use bridge_model::wire::ip::{ETHER_TYPE_IPV6, Header, PROTOCOL_ICMPV6, Packet};
use bridge_model::wire::neighbor::{
    Arp, Discovery, icmpv6_is_correct, multicast_mac, solicited_node,
};
use proptest::prelude::*;

use super::upper_sum;
use crate::parsers::hex;

const REQUEST: &str = "0001 0800 06 04 0001 525400000001 c0000201 000000000000 c0000202";

#[test]
fn an_arp_message_is_read_and_written_as_rfc_826_draws_it() {
    let arp = Arp::parse(&hex(REQUEST)).unwrap();
    assert_eq!(arp.operation, Arp::REQUEST);
    assert_eq!(arp.sender_mac.to_string(), "52:54:00:00:00:01");
    assert_eq!(
        (arp.sender.to_string(), arp.target.to_string()),
        ("192.0.2.1".into(), "192.0.2.2".into())
    );
    assert_eq!(arp.target_mac, MacAddr::ZERO);
    assert_eq!(arp.build(), hex(REQUEST));
    let frame = arp.frame(MacAddr::BROADCAST, arp.sender_mac);
    assert_eq!(frame, hex(&format!("ffffffffffff 525400000001 0806 {REQUEST}")));
    // Ethernet frames have at least 46 octets of payload, so there is padding.
    assert_eq!(Arp::parse(&[hex(REQUEST), vec![0xff; 18]].concat()), Some(arp));
}

#[test]
fn arp_for_other_networks_and_cut_messages_are_none() {
    for (at, value) in [(1, 6), (2, 0x86), (3, 1), (4, 8), (5, 16)] {
        let mut bytes = hex(REQUEST);
        bytes[at] = value;
        assert_eq!(Arp::parse(&bytes), None, "octet {at}");
    }
    for end in 0..28 {
        assert_eq!(Arp::parse(&hex(REQUEST)[..end]), None, "cut to {end}");
    }
}

#[test]
fn groups_of_an_ipv6_address_are_those_of_the_standards() {
    // The example of RFC 4291 section 2.7.1.
    let group = solicited_node("4037::01:800:200e:8c6c".parse().unwrap());
    assert_eq!(group, "ff02::1:ff0e:8c6c".parse::<Ipv6Addr>().unwrap());
    assert_eq!(multicast_mac(group).to_string(), "33:33:ff:0e:8c:6c");
    assert_eq!(multicast_mac("ff02::1".parse().unwrap()).to_string(), "33:33:00:00:00:01");
}

fn solicitation() -> Discovery {
    let target: Ipv6Addr = "2001:db8::2".parse().unwrap();
    Discovery {
        is_advertisement: false,
        source: "2001:db8::1".parse().unwrap(),
        destination: solicited_node(target),
        target,
        flags: 0,
        link_address: Some("52:54:00:00:00:01".parse().unwrap()),
    }
}

fn advertisement() -> Discovery {
    Discovery {
        is_advertisement: true,
        source: "2001:db8::2".parse().unwrap(),
        destination: "2001:db8::1".parse().unwrap(),
        target: "2001:db8::2".parse().unwrap(),
        flags: Discovery::SOLICITED | Discovery::OVERRIDE,
        link_address: Some("52:54:00:00:00:02".parse().unwrap()),
    }
}

fn read(packet: &[u8]) -> Option<Discovery> {
    Discovery::parse(&Packet::parse(ETHER_TYPE_IPV6, packet)?.ok()?)
}

/// The packet with its ICMPv6 message changed, checksum made right.
fn changed(message: &Discovery, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let bytes = message.build();
    let mut icmp = bytes[40..].to_vec();
    change(&mut icmp);
    let ends: (IpAddr, IpAddr) = (message.source.into(), message.destination.into());
    if icmp.len() >= 4 {
        icmp[2..4].fill(0);
        let sum = !upper_sum(ends.0, ends.1, PROTOCOL_ICMPV6, &icmp);
        icmp[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    Header::new(ends.0, ends.1, PROTOCOL_ICMPV6, 255).packet(&icmp).unwrap()
}

#[test]
fn a_solicitation_and_an_advertisement_are_written_as_rfc_4861_draws_them() {
    let bytes = solicitation().build();
    let start =
        "60000000 0020 3a ff 20010db8000000000000000000000001 ff0200000000000000000001ff000002";
    assert_eq!(bytes[..40], hex(start));
    assert_eq!(bytes[40..42], [135, 0]);
    let rest = "00000000 20010db8000000000000000000000002 01 01 525400000001";
    assert_eq!(bytes[44..], hex(rest));
    let ends = (solicitation().source.into(), solicitation().destination.into());
    assert_eq!(upper_sum(ends.0, ends.1, 58, &bytes[40..]), 0xffff);
    let bytes = advertisement().build();
    assert_eq!(bytes[40..42], [136, 0]);
    let rest = "60000000 20010db8000000000000000000000002 02 01 525400000002";
    assert_eq!(bytes[44..], hex(rest));
    assert_eq!(read(&solicitation().build()), Some(solicitation()));
    assert_eq!(read(&advertisement().build()), Some(advertisement()));
    let without = Discovery { link_address: None, ..solicitation() };
    assert_eq!((without.build().len(), read(&without.build())), (64, Some(without)));
}

#[test]
fn rfc_4861_7_1_invalid_messages_are_discarded() {
    let good = solicitation();
    let mut hop_limit = good.build();
    hop_limit[7] = 254;
    assert_eq!(read(&hop_limit), None, "came through a router");
    let mut checksum = good.build();
    checksum[43] ^= 1;
    assert_eq!(read(&checksum), None);
    let cases: [(Vec<u8>, &str); 7] = [
        (changed(&good, |icmp| icmp[1] = 1), "code"),
        (changed(&good, |icmp| icmp[0] = 134), "a router advertisement"),
        (changed(&good, |icmp| icmp.truncate(23)), "too short"),
        (changed(&good, |icmp| icmp[25] = 0), "an option of length 0"),
        (changed(&good, |icmp| icmp[25] = 2), "an option beyond the message"),
        (changed(&good, |icmp| icmp[8] = 0xff), "a group as target"),
        (changed(&good, |icmp| icmp.extend([14, 0])), "a second option of length 0"),
    ];
    for (bytes, why) in cases {
        assert_eq!(read(&bytes), None, "{why}");
    }
    let nobody = Discovery { source: Ipv6Addr::UNSPECIFIED, link_address: None, ..good };
    assert_eq!(read(&nobody.build()), Some(nobody), "duplicate address detection");
    let named = Discovery { link_address: good.link_address, ..nobody };
    assert_eq!(read(&named.build()), None, "nobody, with an address");
    let all_nodes: Ipv6Addr = "ff02::1".parse().unwrap();
    assert_eq!(read(&Discovery { destination: all_nodes, ..nobody }.build()), None);
    let to_all = Discovery { destination: all_nodes, ..advertisement() };
    assert_eq!(read(&to_all.build()), None, "solicited, and to everybody");
    let unsolicited = Discovery { flags: Discovery::OVERRIDE, ..to_all };
    assert_eq!(read(&unsolicited.build()), Some(unsolicited));
}

#[test]
fn unknown_options_are_skipped_and_the_first_address_counts() {
    let link_address = |bytes: &[u8]| read(bytes).unwrap().link_address.map(|mac| mac.to_string());
    // A nonce (RFC 3971) in front, a target address in a solicitation, an address of 14 octets.
    let more = |front: &str, behind: &str| {
        changed(&solicitation(), |icmp| {
            icmp.splice(24..24, hex(front));
            icmp.extend(hex(behind));
        })
    };
    let first = Some("52:54:00:00:00:01".to_owned());
    assert_eq!(link_address(&more("0e01 010203040506", "")), first);
    assert_eq!(link_address(&more("0201 ffffffffffff", "")), first);
    assert_eq!(link_address(&more("", "0101 525400000009")), first);
    assert_eq!(link_address(&more("0102 0102030405060708090a0b0c0d0e", "")), first);
}

fn ipv6() -> impl Strategy<Value = Ipv6Addr> {
    any::<[u8; 16]>().prop_map(|mut octets| {
        octets[0] &= 0x3f;
        octets[15] |= 1;
        octets.into()
    })
}

proptest! {
    #[test]
    fn what_is_built_is_read_back(
        (source, destination, target) in (ipv6(), ipv6(), ipv6()),
        is_advertisement in any::<bool>(),
        flags in 0..8_u8,
        mac in prop::option::of(any::<[u8; 6]>()),
    ) {
        let link_address = mac.map(MacAddr::new);
        let flags = flags << 5;
        let message = Discovery { is_advertisement, source, destination, target, flags, link_address };
        let packet = message.build();
        prop_assert_eq!(read(&packet), Some(message));
        let packet = Packet::parse(ETHER_TYPE_IPV6, &packet).unwrap().unwrap();
        prop_assert!(icmpv6_is_correct(&packet));
    }

    #[test]
    fn every_arp_message_is_read_back(
        operation in any::<u16>(),
        macs in any::<([u8; 6], [u8; 6])>(),
        addresses in any::<([u8; 4], [u8; 4])>(),
    ) {
        let arp = Arp {
            operation,
            sender_mac: MacAddr::new(macs.0),
            sender: addresses.0.into(),
            target_mac: MacAddr::new(macs.1),
            target: addresses.1.into(),
        };
        prop_assert_eq!(Arp::parse(&arp.build()), Some(arp));
    }

    #[test]
    fn arbitrary_octets_panic_in_no_reader(
        tail in prop::collection::vec(any::<u8>(), 0..60),
        at in 0..80_usize,
    ) {
        let _ = Arp::parse(&tail);
        // Behind a good header, with the checksum made right.
        let bytes = changed(&solicitation(), |icmp| {
            let at = at.min(icmp.len());
            icmp.truncate(at);
            icmp.extend(&tail);
        });
        if let Some(message) = read(&bytes) {
            prop_assert!(!message.target.is_multicast());
        }
    }
}
