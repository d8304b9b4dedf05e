//! Buffers laid out as a driver's: a handle of one pointer, a metadata line, headroom, data.

use fwd::frame::{BURST, Frame, FrameBurst, Io};

use bridge_model::types::InterfaceId;

const HEADROOM: u8 = 128;
const DATA_OCTETS: usize = 2048 - 64;
const MAX_OCTETS: usize = DATA_OCTETS - u8::MAX as usize;

#[derive(Debug)]
#[repr(C, align(64))]
struct Buffer {
    /// Where the frame begins; always within the data, so that no check is needed, as in a driver.
    start: u8,
    segments: u8,
    octets: u16,
    // The data begins on the next line.
    data: Line,
}

#[derive(Debug)]
#[repr(C, align(64))]
struct Line([u8; DATA_OCTETS]);

/// A frame in a buffer of 2 KiB; the handle is one pointer.
#[derive(Debug)]
pub(super) struct PoolFrame(Box<Buffer>);

impl PoolFrame {
    pub(super) fn new() -> Self {
        let data = Line([0; DATA_OCTETS]);
        Self(Box::new(Buffer { start: HEADROOM, octets: 0, segments: 1, data }))
    }

    /// Receives a frame whose first octets are `head` and whose length is `octets`.
    #[inline]
    pub(super) fn receive<const N: usize>(&mut self, head: [u8; N], octets: u16) {
        self.0.start = HEADROOM;
        self.0.octets = octets;
        if let Some(place) =
            self.0.data.0.get_mut(usize::from(HEADROOM)..).and_then(|data| data.first_chunk_mut())
        {
            *place = head;
        }
    }

    /// Receives a whole frame, which fits.
    #[inline]
    pub(super) fn fill(&mut self, content: &[u8]) {
        self.0.start = HEADROOM;
        self.0.octets = 0;
        let room = self.0.data.0.get_mut(usize::from(HEADROOM)..);
        let place = room.and_then(|room| room.get_mut(..content.len()));
        if let (Some(place), Ok(octets)) = (place, u16::try_from(content.len())) {
            place.copy_from_slice(content);
            self.0.octets = octets;
        }
    }

    #[inline]
    fn range(&self) -> std::ops::Range<usize> {
        let start = usize::from(self.0.start);
        start..start + usize::from(self.0.octets)
    }
}

impl Frame for PoolFrame {
    #[inline]
    fn bytes(&self) -> &[u8] {
        // No more than there is behind the farthest start: a check that costs no branch.
        let octets = usize::from(self.0.octets).min(MAX_OCTETS);
        &self.0.data.0[usize::from(self.0.start)..][..octets]
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        let octets = usize::from(self.0.octets).min(MAX_OCTETS);
        &mut self.0.data.0[usize::from(self.0.start)..][..octets]
    }

    #[inline]
    fn octets(&self) -> usize {
        usize::from(self.0.octets)
    }

    #[inline]
    fn is_contiguous(&self) -> bool {
        self.0.segments == 1
    }

    #[inline]
    fn prepend(&mut self, octets: usize) -> bool {
        let Some(start) = u8::try_from(octets).ok().and_then(|o| self.0.start.checked_sub(o))
        else {
            return false;
        };
        self.0.octets += u16::from(self.0.start - start);
        self.0.start = start;
        true
    }

    #[inline]
    fn trim_front(&mut self, octets: usize) {
        let octets = u8::try_from(octets).unwrap_or(0);
        self.0.start = self.0.start.wrapping_add(octets);
        self.0.octets = self.0.octets.wrapping_sub(octets.into());
    }

    #[inline]
    fn truncate(&mut self, octets: usize) {
        self.0.octets =
            u16::try_from(octets).map_or(self.0.octets, |octets| octets.min(self.0.octets));
    }

    fn pad_to(&mut self, octets: usize) -> bool {
        let end = self.range().end;
        let wanted = usize::from(self.0.start) + octets;
        match self.0.data.0.get_mut(end..wanted) {
            Some(pad) => {
                pad.fill(0);
                self.0.octets = u16::try_from(octets).unwrap_or(u16::MAX);
                true
            }
            None => false,
        }
    }

    #[inline]
    fn prefetch(&self) {
        fwd::prefetch(&self.0.data.0[usize::from(HEADROOM)..]);
    }
}

/// A sink that takes every buffer back, and the source's store of them.
#[derive(Debug, Default)]
pub(super) struct Sink {
    /// Bursts that came back, oldest first; from `filled` on empty.
    pub(super) pool: Vec<FrameBurst<PoolFrame>>,
    pub(super) filled: usize,
    pub(super) sent: [u64; 2],
    pub(super) released: u64,
    /// Copies that flooding asked for: none may be made when everything is known.
    pub(super) copies: u64,
}

impl Io for Sink {
    type Frame = PoolFrame;

    fn copy(&mut self, _: &PoolFrame) -> Option<PoolFrame> {
        self.copies += 1;
        None
    }

    #[inline]
    fn transmit(&mut self, interface: InterfaceId, frames: &mut FrameBurst<PoolFrame>) {
        if let Some(sent) = self.sent.get_mut(interface.index()) {
            *sent += frames.len() as u64;
        }
        self.take_back(frames);
    }

    fn link_up(&self, _: InterfaceId) -> bool {
        true
    }

    fn release(&mut self, frames: &mut FrameBurst<PoolFrame>) {
        self.released += frames.len() as u64;
        self.take_back(frames);
    }
}

impl Sink {
    /// With buffers for so many bursts.
    pub(super) fn new(bursts: usize) -> Self {
        let burst = |_| (0..BURST).map(|_| PoolFrame::new()).collect();
        Self { pool: (0..bursts).map(burst).collect(), filled: bursts, ..Self::default() }
    }

    #[inline]
    pub(super) fn take_back(&mut self, frames: &mut FrameBurst<PoolFrame>) {
        if let Some(slot) = self.pool.get_mut(self.filled) {
            std::mem::swap(slot, frames);
            self.filled += 1;
        }
    }
}
