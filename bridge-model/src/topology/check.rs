//! The limits of forwarding rules section 1, checked where the state is committed.

use std::collections::BTreeMap;
use std::fmt;

use super::{
    Attachment, Binding, Kind, LinkKey, ObjectRef, RedundancyMode, ReservedPolicy, StaticMac,
    Topology, TopologyError, TrunkPort,
};
use crate::types::Name;
use crate::wire::reserved::is_policy_address;

pub(super) type Errors = Vec<TopologyError>;

/// The object `id` of `kind`.
pub(super) fn the(kind: Kind, id: impl fmt::Display) -> ObjectRef {
    ObjectRef::new(kind, id)
}

impl Topology {
    /// Whether every limit is kept; otherwise all errors, in the order of the site file.
    pub fn check(&self) -> Result<(), Vec<TopologyError>> {
        let mut errors = Errors::new();
        self.check_addresses(&mut errors);
        self.check_underlay(&mut errors);
        self.check_bridges(&mut errors);
        self.check_gateway_bridges(&mut errors);
        self.check_references(&mut errors);
        self.check_bindings(&mut errors);
        self.check_trunks(&mut errors);
        self.check_links(&mut errors);
        self.check_port_names(&mut errors);
        self.check_static_macs(&mut errors);
        self.check_tunnels(&mut errors);
        errors.sort_by(|a, b| a.object().cmp(b.object()));
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// The objects that name `object`: it cannot be removed while there are any.
    pub fn referrers(&self, object: &ObjectRef) -> Vec<ObjectRef> {
        let mut referrers: Vec<_> = self
            .references()
            .into_iter()
            .filter(|(_, _, target)| target == object)
            .map(|(referrer, _, _)| referrer)
            .collect();
        referrers.dedup();
        referrers
    }

    /// Every reference: who refers, by which key, to what.
    fn references(&self) -> Vec<(ObjectRef, &'static str, ObjectRef)> {
        let mut all = Vec::new();
        let mut add = |from: ObjectRef, field, kind, target: &Name| {
            all.push((from, field, the(kind, target)));
        };
        for lag in self.lags.values() {
            for member in &lag.members {
                add(the(Kind::Lag, &lag.name), "members", Kind::Host, &member.host);
            }
        }
        for trunk in self.trunks.values() {
            let from = || the(Kind::Trunk, &trunk.name);
            add(from(), "gatewayBridge", Kind::GatewayBridge, &trunk.gateway_bridge);
            match &trunk.attachment {
                Some(Attachment::Interface(b)) => add(from(), "host", Kind::Host, &b.host),
                Some(Attachment::Lag(lag)) => add(from(), "lag", Kind::Lag, lag),
                None => {}
            }
        }
        for (key, link) in &self.vlan_links {
            let from = || the(Kind::VlanLink, key);
            add(from(), "gatewayBridge", Kind::GatewayBridge, &key.gateway_bridge);
            add(from(), "bridge", Kind::Bridge, &link.bridge);
        }
        for port in self.access_ports.values() {
            let from = || the(Kind::AccessPort, &port.name);
            add(from(), "bridge", Kind::Bridge, &port.bridge);
            if let Some(binding) = &port.binding {
                add(from(), "host", Kind::Host, &binding.host);
            }
        }
        for (key, entry) in &self.static_macs {
            let from = || the(Kind::StaticMac, key);
            add(from(), "bridge", Kind::Bridge, &key.bridge);
            let kind = if self.trunks.contains_key(&entry.port) {
                Kind::Trunk
            } else if self.tunnels.contains_key(&entry.port) {
                Kind::Tunnel
            } else {
                Kind::AccessPort
            };
            add(from(), "port", kind, &entry.port);
        }
        for zone in self.tunnel_zones.values() {
            for host in &zone.hosts {
                add(the(Kind::TunnelZone, &zone.name), "hosts", Kind::Host, host);
            }
        }
        for tunnel in self.tunnels.values() {
            let from = || the(Kind::Tunnel, &tunnel.name);
            add(from(), "zone", Kind::TunnelZone, &tunnel.zone);
            for bridge in &tunnel.bridges {
                add(from(), "bridges", Kind::Bridge, bridge);
            }
        }
        all
    }

    fn contains(&self, object: &ObjectRef) -> bool {
        let id = object.id.as_str();
        match object.kind {
            Kind::Host => self.hosts.contains_key(id),
            Kind::Bridge => self.bridges.contains_key(id),
            Kind::GatewayBridge => self.gateway_bridges.contains_key(id),
            Kind::Lag => self.lags.contains_key(id),
            Kind::Trunk => self.trunks.contains_key(id),
            Kind::AccessPort => self.access_ports.contains_key(id),
            Kind::TunnelZone => self.tunnel_zones.contains_key(id),
            Kind::Tunnel => self.tunnels.contains_key(id),
            Kind::VlanLink => self.vlan_links.keys().any(|key| key.to_string() == id),
            Kind::StaticMac => self.static_macs.keys().any(|key| key.to_string() == id),
        }
    }

    fn check_references(&self, errors: &mut Errors) {
        for (object, field, target) in self.references() {
            if !self.contains(&target) {
                errors.push(TopologyError::Missing { object, field, target });
            }
        }
    }

    fn check_bridges(&self, errors: &mut Errors) {
        let mut holders = BTreeMap::new();
        for bridge in self.bridges.values() {
            let Some(vni) = bridge.vni else { continue };
            let object = the(Kind::Bridge, &bridge.name);
            if let Some(other) = holders.get(&vni).cloned() {
                errors.push(TopologyError::VniTaken { object, vni, other });
            } else {
                holders.insert(vni, object);
            }
        }
    }

    fn check_gateway_bridges(&self, errors: &mut Errors) {
        for gateway in self.gateway_bridges.values() {
            let object = || the(Kind::GatewayBridge, &gateway.name);
            let transparent = gateway.mode == RedundancyMode::StpTransparent;
            if gateway.transit && !transparent {
                errors.push(TopologyError::TransitNeedsMode { object: object() });
            }
            for (&address, &policy) in &gateway.reserved {
                if !is_policy_address(address) {
                    errors.push(TopologyError::NoPolicyAddress { object: object(), address });
                } else if policy == ReservedPolicy::Pass && !transparent {
                    errors.push(TopologyError::PassNeedsMode { object: object(), address });
                }
            }
        }
    }

    /// One port per interface and role; a lag member carries nothing else.
    fn check_bindings(&self, errors: &mut Errors) {
        let mut tagged: BTreeMap<&Binding, ObjectRef> = BTreeMap::new();
        let mut untagged: BTreeMap<&Binding, ObjectRef> = BTreeMap::new();
        let mut lags: BTreeMap<&Name, ObjectRef> = BTreeMap::new();
        let taken = |object, binding: &Binding, other: &ObjectRef| TopologyError::InterfaceTaken {
            object,
            binding: binding.clone(),
            other: other.clone(),
        };
        for lag in self.lags.values() {
            for binding in &lag.members {
                let object = the(Kind::Lag, &lag.name);
                if let Some(other) = tagged.get(binding) {
                    errors.push(taken(object, binding, other));
                } else {
                    tagged.insert(binding, object.clone());
                    untagged.insert(binding, object);
                }
            }
        }
        for trunk in self.trunks.values() {
            let object = the(Kind::Trunk, &trunk.name);
            match &trunk.attachment {
                Some(Attachment::Interface(binding)) => {
                    if let Some(other) = tagged.get(binding) {
                        errors.push(taken(object, binding, other));
                    } else {
                        tagged.insert(binding, object);
                    }
                }
                Some(Attachment::Lag(lag)) => {
                    if let Some(other) = lags.get(lag).cloned() {
                        let lag = the(Kind::Lag, lag);
                        errors.push(TopologyError::LagTaken { object, lag, other });
                    } else {
                        lags.insert(lag, object);
                    }
                }
                None => {}
            }
        }
        for port in self.access_ports.values() {
            let Some(binding) = &port.binding else { continue };
            let object = the(Kind::AccessPort, &port.name);
            if let Some(other) = untagged.get(binding) {
                errors.push(taken(object, binding, other));
                continue;
            }
            untagged.insert(binding, object.clone());
            if let Some((vid, other)) = self.native_on(binding) {
                errors.push(TopologyError::UntaggedTaken {
                    object,
                    binding: binding.clone(),
                    vid,
                    other: the(Kind::Trunk, &other.name),
                });
            }
        }
    }

    fn native_on(&self, binding: &Binding) -> Option<(crate::types::VlanId, &TrunkPort)> {
        let trunk = self.trunks.values().find(|trunk| trunk.binding() == Some(binding))?;
        Some((trunk.native?, trunk))
    }

    fn check_trunks(&self, errors: &mut Errors) {
        for trunk in self.trunks.values() {
            let object = || the(Kind::Trunk, &trunk.name);
            if let (Some(vid), Some(allowed)) = (trunk.native, &trunk.allowed)
                && !allowed.contains(vid)
            {
                errors.push(TopologyError::NativeNotAllowed { object: object(), vid });
            }
            let gateway = self.gateway_bridges.get(&trunk.gateway_bridge);
            if gateway.is_some_and(|gateway| gateway.mode == RedundancyMode::Mlag)
                && trunk.binding().is_some()
            {
                let gateway = the(Kind::GatewayBridge, &trunk.gateway_bridge);
                errors.push(TopologyError::MlagNeedsLag { object: object(), gateway });
            }
        }
    }

    fn check_links(&self, errors: &mut Errors) {
        // By (gateway bridge, bridge): the first link, and whether a link without `join` was seen.
        let mut first: BTreeMap<(&Name, &Name), &LinkKey> = BTreeMap::new();
        for (key, link) in &self.vlan_links {
            let object = || the(Kind::VlanLink, key);
            if key.inner_vid.is_some() {
                let whole = LinkKey { inner_vid: None, ..key.clone() };
                if self.vlan_links.contains_key(&whole) {
                    let other = the(Kind::VlanLink, whole);
                    let (object, vid) = (object(), key.vid);
                    errors.push(TopologyError::VlanTaken { object, vid, other });
                }
            }
            let bridge = || the(Kind::Bridge, &link.bridge);
            if self.bridges.get(&link.bridge).is_some_and(|bridge| bridge.transparent) {
                errors.push(TopologyError::TransparentLink { object: object(), bridge: bridge() });
            }
            if link.join {
                continue;
            }
            match first.entry((&key.gateway_bridge, &link.bridge)) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(key);
                }
                std::collections::btree_map::Entry::Occupied(entry) => {
                    let other = the(Kind::VlanLink, entry.get());
                    errors.push(TopologyError::JoinNeeded {
                        object: object(),
                        bridge: bridge(),
                        other,
                    });
                }
            }
        }
    }

    /// Ports share one space of names; tunnels and hosts share that of peers.
    fn check_port_names(&self, errors: &mut Errors) {
        let mut check = |kind: Kind, name: &Name, others: &[Kind]| {
            let taken = others.iter().map(|other| the(*other, name));
            if let Some(other) = taken.into_iter().find(|other| self.contains(other)) {
                errors.push(TopologyError::PortNameTaken { object: the(kind, name), other });
            }
        };
        for name in self.access_ports.keys() {
            check(Kind::AccessPort, name, &[Kind::Trunk]);
        }
        for name in self.tunnels.keys() {
            check(Kind::Tunnel, name, &[Kind::Host, Kind::Trunk, Kind::AccessPort]);
        }
    }

    fn check_static_macs(&self, errors: &mut Errors) {
        for entry in self.static_macs.values() {
            if let Some(error) = self.static_mac_error(entry) {
                errors.push(error);
            }
        }
    }

    fn static_mac_error(&self, entry: &StaticMac) -> Option<TopologyError> {
        let object = the(Kind::StaticMac, &entry.key);
        let bridge = self.bridges.get(&entry.key.bridge)?;
        if entry.key.payload_vid.is_some() && !bridge.transparent {
            return Some(TopologyError::NoPayloadVid { object });
        }
        if let Some(port) = self.access_ports.get(&entry.port) {
            let port_ref = the(Kind::AccessPort, &port.name);
            return match entry.vid {
                _ if port.bridge != bridge.name => {
                    Some(TopologyError::StaticElsewhere { object, port: port_ref })
                }
                Some((vid, _)) => {
                    Some(TopologyError::StaticWrongVid { object, port: port_ref, vid })
                }
                None => None,
            };
        }
        if let Some(tunnel) = self.tunnels.get(&entry.port) {
            let port = the(Kind::Tunnel, &tunnel.name);
            return match entry.vid {
                _ if !tunnel.bridges.contains(&bridge.name) => {
                    Some(TopologyError::StaticElsewhere { object, port })
                }
                Some((vid, _)) => Some(TopologyError::StaticWrongVid { object, port, vid }),
                None => None,
            };
        }
        let trunk = self.trunks.get(&entry.port)?;
        let port = the(Kind::Trunk, &trunk.name);
        let mut links = self.links_of(&trunk.gateway_bridge);
        if !links.any(|link| link.bridge == bridge.name) {
            return Some(TopologyError::StaticElsewhere { object, port });
        }
        let Some((vid, inner_vid)) = entry.vid else {
            return Some(TopologyError::StaticNeedsVid { object, port });
        };
        let key = LinkKey { gateway_bridge: trunk.gateway_bridge.clone(), vid, inner_vid };
        let leads = self.vlan_links.get(&key).is_some_and(|link| link.bridge == bridge.name);
        if leads && trunk.allowed.as_ref().is_none_or(|allowed| allowed.contains(vid)) {
            None
        } else {
            Some(TopologyError::StaticWrongVid { object, port, vid })
        }
    }
}
