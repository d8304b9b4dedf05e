//! The way to the protocol thread, which speaks the underlay's protocols and answers for the bridges.

use arrayvec::ArrayVec;
use bridge_model::reason::PuntReason;
use bridge_model::types::{Fid, MemberId, UnderlayId};
use rtrb::Producer;

use crate::events::{self, ProtocolEvent, ProtocolFrame};

/// Frames per second of which their senders are told that they were too big, at most. The protocol
/// thread sends far fewer answers; this keeps the ring for others.
const TOO_BIG_PER_SECOND: u64 = 1000;

/// A bucket of as many tokens as are gained in a second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    tokens: u64,
    since: u64,
    per_second: u64,
    ticks_per_second: u64,
}

impl Budget {
    /// A full bucket.
    pub(super) fn new(per_second: u64, ticks_per_second: u64) -> Self {
        let ticks_per_second = ticks_per_second.max(1);
        Self { tokens: per_second, since: 0, per_second, ticks_per_second }
    }

    /// Takes a token, if there is one.
    pub(super) fn take(&mut self, now: u64) -> bool {
        let gained =
            now.saturating_sub(self.since).saturating_mul(self.per_second) / self.ticks_per_second;
        if gained > 0 {
            self.tokens = self.tokens.saturating_add(gained).min(self.per_second);
            self.since = now;
        }
        match self.tokens.checked_sub(1) {
            Some(left) => {
                self.tokens = left;
                true
            }
            None => false,
        }
    }
}

/// One worker's end of the ring.
#[derive(Debug)]
pub(super) struct Protocol {
    ring: Producer<ProtocolFrame>,
    too_big: Budget,
}

impl Protocol {
    pub(super) fn new(ring: Producer<ProtocolFrame>, ticks_per_second: u64) -> Self {
        Self { ring, too_big: Budget::new(TOO_BIG_PER_SECOND, ticks_per_second) }
    }

    /// A packet of an underlay protocol that came by `link`; `frame` is without the tag that selected
    /// the link. False if the ring is full.
    #[inline(never)]
    pub(super) fn consumed(&mut self, reason: PuntReason, link: UnderlayId, frame: &[u8]) -> bool {
        self.push(ProtocolEvent::Consumed(reason), link, (Fid(0), MemberId(0)), frame)
    }

    /// The same of a packet that goes to the kernel.
    #[inline(never)]
    pub(super) fn copied(&mut self, reason: PuntReason, link: UnderlayId, frame: &[u8]) -> bool {
        self.push(ProtocolEvent::Copied(reason), link, (Fid(0), MemberId(0)), frame)
    }

    /// A frame, as its bridge sees it, to learn a neighbour from. False if the ring is full.
    #[inline(never)]
    pub(super) fn neighbor(&mut self, place: (Fid, MemberId), frame: &[u8]) -> bool {
        self.push(ProtocolEvent::Neighbor, UnderlayId(0), place, frame)
    }

    /// A frame that `place` sent does not fit where it would have gone: only packets of `mtu` octets
    /// do. Its first `pop` octets of tags are not what its bridge sees. Nothing is lost if nobody is
    /// told: the sender tries again.
    #[inline(never)]
    pub(super) fn too_big(
        &mut self,
        mtu: u16,
        place: (Fid, MemberId),
        (frame, pop): (&[u8], usize),
        now: u64,
    ) {
        // Member 0 is the control plane itself.
        let is_group = frame.first().is_none_or(|octet| octet & 1 != 0);
        if is_group || place.1 == MemberId(0) || self.ring.is_full() || !self.too_big.take(now) {
            return;
        }
        let (addresses, rest) = frame.split_at(frame.len().min(12));
        let rest = rest.get(pop..).unwrap_or_default();
        let mut bytes = ArrayVec::new();
        for part in [addresses, rest] {
            let part = part.get(..bytes.remaining_capacity()).unwrap_or(part);
            let _ = bytes.try_extend_from_slice(part);
        }
        let frame = ProtocolFrame {
            event: ProtocolEvent::TooBig { mtu },
            link: UnderlayId(0),
            place,
            octets: u32::try_from(addresses.len() + rest.len()).unwrap_or(u32::MAX),
            bytes,
        };
        let _ = self.ring.push(frame);
    }

    fn push(
        &mut self,
        event: ProtocolEvent,
        link: UnderlayId,
        place: (Fid, MemberId),
        frame: &[u8],
    ) -> bool {
        if self.ring.is_full() {
            return false;
        }
        let octets = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        let frame = ProtocolFrame { event, link, place, octets, bytes: events::head(frame) };
        self.ring.push(frame).is_ok()
    }
}
