//! A gateway at one moment, as the API would tell it.

use pbjson_types::{Duration, Timestamp};
use proto::v1::condition::Severity;
use proto::v1::resource::Spec;
use proto::v1::*;

/// What `export` gives.
pub(crate) const SITE: &str = "\
hosts:
- name: gw-a
bridges:
- name: web
  ageing: 300s
gatewayBridges:
- name: gw
trunks:
- name: trunk0
  gatewayBridge: gw
  host: gw-a
  interface: eth1
vlanLinks:
- gatewayBridge: gw
  vid: 10
  bridge: web
accessPorts:
- name: p1
  bridge: web
  host: gw-a
  interface: vm1
";

const fn span(seconds: i64) -> Duration {
    Duration { seconds, nanos: 0 }
}

fn condition(severity: Severity, reason: &str, object: &str, words: [&str; 3]) -> Condition {
    let [message, effect, remedy] = words.map(str::to_owned);
    Condition {
        severity: severity.into(),
        reason: reason.to_owned(),
        object: object.to_owned(),
        message,
        effect,
        remedy,
        duration: Some(span(41)),
    }
}

fn waiting() -> Condition {
    condition(
        Severity::Warning,
        "PORT_WAITING",
        "trunks/trunk1",
        [
            "interface eth9 is not in the node file",
            "VLANs 10 and 20 have no second trunk",
            "add [interfaces.eth9] to the node file, or bind the trunk to another interface",
        ],
    )
}

pub(crate) fn sound_status() -> Status {
    Status {
        health: status::Health::Ok.into(),
        host: "gw-a".to_owned(),
        version: "0.1.0".to_owned(),
        start_time: Some(Timestamp { seconds: 1_795_000_000, nanos: 0 }),
        uptime: Some(span(11_520)),
        revision: 57,
        applied_revision: 57,
        workers: vec![Worker {
            index: 0,
            cpu: 3,
            interfaces: vec!["eth1".to_owned(), "vm1".to_owned()],
            epoch: 9,
            revision: 57,
            busy_ratio: 0.23,
            last_seen: Some(Duration { seconds: 0, nanos: 40_000 }),
            stalled: false,
            poll_gap_max: Some(Duration { seconds: 0, nanos: 90_000 }),
            isa: "avx2".to_owned(),
        }],
        mac_table: Some(MacTableStatus {
            entries: 1204,
            static_entries: 1,
            capacity: 1_048_576,
            memory_octets: 8 << 20,
            refused: 0,
        }),
        ports: Some(PortCount { total: 3, up: 3 }),
        bridge_count: 2,
        vlan_link_count: 2,
        node_file: "/etc/sluice/sluice.toml".to_owned(),
        site_file: "/etc/sluice/site.yaml".to_owned(),
        rates: Some(Rates { received: 3100.5, sent: 3090.0, dropped: 0.0 }),
        ..Status::default()
    }
}

pub(crate) fn degraded_status() -> Status {
    let standby = condition(
        Severity::Info,
        "TRUNK_STANDBY",
        "trunks/trunk2",
        ["trunk0 forwards VLAN 10", "none", ""],
    );
    Status {
        health: status::Health::Degraded.into(),
        conditions: vec![waiting(), standby],
        ports: Some(PortCount { total: 3, up: 2 }),
        notes: vec!["no hugepages: functional, not a performance result".to_owned()],
        peers: Some(PeerCount { total: 4, up: 1, effective_mtu_min: 1438 }),
        ..sound_status()
    }
}

fn resource(name: &str, spec: Spec) -> Resource {
    let effective_mtu = (name == "bridges/web").then_some(1450);
    let status =
        ResourceStatus { revision: 57, programmed: true, conditions: Vec::new(), effective_mtu };
    Resource { name: name.to_owned(), spec: Some(spec), status: Some(status) }
}

pub(crate) fn resources() -> Vec<Resource> {
    let up = AdminState::Up.into();
    let trunk = Trunk {
        gateway_bridge: "gw".to_owned(),
        host: "gw-a".to_owned(),
        interface: "eth1".to_owned(),
        allowed: vec![VidRange { first: 10, last: 10 }, VidRange { first: 20, last: 30 }],
        native_vid: Some(10),
        tpid: 0x8100,
        admin: up,
        ..Trunk::default()
    };
    let unbound = Trunk {
        interface: "eth9".to_owned(),
        allowed: Vec::new(),
        native_vid: None,
        ..trunk.clone()
    };
    let mut second = resource("trunks/trunk1", Spec::Trunk(unbound));
    if let Some(status) = second.status.as_mut() {
        status.programmed = false;
        status.conditions.push(waiting());
    }
    let bridge = Bridge {
        vni: Some(5001),
        ageing: Some(span(300)),
        mac_limit: Some(MacLimit { entries: 1000, policy: mac_limit::Policy::Drop.into() }),
        transparent: false,
        admin: up,
        neighbor_suppression: true,
        mss_clamp: false,
    };
    let gateway = GatewayBridge {
        mode: gateway_bridge::Mode::StpTransparent.into(),
        transit: true,
        admin: up,
        reserved: vec![ReservedPolicy {
            address: "01:80:c2:00:00:21".to_owned(),
            action: "pass".to_owned(),
        }],
    };
    let link = VlanLink {
        gateway_bridge: "gw".to_owned(),
        vid: 10,
        bridge: "web".to_owned(),
        join: false,
        inner_vid: None,
    };
    let access = AccessPort {
        bridge: "web".to_owned(),
        host: "gw-a".to_owned(),
        interface: "vm1".to_owned(),
        admin: AdminState::Down.into(),
        ..AccessPort::default()
    };
    let fixed = StaticMac {
        bridge: "web".to_owned(),
        mac: "52:54:00:00:00:01".to_owned(),
        port: "p1".to_owned(),
        ..StaticMac::default()
    };
    let member = lag::Member { host: "gw-a".to_owned(), interface: "eth2".to_owned() };
    vec![
        resource("hosts/gw-a", Spec::Host(gateway_host())),
        resource("bridges/web", Spec::Bridge(bridge)),
        resource("gatewayBridges/gw", Spec::GatewayBridge(gateway)),
        resource("trunks/trunk0", Spec::Trunk(trunk)),
        second,
        resource("vlanLinks/gw/10", Spec::VlanLink(link)),
        resource("accessPorts/p1", Spec::AccessPort(access)),
        resource("lags/bond0", Spec::Lag(Lag { members: vec![member] })),
        resource("staticMacs/web/52:54:00:00:00:01", Spec::StaticMac(fixed)),
        resource("tunnelZones/fabric", Spec::TunnelZone(plain_zone())),
        resource("tunnelZones/underlay", Spec::TunnelZone(zone())),
        resource("tunnels/far", Spec::Tunnel(tunnel())),
    ]
}

fn gateway_host() -> Host {
    let texts = |texts: &[&str]| texts.iter().copied().map(str::to_owned).collect();
    let untagged = host::UnderlayLink {
        interface: "up0".to_owned(),
        vlan: None,
        addresses: texts(&["192.0.2.1/24", "2001:db8::1/64"]),
        kernel: String::new(),
    };
    let tagged = host::UnderlayLink {
        vlan: Some(40),
        addresses: texts(&["198.51.100.1/31"]),
        kernel: "tap0".to_owned(),
        ..untagged.clone()
    };
    Host {
        vtep: texts(&["192.0.2.1", "2001:db8::1"]),
        underlay: vec![untagged, tagged],
        routes: vec![host::Route {
            to: "0.0.0.0/0".to_owned(),
            via: texts(&["192.0.2.254", "192.0.2.253"]),
        }],
    }
}

/// A zone with every property at its default.
fn zone() -> TunnelZone {
    let interval = Some(Duration { seconds: 0, nanos: 100_000_000 });
    TunnelZone {
        kind: tunnel_zone::Kind::Vxlan.into(),
        hosts: vec!["gw-a".to_owned()],
        ip_version: tunnel_zone::IpVersion::Auto.into(),
        udp_checksum: tunnel_zone::UdpChecksum::Auto.into(),
        udp_port: 4789,
        dscp: "0".to_owned(),
        bfd: Some(BfdTimers { interval, multiplier: 3 }),
    }
}

/// One of the other kind, with other properties.
fn plain_zone() -> TunnelZone {
    TunnelZone {
        kind: tunnel_zone::Kind::Gre.into(),
        hosts: Vec::new(),
        ip_version: tunnel_zone::IpVersion::Ipv6.into(),
        dscp: "copy".to_owned(),
        bfd: None,
        ..zone()
    }
}

fn tunnel() -> Tunnel {
    Tunnel {
        zone: "underlay".to_owned(),
        remote: "192.0.2.9".to_owned(),
        bridges: vec!["web".to_owned()],
        bfd: Some(BfdTimers { interval: Some(span(1)), multiplier: 5 }),
    }
}

pub(crate) fn kind(resource: &Resource) -> ResourceKind {
    match resource.spec {
        None => ResourceKind::Unspecified,
        Some(Spec::Host(_)) => ResourceKind::Host,
        Some(Spec::Bridge(_)) => ResourceKind::Bridge,
        Some(Spec::GatewayBridge(_)) => ResourceKind::GatewayBridge,
        Some(Spec::Trunk(_)) => ResourceKind::Trunk,
        Some(Spec::VlanLink(_)) => ResourceKind::VlanLink,
        Some(Spec::AccessPort(_)) => ResourceKind::AccessPort,
        Some(Spec::Lag(_)) => ResourceKind::Lag,
        Some(Spec::StaticMac(_)) => ResourceKind::StaticMac,
        Some(Spec::TunnelZone(_)) => ResourceKind::TunnelZone,
        Some(Spec::Tunnel(_)) => ResourceKind::Tunnel,
    }
}

fn counters(packets: u64) -> Counters {
    Counters {
        rx_packets: packets,
        rx_octets: packets * 100,
        tx_packets: packets / 2,
        tx_octets: packets * 50,
    }
}

pub(crate) fn ports() -> Vec<Port> {
    let vlan = |vid, packets, forwarding| VlanCounters {
        vid,
        counters: Some(counters(packets)),
        forwarding,
    };
    vec![
        Port {
            name: "trunks/trunk0".to_owned(),
            role: port::Role::Trunk.into(),
            state: port::State::Forwarding.into(),
            bridge: "gw".to_owned(),
            interface: "eth1".to_owned(),
            admin: AdminState::Up.into(),
            link_up: true,
            mtu: 1500,
            counters: Some(counters(1_204_331)),
            vlans: vec![vlan(10, 1_200_000, true), vlan(20, 4_331, false)],
            dropped_packets: 1204,
            mac_entries: 1203,
            forwarding_vids: vec![VidRange { first: 10, last: 10 }],
            rates: Some(Rates { received: 3100.5, sent: 20.0, dropped: 0.5 }),
        },
        Port {
            name: "accessPorts/p1".to_owned(),
            role: port::Role::Access.into(),
            state: port::State::LinkDown.into(),
            bridge: "web".to_owned(),
            interface: "vm1".to_owned(),
            admin: AdminState::Up.into(),
            mtu: 9000,
            ..Port::default()
        },
    ]
}

pub(crate) fn interfaces() -> Vec<Interface> {
    vec![
        Interface {
            name: "eth1".to_owned(),
            kind: "af_packet".to_owned(),
            driver: "net_af_packet".to_owned(),
            ports: vec!["trunks/trunk0".to_owned()],
            present: true,
            link_up: true,
            link_speed_mbps: 10_000,
            mtu: 1500,
            mac: "52:54:00:aa:00:01".to_owned(),
            counters: Some(DriverCounters { rx_packets: 1_204_331, ..DriverCounters::default() }),
            driver_counters: vec![DriverCounter { name: "rx_good".to_owned(), value: u64::MAX }],
            ..Interface::default()
        },
        Interface {
            name: "up0".to_owned(),
            kind: "pci".to_owned(),
            absent_reason: "no device 0000:3b:00.0".to_owned(),
            ..Interface::default()
        },
    ]
}

pub(crate) fn macs() -> Vec<Mac> {
    let learned = |bridge: &str, mac: &str, vid, port: &str, idle| Mac {
        bridge: bridge.to_owned(),
        mac: mac.to_owned(),
        vid,
        port: port.to_owned(),
        origin: mac::Origin::Learned.into(),
        idle_max: Some(span(idle)),
        payload_vid: None,
    };
    vec![
        Mac {
            origin: mac::Origin::Static.into(),
            idle_max: None,
            ..learned("web", "52:54:00:00:00:01", None, "p1", 0)
        },
        learned("web", "52:54:00:aa:bb:01", Some(10), "trunk0", 50),
        Mac { payload_vid: Some(7), ..learned("clear", "52:54:00:cc:dd:02", None, "p9", 250) },
    ]
}

pub(crate) fn drops() -> Vec<Drop> {
    let arp = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0, 0, 1, 0x81, 0, 1, 0x2c, 8, 6, 0, 1,
        8, 0, 6, 4, 0, 1, 0x52, 0x54, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2,
    ];
    vec![
        Drop {
            reason: "vlan_unknown".to_owned(),
            stage: "classify".to_owned(),
            severity: "config".to_owned(),
            port: "trunks/trunk0".to_owned(),
            frames: 1204,
            frames_per_second: 20.0,
            meaning: "The trunk carries no such VLAN.".to_owned(),
            remedy: "Link the VLAN to a bridge.".to_owned(),
            sample: Some(FrameSample {
                octets: arp.to_vec().into(),
                frame_length: 64,
                time: Some(Timestamp { seconds: 1_795_000_100, nanos: 0 }),
                summary: "an ARP request".to_owned(),
                interface: "eth1".to_owned(),
            }),
        },
        Drop {
            reason: "hairpin".to_owned(),
            stage: "forward".to_owned(),
            severity: "expected".to_owned(),
            port: "accessPorts/p1".to_owned(),
            frames: 3,
            remedy: "Nothing, as a rule.".to_owned(),
            meaning: "The destination is known behind the port that the frame came in by."
                .to_owned(),
            ..Drop::default()
        },
    ]
}

pub(crate) fn accounting() -> Accounting {
    let line = |received| AccountingLine {
        received,
        originated: 2,
        copied: 10,
        sent: received,
        consumed: 5,
        dropped: 7,
        difference: 0,
    };
    let total = AccountingLine {
        received: 1_500,
        originated: 4,
        copied: 20,
        sent: 1_500,
        consumed: 10,
        dropped: 14,
        difference: 0,
    };
    Accounting {
        total: Some(total),
        workers: vec![line(1_000), line(500)],
        consumed: vec![ConsumedFrames {
            protocol: "bpdu".to_owned(),
            port: "trunks/trunk0".to_owned(),
            frames: 10,
        }],
    }
}

pub(crate) fn neighbors() -> Vec<Neighbor> {
    vec![Neighbor {
        port: "trunks/trunk0".to_owned(),
        interface: "eth1".to_owned(),
        chassis_id: "00:1c:73:00:00:01".to_owned(),
        port_id: "Ethernet49".to_owned(),
        port_description: "to gw-a".to_owned(),
        system_name: "sw1".to_owned(),
        // A neighbour may send what it likes; the terminal must not obey it.
        system_description: "switch\u{1b}[2J of\nmany lines".to_owned(),
        last_seen: Some(span(12)),
        ttl: Some(span(120)),
    }]
}

/// The answer to `apply`, before anything is done.
pub(crate) fn plan(is_empty: bool) -> ApplyResponse {
    let difference = |kind: difference::Kind, object: &str, text: &str| Difference {
        kind: kind.into(),
        object: object.to_owned(),
        fields: vec![FieldDifference {
            field: "bridge".to_owned(),
            old_value: String::new(),
            new_value: "db".to_owned(),
        }],
        text: text.to_owned(),
    };
    let differences = vec![
        difference(difference::Kind::Added, "vlanLinks/gw/20", "+ vlanLinks/gw/20   bridge db"),
        difference(
            difference::Kind::Changed,
            "bridges/web",
            "~ bridges/web   macLimit 1000 -> 4000",
        ),
        difference(difference::Kind::Removed, "accessPorts/p9", "- accessPorts/p9"),
    ];
    ApplyResponse {
        revision: 57,
        differences: if is_empty { Vec::new() } else { differences },
        notes: if is_empty {
            Vec::new()
        } else {
            vec!["trunks/trunk1 waits for interface eth9".to_owned()]
        },
        ..ApplyResponse::default()
    }
}
