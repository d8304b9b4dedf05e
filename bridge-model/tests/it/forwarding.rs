//! Section 4: F1 to F7 as far as one host goes, minimum length, MTU, order of tags. (F3, F6 and F8 need
//! a second host: see `overlay`. F9 is about queues and belongs to the data plane.)

use crate::admission::{SITE, world};
use crate::world::{World, check, frame, payload};

/// Two trunks of one gateway bridge, three access ports, two VLANs.
pub(crate) fn two_trunks(mode: &str) -> World {
    let text = format!(
        "
hosts: [{{name: h}}]
bridges: [{{name: web}}, {{name: db}}]
gatewayBridges: [{{name: gw, {mode}}}]
trunks:
- {{name: t1, gatewayBridge: gw, host: h, interface: eth1}}
- {{name: t2, gatewayBridge: gw, host: h, interface: eth2, tpid: 0x88a8}}
- {{name: t3, gatewayBridge: gw, host: h, interface: eth3, allowed: [10, 77]}}
vlanLinks:
- {{gatewayBridge: gw, vid: 10, bridge: web}}
- {{gatewayBridge: gw, vid: 20, bridge: db}}
accessPorts:
- {{name: p1, bridge: web, host: h, interface: vm1}}
- {{name: p2, bridge: web, host: h, interface: vm2}}
"
    );
    World::new(&text, &["eth1", "eth2", "eth3", "vm1", "vm2"])
}

#[test]
fn f1_a_known_station_on_an_access_port_gets_the_frame_untagged_and_unchanged() {
    let mut w = world();
    check(
        &mut w,
        &[
            ("vm1", frame("A", "*"), "eth1[10] vm2[]"),
            ("vm2", frame("B", "A"), "vm1[]"),
            ("eth1", frame("C", "A").urgent_tag(10), "vm1[]"),
            ("eth1", frame("C", "A").tag(33).tag(10), "vm1[33]"),
            // The other bridge knows nothing of A.
            ("eth1", frame("C", "A").tag(20), "vm3[]"),
        ],
    );
}

#[test]
fn f2_a_known_station_behind_a_trunk_gets_the_tag_with_pcp_and_dei_kept() {
    let mut w = world();
    check(
        &mut w,
        &[
            ("eth1", frame("S", "*").tag(10), "vm1[] vm2[]"),
            ("vm1", frame("A", "S"), "eth1[10]"),
            ("vm1", frame("A", "S").urgent_tag(0), "eth1[10p5d]"),
        ],
    );
}

#[test]
fn f4_a_station_behind_the_ingress_port_gets_nothing() {
    let mut w = world();
    check(
        &mut w,
        &[
            ("vm1", frame("A", "*"), "eth1[10] vm2[]"),
            ("vm1", frame("B", "A"), "drop hairpin"),
            ("eth1", frame("S", "*").tag(10), "vm1[] vm2[]"),
            ("eth1", frame("T", "S").tag(10), "drop hairpin"),
            // To itself, known or not.
            ("vm2", frame("Z", "Z"), "drop hairpin"),
        ],
    );
    // Learned all the same.
    assert_eq!(w.oracle.learned().len(), 5);
}

#[test]
fn f5_what_is_unknown_goes_everywhere_else_once() {
    let mut w = world();
    for destination in ["X", "*", "m", "00:00:00:00:00:00", "33:33:00:00:00:01"] {
        check(
            &mut w,
            &[
                ("vm1", frame("A", destination), "eth1[10] vm2[]"),
                ("eth1", frame("S", destination).tag(10), "vm1[] vm2[]"),
                ("vm3", frame("A", destination), "eth1[20]"),
            ],
        );
    }
    let alone = "hosts: [{name: h}]\nbridges: [{name: b}]\naccessPorts: [{name: p, bridge: b, host: h, interface: vm1}]";
    let mut w = World::new(alone, &["vm1"]);
    check(
        &mut w,
        &[
            ("vm1", frame("A", "*"), "drop no_destination"),
            ("vm1", frame("A", "B"), "drop no_destination"),
        ],
    );
    assert_eq!(w.oracle.learned().len(), 1);
}

#[test]
fn f7_trunks_of_one_gateway_bridge_do_not_send_to_each_other_without_transit() {
    let mut w = two_trunks("mode: stp-transparent");
    check(
        &mut w,
        &[
            ("eth1", frame("S", "*").tag(10), "vm1[] vm2[]"),
            ("eth2", frame("T", "S").stag(10), "drop split_horizon"),
            ("vm1", frame("A", "*"), "eth1[10] eth2[s10] eth3[10] vm2[]"),
            ("eth1", frame("S", "*").tag(20), "drop split_horizon"),
            ("eth1", frame("S", "X").tag(20), "drop split_horizon"),
        ],
    );
}

#[test]
fn f7_with_transit_the_tag_is_kept_from_trunk_to_trunk() {
    let mut w = two_trunks("mode: stp-transparent, transit: true");
    check(
        &mut w,
        &[
            ("eth1", frame("S", "*").urgent_tag(10), "eth2[s10p5d] eth3[10p5d] vm1[] vm2[]"),
            ("eth3", frame("T", "S").urgent_tag(10), "eth1[10p5d]"),
            ("eth2", frame("U", "*").stag(20), "eth1[20]"),
            ("eth1", frame("V", "U").tag(20), "eth2[s20]"),
            ("vm1", frame("A", "S"), "eth1[10]"),
        ],
    );
}

#[test]
fn section_3_2_with_transit_a_vid_without_link_goes_from_trunk_to_trunk_and_is_learned_by_vid() {
    let text = "
hosts: [{name: h}]
bridges: [{name: web}]
gatewayBridges: [{name: gw, mode: stp-transparent, transit: true}]
trunks:
- {name: t1, gatewayBridge: gw, host: h, interface: eth1, allowed: [10, 77, 78]}
- {name: t2, gatewayBridge: gw, host: h, interface: eth2, allowed: [10, 77]}
- {name: t3, gatewayBridge: gw, host: h, interface: eth3, allowed: [10, 77]}
- {name: t4, gatewayBridge: gw, host: h, interface: eth4}
vlanLinks: [{gatewayBridge: gw, vid: 10, bridge: web}]
accessPorts: [{name: p1, bridge: web, host: h, interface: vm1}]
";
    let mut w = World::new(text, &["eth1", "eth2", "eth3", "eth4", "vm1"]);
    check(
        &mut w,
        &[
            ("eth1", frame("S", "*").urgent_tag(77), "eth2[77p5d] eth3[77p5d]"),
            ("eth2", frame("T", "S").tag(77), "eth1[77]"),
            ("eth3", frame("T", "S").tag(77), "eth1[77]"),
            ("eth1", frame("S", "T").tag(77), "eth3[77]"),
            ("eth1", frame("S", "*").tag(78), "drop no_destination"),
            ("eth2", frame("S", "*").tag(78), "drop vlan_unknown"),
            ("eth4", frame("S", "*").tag(77), "drop vlan_unknown"),
            // The learning of one VID is not that of another.
            ("eth2", frame("T", "S").tag(10), "eth1[10] eth3[10] eth4[10] vm1[]"),
        ],
    );
}

#[test]
fn section_6_in_lease_mode_one_trunk_forwards_a_vid_and_the_others_stand_by() {
    let mut w = two_trunks("mode: lease");
    let shown = |w: &mut World, interface: &str, vid: u16, service: bool| {
        let f = frame("S", "*");
        let f = if service { f.stag(vid) } else { f.tag(vid) };
        let outcome = w.send(interface, &f);
        w.shown(w.interface(interface), &f.bytes, &outcome)
    };
    let on_10: Vec<String> = [("eth1", false), ("eth2", true), ("eth3", false)]
        .map(|(interface, service)| shown(&mut w, interface, 10, service))
        .into();
    assert_eq!(on_10.iter().filter(|s| *s == "vm1[] vm2[]").count(), 1, "{on_10:?}");
    assert_eq!(on_10.iter().filter(|s| *s == "drop trunk_standby").count(), 2, "{on_10:?}");
    // The overlay's broadcast leaves by that one, once.
    let outcome = w.send("vm1", &frame("A", "*"));
    assert_eq!(outcome.copies().len(), 2);
}

#[test]
fn section_1_join_makes_two_vids_of_one_segment_one_network() {
    let text = SITE.replace("vid: 20, bridge: db", "vid: 20, bridge: web, join: true");
    let mut w = World::new(&text, &["eth1", "vm1", "vm2", "vm3"]);
    check(
        &mut w,
        &[
            ("eth1", frame("S", "*").urgent_tag(10), "eth1[20p5d] vm1[] vm2[]"),
            ("eth1", frame("T", "S").tag(20), "eth1[10]"),
            ("eth1", frame("S", "T").tag(10), "eth1[20]"),
            ("vm1", frame("A", "*"), "eth1[10] eth1[20] vm2[]"),
        ],
    );
}

#[test]
fn section_4_a_bridge_linked_to_two_segments_connects_them() {
    let text = SITE
        .replace("gatewayBridges: [{name: gw}]", "gatewayBridges: [{name: gw}, {name: g2}]")
        .replace(
            "interface: eth1}]",
            "interface: eth1}, {name: u, gatewayBridge: g2, host: h, interface: eth2}]",
        )
        .replace("vlanLinks:", "vlanLinks:\n- {gatewayBridge: g2, vid: 5, bridge: web}");
    let mut w = World::new(&text, &["eth1", "eth2", "vm1", "vm2", "vm3"]);
    check(
        &mut w,
        &[
            ("eth1", frame("S", "*").tag(10), "eth2[5] vm1[] vm2[]"),
            ("eth2", frame("T", "S").tag(5), "eth1[10]"),
            ("vm1", frame("A", "T"), "eth2[5]"),
        ],
    );
}

#[test]
fn section_4_a_frame_that_shrinks_below_60_octets_is_padded_with_zeros_to_60() {
    let mut w = world();
    let lens = |w: &mut World, interface: &str, f: &crate::world::Frame| {
        let outcome = w.send(interface, f);
        outcome.copies().iter().map(|copy| copy.bytes.len()).collect::<Vec<_>>()
    };
    // 64 octets with tag are 60 without; less is padded.
    assert_eq!(lens(&mut w, "eth1", &frame("S", "*").tag(10).cut(64)), [60, 60]);
    assert_eq!(lens(&mut w, "eth1", &frame("S", "*").tag(10).cut(63)), [60, 60]);
    assert_eq!(lens(&mut w, "eth1", &frame("S", "*").tag(10).cut(18)), [60, 60]);
    let outcome = w.send("eth1", &frame("S", "*").tag(10).cut(30));
    assert!(outcome.copies()[0].bytes[26..].iter().all(|octet| *octet == 0));
    // A frame that did not lose a tag stays as short as it came.
    assert_eq!(lens(&mut w, "vm1", &frame("A", "B").cut(20)), [24, 20]);
    assert_eq!(lens(&mut w, "vm1", &payload("A", "B", &[]).cut(14)), [18, 14]);
    // A priority tag that is replaced leaves the length alone, one that is taken off does not.
    assert_eq!(lens(&mut w, "vm1", &frame("A", "B").tag(0).cut(40)), [40, 60]);
    let mut w = two_trunks("mode: stp-transparent, transit: true");
    assert_eq!(lens(&mut w, "eth1", &frame("S", "*").tag(20).cut(40)), [40]);
    assert_eq!(lens(&mut w, "eth1", &frame("S", "*").tag(10).cut(40)), [40, 40, 60, 60]);
}

#[test]
fn section_4_the_mtu_bounds_the_layer_3_packet_of_each_copy_and_nothing_is_cut() {
    let mut view = world().view;
    view.interfaces[2].mtu = 1000;
    let mut w = World::with(crate::world::topology(SITE), view);
    check(
        &mut w,
        &[
            ("vm1", frame("A", "B").grown(14 + 1000), "eth1[10] vm2[]"),
            ("vm1", frame("A", "B").grown(14 + 1001), "eth1[10] !vm2:mtu_exceeded"),
            ("vm1", frame("A", "B").grown(14 + 1500), "eth1[10] !vm2:mtu_exceeded"),
            ("vm1", frame("A", "B").grown(14 + 1501), "!eth1:mtu_exceeded !vm2:mtu_exceeded"),
            ("eth1", frame("S", "*").tag(10).grown(18 + 1500), "vm1[] !vm2:mtu_exceeded"),
            // Tags in front do not count against the packet; two of them at most.
            ("eth1", frame("S", "*").tag(7).tag(10).grown(22 + 1000), "vm1[7] vm2[7]"),
            (
                "eth1",
                frame("S", "*").tag(6).tag(7).tag(10).grown(26 + 1000),
                "vm1[7.6] !vm2:mtu_exceeded",
            ),
            ("vm2", frame("B", "*"), "eth1[10] vm1[]"),
            ("vm1", frame("A", "B").grown(14 + 1001), "drop mtu_exceeded"),
        ],
    );
}

#[test]
fn section_4_jumbo_frames_pass_where_the_ports_allow_them() {
    let mut view = world().view;
    for interface in &mut view.interfaces {
        interface.mtu = 9600;
    }
    let mut w = World::with(crate::world::topology(SITE), view);
    check(
        &mut w,
        &[
            ("vm1", frame("A", "B").grown(14 + 9600), "eth1[10] vm2[]"),
            ("vm1", frame("A", "B").grown(14 + 9601), "!eth1:mtu_exceeded !vm2:mtu_exceeded"),
        ],
    );
}

#[test]
fn section_4_nothing_above_the_tags_decides() {
    let mut w = world();
    for ether_type in [0x0800_u16, 0x86dd, 0x0806, 0x0000, 0x05ff, 0xffff, 0x9100] {
        let mut f = payload("A", "B", &[0xff; 60]);
        f.bytes[12..14].copy_from_slice(&ether_type.to_be_bytes());
        check(&mut w, &[("vm1", f, "eth1[10] vm2[]")]);
    }
}
