//! Why a topology that keeps all limits cannot be compiled for this host, and what is remarkable
//! about one that can.

use crate::topology::ObjectRef;
use crate::types::Name;

/// The topology asks for what this host or this release cannot do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// Multi-chassis aggregation is not there yet.
    #[error(
        "gatewayBridges/{gateway_bridge}: mode mlag is not in this release; \
         use lease or stp-transparent"
    )]
    MlagUnsupported {
        /// The gateway bridge.
        gateway_bridge: Name,
    },
    /// Aggregation is not there yet.
    #[error(
        "trunks/{trunk}: bound to lags/{lag}, but aggregation is not in this release; \
         set `host` and `interface` instead"
    )]
    LagUnsupported {
        /// The trunk.
        trunk: Name,
        /// The lag.
        lag: Name,
    },
    /// Each transparent bridge takes 4096 learning domains.
    #[error(
        "bridges/{bridge}: a host carries at most {limit} transparent bridges; move its ports to \
         another host, or remove `transparent` from a bridge that does not need it (a bridge \
         that was just removed counts until its MACs are swept)"
    )]
    TooManyTransparentBridges {
        /// The bridge that found no room.
        bridge: Name,
        /// How many there may be.
        limit: u16,
    },
    /// More bridges and transit VLANs than numbers.
    #[error(
        "{owner}: a host carries at most {limit} bridges and transit VLANs; \
         move some to another host"
    )]
    FidsExhausted {
        /// The bridge or gateway bridge that found no room.
        owner: Name,
        /// How many there may be.
        limit: u16,
    },
    /// More places in one bridge than numbers.
    #[error(
        "{owner}: a bridge reaches at most 4095 places on one host, and {retired} of them still \
         wait for a sweep after a flush; try again when it is over, or move ports elsewhere"
    )]
    MembersExhausted {
        /// The bridge or gateway bridge.
        owner: Name,
        /// How many numbers wait to be released.
        retired: usize,
    },
    /// More ports than numbers.
    #[error("this host has {count} bridge ports; at most 65535 are possible")]
    TooManyPorts {
        /// How many there are.
        count: usize,
    },
}

/// Something that works differently from what one may expect, although nothing is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Note {
    /// The host is not in the site.
    #[error("hosts/{host} is not in the site, so no port is bound here")]
    HostUnknown {
        /// This host.
        host: Name,
    },
    /// A port waits for its interface.
    #[error("{port} waits: the node file of this host has no interface {interface}")]
    Waiting {
        /// The port.
        port: ObjectRef,
        /// The interface it is bound to.
        interface: Name,
    },
    /// A static MAC is not in force.
    #[error(
        "{entry} is not in force: {port} is down, on standby for that VLAN, or not on this host"
    )]
    StaticNotInForce {
        /// The static MAC.
        entry: ObjectRef,
        /// The port it names.
        port: Name,
    },
    /// Spanning tree passes, data does not.
    #[error(
        "gatewayBridges/{gateway_bridge} passes spanning tree frames but no data between its \
         trunks: the fabric may block a port for a path that does not exist; set `transit: true`"
    )]
    TreeWithoutTransit {
        /// The gateway bridge.
        gateway_bridge: Name,
    },
    /// The native VLAN leads nowhere.
    #[error("{trunk}: native VLAN {vid} has no VLAN link, so untagged frames are dropped")]
    NativeUnlinked {
        /// The trunk.
        trunk: ObjectRef,
        /// Its native VID.
        vid: crate::types::VlanId,
    },
}
