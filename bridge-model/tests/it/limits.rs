//! Section 2 rule 6: storm control and MAC limits.

use std::time::Duration;

use crate::admission::SITE;
use crate::world::{Frame, World, check, frame};

fn site(port: &str, extra: &str) -> World {
    let text =
        SITE.replace(&format!("interface: {port}}}"), &format!("interface: {port}, {extra}}}"));
    assert_ne!(text, SITE);
    World::new(&text, &["eth1", "vm1", "vm2", "vm3"])
}

/// How many of `count` frames get through.
fn passed(w: &mut World, interface: &str, frame: &Frame, count: usize) -> usize {
    (0..count).filter(|_| !w.send(interface, frame).copies().is_empty()).count()
}

#[test]
fn section_2_6_each_kind_of_flooded_traffic_has_its_own_bucket() {
    let storm = "stormControl: {broadcast: {framesPerSecond: 10, burst: 3}, \
        multicast: {framesPerSecond: 10, burst: 2}, unknownUnicast: {framesPerSecond: 10, burst: 1}}";
    let mut w = site("vm1", storm);
    assert_eq!(passed(&mut w, "vm1", &frame("A", "*"), 10), 3);
    assert_eq!(passed(&mut w, "vm1", &frame("A", "m"), 10), 2);
    assert_eq!(passed(&mut w, "vm1", &frame("A", "X"), 10), 1);
    check(
        &mut w,
        &[
            ("vm1", frame("A", "*"), "drop storm_broadcast"),
            ("vm1", frame("A", "m"), "drop storm_multicast"),
            ("vm1", frame("A", "X"), "drop storm_unknown"),
            // Other ports have no limit, and known unicast is never limited.
            ("vm2", frame("B", "*"), "eth1[10] vm1[]"),
            ("vm1", frame("A", "B"), "vm2[]"),
        ],
    );
    // A token every 100 ms, and never more than the burst.
    w.wait(Duration::from_millis(99));
    check(&mut w, &[("vm1", frame("A", "*"), "drop storm_broadcast")]);
    w.wait(Duration::from_millis(1));
    check(
        &mut w,
        &[
            ("vm1", frame("A", "*"), "eth1[10] vm2[]"),
            ("vm1", frame("A", "*"), "drop storm_broadcast"),
        ],
    );
    w.wait(Duration::from_secs(100));
    assert_eq!(passed(&mut w, "vm1", &frame("A", "*"), 10), 3);
}

#[test]
fn section_2_6_a_frame_that_goes_nowhere_anyway_spends_no_token_and_a_refused_one_teaches_nothing()
{
    let mut w = site("eth1", "stormControl: {broadcast: {framesPerSecond: 1, burst: 1}}");
    check(
        &mut w,
        &[
            ("eth1", frame("S", "*").tag(99), "drop vlan_unknown"),
            ("eth1", frame("S", "*"), "drop untagged_on_trunk"),
            ("eth1", frame("*", "*").tag(10), "drop bad_source"),
            ("eth1", frame("S", "*").tag(10).cut(17), "drop malformed"),
            ("eth1", frame("S", "01:80:c2:00:00:00"), "consume bpdu"),
            ("eth1", frame("S", "*").tag(10), "vm1[] vm2[]"),
            ("eth1", frame("T", "*").tag(10), "drop storm_broadcast"),
        ],
    );
    assert_eq!(w.learned(), ["web:S@t/10"]);
}

#[test]
fn section_2_6_the_port_and_the_vlan_must_both_have_a_token_and_a_refusal_spends_none() {
    let storm = "stormControl: {broadcast: {framesPerSecond: 1, burst: 3}, \
        perVlan: {broadcast: {framesPerSecond: 1, burst: 2}}}";
    let mut w = site("eth1", storm);
    assert_eq!(passed(&mut w, "eth1", &frame("S", "*").tag(10), 5), 2, "VLAN 10 is limited to 2");
    assert_eq!(passed(&mut w, "eth1", &frame("S", "*").tag(20), 5), 1, "and the port to 3");
    // Refused by the port, VLAN 20 still has its token: after a second the port has one again.
    w.wait(Duration::from_secs(1));
    assert_eq!(passed(&mut w, "eth1", &frame("S", "*").tag(20), 5), 1);
}

#[test]
fn section_2_6_unknown_unicast_is_known_to_be_unknown_only_after_learning() {
    let mut w = site("vm1", "stormControl: {unknownUnicast: {framesPerSecond: 1, burst: 1}}");
    check(
        &mut w,
        &[
            ("vm1", frame("A", "X"), "eth1[10] vm2[]"),
            ("vm1", frame("B", "X"), "drop storm_unknown"),
            ("vm2", frame("C", "B"), "vm1[]"),
        ],
    );
}

#[test]
fn section_2_6_over_the_mac_limit_a_frame_is_forwarded_or_dropped_by_policy_and_never_learned() {
    let mut w = site("vm1", "macLimit: 2");
    check(
        &mut w,
        &[
            ("vm1", frame("A", "*"), "eth1[10] vm2[]"),
            ("vm1", frame("B", "*"), "eth1[10] vm2[]"),
            ("vm1", frame("C", "*"), "eth1[10] vm2[]"),
            ("vm1", frame("A", "*"), "eth1[10] vm2[]"),
            // The limit is that of the port alone.
            ("vm2", frame("D", "C"), "eth1[10] vm1[]"),
        ],
    );
    assert_eq!(w.learned(), ["web:A@p1", "web:B@p1", "web:D@p2"]);
    let mut w = site("vm1", "macLimit: 1, macLimitPolicy: drop");
    check(
        &mut w,
        &[
            ("vm1", frame("A", "*"), "eth1[10] vm2[]"),
            ("vm1", frame("C", "*"), "drop mac_limit"),
            ("vm1", frame("A", "*"), "eth1[10] vm2[]"),
            // A station that moves here stays where it was.
            ("vm2", frame("B", "*"), "eth1[10] vm1[]"),
            ("vm1", frame("B", "*"), "drop mac_limit"),
        ],
    );
    assert_eq!(w.learned(), ["web:A@p1", "web:B@p2"]);
    // When one goes, the next may come.
    w.wait(Duration::from_secs(301));
    check(&mut w, &[("vm1", frame("C", "*"), "eth1[10] vm2[]")]);
    assert_eq!(w.learned(), ["web:C@p1"]);
}

#[test]
fn section_2_6_the_limit_of_a_bridge_counts_all_its_ports_and_a_move_is_no_new_entry() {
    let text = SITE.replace("{name: web}", "{name: web, macLimit: 2, macLimitPolicy: drop}");
    let mut w = World::new(&text, &["eth1", "vm1", "vm2", "vm3"]);
    check(
        &mut w,
        &[
            ("vm1", frame("A", "*"), "eth1[10] vm2[]"),
            ("eth1", frame("S", "*").tag(10), "vm1[] vm2[]"),
            ("vm2", frame("B", "*"), "drop mac_limit"),
            ("vm2", frame("A", "*"), "eth1[10] vm1[]"),
            ("vm3", frame("B", "*"), "eth1[20]"),
        ],
    );
    assert_eq!(w.learned(), ["db:B@p3", "web:A@p2", "web:S@t/10"]);
}

#[test]
fn section_2_6_the_limit_of_a_trunk_counts_all_its_vids_and_static_entries_do_not_count() {
    let statics = "
staticMacs: [{bridge: web, mac: 02:00:00:00:00:51, port: t, vid: 10}]
";
    let text = SITE.replace("interface: eth1}", "interface: eth1, macLimit: 2}") + statics;
    let mut w = World::new(&text, &["eth1", "vm1", "vm2", "vm3"]);
    check(
        &mut w,
        &[
            ("eth1", frame("Q", "*").tag(10), "vm1[] vm2[]"),
            ("eth1", frame("S", "*").tag(10), "vm1[] vm2[]"),
            ("eth1", frame("S", "*").tag(20), "vm3[]"),
            ("eth1", frame("T", "*").tag(20), "vm3[]"),
            ("eth1", frame("T", "*").tag(10), "vm1[] vm2[]"),
        ],
    );
    assert_eq!(w.learned(), ["db:S@t/20", "web:S@t/10"]);
}

#[test]
fn section_2_6_of_two_limits_the_stricter_policy_decides() {
    let text = SITE
        .replace("{name: web}", "{name: web, macLimit: 1, macLimitPolicy: drop}")
        .replace("interface: vm1}", "interface: vm1, macLimit: 1}");
    let mut w = World::new(&text, &["eth1", "vm1", "vm2", "vm3"]);
    check(
        &mut w,
        &[("vm1", frame("A", "*"), "eth1[10] vm2[]"), ("vm1", frame("B", "*"), "drop mac_limit")],
    );
}

#[test]
fn section_2_6_a_transparent_bridge_limits_each_vlan_of_its_payload() {
    let text = "
hosts: [{name: h}]
bridges: [{name: raw, transparent: true, macLimit: 1}]
accessPorts:
- {name: p1, bridge: raw, host: h, interface: vm1}
- {name: p2, bridge: raw, host: h, interface: vm2}
";
    let mut w = World::new(text, &["vm1", "vm2"]);
    for vid in [1, 2] {
        for source in ["A", "B"] {
            check(&mut w, &[("vm1", frame(source, "*").tag(vid), &format!("vm2[{vid}]"))]);
        }
    }
    assert_eq!(w.learned(), ["raw(1):A@p1", "raw(2):A@p1"]);
}
