//! Counters as read: plain values.

use std::ops::AddAssign;

use bridge_model::reason::{DropReason, PuntReason};

use super::PortSlot;

/// Frames and their octets (without the frame check sequence).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Frames.
    pub frames: u64,
    /// Octets.
    pub octets: u64,
}

/// The counters of one port slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortSnapshot {
    /// Received here.
    pub rx: Traffic,
    /// Sent here.
    pub tx: Traffic,
    /// Dropped, by [`DropReason::index`]. Drops at the transmit stage count for the egress port,
    /// all others for the ingress port.
    pub drops: [u64; DropReason::COUNT],
    /// Consumed by the control plane, by [`PuntReason::index`].
    pub consumed: [u64; PuntReason::COUNT],
}

impl Default for PortSnapshot {
    fn default() -> Self {
        Self {
            rx: Traffic::default(),
            tx: Traffic::default(),
            drops: [0; DropReason::COUNT],
            consumed: [0; PuntReason::COUNT],
        }
    }
}

impl PortSnapshot {
    /// Frames dropped for any reason.
    pub fn dropped(&self) -> u64 {
        self.drops.iter().sum()
    }
}

/// The counters of one VID on one trunk. They are not part of the accounting and may run ahead of
/// it by the turn in progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VidSnapshot {
    /// Received with this VID.
    pub rx: Traffic,
    /// Sent with this VID.
    pub tx: Traffic,
}

/// What did not get through to the control side because its ring was full. None of these is a
/// frame: the frame itself went on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Learn events; the next frame of the station tries again.
    pub learn_events: u64,
    /// Copies of relayed control frames for snooping.
    pub snoops: u64,
    /// Samples of dropped frames.
    pub samples: u64,
}

/// All counters of a worker, or of several summed up, at one instant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// By [`PortSlot`].
    pub ports: Vec<PortSnapshot>,
    /// Frames that the control plane gave to be sent.
    pub originated: u64,
    /// Further buffers that flooding and relaying called for.
    pub copied: u64,
    /// Frames left to another worker, which counts their end.
    pub handed_over: u64,
    /// Frames of other workers whose end was counted here. Summed over all workers it lags behind
    /// `handed_over` by the frames that wait between two of them.
    pub taken_over: u64,
    /// What the control side did not get.
    pub lost: Lost,
}

impl Snapshot {
    /// The counters of a slot; zero for one that this snapshot does not have.
    pub fn port(&self, slot: PortSlot) -> PortSnapshot {
        self.ports.get(slot.index()).copied().unwrap_or_default()
    }

    /// Where all frames came from and went to.
    pub fn accounting(&self) -> Accounting {
        let sum = |of: fn(&PortSnapshot) -> u64| self.ports.iter().map(of).sum();
        Accounting {
            received: sum(|port| port.rx.frames),
            originated: self.originated,
            copied: self.copied,
            taken_over: self.taken_over,
            sent: sum(|port| port.tx.frames),
            consumed: sum(|port| port.consumed.iter().sum()),
            dropped: sum(PortSnapshot::dropped),
            handed_over: self.handed_over,
        }
    }
}

impl AddAssign<&Snapshot> for Snapshot {
    fn add_assign(&mut self, other: &Snapshot) {
        if self.ports.len() < other.ports.len() {
            self.ports.resize_with(other.ports.len(), PortSnapshot::default);
        }
        for (to, from) in self.ports.iter_mut().zip(&other.ports) {
            to.rx.frames += from.rx.frames;
            to.rx.octets += from.rx.octets;
            to.tx.frames += from.tx.frames;
            to.tx.octets += from.tx.octets;
            to.drops.iter_mut().zip(from.drops).for_each(|(to, from)| *to += from);
            to.consumed.iter_mut().zip(from.consumed).for_each(|(to, from)| *to += from);
        }
        self.originated += other.originated;
        self.copied += other.copied;
        self.handed_over += other.handed_over;
        self.taken_over += other.taken_over;
        self.lost.learn_events += other.lost.learn_events;
        self.lost.snoops += other.lost.snoops;
        self.lost.samples += other.lost.samples;
    }
}

/// Every buffer comes from one of the first four and ends in one of the last four. Once no frame
/// waits between two workers, the sums of `taken_over` and `handed_over` over all workers are equal:
/// what is received, originated or copied has been sent, consumed or dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accounting {
    /// Frames received.
    pub received: u64,
    /// Frames that the control plane gave to be sent.
    pub originated: u64,
    /// Further copies that flooding and relaying called for, made or not: one that could not be
    /// made counts as dropped ([`DropReason::NoBuffer`], [`DropReason::MtuExceeded`]).
    pub copied: u64,
    /// Frames that another worker left to this one.
    pub taken_over: u64,
    /// Frames that a device took.
    pub sent: u64,
    /// Frames that the control plane took.
    pub consumed: u64,
    /// Frames dropped with a reason.
    pub dropped: u64,
    /// Frames left to another worker because it has the transmit queue.
    pub handed_over: u64,
}

impl Accounting {
    /// `received + originated + copied + taken_over - sent - consumed - dropped - handed_over`: 0,
    /// or there is a bug.
    pub fn difference(&self) -> i128 {
        let sum = |parts: [u64; 4]| parts.into_iter().map(i128::from).sum::<i128>();
        sum([self.received, self.originated, self.copied, self.taken_over])
            - sum([self.sent, self.consumed, self.dropped, self.handed_over])
    }
}
