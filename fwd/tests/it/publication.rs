//! Images change while workers forward, on real threads.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use bridge_model::compile::Numbering;
use bridge_model::site;
use bridge_model::types::{Epoch, InterfaceId};
use fwd::counters::{CounterSlots, Snapshot, counters};
use fwd::heap::{HeapFrame, HeapIo};
use fwd::mac::{Isa, Seed};
use fwd::{FrameBurst, Image, Learner, LearnerOptions, Worker, WorkerParts, publication};
use rtrb::RingBuffer;

use crate::bench::{HZ, LAYOUT, compiled};
use crate::generate;

const WORKERS: usize = 2;

fn text(links: u16) -> String {
    let mut text = String::from(
        "hosts: [{name: gw}]\nbridges: [{name: b10}, {name: b20}]\ngatewayBridges: [{name: g}]\n\
         trunks: [{name: t, gatewayBridge: g, host: gw, interface: eth0}]\n\
         accessPorts:\n- {name: a, bridge: b10, host: gw, interface: eth1}\n\
         - {name: c, bridge: b10, host: gw, interface: eth2}\nvlanLinks:\n\
         - {gatewayBridge: g, vid: 10, bridge: b10}\n",
    );
    for vid in 20..20 + links {
        let _ = writeln!(text, "- {{gatewayBridge: g, vid: {vid}, bridge: b20, join: true}}");
    }
    text
}

fn frame(worker: u64, count: u64) -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend([2, 0, 0, 0, worker as u8, count as u8]);
    frame.extend([0x81, 0x00, 0x00, 0x0a, 0x08, 0x00]);
    frame.extend(count.to_be_bytes());
    frame.resize(64, 0);
    frame
}

/// Bridge b10 stays as it is in every image, so each of its broadcasts arrives at both access
/// ports, in order, whatever is published meanwhile.
#[test]
fn no_frame_is_lost_while_images_are_swapped_and_old_images_come_back() {
    let mut learner = Learner::new(&LearnerOptions {
        log2_buckets: 17,
        max_log2_buckets: 17,
        seed: Seed::predictable(1),
        layout: LAYOUT,
    })
    .unwrap();
    let (mut slots, mut numbering) = (CounterSlots::new(LAYOUT), Numbering::default());
    let mut build = |links: u16, epoch: u64, learner: &mut Learner| {
        let topology = site::parse("site.yaml", &text(links)).unwrap();
        let compiled = compiled(&topology, &generate::view(), &mut numbering);
        let parts = learner.image_parts(Epoch(epoch), &mut slots, HZ);
        let image = Arc::new(Image::build(&compiled.tables, parts).unwrap());
        learner.install(&image, &compiled.static_macs, Duration::ZERO);
        learner.retire(numbering.retired(), numbering.retired_fids());
        image
    };
    let first = build(1, 1, &mut learner);
    let watched = Arc::downgrade(&first);
    let (mut publisher, receivers) = publication(WORKERS, &first);
    drop(first);

    let stop = Arc::new(AtomicBool::new(false));
    let bursts: Arc<[AtomicU64; WORKERS]> = Arc::default();
    let mut blocks = Vec::new();
    let mut threads = Vec::new();
    for (number, receiver) in receivers.into_iter().enumerate() {
        let (learn, ring) = RingBuffer::new(1024);
        learner.add_ring(ring);
        let (writer, block) = counters(LAYOUT);
        blocks.push(block);
        let parts = WorkerParts {
            receiver,
            learn,
            punt: RingBuffer::new(4).0,
            protocol: RingBuffer::new(4).0,
            samples: RingBuffer::new(4).0,
            counters: writer,
            isa: Isa::detect(),
            interfaces: 8,
            ticks_per_second: HZ,
        };
        let (stop, bursts) = (Arc::clone(&stop), Arc::clone(&bursts));
        threads.push(thread::spawn(move || forward(number, parts, &stop, &bursts[number])));
    }

    let mut epoch = 1;
    while epoch < 200 {
        epoch += 1;
        let image = build(1 + (epoch % 7) as u16, epoch, &mut learner);
        publisher.publish(&image);
        // Some are published over the heads of workers that have not taken the last one yet.
        let target = if epoch % 3 == 0 { 0 } else { epoch };
        while publisher.applied().any(|applied| applied.0 < target) {
            publisher.poll();
            learner.turn(Duration::from_millis(epoch));
            let mut sum = Snapshot::default();
            for block in &blocks {
                sum += &block.snapshot();
            }
            assert_eq!(sum.accounting().difference(), 0, "at any instant");
            thread::yield_now();
        }
        if publisher.is_quiescent() {
            learner.quiesced();
        }
    }
    // Every worker has run bursts under the last image.
    while publisher.applied().any(|applied| applied.0 < epoch) {
        publisher.poll();
        thread::yield_now();
    }
    stop.store(true, Ordering::Release);
    for thread in threads {
        thread.join().unwrap();
    }
    publisher.poll();
    assert!(watched.upgrade().is_none(), "the first image was returned and freed here");
    assert!(bursts.iter().all(|bursts| bursts.load(Ordering::Acquire) > 0));
}

fn forward(number: usize, parts: WorkerParts, stop: &AtomicBool, bursts: &AtomicU64) {
    let mut worker: Worker<HeapFrame> = Worker::new(parts);
    let mut io = HeapIo::default();
    let mut count = 0;
    while !stop.load(Ordering::Acquire) || count == 0 {
        worker.poll_image();
        let contents: Vec<Vec<u8>> = (0..32).map(|i| frame(number as u64, count + i)).collect();
        let mut burst: FrameBurst<HeapFrame> =
            contents.iter().map(|content| HeapFrame::new(content)).collect();
        worker.burst(&mut io, InterfaceId(0), &mut burst, count);
        worker.flush(&mut io);
        let sent = io.take();
        for access in [InterfaceId(1), InterfaceId(2)] {
            let got = sent.iter().filter(|(to, _)| *to == access).map(|(_, frame)| frame);
            let serials: Vec<u64> =
                got.map(|f| u64::from_be_bytes(f[14..22].try_into().unwrap())).collect();
            let wanted: Vec<u64> = (count..count + 32).collect();
            assert_eq!(serials, wanted, "worker {number}, interface {access}");
        }
        count += 32;
        bursts.fetch_add(1, Ordering::AcqRel);
        thread::yield_now();
    }
}
