//! ICMP (RFC 792, RFC 1191) and ICMPv6 (RFC 4443): echo, and telling a sender that its packet was too
//! big.

use std::net::IpAddr;

use super::bytes::{array, u16_at, u32_at};
use super::checksum::{self, Sum};
use super::ethernet::{self, Header};
use super::inner::InnerIp;
use super::ip::{self, HOP_LIMIT, PROTOCOL_ICMP, PROTOCOL_ICMPV6, Packet, is_station};
use super::neighbor::{icmpv6_checksum, icmpv6_is_correct};
use crate::types::MacAddr;

/// The least MTU of IPv6: an ICMPv6 error is never longer.
const IPV6_MIN_MTU: usize = 1280;
/// Octets of the offending packet behind its header in an ICMPv4 error: RFC 1812 section 4.3.2.3 wants
/// as much as fits 576 octets in all.
const ICMPV4_ERROR_MAX: usize = 576;

/// ICMPv6 type of a redirect: like an error, it is never answered by one.
const ICMPV6_REDIRECT: u8 = 137;

/// What an ICMP message is to a tunnel endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'p> {
    /// Somebody pings us.
    EchoRequest {
        /// Identifier and sequence number.
        id: u32,
        /// The data.
        data: &'p [u8],
    },
    /// An answer to a ping of ours.
    EchoReply {
        /// Identifier and sequence number.
        id: u32,
        /// The data.
        data: &'p [u8],
    },
    /// A router could not pass on a packet of ours.
    TooBig {
        /// The MTU that would have fit; 0 if the router does not say (RFC 1191 section 5).
        mtu: u32,
        /// The destination of that packet.
        destination: IpAddr,
    },
}

impl<'p> Message<'p> {
    /// Reads an IP packet; `None` if its checksum is wrong or it is anything else.
    pub fn parse(packet: &Packet<'p>) -> Option<Self> {
        let bytes = packet.payload;
        let (kind, code) = (*bytes.first()?, *bytes.get(1)?);
        let (id, data) = (u32_at(bytes, 4)?, bytes.get(8..)?);
        if packet.destination.is_ipv4() {
            if packet.protocol != PROTOCOL_ICMP || !Sum::default().octets(bytes).is_correct() {
                return None;
            }
            match (kind, code) {
                (8, 0) => Some(Self::EchoRequest { id, data }),
                (0, 0) => Some(Self::EchoReply { id, data }),
                (3, 4) => Some(Self::TooBig {
                    mtu: u32::from(u16_at(bytes, 6)?),
                    destination: IpAddr::V4(array::<4>(data, 16)?.into()),
                }),
                _ => None,
            }
        } else {
            if packet.protocol != PROTOCOL_ICMPV6 || !icmpv6_is_correct(packet) {
                return None;
            }
            match (kind, code) {
                (128, 0) => Some(Self::EchoRequest { id, data }),
                (129, 0) => Some(Self::EchoReply { id, data }),
                (2, _) => {
                    let destination = IpAddr::V6(array::<16>(data, 24)?.into());
                    Some(Self::TooBig { mtu: id, destination })
                }
                _ => None,
            }
        }
    }
}

/// An echo request or reply as an IP packet; `None` if the families differ or it is too long.
pub fn echo(
    (source, destination): (IpAddr, IpAddr),
    is_reply: bool,
    id: u32,
    data: &[u8],
) -> Option<Vec<u8>> {
    let v4 = destination.is_ipv4();
    let kind = match (v4, is_reply) {
        (true, false) => 8,
        (true, true) => 0,
        (false, false) => 128,
        (false, true) => 129,
    };
    let mut message = vec![kind, 0, 0, 0];
    message.extend(id.to_be_bytes());
    message.extend(data);
    finish(source, destination, message)
}

/// Fills in the checksum and puts the IP header in front.
fn finish(source: IpAddr, destination: IpAddr, mut message: Vec<u8>) -> Option<Vec<u8>> {
    let (sum, protocol) = if destination.is_ipv4() {
        (checksum::internet(&message), PROTOCOL_ICMP)
    } else {
        (icmpv6_checksum(source, destination, &message), PROTOCOL_ICMPV6)
    };
    message.get_mut(2..4)?.copy_from_slice(&sum.to_be_bytes());
    ip::Header::new(source, destination, protocol, HOP_LIMIT).packet(&message)
}

/// The frame that tells the sender of `frame` that only packets of `mtu` octets pass: fragmentation
/// needed (RFC 1191) for IPv4 with DF, packet too big (RFC 4443 section 3.2) for IPv6. It comes from
/// the packet's destination, as a gateway in a layer 2 network has no address of its own. The frame
/// has no tags but those that `frame` has.
///
/// `None` if nobody may be told: no IP, IPv4 without DF, a fragment that is not the first, an address
/// that does not name one host, or itself an ICMP error or redirect (RFC 1122 section 3.2.2, RFC 4443
/// section 2.4).
pub fn too_big(frame: &[u8], mtu: u16) -> Option<Vec<u8>> {
    let header = Header::parse(frame).ok()?;
    let inner = InnerIp::of(frame)?;
    let packet = frame.get(inner.offset..)?;
    if header.destination.is_group() || !inner.dont_fragment {
        return None;
    }
    let (source, destination) = addresses(packet, inner.version)?;
    // The offset is the low 13 bits.
    let is_first = inner.version == 6 || u16_at(packet, 6)?.trailing_zeros() >= 13;
    if !is_station(source) || !is_station(destination) || !is_first || is_icmp_error(packet, &inner)
    {
        return None;
    }
    let (mut message, room) = if inner.version == 4 {
        let [high, low] = mtu.to_be_bytes();
        (vec![3, 4, 0, 0, 0, 0, high, low], ICMPV4_ERROR_MAX - 28)
    } else {
        let mut message = vec![2, 0, 0, 0];
        message.extend(u32::from(mtu).to_be_bytes());
        (message, IPV6_MIN_MTU - 48)
    };
    message.extend(packet.iter().take(room));
    let answer = finish(destination, source, message)?;
    let tags: Vec<_> = header.outer.into_iter().chain(header.inner).collect();
    let (to, from): (MacAddr, MacAddr) = (header.source, header.destination);
    Some(ethernet::build(to, from, &tags, header.type_or_length, &answer))
}

fn addresses(packet: &[u8], version: u8) -> Option<(IpAddr, IpAddr)> {
    if version == 4 {
        Some((array::<4>(packet, 12)?.into(), array::<4>(packet, 16)?.into()))
    } else {
        Some((array::<16>(packet, 8)?.into(), array::<16>(packet, 24)?.into()))
    }
}

fn is_icmp_error(packet: &[u8], inner: &InnerIp) -> bool {
    let kind = packet.get(inner.header_len).copied();
    match inner.protocol {
        // Everything but queries and their answers.
        PROTOCOL_ICMP => !matches!(kind, Some(0 | 8..=10 | 13..=18)),
        PROTOCOL_ICMPV6 => kind.is_none_or(|kind| kind < 128 || kind == ICMPV6_REDIRECT),
        _ => false,
    }
}
