//! The run-to-completion loop.

use crate::backoff::{Backoff, Sharing};
use crate::frame::MbufFrame;
use crate::handle::Shared;
use crate::io::DpdkIo;
use crate::originate::Originated;
use crate::ports::Attachment;
use arrayvec::ArrayVec;
use bridge_model::types::InterfaceId;
use fwd::{BURST, FrameBurst, Worker};
use rte_rs::RxQueue;
use rtrb::{Consumer, Producer};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Frames of the control plane sent in one turn, at most, so that data does not wait for them.
const ORIGINATE_PER_TURN: usize = 8;
/// Devices that a worker can have: what DPDK has room for.
const ATTACHMENTS: usize = 64;
/// How long a worker that stops waits for others to end that still hand it frames.
const LAST_FRAMES: Duration = Duration::from_millis(100);

/// A change of the devices of a running worker.
#[derive(Debug)]
pub(crate) enum Change {
    Attach(Box<Attachment>),
    /// Moves the interface's queues into the attachment, which comes with room for them.
    Detach(Box<Attachment>),
}

/// The rings between a worker and its handle.
#[derive(Debug)]
pub(crate) struct Rings {
    pub(crate) originated: Consumer<Originated>,
    pub(crate) changes: Consumer<Change>,
    pub(crate) returned: Producer<Box<Attachment>>,
}

/// One worker, on its own thread.
#[derive(Debug)]
pub(crate) struct Loop {
    pub(crate) worker: Worker<MbufFrame>,
    pub(crate) io: DpdkIo,
    receive: ArrayVec<(InterfaceId, RxQueue), ATTACHMENTS>,
    rings: Rings,
}

impl Loop {
    pub(crate) fn new(worker: Worker<MbufFrame>, io: DpdkIo, rings: Rings) -> Self {
        Self { worker, io, receive: ArrayVec::new(), rings }
    }

    pub(crate) fn attach(&mut self, attachment: &mut Attachment) {
        let interface = attachment.interface;
        for queue in attachment.receive.drain(..) {
            // Beyond the room there is no device number either.
            drop(self.receive.try_push((interface, queue)));
        }
        self.io.attach(attachment);
    }

    fn detach(&mut self, attachment: &mut Attachment) {
        let mut at = 0;
        while let Some((interface, _)) = self.receive.get(at) {
            if *interface == attachment.interface {
                let (_, queue) = self.receive.remove(at);
                attachment.receive.push(queue);
            } else {
                at += 1;
            }
        }
        self.io.detach(attachment, &mut self.worker);
    }

    /// Takes at most one change, between two turns: no frame waits in a transmit bin then.
    #[inline]
    fn change(&mut self) {
        if !self.rings.changes.is_empty() && !self.rings.returned.is_full() {
            self.apply_change();
        }
    }

    #[cold]
    fn apply_change(&mut self) {
        let attachment = match self.rings.changes.pop() {
            Ok(Change::Attach(mut attachment)) => {
                self.attach(&mut attachment);
                attachment
            }
            Ok(Change::Detach(mut attachment)) => {
                self.detach(&mut attachment);
                attachment
            }
            Err(_) => return,
        };
        // Back to the control thread, which frees the box and what is in it. There is room.
        drop(self.rings.returned.push(attachment));
    }

    /// Sends what the control plane has. True if there was anything.
    #[inline]
    fn originate(&mut self) -> bool {
        if self.rings.originated.is_empty() {
            return false;
        }
        for _ in 0..ORIGINATE_PER_TURN {
            match self.rings.originated.pop() {
                Ok(Originated::By { interface, port, frame }) => {
                    self.worker.originate(&mut self.io, interface, port, frame);
                }
                Ok(Originated::Into { fid, member, frame }) => {
                    self.worker.inject(&mut self.io, fid, member, frame);
                }
                Err(_) => break,
            }
        }
        true
    }

    /// Receives and forwards one burst from each queue, sends, and makes the counters visible. True
    /// if there was anything to do.
    #[inline]
    fn turn(&mut self, now: u64) -> bool {
        self.worker.poll_image();
        self.change();
        let mut busy = false;
        let mut burst: FrameBurst<MbufFrame> = ArrayVec::new();
        for (interface, queue) in &mut self.receive {
            if queue.receive(&mut burst) > 0 {
                busy = true;
                self.worker.burst(&mut self.io, *interface, &mut burst, now);
            }
        }
        busy |= self.originate();
        self.worker.flush(&mut self.io);
        if self.io.send_for_others(&mut self.worker) {
            busy = true;
            self.worker.publish();
        }
        busy
    }

    /// Runs until asked to stop, then sends what waits.
    pub(crate) fn run(&mut self, sharing: Sharing, shared: &Shared) {
        let mut backoff = Backoff::new(sharing);
        let mut last = rte_rs::ticks();
        while !shared.stop.load(Ordering::Relaxed) {
            let now = rte_rs::ticks();
            shared.begin_turn(now, now.wrapping_sub(last));
            let busy = self.turn(now);
            let end = rte_rs::ticks();
            shared.end_turn(busy, end.wrapping_sub(now));
            // The gap counts from here, so that a turn counts as polling and a sleep does not.
            last = now;
            if backoff.turn(busy) {
                last = rte_rs::ticks();
                shared.slept(last.wrapping_sub(end));
            }
        }
        self.finish(shared);
    }

    /// Sends what the control plane and other workers still have, and gives every buffer back.
    fn finish(&mut self, shared: &Shared) {
        while self.originate() {
            self.worker.flush(&mut self.io);
        }
        self.worker.flush(&mut self.io);
        // Frames for others are on their way: they may stop waiting for ours.
        self.io.close_hand_over(&mut self.worker);
        #[expect(
            clippy::disallowed_methods,
            reason = "the worker's own clock, off the packet path"
        )]
        let deadline = Instant::now() + LAST_FRAMES;
        loop {
            let busy = self.io.send_for_others(&mut self.worker);
            #[expect(clippy::disallowed_methods, reason = "as above")]
            let late = Instant::now() >= deadline;
            if late || (!busy && self.io.nobody_hands_over()) {
                break;
            }
            std::thread::yield_now();
        }
        self.io.clear(&mut self.worker);
        // Nothing publishes after this: outlast a reader.
        while !self.worker.publish() {
            std::thread::yield_now();
        }
        shared.hand_over_lost.store(self.io.hand_over_lost, Ordering::Relaxed);
    }

    /// The attachments that the loop has, for whoever ends it.
    pub(crate) fn into_attachments(mut self) -> Vec<Attachment> {
        let mut interfaces: Vec<InterfaceId> = self.io.interfaces().collect();
        interfaces.extend(self.receive.iter().map(|(interface, _)| *interface));
        interfaces.sort_unstable();
        interfaces.dedup();
        interfaces
            .into_iter()
            .map(|interface| {
                let mut attachment =
                    Attachment { interface, receive: vec![], transmit: None, inbound: vec![] };
                self.detach(&mut attachment);
                attachment
            })
            .collect()
    }
}

const _: () = assert!(BURST == rte_rs::BURST);
