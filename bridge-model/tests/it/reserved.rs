//! Section 5: every reserved address, from a trunk and from an access port.

use bridge_model::types::MacAddr;

use crate::admission::{SITE, world};
use crate::forwarding::two_trunks;
use crate::world::{Frame, World, check, frame};

/// A PVST+ frame: length, LLC and SNAP, some octets of the message.
fn pvst(source: &str) -> Frame {
    let mut f = frame(source, "01:00:0c:cc:cc:cd");
    f.bytes[12..22].copy_from_slice(&[0, 50, 0xaa, 0xaa, 0x03, 0x00, 0x00, 0x0c, 0x01, 0x0b]);
    f
}

/// All 32 addresses of the two blocks, then those of vendors.
fn all_reserved() -> Vec<String> {
    let blocks = (0x00..=0x0f).chain(0x20..=0x2f_u8);
    let standard = blocks.map(|last| MacAddr::new([0x01, 0x80, 0xc2, 0, 0, last]).to_string());
    let vendors = [
        "01:00:0c:00:00:00",
        "01:00:0c:cc:cc:c0",
        "01:00:0c:cc:cc:c7",
        "01:00:0c:cc:cc:cc",
        "01:00:0c:cc:cc:cd",
        "01:00:0c:cd:cd:cd",
        "00:e0:2b:00:00:00",
        "00:e0:2b:00:00:04",
        "00:e0:2b:00:00:06",
    ];
    standard.chain(vendors.map(str::to_owned)).collect()
}

#[test]
fn section_5_every_reserved_address_from_an_access_port_is_dropped() {
    let mut w = world();
    for address in all_reserved() {
        let is_stp = address.ends_with("c2:00:00:00") || address.ends_with("c2:00:00:08");
        let expected = if is_stp { "drop bpdu_on_access" } else { "drop reserved" };
        for f in [frame("A", &address), frame("A", &address).tag(0), frame("A", &address).tag(10)] {
            check(&mut w, &[("vm1", f, expected)]);
        }
    }
    for f in [pvst("A"), pvst("A").tag(0), pvst("A").tag(10)] {
        check(&mut w, &[("vm1", f, "drop bpdu_on_access")]);
    }
    assert!(w.learned().is_empty(), "control frames teach nothing");
}

#[test]
fn section_5_every_reserved_address_from_a_trunk_of_a_leased_gateway_bridge_ends_here() {
    let mut w = two_trunks("mode: lease");
    for address in all_reserved() {
        let (untagged, tagged) = match address.rsplit_once(':').unwrap() {
            ("01:80:c2:00:00", "00" | "08") => ("consume bpdu", "drop bpdu_tagged"),
            ("01:80:c2:00:00", "02") => ("consume slow_protocol", "consume slow_protocol"),
            ("01:80:c2:00:00", "0e") => ("consume lldp", "consume lldp"),
            _ => ("drop reserved", "drop reserved"),
        };
        check(
            &mut w,
            &[
                ("eth1", frame("S", &address), untagged),
                ("eth1", frame("S", &address).tag(0), untagged),
                ("eth1", frame("S", &address).tag(10), tagged),
                ("eth1", frame("S", &address).stag(10), tagged),
            ],
        );
    }
    check(
        &mut w,
        &[("eth1", pvst("S"), "consume pvst"), ("eth1", pvst("S").tag(10), "consume pvst")],
    );
    assert!(w.learned().is_empty(), "control frames teach nothing");
}

#[test]
fn section_5_every_reserved_address_from_a_trunk_of_a_transparent_gateway_bridge() {
    let mut w = two_trunks("mode: stp-transparent");
    for address in all_reserved() {
        let (untagged, tagged) = match address.rsplit_once(':').unwrap() {
            ("01:80:c2:00:00", "00" | "08") => ("eth2[] eth3[]", "drop bpdu_tagged"),
            ("01:80:c2:00:00", "02") => ("consume slow_protocol", "consume slow_protocol"),
            ("01:80:c2:00:00", "0e") => ("consume lldp", "consume lldp"),
            _ => ("drop reserved", "drop reserved"),
        };
        check(
            &mut w,
            &[
                ("eth1", frame("S", &address), untagged),
                ("eth1", frame("S", &address).tag(10), tagged),
            ],
        );
    }
}

#[test]
fn section_5_a_bpdu_passes_byte_for_byte_whatever_its_tag_its_length_and_its_source() {
    let mut w = two_trunks("mode: stp-transparent");
    for f in [
        frame("S", "01:80:c2:00:00:00"),
        frame("S", "01:80:c2:00:00:00").cut(53),
        frame("S", "01:80:c2:00:00:00").cut(14),
        frame("S", "01:80:c2:00:00:00").urgent_tag(0),
        pvst("S"),
        pvst("S").urgent_tag(10),
        pvst("S").cut(30),
    ] {
        let outcome = w.send("eth1", &f);
        assert_eq!(outcome.copies().len(), 2, "{f:?}");
        assert!(outcome.copies().iter().all(|copy| copy.bytes == f.bytes), "{f:?}");
    }
}

#[test]
fn section_5_per_vlan_spanning_tree_goes_where_its_vlan_goes_and_never_into_a_bridge() {
    let mut w = two_trunks("mode: stp-transparent, transit: true");
    check(
        &mut w,
        &[
            ("eth1", pvst("S").tag(10), "eth2[10] eth3[10]"),
            ("eth1", pvst("S").tag(20), "eth2[20]"),
            ("eth1", pvst("S").tag(77), "eth3[77]"),
            ("eth1", pvst("S").tag(99), "drop bpdu_no_relay"),
            ("eth1", pvst("S").tag(4095), "drop bpdu_no_relay"),
            ("eth1", pvst("S"), "eth2[] eth3[]"),
            // The same destination with anything else inside is another vendor protocol.
            ("eth1", frame("S", "01:00:0c:cc:cc:cd").tag(10), "drop reserved"),
            ("eth1", pvst("S").cut(20), "drop reserved"),
            ("eth1", pvst("S").tag(5).tag(10), "drop reserved"),
        ],
    );
}

#[test]
fn section_5_with_no_other_trunk_a_bpdu_goes_nowhere() {
    let text = SITE.replace("{name: gw}", "{name: gw, mode: stp-transparent}");
    let mut w = World::new(&text, &["eth1", "vm1", "vm2", "vm3"]);
    check(
        &mut w,
        &[
            ("eth1", frame("S", "01:80:c2:00:00:00"), "drop bpdu_no_relay"),
            ("eth1", pvst("S").tag(10), "drop bpdu_no_relay"),
        ],
    );
}

#[test]
fn section_5_the_policy_table_passes_other_addresses_from_trunk_to_trunk() {
    let mut w = two_trunks(
        "mode: stp-transparent, reserved: [{address: 01:80:c2:00:00:03, action: pass}, \
         {address: 01:80:c2:00:00:21, action: pass}, {address: 01:80:c2:00:00:22, action: drop}]",
    );
    check(
        &mut w,
        &[
            ("eth1", frame("S", "01:80:c2:00:00:03"), "eth2[] eth3[]"),
            ("eth2", frame("S", "01:80:c2:00:00:21"), "eth1[] eth3[]"),
            ("eth1", frame("S", "01:80:c2:00:00:21").tag(20), "eth2[20]"),
            ("eth1", frame("S", "01:80:c2:00:00:22"), "drop reserved"),
            ("eth1", frame("S", "01:80:c2:00:00:23"), "drop reserved"),
            ("vm1", frame("S", "01:80:c2:00:00:21"), "drop reserved"),
        ],
    );
}

#[test]
fn section_5_trunks_that_are_down_get_no_copy() {
    let text = bridge_model::site::to_yaml(&two_trunks("mode: stp-transparent").topology)
        .replace("interface: eth2,", "interface: eth2, admin: down,");
    let mut w = World::new(&text, &["eth1", "eth2", "eth3", "vm1", "vm2"]);
    check(
        &mut w,
        &[
            ("eth1", frame("S", "01:80:c2:00:00:00"), "eth3[]"),
            ("eth2", frame("S", "01:80:c2:00:00:00"), "drop admin_down"),
        ],
    );
}
