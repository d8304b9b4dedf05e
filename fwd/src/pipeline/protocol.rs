//! The way to the protocol thread, which speaks the underlay's protocols and answers for the bridges.

use arrayvec::ArrayVec;
use bridge_model::reason::PuntReason;
use bridge_model::types::{Fid, InterfaceId, MemberId, UnderlayId};
use bridge_model::wire::ethernet::{ADDRESSES_LEN, HEADER_LEN};
use bridge_model::wire::ip::{ETHER_TYPE_IPV6, IPV6_HEADER_LEN};
use bridge_model::wire::neighbor::{Arp, ETHER_TYPE_ARP, NEIGHBOR_ADVERTISEMENT};
use rtrb::Producer;

use crate::events::{ProtocolEvent, ProtocolFrame};

/// Frames per second of which their senders are told that they were too big, at most. The protocol
/// thread sends far fewer answers; this keeps the ring for others.
const TOO_BIG_PER_SECOND: u64 = 1000;
/// BFD packets of one interface: those of 500 peers at 50 ms each.
const SESSIONS_PER_SECOND: u64 = 10_000;
/// Answers to our questions for next hops, on the underlay of one interface: a router or a peer each,
/// asked once a second at most.
const ANSWERS_PER_SECOND: u64 = 1_000;
/// All other ARP and neighbour discovery on the underlay, of one interface. Every broadcast of the
/// segment is one.
const QUESTIONS_PER_SECOND: u64 = 2_000;
/// ICMP on the underlay, of one interface. It may come from anywhere.
const MESSAGES_PER_SECOND: u64 = 1_000;
/// Copies of ARP and neighbour discovery in bridges with `neighborSuppression`, of one interface.
const NEIGHBORS_PER_SECOND: u64 = 1_000;
/// Places of the ring that only BFD may take.
const SESSION_RESERVE: usize = 64;
/// Places of the ring that only BFD and answers for next hops may take. A peer is lost without either;
/// whoever floods anything else takes none down.
const RESERVE: usize = SESSION_RESERVE + 32;
/// The place of a frame that belongs to no bridge.
const NOWHERE: (Fid, MemberId) = (Fid(0), MemberId(0));

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

/// What one interface may still send.
#[derive(Clone, Copy, Debug)]
struct Budgets {
    sessions: Budget,
    answers: Budget,
    questions: Budget,
    messages: Budget,
    neighbors: Budget,
}

/// One worker's end of the ring.
#[derive(Debug)]
pub(super) struct Protocol {
    ring: Producer<ProtocolFrame>,
    by_interface: Box<[Budgets]>,
    too_big: Budget,
}

impl Protocol {
    /// For interfaces with numbers below `interfaces`.
    pub(super) fn new(
        ring: Producer<ProtocolFrame>,
        interfaces: usize,
        ticks_per_second: u64,
    ) -> Self {
        let budget = |per_second| Budget::new(per_second, ticks_per_second);
        let budgets = Budgets {
            sessions: budget(SESSIONS_PER_SECOND),
            answers: budget(ANSWERS_PER_SECOND),
            questions: budget(QUESTIONS_PER_SECOND),
            messages: budget(MESSAGES_PER_SECOND),
            neighbors: budget(NEIGHBORS_PER_SECOND),
        };
        let by_interface = vec![budgets; interfaces].into();
        Self { ring, by_interface, too_big: budget(TOO_BIG_PER_SECOND) }
    }

    /// Passes on a packet of an underlay protocol ([`ProtocolEvent::Consumed`],
    /// [`ProtocolEvent::Copied`]) that came by `link` of `interface`, without the `pop` octets of the
    /// tag that selected the link. False if the interface sends too many or the ring is full.
    #[inline(never)]
    pub(super) fn packet(
        &mut self,
        event: ProtocolEvent,
        link: UnderlayId,
        (frame, pop): (&[u8], usize),
        (interface, now): (InterfaceId, u64),
    ) -> bool {
        let Some(budgets) = self.by_interface.get_mut(interface.index()) else { return false };
        let (ProtocolEvent::Consumed(reason) | ProtocolEvent::Copied(reason)) = event else {
            return false;
        };
        let (budget, reserve) = match reason {
            PuntReason::Bfd => (&mut budgets.sessions, 0),
            PuntReason::UnderlayNeighbor if is_answer(frame, pop) => {
                (&mut budgets.answers, SESSION_RESERVE)
            }
            PuntReason::UnderlayNeighbor => (&mut budgets.questions, RESERVE),
            _ => (&mut budgets.messages, RESERVE),
        };
        self.ring.slots() > reserve
            && budget.take(now)
            && self.push(event, (link, NOWHERE), frame, pop)
    }

    /// Passes on a copy of a frame that came by `place` of `interface`, to learn a neighbour from,
    /// without the `pop` octets of tags that its class is keyed by. Nothing is lost if nobody gets it:
    /// there will be others.
    #[inline(never)]
    pub(super) fn neighbor(
        &mut self,
        place: (Fid, MemberId),
        (frame, pop): (&[u8], usize),
        (interface, now): (InterfaceId, u64),
    ) {
        let Some(budgets) = self.by_interface.get_mut(interface.index()) else { return };
        if self.ring.slots() > RESERVE && budgets.neighbors.take(now) {
            self.push(ProtocolEvent::Neighbor, (UnderlayId(0), place), frame, pop);
        }
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
        if !is_group
            && place.1 != MemberId(0)
            && self.ring.slots() > RESERVE
            && self.too_big.take(now)
        {
            self.push(ProtocolEvent::TooBig { mtu }, (UnderlayId(0), place), frame, pop);
        }
    }

    /// Without the `pop` octets behind the addresses. True if there was room.
    fn push(
        &mut self,
        event: ProtocolEvent,
        (link, place): (UnderlayId, (Fid, MemberId)),
        frame: &[u8],
        pop: usize,
    ) -> bool {
        let (addresses, rest) = frame.split_at(frame.len().min(ADDRESSES_LEN));
        let rest = rest.get(pop..).unwrap_or_default();
        let mut bytes = ArrayVec::new();
        for part in [addresses, rest] {
            let part = part.get(..bytes.remaining_capacity()).unwrap_or(part);
            // It fits: cut above.
            let _ = bytes.try_extend_from_slice(part);
        }
        let octets = u32::try_from(addresses.len() + rest.len()).unwrap_or(u32::MAX);
        self.ring.push(ProtocolFrame { event, link, place, octets, bytes }).is_ok()
    }
}

/// Whether this frame of ARP or neighbour discovery is a reply or an advertisement for us alone. It
/// has `pop` octets of a tag. Broadcast replies and advertisements to a group are announcements, of
/// which there may be as many as stations.
fn is_answer(frame: &[u8], pop: usize) -> bool {
    let u16_at = |at: usize| frame.get(at..at + 2).map(|two| u16::from_be_bytes([two[0], two[1]]));
    let is_group = frame.first().is_none_or(|octet| octet & 1 != 0);
    let packet = HEADER_LEN + pop;
    !is_group
        && match u16_at(ADDRESSES_LEN + pop) {
            // RFC 826: ar$op follows six octets.
            Some(ETHER_TYPE_ARP) => u16_at(packet + 6) == Some(Arp::REPLY),
            Some(ETHER_TYPE_IPV6) => {
                frame.get(packet + IPV6_HEADER_LEN) == Some(&NEIGHBOR_ADVERTISEMENT)
            }
            _ => false,
        }
}
