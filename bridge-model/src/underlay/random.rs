//! Numbers that nobody outside can guess easily and that every run with one seed repeats.

use std::time::Duration;

/// A `SplitMix64` generator: jitter, discriminators and the identifiers of probes. Not for keys.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    /// A number that is not 0.
    pub(super) const fn number(&mut self) -> u32 {
        loop {
            let number = (self.next() >> 32) as u32;
            if number != 0 {
                return number;
            }
        }
    }

    /// Evenly from `percent` % of `base`, both ends included.
    pub(super) fn share(
        &mut self,
        base: Duration,
        percent: std::ops::RangeInclusive<u32>,
    ) -> Duration {
        // In thousandths, so that packets of many sessions do not fall into step.
        let (low, high) = (percent.start() * 10, percent.end() * 10);
        let span = u64::from(high - low) + 1;
        let thousandths = u64::from(low) + self.next() % span;
        let nanos = base.as_nanos() * u128::from(thousandths) / 1000;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}
