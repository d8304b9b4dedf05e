//! VLANs of a trunk, each in a bridge of its own, that lead into tunnels and come out of them.

use std::net::IpAddr;
use std::time::Duration;

use bridge_model::types::{InterfaceId, MacAddr, Tpid, VlanTag, Vni};
use bridge_model::wire::ip::{self, Datagram, HOP_LIMIT, PROTOCOL_GRE, PROTOCOL_UDP};
use bridge_model::wire::{ethernet, inner, tunnel};
use fwd::frame::{BURST, FrameBurst, Io as _};
use fwd::mac::Isa;
use serde::Serialize;

use super::Effort;
use super::buffer::{PoolFrame, Sink};
use super::rig::{self, Rig, SceneError, per_packet};
use super::scene::{BATCH, Run};
use crate::stats::Summary;

const TRUNK: InterfaceId = InterfaceId(0);
const UNDERLAY: InterfaceId = InterfaceId(1);
/// Who every packet of the underlay comes from and goes to.
const NEIGHBOR: MacAddr = MacAddr::from_u64(0x0200_0000_fe01);
const FIRST_VNI: u32 = 10_000;
/// Octets of a tagged frame without frame check sequence: 64 on the wire before its tag is off.
const TAGGED_OCTETS: usize = 64;

/// How frames are wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wrapping {
    /// VXLAN without checksum.
    VxlanV4,
    /// VXLAN with a checksum, as it is the default there.
    VxlanV6,
    /// GRE with a key.
    GreV4,
    /// The same.
    GreV6,
}

impl Wrapping {
    /// All four.
    pub const ALL: [Self; 4] = [Self::VxlanV4, Self::VxlanV6, Self::GreV4, Self::GreV6];

    /// As printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::VxlanV4 => "VXLAN, IPv4",
            Self::VxlanV6 => "VXLAN, IPv6, checksum",
            Self::GreV4 => "GRE, IPv4",
            Self::GreV6 => "GRE, IPv6",
        }
    }

    const fn is_vxlan(self) -> bool {
        matches!(self, Self::VxlanV4 | Self::VxlanV6)
    }

    const fn is_v4(self) -> bool {
        matches!(self, Self::VxlanV4 | Self::GreV4)
    }

    const fn kind(self) -> &'static str {
        if self.is_vxlan() { "vxlan" } else { "gre" }
    }

    /// Our address, the other end's and the length of their prefix.
    const fn addresses(self) -> (&'static str, &'static str, u8) {
        if self.is_v4() {
            ("192.0.2.1", "192.0.2.2", 24)
        } else {
            ("2001:db8::1", "2001:db8::2", 64)
        }
    }
}

/// Which way frames go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// In by the trunk, tag off, headers on.
    Encapsulate,
    /// In by the underlay, headers off, tag on.
    Decapsulate,
}

impl Way {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Encapsulate, Self::Decapsulate];

    /// As printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Encapsulate => "VLAN -> tunnel",
            Self::Decapsulate => "tunnel -> VLAN",
        }
    }

    const fn ends(self) -> (InterfaceId, InterfaceId) {
        match self {
            Self::Encapsulate => (TRUNK, UNDERLAY),
            Self::Decapsulate => (UNDERLAY, TRUNK),
        }
    }
}

/// One measured point.
#[derive(Clone, Debug, Serialize)]
pub struct TunnelPoint {
    /// VLANs, and as many bridges and VNIs.
    pub vlans: u16,
    /// Stations in the MAC table, half of them on each side.
    pub macs: usize,
    /// How frames are wrapped.
    pub wrapping: Wrapping,
    /// Which way they go.
    pub way: Way,
    /// The instruction set.
    pub kernel: &'static str,
    /// Cycles per packet of the forwarder: burst and transmission.
    pub forward: Summary,
    /// Cycles per packet of the whole loop, source and sink included.
    pub whole: Summary,
    /// Cycles per packet of the loop without the forwarder.
    pub empty: Summary,
}

/// Measures both ways with so many VLANs. There are `macs` stations, or two for each VLAN if that is
/// more.
pub fn measure(
    wrapping: Wrapping,
    (vlans, macs): (u16, usize),
    isa: Isa,
    effort: Effort,
) -> Result<Vec<TunnelPoint>, SceneError> {
    let mut scene = Scene::new(wrapping, (vlans, macs), isa)?;
    let mut points = Vec::new();
    for way in Way::ALL {
        scene.run(way, effort.bursts / 4 + 1)?;
        let (mut forward, mut whole, mut empty) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..effort.runs {
            let run = scene.run(way, effort.bursts)?;
            forward.push(run.forward);
            whole.push(run.whole);
            empty.push(scene.run_empty(way, effort.bursts));
        }
        points.push(TunnelPoint {
            vlans,
            macs: 2 * scene.order.len(),
            wrapping,
            way,
            kernel: isa.name(),
            forward: Summary::of(forward),
            whole: Summary::of(whole),
            empty: Summary::of(empty),
        });
    }
    Ok(points)
}

fn site(wrapping: Wrapping, vlans: u16) -> String {
    let (local, remote, prefix) = wrapping.addresses();
    let list = |line: &dyn Fn(u16) -> String| (1..=vlans).map(line).collect::<String>();
    format!(
        "
hosts: [{{name: gw, vtep: \"{local}\", underlay: [{{interface: up, addresses: [\"{local}/{prefix}\"]}}]}}]
bridges:
{bridges}gatewayBridges: [{{name: g}}]
trunks: [{{name: t, gatewayBridge: g, host: gw, interface: trunk}}]
vlanLinks:
{links}tunnelZones: [{{name: z, kind: {kind}, hosts: [gw], bfd: off}}]
tunnels: [{{name: far, zone: z, remote: \"{remote}\", bridges: [{names}]}}]
",
        bridges =
            list(&|vid| format!("- {{name: b{vid}, vni: {}}}\n", FIRST_VNI + u32::from(vid))),
        links = list(&|vid| format!("- {{gatewayBridge: g, vid: {vid}, bridge: b{vid}}}\n")),
        kind = wrapping.kind(),
        names = list(&|vid| format!("b{vid}, ")),
    )
}

/// Frames of equal length, one behind the other.
#[derive(Debug)]
struct Frames {
    octets: usize,
    bytes: Vec<u8>,
}

impl Frames {
    fn new(frames: impl Iterator<Item = Result<Vec<u8>, SceneError>>) -> Result<Self, SceneError> {
        let (mut octets, mut bytes) = (0, Vec::new());
        for frame in frames {
            let frame = frame?;
            octets = frame.len();
            bytes.extend(frame);
        }
        Ok(Self { octets, bytes })
    }

    #[inline]
    fn get(&self, index: usize) -> &[u8] {
        self.bytes.get(index * self.octets..(index + 1) * self.octets).unwrap_or_default()
    }
}

/// A station on one side: trunk 02, tunnel 06.
fn station(side: u64, number: u32) -> MacAddr {
    MacAddr::from_u64(side << 40 | u64::from(number))
}

/// A UDP packet in a frame between the two stations of a number.
fn plain(number: u32, way: Way, tag: Option<VlanTag>) -> Result<Vec<u8>, SceneError> {
    let pair = [station(0x02, number), station(0x06, number)];
    let ([from, to], addresses) = match way {
        Way::Encapsulate => (pair, ["10.0.0.1", "10.0.0.2"]),
        Way::Decapsulate => ([pair[1], pair[0]], ["10.0.0.2", "10.0.0.1"]),
    };
    let ends = ends(addresses)?;
    // Room for the headers, and the tag whether it is there or not: both ways carry the same.
    let payload = vec![0; TAGGED_OCTETS - 18 - 28];
    let datagram = Datagram::build(ends, (7000, 7000), &payload, true);
    let packet = datagram
        .and_then(|datagram| {
            ip::Header::new(ends.0, ends.1, PROTOCOL_UDP, HOP_LIMIT).packet(&datagram)
        })
        .ok_or(SceneError::Frame("inner packet"))?;
    let mut frame = ethernet::build(to, from, tag.as_slice(), 0x0800, &packet);
    frame.resize(if tag.is_some() { TAGGED_OCTETS } else { TAGGED_OCTETS - 4 }, 0);
    Ok(frame)
}

fn ends([from, to]: [&str; 2]) -> Result<(IpAddr, IpAddr), SceneError> {
    let address = |text: &str| text.parse().map_err(|_| SceneError::Frame("address"));
    Ok((address(from)?, address(to)?))
}

/// What arrives on the underlay for a station.
fn wrapped(
    number: u32,
    vid: u16,
    wrapping: Wrapping,
    ours: MacAddr,
) -> Result<Vec<u8>, SceneError> {
    let frame = plain(number, Way::Decapsulate, None)?;
    let vni = Vni::new(FIRST_VNI + u32::from(vid)).map_err(|_| SceneError::Frame("VNI"))?;
    let (local, remote, _) = wrapping.addresses();
    let ends = ends([remote, local])?;
    let hash = inner::flow_hash(&frame);
    let (protocol, payload) = if wrapping.is_vxlan() {
        let payload = [&tunnel::vxlan_header(vni), &frame[..]].concat();
        let ports = (inner::source_port(hash), 4789);
        let datagram = Datagram::build(ends, ports, &payload, !wrapping.is_v4());
        (PROTOCOL_UDP, datagram.ok_or(SceneError::Frame("datagram"))?)
    } else {
        (PROTOCOL_GRE, [&tunnel::gre_header(vni), &frame[..]].concat())
    };
    let mut header = ip::Header::new(ends.0, ends.1, protocol, HOP_LIMIT);
    header.flow_label = hash.into();
    let packet = header.packet(&payload).ok_or(SceneError::Frame("outer packet"))?;
    Ok(ethernet::build(ours, NEIGHBOR, &[], header.ether_type(), &packet))
}

/// A gateway with everything learned, ready to be measured.
#[derive(Debug)]
struct Scene {
    rig: Rig,
    sink: Sink,
    /// Received, not yet forwarded.
    waiting: Vec<FrameBurst<PoolFrame>>,
    /// By [`Way`].
    frames: [Frames; 2],
    /// Stations of each side, in random order.
    order: Box<[u32]>,
    next: usize,
    ticks: u64,
}

impl Scene {
    fn new(wrapping: Wrapping, (vlans, macs): (u16, usize), isa: Isa) -> Result<Self, SceneError> {
        let vlans = vlans.clamp(1, 4094);
        let stations = (macs / 2).max(usize::from(vlans));
        let tables = rig::tables(&site(wrapping, vlans), ["trunk", "up"].map(String::from))?;
        let rig = Rig::new(&tables, 2 * stations, isa)?;
        let Some(link) = tables.underlay.links.first() else {
            return Err(SceneError::Frame("underlay link"));
        };
        let (_, remote) = ends([wrapping.addresses().0, wrapping.addresses().1])?;
        let neighbor = rig.learner.live().underlay().next_hop((UNDERLAY, None, remote));
        neighbor.set(Some(NEIGHBOR));
        let numbers = || (0..u32::try_from(stations).unwrap_or(u32::MAX)).zip((1..=vlans).cycle());
        let tagged = |(number, vid)| {
            plain(number, Way::Encapsulate, Some(VlanTag { tpid: Tpid::CTag, tci: vid }))
        };
        let frames = [
            Frames::new(numbers().map(tagged))?,
            Frames::new(numbers().map(|(number, vid)| wrapped(number, vid, wrapping, link.mac)))?,
        ];
        let mut scene = Self {
            rig,
            sink: Sink::new(BATCH),
            waiting: (0..BATCH).map(|_| FrameBurst::new()).collect(),
            frames,
            order: rig::shuffled(stations),
            next: 0,
            ticks: 0,
        };
        scene.learn()?;
        Ok(scene)
    }

    /// Every station sends until all are known.
    fn learn(&mut self) -> Result<(), SceneError> {
        let stations = 2 * self.order.len() as u64;
        let mut now = Duration::ZERO;
        for _ in 0..4 {
            for way in Way::ALL {
                self.next = 0;
                for _ in 0..self.order.len().div_ceil(BATCH * BURST) {
                    self.fill(way);
                    self.forward(way);
                    now += Duration::from_nanos(1);
                    self.rig.learner.turn(now);
                }
            }
            if self.rig.learned() == stations {
                (self.sink.sent, self.sink.released, self.sink.copies) = ([0; 2], 0, 0);
                return Ok(());
            }
        }
        Err(SceneError::NotLearned { learned: self.rig.learned(), stations })
    }

    #[inline]
    fn fill(&mut self, way: Way) {
        self.sink.filled = 0;
        for (burst, home) in self.waiting.iter_mut().zip(&mut self.sink.pool) {
            std::mem::swap(burst, home);
        }
        let frames = &self.frames[way as usize];
        for frame in self.waiting.iter_mut().flatten() {
            if self.next >= self.order.len() {
                self.next = 0;
            }
            let number = self.order.get(self.next).copied().unwrap_or(0);
            self.next += 1;
            frame.fill(frames.get(usize::try_from(number).unwrap_or(0)));
        }
    }

    #[inline]
    fn forward(&mut self, way: Way) {
        for burst in &mut self.waiting {
            self.ticks += 1;
            self.rig.worker.poll_image();
            self.rig.worker.burst(&mut self.sink, way.ends().0, burst, self.ticks);
            self.rig.worker.flush(&mut self.sink);
        }
    }

    fn run(&mut self, way: Way, bursts: usize) -> Result<Run, SceneError> {
        let sent = self.sink.sent;
        let (mut inside, begin) = (0, fwd::time_stamp());
        let batches = bursts.div_ceil(BATCH);
        for _ in 0..batches {
            self.fill(way);
            let before = fwd::time_stamp();
            self.forward(way);
            inside += fwd::time_stamp() - before;
        }
        let whole = fwd::time_stamp() - begin;
        let offered = (batches * BATCH * BURST) as u64;
        let egress = way.ends().1.index();
        let (sent, copies) = (self.sink.sent[egress] - sent[egress], self.sink.copies);
        if sent != offered || copies != 0 || !self.rig.is_balanced() {
            let (expected, expected_copies) = (offered, 0);
            return Err(SceneError::Lost { offered, sent, expected, copies, expected_copies });
        }
        Ok(Run { forward: per_packet(inside, offered), whole: per_packet(whole, offered) })
    }

    /// The same without the forwarder: the source fills, the sink takes back.
    fn run_empty(&mut self, way: Way, bursts: usize) -> f64 {
        let begin = fwd::time_stamp();
        let batches = bursts.div_ceil(BATCH);
        for _ in 0..batches {
            self.fill(way);
            std::hint::black_box(fwd::time_stamp());
            for burst in &mut self.waiting {
                self.sink.transmit(way.ends().0, std::hint::black_box(burst));
            }
            std::hint::black_box(fwd::time_stamp());
        }
        per_packet(fwd::time_stamp() - begin, (batches * BATCH * BURST) as u64)
    }
}
