//! A gateway in one process: compiled from a site, with workers on memif links whose other ends
//! belong to the test.

use arrayvec::ArrayVec;
use bridge_model::compile::{HostView, InterfaceView, Link, Numbering, compile};
use bridge_model::reason::DropReason;
use bridge_model::site;
use bridge_model::types::{Epoch, InterfaceId, MacAddr, Revision};
use fwd::counters::{CounterLayout, CounterSlots, Snapshot, WorkerCounters, counters};
use fwd::mac::{Isa, Seed};
use fwd::{Image, Learner, LearnerOptions, Publisher, PuntFrame, WorkerParts, publication};
use fwd_worker::{
    LinkMonitor, Links, PortPlan, Sharing, Stopped, WorkerHandle, WorkerPlan, distribute, spawn,
};
use rte_rs::{
    BURST, Device, DeviceConfig, DeviceSpec, Eal, EalOptions, LinkState, Mbuf, Mempool,
    PoolOptions, Queues, Role, data_room_for_mtu,
};
use rtrb::{Consumer, RingBuffer};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longer than any of these tests waits for anything on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// One trunk and two access ports on one bridge.
pub(crate) const SITE: &str = "
hosts: [{name: gw}]
bridges: [{name: web}]
gatewayBridges: [{name: g, mode: lease}]
trunks: [{name: trunk0, gatewayBridge: g, host: gw, interface: up0}]
vlanLinks: [{gatewayBridge: g, vid: 10, bridge: web}]
accessPorts:
  - {name: p1, bridge: web, host: gw, interface: vm1}
  - {name: p2, bridge: web, host: gw, interface: vm2}
";
pub(crate) const INTERFACES: [&str; 3] = ["up0", "vm1", "vm2"];
pub(crate) const UP0: InterfaceId = InterfaceId(0);
pub(crate) const VM1: InterfaceId = InterfaceId(1);
pub(crate) const VM2: InterfaceId = InterfaceId(2);

/// DPDK, a pool, and a folder for sockets.
pub(crate) struct Ground {
    pub(crate) eal: Eal,
    pub(crate) pool: Mempool,
    folder: TempDir,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let eal = Eal::start(&EalOptions::ordinary(128)).unwrap();
        let options = PoolOptions {
            name: "test".to_owned(),
            mbufs: 8191,
            data_room: data_room_for_mtu(1500),
            cache: 256,
            numa_node: None,
        };
        let pool = Mempool::new(&eal, &options).unwrap();
        Self { eal, pool, folder: tempfile::tempdir().unwrap() }
    }

    fn memif(&self, name: &str, role: Role) -> DeviceSpec {
        let socket = self.folder.path().join(name);
        let letter = if role == Role::Server { 's' } else { 'c' };
        DeviceSpec::memif(&format!("{name}{letter}"), &socket, 0, role, 1500).unwrap()
    }

    pub(crate) fn start(&self, spec: &DeviceSpec) -> (Device, Queues) {
        let mut device = Device::plug(&self.eal, spec).unwrap();
        let queues = device.start(&DeviceConfig::bridge(1500), &self.pool).unwrap();
        (device, queues)
    }

    /// The gateway's end of a link.
    pub(crate) fn near(&self, name: &str) -> (Device, Queues) {
        self.start(&self.memif(name, Role::Server))
    }

    /// The test's end of a link.
    pub(crate) fn far(&self, name: &str) -> Far {
        let (device, queues) = self.start(&self.memif(name, Role::Client));
        Far { device, queues, pool: self.pool.clone(), arrived: VecDeque::new() }
    }
}

/// The other end of a link of the gateway.
pub(crate) struct Far {
    device: Device,
    queues: Queues,
    pool: Mempool,
    arrived: VecDeque<Vec<u8>>,
}

impl Far {
    /// Sends a frame, waiting for room.
    #[track_caller]
    pub(crate) fn send(&mut self, frame: &[u8]) {
        let deadline = Instant::now() + PATIENCE;
        let mut burst: ArrayVec<Mbuf, BURST> = ArrayVec::new();
        burst.push(self.pool.frame(frame).unwrap());
        while self.queues.transmit[0].transmit(&mut burst) == 0 {
            assert!(Instant::now() < deadline, "no room to send");
            std::thread::yield_now();
        }
    }

    /// Whether the link is up and has buffers for what the gateway sends, which a memif client
    /// provides when it receives for the first time.
    pub(crate) fn is_ready(&mut self) -> bool {
        let up = self.device.link() == LinkState::Up;
        if up {
            self.collect();
        }
        up
    }

    /// What has arrived and was not asked for yet.
    pub(crate) fn receive(&mut self) -> Vec<Vec<u8>> {
        self.collect();
        self.arrived.drain(..).collect()
    }

    fn collect(&mut self) {
        let mut burst: ArrayVec<Mbuf, BURST> = ArrayVec::new();
        self.queues.receive[0].receive(&mut burst);
        self.arrived.extend(burst.iter().map(|mbuf| mbuf.bytes().to_vec()));
    }

    /// Waits for a frame, which must be this one.
    #[track_caller]
    pub(crate) fn expect(&mut self, frame: &[u8]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.collect();
            if let Some(one) = self.arrived.pop_front() {
                assert!(one == frame, "expected {frame:02x?}\nreceived {one:02x?}");
                return;
            }
            assert!(Instant::now() < deadline, "did not arrive: {frame:02x?}");
            std::thread::yield_now();
        }
    }
}

/// A running gateway.
pub(crate) struct Gateway {
    pub(crate) devices: Vec<Option<Device>>,
    pub(crate) workers: Vec<WorkerHandle>,
    pub(crate) monitor: LinkMonitor,
    pub(crate) publisher: Publisher,
    pub(crate) learner: Learner,
    pub(crate) punts: Vec<Consumer<PuntFrame>>,
    counters: Vec<Arc<WorkerCounters>>,
    pub(crate) slots: CounterSlots,
    ticks_per_second: u64,
    started: Instant,
    epoch: Epoch,
}

impl Gateway {
    /// With the site and interfaces above.
    pub(crate) fn start(
        ground: &Ground,
        workers: usize,
        sharing: Sharing,
        devices: Vec<(Device, Queues)>,
    ) -> Self {
        let layout = CounterLayout { ports: 64, trunks: 4 };
        let mut slots = CounterSlots::new(layout);
        let options = LearnerOptions {
            log2_buckets: 17,
            max_log2_buckets: 17,
            seed: Seed::from_bytes([7; 64]),
            layout,
        };
        let mut learner = Learner::new(&options).unwrap();
        let ticks_per_second = rte_rs::ticks_per_second(&ground.eal);
        let epoch = Epoch(1);
        let image = build(&mut learner, &mut slots, epoch, ticks_per_second);
        let (publisher, receivers) = publication(workers, &image);
        let links = Links::new(INTERFACES.len());
        let (devices, queues): (Vec<_>, Vec<_>) =
            devices.into_iter().map(|(device, queues)| (Some(device), queues)).unzip();
        let ports = (0..).map(InterfaceId).zip(queues);
        let ports = ports.map(|(interface, queues)| PortPlan { interface, queues }).collect();
        let mut gateway = Self {
            devices,
            workers: Vec::new(),
            monitor: LinkMonitor::new(links.clone()),
            publisher,
            learner,
            punts: Vec::new(),
            counters: Vec::new(),
            slots,
            ticks_per_second,
            started: Instant::now(),
            epoch,
        };
        let shares = distribute(workers, ports);
        for (number, (ports, receiver)) in shares.into_iter().zip(receivers).enumerate() {
            let (learn, events) = RingBuffer::new(4096);
            let (punt, punts) = RingBuffer::new(256);
            let (samples, _) = RingBuffer::new(256);
            let (writer, block) = counters(layout);
            gateway.learner.add_ring(events);
            gateway.punts.push(punts);
            gateway.counters.push(block);
            let plan = WorkerPlan {
                name: format!("worker-{number}"),
                cpu: None,
                sharing,
                ports,
                links: links.clone(),
                pool: ground.pool.clone(),
                parts: WorkerParts {
                    receiver,
                    learn,
                    punt,
                    protocol: RingBuffer::new(16).0,
                    samples,
                    counters: writer,
                    isa: Isa::detect(),
                    interfaces: INTERFACES.len(),
                    ticks_per_second,
                },
            };
            gateway.workers.push(spawn(&ground.eal, plan).unwrap());
        }
        gateway
    }

    /// Looks after links and learning once.
    pub(crate) fn turn(&mut self) {
        let devices = (0..).map(InterfaceId).zip(&self.devices);
        let present = devices.filter_map(|(id, device)| Some((id, device.as_ref()?)));
        drop(self.monitor.turn(present));
        self.learner.turn(self.started.elapsed());
        self.publisher.poll();
    }

    #[track_caller]
    pub(crate) fn wait_for_link(&mut self, interface: InterfaceId, state: LinkState) {
        self.wait(|gateway| gateway.monitor.state(interface) == state);
    }

    /// Takes turns until `done`.
    #[track_caller]
    pub(crate) fn wait(&mut self, mut done: impl FnMut(&mut Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            assert!(Instant::now() < deadline, "waited in vain");
            self.turn();
            std::thread::yield_now();
        }
    }

    /// A gateway whose three links are up, and their other ends.
    pub(crate) fn with_links(
        ground: &Ground,
        workers: usize,
        sharing: Sharing,
    ) -> (Self, [Far; 3]) {
        let near = INTERFACES.map(|name| ground.near(name));
        let mut far = INTERFACES.map(|name| ground.far(name));
        let mut gateway = Self::start(ground, workers, sharing, near.into());
        for interface in [UP0, VM1, VM2] {
            gateway.wait_for_link(interface, LinkState::Up);
        }
        for one in &mut far {
            gateway.wait(|_| one.is_ready());
        }
        (gateway, far)
    }

    /// Publishes the same tables as a new image.
    pub(crate) fn republish(&mut self) {
        self.epoch.0 += 1;
        let image = build(&mut self.learner, &mut self.slots, self.epoch, self.ticks_per_second);
        self.publisher.publish(&image);
    }

    /// The counters of all workers.
    pub(crate) fn counters(&self) -> Snapshot {
        let mut sum = Snapshot::default();
        for block in &self.counters {
            sum += &block.snapshot();
        }
        sum
    }

    /// Frames dropped for a reason, on all ports.
    pub(crate) fn dropped(&self, reason: DropReason) -> u64 {
        self.counters().ports.iter().map(|port| port.drops[reason.index()]).sum()
    }

    /// Stops the workers.
    #[track_caller]
    pub(crate) fn stop(&mut self) -> Vec<Stopped> {
        self.workers.iter().for_each(WorkerHandle::request_stop);
        self.workers.drain(..).map(|worker| worker.stop().expect("the worker ended well")).collect()
    }
}

impl Drop for Gateway {
    /// `net_memif` of DPDK 22.11 may crash when both ends of a link are closed at once: one thread
    /// closes the device while another sees the peer leave. The end of the process closes ours.
    fn drop(&mut self) {
        self.workers.clear();
        self.devices.drain(..).flatten().for_each(std::mem::forget);
    }
}

fn build(
    learner: &mut Learner,
    slots: &mut CounterSlots,
    epoch: Epoch,
    ticks_per_second: u64,
) -> Arc<Image> {
    let topology = site::parse("site", SITE).unwrap();
    let interface = |name: &str| InterfaceView {
        name: name.parse().unwrap(),
        mtu: 1500,
        mac: MacAddr::ZERO,
        link: Link::Up,
    };
    let view = HostView::new("gw".parse().unwrap(), INTERFACES.map(interface).into());
    let compiled = compile(&topology, &view, &mut Numbering::default(), Revision(epoch.0)).unwrap();
    let parts = learner.image_parts(epoch, slots, ticks_per_second);
    let image = Arc::new(Image::build(&compiled.tables, parts).unwrap());
    learner.install(&image, &compiled.static_macs, Duration::from_secs(epoch.0));
    image
}

/// A frame from one station to another (the last octet of their addresses), perhaps tagged.
pub(crate) fn frame(to: u8, from: u8, tag: Option<u16>, serial: u32) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from];
    if to == 0xff {
        frame[..6].fill(0xff);
    }
    if let Some(tci) = tag {
        frame.extend([0x81, 0x00]);
        frame.extend(tci.to_be_bytes());
    }
    frame.extend([0x88, 0xb5]);
    frame.extend(serial.to_be_bytes());
    frame.resize(if tag.is_some() { 100 } else { 96 }, 0x5a);
    frame
}
