//! Entries go after the ageing time, and not much later.

use std::time::Duration;

use bridge_model::types::Fid;
use proptest::prelude::*;

use super::crafted::{Bench, bench, event};
use crate::mac::{AgeClock, Scalar, Verdict};

const FID: Fid = Fid(3);

/// Publishes the time and sweeps, as the control thread does.
fn turn(bench: &mut Bench, now: Duration) -> u64 {
    bench.clock.advance(now);
    let mut removed = 0;
    loop {
        let progress = bench.writer.sweep(1 << 20, |entry| {
            if entry.is_expired() { Verdict::Remove } else { Verdict::Keep }
        });
        removed += progress.removed;
        if progress.completed {
            bench.clock.sweep_completed();
            return removed;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn an_idle_entry_goes_after_the_ageing_time_and_at_most_a_fifth_later(
        ageing in 10_u64..100,
        start in 0_u64..1_000_000,
        mac in 1_u64..0xff_ffff,
        silent_after in 1_u32..300,
        pauses in proptest::collection::vec(1_u32..=100, 50),
    ) {
        let mut bench = bench(17);
        let ageing = Duration::from_secs(ageing);
        // The clock is published irregularly, at the slowest as often as it must be.
        let mut pauses = pauses.iter().cycle().map(|percent| ageing / 64 * *percent / 100);
        let mut now = Duration::from_millis(start);
        bench.clock.set_ageing(FID, Some(ageing), now);
        bench.clock.advance(now);
        bench.writer.learn(&event(FID, mac, 1));
        let key = bench.table.hash(FID, mac);
        let (mut heard, mut next) = (now, now);
        let mut rounds = 0;
        loop {
            now = next;
            next += pauses.next().unwrap();
            bench.clock.advance(now);
            bench.clock.sweep_completed();
            if bench.writer.get(FID, mac).unwrap().is_expired() {
                break;
            }
            rounds += 1;
            prop_assert!(now < heard + ageing * 2, "never expired");
            if rounds < silent_after {
                // Frames arrive just before the clock is published again.
                heard = next.saturating_sub(Duration::from_nanos(1));
                let epoch = bench.clock.table().epoch(FID, key);
                let hit = bench.table.find(Scalar, key).unwrap();
                if hit.is_stale(epoch) {
                    hit.refresh(epoch);
                }
            }
        }
        prop_assert!(rounds >= silent_after, "expired while it was heard");
        let idle = now.saturating_sub(heard);
        prop_assert!(idle > ageing, "too early: {idle:?} of {ageing:?}");
        prop_assert!(idle <= ageing * 65 * 7 / (64 * 6) + ageing / 32, "too late: {idle:?} of {ageing:?}");
    }
}

#[test]
fn without_a_sweep_the_clock_stands_still_and_nothing_looks_fresh_again() {
    let mut clock = AgeClock::new(8);
    let table = clock.table();
    clock.set_ageing(FID, Some(Duration::from_secs(10)), Duration::ZERO);
    clock.advance(Duration::ZERO);
    let key = crate::mac::Hashed::default();
    let stamped = table.epoch(FID, key);
    for second in 0..100 {
        clock.advance(Duration::from_secs(second));
        assert!(table.epoch(FID, key).steps_since(stamped) <= 1);
    }
    // Each complete sweep lets it go on, and time that stood still is not made up for.
    for turn in 0..3_u64 {
        clock.sweep_completed();
        let before = table.epoch(FID, key);
        clock.advance(Duration::from_secs(100 + turn));
        assert!(table.epoch(FID, key).steps_since(before) <= 1);
    }
}

#[test]
fn a_control_thread_that_was_stopped_for_an_hour_lets_the_clock_go_on_by_one_step() {
    let mut clock = AgeClock::new(8);
    let table = clock.table();
    clock.set_ageing(FID, Some(Duration::from_secs(10)), Duration::ZERO);
    clock.advance(Duration::ZERO);
    let key = crate::mac::Hashed::default();
    for hour in 1..20 {
        let before = table.epoch(FID, key);
        clock.advance(Duration::from_secs(hour * 3600));
        assert!(table.epoch(FID, key).steps_since(before) <= 1);
        clock.sweep_completed();
    }
}

#[test]
fn stations_come_due_spread_over_the_whole_step() {
    let bench = bench(17);
    let mut clock = bench.clock;
    clock.set_ageing(FID, Some(Duration::from_secs(300)), Duration::ZERO);
    clock.advance(Duration::ZERO);
    let table = clock.table();
    let keys: Vec<_> = (0..5000).map(|n| bench.table.hash(FID, 0x5254_0000_0000 | n)).collect();
    let mut epochs: Vec<_> = keys.iter().map(|key| table.epoch(FID, *key)).collect();
    // A hundred turns in one step of 50.8 s.
    for turn in 1..=100 {
        clock.sweep_completed();
        clock.advance(Duration::from_millis(turn * 508));
        let mut due = 0;
        for (key, before) in keys.iter().zip(&mut epochs) {
            let now = table.epoch(FID, *key);
            due += u32::from(now != *before);
            *before = now;
        }
        assert!((20..100).contains(&due), "{due} of 5000 in turn {turn}");
    }
}

#[test]
fn a_domain_without_ageing_time_keeps_its_entries() {
    let mut bench = bench(17);
    bench.writer.learn(&event(FID, 0x5254_0012_3456, 1));
    for second in 0..50 {
        assert_eq!(turn(&mut bench, Duration::from_secs(second * 1000)), 0);
    }
}
