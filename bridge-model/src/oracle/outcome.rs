//! What becomes of a frame.

use crate::reason::{DropReason, PuntReason};
use crate::types::{IndividualMac, InterfaceId, Name, VlanId};

/// One copy that leaves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Copy {
    /// The device that sends it.
    pub interface: InterfaceId,
    /// The frame as it stands on the wire, without frame check sequence.
    pub bytes: Vec<u8>,
}

/// What becomes of a frame. A frame that floods may in part be sent and in part be refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is forwarded, flooded or relayed: at least two copies were tried, or one that was sent.
    Sent {
        /// The copies that leave, ascending.
        copies: Vec<Copy>,
        /// The copies that were tried and dropped on the way out, ascending.
        refused: Vec<(InterfaceId, DropReason)>,
    },
    /// The control plane takes it.
    Consumed(PuntReason),
    /// It goes nowhere.
    Dropped(DropReason),
}

impl Outcome {
    /// The outcome of the copies that were tried.
    pub(super) fn from_copies(
        mut copies: Vec<Copy>,
        mut refused: Vec<(InterfaceId, DropReason)>,
    ) -> Self {
        copies.sort();
        refused.sort();
        match (&*copies, &*refused) {
            ([], &[(_, reason)]) => Self::Dropped(reason),
            _ => Self::Sent { copies, refused },
        }
    }

    /// The copies that leave.
    pub fn copies(&self) -> &[Copy] {
        match self {
            Self::Sent { copies, .. } => copies,
            Self::Consumed(_) | Self::Dropped(_) => &[],
        }
    }

    /// The reasons of every dropped buffer, one each: what drop counters count.
    pub fn drops(&self) -> Vec<DropReason> {
        match self {
            Self::Sent { refused, .. } => refused.iter().map(|(_, reason)| *reason).collect(),
            Self::Dropped(reason) => vec![*reason],
            Self::Consumed(_) => Vec::new(),
        }
    }
}

/// A learned station.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Learned {
    /// The bridge; the gateway bridge, for a VID that passes from trunk to trunk without a link.
    pub owner: Name,
    /// Of a transparent bridge, the outer VID of the payload; of a transit VID, the VID.
    pub domain_vid: Option<VlanId>,
    /// The station.
    pub mac: IndividualMac,
    /// The bridge port it is behind.
    pub port: Name,
    /// The VID and inner VID on a trunk.
    pub vid: Option<(VlanId, Option<VlanId>)>,
}
