//! From "where to" to the device: rewrite, transmit bins, flooding, and what ends here.

use arrayvec::ArrayVec;
use bridge_model::reason::DropReason;
use bridge_model::types::InterfaceId;
use rtrb::Producer;

use super::admit::{Parsed, Shape};
use super::encap::Flow;
use super::protocol::Protocol;
use super::rewrite::{fits, rewrite};
use super::tunnel::flow_of;
use crate::counters::{CounterWriter, Note, PortSlot};
use crate::events::{self, DropSample};
use crate::frame::{BURST, Frame, FrameBurst, Io};
use crate::image::{ClassEntry, Image, MemberImage};

/// How often a device is asked again that took some of the frames but not all.
const RETRIES: usize = 3;

/// Frames that wait for one device, with their notes at the same index.
#[derive(Debug)]
struct Queue<F> {
    frames: FrameBurst<F>,
    notes: [Note; BURST],
}

impl<F> Queue<F> {
    fn new() -> Self {
        Self { frames: ArrayVec::new(), notes: [Note::default(); BURST] }
    }
}

/// The frames of one device: control frames go ahead of data.
#[derive(Debug)]
struct Bin<F> {
    ahead: Queue<F>,
    data: Queue<F>,
    /// It is in the list of bins that hold something.
    listed: bool,
}

/// The place that a frame is counted and sampled for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) interface: InterfaceId,
    pub(super) port: PortSlot,
    pub(super) now: u64,
}

/// Where a burst came in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ingress {
    pub(super) interface: InterfaceId,
    /// What untagged and tagged frames count for that do not [say themselves](Shape::port).
    pub(super) ports: [PortSlot; 2],
    pub(super) now: u64,
}

impl Ingress {
    /// The origin of one of its frames. Made only for frames that need it.
    #[inline]
    pub(super) fn origin(&self, shape: Shape) -> Origin {
        let port = shape.port().unwrap_or(self.ports[usize::from(shape.tagged())]);
        Origin { interface: self.interface, port, now: self.now }
    }
}

impl Origin {
    /// A frame that ends on its way out counts for the port where it should have left. A sample of it
    /// still names the interface that it came by: that is where the sender is.
    pub(super) fn at(self, to: &MemberImage) -> Self {
        Self { port: to.port(), ..self }
    }
}

/// A frame on its way out, beside its octets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outgoing<'i> {
    pub(super) image: &'i Image,
    pub(super) shape: Shape,
    /// What it came in by.
    pub(super) class: &'i ClassEntry,
    pub(super) to: &'i MemberImage,
    pub(super) ingress: &'i Ingress,
    /// If it is known already.
    pub(super) flow: Option<Flow>,
    /// Its destination is known to be there, and nowhere else: if the frame does not fit, its sender
    /// may be told. An answer to a frame that is flooded could come in the name of a station that got
    /// the frame, and teach switches a wrong place for it.
    pub(super) is_known: bool,
}

/// Everything on the way out of one worker.
#[derive(Debug)]
pub(super) struct Egress<F> {
    pub(super) counters: CounterWriter,
    /// The way to the protocol thread.
    pub(super) protocol: Protocol,
    samples: Producer<DropSample>,
    bins: Box<[Bin<F>]>,
    /// Bins that hold something, each once.
    filled: Vec<InterfaceId>,
    discard: FrameBurst<F>,
}

impl<F: Frame> Egress<F> {
    /// For devices with numbers below `interfaces`.
    pub(super) fn new(
        interfaces: usize,
        counters: CounterWriter,
        protocol: Protocol,
        samples: Producer<DropSample>,
    ) -> Self {
        let bin = |_| Bin { ahead: Queue::new(), data: Queue::new(), listed: false };
        Self {
            counters,
            protocol,
            samples,
            bins: (0..interfaces).map(bin).collect(),
            filled: Vec::with_capacity(interfaces),
            discard: ArrayVec::new(),
        }
    }

    /// Sends a frame that [fits plainly](super::rewrite::fits_plainly) to a member: rewrite, bin.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for each instruction set with the burst")]
    pub(super) fn forward<I: Io<Frame = F>>(
        &mut self,
        io: &mut I,
        mut frame: F,
        shape: Shape,
        to: &MemberImage,
        ingress: &Ingress,
    ) {
        if !rewrite(&mut frame, shape.pop(), shape.tci(), to) {
            return self.drop(io, frame, DropReason::NoBuffer, ingress.origin(shape));
        }
        self.queue_for(io, frame, to, to.interface(), ingress.now);
    }

    /// Sends any other frame to a member: into a tunnel, or after a closer look at its length.
    #[inline]
    pub(super) fn forward_closely<I: Io<Frame = F>>(
        &mut self,
        io: &mut I,
        frame: F,
        out: &Outgoing<'_>,
    ) {
        if out.to.is_local() {
            self.forward_long(io, frame, out);
        } else {
            self.tunnel(io, frame, out);
        }
    }

    #[inline(never)]
    fn forward_long<I: Io<Frame = F>>(&mut self, io: &mut I, frame: F, out: &Outgoing<'_>) {
        if fits(&frame, out.shape.pop(), out.to) {
            return self.forward(io, frame, out.shape, out.to, out.ingress);
        }
        self.tell_too_big(&frame, out.to.layer3_mtu(), out);
        let origin = out.ingress.origin(out.shape).at(out.to);
        self.drop(io, frame, DropReason::MtuExceeded, origin);
    }

    /// Queues a frame that counts for `to`.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for each instruction set with the burst")]
    pub(super) fn queue_for<I: Io<Frame = F>>(
        &mut self,
        io: &mut I,
        frame: F,
        to: &MemberImage,
        interface: InterfaceId,
        now: u64,
    ) {
        let note = Note::new(to.counters(), octets(&frame));
        self.queue(io, frame, note, interface, now);
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for each instruction set with the burst")]
    fn queue<I: Io<Frame = F>>(
        &mut self,
        io: &mut I,
        frame: F,
        note: Note,
        interface: InterfaceId,
        now: u64,
    ) {
        let Some(bin) = self.bins.get_mut(interface.index()) else {
            let origin = Origin { interface, port: note.port(), now };
            return self.drop(io, frame, DropReason::TxLinkDown, origin);
        };
        if bin.data.frames.is_empty() || bin.data.frames.is_full() {
            return self.queue_first(io, frame, note, interface, now);
        }
        Self::put(&mut bin.data, frame, note);
    }

    /// A bin that is empty is listed now, one that is full sent first.
    #[inline(never)]
    fn queue_first<I: Io<Frame = F>>(
        &mut self,
        io: &mut I,
        frame: F,
        note: Note,
        interface: InterfaceId,
        now: u64,
    ) {
        if self.bins.get(interface.index()).is_some_and(|bin| bin.data.frames.is_full()) {
            self.send(io, interface, now);
        }
        let Some(bin) = self.bins.get_mut(interface.index()) else {
            let origin = Origin { interface, port: note.port(), now };
            return self.drop(io, frame, DropReason::TxLinkDown, origin);
        };
        if !bin.listed {
            bin.listed = true;
            self.filled.push(interface);
        }
        Self::put(&mut bin.data, frame, note);
    }

    /// There is room: [`send`](Self::send) leaves every queue empty.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "two stores")]
    fn put(queue: &mut Queue<F>, frame: F, note: Note) {
        if let Some(place) = queue.notes.get_mut(queue.frames.len()) {
            *place = note;
            let _ = queue.frames.try_push(frame);
        }
    }

    /// Sends a frame unchanged, before any data that waits.
    pub(super) fn ahead<I: Io<Frame = F>>(
        &mut self,
        io: &mut I,
        frame: F,
        (to, vid): (&MemberImage, u16),
        now: u64,
    ) {
        let (interface, port) = (to.interface(), to.port());
        // The counter of a relay is that of VID 0.
        let note = Note::new(to.counters() | u64::from(vid & 0xfff), octets(&frame));
        let Some(bin) = self.bins.get_mut(interface.index()) else {
            return self.drop(io, frame, DropReason::TxLinkDown, Origin { interface, port, now });
        };
        if !bin.listed {
            bin.listed = true;
            self.filled.push(interface);
        }
        if bin.ahead.frames.is_full() {
            self.send(io, interface, now);
        }
        if let Some(bin) = self.bins.get_mut(interface.index()) {
            Self::put(&mut bin.ahead, frame, note);
        }
    }

    /// One copy to each member of the flood list but those that the frame may not return to; the
    /// last one gets the frame itself.
    #[inline(never)]
    pub(super) fn flood<I: Io<Frame = F>>(
        &mut self,
        io: &mut I,
        image: &Image,
        frame: F,
        parsed: &Parsed,
        ingress: &Ingress,
    ) {
        let shape = parsed.shape;
        let targets = match image.flood(parsed) {
            Ok(targets) => targets,
            Err(reason) => return self.drop(io, frame, reason, ingress.origin(shape)),
        };
        let class = &parsed.class;
        let to = &MemberImage::UNUSED;
        let mut out = Outgoing { image, shape, class, to, ingress, flow: None, is_known: false };
        let mut pending = None;
        for member in targets {
            if let Some(to) = pending.replace(member) {
                out.to = to;
                self.forward_copy(io, &frame, &mut out);
            }
        }
        let Some(to) = pending else {
            // The last peer has just gone down.
            return self.drop(io, frame, DropReason::NoDestination, ingress.origin(shape));
        };
        out.to = to;
        self.forward_closely(io, frame, &out);
    }

    fn forward_copy<I: Io<Frame = F>>(&mut self, io: &mut I, frame: &F, out: &mut Outgoing<'_>) {
        let Outgoing { shape, to, ingress, .. } = *out;
        if !to.is_local() {
            out.flow.get_or_insert_with(|| flow_of(frame, shape.pop()));
            return self.tunnel_copy(io, frame, out);
        }
        self.counters.copied(1);
        if !fits(frame, shape.pop(), to) {
            self.tell_too_big(frame, to.layer3_mtu(), out);
            let origin = ingress.origin(shape).at(to);
            return self.count_drop(frame, DropReason::MtuExceeded, origin);
        }
        match io.copy(frame) {
            Some(copy) => self.forward(io, copy, shape, to, ingress),
            None => self.count_drop(frame, DropReason::NoBuffer, ingress.origin(shape)),
        }
    }

    /// A copy of `frame` for [`ahead`](Self::ahead), or the drop that takes its place.
    pub(super) fn copy<I: Io<Frame = F>>(
        &mut self,
        io: &mut I,
        frame: &F,
        to: &MemberImage,
        origin: Origin,
    ) -> Option<F> {
        self.counters.copied(1);
        if !fits(frame, 0, to) {
            self.count_drop(frame, DropReason::MtuExceeded, origin.at(to));
            return None;
        }
        let copy = io.copy(frame);
        if copy.is_none() {
            self.count_drop(frame, DropReason::NoBuffer, origin);
        }
        copy
    }

    /// Counts a drop, samples the frame if wanted, and gives the buffer back with the next ones.
    #[inline(never)]
    pub(super) fn drop<I: Io<Frame = F>>(
        &mut self,
        io: &mut I,
        frame: F,
        reason: DropReason,
        origin: Origin,
    ) {
        self.count_drop(&frame, reason, origin);
        self.discard(io, frame);
    }

    pub(super) fn count_drop(&mut self, frame: &F, reason: DropReason, origin: Origin) {
        if self.counters.dropped(origin.port, reason) {
            sample(&mut self.counters, &mut self.samples, frame, reason, origin);
        }
    }

    /// Counts frames that another worker left to this one: a device took them.
    pub(super) fn sent_for_others(&mut self, notes: &[Note]) {
        self.counters.taken_over(notes.len() as u64);
        count_sent(&mut self.counters, notes);
    }

    /// Counts a frame that another worker left to this one and that could not be sent.
    pub(super) fn dropped_for_others(
        &mut self,
        (frame, note): (&F, Note),
        reason: DropReason,
        (interface, now): (InterfaceId, u64),
    ) {
        self.counters.taken_over(1);
        self.count_drop(frame, reason, Origin { interface, port: note.port(), now });
    }

    /// Gives a buffer back, later and together with others.
    pub(super) fn discard<I: Io<Frame = F>>(&mut self, io: &mut I, frame: F) {
        if self.discard.is_full() {
            io.release(&mut self.discard);
        }
        let _ = self.discard.try_push(frame);
    }

    /// Sends everything that waits and gives back what is to be given back.
    #[inline]
    pub(super) fn flush<I: Io<Frame = F>>(&mut self, io: &mut I, now: u64) {
        while let Some(interface) = self.filled.pop() {
            self.send(io, interface, now);
            if let Some(bin) = self.bins.get_mut(interface.index()) {
                bin.listed = false;
            }
        }
        if !self.discard.is_empty() {
            io.release(&mut self.discard);
        }
    }

    /// Sends what waits for one device. Both queues are empty afterwards.
    #[inline(never)]
    fn send<I: Io<Frame = F>>(&mut self, io: &mut I, interface: InterfaceId, now: u64) {
        let Some(bin) = self.bins.get_mut(interface.index()) else { return };
        for queue in [&mut bin.ahead, &mut bin.data] {
            if queue.frames.is_empty() {
                continue;
            }
            let waiting = queue.frames.len().min(BURST);
            let notes = &queue.notes[..waiting];
            let handed = io.hand_over(interface, &mut queue.frames, notes).min(waiting);
            if handed > 0 {
                self.counters.handed_over(handed as u64);
            }
            let notes = &notes[handed..];
            let unsent = transmit(io, interface, &mut queue.frames);
            let (sent, left) = notes.split_at(notes.len().saturating_sub(unsent));
            count_sent(&mut self.counters, sent);
            if unsent > 0 {
                let up = io.link_up(interface);
                let reason = if up { DropReason::TxFull } else { DropReason::TxLinkDown };
                for (frame, note) in queue.frames.iter().zip(left) {
                    let origin = Origin { interface, port: note.port(), now };
                    if self.counters.dropped(origin.port, reason) {
                        sample(&mut self.counters, &mut self.samples, frame, reason, origin);
                    }
                }
                io.release(&mut queue.frames);
                queue.frames.clear();
            }
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.filled.is_empty() && self.discard.is_empty()
    }
}

#[cold]
fn sample<F: Frame>(
    counters: &mut CounterWriter,
    samples: &mut Producer<DropSample>,
    frame: &F,
    reason: DropReason,
    origin: Origin,
) {
    let sample = DropSample {
        reason,
        port: origin.port,
        interface: origin.interface,
        octets: u32::try_from(frame.octets()).unwrap_or(u32::MAX),
        ticks: origin.now,
        head: events::head(frame.bytes()),
    };
    if samples.push(sample).is_err() {
        counters.lost().samples += 1;
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "one instruction")]
fn octets<F: Frame>(frame: &F) -> u16 {
    u16::try_from(frame.octets()).unwrap_or(u16::MAX)
}

/// How many frames the device did not take.
fn transmit<I: Io>(io: &mut I, interface: InterfaceId, frames: &mut FrameBurst<I::Frame>) -> usize {
    for _ in 0..=RETRIES {
        let before = frames.len();
        io.transmit(interface, frames);
        if frames.is_empty() || frames.len() == before {
            break;
        }
    }
    frames.len()
}

/// Counts runs of frames for the same counters at once.
#[inline]
fn count_sent(counters: &mut CounterWriter, notes: &[Note]) {
    for run in notes.chunk_by(|one, next| one.counters() == next.counters()) {
        let Some(first) = run.first() else { continue };
        let (frames, octets) = (run.len() as u64, run.iter().map(|note| note.octets()).sum());
        counters.sent(first.port(), frames, octets);
        if first.vid_counter() != 0 {
            counters.sent_vid(first.vid_counter(), frames, octets);
        }
    }
}
