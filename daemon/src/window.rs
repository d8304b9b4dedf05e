//! Rates: how fast counters grew over the last seconds.

use std::collections::VecDeque;
use std::time::Duration;

/// How far back a rate looks.
const SPAN: Duration = Duration::from_secs(2);

/// Readings of counters over the last two seconds.
#[derive(Debug)]
pub struct Window<T> {
    readings: VecDeque<(Duration, T)>,
}

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self { readings: VecDeque::new() }
    }
}

impl<T> Window<T> {
    /// Adds a reading. Times ascend.
    pub fn push(&mut self, now: Duration, reading: T) {
        self.readings.push_back((now, reading));
        // The oldest reading that is kept is the newest that is at least a span old.
        while self.readings.get(1).is_some_and(|(time, _)| *time + SPAN <= now) {
            self.readings.pop_front();
        }
    }

    /// How fast the counter that `value` reads grew, per second; 0 until there are two readings.
    pub fn per_second(&self, value: impl Fn(&T) -> u64) -> f64 {
        let (Some((from, first)), Some((to, last))) = (self.readings.front(), self.readings.back())
        else {
            return 0.0;
        };
        let seconds = to.saturating_sub(*from).as_secs_f64();
        if seconds <= 0.0 {
            return 0.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a rate is shown with three digits")]
        let grown = value(last).saturating_sub(value(first)) as f64;
        grown / seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rates of whole numbers over whole seconds are exact enough to be compared as text.
    fn rate(window: &Window<u64>) -> String {
        window.per_second(|x| *x).to_string()
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_rate_is_the_growth_over_the_last_two_seconds() {
        let mut window = Window::default();
        assert_eq!(rate(&window), "0");
        window.push(at(1), 1000);
        assert_eq!(rate(&window), "0");

        for (second, value) in [(2, 1000), (3, 1000), (4, 1010), (5, 1020)] {
            window.push(at(second), value);
        }

        assert_eq!(rate(&window), "10");
        assert_eq!(window.readings.len(), 3);
    }

    #[test]
    fn a_counter_that_went_back_has_no_rate() {
        let mut window = Window::default();
        window.push(at(1), 9);
        window.push(at(2), 3);

        assert_eq!(rate(&window), "0");
    }
}
