//! Every buffer ends exactly once, at any instant and whatever arrives.
//!
//! `SLUICE_FRAMES` sets the number of generated frames; the release run is
//! `SLUICE_FRAMES=10000000 cargo test --release -p fwd --test it accounting`.

use std::time::Duration;

use bridge_model::reason::DropReason;
use bridge_model::topology::Topology;
use bridge_model::types::InterfaceId;
use fwd::counters::Snapshot;
use fwd::heap::HeapFrame;
use fwd::mac::Isa;
use fwd::{BURST, FrameBurst};

use crate::bench::{Bench, HZ};
use crate::generate;
use crate::overlay;
use crate::random::Random;

fn frames() -> u64 {
    std::env::var("SLUICE_FRAMES").ok().and_then(|text| text.parse().ok()).unwrap_or(40_000)
}

/// Of one host, or with bridges that span hosts.
fn any_topology(random: &mut Random, seed: u64, spans: bool) -> Topology {
    if spans { overlay::topology(random, seed) } else { generate::topology(random, seed) }
}

/// Generating costs more than forwarding: a stock of frames, drawn in random order.
fn stock(random: &mut Random, bench: &Bench) -> Vec<Vec<u8>> {
    let kind = |random: &mut Random| match random.below(2) {
        0 if !bench.underlay.links.is_empty() => overlay::frame(random, bench),
        _ => generate::frame(random),
    };
    (0..2048).map(|_| kind(random)).collect()
}

/// Frames of every kind in bursts of every length, on devices that lose carrier, fill up and run out
/// of buffers, under changing topologies.
fn soak(seed: u64, isa: Isa, frames: u64, spans: bool) -> Snapshot {
    let mut random = Random::new(seed);
    let topology = any_topology(&mut random, seed, spans);
    let mut bench = Bench::new(topology, generate::random_view(&mut random), isa);
    let mut stock = stock(&mut random, &bench);
    let mut now = Duration::from_secs(1);
    let (mut offered, mut sent) = (0, 0);
    while offered < frames {
        now += Duration::from_micros(random.below(2000) as u64);
        bench.io.copies_left = random.one_in(4).then(|| random.below(40));
        bench.io.room.clear();
        bench.io.down.clear();
        for interface in (0..generate::INTERFACES).map(InterfaceId) {
            match random.below(16) {
                0 => bench.io.down.push(interface),
                1 => drop(bench.io.room.insert(interface, random.below(24))),
                _ => {}
            }
        }
        // Several bursts in a turn, so that transmit bins overflow within it.
        for _ in 0..=random.below(4) {
            let mut interface = InterfaceId(random.below(8) as u16);
            if let Some(link) = bench.underlay.links.first()
                && random.one_in(2)
            {
                interface = link.interface;
            }
            let mut burst: FrameBurst<HeapFrame> = (0..random.below(BURST + 1))
                .map(|_| HeapFrame::new(&stock[random.below(stock.len())]))
                .collect();
            offered += burst.len() as u64;
            let ticks = now.as_nanos() as u64 * HZ / 1_000_000_000;
            bench.worker.burst(&mut bench.io, interface, &mut burst, ticks);
        }
        bench.worker.flush(&mut bench.io);
        sent += bench.io.take().len() as u64;
        let accounting = bench.counters.snapshot().accounting();
        assert_eq!(accounting.difference(), 0, "seed {seed} after {offered}: {accounting:?}");
        assert_eq!((accounting.received, accounting.sent), (offered, sent), "seed {seed}");
        // Buffers: what came in or was copied went out or came back.
        let buffers = offered + bench.io.copied - sent - bench.io.released;
        assert_eq!(buffers, 0, "seed {seed} after {offered}");
        assert!(bench.io.copied <= accounting.copied);
        if random.one_in(8) {
            bench.learn(now);
            while bench.punts.pop().is_ok() {}
            while bench.protocols.pop().is_ok() {}
            while bench.samples.pop().is_ok() {}
            overlay::shake(&mut random, &bench);
        }
        if random.one_in(200) {
            let topology = any_topology(&mut random, seed, spans);
            bench.reconfigure(topology, generate::random_view(&mut random), now);
            stock = self::stock(&mut random, &bench);
            // Numbers that were retired come back, or the domains run out.
            let later = now + Duration::from_secs(3);
            bench.wait(now, later, Duration::from_millis(500));
            now = later;
        }
    }
    bench.counters.snapshot()
}

#[test]
fn accounting_adds_up_after_every_burst_of_frames_of_every_kind() {
    let kernels: Vec<Isa> = Isa::available().collect();
    let share = frames() / (8 * kernels.len() as u64);
    let mut sum = Snapshot::default();
    for seed in 0..8 {
        for isa in &kernels {
            sum += &soak(0xacc ^ (seed << 12), *isa, share / 2, false);
            sum += &soak(0xacd ^ (seed << 12), *isa, share / 2, true);
        }
    }
    // Every kind of end was met, most reasons among them.
    let all = sum.accounting();
    assert!(all.sent > 0 && all.consumed > 0 && all.copied > 0, "{all:?}");
    let met = |reason: &&DropReason| sum.ports.iter().any(|port| port.drops[reason.index()] > 0);
    let met: Vec<&DropReason> = DropReason::ALL.iter().filter(met).collect();
    assert!(met.len() >= 32, "only {met:?}");
}
