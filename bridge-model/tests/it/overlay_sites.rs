//! Section 1, the overlay: generated sites of hosts, zones and tunnels, most of them broken somewhere.
//! What is accepted keeps the limits, said here a second time; and the text of a site is accepted
//! exactly if the site is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use bridge_model::site;
use bridge_model::topology::{
    AccessPort, BfdTimers, Binding, Bridge, GatewayBridge, Host, IpFamily, Kind, MssClamp,
    NeighborSuppression, Route, StaticKey, StaticMac, Topology, TrunkPort, Tunnel, TunnelDscp,
    TunnelKind, TunnelZone, UdpChecksum, UnderlayLink, VlanSet, Vtep, unfit_for_host,
};
use bridge_model::types::{MacAddr, Name, Tpid, VlanId, Vni};
use ipnet::IpNet;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::world::name;

const HOSTS: [&str; 3] = ["a", "b", "c"];
const INTERFACES: [&str; 3] = ["up0", "up1", "tap0"];
const BRIDGES: [&str; 2] = ["web", "raw"];
/// Addresses that several hosts want, and some that are none of a host.
const STRAY: [&str; 6] =
    ["192.0.2.1", "198.51.100.2", "203.0.113.1", "224.0.0.1", "2001:db8::1", "fe80::1"];

fn names(of: &[&str]) -> Vec<Name> {
    of.iter().copied().map(name).collect()
}

/// Mostly an address that only this machine wants, on one of two networks.
fn ip(machine: usize) -> impl Strategy<Value = IpAddr> + Clone {
    let own = (any::<bool>(), 0..3_u8).prop_map(move |(first, which)| {
        let last = machine * 3 + usize::from(which) + 10;
        let net = if first { "192.0.2." } else { "198.51.100." };
        format!("{net}{last}").parse().unwrap()
    });
    let own_v6 = (0..3_u8)
        .prop_map(move |which| format!("2001:db8::{machine}:{}", which + 1).parse().unwrap());
    let stray = select(&STRAY[..]).prop_map(|text| text.parse().unwrap());
    prop_oneof![12 => own, 6 => own_v6, 1 => stray]
}

fn vlan() -> impl Strategy<Value = VlanId> + Clone {
    select(vec![10_u16, 40, 4094]).prop_map(|raw| VlanId::new(raw).unwrap())
}

fn bfd() -> impl Strategy<Value = Option<BfdTimers>> {
    let interval = select(vec![10_u64, 100, 1000, 1500, 60_000]).prop_map(Duration::from_millis);
    let timers = (interval, select(vec![1_u8, 3, 255]))
        .prop_map(|(interval, multiplier)| BfdTimers { interval, multiplier });
    prop::option::of(timers)
}

fn vtep(machine: usize) -> impl Strategy<Value = Vtep> {
    prop::collection::vec(ip(machine), 0..4).prop_map(|addresses| {
        let mut vtep = Vtep::default();
        for address in addresses {
            match address {
                IpAddr::V4(v4) => vtep.v4 = Some(v4),
                IpAddr::V6(v6) => vtep.v6 = Some(v6),
            }
        }
        vtep
    })
}

fn link(machine: usize) -> impl Strategy<Value = UnderlayLink> {
    let len = prop_oneof![8 => Just(24_u8), 1 => select(vec![0_u8, 31, 32])];
    let address = (ip(machine), len).prop_map(|(address, len)| {
        let len = if address.is_ipv6() { len * 2 } else { len };
        format!("{address}/{len}").parse().unwrap()
    });
    let count = prop_oneof![1 => Just(0_usize), 12 => 1..3_usize];
    let kernel = prop_oneof![4 => Just("tap0"), 1 => select(&INTERFACES[..])];
    (
        select(&INTERFACES[..2]),
        prop::option::weighted(0.5, vlan()),
        count.prop_flat_map(move |count| prop::collection::vec(address.clone(), count)),
        prop::option::weighted(0.2, kernel),
    )
        .prop_map(|(interface, vlan, addresses, kernel)| UnderlayLink {
            interface: name(interface),
            vlan,
            addresses,
            kernel: kernel.map(name),
        })
}

fn route(machine: usize) -> impl Strategy<Value = Route> {
    let to = select(vec!["0.0.0.0/0", "10.0.0.0/8", "::/0"]).prop_map(|to| to.parse().unwrap());
    let router = select(vec!["192.0.2.254", "192.0.2.253", "198.51.100.254", "2001:db8::fe"])
        .prop_map(|text| text.parse().unwrap());
    let via = prop_oneof![6 => router, 1 => ip(machine)];
    (to, prop::collection::vec(via, 1..3)).prop_map(|(to, via)| Route { to, via })
}

fn host(index: usize) -> impl Strategy<Value = Host> {
    let links = prop::collection::vec(link(index), 0..3);
    (vtep(index), links, prop::collection::vec(route(index), 0..3)).prop_map(
        move |(vtep, underlay, routes)| Host { name: name(HOSTS[index]), vtep, underlay, routes },
    )
}

fn zone(index: usize) -> impl Strategy<Value = TunnelZone> {
    let who = (any::<bool>(), subsequence(&HOSTS[..], 0..=3));
    let family = prop::option::weighted(0.2, select(vec![IpFamily::V4, IpFamily::V6]));
    let checksum = prop_oneof![
        4 => Just(UdpChecksum::Auto),
        1 => select(vec![UdpChecksum::Zero, UdpChecksum::Computed]),
    ];
    let port = prop_oneof![8 => Just(4789_u16), 2 => Just(8472), 1 => Just(3784)];
    let dscp = select(vec![TunnelDscp::Fixed(0), TunnelDscp::Fixed(63), TunnelDscp::Copy]);
    (who, family, checksum, port, dscp, bfd()).prop_map(
        move |((is_gre, hosts), family, udp_checksum, udp_port, dscp, bfd)| TunnelZone {
            name: name(&format!("z{index}")),
            kind: if is_gre { TunnelKind::Gre } else { TunnelKind::Vxlan },
            family,
            hosts: names(&hosts),
            udp_checksum,
            udp_port,
            dscp,
            bfd,
        },
    )
}

fn tunnel(index: usize) -> impl Strategy<Value = Tunnel> {
    let called = select(vec!["t0", "t1", "t2", "a", "p0"]);
    (
        prop::option::weighted(0.1, called),
        0..2_usize,
        ip(3 + index),
        subsequence(&BRIDGES[..], 0..=2),
        bfd(),
    )
        .prop_map(move |(called, zone, remote, bridges, bfd)| Tunnel {
            name: called.map_or_else(|| name(&format!("far{index}")), name),
            zone: name(&format!("z{zone}")),
            remote,
            bridges: names(&bridges),
            bfd,
        })
}

fn bridge(index: usize) -> impl Strategy<Value = Bridge> {
    let vni = prop::option::weighted(0.9, Just(Vni::new(5000 + u32::try_from(index).unwrap())));
    (vni, any::<bool>(), any::<bool>()).prop_map(move |(vni, suppresses, clamps)| Bridge {
        vni: vni.map(Result::unwrap),
        transparent: index == 1,
        neighbor_suppression: if suppresses {
            NeighborSuppression::On
        } else {
            NeighborSuppression::Off
        },
        mss_clamp: if clamps { MssClamp::On } else { MssClamp::Off },
        ..Bridge::new(name(BRIDGES[index]))
    })
}

/// An access port or a trunk on an interface that an underlay link may want too.
#[derive(Clone, Debug)]
enum Port {
    Access(AccessPort),
    Trunk(TrunkPort),
}

fn port() -> impl Strategy<Value = Port> {
    let binding = || {
        (select(&HOSTS[..]), select(&INTERFACES[..]))
            .prop_map(|(host, interface)| Binding { host: name(host), interface: name(interface) })
    };
    let access = (binding(), select(&BRIDGES[..])).prop_map(|(binding, bridge)| {
        Port::Access(AccessPort::new(name("p0"), name(bridge), Some(binding)))
    });
    let tpid = select(vec![Tpid::CTag, Tpid::CTag, Tpid::STag]);
    let vlans = (prop::option::of(vlan()), prop::option::of(vlan()));
    let trunk = (binding(), vlans, tpid).prop_map(|(binding, (allowed, native), tpid)| {
        let mut trunk = TrunkPort::new(name("t0"), name("gw"), Some(binding));
        trunk.allowed = allowed.map(|vid| VlanSet::from_iter([vid]));
        trunk.native = native.filter(|vid| allowed.is_none_or(|other| other == *vid));
        trunk.tpid = tpid;
        Port::Trunk(trunk)
    });
    prop_oneof![access, trunk]
}

/// A site without what breaks a limit.
fn mended(mut site: Topology) -> Topology {
    while let Err(errors) = site.check() {
        let error = &errors[0];
        let id = error.object().id.as_str();
        match (error.object().kind, error.field(), error.item()) {
            (Kind::Host, "underlay", Some((index, _))) => {
                site.hosts.get_mut(id).unwrap().underlay.remove(index);
            }
            (Kind::Host, "routes", Some((index, _))) => {
                site.hosts.get_mut(id).unwrap().routes.remove(index);
            }
            (Kind::Host, ..) => site.hosts.get_mut(id).unwrap().vtep = Vtep::default(),
            (Kind::TunnelZone, "udpPort", _) => {
                site.tunnel_zones.get_mut(id).unwrap().udp_port = TunnelZone::VXLAN_PORT;
            }
            (Kind::TunnelZone, "udpChecksum", _) => {
                site.tunnel_zones.get_mut(id).unwrap().udp_checksum = UdpChecksum::Auto;
            }
            (Kind::TunnelZone, ..) => {
                site.tunnel_zones.get_mut(id).unwrap().hosts.pop();
            }
            (Kind::Tunnel, "bridges", _) => site.tunnels.get_mut(id).unwrap().bridges.clear(),
            (Kind::Tunnel, ..) => {
                site.tunnels.remove(id);
            }
            _ => site.static_macs.clear(),
        }
    }
    site
}

/// A site of three hosts, half of them sound.
fn any_site() -> BoxedStrategy<Topology> {
    prop_oneof![raw_site(), raw_site().prop_map(mended)].boxed()
}

fn raw_site() -> BoxedStrategy<Topology> {
    let hosts = (host(0), host(1), host(2)).boxed();
    let tunnels = prop::collection::vec((0..2_usize).prop_flat_map(tunnel), 0..3);
    let rest = (
        (zone(0), zone(1)),
        tunnels,
        (bridge(0), bridge(1)),
        prop::option::of(port()),
        any::<bool>(),
    )
        .boxed();
    (hosts, rest)
        .prop_map(|(hosts, (zones, tunnels, bridges, port, has_static))| {
            let mut site = Topology::default();
            let hosts = [hosts.0, hosts.1, hosts.2];
            site.hosts.extend(hosts.map(|host| (host.name.clone(), host)));
            site.bridges.extend([bridges.0, bridges.1].map(|b| (b.name.clone(), b)));
            site.tunnel_zones.extend([zones.0, zones.1].map(|zone| (zone.name.clone(), zone)));
            site.tunnels.extend(tunnels.into_iter().map(|t| (t.name.clone(), t)));
            match port {
                Some(Port::Access(port)) => {
                    site.access_ports.insert(port.name.clone(), port);
                }
                Some(Port::Trunk(trunk)) => {
                    let gateway = GatewayBridge::new(trunk.gateway_bridge.clone());
                    site.gateway_bridges.insert(gateway.name.clone(), gateway);
                    site.trunks.insert(trunk.name.clone(), trunk);
                }
                None => {}
            }
            if let (true, Some(tunnel)) = (has_static, site.tunnels.keys().next()) {
                let mac = MacAddr::new([2, 0, 0, 0, 0, 1]).try_into().unwrap();
                let key = StaticKey { bridge: name("web"), mac, payload_vid: None };
                let entry = StaticMac { key: key.clone(), port: tunnel.clone(), vid: None };
                site.static_macs.insert(key, entry);
            }
            site
        })
        .boxed()
}

/// The limits, as a reader of the documentation would go about them.
fn assert_limits(site: &Topology) {
    let mut owner: BTreeMap<IpAddr, &Name> = BTreeMap::new();
    for host in site.hosts.values() {
        let on_links: Vec<IpAddr> =
            host.underlay.iter().flat_map(|link| &link.addresses).map(IpNet::addr).collect();
        assert_eq!(on_links.iter().collect::<BTreeSet<_>>().len(), on_links.len());
        let own: BTreeSet<IpAddr> = on_links.iter().copied().chain(host.vtep.addresses()).collect();
        for address in &own {
            assert_eq!(unfit_for_host(address), None);
            assert_eq!(owner.insert(*address, &host.name), None, "{address}");
        }
        for route in &host.routes {
            for via in &route.via {
                let mut links = host.underlay.iter().flat_map(|link| &link.addresses);
                assert!(links.any(|net| net.contains(via)) && !own.contains(via), "{via}");
            }
        }
        for link in &host.underlay {
            assert!(!link.addresses.is_empty());
            let here = |binding: &Binding| {
                binding.host == host.name && binding.interface == link.interface
            };
            for trunk in site.trunks.values().filter(|t| t.binding().is_some_and(here)) {
                match link.vlan {
                    None => assert_eq!(trunk.native, None),
                    Some(vlan) => {
                        assert!(!site.carried_vids(trunk).contains(&vlan));
                        assert_eq!(trunk.tpid, Tpid::CTag);
                    }
                }
            }
            for port in site.access_ports.values().filter(|p| p.binding.as_ref().is_some_and(here))
            {
                assert!(link.vlan.is_some() && !site.bridges[&port.bridge].transparent);
            }
            let Some(kernel) = &link.kernel else { continue };
            let users = host.underlay.iter().filter(|other| other.kernel.as_ref() == Some(kernel));
            assert_eq!(users.count(), 1);
            assert!(host.underlay.iter().all(|other| other.interface != *kernel));
        }
    }
    for a in site.hosts.values() {
        for b in site.hosts.values().filter(|b| b.name != a.name) {
            let both =
                |zone: &&TunnelZone| zone.hosts.contains(&a.name) && zone.hosts.contains(&b.name);
            let zones: Vec<_> = site.tunnel_zones.values().filter(both).collect();
            assert!(zones.len() < 2, "{zones:?}");
            for zone in zones {
                let common = |family| a.vtep.get(family).is_some() && b.vtep.get(family).is_some();
                match zone.family {
                    Some(family) => assert!(common(family)),
                    None => assert!(common(IpFamily::V4) || common(IpFamily::V6)),
                }
            }
        }
    }
    for tunnel in site.tunnels.values() {
        assert_eq!(owner.insert(tunnel.remote, &tunnel.name), None, "{}", tunnel.remote);
        assert!(!site.hosts.contains_key(&tunnel.name));
        assert!(tunnel.bridges.iter().all(|bridge| site.bridges[bridge].vni.is_some()));
    }
}

proptest! {
    #[test]
    fn a_text_is_accepted_exactly_if_the_site_is_and_means_the_same(site in any_site()) {
        let yaml = site::to_yaml(&site);
        let read = site::parse("x", &yaml);
        match site.check() {
            Ok(()) => {
                assert_limits(&site);
                prop_assert_eq!(read.map_err(|errors| errors.to_string()), Ok(site), "{}", yaml);
            }
            Err(errors) => {
                prop_assert!(read.is_err(), "{:?}\n{}", errors, yaml);
                for error in errors {
                    prop_assert!(!error.help().is_empty() && !error.code().is_empty());
                    let (host, place) = (site.hosts.get(error.object().id.as_str()), error.item());
                    if let (Some(host), Some((index, _))) = (host, place) {
                        let most = host.underlay.len().max(host.routes.len());
                        prop_assert!(index < most, "{:?}", error);
                    }
                }
            }
        }
    }

    #[test]
    fn every_place_of_an_error_is_within_the_text(
        site in any_site(),
        cut in 0..2000_usize,
        len in 0..20_usize,
        text in "[-{}\\[\\]:, \n\"a-z0-9./]{0,20}",
    ) {
        // All of it is ASCII, so that any octet begins a character.
        let mut yaml = site::to_yaml(&site);
        let cut = cut.min(yaml.len());
        yaml.replace_range(cut..(cut + len).min(yaml.len()), &text);
        if let Err(errors) = site::parse("x", &yaml) {
            prop_assert!(!errors.is_empty());
            for error in errors.iter() {
                prop_assert!(error.span.end <= yaml.len() && error.line >= 1 && error.column >= 1);
                prop_assert!(!error.help.is_empty(), "{:?}", error);
            }
            prop_assert!(errors.to_string().contains("help: "));
        }
    }

    #[test]
    fn the_difference_of_two_overlays_is_empty_exactly_if_they_are_equal(
        old in any_site(),
        new in any_site(),
    ) {
        prop_assert_eq!(old.diff(&new).is_empty(), old == new);
        prop_assert!(old.diff(&old.clone()).is_empty());
        for difference in old.diff(&new) {
            prop_assert!(!difference.to_string().contains('\n'));
        }
    }
}

#[test]
fn the_generator_of_overlays_breaks_every_limit_and_mending_leaves_something() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::{RngSeed, TestRunner};

    let config = ProptestConfig { rng_seed: RngSeed::Fixed(7), ..ProptestConfig::default() };
    let mut runner = TestRunner::new(config);
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..1500 {
        let site = raw_site().new_tree(&mut runner).unwrap().current();
        match site.check() {
            Ok(()) => *seen.entry("sound").or_default() += 1,
            Err(errors) => {
                for error in errors {
                    *seen.entry(error.code()).or_default() += 1;
                }
            }
        }
        // What the other tests find accepted is not empty either.
        let site = mended(site);
        let hosts = || site.hosts.values();
        for (what, is_there) in [
            ("with a link", hosts().any(|host| !host.underlay.is_empty())),
            ("with two links", hosts().any(|host| host.underlay.len() == 2)),
            ("with a route", hosts().any(|host| !host.routes.is_empty())),
            ("with a kernel", hosts().any(|h| h.underlay.iter().any(|l| l.kernel.is_some()))),
            ("with a zone of two", site.tunnel_zones.values().any(|zone| zone.hosts.len() > 1)),
            ("with a tunnel", site.tunnels.values().any(|tunnel| !tunnel.bridges.is_empty())),
            ("with a static MAC", !site.static_macs.is_empty()),
        ] {
            *seen.entry(what).or_default() += usize::from(is_there);
        }
    }
    for code in [
        "with a link",
        "with two links",
        "with a route",
        "with a kernel",
        "with a zone of two",
        "with a tunnel",
        "with a static MAC",
        "sound",
        "address_taken",
        "bridge_without_vni",
        "host_without_family",
        "host_without_vtep",
        "kernel_taken",
        "listed_twice",
        "next_hop_family",
        "next_hop_off_link",
        "next_hop_own",
        "no_common_family",
        "not_a_host_address",
        "out_of_range",
        "port_name_taken",
        "remote_taken",
        "remote_unreachable",
        "route_twice",
        "static_elsewhere",
        "udp_needs_vxlan",
        "underlay_tpid",
        "underlay_twice",
        "underlay_untagged_taken",
        "underlay_vlan_taken",
        "underlay_without_address",
        "vtep_taken",
        "zones_overlap",
    ] {
        assert!(seen.get(code).copied().unwrap_or(0) >= 2, "{code} in {seen:?}");
    }
}

#[test]
fn every_example_of_the_manual_is_accepted_but_for_what_it_leaves_out() {
    let manual = include_str!("../../../docs/ops/site-file.md");
    let examples: Vec<&str> = manual
        .split("```yaml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default())
        .collect();
    assert!(examples.len() >= 8, "{}", examples.len());
    for example in examples {
        let errors = site::parse("example", example).err();
        let wrong = errors.iter().flat_map(site::SiteErrors::iter);
        let wrong: Vec<_> = wrong.filter(|error| error.code != "missing_reference").collect();
        assert!(wrong.is_empty(), "{example}\n{wrong:?}");
    }
    let whole = manual.split("```yaml\n").find(|text| text.contains("flows are spread over both"));
    let whole = whole.and_then(|text| text.split("```").next()).unwrap();
    let site = crate::world::topology(whole);
    assert_eq!((site.hosts.len(), site.tunnel_zones.len()), (2, 1));
}
