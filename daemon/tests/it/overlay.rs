//! Two gateways back to back: their underlay interfaces are the two ends of one veth pair.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use proto::v1;
use proto::v1::peer::State;

use crate::client::Client;
use crate::frames::{ALL, frame, number, station, text};
use crate::gateway::{Gateway, enter_new_namespaces, ip, wait_for};
use crate::packets;
use crate::wire::Wire;

/// Five packets of BFD in a row may be lost.
const SITE: &str = "\
hosts:
  - name: gw-a
    vtep: [192.0.2.1, \"2001:db8::1\"]
    underlay: [{interface: ua, addresses: [192.0.2.1/24, \"2001:db8::1/64\"]}]
  - name: gw-b
    vtep: [192.0.2.2, \"2001:db8::2\"]
    underlay: [{interface: ub, addresses: [192.0.2.2/24, \"2001:db8::2/64\"]}]
bridges: [{name: web, vni: 5001}]
tunnelZones: [{name: dc, kind: KIND, hosts: [gw-a, gw-b], ipVersion: FAMILY, bfd: {interval: INTERVAL, multiplier: 5}}]
accessPorts:
  - {name: a1, bridge: web, host: gw-a, interface: va}
  - {name: b1, bridge: web, host: gw-b, interface: vb}
";

fn site(kind: &str, family: &str) -> String {
    // Long enough that a busy machine does not look like a dead one.
    SITE.replace("KIND", kind).replace("FAMILY", family).replace("INTERVAL", INTERVAL)
}

const INTERVAL: &str = "500ms";

fn interfaces(guest: &str, underlay: &str) -> String {
    [guest, underlay]
        .map(|name| format!("[interfaces.{name}]\nkind = \"af_packet\"\nmtu = 1500\n"))
        .concat()
}

/// Both gateways, and the far ends of their guests' cables.
struct Pair {
    a: Gateway,
    b: Gateway,
    at_a: Client,
    at_b: Client,
    guest_a: Wire,
    guest_b: Wire,
}

impl Pair {
    #[track_caller]
    fn start(site: &str) -> Self {
        enter_new_namespaces();
        let (guest_a, guest_b) = (Wire::cable("va", "pa"), Wire::cable("vb", "pb"));
        drop(Wire::cable("ua", "ub"));
        let mut a = Gateway::named("gw-a", &interfaces("va", "ua"));
        let mut b = Gateway::named("gw-b", &interfaces("vb", "ub"));
        for gateway in [&a, &b] {
            fs::write(gateway.site(), site).unwrap();
        }
        let (at_a, at_b) = (a.start(), b.start());
        at_a.wait_forwarding(1);
        at_b.wait_forwarding(1);
        let pair = Self { a, b, at_a, at_b, guest_a, guest_b };
        pair.wait_up();
        pair
    }

    #[track_caller]
    fn wait_up(&self) -> [v1::Peer; 2] {
        [&self.at_a, &self.at_b].map(|client| client.wait_peer(State::Up, "up"))
    }

    /// Sends frames of both guests to each other until both are known on both hosts.
    #[track_caller]
    fn introduce(&self) {
        self.guest_a.send(&frame(ALL, station(1), 1));
        assert_eq!(number(&self.guest_b.expect()), 1);
        self.guest_b.send(&frame(station(1), station(2), 2));
        assert_eq!(number(&self.guest_a.expect()), 2);
        for client in [&self.at_a, &self.at_b] {
            wait_for("both stations", || (client.mac_lines().len() == 2).then_some(()));
        }
    }

    #[track_caller]
    fn stop(self) {
        for client in [&self.at_a, &self.at_b] {
            assert_eq!(client.accounting().difference, 0);
        }
        self.a.stop();
        self.b.stop();
    }
}

#[track_caller]
fn check_pair(kind: &str, family: &str, inner_mtu: u32) {
    let pair = Pair::start(&site(kind, family));

    pair.introduce();

    let (one, two) = (text(station(1)), text(station(2)));
    let lines = [format!("web {one} a1"), format!("web {two} @gw-b")];
    assert_eq!(pair.at_a.mac_lines(), lines);
    let lines = [format!("web {one} @gw-a"), format!("web {two} b1")];
    assert_eq!(pair.at_b.mac_lines(), lines);
    let peer = wait_for("the counters", || {
        let peer = pair.at_a.tunnels().remove(0);
        let counters = peer.counters.unwrap();
        ((counters.rx_packets, counters.tx_packets) == (1, 1)).then_some(peer)
    });
    assert_eq!((&*peer.name, &*peer.port, &*peer.zone), ("hosts/gw-b", "@gw-b", "dc"));
    assert_eq!((peer.mtu, peer.inner_mtu, peer.mac_entries), (1500, inner_mtu, 1));
    assert_eq!(peer.bridges, ["web"]);
    let link = pair.at_a.underlay().links.remove(0);
    assert_eq!((&*link.name, link.link_up), ("%ua", true));
    let neighbor = &link.neighbors[0];
    assert_eq!(neighbor.address, peer.next_hops[0].address);
    assert_eq!(neighbor.mac, pair.at_b.underlay().links[0].mac);
    let status = pair.at_a.status();
    let peers = status.peers.unwrap();
    assert_eq!((peers.total, peers.up, peers.effective_mtu_min), (1, 1, inner_mtu));
    let request = v1::GetResourceRequest { name: "bridges/web".to_owned() };
    let bridge = pair.at_a.config(|mut c| async move { c.get_resource(request).await }).unwrap();
    assert_eq!(bridge.status.unwrap().effective_mtu, Some(inner_mtu));
    let too_large = ("PATH_MTU".to_owned(), "bridges/web".to_owned());
    assert!(pair.at_a.conditions().contains(&too_large), "the guests' interfaces take 1500 octets");
    pair.stop();
}

#[test]
fn two_gateways_carry_a_bridge_by_vxlan_over_ipv4() {
    check_pair("vxlan", "ipv4", 1450);
}

#[test]
fn two_gateways_carry_a_bridge_by_vxlan_over_ipv6() {
    check_pair("vxlan", "ipv6", 1430);
}

#[test]
fn two_gateways_carry_a_bridge_by_gre_over_ipv4() {
    check_pair("gre", "ipv4", 1458);
}

#[test]
fn two_gateways_carry_a_bridge_by_gre_over_ipv6() {
    check_pair("gre", "ipv6", 1438);
}

#[test]
fn the_underlay_can_sit_on_a_vlan() {
    let site = site("vxlan", "ipv4");
    let tagged = site
        .replace("interface: ua,", "interface: ua, vlan: 40,")
        .replace("interface: ub,", "interface: ub, vlan: 40,");
    assert_ne!(tagged, site);
    let pair = Pair::start(&tagged);

    pair.introduce();

    let link = pair.at_a.underlay().links.remove(0);
    assert_eq!((&*link.name, link.vlan), ("%ua:40", Some(40)));
    pair.stop();
}

#[test]
fn a_peer_that_dies_is_out_of_the_flood_list_with_its_stations_and_comes_back() {
    let mut pair = Pair::start(&site("vxlan", "ipv4").replace(INTERVAL, "200ms"));
    pair.introduce();
    let sent = |pair: &Pair| pair.at_a.tunnels()[0].counters.unwrap().tx_packets;

    pair.b.signal(Signal::SIGKILL);
    pair.b.wait();
    let died = Instant::now();
    let peer = pair.at_a.wait_peer(State::Down, "down");
    // A second of silence is borne; the rest is for a busy machine.
    assert!(died.elapsed() < Duration::from_secs(5), "{:?}", died.elapsed());

    assert_eq!(peer.bfd.unwrap().diagnostic, "nothing was heard for the detection time");
    let conditions = pair.at_a.conditions();
    assert!(conditions.contains(&("TUNNEL_DOWN".to_owned(), "hosts/gw-b".to_owned())));
    wait_for("its stations to be forgotten", || {
        (pair.at_a.mac_lines() == [format!("web {} a1", text(station(1)))]).then_some(())
    });
    let before = sent(&pair);
    pair.guest_a.send(&frame(ALL, station(1), 3));
    wait_for("the frame to be dropped", || {
        let drops = pair.at_a.drops();
        drops.iter().any(|d| d.reason == "no_destination" && d.frames == 1).then_some(())
    });
    assert_eq!(sent(&pair), before);
    assert!(pair.a.log().contains("tunnel is down"), "{}", pair.a.log());

    pair.at_b = pair.b.start();
    pair.at_b.wait_forwarding(1);
    let [from_a, _] = pair.wait_up();
    assert_eq!(from_a.bfd.unwrap().ups, 2);
    pair.guest_a.send(&frame(ALL, station(1), 4));
    assert_eq!(number(&pair.guest_b.expect()), 4);
    pair.stop();
}

impl Pair {
    /// Applies a whole site to the first host.
    #[track_caller]
    fn apply(&self, site: &str) {
        let document = site.to_owned();
        let request = v1::ApplyRequest { document, prune: true, ..Default::default() };
        assert!(self.at_a.apply(request).unwrap().programmed);
    }
}

#[test]
fn a_change_of_the_site_leaves_sessions_and_neighbours_alone() {
    let before = site("vxlan", "ipv4");
    let pair = Pair::start(&before);
    pair.introduce();
    let [was, _] = pair.wait_up().map(|peer| peer.bfd.unwrap());

    let bridges = "bridges: [{name: web, vni: 5001}, {name: db, vni: 5002}]";
    let after = before.replace("bridges: [{name: web, vni: 5001}]", bridges);
    pair.apply(&after.replace("accessPorts:\n", "accessPorts:\n  - {name: a2, bridge: db}\n"));

    let [peer, _] = pair.wait_up();
    let is = peer.bfd.unwrap();
    assert_eq!((is.ups, is.local_discriminator), (was.ups, was.local_discriminator));
    assert_eq!(pair.at_a.mac_lines().len(), 2, "what was learned stays");
    pair.guest_a.send(&frame(station(2), station(1), 5));
    assert_eq!(number(&pair.guest_b.expect()), 5);
    pair.stop();
}

#[test]
fn a_peer_that_is_down_is_used_again_when_nobody_watches_it_any_more() {
    let before = site("vxlan", "ipv4");
    let mut pair = Pair::start(&before);
    pair.b.signal(Signal::SIGTERM);
    pair.b.wait();
    pair.at_a.wait_peer(State::Down, "down");

    let watched = "bfd: {interval: 500ms, multiplier: 5}";
    assert!(before.contains(watched));
    pair.apply(&before.replace(watched, "bfd: off"));

    let state = wait_for("the peer not to be down", || {
        Some(pair.at_a.tunnels().remove(0)).filter(|peer| peer.state() != State::Down)
    });
    assert_eq!(state.bfd, None);
    assert!(!pair.at_a.conditions().iter().any(|(reason, _)| reason == "TUNNEL_DOWN"));
    assert_eq!(state.bridges, ["web"], "it is in the flood list again");
    pair.a.stop();
}

#[test]
fn a_gateway_that_stops_takes_leave() {
    let mut pair = Pair::start(&site("vxlan", "ipv4"));

    pair.b.signal(Signal::SIGTERM);
    pair.b.wait();

    let peer = pair.at_a.wait_peer(State::Down, "down");
    let bfd = peer.bfd.unwrap();
    assert_eq!(
        (&*bfd.remote_state, &*bfd.diagnostic),
        ("admin-down", "the other side says that it is down")
    );
    pair.a.stop();
}

#[test]
fn a_link_that_goes_down_takes_its_peers_with_it_and_brings_them_back() {
    let pair = Pair::start(&site("vxlan", "ipv4"));
    pair.introduce();

    // One end down takes the carrier off both.
    ip("link set ub down");
    wait_for("no route", || {
        let conditions = pair.at_a.conditions();
        let has = |reason: &str, object: &str| {
            conditions.contains(&(reason.to_owned(), object.to_owned()))
        };
        (has("LINK_DOWN", "%ua") && has("TUNNEL_NO_ROUTE", "hosts/gw-b")).then_some(())
    });

    ip("link set ub up");
    pair.wait_up();
    pair.introduce();
    pair.stop();
}

#[test]
fn the_sender_of_a_packet_that_is_too_big_for_the_tunnel_is_told() {
    let pair = Pair::start(&site("vxlan", "ipv4"));
    pair.introduce();
    let big = packets::udp(1000, 2000, &[0x5a; 1500 - 28]);
    let ends = ([10, 0, 0, 1], [10, 0, 0, 2]);
    let packet = packets::ipv4((station(2), station(1)), ends, 17, &big);
    assert_eq!(packet.len(), 1514);

    pair.guest_a.send(&packet);

    let answer = pair.guest_a.expect_where(|frame| frame.get(23) == Some(&1));
    assert_eq!((&answer[..6], &answer[6..12]), (&station(1)[..], &station(2)[..]));
    assert_eq!(answer[26..34], [10, 0, 0, 2, 10, 0, 0, 1]);
    let (kind, mtu) = (&answer[34..36], u16::from_be_bytes([answer[40], answer[41]]));
    assert_eq!((kind, mtu), (&[3, 4][..], 1450), "fragmentation needed");
    wait_for("the answer to be shown", || {
        (pair.at_a.underlay().protocols?.too_big_answers == 1).then_some(())
    });
    // What fits the tunnel exactly passes.
    let most = packets::udp(1000, 2000, &[0x5a; 1450 - 28]);
    let packet = packets::ipv4((station(2), station(1)), ends, 17, &most);
    pair.guest_a.send(&packet);
    assert_eq!(pair.guest_b.expect_where(|frame| frame.len() > 1000), packet);
    pair.stop();
}

#[test]
fn with_suppression_a_request_for_a_known_neighbour_does_not_cross_the_tunnel() {
    let with = "bridges: [{name: web, vni: 5001, neighborSuppression: true}]";
    let site = site("vxlan", "ipv4").replace("bridges: [{name: web, vni: 5001}]", with);
    let pair = Pair::start(&site);
    let (ip_a, ip_b) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    let (a, b) = ((station(1), ip_a), (station(2), ip_b));
    let request = packets::arp(ALL, false, a, ([0; 6], ip_b));
    let reply = packets::arp(station(1), true, b, a);

    pair.guest_a.send(&request);
    assert_eq!(pair.guest_b.expect(), request);
    pair.guest_b.send(&reply);
    assert_eq!(pair.guest_a.expect(), reply);
    wait_for("both neighbours to be known", || {
        (pair.at_a.underlay().protocols?.known_neighbors == 2).then_some(())
    });

    pair.guest_a.send(&request);
    assert_eq!(pair.guest_a.expect(), reply, "answered where it arrived");
    pair.guest_a.send(&frame(ALL, station(1), 9));
    assert_eq!(number(&pair.guest_b.expect()), 9, "the request is not before it");

    // A flush forgets who has which address, too: the request crosses again.
    let scope = v1::flush_macs_request::Scope::Bridge("web".to_owned());
    let request_to_flush = v1::FlushMacsRequest { scope: Some(scope) };
    pair.at_a.state(|mut c| async move { c.flush_macs(request_to_flush).await }).unwrap();
    wait_for("the neighbours to be forgotten", || {
        pair.guest_a.send(&request);
        pair.guest_b.receive()
    });
    pair.stop();
}
