//! Frames that leave in a tunnel, and those that are too long for where they should go.

use bridge_model::reason::DropReason;
use bridge_model::types::{Fid, InterfaceId};
use bridge_model::wire::ethernet::MIN_FRAME_LEN;

use super::egress::{Egress, Origin, Outgoing};
use super::encap::{Flow, Way, encapsulate, layer3_mtu, padded};
use super::scratch::Scratch;
use crate::frame::{Frame, Io};
use crate::image::{Image, MemberImage};

/// The flows of those frames of a burst that go into tunnels. All at once, as one takes long but does
/// not depend on another.
#[inline(never)]
pub(super) fn hash_flows<F: Frame>(image: &Image, frames: &[F], scratch: &mut Scratch) {
    let Scratch { fates, shapes, flows, .. } = scratch;
    let fates = fates.iter().zip(shapes).zip(flows);
    for (frame, ((fate, shape), flow)) in frames.iter().zip(fates) {
        let to = image.members.get(fate.member());
        if fate.is_send() && to.is_some_and(|to| !to.is_local()) {
            *flow = Flow::of(frame.bytes(), shape.pop());
        }
    }
}

/// The flow of a single frame: of the control plane, or one that is flooded.
#[inline(never)]
pub(super) fn flow_of<F: Frame>(frame: &F, pop: usize) -> Flow {
    Flow::of(frame.bytes(), pop)
}

/// As for other frames: one that there is no room to pad goes out short.
#[inline(never)]
fn pad<F: Frame>(frame: &mut F, octets: usize) {
    frame.pad_to(octets);
}

/// Wraps a frame of a learning domain for a peer, and says which device it leaves by. A frame that is
/// refused may have been padded.
#[inline(always)]
#[expect(clippy::inline_always, reason = "one call on the packet path")]
pub(crate) fn enter<F: Frame>(
    image: &Image,
    frame: &mut F,
    (pop, flow): (usize, Option<Flow>),
    fid: Fid,
    to: &MemberImage,
) -> Result<InterfaceId, DropReason> {
    let (peer, vni) = image.peer(to).ok_or(DropReason::NoDestination)?;
    if pop > 0 && frame.octets() < pop + MIN_FRAME_LEN {
        pad(frame, pop + MIN_FRAME_LEN);
    }
    let flow = flow.unwrap_or_else(|| flow_of(frame, pop));
    let way = Way::find(peer, flow, frame.octets() - pop)?;
    let clamp = to.push.clamps().then(|| image.fid(fid).clamp_mtu);
    if !encapsulate(frame, pop, (peer, vni), &way, clamp) {
        return Err(DropReason::NoBuffer);
    }
    Ok(way.path.interface)
}

impl<F: Frame> Egress<F> {
    /// Sends a frame to a peer.
    #[inline(never)]
    pub(super) fn tunnel<I: Io<Frame = F>>(
        &mut self,
        io: &mut I,
        mut frame: F,
        out: &Outgoing<'_>,
    ) {
        let Outgoing { image, shape, class, to, ingress, flow, .. } = *out;
        match enter(image, &mut frame, (shape.pop(), flow), class.word.fid(), to) {
            Ok(interface) => self.queue_for(io, frame, to, interface, ingress.now),
            Err(reason) => {
                let origin = self.refused(&frame, reason, out);
                self.drop(io, frame, reason, origin);
            }
        }
    }

    /// The same for a copy of a frame, which is made only if it can be sent.
    pub(super) fn tunnel_copy<I: Io<Frame = F>>(
        &mut self,
        io: &mut I,
        frame: &F,
        out: &Outgoing<'_>,
    ) {
        self.counters.copied(1);
        let pop = out.shape.pop();
        let flow = out.flow.unwrap_or_else(|| flow_of(frame, pop));
        let octets = padded(frame.octets(), pop);
        let peer = out.image.peer(out.to).ok_or(DropReason::NoDestination);
        if let Err(reason) = peer.and_then(|(peer, _)| Way::find(peer, flow, octets)) {
            let origin = self.refused(frame, reason, out);
            return self.count_drop(frame, reason, origin);
        }
        if let Some(copy) = io.copy(frame) {
            self.tunnel(io, copy, out);
        } else {
            self.count_drop(frame, DropReason::NoBuffer, out.ingress.origin(out.shape));
        }
    }

    /// What a frame counts for that does not leave, and whose sender may be told.
    #[cold]
    fn refused(&mut self, frame: &F, reason: DropReason, out: &Outgoing<'_>) -> Origin {
        let origin = out.ingress.origin(out.shape);
        match reason {
            DropReason::NoBuffer | DropReason::NoDestination => return origin,
            DropReason::MtuExceeded => {
                let peer = out.image.peer(out.to);
                let max_frame = peer.map_or(0, |(peer, _)| peer.max_frame);
                self.tell_too_big(
                    frame,
                    layer3_mtu(frame.bytes(), out.shape.pop(), max_frame),
                    out,
                );
            }
            _ => {}
        }
        origin.at(out.to)
    }

    /// The sender of a frame that does not fit may be told that packets of `mtu` octets do.
    #[cold]
    pub(super) fn tell_too_big(&mut self, frame: &F, mtu: u16, out: &Outgoing<'_>) {
        if !out.is_known {
            return;
        }
        let word = out.class.word;
        let part = (frame.bytes(), out.shape.pop());
        self.protocol.too_big(mtu, (word.fid(), word.member()), part, out.ingress.now);
    }
}
