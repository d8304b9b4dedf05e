use bridge_model::site::parse;

use super::*;

const SOUND: &str = "
hosts: [{name: gw-a}]
bridges: [{name: web}]
gatewayBridges: [{name: gw}]
trunks: [{name: trunk0, gatewayBridge: gw, host: gw-a, interface: eth1}]
vlanLinks: [{gatewayBridge: gw, vid: 10, bridge: web}]
accessPorts: [{name: p1, bridge: web, host: gw-a, interface: vm1}]
";

fn objects(document: &str) -> Vec<String> {
    problems(&parse("test", document).unwrap()).into_iter().map(|advice| advice.object).collect()
}

#[test]
fn a_site_that_carries_frames_has_no_problem() {
    assert!(objects(SOUND).is_empty());
    assert!(objects("").is_empty());
}

#[test]
fn each_thing_that_carries_no_frame_is_named() {
    for (from, to, object) in [
        (", host: gw-a, interface: eth1", "", "trunks/trunk0"),
        (", host: gw-a, interface: vm1", "", "accessPorts/p1"),
        ("interface: eth1", "interface: eth1, allowed: [20]", "vlanLinks/gw/10"),
        ("{name: gw}", "{name: gw}, {name: idle}", "gatewayBridges/idle"),
        ("{name: web}", "{name: web}, {name: idle}", "bridges/idle"),
    ] {
        let document = SOUND.replacen(from, to, 1);
        assert_ne!(document, SOUND);
        assert_eq!(objects(&document), [object], "{document}");
    }
}

#[test]
fn what_this_release_refuses_is_named_before_apply_does() {
    let document = SOUND
        .replace("{name: gw}", "{name: gw, mode: mlag}")
        .replace("host: gw-a, interface: eth1", "lag: bond0")
        + "lags: [{name: bond0, members: [{host: gw-a, interface: eth1}]}]";

    assert_eq!(objects(&document), ["gatewayBridges/gw", "trunks/trunk0"]);
}

#[test]
fn a_bridge_with_one_way_in_has_none_out() {
    let document =
        SOUND.replace("accessPorts: [{name: p1, bridge: web, host: gw-a, interface: vm1}]", "");

    assert_eq!(objects(&document), ["bridges/web"]);
}

const OVERLAY: &str = "
hosts:
- {name: gw-a, vtep: 192.0.2.1, underlay: [{interface: up0, addresses: 192.0.2.1/24}]}
- {name: cn-1, vtep: 192.0.2.2, underlay: [{interface: up0, addresses: 192.0.2.2/24}]}
bridges: [{name: web, vni: 7}]
gatewayBridges: [{name: gw}]
trunks: [{name: trunk0, gatewayBridge: gw, host: gw-a, interface: eth1}]
vlanLinks: [{gatewayBridge: gw, vid: 10, bridge: web}]
accessPorts: [{name: p1, bridge: web, host: cn-1, interface: vm1}]
tunnelZones: [{name: dc, kind: vxlan, hosts: [gw-a, cn-1]}]
tunnels: [{name: far, zone: dc, remote: 192.0.2.9, bridges: [web]}]
";

#[test]
fn an_overlay_that_joins_its_hosts_has_no_problem() {
    assert!(objects(OVERLAY).is_empty());
    // One port and a foreign endpoint are two ways, too.
    let document = OVERLAY
        .replace("accessPorts: [{name: p1, bridge: web, host: cn-1, interface: vm1}]", "")
        .replace("[gw-a, cn-1]", "[gw-a]");
    assert_eq!(objects(&document), [""; 0]);
}

#[test]
fn each_thing_that_keeps_hosts_apart_is_named() {
    for (from, to, expected) in [
        ("[gw-a, cn-1]", "[gw-a]", &["bridges/web"][..]),
        ("underlay: [{interface: up0, addresses: 192.0.2.2/24}]", "", &["hosts/cn-1"]),
        ("bridges: [web]", "bridges: []", &["tunnels/far"]),
        ("[gw-a, cn-1]", "[]", &["bridges/web", "tunnelZones/dc"]),
    ] {
        let document = OVERLAY.replacen(from, to, 1);
        assert_ne!(document, OVERLAY);
        assert_eq!(objects(&document), expected, "{document}");
    }
    let without =
        OVERLAY.replace("tunnels: [{name: far, zone: dc, remote: 192.0.2.9, bridges: [web]}]", "");
    assert!(objects(&without).is_empty());
    assert_eq!(objects(&without.replace("web, vni: 7", "web")), ["bridges/web"]);
    let alone = without.replace("[gw-a, cn-1]", "[gw-a]");
    assert_eq!(objects(&alone), ["bridges/web", "tunnelZones/dc"]);
}
