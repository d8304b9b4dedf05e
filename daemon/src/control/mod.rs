//! The control thread: the only one who changes what workers run.
//!
//! Requests come in by a channel, everything else (punted frames, samples, link state, the site file)
//! is looked at between them. Nothing here waits for a worker: a reply that has to wait until the
//! workers run the new tables waits in a list.

mod change;
mod peers;
mod punts;
mod watch;

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher as _};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use bridge_model::compile::{HostView, Numbering, Scope};
use bridge_model::snoop::Snooper;
use bridge_model::types::{Epoch, Fid, MemberId, Revision};
use fwd::counters::CounterSlots;
use fwd::{DropSample, Publisher, PuntFrame};
use fwd_worker::{LinkMonitor, Stopped, WorkerHandle};
use proto::failure::Failure;
use rtrb::Consumer;
use tokio::sync::oneshot;

pub use change::{Changed, Edit};

use crate::dpdk_log::DpdkLog;
use crate::failures;
use crate::protocol::ProtocolHandle;
use crate::requests::RequestMemory;
use crate::shared::Shared;
use crate::store::{Fingerprint, SiteStore, Stamp};

/// How long the thread sleeps when nothing happens: a bound on the delay of a punted frame.
const TICK: Duration = Duration::from_millis(10);
/// The same while a reply waits for the workers.
const TICK_PENDING: Duration = Duration::from_micros(200);
/// How long a reply waits for the workers.
const PROGRAM_LIMIT: Duration = Duration::from_secs(2);
/// Requests that wait for the thread. More than a few mean that the senders do not wait for answers.
const QUEUE: usize = 64;

type Reply<T> = oneshot::Sender<Result<T, Failure>>;

/// What others ask of the control thread.
#[derive(Debug)]
pub enum Command {
    /// Change the site.
    Change {
        /// How.
        edit: Edit,
        /// What the request promises and asks.
        terms: Terms,
        /// Where the answer goes.
        reply: Reply<Changed>,
    },
    /// Read the site file again.
    Reload {
        /// Only say what it would do.
        validate_only: bool,
        /// Where the answer goes.
        reply: Reply<Changed>,
    },
    /// Forget learned stations.
    Flush {
        /// Which.
        scope: Scope,
        /// Where the answer goes.
        reply: Reply<Flushed>,
    },
    /// End the thread.
    Stop,
}

/// What a request promises and asks.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Only say what would change.
    pub validate_only: bool,
    /// Refuse if the site is at another revision.
    pub expected_revision: Option<u64>,
    /// The request's id, and a digest of the request.
    pub request: Option<(String, u64)>,
}

/// What became of a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flushed {
    /// Every worker has forgotten.
    pub programmed: bool,
}

/// A digest of a request, to tell a repetition from another request with the same id.
pub fn digest(parts: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

/// Where commands are sent.
#[derive(Clone, Debug)]
pub struct ControlHandle {
    sender: mpsc::SyncSender<Command>,
}

impl ControlHandle {
    /// Changes the site.
    ///
    /// # Errors
    /// As the API documents.
    pub async fn change(&self, edit: Edit, terms: Terms) -> Result<Changed, Failure> {
        self.ask(|reply| Command::Change { edit, terms, reply }).await
    }

    /// Reads the site file again.
    ///
    /// # Errors
    /// As the API documents.
    pub async fn reload(&self, validate_only: bool) -> Result<Changed, Failure> {
        self.ask(|reply| Command::Reload { validate_only, reply }).await
    }

    /// Forgets learned stations.
    ///
    /// # Errors
    /// As the API documents.
    pub async fn flush(&self, scope: Scope) -> Result<Flushed, Failure> {
        self.ask(|reply| Command::Flush { scope, reply }).await
    }

    /// Ends the control thread.
    pub fn stop(&self) {
        // If it has ended already, so be it.
        let _ = self.sender.send(Command::Stop);
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, Failure> {
        let (reply, answer) = oneshot::channel();
        self.sender.try_send(command(reply)).map_err(|refused| match refused {
            mpsc::TrySendError::Full(_) => failures::busy(),
            mpsc::TrySendError::Disconnected(_) => failures::stopping(),
        })?;
        answer.await.map_err(|_| failures::stopping())?
    }
}

/// A reply that waits for the workers.
struct Pending {
    epoch: Epoch,
    since: Duration,
    done: Box<dyn FnOnce(bool, Duration) + Send>,
}

/// What the control thread is made of.
#[derive(Debug)]
pub struct Parts {
    /// What others read.
    pub shared: Arc<Shared>,
    /// What DPDK logs.
    pub dpdk_log: DpdkLog,
    /// The site file.
    pub store: SiteStore,
    /// The fingerprint of the site file when it was read; `None` if there was none.
    pub fingerprint: Option<Fingerprint>,
    /// The host as the site in force was compiled for it.
    pub view: HostView,
    /// The numbers in use.
    pub numbering: Numbering,
    /// The register of counters.
    pub slots: CounterSlots,
    /// The mailboxes of the workers.
    pub publisher: Publisher,
    /// Control frames from each worker.
    pub punts: Vec<Consumer<PuntFrame>>,
    /// Samples of dropped frames from each worker.
    pub samples: Vec<Consumer<DropSample>>,
    /// How many ticks of the workers' clock make a second.
    pub ticks_per_second: u64,
    /// The workers, in the order of their numbers.
    pub workers: Vec<WorkerHandle>,
    /// Tells the workers which links are up.
    pub monitor: LinkMonitor,
    /// The thread that speaks the protocols of the underlay.
    pub protocol: ProtocolHandle,
}

pub(crate) struct Control {
    shared: Arc<Shared>,
    dpdk_log: DpdkLog,
    store: SiteStore,
    fingerprint: Option<Fingerprint>,
    file_stamp: Option<Stamp>,
    view: HostView,
    numbering: Numbering,
    slots: CounterSlots,
    publisher: Publisher,
    punts: Vec<Consumer<PuntFrame>>,
    samples: Vec<Consumer<DropSample>>,
    ticks_per_second: u64,
    workers: Vec<WorkerHandle>,
    monitor: LinkMonitor,
    protocol: ProtocolHandle,
    snooper: Snooper,
    requests: RequestMemory<Changed>,
    /// Of the images that a worker may run.
    revisions: BTreeMap<Epoch, Revision>,
    pending: Vec<Pending>,
    quiesced: bool,
    /// Members that were retired when the newest image was published.
    retired: BTreeSet<(Fid, MemberId)>,
    schedule: watch::Schedule,
}

/// Starts the control thread.
///
/// # Errors
/// The system has no thread left.
pub fn spawn(parts: Parts) -> std::io::Result<(ControlHandle, JoinHandle<Vec<Stopped>>)> {
    let (sender, commands) = mpsc::sync_channel(QUEUE);
    let site = parts.shared.site();
    let control = Control {
        file_stamp: parts.store.stamp(),
        shared: parts.shared,
        dpdk_log: parts.dpdk_log,
        store: parts.store,
        fingerprint: parts.fingerprint,
        view: parts.view,
        numbering: parts.numbering,
        slots: parts.slots,
        publisher: parts.publisher,
        punts: parts.punts,
        samples: parts.samples,
        ticks_per_second: parts.ticks_per_second,
        workers: parts.workers,
        monitor: parts.monitor,
        protocol: parts.protocol,
        snooper: Snooper::default(),
        requests: RequestMemory::default(),
        revisions: BTreeMap::from([(site.epoch, site.revision)]),
        pending: Vec::new(),
        quiesced: false,
        retired: BTreeSet::new(),
        schedule: watch::Schedule::default(),
    };
    let thread = std::thread::Builder::new().name("sluice-control".to_owned());
    let thread = thread.spawn(move || control.run(&commands))?;
    Ok((ControlHandle { sender }, thread))
}

impl Control {
    /// Until asked to stop. Then the workers send what waits, and give back their queues.
    fn run(mut self, commands: &mpsc::Receiver<Command>) -> Vec<Stopped> {
        self.share_addresses(&self.shared.site().tables.underlay);
        loop {
            let wait = if self.pending.is_empty() { TICK } else { TICK_PENDING };
            match commands.recv_timeout(wait) {
                Ok(Command::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Ok(command) => self.command(command),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
            self.tick();
        }
        for pending in self.pending.drain(..) {
            (pending.done)(false, pending.since);
        }
        // What the protocols send last goes out with the workers' last frames.
        self.protocol.stop();
        // All are asked before the first is waited for: each sends what the others hand over.
        self.workers.iter().for_each(WorkerHandle::request_stop);
        self.workers.drain(..).filter_map(WorkerHandle::stop).collect()
    }

    fn command(&mut self, command: Command) {
        let now = self.shared.now();
        match command {
            Command::Change { edit, terms, reply } => {
                let result = self.change_on_terms(now, &edit, &terms);
                self.answer_change(now, terms.validate_only, result, reply);
            }
            Command::Reload { validate_only, reply } => {
                let result = self.reload(validate_only);
                if !validate_only && let Err(failure) = &result {
                    tracing::error!(error = %failure, "the site file is refused");
                    self.refused(failure);
                }
                self.answer_change(now, validate_only, result, reply);
            }
            Command::Flush { scope, reply } => match self.flush(std::slice::from_ref(&scope)) {
                Ok(()) => {
                    tracing::info!(?scope, "MAC tables flushed by request");
                    self.when_programmed(now, move |programmed, _| {
                        let _ = reply.send(Ok(Flushed { programmed }));
                    });
                }
                Err(failure) => {
                    let _ = reply.send(Err(failure));
                }
            },
            Command::Stop => {}
        }
    }

    fn change_on_terms(
        &mut self,
        now: Duration,
        edit: &Edit,
        terms: &Terms,
    ) -> Result<Changed, Failure> {
        if let Some((id, digest)) = &terms.request
            && let Some(known) = self.requests.recall(now, id, *digest).map_err(failures::reused)?
        {
            return Ok(known);
        }
        let revision = self.shared.site().revision.0;
        if let Some(expected) = terms.expected_revision.filter(|expected| *expected != revision) {
            return Err(failures::revision(expected, revision));
        }
        let changed = self.change(edit, terms.validate_only)?;
        if let Some((id, digest)) = &terms.request
            && !terms.validate_only
        {
            self.requests.remember(now, id, *digest, changed.clone());
        }
        Ok(changed)
    }

    /// Answers at once, or when the workers run the new tables. That the asker has gone is no matter.
    fn answer_change(
        &mut self,
        since: Duration,
        validate_only: bool,
        result: Result<Changed, Failure>,
        reply: Reply<Changed>,
    ) {
        match result {
            Ok(changed) if !validate_only => self.when_programmed(since, move |programmed, at| {
                let elapsed = at.saturating_sub(since);
                let _ = reply.send(Ok(Changed { programmed, elapsed, ..changed }));
            }),
            other => {
                let _ = reply.send(other);
            }
        }
    }

    fn when_programmed(
        &mut self,
        since: Duration,
        done: impl FnOnce(bool, Duration) + Send + 'static,
    ) {
        let epoch = self.publisher.published();
        self.pending.push(Pending { epoch, since, done: Box::new(done) });
    }

    fn tick(&mut self) {
        let now = self.shared.now();
        self.take_punts(now);
        self.take_samples(now);
        self.follow_peers();
        self.follow_learner();
        self.follow_workers(now);
        self.watch(now);
    }

    fn follow_learner(&mut self) {
        let mut learning = self.shared.learning.lock();
        for released in learning.released.drain(..) {
            self.numbering.release(&released.members, &released.fids);
        }
        let rebuild = std::mem::take(&mut learning.rebuild);
        drop(learning);
        if rebuild {
            self.republish(&[]);
        }
    }

    fn follow_workers(&mut self, now: Duration) {
        self.publisher.poll();
        let applied: Vec<Epoch> = self.publisher.applied().collect();
        for ((handle, view), epoch) in self.workers.iter().zip(&self.shared.workers).zip(&applied) {
            view.observe(&handle.observe());
            view.runs(*epoch, self.revisions.get(epoch).copied().unwrap_or_default());
        }
        if !self.quiesced && self.publisher.is_quiescent() {
            self.quiesced = true;
            let mut learning = self.shared.learning.lock();
            learning.learner.quiesced();
            learning.learner.live().underlay().prune();
        }
        let oldest = applied.into_iter().min().unwrap_or(self.publisher.published());
        self.revisions.retain(|epoch, _| *epoch >= oldest);
        let mut waiting = Vec::new();
        for pending in self.pending.drain(..) {
            let programmed = oldest >= pending.epoch;
            if programmed || now.saturating_sub(pending.since) >= PROGRAM_LIMIT {
                (pending.done)(programmed, now);
            } else {
                waiting.push(pending);
            }
        }
        self.pending = waiting;
    }
}
