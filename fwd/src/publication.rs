//! Handing a new image to the workers while they run, and getting the old one back.
//!
//! One single-producer, single-consumer mailbox each way for each worker. A worker looks into its
//! mailbox between two bursts, so an image never changes under a frame; the image it stops using
//! comes back, which is the proof that this worker has quiesced. Nothing is freed on a worker, no
//! worker waits, and there is no barrier.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bridge_model::types::Epoch;
use rtrb::{Consumer, Producer, RingBuffer};

use crate::image::Image;
use crate::storm::StormBuckets;

/// Images on their way to a worker.
const INBOX: usize = 2;
/// Images on their way back: as many as can be out at all, so that a worker can always return one.
const OUTBOX: usize = INBOX + 2;

/// An image together with what one worker needs to run it.
#[derive(Debug)]
pub(crate) struct Installed {
    pub(crate) image: Arc<Image>,
    pub(crate) storm: StormBuckets,
}

impl Installed {
    fn boxed(image: &Arc<Image>) -> Box<Self> {
        Box::new(Self { image: Arc::clone(image), storm: StormBuckets::new(&image.storms) })
    }
}

#[derive(Debug)]
struct Mailbox {
    outgoing: Producer<Box<Installed>>,
    returned: Consumer<Box<Installed>>,
    applied: Arc<AtomicU64>,
    /// Images that the worker has or will get.
    out: usize,
    /// The newest image, if the inbox was full when it was published.
    waiting: Option<Arc<Image>>,
}

/// The control side's end of all mailboxes.
#[derive(Debug)]
pub struct Publisher {
    mailboxes: Vec<Mailbox>,
    published: Epoch,
}

/// One worker's end.
#[derive(Debug)]
pub struct ImageReceiver {
    incoming: Consumer<Box<Installed>>,
    returning: Producer<Box<Installed>>,
    applied: Arc<AtomicU64>,
    pub(crate) current: Box<Installed>,
}

/// Mailboxes for `workers` workers that start with `first`.
pub fn publication(workers: usize, first: &Arc<Image>) -> (Publisher, Vec<ImageReceiver>) {
    let ends = (0..workers).map(|_| {
        let (outgoing, incoming) = RingBuffer::new(INBOX);
        let (returning, returned) = RingBuffer::new(OUTBOX);
        let applied = Arc::new(AtomicU64::new(first.epoch().0));
        let current = Installed::boxed(first);
        let mailbox =
            Mailbox { outgoing, returned, applied: Arc::clone(&applied), out: 1, waiting: None };
        (mailbox, ImageReceiver { incoming, returning, applied, current })
    });
    let (mailboxes, receivers) = ends.unzip();
    (Publisher { mailboxes, published: first.epoch() }, receivers)
}

impl Publisher {
    /// Sends an image to every worker. A worker that has not yet taken the ones before gets only the
    /// newest of those that wait.
    pub fn publish(&mut self, image: &Arc<Image>) {
        self.published = image.epoch();
        for mailbox in &mut self.mailboxes {
            mailbox.waiting = Some(Arc::clone(image));
            mailbox.turn();
        }
    }

    /// Frees what workers have returned and sends what waited. Call it now and then; until it is
    /// called again, old images stay allocated.
    pub fn poll(&mut self) {
        self.mailboxes.iter_mut().for_each(Mailbox::turn);
    }

    /// The epoch of the last image published.
    pub fn published(&self) -> Epoch {
        self.published
    }

    /// The epoch of the image that each worker runs.
    pub fn applied(&self) -> impl Iterator<Item = Epoch> {
        self.mailboxes.iter().map(|mailbox| Epoch(mailbox.applied.load(Ordering::Acquire)))
    }

    /// Every worker runs the last published image, and no worker will touch an older one again.
    pub fn is_quiescent(&self) -> bool {
        self.applied().all(|epoch| epoch >= self.published)
    }
}

impl Mailbox {
    fn turn(&mut self) {
        while self.returned.pop().is_ok() {
            self.out = self.out.saturating_sub(1);
        }
        // All but one of the images that are out can come back at once.
        if self.out > OUTBOX || self.outgoing.is_full() {
            return;
        }
        if let Some(image) = self.waiting.take() {
            match self.outgoing.push(Installed::boxed(&image)) {
                Ok(()) => self.out += 1,
                Err(_) => self.waiting = Some(image),
            }
        }
    }
}

impl ImageReceiver {
    /// Takes the newest image that has arrived. True if there was one. No allocation, no freeing.
    #[inline]
    pub(crate) fn poll(&mut self) -> bool {
        if self.incoming.is_empty() {
            return false;
        }
        self.install()
    }

    #[inline(never)]
    fn install(&mut self) -> bool {
        let mut changed = false;
        // Only take an image when there is room to return the current one.
        while !self.returning.is_full() {
            let Ok(next) = self.incoming.pop() else { break };
            let mut old = std::mem::replace(&mut self.current, next);
            self.current.storm.adopt(&mut old.storm);
            changed = true;
            if let Err(rtrb::PushError::Full(old)) = self.returning.push(old) {
                // Unreachable: this end is the only producer, and it saw room above.
                drop(old);
            }
        }
        self.applied.store(self.current.image.epoch().0, Ordering::Release);
        changed
    }
}
