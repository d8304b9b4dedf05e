//! Ingress policers (section 2 rule 6): token buckets in exact arithmetic.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::compile::{StormLimits, StormRate};
use crate::reason::DropReason;
use crate::topology::StormControl;
use crate::types::{MacAddr, Name, VlanId};

/// What kind of flooded traffic a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Broadcast,
    Multicast,
    UnknownUnicast,
}

impl Kind {
    /// The kind of a frame to a group address.
    pub(super) fn of_group(destination: MacAddr) -> Option<Self> {
        if destination.is_broadcast() {
            Some(Self::Broadcast)
        } else {
            destination.is_group().then_some(Self::Multicast)
        }
    }

    fn limit(self, limits: &StormLimits) -> Option<StormRate> {
        match self {
            Self::Broadcast => limits.broadcast,
            Self::Multicast => limits.multicast,
            Self::UnknownUnicast => limits.unknown_unicast,
        }
    }

    fn reason(self) -> DropReason {
        match self {
            Self::Broadcast => DropReason::StormBroadcast,
            Self::Multicast => DropReason::StormMulticast,
            Self::UnknownUnicast => DropReason::StormUnknown,
        }
    }
}

/// A bucket, in billionths of a frame: at `r` frames per second it gains `r` of them per nanosecond.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    rate: StormRate,
    level: u128,
    filled: Duration,
}

const FRAME: u128 = 1_000_000_000;

impl Bucket {
    fn full(rate: StormRate, now: Duration) -> Self {
        Self { rate, level: u128::from(rate.burst) * FRAME, filled: now }
    }

    fn refill(&mut self, now: Duration) {
        let StormRate { frames_per_second, burst } = self.rate;
        let gained = now.saturating_sub(self.filled).as_nanos() * u128::from(frames_per_second);
        self.level = (self.level + gained).min(u128::from(burst) * FRAME);
        self.filled = now;
    }
}

/// The buckets of all ports. A bucket is full when it is first used.
#[derive(Clone, Debug, Default)]
pub(super) struct Storms(BTreeMap<(Name, Option<VlanId>, Kind), Bucket>);

impl Storms {
    /// Takes a token for a frame from the buckets of its port and of its VLAN there. Both must have
    /// one; a frame that is refused spends none.
    pub(super) fn admit(
        &mut self,
        now: Duration,
        (port, vid): (&Name, Option<VlanId>),
        control: &StormControl,
        kind: Kind,
    ) -> Result<(), DropReason> {
        let mut buckets = Vec::new();
        if let Some(rate) = kind.limit(&control.port) {
            buckets.push(((port.clone(), None, kind), rate));
        }
        if let (Some(vid), Some(rate)) = (vid, kind.limit(&control.per_vlan)) {
            buckets.push(((port.clone(), Some(vid), kind), rate));
        }
        for (key, rate) in &buckets {
            let bucket = self.0.entry(key.clone()).or_insert_with(|| Bucket::full(*rate, now));
            bucket.refill(now);
            if bucket.level < FRAME {
                return Err(kind.reason());
            }
        }
        for (key, _) in &buckets {
            if let Some(bucket) = self.0.get_mut(key) {
                bucket.level -= FRAME;
            }
        }
        Ok(())
    }

    /// Goes on with other limits: a bucket keeps its level if its port and its rate stay, else it
    /// starts full.
    pub(super) fn retain(&mut self, control: impl Fn(&Name) -> Option<StormControl>) {
        self.0.retain(|(port, vid, kind), bucket| {
            let limits = control(port).map(|c| if vid.is_some() { c.per_vlan } else { c.port });
            limits.and_then(|limits| kind.limit(&limits)) == Some(bucket.rate)
        });
    }
}
