//! Where a frame belongs, in 32 bits.

use bridge_model::reason::DropReason;
use bridge_model::types::{Fid, MemberId};

/// `kind:4 | member:12 | fid:16`. Kind 0 is [`ClassKind::Forward`], so that one comparison tells
/// the common case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct ClassWord(u32);

/// One class for every VID, 0 and 4095 included.
pub(crate) type ClassTable = [ClassWord; 4096];

const KIND_SHIFT: u32 = 28;
const MEMBER_SHIFT: u32 = 16;

/// What a [`ClassWord`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClassKind {
    Forward {
        fid: Fid,
        member: MemberId,
    },
    Drop(DropReason),
    /// By the inner VID, in this table of stacked classes.
    Stacked(u16),
    /// A priority tag: what untagged frames are.
    Untagged,
}

impl ClassWord {
    pub(crate) const UNTAGGED: Self = Self(3 << KIND_SHIFT);

    pub(crate) const fn forward(fid: Fid, member: MemberId) -> Self {
        Self(fid.0 as u32 | (member.0 as u32 & 0xfff) << MEMBER_SHIFT)
    }

    pub(crate) const fn drop(reason: DropReason) -> Self {
        Self(reason as u32 | 1 << KIND_SHIFT)
    }

    pub(crate) const fn stacked(index: u16) -> Self {
        Self(index as u32 | 2 << KIND_SHIFT)
    }

    /// The frame is to be forwarded: [`fid`](Self::fid) and [`member`](Self::member) are valid.
    #[inline]
    pub(crate) const fn is_forward(self) -> bool {
        self.0 >> KIND_SHIFT == 0
    }

    #[inline]
    pub(crate) const fn fid(self) -> Fid {
        Fid((self.0 & 0xffff) as u16)
    }

    #[inline]
    pub(crate) const fn member(self) -> MemberId {
        MemberId((self.0 >> MEMBER_SHIFT & 0xfff) as u16)
    }

    pub(crate) fn kind(self) -> ClassKind {
        match self.0 >> KIND_SHIFT {
            0 => ClassKind::Forward { fid: self.fid(), member: self.member() },
            1 => {
                let reason = DropReason::ALL.get((self.0 & 0xff) as usize);
                ClassKind::Drop(reason.copied().unwrap_or(DropReason::VlanUnknown))
            }
            2 => ClassKind::Stacked(self.fid().0),
            _ => ClassKind::Untagged,
        }
    }
}
