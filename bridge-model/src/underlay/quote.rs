//! The packet that an ICMP error is about, as far as the error quotes it (RFC 792, RFC 4443 section
//! 2.4 c).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::peer::Peer;
use crate::compile::Encapsulation;
use crate::wire::bfd::{PORT_MULTIHOP, PORT_SINGLE_HOP};
use crate::wire::ip::{
    IPV4_HEADER_LEN, IPV6_HEADER_LEN, PROTOCOL_GRE, PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_UDP,
};

/// A packet of ours as an error quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quote<'p> {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// How long the packet says it was, in octets.
    pub(super) octets: usize,
    protocol: u8,
    /// What followed its header: at least 8 octets.
    payload: &'p [u8; 8],
}

/// What a quoted packet was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quoted {
    /// A ping with this identifier.
    Ping(u32),
    /// Something else that we send to that peer.
    Traffic,
}

impl<'p> Quote<'p> {
    /// Reads what an error quotes; `None` if we cannot have sent it.
    pub(super) fn parse(bytes: &'p [u8]) -> Option<Self> {
        let version = bytes.first()? >> 4;
        let header_len = if version == 4 { IPV4_HEADER_LEN } else { IPV6_HEADER_LEN };
        let (header, rest) = bytes.split_at_checked(header_len)?;
        let payload = rest.first_chunk()?;
        match version {
            // No options, and DF: what we send.
            4 if header[0] == 0x45 && header[6] & 0xe0 == 0x40 => Some(Self {
                source: Ipv4Addr::from_octets(*header[12..].first_chunk()?).into(),
                destination: Ipv4Addr::from_octets(*header[16..].first_chunk()?).into(),
                octets: usize::from(u16::from_be_bytes([header[2], header[3]])),
                protocol: header[9],
                payload,
            }),
            6 => Some(Self {
                source: Ipv6Addr::from_octets(*header[8..].first_chunk()?).into(),
                destination: Ipv6Addr::from_octets(*header[24..].first_chunk()?).into(),
                octets: usize::from(u16::from_be_bytes([header[4], header[5]])) + IPV6_HEADER_LEN,
                protocol: header[6],
                payload,
            }),
            _ => None,
        }
    }

    /// What it was, if we send such packets to `peer`.
    pub(super) fn of(&self, peer: &Peer) -> Option<Quoted> {
        if self.source != peer.local || self.destination != peer.remote {
            return None;
        }
        let [kind, code, to @ ..] = *self.payload;
        let [port_high, port_low, ..] = to;
        let port = u16::from_be_bytes([port_high, port_low]);
        let [.., a, b, c, d] = *self.payload;
        match self.protocol {
            PROTOCOL_ICMP if self.source.is_ipv4() && (kind, code) == (8, 0) => {
                Some(Quoted::Ping(u32::from_be_bytes([a, b, c, d])))
            }
            PROTOCOL_ICMPV6 if self.source.is_ipv6() && (kind, code) == (128, 0) => {
                Some(Quoted::Ping(u32::from_be_bytes([a, b, c, d])))
            }
            PROTOCOL_UDP => {
                let is_tunnel = matches!(peer.encapsulation, Encapsulation::Vxlan { port: ours, .. } if ours == port);
                let is_bfd = matches!(port, PORT_SINGLE_HOP | PORT_MULTIHOP);
                (is_tunnel || is_bfd).then_some(Quoted::Traffic)
            }
            PROTOCOL_GRE => (peer.encapsulation == Encapsulation::Gre).then_some(Quoted::Traffic),
            _ => None,
        }
    }
}
