//! ARP (RFC 826, RFC 5227) and IPv6 neighbour discovery (RFC 4861): the messages that tie an IP
//! address to a MAC.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::bytes::{array, u16_at};
use super::checksum::Sum;
use super::ethernet;
use super::ip::{self, PROTOCOL_ICMPV6, Packet};
use crate::types::MacAddr;

/// The type field of ARP.
pub const ETHER_TYPE_ARP: u16 = 0x0806;
/// ICMPv6 type of a neighbour solicitation.
pub const NEIGHBOR_SOLICITATION: u8 = 135;
/// ICMPv6 type of a neighbour advertisement.
pub const NEIGHBOR_ADVERTISEMENT: u8 = 136;

/// An ARP message for Ethernet and IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// 1 is a request, 2 a reply.
    pub operation: u16,
    /// The sender's MAC, as it stands there.
    pub sender_mac: MacAddr,
    /// The sender's address; unspecified in a probe.
    pub sender: Ipv4Addr,
    /// The target's MAC, zero in a request.
    pub target_mac: MacAddr,
    /// The target's address.
    pub target: Ipv4Addr,
}

impl Arp {
    /// [`Self::operation`] of a request.
    pub const REQUEST: u16 = 1;
    /// [`Self::operation`] of a reply.
    pub const REPLY: u16 = 2;

    /// Reads what follows the Ethernet header; `None` if it is not ARP for IPv4 over Ethernet.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let head: [u8; 6] = array(bytes, 0)?;
        if head != [0, 1, 8, 0, 6, 4] {
            return None;
        }
        Some(Self {
            operation: u16_at(bytes, 6)?,
            sender_mac: MacAddr::new(array(bytes, 8)?),
            sender: Ipv4Addr::from_octets(array(bytes, 14)?),
            target_mac: MacAddr::new(array(bytes, 18)?),
            target: Ipv4Addr::from_octets(array(bytes, 24)?),
        })
    }

    /// What follows the Ethernet header: 28 octets.
    pub fn build(&self) -> Vec<u8> {
        let mut bytes = vec![0, 1, 8, 0, 6, 4];
        bytes.extend(self.operation.to_be_bytes());
        bytes.extend(self.sender_mac.octets());
        bytes.extend(self.sender.octets());
        bytes.extend(self.target_mac.octets());
        bytes.extend(self.target.octets());
        bytes
    }

    /// The untagged frame that carries it.
    pub fn frame(&self, destination: MacAddr, source: MacAddr) -> Vec<u8> {
        ethernet::build(destination, source, &[], ETHER_TYPE_ARP, &self.build())
    }
}

/// A neighbour solicitation or advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// It is an advertisement.
    pub is_advertisement: bool,
    /// From; unspecified in duplicate address detection.
    pub source: Ipv6Addr,
    /// To.
    pub destination: Ipv6Addr,
    /// Whom it is about.
    pub target: Ipv6Addr,
    /// Flags R, S and O of an advertisement in the upper three bits.
    pub flags: u8,
    /// The source (solicitation) or target (advertisement) link-layer address option.
    pub link_address: Option<MacAddr>,
}

impl Discovery {
    /// Flag R: from a router.
    pub const ROUTER: u8 = 0x80;
    /// Flag S: an answer.
    pub const SOLICITED: u8 = 0x40;
    /// Flag O: replaces what was known.
    pub const OVERRIDE: u8 = 0x20;

    /// Reads an IPv6 packet; `None` if it is no such message, or one that RFC 4861 sections 7.1.1 and
    /// 7.1.2 tell to discard: hop limit below 255, wrong checksum or code, options of length 0, a group
    /// as target, a question from nobody that is not to a solicited-node group or names a sender, a
    /// solicited advertisement to a group.
    pub fn parse(packet: &Packet<'_>) -> Option<Self> {
        let (IpAddr::V6(source), IpAddr::V6(destination)) = (packet.source, packet.destination)
        else {
            return None;
        };
        let bytes = packet.payload;
        let kind = *bytes.first()?;
        let known = matches!(kind, NEIGHBOR_SOLICITATION | NEIGHBOR_ADVERTISEMENT);
        let valid = packet.protocol == PROTOCOL_ICMPV6
            && packet.hop_limit == 255
            && *bytes.get(1)? == 0
            && known;
        if !valid || !icmpv6_is_correct(packet) {
            return None;
        }
        let is_advertisement = kind == NEIGHBOR_ADVERTISEMENT;
        let target = Ipv6Addr::from_octets(array(bytes, 8)?);
        let wanted = if is_advertisement { 2 } else { 1 };
        let link_address = link_address_option(bytes.get(24..)?, wanted).ok()?;
        let flags = bytes.get(4)? & 0xe0;
        let is_forbidden = if is_advertisement {
            destination.is_multicast() && flags & Self::SOLICITED != 0
        } else {
            // The last three octets tell the groups apart.
            let groups = (destination.octets(), solicited_node(target).octets());
            let to_group = groups.0[..13] == groups.1[..13];
            source.is_unspecified() && (!to_group || link_address.is_some())
        };
        (!target.is_multicast() && !is_forbidden).then_some(Self {
            is_advertisement,
            source,
            destination,
            target,
            flags,
            link_address,
        })
    }

    /// The IPv6 packet.
    pub fn build(&self) -> Vec<u8> {
        let kind =
            if self.is_advertisement { NEIGHBOR_ADVERTISEMENT } else { NEIGHBOR_SOLICITATION };
        let mut message = vec![kind, 0, 0, 0, self.flags, 0, 0, 0];
        message.extend(self.target.octets());
        if let Some(mac) = self.link_address {
            message.extend([if self.is_advertisement { 2 } else { 1 }, 1]);
            message.extend(mac.octets());
        }
        let (source, destination) = (self.source.into(), self.destination.into());
        let sum = icmpv6_checksum(source, destination, &message).to_be_bytes();
        message[2..4].copy_from_slice(&sum);
        // Two IPv6 addresses and a short message: there is always a packet.
        ip::Header::new(source, destination, PROTOCOL_ICMPV6, 255)
            .packet(&message)
            .unwrap_or_default()
    }

    /// The untagged frame that carries it.
    pub fn frame(&self, destination: MacAddr, source: MacAddr) -> Vec<u8> {
        ethernet::build(destination, source, &[], ip::ETHER_TYPE_IPV6, &self.build())
    }
}

/// An option of length 0, or one that is cut off.
struct BadOption;

/// The wanted link-layer address among options, if it is there.
fn link_address_option(mut options: &[u8], wanted: u8) -> Result<Option<MacAddr>, BadOption> {
    let mut found = None;
    while let [kind, length, ..] = *options {
        let octets = usize::from(length) * 8;
        if octets == 0 || octets > options.len() {
            return Err(BadOption);
        }
        if kind == wanted && found.is_none() && length == 1 {
            found = array(options, 2).map(MacAddr::new);
        }
        options = options.get(octets..).ok_or(BadOption)?;
    }
    Ok(found)
}

/// The checksum of an ICMPv6 message in which the field is zero.
pub fn icmpv6_checksum(source: IpAddr, destination: IpAddr, message: &[u8]) -> u16 {
    let octets = u32::try_from(message.len()).unwrap_or(u32::MAX);
    Sum::default().pseudo(source, destination, PROTOCOL_ICMPV6, octets).octets(message).checksum()
}

/// Whether the checksum of an ICMPv6 packet is right.
pub fn icmpv6_is_correct(packet: &Packet<'_>) -> bool {
    let octets = u32::try_from(packet.payload.len()).unwrap_or(u32::MAX);
    Sum::default()
        .pseudo(packet.source, packet.destination, PROTOCOL_ICMPV6, octets)
        .octets(packet.payload)
        .is_correct()
}

/// The solicited-node multicast address of `address` (RFC 4291 section 2.7.1).
pub const fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | a as u16, (b as u16) << 8 | c as u16)
}

/// The group MAC of an IPv6 multicast address (RFC 2464 section 7).
pub const fn multicast_mac(address: Ipv6Addr) -> MacAddr {
    let [.., a, b, c, d] = address.octets();
    MacAddr::new([0x33, 0x33, a, b, c, d])
}
