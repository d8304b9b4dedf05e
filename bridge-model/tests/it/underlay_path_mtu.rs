//! The search for the path MTU: two machines with a router between them that is a black hole, or says
//! what fits.

use std::time::Duration;

use bridge_model::compile::UnderlayTable;
use bridge_model::underlay::{Action, PathMtuState};
use bridge_model::wire::checksum;
use bridge_model::wire::ethernet;
use bridge_model::wire::icmp::{self, Message};
use bridge_model::wire::inner::InnerIp;
use bridge_model::wire::ip::{Datagram, Header, Packet};

use crate::underlay_world::{MS, S, World, link, peer, routed, router_mac, table};
use crate::world::name;

/// Octets of the IP packet, if the frame is a ping.
fn ping(frame: &[u8]) -> Option<usize> {
    let ether_type = u16::from_be_bytes([frame[12], frame[13]]);
    let packet = Packet::parse(ether_type, &frame[14..])?.ok()?;
    let Some(Message::EchoRequest { data, .. }) = Message::parse(&packet) else { return None };
    let inner = InnerIp::of(frame).unwrap();
    assert!(inner.dont_fragment);
    Some(inner.header_len + 8 + data.len())
}

/// Sizes of the pings that host 0 sent, short ones left out.
fn pings(world: &World) -> Vec<(Duration, usize)> {
    let sent = world.hosts[0].sent.iter();
    let pings = sent.filter_map(|(at, _, frame)| Some((*at, ping(frame)?)));
    pings.filter(|(_, octets)| *octets > 64).collect()
}

/// What host 0 said about sizes, with the time.
fn mtus(world: &World) -> Vec<(Duration, u16)> {
    let events = world.hosts[0].events.iter();
    let mtu = |(at, action): &(Duration, Action)| match action {
        Action::PathMtu { name: peer, mtu } if *peer == name("far") => Some((*at, *mtu)),
        _ => None,
    };
    events.filter_map(mtu).collect()
}

/// A router whose far side takes `mtu`, on links that take `link_mtu`.
fn narrow(family: u8, link_mtu: u16, mtu: usize) -> (World, UnderlayTable) {
    let (mut world, [table, _]) = routed(family, None, link_mtu);
    world.routers[0].mtu = mtu;
    (world, table)
}

/// Gives the link of each host another MTU, and the path between them one of 4000.
fn widen(world: &mut World, tables: &mut [UnderlayTable; 2]) {
    world.routers[0].mtu = 4000;
    for (host, table) in tables.iter_mut().enumerate().rev() {
        table.links[0].mtu = 9000;
        world.configure(host, table);
    }
}

fn state(world: &World) -> (u16, PathMtuState) {
    let view = world.view(0).path_mtu;
    (view.mtu, view.state)
}

#[test]
fn a_path_that_takes_what_its_link_takes_is_checked_every_ten_seconds() {
    for family in [4, 6] {
        let (mut world, _) = narrow(family, 1500, 1500);
        world.run(2 * S);
        assert_eq!(state(&world), (1500, PathMtuState::Confirmed));
        world.run(1000 * S);
        assert_eq!(mtus(&world), []);
        let pings = pings(&world);
        assert!(pings.iter().all(|(_, octets)| *octets == 1500));
        assert!((92..=112).contains(&pings.len()), "{}", pings.len());
    }
}

#[test]
fn a_black_hole_is_found_to_the_octet_by_binary_search() {
    for (family, link_mtu, mtu) in [
        (4, 1500, 1400),
        (4, 1500, 1499),
        (4, 1500, 577),
        (4, 1500, 600),
        (4, 9000, 1500),
        (4, 9000, 8999),
        (6, 1500, 1420),
        (6, 1500, 1281),
        (6, 9000, 1500),
    ] {
        let (mut world, _) = narrow(family, link_mtu, mtu);
        let took = world.until(30 * S, |world| !mtus(world).is_empty());
        assert_eq!(usize::from(mtus(&world)[0].1), mtu, "{family} {link_mtu}");
        // The first loss is noticed after a second each time, the others after 200 ms.
        assert!(took < 13 * S, "{took:?}");
        let mut sizes: Vec<_> = pings(&world).iter().map(|(_, octets)| *octets).collect();
        assert!(sizes.len() <= 3 * 14, "{sizes:?}");
        sizes.dedup();
        // One for the link's MTU, those that halve what is between, and the last once more.
        let span = usize::from(link_mtu) - if family == 4 { 576 } else { 1280 };
        let halvings = usize::try_from(span.ilog2()).unwrap() + 1;
        assert!(sizes.len() <= 2 + halvings, "{sizes:?}");
        assert_eq!(state(&world), (u16::try_from(mtu).unwrap(), PathMtuState::Confirmed));
        world.run(100 * S);
        assert_eq!(mtus(&world).len(), 1, "it stays");
    }
}

#[test]
fn every_size_is_found() {
    // Cheap enough to try all that differ in a way that could matter.
    for mtu in (576..1500).step_by(7).chain([577, 1279, 1280, 1498]) {
        let (mut world, _) = narrow(4, 1500, mtu);
        world.until(30 * S, |world| !mtus(world).is_empty());
        assert_eq!(usize::from(mtus(&world)[0].1), mtu);
    }
}

#[test]
fn a_router_that_says_what_fits_saves_the_search() {
    for family in [4, 6] {
        let (mut world, _) = narrow(family, 9000, 1400);
        world.routers[0].explains = true;
        world.until(2 * S, |world| !pings(world).is_empty());
        let took = world.until(S, |world| state(world) == (1400, PathMtuState::Confirmed));
        assert!(took <= 4 * world.delay + MS, "{took:?}");
        world.run(S);
        assert_eq!(mtus(&world).len(), 1);
        let sizes: Vec<_> = pings(&world).iter().map(|(_, octets)| *octets).collect();
        assert_eq!(sizes, [9000, 1400]);
    }
}

#[test]
fn a_path_that_becomes_wider_is_noticed_after_ten_minutes_and_one_that_does_not_costs_six_pings() {
    let (mut world, _) = narrow(4, 1500, 1400);
    world.until(30 * S, |world| !mtus(world).is_empty());
    world.clear();
    world.run(630 * S);
    assert_eq!(mtus(&world), []);
    let larger = pings(&world).into_iter().filter(|(_, octets)| *octets > 1400);
    let sizes: Vec<_> = larger.map(|(_, octets)| octets).collect();
    assert_eq!(sizes, [1500, 1500, 1500, 1401, 1401, 1401]);
    // Now something in between, then all of it.
    world.routers[0].mtu = 1450;
    world.clear();
    world.run(630 * S);
    assert_eq!(mtus(&world).len(), 1);
    assert_eq!(mtus(&world)[0].1, 1450);
    world.routers[0].mtu = 1500;
    world.clear();
    world.run(630 * S);
    assert_eq!(mtus(&world).len(), 1);
    assert_eq!(mtus(&world)[0].1, 1500);
}

#[test]
fn a_larger_mtu_of_the_link_is_tried_at_once() {
    // Nothing was found to be in the way.
    let (mut world, mut tables) = routed(4, None, 1500);
    world.run(5 * S);
    widen(&mut world, &mut tables);
    world.until(15 * S, |world| mtus(world).last().is_some_and(|(_, mtu)| *mtu == 4000));
    // Something was.
    let (mut world, mut tables) = routed(4, None, 1500);
    world.routers[0].mtu = 1400;
    world.until(15 * S, |world| !mtus(world).is_empty());
    widen(&mut world, &mut tables);
    world.until(15 * S, |world| mtus(world).last().is_some_and(|(_, mtu)| *mtu == 4000));
    // A smaller one holds without a ping.
    tables[0].links[0].mtu = 1000;
    world.clear();
    world.configure(0, &tables[0]);
    assert_eq!(mtus(&world), [(world.now, 1000)]);
}

#[test]
fn a_path_that_becomes_narrow_is_noticed_within_fifteen_seconds() {
    let (mut world, _) = narrow(4, 1500, 1500);
    world.run(20 * S);
    world.routers[0].mtu = 1300;
    let took = world.until(30 * S, |world| !mtus(world).is_empty());
    assert_eq!(mtus(&world)[0].1, 1300);
    assert!(took < 19 * S, "{took:?}");
    // What is lost while it lasts is a few pings, and short ones only after the first loss.
    let sent = world.hosts[0].sent.iter();
    let short = sent.filter(|(_, _, frame)| ping(frame) == Some(64)).count();
    assert!(short > 0 && short < pings(&world).len(), "{short}");
}

#[test]
fn a_peer_that_answers_no_pings_is_left_at_the_links_mtu() {
    let (mut world, _) = narrow(4, 1500, 1500);
    world.passes = Box::new(|passing| ping(passing.frame).is_none());
    world.run(600 * S);
    assert_eq!(mtus(&world), []);
    assert_eq!(state(&world), (1500, PathMtuState::Unknown));
}

#[test]
fn a_peer_that_dies_during_the_search_leaves_things_as_they_were() {
    let (mut world, _) = narrow(4, 1500, 1400);
    world.until(15 * S, |world| state(world).1 == PathMtuState::Searching);
    world.hosts[1].is_running = false;
    world.run(60 * S);
    assert_eq!(mtus(&world), []);
    assert_eq!(state(&world), (1500, PathMtuState::Unknown));
    world.hosts[1].is_running = true;
    world.until(30 * S, |world| !mtus(world).is_empty());
    assert_eq!(mtus(&world)[0].1, 1400);
}

#[test]
fn single_losses_change_nothing() {
    let (mut world, _) = narrow(4, 1500, 1500);
    let mut count = 0;
    // Of three in a row one arrives.
    world.passes = Box::new(move |passing| {
        let is_ping = passing.to == 1 && ping(passing.frame).is_some_and(|octets| octets > 64);
        count += i32::from(is_ping);
        !is_ping || count % 3 == 0
    });
    world.run(1000 * S);
    assert_eq!(mtus(&world), []);
    assert_eq!(state(&world), (1500, PathMtuState::Confirmed));
}

#[test]
fn an_answer_of_another_length_or_from_another_is_none() {
    let answers: [fn(&UnderlayTable, u32) -> Vec<u8>; 3] = [
        |table, id| {
            let ends = (table.peers[0].remote, table.peers[0].local);
            icmp::echo(ends, true, id, &[0; 1471]).unwrap()
        },
        |table, id| {
            let ends = ("10.0.1.77".parse().unwrap(), table.peers[0].local);
            icmp::echo(ends, true, id, &[0; 1472]).unwrap()
        },
        |table, id| {
            let ends = (table.peers[0].remote, table.peers[0].local);
            icmp::echo(ends, true, id + 1, &[0; 1472]).unwrap()
        },
    ];
    for answer in answers {
        let (mut world, table) = narrow(4, 1500, 1500);
        world.passes = Box::new(|passing| ping(passing.frame).is_none());
        world.until(2 * S, |world| !pings(world).is_empty());
        let frame =
            &world.hosts[0].sent.iter().find(|(_, _, frame)| ping(frame).is_some()).unwrap().2;
        let packet = Packet::parse(0x0800, &frame[14..]).unwrap().unwrap();
        let Some(Message::EchoRequest { id, .. }) = Message::parse(&packet) else { panic!() };
        let packet = answer(&table, id);
        let frame = ethernet::build(table.links[0].mac, router_mac(0), &[], 0x0800, &packet);
        world.inject(0, 0, &frame);
        assert_eq!(state(&world), (1500, PathMtuState::Unknown));
    }
}

#[test]
fn ten_minutes_pass_before_something_larger_is_tried_whenever_the_size_was_found() {
    let (mut world, _) = narrow(4, 1500, 1500);
    world.run(500 * S);
    world.routers[0].mtu = 1400;
    world.until(30 * S, |world| !mtus(world).is_empty());
    world.clear();
    world.run(599 * S);
    assert!(pings(&world).iter().all(|(_, octets)| *octets == 1400));
    world.run(20 * S);
    assert!(pings(&world).iter().any(|(_, octets)| *octets == 1500));
}

#[test]
fn losses_by_chance_cost_a_search_that_ends_where_it_began() {
    // So many long pings are lost in a row, and the short ones are not.
    for lost in [3, 4, 6, 9, 14] {
        let (mut world, _) = narrow(4, 1500, 1500);
        world.run(2 * S);
        let mut left = lost;
        world.passes = Box::new(move |passing| {
            let is_long = passing.to == 1 && ping(passing.frame).is_some_and(|octets| octets > 64);
            let is_lost = is_long && left > 0;
            left -= i32::from(is_lost);
            !is_lost
        });
        world.until(20 * S, |world| state(world).1 == PathMtuState::Searching);
        world.until(30 * S, |world| state(world).1 != PathMtuState::Searching);
        assert_eq!(state(&world), (1500, PathMtuState::Confirmed), "{lost}");
        assert_eq!(mtus(&world), []);
    }
}

/// What a router, or somebody who pretends to be one, says to host 0 about a packet.
fn complain(world: &mut World, table: &UnderlayTable, packet: &[u8], mtu: u16) {
    let ether_type = if packet[0] >> 4 == 4 { 0x0800 } else { 0x86dd };
    let (ours, theirs) = (table.links[0].mac, router_mac(0));
    let frame = ethernet::build(theirs, ours, &[], ether_type, packet);
    let complaint = icmp::too_big(&frame, mtu).unwrap();
    world.inject(0, 0, &complaint);
}

/// A VXLAN packet of host 0 to its peer, of so many octets.
fn traffic(table: &UnderlayTable, port: u16, octets: usize) -> Vec<u8> {
    let ends = (table.peers[0].local, table.peers[0].remote);
    let datagram = Datagram::build(ends, (50_000, port), &vec![0; octets - 28], true).unwrap();
    Header::new(ends.0, ends.1, 17, 64).packet(&datagram).unwrap()
}

#[test]
fn what_a_router_says_about_traffic_is_a_reason_to_ping_and_no_more() {
    let (mut world, table) = narrow(4, 1500, 1500);
    world.run(3 * S);
    world.clear();
    let packet = traffic(&table, 4789, 1500);
    for _ in 0..100 {
        complain(&mut world, &table, &packet, 1300);
        world.run(10 * MS);
    }
    assert_eq!(mtus(&world), []);
    assert_eq!(state(&world), (1500, PathMtuState::Confirmed));
    assert_eq!(pings(&world).len(), 1, "at most one check a second");
    // If it is true, the ping is answered alike.
    world.routers[0].mtu = 1300;
    world.routers[0].explains = true;
    world.run(S);
    complain(&mut world, &table, &packet, 1300);
    world.run(5 * MS);
    assert_eq!(mtus(&world).iter().map(|(_, mtu)| *mtu).collect::<Vec<_>>(), [1300]);
}

#[test]
fn what_quotes_a_packet_that_we_do_not_send_is_not_even_a_reason_to_ping() {
    let (mut world, table) = narrow(4, 1500, 1500);
    world.run(3 * S);
    world.clear();
    let mut stranger = table.clone();
    stranger.peers[0].remote = "10.0.1.77".parse().unwrap();
    let mut spoofed = table.clone();
    spoofed.peers[0].local = "10.0.0.77".parse().unwrap();
    let good = traffic(&table, 4789, 1500);
    let guessed = {
        let ends = (table.peers[0].local, table.peers[0].remote);
        icmp::echo(ends, false, 0x1234_5678, &[0; 1472]).unwrap()
    };
    for (packet, mtu) in [
        (traffic(&stranger, 4789, 1500), 1300),
        (traffic(&table, 4788, 1500), 1300),
        // It would have passed, and: longer than the link takes.
        (traffic(&table, 4789, 1300), 1300),
        (traffic(&table, 4789, 1501), 1300),
        (guessed, 1300),
    ] {
        complain(&mut world, &table, &packet, mtu);
    }
    // About a packet from somebody else, to us.
    let frame = ethernet::build(router_mac(0), table.links[0].mac, &[], 0x0800, &good);
    let mut complaint = icmp::too_big(&frame, 1300).unwrap();
    let message = &mut complaint[34..];
    message[8 + 12] ^= 1;
    message[2..4].fill(0);
    let sum = checksum::internet(message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    world.inject(0, 0, &complaint);
    world.run(5 * S);
    assert_eq!(pings(&world), []);
    assert_eq!(mtus(&world), []);
}

#[test]
fn a_router_that_says_nonsense_about_a_ping_starts_the_search() {
    for said in [0, 67, 575, 1500, 1501] {
        let (mut world, table) = narrow(4, 1500, 1400);
        world.until(2 * S, |world| !pings(world).is_empty());
        let frame =
            &world.hosts[0].sent.iter().find(|(_, _, frame)| ping(frame).is_some()).unwrap().2;
        let packet = frame[14..].to_vec();
        complain(&mut world, &table, &packet, said);
        let took = world.until(30 * S, |world| !mtus(world).is_empty());
        assert_eq!(mtus(&world)[0].1, 1400, "{said}");
        assert!(took < 15 * S, "{took:?}");
    }
}

#[test]
fn no_path_is_believed_to_take_less_than_576_octets_or_1280_over_ipv6() {
    for (family, mtu, least) in [(4, 575, 576), (4, 68, 576), (6, 1279, 1280), (6, 1200, 1280)] {
        for explains in [false, true] {
            let (mut world, _) = narrow(family, 1500, mtu);
            world.routers[0].explains = explains;
            world.run(60 * S);
            assert_eq!(mtus(&world).iter().map(|(_, mtu)| *mtu).collect::<Vec<_>>(), [least]);
        }
    }
}

#[test]
fn what_is_measured_to_a_foreign_endpoint_is_shown_and_changes_nothing() {
    for explains in [false, true] {
        let (mut world, mut table) = narrow(4, 1500, 1400);
        world.routers[0].explains = explains;
        table.peers[0].is_host = false;
        world.configure(0, &table);
        world.run(60 * S);
        assert_eq!(state(&world), (1400, PathMtuState::Confirmed));
        assert_eq!(mtus(&world), []);
        // Nor does another MTU of the link, which its tables tell, or its end.
        table.links[0].mtu = 1600;
        world.configure(0, &table);
        world.run(60 * S);
        assert_eq!(state(&world).0, 1400);
        table.peers.clear();
        world.configure(0, &table);
        assert_eq!(mtus(&world), []);
    }
}

#[test]
fn a_host_that_becomes_a_foreign_endpoint_loses_its_restriction() {
    let (mut world, mut table) = narrow(4, 1500, 1400);
    world.until(30 * S, |world| !mtus(world).is_empty());
    world.clear();
    table.peers[0].is_host = false;
    world.configure(0, &table);
    assert_eq!(mtus(&world), [(world.now, 1500)]);
    world.run(60 * S);
    assert_eq!(mtus(&world).len(), 1);
    table.peers[0].is_host = true;
    world.configure(0, &table);
    world.run(60 * S);
    assert_eq!(mtus(&world).last().map(|(_, mtu)| *mtu), Some(1400));
}

#[test]
fn of_several_paths_the_narrowest_counts() {
    let via = [(0, "10.0.0.254"), (1, "10.1.0.254")];
    let far = |me: u8| {
        let (local, remote) =
            if me == 1 { ("10.9.0.1", "10.9.0.2") } else { ("10.9.0.2", "10.9.0.1") };
        let host = peer("far", local, remote, &via);
        let net = |segment: u8| format!("10.{segment}.0.{me}/24");
        table(me, vec![link(0, &[&net(0)]), link(1, &[&net(1)])], vec![host])
    };
    let mut world = World::new();
    for (segment, next_hop) in [(0, "10.0.0.254"), (1, "10.1.0.254")] {
        world.routers.push(crate::underlay_world::Router {
            addresses: vec![(segment, next_hop.parse().unwrap())],
            // Host 2 is on the same two segments.
            stations: [
                ("10.9.0.2".parse().unwrap(), (segment, far(2).links[segment].mac)),
                ("10.9.0.1".parse().unwrap(), (segment, far(1).links[segment].mac)),
            ]
            .into(),
            mtu: 1500 - 100 * segment,
            explains: false,
        });
    }
    world.host(&far(1), &[0, 1]);
    world.host(&far(2), &[0, 1]);
    world.until(30 * S, |world| !mtus(world).is_empty());
    assert_eq!(mtus(&world)[0].1, 1400);
    // Without the narrow one nothing is in the way.
    let mut table = far(1);
    table.peers[0].paths.pop();
    world.clear();
    world.configure(0, &table);
    assert_eq!(mtus(&world), [(world.now, 1500)]);
}

#[test]
fn a_peer_that_goes_takes_its_restriction_along() {
    let (mut world, mut table) = narrow(4, 1500, 1400);
    world.until(30 * S, |world| !mtus(world).is_empty());
    world.clear();
    table.peers.clear();
    world.configure(0, &table);
    assert_eq!(mtus(&world), [(world.now, 1500)]);
}
