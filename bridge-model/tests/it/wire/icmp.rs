//! ICMP (RFC 792, RFC 1122, RFC 1191) and ICMPv6 (RFC 4443).

use bridge_model::wire::ethernet::Header;
use bridge_model::wire::icmp::{Message, echo, too_big};
use bridge_model::wire::ip::{
    self, ETHER_TYPE_IPV4, ETHER_TYPE_IPV6, PROTOCOL_ICMP, PROTOCOL_ICMPV6, Packet,
};
use proptest::prelude::*;

use super::{addr, ones_sum, upper_sum};
use crate::parsers::hex;

fn packet(bytes: &[u8]) -> Packet<'_> {
    let ether_type = if bytes[0] >> 4 == 4 { ETHER_TYPE_IPV4 } else { ETHER_TYPE_IPV6 };
    Packet::parse(ether_type, bytes).unwrap().unwrap()
}

#[test]
fn echoes_are_written_and_read_for_both_versions() {
    for (ends, kinds) in [
        ((addr("192.0.2.1"), addr("192.0.2.2")), [8, 0]),
        ((addr("fd00::1"), addr("fd00::2")), [128, 129]),
    ] {
        for (is_reply, kind) in [(false, kinds[0]), (true, kinds[1])] {
            let bytes = echo(ends, is_reply, 0x1234_0001, b"abc").unwrap();
            let packet = packet(&bytes);
            assert_eq!(packet.payload[..2], [kind, 0]);
            assert_eq!(packet.payload[4..], *b"\x12\x34\x00\x01abc");
            let sum = if ends.0.is_ipv4() {
                ones_sum(packet.payload)
            } else {
                upper_sum(ends.0, ends.1, PROTOCOL_ICMPV6, packet.payload)
            };
            assert_eq!(sum, 0xffff);
            let data = &b"abc"[..];
            let id = 0x1234_0001;
            let expected = if is_reply {
                Message::EchoReply { id, data }
            } else {
                Message::EchoRequest { id, data }
            };
            assert_eq!(Message::parse(&packet), Some(expected));
            let mut wrong = bytes.clone();
            *wrong.last_mut().unwrap() ^= 1;
            assert_eq!(Message::parse(&self::packet(&wrong)), None, "checksum");
        }
    }
    assert_eq!(echo((addr("192.0.2.1"), addr("fd00::1")), false, 0, &[]), None);
    assert_eq!(echo((addr("192.0.2.1"), addr("192.0.2.2")), false, 0, &vec![0; 65_530]), None);
}

/// An ICMP message of our own making between two addresses.
fn message(ends: (&str, &str), text: &str) -> Vec<u8> {
    let mut bytes = hex(text);
    let ends = (addr(ends.0), addr(ends.1));
    let (protocol, sum) = if ends.0.is_ipv4() {
        (PROTOCOL_ICMP, ones_sum(&bytes))
    } else {
        (PROTOCOL_ICMPV6, upper_sum(ends.0, ends.1, PROTOCOL_ICMPV6, &bytes))
    };
    bytes[2..4].copy_from_slice(&(!sum).to_be_bytes());
    ip::Header::new(ends.0, ends.1, protocol, 64).packet(&bytes).unwrap()
}

#[test]
fn a_router_that_could_not_pass_on_a_packet_says_what_would_have_fit() {
    let ends = ("198.51.100.1", "192.0.2.1");
    let quoted = "4500 05dc 0000 4000 4011 0000 c0000201 cb007109 d431 12b5 05c8 0000";
    let read = |bytes: &[u8]| match Message::parse(&packet(bytes)) {
        Some(Message::TooBig { mtu, destination }) => Some((mtu, destination)),
        _ => None,
    };
    let fragmentation_needed = message(ends, &format!("0304 0000 0000 0578 {quoted}"));
    assert_eq!(read(&fragmentation_needed), Some((1400, addr("203.0.113.9"))));
    let silent = message(ends, &format!("0304 0000 0000 0000 {quoted}"));
    assert_eq!(read(&silent), Some((0, addr("203.0.113.9"))), "an old router");
    assert_eq!(read(&message(ends, &format!("0301 0000 0000 0578 {quoted}"))), None);
    assert_eq!(read(&message(ends, "0304 0000 0000 0578 45000000 00000000 00000000")), None);
    let ends = ("2001:db8:1::1", "2001:db8::1");
    let quoted =
        "60000000 0100 11 40 20010db8000000000000000000000001 20010db8000900000000000000000009";
    for code in ["00", "07"] {
        let bytes = message(ends, &format!("02{code} 0000 00000578 {quoted}"));
        assert_eq!(read(&bytes), Some((1400, addr("2001:db8:9::9"))), "the code says nothing");
    }
}

/// From the station 1 to the station 2, of 1400 octets behind the header.
fn frame(ether_type: &str, header: &str) -> Vec<u8> {
    let mut bytes = hex(&format!("020000000002 020000000001 {ether_type} {header}"));
    bytes.resize(bytes.len() + 1400, 0x5a);
    bytes
}

const V4: &str = "4500058c 00014000 40060000 0a000001 0a000002";
const V6: &str =
    "60000000 0578 06 40 fd000000000000000000000000000001 fd000000000000000000000000000002";

#[test]
fn rfc_1191_the_sender_of_an_ipv4_packet_with_df_is_told_what_fits() {
    let sent = frame("0800", V4);
    let answer = too_big(&sent, 1300).unwrap();
    // To the sender, from the one it wrote to.
    assert_eq!(answer[..14], hex("020000000001 020000000002 0800"));
    let packet = packet(&answer[14..]);
    assert_eq!((packet.source, packet.destination), (addr("10.0.0.2"), addr("10.0.0.1")));
    assert_eq!((packet.protocol, answer.len()), (PROTOCOL_ICMP, 14 + 576));
    assert_eq!(packet.payload[..2], [3, 4]);
    assert_eq!(packet.payload[4..8], hex("0000 0514"));
    assert_eq!(packet.payload[8..], sent[14..14 + 548]);
    assert_eq!(ones_sum(packet.payload), 0xffff);
    let told = Message::TooBig { mtu: 1300, destination: addr("10.0.0.2") };
    assert_eq!(Message::parse(&packet), Some(told), "as the sender reads it");
}

#[test]
fn rfc_4443_the_sender_of_an_ipv6_packet_is_told_what_fits() {
    let sent = frame("86dd", V6);
    let answer = too_big(&sent, 1300).unwrap();
    assert_eq!(answer[..14], hex("020000000001 020000000002 86dd"));
    let packet = packet(&answer[14..]);
    assert_eq!((packet.source, packet.destination), (addr("fd00::2"), addr("fd00::1")));
    assert_eq!((packet.protocol, answer.len()), (PROTOCOL_ICMPV6, 14 + 1280));
    assert_eq!(packet.payload[..2], [2, 0]);
    assert_eq!(packet.payload[4..8], 1300_u32.to_be_bytes());
    assert_eq!(packet.payload[8..], sent[14..14 + 1232]);
    assert_eq!(upper_sum(packet.source, packet.destination, 58, packet.payload), 0xffff);
    let told = Message::TooBig { mtu: 1300, destination: addr("fd00::2") };
    assert_eq!(Message::parse(&packet), Some(told));
}

#[test]
fn the_answer_has_the_tags_of_the_question() {
    let tagged = frame("88a80064 8100e00a 0800", V4);
    let answer = too_big(&tagged, 1300).unwrap();
    assert_eq!(answer[..22], hex("020000000001 020000000002 88a80064 8100e00a 0800"));
    let header = Header::parse(&answer).unwrap();
    assert_eq!(answer.len() - header.payload_offset(), 576);
}

#[test]
fn rfc_1122_and_rfc_4443_who_may_not_be_told() {
    let with = |at: usize, value: &str| {
        let mut bytes = frame("0800", V4);
        let value = hex(value);
        bytes[at..at + value.len()].copy_from_slice(&value);
        bytes
    };
    let icmp = |kind: u8| {
        let mut bytes = with(14 + 9, "01");
        bytes[34] = kind;
        bytes
    };
    for (bytes, why) in [
        (with(14 + 6, "0000"), "may be fragmented"),
        (with(14 + 6, "4001"), "not the first fragment"),
        (with(0, "01005e000001"), "a group MAC"),
        (with(14 + 16, "e0000001"), "to a group"),
        (with(14 + 16, "ffffffff"), "to all"),
        (with(14 + 12, "00000000"), "from nobody"),
        (with(14 + 12, "e0000001"), "from a group"),
        (with(14 + 12, "7f000001"), "from a loopback address"),
        (with(14 + 12, "f0000001"), "from class E"),
        (with(12, "0806"), "no IP"),
        (with(14, "44"), "a broken header"),
        (icmp(3), "an error"),
        (icmp(11), "an error"),
        (icmp(5), "a redirect"),
        (icmp(77), "who knows what"),
        (frame("0800", V4)[..30].to_vec(), "cut off"),
    ] {
        assert_eq!(too_big(&bytes, 1300), None, "{why}");
    }
    for kind in [0, 8, 13] {
        assert!(too_big(&icmp(kind), 1300).is_some(), "a question or an answer of {kind}");
    }
    assert!(too_big(&with(14 + 6, "6000"), 1300).is_some(), "the first fragment");
    let icmpv6 = |kind: u8| {
        let mut bytes = frame("86dd", V6);
        bytes[20] = 58;
        bytes[54] = kind;
        bytes
    };
    for (kind, told) in
        [(1, false), (2, false), (127, false), (137, false), (128, true), (129, true)]
    {
        assert_eq!(too_big(&icmpv6(kind), 1300).is_some(), told, "ICMPv6 type {kind}");
    }
    let mut to_group = frame("86dd", V6);
    to_group[38] = 0xff;
    assert_eq!(too_big(&to_group, 1300), None);
    let mut from_nobody = frame("86dd", V6);
    from_nobody[22..38].fill(0);
    assert_eq!(too_big(&from_nobody, 1300), None);
}

proptest! {
    #[test]
    fn an_answer_is_never_answered(
        mut bytes in prop::collection::vec(any::<u8>(), 0..1500),
        like in prop::sample::select(vec!["", "0800", "86dd"]),
        mtu in any::<u16>(),
    ) {
        let like = match like {
            "" => Vec::new(),
            "0800" => frame("0800", V4),
            other => frame(other, V6),
        };
        for (octet, like) in bytes.iter_mut().zip(like) {
            if *octet < 250 {
                *octet = like;
            }
        }
        if let Some(answer) = too_big(&bytes, mtu) {
            prop_assert!(answer.len() <= 22 + 1280);
            prop_assert_eq!(too_big(&answer, mtu), None);
            let header = Header::parse(&answer).unwrap();
            let packet = &answer[header.payload_offset()..];
            let packet = Packet::parse(header.type_or_length, packet).unwrap().unwrap();
            let read = Message::parse(&packet);
            prop_assert!(matches!(read, Some(Message::TooBig { .. })), "{:?}", read);
        }
        for ether_type in [ETHER_TYPE_IPV4, ETHER_TYPE_IPV6] {
            if let Some(Ok(packet)) = Packet::parse(ether_type, &bytes) {
                let _ = Message::parse(&packet);
            }
        }
    }
}
