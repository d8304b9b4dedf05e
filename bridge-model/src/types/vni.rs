//! VXLAN network identifiers.

use std::fmt;
use std::num::NonZeroU32;

/// A VXLAN network identifier (RFC 7348 section 5) that names a bridge: 1 to 16777215. The same
/// number is the key of a GRE tunnel. 0 is not allotted, so that a missing number is never a bridge.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Vni(NonZeroU32);

/// The number is not a VNI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{raw} is not a VNI: expected 1 to 16777215")]
pub struct InvalidVni {
    /// What was given.
    pub raw: u32,
}

impl Vni {
    /// The largest VNI: 24 bits.
    pub const MAX: u32 = 0xff_ffff;

    /// The VNI `raw`, or why it is none.
    pub const fn new(raw: u32) -> Result<Self, InvalidVni> {
        match NonZeroU32::new(raw) {
            Some(vni) if raw <= Self::MAX => Ok(Self(vni)),
            _ => Err(InvalidVni { raw }),
        }
    }

    /// The number on the wire.
    #[inline]
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for Vni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Vni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
