//! Whether our own workers have listened: silence of a peer means nothing while they did not.
//!
//! On a machine that has too much to do a worker may not run for longer than a peer may be silent.
//! What the peer said then waits in a device, and to believe the clock would take every tunnel down at
//! once. So before a deadline takes effect, each worker ends two turns: one that had begun, and one in
//! which it polled all its queues.

use std::time::Duration;

/// A worker that does not turn for so long is not waited for: its stall is reported elsewhere, and
/// the other workers' peers are not to suffer from it.
const PATIENCE: Duration = Duration::from_secs(1);
/// Turns that a worker has to end.
const TURNS: u64 = 2;

/// What the workers had done when a deadline was met.
#[derive(Debug, Default)]
pub(super) struct Attention {
    asked: Option<(Duration, Vec<u64>)>,
}

impl Attention {
    /// The deadline that was met at `now`, if there is one, once every worker has listened since it was
    /// first met. `turns` are those that each worker has ended.
    pub(super) fn once_sure(
        &mut self,
        now: Duration,
        due: Option<Duration>,
        turns: impl Iterator<Item = u64> + Clone,
    ) -> Option<Duration> {
        if due.is_none() {
            // What was heard meanwhile has put it off.
            self.asked = None;
            return None;
        }
        let (since, before) = self.asked.get_or_insert_with(|| (now, turns.clone().collect()));
        let listened = turns.zip(&*before).all(|(now, before)| now >= before + TURNS);
        let is_sure = listened || now.saturating_sub(*since) >= PATIENCE;
        if is_sure {
            self.asked = None;
        }
        due.filter(|_| is_sure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const DUE: Option<Duration> = Some(MS);

    #[test]
    fn a_deadline_waits_until_every_worker_has_polled_all_its_queues_since() {
        let mut attention = Attention::default();

        assert_eq!(attention.once_sure(MS, DUE, [7, 7].into_iter()), None);
        assert_eq!(attention.once_sure(300 * MS, DUE, [8, 900].into_iter()), None);
        assert_eq!(attention.once_sure(301 * MS, DUE, [9, 901].into_iter()), DUE);
        assert_eq!(attention.once_sure(302 * MS, DUE, [9, 901].into_iter()), None, "the next one");
    }

    #[test]
    fn a_deadline_that_was_put_off_is_asked_for_anew() {
        let mut attention = Attention::default();

        assert_eq!(attention.once_sure(MS, DUE, [7].into_iter()), None);
        assert_eq!(attention.once_sure(2 * MS, None, [8].into_iter()), None);
        assert_eq!(attention.once_sure(3 * MS, DUE, [9].into_iter()), None);
        assert_eq!(attention.once_sure(4 * MS, DUE, [11].into_iter()), DUE);
    }

    #[test]
    fn a_worker_that_hangs_keeps_deadlines_back_for_a_second_only() {
        let mut attention = Attention::default();

        assert_eq!(attention.once_sure(MS, DUE, [1].into_iter()), None);
        assert_eq!(attention.once_sure(1000 * MS, DUE, [1].into_iter()), None);
        assert_eq!(attention.once_sure(1001 * MS, DUE, [1].into_iter()), DUE);
    }
}
