//! Learning domains: who is a member, who is flooded to.

use std::collections::{BTreeMap, BTreeSet};

use super::local::Local;
use super::underlay::LocalPeer;
use super::{
    Domain, FidTable, Member, MemberRoute, Note, Numbering, Place, PushTags, TUNNEL_GROUP,
};
use crate::topology::{Ageing, Bridge, Kind, LinkKey, ObjectRef, StaticMac};
use crate::types::{Fid, IndividualMac, InterfaceId, MemberId, Name, PeerId, Tpid, VlanId, Vni};

/// A place that a domain can send to at present.
#[derive(Debug)]
struct Planned {
    way: Way,
    split_horizon: u16,
}

/// How to get to a place.
#[derive(Clone, Copy, Debug)]
enum Way {
    Port { interface: InterfaceId, vid: Option<VlanId>, push: PushTags },
    Tunnel { peer: PeerId, vni: Vni },
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
        plan.add_peers(local);
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
                let way = Way::Port { interface, vid: None, push };
                let planned = Planned { way, split_horizon: 0 };
                members.insert(Place::Access(access.port.name.clone()), planned);
            }
        }
    }

    fn add_links(&mut self, local: &Local<'_>) {
        // The links of one bridge are numbered from 1: each is a split-horizon group.
        let mut groups: BTreeMap<&Name, u16> = BTreeMap::new();
        for (key, link) in &local.topology.vlan_links {
            let group = groups.entry(&link.bridge).or_default();
            *group = group.saturating_add(1).min(TUNNEL_GROUP - 1);
            let trunks = local
                .trunks
                .iter()
                .filter(|l| l.gateway.name == key.gateway_bridge && l.carried.contains(&key.vid));
            for trunk in trunks {
                let members = self.domain(bridge_domain(local, &link.bridge));
                let bridge = local.topology.bridges.get(&link.bridge);
                let bridge_up = bridge.is_some_and(|bridge| bridge.admin.is_up());
                if bridge_up && trunk.forwards.contains(&key.vid) {
                    let way = Way::Port {
                        interface: trunk.interface,
                        vid: Some(key.vid),
                        push: push_tags(trunk.trunk.tpid, key),
                    };
                    let split_horizon = if trunk.gateway.transits() { 0 } else { *group };
                    let planned = Planned { way, split_horizon };
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
                if trunk.forwards.contains(&vid) {
                    let key = LinkKey { gateway_bridge: gateway.clone(), vid, inner_vid: None };
                    let way = Way::Port {
                        interface: trunk.interface,
                        vid: Some(vid),
                        push: push_tags(trunk.trunk.tpid, &key),
                    };
                    let planned = Planned { way, split_horizon: 0 };
                    members.insert(trunk_place(&trunk.trunk.name, &key), planned);
                }
            }
        }
    }

    /// Other hosts and foreign endpoints, in every bridge that is here and there.
    fn add_peers(&mut self, local: &Local<'_>) {
        for (domain, members) in &mut self.domains {
            let Some((bridge, vni)) = tunnelled(local, domain) else { continue };
            for (peer, id) in local.underlay.peers.iter().zip((0..).map(PeerId)) {
                if is_member(local, bridge, peer) {
                    let way = Way::Tunnel { peer: id, vni };
                    let planned = Planned { way, split_horizon: TUNNEL_GROUP };
                    members.insert(Place::Peer(peer.port.clone()), planned);
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

/// The bridge of a domain whose frames may use tunnels, and its VNI.
fn tunnelled<'a>(local: &Local<'a>, domain: &Domain) -> Option<(&'a Bridge, Vni)> {
    let (Domain::Bridge(name) | Domain::Transparent(name)) = domain else { return None };
    let bridge = local.topology.bridges.get(name).filter(|bridge| bridge.admin.is_up())?;
    Some((bridge, bridge.vni?))
}

/// Whether frames of a bridge go to a peer: a host that has something of the bridge, or a foreign
/// endpoint that carries it. One that is down is nowhere.
fn is_member(local: &Local<'_>, bridge: &Bridge, peer: &LocalPeer<'_>) -> bool {
    let is_there = match peer.tunnel {
        Some(tunnel) => tunnel.bridges.contains(&bridge.name),
        None => local.presence.get(&bridge.name).is_some_and(|hosts| hosts.contains(peer.name)),
    };
    is_there && !local.view.peers_down.contains(peer.name)
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
    let mut tunnel_mtu: Option<u16> = None;
    for (place, planned) in planned {
        let number = numbering.member_of(domain, place);
        let (Some(member), Some(port)) = (number, numbering.port_id(place.port())) else {
            continue;
        };
        if members.len() <= member.index() {
            members.resize(member.index() + 1, unused);
        }
        let route = match planned.way {
            Way::Port { interface, vid, push } => MemberRoute::Port { interface, port, vid, push },
            Way::Tunnel { peer, vni } => {
                let found = local.underlay.peers.get(peer.index());
                let mtu = found.and_then(LocalPeer::inner_mtu);
                tunnel_mtu = tunnel_mtu.into_iter().chain(mtu).min();
                MemberRoute::Tunnel { peer, vni }
            }
        };
        if let Some(slot) = members.get_mut(member.index()) {
            *slot = Member { route, split_horizon: planned.split_horizon };
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
        suppress: bridge.is_some_and(|bridge| bridge.neighbor_suppression.is_on()),
        tunnel_mtu,
        clamp_mss: bridge.is_some_and(|bridge| bridge.mss_clamp.is_on()),
    }
}

/// The static MACs in force here, and notes on those that are not although they concern this host: their
/// port is bound here, or their bridge is here.
pub(super) fn static_macs(
    local: &Local<'_>,
    numbering: &Numbering,
) -> (Vec<(Fid, MemberId, IndividualMac)>, Vec<Note>) {
    let here = local.bindings();
    let mut in_force = Vec::new();
    let mut notes = Vec::new();
    for (key, entry) in &local.topology.static_macs {
        let place = static_place(local, entry);
        let fid = numbering.fid_of_bridge(&key.bridge, key.payload_vid);
        let domain = bridge_domain(local, &key.bridge);
        let member = place.as_ref().and_then(|place| numbering.member_of(&domain, place));
        if let (Some(fid), Some(member)) = (fid, member) {
            in_force.push((fid, member, key.mac));
        } else if here.contains_key(&entry.port)
            || fid.is_some() && !matches!(place, Some(Place::Access(_)))
        {
            let (entry, port) = (ObjectRef::new(Kind::StaticMac, key), entry.port.clone());
            notes.push(Note::StaticNotInForce { entry, port });
        }
    }
    in_force.sort_unstable();
    (in_force, notes)
}

/// The place that a static MAC names. An access port of another host is behind that host. What is in a
/// VLAN of a trunk is reached by whoever forwards that VLAN, which may be another trunk of the gateway
/// bridge or another host; `None` if nobody does.
fn static_place(local: &Local<'_>, entry: &StaticMac) -> Option<Place> {
    let topology = local.topology;
    let here = &local.view.host;
    if topology.tunnels.contains_key(&entry.port) {
        return Some(Place::Peer(Name::of_peer(&entry.port)));
    }
    if let (Some(trunk), Some((vid, inner_vid))) = (topology.trunks.get(&entry.port), entry.vid) {
        let gateway = &trunk.gateway_bridge;
        let holder = local.rights.holder(gateway, vid)?;
        if holder != here {
            return Some(Place::Peer(Name::of_peer(holder)));
        }
        let trunk = local.forwarder(gateway, vid, &trunk.name)?.clone();
        return Some(Place::Trunk { trunk, vid, inner_vid });
    }
    let port = topology.access_ports.get(&entry.port);
    Some(match port.and_then(|port| port.binding.as_ref()) {
        Some(binding) if binding.host != *here => Place::Peer(Name::of_peer(&binding.host)),
        _ => Place::Access(entry.port.clone()),
    })
}

/// What IPv6 needs of every link (RFC 8200 section 5), in octets.
const IPV6_MIN_MTU: u16 = 1280;

/// Notes on bridges whose tunnels are too narrow for IPv6.
pub(super) fn notes(fids: &[FidTable]) -> impl Iterator<Item = Note> {
    // A transparent bridge has many domains, which have the same tunnels.
    let mtus: BTreeMap<&Name, u16> =
        fids.iter().filter_map(|fid| Some((fid.owner.as_ref()?, fid.tunnel_mtu?))).collect();
    let narrow = mtus.into_iter().filter(|(_, mtu)| *mtu < IPV6_MIN_MTU);
    narrow.map(|(bridge, mtu)| Note::TooNarrowForIpv6 { bridge: bridge.clone(), mtu })
}
