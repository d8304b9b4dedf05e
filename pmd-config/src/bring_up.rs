//! From plan to running devices.
//!
//! The only part of this crate that knows DPDK. Devices are opened one by one, so that the error of
//! each names its interface; when one fails, those before it are closed again. DPDK itself cannot be
//! started twice in a process, so after a failure the process has to end.

use std::ops::Deref;
use std::path::PathBuf;

use rte_rs::{
    Device, DeviceConfig, DeviceError, DeviceSpec, Eal, EalError, EalOptions, InvalidSpec,
    MacSource, Mempool, Pci, PoolError, PoolOptions, RxQueue, TransmitFree, TxQueue,
};

use crate::check::{NotReady, check};
use crate::claim::{Claim, ClaimError};
use crate::instance::{CleanUpError, InstanceError, InstanceLock, file_prefix};
use crate::node::{NodeFile, ObjectName, Role};
use crate::plan::{Pages, Plan, PlannedDevice, PlannedInterface, PlannedPool, PlannedWorker};
use crate::probe::{Environment, Host, Root};

/// Why the devices do not run.
#[derive(Debug, thiserror::Error)]
pub enum BringUpError {
    /// DPDK did not start.
    #[error(transparent)]
    Eal(#[from] EalError),
    /// No memory for packet buffers.
    #[error("packet buffers on NUMA {numa}: {source}")]
    Pool {
        /// The node.
        numa: u32,
        /// Why.
        source: PoolError,
    },
    /// A value of the node file that DPDK cannot be told.
    #[error("interface {interface}: {source}")]
    Spec {
        /// The interface.
        interface: ObjectName,
        /// Why.
        source: InvalidSpec,
    },
    /// A device could not be opened or started.
    #[error("interface {interface}: {source}")]
    Device {
        /// The interface.
        interface: ObjectName,
        /// Why.
        source: DeviceError,
    },
    /// Another gateway has the kernel interface.
    #[error("interface {interface}: {source}")]
    Claim {
        /// The interface.
        interface: ObjectName,
        /// Why.
        source: ClaimError,
    },
    /// A plan names a NUMA node that it has no pool for.
    #[error("interface {interface}: the plan has no buffers on NUMA {numa}; plan anew")]
    NoPool {
        /// The interface.
        interface: ObjectName,
        /// The node.
        numa: u32,
    },
}

/// Why the daemon cannot start on this host.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another daemon is alive, or the lock cannot be taken.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// Something of a dead predecessor is in the way.
    #[error(transparent)]
    CleanUp(#[from] CleanUpError),
    /// The host does not fit.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// The devices do not run.
    #[error(transparent)]
    BringUp(#[from] BringUpError),
}

/// A gateway's devices, started, and the queues that its workers poll.
#[derive(Debug)]
pub struct Running {
    /// The proof that DPDK runs.
    pub eal: Eal,
    /// The plan that was carried out.
    pub plan: Plan,
    /// The interfaces in the order of the node file; the position is the `InterfaceId`.
    pub interfaces: Vec<RunningInterface>,
    /// What each worker needs; taken by whoever starts the workers.
    pub workers: Vec<WorkerParts>,
    /// Buffers for frames that control threads send.
    pub pool: Mempool,
}

/// A started interface: for control threads.
#[derive(Debug)]
pub struct RunningInterface {
    /// What the site file calls it.
    pub name: ObjectName,
    /// The largest layer-3 packet, in octets.
    pub mtu: u16,
    /// The device: link state, counters, MAC. Dropping it does not stop it while a queue exists.
    pub device: RunningDevice,
}

/// A started device.
#[derive(Debug)]
pub struct RunningDevice {
    handle: Handle,
    /// Keeps other gateways off the kernel interface until the device is closed.
    _claim: Option<Claim>,
}

#[derive(Debug)]
enum Handle {
    /// Closed when dropped.
    Closing(Device),
    /// Closed by the end of the process, and so is its socket, which bears no file afterwards.
    ///
    /// `net_memif` of DPDK 22.11 frees its memory both on the thread that closes the device and on
    /// DPDK's interrupt thread when the peer leaves, without a lock between them: a peer that leaves
    /// in the same moment, as it does when both stop together, ends in a crash.
    Leaving(&'static Device, Option<PathBuf>),
}

impl RunningDevice {
    fn new(device: Device, planned: &PlannedDevice, claim: Option<Claim>) -> Self {
        let handle = match planned {
            PlannedDevice::Memif { role, socket, .. } => Handle::Leaving(
                Box::leak(Box::new(device)),
                (*role == Role::Server).then(|| socket.clone()),
            ),
            PlannedDevice::Pci { .. }
            | PlannedDevice::AfPacket { .. }
            | PlannedDevice::Tap { .. }
            | PlannedDevice::VhostUser { .. }
            | PlannedDevice::VirtioUser { .. }
            | PlannedDevice::Ring
            | PlannedDevice::Pcap { .. }
            | PlannedDevice::Null => Handle::Closing(device),
        };
        Self { handle, _claim: claim }
    }
}

impl Deref for RunningDevice {
    type Target = Device;

    fn deref(&self) -> &Device {
        match &self.handle {
            Handle::Closing(device) => device,
            Handle::Leaving(device, _) => device,
        }
    }
}

impl Drop for RunningDevice {
    fn drop(&mut self) {
        if let Handle::Leaving(_, Some(socket)) = &self.handle {
            // Nobody can connect any more; should this fail, the next start removes it.
            let _ = std::fs::remove_file(socket);
        }
    }
}

/// An interface and its queue pairs, one per worker.
type StartedInterface = (RunningInterface, Vec<(RxQueue, TxQueue)>);

/// What one worker polls, and where it runs.
#[derive(Debug)]
pub struct WorkerParts {
    /// Where it runs.
    pub worker: PlannedWorker,
    /// Its queue pair of each interface, in the order of the node file.
    pub queues: Vec<(RxQueue, TxQueue)>,
    /// Buffers for the copies it makes, on its NUMA node where there are some.
    pub pool: Mempool,
}

/// A running gateway host: the devices, and the lock that keeps others off them.
#[derive(Debug)]
pub struct Started {
    /// The devices.
    pub running: Running,
    /// Keep it as long as the devices run.
    pub lock: InstanceLock,
    /// What a predecessor that was killed had left, and was removed.
    pub removed: Vec<PathBuf>,
}

/// The whole start: lock, clean up, look at the host, check, bring up.
///
/// The calling thread becomes DPDK's main thread and is moved to the control CPUs; threads it starts
/// afterwards inherit that.
///
/// # Errors
/// The first step that failed.
pub fn start(node: &NodeFile, environment: &Environment) -> Result<Started, StartError> {
    let lock = InstanceLock::take(node)?;
    let host = Host::probe(&Root::default(), environment);
    let name = node.name.as_ref().map_or(host.hostname.as_str(), ObjectName::as_str);
    let removed = lock.clean_up(node, &file_prefix(node, name), environment)?;
    let plan = check(node, &host).into_plan()?;
    let running = bring_up(&plan, &lock)?;
    Ok(Started { running, lock, removed })
}

/// Starts DPDK and every device of the plan. The lock proves that nobody else uses them.
///
/// # Errors
/// The first thing that failed, with the interface it belongs to.
pub fn bring_up(plan: &Plan, _lock: &InstanceLock) -> Result<Running, BringUpError> {
    let eal = Eal::start(&eal_options(plan))?;
    let pools: Result<Vec<Mempool>, BringUpError> =
        plan.pools.iter().map(|pool| make_pool(&eal, plan, pool)).collect();
    let pools = pools?;
    let pool_on = |numa: u32| {
        let at = plan.pools.iter().position(|pool| pool.numa == numa)?;
        pools.get(at)
    };

    // A virtio-user device connects at once; the vhost-user server it connects to may be ours.
    let mut order: Vec<usize> = (0..plan.interfaces.len()).collect();
    let connects = |index: &usize| {
        plan.interfaces
            .get(*index)
            .is_some_and(|i| matches!(i.device, PlannedDevice::VirtioUser { .. }))
    };
    order.sort_by_key(connects);

    let mut started: Vec<Option<StartedInterface>> = Vec::new();
    started.resize_with(plan.interfaces.len(), || None);
    for index in order {
        let Some(interface) = plan.interfaces.get(index) else { continue };
        let pool = pool_on(interface.numa).ok_or_else(|| BringUpError::NoPool {
            interface: interface.name.clone(),
            numa: interface.numa,
        })?;
        let device = start_device(&eal, plan, index, interface, pool)?;
        if let Some(slot) = started.get_mut(index) {
            *slot = Some(device);
        }
    }

    let default_pool = pools.first().cloned();
    let mut workers: Vec<WorkerParts> = Vec::new();
    for worker in &plan.workers {
        let Some(pool) = pool_on(worker.numa).cloned().or_else(|| default_pool.clone()) else {
            continue;
        };
        workers.push(WorkerParts { worker: *worker, queues: Vec::new(), pool });
    }
    let mut interfaces = Vec::with_capacity(started.len());
    for (interface, queues) in started.into_iter().flatten() {
        interfaces.push(interface);
        for (worker, pair) in workers.iter_mut().zip(queues) {
            worker.queues.push(pair);
        }
    }
    let pool = default_pool
        .ok_or_else(|| BringUpError::NoPool { interface: plan.name.clone(), numa: 0 })?;
    Ok(Running { eal, plan: plan.clone(), interfaces, workers, pool })
}

fn eal_options(plan: &Plan) -> EalOptions {
    let mebibytes = u32::try_from(plan.memory.amount.to_mib_ceil()).unwrap_or(u32::MAX);
    let has_cards = plan.interfaces.iter().any(|i| matches!(i.device, PlannedDevice::Pci { .. }));
    EalOptions {
        memory: match plan.memory.pages {
            Pages::Hugepages => rte_rs::Memory::Hugepages { mebibytes },
            Pages::Ordinary => rte_rs::Memory::Ordinary { mebibytes },
        },
        control_cpus: plan.control.iter().filter_map(|cpu| u16::try_from(cpu).ok()).collect(),
        pci: if has_cards { Pci::OnDemand } else { Pci::Ignore },
        file_prefix: Some(plan.file_prefix.clone()),
    }
}

fn make_pool(eal: &Eal, plan: &Plan, pool: &PlannedPool) -> Result<Mempool, BringUpError> {
    let numa_node = match plan.memory.pages {
        Pages::Hugepages => u16::try_from(pool.numa).ok(),
        // Ordinary memory has no place that DPDK knows of.
        Pages::Ordinary => None,
    };
    let options = PoolOptions {
        name: format!("frames{}", pool.numa),
        mbufs: pool.buffers,
        data_room: pool.data_room,
        cache: u16::try_from(pool.cache).unwrap_or(u16::MAX),
        numa_node,
    };
    Mempool::new(eal, &options).map_err(|source| BringUpError::Pool { numa: pool.numa, source })
}

fn start_device(
    eal: &Eal,
    plan: &Plan,
    index: usize,
    interface: &PlannedInterface,
    pool: &Mempool,
) -> Result<StartedInterface, BringUpError> {
    let named = |source| BringUpError::Device { interface: interface.name.clone(), source };
    let claim = match &interface.device {
        PlannedDevice::AfPacket { interface: kernel } => {
            Some(Claim::take(kernel).map_err(|source| BringUpError::Claim {
                interface: interface.name.clone(),
                source,
            })?)
        }
        _ => None,
    };
    let spec = device_spec(interface, index)
        .map_err(|source| BringUpError::Spec { interface: interface.name.clone(), source })?;
    let mut device = Device::plug(eal, &spec).map_err(named)?;
    let config = DeviceConfig {
        queues: interface.queues,
        receive_descriptors: interface.rx_descriptors,
        transmit_descriptors: interface.tx_descriptors,
        mtu: interface.mtu,
        promiscuous: true,
        transmit_free: match plan.pools.len() {
            1 => TransmitFree::OnePool,
            _ => TransmitFree::AnyPool,
        },
    };
    let queues = device.start(&config, pool).map_err(named)?;
    let device = RunningDevice::new(device, &interface.device, claim);
    let running = RunningInterface { name: interface.name.clone(), mtu: interface.mtu, device };
    Ok((running, queues.receive.into_iter().zip(queues.transmit).collect()))
}

/// The driver and its arguments. Devices are numbered rather than named after their interfaces,
/// whose names may be longer than DPDK allows.
fn device_spec(interface: &PlannedInterface, index: usize) -> Result<DeviceSpec, InvalidSpec> {
    let name = index.to_string();
    let PlannedInterface { mtu, queues, .. } = *interface;
    let role = |role| match role {
        Role::Server => rte_rs::Role::Server,
        Role::Client => rte_rs::Role::Client,
    };
    match &interface.device {
        PlannedDevice::Pci { address, .. } => DeviceSpec::pci(&address.to_string()),
        PlannedDevice::AfPacket { interface } => {
            DeviceSpec::af_packet(&name, interface, mtu, queues)
        }
        PlannedDevice::Tap { interface } => DeviceSpec::tap(&name, interface, MacSource::Random),
        PlannedDevice::Memif { role: side, socket, id } => {
            DeviceSpec::memif(&name, socket, *id, role(*side), mtu)
        }
        PlannedDevice::VhostUser { role: side, socket } => {
            DeviceSpec::vhost_user(&name, socket, role(*side), queues)
        }
        PlannedDevice::VirtioUser { socket } => {
            DeviceSpec::virtio_user(&name, socket, rte_rs::Role::Client, queues)
        }
        PlannedDevice::Ring => DeviceSpec::ring(&name),
        PlannedDevice::Pcap { rx, tx } => DeviceSpec::pcap(&name, rx.as_deref(), tx.as_deref()),
        PlannedDevice::Null => DeviceSpec::null(&name),
    }
}
