//! A worker and its learner without devices, made from the text of a site as a daemon would.

use std::sync::Arc;
use std::time::Duration;

use bridge_model::compile::{
    CompileError, HostView, InterfaceView, Link, Numbering, Tables, compile,
};
use bridge_model::site;
use bridge_model::types::{Epoch, InvalidName, MacAddr, Name, Revision};
use fwd::counters::{CounterLayout, CounterSlots, WorkerCounters, counters};
use fwd::mac::{Isa, Seed, TableError};
use fwd::{Image, ImageError, Learner, LearnerOptions, Worker, WorkerParts, publication};
use rtrb::RingBuffer;

use super::buffer::PoolFrame;

/// The scene could not be set up, or does not behave as a scene of known stations has to.
#[derive(Debug, thiserror::Error)]
pub enum SceneError {
    /// The site's text is refused.
    #[error("the site of the scene is wrong:\n{0}")]
    Site(String),
    /// The site does not fit one host.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The tables do not fit the image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// No memory for the MAC table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A name of the scene is no name.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// A frame of the scene cannot be built.
    #[error("a frame of the scene cannot be built: {0}")]
    Frame(&'static str),
    /// The figure would be one of something else.
    #[error(
        "{sent} frames were sent and {copies} copies made of {offered} frames offered: expected {expected} and {expected_copies}"
    )]
    Lost {
        /// Frames offered.
        offered: u64,
        /// Frames sent by the expected interface.
        sent: u64,
        /// Frames that had to be sent.
        expected: u64,
        /// Copies called for.
        copies: u64,
        /// Copies that had to be made.
        expected_copies: u64,
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

/// A worker, its learner, and the image that both run.
#[derive(Debug)]
pub(super) struct Rig {
    pub(super) worker: Worker<PoolFrame>,
    pub(super) learner: Learner,
    pub(super) counters: Arc<WorkerCounters>,
    pub(super) image: Arc<Image>,
}

/// The tables of the host `gw` with these interfaces.
pub(super) fn tables(
    text: &str,
    interfaces: impl IntoIterator<Item = String>,
) -> Result<Tables, SceneError> {
    let site =
        site::parse("site.yaml", text).map_err(|errors| SceneError::Site(errors.to_string()))?;
    let view = |(number, name): (u64, String)| -> Result<_, InvalidName> {
        let name: Name = name.parse()?;
        let mac = MacAddr::from_u64(0x0200_0000_ff00 + number);
        Ok(InterfaceView { name, mtu: 9000, mac, link: Link::Up })
    };
    let interfaces = (0..).zip(interfaces).map(view).collect::<Result<_, _>>()?;
    let view = HostView::new("gw".parse()?, interfaces);
    Ok(compile(&site, &view, &mut Numbering::default(), Revision(1))?.tables)
}

impl Rig {
    /// With a MAC table that `stations` fill to at most a half, as growth keeps it.
    pub(super) fn new(tables: &Tables, stations: usize, isa: Isa) -> Result<Self, SceneError> {
        let ports = u16::try_from(tables.ports.len() + tables.interfaces.len() + 8);
        let layout = CounterLayout { ports: ports.unwrap_or(u16::MAX), trunks: 2 };
        let buckets = (stations * 2 / 7).next_power_of_two().ilog2().max(17);
        let mut learner = Learner::new(&LearnerOptions {
            log2_buckets: buckets,
            max_log2_buckets: buckets,
            seed: Seed::predictable(7),
            layout,
        })?;
        let mut slots = CounterSlots::new(layout);
        let parts = learner.image_parts(Epoch(1), &mut slots, 1_000_000_000);
        let image = Arc::new(Image::build(tables, parts)?);
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
            interfaces: tables.interfaces.len(),
            ticks_per_second: 1_000_000_000,
        });
        Ok(Self { worker, learner, counters, image })
    }

    /// Stations in the MAC table.
    pub(super) fn learned(&self) -> u64 {
        self.image.fids().map(|fid| self.learner.learned_in_fid(fid)).sum()
    }

    /// Every frame ended somewhere.
    pub(super) fn is_balanced(&self) -> bool {
        self.counters.snapshot().accounting().difference() == 0
    }
}

/// A permutation of 0..`count` that is the same in every run (Fisher-Yates with `SplitMix64`).
pub(super) fn shuffled(count: usize) -> Box<[u32]> {
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

#[expect(clippy::cast_precision_loss, reason = "a figure to show")]
pub(super) fn per_packet(cycles: u64, packets: u64) -> f64 {
    cycles as f64 / packets.max(1) as f64
}
