//! The part of a topology that this host carries: which ports are bound here, which of them can be
//! used, and who forwards which VLAN.

use std::collections::{BTreeMap, BTreeSet};

use super::rights::{self, Rights};
use super::underlay::Underlay;
use super::{HostView, Hosts, Link, Note};
use crate::election;
use crate::topology::{
    AccessPort, Binding, Bridge, GatewayBridge, Kind, ObjectRef, RedundancyMode, Topology,
    TrunkPort,
};
use crate::types::{InterfaceId, Name, VlanId};

/// A trunk that is bound to an interface of this host.
#[derive(Debug)]
pub(super) struct LocalTrunk<'a> {
    pub(super) trunk: &'a TrunkPort,
    pub(super) gateway: &'a GatewayBridge,
    pub(super) interface: InterfaceId,
    /// The VIDs in its allowed list, by default those with a link.
    pub(super) carried: BTreeSet<VlanId>,
    /// Whether it is administratively up, with its gateway bridge.
    pub(super) is_up: bool,
    /// Whether it is up and has carrier.
    pub(super) is_usable: bool,
    /// The VIDs that it has the right to forward.
    pub(super) forwards: BTreeSet<VlanId>,
}

/// An access port that is bound to an interface of this host.
#[derive(Debug)]
pub(super) struct LocalAccess<'a> {
    pub(super) port: &'a AccessPort,
    pub(super) bridge: &'a Bridge,
    pub(super) interface: InterfaceId,
    /// Whether it is administratively up, with its bridge.
    pub(super) is_up: bool,
    /// Whether it is up and has carrier.
    pub(super) is_usable: bool,
}

/// What this host carries.
#[derive(Debug)]
pub(super) struct Local<'a> {
    pub(super) topology: &'a Topology,
    pub(super) view: &'a HostView,
    /// By name.
    pub(super) trunks: Vec<LocalTrunk<'a>>,
    /// By name.
    pub(super) accesses: Vec<LocalAccess<'a>>,
    /// Links, peers and the ways to them.
    pub(super) underlay: Underlay<'a>,
    pub(super) rights: Rights<'a>,
    /// The hosts where each bridge has something to send to, this one included.
    pub(super) presence: BTreeMap<&'a Name, BTreeSet<&'a Name>>,
    waiting: Vec<Note>,
}

impl<'a> Local<'a> {
    pub(super) fn new(topology: &'a Topology, view: &'a HostView) -> Self {
        let rights = Rights::new(topology);
        let mut local = Self {
            topology,
            view,
            trunks: Vec::new(),
            accesses: Vec::new(),
            underlay: Underlay::new(topology, view),
            presence: rights::presence(topology, &rights),
            rights,
            waiting: Vec::new(),
        };
        let ids: BTreeMap<&Name, InterfaceId> = view
            .interfaces
            .iter()
            .zip(0_u16..)
            .map(|(interface, index)| (&interface.name, InterfaceId(index)))
            .collect();
        for trunk in topology.trunks.values() {
            let bound =
                trunk.binding().and_then(|b| local.resolve(&ids, b, Kind::Trunk, &trunk.name));
            let gateway = topology.gateway_bridges.get(&trunk.gateway_bridge);
            if let (Some(interface), Some(gateway)) = (bound, gateway) {
                let is_up = trunk.admin.is_up() && gateway.admin.is_up();
                local.trunks.push(LocalTrunk {
                    trunk,
                    gateway,
                    interface,
                    carried: topology.carried_vids(trunk),
                    is_up,
                    is_usable: is_up && local.has_carrier(interface),
                    forwards: BTreeSet::new(),
                });
            }
        }
        for port in topology.access_ports.values() {
            let bound = port
                .binding
                .as_ref()
                .and_then(|b| local.resolve(&ids, b, Kind::AccessPort, &port.name));
            if let (Some(interface), Some(bridge)) = (bound, topology.bridges.get(&port.bridge)) {
                let is_up = port.admin.is_up() && bridge.admin.is_up();
                let is_usable = is_up && local.has_carrier(interface);
                local.accesses.push(LocalAccess { port, bridge, interface, is_up, is_usable });
            }
        }
        local.elect();
        local
    }

    fn resolve(
        &mut self,
        ids: &BTreeMap<&Name, InterfaceId>,
        binding: &Binding,
        kind: Kind,
        port: &Name,
    ) -> Option<InterfaceId> {
        if binding.host != self.view.host {
            return None;
        }
        let id = ids.get(&binding.interface).copied();
        if id.is_none() {
            let (port, interface) = (ObjectRef::new(kind, port), binding.interface.clone());
            self.waiting.push(Note::Waiting { port, interface });
        }
        id
    }

    pub(super) fn has_carrier(&self, interface: InterfaceId) -> bool {
        self.view.interface(interface).is_some_and(|view| view.link == Link::Up)
    }

    /// Gives each usable trunk its right to forward, of the VIDs for which this host has it: in mode
    /// `lease` to one trunk per VID, otherwise to all that are here.
    fn elect(&mut self) {
        let mut rights: Vec<BTreeSet<VlanId>> = Vec::with_capacity(self.trunks.len());
        for local in &self.trunks {
            let rivals: Vec<&LocalTrunk<'_>> = self
                .trunks
                .iter()
                .filter(|rival| rival.is_usable && rival.gateway.name == local.gateway.name)
                .collect();
            let wins = |vid: &VlanId| match local.gateway.mode {
                RedundancyMode::Lease => {
                    let candidates = rivals
                        .iter()
                        .filter(|rival| rival.carried.contains(vid))
                        .map(|rival| &rival.trunk.name);
                    election::forwarder(*vid, candidates) == Some(&local.trunk.name)
                }
                RedundancyMode::StpTransparent | RedundancyMode::Mlag => true,
            };
            let may = |vid: &VlanId| {
                self.rights.holder(&local.gateway.name, *vid) == Some(&self.view.host)
            };
            let won = local.carried.iter().copied().filter(|vid| may(vid) && wins(vid));
            rights.push(if local.is_usable { won.collect() } else { BTreeSet::new() });
        }
        for (local, rights) in self.trunks.iter_mut().zip(rights) {
            local.forwards = rights;
        }
    }

    /// The trunk here by which a VID of a gateway bridge is forwarded: `preferred` if it is one, else the
    /// only one.
    pub(super) fn forwarder(&self, gateway: &Name, vid: VlanId, preferred: &Name) -> Option<&Name> {
        let forwards = |local: &&LocalTrunk<'_>| {
            local.gateway.name == *gateway && local.forwards.contains(&vid)
        };
        let names: Vec<&Name> =
            self.trunks.iter().filter(forwards).map(|local| &local.trunk.name).collect();
        match names[..] {
            [only] => Some(only),
            _ => names.into_iter().find(|name| *name == preferred),
        }
    }

    /// The ports that are here, each with what it is bound to: the name of its interface, or the
    /// address of a peer.
    pub(super) fn bindings(&self) -> BTreeMap<Name, String> {
        let trunks = self.trunks.iter().map(|local| (&local.trunk.name, local.interface));
        let accesses = self.accesses.iter().map(|local| (&local.port.name, local.interface));
        trunks
            .chain(accesses)
            .filter_map(|(port, id)| {
                Some((port.clone(), self.view.interface(id)?.name.to_string()))
            })
            .chain(self.underlay.bindings())
            .collect()
    }

    /// Bridges that are here and on other hosts, which no tunnel joins.
    fn note_separated(&self, notes: &mut Vec<Note>) {
        let here = &self.view.host;
        for (bridge, hosts) in self.presence.iter().filter(|(_, hosts)| hosts.contains(here)) {
            let has_vni = self.topology.bridges.get(*bridge).is_some_and(|b| b.vni.is_some());
            let apart = |host: &&&Name| {
                **host != here && !(has_vni && self.underlay.peer_named(host).is_some())
            };
            let others: Vec<Name> =
                hosts.iter().filter(apart).map(|host| (*host).clone()).collect();
            let (bridge, others) = ((*bridge).clone(), Hosts(others));
            if others.0.is_empty() {
                continue;
            }
            notes.push(if has_vni {
                Note::NoCommonZone { bridge, others }
            } else {
                Note::NoVni { bridge, others }
            });
        }
    }

    /// That one host alone forwards for a gateway bridge of which several have trunks, this one too.
    fn note_tree(&self, gateway: &GatewayBridge) -> Option<Note> {
        let tree = self.rights.tree(&gateway.name).filter(|tree| !tree.others.0.is_empty())?;
        let is_of_it = |local: &LocalTrunk<'_>| local.is_up && local.gateway.name == gateway.name;
        self.trunks.iter().any(is_of_it).then(|| Note::TreeOnOneHost {
            gateway_bridge: gateway.name.clone(),
            host: tree.host.clone(),
            others: tree.others.clone(),
            left_out: tree.left_out.clone(),
        })
    }

    pub(super) fn notes(&self) -> Vec<Note> {
        let mut notes = Vec::new();
        if !self.topology.hosts.contains_key(&self.view.host) {
            notes.push(Note::HostUnknown { host: self.view.host.clone() });
        }
        notes.extend(self.waiting.iter().cloned());
        self.underlay.notes(&mut notes);
        self.note_separated(&mut notes);
        for gateway in self.topology.gateway_bridges.values() {
            let trunks = self.trunks.iter().filter(|local| local.gateway.name == gateway.name);
            if gateway.mode == RedundancyMode::StpTransparent
                && !gateway.transit
                && trunks.count() > 1
            {
                let gateway_bridge = gateway.name.clone();
                notes.push(Note::TreeWithoutTransit { gateway_bridge });
            }
            notes.extend(self.note_tree(gateway));
        }
        for local in &self.trunks {
            if let Some(vid) = local.trunk.native
                && !self.topology.linked_vids(&local.gateway.name).contains(&vid)
                && !local.gateway.transits()
            {
                let trunk = ObjectRef::new(Kind::Trunk, &local.trunk.name);
                notes.push(Note::NativeUnlinked { trunk, vid });
            }
        }
        notes
    }
}
