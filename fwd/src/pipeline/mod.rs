//! One worker: takes bursts, forwards them.
//!
//! A burst of frames from one interface goes through in stages, each a loop over the burst, so that
//! cache misses of different frames overlap and the instructions of a stage stay hot:
//!
//! 1. parse and classify ([`parse`], [`admit`](mod@admit)) with the frames' first lines prefetched ahead.
//!    On an interface of the underlay, frames in tunnels are taken out here ([`decap`], [`quick`],
//!    [`underlay`]) and are frames like any others from then on;
//! 2. control frames leave the burst, ahead of data ([`control`]), and so do packets of the underlay's
//!    protocols ([`protocol`]);
//! 3. both keys of every frame are hashed and their buckets prefetched;
//! 4. in the order of arrival: storm control, source check ([`lookup`]), destination. A station that
//!    moved is found at its new place by the very next frame. Questions for known stations are answered
//!    ([`suppress`](mod@suppress));
//! 5. rewrite ([`rewrite`](mod@rewrite)) or encapsulation ([`tunnel`], [`encap`]) and transmit bins
//!    ([`egress`]); flooded frames are copied here.
//!
//! **Architecture invariant:** nothing here allocates, locks, makes a system call, logs, panics or
//! calls through `dyn`, and time is an argument.

mod admit;
mod burst;
mod clamp;
mod control;
mod decap;
mod egress;
mod encap;
mod lookup;
mod parse;
mod protocol;
mod quick;
mod recent;
mod rewrite;
mod scratch;
mod suppress;
mod tunnel;
mod underlay;

use bridge_model::reason::DropReason;
use bridge_model::types::{Epoch, Fid, InterfaceId, MemberId};
use rtrb::Producer;

use crate::counters::{CounterWriter, Note, PortSlot};
use crate::events::{DropSample, ProtocolFrame, PuntFrame};
use crate::frame::{Frame, FrameBurst, Io};
use crate::image::{ClassEntry, ClassWord, MemberImage, Push};
use crate::mac::{Isa, LearnEvent};
use crate::publication::ImageReceiver;

pub(crate) use admit::{Admission, Control, Parsed, Shape, admit};
pub(crate) use decap::open;
pub(crate) use lookup::{Destination, Source, destination, judge};
pub(crate) use parse::is_reserved;
pub(crate) use rewrite::{fits, rewrite};
pub(crate) use suppress::answerable;
pub(crate) use tunnel::enter;
pub(crate) use underlay::{Received, Tunnelled, admit_inner, receive};

use burst::Job;
use control::Punt;
use egress::{Egress, Ingress, Origin, Outgoing};
use lookup::Reporter;
use protocol::Protocol;
use scratch::Scratch;

/// Where frames of the control plane come in, for samples.
const NO_INTERFACE: InterfaceId = InterfaceId(u16::MAX);

/// What a worker is made of.
#[derive(Debug)]
pub struct WorkerParts {
    /// Where images come from.
    pub receiver: ImageReceiver,
    /// Stations that are new or have moved, to the learner. 4096 places are plenty.
    pub learn: Producer<LearnEvent>,
    /// Control frames, to the control plane. A place takes about 1.7 KiB; 256 are plenty.
    pub punt: Producer<PuntFrame>,
    /// Packets of underlay protocols and frames that a protocol is about, to the protocol thread. A
    /// place takes about 9.6 KiB; 256 are plenty.
    pub protocol: Producer<ProtocolFrame>,
    /// Samples of dropped frames, to the control side. 256 places are plenty.
    pub samples: Producer<DropSample>,
    /// This worker's counters.
    pub counters: CounterWriter,
    /// The instruction set that bursts run with.
    pub isa: Isa,
    /// How many interfaces there are, on all workers: every number below may be sent to.
    pub interfaces: usize,
    /// How many of the ticks that are passed in make a second.
    pub ticks_per_second: u64,
}

/// The forwarder of one thread.
///
/// A turn is: [`poll_image`](Self::poll_image), a [`burst`](Self::burst) for every interface that has
/// frames, then [`flush`](Self::flush). Counters become visible at the end of the turn.
#[derive(Debug)]
pub struct Worker<F: Frame> {
    receiver: ImageReceiver,
    reporter: Reporter,
    punt: Punt,
    egress: Egress<F>,
    scratch: Box<Scratch>,
    isa: Isa,
    now: u64,
}

impl<F: Frame> Worker<F> {
    /// A worker that has not seen a frame yet. Allocates everything that it will ever need.
    pub fn new(parts: WorkerParts) -> Self {
        Self {
            receiver: parts.receiver,
            reporter: Reporter::new(parts.learn),
            punt: Punt::new(parts.punt, parts.interfaces, parts.ticks_per_second),
            egress: Egress::new(
                parts.interfaces,
                parts.counters,
                Protocol::new(parts.protocol, parts.interfaces, parts.ticks_per_second),
                parts.samples,
            ),
            scratch: Box::new(Scratch::new()),
            isa: parts.isa,
            now: 0,
        }
    }

    /// Takes a new image if one was published. Call it when no frame waits in a transmit bin: at the
    /// start of a turn. True if the image changed.
    #[inline]
    pub fn poll_image(&mut self) -> bool {
        self.receiver.poll()
    }

    /// The generation of the image that this worker runs.
    pub fn epoch(&self) -> Epoch {
        self.receiver.current.image.epoch()
    }

    /// Forwards the frames that `interface` received, in order. `frames` is empty afterwards: every
    /// frame is in a transmit bin, with the control plane, or dropped. `now` never decreases.
    #[inline]
    pub fn burst<I: Io<Frame = F>>(
        &mut self,
        io: &mut I,
        interface: InterfaceId,
        frames: &mut FrameBurst<F>,
        now: u64,
    ) {
        self.now = now;
        let job = Job {
            installed: &mut self.receiver.current,
            reporter: &mut self.reporter,
            punt: &mut self.punt,
            egress: &mut self.egress,
            scratch: &mut self.scratch,
            io,
            interface,
            frames,
            now,
        };
        self.isa.run(job);
    }

    /// Ends the turn: sends what waits, gives buffers back, publishes counters.
    #[inline]
    pub fn flush<I: Io<Frame = F>>(&mut self, io: &mut I) {
        self.egress.flush(io, self.now);
        self.egress.counters.publish();
    }

    /// Makes counters visible after a turn, as those of frames of other workers. False if a reader
    /// is at work: again later.
    #[inline]
    pub fn publish(&mut self) -> bool {
        self.egress.counters.publish()
    }

    /// Counts frames that another worker [handed over](Io::hand_over) and that a device took.
    pub fn sent_for_others(&mut self, notes: &[Note]) {
        self.egress.sent_for_others(notes);
    }

    /// Counts frames that another worker [handed over](Io::hand_over) and that cannot be sent by
    /// `interface`. The caller gives them back.
    pub fn dropped_for_others<'f>(
        &mut self,
        interface: InterfaceId,
        frames: impl IntoIterator<Item = (&'f F, Note)>,
        reason: DropReason,
    ) where
        F: 'f,
    {
        for frame in frames {
            self.egress.dropped_for_others(frame, reason, (interface, self.now));
        }
    }

    /// Counts frames that were [handed over](Io::hand_over) to a worker that ended without them: of
    /// these nothing is known but how many.
    pub fn dropped_by_others(&mut self, frames: u64) {
        self.egress.counters.taken_over(frames);
        for _ in 0..frames {
            self.egress.counters.dropped(PortSlot::UNATTRIBUTED, DropReason::Shutdown);
        }
    }

    /// Sends a frame of the control plane by an interface, unchanged and ahead of data. It is
    /// counted for `port`.
    pub fn originate<I: Io<Frame = F>>(
        &mut self,
        io: &mut I,
        interface: InterfaceId,
        port: PortSlot,
        frame: F,
    ) {
        self.egress.counters.originated();
        let to = MemberImage::new((interface, u16::MAX), (port, 0), Push::NONE, 0);
        self.egress.ahead(io, frame, (&to, 0), self.now);
    }

    /// Sends a frame of the control plane to one member of a learning domain, as if the domain had
    /// forwarded it: `frame` is as its bridge sees it, without tags that a port adds. It counts for the
    /// member's port. If the member is not in use any more, or is a peer that is down, the frame is
    /// dropped as [`DropReason::NoDestination`].
    pub fn inject<I: Io<Frame = F>>(&mut self, io: &mut I, fid: Fid, member: MemberId, frame: F) {
        self.egress.counters.originated();
        let image = &*self.receiver.current.image;
        let to = image.member(image.fid(fid).members, member);
        let Some(to) = to.filter(|to| image.member_is_usable(to)) else {
            let port = to.map_or(PortSlot::UNATTRIBUTED, MemberImage::port);
            let origin = Origin { interface: NO_INTERFACE, port, now: self.now };
            return self.egress.drop(io, frame, DropReason::NoDestination, origin);
        };
        let ingress = Ingress { interface: NO_INTERFACE, ports: [to.port(); 2], now: self.now };
        let shape = Shape::new(frame.octets(), 0, 0, false);
        // Member 0: there is nobody to be told about it.
        let class = ClassEntry::without(ClassWord::forward(fid, MemberId(0)));
        let (class, ingress) = (&class, &ingress);
        let out = Outgoing { image, shape, class, to, ingress, flow: None, is_known: false };
        self.egress.forward_closely(io, frame, &out);
    }

    /// Whether no frame waits in this worker.
    pub fn is_idle(&self) -> bool {
        self.egress.is_empty()
    }
}
