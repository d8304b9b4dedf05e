//! The table against a map, through every operation in any order, with workers that act between
//! the writer's steps. The keys meet in four buckets, so that chains, refusals and alternates are
//! the rule.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bridge_model::types::{Fid, MemberId};
use proptest::prelude::*;

use super::crafted::{Bench, bench, crowded, event};
use crate::mac::{
    AgeEpoch, AgeTable, GrowthStage, LearnEvent, Learned, MacTable, Refusal, Scalar, Verdict,
};

const KEYS: usize = 40;
const AGEING: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
enum Op {
    /// A worker sees a station: it looks it up and does what a worker does. The flag chooses the
    /// table while some workers use the old one and some the new one.
    Frame {
        key: usize,
        member: u16,
        old_table: bool,
    },
    Static {
        key: usize,
        member: u16,
    },
    Remove {
        key: usize,
    },
    Advance {
        milliseconds: u64,
    },
    Sweep {
        buckets: u64,
        retired: u16,
    },
    Grow,
    GrowthStep {
        buckets: u64,
    },
    Published,
}

fn op() -> impl Strategy<Value = Op> {
    let key = 0..KEYS;
    let member = 1..=4_u16;
    prop_oneof![
        30 => (key.clone(), member.clone(), any::<bool>())
            .prop_map(|(key, member, old_table)| Op::Frame { key, member, old_table }),
        2 => (key.clone(), member).prop_map(|(key, member)| Op::Static { key, member }),
        6 => key.prop_map(|key| Op::Remove { key }),
        4 => (1..15_000_u64).prop_map(|milliseconds| Op::Advance { milliseconds }),
        3 => (prop_oneof![Just(2), Just(1 << 18)], 0..=4_u16)
            .prop_map(|(buckets, retired)| Op::Sweep { buckets, retired }),
        1 => Just(Op::Grow),
        4 => prop_oneof![Just(1), Just(2), Just(3), Just(1 << 19)]
            .prop_map(|buckets| Op::GrowthStep { buckets }),
        2 => Just(Op::Published),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    member: u16,
    /// `None` if static.
    age: Option<AgeEpoch>,
}

struct Model {
    bench: Bench,
    ages: Arc<AgeTable>,
    keys: Vec<(Fid, u64)>,
    entries: BTreeMap<usize, Entry>,
    now: Duration,
    old: Arc<MacTable>,
    stage: Option<GrowthStage>,
    grown: u32,
    /// The next sweep begins at the first bucket.
    sweep_at_start: bool,
}

impl Model {
    fn new() -> Self {
        let mut bench = bench(17);
        let keys = crowded(KEYS);
        for (fid, _) in &keys {
            bench.clock.set_ageing(*fid, Some(AGEING), Duration::ZERO);
        }
        let (ages, old) = (bench.clock.table(), Arc::clone(&bench.table));
        let now = Duration::ZERO;
        Self {
            bench,
            ages,
            keys,
            entries: BTreeMap::new(),
            now,
            old,
            stage: None,
            grown: 0,
            sweep_at_start: true,
        }
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Frame { key, member, old_table } => self.frame(key, member, old_table),
            Op::Static { key, member } => self.set_static(key, member),
            Op::Remove { key } => {
                let (fid, mac) = self.keys[key];
                let removed = self.bench.writer.remove(fid, mac);
                let expected = self.entries.remove(&key);
                assert_eq!(
                    removed.map(|view| (view.member.0, view.is_static)),
                    expected.map(|entry| (entry.member, entry.age.is_none()))
                );
            }
            Op::Advance { milliseconds } => {
                self.now += Duration::from_millis(milliseconds);
                self.bench.clock.advance(self.now);
            }
            Op::Sweep { buckets, retired } => self.sweep(buckets, MemberId(retired)),
            Op::Grow => {
                let log2 = self.old.log2() + u32::from(self.grown.is_multiple_of(2));
                if self.stage.is_none() && self.grown < 3 {
                    self.bench.writer.grow(log2).unwrap();
                    self.grown += 1;
                    self.stage = Some(GrowthStage::Copying);
                } else if self.stage.is_some() {
                    self.bench.writer.grow(log2).unwrap_err();
                }
            }
            Op::GrowthStep { buckets } => {
                self.stage = self.bench.writer.growth_step(buckets);
                if self.stage.is_none() {
                    self.old = Arc::clone(self.bench.writer.table());
                }
            }
            Op::Published => {
                self.bench.writer.growth_published();
                if self.stage == Some(GrowthStage::Ready) {
                    self.stage = Some(GrowthStage::Merging);
                }
            }
        }
    }

    /// The table that a worker reads.
    fn table(&self, old_table: bool) -> Arc<MacTable> {
        match self.stage {
            Some(GrowthStage::Copying) => Arc::clone(&self.old),
            Some(GrowthStage::Ready) if old_table => Arc::clone(&self.old),
            _ => Arc::clone(self.bench.writer.table()),
        }
    }

    fn frame(&mut self, key: usize, member: u16, old_table: bool) {
        let (fid, mac) = self.keys[key];
        let table = self.table(old_table);
        let hashed = table.hash(fid, mac);
        let epoch = self.ages.epoch(fid, hashed);
        let stamped = Entry { member, age: Some(epoch) };
        let Some(hit) = table.find(Scalar, hashed) else {
            let learned = self.bench.writer.learn(&event(fid, mac, member));
            match (learned, self.entries.get(&key)) {
                (Learned::New, None) => assert_eq!(self.entries.insert(key, stamped), None),
                (Learned::Refused(Refusal::Full), None) => {
                    assert!(self.entries.len() >= 14, "full with {} entries", self.entries.len());
                }
                // The old table had no room for it: known, though this worker cannot see it.
                (_, Some(_)) if self.stage == Some(GrowthStage::Ready) && old_table => {
                    if let Learned::Moved { .. } = learned {
                        self.entries.insert(key, stamped);
                    }
                }
                other => panic!("{other:?}"),
            }
            return;
        };
        let known = self.entries[&key];
        assert_eq!((hit.member().0, hit.is_static()), (known.member, known.age.is_none()));
        if hit.is_static() {
            return;
        }
        if hit.member().0 == member {
            if hit.is_stale(epoch) {
                hit.refresh(epoch);
            }
        } else {
            let from = hit.member();
            assert!(hit.move_to(MemberId(member), epoch));
            let report = LearnEvent { moved_from: Some(from), ..event(fid, mac, member) };
            assert_eq!(self.bench.writer.learn(&report), Learned::Moved { from });
        }
        self.entries.insert(key, stamped);
    }

    fn set_static(&mut self, key: usize, member: u16) {
        let (fid, mac) = self.keys[key];
        match self.bench.writer.set_static(fid, mac, MemberId(member)) {
            Ok(()) => drop(self.entries.insert(key, Entry { member, age: None })),
            Err(Refusal::Full) => assert!(!self.entries.contains_key(&key)),
            Err(other) => panic!("{other}"),
        }
    }

    fn sweep(&mut self, buckets: u64, retired: MemberId) {
        let keys = &self.keys;
        let (entries, ages, table) = (&mut self.entries, &self.ages, &self.old);
        let progress = self.bench.writer.sweep(buckets, |view| {
            let key = keys.iter().position(|key| *key == (view.fid, view.mac)).unwrap();
            let entry = entries[&key];
            assert_eq!((view.member.0, view.is_static), (entry.member, entry.age.is_none()));
            let epoch = ages.epoch(view.fid, table.hash(view.fid, view.mac));
            let expired = entry.age.is_some_and(|age| epoch.steps_since(age) == 7);
            assert_eq!(view.is_expired(), expired);
            if expired || view.member == retired {
                entries.remove(&key);
                return Verdict::Remove;
            }
            Verdict::Keep
        });
        if progress.completed {
            self.bench.clock.sweep_completed();
        }
        if self.stage.is_none() && self.sweep_at_start && progress.completed {
            assert!(self.entries.values().all(|entry| entry.member != retired.0), "one was missed");
        }
        self.sweep_at_start = self.stage.is_some() || progress.completed;
    }

    /// The table says what the map says, to workers and to the writer.
    fn check(&self) {
        let tables = [self.table(true), self.table(false)];
        for (n, (fid, mac)) in self.keys.iter().enumerate() {
            let expected = self.entries.get(&n).copied();
            for (old, table) in [(true, &tables[0]), (false, &tables[1])] {
                let found = table.find(Scalar, table.hash(*fid, *mac));
                let member = found.map(|hit| (hit.member().0, hit.is_static()));
                let known = expected.map(|entry| (entry.member, entry.age.is_none()));
                // An entry that the old table had no room for is in the new one only.
                let fading = old && self.stage == Some(GrowthStage::Ready) && found.is_none();
                assert!(member == known || fading, "key {n}: {member:?}, not {known:?}");
                if self.stage.is_none() {
                    let age = found.filter(|hit| !hit.is_static()).map(|hit| hit.age());
                    assert_eq!(age, expected.and_then(|entry| entry.age), "key {n}");
                }
            }
            assert_eq!(
                self.bench.writer.learned_in_fid(*fid),
                u64::from(expected.is_some_and(|entry| entry.age.is_some()))
            );
            for member in 1..=4 {
                let learned = expected.is_some_and(|e| e.age.is_some() && e.member == member);
                assert_eq!(
                    self.bench.writer.learned_by_member(*fid, MemberId(member)),
                    u64::from(learned)
                );
            }
        }
        let statistics = self.bench.writer.statistics();
        assert_eq!(statistics.entries, self.entries.len() as u64);
        let statics = self.entries.values().filter(|entry| entry.age.is_none()).count();
        assert_eq!(statistics.statics, statics as u64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn the_table_is_a_map(ops in proptest::collection::vec(op(), 1..250)) {
        let mut model = Model::new();
        for op in &ops {
            model.apply(op);
            model.check();
        }
        let mut listed: Vec<_> = model.bench.writer.entries().map(|e| (e.fid, e.mac)).collect();
        listed.sort_unstable();
        let mut expected: Vec<_> = model.entries.keys().map(|n| model.keys[*n]).collect();
        expected.sort_unstable();
        prop_assert_eq!(listed, expected);
    }
}
