//! The workers as everyone but the control thread sees them.
//!
//! The control thread owns the handles and copies what they show; so a stalled control thread looks
//! like stalled workers, and the watchdog notices both.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bridge_model::types::{Epoch, Name, Revision};
use fwd::counters::WorkerCounters;
use fwd_worker::Observation;

/// One worker.
#[derive(Debug)]
pub struct WorkerView {
    /// Its number, from 0.
    pub index: u32,
    /// The CPU it runs on.
    pub cpu: u32,
    /// The interfaces it polls.
    pub interfaces: Vec<Name>,
    /// The instruction set of its kernels.
    pub isa: &'static str,
    /// Its counters.
    pub counters: Arc<WorkerCounters>,
    ticks_per_second: u64,
    alive_at: AtomicU64,
    busy: AtomicU64,
    all: AtomicU64,
    gap_max: AtomicU64,
    epoch: AtomicU64,
    revision: AtomicU64,
}

/// What never changes about a worker.
#[derive(Debug)]
pub struct WorkerFacts {
    /// Its number, from 0.
    pub index: u32,
    /// The CPU it runs on.
    pub cpu: u32,
    /// The interfaces it polls.
    pub interfaces: Vec<Name>,
    /// The instruction set of its kernels.
    pub isa: &'static str,
    /// How many of its ticks make a second.
    pub ticks_per_second: u64,
}

impl WorkerView {
    /// A worker that is about to start.
    pub fn new(facts: WorkerFacts, counters: Arc<WorkerCounters>) -> Self {
        let WorkerFacts { index, cpu, interfaces, isa, ticks_per_second } = facts;
        let zero = || AtomicU64::new(0);
        Self {
            index,
            cpu,
            interfaces,
            isa,
            counters,
            ticks_per_second,
            alive_at: AtomicU64::new(rte_rs::ticks()),
            busy: zero(),
            all: zero(),
            gap_max: zero(),
            epoch: zero(),
            revision: zero(),
        }
    }

    /// Takes what the worker shows.
    pub(crate) fn observe(&self, seen: &Observation) {
        // One that has not made its first turn yet counts from when it was made.
        if seen.alive_at != 0 {
            self.alive_at.store(seen.alive_at, Ordering::Relaxed);
        }
        self.busy.store(seen.busy_ticks, Ordering::Relaxed);
        let all = seen.busy_ticks + seen.idle_ticks + seen.slept_ticks;
        self.all.store(all, Ordering::Relaxed);
        self.gap_max.fetch_max(seen.poll_gap_max_ticks, Ordering::Relaxed);
    }

    /// Takes which image the worker runs.
    pub(crate) fn runs(&self, epoch: Epoch, revision: Revision) {
        self.epoch.store(epoch.0, Ordering::Relaxed);
        self.revision.store(revision.0, Ordering::Relaxed);
    }

    /// For how long it has not been seen.
    pub fn silent_for(&self) -> Duration {
        let alive_at = self.alive_at.load(Ordering::Relaxed);
        ticks_as_time(rte_rs::ticks().saturating_sub(alive_at), self.ticks_per_second)
    }

    /// The image it runs.
    pub fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Relaxed))
    }

    /// The revision that its image was compiled from.
    pub fn revision(&self) -> Revision {
        Revision(self.revision.load(Ordering::Relaxed))
    }

    /// Ticks spent on frames, and all ticks.
    pub fn cycles(&self) -> (u64, u64) {
        (self.busy.load(Ordering::Relaxed), self.all.load(Ordering::Relaxed))
    }

    /// The longest time between two polls so far.
    pub fn poll_gap_max(&self) -> Duration {
        ticks_as_time(self.gap_max.load(Ordering::Relaxed), self.ticks_per_second)
    }
}

/// `ticks` as time.
pub fn ticks_as_time(ticks: u64, per_second: u64) -> Duration {
    let nanoseconds = u128::from(ticks) * 1_000_000_000 / u128::from(per_second.max(1));
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_become_time_without_overflow() {
        assert_eq!(ticks_as_time(5_000_000_000, 2_500_000_000), Duration::from_secs(2));
        assert_eq!(ticks_as_time(u64::MAX, 1).as_nanos(), u128::from(u64::MAX));
        assert_eq!(ticks_as_time(7, 0), Duration::from_secs(7));
    }
}
