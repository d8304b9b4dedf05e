//! Why a combination of objects is refused. Every error names the object at fault, the object that
//! holds what it wants, and what to do.

use std::net::IpAddr;

use super::{Binding, Kind, ObjectRef, OverlayError, Spot};
use crate::types::{MacAddr, VlanId, Vni};

/// A limit of forwarding rules section 1 that a topology breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopologyError {
    /// A reference to an object that is not there.
    #[error("{object}: {field} names {target}, which does not exist")]
    Missing {
        /// Who refers.
        object: ObjectRef,
        /// By which key.
        field: &'static str,
        /// To what.
        target: ObjectRef,
    },
    /// A trunk, an access port, a tunnel share a name, although ports are named in one space; or a
    /// tunnel and a host, which are peers alike.
    #[error("{object}: the name is taken by {other}")]
    PortNameTaken {
        /// The access port or tunnel.
        object: ObjectRef,
        /// The port or host that has the name.
        other: ObjectRef,
    },
    /// Two bridges share a VNI.
    #[error("{object}: VNI {vni} is already the number of {other}")]
    VniTaken {
        /// The bridge at fault.
        object: ObjectRef,
        /// The number.
        vni: Vni,
        /// The bridge that holds it.
        other: ObjectRef,
    },
    /// Two hosts, or a host and a foreign tunnel endpoint, share an address.
    #[error("{object}: tunnel endpoint {address} already belongs to {other}")]
    VtepTaken {
        /// Who is at fault.
        object: ObjectRef,
        /// By which key.
        field: &'static str,
        /// The address.
        address: IpAddr,
        /// Who holds it.
        other: ObjectRef,
    },
    /// A VID is linked as a whole and by pairs at once.
    #[error("{object}: VLAN {vid} is already linked as a whole by {other}")]
    VlanTaken {
        /// The pair link.
        object: ObjectRef,
        /// The outer VID.
        vid: VlanId,
        /// The link without inner VID.
        other: ObjectRef,
    },
    /// A bridge has a second link to one gateway bridge without saying that this is meant.
    #[error("{object}: {bridge} is already linked to this gateway bridge by {other}")]
    JoinNeeded {
        /// The link at fault.
        object: ObjectRef,
        /// The bridge.
        bridge: ObjectRef,
        /// The link that was there.
        other: ObjectRef,
    },
    /// Two ports of one role on one interface.
    #[error("{object}: interface {binding} already carries {other}")]
    InterfaceTaken {
        /// Who is at fault.
        object: ObjectRef,
        /// The interface.
        binding: Binding,
        /// Who holds it.
        other: ObjectRef,
    },
    /// Two trunks on one lag.
    #[error("{object}: {lag} already carries {other}")]
    LagTaken {
        /// The trunk at fault.
        object: ObjectRef,
        /// The lag.
        lag: ObjectRef,
        /// The trunk that holds it.
        other: ObjectRef,
    },
    /// Untagged frames of an interface are claimed by a native VLAN and by an access port.
    #[error(
        "{object}: untagged frames of {binding} already belong to native VLAN {vid} of {other}"
    )]
    UntaggedTaken {
        /// The access port.
        object: ObjectRef,
        /// The interface.
        binding: Binding,
        /// The native VID.
        vid: VlanId,
        /// The trunk.
        other: ObjectRef,
    },
    /// The native VID is not in the trunk's allowed list.
    #[error("{object}: native VLAN {vid} is not in the trunk's allowed list")]
    NativeNotAllowed {
        /// The trunk.
        object: ObjectRef,
        /// The VID.
        vid: VlanId,
    },
    /// A trunk of an `mlag` gateway bridge is not on a lag.
    #[error("{object}: {gateway} is in mode mlag, whose trunks are bound to a lag")]
    MlagNeedsLag {
        /// The trunk.
        object: ObjectRef,
        /// The gateway bridge.
        gateway: ObjectRef,
    },
    /// A VLAN link to a transparent bridge.
    #[error("{object}: {bridge} is transparent, and a transparent bridge takes access ports only")]
    TransparentLink {
        /// The link.
        object: ObjectRef,
        /// The bridge.
        bridge: ObjectRef,
    },
    /// `transit` outside `stp-transparent`.
    #[error("{object}: transit is on, but only mode stp-transparent passes data between trunks")]
    TransitNeedsMode {
        /// The gateway bridge.
        object: ObjectRef,
    },
    /// A `pass` policy where the trunks lead to one segment.
    #[error("{object}: {address} may pass between trunks only in mode stp-transparent")]
    PassNeedsMode {
        /// The gateway bridge.
        object: ObjectRef,
        /// The reserved address.
        address: MacAddr,
    },
    /// A policy for an address whose fate is fixed.
    #[error("{object}: the fate of {address} is not a matter of policy")]
    NoPolicyAddress {
        /// The gateway bridge.
        object: ObjectRef,
        /// The address.
        address: MacAddr,
    },
    /// A static MAC on a port that does not belong to its bridge.
    #[error("{object}: {port} does not lead to this bridge")]
    StaticElsewhere {
        /// The static MAC.
        object: ObjectRef,
        /// The port.
        port: ObjectRef,
    },
    /// A static MAC on a trunk without a VID.
    #[error("{object}: {port} is a trunk, so the VLAN that leads to the bridge is needed")]
    StaticNeedsVid {
        /// The static MAC.
        object: ObjectRef,
        /// The trunk.
        port: ObjectRef,
    },
    /// A static MAC names a VID that does not lead to its bridge on that trunk.
    #[error("{object}: VLAN {vid} of {port} does not lead to this bridge")]
    StaticWrongVid {
        /// The static MAC.
        object: ObjectRef,
        /// The trunk, access port or tunnel.
        port: ObjectRef,
        /// The VID.
        vid: VlanId,
    },
    /// A payload VID on a bridge that is not transparent.
    #[error(
        "{object}: only a transparent bridge tells stations apart by the VLAN of their payload"
    )]
    NoPayloadVid {
        /// The static MAC.
        object: ObjectRef,
    },
    /// A host of a tunnel zone has no tunnel endpoint address.
    #[error("{object}: {host} has no vtep address")]
    HostWithoutVtep {
        /// The zone.
        object: ObjectRef,
        /// The host.
        host: ObjectRef,
    },
    /// A bridge on a tunnel has no VNI.
    #[error("{object}: {bridge} has no vni")]
    BridgeWithoutVni {
        /// The tunnel.
        object: ObjectRef,
        /// The bridge.
        bridge: ObjectRef,
    },
    /// A limit of the overlay.
    #[error(transparent)]
    Overlay(#[from] OverlayError),
}

impl TopologyError {
    /// The object at fault.
    pub fn object(&self) -> &ObjectRef {
        match self {
            Self::Missing { object, .. }
            | Self::PortNameTaken { object, .. }
            | Self::VniTaken { object, .. }
            | Self::VtepTaken { object, .. }
            | Self::VlanTaken { object, .. }
            | Self::JoinNeeded { object, .. }
            | Self::InterfaceTaken { object, .. }
            | Self::LagTaken { object, .. }
            | Self::UntaggedTaken { object, .. }
            | Self::NativeNotAllowed { object, .. }
            | Self::MlagNeedsLag { object, .. }
            | Self::TransparentLink { object, .. }
            | Self::TransitNeedsMode { object }
            | Self::PassNeedsMode { object, .. }
            | Self::NoPolicyAddress { object, .. }
            | Self::StaticElsewhere { object, .. }
            | Self::StaticNeedsVid { object, .. }
            | Self::StaticWrongVid { object, .. }
            | Self::NoPayloadVid { object }
            | Self::HostWithoutVtep { object, .. }
            | Self::BridgeWithoutVni { object, .. } => object,
            Self::Overlay(error) => error.object(),
        }
    }

    /// The object that holds what the first one wants, or that stands in its way.
    pub fn other(&self) -> Option<&ObjectRef> {
        match self {
            Self::Missing { target: other, .. }
            | Self::PortNameTaken { other, .. }
            | Self::VniTaken { other, .. }
            | Self::VtepTaken { other, .. }
            | Self::VlanTaken { other, .. }
            | Self::JoinNeeded { other, .. }
            | Self::InterfaceTaken { other, .. }
            | Self::LagTaken { other, .. }
            | Self::UntaggedTaken { other, .. }
            | Self::MlagNeedsLag { gateway: other, .. }
            | Self::TransparentLink { bridge: other, .. }
            | Self::StaticElsewhere { port: other, .. }
            | Self::StaticNeedsVid { port: other, .. }
            | Self::StaticWrongVid { port: other, .. }
            | Self::HostWithoutVtep { host: other, .. }
            | Self::BridgeWithoutVni { bridge: other, .. } => Some(other),
            Self::NativeNotAllowed { .. }
            | Self::TransitNeedsMode { .. }
            | Self::PassNeedsMode { .. }
            | Self::NoPolicyAddress { .. }
            | Self::NoPayloadVid { .. } => None,
            Self::Overlay(error) => error.other(),
        }
    }

    /// The key in the site file that holds the value at fault.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Missing { field, .. } | Self::VtepTaken { field, .. } => field,
            Self::PortNameTaken { .. } => "name",
            Self::VniTaken { .. } => "vni",
            Self::VlanTaken { .. } => "innerVid",
            Self::JoinNeeded { .. } | Self::TransparentLink { .. } => "bridge",
            Self::InterfaceTaken { object, .. } if object.kind == Kind::Lag => "members",
            Self::InterfaceTaken { .. } | Self::UntaggedTaken { .. } => "interface",
            Self::LagTaken { .. } => "lag",
            Self::NativeNotAllowed { .. } => "native",
            Self::MlagNeedsLag { .. } => "gatewayBridge",
            Self::TransitNeedsMode { .. } => "transit",
            Self::PassNeedsMode { .. } | Self::NoPolicyAddress { .. } => "reserved",
            Self::StaticElsewhere { .. } | Self::StaticNeedsVid { .. } => "port",
            Self::StaticWrongVid { .. } => "vid",
            Self::NoPayloadVid { .. } => "payloadVid",
            Self::HostWithoutVtep { .. } => "hosts",
            Self::BridgeWithoutVni { .. } => "bridges",
            Self::Overlay(error) => error.spot().field,
        }
    }

    /// Of a key that holds a list of mappings: which of them, from 0, and its key at fault.
    pub fn item(&self) -> Option<(usize, &'static str)> {
        match self {
            Self::Overlay(error) => {
                let Spot { item, .. } = error.spot();
                item
            }
            _ => None,
        }
    }

    /// A stable name for the kind of error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "missing_reference",
            Self::PortNameTaken { .. } => "port_name_taken",
            Self::VniTaken { .. } => "vni_taken",
            Self::VtepTaken { .. } => "vtep_taken",
            Self::VlanTaken { .. } => "vlan_taken",
            Self::JoinNeeded { .. } => "join_needed",
            Self::InterfaceTaken { .. } => "interface_taken",
            Self::LagTaken { .. } => "lag_taken",
            Self::UntaggedTaken { .. } => "untagged_taken",
            Self::NativeNotAllowed { .. } => "native_not_allowed",
            Self::MlagNeedsLag { .. } => "mlag_needs_lag",
            Self::TransparentLink { .. } => "transparent_link",
            Self::TransitNeedsMode { .. } => "transit_needs_mode",
            Self::PassNeedsMode { .. } => "pass_needs_mode",
            Self::NoPolicyAddress { .. } => "no_policy_address",
            Self::StaticElsewhere { .. } => "static_elsewhere",
            Self::StaticNeedsVid { .. } => "static_needs_vid",
            Self::StaticWrongVid { .. } => "static_wrong_vid",
            Self::NoPayloadVid { .. } => "no_payload_vid",
            Self::HostWithoutVtep { .. } => "host_without_vtep",
            Self::BridgeWithoutVni { .. } => "bridge_without_vni",
            Self::Overlay(error) => error.code(),
        }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Missing { object, target, .. } => {
                format!("add {target}, or remove {object} as well")
            }
            Self::PortNameTaken { .. } => {
                "rename one of the two: trunks, access ports and tunnels \
                are named in one space, and so are tunnels and hosts, so that a name says which \
                port is meant"
                    .to_owned()
            }
            Self::VniTaken { object, .. } => format!("give {object} another vni"),
            Self::VtepTaken { object, .. } => format!("give {object} another address"),
            Self::VlanTaken { other, .. } => format!(
                "remove {other}, or give it an innerVid too: a VLAN is linked as a whole or by \
                 pairs, and a second path for the same frames would be a loop"
            ),
            Self::JoinNeeded { object, other, .. } => format!(
                "remove one of the two; or, if the VLANs are to be one network, set `join: true` \
                 on {object} after making sure that no other path joins it with {other}"
            ),
            Self::InterfaceTaken { other, .. } => {
                format!("bind it to another interface, or remove {other}")
            }
            Self::LagTaken { other, .. } => format!("use another lag, or remove {other}"),
            Self::UntaggedTaken { other, .. } => {
                format!("bind the access port elsewhere, or remove `native` from {other}")
            }
            Self::NativeNotAllowed { vid, .. } => {
                format!("add {vid} to `allowed`, or remove `native`")
            }
            Self::MlagNeedsLag { gateway, .. } => {
                format!("set `lag` on the trunk, or choose another mode for {gateway}")
            }
            Self::TransparentLink { bridge, .. } => {
                format!("link another bridge, or remove `transparent` from {bridge}")
            }
            Self::TransitNeedsMode { .. } | Self::PassNeedsMode { .. } => {
                "set `mode: stp-transparent`: in the other modes the trunks lead to one segment, \
                 and a frame must not return to its segment"
                    .to_owned()
            }
            Self::NoPolicyAddress { .. } => "a policy can be set for 01:80:c2:00:00:03 to :07, \
                :09 to :0d, :0f and :20 to :2f; all others have a fixed fate"
                .to_owned(),
            Self::StaticElsewhere { object, .. } => {
                format!(
                    "name an access port of the bridge of {object}, or a trunk or tunnel that \
                     leads to it"
                )
            }
            Self::StaticNeedsVid { .. } => "set `vid`".to_owned(),
            Self::StaticWrongVid { vid, .. } => {
                format!("link VLAN {vid} to the bridge and allow it on the trunk, or name another")
            }
            Self::NoPayloadVid { .. } => {
                "remove `payloadVid`; the VLAN of a trunk is `vid`".to_owned()
            }
            Self::HostWithoutVtep { host, .. } => format!("set `vtep` on {host}"),
            Self::BridgeWithoutVni { bridge, .. } => format!("set `vni` on {bridge}"),
            Self::Overlay(error) => error.help(),
        }
    }
}
