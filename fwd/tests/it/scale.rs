//! The sizes that are promised.

use std::fmt::Write as _;
use std::time::Duration;

use bridge_model::site;
use bridge_model::types::InterfaceId;
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
