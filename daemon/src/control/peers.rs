//! What the protocol thread reports about peers, and what becomes of it: the site is compiled again.

use std::collections::BTreeSet;

use bridge_model::compile::{Scope, Tables, UnderlayTable};
use bridge_model::types::{Fid, MacAddr, MemberId, Name};

use super::Control;
use crate::peers;
use crate::protocol::{Facts, Report, diagnostic_text};

impl Control {
    /// Takes the reports that have come, and compiles once for all of them.
    pub(super) fn follow_peers(&mut self) {
        let reports: Vec<Report> = self.protocol.reports().collect();
        if reports.is_empty() {
            return;
        }
        let site = self.shared.site();
        let lost = lost(&reports);
        let mut changed = false;
        for report in reports {
            changed |= self.report(&site.tables, report);
        }
        if changed {
            self.republish(&lost);
        }
    }

    /// Takes one report. True if the tables have to follow.
    fn report(&mut self, tables: &Tables, report: Report) -> bool {
        let is_there = |name: &Name| tables.underlay.peers.iter().any(|peer| peer.name == *name);
        match report {
            Report::PeerDown { name, diagnostic } if is_there(&name) => {
                let bridges = bridge_count(tables, &name);
                let reason = diagnostic_text(diagnostic);
                tracing::error!(peer = %name, reason, bridges, "tunnel is down: its stations are forgotten");
                self.view.peers_down.insert(name)
            }
            Report::PeerUp { name } => {
                let was_down = self.view.peers_down.remove(&name);
                if was_down {
                    tracing::info!(peer = %name, "tunnel is up");
                }
                was_down
            }
            Report::PathMtu { name, mtu } if is_there(&name) => {
                let before = self.view.path_mtus.insert(name.clone(), mtu);
                if before != Some(mtu) {
                    tracing::info!(peer = %name, octets = mtu, "path MTU measured");
                }
                before != Some(mtu) && would_change(&tables.underlay, &name, mtu)
            }
            // It was removed from the site meanwhile.
            Report::PeerDown { .. } | Report::PathMtu { .. } => false,
            Report::Conflict(conflict) => {
                let (link, address, mac) = (conflict.link, conflict.address, conflict.mac);
                tracing::error!(%link, %address, %mac, "another station uses an address of this host");
                false
            }
        }
    }

    /// What is known of peers that the tables do not have any more is forgotten: should they come
    /// back, they begin anew.
    pub(super) fn forget_peers(&mut self, table: &UnderlayTable) {
        let names: BTreeSet<&Name> = table.peers.iter().map(|peer| &peer.name).collect();
        self.view.peers_down.retain(|name| names.contains(name));
        self.view.path_mtus.retain(|name, _| names.contains(name));
    }

    /// Has the protocol thread follow the tables that were just published.
    pub(super) fn tell_protocols(&mut self, tables: &Tables, retired: &[(Fid, MemberId)]) {
        let retired: BTreeSet<(Fid, MemberId)> = retired.iter().copied().collect();
        let withdrawn = retired.difference(&self.retired).map(|(fid, _)| *fid).collect();
        self.retired = retired;
        self.protocol.site(Facts::new(tables, &self.slots, withdrawn));
        self.share_addresses(&tables.underlay);
    }

    /// The kernel takes only frames to its interface's own address: a tap that leads to the kernel
    /// gets that of the link.
    pub(super) fn share_addresses(&self, table: &UnderlayTable) {
        for link in &table.links {
            let Some(kernel) = link.kernel else { continue };
            let Some(interface) = self.shared.interfaces.get(kernel.index()) else { continue };
            if interface.mac() == link.mac || link.mac == MacAddr::ZERO {
                continue;
            }
            match interface.share_mac(link.mac) {
                Ok(true) => {
                    let (name, mac) = (&interface.name, link.mac);
                    tracing::info!(interface = %name, %mac, "tap has the address of its underlay link");
                }
                Ok(false) => {}
                Err(error) => {
                    let name = &interface.name;
                    tracing::error!(interface = %name, %error, "cannot share the address of the underlay link");
                }
            }
        }
    }
}

/// What was learned behind the peers that went down. It is void even if a peer is back before the site
/// is compiled: without this the peer would keep its numbers, and with them its stations.
fn lost(reports: &[Report]) -> Vec<Scope> {
    let down = reports.iter().filter_map(|report| match report {
        Report::PeerDown { name, .. } => Some(name),
        Report::PeerUp { .. } | Report::PathMtu { .. } | Report::Conflict(_) => None,
    });
    down.map(|name| Scope::Port(Name::of_peer(name))).collect()
}

/// In how many bridges a peer takes part.
fn bridge_count(tables: &Tables, name: &Name) -> usize {
    let at = tables.underlay.peers.iter().position(|peer| peer.name == *name);
    at.and_then(|at| peers::bridges(tables).get(at).map(BTreeSet::len)).unwrap_or_default()
}

/// Whether compiling with this path MTU makes other tables.
fn would_change(table: &UnderlayTable, name: &Name, mtu: u16) -> bool {
    let links = |peer: &bridge_model::compile::PeerTable| {
        let links = peer.paths.iter().filter_map(|path| table.links.get(path.link.index()));
        links.map(|link| link.mtu).min()
    };
    let peer = table.peers.iter().find(|peer| peer.name == *name);
    peer.is_some_and(|peer| links(peer).is_some_and(|most| most.min(mtu) != peer.mtu))
}
