//! The AVX2 and AVX-512 kernels: one cache line, one or two loads, one compare.
//!
//! A worker reads a bucket while the writer or another worker stores to it. A Rust load of 32 or 64
//! bytes that races with a store is undefined behaviour, so the load is an `asm!` instruction: the
//! compiler knows nothing of what it read, and (no `readonly`, no `pure`) moves no other access
//! across it. What comes out is only a *suggestion* of lanes: the
//! caller loads the suggested slot again with an atomic load and compares again, so a torn or stale
//! vector can cost time but never a wrong answer. A lane that should match and does not would need
//! the load to tear *inside* an aligned 8-byte word, which no x86 processor does: processors with
//! AVX read aligned 16-byte pieces whole (Intel SDM volume 3, "Guaranteed Atomic Operations"; AMD
//! says the same), and loads are not reordered with the atomic loads around them ("Memory
//! Ordering"). The tests run all kernels against a writer that never stops displacing.
#![allow(unsafe_code, reason = "vector loads that may race have no safe form")]

use std::arch::asm;
use std::arch::x86_64::{
    __m256i, __m512i, _mm256_and_si256, _mm256_castsi256_pd, _mm256_cmpeq_epi64,
    _mm256_movemask_pd, _mm256_set1_epi64x, _mm512_set1_epi64, _mm512_testn_epi64_mask,
    _mm512_xor_si512,
};

use super::bucket::{Bucket, LANES};
use super::kernel::{BucketRef, Burst, Kernel, Probe};
use super::word::IDENTITY;

/// Lane 0 is the meta word and never a match.
const SLOTS: u32 = 0xfe;

/// Two 32-byte loads.
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

impl Avx2 {
    /// The kernel, if this processor has AVX2, BMI1, BMI2, LZCNT and POPCNT.
    pub fn detect() -> Option<Self> {
        let present = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt");
        present.then_some(Self(()))
    }
}

impl Probe for Avx2 {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the innermost step of a lookup")]
    fn probe(self, place: BucketRef<'_>, identity: u64) -> u32 {
        // SAFETY: `self` proves that the processor has AVX2.
        unsafe { probe_avx2(place.0, identity) }
    }
}

impl Kernel for Avx2 {
    const NAME: &'static str = "avx2";

    #[inline]
    fn run<B: Burst>(self, burst: B) -> B::Output {
        #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
        fn run<B: Burst>(kernel: Avx2, burst: B) -> B::Output {
            burst.run(kernel)
        }
        // SAFETY: `self` proves that the processor has these instructions.
        unsafe { run(self, burst) }
    }
}

/// One 64-byte load.
#[derive(Clone, Copy, Debug)]
pub struct Avx512(());

impl Avx512 {
    /// The kernel, if this processor has AVX-512 F, BW, DQ and VL, and what [`Avx2`] asks for.
    pub fn detect() -> Option<Self> {
        let present = Avx2::detect().is_some()
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        present.then_some(Self(()))
    }
}

impl Probe for Avx512 {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the innermost step of a lookup")]
    fn probe(self, place: BucketRef<'_>, identity: u64) -> u32 {
        // SAFETY: `self` proves that the processor has AVX-512 F.
        unsafe { probe_avx512(place.0, identity) }
    }
}

impl Kernel for Avx512 {
    const NAME: &'static str = "avx512";

    #[inline]
    fn run<B: Burst>(self, burst: B) -> B::Output {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,bmi2,lzcnt,popcnt")]
        fn run<B: Burst>(kernel: Avx512, burst: B) -> B::Output {
            burst.run(kernel)
        }
        // SAFETY: `self` proves that the processor has these instructions.
        unsafe { run(self, burst) }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn probe_avx2(bucket: &Bucket, identity: u64) -> u32 {
    let words = bucket.words().as_ptr();
    let (low, high): (__m256i, __m256i);
    // SAFETY: `words` points at 64 readable bytes, aligned to 64 (`Bucket` is one aligned line), that
    // live as long as the borrow. The block only reads. Races are with atomic stores of aligned
    // 8-byte words, and the result is a hint (see above).
    unsafe {
        asm!(
            "vmovdqa {low}, [{words}]",
            "vmovdqa {high}, [{words} + 32]",
            words = in(reg) words,
            low = out(ymm_reg) low,
            high = out(ymm_reg) high,
            options(nostack, preserves_flags),
        );
    }
    let wanted = _mm256_set1_epi64x(identity.cast_signed());
    let mask = _mm256_set1_epi64x(IDENTITY.cast_signed());
    let same = |half| {
        let equal = _mm256_cmpeq_epi64(_mm256_and_si256(half, mask), wanted);
        _mm256_movemask_pd(_mm256_castsi256_pd(equal)).cast_unsigned()
    };
    (same(low) | same(high) << (LANES / 2)) & SLOTS
}

#[inline]
#[target_feature(enable = "avx512f")]
fn probe_avx512(bucket: &Bucket, identity: u64) -> u32 {
    let words = bucket.words().as_ptr();
    let line: __m512i;
    // SAFETY: as for AVX2.
    unsafe {
        asm!(
            "vmovdqa64 {line}, [{words}]",
            words = in(reg) words,
            line = out(zmm_reg) line,
            options(nostack, preserves_flags),
        );
    }
    let difference = _mm512_xor_si512(line, _mm512_set1_epi64(identity.cast_signed()));
    let same = _mm512_testn_epi64_mask(difference, _mm512_set1_epi64(IDENTITY.cast_signed()));
    u32::from(same) & SLOTS
}
