//! How fast the time stamp counter runs: it turns cycles into rates.

use std::time::{Duration, Instant};

/// Ticks per second of the time stamp counter, measured over a twentieth of a second.
#[expect(clippy::disallowed_methods, reason = "this is a clock for a clock")]
pub fn ticks_per_second() -> f64 {
    let (begin, first) = (Instant::now(), fwd::time_stamp());
    while begin.elapsed() < Duration::from_millis(50) {
        std::hint::spin_loop();
    }
    let (last, elapsed) = (fwd::time_stamp(), begin.elapsed());
    as_float(last.wrapping_sub(first)) / elapsed.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "a figure to show")]
fn as_float(ticks: u64) -> f64 {
    ticks as f64
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_counter_runs_at_a_rate_that_a_processor_can_have() {
        let rate = super::ticks_per_second();
        assert!((1e7..2e10).contains(&rate), "{rate}");
    }
}
