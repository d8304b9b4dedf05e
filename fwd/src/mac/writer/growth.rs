//! A larger table while workers go on with the old one.
//!
//! 1. *Copying*: workers use the old table only. The old entries are copied bucket by bucket; every
//!    insert, removal and static entry is made in both tables, every reported move is replayed in
//!    the new one.
//! 2. *Ready*: the new table goes into an image. For a moment some workers use the old table and some
//!    the new one; changes are made in both.
//! 3. *Merging*: all workers use the new table, the old one stands still. What is missing in the new
//!    one are ages that workers refreshed in the old one: the fresher age of each pair is kept.
//!
//! No entry is lost: call an old bucket *done* when it has been copied. Every old entry is in a
//! bucket that is not done (then it will be copied), or in the new table. Copying a bucket keeps this
//! true; an insert puts the entry into both tables; a displacement from a bucket that is not done to
//! one that is notes the key, and noted keys are copied before the stage ends. Removal takes both.
//! Workers never insert or remove.
//!
//! A move that a worker made in the old table reaches the new one with the copy or with its event,
//! whichever is later. If the station is moved in the new table before, that move stands and the
//! earlier one stays in the counts of its members (see `counts`).

use std::sync::Arc;

use super::MacWriter;
use crate::mac::age::AgeEpoch;
use crate::mac::bucket::LANES;
use crate::mac::store::{Full, Store};
use crate::mac::table::{Hashed, MacTable, TableError};
use crate::mac::word::{ALTERNATE, IDENTITY, Word};

/// How far growth has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrowthStage {
    /// Entries are being copied; workers must not see the new table yet.
    Copying,
    /// The new table is complete: publish it, then call [`MacWriter::growth_published`].
    Ready,
    /// Ages are being merged.
    Merging,
}

#[derive(Debug)]
pub(super) struct Growth {
    pub(super) store: Store,
    pub(super) stage: GrowthStage,
}

impl MacWriter {
    /// Begins to move into a table of 2^`log2` buckets, at least as large as the present one (the
    /// same size repairs saturated counters). Hashes stay valid. The memory of both is needed until
    /// the end.
    pub fn grow(&mut self, log2: u32) -> Result<(), TableError> {
        if self.growth.is_some() {
            return Err(TableError::Growing);
        }
        if log2 < self.live.table.log2() {
            return Err(TableError::Size { log2 });
        }
        let table = MacTable::new(log2, self.live.table.seed)?;
        self.growth =
            Some(Growth { store: Store::new(Arc::new(table)), stage: GrowthStage::Copying });
        self.live.cursor = 0;
        self.live.slipped.clear();
        Ok(())
    }

    /// Works on up to `buckets` old buckets; `None` when no growth is under way (any more).
    pub fn growth_step(&mut self, buckets: u64) -> Option<GrowthStage> {
        for _ in 0..buckets {
            match self.growth.as_ref()?.stage {
                GrowthStage::Copying => self.copy_bucket(),
                GrowthStage::Ready => break,
                GrowthStage::Merging => self.merge_bucket(),
            }
        }
        Some(self.growth.as_ref()?.stage)
    }

    /// Says that every worker has quiesced on an image with the new table: none reads the old one.
    pub fn growth_published(&mut self) {
        if let Some(growth) = &mut self.growth
            && growth.stage == GrowthStage::Ready
        {
            growth.stage = GrowthStage::Merging;
            self.live.cursor = 0;
        }
    }

    fn copy_bucket(&mut self) {
        let Some(growth) = &mut self.growth else { return };
        let bucket = self.live.cursor;
        let mut copied = Ok(());
        if bucket < self.live.table.buckets() {
            self.live.cursor += 1;
            for lane in 1..LANES {
                let Some(word) = self.live.table.bucket(bucket).word(lane) else { continue };
                let key = self.live.table.key_of(bucket, word);
                copied = copied.and_then(|()| growth.copy(key, word));
            }
        } else if let Some(key) = self.live.slipped.pop() {
            if let Some((_, word)) = self.live.get(key) {
                copied = growth.copy(key, word);
            }
        } else {
            growth.stage = GrowthStage::Ready;
        }
        if copied.is_err() {
            self.abandon_growth();
        }
    }

    /// The new table refused an entry, which its size makes all but impossible. Nobody has seen it:
    /// stay with the old one.
    pub(super) fn abandon_growth(&mut self) {
        self.growth = None;
        self.live.cursor = 0;
        self.live.slipped.clear();
    }

    fn merge_bucket(&mut self) {
        let Some(growth) = &mut self.growth else { return };
        let bucket = self.live.cursor;
        if bucket == self.live.table.buckets() {
            if let Some(growth) = self.growth.take() {
                self.live = growth.store;
            }
            return;
        }
        self.live.cursor += 1;
        for lane in 1..LANES {
            let Some(old) = self.live.table.bucket(bucket).word(lane) else { continue };
            let key = self.live.table.key_of(bucket, old);
            let (fid, _) = self.live.table.restore(key);
            growth.merge_age(key, old, self.ages.epoch(fid, key));
        }
    }
}

impl Growth {
    fn copy(&mut self, key: Hashed, word: Word) -> Result<(), Full> {
        if self.store.get(key).is_some() {
            return Ok(());
        }
        let data = word.0 & !(IDENTITY | ALTERNATE);
        self.store.insert(key, Word(self.store.table.identity(key) | data))
    }

    fn merge_age(&mut self, key: Hashed, old: Word, now: AgeEpoch) {
        let Some((place, mut new)) = self.store.get(key) else { return };
        while !old.is_static()
            && !new.is_static()
            && now.steps_since(old.age()) < now.steps_since(new.age())
        {
            match self.store.replace(place, new, new.with_age(old.age())) {
                Err(Some(word)) => new = word,
                Ok(()) | Err(None) => return,
            }
        }
    }
}
