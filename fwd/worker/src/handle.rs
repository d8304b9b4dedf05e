//! Starting, watching, changing and stopping a worker.

use crate::backoff::Sharing;
use crate::io::DpdkIo;
use crate::links::Links;
use crate::originate::{Originator, channel};
use crate::ports::{Attachment, WorkerPorts};
use crate::run::{Change, Loop, Rings};
use bridge_model::types::InterfaceId;
use fwd::{Worker, WorkerParts};
use rte_rs::{Eal, LcoreError, LcoreThread, Mempool};
use rtrb::{Consumer, Producer, RingBuffer};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

/// What a worker is made of.
#[derive(Debug)]
pub struct WorkerPlan {
    /// Name of the thread, at most 15 octets, such as `worker-0`.
    pub name: String,
    /// The CPU to run on; `None`: wherever the kernel likes.
    pub cpu: Option<u16>,
    /// Whether that CPU is the worker's alone.
    pub sharing: Sharing,
    /// Its share of the devices.
    pub ports: WorkerPorts,
    /// The state of all links.
    pub links: Links,
    /// Buffers for copies and for frames of the control plane.
    pub pool: Mempool,
    /// The pipeline.
    pub parts: WorkerParts,
}

/// Why a worker did not start.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The operating system has no thread for it.
    #[error("cannot start the thread of {name}: {source}")]
    Thread {
        /// The worker.
        name: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Its CPU or lcore number was refused.
    #[error("cannot start {name}: {source}")]
    Lcore {
        /// The worker.
        name: String,
        /// Why.
        #[source]
        source: LcoreError,
    },
}

/// What a worker shows of itself. One writer, so no locked instruction.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Shared {
    pub(crate) stop: AtomicBool,
    alive: AtomicU64,
    turns: AtomicU64,
    busy: AtomicU64,
    idle: AtomicU64,
    slept: AtomicU64,
    naps: AtomicU64,
    gap_max: AtomicU64,
    pub(crate) hand_over_lost: AtomicU64,
}

#[inline]
fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
}

impl Shared {
    #[inline]
    pub(crate) fn begin_turn(&self, now: u64, gap: u64) {
        self.alive.store(now, Ordering::Relaxed);
        if gap > self.gap_max.load(Ordering::Relaxed) {
            self.gap_max.store(gap, Ordering::Relaxed);
        }
    }

    #[inline]
    pub(crate) fn end_turn(&self, busy: bool, ticks: u64) {
        add(&self.turns, 1);
        add(if busy { &self.busy } else { &self.idle }, ticks);
    }

    pub(crate) fn turns(&self) -> u64 {
        self.turns.load(Ordering::Acquire)
    }

    #[inline]
    pub(crate) fn slept(&self, ticks: u64) {
        add(&self.naps, 1);
        add(&self.slept, ticks);
    }
}

/// What a worker has done, in ticks of [`rte_rs::ticks`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// When its last turn began.
    pub alive_at: u64,
    /// Turns so far.
    pub turns: u64,
    /// Time in turns that had frames.
    pub busy_ticks: u64,
    /// Time in turns that had none.
    pub idle_ticks: u64,
    /// Time asleep, on a shared core.
    pub slept_ticks: u64,
    /// How often it slept.
    pub naps: u64,
    /// The longest time between the beginnings of two turns since the last observation, sleep left
    /// out.
    pub poll_gap_max_ticks: u64,
    /// Frames that other workers handed over and that could not be sent, known once the worker has
    /// stopped. They are among the dropped ones.
    pub hand_over_lost: u64,
}

/// A running worker. It stops when asked, or when this is dropped.
#[derive(Debug)]
pub struct WorkerHandle {
    name: String,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Stopped>>,
    originator: Option<Originator>,
    changes: Producer<Change>,
    returned: Consumer<Box<Attachment>>,
}

/// What is left of a worker: its share of the devices. Dropped queues let their device stop.
#[derive(Debug)]
pub struct Stopped {
    /// Its queues.
    pub ports: WorkerPorts,
    /// What it did.
    pub observation: Observation,
}

/// Starts a worker and returns once it polls, or says why it does not.
pub fn spawn(eal: &Eal, plan: WorkerPlan) -> Result<WorkerHandle, SpawnError> {
    let WorkerPlan { name, cpu, sharing, ports, links, pool, parts } = plan;
    let shared = Arc::new(Shared::default());
    let (originator, originated) = channel(pool.clone(), Arc::clone(&shared));
    // One change at a time, and each comes back.
    let (changes, change) = RingBuffer::new(1);
    let (back, returned) = RingBuffer::new(2);
    let rings = Rings { originated, changes: change, returned: back };
    let (started, report) = mpsc::sync_channel(1);
    let body = {
        let (shared, eal) = (Arc::clone(&shared), eal.clone());
        move || {
            let ready = enter(&eal, cpu);
            let lcore = match ready {
                Ok(lcore) => {
                    let _ = started.send(Ok(()));
                    lcore
                }
                Err(error) => {
                    let _ = started.send(Err(error));
                    return Stopped { ports, observation: Observation::default() };
                }
            };
            let mut running = Loop::new(Worker::new(parts), DpdkIo::new(links, pool), rings);
            for mut attachment in ports.attachments {
                running.attach(&mut attachment);
            }
            running.run(sharing, &shared);
            let ports = WorkerPorts { attachments: running.into_attachments() };
            drop(lcore);
            Stopped { ports, observation: observe(&shared) }
        }
    };
    let thread = std::thread::Builder::new()
        .name(name.clone())
        .spawn(body)
        .map_err(|source| SpawnError::Thread { name: name.clone(), source })?;
    if let Ok(Err(source)) = report.recv() {
        return Err(SpawnError::Lcore { name, source });
    }
    let (thread, originator) = (Some(thread), Some(originator));
    Ok(WorkerHandle { name, shared, thread, originator, changes, returned })
}

/// Makes the calling thread a worker's.
fn enter(eal: &Eal, cpu: Option<u16>) -> Result<LcoreThread, LcoreError> {
    if let Some(cpu) = cpu {
        rte_rs::pin_to_cpu(cpu)?;
    }
    LcoreThread::register(eal)
}

fn observe(shared: &Shared) -> Observation {
    let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Observation {
        alive_at: get(&shared.alive),
        turns: get(&shared.turns),
        busy_ticks: get(&shared.busy),
        idle_ticks: get(&shared.idle),
        slept_ticks: get(&shared.slept),
        naps: get(&shared.naps),
        poll_gap_max_ticks: shared.gap_max.swap(0, Ordering::Relaxed),
        hand_over_lost: get(&shared.hand_over_lost),
    }
}

impl WorkerHandle {
    /// The worker's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it has done so far. The longest poll gap starts anew.
    pub fn observe(&self) -> Observation {
        observe(&self.shared)
    }

    /// Whether its thread has ended, which it does only when asked.
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// The control plane's way to send by this worker, for whichever thread speaks the protocols;
    /// `None` if it was taken already. A worker that ends sends first what it still has.
    pub const fn take_originator(&mut self) -> Option<Originator> {
        self.originator.take()
    }

    /// Ends a system call that the worker has been in for longer than `limit_ticks`, if it is in
    /// one: `net_af_packet` waits for room in its transmit ring. Call it with every link check.
    /// True if the worker had made no turn for that long.
    pub fn nudge(&self, limit_ticks: u64) -> bool {
        let alive = self.shared.alive.load(Ordering::Relaxed);
        let stuck = rte_rs::ticks().saturating_sub(alive) > limit_ticks;
        if stuck && let Some(thread) = &self.thread {
            rte_rs::interrupt(thread);
        }
        stuck
    }

    /// Gives the worker its share of one more device. Every worker must get its own, as
    /// [`distribute`](crate::distribute) made them. Returns the share if a change is under way.
    pub fn attach(&mut self, attachment: Attachment) -> Result<(), Attachment> {
        self.reclaim();
        match self.changes.push(Change::Attach(Box::new(attachment))) {
            Ok(()) => Ok(()),
            Err(rtrb::PushError::Full(Change::Attach(back) | Change::Detach(back))) => Err(*back),
        }
    }

    /// Asks for the worker's share of a device; [`reclaim`](Self::reclaim) gives it. False if a
    /// change is under way: ask again.
    pub fn detach(&mut self, interface: InterfaceId) -> bool {
        // Room for the queues is made here: the worker allocates nothing.
        let empty = Attachment {
            interface,
            receive: Vec::with_capacity(16),
            transmit: None,
            inbound: Vec::with_capacity(64),
        };
        self.changes.push(Change::Detach(Box::new(empty))).is_ok()
    }

    /// What the worker has given back, if anything: the share of a device that was to be detached.
    pub fn reclaim(&mut self) -> Option<Attachment> {
        let back = std::iter::from_fn(|| self.returned.pop().ok());
        back.map(|attachment| *attachment)
            .find(|one| !one.receive.is_empty() || one.transmit.is_some())
    }

    /// Asks the worker to stop, without waiting. Ask all workers before joining the first: each
    /// sends what the others still hand over.
    pub fn request_stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }

    /// Stops the worker: it receives no more, sends what waits, and gives its queues back. `None` if
    /// its thread died.
    pub fn stop(mut self) -> Option<Stopped> {
        self.end()
    }

    fn end(&mut self) -> Option<Stopped> {
        self.request_stop();
        let thread = self.thread.take()?;
        while !thread.is_finished() {
            rte_rs::interrupt(&thread);
            std::thread::sleep(std::time::Duration::from_micros(200));
        }
        thread.join().ok()
    }
}

impl Drop for WorkerHandle {
    fn drop(&mut self) {
        drop(self.end());
    }
}
