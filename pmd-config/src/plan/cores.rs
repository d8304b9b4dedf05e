//! Which CPUs the workers and the control threads run on.

use std::collections::BTreeSet;

use crate::check::Findings;
use crate::cpu_set::CpuSet;
use crate::node::Cores;
use crate::probe::{Cpu, Cpus};

/// How a worker uses its CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Share {
    /// The CPU is the worker's alone: it polls without a pause.
    Dedicated,
    /// Others need the CPU too: the worker sleeps a little when there is nothing to do.
    Shared,
}

/// A worker and where it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedWorker {
    /// The CPU it is pinned to.
    pub cpu: u32,
    /// The NUMA node of that CPU.
    pub numa: u32,
    /// Whether it has the CPU to itself.
    pub share: Share,
}

/// What the interfaces ask of the CPUs.
pub(crate) struct Demand {
    /// Whether any interface can be fast, so that a CPU of its own is worth it.
    pub(crate) is_fast: bool,
    /// Network cards: one worker each is worth it.
    pub(crate) cards: usize,
    /// Whether every interface can be served by several workers at once.
    pub(crate) many_workers: bool,
    /// The NUMA node that most cards are next to.
    pub(crate) numa: Option<u32>,
}

/// Who runs where.
pub(crate) struct CorePlan {
    pub(crate) control: CpuSet,
    pub(crate) workers: Vec<PlannedWorker>,
}

/// With fewer CPUs than this a busy-polling worker would starve everything else on the host.
const FEW_CPUS: usize = 4;

/// DPDK numbers its threads, in Debian's build from 0 to 127, and the main thread has one.
const MAX_WORKERS: usize = 127;

/// The largest CPU number that a thread can be pinned to here (`CPU_SETSIZE`).
const MAX_CPU: u32 = 1023;

pub(crate) fn choose(
    cores: &Cores,
    cpus: &Cpus,
    demand: &Demand,
    findings: &mut Findings,
) -> Option<CorePlan> {
    let plan = match cores {
        Cores::Auto => automatic(cpus, demand, findings)?,
        Cores::List(list) => listed(list, cpus, findings)?,
    };
    report(&plan, cpus, findings);
    Some(plan)
}

fn automatic(cpus: &Cpus, demand: &Demand, findings: &mut Findings) -> Option<CorePlan> {
    let allowed: Vec<&Cpu> = cpus
        .online
        .iter()
        .filter(|cpu| cpus.allowed.contains(cpu.id) && cpu.id <= MAX_CPU)
        .collect();
    if allowed.is_empty() {
        findings.fail("CPU", "this process may run on no CPU", "taskset -p -c 0 $$");
        return None;
    }
    // Best first: set aside by the kernel, next to the cards, not the first core of all (where
    // interrupts and everybody else are); one hardware thread per core.
    let mut cores: Vec<&Cpu> = Vec::new();
    for cpu in &allowed {
        if !cores.iter().any(|core| core.siblings.contains(cpu.id)) {
            cores.push(cpu);
        }
    }
    let first = allowed[0].id;
    cores.sort_by_key(|cpu| {
        let far = demand.numa.is_some_and(|numa| numa != cpu.numa);
        (!cpus.isolated.contains(cpu.id), far, cpu.id == first, cpu.id)
    });
    let room = cores.len().saturating_sub(1).clamp(1, MAX_WORKERS);
    let wanted = if demand.many_workers { demand.cards.max(1) } else { 1 };
    let dedicated = demand.is_fast && allowed.len() >= FEW_CPUS;
    let mut workers: Vec<&Cpu> = cores.into_iter().take(wanted.min(room)).collect();
    if allowed.len() > 1 && workers.len() == 1 && workers[0].id == first {
        // One core with two hardware threads: the second is for the worker.
        workers[0] = allowed[1];
    }
    let share = if dedicated { Share::Dedicated } else { Share::Shared };
    Some(split(&workers, share, cpus))
}

fn listed(list: &CpuSet, cpus: &Cpus, findings: &mut Findings) -> Option<CorePlan> {
    let missing = list.difference(&cpus.online_set());
    if !missing.is_empty() {
        let online = cpus.online_set();
        findings.fail(
            "CPU",
            format!("cores = \"{list}\" names CPU {missing}, which this host does not have online"),
            format!("set cores = to some of {online}, or to \"auto\""),
        );
        return None;
    }
    let denied = list.difference(&cpus.allowed);
    if !denied.is_empty() {
        findings.fail(
            "CPU",
            format!("cores = \"{list}\" names CPU {denied}, which this process may not run on"),
            format!(
                "set cores = to some of {}, or widen AllowedCPUs= of the service",
                cpus.allowed
            ),
        );
        return None;
    }
    if list.len() > MAX_WORKERS || list.iter().any(|cpu| cpu > MAX_CPU) {
        findings.fail(
            "CPU",
            format!(
                "cores = \"{list}\": at most {MAX_WORKERS} CPUs up to number {MAX_CPU} can be used"
            ),
            "name fewer CPUs",
        );
        return None;
    }
    let workers: Vec<&Cpu> = list.iter().filter_map(|id| cpus.get(id)).collect();
    for cpu in &workers {
        let twins = cpu.siblings.intersection(list);
        if twins.len() > 1 && twins.first() == Some(cpu.id) {
            findings.warn(
                "CPU",
                format!("CPUs {twins} are hardware threads of one core: two workers there slow each other"),
                format!("keep only {} of them in cores =", cpu.id),
            );
        }
    }
    let left = cpus.allowed.difference(list);
    let share = if left.is_empty() { Share::Shared } else { Share::Dedicated };
    Some(split(&workers, share, cpus))
}

/// The workers, and for control what they leave: if possible without the other hardware threads of
/// their cores.
fn split(workers: &[&Cpu], share: Share, cpus: &Cpus) -> CorePlan {
    let taken: CpuSet = workers.iter().map(|cpu| cpu.id).collect();
    let twins: CpuSet = workers.iter().flat_map(|cpu| cpu.siblings.iter()).collect();
    // Isolated CPUs are for workers.
    let others = cpus.allowed.difference(&taken);
    let candidates = [
        others.difference(&twins).difference(&cpus.isolated),
        others.difference(&cpus.isolated),
        others,
        cpus.allowed.clone(),
    ];
    let control = candidates.into_iter().find(|set| !set.is_empty()).unwrap_or_default();
    let control: CpuSet = control.iter().filter(|cpu| *cpu <= MAX_CPU).collect();
    let workers = workers
        .iter()
        .map(|cpu| PlannedWorker {
            cpu: cpu.id,
            numa: cpu.numa,
            share: if control.contains(cpu.id) { Share::Shared } else { share },
        })
        .collect();
    CorePlan { control, workers }
}

fn report(plan: &CorePlan, cpus: &Cpus, findings: &mut Findings) {
    let taken: CpuSet = plan.workers.iter().map(|worker| worker.cpu).collect();
    let nodes: BTreeSet<u32> = cpus.online.iter().map(|cpu| cpu.numa).collect();
    let shared = plan.workers.iter().any(|worker| worker.share == Share::Shared);
    let how = if shared { "sleeping when idle" } else { "polling without a pause" };
    findings.ok(
        "CPU",
        format!(
            "{} CPUs ({} allowed) on {} NUMA node{}; workers on {taken}, {how}; control on {}",
            cpus.online.len(),
            cpus.allowed.len(),
            nodes.len(),
            if nodes.len() == 1 { "" } else { "s" },
            plan.control,
        ),
    );
    let threads = plan.workers.len() as u64 + 1;
    if let Some(milli) = cpus.quota_milli
        && milli < threads * 1000
    {
        findings.warn(
            "CPU",
            format!(
                "the control group grants {}.{:02} CPUs for {threads} busy threads: workers will stall",
                milli / 1000,
                milli % 1000 / 10
            ),
            format!("set CPUQuota={}% or none in the service unit", threads * 100),
        );
    }
    if !shared
        && let Some(governor) = cpus.governor.as_deref()
        && !matches!(governor, "performance")
    {
        findings.warn(
            "CPU",
            format!("frequency governor is {governor}: forwarding slows down when load is low"),
            "cpupower frequency-set -g performance",
        );
    }
}
