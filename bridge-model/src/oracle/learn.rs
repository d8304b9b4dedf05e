//! Section 4, learning: both tables of the walk take down where a station is.

use super::Oracle;
use super::classify::Arrival;
use crate::compile::{Domain, OverLimit, Place};
use crate::reason::DropReason;
use crate::topology::{LinkKey, StaticKey};
use crate::types::{IndividualMac, Name, VlanId};

impl Oracle {
    /// Learns the source of a frame, or says why the frame must not go on.
    pub(super) fn learn(
        &mut self,
        arrival: &Arrival,
        source: IndividualMac,
    ) -> Result<(), DropReason> {
        if let Domain::Bridge(bridge) | Domain::Transparent(bridge) = &arrival.domain
            && let Some(place) = self.static_place(bridge, arrival.payload_vid, source)
        {
            let at_home = place == arrival.place;
            return if at_home { Ok(()) } else { Err(DropReason::StaticMacViolation) };
        }
        let known = self.known_place(arrival, source);
        if known.as_ref() != Some(&arrival.place)
            && let Some(policy) = self.over_limit(arrival, known.is_none())
        {
            // Forwarded or dropped by policy, but never learned: an old entry stays what it is.
            return match policy {
                OverLimit::Forward => Ok(()),
                OverLimit::Drop => Err(DropReason::MacLimit),
            };
        }
        self.note(arrival, source);
        Ok(())
    }

    /// Where the tables of the arrival's domain believe a station to be.
    fn known_place(&self, arrival: &Arrival, station: IndividualMac) -> Option<Place> {
        let table = match &arrival.domain {
            Domain::Bridge(bridge) | Domain::Transparent(bridge) => {
                self.bridges.get(&(bridge.clone(), arrival.payload_vid))
            }
            Domain::Transit(..) => self.gateways.get(&self.site.link_key(&arrival.place)?),
        };
        table?.get(station).cloned()
    }

    /// Writes a station into the bridge's table and into the table of every VLAN that is linked to
    /// the bridge, as the flood of its frame would.
    fn note(&mut self, arrival: &Arrival, station: IndividualMac) {
        let (now, place) = (self.now, &arrival.place);
        match &arrival.domain {
            Domain::Bridge(bridge) | Domain::Transparent(bridge) => {
                let table = self.bridges.entry((bridge.clone(), arrival.payload_vid)).or_default();
                table.learn(now, station, place);
                let links: Vec<LinkKey> =
                    self.site.links_to(bridge).map(|link| link.key.clone()).collect();
                for key in links {
                    self.gateways.entry(key).or_default().learn(now, station, place);
                }
            }
            Domain::Transit(..) => {
                if let Some(key) = self.site.link_key(place) {
                    self.gateways.entry(key).or_default().learn(now, station, place);
                }
            }
        }
    }

    /// The policy of a MAC limit that a further entry would break: of the port, and for a station that
    /// the bridge does not know yet, of the bridge. Of two, the stricter.
    fn over_limit(&self, arrival: &Arrival, is_new: bool) -> Option<OverLimit> {
        let topology = &self.site.topology;
        let (port, _) = arrival.port_and_vid();
        let port_limit = match &arrival.place {
            Place::Access(name) => topology.access_ports.get(name).and_then(|p| p.mac_limit),
            Place::Trunk { trunk, .. } => topology.trunks.get(trunk).and_then(|t| t.mac_limit),
            Place::Peer(_) => None,
        };
        let bridge = match &arrival.domain {
            Domain::Bridge(bridge) | Domain::Transparent(bridge) => Some(bridge),
            Domain::Transit(..) => None,
        };
        let bridge_limit = bridge
            .filter(|_| is_new)
            .and_then(|bridge| self.site.bridge(bridge))
            .and_then(|bridge| bridge.mac_limit);
        let in_bridge = bridge
            .and_then(|bridge| self.bridges.get(&(bridge.clone(), arrival.payload_vid)))
            .map_or(0, super::fdb::Fdb::len);
        let checks = [(port_limit, self.learned_on(port)), (bridge_limit, in_bridge)];
        checks
            .into_iter()
            .filter_map(|(limit, count)| limit.map(|limit| (limit, count)))
            .filter(|(limit, count)| {
                usize::try_from(limit.entries).is_ok_and(|most| *count >= most)
            })
            .map(|(limit, _)| limit.over)
            .max_by_key(|over| *over == OverLimit::Drop)
    }

    /// How many stations were learned behind a port.
    fn learned_on(&self, port: &Name) -> usize {
        self.domain_tables().map(|(_, table)| table.count_port(port)).sum()
    }

    /// Where a static entry that is in force puts a station.
    pub(super) fn static_place(
        &self,
        bridge: &Name,
        payload_vid: Option<VlanId>,
        station: IndividualMac,
    ) -> Option<Place> {
        let key = StaticKey { bridge: bridge.clone(), mac: station, payload_vid };
        let entry = self.site.topology.static_macs.get(&key)?;
        let place = self.site.static_place(entry)?;
        self.site.places(&self.site.domain_of(bridge)).contains(&place).then_some(place)
    }
}
