use bridge_model::types::{Name, Tpid};

use super::*;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn vid(raw: u16) -> VlanId {
    VlanId::new(raw).unwrap()
}

#[test]
fn every_kind_has_a_number_on_the_wire_and_zero_is_none() {
    let kinds: Vec<_> = (1..=10).map(|raw| kind("kind", raw).unwrap()).collect();

    assert!(Kind::ALL.iter().all(|kind| kinds.contains(kind)));
    assert_eq!(kind("kind", 0).unwrap_err().field, "kind");
    assert_eq!(kind("kind", 99).unwrap_err().field, "kind");
}

#[test]
fn a_resource_name_is_a_collection_and_an_identity() {
    assert_eq!(object("name", "vlanLinks/gw/10").unwrap().to_string(), "vlanLinks/gw/10");
    for text in ["", "bridges", "bridges/", "cities/rome", "/web"] {
        let bad = object("name", text).unwrap_err();
        assert!(bad.description.contains("gatewayBridges"), "{}", bad.description);
    }
}

#[test]
fn a_trunk_arrives_with_its_ranges_tpid_and_limits() {
    let binding = Binding { host: name("gw-a"), interface: name("eth1") };
    let mut trunk = TrunkPort::new(name("t0"), name("gw"), Some(binding));
    let mut allowed = VlanSet::default();
    allowed.insert_range(vid(10), vid(12));
    allowed.insert_range(vid(20), vid(20));
    trunk.allowed = Some(allowed);
    trunk.native = Some(vid(1));
    trunk.tpid = Tpid::STag;
    trunk.storm_control.per_vlan.broadcast = Some(StormRate { frames_per_second: 5, burst: 7 });
    let mut topology = Topology::default();
    topology.trunks.insert(trunk.name.clone(), trunk);

    let [resource] = &resources(&topology, Kind::Trunk)[..] else { panic!("one trunk") };

    assert_eq!(resource.name, "trunks/t0");
    let Some(Spec::Trunk(trunk)) = &resource.spec else { panic!("{resource:?}") };
    assert_eq!((trunk.host.as_str(), trunk.interface.as_str()), ("gw-a", "eth1"));
    let ranges: Vec<_> = trunk.allowed.iter().map(|range| (range.first, range.last)).collect();
    assert_eq!(ranges, [(10, 12), (20, 20)]);
    assert_eq!((trunk.native_vid, trunk.tpid), (Some(1), 0x88a8));
    let storm = trunk.storm_control.as_ref().unwrap();
    assert_eq!(storm.broadcast, None);
    let per_vlan = storm.per_vlan.as_ref().unwrap();
    assert_eq!(per_vlan.broadcast, Some(v1::StormRate { frames_per_second: 5, burst: 7 }));
}

#[test]
fn a_static_mac_survives_the_journey_there_and_back() {
    let wire = v1::StaticMac {
        bridge: "web".into(),
        mac: "52:54:00:00:00:01".into(),
        port: "t0".into(),
        vid: Some(10),
        inner_vid: Some(20),
        payload_vid: None,
    };

    let model = static_mac("mac", &wire).unwrap();

    assert_eq!(v1::StaticMac::from(&model), wire);
}

#[test]
fn each_bad_field_of_a_static_mac_is_named_with_its_path() {
    let good = v1::StaticMac {
        bridge: "web".into(),
        mac: "52:54:00:00:00:01".into(),
        port: "p1".into(),
        ..Default::default()
    };
    let check = |change: fn(&mut v1::StaticMac), field: &str| {
        let mut entry = good.clone();
        change(&mut entry);
        assert_eq!(static_mac("mac", &entry).unwrap_err().field, field);
    };

    assert!(static_mac("mac", &good).is_ok());
    check(|entry| entry.bridge = "a b".into(), "mac.bridge");
    check(|entry| entry.mac = "01:00:5e:00:00:01".into(), "mac.mac");
    check(|entry| entry.port.clear(), "mac.port");
    check(|entry| entry.vid = Some(0), "mac.vid");
    check(|entry| entry.inner_vid = Some(5), "mac.inner_vid");
    check(|entry| entry.payload_vid = Some(4095), "mac.payload_vid");
}
