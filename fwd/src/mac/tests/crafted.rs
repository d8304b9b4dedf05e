//! Keys that meet in few buckets, made with knowledge of the seed.

use std::sync::Arc;

use bridge_model::types::{Fid, MemberId};

use crate::mac::permute::restore;
use crate::mac::{AgeClock, LearnEvent, MacTable, MacWriter, Seed};

pub(super) const SEED: u64 = 0x51c3;

/// A table with its writer and clocks.
pub(super) struct Bench {
    pub(super) table: Arc<MacTable>,
    pub(super) writer: MacWriter,
    pub(super) clock: AgeClock,
}

pub(super) fn bench(log2: u32) -> Bench {
    let table = Arc::new(MacTable::new(log2, Seed::predictable(SEED)).unwrap());
    let clock = AgeClock::new(usize::from(u16::MAX) + 1);
    Bench { writer: MacWriter::new(Arc::clone(&table), clock.table()), table, clock }
}

pub(super) fn event(fid: Fid, mac: u64, member: u16) -> LearnEvent {
    LearnEvent { mac, fid, member: MemberId(member), moved_from: None }
}

/// `count` addresses that all live in the first four buckets of a table of 2^17, at home or not: 28
/// slots. The key decides the domain too.
pub(super) fn crowded(count: usize) -> Vec<(Fid, u64)> {
    let seed = Seed::predictable(SEED);
    let image = |n: u64| {
        // The low bits number the home bucket. The alternate one differs from it by bits 47.. and
        // 17.. combined, of which only number 1 is not zero here. Overflow classes come from bits
        // 28..=31; 58..=61 cancel them out of the offset. Bits 34..=46 tell the keys apart.
        let (home, offset, class) = (n & 3, n >> 2 & 1, n >> 3 & 15);
        home | offset << 48 | class << 28 | class << 58 | (n >> 7) << 36
    };
    let key = |n| {
        let key = restore(&seed, image(n));
        (Fid(u16::try_from(key >> 48).unwrap()), key & 0xffff_ffff_ffff)
    };
    let valid = |(fid, mac): &(Fid, u64)| *fid != Fid(0) && *mac != 0 && mac >> 40 & 1 == 0;
    // Strides over the numbers so that a short list has all homes and classes.
    let keys: Vec<_> =
        (0..1024).map(|n| key((n * 37 % 1024) | ((n & 7) << 10))).filter(valid).collect();
    assert!(keys.len() >= count, "{} keys", keys.len());
    keys.into_iter().take(count).collect()
}
