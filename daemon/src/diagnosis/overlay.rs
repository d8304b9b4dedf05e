//! What can be wrong with tunnels and the underlay.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use bridge_model::compile::{MemberRoute, PathTable};
use bridge_model::types::{Name, UnderlayId};
use bridge_model::underlay::{NeighborState, NeighborView};

use crate::condition::{Condition, Reason};
use crate::interface::{Interface, Presence};
use crate::peers;
use crate::protocol::{ProtocolView, diagnostic_text};
use crate::shared::{Shared, SiteView};

/// A neighbour that is asked for the first time has this long to answer before it is reported.
const FIRST_ANSWER: Duration = Duration::from_secs(3);

/// Every condition of the overlay.
pub(super) fn conditions(
    shared: &Shared,
    site: &SiteView,
    now: Duration,
    list: &mut Vec<Condition>,
) {
    let seen = shared.protocols.get();
    links(shared, site, list);
    down(site, &seen, list);
    unresolved(site, &seen, now, list);
    conflicts(&seen, list);
    path_mtus(site, list);
}

fn link_name(site: &SiteView, link: UnderlayId) -> Option<Name> {
    let link = site.tables.underlay.links.get(link.index())?;
    let interface = site.view.interface(link.interface)?;
    Some(Name::of_underlay(&interface.name, link.vlan))
}

/// Underlay links without carrier.
fn links(shared: &Shared, site: &SiteView, list: &mut Vec<Condition>) {
    for (at, link) in (0_u16..).zip(&site.tables.underlay.links) {
        let Some(interface) = shared.interfaces.get(link.interface.index()) else { continue };
        // A device that is not there has a condition of its own.
        if interface.presence() != Presence::Present || Interface::is_up(interface) {
            continue;
        }
        let Some(name) = link_name(site, UnderlayId(at)) else { continue };
        let message = format!("underlay interface {} has no carrier", interface.name);
        list.push(Condition::new(Reason::LinkDown, name.as_str(), message));
    }
}

fn down(site: &SiteView, seen: &ProtocolView, list: &mut Vec<Condition>) {
    for peer in &site.tables.underlay.peers {
        if !site.view.peers_down.contains(&peer.name) {
            continue;
        }
        let session = seen.peer(&peer.name).and_then(|seen| seen.bfd.as_ref());
        let why = session.map_or("", |session| diagnostic_text(session.diagnostic));
        let why = if why.is_empty() { "it was never heard" } else { why };
        let message = format!("BFD with {}: {why}", peer.remote);
        let object = peers::object(&site.topology, &peer.name).to_string();
        list.push(Condition::new(Reason::TunnelDown, object, message));
    }
}

fn is_silent(neighbor: &NeighborView, now: Duration) -> bool {
    match neighbor.state {
        NeighborState::Failed => true,
        NeighborState::Incomplete => now.saturating_sub(neighbor.since) >= FIRST_ANSWER,
        NeighborState::Reachable | NeighborState::Stale | NeighborState::Probe => false,
    }
}

/// Next hops that do not answer, each with how many peers use it.
fn unresolved(site: &SiteView, seen: &ProtocolView, now: Duration, list: &mut Vec<Condition>) {
    let mut used: BTreeMap<&PathTable, (usize, usize)> = BTreeMap::new();
    for peer in &site.tables.underlay.peers {
        let is_cut_off = !peer.paths.iter().any(|path| peers::is_resolved(seen, path));
        for path in &peer.paths {
            let (users, cut_off) = used.entry(path).or_default();
            *users += 1;
            *cut_off += usize::from(is_cut_off);
        }
    }
    for (path, (users, cut_off)) in used {
        let neighbor = seen.neighbor(path.link, path.next_hop);
        if !neighbor.is_some_and(|neighbor| is_silent(neighbor, now)) {
            continue;
        }
        let Some(link) = link_name(site, path.link) else { continue };
        let asked = match path.next_hop {
            IpAddr::V4(_) => "ARP requests",
            IpAddr::V6(_) => "neighbour solicitations",
        };
        let message = format!(
            "{} does not answer {asked} on {link}; {users} tunnels lead by it, {cut_off} of them \
             have no other way",
            path.next_hop
        );
        let object = format!("underlay/{link}/{}", path.next_hop);
        list.push(Condition::new(Reason::NeighborUnresolved, object, message));
    }
}

fn conflicts(seen: &ProtocolView, list: &mut Vec<Condition>) {
    for conflict in &seen.conflicts {
        let message =
            format!("{} on {} uses {} as well", conflict.mac, conflict.link, conflict.address);
        let object = format!("underlay/{}/{}", conflict.link, conflict.address);
        list.push(Condition::new(Reason::AddressConflict, object, message));
    }
}

/// The packets of one bridge, in octets.
struct Sizes<'s> {
    /// What its tunnels carry.
    tunnels: u16,
    /// Local ports that take larger ones, and what they take.
    ports: BTreeSet<(&'s Name, u16)>,
}

/// Bridges whose local ports take larger packets than their tunnels: one condition for each bridge.
fn path_mtus(site: &SiteView, list: &mut Vec<Condition>) {
    let mut bridges: BTreeMap<&Name, Sizes<'_>> = BTreeMap::new();
    for fid in &site.tables.fids {
        let (Some(owner), Some(tunnels)) = (&fid.owner, fid.tunnel_mtu) else { continue };
        let sizes = bridges.entry(owner).or_insert(Sizes { tunnels, ports: BTreeSet::new() });
        sizes.tunnels = tunnels.min(sizes.tunnels);
        for member in &fid.members {
            let MemberRoute::Port { interface, port, .. } = member.route else { continue };
            let table = site.tables.interfaces.get(interface.index());
            let name = site.tables.ports.get(port.index()).map(|port| &port.name);
            if let (Some(table), Some(name)) = (table, name)
                && table.mtu > tunnels
            {
                sizes.ports.insert((name, table.mtu));
            }
        }
    }
    for (bridge, Sizes { tunnels, ports }) in bridges {
        let Some(most) = ports.iter().map(|(_, mtu)| *mtu).max() else { continue };
        let first = ports.first().map_or("", |(name, _)| name.as_str());
        let others = match ports.len() {
            0 | 1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        let message = format!(
            "port {first}{others}: packets of up to {most} octets come in, and {tunnels} is what the \
             tunnels of the bridge carry; {} on the underlay would do",
            u32::from(most) + u32::from(overhead(site)),
        );
        list.push(Condition::new(Reason::PathMtu, format!("bridges/{bridge}"), message));
    }
}

/// What the most costly tunnel of this host adds to a packet, in octets.
fn overhead(site: &SiteView) -> u16 {
    const ETHERNET: u16 = 14;
    let peers = site.tables.underlay.peers.iter();
    peers.map(|peer| peer.overhead() + ETHERNET).max().unwrap_or_default()
}

#[cfg(test)]
mod tests;
