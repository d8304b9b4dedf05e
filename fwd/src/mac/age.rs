//! When an entry has been idle for too long, without a clock read or a store per frame.
//!
//! Each learning domain has a clock that counts *steps* of a sixth of its ageing time, in units of
//! 1/8192 step. An entry holds the step number, modulo 8, of the last frame from its station; a
//! worker stores it again only when it differs. Each key shifts its own clock by 13 bits of its
//! permuted value, so the stations of a domain do not all come due in the same millisecond.
//!
//! An entry that is 7 steps behind has been idle for more than 6 and at most 7 steps. The step is
//! longer than a sixth of the ageing time T by 1/64, so that a clock that is published late (by up
//! to T/64) never makes an entry expire before T: entries go after T and at most 1.19 T, plus the
//! time until the sweep gets to them.
//!
//! Eight steps behind would read as fresh. So the clock never runs more than one step past the start
//! of the last complete sweep: if the control thread stalls, time stands still for ageing and
//! entries live longer, but none comes back to life.

use std::sync::Arc;
use std::time::Duration;

use bridge_model::types::Fid;

use super::table::Hashed;
use crate::sync::{AtomicU16, Ordering};

/// The number of a step, modulo 8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AgeEpoch(u8);

impl AgeEpoch {
    /// Steps after which an entry is expired.
    pub(super) const EXPIRED: u8 = 7;

    /// The number modulo 8.
    #[inline]
    pub const fn new(number: u8) -> Self {
        Self(number & 7)
    }

    /// 0..=7.
    #[inline]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// How many steps `self` is after `earlier`, 0..=7.
    #[inline]
    pub const fn steps_since(self, earlier: Self) -> u8 {
        self.0.wrapping_sub(earlier.0) & 7
    }
}

/// The clocks as workers read them: two octets a learning domain.
#[derive(Debug)]
pub struct AgeTable {
    clocks: Box<[AtomicU16]>,
}

impl AgeTable {
    /// Clock units in a step, minus one.
    pub(super) const PHASE: u16 = (1 << 13) - 1;

    fn new(fids: usize) -> Self {
        Self { clocks: (0..fids).map(|_| AtomicU16::new(0)).collect() }
    }

    /// The current step of a key of `fid`. A domain without a clock stands at step 0.
    #[inline]
    pub fn epoch(&self, fid: Fid, key: Hashed) -> AgeEpoch {
        let clock = self.clocks.get(fid.index()).map_or(0, |clock| clock.load(Ordering::Relaxed));
        AgeEpoch((clock.wrapping_add(key.phase()) >> Self::PHASE.count_ones() & 7) as u8)
    }
}

#[derive(Clone, Copy, Debug)]
struct Rate {
    /// Length of a step.
    step: Duration,
    since: Duration,
    units_then: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct FidClock {
    rate: Option<Rate>,
    /// Clock units published so far.
    units: u64,
    /// What `units` was when the last complete sweep and the present one began.
    complete_sweep: u64,
    present_sweep: u64,
}

/// The clocks as the control thread drives them. `now` is time since any fixed instant.
#[derive(Debug)]
pub struct AgeClock {
    table: Arc<AgeTable>,
    fids: Vec<FidClock>,
    /// The domains whose clocks run: what a turn costs depends on these only.
    running: Vec<Fid>,
}

const UNITS_PER_STEP: u64 = AgeTable::PHASE as u64 + 1;

impl AgeClock {
    /// Clocks for the domains 0..`fids`, all standing still.
    pub fn new(fids: usize) -> Self {
        let fids = fids.min(usize::from(u16::MAX) + 1);
        Self {
            table: Arc::new(AgeTable::new(fids)),
            fids: vec![FidClock::default(); fids],
            running: Vec::new(),
        }
    }

    /// What workers read.
    pub fn table(&self) -> Arc<AgeTable> {
        Arc::clone(&self.table)
    }

    /// Sets the ageing time of a domain, or `None` to stop ageing. Entries keep the steps that they
    /// are behind: from now on they age at the new rate.
    pub fn set_ageing(&mut self, fid: Fid, ageing: Option<Duration>, now: Duration) {
        let Some(clock) = self.fids.get_mut(fid.index()) else { return };
        let step = ageing.map(|ageing| ageing * 65 / (6 * 64));
        if clock.rate.map(|rate| rate.step) == step {
            return;
        }
        if clock.rate.is_none() {
            (clock.complete_sweep, clock.present_sweep) = (clock.units, clock.units);
            self.running.push(fid);
        } else if step.is_none() {
            self.running.retain(|running| *running != fid);
        }
        clock.rate = step.map(|step| Rate { step, since: now, units_then: clock.units });
    }

    /// Publishes the time. Call it often: at least every 1/64 of the shortest ageing time.
    pub fn advance(&mut self, now: Duration) {
        for fid in &self.running {
            let clock = &mut self.fids[fid.index()];
            let Some(rate) = &mut clock.rate else { continue };
            let passed = now.saturating_sub(rate.since).as_nanos() * u128::from(UNITS_PER_STEP)
                / rate.step.as_nanos().max(1);
            let target = rate.units_then.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX));
            let limit = clock.complete_sweep + (UNITS_PER_STEP - 1);
            if target > limit {
                // The sweep is late. Catching up afterwards would expire entries that were stamped
                // while the clock stood, so this time is lost for good.
                *rate = Rate { step: rate.step, since: now, units_then: limit };
            }
            clock.units = clock.units.max(target.min(limit));
            #[expect(clippy::cast_possible_truncation, reason = "a clock modulo 2^16")]
            self.table.clocks[fid.index()].store(clock.units as u16, Ordering::Relaxed);
        }
    }

    /// Notes that a sweep has visited every entry and the next one begins.
    pub fn sweep_completed(&mut self) {
        for fid in &self.running {
            let clock = &mut self.fids[fid.index()];
            clock.complete_sweep = clock.present_sweep;
            clock.present_sweep = clock.units;
        }
    }
}

#[cfg(test)]
mod tests;
