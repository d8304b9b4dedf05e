//! The forwarding rules as a program to be read: slow, plain, and the judge of the data plane.
//!
//! It walks a frame through the objects of the topology as the rules tell it, with one MAC table per
//! bridge and one per gateway bridge and VID. It shares vocabulary with the compiled tables and no
//! code: where the two disagree, one of them has a fault.
//!
//! It covers one host. Protocols are not run here: a spanning tree frame is consumed or relayed, and
//! what it asks to be forgotten ([`crate::snoop`]) is up to the caller of [`Oracle::flush`]; which
//! neighbours of the underlay are resolved, which peers are down, and which stations have which
//! address, the caller says.
//!
//! ```text
//! frame -- mod: sections 2 to 5 in order
//!   |-- underlay: an IP packet of the fabric, for us, for a protocol, for the kernel (U0 to U9)
//!   |     `-- tunnel: out of a tunnel (U10, U11), and into one (F3)
//!   |-- reserved: addressed to a bridge (section 5)
//!   `-- classify, learn, walk: which bridge, who sent it, where to (sections 3 and 4)
//!         `-- suppress: a question that is answered here
//! site, overlay: who is where, on this host and on others
//! ```

mod classify;
mod fdb;
mod learn;
mod outcome;
mod overlay;
mod reserved;
mod rewrite;
mod site;
mod storm;
mod suppress;
mod tunnel;
mod underlay;
mod walk;

pub use outcome::{Copy, Exit, Learned, Notice, Outcome};

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::compile::{Domain, HostView, Place, Scope};
use crate::reason::DropReason;
use crate::topology::{Ageing, LinkKey, StormControl, Topology};
use crate::types::{IndividualMac, InterfaceId, MacAddr, Name, VlanId};
use crate::wire::ethernet::Header;
use crate::wire::reserved as reserved_addresses;

use classify::Arrival;
use fdb::Fdb;
use rewrite::Transit;
use site::Site;
use storm::{Kind, Storms};
use suppress::Known;
use tunnel::Decapsulated;
use underlay::{Received, Side};

/// One host with its bridges and their MAC tables.
#[derive(Clone, Debug)]
pub struct Oracle {
    site: Site,
    now: Duration,
    /// By bridge and, if it is transparent, outer VID of the payload.
    bridges: BTreeMap<(Name, Option<VlanId>), Fdb>,
    /// By gateway bridge and VID (or pair), with or without a link.
    gateways: BTreeMap<LinkKey, Fdb>,
    storms: Storms,
    /// Stations of bridges by address, for bridges that answer for them.
    known: BTreeMap<(Name, IpAddr), Known>,
    /// Of the last frame.
    notices: Vec<Notice>,
}

impl Oracle {
    /// A host that has learned nothing yet.
    pub fn new(topology: Topology, view: HostView) -> Self {
        Self {
            site: Site { topology, view, neighbors: BTreeMap::new() },
            now: Duration::ZERO,
            bridges: BTreeMap::new(),
            gateways: BTreeMap::new(),
            storms: Storms::default(),
            known: BTreeMap::new(),
            notices: Vec::new(),
        }
    }

    /// A next hop on the underlay is resolved now, or is not any more. (Its address is unique in the
    /// site, so it says by which link.)
    pub fn set_neighbor(&mut self, next_hop: IpAddr, mac: Option<MacAddr>) {
        match mac {
            Some(mac) => self.site.neighbors.insert(next_hop, mac),
            None => self.site.neighbors.remove(&next_hop),
        };
    }

    /// A station of a bridge with `neighborSuppression` was heard to have an address; as a router or
    /// not, of IPv6.
    pub fn set_known_neighbor(
        &mut self,
        bridge: &Name,
        address: IpAddr,
        mac: MacAddr,
        is_router: bool,
    ) {
        self.known.insert((bridge.clone(), address), Known { mac, is_router });
    }

    /// The opposite of [`Self::set_known_neighbor`].
    pub fn forget_neighbor(&mut self, bridge: &Name, address: IpAddr) {
        self.known.remove(&(bridge.clone(), address));
    }

    /// What happens to `frame`, which arrives on `interface` at `now`. Time never goes backwards.
    pub fn frame(&mut self, now: Duration, interface: InterfaceId, frame: &[u8]) -> Outcome {
        self.tick(now);
        self.notices.clear();
        self.decide(interface, frame).unwrap_or_else(Outcome::Dropped)
    }

    /// What the protocols are told of the last frame, ascending.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// Sections 2 to 5, in order.
    fn decide(&mut self, interface: InterfaceId, frame: &[u8]) -> Result<Outcome, DropReason> {
        // 2.1
        let header = Header::parse(frame).map_err(|_| DropReason::Malformed)?;
        // 2.2
        let source = IndividualMac::try_from(header.source).map_err(|_| DropReason::BadSource)?;
        // 2.3
        let control = reserved_addresses::classify(frame, &header);
        let ports = self.site.ports(interface)?;
        if control.is_none()
            && let Some((side, popped)) = self.site.side(interface, ports, &header)?
        {
            let transit = Transit::new(frame, header, popped);
            let received = match side {
                Side::Wire(link) => self.site.receive(&link, &transit, popped)?,
                Side::Kernel(link) => return Ok(self.site.leave_kernel(&link, &transit)),
            };
            return match received {
                Received::Inside(inner) => self.inside(*inner),
                Received::Done(outcome, notices) => {
                    self.notices = notices;
                    Ok(outcome)
                }
            };
        }
        self.site.check_admin(ports, &header, control.is_some())?;
        // 2.4
        if let Some(class) = control {
            return Ok(self.site.reserved(ports, class, header, frame));
        }
        // 2.5 and 3
        let arrival = self.site.classify(ports, &header)?;
        // 2.6: only of a frame that belongs somewhere, so that one that goes nowhere spends nothing.
        if let Some(kind) = Kind::of_group(header.destination) {
            self.storms.admit(self.now, arrival.port_and_vid(), &arrival.storm, kind)?;
        }
        // 4
        self.learn(&arrival, source)?;
        let transit = Transit::new(frame, header, arrival.popped);
        self.forward(&arrival, &transit)
    }

    /// U12: section 4 for a frame that came out of a tunnel.
    fn inside(&mut self, inner: Decapsulated) -> Result<Outcome, DropReason> {
        let arrival = Arrival {
            domain: self.site.domain_of(&inner.bridge),
            payload_vid: inner.payload_vid,
            place: inner.place,
            popped: 0,
            storm: StormControl::default(),
        };
        self.learn(&arrival, inner.source)?;
        let transit = Transit::unchanged(&inner.frame, inner.header).with_priority(inner.priority);
        self.forward(&arrival, &transit)
    }

    /// Every learned entry, ascending; static ones are not among them.
    pub fn learned(&self) -> Vec<Learned> {
        let mut learned = Vec::new();
        for ((owner, domain_vid), table) in self.domain_tables() {
            for (mac, entry) in table.iter() {
                let vid = match entry.place {
                    Place::Access(_) | Place::Peer(_) => None,
                    Place::Trunk { vid, inner_vid, .. } => Some((vid, inner_vid)),
                };
                let (owner, port) = (owner.clone(), entry.place.port().clone());
                learned.push(Learned { owner, domain_vid, mac, port, vid });
            }
        }
        learned.sort();
        learned
    }

    /// The table of each learning domain, once: a bridge's own, and a gateway bridge's for VIDs
    /// without a link. The tables for linked VIDs repeat what the bridge knows.
    fn domain_tables(&self) -> impl Iterator<Item = ((&Name, Option<VlanId>), &Fdb)> {
        let bridges = self.bridges.iter().map(|((bridge, vid), table)| ((bridge, *vid), table));
        let transit = self
            .gateways
            .iter()
            .filter(|(key, _)| !self.site.is_linked(&key.gateway_bridge, key.vid))
            .map(|(key, table)| ((&key.gateway_bridge, Some(key.vid)), table));
        bridges.chain(transit)
    }

    /// Lets time pass until `now`, and forgets what has become too old.
    pub fn tick(&mut self, now: Duration) {
        self.now = self.now.max(now);
        let now = self.now;
        let ageing = |bridge: Option<&Name>| {
            let bridge = bridge.and_then(|bridge| self.site.bridge(bridge));
            bridge.map_or(Ageing::default(), |bridge| bridge.ageing).get()
        };
        for ((bridge, _), table) in &mut self.bridges {
            table.expire(now, ageing(Some(bridge)));
        }
        for (key, table) in &mut self.gateways {
            let link = self.site.topology.vlan_links.get(key);
            table.expire(now, ageing(link.map(|link| &link.bridge)));
        }
    }

    /// Forgets what was learned in `scope`.
    pub fn flush(&mut self, scope: &Scope) {
        let topology = self.site.topology.clone();
        self.retain(|domain, place| !scope.covers(&topology, domain, place));
    }

    /// Forgets one learned station of a bridge.
    pub fn forget(&mut self, bridge: &Name, payload_vid: Option<VlanId>, station: IndividualMac) {
        if let Some(table) = self.bridges.get_mut(&(bridge.clone(), payload_vid)) {
            table.forget(station);
        }
        for link in self.site.topology.vlan_links.values().filter(|l| l.bridge == *bridge) {
            if let Some(table) = self.gateways.get_mut(&link.key) {
                table.forget(station);
            }
        }
    }

    /// Continues with another topology or other links. What was learned stays where its place is as
    /// before: usable, in the same domain, bound to the same interface.
    pub fn reconfigure(&mut self, topology: Topology, view: HostView) {
        let neighbors = self.site.neighbors.clone();
        let old = std::mem::replace(&mut self.site, Site { topology, view, neighbors });
        let site = self.site.clone();
        self.bridges.retain(|(name, _), _| site.domain_of(name) == old.domain_of(name));
        self.gateways.retain(|key, _| {
            let link_at = |site: &Site| site.topology.vlan_links.get(key).map(|l| l.bridge.clone());
            link_at(&site) == link_at(&old)
        });
        self.retain(|domain, place| {
            site.places(domain).contains(place) && site.binding(place) == old.binding(place)
        });
        // Static entries win over what was learned before them.
        for key in site.topology.static_macs.keys() {
            if self.static_place(&key.bridge, key.payload_vid, key.mac).is_some() {
                self.forget(&key.bridge, key.payload_vid, key.mac);
            }
        }
        // A new link opens a table that knows what its bridge knows.
        for link in site.topology.vlan_links.values() {
            let known = self.bridges.get(&(link.bridge.clone(), None)).cloned().unwrap_or_default();
            self.gateways.insert(link.key.clone(), known);
        }
        self.storms.retain(|port| site.storm_control(port));
    }

    /// Keeps the learned entries that `keeps` says, in all tables.
    fn retain(&mut self, keeps: impl Fn(&Domain, &Place) -> bool) {
        for ((bridge, _), table) in &mut self.bridges {
            let domain = self.site.domain_of(bridge);
            table.retain(|place| keeps(&domain, place));
        }
        for (key, table) in &mut self.gateways {
            let domain = match self.site.topology.vlan_links.get(key) {
                Some(link) => self.site.domain_of(&link.bridge),
                None => Domain::Transit(key.gateway_bridge.clone(), key.vid),
            };
            table.retain(|place| keeps(&domain, place));
        }
    }
}
