//! What the pipeline needs from a frame buffer and from the devices.
//!
//! Both are traits so that the pipeline runs on DPDK mbufs in the worker and on ordinary memory in
//! tests, benches and the trace tool. They are generic parameters, never `dyn`: the packet path has
//! no indirect call.

use arrayvec::ArrayVec;
use bridge_model::types::InterfaceId;

use crate::counters::Note;

/// Frames that are received, processed and sent at a time.
pub const BURST: usize = 32;

/// Up to [`BURST`] frames.
pub type FrameBurst<F> = ArrayVec<F, BURST>;

/// An owned Ethernet frame, without its frame check sequence.
pub trait Frame: Sized {
    /// The frame from the destination address on. If [`is_contiguous`](Self::is_contiguous) is
    /// false, only its first part.
    fn bytes(&self) -> &[u8];

    /// The same, writable.
    fn bytes_mut(&mut self) -> &mut [u8];

    /// Length of the frame in octets.
    #[inline]
    fn octets(&self) -> usize {
        self.bytes().len()
    }

    /// The frame lies in one piece of memory. Buffers are sized so that it always does; a driver
    /// that chains buffers all the same gets its frames dropped and counted.
    fn is_contiguous(&self) -> bool;

    /// Makes room for `octets` (at most 96) in front; their content is unspecified. False, and nothing
    /// changed, if there is no headroom.
    fn prepend(&mut self, octets: usize) -> bool;

    /// Removes the first `octets` (never more than the frame has).
    fn trim_front(&mut self, octets: usize);

    /// Cuts off what is behind the first `octets` (never more than the frame has).
    fn truncate(&mut self, octets: usize);

    /// Appends zeros until the frame has `octets`. False, and nothing changed, if there is no room.
    fn pad_to(&mut self, octets: usize) -> bool;

    /// Asks the cache for the first octets of the frame.
    fn prefetch(&self);
}

/// The devices of one worker, and the buffers behind them.
pub trait Io {
    /// The buffers.
    type Frame: Frame;

    /// A deep copy with headroom of its own; `None` if there is no free buffer.
    fn copy(&mut self, frame: &Self::Frame) -> Option<Self::Frame>;

    /// Sends from the front of `frames` by `interface` and leaves what did not fit. The interface
    /// is one that the image names; if it has vanished, nothing is sent.
    fn transmit(&mut self, interface: InterfaceId, frames: &mut FrameBurst<Self::Frame>);

    /// Where another worker sends by `interface`: gives it frames from the front of `frames`, each
    /// with its note, leaves what did not fit, and says how many went. That worker counts their end.
    /// Nothing where this worker sends itself.
    #[inline]
    fn hand_over(
        &mut self,
        interface: InterfaceId,
        frames: &mut FrameBurst<Self::Frame>,
        notes: &[Note],
    ) -> usize {
        let _ = (interface, frames, notes);
        0
    }

    /// The interface can send. Asked only for frames that [`transmit`](Self::transmit) left.
    fn link_up(&self, interface: InterfaceId) -> bool;

    /// Gives the buffers of dropped and consumed frames back; `frames` is empty afterwards.
    fn release(&mut self, frames: &mut FrameBurst<Self::Frame>);
}
