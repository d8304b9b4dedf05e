//! BFD with two machines and a lossy link between them. What a single machine does with single packets
//! is in `underlay_bfd_packets`.

use std::time::Duration;

use bridge_model::compile::UnderlayTable;
use bridge_model::underlay::{Action, BfdView, Hops};
use bridge_model::wire::bfd::{Control, Diagnostic, State};
use bridge_model::wire::ip::{Datagram, Packet};
use proptest::prelude::*;

use crate::underlay_world::{MS, S, World, before, gap, link, pair, peer, routed, table, watched};
use crate::world::name;

/// The control packet in a frame.
pub(crate) fn control(frame: &[u8]) -> Option<Control> {
    let ether_type = u16::from_be_bytes([frame[12], frame[13]]);
    let packet = Packet::parse(ether_type, &frame[14..])?.ok()?;
    let datagram = Datagram::parse(packet.payload).filter(|_| packet.protocol == 17)?;
    matches!(datagram.destination, 3784 | 4784).then(|| Control::parse(datagram.payload)).flatten()
}

/// The packets that a host sent, with their times.
pub(crate) fn controls(world: &World, host: usize) -> Vec<(Duration, Control)> {
    let sent = world.hosts[host].sent.iter();
    sent.filter_map(|(at, _, frame)| Some((*at, control(frame)?))).collect()
}

pub(crate) fn bfd(world: &World, host: usize) -> BfdView {
    world.view(host).bfd.unwrap()
}

fn is_up(world: &World, host: usize) -> bool {
    bfd(world, host).state == State::Up
}

fn both_up(world: &World) -> bool {
    is_up(world, 0) && is_up(world, 1)
}

fn up(host: u8) -> Action {
    Action::PeerUp { name: name(&format!("host-{host}")) }
}

fn down(host: u8, diagnostic: Diagnostic) -> Action {
    Action::PeerDown { name: name(&format!("host-{host}")), diagnostic }
}

/// Ups and downs of a host's peer.
fn changes(world: &World, host: usize) -> Vec<Action> {
    let wanted =
        |action: &Action| matches!(action, Action::PeerUp { .. } | Action::PeerDown { .. });
    world.events(host).into_iter().filter(wanted).collect()
}

/// Two hosts whose session is up.
fn established(family: u8, timers: (u64, u8)) -> (World, [UnderlayTable; 2]) {
    let tables = pair(family, Some(timers));
    let mut world = World::new();
    world.host(&tables[0], &[0]);
    world.host(&tables[1], &[0]);
    world.until(2 * S, both_up);
    world.run(5 * S);
    world.clear();
    (world, tables)
}

fn gaps(world: &World, host: usize) -> Vec<Duration> {
    // Answers to a poll come when they are asked for.
    let sent = controls(world, host).into_iter().filter(|(_, control)| !control.is_final);
    let times: Vec<_> = sent.map(|(at, _)| at).collect();
    times.windows(2).map(|pair| gap(pair[0], pair[1])).collect()
}

#[test]
fn a_session_is_up_as_soon_as_both_have_sent_their_first_packet() {
    for family in [4, 6] {
        let tables = pair(family, Some((100, 3)));
        let mut world = World::new();
        world.host(&tables[0], &[0]);
        world.host(&tables[1], &[0]);
        let took = world.until(S, both_up);
        // The first packets are spread over 100 ms; each change of state is told at once.
        assert!(took <= 106 * MS, "{took:?}");
        assert_eq!(changes(&world, 0), [up(2)]);
        assert_eq!(changes(&world, 1), [up(1)]);
        assert_eq!(bfd(&world, 0).hops, Hops::Single);
        world.run(S);
        let view = bfd(&world, 0);
        assert_eq!(view.transmit_interval, 100 * MS);
        assert_eq!(view.detection_time, Some(300 * MS));
        assert_eq!((view.ups, view.diagnostic), (1, Diagnostic::NONE));
        assert_eq!(view.remote_discriminator, bfd(&world, 1).local_discriminator);
    }
}

#[test]
fn section_6_8_7_packets_come_in_75_to_100_percent_of_the_interval() {
    for (multiplier, longest) in [(3, 100 * MS), (1, 90 * MS)] {
        let (mut world, _) = established(4, (100, multiplier));
        world.delay = Duration::ZERO;
        world.run(60 * S);
        let gaps = gaps(&world, 0);
        assert!(gaps.len() > 500);
        let (least, most) = (*gaps.iter().min().unwrap(), *gaps.iter().max().unwrap());
        assert!(least >= 75 * MS && least < 76 * MS, "{least:?}");
        assert!(most <= longest && most > gap(MS, longest), "{most:?}");
        assert!(changes(&world, 0).is_empty());
    }
}

#[test]
fn section_6_8_3_a_session_that_is_not_up_sends_no_faster_than_once_a_second() {
    let tables = pair(4, Some((10, 3)));
    let mut world = World::new();
    world.host(&tables[0], &[0]);
    world.host(&tables[1], &[0]);
    // ARP passes, BFD does not.
    world.passes = Box::new(|passing| control(passing.frame).is_none());
    world.run(100 * S);
    let gaps = gaps(&world, 0);
    assert!(gaps.iter().all(|gap| *gap >= 750 * MS && *gap <= S), "{gaps:?}");
    assert!(gaps.len() >= 99);
}

#[test]
fn silence_takes_a_session_down_exactly_at_its_detection_time() {
    for (interval, multiplier) in [(100, 3), (10, 3), (50, 5)] {
        let (mut world, tables) = established(4, (interval, multiplier));
        let detection = Duration::from_millis(interval) * u32::from(multiplier);
        world.run(S);
        world.hosts[1].is_running = false;
        world.run(world.delay);
        let last = controls(&world, 1).last().unwrap().0 + world.delay;
        world.run_to(before(last + detection));
        assert_eq!(changes(&world, 0), []);
        world.run(Duration::from_nanos(1));
        assert_eq!(changes(&world, 0), [down(2, Diagnostic::TIME_EXPIRED)]);
        let view = bfd(&world, 0);
        assert_eq!((view.state, view.remote_discriminator), (State::Down, 0));
        assert!(!view.peer_is_up);
        assert_eq!(view.transmit_interval, S);
        // It comes back with everything new.
        world.run(10 * S);
        world.restart(1, &tables[1]);
        world.until(3 * S, both_up);
        assert_eq!(changes(&world, 0)[1..], [up(2)]);
    }
}

#[test]
fn loss_in_one_direction_takes_both_sides_down_and_its_end_both_up() {
    let (mut world, _) = established(4, (100, 3));
    world.passes = Box::new(|passing| passing.from != Some(0) || control(passing.frame).is_none());
    // Host 2 hears nothing, and host 1 hears of that.
    world.run(300 * MS + 2 * world.delay);
    assert_eq!(changes(&world, 1), [down(1, Diagnostic::TIME_EXPIRED)]);
    assert_eq!(changes(&world, 0), [down(2, Diagnostic::NEIGHBOR_DOWN)]);
    world.run(30 * S);
    assert_eq!(
        changes(&world, 0).len() + changes(&world, 1).len(),
        2,
        "down for as long as it lasts"
    );
    world.passes = Box::new(|_| true);
    let took = world.until(2 * S, both_up);
    assert!(took <= S + 10 * MS, "{took:?}");
    assert_eq!(changes(&world, 0)[1..], [up(2)]);
    assert_eq!(changes(&world, 1)[1..], [up(1)]);
}

#[test]
fn a_longer_interval_is_only_used_when_the_peer_knows_of_it() {
    let (mut world, [mut table, _]) = established(4, (100, 3));
    // The answers to the poll are lost at first.
    world.passes = Box::new(|passing| {
        passing.to != 0 || control(passing.frame).is_none_or(|control| !control.is_final)
    });
    table.peers[0] = watched(table.peers[0].clone(), 400, 3);
    world.configure(0, &table);
    world.run(5 * S);
    assert!(gaps(&world, 0).iter().all(|gap| *gap <= 100 * MS));
    assert!(controls(&world, 0).iter().skip(1).all(|(_, control)| {
        control.poll
            && control.desired_min_tx_us == 400_000
            && control.required_min_rx_us == 400_000
    }));
    // What host 2 knows counts there at once: it sends less often, and waits longer.
    assert_eq!(bfd(&world, 1).transmit_interval, 400 * MS);
    assert_eq!(bfd(&world, 1).detection_time, Some(1200 * MS));
    world.passes = Box::new(|_| true);
    world.run(2 * S);
    world.clear();
    world.run(20 * S);
    assert!(gaps(&world, 0).iter().all(|gap| *gap >= 300 * MS && *gap <= 400 * MS));
    assert!(controls(&world, 0).iter().all(|(_, control)| !control.poll));
    assert_eq!(changes(&world, 0).len() + changes(&world, 1).len(), 0);
}

#[test]
fn a_shorter_detection_time_only_counts_when_the_peer_knows_of_it() {
    let (mut world, [mut table, _]) = established(4, (400, 3));
    world.passes = Box::new(|passing| {
        passing.to != 0 || control(passing.frame).is_none_or(|control| !control.is_final)
    });
    table.peers[0] = watched(table.peers[0].clone(), 50, 3);
    world.configure(0, &table);
    world.run(2 * S);
    // Host 2 takes no more than one in 400 ms and sends no more.
    assert_eq!(bfd(&world, 0).transmit_interval, 400 * MS);
    assert_eq!(bfd(&world, 0).detection_time, Some(1200 * MS));
    world.passes = Box::new(|_| true);
    world.run(2 * S);
    assert_eq!(bfd(&world, 0).detection_time, Some(1200 * MS), "the peer sends every 400 ms");
    // Now both.
    let mut other = pair(4, Some((50, 3)))[1].clone();
    other.peers[0].bfd = table.peers[0].bfd;
    world.configure(1, &other);
    world.run(3 * S);
    for host in [0, 1] {
        assert_eq!(bfd(&world, host).transmit_interval, 50 * MS);
        assert_eq!(bfd(&world, host).detection_time, Some(150 * MS));
        assert_eq!(changes(&world, host), []);
    }
}

#[test]
fn a_session_that_is_given_up_says_so_until_the_peer_must_have_noticed() {
    let (mut world, [mut table, _]) = established(4, (100, 3));
    table.peers[0].bfd = None;
    world.configure(0, &table);
    let start = world.now;
    world.run(2 * MS);
    assert_eq!(changes(&world, 1), [down(1, Diagnostic::NEIGHBOR_DOWN)]);
    // Whoever is not watched is up, and was.
    assert_eq!(changes(&world, 0), []);
    assert_eq!(world.view(0).bfd, None);
    world.run(60 * S);
    let said = controls(&world, 0);
    assert!(said.iter().all(|(_, control)| {
        (control.state, control.diagnostic) == (State::AdminDown, Diagnostic::ADMIN_DOWN)
    }));
    let last = gap(start, said.last().unwrap().0);
    assert!(last > 2 * S && last <= 3 * S, "{last:?}");
    // Watched again, it is another session.
    let again = watched(table.peers[0].clone(), 100, 3);
    table.peers[0] = again;
    world.configure(0, &table);
    world.until(3 * S, both_up);
}

#[test]
fn a_peer_that_was_down_counts_as_up_when_it_is_watched_no_more_or_gone() {
    for is_gone in [true, false] {
        let (mut world, [mut table, _]) = established(4, (100, 3));
        world.hosts[1].is_running = false;
        world.run(S);
        assert_eq!(changes(&world, 0), [down(2, Diagnostic::TIME_EXPIRED)]);
        if is_gone {
            table.peers.clear();
        } else {
            table.peers[0].bfd = None;
        }
        world.configure(0, &table);
        assert_eq!(changes(&world, 0)[1..], [up(2)]);
    }
}

#[test]
fn a_daemon_that_ends_takes_leave() {
    let (mut world, _) = established(4, (1000, 10));
    let now = world.now;
    world.hosts[0].machine.shutdown(now);
    // Handing in nothing lets the world fetch what was said.
    world.inject(0, 0, &[]);
    world.hosts[0].is_running = false;
    world.run(2 * MS);
    assert_eq!(changes(&world, 1), [down(1, Diagnostic::NEIGHBOR_DOWN)]);
}

#[test]
fn a_restarted_peer_has_another_discriminator_and_is_up_again_soon() {
    let (mut world, tables) = established(4, (100, 3));
    let before = bfd(&world, 0).remote_discriminator;
    world.restart(1, &tables[1]);
    world.until(2 * S, |world| !changes(world, 0).is_empty());
    let took = world.until(3 * S, both_up);
    assert!(took <= 1100 * MS, "{took:?}");
    assert_eq!(changes(&world, 0), [down(2, Diagnostic::NEIGHBOR_DOWN), up(2)]);
    assert_ne!(bfd(&world, 0).remote_discriminator, before);
    assert_eq!(bfd(&world, 0).ups, 2);
}

#[test]
fn a_peer_that_never_answers_is_down_three_detection_times_after_the_first_packet() {
    let tables = pair(4, Some((100, 3)));
    let mut world = World::new();
    world.host(&tables[0], &[0]);
    // It has an address, but no BFD.
    let mut other = tables[1].clone();
    other.peers[0].bfd = None;
    world.host(&other, &[0]);
    world.until(S, |world| !controls(world, 0).is_empty());
    let first = controls(&world, 0)[0].0;
    world.run_to(before(first + 9 * S));
    assert_eq!(changes(&world, 0), []);
    assert!(bfd(&world, 0).peer_is_up);
    world.run(Duration::from_nanos(1));
    assert_eq!(changes(&world, 0), [down(2, Diagnostic::TIME_EXPIRED)]);
    world.run(60 * S);
    assert_eq!(changes(&world, 0).len(), 1);
}

#[test]
fn a_peer_to_which_no_packet_could_be_sent_yet_is_not_called_down() {
    let tables = pair(4, Some((100, 3)));
    let mut world = World::new();
    world.host(&tables[0], &[0]);
    world.run(60 * S);
    assert_eq!(changes(&world, 0), []);
    // When its next hop is found, the session does not wait for the next second.
    let start = world.now;
    world.host(&tables[1], &[0]);
    world.until(2 * S, both_up);
    assert_eq!(controls(&world, 0)[0].0, start + world.delay);
}

#[test]
fn several_hops_away_the_session_is_a_multihop_one() {
    for family in [4, 6] {
        let (mut world, _) = routed(family, Some((100, 3)), 1500);
        let took = world.until(2 * S, both_up);
        assert!(took <= 120 * MS, "{took:?}");
        assert_eq!(bfd(&world, 0).hops, Hops::Multi);
        world.run(60 * S);
        assert_eq!(changes(&world, 0).len(), 1);
    }
}

/// Two hosts on one segment, of which each tunnels from an address of the link or of its own.
fn neighbours(family: u8, is_own: [bool; 2]) -> [UnderlayTable; 2] {
    let on_link = |host: u8| {
        if family == 4 { format!("192.0.2.{host}") } else { format!("2001:db8::{host}") }
    };
    let own = |host: u8| {
        if family == 4 { format!("10.0.0.{host}") } else { format!("2001:db8:9::{host}") }
    };
    let end = |host: u8| if is_own[usize::from(host) - 1] { own(host) } else { on_link(host) };
    let prefix = if family == 4 { 24 } else { 64 };
    let host = |me: u8, other: u8| {
        let far = peer("far", &end(me), &end(other), &[(0, &on_link(other))]);
        let net = format!("{}/{prefix}", on_link(me));
        table(me, vec![link(0, &[&net])], vec![watched(far, 100, 3)])
    };
    [host(1, 2), host(2, 1)]
}

#[test]
fn a_session_comes_up_whichever_end_has_an_address_that_is_not_on_the_link() {
    for family in [4, 6] {
        for is_own in [[true, false], [false, true], [true, true], [false, false]] {
            let tables = neighbours(family, is_own);
            let mut world = World::new();
            world.host(&tables[0], &[0]);
            world.host(&tables[1], &[0]);
            world.until(2 * S, both_up);
            let hops = if is_own == [false, false] { Hops::Single } else { Hops::Multi };
            for host in [0, 1] {
                assert_eq!(bfd(&world, host).hops, hops, "{family} {is_own:?}");
            }
            world.run(60 * S);
            assert_eq!(changes(&world, 0).len() + changes(&world, 1).len(), 2);
        }
    }
}

#[test]
fn packets_leave_by_the_first_path_whose_next_hop_is_known() {
    let far = |me: u8, first: u8| {
        let text = |host: u8| format!("10.9.0.{host}");
        let other = 3 - me;
        let via = [(0, format!("10.0.0.{first}")), (1, format!("10.1.0.{other}"))];
        let via: Vec<_> = via.iter().map(|(link, via)| (*link, via.as_str())).collect();
        let peer = watched(peer("far", &text(me), &text(other), &via), 100, 3);
        let net = |segment: u8| format!("10.{segment}.0.{me}/24");
        table(me, vec![link(0, &[&net(0)]), link(1, &[&net(1)])], vec![peer])
    };
    let mut world = World::new();
    // Nobody has 10.0.0.99.
    world.host(&far(1, 99), &[0, 1]);
    world.host(&far(2, 1), &[0, 1]);
    world.until(2 * S, both_up);
    let link_of = |world: &World, host: usize| {
        let sent = world.hosts[host].sent.iter().rev();
        sent.filter(|(_, _, frame)| control(frame).is_some()).map(|(_, link, _)| link.0).next()
    };
    assert_eq!(link_of(&world, 0), Some(1));
    assert_eq!(link_of(&world, 1), Some(0));
    // When the first one dies, the second takes over and the session stays.
    world.clear();
    world.configure_links(1, &far(2, 1), &[false, true]);
    world.run(S);
    assert_eq!(link_of(&world, 1), Some(1));
    assert_eq!(changes(&world, 0), []);
}

#[test]
fn tables_that_change_elsewhere_leave_a_session_alone() {
    let (mut world, [mut table, _]) = established(4, (100, 3));
    let before = bfd(&world, 0);
    table.links.insert(0, table_link());
    table.peers.insert(0, peer("another", "192.0.2.1", "192.0.2.9", &[(1, "192.0.2.9")]));
    table.peers[1].paths[0].link.0 = 1;
    world.hosts[0].machine.configure(world.now, &table, &[false, true]);
    let view = world.hosts[0].machine.peers().nth(1).unwrap();
    assert_eq!(view.name, name("host-2"));
    let after = view.bfd.unwrap();
    assert_eq!(after.local_discriminator, before.local_discriminator);
    assert_eq!((after.state, after.ups), (State::Up, 1));
}

fn table_link() -> bridge_model::compile::UnderlayLinkTable {
    table(1, vec![link(5, &["203.0.113.1/24"])], vec![]).links.remove(0)
}

#[test]
fn a_peer_that_goes_down_has_its_next_hop_looked_at() {
    let (mut world, [table, _]) = established(4, (100, 3));
    world.hosts[1].is_running = false;
    world.run(400 * MS);
    assert_eq!(changes(&world, 0), [down(2, Diagnostic::TIME_EXPIRED)]);
    world.run(4 * S);
    let next_hop = table.peers[0].remote;
    let gone = |action: &Action| matches!(action, Action::Unresolved { next_hop: hop, .. } if *hop == next_hop);
    assert!(world.events(0).iter().any(gone));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_lost_and_however_timers_change_both_are_up_two_seconds_after_it_ends(
        seed in any::<u64>(),
        percent in 1..60_u64,
        steps in proptest::collection::vec((0..2_usize, 10..500_u64, 1..6_u8, 1..3000_u64), 1..12),
    ) {
        let mut tables = pair(4, Some((100, 3)));
        let mut world = World::new();
        world.host(&tables[0], &[0]);
        world.host(&tables[1], &[0]);
        let mut state = seed | 1;
        world.passes = Box::new(move |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % 100 >= percent
        });
        for (host, interval, multiplier, time) in steps {
            tables[host].peers[0] = watched(tables[host].peers[0].clone(), interval, multiplier);
            world.configure(host, &tables[host]);
            world.run(Duration::from_millis(time));
            // Both sides' ups and downs alternate.
            for host in [0, 1] {
                let changes = changes(&world, host);
                prop_assert!(changes.windows(2).all(|pair| pair[0] != pair[1]));
            }
        }
        world.passes = Box::new(|_| true);
        // A next hop that was given up may take half a minute to be asked for again.
        world.run(34 * S);
        world.clear();
        world.run(20 * S);
        prop_assert!(both_up(&world), "{:?} {:?}", bfd(&world, 0), bfd(&world, 1));
        prop_assert_eq!(changes(&world, 0).len() + changes(&world, 1).len(), 0);
        // What each uses is what both agreed on.
        let timers = |host: usize| tables[host].peers[0].bfd.unwrap();
        let slower = timers(0).interval.max(timers(1).interval);
        for host in [0, 1] {
            let view = bfd(&world, host);
            prop_assert_eq!(view.transmit_interval, slower);
            let multiplier = u32::from(timers(1 - host).multiplier);
            prop_assert_eq!(view.detection_time, Some(slower * multiplier));
        }
    }
}
