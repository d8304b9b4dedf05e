//! What workers hand to the control plane: control frames, and samples of dropped frames.

use std::time::Duration;

use bridge_model::reason::PuntReason;
use bridge_model::types::{InterfaceId, Name};
use fwd::PuntFrame;
use fwd::counters::{Owner, PortSlot};
use rtrb::Consumer;

use super::Control;

/// Frames taken from one worker at a time, so that a flood of them does not keep requests waiting.
const BATCH: usize = 256;

impl Control {
    pub(super) fn take_punts(&mut self, now: Duration) {
        for worker in 0..self.punts.len() {
            for _ in 0..BATCH {
                let Ok(frame) = self.punts[worker].pop() else { break };
                self.punt(now, &frame);
            }
        }
        for scope in self.snooper.due(now) {
            self.topology_changed(&scope);
        }
    }

    fn punt(&mut self, now: Duration, frame: &PuntFrame) {
        match frame.reason {
            PuntReason::Bpdu | PuntReason::Pvst => self.snoop(now, frame),
            PuntReason::Lldp => self.neighbor(now, frame),
            // Aggregation comes with a later release; until then its frames end here.
            PuntReason::SlowProtocol => {}
        }
    }

    fn snoop(&mut self, now: Duration, frame: &PuntFrame) {
        let site = self.shared.site();
        let Some(interface) = self.interface_name(frame.interface) else { return };
        let place = (&self.view.host, &interface);
        if let Some(scope) = self.snooper.frame(now, &site.topology, place, &frame.bytes) {
            self.topology_changed(&scope);
        }
    }

    fn topology_changed(&mut self, scope: &bridge_model::compile::Scope) {
        tracing::info!(?scope, "topology change in the fabric: MAC tables flushed");
        if let Err(error) = self.flush(scope) {
            tracing::error!(%error, ?scope, "cannot flush after a topology change");
        }
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
                let age = age(ticks.saturating_sub(sample.ticks), self.ticks_per_second);
                observed.samples.keep(now.saturating_sub(age), sample);
            }
        }
    }
}

/// `ticks` as time.
fn age(ticks: u64, per_second: u64) -> Duration {
    let nanoseconds = u128::from(ticks) * 1_000_000_000 / u128::from(per_second.max(1));
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}
