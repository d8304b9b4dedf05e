//! BFD, packet by packet: the state table and the discard rules of RFC 5880 section 6.8.6, polls, and
//! what RFC 5881 and RFC 5883 add. Host 1 is a machine; what host 2 says is written here.

use std::net::IpAddr;
use std::time::Duration;

use bridge_model::compile::UnderlayTable;
use bridge_model::types::{MacAddr, UnderlayId};
use bridge_model::underlay::BfdView;
use bridge_model::wire::bfd::{Control, Diagnostic, State};
use bridge_model::wire::ethernet;
use bridge_model::wire::ip::{Datagram, Header, Packet};
use bridge_model::wire::neighbor::Arp;

use crate::underlay_bfd::{bfd, control, controls};
use crate::underlay_world::{MS, S, World, before, ip, mac, pair, peer, table as tables, watched};

/// Host 1, host 2's address, and what host 2 says unless a test changes it.
struct Scene {
    world: World,
    table: UnderlayTable,
    says: Control,
    port: u16,
    ttl: u8,
    source: IpAddr,
    has_checksum: bool,
}

const THEIRS: u32 = 0x0b0b_0b0b;

fn scene_of(table: UnderlayTable, timers: (u64, u8)) -> Scene {
    let mut table = table;
    table.peers[0] = watched(table.peers[0].clone(), timers.0, timers.1);
    let mut world = World::new();
    world.host(&table, &[0]);
    let source = table.peers[0].remote;
    let says = Control {
        diagnostic: Diagnostic::NONE,
        state: State::Down,
        poll: false,
        is_final: false,
        control_plane_independent: false,
        demand: false,
        detect_multiplier: 3,
        my_discriminator: THEIRS,
        your_discriminator: 0,
        desired_min_tx_us: 100_000,
        required_min_rx_us: 100_000,
        required_min_echo_rx_us: 0,
    };
    let mut scene = Scene { world, table, says, port: 3784, ttl: 255, source, has_checksum: true };
    scene.resolve();
    scene
}

fn scene() -> Scene {
    let [table, _] = pair(4, None);
    scene_of(table, (100, 3))
}

impl Scene {
    /// The next hop answers.
    fn resolve(&mut self) {
        let (IpAddr::V4(target), IpAddr::V4(sender)) =
            (self.table.peers[0].local, self.table.peers[0].paths[0].next_hop)
        else {
            return;
        };
        let ours = self.table.links[0].mac;
        let arp = Arp { operation: 2, sender_mac: mac(0x20), sender, target_mac: ours, target };
        self.world.inject(0, 0, &arp.frame(ours, mac(0x20)));
    }

    fn frame(&self, payload: &[u8]) -> Vec<u8> {
        let ends = (self.source, self.table.peers[0].local);
        let ports = (49_200, self.port);
        let datagram = Datagram::build(ends, ports, payload, self.has_checksum).unwrap();
        let packet = Header::new(ends.0, ends.1, 17, self.ttl).packet(&datagram).unwrap();
        let ether_type = if ends.0.is_ipv4() { 0x0800 } else { 0x86dd };
        ethernet::build(self.table.links[0].mac, mac(0x20), &[], ether_type, &packet)
    }

    /// Host 2 sends; what host 1 sends at once.
    fn hear(&mut self) -> Vec<Control> {
        let frame = self.frame(&self.says.build());
        let sent = self.world.answers(0, |world| world.inject(0, 0, &frame));
        sent.iter().filter_map(|frame| control(frame)).collect()
    }

    /// Host 2 sends with this state.
    fn hear_state(&mut self, state: State) -> Vec<Control> {
        self.says.state = state;
        if matches!(state, State::Init | State::Up) {
            self.says.your_discriminator = self.view().local_discriminator;
        }
        self.hear()
    }

    /// Host 2 sends every 50 ms, which keeps the session up, until host 1 has sent one of its packets.
    fn next(&mut self) -> Control {
        self.world.clear();
        for _ in 0..100 {
            self.world.run(50 * MS);
            self.hear();
            let sent = controls(&self.world, 0);
            if let Some((_, control)) = sent.into_iter().find(|(_, control)| !control.is_final) {
                return control;
            }
        }
        panic!("nothing was sent");
    }

    fn view(&self) -> BfdView {
        bfd(&self.world, 0)
    }

    fn state(&self) -> State {
        self.view().state
    }

    /// Brings the session into a state.
    fn enter(&mut self, state: State) {
        match state {
            State::Init => {
                self.hear_state(State::Down);
            }
            State::Up => {
                self.hear_state(State::Init);
                self.says.state = State::Up;
            }
            State::Down | State::AdminDown => {}
        }
        assert_eq!(self.state(), state);
    }
}

#[test]
fn section_6_8_6_every_state_and_every_received_state() {
    use State::{AdminDown, Down, Init, Up};
    let neighbor_down = Diagnostic::NEIGHBOR_DOWN;
    let none = Diagnostic::NONE;
    let cases = [
        (Down, AdminDown, Down, none),
        (Down, Down, Init, none),
        (Down, Init, Up, none),
        (Down, Up, Down, none),
        (Init, AdminDown, Down, neighbor_down),
        (Init, Down, Init, none),
        (Init, Init, Up, none),
        (Init, Up, Up, none),
        (Up, AdminDown, Down, neighbor_down),
        (Up, Down, Down, neighbor_down),
        (Up, Init, Up, none),
        (Up, Up, Up, none),
    ];
    for (before, heard, after, diagnostic) in cases {
        let mut scene = scene();
        scene.enter(before);
        let sent = scene.hear_state(heard);
        let view = scene.view();
        assert_eq!((view.state, view.diagnostic), (after, diagnostic), "{before:?} {heard:?}");
        assert_eq!((view.remote_state, view.remote_discriminator), (heard, THEIRS));
        // A change is told at once (section 6.8.7), and nothing else is.
        assert_eq!(sent.len(), usize::from(before != after), "{before:?} {heard:?}");
        assert!(sent.iter().all(|control| control.state == after));
        assert!(sent.iter().all(|control| control.your_discriminator == THEIRS));
    }
}

#[test]
fn section_6_8_6_what_is_to_be_discarded_changes_nothing() {
    type Change = (&'static str, fn(&mut Scene));
    let cases: [Change; 8] = [
        ("another session", |scene| scene.says.your_discriminator = 0x7777_7777),
        ("no discriminator", |scene| scene.says.my_discriminator = 0),
        ("no multiplier", |scene| scene.says.detect_multiplier = 0),
        ("through a router", |scene| scene.ttl = 254),
        ("multihop", |scene| scene.port = 4784),
        ("another port", |scene| scene.port = 3785),
        ("from another", |scene| scene.source = ip("192.0.2.3")),
        ("up without our discriminator", |scene| {
            scene.says.state = State::Up;
            scene.says.your_discriminator = 0;
        }),
    ];
    for (what, change) in cases {
        let mut scene = scene();
        scene.enter(State::Up);
        scene.world.run(100 * MS);
        scene.says.state = State::Down;
        let was = scene.view();
        change(&mut scene);
        assert!(scene.hear().is_empty(), "{what}");
        assert_eq!(scene.view(), was, "{what}");
        // And it does not count as a sign of life.
        scene.world.run(before(200 * MS));
        assert_eq!(scene.state(), State::Up, "{what}");
        scene.world.run(Duration::from_nanos(1));
        assert_eq!(scene.state(), State::Down, "{what}");
    }
    // Octets that make no packet: version, length, authentication, multipoint.
    let mut bent = scene();
    bent.enter(State::Up);
    bent.says.state = State::Down;
    let good = bent.says.build();
    let cases: [(usize, u8); 4] = [(0, 0x40), (3, 23), (1, good[1] | 4), (1, good[1] | 1)];
    for (at, value) in cases {
        let mut bytes = good.clone();
        bytes[at] = value;
        let frame = bent.frame(&bytes);
        bent.world.inject(0, 0, &frame);
        assert_eq!(bent.state(), State::Up, "octet {at}");
    }
    let mut broken = bent.frame(&good);
    *broken.last_mut().unwrap() ^= 1;
    bent.world.inject(0, 0, &broken);
    assert_eq!(bent.state(), State::Up, "checksum");
    bent.world.inject(0, 0, &bent.frame(&good));
    assert_eq!(bent.state(), State::Down, "the same packet, unharmed");
}

#[test]
fn without_a_udp_checksum_a_packet_is_taken_over_ipv4_only() {
    let mut four = scene();
    four.has_checksum = false;
    four.hear_state(State::Down);
    assert_eq!(four.state(), State::Init);
    let [table, _] = pair(6, None);
    let mut six = scene_of(table, (100, 3));
    six.has_checksum = false;
    six.hear_state(State::Down);
    assert_eq!(six.state(), State::Down);
    six.has_checksum = true;
    six.hear_state(State::Down);
    assert_eq!(six.state(), State::Init);
}

#[test]
fn rfc_5881_and_5883_ports_ttl_and_addresses_of_what_is_sent() {
    let near = peer("near", "192.0.2.1", "192.0.2.2", &[(0, "192.0.2.2")]);
    let far = peer("far", "192.0.2.1", "10.0.0.9", &[(0, "192.0.2.254")]);
    for (peer, port) in [(near, 3784), (far, 4784)] {
        let link = crate::underlay_world::link(0, &["192.0.2.1/24"]);
        let mut scene = scene_of(tables(1, vec![link], vec![peer]), (100, 3));
        scene.world.run(3 * S);
        let mut source_ports = Vec::new();
        for (_, link, frame) in &scene.world.hosts[0].sent {
            if control(frame).is_none() {
                continue;
            }
            let packet = Packet::parse(0x0800, &frame[14..]).unwrap().unwrap();
            let datagram = Datagram::parse(packet.payload).unwrap();
            assert_eq!(*link, UnderlayId(0));
            assert_eq!((packet.hop_limit, packet.dscp), (255, 48));
            assert_eq!(packet.destination, scene.table.peers[0].remote);
            assert_eq!(datagram.destination, port);
            assert!(Datagram::checksum_is_correct(&packet));
            source_ports.push(datagram.source);
        }
        assert!(source_ports.len() >= 3);
        assert!(source_ports[0] >= 49_152);
        source_ports.dedup();
        assert_eq!(source_ports.len(), 1, "the same for the whole session");
    }
}

#[test]
fn a_multihop_session_takes_packets_that_passed_routers() {
    let far = peer("far", "192.0.2.1", "10.0.0.9", &[(0, "192.0.2.254")]);
    let link = crate::underlay_world::link(0, &["192.0.2.1/24"]);
    let table = tables(1, vec![link], vec![far]);
    // Its own port with any TTL, that of single hop only from the link.
    for (port, ttl, taken) in [(4784, 200, true), (3784, 255, true), (3784, 254, false)] {
        let mut scene = scene_of(table.clone(), (100, 3));
        scene.port = port;
        scene.ttl = ttl;
        scene.hear_state(State::Down);
        assert_eq!(scene.state() == State::Init, taken, "{port} {ttl}");
    }
}

#[test]
fn section_6_5_a_poll_is_answered_at_once_whatever_the_state() {
    for state in [State::Down, State::Init, State::Up] {
        let mut scene = scene();
        scene.enter(state);
        scene.says.poll = true;
        let sent = scene.hear();
        assert_eq!(sent.len(), 1, "{state:?}");
        assert!(sent[0].is_final && !sent[0].poll);
        assert_eq!(sent[0].state, scene.state());
    }
}

#[test]
fn section_6_8_3_going_up_starts_a_poll_that_ends_with_its_answer() {
    let mut scene = scene();
    scene.enter(State::Init);
    let sent = scene.hear_state(State::Up);
    assert_eq!(scene.state(), State::Up);
    assert!(sent[0].poll);
    assert_eq!(sent[0].desired_min_tx_us, 100_000);
    assert!(scene.next().poll);
    scene.says.is_final = true;
    scene.hear();
    scene.says.is_final = false;
    assert!(!scene.next().poll);
}

#[test]
fn section_6_8_3_a_second_change_waits_for_the_end_of_the_first_poll() {
    let mut scene = scene();
    scene.enter(State::Up);
    scene.says.is_final = true;
    scene.hear();
    scene.says.is_final = false;
    scene.hear();
    assert!(!scene.next().poll);
    let set = |scene: &mut Scene, ms| {
        scene.table.peers[0] = watched(scene.table.peers[0].clone(), ms, 3);
        scene.world.configure(0, &scene.table.clone());
    };
    set(&mut scene, 200);
    // An answer to a poll that nobody has sent yet is none.
    scene.says.is_final = true;
    scene.hear();
    scene.says.is_final = false;
    assert_eq!(scene.view().transmit_interval, 100 * MS);
    assert!(scene.next().poll);
    set(&mut scene, 300);
    let before = scene.next();
    assert_eq!((before.poll, before.desired_min_tx_us), (true, 300_000));
    scene.says.is_final = true;
    scene.hear();
    // That may have answered the first one only: nothing longer is used yet, and the next sequence
    // waits for a packet without F.
    assert_eq!(scene.view().transmit_interval, 100 * MS);
    scene.world.clear();
    scene.world.run(100 * MS);
    assert!(controls(&scene.world, 0).iter().all(|(_, control)| !control.poll));
    assert!(!controls(&scene.world, 0).is_empty());
    scene.says.is_final = false;
    scene.hear();
    assert!(scene.next().poll);
    scene.says.is_final = true;
    scene.hear();
    assert_eq!(scene.view().transmit_interval, 300 * MS);
}

#[test]
fn section_6_8_7_the_peer_says_how_often_it_can_be_sent_to() {
    let mut scene = scene();
    scene.enter(State::Up);
    scene.says.required_min_rx_us = 700_000;
    scene.hear();
    assert_eq!(scene.view().transmit_interval, 700 * MS);
    // Less from one moment to the next is honoured at once: the next packet is overdue.
    scene.world.run(50 * MS);
    scene.hear();
    scene.world.clear();
    scene.world.run(200 * MS);
    assert!(controls(&scene.world, 0).is_empty());
    scene.says.required_min_rx_us = 10_000;
    assert_eq!(scene.hear().len(), 1);
    assert_eq!(scene.view().transmit_interval, 100 * MS);
    // 0 is not at all.
    scene.says.required_min_rx_us = 0;
    scene.hear();
    scene.world.clear();
    for _ in 0..100 {
        scene.world.run(50 * MS);
        scene.hear();
    }
    assert!(controls(&scene.world, 0).is_empty());
    assert_eq!(scene.state(), State::Up);
    scene.says.poll = true;
    assert_eq!(scene.hear().len(), 1, "a poll is answered all the same");
}

#[test]
fn section_6_8_7_a_peer_in_demand_mode_is_not_sent_to_but_polled() {
    let mut scene = scene();
    scene.enter(State::Up);
    scene.says.demand = true;
    scene.hear();
    assert!(scene.next().poll, "the poll sequence of going up is not over");
    scene.says.is_final = true;
    scene.hear();
    scene.says.is_final = false;
    scene.world.clear();
    for _ in 0..100 {
        scene.world.run(50 * MS);
        scene.hear();
    }
    assert!(controls(&scene.world, 0).is_empty());
    scene.says.demand = false;
    scene.hear();
    assert!(!scene.next().poll);
}

#[test]
fn section_6_8_4_the_detection_time_is_the_peers_multiplier_of_the_slower_interval() {
    for (desired_us, multiplier, detection) in
        [(100_000, 3, 300), (400_000, 2, 800), (20_000, 5, 500), (100_000, 1, 100)]
    {
        let mut scene = scene();
        scene.says.desired_min_tx_us = desired_us;
        scene.says.detect_multiplier = multiplier;
        scene.enter(State::Up);
        let detection = Duration::from_millis(detection);
        assert_eq!(scene.view().detection_time, Some(detection));
        scene.world.run(before(detection));
        assert_eq!(scene.state(), State::Up);
        scene.world.run(Duration::from_nanos(1));
        assert_eq!(scene.state(), State::Down);
    }
}

#[test]
fn section_6_8_1_who_is_silent_for_a_detection_time_is_forgotten_also_when_down() {
    let mut scene = scene();
    scene.says.state = State::AdminDown;
    scene.hear();
    assert_eq!(scene.view().remote_discriminator, THEIRS);
    scene.world.run(300 * MS);
    assert_eq!(scene.view().remote_discriminator, 0);
    assert_eq!(scene.view().detection_time, None);
}

#[test]
fn intervals_of_more_than_an_hour_and_of_nothing_do_no_harm() {
    for (desired, required) in [(u32::MAX, u32::MAX), (0, 1), (0, 0), (1, u32::MAX)] {
        let mut scene = scene();
        scene.says.desired_min_tx_us = desired;
        scene.says.required_min_rx_us = required;
        scene.says.detect_multiplier = 255;
        scene.enter(State::Init);
        scene.enter(State::Up);
        for _ in 0..100 {
            scene.world.run(50 * MS);
            scene.hear();
        }
        assert_eq!(scene.state(), State::Up, "{desired} {required}");
    }
}

#[test]
fn frames_for_others_are_not_heard() {
    let mut scene = scene();
    let mut frame = scene.frame(&scene.says.build());
    frame[..6].copy_from_slice(&mac(0x77).octets());
    scene.world.inject(0, 0, &frame);
    assert_eq!(scene.state(), State::Down);
    frame[..6].copy_from_slice(&scene.table.links[0].mac.octets());
    frame[6..12].copy_from_slice(&MacAddr::BROADCAST.octets());
    scene.world.inject(0, 0, &frame);
    assert_eq!(scene.state(), State::Down);
    frame[6..12].copy_from_slice(&mac(0x20).octets());
    scene.world.inject(0, 0, &frame);
    assert_eq!(scene.state(), State::Init);
}

#[test]
fn a_session_is_that_of_its_two_addresses() {
    let link = crate::underlay_world::link(0, &["192.0.2.1/24", "192.0.2.100/24"]);
    let near = peer("near", "192.0.2.1", "192.0.2.2", &[(0, "192.0.2.2")]);
    let mut scene = scene_of(tables(1, vec![link], vec![near]), (100, 3));
    // To another address of ours.
    scene.table.peers[0].local = ip("192.0.2.100");
    scene.hear_state(State::Down);
    assert_eq!(scene.state(), State::Down);
    scene.table.peers[0].local = ip("192.0.2.1");
    scene.hear_state(State::Down);
    assert_eq!(scene.state(), State::Init);
}
