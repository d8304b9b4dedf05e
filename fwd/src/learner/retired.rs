//! Numbers on their way back.
//!
//! A retired number may be handed out again when no entry holds it and none can any more: after all
//! workers have quiesced on an image without it, and after a sweep that began later has seen every
//! entry.
//!
//! Each number goes this way at its own pace. A publication only adds what it retired itself: were
//! it to start the others anew, a site that changes once a second would never get a number back.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use bridge_model::types::{Fid, MemberId};

/// Numbers that no entry of the MAC table holds any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// Members of learning domains.
    pub members: Vec<(Fid, MemberId)>,
    /// Whole learning domains.
    pub fids: Vec<Fid>,
}

/// Numbers that are equally far.
#[derive(Debug, Default)]
struct Batch {
    members: BTreeSet<(Fid, MemberId)>,
    fids: BTreeSet<Fid>,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.members.is_empty() && self.fids.is_empty()
    }

    fn append(&mut self, mut other: Self) {
        self.members.append(&mut other.members);
        self.fids.append(&mut other.fids);
    }

    /// Takes what is here out of `whole`, and forgets here what is not there.
    fn claim(&mut self, whole: &mut Self) {
        self.members.retain(|member| whole.members.remove(member));
        self.fids.retain(|fid| whole.fids.remove(fid));
    }
}

/// One batch for each step is enough: what all workers quiesced on covers every number that was
/// retired before, and a sweep begins for all that wait for one.
#[derive(Debug, Default)]
pub(super) struct Retired {
    /// Some worker may still write these.
    in_use: Batch,
    /// These wait for the sweep in progress to end.
    quiesced: Batch,
    /// The sweep in progress began after quiescence of these.
    sweeping: Batch,
}

impl Retired {
    /// The image that was installed last is without these; they are all that the numbering has not
    /// got back. Those that were named before keep their place.
    pub(super) fn retire(&mut self, members: Vec<(Fid, MemberId)>, fids: Vec<Fid>) {
        let mut new =
            Batch { members: members.into_iter().collect(), fids: fids.into_iter().collect() };
        // A member of a domain that has been retired as a whole since is not named any more, and the
        // pair may be handed out again together with the domain.
        for batch in [&mut self.sweeping, &mut self.quiesced, &mut self.in_use] {
            batch.claim(&mut new);
        }
        self.in_use.append(new);
    }

    /// Every worker runs the image that was installed last.
    pub(super) fn quiesced(&mut self) {
        self.quiesced.append(std::mem::take(&mut self.in_use));
    }

    pub(super) fn is_waiting(&self) -> bool {
        !(self.in_use.is_empty() && self.quiesced.is_empty() && self.sweeping.is_empty())
    }

    /// A sweep is complete and the next one begins: what can be released.
    pub(super) fn sweep_completed(&mut self) -> Option<Released> {
        let next = std::mem::take(&mut self.quiesced);
        let done = std::mem::replace(&mut self.sweeping, next);
        (!done.is_empty()).then(|| Released {
            members: done.members.into_iter().collect(),
            fids: done.fids.into_iter().collect(),
        })
    }
}
