//! What a site file may say of the overlay, and what is said about one that is wrong.

use std::time::Duration;

use super::*;
use crate::topology::{
    BfdTimers, IpFamily, MssClamp, NeighborSuppression, TunnelDscp, TunnelKind, TunnelZone,
    UdpChecksum, Vtep,
};
use crate::types::Name;

/// Every key of the overlay at a value other than its default.
pub(super) const WHOLE: &str = r#"
hosts:
- name: gw-a
  vtep: [192.0.2.1, "2001:db8::1"]
  underlay:
  - {interface: up0, addresses: [192.0.2.1/24, "2001:db8::1/64"]}
  - {interface: up0, vlan: 40, addresses: 198.51.100.1/31, kernel: tap0}
  - {interface: eth1, vlan: 41, addresses: [203.0.113.1/32]}
  routes:
  - {to: 0.0.0.0/0, via: [192.0.2.254, 192.0.2.253]}
  - {to: "2001:db8:1::/48", via: "2001:db8::fe"}
- {name: gw-b, vtep: 192.0.2.2}
- {name: cn-1, vtep: "2001:db8:1::3"}
bridges:
- {name: web, vni: 5001, neighborSuppression: true, mssClamp: true}
gatewayBridges: [{name: gw}]
trunks: [{name: t, gatewayBridge: gw, host: gw-a, interface: eth1, allowed: [10]}]
accessPorts:
- {name: p, bridge: web, host: cn-1, interface: vm1}
- {name: q, bridge: web, host: gw-a, interface: eth1}
staticMacs:
- {bridge: web, mac: 02:00:00:00:00:01, port: far}
- {bridge: web, mac: 02:00:00:00:00:02, port: p}
tunnelZones:
- name: dc
  kind: vxlan
  hosts: [gw-a, gw-b]
  ipVersion: ipv4
  udpChecksum: zero
  udpPort: 8472
  dscp: copy
  bfd: {interval: 1s, multiplier: 5}
- {name: six, kind: gre, hosts: [gw-a, cn-1], dscp: 46, bfd: off}
tunnels:
- {name: far, zone: dc, remote: 192.0.2.9, bridges: [web], bfd: {interval: 250ms}}
- {name: further, zone: six, remote: "2001:db8::9", bfd: {}}
"#;

pub(super) fn accepted(text: &str) -> Topology {
    parse("site.yaml", text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The errors of `text`, each as `line:column code`.
pub(super) fn places(text: &str) -> Vec<String> {
    let errors = parse("site.yaml", text).map_err(|errors| {
        errors.iter().map(|e| format!("{}:{} {}", e.line, e.column, e.code)).collect()
    });
    errors.err().unwrap_or_default()
}

#[test]
fn every_key_of_the_overlay_is_read_and_survives_a_round_trip() {
    let site = accepted(WHOLE);
    let yaml = to_yaml(&site);
    assert_eq!(accepted(&yaml), site, "{yaml}");

    let host = &site.hosts["gw-a"];
    let both = Vtep { v4: "192.0.2.1".parse().ok(), v6: "2001:db8::1".parse().ok() };
    assert_eq!(host.vtep, both);
    assert_eq!(host.underlay[0].vlan, None);
    assert_eq!(host.underlay[0].addresses.len(), 2);
    assert_eq!(host.underlay[1].label(), "up0:40");
    assert_eq!(host.underlay[1].kernel.as_ref().map(Name::as_str), Some("tap0"));
    assert_eq!(host.routes[0].via.len(), 2);
    assert_eq!(host.routes[1].to.to_string(), "2001:db8:1::/48");
    let web = &site.bridges["web"];
    assert_eq!(web.neighbor_suppression, NeighborSuppression::On);
    assert_eq!(web.mss_clamp, MssClamp::On);
    let dc = &site.tunnel_zones["dc"];
    assert_eq!(dc.family, Some(IpFamily::V4));
    assert_eq!((dc.udp_checksum, dc.udp_port), (UdpChecksum::Zero, 8472));
    assert_eq!(dc.dscp, TunnelDscp::Copy);
    assert_eq!(dc.bfd, Some(BfdTimers { interval: Duration::from_secs(1), multiplier: 5 }));
    let six = &site.tunnel_zones["six"];
    assert_eq!((six.kind, six.dscp, six.bfd), (TunnelKind::Gre, TunnelDscp::Fixed(46), None));
    let timers = BfdTimers { interval: Duration::from_millis(250), multiplier: 3 };
    assert_eq!(site.tunnels["far"].bfd, Some(timers));
    assert_eq!(site.tunnels["further"].bfd, Some(BfdTimers::default()));
}

#[test]
fn what_is_left_out_has_the_documented_default_and_is_not_written() {
    let text = "hosts: [{name: a, vtep: 192.0.2.1}]\nbridges: [{name: b, vni: 1}]\n\
        tunnelZones: [{name: z, kind: vxlan, hosts: [a]}]\n\
        tunnels: [{name: t, zone: z, remote: 192.0.2.9}]\n";
    let site = accepted(text);

    let zone = &site.tunnel_zones["z"];
    let hosts = vec!["a".parse().unwrap()];
    let default = TunnelZone::new("z".parse().unwrap(), TunnelKind::Vxlan);
    assert_eq!(*zone, TunnelZone { hosts, ..default });
    assert_eq!((zone.udp_port, zone.dscp), (4789, TunnelDscp::Fixed(0)));
    let timers = BfdTimers { interval: Duration::from_millis(100), multiplier: 3 };
    assert_eq!(zone.bfd, Some(timers));
    assert_eq!(site.tunnels["t"].bfd, None);
    assert!(!site.bridges["b"].neighbor_suppression.is_on());
    let yaml = to_yaml(&site);
    for key in ["underlay", "routes", "ipVersion", "udp", "dscp", "bfd", "Suppression", "mss"] {
        assert!(!yaml.contains(key), "{key} in {yaml}");
    }
    // The same, said.
    let said = accepted(&text.replace(
        "hosts: [a]}",
        "hosts: [a], ipVersion: auto, udpChecksum: auto, udpPort: 4789, dscp: 0, bfd: {interval: 100ms, multiplier: 3}}",
    ));
    assert_eq!(said, site);
}

#[test]
fn off_is_off_whatever_the_writer_of_the_yaml_makes_of_it() {
    let zone = |bfd: &str| {
        accepted(&format!("tunnelZones: [{{name: z, kind: gre, bfd: {bfd}}}]")).tunnel_zones["z"]
            .bfd
    };
    for off in ["off", "\"off\"", "false"] {
        assert_eq!(zone(off), None, "{off}");
    }
    assert_eq!(zone("{interval: 10ms, multiplier: 255}").unwrap().multiplier, 255);
    assert_eq!(zone("{interval: 1m}").unwrap().interval, BfdTimers::MAX_INTERVAL);
}

/// `text` without its mark `§`, and the place that it marks.
pub(super) fn marked(text: &str) -> (String, String) {
    let (before, after) = text.split_once('§').unwrap_or_else(|| panic!("no mark in {text}"));
    let line = before.lines().count();
    let column = before.lines().last().unwrap_or_default().chars().count() + 1;
    (format!("{before}{after}"), format!("{line}:{column}"))
}

#[test]
fn bad_values_are_named_where_they_stand() {
    let host = |rest: &str| format!("hosts: [{{name: a, {rest}}}]");
    let zone = |rest: &str| format!("tunnelZones: [{{name: z, kind: vxlan, {rest}}}]");
    let table = [
        (host("vtep: [192.0.2.1, §192.0.2.2]"), "value"),
        (host("vtep: [\"2001:db8::1\", §\"2001:db8::1\"]"), "value"),
        (host("vtep: §{v4: 192.0.2.1}"), "value"),
        (host("vtep: §192.0.2.1/24"), "value"),
        (host("underlay: §up0"), "value"),
        (host("underlay: [§up0]"), "value"),
        (host("underlay: [{§addresses: [192.0.2.1/24]}]"), "missing_key"),
        (host("underlay: [{§interface: up0}]"), "missing_key"),
        (host("underlay: [{interface: up0, addresses: [§192.0.2.1]}]"), "value"),
        (host("underlay: [{interface: up0, addresses: [§192.0.2.1/33]}]"), "value"),
        (host("underlay: [{interface: up0, vlan: §4095, addresses: [192.0.2.1/24]}]"), "value"),
        (host("underlay: [{interface: up0, kernel: §a/b, addresses: [192.0.2.1/24]}]"), "value"),
        (
            host("underlay: [{interface: up0, addresses: [192.0.2.1/24], §mtu: 9000}]"),
            "unknown_key",
        ),
        (host("routes: [{to: §192.0.2.1/24, via: 192.0.2.9}]"), "value"),
        (host("routes: [{to: §default, via: 192.0.2.9}]"), "value"),
        (host("routes: [{§to: 0.0.0.0/0}]"), "missing_key"),
        (host("routes: [{to: 0.0.0.0/0, via: [§gw]}]"), "value"),
        ("bridges: [{name: a, mssClamp: §1400}]".to_owned(), "value"),
        ("bridges: [{name: a, neighborSuppression: §on}]".to_owned(), "value"),
        (zone("ipVersion: §4"), "value"),
        (zone("ipVersion: §ipv5"), "value"),
        (zone("udpChecksum: §on"), "value"),
        (zone("udpPort: §0"), "value"),
        (zone("udpPort: §65536"), "value"),
        (zone("udpPort: §3784"), "value"),
        (zone("udpPort: §4784"), "value"),
        (zone("dscp: §64"), "value"),
        (zone("dscp: §copied"), "value"),
        (zone("bfd: §on"), "value"),
        (zone("bfd: {interval: §9ms}"), "value"),
        (zone("bfd: {interval: §61s}"), "value"),
        (zone("bfd: {interval: §100}"), "value"),
        (zone("bfd: {interval: §0.1s}"), "value"),
        (zone("bfd: {multiplier: §0}"), "value"),
        (zone("bfd: {multiplier: §256}"), "value"),
        (zone("bfd: {§intervall: 1s}"), "unknown_key"),
        ("tunnelZones: [{name: z, kind: §stt}]".to_owned(), "value"),
        ("tunnelZones: [{§name: z}]".to_owned(), "missing_key"),
    ];
    for (text, code) in table {
        let (text, place) = marked(&text);
        assert_eq!(places(&text), [format!("{place} {code}")], "{text}");
    }
}

#[test]
fn the_edges_of_every_range_are_accepted() {
    accepted(
        "tunnelZones: [{name: y, kind: vxlan, udpPort: 1, dscp: 63, bfd: {interval: 10ms, multiplier: 1}}, \
         {name: z, kind: vxlan, udpPort: 65535, dscp: 0, bfd: {interval: 60s, multiplier: 255}}]",
    );
}

#[test]
fn a_value_that_cannot_be_read_raises_no_errors_about_what_depends_on_it() {
    // The route is right if the link is; the tunnel is right if the zone is.
    let text = "\
hosts:
- {name: a, vtep: 192.0.2, underlay: [{interface: up0, addresses: [192.0.2.1/64]}], routes: [{to: 0.0.0.0/0, via: 192.0.2.254}]}
tunnelZones: [{name: z, kind: vxlan, hosts: [a], dscp: 99}]
tunnels: [{name: t, zone: z, remote: 192.0.2.9}]
";
    assert_eq!(places(text), ["2:19 value", "2:68 value", "3:56 value"]);
}

#[test]
fn a_difference_shows_the_underlay_old_and_new() {
    let old =
        accepted("hosts: [{name: a}]\ntunnelZones: [{name: z, kind: gre}]\nbridges: [{name: web}]");
    let new = accepted(
        "hosts: [{name: a, vtep: [192.0.2.1, \"2001:db8::1\"], underlay: [{interface: up0, vlan: 40, addresses: [192.0.2.1/24]}], \
         routes: [{to: 0.0.0.0/0, via: 192.0.2.254}]}]\n\
         tunnelZones: [{name: z, kind: gre, bfd: off, dscp: copy}]\nbridges: [{name: web, mssClamp: true}]",
    );
    let shown: Vec<String> = old.diff(&new).iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "~ hosts/a   vtep none -> [\"192.0.2.1\", \"2001:db8::1\"], \
             underlay [] -> [{interface: up0, vlan: 40, addresses: [\"192.0.2.1/24\"]}], \
             routes [] -> [{to: \"0.0.0.0/0\", via: [\"192.0.2.254\"]}]",
            "~ bridges/web   mssClamp false -> true",
            "~ tunnelZones/z   dscp 0 -> copy, bfd {interval: 100ms, multiplier: 3} -> off",
        ]
    );
}
