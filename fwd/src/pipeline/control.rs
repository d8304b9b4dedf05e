//! Frames to reserved destinations: passed on between trunks, or taken by the control plane.

use bridge_model::compile::ReservedAction;
use bridge_model::reason::{DropReason, PuntReason};
use rtrb::Producer;

use super::admit::Control;
use super::egress::{Egress, Origin};
use super::protocol::Budget;
use super::rewrite::fits;
use crate::events::{self, PuntFrame};
use crate::frame::{Frame, Io};
use crate::image::InterfaceImage;

/// Control frames per second that one interface may send, at most. A trunk with 4094 VLANs in
/// per-VLAN spanning tree sends about 2050.
const FRAMES_PER_SECOND: u64 = 10_000;

/// The way to the control plane.
#[derive(Debug)]
pub(super) struct Punt {
    ring: Producer<PuntFrame>,
    budgets: Box<[Budget]>,
}

impl Punt {
    pub(super) fn new(ring: Producer<PuntFrame>, interfaces: usize, ticks_per_second: u64) -> Self {
        let budget = Budget::new(FRAMES_PER_SECOND, ticks_per_second);
        Self { ring, budgets: vec![budget; interfaces].into() }
    }

    /// Handles one control frame, which ends here.
    #[inline(never)]
    pub(super) fn control<I: Io>(
        &mut self,
        egress: &mut Egress<I::Frame>,
        io: &mut I,
        interface: &InterfaceImage,
        (frame, control): (I::Frame, Control),
        origin: Origin,
    ) {
        if !self.admit(origin) {
            return egress.drop(io, frame, DropReason::BpduRateLimit, origin);
        }
        match control.action {
            ReservedAction::Drop(reason) => egress.drop(io, frame, reason, origin),
            ReservedAction::Consume(reason) => {
                if self.push(&frame, reason, false, origin) {
                    egress.counters.consumed(origin.port, reason);
                    egress.discard(io, frame);
                } else {
                    egress.drop(io, frame, DropReason::PuntFull, origin);
                }
            }
            ReservedAction::Relay(snoop) => {
                if let Some(reason) = snoop
                    && !self.push(&frame, reason, true, origin)
                {
                    egress.counters.lost().snoops += 1;
                }
                relay(egress, io, interface, frame, control, origin);
            }
        }
    }

    fn admit(&mut self, origin: Origin) -> bool {
        let budget = self.budgets.get_mut(origin.interface.index());
        budget.is_some_and(|budget| budget.take(origin.now))
    }

    fn push<F: Frame>(
        &mut self,
        frame: &F,
        reason: PuntReason,
        relayed: bool,
        origin: Origin,
    ) -> bool {
        if self.ring.is_full() {
            return false;
        }
        let punt = PuntFrame {
            reason,
            port: origin.port,
            interface: origin.interface,
            relayed,
            octets: u32::try_from(frame.octets()).unwrap_or(u32::MAX),
            ticks: origin.now,
            bytes: events::head(frame.bytes()),
        };
        self.ring.push(punt).is_ok()
    }
}

/// Passes a frame on to the other trunks that carry its VLAN; the last one gets the frame itself.
fn relay<I: Io>(
    egress: &mut Egress<I::Frame>,
    io: &mut I,
    interface: &InterfaceImage,
    frame: I::Frame,
    control: Control,
    origin: Origin,
) {
    let targets = interface.reserved.relay.iter().filter(|to| to.carries(control.vid));
    let mut pending = None;
    for to in targets {
        if let Some(to) = pending.replace(&to.to)
            && let Some(copy) = egress.copy(io, &frame, to, origin)
        {
            egress.ahead(io, copy, (to, control.vid), origin.now);
        }
    }
    match pending {
        Some(to) if !fits(&frame, 0, to) => {
            egress.drop(io, frame, DropReason::MtuExceeded, origin.at(to));
        }
        Some(to) => egress.ahead(io, frame, (to, control.vid), origin.now),
        None => egress.drop(io, frame, DropReason::BpduNoRelay, origin),
    }
}
