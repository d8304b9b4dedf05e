//! The wire formats of the underlay, against vectors of the standards and against arithmetic of our
//! own; and arbitrary octets, on which nothing panics.

mod bfd;
mod checksum;
mod icmp;
mod inner;
mod ip;
mod neighbor;
mod tunnel;

use std::net::IpAddr;

/// The one's complement sum of 16-bit words, carried out as RFC 1071 says it in words.
pub(crate) fn ones_sum(bytes: &[u8]) -> u16 {
    let mut sum = 0_u16;
    for pair in bytes.chunks(2) {
        let word = u16::from(pair[0]) * 256 + pair.get(1).map_or(0, |low| u16::from(*low));
        let (added, carry) = sum.overflowing_add(word);
        sum = added + u16::from(carry);
    }
    sum
}

/// The same over a pseudo header and an upper-layer packet.
pub(crate) fn upper_sum(from: IpAddr, to: IpAddr, protocol: u8, packet: &[u8]) -> u16 {
    let mut bytes = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => [from.octets(), to.octets()].concat(),
        (IpAddr::V6(from), IpAddr::V6(to)) => [from.octets(), to.octets()].concat(),
        _ => panic!("two families"),
    };
    let length = u32::try_from(packet.len()).unwrap();
    bytes.extend(length.to_be_bytes());
    bytes.extend([0, 0, 0, protocol]);
    bytes.extend(packet);
    ones_sum(&bytes)
}

pub(crate) fn addr(text: &str) -> IpAddr {
    text.parse().unwrap()
}
