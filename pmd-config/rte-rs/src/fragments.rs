//! Keeps the kernel from putting IP fragments together on their way to `net_af_packet`.
//!
//! The driver joins every socket, even a single one, to a fan-out group, and asks for defragmentation
//! with it so that fragments reach the queue of their flow. A bridge must forward fragments as they
//! are; what it would get instead is one packet longer than the MTU, cut off at the end of its slot.
//!
//! There is no argument against it, and a socket cannot leave its group. So the driver opens its
//! sockets on a thread of its own under a system call filter that answers "done" to
//! `setsockopt(PACKET_FANOUT)` and does nothing. The thread ends when the device is open. Without a
//! group a device has one queue: each further socket would receive every frame again.

use crate::errno::Errno;
use crate::log::{self, LogLevel};
use libc::{sock_filter, sock_fprog};
use std::mem::offset_of;

/// Runs `open` where joining a fan-out group has no effect.
pub(crate) fn without_fan_out<T: Send>(open: impl FnOnce() -> T + Send) -> T {
    let on_thread = || {
        if let Err(errno) = ignore_fan_out() {
            log::note(
                LogLevel::Warning,
                &format!(
                    "IP fragments that arrive by af_packet will be put together: the system call \
                     filter against that was refused ({errno}). To do: allow seccomp(2)"
                ),
            );
        }
        open()
    };
    std::thread::scope(|scope| match scope.spawn(on_thread).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// Filters the system calls of the calling thread and of those that it starts.
fn ignore_fan_out() -> Result<(), Errno> {
    let mut program = filter();
    let program =
        sock_fprog { len: u16::try_from(program.len()).unwrap_or(0), filter: program.as_mut_ptr() };
    // The kernel asks for this of whoever is not root: a filter must not deceive a set-uid program.
    // SAFETY: takes integers and changes the calling thread only.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(Errno::last_os_error());
    }
    // SAFETY: `program` points to as many instructions as it says, and the kernel copies them.
    let code = unsafe {
        libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program, 0, 0)
    };
    if code == 0 { Ok(()) } else { Err(Errno::last_os_error()) }
}

/// `AUDIT_ARCH_X86_64`: system call numbers mean what they mean here.
const X86_64: usize = 0xc000_003e;

/// The filter: `setsockopt(_, SOL_PACKET, PACKET_FANOUT, ..)` returns 0, all else goes on.
fn filter() -> [sock_filter; 10] {
    let load = |offset: usize| instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0);
    let unless = |value: usize, skip: u8| {
        instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value, skip)
    };
    let answer = |action: u32| instruction(libc::BPF_RET | libc::BPF_K, action as usize, 0);
    let argument = |number: usize| offset_of!(libc::seccomp_data, args) + number * size_of::<u64>();
    let value = |value: i32| usize::try_from(value).unwrap_or(usize::MAX);
    [
        load(offset_of!(libc::seccomp_data, arch)),
        unless(X86_64, 7),
        load(offset_of!(libc::seccomp_data, nr)),
        unless(usize::try_from(libc::SYS_setsockopt).unwrap_or(usize::MAX), 5),
        load(argument(1)),
        unless(value(libc::SOL_PACKET), 3),
        load(argument(2)),
        unless(value(libc::PACKET_FANOUT), 1),
        answer(libc::SECCOMP_RET_ERRNO), // with error number 0
        answer(libc::SECCOMP_RET_ALLOW),
    ]
}

/// One instruction; a comparison that fails skips `otherwise` instructions.
fn instruction(code: u32, k: usize, otherwise: u8) -> sock_filter {
    sock_filter {
        code: u16::try_from(code).unwrap_or(0),
        jt: 0,
        jf: otherwise,
        k: u32::try_from(k).unwrap_or(u32::MAX),
    }
}
