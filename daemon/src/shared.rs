//! What the control thread knows and everyone may read.
//!
//! The site as it is in force is replaced as a whole, so a reader never sees half a change. Locks
//! here are held for as long as it takes to clone a pointer or to copy a table for a reply, and no
//! worker ever takes one.

use std::sync::Arc;
use std::time::Duration;

use bridge_model::compile::{HostView, Note, Numbering, Tables};
use bridge_model::topology::Topology;
use bridge_model::types::{Epoch, Name, Revision};
use fwd::counters::{CounterSlots, Snapshot};
use fwd::{Learner, Released};
use parking_lot::{Mutex, RwLock};

use crate::clock::Clock;
use crate::condition::Since;
use crate::interface::Interface;
use crate::neighbors::Neighbors;
use crate::ports::PortView;
use crate::protocol::Board;
use crate::samples::Samples;
use crate::window::Window;
use crate::workers::WorkerView;

/// The site in force.
#[derive(Clone, Debug)]
pub struct SiteView {
    /// The objects.
    pub topology: Arc<Topology>,
    /// Their revision.
    pub revision: Revision,
    /// The image made from them.
    pub epoch: Epoch,
    /// The host that they were compiled for.
    pub view: HostView,
    /// What they were compiled to.
    pub tables: Tables,
    /// What the numbers in `tables` stand for.
    pub numbering: Numbering,
    /// Which counters belong to whom.
    pub slots: CounterSlots,
    /// The ports of this host.
    pub ports: Vec<PortView>,
    /// What the compiler remarked.
    pub notes: Vec<Note>,
    /// When it was published.
    pub published: Duration,
}

/// How the site file on disk relates to the site in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FileState {
    /// It is what runs.
    #[default]
    InForce,
    /// It does not exist.
    Missing,
    /// It was changed and not loaded.
    Edited,
    /// It could not be loaded.
    Refused(String),
}

/// What was seen while running.
#[derive(Debug, Default)]
pub struct Observed {
    /// How the site file relates to the site in force.
    pub file: FileState,
    /// Why the revision could not be noted, if so.
    pub state_error: Option<String>,
    /// Who is at the other end.
    pub neighbors: Neighbors,
    /// Dropped frames.
    pub samples: Samples,
    /// Counters over the last seconds.
    pub window: Window<Reading>,
    /// Since when conditions have been seen.
    pub since: Since,
}

/// All counters at one moment.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Of all workers together.
    pub total: Snapshot,
    /// Frames that the driver of each interface lost.
    pub missed: Vec<u64>,
    /// Busy and all cycles of each worker.
    pub cycles: Vec<(u64, u64)>,
}

/// The learner, and what its turns left for the control thread.
#[derive(Debug)]
pub struct Learning {
    /// The only writer of the MAC table.
    pub learner: Learner,
    /// Numbers that no entry uses any more.
    pub released: Vec<Released>,
    /// The MAC table has grown and needs a new image.
    pub rebuild: bool,
    /// Stations that were not learned.
    pub refused: u64,
}

/// What does not change while the daemon runs.
#[derive(Clone, Debug)]
pub struct HostFacts {
    /// The name of this host in the site.
    pub name: Name,
    /// The node file.
    pub node_file: String,
    /// The site file.
    pub site_file: String,
    /// What limits this set-up: no hugepages, shared cores.
    pub notes: Vec<String>,
}

/// Everything that is shared.
#[derive(Debug)]
pub struct Shared {
    /// The clock.
    pub clock: Clock,
    /// What does not change.
    pub host: HostFacts,
    /// The site in force.
    site: RwLock<Arc<SiteView>>,
    /// What was seen while running.
    pub observed: Mutex<Observed>,
    /// The learner.
    pub learning: Mutex<Learning>,
    /// The workers.
    pub workers: Vec<WorkerView>,
    /// The interfaces, by `InterfaceId`.
    pub interfaces: Vec<Interface>,
    /// What the protocol thread shows.
    pub protocols: Arc<Board>,
}

impl Shared {
    /// All parts together.
    pub fn new(
        (clock, host): (Clock, HostFacts),
        site: Arc<SiteView>,
        learning: Learning,
        workers: Vec<WorkerView>,
        interfaces: Vec<Interface>,
    ) -> Self {
        let observed = Mutex::new(Observed::default());
        let (site, learning) = (RwLock::new(site), Mutex::new(learning));
        let protocols = Arc::default();
        Self { clock, host, site, observed, learning, workers, interfaces, protocols }
    }

    /// The site in force.
    pub fn site(&self) -> Arc<SiteView> {
        Arc::clone(&self.site.read())
    }

    /// Replaces the site in force.
    pub fn set_site(&self, site: Arc<SiteView>) {
        *self.site.write() = site;
    }

    /// Time since the start.
    pub fn now(&self) -> Duration {
        self.clock.now()
    }

    /// All counters now.
    pub fn reading(&self) -> Reading {
        let mut total = Snapshot::default();
        for worker in &self.workers {
            total += &worker.counters.snapshot();
        }
        let missed = self.interfaces.iter().map(Interface::missed).collect();
        let cycles = self.workers.iter().map(WorkerView::cycles).collect();
        Reading { total, missed, cycles }
    }

    /// Every worker runs the image of this generation or a newer one.
    pub fn runs(&self, epoch: Epoch) -> bool {
        self.workers.iter().all(|worker| worker.epoch() >= epoch)
    }
}
