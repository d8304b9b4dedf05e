//! Frames in ordinary memory, and a device set that records what it is given: for tests, benches
//! and the trace tool.

use std::collections::BTreeMap;

use arrayvec::ArrayVec;
use bridge_model::types::InterfaceId;

use crate::frame::{Frame, FrameBurst, Io};

/// Room in front of a frame, in octets, as drivers leave it.
pub const HEADROOM: usize = 128;
const TAILROOM: usize = 64;

/// A frame on the heap with head and tail room.
#[derive(Clone, Debug)]
pub struct HeapFrame {
    buffer: Box<[u8]>,
    start: u32,
    end: u32,
    contiguous: bool,
}

impl HeapFrame {
    /// A frame with this content.
    pub fn new(content: &[u8]) -> Self {
        let mut buffer = vec![0; HEADROOM + content.len() + TAILROOM].into_boxed_slice();
        let end = HEADROOM + content.len();
        buffer[HEADROOM..end].copy_from_slice(content);
        Self { buffer, start: narrow(HEADROOM), end: narrow(end), contiguous: true }
    }

    /// A frame that claims to be chained over several buffers.
    pub fn chained(content: &[u8]) -> Self {
        Self { contiguous: false, ..Self::new(content) }
    }

    /// Makes the frame what it was before it was sent: `content` at the same place in the same
    /// buffer. The buffer must have been made for at least this length.
    #[inline]
    pub fn refill(&mut self, content: &[u8]) {
        self.start = narrow(HEADROOM);
        self.end = narrow(HEADROOM + content.len());
        if let Some(room) = self.buffer.get_mut(HEADROOM..HEADROOM + content.len()) {
            room.copy_from_slice(content);
        }
    }

    /// Marks where the frame begins and ends without touching its octets, as a driver does that
    /// received into this buffer.
    #[inline]
    pub fn reset(&mut self, octets: usize) {
        self.start = narrow(HEADROOM);
        self.end = narrow((HEADROOM + octets).min(self.buffer.len()));
    }
}

#[inline]
fn narrow(octets: usize) -> u32 {
    u32::try_from(octets).unwrap_or(u32::MAX)
}

impl Frame for HeapFrame {
    #[inline]
    fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.start as usize..self.end as usize).unwrap_or_default()
    }

    #[inline]
    fn octets(&self) -> usize {
        (self.end - self.start) as usize
    }

    #[inline]
    fn is_contiguous(&self) -> bool {
        self.contiguous
    }

    #[inline]
    fn prepend(&mut self, octets: usize) -> bool {
        match self.start.checked_sub(narrow(octets)) {
            Some(start) => {
                self.start = start;
                true
            }
            None => false,
        }
    }

    #[inline]
    fn trim_front(&mut self, octets: usize) {
        self.start = self.end.min(self.start + narrow(octets));
    }

    #[inline]
    fn truncate(&mut self, octets: usize) {
        self.end = self.end.min(self.start + narrow(octets));
    }

    fn pad_to(&mut self, octets: usize) -> bool {
        let end = self.start as usize + octets;
        match self.buffer.get_mut(self.end as usize..end) {
            Some(pad) => {
                pad.fill(0);
                self.end = narrow(end);
                true
            }
            None => self.octets() >= octets,
        }
    }

    #[inline]
    fn prefetch(&self) {
        crate::isa::prefetch_octet(self.bytes());
    }
}

/// A device set that keeps every frame it sends.
#[derive(Debug, Default)]
pub struct HeapIo {
    /// What was sent, in order, by interface.
    pub sent: BTreeMap<InterfaceId, Vec<Vec<u8>>>,
    /// How many more frames each interface takes before its ring is full; absent is no bound.
    pub room: BTreeMap<InterfaceId, usize>,
    /// Interfaces without carrier: they send nothing.
    pub down: Vec<InterfaceId>,
    /// How many more copies can be made; `None` is no bound.
    pub copies_left: Option<usize>,
    /// Buffers that came back.
    pub released: u64,
    /// Copies that were made.
    pub copied: u64,
}

impl HeapIo {
    /// What was sent since the last call, by interface and in order.
    pub fn take(&mut self) -> Vec<(InterfaceId, Vec<u8>)> {
        let sent = std::mem::take(&mut self.sent);
        sent.into_iter()
            .flat_map(|(interface, frames)| frames.into_iter().map(move |f| (interface, f)))
            .collect()
    }

    /// How many frames lie in [`sent`](Self::sent).
    pub fn sent_frames(&self) -> u64 {
        self.sent.values().map(|frames| frames.len() as u64).sum()
    }
}

impl Io for HeapIo {
    type Frame = HeapFrame;

    fn copy(&mut self, frame: &HeapFrame) -> Option<HeapFrame> {
        if let Some(left) = &mut self.copies_left {
            *left = left.checked_sub(1)?;
        }
        self.copied += 1;
        Some(HeapFrame::new(frame.bytes()))
    }

    fn transmit(&mut self, interface: InterfaceId, frames: &mut FrameBurst<HeapFrame>) {
        if self.down.contains(&interface) {
            return;
        }
        let fits = match self.room.get_mut(&interface) {
            Some(room) => {
                let fits = frames.len().min(*room);
                *room -= fits;
                fits
            }
            None => frames.len(),
        };
        let list = self.sent.entry(interface).or_default();
        list.extend(frames.drain(..fits).map(|frame| frame.bytes().to_vec()));
    }

    fn link_up(&self, interface: InterfaceId) -> bool {
        !self.down.contains(&interface)
    }

    fn release(&mut self, frames: &mut FrameBurst<HeapFrame>) {
        self.released += frames.len() as u64;
        frames.clear();
    }
}

/// Frames of these contents as one burst; at most [`BURST`](crate::frame::BURST) are taken.
pub fn burst<'a>(contents: impl IntoIterator<Item = &'a [u8]>) -> FrameBurst<HeapFrame> {
    contents.into_iter().take(crate::frame::BURST).map(HeapFrame::new).collect::<ArrayVec<_, _>>()
}
