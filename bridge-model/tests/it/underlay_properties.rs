//! What holds for the underlay machine whatever it is given: it does not panic, does not grow, is never
//! due at once, and does the same when it is given the same.

use std::time::Duration;

use bridge_model::compile::UnderlayTable;
use bridge_model::types::{Fid, MacAddr, UnderlayId};
use bridge_model::underlay::{Action, Machine, NeighborLearner};
use bridge_model::wire::bfd::{Control, Diagnostic, State};
use bridge_model::wire::ethernet;
use bridge_model::wire::icmp::{self, Message};
use bridge_model::wire::ip::{Datagram, Header, Packet};
use bridge_model::wire::neighbor::{Arp, Discovery};
use proptest::prelude::*;

use crate::underlay_world::{S, ip, link, mac, peer, table, watched};

/// A host with two links, four peers in both families, and routers.
fn site() -> UnderlayTable {
    let links = vec![link(0, &["192.0.2.1/24", "2001:db8::1/64"]), link(1, &["198.51.100.1/24"])];
    let routers = [(0, "192.0.2.254"), (1, "198.51.100.254")];
    let peers = vec![
        watched(peer("a", "192.0.2.1", "192.0.2.2", &[(0, "192.0.2.2")]), 100, 3),
        watched(peer("b", "2001:db8::1", "2001:db8::2", &[(0, "2001:db8::2")]), 10, 1),
        watched(peer("c", "192.0.2.1", "10.0.0.3", &routers), 1000, 5),
        peer("d", "192.0.2.1", "10.0.0.4", &routers[1..]),
    ];
    table(1, links, peers)
}

const ADDRESSES: [&str; 9] = [
    "192.0.2.1",
    "192.0.2.2",
    "192.0.2.254",
    "198.51.100.254",
    "10.0.0.3",
    "10.0.0.4",
    "2001:db8::1",
    "2001:db8::2",
    "fe80::7",
];

/// Something that happens to the machine.
#[derive(Clone, Debug)]
enum Event {
    Frame(u16, Vec<u8>),
    /// A peer's control packet, with our discriminator or without.
    Control {
        peer: usize,
        control: Control,
        knows_us: bool,
    },
    /// The last ping is answered, or a router complains about it.
    Answer {
        too_big: Option<u16>,
    },
    /// The last frame that it sent comes back, with one octet changed.
    Echo(usize, u8),
    Wait(Duration),
    /// As long as it wants to sleep.
    Sleep,
    Configure {
        links: [bool; 2],
        peers: u8,
        bfd: bool,
    },
}

fn address() -> impl Strategy<Value = std::net::IpAddr> {
    proptest::sample::select(&ADDRESSES[..]).prop_map(ip)
}

fn station() -> impl Strategy<Value = MacAddr> {
    prop_oneof![
        Just(mac(0x10)),
        Just(mac(0x11)),
        Just(mac(0x20)),
        Just(mac(0x30)),
        Just(MacAddr::BROADCAST),
        Just(MacAddr::ZERO),
        any::<[u8; 6]>().prop_map(MacAddr::new),
    ]
}

fn neighbor_frame() -> impl Strategy<Value = Vec<u8>> {
    (station(), station(), station(), address(), address(), 0..4_u16, any::<[u8; 3]>()).prop_map(
        |(to, from, said, sender, target, operation, [flags, bits, octet])| {
            let source: Option<std::net::Ipv4Addr> = match sender {
                std::net::IpAddr::V4(sender) => Some(sender),
                std::net::IpAddr::V6(_) => None,
            };
            match (source, target) {
                (Some(sender), std::net::IpAddr::V4(target)) => {
                    Arp { operation, sender_mac: said, sender, target_mac: to, target }
                        .frame(to, from)
                }
                (_, target) => {
                    let v6 = |address: std::net::IpAddr| match address {
                        std::net::IpAddr::V6(address) => address,
                        std::net::IpAddr::V4(address) => address.to_ipv6_mapped(),
                    };
                    let message = Discovery {
                        is_advertisement: operation % 2 == 0,
                        source: v6(sender),
                        destination: v6(ip(ADDRESSES[6 + usize::from(octet) % 3])),
                        target: v6(target),
                        flags: flags & 0xe0,
                        link_address: (bits % 2 == 0).then_some(said),
                    };
                    message.frame(to, from)
                }
            }
        },
    )
}

fn control() -> impl Strategy<Value = Control> {
    let state =
        prop_oneof![Just(State::AdminDown), Just(State::Down), Just(State::Init), Just(State::Up)];
    let interval = prop_oneof![Just(0_u32), 1..1_000_000_u32, any::<u32>()];
    (state, any::<[bool; 3]>(), any::<[u8; 2]>(), 1..3_u32, [interval.clone(), interval]).prop_map(
        |(state, [poll, is_final, demand], [multiplier, code], mine, [tx, rx])| Control {
            diagnostic: Diagnostic(code % 32),
            state,
            poll,
            is_final,
            control_plane_independent: false,
            demand,
            detect_multiplier: multiplier,
            my_discriminator: mine,
            your_discriminator: 0,
            desired_min_tx_us: tx,
            required_min_rx_us: rx,
            required_min_echo_rx_us: 0,
        },
    )
}

/// A packet to one of our addresses from one of the others: a ping, an ICMP error, or anything.
fn packet_frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = proptest::collection::vec(any::<u8>(), 0..100);
    (address(), 0..3_u8, 250..=255_u8, payload, any::<[u32; 2]>()).prop_map(
        |(from, kind, ttl, payload, [id, mtu])| {
            let us = if from.is_ipv4() { ip("192.0.2.1") } else { ip("2001:db8::1") };
            let packet = match kind {
                0 => icmp::echo((from, us), id % 2 == 0, id, &payload),
                1 => {
                    let quoted = icmp::echo((us, from), false, id, &payload).unwrap();
                    let ether_type = if from.is_ipv4() { 0x0800 } else { 0x86dd };
                    let frame = ethernet::build(mac(0x20), mac(0x10), &[], ether_type, &quoted);
                    return icmp::too_big(&frame, (mtu >> 16) as u16).unwrap_or(frame);
                }
                _ => Header::new(from, us, ttl, ttl).packet(&payload),
            };
            let ether_type = if from.is_ipv4() { 0x0800 } else { 0x86dd };
            ethernet::build(mac(0x10), mac(0x20), &[], ether_type, &packet.unwrap())
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    let octets = proptest::collection::vec(any::<u8>(), 0..200);
    let wait = prop_oneof![0..1000_u64, 0..100_000_000_u64, 0..60_000_000_000_u64];
    prop_oneof![
        1 => (0..3_u16, octets).prop_map(|(link, frame)| Event::Frame(link, frame)),
        6 => (0..2_u16, neighbor_frame()).prop_map(|(link, frame)| Event::Frame(link, frame)),
        6 => (0..2_u16, packet_frame()).prop_map(|(link, frame)| Event::Frame(link, frame)),
        8 => (0..3_usize, control(), prop::bool::weighted(0.9)).prop_map(
            |(peer, control, knows_us)| Event::Control { peer, control, knows_us }
        ),
        6 => proptest::option::weighted(0.3, any::<u16>())
            .prop_map(|too_big| Event::Answer { too_big }),
        3 => (any::<usize>(), any::<u8>()).prop_map(|(at, octet)| Event::Echo(at, octet)),
        4 => wait.prop_map(|nanos| Event::Wait(Duration::from_nanos(nanos))),
        8 => Just(Event::Sleep),
        1 => (any::<[bool; 2]>(), 0..16_u8, any::<bool>())
            .prop_map(|(links, peers, bfd)| Event::Configure { links, peers, bfd }),
    ]
}

fn is_ping(frame: &[u8]) -> bool {
    let ether_type = u16::from_be_bytes([frame[12], frame[13]]);
    let packet = Packet::parse(ether_type, &frame[14..]).and_then(Result::ok);
    packet
        .is_some_and(|packet| matches!(Message::parse(&packet), Some(Message::EchoRequest { .. })))
}

struct Run {
    machine: Machine,
    now: Duration,
    ping: Option<(UnderlayId, Vec<u8>)>,
    last: (UnderlayId, Vec<u8>),
    log: Vec<(Duration, Action)>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let last = (UnderlayId(0), Vec::new());
        let machine = Machine::new(seed);
        let mut run = Self { machine, now: S, ping: None, last, log: Vec::new() };
        run.machine.configure(S, &site(), &[true, true]);
        run
    }

    fn control(&mut self, peer: usize, mut control: Control, knows_us: bool) {
        let site = site();
        let table = &site.peers[peer];
        let view = self.machine.peers().find(|view| view.name == table.name);
        if let Some(bfd) = view.and_then(|view| view.bfd).filter(|_| knows_us) {
            control.your_discriminator = bfd.local_discriminator;
        }
        let ends = (table.remote, table.local);
        let datagram = Datagram::build(ends, (50_000, 3784), &control.build(), true).unwrap();
        let packet = Header::new(ends.0, ends.1, 17, 255).packet(&datagram).unwrap();
        let ether_type = if ends.0.is_ipv4() { 0x0800 } else { 0x86dd };
        let frame = ethernet::build(mac(0x10), mac(0x20), &[], ether_type, &packet);
        self.machine.frame(self.now, UnderlayId(0), &frame);
    }

    fn answer(&mut self, too_big: Option<u16>) {
        let Some((link, frame)) = self.ping.clone() else { return };
        let header = ethernet::Header::parse(&frame).unwrap();
        let answer = if let Some(mtu) = too_big {
            icmp::too_big(&frame, mtu).unwrap()
        } else {
            let packet = Packet::parse(header.type_or_length, &frame[14..]).unwrap().unwrap();
            let Some(Message::EchoRequest { id, data }) = Message::parse(&packet) else {
                return;
            };
            let ends = (packet.destination, packet.source);
            let packet = icmp::echo(ends, true, id, data).unwrap();
            let (to, from) = (header.source, header.destination);
            ethernet::build(to, from, &[], header.type_or_length, &packet)
        };
        self.machine.frame(self.now, link, &answer);
    }

    fn step(&mut self, event: &Event) {
        let before = self.log.len();
        match event {
            Event::Frame(link, frame) => self.machine.frame(self.now, UnderlayId(*link), frame),
            Event::Control { peer, control, knows_us } => self.control(*peer, *control, *knows_us),
            Event::Answer { too_big } => self.answer(*too_big),
            Event::Echo(at, octet) => {
                let (link, mut frame) = self.last.clone();
                // From the other side.
                if frame.len() > 12 {
                    let at = at % frame.len();
                    frame[at] ^= octet;
                    let (to, rest) = frame.split_at_mut(6);
                    to.swap_with_slice(&mut rest[..6]);
                }
                self.machine.frame(self.now, link, &frame);
            }
            Event::Wait(time) => self.now += *time,
            Event::Sleep => self.now = self.machine.due().unwrap_or(self.now).max(self.now),
            Event::Configure { links, peers, bfd } => {
                let mut table = site();
                let mut number = 0;
                table.peers.retain_mut(|peer| {
                    number += 1;
                    if !bfd {
                        peer.bfd = None;
                    }
                    peers & 1 << (number - 1) != 0
                });
                self.machine.configure(self.now, &table, links);
            }
        }
        self.machine.tick(self.now);
        while let Some(action) = self.machine.poll() {
            if let Action::Send { link, frame } = &action {
                self.last = (*link, frame.clone());
                if is_ping(frame) {
                    self.ping = Some(self.last.clone());
                }
            }
            self.log.push((self.now, action));
        }
        assert!(self.machine.due().is_none_or(|due| due > self.now), "{:?}", self.machine.due());
        // Four next hops, three sessions, six pings, a few announcements: never more at once.
        assert!(self.log.len() - before < 60, "{:?}", &self.log[before..]);
        assert!(self.machine.neighbors().count() <= 4);
        assert!(self.machine.peers().count() <= 4);
        for peer in self.machine.peers() {
            assert!(peer.path_mtu.mtu <= peer.path_mtu.link_mtu);
            let is_v6 = peer.name.as_str() == "b";
            assert!(peer.path_mtu.mtu >= if is_v6 { 1280 } else { 68 } || peer.path_mtu.mtu == 0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_machine_survives_everything_and_does_the_same_again(
        seed in any::<u64>(),
        events in proptest::collection::vec(event(), 1..300),
    ) {
        let mut first = Run::new(seed);
        let mut second = Run::new(seed);
        for event in &events {
            first.step(event);
            second.step(event);
        }
        prop_assert_eq!(first.log, second.log);
    }

    #[test]
    fn a_machine_that_sleeps_until_it_is_due_is_not_woken_often(
        seed in any::<u64>(),
        events in proptest::collection::vec(event(), 1..100),
    ) {
        let mut run = Run::new(seed);
        for event in &events {
            run.step(event);
        }
        // Nobody speaks any more. What is left is a session of 10 ms that may have come up with a peer
        // that allows itself hours of silence, one of 100 ms, and some timers of a second.
        let end = run.now + 20 * S;
        let mut wakes = 0;
        while run.machine.due().is_some_and(|due| due < end) {
            run.step(&Event::Sleep);
            wakes += 1;
        }
        prop_assert!(wakes < 20 * (134 + 14 + 25), "{wakes}");
    }

    #[test]
    fn a_learner_survives_everything(
        frames in proptest::collection::vec(
            prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), neighbor_frame()],
            1..200,
        ),
    ) {
        let mut learner = NeighborLearner::new();
        for (number, frame) in frames.iter().enumerate() {
            let now = Duration::from_millis(number as u64);
            let told = learner.frame(now, Fid(1), frame);
            if let Some(told) = told {
                prop_assert!(learner.entries().any(|entry| entry == told));
                prop_assert!(!told.mac.is_group());
            }
        }
        let known = learner.entries().count();
        prop_assert_eq!(learner.withdraw(Fid(1)).len(), known);
    }
}
