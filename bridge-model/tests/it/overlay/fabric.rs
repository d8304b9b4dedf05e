//! Several hosts at once, joined by a fabric that delivers every tunnel packet: what section 6 says of
//! the whole. One overlay broadcast appears once on each physical segment, one physical broadcast once at
//! each overlay port, no frame returns to its segment, and a station that was heard gets one copy.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

use bridge_model::compile::{HostView, InterfaceView, Link};
use bridge_model::types::{InterfaceId, MacAddr};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::world::{Frame, World, frame, mac, name, topology};

const INTERFACES: [&str; 6] = ["up0", "e0", "e1", "v0", "v1", "v2"];
const VIDS: [u16; 2] = [10, 20];
const BRIDGES: [&str; 2] = ["web", "db"];

/// A site in the making, host by host.
#[derive(Clone, Debug)]
struct Plan {
    zone: String,
    /// Of each VID, the bridge that it leads into.
    links: [Option<usize>; 2],
    hosts: Vec<HostPlan>,
}

#[derive(Clone, Debug)]
struct HostPlan {
    /// Of two trunks, the VIDs that they carry.
    trunks: [Vec<u16>; 2],
    /// Of three access ports, the bridge.
    ports: [Option<usize>; 3],
}

/// Where a station can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Location {
    /// At an interface of a host.
    Port(usize, usize),
    /// On the physical segment of a VID, which every trunk that carries it leads to.
    Segment(u16),
}

fn plan() -> impl Strategy<Value = Plan> {
    let bridge = || prop::option::weighted(0.8, 0..2_usize);
    let vids = || prop_oneof![2 => Just(VIDS.to_vec()), 3 => subsequence(VIDS.to_vec(), 0..3)];
    let host = ([vids(), vids()], [bridge(), bridge(), bridge()])
        .prop_map(|(trunks, ports)| HostPlan { trunks, ports });
    let zone = select(vec![
        "kind: vxlan",
        "kind: vxlan, ipVersion: ipv6",
        "kind: vxlan, udpChecksum: computed, udpPort: 8472",
        "kind: gre",
        "kind: gre, ipVersion: ipv6",
    ]);
    (zone, [bridge(), bridge()], prop::collection::vec(host, 2..5))
        .prop_map(|(zone, links, hosts)| Plan { zone: zone.to_owned(), links, hosts })
}

impl Plan {
    fn site(&self) -> String {
        let mut hosts = "hosts:\n".to_owned();
        let mut names = Vec::new();
        let mut trunks = "trunks:\n".to_owned();
        let mut ports = "accessPorts:\n".to_owned();
        for (index, host) in self.hosts.iter().enumerate() {
            let id = index + 1;
            names.push(format!("n{id}"));
            _ = writeln!(
                hosts,
                "- {{name: n{id}, vtep: [10.0.0.{id}, \"fd00::{id}\"], underlay: [{{interface: up0, \
                 addresses: [10.0.0.{id}/24, \"fd00::{id}/64\"]}}]}}"
            );
            for (trunk, vids) in host.trunks.iter().enumerate().filter(|(_, vids)| !vids.is_empty())
            {
                _ = writeln!(
                    trunks,
                    "- {{name: t{id}-{trunk}, gatewayBridge: gw, host: n{id}, interface: e{trunk}, \
                     allowed: {vids:?}}}"
                );
            }
            for (port, bridge) in host.ports.iter().enumerate() {
                if let Some(bridge) = bridge {
                    let bridge = BRIDGES[*bridge];
                    _ = writeln!(
                        ports,
                        "- {{name: p{id}-{port}, bridge: {bridge}, host: n{id}, interface: v{port}}}"
                    );
                }
            }
        }
        let mut links = "vlanLinks:\n".to_owned();
        for (vid, bridge) in VIDS.iter().zip(self.links) {
            if let Some(bridge) = bridge {
                let bridge = BRIDGES[bridge];
                _ = writeln!(
                    links,
                    "- {{gatewayBridge: gw, vid: {vid}, bridge: {bridge}, join: true}}"
                );
            }
        }
        let (zone, names) = (&self.zone, names.join(", "));
        format!(
            "{hosts}bridges: [{{name: web, vni: 1}}, {{name: db, vni: 16777215}}]
gatewayBridges: [{{name: gw}}]
{trunks}{links}{ports}tunnelZones: [{{name: z, {zone}, hosts: [{names}], bfd: off}}]
"
        )
    }

    /// Where stations of a bridge can be.
    fn locations(&self, bridge: usize) -> BTreeSet<Location> {
        let mut locations = BTreeSet::new();
        for (host, plan) in self.hosts.iter().enumerate() {
            for (port, of) in plan.ports.iter().enumerate() {
                if *of == Some(bridge) {
                    locations.insert(Location::Port(host, 3 + port));
                }
            }
        }
        for (vid, of) in VIDS.iter().zip(self.links) {
            let carries = |host: &HostPlan| host.trunks.iter().any(|vids| vids.contains(vid));
            if of == Some(bridge) && self.hosts.iter().any(carries) {
                locations.insert(Location::Segment(*vid));
            }
        }
        locations
    }
}

/// The hosts, each with its oracle and its tables.
struct Fabric {
    plan: Plan,
    hosts: Vec<World>,
}

fn own(host: usize, interface: usize) -> MacAddr {
    let octet = |number: usize| u8::try_from(number).unwrap();
    MacAddr::new([6, 0, 0, 0, octet(host), octet(interface)])
}

impl Fabric {
    fn new(plan: Plan) -> Self {
        let site = plan.site();
        let count = plan.hosts.len();
        let hosts = (0..count).map(|host| {
            let interface = |(index, text): (usize, &&str)| InterfaceView {
                name: name(text),
                mtu: 1500,
                mac: own(host, index),
                link: Link::Up,
            };
            let interfaces = INTERFACES.iter().enumerate().map(interface).collect();
            let view = HostView::new(name(&format!("n{}", host + 1)), interfaces);
            let mut world = World::with(topology(&site), view);
            for other in 0..count {
                for address in [format!("10.0.0.{}", other + 1), format!("fd00::{}", other + 1)] {
                    world.resolve(&address, Some(own(other, 0)));
                }
            }
            world
        });
        Self { hosts: hosts.collect(), plan }
    }

    /// A station writes; where copies of its frame come to light, and how often. What is flooded on a
    /// physical segment reaches every trunk there.
    fn send(&mut self, from: Location, sent: &Frame) -> BTreeMap<Location, usize> {
        let mut queue = VecDeque::new();
        match from {
            Location::Port(host, interface) => {
                queue.push_back((host, interface, sent.bytes.clone()));
            }
            Location::Segment(vid) => {
                for (host, plan) in self.plan.hosts.iter().enumerate() {
                    for (trunk, vids) in plan.trunks.iter().enumerate() {
                        if vids.contains(&vid) {
                            queue.push_back((host, 1 + trunk, sent.clone().tag(vid).bytes));
                        }
                    }
                }
            }
        }
        let mut seen: BTreeMap<Location, usize> = BTreeMap::new();
        while let Some((host, interface, bytes)) = queue.pop_front() {
            let id = InterfaceId(u16::try_from(interface).unwrap());
            let outcome = self.hosts[host].send_bytes(id, &bytes);
            for copy in outcome.copies() {
                let at = usize::from(copy.interface.0);
                let location = match at {
                    0 => {
                        let to = (0..self.hosts.len())
                            .find(|to| copy.bytes.starts_with(&own(*to, 0).octets()));
                        let to = to.expect("a tunnel leads to a host");
                        assert_ne!(to, host, "a tunnel leads elsewhere");
                        queue.push_back((to, 0, copy.bytes.clone()));
                        continue;
                    }
                    1 | 2 => {
                        assert_eq!(copy.bytes[12..14], [0x81, 0x00]);
                        assert_eq!(copy.bytes[16..], sent.bytes[12..], "the frame changed");
                        Location::Segment(u16::from_be_bytes([copy.bytes[14], copy.bytes[15]]))
                    }
                    _ => {
                        assert_eq!(copy.bytes, sent.bytes, "the frame changed");
                        Location::Port(host, at)
                    }
                };
                *seen.entry(location).or_default() += 1;
            }
        }
        seen
    }
}

/// What a station does.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Goes to a place of its bridge, and says so to all.
    Move(usize),
    /// Writes to another station, heard of or not.
    Write(usize),
}

const STATIONS: [&str; 5] = ["A", "B", "C", "D", "E"];

fn act() -> impl Strategy<Value = (usize, Act)> {
    let act = prop_oneof![
        2 => (0..100_usize).prop_map(Act::Move),
        3 => (0..STATIONS.len()).prop_map(Act::Write),
    ];
    (0..STATIONS.len(), act)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn section_6_every_place_gets_a_flood_once_and_a_known_station_gets_its_frames_once(
        plan in plan(),
        bridge in 0..2_usize,
        acts in prop::collection::vec(act(), 1..30),
    ) {
        let locations = plan.locations(bridge);
        prop_assume!(!locations.is_empty());
        let mut fabric = Fabric::new(plan);
        let mut heard: BTreeMap<usize, Location> = BTreeMap::new();
        for (station, act) in acts {
            let to_all = |from: Location| {
                let others = locations.iter().filter(|location| **location != from);
                others.map(|location| (*location, 1)).collect::<BTreeMap<_, _>>()
            };
            let (from, destination, expected) = match act {
                Act::Move(to) => {
                    let from = *locations.iter().nth(to % locations.len()).unwrap();
                    heard.insert(station, from);
                    (from, "*", to_all(from))
                }
                Act::Write(to) => {
                    let Some(&from) = heard.get(&station) else { continue };
                    let expected = match heard.get(&to) {
                        Some(there) if *there == from => BTreeMap::new(),
                        Some(there) => BTreeMap::from([(*there, 1)]),
                        None => to_all(from),
                    };
                    (from, STATIONS[to], expected)
                }
            };
            let sent = frame(STATIONS[station], destination);
            prop_assert_eq!(
                fabric.send(from, &sent),
                expected,
                "{} {:?} at {:?}, to {}",
                STATIONS[station],
                mac(STATIONS[station]),
                from,
                destination
            );
        }
    }
}
