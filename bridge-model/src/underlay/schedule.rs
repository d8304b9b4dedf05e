//! When each part of the machine wants to be called.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Timers, at most one for each key. Setting one and taking the next is logarithmic in their number.
#[derive(Clone, Debug)]
pub(super) struct Schedule<K> {
    queue: BTreeSet<(Duration, K)>,
    times: BTreeMap<K, Duration>,
}

impl<K: Ord + Copy> Default for Schedule<K> {
    fn default() -> Self {
        Self { queue: BTreeSet::new(), times: BTreeMap::new() }
    }
}

impl<K: Ord + Copy> Schedule<K> {
    /// Sets the timer of `key`, or stops it.
    pub(super) fn set(&mut self, key: K, at: Option<Duration>) {
        let old = match at {
            Some(at) => self.times.insert(key, at),
            None => self.times.remove(&key),
        };
        if old == at {
            return;
        }
        if let Some(old) = old {
            self.queue.remove(&(old, key));
        }
        if let Some(at) = at {
            self.queue.insert((at, key));
        }
    }

    /// The earliest timer.
    pub(super) fn due(&self) -> Option<Duration> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Stops the earliest timer that is due and says whose it was.
    pub(super) fn pop(&mut self, now: Duration) -> Option<K> {
        let (at, key) = *self.queue.first().filter(|(at, _)| *at <= now)?;
        self.queue.remove(&(at, key));
        self.times.remove(&key);
        Some(key)
    }

    /// Stops all.
    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.times.clear();
    }
}
