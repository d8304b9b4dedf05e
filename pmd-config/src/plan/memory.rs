//! How many packet buffers of which length, and how much memory that takes.

use std::collections::BTreeMap;

use super::{PlannedInterface, PlannedWorker};
use crate::amount::Octets;
use crate::check::Findings;
use crate::node::Memory;
use crate::probe::HostMemory;

/// A pool of packet buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedPool {
    /// The NUMA node its memory is on.
    pub numa: u32,
    /// How many buffers.
    pub buffers: u32,
    /// How many of them a worker may keep for itself.
    pub cache: u32,
    /// Room for a frame in each, in octets, headroom not counted.
    pub data_room: u16,
    /// What the pool takes, in octets, everything counted.
    pub octets: Octets,
}

/// Which pages packet memory is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pages {
    /// Large ones that the kernel set aside: what real devices need.
    Hugepages,
    /// Ordinary ones: works everywhere; functional, not a performance result.
    Ordinary,
}

/// The memory DPDK is given at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedMemory {
    /// Which pages it is made of.
    pub pages: Pages,
    /// What the plan needs.
    pub need: Octets,
    /// What DPDK gets: at least the need.
    pub amount: Octets,
}

/// Buffers that one worker's mempool cache holds; it may overshoot by half before it gives back.
pub const CACHE: u32 = 256;
/// Frames per burst, and per transmit buffer of a (worker, device) pair.
const BURST: u64 = 32;
/// Buffers for frames on their way to and from the control threads.
const CONTROL_BUFFERS: u64 = 1024;
/// In front of every frame, for tags and tunnel headers (`RTE_PKTMBUF_HEADROOM`).
const HEADROOM: u64 = 128;
/// What DPDK keeps per buffer: the mbuf structure (two cache lines), the pool's header (one), and one
/// line that it may add to spread buffers over memory channels.
const PER_BUFFER: u64 = 128 + 64 + 64;
/// Ethernet header and two VLAN tags, and what packet sockets keep in each slot of their rings.
const FRAME_OVERHEAD: u64 = 14 + 8 + 80;
/// Frames that a worker without a transmit queue of its own may have handed over and waiting, per
/// interface: the length of `fwd-worker`'s ring.
const HAND_OVER: u64 = 512;
/// Cards count receive buffers in units of this length.
const ROOM_UNIT: u64 = 1024;
/// Frames of MTU 1500 fit, and every driver takes it.
const ROOM_MIN: u64 = 2048;
/// What DPDK needs before the first pool; 3 MiB were measured with ordinary memory.
const BASE: Octets = Octets::mib(8);
/// A pool has a cache for each of DPDK's 128 threads, 8 KiB each, whoever uses them.
const PER_POOL: u64 = 2 << 20;

/// One pool per NUMA node that an interface is on.
pub(super) fn pools(
    interfaces: &[PlannedInterface],
    workers: &[PlannedWorker],
    pages: Pages,
) -> Vec<PlannedPool> {
    // Every interface gets its buffers on its own node; a frame may leave through any other.
    let mut rings: BTreeMap<u32, u64> = BTreeMap::new();
    for interface in interfaces {
        let descriptors = u64::from(interface.rx_descriptors) + u64::from(interface.tx_descriptors);
        let without = (workers.len() as u64).saturating_sub(u64::from(interface.queues));
        *rings.entry(interface.numa).or_default() +=
            u64::from(interface.queues) * descriptors + without * HAND_OVER;
    }
    let mtu = interfaces.iter().map(|interface| u64::from(interface.mtu)).max().unwrap_or(1500);
    let room = (mtu + FRAME_OVERHEAD).next_multiple_of(ROOM_UNIT).max(ROOM_MIN);
    let devices = interfaces.len() as u64;
    // A flood copies a frame to every device at once, so each worker can hold a burst per device,
    // both in the transmit buffer and as a copy being made.
    let per_worker = u64::from(CACHE) * 3 / 2 + BURST + 2 * BURST * devices;
    let transit: u64 = per_worker * workers.len() as u64 + CONTROL_BUFFERS;
    // Frames of one node's interfaces wait in the transmit rings of the others.
    let tx_elsewhere: u64 = interfaces
        .iter()
        .map(|interface| u64::from(interface.queues) * u64::from(interface.tx_descriptors))
        .sum();
    let nodes = rings.len();
    rings
        .into_iter()
        .map(|(numa, of_rings)| {
            let others = if nodes > 1 { tx_elsewhere } else { 0 };
            let buffers = (of_rings + others + transit).next_multiple_of(64);
            let per_buffer = pages.taken_by((PER_BUFFER + HEADROOM + room).next_multiple_of(64));
            // The pool's own ring holds a pointer per buffer, in a power of two.
            let ring = (buffers + 1).next_power_of_two() * 8;
            PlannedPool {
                numa,
                buffers: u32::try_from(buffers).unwrap_or(u32::MAX),
                cache: CACHE,
                data_room: u16::try_from(room).unwrap_or(u16::MAX),
                octets: Octets(buffers * per_buffer + ring + PER_POOL),
            }
        })
        .collect()
}

impl Pages {
    /// What a buffer of `octets` takes: DPDK lets none that is shorter than a page cross into the
    /// next, and leaves the rest of each page unused.
    const fn taken_by(self, octets: u64) -> u64 {
        let page = match self {
            Self::Hugepages => 2 << 20,
            Self::Ordinary => 4 << 10,
        };
        if octets > page { octets } else { page / (page / octets) }
    }
}

/// What memory is planned for.
pub(super) struct Demand<'a> {
    /// What the node file says.
    pub(super) asked: Memory,
    /// The interfaces; one that does nothing on a host that has none.
    pub(super) interfaces: &'a [PlannedInterface],
    /// The workers.
    pub(super) workers: &'a [PlannedWorker],
    /// Some interface is a real card.
    pub(super) has_cards: bool,
}

/// The pools and the memory to make them in.
pub(super) fn memory(
    demand: &Demand<'_>,
    host: &HostMemory,
    findings: &mut Findings,
) -> Option<(Vec<PlannedPool>, PlannedMemory)> {
    let sized = |pages| {
        let pools = pools(demand.interfaces, demand.workers, pages);
        let need = need(&pools, demand.interfaces);
        let amount = match demand.asked {
            // Pools are cut into pages and never fill the last one of each.
            Memory::Auto => {
                Octets::mib((need.to_mib_ceil() + need.to_mib_ceil() / 16).next_multiple_of(2))
            }
            Memory::Amount(amount) => amount,
        };
        (pools, PlannedMemory { pages, need, amount })
    };
    let (pools, memory) = choose(demand, sized, host, findings)?;
    let PlannedMemory { pages, need, amount } = memory;
    if amount < need {
        let buffers: u64 = pools.iter().map(|pool| u64::from(pool.buffers)).sum();
        findings.fail(
            "memory",
            format!(
                "memory = \"{amount}\" is less than the {need} that {buffers} buffers for {} \
                 interfaces take",
                demand.interfaces.len()
            ),
            format!("set memory = \"auto\" or \"{need}\""),
        );
        return None;
    }
    if pages == Pages::Ordinary && amount > host.available {
        findings.fail(
            "memory",
            format!("need {amount}, only {} can be had without swapping", host.available),
            "free memory, raise MemoryMax= of the service, or configure fewer interfaces",
        );
        return None;
    }
    Some((pools, memory))
}

fn need(pools: &[PlannedPool], interfaces: &[PlannedInterface]) -> Octets {
    let of_pools: u64 = pools.iter().map(|pool| pool.octets.0).sum();
    let of_devices: u64 = interfaces
        .iter()
        .map(|interface| u64::from(interface.queues) * interface.device.octets_per_queue())
        .sum();
    Octets(BASE.0 + of_pools + of_devices)
}

/// Hugepages if there are enough, else ordinary ones unless a real card forbids it.
fn choose(
    demand: &Demand<'_>,
    sized: impl Fn(Pages) -> (Vec<PlannedPool>, PlannedMemory),
    host: &HostMemory,
    findings: &mut Findings,
) -> Option<(Vec<PlannedPool>, PlannedMemory)> {
    let (pools, memory) = sized(Pages::Hugepages);
    let amount = memory.amount;
    let of_pools: u64 = pools.iter().map(|pool| pool.octets.0).sum();
    // What is not pools is on the first node.
    let first = pools.first().map_or(0, |pool| pool.numa);
    let rest = amount.0.saturating_sub(of_pools);
    let short: Vec<(u32, Octets, Octets)> = pools
        .iter()
        .map(|pool| (pool.numa, pool.octets.0 + if pool.numa == first { rest } else { 0 }))
        .map(|(numa, need)| (numa, Octets(need), host.free_hugepages(numa)))
        .filter(|(_, need, free)| free < need)
        .collect();
    let Some((numa, need, free)) = short.first().copied() else {
        let nodes: Vec<String> = pools.iter().map(|pool| pool.numa.to_string()).collect();
        let nodes = nodes.join(",");
        findings.ok("hugepages", format!("{amount} needed, enough free on NUMA {nodes}"));
        return Some((pools, memory));
    };
    let fix = short.iter().map(|(numa, need, free)| reserve(*numa, *need, *free, host));
    let fix = fix.collect::<Vec<_>>().join(" && ");
    if demand.has_cards {
        findings.fail("hugepages", format!("need {need} on NUMA {numa}, free {free}"), fix);
        return None;
    }
    let (pools, memory) = sized(Pages::Ordinary);
    let reason = if host.has_hugepages() {
        format!("need {need} on NUMA {numa}, free {free}")
    } else {
        "none".to_owned()
    };
    findings.warn(
        "hugepages",
        format!(
            "{reason}: using {} of ordinary memory (functional, not a performance result)",
            memory.amount
        ),
        fix,
    );
    Some((pools, memory))
}

/// The command that makes `free` hugepages on a node at least `need`.
fn reserve(numa: u32, need: Octets, free: Octets, host: &HostMemory) -> String {
    const TWO_MIB: Octets = Octets::mib(2);
    let of_node = || host.hugepages.iter().filter(|pages| pages.numa == numa);
    // The smallest pages: the kernel can make them at any time, the large ones only at boot.
    let page = of_node().map(|pages| pages.page).min().unwrap_or(TWO_MIB);
    let have = of_node().find(|pages| pages.page == page).map_or(0, |pages| pages.total);
    let more = Octets(need.0.saturating_sub(free.0)).0.div_ceil(page.0.max(1));
    let kib = page.0 / 1024;
    format!(
        "echo {} > /sys/devices/system/node/node{numa}/hugepages/hugepages-{kib}kB/nr_hugepages",
        have + more
    )
}
