//! Generated frames that are likely to be interesting.

use bridge_model::types::MacAddr;
use bridge_model::wire::checksum::Sum;
use bridge_model::wire::ethernet;
use bridge_model::wire::neighbor::{Arp, Discovery};
use proptest::prelude::*;
use proptest::sample::select;

use super::site::{VIDS, mostly};
use crate::world::{Frame, frame, mac};

const STATIONS: [&str; 5] = ["A", "B", "C", "D", "E"];
const RESERVED: [&str; 7] = [
    "01:80:c2:00:00:00",
    "01:80:c2:00:00:02",
    "01:80:c2:00:00:0e",
    "01:80:c2:00:00:21",
    "01:80:c2:00:00:03",
    "01:00:0c:cc:cc:cd",
    "01:00:0c:cc:cc:cc",
];
/// IP addresses that stations may have: of IPv4 and of IPv6.
pub(super) const STATION_IPS: [&str; 4] =
    ["198.51.100.1", "198.51.100.2", "2001:db8::1", "2001:db8::2"];

/// Few stations, few VIDs, all kinds of tags, reserved addresses, odd lengths; sometimes plain
/// garbage.
pub(super) fn bytes() -> BoxedStrategy<Vec<u8>> {
    frames(&prop_oneof![5 => Just(0_usize), 6 => Just(1), 2 => Just(2), 1 => Just(3)].boxed())
}

/// The same as others send it in tunnels: mostly untagged.
pub(super) fn inner() -> BoxedStrategy<Vec<u8>> {
    frames(&prop_oneof![8 => Just(0_usize), 1 => Just(1), 1 => Just(2)].boxed())
}

fn frames(tag_count: &BoxedStrategy<usize>) -> BoxedStrategy<Vec<u8>> {
    let tags = || tags(tag_count.clone());
    let source = prop_oneof![
        20 => select(&STATIONS[..]),
        1 => select(vec!["*", "00:00:00:00:00:00"]),
    ];
    let destination = prop_oneof![
        10 => select(&STATIONS[..]),
        1 => Just("00:00:00:00:00:00"),
        4 => select(vec!["*", "m"]),
        2 => select(&RESERVED[..]),
    ];
    let odd = vec![60_usize, 64, 14, 18, 20, 30, 1400, 1450, 1500, 1514, 1515, 1518, 1522, 1600];
    let len = prop_oneof![4 => Just(100_usize), 1 => select(odd)];
    let good = (source, destination, tags(), len, mostly(false)).prop_map(
        |(source, destination, tags, len, pvst)| {
            let mut f = frame(source, destination).grown(1600);
            if pvst {
                f.bytes[12..22].copy_from_slice(&[0, 50, 0xaa, 0xaa, 3, 0, 0, 0x0c, 1, 0x0b]);
            }
            within(f, tags).cut(len).bytes
        },
    );
    prop_oneof![
        24 => good,
        3 => (question(), tags()).prop_map(|(f, tags)| within(f, tags).bytes),
        3 => (segment(), tags()).prop_map(|(f, tags)| within(f, tags).bytes),
        1 => prop::collection::vec(any::<u8>(), 0..80),
    ]
    .boxed()
}

/// VID, whether it is a customer tag, whether it is urgent; from the inside out.
type Tags = Vec<(u16, bool, bool)>;

fn tags(count: BoxedStrategy<usize>) -> impl Strategy<Value = Tags> {
    let vid = prop_oneof![20 => select(&VIDS[..]), 1 => select(vec![0_u16, 4095, 9])];
    let tag = (vid, mostly(true), mostly(false));
    count.prop_flat_map(move |count| prop::collection::vec(tag.clone(), count))
}

fn within(mut f: Frame, tags: Tags) -> Frame {
    for (vid, customer, urgent) in tags {
        f = match (customer, urgent) {
            (true, false) => f.tag(vid),
            (true, true) => f.urgent_tag(vid),
            (false, _) => f.stag(vid),
        };
    }
    f
}

/// ARP and neighbour discovery between stations: questions, announcements, probes, answers.
fn question() -> impl Strategy<Value = Frame> {
    let ends = (select(&STATIONS[..]), prop_oneof![4 => Just("*"), 1 => select(&STATIONS[..])]);
    let sender = prop_oneof![4 => select(vec![0_usize, 1]), 1 => Just(2)];
    (ends, sender, 0..2_usize, any::<bool>(), mostly(true)).prop_map(
        |((source, destination), sender, target, is_v6, asks)| {
            let (source, destination) = (mac(source), mac(destination));
            let bytes = if is_v6 {
                let address = |index: usize| {
                    STATION_IPS.get(2 + index).map_or("::", |text| text).parse().unwrap()
                };
                let message = Discovery {
                    is_advertisement: !asks,
                    source: address(sender),
                    destination: "ff02::1".parse().unwrap(),
                    target: address(target),
                    flags: 0,
                    link_address: (sender < 2).then_some(source),
                };
                let group = MacAddr::new([0x33, 0x33, 0, 0, 0, 1]);
                message.frame(if destination.is_group() { group } else { destination }, source)
            } else {
                let address = |index: usize| {
                    let known = STATION_IPS[..2].get(index);
                    known.map_or("0.0.0.0", |text| text).parse().unwrap()
                };
                let arp = Arp {
                    operation: if asks { Arp::REQUEST } else { Arp::REPLY },
                    sender_mac: source,
                    sender: address(sender),
                    target_mac: MacAddr::ZERO,
                    target: address(target),
                };
                arp.frame(destination, source)
            };
            Frame { bytes }
        },
    )
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

/// A TCP SYN segment with a segment size, at an even or an odd octet of it.
fn segment() -> impl Strategy<Value = Frame> {
    let ends = (select(&STATIONS[..]), select(&STATIONS[..]));
    let how = (any::<bool>(), 0..3_usize, any::<u16>(), 1000..2000_u16, 0..64_u8);
    (ends, how).prop_map(|((source, destination), (is_v6, pad, port, mss, dscp))| {
        let [high, low] = mss.to_be_bytes();
        let mut options = vec![1; pad];
        options.extend([2, 4, high, low, 0]);
        options.resize(8, 0);
        let [p, q] = port.to_be_bytes();
        let mut tcp = vec![p, q, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 7 << 4, 2, 0xff, 0xff, 0, 0, 0, 0];
        tcp.extend(options);
        let pair: [std::net::IpAddr; 2] = if is_v6 {
            [STATION_IPS[2].parse().unwrap(), STATION_IPS[3].parse().unwrap()]
        } else {
            [STATION_IPS[0].parse().unwrap(), STATION_IPS[1].parse().unwrap()]
        };
        let len = u32::try_from(tcp.len()).unwrap();
        let sum = Sum::default().pseudo(pair[0], pair[1], 6, len).octets(&tcp).checksum();
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        let header = bridge_model::wire::ip::Header::new(pair[0], pair[1], 6, 64);
        let header = bridge_model::wire::ip::Header { dscp, ..header };
        let mut packet = header.packet(&tcp).unwrap();
        set_ecn(&mut packet, p & 3);
        let ether_type = header.ether_type();
        let bytes = ethernet::build(mac(destination), mac(source), &[], ether_type, &packet);
        Frame { bytes }
    })
}
