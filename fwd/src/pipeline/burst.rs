//! The stages of a burst.

use arrayvec::ArrayVec;
use bridge_model::reason::DropReason;
use bridge_model::types::{Fid, InterfaceId};

use super::admit::{Admission, Control, Parsed, Shape, admit};
use super::control::Punt;
use super::egress::{Egress, Ingress};
use super::lookup::{self, Destination, Reporter};
use super::parse::{Common, parse};
use crate::frame::{BURST, Frame, FrameBurst, Io};
use crate::image::{ClassEntry, Image, InterfaceImage, MemberImage};
use crate::mac::{Burst, Hashed, Kernel};
use crate::publication::Installed;
use crate::storm::{StormBuckets, StormKind};

/// How many frames ahead of the parser the first line of a frame is asked for.
const PREFETCH_AHEAD: usize = 6;

const FID_SHIFT: u32 = 48;
const ADDRESS: u64 = (1 << FID_SHIFT) - 1;

/// What becomes of a frame: the index of a member in the image, or one of the others, which are
/// greater than any index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fate(u32);

impl Fate {
    const FLOOD: Self = Self(u32::MAX);
    const DROP: u32 = 0xffff_0000;

    fn drop(reason: DropReason) -> Self {
        Self(Self::DROP | u32::from(reason as u8))
    }

    fn send(member: usize) -> Self {
        // Below 2^20: the image is built so.
        u32::try_from(member).map_or(Self::FLOOD, Self)
    }

    #[inline]
    const fn is_send(self) -> bool {
        self.0 < Self::DROP
    }

    fn reason(self) -> Option<DropReason> {
        let number = self.0.checked_sub(Self::DROP)?;
        DropReason::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// What the stages tell each other about a burst, field by field, so that a stage reads only what it
/// needs and simple loops over one field become vector code.
#[derive(Debug)]
pub(super) struct Scratch {
    fates: [Fate; BURST],
    classes: [ClassEntry; BURST],
    shapes: [Shape; BURST],
    /// `fid:16 | address:48`.
    source_keys: [u64; BURST],
    destination_keys: [u64; BURST],
    sources: [Hashed; BURST],
    destinations: [Hashed; BURST],
    control: ArrayVec<(usize, Control), BURST>,
}

impl Scratch {
    pub(super) fn new() -> Self {
        Self {
            fates: [Fate::FLOOD; BURST],
            classes: [ClassEntry::NONE; BURST],
            shapes: [Shape::default(); BURST],
            source_keys: [0; BURST],
            destination_keys: [0; BURST],
            sources: [Hashed::default(); BURST],
            destinations: [Hashed::default(); BURST],
            control: ArrayVec::new(),
        }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for each instruction set with the burst")]
    fn put(&mut self, index: usize, common: &Common<'_>) {
        let fid = u64::from(common.class.word.fid().0) << FID_SHIFT;
        self.source_keys[index] = fid | common.src;
        self.destination_keys[index] = fid | common.dst;
        self.classes[index] = *common.class;
        self.shapes[index] = common.shape;
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled for each instruction set with the burst")]
    fn get(&self, index: usize) -> Parsed {
        Parsed {
            dst: self.destination_keys[index] & ADDRESS,
            src: self.source_keys[index] & ADDRESS,
            class: self.classes[index],
            shape: self.shapes[index],
        }
    }

    /// Notes how the slow way of admission of a frame of `octets` ended.
    fn put_other(&mut self, index: usize, octets: usize, admission: Admission) {
        let nothing = |tagged| Parsed { shape: Shape::new(octets, 0, 0, tagged), ..Parsed::NONE };
        let parsed = match admission {
            Admission::Forward(parsed) => parsed,
            Admission::Drop { reason, tagged } => {
                self.fates[index] = Fate::drop(reason);
                nothing(tagged)
            }
            Admission::Control(control) => {
                let _ = self.control.try_push((index, control));
                nothing(control.tagged)
            }
        };
        let Parsed { dst, src, class, shape } = parsed;
        self.put(index, &Common { dst, src, class: &class, shape });
    }

    /// Moves everything after `index` one place forward: that frame has left the burst.
    fn remove(&mut self, index: usize) {
        self.fates.copy_within(index + 1.., index);
        self.classes.copy_within(index + 1.., index);
        self.shapes.copy_within(index + 1.., index);
        self.source_keys.copy_within(index + 1.., index);
        self.destination_keys.copy_within(index + 1.., index);
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
        let Self { installed, reporter, punt, egress, scratch, io, interface, frames, now } = self;
        let Installed { image, storm } = installed;
        let image: &Image = image;
        let id = interface;
        let interface = image.interface(id);
        let ports = [interface.untagged_port, interface.tagged_port];
        let ingress = Ingress { interface: id, ports, now };

        classify(image, interface, frames, scratch, egress);
        if !scratch.control.is_empty() {
            let stage = Controls { punt, egress, io, interface, ingress };
            stage.run(scratch, frames);
        }
        hash(image, scratch, frames.len());
        let mut stage = Lookup { image, interface, storm, reporter, egress, now };
        for index in 0..frames.len().min(BURST) {
            if scratch.fates[index] == Fate::FLOOD {
                let keys = (scratch.sources[index], scratch.destinations[index]);
                scratch.fates[index] = stage.lookup(kernel, &scratch.get(index), keys);
            }
        }
        for (index, frame) in frames.drain(..).enumerate().take(BURST) {
            let (fate, shape) = (scratch.fates[index], scratch.shapes[index]);
            if fate.is_send() {
                let to = image.members.get(fate.0 as usize).unwrap_or(&MemberImage::UNUSED);
                let class = &scratch.classes[index];
                egress.forward(io, image, frame, (shape, class), to, &ingress);
            } else if let Some(reason) = fate.reason() {
                egress.drop(io, frame, reason, ingress.origin(shape));
            } else {
                egress.flood(io, image, frame, &scratch.get(index), &ingress);
            }
        }
    }
}

/// Stage 2: control frames leave the burst.
struct Controls<'s, I: Io> {
    punt: &'s mut Punt,
    egress: &'s mut Egress<I::Frame>,
    io: &'s mut I,
    interface: &'s InterfaceImage,
    ingress: Ingress,
}

impl<I: Io> Controls<'_, I> {
    #[inline(never)]
    fn run(self, scratch: &mut Scratch, frames: &mut FrameBurst<I::Frame>) {
        let control = std::mem::take(&mut scratch.control);
        for (removed, (index, control)) in control.into_iter().enumerate() {
            let index = index - removed;
            let origin = self.ingress.origin(scratch.shapes[index]);
            scratch.remove(index);
            let Some(frame) = frames.pop_at(index) else { continue };
            self.punt.control(self.egress, self.io, self.interface, (frame, control), origin);
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
    scratch.fates = [Fate::FLOOD; BURST];
    scratch.shapes = [Shape::default(); BURST];
    for (index, frame) in frames.iter().enumerate().take(BURST) {
        if let Some(next) = frames.get(index + PREFETCH_AHEAD) {
            next.prefetch();
        }
        match parse(interface, frame.bytes()) {
            Some(common) if frame.is_contiguous() => scratch.put(index, &common),
            _ => special(image, interface, frame, scratch, index),
        }
    }
    let of_tagged = |shape: &Shape| if shape.tagged() { u64::MAX } else { 0 };
    let octets: u64 = scratch.shapes.iter().map(|shape| shape.octets()).sum();
    let tagged: u64 = scratch.shapes.iter().map(|shape| of_tagged(shape) & 1).sum();
    let tagged_octets = scratch.shapes.iter().map(|shape| of_tagged(shape) & shape.octets()).sum();
    let untagged = frames.len() as u64 - tagged;
    if untagged > 0 {
        egress.counters.received(interface.untagged_port, untagged, octets - tagged_octets);
    }
    if tagged > 0 {
        egress.counters.received(interface.tagged_port, tagged, tagged_octets);
    }
}

/// A frame that the short cut does not cover.
#[inline(never)]
fn special<F: Frame>(
    image: &Image,
    interface: &InterfaceImage,
    frame: &F,
    scratch: &mut Scratch,
    index: usize,
) {
    let admission = admit(image, interface, frame.bytes(), frame.is_contiguous());
    scratch.put_other(index, frame.octets(), admission);
}

/// Stage 3: both keys of all frames, and their buckets on the way. (A frame that is dropped costs a
/// useless prefetch; that is cheaper than a branch for those that are not.)
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for each instruction set with the burst")]
fn hash(image: &Image, scratch: &mut Scratch, frames: usize) {
    let table = &*image.mac;
    // Always the whole arrays: loops of known length over plain words become vector code.
    let hash = |key: &u64| table.hash(Fid((*key >> FID_SHIFT) as u16), *key);
    for (hashed, key) in scratch.sources.iter_mut().zip(&scratch.source_keys) {
        *hashed = hash(key);
    }
    for (hashed, key) in scratch.destinations.iter_mut().zip(&scratch.destination_keys) {
        *hashed = hash(key);
    }
    let frames = frames.min(BURST);
    let pairs = scratch.sources[..frames].iter().zip(&scratch.destinations[..frames]);
    for (source, destination) in pairs {
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
        (source, destination): (Hashed, Hashed),
    ) -> Fate {
        if parsed.class.vid_counter != 0 {
            let octets = parsed.shape.octets();
            self.egress.counters.received_vid(parsed.class.vid_counter, 1, octets);
        }
        if parsed.is_group() && self.interface.storm(parsed.shape.tagged()) != 0 {
            let (kind, reason) = if parsed.is_broadcast() {
                (StormKind::Broadcast, DropReason::StormBroadcast)
            } else {
                (StormKind::Multicast, DropReason::StormMulticast)
            };
            if !self.admit(parsed, kind) {
                return Fate::drop(reason);
            }
        }
        let (fid, member) = (parsed.class.word.fid(), parsed.class.word.member());
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
                    return Fate::drop(reason);
                }
            }
        }
        if parsed.is_group() {
            return Fate::FLOOD;
        }
        match lookup::destination(kernel, self.image, parsed, destination) {
            Destination::Member(member) => Fate::send(member),
            Destination::Drop(reason) => Fate::drop(reason),
            Destination::Unknown => {
                let limited = self.interface.storm(parsed.shape.tagged()) != 0;
                if limited && !self.admit(parsed, StormKind::UnknownUnicast) {
                    return Fate::drop(DropReason::StormUnknown);
                }
                Fate::FLOOD
            }
        }
    }

    #[inline(never)]
    fn admit(&mut self, parsed: &Parsed, kind: StormKind) -> bool {
        let index = self.interface.storm(parsed.shape.tagged());
        self.storm.admit(&self.image.storms, index, kind, parsed.class.vid(), self.now)
    }
}
