//! The bridge ports that the site binds to this host, and what each does with data.

use bridge_model::compile::{Class, HostView, Link, Tables, TaggedClasses};
use bridge_model::reason::DropReason;
use bridge_model::topology::{AdminState, Binding, Kind, ObjectRef, Topology, VlanSet};
use bridge_model::types::{InterfaceId, Name, VlanId};

/// What a port does with data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortState {
    /// It forwards.
    Forwarding,
    /// Other trunks of its gateway bridge forward all its VLANs.
    Standby,
    /// It, its bridge or its gateway bridge is administratively down.
    AdminDown,
    /// Its interface has no carrier.
    LinkDown,
    /// Its interface is missing from the node file, or from the machine.
    Waiting,
}

/// A bridge port of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortView {
    /// Its name.
    pub name: Name,
    /// [`Kind::Trunk`] or [`Kind::AccessPort`].
    pub kind: Kind,
    /// The bridge or gateway bridge it belongs to.
    pub bridge: Name,
    /// The interface it is bound to.
    pub interface: Name,
    /// That interface, if the node file has it.
    pub interface_id: Option<InterfaceId>,
    /// Administrative state of the port itself.
    pub admin: AdminState,
    /// What it does with data.
    pub state: PortState,
    /// The VIDs that it forwards; empty for an access port.
    pub forwarding: VlanSet,
}

impl PortView {
    /// `trunks/<name>` or `accessPorts/<name>`.
    pub fn object(&self) -> ObjectRef {
        ObjectRef::new(self.kind, &self.name)
    }
}

/// The ports that `topology` binds to the host of `view`, in the order of their names. `absent` says
/// which interfaces of the node file are not there.
pub fn local(
    topology: &Topology,
    view: &HostView,
    tables: &Tables,
    absent: impl Fn(InterfaceId) -> bool,
) -> Vec<PortView> {
    let here = Here { view, tables, absent: &absent };
    let trunks = topology.trunks.values().filter_map(|trunk| {
        let binding = trunk.binding()?;
        let gateway = topology.gateway_bridges.get(&trunk.gateway_bridge)?;
        let up = trunk.admin.is_up() && gateway.admin.is_up();
        let (interface_id, forwarding, standby) = here.trunk(binding)?;
        Some(PortView {
            name: trunk.name.clone(),
            kind: Kind::Trunk,
            bridge: trunk.gateway_bridge.clone(),
            interface: binding.interface.clone(),
            interface_id,
            admin: trunk.admin,
            state: here.state(interface_id, up, standby && forwarding.is_empty()),
            forwarding,
        })
    });
    let accesses = topology.access_ports.values().filter_map(|port| {
        let binding = port.binding.as_ref().filter(|binding| binding.host == view.host)?;
        let bridge = topology.bridges.get(&port.bridge)?;
        let interface_id = view.interface_id(&binding.interface);
        Some(PortView {
            name: port.name.clone(),
            kind: Kind::AccessPort,
            bridge: port.bridge.clone(),
            interface: binding.interface.clone(),
            interface_id,
            admin: port.admin,
            state: here.state(interface_id, port.admin.is_up() && bridge.admin.is_up(), false),
            forwarding: VlanSet::default(),
        })
    });
    let mut ports: Vec<_> = trunks.chain(accesses).collect();
    ports.sort_by(|a, b| a.name.cmp(&b.name));
    ports
}

struct Here<'a> {
    view: &'a HostView,
    tables: &'a Tables,
    absent: &'a dyn Fn(InterfaceId) -> bool,
}

impl Here<'_> {
    /// The interface of a trunk of this host, the VIDs it forwards, and whether others forward some.
    fn trunk(&self, binding: &Binding) -> Option<(Option<InterfaceId>, VlanSet, bool)> {
        if binding.host != self.view.host {
            return None;
        }
        let id = self.view.interface_id(&binding.interface);
        let table = id.and_then(|id| self.tables.interfaces.get(id.index()));
        let mut forwarding = VlanSet::default();
        let mut standby = false;
        if let Some(TaggedClasses::Trunk { classes, .. }) = table.map(|table| &table.tagged) {
            for vid in VlanId::all() {
                match classes.get(vid) {
                    Class::Forward { .. } | Class::Stacked(_) => {
                        forwarding.insert_range(vid, vid);
                    }
                    Class::Underlay(_) | Class::Kernel(_) => {}
                    Class::Drop(reason) => standby |= *reason == DropReason::TrunkStandby,
                }
            }
        }
        Some((id, forwarding, standby))
    }

    fn state(&self, id: Option<InterfaceId>, up: bool, standby: bool) -> PortState {
        let Some(id) = id.filter(|id| !(self.absent)(*id)) else { return PortState::Waiting };
        let link = self.view.interface(id).map_or(Link::Down, |interface| interface.link);
        match (up, link) {
            (false, _) => PortState::AdminDown,
            (true, Link::Down) => PortState::LinkDown,
            (true, Link::Up) if standby => PortState::Standby,
            (true, Link::Up) => PortState::Forwarding,
        }
    }
}

#[cfg(test)]
mod tests;
