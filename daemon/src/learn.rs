//! The learning thread: turns of the learner, often enough that a station is known before its
//! neighbour's answer has to be flooded twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::shared::Shared;

/// Between two turns while stations are learned.
const BUSY: Duration = Duration::from_millis(1);
/// Between two turns when nothing happens.
const IDLE: Duration = Duration::from_millis(4);

/// The thread, until it is dropped.
#[derive(Debug)]
pub struct LearnThread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the thread.
///
/// # Errors
/// The system has no thread left.
pub fn spawn(shared: Arc<Shared>) -> std::io::Result<LearnThread> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let thread = std::thread::Builder::new().name("sluice-learn".to_owned());
    let thread = thread.spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            let busy = turn(&shared);
            std::thread::sleep(if busy { BUSY } else { IDLE });
        }
    })?;
    Ok(LearnThread { stop, thread: Some(thread) })
}

/// One turn. True if anything was learned.
fn turn(shared: &Shared) -> bool {
    let now = shared.now();
    let mut learning = shared.learning.lock();
    let turn = learning.learner.turn(now);
    learning.released.extend(turn.released);
    learning.rebuild |= turn.rebuild;
    learning.refused += turn.refused;
    turn.learned + turn.moved + turn.refused > 0
}

impl Drop for LearnThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It does not panic; and if it has, there is nothing left to stop.
            let _ = thread.join();
        }
    }
}
