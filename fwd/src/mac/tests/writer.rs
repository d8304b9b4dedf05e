//! The writer's rules, one by one.

use bridge_model::types::{Fid, MemberId, PortId};

use super::crafted::{Bench, bench, crowded, event};
use crate::mac::{AgeEpoch, LearnEvent, Learned, Refusal, Scalar, Verdict};

const FID: Fid = Fid(1);
const MAC: u64 = 0x5254_0012_3456;

fn member(bench: &Bench, fid: Fid, mac: u64) -> Option<u16> {
    let key = bench.table.hash(fid, mac);
    bench.table.find(Scalar, key).map(|hit| hit.member().0)
}

#[test]
fn a_station_is_found_where_it_was_learned_and_only_in_its_domain() {
    let mut bench = bench(17);
    assert_eq!(bench.writer.learn(&event(FID, MAC, 3)), Learned::New);
    assert_eq!(bench.writer.learn(&event(FID, MAC, 3)), Learned::Same);
    assert_eq!(member(&bench, FID, MAC), Some(3));
    assert_eq!(member(&bench, Fid(2), MAC), None);
    assert_eq!(bench.writer.learned_in_fid(FID), 1);
}

#[test]
fn a_later_sighting_elsewhere_moves_the_station() {
    let mut bench = bench(17);
    bench.writer.learn(&event(FID, MAC, 3));
    let moved = bench.writer.learn(&event(FID, MAC, 4));
    assert_eq!(moved, Learned::Moved { from: MemberId(3) });
    assert_eq!(member(&bench, FID, MAC), Some(4));
    assert_eq!(bench.writer.learned_by_member(FID, MemberId(3)), 0);
    assert_eq!(bench.writer.learned_by_member(FID, MemberId(4)), 1);
}

#[test]
fn a_move_by_a_worker_holds_at_once_and_is_counted_when_reported() {
    let mut bench = bench(17);
    bench.writer.learn(&event(FID, MAC, 3));
    let key = bench.table.hash(FID, MAC);
    let hit = bench.table.find(Scalar, key).unwrap();
    assert!(hit.move_to(MemberId(5), AgeEpoch::new(1)));
    assert!(!hit.move_to(MemberId(6), AgeEpoch::new(1)), "the entry is not what was found");
    assert_eq!(member(&bench, FID, MAC), Some(5));
    let report = LearnEvent { moved_from: Some(MemberId(3)), ..event(FID, MAC, 5) };
    assert_eq!(bench.writer.learn(&report), Learned::Moved { from: MemberId(3) });
    assert_eq!(bench.writer.learned_by_member(FID, MemberId(3)), 0);
    assert_eq!(bench.writer.learned_by_member(FID, MemberId(5)), 1);
}

#[test]
fn reports_of_two_workers_in_the_wrong_order_still_add_up() {
    let mut bench = bench(17);
    bench.writer.learn(&event(FID, MAC, 3));
    let report = |from, to| LearnEvent { moved_from: Some(MemberId(from)), ..event(FID, MAC, to) };
    bench.writer.learn(&report(5, 7));
    bench.writer.learn(&report(3, 5));
    for (member, learned) in [(3, 0), (5, 0), (7, 1)] {
        assert_eq!(bench.writer.learned_by_member(FID, MemberId(member)), learned);
    }
}

#[test]
fn a_refresh_that_comes_too_late_changes_nothing() {
    let mut bench = bench(17);
    bench.writer.learn(&event(FID, MAC, 3));
    let hit = bench.table.find(Scalar, bench.table.hash(FID, MAC)).unwrap();
    assert!(hit.is_stale(AgeEpoch::new(hit.age().number() + 1)));
    assert!(!hit.is_stale(hit.age()));
    bench.writer.remove(FID, MAC).unwrap();
    hit.refresh(AgeEpoch::new(2));
    assert_eq!(member(&bench, FID, MAC), None);
}

#[test]
fn a_static_entry_wins_over_learned_ones_and_neither_moves_nor_ages() {
    let mut bench = bench(17);
    bench.writer.learn(&event(FID, MAC, 3));
    bench.writer.set_static(FID, MAC, MemberId(9)).unwrap();
    assert_eq!(member(&bench, FID, MAC), Some(9));
    let refused = Learned::Refused(Refusal::Static);
    assert_eq!(bench.writer.learn(&event(FID, MAC, 3)), refused);
    assert_eq!(bench.writer.learn(&event(FID, MAC, 9)), Learned::Same);
    let hit = bench.table.find(Scalar, bench.table.hash(FID, MAC)).unwrap();
    assert!(hit.is_static());
    assert!(!hit.move_to(MemberId(3), AgeEpoch::new(1)));
    for epoch in 0..8 {
        assert!(!hit.is_stale(AgeEpoch::new(epoch)));
        hit.refresh(AgeEpoch::new(epoch));
    }
    assert_eq!(bench.writer.learned_in_fid(FID), 0);
    assert_eq!(bench.writer.statistics().statics, 1);
    let view = bench.writer.remove(FID, MAC).unwrap();
    assert!(view.is_static && !view.is_expired());
    assert_eq!(bench.writer.statistics().statics, 0);
    assert_eq!(bench.writer.statistics().entries, 0);
}

#[test]
fn what_names_no_station_or_no_member_is_refused() {
    let mut bench = bench(17);
    let nobody = Learned::Refused(Refusal::Nobody);
    for mac in [0, 0xffff_ffff_ffff, 0x0100_5e00_0001, 1 << 48 | MAC] {
        assert_eq!(bench.writer.learn(&event(FID, mac, 3)), nobody, "{mac:x}");
        assert_eq!(bench.writer.set_static(FID, mac, MemberId(3)), Err(Refusal::Nobody));
    }
    for member in [0, 4096, u16::MAX] {
        assert_eq!(bench.writer.learn(&event(FID, MAC, member)), nobody, "{member}");
    }
    assert_eq!(bench.writer.learn(&event(FID, MAC, 4095)), Learned::New);
}

#[test]
fn a_sweep_visits_every_entry_and_removes_what_it_is_told() {
    let mut bench = bench(17);
    let keys = crowded(24);
    for (n, (fid, mac)) in keys.iter().enumerate() {
        bench.writer.learn(&event(*fid, *mac, u16::try_from(n % 2).unwrap() + 1));
    }
    let mut seen = Vec::new();
    let mut removed = 0;
    let completed = loop {
        let progress = bench.writer.sweep(1000, |entry| {
            seen.push((entry.fid, entry.mac));
            if entry.member == MemberId(1) { Verdict::Remove } else { Verdict::Keep }
        });
        removed += progress.removed;
        if progress.completed {
            break true;
        }
    };
    assert!(completed);
    assert_eq!(removed, 12);
    seen.sort_unstable();
    seen.dedup();
    let mut expected = keys.clone();
    expected.sort_unstable();
    assert_eq!(seen, expected);
    for (n, (fid, mac)) in keys.iter().enumerate() {
        assert_eq!(member(&bench, *fid, *mac), (n % 2 == 1).then_some(2));
    }
    assert_eq!(bench.writer.entries().count(), 12);
}

#[test]
fn a_sweep_brings_entries_home_when_there_is_room_again() {
    let mut bench = bench(17);
    let keys = crowded(26);
    for (fid, mac) in &keys {
        assert_eq!(bench.writer.learn(&event(*fid, *mac, 1)), Learned::New);
    }
    let crowded = bench.writer.statistics();
    assert!(crowded.alternates > 0, "{crowded:?}");
    for (fid, mac) in &keys[8..] {
        bench.writer.remove(*fid, *mac).unwrap();
    }
    for _ in 0..3 {
        while !bench.writer.sweep(1 << 20, |_| Verdict::Keep).completed {}
    }
    let statistics = bench.writer.statistics();
    assert_eq!((statistics.entries, statistics.alternates), (8, 0));
    for (fid, mac) in &keys[..8] {
        assert_eq!(member(&bench, *fid, *mac), Some(1));
    }
}

#[test]
fn entries_of_a_member_move_along_when_its_port_changes() {
    let mut bench = bench(17);
    bench.writer.assign_port(FID, MemberId(3), PortId(1));
    bench.writer.learn(&event(FID, MAC, 3));
    assert_eq!(bench.writer.learned_by_port(PortId(1)), 1);
    bench.writer.assign_port(FID, MemberId(3), PortId(2));
    assert_eq!(bench.writer.learned_by_port(PortId(1)), 0);
    assert_eq!(bench.writer.learned_by_port(PortId(2)), 1);
}

#[test]
fn two_buckets_full_of_stations_hold_fourteen_and_the_next_is_refused_without_harm() {
    let mut bench = bench(17);
    // All slots that these keys can live in, and a few more keys.
    let keys = crowded(60);
    let mut present = Vec::new();
    let mut refused = 0;
    for (fid, mac) in &keys {
        match bench.writer.learn(&event(*fid, *mac, 1)) {
            Learned::New => present.push((*fid, *mac)),
            Learned::Refused(Refusal::Full) => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(present.len(), 28, "every slot of the four buckets is used");
    assert_eq!(refused, 32);
    assert_eq!(bench.writer.statistics().refused_full, 32);
    for (fid, mac) in present {
        assert_eq!(member(&bench, fid, mac), Some(1));
    }
}
