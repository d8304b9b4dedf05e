//! Visiting every entry, a few buckets at a time: ageing, flushes, retired members.

use super::{EntryView, MacWriter};
use crate::mac::bucket::LANES;
use crate::mac::store::Place;
use crate::mac::table::Hashed;
use crate::mac::word::Word;

/// What a sweep does with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stays.
    Keep,
    /// It goes.
    Remove,
}

/// How far a call of [`MacWriter::sweep`] came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepProgress {
    /// Entries judged.
    pub visited: u64,
    /// Entries removed.
    pub removed: u64,
    /// Every entry that was in the table when the sweep began at its first bucket has been judged;
    /// the next call begins another. Tell
    /// [`AgeClock::sweep_completed`](crate::mac::AgeClock::sweep_completed).
    pub completed: bool,
}

impl MacWriter {
    /// Visits the next `buckets` buckets and asks `judge` about each entry. If a worker changes an
    /// entry before it can be removed, `judge` is asked again about what it is now.
    ///
    /// Stands still while the table grows (the [`AgeClock`](crate::mac::AgeClock) waits for it).
    pub fn sweep(
        &mut self,
        buckets: u64,
        mut judge: impl FnMut(&EntryView) -> Verdict,
    ) -> SweepProgress {
        let mut progress = SweepProgress::default();
        if self.growth.is_some() {
            return progress;
        }
        for _ in 0..buckets {
            let bucket = self.live.cursor;
            if bucket < self.live.table.buckets() {
                self.live.cursor += 1;
                for lane in 1..LANES {
                    let Some(word) = self.live.table.bucket(bucket).word(lane) else { continue };
                    let key = self.live.table.key_of(bucket, word);
                    self.visit(key, Place { bucket, lane }, word, &mut judge, &mut progress);
                }
            } else if let Some(key) = self.live.slipped.pop() {
                if let Some((place, word)) = self.live.get(key) {
                    self.visit(key, place, word, &mut judge, &mut progress);
                }
            } else {
                self.live.cursor = 0;
                progress.completed = true;
                break;
            }
        }
        self.take_back_lost_moves();
        progress
    }

    fn visit(
        &mut self,
        key: Hashed,
        place: Place,
        mut word: Word,
        judge: &mut impl FnMut(&EntryView) -> Verdict,
        progress: &mut SweepProgress,
    ) {
        progress.visited += 1;
        loop {
            let view = self.view(key, word);
            match judge(&view) {
                Verdict::Keep => {
                    if word.is_alternate() {
                        self.live.bring_home(key, place);
                    }
                    return;
                }
                Verdict::Remove => match self.live.remove(key, place, word) {
                    Ok(()) => {
                        self.uncount(&view);
                        progress.removed += 1;
                        return;
                    }
                    Err(now) => word = now,
                },
            }
        }
    }
}
