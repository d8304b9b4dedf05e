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

/// Where a copy should have left.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// By a device.
    Interface(InterfaceId),
    /// In a tunnel: the host or the tunnel object at its other end.
    Peer(Name),
}

/// What becomes of a frame. A frame that floods may in part be sent and in part be refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is forwarded, flooded or relayed: at least two copies were tried, or one that was sent.
    Sent {
        /// The copies that leave, ascending.
        copies: Vec<Copy>,
        /// The copies that were tried and dropped on the way out, ascending.
        refused: Vec<(Exit, DropReason)>,
    },
    /// It asked for an address that is known. It is consumed
    /// ([`PuntReason::NeighborSuppressed`]), and this answer, a frame of our own, leaves by the place
    /// that the question came in by, or is refused there.
    Answered(Result<Copy, DropReason>),
    /// The control plane takes it.
    Consumed(PuntReason),
    /// It goes nowhere.
    Dropped(DropReason),
}

/// What the protocols of this host are told of a frame beside what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notice {
    /// A copy of a frame to one station was refused as `mtu_exceeded`: the sender may be told that
    /// layer 3 packets of this many octets pass. One for each such copy.
    TooBig {
        /// In octets.
        mtu: u16,
    },
    /// The frame went to the kernel, and a copy of it is for our own protocol.
    Copied(PuntReason),
}

/// The copies of one frame, while they are tried.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    copies: Vec<Copy>,
    refused: Vec<(Exit, DropReason)>,
    notices: Vec<Notice>,
}

impl Leaving {
    /// One copy was tried.
    pub(super) fn push(&mut self, tried: Result<Copy, Refused>) {
        match tried {
            Ok(copy) => self.copies.push(copy),
            Err(Refused { exit, reason, told }) => {
                self.refused.push((exit, reason));
                self.notices.extend(told.map(|mtu| Notice::TooBig { mtu }));
            }
        }
    }

    /// Nothing was tried.
    pub(super) fn is_empty(&self) -> bool {
        self.copies.is_empty() && self.refused.is_empty()
    }

    /// What became of the frame, and what the protocols are told.
    pub(super) fn finish(mut self) -> (Outcome, Vec<Notice>) {
        self.copies.sort();
        self.refused.sort();
        self.notices.sort();
        let outcome = match (&*self.copies, &*self.refused) {
            ([], [(_, reason)]) => Outcome::Dropped(*reason),
            _ => Outcome::Sent { copies: self.copies, refused: self.refused },
        };
        (outcome, self.notices)
    }
}

/// A copy that does not leave.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) exit: Exit,
    pub(super) reason: DropReason,
    /// The sender may be told that packets of this many octets pass.
    pub(super) told: Option<u16>,
}

impl Outcome {
    /// The copies that leave.
    pub fn copies(&self) -> &[Copy] {
        match self {
            Self::Sent { copies, .. } => copies,
            Self::Answered(Ok(answer)) => std::slice::from_ref(answer),
            Self::Answered(Err(_)) | Self::Consumed(_) | Self::Dropped(_) => &[],
        }
    }

    /// The reasons of every dropped buffer, one each: what drop counters count.
    pub fn drops(&self) -> Vec<DropReason> {
        match self {
            Self::Sent { refused, .. } => refused.iter().map(|(_, reason)| *reason).collect(),
            Self::Dropped(reason) | Self::Answered(Err(reason)) => vec![*reason],
            Self::Answered(Ok(_)) | Self::Consumed(_) => Vec::new(),
        }
    }

    /// The protocol that the frame ended with.
    pub fn consumed(&self) -> Option<PuntReason> {
        match self {
            Self::Consumed(reason) => Some(*reason),
            Self::Answered(_) => Some(PuntReason::NeighborSuppressed),
            Self::Sent { .. } | Self::Dropped(_) => None,
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
    /// The bridge port it is behind; [`Name::of_peer`] of a host or tunnel.
    pub port: Name,
    /// The VID and inner VID on a trunk.
    pub vid: Option<(VlanId, Option<VlanId>)>,
}
