//! Frames of stations that speak IP: questions and announcements, TCP, what is hashed and copied.

use std::net::IpAddr;

use bridge_model::types::{MacAddr, Tpid, VlanTag};
use bridge_model::wire::checksum::Sum;
use bridge_model::wire::ethernet;
use bridge_model::wire::ip;
use bridge_model::wire::neighbor::{Arp, Discovery};

use crate::generate::{self, station};
use crate::random::Random;

/// Addresses of stations: four of IPv4, four of IPv6.
pub(super) const ADDRESSES: [&str; 8] =
    ["10.9.0.1", "10.9.0.2", "10.9.0.3", "0.0.0.0", "fd09::1", "fd09::2", "fd09::3", "::"];

fn mac(random: &mut Random) -> MacAddr {
    station(random.below(8) as u64).get()
}

fn tags(random: &mut Random, count: usize) -> Vec<VlanTag> {
    let tag = |_| VlanTag {
        tpid: random.pick(&[Tpid::CTag, Tpid::CTag, Tpid::CTag, Tpid::STag]),
        tci: random.pick(&[0, 1, 10, 20, 30, 100, 4094, 4095]) | (random.below(16) as u16) << 12,
    };
    (0..count).map(tag).collect()
}

/// As one arrives on a port.
pub(super) fn frame(random: &mut Random) -> Vec<u8> {
    if random.one_in(3) {
        return generate::frame(random);
    }
    let count = random.pick(&[0, 0, 1, 1, 1, 2]);
    speaking(random, count)
}

/// As one arrives in a tunnel: mostly without tags.
pub(super) fn inside(random: &mut Random) -> Vec<u8> {
    if random.one_in(4) {
        return generate::frame(random);
    }
    let count = random.pick(&[0, 0, 0, 0, 0, 0, 1, 2]);
    let mut frame = speaking(random, count);
    if random.one_in(30) {
        frame.truncate(random.below(40));
    }
    frame
}

fn speaking(random: &mut Random, tag_count: usize) -> Vec<u8> {
    let tags = tags(random, tag_count);
    match random.below(4) {
        0 => arp(random, &tags),
        1 => discovery(random, &tags),
        _ => packet(random, &tags),
    }
}

fn address(random: &mut Random, first: usize) -> IpAddr {
    ADDRESSES[first + random.pick(&[0, 0, 1, 1, 1, 2, 3])].parse().unwrap()
}

fn arp(random: &mut Random, tags: &[VlanTag]) -> Vec<u8> {
    let source = mac(random);
    let mut v4 = || match address(random, 0) {
        IpAddr::V4(v4) => v4,
        IpAddr::V6(_) => unreachable!("the first four"),
    };
    let (sender, target) = (v4(), v4());
    let arp = Arp {
        operation: random.pick(&[Arp::REQUEST, Arp::REQUEST, Arp::REQUEST, Arp::REPLY]),
        sender_mac: if random.one_in(8) { mac(random) } else { source },
        sender,
        target_mac: MacAddr::ZERO,
        target,
    };
    let to = if random.one_in(4) { mac(random) } else { MacAddr::BROADCAST };
    let mut frame = ethernet::build(to, source, tags, 0x0806, &arp.build());
    if random.one_in(2) {
        frame.resize(frame.len().max(60 + random.below(8)), 0);
    }
    frame
}

fn discovery(random: &mut Random, tags: &[VlanTag]) -> Vec<u8> {
    let source = mac(random);
    let mut v6 = || match address(random, 4) {
        IpAddr::V6(v6) => v6,
        IpAddr::V4(_) => unreachable!("the last four"),
    };
    let (from, to, target) = (v6(), v6(), v6());
    let message = Discovery {
        is_advertisement: random.one_in(4),
        source: from,
        destination: to,
        target,
        flags: random.pick(&[0, 0x40, 0x60, 0xe0]),
        link_address: (!random.one_in(4)).then_some(source),
    };
    let group = MacAddr::new([0x33, 0x33, 0xff, 0, 0, 1]);
    let to = if random.one_in(4) { mac(random) } else { group };
    let mut packet = message.build();
    if random.one_in(10) {
        packet[42] ^= 1;
    }
    let mut frame = ethernet::build(to, source, tags, 0x86dd, &packet);
    if random.one_in(4) {
        frame.resize(frame.len() + random.below(30), 0);
    }
    frame
}

/// Sets the ECN field of an IP packet that has none yet.
pub(super) fn set_ecn(packet: &mut [u8], ecn: u8) {
    if packet[0] >> 4 == 6 {
        packet[1] |= ecn << 4;
        return;
    }
    packet[1] |= ecn;
    packet[10..12].fill(0);
    let sum = bridge_model::wire::checksum::internet(&packet[..20]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// A packet between two stations: TCP with options, UDP, something else; whole or a fragment.
fn packet(random: &mut Random, tags: &[VlanTag]) -> Vec<u8> {
    let first = random.pick(&[0, 4]);
    let pair: [IpAddr; 2] = [0, 1].map(|at| ADDRESSES[first + at].parse().unwrap());
    let protocol = random.pick(&[6, 6, 6, 17, 47, 1]);
    let mut payload = if protocol == 6 { tcp(random, pair) } else { vec![7; 8] };
    let more = match random.below(12) {
        // About the MTU of tunnels.
        0 => 1400 - 120 + random.below(80),
        1 => 1500 - 120 + random.below(80),
        2 => 9000 - 120 + random.below(80),
        _ => random.below(60),
    };
    payload.extend((0..more).map(|at| at as u8));
    let header = ip::Header::new(pair[0], pair[1], protocol, 64);
    let header = ip::Header { dscp: random.below(64) as u8, ..header };
    let mut packet = header.packet(&payload).unwrap();
    set_ecn(&mut packet, random.below(4) as u8);
    if first == 0 && random.one_in(6) {
        // Fragments, packets that may be fragmented; the checksum is nobody's business here.
        let word: u16 = random.pick(&[0x2000, 0x00b9, 0x0000]);
        packet[6..8].copy_from_slice(&word.to_be_bytes());
    }
    let to = match random.below(6) {
        0 => MacAddr::BROADCAST,
        1 => MacAddr::new([1, 0, 0x5e, 0, 0, 5]),
        _ => mac(random),
    };
    let from = mac(random);
    ethernet::build(to, from, tags, header.ether_type(), &packet)
}

/// A segment, mostly a SYN with a segment size at an even or an odd octet.
fn tcp(random: &mut Random, pair: [IpAddr; 2]) -> Vec<u8> {
    let [high, low] = (1000 + random.below(9000) as u16).to_be_bytes();
    let mut options = vec![1; random.below(4)];
    options.extend([2, 4, high, low]);
    options.resize(12, 0);
    let flags = random.pick(&[2, 2, 0x12, 0x10]);
    let port = random.below(1 << 16) as u16;
    let mut tcp = port.to_be_bytes().to_vec();
    tcp.extend([0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 8 << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
    tcp.extend(options);
    let octets = u32::try_from(tcp.len()).unwrap();
    let sum = Sum::default().pseudo(pair[0], pair[1], 6, octets).octets(&tcp).checksum();
    tcp[16..18].copy_from_slice(&sum.to_be_bytes());
    tcp
}
