//! F3, F5, F6, F8, and learning across tunnels.

use std::collections::BTreeSet;

use bridge_model::compile::Link;
use bridge_model::election;
use bridge_model::types::VlanId;

use super::{SITE, sent_by, shown, teach, vxlan, world, world_of};
use crate::world::{check, frame, name, topology};

#[test]
fn f3_a_station_on_another_host_gets_one_copy_to_that_host() {
    let mut w = world();
    teach(&mut w, "192.0.2.2", 5001, "B");
    teach(&mut w, "192.0.2.9", 5001, "L");
    check(
        &mut w,
        &[
            ("vm1", frame("A", "B"), "up0[]>192.0.2.2/5001"),
            ("vm2", frame("C", "L"), "up0[]>192.0.2.9/5001"),
            ("eth1", frame("S", "B").urgent_tag(10), "up0[]>192.0.2.2/5001"),
            // In the other bridge nobody knows of B.
            ("vm3", frame("A", "B"), "drop no_destination"),
        ],
    );
    assert_eq!(
        w.learned(),
        ["db:A@p3", "web:A@p1", "web:B@@o2", "web:C@p2", "web:L@@leaf", "web:S@t/10"]
    );
}

#[test]
fn f5_a_flood_goes_once_to_every_host_however_many_ports_it_has_there() {
    let mut w = world();
    for destination in ["*", "m", "X"] {
        check(
            &mut w,
            &[
                (
                    "vm1",
                    frame("A", destination),
                    "eth1[10] vm2[] up0[]>192.0.2.2/5001 up0[]>192.0.2.3/5001 up0[]>192.0.2.9/5001",
                ),
                (
                    "eth1",
                    frame("S", destination).tag(10),
                    "vm1[] vm2[] up0[]>192.0.2.2/5001 up0[]>192.0.2.3/5001 up0[]>192.0.2.9/5001",
                ),
            ],
        );
    }
    // A further port, and a trunk that forwards, make no further copy.
    let more = SITE
        .replace("vlanLinks:", "vlanLinks:\n- {gatewayBridge: g2, vid: 7, bridge: web}\n#")
        .replace("[{name: gw}]", "[{name: gw}, {name: g2}]")
        .replace("eth1}]", "eth1}, {name: u, gatewayBridge: g2, host: o2, interface: eth1}]")
        .replace("- {name: q2", "- {name: q9, bridge: web, host: o2, interface: vm9}\n- {name: q2");
    let mut w = world_of(&more);
    let outcome = w.send("vm1", &frame("A", "*"));
    assert_eq!(sent_by(&w, "up0", &outcome).len(), 3, "{outcome:?}");
}

#[test]
fn f5_copies_to_several_hosts_differ_in_nothing_but_the_way() {
    let mut w = world();
    let outcome = w.send("vm1", &frame("A", "*"));
    let copies = sent_by(&w, "up0", &outcome);
    assert_eq!(copies.len(), 3);
    for copy in copies {
        // Ethernet 14, IPv4 20, UDP 8, VXLAN 8.
        assert_eq!(copy[50..], frame("A", "*").bytes);
    }
}

#[test]
fn f6_what_comes_out_of_a_tunnel_never_goes_into_another() {
    let mut w = world();
    for destination in ["*", "m", "X"] {
        let inner = frame("B", destination);
        check(&mut w, &[("up0", vxlan("192.0.2.2", 5001, &inner), "eth1[10] vm1[] vm2[]")]);
    }
    teach(&mut w, "192.0.2.9", 5001, "L");
    check(&mut w, &[("up0", vxlan("192.0.2.2", 5001, &frame("B", "L")), "drop split_horizon")]);
    // With nobody here but other peers, too.
    let mut view = w.view.clone();
    for index in [0, 1, 2] {
        view.interfaces[index].link = Link::Down;
    }
    w.reconfigure(topology(SITE), view);
    check(&mut w, &[("up0", vxlan("192.0.2.2", 5001, &frame("B", "*")), "drop split_horizon")]);
    // And with no other peer there is no way at all.
    let alone = SITE
        .replace("tunnels:\n- {name: leaf, zone: dc, remote: 192.0.2.9, bridges: [web]}", "")
        .replace("- {name: r1, bridge: web, host: o3, interface: vm1}", "");
    let view = w.view.clone();
    w.reconfigure(topology(&alone), view);
    check(&mut w, &[("up0", vxlan("192.0.2.2", 5001, &frame("B", "*")), "drop no_destination")]);
}

#[test]
fn f4_a_station_behind_the_same_peer_gets_nothing_from_here() {
    let mut w = world();
    teach(&mut w, "192.0.2.2", 5001, "B");
    check(
        &mut w,
        &[
            ("up0", vxlan("192.0.2.2", 5001, &frame("C", "B")), "drop hairpin"),
            ("up0", vxlan("192.0.2.2", 5001, &frame("D", "D")), "drop hairpin"),
        ],
    );
    assert_eq!(w.learned(), ["web:B@@o2", "web:C@@o2", "web:D@@o2"], "learned all the same");
}

#[test]
fn section_4_a_station_that_moves_between_port_and_peer_is_found_with_the_next_frame() {
    let mut w = world();
    check(
        &mut w,
        &[
            (
                "vm1",
                frame("A", "X"),
                "eth1[10] vm2[] up0[]>192.0.2.2/5001 up0[]>192.0.2.3/5001 up0[]>192.0.2.9/5001",
            ),
            ("vm2", frame("C", "A"), "vm1[]"),
            // To a peer,
            ("up0", vxlan("192.0.2.2", 5001, &frame("A", "C")), "vm2[]"),
            ("vm2", frame("C", "A"), "up0[]>192.0.2.2/5001"),
            ("vm1", frame("D", "A"), "up0[]>192.0.2.2/5001"),
            // to another,
            ("up0", vxlan("192.0.2.9", 5001, &frame("A", "C")), "vm2[]"),
            ("vm2", frame("C", "A"), "up0[]>192.0.2.9/5001"),
            // behind the trunk,
            ("eth1", frame("A", "C").tag(10), "vm2[]"),
            ("vm2", frame("C", "A"), "eth1[10]"),
            // and back.
            ("vm1", frame("A", "C"), "vm2[]"),
            ("vm2", frame("C", "A"), "vm1[]"),
        ],
    );
}

#[test]
fn section_4_a_static_mac_puts_a_station_behind_a_tunnel_or_a_host() {
    let text = format!(
        "{SITE}
staticMacs:
- {{bridge: web, mac: \"02:00:00:00:00:4c\", port: leaf}}
- {{bridge: web, mac: \"02:00:00:00:00:51\", port: q1}}
- {{bridge: web, mac: \"02:00:00:00:00:41\", port: p1}}
"
    );
    let mut w = world_of(&text);
    check(
        &mut w,
        &[
            ("vm2", frame("C", "L"), "up0[]>192.0.2.9/5001"),
            ("vm2", frame("C", "Q"), "up0[]>192.0.2.2/5001"),
            ("up0", vxlan("192.0.2.2", 5001, &frame("Q", "C")), "vm2[]"),
            // Elsewhere it is somebody else.
            ("up0", vxlan("192.0.2.3", 5001, &frame("Q", "C")), "drop static_mac_violation"),
            ("up0", vxlan("192.0.2.2", 5001, &frame("L", "C")), "drop static_mac_violation"),
            ("up0", vxlan("192.0.2.2", 5001, &frame("A", "C")), "drop static_mac_violation"),
            ("vm2", frame("L", "*"), "drop static_mac_violation"),
        ],
    );
    assert_eq!(w.learned(), ["web:C@p2"]);
    // While the host has no business in the bridge, the entry is not in force.
    let gone = text
        .replace("host: o2, interface: vm1}", "host: o2, interface: vm1, admin: down}")
        .replace("host: o2, interface: vm2}", "host: o2, interface: vm2, admin: down}");
    let view = w.view.clone();
    w.reconfigure(topology(&gone), view);
    assert_eq!(
        shown(&mut w, "vm2", &frame("C", "Q")),
        "eth1[10] vm1[] up0[]>192.0.2.3/5001 up0[]>192.0.2.9/5001"
    );
}

#[test]
fn f8_a_station_behind_a_trunk_with_the_right_elsewhere_is_reached_by_the_host_that_has_it() {
    // Both hosts have a trunk to the same switch; one of them is elected for each VID.
    let text = SITE
        .replace("eth1}]", "eth1}, {name: u, gatewayBridge: gw, host: o2, interface: eth1}]")
        .replace("bridge: web}]", "bridge: db}]");
    let names = [name("t"), name("u")];
    let mut seen_from = BTreeSet::new();
    for vid in (10..30).map(|raw| VlanId::new(raw).unwrap()) {
        let mut w = world_of(&text.replace("vid: 10", &format!("vid: {vid}")));
        let elected = election::forwarder(vid, &names).unwrap().as_str();
        seen_from.insert(elected);
        let from_trunk = frame("S", "*").tag(vid.get());
        let from_tunnel = vxlan("192.0.2.2", 5002, &frame("S", "A"));
        let here = format!("eth1[{vid}]");
        let there = "up0[]>192.0.2.2/5002";
        if elected == "t" {
            check(
                &mut w,
                &[
                    ("vm3", frame("A", "*"), &here),
                    ("eth1", from_trunk, "vm3[]"),
                    ("vm3", frame("A", "S"), &here),
                    // The other host has no business in the bridge.
                    ("up0", from_tunnel, "drop vtep_unknown"),
                ],
            );
        } else {
            check(
                &mut w,
                &[
                    ("vm3", frame("A", "*"), there),
                    ("eth1", from_trunk, "drop trunk_standby"),
                    ("up0", from_tunnel, "vm3[]"),
                    ("vm3", frame("A", "S"), there),
                ],
            );
        }
    }
    assert_eq!(seen_from.len(), 2, "the election was seen from both sides");
}

#[test]
fn section_4_learning_out_of_a_tunnel_keeps_the_limit_of_the_bridge() {
    let text = SITE.replace("vni: 5001}", "vni: 5001, macLimit: 2, macLimitPolicy: drop}");
    let mut w = world_of(&text);
    check(
        &mut w,
        &[
            ("up0", vxlan("192.0.2.2", 5001, &frame("B", "*")), "eth1[10] vm1[] vm2[]"),
            ("up0", vxlan("192.0.2.2", 5001, &frame("C", "*")), "eth1[10] vm1[] vm2[]"),
            ("up0", vxlan("192.0.2.2", 5001, &frame("D", "*")), "drop mac_limit"),
            // A station that is known may move, all the same.
            ("up0", vxlan("192.0.2.9", 5001, &frame("C", "*")), "eth1[10] vm1[] vm2[]"),
        ],
    );
    assert_eq!(w.learned(), ["web:B@@o2", "web:C@@leaf"]);
}

#[test]
fn section_4_what_is_learned_behind_a_peer_goes_with_the_peer() {
    let mut w = world();
    teach(&mut w, "192.0.2.2", 5001, "B");
    teach(&mut w, "192.0.2.9", 5001, "L");
    let mut view = w.view.clone();
    view.peers_down.insert(name("o2"));
    w.reconfigure(topology(SITE), view.clone());
    assert_eq!(w.learned(), ["web:L@@leaf"]);
    check(
        &mut w,
        &[("vm1", frame("A", "B"), "eth1[10] vm2[] up0[]>192.0.2.3/5001 up0[]>192.0.2.9/5001")],
    );
    // Another endpoint under an old name is another endpoint.
    let moved = SITE.replace("remote: 192.0.2.9", "remote: 192.0.2.4");
    w.reconfigure(topology(&moved), view);
    assert_eq!(w.learned(), ["web:A@p1"]);
}

#[test]
fn section_4_entries_behind_a_peer_age() {
    let text = SITE.replace("vni: 5001}", "vni: 5001, ageing: 10s}");
    let mut w = world_of(&text);
    teach(&mut w, "192.0.2.2", 5001, "B");
    w.wait(std::time::Duration::from_secs(10));
    assert_eq!(w.learned(), ["web:B@@o2"]);
    w.wait(std::time::Duration::from_nanos(1));
    assert!(w.learned().is_empty());
}
