//! The objects that an administrator names (forwarding rules section 1).

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::{MssClamp, NeighborSuppression, VlanSet};
use crate::compile::{MacLimit, StormLimits};
use crate::types::{IndividualMac, MacAddr, Name, Tpid, VlanId, Vni};

/// Whether the administrator wants an object to work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AdminState {
    /// It works.
    #[default]
    Up,
    /// Frames that would use it are dropped as `admin_down`.
    Down,
}

impl AdminState {
    /// Whether it is [`AdminState::Up`].
    pub const fn is_up(self) -> bool {
        matches!(self, Self::Up)
    }

    /// The word used in site files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// How long a learned entry may stay idle: whole seconds from 10 to 86400, 300 by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ageing(u32);

/// The duration is no ageing time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{seconds} s is not an ageing time: expected 10 s to 86400 s")]
pub struct InvalidAgeing {
    /// What was given.
    pub seconds: u64,
}

impl Ageing {
    /// The ageing time of `seconds`, or why it is none.
    pub fn from_secs(seconds: u64) -> Result<Self, InvalidAgeing> {
        match u32::try_from(seconds) {
            Ok(short) if (10..=86_400).contains(&short) => Ok(Self(short)),
            _ => Err(InvalidAgeing { seconds }),
        }
    }

    /// As a duration.
    pub const fn get(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }

    /// In seconds.
    pub const fn as_secs(self) -> u32 {
        self.0
    }
}

impl Default for Ageing {
    fn default() -> Self {
        Self(300)
    }
}

/// A VLAN-agnostic layer 2 network with one MAC table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bridge {
    /// Its name.
    pub name: Name,
    /// Its number on the overlay, unique in the site.
    pub vni: Option<Vni>,
    /// How long a learned entry may stay idle.
    pub ageing: Ageing,
    /// How many stations may be learned; of a transparent bridge, in each VLAN of its payload.
    pub mac_limit: Option<MacLimit>,
    /// Whether tags that arrive on access ports are payload. The MAC table is then keyed by the
    /// outer VID too.
    pub transparent: bool,
    /// Whether requests for addresses that are known are answered where they arrive, and not flooded
    /// (section 4).
    pub neighbor_suppression: NeighborSuppression,
    /// Whether the segment size that TCP peers announce is lowered to what tunnels carry.
    pub mss_clamp: MssClamp,
    /// Whether it works.
    pub admin: AdminState,
}

impl Bridge {
    /// A bridge with every property at its default.
    pub fn new(name: Name) -> Self {
        Self {
            name,
            vni: None,
            ageing: Ageing::default(),
            mac_limit: None,
            transparent: false,
            neighbor_suppression: NeighborSuppression::default(),
            mss_clamp: MssClamp::default(),
            admin: AdminState::Up,
        }
    }
}

/// How the trunks of a gateway bridge share the work (forwarding rules section 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RedundancyMode {
    /// One trunk forwards each VID; the others discard its data.
    #[default]
    Lease,
    /// All trunks of one host forward; spanning tree frames pass through.
    StpTransparent,
    /// The trunks are one multi-chassis aggregation.
    Mlag,
}

impl RedundancyMode {
    /// The word used in site files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lease => "lease",
            Self::StpTransparent => "stp-transparent",
            Self::Mlag => "mlag",
        }
    }
}

/// What a gateway bridge does with a reserved address that is neither spanning tree, PAUSE, a slow
/// protocol nor LLDP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReservedPolicy {
    /// Dropped as `reserved`.
    #[default]
    Drop,
    /// Passed on to the other trunks unchanged.
    Pass,
}

impl ReservedPolicy {
    /// The word used in site files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Pass => "pass",
        }
    }
}

/// The VLAN-aware device that owns trunks, the VLAN map and the policy for reserved addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayBridge {
    /// Its name.
    pub name: Name,
    /// How its trunks share the work.
    pub mode: RedundancyMode,
    /// In `stp-transparent` mode: whether data, too, passes from trunk to trunk.
    pub transit: bool,
    /// Whether it works.
    pub admin: AdminState,
    /// What happens to reserved addresses beyond the default; see
    /// [`crate::wire::reserved::is_policy_address`].
    pub reserved: BTreeMap<MacAddr, ReservedPolicy>,
}

impl GatewayBridge {
    /// A gateway bridge with every property at its default.
    pub fn new(name: Name) -> Self {
        Self {
            name,
            mode: RedundancyMode::default(),
            transit: false,
            admin: AdminState::Up,
            reserved: BTreeMap::new(),
        }
    }

    /// Whether data passes from trunk to trunk.
    pub fn transits(&self) -> bool {
        self.mode == RedundancyMode::StpTransparent && self.transit
    }
}

/// An interface of a host, by its name in that host's node file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binding {
    /// The host.
    pub host: Name,
    /// The interface's name in the node file of `host`.
    pub interface: Name,
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.interface)
    }
}

/// What carries a trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attachment {
    /// One interface of one host.
    Interface(Binding),
    /// An aggregation.
    Lag(Name),
}

/// Limits on flooded traffic that arrives on a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StormControl {
    /// For the whole port.
    pub port: StormLimits,
    /// For each VID of a trunk, on its own. Meaningless on an access port.
    pub per_vlan: StormLimits,
}

/// A port of a gateway bridge that carries tagged frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkPort {
    /// Its name, unique among all ports of the site.
    pub name: Name,
    /// The gateway bridge it belongs to.
    pub gateway_bridge: Name,
    /// What carries it; `None` is a trunk that is not cabled yet.
    pub attachment: Option<Attachment>,
    /// The VIDs it carries; `None` is every VID that has a VLAN link.
    pub allowed: Option<VlanSet>,
    /// The VID of untagged frames.
    pub native: Option<VlanId>,
    /// The TPID of the outer tag.
    pub tpid: Tpid,
    /// Whether it works.
    pub admin: AdminState,
    /// How many stations may be learned behind it, over all VIDs.
    pub mac_limit: Option<MacLimit>,
    /// Limits on flooded traffic that arrives on it.
    pub storm_control: StormControl,
}

impl TrunkPort {
    /// A trunk with every property at its default.
    pub fn new(name: Name, gateway_bridge: Name, binding: Option<Binding>) -> Self {
        Self {
            name,
            gateway_bridge,
            attachment: binding.map(Attachment::Interface),
            allowed: None,
            native: None,
            tpid: Tpid::default(),
            admin: AdminState::Up,
            mac_limit: None,
            storm_control: StormControl::default(),
        }
    }

    /// The interface that carries it, if one does on its own.
    pub fn binding(&self) -> Option<&Binding> {
        match &self.attachment {
            Some(Attachment::Interface(binding)) => Some(binding),
            Some(Attachment::Lag(_)) | None => None,
        }
    }
}

/// Identifies a VLAN link: one per gateway bridge and VID, or per pair of service and customer VID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkKey {
    /// The gateway bridge.
    pub gateway_bridge: Name,
    /// The VID of the outer tag.
    pub vid: VlanId,
    /// The VID of the inner tag, of a pair mapping.
    pub inner_vid: Option<VlanId>,
}

impl fmt::Display for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.gateway_bridge, self.vid)?;
        self.inner_vid.map_or(Ok(()), |inner| write!(f, ".{inner}"))
    }
}

/// Carries the frames of one VID of a gateway bridge into one bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VlanLink {
    /// Which VID of which gateway bridge.
    pub key: LinkKey,
    /// The bridge.
    pub bridge: Name,
    /// Whether the bridge may have further links to the same gateway bridge.
    pub join: bool,
}

/// An aggregation of links (IEEE 802.1AX).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    /// Its name.
    pub name: Name,
    /// Its member links, of one host or of several.
    pub members: Vec<Binding>,
}

/// A port of a bridge that carries untagged frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessPort {
    /// Its name, unique among all ports of the site.
    pub name: Name,
    /// The bridge it belongs to.
    pub bridge: Name,
    /// What it is plugged into; `None` is a port that is not plugged in yet.
    pub binding: Option<Binding>,
    /// Whether it works.
    pub admin: AdminState,
    /// How many stations may be learned behind it.
    pub mac_limit: Option<MacLimit>,
    /// Limits on flooded traffic that arrives on it.
    pub storm_control: StormControl,
}

impl AccessPort {
    /// An access port with every property at its default.
    pub fn new(name: Name, bridge: Name, binding: Option<Binding>) -> Self {
        Self {
            name,
            bridge,
            binding,
            admin: AdminState::Up,
            mac_limit: None,
            storm_control: StormControl::default(),
        }
    }
}

/// Identifies a static MAC: one per bridge and address; of a transparent bridge, per VID too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StaticKey {
    /// The bridge.
    pub bridge: Name,
    /// The station.
    pub mac: IndividualMac,
    /// Of a transparent bridge: the VID of the payload's outer tag, `None` for untagged.
    pub payload_vid: Option<VlanId>,
}

impl fmt::Display for StaticKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.bridge, self.mac)?;
        self.payload_vid.map_or(Ok(()), |vid| write!(f, "/{vid}"))
    }
}

/// A station whose place the administrator fixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticMac {
    /// Which station of which bridge.
    pub key: StaticKey,
    /// The access port or trunk, of any host, or the tunnel that it is behind.
    pub port: Name,
    /// The VID (and inner VID) of the link that leads there, if `port` is a trunk.
    pub vid: Option<(VlanId, Option<VlanId>)>,
}
