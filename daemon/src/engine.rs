//! From a node file and a site to a running gateway, and back.
//!
//! ```text
//!   node file -> check -> bring up ---> devices ----> workers
//!   site file -> topology -> compile -> image ---------^
//!                                        |
//!   control thread: changes, links, punts, samples     learning thread: the MAC table
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use bridge_model::compile::{HostView, InterfaceView, Link, Numbering, compile};
use bridge_model::site;
use bridge_model::topology::Topology;
use bridge_model::types::{Epoch, InterfaceId, Name, Revision};
use fwd::counters::{CounterLayout, CounterSlots, Snapshot, counters};
use fwd::mac::{Isa, Seed};
use fwd::{Image, Learner, LearnerOptions, WorkerParts, publication};
use fwd_worker::{
    LinkMonitor, Links, PortPlan, Sharing, Stopped, WorkerHandle, WorkerPlan, WorkerPorts,
    distribute,
};
use pmd_config::bring_up::{BringUpError, Running, bring_up};
use pmd_config::check::check;
use pmd_config::claim::ClaimError;
use pmd_config::instance::{InstanceError, InstanceLock, file_prefix};
use pmd_config::node::{Interface as NodeInterface, NodeFile};
use pmd_config::plan::{Pages, Share};
use rte_rs::{LinkState, Queues};
use rtrb::RingBuffer;

use crate::clock::Clock;
use crate::control::{self, ControlHandle, Parts};
use crate::dpdk_log::DpdkLog;
use crate::exit::{Ending, Exit};
use crate::failures;
use crate::interface::Interface;
use crate::learn::{self, LearnThread};
use crate::node;
use crate::ports;
use crate::protocol::{self, Facts, ProtocolHandle};
use crate::shared::{FileState, HostFacts, Learning, Shared, SiteView};
use crate::store::{Fingerprint, ReadError, SiteStore};
use crate::workers::{WorkerFacts, WorkerView};

/// Learn events of one worker that can wait.
const LEARN_RING: usize = 4096;
/// Control frames of one worker that can wait.
const PUNT_RING: usize = 256;
/// Frames of underlay protocols of one worker that can wait: each takes 9.6 KiB once it was used.
const PROTOCOL_RING: usize = 512;
/// Samples of one worker that can wait.
const SAMPLE_RING: usize = 256;
/// The MAC table begins with 2^17 buckets: some 800,000 stations in 8 MiB.
const MAC_LOG2: u32 = 17;
/// And grows to 2^22 buckets: some 26 million stations in 256 MiB.
const MAC_LOG2_MAX: u32 = 22;

/// A running gateway.
#[derive(Debug)]
pub struct Engine {
    /// What readers see.
    pub shared: Arc<Shared>,
    /// Where changes are asked for.
    pub control: ControlHandle,
    /// Where the API is to be served.
    pub socket: PathBuf,
    thread: JoinHandle<Vec<Stopped>>,
    learn: LearnThread,
    /// Held as long as the devices run.
    _lock: InstanceLock,
}

/// The site as the site file has it.
struct Loaded {
    topology: Topology,
    fingerprint: Option<Fingerprint>,
    revision: Revision,
    file: FileState,
}

/// Interfaces whose device this host does not have, and why not.
type Absent = Vec<(NodeInterface, String)>;

/// The devices, with what each worker polls.
struct Devices {
    interfaces: Vec<Interface>,
    queues: Vec<PortPlan>,
}

fn error(why: &impl ToString) -> Ending {
    Ending::new(Exit::Error, why)
}

/// Reads the site file. That there is none is no error: the first `sluice apply` makes it.
fn load(store: &SiteStore) -> Result<Loaded, Ending> {
    let text = match store.read() {
        Ok(text) => text,
        Err(ReadError::Missing { .. }) => {
            return Ok(Loaded {
                topology: Topology::default(),
                fingerprint: None,
                revision: store.revision_of(Fingerprint::of("")),
                file: FileState::Missing,
            });
        }
        Err(why @ (ReadError::NotText { .. } | ReadError::TooLong { .. })) => {
            return Err(Ending::new(Exit::Invalid, &why));
        }
        Err(why) => return Err(error(&why)),
    };
    let topology = site::parse(&store.path().display().to_string(), &text)
        .map_err(|errors| Ending::new(Exit::Invalid, &errors))?;
    let fingerprint = Fingerprint::of(&text);
    let revision = store.revision_of(fingerprint);
    Ok(Loaded { topology, fingerprint: Some(fingerprint), revision, file: FileState::InForce })
}

impl Engine {
    /// Starts everything that `node_path` asks for. The calling thread becomes DPDK's main thread.
    ///
    /// # Errors
    /// Why the gateway cannot run, and how the process should end.
    pub fn start(node_path: &Path) -> Result<Self, Ending> {
        let clock = Clock::start();
        let mut node = node::read(node_path)?;
        let store = SiteStore::new(&node.site, &node.state);
        let loaded = load(&store)?;
        let lock = InstanceLock::take(&node).map_err(|why| match why {
            InstanceError::Running { .. } => Ending::new(Exit::Conflict, &why),
            InstanceError::Open { .. } => error(&why),
        })?;
        let (running, absent, name) = devices((node_path, &mut node), &lock)?;
        let facts = HostFacts {
            name,
            node_file: node_path.display().to_string(),
            site_file: node.site.display().to_string(),
            notes: limits(&running),
        };
        assemble((clock, facts), (store, loaded), (running, &node, absent), lock)
    }

    /// Stops: workers send what they have, queues and devices are closed. Returns the last state of
    /// all counters.
    pub fn stop(self) -> Snapshot {
        self.control.stop();
        let stopped = self.thread.join().unwrap_or_default();
        drop(self.learn);
        let lost: u64 = stopped.iter().map(|worker| worker.observation.hand_over_lost).sum();
        if lost > 0 {
            tracing::warn!(frames = lost, "frames handed over between workers were not sent");
        }
        self.shared.reading().total
    }
}

/// Brings up the devices of the node file that are there.
fn devices(
    (path, node): (&Path, &mut NodeFile),
    lock: &InstanceLock,
) -> Result<(Running, Absent, Name), Ending> {
    let host = node::probe();
    let absent = node::set_absent_aside(node, &host);
    let name = node.name.as_ref().map_or(host.hostname.as_str(), |name| name.as_str()).to_owned();
    let prefix = file_prefix(node, &name);
    let removed = lock.clean_up(node, &prefix, &node::environment()).map_err(|why| error(&why))?;
    for path in removed {
        tracing::info!(path = %path.display(), "removed what a dead predecessor left");
    }
    let plan = check(node, &host)
        .into_plan()
        .map_err(|why| Ending::new(Exit::Problems, &format!("{}: {why}", path.display())))?;
    let name = plan.name.as_str().parse().map_err(|why| Ending::new(Exit::Invalid, &why))?;
    let running = bring_up(&plan, lock).map_err(|why| match why {
        BringUpError::Claim { source: ClaimError::Taken { .. }, .. } => {
            Ending::new(Exit::Conflict, &why)
        }
        _ => error(&why),
    })?;
    Ok((running, absent, name))
}

/// What limits this set-up.
fn limits(running: &Running) -> Vec<String> {
    let mut notes = Vec::new();
    if running.plan.memory.pages == Pages::Ordinary {
        notes.push("no hugepages: functional, not a performance set-up".to_owned());
    }
    if running.plan.workers.iter().any(|worker| worker.share == Share::Shared) {
        notes.push("workers share their CPUs: functional, not a performance set-up".to_owned());
    }
    notes
}

/// The interfaces in the order of their numbers: those that run, then those that are absent.
fn interfaces(running: &mut Running, node: &NodeFile, absent: Absent) -> Result<Devices, Ending> {
    let named = |text: &str| text.parse::<Name>().map_err(|why| Ending::new(Exit::Invalid, &why));
    let mut queues: Vec<PortPlan> = (0_u16..)
        .zip(&running.interfaces)
        .map(|(at, _)| PortPlan {
            interface: InterfaceId(at),
            queues: Queues { receive: Vec::new(), transmit: Vec::new() },
        })
        .collect();
    for (number, worker) in (0_u16..).zip(&mut running.workers) {
        // A device with fewer queues than there are workers has none for the last of them.
        let devices = queues.iter_mut().zip(&running.plan.interfaces);
        let with_one = devices.filter(|(_, planned)| planned.queues > number).map(|(plan, _)| plan);
        for (plan, (receive, transmit)) in with_one.zip(worker.queues.drain(..)) {
            plan.queues.receive.push(receive);
            plan.queues.transmit.push(transmit);
        }
    }
    let mut interfaces = Vec::new();
    for (started, planned) in running.interfaces.drain(..).zip(&node.interfaces) {
        let name = named(started.name.as_str())?;
        let kind = planned.kind.as_str();
        interfaces.push(Interface::started(name, kind, started.mtu, started.device));
    }
    for (interface, why) in absent {
        let name = named(interface.name.as_str())?;
        tracing::error!(interface = %name, why, "the device is not there");
        interfaces.push(Interface::absent(name, interface.kind.as_str(), interface.mtu, why));
    }
    Ok(Devices { interfaces, queues })
}

fn view(host: &Name, interfaces: &[Interface], monitor: &mut LinkMonitor) -> HostView {
    let look = |(at, interface): (u16, &Interface)| {
        let state = interface.look();
        monitor.note(InterfaceId(at), state);
        let link = if state == LinkState::Up { Link::Up } else { Link::Down };
        let (name, mtu, mac) = (interface.name.clone(), interface.mtu, interface.mac());
        InterfaceView { name, mtu, mac, link }
    };
    HostView::new(host.clone(), (0_u16..).zip(interfaces).map(look).collect())
}

fn random<const N: usize>() -> Result<[u8; N], Ending> {
    let mut octets = [0; N];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut octets))
        .map_err(|why| error(&format!("cannot read /dev/urandom: {why}")))?;
    Ok(octets)
}

/// A secret for the MAC table, so that nobody can choose addresses that collide.
fn seed() -> Result<Seed, Ending> {
    random().map(Seed::from_bytes)
}

/// Another one for the protocols, so that their peers notice a restart.
fn discriminator_seed() -> Result<u64, Ending> {
    random().map(u64::from_ne_bytes)
}

fn assemble(
    (clock, facts): (Clock, HostFacts),
    (store, loaded): (SiteStore, Loaded),
    (mut running, node, absent): (Running, &NodeFile, Absent),
    lock: InstanceLock,
) -> Result<Engine, Ending> {
    let Devices { interfaces, queues } = interfaces(&mut running, node, absent)?;
    let links = Links::new(interfaces.len());
    let mut monitor = LinkMonitor::new(links.clone());
    let view = view(&facts.name, &interfaces, &mut monitor);

    let layout = CounterLayout::default();
    let ticks_per_second = rte_rs::ticks_per_second(&running.eal);
    let mut learner = Learner::new(&LearnerOptions {
        log2_buckets: MAC_LOG2,
        max_log2_buckets: MAC_LOG2_MAX,
        seed: seed()?,
        layout,
    })
    .map_err(|why| error(&why))?;

    let mut numbering = Numbering::default();
    let compiled = compile(&loaded.topology, &view, &mut numbering, loaded.revision)
        .map_err(|why| Ending::new(Exit::Invalid, &failures::compile(&why)))?;
    let mut slots = CounterSlots::new(layout);
    let parts = learner.image_parts(Epoch(1), &mut slots, ticks_per_second);
    let image = Image::build(&compiled.tables, parts)
        .map_err(|why| Ending::new(Exit::Invalid, &failures::image(&why)))?;
    let image = Arc::new(image);
    for ((_, _, mac), refusal) in learner.install(&image, &compiled.static_macs, clock.now()) {
        tracing::error!(%mac, %refusal, "static MAC has no place in the table");
    }

    let shares = distribute(running.workers.len(), queues);
    let (publisher, receivers) = publication(running.workers.len(), &image);
    let mut spawned = Spawned::default();
    for (at, (share, receiver)) in shares.into_iter().zip(receivers).enumerate() {
        let ends = Ends { share, receiver, links: links.clone(), ticks_per_second, layout };
        spawned.worker((&running, at), ends, &interfaces, &mut learner)?;
    }

    let topology = Arc::new(loaded.topology);
    let absent_at = |id: InterfaceId| {
        interfaces.get(id.index()).is_none_or(|interface| !interface.is_present())
    };
    let ports = ports::local(&topology, &view, &compiled.tables, absent_at);
    let site = Arc::new(SiteView {
        topology,
        revision: loaded.revision,
        epoch: image.epoch(),
        view: view.clone(),
        tables: compiled.tables,
        numbering: numbering.clone(),
        slots: slots.clone(),
        ports,
        notes: compiled.notes,
        published: clock.now(),
    });
    let learning = Learning { learner, released: Vec::new(), rebuild: false, refused: 0 };
    let shared = Arc::new(Shared::new((clock, facts), site, learning, spawned.views, interfaces));
    shared.observed.lock().file = loaded.file;
    if let Some(fingerprint) = loaded.fingerprint
        && let Err(why) = store.note(loaded.revision, fingerprint)
    {
        shared.observed.lock().state_error = Some(why.to_string());
    }

    let learn = learn::spawn(Arc::clone(&shared)).map_err(|why| error(&why))?;
    let protocol = speak(&shared, links, (spawned.protocols, spawned.originators))?;
    let (control, thread) = control::spawn(Parts {
        shared: Arc::clone(&shared),
        dpdk_log: DpdkLog::new(running.eal.clone()),
        store,
        fingerprint: loaded.fingerprint,
        view,
        numbering,
        slots,
        publisher,
        punts: spawned.punts,
        samples: spawned.samples,
        ticks_per_second,
        workers: spawned.handles,
        monitor,
        protocol,
    })
    .map_err(|why| error(&why))?;
    let socket = node.control_socket.clone();
    Ok(Engine { shared, control, socket, thread, learn, _lock: lock })
}

/// Starts the thread that speaks the protocols of the underlay.
fn speak(
    shared: &Shared,
    links: Links,
    (rings, originators): (Vec<rtrb::Consumer<fwd::ProtocolFrame>>, Vec<fwd_worker::Originator>),
) -> Result<ProtocolHandle, Ending> {
    let site = shared.site();
    let live = Arc::clone(shared.learning.lock().learner.live());
    let parts = protocol::Parts {
        clock: shared.clock,
        seed: discriminator_seed()?,
        links,
        live,
        rings,
        originators,
        facts: Facts::new(&site.tables, &site.slots, BTreeSet::new()),
        board: Arc::clone(&shared.protocols),
    };
    protocol::spawn(parts).map_err(|why| error(&why))
}

/// What one worker is given.
struct Ends {
    share: WorkerPorts,
    receiver: fwd::ImageReceiver,
    links: Links,
    ticks_per_second: u64,
    layout: CounterLayout,
}

/// The workers that run, with our ends of their rings.
#[derive(Default)]
struct Spawned {
    handles: Vec<WorkerHandle>,
    views: Vec<WorkerView>,
    punts: Vec<rtrb::Consumer<fwd::PuntFrame>>,
    samples: Vec<rtrb::Consumer<fwd::DropSample>>,
    protocols: Vec<rtrb::Consumer<fwd::ProtocolFrame>>,
    originators: Vec<fwd_worker::Originator>,
}

impl Spawned {
    fn worker(
        &mut self,
        (running, at): (&Running, usize),
        ends: Ends,
        interfaces: &[Interface],
        learner: &mut Learner,
    ) -> Result<(), Ending> {
        let Some(parts) = running.workers.get(at) else { return Ok(()) };
        let Ends { share, receiver, links, ticks_per_second, layout } = ends;
        let isa = Isa::detect();
        let (writer, read) = counters(layout);
        let (learn, learned) = RingBuffer::new(LEARN_RING);
        let (punt, punted) = RingBuffer::new(PUNT_RING);
        let (protocol, spoken) = RingBuffer::new(PROTOCOL_RING);
        let (samples, sampled) = RingBuffer::new(SAMPLE_RING);
        let polled = share
            .receives()
            .filter_map(|id| interfaces.get(id.index()).map(|interface| interface.name.clone()));
        let facts = WorkerFacts {
            index: u32::try_from(at).unwrap_or(u32::MAX),
            cpu: parts.worker.cpu,
            interfaces: polled.collect(),
            isa: isa.name(),
            ticks_per_second,
        };
        let plan = WorkerPlan {
            name: format!("sluice-work-{at}"),
            cpu: u16::try_from(parts.worker.cpu).ok(),
            sharing: match parts.worker.share {
                Share::Dedicated => Sharing::Dedicated,
                Share::Shared => Sharing::Shared,
            },
            ports: share,
            links,
            pool: parts.pool.clone(),
            parts: WorkerParts {
                receiver,
                learn,
                punt,
                protocol,
                samples,
                counters: writer,
                isa,
                interfaces: interfaces.len(),
                ticks_per_second,
            },
        };
        let mut handle = fwd_worker::spawn(&running.eal, plan).map_err(|why| error(&why))?;
        learner.add_ring(learned);
        self.originators.extend(handle.take_originator());
        self.protocols.push(spoken);
        self.handles.push(handle);
        self.views.push(WorkerView::new(facts, read));
        self.punts.push(punted);
        self.samples.push(sampled);
        Ok(())
    }
}
