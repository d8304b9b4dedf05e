//! How a frame is wrapped: every octet of it.

use std::collections::{BTreeMap, BTreeSet};

use bridge_model::compile::HostView;
use bridge_model::oracle::{Notice, Outcome};
use bridge_model::reason::DropReason;
use bridge_model::wire::inner::flow_hash;

use super::{SITE, neighbor, only_copy, sent_by, shown, teach, vxlan, world, world_of};
use crate::parsers::hex;
use crate::wire::{addr, ones_sum, upper_sum};
use crate::world::{Frame, World, check, frame, mac, payload};

/// Foreign endpoints of every kind in bridge `db`: `v` by VXLAN over IPv6, `g` and `g6` by GRE.
fn mixed() -> String {
    let zone = "- {name: old, kind: gre, hosts: [h, o4], bfd: off, dscp: 46}";
    let tunnels = "
- {name: v, zone: dc, remote: \"2001:db8::9\", bridges: [db]}
- {name: g, zone: old, remote: 192.0.2.252, bridges: [db]}
- {name: g6, zone: old, remote: \"2001:db8::fc\", bridges: [db]}
";
    SITE.replace("- {name: o3,", "- {name: o4, vtep: 192.0.2.4}\n- {name: o3,")
        .replace("tunnels:", &format!("{zone}\ntunnels:{tunnels}"))
}

fn copy_to(w: &mut World, interface: &str, frame: &Frame, last: u8) -> Vec<u8> {
    let outcome = w.send(interface, frame);
    let copies = sent_by(w, "up0", &outcome);
    let to = neighbor(last).octets();
    copies.into_iter().find(|copy| copy.starts_with(&to)).unwrap()
}

fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

#[test]
fn vxlan_over_ipv4_octet_by_octet() {
    let mut w = world();
    teach(&mut w, "192.0.2.2", 5001, "B");
    let f = frame("A", "B");
    let outer = only_copy(&w.send("vm1", &f));
    let hash = flow_hash(&f.bytes);
    assert_eq!(outer[..14], hex("080000000002 060000000005 0800"));
    // Version and length, DSCP 0, 20 + 8 + 8 + 100 octets, identification 0, DF, TTL 64, UDP.
    assert_eq!(outer[14..24], hex("45 00 0088 0000 4000 40 11"));
    assert_eq!(outer[26..34], hex("c0000201 c0000202"));
    assert_eq!(ones_sum(&outer[14..34]), 0xffff);
    // Source port of the flow, 4789, length, no checksum.
    assert_eq!(be16(&outer, 34), 49_152 + hash % 16_384);
    assert_eq!(outer[36..42], hex("12b5 0074 0000"));
    assert_eq!(outer[42..50], hex("08000000 00138900"));
    assert_eq!(outer[50..], f.bytes);
}

#[test]
fn vxlan_over_ipv6_octet_by_octet_has_a_checksum() {
    let mut w = world_of(&mixed());
    let f = frame("A", "B");
    let outer = copy_to(&mut w, "vm3", &f, 9);
    let hash = flow_hash(&f.bytes);
    assert_eq!(outer[..14], hex("080000000009 060000000005 86dd"));
    assert_eq!(outer[14..16], hex("6000"));
    assert_eq!(be16(&outer, 16), hash, "the flow label");
    assert_eq!(outer[18..22], hex("0074 11 40"));
    assert_eq!(
        outer[22..54],
        hex("20010db8000000000000000000000001 20010db8000000000000000000000009")
    );
    assert_eq!(be16(&outer, 54), 49_152 + hash % 16_384);
    assert_eq!(outer[56..60], hex("12b5 0074"));
    assert_ne!(be16(&outer, 60), 0);
    assert_eq!(upper_sum(addr("2001:db8::1"), addr("2001:db8::9"), 17, &outer[54..]), 0xffff);
    assert_eq!(outer[62..70], hex("08000000 00138a00"));
    assert_eq!(outer[70..], f.bytes);
}

#[test]
fn gre_over_both_octet_by_octet() {
    let mut w = world_of(&mixed());
    let f = frame("A", "B");
    let outer = copy_to(&mut w, "vm3", &f, 252);
    let v4 = outer;
    assert_eq!(v4[..14], hex("0800000000fc 060000000005 0800"));
    // The zone has DSCP 46, and ECN stays 0.
    assert_eq!(v4[14..24], hex("45 b8 0080 0000 4000 40 2f"));
    assert_eq!(ones_sum(&v4[14..34]), 0xffff);
    assert_eq!(v4[26..34], hex("c0000201 c00002fc"));
    assert_eq!(v4[34..42], hex("2000 6558 0000138a"));
    assert_eq!(v4[42..], f.bytes);
    let outcome = w.send("vm3", &f);
    let copies = sent_by(&w, "up0", &outcome);
    let v6 = copies.iter().find(|copy| copy[12..14] == [0x86, 0xdd] && copy[20] == 47).unwrap();
    assert_eq!(v6[14..18], (0x6b80_0000_u32 | u32::from(flow_hash(&f.bytes))).to_be_bytes());
    assert_eq!(v6[18..22], hex("006c 2f 40"));
    assert_eq!(v6[54..62], hex("2000 6558 0000138a"));
    assert_eq!(v6[62..], f.bytes);
}

#[test]
fn rfc_6935_the_udp_checksum_is_what_the_zone_says() {
    for (setting, v4, v6) in
        [("auto", false, true), ("zero", false, false), ("computed", true, true)]
    {
        let text =
            mixed().replace("kind: vxlan,", &format!("kind: vxlan, udpChecksum: {setting},"));
        let mut w = world_of(&text);
        let outer = copy_to(&mut w, "vm1", &frame("A", "B"), 2);
        assert_eq!(be16(&outer, 40) != 0, v4, "{setting}");
        let sum = upper_sum(addr("192.0.2.1"), addr("192.0.2.2"), 17, &outer[34..]);
        assert!(!v4 || sum == 0xffff, "{setting}");
        let outer = copy_to(&mut w, "vm3", &frame("A", "B"), 9);
        assert_eq!(be16(&outer, 60) != 0, v6, "{setting}");
        let sum = upper_sum(addr("2001:db8::1"), addr("2001:db8::9"), 17, &outer[54..]);
        assert!(!v6 || sum == 0xffff, "{setting}");
    }
}

#[test]
fn a_zone_may_have_another_port_and_prefer_ipv6() {
    let text = SITE
        .replace("kind: vxlan,", "kind: vxlan, udpPort: 8472, ipVersion: ipv6,")
        .replace("vtep: 192.0.2.3", "vtep: \"2001:db8::3\"");
    let mut w = world_of(&text);
    let outer = copy_to(&mut w, "vm1", &frame("A", "B"), 2);
    assert_eq!((be16(&outer, 12), be16(&outer, 56)), (0x86dd, 8472));
    // A foreign endpoint has the family of its address.
    let outer = copy_to(&mut w, "vm1", &frame("A", "B"), 9);
    assert_eq!((be16(&outer, 12), be16(&outer, 36)), (0x0800, 8472));
}

/// An IP packet of this DSCP (with ECN 3) in a frame from `A` to `B`.
fn marked(version: u8, dscp: u8) -> Frame {
    let class = dscp << 2 | 3;
    let mut f = payload("A", "B", &[0x5a; 80]);
    if version == 4 {
        f.bytes[12..16].copy_from_slice(&[0x08, 0x00, 0x45, class]);
    } else {
        let first = [0x86, 0xdd, 0x60 | class >> 4, class << 4];
        f.bytes[12..16].copy_from_slice(&first);
    }
    f
}

#[test]
fn the_dscp_is_fixed_or_that_of_the_inner_packet_and_ecn_stays_zero() {
    let class = |w: &mut World, f: &Frame| copy_to(w, "vm1", f, 2)[15];
    let mut fixed = world_of(&SITE.replace("kind: vxlan,", "kind: vxlan, dscp: 10,"));
    assert_eq!(class(&mut fixed, &marked(4, 46)), 10 << 2);
    let mut copied = world_of(&SITE.replace("kind: vxlan,", "kind: vxlan, dscp: copy,"));
    assert_eq!(class(&mut copied, &marked(4, 46)), 46 << 2);
    assert_eq!(class(&mut copied, &marked(6, 63)), 63 << 2);
    assert_eq!(class(&mut copied, &frame("A", "B")), 0, "not IP");
    let tagged = marked(4, 46).tag(10);
    assert_eq!(
        copy_to(&mut copied, "eth1", &tagged, 2)[15],
        46 << 2,
        "behind the tag that came off"
    );
    let raw = marked(4, 46).tag(7);
    assert_eq!(copy_to(&mut copied, "vm4", &raw, 2)[15], 46 << 2, "behind a tag that stays");
    // Over IPv6 it lies across two octets.
    let text = SITE
        .replace("kind: vxlan,", "kind: vxlan, dscp: copy, ipVersion: ipv6,")
        .replace("vtep: 192.0.2.3", "vtep: \"2001:db8::3\"");
    let mut copied = world_of(&text);
    let outer = copy_to(&mut copied, "vm1", &marked(6, 46), 2);
    assert_eq!(outer[14..16], hex("6b80"));
}

#[test]
fn a_link_on_a_vlan_tags_what_leaves_by_it() {
    let text = SITE.replace("{interface: up0, addresses", "{interface: up0, vlan: 40, addresses");
    let mut w = world_of(&text);
    teach_tagged(&mut w);
    let outer = only_copy(&w.send("eth1", &frame("S", "B").urgent_tag(10)));
    // Its own tag, of priority 0, whatever the inner frame had.
    assert_eq!(outer[..18], hex("080000000002 060000000005 81000028 0800"));
    assert_eq!(outer[54..], frame("S", "B").bytes);
}

fn teach_tagged(w: &mut World) {
    let f = vxlan("192.0.2.2", 5001, &frame("B", "*")).tag(40);
    assert_eq!(shown(w, "up0", &f), "eth1[10] vm1[] vm2[]");
}

#[test]
fn rule_60_a_frame_that_lost_a_tag_is_padded_before_it_is_wrapped() {
    let mut w = world();
    teach(&mut w, "192.0.2.2", 5001, "B");
    let wrapped =
        |w: &mut World, interface: &str, f: &Frame| only_copy(&w.send(interface, f))[50..].to_vec();
    let inner = wrapped(&mut w, "eth1", &frame("S", "B").tag(10).cut(40));
    assert_eq!((inner.len(), &inner[36..]), (60, &[0; 24][..]));
    let inner = wrapped(&mut w, "eth1", &frame("S", "B").tag(10).cut(65));
    assert_eq!(inner.len(), 61);
    assert_eq!(wrapped(&mut w, "vm1", &frame("A", "B").tag(0).cut(40)).len(), 60);
    // One that came without is as short as it came.
    assert_eq!(wrapped(&mut w, "vm1", &frame("A", "B").cut(20)).len(), 20);
}

/// Host `h` with two links, and `o2` and `o3` behind three routers of them.
fn routed() -> String {
    SITE.replace("vtep: [192.0.2.2, \"2001:db8::2\"]", "vtep: 203.0.113.2")
        .replace("vtep: 192.0.2.3", "vtep: 203.0.113.3")
        .replace(
            "\"2001:db8::1/64\"]}]",
            "\"2001:db8::1/64\"]}, {interface: up1, vlan: 40, addresses: [198.51.100.1/24]}]
  routes: [{to: 203.0.113.0/24, via: [192.0.2.253, 198.51.100.254, 192.0.2.254]}]",
        )
}

/// The next hop that each of many flows to `B` behind `o2` takes, by its hash.
fn ways(w: &mut World) -> BTreeMap<u16, u8> {
    teach_routed(w);
    let flow = |number: u16| {
        let mut f = frame("A", "B");
        f.bytes[12..14].copy_from_slice(&(0x9900 + number).to_be_bytes());
        f
    };
    let sent = (0..200).map(flow);
    sent.map(|f| {
        let outer = only_copy(&w.send("vm1", &f));
        (flow_hash(&f.bytes), outer[5])
    })
    .collect()
}

fn teach_routed(w: &mut World) {
    w.send("up0", &vxlan("203.0.113.2", 5001, &frame("B", "*")));
}

#[test]
fn ecmp_flows_are_spread_and_pass_over_a_next_hop_that_is_unresolved() {
    let mut w = world_of(&routed());
    w.resolve("198.51.100.254", Some(mac("08:00:00:00:00:64")));
    let hops = [253, 0x64, 254];
    let picked = |hash: u16| (usize::from(hash) * 3) >> 16;
    let all = ways(&mut w);
    assert!(all.iter().all(|(hash, hop)| *hop == hops[picked(*hash)]), "{all:?}");
    assert_eq!(all.values().collect::<BTreeSet<_>>().len(), 3, "every way is taken");
    // The flows of the missing one go to the one behind it; the others stay where they are.
    for missing in 0..3 {
        let next_hop = ["192.0.2.253", "198.51.100.254", "192.0.2.254"][missing];
        w.resolve(next_hop, None);
        for (hash, hop) in ways(&mut w) {
            let at = picked(hash);
            let expected = if at == missing { hops[(at + 1) % 3] } else { hops[at] };
            assert_eq!(hop, expected, "{hash}");
        }
        w.resolve(next_hop, Some(neighbor(hops[missing])));
    }
    for next_hop in ["192.0.2.253", "198.51.100.254", "192.0.2.254"] {
        w.resolve(next_hop, None);
    }
    check(
        &mut w,
        &[
            ("vm1", frame("A", "B"), "drop neighbor_unresolved"),
            // A flood to two hosts: both refused, the rest sent.
            (
                "vm1",
                frame("A", "*"),
                "eth1[10] vm2[] up0[]>192.0.2.9/5001 !@o2:neighbor_unresolved !@o3:neighbor_unresolved",
            ),
        ],
    );
}

#[test]
fn the_way_by_a_link_on_a_vlan_has_its_tag_and_the_address_of_its_interface() {
    let mut w = world_of(&routed());
    w.resolve("198.51.100.254", Some(mac("08:00:00:00:00:64")));
    w.resolve("192.0.2.253", None);
    w.resolve("192.0.2.254", None);
    teach_routed(&mut w);
    let outer = only_copy(&w.send("vm1", &frame("A", "B")));
    assert_eq!(outer[..18], hex("080000000064 060000000006 81000028 0800"));
    assert_eq!(outer[30..38], hex("c0000201 cb007102"), "from our tunnel endpoint, not the link");
}

fn with_view(w: &mut World, change: impl FnOnce(&mut HostView)) {
    let mut view = w.view.clone();
    change(&mut view);
    let topology = w.topology.clone();
    w.reconfigure(topology, view);
}

#[test]
fn c2_links_without_carrier_are_no_way_and_the_next_route_is_taken() {
    let down = bridge_model::compile::Link::Down;
    let text = routed()
        .replace("192.0.2.254]}]", "192.0.2.254]}, {to: 203.0.113.2/32, via: [198.51.100.253]}]");
    let mut w = world_of(&text);
    w.resolve("198.51.100.253", Some(mac("08:00:00:00:00:63")));
    w.resolve("198.51.100.254", Some(mac("08:00:00:00:00:64")));
    let all = ways(&mut w);
    assert!(all.values().all(|hop| *hop == 0x63), "the longest prefix");
    with_view(&mut w, |view| view.interfaces[6].link = down);
    let hops: BTreeSet<u8> = ways(&mut w).into_values().collect();
    assert_eq!(hops, BTreeSet::from([253, 254]), "the shorter one, without its way over that link");
    with_view(&mut w, |view| view.interfaces[5].link = down);
    let refused = "eth1[10] vm2[] !@leaf:tunnel_no_route !@o2:tunnel_no_route !@o3:tunnel_no_route";
    check(&mut w, &[("vm1", frame("A", "*"), refused)]);
}

#[test]
fn c2_of_two_links_that_hold_an_address_the_one_with_the_longer_prefix_is_taken() {
    let link = "{interface: up1, addresses: [192.0.2.10/29]}";
    for (links, order) in [(format!("{link}, {{interface: up0"), "first"), (String::new(), "last")]
    {
        let text = if links.is_empty() {
            SITE.replace("1/64\"]}]", &format!("1/64\"]}}, {link}]"))
        } else {
            SITE.replace("{interface: up0", &links)
        };
        let mut w = world_of(&text);
        let long = "eth1[10] vm2[] up0[]>192.0.2.2/5001 up0[]>192.0.2.3/5001 up1[]>192.0.2.9/5001";
        assert_eq!(shown(&mut w, "vm1", &frame("A", "*")), long, "{order}");
        with_view(&mut w, |view| view.interfaces[6].link = bridge_model::compile::Link::Down);
        let short = long.replace("up1", "up0");
        assert_eq!(shown(&mut w, "vm1", &frame("A", "*")), short, "while it has carrier");
    }
}

#[test]
fn a_peer_without_any_way_is_told_apart_from_one_that_is_silent() {
    let text = SITE.replace("vtep: 192.0.2.3", "vtep: 203.0.113.3");
    let mut w = world_of(&text);
    w.resolve("192.0.2.2", None);
    w.resolve("2001:db8::2", None);
    assert_eq!(
        shown(&mut w, "vm1", &frame("A", "*")),
        "eth1[10] vm2[] up0[]>192.0.2.9/5001 !@o2:neighbor_unresolved !@o3:tunnel_no_route"
    );
    teach(&mut w, "192.0.2.2", 5001, "B");
    assert_eq!(shown(&mut w, "vm1", &frame("A", "B")), "drop neighbor_unresolved");
    // Nothing is queued: with the answer, the next frame goes.
    w.resolve("192.0.2.2", Some(neighbor(2)));
    assert_eq!(shown(&mut w, "vm1", &frame("A", "B")), "up0[]>192.0.2.2/5001");
}

fn told(w: &World) -> Vec<u16> {
    let mtu = |notice: &Notice| match notice {
        Notice::TooBig { mtu } => *mtu,
        Notice::Copied(reason) => panic!("{reason}"),
    };
    w.oracle.notices().iter().map(mtu).collect()
}

#[test]
fn the_mtu_of_every_way_bounds_the_frame_and_the_sender_is_told() {
    // 1500 less IPv4, UDP, VXLAN: 1464 octets, a packet of 1450.
    let mut w = world();
    teach(&mut w, "192.0.2.2", 5001, "B");
    let sent = w.send("vm1", &frame("A", "B").grown(1464));
    assert_eq!(only_copy(&sent).len(), 14 + 1500);
    assert!(told(&w).is_empty());
    let sent = w.send("vm1", &frame("A", "B").grown(1465));
    assert_eq!(sent, Outcome::Dropped(DropReason::MtuExceeded));
    assert_eq!(told(&w), [1450]);
    // That was said once.
    w.send("vm1", &frame("A", "B").cut(13));
    assert!(told(&w).is_empty());
    // The tag that came off does not count; one that stays does.
    assert_eq!(w.send("eth1", &frame("S", "B").tag(10).grown(1468)).copies().len(), 1);
    w.send("eth1", &frame("S", "B").tag(10).grown(1469));
    assert_eq!(told(&w), [1450]);
    w.send("eth1", &frame("S", "B").tag(7).tag(10).grown(1469));
    assert_eq!(told(&w), [1446]);
    // Each copy on its own, and of a group nobody is told.
    let long = frame("A", "*").grown(1465);
    let text = "eth1[10] vm2[] !@leaf:mtu_exceeded !@o2:mtu_exceeded !@o3:mtu_exceeded";
    assert_eq!(shown(&mut w, "vm1", &long), text);
    assert!(told(&w).is_empty());
    // Nor about a station that nobody knows: it may have got the copy that did leave.
    assert_eq!(shown(&mut w, "vm1", &frame("A", "X").grown(1465)), text);
    assert!(told(&w).is_empty());
}

#[test]
fn the_mtu_is_the_least_of_all_ways_and_of_what_was_probed() {
    let mut w = world_of(&routed());
    with_view(&mut w, |view| view.interfaces[6].mtu = 1400);
    w.resolve("198.51.100.254", Some(mac("08:00:00:00:00:64")));
    teach_routed(&mut w);
    w.send("vm1", &frame("A", "B").grown(1365));
    assert_eq!(told(&w), [1350]);
    assert_eq!(w.send("vm1", &frame("A", "B").grown(1364)).copies().len(), 1);
    with_view(&mut w, |view| {
        view.path_mtus.insert(crate::world::name("o2"), 1300);
        view.path_mtus.insert(crate::world::name("leaf"), 9000);
    });
    w.send("vm1", &frame("A", "B").grown(1265));
    assert_eq!(told(&w), [1250]);
    // A probe makes no way wider than its link.
    teach_routed(&mut w);
    w.send("vm1", &frame("A", "X").grown(1465));
    assert!(told(&w).is_empty());
}

#[test]
fn over_ipv6_and_gre_the_overhead_is_their_own() {
    let mut w = world_of(&mixed());
    let mut refused = |octets| match w.send("vm3", &frame("A", "X").grown(octets)) {
        Outcome::Sent { refused, .. } => refused.len(),
        other => panic!("{other:?}"),
    };
    // VXLAN over IPv6, GRE over IPv6, GRE over IPv4.
    for (narrower, longest) in (0..).zip([1500 - 40 - 16, 1500 - 40 - 8, 1500 - 20 - 8]) {
        assert_eq!(refused(longest), narrower);
        assert_eq!(refused(longest + 1), narrower + 1);
    }
}

#[test]
fn a_local_port_that_is_too_narrow_tells_the_sender_too() {
    let mut w = world();
    with_view(&mut w, |view| view.interfaces[1].mtu = 1000);
    check(
        &mut w,
        &[(
            "vm1",
            frame("A", "*"),
            "eth1[10] vm2[] up0[]>192.0.2.2/5001 up0[]>192.0.2.3/5001 up0[]>192.0.2.9/5001",
        )],
    );
    let long = frame("B", "A").grown(1015);
    assert_eq!(shown(&mut w, "vm2", &long), "drop mtu_exceeded");
    assert_eq!(told(&w), [1000]);
    assert_eq!(shown(&mut w, "up0", &vxlan("192.0.2.2", 5001, &long)), "drop mtu_exceeded");
    assert_eq!(told(&w), [1000]);
    assert_eq!(shown(&mut w, "vm2", &frame("B", "A").grown(1014)), "vm1[]");
    assert!(told(&w).is_empty());
}
