//! How late the thread is.

use std::time::Duration;

/// "Lately" is at least this long and at most twice as long.
const SPAN: Duration = Duration::from_secs(5);

/// The largest lateness, ever and lately.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lateness {
    max: Duration,
    this_span: Duration,
    last_span: Duration,
    span_begun: Duration,
}

impl Lateness {
    /// Something that was due at `due` is done at `now`.
    pub(super) fn note(&mut self, now: Duration, due: Duration) {
        let late = now.saturating_sub(due);
        self.max = self.max.max(late);
        self.this_span = self.this_span.max(late);
    }

    /// Lets old values fade. To be called now and then.
    pub(super) fn advance(&mut self, now: Duration) {
        if now.saturating_sub(self.span_begun) >= SPAN {
            self.span_begun = now;
            self.last_span = std::mem::take(&mut self.this_span);
        }
    }

    /// The most ever.
    pub(super) const fn max(&self) -> Duration {
        self.max
    }

    /// The most lately.
    pub(super) fn recent(&self) -> Duration {
        self.this_span.max(self.last_span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_is_kept_and_fades_from_the_recent_figure_only() {
        let at = Duration::from_millis;
        let mut lateness = Lateness::default();
        lateness.note(at(107), at(100));
        lateness.note(at(203), at(200));
        assert_eq!((lateness.max(), lateness.recent()), (at(7), at(7)));

        lateness.advance(at(5000));
        assert_eq!(lateness.recent(), at(7));
        lateness.note(at(5002), at(5000));
        lateness.advance(at(10_000));
        assert_eq!((lateness.max(), lateness.recent()), (at(7), at(2)));
    }

    #[test]
    fn what_is_done_early_is_not_late() {
        let mut lateness = Lateness::default();
        lateness.note(Duration::from_millis(1), Duration::from_millis(2));
        assert_eq!(lateness.max(), Duration::ZERO);
    }
}
