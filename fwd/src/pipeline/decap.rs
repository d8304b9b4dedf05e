//! Stage 1 of a burst on an interface of the underlay: frames in tunnels are taken out, and are from
//! then on frames of the burst like any others, at the place in it that they came at.

use bridge_model::reason::{DropReason, PuntReason};
use bridge_model::types::UnderlayId;
use bridge_model::wire::ethernet::{ADDRESSES_LEN, MIN_FRAME_LEN, TAG_LEN};

use super::admit::{Admission, Shape, admit};
use super::burst::{PREFETCH_AHEAD, special};
use super::clamp::clamp_mss;
use super::egress::{Egress, Ingress, Origin};
use super::parse::parse;
use super::quick::quick;
use super::scratch::{Fate, Leaving, Scratch};
use super::underlay::{Received, Tunnelled, admit_inner, receive};
use crate::events::ProtocolEvent;
use crate::frame::{BURST, Frame, FrameBurst, Io};
use crate::image::{Image, InterfaceImage};

/// What each frame is, and how many there are for each port.
#[inline(never)]
pub(super) fn classify<F: Frame>(
    image: &Image,
    interface: &InterfaceImage,
    frames: &mut FrameBurst<F>,
    scratch: &mut Scratch,
    egress: &mut Egress<F>,
    ingress: &Ingress,
) {
    for frame in frames.iter().take(PREFETCH_AHEAD) {
        frame.prefetch();
    }
    scratch.fates = [Fate::FLOOD; BURST];
    for index in 0..frames.len().min(BURST) {
        if let Some(next) = frames.get(index + PREFETCH_AHEAD) {
            next.prefetch();
        }
        let Some(frame) = frames.get_mut(index) else { break };
        let bytes = frame.bytes();
        if !frame.is_contiguous() {
            special(image, interface, frame, scratch, index);
        } else if let Some(found) = quick(image, interface, bytes) {
            scratch.put(index, &found.common());
            frame.trim_front(found.start);
            finish(frame, found.clamp_mtu);
        } else if let Some(common) = parse(interface, bytes) {
            scratch.put(index, &common);
        } else {
            closely(image, interface, frame, scratch, index, (egress, ingress));
        }
    }
    count(scratch, frames.len().min(BURST), egress, ingress);
}

/// Counts what was received, run by run.
fn count<F: Frame>(scratch: &Scratch, frames: usize, egress: &mut Egress<F>, ingress: &Ingress) {
    let mut run: Option<(crate::counters::PortSlot, u64, u64)> = None;
    for shape in scratch.shapes.iter().take(frames) {
        let port = ingress.origin(*shape).port;
        match &mut run {
            Some((of, frames, octets)) if *of == port => {
                *frames += 1;
                *octets += shape.octets();
            }
            _ => {
                if let Some((port, frames, octets)) = run {
                    egress.counters.received(port, frames, octets);
                }
                run = Some((port, 1, shape.octets()));
            }
        }
    }
    if let Some((port, frames, octets)) = run {
        egress.counters.received(port, frames, octets);
    }
}

/// A frame that neither short cut covers.
#[inline(never)]
fn closely<F: Frame>(
    image: &Image,
    interface: &InterfaceImage,
    frame: &mut F,
    scratch: &mut Scratch,
    index: usize,
    (egress, ingress): (&mut Egress<F>, &Ingress),
) {
    match admit(image, interface, frame.bytes(), true) {
        Admission::Underlay { link, shape } => {
            let Some(link) = image.underlay.link(link) else {
                return scratch.put_fate(index, shape, Fate::drop(DropReason::VlanUnknown));
            };
            let shape = shape.for_port(link.slot);
            match receive(image, link, frame.bytes(), shape.pop()) {
                Received::Tunnelled(tunnelled) => {
                    unwrap(image, frame, &tunnelled, scratch, index);
                }
                Received::Kernel(kernel, copied) => {
                    if let Some(reason) = copied {
                        let event = ProtocolEvent::Copied(reason);
                        let from = (ingress.interface, ingress.now);
                        let copy = (frame.bytes(), shape.pop());
                        if !egress.protocol.packet(event, link.id, copy, from) {
                            egress.counters.lost().snoops += 1;
                        }
                    }
                    scratch.put_fate(index, shape, Fate::send(kernel));
                }
                Received::Consumed(reason) => {
                    scratch.put_leaving(index, shape, Leaving::Packet(reason, link.id));
                }
                Received::Dropped(reason) => scratch.put_fate(index, shape, Fate::drop(reason)),
            }
        }
        Admission::FromKernel { link, shape } => {
            let Some(link) = image.underlay.link(link) else {
                return scratch.put_fate(index, shape, Fate::drop(DropReason::VlanUnknown));
            };
            // The tag of the link has no priority.
            scratch.put_fate(index, shape.without_priority(), Fate::send(link.way_out));
        }
        _ => special(image, interface, frame, scratch, index),
    }
}

/// Gives a packet to the protocol that it is for.
pub(super) fn consume<I: Io>(
    egress: &mut Egress<I::Frame>,
    io: &mut I,
    frame: I::Frame,
    (reason, link, shape): (PuntReason, UnderlayId, Shape),
    origin: Origin,
) {
    let event = ProtocolEvent::Consumed(reason);
    let from = (origin.interface, origin.now);
    if egress.protocol.packet(event, link, (frame.bytes(), shape.pop()), from) {
        egress.counters.consumed(origin.port, reason);
        egress.discard(io, frame);
    } else {
        egress.drop(io, frame, DropReason::PuntFull, origin);
    }
}

/// Takes a frame out of its tunnel.
fn unwrap<F: Frame>(
    image: &Image,
    frame: &mut F,
    tunnelled: &Tunnelled,
    scratch: &mut Scratch,
    index: usize,
) {
    let octets = frame.octets();
    let inner = frame.bytes().get(tunnelled.start..tunnelled.end).unwrap_or_default();
    match admit_inner(image, tunnelled, inner, octets) {
        Ok(mut parsed) => {
            open(frame, tunnelled, parsed.shape.pop());
            parsed.shape = parsed.shape.popped();
            scratch.put_parsed(index, parsed);
        }
        Err(reason) => {
            let port = image.underlay.sources.get(tunnelled.peer).map(|peer| peer.slot);
            let shape = Shape::of_port(octets, 0, 0, port.unwrap_or_default());
            scratch.put_fate(index, shape, Fate::drop(reason));
        }
    }
}

/// Leaves of a frame what is in its tunnel, without `pop` octets of a priority tag.
pub(crate) fn open<F: Frame>(frame: &mut F, tunnelled: &Tunnelled, pop: usize) {
    frame.truncate(tunnelled.end);
    frame.trim_front(tunnelled.start);
    if pop == TAG_LEN {
        frame.bytes_mut().copy_within(..ADDRESSES_LEN, TAG_LEN);
        frame.trim_front(TAG_LEN);
    }
    finish(frame, tunnelled.vni.clamp_mtu);
}

/// What is done to every frame that came in a tunnel.
#[inline]
fn finish<F: Frame>(frame: &mut F, clamp_mtu: u16) {
    if frame.octets() < MIN_FRAME_LEN {
        // A buffer that held the outer headers, too, has room.
        frame.pad_to(MIN_FRAME_LEN);
    }
    if clamp_mtu != 0 {
        clamp_mss(frame.bytes_mut(), clamp_mtu);
    }
}
