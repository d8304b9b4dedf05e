//! The site as the administrator describes it: objects, the limits between them, and how two
//! descriptions differ.

mod change;
mod check;
mod check_addresses;
mod check_tunnels;
mod check_underlay;
mod error;
mod fields;
mod object_ref;
mod objects;
mod overlay;
mod overlay_error;
mod vlan_set;

use std::collections::{BTreeMap, BTreeSet};

pub use change::{Change, Difference, Prune};
pub use error::TopologyError;
pub use fields::Value;
pub use object_ref::{Kind, ObjectRef};
pub use objects::{
    AccessPort, AdminState, Ageing, Attachment, Binding, Bridge, GatewayBridge, InvalidAgeing, Lag,
    LinkKey, RedundancyMode, ReservedPolicy, StaticKey, StaticMac, StormControl, TrunkPort,
    VlanLink,
};
pub use overlay::{
    BfdTimers, Host, IpFamily, MssClamp, NeighborSuppression, Route, Tunnel, TunnelDscp,
    TunnelKind, TunnelZone, UdpChecksum, UnderlayLink, Vtep, unfit_for_host, unfit_for_link,
};
pub use overlay_error::{OverlayError, Spot};
pub use vlan_set::VlanSet;

use crate::types::{Name, VlanId};

/// All objects of a site. Any combination of objects can be held; [`Topology::check`] says whether
/// it keeps the limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// Machines that run the daemon.
    pub hosts: BTreeMap<Name, Host>,
    /// Bridges.
    pub bridges: BTreeMap<Name, Bridge>,
    /// Gateway bridges.
    pub gateway_bridges: BTreeMap<Name, GatewayBridge>,
    /// Aggregations.
    pub lags: BTreeMap<Name, Lag>,
    /// Trunks.
    pub trunks: BTreeMap<Name, TrunkPort>,
    /// VLAN links.
    pub vlan_links: BTreeMap<LinkKey, VlanLink>,
    /// Access ports.
    pub access_ports: BTreeMap<Name, AccessPort>,
    /// Static MACs.
    pub static_macs: BTreeMap<StaticKey, StaticMac>,
    /// Tunnel zones.
    pub tunnel_zones: BTreeMap<Name, TunnelZone>,
    /// Tunnels to foreign endpoints.
    pub tunnels: BTreeMap<Name, Tunnel>,
}

impl Topology {
    /// The VLAN links of one gateway bridge, by VID.
    pub fn links_of<'a>(
        &'a self,
        gateway_bridge: &'a Name,
    ) -> impl Iterator<Item = &'a VlanLink> + 'a {
        let first =
            LinkKey { gateway_bridge: gateway_bridge.clone(), vid: VlanId::MIN, inner_vid: None };
        self.vlan_links
            .range(first..)
            .take_while(move |(key, _)| key.gateway_bridge == *gateway_bridge)
            .map(|(_, link)| link)
    }

    /// The VIDs of one gateway bridge that have a VLAN link.
    pub fn linked_vids(&self, gateway_bridge: &Name) -> BTreeSet<VlanId> {
        self.links_of(gateway_bridge).map(|link| link.key.vid).collect()
    }

    /// The VIDs that a trunk carries: its allowed list, by default every VID with a link.
    pub fn carried_vids(&self, trunk: &TrunkPort) -> BTreeSet<VlanId> {
        match &trunk.allowed {
            Some(allowed) => allowed.iter().collect(),
            None => self.linked_vids(&trunk.gateway_bridge),
        }
    }
}
