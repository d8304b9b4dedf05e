//! The two instructions that the data plane needs and that have no safe form. (Whole bursts per
//! instruction set are [`crate::mac::Isa::run`].)
#![allow(unsafe_code, reason = "neither a prefetch nor the time stamp counter has a safe form")]

/// Asks the cache for the line that `bytes` begins in.
#[inline(always)]
pub fn prefetch_octet(bytes: &[u8]) {
    #[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch is a hint: it neither faults nor accesses memory as far as the program
        // can tell, whatever the address. SSE is part of x86_64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(bytes.as_ptr().cast()) }
    }
    #[cfg(not(all(target_arch = "x86_64", not(loom), not(miri))))]
    let _ = bytes;
}

/// The processor's time stamp counter, read after everything before it has finished. For
/// measurements and for the clock that workers pass in.
#[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
#[inline]
pub fn time_stamp() -> u64 {
    let mut processor = 0;
    // SAFETY: every x86_64 processor that this runs on has RDTSCP; it writes to `processor` only.
    unsafe { std::arch::x86_64::__rdtscp(&raw mut processor) }
}
