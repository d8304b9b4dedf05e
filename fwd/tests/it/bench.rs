//! A daemon in small: compiles, builds, publishes, and runs one worker and the learner by hand.

use std::sync::Arc;
use std::time::Duration;

use bridge_model::compile::{Compiled, Domain, HostView, Numbering, Scope, UnderlayTable, compile};
use bridge_model::oracle::Learned;
use bridge_model::reason::{DropReason, PuntReason};
use bridge_model::topology::Topology;
use bridge_model::types::{Epoch, IndividualMac, InterfaceId, MacAddr, Revision};
use fwd::counters::{CounterLayout, CounterSlots, Snapshot, WorkerCounters, counters};
use fwd::heap::{HeapFrame, HeapIo};
use fwd::mac::{Isa, Seed};
use fwd::{
    BURST, DropSample, FrameBurst, Image, Learner, LearnerOptions, ProtocolFrame, Publisher,
    PuntFrame, Worker, WorkerParts, publication,
};
use rtrb::{Consumer, RingBuffer};

pub(crate) const LAYOUT: CounterLayout = CounterLayout { ports: 64, trunks: 8 };
pub(crate) const HZ: u64 = 1_000_000_000;
pub(crate) const INTERFACES: usize = 16;

/// What became of the frames of one burst.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// By interface and in order.
    pub(crate) sent: Vec<(InterfaceId, Vec<u8>)>,
    /// Sorted.
    pub(crate) dropped: Vec<DropReason>,
    /// Sorted.
    pub(crate) consumed: Vec<PuntReason>,
}

#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) topology: Topology,
    pub(crate) view: HostView,
    pub(crate) numbering: Numbering,
    pub(crate) slots: CounterSlots,
    pub(crate) learner: Learner,
    pub(crate) publisher: Publisher,
    pub(crate) worker: Worker<HeapFrame>,
    pub(crate) counters: Arc<WorkerCounters>,
    pub(crate) io: HeapIo,
    pub(crate) punts: Consumer<PuntFrame>,
    pub(crate) protocols: Consumer<ProtocolFrame>,
    pub(crate) samples: Consumer<DropSample>,
    pub(crate) image: Arc<Image>,
    pub(crate) underlay: UnderlayTable,
    before: Snapshot,
    epoch: u64,
}

pub(crate) fn compiled(
    topology: &Topology,
    view: &HostView,
    numbering: &mut Numbering,
) -> Compiled {
    compile(topology, view, numbering, Revision(1)).unwrap()
}

impl Bench {
    pub(crate) fn new(topology: Topology, view: HostView, isa: Isa) -> Self {
        Self::with_rings(topology, view, isa, 4096, 64)
    }

    pub(crate) fn with_layout(topology: Topology, view: HostView, layout: CounterLayout) -> Self {
        Self::with(topology, view, Isa::detect(), layout, (4096, 64))
    }

    pub(crate) fn with_rings(
        topology: Topology,
        view: HostView,
        isa: Isa,
        learn_places: usize,
        punt_places: usize,
    ) -> Self {
        Self::with(topology, view, isa, LAYOUT, (learn_places, punt_places))
    }

    fn with(
        topology: Topology,
        view: HostView,
        isa: Isa,
        layout: CounterLayout,
        (learn_places, punt_places): (usize, usize),
    ) -> Self {
        let mut learner = Learner::new(&LearnerOptions {
            log2_buckets: 17,
            max_log2_buckets: 17,
            seed: Seed::predictable(3),
            layout,
        })
        .unwrap();
        let mut slots = CounterSlots::new(layout);
        let mut numbering = Numbering::default();
        let compiled = compiled(&topology, &view, &mut numbering);
        let parts = learner.image_parts(Epoch(1), &mut slots, HZ);
        let image = Arc::new(Image::build(&compiled.tables, parts).unwrap());
        assert_eq!(learner.install(&image, &compiled.static_macs, Duration::ZERO), vec![]);
        let (publisher, mut receivers) = publication(1, &image);
        let (learn, ring) = RingBuffer::new(learn_places);
        learner.add_ring(ring);
        let (punt, punts) = RingBuffer::new(punt_places);
        let (protocol, protocols) = RingBuffer::new(256);
        let (sample, samples) = RingBuffer::new(64);
        let (writer, counters) = counters(layout);
        let worker = Worker::new(WorkerParts {
            receiver: receivers.pop().unwrap(),
            learn,
            punt,
            protocol,
            samples: sample,
            counters: writer,
            isa,
            interfaces: INTERFACES,
            ticks_per_second: HZ,
        });
        learner.turn(Duration::ZERO);
        Self {
            topology,
            view,
            numbering,
            slots,
            learner,
            publisher,
            worker,
            counters,
            io: HeapIo::default(),
            punts,
            protocols,
            samples,
            image,
            underlay: compiled.tables.underlay,
            before: Snapshot::default(),
            epoch: 1,
        }
    }

    /// Publishes another topology or other links; everything learned elsewhere stays.
    pub(crate) fn reconfigure(&mut self, topology: Topology, view: HostView, now: Duration) {
        (self.topology, self.view) = (topology, view);
        let compiled = compiled(&self.topology, &self.view, &mut self.numbering);
        self.epoch += 1;
        let parts = self.learner.image_parts(Epoch(self.epoch), &mut self.slots, HZ);
        self.image = Arc::new(Image::build(&compiled.tables, parts).unwrap());
        assert_eq!(self.learner.install(&self.image, &compiled.static_macs, now), vec![]);
        self.publisher.publish(&self.image);
        self.underlay = compiled.tables.underlay;
        self.learner.retire(self.numbering.retired(), self.numbering.retired_fids());
        assert!(self.worker.poll_image());
        self.publisher.poll();
        assert!(self.publisher.is_quiescent());
        self.learner.quiesced();
    }

    pub(crate) fn flush(&mut self, scope: &Scope, now: Duration) {
        self.numbering.retire(&self.topology, scope);
        self.reconfigure(self.topology.clone(), self.view.clone(), now);
    }

    /// The learner's turns until all that was reported is handled.
    pub(crate) fn learn(&mut self, now: Duration) {
        for _ in 0..2 {
            if let Some(released) = self.learner.turn(now).released {
                self.numbering.release(&released.members, &released.fids);
            }
        }
    }

    /// Lets time pass in steps that the ageing clock can follow.
    pub(crate) fn wait(&mut self, from: Duration, to: Duration, step: Duration) {
        let mut now = from;
        while now < to {
            now = to.min(now + step);
            self.learn(now);
        }
    }

    pub(crate) fn frame(&mut self, now: Duration, interface: InterfaceId, frame: &[u8]) -> Seen {
        self.burst(now, interface, &[frame])
    }

    /// One burst, one turn of the worker; then the learner's.
    pub(crate) fn burst(
        &mut self,
        now: Duration,
        interface: InterfaceId,
        frames: &[&[u8]],
    ) -> Seen {
        assert!(frames.len() <= BURST);
        let ticks = u64::try_from(now.as_nanos()).unwrap();
        let mut burst: FrameBurst<HeapFrame> = frames.iter().map(|f| HeapFrame::new(f)).collect();
        self.worker.burst(&mut self.io, interface, &mut burst, ticks);
        assert!(burst.is_empty());
        self.worker.flush(&mut self.io);
        assert!(self.worker.is_idle());
        let seen = self.seen();
        self.learn(now);
        seen
    }

    /// What happened since the last look, according to the devices and the counters; they have to
    /// agree.
    pub(crate) fn seen(&mut self) -> Seen {
        let after = self.counters.snapshot();
        assert_eq!(after.accounting().difference(), 0, "{:?}", after.accounting());
        let sent = self.io.take();
        let (then, now) = (self.before.accounting(), after.accounting());
        assert_eq!(now.sent - then.sent, sent.len() as u64);
        let mut dropped = Vec::new();
        let mut consumed = Vec::new();
        for (slot, port) in after.ports.iter().enumerate() {
            let old = self.before.ports.get(slot).copied().unwrap_or_default();
            for reason in DropReason::ALL {
                let count = port.drops[reason.index()] - old.drops[reason.index()];
                dropped.extend((0..count).map(|_| *reason));
            }
            for reason in PuntReason::ALL {
                let count = port.consumed[reason.index()] - old.consumed[reason.index()];
                consumed.extend((0..count).map(|_| *reason));
            }
        }
        dropped.sort_unstable();
        consumed.sort_unstable();
        self.before = after;
        Seen { sent, dropped, consumed }
    }

    /// Every learned entry in force, by name, as the oracle tells it.
    pub(crate) fn learned(&self) -> Vec<Learned> {
        let mut learned: Vec<Learned> = self
            .learner
            .entries()
            .filter(|entry| !entry.is_static)
            .map(|entry| {
                let (domain, vid_in_domain) = self.numbering.domain_of(entry.fid).unwrap();
                let domain_vid = match domain {
                    Domain::Bridge(_) => None,
                    Domain::Transparent(_) => vid_in_domain,
                    Domain::Transit(_, vid) => Some(*vid),
                };
                let place = self.numbering.locate(entry.fid, entry.member).unwrap();
                let is_trunk = self.topology.trunks.contains_key(&place.port);
                let vid = place.vid.filter(|_| is_trunk).map(|vid| (vid, place.inner_vid));
                let mac = IndividualMac::try_from(MacAddr::from_u64(entry.mac)).unwrap();
                Learned { owner: domain.owner().clone(), domain_vid, mac, port: place.port, vid }
            })
            .collect();
        learned.sort();
        learned
    }
}
