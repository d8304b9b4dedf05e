//! The overlay of the gateway in `canned`.

use pbjson_types::Duration;
use proto::v1::*;

fn milliseconds(count: i32) -> Duration {
    Duration { seconds: 0, nanos: count * 1_000_000 }
}

fn seconds(seconds: i64) -> Duration {
    Duration { seconds, nanos: 0 }
}

fn hop(address: &str, mac: &str) -> NextHop {
    let (address, mac) = (address.to_owned(), mac.to_owned());
    NextHop { address, link: "%up0:40".to_owned(), mac }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn up() -> Peer {
    Peer {
        name: "hosts/cn-1".to_owned(),
        port: "@cn-1".to_owned(),
        role: peer::Role::Host.into(),
        zone: "dc".to_owned(),
        kind: tunnel_zone::Kind::Vxlan.into(),
        local: "192.0.2.1".to_owned(),
        remote: "192.0.2.2".to_owned(),
        state: peer::State::Up.into(),
        next_hops: vec![hop("192.0.2.2", "52:54:00:00:02:02")],
        mtu: 1500,
        path_mtu: Some(PathMtu { mtu: 1500, link_mtu: 1500, state: "confirmed".to_owned() }),
        inner_mtu: 1450,
        bfd: Some(Bfd {
            state: "up".to_owned(),
            remote_state: "up".to_owned(),
            tx_interval: Some(milliseconds(100)),
            detection_time: Some(milliseconds(300)),
            ups: 1,
            duration: Some(seconds(3725)),
            local_discriminator: 0x1a2b_3c4d,
            remote_discriminator: 0x5e6f_7081,
            ..Bfd::default()
        }),
        bridges: names(&["app", "db", "mail", "web"]),
        counters: Some(Counters {
            rx_packets: 1204,
            rx_octets: 180_600,
            tx_packets: 980,
            tx_octets: 147_000,
        }),
        dropped_packets: 2,
        mac_entries: 17,
        rates: Some(Rates { received: 40.0, sent: 32.5, dropped: 0.0 }),
    }
}

/// One peer in each state.
pub(crate) fn peers() -> Vec<Peer> {
    let down = Peer {
        name: "hosts/cn-2".to_owned(),
        port: "@cn-2".to_owned(),
        remote: "192.0.2.3".to_owned(),
        state: peer::State::Down.into(),
        next_hops: vec![hop("192.0.2.3", "52:54:00:00:02:03")],
        bfd: Some(Bfd {
            state: "down".to_owned(),
            remote_state: "up".to_owned(),
            diagnostic: "nothing was heard for the detection time".to_owned(),
            tx_interval: Some(seconds(1)),
            detection_time: Some(milliseconds(300)),
            ups: 1,
            duration: Some(seconds(41)),
            ..Bfd::default()
        }),
        bridges: Vec::new(),
        mac_entries: 0,
        ..up()
    };
    let foreign = Peer {
        name: "tunnels/far".to_owned(),
        port: "@far".to_owned(),
        role: peer::Role::Foreign.into(),
        zone: "lab".to_owned(),
        kind: tunnel_zone::Kind::Gre.into(),
        local: "2001:db8::1".to_owned(),
        remote: "2001:db8:9::9".to_owned(),
        state: peer::State::Unresolved.into(),
        next_hops: vec![hop("2001:db8::fe", ""), hop("2001:db8::ff", "")],
        path_mtu: Some(PathMtu { mtu: 1500, link_mtu: 1500, state: "unknown".to_owned() }),
        inner_mtu: 1438,
        bfd: None,
        bridges: names(&["web"]),
        ..up()
    };
    let lost = Peer {
        name: "tunnels/gone".to_owned(),
        port: "@gone".to_owned(),
        remote: "198.51.100.7".to_owned(),
        role: peer::Role::Foreign.into(),
        state: peer::State::NoRoute.into(),
        next_hops: Vec::new(),
        mtu: 0,
        path_mtu: None,
        inner_mtu: 0,
        bfd: None,
        bridges: names(&["web"]),
        counters: None,
        rates: None,
        ..up()
    };
    vec![up(), down, foreign, lost]
}

pub(crate) fn underlay() -> ListUnderlayResponse {
    let neighbor = |address: &str, mac: &str, state: underlay_neighbor::State, since| {
        let (address, mac) = (address.to_owned(), mac.to_owned());
        UnderlayNeighbor { address, mac, state: state.into(), duration: Some(seconds(since)) }
    };
    let tagged = UnderlayLink {
        name: "%up0:40".to_owned(),
        interface: "up0".to_owned(),
        vlan: Some(40),
        addresses: names(&["192.0.2.1/24", "2001:db8::1/64"]),
        mac: "52:54:00:aa:00:02".to_owned(),
        mtu: 1500,
        link_up: true,
        kernel: "tap0".to_owned(),
        neighbors: vec![
            neighbor("192.0.2.2", "52:54:00:00:02:02", underlay_neighbor::State::Reachable, 12),
            neighbor("2001:db8::fe", "", underlay_neighbor::State::Failed, 95),
        ],
        counters: Some(Counters {
            rx_packets: 36_000,
            rx_octets: 2_376_000,
            tx_packets: 36_100,
            tx_octets: 2_382_600,
        }),
        dropped_packets: 4,
        rates: Some(Rates { received: 10.0, sent: 10.0, dropped: 0.0 }),
    };
    let idle = UnderlayLink {
        name: "%up1".to_owned(),
        interface: "up1".to_owned(),
        addresses: names(&["198.51.100.1/30"]),
        mac: "52:54:00:aa:00:03".to_owned(),
        mtu: 9000,
        ..UnderlayLink::default()
    };
    ListUnderlayResponse {
        links: vec![tagged, idle],
        vtep: names(&["192.0.2.1", "2001:db8::1"]),
        protocols: Some(ProtocolThread {
            lateness_max: Some(milliseconds(3)),
            lateness_recent: Some(Duration { seconds: 0, nanos: 120_000 }),
            frames_received: 36_000,
            frames_sent: 36_100,
            frames_lost: 0,
            too_big_answers: 5,
            known_neighbors: 12,
            scheduling: "real-time".to_owned(),
        }),
        revision: 57,
    }
}
