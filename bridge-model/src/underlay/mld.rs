//! Telling the switches of a link which groups our IPv6 addresses are asked for in: a switch that snoops
//! keeps solicitations from ports where nobody has joined (RFC 4861 section 7.2.1, RFC 4541 section 3).
//!
//! The reports are version 2 of MLD (RFC 3810). They are not sent in answer to queries but on our own
//! account, more often than a membership times out: after 260 s by default (section 9.4).

use std::net::{IpAddr, Ipv6Addr};

use super::net::Link;
use crate::types::MacAddr;
use crate::wire::ethernet;
use crate::wire::ip::{Header, PROTOCOL_ICMPV6};
use crate::wire::neighbor::{icmpv6_checksum, multicast_mac, solicited_node};

/// Where reports go: all routers that speak version 2 (section 5.2.14).
const ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);
/// The type of a report (section 5.2).
const REPORT: u8 = 143;
/// Everybody's packets to a group are wanted from now on (`CHANGE_TO_EXCLUDE_MODE` without sources,
/// section 5.2.12).
const CHANGE_TO_EXCLUDE: u8 = 4;
/// The next header that means options for each hop (RFC 8200 section 4.3).
const HOP_BY_HOP: u8 = 0;
/// Those options: a router alert for MLD (RFC 2711 section 2.1), and padding.
const OPTIONS: [u8; 8] = [PROTOCOL_ICMPV6, 0, 5, 2, 0, 0, 1, 0];

/// The frame that joins the group in which an IPv6 address is asked for.
pub(super) fn report(link: &Link, ip: IpAddr) -> Option<Vec<u8>> {
    let IpAddr::V6(ip) = ip else { return None };
    let (source, to) = (IpAddr::V6(link_local(link.mac)), IpAddr::V6(ROUTERS));
    // One record, without sources or data of its own.
    let mut message = vec![REPORT, 0, 0, 0, 0, 0, 0, 1, CHANGE_TO_EXCLUDE, 0, 0, 0];
    message.extend(solicited_node(ip).octets());
    let sum = icmpv6_checksum(source, to, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let header = Header::new(source, to, HOP_BY_HOP, 1);
    let packet = header.packet(&[&OPTIONS[..], &message].concat())?;
    Some(ethernet::build(multicast_mac(ROUTERS), link.mac, &[], header.ether_type(), &packet))
}

/// The link-local address that a MAC makes (RFC 4291 appendix A). Reports have to come from one, or
/// routers discard them (section 5.2.13); nobody ever answers them.
const fn link_local(mac: MacAddr) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac.octets();
    let word = u16::from_be_bytes;
    Ipv6Addr::new(0xfe80, 0, 0, 0, word([a ^ 2, b]), word([c, 0xff]), word([0xfe, d]), word([e, f]))
}
