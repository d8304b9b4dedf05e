//! The short cuts for the common frame in a tunnel: IP without options, whole and exactly as long as
//! its frame, VXLAN or GRE with nothing but a key, and in it an untagged frame.
//!
//! [`vxlan_v4`] is the one that counts: the outer headers of VXLAN over IPv4 without a checksum, in
//! about as many instructions as they have fields. [`quick`] takes the other combinations. Octets are
//! compared eight at a time, as little-endian words, which is how they lie in memory where it matters.

use bridge_model::wire::checksum::Sum;
use bridge_model::wire::ip::{
    ECN_CONGESTED, IPV4_HEADER_LEN, IPV6_HEADER_LEN, PROTOCOL_GRE, PROTOCOL_UDP,
};

use super::admit::Shape;
use super::parse::{Common, is_reserved};
use crate::counters::PortSlot;
use crate::image::{ClassEntry, LinkImage, SourceImage, UnderlayImage};

/// Octets of the inner Ethernet header with two tags: a frame this long has no truncated tag stack.
const INNER: usize = 22;
const ETHERNET: usize = 14;
/// Octets of UDP and VXLAN.
const VXLAN: usize = 16;
const GRE: usize = 8;
/// Octets of IPv4, UDP and VXLAN.
pub(super) const VXLAN_V4: usize = IPV4_HEADER_LEN + VXLAN;

/// From whom a frame came, for which bridge, and where in the outer one it begins, in one word that is
/// written and read whole: `peer:16 | port slot:16 | start:8 | VNI:24`.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(super) struct Found(u64);

impl Found {
    /// Nothing: there is no VNI 0.
    pub(super) const NONE: Self = Self(0);

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a few instructions")]
    const fn new((peer, source): (u16, &SourceImage), vni: u32, start: usize) -> Self {
        // It starts at 18 + 40 + 16 at most.
        let (peer, slot) = ((peer as u64) << 48, (source.slot.0 as u64) << 32);
        Self(peer | slot | (start as u64 & 0xff) << 24 | vni as u64 & 0xff_ffff)
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "one instruction")]
    const fn peer(self) -> u16 {
        (self.0 >> 48) as u16
    }

    /// What its frames count for.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "one instruction")]
    const fn slot(self) -> PortSlot {
        PortSlot((self.0 >> 32 & 0xffff) as u16)
    }

    /// Where the inner frame begins.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "one instruction")]
    pub(super) const fn start(self) -> usize {
        (self.0 >> 24 & 0xff) as usize
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "one instruction")]
    const fn vni(self) -> u32 {
        (self.0 & 0xff_ffff) as u32
    }
}

/// A little-endian word of `head`.
#[inline(always)]
#[expect(clippy::inline_always, reason = "one load")]
fn word<const AT: usize, const N: usize>(head: &[u8; N]) -> u64 {
    const { assert!(AT + 8 <= N, "within the header") }
    // Always there: see the assertion.
    head.get(AT..).and_then(<[u8]>::first_chunk).map_or(0, |octets| u64::from_le_bytes(*octets))
}

const fn mask(octets: [u8; 8]) -> u64 {
    u64::from_le_bytes(octets)
}

/// Version, length and fragment of an IPv4 header.
const PLAIN: u64 = mask([0xff, 0, 0xff, 0xff, 0, 0, 0x3f, 0xff]);

/// Whether an IPv4 header that begins so has a mark of congestion, to be handed on.
#[inline(always)]
#[expect(clippy::inline_always, reason = "two instructions")]
const fn is_congested(first: u64) -> bool {
    first >> 8 & 3 == ECN_CONGESTED as u64
}

/// Length and checksum of UDP, flag I of VXLAN.
const UDP: u64 = mask([0xff, 0xff, 0xff, 0xff, 0x08, 0, 0, 0]);
/// Destination address and destination port.
const TO: u64 = mask([0xff, 0xff, 0xff, 0xff, 0, 0, 0xff, 0xff]);

/// The outer headers of VXLAN over IPv4 behind an Ethernet header of `START` octets, 14 or 18. `None`
/// if somebody else has to look at it.
#[inline(always)]
#[expect(clippy::inline_always, reason = "the body of a loop")]
pub(super) fn vxlan_v4<const START: usize>(
    underlay: &UnderlayImage,
    link: &LinkImage,
    frame: &[u8],
) -> Option<Found> {
    let ethernet: &[u8; START] = frame.first_chunk()?;
    let head: &[u8; VXLAN_V4 + INNER] = frame.get(START..)?.first_chunk()?;
    let (to, from) = (word::<0, START>(ethernet), word::<6, START>(ethernet));
    // Both addresses; the type; with a tag, that of the link, of any priority.
    if to << 16 != link.raw_mac || !is_raw_station(from) {
        return None;
    }
    let end = ethernet.last_chunk().map_or(0, |octets| u64::from_le_bytes(*octets));
    if end >> 48 != 0x0008 || START > ETHERNET && !has_tag(frame, link) {
        return None;
    }
    // No options; all of the packet is there and nothing else; no fragment.
    let octets = frame.len() - START;
    let a = word::<0, 58>(head);
    if octets > 0xffff || a & PLAIN != 0x45 | be16(octets) << 16 || is_congested(a) {
        return None;
    }
    // UDP, of the same length, without checksum; flag I.
    let (b, c, d) = (word::<8, 58>(head), word::<16, 58>(head), word::<24, 58>(head));
    let is_udp = b >> 8 & 0xff == u64::from(PROTOCOL_UDP);
    if !is_udp || d & UDP != 0x08 << 32 | be16(octets - IPV4_HEADER_LEN) {
        return None;
    }
    if !ipv4_sum_is_correct(a, b, c & 0xffff_ffff) {
        return None;
    }
    let (peer, source) = underlay.peer_v4((b >> 32) as u32)?;
    // Our address and the port.
    if c & TO != source.local[0] || !source.cell.is_up() {
        return None;
    }
    let vni = ((word::<32, 58>(head) & 0xffff_ffff) as u32).swap_bytes() >> 8;
    Some(Found::new((peer, source), vni, START + VXLAN_V4))
}

/// Whether the outer tag is that of the link, of any priority.
#[inline(always)]
#[expect(clippy::inline_always, reason = "a few instructions")]
fn has_tag(frame: &[u8], link: &LinkImage) -> bool {
    let tag = frame.get(12..).and_then(<[u8]>::first_chunk);
    let tag = tag.map_or(0, |octets| u32::from_be_bytes(*octets));
    tag & 0xffff_0fff == 0x8100 << 16 | u32::from(link.vlan)
}

/// A frame that may be forwarded as one of its bridge.
pub(super) struct Entered {
    dst: u64,
    src: u64,
    class: ClassEntry,
    shape: Shape,
    pub(super) clamp_mtu: u16,
}

impl Entered {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "four moves")]
    pub(super) const fn common(&self) -> Common<'_> {
        Common { dst: self.dst, src: self.src, class: &self.class, shape: self.shape }
    }
}

/// What becomes of an untagged frame in a tunnel of which nothing is special; `inner` is its
/// beginning, `octets` the length of the frame that it came in. `None` if somebody else has to look
/// at it.
#[inline(always)]
#[expect(clippy::inline_always, reason = "the body of a loop")]
pub(super) fn enter(
    underlay: &UnderlayImage,
    found: Found,
    inner: &[u8; INNER],
    octets: usize,
) -> Option<Entered> {
    let vni = underlay.vni(found.vni())?;
    let member = underlay.member(vni, found.peer())?;
    // As `parse` does it.
    let dst = word::<0, INNER>(inner).swap_bytes() >> 16;
    let second = word::<6, INNER>(inner);
    let inner_type = second >> 48;
    let is_tagged = inner_type == 0x0081 || inner_type == 0xa888;
    if !vni.is_up() || is_reserved(dst) || is_tagged || !is_raw_station(second) {
        return None;
    }
    Some(Entered {
        dst,
        src: second.swap_bytes() >> 16,
        class: vni.class(member),
        shape: Shape::of_port(octets, 0, 0, found.slot()),
        clamp_mtu: vni.clamp_mtu,
    })
}

/// Whom any frame in a tunnel came from and for which bridge, and where the inner frame begins, as
/// [`super::underlay`] would say. `pop` octets are the tag that selected `link`.
#[inline(never)]
pub(super) fn quick(
    underlay: &UnderlayImage,
    link: &LinkImage,
    frame: &[u8],
    pop: usize,
) -> Option<Found> {
    let start = ETHERNET + pop;
    let addresses: &[u8; ETHERNET] = frame.first_chunk()?;
    let (to, from) = (word::<0, ETHERNET>(addresses), word::<6, ETHERNET>(addresses));
    if to << 16 != link.raw_mac || !is_raw_station(from) {
        return None;
    }
    if pop > 0 && !has_tag(frame, link) {
        return None;
    }
    let packet = frame.get(start..)?;
    let (peer, source, protocol, octets) = match frame.get(start - 2..)?.first_chunk()? {
        [0x08, 0x00, 0x45] => ipv4(underlay, packet)?,
        [0x86, 0xdd, 0x60..=0x6f] => ipv6(underlay, packet)?,
        _ => return None,
    };
    let payload = packet.get(octets..)?;
    let (vni, octets) = match protocol {
        PROTOCOL_UDP => (vxlan(source, packet, octets, payload)?, octets + VXLAN),
        PROTOCOL_GRE => (gre(source, payload)?, octets + GRE),
        _ => return None,
    };
    source.cell.is_up().then_some(Found::new((peer, source), vni, start + octets))
}

/// Peer, protocol and length of the header of a packet that is exactly as long as it says and for us.
type Outer<'u> = (u16, &'u SourceImage, u8, usize);

#[inline]
fn ipv4<'u>(underlay: &'u UnderlayImage, packet: &[u8]) -> Option<Outer<'u>> {
    let head: &[u8; IPV4_HEADER_LEN] = packet.first_chunk()?;
    let (a, b, c) = (word::<0, 20>(head), word::<8, 20>(head), word::<12, 20>(head) >> 32);
    let is_plain = a & PLAIN == 0x45 | be16(packet.len()) << 16 && !is_congested(a);
    if packet.len() > 0xffff || !is_plain {
        return None;
    }
    if !ipv4_sum_is_correct(a, b, c) {
        return None;
    }
    let (peer, source) = underlay.peer_v4((b >> 32) as u32)?;
    (source.local[0] & 0xffff_ffff == c).then_some((peer, source, head[9], IPV4_HEADER_LEN))
}

#[inline]
fn ipv6<'u>(underlay: &'u UnderlayImage, packet: &[u8]) -> Option<Outer<'u>> {
    let head: &[u8; IPV6_HEADER_LEN] = packet.first_chunk()?;
    let length = u16::from_be_bytes([head[4], head[5]]);
    let is_congested = head[1] >> 4 & 3 == ECN_CONGESTED;
    if is_congested || packet.len() != IPV6_HEADER_LEN + usize::from(length) {
        return None;
    }
    let source: &[u8; 16] = head[8..].first_chunk()?;
    let (peer, source) = underlay.peer_v6(u128::from_be_bytes(*source).into())?;
    let local = [word::<24, 40>(head), word::<32, 40>(head)];
    (source.local == local).then_some((peer, source, head[6], IPV6_HEADER_LEN))
}

/// The VNI.
#[inline]
fn vxlan(source: &SourceImage, packet: &[u8], header: usize, payload: &[u8]) -> Option<u32> {
    let head: &[u8; VXLAN] = payload.first_chunk()?;
    // Ports, length, checksum; flags and VNI.
    let (a, b) = (word::<0, VXLAN>(head), word::<8, VXLAN>(head));
    let expected = u64::from(source.vxlan_port.swap_bytes()) << 16 | be16(payload.len()) << 32;
    // Port 0 is GRE.
    if a & mask([0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0]) != expected
        || b & 0x08 == 0
        || source.vxlan_port == 0
    {
        return None;
    }
    let is_correct =
        if a >> 48 == 0 { source.accepts_zero } else { udp_is_correct(packet, header) };
    is_correct.then_some((b >> 32) as u32).map(|vni| vni.swap_bytes() >> 8)
}

/// Whether the checksum of UDP is right. `header` octets are those of the IP header.
fn udp_is_correct(packet: &[u8], header: usize) -> bool {
    let addresses = if header == IPV4_HEADER_LEN { 12 } else { 8 };
    let length = u16::try_from(packet.len().saturating_sub(header)).unwrap_or(0);
    // Both addresses and the datagram lie one behind the other.
    let octets = packet.get(addresses..).unwrap_or_default();
    Sum::default().octets(octets).word(u16::from(PROTOCOL_UDP)).word(length).is_correct()
}

/// The key, if it is a VNI.
#[inline]
fn gre(source: &SourceImage, payload: &[u8]) -> Option<u32> {
    let a = word::<0, GRE>(payload.first_chunk()?);
    // A key and nothing else, Ethernet, and an upper octet of 0 in the key.
    let fixed = a & mask([0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0]);
    let is_plain = fixed == mask([0x20, 0, 0x65, 0x58, 0, 0, 0, 0]) && source.vxlan_port == 0;
    is_plain.then_some(((a >> 32) as u32).swap_bytes())
}

/// Not a group address, and not zero: the first six octets of a little-endian word.
#[inline(always)]
#[expect(clippy::inline_always, reason = "a few instructions")]
const fn is_raw_station(word: u64) -> bool {
    word & 1 == 0 && word << 16 != 0
}

/// A length as a big-endian field looks in a little-endian word. The upper half of a longer one is
/// lost.
#[inline(always)]
#[expect(clippy::inline_always, reason = "two instructions")]
const fn be16(octets: usize) -> u64 {
    #[expect(clippy::cast_possible_truncation, reason = "as said")]
    let octets = octets as u16;
    octets.swap_bytes() as u64
}

/// Whether the checksum of the header in `a`, `b` and the lower half of `c` is right. (A sum of words in
/// any order of octets is right or wrong alike, RFC 1071 section 2(B).)
#[inline]
const fn ipv4_sum_is_correct(a: u64, b: u64, c: u64) -> bool {
    const HALF: u64 = 0xffff_ffff;
    let sum = (a & HALF) + (a >> 32) + (b & HALF) + (b >> 32) + c;
    // 35 bits, then 33, then 18, then 16 and a carry.
    let sum = (sum & HALF) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
    (sum & 0xffff) + (sum >> 16) == 0xffff
}

#[cfg(test)]
mod tests {
    use super::*;
    use bridge_model::wire::checksum::internet;

    #[test]
    fn a_header_has_the_right_sum_exactly_if_its_checksum_says_so() {
        let mut state = 1_u64;
        for _ in 0..2000 {
            let mut header = [0; 20];
            for octet in &mut header {
                state =
                    state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
                *octet = if state >> 62 == 0 { 0xff } else { (state >> 40 & 0xff) as u8 };
            }
            header[10..12].fill(0);
            let sum = internet(&header).to_be_bytes();
            header[10..12].copy_from_slice(&sum);
            let check = |header: &[u8; 20]| {
                let (a, b) = (word::<0, 20>(header), word::<8, 20>(header));
                ipv4_sum_is_correct(a, b, word::<12, 20>(header) >> 32)
            };
            assert!(check(&header), "{header:02x?}");
            header[(state >> 33) as usize % 20] ^= 1 << (state >> 50 & 7);
            assert!(!check(&header), "{header:02x?}");
        }
    }
}
