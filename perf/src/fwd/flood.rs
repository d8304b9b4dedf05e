//! Flooding: one broadcast in, a copy for every other port or for every peer out.

use std::time::Duration;

use bridge_model::types::{InterfaceId, MacAddr};
use bridge_model::wire::ethernet;
use fwd::frame::{BURST, Frame as _, FrameBurst, Io};
use fwd::mac::Isa;
use serde::Serialize;

use super::Effort;
use super::buffer::PoolFrame;
use super::rig::{self, Rig, SceneError, per_packet};
use crate::stats::Summary;

const INGRESS: InterfaceId = InterfaceId(0);
const UNDERLAY: InterfaceId = InterfaceId(1);

/// Where copies go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Access ports, each on an interface of its own.
    Ports,
    /// VXLAN over IPv4 to as many endpoints by one interface (head-end replication).
    Tunnels,
}

impl Target {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ports, Self::Tunnels];

    /// As printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ports => "ports",
            Self::Tunnels => "tunnels (VXLAN, IPv4)",
        }
    }
}

/// One measured point.
#[derive(Clone, Debug, Serialize)]
pub struct FloodPoint {
    /// How many copies leave for one frame.
    pub copies: u16,
    /// Where to.
    pub target: Target,
    /// Octets of the frame that is flooded, without frame check sequence.
    pub octets: usize,
    /// The instruction set.
    pub kernel: &'static str,
    /// Cycles per copy that leaves, what the device set needs for copying included.
    pub forward: Summary,
    /// Cycles per copy of the same number of copies made and given back without the forwarder, source
    /// included.
    pub empty: Summary,
}

/// Measures floods of frames of `octets` to `copies` places.
pub fn measure(
    target: Target,
    (copies, octets): (u16, usize),
    isa: Isa,
    effort: Effort,
) -> Result<FloodPoint, SceneError> {
    let mut scene = Scene::new(target, (copies, octets), isa)?;
    // So many copies take so much longer.
    let bursts = (effort.bursts / usize::from(copies)).max(4);
    scene.run(bursts / 4 + 1)?;
    let (mut forward, mut empty) = (Vec::new(), Vec::new());
    for _ in 0..effort.runs {
        forward.push(scene.run(bursts)?);
        empty.push(scene.run_empty(bursts));
    }
    let (forward, empty) = (Summary::of(forward), Summary::of(empty));
    Ok(FloodPoint { copies, target, octets, kernel: isa.name(), forward, empty })
}

fn site(target: Target, copies: u16) -> (String, Vec<String>) {
    let head = "
bridges: [{name: b, vni: 5001}]
accessPorts:
- {name: in, bridge: b, host: gw, interface: in}
";
    match target {
        Target::Ports => {
            let port = |n| format!("- {{name: p{n}, bridge: b, host: gw, interface: out{n}}}\n");
            let ports: String = (1..=copies).map(port).collect();
            let out = (1..=copies).map(|n| format!("out{n}"));
            let interfaces = std::iter::once("in".to_owned()).chain(out).collect();
            (format!("hosts: [{{name: gw}}]{head}{ports}"), interfaces)
        }
        Target::Tunnels => {
            let tunnel =
                |n| format!("- {{name: t{n}, zone: z, remote: 192.0.2.{}, bridges: [b]}}\n", n + 1);
            let tunnels: String = (1..=copies).map(tunnel).collect();
            let text = format!(
                "
hosts: [{{name: gw, vtep: 192.0.2.1, underlay: [{{interface: up, addresses: [192.0.2.1/24]}}]}}]{head}
tunnelZones: [{{name: z, kind: vxlan, hosts: [gw], bfd: off}}]
tunnels:
{tunnels}"
            );
            (text, ["in", "up"].map(String::from).into())
        }
    }
}

/// Devices that give back what they send, and copy from what was given back last, as a pool with a
/// cache does.
#[derive(Debug, Default)]
struct Devices {
    free: Vec<PoolFrame>,
    sent: u64,
    copies: u64,
}

impl Io for Devices {
    type Frame = PoolFrame;

    #[inline]
    fn copy(&mut self, frame: &PoolFrame) -> Option<PoolFrame> {
        let mut copy = self.free.pop()?;
        copy.fill(frame.bytes());
        self.copies += 1;
        Some(copy)
    }

    #[inline]
    fn transmit(&mut self, _: InterfaceId, frames: &mut FrameBurst<PoolFrame>) {
        self.sent += frames.len() as u64;
        self.free.extend(frames.drain(..));
    }

    fn link_up(&self, _: InterfaceId) -> bool {
        true
    }

    fn release(&mut self, frames: &mut FrameBurst<PoolFrame>) {
        self.free.extend(frames.drain(..));
    }
}

#[derive(Debug)]
struct Scene {
    rig: Rig,
    devices: Devices,
    burst: FrameBurst<PoolFrame>,
    frame: Vec<u8>,
    copies: u16,
    ticks: u64,
}

impl Scene {
    fn new(target: Target, (copies, octets): (u16, usize), isa: Isa) -> Result<Self, SceneError> {
        let (text, interfaces) = site(target, copies);
        let rig = Rig::new(&rig::tables(&text, interfaces)?, 16, isa)?;
        for number in 0..copies {
            let Ok(last) = u8::try_from(number + 2) else { continue };
            let key = (UNDERLAY, None, [192, 0, 2, last].into());
            let address = MacAddr::from_u64(0x0200_0000_fe00 + u64::from(number));
            rig.learner.live().underlay().next_hop(key).set(Some(address));
        }
        let from = MacAddr::from_u64(0x0200_0000_0001);
        let mut frame = ethernet::build(MacAddr::from_u64(u64::MAX >> 16), from, &[], 0x0806, &[]);
        frame.resize(octets, 0);
        let buffers = BURST * (usize::from(copies) + 1);
        let free = (0..buffers).map(|_| PoolFrame::new()).collect();
        let devices = Devices { free, ..Devices::default() };
        let burst = FrameBurst::new();
        let mut scene = Self { rig, devices, burst, frame, copies, ticks: 0 };
        scene.turn();
        scene.rig.learner.turn(Duration::ZERO);
        let learned = scene.rig.learned();
        if learned != 1 {
            return Err(SceneError::NotLearned { learned, stations: 1 });
        }
        Ok(scene)
    }

    #[inline]
    fn fill(&mut self) {
        for _ in 0..BURST {
            let Some(mut frame) = self.devices.free.pop() else { return };
            frame.fill(&self.frame);
            let _ = self.burst.try_push(frame);
        }
    }

    /// The cycles between the source and the last frame that left.
    #[inline]
    fn turn(&mut self) -> u64 {
        self.fill();
        self.ticks += 1;
        let begin = fwd::time_stamp();
        self.rig.worker.poll_image();
        self.rig.worker.burst(&mut self.devices, INGRESS, &mut self.burst, self.ticks);
        self.rig.worker.flush(&mut self.devices);
        fwd::time_stamp() - begin
    }

    fn run(&mut self, bursts: usize) -> Result<f64, SceneError> {
        (self.devices.sent, self.devices.copies) = (0, 0);
        let cycles = (0..bursts).map(|_| self.turn()).sum();
        let (sent, copies) = (self.devices.sent, self.devices.copies);
        let offered = (bursts * BURST) as u64;
        let expected = offered * u64::from(self.copies);
        // One payload copy for every place but the last.
        let expected_copies = expected - offered;
        if sent != expected || copies != expected_copies || !self.rig.is_balanced() {
            return Err(SceneError::Lost { offered, sent, expected, copies, expected_copies });
        }
        Ok(per_packet(cycles, expected))
    }

    /// As many copies, made and given back.
    fn run_empty(&mut self, bursts: usize) -> f64 {
        let begin = fwd::time_stamp();
        let mut out = FrameBurst::new();
        for _ in 0..bursts {
            self.fill();
            let mut burst = std::mem::take(&mut self.burst);
            for frame in burst.drain(..) {
                for _ in 1..self.copies {
                    if let Some(copy) = self.devices.copy(&frame) {
                        self.put(&mut out, copy);
                    }
                }
                self.put(&mut out, frame);
            }
            self.devices.transmit(INGRESS, std::hint::black_box(&mut out));
        }
        let copies = bursts * BURST * usize::from(self.copies);
        per_packet(fwd::time_stamp() - begin, copies as u64)
    }

    #[inline]
    fn put(&mut self, out: &mut FrameBurst<PoolFrame>, frame: PoolFrame) {
        if out.is_full() {
            self.devices.transmit(INGRESS, std::hint::black_box(out));
        }
        let _ = out.try_push(frame);
    }
}
