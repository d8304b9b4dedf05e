//! A lenient look into the frames that bridges carry, for what is allowed to depend on it: the flow
//! hash, DSCP, the MTU of packets, TCP's segment size. Whatever cannot be read is payload.

use super::bytes::{array, u16_at};
use super::checksum::Sum;
use super::ethernet::Header;
use super::ip::{
    ECN_CONGESTED, ETHER_TYPE_IPV4, ETHER_TYPE_IPV6, IPV4_HEADER_LEN, IPV6_HEADER_LEN,
};

/// Protocol number of TCP.
pub const PROTOCOL_TCP: u8 = 6;
/// The least source port of a tunnel: the dynamic range (RFC 6335 section 6, RFC 7348 section 5).
pub const FIRST_SOURCE_PORT: u16 = 49_152;

/// The IP packet in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InnerIp {
    /// Where it begins in the frame.
    pub offset: usize,
    /// 4 or 6.
    pub version: u8,
    /// The DSCP.
    pub dscp: u8,
    /// The ECN field; 0 is of a transport that does not know it.
    pub ecn: u8,
    /// The protocol (next header).
    pub protocol: u8,
    /// Octets of the IP header with its options.
    pub header_len: usize,
    /// DF is set, or it is IPv6.
    pub dont_fragment: bool,
    /// It is a fragment, so that only the first part has ports; then ports are not looked at.
    pub is_fragment: bool,
}

impl InnerIp {
    /// The packet in a frame with up to two tags; `None` if it is not IP or its header is cut off.
    pub fn of(frame: &[u8]) -> Option<Self> {
        let header = Header::parse(frame).ok()?;
        let offset = header.payload_offset();
        let bytes = frame.get(offset..)?;
        match header.type_or_length {
            ETHER_TYPE_IPV4 => {
                let head: [u8; IPV4_HEADER_LEN] = array(bytes, 0)?;
                let header_len = usize::from(head[0] & 15) * 4;
                let fragment = u16::from_be_bytes([head[6], head[7]]);
                (head[0] >> 4 == 4 && header_len >= IPV4_HEADER_LEN).then_some(Self {
                    offset,
                    version: 4,
                    dscp: head[1] >> 2,
                    ecn: head[1] & 3,
                    protocol: head[9],
                    header_len,
                    dont_fragment: fragment & 0x4000 != 0,
                    is_fragment: fragment & 0x3fff != 0,
                })
            }
            ETHER_TYPE_IPV6 => {
                let head: [u8; IPV6_HEADER_LEN] = array(bytes, 0)?;
                (head[0] >> 4 == 6).then_some(Self {
                    offset,
                    version: 6,
                    dscp: (u16::from_be_bytes([head[0], head[1]]) >> 6 & 0x3f) as u8,
                    ecn: head[1] >> 4 & 3,
                    protocol: head[6],
                    header_len: IPV6_HEADER_LEN,
                    dont_fragment: true,
                    is_fragment: false,
                })
            }
            _ => None,
        }
    }
}

/// Whether a frame may go on if the packet that it came in met congestion. Not if it is IP of a transport
/// that does not know such marks: RFC 6040 section 4.2 says to drop it. What is not IP has no marks.
pub fn may_be_congested(frame: &[u8]) -> bool {
    InnerIp::of(frame).is_none_or(|ip| ip.ecn != 0)
}

/// Marks the packet in a frame as one that met congestion (RFC 6040 section 4.2), if its transport
/// knows such marks. The checksum of an IPv4 header stays as right as it is (RFC 1624).
pub fn mark_congested(frame: &mut [u8]) {
    let Some(ip) = InnerIp::of(frame).filter(|ip| ip.ecn != 0) else { return };
    let head = frame.get_mut(ip.offset..).and_then(<[u8]>::first_chunk_mut);
    let Some(head): Option<&mut [u8; IPV4_HEADER_LEN]> = head else { return };
    if ip.version == 4 {
        let old = u16::from_be_bytes([head[0], head[1]]);
        head[1] |= ECN_CONGESTED;
        let new = u16::from_be_bytes([head[0], head[1]]);
        let sum = u16::from_be_bytes([head[10], head[11]]);
        let sum = Sum::default().word(!sum).word(!old).word(new).checksum();
        head[10..12].copy_from_slice(&sum.to_be_bytes());
    } else {
        head[1] |= ECN_CONGESTED << 4;
    }
}

/// The flow hash of a frame: the same for every frame of a flow, in both tunnel kinds and on every
/// host. Over both addresses, the type, and, of IP, both IP addresses, the protocol and (TCP and UDP,
/// not fragmented) both ports.
///
/// It picks the source port (`49152 + hash % 16384`), the flow label (the hash's 16 bits) and the next
/// hop (`hash * n >> 16`).
pub fn flow_hash(frame: &[u8]) -> u16 {
    let mut hash = FlowHash::new();
    hash.part(frame, 0, 12);
    let Ok(header) = Header::parse(frame) else { return hash.finish() };
    hash.word(u64::from(header.type_or_length));
    if let Some(ip) = InnerIp::of(frame) {
        let (addresses, octets) = if ip.version == 4 { (12, 8) } else { (8, 32) };
        hash.part(frame, ip.offset + addresses, octets);
        hash.word(u64::from(ip.protocol));
        if matches!(ip.protocol, PROTOCOL_TCP | super::ip::PROTOCOL_UDP) && !ip.is_fragment {
            hash.part(frame, ip.offset + ip.header_len, 4);
        }
    }
    hash.finish()
}

/// The UDP source port of a flow.
pub const fn source_port(hash: u16) -> u16 {
    FIRST_SOURCE_PORT | hash & 0x3fff
}

/// Mixes 64-bit words: multiply and fold, as wyhash does.
#[derive(Clone, Copy, Debug)]
pub struct FlowHash(u64);

impl FlowHash {
    /// Nothing mixed in yet.
    #[expect(clippy::new_without_default, reason = "a start value, no default of anything")]
    pub const fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    /// Mixes in one word.
    #[inline]
    pub const fn word(&mut self, word: u64) {
        let product = (self.0 ^ word) as u128 * 0xd6e8_feb8_6659_fd93_u128;
        #[expect(clippy::cast_possible_truncation, reason = "both halves of the product")]
        {
            self.0 = (product as u64) ^ (product >> 64) as u64;
        }
    }

    /// Mixes in up to `octets` octets from `offset` on, eight at a time, big-endian; missing ones at
    /// the end are left out, and a part of a word is padded with zeros.
    #[inline]
    pub fn part(&mut self, bytes: &[u8], offset: usize, octets: usize) {
        let end = offset.saturating_add(octets).min(bytes.len());
        for chunk in bytes.get(offset..end).unwrap_or_default().chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_be_bytes(word));
        }
    }

    /// 16 bits of it.
    #[inline]
    pub const fn finish(self) -> u16 {
        (self.0 >> 48) as u16
    }
}

/// The offset of the two octets of the MSS option (RFC 9293 section 3.7.1) in a TCP SYN segment of a
/// frame, and what they say.
pub fn mss_option(frame: &[u8], ip: &InnerIp) -> Option<(usize, u16)> {
    const SYN: u8 = 2;
    if ip.protocol != PROTOCOL_TCP || ip.is_fragment {
        return None;
    }
    let tcp = ip.offset + ip.header_len;
    let flags = *frame.get(tcp + 13)?;
    let header_len = usize::from(*frame.get(tcp + 12)? >> 4) * 4;
    if flags & SYN == 0 {
        return None;
    }
    let mut at = tcp + 20;
    let end = (tcp + header_len).min(frame.len());
    while at < end {
        match *frame.get(at)? {
            0 => return None,
            1 => at += 1,
            2 if *frame.get(at + 1)? == 4 && at + 4 <= end => {
                return Some((at + 2, u16_at(frame, at + 2)?));
            }
            _ => at += usize::from(*frame.get(at + 1)?).max(2),
        }
    }
    None
}
