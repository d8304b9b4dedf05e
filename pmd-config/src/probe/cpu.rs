//! CPUs: which exist, which share a core, and which this process may use.

use super::cgroup::Cgroup;
use super::root::Root;
use crate::cpu_set::CpuSet;

/// The CPUs of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cpus {
    /// The online ones, by number.
    pub online: Vec<Cpu>,
    /// The ones that this process may run on, isolated ones included.
    pub allowed: CpuSet,
    /// The ones that the kernel's scheduler leaves alone (`isolcpus=`).
    pub isolated: CpuSet,
    /// How much CPU time this process gets, in thousandths of one CPU; `None` is no limit.
    pub quota_milli: Option<u64>,
    /// The frequency governor of the first CPU.
    pub governor: Option<String>,
}

/// One online CPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cpu {
    /// The kernel's number of it.
    pub id: u32,
    /// The NUMA node it belongs to; 0 on a host without NUMA.
    pub numa: u32,
    /// The hardware threads of its core, itself included.
    pub siblings: CpuSet,
}

impl Cpus {
    pub(super) fn probe(root: &Root, cgroup: &Cgroup) -> Self {
        const FOLDER: &str = "/sys/devices/system/cpu";
        let list = |name: &str| {
            root.text(format!("{FOLDER}/{name}")).and_then(|text| CpuSet::from_kernel(&text))
        };
        let online = list("online").unwrap_or_else(|| CpuSet::from_iter([0]));
        let isolated = list("isolated").unwrap_or_default().intersection(&online);
        let affinity = super::status_field(root, "Cpus_allowed_list")
            .and_then(|text| CpuSet::from_kernel(&text))
            .unwrap_or_else(|| online.clone());
        // `isolcpus=` takes CPUs out of everybody's affinity; a process may still ask for them,
        // unless its cpuset says otherwise.
        let in_reach = match &cgroup.cpus {
            Some(cpuset) => isolated.intersection(cpuset),
            None => isolated.clone(),
        };
        let allowed = affinity.union(&in_reach).intersection(&online);
        let numa_of = numa_nodes(root);
        let cpus = online.iter().map(|id| Cpu {
            id,
            numa: numa_of.iter().find(|(_, cpus)| cpus.contains(id)).map_or(0, |(node, _)| *node),
            siblings: list(&format!("cpu{id}/topology/thread_siblings_list"))
                .filter(|siblings| siblings.contains(id))
                .unwrap_or_else(|| CpuSet::from_iter([id])),
        });
        Self {
            online: cpus.collect(),
            allowed,
            isolated,
            quota_milli: cgroup.cpu_milli,
            governor: root.text(format!("{FOLDER}/cpu0/cpufreq/scaling_governor")),
        }
    }

    /// The online CPU with this number.
    pub fn get(&self, id: u32) -> Option<&Cpu> {
        self.online.iter().find(|cpu| cpu.id == id)
    }

    /// The numbers of the online CPUs.
    pub fn online_set(&self) -> CpuSet {
        self.online.iter().map(|cpu| cpu.id).collect()
    }
}

/// The NUMA nodes and their CPUs.
fn numa_nodes(root: &Root) -> Vec<(u32, CpuSet)> {
    let nodes = super::numbered(root, "/sys/devices/system/node", "node");
    let cpus = |node| {
        let text = root.text(format!("/sys/devices/system/node/node{node}/cpulist"))?;
        CpuSet::from_kernel(&text)
    };
    nodes.into_iter().filter_map(|node| Some((node, cpus(node)?))).collect()
}
