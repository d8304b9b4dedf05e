//! What workers tell the control side, each through a ring of its own.

use arrayvec::ArrayVec;
use bridge_model::reason::{DropReason, PuntReason};
use bridge_model::types::{Fid, InterfaceId, MemberId, UnderlayId};

use crate::counters::PortSlot;

/// Octets of a dropped frame that a sample keeps.
pub const SAMPLE_OCTETS: usize = 128;

/// Octets of a control frame that the control plane gets. LLDP, LACP and BPDUs fit a standard frame;
/// of a longer one the rest is cut off ([`PuntFrame::octets`] tells).
pub const PUNT_OCTETS: usize = 1600;

/// The first octets of a dropped frame, to explain the drop by example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropSample {
    /// Why it was dropped.
    pub reason: DropReason,
    /// The port that it is counted for.
    pub port: PortSlot,
    /// Where it came in (for drops at the transmit stage: where it should have left).
    pub interface: InterfaceId,
    /// The frame's length in octets.
    pub octets: u32,
    /// The worker's time stamp, in ticks.
    pub ticks: u64,
    /// How the frame begins.
    pub head: ArrayVec<u8, SAMPLE_OCTETS>,
}

/// A control frame for the control plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PuntFrame {
    /// Which protocol.
    pub reason: PuntReason,
    /// The port that it came in by.
    pub port: PortSlot,
    /// Where it came in.
    pub interface: InterfaceId,
    /// It was also passed on to other trunks: this is a copy to read.
    pub relayed: bool,
    /// The frame's length in octets.
    pub octets: u32,
    /// The worker's time stamp, in ticks.
    pub ticks: u64,
    /// The frame, or its first [`PUNT_OCTETS`].
    pub bytes: ArrayVec<u8, PUNT_OCTETS>,
}

/// Octets of a frame that the protocol thread gets: all of it, so that a ping of jumbo size is
/// answered and its checksum can be verified.
pub const PROTOCOL_OCTETS: usize = 9728;

/// Why the protocol thread gets a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolEvent {
    /// It ended with us: a packet of an underlay protocol.
    Consumed(PuntReason),
    /// The same, of a link whose addresses belong to the kernel: the frame itself went there.
    Copied(PuntReason),
    /// It was dropped as `mtu_exceeded` because a tunnel, or the port behind one, takes layer 3
    /// packets of at most `mtu` octets: its sender may be told. `bytes` is the frame as its bridge
    /// sees it, without the tags that its class is keyed by.
    TooBig {
        /// The largest layer 3 packet, in octets.
        mtu: u16,
    },
    /// It went its way: a copy to learn the neighbour from, in a bridge with `neighborSuppression`.
    /// `bytes` as for [`Self::TooBig`].
    Neighbor,
}

/// A frame for the protocol thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolFrame {
    /// Why.
    pub event: ProtocolEvent,
    /// The underlay link that it came by, of a frame that was consumed.
    pub link: UnderlayId,
    /// The learning domain and the member that it came by, of others: where an answer goes, see
    /// [`crate::Worker::inject`].
    pub place: (Fid, MemberId),
    /// The frame's length in octets.
    pub octets: u32,
    /// The frame from the destination address on, or its first [`PROTOCOL_OCTETS`]; of a consumed one
    /// without the tag that selected the link.
    pub bytes: ArrayVec<u8, PROTOCOL_OCTETS>,
}

/// The first octets of `bytes`, as many as fit.
#[inline(never)]
pub(crate) fn head<const N: usize>(bytes: &[u8]) -> ArrayVec<u8, N> {
    bytes.iter().copied().take(N).collect()
}
