//! Generated sites that keep the limits.

use bridge_model::compile::{MacLimit, OverLimit, StormLimits, StormRate};
use bridge_model::topology::{
    AccessPort, AdminState, Ageing, Attachment, Binding, Bridge, GatewayBridge, LinkKey, MssClamp,
    NeighborSuppression, RedundancyMode, ReservedPolicy, StaticKey, StaticMac, StormControl,
    Topology, TrunkPort, VlanLink, VlanSet,
};
use bridge_model::types::{IndividualMac, MacAddr, Tpid, VlanId, Vni};
use proptest::prelude::*;
use proptest::sample::select;

use super::overlay;
use crate::world::name;

/// The interfaces of host `h`. Ports are on the first five; the last is for a way to the kernel.
pub(crate) const INTERFACES: [&str; 6] = ["i0", "i1", "i2", "i3", "i4", "i5"];
pub(super) const VIDS: [u16; 4] = [1, 2, 77, 4094];
/// The hosts of a site; the first is the one that is looked at.
pub(crate) const HOSTS: [&str; 4] = ["h", "o1", "o2", "o3"];

pub(super) fn vid() -> impl Strategy<Value = VlanId> + Clone {
    select(&VIDS[..]).prop_map(|raw| VlanId::new(raw).unwrap())
}

pub(super) fn mostly(usual: bool) -> impl Strategy<Value = bool> + Clone {
    prop::bool::weighted(if usual { 0.9 } else { 0.1 })
}

fn admin() -> impl Strategy<Value = AdminState> {
    prop::bool::weighted(0.95).prop_map(|up| if up { AdminState::Up } else { AdminState::Down })
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

/// Mostly the interface `home`, else another, of host `h` in so many cases out of ten, seldom none.
fn binding(home: usize, here: u32) -> impl Strategy<Value = Option<Binding>> {
    let interface = prop_oneof![6 => Just(INTERFACES[home]), 4 => select(&INTERFACES[..5])];
    let host = prop_oneof![here => Just("h"), 10 - here => select(&HOSTS[1..])];
    prop::option::weighted(0.97, (host, interface)).prop_map(|binding| {
        let (host, interface) = binding?;
        Some(Binding { host: name(host), interface: name(interface) })
    })
}

fn bridge(index: u32) -> impl Strategy<Value = Bridge> {
    let how = (mostly(false), admin(), mac_limit(), 10..60_u64);
    let overlay = (prop::bool::weighted(0.9), any::<bool>(), any::<bool>());
    (how, overlay).prop_map(
        move |((transparent, admin, mac_limit, ageing), (has_vni, suppress, clamp))| Bridge {
            transparent,
            admin,
            mac_limit,
            ageing: Ageing::from_secs(ageing).unwrap(),
            vni: has_vni.then(|| Vni::new(5000 + index).unwrap()),
            neighbor_suppression: if suppress {
                NeighborSuppression::On
            } else {
                NeighborSuppression::Off
            },
            mss_clamp: if clamp { MssClamp::On } else { MssClamp::Off },
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
    let which = (gateway, binding(index, 8), prop::option::weighted(0.25, allowed));
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
    // The last two are mostly on other hosts.
    let binding = if index < 4 { binding(index + 1, 8) } else { binding(1, 1) };
    (0..3_usize, binding, admin(), mac_limit(), storm()).prop_map(
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
    let port = (0..3_usize, 0..3_usize);
    (0..3_usize, station(), port, prop::option::of(vid()), prop::option::weighted(0.2, vid()))
        .prop_map(|(bridge, mac, (kind, port), vid, inner)| {
            let bridge = name(&format!("b{bridge}"));
            let key = StaticKey { bridge, mac, payload_vid: None };
            match kind {
                0 => {
                    let vid = vid.map(|vid| (vid, inner));
                    StaticMac { key, port: name(&format!("t{port}")), vid }
                }
                1 => {
                    let key = StaticKey { payload_vid: vid, ..key };
                    StaticMac { key, port: name(&format!("p{port}")), vid: None }
                }
                _ => StaticMac { key, port: name(&format!("f{port}")), vid: None },
            }
        })
}

/// A site that keeps the limits: what breaks one is left out.
pub(crate) fn site() -> BoxedStrategy<Topology> {
    // Boxed, because the trees of values are too large for a test's stack otherwise.
    let bridges = (bridge(0), bridge(1), bridge(2)).boxed();
    let gateways = (gateway(0), gateway(1)).boxed();
    let trunks = (trunk(0).boxed(), trunk(1).boxed(), trunk(2).boxed()).boxed();
    let ports = (0..6).map(|index| access(index).boxed()).collect::<Vec<_>>().boxed();
    let links = prop::collection::vec(link().boxed(), 2..10).boxed();
    let statics = prop::collection::vec(static_mac().boxed(), 0..4).boxed();
    (bridges, gateways, trunks, ports, (links, statics), overlay::overlay())
        .prop_map(|(bridges, gateways, trunks, ports, (links, statics), overlay)| {
            let mut site = Topology::default();
            let keyed = |bridge: Bridge| (bridge.name.clone(), bridge);
            site.bridges.extend([bridges.0, bridges.1, bridges.2].map(keyed));
            let keyed = |gateway: GatewayBridge| (gateway.name.clone(), gateway);
            site.gateway_bridges.extend([gateways.0, gateways.1].map(keyed));
            for link in links {
                keep_if_allowed(&mut site, |site| {
                    site.vlan_links.insert(link.key.clone(), link);
                });
            }
            overlay.add_to(&mut site);
            for trunk in [trunks.0, trunks.1, trunks.2] {
                keep_if_allowed(&mut site, |site| {
                    site.trunks.insert(trunk.name.clone(), trunk);
                });
            }
            for port in ports {
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

pub(super) fn keep_if_allowed(site: &mut Topology, change: impl FnOnce(&mut Topology)) {
    let mut changed = site.clone();
    change(&mut changed);
    if changed.check().is_ok() {
        *site = changed;
    }
}
