//! Who forwards a VLAN in a site of several hosts, and where static MACs of other hosts are.

use bridge_model::compile::{Class, Compiled, HostView, MemberRoute, TaggedClasses};
use bridge_model::reason::DropReason;
use bridge_model::topology::{AdminState, Attachment, Binding, Topology, TrunkPort};
use bridge_model::types::VlanId;

use super::overlay::{SITE, compiled, down, flood, here, notes, site, with};
use crate::world::{name, topology};

/// A gateway bridge with a trunk here and one on host `a`, and a link of every VID up to 40 to a bridge
/// of its own, of which host `a` has a port too.
pub(super) fn gateways(mode: &str) -> Topology {
    use std::fmt::Write as _;
    let mut text = with("bridges: [{name: web", "bridges:\n- {name: web");
    text = text.replace(
        "{name: web, vni: 5001}, {name: db, vni: 5002}, {name: lone}]",
        "{name: web, vni: 5001}\n- {name: db, vni: 5002}",
    );
    let mut bridges = String::new();
    let mut links = "vlanLinks:\n".to_owned();
    for vid in 1..=40 {
        writeln!(bridges, "- {{name: v{vid}, vni: {vid}}}").unwrap();
        writeln!(links, "- {{gatewayBridge: gw, vid: {vid}, bridge: v{vid}}}").unwrap();
    }
    text = text.replace("tunnelZones:", &format!("{bridges}tunnelZones:"));
    write!(
        text,
        "gatewayBridges: [{{name: gw, mode: {mode}}}]\n\
         trunks:\n\
         - {{name: t1, gatewayBridge: gw, host: h, interface: eth1}}\n\
         - {{name: t2, gatewayBridge: gw, host: a, interface: eth1}}\n{links}"
    )
    .unwrap();
    topology(&text)
}

fn class(compiled: &Compiled, vid: u16) -> Class {
    let eth1 = compiled.tables.interfaces.iter().find(|i| i.name == name("eth1")).unwrap();
    let TaggedClasses::Trunk { classes, .. } = &eth1.tagged else { panic!() };
    classes.get(VlanId::new(vid).unwrap()).clone()
}

#[test]
fn c5_in_lease_mode_one_host_of_the_site_forwards_a_vlan_and_the_others_reach_it_by_tunnel() {
    let site = gateways("lease");
    let on_h = compiled(&site, &here());
    let on_a = compiled(&site, &HostView { host: name("a"), ..here() });
    let mut wins = [0, 0];
    for vid in 1..=40 {
        let bridge = format!("v{vid}");
        let standby = Class::Drop(DropReason::TrunkStandby);
        let vni = format!("/{vid}");
        match (class(&on_h, vid), class(&on_a, vid)) {
            (Class::Forward { .. }, other) if other == standby => {
                wins[0] += 1;
                assert_eq!(flood(&on_h, &bridge), [format!("t1/{vid}")]);
                assert_eq!(flood(&on_a, &bridge), [format!("@h{vni}")]);
            }
            (other, Class::Forward { .. }) if other == standby => {
                wins[1] += 1;
                assert_eq!(flood(&on_h, &bridge), [format!("@a{vni}")]);
                assert_eq!(flood(&on_a, &bridge), [format!("t2/{vid}")]);
            }
            both => panic!("{vid}: {both:?}"),
        }
    }
    assert!(wins[0] > 5 && wins[1] > 5, "{wins:?}");
    // Nobody knows of another host's carrier, so the right stays where it is.
    let without = compiled(&site, &down("eth1"));
    for vid in 1..=40 {
        let bridge = format!("v{vid}");
        let mine = matches!(class(&on_h, vid), Class::Forward { .. });
        let expected = if mine { vec![] } else { vec![format!("@a/{vid}")] };
        assert_eq!(flood(&without, &bridge), expected);
    }
    // An administrator's word is known to all.
    let mut other_down = site.clone();
    other_down.trunks.get_mut("t2").unwrap().admin = AdminState::Down;
    let all = compiled(&other_down, &here());
    assert!((1..=40).all(|vid| matches!(class(&all, vid), Class::Forward { .. })));
}

#[test]
fn c5_within_the_host_that_has_the_right_the_election_goes_on_among_usable_trunks() {
    let mut site = gateways("lease");
    let second = TrunkPort {
        name: name("t3"),
        attachment: Some(Attachment::Interface(Binding {
            host: name("h"),
            interface: name("tap0"),
        })),
        ..site.trunks["t1"].clone()
    };
    site.trunks.insert(name("t3"), second);
    let both = compiled(&site, &here());
    let one = compiled(&site, &down("eth1"));
    for vid in 1..=40 {
        let trunk_of = |found: &Compiled| flood(found, &format!("v{vid}"))[0].clone();
        let expected = match &*trunk_of(&both) {
            tunnel if tunnel.starts_with('@') => tunnel.to_owned(),
            // What the trunk without carrier forwarded goes to the one that is left.
            _ => format!("t3/{vid}"),
        };
        assert_eq!(trunk_of(&one), expected);
    }
}

#[test]
fn c5_in_stp_transparent_mode_one_host_of_the_site_forwards_all_vlans() {
    // Equals: whichever host it is, it is the same for all VLANs, and both know.
    let site = gateways("stp-transparent");
    let on_h = compiled(&site, &here());
    let on_a = compiled(&site, &HostView { host: name("a"), ..here() });
    let h_wins = matches!(class(&on_h, 1), Class::Forward { .. });
    let winner = if h_wins { "h" } else { "a" };
    for vid in 1..=40 {
        assert_eq!(matches!(class(&on_h, vid), Class::Forward { .. }), h_wins);
        assert_eq!(matches!(class(&on_a, vid), Class::Forward { .. }), !h_wins);
    }
    let across = notes(&on_h);
    assert_eq!((across.len(), across.last()), (1, notes(&on_a).last()));
    let start = format!("gatewayBridges/gw forwards on hosts/{winner} alone in mode stp-");
    assert!(
        across[0].starts_with(&start) && across[0].ends_with("trunks on one host"),
        "{across:?}"
    );
    // The host that carries more VLANs is elected, and what it does not carry nobody forwards.
    let mut fewer = site.clone();
    let few = [7, 8].map(|vid| VlanId::new(vid).unwrap()).into_iter().collect();
    fewer.trunks.get_mut("t1").unwrap().allowed = Some(few);
    let found = compiled(&fewer, &here());
    assert_eq!(class(&found, 7), Class::Drop(DropReason::TrunkStandby));
    assert_eq!(
        (flood(&found, "v7"), flood(&found, "v9")),
        (vec!["@a/7".into()], vec!["not here".into()])
    );
    let more = (7..=42).map(|vid| VlanId::new(vid).unwrap()).collect();
    fewer.trunks.get_mut("t2").unwrap().allowed = Some(more);
    fewer.trunks.get_mut("t1").unwrap().allowed =
        Some((2..9).map(|v| VlanId::new(v).unwrap()).collect());
    let [note] = &*notes(&compiled(&fewer, &here())) else { panic!() };
    assert!(
        note.ends_with("; nobody forwards VLANs 2-6, which no trunk of hosts/a carries"),
        "{note}"
    );
    // Carrier does not count, an administrator's word does.
    assert_eq!(flood(&compiled(&fewer, &down("eth1")), "v7"), ["@a/7"]);
    let mut alone = fewer.clone();
    alone.trunks.get_mut("t2").unwrap().admin = AdminState::Down;
    let found = compiled(&alone, &here());
    assert_eq!((flood(&found, "v7"), notes(&found)), (vec!["t1/7".into()], vec![]));
    alone.trunks.get_mut("t2").unwrap().attachment = None;
    assert_eq!(flood(&compiled(&alone, &here()), "v7"), ["t1/7"]);
}

#[test]
fn c6_a_static_mac_on_a_trunk_is_where_its_vlan_is_forwarded() {
    use bridge_model::topology::{StaticKey, StaticMac};
    use bridge_model::types::{IndividualMac, MacAddr};

    for port in ["t1", "t2"] {
        let mut site = gateways("lease");
        for vid in 1..=40 {
            let mac = MacAddr::new([2, 0, 0, 0, 0, vid]);
            let key = StaticKey {
                bridge: name(&format!("v{vid}")),
                mac: IndividualMac::try_from(mac).unwrap(),
                payload_vid: None,
            };
            let vid = VlanId::new(u16::from(vid)).unwrap();
            let entry = StaticMac { key: key.clone(), port: name(port), vid: Some((vid, None)) };
            site.static_macs.insert(key, entry);
        }
        let found = compiled(&site, &here());
        assert_eq!((found.static_macs.len(), notes(&found).len()), (40, 0));
        for (fid, member, mac) in &found.static_macs {
            let route = found.tables.fids[fid.index()].members[member.index()].route;
            let [.., vid] = mac.get().octets();
            let is_mine = matches!(class(&found, vid.into()), Class::Forward { .. });
            assert_eq!(matches!(route, MemberRoute::Port { .. }), is_mine, "{port} {vid}");
            assert_eq!(matches!(route, MemberRoute::Tunnel { .. }), !is_mine, "{port} {vid}");
        }
        // Where nothing leads, it is a note: this host forwards and has no carrier, or the peer that
        // forwards is down.
        let mut view = down("eth1");
        view.peers_down.insert(name("a"));
        let found = compiled(&site, &view);
        let is_one = |note: &String| note.contains(&format!("is not in force: {port}"));
        assert!(found.static_macs.is_empty());
        assert_eq!(notes(&found).iter().filter(|note| is_one(note)).count(), 40);
    }
}

#[test]
fn c6_a_static_mac_on_a_port_of_another_host_or_on_a_tunnel_is_behind_that_peer() {
    let statics = "staticMacs:\n\
        - {bridge: web, mac: '02:00:00:00:00:01', port: pa}\n\
        - {bridge: web, mac: '02:00:00:00:00:02', port: far}\n\
        - {bridge: web, mac: '02:00:00:00:00:03', port: p1}\n\
        - {bridge: db, mac: '02:00:00:00:00:04', port: pb}\n";
    let text = format!("{SITE}{statics}");
    let places = |found: &Compiled| -> Vec<String> {
        let tables = &found.tables;
        let shown = found.static_macs.iter().map(|(fid, member, mac)| {
            let [.., last] = mac.get().octets();
            match tables.fids[fid.index()].members[member.index()].route {
                MemberRoute::Port { port, .. } => {
                    format!("{last}:{}", tables.ports[usize::from(port.0)].name)
                }
                MemberRoute::Tunnel { peer, .. } => {
                    format!("{last}:@{}", tables.underlay.peers[peer.index()].name)
                }
                MemberRoute::Retired => "retired".into(),
            }
        });
        let mut shown: Vec<String> = shown.collect();
        shown.sort();
        shown
    };
    assert_eq!(places(&site(&text)), ["1:@a", "2:@far", "3:p1", "4:@b"]);
    assert_eq!(notes(&site(&text)), [""; 0]);
    // A peer that is down, or one without a tunnel from here, makes it a note.
    let mut view = here();
    view.peers_down.insert(name("a"));
    let found = compiled(&topology(&text), &view);
    assert_eq!(places(&found), ["2:@far", "3:p1", "4:@b"]);
    let [note] = &*notes(&found) else { panic!() };
    assert!(note.starts_with("staticMacs/web/02:00:00:00:00:01 is not in force: pa"), "{note}");
    // Where the bridge is not, it is nobody's business.
    let absent = text.replace("bridge: db, host: h", "bridge: lone, host: h");
    assert_eq!(places(&site(&absent)), ["1:@a", "2:@far", "3:p1"]);
    assert_eq!(notes(&site(&absent)), [""; 0]);
}
