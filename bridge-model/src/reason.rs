//! The closed lists: why a frame was dropped, why one was consumed.
//!
//! Declared once; counters, API, CLI and documentation follow. Adding a reason here forces a name,
//! a meaning and a remedy, and a test fails until `docs/ops/drop-reasons.md` names it.

use std::fmt;
use std::str::FromStr;

/// Where in the pipeline a frame ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Parsing and admission (forwarding rules section 2).
    Admission,
    /// Reserved addresses (section 5).
    Reserved,
    /// Which bridge, which tag (section 3).
    Classify,
    /// Learning the source (section 4).
    Learn,
    /// Destination look-up and flooding (section 4).
    Forward,
    /// Rewrite and transmission.
    Transmit,
    /// The outer headers of a tunnel, on the way in or out.
    Tunnel,
}

/// What a drop says about the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Normal operation: a bridge has to drop such frames.
    Expected,
    /// Somebody configured something wrongly, here or on the neighbour.
    Config,
    /// A limit was reached.
    Capacity,
    /// A station behaves as an attacker or a broken one would.
    Attack,
    /// It should not happen: report it.
    Bug,
}

impl Stage {
    /// The word used in API and CLI.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admission => "admission",
            Self::Reserved => "reserved",
            Self::Classify => "classify",
            Self::Learn => "learn",
            Self::Forward => "forward",
            Self::Transmit => "transmit",
            Self::Tunnel => "tunnel",
        }
    }
}

impl Severity {
    /// The word used in API and CLI.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expected => "expected",
            Self::Config => "config",
            Self::Capacity => "capacity",
            Self::Attack => "attack",
            Self::Bug => "bug",
        }
    }
}

/// The text names no reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a known reason")]
pub struct UnknownReason {
    /// What was given.
    pub text: String,
}

macro_rules! drop_reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $stage:ident, $severity:ident,
       $meaning:literal, $remedy:literal;)*) => {
        /// Why a frame was not sent. Every dropped frame has exactly one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum DropReason {
            $($(#[$doc])* #[doc = $meaning] $variant,)*
        }

        impl DropReason {
            /// Every reason, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word used in counters, API and CLI.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// Where the frame ended.
            pub const fn stage(self) -> Stage {
                match self { $(Self::$variant => Stage::$stage),* }
            }

            /// What it says about the network.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity),* }
            }

            /// What happened, in a sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning),* }
            }

            /// What to do about it.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy),* }
            }
        }
    };
}

drop_reasons! {
    Malformed = "malformed", Admission, Attack,
        "The frame is shorter than an Ethernet header, or its tag stack is cut off.",
        "Look at the sample frame and at the receive errors of the port: a failing cable, driver or sender cuts frames.";
    BufferChained = "buffer_chained", Admission, Bug,
        "The driver delivered one frame in several buffers although buffers are sized for the largest frame.",
        "Report it with the device kind and the frame length; lower the MTU of the sender meanwhile.";
    BadSource = "bad_source", Admission, Attack,
        "The source address is a group address or all zero. No station can own it, so it is neither learned nor forwarded.",
        "Find the sender by the sample frame and repair its driver or its configuration.";
    AdminDown = "admin_down", Admission, Config,
        "The port, its bridge or its gateway bridge is administratively down.",
        "Set `admin: up` on the object named in the sample, or unplug the sender.";
    PortUnbound = "port_unbound", Admission, Config,
        "The frame arrived on a device of the node file to which no port is bound.",
        "Bind a trunk or an access port to this interface, or remove the device from the node file.";
    RxLinkDown = "rx_link_down", Admission, Expected,
        "The frame was still in the receive queue of a device that had lost carrier.",
        "Nothing, as a rule; a high rate means that the link flaps.";
    StormBroadcast = "storm_broadcast", Admission, Attack,
        "The broadcast rate of the port, or of the VLAN on it, exceeds its storm control limit.",
        "Look for a loop or a broken sender behind the port; raise `stormControl.broadcast` if the rate is legitimate.";
    StormMulticast = "storm_multicast", Admission, Attack,
        "The multicast rate of the port, or of the VLAN on it, exceeds its storm control limit.",
        "Look for a loop or a broken sender behind the port; raise `stormControl.multicast` if the rate is legitimate.";
    StormUnknown = "storm_unknown", Forward, Attack,
        "The rate of frames to unknown destinations exceeds the storm control limit of the port, or of the VLAN on it.",
        "Look for a sender that scans addresses or for stations that never answer; raise `stormControl.unknownUnicast` if the rate is legitimate.";
    MacLimit = "mac_limit", Learn, Capacity,
        "The bridge or port has reached its MAC limit, and its policy drops frames from further stations.",
        "Raise `macLimit`, set its policy to `forward`, or find the station that sends from many addresses.";
    BpduOnAccess = "bpdu_on_access", Reserved, Config,
        "A spanning tree frame arrived on an access port. Bridges are no part of a spanning tree, so it goes nowhere.",
        "Turn off spanning tree on the attached device, or connect it to a trunk of a gateway bridge.";
    BpduTagged = "bpdu_tagged", Reserved, Config,
        "A spanning tree frame to 01:80:c2:00:00:00 carries a VLAN tag, which no standard bridge sends.",
        "Find the sender by the sample frame.";
    Reserved = "reserved", Reserved, Expected,
        "The destination is a reserved link-local address that a bridge must not forward.",
        "Nothing, as a rule. To pass it between trunks, name it in the gateway bridge's `reserved` policy.";
    BpduNoRelay = "bpdu_no_relay", Reserved, Expected,
        "A spanning tree frame could be passed on in `stp-transparent` mode, but the gateway bridge has no other trunk for it that is up and carries its VLAN.",
        "Nothing if the other trunk is down on purpose; otherwise bring it up.";
    BpduRateLimit = "bpdu_rate_limit", Reserved, Attack,
        "The port sends more control frames than its budget allows.",
        "Find the device that floods control frames; a healthy switch sends a few per second and VLAN.";
    VlanReserved = "vlan_reserved", Classify, Config,
        "The tag carries VID 4095, which the standard reserves.",
        "Repair the sender's configuration.";
    VlanUnknown = "vlan_unknown", Classify, Config,
        "The trunk carries no such VLAN: no VLAN link exists for it, or it is not in the trunk's allowed list.",
        "Link the VLAN to a bridge or add it to `allowed`; otherwise prune the VLAN on the switch port.";
    UntaggedOnTrunk = "untagged_on_trunk", Classify, Config,
        "An untagged frame arrived on a trunk that has no native VLAN.",
        "Set `native` on the trunk, or make the switch tag every VLAN on this port.";
    BadTpid = "bad_tpid", Classify, Config,
        "The outer tag has another TPID than the trunk is configured for.",
        "Set `tpid` on the trunk, or change the switch port.";
    TaggedOnAccess = "tagged_on_access", Classify, Config,
        "A tagged frame arrived on an access port of a bridge that is not transparent.",
        "Remove the tag at the sender, bind the interface as a trunk, or set `transparent: true` on the bridge.";
    TrunkStandby = "trunk_standby", Classify, Expected,
        "Another trunk of the gateway bridge holds the right to forward this VLAN (mode `lease`).",
        "Nothing: this is what keeps the network free of loops.";
    StaticMacViolation = "static_mac_violation", Learn, Attack,
        "The source address is configured as static on another port.",
        "Find the station that uses the address, or correct the static entry.";
    Hairpin = "hairpin", Forward, Expected,
        "The destination is known behind the port that the frame came in by.",
        "Nothing, as a rule: the neighbour delivers such frames itself. A high rate means that a switch has aged the address out.";
    SplitHorizon = "split_horizon", Forward, Expected,
        "The only way out is another trunk of the same segment, and a frame never returns to its segment.",
        "Nothing, as a rule. A high rate means that the trunks of this gateway bridge lead to different networks: use `stp-transparent` with transit.";
    NoDestination = "no_destination", Forward, Expected,
        "The frame has to be flooded, but its bridge has no other port that is up.",
        "Bind or bring up another port of the bridge.";
    NoBuffer = "no_buffer", Forward, Capacity,
        "There was no free buffer for a copy of a flooded frame.",
        "Raise `memory` in the node file, or find what floods.";
    MtuExceeded = "mtu_exceeded", Transmit, Config,
        "The frame is longer than the egress port's MTU allows.",
        "Raise the MTU of the egress device, or lower it at the sender.";
    TxFull = "tx_full", Transmit, Capacity,
        "The transmit ring of the egress device stayed full.",
        "The egress link or its peer is slower than the traffic: see `sluice ports`.";
    TxLinkDown = "tx_link_down", Transmit, Expected,
        "The egress device has no carrier.",
        "See `sluice ports`: plug in the cable or start the peer.";
    PuntFull = "punt_full", Reserved, Capacity,
        "The control plane did not take control frames as fast as they arrived.",
        "See `sluice drops`: a port that floods control frames is named there.";
    NotForUs = "not_for_us", Tunnel, Expected,
        "A frame on the underlay is addressed to another station: its destination MAC is not that of the interface.",
        "Nothing, as a rule: switches flood what they have not learned. A high rate means a wrong ARP or neighbour entry somewhere.";
    TunnelUnexpected = "tunnel_unexpected", Tunnel, Config,
        "A packet on the underlay is for an address or a protocol that this host does not have, or its tunnel is of another kind than the one configured for its sender.",
        "Compare the sample with the tunnel zone: kind, UDP port, `vtep` of this host. To give other protocols to the kernel set `kernel` on the underlay link.";
    TunnelBadHeader = "tunnel_bad_header", Tunnel, Attack,
        "An outer header is broken: truncated, wrong length or version, VXLAN without the I flag, GRE without a key or with an unknown flag or payload.",
        "Find the sender by the sample frame and repair its tunnel configuration.";
    TunnelBadChecksum = "tunnel_bad_checksum", Tunnel, Attack,
        "An outer checksum (IPv4 header, UDP or GRE) is wrong, or is zero over IPv6 where that was not agreed.",
        "Look for a failing cable or card on the underlay; for zero over IPv6 set `udpChecksum: zero` on the zone or let the sender compute it.";
    TunnelFragment = "tunnel_fragment", Tunnel, Config,
        "The outer packet is a fragment. A tunnel endpoint does not reassemble (RFC 7348 section 4.3).",
        "Raise the MTU of the underlay, or lower the MTU of the sender's stations; `sluice tunnels` shows the MTU that fits.";
    VtepUnknown = "vtep_unknown", Tunnel, Config,
        "The sender of the tunnel packet is neither a host of a tunnel zone nor a tunnel of this site that carries the bridge.",
        "Add the endpoint as a `tunnels` object, or its bridge to that object's `bridges`; otherwise stop the sender.";
    VniUnknown = "vni_unknown", Tunnel, Config,
        "No bridge of this host has this VNI (or GRE key).",
        "Compare `vni` of the bridge on both sides. While a bridge is being removed a few such frames are normal.";
    TunnelTagged = "tunnel_tagged", Tunnel, Config,
        "The frame inside the tunnel has a VLAN tag, and the bridge is not transparent.",
        "Remove the tag at the sender, or set `transparent: true` on the bridge.";
    TunnelCongested = "tunnel_congested", Tunnel, Capacity,
        "The outer packet met congestion on the underlay, and the packet inside is of a transport that does not know such marks (RFC 6040 section 4.2).",
        "Find the congested link of the underlay. Stations that use ECN slow down without a loss.";
    PeerDown = "peer_down", Tunnel, Expected,
        "The sender of the tunnel packet is considered down (BFD), so nothing is taken from it until both sides agree that it is up.",
        "See `sluice tunnels`. If this lasts, packets pass in one direction only: look at the underlay between the two.";
    TunnelNoRoute = "tunnel_no_route", Tunnel, Config,
        "There is no underlay link and no route towards the tunnel endpoint.",
        "Add a route to this host's `routes`, or an address of the endpoint's network to a link of its `underlay`.";
    NeighborUnresolved = "neighbor_unresolved", Tunnel, Capacity,
        "The next hop towards the tunnel endpoint does not answer ARP or neighbour solicitations (yet). Nothing is queued for it.",
        "See `sluice underlay`: check the cable, the VLAN and the address of the next hop. A few such frames after a start are normal.";
    Shutdown = "shutdown", Transmit, Expected,
        "The worker was stopping and could not send the frame any more.",
        "Nothing.";
}

impl DropReason {
    /// How many reasons there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The number used as a table index.
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for DropReason {
    type Err = UnknownReason;

    fn from_str(text: &str) -> Result<Self, UnknownReason> {
        Self::ALL
            .iter()
            .copied()
            .find(|reason| reason.name() == text)
            .ok_or_else(|| UnknownReason { text: text.to_owned() })
    }
}

/// Which protocol a consumed frame belonged to. A consumed frame ended here on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PuntReason {
    /// IEEE spanning tree of any version.
    Bpdu,
    /// Per-VLAN spanning tree (PVST+, Rapid-PVST+).
    Pvst,
    /// IEEE 802.3 slow protocols: LACP, marker, OAM.
    SlowProtocol,
    /// Link layer discovery.
    Lldp,
    /// ARP or neighbour discovery on the underlay.
    UnderlayNeighbor,
    /// ICMP or ICMPv6 for one of our underlay addresses.
    UnderlayIcmp,
    /// Bidirectional forwarding detection with a peer.
    Bfd,
    /// A request that was answered for the station asked for (`neighborSuppression`).
    NeighborSuppressed,
}

impl PuntReason {
    /// Every reason, in the order of their numbers.
    pub const ALL: &'static [Self] = &[
        Self::Bpdu,
        Self::Pvst,
        Self::SlowProtocol,
        Self::Lldp,
        Self::UnderlayNeighbor,
        Self::UnderlayIcmp,
        Self::Bfd,
        Self::NeighborSuppressed,
    ];
    /// How many reasons there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The word used in counters, API and CLI.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bpdu => "bpdu",
            Self::Pvst => "pvst",
            Self::SlowProtocol => "slow_protocol",
            Self::Lldp => "lldp",
            Self::UnderlayNeighbor => "underlay_neighbor",
            Self::UnderlayIcmp => "underlay_icmp",
            Self::Bfd => "bfd",
            Self::NeighborSuppressed => "neighbor_suppressed",
        }
    }

    /// The number used as a table index.
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for PuntReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_found_by_its_name_and_numbered_in_order() {
        for (index, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(reason.name().parse(), Ok(*reason));
            assert_eq!(reason.index(), index);
        }
        assert!("no_such_reason".parse::<DropReason>().is_err());
    }
}
