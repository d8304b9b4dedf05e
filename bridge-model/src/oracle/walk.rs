//! Section 4: the walk of a frame through the gateway bridge and the bridge, each with a table of its
//! own.
//!
//! ```text
//! trunk --> gateway bridge, table of its VID --link--> bridge, its table --> access ports, peers
//!                     |                                   |
//!                     +--> other trunks (transit)         +--> further links --> trunks
//! ```

use super::Oracle;
use super::classify::Arrival;
use super::outcome::{Copy, Exit, Leaving, Notice, Outcome, Refused};
use super::rewrite::Transit;
use super::site::Site;
use super::storm::Kind;
use crate::compile::{Domain, Place};
use crate::reason::DropReason;
use crate::topology::{GatewayBridge, LinkKey};
use crate::types::{IndividualMac, InterfaceId, MacAddr, Tpid, VlanTag};

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
            Some(place) => Ok(self.out(arrival, transit, &[place])),
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
        if let Some(answer) = self.answer(arrival, transit) {
            return Ok(answer);
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
        let outcome = self.out(arrival, transit, &others);
        // Where the station is nobody knows, so neither does anybody whether the packet reached it.
        self.notices.retain(|notice| !matches!(notice, Notice::TooBig { .. }));
        Ok(outcome)
    }

    /// Sends one copy to each place.
    fn out(&mut self, arrival: &Arrival, transit: &Transit<'_>, places: &[Place]) -> Outcome {
        let bridge = match &arrival.domain {
            Domain::Bridge(name) | Domain::Transparent(name) => self.site.bridge(name),
            Domain::Transit(..) => None,
        };
        let mut leaving = Leaving::default();
        for place in places {
            let tried = match self.site.peer_at(place).zip(bridge) {
                Some((peer, bridge)) => Some(self.site.encapsulate(bridge, &peer, transit)),
                None => self.site.to_place(transit, place),
            };
            if let Some(tried) = tried {
                leaving.push(tried);
            }
        }
        let (outcome, notices) = leaving.finish();
        self.notices = notices;
        outcome
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

    /// Split horizon: a frame from a tunnel never leaves by another (F6), and two trunks of one VLAN
    /// link are on one segment, unless data transits between them (F7).
    fn returns_to_segment(&self, from: &Place, to: &Place) -> bool {
        if matches!((from, to), (Place::Peer(_), Place::Peer(_))) {
            return from != to;
        }
        let Some(key) = self.link_key(from) else { return false };
        let gateway = self.topology.gateway_bridges.get(&key.gateway_bridge);
        let transits = gateway.is_some_and(GatewayBridge::transits);
        !transits && from != to && self.link_key(to) == Some(key)
    }

    /// One copy to a port of this host; `None` if it is not there.
    pub(super) fn to_place(
        &self,
        transit: &Transit<'_>,
        place: &Place,
    ) -> Option<Result<Copy, Refused>> {
        let (interface, push) = match place {
            Place::Access(port) => {
                let port = self.topology.access_ports.get(port);
                (self.live(port.and_then(|port| port.binding.as_ref())), Vec::new())
            }
            Place::Peer(_) => return None,
            Place::Trunk { trunk, vid, inner_vid } => {
                let trunk = self.topology.trunks.get(trunk)?;
                let priority = transit.priority();
                let mut push = vec![VlanTag::new(trunk.tpid, *vid, priority)];
                push.extend(inner_vid.map(|vid| VlanTag::new(Tpid::CTag, vid, priority)));
                (self.live(trunk.binding()), push)
            }
        };
        Some(self.send(transit, interface?, &push))
    }

    /// One copy out of one interface. If it is too long for it and for one station, its sender may be
    /// told.
    pub(super) fn send(
        &self,
        transit: &Transit<'_>,
        interface: InterfaceId,
        push: &[VlanTag],
    ) -> Result<Copy, Refused> {
        let mtu = self.view.interface(interface).map_or(0, |view| view.mtu);
        let is_unicast = !transit.header.destination.is_group();
        let exit = Exit::Interface(interface);
        let copy = transit.leave(push, mtu).map(|bytes| Copy { interface, bytes });
        copy.map_err(|reason| Refused { exit, reason, told: is_unicast.then_some(mtu) })
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
    pub(super) fn look_up_bridge(
        &self,
        arrival: &Arrival,
        station: IndividualMac,
    ) -> Option<Place> {
        let (Domain::Bridge(bridge) | Domain::Transparent(bridge)) = &arrival.domain else {
            return None;
        };
        self.static_place(bridge, arrival.payload_vid, station).or_else(|| {
            self.bridges.get(&(bridge.clone(), arrival.payload_vid))?.get(station).cloned()
        })
    }
}
