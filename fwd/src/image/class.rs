//! Where a frame belongs, in 32 bits.

use bridge_model::reason::DropReason;
use bridge_model::types::{Fid, MemberId, UnderlayId};

/// `kind:4 | member:12 | fid:16`. Kind 0 is [`ClassKind::Forward`], so that one comparison tells
/// the common case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct ClassWord(u32);

/// A class with what the packet path needs of its learning domain and of the member that the frame
/// came in by: 16 octets, so that a frame touches one line of its trunk's table (64 KiB, of which
/// only the VIDs in use are read) and nothing of the domain or the member itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(16))]
pub(crate) struct ClassEntry {
    pub(crate) word: ClassWord,
    pub(crate) members: MemberRange,
    /// Index of the per-VID counters of the member, 0 if it has none; the low 12 bits are the VID.
    pub(crate) vid_counter: u32,
    /// The split-horizon group of the member.
    pub(crate) group: u16,
}

const _: () = assert!(size_of::<ClassEntry>() == 16, "four to a cache line");

impl ClassEntry {
    pub(crate) const NONE: Self = Self::without(ClassWord::forward(Fid(0), MemberId(0)));

    /// A class that leads to no domain.
    pub(crate) const fn without(word: ClassWord) -> Self {
        Self { word, members: MemberRange::EMPTY, vid_counter: 0, group: 0 }
    }

    /// The VID of the place that a frame came in by, 0 for none.
    #[inline]
    pub(crate) const fn vid(self) -> u16 {
        (self.vid_counter & 0xfff) as u16
    }
}

/// The members of a learning domain: `count:12 | first:20`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct MemberRange(u32);

impl MemberRange {
    pub(crate) const EMPTY: Self = Self(0);
    /// Members of all domains together.
    pub(crate) const FIRST_LIMIT: usize = 1 << 20;

    pub(crate) const fn new(first: u32, count: u16) -> Self {
        // A domain has at most 4096 members with number 0, which is never used: 4095 others.
        let highest = if count == 0 { 0 } else { count as u32 - 1 };
        Self(first & 0xf_ffff | (highest & 0xfff) << 20)
    }

    /// All numbers, used or not.
    pub(crate) fn numbers(self) -> impl Iterator<Item = MemberId> {
        // 12 bits.
        (0..=self.0 >> 20).filter_map(|number| u16::try_from(number).ok().map(MemberId))
    }

    /// The index of a member; that of number 0, which is unused, for a number that is out of range.
    #[inline]
    pub(crate) const fn index(self, member: MemberId) -> usize {
        let number = if member.0 as u32 <= self.0 >> 20 { member.0 as u32 } else { 0 };
        ((self.0 & 0xf_ffff) + number) as usize
    }
}

/// One class for every VID, 0 and 4095 included.
pub(crate) type ClassTable = [ClassEntry; 4096];

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
    /// A frame of this underlay link.
    Underlay(UnderlayId),
    /// A frame from the kernel for this underlay link.
    Kernel(UnderlayId),
}

impl ClassWord {
    pub(crate) const UNTAGGED: Self = Self(3 << KIND_SHIFT);

    pub(crate) const fn forward(fid: Fid, member: MemberId) -> Self {
        Self(fid.0 as u32 | (member.0 as u32 & 0xfff) << MEMBER_SHIFT)
    }

    pub(crate) const fn drop(reason: DropReason) -> Self {
        Self(reason as u32 | 1 << KIND_SHIFT)
    }

    pub(crate) const fn underlay(link: UnderlayId) -> Self {
        Self(link.0 as u32 | 4 << KIND_SHIFT)
    }

    pub(crate) const fn kernel(link: UnderlayId) -> Self {
        Self(link.0 as u32 | 5 << KIND_SHIFT)
    }

    pub(crate) const fn stacked(index: u16) -> Self {
        Self(index as u32 | 2 << KIND_SHIFT)
    }

    /// The frame is to be forwarded: [`fid`](Self::fid) and [`member`](Self::member) are valid.
    #[inline]
    pub(crate) const fn is_forward(self) -> bool {
        self.0 >> KIND_SHIFT == 0
    }

    /// The underlay link that the frame belongs to.
    #[inline]
    pub(crate) const fn as_underlay(self) -> Option<UnderlayId> {
        if self.0 >> KIND_SHIFT == 4 { Some(UnderlayId(self.fid().0)) } else { None }
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
            4 => ClassKind::Underlay(UnderlayId(self.fid().0)),
            5 => ClassKind::Kernel(UnderlayId(self.fid().0)),
            _ => ClassKind::Untagged,
        }
    }
}
