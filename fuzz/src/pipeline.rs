//! The whole pipeline: one worker, one learner, a host with every kind of port.

use std::sync::Arc;
use std::time::Duration;

use bridge_model::types::{Epoch, InterfaceId};
use fwd::counters::{CounterLayout, CounterSlots, counters};
use fwd::heap::{HeapFrame, HeapIo};
use fwd::mac::{Isa, Seed};
use fwd::{FrameBurst, Image, Learner, LearnerOptions, Worker, WorkerParts, publication};
use rtrb::RingBuffer;

use crate::{records, scene};

const LAYOUT: CounterLayout = CounterLayout { ports: 64, trunks: 4 };
const TICKS_PER_SECOND: u64 = 1_000_000_000;
/// Between two frames.
const STEP: Duration = Duration::from_millis(50);

/// Frames in records of (interface, frame), one burst each: whatever arrives, every frame ends in
/// exactly one way, and nothing panics.
pub fn pipeline(input: &[u8]) {
    let mut slots = CounterSlots::new(LAYOUT);
    let options = LearnerOptions {
        log2_buckets: 17,
        max_log2_buckets: 17,
        seed: Seed::predictable(1),
        layout: LAYOUT,
    };
    let Ok(mut learner) = Learner::new(&options) else { panic!("no memory") };
    let compiled = scene::compiled();
    let parts = learner.image_parts(Epoch(1), &mut slots, TICKS_PER_SECOND);
    let image = match Image::build(&compiled.tables, parts) {
        Ok(image) => Arc::new(image),
        Err(error) => panic!("{error}"),
    };
    learner.install(&image, &compiled.static_macs, Duration::ZERO);
    resolve(&learner, &compiled.tables.underlay);
    let (_publisher, mut receivers) = publication(1, &image);
    let Some(receiver) = receivers.pop() else { return };
    let (learn, ring) = RingBuffer::new(64);
    learner.add_ring(ring);
    let (writer, shared) = counters(LAYOUT);
    let mut worker = Worker::new(WorkerParts {
        receiver,
        learn,
        punt: RingBuffer::new(64).0,
        protocol: RingBuffer::new(64).0,
        samples: RingBuffer::new(64).0,
        counters: writer,
        isa: Isa::detect(),
        interfaces: scene::COUNT,
        ticks_per_second: TICKS_PER_SECOND,
    });
    let mut io = HeapIo::default();
    for ((interface, frame), turn) in records(input).zip(1_u32..) {
        let now = STEP * turn;
        let mut burst: FrameBurst<HeapFrame> = FrameBurst::new();
        burst.push(HeapFrame::new(frame));
        let interface = InterfaceId(u16::from(interface) % 6);
        let ticks = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        worker.burst(&mut io, interface, &mut burst, ticks);
        worker.flush(&mut io);
        learner.turn(now);
        assert!(burst.is_empty() && worker.is_idle(), "no frame stays behind");
        let accounting = shared.snapshot().accounting();
        assert_eq!(accounting.difference(), 0, "{accounting:?}");
        assert_eq!(accounting.received, u64::from(turn));
        drop(io.take());
    }
}

fn resolve(learner: &Learner, underlay: &bridge_model::compile::UnderlayTable) {
    let known = scene::neighbors();
    for path in underlay.peers.iter().flat_map(|peer| &peer.paths) {
        let Some(link) = underlay.links.get(path.link.index()) else { continue };
        let key = (link.interface, link.vlan, path.next_hop);
        learner.live().underlay().next_hop(key).set(known.get(&path.next_hop).copied());
    }
}
