//! Learning domains: who is a member, who is flooded to.

use std::collections::{BTreeMap, BTreeSet};

use super::local::Local;
use super::{Domain, FidTable, Member, MemberRoute, Note, Numbering, Place, PushTags};
use crate::topology::{Ageing, Kind, LinkKey, ObjectRef};
use crate::types::{Fid, IndividualMac, InterfaceId, MemberId, Name, Tpid, VlanId};

/// A place that a domain can send to at present.
#[derive(Debug)]
struct Planned {
    interface: InterfaceId,
    vid: Option<VlanId>,
    push: PushTags,
    split_horizon: u16,
}

/// Every learning domain of this host with its members, by name.
#[derive(Debug)]
pub(super) struct Plan {
    domains: BTreeMap<Domain, BTreeMap<Place, Planned>>,
}

/// The domain in which a bridge learns.
pub(super) fn bridge_domain(local: &Local<'_>, bridge: &Name) -> Domain {
    match local.topology.bridges.get(bridge) {
        Some(found) if found.transparent => Domain::Transparent(bridge.clone()),
        _ => Domain::Bridge(bridge.clone()),
    }
}

impl Plan {
    pub(super) fn new(local: &Local<'_>) -> Self {
        let mut plan = Self { domains: BTreeMap::new() };
        plan.add_access_ports(local);
        plan.add_links(local);
        plan.add_transit(local);
        plan
    }

    fn domain(&mut self, domain: Domain) -> &mut BTreeMap<Place, Planned> {
        self.domains.entry(domain).or_default()
    }

    fn add_access_ports(&mut self, local: &Local<'_>) {
        for access in &local.accesses {
            let members = self.domain(bridge_domain(local, &access.bridge.name));
            if access.is_usable {
                let (interface, push) = (access.interface, PushTags::None);
                let planned = Planned { interface, vid: None, push, split_horizon: 0 };
                members.insert(Place::Access(access.port.name.clone()), planned);
            }
        }
    }

    fn add_links(&mut self, local: &Local<'_>) {
        // The links of one bridge are numbered from 1: each is a split-horizon group.
        let mut groups: BTreeMap<&Name, u16> = BTreeMap::new();
        for (key, link) in &local.topology.vlan_links {
            let group = groups.entry(&link.bridge).or_default();
            *group = group.saturating_add(1);
            let trunks = local
                .trunks
                .iter()
                .filter(|l| l.gateway.name == key.gateway_bridge && l.carried.contains(&key.vid));
            for trunk in trunks {
                let members = self.domain(bridge_domain(local, &link.bridge));
                let bridge = local.topology.bridges.get(&link.bridge);
                let bridge_up = bridge.is_some_and(|bridge| bridge.admin.is_up());
                if bridge_up && trunk.forwards.contains(&key.vid) {
                    let planned = Planned {
                        interface: trunk.interface,
                        vid: Some(key.vid),
                        push: push_tags(trunk.trunk.tpid, key),
                        split_horizon: if trunk.gateway.transits() { 0 } else { *group },
                    };
                    members.insert(trunk_place(&trunk.trunk.name, key), planned);
                }
            }
        }
    }

    /// VIDs without a link that pass from trunk to trunk all the same.
    fn add_transit(&mut self, local: &Local<'_>) {
        let mut linked = BTreeMap::new();
        for trunk in local.trunks.iter().filter(|local| local.gateway.transits()) {
            let gateway = &trunk.gateway.name;
            let linked: &BTreeSet<VlanId> =
                linked.entry(gateway).or_insert_with(|| local.topology.linked_vids(gateway));
            for &vid in trunk.carried.difference(linked) {
                let members = self.domain(Domain::Transit(gateway.clone(), vid));
                if trunk.is_usable {
                    let key = LinkKey { gateway_bridge: gateway.clone(), vid, inner_vid: None };
                    let planned = Planned {
                        interface: trunk.interface,
                        vid: Some(vid),
                        push: push_tags(trunk.trunk.tpid, &key),
                        split_horizon: 0,
                    };
                    members.insert(trunk_place(&trunk.trunk.name, &key), planned);
                }
            }
        }
    }

    pub(super) fn places(&self) -> BTreeMap<Domain, BTreeSet<Place>> {
        self.domains
            .iter()
            .map(|(domain, members)| (domain.clone(), members.keys().cloned().collect()))
            .collect()
    }

    pub(super) fn build(&self, local: &Local<'_>, numbering: &Numbering) -> Vec<FidTable> {
        let mut fids: Vec<FidTable> = Vec::new();
        for (domain, members) in &self.domains {
            let Some(fid) = numbering.fid_of(domain) else { continue };
            let table = fid_table(local, numbering, domain, members);
            let copies = if matches!(domain, Domain::Transparent(_)) {
                usize::from(super::numbering::TRANSPARENT_WIDTH)
            } else {
                1
            };
            let end = fid.index() + copies;
            if fids.len() < end {
                fids.resize(end, FidTable::default());
            }
            if let Some(slots) = fids.get_mut(fid.index()..end) {
                slots.fill(table);
            }
        }
        fids
    }
}

fn trunk_place(trunk: &Name, key: &LinkKey) -> Place {
    Place::Trunk { trunk: trunk.clone(), vid: key.vid, inner_vid: key.inner_vid }
}

fn push_tags(tpid: Tpid, key: &LinkKey) -> PushTags {
    match key.inner_vid {
        None => PushTags::One(tpid, key.vid),
        Some(inner) => PushTags::Two(tpid, key.vid, inner),
    }
}

fn fid_table(
    local: &Local<'_>,
    numbering: &Numbering,
    domain: &Domain,
    planned: &BTreeMap<Place, Planned>,
) -> FidTable {
    let bridge = match domain {
        Domain::Bridge(name) | Domain::Transparent(name) => local.topology.bridges.get(name),
        Domain::Transit(..) => None,
    };
    let unused = Member { route: MemberRoute::Retired, split_horizon: 0 };
    let mut members = vec![unused];
    let mut flood = Vec::new();
    for (place, planned) in planned {
        let number = numbering.member_of(domain, place);
        let (Some(member), Some(port)) = (number, numbering.port_id(place.port())) else {
            continue;
        };
        if members.len() <= member.index() {
            members.resize(member.index() + 1, unused);
        }
        if let Some(slot) = members.get_mut(member.index()) {
            let Planned { interface, vid, push, split_horizon } = *planned;
            let route = MemberRoute::Port { interface, port, vid, push };
            *slot = Member { route, split_horizon };
        }
        flood.push(member);
    }
    flood.sort_unstable();
    FidTable {
        owner: Some(domain.owner().clone()),
        ageing: bridge.map_or(Ageing::default(), |bridge| bridge.ageing).get(),
        mac_limit: bridge.and_then(|bridge| bridge.mac_limit),
        members,
        flood,
        suppress: false,
        tunnel_mtu: None,
        clamp_mss: false,
    }
}

/// The static MACs in force here, and notes on those that are not although their port is bound here.
pub(super) fn static_macs(
    local: &Local<'_>,
    numbering: &Numbering,
) -> (Vec<(Fid, MemberId, IndividualMac)>, Vec<Note>) {
    let here = local.bindings();
    let mut in_force = Vec::new();
    let mut notes = Vec::new();
    for (key, entry) in &local.topology.static_macs {
        let place = match entry.vid {
            None => Place::Access(entry.port.clone()),
            Some((vid, inner_vid)) => Place::Trunk { trunk: entry.port.clone(), vid, inner_vid },
        };
        let fid = numbering.fid_of_bridge(&key.bridge, key.payload_vid);
        let member = numbering.member_of(&bridge_domain(local, &key.bridge), &place);
        if let (Some(fid), Some(member)) = (fid, member) {
            in_force.push((fid, member, key.mac));
        } else if here.contains_key(&entry.port) {
            let (entry, port) = (ObjectRef::new(Kind::StaticMac, key), entry.port.clone());
            notes.push(Note::StaticNotInForce { entry, port });
        }
    }
    in_force.sort_unstable();
    (in_force, notes)
}
