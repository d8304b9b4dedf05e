//! What the machine shows of itself.

use std::net::IpAddr;
use std::time::Duration;

use crate::types::{MacAddr, Name, UnderlayId};
use crate::wire::bfd::{Diagnostic, State};

/// How well a neighbour is known (RFC 4861 section 7.3.2; ARP is treated alike). A next hop is always
/// in use, so what the RFC calls `DELAY` is a part of [`Self::Stale`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NeighborState {
    /// Its MAC is asked for, and no answer was missed for long.
    Incomplete,
    /// It has answered lately.
    Reachable,
    /// Its MAC is known from a message that nobody asked for, and not confirmed yet. It is used.
    Stale,
    /// It is asked whether it is still there. Its MAC is used meanwhile.
    Probe,
    /// It does not answer. It is asked for again, for ever, more and more rarely.
    Failed,
}

impl NeighborState {
    /// The word shown to users.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::Reachable => "reachable",
            Self::Stale => "stale",
            Self::Probe => "probe",
            Self::Failed => "failed",
        }
    }
}

/// A next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeighborView {
    /// The link that it is on.
    pub link: UnderlayId,
    /// Its address.
    pub ip: IpAddr,
    /// How well it is known.
    pub state: NeighborState,
    /// Its MAC, while frames are sent to it.
    pub mac: Option<MacAddr>,
    /// Since when it is in this state, on the clock that the machine is given.
    pub since: Duration,
}

/// How far away a BFD session believes its peer to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hops {
    /// With both addresses on one link (RFC 5881): UDP port 3784, and only packets with TTL 255 are taken.
    Single,
    /// Behind routers, or one of the addresses is not on the link (RFC 5883): UDP port 4784.
    Multi,
}

/// A BFD session. The names are those of RFC 5880 section 6.8.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BfdView {
    /// Our state.
    pub state: State,
    /// Why we left the state Up last.
    pub diagnostic: Diagnostic,
    /// The state that the peer announced last.
    pub remote_state: State,
    /// The reason that the peer announced last.
    pub remote_diagnostic: Diagnostic,
    /// Single hop or multihop.
    pub hops: Hops,
    /// Ours.
    pub local_discriminator: u32,
    /// The peer's; 0 if it is not known.
    pub remote_discriminator: u32,
    /// Between two of our packets, before jitter.
    pub transmit_interval: Duration,
    /// After this silence the session goes down; `None` if the peer has not been heard yet.
    pub detection_time: Option<Duration>,
    /// How often it came up.
    pub ups: u64,
    /// When our state changed last.
    pub last_change: Duration,
    /// Frames are sent to the peer: the last of [`super::Action::PeerUp`] and
    /// [`super::Action::PeerDown`], up if there was none.
    pub peer_is_up: bool,
}

/// What is known about the sizes that reach a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathMtuState {
    /// Nothing: the peer has not answered a ping (it need not).
    Unknown,
    /// A packet of the size was answered.
    Confirmed,
    /// Packets of that size are lost while short ones are answered; the right size is being sought.
    Searching,
}

impl PathMtuState {
    /// The word shown to users.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Confirmed => "confirmed",
            Self::Searching => "searching",
        }
    }
}

/// The largest IP packet for a peer, over all paths to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathMtuView {
    /// In octets; 0 without a path.
    pub mtu: u16,
    /// What the links of the paths take, in octets; 0 without a path.
    pub link_mtu: u16,
    /// The least that is known about any path.
    pub state: PathMtuState,
}

/// A peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerView {
    /// The host or tunnel.
    pub name: Name,
    /// How it is watched, if it is.
    pub bfd: Option<BfdView>,
    /// What it is reached by.
    pub path_mtu: PathMtuView,
}
