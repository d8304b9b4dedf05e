//! What the oracle does not know: devices that refuse, buffers that run out, rings that are full,
//! time that passes, samples, counters, and the trace.

use std::fmt::Write as _;
use std::time::Duration;

use arrayvec::ArrayVec;
use bridge_model::compile::Scope;
use bridge_model::reason::{DropReason, PuntReason};
use bridge_model::site;
use bridge_model::types::InterfaceId;
use fwd::counters::{CounterLayout, Owner, PortSlot, Traffic};
use fwd::heap::HeapFrame;
use fwd::mac::Isa;
use fwd::trace::{Copy, Step, Trace, Verdict, what_if};

use crate::bench::{Bench, Seen};
use crate::generate::{self, name, vid};
use crate::random::Random;

const NOW: Duration = Duration::from_secs(1);
/// Trunks 0 and 1, access ports 2, 3 and 4.
const SITE: &str = "
hosts: [{name: gw}]
bridges: [{name: web}]
gatewayBridges: [{name: g, mode: stp-transparent, transit: true}]
trunks:
- {name: t0, gatewayBridge: g, host: gw, interface: eth0}
- {name: t1, gatewayBridge: g, host: gw, interface: eth1}
vlanLinks: [{gatewayBridge: g, vid: 10, bridge: web}]
accessPorts:
- {name: a2, bridge: web, host: gw, interface: eth2}
- {name: a3, bridge: web, host: gw, interface: eth3}
- {name: a4, bridge: web, host: gw, interface: eth4}
";
const T0: InterfaceId = InterfaceId(0);
const T1: InterfaceId = InterfaceId(1);
const A2: InterfaceId = InterfaceId(2);
const A3: InterfaceId = InterfaceId(3);
const A4: InterfaceId = InterfaceId(4);

fn bench() -> Bench {
    bench_of(SITE)
}

fn bench_of(text: &str) -> Bench {
    let topology = site::parse("site.yaml", text).unwrap();
    Bench::new(topology, generate::view(), Isa::detect())
}

fn frame(to: u64, from: u64, tag: Option<u16>) -> Vec<u8> {
    let mut frame = to.to_be_bytes()[2..].to_vec();
    frame.extend(&from.to_be_bytes()[2..]);
    if let Some(tci) = tag {
        frame.extend([0x81, 0x00]);
        frame.extend(tci.to_be_bytes());
    }
    frame.extend([0x08, 0x00]);
    frame.resize(64, 0x5a);
    frame
}

const BROADCAST: u64 = 0xffff_ffff_ffff;
const ANN: u64 = 0x0200_0000_000a;
const BOB: u64 = 0x0200_0000_000b;
const BPDU: u64 = 0x0180_c200_0000;
const LLDP: u64 = 0x0180_c200_000e;

#[test]
fn a_full_ring_drops_what_does_not_fit_and_names_the_egress_port() {
    let mut bench = bench();
    bench.frame(NOW, A3, &frame(BROADCAST, BOB, None));
    bench.io.room.insert(A3, 2);
    let data = frame(BOB, ANN, None);
    let seen = bench.burst(NOW, A2, &[&data, &data, &data, &data, &data]);
    assert_eq!(seen.sent.len(), 2);
    assert_eq!(seen.dropped, [DropReason::TxFull; 3]);
    let slot = bench.slots.find(&Owner::Port(name("a3"))).unwrap();
    assert_eq!(bench.counters.snapshot().port(slot).drops[DropReason::TxFull.index()], 3);
}

#[test]
fn a_device_without_carrier_drops_all_of_its_own_and_nothing_else() {
    let mut bench = bench();
    bench.io.down.push(A3);
    let seen = bench.frame(NOW, A2, &frame(BROADCAST, ANN, None));
    let to: Vec<InterfaceId> = seen.sent.iter().map(|(to, _)| *to).collect();
    assert_eq!(to, [T0, T1, A4]);
    assert_eq!(seen.dropped, [DropReason::TxLinkDown]);
}

#[test]
fn copies_that_no_buffer_is_left_for_are_counted_and_the_last_port_gets_the_frame_itself() {
    let mut bench = bench();
    bench.io.copies_left = Some(1);
    let seen = bench.frame(NOW, A2, &frame(BROADCAST, ANN, None));
    assert_eq!(seen.sent.len(), 2, "one copy and the frame itself");
    assert_eq!(seen.dropped, [DropReason::NoBuffer; 2]);
    // Three further buffers were called for; never more than that.
    assert_eq!(bench.counters.snapshot().copied, 3);
}

#[test]
fn a_chained_buffer_is_dropped_whatever_it_holds() {
    let mut bench = bench();
    let mut burst: ArrayVec<HeapFrame, 32> = ArrayVec::new();
    burst.push(HeapFrame::chained(&frame(BROADCAST, ANN, None)));
    bench.worker.burst(&mut bench.io, A2, &mut burst, 1);
    bench.worker.flush(&mut bench.io);
    assert_eq!(bench.seen().dropped, [DropReason::BufferChained]);
    assert_eq!(bench.io.released, 1);
}

#[test]
fn a_full_learn_ring_costs_the_station_a_frame_and_is_counted() {
    let topology = site::parse("site.yaml", SITE).unwrap();
    let mut bench = Bench::with_rings(topology, generate::view(), Isa::detect(), 1, 64);
    let (one, two) = (frame(BROADCAST, ANN, None), frame(BROADCAST, BOB, None));
    bench.burst(NOW, A2, &[&one, &two]);
    assert_eq!(bench.learned().len(), 1);
    assert_eq!(bench.counters.snapshot().lost.learn_events, 1);
    bench.burst(NOW, A2, &[&one, &two]);
    assert_eq!(bench.learned().len(), 2, "the next frame tried again");
}

#[test]
fn a_move_whose_report_does_not_fit_is_not_made() {
    let topology = site::parse("site.yaml", SITE).unwrap();
    let mut bench = Bench::with_rings(topology, generate::view(), Isa::detect(), 1, 64);
    bench.frame(NOW, A3, &frame(BROADCAST, BOB, None));
    // Ann's report takes the only place; Bob's move waits for his next frame.
    let (ann, bob) = (frame(BROADCAST, ANN, None), frame(BROADCAST, BOB, None));
    bench.burst(NOW, A2, &[&ann, &bob]);
    let seen = bench.frame(NOW, A4, &frame(BOB, ANN, None));
    assert_eq!(seen.sent[0].0, A3);
    bench.frame(NOW, A2, &bob);
    let seen = bench.frame(NOW, A4, &frame(BOB, ANN, None));
    assert_eq!(seen.sent[0].0, A2);
}

#[test]
fn a_full_punt_ring_drops_consumed_frames_and_not_relayed_ones() {
    let topology = site::parse("site.yaml", SITE).unwrap();
    let mut bench = Bench::with_rings(topology, generate::view(), Isa::detect(), 16, 1);
    let (lldp, bpdu) = (frame(LLDP, ANN, None), frame(BPDU, ANN, None));
    let seen = bench.burst(NOW, T0, &[&lldp, &lldp, &bpdu]);
    assert_eq!(seen.consumed, [PuntReason::Lldp]);
    assert_eq!(seen.dropped, [DropReason::PuntFull]);
    assert_eq!(seen.sent, [(T1, bpdu)]);
    assert_eq!(bench.counters.snapshot().lost.snoops, 1);
}

#[test]
fn control_frames_beyond_the_budget_are_dropped_and_data_is_not() {
    let mut bench = bench();
    let (bpdu, data) = (frame(BPDU, ANN, None), frame(BROADCAST, ANN, Some(10)));
    let mut limited = 0;
    for _ in 0..400 {
        let seen = bench.burst(NOW, T0, &[&bpdu[..]; 32]);
        limited += seen.dropped.iter().filter(|r| **r == DropReason::BpduRateLimit).count();
        while bench.punts.pop().is_ok() {}
    }
    assert_eq!(limited, 400 * 32 - 10_000);
    assert_eq!(bench.frame(NOW, T0, &data).sent.len(), 4);
    let later = NOW + Duration::from_millis(10);
    let seen = bench.burst(later, T0, &[&bpdu[..]; 32]);
    assert_eq!(seen.sent.len(), 32, "10 ms refill 100 frames");
}

#[test]
fn relayed_frames_leave_ahead_of_data_that_came_before_them() {
    let mut bench = bench();
    let (data, bpdu) = (frame(BROADCAST, ANN, Some(10)), frame(BPDU, ANN, None));
    let seen = bench.burst(NOW, T0, &[&data, &bpdu, &data]);
    let to_t1: Vec<&Vec<u8>> =
        seen.sent.iter().filter(|(to, _)| *to == T1).map(|(_, f)| f).collect();
    assert_eq!(to_t1, [&bpdu, &data, &data]);
}

#[test]
fn an_originated_frame_is_sent_unchanged_and_counted_apart() {
    let mut bench = bench();
    let lldp = frame(LLDP, ANN, None);
    let slot = bench.slots.find(&Owner::Port(name("t0"))).unwrap();
    bench.worker.originate(&mut bench.io, T0, slot, HeapFrame::new(&lldp));
    bench.worker.flush(&mut bench.io);
    assert_eq!(bench.seen().sent, [(T0, lldp)]);
    let accounting = bench.counters.snapshot().accounting();
    assert_eq!((accounting.originated, accounting.received), (1, 0));
}

#[test]
fn one_frame_for_each_reason_and_port_is_sampled_until_armed_again() {
    let mut bench = bench();
    let bad = frame(BROADCAST, 0, None);
    for interface in [A2, A2, A3] {
        bench.frame(NOW, interface, &bad);
    }
    let samples: Vec<_> = std::iter::from_fn(|| bench.samples.pop().ok()).collect();
    let slot = |port: &str| bench.slots.find(&Owner::Port(name(port))).unwrap();
    let seen: Vec<_> = samples.iter().map(|s| (s.reason, s.port, s.interface)).collect();
    let reason = DropReason::BadSource;
    assert_eq!(seen, [(reason, slot("a2"), A2), (reason, slot("a3"), A3)]);
    assert_eq!((&*samples[0].head, samples[0].octets), (&*bad, 64));
    let slot = slot("a2");
    bench.counters.arm(slot, reason);
    bench.frame(NOW, A2, &bad);
    assert!(bench.samples.pop().is_ok());
}

#[test]
fn frames_are_counted_for_their_port_and_vid() {
    let mut bench = bench();
    bench.frame(NOW, A2, &frame(BROADCAST, ANN, None));
    bench.frame(NOW, T0, &frame(ANN, BOB, Some(10)));
    let t0 = bench.slots.find(&Owner::Port(name("t0"))).unwrap();
    let port = bench.counters.snapshot().port(t0);
    assert_eq!(port.tx, Traffic { frames: 1, octets: 68 });
    assert_eq!(port.rx, Traffic { frames: 1, octets: 64 });
    let block = bench.slots.find_trunk(&name("t0")).unwrap();
    let ten = bench.counters.vid(block, vid(10));
    assert_eq!((ten.rx.frames, ten.tx.frames, ten.tx.octets), (1, 1, 68));
    assert_eq!(bench.counters.vid(block, vid(20)).rx.frames, 0);
}

#[test]
fn a_station_that_keeps_talking_stays_and_a_silent_one_goes_after_the_ageing_time() {
    let mut bench = bench_of(&SITE.replace("name: web}]", "name: web, ageing: 10s}]"));
    let ms = Duration::from_millis;
    let (ann, bob) = (frame(BROADCAST, ANN, None), frame(BROADCAST, BOB, None));
    bench.frame(ms(1), A2, &ann);
    bench.frame(ms(1), A3, &bob);
    let mut now = ms(1);
    let mut gone = None;
    while now < ms(14_000) {
        bench.wait(now, now + ms(200), ms(50));
        now += ms(200);
        bench.frame(now, A2, &ann);
        if gone.is_none() && bench.learned().len() == 1 {
            gone = Some(now);
        }
    }
    let gone = gone.expect("Bob is gone");
    assert!(gone > ms(10_000), "not before his time: {gone:?}");
    assert!(gone < ms(13_500), "not much after it: {gone:?}");
    assert_eq!(bench.frame(now, A4, &frame(ANN, BOB, None)).sent[0].0, A2);
}

#[test]
fn numbers_of_a_flushed_port_come_back_after_a_sweep_and_its_stations_never() {
    let mut bench = bench();
    bench.frame(NOW, A2, &frame(BROADCAST, ANN, None));
    bench.flush(&Scope::Port(name("a2")), NOW);
    assert_eq!(bench.learned(), []);
    assert_eq!(bench.numbering.retired().len(), 1);
    assert_eq!(bench.frame(NOW, A3, &frame(ANN, BOB, None)).sent.len(), 4, "unknown: floods");
    bench.wait(NOW, NOW + Duration::from_secs(4), Duration::from_millis(100));
    assert_eq!(bench.numbering.retired(), []);
    assert_eq!(bench.learner.statistics().entries, 1, "Ann's entry is gone, Bob's is there");
}

#[test]
fn a_move_that_is_reported_after_its_target_was_retired_leaves_no_count_behind() {
    let mut bench = bench();
    bench.frame(NOW, A2, &frame(BROADCAST, BOB, None));
    let slots = ["a2", "a3"].map(|port| bench.slots.find(&Owner::Port(name(port))).unwrap());
    let fid = bench.learner.entries().next().unwrap().fid;
    let counts = |bench: &Bench| slots.map(|slot| bench.learner.learned_by_port(slot));
    assert_eq!(counts(&bench), [1, 0]);
    // The worker moves Bob; its report is still in the ring when the image without his new place
    // goes into force.
    let ticks = u64::try_from(NOW.as_nanos()).unwrap();
    let mut burst = [HeapFrame::new(&frame(BROADCAST, BOB, None))].into_iter().collect();
    bench.worker.burst(&mut bench.io, A3, &mut burst, ticks);
    bench.worker.flush(&mut bench.io);
    bench.flush(&Scope::Port(name("a3")), NOW);
    assert_eq!(counts(&bench), [1, 0], "not reported yet");
    bench.wait(NOW, NOW + Duration::from_secs(4), Duration::from_millis(100));
    assert_eq!(bench.learner.statistics().entries, 0);
    assert_eq!(counts(&bench), [0, 0]);
    assert_eq!(bench.learner.learned_by_port(PortSlot::UNATTRIBUTED), 0);
    assert_eq!(bench.learner.learned_in_fid(fid), 0);
    // A count below 0 is shown as 0: it would swallow the next station.
    assert_eq!(bench.numbering.retired(), [], "released");
    bench.frame(NOW + Duration::from_secs(4), A3, &frame(BROADCAST, BOB, None));
    assert_eq!((counts(&bench), bench.learner.learned_in_fid(fid)), ([0, 1], 1));
}

#[test]
fn a_trace_tells_what_the_pipeline_then_does_and_changes_nothing() {
    for seed in 0..8 {
        let mut random = Random::new(0x7ace ^ seed);
        let mut topology = generate::topology(&mut random, seed);
        // A trace asks no policer.
        for trunk in topology.trunks.values_mut() {
            trunk.storm_control = bridge_model::topology::StormControl::default();
        }
        for port in topology.access_ports.values_mut() {
            port.storm_control = bridge_model::topology::StormControl::default();
        }
        let view = generate::random_view(&mut random);
        let mut bench = Bench::new(topology, view, Isa::detect());
        for step in 0..150 {
            let interface = InterfaceId(random.below(8) as u16);
            let frame = generate::frame(&mut random);
            let before = (step % 50 == 0).then(|| bench.learned());
            let trace = what_if(&bench.image, interface, &frame);
            assert!(before.is_none_or(|before| bench.learned() == before));
            let mut seen = bench.frame(NOW, interface, &frame);
            seen.sent.sort();
            let told = told(&trace);
            assert_eq!(seen, told, "seed {seed}, step {step}: {:?}", trace.steps);
            assert!(matches!(trace.steps.first(), Some(Step::Arrived { .. })));
            while bench.punts.pop().is_ok() {}
        }
    }
}

/// What is seen if the trace is right.
pub(crate) fn told(trace: &Trace) -> Seen {
    let mut told = Seen::default();
    let mut tell = |copy: &Copy| match &copy.frame {
        Ok(bytes) => told.sent.push((copy.interface.unwrap(), bytes.clone())),
        Err(reason) => told.dropped.push(*reason),
    };
    match &trace.verdict {
        Verdict::Drop(reason) => told.dropped.push(*reason),
        Verdict::Punt(reason) => told.consumed.push(*reason),
        Verdict::Send(copies) => copies.iter().for_each(tell),
        Verdict::Answered(copy) => {
            tell(copy);
            told.consumed.push(PuntReason::NeighborSuppressed);
        }
    }
    told.sent.sort();
    told.dropped.sort_unstable();
    told
}

/// Two trunks and three access ports whose names nobody has had before, with room for one station
/// each.
fn site_of_newcomers(generation: u32) -> String {
    let ports = SITE.find("accessPorts:").unwrap();
    let mut text = SITE[..ports].replace("eth0}", "eth0, macLimit: 1, macLimitPolicy: drop}");
    text += "accessPorts:\n";
    for interface in 2..5 {
        let _ = writeln!(
            text,
            "- {{name: x{generation}-{interface}, bridge: web, host: gw, interface: eth{interface}, \
             macLimit: 1, macLimitPolicy: drop}}"
        );
    }
    text
}

#[test]
fn ports_beyond_the_counters_layout_still_forward_and_still_add_up() {
    // There is room for nobody's slot, both trunks, interfaces where no port is bound, and the access
    // ports of some of the sites that follow; and a block for one trunk of two.
    let view = generate::view();
    let unbound = view.interfaces.len() - 5;
    let ports = u16::try_from(1 + unbound + 2 + 2 + 3 * 5).unwrap();
    let layout = CounterLayout { ports, trunks: 1 };
    let parsed = |n| site::parse("site.yaml", &site_of_newcomers(n)).unwrap();
    let mut bench = Bench::with_layout(parsed(0), view.clone(), layout);
    let (mut now, mut station, mut shared, mut received) = (NOW, ANN, 0, 0);
    for generation in 0..8 {
        if generation > 0 {
            bench.reconfigure(parsed(generation), view.clone(), now);
        }
        for interface in [A2, A3, A4] {
            let owner = Owner::Port(name(&format!("x{generation}-{}", interface.0)));
            let own = bench.slots.find(&owner);
            let slot = own.unwrap_or(PortSlot::UNATTRIBUTED);
            let before = bench.counters.snapshot().port(slot);
            let mut dropped = Vec::new();
            for _ in 0..3 {
                station += 1;
                let seen = bench.frame(now, interface, &frame(BROADCAST, station, None));
                assert_eq!(seen.sent.len() + 4 * seen.dropped.len(), 4, "sent or dropped");
                dropped.extend(seen.dropped);
                now += Duration::from_millis(10);
            }
            received += 3;
            // A limit is kept by those that are counted on their own, and harms none of the others.
            let limited = if own.is_some() { 2 } else { 0 };
            assert_eq!(dropped, vec![DropReason::MacLimit; limited], "{owner:?}");
            assert_eq!(bench.learner.learned_by_port(slot) == 1, own.is_some(), "{owner:?}");
            let after = bench.counters.snapshot();
            assert_eq!(after.port(slot).rx.frames - before.rx.frames, 3, "{owner:?}");
            assert_eq!(after.port(slot).dropped() - before.dropped(), limited as u64);
            let accounting = after.accounting();
            assert_eq!((accounting.difference(), accounting.received), (0, received));
            if own.is_none() {
                shared += 1;
                assert!(bench.slots.exhausted());
            }
        }
        assert!(bench.slots.owners().len() <= usize::from(ports));
    }
    assert!((3..24).contains(&shared), "some had slots and some had none: {shared}");
    // Ports that came in time keep their counters and their limits.
    let t0 = bench.slots.find(&Owner::Port(name("t0"))).unwrap();
    bench.frame(now, T0, &frame(BROADCAST, BOB, Some(10)));
    let seen = bench.frame(now, T0, &frame(BROADCAST, BOB + 0x1000, Some(10)));
    assert_eq!(seen.dropped, [DropReason::MacLimit]);
    assert_eq!(bench.counters.snapshot().port(t0).rx.frames, 2);
    assert!(bench.slots.find_trunk(&name("t0")).is_some());
    assert!(bench.slots.find_trunk(&name("t1")).is_none());
}

#[test]
fn slots_that_suffice_are_not_called_exhausted() {
    let mut bench = bench();
    bench.reconfigure(bench.topology.clone(), bench.view.clone(), NOW);
    assert!(!bench.slots.exhausted());
}
