//! VXLAN (RFC 7348) and GRE with a key (RFC 2784, RFC 2890).

use bridge_model::types::Vni;
use bridge_model::wire::tunnel::{Inner, TunnelError, gre, gre_header, vxlan, vxlan_header};
use proptest::prelude::*;

use super::ones_sum;
use crate::parsers::hex;

const HEADER: Result<Inner<'static>, TunnelError> = Err(TunnelError::Header);

fn vni(raw: u32) -> Vni {
    Vni::new(raw).unwrap()
}

#[test]
fn headers_are_those_of_the_standards() {
    assert_eq!(vxlan_header(vni(0x12_3456)).to_vec(), hex("08 000000 123456 00"));
    assert_eq!(gre_header(vni(0x12_3456)).to_vec(), hex("2000 6558 00123456"));
}

#[test]
fn rfc_7348_vxlan_needs_its_flag_and_ignores_what_is_reserved() {
    let read = |text: &str| vxlan(&hex(text)).map(|inner| (inner.vni, inner.frame.len()));
    assert_eq!(read("08000000 00138900 aabb"), Ok((5001, 2)));
    assert_eq!(read("ffffffff 001389ff aabb"), Ok((5001, 2)));
    assert_eq!(read("f7ffffff 001389ff aabb"), Err(TunnelError::Header));
    assert_eq!(read("08000000 00000000"), Ok((0, 0)));
    for end in 0..8 {
        assert_eq!(vxlan(&hex("08000000 00138900")[..end]), HEADER, "cut to {end}");
    }
}

#[test]
fn rfc_2890_the_key_of_gre_is_required_and_its_place_depends_on_the_other_fields() {
    let read = |text: &str| gre(&hex(text)).map(|inner| (inner.vni, inner.frame.to_vec()));
    let found = Ok((5001, vec![0xaa, 0xbb]));
    assert_eq!(read("2000 6558 00001389 aabb"), found);
    // Sequence number.
    assert_eq!(read("3000 6558 00001389 00000007 aabb"), found);
    assert_eq!(read("0000 6558 aabb"), Err(TunnelError::Header), "no key");
    assert_eq!(read("1000 6558 00000007 aabb"), Err(TunnelError::Header), "no key");
    assert_eq!(read("2000 0800 00001389 aabb"), Err(TunnelError::Header), "carries IPv4");
    assert_eq!(read("2000 88be 00001389 aabb"), Err(TunnelError::Header), "carries a mirror");
}

#[test]
fn rfc_2784_bits_6_to_12_of_gre_are_ignored_and_the_others_refused() {
    for bit in 0..16 {
        let flags = 0x2000_u16 | 0x8000 >> bit;
        let mut bytes = hex("0000 6558 00001389 00000007 00000008 aabb");
        bytes[..2].copy_from_slice(&flags.to_be_bytes());
        let refused = match bit {
            2 | 3 | 6..=12 => false,
            0 => {
                // The checksum is wrong, and after it is made right it is not.
                assert_eq!(gre(&bytes), Err(TunnelError::Checksum));
                bytes[4..6].fill(0);
                let sum = !ones_sum(&bytes);
                bytes[4..6].copy_from_slice(&sum.to_be_bytes());
                false
            }
            _ => true,
        };
        assert_eq!(gre(&bytes).is_err(), refused, "bit {bit}");
        assert!(!refused || gre(&bytes) == HEADER);
    }
}

#[test]
fn rfc_2784_the_checksum_of_gre_covers_header_and_payload() {
    let mut bytes = hex("b000 6558 0000 0000 00001389 00000007 aabbcc");
    let sum = !ones_sum(&bytes);
    bytes[4..6].copy_from_slice(&sum.to_be_bytes());
    let inner = gre(&bytes).unwrap();
    assert_eq!((inner.vni, inner.frame), (5001, &[0xaa, 0xbb, 0xcc][..]));
    for at in 4..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x10;
        assert_eq!(gre(&bytes), Err(TunnelError::Checksum), "octet {at}");
    }
    for end in 0..16 {
        assert!(gre(&bytes[..end]).is_err(), "cut to {end}");
    }
}

#[test]
fn a_number_that_is_no_vni_is_none() {
    for raw in [0, 0x0100_0000, u32::MAX] {
        assert_eq!(Inner { vni: raw, frame: &[] }.vni(), None);
    }
    assert_eq!(Inner { vni: 1, frame: &[] }.vni(), Some(vni(1)));
    assert_eq!(Inner { vni: 0xff_ffff, frame: &[] }.vni(), Some(vni(0xff_ffff)));
}

proptest! {
    #[test]
    fn what_is_wrapped_is_unwrapped(
        raw in 1..0x100_0000_u32,
        frame in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let expected = Inner { vni: raw, frame: &frame };
        let bytes = [&vxlan_header(vni(raw))[..], &frame].concat();
        prop_assert_eq!(vxlan(&bytes), Ok(expected));
        let bytes = [&gre_header(vni(raw))[..], &frame].concat();
        prop_assert_eq!(gre(&bytes), Ok(expected));
    }

    #[test]
    fn arbitrary_octets_give_an_end_of_themselves_or_nothing(
        mut bytes in prop::collection::vec(any::<u8>(), 0..40),
        ethernet in any::<bool>(),
    ) {
        if ethernet && bytes.len() > 4 {
            bytes[2..4].copy_from_slice(&[0x65, 0x58]);
            bytes[0] &= 0xb0;
            bytes[1] = 0;
        }
        for inner in [vxlan(&bytes), gre(&bytes)].into_iter().flatten() {
            prop_assert!(bytes.ends_with(inner.frame) && inner.frame.len() + 8 <= bytes.len());
        }
    }
}
