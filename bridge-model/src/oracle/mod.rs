//! The forwarding rules as a program to be read: slow, plain, and the judge of the data plane.

mod outcome;

pub use outcome::{Copy, Learned, Outcome};

use std::time::Duration;

use crate::compile::{HostView, Scope};
use crate::reason::DropReason;
use crate::topology::Topology;
use crate::types::InterfaceId;

/// One host with its bridges and their MAC tables.
#[derive(Clone, Debug)]
pub struct Oracle {
    topology: Topology,
    view: HostView,
}

impl Oracle {
    /// A host that has learned nothing yet.
    pub fn new(topology: Topology, view: HostView) -> Self {
        Self { topology, view }
    }

    /// What happens to `frame`, which arrives on `interface` at `now`. Time never goes backwards.
    pub fn frame(&mut self, now: Duration, interface: InterfaceId, frame: &[u8]) -> Outcome {
        let _ = (now, interface, frame);
        Outcome::Dropped(DropReason::PortUnbound)
    }

    /// Every learned entry that is in force at `now`, ascending; static ones are not among them.
    pub fn learned(&self, now: Duration) -> Vec<Learned> {
        let _ = now;
        Vec::new()
    }

    /// Forgets entries that are too old at `now`.
    pub fn tick(&mut self, now: Duration) {
        let _ = now;
    }

    /// Forgets what was learned in `scope`.
    pub fn flush(&mut self, scope: &Scope) {
        let _ = scope;
    }

    /// Continues with another topology or other links, keeping what was learned where it still holds.
    pub fn reconfigure(&mut self, topology: Topology, view: HostView) {
        self.topology = topology;
        self.view = view;
    }
}
