//! What the protocol thread gets when somebody floods it: what keeps the tunnels up comes through.

use std::net::IpAddr;
use std::time::Duration;

use bridge_model::reason::{DropReason, PuntReason};
use bridge_model::site;
use bridge_model::types::{InterfaceId, MacAddr, Tpid, VlanTag};
use bridge_model::wire::neighbor::{Arp, Discovery};
use bridge_model::wire::{bfd, ethernet, icmp, ip};
use fwd::mac::Isa;

use crate::bench::Bench;
use crate::generate;

/// VLAN 40 of it is the underlay.
const UP: InterfaceId = InterfaceId(6);
const OWN: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 1]);
const ROUTER: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 0xff]);
/// So many that no second has room for them.
const FLOOD: u32 = 10_000;

const SITE: &str = "
hosts:
- name: gw
  vtep: 192.0.2.1
  underlay: [{interface: eth6, vlan: 40, addresses: [192.0.2.1/24, 'fd00::1/64']}]
- {name: h2, vtep: 192.0.2.2}
bridges: [{name: web, vni: 5001}]
accessPorts:
- {name: a2, bridge: web, host: gw, interface: eth2}
- {name: b1, bridge: web, host: h2, interface: vm1}
tunnelZones: [{name: dc, kind: vxlan, hosts: [gw, h2]}]
";

fn bench() -> Bench {
    let topology = site::parse("site.yaml", SITE).unwrap();
    let mut view = generate::view();
    view.interfaces[usize::from(UP.0)].mac = OWN;
    Bench::new(topology, view, Isa::detect())
}

fn parse(address: &str) -> IpAddr {
    address.parse().unwrap()
}

fn framed(to: MacAddr, ether_type: u16, packet: &[u8]) -> Vec<u8> {
    ethernet::build(to, ROUTER, &[VlanTag { tpid: Tpid::CTag, tci: 40 }], ether_type, packet)
}

/// From anywhere behind a router.
fn ping(id: u32) -> Vec<u8> {
    let way = (parse("203.0.113.7"), parse("192.0.2.1"));
    framed(OWN, ip::ETHER_TYPE_IPV4, &icmp::echo(way, false, id, b"ping").unwrap())
}

fn arp(to: MacAddr, operation: u16) -> Vec<u8> {
    let arp = Arp {
        operation,
        sender_mac: ROUTER,
        sender: "192.0.2.2".parse().unwrap(),
        target_mac: OWN,
        target: "192.0.2.1".parse().unwrap(),
    };
    framed(to, 0x0806, &arp.build())
}

fn discovery(is_advertisement: bool) -> Vec<u8> {
    let message = Discovery {
        is_advertisement,
        source: "fd00::2".parse().unwrap(),
        destination: "fd00::1".parse().unwrap(),
        target: if is_advertisement { "fd00::2" } else { "fd00::1" }.parse().unwrap(),
        flags: 0,
        link_address: Some(ROUTER),
    };
    framed(OWN, ip::ETHER_TYPE_IPV6, &message.build())
}

fn session() -> Vec<u8> {
    let way = (parse("192.0.2.2"), parse("192.0.2.1"));
    let datagram =
        ip::Datagram::build(way, (49152, bfd::PORT_SINGLE_HOP), &[0; bfd::PACKET_LEN], true);
    let header = ip::Header::new(way.0, way.1, ip::PROTOCOL_UDP, 255);
    framed(OWN, ip::ETHER_TYPE_IPV4, &header.packet(&datagram.unwrap()).unwrap())
}

/// When the last burst of a flood comes: nothing is gained since.
const THEN: Duration = Duration::from_micros(1_000_000 + 99 * 9_984);

/// Sends a flood within one second; returns how many frames of it were consumed. The protocol thread
/// keeps up, or does nothing at all.
fn flood(bench: &mut Bench, keeps_up: bool, mut frame: impl FnMut(u32) -> Vec<u8>) -> usize {
    let mut consumed = 0;
    let mut last = Duration::ZERO;
    for first in (0..FLOOD).step_by(fwd::BURST) {
        let frames: Vec<Vec<u8>> = (first..FLOOD).take(fwd::BURST).map(&mut frame).collect();
        let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        let now = Duration::from_secs(1) + Duration::from_micros(99) * first;
        let seen = bench.burst(now, UP, &frames);
        assert!(seen.dropped.iter().all(|reason| *reason == DropReason::PuntFull));
        assert_eq!(seen.consumed.len() + seen.dropped.len(), frames.len());
        consumed += seen.consumed.len();
        while keeps_up && bench.protocols.pop().is_ok() {}
        last = now;
    }
    assert_eq!(last, THEN);
    assert_eq!(bench.frame(THEN, UP, &frame(FLOOD)).dropped, [DropReason::PuntFull]);
    consumed
}

fn assert_peers_stay(bench: &mut Bench) {
    let answers = [arp(OWN, Arp::REPLY), discovery(true)];
    for answer in &answers {
        let seen = bench.frame(THEN, UP, answer);
        assert_eq!((seen.consumed, seen.dropped), (vec![PuntReason::UnderlayNeighbor], vec![]));
    }
    let seen = bench.frame(THEN, UP, &session());
    assert_eq!((seen.consumed, seen.dropped), (vec![PuntReason::Bfd], vec![]));
}

#[test]
fn a_flood_of_pings_takes_neither_answers_of_next_hops_nor_bfd_nor_questions() {
    let mut bench = bench();
    let consumed = flood(&mut bench, true, ping);
    // A full bucket and what it gained within the second, in whole tokens for each burst.
    assert!((1_800..=2_000).contains(&consumed), "{consumed}");
    assert_peers_stay(&mut bench);
    for question in [arp(MacAddr::BROADCAST, Arp::REQUEST), discovery(false)] {
        let seen = bench.frame(THEN, UP, &question);
        assert_eq!((seen.consumed, seen.dropped), (vec![PuntReason::UnderlayNeighbor], vec![]));
    }
}

#[test]
fn a_flood_of_pings_leaves_places_for_answers_of_next_hops_and_bfd_if_nobody_empties_the_ring() {
    let mut bench = bench();
    assert_eq!(flood(&mut bench, false, ping), 256 - 96);
    let question = bench.frame(THEN, UP, &arp(MacAddr::BROADCAST, Arp::REQUEST));
    assert_eq!(question.dropped, [DropReason::PuntFull]);
    assert_peers_stay(&mut bench);
}

#[test]
fn a_flood_of_questions_and_announcements_takes_neither_answers_of_next_hops_nor_bfd_nor_pings() {
    let frames = [
        arp(MacAddr::BROADCAST, Arp::REQUEST),
        arp(MacAddr::BROADCAST, Arp::REPLY),
        arp(OWN, Arp::REQUEST),
        discovery(false),
    ];
    for frame in frames {
        let mut bench = bench();
        let consumed = flood(&mut bench, true, |_| frame.clone());
        assert!((3_800..=4_000).contains(&consumed), "{consumed}");
        assert_peers_stay(&mut bench);
        assert_eq!(bench.frame(THEN, UP, &ping(0)).consumed, [PuntReason::UnderlayIcmp]);
    }
}

#[test]
fn a_flood_of_answers_leaves_places_for_bfd() {
    let mut bench = bench();
    assert_eq!(flood(&mut bench, false, |_| arp(OWN, Arp::REPLY)), 256 - 64);
    assert_eq!(bench.frame(THEN, UP, &discovery(true)).dropped, [DropReason::PuntFull]);
    assert_eq!(bench.frame(THEN, UP, &session()).consumed, [PuntReason::Bfd]);
}
