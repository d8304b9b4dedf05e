//! The segment size that TCP announces, in bridges with `mssClamp`.

use bridge_model::compile::HostView;
use proptest::prelude::*;

use super::{SITE, only_copy, teach, vxlan, world_of};
use crate::parsers::hex;
use crate::wire::{addr, upper_sum};
use crate::world::{Frame, World, frame};

fn clamping() -> World {
    let mut w = world_of(&SITE.replace("vni: 5001}", "vni: 5001, mssClamp: true}"));
    teach(&mut w, "192.0.2.2", 5001, "B");
    w
}

/// A segment from `A` to `B` with these flags and options, its checksum right.
fn segment(version: u8, flags: u8, options: &[u8]) -> Frame {
    let mut tcp = hex("d431 0050 00000001 00000002 0000 ffff 0000 0000");
    tcp.extend(options);
    tcp.extend(b"odd");
    tcp[12] = u8::try_from((20 + options.len()) / 4 * 16).unwrap();
    tcp[13] = flags;
    let ends = if version == 4 { ("10.0.0.1", "10.0.0.2") } else { ("fd00::1", "fd00::2") };
    let sum = !upper_sum(addr(ends.0), addr(ends.1), 6, &tcp);
    tcp[16..18].copy_from_slice(&sum.to_be_bytes());
    let length = u16::try_from(tcp.len()).unwrap();
    let mut f = frame("A", "B").cut(12);
    if version == 4 {
        f.bytes.extend(hex("0800 45000000 00004000 40060000 0a000001 0a000002"));
        f.bytes[16..18].copy_from_slice(&(length + 20).to_be_bytes());
    } else {
        f.bytes.extend(hex("86dd 60000000 0000 06 40"));
        f.bytes[18..20].copy_from_slice(&length.to_be_bytes());
        f.bytes.extend(hex("fd000000000000000000000000000001 fd000000000000000000000000000002"));
    }
    f.bytes.extend(tcp);
    f
}

/// Where TCP begins in such a frame.
fn tcp_at(version: u8) -> usize {
    if version == 4 { 34 } else { 54 }
}

fn is_intact(version: u8, frame: &[u8]) -> bool {
    let ends = if version == 4 { ("10.0.0.1", "10.0.0.2") } else { ("fd00::1", "fd00::2") };
    upper_sum(addr(ends.0), addr(ends.1), 6, &frame[tcp_at(version)..]) == 0xffff
}

fn inner(w: &mut World, interface: &str, f: &Frame) -> Vec<u8> {
    only_copy(&w.send(interface, f))[50..].to_vec()
}

const SYN: u8 = 0x02;
const MSS_1460: [u8; 4] = [2, 4, 0x05, 0xb4];

#[test]
fn a_segment_size_that_no_tunnel_takes_is_lowered_and_the_checksum_follows() {
    let mut w = clamping();
    // 1450 octets of IP pass: less 40 for IPv4 and TCP, 60 for IPv6.
    for (version, most) in [(4, 1410_u16), (6, 1390)] {
        let at = tcp_at(version) + 22;
        let sent = segment(version, SYN, &MSS_1460);
        let out = inner(&mut w, "vm1", &sent);
        assert_eq!(out[at..at + 2], most.to_be_bytes());
        assert!(is_intact(version, &out));
        // Nothing else changed.
        let mut back = out.clone();
        back[at..at + 2].copy_from_slice(&1460_u16.to_be_bytes());
        back[tcp_at(version) + 16..tcp_at(version) + 18]
            .copy_from_slice(&sent.bytes[tcp_at(version) + 16..tcp_at(version) + 18]);
        assert_eq!(back, sent.bytes);
        // What fits stays, one octet more does not.
        for (announced, expected) in [(most, most), (most + 1, most), (536, 536)] {
            let [high, low] = announced.to_be_bytes();
            let out = inner(&mut w, "vm1", &segment(version, SYN, &[2, 4, high, low]));
            assert_eq!(out[at..at + 2], expected.to_be_bytes());
            assert!(is_intact(version, &out));
        }
    }
}

#[test]
fn an_option_at_an_odd_octet_keeps_the_checksum_right() {
    let mut w = clamping();
    for version in [4, 6] {
        let options = [&[1][..], &MSS_1460, &[1, 1, 1]].concat();
        let out = inner(&mut w, "vm1", &segment(version, SYN | 0x10, &options));
        let at = tcp_at(version) + 23;
        assert_ne!(out[at..at + 2], [0x05, 0xb4]);
        assert!(is_intact(version, &out));
    }
}

#[test]
fn what_comes_out_of_a_tunnel_is_lowered_too_and_what_stays_local_is_not() {
    let mut w = clamping();
    let mut from_b = segment(4, SYN | 0x10, &MSS_1460);
    from_b.bytes[..12].rotate_left(6);
    w.send("vm1", &frame("A", "*"));
    let out = only_copy(&w.send("up0", &vxlan("192.0.2.2", 5001, &from_b)));
    assert_eq!(out[56..58], 1410_u16.to_be_bytes());
    assert!(is_intact(4, &out));
    // From port to port.
    let mut local = segment(4, SYN, &MSS_1460);
    local.bytes[6..12].copy_from_slice(&[2, 0, 0, 0, 0, b'C']);
    local.bytes[..6].copy_from_slice(&[2, 0, 0, 0, 0, b'A']);
    assert_eq!(only_copy(&w.send("vm2", &local)), local.bytes);
    // In a flood only the copies in tunnels are changed.
    local.bytes[..6].copy_from_slice(&[2, 0, 0, 0, 0, b'Z']);
    let outcome = w.send("vm2", &local);
    for copy in outcome.copies() {
        let expected = if copy.interface == w.interface("up0") { 1410_u16 } else { 1460 };
        let at = copy.bytes.windows(2).position(|two| two == [2, 4]).unwrap() + 2;
        let read = u16::from_be_bytes([copy.bytes[at], copy.bytes[at + 1]]);
        assert_eq!((read, is_tagged(&copy.bytes)), (expected, copy.interface.0 == 0), "{copy:?}");
    }
}

fn is_tagged(bytes: &[u8]) -> bool {
    bytes[12..14] == [0x81, 0x00]
}

#[test]
fn only_a_syn_of_a_bridge_that_wants_it_is_changed() {
    let mut w = clamping();
    let no_syn = segment(4, 0x10, &MSS_1460);
    assert_eq!(inner(&mut w, "vm1", &no_syn), no_syn.bytes);
    let mut udp = segment(4, SYN, &MSS_1460);
    udp.bytes[23] = 17;
    assert_eq!(inner(&mut w, "vm1", &udp), udp.bytes);
    let mut other = world_of(SITE);
    teach(&mut other, "192.0.2.2", 5001, "B");
    let syn = segment(4, SYN, &MSS_1460);
    assert_eq!(inner(&mut other, "vm1", &syn), syn.bytes, "off by default");
}

#[test]
fn a_peer_without_a_way_does_not_make_segments_small() {
    let text = SITE
        .replace("vni: 5001}", "vni: 5001, mssClamp: true}")
        .replace("vtep: 192.0.2.3", "vtep: 203.0.113.3");
    let mut w = world_of(&text);
    teach(&mut w, "192.0.2.2", 5001, "B");
    let out = inner(&mut w, "vm1", &segment(4, SYN, &MSS_1460));
    assert_eq!(out[56..58], 1410_u16.to_be_bytes());
    // The least of all peers with one counts, whichever the frame is for.
    let mut view: HostView = w.view.clone();
    view.path_mtus.insert(crate::world::name("leaf"), 1400);
    let topology = w.topology.clone();
    w.reconfigure(topology, view);
    let out = inner(&mut w, "vm1", &segment(4, SYN, &MSS_1460));
    assert_eq!(out[56..58], 1310_u16.to_be_bytes());
}

proptest! {
    // Each case builds a site.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_checksum_stays_as_right_or_wrong_as_it_was(
        version in prop::sample::select(vec![4_u8, 6]),
        mss in any::<u16>(),
        pad in 0..4_usize,
        noise in any::<[u8; 14]>(),
        error in any::<u16>(),
    ) {
        let mut w = clamping();
        let [high, low] = mss.to_be_bytes();
        let mut options = vec![1; pad];
        options.extend([2, 4, high, low]);
        options.resize(8, 1);
        let mut sent = segment(version, SYN, &options);
        let at = tcp_at(version);
        // The start of the segment is anything, and the checksum off by anything.
        sent.bytes[at..at + 12].copy_from_slice(&noise[..12]);
        let sum = |bytes: &[u8]| {
            let ends = if version == 4 { ("10.0.0.1", "10.0.0.2") } else { ("fd00::1", "fd00::2") };
            u32::from(upper_sum(addr(ends.0), addr(ends.1), 6, &bytes[at..])) % 0xffff
        };
        let field = u16::from_be_bytes([sent.bytes[at + 16], sent.bytes[at + 17]]);
        sent.bytes[at + 16..at + 18].copy_from_slice(&field.wrapping_add(error).to_be_bytes());
        let out = inner(&mut w, "vm1", &sent);
        prop_assert_eq!(sum(&out), sum(&sent.bytes));
        let most = if version == 4 { 1410 } else { 1390 };
        let read = u16::from_be_bytes([out[at + 22 + pad], out[at + 23 + pad]]);
        prop_assert_eq!(read, mss.min(most));
    }
}
