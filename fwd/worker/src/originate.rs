//! Frames of the control plane on their way to a worker.

use crate::frame::MbufFrame;
use bridge_model::types::InterfaceId;
use fwd::counters::PortSlot;
use rte_rs::Mempool;
use rtrb::{Consumer, Producer, RingBuffer};

/// Frames that can wait: an LLDP or LACP frame for every interface several times over.
const RING: usize = 256;

/// A frame to send.
#[derive(Debug)]
pub(crate) struct Originated {
    pub(crate) interface: InterfaceId,
    pub(crate) port: PortSlot,
    pub(crate) frame: MbufFrame,
}

/// Why a frame of the control plane was not taken. Try again later, or let it go: protocols repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginateError {
    /// The worker has not taken the frames before it.
    #[error("{RING} frames wait for the worker already: is it running?")]
    Full,
    /// The pool has run dry or the frame is longer than a buffer.
    #[error("no buffer for a frame of {octets} octets: make the pool larger")]
    NoBuffer {
        /// The frame's length.
        octets: usize,
    },
}

/// The control plane's way to send by one worker. The frame is copied into a buffer here, so that
/// the worker only passes it on.
#[derive(Debug)]
pub struct Originator {
    ring: Producer<Originated>,
    pool: Mempool,
}

pub(crate) fn channel(pool: Mempool) -> (Originator, Consumer<Originated>) {
    let (ring, consumer) = RingBuffer::new(RING);
    (Originator { ring, pool }, consumer)
}

impl Originator {
    /// Has the worker send a frame by an interface, unchanged; it is counted for `port`.
    pub fn send(
        &mut self,
        interface: InterfaceId,
        port: PortSlot,
        frame: &[u8],
    ) -> Result<(), OriginateError> {
        if self.ring.is_full() {
            return Err(OriginateError::Full);
        }
        let mbuf =
            self.pool.frame(frame).ok_or(OriginateError::NoBuffer { octets: frame.len() })?;
        let originated = Originated { interface, port, frame: MbufFrame::from(mbuf) };
        self.ring.push(originated).map_err(|_| OriginateError::Full)
    }
}
