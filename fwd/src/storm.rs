//! Storm control: token buckets in frames, one set for a port and one for each of its VIDs.
//!
//! The limits are part of the image; the buckets belong to one worker each, so they are neither
//! shared nor atomic. A port whose frames several workers receive therefore has its limit once per
//! worker.
//!
//! A bucket holds `frames x ticks_per_second` credits, gains `frames_per_second` of them per tick
//! and pays `ticks_per_second` for a frame: exact in integers at any clock rate.

use bridge_model::compile::{StormLimits, StormRate};

use crate::counters::PortSlot;

/// What kind of flooded traffic a bucket limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum StormKind {
    Broadcast = 0,
    Multicast = 1,
    UnknownUnicast = 2,
}

const KINDS: usize = 3;

/// A rate in bucket units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Rate {
    /// Credits per tick; 0 is no limit.
    gain: u64,
    /// Credits of a full bucket.
    depth: u64,
    /// Credits that a frame takes.
    cost: u64,
}

impl Rate {
    fn new(rate: Option<StormRate>, ticks_per_second: u64) -> Self {
        rate.map_or_else(Self::default, |rate| Self {
            gain: u64::from(rate.frames_per_second.max(1)),
            depth: u64::from(rate.burst.max(1)).saturating_mul(ticks_per_second.max(1)),
            cost: ticks_per_second.max(1),
        })
    }

    const fn is_limit(self) -> bool {
        self.gain != 0
    }
}

/// The limits of one port.
#[derive(Clone, Debug, Default)]
pub(crate) struct StormImage {
    port: PortSlot,
    whole: [Rate; KINDS],
    per_vid: [Rate; KINDS],
}

impl StormImage {
    pub(crate) fn new(
        port: PortSlot,
        whole: &StormLimits,
        per_vid: &StormLimits,
        ticks_per_second: u64,
    ) -> Self {
        let rates = |limits: &StormLimits| {
            [limits.broadcast, limits.multicast, limits.unknown_unicast]
                .map(|rate| Rate::new(rate, ticks_per_second))
        };
        Self { port, whole: rates(whole), per_vid: rates(per_vid) }
    }

    pub(crate) fn is_unlimited(&self) -> bool {
        !self.whole.iter().chain(&self.per_vid).any(|rate| rate.is_limit())
    }

    fn has_per_vid(&self) -> bool {
        self.per_vid.iter().any(|rate| rate.is_limit())
    }
}

/// Credits and when they were last topped up.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    credits: u64,
    since: u64,
    /// A bucket is full before its first frame.
    used: bool,
}

impl Bucket {
    fn top_up(&mut self, rate: Rate, now: u64) {
        if self.used {
            let gained = now.saturating_sub(self.since).saturating_mul(rate.gain);
            self.credits = self.credits.saturating_add(gained).min(rate.depth);
        } else {
            self.used = true;
            self.credits = rate.depth;
        }
        self.since = now;
    }
}

/// The buckets of one port, and the rates that they were filled at.
#[derive(Debug, Default)]
struct PortBuckets {
    rates: [[Rate; KINDS]; 2],
    whole: [Bucket; KINDS],
    /// 4096, or none if the port has no limit per VID.
    per_vid: Box<[[Bucket; KINDS]]>,
}

impl PortBuckets {
    fn adopt(&mut self, old: &mut Self) {
        let [whole, per_vid] = [0, 1].map(|scope: usize| {
            std::array::from_fn::<_, KINDS, _>(|kind| {
                self.rates[scope][kind] == old.rates[scope][kind]
            })
        });
        for (kind, _) in whole.iter().enumerate().filter(|(_, same)| **same) {
            self.whole[kind] = old.whole[kind];
        }
        if self.per_vid.is_empty() || old.per_vid.is_empty() {
            return;
        }
        std::mem::swap(&mut self.per_vid, &mut old.per_vid);
        for (kind, _) in per_vid.iter().enumerate().filter(|(_, same)| !**same) {
            self.per_vid.iter_mut().for_each(|buckets| buckets[kind] = Bucket::default());
        }
    }
}

/// The buckets of all ports of an image that have limits; index as in the image's storms.
#[derive(Debug, Default)]
pub(crate) struct StormBuckets {
    ports: Box<[PortBuckets]>,
    /// Ports ascending, each with its index.
    order: Box<[(PortSlot, u16)]>,
}

impl StormBuckets {
    /// Full buckets for these limits. Allocates: for the control side.
    pub(crate) fn new(storms: &[StormImage]) -> Self {
        let port = |storm: &StormImage| PortBuckets {
            rates: [storm.whole, storm.per_vid],
            whole: Default::default(),
            per_vid: if storm.has_per_vid() { vec![Default::default(); 4096] } else { Vec::new() }
                .into(),
        };
        let mut order: Vec<_> = storms.iter().map(|storm| storm.port).zip(0..).collect();
        order.sort_unstable();
        Self { ports: storms.iter().map(port).collect(), order: order.into() }
    }

    /// Continues with the buckets of `old` for every port and rate that both have, so that a change
    /// of something else does not fill them; a bucket whose rate changed starts full. No allocation;
    /// one pass over the ports, and over the VIDs of a port whose rate per VID changed.
    pub(crate) fn adopt(&mut self, old: &mut Self) {
        let mut before = old.order.iter().peekable();
        for (port, index) in &self.order {
            while before.next_if(|(other, _)| other < port).is_some() {}
            let Some((_, other)) = before.next_if(|(other, _)| other == port) else { continue };
            let pair =
                (self.ports.get_mut(usize::from(*index)), old.ports.get_mut(usize::from(*other)));
            if let (Some(new), Some(old)) = pair {
                new.adopt(old);
            }
        }
    }

    /// Spends a token of the port and one of the VID, if both have one; else none.
    pub(crate) fn admit(
        &mut self,
        storms: &[StormImage],
        index: u16,
        kind: StormKind,
        vid: u16,
        now: u64,
    ) -> bool {
        let index = usize::from(index);
        let (Some(storm), Some(buckets)) = (storms.get(index), self.ports.get_mut(index)) else {
            return true;
        };
        let kind = kind as usize;
        let (whole, per_vid) = (storm.whole[kind], storm.per_vid[kind]);
        let port = &mut buckets.whole[kind];
        if whole.is_limit() {
            port.top_up(whole, now);
            if port.credits < whole.cost {
                return false;
            }
        }
        if let Some(buckets) = buckets.per_vid.get_mut(usize::from(vid))
            && per_vid.is_limit()
            && vid != 0
        {
            let bucket = &mut buckets[kind];
            bucket.top_up(per_vid, now);
            if bucket.credits < per_vid.cost {
                return false;
            }
            bucket.credits -= per_vid.cost;
        }
        if whole.is_limit() {
            port.credits -= whole.cost;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HZ: u64 = 1_000;

    fn limit(frames_per_second: u32, burst: u32) -> StormLimits {
        let broadcast = Some(StormRate { frames_per_second, burst });
        StormLimits { broadcast, ..StormLimits::default() }
    }

    fn admitted(image: &[StormImage], state: &mut StormBuckets, vid: u16, now: u64) -> usize {
        (0..100).filter(|_| state.admit(image, 0, StormKind::Broadcast, vid, now)).count()
    }

    #[test]
    fn a_burst_passes_then_the_rate_and_a_pause_refills_no_more_than_the_burst() {
        let image = [StormImage::new(PortSlot(1), &limit(10, 5), &StormLimits::default(), HZ)];
        let mut state = StormBuckets::new(&image);
        assert_eq!(admitted(&image, &mut state, 0, 0), 5);
        assert_eq!(admitted(&image, &mut state, 0, 99), 0);
        assert_eq!(admitted(&image, &mut state, 0, 100), 1);
        assert_eq!(admitted(&image, &mut state, 0, 400), 3);
        assert_eq!(admitted(&image, &mut state, 0, u64::MAX), 5);
    }

    #[test]
    fn other_kinds_are_not_limited() {
        let image = [StormImage::new(PortSlot(1), &limit(1, 1), &StormLimits::default(), HZ)];
        let mut state = StormBuckets::new(&image);
        assert!((0..50).all(|_| state.admit(&image, 0, StormKind::Multicast, 0, 0)));
        assert!((0..50).all(|_| state.admit(&image, 0, StormKind::UnknownUnicast, 0, 0)));
    }

    #[test]
    fn a_refused_frame_spends_neither_the_ports_token_nor_the_vids() {
        let image = [StormImage::new(PortSlot(1), &limit(1, 10), &limit(1, 3), HZ)];
        let mut state = StormBuckets::new(&image);
        assert_eq!(admitted(&image, &mut state, 7, 0), 3);
        assert_eq!(admitted(&image, &mut state, 8, 0), 3);
        assert_eq!(admitted(&image, &mut state, 9, 0), 3);
        // One port token is left: the refusals above took none.
        assert_eq!(admitted(&image, &mut state, 10, 0), 1);
        // VID 11 has not paid for what the port refused.
        assert_eq!(admitted(&image, &mut state, 11, 0), 0);
        assert_eq!(admitted(&image, &mut state, 11, 10_000), 3);
    }

    #[test]
    fn a_new_image_continues_with_the_old_buckets_of_the_same_port() {
        let none = StormLimits::default();
        let port = |slot, burst| StormImage::new(PortSlot(slot), &limit(1, burst), &none, HZ);
        let before = [port(9, 5), port(2, 5)];
        let mut old = StormBuckets::new(&before);
        for _ in 0..3 {
            assert!(old.admit(&before, 1, StormKind::Broadcast, 0, 0));
        }
        let after = [port(2, 5), port(3, 5), port(9, 5)];
        let mut new = StormBuckets::new(&after);
        new.adopt(&mut old);
        let left = |state: &mut StormBuckets, index| {
            (0..100).filter(|_| state.admit(&after, index, StormKind::Broadcast, 0, 0)).count()
        };
        assert_eq!(left(&mut new, 0), 2);
        assert_eq!(left(&mut new, 1), 5);
        assert_eq!(left(&mut new, 2), 5);
    }

    #[test]
    fn a_bucket_whose_rate_changed_starts_full_and_the_others_go_on() {
        let port = |per_vid| [StormImage::new(PortSlot(1), &limit(1, 20), &per_vid, HZ)];
        let before = port(limit(1, 3));
        let mut old = StormBuckets::new(&before);
        assert_eq!(admitted(&before, &mut old, 7, 0), 3);
        let after = port(limit(1, 4));
        let mut new = StormBuckets::new(&after);
        new.adopt(&mut old);
        assert_eq!(admitted(&after, &mut new, 7, 0), 4, "the VID's bucket is new");
        assert_eq!(admitted(&after, &mut new, 8, 0) + admitted(&after, &mut new, 9, 0), 8);
        let port_left: usize = (10..20).map(|vid| admitted(&after, &mut new, vid, 0)).sum();
        assert_eq!(port_left, 20 - 3 - 4 - 8, "the port's goes on");
    }
}
