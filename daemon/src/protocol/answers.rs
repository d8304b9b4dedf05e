//! Telling a sender that its packet is too big for a tunnel.

use std::collections::BTreeMap;
use std::time::Duration;

use bridge_model::types::Fid;
use bridge_model::wire::icmp;

/// Answers per second and bridge, at most (RFC 1812 section 4.3.2.8 and RFC 4443 section 2.4 f want a
/// limit), and as many at once.
const PER_SECOND: u32 = 100;

/// A token bucket.
#[derive(Clone, Copy, Debug)]
struct Budget {
    /// Answers, in nanoseconds of the time that earned them.
    earned: Duration,
    at: Duration,
}

/// What an answer costs.
const COST: Duration = Duration::from_nanos(1_000_000_000 / PER_SECOND as u64);
/// The most that is saved up.
const SAVED: Duration = Duration::from_secs(1);

/// Answers to packets that were too big, limited for each learning domain.
#[derive(Debug, Default)]
pub(super) struct Answers {
    budgets: BTreeMap<Fid, Budget>,
}

impl Answers {
    /// The frame that tells the sender of `frame`, in the domain `fid`, that only packets of `mtu`
    /// octets pass. `None` if it must not be told, or was told often enough.
    pub(super) fn too_big(
        &mut self,
        now: Duration,
        fid: Fid,
        frame: &[u8],
        mtu: u16,
    ) -> Option<Vec<u8>> {
        let answer = icmp::too_big(frame, mtu)?;
        self.take(now, fid).then_some(answer)
    }

    fn take(&mut self, now: Duration, fid: Fid) -> bool {
        let budget = self.budgets.entry(fid).or_insert(Budget { earned: SAVED, at: now });
        budget.earned = (budget.earned + now.saturating_sub(budget.at)).min(SAVED);
        budget.at = now;
        match budget.earned.checked_sub(COST) {
            Some(left) => {
                budget.earned = left;
                true
            }
            None => false,
        }
    }

    /// Forgets domains that have all their budget anyway.
    pub(super) fn prune(&mut self, now: Duration) {
        self.budgets.retain(|_, budget| budget.earned + now.saturating_sub(budget.at) < SAVED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_answers_a_hundred_times_per_second_and_leaves_others_theirs() {
        let mut answers = Answers::default();
        let at = Duration::from_millis;
        let told = |answers: &mut Answers, now, fid| {
            (0..500).filter(|_| answers.take(now, Fid(fid))).count()
        };

        assert_eq!(told(&mut answers, at(0), 1), 100);
        assert_eq!(told(&mut answers, at(0), 2), 100);
        assert_eq!(told(&mut answers, at(9), 1), 0);
        assert_eq!(told(&mut answers, at(10), 1), 1);
        assert_eq!(told(&mut answers, at(510), 1), 50);
    }

    #[test]
    fn a_domain_that_is_quiet_is_forgotten_and_starts_with_all_it_had() {
        let mut answers = Answers::default();
        assert!(answers.take(Duration::ZERO, Fid(1)));
        answers.prune(Duration::from_millis(9));
        assert_eq!(answers.budgets.len(), 1);
        answers.prune(Duration::from_millis(10));
        assert_eq!(answers.budgets.len(), 0);
    }
}
