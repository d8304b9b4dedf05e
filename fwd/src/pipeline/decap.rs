//! Stage 1 of a burst on an interface of the underlay: frames in tunnels are taken out, and are from
//! then on frames of the burst like any others, at the place in it that they came at.

use bridge_model::reason::{DropReason, PuntReason};
use bridge_model::types::UnderlayId;
use bridge_model::wire::ethernet::{ADDRESSES_LEN, MIN_FRAME_LEN, TAG_LEN};
use bridge_model::wire::inner::mark_congested;

use super::admit::{Admission, Shape, admit};
use super::burst::{PREFETCH_AHEAD, special};
use super::clamp::clamp_mss;
use super::egress::{Egress, Ingress, Origin};
use super::parse::parse;
use super::quick::{Found, enter, quick, vxlan_v4};
use super::scratch::{Fate, Leaving, Scratch};
use super::underlay::{Received, Tunnelled, admit_inner, receive};
use crate::counters::PortSlot;
use crate::events::ProtocolEvent;
use crate::frame::{BURST, Frame, FrameBurst, Io};
use crate::image::{Image, InterfaceImage, LinkImage, UnderlayImage};

/// What each frame is, and how many there are for each port.
///
/// Two loops, so that each fits the registers: whom the frames are from, then what they are for.
#[inline(never)]
pub(super) fn classify<F: Frame>(
    image: &Image,
    interface: &InterfaceImage,
    frames: &mut FrameBurst<F>,
    scratch: &mut Scratch,
    egress: &mut Egress<F>,
    ingress: &Ingress,
) {
    let underlay = &image.underlay;
    let mut found = [Found::NONE; BURST];
    let link = underlay.links.iter().find(|link| link.interface == ingress.interface);
    let link = link.filter(|link| is_class_of(interface, link));
    match link {
        Some(link) if link.vlan == 0 => outer::<UNTAGGED, F>(underlay, link, frames, &mut found),
        Some(link) => outer::<TAGGED, F>(underlay, link, frames, &mut found),
        None => {}
    }
    scratch.fates = [Fate::FLOOD; BURST];
    let mut run = Run { port: PortSlot::UNATTRIBUTED, frames: 0, octets: 0 };
    for (index, (frame, found)) in frames.iter_mut().zip(&found).enumerate().take(BURST) {
        let (bytes, start) = (frame.bytes(), found.start());
        let inner = bytes.get(start..).and_then(<[u8]>::first_chunk);
        let entered = inner.and_then(|inner| enter(underlay, *found, inner, bytes.len()));
        if let Some(entered) = entered {
            scratch.put(index, &entered.common());
            frame.trim_front(start);
            finish(frame, entered.clamp_mtu);
        } else {
            other(image, interface, frame, scratch, index, (egress, ingress));
        }
        run.count(scratch.shapes[index], egress, ingress);
    }
    run.end(egress);
}

/// Whether frames with the link's tag, of TPID 0x8100, are the link's.
fn is_class_of(interface: &InterfaceImage, link: &LinkImage) -> bool {
    let class = match link.vlan {
        0 => &interface.untagged,
        vlan if interface.tpid == 0x8100 => &interface.classes[usize::from(vlan & 0xfff)],
        _ => return false,
    };
    class.word.as_underlay() == Some(link.id)
}

/// Octets of an Ethernet header.
const UNTAGGED: usize = 14;
/// The same with a tag.
const TAGGED: usize = 18;

/// Whom frames in tunnels came from.
#[inline(never)]
fn outer<const START: usize, F: Frame>(
    underlay: &UnderlayImage,
    link: &LinkImage,
    frames: &FrameBurst<F>,
    found: &mut [Found; BURST],
) {
    for frame in frames.iter().take(PREFETCH_AHEAD) {
        frame.prefetch();
    }
    for (index, (frame, found)) in frames.iter().zip(found).enumerate() {
        if let Some(next) = frames.get(index + PREFETCH_AHEAD) {
            next.prefetch();
        }
        if !frame.is_contiguous() {
            continue;
        }
        let bytes = frame.bytes();
        let from = vxlan_v4::<START>(underlay, link, bytes);
        let from = from.or_else(|| quick(underlay, link, bytes, START - UNTAGGED));
        *found = from.unwrap_or(Found::NONE);
    }
}

/// Frames one after the other that count for the same port.
struct Run {
    port: PortSlot,
    frames: u64,
    octets: u64,
}

impl Run {
    #[inline]
    fn count<F: Frame>(&mut self, shape: Shape, egress: &mut Egress<F>, ingress: &Ingress) {
        let port = shape.port().unwrap_or(ingress.ports[usize::from(shape.tagged())]);
        if port != self.port {
            self.end(egress);
            *self = Self { port, frames: 0, octets: 0 };
        }
        self.frames += 1;
        self.octets += shape.octets();
    }

    #[inline(never)]
    fn end<F: Frame>(&self, egress: &mut Egress<F>) {
        if self.frames > 0 {
            egress.counters.received(self.port, self.frames, self.octets);
        }
    }
}

/// A frame that is not the common one in a tunnel: mostly one of a trunk on the same interface.
#[inline(never)]
fn other<F: Frame>(
    image: &Image,
    interface: &InterfaceImage,
    frame: &mut F,
    scratch: &mut Scratch,
    index: usize,
    to: (&mut Egress<F>, &Ingress),
) {
    let bytes = frame.bytes();
    if !frame.is_contiguous() {
        special(image, interface, frame, scratch, index);
    } else if let Some(common) = parse(interface, bytes) {
        scratch.put(index, &common);
    } else {
        closely(image, interface, frame, scratch, index, to);
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
            let port =
                image.underlay.sources.get(usize::from(tunnelled.peer)).map(|peer| peer.slot);
            let shape = Shape::of_port(octets, 0, 0, port.unwrap_or_default());
            scratch.put_fate(index, shape, Fate::drop(reason));
        }
    }
}

/// Leaves of a frame what is in its tunnel, without `pop` octets of a priority tag.
pub(crate) fn open<F: Frame>(frame: &mut F, tunnelled: &Tunnelled, pop: usize) {
    frame.truncate(tunnelled.end);
    frame.trim_front(tunnelled.start);
    if tunnelled.is_congested {
        mark_congested(frame.bytes_mut());
    }
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
