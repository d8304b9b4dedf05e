//! RFC 1071.

use bridge_model::wire::checksum::{Sum, internet};
use proptest::prelude::*;

use super::{addr, ones_sum, upper_sum};
use crate::parsers::hex;

#[test]
fn the_example_of_rfc_1071_has_the_sum_that_it_says() {
    let bytes = hex("0001 f203 f4f5 f6f7");
    assert_eq!(internet(&bytes), !0xddf2);
    assert_eq!(ones_sum(&bytes), 0xddf2, "our own arithmetic");
    // An odd octet counts as the upper half of a word.
    assert_eq!(internet(&hex("01")), !0x0100);
    assert_eq!(internet(&hex("0102 03")), !0x0402);
    assert_eq!(internet(&[]), 0xffff);
}

#[test]
fn only_a_sum_of_all_ones_is_correct() {
    assert!(Sum::default().octets(&hex("0001 f203 f4f5 f6f7 220d")).is_correct());
    assert!(!Sum::default().octets(&hex("0001 f203 f4f5 f6f7 220c")).is_correct());
    assert!(!Sum::default().octets(&[0; 20]).is_correct(), "nothing sums up to nothing");
    assert!(Sum::default().octets(&vec![0xff; 65_536]).is_correct());
}

proptest! {
    #[test]
    fn the_sum_is_that_of_plain_arithmetic_whatever_the_parts(
        words in prop::collection::vec(any::<[u8; 2]>(), 0..200),
        cut in 0..200_usize,
        last in prop::option::of(any::<u8>()),
        word in any::<u16>(),
    ) {
        let mut bytes = words.concat();
        let cut = (cut * 2).min(bytes.len());
        bytes.extend(last);
        let sum = Sum::default().octets(&bytes[..cut]).word(word).octets(&bytes[cut..]);
        let mut all = word.to_be_bytes().to_vec();
        all.extend(&bytes);
        prop_assert_eq!(sum.checksum(), !ones_sum(&all));
    }

    #[test]
    fn the_pseudo_header_counts_as_if_it_stood_there(
        packet in prop::collection::vec(any::<u8>(), 0..100),
        protocol in any::<u8>(),
    ) {
        for (from, to) in [("192.0.2.1", "203.0.113.255"), ("2001:db8::1", "fe80::ffff")] {
            let (from, to) = (addr(from), addr(to));
            let octets = u32::try_from(packet.len()).unwrap();
            let sum = Sum::default().pseudo(from, to, protocol, octets).octets(&packet);
            prop_assert_eq!(sum.checksum(), !upper_sum(from, to, protocol, &packet));
        }
    }
}
