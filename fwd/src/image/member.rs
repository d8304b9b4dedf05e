//! One place that a learning domain can send to, in 16 octets.

use bridge_model::types::{InterfaceId, Tpid, VlanId};

use crate::counters::PortSlot;

/// How a frame leaves towards a member.
#[derive(Clone, Copy, Debug)]
#[repr(align(16))]
pub(crate) struct MemberImage {
    pub(crate) push: Push,
    /// Index of the per-VID counters; the low 12 bits are the VID, 0 for a port without.
    pub(crate) vid_counter: u32,
    interface: u16,
    pub(crate) group: u16,
    pub(crate) port: PortSlot,
    /// Largest layer 3 packet, in octets.
    pub(crate) mtu: u16,
}

const _: () = assert!(size_of::<MemberImage>() == 16, "four to a cache line");

/// No interface has this number: the member is not in use.
const RETIRED: u16 = u16::MAX;

impl MemberImage {
    pub(crate) const UNUSED: Self = Self {
        push: Push::NONE,
        vid_counter: 0,
        interface: RETIRED,
        group: 0,
        port: PortSlot::UNATTRIBUTED,
        mtu: 0,
    };

    pub(crate) fn new(interface: InterfaceId, port: PortSlot, push: Push) -> Self {
        Self { push, port, interface: interface.0, ..Self::UNUSED }
    }

    #[inline]
    pub(crate) const fn is_used(&self) -> bool {
        self.interface != RETIRED
    }

    #[inline]
    pub(crate) const fn interface(&self) -> InterfaceId {
        InterfaceId(self.interface)
    }
}

/// `count:2 | inner vid:12 (bits 16..28) | outer is 0x88a8:1 (bit 12) | outer vid:12`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Push(u32);

impl Push {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) const fn one(tpid: Tpid, vid: VlanId) -> Self {
        let service = if matches!(tpid, Tpid::STag) { 1 << 12 } else { 0 };
        Self(vid.get() as u32 | service | 1 << 30)
    }

    pub(crate) const fn two(tpid: Tpid, outer: VlanId, inner: VlanId) -> Self {
        let one = Self::one(tpid, outer).0 & 0x1fff;
        Self(one | (inner.get() as u32) << 16 | 2 << 30)
    }

    /// How many tags, 0 to 2.
    #[inline]
    pub(crate) const fn count(self) -> usize {
        (self.0 >> 30) as usize
    }

    /// The outer tag as it goes on the wire, with PCP and DEI from `tci`.
    #[inline]
    pub(crate) const fn outer(self, tci: u16) -> [u8; 4] {
        let tpid: u32 = if self.0 & 1 << 12 == 0 { 0x8100 } else { 0x88a8 };
        (tpid << 16 | self.0 & 0xfff | (tci & 0xf000) as u32).to_be_bytes()
    }

    /// The inner tag (always 0x8100) as it goes on the wire.
    #[inline]
    pub(crate) const fn inner(self, tci: u16) -> [u8; 4] {
        (0x8100_0000 | self.0 >> 16 & 0xfff | (tci & 0xf000) as u32).to_be_bytes()
    }
}
