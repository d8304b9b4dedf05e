//! What is to be counted for a frame once it has left.

use super::PortSlot;

/// `octets:16 | port:16 | vid counter:32`, so that one comparison finds runs of frames for the same
/// counters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Note(u64);

impl Note {
    /// For a frame of `octets` and the counters in the low 48 bits of `counters`.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a few instructions")]
    pub(crate) fn new(counters: u64, octets: u16) -> Self {
        Self(u64::from(octets) << 48 | counters)
    }

    /// Everything but the length.
    pub(crate) const fn counters(self) -> u64 {
        self.0 & 0xffff_ffff_ffff
    }

    pub(crate) const fn octets(self) -> u64 {
        self.0 >> 48
    }

    #[expect(clippy::cast_possible_truncation, reason = "16 bits by construction")]
    pub(crate) const fn port(self) -> PortSlot {
        PortSlot((self.0 >> 32) as u16)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    pub(crate) const fn vid_counter(self) -> u32 {
        self.0 as u32
    }
}
