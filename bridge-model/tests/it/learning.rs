//! Section 4: learning, moves, statics, and everything that makes an entry go.

use std::time::Duration;

use bridge_model::compile::{Link, Scope};
use bridge_model::types::VlanId;

use crate::admission::{SITE, world};
use crate::forwarding::two_trunks;
use crate::world::{World, check, frame, name, topology};

#[test]
fn section_4_every_frame_that_passed_sections_2_and_3_teaches_even_if_it_is_dropped_later() {
    let mut w = world();
    check(
        &mut w,
        &[
            ("vm1", frame("A", "A"), "drop hairpin"),
            ("vm3", frame("C", "X"), "eth1[20]"),
            ("vm1", frame("B", "*").tag(10), "drop tagged_on_access"),
            ("eth1", frame("S", "01:80:c2:00:00:00"), "consume bpdu"),
        ],
    );
    assert_eq!(w.learned(), ["db:C@p3", "web:A@p1"]);
}

#[test]
fn section_4_a_station_that_moves_is_found_at_its_new_place_by_the_next_frame() {
    let mut w = world();
    check(
        &mut w,
        &[
            ("vm1", frame("A", "*"), "eth1[10] vm2[]"),
            ("vm2", frame("B", "A"), "vm1[]"),
            ("eth1", frame("A", "*").tag(10), "vm1[] vm2[]"),
            ("vm2", frame("B", "A"), "eth1[10]"),
            ("vm1", frame("A", "B"), "vm2[]"),
            ("eth1", frame("S", "A").tag(10), "vm1[]"),
        ],
    );
    assert_eq!(w.learned(), ["web:A@p1", "web:B@p2", "web:S@t/10"]);
}

#[test]
fn section_4_both_tables_of_the_walk_know_a_station() {
    // Item 62 of the two seed texts: Bridge2 (VLAN 10) and Bridge1 both hold Server1's MAC, and the
    // collapsed table gives the same result. A frame between two stations behind one trunk shows the
    // first table, one from a VM the second.
    let mut w = two_trunks("mode: stp-transparent, transit: true");
    check(
        &mut w,
        &[
            ("vm1", frame("A", "B"), "eth1[10] eth2[s10] eth3[10] vm2[]"),
            ("eth1", frame("S", "A").tag(10), "vm1[]"),
            ("eth2", frame("T", "S").stag(10), "eth1[10]"),
            ("vm2", frame("B", "S"), "eth1[10]"),
        ],
    );
}

#[test]
fn section_4_an_entry_goes_when_it_was_idle_for_longer_than_the_ageing_time() {
    let text = SITE.replace("{name: web}", "{name: web, ageing: 10s}");
    let mut w = World::new(&text, &["eth1", "vm1", "vm2", "vm3"]);
    check(
        &mut w,
        &[("vm1", frame("A", "*"), "eth1[10] vm2[]"), ("vm3", frame("C", "*"), "eth1[20]")],
    );
    w.wait(Duration::from_secs(10));
    check(&mut w, &[("vm2", frame("B", "A"), "vm1[]")]);
    w.wait(Duration::from_nanos(1));
    check(&mut w, &[("vm2", frame("B", "A"), "eth1[10] vm1[]")]);
    // Being written to keeps nobody alive; writing does.
    check(&mut w, &[("vm1", frame("A", "X"), "eth1[10] vm2[]")]);
    w.wait(Duration::from_secs(9));
    check(&mut w, &[("vm1", frame("A", "B"), "vm2[]"), ("vm2", frame("B", "A"), "vm1[]")]);
    w.wait(Duration::from_secs(9));
    check(&mut w, &[("vm2", frame("B", "A"), "vm1[]")]);
    assert_eq!(w.learned(), ["db:C@p3", "web:A@p1", "web:B@p2"]);
    w.wait(Duration::from_secs(300));
    assert!(w.learned().is_empty());
}

const STATIC: &str = "
staticMacs:
- {bridge: web, mac: 02:00:00:00:00:41, port: p1}
- {bridge: web, mac: 02:00:00:00:00:53, port: t, vid: 10}
";

#[test]
fn section_4_a_static_entry_wins_always() {
    let mut w = World::new(&format!("{SITE}{STATIC}"), &["eth1", "vm1", "vm2", "vm3"]);
    check(
        &mut w,
        &[
            // Known without having been seen.
            ("vm2", frame("B", "A"), "vm1[]"),
            ("vm2", frame("B", "S"), "eth1[10]"),
            ("vm2", frame("A", "B"), "drop static_mac_violation"),
            ("vm2", frame("A", "*"), "drop static_mac_violation"),
            ("eth1", frame("A", "B").tag(10), "drop static_mac_violation"),
            ("vm1", frame("S", "B"), "drop static_mac_violation"),
            ("vm1", frame("A", "B"), "vm2[]"),
            ("eth1", frame("S", "A").tag(10), "vm1[]"),
            // In the other bridge A is anybody.
            ("vm3", frame("A", "*"), "eth1[20]"),
            ("vm1", frame("C", "A"), "drop hairpin"),
        ],
    );
    assert_eq!(w.learned(), ["db:A@p3", "web:B@p2", "web:C@p1"]);
    // It does not age, and it wins over what was learned before it came.
    w.wait(Duration::from_secs(1000));
    check(&mut w, &[("vm2", frame("B", "A"), "vm1[]")]);
    let mut w = world();
    check(&mut w, &[("vm2", frame("A", "*"), "eth1[10] vm1[]")]);
    w.reconfigure(topology(&format!("{SITE}{STATIC}")), w.view.clone());
    check(
        &mut w,
        &[("vm2", frame("B", "A"), "vm1[]"), ("vm2", frame("A", "*"), "drop static_mac_violation")],
    );
}

#[test]
fn section_4_a_static_entry_is_in_force_while_its_port_can_be_used() {
    let mut w = World::new(&format!("{SITE}{STATIC}"), &["eth1", "vm1", "vm2", "vm3"]);
    let mut view = w.view.clone();
    view.interfaces[1].link = Link::Down;
    w.reconfigure(w.topology.clone(), view);
    let notes: Vec<String> = w.machine.compiled.notes.iter().map(ToString::to_string).collect();
    assert!(notes[0].contains("staticMacs/web/02:00:00:00:00:41 is not in force: p1"), "{notes:?}");
    check(&mut w, &[("vm2", frame("B", "A"), "eth1[10]")]);
}

#[test]
fn section_4_entries_go_with_the_link_the_port_the_binding_and_the_vlan() {
    let fresh = || {
        let mut w = two_trunks("mode: stp-transparent");
        check(
            &mut w,
            &[
                ("vm1", frame("A", "*"), "eth1[10] eth2[s10] eth3[10] vm2[]"),
                ("vm2", frame("B", "*"), "eth1[10] eth2[s10] eth3[10] vm1[]"),
                ("eth1", frame("S", "*").tag(10), "vm1[] vm2[]"),
                ("eth2", frame("T", "*").stag(20), "drop split_horizon"),
            ],
        );
        assert_eq!(w.learned(), ["db:T@t2/20", "web:A@p1", "web:B@p2", "web:S@t1/10"]);
        w
    };
    let mut w = fresh();
    let mut view = w.view.clone();
    view.interfaces[0].link = Link::Down;
    let up = w.view.clone();
    w.reconfigure(w.topology.clone(), view);
    assert_eq!(w.learned(), ["db:T@t2/20", "web:A@p1", "web:B@p2"], "link down");
    w.reconfigure(w.topology.clone(), up);
    assert_eq!(w.learned(), ["db:T@t2/20", "web:A@p1", "web:B@p2"], "and not back with the link");
    check(&mut w, &[("vm1", frame("A", "S"), "eth1[10] eth2[s10] eth3[10] vm2[]")]);

    let cases: [(&str, &str, &str, &[&str]); 6] = [
        (
            "port down",
            "interface: vm1}",
            "interface: vm1, admin: down}",
            &["db:T@t2/20", "web:B@p2", "web:S@t1/10"],
        ),
        (
            "binding moved",
            "interface: vm1}",
            "interface: spare}",
            &["db:T@t2/20", "web:B@p2", "web:S@t1/10"],
        ),
        (
            "binding lost",
            "host: h, interface: vm1}",
            "}",
            &["db:T@t2/20", "web:B@p2", "web:S@t1/10"],
        ),
        (
            "VLAN no longer allowed",
            "interface: eth1}",
            "interface: eth1, allowed: [20]}",
            &["db:T@t2/20", "web:A@p1", "web:B@p2"],
        ),
        (
            "gateway bridge down",
            "{name: gw, ",
            "{name: gw, admin: down, ",
            &["web:A@p1", "web:B@p2"],
        ),
        (
            "VLAN moved to another bridge",
            "vid: 10, bridge: web",
            "vid: 11, bridge: web",
            &["db:T@t2/20", "web:A@p1", "web:B@p2"],
        ),
    ];
    for (what, old, new, left) in cases {
        let mut w = fresh();
        // The site of `two_trunks` as text, by way of its own emitter.
        let text = bridge_model::site::to_yaml(&w.topology);
        let changed = text.replacen(old, new, 1).replace(", }", "}");
        assert_ne!(changed, text, "{what}: {text}");
        let mut view = w.view.clone();
        view.interfaces.push(crate::world::view(&["spare"]).interfaces.remove(0));
        w.reconfigure(topology(&changed), view);
        assert_eq!(w.learned(), left, "{what}");
    }
}

#[test]
fn section_4_what_is_not_touched_by_a_change_stays_learned() {
    let mut w = world();
    check(
        &mut w,
        &[
            ("vm1", frame("A", "*"), "eth1[10] vm2[]"),
            ("eth1", frame("S", "*").tag(10), "vm1[] vm2[]"),
        ],
    );
    // Issue 2: a second VLAN is added live with no loss in the first.
    let more = SITE.replace("vlanLinks:", "vlanLinks:\n- {gatewayBridge: gw, vid: 5, bridge: new}");
    let more = more.replace("{name: db}", "{name: db}, {name: new}");
    w.reconfigure(topology(&more), w.view.clone());
    check(&mut w, &[("vm2", frame("B", "A"), "vm1[]"), ("vm2", frame("B", "S"), "eth1[10]")]);
    let without_p3 = more.replace("- {name: p3, bridge: db, host: h, interface: vm3}\n", "");
    w.reconfigure(topology(&without_p3), w.view.clone());
    check(&mut w, &[("eth1", frame("S", "A").tag(10), "vm1[]")]);
}

#[test]
fn section_5_a_flush_forgets_what_its_scope_covers_and_nothing_else() {
    let vid = |raw| VlanId::new(raw).ok();
    let gw = |vid| Scope::GatewayBridge { name: name("gw"), vid };
    let cases: [(Scope, &[&str]); 8] = [
        (gw(None), &["web:A@p1"]),
        (gw(vid(10)), &["db:S@t1/20", "db:T@t2/20", "web:A@p1"]),
        (gw(vid(20)), &["web:A@p1", "web:S@t1/10"]),
        (gw(vid(99)), &["db:S@t1/20", "db:T@t2/20", "web:A@p1", "web:S@t1/10"]),
        (Scope::Port(name("t1")), &["db:T@t2/20", "web:A@p1"]),
        (Scope::Port(name("p1")), &["db:S@t1/20", "db:T@t2/20", "web:S@t1/10"]),
        (Scope::Bridge(name("web")), &["db:S@t1/20", "db:T@t2/20"]),
        (Scope::All, &[]),
    ];
    for (scope, left) in cases {
        let mut w = two_trunks("mode: stp-transparent");
        check(
            &mut w,
            &[
                ("vm1", frame("A", "*"), "eth1[10] eth2[s10] eth3[10] vm2[]"),
                ("eth1", frame("S", "*").tag(10), "vm1[] vm2[]"),
                ("eth1", frame("S", "*").tag(20), "drop split_horizon"),
                ("eth2", frame("T", "*").stag(20), "drop split_horizon"),
            ],
        );
        w.flush(&scope);
        assert_eq!(w.learned(), left, "{scope:?}");
        // The next frame floods, and learning goes on.
        if scope == gw(None) {
            check(
                &mut w,
                &[
                    ("vm1", frame("A", "S"), "eth1[10] eth2[s10] eth3[10] vm2[]"),
                    ("eth1", frame("S", "A").tag(10), "vm1[]"),
                ],
            );
        }
    }
}

#[test]
fn section_6_the_right_to_forward_moves_with_the_link_and_takes_the_stations_along() {
    let mut w = two_trunks("mode: lease");
    let up = w.view.clone();
    let forwarder = |w: &mut World| {
        let steps = [
            ("eth1", frame("S", "*").tag(10)),
            ("eth2", frame("S", "*").stag(10)),
            ("eth3", frame("S", "*").tag(10)),
        ];
        let passing: Vec<&str> = steps
            .iter()
            .filter(|(interface, frame)| !w.send(interface, frame).copies().is_empty())
            .map(|(interface, _)| *interface)
            .collect();
        assert_eq!(passing.len(), 1, "{passing:?}");
        passing[0].to_owned()
    };
    let first = forwarder(&mut w);
    let index = w.interface(&first).index();
    let mut view = up.clone();
    view.interfaces[index].link = Link::Down;
    w.reconfigure(w.topology.clone(), view);
    assert!(w.learned().is_empty());
    let second = forwarder(&mut w);
    assert_ne!(first, second);
    w.reconfigure(w.topology.clone(), up);
    assert!(w.learned().is_empty(), "the second trunk lost the right again");
    assert_eq!(forwarder(&mut w), first, "the same trunks, the same choice");
}
