//! Ports and interfaces with their counters.

use bridge_model::topology::Kind;
use bridge_model::types::{InterfaceId, Name, VlanId};
use fwd::counters::{Owner, PortSlot, PortSnapshot, Snapshot, VidSnapshot};
use proto::failure::Failure;
use proto::{resource, v1};

use crate::failures;
use crate::interface::{Interface, Presence};
use crate::ports::{PortState, PortView};
use crate::shared::{Observed, Reading, Shared, SiteView};

/// `ListPorts`.
pub(super) fn list(
    shared: &Shared,
    wanted: Option<&Name>,
    with_vlans: bool,
) -> Result<v1::ListPortsResponse, Failure> {
    let site = shared.site();
    let total = shared.reading().total;
    let is_wanted = |port: &&PortView| wanted.is_none_or(|wanted| *wanted == port.name);
    let ports: Vec<_> = site
        .ports
        .iter()
        .filter(is_wanted)
        .map(|view| port((shared, &site), &total, view, with_vlans))
        .collect();
    match (wanted, ports.is_empty()) {
        (Some(name), true) => Err(failures::not_found(&format!("port {name} of this host"))),
        _ => Ok(v1::ListPortsResponse { ports, revision: site.revision.0 }),
    }
}

pub(super) fn counters(counted: VidSnapshot) -> v1::Counters {
    v1::Counters {
        rx_packets: counted.rx.frames,
        rx_octets: counted.rx.octets,
        tx_packets: counted.tx.frames,
        tx_octets: counted.tx.octets,
    }
}

/// Frames per second of one port.
pub(super) fn rates(observed: &Observed, slot: Option<PortSlot>) -> v1::Rates {
    let rate = |of: fn(&PortSnapshot) -> u64| {
        let port = |reading: &Reading| slot.map_or(0, |slot| of(&reading.total.port(slot)));
        observed.window.per_second(port)
    };
    v1::Rates {
        received: rate(|port| port.rx.frames),
        sent: rate(|port| port.tx.frames),
        dropped: rate(PortSnapshot::dropped),
    }
}

fn vlans(shared: &Shared, site: &SiteView, port: &PortView) -> Vec<v1::VlanCounters> {
    let Some(block) = site.slots.find_trunk(&port.name) else { return Vec::new() };
    let count = |vid: VlanId| {
        let mut sum = VidSnapshot::default();
        for worker in &shared.workers {
            let counted = worker.counters.vid(block, vid);
            sum.rx.frames += counted.rx.frames;
            sum.rx.octets += counted.rx.octets;
            sum.tx.frames += counted.tx.frames;
            sum.tx.octets += counted.tx.octets;
        }
        let forwarding = port.forwarding.contains(vid);
        let is_shown = forwarding || sum.rx.frames > 0 || sum.tx.frames > 0;
        is_shown.then(|| v1::VlanCounters {
            vid: vid.get().into(),
            counters: Some(counters(sum)),
            forwarding,
        })
    };
    VlanId::all().filter_map(count).collect()
}

fn port(
    (shared, site): (&Shared, &SiteView),
    total: &Snapshot,
    view: &PortView,
    with_vlans: bool,
) -> v1::Port {
    let state = match view.state {
        PortState::Forwarding => v1::port::State::Forwarding,
        PortState::Standby => v1::port::State::Standby,
        PortState::AdminDown => v1::port::State::AdminDown,
        PortState::LinkDown => v1::port::State::LinkDown,
        PortState::Waiting => v1::port::State::Waiting,
    };
    let is_trunk = view.kind == Kind::Trunk;
    let role = if is_trunk { v1::port::Role::Trunk } else { v1::port::Role::Access };
    let interface = view.interface_id.and_then(|id| shared.interfaces.get(id.index()));
    let slot = site.slots.find(&Owner::Port(view.name.clone()));
    let counted = slot.map_or_else(PortSnapshot::default, |slot| total.port(slot));
    let mac_entries = slot.map_or(0, |slot| shared.learning.lock().learner.learned_by_port(slot));
    let rates = rates(&shared.observed.lock(), slot);
    v1::Port {
        name: view.object().to_string(),
        role: role.into(),
        state: state.into(),
        bridge: view.bridge.to_string(),
        interface: view.interface.to_string(),
        admin: resource::admin(view.admin),
        link_up: interface.is_some_and(Interface::is_up),
        mtu: interface.map_or(0, |interface| interface.mtu.into()),
        counters: Some(counters(VidSnapshot { rx: counted.rx, tx: counted.tx })),
        vlans: if with_vlans && is_trunk { vlans(shared, site, view) } else { Vec::new() },
        dropped_packets: counted.dropped(),
        mac_entries,
        forwarding_vids: resource::ranges(&view.forwarding),
        rates: Some(rates),
    }
}

/// One interface of `ListInterfaces`; `all` adds every counter of the driver.
pub(super) fn interface(
    (shared, site): (&Shared, &SiteView),
    at: usize,
    all: bool,
) -> Option<v1::Interface> {
    let interface = shared.interfaces.get(at)?;
    let counted = interface.statistics();
    let bound = site.ports.iter().filter(|port| port.interface == interface.name);
    let bound = bound.map(|port| port.object().to_string());
    // An underlay link counts on its own interface and is reached by the kernel through another.
    let id = InterfaceId(u16::try_from(at).ok()?);
    let links = site.tables.underlay.links.iter();
    let links = links.filter(|link| link.interface == id || link.kernel == Some(id));
    let links = links.filter_map(|link| site.tables.ports.get(link.port.index()));
    let links = links.map(|port| port.name.to_string());
    let driver_counters = if all { interface.extended_statistics() } else { Vec::new() };
    Some(v1::Interface {
        name: interface.name.to_string(),
        kind: interface.kind.to_owned(),
        driver: interface.driver.clone(),
        ports: bound.chain(links).collect(),
        present: interface.is_present(),
        absent_reason: match interface.presence() {
            Presence::Present => String::new(),
            Presence::Absent(why) => why.to_owned(),
            Presence::Vanished => "the device has vanished".to_owned(),
        },
        link_up: interface.is_up(),
        link_speed_mbps: 0,
        mtu: interface.mtu.into(),
        mac: interface.mac().to_string(),
        counters: Some(v1::DriverCounters {
            rx_packets: counted.received_frames,
            rx_octets: counted.received_octets,
            tx_packets: counted.sent_frames,
            tx_octets: counted.sent_octets,
            rx_missed: counted.missed_frames,
            rx_errors: counted.receive_errors,
            tx_errors: counted.transmit_errors,
            rx_no_buffer: counted.no_buffer,
        }),
        driver_counters: driver_counters
            .into_iter()
            .map(|counter| v1::DriverCounter { name: counter.name, value: counter.value })
            .collect(),
    })
}
