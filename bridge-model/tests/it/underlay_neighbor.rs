//! Next hops: RFC 826, RFC 5227, RFC 4861.

use std::net::IpAddr;
use std::time::Duration;

use bridge_model::compile::UnderlayTable;
use bridge_model::types::{MacAddr, UnderlayId};
use bridge_model::underlay::{Action, NeighborState};
use bridge_model::wire::ethernet::{self, Header};
use bridge_model::wire::icmp;
use bridge_model::wire::neighbor::{Arp, Discovery, multicast_mac, solicited_node};

use crate::underlay_world::{
    MS, S, World, arp, discovery, gap, ip, link, mac, pair, peer, solicitation, table,
};

pub(crate) const BOTH: [u8; 2] = [4, 6];

/// Whether a frame asks for an address other than its sender's.
pub(crate) fn is_question(frame: &[u8]) -> bool {
    arp(frame).is_some_and(|arp| arp.operation == 1 && arp.sender != arp.target)
        || solicitation(frame).is_some()
}

pub(crate) fn is_announcement(frame: &[u8]) -> bool {
    arp(frame).is_some_and(|arp| arp.sender == arp.target)
        || discovery(frame)
            .is_some_and(|message| message.is_advertisement && message.flags == Discovery::OVERRIDE)
}

/// When host 0 sent frames for which `wanted` holds.
pub(crate) fn times(world: &World, wanted: fn(&[u8]) -> bool) -> Vec<Duration> {
    let sent = world.hosts[0].sent.iter().filter(|(_, _, frame)| wanted(frame));
    sent.map(|(at, _, _)| *at).collect()
}

fn resolved(to: MacAddr, next_hop: IpAddr) -> Action {
    Action::Resolved { link: UnderlayId(0), next_hop, mac: to }
}

fn unresolved(next_hop: IpAddr) -> Action {
    Action::Unresolved { link: UnderlayId(0), next_hop }
}

/// Host 1 alone, with host 2's address as its next hop.
pub(crate) fn alone(family: u8) -> (World, UnderlayTable, IpAddr) {
    let [table, _] = pair(family, None);
    let mut world = World::new();
    world.host(&table, &[0, 0]);
    let next_hop = table.peers[0].remote;
    (world, table, next_hop)
}

/// What a station at `from` with the next hop's address says.
enum Says {
    Reply,
    Announcement,
    /// A solicitation for host 1, with its MAC.
    Question,
    /// An advertisement with these flags, to host 1 or to everybody.
    Advertisement {
        flags: u8,
        mac: Option<MacAddr>,
    },
}

fn say(world: &mut World, table: &UnderlayTable, from: MacAddr, says: &Says) {
    let (us, us_mac) = (table.peers[0].local, table.links[0].mac);
    let frame = match (us, table.peers[0].remote) {
        (IpAddr::V4(us), IpAddr::V4(sender)) => {
            let (operation, target_mac, target, to) = match says {
                Says::Announcement => (1, MacAddr::ZERO, sender, MacAddr::BROADCAST),
                Says::Question => (1, MacAddr::ZERO, us, MacAddr::BROADCAST),
                _ => (2, us_mac, us, us_mac),
            };
            Arp { operation, sender_mac: from, sender, target_mac, target }.frame(to, from)
        }
        (IpAddr::V6(us), IpAddr::V6(them)) => {
            let all = "ff02::1".parse().unwrap();
            let (flags, link_address, destination, to) = match says {
                Says::Reply => (0x60, Some(from), us, us_mac),
                Says::Announcement => (0x20, Some(from), all, multicast_mac(all)),
                Says::Question => {
                    let group = solicited_node(us);
                    (0, Some(from), group, multicast_mac(group))
                }
                Says::Advertisement { flags, mac } => (*flags, *mac, us, us_mac),
            };
            let is_question = matches!(says, Says::Question);
            Discovery {
                is_advertisement: !is_question,
                source: them,
                destination,
                target: if is_question { us } else { them },
                flags,
                link_address,
            }
            .frame(to, from)
        }
        _ => unreachable!("one family"),
    };
    world.inject(0, 0, &frame);
}

#[test]
fn a_next_hop_is_asked_for_at_once_and_then_for_ever_but_more_and_more_rarely() {
    for family in BOTH {
        let (mut world, _, _) = alone(family);
        let start = world.now;
        world.run(3600 * S);
        let times = times(&world, is_question);
        assert_eq!(times[0], start);
        let gaps: Vec<_> = times.windows(2).map(|pair| gap(pair[0], pair[1])).collect();
        assert!(gaps[0] >= 75 * MS && gaps[0] <= 100 * MS, "{:?}", gaps[0]);
        // The fourth is the first of a next hop that has failed.
        for (gap, longest) in gaps[3..8].iter().zip([1, 2, 4, 8, 16]) {
            assert!((longest * 750 * MS..=longest * S).contains(gap), "{gaps:?}");
        }
        let late = &gaps[8..];
        assert!(late.iter().all(|gap| (22_500 * MS..=30 * S).contains(gap)), "{gaps:?}");
        // Not in step with others.
        assert!(late.iter().max().unwrap() > &(*late.iter().min().unwrap() + S), "{gaps:?}");
        assert!(times.last().unwrap() > &(start + 3569 * S));
        assert_eq!(world.state(0), NeighborState::Failed);
        // It never was known, so there is nothing to take back.
        assert_eq!(world.events(0), []);
    }
}

#[test]
fn a_next_hop_is_called_failed_after_three_questions_without_answer() {
    let (mut world, _, _) = alone(4);
    world.until(S, |world| times(world, is_question).len() == 3);
    assert_eq!(world.state(0), NeighborState::Incomplete);
    world.until(S, |world| times(world, is_question).len() == 4);
    assert_eq!(world.state(0), NeighborState::Failed);
}

/// A next hop that has not answered for so long that it is asked for every half minute.
fn given_up(family: u8) -> (World, UnderlayTable) {
    let (mut world, table, _) = alone(family);
    world.run(600 * S);
    world.clear();
    world.until(31 * S, |world| !times(world, is_question).is_empty());
    world.run(2 * S);
    world.clear();
    (world, table)
}

#[test]
fn a_failed_next_hop_that_says_anything_is_used_at_once() {
    for family in BOTH {
        for says in [Says::Announcement, Says::Question, Says::Reply] {
            let (mut world, table) = given_up(family);
            say(&mut world, &table, mac(0x20), &says);
            assert_eq!(world.events(0), [resolved(mac(0x20), table.peers[0].remote)]);
        }
    }
    // Also if it does not tell where it is: then it is asked for.
    let (mut world, table) = given_up(6);
    say(&mut world, &table, mac(0x20), &Says::Advertisement { flags: 0x20, mac: None });
    assert_eq!(times(&world, is_question), [world.now]);
}

#[test]
fn a_packet_from_a_failed_next_hop_or_from_behind_it_makes_us_ask_but_not_as_often_as_it_comes() {
    for via in ["192.0.2.2", "192.0.2.254"] {
        let links = vec![link(0, &["192.0.2.1/24"])];
        let far = peer("far", "192.0.2.1", "192.0.2.2", &[(0, via)]);
        let table = table(1, links, vec![far]);
        let mut world = World::new();
        world.host(&table, &[0]);
        world.run(600 * S);
        world.clear();
        world.until(31 * S, |world| !times(world, is_question).is_empty());
        world.run(2 * S);
        world.clear();
        let ends = (ip("192.0.2.2"), ip("192.0.2.1"));
        let packet = icmp::echo(ends, true, 7, &[0; 8]).unwrap();
        let frame = ethernet::build(mac(0x10), mac(0x20), &[], 0x0800, &packet);
        let start = world.now;
        for _ in 0..100 {
            world.inject(0, 0, &frame);
            world.run(10 * MS);
        }
        world.inject(0, 0, &frame);
        let times = times(&world, is_question);
        assert_eq!((times.len(), times[0]), (2, start), "{via}");
        assert!(gap(start, times[1]) >= 750 * MS, "{times:?}");
        // From somebody else it means nothing.
        world.run(120 * S);
        world.clear();
        let packet = icmp::echo((ip("192.0.2.77"), ends.1), true, 7, &[0; 8]).unwrap();
        let frame = ethernet::build(mac(0x10), mac(0x20), &[], 0x0800, &packet);
        let due = world.hosts[0].machine.due();
        world.inject(0, 0, &frame);
        assert_eq!(world.hosts[0].machine.due(), due);
    }
}

#[test]
fn a_failed_next_hop_is_asked_for_at_once_when_its_link_is_back() {
    let (mut world, table) = given_up(4);
    world.configure_links(0, &table, &[false]);
    world.run(S);
    world.clear();
    world.configure(0, &table);
    world.run(S);
    assert!(times(&world, is_question).len() >= 3);
    assert_eq!(times(&world, is_question)[0], gap(S, world.now));
}

#[test]
fn two_hosts_resolve_each_other_within_a_round_trip() {
    for family in BOTH {
        let [a, b] = pair(family, None);
        let mut world = World::new();
        world.host(&a, &[0]);
        world.host(&b, &[0]);
        world.run(3 * MS);
        assert!(world.events(0).contains(&resolved(mac(0x20), a.peers[0].remote)), "{family}");
        assert!(world.events(1).contains(&resolved(mac(0x10), b.peers[0].remote)), "{family}");
        assert_eq!(world.state(0), NeighborState::Reachable);
        assert_eq!(world.neighbor(0).mac, Some(mac(0x20)));
    }
}

#[test]
fn a_next_hop_that_answers_never_lapses_and_is_only_asked_itself() {
    for family in BOTH {
        let [a, b] = pair(family, None);
        let mut world = World::new();
        world.host(&a, &[0]);
        world.host(&b, &[0]);
        world.run(S);
        world.clear();
        world.run(3600 * S);
        assert_eq!(world.events(0), []);
        let questions: Vec<_> =
            world.hosts[0].sent.iter().filter(|(_, _, frame)| is_question(frame)).collect();
        // A confirmation lasts 15 to 45 s, less the 4 s that probing may take.
        assert!((3600 / 41..=3600 / 11).contains(&questions.len()), "{}", questions.len());
        for (_, _, frame) in questions {
            assert_eq!(Header::parse(frame).unwrap().destination, mac(0x20));
        }
    }
}

#[test]
fn a_next_hop_that_goes_silent_is_given_up_after_four_questions_and_found_when_it_is_back() {
    for family in BOTH {
        let [a, b] = pair(family, None);
        let mut world = World::new();
        world.host(&a, &[0]);
        world.host(&b, &[0]);
        world.run(S);
        world.clear();
        world.hosts[1].is_running = false;
        world.until(45 * S, |world| !world.events(0).is_empty());
        assert_eq!(world.events(0), [unresolved(a.peers[0].remote)]);
        assert_eq!(world.state(0), NeighborState::Failed);
        let asked = times(&world, is_question);
        assert_eq!(asked.len(), 5, "four, and the first of the search");
        assert_eq!(gap(asked[0], asked[4]), 4 * S);
        world.clear();
        world.run(60 * S);
        world.hosts[1].is_running = true;
        world.until(2 * S, |world| !world.events(0).is_empty());
        assert_eq!(world.events(0), [resolved(mac(0x20), a.peers[0].remote)]);
    }
}

#[test]
fn three_lost_questions_are_no_reason_to_give_a_next_hop_up() {
    let [a, b] = pair(4, None);
    let mut world = World::new();
    world.host(&a, &[0]);
    world.host(&b, &[0]);
    world.run(S);
    world.clear();
    // Of each four questions in a row, only the last arrives.
    let mut count = 0;
    world.passes = Box::new(move |passing| {
        let counts = passing.from == Some(0) && is_question(passing.frame);
        count += i32::from(counts);
        !counts || count % 4 == 0
    });
    world.run(600 * S);
    assert_eq!(world.events(0), []);
}

#[test]
fn a_router_that_was_replaced_in_silence_is_found_without_a_gap() {
    for family in BOTH {
        let [a, b] = pair(family, None);
        let mut world = World::new();
        world.host(&a, &[0]);
        let b_host = world.host(&b, &[0]);
        world.run(S);
        world.clear();
        // Another machine takes over the address and does not announce it.
        world.hosts[b_host].is_running = false;
        let mut other = b.clone();
        other.links[0].mac = mac(0x33);
        let other = world.host(&other, &[0]);
        let silent = 10 * S;
        let until = world.now + silent;
        world.passes = Box::new(move |passing| {
            passing.from != Some(other)
                || !is_announcement(passing.frame) && !is_question(passing.frame)
        });
        world.run_to(until);
        world.run(45 * S);
        assert_eq!(world.events(0), [resolved(mac(0x33), a.peers[0].remote)]);
    }
}

#[test]
fn an_announcement_moves_a_next_hop_at_once_and_is_then_checked() {
    for family in BOTH {
        let (mut world, table, next_hop) = alone(family);
        say(&mut world, &table, mac(0x20), &Says::Reply);
        assert_eq!(world.state(0), NeighborState::Reachable);
        world.clear();
        say(&mut world, &table, mac(0x33), &Says::Announcement);
        assert_eq!(world.events(0), [resolved(mac(0x33), next_hop)]);
        assert_eq!(world.state(0), NeighborState::Stale);
        world.clear();
        world.run(4999 * MS);
        assert_eq!(times(&world, is_question), []);
        world.run(MS);
        assert_eq!(times(&world, is_question).len(), 1);
        assert_eq!(world.state(0), NeighborState::Probe);
        say(&mut world, &table, mac(0x33), &Says::Reply);
        assert_eq!(world.state(0), NeighborState::Reachable);
    }
}

#[test]
fn whoever_asks_for_us_is_known_by_that() {
    for family in BOTH {
        let (mut world, table, next_hop) = alone(family);
        say(&mut world, &table, mac(0x20), &Says::Question);
        assert_eq!(world.events(0), [resolved(mac(0x20), next_hop)]);
        assert_eq!(world.state(0), NeighborState::Stale);
        // That confirms nothing: it does not show that our frames arrive.
        say(&mut world, &table, mac(0x20), &Says::Question);
        assert_eq!(world.state(0), NeighborState::Stale);
    }
}

#[test]
fn an_answer_that_nobody_asked_for_confirms_nothing() {
    for family in BOTH {
        let (mut world, table, _) = alone(family);
        say(&mut world, &table, mac(0x20), &Says::Reply);
        world.run(10 * S);
        let since = world.neighbor(0).since;
        // Another MAC in a second answer to one question: taken, but doubted.
        say(&mut world, &table, mac(0x33), &Says::Reply);
        assert_eq!(world.state(0), NeighborState::Stale);
        assert!(world.neighbor(0).since > since);
    }
}

#[test]
fn rfc_4861_section_7_2_5_each_kind_of_advertisement() {
    let old = mac(0x20);
    let new = mac(0x33);
    // Flags, MAC, and what becomes of a reachable neighbour with MAC `old` that is not being asked.
    let cases = [
        (0x00, Some(old), (old, NeighborState::Reachable)),
        (0x00, Some(new), (old, NeighborState::Stale)),
        (0x00, None, (old, NeighborState::Reachable)),
        (0x20, Some(old), (old, NeighborState::Reachable)),
        (0x20, Some(new), (new, NeighborState::Stale)),
        (0x20, None, (old, NeighborState::Reachable)),
        (0x40, Some(new), (old, NeighborState::Stale)),
        (0x60, Some(new), (new, NeighborState::Stale)),
    ];
    for (flags, mac, expected) in cases {
        let (mut world, table, _) = alone(6);
        say(&mut world, &table, old, &Says::Reply);
        say(&mut world, &table, old, &Says::Advertisement { flags, mac });
        let view = world.neighbor(0);
        assert_eq!((view.mac.unwrap(), view.state), expected, "{flags:#x} {mac:?}");
    }
    // The same while it is asked for and unknown.
    let cases = [
        (0x40, None, (None, NeighborState::Incomplete)),
        (0x00, Some(new), (Some(new), NeighborState::Stale)),
        (0x40, Some(new), (Some(new), NeighborState::Reachable)),
    ];
    for (flags, mac, expected) in cases {
        let (mut world, table, _) = alone(6);
        say(&mut world, &table, new, &Says::Advertisement { flags, mac });
        let view = world.neighbor(0);
        assert_eq!((view.mac, view.state), expected, "{flags:#x} {mac:?}");
    }
    // And while it is probed: only an answer ends that.
    let cases = [
        (0x20, Some(old), (old, NeighborState::Probe)),
        (0x40, None, (old, NeighborState::Reachable)),
        (0x60, Some(new), (new, NeighborState::Reachable)),
        (0x40, Some(new), (old, NeighborState::Probe)),
    ];
    for (flags, mac, expected) in cases {
        let (mut world, table, _) = alone(6);
        say(&mut world, &table, old, &Says::Question);
        world.run(5 * S);
        assert_eq!(world.state(0), NeighborState::Probe);
        say(&mut world, &table, old, &Says::Advertisement { flags, mac });
        let view = world.neighbor(0);
        assert_eq!((view.mac.unwrap(), view.state), expected, "{flags:#x} {mac:?}");
    }
}

#[test]
fn whatever_arrives_only_next_hops_are_remembered() {
    let (mut world, _, _) = alone(4);
    world.run(S);
    for number in 0..20_000_u32 {
        let [_, _, high, low] = number.to_be_bytes();
        let from = MacAddr::new([2, 1, 0, 0, high, low]);
        let arp = Arp {
            operation: 1 + u16::from(low & 1),
            sender_mac: from,
            sender: [10, 1, high, low].into(),
            target_mac: MacAddr::ZERO,
            target: [10, 1, low, high].into(),
        };
        let sent = world.answers(0, |world| {
            world.inject(0, 0, &arp.frame(MacAddr::BROADCAST, from));
        });
        assert_eq!(sent, [] as [Vec<u8>; 0]);
    }
    assert_eq!(world.hosts[0].machine.neighbors().count(), 1);
    assert_eq!(world.events(0), []);
}

#[test]
fn a_link_without_carrier_loses_its_neighbours_and_asks_again_when_it_is_back() {
    let [a, b] = pair(4, None);
    let mut world = World::new();
    world.host(&a, &[0]);
    world.host(&b, &[0]);
    world.run(S);
    world.clear();
    world.configure_links(0, &a, &[false]);
    assert_eq!(world.events(0), [unresolved(a.peers[0].remote)]);
    world.run(60 * S);
    assert_eq!(times(&world, is_question), []);
    world.configure(0, &a);
    world.run(3 * MS);
    assert_eq!(world.events(0).last(), Some(&resolved(mac(0x20), a.peers[0].remote)));
}

#[test]
fn neighbours_stay_known_when_links_get_other_numbers() {
    let [a, b] = pair(4, None);
    let mut world = World::new();
    world.host(&a, &[0, 0]);
    world.host(&b, &[0]);
    world.run(S);
    world.clear();
    let mut other = a.clone();
    other.links.insert(0, table(1, vec![link(7, &["203.0.113.1/24"])], vec![]).links.remove(0));
    other.peers[0].paths[0].link = UnderlayId(1);
    world.configure_links(0, &other, &[false, true]);
    let next_hop = a.peers[0].remote;
    let again = Action::Resolved { link: UnderlayId(1), next_hop, mac: mac(0x20) };
    assert_eq!(world.events(0), [again]);
    assert_eq!(times(&world, is_question), []);
    assert_eq!(world.state(0), NeighborState::Reachable);
}

#[test]
fn a_next_hop_that_no_path_uses_any_more_is_forgotten() {
    let [a, b] = pair(4, None);
    let mut world = World::new();
    world.host(&a, &[0]);
    world.host(&b, &[0]);
    world.run(S);
    let mut other = a.clone();
    other.peers[0].paths.clear();
    world.configure(0, &other);
    assert_eq!(world.hosts[0].machine.neighbors().count(), 0);
}

#[test]
fn a_question_comes_from_the_address_in_the_next_hops_prefix() {
    let links = vec![link(0, &["192.0.2.1/24", "198.51.100.1/24"])];
    let far = peer("far", "192.0.2.1", "203.0.113.1", &[(0, "198.51.100.254")]);
    let mut world = World::new();
    world.host(&table(1, links, vec![far]), &[0]);
    let question = &world.hosts[0].sent.iter().find(|(_, _, frame)| is_question(frame)).unwrap().2;
    assert_eq!(ip("198.51.100.1"), IpAddr::from(arp(question).unwrap().sender));
}
