//! Section 4: the walk of a frame through the gateway bridge and the bridge, each with a table of its
//! own.
//!
//! ```text
//! trunk --> gateway bridge, table of its VID --link--> bridge, its table --> access ports
//!                     |                                   |
//!                     +--> other trunks (transit)         +--> further links --> trunks
//! ```

use super::Oracle;
use super::classify::Arrival;
use super::outcome::{Copy, Outcome};
use super::rewrite::Transit;
use super::site::Site;
use super::storm::Kind;
use crate::compile::{Domain, Place};
use crate::reason::DropReason;
use crate::topology::{GatewayBridge, LinkKey};
use crate::types::{IndividualMac, InterfaceId, MacAddr, Tpid, VlanTag};

/// The copies that leave and those that are dropped on the way out.
type Out<'a> = (&'a mut Vec<Copy>, &'a mut Vec<(InterfaceId, DropReason)>);

impl Oracle {
    /// Forwards a frame whose source has been learned.
    pub(super) fn forward(
        &mut self,
        arrival: &Arrival,
        transit: &Transit<'_>,
    ) -> Result<Outcome, DropReason> {
        let destination = transit.header.destination;
        // A station that writes to itself is behind the port it writes from, learned or not.
        if destination == transit.header.source {
            return Err(DropReason::Hairpin);
        }
        match self.look_up(arrival, destination) {
            Some(place) if place == arrival.place => Err(DropReason::Hairpin),
            Some(place) if self.site.returns_to_segment(&arrival.place, &place) => {
                Err(DropReason::SplitHorizon)
            }
            Some(place) => Ok(self.site.out(transit, &[place])),
            None => self.flood(arrival, transit),
        }
    }

    /// Where a station is, as the tables on the way know it: from a trunk, the gateway bridge's comes
    /// first, then the bridge's. A group address is nowhere in particular.
    fn look_up(&self, arrival: &Arrival, destination: MacAddr) -> Option<Place> {
        let station = IndividualMac::try_from(destination).ok()?;
        self.site
            .link_key(&arrival.place)
            .and_then(|key| self.look_up_gateway(&key, station))
            .or_else(|| self.look_up_bridge(arrival, station))
    }

    fn flood(&mut self, arrival: &Arrival, transit: &Transit<'_>) -> Result<Outcome, DropReason> {
        if Kind::of_group(transit.header.destination).is_none() {
            let at = arrival.port_and_vid();
            self.storms.admit(self.now, at, &arrival.storm, Kind::UnknownUnicast)?;
        }
        let mut others = self.site.places(&arrival.domain);
        others.retain(|place| *place != arrival.place);
        if others.is_empty() {
            return Err(DropReason::NoDestination);
        }
        others.retain(|place| !self.site.returns_to_segment(&arrival.place, place));
        if others.is_empty() {
            return Err(DropReason::SplitHorizon);
        }
        Ok(self.site.out(transit, &others))
    }
}

impl Site {
    /// The VLAN link that leads to a place behind a trunk.
    pub(super) fn link_key(&self, place: &Place) -> Option<LinkKey> {
        match place {
            Place::Access(_) | Place::Peer(_) => None,
            Place::Trunk { trunk, vid, inner_vid } => {
                let gateway_bridge = self.topology.trunks.get(trunk)?.gateway_bridge.clone();
                Some(LinkKey { gateway_bridge, vid: *vid, inner_vid: *inner_vid })
            }
        }
    }

    /// Split horizon: two trunks of one VLAN link are on one segment, unless data transits between
    /// them.
    fn returns_to_segment(&self, from: &Place, to: &Place) -> bool {
        let Some(key) = self.link_key(from) else { return false };
        let gateway = self.topology.gateway_bridges.get(&key.gateway_bridge);
        let transits = gateway.is_some_and(GatewayBridge::transits);
        !transits && from != to && self.link_key(to) == Some(key)
    }

    /// Sends one copy to each place.
    fn out(&self, transit: &Transit<'_>, places: &[Place]) -> Outcome {
        let mut copies = Vec::new();
        let mut refused = Vec::new();
        for place in places {
            let (interface, push) = match place {
                Place::Access(port) => {
                    let port = self.topology.access_ports.get(port);
                    (self.live(port.and_then(|port| port.binding.as_ref())), Vec::new())
                }
                Place::Peer(_) => continue,
                Place::Trunk { trunk, vid, inner_vid } => {
                    let Some(trunk) = self.topology.trunks.get(trunk) else { continue };
                    let priority = transit.priority();
                    let mut push = vec![VlanTag::new(trunk.tpid, *vid, priority)];
                    let inner = inner_vid.map(|vid| VlanTag::new(Tpid::CTag, vid, priority));
                    push.extend(inner);
                    (self.live(trunk.binding()), push)
                }
            };
            if let Some(interface) = interface {
                self.send(transit, interface, &push, (&mut copies, &mut refused));
            }
        }
        Outcome::from_copies(copies, refused)
    }

    /// One copy out of one interface.
    pub(super) fn send(
        &self,
        transit: &Transit<'_>,
        interface: InterfaceId,
        push: &[VlanTag],
        (copies, refused): Out<'_>,
    ) {
        let mtu = self.view.interface(interface).map_or(0, |view| view.mtu);
        match transit.leave(push, mtu) {
            Ok(bytes) => copies.push(Copy { interface, bytes }),
            Err(reason) => refused.push((interface, reason)),
        }
    }
}

impl Oracle {
    /// What the gateway bridge's table for a VID says.
    fn look_up_gateway(&self, key: &LinkKey, station: IndividualMac) -> Option<Place> {
        let link = self.site.topology.vlan_links.get(key);
        link.and_then(|link| self.static_place(&link.bridge, None, station))
            .or_else(|| self.gateways.get(key)?.get(station).cloned())
    }

    /// What the bridge's table says.
    fn look_up_bridge(&self, arrival: &Arrival, station: IndividualMac) -> Option<Place> {
        let (Domain::Bridge(bridge) | Domain::Transparent(bridge)) = &arrival.domain else {
            return None;
        };
        self.static_place(bridge, arrival.payload_vid, station).or_else(|| {
            self.bridges.get(&(bridge.clone(), arrival.payload_vid))?.get(station).cloned()
        })
    }
}
