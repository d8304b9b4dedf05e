//! The short cut through admission for the common frame.

use super::admit::Shape;
use crate::image::{ClassEntry, InterfaceImage};

/// Octets that hold both addresses, two tags and the type behind them: a frame this long has no
/// truncated tag stack.
const HEAD: usize = 22;

/// Prefixes (first three octets) of all reserved destinations.
const RESERVED_PREFIXES: [u64; 3] = [0x01_80c2, 0x01_000c, 0x00_e02b];

/// It may be a reserved destination.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for each instruction set with the burst")]
pub(crate) fn is_reserved(destination: u64) -> bool {
    let prefix = destination >> 24;
    // They all begin with 00 or 01, few others do.
    prefix >> 16 <= 1 && RESERVED_PREFIXES.contains(&prefix)
}

/// A frame that is to be forwarded and of which nothing is special.
pub(super) struct Common<'i> {
    pub(super) dst: u64,
    pub(super) src: u64,
    pub(super) class: &'i ClassEntry,
    pub(super) shape: Shape,
}

/// What [`super::admit::admit`] would say of a common frame; `None` if that has to look at it.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for each instruction set with the burst")]
pub(super) fn parse<'i>(interface: &'i InterfaceImage, frame: &[u8]) -> Option<Common<'i>> {
    let head: &[u8; HEAD] = frame.first_chunk()?;
    // Three overlapping loads: destination and more, source with the type, type with the tag.
    let dst = u64::from_be_bytes(*head.first_chunk()?) >> 16;
    let word = u64::from_be_bytes(*head[6..].first_chunk()?);
    let tag = u32::from_be_bytes(*head[12..].first_chunk()?);
    let src = word >> 16;
    let ether_type = tag >> 16;
    if is_reserved(dst) || src >> 40 & 1 != 0 || src == 0 {
        return None;
    }
    let (class, shape) = if ether_type == interface.tpid {
        #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
        let tci = tag as u16;
        let class = &interface.classes[usize::from(tci & 0xfff)];
        (class, Shape::new(frame.len(), tci, 4, true))
    } else if matches!(ether_type, 0x8100 | 0x88a8) {
        return None;
    } else {
        (&interface.untagged, Shape::new(frame.len(), 0, 0, false))
    };
    class.word.is_forward().then_some(Common { dst, src, class, shape })
}
