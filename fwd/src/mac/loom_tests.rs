//! Every interleaving of the writer and workers at one entry, with loom's model of memory:
//! `RUSTFLAGS="--cfg loom" cargo test -p fwd --release mac::loom`.

use std::sync::Arc;

use bridge_model::types::{Fid, MemberId};
use loom::model::Builder;
use loom::thread;

use super::permute::restore;
use super::store::{Place, Store};
use super::word::Word;
use super::{AgeEpoch, Hashed, MacTable, Scalar, Seed};

const OLD: AgeEpoch = AgeEpoch::new(0);
const NEW: AgeEpoch = AgeEpoch::new(1);

/// Explores with at most this many preemptions: more finds no more in these small programs, and
/// takes hours.
fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// A key whose home is bucket 0 and whose alternate is bucket 1.
fn key(table: &MacTable, number: u64) -> Hashed {
    let key = restore(&table.seed, number << 36);
    let key = table.hash(Fid((key >> 48) as u16), key & 0xffff_ffff_ffff);
    assert_eq!((table.home_index(key), table.alternate_index(key)), (0, 1));
    key
}

fn store() -> (Arc<MacTable>, Store) {
    let table = Arc::new(MacTable::new(17, Seed::predictable(1)).unwrap());
    (Arc::clone(&table), Store::new(table))
}

fn insert(store: &mut Store, key: Hashed, member: u16) {
    let word = Word::learned(store.table.identity(key), MemberId(member), OLD);
    store.insert(key, word).unwrap();
}

/// Moves the entry to its other bucket.
fn displace(store: &mut Store, key: Hashed) {
    let (from, word) = store.get(key).unwrap();
    store.step(from, Place { bucket: u64::from(!word.is_alternate()), lane: 3 });
}

fn member(table: &MacTable, key: Hashed) -> Option<u16> {
    table.find(Scalar, key).map(|hit| hit.member().0)
}

/// The entry makes `before` displacements before the reader starts and `during` ones meanwhile.
fn a_reader_never_misses(before: usize, during: usize) {
    explore(move || {
        let (table, mut store) = store();
        let key = key(&table, 5);
        insert(&mut store, key, 1);
        (0..before).for_each(|_| displace(&mut store, key));
        let reader = thread::spawn(move || assert_eq!(member(&table, key), Some(1)));
        (0..during).for_each(|_| displace(&mut store, key));
        reader.join().unwrap();
    });
}

#[test]
fn an_entry_on_its_way_out_of_home_is_never_missed() {
    a_reader_never_misses(0, 1);
}

#[test]
fn an_entry_on_its_way_home_is_never_missed() {
    a_reader_never_misses(1, 1);
}

#[test]
fn an_entry_that_goes_and_returns_is_never_missed() {
    a_reader_never_misses(0, 2);
    a_reader_never_misses(1, 2);
}

#[test]
fn a_move_by_a_worker_survives_a_displacement() {
    for before in 0..2 {
        explore(move || {
            let (table, mut store) = store();
            let key = key(&table, 5);
            insert(&mut store, key, 1);
            (0..before).for_each(|_| displace(&mut store, key));
            let worker = {
                let table = Arc::clone(&table);
                thread::spawn(move || table.find(Scalar, key).unwrap().move_to(MemberId(2), NEW))
            };
            displace(&mut store, key);
            let moved = worker.join().unwrap();
            let (_, word) = store.get(key).unwrap();
            let expected = if moved { (MemberId(2), NEW) } else { (MemberId(1), OLD) };
            assert_eq!((word.member(), word.age()), expected);
            assert!(store.lost_moves.is_empty());
        });
    }
}

#[test]
fn of_two_workers_that_move_a_displaced_entry_one_wins_and_the_counts_add_up() {
    for before in 0..2 {
        let mut builder = Builder::new();
        builder.preemption_bound = Some(2);
        builder.check(move || {
            let (table, mut store) = store();
            let key = key(&table, 5);
            insert(&mut store, key, 1);
            (0..before).for_each(|_| displace(&mut store, key));
            let workers = [2_u16, 3].map(|to| {
                let table = Arc::clone(&table);
                thread::spawn(move || {
                    let hit = table.find(Scalar, key).unwrap();
                    hit.move_to(MemberId(to), NEW).then_some((hit.member().0, to))
                })
            });
            displace(&mut store, key);
            let mut counts = [0, 1, 0, 0];
            let moves = workers.map(|worker| worker.join().unwrap());
            for (from, to) in moves.into_iter().flatten() {
                counts[usize::from(from)] -= 1;
                counts[usize::from(to)] += 1;
            }
            for lost in &store.lost_moves {
                counts[lost.from.index()] += 1;
                counts[lost.to.index()] -= 1;
            }
            let mut expected = [0; 4];
            expected[usize::from(member(&table, key).unwrap())] = 1;
            assert_eq!(counts, expected, "{moves:?}");
        });
    }
}

#[test]
fn a_late_refresh_never_touches_the_next_entry_of_the_slot() {
    explore(|| {
        let (table, mut store) = store();
        let (first, second) = (key(&table, 5), key(&table, 6));
        insert(&mut store, first, 1);
        let worker = {
            let table = Arc::clone(&table);
            thread::spawn(move || {
                if let Some(hit) = table.find(Scalar, first) {
                    hit.refresh(NEW);
                }
            })
        };
        let (place, mut word) = store.get(first).unwrap();
        while let Err(now) = store.remove(first, place, word) {
            word = now;
        }
        insert(&mut store, second, 2);
        worker.join().unwrap();
        let (_, word) = store.get(second).unwrap();
        assert_eq!((word.member(), word.age()), (MemberId(2), OLD));
        assert_eq!(member(&table, first), None);
    });
}

#[test]
fn a_new_entry_in_the_alternate_bucket_is_whole_or_absent() {
    explore(|| {
        let (table, mut store) = store();
        for number in 1..=7 {
            let key = key(&table, number);
            insert(&mut store, key, 1);
        }
        let late = key(&table, 9);
        let reader = {
            let table = Arc::clone(&table);
            thread::spawn(move || member(&table, late))
        };
        insert(&mut store, late, 2);
        assert!(matches!(reader.join().unwrap(), None | Some(2)));
        assert_eq!(member(&table, late), Some(2));
    });
}
