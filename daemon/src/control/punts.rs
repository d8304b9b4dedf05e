//! What workers hand to the control plane: control frames, and samples of dropped frames.

use std::time::Duration;

use bridge_model::compile::Scope;
use bridge_model::reason::PuntReason;
use bridge_model::types::{InterfaceId, Name};
use fwd::PuntFrame;
use fwd::counters::{Owner, PortSlot};
use rtrb::Consumer;

use super::Control;
use crate::workers::ticks_as_time;

/// Frames taken from one worker at a time, so that a flood of them does not keep requests waiting.
const BATCH: usize = 256;

impl Control {
    pub(super) fn take_punts(&mut self, now: Duration) {
        let mut scopes = Vec::new();
        for worker in 0..self.punts.len() {
            for _ in 0..BATCH {
                let Ok(frame) = self.punts[worker].pop() else { break };
                match frame.reason {
                    PuntReason::Bpdu | PuntReason::Pvst => scopes.extend(self.snoop(now, &frame)),
                    PuntReason::Lldp => self.neighbor(now, &frame),
                    // Aggregation comes with a later release, until which its frames end here; the
                    // others have a ring of their own.
                    PuntReason::SlowProtocol
                    | PuntReason::UnderlayNeighbor
                    | PuntReason::UnderlayIcmp
                    | PuntReason::Bfd
                    | PuntReason::NeighborSuppressed => {}
                }
            }
        }
        scopes.extend(self.snooper.due(now));
        if scopes.is_empty() {
            return;
        }
        // Per-VLAN trees signal a change for each VLAN: all that came together is one flush.
        tracing::info!(?scopes, "topology change in the fabric: MAC tables flushed");
        if let Err(error) = self.flush(&scopes) {
            tracing::error!(%error, "cannot flush after a topology change");
        }
    }

    fn snoop(&mut self, now: Duration, frame: &PuntFrame) -> Option<Scope> {
        let site = self.shared.site();
        let interface = self.interface_name(frame.interface)?;
        self.snooper.frame(now, &site.topology, (&self.view.host, &interface), &frame.bytes)
    }

    fn neighbor(&mut self, now: Duration, frame: &PuntFrame) {
        let port = self.port_name(frame.port);
        let place = (frame.interface, port.clone());
        let heard = self.shared.observed.lock().neighbors.frame(now, place, &frame.bytes);
        match heard {
            Ok(true) => tracing::info!(?port, "new LLDP neighbour"),
            Ok(false) => {}
            Err(error) => tracing::debug!(?port, %error, "LLDP frame ignored"),
        }
    }

    fn interface_name(&self, id: InterfaceId) -> Option<Name> {
        self.view.interface(id).map(|interface| interface.name.clone())
    }

    fn port_name(&self, slot: PortSlot) -> Option<Name> {
        match self.slots.owners().get(slot.index()) {
            Some(Owner::Port(name)) => Some(name.clone()),
            Some(Owner::Interface(_) | Owner::Unattributed) | None => None,
        }
    }

    pub(super) fn take_samples(&mut self, now: Duration) {
        if self.samples.iter().all(Consumer::is_empty) {
            return;
        }
        let ticks = rte_rs::ticks();
        let mut observed = self.shared.observed.lock();
        for samples in &mut self.samples {
            for _ in 0..BATCH {
                let Ok(sample) = samples.pop() else { break };
                let age = ticks_as_time(ticks.saturating_sub(sample.ticks), self.ticks_per_second);
                observed.samples.keep(now.saturating_sub(age), sample);
            }
        }
    }
}
