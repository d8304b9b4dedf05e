//! Generated sites, frames and changes: the compiled tables agree with the oracle frame by frame, and
//! what is said of every frame (see `World::check_invariants`) holds.

use std::time::Duration;

use bridge_model::compile::{
    InterfaceView, Link, MacLimit, OverLimit, Scope, StormLimits, StormRate,
};
use bridge_model::site;
use bridge_model::topology::{
    AccessPort, AdminState, Ageing, Attachment, Binding, Bridge, GatewayBridge, Host, LinkKey,
    RedundancyMode, ReservedPolicy, StaticKey, StaticMac, StormControl, Topology, TrunkPort,
    VlanLink, VlanSet,
};
use bridge_model::types::{IndividualMac, MacAddr, Tpid, VlanId};
use proptest::prelude::*;
use proptest::sample::select;

use crate::world::{World, frame, name, view};

const INTERFACES: [&str; 5] = ["i0", "i1", "i2", "i3", "i4"];
const VIDS: [u16; 4] = [1, 2, 77, 4094];

fn vid() -> impl Strategy<Value = VlanId> + Clone {
    select(&VIDS[..]).prop_map(|raw| VlanId::new(raw).unwrap())
}

fn mostly(usual: bool) -> impl Strategy<Value = bool> + Clone {
    prop::bool::weighted(if usual { 0.9 } else { 0.1 })
}

fn admin() -> impl Strategy<Value = AdminState> {
    prop::bool::weighted(0.97).prop_map(|up| if up { AdminState::Up } else { AdminState::Down })
}

fn mac_limit() -> impl Strategy<Value = Option<MacLimit>> {
    let over = select(vec![OverLimit::Forward, OverLimit::Drop]);
    prop::option::weighted(
        0.2,
        (1..4_u32, over).prop_map(|(entries, over)| MacLimit { entries, over }),
    )
}

fn storm() -> BoxedStrategy<StormControl> {
    let rate = || {
        let rate = (1..5_u32, 1..5_u32)
            .prop_map(|(frames_per_second, burst)| StormRate { frames_per_second, burst });
        prop::option::weighted(0.5, rate)
    };
    let limits =
        || {
            (rate(), rate(), rate()).prop_map(|(broadcast, multicast, unknown_unicast)| {
                StormLimits { broadcast, multicast, unknown_unicast }
            })
        };
    let both = (limits(), limits()).prop_map(|(port, per_vlan)| StormControl { port, per_vlan });
    prop::option::weighted(0.5, both).prop_map(Option::unwrap_or_default).boxed()
}

/// Mostly the interface `home` of this host, else another, seldom of another host, seldom none.
fn binding(home: usize) -> impl Strategy<Value = Option<Binding>> {
    let interface = prop_oneof![6 => Just(INTERFACES[home]), 4 => select(&INTERFACES[..])];
    let here = (prop::bool::weighted(0.97), interface);
    prop::option::weighted(0.97, here).prop_map(|binding| {
        let (here, interface) = binding?;
        let host = name(if here { "h" } else { "other" });
        Some(Binding { host, interface: name(interface) })
    })
}

fn bridge(index: usize) -> impl Strategy<Value = Bridge> {
    (mostly(false), admin(), mac_limit(), 10..60_u64).prop_map(
        move |(transparent, admin, mac_limit, ageing)| Bridge {
            transparent,
            admin,
            mac_limit,
            ageing: Ageing::from_secs(ageing).unwrap(),
            ..Bridge::new(name(&format!("b{index}")))
        },
    )
}

fn gateway(index: usize) -> impl Strategy<Value = GatewayBridge> {
    (any::<bool>(), any::<bool>(), admin(), any::<bool>()).prop_map(
        move |(stp, transit, admin, pass)| {
            let mut gateway = GatewayBridge::new(name(&format!("g{index}")));
            gateway.admin = admin;
            if stp {
                gateway.mode = RedundancyMode::StpTransparent;
                gateway.transit = transit;
                if pass {
                    let mvrp = MacAddr::new([0x01, 0x80, 0xc2, 0, 0, 0x21]);
                    gateway.reserved.insert(mvrp, ReservedPolicy::Pass);
                }
            }
            gateway
        },
    )
}

fn trunk(index: usize) -> impl Strategy<Value = TrunkPort> {
    let allowed = prop::collection::vec(vid(), 0..5).prop_map(VlanSet::from_iter);
    let tpid = select(vec![Tpid::CTag, Tpid::CTag, Tpid::CTag, Tpid::STag]);
    let gateway = prop_oneof![3 => Just(0_usize), 1 => Just(1)];
    let which = (gateway, binding(index), prop::option::weighted(0.25, allowed));
    let how = (prop::option::weighted(0.4, vid()), tpid, admin(), mac_limit(), storm());
    (which, how).prop_map(
        move |((gateway, binding, allowed), (native, tpid, admin, limit, storm))| TrunkPort {
            name: name(&format!("t{index}")),
            gateway_bridge: name(&format!("g{gateway}")),
            attachment: binding.map(Attachment::Interface),
            allowed,
            native,
            tpid,
            admin,
            mac_limit: limit,
            storm_control: storm,
        },
    )
}

fn access(index: usize) -> impl Strategy<Value = AccessPort> {
    (0..3_usize, binding(index + 1), admin(), mac_limit(), storm()).prop_map(
        move |(bridge, binding, admin, mac_limit, storm_control)| AccessPort {
            name: name(&format!("p{index}")),
            bridge: name(&format!("b{bridge}")),
            binding,
            admin,
            mac_limit,
            storm_control: StormControl { per_vlan: StormLimits::default(), ..storm_control },
        },
    )
}

fn link() -> impl Strategy<Value = VlanLink> {
    let inner = prop::option::weighted(0.15, vid());
    let gateway = prop_oneof![3 => Just(0_usize), 1 => Just(1)];
    (gateway, vid(), inner, 0..3_usize).prop_map(|(gateway, vid, inner_vid, bridge)| VlanLink {
        key: LinkKey { gateway_bridge: name(&format!("g{gateway}")), vid, inner_vid },
        bridge: name(&format!("b{bridge}")),
        join: true,
    })
}

fn station() -> impl Strategy<Value = IndividualMac> {
    (b'A'..=b'E').prop_map(|last| MacAddr::new([2, 0, 0, 0, 0, last]).try_into().unwrap())
}

fn static_mac() -> impl Strategy<Value = StaticMac> {
    let port = (any::<bool>(), 0..3_usize);
    (0..3_usize, station(), port, prop::option::of(vid()), prop::option::weighted(0.2, vid()))
        .prop_map(|(bridge, mac, (trunk, port), vid, inner)| {
            let bridge = name(&format!("b{bridge}"));
            if trunk {
                let vid = vid.map(|vid| (vid, inner));
                let key = StaticKey { bridge, mac, payload_vid: None };
                StaticMac { key, port: name(&format!("t{port}")), vid }
            } else {
                let key = StaticKey { bridge, mac, payload_vid: vid };
                StaticMac { key, port: name(&format!("p{port}")), vid: None }
            }
        })
}

/// A site that keeps the limits: what breaks one is left out.
fn site_() -> BoxedStrategy<Topology> {
    // Boxed, because the trees of values are too large for a test's stack otherwise.
    let bridges = (bridge(0), bridge(1), bridge(2)).boxed();
    let gateways = (gateway(0), gateway(1)).boxed();
    let trunks = (trunk(0).boxed(), trunk(1).boxed(), trunk(2).boxed()).boxed();
    let ports =
        (access(0).boxed(), access(1).boxed(), access(2).boxed(), access(3).boxed()).boxed();
    let links = prop::collection::vec(link().boxed(), 2..10).boxed();
    let statics = prop::collection::vec(static_mac().boxed(), 0..4).boxed();
    (bridges, gateways, trunks, ports, links, statics)
        .prop_map(|(bridges, gateways, trunks, ports, links, statics)| {
            let mut site = Topology::default();
            for host in ["h", "other"] {
                site.hosts.insert(name(host), Host::new(name(host)));
            }
            let keyed = |bridge: Bridge| (bridge.name.clone(), bridge);
            site.bridges.extend([bridges.0, bridges.1, bridges.2].map(keyed));
            let keyed = |gateway: GatewayBridge| (gateway.name.clone(), gateway);
            site.gateway_bridges.extend([gateways.0, gateways.1].map(keyed));
            for link in links {
                keep_if_allowed(&mut site, |site| {
                    site.vlan_links.insert(link.key.clone(), link);
                });
            }
            for trunk in [trunks.0, trunks.1, trunks.2] {
                keep_if_allowed(&mut site, |site| {
                    site.trunks.insert(trunk.name.clone(), trunk);
                });
            }
            for port in [ports.0, ports.1, ports.2, ports.3] {
                keep_if_allowed(&mut site, |site| {
                    site.access_ports.insert(port.name.clone(), port);
                });
            }
            for entry in statics {
                keep_if_allowed(&mut site, |site| {
                    site.static_macs.insert(entry.key.clone(), entry);
                });
            }
            site
        })
        .boxed()
}

fn keep_if_allowed(site: &mut Topology, change: impl FnOnce(&mut Topology)) {
    let mut changed = site.clone();
    change(&mut changed);
    if changed.check().is_ok() {
        *site = changed;
    }
}

/// A frame that is likely to be interesting: few stations, few VIDs, all kinds of tags, reserved
/// addresses, odd lengths; sometimes plain garbage.
fn bytes() -> BoxedStrategy<Vec<u8>> {
    const RESERVED: [&str; 7] = [
        "01:80:c2:00:00:00",
        "01:80:c2:00:00:02",
        "01:80:c2:00:00:0e",
        "01:80:c2:00:00:21",
        "01:80:c2:00:00:03",
        "01:00:0c:cc:cc:cd",
        "01:00:0c:cc:cc:cc",
    ];
    const STATIONS: [&str; 5] = ["A", "B", "C", "D", "E"];
    let source = prop_oneof![
        20 => select(&STATIONS[..]),
        1 => select(vec!["*", "00:00:00:00:00:00"]),
    ];
    let destination = prop_oneof![
        10 => select(&STATIONS[..]),
        1 => Just("00:00:00:00:00:00"),
        4 => select(vec!["*", "m"]),
        2 => select(&RESERVED[..]),
    ];
    let vid = prop_oneof![20 => select(&VIDS[..]), 1 => select(vec![0_u16, 4095, 9])];
    let tag = (vid, mostly(true), mostly(false));
    let count = prop_oneof![4 => Just(0_usize), 6 => Just(1), 2 => Just(2), 1 => Just(3)];
    let tags = count.prop_flat_map(move |count| prop::collection::vec(tag.clone(), count));
    let odd = vec![60_usize, 64, 14, 18, 20, 30, 1514, 1515, 1518, 1522, 1600];
    let len = prop_oneof![4 => Just(100_usize), 1 => select(odd)];
    let good = (source, destination, tags, len, mostly(false)).prop_map(
        |(source, destination, tags, len, pvst)| {
            let mut f = frame(source, destination).grown(1600);
            if pvst {
                f.bytes[12..22].copy_from_slice(&[0, 50, 0xaa, 0xaa, 3, 0, 0, 0x0c, 1, 0x0b]);
            }
            for (vid, customer, urgent) in tags {
                f = match (customer, urgent) {
                    (true, false) => f.tag(vid),
                    (true, true) => f.urgent_tag(vid),
                    (false, _) => f.stag(vid),
                };
            }
            f.cut(len).bytes
        },
    );
    prop_oneof![
        30 => good,
        1 => prop::collection::vec(any::<u8>(), 0..80),
    ]
    .boxed()
}

/// What happens between two frames.
#[derive(Clone, Debug)]
enum Step {
    Frame(usize, Vec<u8>),
    Wait(Duration),
    Link(usize, Link),
    Mtu(usize, u16),
    Site(Box<Topology>),
    Flush(Scope),
}

fn scope() -> impl Strategy<Value = Scope> {
    let gateway = (0..2_usize, prop::option::of(vid()));
    prop_oneof![
        select(vec!["p0", "p1", "t0", "t1"]).prop_map(|port| Scope::Port(name(port))),
        gateway.prop_map(|(g, vid)| Scope::GatewayBridge { name: name(&format!("g{g}")), vid }),
        (0..3_usize).prop_map(|b| Scope::Bridge(name(&format!("b{b}")))),
        Just(Scope::All),
    ]
}

fn step() -> BoxedStrategy<Step> {
    prop_oneof![
        60 => (0..6_usize, bytes()).prop_map(|(interface, bytes)| Step::Frame(interface, bytes)),
        3 => (0..70_000_u64).prop_map(|ms| Step::Wait(Duration::from_millis(ms))),
        1 => (0..5_usize, select(vec![Link::Up, Link::Down])).prop_map(|(i, link)| Step::Link(i, link)),
        1 => (0..5_usize, select(vec![68_u16, 1500, 9600])).prop_map(|(i, mtu)| Step::Mtu(i, mtu)),
        1 => site_().prop_map(|site| Step::Site(Box::new(site))),
        1 => scope().prop_map(Step::Flush),
    ]
    .boxed()
}

fn take(world: &mut World, step: Step) {
    let interface = |index: usize| bridge_model::types::InterfaceId(u16::try_from(index).unwrap());
    match step {
        Step::Frame(index, bytes) => {
            world.send_bytes(interface(index), &bytes);
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
        Step::Site(site) => world.reconfigure(*site, world.view.clone()),
        Step::Flush(scope) => world.flush(&scope),
    }
}

proptest! {
    #[test]
    fn tables_and_oracle_agree_on_every_frame_whatever_changes(
        site in site_(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut world = World::with(site, view(&INTERFACES));
        for step in steps {
            take(&mut world, step);
        }
    }

    #[test]
    fn a_site_survives_its_own_text(site in site_()) {
        let yaml = site::to_yaml(&site);
        let read = site::parse("x", &yaml);
        prop_assert_eq!(read.map_err(|errors| errors.to_string()), Ok(site), "{}", yaml);
    }

    #[test]
    fn the_difference_of_two_sites_is_empty_exactly_if_they_are_equal(
        old in site_(),
        new in site_(),
    ) {
        prop_assert_eq!(old.diff(&new).is_empty(), old == new);
        prop_assert!(old.diff(&old.clone()).is_empty());
        prop_assert_eq!(old.diff(&new).len(), new.diff(&old).len());
    }

    #[test]
    fn a_frame_is_never_changed_but_for_its_tags_and_padding(
        site in site_(),
        frames in prop::collection::vec((0..5_usize, bytes()), 1..30),
    ) {
        let mut world = World::with(site, view(&INTERFACES));
        for (index, bytes) in frames {
            let interface = world.interface(INTERFACES[index]);
            let outcome = world.send_bytes(interface, &bytes);
            // Shows every copy, which compares what is behind the tags.
            let _ = world.shown(&bytes, &outcome);
        }
    }
}

#[test]
fn the_generators_reach_every_outcome_that_the_rules_know() {
    use bridge_model::oracle::Outcome;
    use bridge_model::reason::DropReason::{self, *};
    use proptest::strategy::ValueTree;
    use proptest::test_runner::{RngSeed, TestRunner};

    let config = ProptestConfig { rng_seed: RngSeed::Fixed(7), ..ProptestConfig::default() };
    let mut runner = TestRunner::new(config);
    let mut seen = std::collections::BTreeMap::new();
    let mut sent = 0;
    for round in 0..100 {
        let site = site_().new_tree(&mut runner).unwrap().current();
        let mut world = World::with(site, view(&INTERFACES));
        let mut view = world.view.clone();
        view.interfaces[4].link = if round % 5 == 0 { Link::Down } else { Link::Up };
        world.reconfigure(world.topology.clone(), view);
        for _ in 0..200 {
            let (index, bytes) = (prop_oneof![30 => 0..5_usize, 1 => Just(5)], bytes())
                .new_tree(&mut runner)
                .unwrap()
                .current();
            let id = bridge_model::types::InterfaceId(u16::try_from(index).unwrap());
            let outcome = world.send_bytes(id, &bytes);
            sent += usize::from(matches!(outcome, Outcome::Sent { .. }));
            for reason in outcome.drops() {
                *seen.entry(reason).or_insert(0) += 1;
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
    assert!(sent > 1500, "only {sent} of 20000 frames were sent: {seen:?}");
}
