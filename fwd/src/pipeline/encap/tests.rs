#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "helpers of tests")]

use std::net::IpAddr;

use bridge_model::compile::{Encapsulation, PathTable, PeerTable, UnderlayLinkTable};
use bridge_model::topology::TunnelDscp;
use bridge_model::types::{InterfaceId, MacAddr, PortId, Tpid, UnderlayId, VlanId, VlanTag, Vni};
use bridge_model::wire::checksum::Sum;
use bridge_model::wire::ip::{self, Datagram, HOP_LIMIT, PROTOCOL_GRE};
use bridge_model::wire::{ethernet, tunnel};
use proptest::prelude::*;

use super::*;
use crate::counters::PortSlot;
use crate::heap::HeapFrame;
use crate::underlay::UnderlayCells;

const LINK_MAC: MacAddr = MacAddr::from_u64(0x0200_0000_00fe);
const ROUTER: u64 = 0x0200_0000_0100;

fn vxlan(checksum: bool) -> Encapsulation {
    Encapsulation::Vxlan { port: 4789, checksum, accept_zero: false }
}

fn link(vlan: Option<u16>) -> UnderlayLinkTable {
    UnderlayLinkTable {
        port: PortId(0),
        interface: InterfaceId(5),
        vlan: vlan.map(|raw| VlanId::new(raw).unwrap()),
        mac: LINK_MAC,
        mtu: 9600,
        addresses: Vec::new(),
        kernel: None,
    }
}

fn peer(
    (local, remote): (&str, &str),
    encapsulation: Encapsulation,
    dscp: TunnelDscp,
) -> PeerTable {
    let (local, remote): (IpAddr, IpAddr) = (local.parse().unwrap(), remote.parse().unwrap());
    let paths = vec![PathTable { link: UnderlayId(0), next_hop: remote }];
    let name = "far".parse().unwrap();
    let (port, mtu) = (PortId(1), 9600);
    let (is_host, bfd) = (false, None);
    PeerTable { name, is_host, port, local, remote, encapsulation, dscp, paths, mtu, bfd }
}

const V4: (&str, &str) = ("192.0.2.1", "198.51.100.200");
const V6: (&str, &str) = ("2001:db8::1", "2001:db8:ffff:f00::9");

/// Every kind, IP version, checksum mode and way to choose the DSCP.
fn peers() -> Vec<PeerTable> {
    let kinds = [vxlan(false), vxlan(true), Encapsulation::Gre];
    let dscps = [TunnelDscp::Fixed(0), TunnelDscp::Fixed(46), TunnelDscp::Copy];
    let all = [V4, V6].into_iter().flat_map(|addresses| {
        kinds.into_iter().flat_map(move |kind| dscps.map(|dscp| peer(addresses, kind, dscp)))
    });
    all.collect()
}

struct Bench {
    table: PeerTable,
    image: PeerImage,
    link: UnderlayLinkTable,
    cells: UnderlayCells,
}

impl Bench {
    fn new(table: PeerTable, vlan: Option<u16>) -> Self {
        let (cells, link) = (UnderlayCells::default(), link(vlan));
        let image = PeerImage::build(&table, PortSlot(7), &cells, |_| Some(&link)).unwrap();
        for (number, path) in table.paths.iter().enumerate() {
            let cell = cells.next_hop((link.interface, link.vlan, path.next_hop));
            cell.set(Some(MacAddr::from_u64(ROUTER + number as u64)));
        }
        Self { table, image, link, cells }
    }

    fn resolve(&self, path: usize, address: Option<MacAddr>) {
        let next_hop = self.table.paths[path].next_hop;
        self.cells.next_hop((self.link.interface, self.link.vlan, next_hop)).set(address);
    }

    /// What leaves.
    fn send(&self, frame: &[u8], pop: usize, vni: u32) -> Result<Vec<u8>, DropReason> {
        let flow = Flow::of(frame, pop);
        let way = Way::find(&self.image, flow, padded(frame.len(), pop))?;
        let mut frame = HeapFrame::new(frame);
        assert!(frame.pad_to(padded(frame.octets(), pop) + pop));
        assert!(encapsulate(&mut frame, pop, (&self.image, vni), &way, None));
        Ok(frame.bytes().to_vec())
    }
}

/// The frame as its bridge sees it.
fn inner(frame: &[u8], pop: usize) -> Vec<u8> {
    let mut inner = frame[..12].to_vec();
    inner.extend(&frame[12 + pop..]);
    if pop > 0 && inner.len() < 60 {
        inner.resize(60, 0);
    }
    inner
}

/// The definition, from the builders of `wire`.
fn reference(inner: &[u8], peer: &PeerTable, link: &UnderlayLinkTable, vni: u32) -> Vec<u8> {
    let (hash, vni) = (inner::flow_hash(inner), Vni::new(vni).unwrap());
    let ends = (peer.local, peer.remote);
    let (protocol, payload) = match peer.encapsulation {
        Encapsulation::Vxlan { port, checksum, .. } => {
            let payload = [&tunnel::vxlan_header(vni), inner].concat();
            let ports = (inner::source_port(hash), port);
            (PROTOCOL_UDP, Datagram::build(ends, ports, &payload, checksum).unwrap())
        }
        Encapsulation::Gre => (PROTOCOL_GRE, [&tunnel::gre_header(vni), inner].concat()),
    };
    let dscp = match peer.dscp {
        TunnelDscp::Fixed(dscp) => dscp,
        TunnelDscp::Copy => InnerIp::of(inner).map_or(0, |ip| ip.dscp),
    };
    let mut header = ip::Header::new(ends.0, ends.1, protocol, HOP_LIMIT);
    (header.dscp, header.flow_label) = (dscp, hash.into());
    let number = (usize::from(hash) * peer.paths.len()) >> 16;
    let router = MacAddr::from_u64(ROUTER + number as u64);
    let tag = link.vlan.map(|vlan| VlanTag { tpid: Tpid::CTag, tci: vlan.get() });
    let packet = header.packet(&payload).unwrap();
    ethernet::build(router, link.mac, tag.as_slice(), header.ether_type(), &packet)
}

/// A frame of 60 octets or more: addresses, what stands behind them, then a pattern.
fn frame_with(behind: &[u8], octets: usize) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    frame.extend(behind);
    frame.extend((frame.len()..octets).map(|at| (at * 7) as u8));
    frame
}

const IPV4_UDP: [u8; 30] = [
    0x08, 0x00, 0x45, 0xb8, 0, 46, 1, 2, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x80, 1,
    0, 53, 0, 26, 0, 0,
];

#[test]
fn every_kind_ip_version_vlan_and_dscp_gives_the_octets_of_the_wire_builders() {
    for table in peers() {
        for vlan in [None, Some(40)] {
            let bench = Bench::new(table.clone(), vlan);
            let tagged = [&[0x81, 0, 0xe0, 10], &IPV4_UDP[..]].concat();
            for (behind, pop) in [(&IPV4_UDP[..], 0), (&tagged[..], 4)] {
                for octets in [60, 61, 64, 1500, 9000] {
                    let frame = frame_with(behind, octets);
                    let expected = reference(&inner(&frame, pop), &table, &bench.link, 0x12_3456);
                    assert_eq!(bench.send(&frame, pop, 0x12_3456), Ok(expected), "{table:?}");
                }
            }
        }
    }
}

#[test]
fn a_vxlan_packet_over_ipv4_is_the_one_that_was_written_down_by_hand() {
    let bench = Bench::new(peer(V4, vxlan(false), TunnelDscp::Fixed(0)), Some(40));
    let frame = frame_with(&[0x08, 0x06], 60);
    let sent = bench.send(&frame, 0, 5001).unwrap();
    let port = inner::source_port(inner::flow_hash(&frame)).to_be_bytes();
    let mut head = vec![2, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0xfe, 0x81, 0, 0, 40, 8, 0];
    head.extend([0x45, 0, 0, 96, 0, 0, 0x40, 0, 64, 17]);
    // By hand: the words are 4500 0060 0000 4000 4011 c000 0201 c633 64c8, their sum 2 b26d,
    // folded b26f, inverted 4d90.
    head.extend([0x4d, 0x90, 192, 0, 2, 1, 198, 51, 100, 200]);
    head.extend([port[0], port[1], 0x12, 0xb5, 0, 76, 0, 0]);
    head.extend([8, 0, 0, 0, 0, 0x13, 0x89, 0]);
    assert_eq!(sent, [&head[..], &frame].concat());
    assert!(Sum::default().octets(&head[18..38]).is_correct());
}

#[test]
fn a_frame_that_became_short_is_padded_before_it_is_wrapped_and_one_that_was_short_is_not() {
    let bench = Bench::new(peer(V4, Encapsulation::Gre, TunnelDscp::Copy), None);
    let tagged = frame_with(&[0x81, 0, 0, 10, 0x08, 0x06], 40);
    assert_eq!(bench.send(&tagged, 4, 9).unwrap().len(), 42 + 60);
    let untagged = frame_with(&[0x08, 0x06], 40);
    assert_eq!(bench.send(&untagged, 0, 9).unwrap().len(), 42 + 40);
}

#[test]
fn a_frame_of_the_greatest_length_leaves_and_one_octet_more_does_not() {
    for table in peers() {
        let bench = Bench::new(PeerTable { mtu: 1500, ..table }, None);
        let limit = usize::from(1500 - bench.table.overhead());
        let frame = frame_with(&IPV4_UDP, limit);
        assert_eq!(bench.send(&frame, 0, 1).unwrap().len(), 14 + 1500);
        let longer = frame_with(&IPV4_UDP, limit + 1);
        assert_eq!(bench.send(&longer, 0, 1), Err(DropReason::MtuExceeded));
        // The tag that is taken off does not count.
        let tagged = frame_with(&[&[0x81, 0, 0, 10], &IPV4_UDP[..]].concat(), limit + 4);
        assert_eq!(bench.send(&tagged, 4, 1).unwrap().len(), 14 + 1500);
    }
}

#[test]
fn flows_are_spread_over_the_ways_and_pass_by_those_whose_next_hop_is_unknown() {
    let mut table = peer(V4, vxlan(false), TunnelDscp::Fixed(0));
    let next_hops = ["192.0.2.251", "192.0.2.252", "192.0.2.253"];
    let path =
        |next_hop: &str| PathTable { link: UnderlayId(0), next_hop: next_hop.parse().unwrap() };
    table.paths = next_hops.into_iter().map(path).collect();
    let bench = Bench::new(table, None);
    let find = |hash| {
        let way = Way::find(&bench.image, Flow { hash, dscp: 0 }, 60)?;
        Ok(way.next_hop - ROUTER)
    };
    // Both sides of each border: 65536 / 3 = 21845.3
    for (hash, way) in [(0, 0), (21845, 0), (21846, 1), (43690, 1), (43691, 2), (65535, 2)] {
        assert_eq!(find(hash), Ok(way), "{hash}");
    }
    bench.resolve(1, None);
    assert_eq!([find(0), find(30000), find(65535)], [Ok(0), Ok(2), Ok(2)]);
    bench.resolve(2, None);
    assert_eq!([find(0), find(30000), find(65535)], [Ok(0), Ok(0), Ok(0)]);
    bench.resolve(0, None);
    let unresolved = Err(DropReason::NeighborUnresolved);
    assert_eq!([find(0), find(30000), find(65535)], [unresolved; 3]);
    bench.resolve(1, Some(MacAddr::from_u64(ROUTER + 1)));
    assert_eq!([find(0), find(30000), find(65535)], [Ok(1), Ok(1), Ok(1)]);
}

#[test]
fn without_a_way_no_length_is_looked_at() {
    let mut table = peer(V4, vxlan(false), TunnelDscp::Fixed(0));
    (table.paths, table.mtu) = (Vec::new(), 0);
    let bench = Bench::new(table, None);
    let frame = frame_with(&IPV4_UDP, 60);
    assert_eq!(bench.send(&frame, 0, 1), Err(DropReason::TunnelNoRoute));
}

#[test]
fn a_next_hop_that_moves_is_used_by_the_next_frame() {
    let bench = Bench::new(peer(V6, vxlan(true), TunnelDscp::Copy), Some(7));
    let frame = frame_with(&IPV4_UDP, 70);
    assert_eq!(bench.send(&frame, 0, 1).unwrap()[..6], [2, 0, 0, 0, 1, 0]);
    bench.resolve(0, Some(MacAddr::new([2, 9, 9, 9, 9, 9])));
    assert_eq!(bench.send(&frame, 0, 1).unwrap()[..6], [2, 9, 9, 9, 9, 9]);
}

#[test]
fn a_checksum_that_comes_out_as_0_is_sent_as_all_ones() {
    let bench = Bench::new(peer(V4, vxlan(true), TunnelDscp::Fixed(0)), None);
    let mut frame = frame_with(&IPV4_UDP, 60);
    let checksum = |frame: &[u8]| {
        let sent = bench.send(frame, 0, 1).unwrap();
        u16::from_be_bytes([sent[40], sent[41]])
    };
    // The last word is in the sum, not in the hash: what it lacks to 0xffff makes the checksum 0.
    frame[58..].fill(0);
    let sum = checksum(&frame);
    frame[58..].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(checksum(&frame), 0xffff);
}

#[test]
fn the_mtu_told_to_a_sender_leaves_room_for_the_tags_that_its_frames_keep() {
    let untagged = frame_with(&IPV4_UDP, 60);
    let one = frame_with(&[0x81, 0, 0, 10, 0x08, 0], 60);
    let two = frame_with(&[0x88, 0xa8, 0, 10, 0x81, 0, 0, 20, 0x08, 0], 60);
    let three = frame_with(&[[0x81, 0, 0, 10]; 3].concat(), 60);
    let mtu = |frame: &[u8], pop| layer3_mtu(frame, pop, 1450);
    assert_eq!([mtu(&untagged, 0), mtu(&one, 0), mtu(&one, 4)], [1436, 1432, 1436]);
    assert_eq!([mtu(&two, 0), mtu(&two, 4), mtu(&two, 8)], [1428, 1432, 1436]);
    assert_eq!([mtu(&three, 0), mtu(&three, 4)], [1428, 1428]);
}

#[test]
fn without_headroom_a_frame_is_left_alone() {
    let bench = Bench::new(peer(V6, vxlan(true), TunnelDscp::Copy), Some(7));
    let content = frame_with(&IPV4_UDP, 70);
    let mut frame = HeapFrame::new(&content);
    assert!(frame.prepend(64));
    let before = frame.bytes().to_vec();
    let way = Way::find(&bench.image, Flow::of(&before, 0), before.len()).unwrap();
    assert!(!encapsulate(&mut frame, 0, (&bench.image, 1), &way, None));
    assert_eq!(frame.bytes(), before);
}

prop_compose! {
    /// What stands behind the addresses: tags, a type, the beginning of a packet or of none.
    fn headers()(
        tags in prop::collection::vec((prop::sample::select(vec![0x8100_u16, 0x88a8]), any::<u16>()), 0..4),
        ether_type in prop::sample::select(vec![0x0800_u16, 0x0800, 0x86dd, 0x86dd, 0x0806, 0x9000, 46, 0x8100]),
        first in prop::sample::select(vec![0x45_u8, 0x45, 0x46, 0x4f, 0x44, 0x60, 0x6b, 0x00]),
        service in any::<u8>(),
        fragment in prop::sample::select(vec![0_u16, 0x4000, 0x2000, 0x0001, 0x1fff]),
        protocol in prop::sample::select(vec![6_u8, 17, 1, 47, 44]),
        rest in any::<[u8; 64]>(),
    ) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (tpid, tci) in tags {
            bytes.extend(tpid.to_be_bytes());
            bytes.extend(tci.to_be_bytes());
        }
        bytes.extend(ether_type.to_be_bytes());
        let mut packet = rest;
        packet[..2].copy_from_slice(&[first, service]);
        if first >> 4 == 6 {
            packet[6] = protocol;
        } else {
            packet[6..8].copy_from_slice(&fragment.to_be_bytes());
            packet[9] = protocol;
        }
        bytes.extend(packet);
        bytes
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_frame_to_any_peer_gives_the_octets_of_the_wire_builders(
        addresses in any::<[u8; 12]>(),
        headers in headers(),
        octets in prop_oneof![4 => 14..140_usize, 1 => 140..1600_usize],
        peer in prop::sample::select(peers()),
        vlan in prop::option::of(1..=4094_u16),
        vni in 1..0x100_0000_u32,
    ) {
        let mut frame = [&addresses[..], &headers].concat();
        frame.resize(octets, 0xa5);
        // As many tags as there are may be popped.
        let tags = (0..2).take_while(|tag| {
            matches!(frame.get(12 + tag * 4..14 + tag * 4), Some([0x81, 0] | [0x88, 0xa8]))
        });
        let tags = tags.count().min((octets - 14) / 4);
        let bench = Bench::new(peer, vlan);
        for pop in (0..=tags).map(|tags| tags * 4) {
            let expected = reference(&inner(&frame, pop), &bench.table, &bench.link, vni);
            prop_assert_eq!(bench.send(&frame, pop, vni), Ok(expected));
        }
    }

    #[test]
    fn the_fast_flow_hash_is_the_one_of_the_definition(
        addresses in any::<[u8; 12]>(),
        headers in headers(),
        octets in 12..100_usize,
    ) {
        let mut frame = [&addresses[..], &headers].concat();
        frame.truncate(octets);
        let dscp = InnerIp::of(&frame).map_or(0, |ip| ip.dscp);
        prop_assert_eq!(Flow::of(&frame, 0), Flow { hash: inner::flow_hash(&frame), dscp });
    }

    #[test]
    fn the_sum_of_octets_is_that_of_the_definition(
        bytes in prop::collection::vec(any::<u8>(), 0..2000),
    ) {
        let expected = !Sum::default().octets(&bytes).checksum();
        let sum = fold(native_sum(&bytes)).swap_bytes();
        // 0 and 0xffff are the same number.
        prop_assert_eq!(sum % 0xffff, expected % 0xffff);
    }
}
