//! Topology to tables: what one host's data plane needs to know, as plain data.

mod error;
mod fids;
mod interfaces;
mod local;
mod numbering;
mod reserved;
mod rights;
mod scope;
mod tables;
mod underlay;
mod view;

use crate::topology::{Attachment, RedundancyMode, Topology};
use crate::types::{Fid, IndividualMac, MemberId, Revision};

pub use error::{CompileError, Hosts, Note};
pub use numbering::{Domain, Location, Numbering, Place};
pub use scope::Scope;
pub use tables::{
    Class, Encapsulation, FidTable, InterfaceTable, MacLimit, Member, MemberRoute, OverLimit,
    PathTable, PeerTable, PortTable, PushTags, Relay, ReservedAction, ReservedTable, StormLimits,
    StormRate, TUNNEL_GROUP, Tables, TaggedClasses, UnderlayLinkTable, UnderlayTable, VidClasses,
    VniTable,
};
pub use view::{HostView, InterfaceView, Link};

/// What a compile yields.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Compiled {
    /// The tables for the data plane.
    pub tables: Tables,
    /// Static MACs that are in force on this host, ascending.
    pub static_macs: Vec<(Fid, MemberId, IndividualMac)>,
    /// What the operator should know.
    pub notes: Vec<Note>,
}

/// Compiles `topology`, which keeps the limits of [`Topology::check`], for the host of `view`.
///
/// Numbers come from `numbering` and stay the same from one call to the next. An error leaves
/// `numbering` as it was.
pub fn compile(
    topology: &Topology,
    view: &HostView,
    numbering: &mut Numbering,
    revision: Revision,
) -> Result<Compiled, CompileError> {
    refuse_unsupported(topology)?;
    let local = local::Local::new(topology, view);
    let mut next = numbering.clone();
    next.assign_ports(local.bindings())?;
    let plan = fids::Plan::new(&local);
    next.assign(&plan.places())?;
    let (static_macs, mut notes) = fids::static_macs(&local, &next);
    notes.extend(local.notes());
    let tables = Tables {
        revision,
        interfaces: interfaces::build(&local, &next),
        ports: interfaces::build_ports(&local, &next),
        fids: plan.build(&local, &next),
        underlay: underlay::build(&local, &next),
    };
    notes.extend(fids::notes(&tables.fids));
    *numbering = next;
    Ok(Compiled { tables, static_macs, notes })
}

fn refuse_unsupported(topology: &Topology) -> Result<(), CompileError> {
    for gateway in topology.gateway_bridges.values() {
        if gateway.mode == RedundancyMode::Mlag {
            let gateway_bridge = gateway.name.clone();
            return Err(CompileError::MlagUnsupported { gateway_bridge });
        }
    }
    for trunk in topology.trunks.values() {
        if let Some(Attachment::Lag(lag)) = &trunk.attachment {
            let (trunk, lag) = (trunk.name.clone(), lag.clone());
            return Err(CompileError::LagUnsupported { trunk, lag });
        }
    }
    Ok(())
}
