//! Keeps workers out of `net_memif` while the driver takes down a connection.
//!
//! When a peer goes away, DPDK's interrupt thread unmaps the memory that was shared with it, and
//! nothing in the driver keeps a worker from copying into that memory at the same time: about one
//! killed peer in 25 took the whole process along. The driver offers no hook before it does so, but
//! it says what it is going to do: the log line of a lost connection comes from that very thread,
//! right before. So the line is where this gate closes:
//!
//! ```text
//!   interrupt thread                                worker
//!   logs "Invalid message size"  -> close           inside = true
//!     wait until no queue is inside                 closed? -> no burst now
//!   unmaps                                          burst
//!   logs "Disconnected"          -> open            inside = false
//! ```
//!
//! The worker's side costs two stores and a load per burst: the fence that this needs is paid for by
//! the closing side alone (`membarrier`).

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, compiler_fence, fence};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

/// How long the interrupt thread waits for workers to finish their bursts. A burst takes
/// microseconds; a worker may have lost its core in the middle of one.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long the gate stays closed if the driver does not say that it is done, as when a peer
/// connects and leaves without a word: in milliseconds.
const CLOSED_MS: u64 = 100;

/// 0: open. Otherwise the ticks at which it opens by itself.
static CLOSED_UNTIL: AtomicU64 = AtomicU64::new(0);
/// One flag for each queue: a burst is under way.
static QUEUES: Mutex<Vec<Weak<AtomicBool>>> = Mutex::new(Vec::new());

thread_local! {
    static CLOSED_HERE: Cell<bool> = const { Cell::new(false) };
}

/// A queue's way through the gate.
#[derive(Debug)]
pub(crate) struct Turnstile {
    inside: Arc<AtomicBool>,
    /// The kernel has no `membarrier`, so each burst pays for a fence.
    fenced: bool,
}

impl Turnstile {
    pub(crate) fn new() -> Self {
        let inside = Arc::new(AtomicBool::new(false));
        let mut queues = QUEUES.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|queue| queue.strong_count() > 0);
        queues.push(Arc::downgrade(&inside));
        Self { inside, fenced: !can_interrupt_others() }
    }

    /// Runs `burst` unless the gate is closed; then nothing is received or sent.
    #[inline]
    pub(crate) fn pass(&self, burst: impl FnOnce() -> u16) -> u16 {
        self.inside.store(true, Ordering::Relaxed);
        if self.fenced {
            fence(Ordering::SeqCst);
        } else {
            // `membarrier` on the closing side makes this a fence when it matters.
            compiler_fence(Ordering::SeqCst);
        }
        let count = if CLOSED_UNTIL.load(Ordering::Relaxed) == 0 { burst() } else { stay_out() };
        self.inside.store(false, Ordering::Release);
        count
    }
}

#[cold]
fn stay_out() -> u16 {
    let until = CLOSED_UNTIL.load(Ordering::Relaxed);
    if until != 0 && crate::clock::ticks() > until {
        // Whoever closed it again meanwhile keeps it closed.
        let _ = CLOSED_UNTIL.compare_exchange(until, 0, Ordering::AcqRel, Ordering::Relaxed);
    }
    0
}

/// Reads a line of the driver's log on the thread that wrote it.
pub(crate) fn listen(line: &str) {
    if let Some(received) = line.strip_prefix("memif_msg_receive(): ") {
        /// `MEMIF_MSG_TYPE_DISCONNECT`
        const DISCONNECT: &str = "Received msg type: 8.";
        if received.starts_with("Invalid message size") || received.starts_with(DISCONNECT) {
            close();
        }
    } else if line.starts_with("memif_disconnect(): Disconnected") && CLOSED_HERE.take() {
        CLOSED_UNTIL.store(0, Ordering::Release);
    }
}

fn close() {
    // SAFETY: reads a number that the EAL stored when it started.
    let ticks_per_ms = unsafe { dpdk_sys::rte_get_tsc_hz() } / 1000;
    let until = crate::clock::ticks() + CLOSED_MS * ticks_per_ms;
    CLOSED_UNTIL.store(until.max(1), Ordering::SeqCst);
    CLOSED_HERE.set(true);
    membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED);
    fence(Ordering::SeqCst);
    let queues = QUEUES.lock().unwrap_or_else(PoisonError::into_inner);
    #[expect(clippy::disallowed_methods, reason = "DPDK's interrupt thread must not wait for ever")]
    let deadline = Instant::now() + PATIENCE;
    for queue in queues.iter().filter_map(Weak::upgrade) {
        while queue.load(Ordering::Acquire) {
            #[expect(clippy::disallowed_methods, reason = "as above")]
            if Instant::now() >= deadline {
                return;
            }
            std::thread::yield_now();
        }
    }
}

/// Whether this process may run barriers on the cores of its other threads; asks for it once.
fn can_interrupt_others() -> bool {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    *REGISTERED.get_or_init(|| membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED))
}

fn membarrier(command: i32) -> bool {
    // SAFETY: takes integers, and neither command touches memory.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}
