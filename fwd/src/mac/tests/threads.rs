//! Real threads: readers never miss an entry that is present, whatever the writer and the other
//! readers do.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use bridge_model::types::{Fid, MemberId};

use super::crafted::{Bench, bench, crowded, event};
use crate::mac::kernel::{Burst, Isa, Kernel};
use crate::mac::{AgeEpoch, GrowthStage, Hashed, LearnEvent, Learned, MacTable, MacWriter, Scalar};

/// Displacements that the writer makes under the readers' eyes.
const DISPLACEMENTS: u64 = if cfg!(debug_assertions) { 50_000 } else { 500_000 };

/// Members that churned keys are behind, so that nobody takes their entries for others.
const CHURNED: u16 = 4000;

/// Keeps the crowded buckets all but full while keys come and go, which pushes entries to and fro.
/// Ends after [`DISPLACEMENTS`], or when `stop` says so.
fn churn(writer: &mut MacWriter, keys: &[(Fid, u64)], slots: usize, stop: &AtomicBool) {
    let mut waiting: VecDeque<_> = keys.iter().collect();
    let mut inside = VecDeque::new();
    while writer.statistics().displacements < DISPLACEMENTS && !stop.load(Ordering::Relaxed) {
        if inside.len() == slots
            && let Some(key) = inside.pop_front()
        {
            let &(fid, mac) = key;
            assert!(writer.remove(fid, mac).is_some(), "the writer lost an entry");
            waiting.push_back(key);
        }
        let Some(key) = waiting.pop_front() else { continue };
        if writer.learn(&event(key.0, key.1, CHURNED)) == Learned::New {
            inside.push_back(key);
        } else {
            waiting.push_back(key);
            // Full: a key leaves, so that the next one may fit.
            if let Some(key) = inside.pop_front() {
                assert!(writer.remove(key.0, key.1).is_some(), "the writer lost an entry");
                waiting.push_back(key);
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
}

/// Looks up all keys until told to stop, refreshing and moving as workers do; panics on a miss.
struct Reader<'a> {
    table: &'a MacTable,
    present: &'a [Hashed],
    absent: &'a [Hashed],
    stop: &'a AtomicBool,
    moves: &'a AtomicUsize,
}

impl Burst for Reader<'_> {
    type Output = ();

    fn run<K: Kernel>(self, kernel: K) {
        let mut pass = 0_u64;
        while !self.stop.load(Ordering::Relaxed) {
            pass += 1;
            let epoch = AgeEpoch::new((pass & 7) as u8);
            for (n, key) in self.present.iter().enumerate() {
                let Some(hit) = self.table.find(kernel, *key) else {
                    panic!("{}: key {n} missed in pass {pass}", K::NAME);
                };
                let own = u16::try_from(n).unwrap() * 2 + 1;
                assert!((own..=own + 1).contains(&hit.member().0), "another key's entry");
                if pass % 3 == n as u64 % 3 {
                    hit.refresh(epoch);
                } else if pass % 5 == n as u64 % 5 {
                    let other = MemberId(2 * own + 1 - hit.member().0);
                    let moved = hit.move_to(other, epoch);
                    self.moves.fetch_add(usize::from(moved), Ordering::Relaxed);
                }
            }
            for key in self.absent {
                assert!(self.table.find(kernel, *key).is_none(), "found what was never inserted");
            }
        }
    }
}

/// Tells the others to stop when its thread ends, also by a panic.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn readers_never_miss_an_entry_while_others_are_displaced_around_it() {
    let Bench { table, mut writer, .. } = bench(17);
    let keys = crowded(120);
    let (present, rest) = keys.split_at(16);
    let (churned, absent) = rest.split_at(64);
    for (n, (fid, mac)) in present.iter().enumerate() {
        let member = u16::try_from(n).unwrap() * 2 + 1;
        assert_eq!(writer.learn(&event(*fid, *mac, member)), Learned::New);
    }
    let hash = |keys: &[(Fid, u64)]| -> Vec<Hashed> {
        keys.iter().map(|(fid, mac)| table.hash(*fid, *mac)).collect()
    };
    let (present, absent) = (hash(present), hash(absent));
    let (stop, moves) = (&AtomicBool::new(false), &AtomicUsize::new(0));
    thread::scope(|scope| {
        for isa in Isa::available() {
            let reader = Reader { table: &table, present: &present, absent: &absent, stop, moves };
            scope.spawn(move || {
                let _stop = StopOnDrop(stop);
                isa.run(reader);
            });
        }
        let _stop = StopOnDrop(stop);
        churn(&mut writer, churned, 11, stop);
    });
    assert!(writer.statistics().displacements >= DISPLACEMENTS);
    assert!(moves.load(Ordering::Relaxed) > 0, "no reader ever moved an entry");
}

#[test]
fn a_move_by_one_worker_survives_every_displacement() {
    let Bench { table, mut writer, .. } = bench(17);
    let keys = crowded(90);
    let (fid, mac) = keys[0];
    assert_eq!(writer.learn(&event(fid, mac, 1)), Learned::New);
    let key = table.hash(fid, mac);
    let stop = &AtomicBool::new(false);
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let _stop = StopOnDrop(stop);
            let (mut expected, mut moves) = (1, 0_usize);
            while !stop.load(Ordering::Relaxed) {
                let hit = table.find(Scalar, key).expect("never removed");
                // Nobody else moves this entry. A displacement may show the previous place for as
                // long as it takes, never an older one.
                let previous = if expected == 1 { 2 } else { 1 };
                assert!([expected, previous].contains(&hit.member().0));
                if hit.member().0 == expected && hit.move_to(MemberId(previous), AgeEpoch::new(0)) {
                    expected = previous;
                    moves += 1;
                }
            }
            (expected, moves)
        });
        let guard = StopOnDrop(stop);
        churn(&mut writer, &keys[1..], 26, stop);
        drop(guard);
        let (expected, moves) = worker.join().unwrap();
        assert!(moves > 1000, "{moves} moves");
        assert_eq!(writer.get(fid, mac).unwrap().member, MemberId(expected), "a move was lost");
    });
    assert!(writer.statistics().displacements >= DISPLACEMENTS);
}

#[test]
fn workers_that_change_over_to_a_larger_table_miss_nothing() {
    const STATIONS: u64 = 20_000;
    const WORKERS: usize = 2;
    let fid = Fid(1);
    let Bench { table: old, mut writer, .. } = bench(17);
    for mac in 1..=STATIONS {
        assert_eq!(writer.learn(&event(fid, mac, 1)), Learned::New);
    }
    let new: OnceLock<Arc<MacTable>> = OnceLock::new();
    let changed = AtomicUsize::new(0);
    let stop = &AtomicBool::new(false);
    let (reports, reported) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        for worker in 0..WORKERS as u64 {
            let (reports, old, new, changed) = (reports.clone(), &old, &new, &changed);
            scope.spawn(move || {
                let _stop = StopOnDrop(stop);
                let mut table = old;
                let mut pass = 0_u16;
                while !stop.load(Ordering::Relaxed) {
                    if let Some(new) = new.get()
                        && Arc::ptr_eq(table, old)
                    {
                        table = new;
                        changed.fetch_add(1, Ordering::Release);
                    }
                    pass += 1;
                    let stations = (1..=STATIONS).filter(|mac| mac % WORKERS as u64 == worker);
                    for mac in stations {
                        let hit = table.find(Scalar, table.hash(fid, mac)).expect("present");
                        let member = MemberId(1 + (pass + (mac % 3) as u16) % 3);
                        if mac % 7 == 0
                            && hit.member() != member
                            && hit.move_to(member, AgeEpoch::new(0))
                        {
                            let moved_from = Some(hit.member());
                            let report = LearnEvent { mac, fid, member, moved_from };
                            reports.send(report).unwrap();
                        }
                    }
                }
            });
        }
        let _stop = StopOnDrop(stop);
        let read = |writer: &mut MacWriter| {
            for report in reported.try_iter() {
                writer.learn(&report);
            }
        };
        writer.grow(18).unwrap();
        while writer.growth_step(1 << 9) == Some(GrowthStage::Copying) {
            read(&mut writer);
        }
        new.set(Arc::clone(writer.table())).unwrap();
        while changed.load(Ordering::Acquire) < WORKERS && !stop.load(Ordering::Relaxed) {
            read(&mut writer);
            thread::yield_now();
        }
        writer.growth_published();
        while writer.growth_step(1 << 9).is_some() {
            read(&mut writer);
        }
        assert!(!stop.load(Ordering::Relaxed), "a worker gave up");
    });
    for report in reported.try_iter() {
        writer.learn(&report);
    }
    for mac in 1..=STATIONS {
        assert!((1..=3).contains(&writer.get(fid, mac).unwrap().member.0));
    }
    assert_eq!(writer.learned_in_fid(fid), STATIONS);
    // A move in the old table that a move in the new one overtook is counted though it is void.
    let counted: u64 = (1..=3).map(|m| writer.learned_by_member(fid, MemberId(m))).sum();
    assert_eq!(counted, STATIONS);
}
