//! One table entry in one 64-bit word.
//!
//! ```text
//! bit 63            b  b-1    17   16     15      14..12  11..0
//!     [ remainder     |  zero    | alt | static |  age  | member ]
//! ```
//!
//! `b` is the base-2 logarithm of the number of buckets, at least 17. The remainder is the permuted
//! key without its low `b` bits, which are the number of the home bucket: kept in place, so that
//! splitting a permuted key is one mask. An entry in its alternate bucket has the alt bit set, so
//! (bucket, alt, remainder) identify the key exactly. Member 0 is never allotted: word 0 is an empty
//! slot.

use bridge_model::types::MemberId;

use super::age::AgeEpoch;

/// Bits that identify the key within a bucket: everything above the data. Independent of `b`
/// because the bits between are zero.
pub(super) const IDENTITY: u64 = !0xffff;
/// Set in an entry that lives in its alternate bucket.
pub(super) const ALTERNATE: u64 = 1 << 16;

const STATIC: u64 = 1 << 15;
const AGE_SHIFT: u32 = 12;
const AGE: u64 = 7 << AGE_SHIFT;
const MEMBER: u64 = 0xfff;

/// The word of an occupied slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(pub(super) u64);

impl Word {
    /// A learned entry.
    #[inline]
    pub(super) fn learned(identity: u64, member: MemberId, age: AgeEpoch) -> Self {
        Self(identity | u64::from(age.number()) << AGE_SHIFT | u64::from(member.0) & MEMBER)
    }

    /// A static entry; it has no age.
    pub(super) fn fixed(identity: u64, member: MemberId) -> Self {
        Self(identity | STATIC | u64::from(member.0) & MEMBER)
    }

    #[inline]
    pub(super) fn member(self) -> MemberId {
        MemberId((self.0 & MEMBER) as u16)
    }

    #[inline]
    pub(super) fn age(self) -> AgeEpoch {
        AgeEpoch::new(((self.0 & AGE) >> AGE_SHIFT) as u8)
    }

    #[inline]
    pub(super) fn is_static(self) -> bool {
        self.0 & STATIC != 0
    }

    #[inline]
    pub(super) fn is_alternate(self) -> bool {
        self.0 & ALTERNATE != 0
    }

    #[inline]
    pub(super) fn identity(self) -> u64 {
        self.0 & IDENTITY
    }

    #[inline]
    pub(super) fn with_age(self, age: AgeEpoch) -> Self {
        Self(self.0 & !AGE | u64::from(age.number()) << AGE_SHIFT)
    }

    #[inline]
    pub(super) fn with_member(self, member: MemberId) -> Self {
        Self(self.0 & !MEMBER | u64::from(member.0) & MEMBER)
    }

    /// The same key as a static entry.
    pub(super) fn made_static(self, member: MemberId) -> Self {
        Self::fixed(self.0 & (IDENTITY | ALTERNATE), member)
    }

    /// The same entry as it reads in its other bucket.
    pub(super) fn flipped(self) -> Self {
        Self(self.0 ^ ALTERNATE)
    }
}
