//! From what is known to what an operator has to know.

mod overlay;

use std::collections::BTreeMap;
use std::time::Duration;

use bridge_model::compile::Note;
use bridge_model::reason::{DropReason, Severity};
use bridge_model::types::Name;
use bridge_model::wire;
use fwd::counters::{Owner, PortSlot};

use crate::condition::{Condition, Reason, sort};
use crate::interface::Presence;
use crate::ports::PortState;
use crate::shared::{FileState, Observed, Shared, SiteView};

/// A worker that was not seen for this long is stalled. A busy one shows itself every few
/// microseconds, an idle one every millisecond.
pub const STALLED: Duration = Duration::from_secs(1);

/// A spanning tree frame on an access port is of interest for this long: three times the longest
/// hello time (10 s, IEEE 802.1D-1998 table 8-3), so that the condition stays while a bridge is there.
const BPDU_QUIET: Duration = Duration::from_secs(30);

/// The object of conditions that concern no single object.
const HOST: &str = "host";

/// Every condition of this host, worst first.
pub fn conditions(shared: &Shared, now: Duration) -> Vec<Condition> {
    let site = shared.site();
    let observed = shared.observed.lock();
    let mut list = Vec::new();
    workers(shared, &site, now, &mut list);
    file(shared, &observed, &mut list);
    interfaces(shared, &observed, &mut list);
    ports(&site, &mut list);
    notes(&site, &mut list);
    overlay::conditions(shared, &site, now, &mut list);
    drops(&site, &observed, &mut list);
    bpdus_on_access(&site, &observed, now, &mut list);
    overload(&observed, &mut list);
    drop(observed);
    mac_table(shared, &mut list);
    sort(&mut list);
    list
}

fn workers(shared: &Shared, site: &SiteView, now: Duration, list: &mut Vec<Condition>) {
    let mut difference = 0;
    for worker in &shared.workers {
        let silent = worker.silent_for();
        if silent >= STALLED {
            let message = format!(
                "worker {} on CPU {} was last seen {:.1} s ago",
                worker.index,
                worker.cpu,
                silent.as_secs_f64()
            );
            let object = format!("workers/{}", worker.index);
            list.push(Condition::new(Reason::WorkerStalled, object, message));
        } else if worker.epoch() < site.epoch && !is_fresh(site, now) {
            let message = format!(
                "worker {} runs generation {} of the tables, the newest is {}",
                worker.index,
                worker.epoch(),
                site.epoch
            );
            let object = format!("workers/{}", worker.index);
            list.push(Condition::new(Reason::NotProgrammed, object, message));
        }
        difference += worker.counters.snapshot().accounting().difference();
    }
    if difference != 0 {
        let message = format!("the accounting difference is {difference} frames");
        list.push(Condition::new(Reason::AccountingDifference, HOST, message));
    }
}

/// The site was published a moment ago, so a worker may still be about to take it.
fn is_fresh(site: &SiteView, now: Duration) -> bool {
    now.saturating_sub(site.published) < STALLED
}

fn file(shared: &Shared, observed: &Observed, list: &mut Vec<Condition>) {
    let path = &shared.host.site_file;
    match &observed.file {
        FileState::InForce => {}
        FileState::Missing => {
            let message = format!("{path} does not exist");
            list.push(Condition::new(Reason::SiteFileMissing, HOST, message));
        }
        FileState::Edited => {
            let message = format!("{path} was edited and not loaded");
            list.push(Condition::new(Reason::SiteFileEdited, HOST, message));
        }
        FileState::Refused(why) => {
            list.push(Condition::new(Reason::SiteRefused, HOST, why.clone()));
        }
    }
    if let Some(error) = &observed.state_error {
        list.push(Condition::new(Reason::StateNotWritable, HOST, error.clone()));
    }
}

fn interfaces(shared: &Shared, observed: &Observed, list: &mut Vec<Condition>) {
    for (index, interface) in shared.interfaces.iter().enumerate() {
        let object = format!("interfaces/{}", interface.name);
        match interface.presence() {
            Presence::Present => {}
            Presence::Absent(why) => {
                list.push(Condition::new(Reason::InterfaceAbsent, object, why));
                continue;
            }
            Presence::Vanished => {
                let message = format!("the {} device has vanished", interface.kind);
                list.push(Condition::new(Reason::InterfaceGone, object, message));
                continue;
            }
        }
        let missed = |reading: &crate::shared::Reading| {
            reading.missed.get(index).copied().unwrap_or_default()
        };
        let rate = observed.window.per_second(missed);
        if rate > 0.0 {
            let message = format!("{rate:.0} frames/s are lost before a worker sees them");
            list.push(Condition::new(Reason::ReceiveMissed, object, message));
        }
    }
}

fn ports(site: &SiteView, list: &mut Vec<Condition>) {
    for port in &site.ports {
        let (reason, message) = match port.state {
            // A port that waits is named by the device that is not there, or by a note.
            PortState::Forwarding | PortState::Waiting => continue,
            PortState::LinkDown => {
                (Reason::LinkDown, format!("interface {} has no carrier", port.interface))
            }
            PortState::AdminDown => {
                (Reason::AdminDown, "it, or what it belongs to, is set to `admin: down`".to_owned())
            }
            PortState::Standby => {
                (Reason::Standby, format!("other trunks of {} forward all its VLANs", port.bridge))
            }
        };
        list.push(Condition::new(reason, port.object().to_string(), message));
    }
}

fn notes(site: &SiteView, list: &mut Vec<Condition>) {
    for note in &site.notes {
        let (reason, object) = match note {
            Note::HostUnknown { .. } => (Reason::HostUnknown, HOST.to_owned()),
            Note::Waiting { port, .. } => (Reason::PortWaiting, port.to_string()),
            Note::StaticNotInForce { entry, .. } => (Reason::NotActive, entry.to_string()),
            Note::TreeWithoutTransit { gateway_bridge }
            | Note::TreeOnOneHost { gateway_bridge, .. } => {
                (Reason::NotActive, format!("gatewayBridges/{gateway_bridge}"))
            }
            Note::NativeUnlinked { trunk, .. } => (Reason::NotActive, trunk.to_string()),
            Note::UnderlayWaiting { host, interface } => {
                (Reason::UnderlayMissing, format!("hosts/{host}/{interface}"))
            }
            Note::KernelMissing { host, interface, .. } => {
                (Reason::PortWaiting, format!("hosts/{host}/{interface}"))
            }
            Note::NoUnderlay { host, .. } => (Reason::UnderlayMissing, format!("hosts/{host}")),
            Note::NoRoute { peer, .. } => (Reason::TunnelNoRoute, peer.to_string()),
            Note::NoVni { bridge, .. } | Note::NoCommonZone { bridge, .. } => {
                (Reason::BridgeSplit, format!("bridges/{bridge}"))
            }
            Note::TooNarrowForIpv6 { bridge, .. } => (Reason::PathMtu, format!("bridges/{bridge}")),
        };
        list.push(Condition::new(reason, object, note.to_string()));
    }
}

/// Drops that are increasing now and that somebody should look at: one condition for each port and
/// severity.
fn drops(site: &SiteView, observed: &Observed, list: &mut Vec<Condition>) {
    let mut worst: BTreeMap<(Reason, String), (DropReason, f64)> = BTreeMap::new();
    for (index, owner) in site.slots.owners().iter().enumerate() {
        let Some(slot) = PortSlot::from_index(index) else { continue };
        for reason in DropReason::ALL.iter().copied() {
            let condition = match reason.severity() {
                Severity::Bug => Reason::DropsBug,
                Severity::Attack => Reason::DropsAttack,
                Severity::Capacity => Reason::DropsCapacity,
                Severity::Expected | Severity::Config => continue,
            };
            let rate = observed.window.per_second(|r| r.total.port(slot).drops[reason.index()]);
            if rate <= 0.0 {
                continue;
            }
            let seen = worst.entry((condition, owner_text(site, owner))).or_insert((reason, 0.0));
            if rate > seen.1 {
                *seen = (reason, rate);
            }
        }
    }
    for ((condition, object), (reason, rate)) in worst {
        let message = format!("{rate:.1} frames/s are dropped as {reason}: {}", reason.meaning());
        list.push(Condition::new(condition, object, message));
    }
}

/// Access ports on which spanning tree frames arrived lately.
///
/// The newest sample says when: a frame of each port and reason is sampled every second. A rate
/// would come and go between two hellos.
fn bpdus_on_access(site: &SiteView, observed: &Observed, now: Duration, list: &mut Vec<Condition>) {
    for (index, owner) in site.slots.owners().iter().enumerate() {
        let Some(slot) = PortSlot::from_index(index) else { continue };
        let Some((moment, sample)) = observed.samples.get(slot, DropReason::BpduOnAccess) else {
            continue;
        };
        let ago = now.saturating_sub(*moment);
        if ago >= BPDU_QUIET {
            continue;
        }
        let message = format!(
            "a spanning tree frame arrived {} s ago: {}",
            ago.as_secs(),
            wire::text::describe(&sample.head)
        );
        list.push(Condition::new(Reason::BpduOnAccess, owner_text(site, owner), message));
    }
}

/// How a counter's owner is named: `trunks/t0`, `interfaces/eth1`, `@gw-b`, `%up0`.
pub fn owner_text(site: &SiteView, owner: &Owner) -> String {
    match owner {
        Owner::Unattributed => HOST.to_owned(),
        Owner::Interface(name) => format!("interfaces/{name}"),
        Owner::Port(name) => site
            .ports
            .iter()
            .find(|port| port.name == *name)
            .map_or_else(|| other_text(name), |port| port.object().to_string()),
    }
}

/// A port that is bound to no interface here: `@gw-b` and `%up0` stand for themselves, others are
/// gone.
fn other_text(name: &Name) -> String {
    if name.as_str().starts_with(['@', '%']) { name.to_string() } else { format!("ports/{name}") }
}

fn overload(observed: &Observed, list: &mut Vec<Condition>) {
    let lost = observed.window.per_second(|reading| {
        let lost = reading.total.lost;
        lost.learn_events + lost.snoops
    });
    if lost > 0.0 {
        let message =
            format!("{lost:.0} learn events or copies of control frames per second were not taken");
        list.push(Condition::new(Reason::ControlOverload, HOST, message));
    }
}

fn mac_table(shared: &Shared, list: &mut Vec<Condition>) {
    let statistics = shared.learning.lock().learner.statistics();
    if statistics.capacity > 0 && statistics.entries * 10 >= statistics.capacity * 9 {
        let message = format!(
            "{} of {} entries of the MAC table are in use",
            statistics.entries, statistics.capacity
        );
        list.push(Condition::new(Reason::MacTableFull, HOST, message));
    }
}

#[cfg(test)]
mod tests;
