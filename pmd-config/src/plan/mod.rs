//! What will be done, as data, before anything is done.
//!
//! A plan says which CPU runs what, which device is opened with how many queues and buffers, and
//! which memory it all lives in. It is made from the node file and the probe alone, by
//! [`check`](crate::check::check), and only if nothing speaks against it.

mod cores;
mod memory;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use crate::check::Findings;
use crate::cpu_set::CpuSet;
use crate::node::{Kind, NodeFile, ObjectName, PciAddress, Role};
use crate::probe::Host;

pub use self::cores::{PlannedWorker, Share};
pub use self::memory::{CACHE, Pages, PlannedMemory, PlannedPool};

/// A validated plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What the site file calls this host.
    pub name: ObjectName,
    /// The CPUs of all threads that are no workers.
    pub control: CpuSet,
    /// The workers; at least one.
    pub workers: Vec<PlannedWorker>,
    /// The interfaces in the order of the node file; the position is the `InterfaceId`.
    pub interfaces: Vec<PlannedInterface>,
    /// Packet buffers, one pool per NUMA node in use; at least one.
    pub pools: Vec<PlannedPool>,
    /// Memory for DPDK.
    pub memory: PlannedMemory,
    /// What keeps DPDK's files of this instance apart from those of others.
    pub file_prefix: String,
}

/// An interface and how its device is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedInterface {
    /// What the site file calls it.
    pub name: ObjectName,
    /// The largest layer-3 packet, in octets.
    pub mtu: u16,
    /// Which device.
    pub device: PlannedDevice,
    /// The NUMA node that its buffers are on.
    pub numa: u32,
    /// Queue pairs: one per worker, or as many as the driver has. Workers without one hand their
    /// frames to those that have.
    pub queues: u16,
    /// Descriptors per receive queue.
    pub rx_descriptors: u16,
    /// Descriptors per transmit queue.
    pub tx_descriptors: u16,
}

/// Which device to open: [`Kind`] with every name resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlannedDevice {
    /// A network card.
    Pci {
        /// Where it is plugged in.
        address: PciAddress,
        /// What the kernel calls it, when its driver is a bifurcated one.
        kernel: Option<String>,
    },
    /// A kernel interface through a packet socket.
    AfPacket {
        /// The kernel's name of it.
        interface: String,
    },
    /// A kernel interface to be made.
    Tap {
        /// The kernel's name of it.
        interface: String,
    },
    /// Shared memory to another process.
    Memif {
        /// Who listens.
        role: Role,
        /// The socket.
        socket: PathBuf,
        /// Which connection.
        id: u32,
    },
    /// The device side of virtio.
    VhostUser {
        /// Who listens.
        role: Role,
        /// The socket.
        socket: PathBuf,
    },
    /// The driver side of virtio.
    VirtioUser {
        /// The socket.
        socket: PathBuf,
    },
    /// A loop.
    Ring,
    /// Capture files.
    Pcap {
        /// Where frames come from.
        rx: Option<PathBuf>,
        /// Where frames go.
        tx: Option<PathBuf>,
    },
    /// Nothing.
    Null,
}

impl PlannedDevice {
    /// The device of a virtual kind; `None` for a card, which has to be found first.
    pub(crate) fn of_virtual(kind: &Kind) -> Option<Self> {
        Some(match kind.clone() {
            Kind::Pci(_) => return None,
            Kind::AfPacket { interface } => Self::AfPacket { interface },
            Kind::Tap { interface } => Self::Tap { interface },
            Kind::Memif { role, socket, id } => Self::Memif { role, socket, id },
            Kind::VhostUser { role, socket } => Self::VhostUser { role, socket },
            Kind::VirtioUser { socket } => Self::VirtioUser { socket },
            Kind::Ring => Self::Ring,
            Kind::Pcap { rx, tx } => Self::Pcap { rx, tx },
            Kind::Null => Self::Null,
        })
    }

    /// The kernel's name of the interface, when the kernel has it too.
    pub fn kernel_name(&self) -> Option<&str> {
        match self {
            Self::AfPacket { interface } | Self::Tap { interface } => Some(interface),
            Self::Pci { kernel, .. } => kernel.as_deref(),
            Self::Memif { .. }
            | Self::VhostUser { .. }
            | Self::VirtioUser { .. }
            | Self::Ring
            | Self::Pcap { .. }
            | Self::Null => None,
        }
    }

    /// The most queue pairs that the driver has. For `af_packet` what it can have without a
    /// kernel fan-out group, which would join IP fragments into frames that nobody sent.
    const fn queues_max(&self) -> u16 {
        match self {
            Self::AfPacket { .. } | Self::Ring | Self::Pcap { .. } => 1,
            Self::Tap { .. } => 16,
            Self::Memif { .. } | Self::VhostUser { .. } | Self::VirtioUser { .. } => 128,
            Self::Pci { .. } | Self::Null => 1024,
        }
    }

    /// Whether the other end decides how many of the queues are used.
    const fn asks_its_peer(&self) -> bool {
        matches!(self, Self::Memif { .. } | Self::VhostUser { .. } | Self::VirtioUser { .. })
    }

    /// What DPDK needs per queue pair beside the buffers: the driver's rings, and pools of its own.
    ///
    /// Measured with ordinary memory: 1.4 MiB for a tap, below 0.3 MiB for the other virtual kinds. A
    /// card's rings of 1024 descriptors of at most 64 octets take 128 KiB; its driver's state varies.
    const fn octets_per_queue(&self) -> u64 {
        match self {
            Self::Pci { .. } | Self::Tap { .. } => 2 << 20,
            Self::VhostUser { .. }
            | Self::VirtioUser { .. }
            | Self::Memif { .. }
            | Self::AfPacket { .. }
            | Self::Ring
            | Self::Pcap { .. }
            | Self::Null => 1 << 20,
        }
    }

    /// Descriptors of a receive and a transmit queue.
    const fn descriptors(&self) -> (u16, u16) {
        match self {
            Self::Pci { .. } | Self::Memif { .. } => (1024, 1024),
            Self::VhostUser { .. } | Self::VirtioUser { .. } => (256, 256),
            Self::AfPacket { .. }
            | Self::Tap { .. }
            | Self::Ring
            | Self::Pcap { .. }
            | Self::Null => (512, 512),
        }
    }
}

/// Plans, or says in `findings` why there is no plan. `devices` are those of the node file's
/// interfaces, `None` where the device was refused, with the NUMA node that it is on.
pub(crate) fn plan(
    node: &NodeFile,
    host: &Host,
    name: ObjectName,
    devices: Vec<Option<(PlannedDevice, Option<u32>)>>,
    findings: &mut Findings,
) -> Option<Plan> {
    let found: Vec<&PlannedDevice> = devices.iter().flatten().map(|(device, _)| device).collect();
    let is_card = |device: &&PlannedDevice| matches!(device, PlannedDevice::Pci { .. });
    let cards = found.iter().copied().filter(is_card).count();
    let demand = cores::Demand {
        is_fast: node.interfaces.iter().any(|interface| interface.kind.is_fast()),
        cards,
        many_workers: found
            .iter()
            .all(|device| usize::from(device.queues_max()) >= cards && !device.asks_its_peer()),
        numa: commonest(devices.iter().flatten().filter_map(|(_, numa)| *numa)),
    };
    let cores = cores::choose(&node.cores, &host.cpus, &demand, findings)?;
    let count = u16::try_from(cores.workers.len()).unwrap_or(u16::MAX);
    let home = cores.workers.first().map_or(0, |worker| worker.numa);
    let interfaces: Option<Vec<PlannedInterface>> = node
        .interfaces
        .iter()
        .zip(devices)
        .map(|(interface, device)| {
            let (device, numa) = device?;
            let (rx_descriptors, tx_descriptors) = device.descriptors();
            Some(PlannedInterface {
                name: interface.name.clone(),
                mtu: interface.mtu,
                numa: numa.unwrap_or(home),
                queues: count.min(device.queues_max()),
                rx_descriptors,
                tx_descriptors,
                device,
            })
        })
        .collect();
    let interfaces = interfaces?;
    report_peers(&interfaces, &cores.workers, findings);
    report_distance(&interfaces, &cores.workers, findings);
    let idle = [idle(&name, home)];
    let demand = memory::Demand {
        asked: node.memory,
        // A host without interfaces has nothing to forward, but the API works.
        interfaces: if interfaces.is_empty() { &idle } else { &interfaces },
        workers: &cores.workers,
        has_cards: cards > 0,
    };
    let (pools, memory) = memory::memory(&demand, &host.memory, findings)?;
    let cores::CorePlan { control, workers } = cores;
    let file_prefix = crate::instance::file_prefix(node, name.as_str());
    Some(Plan { name, control, workers, interfaces, pools, memory, file_prefix })
}

/// Stands for the interfaces of a host that has none.
fn idle(name: &ObjectName, numa: u32) -> PlannedInterface {
    PlannedInterface {
        name: name.clone(),
        mtu: 1500,
        device: PlannedDevice::Null,
        numa,
        queues: 1,
        rx_descriptors: 0,
        tx_descriptors: 0,
    }
}

/// Interfaces whose peer has to offer as many queues as there are workers.
fn report_peers(
    interfaces: &[PlannedInterface],
    workers: &[PlannedWorker],
    findings: &mut Findings,
) {
    let Some(first) = workers.first().filter(|_| workers.len() > 1) else { return };
    for interface in interfaces.iter().filter(|interface| interface.device.asks_its_peer()) {
        let count = interface.queues;
        let text = format!("the peer must offer {count} queue pairs, one per worker");
        let fix = format!("give the peer {count} queues, or set cores = \"{}\"", first.cpu);
        findings.warn(format!("interface {}", interface.name), text, fix);
    }
}

fn report_distance(
    interfaces: &[PlannedInterface],
    workers: &[PlannedWorker],
    findings: &mut Findings,
) {
    for interface in interfaces {
        let PlannedDevice::Pci { address, .. } = &interface.device else { continue };
        if workers.iter().any(|worker| worker.numa != interface.numa) {
            findings.warn(
                format!("interface {}", interface.name),
                format!(
                    "{address} is on NUMA {}, a worker is not: every frame crosses sockets",
                    interface.numa
                ),
                format!("name CPUs of NUMA {} in cores =", interface.numa),
            );
        }
    }
}

/// The value that occurs most, the smallest of several.
fn commonest(values: impl Iterator<Item = u32>) -> Option<u32> {
    let mut counts = std::collections::BTreeMap::<u32, usize>::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    counts
        .into_iter()
        .max_by_key(|(value, count)| (*count, std::cmp::Reverse(*value)))
        .map(|(v, _)| v)
}
