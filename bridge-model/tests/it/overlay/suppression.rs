//! Suppression: a question for an address that is known is answered where it was asked.

use std::net::{Ipv4Addr, Ipv6Addr};

use bridge_model::oracle::Outcome;
use bridge_model::reason::PuntReason;

use super::{SITE, shown, teach, vxlan, world_of};
use crate::parsers::hex;
use crate::wire::{addr, upper_sum};
use crate::world::{Frame, World, frame, mac};

const FLOODED: &str =
    "eth1[10] vm2[] up0[]>192.0.2.2/5001 up0[]>192.0.2.3/5001 up0[]>192.0.2.9/5001";

/// `B` is behind a peer, `C` on `vm2`; both are known by their addresses .2 and .3, and so is `Z`,
/// whom nobody has heard of.
fn suppressing() -> World {
    let text =
        SITE.replace("{name: web, vni: 5001}", "{name: web, vni: 5001, neighborSuppression: true}");
    let mut w = world_of(&text);
    teach(&mut w, "192.0.2.2", 5001, "B");
    w.send("vm2", &frame("C", "*"));
    for (last, station) in [(1, "A"), (2, "B"), (3, "C"), (26, "Z")] {
        w.know("web", &format!("10.0.0.{last}"), Some((mac(station), false)));
        w.know("web", &format!("fd00::{last:x}"), Some((mac(station), station == "B")));
    }
    w
}

/// An ARP message in a frame of 60 octets.
fn arp(operation: u8, from: (&str, &str), to: &str, target: &str) -> Frame {
    let mut bytes = mac(to).octets().to_vec();
    bytes.extend(mac(from.0).octets());
    bytes.extend(hex("0806 0001 0800 06 04 00"));
    bytes.push(operation);
    bytes.extend(mac(from.0).octets());
    bytes.extend(from.1.parse::<Ipv4Addr>().unwrap().octets());
    bytes.extend([0; 6]);
    bytes.extend(target.parse::<Ipv4Addr>().unwrap().octets());
    bytes.resize(60, 0);
    Frame { bytes }
}

fn request(target: &str) -> Frame {
    arp(1, ("A", "10.0.0.1"), "*", target)
}

/// A neighbour discovery message: type, flags, target, options.
fn discovery(to_mac: &str, from: &str, to: &str, message: (u8, u8, &str, &str)) -> Frame {
    let (kind, flags, target, options) = message;
    let mut icmp = vec![kind, 0, 0, 0, flags, 0, 0, 0];
    icmp.extend(target.parse::<Ipv6Addr>().unwrap().octets());
    icmp.extend(hex(options));
    let sum = !upper_sum(addr(from), addr(to), 58, &icmp);
    icmp[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut bytes = mac(to_mac).octets().to_vec();
    bytes.extend(mac("A").octets());
    bytes.extend(hex("86dd 60000000"));
    bytes.extend(u16::try_from(icmp.len()).unwrap().to_be_bytes());
    bytes.extend([58, 255]);
    bytes.extend(from.parse::<Ipv6Addr>().unwrap().octets());
    bytes.extend(to.parse::<Ipv6Addr>().unwrap().octets());
    bytes.extend(icmp);
    Frame { bytes }
}

const OWN_ADDRESS: &str = "01 01 020000000041";

fn solicitation(last: u8) -> Frame {
    let (group, target) = (format!("ff02::1:ff00:{last:x}"), format!("fd00::{last:x}"));
    let to_mac = format!("33:33:ff:00:00:{last:02x}");
    discovery(&to_mac, "fd00::1", &group, (135, 0, &target, OWN_ADDRESS))
}

fn answer(w: &mut World, interface: &str, f: &Frame) -> Vec<u8> {
    match w.send(interface, f) {
        Outcome::Answered(Ok(copy)) if copy.interface == w.interface(interface) => copy.bytes,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_arp_request_for_a_known_address_is_answered_for_the_one_who_has_it() {
    let mut w = suppressing();
    let bytes = answer(&mut w, "vm1", &request("10.0.0.2"));
    let mut expected = hex("020000000041 020000000042 0806 0001 0800 06 04 0002 \
        020000000042 0a000002 020000000041 0a000001");
    expected.resize(60, 0);
    assert_eq!(bytes, expected);
    let outcome = w.send("vm1", &request("10.0.0.3"));
    assert_eq!(outcome.consumed(), Some(PuntReason::NeighborSuppressed));
    // The one who asked was learned.
    assert!(w.learned().contains(&"web:A@p1".to_owned()));
    // A probe for an address that is taken.
    let probe = arp(1, ("A", "0.0.0.0"), "*", "10.0.0.2");
    assert_eq!(answer(&mut w, "vm1", &probe)[28..42], hex("0a000002 020000000041 00000000"));
}

#[test]
fn a_solicitation_for_a_known_address_is_answered_as_solicited() {
    let mut w = suppressing();
    // B is known to be a router.
    for (last, station, flags) in [(2, "B", 0xe0), (3, "C", 0x60)] {
        let bytes = answer(&mut w, "vm1", &solicitation(last));
        assert_eq!(bytes[..6], mac("A").octets());
        assert_eq!(bytes[6..12], mac(station).octets());
        assert_eq!(bytes[12..22], hex("86dd 60000000 0020 3a ff"));
        assert_eq!(bytes[22..38], format!("fd00::{last}").parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(bytes[38..54], "fd00::1".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!((bytes[54], bytes[55], bytes[58]), (136, 0, flags));
        assert_eq!(bytes[62..78], bytes[22..38], "the target");
        assert_eq!(bytes[78..80], [2, 1]);
        assert_eq!(bytes[80..], mac(station).octets());
        let ends = (addr(&format!("fd00::{last}")), addr("fd00::1"));
        assert_eq!(upper_sum(ends.0, ends.1, 58, &bytes[54..]), 0xffff);
    }
    // Without an address of its own in it, the answer still has one.
    let bare = discovery("33:33:ff:00:00:02", "fd00::1", "ff02::1:ff00:2", (135, 0, "fd00::2", ""));
    assert_eq!(answer(&mut w, "vm1", &bare).len(), 86);
}

#[test]
fn an_answer_goes_to_a_trunk_with_its_tag_and_the_priority_of_the_question() {
    let mut w = suppressing();
    let mut asked = request("10.0.0.2").urgent_tag(10);
    asked.bytes[11] = b'S';
    let bytes = answer(&mut w, "eth1", &asked);
    assert_eq!(bytes[..18], hex("020000000053 020000000042 8100b00a 0806"));
    assert_eq!(bytes.len(), 64);
}

#[test]
fn who_has_to_be_heard_by_all_is_never_suppressed() {
    let mut w = suppressing();
    let nobody = discovery("33:33:ff:00:00:02", "::", "ff02::1:ff00:2", (135, 0, "fd00::2", ""));
    let unsolicited =
        discovery("33:33:00:00:00:01", "fd00::2", "ff02::1", (136, 0x20, "fd00::2", ""));
    let mut rarp = request("10.0.0.2");
    rarp.bytes[12..14].copy_from_slice(&[0x80, 0x35]);
    for (frame, why) in [
        (arp(1, ("A", "10.0.0.2"), "*", "10.0.0.2"), "gratuitous request"),
        (arp(2, ("A", "10.0.0.2"), "*", "10.0.0.2"), "gratuitous reply"),
        (arp(2, ("A", "10.0.0.1"), "*", "10.0.0.2"), "a reply to all"),
        (arp(1, ("A", "0.0.0.0"), "*", "10.0.0.99"), "a probe for an unknown address"),
        (rarp, "RARP"),
        (nobody, "duplicate address detection"),
        (unsolicited, "unsolicited advertisement"),
        (request("10.0.0.99"), "unknown"),
        (solicitation(99), "unknown"),
        (request("10.0.0.26"), "known by address, but nobody knows where"),
        (request("10.0.0.1"), "the one who asks"),
    ] {
        assert_eq!(shown(&mut w, "vm1", &frame), FLOODED, "{why}");
    }
    // Addressed to one station it is none of our business.
    assert_eq!(
        shown(&mut w, "vm1", &arp(1, ("A", "10.0.0.1"), "B", "10.0.0.2")),
        "up0[]>192.0.2.2/5001"
    );
}

#[test]
fn a_solicitation_that_its_target_would_discard_is_not_answered() {
    let mut w = suppressing();
    let mut routed = solicitation(2);
    routed.bytes[21] = 254;
    assert_eq!(shown(&mut w, "vm1", &routed), FLOODED);
    let mut wrong = solicitation(2);
    wrong.bytes[56] ^= 1;
    assert_eq!(shown(&mut w, "vm1", &wrong), FLOODED);
}

#[test]
fn only_where_the_bridge_wants_it_and_not_out_of_a_tunnel_and_not_behind_the_same_port() {
    let mut w = suppressing();
    let mut from_c = request("10.0.0.3");
    from_c.bytes[11] = b'D';
    // C is on that very port, and hears the question itself.
    assert_eq!(
        shown(&mut w, "vm2", &from_c),
        "eth1[10] vm1[] up0[]>192.0.2.2/5001 up0[]>192.0.2.3/5001 up0[]>192.0.2.9/5001"
    );
    let inner = vxlan("192.0.2.2", 5001, &request("10.0.0.3"));
    assert_eq!(shown(&mut w, "up0", &inner), "eth1[10] vm1[] vm2[]");
    let mut off = world_of(SITE);
    teach(&mut off, "192.0.2.2", 5001, "B");
    off.know("web", "10.0.0.2", Some((mac("B"), false)));
    assert_eq!(shown(&mut off, "vm1", &request("10.0.0.2")), FLOODED);
    // What is forgotten is asked for again.
    w.know("web", "10.0.0.2", None);
    assert_eq!(shown(&mut w, "vm1", &request("10.0.0.2")), FLOODED);
}

#[test]
fn a_station_is_never_told_its_own_address_wherever_it_is_believed_to_be() {
    // The port is full with D, so A stays where it was learned: behind the peer.
    let text = SITE
        .replace("{name: web, vni: 5001}", "{name: web, vni: 5001, neighborSuppression: true}")
        .replace("host: h, interface: vm1}", "host: h, interface: vm1, macLimit: 1}");
    let mut w = world_of(&text);
    teach(&mut w, "192.0.2.2", 5001, "A");
    w.send("vm1", &frame("D", "*"));
    w.know("web", "10.0.0.1", Some((mac("A"), false)));
    let own = arp(1, ("A", "10.0.0.9"), "*", "10.0.0.1");
    assert_eq!(shown(&mut w, "vm1", &own), FLOODED);
    assert_eq!(w.learned(), ["web:A@@o2", "web:D@p1"]);
    let other = arp(1, ("D", "10.0.0.9"), "*", "10.0.0.1");
    assert_eq!(shown(&mut w, "vm1", &other), "answer vm1");
}

#[test]
fn what_is_inside_tags_is_another_network() {
    let mut w = suppressing();
    // A customer tag that is payload.
    let tagged = request("10.0.0.2").tag(33).tag(10);
    assert!(shown(&mut w, "eth1", &tagged).starts_with("vm1[33] vm2[33] "));
    // A priority tag is none.
    let urgent = request("10.0.0.2").urgent_tag(0);
    assert_eq!(answer(&mut w, "vm1", &urgent).len(), 60);
}

#[test]
fn an_answer_that_the_port_does_not_take_is_refused() {
    let mut w = suppressing();
    let mut view = w.view.clone();
    view.interfaces[1].mtu = 68;
    let topology = w.topology.clone();
    w.reconfigure(topology, view);
    assert_eq!(shown(&mut w, "vm1", &solicitation(2)), "answer !mtu_exceeded");
    assert_eq!(shown(&mut w, "vm1", &request("10.0.0.2")), "answer vm1");
}
