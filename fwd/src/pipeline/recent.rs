//! Which stations were reported to the learner just now.
//!
//! Between a station's first frame and the learner's next turn every further frame of it would be
//! reported again. A small direct-mapped memory of what was reported keeps the ring for those that
//! have not been. It forgets by the learner's turns: what was reported two turns ago has been
//! handled, so a station that is still unknown then is reported again.

use bridge_model::types::{Fid, MemberId};

const SLOTS: usize = 4096;

/// The filter of one worker: 64 KiB, touched only by frames of unknown stations.
#[derive(Debug)]
pub(super) struct Recent(Box<[Report]>);

#[derive(Clone, Copy, Debug, Default)]
struct Report {
    key: u64,
    member: u16,
    turn: u32,
}

impl Recent {
    pub(super) fn new() -> Self {
        Self(vec![Report::default(); SLOTS].into())
    }

    fn slot(&mut self, key: u64) -> Option<&mut Report> {
        // Fibonacci hashing. A collision costs a report too many, never one too few.
        let index = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SLOTS.ilog2());
        self.0.get_mut(usize::try_from(index).unwrap_or(0))
    }

    /// Whether the learner has yet to handle this very report.
    #[inline]
    pub(super) fn contains(&mut self, fid: Fid, mac: u64, member: MemberId, turn: u32) -> bool {
        let key = u64::from(fid.0) << 48 | mac;
        self.slot(key).is_some_and(|report| {
            report.key == key && report.member == member.0 && turn.wrapping_sub(report.turn) < 2
        })
    }

    /// Notes a report.
    #[inline]
    pub(super) fn insert(&mut self, fid: Fid, mac: u64, member: MemberId, turn: u32) {
        let key = u64::from(fid.0) << 48 | mac;
        if let Some(slot) = self.slot(key) {
            *slot = Report { key, member: member.0, turn };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_remembered_for_two_turns_and_per_member() {
        let mut recent = Recent::new();
        let (fid, mac) = (Fid(3), 0x5254_0000_0001);
        assert!(!recent.contains(fid, mac, MemberId(1), u32::MAX));
        recent.insert(fid, mac, MemberId(1), u32::MAX);
        assert!(recent.contains(fid, mac, MemberId(1), u32::MAX));
        assert!(recent.contains(fid, mac, MemberId(1), 0));
        assert!(!recent.contains(fid, mac, MemberId(1), 1));
        assert!(!recent.contains(fid, mac, MemberId(2), 0));
        assert!(!recent.contains(Fid(4), mac, MemberId(1), 0));
    }
}
