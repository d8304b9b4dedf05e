//! The only clock of the control plane.

use std::time::{Duration, Instant, SystemTime};

/// Time since the daemon started, and the wall clock then.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    wall: SystemTime,
}

impl Clock {
    /// A clock that starts now.
    #[expect(clippy::disallowed_methods, reason = "the daemon is where time comes from")]
    pub fn start() -> Self {
        Self { start: Instant::now(), wall: SystemTime::now() }
    }

    /// Time since the start; never goes back.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// The wall clock at the start.
    pub fn started(&self) -> SystemTime {
        self.wall
    }

    /// What the wall clock showed at `moment`, if nobody has set it since the start.
    pub fn wall_at(&self, moment: Duration) -> SystemTime {
        self.wall + moment
    }
}
