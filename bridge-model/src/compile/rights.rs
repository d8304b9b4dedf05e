//! Which hosts may forward a VLAN, until leases say it: a pure function of the site, so that every host
//! comes to the same result.

use std::collections::{BTreeMap, BTreeSet};

use super::Hosts;
use crate::election;
use crate::topology::{RedundancyMode, Topology, TrunkPort, VlanSet};
use crate::types::{Name, VlanId};

/// The host with the right to forward, by gateway bridge and VID.
#[derive(Debug, Default)]
pub(super) struct Rights<'a> {
    holders: BTreeMap<(&'a Name, VlanId), &'a Name>,
    trees: BTreeMap<&'a Name, Tree<'a>>,
}

/// Who forwards for a gateway bridge that leaves loops to the fabric's spanning tree.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    /// The one host that does.
    pub(super) host: &'a Name,
    /// The hosts that stand by.
    pub(super) others: Hosts,
    /// VIDs that only they carry, and nobody forwards.
    pub(super) left_out: VlanSet,
}

impl<'a> Rights<'a> {
    /// Candidates are all trunks of the site that are administratively up and bound, whatever their
    /// carrier. In mode `lease` the host of the one that wins the election among those that carry the
    /// VID has the right. Otherwise one host is elected for the whole gateway bridge: a spanning tree
    /// whose frames do not pass between hosts must not meet two of them.
    pub(super) fn new(topology: &'a Topology) -> Self {
        let mut candidates: BTreeMap<&Name, Vec<(&TrunkPort, &Name)>> = BTreeMap::new();
        for trunk in topology.trunks.values().filter(|trunk| is_up(topology, trunk)) {
            if let Some(binding) = trunk.binding() {
                let trunks = candidates.entry(&trunk.gateway_bridge).or_default();
                trunks.push((trunk, &binding.host));
            }
        }
        let mut rights = Self::default();
        for (gateway, trunks) in candidates {
            match topology.gateway_bridges.get(gateway).map(|gateway| gateway.mode) {
                Some(RedundancyMode::Lease) => rights.elect_trunks(topology, gateway, &trunks),
                Some(RedundancyMode::StpTransparent | RedundancyMode::Mlag) | None => {
                    rights.elect_host(topology, gateway, &trunks);
                }
            }
        }
        rights
    }

    fn elect_trunks(
        &mut self,
        topology: &Topology,
        gateway: &'a Name,
        trunks: &[(&'a TrunkPort, &'a Name)],
    ) {
        let mut by_vid: BTreeMap<VlanId, BTreeMap<&Name, &'a Name>> = BTreeMap::new();
        for (trunk, host) in trunks {
            for vid in topology.carried_vids(trunk) {
                by_vid.entry(vid).or_default().insert(&trunk.name, host);
            }
        }
        for (vid, trunks) in by_vid {
            let winner = election::forwarder(vid, trunks.keys().copied());
            let host = winner.and_then(|winner| trunks.get(winner));
            self.holders.extend(host.map(|host| ((gateway, vid), *host)));
        }
    }

    fn elect_host(
        &mut self,
        topology: &Topology,
        gateway: &'a Name,
        trunks: &[(&'a TrunkPort, &'a Name)],
    ) {
        let mut by_host: BTreeMap<&'a Name, BTreeSet<VlanId>> = BTreeMap::new();
        for (trunk, host) in trunks {
            by_host.entry(host).or_default().extend(topology.carried_vids(trunk));
        }
        let counts = by_host.iter().map(|(host, vids)| (*host, vids.len()));
        let Some(host) = election::host_of_tree(gateway, counts) else { return };
        let carried = by_host.remove(host).unwrap_or_default();
        let left_out = by_host.values().flatten().filter(|vid| !carried.contains(vid)).copied();
        let (left_out, others) =
            (left_out.collect(), by_host.keys().map(|host| (*host).clone()).collect());
        self.trees.insert(gateway, Tree { host, others: Hosts(others), left_out });
        self.holders.extend(carried.into_iter().map(|vid| ((gateway, vid), host)));
    }

    /// The host that may forward `vid` of a gateway bridge.
    pub(super) fn holder(&self, gateway: &'a Name, vid: VlanId) -> Option<&'a Name> {
        self.holders.get(&(gateway, vid)).copied()
    }

    /// Who forwards for a gateway bridge in a mode other than `lease`, if it has a trunk.
    pub(super) fn tree(&self, gateway: &Name) -> Option<&Tree<'a>> {
        self.trees.get(gateway)
    }
}

fn is_up(topology: &Topology, trunk: &TrunkPort) -> bool {
    let gateway = topology.gateway_bridges.get(&trunk.gateway_bridge);
    trunk.admin.is_up() && gateway.is_some_and(|gateway| gateway.admin.is_up())
}

/// The hosts where each bridge has something to send to: an access port that is administratively up
/// and bound, or the right to forward a VLAN link. By bridge; one that is down is nowhere.
pub(super) fn presence<'a>(
    topology: &'a Topology,
    rights: &Rights<'a>,
) -> BTreeMap<&'a Name, BTreeSet<&'a Name>> {
    let mut presence: BTreeMap<&Name, BTreeSet<&Name>> = BTreeMap::new();
    let is_up = |bridge: &Name| topology.bridges.get(bridge).is_some_and(|b| b.admin.is_up());
    for port in topology.access_ports.values().filter(|port| port.admin.is_up()) {
        if let Some(binding) = port.binding.as_ref().filter(|_| is_up(&port.bridge)) {
            presence.entry(&port.bridge).or_default().insert(&binding.host);
        }
    }
    for (key, link) in topology.vlan_links.iter().filter(|(_, link)| is_up(&link.bridge)) {
        let host = rights.holder(&key.gateway_bridge, key.vid);
        presence.entry(&link.bridge).or_default().extend(host);
    }
    presence
}
