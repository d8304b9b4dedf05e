//! The fields of an 802.1Q tag.

use std::fmt;
use std::num::NonZeroU16;

/// A VLAN identifier (VID) that may name a VLAN: 1 to 4094.
///
/// 0 means "priority-tagged, no VLAN" and 4095 is reserved. Neither can be built, so
/// `Option<VlanId>` says "untagged or priority-tagged" and still fits in two bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct VlanId(NonZeroU16);

const _: () = assert!(size_of::<Option<VlanId>>() == 2);

/// The number does not name a VLAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{raw} is not a VLAN id: expected 1 to 4094")]
pub struct InvalidVlanId {
    /// What was given.
    pub raw: u32,
}

impl VlanId {
    /// The largest VID that may name a VLAN.
    pub const MAX: u16 = 4094;
    /// The VID 1.
    pub const MIN: Self = Self(NonZeroU16::MIN);

    /// The VID `raw`, or why it names no VLAN.
    pub const fn new(raw: u16) -> Result<Self, InvalidVlanId> {
        match NonZeroU16::new(raw) {
            Some(vid) if raw <= Self::MAX => Ok(Self(vid)),
            _ => Err(InvalidVlanId { raw: raw as u32 }),
        }
    }

    /// The number on the wire.
    #[inline]
    pub const fn get(self) -> u16 {
        self.0.get()
    }

    /// Every VID, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (1..=Self::MAX).filter_map(|raw| Self::new(raw).ok())
    }
}

impl TryFrom<u32> for VlanId {
    type Error = InvalidVlanId;

    fn try_from(raw: u32) -> Result<Self, InvalidVlanId> {
        u16::try_from(raw).map_err(|_| InvalidVlanId { raw }).and_then(Self::new)
    }
}

impl fmt::Display for VlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for VlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Tag protocol identifier: which `EtherType` announces a tag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum Tpid {
    /// 0x8100, the customer tag.
    #[default]
    CTag = 0x8100,
    /// 0x88a8, the service tag.
    STag = 0x88a8,
}

impl Tpid {
    /// The `EtherType` on the wire.
    #[inline]
    pub const fn ether_type(self) -> u16 {
        self as u16
    }

    /// The TPID that `ether_type` is, if it announces a tag.
    #[inline]
    pub const fn from_ether_type(ether_type: u16) -> Option<Self> {
        match ether_type {
            0x8100 => Some(Self::CTag),
            0x88a8 => Some(Self::STag),
            _ => None,
        }
    }
}

impl fmt::Display for Tpid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.ether_type())
    }
}

/// Priority code point, 0 to 7.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Pcp(u8);

impl Pcp {
    /// The low three bits of `raw`.
    #[inline]
    pub const fn from_low_bits(raw: u8) -> Self {
        Self(raw & 7)
    }

    /// 0 to 7.
    #[inline]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// PCP and DEI: the four bits of a tag that are not the VID, kept while a frame crosses a bridge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority {
    /// Priority code point.
    pub pcp: Pcp,
    /// Drop eligible indicator.
    pub dei: bool,
}

impl Priority {
    /// From the tag control information field of a tag.
    #[inline]
    pub const fn from_tci(tci: u16) -> Self {
        Self { pcp: Pcp((tci >> 13) as u8), dei: tci & 0x1000 != 0 }
    }

    /// The upper four bits of a tag control information field; the VID is zero.
    #[inline]
    pub const fn to_tci(self) -> u16 {
        (self.pcp.0 as u16) << 13 | (self.dei as u16) << 12
    }
}

/// One tag as it stands on the wire: any VID, 0 and 4095 included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VlanTag {
    /// What announced it.
    pub tpid: Tpid,
    /// Tag control information: PCP, DEI, VID.
    pub tci: u16,
}

impl VlanTag {
    /// The tag for `vid` with `priority`.
    #[inline]
    pub const fn new(tpid: Tpid, vid: VlanId, priority: Priority) -> Self {
        Self { tpid, tci: priority.to_tci() | vid.get() }
    }

    /// The twelve bits of the VID, unchecked.
    #[inline]
    pub const fn vid_raw(self) -> u16 {
        self.tci & 0x0fff
    }

    /// PCP and DEI.
    #[inline]
    pub const fn priority(self) -> Priority {
        Priority::from_tci(self.tci)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vid_is_1_to_4094() {
        assert_eq!(VlanId::new(0), Err(InvalidVlanId { raw: 0 }));
        assert_eq!(VlanId::new(4095), Err(InvalidVlanId { raw: 4095 }));
        assert_eq!(VlanId::new(4094).map(VlanId::get), Ok(4094));
        assert_eq!(VlanId::try_from(70_000), Err(InvalidVlanId { raw: 70_000 }));
        assert_eq!(VlanId::all().count(), 4094);
    }

    #[test]
    fn priority_survives_a_tag() {
        let tci = 0b1011_0000_0000_1010;
        let tag = VlanTag { tpid: Tpid::CTag, tci };
        assert_eq!(tag.priority(), Priority { pcp: Pcp::from_low_bits(5), dei: true });
        assert_eq!(VlanTag::new(Tpid::CTag, VlanId::new(10).unwrap(), tag.priority()), tag);
    }
}
