//! DPDK's log, captured: nothing reaches standard output or syslog behind the daemon's back.
//!
//! DPDK writes to a `FILE`; ours ends in a bounded list. Any thread may log, workers among them, so
//! a writer that finds the list locked drops its line and counts it instead of waiting.

use crate::gate;
use std::collections::VecDeque;
use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once, PoisonError};

/// How serious DPDK finds a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Something was refused or broke.
    Error,
    /// Works, but not as asked.
    Warning,
    /// Normal, worth knowing.
    Notice,
    /// Detail.
    Info,
}

/// One line of DPDK's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How serious DPDK finds it.
    pub level: LogLevel,
    /// The text without the line end, such as `EAL: No free 2048 kB hugepages`.
    pub text: String,
}

/// Lines kept until somebody takes them: a start prints about ten, a refused device about three.
const LINES_MAX: usize = 256;
/// Longer lines are cut: drivers print a line or two of terminal width.
const LINE_OCTETS_MAX: usize = 512;

struct Lines {
    kept: VecDeque<(u64, LogLine)>,
    next: u64,
}

static LINES: Mutex<Lines> = Mutex::new(Lines { kept: VecDeque::new(), next: 0 });
static LOST: AtomicU64 = AtomicU64::new(0);

/// A position in the log.
#[derive(Clone, Copy)]
pub(crate) struct Mark(u64);

/// Where the log ends now.
pub(crate) fn mark() -> Mark {
    Mark(LINES.lock().unwrap_or_else(PoisonError::into_inner).next)
}

/// What was logged after `mark` and not taken since.
pub(crate) fn since(mark: Mark) -> Vec<LogLine> {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines.kept.iter().filter(|(at, _)| *at >= mark.0).map(|(_, line)| line.clone()).collect()
}

/// Takes every line kept.
pub(crate) fn take() -> Vec<LogLine> {
    let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines.kept.drain(..).map(|(_, line)| line).collect()
}

/// How many lines were lost because the list was full or locked.
pub(crate) fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// Adds a line of our own.
pub(crate) fn note(level: LogLevel, text: &str) {
    append(level, text.as_bytes());
}

/// Makes the list the end of DPDK's log. Done once, before the EAL starts.
pub(crate) fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let functions = dpdk_sys::cookie_io_functions_t {
            read: None,
            write: Some(write),
            seek: None,
            close: None,
        };
        // SAFETY: the mode is a C string, and `write` ignores the cookie, so null is one.
        let file = unsafe { dpdk_sys::fopencookie(std::ptr::null_mut(), c"w".as_ptr(), functions) };
        if file.is_null() {
            return; // no memory: DPDK keeps writing to standard error
        }
        // SAFETY: `file` was opened above, nobody has written to it, and it is never closed.
        unsafe { dpdk_sys::rte_openlog_stream(file) };
        // SAFETY: sets an integer.
        unsafe { dpdk_sys::rte_log_set_global_level(dpdk_sys::RTE_LOG_INFO) };
    });
}

extern "C" fn write(_cookie: *mut c_void, text: *const c_char, len: usize) -> i64 {
    // SAFETY: the C library passes `len` octets that stay valid during the call.
    let octets = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), len) };
    // SAFETY: reads a thread-local integer that rte_vlog set just before.
    let level = unsafe { dpdk_sys::rte_log_cur_msg_loglevel() };
    if level == DEBUG {
        // Asked for by `follow_memif` only, and not kept.
        if let Ok(line) = std::str::from_utf8(octets) {
            gate::listen(line);
        }
    } else {
        append(level_of(level), octets);
    }
    i64::try_from(len).unwrap_or(i64::MAX)
}

#[expect(clippy::cast_possible_wrap, reason = "8")]
const DEBUG: c_int = dpdk_sys::RTE_LOG_DEBUG as c_int;

/// Has `net_memif` tell what it does, for the [`gate`]. After the EAL has started: the driver is
/// loaded then.
pub(crate) fn follow_memif() {
    // SAFETY: sets an integer.
    unsafe { dpdk_sys::rte_log_set_global_level(dpdk_sys::RTE_LOG_DEBUG) };
    // SAFETY: the pattern is a C string. Without the driver it matches nothing.
    unsafe {
        dpdk_sys::rte_log_set_level_pattern(c"pmd.net.memif".as_ptr(), dpdk_sys::RTE_LOG_DEBUG)
    };
}

fn level_of(level: c_int) -> LogLevel {
    match u32::try_from(level).unwrap_or(dpdk_sys::RTE_LOG_INFO) {
        ..=dpdk_sys::RTE_LOG_ERR => LogLevel::Error,
        dpdk_sys::RTE_LOG_WARNING => LogLevel::Warning,
        dpdk_sys::RTE_LOG_NOTICE => LogLevel::Notice,
        _ => LogLevel::Info,
    }
}

fn append(level: LogLevel, octets: &[u8]) {
    let Ok(mut lines) = LINES.try_lock() else {
        LOST.fetch_add(1, Ordering::Relaxed);
        return;
    };
    for line in octets.split(|&octet| octet == b'\n').filter(|line| !line.is_empty()) {
        let text = String::from_utf8_lossy(&line[..line.len().min(LINE_OCTETS_MAX)]).into_owned();
        if lines.kept.len() == LINES_MAX {
            lines.kept.pop_front();
            LOST.fetch_add(1, Ordering::Relaxed);
        }
        let at = lines.next;
        lines.next += 1;
        lines.kept.push_back((at, LogLine { level, text }));
    }
}
