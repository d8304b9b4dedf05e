//! A trunk, an access port, and stations behind both.

use std::time::Duration;

use bridge_model::types::InterfaceId;
use fwd::frame::{BURST, FrameBurst, Io as _};
use fwd::mac::Isa;

use super::Direction;
use super::buffer::{PoolFrame, Sink};
use super::rig::{self, Rig, SceneError, per_packet};

pub(super) const TRUNK: InterfaceId = InterfaceId(0);
pub(super) const ACCESS: InterfaceId = InterfaceId(1);
/// Octets of a tagged frame without frame check sequence: 64 on the wire.
const TAGGED_OCTETS: u16 = 60 + 4;
const UNTAGGED_OCTETS: u16 = 60;
/// Bursts between two time stamps, so that reading the clock costs next to nothing per packet. Their
/// buffers go round.
pub(super) const BATCH: usize = 16;

/// Cycles per packet of one run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) forward: f64,
    pub(super) whole: f64,
}

/// A forwarder with everything learned, ready to be measured.
#[derive(Debug)]
pub struct Scene {
    rig: Rig,
    sink: Sink,
    /// Received, not yet forwarded.
    waiting: Vec<FrameBurst<PoolFrame>>,
    /// Stations of each side, in random order.
    order: Box<[u32]>,
    next: usize,
    ticks: u64,
}

/// Trunk and access port of one bridge.
const SITE: &str = "
hosts: [{name: gw}]
bridges: [{name: bridge}]
gatewayBridges: [{name: g}]
trunks: [{name: trunk, gatewayBridge: g, host: gw, interface: trunk}]
vlanLinks: [{gatewayBridge: g, vid: 100, bridge: bridge}]
accessPorts: [{name: access, bridge: bridge, host: gw, interface: access}]
";

/// A frame of a station of one side to one of the other.
#[inline]
fn head(direction: Direction, from: u32, to: u32) -> ([u8; 18], u16) {
    let (trunk, access) = (0x02_u8, 0x06_u8);
    let (source, destination, octets) = match direction {
        Direction::TrunkToAccess => (trunk, access, TAGGED_OCTETS),
        Direction::AccessToTrunk => (access, trunk, UNTAGGED_OCTETS),
    };
    let ([f0, f1, f2, f3], [t0, t1, t2, t3]) = (from.to_be_bytes(), to.to_be_bytes());
    let tag: [u8; 6] = match direction {
        Direction::TrunkToAccess => [0x81, 0x00, 0x60, 0x64, 0x08, 0x00],
        Direction::AccessToTrunk => [0x08, 0x00, 0x45, 0x00, 0x00, 0x2e],
    };
    let [a, b, c, d, e, f] = tag;
    let head = [destination, 0, t0, t1, t2, t3, source, 0, f0, f1, f2, f3, a, b, c, d, e, f];
    (head, octets)
}

impl Scene {
    /// A forwarder that has learned `macs` stations, half on each side (at least one).
    pub fn new(macs: usize, isa: Isa) -> Result<Self, SceneError> {
        let stations = (macs / 2).max(1);
        let tables = rig::tables(SITE, ["trunk", "access"].map(String::from))?;
        let rig = Rig::new(&tables, 2 * stations, isa)?;
        let sink = Sink::new(BATCH);
        let order = rig::shuffled(stations);
        let waiting = (0..BATCH).map(|_| FrameBurst::new()).collect();
        let mut scene = Self { rig, sink, waiting, order, next: 0, ticks: 0 };
        scene.learn()?;
        Ok(scene)
    }

    /// Stations in the table.
    pub fn macs(&self) -> usize {
        2 * self.order.len()
    }

    /// Every station sends once; the learner takes its turn often enough for the ring.
    fn learn(&mut self) -> Result<(), SceneError> {
        let stations = self.order.len() as u64;
        let mut now = Duration::ZERO;
        for direction in Direction::ALL {
            self.next = 0;
            for _ in 0..self.order.len().div_ceil(BURST).div_ceil(128) {
                self.turns(direction, 128);
                now += Duration::from_nanos(1);
                self.rig.learner.turn(now);
            }
            // The filter of recent reports may have kept one back.
            self.turns(direction, self.order.len().div_ceil(BURST).min(128));
            self.rig.learner.turn(now);
        }
        let learned = self.rig.learned();
        if learned != 2 * stations {
            return Err(SceneError::NotLearned { learned, stations: 2 * stations });
        }
        // What follows is a fresh count.
        (self.sink.sent, self.sink.released, self.sink.copies) = ([0; 2], 0, 0);
        Ok(())
    }

    /// At least `bursts` bursts, in whole batches.
    fn turns(&mut self, direction: Direction, bursts: usize) {
        for _ in 0..bursts.div_ceil(BATCH) {
            self.fill(direction);
            self.forward(direction);
        }
    }

    #[inline]
    fn fill(&mut self, direction: Direction) {
        self.sink.filled = 0;
        for (burst, home) in self.waiting.iter_mut().zip(&mut self.sink.pool) {
            std::mem::swap(burst, home);
        }
        for frame in self.waiting.iter_mut().flatten() {
            if self.next >= self.order.len() {
                self.next = 0;
            }
            let from = self.order.get(self.next).copied().unwrap_or(0);
            // Any other station, as far away in the table as can be.
            let opposite = self.order.len() - 1 - self.next;
            let to = self.order.get(opposite).copied().unwrap_or(0);
            self.next += 1;
            let (head, octets) = head(direction, from, to);
            frame.receive(head, octets);
        }
    }

    #[inline]
    fn forward(&mut self, direction: Direction) {
        for burst in &mut self.waiting {
            self.ticks += 1;
            self.rig.worker.poll_image();
            self.rig.worker.burst(&mut self.sink, direction.ingress(), burst, self.ticks);
            self.rig.worker.flush(&mut self.sink);
        }
    }

    /// Forwards `bursts` bursts with time stamps around each.
    pub(super) fn run(&mut self, direction: Direction, bursts: usize) -> Result<Run, SceneError> {
        let sent = self.sink.sent;
        let (mut inside, begin) = (0, fwd::time_stamp());
        let batches = bursts.div_ceil(BATCH);
        for _ in 0..batches {
            self.fill(direction);
            let before = fwd::time_stamp();
            self.forward(direction);
            inside += fwd::time_stamp() - before;
        }
        let whole = fwd::time_stamp() - begin;
        let offered = (batches * BATCH * BURST) as u64;
        let egress = match direction {
            Direction::TrunkToAccess => ACCESS,
            Direction::AccessToTrunk => TRUNK,
        };
        let sent = self.sink.sent[egress.index()] - sent[egress.index()];
        let copies = self.sink.copies;
        if sent != offered || copies != 0 || !self.rig.is_balanced() {
            let (expected, expected_copies) = (offered, 0);
            return Err(SceneError::Lost { offered, sent, expected, copies, expected_copies });
        }
        Ok(Run { forward: per_packet(inside, offered), whole: per_packet(whole, offered) })
    }

    /// The same without the forwarder: the source fills, the sink takes back.
    pub(super) fn run_empty(&mut self, direction: Direction, bursts: usize) -> f64 {
        let begin = fwd::time_stamp();
        let batches = bursts.div_ceil(BATCH);
        for _ in 0..batches {
            self.fill(direction);
            std::hint::black_box(fwd::time_stamp());
            for burst in &mut self.waiting {
                self.sink.transmit(direction.ingress(), std::hint::black_box(burst));
            }
            std::hint::black_box(fwd::time_stamp());
        }
        per_packet(fwd::time_stamp() - begin, (batches * BATCH * BURST) as u64)
    }
}
