//! `GetStatus`: what an operator has to know, worst thing first.

use std::time::Duration;

use bridge_model::compile::PeerTable;
use proto::v1;
use proto::v1::status::Health;

use super::{duration, timestamp};
use crate::condition::{Condition, Severity, Since};
use crate::diagnosis::{self, STALLED};
use crate::peers::{self, PeerState};
use crate::ports::PortState;
use crate::shared::{Observed, Reading, Shared, SiteView};
use crate::workers::WorkerView;

/// A condition on the wire.
pub(super) fn condition(condition: &Condition, since: &Since, now: Duration) -> v1::Condition {
    let severity = match condition.reason.severity() {
        Severity::Info => v1::condition::Severity::Info,
        Severity::Warning => v1::condition::Severity::Warning,
        Severity::Error => v1::condition::Severity::Error,
    };
    v1::Condition {
        severity: severity.into(),
        reason: condition.reason.word().to_owned(),
        object: condition.object.clone(),
        message: condition.message.clone(),
        effect: condition.reason.effect().to_owned(),
        remedy: condition.reason.remedy().to_owned(),
        duration: Some(duration(now.saturating_sub(since.of(now, condition)))),
    }
}

fn health(conditions: &[Condition]) -> Health {
    match conditions.iter().map(|condition| condition.reason.severity()).max() {
        None | Some(Severity::Info) => Health::Ok,
        Some(Severity::Warning) => Health::Degraded,
        Some(Severity::Error) => Health::Failed,
    }
}

fn rates(observed: &Observed) -> v1::Rates {
    let rate = |of: fn(&fwd::counters::Accounting) -> u64| {
        observed.window.per_second(|reading: &Reading| of(&reading.total.accounting()))
    };
    v1::Rates {
        received: rate(|a| a.received),
        sent: rate(|a| a.sent),
        dropped: rate(|a| a.dropped),
    }
}

fn worker((at, view): (usize, &WorkerView), observed: &Observed) -> v1::Worker {
    let cycles = |of: fn(&(u64, u64)) -> u64| {
        observed.window.per_second(|reading| reading.cycles.get(at).map_or(0, of))
    };
    let (busy, all) = (cycles(|(busy, _)| *busy), cycles(|(_, all)| *all));
    let silent = view.silent_for();
    v1::Worker {
        index: view.index,
        cpu: view.cpu,
        interfaces: view.interfaces.iter().map(ToString::to_string).collect(),
        epoch: view.epoch().0,
        revision: view.revision().0,
        busy_ratio: if all > 0.0 { (busy / all).clamp(0.0, 1.0) } else { 0.0 },
        last_seen: Some(duration(silent)),
        stalled: silent >= STALLED,
        poll_gap_max: Some(duration(view.poll_gap_max())),
        isa: view.isa.to_owned(),
    }
}

fn mac_table(shared: &Shared) -> v1::MacTableStatus {
    let learning = shared.learning.lock();
    let statistics = learning.learner.statistics();
    v1::MacTableStatus {
        entries: statistics.entries,
        static_entries: statistics.statics,
        capacity: statistics.capacity,
        memory_octets: statistics.octets,
        refused: learning.refused,
    }
}

/// How many far ends of tunnels there are; `None` on a host without.
fn peers(shared: &Shared, site: &SiteView) -> Option<v1::PeerCount> {
    let all = &site.tables.underlay.peers;
    if all.is_empty() {
        return None;
    }
    let seen = shared.protocols.get();
    let is_up = |peer: &&PeerTable| peers::state(&site.view, &seen, peer) == PeerState::Up;
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let smallest = site.tables.fids.iter().filter_map(|fid| fid.tunnel_mtu).min();
    Some(v1::PeerCount {
        total: count(all.len()),
        up: count(all.iter().filter(is_up).count()),
        effective_mtu_min: smallest.unwrap_or_default().into(),
    })
}

/// The state of this host.
pub(super) fn status(shared: &Shared) -> v1::Status {
    let now = shared.now();
    let site = shared.site();
    let conditions = diagnosis::conditions(shared, now);
    let mac_table = mac_table(shared);
    let observed = shared.observed.lock();
    let workers: Vec<_> =
        shared.workers.iter().enumerate().map(|at| worker(at, &observed)).collect();
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let is_up = |state: PortState| matches!(state, PortState::Forwarding | PortState::Standby);
    let up = site.ports.iter().filter(|port| is_up(port.state)).count();
    let mut bridges: Vec<_> =
        site.tables.fids.iter().filter_map(|fid| fid.owner.as_ref()).collect();
    bridges.sort();
    bridges.dedup();
    bridges.retain(|name| site.topology.bridges.contains_key(*name));
    v1::Status {
        health: health(&conditions).into(),
        conditions: conditions.iter().map(|c| condition(c, &observed.since, now)).collect(),
        host: shared.host.name.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        start_time: Some(timestamp(shared.clock.started())),
        uptime: Some(duration(now)),
        revision: site.revision.0,
        applied_revision: workers
            .iter()
            .map(|worker| worker.revision)
            .min()
            .unwrap_or(site.revision.0),
        workers,
        mac_table: Some(mac_table),
        ports: Some(v1::PortCount { total: count(site.ports.len()), up: count(up) }),
        bridge_count: count(bridges.len()),
        vlan_link_count: count(site.topology.vlan_links.len()),
        node_file: shared.host.node_file.clone(),
        site_file: shared.host.site_file.clone(),
        notes: shared.host.notes.clone(),
        rates: Some(rates(&observed)),
        peers: peers(shared, &site),
    }
}
