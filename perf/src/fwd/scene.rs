//! A trunk, an access port, and stations behind both.

use std::time::Duration;

use bridge_model::compile::{
    Class, FidTable, InterfaceTable, Member, MemberRoute, PortTable, PushTags, ReservedAction,
    ReservedTable, StormLimits, Tables, TaggedClasses, UnderlayTable, VidClasses,
};
use bridge_model::reason::DropReason;
use bridge_model::types::{
    Epoch, Fid, InterfaceId, InvalidName, InvalidVlanId, MemberId, Name, PortId, Revision, Tpid,
    VlanId,
};
use fwd::counters::{CounterLayout, CounterSlots, WorkerCounters, counters};
use fwd::frame::{BURST, FrameBurst, Io as _};
use fwd::mac::{Isa, Seed, TableError};
use fwd::{Image, ImageError, Learner, LearnerOptions, Worker, WorkerParts, publication};
use rtrb::RingBuffer;
use std::sync::Arc;

use super::Direction;
use super::buffer::{PoolFrame, Sink};

pub(super) const TRUNK: InterfaceId = InterfaceId(0);
pub(super) const ACCESS: InterfaceId = InterfaceId(1);
const VID: u16 = 100;
/// Octets of a tagged frame without frame check sequence: 64 on the wire.
const TAGGED_OCTETS: u16 = 60 + 4;
const UNTAGGED_OCTETS: u16 = 60;
/// Bursts between two time stamps, so that reading the clock costs next to nothing per packet. Their
/// buffers go round.
const BATCH: usize = 16;

/// The scene could not be set up, or does not behave as a scene of known stations has to.
#[derive(Debug, thiserror::Error)]
pub enum SceneError {
    /// The tables do not fit the image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// No memory for the MAC table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A name of the scene is no name.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// A VID of the scene is no VID.
    #[error(transparent)]
    Vid(#[from] InvalidVlanId),
    /// The figure would be one of something else.
    #[error(
        "{sent} of {offered} frames were sent and {copies} copies called for: expected all and none"
    )]
    Lost {
        /// Frames offered.
        offered: u64,
        /// Frames sent by the expected interface.
        sent: u64,
        /// Copies called for.
        copies: u64,
    },
    /// Learning took longer than it may.
    #[error("{learned} of {stations} stations were learned")]
    NotLearned {
        /// Stations in the table.
        learned: u64,
        /// Stations that sent.
        stations: u64,
    },
}

/// Cycles per packet of one run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) forward: f64,
    pub(super) whole: f64,
}

/// A forwarder with everything learned, ready to be measured.
#[derive(Debug)]
pub struct Scene {
    worker: Worker<PoolFrame>,
    counters: Arc<WorkerCounters>,
    sink: Sink,
    /// Received, not yet forwarded.
    waiting: Vec<FrameBurst<PoolFrame>>,
    /// Stations of each side, in random order.
    order: Box<[u32]>,
    next: usize,
    ticks: u64,
}

fn tables() -> Result<Tables, SceneError> {
    let vid = VlanId::new(VID)?;
    let fid = Fid(1);
    let mut classes = VidClasses::uniform(Class::Drop(DropReason::VlanUnknown));
    classes.set(vid, Class::Forward { fid, member: MemberId(1) });
    let reserved = ReservedAction::Drop(DropReason::Reserved);
    let reserved = ReservedTable {
        link_local: [reserved; 16],
        registration: [reserved; 16],
        pvst: reserved,
        vendor: reserved,
        relay: Vec::new(),
    };
    let interface = |name: &str, untagged, tagged, port| -> Result<_, InvalidName> {
        Ok(InterfaceTable {
            name: name.parse::<Name>()?,
            mtu: 1500,
            untagged,
            untagged_port: Some(PortId(port)),
            tagged,
            tagged_port: Some(PortId(port)),
            reserved: reserved.clone(),
        })
    };
    let port = |name: &str, interface| -> Result<_, InvalidName> {
        Ok(PortTable {
            name: name.parse()?,
            interface,
            storm: StormLimits::default(),
            storm_per_vid: StormLimits::default(),
            mac_limit: None,
        })
    };
    let member = |interface, port, vid, push| Member {
        route: MemberRoute::Port { interface, port: PortId(port), vid, push },
        split_horizon: 0,
    };
    let bridge = FidTable {
        owner: Some("bridge".parse()?),
        ageing: Duration::from_secs(300),
        mac_limit: None,
        members: vec![
            Member { route: MemberRoute::Retired, split_horizon: 0 },
            member(TRUNK, 0, Some(vid), PushTags::One(Tpid::CTag, vid)),
            member(ACCESS, 1, None, PushTags::None),
        ],
        flood: vec![MemberId(1), MemberId(2)],
        ..FidTable::default()
    };
    Ok(Tables {
        revision: Revision(1),
        interfaces: vec![
            interface(
                "trunk",
                Class::Drop(DropReason::UntaggedOnTrunk),
                TaggedClasses::Trunk { tpid: Tpid::CTag, classes },
                0,
            )?,
            interface(
                "access",
                Class::Forward { fid, member: MemberId(2) },
                TaggedClasses::All(Class::Drop(DropReason::TaggedOnAccess)),
                1,
            )?,
        ],
        ports: vec![port("trunk", TRUNK)?, port("access", ACCESS)?],
        fids: vec![FidTable::default(), bridge],
        underlay: UnderlayTable::default(),
    })
}

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

/// A permutation of 0..`count` that is the same in every run (Fisher-Yates with `SplitMix64`).
fn shuffled(count: usize) -> Box<[u32]> {
    let mut order: Box<[u32]> = (0..u32::try_from(count).unwrap_or(u32::MAX)).collect();
    let mut state = 0x5eed_u64;
    for index in (1..order.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^= word >> 31;
        let other = word % (index as u64 + 1);
        order.swap(index, usize::try_from(other).unwrap_or(0));
    }
    order
}

impl Scene {
    /// A forwarder that has learned `macs` stations, half on each side (at least one).
    pub fn new(macs: usize, isa: Isa) -> Result<Self, SceneError> {
        let stations = (macs / 2).max(1);
        let layout = CounterLayout { ports: 16, trunks: 1 };
        // A table that `macs` stations fill to at most a half, as growth keeps it.
        let buckets = (2 * stations * 2 / 7).next_power_of_two().ilog2().max(17);
        let mut learner = Learner::new(&LearnerOptions {
            log2_buckets: buckets,
            max_log2_buckets: buckets,
            seed: Seed::predictable(7),
            layout,
        })?;
        let mut slots = CounterSlots::new(layout);
        let parts = learner.image_parts(Epoch(1), &mut slots, 1_000_000_000);
        let image = Arc::new(Image::build(&tables()?, parts)?);
        learner.install(&image, &[], Duration::ZERO);
        let (_publisher, mut receivers) = publication(1, &image);
        let (learn, ring) = RingBuffer::new(8192);
        learner.add_ring(ring);
        let (writer, counters) = counters(layout);
        let Some(receiver) = receivers.pop() else {
            return Err(SceneError::NotLearned { learned: 0, stations: 0 });
        };
        let worker = Worker::new(WorkerParts {
            receiver,
            learn,
            punt: RingBuffer::new(1).0,
            protocol: RingBuffer::new(1).0,
            samples: RingBuffer::new(1).0,
            counters: writer,
            isa,
            interfaces: 2,
            ticks_per_second: 1_000_000_000,
        });
        let burst = |_| (0..BURST).map(|_| PoolFrame::new()).collect();
        let pool = (0..BATCH).map(burst).collect();
        let sink = Sink { pool, filled: BATCH, ..Sink::default() };
        let order = shuffled(stations);
        let waiting = (0..BATCH).map(|_| FrameBurst::new()).collect();
        let mut scene = Self { worker, counters, sink, waiting, order, next: 0, ticks: 0 };
        scene.learn(&mut learner)?;
        Ok(scene)
    }

    /// Stations in the table.
    pub fn macs(&self) -> usize {
        2 * self.order.len()
    }

    /// Every station sends once; the learner takes its turn often enough for the ring.
    fn learn(&mut self, learner: &mut Learner) -> Result<(), SceneError> {
        let stations = self.order.len() as u64;
        let mut now = Duration::ZERO;
        for direction in Direction::ALL {
            self.next = 0;
            for _ in 0..self.order.len().div_ceil(BURST).div_ceil(128) {
                self.turns(direction, 128);
                now += Duration::from_nanos(1);
                learner.turn(now);
            }
            // The filter of recent reports may have kept one back.
            self.turns(direction, self.order.len().div_ceil(BURST).min(128));
            learner.turn(now);
        }
        let learned = learner.learned_in_fid(Fid(1));
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
            self.worker.poll_image();
            self.worker.burst(&mut self.sink, direction.ingress(), burst, self.ticks);
            self.worker.flush(&mut self.sink);
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
        let difference = self.counters.snapshot().accounting().difference();
        if sent != offered || self.sink.copies != 0 || difference != 0 {
            return Err(SceneError::Lost { offered, sent, copies: self.sink.copies });
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

#[expect(clippy::cast_precision_loss, reason = "a figure to show")]
fn per_packet(cycles: u64, packets: u64) -> f64 {
    cycles as f64 / packets.max(1) as f64
}
