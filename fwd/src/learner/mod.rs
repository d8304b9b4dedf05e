//! The control thread's half of learning: what workers saw goes into the MAC table, what is old or
//! void goes out, and limits are watched.
//!
//! Start-up, and what the daemon does from then on:
//!
//! 1. [`Learner::new`], [`Image::build`] with [`Learner::image_parts`], [`Learner::install`], then
//!    [`publication`](mod@crate::publication) and the workers;
//! 2. [`Learner::turn`] as often as it likes, at least every 50 ms;
//! 3. for a change: compile, build, **install, then publish**; then [`Learner::retire`] what the
//!    compiler retired;
//! 4. when [`Publisher::is_quiescent`](crate::Publisher::is_quiescent): [`Learner::quiesced`];
//! 5. what [`Turn::released`] names goes back to the numbering; [`Turn::rebuild`] asks for step 3
//!    with the same tables (the MAC table has grown).

mod limits;
mod retired;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bridge_model::types::{Epoch, Fid, IndividualMac, MemberId, PortId};
use rtrb::Consumer;

use crate::counters::{CounterLayout, CounterSlots, PortSlot};
use crate::image::{Image, ImageParts};
use crate::live::Live;
use crate::mac::{
    AgeClock, EntryView, GrowthStage, LearnEvent, Learned, MacTable, MacWriter, Refusal, Seed,
    Statistics, TableError, Verdict,
};
use limits::Limits;
pub use retired::Released;
use retired::Retired;

/// Events taken from one worker's ring in one turn, at most.
const EVENTS_PER_TURN: usize = 8192;
/// How often the age clocks are published.
const CLOCK_INTERVAL: Duration = Duration::from_millis(50);
/// Buckets that growth works on in one turn.
const GROWTH_STEP: u64 = 16_384;
/// A complete sweep takes this part of the shortest ageing time.
const SWEEPS_PER_AGEING: u32 = 12;
/// A complete sweep never takes longer.
const SLOWEST_SWEEP: Duration = Duration::from_secs(10);
/// A complete sweep while retired numbers wait.
const URGENT_SWEEP: Duration = Duration::from_secs(1);

/// How the MAC table is made.
#[derive(Clone, Copy, Debug)]
pub struct LearnerOptions {
    /// Base-2 logarithm of the number of buckets to begin with, 17..=28; 7 stations each.
    pub log2_buckets: u32,
    /// The table grows up to here.
    pub max_log2_buckets: u32,
    /// The table's secret.
    pub seed: Seed,
    /// The layout of the workers' counters.
    pub layout: CounterLayout,
}

/// What a turn did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Stations learned.
    pub learned: u64,
    /// Stations that moved.
    pub moved: u64,
    /// Events of stations that were not taken in.
    pub refused: u64,
    /// Entries that aged out or became void.
    pub removed: u64,
    /// Numbers that no entry uses any more: for the numbering to hand out again.
    pub released: Option<Released>,
    /// The MAC table has grown: build an image from the same tables, install and publish it.
    pub rebuild: bool,
}

/// The only one who inserts into and removes from the MAC table.
#[derive(Debug)]
pub struct Learner {
    writer: MacWriter,
    clock: AgeClock,
    live: Arc<Live>,
    rings: Vec<Consumer<LearnEvent>>,
    image: Option<Arc<Image>>,
    statics: BTreeMap<(Fid, u64), MemberId>,
    limits: Limits,
    retired: Retired,
    max_log2: u32,
    grown: bool,
    shortest_ageing: Duration,
    clock_at: Option<Duration>,
    swept_at: Option<Duration>,
}

impl Learner {
    /// A learner with an empty table.
    pub fn new(options: &LearnerOptions) -> Result<Self, TableError> {
        let clock = AgeClock::new(usize::from(u16::MAX) + 1);
        let table = Arc::new(MacTable::new(options.log2_buckets, options.seed)?);
        Ok(Self {
            writer: MacWriter::new(table, clock.table()),
            clock,
            live: Arc::new(Live::new(options.layout)),
            rings: Vec::new(),
            image: None,
            statics: BTreeMap::new(),
            limits: Limits::default(),
            retired: Retired::default(),
            max_log2: options.max_log2_buckets,
            grown: false,
            shortest_ageing: Duration::MAX,
            clock_at: None,
            swept_at: None,
        })
    }

    /// Takes the learn events of one more worker.
    pub fn add_ring(&mut self, ring: Consumer<LearnEvent>) {
        self.rings.push(ring);
    }

    /// What changes between two images.
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// What [`Image::build`] needs from here.
    pub fn image_parts<'s>(
        &self,
        epoch: Epoch,
        slots: &'s mut CounterSlots,
        ticks_per_second: u64,
    ) -> ImageParts<'s> {
        ImageParts {
            epoch,
            mac: Arc::clone(self.writer.table()),
            ages: self.clock.table(),
            live: Arc::clone(&self.live),
            slots,
            ticks_per_second,
        }
    }

    /// Follows an image that is about to be published: its ageing times, its limits and exactly
    /// these static entries. Returns the static entries that found no place.
    pub fn install(
        &mut self,
        image: &Arc<Image>,
        statics: &[(Fid, MemberId, IndividualMac)],
        now: Duration,
    ) -> Vec<((Fid, MemberId, IndividualMac), Refusal)> {
        if let Some(old) = &self.image {
            for fid in old.fids() {
                self.clock.set_ageing(fid, None, now);
                for (member, _) in old.members(fid) {
                    if image.port_of(fid, member).is_none() {
                        // What is still in the table of it counts for no port any more.
                        let nobody = PortId(PortSlot::UNATTRIBUTED.0);
                        self.writer.assign_port(fid, member, nobody);
                    }
                }
            }
        }
        self.shortest_ageing = Duration::MAX;
        for fid in image.fids() {
            let ageing = image.ageing(fid);
            self.shortest_ageing = self.shortest_ageing.min(ageing);
            self.clock.set_ageing(fid, Some(ageing), now);
            for (member, slot) in image.members(fid) {
                self.writer.assign_port(fid, member, PortId(slot.0));
            }
        }
        self.limits.install(image, &self.live);
        self.image = Some(Arc::clone(image));
        self.limits.update(&self.writer, image, &self.live);
        self.install_statics(statics)
    }

    fn install_statics(
        &mut self,
        statics: &[(Fid, MemberId, IndividualMac)],
    ) -> Vec<((Fid, MemberId, IndividualMac), Refusal)> {
        let wanted: BTreeMap<(Fid, u64), MemberId> = statics
            .iter()
            .map(|(fid, member, mac)| ((*fid, mac.get().to_u64()), *member))
            .collect();
        for (fid, mac) in self.statics.keys().filter(|key| !wanted.contains_key(key)) {
            self.writer.remove(*fid, *mac);
        }
        self.statics = wanted;
        let mut refused = Vec::new();
        for entry @ (fid, member, mac) in statics {
            if let Err(refusal) = self.writer.set_static(*fid, mac.get().to_u64(), *member) {
                refused.push((*entry, refusal));
            }
        }
        refused
    }

    /// Numbers that no image will use any more: all that the numbering says are retired, not only the
    /// latest. Entries that name them are void at once; they are removed, and the numbers released,
    /// when no worker can write them again.
    pub fn retire(&mut self, members: Vec<(Fid, MemberId)>, fids: Vec<Fid>) {
        self.retired.retire(members, fids);
    }

    /// Every worker runs the image that was installed last.
    pub fn quiesced(&mut self) {
        self.retired.quiesced();
        let current = |image: &Arc<Image>| Arc::ptr_eq(&image.mac, self.writer.table());
        if self.image.as_ref().is_some_and(current) {
            self.writer.growth_published();
        }
    }

    /// Takes in what workers saw since the last turn, and does a share of the other work. `now` is
    /// time since any fixed instant.
    pub fn turn(&mut self, now: Duration) -> Turn {
        let mut turn = Turn::default();
        self.advance_clock(now);
        self.drain(now, &mut turn);
        self.sweep(now, &mut turn);
        self.grow(&mut turn);
        self.limits.resume(now, &self.live);
        if let Some(image) = &self.image {
            self.limits.update(&self.writer, image, &self.live);
        }
        self.live.end_turn();
        turn
    }

    fn advance_clock(&mut self, now: Duration) {
        let due = self.clock_at.is_none_or(|at| now.saturating_sub(at) >= CLOCK_INTERVAL);
        if due {
            self.clock_at = Some(now);
            self.clock.advance(now);
        }
    }

    fn drain(&mut self, now: Duration, turn: &mut Turn) {
        let Some(image) = self.image.clone() else { return };
        let mut rings = std::mem::take(&mut self.rings);
        for ring in &mut rings {
            for _ in 0..ring.slots().min(EVENTS_PER_TURN) {
                let Ok(event) = ring.pop() else { break };
                self.event(&image, &event, now, turn);
            }
        }
        self.rings = rings;
    }

    fn event(&mut self, image: &Image, event: &LearnEvent, now: Duration, turn: &mut Turn) {
        // A worker that still runs an older image may name a place that is no more.
        let Some(slot) = image.port_of(event.fid, event.member) else {
            // It has moved the station there all the same. The entry is void and the sweep removes
            // it, but then it must have been counted for the place it is removed from.
            if event.moved_from.is_some() {
                self.writer.learn(event);
                self.put_right(event);
            }
            return;
        };
        if event.moved_from.is_none() && !self.limits.admit(&self.writer, image, event, slot) {
            turn.refused += 1;
            return;
        }
        match self.writer.learn(event) {
            Learned::New => turn.learned += 1,
            Learned::Moved { .. } => turn.moved += 1,
            Learned::Same => {}
            Learned::Refused(refusal) => {
                turn.refused += 1;
                let port = self.writer.learned_by_port(PortId(slot.0));
                let has_most = port >= self.writer.learned_in_fid(event.fid);
                if matches!(refusal, Refusal::Share | Refusal::Full) && has_most {
                    self.limits.pause(slot, now, &self.live);
                }
            }
        }
        if event.moved_from.is_some() {
            self.put_right(event);
        }
    }

    /// A worker's move is in the table already, unless a static entry took its place meanwhile.
    fn put_right(&mut self, event: &LearnEvent) {
        let key = (event.fid, event.mac);
        if let Some(member) = self.statics.get(&key) {
            let _ = self.writer.set_static(event.fid, event.mac, *member);
        }
    }

    fn sweep(&mut self, now: Duration, turn: &mut Turn) {
        let Some(image) = self.image.clone() else { return };
        let period = if self.retired.is_waiting() {
            URGENT_SWEEP
        } else {
            (self.shortest_ageing / SWEEPS_PER_AGEING).min(SLOWEST_SWEEP)
        };
        let since = *self.swept_at.get_or_insert(now);
        let buckets = u128::from(self.writer.table().buckets());
        let share = buckets * now.saturating_sub(since).as_nanos() / period.as_nanos().max(1);
        let share = u64::try_from(share.min(buckets + 1)).unwrap_or(u64::MAX);
        if share == 0 {
            return;
        }
        self.swept_at = Some(now);
        let progress = self.sweep_buckets(&image, share);
        turn.removed += progress.removed;
        if progress.completed {
            self.clock.sweep_completed();
            turn.released = self.retired.sweep_completed();
        }
    }

    fn sweep_buckets(&mut self, image: &Image, buckets: u64) -> crate::mac::SweepProgress {
        let statics = &self.statics;
        self.writer.sweep(buckets, |entry| {
            let keep = if entry.is_static {
                statics.get(&(entry.fid, entry.mac)) == Some(&entry.member)
            } else {
                !entry.is_expired() && image.port_of(entry.fid, entry.member).is_some()
            };
            if keep { Verdict::Keep } else { Verdict::Remove }
        })
    }

    fn grow(&mut self, turn: &mut Turn) {
        let log2 = self.writer.table().log2();
        if self.writer.is_crowded() && log2 < self.max_log2 {
            // Without memory for a larger table the present one goes on, full.
            if self.writer.grow(log2 + 1).is_err() {
                self.max_log2 = log2;
            }
            self.grown = false;
        }
        let stage = self.writer.growth_step(GROWTH_STEP);
        if stage == Some(GrowthStage::Ready) && !self.grown {
            self.grown = true;
            turn.rebuild = true;
        }
    }

    /// Forgets one learned station. False if it was not there, or is static.
    pub fn forget(&mut self, fid: Fid, mac: IndividualMac) -> bool {
        let mac = mac.get().to_u64();
        if self.statics.contains_key(&(fid, mac)) {
            return false;
        }
        self.writer.remove(fid, mac).is_some()
    }

    /// The entry of a station, if it is in force.
    pub fn get(&self, fid: Fid, mac: IndividualMac) -> Option<EntryView> {
        self.writer.get(fid, mac.get().to_u64()).filter(|entry| self.is_in_force(entry))
    }

    /// Every entry that is in force, in no particular order. Entries of places that are no more are
    /// left out even before they are swept away.
    pub fn entries(&self) -> impl Iterator<Item = EntryView> {
        self.writer.entries().filter(|entry| self.is_in_force(entry))
    }

    fn is_in_force(&self, entry: &EntryView) -> bool {
        let used = |image: &Arc<Image>| image.port_of(entry.fid, entry.member).is_some();
        !entry.is_expired() && self.image.as_ref().is_some_and(used)
    }

    /// Learned stations of a port that are in force.
    pub fn learned_by_port(&self, slot: PortSlot) -> u64 {
        self.writer.learned_by_port(PortId(slot.0))
    }

    /// Learned stations of a learning domain that are in force.
    pub fn learned_in_fid(&self, fid: Fid) -> u64 {
        let image = self.image.as_deref();
        image.map_or(0, |image| limits::learned_in_fid(&self.writer, image, fid))
    }

    /// How full the MAC table is.
    pub fn statistics(&self) -> Statistics {
        self.writer.statistics()
    }
}
