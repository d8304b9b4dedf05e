//! The one instruction that the pipeline needs and that has no safe form. (Whole bursts per
//! instruction set are [`crate::mac::Isa::run`].)
#![allow(unsafe_code, reason = "a prefetch has no safe form")]

/// Asks the cache for the line that `bytes` begins in.
#[inline(always)]
#[expect(clippy::inline_always, reason = "one instruction")]
pub(crate) fn prefetch_octet(bytes: &[u8]) {
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
