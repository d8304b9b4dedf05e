//! What holds for the tables of every host of every site.

use std::collections::{BTreeMap, BTreeSet};

use bridge_model::compile::{
    Class, Compiled, HostView, Link, MemberRoute, Numbering, TUNNEL_GROUP, Tables, TaggedClasses,
    compile,
};
use bridge_model::topology::{RedundancyMode, Topology};
use bridge_model::types::{Fid, MemberId, Name, Revision};
use proptest::prelude::*;
use proptest::sample::subsequence;

use crate::generated::{HOSTS, INTERFACES, PEER_NAMES, site};
use crate::world::{name, view};

fn host(host: &str) -> HostView {
    HostView { host: name(host), ..view(&INTERFACES) }
}

fn all_hosts(site: &Topology) -> BTreeMap<Name, Compiled> {
    let compiled = |id: &&str| {
        let compiled = compile(site, &host(id), &mut Numbering::default(), Revision(1));
        (name(id), compiled.unwrap())
    };
    HOSTS.iter().map(compiled).collect()
}

/// Every class of an interface.
fn classes(tables: &Tables) -> Vec<&Class> {
    let mut all = Vec::new();
    for interface in &tables.interfaces {
        all.push(&interface.untagged);
        match &interface.tagged {
            TaggedClasses::All(class) => all.push(class),
            TaggedClasses::Trunk { classes, .. } => all.extend(classes.0.iter()),
            TaggedClasses::Transparent { .. } => {}
        }
    }
    let mut inside = Vec::new();
    for class in &all {
        if let Class::Stacked(classes) = class {
            inside.extend(classes.0.iter());
        }
    }
    all.extend(inside);
    all
}

fn check_members(tables: &Tables, down: &BTreeSet<Name>) {
    let peers = &tables.underlay.peers;
    for fid in tables.fids.iter().filter(|fid| fid.owner.is_some()) {
        let used = |member: &MemberId| fid.members[member.index()].route != MemberRoute::Retired;
        assert!(fid.flood.iter().all(used), "a flood list names a member that is not used");
        assert!(fid.flood.windows(2).all(|pair| pair[0] < pair[1]), "not ascending");
        let mut seen = BTreeSet::new();
        for member in &fid.members {
            let is_tunnel = matches!(member.route, MemberRoute::Tunnel { .. });
            assert_eq!(member.split_horizon == TUNNEL_GROUP, is_tunnel);
            if let MemberRoute::Tunnel { peer, vni } = member.route {
                assert!(seen.insert(peer), "a peer is in a flood list twice");
                assert!(
                    !down.contains(&peers[peer.index()].name),
                    "a peer that is down is somewhere"
                );
                assert!(tables.underlay.vnis[&vni].members.contains_key(&peer));
            }
        }
        let used = fid.members.iter().filter(|m| m.route != MemberRoute::Retired).count();
        assert_eq!(used, fid.flood.len(), "a member is not flooded to");
    }
    for (vni, table) in &tables.underlay.vnis {
        for (peer, member) in &table.members {
            let route = tables.fids[table.fid.index()].members[member.index()].route;
            assert_eq!(route, MemberRoute::Tunnel { peer: *peer, vni: *vni });
        }
        assert!(table.is_up || table.members.is_empty(), "a bridge that is down has peers");
    }
}

fn check_references(tables: &Tables) {
    for class in classes(tables) {
        match class {
            Class::Forward { fid, member } => {
                let route = tables.fids[fid.index()].members[member.index()].route;
                assert!(matches!(route, MemberRoute::Port { .. }), "{class:?} is {route:?}");
            }
            Class::Underlay(link) | Class::Kernel(link) => {
                assert!(link.index() < tables.underlay.links.len());
            }
            Class::Drop(_) | Class::Stacked(_) => {}
        }
    }
    let underlay = &tables.underlay;
    for link in &underlay.links {
        let port = &tables.ports[usize::from(link.port.0)];
        let interface = &tables.interfaces[link.interface.index()];
        assert_eq!(port.name, Name::of_underlay(&interface.name, link.vlan));
    }
    let mut remotes = BTreeSet::new();
    for peer in &underlay.peers {
        assert_eq!(tables.ports[usize::from(peer.port.0)].name, Name::of_peer(&peer.name));
        assert_eq!(peer.local.is_ipv4(), peer.remote.is_ipv4());
        assert!(underlay.local.contains(&peer.local) && !underlay.local.contains(&peer.remote));
        assert!(remotes.insert(peer.remote), "two peers at {}", peer.remote);
        assert!(peer.paths.len() <= 8 && (peer.mtu == 0) == peer.paths.is_empty());
        for path in &peer.paths {
            let link = &underlay.links[path.link.index()];
            assert!(link.addresses.iter().any(|net| net.contains(&path.next_hop)));
            assert!(peer.mtu <= link.mtu);
        }
    }
}

/// The (gateway bridge, VID) pairs that a host forwards by its trunks.
fn forwarded(site: &Topology, compiled: &Compiled) -> BTreeSet<(Name, u16)> {
    let tables = &compiled.tables;
    let mut found = BTreeSet::new();
    for fid in tables.fids.iter().filter(|fid| fid.owner.is_some()) {
        for member in &fid.members {
            if let MemberRoute::Port { port, vid: Some(vid), .. } = member.route {
                let trunk = &site.trunks[&tables.ports[usize::from(port.0)].name];
                found.insert((trunk.gateway_bridge.clone(), vid.get()));
            }
        }
    }
    found
}

/// Whether a bridge has something to send to on a host, beside tunnels.
fn has_exits(compiled: &Compiled, bridge: &Name) -> bool {
    compiled.tables.fids.iter().filter(|fid| fid.owner.as_ref() == Some(bridge)).any(|fid| {
        fid.members.iter().any(|member| matches!(member.route, MemberRoute::Port { .. }))
    })
}

fn tunnels_to(compiled: &Compiled, bridge: &Name, host: &Name) -> bool {
    let tables = &compiled.tables;
    tables.fids.iter().filter(|fid| fid.owner.as_ref() == Some(bridge)).any(|fid| {
        fid.members.iter().any(|member| match member.route {
            MemberRoute::Tunnel { peer, .. } => tables.underlay.peers[peer.index()].name == *host,
            _ => false,
        })
    })
}

/// Every number that stands for something, and what for.
fn numbers(tables: &Tables, numbering: &Numbering) -> BTreeMap<(Fid, MemberId), Name> {
    let mut all = BTreeMap::new();
    for (fid, table) in (0..).map(Fid).zip(&tables.fids) {
        for member in (0..).map(MemberId).take(table.members.len()) {
            if let Some(location) = numbering.locate(fid, member) {
                all.insert((fid, member), location.port);
            }
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_tables_of_every_host_hold_together(
        site in site(),
        down in subsequence(&PEER_NAMES[..], 0..=3),
        dark in subsequence(&[0, 1, 2, 3, 4, 5][..], 0..=2),
    ) {
        for id in HOSTS {
            let mut view = host(id);
            view.peers_down = down.iter().map(|peer| name(peer)).collect();
            for index in &dark {
                view.interfaces[*index].link = Link::Down;
            }
            let mut numbering = Numbering::default();
            let compiled = compile(&site, &view, &mut numbering, Revision(1)).unwrap();
            check_members(&compiled.tables, &view.peers_down);
            check_references(&compiled.tables);
            for (fid, member, _) in &compiled.static_macs {
                let route = compiled.tables.fids[fid.index()].members[member.index()].route;
                prop_assert_ne!(route, MemberRoute::Retired);
            }
        }
    }

    #[test]
    fn one_host_of_the_site_forwards_a_vlan_and_for_spanning_tree_all_vlans(site in site()) {
        let mut holders: BTreeMap<(Name, Option<u16>), Name> = BTreeMap::new();
        for (host, compiled) in all_hosts(&site) {
            for (gateway, vid) in forwarded(&site, &compiled) {
                let is_lease = site.gateway_bridges[&gateway].mode == RedundancyMode::Lease;
                let key = (gateway, is_lease.then_some(vid));
                let other = holders.insert(key.clone(), host.clone());
                let is_alone = other.as_ref().is_none_or(|other| *other == host);
                prop_assert!(is_alone, "{key:?} is forwarded on {other:?} and on {host}");
            }
        }
    }

    /// With all interfaces up: a host sends frames of a bridge to exactly those peers of its zones
    /// that can send them on, in the form that they expect.
    #[test]
    fn two_hosts_of_a_zone_see_each_other_alike(site in site()) {
        let hosts = all_hosts(&site);
        for (here, compiled) in &hosts {
            for peer in &compiled.tables.underlay.peers {
                let Some(there) = hosts.get(&peer.name) else { continue };
                let back = there.tables.underlay.peers.iter().find(|back| back.name == *here);
                let back = back.unwrap();
                prop_assert_eq!((peer.local, peer.remote), (back.remote, back.local));
                prop_assert_eq!(peer.encapsulation, back.encapsulation);
                for bridge in site.bridges.values().filter(|bridge| bridge.vni.is_some()) {
                    let is_here =
                        compiled.tables.fids.iter().any(|fid| fid.owner.as_ref() == Some(&bridge.name));
                    prop_assert_eq!(
                        tunnels_to(compiled, &bridge.name, &peer.name),
                        is_here && has_exits(there, &bridge.name),
                        "{} from {} to {}", bridge.name, here, peer.name
                    );
                }
            }
        }
    }

    #[test]
    fn numbers_mean_the_same_after_another_compile(
        site in site(),
        down in subsequence(&PEER_NAMES[..], 0..=3),
        other in site(),
    ) {
        let mut numbering = Numbering::default();
        let up = host("h");
        let first = compile(&site, &up, &mut numbering, Revision(1)).unwrap();
        let before = numbers(&first.tables, &numbering);
        let again = compile(&site, &up, &mut numbering, Revision(1)).unwrap();
        prop_assert_eq!(&again, &first);
        prop_assert!(numbering.retired().is_empty() && numbering.retired_fids().is_empty());
        // Without some peers, all other numbers stay.
        let mut view = up.clone();
        view.peers_down = down.iter().map(|peer| name(peer)).collect();
        let without = compile(&site, &view, &mut numbering, Revision(2)).unwrap();
        let mut expected = before.clone();
        expected.retain(|_, port| !port.peer().is_some_and(|peer| view.peers_down.contains(peer)));
        prop_assert_eq!(numbers(&without.tables, &numbering), expected);
        // Whatever comes next, a number that is not released is not given to somebody else.
        let retired: BTreeSet<(Fid, MemberId)> = numbering.retired().into_iter().collect();
        let changed = compile(&other, &up, &mut numbering, Revision(3)).unwrap();
        let fids = numbering.retired_fids();
        let after = numbers(&changed.tables, &numbering);
        prop_assert!(after.keys().all(|key| !retired.contains(key) && !fids.contains(&key.0)));
    }
}
