//! What a frame of the underlay may do before it turns out to be a tunnel's (U0 to U9), and the way to and
//! from the kernel (U13).

use bridge_model::oracle::Notice;
use bridge_model::reason::PuntReason;

use super::{Packet, SITE, gre, shown, udp, vxlan, vxlan_packet, vxlan_payload, world, world_of};
use crate::parsers::hex;
use crate::wire::ones_sum;
use crate::world::{Frame, World, check, frame, payload};

pub(super) const FLOODED: &str = "eth1[10] vm1[] vm2[]";

/// The site with the kernel behind `tap0`.
fn shared() -> World {
    world_of(&SITE.replace("{interface: up0,", "{interface: up0, kernel: tap0,"))
}

/// The site with peers by GRE: zone `old`.
pub(super) fn with_gre() -> World {
    let text = SITE
        .replace("- {name: o3,", "- {name: o4, vtep: 192.0.2.4}\n- {name: o3,")
        .replace(
            "accessPorts:",
            "accessPorts:\n- {name: s1, bridge: web, host: o4, interface: vm1}",
        )
        .replace("tunnels:", "- {name: old, kind: gre, hosts: [h, o4], bfd: off}\ntunnels:");
    world_of(&text)
}

/// Both worlds: what the frame does without and with a kernel.
#[track_caller]
pub(super) fn both(f: &Frame, without: &str, with: &str) {
    assert_eq!(shown(&mut world(), "up0", f), without, "{:02x?}", f.bytes);
    assert_eq!(shown(&mut shared(), "up0", f), with, "with a kernel: {:02x?}", f.bytes);
}

/// A valid packet with its IPv4 header changed, and the checksum made right again.
fn with_header(f: &Frame, change: impl FnOnce(&mut [u8])) -> Frame {
    let mut f = f.clone();
    change(&mut f.bytes[14..34]);
    f.bytes[24..26].fill(0);
    let sum = !ones_sum(&f.bytes[14..34]);
    f.bytes[24..26].copy_from_slice(&sum.to_be_bytes());
    f
}

pub(super) fn good() -> Frame {
    vxlan("192.0.2.2", 5001, &frame("B", "*"))
}

fn arp() -> Frame {
    let mut f =
        payload("B", "*", &hex("0001 0800 06 04 0001 020000000042 c0000202 000000000000 c0000201"));
    f.bytes[12..14].copy_from_slice(&[0x08, 0x06]);
    f.grown(60)
}

#[test]
fn u0_admission_comes_first_and_the_tag_of_the_link_comes_off() {
    both(&good(), FLOODED, FLOODED);
    both(&good().cut(13), "drop malformed", "drop malformed");
    let mut from_group = good();
    from_group.bytes[6] |= 1;
    both(&from_group, "drop bad_source", "drop bad_source");
    // A priority tag is none.
    both(&good().urgent_tag(0), FLOODED, FLOODED);
    both(&good().tag(4095), "drop vlan_reserved", "drop vlan_reserved");
    both(&good().tag(7), "drop port_unbound", "drop port_unbound");
    both(&good().stag(7), "drop bad_tpid", "drop bad_tpid");
    let mut down = world();
    let mut view = down.view.clone();
    view.interfaces[5].link = bridge_model::compile::Link::Down;
    let topology = down.topology.clone();
    down.reconfigure(topology, view);
    assert_eq!(shown(&mut down, "up0", &good()), "drop rx_link_down");
}

#[test]
fn u0_reserved_destinations_go_nowhere_but_lldp_to_us() {
    for (destination, expected) in [
        ("01:80:c2:00:00:0e", "consume lldp"),
        ("01:80:c2:00:00:00", "drop reserved"),
        ("01:80:c2:00:00:08", "drop reserved"),
        ("01:80:c2:00:00:02", "drop reserved"),
        ("01:80:c2:00:00:21", "drop reserved"),
        ("01:00:0c:cc:cc:cd", "drop reserved"),
    ] {
        both(&frame("S", destination), expected, expected);
        // The kernel takes no part in link protocols either.
        assert_eq!(shown(&mut shared(), "tap0", &frame("S", destination)), "drop reserved");
    }
}

#[test]
fn u0_one_interface_carries_a_trunk_and_the_underlay() {
    // Untagged beside the VLANs of a trunk,
    let mut w = world_of(&SITE.replace("interface: up0", "interface: eth1"));
    let ours = |f: &Frame| {
        let mut f = f.clone();
        f.bytes[..6].copy_from_slice(&[6, 0, 0, 0, 0, 0]);
        f
    };
    check(
        &mut w,
        &[
            ("eth1", ours(&good()), FLOODED),
            ("eth1", ours(&good()).urgent_tag(0), FLOODED),
            ("eth1", frame("S", "B").tag(10), "eth1[]>192.0.2.2/5001"),
            ("eth1", frame("S", "B").tag(11), "drop vlan_unknown"),
            ("eth1", frame("S", "01:80:c2:00:00:00"), "consume bpdu"),
            ("eth1", arp(), "consume underlay_neighbor"),
        ],
    );
    // and on a VLAN of its own.
    let mut w = world_of(&SITE.replace("interface: up0", "interface: eth1, vlan: 40"));
    check(
        &mut w,
        &[
            ("eth1", ours(&good()).tag(40), FLOODED),
            ("eth1", ours(&good()), "drop untagged_on_trunk"),
            ("eth1", ours(&good()).stag(40), "drop bad_tpid"),
            ("eth1", frame("S", "B").tag(10), "eth1[40]>192.0.2.2/5001"),
            ("eth1", arp().tag(40), "consume underlay_neighbor"),
        ],
    );
    // The trunk may be down; the underlay is not its business.
    let down = SITE
        .replace("interface: up0", "interface: eth1, vlan: 40")
        .replace("interface: eth1}]", "interface: eth1, admin: down}]");
    let mut w = world_of(&down);
    check(
        &mut w,
        &[
            ("eth1", ours(&good()).tag(40), "vm1[] vm2[]"),
            ("eth1", frame("S", "B").tag(10), "drop admin_down"),
        ],
    );
}

#[test]
fn u0_a_link_on_a_vlan_shares_an_interface_with_an_access_port() {
    let mut w = world_of(&SITE.replace("interface: up0", "interface: vm1, vlan: 40"));
    let mut f = good();
    f.bytes[..6].copy_from_slice(&[6, 0, 0, 0, 0, 1]);
    check(
        &mut w,
        &[
            ("vm1", f.clone().tag(40), FLOODED),
            ("vm1", frame("A", "B"), "vm1[40]>192.0.2.2/5001"),
            ("vm1", frame("A", "B").tag(7), "drop tagged_on_access"),
            ("vm1", frame("S", "01:80:c2:00:00:00"), "drop bpdu_on_access"),
            ("vm1", frame("S", "01:80:c2:00:00:0e"), "drop reserved"),
        ],
    );
    let mut w = world_of(&SITE.replace("interface: up0", "interface: up0, vlan: 40"));
    check(
        &mut w,
        &[
            ("up0", good().tag(40), FLOODED),
            ("up0", good(), "drop port_unbound"),
            ("up0", good().tag(41), "drop port_unbound"),
        ],
    );
}

#[test]
fn u0_no_link_on_a_vlan_shares_an_interface_with_a_transparent_port() {
    // Its stations could send into the VLAN; a trunk beside it makes no difference.
    for interface in ["vm4", "eth1"] {
        let text = SITE
            .replace("interface: up0", &format!("interface: {interface}, vlan: 40"))
            .replace("host: h, interface: vm4}", &format!("host: h, interface: {interface}}}"));
        let errors = bridge_model::site::parse("test.yaml", &text).unwrap_err();
        assert_eq!(
            errors.iter().map(|error| error.code).collect::<Vec<_>>(),
            ["underlay_vlan_taken"]
        );
    }
}

#[test]
fn u1_a_frame_to_another_station_is_not_for_us() {
    let other =
        vxlan_packet("192.0.2.2", 5001, &frame("B", "*")).on_wire_to("06:00:00:00:00:77").frame();
    both(&other, "drop not_for_us", "drop not_for_us");
    let mut other = arp();
    other.bytes[..6].copy_from_slice(&[6, 0, 0, 0, 0, 0x77]);
    both(&other, "drop not_for_us", "drop not_for_us");
}

#[track_caller]
fn copied(f: &Frame, reason: PuntReason) {
    let mut w = shared();
    assert_eq!(shown(&mut w, "up0", f), "tap0[]");
    assert_eq!(w.oracle.notices(), [Notice::Copied(reason)]);
    let consumed = format!("consume {reason}");
    assert_eq!(shown(&mut world(), "up0", f), consumed);
}

#[test]
fn u2_arp_is_ours_and_the_kernels() {
    copied(&arp(), PuntReason::UnderlayNeighbor);
    let mut to_us = arp();
    to_us.bytes[..6].copy_from_slice(&[6, 0, 0, 0, 0, 5]);
    copied(&to_us, PuntReason::UnderlayNeighbor);
    // Whatever it says: the protocol reads it.
    copied(&arp().cut(20), PuntReason::UnderlayNeighbor);
}

#[test]
fn u3_what_is_no_ip_is_none_of_our_business() {
    both(&frame("S", "*"), "drop not_for_us", "tap0[]");
    both(&frame("S", "m"), "drop not_for_us", "tap0[]");
    both(&frame("S", "06:00:00:00:00:05"), "drop tunnel_unexpected", "tap0[]");
    // A packet behind a tag of its own is none that we look into.
    both(&good().tag(7).tag(0), "drop tunnel_unexpected", "tap0[7]");
    both(&arp().tag(7).tag(0), "drop not_for_us", "tap0[7]");
}

#[test]
fn u3_a_broken_ip_header_is_a_drop_even_with_a_kernel() {
    let broken = |at: usize, value: u8| {
        let mut f = good();
        f.bytes[14 + at] = value;
        f
    };
    both(&broken(0, 0x44), "drop tunnel_bad_header", "drop tunnel_bad_header");
    both(&broken(2, 0xff), "drop tunnel_bad_header", "drop tunnel_bad_header");
    both(&good().cut(33), "drop tunnel_bad_header", "drop tunnel_bad_header");
    both(&good().cut(60), "drop tunnel_bad_header", "drop tunnel_bad_header");
    both(&broken(8, 63), "drop tunnel_bad_checksum", "drop tunnel_bad_checksum");
    let v6 = vxlan("2001:db8::2", 5001, &frame("B", "*"));
    both(&v6.cut(53), "drop tunnel_bad_header", "drop tunnel_bad_header");
}

/// An ICMPv6 message to a group or to us.
fn icmpv6(kind: u8, to: &str, to_mac: &str) -> Frame {
    let message = [&[kind, 0, 0, 0][..], &[0; 20]].concat();
    Packet::new("2001:db8::2", 58, message).to(to).on_wire_to(to_mac).frame()
}

#[test]
fn u4_neighbour_discovery_is_ours_and_the_kernels_and_other_groups_are_not_for_us() {
    for kind in [135, 136] {
        copied(&icmpv6(kind, "ff02::1:ff00:1", "33:33:ff:00:00:01"), PuntReason::UnderlayNeighbor);
        copied(&icmpv6(kind, "2001:db8::1", "06:00:00:00:00:05"), PuntReason::UnderlayNeighbor);
    }
    both(&icmpv6(134, "ff02::1", "33:33:00:00:00:01"), "drop not_for_us", "tap0[]");
    let to_group = vxlan_packet("192.0.2.2", 5001, &frame("B", "*")).on_wire_to("m").frame();
    both(&to_group, "drop not_for_us", "tap0[]");
    let to_all = vxlan_packet("192.0.2.2", 5001, &frame("B", "*")).on_wire_to("*").frame();
    both(&to_all, "drop not_for_us", "tap0[]");
}

#[test]
fn u5_a_packet_to_another_address_is_unexpected() {
    let to = |address: &str| vxlan_packet("192.0.2.2", 5001, &frame("B", "*")).to(address).frame();
    both(&to("192.0.2.77"), "drop tunnel_unexpected", "tap0[]");
    both(&to("224.0.0.5"), "drop tunnel_unexpected", "tap0[]");
    // Any address of ours will do, whatever link it came by.
    let text = SITE
        .replace("vtep: [192.0.2.1,", "vtep: [198.51.100.9,")
        .replace(
            "interface: up0, addresses: [192.0.2.1/24,",
            "interface: up0, addresses: [192.0.2.1/24, 192.0.2.11/24,",
        )
        .replace(
            "\"2001:db8::1/64\"]}]",
            "\"2001:db8::1/64\"]}, {interface: up1, addresses: [203.0.113.1/24]}]",
        );
    for address in ["198.51.100.9", "192.0.2.1", "192.0.2.11", "203.0.113.1"] {
        assert_eq!(shown(&mut world_of(&text), "up0", &to(address)), FLOODED, "{address}");
    }
    assert_eq!(shown(&mut world_of(&text), "up0", &to("203.0.113.2")), "drop tunnel_unexpected");
}

#[test]
fn u6_a_fragment_for_us_is_not_put_together() {
    let fragment = |flags: u8, f: &Frame| with_header(f, |header| header[6] = flags);
    both(&fragment(0x20, &good()), "drop tunnel_fragment", "tap0[]");
    both(&fragment(0x01, &good()), "drop tunnel_fragment", "tap0[]");
    // For another address, or a group, it is what it would be in one piece.
    let elsewhere = vxlan_packet("192.0.2.2", 5001, &frame("B", "*")).to("192.0.2.77").frame();
    both(&fragment(0x20, &elsewhere), "drop tunnel_unexpected", "tap0[]");
    let to_group = vxlan_packet("192.0.2.2", 5001, &frame("B", "*")).on_wire_to("m").frame();
    both(&fragment(0x20, &to_group), "drop not_for_us", "tap0[]");
    let v6 = Packet::new("2001:db8::2", 44, vec![17; 40]).frame();
    both(&v6, "drop tunnel_fragment", "tap0[]");
    // 44 is a fragment in IPv6 only.
    let v4 = Packet::new("192.0.2.2", 44, vec![17; 40]).frame();
    both(&v4, "drop tunnel_unexpected", "tap0[]");
}

#[test]
fn u7_icmp_is_ours_and_the_kernels() {
    copied(&Packet::new("192.0.2.2", 1, vec![8; 40]).frame(), PuntReason::UnderlayIcmp);
    copied(&icmpv6(128, "2001:db8::1", "06:00:00:00:00:05"), PuntReason::UnderlayIcmp);
    // From whomever, and whatever it says.
    copied(&Packet::new("198.51.100.77", 1, vec![]).frame(), PuntReason::UnderlayIcmp);
    for f in [
        Packet::new("192.0.2.2", 58, vec![128; 40]).frame(),
        Packet::new("2001:db8::2", 1, vec![8; 40]).frame(),
    ] {
        both(&f, "drop tunnel_unexpected", "tap0[]");
    }
}

#[test]
fn u8_udp_for_no_port_of_ours_is_unexpected() {
    let to = |port: u16| Packet::new("192.0.2.2", 17, udp(port, &[0; 24])).frame();
    for port in [53, 4788, 8472] {
        both(&to(port), "drop tunnel_unexpected", "tap0[]");
    }
    // BFD is taken from peers that are watched, and from nobody else.
    let watched = SITE.replace("bfd: off", "bfd: {interval: 100ms, multiplier: 3}");
    let leaf = |port: u16| Packet::new("192.0.2.9", 17, udp(port, &[0; 24])).frame();
    for port in [3784, 4784] {
        both(&to(port), "drop tunnel_unexpected", "tap0[]");
        let mut w = world_of(&watched);
        check(
            &mut w,
            &[("up0", to(port), "consume bfd"), ("up0", leaf(port), "drop tunnel_unexpected")],
        );
        let mut w =
            world_of(&watched.replace("{interface: up0,", "{interface: up0, kernel: tap0,"));
        check(&mut w, &[("up0", to(port), "consume bfd"), ("up0", leaf(port), "tap0[]")]);
        assert!(w.oracle.notices().is_empty());
        let both_watched = watched.replace(
            "remote: 192.0.2.9,",
            "remote: 192.0.2.9, bfd: {interval: 1s, multiplier: 3},",
        );
        assert_eq!(shown(&mut world_of(&both_watched), "up0", &leaf(port)), "consume bfd");
    }
    let mut broken = good();
    broken.bytes[38] = 0xff;
    both(&broken, "drop tunnel_bad_header", "tap0[]");
    let short = Packet::new("192.0.2.2", 17, vec![0; 7]).frame();
    both(&short, "drop tunnel_bad_header", "tap0[]");
}

#[test]
fn u8_vxlan_is_expected_at_the_ports_of_our_own_zones_only() {
    let at = |port: u16| {
        let payload = vxlan_payload(5001, &frame("B", "*"));
        Packet::new("192.0.2.77", 17, udp(port, &payload)).frame()
    };
    let others = SITE.replace(
        "tunnels:",
        "- {name: odd, kind: vxlan, udpPort: 8472, hosts: [o2], bfd: off}\ntunnels:",
    );
    let mut w = world_of(&others);
    check(
        &mut w,
        &[("up0", at(4789), "drop vtep_unknown"), ("up0", at(8472), "drop tunnel_unexpected")],
    );
    let mut w = world_of(&SITE.replace("kind: vxlan", "kind: gre"));
    check(&mut w, &[("up0", at(4789), "drop tunnel_unexpected")]);
}

#[test]
fn u9_gre_is_taken_where_a_peer_uses_it() {
    let f = gre("192.0.2.4", 5001, &frame("G", "*"));
    both(&f, "drop tunnel_unexpected", "tap0[]");
    assert_eq!(shown(&mut with_gre(), "up0", &f), FLOODED);
    let tcp = Packet::new("192.0.2.2", 6, vec![0; 40]).frame();
    both(&tcp, "drop tunnel_unexpected", "tap0[]");
}

#[test]
fn u13_what_the_kernel_sends_goes_out_by_the_link() {
    let mut w = shared();
    check(
        &mut w,
        &[
            ("tap0", frame("K", "X"), "up0[]"),
            ("tap0", arp(), "up0[]"),
            ("tap0", good(), "up0[]"),
            ("tap0", frame("K", "K"), "up0[]"),
            ("tap0", frame("K", "X").tag(0), "up0[]"),
            ("tap0", frame("K", "X").tag(7), "drop tagged_on_access"),
            ("tap0", frame("K", "X").tag(4095), "drop vlan_reserved"),
            ("tap0", frame("*", "X"), "drop bad_source"),
            ("tap0", frame("K", "X").cut(13), "drop malformed"),
            ("tap0", frame("K", "X").grown(1514), "up0[]"),
            ("tap0", frame("K", "X").grown(1515), "drop mtu_exceeded"),
        ],
    );
    assert!(w.learned().is_empty());
    assert!(w.oracle.notices().is_empty(), "nobody is told: it is in no bridge");
    let text = SITE.replace("{interface: up0,", "{interface: up0, vlan: 40, kernel: tap0,");
    let mut w = world_of(&text);
    check(
        &mut w,
        &[
            ("tap0", frame("K", "X"), "up0[40]"),
            ("tap0", frame("K", "X").urgent_tag(0), "up0[40]"),
            ("up0", frame("S", "*").urgent_tag(40), "tap0[]"),
            ("up0", arp().tag(40), "tap0[]"),
            ("up0", frame("S", "*").tag(40).grown(1518), "tap0[]"),
            ("up0", frame("S", "*").tag(40).grown(1519), "drop mtu_exceeded"),
            ("up0", frame("S", "*"), "drop port_unbound"),
        ],
    );
}

#[test]
fn u13_between_link_and_kernel_nothing_changes_but_the_tag() {
    let text = SITE.replace("{interface: up0,", "{interface: up0, vlan: 40, kernel: tap0,");
    let mut w = world_of(&text);
    let f = frame("S", "*").grown(61);
    assert_eq!(super::only_copy(&w.send("up0", &f.clone().tag(40))), f.bytes);
    assert_eq!(super::only_copy(&w.send("tap0", &f)), f.tag(40).bytes);
    // A frame that became too short for a wire is padded as everywhere.
    let short = frame("S", "*").cut(40);
    let out = super::only_copy(&w.send("up0", &short.clone().tag(40)));
    assert_eq!((out.len(), &out[..40]), (60, &short.bytes[..]));
}
