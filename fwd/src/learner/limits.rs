//! MAC limits of ports and learning domains, and who has to pause when the table fills up.

use std::collections::BTreeMap;
use std::time::Duration;

use bridge_model::types::{Fid, PortId};

use crate::counters::PortSlot;
use crate::image::Image;
use crate::live::Live;
use crate::mac::{LearnEvent, MacWriter};

/// How long a port that has the most entries of a full table is not asked for more.
const PAUSE: Duration = Duration::from_secs(1);

/// Learned stations of a domain whose places are in use: what a flush made void does not count,
/// though it is still to be swept away.
pub(super) fn learned_in_fid(writer: &MacWriter, image: &Image, fid: Fid) -> u64 {
    image.members(fid).map(|(member, _)| writer.learned_by_member(fid, member)).sum()
}

/// The limits of the image in force.
#[derive(Debug, Default)]
pub(super) struct Limits {
    fids: BTreeMap<Fid, u64>,
    ports: BTreeMap<PortSlot, u64>,
    paused: BTreeMap<PortSlot, Duration>,
}

impl Limits {
    pub(super) fn install(&mut self, image: &Image, live: &Live) {
        let fids: BTreeMap<Fid, u64> = image
            .fids()
            .filter_map(|fid| Some((fid, u64::from(image.fid_limit(fid)?.entries))))
            .collect();
        let ports: BTreeMap<PortSlot, u64> = image
            .port_limits()
            .iter()
            .map(|(slot, limit)| (*slot, u64::from(limit.entries)))
            .collect();
        for fid in self.fids.keys().filter(|fid| !fids.contains_key(fid)) {
            live.set_fid(*fid, false);
        }
        for slot in self.ports.keys().filter(|slot| !ports.contains_key(slot)) {
            live.set_port(*slot, false, self.paused.contains_key(slot));
        }
        (self.fids, self.ports) = (fids, ports);
    }

    /// Whether one more station may be learned. Workers look at flags that are as old as the last
    /// turn; this is exact.
    pub(super) fn admit(
        &self,
        writer: &MacWriter,
        image: &Image,
        event: &LearnEvent,
        slot: PortSlot,
    ) -> bool {
        let known = || writer.get(event.fid, event.mac).is_some();
        let fid_full = self
            .fids
            .get(&event.fid)
            .is_some_and(|limit| learned_in_fid(writer, image, event.fid) >= *limit);
        let port_full = self
            .ports
            .get(&slot)
            .is_some_and(|limit| writer.learned_by_port(PortId(slot.0)) >= *limit);
        // A known station does not add to its domain, though it may to another port.
        !(port_full || fid_full && !known())
    }

    /// Lets workers stop reporting what would be refused.
    pub(super) fn pause(&mut self, slot: PortSlot, now: Duration, live: &Live) {
        self.paused.insert(slot, now + PAUSE);
        live.set_port(slot, live.port_is_full(slot), true);
    }

    /// Brings the workers' flags up to date.
    pub(super) fn update(&mut self, writer: &MacWriter, image: &Image, live: &Live) {
        for (fid, limit) in &self.fids {
            live.set_fid(*fid, learned_in_fid(writer, image, *fid) >= *limit);
        }
        for (slot, limit) in &self.ports {
            let full = writer.learned_by_port(PortId(slot.0)) >= *limit;
            live.set_port(*slot, full, self.paused.contains_key(slot));
        }
    }

    /// Ends pauses.
    pub(super) fn resume(&mut self, now: Duration, live: &Live) {
        self.paused.retain(|slot, until| {
            let paused = now < *until;
            if !paused {
                live.set_port(*slot, live.port_is_full(*slot), false);
            }
            paused
        });
    }
}
