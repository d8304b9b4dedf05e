//! Threads: where they run, and DPDK's per-thread number.

use crate::eal::Eal;
use crate::errno::Errno;
use std::marker::PhantomData;
use std::mem::{MaybeUninit, size_of};
use std::os::unix::thread::JoinHandleExt;
use std::sync::OnceLock;
use std::thread::JoinHandle;

/// Why a thread could not become what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LcoreError {
    /// DPDK has no number left (128 in Debian's build) or the thread has one.
    #[error("DPDK has no lcore number for this thread ({0}): run fewer workers")]
    Register(#[source] Errno),
    /// The kernel refused the CPU.
    #[error("cannot run on CPU {cpu} ({source}): name a CPU that this process may run on")]
    Pin {
        /// The refused CPU.
        cpu: u16,
        /// Why.
        #[source]
        source: Errno,
    },
}

/// The calling thread has an lcore number, and with it a cache in every mempool. Dropping it gives
/// the number back.
#[derive(Debug)]
pub struct LcoreThread {
    /// The number belongs to the thread, so the value must not leave it.
    _of_this_thread: PhantomData<*mut ()>,
}

impl LcoreThread {
    /// Gives the calling thread an lcore number.
    pub fn register(_eal: &Eal) -> Result<Self, LcoreError> {
        // SAFETY: the EAL runs. A thread that has a number already keeps it and is refused below.
        if unsafe { dpdk_sys::sluice_lcore_id() } != u32::MAX {
            return Err(LcoreError::Register(
                Errno::check(-libc::EALREADY).err().unwrap_or(Errno::NO_DEVICE),
            ));
        }
        // SAFETY: the EAL runs and this thread is unknown to it.
        let code = unsafe { dpdk_sys::rte_thread_register() };
        Errno::check(code).map_err(LcoreError::Register)?;
        Ok(Self { _of_this_thread: PhantomData })
    }

    /// The number.
    pub fn id(&self) -> u32 {
        // SAFETY: reads a thread-local integer.
        unsafe { dpdk_sys::sluice_lcore_id() }
    }
}

impl Drop for LcoreThread {
    fn drop(&mut self) {
        // SAFETY: this thread registered itself and, not being `Send`, the value is still there.
        unsafe { dpdk_sys::rte_thread_unregister() };
    }
}

/// The CPUs that the calling thread may run on, ascending.
pub(crate) fn allowed_cpus() -> Result<Vec<u16>, Errno> {
    let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: `set` has the length given, and 0 names the calling thread.
    let code =
        unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), set.as_mut_ptr()) };
    if code != 0 {
        return Err(Errno::last_os_error());
    }
    // SAFETY: zeroes are a valid set, and the kernel filled it in.
    let set = unsafe { set.assume_init() };
    Ok((0..1024u16)
        // SAFETY: the set holds 1024 CPUs (CPU_SETSIZE).
        .filter(|&cpu| unsafe { libc::CPU_ISSET(usize::from(cpu), &set) })
        .collect())
}

/// Binds the calling thread to one CPU.
pub fn pin_to_cpu(cpu: u16) -> Result<(), LcoreError> {
    if cpu >= 1024 {
        let source = Errno::check(-libc::EINVAL).err().unwrap_or(Errno::NO_DEVICE);
        return Err(LcoreError::Pin { cpu, source });
    }
    let set = MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: zeroes are a valid, empty set.
    let mut set = unsafe { set.assume_init() };
    // SAFETY: the set holds 1024 CPUs (CPU_SETSIZE), checked above.
    unsafe { libc::CPU_SET(usize::from(cpu), &mut set) };
    // SAFETY: `set` has the length given, and 0 names the calling thread.
    let code = unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) };
    if code != 0 {
        return Err(LcoreError::Pin { cpu, source: Errno::last_os_error() });
    }
    Ok(())
}

/// Lets the calling thread wake when it asked to: without this the kernel adds up to 50 us to each
/// sleep. (A refusal leaves it so.)
pub fn sleep_precisely() {
    let nanoseconds: libc::c_ulong = 1;
    // SAFETY: takes two integers and changes the calling thread's timers only.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, nanoseconds) };
}

/// How soon the kernel runs a thread that has woken up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheduling {
    /// At once, ahead of every ordinary thread.
    RealTime,
    /// Ahead of most.
    Preferred,
    /// In turn.
    #[default]
    Ordinary,
}

impl Scheduling {
    /// The word shown to users.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RealTime => "real-time",
            Self::Preferred => "preferred",
            Self::Ordinary => "ordinary",
        }
    }
}

/// Asks that the calling thread run as soon as it wakes, and says what was granted. For a thread that
/// sleeps most of the time and must not be late; threads that it starts are ordinary again. More than
/// ordinary needs `CAP_SYS_NICE`.
pub fn wake_promptly() -> Scheduling {
    /// Of 1 to 99: ahead of ordinary threads is enough.
    const PRIORITY: i32 = 1;
    /// Of 19 to -20.
    const NICE: i32 = -15;
    let param = MaybeUninit::<libc::sched_param>::zeroed();
    // SAFETY: zeroes are a valid parameter.
    let mut param = unsafe { param.assume_init() };
    param.sched_priority = PRIORITY;
    let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
    // SAFETY: 0 names the calling thread, and the kernel copies `param`.
    if unsafe { libc::sched_setscheduler(0, policy, &raw const param) } == 0 {
        return Scheduling::RealTime;
    }
    // SAFETY: takes integers only; 0 names the calling thread.
    if unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) } == 0 {
        return Scheduling::Preferred;
    }
    Scheduling::Ordinary
}

extern "C" fn ignore(_signal: i32) {}

/// Ends a system call that `thread` waits in: it returns "interrupted". No effect on a thread that
/// is computing.
///
/// Some drivers (`net_af_packet`) wait without limit for room in a transmit ring; this is what keeps
/// a worker that met that from standing still. Uses SIGURG, which nobody else here does.
pub fn interrupt<T>(thread: &JoinHandle<T>) {
    static HANDLER: OnceLock<()> = OnceLock::new();
    HANDLER.get_or_init(|| {
        let action = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: zeroes are a valid `sigaction`: default action, no flags, empty mask.
        let mut action = unsafe { action.assume_init() };
        action.sa_sigaction = ignore as extern "C" fn(i32) as usize;
        // SAFETY: `action` is complete, and its handler does nothing, so it is signal-safe.
        unsafe { libc::sigaction(libc::SIGURG, &raw const action, std::ptr::null_mut()) };
    });
    // SAFETY: the thread has not been joined, since its handle is borrowed here, so its id is valid
    // even if it has ended.
    unsafe { libc::pthread_kill(thread.as_pthread_t(), libc::SIGURG) };
}
