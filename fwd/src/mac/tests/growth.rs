//! Growth loses nothing and doubles the room.

use std::sync::Arc;

use bridge_model::types::{Fid, MemberId};

use super::crafted::{bench, crowded, event};
use crate::mac::{AgeEpoch, GrowthStage, LearnEvent, Learned, Scalar, TableError};

const FID: Fid = Fid(1);

#[test]
fn entries_learned_and_displaced_while_copying_reach_the_new_table() {
    let mut bench = bench(17);
    let keys = crowded(28);
    for (fid, mac) in &keys[..20] {
        assert_eq!(bench.writer.learn(&event(*fid, *mac, 1)), Learned::New);
    }
    bench.writer.grow(18).unwrap();
    // One of the four buckets is copied; then entries are displaced to and fro across it.
    assert_eq!(bench.writer.growth_step(1), Some(GrowthStage::Copying));
    for (fid, mac) in &keys[20..] {
        assert_eq!(bench.writer.learn(&event(*fid, *mac, 1)), Learned::New);
        bench.writer.growth_step(0);
    }
    assert!(bench.writer.statistics().displacements > 0);
    while bench.writer.growth_step(1000) == Some(GrowthStage::Copying) {}
    let new = Arc::clone(bench.writer.table());
    assert_eq!(new.log2(), 18);
    for (fid, mac) in &keys {
        assert!(new.find(Scalar, new.hash(*fid, *mac)).is_some());
    }
}

#[test]
fn ages_and_moves_in_the_old_table_reach_the_new_one() {
    let mut bench = bench(17);
    for mac in 1..=3 {
        bench.writer.learn(&event(FID, mac, 1));
    }
    let old = Arc::clone(&bench.table);
    bench.writer.grow(18).unwrap();
    while bench.writer.growth_step(1 << 12) == Some(GrowthStage::Copying) {}
    let new = Arc::clone(bench.writer.table());
    let find = |table: &crate::mac::MacTable, mac| {
        table.find(Scalar, table.hash(FID, mac)).map(|hit| (hit.member().0, hit.age().number()))
    };
    // A worker that has not seen the new image yet.
    let key = old.hash(FID, 1);
    let now = bench.clock.table().epoch(FID, key);
    let earlier = AgeEpoch::new(now.number() + 6);
    new.find(Scalar, key).unwrap().refresh(earlier);
    old.find(Scalar, key).unwrap().refresh(now);
    let hit = old.find(Scalar, old.hash(FID, 2)).unwrap();
    assert!(hit.move_to(MemberId(7), now));
    let report = LearnEvent { moved_from: Some(MemberId(1)), ..event(FID, 2, 7) };
    bench.writer.learn(&report);
    assert_eq!(find(&new, 2).map(|(member, _)| member), Some(7));

    bench.writer.growth_published();
    while bench.writer.growth_step(1 << 12).is_some() {}
    assert_eq!(find(&new, 1), Some((1, now.number())), "the fresher age of the two");
    assert!(Arc::ptr_eq(bench.writer.table(), &new));
    assert_eq!(Arc::strong_count(&old), 2, "the writer let go of the old table");
    assert_eq!(bench.writer.statistics().entries, 3);
}

#[test]
fn a_crowded_table_grows_and_then_learns_on() {
    let mut bench = bench(17);
    let mut n = 0;
    while !bench.writer.is_crowded() {
        n += 1;
        bench.writer.learn(&event(Fid((n % 64) as u16 + 1), n, 1));
    }
    let before = bench.writer.statistics();
    bench.writer.grow(18).unwrap();
    assert!(!bench.writer.is_crowded());
    while bench.writer.growth_step(1 << 12) == Some(GrowthStage::Copying) {
        n += 1;
        let learned = bench.writer.learn(&event(Fid((n % 64) as u16 + 1), n, 1));
        assert_eq!(learned, Learned::New);
    }
    bench.writer.growth_published();
    while bench.writer.growth_step(1 << 12).is_some() {}
    let after = bench.writer.statistics();
    assert_eq!((after.octets, after.entries), (2 * before.octets, n));
    assert!(after.alternates < before.alternates);
    let table = bench.writer.table();
    for mac in 1..=n {
        let key = table.hash(Fid((mac % 64) as u16 + 1), mac);
        assert!(table.find(Scalar, key).is_some(), "{mac}");
    }
}

#[test]
fn a_second_growth_and_a_smaller_table_are_refused() {
    let mut bench = bench(18);
    assert_eq!(bench.writer.grow(17), Err(TableError::Size { log2: 17 }));
    bench.writer.grow(18).unwrap();
    assert_eq!(bench.writer.grow(19), Err(TableError::Growing));
    bench.writer.growth_published();
    assert_eq!(bench.writer.growth_step(0), Some(GrowthStage::Copying), "not ready, not published");
}
