//! Inserting and removing in one table, while others read it.
//!
//! An entry goes to its home bucket if there is room, else to its alternate bucket, else room is
//! made: the shortest chain of entries that can each step into their other bucket (breadth-first),
//! executed from its end.
//!
//! A step is safe for readers: the copy is written first, then the home bucket's meta word changes,
//! then the original is cleared. A reader that finds neither original nor copy has seen the
//! cleared word, therefore (release and acquire) sees the new meta word, and looks again. Workers may
//! refresh or move the original until it is cleared: clearing is a compare-and-exchange, and what
//! changed is carried over to the copy first.

use std::sync::Arc;

use bridge_model::types::MemberId;

use super::age::AgeEpoch;
use super::bucket::LANES;
use super::table::{Hashed, MacTable};
use super::word::{ALTERNATE, Word};
use crate::sync::Ordering;

/// Buckets that are examined for a chain before the table counts as full. At the documented load
/// chains are one or two steps long.
const SEARCH_BUCKETS: usize = 512;

/// No room: no chain within the search bound leads to a free slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// A worker's move that lost against another worker's concurrent move of the same entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct LostMove {
    pub(super) key: Hashed,
    pub(super) from: MemberId,
    pub(super) to: MemberId,
}

/// Where an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) bucket: u64,
    pub(super) lane: usize,
}

/// A table with what only its writer knows.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) table: Arc<MacTable>,
    /// Occupied slots.
    pub(super) entries: u64,
    /// Entries outside of their home bucket.
    pub(super) alternates: u64,
    /// Steps of chains, ever.
    pub(super) displacements: u64,
    /// Overflow counters that have lost count.
    pub(super) saturated: u64,
    /// Moves to take back from the counts.
    pub(super) lost_moves: Vec<LostMove>,
    /// The bucket that the sweep visits next, and the entries that were displaced from buckets
    /// ahead of it to buckets behind it.
    pub(super) cursor: u64,
    pub(super) slipped: Vec<Hashed>,
    /// Scratch memory of the chain search.
    search: Vec<Node>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    bucket: u64,
    /// The node and lane whose entry would step into this bucket.
    parent: Option<(usize, usize)>,
}

impl Store {
    pub(super) fn new(table: Arc<MacTable>) -> Self {
        Self {
            table,
            entries: 0,
            alternates: 0,
            displacements: 0,
            saturated: 0,
            lost_moves: Vec::new(),
            cursor: 0,
            slipped: Vec::new(),
            search: Vec::new(),
        }
    }

    /// The place and present word of an entry.
    pub(super) fn get(&self, key: Hashed) -> Option<(Place, Word)> {
        let identity = self.table.identity(key);
        let at = |bucket, identity| {
            let (lane, word) = self.table.bucket(bucket).position(identity)?;
            Some((Place { bucket, lane }, word))
        };
        at(self.table.home_index(key), identity)
            .or_else(|| at(self.table.alternate_index(key), identity | ALTERNATE))
    }

    /// Replaces the word of an entry if it is still `seen`; else says what it is now.
    pub(super) fn replace(&self, place: Place, seen: Word, word: Word) -> Result<(), Option<Word>> {
        let slot = self.table.bucket(place.bucket).slot(place.lane);
        match slot.compare_exchange(seen.0, word.0, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Ok(()),
            Err(now) => Err((now != 0).then_some(Word(now))),
        }
    }

    /// Points a learned entry at another member if `condition` holds of it; where it pointed before.
    pub(super) fn move_if(
        &self,
        key: Hashed,
        condition: impl Fn(Word) -> bool,
        member: MemberId,
        age: AgeEpoch,
    ) -> Option<MemberId> {
        let (place, mut seen) = self.get(key)?;
        while !seen.is_static() && condition(seen) {
            match self.replace(place, seen, seen.with_member(member).with_age(age)) {
                Ok(()) => return Some(seen.member()),
                Err(now) => seen = now?,
            }
        }
        None
    }

    /// Inserts an entry that is not present. `word` reads as at home.
    pub(super) fn insert(&mut self, key: Hashed, word: Word) -> Result<(), Full> {
        let place = self.make_room(key)?;
        let slot = self.table.bucket(place.bucket).slot(place.lane);
        if place.bucket == self.table.home_index(key) {
            slot.store(word.0, Ordering::Release);
        } else {
            slot.store(word.0 | ALTERNATE, Ordering::Release);
            self.count_overflow(key);
        }
        self.entries += 1;
        Ok(())
    }

    /// Removes an entry if its word is still `seen`; else says what it is now.
    pub(super) fn remove(&mut self, key: Hashed, place: Place, seen: Word) -> Result<(), Word> {
        if let Err(Some(now)) = self.replace(place, seen, Word(0)) {
            return Err(now);
        }
        if seen.is_alternate() {
            self.uncount_overflow(key);
        }
        self.entries -= 1;
        Ok(())
    }

    /// Brings an entry back to its home bucket if there is room.
    pub(super) fn bring_home(&mut self, key: Hashed, place: Place) {
        let bucket = self.table.home_index(key);
        if let Some(lane) = self.table.bucket(bucket).vacancy() {
            self.step(place, Place { bucket, lane });
        }
    }

    fn count_overflow(&mut self, key: Hashed) {
        let home = self.table.home(key);
        let before = home.meta().is_saturated(key.class());
        home.count_overflow(key.class());
        self.saturated += u64::from(!before && home.meta().is_saturated(key.class()));
        self.alternates += 1;
    }

    fn uncount_overflow(&mut self, key: Hashed) {
        self.table.home(key).uncount_overflow(key.class());
        self.alternates -= 1;
    }

    /// A free slot in one of the two buckets of a key, at home if possible.
    fn make_room(&mut self, key: Hashed) -> Result<Place, Full> {
        let buckets = [self.table.home_index(key), self.table.alternate_index(key)];
        for bucket in buckets {
            if let Some(lane) = self.table.bucket(bucket).vacancy() {
                return Ok(Place { bucket, lane });
            }
        }
        let mut search = std::mem::take(&mut self.search);
        search.clear();
        search.extend(buckets.map(|bucket| Node { bucket, parent: None }));
        let room = self
            .search_chain(&mut search)
            .map(|(free, from)| self.execute_chain(&search, free, from));
        self.search = search;
        room.ok_or(Full)
    }

    /// The nearest free slot, and the node and lane whose entry can step into it.
    fn search_chain(&self, nodes: &mut Vec<Node>) -> Option<(Place, (usize, usize))> {
        let mut next = 0;
        while let Some(node) = nodes.get(next).copied() {
            for lane in 1..LANES {
                let Some(word) = self.table.bucket(node.bucket).word(lane) else { continue };
                let bucket = self.other_bucket(node.bucket, word);
                if let Some(free) = self.table.bucket(bucket).vacancy() {
                    return Some((Place { bucket, lane: free }, (next, lane)));
                }
                if nodes.len() < SEARCH_BUCKETS {
                    nodes.push(Node { bucket, parent: Some((next, lane)) });
                }
            }
            next += 1;
        }
        None
    }

    /// Moves the entries of a chain, last one first. What becomes free is a slot of the first
    /// bucket.
    fn execute_chain(&mut self, nodes: &[Node], free: Place, from: (usize, usize)) -> Place {
        let (mut free, mut from) = (free, Some(from));
        while let Some((node, lane)) = from {
            let place = Place { bucket: nodes[node].bucket, lane };
            self.step(place, free);
            self.displacements += 1;
            (free, from) = (place, nodes[node].parent);
        }
        free
    }

    /// The other bucket of an entry found in `bucket`.
    fn other_bucket(&self, bucket: u64, word: Word) -> u64 {
        let key = self.table.key_of(bucket, word);
        if word.is_alternate() {
            self.table.home_index(key)
        } else {
            self.table.alternate_index(key)
        }
    }

    /// Moves one entry to a free slot in its other bucket.
    pub(super) fn step(&mut self, from: Place, to: Place) {
        let table = Arc::clone(&self.table);
        let original = table.bucket(from.bucket).slot(from.lane);
        let mut seen = Word(original.load(Ordering::Acquire));
        let key = table.key_of(from.bucket, seen);
        table.bucket(to.bucket).slot(to.lane).store(seen.flipped().0, Ordering::Release);
        let goes_home = seen.is_alternate();
        if goes_home {
            table.home(key).note_move();
        } else {
            self.count_overflow(key);
        }
        while let Err(now) =
            original.compare_exchange(seen.0, 0, Ordering::AcqRel, Ordering::Acquire)
        {
            self.carry_over(key, to, seen.flipped(), Word(now).flipped());
            seen = Word(now);
        }
        if goes_home {
            self.uncount_overflow(key);
        }
        if from.bucket >= self.cursor && to.bucket < self.cursor {
            self.slipped.push(key);
        }
    }

    /// Applies to a copy what a worker did to its original (`before` -> `after`), field by field.
    /// A field that another worker changed in the copy meanwhile stays: the two were concurrent.
    fn carry_over(&mut self, key: Hashed, copy: Place, before: Word, after: Word) {
        let slot = self.table.bucket(copy.bucket).slot(copy.lane);
        let moved = after.member() != before.member();
        let mut now = Word(slot.load(Ordering::Acquire));
        loop {
            let mut word = now;
            let lost = moved && now.member() != before.member();
            if moved && !lost {
                word = word.with_member(after.member());
            }
            if now.age() == before.age() {
                word = word.with_age(after.age());
            }
            match slot.compare_exchange(now.0, word.0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) if lost => {
                    let (from, to) = (before.member(), after.member());
                    self.lost_moves.push(LostMove { key, from, to });
                    return;
                }
                Ok(_) => return,
                Err(other) => now = Word(other),
            }
        }
    }
}
