//! The stages of a burst.

use arrayvec::ArrayVec;
use bridge_model::reason::DropReason;
use bridge_model::types::InterfaceId;

use super::admit::{Admission, Control, Parsed, admit};
use super::control::Punt;
use super::egress::{Egress, Origin};
use super::lookup::{self, Destination, Reporter};
use super::parse::parse;
use crate::frame::{BURST, Frame, FrameBurst, Io};
use crate::image::{Image, InterfaceImage, MemberImage};
use crate::mac::{Burst, Hashed, Kernel};
use crate::publication::Installed;
use crate::storm::{StormBuckets, StormKind};

/// How many frames ahead of the parser the first line of a frame is asked for.
const PREFETCH_AHEAD: usize = 6;

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// To one member, by its index in the image.
    Send(u32),
    Flood,
    Drop(DropReason),
}

/// What the stages tell each other about a burst.
#[derive(Debug)]
pub(super) struct Scratch {
    parsed: [Parsed; BURST],
    fates: [Fate; BURST],
    sources: [Hashed; BURST],
    destinations: [Hashed; BURST],
    control: ArrayVec<(usize, Control), BURST>,
}

impl Scratch {
    pub(super) fn new() -> Self {
        Self {
            parsed: [Parsed::NONE; BURST],
            fates: [Fate::Flood; BURST],
            sources: [Hashed::default(); BURST],
            destinations: [Hashed::default(); BURST],
            control: ArrayVec::new(),
        }
    }
}

/// One burst and all that it needs.
pub(super) struct Job<'w, I: Io> {
    pub(super) installed: &'w mut Installed,
    pub(super) reporter: &'w mut Reporter,
    pub(super) punt: &'w mut Punt,
    pub(super) egress: &'w mut Egress<I::Frame>,
    pub(super) scratch: &'w mut Scratch,
    pub(super) io: &'w mut I,
    pub(super) interface: InterfaceId,
    pub(super) frames: &'w mut FrameBurst<I::Frame>,
    pub(super) now: u64,
}

impl<I: Io> Burst for Job<'_, I> {
    type Output = ();

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for each instruction set with the burst")]
    fn run<K: Kernel>(self, kernel: K) {
        let Installed { image, storm } = self.installed;
        let image: &Image = image;
        let interface = image.interface(self.interface);
        let origin = |port| Origin { interface: self.interface, port, now: self.now };

        classify(image, interface, self.frames, self.scratch, self.egress);
        if !self.scratch.control.is_empty() {
            for (index, control) in take_control(self.scratch, self.frames.len()) {
                let frame = self.frames.remove(index);
                let origin = origin(interface.port(control.tagged).0);
                self.punt.control(self.egress, self.io, interface, (frame, control), origin);
            }
        }

        let scratch = &mut *self.scratch;
        hash(image, scratch, self.frames.len());
        let mut stage = Lookup {
            image,
            interface,
            storm,
            reporter: self.reporter,
            egress: self.egress,
            now: self.now,
        };
        let length = self.frames.len().min(BURST);
        let keys = scratch.sources[..length].iter().zip(&scratch.destinations[..length]);
        let frames = scratch.parsed[..length].iter().zip(&mut scratch.fates[..length]);
        for ((parsed, fate), (source, destination)) in frames.zip(keys) {
            if let Fate::Drop(_) = fate {
                continue;
            }
            *fate = stage.lookup(kernel, parsed, *source, *destination);
        }

        let frames = self.frames.drain(..).zip(&scratch.parsed).zip(&scratch.fates);
        for ((frame, parsed), fate) in frames {
            let origin = origin(interface.port(parsed.tagged).0);
            let io = &mut *self.io;
            match *fate {
                Fate::Send(member) => {
                    let to = image.members.get(member as usize).unwrap_or(&MemberImage::UNUSED);
                    self.egress.forward(io, frame, (parsed.pop, parsed.tci), to, origin);
                }
                Fate::Flood => self.egress.flood(io, image, frame, parsed, origin),
                Fate::Drop(reason) => self.egress.drop(io, frame, reason, origin),
            }
        }
    }
}

/// Stage 1: what each frame is, and how many there are.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for each instruction set with the burst")]
fn classify<F: Frame>(
    image: &Image,
    interface: &InterfaceImage,
    frames: &FrameBurst<F>,
    scratch: &mut Scratch,
    egress: &mut Egress<F>,
) {
    for frame in frames.iter().take(PREFETCH_AHEAD) {
        frame.prefetch();
    }
    // By port: [untagged, tagged].
    let (mut count, mut octets) = ([0_u64; 2], [0_u64; 2]);
    let slots = scratch.parsed.iter_mut().zip(&mut scratch.fates);
    for (index, (frame, (parsed, fate))) in frames.iter().zip(slots).enumerate() {
        if let Some(next) = frames.get(index + PREFETCH_AHEAD) {
            next.prefetch();
        }
        let bytes = frame.bytes();
        *fate = Fate::Flood;
        match parse(interface, bytes).filter(|_| frame.is_contiguous()) {
            Some(common) => *parsed = common,
            None => match admit(image, interface, bytes, frame.is_contiguous()) {
                Admission::Forward(other) => *parsed = other,
                Admission::Drop { reason, tagged } => {
                    *parsed = Parsed { tagged, ..Parsed::NONE };
                    *fate = Fate::Drop(reason);
                }
                Admission::Control(control) => {
                    *parsed = Parsed { tagged: control.tagged, ..Parsed::NONE };
                    let _ = scratch.control.try_push((index, control));
                }
            },
        }
        let port = usize::from(parsed.tagged);
        count[port] += 1;
        octets[port] += frame.octets() as u64;
    }
    if count[0] > 0 {
        egress.counters.received(interface.untagged_port, count[0], octets[0]);
    }
    if count[1] > 0 {
        egress.counters.received(interface.tagged_port, count[1], octets[1]);
    }
}

/// Stage 2: takes the control frames out of the arrays, and says at which index each is to be
/// removed from the burst, one after the other.
#[cold]
fn take_control(scratch: &mut Scratch, frames: usize) -> ArrayVec<(usize, Control), BURST> {
    let mut control = std::mem::take(&mut scratch.control);
    let mut length = frames.min(BURST);
    for (removed, (index, _)) in control.iter_mut().enumerate() {
        *index -= removed;
        scratch.parsed.copy_within(*index + 1..length, *index);
        scratch.fates.copy_within(*index + 1..length, *index);
        length -= 1;
    }
    control
}

/// Stage 3: both keys of all frames, and their buckets on the way. (A frame that is dropped
/// costs a useless prefetch; that is cheaper than a branch for those that are not.)
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for each instruction set with the burst")]
fn hash(image: &Image, scratch: &mut Scratch, frames: usize) {
    let table = &*image.mac;
    let frames = frames.min(BURST);
    let keys = scratch.sources[..frames].iter_mut().zip(&mut scratch.destinations[..frames]);
    for (parsed, (source, destination)) in scratch.parsed[..frames].iter().zip(keys) {
        *source = table.hash(parsed.class.fid(), parsed.src);
        *destination = table.hash(parsed.class.fid(), parsed.dst);
        table.prefetch(*source);
        table.prefetch(*destination);
    }
}

/// Stage 4, for one frame after the other.
struct Lookup<'s, F> {
    image: &'s Image,
    interface: &'s InterfaceImage,
    storm: &'s mut StormBuckets,
    reporter: &'s mut Reporter,
    egress: &'s mut Egress<F>,
    now: u64,
}

impl<F: Frame> Lookup<'_, F> {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for each instruction set with the burst")]
    fn lookup<K: Kernel>(
        &mut self,
        kernel: K,
        parsed: &Parsed,
        source: Hashed,
        destination: Hashed,
    ) -> Fate {
        let ingress = lookup::ingress(self.image, parsed);
        if ingress.vid_counter != 0 {
            self.egress.counters.received_vid(ingress.vid_counter, u64::from(parsed.octets));
        }
        if parsed.is_group() && self.interface.storm(parsed.tagged) != 0 {
            let (kind, reason) = if parsed.is_broadcast() {
                (StormKind::Broadcast, DropReason::StormBroadcast)
            } else {
                (StormKind::Multicast, DropReason::StormMulticast)
            };
            if !self.admit(parsed, kind, ingress.vid()) {
                return Fate::Drop(reason);
            }
        }
        let (fid, member) = (parsed.class.fid(), parsed.class.member());
        match self.image.mac.find(kernel, source) {
            Some(hit) if hit.member() == member => {
                let age = self.image.ages.epoch(fid, source);
                if hit.is_stale(age) {
                    hit.refresh(age);
                }
            }
            hit => {
                let counters = &mut self.egress.counters;
                let (image, interface) = (self.image, self.interface);
                if let Some(reason) = self.reporter.source(image, interface, parsed, hit, counters)
                {
                    return Fate::Drop(reason);
                }
            }
        }
        if parsed.is_group() {
            return Fate::Flood;
        }
        match lookup::destination(kernel, self.image, parsed, destination, ingress.group) {
            Destination::Member(member) => Fate::Send(member),
            Destination::Drop(reason) => Fate::Drop(reason),
            Destination::Unknown => {
                let limited = self.interface.storm(parsed.tagged) != 0;
                if limited && !self.admit(parsed, StormKind::UnknownUnicast, ingress.vid()) {
                    return Fate::Drop(DropReason::StormUnknown);
                }
                Fate::Flood
            }
        }
    }

    fn admit(&mut self, parsed: &Parsed, kind: StormKind, vid: u16) -> bool {
        let index = self.interface.storm(parsed.tagged);
        self.storm.admit(&self.image.storms, index, kind, vid, self.now)
    }
}
