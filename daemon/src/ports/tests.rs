use bridge_model::compile::{InterfaceView, Numbering, compile};
use bridge_model::site;
use bridge_model::types::{MacAddr, Revision};

use super::*;

const SITE: &str = "\
hosts: [{name: gw-a}, {name: gw-b}]
bridges: [{name: web}, {name: db, admin: down}]
gatewayBridges: [{name: gw}]
trunks:
  - {name: t1, gatewayBridge: gw, host: gw-a, interface: eth1}
  - {name: t2, gatewayBridge: gw, host: gw-a, interface: eth2}
  - {name: t3, gatewayBridge: gw, host: gw-b, interface: eth1, allowed: [20]}
  - {name: t4, gatewayBridge: gw}
vlanLinks: [{gatewayBridge: gw, vid: 10, bridge: web}]
accessPorts:
  - {name: a1, bridge: web, host: gw-a, interface: vm1}
  - {name: a2, bridge: db, host: gw-a, interface: vm2}
  - {name: a3, bridge: web, host: gw-a, interface: vm3, admin: down}
  - {name: a4, bridge: web, host: gw-a, interface: nowhere}
";

/// The ports of gw-a as `name state VIDs`, when these of its interfaces have no carrier, and when
/// the device of `absent` is not there.
fn states(down: &[&str], absent: &str) -> Vec<String> {
    let topology = site::parse("site.yaml", SITE).unwrap();
    let interface = |name: &str| InterfaceView {
        name: name.parse().unwrap(),
        mtu: 1500,
        mac: MacAddr::ZERO,
        link: if down.contains(&name) || name == absent { Link::Down } else { Link::Up },
    };
    let interfaces = ["eth1", "eth2", "vm1", "vm2", "vm3"].map(interface).to_vec();
    let view = HostView::new("gw-a".parse().unwrap(), interfaces);
    let compiled = compile(&topology, &view, &mut Numbering::default(), Revision(1)).unwrap();
    let is_absent =
        |id: InterfaceId| view.interface(id).is_some_and(|view| view.name.as_str() == absent);
    let text = |port: PortView| {
        let vids: Vec<_> = port.forwarding.iter().map(|vid| vid.to_string()).collect();
        format!("{} {:?} {}", port.object(), port.state, vids.join(",")).trim_end().to_owned()
    };
    local(&topology, &view, &compiled.tables, is_absent).into_iter().map(text).collect()
}

#[test]
fn each_port_of_this_host_is_there_with_what_it_does() {
    let states = states(&[], "");

    let trunks: Vec<_> = states.iter().filter(|state| state.starts_with("trunks/")).collect();
    assert_eq!(trunks.len(), 2, "ports of other hosts, and unbound ones, are not: {states:?}");
    let is = |what: &str| trunks.iter().filter(|state| state.ends_with(what)).count();
    assert_eq!((is("Forwarding 10"), is("Standby")), (1, 1), "one trunk forwards a VLAN");
    assert_eq!(
        states[..4],
        [
            "accessPorts/a1 Forwarding",
            "accessPorts/a2 AdminDown",
            "accessPorts/a3 AdminDown",
            "accessPorts/a4 Waiting"
        ]
    );
}

#[test]
fn a_trunk_takes_over_when_the_other_has_no_carrier() {
    let with_eth1_down = states(&["eth1"], "");
    assert!(with_eth1_down.contains(&"trunks/t1 LinkDown".to_owned()), "{with_eth1_down:?}");
    assert!(with_eth1_down.contains(&"trunks/t2 Forwarding 10".to_owned()), "{with_eth1_down:?}");

    let with_eth2_down = states(&["eth2"], "");
    assert!(with_eth2_down.contains(&"trunks/t1 Forwarding 10".to_owned()), "{with_eth2_down:?}");
    assert!(with_eth2_down.contains(&"trunks/t2 LinkDown".to_owned()), "{with_eth2_down:?}");
}

#[test]
fn a_port_whose_device_is_absent_waits() {
    assert_eq!(states(&[], "vm1")[0], "accessPorts/a1 Waiting");
}
