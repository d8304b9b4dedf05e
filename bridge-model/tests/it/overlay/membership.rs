//! Who takes part in a bridge: peers, their addresses, and the right to forward across hosts.

use super::{SITE, sent_by, shown, vxlan, world_of};
use crate::world::{World, check, frame, name};

/// To whom a broadcast of `A` on `vm1` goes in tunnels.
fn flooded_to(site: &str) -> Vec<String> {
    let mut w = world_of(site);
    let text = shown(&mut w, "vm1", &frame("A", "*"));
    let tunnels = text.split(' ').filter_map(|copy| copy.strip_prefix("up0[]>"));
    tunnels.map(str::to_owned).collect()
}

#[test]
fn c3_a_host_takes_part_by_a_port_that_is_bound_and_up_and_a_tunnel_by_its_list() {
    let all = ["192.0.2.2/5001", "192.0.2.3/5001", "192.0.2.9/5001"];
    assert_eq!(flooded_to(SITE), all);
    let down =
        SITE.replace("interface: vm1}\ntunnelZones", "interface: vm1, admin: down}\ntunnelZones");
    assert_eq!(flooded_to(&down), ["192.0.2.2/5001", "192.0.2.9/5001"]);
    let unplugged = SITE.replace("bridge: web, host: o3, interface: vm1", "bridge: web");
    assert_eq!(flooded_to(&unplugged), ["192.0.2.2/5001", "192.0.2.9/5001"]);
    let other = SITE.replace("bridges: [web]", "bridges: [db, raw]");
    assert_eq!(flooded_to(&other), ["192.0.2.2/5001", "192.0.2.3/5001"]);
    // One of two ports is enough.
    let one = SITE.replace("host: o2, interface: vm1}", "host: o2, interface: vm1, admin: down}");
    assert_eq!(flooded_to(&one), all);
    // Without a number there is no way to name the bridge on the wire.
    let numberless = SITE.replace("{name: web, vni: 5001}", "{name: web}").replace("[web]", "[db]");
    assert!(flooded_to(&numberless).is_empty());
}

#[test]
fn c1_only_hosts_of_a_common_zone_are_peers_and_one_address_family_joins_two_hosts() {
    let apart = SITE.replace("hosts: [h, o2, o3]", "hosts: [h, o3]");
    assert_eq!(flooded_to(&apart), ["192.0.2.3/5001", "192.0.2.9/5001"]);
    let outside = SITE.replace("hosts: [h, o2, o3]", "hosts: [o2, o3]");
    assert!(flooded_to(&outside).is_empty());
    // IPv4 if both have it, else IPv6.
    let six = SITE.replace("vtep: 192.0.2.3", "vtep: \"2001:db8::3\"");
    assert_eq!(flooded_to(&six), ["192.0.2.2/5001", "2001:db8::3/5001", "192.0.2.9/5001"]);
    let only = six.replace("kind: vxlan,", "kind: vxlan, ipVersion: ipv6,");
    assert_eq!(flooded_to(&only), ["2001:db8::2/5001", "2001:db8::3/5001", "192.0.2.9/5001"]);
    // A host without IPv6 has no way to such an endpoint.
    let foreign = SITE
        .replace("vtep: [192.0.2.1, \"2001:db8::1\"]", "vtep: 192.0.2.1")
        .replace("remote: 192.0.2.9", "remote: \"2001:db8::9\"")
        .replace("{name: o3, vtep: 192.0.2.3}", "{name: o3, vtep: [192.0.2.3, \"2001:db8::3\"]}");
    assert_eq!(flooded_to(&foreign), ["192.0.2.2/5001", "192.0.2.3/5001"]);
}

#[test]
fn c3_a_peer_that_is_down_gets_nothing() {
    let mut w = world_of(SITE);
    let mut view = w.view.clone();
    view.peers_down.extend([name("o2"), name("leaf")]);
    let topology = w.topology.clone();
    w.reconfigure(topology, view);
    let outcome = w.send("vm1", &frame("A", "*"));
    assert_eq!(sent_by(&w, "up0", &outcome).len(), 1);
}

/// A gateway bridge of mode `stp-transparent` with a trunk here and one on `o2`, where the one with the
/// longer list is on the host that is elected.
fn trees(here: &str, there: &str, more: &str) -> World {
    let trunk = "name: u, gatewayBridge: gw, host: o2, interface: eth1";
    let text = SITE
        .replace("[{name: gw}]", &format!("[{{name: gw, mode: stp-transparent{more}}}]"))
        .replace("eth1}]", &format!("eth1, allowed: {here}}}, {{{trunk}, allowed: {there}}}]"))
        .replace("bridge: web}]", "bridge: db}]");
    world_of(&text)
}

#[test]
fn c5_where_spanning_tree_decides_one_host_forwards_and_the_others_stand_by() {
    check(
        &mut trees("[10, 11]", "[10]", ""),
        &[("vm3", frame("A", "*"), "eth1[10]"), ("eth1", frame("S", "*").tag(10), "vm3[]")],
    );
    check(
        &mut trees("[10]", "[10, 11]", ""),
        &[
            ("vm3", frame("A", "*"), "up0[]>192.0.2.2/5002"),
            ("eth1", frame("S", "*").tag(10), "drop trunk_standby"),
            ("up0", vxlan("192.0.2.2", 5002, &frame("B", "*")), "vm3[]"),
        ],
    );
    // Without a link a VID transits on the host that forwards, and on no other.
    let transit = ", transit: true";
    check(
        &mut trees("[10, 11]", "[10]", transit),
        &[("eth1", frame("S", "*").tag(11), "drop no_destination")],
    );
    check(
        &mut trees("[10, 11]", "[10, 11, 12]", transit),
        &[("eth1", frame("S", "*").tag(11), "drop trunk_standby")],
    );
    // A VID that the elected host does not carry is nobody's.
    check(
        &mut trees("[10]", "[11, 12]", ""),
        &[
            ("vm3", frame("A", "*"), "drop no_destination"),
            ("eth1", frame("S", "*").tag(10), "drop trunk_standby"),
        ],
    );
}

#[test]
fn f8_a_static_mac_on_a_trunk_is_where_its_vlan_is_forwarded() {
    for port in ["t", "u"] {
        let with_static = |w: World| {
            let text = bridge_model::site::to_yaml(&w.topology);
            let mac = "02:00:00:00:00:53";
            world_of(&format!(
                "{text}\nstaticMacs: [{{bridge: db, mac: '{mac}', port: {port}, vid: 10}}]\n"
            ))
        };
        check(
            &mut with_static(trees("[10, 11]", "[10]", "")),
            &[
                ("vm3", frame("A", "S"), "eth1[10]"),
                ("eth1", frame("S", "A").tag(10), "vm3[]"),
                ("vm3", frame("S", "A"), "drop static_mac_violation"),
            ],
        );
        check(
            &mut with_static(trees("[10]", "[10, 11]", "")),
            &[
                ("vm3", frame("A", "S"), "up0[]>192.0.2.2/5002"),
                ("up0", vxlan("192.0.2.2", 5002, &frame("S", "A")), "vm3[]"),
                ("vm3", frame("S", "A"), "drop static_mac_violation"),
            ],
        );
    }
}

#[test]
fn c5_the_election_looks_at_no_carrier_and_at_no_trunk_that_is_down() {
    let text = SITE
        .replace("eth1}]", "eth1}, {name: u, gatewayBridge: gw, host: o2, interface: eth1}]")
        .replace("bridge: web}]", "bridge: db}]");
    let down =
        text.replace("host: o2, interface: eth1}]", "host: o2, interface: eth1, admin: down}]");
    for vid in 10..20 {
        let vid_of = |text: &str| text.replace("vid: 10", &format!("vid: {vid}"));
        // Alone among those that are up, this host forwards whatever the name of its trunk.
        let mut w = world_of(&vid_of(&down));
        assert_eq!(shown(&mut w, "vm3", &frame("A", "*")), format!("eth1[{vid}]"));
        // Without carrier it may be elected all the same: no host knows of another's carrier.
        let mut w = world_of(&vid_of(&text));
        let before = shown(&mut w, "vm3", &frame("A", "*"));
        let mut view = w.view.clone();
        view.interfaces[0].link = bridge_model::compile::Link::Down;
        let topology = w.topology.clone();
        w.reconfigure(topology, view);
        let after = shown(&mut w, "vm3", &frame("A", "*"));
        if before == format!("eth1[{vid}]") {
            assert_eq!(after, "drop no_destination");
        } else {
            assert_eq!(
                (before.as_str(), after.as_str()),
                ("up0[]>192.0.2.2/5002", "up0[]>192.0.2.2/5002")
            );
        }
    }
}

#[test]
fn c4_the_bridge_of_a_trunk_alone_is_here_too() {
    // No access port of web on this host, only a VLAN of the trunk.
    let text = SITE
        .replace("- {name: p1, bridge: web, host: h, interface: vm1}", "")
        .replace("- {name: p2, bridge: web, host: h, interface: vm2}", "");
    let mut w = world_of(&text);
    check(
        &mut w,
        &[
            ("up0", vxlan("192.0.2.2", 5001, &frame("B", "*")), "eth1[10]"),
            ("eth1", frame("S", "B").tag(10), "up0[]>192.0.2.2/5001"),
        ],
    );
    // With its cable out the bridge is still here, and has nobody.
    let mut view = w.view.clone();
    view.interfaces[0].link = bridge_model::compile::Link::Down;
    let topology = w.topology.clone();
    w.reconfigure(topology, view);
    check(&mut w, &[("up0", vxlan("192.0.2.2", 5001, &frame("B", "*")), "drop split_horizon")]);
}
