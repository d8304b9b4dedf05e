//! Generated sites, frames and changes: the compiled tables agree with the oracle frame by frame, and
//! what is said of every frame (see `World::check_invariants`) holds.

mod frames;
mod outer;
mod overlay;
mod site;

use std::collections::BTreeMap;
use std::time::Duration;

use bridge_model::compile::{InterfaceView, Link, Scope};
use bridge_model::reason::{DropReason, PuntReason};
use bridge_model::site as site_file;
use bridge_model::topology::Topology;
use bridge_model::types::{InterfaceId, MacAddr, Name};
use bridge_model::wire::ethernet::Header;
use proptest::prelude::*;
use proptest::sample::select;

use self::frames::{STATION_IPS, bytes};
use self::outer::{Outer, outer};
pub(crate) use self::overlay::PEER_NAMES;
use self::overlay::{PEERS, ROUTERS};
use self::site::vid;
pub(crate) use self::site::{HOSTS, INTERFACES, site};
use crate::world::{World, mac, name, view};

/// What arrives on an interface.
#[derive(Clone, Debug)]
enum Arrival {
    Frame(Vec<u8>),
    Packet(Box<Outer>),
}

impl Arrival {
    /// The frame, and the interface that it arrives on: the one with this number, unless the frame
    /// knows better.
    fn build(&self, world: &World, index: usize) -> (InterfaceId, Vec<u8>) {
        match self {
            Self::Frame(bytes) => (number(index), bytes.clone()),
            Self::Packet(outer) => outer.build(world, index),
        }
    }
}

fn arrival() -> BoxedStrategy<Arrival> {
    prop_oneof![
        6 => bytes().prop_map(Arrival::Frame),
        6 => outer().prop_map(|outer| Arrival::Packet(Box::new(outer))),
        1 => outer::station().prop_map(Arrival::Frame),
    ]
    .boxed()
}

/// What happens between two frames.
#[derive(Clone, Debug)]
enum Step {
    Arrival(usize, Arrival),
    Wait(Duration),
    Link(usize, Link),
    Mtu(usize, u16),
    Peer(Name, Link),
    PathMtu(Name, Option<u16>),
    /// A next hop is resolved, or is so no more.
    Resolve(&'static str, Option<MacAddr>),
    /// A station of a bridge has an address, and is a router or not; or it is forgotten.
    Know(&'static str, &'static str, Option<(MacAddr, bool)>),
    Site(Box<Topology>),
    Flush(Scope),
}

fn scope() -> impl Strategy<Value = Scope> {
    let gateway = (0..2_usize, prop::option::of(vid()));
    prop_oneof![
        select(vec!["p0", "p1", "t0", "t1"]).prop_map(|port| Scope::Port(name(port))),
        select(&PEER_NAMES[..]).prop_map(|peer| Scope::Port(Name::of_peer(&name(peer)))),
        gateway.prop_map(|(g, vid)| Scope::GatewayBridge { name: name(&format!("g{g}")), vid }),
        (0..3_usize).prop_map(|b| Scope::Bridge(name(&format!("b{b}")))),
        Just(Scope::All),
    ]
}

fn step() -> BoxedStrategy<Step> {
    let up = || select(vec![Link::Up, Link::Down]);
    let hop = prop_oneof![select(&PEERS[..]), select(&ROUTERS[..])];
    let router = prop::option::weighted(0.8, any::<u8>());
    let router = router.prop_map(|last| last.map(|last| MacAddr::new([8, 0, 0, 0, 1, last])));
    let station = (select(vec!["A", "B", "C"]).prop_map(mac), any::<bool>());
    let known = prop::option::weighted(0.8, station);
    let know = (select(vec!["b0", "b1", "b2"]), select(&STATION_IPS[..]), known);
    let peer = || select(&PEER_NAMES[..]).prop_map(name);
    let path_mtu = prop::option::of(select(vec![100_u16, 576, 1280, 1400]));
    prop_oneof![
        60 => (0..7_usize, arrival()).prop_map(|(interface, what)| Step::Arrival(interface, what)),
        3 => (0..70_000_u64).prop_map(|ms| Step::Wait(Duration::from_millis(ms))),
        1 => (0..6_usize, up()).prop_map(|(i, link)| Step::Link(i, link)),
        1 => (0..6_usize, select(vec![68_u16, 1500, 9600])).prop_map(|(i, mtu)| Step::Mtu(i, mtu)),
        1 => (peer(), up()).prop_map(|(peer, link)| Step::Peer(peer, link)),
        1 => (peer(), path_mtu).prop_map(|(peer, mtu)| Step::PathMtu(peer, mtu)),
        3 => (hop, router).prop_map(|(hop, router)| Step::Resolve(hop, router)),
        3 => know.prop_map(|(bridge, address, known)| Step::Know(bridge, address, known)),
        1 => site().prop_map(|site| Step::Site(Box::new(site))),
        1 => scope().prop_map(Step::Flush),
    ]
    .boxed()
}

fn number(index: usize) -> InterfaceId {
    InterfaceId(u16::try_from(index).unwrap())
}

/// A host with most of its next hops resolved.
fn world(site: Topology) -> World {
    let mut world = World::with(site, view(&INTERFACES));
    for (index, hop) in (0..).zip(PEERS.iter().chain(&ROUTERS)) {
        if index % 7 != 6 {
            world.resolve(hop, Some(MacAddr::new([8, 0, 0, 0, 0, index])));
        }
    }
    world
}

fn take(world: &mut World, step: Step) {
    match step {
        Step::Arrival(index, what) => {
            let (interface, bytes) = what.build(world, index);
            world.send_bytes(interface, &bytes);
        }
        Step::Wait(time) => world.wait(time),
        Step::Link(index, link) => {
            let mut view = world.view.clone();
            view.interfaces[index] = InterfaceView { link, ..view.interfaces[index].clone() };
            world.reconfigure(world.topology.clone(), view);
        }
        Step::Mtu(index, mtu) => {
            let mut view = world.view.clone();
            view.interfaces[index].mtu = mtu;
            world.reconfigure(world.topology.clone(), view);
        }
        Step::Peer(peer, link) => {
            let mut view = world.view.clone();
            match link {
                Link::Up => view.peers_down.remove(&peer),
                Link::Down => view.peers_down.insert(peer),
            };
            world.reconfigure(world.topology.clone(), view);
        }
        Step::PathMtu(peer, mtu) => {
            let mut view = world.view.clone();
            match mtu {
                Some(mtu) => view.path_mtus.insert(peer, mtu),
                None => view.path_mtus.remove(&peer),
            };
            world.reconfigure(world.topology.clone(), view);
        }
        Step::Resolve(hop, mac) => world.resolve(hop, mac),
        Step::Know(bridge, address, known) => world.know(bridge, address, known),
        Step::Site(site) => world.reconfigure(*site, world.view.clone()),
        Step::Flush(scope) => world.flush(&scope),
    }
}

proptest! {
    #[test]
    fn tables_and_oracle_agree_on_every_frame_whatever_changes(
        site in site(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut world = world(site);
        for step in steps {
            take(&mut world, step);
        }
    }

    #[test]
    fn a_site_survives_its_own_text(site in site()) {
        let yaml = site_file::to_yaml(&site);
        let read = site_file::parse("x", &yaml);
        prop_assert_eq!(read.map_err(|errors| errors.to_string()), Ok(site), "{}", yaml);
    }

    #[test]
    fn the_difference_of_two_sites_is_empty_exactly_if_they_are_equal(
        old in site(),
        new in site(),
    ) {
        prop_assert_eq!(old.diff(&new).is_empty(), old == new);
        prop_assert!(old.diff(&old.clone()).is_empty());
        prop_assert_eq!(old.diff(&new).len(), new.diff(&old).len());
    }

    #[test]
    fn a_frame_is_never_changed_but_for_its_tags_padding_and_segment_size(
        site in site(),
        arrivals in prop::collection::vec((0..6_usize, arrival()), 1..30),
    ) {
        let mut site = site;
        for bridge in site.bridges.values_mut() {
            bridge.mss_clamp = bridge_model::topology::MssClamp::Off;
        }
        let mut world = world(site);
        for (index, what) in arrivals {
            let (interface, bytes) = what.build(&world, index);
            let outcome = world.send_bytes(interface, &bytes);
            // The mark of congestion on a tunnel is handed on to what is in it (RFC 6040).
            if !is_marked(&bytes) {
                // Shows every copy, which compares what is behind the tags.
                let _ = world.shown(interface, &bytes, &outcome);
            }
        }
    }
}

/// The frame carries an IP packet that met congestion.
fn is_marked(frame: &[u8]) -> bool {
    let Ok(header) = Header::parse(frame) else { return false };
    let ip = frame.get(header.payload_offset()..).unwrap_or_default();
    let ecn = match header.type_or_length {
        0x0800 => ip.get(1).map(|octet| octet & 3),
        0x86dd => ip.get(1).map(|octet| octet >> 4 & 3),
        _ => None,
    };
    ecn == Some(3)
}

#[test]
fn the_generators_reach_every_outcome_that_the_rules_know() {
    use DropReason::{
        BpduRateLimit, BufferChained, NoBuffer, PuntFull, Shutdown, TxFull, TxLinkDown,
    };
    use proptest::strategy::ValueTree;
    use proptest::test_runner::{RngSeed, TestRunner};

    let config = ProptestConfig { rng_seed: RngSeed::Fixed(7), ..ProptestConfig::default() };
    let mut runner = TestRunner::new(config);
    let mut seen: BTreeMap<DropReason, usize> = BTreeMap::new();
    let mut consumed: BTreeMap<PuntReason, usize> = BTreeMap::new();
    // Copies that left from a bridge port, in tunnels, and out of them.
    let mut sent = [0_usize; 3];
    for round in 0..150 {
        let site = site().new_tree(&mut runner).unwrap().current();
        let mut world = world(site);
        let mut view = world.view.clone();
        view.interfaces[3].link = if round % 5 == 0 { Link::Down } else { Link::Up };
        if round % 4 == 0 {
            view.peers_down.insert(name(PEER_NAMES[round % 6]));
        }
        world.reconfigure(world.topology.clone(), view);
        for bridge in ["b0", "b1", "b2"] {
            for (address, station) in STATION_IPS.iter().zip(["A", "B", "A", "C"]) {
                world.know(bridge, address, Some((mac(station), false)));
            }
        }
        for _ in 0..200 {
            let (index, what) = (prop_oneof![30 => 0..6_usize, 1 => Just(6)], arrival())
                .new_tree(&mut runner)
                .unwrap()
                .current();
            let (interface, bytes) = what.build(&world, index);
            let outcome = world.send_bytes(interface, &bytes);
            for copy in outcome.copies() {
                let from_tunnel = copy.bytes[6..12] != bytes[6..12] && bytes[6] == 8;
                let in_tunnel = copy.bytes[6] == 6;
                sent[if in_tunnel { 1 } else { usize::from(from_tunnel) * 2 }] += 1;
            }
            for reason in outcome.drops() {
                *seen.entry(reason).or_insert(0) += 1;
            }
            if let Some(reason) = outcome.consumed() {
                *consumed.entry(reason).or_insert(0) += 1;
            }
        }
    }
    // These belong to the data plane's queues and buffers, which the oracle does not have.
    let elsewhere =
        [BufferChained, BpduRateLimit, NoBuffer, TxFull, TxLinkDown, PuntFull, Shutdown];
    let missing: Vec<&DropReason> = DropReason::ALL
        .iter()
        .filter(|reason| !seen.contains_key(*reason) && !elsewhere.contains(*reason))
        .collect();
    assert!(missing.is_empty(), "never seen: {missing:?}");
    let missing: Vec<&PuntReason> =
        PuntReason::ALL.iter().filter(|reason| !consumed.contains_key(*reason)).collect();
    assert!(missing.is_empty(), "never consumed: {missing:?}");
    assert!(sent.iter().all(|count| *count > 500), "sent only {sent:?} of 30000: {seen:?}");
}
