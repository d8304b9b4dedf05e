//! The memory of a table: zero lines, aligned so that the kernel can back them with huge pages.
//! Random lookups in 4-KiB pages walk the page table once per lookup; in 2-MiB pages hardly ever.
#![allow(unsafe_code, reason = "pages straight from the kernel and the index by mask need it")]

#[cfg(not(any(loom, miri)))]
pub(super) use mapped::Buckets;
#[cfg(any(loom, miri))]
pub(super) use plain::Buckets;

/// How the memory was got; the other form is for tools that watch every access.
#[cfg(not(any(loom, miri)))]
mod mapped {
    use std::ptr::{self, NonNull};

    use super::super::bucket::Bucket;

    const HUGE_PAGE: usize = 2 << 20;

    /// A power-of-two number of buckets.
    #[derive(Debug)]
    pub(in super::super) struct Buckets {
        first: NonNull<Bucket>,
        /// The number of buckets minus one: all ones.
        mask: u64,
        /// The whole mapping, which is longer than the buckets: they begin at a huge page.
        mapping: NonNull<libc::c_void>,
        octets: usize,
    }

    // SAFETY: a `Buckets` owns its memory like a box of a slice, and a bucket is made of atomics.
    unsafe impl Send for Buckets {}
    // SAFETY: as above; shared access goes through atomics.
    unsafe impl Sync for Buckets {}

    impl Buckets {
        /// 2^`log2` empty buckets, or `None` if there is no memory for them.
        ///
        /// Fresh pages of the kernel are zero and are given on first touch, so this takes no time,
        /// and they are huge if the advice comes before the touch: an allocator that zeroes by
        /// writing would have touched them all.
        pub(in super::super) fn new(log2: u32) -> Option<Self> {
            let length = size_of::<Bucket>().checked_mul(1_usize.checked_shl(log2)?)?;
            let octets = length.checked_add(HUGE_PAGE)?;
            let access = libc::PROT_READ | libc::PROT_WRITE;
            let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            // SAFETY: an anonymous mapping at a place of the kernel's choice touches nothing of ours.
            let start = unsafe { libc::mmap(ptr::null_mut(), octets, access, kind, -1, 0) };
            if start == libc::MAP_FAILED {
                return None;
            }
            let mapping = NonNull::new(start)?;
            let slack = start.align_offset(HUGE_PAGE).min(HUGE_PAGE);
            let memory = start.wrapping_byte_add(slack);
            // SAFETY: `length` octets from here lie in the mapping, which has a huge page to spare.
            // The advice changes no content; if the kernel refuses, the pages stay small.
            unsafe { libc::madvise(memory, length, libc::MADV_HUGEPAGE) };
            // All-zero bytes are valid buckets: eight atomic integers of value 0.
            let first = NonNull::new(memory.cast::<Bucket>())?;
            Some(Self { first, mask: (1 << log2) - 1, mapping, octets })
        }

        /// The bucket in the low bits of `index`.
        #[inline(always)]
        #[expect(clippy::inline_always, reason = "one add on the lookup path")]
        pub(in super::super) fn get(&self, index: u64) -> &Bucket {
            #[expect(clippy::cast_possible_truncation, reason = "masked to the bucket count")]
            let index = (index & self.mask) as usize;
            // SAFETY: index <= mask, and mask + 1 buckets were mapped.
            let bucket = unsafe { self.first.add(index) };
            // SAFETY: in bounds and initialised (see `new`); only ever accessed through shared
            // references to atomics while `self` lives.
            unsafe { bucket.as_ref() }
        }
    }

    impl Drop for Buckets {
        fn drop(&mut self) {
            // SAFETY: mapped in `new` with this length; buckets have no destructor, and nobody
            // borrows them any more.
            unsafe { libc::munmap(self.mapping.as_ptr(), self.octets) };
        }
    }
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
