//! The stages of a burst.

use bridge_model::reason::DropReason;
use bridge_model::types::{Fid, InterfaceId};

use super::admit::{Admission, Parsed, Shape, admit};
use super::control::Punt;
use super::decap;
use super::egress::{Egress, Ingress, Outgoing};
use super::lookup::{self, Destination, Reporter};
use super::parse::parse;
use super::rewrite::fits_plainly;
use super::scratch::{FID_SHIFT, Fate, Leaving, Scratch};
use super::suppress::suppress;
use super::tunnel::hash_flows;
use crate::frame::{BURST, Frame, FrameBurst, Io};
use crate::image::{Image, InterfaceImage, MemberImage};
use crate::mac::{Burst, Hashed, Kernel};
use crate::publication::Installed;
use crate::storm::{StormBuckets, StormKind};

/// How many frames ahead of the parser the first line of a frame is asked for.
pub(super) const PREFETCH_AHEAD: usize = 6;

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

        if interface.has_underlay {
            decap::classify(image, interface, frames, scratch, egress, &ingress);
        } else {
            classify(image, interface, frames, scratch, egress);
        }
        if !scratch.leaving.is_empty() {
            let stage = Leave { punt, egress, io, interface, ingress };
            stage.run(scratch, frames);
        }
        hash(image, scratch, frames.len());
        let mut stage = Lookup { image, interface, storm, reporter, egress, now };
        for index in 0..frames.len().min(BURST) {
            if scratch.fates[index] == Fate::FLOOD {
                let keys = (scratch.sources[index], scratch.destinations[index]);
                scratch.fates[index] = stage.lookup(kernel, &scratch.get(index), keys);
            }
            if image.has_suppression
                && let Some(frame) = frames.get_mut(index)
            {
                suppress(kernel, image, frame, (scratch, index), stage.egress, &ingress);
            }
        }
        if !image.peers.is_empty() {
            hash_flows(image, frames, scratch);
        }
        for (index, frame) in frames.drain(..).enumerate().take(BURST) {
            let (fate, shape) = (scratch.fates[index], scratch.shapes[index]);
            if fate.is_send() {
                let to = image.members.get(fate.member()).unwrap_or(&MemberImage::UNUSED);
                if fits_plainly(&frame, shape.pop(), to) {
                    egress.forward(io, frame, shape, to, &ingress);
                } else {
                    let (class, flow) = (&scratch.classes[index], Some(scratch.flows[index]));
                    let ingress = &ingress;
                    let out = Outgoing { image, shape, class, to, ingress, flow, is_known: true };
                    egress.forward_closely(io, frame, &out);
                }
            } else if let Some(reason) = fate.reason() {
                egress.drop(io, frame, reason, ingress.origin(shape));
            } else {
                egress.flood(io, image, frame, &scratch.get(index), &ingress);
            }
        }
    }
}

/// Stage 2: control frames leave the burst.
struct Leave<'s, I: Io> {
    punt: &'s mut Punt,
    egress: &'s mut Egress<I::Frame>,
    io: &'s mut I,
    interface: &'s InterfaceImage,
    ingress: Ingress,
}

impl<I: Io> Leave<'_, I> {
    #[inline(never)]
    fn run(self, scratch: &mut Scratch, frames: &mut FrameBurst<I::Frame>) {
        let leaving = std::mem::take(&mut scratch.leaving);
        for (removed, (index, leaving)) in leaving.into_iter().enumerate() {
            let index = index - removed;
            let shape = scratch.shapes[index];
            let origin = self.ingress.origin(shape);
            scratch.remove(index);
            let Some(frame) = frames.pop_at(index) else { continue };
            match leaving {
                Leaving::Control(control) => {
                    let to = (frame, control);
                    self.punt.control(self.egress, self.io, self.interface, to, origin);
                }
                Leaving::Packet(reason, link) => {
                    decap::consume(self.egress, self.io, frame, (reason, link, shape), origin);
                }
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
pub(super) fn special<F: Frame>(
    image: &Image,
    interface: &InterfaceImage,
    frame: &F,
    scratch: &mut Scratch,
    index: usize,
) {
    let octets = frame.octets();
    match admit(image, interface, frame.bytes(), frame.is_contiguous()) {
        Admission::Forward(parsed) => scratch.put_parsed(index, parsed),
        Admission::Control(control) => {
            let shape = Shape::new(octets, 0, 0, control.tagged);
            scratch.put_leaving(index, shape, Leaving::Control(control));
        }
        Admission::Drop { reason, tagged } => {
            let shape = Shape::new(octets, 0, 0, tagged);
            scratch.put_fate(index, shape, Fate::drop(reason));
        }
        // Interfaces with such frames have a first stage of their own.
        Admission::Underlay { shape, .. } | Admission::FromKernel { shape, .. } => {
            scratch.put_fate(index, shape, Fate::drop(DropReason::VlanUnknown));
        }
    }
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

/// The index of the storm limits that a frame falls under; 0 is none, as of frames in tunnels.
#[inline(always)]
#[expect(clippy::inline_always, reason = "a few instructions")]
fn storm(interface: &InterfaceImage, shape: Shape) -> u16 {
    if shape.has_own_port() { 0 } else { interface.storm(shape.tagged()) }
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
        if parsed.is_group() && storm(self.interface, parsed.shape) != 0 {
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
                let limited = storm(self.interface, parsed.shape) != 0;
                if limited && !self.admit(parsed, StormKind::UnknownUnicast) {
                    return Fate::drop(DropReason::StormUnknown);
                }
                Fate::FLOOD
            }
        }
    }

    #[inline(never)]
    fn admit(&mut self, parsed: &Parsed, kind: StormKind) -> bool {
        let index = storm(self.interface, parsed.shape);
        self.storm.admit(&self.image.storms, index, kind, parsed.class.vid(), self.now)
    }
}
