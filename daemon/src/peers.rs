//! The far ends of this host's tunnels: what the tables say, and what the protocols see of them.

use std::collections::BTreeSet;

use bridge_model::compile::{HostView, MemberRoute, PathTable, PeerTable, Tables};
use bridge_model::topology::{Kind, ObjectRef, Topology};
use bridge_model::types::{Name, PeerId};

use crate::protocol::ProtocolView;

/// Whether frames are sent to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerState {
    /// They are.
    Up,
    /// BFD says that it is out of reach.
    Down,
    /// No next hop towards it answers.
    Unresolved,
    /// Nothing leads to it.
    NoRoute,
}

/// The object that a peer is: a host or a tunnel.
pub fn object(topology: &Topology, name: &Name) -> ObjectRef {
    let kind = if topology.tunnels.contains_key(name) { Kind::Tunnel } else { Kind::Host };
    ObjectRef::new(kind, name)
}

/// Whether the MAC address of the neighbour that a path leads by is known.
pub fn is_resolved(seen: &ProtocolView, path: &PathTable) -> bool {
    seen.neighbor(path.link, path.next_hop).is_some_and(|neighbor| neighbor.mac.is_some())
}

/// Whether frames are sent to `peer`.
pub fn state(view: &HostView, seen: &ProtocolView, peer: &PeerTable) -> PeerState {
    if peer.paths.is_empty() {
        PeerState::NoRoute
    } else if view.peers_down.contains(&peer.name) {
        PeerState::Down
    } else if peer.paths.iter().any(|path| is_resolved(seen, path)) {
        PeerState::Up
    } else {
        PeerState::Unresolved
    }
}

/// The bridges that each peer takes part in here, by [`PeerId`]; of one that is down, those that it
/// would take part in are not known.
pub fn bridges(tables: &Tables) -> Vec<BTreeSet<Name>> {
    let mut bridges = vec![BTreeSet::new(); tables.underlay.peers.len()];
    for fid in &tables.fids {
        let Some(owner) = &fid.owner else { continue };
        for member in &fid.members {
            if let MemberRoute::Tunnel { peer: PeerId(index), .. } = member.route
                && let Some(set) = bridges.get_mut(usize::from(index))
                && !set.contains(owner)
            {
                set.insert(owner.clone());
            }
        }
    }
    bridges
}

/// The effective MTU of a bridge: the largest layer 3 packet, in octets, that all its tunnels carry;
/// `None` without tunnels.
pub fn effective_mtu(tables: &Tables, bridge: &Name) -> Option<u16> {
    let fids = tables.fids.iter().filter(|fid| fid.owner.as_ref() == Some(bridge));
    fids.filter_map(|fid| fid.tunnel_mtu).min()
}
