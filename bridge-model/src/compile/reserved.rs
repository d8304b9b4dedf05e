//! What an interface does with each reserved destination (forwarding rules section 5).

use super::local::{Local, LocalAccess, LocalTrunk};
use super::{Numbering, Relay, ReservedAction, ReservedTable};
use crate::reason::{DropReason, PuntReason};
use crate::topology::{RedundancyMode, ReservedPolicy};
use crate::types::MacAddr;
use crate::wire::reserved::ReservedClass;

impl ReservedTable {
    /// The action for a class of destinations.
    pub fn action(&self, class: ReservedClass) -> ReservedAction {
        let at = |table: &[ReservedAction; 16], low: u8| table[usize::from(low & 0x0f)];
        match class {
            ReservedClass::LinkLocal(low) => at(&self.link_local, low),
            ReservedClass::Registration(low) => at(&self.registration, low),
            ReservedClass::Pvst => self.pvst,
            ReservedClass::Vendor => self.vendor,
        }
    }
}

/// Everything is dropped for the same reason.
pub(super) fn all(reason: DropReason) -> ReservedTable {
    let drop = ReservedAction::Drop(reason);
    ReservedTable {
        link_local: [drop; 16],
        registration: [drop; 16],
        pvst: drop,
        vendor: drop,
        relay: Vec::new(),
    }
}

/// What an interface is to the underlay.
#[derive(Clone, Copy, Debug)]
pub(super) enum OnUnderlay {
    /// Nothing.
    No,
    /// It carries underlay links.
    Link,
    /// It leads to the kernel.
    Kernel,
}

/// The table of an interface. One that carries a trunk is a link to another bridge, and control
/// frames belong to the link: an access port on the same device does not change their fate.
pub(super) fn build(
    local: &Local<'_>,
    trunk: Option<&LocalTrunk<'_>>,
    access: Option<&LocalAccess<'_>>,
    underlay: OnUnderlay,
    numbering: &Numbering,
) -> ReservedTable {
    match (trunk, access, underlay) {
        (Some(trunk), ..) if !trunk.is_up => all(DropReason::AdminDown),
        (Some(trunk), ..) => on_trunk(local, trunk, numbering),
        (None, Some(access), _) if !access.is_up => all(DropReason::AdminDown),
        (None, Some(_), _) => on_access(),
        (None, None, OnUnderlay::Link) => on_underlay(),
        (None, None, OnUnderlay::Kernel) => all(DropReason::Reserved),
        (None, None, OnUnderlay::No) => all(DropReason::PortUnbound),
    }
}

/// What happens to reserved destinations inside a tunnel: the same as on an access port.
pub(super) fn in_tunnels() -> ReservedTable {
    on_access()
}

/// An interface that carries nothing but the underlay: its neighbours are switches, so LLDP tells who.
fn on_underlay() -> ReservedTable {
    let mut table = all(DropReason::Reserved);
    table.link_local[0xe] = ReservedAction::Consume(PuntReason::Lldp);
    table
}

fn on_access() -> ReservedTable {
    let bpdu = ReservedAction::Drop(DropReason::BpduOnAccess);
    let mut table = all(DropReason::Reserved);
    table.link_local[0x0] = bpdu;
    table.link_local[0x8] = bpdu;
    table.pvst = bpdu;
    table
}

fn on_trunk(local: &Local<'_>, trunk: &LocalTrunk<'_>, numbering: &Numbering) -> ReservedTable {
    let spanning_tree = |reason| match trunk.gateway.mode {
        RedundancyMode::StpTransparent => ReservedAction::Relay(Some(reason)),
        RedundancyMode::Lease | RedundancyMode::Mlag => ReservedAction::Consume(reason),
    };
    let mut table = all(DropReason::Reserved);
    table.link_local[0x0] = spanning_tree(PuntReason::Bpdu);
    table.link_local[0x8] = spanning_tree(PuntReason::Bpdu);
    table.link_local[0x2] = ReservedAction::Consume(PuntReason::SlowProtocol);
    table.link_local[0xe] = ReservedAction::Consume(PuntReason::Lldp);
    table.pvst = spanning_tree(PuntReason::Pvst);
    for (last, action) in (0x00..).zip(&mut table.link_local) {
        pass(trunk, last, action);
    }
    for (last, action) in (0x20..).zip(&mut table.registration) {
        pass(trunk, last, action);
    }
    table.relay = relays(local, trunk, numbering);
    table
}

/// Lets an address pass if the gateway bridge's policy says so. The topology's check keeps the policy
/// off addresses with a fixed fate.
fn pass(trunk: &LocalTrunk<'_>, last: u8, action: &mut ReservedAction) {
    let address = MacAddr::new([0x01, 0x80, 0xc2, 0x00, 0x00, last]);
    if trunk.gateway.reserved.get(&address) == Some(&ReservedPolicy::Pass) {
        *action = ReservedAction::Relay(None);
    }
}

fn relays(local: &Local<'_>, trunk: &LocalTrunk<'_>, numbering: &Numbering) -> Vec<Relay> {
    local
        .trunks
        .iter()
        .filter(|other| {
            other.is_usable
                && other.gateway.name == trunk.gateway.name
                && other.trunk.name != trunk.trunk.name
        })
        .filter_map(|other| {
            Some(Relay {
                interface: other.interface,
                port: numbering.port_id(&other.trunk.name)?,
                vids: other.carried.iter().copied().collect(),
            })
        })
        .collect()
}
