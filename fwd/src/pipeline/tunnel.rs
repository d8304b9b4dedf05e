//! Frames that leave in a tunnel, and those that are too long for where they should go.

use bridge_model::reason::DropReason;

use super::admit::Shape;
use super::egress::{Egress, Ingress};
use super::encap::{Flow, Way, encapsulate, layer3_mtu, padded};
use crate::frame::{Frame, Io};
use crate::image::{ClassEntry, Image, MemberImage, PeerImage};

/// A frame on its way out, beside its octets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaving<'i> {
    pub(super) image: &'i Image,
    pub(super) shape: Shape,
    pub(super) class: &'i ClassEntry,
    pub(super) to: &'i MemberImage,
    pub(super) ingress: &'i Ingress,
}

impl<F: Frame> Egress<F> {
    /// Sends a frame to a peer. `flow` is kept for further copies of the frame.
    #[inline(never)]
    pub(super) fn tunnel<I: Io<Frame = F>>(
        &mut self,
        io: &mut I,
        frame: F,
        leaving: Leaving<'_>,
        flow: &mut Option<Flow>,
    ) {
        let Some((peer, vni)) = leaving.image.peer(leaving.to) else {
            let origin = leaving.ingress.origin(leaving.shape);
            return self.drop(io, frame, DropReason::NoDestination, origin);
        };
        match self.way(&frame, peer, &leaving, flow) {
            Ok(way) => self.send_by(io, frame, (peer, vni), &way, leaving),
            Err(reason) => {
                let origin = leaving.ingress.origin(leaving.shape).at(leaving.to);
                self.drop(io, frame, reason, origin);
            }
        }
    }

    /// The same for a copy of a frame, which is made only if it can be sent.
    pub(super) fn tunnel_copy<I: Io<Frame = F>>(
        &mut self,
        io: &mut I,
        frame: &F,
        leaving: Leaving<'_>,
        flow: &mut Option<Flow>,
    ) {
        self.counters.copied(1);
        let origin = leaving.ingress.origin(leaving.shape);
        let Some((peer, vni)) = leaving.image.peer(leaving.to) else {
            return self.count_drop(frame, DropReason::NoDestination, origin);
        };
        match self.way(frame, peer, &leaving, flow) {
            Ok(way) => match io.copy(frame) {
                Some(copy) => self.send_by(io, copy, (peer, vni), &way, leaving),
                None => self.count_drop(frame, DropReason::NoBuffer, origin),
            },
            Err(reason) => self.count_drop(frame, reason, origin.at(leaving.to)),
        }
    }

    /// Which way the frame takes, or why none.
    #[inline]
    fn way<'p>(
        &mut self,
        frame: &F,
        peer: &'p PeerImage,
        leaving: &Leaving<'_>,
        flow: &mut Option<Flow>,
    ) -> Result<Way<'p>, DropReason> {
        let pop = leaving.shape.pop();
        let flow = *flow.get_or_insert_with(|| Flow::of(frame.bytes(), pop));
        let way = Way::find(peer, flow, padded(frame.octets(), pop));
        if let Err(DropReason::MtuExceeded) = way {
            let mtu = layer3_mtu(frame.bytes(), pop, peer.max_frame);
            self.tell_too_big(frame, mtu, leaving);
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
        leaving: Leaving<'_>,
    ) {
        let Leaving { image, shape, class, to, ingress } = leaving;
        let clamp = to.push.clamps().then(|| image.fid(class.word.fid()).clamp_mtu);
        if !encapsulate(&mut frame, shape.pop(), peer, way, clamp) {
            return self.drop(io, frame, DropReason::NoBuffer, ingress.origin(shape));
        }
        self.queue_for(io, frame, to, way.path.interface, ingress.now);
    }

    /// The sender of a frame that does not fit may be told that packets of `mtu` octets do.
    #[cold]
    pub(super) fn tell_too_big(&mut self, frame: &F, mtu: u16, leaving: &Leaving<'_>) {
        let word = leaving.class.word;
        let part = (frame.bytes(), leaving.shape.pop());
        self.protocol.too_big(mtu, (word.fid(), word.member()), part, leaving.ingress.now);
    }
}
