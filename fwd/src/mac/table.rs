//! The table as workers see it: look up, refresh, move. Nothing here allocates, locks or waits.

use bridge_model::types::{Fid, MemberId};

use super::age::{AgeEpoch, AgeTable};
use super::bucket::Bucket;
use super::kernel::{self, BucketRef, Kernel};
use super::kernel_memory::Buckets;
use super::permute::{self, Seed};
use super::word::{ALTERNATE, Word};
use crate::sync::{AtomicU64, Ordering, spin_loop};

/// Entries in a bucket.
pub(super) const SLOTS_PER_BUCKET: usize = 7;

const MAC_BITS: u32 = 48;
const MAC_MASK: u64 = (1 << MAC_BITS) - 1;

/// A key after the permutation: what a lookup starts from. Valid for the table that made it and for
/// those that it grows into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hashed(pub(super) u64);

impl Hashed {
    /// Which of the sixteen overflow counters of its home bucket a key is counted in.
    #[inline]
    pub(super) fn class(self) -> u32 {
        (self.0 >> MacTable::LOG2_MAX & 15) as u32
    }

    /// Where in its ageing step a key's epoch changes: 13 bits.
    #[inline]
    pub(super) fn phase(self) -> u16 {
        #[expect(clippy::cast_possible_truncation, reason = "masked to 13 bits")]
        let phase = (self.0 >> 32) as u16 & AgeTable::PHASE;
        phase
    }
}

/// The MAC table is asked for in a size that it cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Outside of [`MacTable::LOG2_MIN`]..=[`MacTable::LOG2_MAX`].
    #[error("a MAC table of 2^{log2} buckets cannot be: choose from 2^{min} to 2^{max}",
        min = MacTable::LOG2_MIN, max = MacTable::LOG2_MAX)]
    Size {
        /// What was asked for.
        log2: u32,
    },
    /// The operating system gave no memory.
    #[error("no memory for a MAC table of {octets} octets: free some, or ask for fewer buckets")]
    Memory {
        /// What was asked for.
        octets: u64,
    },
    /// Growth was asked for while the table is growing.
    #[error("the MAC table is still growing: finish that first")]
    Growing,
}

/// Stations by (learning domain, MAC address). Any number of threads look up, refresh and move
/// entries; one [`MacWriter`](super::MacWriter) inserts and removes.
#[derive(Debug)]
pub struct MacTable {
    buckets: Buckets,
    /// The number of buckets minus one.
    mask: u64,
    log2: u32,
    pub(super) seed: Seed,
}

impl MacTable {
    /// Base-2 logarithm of the smallest number of buckets: 8 MiB, 12 bits for the member.
    pub const LOG2_MIN: u32 = 17;
    /// Base-2 logarithm of the largest number of buckets: 16 GiB, a milliard of stations.
    pub const LOG2_MAX: u32 = 28;

    /// An empty table of 2^`log2` buckets of seven entries, keyed with `seed`.
    pub fn new(log2: u32, seed: Seed) -> Result<Self, TableError> {
        if !(Self::LOG2_MIN..=Self::LOG2_MAX).contains(&log2) {
            return Err(TableError::Size { log2 });
        }
        let buckets =
            Buckets::new(log2).ok_or(TableError::Memory { octets: (1 << log2) * BUCKET_OCTETS })?;
        Ok(Self { buckets, mask: (1 << log2) - 1, log2, seed })
    }

    /// Base-2 logarithm of the number of buckets.
    pub fn log2(&self) -> u32 {
        self.log2
    }

    /// The number of buckets.
    pub fn buckets(&self) -> u64 {
        self.mask + 1
    }

    /// How many entries there is room for, seven a bucket.
    pub fn slots(&self) -> u64 {
        self.buckets() * SLOTS_PER_BUCKET as u64
    }

    /// The memory that the table takes, in octets.
    pub fn octets(&self) -> u64 {
        self.buckets() * BUCKET_OCTETS
    }

    /// Permutes a key: `mac` is the address in the low 48 bits (higher bits are ignored), as in
    /// [`MacAddr::to_u64`](bridge_model::types::MacAddr::to_u64).
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "vectorised in the caller's loop")]
    pub fn hash(&self, fid: Fid, mac: u64) -> Hashed {
        Hashed(permute::permute(&self.seed, u64::from(fid.0) << MAC_BITS | mac & MAC_MASK))
    }

    /// Brings the bucket of a key near: call it for a whole burst before the first lookup.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "one instruction")]
    pub fn prefetch(&self, key: Hashed) {
        kernel::prefetch(self.buckets.get(key.0));
    }

    /// The entry of a key. Never misses one that is present, whatever happens meanwhile.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "must be compiled for the caller's kernel")]
    pub fn find<K: Kernel>(&self, kernel: K, key: Hashed) -> Option<Hit<'_>> {
        // Nearly every entry is at home, and an entry that was found needs no second look.
        let hit = probe(kernel, self.buckets.get(key.0), self.identity(key));
        if hit.is_some() { hit } else { self.find_elsewhere(kernel, key) }
    }

    /// The entry of a key that was not found at home at the first look. Apart, so that what it needs
    /// takes no registers from the first look.
    #[inline(never)]
    fn find_elsewhere<K: Kernel>(&self, kernel: K, key: Hashed) -> Option<Hit<'_>> {
        let identity = self.identity(key);
        let home = self.buckets.get(key.0);
        loop {
            let before = home.meta();
            if let Some(hit) = probe(kernel, home, identity) {
                return Some(hit);
            }
            // Missed at home. Final if the key cannot be elsewhere *and* it did not move while we
            // looked: a move changes the version between writing the copy and clearing the original.
            if before.overflows(key.class())
                && let Some(hit) = probe(kernel, self.alternate(key), identity | ALTERNATE)
            {
                return Some(hit);
            }
            if home.meta() == before {
                return None;
            }
            spin_loop();
        }
    }

    /// What identifies a key in its home bucket.
    #[inline]
    pub(super) fn identity(&self, key: Hashed) -> u64 {
        key.0 & !self.mask
    }

    /// The home bucket of a key.
    #[inline]
    pub(super) fn home(&self, key: Hashed) -> &Bucket {
        self.buckets.get(key.0)
    }

    /// The number of the home bucket.
    #[inline]
    pub(super) fn home_index(&self, key: Hashed) -> u64 {
        key.0 & self.mask
    }

    /// The number of the other bucket that a key may live in. Computed from the remainder only, and
    /// its own inverse; never the home bucket.
    #[inline]
    pub(super) fn alternate_index(&self, key: Hashed) -> u64 {
        let offset = key.0 >> (u64::BITS - self.log2) ^ key.0 >> self.log2;
        (key.0 ^ (offset | 1)) & self.mask
    }

    /// The other bucket.
    #[inline]
    pub(super) fn alternate(&self, key: Hashed) -> &Bucket {
        self.buckets.get(self.alternate_index(key))
    }

    /// A bucket by number.
    pub(super) fn bucket(&self, index: u64) -> &Bucket {
        self.buckets.get(index)
    }

    /// The permuted key of an entry found in bucket `index`.
    pub(super) fn key_of(&self, index: u64, word: Word) -> Hashed {
        let remainder = word.identity() & !self.mask;
        let index = index & self.mask;
        let home = if word.is_alternate() {
            self.alternate_index(Hashed(remainder | index))
        } else {
            index
        };
        Hashed(remainder | home)
    }

    /// What a permuted key was made from.
    pub(super) fn restore(&self, key: Hashed) -> (Fid, u64) {
        let key = permute::restore(&self.seed, key.0);
        (Fid((key >> MAC_BITS) as u16), key & MAC_MASK)
    }
}

/// Octets in a bucket: one cache line.
const BUCKET_OCTETS: u64 = 64;

#[inline(always)]
#[expect(clippy::inline_always, reason = "must be compiled for the caller's kernel")]
fn probe<K: Kernel>(kernel: K, bucket: &Bucket, identity: u64) -> Option<Hit<'_>> {
    let lanes = kernel.probe(BucketRef(bucket), identity);
    if lanes == 0 {
        return None;
    }
    let slot = bucket.slot(lanes.trailing_zeros() as usize);
    let word = Word(slot.load(Ordering::Acquire));
    if word.identity() == identity && word.0 != 0 {
        return Some(Hit { word, slot });
    }
    recheck(bucket, identity)
}

/// The entry changed between the vector load and the atomic one, or the identity is 0 (one key in
/// 2^47) and an empty slot looked like it.
#[cold]
fn recheck(bucket: &Bucket, identity: u64) -> Option<Hit<'_>> {
    let (lane, word) = bucket.position(identity)?;
    Some(Hit { word, slot: bucket.slot(lane) })
}

/// An entry as it was found.
#[derive(Clone, Copy, Debug)]
pub struct Hit<'t> {
    word: Word,
    slot: &'t AtomicU64,
}

impl Hit<'_> {
    /// Where the station is.
    #[inline]
    pub fn member(&self) -> MemberId {
        self.word.member()
    }

    /// Whether an administrator put the entry here: it neither moves nor ages.
    #[inline]
    pub fn is_static(&self) -> bool {
        self.word.is_static()
    }

    /// When the station was last heard. Without meaning if static.
    #[inline]
    pub fn age(&self) -> AgeEpoch {
        self.word.age()
    }

    /// Whether the station, heard now, needs a [`refresh`](Self::refresh).
    #[inline]
    pub fn is_stale(&self, now: AgeEpoch) -> bool {
        !self.is_static() && self.age() != now
    }

    /// Notes that the station was heard. If the entry changed since it was found, that change
    /// stands. Call it only when [`is_stale`](Self::is_stale): a store takes the line from other
    /// cores.
    #[inline]
    pub fn refresh(&self, now: AgeEpoch) {
        self.replace(self.word.with_age(now));
    }

    /// Points the entry at another member: effective for the next frame of any worker. False if the
    /// entry is static or changed since it was found; then the next frame tries again. Report a
    /// successful move to the writer, whose counts follow.
    #[inline]
    pub fn move_to(&self, member: MemberId, now: AgeEpoch) -> bool {
        self.replace(self.word.with_member(member).with_age(now))
    }

    #[inline]
    fn replace(&self, word: Word) -> bool {
        !self.is_static()
            && self
                .slot
                .compare_exchange(self.word.0, word.0, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
    }
}
