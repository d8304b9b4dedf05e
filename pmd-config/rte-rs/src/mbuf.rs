//! A packet buffer.

use arrayvec::ArrayVec;
use dpdk_sys::rte_mbuf;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

/// Octets before the frame in a fresh buffer: room for tags and tunnel headers.
#[expect(clippy::cast_possible_truncation, reason = "128")]
pub const HEADROOM: u16 = dpdk_sys::RTE_PKTMBUF_HEADROOM as u16;

/// A buffer that holds one frame and has one owner. Dropping it gives it back to its pool; for more
/// than one use [`free_bulk`].
///
/// Pools live as long as the process, so a buffer never outlives its own.
#[derive(Debug)]
#[repr(transparent)]
pub struct Mbuf(NonNull<rte_mbuf>);

// SAFETY: a buffer belongs to no thread: pools take buffers back from any of them, and nothing else
// points to it (drivers and pools hand out each buffer once).
unsafe impl Send for Mbuf {}

impl Mbuf {
    /// Takes ownership of a buffer.
    ///
    /// # Safety
    /// `raw` was allocated from a pool of this process with a reference count of one, and nobody
    /// else uses it from now on.
    #[inline]
    pub(crate) const unsafe fn from_raw(raw: NonNull<rte_mbuf>) -> Self {
        Self(raw)
    }

    /// Gives up ownership of the buffer: whoever gets the pointer has to free it.
    #[inline]
    pub(crate) const fn into_raw(self) -> *mut rte_mbuf {
        let raw = self.as_raw();
        std::mem::forget(self);
        raw
    }

    /// The buffer, still owned.
    #[inline]
    pub(crate) const fn as_raw(&self) -> *mut rte_mbuf {
        self.0.as_ptr()
    }

    #[inline]
    const fn head(&self) -> &rte_mbuf {
        // SAFETY: this buffer is ours alone and stays allocated while we live.
        unsafe { self.0.as_ref() }
    }

    #[inline]
    const fn head_mut(&mut self) -> &mut rte_mbuf {
        // SAFETY: this buffer is ours alone and stays allocated while we live.
        unsafe { self.0.as_mut() }
    }

    /// The frame, or its first part if [`segments`](Self::segments) is more than 1.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        let head = self.head();
        // SAFETY: drivers and this type keep `data_off` inside the buffer.
        let data = unsafe { head.buf_addr.cast::<u8>().add(usize::from(head.data_off)) };
        // SAFETY: drivers and this type keep `data_off + data_len` within `buf_len`; the memory is
        // mapped for good and ours alone.
        unsafe { std::slice::from_raw_parts(data, usize::from(head.data_len)) }
    }

    /// As [`bytes`](Self::bytes), to change them.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let head = self.head();
        // SAFETY: drivers and this type keep `data_off` inside the buffer.
        let data = unsafe { head.buf_addr.cast::<u8>().add(usize::from(head.data_off)) };
        // SAFETY: drivers and this type keep `data_off + data_len` within `buf_len`; the memory is
        // mapped for good and ours alone.
        unsafe { std::slice::from_raw_parts_mut(data, usize::from(head.data_len)) }
    }

    /// Octets of the whole frame, without FCS.
    #[inline]
    pub const fn frame_len(&self) -> u32 {
        self.head().pkt_len
    }

    /// Parts that the frame is spread over: 1 unless a driver got a frame larger than a buffer.
    #[inline]
    pub const fn segments(&self) -> u16 {
        self.head().nb_segs
    }

    /// Free octets before the frame.
    #[inline]
    pub const fn headroom(&self) -> u16 {
        self.head().data_off
    }

    /// Free octets after the first part.
    #[inline]
    pub const fn tailroom(&self) -> u16 {
        let head = self.head();
        head.buf_len.saturating_sub(head.data_off).saturating_sub(head.data_len)
    }

    /// Grows the frame by `octets` at the front; their content is undefined. Refused, and nothing
    /// changed, if the headroom is smaller.
    #[inline]
    #[must_use = "refused when there is no room"]
    pub const fn prepend(&mut self, octets: u16) -> bool {
        let head = self.head_mut();
        let (Some(offset), Some(length)) =
            (head.data_off.checked_sub(octets), head.data_len.checked_add(octets))
        else {
            return false;
        };
        head.data_off = offset;
        head.data_len = length;
        head.pkt_len += octets as u32;
        true
    }

    /// Removes octets at the front, at most the first part's.
    #[inline]
    pub fn trim_front(&mut self, octets: u16) {
        let head = self.head_mut();
        let octets = octets.min(head.data_len);
        head.data_off += octets;
        head.data_len -= octets;
        head.pkt_len -= u32::from(octets);
    }

    /// Cuts off what is behind the first `octets`. Nothing changes if the frame is shorter or has
    /// several parts.
    #[inline]
    pub const fn truncate(&mut self, octets: u16) {
        if self.segments() == 1 && octets < self.head().data_len {
            let head = self.head_mut();
            head.data_len = octets;
            head.pkt_len = octets as u32;
        }
    }

    /// Grows the frame by `octets` zeros at the end. Refused, and nothing changed, if the tailroom
    /// is smaller or the frame has several parts.
    #[inline]
    #[must_use = "refused when there is no room"]
    pub fn append_zeros(&mut self, octets: u16) -> bool {
        if self.segments() != 1 || self.tailroom() < octets {
            return false;
        }
        let head = self.head_mut();
        let old = usize::from(head.data_len);
        head.data_len += octets;
        head.pkt_len += u32::from(octets);
        self.bytes_mut()[old..].fill(0);
        true
    }

    /// Appends octets. Refused, and nothing changed, if the tailroom is smaller or the frame has
    /// several parts.
    #[must_use = "refused when there is no room"]
    pub fn append(&mut self, octets: &[u8]) -> bool {
        let Ok(length) = u16::try_from(octets.len()) else { return false };
        if self.segments() != 1 || self.tailroom() < length {
            return false;
        }
        let head = self.head_mut();
        let old = usize::from(head.data_len);
        head.data_len += length;
        head.pkt_len += u32::from(length);
        self.bytes_mut()[old..].copy_from_slice(octets);
        true
    }

    /// Calls `visit` with each part of the frame in order.
    pub(crate) fn for_each_part(&self, mut visit: impl FnMut(&[u8])) {
        visit(self.bytes());
        let mut next = self.head().next;
        for _ in 1..self.segments() {
            let Some(part) = NonNull::new(next) else { return };
            // SAFETY: a chained part belongs to its head, which is ours. `ManuallyDrop` because the
            // head frees it.
            let part = ManuallyDrop::new(unsafe { Self::from_raw(part) });
            visit(part.bytes());
            next = part.head().next;
        }
    }

    /// Asks the processor for the first octets of the frame. Reads the buffer's header.
    #[inline]
    pub fn prefetch(&self) {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let head = self.head();
        let data = head.buf_addr.cast::<i8>().wrapping_add(usize::from(head.data_off));
        // SAFETY: a prefetch never faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(data) };
    }
}

impl Drop for Mbuf {
    fn drop(&mut self) {
        let mut raw = self.as_raw();
        // SAFETY: `raw` is one buffer, ours alone, and not used after this.
        unsafe { dpdk_sys::rte_pktmbuf_free_bulk(&raw mut raw, 1) };
    }
}

/// Gives a burst back to the pools its buffers came from, with one call.
///
/// `F` is [`Mbuf`] or a type around one that can be taken apart: a reference cannot, so no buffer is
/// given back twice.
#[inline]
pub fn free_bulk<F: Into<Mbuf>, const N: usize>(burst: &mut ArrayVec<F, N>) {
    if burst.is_empty() {
        return;
    }
    let mut raw: ArrayVec<*mut rte_mbuf, N> =
        burst.drain(..).map(|frame| frame.into().into_raw()).collect();
    #[expect(clippy::cast_possible_truncation, reason = "N is a burst, far below 2^32")]
    let count = raw.len() as u32;
    // SAFETY: `raw` holds `count` buffers, each ours alone until `into_raw` gave it up.
    unsafe { dpdk_sys::rte_pktmbuf_free_bulk(raw.as_mut_ptr(), count) };
}
