//! Generated topologies and frames: whatever the oracle says of a frame, the pipeline does, with
//! every kernel, and both have learned the same afterwards.
//!
//! `SLUICE_CASES` sets the number of topologies (each with some hundred frames); a failure names
//! its seed.

use std::time::Duration;

use bridge_model::compile::Scope;
use bridge_model::oracle::{Oracle, Outcome};
use bridge_model::reason::PuntReason;
use bridge_model::types::{InterfaceId, Name};
use fwd::mac::Isa;
use fwd::{BURST, PUNT_OCTETS};

use crate::bench::{Bench, Seen};
use crate::generate;
use crate::random::Random;

pub(crate) fn cases() -> u64 {
    std::env::var("SLUICE_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(10)
}

/// What the pipeline is expected to show for this outcome; copies are sorted.
pub(crate) fn expected(outcome: &Outcome) -> Seen {
    let mut dropped = outcome.drops();
    dropped.sort_unstable();
    let consumed = outcome.consumed().into_iter().collect();
    let sent = outcome.copies().iter().map(|c| (c.interface, c.bytes.clone())).collect();
    Seen { sent, dropped, consumed }
}

pub(crate) fn scope(random: &mut Random, bench: &Bench) -> Scope {
    let pick = |random: &mut Random, names: Vec<Name>| {
        if names.is_empty() { None } else { Some(random.pick(&names)) }
    };
    let topology = &bench.topology;
    let found = match random.below(5) {
        0 => pick(random, topology.trunks.keys().cloned().collect()).map(Scope::Port),
        1 => pick(random, topology.access_ports.keys().cloned().collect()).map(Scope::Port),
        2 => pick(random, topology.bridges.keys().cloned().collect()).map(Scope::Bridge),
        3 => pick(random, topology.gateway_bridges.keys().cloned().collect()).map(|name| {
            let vid = random.one_in(2).then(|| generate::vid(10));
            Scope::GatewayBridge { name, vid }
        }),
        _ => None,
    };
    found.unwrap_or(Scope::All)
}

fn interface(random: &mut Random) -> InterfaceId {
    // One more than there are.
    InterfaceId(random.below(usize::from(generate::INTERFACES) + 1) as u16)
}

fn walk(seed: u64, isa: Isa, steps: usize) {
    let mut random = Random::new(seed);
    let topology = generate::topology(&mut random, seed);
    let view = generate::random_view(&mut random);
    let mut oracle = Oracle::new(topology.clone(), view.clone());
    let mut bench = Bench::new(topology, view, isa);
    // All of a run together stays below the shortest ageing time.
    let mut now = Duration::from_millis(1);
    for step in 0..steps {
        let at = format!("seed {seed}, step {step}, {}", isa.name());
        match random.below(100) {
            0 => {
                let scope = scope(&mut random, &bench);
                oracle.flush(&scope);
                bench.flush(&scope, now);
            }
            1 => {
                let topology = generate::topology(&mut random, seed);
                let view = generate::random_view(&mut random);
                oracle.tick(now);
                oracle.reconfigure(topology.clone(), view.clone());
                bench.reconfigure(topology, view, now);
            }
            2..=20 => now += Duration::from_micros(random.below(300_000) as u64),
            _ => {
                let interface = interface(&mut random);
                let frame = generate::frame(&mut random);
                let outcome = oracle.frame(now, interface, &frame);
                let mut seen = bench.frame(now, interface, &frame);
                seen.sent.sort();
                assert_eq!(
                    seen,
                    expected(&outcome),
                    "{at}: {frame:02x?} on interface {interface}\n{:#?}",
                    bench.topology
                );
                check_punts(&mut bench, &outcome, &frame, &at);
            }
        }
        if step % 64 == 63 {
            assert_eq!(bench.learned(), oracle.learned(), "{at}");
        }
    }
    assert_eq!(bench.learned(), oracle.learned(), "seed {seed}, {}", isa.name());
}

/// A consumed frame is with the control plane as it came; so is a copy of a relayed BPDU.
pub(crate) fn check_punts(bench: &mut Bench, outcome: &Outcome, frame: &[u8], at: &str) {
    let punt = bench.punts.pop().ok();
    let octets = frame.len();
    let frame = &frame[..octets.min(PUNT_OCTETS)];
    match (outcome, punt) {
        (
            Outcome::Consumed(
                PuntReason::UnderlayNeighbor | PuntReason::UnderlayIcmp | PuntReason::Bfd,
            ),
            None,
        ) => {}
        (Outcome::Consumed(reason), Some(punt)) => {
            assert_eq!((punt.reason, punt.octets as usize), (*reason, octets), "{at}");
            assert_eq!((&*punt.bytes, punt.relayed), (frame, false), "{at}");
        }
        (Outcome::Sent { .. } | Outcome::Dropped(_) | Outcome::Answered(_), Some(punt)) => {
            assert!(matches!(punt.reason, PuntReason::Bpdu | PuntReason::Pvst), "{at}");
            assert!(punt.relayed && *punt.bytes == *frame, "{at}");
        }
        (Outcome::Consumed(_), None) => panic!("{at}: consumed and gone"),
        (_, None) => {}
    }
    assert!(bench.punts.pop().is_err(), "{at}: one frame, one punt");
}

#[test]
fn the_pipeline_does_with_every_frame_what_the_oracle_says() {
    for seed in 0..cases() {
        for isa in Isa::available() {
            walk(seed, isa, 400);
        }
    }
}

/// Frames by the hundred on one interface, in bursts that end where a new station appears (it is
/// known from the learner's next turn on, not within the burst).
fn burst_walk(seed: u64, isa: Isa) {
    let mut random = Random::new(seed ^ 0xb0_5757);
    let topology = generate::topology(&mut random, seed);
    let view = generate::random_view(&mut random);
    let mut oracle = Oracle::new(topology.clone(), view.clone());
    let mut bench = Bench::new(topology, view, isa);
    // Limits, too, are looked at again when the learner has its turn.
    let limited = bench.topology.trunks.values().any(|trunk| trunk.mac_limit.is_some())
        || bench.topology.access_ports.values().any(|port| port.mac_limit.is_some());
    let mut now = Duration::from_millis(1);
    for round in 0..40 {
        let at = format!("seed {seed}, round {round}, {}", isa.name());
        now += Duration::from_micros(random.below(100_000) as u64);
        let interface = interface(&mut random);
        let mut frames = Vec::new();
        let mut outcomes = Vec::new();
        while frames.len() < BURST {
            let frame = generate::frame(&mut random);
            let known = oracle.learned();
            outcomes.push(oracle.frame(now, interface, &frame));
            frames.push(frame);
            let learned = oracle.learned();
            if learned.len() != known.len() || limited && learned != known {
                break;
            }
        }
        let slices: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        let seen = bench.burst(now, interface, &slices);
        while bench.punts.pop().is_ok() {}
        check_burst(&seen, &frames, &outcomes, &at);
    }
    assert_eq!(bench.learned(), oracle.learned(), "seed {seed}, {}", isa.name());
}

fn is_control(frame: &[u8]) -> bool {
    use bridge_model::wire::{ethernet::Header, reserved};
    Header::parse(frame).is_ok_and(|header| reserved::classify(frame, &header).is_some())
}

/// All together the same drops, and by interface the same copies in the same order: control frames
/// first, then data. (Copies of one frame to one interface have no order among them.)
pub(crate) fn check_burst(seen: &Seen, frames: &[Vec<u8>], outcomes: &[Outcome], at: &str) {
    let mut dropped: Vec<_> = outcomes.iter().flat_map(Outcome::drops).collect();
    dropped.sort_unstable();
    assert_eq!(seen.dropped, dropped, "{at}");
    for interface in (0..generate::INTERFACES).map(InterfaceId) {
        let sent: Vec<&Vec<u8>> =
            seen.sent.iter().filter(|(to, _)| *to == interface).map(|(_, f)| f).collect();
        let mut next = 0;
        for first in [true, false] {
            for (_, outcome) in
                frames.iter().zip(outcomes).filter(|(frame, _)| is_control(frame) == first)
            {
                let copies = outcome.copies().iter().filter(|copy| copy.interface == interface);
                let wanted: Vec<&Vec<u8>> = copies.map(|copy| &copy.bytes).collect();
                let mut got = sent[next..][..wanted.len()].to_vec();
                got.sort();
                assert_eq!(got, wanted, "{at}: interface {interface}");
                next += wanted.len();
            }
        }
        assert_eq!(next, sent.len(), "{at}: interface {interface}");
    }
}

#[test]
fn a_burst_does_what_its_frames_do_one_by_one_and_keeps_their_order() {
    for seed in 0..cases() {
        for isa in Isa::available() {
            burst_walk(seed, isa);
        }
    }
}
