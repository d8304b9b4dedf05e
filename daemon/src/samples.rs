//! One recent frame for each port and drop reason, to explain drops by example.

use std::collections::HashMap;
use std::time::Duration;

use bridge_model::reason::DropReason;
use fwd::DropSample;
use fwd::counters::PortSlot;

/// The newest sample of each kind, and when it was taken.
#[derive(Debug, Default)]
pub struct Samples {
    kept: HashMap<(PortSlot, DropReason), (Duration, DropSample)>,
}

impl Samples {
    /// Keeps `sample`, which was taken at `moment`, unless a newer one is there.
    ///
    /// The number of kinds is bounded by the number of port slots and reasons.
    pub fn keep(&mut self, moment: Duration, sample: DropSample) {
        let kind = (sample.port, sample.reason);
        match self.kept.get(&kind) {
            Some((newest, _)) if *newest > moment => {}
            _ => {
                self.kept.insert(kind, (moment, sample));
            }
        }
    }

    /// The sample of one kind.
    pub fn get(&self, port: PortSlot, reason: DropReason) -> Option<&(Duration, DropSample)> {
        self.kept.get(&(port, reason))
    }
}

#[cfg(test)]
mod tests {
    use bridge_model::types::InterfaceId;

    use super::*;

    fn sample(octets: u32) -> DropSample {
        DropSample {
            reason: DropReason::VlanUnknown,
            port: PortSlot::UNATTRIBUTED,
            interface: InterfaceId(0),
            octets,
            ticks: 0,
            head: arrayvec::ArrayVec::new(),
        }
    }

    #[test]
    fn the_newest_sample_of_a_kind_stays_whatever_the_order_of_arrival() {
        let at = Duration::from_secs;
        let mut samples = Samples::default();
        for (moment, octets) in [(1, 60), (3, 64), (2, 61)] {
            samples.keep(at(moment), sample(octets));
        }

        let (moment, kept) = samples.get(PortSlot::UNATTRIBUTED, DropReason::VlanUnknown).unwrap();
        assert_eq!((*moment, kept.octets), (at(3), 64));
    }
}
