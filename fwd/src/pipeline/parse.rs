//! The short cut through admission for the common frame.

use super::admit::Parsed;
use crate::image::InterfaceImage;

/// Octets that hold both addresses, two tags and the type behind them: a frame this long has no
/// truncated tag stack.
const HEAD: usize = 22;

/// Prefixes (first three octets) of all reserved destinations.
const RESERVED_PREFIXES: [u64; 3] = [0x01_80c2, 0x01_000c, 0x00_e02b];

/// What [`super::admit::admit`] would say of a frame that is to be forwarded and of which nothing is
/// special; `None` if that has to look at it.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for each instruction set with the burst")]
pub(crate) fn parse(interface: &InterfaceImage, frame: &[u8]) -> Option<Parsed> {
    let head: &[u8; HEAD] = frame.first_chunk()?;
    let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1, c0, c1, ..] = *head;
    let dst = u64::from_be_bytes([d0, d1, d2, d3, d4, d5, s0, s1]) >> 16;
    let word = u64::from_be_bytes([s0, s1, s2, s3, s4, s5, t0, t1]);
    let src = word >> 16;
    let ether_type = u32::from(u16::from_be_bytes([t0, t1]));
    let octets = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    let prefix = dst >> 24;
    if RESERVED_PREFIXES.contains(&prefix) || src >> 40 & 1 != 0 || src == 0 {
        return None;
    }
    let parsed = if ether_type == interface.tpid {
        let tci = u16::from_be_bytes([c0, c1]);
        let class = interface.classes[usize::from(tci & 0xfff)];
        Parsed { dst, src, octets, class, tci, pop: 4, tagged: true }
    } else if matches!(ether_type, 0x8100 | 0x88a8) {
        return None;
    } else {
        Parsed { dst, src, octets, class: interface.untagged, tci: 0, pop: 0, tagged: false }
    };
    parsed.class.is_forward().then_some(parsed)
}
