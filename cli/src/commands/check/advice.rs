//! What is valid in a site and still will not carry a frame.

mod overlay;

use std::collections::BTreeMap;

use bridge_model::topology::{Attachment, Kind, ObjectRef, RedundancyMode, Topology};
use bridge_model::types::Name;
use serde::Serialize;

/// A problem that the document may have on purpose, but probably has not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Advice {
    /// Resource name of the object.
    pub(super) object: String,
    /// What is the matter.
    pub(super) message: String,
    /// What to do.
    pub(super) remedy: String,
}

impl Advice {
    fn new(kind: Kind, id: impl std::fmt::Display, message: &str, remedy: &str) -> Self {
        Self {
            object: ObjectRef::new(kind, id).to_string(),
            message: message.to_owned(),
            remedy: remedy.to_owned(),
        }
    }
}

/// The problems of a valid site, kind by kind, in the order of names.
pub(super) fn problems(topology: &Topology) -> Vec<Advice> {
    let mut found = Vec::new();
    bridges(topology, &mut found);
    gateway_bridges(topology, &mut found);
    trunks(topology, &mut found);
    vlan_links(topology, &mut found);
    access_ports(topology, &mut found);
    overlay::problems(topology, &mut found);
    found
}

/// How many ways lead into each bridge.
fn ways(topology: &Topology) -> BTreeMap<&Name, usize> {
    let links = topology.vlan_links.values().map(|link| &link.bridge);
    let ports = topology.access_ports.values().map(|port| &port.bridge);
    let tunnels = topology.tunnels.values().flat_map(|tunnel| &tunnel.bridges);
    let mut ways = BTreeMap::new();
    for bridge in links.chain(ports).chain(tunnels) {
        *ways.entry(bridge).or_default() += 1;
    }
    ways
}

fn bridges(topology: &Topology, found: &mut Vec<Advice>) {
    let ways = ways(topology);
    for name in topology.bridges.keys() {
        let message = match ways.get(name).copied().unwrap_or(0) {
            0 => "it has neither an access port nor a VLAN link",
            1 => "only one port, VLAN link or tunnel leads into it, so no frame can leave it",
            _ => continue,
        };
        let remedy = "add an access port or a VLAN link, or remove the bridge";
        found.push(Advice::new(Kind::Bridge, name, message, remedy));
    }
}

fn gateway_bridges(topology: &Topology, found: &mut Vec<Advice>) {
    for (name, gateway) in &topology.gateway_bridges {
        if gateway.mode == RedundancyMode::Mlag {
            let remedy = "use `lease` or `stp-transparent`";
            let message = "mode `mlag` is not in this release, and `apply` refuses it";
            found.push(Advice::new(Kind::GatewayBridge, name, message, remedy));
        }
        if !topology.trunks.values().any(|trunk| trunk.gateway_bridge == *name) {
            let message = "it has no trunk, so none of its VLANs reaches a wire";
            let remedy = "add a trunk that names it as `gatewayBridge`";
            found.push(Advice::new(Kind::GatewayBridge, name, message, remedy));
        }
    }
}

fn trunks(topology: &Topology, found: &mut Vec<Advice>) {
    for (name, trunk) in &topology.trunks {
        let (message, remedy) = match &trunk.attachment {
            None => ("it is bound to no interface", "set `host` and `interface`"),
            Some(Attachment::Lag(_)) => (
                "trunks on an aggregation are not in this release, and `apply` refuses them",
                "set `host` and `interface` instead of `lag`",
            ),
            Some(Attachment::Interface(_)) => continue,
        };
        found.push(Advice::new(Kind::Trunk, name, message, remedy));
    }
}

fn vlan_links(topology: &Topology, found: &mut Vec<Advice>) {
    for (key, link) in &topology.vlan_links {
        let mut trunks =
            topology.trunks.values().filter(|t| t.gateway_bridge == key.gateway_bridge).peekable();
        let has_trunk = trunks.peek().is_some();
        let is_carried = trunks
            .any(|trunk| trunk.allowed.as_ref().is_none_or(|allowed| allowed.contains(key.vid)));
        if has_trunk && !is_carried {
            let message = format!("no trunk of {} allows VID {}", key.gateway_bridge, link.key.vid);
            let remedy = "add the VID to `allowed` of a trunk, or remove the link";
            found.push(Advice::new(Kind::VlanLink, key, &message, remedy));
        }
    }
}

fn access_ports(topology: &Topology, found: &mut Vec<Advice>) {
    for (name, port) in &topology.access_ports {
        if port.binding.is_none() {
            let message = "it is bound to no interface";
            found.push(Advice::new(Kind::AccessPort, name, message, "set `host` and `interface`"));
        }
    }
}

#[cfg(test)]
mod tests;
