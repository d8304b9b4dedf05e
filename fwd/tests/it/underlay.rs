//! Frames that come in by the underlay: whom they count for, what goes to the kernel, who is heard,
//! and questions that are answered.

use std::net::IpAddr;
use std::time::Duration;

use bridge_model::reason::{DropReason, PuntReason};
use bridge_model::site;
use bridge_model::types::{InterfaceId, MacAddr, Name, Vni};
use bridge_model::wire::ethernet;
use bridge_model::wire::ip::{self, Datagram};
use bridge_model::wire::neighbor::Arp;
use bridge_model::wire::tunnel::{gre_header, vxlan_header};
use fwd::counters::{Owner, PortSnapshot, Traffic};
use fwd::mac::Isa;
use fwd::{BURST, ProtocolEvent};

use crate::bench::Bench;
use crate::generate::{self, name};

const NOW: Duration = Duration::from_secs(1);
const ANN: u64 = 0x0200_0000_000a;
const BOB: u64 = 0x0200_0000_000b;
const BROADCAST: u64 = 0xffff_ffff_ffff;
const ROUTER: MacAddr = MacAddr::new([8, 0, 0, 0, 0, 1]);

const A2: InterfaceId = InterfaceId(2);
const A3: InterfaceId = InterfaceId(3);
const KERNEL: InterfaceId = InterfaceId(5);
const UP: InterfaceId = InterfaceId(6);

/// Access ports 2 and 3; hosts behind VXLAN and GRE; the kernel on eth5.
const SITE: &str = "
hosts:
- name: gw
  vtep: 192.0.2.1
  underlay: [{interface: eth6, addresses: [192.0.2.1/24], kernel: eth5}]
- {name: h2, vtep: 192.0.2.2}
- {name: h3, vtep: 192.0.2.3}
bridges: [{name: web, vni: 5001, neighborSuppression: true}]
accessPorts:
- {name: a2, bridge: web, host: gw, interface: eth2}
- {name: a3, bridge: web, host: gw, interface: eth3}
- {name: b1, bridge: web, host: h2, interface: vm1}
- {name: c1, bridge: web, host: h3, interface: vm1}
tunnelZones:
- {name: dc, kind: vxlan, hosts: [gw, h2]}
- {name: old, kind: gre, hosts: [gw, h3]}
";

fn bench() -> Bench {
    let topology = site::parse("site.yaml", SITE).unwrap();
    let bench = Bench::new(topology, generate::view(), Isa::detect());
    for peer in ["192.0.2.2", "192.0.2.3"] {
        let cell = bench.learner.live().underlay().next_hop((UP, None, peer.parse().unwrap()));
        cell.set(Some(ROUTER));
    }
    bench
}

fn frame(to: u64, from: u64, number: u8) -> Vec<u8> {
    let (to, from) = (MacAddr::from_u64(to), MacAddr::from_u64(from));
    ethernet::build(to, from, &[], 0x88b5, &[number; 46])
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A packet from `from` for us, as it arrives.
fn arriving(bench: &Bench, from: &str, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let header = ip::Header::new(address(from), address("192.0.2.1"), protocol, 64);
    let own = bench.underlay.links[0].mac;
    ethernet::build(own, ROUTER, &[], 0x0800, &header.packet(payload).unwrap())
}

/// How a frame is wrapped; the last two are for the long way round.
#[derive(Clone, Copy)]
enum Wrapping {
    Vxlan,
    Gre,
    WithChecksum,
    WithOptions,
}

fn wrapped(bench: &Bench, from: &str, wrapping: Wrapping, vni: u32, inner: &[u8]) -> Vec<u8> {
    let vni = Vni::new(vni).unwrap();
    let ends = (address(from), address("192.0.2.1"));
    let vxlan = |checksum| {
        let payload = [&vxlan_header(vni)[..], inner].concat();
        Datagram::build(ends, (50_000, 4789), &payload, checksum).unwrap()
    };
    match wrapping {
        Wrapping::Vxlan => arriving(bench, from, 17, &vxlan(false)),
        Wrapping::WithChecksum => arriving(bench, from, 17, &vxlan(true)),
        Wrapping::Gre => arriving(bench, from, 47, &[&gre_header(vni)[..], inner].concat()),
        Wrapping::WithOptions => {
            let mut frame = arriving(bench, from, 17, &vxlan(false));
            frame.splice(34..34, [1, 1, 1, 0]);
            frame[14] = 0x46;
            let total = u16::try_from(frame.len() - 14).unwrap();
            frame[16..18].copy_from_slice(&total.to_be_bytes());
            frame[24..26].fill(0);
            let sum = bridge_model::wire::checksum::internet(&frame[14..38]).to_be_bytes();
            frame[24..26].copy_from_slice(&sum);
            frame
        }
    }
}

fn counters(bench: &Bench, owner: &Owner) -> PortSnapshot {
    bench.counters.snapshot().port(bench.slots.find(owner).unwrap())
}

fn port(bench: &Bench, port: &str) -> PortSnapshot {
    counters(bench, &Owner::Port(name(port)))
}

fn peer(bench: &Bench, peer: &str) -> PortSnapshot {
    counters(bench, &Owner::Port(Name::of_peer(&name(peer))))
}

fn link(bench: &Bench) -> PortSnapshot {
    counters(bench, &Owner::Port(Name::of_underlay(&name("eth6"), None)))
}

fn drops(port: &PortSnapshot, reason: DropReason) -> u64 {
    port.drops[reason.index()]
}

#[test]
fn u10_a_frame_out_of_a_tunnel_counts_for_its_peer_with_its_outer_octets() {
    let mut bench = bench();
    let inner = frame(BROADCAST, BOB, 1);
    let outer = wrapped(&bench, "192.0.2.2", Wrapping::Vxlan, 5001, &inner);
    let seen = bench.frame(NOW, UP, &outer);
    assert_eq!(seen.sent, [(A2, inner.clone()), (A3, inner)]);
    let octets = outer.len() as u64;
    assert_eq!(peer(&bench, "h2").rx, Traffic { frames: 1, octets });
    assert_eq!(link(&bench).rx, Traffic::default());
    // What is wrong with the inner frame is the peer's fault, too.
    let bad = wrapped(&bench, "192.0.2.2", Wrapping::Vxlan, 5001, &frame(BROADCAST, 0, 1));
    assert_eq!(bench.frame(NOW, UP, &bad).dropped, [DropReason::BadSource]);
    assert_eq!(drops(&peer(&bench, "h2"), DropReason::BadSource), 1);
    assert_eq!(peer(&bench, "h2").rx.frames, 2);
}

#[test]
fn u10_a_tunnel_that_is_not_taken_counts_for_the_link() {
    let mut bench = bench();
    let inner = frame(BROADCAST, BOB, 1);
    for (from, wrapping, vni, reason) in [
        ("192.0.2.99", Wrapping::Vxlan, 5001, DropReason::VtepUnknown),
        ("192.0.2.2", Wrapping::Gre, 5001, DropReason::TunnelUnexpected),
        ("192.0.2.3", Wrapping::Gre, 77, DropReason::VniUnknown),
    ] {
        let outer = wrapped(&bench, from, wrapping, vni, &inner);
        assert_eq!(bench.frame(NOW, UP, &outer).dropped, [reason]);
        assert_eq!(drops(&link(&bench), reason), 1);
    }
    assert_eq!(link(&bench).rx.frames, 3);
    assert_eq!(peer(&bench, "h2").rx.frames + peer(&bench, "h3").rx.frames, 0);
}

#[test]
fn u10_who_is_down_is_not_heard_from_the_next_frame_on() {
    let mut bench = bench();
    let outer = wrapped(&bench, "192.0.2.2", Wrapping::Vxlan, 5001, &frame(BROADCAST, BOB, 1));
    assert_eq!(bench.frame(NOW, UP, &outer).sent.len(), 2);
    let cell = bench.learner.live().underlay().peer(&name("h2"));
    cell.set_up(false);
    assert_eq!(bench.frame(NOW, UP, &outer).dropped, [DropReason::PeerDown]);
    cell.set_up(true);
    assert_eq!(bench.frame(NOW, UP, &outer).sent.len(), 2);
}

#[test]
fn what_is_not_ours_goes_to_the_kernel_and_what_the_kernel_sends_leaves_by_the_link() {
    let mut bench = bench();
    let ssh = arriving(&bench, "203.0.113.9", 6, &[0; 40]);
    assert_eq!(bench.frame(NOW, UP, &ssh).sent, [(KERNEL, ssh.clone())]);
    assert_eq!(bench.frame(NOW, KERNEL, &ssh).sent, [(UP, ssh.clone())]);
    let octets = ssh.len() as u64;
    let once = Traffic { frames: 1, octets };
    let kernel = counters(&bench, &Owner::Interface(name("eth5")));
    assert_eq!((link(&bench).rx, link(&bench).tx), (once, once));
    assert_eq!((kernel.rx, kernel.tx), (once, once));
    // A ping is the kernel's, and our own protocols hear of it.
    let ping = arriving(&bench, "192.0.2.2", 1, &[8, 0, 0xf7, 0xff, 0, 0, 0, 0]);
    assert_eq!(bench.frame(NOW, UP, &ping).sent, [(KERNEL, ping.clone())]);
    let event = bench.protocols.pop().unwrap();
    assert_eq!(event.event, ProtocolEvent::Copied(PuntReason::UnderlayIcmp));
    assert_eq!(*event.bytes, *ping);
}

#[test]
fn f9_frames_of_one_flow_keep_their_order_whatever_way_through_the_code_they_take() {
    let mut bench = bench();
    bench.frame(NOW, A2, &frame(BROADCAST, ANN, 0));
    bench.frame(NOW, UP, &wrapped(&bench, "192.0.2.2", Wrapping::Vxlan, 5001, &frame(ANN, BOB, 0)));
    let ways = [Wrapping::Vxlan, Wrapping::WithOptions, Wrapping::WithChecksum];
    let numbers = 0..u8::try_from(BURST).unwrap();
    let frames: Vec<Vec<u8>> = numbers
        .clone()
        .map(|number| {
            let way = ways[usize::from(number) * 7 % 3];
            wrapped(&bench, "192.0.2.2", way, 5001, &frame(ANN, BOB, number))
        })
        .collect();
    let slices: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
    let seen = bench.burst(NOW, UP, &slices);
    let expected: Vec<_> = numbers.map(|number| (A2, frame(ANN, BOB, number))).collect();
    assert_eq!(seen.sent, expected);
}

#[test]
fn a_station_that_moves_between_a_port_and_peers_is_found_at_its_new_place_by_the_next_frame() {
    let mut bench = bench();
    bench.frame(NOW, A2, &frame(BROADCAST, ANN, 0));
    let to_bob = |bench: &mut Bench| bench.frame(NOW, A2, &frame(BOB, ANN, 1)).sent;
    let from_h2 = wrapped(&bench, "192.0.2.2", Wrapping::Vxlan, 5001, &frame(ANN, BOB, 2));
    let from_h3 = wrapped(&bench, "192.0.2.3", Wrapping::Gre, 5001, &frame(ANN, BOB, 2));
    bench.frame(NOW, UP, &from_h2);
    let sent = to_bob(&mut bench);
    assert_eq!((sent.len(), sent[0].0, &sent[0].1[30..34]), (1, UP, &[192, 0, 2, 2][..]));
    bench.frame(NOW, A3, &frame(ANN, BOB, 2));
    assert_eq!(to_bob(&mut bench), [(A3, frame(BOB, ANN, 1))]);
    bench.frame(NOW, UP, &from_h3);
    let sent = to_bob(&mut bench);
    assert_eq!((sent.len(), &sent[0].1[30..34]), (1, &[192, 0, 2, 3][..]));
    bench.frame(NOW, UP, &from_h2);
    assert_eq!(&to_bob(&mut bench)[0].1[30..34], [192, 0, 2, 2]);
}

#[test]
fn a_question_for_a_known_station_is_answered_where_it_was_asked_and_goes_nowhere_else() {
    let mut bench = bench();
    let outer = wrapped(&bench, "192.0.2.2", Wrapping::Vxlan, 5001, &frame(BROADCAST, BOB, 0));
    bench.frame(NOW, UP, &outer);
    let (ann, bob) = (MacAddr::from_u64(ANN), MacAddr::from_u64(BOB));
    let question = Arp {
        operation: Arp::REQUEST,
        sender_mac: ann,
        sender: [10, 0, 0, 1].into(),
        target_mac: MacAddr::ZERO,
        target: [10, 0, 0, 2].into(),
    };
    let asked = question.frame(MacAddr::BROADCAST, ann);
    assert_eq!(bench.frame(NOW, A2, &asked).sent.len(), 3, "nobody knows: flooded");
    let heard: Vec<_> = std::iter::from_fn(|| bench.protocols.pop().ok()).collect();
    assert_eq!(heard.len(), 1);
    assert_eq!((heard[0].event, &*heard[0].bytes), (ProtocolEvent::Neighbor, &*asked));
    let fid = bench.numbering.fid_of_bridge(&name("web"), None).unwrap();
    assert_eq!(heard[0].place.0, fid);
    let neighbors = bench.learner.live().neighbors();
    assert!(neighbors.insert(fid, question.target.into(), bob, false));
    let (before, sent) = (bench.counters.snapshot().accounting().originated, port(&bench, "a2").tx);
    let seen = bench.frame(NOW, A2, &asked);
    let answer = Arp {
        operation: Arp::REPLY,
        sender_mac: bob,
        sender: question.target,
        target_mac: ann,
        target: question.sender,
    };
    let mut answer = answer.frame(ann, bob);
    answer.resize(60, 0);
    assert_eq!(seen.sent, [(A2, answer)]);
    assert_eq!(seen.consumed, [PuntReason::NeighborSuppressed]);
    let a2 = port(&bench, "a2");
    assert_eq!(a2.consumed[PuntReason::NeighborSuppressed.index()], 1);
    assert_eq!(a2.tx.frames, sent.frames + 1);
    assert_eq!(bench.counters.snapshot().accounting().originated, before + 1);
    // The same question from a tunnel has been asked there already.
    let outer = wrapped(&bench, "192.0.2.3", Wrapping::Gre, 5001, &asked);
    assert_eq!(bench.frame(NOW, UP, &outer).sent.len(), 2);
    // Nor is anything answered for a station that nobody has heard of.
    bench.flush(&bridge_model::compile::Scope::Bridge(name("web")), NOW);
    bench.frame(NOW, A2, &frame(BROADCAST, ANN, 0));
    assert_eq!(bench.frame(NOW, A2, &asked).sent.len(), 3);
}
