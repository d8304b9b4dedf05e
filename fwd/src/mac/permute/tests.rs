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
