//! What a site file may say, and what is said about one that is wrong.

use super::*;

/// The whole schema of the design, every key at a value other than its default.
const WHOLE: &str = r#"
hosts:
- {name: gw-a, vtep: 192.0.2.1}
- {name: gw-b, vtep: ["2001:db8::2", 192.0.2.2]}
bridges:
- {name: web, vni: 5001, ageing: 5m, macLimit: 1000, macLimitPolicy: drop, admin: down}
- name: db
  vni: 0x138a
- {name: raw, transparent: true}
gatewayBridges:
- name: gw
  mode: stp-transparent
  transit: true
  reserved: [{address: "01:80:c2:00:00:21", action: pass}, {address: 01-80-C2-00-00-03, action: drop}]
- {name: gl, admin: down}
lags:
- {name: bond0, members: [{host: gw-a, interface: eth8}, {host: gw-b, interface: eth8}]}
trunks:
- name: trunk0
  gatewayBridge: gw
  host: gw-a
  interface: eth1
  allowed: [10, "20-30", 4094]
  native: 20
  tpid: 0x88a8
  macLimit: 7
  stormControl: {broadcast: 1000, multicast: {framesPerSecond: 5000, burst: 500}, unknownUnicast: 9, perVlan: {broadcast: 100}}
- {name: trunk1, gatewayBridge: gl, lag: bond0, admin: down}
- {name: trunk2, gatewayBridge: gl}
vlanLinks:
- {gatewayBridge: gw, vid: 10, bridge: web}
- {gatewayBridge: gw, vid: 20, bridge: web, join: true}
- {gatewayBridge: gw, vid: 30, innerVid: 7, bridge: db}
accessPorts:
- {name: p1, bridge: web, host: gw-a, interface: vm1, admin: down, macLimit: 3, macLimitPolicy: drop, stormControl: {broadcast: 5}}
- {name: p2, bridge: raw}
staticMacs:
- {bridge: web, mac: "52:54:00:00:00:01", port: p1}
- {bridge: web, mac: "52:54:00:00:00:02", port: trunk0, vid: 10}
- {bridge: db, mac: 52:54:00:00:00:03, port: trunk0, vid: 30, innerVid: 7}
- {bridge: raw, mac: 52:54:00:00:00:03, port: p2, payloadVid: 99}
tunnelZones:
- {name: z, kind: vxlan, hosts: [gw-a, gw-b]}
tunnels:
- {name: far, zone: z, remote: 192.0.2.77, bridges: [web, db]}
"#;

/// The errors of `text`, each as `line:column code`.
fn places(text: &str) -> Vec<String> {
    match parse("site.yaml", text) {
        Ok(_) => Vec::new(),
        Err(errors) => {
            errors.iter().map(|e| format!("{}:{} {}", e.line, e.column, e.code)).collect()
        }
    }
}

fn accepted(text: &str) -> Topology {
    parse("site.yaml", text).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn the_whole_schema_is_read_and_survives_a_round_trip() {
    let topology = accepted(WHOLE);
    assert_eq!(topology.objects().count(), 22);
    let yaml = to_yaml(&topology);
    assert_eq!(accepted(&yaml), topology, "{yaml}");
    let trunk = &topology.trunks["trunk0"];
    assert_eq!(trunk.allowed.as_ref().unwrap().to_string(), "10,20-30,4094");
    assert_eq!(trunk.storm_control.port.broadcast.unwrap().burst, 100);
    assert_eq!(topology.bridges["db"].vni.unwrap().get(), 5002);
}

#[test]
fn json_is_read_as_yaml() {
    let json = r#"{"bridges": [{"name": "web", "vni": 5001}], "hosts": [{"name": "a"}],
        "accessPorts": [{"name": "p", "bridge": "web", "host": "a", "interface": "eth0"}]}"#;
    assert_eq!(accepted(json).objects().count(), 3);
}

#[test]
fn an_empty_site_is_a_site() {
    for text in ["", "{}", "# nothing yet\n", "bridges:\n", "bridges: []\n"] {
        assert_eq!(accepted(text), Topology::default(), "{text:?}");
    }
    assert_eq!(to_yaml(&Topology::default()), "{}\n");
}

#[test]
fn names_that_look_like_something_else_stay_names() {
    let topology = accepted("bridges: [{name: 0010}, {name: true}, {name: \"null\"}, {name: 1e3}]");
    let names: Vec<&str> = topology.bridges.keys().map(crate::types::Name::as_str).collect();
    assert_eq!(names, ["0010", "1e3", "null", "true"]);
    assert_eq!(accepted(&to_yaml(&topology)), topology);
}

#[test]
fn every_error_is_found_at_once_and_in_order() {
    let text = "\
bridges:
- {name: web, vni: 0, ageing: 300}
- {name: db, agieng: 300s}
- {nam: x}
colour: red
vlanLinks:
- {gatewayBridge: gw, vid: 4095, bridge: web}
- {gatewayBridge: nowhere, vid: 1, bridge: web}
";
    let expected = [
        "2:20 value",
        "2:31 value",
        "3:14 unknown_key",
        "4:4 missing_key",
        "4:4 unknown_key",
        "5:1 unknown_key",
        "7:28 value",
        "8:19 missing_reference",
    ];
    assert_eq!(places(text), expected);
}

#[test]
fn each_limit_names_the_place_and_the_other_object() {
    let site = |more: &str| {
        format!(
            "hosts: [{{name: a, vtep: 192.0.2.1}}, {{name: b}}]\n\
             bridges: [{{name: web, vni: 7}}, {{name: db}}, {{name: raw, transparent: true}}]\n\
             gatewayBridges: [{{name: gw}}, {{name: ml, mode: mlag}}, {{name: st, mode: stp-transparent}}]\n\
             lags: [{{name: bond0, members: [{{host: a, interface: m0}}]}}]\n{more}\n"
        )
    };
    let trunk = "{name: t, gatewayBridge: gw, host: a, interface: e}";
    let table: &[(&str, String, &str)] = &[
        ("one VLAN link per VID", "vlanLinks: [{gatewayBridge: gw, vid: 5, bridge: web}, {gatewayBridge: gw, vid: 5, bridge: db}]".into(), "duplicate"),
        ("one link per bridge and segment", "vlanLinks: [{gatewayBridge: gw, vid: 5, bridge: web}, {gatewayBridge: gw, vid: 6, bridge: web}]".into(), "join_needed"),
        ("a VLAN as a whole or by pairs", "vlanLinks: [{gatewayBridge: gw, vid: 5, bridge: web}, {gatewayBridge: gw, vid: 5, innerVid: 1, bridge: db}]".into(), "vlan_taken"),
        ("no link to a transparent bridge", "vlanLinks: [{gatewayBridge: gw, vid: 5, bridge: raw}]".into(), "transparent_link"),
        ("one trunk per interface", format!("trunks: [{trunk}, {{name: u, gatewayBridge: gw, host: a, interface: e}}]"), "interface_taken"),
        ("one access port per interface", "accessPorts: [{name: p, bridge: web, host: a, interface: e}, {name: q, bridge: db, host: a, interface: e}]".into(), "interface_taken"),
        ("a lag member carries nothing else", "accessPorts: [{name: p, bridge: web, host: a, interface: m0}]".into(), "interface_taken"),
        ("native and access exclude each other", "trunks: [{name: t, gatewayBridge: gw, host: a, interface: e, native: 5}]\naccessPorts: [{name: p, bridge: web, host: a, interface: e}]".into(), "untagged_taken"),
        ("native is allowed", "trunks: [{name: t, gatewayBridge: gw, allowed: [6], native: 5}]".into(), "native_not_allowed"),
        ("an unknown host", "trunks: [{name: t, gatewayBridge: gw, host: zz, interface: e}]".into(), "missing_reference"),
        ("one trunk per lag", "trunks: [{name: t, gatewayBridge: ml, lag: bond0}, {name: u, gatewayBridge: ml, lag: bond0}]".into(), "lag_taken"),
        ("mlag needs a lag", "trunks: [{name: t, gatewayBridge: ml, host: a, interface: e}]".into(), "mlag_needs_lag"),
        ("ports share one space of names", format!("trunks: [{trunk}]\naccessPorts: [{{name: t, bridge: web}}]"), "port_name_taken"),
        ("a static MAC on a port of another bridge", "accessPorts: [{name: p, bridge: web}]\nstaticMacs: [{bridge: db, mac: 02:00:00:00:00:01, port: p}]".into(), "static_elsewhere"),
        ("a static MAC on a trunk without VID", format!("trunks: [{trunk}]\nvlanLinks: [{{gatewayBridge: gw, vid: 5, bridge: web}}]\nstaticMacs: [{{bridge: web, mac: 02:00:00:00:00:01, port: t}}]"), "static_needs_vid"),
        ("a static MAC on a VID of another bridge", format!("trunks: [{trunk}]\nvlanLinks: [{{gatewayBridge: gw, vid: 5, bridge: web}}, {{gatewayBridge: gw, vid: 6, bridge: db}}]\nstaticMacs: [{{bridge: web, mac: 02:00:00:00:00:01, port: t, vid: 6}}]"), "static_wrong_vid"),
        ("a payload VID needs a transparent bridge", "accessPorts: [{name: p, bridge: web}]\nstaticMacs: [{bridge: web, mac: 02:00:00:00:00:01, port: p, payloadVid: 6}]".into(), "no_payload_vid"),
        ("a tunnel zone's hosts have a VTEP", "tunnelZones: [{name: z, kind: gre, hosts: [b]}]".into(), "host_without_vtep"),
        ("a tunnel's bridges have a VNI", "tunnelZones: [{name: z, kind: gre}]\ntunnels: [{name: x, zone: z, remote: 192.0.2.9, bridges: [db]}]".into(), "bridge_without_vni"),
        ("a foreign endpoint is not one of ours", "tunnelZones: [{name: z, kind: gre}]\ntunnels: [{name: x, zone: z, remote: 192.0.2.1}]".into(), "vtep_taken"),
    ];
    for (what, more, code) in table {
        let text = site(more);
        let errors = parse("site.yaml", &text).expect_err(what);
        let codes: Vec<_> = errors.iter().map(|error| error.code).collect();
        assert_eq!(codes, [*code], "{what}:\n{errors}");
        let error = errors.iter().next().unwrap();
        assert!(!error.help.is_empty() && error.line >= 5, "{what}:\n{errors}");
        if *code != "missing_reference"
            && *code != "native_not_allowed"
            && *code != "no_payload_vid"
        {
            assert!(error.other.is_some(), "{what} shows no other object:\n{errors}");
        }
    }
    let gateways = "gatewayBridges: [{name: gw, transit: true}, {name: g2, reserved: [{address: 01:80:c2:00:00:21, action: pass}]}, {name: g3, reserved: [{address: 01:80:c2:00:00:00, action: drop}]}]\nbridges: [{name: a, vni: 5}, {name: b, vni: 5}]";
    let expected = [
        "1:38 transit_needs_mode",
        "1:66 pass_needs_mode",
        "1:134 no_policy_address",
        "2:45 vni_taken",
    ];
    assert_eq!(places(gateways), expected);
}

#[test]
fn an_error_shows_file_line_caret_other_place_and_remedy() {
    let text = "\
gatewayBridges: [{name: gw}]
bridges: [{name: web}, {name: db}]
vlanLinks:
- {gatewayBridge: gw, vid: 100, bridge: web}
- {gatewayBridge: gw, vid: 100, bridge: db}
";
    let shown = parse("site.yaml", text).unwrap_err().to_string();
    let expected = "\
site.yaml:5:4: vlanLinks/gw/100: this VLAN is already linked to bridges/web; a second link would be a loop [duplicate]
5 | - {gatewayBridge: gw, vid: 100, bridge: db}
  |    ^^^^^^^^^^^^^
4 | - {gatewayBridge: gw, vid: 100, bridge: web}
  |    ^^^^^^^^^^^^^ vlanLinks/gw/100 stands here
  help: remove one of the two vlanLinks
";
    assert_eq!(shown, expected);
}

#[test]
fn bad_values_are_named() {
    let table = [
        ("bridges: [{name: -x}]", "1:18 value"),
        ("bridges: [{name: [a]}]", "1:18 value"),
        ("bridges: [{name: a, ageing: 5s}]", "1:29 value"),
        ("bridges: [{name: a, ageing: 99999999999999999999s}]", "1:29 value"),
        ("bridges: [{name: a, vni: 16777216}]", "1:26 value"),
        ("bridges: [{name: a, vni: -1}]", "1:26 value"),
        ("bridges: [{name: a, macLimit: 0}]", "1:31 value"),
        ("bridges: [{name: a, macLimitPolicy: drop}]", "1:37 value"),
        ("bridges: [{name: a, transparent: maybe}]", "1:34 value"),
        ("bridges: [{name: a, admin: sideways}]", "1:28 value"),
        ("bridges: [web]", "1:11 value"),
        ("bridges: web", "1:10 value"),
        ("hosts: [{name: a, vtep: 300.1.1.1}]", "1:25 value"),
        (
            "gatewayBridges: [{name: g}]\ntrunks: [{name: t, gatewayBridge: g, allowed: [\"30-20\"]}]",
            "2:48 value",
        ),
        (
            "gatewayBridges: [{name: g}]\ntrunks: [{name: t, gatewayBridge: g, allowed: 10}]",
            "2:47 value",
        ),
        (
            "gatewayBridges: [{name: g}]\ntrunks: [{name: t, gatewayBridge: g, tpid: 0x9100}]",
            "2:44 value",
        ),
        (
            "gatewayBridges: [{name: g}]\ntrunks: [{name: t, gatewayBridge: g, host: a}]",
            "2:44 value",
        ),
        (
            "bridges: [{name: a}]\naccessPorts: [{name: p, bridge: a}]\nstaticMacs: [{bridge: a, port: p, mac: ff:ff:ff:ff:ff:ff}]",
            "3:40 value",
        ),
        ("[1, 2]", "1:1 value"),
        ("bridges: [{name: a}, {name: a}]", "1:23 duplicate"),
        ("bridges: [{name: a, name: b}]", "1:21 syntax"),
        ("bridges: [\n", "1:10 syntax"),
        ("a: 1\n---\nb: 2\n", "3:1 syntax"),
    ];
    for (text, expected) in table {
        assert_eq!(places(text), [expected], "{text}");
    }
}

#[test]
fn a_site_of_4094_vlans_is_within_the_limits_of_the_reader() {
    use std::fmt::Write as _;
    let mut text = "hosts: [{name: a}]\ngatewayBridges: [{name: gw}]\n\
        trunks: [{name: t, gatewayBridge: gw, host: a, interface: e}]\n"
        .to_owned();
    text.push_str("bridges:\n");
    for vid in 1..=4094 {
        writeln!(text, "- {{name: b{vid}, vni: {vid}}}").unwrap();
    }
    text.push_str("vlanLinks:\n");
    for vid in 1..=4094 {
        writeln!(text, "- {{gatewayBridge: gw, vid: {vid}, bridge: b{vid}}}").unwrap();
    }
    assert_eq!(accepted(&text).vlan_links.len(), 4094);
}

#[test]
fn a_document_laid_over_a_site_may_refer_to_it_and_has_to_fit_it() {
    let base = accepted("bridges: [{name: web}]\ngatewayBridges: [{name: gw}]");
    let over = |text: &str| parse_over("part.yaml", text, &base);
    let link = "vlanLinks: [{gatewayBridge: gw, vid: 10, bridge: web}]";

    let part = over(link).unwrap();
    assert_eq!((part.vlan_links.len(), part.bridges.len()), (1, 0));
    assert!(parse("part.yaml", link).is_err());

    let errors = over("vlanLinks: [{gatewayBridge: gw, vid: 10, bridge: wbe}]").unwrap_err();
    assert!(errors.to_string().contains("part.yaml:1:"), "{errors}");
}
