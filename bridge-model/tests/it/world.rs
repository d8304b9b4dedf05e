//! A small language for tests: sites as site files, frames and outcomes as short texts.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use bridge_model::compile::{HostView, InterfaceView, Link, Scope};
use bridge_model::oracle::{Copy, Exit, Learned, Oracle, Outcome};
use bridge_model::site;
use bridge_model::topology::Topology;
use bridge_model::types::{InterfaceId, MacAddr, Name, Pcp, Priority, Tpid, VlanTag};
use bridge_model::wire::ethernet::{self, Header};
use bridge_model::wire::ip::{Datagram, Packet};
use bridge_model::wire::tunnel;

use crate::machine::Machine;

/// A host with its oracle and its compiled tables.
pub(crate) struct World {
    pub(crate) topology: Topology,
    pub(crate) view: HostView,
    pub(crate) oracle: Oracle,
    pub(crate) machine: Machine,
    pub(crate) now: Duration,
}

/// A frame in the making.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn topology(text: &str) -> Topology {
    site::parse("test.yaml", text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The host `h` with interfaces of MTU 1500 that are up. Their addresses are 06:00:00:00:00:00 and
/// following.
pub(crate) fn view(interfaces: &[&str]) -> HostView {
    let interface = |(index, text): (u16, &&str)| InterfaceView {
        name: name(text),
        mtu: 1500,
        mac: MacAddr::new([6, 0, 0, 0, index.to_be_bytes()[0], index.to_be_bytes()[1]]),
        link: Link::Up,
    };
    HostView::new(name("h"), (0..).zip(interfaces).map(interface).collect())
}

/// A station by letter (`A`), `*` for broadcast, `m` for a multicast group, or written out.
pub(crate) fn mac(text: &str) -> MacAddr {
    match text.as_bytes() {
        b"*" => MacAddr::BROADCAST,
        b"m" => MacAddr::new([0x01, 0x00, 0x5e, 0, 0, 1]),
        &[letter @ b'A'..=b'Z'] => MacAddr::new([2, 0, 0, 0, 0, letter]),
        _ => text.parse().unwrap(),
    }
}

/// A frame of 100 octets in front of tags, from `source` to `destination`, untagged so far.
pub(crate) fn frame(source: &str, destination: &str) -> Frame {
    payload(source, destination, &[0xa5; 86])
}

/// An untagged frame with this behind its type.
pub(crate) fn payload(source: &str, destination: &str, payload: &[u8]) -> Frame {
    Frame { bytes: ethernet::build(mac(destination), mac(source), &[], 0x88b5, payload) }
}

impl Frame {
    /// The frame inside a tag.
    pub(crate) fn within(mut self, tag: VlanTag) -> Self {
        let mut bytes = tag.tpid.ether_type().to_be_bytes().to_vec();
        bytes.extend(tag.tci.to_be_bytes());
        self.bytes.splice(12..12, bytes);
        self
    }

    /// The frame inside a customer tag; VID 0 and 4095 are possible.
    pub(crate) fn tag(self, vid: u16) -> Self {
        self.within(VlanTag { tpid: Tpid::CTag, tci: vid })
    }

    /// The frame inside a service tag.
    pub(crate) fn stag(self, vid: u16) -> Self {
        self.within(VlanTag { tpid: Tpid::STag, tci: vid })
    }

    /// The frame inside a customer tag with PCP 5 and DEI.
    pub(crate) fn urgent_tag(self, vid: u16) -> Self {
        let priority = Priority { pcp: Pcp::from_low_bits(5), dei: true };
        self.within(VlanTag { tpid: Tpid::CTag, tci: priority.to_tci() | vid })
    }

    pub(crate) fn cut(mut self, octets: usize) -> Self {
        self.bytes.truncate(octets);
        self
    }

    pub(crate) fn grown(mut self, octets: usize) -> Self {
        self.bytes.resize(octets, 0xa5);
        self
    }
}

/// The tags in front: `10`, `s10` for a service tag, `10p5` with PCP, `10p5d` with DEI.
fn tags(header: &Header) -> String {
    let one = |tag: VlanTag| {
        let service = if tag.tpid == Tpid::STag { "s" } else { "" };
        let Priority { pcp, dei } = tag.priority();
        let pcp = if pcp.get() == 0 { String::new() } else { format!("p{}", pcp.get()) };
        format!("{service}{}{pcp}{}", tag.vid_raw(), if dei { "d" } else { "" })
    };
    header.outer.into_iter().chain(header.inner).map(one).collect::<Vec<_>>().join(".")
}

impl World {
    pub(crate) fn new(site: &str, interfaces: &[&str]) -> Self {
        Self::with(topology(site), view(interfaces))
    }

    pub(crate) fn with(topology: Topology, view: HostView) -> Self {
        topology.check().unwrap_or_else(|errors| panic!("{errors:?}"));
        let oracle = Oracle::new(topology.clone(), view.clone());
        let machine = Machine::new(&topology, &view);
        Self { topology, view, oracle, machine, now: Duration::from_secs(1) }
    }

    pub(crate) fn interface(&self, text: &str) -> InterfaceId {
        self.view.interface_id(&name(text)).unwrap_or(InterfaceId(u16::MAX))
    }

    /// One frame through both, which have to agree on everything that leaves and everything learned.
    pub(crate) fn send(&mut self, interface: &str, frame: &Frame) -> Outcome {
        let id = self.interface(interface);
        self.send_bytes(id, &frame.bytes)
    }

    pub(crate) fn send_bytes(&mut self, interface: InterfaceId, bytes: &[u8]) -> Outcome {
        let outcome = self.oracle.frame(self.now, interface, bytes);
        let compiled = self.machine.frame(self.now, interface, bytes);
        assert_eq!(
            compiled,
            outcome,
            "tables (left) and oracle disagree: {interface:?} {bytes:02x?}\n{}",
            site::to_yaml(&self.topology)
        );
        assert_eq!(self.machine.notices, self.oracle.notices(), "told of {bytes:02x?}");
        self.assert_learned_alike();
        self.check_invariants(interface, bytes, &outcome);
        outcome
    }

    /// A next hop on the underlay is resolved, or is so no more.
    pub(crate) fn resolve(&mut self, next_hop: &str, mac: Option<MacAddr>) {
        let next_hop: IpAddr = next_hop.parse().unwrap();
        self.machine.resolve(next_hop, mac);
        self.oracle.set_neighbor(next_hop, mac);
    }

    /// A station of a bridge was heard to have an address, as a router or not, or is forgotten.
    pub(crate) fn know(&mut self, bridge: &str, address: &str, known: Option<(MacAddr, bool)>) {
        let (bridge, address) = (name(bridge), address.parse().unwrap());
        self.machine.set_known(&bridge, address, known);
        match known {
            Some((mac, is_router)) => {
                self.oracle.set_known_neighbor(&bridge, address, mac, is_router);
            }
            None => self.oracle.forget_neighbor(&bridge, address),
        }
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, time: Duration) {
        self.now += time;
        self.oracle.tick(self.now);
        self.machine.tick(self.now);
    }

    /// Goes on with another site or other links.
    pub(crate) fn reconfigure(&mut self, topology: Topology, view: HostView) {
        topology.check().unwrap_or_else(|errors| panic!("{errors:?}"));
        self.machine.reconfigure(&topology, &view);
        self.oracle.reconfigure(topology.clone(), view.clone());
        self.topology = topology;
        self.view = view;
        self.assert_learned_alike();
    }

    pub(crate) fn flush(&mut self, scope: &Scope) {
        self.machine.flush(scope);
        self.oracle.flush(scope);
        self.assert_learned_alike();
    }

    fn assert_learned_alike(&self) {
        assert_eq!(
            self.machine.learned(),
            self.oracle.learned(),
            "tables (left) and oracle know different stations:\n{}",
            site::to_yaml(&self.topology)
        );
    }

    /// What is learned, as `web:A@p1` or `web:S@t/10`, in order.
    pub(crate) fn learned(&self) -> Vec<String> {
        let shown = |l: &Learned| {
            let [.., last] = l.mac.get().octets();
            let vid = l.vid.map_or(String::new(), |(vid, _)| format!("/{vid}"));
            let domain = l.domain_vid.map_or(String::new(), |vid| format!("({vid})"));
            format!("{}{domain}:{}@{}{vid}", l.owner, char::from(last), l.port)
        };
        self.oracle.learned().iter().map(shown).collect()
    }

    /// What an interface received, as a bridge sees it: what is in the tunnel, if it is a tunnel packet
    /// to that interface.
    fn arrived(&self, interface: InterfaceId, bytes: &[u8]) -> Vec<u8> {
        let is_ours = self
            .view
            .interface(interface)
            .is_some_and(|view| bytes.starts_with(&view.mac.octets()));
        let inner = is_ours.then(|| tunnelled(bytes)).flatten();
        inner.map_or(bytes.to_vec(), |(_, _, inner)| inner)
    }

    /// To whom a copy goes in a tunnel, with its VNI, and what it then holds.
    fn encapsulated(&self, copy: &Copy) -> Option<(IpAddr, u32, Vec<u8>)> {
        let own = self.view.interfaces[copy.interface.index()].mac;
        if copy.bytes[6..12] == own.octets() { tunnelled(&copy.bytes) } else { None }
    }

    /// What holds for every frame: at most one copy for each egress interface and tag stack and for
    /// each peer, never out of the interface and VLAN that it came in by, addresses untouched.
    fn check_invariants(&self, interface: InterfaceId, bytes: &[u8], outcome: &Outcome) {
        let Outcome::Sent { copies, refused } = outcome else { return };
        assert!(!copies.is_empty() || refused.len() > 1, "an empty `Sent` for {bytes:02x?}");
        for pair in copies.windows(2) {
            assert_ne!(pair[0], pair[1], "two equal copies of {bytes:02x?}");
        }
        let stack = |bytes: &[u8]| {
            let mut rest = &bytes[12..];
            let mut vids = Vec::new();
            while let [0x81, 0x00, a, b, more @ ..] | [0x88, 0xa8, a, b, more @ ..] = rest {
                vids.push(u16::from_be_bytes([a & 0x0f, *b]));
                rest = more;
            }
            vids
        };
        let arrived = self.arrived(interface, bytes);
        let mut peers = BTreeSet::new();
        for copy in copies {
            let mut is_another = false;
            if let Some((peer, _, inner)) = self.encapsulated(copy) {
                assert_eq!(&inner[..12], &bytes[..12], "changed, or from tunnel to tunnel");
                assert!(peers.insert(peer), "two copies to {peer}");
            } else {
                // Of a tunnel packet the frame inside leaves, whose tags say nothing of that packet's.
                is_another = copy.bytes[..12] != bytes[..12];
                let is_inner = arrived.get(..12) == Some(&copy.bytes[..12]);
                assert!(!is_another || is_inner, "the addresses changed");
            }
            assert!(
                is_another || copy.interface != interface || stack(&copy.bytes) != stack(bytes),
                "{bytes:02x?} returned where it came from"
            );
        }
    }

    /// The outcome as a short text: `vm1[] eth1[10]`, a copy in a tunnel as `up0[]>192.0.2.2/5001`,
    /// refused copies as `!vm2:mtu_exceeded`, `drop hairpin`, `consume bpdu`.
    pub(crate) fn shown(&self, ingress: InterfaceId, sent: &[u8], outcome: &Outcome) -> String {
        match outcome {
            Outcome::Dropped(reason) => format!("drop {reason}"),
            Outcome::Consumed(reason) => format!("consume {reason}"),
            Outcome::Answered(Ok(copy)) => {
                format!("answer {}", self.view.interfaces[copy.interface.index()].name)
            }
            Outcome::Answered(Err(reason)) => format!("answer !{reason}"),
            Outcome::Sent { copies, refused } => {
                let interface = |id: InterfaceId| self.view.interfaces[id.index()].name.to_string();
                let copies = copies.iter().map(|copy| {
                    let header = Header::parse(&copy.bytes).unwrap();
                    let way = format!("{}[{}]", interface(copy.interface), tags(&header));
                    if let Some((peer, vni, inner)) = self.encapsulated(copy) {
                        assert!(is_intact(sent, &inner), "the payload changed");
                        return format!("{way}>{peer}/{vni}");
                    }
                    let arrived = self.arrived(ingress, sent);
                    let is_intact =
                        [sent, &arrived].iter().any(|sent| is_intact(sent, &copy.bytes));
                    assert!(is_intact, "the payload changed");
                    way
                });
                let refused = refused.iter().map(|(exit, why)| match exit {
                    Exit::Interface(id) => format!("!{}:{why}", interface(*id)),
                    Exit::Peer(peer) => format!("!@{peer}:{why}"),
                });
                copies.chain(refused).collect::<Vec<_>>().join(" ")
            }
        }
    }
}

/// What a tunnel packet is for and holds: its destination, the VNI and the inner frame.
fn tunnelled(bytes: &[u8]) -> Option<(IpAddr, u32, Vec<u8>)> {
    let header = Header::parse(bytes).ok()?;
    let packet = Packet::parse(header.type_or_length, &bytes[header.payload_offset()..])?.ok()?;
    let inner = match packet.protocol {
        17 => tunnel::vxlan(Datagram::parse(packet.payload)?.payload).ok()?,
        47 => tunnel::gre(packet.payload).ok()?,
        _ => return None,
    };
    Some((packet.destination, inner.vni, inner.frame.to_vec()))
}

/// Whether both frames hold the same behind the tags, but for zeros that one was padded with.
fn is_intact(sent: &[u8], copy: &[u8]) -> bool {
    let behind_tags = |bytes: &[u8]| {
        let mut rest = &bytes[12..];
        while let [0x81, 0x00, _, _, more @ ..] | [0x88, 0xa8, _, _, more @ ..] = rest {
            rest = more;
        }
        let end = rest.iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1);
        rest[..end].to_vec()
    };
    behind_tags(copy) == behind_tags(sent)
}

/// Sends each frame and compares what becomes of it with the text.
#[track_caller]
pub(crate) fn check(world: &mut World, steps: &[(&str, Frame, &str)]) {
    for (index, (interface, frame, expected)) in steps.iter().enumerate() {
        let outcome = world.send(interface, frame);
        let shown = world.shown(world.interface(interface), &frame.bytes, &outcome);
        assert_eq!(shown, *expected, "step {index} on {interface}: {:02x?}", frame.bytes);
    }
}
