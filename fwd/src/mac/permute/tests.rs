use super::*;

#[test]
fn every_key_comes_back() {
    for number in 0..100 {
        let seed = Seed::predictable(number);
        for key in [0, 1, u64::MAX, 0x0001_5254_0012_3456, number << 48 | 0x02ff_0000_0000 | number]
        {
            assert_eq!(restore(&seed, permute(&seed, key)), key);
        }
    }
}

#[test]
fn a_seed_does_not_print_itself() {
    assert_eq!(format!("{:?}", Seed::predictable(7)), "Seed(..)");
}

#[test]
fn a_seed_uses_every_octet_that_reaches_the_high_half() {
    let images = |bytes| {
        let seed = Seed::from_bytes(bytes);
        (0..64)
            .map(move |n| permute(&seed, 0x0001_5254_0000_0000 | (n * 0x0301_0301)))
            .collect::<Vec<_>>()
    };
    let bytes: [u8; 64] = std::array::from_fn(|i| u8::try_from(i * 3 + 1).unwrap());
    // The low half of each addend (the last four octets of sixteen) acts by its carry only.
    for octet in (0..64).filter(|octet| octet % 16 < 12) {
        let mut other = bytes;
        other[octet] ^= 0x80;
        assert_ne!(images(other), images(bytes), "octet {octet}");
    }
}

const KEYS: u64 = 1 << 14;

/// A set of keys as stations and attackers make them: its name, and the n-th of its 2^14 keys.
type Set = (&'static str, fn(u64) -> u64);

const SETS: [Set; 8] = [
    ("one vendor, consecutive", |n| 0x0001_5254_0000_0000 | n),
    ("consecutive, every 256th", |n| 0x0001_5254_0000_0000 | n << 8),
    ("consecutive in the upper 24 bits", |n| 0x0001_0200_0000_0001 | n << 26),
    ("one address in many domains", |n| n << 48 | 0x5254_0012_3456),
    ("domain and address together", |n| (n & 0x7f) << 48 | 0x0200_0000_0000 | n >> 7),
    ("octets of two values", |n| {
        (0..14).fold(0x0001_0000_0000_0000, |key, bit| key | (n >> bit & 1) << (3 * bit))
    }),
    ("two addresses in the last octets, the rest zero", |n| 1 << 48 | (n & 0x7f) << 32 | n >> 7),
    ("chosen to meet in one bucket of another table", |n| {
        restore(&Seed::predictable(u64::MAX), n << 28 | 5)
    }),
];

/// How far the number of pairs of keys that share a bucket is from what chance gives, in standard
/// deviations. `shift` selects the bits that the bucket is taken from.
fn lumpiness(seed: &Seed, set: fn(u64) -> u64, shift: u32) -> f64 {
    const BUCKETS: usize = 1 << 12;
    let mut loads = vec![0_u32; BUCKETS];
    for n in 0..KEYS {
        let image = permute(seed, set(n));
        loads[usize::try_from(image >> shift).unwrap() & (BUCKETS - 1)] += 1;
    }
    let mean = f64::from(u32::try_from(KEYS).unwrap()) / 4096.0;
    let square = |load: &u32| (f64::from(*load) - mean).powi(2) / mean;
    let chi_square: f64 = loads.iter().map(square).sum();
    (chi_square - 4095.0) / (2.0_f64 * 4095.0).sqrt()
}

#[test]
fn bucket_loads_of_structured_addresses_look_random_whatever_the_seed() {
    for (name, set) in SETS {
        for shift in [0, 5] {
            for number in 0..60 {
                let lumps = lumpiness(&Seed::predictable(number), set, shift);
                assert!(lumps < 5.0, "{name}, bits from {shift}, seed {number}: {lumps:.1} sigma");
            }
        }
    }
}

#[test]
fn addresses_chosen_with_knowledge_of_the_seed_do_meet() {
    let (_, set) = SETS[SETS.len() - 1];
    assert!(lumpiness(&Seed::predictable(u64::MAX), set, 0) > 1000.0);
}
