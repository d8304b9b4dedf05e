//! What a worker does when there is nothing to do.

use std::time::Duration;

/// Whether a worker has its core for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Nothing else runs there: poll without pause, never give the core away.
    Dedicated,
    /// Others need the core: sleep a little when nothing has come for a while.
    Shared,
}

/// Empty turns before the first sleep: some 50 us of polling, so that a steady stream is never
/// slept through.
const PATIENCE: u32 = 512;

/// How long a worker asks to sleep. The kernel adds the time that it takes to wake a thread: 20 to
/// 25 us in a virtual machine, once the timer slack is gone. So a frame waits for some 45 us at most
/// on a core that is free when the worker wants it back.
const NAP: Duration = Duration::from_micros(20);

/// Counts empty turns.
#[derive(Debug)]
pub(crate) struct Backoff {
    sharing: Sharing,
    empty: u32,
}

impl Backoff {
    pub(crate) fn new(sharing: Sharing) -> Self {
        if sharing == Sharing::Shared {
            // By default the kernel adds up to 50 us to every sleep to save wake-ups.
            rte_rs::sleep_precisely();
        }
        Self { sharing, empty: 0 }
    }

    /// Called after every turn. True if it slept.
    #[inline]
    pub(crate) fn turn(&mut self, busy: bool) -> bool {
        if busy {
            self.empty = 0;
            return false;
        }
        self.empty = self.empty.saturating_add(1);
        match self.sharing {
            Sharing::Shared if self.empty >= PATIENCE => {
                std::thread::sleep(NAP);
                true
            }
            Sharing::Shared | Sharing::Dedicated => {
                std::hint::spin_loop();
                false
            }
        }
    }
}
