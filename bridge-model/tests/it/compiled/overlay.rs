//! The overlay's part of the compiler, decision by decision.

use bridge_model::compile::{
    Compiled, Encapsulation, HostView, Link, MemberRoute, Numbering, TUNNEL_GROUP, compile,
};
use bridge_model::topology::Topology;
use bridge_model::types::{Name, Revision};

use crate::world::{name, topology, view};

/// Three hosts of ours and a foreign endpoint.
pub(super) const SITE: &str = "
hosts:
- name: h
  vtep: [192.0.2.1, '2001:db8::1']
  underlay: [{interface: up0, addresses: [192.0.2.1/24, '2001:db8::1/64']}]
  routes: [{to: 0.0.0.0/0, via: [192.0.2.254, 192.0.2.253]}]
- {name: a, vtep: 192.0.2.2}
- {name: b, vtep: ['198.51.100.3', '2001:db8::3']}
bridges: [{name: web, vni: 5001}, {name: db, vni: 5002}, {name: lone}]
tunnelZones:
- {name: dc, kind: vxlan, hosts: [h, a]}
- {name: old, kind: gre, hosts: [h, b], bfd: off, dscp: 46}
tunnels: [{name: far, zone: dc, remote: 192.0.2.9, bridges: [web]}]
accessPorts:
- {name: p1, bridge: web, host: h, interface: vm1}
- {name: p2, bridge: db, host: h, interface: vm2}
- {name: pa, bridge: web, host: a, interface: vm1}
- {name: pb, bridge: db, host: b, interface: vm1}
";

const INTERFACES: &[&str] = &["up0", "vm1", "vm2", "eth1", "tap0"];

pub(super) fn here() -> HostView {
    view(INTERFACES)
}

pub(super) fn compiled(site: &Topology, view: &HostView) -> Compiled {
    site.check().unwrap_or_else(|errors| panic!("{errors:?}"));
    compile(site, view, &mut Numbering::default(), Revision(1)).unwrap()
}

pub(super) fn site(text: &str) -> Compiled {
    compiled(&topology(text), &here())
}

/// `SITE` with one text in place of another, which must be there.
#[track_caller]
pub(super) fn with(from: &str, to: &str) -> String {
    assert!(SITE.contains(from), "{from}");
    SITE.replace(from, to)
}

fn peers(compiled: &Compiled) -> Vec<String> {
    let peers = &compiled.tables.underlay.peers;
    peers.iter().map(|peer| format!("{} {}->{}", peer.name, peer.local, peer.remote)).collect()
}

/// The ways to a peer, as `up0 192.0.2.254`, and the largest packet.
pub(super) fn paths(compiled: &Compiled, peer: &str) -> (Vec<String>, u16) {
    let underlay = &compiled.tables.underlay;
    let peer = underlay.peers.iter().find(|found| found.name == name(peer)).unwrap();
    let shown = peer.paths.iter().map(|path| {
        let link = &underlay.links[path.link.index()];
        let interface = &compiled.tables.interfaces[link.interface.index()].name;
        let vlan = link.vlan.map_or(String::new(), |vlan| format!(":{vlan}"));
        format!("{interface}{vlan} {}", path.next_hop)
    });
    (shown.collect(), peer.mtu)
}

/// Where a frame of a bridge floods to: ports by name.
pub(super) fn flood(compiled: &Compiled, bridge: &str) -> Vec<String> {
    let tables = &compiled.tables;
    let fid = tables.fids.iter().find(|fid| fid.owner == Some(name(bridge)));
    let Some(fid) = fid else { return vec!["not here".into()] };
    let mut shown: Vec<String> = fid
        .flood
        .iter()
        .map(|member| {
            let member = fid.members[member.index()];
            match member.route {
                MemberRoute::Port { port, vid, .. } => {
                    let vid = vid.map_or(String::new(), |vid| format!("/{vid}"));
                    format!("{}{vid}", tables.ports[usize::from(port.0)].name)
                }
                MemberRoute::Tunnel { peer, vni } => {
                    assert_eq!(member.split_horizon, TUNNEL_GROUP);
                    format!("@{}/{vni}", tables.underlay.peers[peer.index()].name)
                }
                MemberRoute::Retired => "retired".into(),
            }
        })
        .collect();
    shown.sort();
    shown
}

pub(super) fn notes(compiled: &Compiled) -> Vec<String> {
    compiled.notes.iter().map(ToString::to_string).collect()
}

pub(super) fn down(interface: &str) -> HostView {
    let mut view = here();
    let id = view.interface_id(&name(interface)).unwrap();
    view.interfaces[id.index()].link = Link::Down;
    view
}

#[test]
fn c1_peers_are_the_other_hosts_of_our_zones_and_foreign_tunnels_whose_family_we_have() {
    let all = ["a 192.0.2.1->192.0.2.2", "b 192.0.2.1->198.51.100.3", "far 192.0.2.1->192.0.2.9"];
    assert_eq!(peers(&site(SITE)), all);
    let tables = site(SITE).tables.underlay.peers;
    assert!(tables.iter().all(|peer| peer.is_host == (peer.name != name("far"))));
    // IPv6 where the zone wants it, or where one side has nothing else.
    let v6 = with("kind: gre, hosts: [h, b]", "kind: gre, ipVersion: ipv6, hosts: [h, b]");
    assert!(peers(&site(&v6)).contains(&"b 2001:db8::1->2001:db8::3".into()));
    let only = with("['198.51.100.3', '2001:db8::3']", "'2001:db8::3'");
    assert!(peers(&site(&only)).contains(&"b 2001:db8::1->2001:db8::3".into()));
    // A tunnel of a zone that we are not in, and one of a family that we do not have.
    let elsewhere =
        with("zone: dc, remote", "zone: old, remote").replace("hosts: [h, b]", "hosts: [b]");
    assert_eq!(peers(&site(&elsewhere)), ["a 192.0.2.1->192.0.2.2"]);
    let six = with("remote: 192.0.2.9", "remote: '2001:db8::9'");
    assert!(peers(&site(&six)).contains(&"far 2001:db8::1->2001:db8::9".into()));
    let four = six
        .replace("vtep: [192.0.2.1, '2001:db8::1']", "vtep: 192.0.2.1")
        .replace("hosts: [h, a]", "hosts: [h, a, c]")
        .replace("- {name: a,", "- {name: c, vtep: [192.0.2.4, '2001:db8::4']}\n- {name: a,");
    assert!(!peers(&site(&four)).iter().any(|peer| peer.starts_with("far")), "{four}");
    // What else a peer has comes from its zone; the liveness of a foreign endpoint from its tunnel.
    let compiled = site(SITE);
    let [a, b, far] = &*compiled.tables.underlay.peers else { panic!() };
    let vxlan = Encapsulation::Vxlan { port: 4789, checksum: false, accept_zero: false };
    assert_eq!((a.encapsulation, far.encapsulation), (vxlan, vxlan));
    assert_eq!(b.encapsulation, Encapsulation::Gre);
    assert_eq!((a.bfd.is_some(), b.bfd.is_some(), far.bfd.is_some()), (true, false, false));
    assert_eq!(compiled.tables.underlay.vxlan_ports, [4789]);
}

#[test]
fn c1_the_checksum_is_the_zones_choice_and_by_default_computed_over_ipv6_only() {
    let encapsulation = |checksum: &str, family: &str| {
        let text = with(
            "kind: vxlan, hosts: [h, a]",
            &format!(
                "kind: vxlan, udpChecksum: {checksum}, udpPort: 8472, ipVersion: {family}, hosts: [h, a]"
            ),
        );
        let text = text.replace("vtep: 192.0.2.2", "vtep: [192.0.2.2, '2001:db8::2']");
        site(&text).tables.underlay.peers[0].encapsulation
    };
    let vxlan = |checksum, accept_zero| Encapsulation::Vxlan { port: 8472, checksum, accept_zero };
    assert_eq!(encapsulation("auto", "ipv4"), vxlan(false, false));
    assert_eq!(encapsulation("auto", "ipv6"), vxlan(true, false));
    assert_eq!(encapsulation("zero", "ipv6"), vxlan(false, true));
    assert_eq!(encapsulation("computed", "ipv4"), vxlan(true, false));
}

#[test]
fn c2_a_peer_on_a_link_is_its_own_next_hop_and_others_are_behind_the_longest_route() {
    let found = site(SITE);
    assert_eq!(paths(&found, "a"), (vec!["up0 192.0.2.2".into()], 1500));
    assert_eq!(
        paths(&found, "b"),
        (vec!["up0 192.0.2.254".into(), "up0 192.0.2.253".into()], 1500)
    );
    // Two links; the longer prefix wins, of links and of routes.
    let two = with(
        "'2001:db8::1/64']}]",
        "'2001:db8::1/64']}, {interface: eth1, vlan: 40, addresses: [192.0.2.129/25]}]",
    )
    .replace(
        "via: [192.0.2.254, 192.0.2.253]}]",
        "via: [192.0.2.100]}, {to: 198.51.100.0/24, via: [192.0.2.254, 192.0.2.99]}]",
    );
    let found = compiled(&topology(&two), &here());
    assert_eq!(paths(&found, "a").0, ["up0 192.0.2.2"]);
    assert_eq!(paths(&found, "b").0, ["eth1:40 192.0.2.254", "up0 192.0.2.99"]);
    // A link without carrier falls out, then the route that has none left, then the peer's ways.
    let found = compiled(&topology(&two), &down("eth1"));
    assert_eq!(paths(&found, "b").0, ["up0 192.0.2.254", "up0 192.0.2.99"]);
    let found = compiled(&topology(&two), &down("up0"));
    assert_eq!(paths(&found, "a"), (vec![], 0));
    assert_eq!(paths(&found, "b").0, ["eth1:40 192.0.2.254"]);
}

#[test]
fn c2_a_route_without_a_usable_next_hop_gives_way_to_a_shorter_one() {
    let text = with("addresses: [192.0.2.1/24", "addresses: [203.0.113.1/24, 192.0.2.1/24")
        .replace("192.0.2.253]}]", "192.0.2.253]}, {to: 198.51.100.0/24, via: [10.0.0.254]}]");
    let text =
        text.replace("  routes:", "  - {interface: eth1, addresses: [10.0.0.1/24]}\n  routes:");
    let text = text.replace("underlay: [{interface: up0", "underlay:\n  - {interface: up0");
    let text = text.replace("'2001:db8::1/64']}]", "'2001:db8::1/64']}");
    assert_eq!(paths(&site(&text), "b").0, ["eth1 10.0.0.254"]);
    let found = compiled(&topology(&text), &down("eth1"));
    assert_eq!(paths(&found, "b").0, ["up0 192.0.2.254", "up0 192.0.2.253"]);
}

#[test]
fn c2_the_mtu_is_that_of_the_smallest_link_and_of_what_was_probed() {
    let mut view = here();
    view.interfaces[0].mtu = 9000;
    view.path_mtus.insert(name("a"), 1400);
    view.path_mtus.insert(name("far"), 9001);
    let found = compiled(&topology(SITE), &view);
    assert_eq!(
        [paths(&found, "a").1, paths(&found, "b").1, paths(&found, "far").1],
        [1400, 9000, 9000]
    );
    // VXLAN over IPv4 takes 36 octets of it, GRE 28; an Ethernet header more is the bridge's MTU.
    let mtu = |bridge: &str| {
        let fid = found.tables.fids.iter().find(|fid| fid.owner == Some(name(bridge)));
        fid.unwrap().tunnel_mtu
    };
    assert_eq!((mtu("web"), mtu("db")), (Some(1400 - 36 - 14), Some(9000 - 28 - 14)));
}

#[test]
fn c3_a_host_is_a_member_where_it_has_a_port_that_is_up_and_a_tunnel_where_it_lists_the_bridge() {
    assert_eq!(flood(&site(SITE), "web"), ["@a/5001", "@far/5001", "p1"]);
    assert_eq!(flood(&site(SITE), "db"), ["@b/5002", "p2"]);
    // However many ports it has there, it gets one copy.
    let two = with(
        "accessPorts:\n",
        "accessPorts:\n- {name: pa2, bridge: web, host: a, interface: vm2}\n",
    );
    assert_eq!(flood(&site(&two), "web"), ["@a/5001", "@far/5001", "p1"]);
    let cases = [
        ("host: a, interface: vm1}", "host: a, interface: vm1, admin: down}", "@far/5001 p1"),
        ("host: a, interface: vm1}", "host: b, interface: vm2}", "@b/5001 @far/5001 p1"),
        ("bridges: [web]}", "bridges: []}", "@a/5001 p1"),
        // Without a VNI there is nothing to tunnel by.
        ("{name: web, vni: 5001}", "{name: web}", "p1"),
        ("{name: web, vni: 5001}", "{name: web, vni: 5001, admin: down}", ""),
        // The bridge is not here.
        ("bridge: web, host: h", "bridge: lone, host: h", "not here"),
    ];
    for (from, to, expected) in cases {
        let text =
            if to == "{name: web}" { with("bridges: [web]}", "bridges: []}") } else { SITE.into() };
        assert!(text.contains(from));
        assert_eq!(flood(&site(&text.replace(from, to)), "web").join(" "), expected, "{to}");
    }
    // A port of ours without carrier does not take the bridge away, and its peers stay.
    assert_eq!(flood(&compiled(&topology(SITE), &down("vm1")), "web"), ["@a/5001", "@far/5001"]);
}

#[test]
fn c3_a_peer_that_is_down_is_nowhere_and_keeps_its_port() {
    let mut view = here();
    view.peers_down.extend([name("a"), name("far")]);
    let found = compiled(&topology(SITE), &view);
    assert_eq!(flood(&found, "web"), ["p1"]);
    let underlay = &found.tables.underlay;
    assert!(underlay.vnis.values().all(|vni| vni.members.keys().all(|peer| peer.0 == 1)));
    let port =
        |peer: &str| found.tables.ports.iter().position(|p| p.name == Name::of_peer(&name(peer)));
    for (peer, id) in ["a", "b", "far"].iter().zip(&underlay.peers) {
        assert_eq!(port(peer), Some(usize::from(id.port.0)), "{peer}");
    }
}

#[test]
fn c4_a_vni_is_known_for_every_bridge_that_is_here_even_when_it_is_down() {
    let vnis = |text: &str| -> Vec<(u32, bool, usize)> {
        let found = site(text);
        let vnis = found.tables.underlay.vnis.iter();
        vnis.map(|(vni, table)| (vni.get(), table.is_up, table.members.len())).collect()
    };
    assert_eq!(vnis(SITE), [(5001, true, 2), (5002, true, 1)]);
    assert_eq!(
        vnis(&with("{name: web, vni: 5001}", "{name: web, vni: 5001, admin: down}")),
        [(5001, false, 0), (5002, true, 1)]
    );
    assert_eq!(vnis(&with("bridge: web, host: h", "bridge: lone, host: h")), [(5002, true, 1)]);
    let text = with("{name: web, vni: 5001}", "{name: web, vni: 5001, transparent: true}");
    let found = site(&text);
    let web = found.tables.underlay.vnis.values().next().unwrap();
    assert!(web.transparent);
    // The members are the same in each of its learning domains.
    let tagged = &found.tables.fids[web.fid.index() + 100];
    assert!(
        web.members
            .values()
            .all(|m| matches!(tagged.members[m.index()].route, MemberRoute::Tunnel { .. }))
    );
}

#[test]
fn c4_peers_without_a_way_do_not_count_for_the_mtu_of_a_bridge() {
    let mtu = |view: &HostView| {
        let found = compiled(&topology(SITE), view);
        found.tables.fids.iter().find(|fid| fid.owner == Some(name("web"))).unwrap().tunnel_mtu
    };
    assert_eq!(mtu(&here()), Some(1450));
    assert_eq!(mtu(&down("up0")), None);
    let alone = with("bridges: [web]}", "bridges: []}")
        .replace("host: a, interface: vm1", "host: b, interface: vm5");
    let alone = alone.replace("hosts: [h, b]", "hosts: [b]");
    let found = site(&alone);
    assert!(found.tables.fids.iter().all(|fid| fid.tunnel_mtu.is_none()));
}

#[test]
fn c4_suppression_and_the_segment_size_are_the_bridges_choice() {
    let text = with("vni: 5001}", "vni: 5001, neighborSuppression: true, mssClamp: true}");
    let found = site(&text);
    let choice = |bridge: &str| {
        let fid = found.tables.fids.iter().find(|fid| fid.owner == Some(name(bridge))).unwrap();
        (fid.suppress, fid.clamp_mss)
    };
    assert_eq!((choice("web"), choice("db")), ((true, true), (false, false)));
}

#[test]
fn a_site_of_64_hosts_and_4094_bridges_has_each_peer_only_where_it_has_ports() {
    use bridge_model::topology::{AccessPort, Binding, Bridge, Host, TunnelKind, TunnelZone, Vtep};
    use bridge_model::types::Vni;

    let mut site = Topology::default();
    let host = |index: u32| if index == 0 { name("h") } else { name(&format!("h{index}")) };
    for index in 0..64 {
        let v4 = std::net::Ipv4Addr::from_bits(0x0a00_0001 + index);
        let vtep = Vtep { v4: Some(v4), v6: None };
        site.hosts.insert(host(index), Host { vtep, ..Host::new(host(index)) });
    }
    let hosts = site.hosts.keys().cloned().collect();
    let zone = TunnelZone { hosts, ..TunnelZone::new(name("dc"), TunnelKind::Vxlan) };
    site.tunnel_zones.insert(name("dc"), zone);
    for index in 0..4094_u32 {
        let id = name(&format!("b{index}"));
        let vni = Some(Vni::new(index + 1).unwrap());
        site.bridges.insert(id.clone(), Bridge { vni, ..Bridge::new(id.clone()) });
        // Here, and on three others.
        for on in [0, index % 63 + 1, (index + 1) % 63 + 1, (index + 2) % 63 + 1] {
            let port = name(&format!("p{index}-{on}"));
            let binding = Binding { host: host(on), interface: port.clone() };
            site.access_ports
                .insert(port.clone(), AccessPort::new(port, id.clone(), Some(binding)));
        }
    }
    let names: Vec<String> = (0..4094).map(|index| format!("p{index}-0")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = compiled(&site, &view(&names));
    let tables = &found.tables;
    assert_eq!((tables.underlay.peers.len(), tables.underlay.vnis.len()), (63, 4094));
    for vni in tables.underlay.vnis.values() {
        assert_eq!(vni.members.len(), 3);
        assert_eq!(tables.fids[vni.fid.index()].flood.len(), 4);
    }
}
