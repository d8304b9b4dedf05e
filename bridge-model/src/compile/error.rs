//! Why a topology that keeps all limits cannot be compiled for this host, and what is remarkable
//! about one that can.

use std::fmt;

use crate::topology::{ObjectRef, VlanSet};
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
        "{entry} is not in force: {port} is down, nobody within reach forwards its VLAN, or it is \
         neither on this host nor behind one of its tunnels"
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
    /// The fabric's spanning tree sees no path between hosts, and so must not meet two of them.
    #[error(
        "gatewayBridges/{gateway_bridge} forwards on hosts/{host} alone in mode stp-transparent, \
         because spanning tree frames do not pass between hosts in this release; {others} stand by \
         and do not replace it: redundancy across hosts comes with the cluster, until then put the \
         trunks on one host{}",
        unless_none(.host, .left_out)
    )]
    TreeOnOneHost {
        /// The gateway bridge.
        gateway_bridge: Name,
        /// The host that forwards.
        host: Name,
        /// The hosts that have trunks too.
        others: Hosts,
        /// VIDs that only trunks of theirs carry.
        left_out: VlanSet,
    },
    /// The native VLAN leads nowhere.
    #[error("{trunk}: native VLAN {vid} has no VLAN link, so untagged frames are dropped")]
    NativeUnlinked {
        /// The trunk.
        trunk: ObjectRef,
        /// Its native VID.
        vid: crate::types::VlanId,
    },
    /// An underlay link waits for its interface.
    #[error(
        "hosts/{host}: underlay waits: the node file of this host has no interface {interface}"
    )]
    UnderlayWaiting {
        /// This host.
        host: Name,
        /// The interface.
        interface: Name,
    },
    /// A link is to leave its addresses to the kernel, to which there is no way.
    #[error(
        "hosts/{host}: the node file of this host has no interface {interface}, the way of underlay \
         {link} to the kernel: frames for the kernel are dropped, and the gateway itself answers \
         ARP, neighbour discovery and ping; add {interface} to the node file"
    )]
    KernelMissing {
        /// This host.
        host: Name,
        /// The link: its interface, and behind a colon its VLAN.
        link: String,
        /// The interface that is missing.
        interface: Name,
    },
    /// A host that is to tunnel has no way onto the underlay.
    #[error(
        "hosts/{host} is in tunnelZones/{zone} but has no underlay link: no frame reaches another \
         host; set `underlay` on it"
    )]
    NoUnderlay {
        /// This host.
        host: Name,
        /// The zone.
        zone: Name,
    },
    /// There is no way to a peer.
    #[error(
        "{peer}: no underlay link with carrier and no route leads to {remote}; add a route to \
         hosts/{host}, or an address of that network to a link of its `underlay`"
    )]
    NoRoute {
        /// The host or tunnel.
        peer: ObjectRef,
        /// Its address.
        remote: std::net::IpAddr,
        /// This host.
        host: Name,
    },
    /// A bridge is on several hosts but has no number to tunnel by.
    #[error(
        "bridges/{bridge} has ports here and on {others}, but no VNI, so the hosts' parts of it are \
         separate; set `vni` on it"
    )]
    NoVni {
        /// The bridge.
        bridge: Name,
        /// The other hosts.
        others: Hosts,
    },
    /// A bridge is on several hosts that do not tunnel to each other.
    #[error(
        "bridges/{bridge} has ports here and on {others}, with which this host shares no tunnel zone: \
         no frame of the bridge reaches them; put the hosts into one of `tunnelZones`"
    )]
    NoCommonZone {
        /// The bridge.
        bridge: Name,
        /// The other hosts.
        others: Hosts,
    },
    /// Tunnels of a bridge take less than IPv6 needs.
    #[error(
        "bridges/{bridge}: a tunnel of it takes packets of {mtu} octets at most, but IPv6 needs 1280: \
         stations send no smaller ones for being told, so larger IPv6 packets are lost; raise the MTU \
         of the underlay, of every switch and router between"
    )]
    TooNarrowForIpv6 {
        /// The bridge.
        bridge: Name,
        /// The largest packet that all its tunnels take, in octets.
        mtu: u16,
    },
}

/// What is to be said about VLANs that no trunk of the host with the right carries; nothing if there
/// are none.
struct LeftOut<'a> {
    host: &'a Name,
    vids: &'a VlanSet,
}

const fn unless_none<'a>(host: &'a Name, vids: &'a VlanSet) -> LeftOut<'a> {
    LeftOut { host, vids }
}

impl fmt::Display for LeftOut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, vids } = self;
        if vids.is_empty() {
            return Ok(());
        }
        write!(f, "; nobody forwards VLANs {vids}, which no trunk of hosts/{host} carries")
    }
}

/// Hosts, as a sentence names them: the first three, and how many more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts(pub Vec<Name>);

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 3;
        for (index, host) in self.0.iter().take(SHOWN).enumerate() {
            write!(f, "{}hosts/{host}", if index == 0 { "" } else { ", " })?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
