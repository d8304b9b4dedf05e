//! IPv4 (RFC 791) and IPv6 (RFC 8200) as a tunnel endpoint reads and writes them: strictly. Inner
//! packets, which are only payload, are read leniently in [`super::inner`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::bytes::{array, u16_at};
use super::checksum::{self, Sum};

/// The type field of IPv4.
pub const ETHER_TYPE_IPV4: u16 = 0x0800;
/// The type field of IPv6.
pub const ETHER_TYPE_IPV6: u16 = 0x86dd;
/// Octets of an IPv4 header without options.
pub const IPV4_HEADER_LEN: usize = 20;
/// Octets of the IPv6 header.
pub const IPV6_HEADER_LEN: usize = 40;
/// Protocol number of ICMP.
pub const PROTOCOL_ICMP: u8 = 1;
/// Protocol number of UDP.
pub const PROTOCOL_UDP: u8 = 17;
/// Protocol number of GRE.
pub const PROTOCOL_GRE: u8 = 47;
/// Protocol number of ICMPv6.
pub const PROTOCOL_ICMPV6: u8 = 58;
/// The next header of an IPv6 fragment (RFC 8200 section 4.5).
pub const PROTOCOL_IPV6_FRAGMENT: u8 = 44;
/// The ECN field of a packet that met congestion (CE, RFC 3168 section 5).
pub const ECN_CONGESTED: u8 = 3;
/// Hop limit (TTL) of what we send, except where a protocol wants 255.
pub const HOP_LIMIT: u8 = 64;

/// Why an address cannot be that of one machine on a network, as a sentence about it; `None` if it
/// can.
pub fn unfit_for_station(address: IpAddr) -> Option<&'static str> {
    let first = match address {
        IpAddr::V4(v4) => v4.octets()[0],
        IpAddr::V6(_) => 1,
    };
    if address.is_multicast() {
        Some("it is a multicast address")
    } else if address.is_loopback() {
        Some("it is a loopback address, which never leaves a host")
    } else if address.is_unspecified() || first == 0 {
        // RFC 1122 section 3.2.1.3: net 0 is "this network".
        Some("it stands for no host")
    } else if address == IpAddr::V4(Ipv4Addr::BROADCAST) {
        Some("it is the broadcast address")
    } else if first >= 240 {
        // RFC 1112 section 4.
        Some("it is of class E, which is reserved")
    } else {
        None
    }
}

/// Whether an address can be that of one machine on a network.
pub fn is_station(address: IpAddr) -> bool {
    unfit_for_station(address).is_none()
}

/// Why octets are no IP packet that we take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IpError {
    /// Too short, wrong version, or a length that cannot be.
    #[error("the IP header is broken")]
    Header,
    /// The checksum of the IPv4 header is wrong.
    #[error("the checksum of the IPv4 header is wrong")]
    Checksum,
    /// A fragment. (Over IPv6 a fragment header shows as
    /// [`PROTOCOL_IPV6_FRAGMENT`] in [`Packet::protocol`].)
    #[error("the packet is a fragment")]
    Fragment,
}

/// An IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'p> {
    /// From.
    pub source: IpAddr,
    /// To.
    pub destination: IpAddr,
    /// The protocol; over IPv6 the next header, which may be an extension header.
    pub protocol: u8,
    /// TTL or hop limit.
    pub hop_limit: u8,
    /// The DSCP, 0 to 63.
    pub dscp: u8,
    /// The ECN field (RFC 3168 section 5), 0 to 3.
    pub ecn: u8,
    /// What the packet carries; what the frame has behind it is padding and left out.
    pub payload: &'p [u8],
}

impl<'p> Packet<'p> {
    /// Reads what follows an Ethernet header with this type. `None` for another type.
    pub fn parse(ether_type: u16, bytes: &'p [u8]) -> Option<Result<Self, IpError>> {
        match ether_type {
            ETHER_TYPE_IPV4 => Some(Self::v4(bytes)),
            ETHER_TYPE_IPV6 => Some(Self::v6(bytes)),
            _ => None,
        }
    }

    fn v4(bytes: &'p [u8]) -> Result<Self, IpError> {
        let head: [u8; IPV4_HEADER_LEN] = array(bytes, 0).ok_or(IpError::Header)?;
        let header_len = usize::from(head[0] & 15) * 4;
        let total = usize::from(u16::from_be_bytes([head[2], head[3]]));
        if head[0] >> 4 != 4 || header_len < IPV4_HEADER_LEN || total < header_len {
            return Err(IpError::Header);
        }
        let payload = bytes.get(header_len..total).ok_or(IpError::Header)?;
        let header = bytes.get(..header_len).ok_or(IpError::Header)?;
        if !Sum::default().octets(header).is_correct() {
            return Err(IpError::Checksum);
        }
        // More fragments, or an offset.
        if u16::from_be_bytes([head[6], head[7]]) & 0x3fff != 0 {
            return Err(IpError::Fragment);
        }
        let address = |at| array(bytes, at).map_or(Ipv4Addr::UNSPECIFIED, Ipv4Addr::from_octets);
        Ok(Self {
            source: address(12).into(),
            destination: address(16).into(),
            protocol: head[9],
            hop_limit: head[8],
            dscp: head[1] >> 2,
            ecn: head[1] & 3,
            payload,
        })
    }

    fn v6(bytes: &'p [u8]) -> Result<Self, IpError> {
        let head: [u8; IPV6_HEADER_LEN] = array(bytes, 0).ok_or(IpError::Header)?;
        let length = usize::from(u16::from_be_bytes([head[4], head[5]]));
        let payload = bytes
            .get(IPV6_HEADER_LEN..IPV6_HEADER_LEN + length)
            .filter(|_| head[0] >> 4 == 6)
            .ok_or(IpError::Header)?;
        let address = |at| array(bytes, at).map_or(Ipv6Addr::UNSPECIFIED, Ipv6Addr::from_octets);
        Ok(Self {
            source: address(8).into(),
            destination: address(24).into(),
            protocol: head[6],
            hop_limit: head[7],
            dscp: (u16::from_be_bytes([head[0], head[1]]) >> 6 & 0x3f) as u8,
            ecn: head[1] >> 4 & 3,
            payload,
        })
    }
}

/// What an IP header says beside lengths and checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// From.
    pub source: IpAddr,
    /// To, of the same family.
    pub destination: IpAddr,
    /// The protocol.
    pub protocol: u8,
    /// TTL or hop limit.
    pub hop_limit: u8,
    /// The DSCP, 0 to 63.
    pub dscp: u8,
    /// The flow label, of IPv6: 20 bits.
    pub flow_label: u32,
}

impl Header {
    /// A header without DSCP and flow label.
    pub const fn new(source: IpAddr, destination: IpAddr, protocol: u8, hop_limit: u8) -> Self {
        Self { source, destination, protocol, hop_limit, dscp: 0, flow_label: 0 }
    }

    /// The type field of a frame that carries it.
    pub const fn ether_type(&self) -> u16 {
        if self.destination.is_ipv4() { ETHER_TYPE_IPV4 } else { ETHER_TYPE_IPV6 }
    }

    /// The header in front of `octets` of payload. IPv4: no options, identification 0 and DF set (an
    /// atomic datagram, RFC 6864), checksum computed. `None` if the families differ or the length does
    /// not fit its field.
    pub fn build(&self, octets: usize) -> Option<Vec<u8>> {
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let total = u16::try_from(octets + IPV4_HEADER_LEN).ok()?;
                let mut header = vec![0x45, self.dscp << 2];
                header.extend(total.to_be_bytes());
                header.extend([0, 0, 0x40, 0, self.hop_limit, self.protocol, 0, 0]);
                header.extend(source.octets());
                header.extend(destination.octets());
                let checksum = checksum::internet(&header).to_be_bytes();
                header[10..12].copy_from_slice(&checksum);
                Some(header)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let length = u16::try_from(octets).ok()?;
                let first = 6 << 28 | u32::from(self.dscp) << 22 | self.flow_label & 0xf_ffff;
                let mut header = first.to_be_bytes().to_vec();
                header.extend(length.to_be_bytes());
                header.extend([self.protocol, self.hop_limit]);
                header.extend(source.octets());
                header.extend(destination.octets());
                Some(header)
            }
            _ => None,
        }
    }

    /// The packet: header and payload.
    pub fn packet(&self, payload: &[u8]) -> Option<Vec<u8>> {
        let mut packet = self.build(payload.len())?;
        packet.extend(payload);
        Some(packet)
    }
}

/// A UDP datagram (RFC 768).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'p> {
    /// From.
    pub source: u16,
    /// To.
    pub destination: u16,
    /// Its checksum field; 0 is none.
    pub checksum: u16,
    /// What it carries, as its length field says.
    pub payload: &'p [u8],
}

/// Octets of a UDP header.
pub const UDP_HEADER_LEN: usize = 8;

impl<'p> Datagram<'p> {
    /// Reads the payload of an IP packet; `None` if it is too short or its length field cannot be.
    pub fn parse(bytes: &'p [u8]) -> Option<Self> {
        let length = usize::from(u16_at(bytes, 4)?);
        Some(Self {
            source: u16_at(bytes, 0)?,
            destination: u16_at(bytes, 2)?,
            checksum: u16_at(bytes, 6)?,
            payload: bytes.get(UDP_HEADER_LEN..length)?,
        })
    }

    /// Whether its checksum is right; one that is 0 is for the caller to judge.
    pub fn checksum_is_correct(packet: &Packet<'_>) -> bool {
        let length = u16_at(packet.payload, 4).map_or(0, usize::from);
        let Some(datagram) = packet.payload.get(..length) else { return false };
        let Ok(octets) = u32::try_from(datagram.len()) else { return false };
        Sum::default()
            .pseudo(packet.source, packet.destination, PROTOCOL_UDP, octets)
            .octets(datagram)
            .is_correct()
    }

    /// A datagram between two addresses with a computed checksum, or with none.
    pub fn build(
        (source, destination): (IpAddr, IpAddr),
        (from, to): (u16, u16),
        payload: &[u8],
        with_checksum: bool,
    ) -> Option<Vec<u8>> {
        let length = u16::try_from(payload.len() + UDP_HEADER_LEN).ok()?;
        let mut datagram = Vec::with_capacity(usize::from(length));
        for field in [from, to, length, 0] {
            datagram.extend(field.to_be_bytes());
        }
        datagram.extend(payload);
        if with_checksum {
            let sum = Sum::default()
                .pseudo(source, destination, PROTOCOL_UDP, u32::from(length))
                .octets(&datagram)
                .checksum();
            // 0 means none, and 0xffff is the same number.
            let sum = if sum == 0 { 0xffff } else { sum };
            datagram[6..8].copy_from_slice(&sum.to_be_bytes());
        }
        Some(datagram)
    }
}
