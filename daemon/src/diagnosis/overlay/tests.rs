use std::sync::Arc;

use bridge_model::types::MacAddr;
use bridge_model::underlay::{BfdView, Hops, PathMtuState, PathMtuView, PeerView};
use bridge_model::wire::bfd::{Diagnostic, State};

use super::*;
use crate::protocol::Conflict;
use crate::testing::shared as host;

const SITE: &str = "\
hosts:
  - name: gw-a
    vtep: 192.0.2.1
    underlay: [{interface: up0, vlan: 40, addresses: [192.0.2.1/24]}]
  - {name: gw-b, vtep: 192.0.2.2, underlay: [{interface: up0, addresses: [192.0.2.2/24]}]}
bridges: [{name: web, vni: 5001}]
tunnelZones: [{name: dc, kind: vxlan, hosts: [gw-a, gw-b]}]
tunnels: [{name: far, zone: dc, remote: 198.51.100.9, bridges: [web]}]
accessPorts:
  - {name: a1, bridge: web, host: gw-a, interface: vm1}
  - {name: a2, bridge: web, host: gw-a, interface: vm2}
  - {name: b1, bridge: web, host: gw-b, interface: vm1}
";

const NOW: Duration = Duration::from_secs(100);

fn shared() -> Shared {
    host(SITE, &["up0", "vm1", "vm2"])
}

fn neighbor(state: NeighborState, since: u64) -> NeighborView {
    let ip = "192.0.2.2".parse().unwrap();
    let mac = (state == NeighborState::Reachable).then_some(MacAddr::new([2, 0, 0, 0, 0, 2]));
    NeighborView { link: UnderlayId(0), ip, state, mac, since: Duration::from_secs(since) }
}

fn show(shared: &Shared, neighbors: Vec<NeighborView>) {
    shared.protocols.put(ProtocolView { neighbors, ..ProtocolView::default() });
}

/// The conditions of the overlay, as `REASON object`.
#[track_caller]
fn found(shared: &Shared) -> Vec<Condition> {
    let mut list = Vec::new();
    conditions(shared, &shared.site(), NOW, &mut list);
    list
}

fn words(shared: &Shared) -> Vec<String> {
    found(shared).iter().map(|c| format!("{} {}", c.reason.word(), c.object)).collect()
}

const TOO_SMALL: &str = "PATH_MTU bridges/web";

#[test]
fn a_bridge_whose_ports_take_more_than_its_tunnels_is_named_with_both_numbers() {
    let shared = shared();
    show(&shared, vec![neighbor(NeighborState::Reachable, 0)]);

    let conditions = found(&shared);

    assert_eq!(words(&shared), [TOO_SMALL]);
    for part in ["a1 and 1 more", "1500", "1450", "1550"] {
        assert!(conditions[0].message.contains(part), "{part} in {}", conditions[0].message);
    }
}

#[test]
fn a_next_hop_is_reported_when_it_had_time_to_answer() {
    let shared = shared();
    let silent = "NEIGHBOR_UNRESOLVED underlay/%up0:40/192.0.2.2";
    for (state, since, is_reported) in [
        (NeighborState::Incomplete, 98, false),
        (NeighborState::Incomplete, 97, true),
        (NeighborState::Failed, 100, true),
        (NeighborState::Reachable, 0, false),
    ] {
        show(&shared, vec![neighbor(state, since)]);
        assert_eq!(words(&shared).contains(&silent.to_owned()), is_reported, "{state:?} {since}");
    }
    show(&shared, vec![neighbor(NeighborState::Failed, 0)]);
    let message = &found(&shared)[0].message;
    assert!(message.contains("1 tunnels lead by it, 1 of them"), "{message}");
}

#[test]
fn a_peer_that_is_down_says_why() {
    let shared = shared();
    let mut site = SiteView::clone(&shared.site());
    site.view.peers_down.insert("gw-b".parse().unwrap());
    shared.set_site(Arc::new(site));
    let session = BfdView {
        state: State::Down,
        diagnostic: Diagnostic::TIME_EXPIRED,
        remote_state: State::Up,
        remote_diagnostic: Diagnostic::NONE,
        hops: Hops::Single,
        local_discriminator: 1,
        remote_discriminator: 2,
        transmit_interval: Duration::from_secs(1),
        detection_time: None,
        ups: 1,
        last_change: Duration::ZERO,
        peer_is_up: false,
    };
    let path_mtu = PathMtuView { mtu: 1500, link_mtu: 1500, state: PathMtuState::Unknown };
    let peer = PeerView { name: "gw-b".parse().unwrap(), bfd: Some(session), path_mtu };
    shared.protocols.put(ProtocolView { peers: vec![peer], ..ProtocolView::default() });

    let conditions = found(&shared);

    assert_eq!(words(&shared)[0], "TUNNEL_DOWN hosts/gw-b");
    let message = &conditions[0].message;
    assert_eq!(message, "BFD with 192.0.2.2: nothing was heard for the detection time");
}

#[test]
fn a_conflict_names_the_other_station() {
    let shared = shared();
    let conflict = Conflict {
        link: "up0".parse().unwrap(),
        address: "192.0.2.1".parse().unwrap(),
        mac: MacAddr::new([2, 0, 0, 0, 0, 9]),
        at: NOW,
    };
    shared.protocols.put(ProtocolView { conflicts: vec![conflict], ..ProtocolView::default() });

    assert_eq!(words(&shared)[0], "ADDRESS_CONFLICT underlay/up0/192.0.2.1");
    let message = &found(&shared)[0].message;
    assert_eq!(message, "02:00:00:00:00:09 on up0 uses 192.0.2.1 as well");
}

#[test]
fn a_tunnel_without_a_route_is_named() {
    let shared = shared();
    let conditions = crate::diagnosis::conditions(&shared, Duration::ZERO);
    let words: Vec<_> = conditions.iter().map(|c| (c.reason.word(), c.object.as_str())).collect();
    assert!(words.contains(&("TUNNEL_NO_ROUTE", "tunnels/far")), "{words:?}");
}
