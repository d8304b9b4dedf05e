use std::collections::BTreeSet;

use super::*;

#[test]
fn every_topic_has_a_name_of_its_own_and_a_meaning() {
    let topics = topics();
    let names: BTreeSet<_> =
        topics.iter().map(|topic| (topic.name.as_str(), topic.sort.words())).collect();

    assert_eq!(names.len(), topics.len());
    for topic in &topics {
        assert!(topic.meaning.ends_with('.'), "{}: {}", topic.name, topic.meaning);
        assert!(find(&topic.name).unwrap().contains(topic), "{}", topic.name);
    }
}

#[test]
fn the_catalogue_is_complete() {
    let count = |sort| topics().iter().filter(|topic| topic.sort == sort).count();

    assert_eq!(count(Sort::DropReason), DropReason::COUNT);
    assert_eq!(count(Sort::ConsumedProtocol), PuntReason::COUNT);
    assert_eq!(count(Sort::ExitCode), Exit::ALL.len());
    let sent = (1..).map_while(|raw| ErrorReason::try_from(raw).ok()).count();
    assert_eq!(count(Sort::Error), sent);
}

#[test]
fn a_name_is_found_in_the_spellings_that_people_use() {
    for (spelt, name) in [
        ("VLAN_UNKNOWN", "vlan_unknown"),
        ("vlan-unknown", "vlan_unknown"),
        ("site-invalid", "SITE_INVALID"),
        ("exit-12", "12"),
        ("problems", "12"),
        ("trunks.NATIVE", "trunks.native"),
    ] {
        let names: Vec<String> = find(spelt).unwrap().into_iter().map(|topic| topic.name).collect();
        assert_eq!(names, [name], "{spelt}");
    }
}

#[test]
fn a_bare_key_finds_it_in_every_object() {
    let names: Vec<String> =
        find("macLimit").unwrap().into_iter().map(|topic| topic.name).collect();

    assert_eq!(names, ["bridges.macLimit", "trunks.macLimit", "accessPorts.macLimit"]);
}

#[test]
fn an_unknown_name_finds_the_nearest() {
    assert_eq!(find("vlan_unkown"), Err(Some("vlan_unknown".to_owned())));
    assert_eq!(find("complete nonsense"), Err(None));
}

/// A site that uses every field of the catalogue, in as few documents as their rules allow.
const EVERY_FIELD: [&str; 2] = [
    r#"
hosts:
- {name: gw-a, vtep: 192.0.2.1,
   underlay: [{interface: eth1, vlan: 40, addresses: [192.0.2.1/24], kernel: tap0}],
   routes: [{to: 0.0.0.0/0, via: [192.0.2.254]}]}
bridges:
- {name: web, vni: 5001, ageing: 5m, macLimit: 10, macLimitPolicy: drop, transparent: false,
   neighborSuppression: true, mssClamp: true, admin: up}
- {name: clear, transparent: true}
- {name: pair}
gatewayBridges:
- {name: gw, mode: stp-transparent, transit: true, admin: up,
   reserved: [{address: "01:80:c2:00:00:21", action: pass}]}
trunks:
- {name: trunk0, gatewayBridge: gw, host: gw-a, interface: eth1, allowed: [10, "20-30"], native: 10,
   tpid: 0x8100, admin: up, macLimit: 5, macLimitPolicy: forward,
   stormControl: {broadcast: 1000, multicast: {framesPerSecond: 5000, burst: 500},
                  unknownUnicast: 1000, perVlan: {broadcast: 10}}}
vlanLinks:
- {gatewayBridge: gw, vid: 10, bridge: web, join: false}
- {gatewayBridge: gw, vid: 20, innerVid: 7, bridge: pair}
accessPorts:
- {name: p1, bridge: web, host: gw-a, interface: vm1, admin: up, macLimit: 5, macLimitPolicy: drop,
   stormControl: {broadcast: 1000}}
- {name: p2, bridge: clear, host: gw-a, interface: vm2}
staticMacs:
- {bridge: web, mac: "52:54:00:00:00:01", port: trunk0, vid: 10}
- {bridge: pair, mac: "52:54:00:00:00:02", port: trunk0, vid: 20, innerVid: 7}
- {bridge: clear, mac: "52:54:00:00:00:03", port: p2, payloadVid: 9}
tunnelZones:
- {name: underlay, kind: vxlan, hosts: [gw-a], ipVersion: ipv4, udpChecksum: zero, udpPort: 8472,
   dscp: copy, bfd: {interval: 1s, multiplier: 5}}
tunnels:
- {name: far, zone: underlay, remote: 192.0.2.9, bridges: [web],
   bfd: {interval: 1s, multiplier: 5}}
"#,
    r"
hosts: [{name: gw-a}]
gatewayBridges: [{name: gw, mode: mlag}]
lags: [{name: bond0, members: [{host: gw-a, interface: eth2}]}]
trunks: [{name: trunk0, gatewayBridge: gw, lag: bond0}]
",
];

/// Paths of all keys in a document, without list indices; inside some mappings keys are not fields.
fn paths(prefix: &str, value: &serde_json::Value, found: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Array(items) => {
            for item in items {
                paths(prefix, item, found);
            }
        }
        serde_json::Value::Object(fields) => {
            for (key, value) in fields {
                let dot = if prefix.is_empty() { "" } else { "." };
                let path = format!("{prefix}{dot}{key}");
                let is_leaf = ["members", "multicast", "perVlan"].contains(&key.as_str())
                    || path == "accessPorts.stormControl";
                found.insert(path.clone());
                if !is_leaf {
                    paths(&path, value, found);
                }
            }
        }
        _ => {}
    }
}

#[test]
fn the_catalogue_of_fields_is_what_the_model_reads_and_writes() {
    let mut read = BTreeSet::new();
    let mut written = BTreeSet::new();
    for document in EVERY_FIELD {
        let topology = bridge_model::site::parse("test", document).unwrap_or_else(|errors| {
            panic!("{errors}");
        });
        paths("", &serde_saphyr::from_str(document).unwrap(), &mut read);
        let yaml = bridge_model::site::to_yaml(&topology);
        paths("", &serde_saphyr::from_str(&yaml).unwrap(), &mut written);
    }
    let catalogue: BTreeSet<String> = topics()
        .into_iter()
        .filter(|topic| topic.sort == Sort::SiteField)
        .map(|topic| topic.name)
        .collect();

    // The model refuses unknown keys, so each of these exists.
    assert_eq!(read, catalogue);
    let missing: Vec<_> = written
        .difference(&catalogue)
        .filter(|path| !path.ends_with("framesPerSecond") && !path.ends_with("burst"))
        .collect();
    assert_eq!(missing, Vec::<&String>::new());
}

/// The words between quotes on lines that contain `mark`.
fn quoted<'a>(source: &'a str, mark: &str) -> Vec<&'a str> {
    source
        .lines()
        .filter(|line| line.contains(mark))
        .filter_map(|line| line.split('"').nth(1))
        .collect()
}

#[test]
fn every_condition_of_the_daemon_can_be_explained_and_no_other() {
    let source = include_str!("../../../daemon/src/condition.rs");
    let mut sent: Vec<&str> = quoted(source, " = \"");
    sent.retain(|word| word.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_'));
    let explained: Vec<String> = topics()
        .into_iter()
        .filter(|topic| topic.sort == Sort::Condition)
        .map(|topic| topic.name)
        .collect();

    let sent: BTreeSet<&str> = sent.into_iter().collect();
    assert_eq!(sent, explained.iter().map(String::as_str).collect(), "see explain/conditions.rs");
}

#[test]
fn every_mistake_that_the_model_names_can_be_explained() {
    let sources = [
        include_str!("../../../bridge-model/src/topology/error.rs"),
        include_str!("../../../bridge-model/src/topology/overlay_error.rs"),
    ];
    let mut codes = BTreeSet::from(["syntax", "unknown_key", "missing_key", "value", "duplicate"]);
    for source in sources {
        let (_, rest) = source.split_once("pub const fn code").unwrap();
        let (body, _) = rest.split_once("\n    }").unwrap();
        let found: Vec<&str> = body.split('"').skip(1).step_by(2).collect();
        assert!(found.len() > 15, "{found:?}");
        codes.extend(found);
    }

    for code in &codes {
        assert_eq!(find(code).map(|found| found[0].sort), Ok(Sort::Mistake), "{code}");
    }
    let explained = topics().into_iter().filter(|topic| topic.sort == Sort::Mistake);
    let explained: BTreeSet<String> = explained.map(|topic| topic.name).collect();
    assert_eq!(explained, codes.into_iter().map(str::to_owned).collect());
}
