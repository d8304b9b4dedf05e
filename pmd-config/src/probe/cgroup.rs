//! What the control groups of this process leave it.

use super::root::Root;
use crate::amount::Octets;
use crate::cpu_set::CpuSet;

/// The limits that control groups, version 1 or 2, put on this process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cgroup {
    /// The CPUs of its cpuset.
    pub(super) cpus: Option<CpuSet>,
    /// CPU time, in thousandths of one CPU.
    pub(super) cpu_milli: Option<u64>,
    /// Memory.
    pub(super) memory: Option<Octets>,
}

impl Cgroup {
    pub(super) fn probe(root: &Root) -> Self {
        let text = root.text("/proc/thread-self/cgroup").unwrap_or_default();
        let mut limits = Self::default();
        for line in text.lines() {
            let mut parts = line.splitn(3, ':');
            let (Some(_), Some(controllers), Some(path)) =
                (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            if controllers.is_empty() {
                limits.version_2(root, path);
            }
            for controller in controllers.split(',') {
                limits.version_1(root, controller, path);
            }
        }
        limits
    }

    /// A limit of version 2 holds for a group and all below it: the smallest on the way up counts.
    fn version_2(&mut self, root: &Root, path: &str) {
        let mut folder = Some(path.trim_end_matches('/'));
        while let Some(path) = folder {
            let base = format!("/sys/fs/cgroup{path}");
            if self.cpus.is_none() {
                let cpus = root.text(format!("{base}/cpuset.cpus.effective"));
                self.cpus =
                    cpus.and_then(|text| CpuSet::from_kernel(&text)).filter(|set| !set.is_empty());
            }
            let quota = root.text(format!("{base}/cpu.max")).and_then(|text| {
                let (quota, period) = text.split_once(' ')?;
                milli(quota.parse().ok()?, period.parse().ok()?)
            });
            self.cpu_milli = smaller(self.cpu_milli, quota);
            let memory = root.number(format!("{base}/memory.max")).map(Octets);
            self.memory = smaller(self.memory, memory);
            folder = path.rfind('/').map(|slash| &path[..slash]);
        }
    }

    fn version_1(&mut self, root: &Root, controller: &str, path: &str) {
        let base = format!("/sys/fs/cgroup/{controller}{}", path.trim_end_matches('/'));
        match controller {
            "cpuset" => {
                let cpus = root.text(format!("{base}/cpuset.effective_cpus"));
                let cpus = cpus.and_then(|text| CpuSet::from_kernel(&text));
                self.cpus = cpus.filter(|set| !set.is_empty()).or(self.cpus.take());
            }
            "cpu" => {
                let quota = root.number::<u64>(format!("{base}/cpu.cfs_quota_us"));
                let period = root.number::<u64>(format!("{base}/cpu.cfs_period_us"));
                let limit = quota.zip(period).and_then(|(quota, period)| milli(quota, period));
                self.cpu_milli = smaller(self.cpu_milli, limit);
            }
            "memory" => {
                // "No limit" is the largest whole number of pages.
                let limit = root.number::<u64>(format!("{base}/memory.limit_in_bytes"));
                let limit = limit.filter(|octets| *octets < 1 << 62).map(Octets);
                self.memory = smaller(self.memory, limit);
            }
            _ => {}
        }
    }
}

fn milli(quota: u64, period: u64) -> Option<u64> {
    quota.checked_mul(1000)?.checked_div(period)
}

fn smaller<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
