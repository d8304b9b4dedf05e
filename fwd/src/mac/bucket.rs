//! One cache line: a meta word and seven entries.
//!
//! Meta word: bits 0..32 are sixteen 2-bit counters, bits 32..64 a version.
//!
//! * Counter `c` counts the keys of class `c` whose *home* is this bucket and that live in their
//!   alternate bucket. Zero means that a miss here is final after one line. A counter that reaches 3
//!   stays there (the count is lost), which costs later misses of that class a second line until
//!   the table is rebuilt.
//! * The version changes whenever a key with this home moves between its two buckets. A reader that
//!   missed compares the whole word before and after.

use super::word::Word;
use crate::sync::{AtomicU64, Ordering};

/// Words in a bucket: lane 0 is the meta word.
pub(super) const LANES: usize = 8;

/// One bucket, exactly one cache line.
#[repr(C, align(64))]
#[derive(Debug)]
pub(super) struct Bucket {
    words: [AtomicU64; LANES],
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Bucket>() == 64 && align_of::<Bucket>() == 64);

const COUNTER_FULL: u64 = 3;
const VERSION_STEP: u64 = 1 << 32;

/// What a meta word said at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meta(u64);

impl Meta {
    /// Whether a key of this class may live in its alternate bucket.
    #[inline]
    pub(super) fn overflows(self, class: u32) -> bool {
        self.0 >> (2 * class) & COUNTER_FULL != 0
    }

    /// Whether the counter of this class has lost count.
    pub(super) fn is_saturated(self, class: u32) -> bool {
        self.0 >> (2 * class) & COUNTER_FULL == COUNTER_FULL
    }
}

impl Bucket {
    #[cfg(any(loom, miri))]
    pub(super) fn empty() -> Self {
        Self { words: std::array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// The words as memory, for the kernels: lane 0 is the meta word.
    #[inline]
    pub(super) fn words(&self) -> &[AtomicU64; LANES] {
        &self.words
    }

    /// The slot in a lane, 1..=7. Lane numbers are masked so that no bounds check remains.
    #[inline]
    pub(super) fn slot(&self, lane: usize) -> &AtomicU64 {
        &self.words[lane & (LANES - 1)]
    }

    /// Acquire: what is read after this is at least as new as what the writer wrote before it.
    #[inline]
    pub(super) fn meta(&self) -> Meta {
        Meta(self.words[0].load(Ordering::Acquire))
    }

    /// The lane and word of an entry, by reading one word at a time.
    #[inline]
    pub(super) fn position(&self, identity: u64) -> Option<(usize, Word)> {
        (1..LANES).find_map(|lane| {
            let word = self.word(lane)?;
            (word.identity() == identity).then_some((lane, word))
        })
    }

    /// The entry in a lane, or `None` when the slot is empty.
    #[inline]
    pub(super) fn word(&self, lane: usize) -> Option<Word> {
        let word = self.slot(lane).load(Ordering::Acquire);
        (word != 0).then_some(Word(word))
    }

    /// The first free lane.
    pub(super) fn vacancy(&self) -> Option<usize> {
        (1..LANES).find(|lane| self.word(*lane).is_none())
    }

    /// Writer only: a key with this home is about to leave its old bucket for the other one; its
    /// copy is already there.
    pub(super) fn note_move(&self) {
        let meta = self.words[0].load(Ordering::Relaxed);
        self.words[0].store(meta.wrapping_add(VERSION_STEP), Ordering::Release);
    }

    /// Writer only: one more key of `class` lives in its alternate bucket.
    pub(super) fn count_overflow(&self, class: u32) {
        let meta = self.words[0].load(Ordering::Relaxed);
        let step = if Meta(meta).is_saturated(class) { 0 } else { 1 << (2 * class) };
        self.words[0].store(meta.wrapping_add(VERSION_STEP + step), Ordering::Release);
    }

    /// Writer only: one key of `class` less lives in its alternate bucket.
    pub(super) fn uncount_overflow(&self, class: u32) {
        let meta = self.words[0].load(Ordering::Relaxed);
        if Meta(meta).overflows(class) && !Meta(meta).is_saturated(class) {
            self.words[0].store(meta.wrapping_sub(1 << (2 * class)), Ordering::Release);
        }
    }
}
