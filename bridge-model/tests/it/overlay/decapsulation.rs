//! What comes out of a tunnel: from whom and for which bridge (U10), the rules for the inner frame (U11),
//! and where it goes from there (U12).

use bridge_model::oracle::Outcome;
use bridge_model::reason::DropReason;

use super::underlay::{FLOODED, both, good, with_gre};
use super::{
    Packet, SITE, gre, gre_payload, sent_by, shown, udp, vxlan, vxlan_packet, vxlan_payload,
    with_checksum, world, world_of,
};
use crate::parsers::hex;
use crate::wire::ones_sum;
use crate::world::{Frame, check, frame, name};

#[test]
fn u10_from_whom_for_whom_and_how() {
    let inner = frame("B", "*");
    let from =
        |source: &str, payload: Vec<u8>| Packet::new(source, 17, udp(4789, &payload)).frame();
    let mut flagless = vxlan_payload(5001, &inner);
    flagless[0] = 0xf7;
    let mut reserved = vxlan_payload(5001, &inner);
    reserved[0] = 0xff;
    reserved[3] = 0x55;
    reserved[7] = 0x66;
    let steps = [
        (from("192.0.2.2", flagless.clone()), "drop tunnel_bad_header"),
        (from("192.0.2.2", vec![8; 7]), "drop tunnel_bad_header"),
        // Before anybody asks who sent it.
        (from("192.0.2.77", flagless), "drop tunnel_bad_header"),
        (from("192.0.2.77", vxlan_payload(5001, &inner)), "drop vtep_unknown"),
        (from("192.0.2.1", vxlan_payload(5001, &inner)), "drop vtep_unknown"),
        (vxlan("2001:db8::2", 5001, &inner), "drop vtep_unknown"),
        (from("192.0.2.2", reserved), FLOODED),
        (from("192.0.2.2", vxlan_payload(77, &inner)), "drop vni_unknown"),
        (from("192.0.2.2", vxlan_payload(0, &inner)), "drop vni_unknown"),
        // A peer without a port in the bridge: o2 has none in db, leaf does not carry it.
        (from("192.0.2.2", vxlan_payload(5002, &inner)), "drop vtep_unknown"),
        (from("192.0.2.9", vxlan_payload(5003, &inner)), "drop vtep_unknown"),
    ];
    for (f, expected) in steps {
        // From here on a kernel makes no difference.
        both(&f, expected, expected);
    }
}

#[test]
fn u10_another_kind_of_tunnel_than_the_peers_is_unexpected() {
    let text = SITE.replace("- {name: o3,", "- {name: o4, vtep: 192.0.2.4}\n- {name: o3,").replace(
        "tunnels:",
        "- {name: old, kind: gre, hosts: [h, o4], bfd: off}
- {name: odd, kind: vxlan, udpPort: 8472, hosts: [h], bfd: off}
tunnels:",
    );
    let mut w = world_of(&text);
    let inner = frame("B", "*");
    let at_8472 =
        |from: &str| Packet::new(from, 17, udp(8472, &vxlan_payload(5001, &inner))).frame();
    check(
        &mut w,
        &[
            ("up0", gre("192.0.2.2", 5001, &inner), "drop tunnel_unexpected"),
            ("up0", vxlan("192.0.2.4", 5001, &inner), "drop tunnel_unexpected"),
            ("up0", at_8472("192.0.2.2"), "drop tunnel_unexpected"),
            ("up0", at_8472("192.0.2.77"), "drop vtep_unknown"),
            ("up0", gre("192.0.2.77", 5001, &inner), "drop vtep_unknown"),
        ],
    );
}

#[test]
fn u10_nothing_is_taken_from_a_peer_that_is_down() {
    let mut w = world();
    let mut view = w.view.clone();
    view.peers_down.insert(name("o2"));
    let topology = w.topology.clone();
    w.reconfigure(topology, view);
    // Whatever it is for.
    for vni in [5001, 5002, 77] {
        let f = vxlan("192.0.2.2", vni, &frame("B", "*"));
        assert_eq!(shown(&mut w, "up0", &f), "drop peer_down");
    }
    assert_eq!(shown(&mut w, "up0", &vxlan("192.0.2.3", 5001, &frame("B", "*"))), FLOODED);
}

#[test]
fn u10_checksums_of_the_outer_headers() {
    let inner = frame("B", "*");
    // Over IPv4: none, right, wrong.
    let mut packet = vxlan_packet("192.0.2.2", 5001, &inner);
    with_checksum(&mut packet);
    both(&packet.frame(), FLOODED, FLOODED);
    packet.payload[7] ^= 1;
    both(&packet.frame(), "drop tunnel_bad_checksum", "drop tunnel_bad_checksum");
    // It covers the inner frame.
    packet.payload[7] ^= 1;
    *packet.payload.last_mut().unwrap() ^= 1;
    both(&packet.frame(), "drop tunnel_bad_checksum", "drop tunnel_bad_checksum");
    // Over IPv6 none is wrong too, unless that was agreed.
    let six = SITE
        .replace("kind: vxlan,", "kind: vxlan, ipVersion: ipv6,")
        .replace("vtep: 192.0.2.3", "vtep: \"2001:db8::3\"");
    let mut packet = vxlan_packet("2001:db8::2", 5001, &inner);
    let right = packet.frame();
    packet.payload[7] ^= 1;
    let wrong = packet.frame();
    packet.payload[6..8].fill(0);
    let none = packet.frame();
    for (setting, of_none) in [
        ("auto", "drop tunnel_bad_checksum"),
        ("computed", "drop tunnel_bad_checksum"),
        ("zero", FLOODED),
    ] {
        let text = six.replace("kind: vxlan,", &format!("kind: vxlan, udpChecksum: {setting},"));
        let mut w = world_of(&text);
        check(
            &mut w,
            &[
                ("up0", right.clone(), FLOODED),
                ("up0", wrong.clone(), "drop tunnel_bad_checksum"),
                ("up0", none.clone(), of_none),
            ],
        );
    }
    // Before the VNI: what cannot be trusted says nothing.
    let mut packet = vxlan_packet("192.0.2.2", 77, &inner);
    with_checksum(&mut packet);
    packet.payload[7] ^= 1;
    both(&packet.frame(), "drop tunnel_bad_checksum", "drop tunnel_bad_checksum");
}

#[test]
fn u10_gre_with_its_optional_fields() {
    let mut w = with_gre();
    let inner = frame("G", "*");
    let from = |payload: Vec<u8>| Packet::new("192.0.2.4", 47, payload).frame();
    for flags in [0x2000, 0x3000, 0xa000, 0xb000] {
        assert_eq!(shown(&mut w, "up0", &from(gre_payload(flags, 5001, &inner))), FLOODED);
    }
    let mut wrong = gre_payload(0xa000, 5001, &inner);
    wrong[5] ^= 1;
    let mut ipv4 = gre_payload(0x2000, 5001, &inner);
    ipv4[2..4].copy_from_slice(&[0x08, 0x00]);
    check(
        &mut w,
        &[
            ("up0", from(wrong.clone()), "drop tunnel_bad_checksum"),
            ("up0", Packet::new("192.0.2.77", 47, wrong.clone()).frame(), "drop vtep_unknown"),
            ("up0", Packet::new("192.0.2.2", 47, wrong).frame(), "drop tunnel_unexpected"),
            ("up0", from(ipv4), "drop tunnel_bad_header"),
            ("up0", from(gre_payload(0, 5001, &inner)), "drop tunnel_bad_header"),
            ("up0", from(gre_payload(0x6000, 5001, &inner)), "drop tunnel_bad_header"),
            ("up0", from(gre_payload(0x2001, 5001, &inner)), "drop tunnel_bad_header"),
            // A key of 32 bits that looks like one of ours in its lower part.
            ("up0", from(gre_payload(0x2000, 0x0100_1389, &inner)), "drop vni_unknown"),
        ],
    );
}

#[test]
fn u10_a_bridge_that_is_down_or_not_here() {
    let text = SITE.replace("vni: 5001}", "vni: 5001, admin: down}");
    assert_eq!(shown(&mut world_of(&text), "up0", &good()), "drop admin_down");
    // From a peer that would have no business in it, too.
    let text = SITE.replace("vni: 5002}", "vni: 5002, admin: down}");
    let f = vxlan("192.0.2.2", 5002, &frame("B", "*"));
    assert_eq!(shown(&mut world_of(&text), "up0", &f), "drop admin_down");
    // A bridge of the site without any port on this host.
    let text = SITE.replace("bridge: db, host: h", "bridge: db, host: o2");
    let text = text.replace("interface: vm3}\n- {name: p4", "interface: vm8}\n- {name: p4");
    assert_eq!(shown(&mut world_of(&text), "up0", &f), "drop vni_unknown");
}

#[test]
fn u11_sections_2_and_5_hold_for_the_inner_frame() {
    let out = |inner: &Frame| vxlan("192.0.2.2", 5001, inner);
    for (inner, expected) in [
        (frame("B", "*").cut(13), "drop malformed"),
        (frame("B", "*").cut(0), "drop malformed"),
        (frame("B", "*").tag(7).cut(17), "drop malformed"),
        (frame("*", "B"), "drop bad_source"),
        (frame("00:00:00:00:00:00", "B"), "drop bad_source"),
        (frame("B", "01:80:c2:00:00:00"), "drop bpdu_on_access"),
        (frame("B", "01:80:c2:00:00:08"), "drop bpdu_on_access"),
        (frame("B", "01:80:c2:00:00:0e"), "drop reserved"),
        (frame("B", "01:80:c2:00:00:02"), "drop reserved"),
        (frame("B", "01:80:c2:00:00:01"), "drop reserved"),
        (frame("B", "01:80:c2:00:00:25"), "drop reserved"),
        (frame("B", "01:00:0c:cc:cc:cc"), "drop reserved"),
        (frame("B", "*").tag(7), "drop tunnel_tagged"),
        (frame("B", "*").stag(7), "drop tunnel_tagged"),
        (frame("B", "*").tag(4095), "drop vlan_reserved"),
    ] {
        let mut w = world();
        assert_eq!(shown(&mut w, "up0", &out(&inner)), expected, "{:02x?}", inner.bytes);
        assert!(w.learned().is_empty());
    }
    let mut pvst = frame("B", "01:00:0c:cc:cc:cd");
    pvst.bytes[12..22].copy_from_slice(&[0, 50, 0xaa, 0xaa, 3, 0, 0, 0x0c, 1, 0x0b]);
    assert_eq!(shown(&mut world(), "up0", &out(&pvst)), "drop bpdu_on_access");
    // The priority tag comes off, and its priority goes on.
    let urgent = out(&frame("B", "*").urgent_tag(0));
    assert_eq!(shown(&mut world(), "up0", &urgent), "eth1[10p5d] vm1[] vm2[]");
    // Unwrapped once: a tunnel in the tunnel is payload.
    let nested = Frame { bytes: good().bytes };
    let twice = out(&nested);
    let mut w = world();
    assert_eq!(w.send("up0", &twice).drops(), []);
    assert_eq!(w.oracle.learned().len(), 1);
}

#[test]
fn u11_in_a_transparent_bridge_the_tags_are_payload() {
    let out = |inner: Frame| vxlan("192.0.2.2", 5003, &inner);
    let mut w = world();
    check(
        &mut w,
        &[
            ("up0", out(frame("B", "*")), "vm4[]"),
            ("up0", out(frame("C", "*").urgent_tag(7)), "vm4[7p5d]"),
            ("up0", out(frame("D", "*").stag(7)), "vm4[s7]"),
            ("up0", out(frame("E", "*").tag(0)), "vm4[0]"),
            ("up0", out(frame("E", "*").tag(4095)), "drop vlan_reserved"),
            ("vm4", frame("X", "C").tag(7), "up0[]>192.0.2.2/5003"),
            // The table is that of the outer VID.
            ("vm4", frame("X", "C").tag(8), "up0[]>192.0.2.2/5003"),
            ("vm4", frame("X", "B"), "up0[]>192.0.2.2/5003"),
        ],
    );
    assert_eq!(
        w.learned(),
        [
            "raw:B@@o2",
            "raw:E@@o2",
            "raw:X@p4",
            "raw(7):C@@o2",
            "raw(7):D@@o2",
            "raw(7):X@p4",
            "raw(8):X@p4"
        ]
    );
}

#[test]
fn u12_a_short_inner_frame_is_padded_before_tags_are_pushed() {
    let lens = |inner: Frame| {
        let outcome = world().send("up0", &vxlan("192.0.2.2", 5001, &inner));
        outcome.copies().iter().map(|copy| copy.bytes.len()).collect::<Vec<_>>()
    };
    assert_eq!(lens(frame("B", "*").cut(14)), [64, 60, 60]);
    assert_eq!(lens(frame("B", "*").cut(59)), [64, 60, 60]);
    assert_eq!(lens(frame("B", "*").cut(60)), [64, 60, 60]);
    assert_eq!(lens(frame("B", "*").cut(61)), [65, 61, 61]);
    assert_eq!(lens(frame("B", "*").tag(0).cut(64)), [64, 60, 60]);
    let outcome = world().send("up0", &vxlan("192.0.2.2", 5001, &frame("B", "*").cut(20)));
    for copy in outcome.copies() {
        let padded = copy.bytes.len() - 40;
        assert!(copy.bytes[padded..].iter().all(|octet| *octet == 0));
    }
}

#[test]
fn u12_no_storm_control_holds_for_a_tunnel() {
    let storm = "stormControl: {broadcast: {framesPerSecond: 1, burst: 1}}";
    let text = SITE
        .replace("host: h, interface: vm1}", &format!("host: h, interface: vm1, {storm}}}"))
        .replace("host: o2, interface: vm1}", &format!("host: o2, interface: vm1, {storm}}}"));
    let mut w = world_of(&text);
    check(&mut w, &[("up0", good(), FLOODED), ("up0", good(), FLOODED), ("up0", good(), FLOODED)]);
}

/// An IP header without payload, with this ECN field.
fn packet_with(version: u8, ecn: u8) -> Frame {
    let mut f = frame("B", "*").cut(12);
    let header = if version == 4 {
        let mut header = hex("4500 0014 0000 4000 4006 0000 0a000001 0a000002");
        header[1] = 0xb8 | ecn;
        let sum = !ones_sum(&header);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        f.bytes.extend([0x08, 0x00]);
        header
    } else {
        let addresses = "fd000000000000000000000000000001 fd000000000000000000000000000002";
        let mut header = hex(&format!("6b81 2345 0000 3b40 {addresses}"));
        header[1] |= ecn << 4;
        f.bytes.extend([0x86, 0xdd]);
        header
    };
    f.bytes.extend(header);
    f.bytes.resize(f.bytes.len().max(60), 0);
    f
}

/// The same packet in a tunnel with this ECN field outside.
fn marked(inner: &Frame, ecn: u8) -> Frame {
    let mut f = vxlan("192.0.2.2", 5001, inner);
    f.bytes[15] |= ecn;
    f.bytes[24..26].fill(0);
    let sum = !ones_sum(&f.bytes[14..34]);
    f.bytes[24..26].copy_from_slice(&sum.to_be_bytes());
    f
}

#[test]
fn congestion_on_the_underlay_is_handed_on_to_transports_that_know_it_and_drops_others() {
    for version in [4, 6] {
        for (outer, inner) in (0..4).flat_map(|outer| (0..4).map(move |inner| (outer, inner))) {
            let mut w = world();
            let f = marked(&packet_with(version, inner), outer);
            let outcome = w.send("up0", &f);
            if (outer, inner) == (3, 0) {
                assert_eq!(outcome, Outcome::Dropped(DropReason::TunnelCongested));
                continue;
            }
            let wanted = packet_with(version, if outer == 3 { 3 } else { inner });
            assert_eq!(sent_by(&w, "vm1", &outcome), [wanted.bytes], "{version} {outer} {inner}");
        }
    }
    // What is not IP has no marks.
    assert_eq!(shown(&mut world(), "up0", &marked(&frame("B", "*"), 3)), FLOODED);
}
