//! Who sent it and where it goes.

use bridge_model::reason::DropReason;
use bridge_model::types::MemberId;
use rtrb::Producer;

use super::admit::Parsed;
use super::recent::Recent;
use crate::counters::CounterWriter;
use crate::image::{Image, InterfaceImage};
use crate::mac::{Hashed, Hit, Kernel, LearnEvent};

/// What a destination means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// One member, by its index in the image.
    Member(usize),
    /// Nobody knows: to all.
    Unknown,
    /// Nowhere.
    Drop(DropReason),
}

/// Looks up an individual destination.
#[inline(always)]
#[expect(clippy::inline_always, reason = "compiled for each instruction set with the burst")]
pub(crate) fn destination<K: Kernel>(
    kernel: K,
    image: &Image,
    parsed: &Parsed,
    key: Hashed,
) -> Destination {
    // A station that talks to itself is where it sends from, learned or not.
    if parsed.dst == parsed.src {
        return Destination::Drop(DropReason::Hairpin);
    }
    let Some(hit) = image.mac.find(kernel, key) else { return Destination::Unknown };
    let index = parsed.class.members.index(hit.member());
    let Some(member) = image.members.get(index).filter(|to| image.member_is_usable(to)) else {
        return Destination::Unknown;
    };
    if hit.member() == parsed.class.word.member() {
        return Destination::Drop(DropReason::Hairpin);
    }
    if parsed.class.group != 0 && member.group == parsed.class.group {
        return Destination::Drop(DropReason::SplitHorizon);
    }
    Destination::Member(index)
}

/// What a source means to the station's entry. Pure, so that a trace can ask as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The entry says the same; its age may need a refresh.
    Same,
    /// There is no entry yet.
    New,
    /// The entry names another place, or one that is no more.
    Moved { from: MemberId },
    /// A limit keeps the station from being learned.
    Limited,
    /// The frame may not pass.
    Drop(DropReason),
}

/// Judges a source whose entry is not the plain case.
pub(crate) fn judge(
    image: &Image,
    interface: &InterfaceImage,
    parsed: &Parsed,
    hit: Option<&Hit<'_>>,
) -> Source {
    let (fid, member) = (parsed.class.word.fid(), parsed.class.word.member());
    let fid_image = image.fid(fid);
    // An entry whose member is retired, or a peer that is down, is void: as good as none.
    let valid = hit.filter(|hit| {
        let place = image.member(fid_image.members, hit.member());
        place.is_some_and(|place| image.member_is_usable(place))
    });
    if let Some(hit) = valid {
        if hit.member() == member {
            return Source::Same;
        }
        if hit.is_static() {
            return Source::Drop(DropReason::StaticMacViolation);
        }
    }
    let (slot, port_drops) = match parsed.shape.port() {
        // A peer has no limit of its own.
        Some(slot) => (slot, false),
        None => interface.port(parsed.shape.tagged()),
    };
    // A move within the domain does not add to it.
    let fid_full = valid.is_none() && image.live.fid_is_full(fid);
    let port_full = image.live.port_is_full(slot);
    if fid_full && fid_image.drops_over_limit || port_full && port_drops {
        return Source::Drop(DropReason::MacLimit);
    }
    if fid_full || port_full || valid.is_none() && image.live.port_is_unfair(slot) {
        return Source::Limited;
    }
    hit.map_or(Source::New, |hit| Source::Moved { from: hit.member() })
}

/// The way to the learner.
#[derive(Debug)]
pub(super) struct Reporter {
    ring: Producer<LearnEvent>,
    recent: Recent,
}

impl Reporter {
    pub(super) fn new(ring: Producer<LearnEvent>) -> Self {
        Self { ring, recent: Recent::new() }
    }

    /// The source of a frame whose entry is missing or names another place. A move takes effect at
    /// once; a new station when the learner has had its turn. If the ring is full nothing changes:
    /// the loss is counted and the station's next frame tries again.
    #[inline(never)]
    pub(super) fn source(
        &mut self,
        image: &Image,
        interface: &InterfaceImage,
        parsed: &Parsed,
        hit: Option<Hit<'_>>,
        counters: &mut CounterWriter,
    ) -> Option<DropReason> {
        let source = judge(image, interface, parsed, hit.as_ref());
        let (fid, member) = (parsed.class.word.fid(), parsed.class.word.member());
        let mac = parsed.src;
        match (source, hit) {
            (Source::Drop(reason), _) => Some(reason),
            (Source::Moved { from }, Some(hit)) => {
                if self.ring.is_full() {
                    counters.lost().learn_events += 1;
                } else if hit.move_to(member, image.ages.epoch(fid, image.mac.hash(fid, mac))) {
                    let _ = self.ring.push(LearnEvent { mac, fid, member, moved_from: Some(from) });
                }
                None
            }
            (Source::New, _) => {
                let turn = image.live.turn();
                if !self.recent.contains(fid, mac, member, turn) {
                    let event = LearnEvent { mac, fid, member, moved_from: None };
                    match self.ring.push(event) {
                        Ok(()) => self.recent.insert(fid, mac, member, turn),
                        Err(_) => counters.lost().learn_events += 1,
                    }
                }
                None
            }
            (Source::Same | Source::Limited | Source::Moved { .. }, _) => None,
        }
    }
}
