//! Frames that leave in a tunnel, and those that are too long for where they should go.

use bridge_model::reason::DropReason;
use bridge_model::wire::ethernet::MIN_FRAME_LEN;

use super::egress::{Egress, Outgoing};
use super::encap::{Flow, Way, encapsulate, layer3_mtu, padded};
use super::scratch::Scratch;
use crate::frame::{Frame, Io};
use crate::image::{Image, PeerImage};

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

impl<F: Frame> Egress<F> {
    /// Sends a frame to a peer.
    #[inline(never)]
    pub(super) fn tunnel<I: Io<Frame = F>>(
        &mut self,
        io: &mut I,
        mut frame: F,
        out: &Outgoing<'_>,
    ) {
        let Outgoing { image, shape, class, to, ingress, .. } = *out;
        let Some((peer, vni)) = image.peer(to) else {
            return self.drop(io, frame, DropReason::NoDestination, ingress.origin(shape));
        };
        let pop = shape.pop();
        if pop > 0 && frame.octets() < pop + MIN_FRAME_LEN {
            pad(&mut frame, pop + MIN_FRAME_LEN);
        }
        let flow = out.flow.unwrap_or_else(|| flow_of(&frame, pop));
        let way = match Way::find(peer, flow, frame.octets() - pop) {
            Ok(way) => way,
            Err(reason) => {
                self.tell(&frame, reason, peer, out);
                return self.drop(io, frame, reason, ingress.origin(shape).at(to));
            }
        };
        let clamp = to.push.clamps().then(|| image.fid(class.word.fid()).clamp_mtu);
        if !encapsulate(&mut frame, pop, (peer, vni), &way, clamp) {
            return self.drop(io, frame, DropReason::NoBuffer, ingress.origin(shape));
        }
        self.queue_for(io, frame, to, way.path.interface, ingress.now);
    }

    /// The same for a copy of a frame, which is made only if it can be sent.
    pub(super) fn tunnel_copy<I: Io<Frame = F>>(
        &mut self,
        io: &mut I,
        frame: &F,
        out: &Outgoing<'_>,
    ) {
        self.counters.copied(1);
        let origin = out.ingress.origin(out.shape);
        let Some((peer, _)) = out.image.peer(out.to) else {
            return self.count_drop(frame, DropReason::NoDestination, origin);
        };
        let pop = out.shape.pop();
        let flow = out.flow.unwrap_or_else(|| flow_of(frame, pop));
        if let Err(reason) = Way::find(peer, flow, padded(frame.octets(), pop)) {
            self.tell(frame, reason, peer, out);
            return self.count_drop(frame, reason, origin.at(out.to));
        }
        match io.copy(frame) {
            Some(copy) => self.tunnel(io, copy, out),
            None => self.count_drop(frame, DropReason::NoBuffer, origin),
        }
    }

    #[cold]
    fn tell(&mut self, frame: &F, reason: DropReason, peer: &PeerImage, out: &Outgoing<'_>) {
        if reason == DropReason::MtuExceeded {
            let mtu = layer3_mtu(frame.bytes(), out.shape.pop(), peer.max_frame);
            self.tell_too_big(frame, mtu, out);
        }
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
