//! A DPDK buffer as the pipeline sees it.

use fwd::Frame;
use rte_rs::Mbuf;

/// A frame in a DPDK buffer. (A type of its own because neither the trait nor the buffer is ours.)
#[derive(Debug)]
#[repr(transparent)]
pub struct MbufFrame(Mbuf);

impl From<Mbuf> for MbufFrame {
    #[inline]
    fn from(mbuf: Mbuf) -> Self {
        Self(mbuf)
    }
}

impl From<MbufFrame> for Mbuf {
    #[inline]
    fn from(frame: MbufFrame) -> Self {
        frame.0
    }
}

impl MbufFrame {
    /// Makes an empty buffer a copy of `frame`, which lies in one part. False if it does not fit.
    #[inline]
    pub(crate) fn fill_from(&mut self, frame: &Self) -> bool {
        frame.0.segments() == 1 && self.0.append(frame.0.bytes())
    }
}

/// The pipeline asks for tags or the headers of a tunnel, at most 96 octets, and for padding to at
/// most 60. Fresh buffers and those that drivers fill have [`rte_rs::HEADROOM`].
#[inline]
fn narrow(octets: usize) -> u16 {
    u16::try_from(octets).unwrap_or(u16::MAX)
}

/// The longest headers of a tunnel are pushed onto a frame that had a tag put back in by its driver.
const _: () = assert!(rte_rs::HEADROOM >= 96 + 4);

impl Frame for MbufFrame {
    #[inline]
    fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.bytes_mut()
    }

    #[inline]
    fn octets(&self) -> usize {
        self.0.frame_len() as usize
    }

    #[inline]
    fn is_contiguous(&self) -> bool {
        self.0.segments() == 1
    }

    #[inline]
    fn prepend(&mut self, octets: usize) -> bool {
        self.0.prepend(narrow(octets))
    }

    #[inline]
    fn trim_front(&mut self, octets: usize) {
        self.0.trim_front(narrow(octets));
    }

    #[inline]
    fn truncate(&mut self, octets: usize) {
        self.0.truncate(narrow(octets));
    }

    #[inline]
    fn pad_to(&mut self, octets: usize) -> bool {
        match octets.checked_sub(self.0.bytes().len()) {
            None | Some(0) => true,
            Some(missing) => self.0.append_zeros(narrow(missing)),
        }
    }

    #[inline]
    fn prefetch(&self) {
        self.0.prefetch();
    }
}
