//! The short cut for the common frame in a tunnel: VXLAN over IPv4 without options and without a UDP
//! checksum, and in it an untagged frame.

use std::net::Ipv4Addr;

use super::admit::Shape;
use super::parse::{Common, is_reserved};
use crate::image::{ClassEntry, Image, InterfaceImage};

/// Octets of the IPv4, UDP and VXLAN headers.
const HEADERS: usize = 20 + 8 + 8;
/// These, and the inner Ethernet header with two tags: an inner frame this long has no truncated tag
/// stack.
const HEAD: usize = HEADERS + 22;
const ETHERNET: usize = 14;

/// What was found out.
pub(super) struct Quick {
    dst: u64,
    src: u64,
    class: ClassEntry,
    shape: Shape,
    /// Where the inner frame begins. It ends with the outer one.
    pub(super) start: usize,
    pub(super) clamp_mtu: u16,
}

impl Quick {
    #[inline]
    pub(super) const fn common(&self) -> Common<'_> {
        Common { dst: self.dst, src: self.src, class: &self.class, shape: self.shape }
    }
}

#[inline]
fn word<const AT: usize>(head: &[u8; HEAD]) -> Option<u64> {
    Some(u64::from_be_bytes(*head.get(AT..)?.first_chunk()?))
}

/// What [`super::underlay`] would say of a common frame; `None` if that has to look at it.
#[inline]
pub(super) fn quick(image: &Image, interface: &InterfaceImage, frame: &[u8]) -> Option<Quick> {
    let outer: &[u8; 16] = frame.first_chunk()?;
    let destination = u64::from_be_bytes(*outer.first_chunk()?) >> 16;
    let source = u64::from_be_bytes(*outer[6..].first_chunk()?) >> 16;
    let tag = u32::from_be_bytes(*outer[12..].first_chunk()?);
    let (class, pop) = if tag >> 16 == interface.tpid {
        (&interface.classes[(tag & 0xfff) as usize], 4)
    } else {
        (&interface.untagged, 0)
    };
    let link = image.underlay.link(class.word.as_underlay()?)?;
    let start = ETHERNET + pop;
    let head: &[u8; HEAD] = frame.get(start..)?.first_chunk()?;
    let is_ipv4 = frame.get(start - 2..start)? == [0x08, 0x00];
    if destination != link.mac || is_reserved(destination) || !is_ipv4 || !is_station(source) {
        return None;
    }
    // Eight octets at a time: IPv4, UDP, VXLAN, then the inner frame.
    let (a, b, c, d, e) = (
        word::<0>(head)?,
        word::<8>(head)?,
        word::<16>(head)?,
        word::<24>(head)?,
        word::<32>(head)?,
    );
    let total = (a >> 32 & 0xffff) as usize;
    let is_fragment = a & 0x3fff != 0;
    let is_plain = a >> 56 == 0x45 && !is_fragment && b >> 48 & 0xff == 17;
    let is_whole = start + total == frame.len() && total == (d >> 48) as usize + 20;
    // Flag I.
    let (has_checksum, is_vxlan) = (d >> 32 & 0xffff != 0, d & 0x0800_0000 != 0);
    if !is_plain || !is_whole || has_checksum || !is_vxlan || !ipv4_sum_is_correct(a, b, c) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "parts of a word")]
    let (from, to, port) = (b as u32, (c >> 32) as u32, c as u16);
    let (number, peer) = image.underlay.peer_v4(Ipv4Addr::from_bits(from))?;
    if to != peer.local_v4 || port != peer.vxlan_port || !peer.cell.is_up() {
        return None;
    }
    let vni = image.underlay.vni((e >> 40) as u32)?;
    let member = image.underlay.member(vni, number)?;
    // The inner frame, as `parse` does it.
    let dst = word::<36>(head)? >> 16;
    let src = word::<42>(head)? >> 16;
    let inner_type = word::<48>(head)? >> 48;
    if !vni.is_up() || is_reserved(dst) || !is_station(src) || matches!(inner_type, 0x8100 | 0x88a8)
    {
        return None;
    }
    Some(Quick {
        dst,
        src,
        class: vni.class(member),
        shape: Shape::of_port(frame.len(), 0, 0, peer.slot),
        start: start + HEADERS,
        clamp_mtu: vni.clamp_mtu,
    })
}

/// Not a group address, and not zero.
#[inline]
const fn is_station(address: u64) -> bool {
    address >> 40 & 1 == 0 && address != 0
}

/// Whether the checksum of the 20 octets in `a`, `b` and the upper half of `c` is right.
#[inline]
const fn ipv4_sum_is_correct(a: u64, b: u64, c: u64) -> bool {
    const HALF: u64 = 0xffff_ffff;
    let sum = (a >> 32) + (a & HALF) + (b >> 32) + (b & HALF) + (c >> 32);
    // 35 bits, then 20, then 17, then 16.
    let sum = (sum & HALF) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    (sum & 0xffff) + (sum >> 16) == 0xffff
}
