//! Frames that leave in a tunnel, and those that are too long for where they should go.

use bridge_model::reason::DropReason;

use super::egress::{Egress, Outgoing};
use super::encap::{Flow, Way, encapsulate, layer3_mtu, padded};
use crate::frame::{Frame, Io};
use crate::image::PeerImage;

impl<F: Frame> Egress<F> {
    /// Sends a frame to a peer. `flow` is kept for further copies of the frame.
    #[inline(never)]
    pub(super) fn tunnel<I: Io<Frame = F>>(
        &mut self,
        io: &mut I,
        frame: F,
        out: Outgoing<'_>,
        flow: &mut Option<Flow>,
    ) {
        let Some((peer, vni)) = out.image.peer(out.to) else {
            let origin = out.ingress.origin(out.shape);
            return self.drop(io, frame, DropReason::NoDestination, origin);
        };
        match self.way(&frame, peer, &out, flow) {
            Ok(way) => self.send_by(io, frame, (peer, vni), &way, out),
            Err(reason) => {
                let origin = out.ingress.origin(out.shape).at(out.to);
                self.drop(io, frame, reason, origin);
            }
        }
    }

    /// The same for a copy of a frame, which is made only if it can be sent.
    pub(super) fn tunnel_copy<I: Io<Frame = F>>(
        &mut self,
        io: &mut I,
        frame: &F,
        out: Outgoing<'_>,
        flow: &mut Option<Flow>,
    ) {
        self.counters.copied(1);
        let origin = out.ingress.origin(out.shape);
        let Some((peer, vni)) = out.image.peer(out.to) else {
            return self.count_drop(frame, DropReason::NoDestination, origin);
        };
        match self.way(frame, peer, &out, flow) {
            Ok(way) => match io.copy(frame) {
                Some(copy) => self.send_by(io, copy, (peer, vni), &way, out),
                None => self.count_drop(frame, DropReason::NoBuffer, origin),
            },
            Err(reason) => self.count_drop(frame, reason, origin.at(out.to)),
        }
    }

    /// Which way the frame takes, or why none.
    #[inline]
    fn way<'p>(
        &mut self,
        frame: &F,
        peer: &'p PeerImage,
        out: &Outgoing<'_>,
        flow: &mut Option<Flow>,
    ) -> Result<Way<'p>, DropReason> {
        let pop = out.shape.pop();
        let flow = *flow.get_or_insert_with(|| Flow::of(frame.bytes(), pop));
        let way = Way::find(peer, flow, padded(frame.octets(), pop));
        if let Err(DropReason::MtuExceeded) = way {
            let mtu = layer3_mtu(frame.bytes(), pop, peer.max_frame);
            self.tell_too_big(frame, mtu, out);
        }
        way
    }

    #[inline]
    fn send_by<I: Io<Frame = F>>(
        &mut self,
        io: &mut I,
        mut frame: F,
        peer: (&PeerImage, u32),
        way: &Way<'_>,
        out: Outgoing<'_>,
    ) {
        let Outgoing { image, shape, class, to, ingress } = out;
        let clamp = to.push.clamps().then(|| image.fid(class.word.fid()).clamp_mtu);
        if !encapsulate(&mut frame, shape.pop(), peer, way, clamp) {
            return self.drop(io, frame, DropReason::NoBuffer, ingress.origin(shape));
        }
        self.queue_for(io, frame, to, way.path.interface, ingress.now);
    }

    /// The sender of a frame that does not fit may be told that packets of `mtu` octets do.
    #[cold]
    pub(super) fn tell_too_big(&mut self, frame: &F, mtu: u16, out: &Outgoing<'_>) {
        let word = out.class.word;
        let part = (frame.bytes(), out.shape.pop());
        self.protocol.too_big(mtu, (word.fid(), word.member()), part, out.ingress.now);
    }
}
