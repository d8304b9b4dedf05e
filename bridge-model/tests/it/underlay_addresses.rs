//! Our own addresses on a link: answers, announcements, conflicts, and links of the kernel.

use std::net::IpAddr;

use bridge_model::types::{InterfaceId, MacAddr, UnderlayId};
use bridge_model::underlay::{Action, NeighborState};
use bridge_model::wire::checksum;
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

/// Whether a frame is a report of MLD.
fn is_report(frame: &[u8]) -> bool {
    frame.get(12..14) == Some(&[0x86, 0xdd]) && frame[20] == 0 && frame[62] == 143
}

#[test]
fn rfc_3810_the_group_of_each_ipv6_address_is_joined() {
    let (world, table, _) = alone(6);
    assert_eq!(table.peers[0].local, "2001:db8::1".parse::<IpAddr>().unwrap());
    let sent: Vec<_> = world.hosts[0].sent.iter().map(|(_, _, frame)| frame).collect();
    // Before the address is announced, so that questions that this causes arrive.
    let at = sent.iter().position(|frame| is_report(frame)).unwrap();
    assert!(at < sent.iter().position(|frame| is_announcement(frame)).unwrap());
    let report = sent[at];
    assert_eq!(report[..14], [0x33, 0x33, 0, 0, 0, 0x16, 2, 0, 0, 0, 0, 0x10, 0x86, 0xdd]);
    // 36 octets behind the header, options first, hop limit 1.
    assert_eq!(report[14..22], [0x60, 0, 0, 0, 0, 36, 0, 1]);
    let address = |text: &str| text.parse::<std::net::Ipv6Addr>().unwrap().octets();
    assert_eq!(report[22..38], address("fe80::ff:fe00:10"));
    assert_eq!(report[38..54], address("ff02::16"));
    assert_eq!(report[54..62], [58, 0, 5, 2, 0, 0, 1, 0], "the router alert");
    assert_eq!(report[62..64], [143, 0]);
    assert_eq!(report[66..74], [0, 0, 0, 1, 4, 0, 0, 0], "one record that excludes nobody");
    assert_eq!(report[74..90], address("ff02::1:ff00:1"));
    assert_eq!(report.len(), 90);
    // The sum over the pseudo header (RFC 8200 section 8.1) and the message.
    let mut summed = report[22..54].to_vec();
    summed.extend([0, 0, 0, 28, 0, 0, 0, 58]);
    summed.extend(&report[62..]);
    assert_eq!(checksum::internet(&summed), 0);
}

#[test]
fn groups_are_joined_again_within_a_minute_and_only_where_we_own_an_ipv6_address() {
    let (mut world, mut table, _) = alone(6);
    let start = world.now;
    world.run(3600 * S);
    let times = |world: &World| times(world, is_report);
    let joined = times(&world);
    assert_eq!(joined[..3], [start, start + S, start + 2 * S]);
    let gaps = joined[2..].windows(2).map(|pair| gap(pair[0], pair[1]));
    assert!(gaps.clone().all(|gap| (48 * S..=60 * S).contains(&gap)), "{:?}", gaps.max());
    assert!(gap(*joined.last().unwrap(), world.now) <= 60 * S);
    // Not without carrier, and not on a link of the kernel.
    world.clear();
    world.configure_links(0, &table, &[false]);
    world.run(300 * S);
    table.links[0].kernel = Some(InterfaceId(9));
    world.configure(0, &table);
    world.run(300 * S);
    assert_eq!(times(&world), []);
    let (mut world, ..) = alone(4);
    world.run(300 * S);
    assert_eq!(times(&world), []);
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
