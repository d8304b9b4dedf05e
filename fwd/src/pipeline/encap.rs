//! What goes in front of a frame that leaves in a tunnel.
//!
//! The header is a template that the image holds ready for every way to a peer; only what depends on
//! the frame is filled in: the next hop's address, lengths, the flow (UDP source port or flow label,
//! and which of several ways), the VNI, a copied DSCP, and checksums. `bridge_model::wire` defines the
//! octets; tests hold this against it.

use bridge_model::reason::DropReason;
use bridge_model::wire::ethernet::{ADDRESSES_LEN, HEADER_LEN, MAX_TAGS, MIN_FRAME_LEN, TAG_LEN};
use bridge_model::wire::inner::{self, FlowHash, InnerIp, PROTOCOL_TCP};
use bridge_model::wire::ip::PROTOCOL_UDP;

use super::clamp::clamp_mss;
use crate::frame::Frame;
use crate::image::{FAR, Format, NEAR, PathImage, PeerImage};

/// Octets at the beginning of a frame that a flow can depend on: addresses, two tags, the longest IPv4
/// header, ports.
const LONGEST_HEADERS: usize = HEADER_LEN + MAX_TAGS * TAG_LEN + 60 + 4;

/// What is copied or hashed from an inner frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    /// As [`inner::flow_hash`].
    pub(crate) hash: u16,
    /// That of the IP packet, 0 without.
    pub(crate) dscp: u8,
}

impl Flow {
    /// Of a frame of which `pop` octets of tags will be taken off, and that is padded then.
    #[inline]
    pub(crate) fn of(frame: &[u8], pop: usize) -> Self {
        Self::of_plain(frame, pop).unwrap_or_else(|| Self::of_any(frame, pop))
    }

    /// The common cases: IPv4 without options, and IPv6, with both ports; a type without IP.
    #[inline]
    fn of_plain(frame: &[u8], pop: usize) -> Option<Self> {
        let addresses: &[u8; ADDRESSES_LEN] = frame.first_chunk()?;
        let rest = frame.get(pop..)?;
        let mut hash = FlowHash::new();
        hash.word(u64::from_be_bytes(*addresses.first_chunk()?));
        hash.word(upper(*addresses.last_chunk()?));
        if let [0x08, 0x00, 0x45, ..] = rest.get(ADDRESSES_LEN..)? {
            let packet: &[u8; 24] = rest.get(HEADER_LEN..)?.first_chunk()?;
            hash.word(0x0800);
            hash.word(u64::from_be_bytes(*packet[12..].first_chunk()?));
            hash.word(u64::from(packet[9]));
            let is_fragment = u16::from_be_bytes([packet[6], packet[7]]) & 0x3fff != 0;
            if has_ports(packet[9]) && !is_fragment {
                hash.word(upper(*packet[20..].first_chunk()?));
            }
            return Some(Self { hash: hash.finish(), dscp: packet[1] >> 2 });
        }
        let [high, low, first, ..] = *rest.get(ADDRESSES_LEN..)? else { return None };
        match u16::from_be_bytes([high, low]) {
            0x86dd if first >> 4 == 6 => {
                let packet: &[u8; 44] = rest.get(HEADER_LEN..)?.first_chunk()?;
                hash.word(0x86dd);
                for at in [8, 16, 24, 32] {
                    hash.word(u64::from_be_bytes(*packet[at..].first_chunk()?));
                }
                hash.word(u64::from(packet[6]));
                if has_ports(packet[6]) {
                    hash.word(upper(*packet[40..].first_chunk()?));
                }
                let dscp = (packet[0] << 2 | packet[1] >> 6) & 0x3f;
                Some(Self { hash: hash.finish(), dscp })
            }
            0x0800 | 0x86dd | 0x8100 | 0x88a8 => None,
            other => {
                hash.word(u64::from(other));
                Some(Self { hash: hash.finish(), dscp: 0 })
            }
        }
    }

    /// The same by the definition.
    #[inline(never)]
    fn of_any(frame: &[u8], pop: usize) -> Self {
        let mut headers = [0; LONGEST_HEADERS];
        let octets = padded(frame.len(), pop);
        let (addresses, rest) = frame.split_at(frame.len().min(ADDRESSES_LEN));
        let rest = rest.get(pop..).unwrap_or_default();
        for (place, octet) in headers.iter_mut().zip(addresses.iter().chain(rest)) {
            *place = *octet;
        }
        let headers = headers.get(..octets).unwrap_or(&headers);
        let dscp = InnerIp::of(headers).map_or(0, |ip| ip.dscp);
        Self { hash: inner::flow_hash(headers), dscp }
    }
}

#[inline]
const fn has_ports(protocol: u8) -> bool {
    matches!(protocol, PROTOCOL_TCP | PROTOCOL_UDP)
}

/// Four octets as the hash takes them: a word whose rest is zero.
#[inline]
const fn upper(octets: [u8; 4]) -> u64 {
    (u32::from_be_bytes(octets) as u64) << 32
}

/// The length of a frame of `octets` when `pop` octets of tags are off.
#[inline]
pub(super) const fn padded(octets: usize, pop: usize) -> usize {
    let rest = octets.saturating_sub(pop);
    if pop > 0 && rest < MIN_FRAME_LEN { MIN_FRAME_LEN } else { rest }
}

/// The way that a frame takes, found without touching the frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way<'p> {
    pub(crate) path: &'p PathImage,
    /// The next hop's address in the low 48 bits.
    next_hop: u64,
    flow: Flow,
}

impl<'p> Way<'p> {
    /// The way of a frame of `flow` with `octets` after tags were taken off.
    #[inline]
    pub(crate) fn find(peer: &'p PeerImage, flow: Flow, octets: usize) -> Result<Self, DropReason> {
        let paths = &*peer.paths;
        let first = (usize::from(flow.hash) * paths.len()) >> 16;
        let Some(path) = paths.get(first) else { return Err(DropReason::TunnelNoRoute) };
        if octets > usize::from(peer.max_frame) {
            return Err(DropReason::MtuExceeded);
        }
        match path.next_hop.address() {
            Some(next_hop) => Ok(Self { path, next_hop, flow }),
            None => Self::find_other(paths, first, flow),
        }
    }

    /// The first of the following ways whose next hop is known.
    #[cold]
    fn find_other(paths: &'p [PathImage], first: usize, flow: Flow) -> Result<Self, DropReason> {
        let (before, from) = paths.split_at(first.min(paths.len()));
        let mut others = from.iter().chain(before);
        let found = others
            .find_map(|path| path.next_hop.address().map(|next_hop| Self { path, next_hop, flow }));
        found.ok_or(DropReason::NeighborUnresolved)
    }
}

/// Takes `pop` octets of tags off and puts the headers towards `peer` on. With `clamp`, a TCP SYN
/// segment announces at most what fits packets of so many octets. False if there is no headroom.
#[inline(always)]
#[expect(clippy::inline_always, reason = "one call site for each caller's instruction set")]
pub(crate) fn encapsulate<F: Frame>(
    frame: &mut F,
    pop: usize,
    (peer, vni): (&PeerImage, u32),
    way: &Way<'_>,
    clamp: Option<u16>,
) -> bool {
    let path = way.path;
    let header = usize::from(path.octets);
    // Whole templates of constant length are written, what of them is not header is cut off again.
    let template = if header <= NEAR { NEAR } else { NEAR + FAR };
    if pop > 0 && frame.octets() < pop + MIN_FRAME_LEN {
        frame.pad_to(pop + MIN_FRAME_LEN);
    }
    if !frame.prepend(template - pop) {
        return false;
    }
    let bytes = frame.bytes_mut();
    if pop > 0 {
        move_addresses(bytes, template, pop);
    }
    let Some((front, inner)) = bytes.split_at_mut_checked(template) else { return true };
    if let Some(mtu) = clamp {
        clamp_mss(inner, mtu);
    }
    if let Some(far) = front.first_chunk_mut::<FAR>() {
        *far = path.far;
    }
    let Some(near) = front.last_chunk_mut::<NEAR>() else { return true };
    *near = path.near;
    fill(near, inner, (peer, vni), way);
    // A destination address never fails to be in the template.
    let [_, _, address @ ..] = way.next_hop.to_be_bytes();
    if let Some(destination) = front.get_mut(template - header..).and_then(<[u8]>::first_chunk_mut)
    {
        *destination = address;
    }
    if template > header {
        frame.trim_front(template - header);
    }
    true
}

/// Moves both addresses over the tags behind them, to `to`.
#[inline]
fn move_addresses(bytes: &mut [u8], to: usize, pop: usize) {
    let Some(from) = bytes.get(to - pop..).and_then(<[u8]>::first_chunk::<ADDRESSES_LEN>) else {
        return;
    };
    let addresses = *from;
    if let Some(place) = bytes.get_mut(to..).and_then(<[u8]>::first_chunk_mut) {
        *place = addresses;
    }
}

/// Fills in all but the Ethernet header.
#[inline]
fn fill(near: &mut [u8; NEAR], inner: &[u8], (peer, vni): (&PeerImage, u32), way: &Way<'_>) {
    let (flow, format) = (way.flow, peer.format);
    // No frame is longer than an IP packet can be: the MTU was checked.
    #[expect(clippy::cast_possible_truncation, reason = "below 64 KiB by the MTU of the peer")]
    let octets = (inner.len() + format.octets()) as u16;
    let dscp = if peer.copies_dscp { flow.dscp } else { 0 };
    match format {
        Format::VxlanV4 => {
            ipv4::<{ NEAR - 36 }>(near, octets, dscp, way.path.ip_sum);
            vxlan(near, octets - 20, vni, flow);
        }
        Format::VxlanV6 => {
            ipv6::<{ NEAR - 56 }>(near, octets, dscp, flow);
            vxlan(near, octets - 40, vni, flow);
        }
        Format::GreV4 => {
            ipv4::<{ NEAR - 28 }>(near, octets, dscp, way.path.ip_sum);
            put(near, NEAR - 4, vni.to_be_bytes());
        }
        Format::GreV6 => {
            ipv6::<{ NEAR - 48 }>(near, octets, dscp, flow);
            put(near, NEAR - 4, vni.to_be_bytes());
        }
    }
    if peer.udp_checksum {
        udp_checksum(near, inner, peer.pseudo_sum);
    }
}

/// Writes at a place that the compiler knows to be within.
#[inline(always)]
#[expect(clippy::inline_always, reason = "one store")]
fn put<const N: usize>(near: &mut [u8; NEAR], at: usize, octets: [u8; N]) {
    if let Some(place) = near.get_mut(at..at + N) {
        place.copy_from_slice(&octets);
    }
}

/// DSCP, total length and checksum of the IPv4 header at `AT`.
#[inline]
fn ipv4<const AT: usize>(near: &mut [u8; NEAR], octets: u16, dscp: u8, sum: u32) {
    let service = near[AT + 1] | dscp << 2;
    // The template has 0 where it is copied, so nothing is counted twice.
    let sum = sum + u32::from(octets) + u32::from(dscp << 2);
    put(near, AT + 1, [service]);
    put(near, AT + 2, octets.to_be_bytes());
    put(near, AT + 10, (!fold(sum)).to_be_bytes());
}

/// DSCP, flow label and payload length of the IPv6 header at `AT`. `octets` are those of the packet.
#[inline]
fn ipv6<const AT: usize>(near: &mut [u8; NEAR], octets: u16, dscp: u8, flow: Flow) {
    let first = u32::from_be_bytes([near[AT], near[AT + 1], near[AT + 2], near[AT + 3]]);
    let first = first | u32::from(dscp) << 22 | u32::from(flow.hash);
    put(near, AT, first.to_be_bytes());
    put(near, AT + 4, (octets - 40).to_be_bytes());
}

/// Source port and length of UDP, and the VNI.
#[inline]
fn vxlan(near: &mut [u8; NEAR], octets: u16, vni: u32, flow: Flow) {
    put(near, NEAR - 16, inner::source_port(flow.hash).to_be_bytes());
    put(near, NEAR - 12, octets.to_be_bytes());
    put(near, NEAR - 4, (vni << 8).to_be_bytes());
}

/// The checksum of the UDP datagram that the last 16 octets of `near` and the inner frame make.
#[inline(never)]
fn udp_checksum(near: &mut [u8; NEAR], inner: &[u8], pseudo: u32) {
    let headers: [u8; 16] = *near.last_chunk().unwrap_or(&[0; 16]);
    let octets = u16::from_be_bytes([headers[4], headers[5]]);
    let sum = native_sum(&headers) + native_sum(inner);
    let sum = u32::from(fold(sum).swap_bytes()) + pseudo + u32::from(octets);
    // 0 means none, and 0xffff is the same number.
    let checksum = match !fold(sum) {
        0 => 0xffff,
        checksum => checksum,
    };
    put(near, NEAR - 10, checksum.to_be_bytes());
}

/// The sum of 16-bit words in the machine's order: swapped, it is that of the network's (RFC 1071
/// section 2(B)).
#[inline]
fn native_sum(bytes: &[u8]) -> u32 {
    let words = bytes.chunks_exact(4);
    let mut last = [0; 4];
    for (place, octet) in last.iter_mut().zip(words.remainder()) {
        *place = *octet;
    }
    let sum = u64::from(u32::from_ne_bytes(last));
    let sum = words.fold(sum, |sum, word| {
        sum + word.try_into().map_or(0, |word| u64::from(u32::from_ne_bytes(word)))
    });
    // Below 2^16 words of 32 bits: the upper half is small, and 2^16 = 1 in this arithmetic.
    let sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
    u32::try_from(sum).unwrap_or(0)
}

/// A sum of few words as one.
#[inline]
const fn fold(sum: u32) -> u16 {
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    // Below 2^16 after two steps.
    (sum & 0xffff) as u16
}

/// The largest layer 3 packet of a frame to `peer`, in octets, when its sender asks; the tags that
/// the frame keeps take some.
pub(super) fn layer3_mtu(frame: &[u8], pop: usize, max_frame: u16) -> u16 {
    let tags = (ADDRESSES_LEN + pop..)
        .step_by(TAG_LEN)
        .take(MAX_TAGS)
        .take_while(|at| matches!(frame.get(*at..at + 2), Some([0x81, 0x00] | [0x88, 0xa8])))
        .count();
    let headers = HEADER_LEN + tags * TAG_LEN;
    max_frame.saturating_sub(u16::try_from(headers).unwrap_or(0))
}

#[cfg(test)]
mod tests;
