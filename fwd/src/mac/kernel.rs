//! How a bucket is searched, chosen once per worker: scalar, AVX2 or AVX-512.
//!
//! A function that uses vector instructions does not inline into one that may not, so the *loop*
//! must be compiled for the instruction set, not only the search. The pipeline therefore hands over
//! its whole burst as a [`Burst`], and [`Isa::run`] calls it from a function that has the
//! instructions enabled:
//!
//! ```
//! use fwd::mac::{Burst, Hashed, Isa, Kernel, MacTable};
//!
//! struct CountKnown<'a>(&'a MacTable, &'a [Hashed]);
//!
//! impl Burst for CountKnown<'_> {
//!     type Output = usize;
//!
//!     #[inline(always)] // so that it is compiled for the kernel's instruction set
//!     fn run<K: Kernel>(self, kernel: K) -> usize {
//!         self.1.iter().filter(|key| self.0.find(kernel, **key).is_some()).count()
//!     }
//! }
//!
//! # use bridge_model::types::Fid;
//! # let table = MacTable::new(17, fwd::mac::Seed::predictable(1)).unwrap();
//! let keys = [table.hash(Fid(1), 0x5254_0012_3456)];
//! assert_eq!(Isa::detect().run(CountKnown(&table, &keys)), 0);
//! ```
//!
//! A kernel is a token: whoever holds an [`Avx512`] has asked the processor. That makes the vector
//! code callable from safe code.
#![allow(unsafe_code, reason = "prefetch and calls across target features have no safe form")]

use super::bucket::{Bucket, LANES};
#[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
pub use super::kernel_x86::{Avx2, Avx512};
use super::word::IDENTITY;
use crate::sync::Ordering;

/// A way to search a bucket. The implementations are [`Scalar`], [`Avx2`] and [`Avx512`]; all give
/// the same answers.
pub trait Kernel: Probe + Copy + Send + Sync + std::fmt::Debug + 'static {
    /// What to call it in output and on the command line.
    const NAME: &'static str;

    /// Runs `burst` compiled for this kernel's instruction set.
    fn run<B: Burst>(self, burst: B) -> B::Output;
}

/// Work that is compiled once for each kernel.
pub trait Burst {
    /// What comes out.
    type Output;

    /// The work. Mark it `#[inline(always)]`, and everything hot that it calls `#[inline]`, or it
    /// is compiled for the baseline instruction set.
    fn run<K: Kernel>(self, kernel: K) -> Self::Output;
}

/// The search itself, closed to other crates.
pub trait Probe {
    #[doc(hidden)]
    fn probe(self, place: BucketRef<'_>, identity: u64) -> u32;
}

/// A bucket as other crates may hold it: not at all.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct BucketRef<'t>(pub(super) &'t Bucket);

/// The instruction sets that a burst can be compiled for. Each variant is proof that the processor
/// has it.
#[derive(Clone, Copy, Debug)]
pub enum Isa {
    /// The baseline of the target.
    Scalar(Scalar),
    /// x86-64-v3.
    #[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
    Avx2(Avx2),
    /// x86-64-v4.
    #[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
    Avx512(Avx512),
}

impl Isa {
    /// The best that this processor has.
    pub fn detect() -> Self {
        Self::available().last().unwrap_or(Self::Scalar(Scalar))
    }

    /// All that this processor has, slowest first.
    pub fn available() -> impl Iterator<Item = Self> {
        let found = [
            Some(Self::Scalar(Scalar)),
            #[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
            Avx2::detect().map(Self::Avx2),
            #[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
            Avx512::detect().map(Self::Avx512),
        ];
        found.into_iter().flatten()
    }

    /// `scalar`, `avx2` or `avx512`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar(_) => Scalar::NAME,
            #[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
            Self::Avx2(_) => Avx2::NAME,
            #[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
            Self::Avx512(_) => Avx512::NAME,
        }
    }

    /// Runs `burst` compiled for this instruction set.
    #[inline]
    pub fn run<B: Burst>(self, burst: B) -> B::Output {
        match self {
            Self::Scalar(kernel) => kernel.run(burst),
            #[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
            Self::Avx2(kernel) => kernel.run(burst),
            #[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
            Self::Avx512(kernel) => kernel.run(burst),
        }
    }
}

/// Seven compares, no vector instructions: every target, loom and Miri.
#[derive(Clone, Copy, Debug)]
pub struct Scalar;

impl Probe for Scalar {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the innermost loop of a lookup")]
    fn probe(self, place: BucketRef<'_>, identity: u64) -> u32 {
        let words = place.0.words();
        let mut lanes = 0;
        for (lane, word) in words.iter().enumerate().take(LANES).skip(1) {
            let same = word.load(Ordering::Acquire) & IDENTITY == identity;
            lanes |= u32::from(same) << lane;
        }
        lanes
    }
}

impl Kernel for Scalar {
    const NAME: &'static str = "scalar";

    #[inline]
    fn run<B: Burst>(self, burst: B) -> B::Output {
        burst.run(self)
    }
}

/// Asks the processor to bring a bucket's line near.
#[inline(always)]
pub(super) fn prefetch(bucket: &Bucket) {
    #[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch is a hint; it neither faults nor accesses memory as far as the program
        // can tell, and the address is that of a live bucket. SSE is part of x86_64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(bucket).cast()) }
    }
    #[cfg(not(all(target_arch = "x86_64", not(loom), not(miri))))]
    let _ = bucket;
}
