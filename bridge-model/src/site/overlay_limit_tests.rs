//! The limits of the overlay: each has an error of its own, which shows the value at fault.

use std::time::Duration;

use super::overlay_tests::{WHOLE, accepted, marked, places};
use super::*;
use crate::topology::{BfdTimers, TunnelDscp, TunnelZone};

/// One limit: what breaks it, the text that does with a mark at the place, and the error's code.
type Case<'a> = (&'a str, String, &'a str);

#[track_caller]
fn check(cases: &[Case<'_>], has_other: bool) {
    for (what, text, code) in cases {
        let (text, place) = marked(text);
        assert_eq!(places(&text), [format!("{place} {code}")], "{what}:\n{text}");
        let errors = parse("site.yaml", &text).unwrap_err();
        let error = errors.iter().next().unwrap();
        assert!(!error.help.is_empty(), "{what}");
        assert_eq!(error.other.is_some(), has_other, "{what}:\n{errors}");
    }
}

/// Hosts with endpoints of each IP version, and bridges.
const HOSTS: &str = r#"
hosts:
- {name: a, vtep: 192.0.2.1}
- {name: b, vtep: 192.0.2.2}
- {name: s, vtep: "2001:db8::3"}
- {name: d, vtep: [192.0.2.4, "2001:db8::4"]}
bridges: [{name: web, vni: 7}, {name: db, vni: 9}]
"#;

#[test]
fn any_two_hosts_of_a_zone_have_one_tunnel_and_an_ip_version_for_it() {
    let zones = |zones: &str| format!("{HOSTS}tunnelZones: [{zones}]\n");
    let overlap = "{name: y, kind: gre, hosts: [a, b]}, {name: z, kind: vxlan, hosts: §[b, d, a]}";
    let no_v6 = "{name: z, kind: gre, hosts: §[d, a], ipVersion: ipv6}";
    let cases = [
        ("two zones", zones(overlap), "zones_overlap"),
        ("no IPv6", zones(no_v6), "host_without_family"),
        ("no common", zones("{name: z, kind: gre, hosts: §[d, a, s]}"), "no_common_family"),
        ("no common", zones("{name: z, kind: gre, hosts: §[s, d, b]}"), "no_common_family"),
    ];
    check(&cases, true);
    let computed = "{name: z, kind: gre, udpChecksum: §computed}";
    let cases = [
        ("a host twice", zones("{name: z, kind: gre, hosts: §[a, a]}"), "listed_twice"),
        ("a port of UDP", zones("{name: z, kind: gre, udpPort: §4790}"), "udp_needs_vxlan"),
        ("a checksum of UDP", zones(computed), "udp_needs_vxlan"),
    ];
    check(&cases, false);
}

#[test]
fn a_tunnel_has_a_name_and_a_remote_of_its_own_that_a_host_can_talk_to() {
    let tunnels = |tunnels: &str| {
        let zone = "tunnelZones: [{name: z, kind: gre, hosts: [a, b]}]";
        format!("{HOSTS}{zone}\ntunnels: [{tunnels}]\n")
    };
    let ports = "gatewayBridges: [{name: gw}]\ntrunks: [{name: t, gatewayBridge: gw}]\n\
        accessPorts: [{name: p, bridge: web}]\n";
    let named = |name: &str| {
        format!("{ports}{}", tunnels(&format!("{{name: §{name}, zone: z, remote: 192.0.2.9}}")))
    };
    let remote = |remote: &str| tunnels(&format!("{{name: t, zone: z, remote: §{remote}}}"));
    let second = "{name: t, zone: z, remote: 192.0.2.9}, {name: u, zone: z, remote: §192.0.2.9}";
    let cases = [
        ("one tunnel to a remote", tunnels(second), "remote_taken"),
        ("the remote is no host", remote("192.0.2.4"), "vtep_taken"),
        ("nobody speaks its version", remote("\"2001:db8::9\""), "remote_unreachable"),
        ("named as a host", named("a"), "port_name_taken"),
        ("named as a trunk", named("t"), "port_name_taken"),
        ("named as an access port", named("p"), "port_name_taken"),
    ];
    check(&cases, true);
    let twice = "{name: t, zone: z, remote: 192.0.2.9, bridges: §[web, db, web]}";
    let cases = [
        ("a bridge twice", tunnels(twice), "listed_twice"),
        ("a multicast remote", remote("239.0.0.1"), "not_a_host_address"),
    ];
    check(&cases, false);
}

#[test]
fn a_static_mac_may_be_behind_a_tunnel_that_carries_its_bridge() {
    let site = |entry: &str| {
        format!(
            "{HOSTS}tunnelZones: [{{name: z, kind: gre}}]\n\
             tunnels: [{{name: t, zone: z, remote: 192.0.2.9, bridges: [web]}}]\n\
             staticMacs: [{{mac: 02:00:00:00:00:01, {entry}}}]\n"
        )
    };
    accepted(&site("bridge: web, port: t"));
    let cases = [
        ("another bridge", site("bridge: db, port: §t"), "static_elsewhere"),
        ("a VLAN", site("bridge: web, port: t, vid: §5"), "static_wrong_vid"),
    ];
    check(&cases, true);
}

#[test]
fn two_hosts_share_one_zone_but_a_host_may_be_in_many() {
    let text = format!(
        "{HOSTS}tunnelZones: [{{name: x, kind: gre, hosts: [a, b]}}, {{name: y, kind: vxlan, hosts: [a, d]}}, \
         {{name: z, kind: vxlan, hosts: [b, d], ipVersion: ipv4}}, {{name: w, kind: gre, hosts: [d, s]}}]"
    );
    accepted(&text);
}

/// A host with these underlay links, and other objects.
fn underlay(links: &str, others: &str) -> String {
    format!(
        "hosts: [{{name: a, underlay: [{links}]}}]\nbridges: [{{name: web}}, {{name: raw, transparent: true}}]\n\
         gatewayBridges: [{{name: gw}}]\n{others}\n"
    )
}

/// A trunk on an interface of that host.
fn trunk(interface: &str, rest: &str) -> String {
    format!("trunks: [{{name: t, gatewayBridge: gw, host: a, interface: {interface}{rest}}}]")
}

fn access(interface: &str, bridge: &str) -> String {
    format!("accessPorts: [{{name: p, bridge: {bridge}, host: a, interface: {interface}}}]")
}

fn lag(interface: &str) -> String {
    format!("lags: [{{name: l, members: [{{host: a, interface: {interface}}}]}}]")
}

#[test]
fn an_underlay_link_has_its_frames_for_itself() {
    let untagged = |others: String| underlay("{interface: §up0, addresses: 192.0.2.1/24}", &others);
    let vlan =
        |others: String| underlay("{interface: up0, vlan: §40, addresses: 192.0.2.1/24}", &others);
    let linked = "\nvlanLinks: [{gatewayBridge: gw, vid: 40, bridge: web}]";
    let linked = trunk("up0", "") + linked;
    let cases = [
        ("an access port", untagged(access("up0", "web")), "underlay_untagged_taken"),
        ("a native VLAN", untagged(trunk("up0", ", native: 5")), "underlay_untagged_taken"),
        ("a lag", untagged(lag("up0")), "underlay_untagged_taken"),
        ("a VLAN of a lag", vlan(lag("up0")), "underlay_vlan_taken"),
        ("allowed", vlan(trunk("up0", ", allowed: [\"30-50\"]")), "underlay_vlan_taken"),
        ("linked", vlan(linked), "underlay_vlan_taken"),
        ("native, tagged", vlan(trunk("up0", ", native: 40")), "underlay_vlan_taken"),
        ("tags that are payload", vlan(access("up0", "raw")), "underlay_vlan_taken"),
        ("service tags", vlan(trunk("up0", ", tpid: 0x88a8")), "underlay_tpid"),
    ];
    check(&cases, true);
    let twice = "{interface: up0, vlan: 40, addresses: 192.0.2.1/24}, {interface: §up0, vlan: 40, addresses: 198.51.100.1/24}";
    let untagged_twice =
        "{interface: up0, addresses: 192.0.2.1/24}, {interface: §up0, addresses: 198.51.100.1/24}";
    let bare = "{interface: up0, addresses: §[]}";
    let cases = [
        ("a link twice", underlay(twice, ""), "underlay_twice"),
        ("an untagged link twice", underlay(untagged_twice, ""), "underlay_twice"),
        ("a link without address", underlay(bare, ""), "underlay_without_address"),
    ];
    check(&cases, false);
}

#[test]
fn an_interface_to_the_kernel_serves_one_link_and_carries_nothing_else() {
    let kernel = |others: String| {
        underlay("{interface: up0, addresses: 192.0.2.1/24, kernel: §tap0}", &others)
    };
    let cases = [
        ("an access port", kernel(access("tap0", "web")), "kernel_taken"),
        ("a trunk", kernel(trunk("tap0", "")), "kernel_taken"),
        ("a lag", kernel(lag("tap0")), "kernel_taken"),
    ];
    check(&cases, true);
    let two = "{interface: up0, addresses: 192.0.2.1/24, kernel: tap0}, {interface: up1, addresses: 198.51.100.1/24, kernel: §tap0}";
    let other = "{interface: up0, addresses: 192.0.2.1/24, kernel: §up1}, {interface: up1, addresses: 198.51.100.1/24}";
    let own = "{interface: up0, addresses: 192.0.2.1/24, kernel: §up0}";
    let cases = [
        ("two links", underlay(two, ""), "kernel_taken"),
        ("another link", underlay(other, ""), "kernel_taken"),
        ("the link itself", underlay(own, ""), "kernel_taken"),
    ];
    check(&cases, false);
}

#[test]
fn one_card_carries_the_underlay_a_trunk_and_further_vlans_at_once() {
    accepted(
        "hosts: [{name: a, vtep: 192.0.2.1, underlay: [{interface: up0, addresses: [192.0.2.1/24]}, \
         {interface: up0, vlan: 40, addresses: [198.51.100.1/24]}]}, \
         {name: b, underlay: [{interface: up0, vlan: 10, addresses: [192.0.2.2/24]}]}]\n\
         bridges: [{name: web}]\ngatewayBridges: [{name: gw}]\n\
         trunks: [{name: t, gatewayBridge: gw, host: a, interface: up0}]\n\
         vlanLinks: [{gatewayBridge: gw, vid: 10, bridge: web}]\n\
         # An access port takes what is untagged, and leaves VLANs to the underlay.\n\
         accessPorts: [{name: p, bridge: web, host: b, interface: up0}]",
    );
    // A trunk with service tags leaves what is untagged.
    accepted(
        "hosts: [{name: a, underlay: [{interface: up0, addresses: [192.0.2.1/24]}]}]\n\
         gatewayBridges: [{name: gw}]\n\
         trunks: [{name: t, gatewayBridge: gw, host: a, interface: up0, tpid: 0x88a8}]",
    );
}

#[test]
fn an_address_is_that_of_one_machine() {
    let hosts = |hosts: &str| format!("hosts: [{hosts}]\n");
    let on_link = "underlay: [{interface: up0, addresses: 192.0.2.1/24}]";
    let here = "underlay: [{interface: up0, addresses: §192.0.2.1/25}]";
    let both = hosts(&format!("{{name: a, {on_link}}}, {{name: b, {here}}}"));
    let endpoint = hosts(&format!("{{name: a, vtep: 192.0.2.1}}, {{name: b, {here}}}"));
    let endpoint_later = hosts(&format!("{{name: a, {here}}}, {{name: b, vtep: 192.0.2.1}}"));
    let endpoints = "{name: a, vtep: 192.0.2.1}, {name: b, vtep: §[\"2001:db8::1\", 192.0.2.1]}";
    let remote = hosts(&format!("{{name: a, {on_link}}}"))
        + "tunnelZones: [{name: z, kind: gre}]\ntunnels: [{name: t, zone: z, remote: §192.0.2.1}]";
    let cases = [
        ("two links", both, "address_taken"),
        ("a link and an endpoint", endpoint, "address_taken"),
        ("a link and an endpoint, the other way round", endpoint_later, "address_taken"),
        ("two endpoints", hosts(endpoints), "vtep_taken"),
        ("a link and a remote", remote, "address_taken"),
    ];
    check(&cases, true);
    let own = "{interface: up0, addresses: 192.0.2.1/24}, {interface: up1, addresses: §[\"2001:db8::1/64\", 192.0.2.1/24]}";
    let link_local = hosts("{name: a, vtep: §fe80::1}");
    let cases = [
        ("two links of one host", underlay(own, ""), "address_taken"),
        ("an endpoint", link_local, "not_a_host_address"),
    ];
    check(&cases, false);
}

#[test]
fn an_address_that_is_not_that_of_a_machine_is_refused() {
    let link =
        |address: &str| underlay(&format!("{{interface: up0, addresses: §\"{address}\"}}"), "");
    for bad in [
        "0.0.0.0/0",
        "0.1.2.3/8",
        "127.0.0.1/8",
        "224.0.0.5/24",
        "255.255.255.255/32",
        "192.0.2.0/24",
        "192.0.2.255/24",
        "192.0.2.4/30",
        "192.0.2.7/30",
        "::/0",
        "::1/128",
        "ff02::1/64",
        "fe80::1/64",
        "2001:db8::/64",
        "::ffff:192.0.2.1/128",
    ] {
        check(&[(bad, link(bad), "not_a_host_address")], false);
    }
    for good in [
        "192.0.2.4/31",
        "192.0.2.5/31",
        "192.0.2.4/32",
        "192.0.2.5/30",
        "192.0.3.0/23",
        "192.0.2.255/23",
        "10.0.0.1/0",
        "2001:db8::/127",
        "2001:db8::1/127",
        "2001:db8::/128",
        "2001:db8::1/126",
        "2001:db8::ffff:ffff:ffff:ffff/64",
    ] {
        accepted(&marked(&link(good)).0);
    }
}

#[test]
fn every_next_hop_can_be_reached() {
    let routes = |routes: &str| {
        format!(
            "hosts: [{{name: a, vtep: 203.0.113.1, \
             underlay: [{{interface: up0, addresses: [192.0.2.1/24, \"2001:db8::1/64\"]}}],\n \
             routes: [{routes}]}}]\n"
        )
    };
    let via = |via: &str| routes(&format!("{{to: 0.0.0.0/0, via: §{via}}}"));
    let hops = |count: u8| {
        let hops: Vec<String> = (2..count + 2).map(|last| format!("192.0.2.{last}")).collect();
        format!("[{}]", hops.join(", "))
    };
    let second = "{to: 0.0.0.0/0, via: 192.0.2.9}, {to: §0.0.0.0/0, via: 192.0.2.8}";
    let elsewhere = "{to: \"::/0\", via: §\"2001:db8:0:1::9\"}";
    let cases = [
        ("two routes to one prefix", routes(second), "route_twice"),
        ("no next hop", via("[]"), "next_hop_count"),
        ("nine next hops", via(&hops(9)), "next_hop_count"),
        ("a next hop twice", via("[192.0.2.2, 192.0.2.2]"), "listed_twice"),
        ("the other IP version", via("\"2001:db8::9\""), "next_hop_family"),
        ("no link leads there", routes(elsewhere), "next_hop_off_link"),
        ("ourselves", via("192.0.2.1"), "next_hop_own"),
        ("our endpoint", via("203.0.113.1"), "next_hop_own"),
        ("a group", via("224.0.0.1"), "not_a_host_address"),
    ];
    check(&cases, false);
    accepted(&routes(&format!(
        "{{to: 0.0.0.0/0, via: {}}}, {{to: \"::/0\", via: \"2001:db8::9\"}}, \
         {{to: 192.0.2.9/32, via: 192.0.2.2}}",
        hops(8)
    )));
}

#[test]
fn an_error_of_the_underlay_shows_the_value_the_other_object_and_the_remedy() {
    let text = "\
hosts:
- name: gw-a
  underlay:
  - {interface: up0, addresses: [192.0.2.1/24]}
  - interface: up0
    vlan: 40
    addresses: [198.51.100.1/24]
gatewayBridges: [{name: gw}]
trunks:
- {name: t, gatewayBridge: gw, host: gw-a, interface: up0, allowed: [40]}
";
    let expected = "\
site.yaml:6:11: hosts/gw-a: VLAN 40 of gw-a/up0 already belongs to trunks/t [underlay_vlan_taken]
6 |     vlan: 40
  |           ^^
10 | - {name: t, gatewayBridge: gw, host: gw-a, interface: up0, allowed: [40]}
   |    ^^^^ trunks/t stands here
  help: choose another `vlan` for the underlay, or take VLAN 40 from trunks/t
";
    assert_eq!(parse("site.yaml", text).unwrap_err().to_string(), expected);
}

fn dc(site: &mut Topology) -> &mut TunnelZone {
    site.tunnel_zones.get_mut("dc").unwrap()
}

#[test]
fn a_program_is_refused_what_a_site_file_cannot_say() {
    let site = accepted(WHOLE);
    let errors = |change: fn(&mut Topology)| {
        let mut site = site.clone();
        change(&mut site);
        let errors = site.check().unwrap_err();
        errors
            .iter()
            .map(|e| format!("{} {} {}", e.object(), e.field(), e.code()))
            .collect::<Vec<_>>()
    };
    assert_eq!(errors(|s| dc(s).udp_port = 3784), ["tunnelZones/dc udpPort out_of_range"]);
    assert_eq!(errors(|s| dc(s).udp_port = 0), ["tunnelZones/dc udpPort out_of_range"]);
    let out = ["tunnelZones/dc dscp out_of_range"];
    assert_eq!(errors(|s| dc(s).dscp = TunnelDscp::Fixed(64)), out);
    let out = ["tunnelZones/dc bfd out_of_range"];
    for interval in [9_999_999, 60_001_000_000, 100_500_000] {
        let bfd = BfdTimers { interval: Duration::from_nanos(interval), multiplier: 3 };
        assert!(!bfd.is_in_range(), "{interval}");
    }
    assert_eq!(
        errors(|s| dc(s).bfd = Some(BfdTimers { multiplier: 0, ..Default::default() })),
        out
    );
    assert_eq!(
        errors(|s| {
            let bfd = BfdTimers { interval: Duration::ZERO, multiplier: 3 };
            s.tunnels.get_mut("far").unwrap().bfd = Some(bfd);
        }),
        ["tunnels/far bfd out_of_range"]
    );
    assert_eq!(
        errors(|s| {
            let route = &mut s.hosts.get_mut("gw-a").unwrap().routes[1];
            route.to = "2001:db8:1::1/48".parse().unwrap();
        }),
        ["hosts/gw-a routes out_of_range"]
    );
}
