//! The objects of the overlay: where a host joins the underlay, and who tunnels to whom.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::IpNet;

use crate::types::{Name, VlanId};
use crate::wire::ip::unfit_for_station;

/// An IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IpFamily {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl IpFamily {
    /// That of an address.
    pub const fn of(address: &IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// The word used in site files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V4 => "ipv4",
            Self::V6 => "ipv6",
        }
    }
}

/// The tunnel endpoint addresses of a host: at most one of each family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vtep {
    /// IPv4.
    pub v4: Option<Ipv4Addr>,
    /// IPv6.
    pub v6: Option<Ipv6Addr>,
}

impl Vtep {
    /// The address of one family.
    pub fn get(&self, family: IpFamily) -> Option<IpAddr> {
        match family {
            IpFamily::V4 => self.v4.map(IpAddr::V4),
            IpFamily::V6 => self.v6.map(IpAddr::V6),
        }
    }

    /// Its addresses, IPv4 first.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        [self.get(IpFamily::V4), self.get(IpFamily::V6)].into_iter().flatten()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.v4.is_none() && self.v6.is_none()
    }
}

/// A machine that runs the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name: the `name` of its node file.
    pub name: Name,
    /// Its tunnel endpoint addresses. Each is an address of one of its underlay links, or one that
    /// the fabric routes to them (a loopback address).
    pub vtep: Vtep,
    /// Where it joins the underlay.
    pub underlay: Vec<UnderlayLink>,
    /// Ways to addresses beyond its links.
    pub routes: Vec<Route>,
}

impl Host {
    /// A host without overlay.
    pub fn new(name: Name) -> Self {
        Self { name, vtep: Vtep::default(), underlay: Vec::new(), routes: Vec::new() }
    }
}

/// An interface, or one VLAN of it, on which a host speaks IP for its tunnels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnderlayLink {
    /// The interface's name in the node file. It may carry a trunk at once (a host with one card).
    pub interface: Name,
    /// The VLAN on it; `None` is untagged.
    pub vlan: Option<VlanId>,
    /// The addresses of this host there, each with the prefix of the link.
    pub addresses: Vec<IpNet>,
    /// An interface of the node file that leads to the kernel (a tap): everything on the link that is
    /// neither a tunnel's nor a protocol's of ours goes there, and what comes from there goes out by
    /// the link. The kernel then owns the addresses: it answers ARP, ND and ping.
    pub kernel: Option<Name>,
}

impl UnderlayLink {
    /// The interface, and behind a colon the VLAN: how the link is named to people.
    pub fn label(&self) -> String {
        self.vlan
            .map_or_else(|| self.interface.to_string(), |vlan| format!("{}:{vlan}", self.interface))
    }
}

/// Why an address cannot be that of one machine on the underlay, or `None` if it can.
///
/// An IPv6 link-local address is refused too: it says nothing without its link, and is not unique.
pub fn unfit_for_host(address: &IpAddr) -> Option<&'static str> {
    let (is_local, is_mapped) = match address {
        IpAddr::V4(_) => (false, false),
        IpAddr::V6(v6) => (v6.is_unicast_link_local(), v6.to_ipv4_mapped().is_some()),
    };
    unfit_for_station(*address)
        .or_else(|| {
            is_local.then_some("it is a link-local address, which says nothing without its link")
        })
        .or_else(|| is_mapped.then_some("it is an IPv4 address in IPv6 notation"))
}

/// Why an address with its prefix cannot be that of one machine on a link, or `None` if it can.
pub fn unfit_for_link(address: &IpNet) -> Option<&'static str> {
    let host_bits = address.max_prefix_len() - address.prefix_len();
    // RFC 3021 and RFC 6164: a prefix with one host bit has neither.
    let is_network = host_bits > 1 && address.addr() == address.network();
    let is_broadcast =
        host_bits > 1 && address.addr().is_ipv4() && address.addr() == address.broadcast();
    unfit_for_host(&address.addr())
        .or_else(|| is_network.then_some("it is the address of the prefix itself"))
        .or_else(|| is_broadcast.then_some("it is the broadcast address of its prefix"))
}

/// A way to addresses that are not on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The destination; `0.0.0.0/0` or `::/0` is the default.
    pub to: IpNet,
    /// Next hops on the links, 1 to 8; flows are spread over them.
    pub via: Vec<IpAddr>,
}

impl Route {
    /// The most next hops of one route.
    pub const MAX_NEXT_HOPS: usize = 8;
}

/// How hosts wrap overlay frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TunnelKind {
    /// VXLAN (RFC 7348).
    #[default]
    Vxlan,
    /// GRE with a key (RFC 2890) that carries Ethernet.
    Gre,
}

impl TunnelKind {
    /// The word used in site files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vxlan => "vxlan",
            Self::Gre => "gre",
        }
    }
}

/// The checksum in the outer UDP header of VXLAN. A wrong one that arrives is always dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UdpChecksum {
    /// Zero over IPv4 (RFC 7348), computed over IPv6, where a zero one that arrives is dropped.
    #[default]
    Auto,
    /// Zero over both, and zero is accepted over IPv6 (RFC 6935, RFC 6936).
    Zero,
    /// Computed over both.
    Computed,
}

impl UdpChecksum {
    /// The word used in site files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Zero => "zero",
            Self::Computed => "computed",
        }
    }
}

/// The DSCP of the outer header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TunnelDscp {
    /// Always this one, 0 to 63.
    Fixed(u8),
    /// That of the inner IP packet (RFC 2983, uniform model); 0 for what is not IP.
    Copy,
}

impl TunnelDscp {
    /// The largest DSCP (RFC 2474).
    pub const MAX: u8 = 63;

    /// Whether a fixed one is a DSCP.
    pub const fn is_in_range(self) -> bool {
        match self {
            Self::Fixed(dscp) => dscp <= Self::MAX,
            Self::Copy => true,
        }
    }
}

impl Default for TunnelDscp {
    fn default() -> Self {
        Self::Fixed(0)
    }
}

/// How the liveness of a peer is watched (RFC 5880, asynchronous mode).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BfdTimers {
    /// Between two control packets, and the least accepted: 10 ms to 60 s, whole milliseconds.
    pub interval: Duration,
    /// How many in a row may be lost, 1 to 255.
    pub multiplier: u8,
}

impl BfdTimers {
    /// The shortest interval.
    pub const MIN_INTERVAL: Duration = Duration::from_millis(10);
    /// The longest interval.
    pub const MAX_INTERVAL: Duration = Duration::from_secs(60);

    /// Whether interval and multiplier are what their fields allow.
    pub fn is_in_range(&self) -> bool {
        let is_whole = self.interval.subsec_nanos().is_multiple_of(1_000_000);
        (Self::MIN_INTERVAL..=Self::MAX_INTERVAL).contains(&self.interval)
            && is_whole
            && self.multiplier > 0
    }
}

impl Default for BfdTimers {
    fn default() -> Self {
        Self { interval: Duration::from_millis(100), multiplier: 3 }
    }
}

/// Hosts that reach each other by tunnels of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunnelZone {
    /// Its name.
    pub name: Name,
    /// How its hosts wrap frames.
    pub kind: TunnelKind,
    /// Over which IP version; `None` is IPv4 between two hosts that both have it, else IPv6.
    pub family: Option<IpFamily>,
    /// Its hosts, each with a tunnel endpoint address. Two hosts share at most one zone.
    pub hosts: Vec<Name>,
    /// The outer UDP checksum, of VXLAN.
    pub udp_checksum: UdpChecksum,
    /// The UDP destination port, of VXLAN.
    pub udp_port: u16,
    /// The outer DSCP.
    pub dscp: TunnelDscp,
    /// How hosts watch each other; `None` is not at all.
    pub bfd: Option<BfdTimers>,
}

impl TunnelZone {
    /// The UDP port of VXLAN (RFC 7348 section 5).
    pub const VXLAN_PORT: u16 = 4789;

    /// The UDP ports of BFD (RFC 5881, RFC 5883), at which VXLAN cannot be expected.
    pub const BFD_PORTS: [u16; 2] = [3784, 4784];

    /// Whether VXLAN can use a UDP port.
    pub fn is_vxlan_port(port: u16) -> bool {
        port != 0 && !Self::BFD_PORTS.contains(&port)
    }

    /// A zone without hosts and with every property at its default.
    pub fn new(name: Name, kind: TunnelKind) -> Self {
        Self {
            name,
            kind,
            family: None,
            hosts: Vec::new(),
            udp_checksum: UdpChecksum::default(),
            udp_port: Self::VXLAN_PORT,
            dscp: TunnelDscp::default(),
            bfd: Some(BfdTimers::default()),
        }
    }
}

/// A tunnel of every host of a zone to an endpoint that does not run our daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// Its name, unique among all ports of the site and its hosts: a static MAC may name it.
    pub name: Name,
    /// The zone whose hosts use it, and whose properties it has.
    pub zone: Name,
    /// The address of the remote endpoint.
    pub remote: IpAddr,
    /// The bridges that it carries, each with a VNI.
    pub bridges: Vec<Name>,
    /// How the endpoint is watched; `None`, the default, is not at all.
    pub bfd: Option<BfdTimers>,
}

/// Whether a bridge answers requests for known addresses itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NeighborSuppression {
    /// They are flooded like any other frame.
    #[default]
    Off,
    /// ARP requests and neighbour solicitations for a known address are answered where they arrive.
    On,
}

impl NeighborSuppression {
    /// Whether it is on.
    pub const fn is_on(self) -> bool {
        matches!(self, Self::On)
    }
}

/// Whether a bridge lowers the segment size in TCP SYN segments that use a tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MssClamp {
    /// Nothing is changed.
    #[default]
    Off,
    /// To what fits the bridge's effective MTU.
    On,
}

impl MssClamp {
    /// Whether it is on.
    pub const fn is_on(self) -> bool {
        matches!(self, Self::On)
    }
}
