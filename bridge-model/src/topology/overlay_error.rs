//! Why the objects of the overlay are refused. Every error names the object at fault, the value, the
//! object that holds what it wants, and what to do.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Binding, IpFamily, ObjectRef, Route};
use crate::types::VlanId;

/// Where in an object a value at fault stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The key in the site file.
    pub field: &'static str,
    /// If that key holds a list of mappings: which of them, from 0, and the key in it.
    pub item: Option<(usize, &'static str)>,
}

impl Spot {
    /// The value of a key.
    pub(super) const fn of(field: &'static str) -> Self {
        Self { field, item: None }
    }

    /// A key of an underlay link.
    pub(super) const fn link(index: usize, key: &'static str) -> Self {
        Self { field: "underlay", item: Some((index, key)) }
    }

    /// A key of a route.
    pub(super) const fn route(index: usize, key: &'static str) -> Self {
        Self { field: "routes", item: Some((index, key)) }
    }
}

/// A limit of the overlay that a topology breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverlayError {
    /// A number that the site file could not have held.
    #[error("{object}: {} {value} is out of range", spot.field)]
    OutOfRange {
        /// The object.
        object: ObjectRef,
        /// Where.
        spot: Spot,
        /// The value.
        value: String,
        /// What is in range.
        expected: &'static str,
    },
    /// An address that is not that of one machine.
    #[error("{object}: {address} is not the address of a host: {why}")]
    NotAHostAddress {
        /// The host or tunnel.
        object: ObjectRef,
        /// Where.
        spot: Spot,
        /// The address.
        address: IpAddr,
        /// What it is instead.
        why: &'static str,
    },
    /// Two machines, or two links of one, share an address.
    #[error("{object}: address {address} already belongs to {}", self.holder())]
    AddressTaken {
        /// Who is at fault.
        object: ObjectRef,
        /// Where.
        spot: Spot,
        /// The address.
        address: IpAddr,
        /// Who holds it: maybe the same host.
        other: ObjectRef,
    },
    /// A list names the same thing twice.
    #[error("{object}: {value} is listed twice")]
    ListedTwice {
        /// The object.
        object: ObjectRef,
        /// Where.
        spot: Spot,
        /// What is listed.
        value: String,
    },
    /// Two underlay links of a host are the same.
    #[error("{object}: underlay link {label} is listed twice")]
    UnderlayTwice {
        /// The host.
        object: ObjectRef,
        /// Where.
        spot: Spot,
        /// The interface and VLAN.
        label: String,
    },
    /// An underlay link without address.
    #[error("{object}: underlay link {label} has no address")]
    UnderlayWithoutAddress {
        /// The host.
        object: ObjectRef,
        /// Where.
        spot: Spot,
        /// The interface and VLAN.
        label: String,
    },
    /// An underlay link wants the untagged frames of an interface that belong to a port.
    #[error("{object}: untagged frames of {binding} already belong to {other}")]
    UntaggedTaken {
        /// The host.
        object: ObjectRef,
        /// Where.
        spot: Spot,
        /// The interface.
        binding: Binding,
        /// The access port, the trunk with a native VLAN, or the lag.
        other: ObjectRef,
    },
    /// An underlay link wants a VLAN that a port carries.
    #[error("{object}: VLAN {vlan} of {binding} already belongs to {other}")]
    VlanTaken {
        /// The host.
        object: ObjectRef,
        /// Where.
        spot: Spot,
        /// The interface.
        binding: Binding,
        /// The VLAN.
        vlan: VlanId,
        /// The trunk, the access port of a transparent bridge, or the lag.
        other: ObjectRef,
    },
    /// An underlay VLAN next to a trunk that speaks service tags.
    #[error(
        "{object}: {other} on {binding} has tpid 0x88a8, and VLAN {vlan} of the underlay is tagged 0x8100"
    )]
    UnderlayTpid {
        /// The host.
        object: ObjectRef,
        /// Where.
        spot: Spot,
        /// The interface.
        binding: Binding,
        /// The VLAN.
        vlan: VlanId,
        /// The trunk.
        other: ObjectRef,
    },
    /// The interface to the kernel carries something else as well.
    #[error("{object}: kernel interface {binding} already carries {}", self.holder())]
    KernelTaken {
        /// The host.
        object: ObjectRef,
        /// Where.
        spot: Spot,
        /// The interface.
        binding: Binding,
        /// What it carries: a port, or another link of the host itself.
        other: ObjectRef,
    },
    /// Two routes of a host to one prefix.
    #[error("{object}: there are two routes to {to}")]
    RouteTwice {
        /// The host.
        object: ObjectRef,
        /// Where.
        spot: Spot,
        /// The prefix.
        to: IpNet,
    },
    /// A route with no next hop, or with too many.
    #[error("{object}: the route to {to} has {count} next hops")]
    NextHopCount {
        /// The host.
        object: ObjectRef,
        /// Where.
        spot: Spot,
        /// The prefix.
        to: IpNet,
        /// How many.
        count: usize,
    },
    /// A next hop of the other IP version.
    #[error("{object}: next hop {via} of the route to {to} is of the other IP version")]
    NextHopFamily {
        /// The host.
        object: ObjectRef,
        /// Where.
        spot: Spot,
        /// The prefix.
        to: IpNet,
        /// The next hop.
        via: IpAddr,
    },
    /// A next hop that no underlay link leads to.
    #[error("{object}: next hop {via} of the route to {to} is on no underlay link of this host")]
    NextHopOffLink {
        /// The host.
        object: ObjectRef,
        /// Where.
        spot: Spot,
        /// The prefix.
        to: IpNet,
        /// The next hop.
        via: IpAddr,
    },
    /// A next hop that is the host itself.
    #[error("{object}: next hop {via} of the route to {to} is an address of this host")]
    NextHopOwn {
        /// The host.
        object: ObjectRef,
        /// Where.
        spot: Spot,
        /// The prefix.
        to: IpNet,
        /// The next hop.
        via: IpAddr,
    },
    /// Two hosts would have two tunnels to each other.
    #[error("{object}: {} and {} are both in {other} already", pair.0, pair.1)]
    ZonesOverlap {
        /// The zone.
        object: ObjectRef,
        /// Two hosts that share both zones.
        pair: (ObjectRef, ObjectRef),
        /// The other zone.
        other: ObjectRef,
    },
    /// A host has no tunnel endpoint address of the zone's IP version.
    #[error("{object}: {other} has no {} vtep address", family.name())]
    HostWithoutFamily {
        /// The zone.
        object: ObjectRef,
        /// The zone's IP version.
        family: IpFamily,
        /// The host.
        other: ObjectRef,
    },
    /// Two hosts of a zone have no IP version in common.
    #[error("{object}: {host} and {other} have no IP version in common")]
    NoCommonFamily {
        /// The zone.
        object: ObjectRef,
        /// A host.
        host: ObjectRef,
        /// One that it cannot reach.
        other: ObjectRef,
    },
    /// `udpPort` or `udpChecksum` where there is no UDP.
    #[error("{object}: {} has no effect, because gre has no UDP header", spot.field)]
    UdpNeedsVxlan {
        /// The zone.
        object: ObjectRef,
        /// Where.
        spot: Spot,
    },
    /// Two tunnels to one endpoint.
    #[error("{object}: {other} already leads to {remote}")]
    RemoteTaken {
        /// The tunnel.
        object: ObjectRef,
        /// The endpoint.
        remote: IpAddr,
        /// The tunnel that leads there.
        other: ObjectRef,
    },
    /// A remote endpoint that no host of the zone can talk to.
    #[error("{object}: no host of {other} has a {} vtep address to reach {remote} from", IpFamily::of(remote).name())]
    RemoteUnreachable {
        /// The tunnel.
        object: ObjectRef,
        /// The endpoint.
        remote: IpAddr,
        /// The zone.
        other: ObjectRef,
    },
}

impl OverlayError {
    /// Who holds the address or interface, in words.
    fn holder(&self) -> String {
        match self.other() {
            Some(other) => other.to_string(),
            None => "another link of this host".to_owned(),
        }
    }

    /// The object at fault.
    pub const fn object(&self) -> &ObjectRef {
        match self {
            Self::OutOfRange { object, .. }
            | Self::NotAHostAddress { object, .. }
            | Self::AddressTaken { object, .. }
            | Self::ListedTwice { object, .. }
            | Self::UnderlayTwice { object, .. }
            | Self::UnderlayWithoutAddress { object, .. }
            | Self::UntaggedTaken { object, .. }
            | Self::VlanTaken { object, .. }
            | Self::UnderlayTpid { object, .. }
            | Self::KernelTaken { object, .. }
            | Self::RouteTwice { object, .. }
            | Self::NextHopCount { object, .. }
            | Self::NextHopFamily { object, .. }
            | Self::NextHopOffLink { object, .. }
            | Self::NextHopOwn { object, .. }
            | Self::ZonesOverlap { object, .. }
            | Self::HostWithoutFamily { object, .. }
            | Self::NoCommonFamily { object, .. }
            | Self::UdpNeedsVxlan { object, .. }
            | Self::RemoteTaken { object, .. }
            | Self::RemoteUnreachable { object, .. } => object,
        }
    }

    /// The object that holds what the first one wants, or that stands in its way.
    pub fn other(&self) -> Option<&ObjectRef> {
        match self {
            Self::AddressTaken { object, other, .. } | Self::KernelTaken { object, other, .. } => {
                (object != other).then_some(other)
            }
            Self::UntaggedTaken { other, .. }
            | Self::VlanTaken { other, .. }
            | Self::UnderlayTpid { other, .. }
            | Self::ZonesOverlap { other, .. }
            | Self::HostWithoutFamily { other, .. }
            | Self::NoCommonFamily { other, .. }
            | Self::RemoteTaken { other, .. }
            | Self::RemoteUnreachable { other, .. } => Some(other),
            Self::OutOfRange { .. }
            | Self::NotAHostAddress { .. }
            | Self::ListedTwice { .. }
            | Self::UnderlayTwice { .. }
            | Self::UnderlayWithoutAddress { .. }
            | Self::RouteTwice { .. }
            | Self::NextHopCount { .. }
            | Self::NextHopFamily { .. }
            | Self::NextHopOffLink { .. }
            | Self::NextHopOwn { .. }
            | Self::UdpNeedsVxlan { .. } => None,
        }
    }

    /// Where in the object the value at fault stands.
    pub const fn spot(&self) -> Spot {
        match self {
            Self::OutOfRange { spot, .. }
            | Self::NotAHostAddress { spot, .. }
            | Self::AddressTaken { spot, .. }
            | Self::ListedTwice { spot, .. }
            | Self::UnderlayTwice { spot, .. }
            | Self::UnderlayWithoutAddress { spot, .. }
            | Self::UntaggedTaken { spot, .. }
            | Self::VlanTaken { spot, .. }
            | Self::UnderlayTpid { spot, .. }
            | Self::KernelTaken { spot, .. }
            | Self::RouteTwice { spot, .. }
            | Self::NextHopCount { spot, .. }
            | Self::NextHopFamily { spot, .. }
            | Self::NextHopOffLink { spot, .. }
            | Self::NextHopOwn { spot, .. }
            | Self::UdpNeedsVxlan { spot, .. } => *spot,
            Self::ZonesOverlap { .. }
            | Self::HostWithoutFamily { .. }
            | Self::NoCommonFamily { .. } => Spot::of("hosts"),
            Self::RemoteTaken { .. } | Self::RemoteUnreachable { .. } => Spot::of("remote"),
        }
    }

    /// A stable name for the kind of error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::OutOfRange { .. } => "out_of_range",
            Self::NotAHostAddress { .. } => "not_a_host_address",
            Self::AddressTaken { .. } => "address_taken",
            Self::ListedTwice { .. } => "listed_twice",
            Self::UnderlayTwice { .. } => "underlay_twice",
            Self::UnderlayWithoutAddress { .. } => "underlay_without_address",
            Self::UntaggedTaken { .. } => "underlay_untagged_taken",
            Self::VlanTaken { .. } => "underlay_vlan_taken",
            Self::UnderlayTpid { .. } => "underlay_tpid",
            Self::KernelTaken { .. } => "kernel_taken",
            Self::RouteTwice { .. } => "route_twice",
            Self::NextHopCount { .. } => "next_hop_count",
            Self::NextHopFamily { .. } => "next_hop_family",
            Self::NextHopOffLink { .. } => "next_hop_off_link",
            Self::NextHopOwn { .. } => "next_hop_own",
            Self::ZonesOverlap { .. } => "zones_overlap",
            Self::HostWithoutFamily { .. } => "host_without_family",
            Self::NoCommonFamily { .. } => "no_common_family",
            Self::UdpNeedsVxlan { .. } => "udp_needs_vxlan",
            Self::RemoteTaken { .. } => "remote_taken",
            Self::RemoteUnreachable { .. } => "remote_unreachable",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::OutOfRange { expected, .. } => format!("choose {expected}"),
            Self::NotAHostAddress { .. } => {
                "write the address by which this one machine is reached".to_owned()
            }
            Self::AddressTaken { object, address, .. } => {
                format!("give {object} another address than {address}")
            }
            Self::ListedTwice { .. } => "remove one of the two".to_owned(),
            Self::UnderlayTwice { .. } => "write one link with the addresses of both".to_owned(),
            Self::UnderlayWithoutAddress { .. } => {
                "set `addresses`, such as [192.0.2.1/24]".to_owned()
            }
            Self::UntaggedTaken { binding, other, .. } => format!(
                "put the underlay on a VLAN (`vlan`) or on another interface than {binding}, or \
                 change {other}"
            ),
            Self::VlanTaken { vlan, other, .. } => {
                format!("choose another `vlan` for the underlay, or take VLAN {vlan} from {other}")
            }
            Self::UnderlayTpid { other, .. } => format!(
                "put the underlay on another interface, leave out `vlan`, or change `tpid` of \
                 {other}"
            ),
            Self::KernelTaken { .. } => {
                "add an interface of kind tap to the node file for this link alone".to_owned()
            }
            Self::RouteTwice { .. } => "write one route with all next hops in `via`".to_owned(),
            Self::NextHopCount { .. } => {
                format!("write 1 to {} addresses in `via`", Route::MAX_NEXT_HOPS)
            }
            Self::NextHopFamily { to, .. } => {
                let version = if to.addr().is_ipv4() { "an IPv4" } else { "an IPv6" };
                format!("write {version} address")
            }
            Self::NextHopOffLink { object, .. } => format!(
                "name a router on a prefix of the underlay links of {object}, or add the link"
            ),
            Self::NextHopOwn { .. } => "name the router".to_owned(),
            Self::ZonesOverlap { object, other, pair } => format!(
                "two hosts reach each other by one tunnel: remove {} or {} from {object} or from \
                 {other}",
                pair.0, pair.1
            ),
            Self::HostWithoutFamily { object, family, other } => format!(
                "add an {} address to `vtep` of {other}, or change `ipVersion` of {object}",
                family.name()
            ),
            Self::NoCommonFamily { host, other, .. } => {
                format!("add an address to `vtep` of {host} or of {other}")
            }
            Self::UdpNeedsVxlan { spot, .. } => {
                format!("remove `{}`, or choose `kind: vxlan`", spot.field)
            }
            Self::RemoteTaken { other, .. } => {
                format!("add the bridges to {other} and remove this tunnel")
            }
            Self::RemoteUnreachable { remote, other, .. } => format!(
                "add an {} address to `vtep` of a host of {other}",
                IpFamily::of(remote).name()
            ),
        }
    }
}
