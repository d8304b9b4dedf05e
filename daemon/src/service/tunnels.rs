//! The far ends of tunnels, and where this host joins the underlay.

use std::collections::BTreeSet;
use std::time::Duration;

use bridge_model::compile::{Encapsulation, PathTable, PeerTable, UnderlayLinkTable};
use bridge_model::topology::Kind;
use bridge_model::types::{Name, UnderlayId};
use bridge_model::underlay::{BfdView, Hops, NeighborState, NeighborView};
use fwd::counters::{Owner, PortSnapshot, Snapshot, VidSnapshot};
use proto::failure::Failure;
use proto::{field, v1};

use super::duration;
use super::ports::{counters, rates};
use crate::failures;
use crate::interface::Interface;
use crate::peers::{self, PeerState};
use crate::protocol::{ProtocolView, diagnostic_text};
use crate::shared::{Shared, SiteView};

/// Octets of an Ethernet header without tags.
const ETHERNET: u16 = 14;

/// What all lines of one reply are made from.
struct Sources<'s> {
    shared: &'s Shared,
    site: &'s SiteView,
    seen: &'s ProtocolView,
    total: Snapshot,
    now: Duration,
}

/// What is counted for one port.
struct Counted {
    port: PortSnapshot,
    rates: v1::Rates,
    mac_entries: u64,
}

impl Sources<'_> {
    fn counted(&self, port: &Name) -> Counted {
        let slot = self.site.slots.find(&Owner::Port(port.clone()));
        let learned = |slot| self.shared.learning.lock().learner.learned_by_port(slot);
        Counted {
            port: slot.map_or_else(PortSnapshot::default, |slot| self.total.port(slot)),
            mac_entries: slot.map_or(0, learned),
            rates: rates(&self.shared.observed.lock(), slot),
        }
    }

    fn link_name(&self, link: UnderlayId) -> String {
        self.site.tables.underlay.links.get(link.index()).map_or_else(String::new, |link| {
            let interface = self.site.view.interface(link.interface);
            interface.map_or_else(String::new, |interface| {
                Name::of_underlay(&interface.name, link.vlan).to_string()
            })
        })
    }

    fn next_hop(&self, path: &PathTable) -> v1::NextHop {
        let mac = self.seen.neighbor(path.link, path.next_hop).and_then(|known| known.mac);
        v1::NextHop {
            address: path.next_hop.to_string(),
            link: self.link_name(path.link),
            mac: mac.map(|mac| mac.to_string()).unwrap_or_default(),
        }
    }

    fn session(&self, session: &BfdView) -> v1::Bfd {
        v1::Bfd {
            state: session.state.name().to_owned(),
            remote_state: session.remote_state.name().to_owned(),
            diagnostic: diagnostic_text(session.diagnostic).to_owned(),
            remote_diagnostic: diagnostic_text(session.remote_diagnostic).to_owned(),
            tx_interval: Some(duration(session.transmit_interval)),
            detection_time: session.detection_time.map(duration),
            ups: session.ups,
            duration: Some(duration(self.now.saturating_sub(session.last_change))),
            multihop: session.hops == Hops::Multi,
            local_discriminator: session.local_discriminator,
            remote_discriminator: session.remote_discriminator,
        }
    }

    fn peer(&self, peer: &PeerTable, bridges: &BTreeSet<Name>) -> v1::Peer {
        let topology = &self.site.topology;
        let tunnel = topology.tunnels.get(&peer.name);
        let object = peers::object(topology, &peer.name);
        let zone = match tunnel {
            Some(tunnel) => Some(&tunnel.zone),
            None => topology
                .tunnel_zones
                .values()
                .find(|zone| {
                    zone.hosts.contains(&peer.name) && zone.hosts.contains(&self.site.view.host)
                })
                .map(|zone| &zone.name),
        };
        let role = match object.kind {
            Kind::Tunnel => v1::peer::Role::Foreign,
            _ => v1::peer::Role::Host,
        };
        let state = match peers::state(&self.site.view, self.seen, peer) {
            PeerState::Up => v1::peer::State::Up,
            PeerState::Down => v1::peer::State::Down,
            PeerState::Unresolved => v1::peer::State::Unresolved,
            PeerState::NoRoute => v1::peer::State::NoRoute,
        };
        let kind = match peer.encapsulation {
            Encapsulation::Vxlan { .. } => v1::tunnel_zone::Kind::Vxlan,
            Encapsulation::Gre => v1::tunnel_zone::Kind::Gre,
        };
        let port = Name::of_peer(&peer.name);
        let Counted { port: counted, rates, mac_entries } = self.counted(&port);
        let seen = self.seen.peer(&peer.name);
        v1::Peer {
            name: object.to_string(),
            port: port.to_string(),
            role: role.into(),
            zone: zone.map(ToString::to_string).unwrap_or_default(),
            kind: kind.into(),
            local: peer.local.to_string(),
            remote: peer.remote.to_string(),
            state: state.into(),
            next_hops: peer.paths.iter().map(|path| self.next_hop(path)).collect(),
            mtu: peer.mtu.into(),
            path_mtu: seen.map(|seen| v1::PathMtu {
                mtu: seen.path_mtu.mtu.into(),
                link_mtu: seen.path_mtu.link_mtu.into(),
                state: seen.path_mtu.state.name().to_owned(),
            }),
            inner_mtu: peer.max_frame().saturating_sub(ETHERNET).into(),
            bfd: seen.and_then(|seen| seen.bfd.as_ref()).map(|session| self.session(session)),
            bridges: bridges.iter().map(ToString::to_string).collect(),
            counters: Some(counters(VidSnapshot { rx: counted.rx, tx: counted.tx })),
            dropped_packets: counted.dropped(),
            mac_entries,
            rates: Some(rates),
        }
    }

    fn neighbor(&self, neighbor: &NeighborView) -> v1::UnderlayNeighbor {
        let state = match neighbor.state {
            NeighborState::Incomplete => v1::underlay_neighbor::State::Incomplete,
            NeighborState::Reachable => v1::underlay_neighbor::State::Reachable,
            NeighborState::Stale => v1::underlay_neighbor::State::Stale,
            NeighborState::Probe => v1::underlay_neighbor::State::Probe,
            NeighborState::Failed => v1::underlay_neighbor::State::Failed,
        };
        v1::UnderlayNeighbor {
            address: neighbor.ip.to_string(),
            mac: neighbor.mac.map(|mac| mac.to_string()).unwrap_or_default(),
            state: state.into(),
            duration: Some(duration(self.now.saturating_sub(neighbor.since))),
        }
    }

    fn link(&self, (id, link): (UnderlayId, &UnderlayLinkTable)) -> v1::UnderlayLink {
        let name_of = |id: bridge_model::types::InterfaceId| {
            self.site.view.interface(id).map(|interface| interface.name.to_string())
        };
        let interface = self.shared.interfaces.get(link.interface.index());
        let name = self.link_name(id);
        let counted =
            self.site.tables.ports.get(link.port.index()).map(|port| self.counted(&port.name));
        let neighbors = self.seen.neighbors.iter().filter(|neighbor| neighbor.link == id);
        v1::UnderlayLink {
            name,
            interface: name_of(link.interface).unwrap_or_default(),
            vlan: link.vlan.map(|vlan| vlan.get().into()),
            addresses: link.addresses.iter().map(ToString::to_string).collect(),
            mac: link.mac.to_string(),
            mtu: link.mtu.into(),
            link_up: interface.is_some_and(Interface::is_up),
            kernel: link.kernel.and_then(name_of).unwrap_or_default(),
            neighbors: neighbors.map(|neighbor| self.neighbor(neighbor)).collect(),
            counters: counted
                .as_ref()
                .map(|counted| counters(VidSnapshot { rx: counted.port.rx, tx: counted.port.tx })),
            dropped_packets: counted.as_ref().map_or(0, |counted| counted.port.dropped()),
            rates: counted.map(|counted| counted.rates),
        }
    }
}

/// `ListTunnels`.
pub(super) fn tunnels(
    shared: &Shared,
    request: &v1::ListTunnelsRequest,
) -> Result<v1::ListTunnelsResponse, Failure> {
    let wanted = match request.peer.as_str() {
        "" => None,
        text => Some(field::peer_name("peer", text)?),
    };
    let (site, seen) = (shared.site(), shared.protocols.get());
    let total = shared.reading().total;
    let sources = Sources { shared, site: &site, seen: &seen, total, now: shared.now() };
    let bridges = peers::bridges(&site.tables);
    let peers: Vec<_> = site
        .tables
        .underlay
        .peers
        .iter()
        .zip(&bridges)
        .filter(|(peer, _)| wanted.as_ref().is_none_or(|wanted| *wanted == peer.name))
        .map(|(peer, bridges)| sources.peer(peer, bridges))
        .collect();
    match (wanted, peers.is_empty()) {
        (Some(name), true) => Err(failures::not_found(&format!("tunnel of this host to {name}"))),
        _ => Ok(v1::ListTunnelsResponse { peers, revision: site.revision.0 }),
    }
}

/// `ListUnderlay`.
pub(super) fn underlay(shared: &Shared) -> v1::ListUnderlayResponse {
    let (site, seen) = (shared.site(), shared.protocols.get());
    let total = shared.reading().total;
    let sources = Sources { shared, site: &site, seen: &seen, total, now: shared.now() };
    let links = &site.tables.underlay.links;
    let host = site.topology.hosts.get(&site.view.host);
    let did = seen.statistics;
    v1::ListUnderlayResponse {
        links: (0_u16..).map(UnderlayId).zip(links).map(|link| sources.link(link)).collect(),
        vtep: host
            .into_iter()
            .flat_map(|host| host.vtep.addresses())
            .map(|a| a.to_string())
            .collect(),
        protocols: Some(v1::ProtocolThread {
            lateness_max: Some(duration(did.lateness_max)),
            lateness_recent: Some(duration(did.lateness_recent)),
            frames_received: did.received,
            frames_sent: did.sent,
            frames_lost: did.lost,
            too_big_answers: did.too_big,
            known_neighbors: did.known_neighbors,
            scheduling: did.scheduling.name().to_owned(),
        }),
        revision: site.revision.0,
    }
}
