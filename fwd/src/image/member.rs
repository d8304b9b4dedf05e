//! One place that a learning domain can send to, in 16 octets.

use bridge_model::types::{InterfaceId, Tpid, VlanId, Vni};

use crate::counters::PortSlot;

/// How a frame leaves towards a member.
#[derive(Clone, Copy, Debug)]
#[repr(align(16))]
pub(crate) struct MemberImage {
    pub(crate) push: Push,
    interface: u16,
    pub(crate) group: u16,
    /// `MTU:16 | port slot:16 | index of the per-VID counters:32`: what is noted of every frame that
    /// leaves is one load away.
    counters: u64,
}

const _: () = assert!(size_of::<MemberImage>() == 16, "four to a cache line");

/// No interface and no peer has this number: the member is not in use.
const RETIRED: u16 = u16::MAX;
/// From here on numbers of interfaces are those of peers, so that one comparison tells a place that
/// needs no closer look.
const PEER: u16 = 0x8000;

impl MemberImage {
    pub(crate) const UNUSED: Self =
        Self { push: Push::NONE, interface: RETIRED, group: 0, counters: 0 };

    /// A place behind `interface`, which takes layer 3 packets of `mtu` octets. `vid_counter` is the
    /// index of the per-VID counters; its low 12 bits are the VID, 0 for a port without.
    pub(crate) fn new(
        (interface, mtu): (InterfaceId, u16),
        (port, vid_counter): (PortSlot, u32),
        push: Push,
        group: u16,
    ) -> Self {
        let counters = u64::from(mtu) << 48 | u64::from(port.0) << 32 | u64::from(vid_counter);
        Self { push, interface: interface.0, group, counters }
    }

    /// The far end of a tunnel: `peer` is an index into [`Image::peers`](super::Image). Its MTU is 0,
    /// so that the comparison which every frame makes tells tunnels, too. With `clamps`, TCP SYN
    /// segments are looked for.
    pub(crate) const fn tunnel(
        peer: u16,
        vni: Vni,
        slot: PortSlot,
        group: u16,
        clamps: bool,
    ) -> Self {
        let counters = (slot.0 as u64) << 32;
        Self { push: Push::tunnel(vni, clamps), interface: PEER | peer, group, counters }
    }

    /// Of the far end of a tunnel: the peer's index in the image, and the VNI. Of any other member the
    /// index is one that no peer has.
    #[inline]
    pub(crate) const fn as_tunnel(&self) -> (usize, u32) {
        // Peers are fewer than 0x7fff, which a retired member makes here; interfaces make more.
        ((self.interface ^ PEER) as usize, self.push.vni())
    }

    /// In use, and no tunnel.
    #[inline]
    pub(crate) const fn is_local(&self) -> bool {
        self.interface < PEER
    }

    #[inline]
    pub(crate) const fn is_used(&self) -> bool {
        self.interface != RETIRED
    }

    #[inline]
    pub(crate) const fn interface(&self) -> InterfaceId {
        InterfaceId(self.interface)
    }

    /// Largest layer 3 packet, in octets.
    #[inline]
    pub(crate) const fn mtu(&self) -> usize {
        (self.counters >> 48) as usize
    }

    /// Largest layer 3 packet, in octets.
    pub(crate) const fn layer3_mtu(&self) -> u16 {
        (self.counters >> 48) as u16
    }

    /// The port that frames count for.
    #[inline]
    pub(crate) const fn port(&self) -> PortSlot {
        PortSlot((self.counters >> 32 & 0xffff) as u16)
    }

    /// Index of the per-VID counters, 0 for a port without VIDs.
    #[inline]
    pub(crate) const fn vid_counter(&self) -> u32 {
        (self.counters & 0xffff_ffff) as u32
    }

    /// Port and per-VID counters in the low 48 bits.
    #[inline]
    pub(crate) const fn counters(&self) -> u64 {
        self.counters & 0xffff_ffff_ffff
    }
}

/// `count:2 | inner vid:12 (bits 16..28) | outer is 0x88a8:1 (bit 12) | outer vid:12`; of a tunnel
/// `3:2 | clamps:1 (bit 24) | VNI:24`.
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

    const fn tunnel(vni: Vni, clamps: bool) -> Self {
        Self(vni.get() | (clamps as u32) << 24 | 3 << 30)
    }

    /// The VNI, of a tunnel.
    #[inline]
    const fn vni(self) -> u32 {
        self.0 & 0xff_ffff
    }

    /// TCP SYN segments are looked for, in a tunnel.
    #[inline]
    pub(crate) const fn clamps(self) -> bool {
        self.0 >> 24 & 1 != 0
    }

    /// How many tags, 0 to 2; 3 stands for a tunnel.
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
