//! Section 3: which bridge, which tag.

use crate::admission::SITE;
use crate::world::{World, check, frame};

const INTERFACES: &[&str] = &["eth1", "vm1", "vm2", "vm3"];

fn site(old: &str, new: &str) -> World {
    let text = SITE.replace(old, new);
    assert_ne!(text, SITE);
    World::new(&text, INTERFACES)
}

#[test]
fn section_3_1_the_outermost_tag_selects_the_bridge_and_is_popped() {
    let mut w = World::new(SITE, INTERFACES);
    check(
        &mut w,
        &[
            ("eth1", frame("A", "*").tag(10), "vm1[] vm2[]"),
            ("eth1", frame("A", "*").tag(20), "vm3[]"),
            ("eth1", frame("A", "*").tag(20).tag(10), "vm1[20] vm2[20]"),
            ("eth1", frame("A", "*").stag(20).tag(10), "vm1[s20] vm2[s20]"),
        ],
    );
}

#[test]
fn section_3_2_a_vid_without_link_or_not_allowed_is_unknown() {
    let mut w = site("interface: eth1}", "interface: eth1, allowed: [20, \"30-40\"]}");
    check(
        &mut w,
        &[
            ("eth1", frame("A", "*").tag(10), "drop vlan_unknown"),
            ("eth1", frame("A", "*").tag(30), "drop vlan_unknown"),
            ("eth1", frame("A", "*").tag(99), "drop vlan_unknown"),
            ("eth1", frame("A", "*").tag(20), "vm3[]"),
            // VLAN 10 leads nowhere on this trunk.
            ("vm1", frame("B", "*"), "vm2[]"),
        ],
    );
    assert_eq!(w.oracle.learned().len(), 2, "an unknown VLAN teaches nothing");
}

#[test]
fn section_3_3_untagged_frames_belong_to_the_native_vlan_if_there_is_one() {
    let mut w = World::new(SITE, INTERFACES);
    check(&mut w, &[("eth1", frame("A", "*"), "drop untagged_on_trunk")]);
    let mut w = site("interface: eth1}", "interface: eth1, native: 20}");
    check(
        &mut w,
        &[
            ("eth1", frame("A", "*"), "vm3[]"),
            ("eth1", frame("A", "*").tag(20), "vm3[]"),
            // What leaves is tagged all the same.
            ("vm3", frame("B", "A"), "eth1[20]"),
        ],
    );
    let mut w = site("interface: eth1}", "interface: eth1, native: 7, allowed: [7, 10]}");
    check(&mut w, &[("eth1", frame("A", "*"), "drop vlan_unknown")]);
}

#[test]
fn section_3_4_a_foreign_tpid_is_never_classified_by_its_vid() {
    let mut w = World::new(SITE, INTERFACES);
    check(&mut w, &[("eth1", frame("A", "*").stag(10), "drop bad_tpid")]);
    let mut w = site("interface: eth1}", "interface: eth1, tpid: 0x88a8}");
    check(
        &mut w,
        &[
            ("eth1", frame("A", "*").tag(10), "drop bad_tpid"),
            ("eth1", frame("A", "*").stag(10), "vm1[] vm2[]"),
            ("eth1", frame("A", "*").tag(5).stag(10), "vm1[5] vm2[5]"),
            ("vm1", frame("B", "A"), "eth1[s10]"),
        ],
    );
}

#[test]
fn section_3_4_a_pair_of_service_and_customer_tag_is_matched_and_both_are_popped() {
    let pairs = "vlanLinks:
- {gatewayBridge: gw, vid: 30, innerVid: 1, bridge: web}
- {gatewayBridge: gw, vid: 30, innerVid: 2, bridge: db}";
    let text = SITE
        .replace("interface: eth1}", "interface: eth1, tpid: 0x88a8}")
        .replace("vlanLinks:\n- {gatewayBridge: gw, vid: 10, bridge: web}", pairs);
    let mut w =
        World::new(&text.replace("- {gatewayBridge: gw, vid: 20, bridge: db}", ""), INTERFACES);
    check(
        &mut w,
        &[
            ("eth1", frame("A", "*").tag(1).stag(30), "vm1[] vm2[]"),
            ("eth1", frame("C", "*").tag(2).stag(30), "vm3[]"),
            ("eth1", frame("A", "*").tag(3).stag(30), "drop vlan_unknown"),
            ("eth1", frame("A", "*").tag(0).stag(30), "drop vlan_unknown"),
            ("eth1", frame("A", "*").tag(4095).stag(30), "drop vlan_unknown"),
            ("eth1", frame("A", "*").stag(1).stag(30), "drop vlan_unknown"),
            ("eth1", frame("A", "*").stag(30), "drop vlan_unknown"),
            ("eth1", frame("A", "*").tag(9).tag(1).stag(30), "vm1[9] vm2[9]"),
            ("vm1", frame("B", "A"), "eth1[s30.1]"),
            ("vm1", frame("B", "A").urgent_tag(0), "eth1[s30p5d.1p5d]"),
            ("vm3", frame("B", "*"), "eth1[s30.2]"),
            // One MAC in two pairs is two stations.
            ("eth1", frame("D", "C").tag(1).stag(30), "vm1[] vm2[]"),
            ("eth1", frame("D", "C").tag(2).stag(30), "drop hairpin"),
        ],
    );
}

#[test]
fn section_3_5_an_access_port_takes_untagged_frames_into_its_bridge() {
    let mut w = World::new(SITE, INTERFACES);
    check(
        &mut w,
        &[
            ("vm1", frame("A", "*"), "eth1[10] vm2[]"),
            ("vm3", frame("A", "*"), "eth1[20]"),
            ("vm1", frame("A", "*").tag(10), "drop tagged_on_access"),
            ("vm1", frame("A", "*").stag(7), "drop tagged_on_access"),
            // Behind a priority tag the rest is payload.
            ("vm1", frame("A", "*").tag(7).tag(0), "eth1[10.7] vm2[7]"),
        ],
    );
}

#[test]
fn section_3_6_a_transparent_bridge_keeps_the_tags_and_learns_by_the_outer_one() {
    let text = "
hosts: [{name: h}]
bridges: [{name: raw, transparent: true}]
accessPorts:
- {name: p1, bridge: raw, host: h, interface: vm1}
- {name: p2, bridge: raw, host: h, interface: vm2}
- {name: p3, bridge: raw, host: h, interface: vm3}
";
    let mut w = World::new(text, &["vm1", "vm2", "vm3"]);
    check(
        &mut w,
        &[
            ("vm1", frame("A", "*").tag(10), "vm2[10] vm3[10]"),
            ("vm2", frame("A", "*").tag(20), "vm1[20] vm3[20]"),
            // One MAC in two tags does not flap.
            ("vm3", frame("B", "A").tag(10), "vm1[10]"),
            ("vm3", frame("B", "A").tag(20), "vm2[20]"),
            ("vm3", frame("B", "A"), "vm1[] vm2[]"),
            ("vm1", frame("A", "B").stag(10), "vm3[s10]"),
            ("vm1", frame("A", "B").tag(5).urgent_tag(20), "vm3[20p5d.5]"),
            // A priority tag is payload too; it belongs with untagged frames.
            ("vm1", frame("C", "B").urgent_tag(0), "vm3[0p5d]"),
            ("vm3", frame("B", "C"), "vm1[]"),
            ("vm1", frame("A", "*").tag(4095), "drop vlan_reserved"),
            ("vm1", frame("A", "*").tag(4094), "vm2[4094] vm3[4094]"),
            ("vm1", frame("A", "01:80:c2:00:00:00").tag(10), "drop bpdu_on_access"),
        ],
    );
}

#[test]
fn section_1_one_interface_carries_a_trunk_and_an_access_port_at_once() {
    let text = SITE.replace("host: h, interface: vm3}", "host: h, interface: eth1}");
    let mut w = World::new(&text, INTERFACES);
    check(
        &mut w,
        &[
            ("eth1", frame("A", "*"), "eth1[20]"),
            ("eth1", frame("B", "*").tag(20), "eth1[]"),
            ("eth1", frame("B", "A").tag(20), "eth1[]"),
            // Behind a priority tag of the trunk's TPID an untagged frame: the access port's.
            ("eth1", frame("A", "*").urgent_tag(0), "eth1[20p5d]"),
            // Control frames belong to the link, which is a trunk.
            ("eth1", frame("A", "01:80:c2:00:00:00"), "consume bpdu"),
        ],
    );
}
