//! Bridges that span hosts: on generated sites with peers, whatever the oracle says of a frame of any
//! kind, the pipeline does, octet by octet, with every instruction set, while next hops are resolved
//! and lost, peers go down before anything is compiled anew, and stations' addresses come and go.

mod corpus;
mod inner;
mod outer;
mod site;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use bridge_model::compile::HostView;
use bridge_model::oracle::{Notice, Oracle, Outcome};
use bridge_model::reason::{DropReason, PuntReason};
use bridge_model::topology::{MssClamp, StormControl, Topology};
use bridge_model::types::{Fid, InterfaceId, MacAddr, Name};
use fwd::mac::Isa;
use fwd::trace::{Step, what_if};
use fwd::{BURST, ProtocolEvent, ProtocolFrame};

use crate::bench::Bench;
use crate::differential::{cases, check_burst, check_punts, expected, scope};
use crate::generate::{self, INTERFACES, name, station, vid};
use crate::random::Random;
use crate::rules::told;
use inner::ADDRESSES;
use site::{PEERS, REMOTES, ROUTERS};

pub(crate) use site::topology;

/// A frame of the underlay, or one of a station, for the site of this bench.
pub(crate) fn frame(random: &mut Random, bench: &Bench) -> Vec<u8> {
    if random.one_in(3) {
        return inner::frame(random);
    }
    outer::frame(random, &bench.underlay, &bench.view).1
}

/// Some next hop is resolved or lost, some peer goes down or comes back, some address is known.
pub(crate) fn shake(random: &mut Random, bench: &Bench) {
    let live = bench.learner.live();
    for link in &bench.underlay.links {
        let next_hop: IpAddr = random.pick(&[&REMOTES[..], &ROUTERS[..]].concat()).parse().unwrap();
        let mac = (!random.one_in(4)).then(|| MacAddr::from_u64(0x0800_0000_0001));
        live.underlay().next_hop((link.interface, link.vlan, next_hop)).set(mac);
    }
    live.underlay().peer(&name(random.pick(&PEERS))).set_up(!random.one_in(4));
    let fid = bench.numbering.fid_of_bridge(&name(random.pick(&["b0", "b1", "b2"])), None);
    let address: IpAddr = random.pick(&ADDRESSES).parse().unwrap();
    if let Some(fid) = fid {
        live.neighbors().insert(fid, address, station(random.below(8) as u64).get(), false);
    }
}

/// Oracle and pipeline, told the same.
struct Pair {
    oracle: Oracle,
    bench: Bench,
    now: Duration,
    known: BTreeMap<(Name, IpAddr), (MacAddr, bool)>,
    /// What the table of neighbours was told.
    told: Vec<(Fid, IpAddr)>,
    /// A peer went down, and the image with it in is still in force.
    is_behind: bool,
}

impl Pair {
    fn new(random: &mut Random, seed: u64, isa: Isa) -> Self {
        let topology = topology(random, seed);
        let mut pair = Self::of(topology, generate::random_view(random), isa);
        for (number, next_hop) in (0_u64..).zip(REMOTES.iter().chain(&ROUTERS)) {
            if !random.one_in(6) {
                pair.resolve(next_hop, Some(MacAddr::from_u64(0x0800_0000_0000 | number)));
            }
        }
        pair
    }

    /// Nothing resolved, nothing known.
    fn of(topology: Topology, view: HostView, isa: Isa) -> Self {
        Self {
            oracle: Oracle::new(topology.clone(), view.clone()),
            bench: Bench::new(topology, view, isa),
            now: Duration::from_millis(1),
            known: BTreeMap::new(),
            told: Vec::new(),
            is_behind: false,
        }
    }

    fn resolve(&mut self, next_hop: &str, mac: Option<MacAddr>) {
        let next_hop: IpAddr = next_hop.parse().unwrap();
        self.oracle.set_neighbor(next_hop, mac);
        let cells = self.bench.learner.live().underlay();
        for interface in (0..INTERFACES).map(InterfaceId) {
            for vlan in [None, Some(vid(40)), Some(vid(41)), Some(vid(10))] {
                cells.next_hop((interface, vlan, next_hop)).set(mac);
            }
        }
    }

    fn set_known(&mut self, bridge: &str, address: &str, station: Option<(MacAddr, bool)>) {
        let (bridge, address) = (name(bridge), address.parse().unwrap());
        if let Some((mac, is_router)) = station {
            self.oracle.set_known_neighbor(&bridge, address, mac, is_router);
            self.known.insert((bridge, address), (mac, is_router));
        } else {
            self.oracle.forget_neighbor(&bridge, address);
            self.known.remove(&(bridge, address));
        }
        self.tell_known();
    }

    /// The table goes by numbers of domains, which may be others now.
    fn tell_known(&mut self) {
        let table = self.bench.learner.live().neighbors();
        for (fid, address) in self.told.drain(..) {
            assert!(table.remove(fid, address));
        }
        for ((bridge, address), (mac, is_router)) in &self.known {
            if let Some(fid) = self.bench.numbering.fid_of_bridge(bridge, None) {
                assert!(table.insert(fid, *address, *mac, *is_router));
                self.told.push((fid, *address));
            }
        }
        assert_eq!(table.len(), self.told.len());
    }

    fn reconfigure(&mut self, topology: Topology, view: HostView) {
        self.oracle.tick(self.now);
        self.oracle.reconfigure(topology.clone(), view.clone());
        self.bench.reconfigure(topology, view, self.now);
        self.catch_up();
    }

    /// The image is what the oracle has.
    fn catch_up(&mut self) {
        self.is_behind = false;
        self.set_cells();
        self.tell_known();
    }

    fn set_cells(&self) {
        for peer in PEERS.map(name) {
            let is_up = !self.bench.view.peers_down.contains(&peer);
            self.bench.learner.live().underlay().peer(&peer).set_up(is_up);
        }
    }

    /// A peer goes down, or comes back. That it is down shows at once, whatever is compiled when.
    fn flip(&mut self, random: &mut Random, peer: &Name) {
        let mut view = self.bench.view.clone();
        let goes_down = view.peers_down.insert(peer.clone());
        if !goes_down {
            view.peers_down.remove(peer);
        }
        let topology = self.bench.topology.clone();
        // What an image must be compiled anew for.
        let is_compiled = !topology.static_macs.is_empty()
            || topology
                .bridges
                .values()
                .any(|bridge| bridge.mac_limit.is_some() || bridge.mss_clamp == MssClamp::On);
        if goes_down && !is_compiled && random.one_in(2) {
            self.oracle.tick(self.now);
            self.oracle.reconfigure(topology, view.clone());
            self.bench.view = view;
            self.set_cells();
            self.is_behind = true;
        } else {
            self.reconfigure(topology, view);
        }
    }

    /// Something else than a frame.
    fn change(&mut self, random: &mut Random, seed: u64) {
        if self.is_behind {
            let (topology, view) = (self.bench.topology.clone(), self.bench.view.clone());
            self.bench.reconfigure(topology, view, self.now);
            self.catch_up();
        }
        let (topology, mut view) = (self.bench.topology.clone(), self.bench.view.clone());
        match random.below(16) {
            0 => {
                let scope = scope(random, &self.bench);
                self.oracle.flush(&scope);
                self.bench.flush(&scope, self.now);
                self.catch_up();
            }
            1 => {
                view.interfaces = generate::random_view(random).interfaces;
                self.reconfigure(self::topology(random, seed), view);
            }
            2 => {
                view.interfaces = generate::random_view(random).interfaces;
                self.reconfigure(topology, view);
            }
            3 => {
                let peer = name(random.pick(&PEERS));
                match random.pick(&[None, Some(100), Some(1280), Some(1400)]) {
                    Some(mtu) => drop(view.path_mtus.insert(peer, mtu)),
                    None => drop(view.path_mtus.remove(&peer)),
                }
                self.reconfigure(topology, view);
            }
            4..=6 => {
                let peer = name(random.pick(&PEERS));
                self.flip(random, &peer);
            }
            7..=11 => {
                let mac = (!random.one_in(4))
                    .then(|| MacAddr::from_u64(0x0800_0000_0000 | random.word() & 0xffff_ffff));
                let next_hops = [&REMOTES[..], &ROUTERS[..]].concat();
                self.resolve(random.pick(&next_hops), mac);
            }
            _ => {
                let known = (!random.one_in(4))
                    .then(|| (station(random.below(8) as u64).get(), random.one_in(2)));
                let address = random.pick(&ADDRESSES);
                self.set_known(random.pick(&["b0", "b1", "b2"]), address, known);
            }
        }
    }

    fn frame(&self, random: &mut Random) -> (InterfaceId, Vec<u8>) {
        if random.one_in(2) {
            return outer::frame(random, &self.bench.underlay, &self.bench.view);
        }
        (InterfaceId(random.below(usize::from(INTERFACES) + 1) as u16), inner::frame(random))
    }

    fn check_learned(&self, at: &str) {
        if !self.is_behind {
            assert_eq!(self.bench.learned(), self.oracle.learned(), "{at}");
        }
    }
}

/// What became of frames, to see that everything was met.
#[derive(Default)]
struct Met {
    drops: BTreeMap<DropReason, u64>,
    consumed: BTreeMap<PuntReason, u64>,
    out_of_tunnels: u64,
    into_tunnels: u64,
    neighbors: u64,
    too_big: u64,
    copied: u64,
}

impl Met {
    fn note(&mut self, frame: &[u8], outcome: &Outcome) {
        for reason in outcome.drops() {
            *self.drops.entry(reason).or_default() += 1;
        }
        if let Some(reason) = outcome.consumed() {
            *self.consumed.entry(reason).or_default() += 1;
        }
        for copy in outcome.copies() {
            let is_wrapped = copy.bytes[6..12] != frame[6..12] && copy.bytes[6] == 6;
            let was_wrapped = frame[6] == 8 && copy.bytes[6] == 2;
            self.into_tunnels += u64::from(is_wrapped);
            self.out_of_tunnels += u64::from(was_wrapped);
        }
    }
}

fn walk(seed: u64, isa: Isa, steps: usize, met: &mut Met) {
    let mut random = Random::new(seed ^ 0x07e2_1a75);
    let mut pair = Pair::new(&mut random, seed, isa);
    for step in 0..steps {
        let at = format!("seed {seed}, step {step}, {}", isa.name());
        match random.below(100) {
            0..=7 => pair.change(&mut random, seed),
            8..=20 => pair.now += Duration::from_micros(random.below(300_000) as u64),
            _ => {
                let (interface, frame) = pair.frame(&mut random);
                let outcome = pair.oracle.frame(pair.now, interface, &frame);
                let mut seen = pair.bench.frame(pair.now, interface, &frame);
                seen.sent.sort();
                assert_eq!(
                    seen,
                    expected(&outcome),
                    "{at}: {frame:02x?} on interface {interface}\n{:#?}\n{:#?}",
                    pair.bench.topology,
                    pair.bench.view,
                );
                check_events(&mut pair, interface, &outcome, &frame, met, &at);
                check_punts(&mut pair.bench, &outcome, &frame, &at);
                met.note(&frame, &outcome);
            }
        }
        if step % 64 == 63 {
            pair.check_learned(&at);
        }
    }
    pair.check_learned(&format!("seed {seed}, {}", isa.name()));
}

/// The protocol thread gets what the oracle says, and copies to learn neighbours from.
fn check_events(
    pair: &mut Pair,
    interface: InterfaceId,
    outcome: &Outcome,
    frame: &[u8],
    met: &mut Met,
    at: &str,
) {
    let mut wanted: Vec<ProtocolEvent> = Vec::new();
    if let Outcome::Consumed(reason) = outcome
        && is_of_underlay(*reason)
    {
        wanted.push(ProtocolEvent::Consumed(*reason));
    }
    wanted.extend(pair.oracle.notices().iter().map(|notice| match notice {
        Notice::TooBig { mtu } => ProtocolEvent::TooBig { mtu: *mtu },
        Notice::Copied(reason) => ProtocolEvent::Copied(*reason),
    }));
    let mut got = Vec::new();
    while let Ok(event) = pair.bench.protocols.pop() {
        check_event(pair, interface, &event, frame, at);
        match event.event {
            ProtocolEvent::Neighbor => met.neighbors += 1,
            ProtocolEvent::TooBig { .. } => met.too_big += 1,
            ProtocolEvent::Copied(_) => met.copied += 1,
            ProtocolEvent::Consumed(_) => {}
        }
        if event.event != ProtocolEvent::Neighbor {
            got.push(event.event);
        }
    }
    // Copies of one frame have no order among them.
    let order = |event: &ProtocolEvent| match event {
        ProtocolEvent::TooBig { mtu } => *mtu,
        _ => 0,
    };
    got.sort_by_key(order);
    wanted.sort_by_key(order);
    assert_eq!(got, wanted, "{at}: {frame:02x?}");
}

const fn is_of_underlay(reason: PuntReason) -> bool {
    matches!(reason, PuntReason::UnderlayNeighbor | PuntReason::UnderlayIcmp | PuntReason::Bfd)
}

fn check_event(pair: &Pair, interface: InterfaceId, event: &ProtocolFrame, frame: &[u8], at: &str) {
    match event.event {
        ProtocolEvent::Consumed(_) | ProtocolEvent::Copied(_) => {
            let link = &pair.bench.underlay.links[event.link.index()];
            assert_eq!(link.interface, interface, "{at}");
            let is_tagged = matches!(frame[12..14], [0x81, 0x00] | [0x88, 0xa8]);
            let untagged = [&frame[..12], &frame[if is_tagged { 16 } else { 12 }..]].concat();
            assert_eq!(*event.bytes, *untagged, "{at}");
        }
        ProtocolEvent::TooBig { .. } | ProtocolEvent::Neighbor => {
            let (fid, member) = event.place;
            let place = pair.bench.numbering.locate(fid, member).expect("a place");
            let bridge = pair.bench.topology.bridges.get(&place.owner);
            if event.event == ProtocolEvent::Neighbor {
                assert!(bridge.unwrap().neighbor_suppression.is_on(), "{at}");
                assert!(matches!(event.bytes[12..14], [8, 6] | [0x86, 0xdd]), "{at}");
            } else {
                assert_eq!(event.bytes[0] & 1, 0, "{at}: told of a group");
            }
            // What came in a tunnel begins later.
            let inner = frame.windows(12).any(|part| *part == event.bytes[..12]);
            assert!(inner, "{at}: the frame's own addresses");
        }
    }
    assert_eq!(event.bytes.len(), event.octets as usize, "{at}");
}

#[test]
fn the_pipeline_does_with_frames_in_and_out_of_tunnels_what_the_oracle_says() {
    let mut met = Met::default();
    let first = std::env::var("SLUICE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    for seed in first..first + cases() * 3 {
        for isa in Isa::available() {
            walk(seed, isa, 400, &mut met);
        }
    }
    let tunnel = |reason: &&DropReason| {
        // Congestion has tests of its own; few of these frames meet it.
        reason.stage() == bridge_model::reason::Stage::Tunnel
            && **reason != DropReason::TunnelCongested
            && !met.drops.contains_key(reason)
    };
    let missing: Vec<&DropReason> = DropReason::ALL.iter().filter(tunnel).collect();
    assert!(missing.is_empty(), "never met: {missing:?} but {:?}", met.drops);
    for reason in PuntReason::ALL.iter().filter(|reason| is_of_underlay(**reason)) {
        assert!(met.consumed.contains_key(reason), "never met {reason}");
    }
    // Rare: only a run of many cases is sure to meet one.
    assert!(cases() < 20 || met.consumed.contains_key(&PuntReason::NeighborSuppressed));
    let counts = [met.out_of_tunnels, met.into_tunnels, met.neighbors, met.too_big, met.copied];
    assert!(counts.iter().all(|count| *count > 5), "{counts:?}");
}

#[test]
fn a_trace_tells_what_the_pipeline_then_does_with_frames_of_tunnels() {
    let (mut tunnelled, mut answered) = (0, 0);
    for seed in 0..cases() * 2 {
        let mut random = Random::new(0x7ace_0b0e ^ seed);
        let mut pair = Pair::new(&mut random, seed, Isa::detect());
        // A trace asks no policer.
        let (mut topology, view) = (pair.bench.topology.clone(), pair.bench.view.clone());
        for trunk in topology.trunks.values_mut() {
            trunk.storm_control = StormControl::default();
        }
        for port in topology.access_ports.values_mut() {
            port.storm_control = StormControl::default();
        }
        pair.reconfigure(topology, view);
        for (index, address) in ADDRESSES.iter().enumerate() {
            let known = Some((station(index as u64 % 8).get(), index % 2 == 0));
            for bridge in ["b0", "b1", "b2"] {
                pair.set_known(bridge, address, known);
            }
        }
        for step in 0..300 {
            let (interface, frame) = pair.frame(&mut random);
            let trace = what_if(&pair.bench.image, interface, &frame);
            let mut seen = pair.bench.frame(pair.now, interface, &frame);
            seen.sent.sort();
            assert_eq!(seen, told(&trace), "seed {seed}, step {step}: {:?}", trace.steps);
            let steps = &trace.steps;
            tunnelled += steps.iter().filter(|s| matches!(s, Step::Tunnelled { .. })).count();
            answered += steps.iter().filter(|s| matches!(s, Step::Answered { .. })).count();
            while pair.bench.punts.pop().is_ok() {}
            while pair.bench.protocols.pop().is_ok() {}
            pair.now += Duration::from_millis(1);
        }
    }
    assert!(tunnelled > 200 && answered > 2, "only {tunnelled} and {answered}");
}

/// Frames in bursts on one interface, which end where a station is learned.
fn burst_walk(seed: u64, isa: Isa) {
    let mut random = Random::new(seed ^ 0x00b0_5757);
    let mut pair = Pair::new(&mut random, seed, isa);
    let topology = &pair.bench.topology;
    let limited = topology.trunks.values().any(|trunk| trunk.mac_limit.is_some())
        || topology.access_ports.values().any(|port| port.mac_limit.is_some())
        || topology.bridges.values().any(|bridge| bridge.mac_limit.is_some());
    for (index, address) in ADDRESSES.iter().enumerate() {
        let known = (station(index as u64 % 8).get(), index % 2 == 0);
        pair.set_known("b0", address, Some(known));
    }
    for round in 0..40 {
        let at = format!("seed {seed}, round {round}, {}", isa.name());
        pair.now += Duration::from_micros(random.below(100_000) as u64);
        let mut interface = InterfaceId(random.below(usize::from(INTERFACES)) as u16);
        if let Some(link) = pair.bench.underlay.links.first()
            && !random.one_in(3)
        {
            interface = link.interface;
        }
        let (mut frames, mut outcomes) = (Vec::new(), Vec::new());
        while frames.len() < BURST {
            let frame = (0..20).find_map(|_| {
                let (at, frame) = outer::frame(&mut random, &pair.bench.underlay, &pair.bench.view);
                (at == interface).then_some(frame)
            });
            let frame = frame.filter(|_| !random.one_in(6));
            let frame = frame.unwrap_or_else(|| inner::frame(&mut random));
            let known = pair.oracle.learned();
            outcomes.push(pair.oracle.frame(pair.now, interface, &frame));
            frames.push(frame);
            let learned = pair.oracle.learned();
            if learned.len() != known.len() || limited && learned != known {
                break;
            }
        }
        let slices: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        let seen = pair.bench.burst(pair.now, interface, &slices);
        while pair.bench.punts.pop().is_ok() {}
        while pair.bench.protocols.pop().is_ok() {}
        check_burst(&seen, &frames, &outcomes, &at);
    }
    pair.check_learned(&format!("seed {seed}, {}", isa.name()));
}

#[test]
fn a_burst_of_tunnels_does_what_its_frames_do_one_by_one_and_keeps_their_order() {
    for seed in 0..cases() * 2 {
        for isa in Isa::available() {
            burst_walk(seed, isa);
        }
    }
}
