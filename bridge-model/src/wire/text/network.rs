//! What an Ethernet frame carries: the name of its protocol and a hint at the conversation.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Octets;
use crate::types::MacAddr;

/// Describes the payload of `ethertype`.
pub(super) fn describe(ethertype: u16, octets: Octets<'_>) -> String {
    let name = match ethertype {
        0x0800 => return ipv4(octets).unwrap_or_else(|| "IPv4 (cut off)".to_owned()),
        0x86dd => return ipv6(octets).unwrap_or_else(|| "IPv6 (cut off)".to_owned()),
        0x0806 => return arp(octets).unwrap_or_else(|| "ARP (cut off)".to_owned()),
        0x8809 => return slow(octets).to_owned(),
        0x8808 => return control(octets).to_owned(),
        0x0842 => "Wake-on-LAN",
        0x8035 => "RARP",
        0x8847 => "MPLS",
        0x8848 => "MPLS multicast",
        0x8863 => "PPPoE discovery",
        0x8864 => "PPPoE session",
        0x888e => "EAPOL",
        0x88cc => "LLDP",
        0x88e5 => "MACsec",
        0x88e7 => "I-tag (PBB)",
        0x88f5 => "MVRP",
        0x88f6 => "MMRP",
        0x88f7 => "PTP",
        0x8902 => "CFM",
        0x9000 => "loopback test",
        _ => return format!("ethertype 0x{ethertype:04x}"),
    };
    name.to_owned()
}

fn slow(octets: Octets<'_>) -> &'static str {
    match octets.at(0) {
        Some(1) => "LACP",
        Some(2) => "LACP marker",
        Some(3) => "Ethernet OAM",
        _ => "slow protocol",
    }
}

fn control(mut octets: Octets<'_>) -> &'static str {
    match octets.u16() {
        Some(1) => "PAUSE",
        Some(0x0101) => "priority PAUSE",
        _ => "MAC control",
    }
}

fn arp(mut octets: Octets<'_>) -> Option<String> {
    let [_, _, protocol_0, protocol_1, hardware_len, protocol_len] = octets.take::<6>()?;
    let operation = octets.u16()?;
    if ([protocol_0, protocol_1], hardware_len, protocol_len) != ([8, 0], 6, 4) {
        return Some(format!("ARP operation {operation}, not for IPv4 on Ethernet"));
    }
    let sender_mac = octets.take::<6>()?;
    let sender = Ipv4Addr::from(octets.take::<4>()?);
    octets.skip(6)?;
    let target = Ipv4Addr::from(octets.take::<4>()?);
    Some(match operation {
        1 if sender == target => format!("ARP announcement of {sender}"),
        1 if sender.is_unspecified() => format!("ARP probe for {target}"),
        1 => format!("ARP request for {target} by {sender}"),
        2 => format!("ARP reply: {sender} is at {}", MacAddr::new(sender_mac)),
        _ => format!("ARP operation {operation} {sender} > {target}"),
    })
}

fn ipv4(mut octets: Octets<'_>) -> Option<String> {
    let whole = octets;
    let first = octets.u8()?;
    octets.skip(5)?;
    let fragment = octets.u16()?;
    octets.skip(1)?;
    let protocol = octets.u8()?;
    octets.skip(2)?;
    let source = Ipv4Addr::from(octets.take::<4>()?);
    let destination = Ipv4Addr::from(octets.take::<4>()?);
    let mut line = format!("IPv4 {source} > {destination}");
    if first >> 4 != 4 || first & 0x0f < 5 {
        line.push_str(" (bad header)");
        return Some(line);
    }
    line.push(' ');
    if fragment & 0x1fff != 0 {
        line.push_str("fragment");
        return Some(line);
    }
    let mut payload = whole;
    let readable = payload.skip(usize::from(first & 0x0f) * 4).is_some();
    line.push_str(&transport(protocol, if readable { payload } else { Octets(&[]) }));
    Some(line)
}

fn ipv6(mut octets: Octets<'_>) -> Option<String> {
    octets.skip(6)?;
    let next = octets.u8()?;
    octets.skip(1)?;
    let source = Ipv6Addr::from(octets.take::<16>()?);
    let destination = Ipv6Addr::from(octets.take::<16>()?);
    let (next, payload) = match next {
        // Hop-by-hop options, which MLD always carries, are a multiple of eight octets long.
        0 => after_hop_by_hop(octets).unwrap_or((59, Octets(&[]))),
        other => (other, octets),
    };
    Some(format!("IPv6 {source} > {destination} {}", transport(next, payload)))
}

fn after_hop_by_hop(mut octets: Octets<'_>) -> Option<(u8, Octets<'_>)> {
    let next = octets.at(0)?;
    let length = usize::from(octets.at(1)?) * 8 + 8;
    octets.skip(length)?;
    Some((next, octets))
}

fn transport(protocol: u8, mut octets: Octets<'_>) -> String {
    match protocol {
        1 => with_type("ICMP", octets.u8().map(icmp)),
        58 => with_type("ICMPv6", octets.u8().map(icmpv6)),
        6 => with_ports("TCP", octets),
        17 => with_ports("UDP", octets),
        132 => with_ports("SCTP", octets),
        2 => "IGMP".to_owned(),
        4 => "IPv4 in IP".to_owned(),
        41 => "IPv6 in IP".to_owned(),
        47 => "GRE".to_owned(),
        50 => "ESP".to_owned(),
        59 => "without payload".to_owned(),
        89 => "OSPF".to_owned(),
        112 => "VRRP".to_owned(),
        other => format!("protocol {other}"),
    }
}

fn with_type(name: &str, kind: Option<String>) -> String {
    kind.map_or_else(|| name.to_owned(), |kind| format!("{name} {kind}"))
}

fn with_ports(name: &str, mut octets: Octets<'_>) -> String {
    let (Some(source), Some(destination)) = (octets.u16(), octets.u16()) else {
        return name.to_owned();
    };
    let hint = match (name, source.min(destination), source.max(destination)) {
        ("UDP", 67, 68) => " (DHCP)",
        ("UDP", 546, 547) => " (DHCPv6)",
        ("UDP", _, 4789) => " (VXLAN)",
        ("UDP" | "TCP", 53, _) => " (DNS)",
        ("UDP", 5353, 5353) => " (mDNS)",
        ("UDP", 1900, _) | ("UDP", _, 1900) => " (SSDP)",
        _ => "",
    };
    format!("{name} {source} > {destination}{hint}")
}

fn icmp(kind: u8) -> String {
    match kind {
        0 => "echo reply".to_owned(),
        3 => "destination unreachable".to_owned(),
        5 => "redirect".to_owned(),
        8 => "echo request".to_owned(),
        11 => "time exceeded".to_owned(),
        other => format!("type {other}"),
    }
}

fn icmpv6(kind: u8) -> String {
    match kind {
        1 => "destination unreachable".to_owned(),
        2 => "packet too big".to_owned(),
        3 => "time exceeded".to_owned(),
        128 => "echo request".to_owned(),
        129 => "echo reply".to_owned(),
        130..=132 | 143 => "multicast listener".to_owned(),
        133 => "router solicitation".to_owned(),
        134 => "router advertisement".to_owned(),
        135 => "neighbour solicitation".to_owned(),
        136 => "neighbour advertisement".to_owned(),
        other => format!("type {other}"),
    }
}
