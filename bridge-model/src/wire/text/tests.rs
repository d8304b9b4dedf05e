use proptest::prelude::*;

use super::*;

/// Octets from hexadecimal text; blanks are for the reader.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let octet = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(octet).collect()
}

#[track_caller]
fn check(octets: &str, expected: &str) {
    assert_eq!(describe(&hex(octets)), expected);
}

const ALL: &str = "ffffffffffff 525400000001";

#[test]
fn arp_says_who_asks_for_whom() {
    let arp = |operation: &str, sender: &str, target: &str| {
        format!(
            "{ALL} 0806 0001 0800 06 04 {operation} 525400000001 {sender} 000000000000 {target}"
        )
    };
    let line = "52:54:00:00:00:01 > ff:ff:ff:ff:ff:ff ";
    check(
        &arp("0001", "0a000001", "0a000002"),
        &format!("{line}ARP request for 10.0.0.2 by 10.0.0.1"),
    );
    check(
        &arp("0002", "0a000001", "0a000002"),
        &format!("{line}ARP reply: 10.0.0.1 is at 52:54:00:00:00:01"),
    );
    check(&arp("0001", "00000000", "0a000002"), &format!("{line}ARP probe for 10.0.0.2"));
    check(&arp("0001", "0a000002", "0a000002"), &format!("{line}ARP announcement of 10.0.0.2"));
    check(&format!("{ALL} 0806 0001 0800"), &format!("{line}ARP (cut off)"));
}

#[test]
fn tags_are_read_in_order_with_priority() {
    check(
        &format!("{ALL} 8100 a00a 9999"),
        "52:54:00:00:00:01 > ff:ff:ff:ff:ff:ff vlan 10 pcp 5 ethertype 0x9999",
    );
    check(
        &format!("{ALL} 88a8 0064 8100 100a 0806"),
        "52:54:00:00:00:01 > ff:ff:ff:ff:ff:ff s-vlan 100 vlan 10 dei ARP (cut off)",
    );
    check(
        &format!("{ALL} 8100 00"),
        "52:54:00:00:00:01 > ff:ff:ff:ff:ff:ff vlan ? (tag stack cut off)",
    );
}

#[test]
fn a_frame_without_a_header_is_shown_as_octets() {
    check("", "0 octets, no Ethernet header");
    check("ffff01", "3 octets, no Ethernet header: ff ff 01");
    check(&ALL[..25], "12 octets, no Ethernet header: ff ff ff ff ff ff 52 54 00 00 00 01");
}

#[test]
fn spanning_tree_is_told_apart() {
    let line = "52:54:00:00:00:01 > 01:80:c2:00:00:00 ";
    let bpdu = |rest: &str| format!("0180c2000000 525400000001 0026 424203 {rest}");
    check(&bpdu("0000 00 00 01"), &format!("{line}BPDU STP topology change"));
    check(&bpdu("0000 02 02 3c"), &format!("{line}BPDU RSTP"));
    check(&bpdu("0000 00 80"), &format!("{line}BPDU TCN"));
    check(&bpdu("00"), &format!("{line}BPDU (cut off)"));
    check(
        "01000ccccccd 525400000001 8100 000a 0032 aaaa03 00000c 010b 0000 02 02 01",
        "52:54:00:00:00:01 > 01:00:0c:cc:cc:cd vlan 10 PVST+ BPDU RSTP topology change",
    );
    check(
        "01000ccccccc 525400000001 0032 aaaa03 00000c 2000",
        "52:54:00:00:00:01 > 01:00:0c:cc:cc:cc CDP",
    );
}

#[test]
fn ip_names_its_conversation() {
    let ip = |header: &str, payload: &str| {
        format!("525400000002 525400000001 0800 {header} 0a000001 0a000002 {payload}")
    };
    let line = "52:54:00:00:00:01 > 52:54:00:00:00:02 IPv4 10.0.0.1 > 10.0.0.2 ";
    check(&ip("45000054 00000000 40010000", "08"), &format!("{line}ICMP echo request"));
    check(&ip("45000054 00000000 40110000", "0044 0043"), &format!("{line}UDP 68 > 67 (DHCP)"));
    check(&ip("45000054 00000000 40060000", ""), &format!("{line}TCP"));
    check(&ip("45000054 000000ff 40060000", "0044"), &format!("{line}fragment"));
    check(&ip("41000054 00000000 40060000", ""), &format!("{line}(bad header)"));
    check(
        &format!(
            "3333ff000002 525400000001 86dd 60000000 0020 3a ff {} {} 87",
            "fe800000000000000000000000000001", "ff0200000000000000000001ff000002"
        ),
        "52:54:00:00:00:01 > 33:33:ff:00:00:02 IPv6 fe80::1 > ff02::1:ff00:2 \
         ICMPv6 neighbour solicitation",
    );
}

#[test]
fn link_local_protocols_are_named() {
    check("0180c2000002 525400000001 8809 01", "52:54:00:00:00:01 > 01:80:c2:00:00:02 LACP");
    check("0180c2000001 525400000001 8808 0001", "52:54:00:00:00:01 > 01:80:c2:00:00:01 PAUSE");
    check("0180c200000e 525400000001 88cc", "52:54:00:00:00:01 > 01:80:c2:00:00:0e LLDP");
}

/// Octets that look like a frame often enough to reach the decoders.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let ethertype = prop_oneof![
        Just(vec![0x08, 0x00]),
        Just(vec![0x08, 0x06]),
        Just(vec![0x86, 0xdd]),
        Just(vec![0x88, 0x09]),
        Just(vec![0x00, 0x26, 0x42, 0x42, 0x03]),
        Just(vec![0x00, 0x26, 0xaa, 0xaa, 0x03, 0x00, 0x00, 0x0c, 0x01, 0x0b]),
        proptest::collection::vec(any::<u8>(), 2),
    ];
    let tags = proptest::collection::vec(
        (prop_oneof![Just([0x81, 0x00]), Just([0x88, 0xa8])], any::<[u8; 2]>()),
        0..7,
    );
    (
        any::<[u8; 12]>(),
        tags,
        ethertype,
        proptest::collection::vec(any::<u8>(), 0..80),
        0..140_usize,
    )
        .prop_map(|(addresses, tags, ethertype, payload, cut)| {
            let mut frame = addresses.to_vec();
            for (tpid, tci) in tags {
                frame.extend(tpid);
                frame.extend(tci);
            }
            frame.extend(ethertype);
            frame.extend(payload);
            frame.truncate(cut);
            frame
        })
}

proptest! {
    #[test]
    fn any_octets_become_one_printable_line(
        octets in prop_oneof![proptest::collection::vec(any::<u8>(), 0..300), frames()]
    ) {
        let line = describe(&octets);
        prop_assert!(!line.is_empty());
        prop_assert!(line.chars().all(|letter| letter.is_ascii() && !letter.is_ascii_control()));
    }
}
