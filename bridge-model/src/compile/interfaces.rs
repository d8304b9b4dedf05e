//! Interfaces and ports: what a frame that arrives meets first.

use std::collections::BTreeMap;

use super::fids::bridge_domain;
use super::local::{Local, LocalAccess, LocalTrunk};
use super::reserved::OnUnderlay;
use super::underlay::LocalLink;
use super::{
    Class, Domain, InterfaceTable, InterfaceView, Link, Numbering, Place, PortTable, TaggedClasses,
    VidClasses, reserved,
};
use crate::reason::DropReason;
use crate::topology::VlanLink;
use crate::types::{InterfaceId, Name, PortId, Tpid, VlanId};

/// The tables of all interfaces, by number.
pub(super) fn build(local: &Local<'_>, numbering: &Numbering) -> Vec<InterfaceTable> {
    let trunks: BTreeMap<InterfaceId, _> =
        local.trunks.iter().map(|trunk| (trunk.interface, trunk)).collect();
    let accesses: BTreeMap<InterfaceId, _> =
        local.accesses.iter().map(|access| (access.interface, access)).collect();
    let ids = (0_u16..).map(InterfaceId);
    local
        .view
        .interfaces
        .iter()
        .zip(ids)
        .map(|(view, id)| {
            let builder = Builder { local, numbering };
            let ports =
                Ports { id, trunk: trunks.get(&id).copied(), access: accesses.get(&id).copied() };
            builder.interface(view, ports)
        })
        .collect()
}

/// The ports of this host, by number.
pub(super) fn build_ports(local: &Local<'_>, numbering: &Numbering) -> Vec<PortTable> {
    let mut by_name: BTreeMap<&Name, PortTable> = BTreeMap::new();
    for trunk in &local.trunks {
        let port = PortTable {
            name: trunk.trunk.name.clone(),
            interface: trunk.interface,
            storm: trunk.trunk.storm_control.port,
            storm_per_vid: trunk.trunk.storm_control.per_vlan,
            mac_limit: trunk.trunk.mac_limit,
        };
        by_name.insert(&trunk.trunk.name, port);
    }
    for access in &local.accesses {
        let port = PortTable {
            name: access.port.name.clone(),
            interface: access.interface,
            storm: access.port.storm_control.port,
            storm_per_vid: super::StormLimits::default(),
            mac_limit: access.port.mac_limit,
        };
        by_name.insert(&access.port.name, port);
    }
    for link in &local.underlay.links {
        by_name.insert(&link.port, unlimited(&link.port, link.interface));
    }
    // A peer is on no interface of its own, and nothing is behind a number whose port is gone.
    let nowhere = |name: &Name| unlimited(name, InterfaceId::default());
    numbering
        .port_names()
        .iter()
        .map(|name| by_name.remove(name).unwrap_or_else(|| nowhere(name)))
        .collect()
}

fn unlimited(name: &Name, interface: InterfaceId) -> PortTable {
    PortTable {
        name: name.clone(),
        interface,
        storm: super::StormLimits::default(),
        storm_per_vid: super::StormLimits::default(),
        mac_limit: None,
    }
}

/// The ports on one interface.
#[derive(Clone, Copy, Debug)]
struct Ports<'a> {
    id: InterfaceId,
    trunk: Option<&'a LocalTrunk<'a>>,
    access: Option<&'a LocalAccess<'a>>,
}

struct Builder<'a> {
    local: &'a Local<'a>,
    numbering: &'a Numbering,
}

impl Builder<'_> {
    fn interface(&self, view: &InterfaceView, ports: Ports<'_>) -> InterfaceTable {
        let Ports { id, trunk, access } = ports;
        let port_of = |name: &Name| self.numbering.port_id(name);
        let trunk_port = trunk.and_then(|trunk| port_of(&trunk.trunk.name));
        let access_port = access.and_then(|access| port_of(&access.port.name));
        let native = trunk.and_then(|trunk| trunk.trunk.native);
        let (link_port, first_link_port) = self.link_ports(id);
        let (untagged, tagged, reserved) = if view.link == Link::Down {
            let drop = Class::Drop(DropReason::RxLinkDown);
            (drop.clone(), TaggedClasses::All(drop), reserved::all(DropReason::RxLinkDown))
        } else {
            (
                self.untagged(ports),
                self.tagged(ports),
                reserved::build(self.local, trunk, access, self.on_underlay(id), self.numbering),
            )
        };
        InterfaceTable {
            name: view.name.clone(),
            mtu: view.mtu,
            untagged,
            untagged_port: if native.is_some() {
                trunk_port
            } else {
                link_port.or(access_port).or(trunk_port).or(first_link_port)
            },
            tagged,
            tagged_port: trunk_port.or(access_port).or(first_link_port),
            reserved,
        }
    }

    /// The port of the untagged underlay link on an interface, and that of the first link.
    fn link_ports(&self, id: InterfaceId) -> (Option<PortId>, Option<PortId>) {
        let links = || self.local.underlay.links_on(id).map(|(_, link)| link);
        let number = |link: &LocalLink<'_>| self.numbering.port_id(&link.port);
        let untagged = links().find(|link| link.link.vlan.is_none()).and_then(number);
        (untagged, links().next().and_then(number))
    }

    fn on_underlay(&self, id: InterfaceId) -> OnUnderlay {
        let underlay = &self.local.underlay;
        if underlay.links_on(id).next().is_some() {
            OnUnderlay::Link
        } else if underlay.kernel_of(id).is_some() {
            OnUnderlay::Kernel
        } else {
            OnUnderlay::No
        }
    }

    fn untagged(&self, Ports { id, trunk, access }: Ports<'_>) -> Class {
        let underlay = &self.local.underlay;
        if let Some(link) = underlay.untagged_on(id) {
            return Class::Underlay(link);
        }
        if let Some(link) = underlay.kernel_of(id) {
            return Class::Kernel(link);
        }
        match (trunk, access) {
            (Some(trunk), _) if trunk.trunk.native.is_some() => self.native(trunk),
            (_, Some(access)) => self.access(access),
            (Some(trunk), None) if !trunk.is_up => Class::Drop(DropReason::AdminDown),
            (Some(_), None) => Class::Drop(DropReason::UntaggedOnTrunk),
            (None, None) => Class::Drop(DropReason::PortUnbound),
        }
    }

    fn native(&self, trunk: &LocalTrunk<'_>) -> Class {
        match (self.trunk_classes(trunk), trunk.trunk.native) {
            (TaggedClasses::Trunk { classes, .. }, Some(vid)) => match classes.get(vid) {
                // A pair needs an inner tag, and an untagged frame has none.
                Class::Stacked(_) => Class::Drop(DropReason::VlanUnknown),
                class => class.clone(),
            },
            _ => Class::Drop(DropReason::AdminDown),
        }
    }

    fn access(&self, access: &LocalAccess<'_>) -> Class {
        let domain = bridge_domain(self.local, &access.bridge.name);
        let place = Place::Access(access.port.name.clone());
        match (self.numbering.fid_of(&domain), self.numbering.member_of(&domain, &place)) {
            (Some(fid), Some(member)) => Class::Forward { fid, member },
            _ => Class::Drop(DropReason::AdminDown),
        }
    }

    /// Tagged frames: those of the ports, but for the VLANs of underlay links. With a link on the
    /// interface, tags are read as on a trunk.
    fn tagged(&self, ports: Ports<'_>) -> TaggedClasses {
        let of_ports = self.tagged_of_ports(ports);
        let mut links = self.local.underlay.links_on(ports.id).peekable();
        if links.peek().is_none() {
            return of_ports;
        }
        let (tpid, mut classes) = match of_ports {
            TaggedClasses::Trunk { tpid, classes } => (tpid, classes),
            TaggedClasses::All(class) => {
                let tpid = ports.trunk.map_or(Tpid::CTag, |trunk| trunk.trunk.tpid);
                (tpid, VidClasses::uniform(class))
            }
            // Where tags are payload, none can be that of a link: the topology's check refuses it.
            TaggedClasses::Transparent { .. } => return of_ports,
        };
        for (id, link) in links {
            if let Some(vlan) = link.link.vlan {
                classes.set(vlan, Class::Underlay(id));
            }
        }
        TaggedClasses::Trunk { tpid, classes }
    }

    fn tagged_of_ports(&self, Ports { id, trunk, access }: Ports<'_>) -> TaggedClasses {
        match (trunk, access) {
            (Some(trunk), _) => self.trunk_classes(trunk),
            (None, Some(access)) => match self.access(access) {
                Class::Forward { fid, member } if access.bridge.transparent => {
                    TaggedClasses::Transparent { base: fid, member }
                }
                Class::Forward { .. } => {
                    TaggedClasses::All(Class::Drop(DropReason::TaggedOnAccess))
                }
                drop => TaggedClasses::All(drop),
            },
            (None, None) if self.local.underlay.kernel_of(id).is_some() => {
                TaggedClasses::All(Class::Drop(DropReason::TaggedOnAccess))
            }
            (None, None) => TaggedClasses::All(Class::Drop(DropReason::PortUnbound)),
        }
    }

    fn trunk_classes(&self, trunk: &LocalTrunk<'_>) -> TaggedClasses {
        if !trunk.is_up {
            return TaggedClasses::All(Class::Drop(DropReason::AdminDown));
        }
        let unknown = Class::Drop(DropReason::VlanUnknown);
        let mut classes = VidClasses::uniform(unknown.clone());
        if trunk.gateway.transits() {
            for &vid in &trunk.carried {
                let domain = Domain::Transit(trunk.gateway.name.clone(), vid);
                // Without the right to forward this VID the trunk is no member.
                let class = self.forward(&domain, trunk, vid, None);
                classes.set(vid, class.unwrap_or(Class::Drop(DropReason::TrunkStandby)));
            }
        }
        let mut pairs: BTreeMap<VlanId, VidClasses> = BTreeMap::new();
        for link in self.local.topology.links_of(&trunk.gateway.name) {
            let vid = link.key.vid;
            if !trunk.carried.contains(&vid) {
                continue;
            }
            let class = self.link_class(trunk, link);
            match link.key.inner_vid {
                None => classes.set(vid, class),
                Some(inner) => pairs
                    .entry(vid)
                    .or_insert_with(|| VidClasses::uniform(unknown.clone()))
                    .set(inner, class),
            }
        }
        for (vid, inner) in pairs {
            classes.set(vid, Class::Stacked(Box::new(inner)));
        }
        TaggedClasses::Trunk { tpid: trunk.trunk.tpid, classes }
    }

    fn link_class(&self, trunk: &LocalTrunk<'_>, link: &VlanLink) -> Class {
        let bridge = self.local.topology.bridges.get(&link.bridge);
        if bridge.is_some_and(|bridge| !bridge.admin.is_up()) {
            return Class::Drop(DropReason::AdminDown);
        }
        let domain = bridge_domain(self.local, &link.bridge);
        // Without the right to forward this VID the trunk is no member.
        self.forward(&domain, trunk, link.key.vid, link.key.inner_vid)
            .unwrap_or(Class::Drop(DropReason::TrunkStandby))
    }

    fn forward(
        &self,
        domain: &Domain,
        trunk: &LocalTrunk<'_>,
        vid: VlanId,
        inner_vid: Option<VlanId>,
    ) -> Option<Class> {
        let place = Place::Trunk { trunk: trunk.trunk.name.clone(), vid, inner_vid };
        let fid = self.numbering.fid_of(domain)?;
        let member = self.numbering.member_of(domain, &place)?;
        Some(Class::Forward { fid, member })
    }
}
