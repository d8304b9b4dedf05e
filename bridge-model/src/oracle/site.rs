//! Who is where on this host: questions to the topology, answered by looking.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::overlay::Peer;
use crate::compile::{Domain, HostView, Link, Place};
use crate::election;
use crate::reason::DropReason;
use crate::topology::{
    AccessPort, Binding, Bridge, GatewayBridge, LinkKey, RedundancyMode, StaticMac, StormControl,
    Topology, TrunkPort, VlanLink,
};
use crate::types::{InterfaceId, MacAddr, Name, VlanId};

/// A topology and the host it is looked at from.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) topology: Topology,
    pub(super) view: HostView,
    /// The next hops on the underlay that are resolved.
    pub(super) neighbors: BTreeMap<IpAddr, MacAddr>,
}

/// What is on one interface: at least one of these.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports<'a> {
    pub(super) trunk: Option<&'a TrunkPort>,
    pub(super) access: Option<&'a AccessPort>,
    /// An underlay link.
    pub(super) underlay: bool,
}

/// What a place is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BoundTo {
    Interface(Binding),
    Peer(IpAddr),
}

impl Ports<'_> {
    pub(super) fn is_underlay_only(&self) -> bool {
        self.trunk.is_none() && self.access.is_none() && self.underlay
    }
}

impl Site {
    /// The ports on an interface that has carrier.
    pub(super) fn ports(&self, interface: InterfaceId) -> Result<Ports<'_>, DropReason> {
        let view = self.view.interface(interface).ok_or(DropReason::PortUnbound)?;
        if view.link == Link::Down {
            return Err(DropReason::RxLinkDown);
        }
        let here = Binding { host: self.view.host.clone(), interface: view.name.clone() };
        let topology = &self.topology;
        let trunk = topology.trunks.values().find(|trunk| trunk.binding() == Some(&here));
        let mut accesses = topology.access_ports.values();
        let access = accesses.find(|access| access.binding.as_ref() == Some(&here));
        let links = self.underlay();
        let underlay = links.iter().any(|link| link.interface == interface);
        let kernel = links.iter().any(|link| link.kernel == Some(interface));
        if trunk.is_none() && access.is_none() && !underlay && !kernel {
            return Err(DropReason::PortUnbound);
        }
        Ok(Ports { trunk, access, underlay })
    }

    pub(super) fn bridge(&self, name: &Name) -> Option<&Bridge> {
        self.topology.bridges.get(name)
    }

    pub(super) fn gateway_of(&self, trunk: &TrunkPort) -> Option<&GatewayBridge> {
        self.topology.gateway_bridges.get(&trunk.gateway_bridge)
    }

    pub(super) fn trunk_is_up(&self, trunk: &TrunkPort) -> bool {
        trunk.admin.is_up() && self.gateway_of(trunk).is_some_and(|gateway| gateway.admin.is_up())
    }

    pub(super) fn access_is_up(&self, access: &AccessPort) -> bool {
        access.admin.is_up() && self.bridge(&access.bridge).is_some_and(|b| b.admin.is_up())
    }

    /// The interface of this host that a binding means, if it is there and has carrier.
    pub(super) fn live(&self, binding: Option<&Binding>) -> Option<InterfaceId> {
        let id = self.local(binding)?;
        (self.view.interface(id)?.link == Link::Up).then_some(id)
    }

    /// The interface of this host that a binding means, if it is there.
    pub(super) fn local(&self, binding: Option<&Binding>) -> Option<InterfaceId> {
        let binding = binding.filter(|binding| binding.host == self.view.host)?;
        self.view.interface_id(&binding.interface)
    }

    pub(super) fn trunk_is_usable(&self, trunk: &TrunkPort) -> bool {
        self.trunk_is_up(trunk) && self.live(trunk.binding()).is_some()
    }

    /// Whether `vid` is in the trunk's allowed list, which by default is every VID with a link.
    pub(super) fn carries(&self, trunk: &TrunkPort, vid: VlanId) -> bool {
        match &trunk.allowed {
            Some(allowed) => allowed.contains(vid),
            None => self.is_linked(&trunk.gateway_bridge, vid),
        }
    }

    pub(super) fn is_linked(&self, gateway: &Name, vid: VlanId) -> bool {
        self.topology.links_of(gateway).any(|link| link.key.vid == vid)
    }

    /// The usable trunks of a gateway bridge that carry `vid`.
    pub(super) fn carriers(&self, gateway: &Name, vid: VlanId) -> Vec<&TrunkPort> {
        let trunks = self.topology.trunks.values();
        trunks
            .filter(|trunk| trunk.gateway_bridge == *gateway)
            .filter(|trunk| self.trunk_is_usable(trunk) && self.carries(trunk, vid))
            .collect()
    }

    /// The host that has the right to forward the VID of a link (section 6); without leases no host
    /// knows of another's carrier, which therefore does not count. In mode `lease` it is that of the one
    /// trunk that is elected among all of the site that carry the VID. In other modes one host is
    /// elected for all VIDs of the gateway bridge, since spanning tree frames do not pass between hosts;
    /// what its trunks do not carry nobody forwards.
    pub(super) fn holder(&self, key: &LinkKey) -> Option<&Name> {
        let gateway = self.topology.gateway_bridges.get(&key.gateway_bridge)?;
        let of_gateway = self
            .topology
            .trunks
            .values()
            .filter(|trunk| trunk.gateway_bridge == gateway.name && self.trunk_is_up(trunk));
        let bound: Vec<(&Name, &TrunkPort)> =
            of_gateway.filter_map(|trunk| Some((&trunk.binding()?.host, trunk))).collect();
        let mut carriers = bound.iter().filter(|(_, trunk)| self.carries(trunk, key.vid));
        match gateway.mode {
            RedundancyMode::StpTransparent | RedundancyMode::Mlag => {
                let vlans_of = |host: &Name| {
                    let trunks = bound.iter().filter(|(on, _)| *on == host);
                    let vids = trunks.flat_map(|(_, trunk)| self.topology.carried_vids(trunk));
                    vids.collect::<BTreeSet<VlanId>>().len()
                };
                let hosts = bound.iter().map(|(host, _)| (*host, vlans_of(host)));
                let elected = election::host_of_tree(&gateway.name, hosts)?;
                carriers.map(|(host, _)| *host).find(|host| *host == elected)
            }
            RedundancyMode::Lease => {
                let names = carriers.clone().map(|(_, trunk)| &trunk.name);
                let elected = election::forwarder(key.vid, names)?;
                carriers.find(|(_, trunk)| trunk.name == *elected).map(|(host, _)| *host)
            }
        }
    }

    /// Those of [`Self::carriers`] that have the right to forward: within the host that has it, the
    /// election goes on among those that can be used.
    pub(super) fn forwarders(&self, gateway: &GatewayBridge, key: &LinkKey) -> Vec<&TrunkPort> {
        let vid = key.vid;
        let carriers = self.carriers(&gateway.name, vid);
        if self.holder(key) != Some(&self.view.host) {
            return Vec::new();
        }
        match gateway.mode {
            RedundancyMode::StpTransparent | RedundancyMode::Mlag => carriers,
            RedundancyMode::Lease => {
                let one = election::forwarder(vid, carriers.iter().map(|trunk| &trunk.name));
                let one = one.cloned();
                carriers.into_iter().filter(|trunk| Some(&trunk.name) == one.as_ref()).collect()
            }
        }
    }

    pub(super) fn links_to<'a>(
        &'a self,
        bridge: &'a Name,
    ) -> impl Iterator<Item = &'a VlanLink> + 'a {
        self.topology.vlan_links.values().filter(move |link| link.bridge == *bridge)
    }

    /// The learning domain of a bridge.
    pub(super) fn domain_of(&self, bridge: &Name) -> Domain {
        match self.bridge(bridge) {
            Some(found) if found.transparent => Domain::Transparent(bridge.clone()),
            _ => Domain::Bridge(bridge.clone()),
        }
    }

    /// Every place that a domain can send to at present.
    pub(super) fn places(&self, domain: &Domain) -> Vec<Place> {
        let mut places = Vec::new();
        match domain {
            Domain::Bridge(name) | Domain::Transparent(name) => {
                if self.domain_of(name) != *domain {
                    return places;
                }
                for access in self.topology.access_ports.values().filter(|p| p.bridge == *name) {
                    if self.access_is_up(access) && self.live(access.binding.as_ref()).is_some() {
                        places.push(Place::Access(access.name.clone()));
                    }
                }
                if self.bridge(name).is_some_and(|bridge| bridge.admin.is_up()) {
                    for link in self.links_to(name) {
                        places.extend(self.trunk_places(&link.key));
                    }
                }
                if let Some(bridge) = self.bridge(name) {
                    places.extend(self.peers_in(bridge).iter().map(Peer::place));
                }
            }
            Domain::Transit(gateway, vid) => {
                let transits = self.topology.gateway_bridges.get(gateway);
                if transits.is_some_and(GatewayBridge::transits) && !self.is_linked(gateway, *vid) {
                    let gateway_bridge = gateway.clone();
                    let key = LinkKey { gateway_bridge, vid: *vid, inner_vid: None };
                    places.extend(self.trunk_places(&key));
                }
            }
        }
        places
    }

    /// The trunks that forward the frames of a link, as places.
    pub(super) fn trunk_places(&self, key: &LinkKey) -> Vec<Place> {
        let Some(gateway) = self.topology.gateway_bridges.get(&key.gateway_bridge) else {
            return Vec::new();
        };
        let place = |trunk: &TrunkPort| Place::Trunk {
            trunk: trunk.name.clone(),
            vid: key.vid,
            inner_vid: key.inner_vid,
        };
        self.forwarders(gateway, key).into_iter().map(place).collect()
    }

    /// What a place is bound to: an interface, or the address of a peer.
    pub(super) fn binding(&self, place: &Place) -> Option<BoundTo> {
        let binding = match place {
            Place::Access(port) => self.topology.access_ports.get(port)?.binding.as_ref(),
            Place::Trunk { trunk, .. } => self.topology.trunks.get(trunk)?.binding(),
            Place::Peer(_) => return Some(BoundTo::Peer(self.peer_at(place)?.remote)),
        };
        Some(BoundTo::Interface(binding?.clone()))
    }

    /// Where a static MAC puts its station: behind a tunnel; behind the host of its access port, if that
    /// is not this one; or where frames of its trunk's VLAN leave (rule F8), if anywhere. Of several
    /// trunks that forward it here, only the one that it names will do.
    pub(super) fn static_place(&self, entry: &StaticMac) -> Option<Place> {
        let topology = &self.topology;
        let port = &entry.port;
        if topology.tunnels.contains_key(port) {
            return Some(Place::Peer(Name::of_peer(port)));
        }
        let here = &self.view.host;
        if let Some((trunk, (vid, inner_vid))) = topology.trunks.get(port).zip(entry.vid) {
            let gateway_bridge = trunk.gateway_bridge.clone();
            let key = LinkKey { gateway_bridge, vid, inner_vid };
            let holder = self.holder(&key)?;
            if holder != here {
                return Some(Place::Peer(Name::of_peer(holder)));
            }
            let places = self.trunk_places(&key);
            let named = places.iter().find(|place| place.port() == port);
            return named.or(places.first().filter(|_| places.len() == 1)).cloned();
        }
        let access = topology.access_ports.get(port).and_then(|port| port.binding.as_ref());
        match access.filter(|binding| binding.host != *here) {
            Some(binding) => Some(Place::Peer(Name::of_peer(&binding.host))),
            None => Some(Place::Access(port.clone())),
        }
    }

    /// The limits on flooded traffic of a port, if it is bound to an interface of this host.
    pub(super) fn storm_control(&self, port: &Name) -> Option<StormControl> {
        let trunk = self.topology.trunks.get(port);
        let access = self.topology.access_ports.get(port);
        let (binding, control) = trunk
            .map(|trunk| (trunk.binding(), trunk.storm_control))
            .or(access.map(|access| (access.binding.as_ref(), access.storm_control)))?;
        let binding = binding.filter(|binding| binding.host == self.view.host)?;
        self.view.interface_id(&binding.interface).map(|_| control)
    }
}
