//! Frames that leave in tunnels: who gets one, what a drop counts for, who is told, and what the
//! control plane sends by itself. (What stands in front of a frame is tested beside the code that
//! puts it there.)

use std::collections::BTreeSet;
use std::time::Duration;

use bridge_model::reason::DropReason;
use bridge_model::site;
use bridge_model::types::{Fid, InterfaceId, MacAddr, MemberId, Name};
use bridge_model::wire::inner::{InnerIp, mss_option};
use fwd::counters::{Owner, PortSnapshot};
use fwd::heap::HeapFrame;
use fwd::mac::Isa;
use fwd::{Frame as _, ProtocolEvent};

use crate::bench::{Bench, Seen};
use crate::generate::{self, name, vid};

const NOW: Duration = Duration::from_secs(1);
const BROADCAST: u64 = 0xffff_ffff_ffff;
const ANN: u64 = 0x0200_0000_000a;
/// Static behind the tunnel `far`.
const FAR: u64 = 0x0200_0000_00fa;
/// Static behind a port of the host `h2`.
const AWAY: u64 = 0x0200_0000_00aa;

const TRUNK: InterfaceId = InterfaceId(0);
const A2: InterfaceId = InterfaceId(2);
const A3: InterfaceId = InterfaceId(3);
/// VLAN 40 of it is the underlay.
const UP: InterfaceId = InterfaceId(6);

/// Trunk 0, access ports 2 and 3; the host h2 with three ports in the bridge, h3 with one in
/// another, and two foreign endpoints, one of them beyond a router.
const SITE: &str = "
hosts:
- name: gw
  vtep: 192.0.2.1
  underlay: [{interface: eth6, vlan: 40, addresses: [192.0.2.1/24]}]
  routes: [{to: 198.51.100.0/24, via: [192.0.2.250, 192.0.2.251]}]
- {name: h2, vtep: 192.0.2.2}
- {name: h3, vtep: 192.0.2.3}
bridges: [{name: web, vni: 5001, mssClamp: true}, {name: db, vni: 5002}]
gatewayBridges: [{name: g}]
trunks: [{name: t0, gatewayBridge: g, host: gw, interface: eth0}]
vlanLinks: [{gatewayBridge: g, vid: 10, bridge: web}]
accessPorts:
- {name: a2, bridge: web, host: gw, interface: eth2}
- {name: a3, bridge: web, host: gw, interface: eth3}
- {name: a4, bridge: db, host: gw, interface: eth4}
- {name: b1, bridge: web, host: h2, interface: vm1}
- {name: b2, bridge: web, host: h2, interface: vm2}
- {name: b3, bridge: web, host: h2, interface: vm3}
- {name: c1, bridge: db, host: h3, interface: vm1}
staticMacs:
- {bridge: web, mac: '02:00:00:00:00:fa', port: far}
- {bridge: web, mac: '02:00:00:00:00:aa', port: b2}
tunnelZones:
- {name: dc, kind: vxlan, hosts: [gw, h2, h3]}
tunnels:
- {name: far, zone: dc, remote: 198.51.100.9, bridges: [web]}
- {name: near, zone: dc, remote: 192.0.2.77, bridges: [web]}
";

fn bench() -> Bench {
    let topology = site::parse("site.yaml", SITE).unwrap();
    let mut view = generate::view();
    view.interfaces[usize::from(UP.0)].mac = MacAddr::from_u64(0x0200_0000_0001);
    let bench = Bench::new(topology, view, Isa::detect());
    for next_hop in ["192.0.2.2", "192.0.2.77", "192.0.2.250"] {
        resolve(&bench, next_hop, true);
    }
    bench
}

fn resolve(bench: &Bench, next_hop: &str, known: bool) {
    let key = (UP, Some(vid(40)), next_hop.parse().unwrap());
    let address = known.then_some(MacAddr::from_u64(0x0200_0000_00ff));
    bench.learner.live().underlay().next_hop(key).set(address);
}

fn set_up(bench: &Bench, peer: &str, up: bool) {
    bench.learner.live().underlay().peer(&name(peer)).set_up(up);
}

fn frame(to: u64, tag: Option<u16>, octets: usize) -> Vec<u8> {
    let mut frame = to.to_be_bytes()[2..].to_vec();
    frame.extend(&ANN.to_be_bytes()[2..]);
    if let Some(tci) = tag {
        frame.extend([0x81, 0x00]);
        frame.extend(tci.to_be_bytes());
    }
    frame.extend([0x08, 0x00]);
    frame.resize(octets, 0x5a);
    frame
}

/// Where copies went: the interface, and the outer destination address of those in tunnels.
fn places(seen: &Seen) -> Vec<(InterfaceId, Option<[u8; 4]>)> {
    let remote = |frame: &[u8]| <[u8; 4]>::try_from(&frame[34..38]).unwrap();
    let place = |(to, frame): &(InterfaceId, Vec<u8>)| (*to, (*to == UP).then(|| remote(frame)));
    seen.sent.iter().map(place).collect()
}

const H2: (InterfaceId, Option<[u8; 4]>) = (UP, Some([192, 0, 2, 2]));
const FAR_END: (InterfaceId, Option<[u8; 4]>) = (UP, Some([198, 51, 100, 9]));
const NEAR_END: (InterfaceId, Option<[u8; 4]>) = (UP, Some([192, 0, 2, 77]));

fn port(bench: &Bench, port: &Name) -> PortSnapshot {
    let slot = bench.slots.find(&Owner::Port(port.clone())).unwrap();
    bench.counters.snapshot().port(slot)
}

fn peer(bench: &Bench, peer: &str) -> PortSnapshot {
    port(bench, &Name::of_peer(&name(peer)))
}

fn drops(port: &PortSnapshot, reason: DropReason) -> u64 {
    port.drops[reason.index()]
}

/// The numbers of a port of the bridge `web`.
fn place(bench: &Bench, port: &Name) -> (Fid, MemberId) {
    let slot = bench.slots.find(&Owner::Port(port.clone())).unwrap();
    let all = bench
        .image
        .fids()
        .flat_map(|fid| bench.image.members(fid).map(move |(member, slot)| (fid, member, slot)));
    let found: Vec<_> = all.filter(|(.., other)| *other == slot).collect();
    let [(fid, member, _)] = found[..] else { panic!("{found:?}") };
    (fid, member)
}

#[test]
fn f5_a_flooded_frame_leaves_once_for_each_host_and_endpoint_however_many_ports_it_has_there() {
    let mut bench = bench();
    let seen = bench.frame(NOW, A2, &frame(BROADCAST, None, 100));
    assert_eq!(places(&seen), [(TRUNK, None), (A3, None), FAR_END, H2, NEAR_END]);
    assert_eq!(seen.dropped, []);
    // One payload copy for every further place, and none for the last.
    assert_eq!(bench.io.copied, 4);
    let seen = bench.frame(NOW, TRUNK, &frame(BROADCAST, Some(10), 104));
    assert_eq!(places(&seen), [(A2, None), (A3, None), FAR_END, H2, NEAR_END]);
    // The tag is off, whatever stands in front.
    let inner = frame(BROADCAST, None, 100);
    for (_, sent) in seen.sent.iter().filter(|(to, _)| *to == UP) {
        assert_eq!(sent[54..], inner);
    }
    let sent = peer(&bench, "h2").tx;
    assert_eq!((sent.frames, sent.octets), (2, 2 * 154));
    assert_eq!(peer(&bench, "h3").tx.frames, 0);
}

#[test]
fn f3_a_known_destination_on_another_host_or_behind_a_tunnel_gets_exactly_one_copy() {
    let mut bench = bench();
    let seen = bench.frame(NOW, A2, &frame(AWAY, None, 100));
    assert_eq!(places(&seen), [H2]);
    let seen = bench.frame(NOW, TRUNK, &frame(FAR, Some(0xe00a), 104));
    assert_eq!(places(&seen), [FAR_END]);
    assert_eq!(seen.sent[0].1[54..], frame(FAR, None, 100));
    assert_eq!(bench.io.copied, 0);
}

#[test]
fn a_peer_that_goes_down_is_no_member_from_the_next_frame_on_and_one_that_returns_is_one_again() {
    let mut bench = bench();
    set_up(&bench, "h2", false);
    let seen = bench.frame(NOW, A2, &frame(BROADCAST, None, 100));
    assert_eq!(places(&seen), [(TRUNK, None), (A3, None), FAR_END, NEAR_END]);
    // What is known behind it is unknown.
    let seen = bench.frame(NOW, A2, &frame(AWAY, None, 100));
    assert_eq!(places(&seen), [(TRUNK, None), (A3, None), FAR_END, NEAR_END]);
    set_up(&bench, "h2", true);
    assert_eq!(places(&bench.frame(NOW, A2, &frame(AWAY, None, 100))), [H2]);
}

#[test]
fn a_bridge_whose_only_other_members_are_peers_that_are_down_has_no_destination() {
    let mut bench = bench();
    let a4 = InterfaceId(4);
    set_up(&bench, "h3", false);
    let seen = bench.frame(NOW, a4, &frame(BROADCAST, None, 100));
    assert_eq!((seen.sent, seen.dropped), (vec![], vec![DropReason::NoDestination]));
    assert_eq!(drops(&port(&bench, &name("a4")), DropReason::NoDestination), 1);
    set_up(&bench, "h3", true);
    let seen = bench.frame(NOW, a4, &frame(BROADCAST, None, 100));
    assert_eq!(seen.dropped, [DropReason::NeighborUnresolved]);
    assert_eq!(drops(&peer(&bench, "h3"), DropReason::NeighborUnresolved), 1);
}

#[test]
fn an_unresolved_next_hop_costs_a_flood_that_copy_alone_and_no_buffer() {
    let mut bench = bench();
    resolve(&bench, "192.0.2.2", false);
    let seen = bench.frame(NOW, A2, &frame(BROADCAST, None, 100));
    assert_eq!(places(&seen), [(TRUNK, None), (A3, None), FAR_END, NEAR_END]);
    assert_eq!(seen.dropped, [DropReason::NeighborUnresolved]);
    assert_eq!(drops(&peer(&bench, "h2"), DropReason::NeighborUnresolved), 1);
    assert_eq!(bench.io.copied, 3);
}

/// The routers that 32 flows to `far` use.
fn routers(bench: &mut Bench) -> BTreeSet<Vec<u8>> {
    let flows = (0..32).map(|flow| {
        let mut data = frame(FAR, None, 100);
        data[11] = flow;
        let seen = bench.frame(NOW, A2, &data);
        assert_eq!(places(&seen), [FAR_END]);
        seen.sent[0].1[..6].to_vec()
    });
    flows.collect()
}

#[test]
fn flows_use_both_routers_and_only_the_one_that_answers() {
    let mut bench = bench();
    assert_eq!(routers(&mut bench).len(), 1);
    let other = (UP, Some(vid(40)), "192.0.2.251".parse().unwrap());
    let address = MacAddr::from_u64(0x0200_0000_0051);
    bench.learner.live().underlay().next_hop(other).set(Some(address));
    assert_eq!(routers(&mut bench).len(), 2);
}

#[test]
fn a_peer_without_a_route_drops_everything_as_such_and_counts_it() {
    let topology =
        site::parse("site.yaml", &SITE.replace("198.51.100.0/24", "10.0.0.0/8")).unwrap();
    let mut bench = Bench::new(topology, generate::view(), Isa::detect());
    let seen = bench.frame(NOW, A2, &frame(FAR, None, 1514));
    assert_eq!((seen.sent, seen.dropped), (vec![], vec![DropReason::TunnelNoRoute]));
    assert_eq!(drops(&peer(&bench, "far"), DropReason::TunnelNoRoute), 1);
}

#[test]
fn a_frame_too_long_for_a_tunnel_counts_for_the_peer_and_its_sender_can_be_told() {
    let mut bench = bench();
    // 1500 - 20 - 8 - 8 octets of frame.
    let seen = bench.frame(NOW, TRUNK, &frame(FAR, Some(10), 1464 + 4));
    assert_eq!(places(&seen), [FAR_END]);
    assert!(bench.protocols.is_empty());
    let data = frame(FAR, Some(10), 1465 + 4);
    let seen = bench.frame(NOW, TRUNK, &data);
    assert_eq!((seen.sent, seen.dropped), (vec![], vec![DropReason::MtuExceeded]));
    assert_eq!(drops(&peer(&bench, "far"), DropReason::MtuExceeded), 1);
    let told = bench.protocols.pop().unwrap();
    assert_eq!(told.event, ProtocolEvent::TooBig { mtu: 1450 });
    assert_eq!(told.place, place(&bench, &name("t0")));
    // As the bridge sees it.
    assert_eq!(told.bytes[..], frame(FAR, None, 1465));
    assert_eq!(told.octets, 1465);
    // Nobody is told about a group.
    let seen = bench.frame(NOW, TRUNK, &frame(BROADCAST, Some(10), 1465 + 4));
    assert_eq!(seen.dropped, [DropReason::MtuExceeded; 3]);
    assert!(bench.protocols.is_empty());
}

#[test]
fn nobody_is_told_about_a_station_that_nobody_knows() {
    let mut bench = bench();
    let seen = bench.frame(NOW, TRUNK, &frame(0x0200_0000_0077, Some(10), 1465 + 4));
    assert_eq!(seen.dropped, [DropReason::MtuExceeded; 3], "{seen:?}");
    assert!(!seen.sent.is_empty(), "a local port has room for it");
    assert!(bench.protocols.is_empty());
}

#[test]
fn a_frame_too_long_for_a_local_port_can_be_told_as_well() {
    let mut bench = bench();
    let mut view = bench.view.clone();
    view.interfaces[usize::from(A3.0)].mtu = 1400;
    bench.reconfigure(bench.topology.clone(), view, NOW);
    let bob = 0x0200_0000_000b;
    let mut from_bob = frame(BROADCAST, None, 100);
    from_bob[11] = 0x0b;
    bench.frame(NOW, A3, &from_bob);
    let seen = bench.frame(NOW, A2, &frame(bob, None, 1414));
    assert_eq!((seen.sent.len(), seen.dropped), (1, vec![]));
    let seen = bench.frame(NOW, A2, &frame(bob, None, 1415));
    assert_eq!(seen.dropped, [DropReason::MtuExceeded]);
    let told = bench.protocols.pop().unwrap();
    assert_eq!(told.event, ProtocolEvent::TooBig { mtu: 1400 });
    assert_eq!(told.place, place(&bench, &name("a2")));
    assert_eq!(told.bytes.len(), 1415);
}

#[test]
fn senders_are_told_a_thousand_times_a_second_at_most() {
    let mut bench = bench();
    let data = frame(FAR, None, 1500);
    let mut told = 0;
    for turn in 0..50 {
        bench.burst(NOW, A2, &[&data[..]; 32]);
        while bench.protocols.pop().is_ok() {
            told += 1;
        }
        assert!(told <= 1000, "turn {turn}");
    }
    assert_eq!(told, 1000);
    bench.burst(NOW + Duration::from_millis(10), A2, &[&data[..]; 32]);
    while bench.protocols.pop().is_ok() {
        told += 1;
    }
    assert_eq!(told, 1010);
}

/// A TCP SYN that announces segments of 1460 octets.
fn syn(to: u64) -> Vec<u8> {
    let mut frame = frame(to, None, 14);
    frame.extend([0x45, 0, 0, 44, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend([0x80, 0, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x60, 2, 0xff, 0xff, 0, 0, 0, 0]);
    frame.extend([2, 4, 0x05, 0xb4]);
    frame.resize(60, 0);
    frame
}

#[test]
fn a_syn_into_a_tunnel_announces_what_fits_and_the_one_to_a_local_port_is_left_alone() {
    let mut bench = bench();
    let mss = |frame: &[u8]| mss_option(frame, &InnerIp::of(frame).unwrap()).unwrap().1;
    let seen = bench.frame(NOW, A2, &syn(BROADCAST));
    let announced: Vec<(InterfaceId, u16)> = seen
        .sent
        .iter()
        .map(|(to, frame)| (*to, mss(if *to == UP { &frame[54..] } else { frame })))
        .collect();
    // 1500 octets less 50 of headers in the underlay and 40 of IP and TCP.
    assert_eq!(announced, [(TRUNK, 1460), (A3, 1460), (UP, 1410), (UP, 1410), (UP, 1410)]);
    // The bridge `db` does not clamp.
    resolve(&bench, "192.0.2.3", true);
    let seen = bench.frame(NOW, InterfaceId(4), &syn(BROADCAST));
    assert_eq!(seen.sent.len(), 1);
    assert_eq!(mss(&seen.sent[0].1[54..]), 1460);
}

fn inject(bench: &mut Bench, (fid, member): (Fid, MemberId), data: &[u8]) -> Seen {
    bench.worker.inject(&mut bench.io, fid, member, HeapFrame::new(data));
    bench.worker.flush(&mut bench.io);
    assert!(bench.worker.is_idle());
    bench.seen()
}

#[test]
fn an_injected_frame_leaves_as_one_that_its_bridge_forwarded() {
    let mut bench = bench();
    let data = frame(ANN, None, 60);
    let to_port = place(&bench, &name("a2"));
    assert_eq!(inject(&mut bench, to_port, &data).sent, [(A2, data.clone())]);
    let to_trunk = place(&bench, &name("t0"));
    let tagged = frame(ANN, Some(10), 64);
    assert_eq!(inject(&mut bench, to_trunk, &data).sent, [(TRUNK, tagged)]);
    let to_peer = place(&bench, &Name::of_peer(&name("h2")));
    let seen = inject(&mut bench, to_peer, &data);
    assert_eq!(places(&seen), [H2]);
    assert_eq!(seen.sent[0].1[54..], data);
    let snapshot = bench.counters.snapshot();
    assert_eq!((snapshot.originated, snapshot.accounting().sent), (3, 3));
    assert_eq!(peer(&bench, "h2").tx.frames, 1);
}

#[test]
fn an_injected_frame_for_nobody_or_that_cannot_leave_is_dropped_and_tells_nobody() {
    let mut bench = bench();
    let data = frame(ANN, None, 60);
    let (fid, _) = place(&bench, &name("a2"));
    for nobody in [(fid, MemberId(4000)), (fid, MemberId(0)), (Fid(60_000), MemberId(1))] {
        assert_eq!(inject(&mut bench, nobody, &data).dropped, [DropReason::NoDestination]);
    }
    let to_peer = place(&bench, &Name::of_peer(&name("h2")));
    let long = inject(&mut bench, to_peer, &frame(ANN, None, 1500));
    assert_eq!(long.dropped, [DropReason::MtuExceeded]);
    assert!(bench.protocols.is_empty());
    set_up(&bench, "h2", false);
    assert_eq!(inject(&mut bench, to_peer, &data).dropped, [DropReason::NoDestination]);
    assert_eq!(drops(&peer(&bench, "h2"), DropReason::NoDestination), 1);
}

#[test]
fn without_headroom_for_the_headers_a_frame_is_dropped_for_want_of_a_buffer() {
    let mut bench = bench();
    let mut burst = fwd::FrameBurst::new();
    let mut data = HeapFrame::new(&frame(FAR, None, 100));
    assert!(data.prepend(100));
    data.bytes_mut()[..14].copy_from_slice(&frame(FAR, None, 14));
    burst.push(data);
    bench.worker.burst(&mut bench.io, A2, &mut burst, 1);
    bench.worker.flush(&mut bench.io);
    let seen = bench.seen();
    assert_eq!((seen.sent, seen.dropped), (vec![], vec![DropReason::NoBuffer]));
}
