//! The pipeline's devices and buffers, over DPDK.

use crate::frame::MbufFrame;
use crate::links::Links;
use crate::ports::{Attachment, HAND_OVER, HandedOver, Inbound, Transmit};
use arrayvec::ArrayVec;
use bridge_model::reason::DropReason;
use bridge_model::types::InterfaceId;
use fwd::counters::Note;
use fwd::{BURST, FrameBurst, Io, Worker};
use rte_rs::{Mempool, free_bulk};

/// A worker's transmit side: a queue or a way to one for each interface, and buffers for copies.
#[derive(Debug)]
pub(crate) struct DpdkIo {
    transmit: Box<[Option<Transmit>]>,
    inbound: Vec<Inbound>,
    /// Frames of others that a queue of ours did not take yet, by interface.
    stuck: Box<[Stuck]>,
    links: Links,
    pool: Mempool,
    /// Empty buffers for copies, allocated a burst at a time.
    spares: FrameBurst<MbufFrame>,
    /// Frames that were handed over by others and could not be sent. Each is counted as dropped.
    pub(crate) hand_over_lost: u64,
}

/// Frames of others for one device, with their notes at the same index.
#[derive(Debug, Default)]
struct Stuck {
    frames: FrameBurst<MbufFrame>,
    notes: ArrayVec<Note, BURST>,
}

impl Stuck {
    /// Takes what there is room for.
    fn fill(&mut self, inbound: &mut Inbound) {
        while !self.frames.is_full() {
            let Ok(HandedOver { frame, note }) = inbound.ring.pop() else { return };
            self.frames.push(frame);
            self.notes.push(note);
        }
    }

    /// Drops everything and says how many that were.
    fn drop_all(
        &mut self,
        worker: &mut Worker<MbufFrame>,
        interface: InterfaceId,
        reason: DropReason,
    ) -> u64 {
        let dropped = self.frames.len() as u64;
        let notes = self.notes.drain(..);
        worker.dropped_for_others(interface, self.frames.iter().zip(notes), reason);
        free_bulk(&mut self.frames);
        dropped
    }
}

/// Hand-over rings per worker that never need memory: 32 devices of as many other workers.
const INBOUND: usize = 1024;

impl DpdkIo {
    pub(crate) fn new(links: Links, pool: Mempool) -> Self {
        let interfaces = links.len();
        Self {
            transmit: (0..interfaces).map(|_| None).collect(),
            inbound: Vec::with_capacity(INBOUND),
            stuck: (0..interfaces).map(|_| Stuck::default()).collect(),
            links,
            pool,
            spares: ArrayVec::new(),
            hand_over_lost: 0,
        }
    }

    /// Takes the sending half of an attachment. What it leaves there is the control thread's to
    /// free.
    pub(crate) fn attach(&mut self, attachment: &mut Attachment) {
        if let Some(slot) = self.transmit.get_mut(attachment.interface.index()) {
            *slot = attachment.transmit.take();
        }
        self.inbound.append(&mut attachment.inbound);
        self.retire(attachment);
    }

    /// Gives the sending half back, without what waited in it. Rings from other workers stay until
    /// those have given their ends back, so that a frame on its way is counted.
    pub(crate) fn detach(&mut self, attachment: &mut Attachment, worker: &mut Worker<MbufFrame>) {
        let interface = attachment.interface;
        self.settle(interface, worker);
        if let Some(slot) = self.transmit.get_mut(interface.index()) {
            attachment.transmit = slot.take();
        }
        if let Some(stuck) = self.stuck.get_mut(interface.index()) {
            self.hand_over_lost += stuck.drop_all(worker, interface, DropReason::TxLinkDown);
        }
        self.retire(attachment);
    }

    /// Moves rings that nobody fills any more into the attachment, as far as it has room.
    fn retire(&mut self, attachment: &mut Attachment) {
        let mut at = 0;
        while let Some(Inbound { ring, .. }) = self.inbound.get(at) {
            let room = attachment.inbound.len() < attachment.inbound.capacity();
            if room && ring.is_abandoned() && ring.is_empty() {
                attachment.inbound.push(self.inbound.swap_remove(at));
            } else {
                at += 1;
            }
        }
    }

    /// Counts what the worker that sends by an interface has left in the ring, if it has ended. True
    /// if it has.
    fn settle(&self, interface: InterfaceId, worker: &mut Worker<MbufFrame>) -> bool {
        match self.transmit.get(interface.index()) {
            Some(Some(Transmit::HandOver(ring))) if ring.is_abandoned() => {
                worker.dropped_by_others((HAND_OVER - ring.slots().min(HAND_OVER)) as u64);
                true
            }
            _ => false,
        }
    }

    /// Sends what other workers have handed over. True if there was anything.
    #[inline]
    pub(crate) fn send_for_others(&mut self, worker: &mut Worker<MbufFrame>) -> bool {
        !self.inbound.is_empty() && self.send_inbound(worker)
    }

    fn send_inbound(&mut self, worker: &mut Worker<MbufFrame>) -> bool {
        let mut any = false;
        for inbound in &mut self.inbound {
            let interface = inbound.interface;
            let Some(stuck) = self.stuck.get_mut(interface.index()) else { continue };
            // What the device does not take stays, and behind it the ring: its producer sees that
            // there is no room and counts what it cannot send.
            stuck.fill(inbound);
            if stuck.frames.is_empty() {
                continue;
            }
            any = true;
            match self.transmit.get_mut(interface.index()) {
                Some(Some(Transmit::Own(queue))) if self.links.is_up(interface) => {
                    let sent = queue.transmit(&mut stuck.frames).min(stuck.notes.len());
                    worker.sent_for_others(&stuck.notes[..sent]);
                    drop(stuck.notes.drain(..sent));
                }
                _ => {
                    let reason = DropReason::TxLinkDown;
                    self.hand_over_lost += stuck.drop_all(worker, interface, reason);
                }
            }
        }
        any
    }

    /// Ends handing over: the owners of the queues see that nothing more comes.
    pub(crate) fn close_hand_over(&mut self, worker: &mut Worker<MbufFrame>) {
        for interface in (0..).map(InterfaceId).take(self.transmit.len()) {
            self.settle(interface, worker);
            if let Some(slot @ Some(Transmit::HandOver(_))) =
                self.transmit.get_mut(interface.index())
            {
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

    /// Gives back whatever this holds. Used when the worker ends. A worker that still hands frames
    /// over sees that their ring has no other end any more.
    pub(crate) fn clear(&mut self, worker: &mut Worker<MbufFrame>) {
        for (stuck, interface) in self.stuck.iter_mut().zip((0..).map(InterfaceId)) {
            self.hand_over_lost += stuck.drop_all(worker, interface, DropReason::Shutdown);
        }
        for mut inbound in self.inbound.drain(..) {
            let interface = inbound.interface;
            let Some(stuck) = self.stuck.get_mut(interface.index()) else { continue };
            while !inbound.ring.is_empty() {
                stuck.fill(&mut inbound);
                self.hand_over_lost += stuck.drop_all(worker, interface, DropReason::Shutdown);
            }
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
            // What `hand_over` left does not fit.
            Some(Some(Transmit::HandOver(_)) | None) | None => {}
        }
    }

    #[inline]
    fn hand_over(
        &mut self,
        interface: InterfaceId,
        frames: &mut FrameBurst<MbufFrame>,
        notes: &[Note],
    ) -> usize {
        match self.transmit.get_mut(interface.index()) {
            Some(Some(Transmit::HandOver(ring)))
                if self.links.is_up(interface) && !ring.is_abandoned() =>
            {
                let room = ring.slots().min(frames.len()).min(notes.len());
                for (frame, &note) in frames.drain(..room).zip(notes) {
                    // There is room: this end is the only one that pushes.
                    drop(ring.push(HandedOver { frame, note }));
                }
                room
            }
            _ => 0,
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
