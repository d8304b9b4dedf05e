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
    pub(super) fn sweep_completed(&mut self) -> Option<(Vec<(Fid, MemberId)>, Vec<Fid>)> {
        match self.phase {
            Phase::InUse => None,
            Phase::Quiesced => {
                self.phase = Phase::Sweeping;
                None
            }
            Phase::Sweeping => {
                self.phase = Phase::Quiesced;
                let released = (std::mem::take(&mut self.members), std::mem::take(&mut self.fids));
                (!(released.0.is_empty() && released.1.is_empty())).then_some(released)
            }
        }
    }
}
