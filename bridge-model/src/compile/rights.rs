//! Which hosts may forward a VLAN, until leases say it: a pure function of the site, so that every host
//! comes to the same result.

use std::collections::{BTreeMap, BTreeSet};

use crate::election;
use crate::topology::{RedundancyMode, Topology, TrunkPort};
use crate::types::{Name, VlanId};

/// The hosts with the right to forward, by gateway bridge and VID.
#[derive(Debug, Default)]
pub(super) struct Rights<'a>(BTreeMap<(&'a Name, VlanId), BTreeSet<&'a Name>>);

impl<'a> Rights<'a> {
    /// In mode `lease` the host of the one trunk that wins the election among all trunks of the site
    /// that are administratively up, bound and carry the VID, whatever their carrier; otherwise the
    /// hosts of all of these.
    pub(super) fn new(topology: &'a Topology) -> Self {
        let mut candidates: BTreeMap<(&Name, VlanId), Vec<(&Name, &Name)>> = BTreeMap::new();
        let mut rights = Self::default();
        for trunk in topology.trunks.values().filter(|trunk| is_up(topology, trunk)) {
            let Some(binding) = trunk.binding() else { continue };
            for vid in topology.carried_vids(trunk) {
                let key = (&trunk.gateway_bridge, vid);
                candidates.entry(key).or_default().push((&trunk.name, &binding.host));
            }
        }
        for (key @ (gateway, vid), trunks) in candidates {
            let mode = topology.gateway_bridges.get(gateway).map(|gateway| gateway.mode);
            let winner = match mode {
                Some(RedundancyMode::Lease) => {
                    election::forwarder(vid, trunks.iter().map(|(trunk, _)| *trunk))
                }
                Some(RedundancyMode::StpTransparent | RedundancyMode::Mlag) | None => None,
            };
            let wins = |trunk: &Name| winner.is_none_or(|winner| winner == trunk);
            let hosts = trunks.iter().filter(|(trunk, _)| wins(trunk)).map(|(_, host)| *host);
            rights.0.insert(key, hosts.collect());
        }
        rights
    }

    /// Whether `host` may forward `vid` of a gateway bridge.
    pub(super) fn may_forward(&self, gateway: &'a Name, vid: VlanId, host: &Name) -> bool {
        self.hosts(gateway, vid).is_some_and(|hosts| hosts.contains(host))
    }

    /// The hosts that may forward `vid` of a gateway bridge.
    fn hosts(&self, gateway: &'a Name, vid: VlanId) -> Option<&BTreeSet<&'a Name>> {
        self.0.get(&(gateway, vid))
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
        let hosts = rights.hosts(&key.gateway_bridge, key.vid);
        presence.entry(&link.bridge).or_default().extend(hosts.into_iter().flatten());
    }
    presence
}
