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
use crate::image::{Format, PathImage, PeerImage};

/// Octets at the beginning of a frame that a flow can depend on: addresses, two tags, the longest IPv4
/// header, ports.
const LONGEST_HEADERS: usize = HEADER_LEN + MAX_TAGS * TAG_LEN + 60 + 4;

/// What is copied or hashed from an inner frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flow {
    /// As [`inner::flow_hash`].
    pub(crate) hash: u16,
    /// That of the IP packet, 0 without.
    pub(crate) dscp: u8,
}

impl Flow {
    /// Of a frame of which `pop` octets of tags will be taken off, and that is padded then.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a loop over a burst is around it")]
    pub(crate) fn of(frame: &[u8], pop: usize) -> Self {
        Self::of_plain(frame, pop).unwrap_or_else(|| Self::of_any(frame, pop))
    }

    /// The common cases: IPv4 without options, and IPv6, with both ports; a type without IP.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a loop over a burst is around it")]
    fn of_plain(frame: &[u8], pop: usize) -> Option<Self> {
        let addresses: &[u8; ADDRESSES_LEN] = frame.first_chunk()?;
        let rest = frame.get(pop..)?;
        let mut hash = FlowHash::new();
        hash.word(u64::from_be_bytes(*addresses.first_chunk()?));
        hash.word(upper(*addresses.last_chunk()?));
        // The type and the first two octets of the packet.
        let word = u32::from_be_bytes(*rest.get(ADDRESSES_LEN..)?.first_chunk()?);
        if word >> 8 == 0x08_0045 {
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
        match word >> 16 {
            0x86dd if word >> 12 & 15 == 6 => {
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

/// A kind of tunnel over an IP version, for code that is compiled for each.
trait Wrapping {
    /// Octets from the IP header to the inner frame.
    const OCTETS: usize;
    const IS_V4: bool;
    const IS_VXLAN: bool;
}

macro_rules! wrapping {
    ($($name:ident: $octets:expr, $is_v4:expr, $is_vxlan:expr;)*) => {$(
        struct $name;

        impl Wrapping for $name {
            const OCTETS: usize = $octets;
            const IS_V4: bool = $is_v4;
            const IS_VXLAN: bool = $is_vxlan;
        }
    )*};
}

wrapping! {
    VxlanV4: 20 + 8 + 8, true, true;
    VxlanV6: 40 + 8 + 8, false, true;
    GreV4: 20 + 8, true, false;
    GreV6: 40 + 8, false, false;
}

/// Takes `pop` octets of tags off a frame, which is long enough without, and puts the headers towards `peer` on. With `clamp`, a TCP SYN
/// segment announces at most what fits packets of so many octets. False if there is no headroom.
#[inline(always)]
#[expect(clippy::inline_always, reason = "one caller on the packet path")]
pub(crate) fn encapsulate<F: Frame>(
    frame: &mut F,
    pop: usize,
    peer: (&PeerImage, u32),
    way: &Way<'_>,
    clamp: Option<u16>,
) -> bool {
    match way.path.format {
        Format::VxlanV4 => wrap::<F, VxlanV4, 50>(frame, pop, peer, way, clamp),
        Format::VxlanV4Tagged => wrap::<F, VxlanV4, 54>(frame, pop, peer, way, clamp),
        Format::VxlanV6 => wrap::<F, VxlanV6, 70>(frame, pop, peer, way, clamp),
        Format::VxlanV6Tagged => wrap::<F, VxlanV6, 74>(frame, pop, peer, way, clamp),
        Format::GreV4 => wrap::<F, GreV4, 42>(frame, pop, peer, way, clamp),
        Format::GreV4Tagged => wrap::<F, GreV4, 46>(frame, pop, peer, way, clamp),
        Format::GreV6 => wrap::<F, GreV6, 62>(frame, pop, peer, way, clamp),
        Format::GreV6Tagged => wrap::<F, GreV6, 66>(frame, pop, peer, way, clamp),
    }
}

/// The same for headers of `LEN` octets: all offsets are constants.
#[inline(always)]
#[expect(clippy::inline_always, reason = "one call site for each format")]
fn wrap<F: Frame, W: Wrapping, const LEN: usize>(
    frame: &mut F,
    pop: usize,
    (peer, vni): (&PeerImage, u32),
    way: &Way<'_>,
    clamp: Option<u16>,
) -> bool {
    const { assert!(LEN - W::OCTETS == 14 || LEN - W::OCTETS == 18, "an Ethernet header in front") };
    let addresses: Option<&[u8; ADDRESSES_LEN]> = frame.bytes().first_chunk();
    let (Some(addresses), Some(template)) = (addresses.copied(), way.path.header.first_chunk())
    else {
        return true;
    };
    if !frame.prepend(LEN - pop) {
        return false;
    }
    let Some((header, inner)) = frame.bytes_mut().split_first_chunk_mut::<LEN>() else {
        return true;
    };
    // Over the tags, if there were any; otherwise they are there already.
    if let Some(place) = inner.first_chunk_mut() {
        *place = addresses;
    }
    if let Some(mtu) = clamp {
        clamp_mss(inner, mtu);
    }
    *header = *template;
    let [_, _, next_hop @ ..] = way.next_hop.to_be_bytes();
    put(header, 0, next_hop);
    // No frame is longer than an IP packet can be: the MTU was checked.
    #[expect(clippy::cast_possible_truncation, reason = "below 64 KiB by the MTU of the peer")]
    let octets = (inner.len() + W::OCTETS) as u16;
    let dscp = if peer.copies_dscp { way.flow.dscp } else { 0 };
    if W::IS_V4 {
        ipv4(header, LEN - W::OCTETS, octets, dscp, way.path.ip_sum);
    } else {
        ipv6(header, LEN - W::OCTETS, octets, dscp, way.flow);
    }
    if W::IS_VXLAN {
        put(header, LEN - 16, inner::source_port(way.flow.hash).to_be_bytes());
        let ip_octets = if W::IS_V4 { 20 } else { 40 };
        put(header, LEN - 12, (octets - ip_octets).to_be_bytes());
        put(header, LEN - 4, (vni << 8).to_be_bytes());
        if peer.udp_checksum {
            let checksum = udp_checksum(header.last_chunk(), inner, peer.pseudo_sum);
            put(header, LEN - 10, checksum.to_be_bytes());
        }
    } else {
        put(header, LEN - 4, vni.to_be_bytes());
    }
    true
}

/// Writes at a place that the compiler knows to be within.
#[inline(always)]
#[expect(clippy::inline_always, reason = "one store")]
fn put<const LEN: usize, const N: usize>(header: &mut [u8; LEN], at: usize, octets: [u8; N]) {
    if let Some(place) = header.get_mut(at..at + N) {
        place.copy_from_slice(&octets);
    }
}

/// DSCP, total length and checksum of the IPv4 header at `at`, of whose words `sum` is the sum. A DSCP
/// is 0 in it, or what is given here.
#[inline(always)]
#[expect(clippy::inline_always, reason = "a few instructions")]
fn ipv4<const LEN: usize>(header: &mut [u8; LEN], at: usize, octets: u16, dscp: u8, sum: u32) {
    if dscp != 0 {
        put(header, at + 1, [dscp << 2]);
    }
    let sum = sum + u32::from(octets) + u32::from(dscp << 2);
    put(header, at + 2, octets.to_be_bytes());
    put(header, at + 10, (!fold(sum)).to_be_bytes());
}

/// DSCP, flow label and payload length of the IPv6 header at `at`. `octets` are those of the packet.
#[inline(always)]
#[expect(clippy::inline_always, reason = "a few instructions")]
fn ipv6<const LEN: usize>(header: &mut [u8; LEN], at: usize, octets: u16, dscp: u8, flow: Flow) {
    if dscp != 0 {
        put(header, at, (6 << 12 | u16::from(dscp) << 6).to_be_bytes());
    }
    // The upper 4 bits of the label are 0.
    put(header, at + 2, flow.hash.to_be_bytes());
    put(header, at + 4, (octets - 40).to_be_bytes());
}

/// The checksum of the UDP datagram that the headers of UDP and VXLAN make with the inner frame.
#[inline(never)]
fn udp_checksum(headers: Option<&[u8; 16]>, inner: &[u8], pseudo: u32) -> u16 {
    let headers = headers.copied().unwrap_or_default();
    let octets = u16::from_be_bytes([headers[4], headers[5]]);
    let sum = native_sum(&headers) + native_sum(inner);
    let sum = u32::from(fold(sum).swap_bytes()) + pseudo + u32::from(octets);
    // 0 means none, and 0xffff is the same number.
    match !fold(sum) {
        0 => 0xffff,
        checksum => checksum,
    }
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
