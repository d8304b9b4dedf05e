//! Memory: hugepages per NUMA node, and what is left of the ordinary kind.

use super::cgroup::Cgroup;
use super::root::Root;
use crate::amount::Octets;

/// The memory of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostMemory {
    /// Hugepages, by node and then by page length.
    pub hugepages: Vec<Hugepages>,
    /// Ordinary memory that can be had without swapping, within the process's control group.
    pub available: Octets,
}

/// The hugepages of one length on one NUMA node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hugepages {
    /// The NUMA node; 0 on a host without NUMA.
    pub numa: u32,
    /// The length of one page.
    pub page: Octets,
    /// How many pages the kernel has set aside.
    pub total: u64,
    /// How many of them nobody uses.
    pub free: u64,
}

impl HostMemory {
    pub(super) fn probe(root: &Root, cgroup: &Cgroup) -> Self {
        let meminfo = root.text("/proc/meminfo").unwrap_or_default();
        let available = meminfo
            .lines()
            .find_map(|line| line.strip_prefix("MemAvailable:"))
            .and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
            .map_or(Octets::default(), |kib| Octets(kib * 1024));
        let available = cgroup.memory.map_or(available, |limit| available.min(limit));
        let mut hugepages = Vec::new();
        for node in super::numbered(root, "/sys/devices/system/node", "node") {
            let folder = format!("/sys/devices/system/node/node{node}/hugepages");
            hugepages.extend(pages_in(root, &folder, node));
        }
        if hugepages.is_empty() {
            hugepages = pages_in(root, "/sys/kernel/mm/hugepages", 0);
        }
        Self { hugepages, available }
    }

    /// Whether the kernel has set any hugepage aside.
    pub fn has_hugepages(&self) -> bool {
        self.hugepages.iter().any(|pages| pages.total > 0)
    }

    /// What the free hugepages of `numa` add up to.
    pub fn free_hugepages(&self, numa: u32) -> Octets {
        let of_node = self.hugepages.iter().filter(|pages| pages.numa == numa);
        Octets(of_node.map(|pages| pages.free.saturating_mul(pages.page.0)).sum())
    }
}

fn pages_in(root: &Root, folder: &str, numa: u32) -> Vec<Hugepages> {
    let mut pages: Vec<Hugepages> = root
        .names(folder)
        .iter()
        .filter_map(|name| {
            let kib: u64 = name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
            Some(Hugepages {
                numa,
                page: Octets(kib.checked_mul(1024)?),
                total: root.number(format!("{folder}/{name}/nr_hugepages"))?,
                free: root.number(format!("{folder}/{name}/free_hugepages"))?,
            })
        })
        .collect();
    pages.sort_by_key(|pages| pages.page);
    pages
}
