//! Frames of the control plane on their way to a worker.

use crate::frame::MbufFrame;
use crate::handle::Shared;
use bridge_model::types::{Fid, InterfaceId, MemberId};
use fwd::counters::PortSlot;
use rte_rs::Mempool;
use rtrb::{Consumer, Producer, RingBuffer};
use std::sync::Arc;

/// Frames that can wait: a packet of liveness to each of some hundred peers, and an ARP request for
/// each.
const RING: usize = 1024;

/// A frame to send.
#[derive(Debug)]
pub(crate) enum Originated {
    /// As it is.
    By {
        /// The device.
        interface: InterfaceId,
        /// What it is counted for.
        port: PortSlot,
        /// The frame with all its tags.
        frame: MbufFrame,
    },
    /// As its bridge sees it: the pipeline gives it the tags, or the tunnel, of the place it goes to.
    Into {
        /// The learning domain.
        fid: Fid,
        /// The member of it.
        member: MemberId,
        /// The frame.
        frame: MbufFrame,
    },
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
    worker: Arc<Shared>,
}

pub(crate) fn channel(pool: Mempool, worker: Arc<Shared>) -> (Originator, Consumer<Originated>) {
    let (ring, consumer) = RingBuffer::new(RING);
    (Originator { ring, pool, worker }, consumer)
}

impl Originator {
    /// How many turns the worker has ended. Two more, and it has polled each of its queues since, and
    /// passed on what was in them.
    pub fn turns(&self) -> u64 {
        self.worker.turns()
    }

    /// Has the worker send a frame by an interface, unchanged; it is counted for `port`.
    pub fn send(
        &mut self,
        interface: InterfaceId,
        port: PortSlot,
        frame: &[u8],
    ) -> Result<(), OriginateError> {
        self.push(frame, |frame| Originated::By { interface, port, frame })
    }

    /// Has the worker send a frame to one member of a learning domain, tagged or in a tunnel as any
    /// other frame to it. One to a member that is no more is dropped and counted.
    pub fn inject(
        &mut self,
        fid: Fid,
        member: MemberId,
        frame: &[u8],
    ) -> Result<(), OriginateError> {
        self.push(frame, |frame| Originated::Into { fid, member, frame })
    }

    fn push(
        &mut self,
        frame: &[u8],
        to: impl FnOnce(MbufFrame) -> Originated,
    ) -> Result<(), OriginateError> {
        if self.ring.is_full() {
            return Err(OriginateError::Full);
        }
        let mbuf =
            self.pool.frame(frame).ok_or(OriginateError::NoBuffer { octets: frame.len() })?;
        self.ring.push(to(MbufFrame::from(mbuf))).map_err(|_| OriginateError::Full)
    }
}
