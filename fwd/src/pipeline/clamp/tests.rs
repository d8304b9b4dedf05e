#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::net::IpAddr;

use bridge_model::wire::checksum::Sum;
use bridge_model::wire::inner::PROTOCOL_TCP;
use bridge_model::wire::ip::Header;
use proptest::prelude::*;

use super::*;

const SYN: u8 = 2;
const ACK: u8 = 16;

/// A TCP segment with these options in a frame, its checksum right.
fn frame(version: u8, flags: u8, options: &[u8], tags: &[u8]) -> Vec<u8> {
    let (from, to): (IpAddr, IpAddr) = if version == 4 {
        ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap())
    } else {
        ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap())
    };
    let words = u8::try_from(5 + options.len().div_ceil(4)).unwrap();
    let mut segment = vec![0x80, 1, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, words << 4, flags];
    segment.extend([0xff, 0xff, 0, 0, 0, 0]);
    segment.extend(options);
    segment.resize(usize::from(words) * 4, 0);
    segment.extend(b"data");
    let octets = u32::try_from(segment.len()).unwrap();
    let sum = Sum::default().pseudo(from, to, PROTOCOL_TCP, octets).octets(&segment).checksum();
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    let header = Header::new(from, to, PROTOCOL_TCP, 64);
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    frame.extend(tags);
    frame.extend(header.ether_type().to_be_bytes());
    frame.extend(header.packet(&segment).unwrap());
    frame
}

fn checksum_is_right(frame: &[u8]) -> bool {
    let ip = InnerIp::of(frame).unwrap();
    let packet = &frame[ip.offset..];
    let address = |at: usize| -> IpAddr {
        if ip.version == 4 {
            <[u8; 4]>::try_from(&packet[at..at + 4]).unwrap().into()
        } else {
            <[u8; 16]>::try_from(&packet[at..at + 16]).unwrap().into()
        }
    };
    let (from, to) = if ip.version == 4 { (12, 16) } else { (8, 24) };
    let segment = &packet[ip.header_len..];
    let octets = u32::try_from(segment.len()).unwrap();
    let sum = Sum::default().pseudo(address(from), address(to), PROTOCOL_TCP, octets);
    sum.octets(segment).is_correct()
}

fn mss(frame: &[u8]) -> Option<u16> {
    mss_option(frame, &InnerIp::of(frame)?).map(|(_, mss)| mss)
}

fn option(mss: u16) -> [u8; 4] {
    let [high, low] = mss.to_be_bytes();
    [2, 4, high, low]
}

#[test]
fn what_a_syn_announces_is_lowered_to_what_fits_and_never_raised() {
    for (version, fits) in [(4, 1410), (6, 1390)] {
        for (announced, after) in [(1460, fits), (fits + 1, fits), (fits, fits), (536, 536)] {
            for flags in [SYN, SYN | ACK] {
                let mut frame = frame(version, flags, &option(announced), &[]);
                assert_eq!(clamp_mss(&mut frame, 1450), announced != after);
                assert_eq!(mss(&frame), Some(after));
                assert!(checksum_is_right(&frame));
            }
        }
    }
}

#[test]
fn an_option_behind_others_at_an_odd_place_and_behind_tags_is_found() {
    let odd = [&[1], &option(1460)[..], &[3, 3, 7]].concat();
    let tags = [0x81, 0, 0, 10, 0x81, 0, 0, 20];
    for tags in [&tags[..], &tags[..4], &[]] {
        for version in [4, 6] {
            let mut frame = frame(version, SYN, &odd, tags);
            assert!(clamp_mss(&mut frame, 1400));
            assert_eq!(mss(&frame), Some(if version == 4 { 1360 } else { 1340 }));
            assert!(checksum_is_right(&frame));
        }
    }
}

#[test]
fn what_is_no_syn_or_has_no_such_option_stays_as_it_is() {
    for (flags, options) in [(ACK, &option(1460)[..]), (SYN, &[1, 1, 3, 3, 7]), (SYN, &[])] {
        let mut frame = frame(4, flags, options, &[]);
        let before = frame.clone();
        assert!(!clamp_mss(&mut frame, 1400));
        assert_eq!(frame, before);
    }
}

proptest! {
    #[test]
    fn the_checksum_stays_right_whatever_is_announced(
        version in prop::sample::select(vec![4_u8, 6]),
        announced in any::<u16>(),
        mtu in any::<u16>(),
        padding in 0..3_usize,
    ) {
        let options = [&[1, 1, 1][..padding], &option(announced)].concat();
        let mut frame = frame(version, SYN, &options, &[]);
        clamp_mss(&mut frame, mtu);
        prop_assert!(checksum_is_right(&frame));
        let fits = mtu.saturating_sub(if version == 4 { 40 } else { 60 });
        prop_assert_eq!(mss(&frame), Some(announced.min(fits)));
    }

    #[test]
    fn arbitrary_octets_are_survived(mut bytes in prop::collection::vec(any::<u8>(), 0..120), mtu in any::<u16>()) {
        let before = bytes.len();
        clamp_mss(&mut bytes, mtu);
        prop_assert_eq!(bytes.len(), before);
    }
}
