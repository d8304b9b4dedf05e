//! The compiled form of a topology for one host: dense arrays that the data plane indexes.
//!
//! A pure value. It knows nothing of learned MACs and nothing of devices: an interface is a number
//! that the caller mapped from a name.
//!
//! ```text
//! interface --tag--> Class ----> Fid -------> members (where this learning domain can send to)
//!                      |           |             ^
//!                      +-- member  +-- flood list (numbers of members)
//! ```
//!
//! The MAC table maps (fid, address) to a member *of that fid*, so the number in an entry stays
//! small, and retiring a member (a flush, a port that went down) makes every entry that points at it
//! void in one step: [`MemberRoute::Retired`] reads as "unknown".

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::reason::{DropReason, PuntReason};
use crate::topology::{BfdTimers, TunnelDscp};
use crate::types::{
    Fid, InterfaceId, MacAddr, MemberId, Name, PeerId, PortId, Revision, Tpid, UnderlayId, VlanId,
    Vni,
};

/// Everything that the workers of one host read.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Tables {
    /// The topology this was compiled from.
    pub revision: Revision,
    /// By [`InterfaceId`].
    pub interfaces: Vec<InterfaceTable>,
    /// By [`PortId`]: the bridge ports of this host. A number whose port is gone keeps the port's
    /// last name, until another port takes it; nothing refers to it.
    pub ports: Vec<PortTable>,
    /// By [`Fid`]; element 0 is unused and empty.
    pub fids: Vec<FidTable>,
    /// Where tunnels begin and end on this host.
    pub underlay: UnderlayTable,
}

/// What happens to a frame that arrives on one interface, before anything is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceTable {
    /// The interface's name in the node file.
    pub name: Name,
    /// The largest layer 3 packet that may leave by it, in octets; the frame may be 14 octets
    /// longer plus 4 for each tag.
    pub mtu: u16,
    /// Untagged and priority-tagged frames.
    pub untagged: Class,
    /// The bridge port that untagged frames are counted for.
    pub untagged_port: Option<PortId>,
    /// Tagged frames.
    pub tagged: TaggedClasses,
    /// The bridge port that tagged frames are counted for.
    pub tagged_port: Option<PortId>,
    /// What happens to reserved destinations.
    pub reserved: ReservedTable,
}

/// What happens to tagged frames of an interface.
///
/// The outer tag is that of either TPID. In order: on a [`TaggedClasses::Trunk`], a foreign TPID is
/// [`DropReason::BadTpid`] before its VID is looked at; then VID 0 makes the frame an untagged one
/// (the tag is taken off, its PCP and DEI kept for the egress tag) and VID 4095 is
/// [`DropReason::VlanReserved`]; then the class decides. With [`TaggedClasses::All`] the same holds if
/// the class is [`DropReason::TaggedOnAccess`]; any other reason there (nothing is bound, the port is
/// down) comes first, whatever the VID. On a [`TaggedClasses::Transparent`] port every tag is payload,
/// a priority tag too: it selects `base` and stays; only VID 4095 is [`DropReason::VlanReserved`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaggedClasses {
    /// All alike: no trunk here.
    All(Class),
    /// A trunk, or an interface with underlay links, whatever else is on it: by VID of the outer tag
    /// when its TPID is `tpid`; any other TPID is [`DropReason::BadTpid`].
    Trunk {
        /// The TPID that this trunk speaks.
        tpid: Tpid,
        /// By VID.
        classes: VidClasses,
    },
    /// An access port of a transparent bridge: the tags are payload. The VID of the outer tag, of
    /// either TPID, selects the learning domain `base + VID`, so that one address in two tags does
    /// not flap.
    Transparent {
        /// The fid of VID 0; those of VIDs 1..=4094 follow.
        base: Fid,
        /// The port's member number, the same in every one of these fids.
        member: MemberId,
    },
}

/// One class for every VID, 0 and 4095 included: always 4096 elements. 0 and 4095 are never
/// consulted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VidClasses(pub Box<[Class; 4096]>);

impl VidClasses {
    /// The same class for every VID.
    pub fn uniform(class: Class) -> Self {
        let classes = vec![class; 4096].into_boxed_slice();
        match classes.try_into() {
            Ok(classes) => Self(classes),
            Err(_) => unreachable!("the vector above has 4096 elements"),
        }
    }

    /// The class of `vid`.
    pub fn get(&self, vid: VlanId) -> &Class {
        &self.0[usize::from(vid.get())]
    }

    /// Sets the class of `vid`.
    pub fn set(&mut self, vid: VlanId, class: Class) {
        self.0[usize::from(vid.get())] = class;
    }
}

/// Where a frame belongs (forwarding rules section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// Into a learning domain, as if sent by `member`.
    Forward {
        /// The learning domain.
        fid: Fid,
        /// The member of `fid` that the frame came in by.
        member: MemberId,
    },
    /// Nowhere.
    Drop(DropReason),
    /// It belongs to the underlay: see [`UnderlayTable`]. The tag that selected the link is taken
    /// off.
    Underlay(UnderlayId),
    /// From the kernel, by the exception path: out by this underlay link, with its tag.
    Kernel(UnderlayId),
    /// By the VID of the inner tag, whose TPID is 0x8100 (a pair of service and customer tag). An
    /// unlisted pair is [`DropReason::VlanUnknown`], and so is any other inside: untagged, VID 0 or
    /// 4095, or another TPID.
    Stacked(Box<VidClasses>),
}

/// A bridge port: what counts, limits and names are attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortTable {
    /// The port's name in the topology.
    pub name: Name,
    /// The interface it is bound to. Of a peer, which its paths lead to, it means nothing.
    pub interface: InterfaceId,
    /// Limits on flooded traffic that arrives here, for the whole port.
    pub storm: StormLimits,
    /// The same for each VID of a trunk, on its own.
    pub storm_per_vid: StormLimits,
    /// How many stations may be learned here, over all its VIDs.
    pub mac_limit: Option<MacLimit>,
}

/// Limits on flooded traffic, each a token bucket; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StormLimits {
    /// Destination ff:ff:ff:ff:ff:ff.
    pub broadcast: Option<StormRate>,
    /// Other group destinations.
    pub multicast: Option<StormRate>,
    /// Individual destinations that are not in the MAC table.
    pub unknown_unicast: Option<StormRate>,
}

/// A token bucket in frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StormRate {
    /// Frames per second, at least 1.
    pub frames_per_second: u32,
    /// Bucket depth in frames, at least 1.
    pub burst: u32,
}

/// A bound on the number of learned stations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MacLimit {
    /// Learned entries; static ones do not count.
    pub entries: u32,
    /// What happens to a frame whose source can no longer be learned.
    pub over: OverLimit,
}

/// What happens to a frame from a station beyond the MAC limit. It is never learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OverLimit {
    /// Forwarded all the same.
    #[default]
    Forward,
    /// Dropped as [`DropReason::MacLimit`].
    Drop,
}

/// A learning domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FidTable {
    /// The bridge (or gateway bridge, for transit of VLANs without a link) it belongs to; `None`
    /// for an unused number.
    pub owner: Option<Name>,
    /// How long a learned entry may stay idle.
    pub ageing: Duration,
    /// How many stations may be learned in this domain.
    pub mac_limit: Option<MacLimit>,
    /// By [`MemberId`]; element 0 is [`MemberRoute::Retired`].
    pub members: Vec<Member>,
    /// Members that a flooded frame goes to, ascending; the ingress member and members of its
    /// split-horizon group are skipped.
    pub flood: Vec<MemberId>,
    /// Known neighbours are answered for (`neighborSuppression`).
    pub suppress: bool,
    /// The largest layer 3 packet that every tunnel of this domain carries, in octets; `None` without
    /// tunnels. The effective MTU of the bridge. A peer without a path, to which nothing goes however
    /// small, does not count.
    pub tunnel_mtu: Option<u16>,
    /// TCP SYN segments to and from tunnels announce at most `tunnel_mtu` less the headers.
    pub clamp_mss: bool,
}

/// One place that a learning domain can send to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// How to get there.
    pub route: MemberRoute,
    /// Members of one group never send to each other, known or unknown; 0 is no group. The trunks
    /// of one VLAN link form a group unless the gateway bridge transits.
    pub split_horizon: u16,
}

/// How a frame leaves towards a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberRoute {
    /// The number is not in use (any more): table entries that name it are void.
    Retired,
    /// Out of a local port.
    Port {
        /// The device to send by.
        interface: InterfaceId,
        /// The bridge port it is counted for.
        port: PortId,
        /// The VID it is counted for, if the port is a trunk.
        vid: Option<VlanId>,
        /// What is put in front.
        push: PushTags,
    },
    /// In a tunnel.
    Tunnel {
        /// To whom.
        peer: PeerId,
        /// The VNI, or the key of GRE.
        vni: Vni,
    },
}

/// [`Member::split_horizon`] of every [`MemberRoute::Tunnel`]: what came by one tunnel never leaves by
/// another (rule F6).
pub const TUNNEL_GROUP: u16 = u16::MAX;

/// The tags that a frame gets on its way out, after those that its class is keyed by were taken off.
///
/// PCP and DEI come from the outer tag it arrived with, a priority tag included, else they are 0; both
/// of [`PushTags::Two`] carry them. A frame that leaves shorter than it came, and shorter than 60
/// octets, is padded with zeros to 60.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushTags {
    /// None: untagged (the tag stack of a transparent bridge is payload and stays).
    None,
    /// One.
    One(Tpid, VlanId),
    /// A service tag outside and a customer tag (0x8100) inside.
    Two(Tpid, VlanId, VlanId),
}

/// What happens to each reserved destination on one interface (forwarding rules section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReservedTable {
    /// 01:80:c2:00:00:00 to :0f, by last octet. A frame to :00 or :08 that would be consumed or
    /// relayed and is tagged with a VID other than 0 is [`DropReason::BpduTagged`].
    pub link_local: [ReservedAction; 16],
    /// 01:80:c2:00:00:20 to :2f, by the low half of the last octet.
    pub registration: [ReservedAction; 16],
    /// 01:00:0c:cc:cc:cd with SNAP protocol 0x010b.
    pub pvst: ReservedAction,
    /// Every other control address of a vendor (see `wire::reserved`).
    pub vendor: ReservedAction,
    /// Where [`ReservedAction::Relay`] sends: the other trunks of the gateway bridge.
    pub relay: Vec<Relay>,
}

/// A trunk that control frames are passed on to, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// The device to send by.
    pub interface: InterfaceId,
    /// The bridge port it is counted for.
    pub port: PortId,
    /// VIDs that this trunk carries, ascending: a tagged per-VLAN BPDU goes only where its VLAN goes.
    pub vids: Vec<VlanId>,
}

/// The fate of a frame to a reserved destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservedAction {
    /// Dropped.
    Drop(DropReason),
    /// Taken by the control plane.
    Consume(PuntReason),
    /// Passed on to the other trunks unchanged, ahead of data; with a reason, the control plane gets
    /// a copy to read, also when there is nobody to pass it on to ([`DropReason::BpduNoRelay`]).
    /// Tagged with a VID other than 0, it goes only to trunks that carry the VID.
    Relay(Option<PuntReason>),
}

/// Where tunnels begin and end on one host; empty on a host without.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnderlayTable {
    /// By [`UnderlayId`].
    pub links: Vec<UnderlayLinkTable>,
    /// Every address of this host on the underlay: those of its links and its VTEP addresses. What is
    /// for another address is not for us, whatever link it came by.
    pub local: Vec<IpAddr>,
    /// By [`PeerId`].
    pub peers: Vec<PeerTable>,
    /// The bridges that this host has, by VNI.
    pub vnis: BTreeMap<Vni, VniTable>,
    /// UDP ports at which VXLAN is expected, ascending.
    pub vxlan_ports: Vec<u16>,
    /// What happens to reserved destinations inside a tunnel: always dropped (section 5).
    pub reserved: Option<ReservedTable>,
}

/// An interface, or one VLAN of it, that speaks IP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnderlayLinkTable {
    /// What its own packets (all but those in tunnels) are counted for; named [`Name::of_underlay`].
    pub port: PortId,
    /// The device.
    pub interface: InterfaceId,
    /// The tag (0x8100, priority 0) of everything on it; `None` is untagged.
    pub vlan: Option<VlanId>,
    /// Its own address, the source of all that is sent by it.
    pub mac: MacAddr,
    /// The largest IP packet, in octets.
    pub mtu: u16,
    /// This host's addresses on it, with the prefix.
    pub addresses: Vec<IpNet>,
    /// Where everything goes that is neither a tunnel's nor ours; `None`: it is dropped.
    pub kernel: Option<InterfaceId>,
}

/// The far end of a tunnel: a host or a foreign endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerTable {
    /// The host or the tunnel.
    pub name: Name,
    /// It is a host of this site, which answers pings as we do, and not a foreign endpoint.
    pub is_host: bool,
    /// What its frames are counted for; named [`Name::of_peer`].
    pub port: PortId,
    /// Our address.
    pub local: IpAddr,
    /// Its address, of the same family. No two peers have the same.
    pub remote: IpAddr,
    /// How frames are wrapped for it, and expected from it.
    pub encapsulation: Encapsulation,
    /// The outer DSCP.
    pub dscp: TunnelDscp,
    /// The ways to it, 1 to 8, among which flows are spread: that of number `flow hash * n >> 16`,
    /// then the following ones while a way's next hop is unresolved. Empty: there is no route.
    pub paths: Vec<PathTable>,
    /// The largest IP packet that every path takes, in octets; 0 without a path.
    pub mtu: u16,
    /// How it is watched.
    pub bfd: Option<BfdTimers>,
}

impl PeerTable {
    /// The longest inner frame, in octets from the destination address on, tags included.
    pub fn max_frame(&self) -> u16 {
        self.mtu.saturating_sub(self.overhead())
    }

    /// Octets from the outer IP header to the inner frame.
    pub const fn overhead(&self) -> u16 {
        let ip = if self.remote.is_ipv4() { 20 } else { 40 };
        ip + match self.encapsulation {
            Encapsulation::Vxlan { .. } => 16,
            Encapsulation::Gre => 8,
        }
    }
}

/// One way to a peer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathTable {
    /// The link to send by.
    pub link: UnderlayId,
    /// The neighbour on that link: a router or the peer itself.
    pub next_hop: IpAddr,
}

/// How frames are wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encapsulation {
    /// VXLAN (RFC 7348).
    Vxlan {
        /// The UDP destination port.
        port: u16,
        /// The outer UDP checksum is computed; otherwise it is zero.
        checksum: bool,
        /// Over IPv6, a zero checksum that arrives is accepted (RFC 6935).
        accept_zero: bool,
    },
    /// GRE with a key and without checksum or sequence number (RFC 2784, RFC 2890); both are accepted.
    Gre,
}

/// What a VNI leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VniTable {
    /// The learning domain; of a transparent bridge that of untagged frames.
    pub fid: Fid,
    /// The tag stack of the inner frame is payload and its outer VID selects `fid + VID`; otherwise a
    /// tagged inner frame is [`DropReason::TunnelTagged`].
    pub transparent: bool,
    /// The bridge is administratively up.
    pub is_up: bool,
    /// The member that each peer is in this domain; a peer that is not here has no business in it.
    pub members: BTreeMap<PeerId, MemberId>,
}
