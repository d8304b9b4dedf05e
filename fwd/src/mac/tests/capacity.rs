//! How much goes in, for whom, and what it costs.

use bridge_model::types::{Fid, MemberId, PortId};

use super::crafted::{bench, event};
use crate::mac::{Learned, MacTable, Refusal, Scalar, Seed, TableError};

/// A name, and the domain and address of the n-th station.
type Set = (&'static str, fn(u64) -> (u16, u64));

const SETS: [Set; 4] = [
    ("consecutive addresses of one vendor", |n| (1, 0x5254_0000_0000 | n)),
    ("addresses that differ in the upper octets", |n| {
        (1, 0x0200_0000_0001 | n << 20 & 0xff_ffff_ffff)
    }),
    ("few addresses in many domains", |n| {
        (u16::try_from(n % 50_000 + 1).unwrap(), 0x5254_0000_0000 | (n / 50_000))
    }),
    ("scattered", |n| (1, n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 17 & 0xfeff_ffff_ffff | 1)),
];

#[test]
fn every_station_fits_up_to_the_documented_load_whatever_the_addresses() {
    for (name, set) in SETS {
        let mut bench = bench(17);
        let capacity = bench.writer.capacity();
        assert_eq!(capacity, (1 << 17) * 7 * 9 / 10);
        // Spread over members so that no port has more than its share.
        let mut n = 0;
        while bench.writer.statistics().entries < capacity * 99 / 100 {
            let (fid, mac) = set(n);
            let learned = bench.writer.learn(&event(Fid(fid), mac, 1));
            match learned {
                Learned::New | Learned::Same => n += 1,
                // One domain alone stops at its share, short of the capacity.
                Learned::Refused(Refusal::Share) => break,
                other => panic!("{name}: address {n}: {other:?}"),
            }
        }
        let statistics = bench.writer.statistics();
        assert!(statistics.entries > capacity * 94 / 100, "{name}: {statistics:?}");
        assert!(statistics.octets_per_entry().unwrap() < 11.0, "{name}: {statistics:?}");
        assert!(statistics.alternates * 5 < statistics.entries, "{name}: {statistics:?}");
        assert_eq!(statistics.refused_full, 0, "{name}");
        for n in (0..n).step_by(7) {
            let (fid, mac) = set(n);
            let key = bench.table.hash(Fid(fid), mac);
            assert!(bench.table.find(Scalar, key).is_some(), "{name}: address {n}");
        }
    }
}

#[test]
fn when_the_table_fills_up_the_greediest_port_stops_first_and_nobody_loses_an_entry() {
    let mut bench = bench(17);
    let (greedy, modest) = (MemberId(1), MemberId(2));
    // Domains of their own, so that shares are those of the ports.
    bench.writer.assign_port(Fid(1), greedy, PortId(1));
    bench.writer.assign_port(Fid(2), modest, PortId(2));
    for n in 0..1000 {
        assert_eq!(bench.writer.learn(&event(Fid(2), 0x0200_0000_0000 | n, 2)), Learned::New);
    }
    let mut n = 0;
    while bench.writer.learn(&event(Fid(1), 0x5254_0000_0000 | n, 1)) == Learned::New {
        n += 1;
    }
    let held = bench.writer.learned_by_port(PortId(1));
    assert!(held * 10 > bench.writer.capacity() * 9, "one port alone may take most: {held}");
    let refused = bench.writer.learn(&event(Fid(1), 0x5254_0000_0000 | n, 1));
    assert_eq!(refused, Learned::Refused(Refusal::Share));
    for n in 1000..11_000 {
        let learned = bench.writer.learn(&event(Fid(2), 0x0200_0000_0000 | n, 2));
        assert_eq!(learned, Learned::New, "the modest port still learns");
    }
    assert_eq!(bench.writer.learned_by_port(PortId(1)), held, "nobody was evicted");
    assert!(bench.writer.is_crowded());
}

#[test]
fn a_size_that_cannot_be_is_refused_with_the_limits() {
    let error = MacTable::new(16, Seed::predictable(1)).unwrap_err();
    assert_eq!(error, TableError::Size { log2: 16 });
    assert_eq!(
        error.to_string(),
        "a MAC table of 2^16 buckets cannot be: choose from 2^17 to 2^28"
    );
    assert!(MacTable::new(29, Seed::predictable(1)).is_err());
    let table = MacTable::new(17, Seed::predictable(1)).unwrap();
    assert_eq!((table.slots(), table.octets()), (917_504, 8 << 20));
}
