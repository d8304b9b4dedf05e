//! The memory of a table: zeroed lines, aligned so that the kernel can back them with huge pages.
#![allow(unsafe_code, reason = "aligned, lazily zeroed memory and the index by mask need it")]

#[cfg(any(loom, miri))]
pub(super) use plain::Buckets;
#[cfg(not(any(loom, miri)))]
pub(super) use zeroed::Buckets;

/// How the memory was got; the other form is for tools that watch every access.
#[cfg(not(any(loom, miri)))]
mod zeroed {
    use std::alloc::{Layout, alloc_zeroed, dealloc};
    use std::ptr::NonNull;

    use super::super::bucket::Bucket;

    const HUGE_PAGE: usize = 2 << 20;

    /// A power-of-two number of buckets.
    #[derive(Debug)]
    pub(in super::super) struct Buckets {
        first: NonNull<Bucket>,
        /// The number of buckets minus one: all ones.
        mask: u64,
        layout: Layout,
    }

    // SAFETY: a `Buckets` owns its memory like a box of a slice, and a bucket is made of atomics.
    unsafe impl Send for Buckets {}
    // SAFETY: as above; shared access goes through atomics.
    unsafe impl Sync for Buckets {}

    impl Buckets {
        /// 2^`log2` empty buckets, or `None` if there is no memory for them.
        pub(in super::super) fn new(log2: u32) -> Option<Self> {
            let layout = Layout::array::<Bucket>(1_usize.checked_shl(log2)?).ok()?;
            let layout = layout.align_to(HUGE_PAGE).ok()?.pad_to_align();
            // SAFETY: the layout's size is not zero.
            let memory = unsafe { alloc_zeroed(layout) };
            advise_huge_pages(memory, layout.size());
            // All-zero bytes are valid buckets: eight atomic integers of value 0.
            #[expect(clippy::cast_ptr_alignment, reason = "the layout is aligned to 2 MiB")]
            let first = NonNull::new(memory.cast::<Bucket>())?;
            Some(Self { first, mask: (1 << log2) - 1, layout })
        }

        /// The bucket in the low bits of `index`.
        #[inline(always)]
        #[expect(clippy::inline_always, reason = "one add on the lookup path")]
        pub(in super::super) fn get(&self, index: u64) -> &Bucket {
            #[expect(clippy::cast_possible_truncation, reason = "masked to the bucket count")]
            let index = (index & self.mask) as usize;
            // SAFETY: index <= mask, and mask + 1 buckets were allocated.
            let bucket = unsafe { self.first.add(index) };
            // SAFETY: in bounds and initialised (see `new`); only ever accessed through shared
            // references to atomics while `self` lives.
            unsafe { bucket.as_ref() }
        }
    }

    impl Drop for Buckets {
        fn drop(&mut self) {
            // SAFETY: allocated in `new` with this layout; buckets have no destructor.
            unsafe { dealloc(self.first.as_ptr().cast(), self.layout) }
        }
    }

    /// Random lookups in 4-KiB pages walk the page table once per lookup; in 2-MiB pages hardly ever.
    #[cfg(target_os = "linux")]
    fn advise_huge_pages(memory: *mut u8, length: usize) {
        if !memory.is_null() {
            // SAFETY: the range is ours, page-aligned, and the advice changes no content. If the
            // kernel refuses, the pages stay small.
            unsafe { libc::madvise(memory.cast(), length, libc::MADV_HUGEPAGE) };
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn advise_huge_pages(_memory: *mut u8, _length: usize) {}
}

#[cfg(any(loom, miri))]
mod plain {
    use super::super::bucket::Bucket;

    /// A power-of-two number of buckets.
    #[derive(Debug)]
    pub(in super::super) struct Buckets(Box<[Bucket]>);

    impl Buckets {
        /// Empty buckets: under loom a handful, since each of its atomics is a tracked object. The
        /// layout of words stays that of `log2`; keys of a loom test must differ in their remainders.
        pub(in super::super) fn new(log2: u32) -> Option<Self> {
            let count = if cfg!(loom) { 4 } else { 1_usize.checked_shl(log2)? };
            Some(Self((0..count).map(|_| Bucket::empty()).collect()))
        }

        /// The bucket in the low bits of `index`.
        #[expect(clippy::cast_possible_truncation, reason = "masked to the bucket count")]
        pub(in super::super) fn get(&self, index: u64) -> &Bucket {
            &self.0[index as usize & (self.0.len() - 1)]
        }
    }
}
