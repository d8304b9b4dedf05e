//! The sizes that are promised.

use std::fmt::Write as _;
use std::time::Duration;

use bridge_model::reason::DropReason;
use bridge_model::site;
use bridge_model::types::{InterfaceId, MacAddr};
use bridge_model::wire::ethernet;
use bridge_model::wire::ip::{self, Datagram};
use fwd::mac::Isa;

use crate::bench::Bench;
use crate::generate;

const NOW: Duration = Duration::from_secs(1);

/// A trunk with all 4094 VLANs, each linked to a bridge of its own, and a second trunk of another
/// gateway bridge whose VID n leads to the bridge of VID n too.
fn everything() -> Bench {
    let mut text = String::from(
        "hosts: [{name: gw}]\ngatewayBridges: [{name: g}, {name: h}]\n\
         trunks:\n- {name: t0, gatewayBridge: g, host: gw, interface: eth0}\n\
         - {name: t1, gatewayBridge: h, host: gw, interface: eth1}\n",
    );
    let mut links = String::from("vlanLinks:\n");
    text += "bridges:\n";
    for vid in 1..=4094 {
        let _ = writeln!(text, "- {{name: b{vid}}}");
        let _ = writeln!(links, "- {{gatewayBridge: g, vid: {vid}, bridge: b{vid}}}");
        let _ = writeln!(links, "- {{gatewayBridge: h, vid: {}, bridge: b{vid}}}", 4095 - vid);
    }
    let topology = site::parse("site.yaml", &(text + &links)).unwrap();
    Bench::new(topology, generate::view(), Isa::detect())
}

fn frame(to: u64, from: u64, vid: u16) -> Vec<u8> {
    let mut frame = to.to_be_bytes()[2..].to_vec();
    frame.extend(&from.to_be_bytes()[2..]);
    frame.extend([0x81, 0x00]);
    frame.extend((vid | 0x6000).to_be_bytes());
    frame.extend([0x08, 0x00]);
    frame.resize(64, 0x5a);
    frame
}

#[test]
fn each_of_4094_links_forwards_into_its_own_bridge_and_no_other() {
    let mut bench = everything();
    // The same two stations in every VLAN: the bridges must not mix them up.
    for vid in 1..=4094 {
        let seen =
            bench.frame(NOW, InterfaceId(0), &frame(0x0200_0000_0001, 0x0200_0000_0002, vid));
        assert_eq!(seen.sent.len(), 1);
        let (to, bytes) = &seen.sent[0];
        assert_eq!(*to, InterfaceId(1));
        assert_eq!(bytes[14..16], ((4095 - vid) | 0x6000).to_be_bytes(), "PCP stays");
    }
    assert_eq!(bench.learner.statistics().entries, 4094);
    for vid in 1..=4094 {
        let seen =
            bench.frame(NOW, InterfaceId(1), &frame(0x0200_0000_0002, 0x0200_0000_0003, vid));
        assert_eq!(seen.sent.len(), 1, "known, one place");
        assert_eq!(seen.sent[0].1[14..16], ((4095 - vid) | 0x6000).to_be_bytes());
    }
}

/// 4094 bridges with VNIs all over the range, an access port in one of them, and a foreign endpoint
/// that has all of them.
fn every_vni() -> (Bench, Vec<u32>) {
    let vnis: Vec<u32> =
        (0..4094_u32).map(|n| 1 + n.wrapping_mul(0x9e37_79b1) % 0xff_fffe).collect();
    let mut text = String::from(
        "hosts: [{name: gw, vtep: 192.0.2.1, \
         underlay: [{interface: eth6, addresses: [192.0.2.1/24]}]}]\n\
         gatewayBridges: [{name: g}]\n\
         trunks: [{name: t0, gatewayBridge: g, host: gw, interface: eth0}]\n\
         tunnelZones: [{name: z, kind: vxlan, hosts: [gw]}]\n",
    );
    let (mut bridges, mut links) = (String::from("bridges:\n"), String::from("vlanLinks:\n"));
    let mut names = String::new();
    for (vid, vni) in (1..).zip(&vnis) {
        let _ = writeln!(bridges, "- {{name: b{vid}, vni: {vni}}}");
        let _ = writeln!(links, "- {{gatewayBridge: g, vid: {vid}, bridge: b{vid}}}");
        let _ = write!(names, "b{vid}, ");
    }
    let _ =
        writeln!(text, "tunnels: [{{name: far, zone: z, remote: 192.0.2.9, bridges: [{names}]}}]");
    let topology = site::parse("site.yaml", &(text + &bridges + &links)).unwrap();
    (Bench::new(topology, generate::view(), Isa::detect()), vnis)
}

#[test]
fn each_of_4094_vnis_leads_into_its_own_bridge_and_every_other_number_into_none() {
    let (mut bench, vnis) = every_vni();
    let own = bench.underlay.links[0].mac;
    let ends = ("192.0.2.9".parse().unwrap(), "192.0.2.1".parse().unwrap());
    let outer = |vni: u32| {
        let [_, a, b, c] = vni.to_be_bytes();
        let mut payload = vec![8, 0, 0, 0, a, b, c, 0];
        let plain = frame(0x0200_0000_0001, 0x0200_0000_0002, 0);
        payload.extend([&plain[..12], &plain[16..]].concat());
        let datagram = Datagram::build(ends, (50_000, 4789), &payload, false).unwrap();
        let packet = ip::Header::new(ends.0, ends.1, 17, 64).packet(&datagram).unwrap();
        let from = MacAddr::from_u64(0x0800_0000_0001);
        ethernet::build(own, from, &[], 0x0800, &packet)
    };
    for (vid, vni) in (1_u16..).zip(&vnis) {
        let seen = bench.frame(NOW, InterfaceId(6), &outer(*vni));
        assert_eq!(seen.sent.len(), 1, "{vni}");
        assert_eq!(seen.sent[0].1[14..16], vid.to_be_bytes(), "{vni}");
    }
    for vni in vnis.iter().flat_map(|vni| [vni + 1, vni ^ 0x80_0000]) {
        if !vnis.contains(&vni) {
            let seen = bench.frame(NOW, InterfaceId(6), &outer(vni));
            assert_eq!(seen.dropped, [DropReason::VniUnknown], "{vni}");
        }
    }
}
