//! What the stages of a burst tell each other.

use arrayvec::ArrayVec;
use bridge_model::reason::{DropReason, PuntReason};
use bridge_model::types::UnderlayId;

use super::admit::{Control, Parsed, Shape};
use super::encap::Flow;
use super::parse::Common;
use crate::frame::BURST;
use crate::image::ClassEntry;
use crate::mac::Hashed;

/// A frame that leaves the burst before its data is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Leaving {
    /// To a reserved destination.
    Control(Control),
    /// A packet of an underlay protocol.
    Packet(PuntReason, UnderlayId),
}

pub(super) const FID_SHIFT: u32 = 48;
const ADDRESS: u64 = (1 << FID_SHIFT) - 1;

/// What becomes of a frame: the index of a member in the image, or one of the others, which are
/// greater than any index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fate(u32);

impl Fate {
    /// To all, if nothing is known.
    pub(super) const FLOOD: Self = Self(u32::MAX);
    const DROP: u32 = 0xffff_0000;

    pub(super) fn drop(reason: DropReason) -> Self {
        Self(Self::DROP | u32::from(reason as u8))
    }

    pub(super) fn send(member: usize) -> Self {
        // Below 2^20: the image is built so.
        u32::try_from(member).map_or(Self::FLOOD, Self)
    }

    #[inline]
    pub(super) const fn is_send(self) -> bool {
        self.0 < Self::DROP
    }

    /// The member that it is sent to.
    #[inline]
    pub(super) const fn member(self) -> usize {
        self.0 as usize
    }

    pub(super) fn reason(self) -> Option<DropReason> {
        let number = self.0.checked_sub(Self::DROP)?;
        DropReason::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// What the stages tell each other about a burst, field by field, so that a stage reads only what it
/// needs and simple loops over one field become vector code.
#[derive(Debug)]
pub(super) struct Scratch {
    pub(super) fates: [Fate; BURST],
    pub(super) classes: [ClassEntry; BURST],
    pub(super) shapes: [Shape; BURST],
    /// `fid:16 | address:48`.
    pub(super) source_keys: [u64; BURST],
    pub(super) destination_keys: [u64; BURST],
    pub(super) sources: [Hashed; BURST],
    pub(super) destinations: [Hashed; BURST],
    /// Of frames that go into a tunnel.
    pub(super) flows: [Flow; BURST],
    /// Frames that leave the burst, ascending.
    pub(super) leaving: ArrayVec<(usize, Leaving), BURST>,
}

impl Scratch {
    pub(super) fn new() -> Self {
        Self {
            fates: [Fate::FLOOD; BURST],
            classes: [ClassEntry::NONE; BURST],
            shapes: [Shape::default(); BURST],
            source_keys: [0; BURST],
            destination_keys: [0; BURST],
            sources: [Hashed::default(); BURST],
            destinations: [Hashed::default(); BURST],
            flows: [Flow::default(); BURST],
            leaving: ArrayVec::new(),
        }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for each instruction set with the burst")]
    pub(super) fn put(&mut self, index: usize, common: &Common<'_>) {
        let fid = u64::from(common.class.word.fid().0) << FID_SHIFT;
        self.source_keys[index] = fid | common.src;
        self.destination_keys[index] = fid | common.dst;
        self.classes[index] = *common.class;
        self.shapes[index] = common.shape;
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for each instruction set with the burst")]
    pub(super) fn get(&self, index: usize) -> Parsed {
        Parsed {
            dst: self.destination_keys[index] & ADDRESS,
            src: self.source_keys[index] & ADDRESS,
            class: self.classes[index],
            shape: self.shapes[index],
        }
    }

    /// Notes a frame that was looked at closely.
    pub(super) fn put_parsed(&mut self, index: usize, parsed: Parsed) {
        let Parsed { dst, src, class, shape } = parsed;
        self.put(index, &Common { dst, src, class: &class, shape });
    }

    /// Notes a frame that needs no lookup: it is dropped, or goes to a place that is known already.
    pub(super) fn put_fate(&mut self, index: usize, shape: Shape, fate: Fate) {
        self.fates[index] = fate;
        self.put_parsed(index, Parsed { shape, ..Parsed::NONE });
    }

    /// Notes a frame that leaves the burst.
    pub(super) fn put_leaving(&mut self, index: usize, shape: Shape, leaving: Leaving) {
        let _ = self.leaving.try_push((index, leaving));
        self.put_parsed(index, Parsed { shape, ..Parsed::NONE });
    }

    /// Moves everything after `index` one place forward: that frame has left the burst.
    pub(super) fn remove(&mut self, index: usize) {
        self.fates.copy_within(index + 1.., index);
        self.classes.copy_within(index + 1.., index);
        self.shapes.copy_within(index + 1.., index);
        self.source_keys.copy_within(index + 1.., index);
        self.destination_keys.copy_within(index + 1.., index);
    }
}
