//! Our own addresses on a link: answers, announcements, conflicts, and links of the kernel.

use std::net::IpAddr;

use bridge_model::types::{InterfaceId, MacAddr, UnderlayId};
use bridge_model::underlay::{Action, NeighborState};
use bridge_model::wire::ethernet::Header;
use bridge_model::wire::neighbor::{Arp, Discovery, multicast_mac, solicited_node};

use crate::underlay_neighbor::{BOTH, alone, is_announcement, is_question, times};
use crate::underlay_world::{MS, S, World, arp, discovery, gap, link, mac, pair};

#[test]
fn rfc_4861_section_7_1_messages_that_are_to_be_discarded_are() {
    let (mut world, table, next_hop) = alone(6);
    let (IpAddr::V6(us), IpAddr::V6(them)) = (table.peers[0].local, next_hop) else { panic!() };
    let all = "ff02::1".parse().unwrap();
    let good = Discovery {
        is_advertisement: true,
        source: them,
        destination: us,
        target: them,
        flags: 0x60,
        link_address: Some(mac(0x20)),
    };
    let solicited_by_all = Discovery { destination: all, ..good };
    let group_mac = Discovery { link_address: Some(MacAddr::BROADCAST), ..good };
    for message in [solicited_by_all, group_mac] {
        world.inject(0, 0, &message.frame(mac(0x10), mac(0x20)));
        assert_eq!(world.neighbor(0).mac, None, "{message:?}");
    }
    let mut routed = good.frame(mac(0x10), mac(0x20));
    routed[21] = 254;
    world.inject(0, 0, &routed);
    assert_eq!(world.neighbor(0).mac, None, "through a router");
    world.inject(0, 0, &good.frame(mac(0x10), mac(0x20)));
    assert_eq!(world.neighbor(0).mac, Some(mac(0x20)));
    // Detection of a duplicate has to come without a MAC and to the group of the address.
    let probe = Discovery {
        is_advertisement: false,
        source: "::".parse().unwrap(),
        destination: solicited_node(us),
        target: us,
        flags: 0,
        link_address: None,
    };
    let with_mac = Discovery { link_address: Some(mac(0x44)), ..probe };
    let direct = Discovery { destination: us, ..probe };
    for (message, answers) in [(probe, 1), (with_mac, 0), (direct, 0)] {
        let frame = message.frame(mac(0x10), mac(0x44));
        let sent = world.answers(0, |world| world.inject(0, 0, &frame));
        assert_eq!(sent.len(), answers, "{message:?}");
        for frame in sent {
            let answer = discovery(&frame).unwrap();
            assert_eq!((answer.destination, answer.flags), (all, Discovery::OVERRIDE));
            assert_eq!(Header::parse(&frame).unwrap().destination, multicast_mac(all));
        }
    }
}

#[test]
fn questions_for_our_addresses_on_the_link_are_answered_and_no_others() {
    let (mut world, table, _) = alone(4);
    let ask = |target: &str, sender: &str| {
        let arp = Arp {
            operation: 1,
            sender_mac: mac(0x44),
            sender: sender.parse().unwrap(),
            target_mac: MacAddr::ZERO,
            target: target.parse().unwrap(),
        };
        arp.frame(MacAddr::BROADCAST, mac(0x44))
    };
    // A probe (RFC 5227) has no sender yet, and is answered too.
    for sender in ["192.0.2.77", "0.0.0.0"] {
        let sent = world.answers(0, |world| world.inject(0, 0, &ask("192.0.2.1", sender)));
        let answer = arp(&sent[0]).unwrap();
        assert_eq!(Header::parse(&sent[0]).unwrap().destination, mac(0x44));
        assert_eq!((answer.operation, answer.sender_mac), (2, table.links[0].mac));
        assert_eq!((answer.sender, answer.target_mac), ("192.0.2.1".parse().unwrap(), mac(0x44)));
    }
    let sent = world.answers(0, |world| world.inject(0, 0, &ask("192.0.2.9", "192.0.2.77")));
    assert_eq!(sent, [] as [Vec<u8>; 0]);
}

#[test]
fn addresses_are_announced_when_they_or_their_link_are_new_and_not_again() {
    for (family, count, interval) in [(4, 2, 2 * S), (6, 3, S)] {
        let (mut world, mut table, _) = alone(family);
        world.run(20 * S);
        let times = |world: &World| times(world, is_announcement);
        assert_eq!(times(&world).len(), count);
        assert_eq!(gap(times(&world)[0], times(&world)[1]), interval);
        world.clear();
        // A table with another number for the link is no news.
        let own = table.links.clone();
        table.links.insert(0, link(7, &["203.0.113.1/24"]));
        table.peers[0].paths[0].link = UnderlayId(1);
        world.configure_links(0, &table, &[false, true]);
        table.links = own;
        table.peers[0].paths[0].link = UnderlayId(0);
        world.configure(0, &table);
        world.run(20 * S);
        assert_eq!(times(&world), []);
        world.configure_links(0, &table, &[false]);
        world.run(20 * S);
        assert_eq!(times(&world), []);
        world.configure(0, &table);
        world.run(20 * S);
        assert_eq!(times(&world).len(), count);
        // Another card, and a link that was the kernel's, are news.
        table.links[0].mac = mac(0x1f);
        world.configure(0, &table);
        world.run(20 * S);
        assert_eq!(times(&world).len(), 2 * count);
        table.links[0].kernel = Some(InterfaceId(9));
        world.configure(0, &table);
        table.links[0].kernel = None;
        world.configure(0, &table);
        world.run(20 * S);
        assert_eq!(times(&world).len(), 3 * count);
    }
}

#[test]
fn a_conflict_is_reported_and_our_address_defended_at_most_every_ten_seconds() {
    for family in BOTH {
        let (mut world, table, _) = alone(family);
        world.run(20 * S);
        world.clear();
        let us = table.peers[0].local;
        let claim = match us {
            IpAddr::V4(us) => Arp {
                operation: 1,
                sender_mac: mac(0x66),
                sender: us,
                target_mac: MacAddr::ZERO,
                target: us,
            }
            .frame(MacAddr::BROADCAST, mac(0x66)),
            IpAddr::V6(us) => Discovery {
                is_advertisement: true,
                source: us,
                destination: "ff02::1".parse().unwrap(),
                target: us,
                flags: 0x20,
                link_address: Some(mac(0x66)),
            }
            .frame(multicast_mac("ff02::1".parse().unwrap()), mac(0x66)),
        };
        let conflict = Action::Conflict { link: UnderlayId(0), address: us, mac: mac(0x66) };
        for step in 0..100 {
            world.inject(0, 0, &claim);
            world.run(200 * MS);
            let expected = 1 + step * 200 / 10_000;
            assert_eq!(world.events(0), vec![conflict.clone(); expected], "{family} {step}");
            assert_eq!(times(&world, is_announcement).len(), expected);
        }
    }
}

#[test]
fn on_a_link_of_the_kernel_we_only_ask() {
    for family in BOTH {
        let [mut a, b] = pair(family, None);
        a.links[0].kernel = Some(InterfaceId(9));
        let mut world = World::new();
        world.host(&a, &[0]);
        world.host(&b, &[0]);
        world.run(10 * S);
        assert_eq!(world.state(0), NeighborState::Reachable);
        let sent = &world.hosts[0].sent;
        let others = sent.iter().filter(|(_, _, frame)| {
            let is_arp = frame[12..14] == [8, 6];
            (is_arp || discovery(frame).is_some()) && !is_question(frame)
        });
        assert_eq!(others.count(), 0);
        // Host 2 asks, and nobody answers: here that would be the kernel's business.
        assert!(world.hosts[1].sent.iter().any(|(_, _, frame)| is_question(frame)));
    }
}
