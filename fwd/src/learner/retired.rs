//! Numbers on their way back.
//!
//! A retired number may be handed out again when no entry holds it and none can any more: after all
//! workers have quiesced on an image without it, and after a sweep that began later has seen every
//! entry.

use bridge_model::types::{Fid, MemberId};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Some worker may still write the numbers.
    #[default]
    InUse,
    /// Waits for the sweep in progress to end.
    Quiesced,
    /// The sweep in progress began after quiescence.
    Sweeping,
}

/// Numbers that no entry of the MAC table holds any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// Members of learning domains.
    pub members: Vec<(Fid, MemberId)>,
    /// Whole learning domains.
    pub fids: Vec<Fid>,
}

#[derive(Debug, Default)]
pub(super) struct Retired {
    members: Vec<(Fid, MemberId)>,
    fids: Vec<Fid>,
    phase: Phase,
}

impl Retired {
    pub(super) fn retire(&mut self, members: Vec<(Fid, MemberId)>, fids: Vec<Fid>) {
        (self.members, self.fids) = (members, fids);
        self.phase = Phase::InUse;
    }

    pub(super) fn quiesced(&mut self) {
        if self.phase == Phase::InUse {
            self.phase = Phase::Quiesced;
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        !(self.members.is_empty() && self.fids.is_empty())
    }

    /// A sweep is complete and the next one begins: what can be released.
    pub(super) fn sweep_completed(&mut self) -> Option<Released> {
        match self.phase {
            Phase::InUse => None,
            Phase::Quiesced => {
                self.phase = Phase::Sweeping;
                None
            }
            Phase::Sweeping => {
                self.phase = Phase::Quiesced;
                let members = std::mem::take(&mut self.members);
                let fids = std::mem::take(&mut self.fids);
                (!(members.is_empty() && fids.is_empty())).then_some(Released { members, fids })
            }
        }
    }
}
