//! Answers to pings.

use std::net::IpAddr;

use bridge_model::compile::UnderlayTable;
use bridge_model::types::{InterfaceId, MacAddr};
use bridge_model::wire::ethernet::{self, Header};
use bridge_model::wire::icmp::{self, Message};
use bridge_model::wire::ip::Packet;

use crate::underlay_world::{MS, S, World, ip, mac, pair};

fn scene(family: u8) -> (World, UnderlayTable) {
    let [table, _] = pair(family, None);
    let mut world = World::new();
    world.host(&table, &[0]);
    (world, table)
}

fn request(from: IpAddr, to: IpAddr, ours: MacAddr, data: &[u8]) -> Vec<u8> {
    let packet = icmp::echo((from, to), false, 0xabcd_0001, data).unwrap();
    let ether_type = if to.is_ipv4() { 0x0800 } else { 0x86dd };
    ethernet::build(ours, mac(0x44), &[], ether_type, &packet)
}

/// Data that are no zeros.
fn pattern(octets: usize) -> Vec<u8> {
    (1..=251).cycle().take(octets).collect()
}

/// The data of the answers among frames.
fn answers(frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let answer = |frame: &Vec<u8>| {
        let ether_type = u16::from_be_bytes([frame[12], frame[13]]);
        let packet = Packet::parse(ether_type, &frame[14..])?.ok()?;
        match Message::parse(&packet)? {
            Message::EchoReply { id: 0xabcd_0001, data } => Some(data.to_vec()),
            _ => None,
        }
    };
    frames.iter().filter_map(answer).collect()
}

#[test]
fn a_ping_is_answered_to_where_it_came_from_with_its_own_data() {
    for (family, from) in [(4, "192.0.2.77"), (4, "8.8.8.8"), (6, "2001:db8::77"), (6, "fe80::1")] {
        let (mut world, table) = scene(family);
        let to = table.peers[0].local;
        for octets in [0, 1, 56, 1400] {
            let data = pattern(octets);
            let frame = request(ip(from), to, table.links[0].mac, &data);
            let sent = world.answers(0, |world| world.inject(0, 0, &frame));
            assert_eq!(answers(&sent), [data]);
            assert_eq!(Header::parse(&sent[0]).unwrap().destination, mac(0x44));
        }
    }
}

#[test]
fn what_nobody_should_answer_is_not() {
    let (mut world, table) = scene(4);
    let (us, ours) = (table.peers[0].local, table.links[0].mac);
    let far = ip("192.0.2.77");
    let mut bent = request(far, us, ours, b"hello");
    *bent.last_mut().unwrap() ^= 1;
    for frame in [
        request(far, ip("192.0.2.9"), ours, b"hello"),
        request(ip("0.0.0.0"), us, ours, b"hello"),
        request(ip("224.0.0.1"), us, ours, b"hello"),
        request(ip("255.255.255.255"), us, ours, b"hello"),
        request(far, us, mac(0x99), b"hello"),
        bent,
    ] {
        let sent = world.answers(0, |world| world.inject(0, 0, &frame));
        assert!(sent.is_empty());
    }
    let mut kernel = table.clone();
    kernel.links[0].kernel = Some(InterfaceId(9));
    world.configure(0, &kernel);
    let frame = request(far, us, ours, b"hello");
    let sent = world.answers(0, |world| world.inject(0, 0, &frame));
    assert!(answers(&sent).is_empty(), "the kernel answers");
}

#[test]
fn a_thousand_pings_a_second_are_answered_and_not_more() {
    let (mut world, table) = scene(4);
    let frame = request(ip("192.0.2.77"), table.peers[0].local, table.links[0].mac, b"hello");
    let flood = |world: &mut World, per_ms: usize, ms: usize| {
        let sent = world.answers(0, |world| {
            for _ in 0..ms {
                for _ in 0..per_ms {
                    world.inject(0, 0, &frame);
                }
                world.run(MS);
            }
        });
        answers(&sent).len()
    };
    let at_rate = flood(&mut world, 1, 5000);
    assert_eq!(at_rate, 5000);
    world.run(S);
    let above = flood(&mut world, 10, 5000);
    assert!((5000..=5100).contains(&above), "{above}");
}

#[test]
fn nobody_else_can_keep_a_peers_ping_from_being_answered() {
    let (mut world, table) = scene(4);
    let (us, ours) = (table.peers[0].local, table.links[0].mac);
    let flood = request(ip("192.0.2.77"), us, ours, b"hello");
    for _ in 0..10_000 {
        world.inject(0, 0, &flood);
    }
    let sent = world.answers(0, |world| world.inject(0, 0, &flood));
    assert!(sent.is_empty());
    let frame = request(table.peers[0].remote, us, ours, b"hello");
    let sent = world.answers(0, |world| world.inject(0, 0, &frame));
    assert_eq!(answers(&sent), [b"hello"]);
}

#[test]
fn a_jumbo_ping_that_was_cut_on_its_way_here_is_answered_in_full_if_the_rest_is_zero() {
    for family in [4, 6] {
        let (mut world, mut table) = scene(family);
        table.links[0].mtu = 9000;
        world.configure(0, &table);
        let (us, far) = (table.peers[0].local, table.peers[0].remote);
        let zeros = vec![0; 8952];
        let frame = request(far, us, table.links[0].mac, &zeros);
        let sent = world.answers(0, |world| world.inject(0, 0, &frame[..1600]));
        assert_eq!(answers(&sent), std::slice::from_ref(&zeros));
        // What was there is not known, so nothing is made up.
        let pattern = pattern(8952);
        let frame = request(far, us, table.links[0].mac, &pattern);
        let sent = world.answers(0, |world| world.inject(0, 0, &frame[..1600]));
        assert!(answers(&sent).is_empty());
        // In full, it is.
        let sent = world.answers(0, |world| world.inject(0, 0, &frame));
        assert_eq!(answers(&sent), [pattern]);
        // Nothing is sent that is longer than the link takes.
        let huge = request(far, us, table.links[0].mac, &vec![0; 20_000]);
        for frame in [&huge[..1600], &huge] {
            let sent = world.answers(0, |world| world.inject(0, 0, frame));
            assert!(sent.is_empty());
        }
        // And a short one that says it is long is broken, not cut.
        let frame = request(far, us, table.links[0].mac, &zeros);
        let sent = world.answers(0, |world| world.inject(0, 0, &frame[..600]));
        assert!(sent.is_empty());
    }
}
