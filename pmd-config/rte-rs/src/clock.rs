//! The time-stamp counter, which workers measure their turns with.

use crate::eal::Eal;

/// The time-stamp counter of the calling core, in ticks. Every x86-64 that DPDK supports keeps it
/// constant and equal between cores.
#[inline]
pub fn ticks() -> u64 {
    // SAFETY: RDTSC exists on every x86-64 and Linux leaves it enabled.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// How many ticks make a second, as the EAL measured it at start.
pub fn ticks_per_second(_eal: &Eal) -> u64 {
    // SAFETY: reads a number that the EAL stored when it started.
    unsafe { dpdk_sys::rte_get_tsc_hz() }
}
