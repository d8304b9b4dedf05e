//! The one thread that inserts, removes, ages and grows.

mod growth;
mod sweep;

use std::sync::Arc;

use bridge_model::types::{Fid, MemberId, PortId};

use self::growth::Growth;
pub use self::growth::GrowthStage;
pub use self::sweep::{SweepProgress, Verdict};
use super::age::{AgeEpoch, AgeTable};
use super::bucket::LANES;
use super::counts::Counts;
use super::store::{Full, Store};
use super::table::{Hashed, MacTable};
use super::word::Word;

/// What a worker saw of a station: a source address that is not in the table, or that it has just
/// moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnEvent {
    /// The station's address in the low 48 bits.
    pub mac: u64,
    /// The learning domain.
    pub fid: Fid,
    /// Where the station is.
    pub member: MemberId,
    /// Where it was, if the worker moved the entry ([`Hit::move_to`](super::Hit::move_to) was
    /// true); `None` if it had found none.
    pub moved_from: Option<MemberId>,
}

const _: () = assert!(size_of::<LearnEvent>() == 16);

/// What became of a [`LearnEvent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learned {
    /// The station is in the table now.
    New,
    /// The station was known elsewhere. Also for a move that a worker had made already.
    Moved {
        /// Where it was.
        from: MemberId,
    },
    /// It was there already.
    Same,
    /// It is not learned.
    Refused(Refusal),
}

/// Why an address is not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A static entry names another member.
    #[error("a static entry says that this station is elsewhere")]
    Static,
    /// The table is full.
    #[error("the MAC table is full: let it grow, or lower the number of stations")]
    Full,
    /// The port, or the learning domain, holds more than its share of a table that fills up.
    #[error("the MAC table is filling up and this port or bridge has the most entries")]
    Share,
    /// Group addresses, the zero address and member 0 name no place.
    #[error("not the address of one station, or not a member")]
    Nobody,
}

/// One entry, as shown and judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryView {
    /// The learning domain.
    pub fid: Fid,
    /// The address in the low 48 bits.
    pub mac: u64,
    /// Where the station is.
    pub member: MemberId,
    /// Put here by an administrator: does not age.
    pub is_static: bool,
    /// For how many steps of a sixth of the ageing time it has been idle, 0..=7; 0 if static.
    pub idle_steps: u8,
}

impl EntryView {
    /// Whether the station has been idle for longer than the ageing time of its domain.
    pub fn is_expired(&self) -> bool {
        self.idle_steps == AgeEpoch::EXPIRED
    }
}

/// How full the table is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// All entries.
    pub entries: u64,
    /// Static ones among them.
    pub statics: u64,
    /// The number of entries up to which learning goes on.
    pub capacity: u64,
    /// Entries outside of their home bucket: they cost two cache lines a lookup.
    pub alternates: u64,
    /// Entries moved to make room, ever.
    pub displacements: u64,
    /// Overflow counters that lost count (three keys of one home bucket and class were displaced at
    /// once): misses of that class cost a second line until the table is rebuilt.
    pub saturated: u64,
    /// Events refused since the table was full.
    pub refused_full: u64,
    /// Events refused since the port or domain had the most entries.
    pub refused_share: u64,
    /// Memory of the table, in octets.
    pub octets: u64,
}

impl Statistics {
    /// Octets for each entry; `None` while there is none.
    pub fn octets_per_entry(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a figure to show")]
        (self.entries > 0).then(|| self.octets as f64 / self.entries as f64)
    }
}

/// The only inserter and remover of a [`MacTable`]; lives on a control thread.
///
/// While the table grows there are two of them (see [`MacWriter::grow`]), and every change is made in
/// both.
#[derive(Debug)]
pub struct MacWriter {
    ages: Arc<AgeTable>,
    live: Store,
    growth: Option<Growth>,
    counts: Counts,
    statics: u64,
    refused_full: u64,
    refused_share: u64,
}

/// Learning stops when this many of each ten slots are taken.
const LOAD_TENTHS: u64 = 9;

/// A port or domain may hold up to this many times the number of free places. Alone it can take
/// 16/17 of the capacity; two that want everything get 16/33 each, and so on: whoever has the most
/// stops first.
const SHARE_OF_FREE: u64 = 16;

impl MacWriter {
    /// The writer of `table`, which must be empty and have no other writer.
    pub fn new(table: Arc<MacTable>, ages: Arc<AgeTable>) -> Self {
        Self {
            ages,
            live: Store::new(table),
            growth: None,
            counts: Counts::default(),
            statics: 0,
            refused_full: 0,
            refused_share: 0,
        }
    }

    /// The table to compile into the next image: the new one once it is [`GrowthStage::Ready`].
    pub fn table(&self) -> &Arc<MacTable> {
        &self.newest().table
    }

    /// Says which port the entries of a member count for, now and later. Call it for every member of
    /// a new image; a member without a port has no share of its own, only its domain's.
    pub fn assign_port(&mut self, fid: Fid, member: MemberId, port: PortId) {
        self.counts.assign(fid, member, port);
    }

    /// Brings the memory near that [`learn`](Self::learn) will need: call it for a batch of events
    /// first when the table is larger than the caches.
    #[inline]
    pub fn prefetch(&self, event: &LearnEvent) {
        self.newest().table.prefetch(self.live.table.hash(event.fid, event.mac));
    }

    /// Takes in what a worker saw.
    pub fn learn(&mut self, event: &LearnEvent) -> Learned {
        if !names_station(event.mac) || !is_member(event.member) {
            return Learned::Refused(Refusal::Nobody);
        }
        if let Some(from) = event.moved_from {
            self.note_move(event, from);
            return Learned::Moved { from };
        }
        let key = self.live.table.hash(event.fid, event.mac);
        let age = self.ages.epoch(event.fid, key);
        if let Some((_, seen)) = self.newest().get(key) {
            return self.learn_known(event, key, seen, age);
        }
        if let Err(refusal) = self.admit(event.fid, event.member) {
            return Learned::Refused(refusal);
        }
        if self.insert(key, |identity| Word::learned(identity, event.member, age)).is_ok() {
            self.counts.add(event.fid, event.member, 1);
            Learned::New
        } else {
            self.refused_full += 1;
            Learned::Refused(Refusal::Full)
        }
    }

    /// An event "unknown" of a station that became known meanwhile.
    fn learn_known(
        &mut self,
        event: &LearnEvent,
        key: Hashed,
        seen: Word,
        age: AgeEpoch,
    ) -> Learned {
        if seen.member() == event.member {
            return Learned::Same;
        }
        if seen.is_static() {
            return Learned::Refused(Refusal::Static);
        }
        let (newest, other) = self.pair_mut();
        let Some(from) = newest.move_if(key, |_| true, event.member, age) else {
            return Learned::Same;
        };
        if let Some(other) = other {
            other.move_if(key, |_| true, event.member, age);
        }
        self.counts.transfer(event.fid, from, event.member);
        Learned::Moved { from }
    }

    /// A worker moved a station, in the table that it reads: do the same in the other one, if there
    /// is one, unless that has moved on.
    fn note_move(&mut self, event: &LearnEvent, from: MemberId) {
        self.counts.transfer(event.fid, from, event.member);
        let Some(growth) = &self.growth else { return };
        let key = self.live.table.hash(event.fid, event.mac);
        let age = self.ages.epoch(event.fid, key);
        growth.store.move_if(key, |word| word.member() == from, event.member, age);
        if growth.stage == GrowthStage::Ready {
            self.live.move_if(key, |word| word.member() == from, event.member, age);
        }
    }

    /// Whether there is a place for one more learned entry of this domain and of the member's port.
    fn admit(&mut self, fid: Fid, member: MemberId) -> Result<(), Refusal> {
        let free = self.capacity().saturating_sub(self.newest().entries);
        if free == 0 {
            self.refused_full += 1;
            return Err(Refusal::Full);
        }
        let held = self.counts.of_port_behind(fid, member).max(self.counts.of_fid(fid));
        if held >= free * SHARE_OF_FREE {
            self.refused_share += 1;
            return Err(Refusal::Share);
        }
        Ok(())
    }

    /// Puts a static entry, over a learned one if there is one.
    pub fn set_static(&mut self, fid: Fid, mac: u64, member: MemberId) -> Result<(), Refusal> {
        if !names_station(mac) || !is_member(member) {
            return Err(Refusal::Nobody);
        }
        let key = self.live.table.hash(fid, mac);
        let before = self.take_over(key, member);
        match before {
            Some(before) if before.is_static() => return Ok(()),
            Some(before) => self.counts.add(fid, before.member(), -1),
            None => self
                .insert(key, |identity| Word::fixed(identity, member))
                .map_err(|Full| Refusal::Full)?,
        }
        self.statics += 1;
        Ok(())
    }

    /// Makes a present entry static; what it was before.
    fn take_over(&mut self, key: Hashed, member: MemberId) -> Option<Word> {
        let fix = |store: &mut Store| {
            let (place, mut seen) = store.get(key)?;
            while let Err(Some(now)) = store.replace(place, seen, seen.made_static(member)) {
                seen = now;
            }
            Some(seen)
        };
        let (newest, other) = self.pair_mut();
        other.and_then(fix);
        fix(newest)
    }

    /// Removes an entry, learned or static; what it was.
    pub fn remove(&mut self, fid: Fid, mac: u64) -> Option<EntryView> {
        let key = self.live.table.hash(fid, mac);
        let take = |store: &mut Store| {
            let (place, mut seen) = store.get(key)?;
            while let Err(now) = store.remove(key, place, seen) {
                seen = now;
            }
            Some(seen)
        };
        let (newest, other) = self.pair_mut();
        other.and_then(take);
        let word = take(newest)?;
        let view = self.view(key, word);
        self.uncount(&view);
        Some(view)
    }

    fn uncount(&mut self, view: &EntryView) {
        if view.is_static {
            self.statics -= 1;
        } else {
            self.counts.add(view.fid, view.member, -1);
        }
    }

    /// The entry of a station.
    pub fn get(&self, fid: Fid, mac: u64) -> Option<EntryView> {
        let key = self.live.table.hash(fid, mac);
        let (_, word) = self.newest().get(key)?;
        Some(self.view(key, word))
    }

    /// All entries, in no particular order.
    pub fn entries(&self) -> impl Iterator<Item = EntryView> {
        let table = &self.newest().table;
        (0..table.buckets()).flat_map(move |index| {
            (1..LANES).filter_map(move |lane| {
                let word = table.bucket(index).word(lane)?;
                Some(self.view(table.key_of(index, word), word))
            })
        })
    }

    fn view(&self, key: Hashed, word: Word) -> EntryView {
        let (fid, mac) = self.live.table.restore(key);
        let is_static = word.is_static();
        let idle_steps =
            if is_static { 0 } else { self.ages.epoch(fid, key).steps_since(word.age()) };
        EntryView { fid, mac, member: word.member(), is_static, idle_steps }
    }

    /// Learned entries of a domain, static ones not counted. Always exact.
    pub fn learned_in_fid(&self, fid: Fid) -> u64 {
        self.counts.of_fid(fid)
    }

    /// Learned entries of a member, static ones not counted. After a growth it can be off by the
    /// stations that moved at the instant of the change-over, so it is for limits and display. That
    /// no entry names a retired member any more is known when a sweep that removes them has
    /// completed which began after the last event that names it.
    pub fn learned_by_member(&self, fid: Fid, member: MemberId) -> u64 {
        self.counts.of_member(fid, member)
    }

    /// Learned entries of a port (see [`assign_port`](Self::assign_port)), as exact as
    /// [`learned_by_member`](Self::learned_by_member).
    pub fn learned_by_port(&self, port: PortId) -> u64 {
        self.counts.of_port(port)
    }

    /// The number of entries up to which learning goes on: nine of ten slots.
    pub fn capacity(&self) -> u64 {
        self.newest().table.slots() * LOAD_TENTHS / 10
    }

    /// Whether it is time to [`grow`](Self::grow): four fifths of the capacity are taken.
    pub fn is_crowded(&self) -> bool {
        self.growth.is_none() && self.live.entries * 5 >= self.capacity() * 4
    }

    /// How full the table is.
    pub fn statistics(&self) -> Statistics {
        let store = self.newest();
        Statistics {
            entries: store.entries,
            statics: self.statics,
            capacity: self.capacity(),
            alternates: store.alternates,
            displacements: store.displacements,
            saturated: store.saturated,
            refused_full: self.refused_full,
            refused_share: self.refused_share,
            octets: store.table.octets(),
        }
    }

    /// Inserts an entry that is not present, into both tables while growing.
    fn insert(&mut self, key: Hashed, word: impl Fn(u64) -> Word) -> Result<(), Full> {
        let insert = |store: &mut Store| {
            let identity = store.table.identity(key);
            store.insert(key, word(identity))
        };
        let (newest, other) = self.pair_mut();
        insert(newest)?;
        let other = other.map_or(Ok(()), insert);
        if other == Err(Full) && self.stage() == Some(GrowthStage::Copying) {
            self.abandon_growth();
        }
        // If it is the old table that is full, the station floods until the new one is published.
        self.take_back_lost_moves();
        Ok(())
    }

    fn take_back_lost_moves(&mut self) {
        let Self { live, growth, counts, .. } = self;
        for store in std::iter::once(live).chain(growth.as_mut().map(|growth| &mut growth.store)) {
            for lost in store.lost_moves.drain(..) {
                let (fid, _) = store.table.restore(lost.key);
                counts.transfer(fid, lost.to, lost.from);
            }
        }
    }

    fn stage(&self) -> Option<GrowthStage> {
        self.growth.as_ref().map(|growth| growth.stage)
    }

    /// The table that holds every entry: the old one while copying, then the new one.
    fn newest(&self) -> &Store {
        match &self.growth {
            Some(growth) if growth.stage != GrowthStage::Copying => &growth.store,
            _ => &self.live,
        }
    }

    /// [`newest`](Self::newest), and the other table if it is in use.
    fn pair_mut(&mut self) -> (&mut Store, Option<&mut Store>) {
        match &mut self.growth {
            None => (&mut self.live, None),
            Some(growth) => match growth.stage {
                GrowthStage::Copying => (&mut self.live, Some(&mut growth.store)),
                GrowthStage::Ready => (&mut growth.store, Some(&mut self.live)),
                GrowthStage::Merging => (&mut growth.store, None),
            },
        }
    }
}

fn names_station(mac: u64) -> bool {
    mac != 0 && mac >> 40 & 1 == 0 && mac >> 48 == 0
}

fn is_member(member: MemberId) -> bool {
    (1..=MemberId::MAX.0).contains(&member.0)
}
