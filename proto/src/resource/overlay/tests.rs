use bridge_model::site;
use bridge_model::topology::Topology;
use bridge_model::types::Name;

use super::*;
use crate::v1;

/// Every property at its default once and at another value once.
const SITE: &str = r#"
hosts:
- name: gw-a
  vtep: [192.0.2.1, "2001:db8::1"]
  underlay:
  - {interface: up0, addresses: [192.0.2.1/24, "2001:db8::1/64"]}
  - {interface: up0, vlan: 40, addresses: [198.51.100.1/31], kernel: tap0}
  routes:
  - {to: 0.0.0.0/0, via: [192.0.2.254, 192.0.2.253]}
  - {to: "2001:db8:1::/48", via: "2001:db8::fe"}
- {name: gw-b, vtep: 192.0.2.2}
- {name: cn-1, vtep: "2001:db8:1::3"}
- {name: bare}
bridges:
- {name: web, vni: 5001, neighborSuppression: true, mssClamp: true, ageing: 10s}
- {name: db, vni: 5002, macLimit: 7, macLimitPolicy: drop, admin: down, transparent: true}
- {name: plain, macLimit: 8}
tunnelZones:
- {name: dc, kind: vxlan, hosts: [gw-a, gw-b], ipVersion: ipv4, udpChecksum: zero, udpPort: 8472, dscp: copy, bfd: {interval: 1s, multiplier: 5}}
- {name: six, kind: gre, hosts: [gw-a, cn-1], ipVersion: ipv6, dscp: 46, bfd: off}
- {name: plain, kind: vxlan}
- {name: sums, kind: vxlan, udpChecksum: computed, bfd: {interval: 1500ms, multiplier: 255}}
tunnels:
- {name: far, zone: dc, remote: 192.0.2.9, bridges: [web], bfd: {interval: 10ms}}
- {name: further, zone: six, remote: "2001:db8::9", bridges: [web, db]}
"#;

fn parsed() -> Topology {
    site::parse("site", SITE).unwrap_or_else(|errors| panic!("{errors}"))
}

fn id() -> Name {
    "x".parse().unwrap()
}

#[test]
fn the_objects_of_the_overlay_survive_the_journey_there_and_back() {
    let site = parsed();
    for (name, object) in &site.hosts {
        assert_eq!(host("h", name.clone(), &v1::Host::from(object)).as_ref(), Ok(object));
    }
    for (name, object) in &site.bridges {
        assert_eq!(bridge("b", name.clone(), &v1::Bridge::from(object)).as_ref(), Ok(object));
    }
    for (name, object) in &site.tunnel_zones {
        let wire = v1::TunnelZone::from(object);
        assert_eq!(tunnel_zone("z", name.clone(), &wire).as_ref(), Ok(object));
    }
    for (name, object) in &site.tunnels {
        assert_eq!(tunnel("t", name.clone(), &v1::Tunnel::from(object)).as_ref(), Ok(object));
    }
    assert_eq!((site.hosts.len(), site.tunnel_zones.len(), site.tunnels.len()), (4, 4, 2));
}

#[test]
fn the_wire_says_addresses_and_times_as_people_write_them() {
    let site = parsed();
    let json = serde_json::to_value(v1::Host::from(&site.hosts["gw-a"])).unwrap();
    assert_eq!(json["vtep"], serde_json::json!(["192.0.2.1", "2001:db8::1"]));
    assert_eq!(json["underlay"][0]["addresses"][1], "2001:db8::1/64");
    assert!(json["underlay"][0].get("vlan").is_none(), "{json}");
    assert_eq!(json["underlay"][1]["vlan"], 40);
    assert_eq!(json["routes"][0]["to"], "0.0.0.0/0");
    let json = serde_json::to_value(v1::TunnelZone::from(&site.tunnel_zones["dc"])).unwrap();
    assert_eq!(json["dscp"], "copy");
    assert_eq!(json["bfd"]["interval"], "1s");
    let json = serde_json::to_value(v1::TunnelZone::from(&site.tunnel_zones["six"])).unwrap();
    assert!(json.get("bfd").is_none(), "{json}");
}

#[test]
fn what_a_request_leaves_out_is_at_the_default_of_the_site_file() {
    let zone = v1::TunnelZone { kind: v1::tunnel_zone::Kind::Gre.into(), ..Default::default() };
    let expected = TunnelZone { bfd: None, ..TunnelZone::new(id(), TunnelKind::Gre) };
    assert_eq!(tunnel_zone("z", id(), &zone), Ok(expected));
    let zone = v1::TunnelZone { bfd: Some(v1::BfdTimers::default()), ..zone };
    assert_eq!(tunnel_zone("z", id(), &zone).unwrap().bfd, Some(BfdTimers::default()));
    assert_eq!(host("h", id(), &v1::Host::default()), Ok(Host::new(id())));
    assert_eq!(bridge("b", id(), &v1::Bridge::default()), Ok(Bridge::new(id())));
}

#[test]
fn each_bad_field_of_a_host_is_named_with_its_path() {
    let check = |change: fn(&mut v1::Host), field: &str| {
        let mut wire = v1::Host::from(&parsed().hosts["gw-a"]);
        change(&mut wire);
        assert_eq!(host("host", id(), &wire).unwrap_err().field, field);
    };

    check(|host| host.vtep[1] = "2001::db8::1".into(), "host.vtep[1]");
    check(|host| host.vtep[1] = "192.0.2.7".into(), "host.vtep[1]");
    check(|host| host.underlay[1].interface = "a b".into(), "host.underlay[1].interface");
    check(|host| host.underlay[1].vlan = Some(4095), "host.underlay[1].vlan");
    check(|host| host.underlay[0].addresses[1] = "::1".into(), "host.underlay[0].addresses[1]");
    check(|host| host.underlay[0].kernel = "a/b".into(), "host.underlay[0].kernel");
    check(|host| host.routes[1].to = "192.0.2.1/24".into(), "host.routes[1].to");
    check(|host| host.routes[1].to = "default".into(), "host.routes[1].to");
    check(|host| host.routes[0].via[1] = "gw".into(), "host.routes[0].via[1]");
}

#[test]
fn each_bad_field_of_a_zone_a_tunnel_or_a_bridge_is_named_with_its_path() {
    let check = |change: fn(&mut v1::TunnelZone), field: &str| {
        let mut wire = v1::TunnelZone::from(&parsed().tunnel_zones["dc"]);
        change(&mut wire);
        assert_eq!(tunnel_zone("zone", id(), &wire).unwrap_err().field, field);
    };

    check(|zone| zone.kind = 0, "zone.kind");
    check(|zone| zone.kind = 77, "zone.kind");
    check(|zone| zone.hosts[1].clear(), "zone.hosts[1]");
    check(|zone| zone.ip_version = 5, "zone.ip_version");
    check(|zone| zone.udp_checksum = 9, "zone.udp_checksum");
    check(|zone| zone.udp_port = 65_536, "zone.udp_port");
    check(|zone| zone.udp_port = 3784, "zone.udp_port");
    check(|zone| zone.dscp = "64".into(), "zone.dscp");
    check(|zone| zone.dscp = "copied".into(), "zone.dscp");
    check(|zone| zone.bfd.as_mut().unwrap().multiplier = 256, "zone.bfd.multiplier");
    check(|zone| interval(zone).seconds = 61, "zone.bfd.interval");
    check(|zone| interval(zone).seconds = -1, "zone.bfd.interval");
    check(|zone| interval(zone).nanos = 500_000, "zone.bfd.interval");
    check(|zone| interval(zone).nanos = -1, "zone.bfd.interval");

    let check = |change: fn(&mut v1::Tunnel), field: &str| {
        let mut wire = v1::Tunnel::from(&parsed().tunnels["far"]);
        change(&mut wire);
        assert_eq!(tunnel("tunnel", id(), &wire).unwrap_err().field, field);
    };
    check(|tunnel| tunnel.zone.clear(), "tunnel.zone");
    check(|tunnel| tunnel.remote = "192.0.2.9/32".into(), "tunnel.remote");
    check(|tunnel| tunnel.bridges.push("a b".into()), "tunnel.bridges[1]");

    let check = |change: fn(&mut v1::Bridge), field: &str| {
        let mut wire = v1::Bridge::from(&parsed().bridges["db"]);
        change(&mut wire);
        assert_eq!(bridge("bridge", id(), &wire).unwrap_err().field, field);
    };
    check(|bridge| bridge.vni = Some(1 << 24), "bridge.vni");
    check(|bridge| bridge.ageing.as_mut().unwrap().seconds = 9, "bridge.ageing");
    check(|bridge| bridge.ageing.as_mut().unwrap().seconds = -20, "bridge.ageing");
    check(|bridge| bridge.ageing.as_mut().unwrap().nanos = 1, "bridge.ageing");
    check(|bridge| bridge.mac_limit.as_mut().unwrap().entries = 0, "bridge.mac_limit.entries");
}

fn interval(zone: &mut v1::TunnelZone) -> &mut pbjson_types::Duration {
    zone.bfd.as_mut().unwrap().interval.as_mut().unwrap()
}
