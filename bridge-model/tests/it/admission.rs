//! Section 2: admission, rule by rule and in order.

use bridge_model::compile::Link;

use crate::world::{World, check, frame, name, topology};

pub(crate) const SITE: &str = "
hosts: [{name: h}, {name: other}]
bridges: [{name: web}, {name: db}]
gatewayBridges: [{name: gw}]
trunks: [{name: t, gatewayBridge: gw, host: h, interface: eth1}]
vlanLinks:
- {gatewayBridge: gw, vid: 10, bridge: web}
- {gatewayBridge: gw, vid: 20, bridge: db}
accessPorts:
- {name: p1, bridge: web, host: h, interface: vm1}
- {name: p2, bridge: web, host: h, interface: vm2}
- {name: p3, bridge: db, host: h, interface: vm3}
- {name: far, bridge: web, host: other, interface: vm1}
";

pub(crate) fn world() -> World {
    World::new(SITE, &["eth1", "vm1", "vm2", "vm3", "spare"])
}

#[test]
fn section_2_1_a_frame_without_whole_header_or_tags_is_malformed() {
    let mut w = world();
    for octets in [0, 1, 6, 12, 13] {
        check(&mut w, &[("vm1", frame("A", "B").cut(octets), "drop malformed")]);
    }
    check(
        &mut w,
        &[
            ("vm1", frame("A", "B").cut(14), "eth1[10] vm2[]"),
            ("eth1", frame("C", "B").tag(10).cut(14), "drop malformed"),
            ("eth1", frame("C", "B").tag(10).cut(15), "drop malformed"),
            ("eth1", frame("C", "B").tag(10).cut(17), "drop malformed"),
            ("eth1", frame("C", "B").tag(10).cut(18), "vm1[] vm2[]"),
            ("eth1", frame("C", "B").tag(7).tag(10).cut(21), "drop malformed"),
            ("eth1", frame("C", "B").stag(7).tag(10).cut(20), "drop malformed"),
            // A third tag is payload, complete or not (here padding completes it).
            ("eth1", frame("C", "B").tag(8).tag(7).tag(10).cut(24), "vm1[7.8] vm2[7.8]"),
        ],
    );
    assert_eq!(w.oracle.learned().len(), 2, "a malformed frame teaches nothing");
}

#[test]
fn section_2_2_a_source_that_is_a_group_or_zero_is_dropped_and_not_learned() {
    let mut w = world();
    for source in ["*", "m", "00:00:00:00:00:00", "01:80:c2:00:00:00"] {
        check(
            &mut w,
            &[
                ("vm1", frame(source, "B"), "drop bad_source"),
                ("eth1", frame(source, "*").tag(10), "drop bad_source"),
                ("spare", frame(source, "*"), "drop bad_source"),
                // Before the destination is looked at.
                ("vm1", frame(source, "01:80:c2:00:00:00"), "drop bad_source"),
            ],
        );
    }
    assert!(w.oracle.learned().is_empty());
}

#[test]
fn section_2_3_what_is_down_drops_everything_before_it_looks_at_the_destination() {
    let text = SITE.replace("host: h, interface: vm1}", "host: h, interface: vm1, admin: down}");
    let mut w = World::new(&text, &["eth1", "vm1", "vm2", "vm3"]);
    check(
        &mut w,
        &[
            ("vm1", frame("A", "*"), "drop admin_down"),
            ("vm1", frame("A", "*").tag(10), "drop admin_down"),
            ("vm1", frame("A", "*").tag(4095), "drop admin_down"),
            ("vm1", frame("A", "01:80:c2:00:00:00"), "drop admin_down"),
            ("vm2", frame("B", "*"), "eth1[10]"),
        ],
    );

    let text = SITE.replace("{name: web}", "{name: web, admin: down}");
    let mut w = World::new(&text, &["eth1", "vm1", "vm2", "vm3"]);
    check(
        &mut w,
        &[
            ("vm1", frame("A", "*"), "drop admin_down"),
            ("eth1", frame("A", "*").tag(10), "drop admin_down"),
            ("eth1", frame("A", "*").tag(20), "vm3[]"),
            // The trunk itself is up.
            ("eth1", frame("A", "01:80:c2:00:00:00"), "consume bpdu"),
            ("vm1", frame("A", "01:80:c2:00:00:00"), "drop admin_down"),
        ],
    );

    for text in [
        SITE.replace("{name: gw}", "{name: gw, admin: down}"),
        SITE.replace("interface: eth1}", "interface: eth1, admin: down}"),
    ] {
        let mut w = World::new(&text, &["eth1", "vm1", "vm2", "vm3"]);
        check(
            &mut w,
            &[
                ("eth1", frame("A", "*").tag(10), "drop admin_down"),
                ("eth1", frame("A", "*").tag(99), "drop admin_down"),
                ("eth1", frame("A", "*").tag(4095), "drop admin_down"),
                ("eth1", frame("A", "*").stag(10), "drop admin_down"),
                ("eth1", frame("A", "*"), "drop admin_down"),
                ("eth1", frame("A", "01:80:c2:00:00:0e"), "drop admin_down"),
                ("vm1", frame("B", "*"), "vm2[]"),
            ],
        );
        assert_eq!(w.oracle.learned().len(), 1);
    }
}

#[test]
fn section_2_3_an_interface_without_port_or_without_carrier_admits_nothing() {
    let mut w = world();
    check(
        &mut w,
        &[
            ("spare", frame("A", "*"), "drop port_unbound"),
            ("spare", frame("A", "*").tag(10), "drop port_unbound"),
            ("spare", frame("A", "*").tag(4095), "drop port_unbound"),
            ("spare", frame("A", "01:80:c2:00:00:02"), "drop port_unbound"),
            ("no-such-interface", frame("A", "*"), "drop port_unbound"),
        ],
    );
    let mut view = w.view.clone();
    view.interfaces[0].link = Link::Down;
    let mut w = World::with(topology(SITE), view);
    check(
        &mut w,
        &[
            ("eth1", frame("A", "*").tag(10), "drop rx_link_down"),
            ("eth1", frame("A", "01:80:c2:00:00:0e"), "drop rx_link_down"),
            ("vm1", frame("A", "*"), "vm2[]"),
        ],
    );
}

#[test]
fn section_2_4_a_reserved_destination_never_reaches_section_4() {
    let mut w = world();
    check(
        &mut w,
        &[
            ("vm1", frame("A", "01:80:c2:00:00:03"), "drop reserved"),
            ("vm1", frame("A", "01:80:c2:00:00:20").tag(10), "drop reserved"),
            ("eth1", frame("A", "01:80:c2:00:00:2f").tag(10), "drop reserved"),
            ("eth1", frame("A", "01:00:0c:cc:cc:cc").tag(4095), "drop reserved"),
            // Their neighbours are ordinary groups.
            ("vm1", frame("A", "01:80:c2:00:00:10"), "eth1[10] vm2[]"),
            ("vm1", frame("A", "01:80:c2:00:00:30"), "eth1[10] vm2[]"),
            ("vm1", frame("A", "01:80:c2:00:01:00"), "eth1[10] vm2[]"),
            ("vm1", frame("A", "01:00:0c:cc:cc:ce"), "eth1[10] vm2[]"),
        ],
    );
    assert_eq!(w.oracle.learned().len(), 1, "only ordinary frames teach");
}

#[test]
fn section_2_5_a_priority_tag_counts_as_untagged_and_its_priority_is_kept() {
    let mut w = world();
    check(
        &mut w,
        &[
            ("vm1", frame("A", "*").urgent_tag(0), "eth1[10p5d] vm2[]"),
            ("vm1", frame("A", "*").stag(0), "eth1[10] vm2[]"),
            ("eth1", frame("B", "*").tag(0), "drop untagged_on_trunk"),
        ],
    );
    let native = SITE.replace("interface: eth1}", "interface: eth1, native: 10}");
    let mut w = World::new(&native, &["eth1", "vm1", "vm2", "vm3"]);
    check(
        &mut w,
        &[
            ("eth1", frame("B", "*").urgent_tag(0), "vm1[] vm2[]"),
            ("eth1", frame("B", "*"), "vm1[] vm2[]"),
            // A priority tag of a TPID that the trunk does not speak is no tag of ours.
            ("eth1", frame("B", "*").stag(0), "drop bad_tpid"),
        ],
    );
}

#[test]
fn section_2_5_vid_4095_is_reserved() {
    let mut w = world();
    check(
        &mut w,
        &[
            ("eth1", frame("A", "*").tag(4095), "drop vlan_reserved"),
            ("vm1", frame("A", "*").tag(4095), "drop vlan_reserved"),
            ("vm1", frame("A", "*").stag(4095), "drop vlan_reserved"),
            ("eth1", frame("A", "*").stag(4095), "drop bad_tpid"),
            // Deeper in, it is payload.
            ("eth1", frame("A", "*").tag(4095).tag(10), "vm1[4095] vm2[4095]"),
        ],
    );
}

#[test]
fn section_1_a_port_of_another_host_is_not_here() {
    let w = world();
    assert_eq!(w.machine.compiled.tables.ports.len(), 4);
    assert!(w.machine.numbering.port_id(&name("far")).is_none());
}
