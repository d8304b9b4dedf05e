//! The pipeline's devices and buffers, over DPDK.

use crate::frame::MbufFrame;
use crate::links::Links;
use crate::ports::{Attachment, Inbound, Transmit};
use arrayvec::ArrayVec;
use bridge_model::types::InterfaceId;
use fwd::{BURST, FrameBurst, Io};
use rte_rs::{Mempool, free_bulk};

/// A worker's transmit side: a queue or a way to one for each interface, and buffers for copies.
#[derive(Debug)]
pub(crate) struct DpdkIo {
    transmit: Box<[Option<Transmit>]>,
    inbound: Vec<Inbound>,
    /// Frames of others that a queue of ours did not take yet, by interface.
    stuck: Box<[FrameBurst<MbufFrame>]>,
    links: Links,
    pool: Mempool,
    /// Empty buffers for copies, allocated a burst at a time.
    spares: FrameBurst<MbufFrame>,
    /// Frames that were handed over by others and could not be sent.
    pub(crate) hand_over_lost: u64,
}

/// Hand-over rings per worker that never need memory: 32 devices of as many other workers.
const INBOUND: usize = 1024;

impl DpdkIo {
    pub(crate) fn new(links: Links, pool: Mempool) -> Self {
        let interfaces = links.len();
        Self {
            transmit: (0..interfaces).map(|_| None).collect(),
            inbound: Vec::with_capacity(INBOUND),
            stuck: (0..interfaces).map(|_| ArrayVec::new()).collect(),
            links,
            pool,
            spares: ArrayVec::new(),
            hand_over_lost: 0,
        }
    }

    /// Takes the sending half of an attachment.
    pub(crate) fn attach(&mut self, attachment: &mut Attachment) {
        if let Some(slot) = self.transmit.get_mut(attachment.interface.index()) {
            *slot = attachment.transmit.take();
        }
        self.inbound.append(&mut attachment.inbound);
    }

    /// Gives the sending half back, without what waited in it.
    pub(crate) fn detach(&mut self, attachment: &mut Attachment) {
        let interface = attachment.interface;
        if let Some(slot) = self.transmit.get_mut(interface.index()) {
            attachment.transmit = slot.take();
        }
        if let Some(stuck) = self.stuck.get_mut(interface.index()) {
            self.hand_over_lost += stuck.len() as u64;
            free_bulk(stuck);
        }
        let mut at = 0;
        while let Some(inbound) = self.inbound.get(at) {
            if inbound.interface == interface {
                attachment.inbound.push(self.inbound.swap_remove(at));
            } else {
                at += 1;
            }
        }
    }

    /// Sends what other workers have handed over. True if there was anything.
    #[inline]
    pub(crate) fn send_for_others(&mut self) -> bool {
        !self.inbound.is_empty() && self.send_inbound()
    }

    fn send_inbound(&mut self) -> bool {
        let mut any = false;
        for inbound in &mut self.inbound {
            let interface = inbound.interface;
            let Some(stuck) = self.stuck.get_mut(interface.index()) else { continue };
            // What the device does not take stays, and behind it the ring: its producer sees that
            // there is no room and counts what it cannot send.
            let room = stuck.remaining_capacity();
            stuck.extend(std::iter::from_fn(|| inbound.ring.pop().ok()).take(room));
            if stuck.is_empty() {
                continue;
            }
            any = true;
            match self.transmit.get_mut(interface.index()) {
                Some(Some(Transmit::Own(queue))) if self.links.is_up(interface) => {
                    queue.transmit(stuck);
                }
                _ => {
                    self.hand_over_lost += stuck.len() as u64;
                    free_bulk(stuck);
                }
            }
        }
        any
    }

    /// Ends handing over: the owners of the queues see that nothing more comes.
    pub(crate) fn close_hand_over(&mut self) {
        for slot in &mut self.transmit {
            if matches!(slot, Some(Transmit::HandOver(_))) {
                *slot = None;
            }
        }
    }

    /// Whether every worker that handed frames over has ended.
    pub(crate) fn nobody_hands_over(&self) -> bool {
        self.inbound.iter().all(|inbound| inbound.ring.is_abandoned() && inbound.ring.is_empty())
    }

    /// The interfaces that this can send by.
    pub(crate) fn interfaces(&self) -> impl Iterator<Item = InterfaceId> {
        let attached = self.transmit.iter().zip(0..).filter(|(slot, _)| slot.is_some());
        attached.map(|(_, index)| InterfaceId(index))
    }

    /// Gives back whatever this holds. Used when the worker ends.
    pub(crate) fn clear(&mut self) {
        for stuck in &mut self.stuck {
            self.hand_over_lost += stuck.len() as u64;
            free_bulk(stuck);
        }
        free_bulk(&mut self.spares);
    }

    fn spare(&mut self) -> Option<MbufFrame> {
        if self.spares.is_empty() && !self.pool.allocate_bulk(&mut self.spares, BURST) {
            // Fewer than a burst are left: share out what there is.
            return self.pool.allocate().map(MbufFrame::from);
        }
        self.spares.pop()
    }
}

impl Io for DpdkIo {
    type Frame = MbufFrame;

    #[inline]
    fn copy(&mut self, frame: &MbufFrame) -> Option<MbufFrame> {
        let mut copy = self.spare()?;
        copy.fill_from(frame).then_some(copy)
    }

    #[inline]
    fn transmit(&mut self, interface: InterfaceId, frames: &mut FrameBurst<MbufFrame>) {
        if !self.links.is_up(interface) {
            return;
        }
        match self.transmit.get_mut(interface.index()) {
            Some(Some(Transmit::Own(queue))) => {
                queue.transmit(frames);
            }
            Some(Some(Transmit::HandOver(ring))) => {
                let room = ring.slots().min(frames.len());
                for frame in frames.drain(..room) {
                    // There is room: this end is the only one that pushes.
                    drop(ring.push(frame));
                }
            }
            Some(None) | None => {}
        }
    }

    #[inline]
    fn link_up(&self, interface: InterfaceId) -> bool {
        let attached = self.transmit.get(interface.index()).is_some_and(Option::is_some);
        attached && self.links.is_up(interface)
    }

    #[inline]
    fn release(&mut self, frames: &mut FrameBurst<MbufFrame>) {
        free_bulk(frames);
    }
}
