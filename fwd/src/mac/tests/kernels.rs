//! All kernels give the same answers on the same table.

use proptest::prelude::*;

use super::crafted::{bench, crowded, event};
use crate::mac::bucket::Bucket;
use crate::mac::kernel::{BucketRef, Burst, Isa, Kernel};
use crate::mac::word::{ALTERNATE, IDENTITY};
use crate::mac::{Hashed, MacTable};
use crate::sync::Ordering;

struct Probe<'a>(&'a Bucket, u64);

impl Burst for Probe<'_> {
    type Output = u32;

    fn run<K: Kernel>(self, kernel: K) -> u32 {
        kernel.probe(BucketRef(self.0), self.1)
    }
}

/// The member and word of each key, as found by one kernel.
struct FindAll<'a>(&'a MacTable, &'a [Hashed]);

impl Burst for FindAll<'_> {
    type Output = Vec<Option<(u16, bool, u8)>>;

    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let hit = |key: &Hashed| {
            let hit = self.0.find(kernel, *key)?;
            Some((hit.member().0, hit.is_static(), hit.age().number()))
        };
        self.1.iter().map(hit).collect()
    }
}

#[test]
fn at_least_the_scalar_kernel_is_there_and_the_best_is_chosen() {
    let names: Vec<_> = Isa::available().map(Isa::name).collect();
    assert_eq!(names[0], "scalar");
    assert_eq!(Isa::detect().name(), names[names.len() - 1]);
}

/// Words that are equal to the wanted identity, nearly so, or empty.
fn word(identity: u64) -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        any::<u64>(),
        (0..0x1_0000_u64).prop_map(move |data| identity | data),
        (16..64_u32).prop_map(move |bit| (identity ^ 1_u64 << bit) | 7_u64),
        Just((identity ^ ALTERNATE) | 7),
    ]
}

fn bucket() -> impl Strategy<Value = (u64, Vec<u64>)> {
    prop_oneof![Just(0), any::<u64>().prop_map(|word| word & IDENTITY)]
        .prop_flat_map(|identity| (Just(identity), proptest::collection::vec(word(identity), 8)))
}

proptest! {
    #[test]
    fn every_kernel_suggests_the_same_lanes((identity, words) in bucket()) {
        let bench = bench(17);
        let bucket = bench.table.bucket(3);
        for (lane, word) in words.iter().enumerate() {
            bucket.slot(lane).store(*word, Ordering::Relaxed);
        }
        let lane = |(lane, word): (usize, &u64)| u32::from(word & IDENTITY == identity) << lane;
        let expected = words.iter().enumerate().skip(1).map(lane).sum::<u32>();
        for isa in Isa::available() {
            prop_assert_eq!(isa.run(Probe(bucket, identity)), expected, "{}", isa.name());
        }
    }
}

#[test]
fn every_kernel_finds_the_same_entries_in_a_crowded_table() {
    let mut bench = bench(17);
    let keys = crowded(200);
    for (n, (fid, mac)) in keys.iter().enumerate().take(28) {
        let member = u16::try_from(n).unwrap() + 1;
        bench.writer.learn(&event(*fid, *mac, member));
    }
    let hashed: Vec<_> = keys.iter().map(|(fid, mac)| bench.table.hash(*fid, *mac)).collect();
    let expected = Isa::available().next().unwrap().run(FindAll(&bench.table, &hashed));
    assert!(expected.iter().flatten().count() > 20);
    for isa in Isa::available() {
        assert_eq!(isa.run(FindAll(&bench.table, &hashed)), expected, "{}", isa.name());
    }
}

#[test]
fn an_entry_whose_identity_is_zero_is_told_from_an_empty_slot() {
    let bench = bench(17);
    // The permuted key is its bucket number alone.
    let key = crate::mac::permute::restore(&bench.table.seed, 11);
    let (fid, mac) = (bridge_model::types::Fid((key >> 48) as u16), key & 0xffff_ffff_ffff);
    let hashed = bench.table.hash(fid, mac);
    assert_eq!(bench.table.identity(hashed), 0);
    for isa in Isa::available() {
        assert_eq!(isa.run(FindAll(&bench.table, &[hashed])), [None], "{}", isa.name());
    }
    let bucket = bench.table.bucket(11);
    bucket.slot(1).store(0, Ordering::Relaxed);
    bucket.slot(4).store(9, Ordering::Relaxed);
    for isa in Isa::available() {
        let found = isa.run(FindAll(&bench.table, &[hashed]));
        assert_eq!(found, [Some((9, false, 0))], "{}", isa.name());
    }
}
