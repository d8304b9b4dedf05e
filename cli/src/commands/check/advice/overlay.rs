//! What is valid in the overlay of a site and still will not carry a frame.

use std::collections::{BTreeMap, BTreeSet};

use bridge_model::topology::{Kind, Topology};
use bridge_model::types::Name;

use super::Advice;

/// The problems of hosts, zones and tunnels, and of bridges that lie on several hosts.
pub(super) fn problems(topology: &Topology, found: &mut Vec<Advice>) {
    split_bridges(topology, found);
    hosts(topology, found);
    zones(topology, found);
    tunnels(topology, found);
}

/// The hosts on which each bridge has a port or a trunk that leads into it.
fn hosts_of_bridges(topology: &Topology) -> BTreeMap<&Name, BTreeSet<&Name>> {
    let mut hosts: BTreeMap<&Name, BTreeSet<&Name>> = BTreeMap::new();
    for port in topology.access_ports.values() {
        if let Some(binding) = &port.binding {
            hosts.entry(&port.bridge).or_default().insert(&binding.host);
        }
    }
    for trunk in topology.trunks.values() {
        let Some(binding) = trunk.binding() else { continue };
        let carried = topology.carried_vids(trunk);
        for link in topology.links_of(&trunk.gateway_bridge) {
            if carried.contains(&link.key.vid) {
                hosts.entry(&link.bridge).or_default().insert(&binding.host);
            }
        }
    }
    hosts
}

/// Bridges whose ports lie on hosts that have no tunnel to each other.
fn split_bridges(topology: &Topology, found: &mut Vec<Advice>) {
    for (bridge, hosts) in hosts_of_bridges(topology) {
        let has_vni = topology.bridges.get(bridge).is_some_and(|bridge| bridge.vni.is_some());
        let apart = hosts.iter().flat_map(|a| hosts.iter().map(move |b| (*a, *b)));
        let apart = apart.filter(|(a, b)| a < b).find(|(a, b)| !has_vni || !tunnel(topology, a, b));
        let Some((a, b)) = apart else { continue };
        let (message, remedy) = if has_vni {
            (
                format!("it has ports on {a} and {b}, which are in no tunnel zone together"),
                "add both hosts to one of `tunnelZones`",
            )
        } else {
            (
                format!("it has ports on {a} and {b}, but no `vni`, so it is two networks"),
                "set `vni` on the bridge",
            )
        };
        found.push(Advice::new(Kind::Bridge, bridge, &message, remedy));
    }
}

fn tunnel(topology: &Topology, a: &Name, b: &Name) -> bool {
    let mut zones = topology.tunnel_zones.values();
    zones.any(|zone| zone.hosts.contains(a) && zone.hosts.contains(b))
}

fn hosts(topology: &Topology, found: &mut Vec<Advice>) {
    for (name, host) in &topology.hosts {
        let is_in_zone = topology.tunnel_zones.values().any(|zone| zone.hosts.contains(name));
        if is_in_zone && host.underlay.is_empty() {
            let message = "it is in a tunnel zone, but has no underlay link to send by";
            found.push(Advice::new(Kind::Host, name, message, "set `underlay`"));
        }
    }
}

fn zones(topology: &Topology, found: &mut Vec<Advice>) {
    for (name, zone) in &topology.tunnel_zones {
        let has_tunnel = topology.tunnels.values().any(|tunnel| tunnel.zone == *name);
        let message = match zone.hosts.len() {
            0 => "it has no host",
            1 if !has_tunnel => "it has one host only and no foreign endpoint",
            _ => continue,
        };
        let remedy = "add hosts to the zone, or remove it";
        found.push(Advice::new(Kind::TunnelZone, name, message, remedy));
    }
}

fn tunnels(topology: &Topology, found: &mut Vec<Advice>) {
    for (name, tunnel) in &topology.tunnels {
        if tunnel.bridges.is_empty() {
            let remedy = "add `bridges`, or remove the tunnel";
            found.push(Advice::new(Kind::Tunnel, name, "it carries no bridge", remedy));
        }
    }
}
