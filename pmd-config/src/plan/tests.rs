use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::amount::Octets;
use crate::check::check;
use crate::probe::tests::FakeHost;

fn node(text: &str) -> NodeFile {
    NodeFile::parse("sluice.toml", text).unwrap_or_else(|errors| panic!("{errors}"))
}

#[track_caller]
fn planned(fake: &FakeHost, text: &str) -> Plan {
    let report = check(&node(text), &fake.probe());
    report.plan().unwrap_or_else(|| panic!("{report}")).clone()
}

#[track_caller]
fn problems(fake: &FakeHost, text: &str) -> Vec<String> {
    let report = check(&node(text), &fake.probe());
    assert!(report.plan().is_none(), "{report}");
    let fails = report.findings().iter().filter(|f| f.severity == crate::check::Severity::Fail);
    fails.map(ToString::to_string).collect()
}

/// `control|worker,worker` with `+` behind a dedicated CPU.
fn cores(plan: &Plan) -> String {
    let workers: Vec<String> = plan
        .workers
        .iter()
        .map(|worker| match worker.share {
            Share::Dedicated => format!("{}+", worker.cpu),
            Share::Shared => worker.cpu.to_string(),
        })
        .collect();
    format!("{}|{}", plan.control, workers.join(","))
}

const NULL: &str = "[interfaces.a]\nkind = \"null\"\n";
/// A kind that is worth a CPU of its own, and needs nothing that a made-up host lacks.
const FAST: &str = "[interfaces.a]\nkind = \"memif\"\nsocket = \"/run/m.sock\"\n";

#[test]
fn one_cpu_is_shared_by_control_and_worker() {
    let fake = FakeHost::bare();
    assert_eq!(cores(&planned(&fake, FAST)), "0|0");
}

#[test]
fn of_two_cpus_each_has_one_and_the_worker_sleeps_when_idle() {
    let fake = FakeHost::bare();
    fake.cpus(2, 1, 1);
    assert_eq!(cores(&planned(&fake, FAST)), "0|1");
    fake.cpus(2, 1, 2);
    assert_eq!(cores(&planned(&fake, FAST)), "0|1", "two threads of one core are better than one");
}

#[test]
fn many_cpus_give_a_fast_interface_one_of_its_own() {
    let fake = FakeHost::bare();
    fake.cpus(8, 1, 1);
    assert_eq!(cores(&planned(&fake, FAST)), "0,2-7|1+");
    assert_eq!(cores(&planned(&fake, NULL)), "0,2-7|1", "a slow one does not burn a CPU");
}

#[test]
fn the_other_thread_of_a_workers_core_is_left_idle() {
    let fake = FakeHost::bare();
    fake.cpus(8, 1, 2);
    assert_eq!(cores(&planned(&fake, FAST)), "0,2-4,6,7|1+");
}

#[test]
fn isolated_cpus_are_for_workers_and_for_nothing_else() {
    let fake = FakeHost::bare();
    fake.cpus(8, 1, 1).allow("0-5");
    fake.write("sys/devices/system/cpu/isolated", "6,7");
    assert_eq!(cores(&planned(&fake, FAST)), "0-5|6+");
}

#[test]
fn every_card_gets_a_worker_next_to_it() {
    let mut fake = FakeHost::bare();
    fake.cpus(16, 2, 1);
    for function in 0..2 {
        let address = format!("0000:3b:00.{function}");
        fake.card(&address, Some("vfio-pci"), None, Some(20 + function));
        fake.write(&format!("sys/bus/pci/devices/{address}/numa_node"), "1");
    }
    fake.hugepages(1, 2048, 2048, 2048);
    let two = "[interfaces.a]\nkind = \"pci\"\naddress = \"3b:00.0\"\n\
               [interfaces.b]\nkind = \"pci\"\naddress = \"3b:00.1\"\n";
    let plan = planned(&fake, two);
    assert_eq!(cores(&plan), "0-7,10-15|8+,9+");
    assert!(plan.interfaces.iter().all(|interface| interface.queues == 2 && interface.numa == 1));
    assert_eq!((plan.memory.pages, plan.pools.len(), plan.pools[0].numa), (Pages::Hugepages, 1, 1));
    // A peer that may have one queue only keeps everything on one worker.
    let with_vm =
        format!("{two}[interfaces.vm]\nkind = \"vhost-user\"\nsocket = \"/run/v.sock\"\n");
    assert_eq!(planned(&fake, &with_vm).workers.len(), 1);
}

#[test]
fn a_list_is_obeyed() {
    let fake = FakeHost::bare();
    fake.cpus(8, 1, 1);
    assert_eq!(
        cores(&planned(&fake, &format!("cores = \"2,4-6\"\n{NULL}"))),
        "0,1,3,7|2+,4+,5+,6+"
    );
    fake.cpus(2, 1, 1);
    assert_eq!(cores(&planned(&fake, &format!("cores = \"0-1\"\n{NULL}"))), "0,1|0,1");
}

#[test]
fn a_list_that_the_host_cannot_give_is_refused() {
    let fake = FakeHost::bare();
    fake.cpus(8, 1, 1).allow("0-3");
    assert_eq!(
        problems(&fake, &format!("cores = \"3,7-9\"\n{NULL}")),
        [
            " FAIL  CPU              cores = \"3,7-9\" names CPU 8,9, which this host does not have online   \
          fix: set cores = to some of 0-7, or to \"auto\""
        ]
    );
    assert_eq!(
        problems(&fake, &format!("cores = \"3-5\"\n{NULL}")),
        [
            " FAIL  CPU              cores = \"3-5\" names CPU 4,5, which this process may not run on   \
          fix: set cores = to some of 0-3, or widen AllowedCPUs= of the service"
        ]
    );
}

#[test]
fn two_workers_on_one_core_are_warned_about() {
    let fake = FakeHost::bare();
    fake.cpus(8, 1, 2);
    let report = check(&node(&format!("cores = \"1,5\"\n{NULL}")), &fake.probe());
    assert!(report.plan().is_some());
    assert!(report.to_string().contains(
        "CPUs 1,5 are hardware threads of one core: two workers there slow each other   \
         fix: keep only 1 of them in cores ="
    ));
}

#[test]
fn a_kind_with_one_queue_serves_two_workers_with_it() {
    let fake = FakeHost::bare();
    fake.cpus(4, 1, 1);
    let plan = planned(&fake, "cores = \"1,2\"\n[interfaces.a]\nkind = \"ring\"\n");
    assert_eq!((plan.workers.len(), plan.interfaces[0].queues), (2, 1));
}

#[test]
fn a_quota_below_the_busy_threads_is_warned_about() {
    let fake = FakeHost::bare();
    fake.cpus(4, 1, 1);
    fake.write("proc/thread-self/cgroup", "0::/a\n");
    fake.write("sys/fs/cgroup/a/cpu.max", "125000 100000");
    let report = check(&node(NULL), &fake.probe());
    assert!(report.to_string().contains(
        "the control group grants 1.25 CPUs for 2 busy threads: workers will stall   \
         fix: set CPUQuota=200% or none in the service unit"
    ));
}

#[test]
fn without_hugepages_ordinary_memory_is_used_and_that_is_said() {
    let fake = FakeHost::bare();
    let report = check(&node(NULL), &fake.probe());
    assert_eq!(report.plan().unwrap().memory.pages, Pages::Ordinary);
    let amount = report.plan().unwrap().memory.amount;
    let text = report.to_string();
    assert!(
        text.contains(&format!(
            "warn  hugepages        none: using {amount} of ordinary memory (functional, not a \
             performance result)   fix: echo "
        )),
        "{text}"
    );
    // With fewer hugepages than needed the same, and both numbers.
    fake.hugepages(0, 2048, 2, 1);
    let text = check(&node(NULL), &fake.probe()).to_string();
    assert!(text.contains("on NUMA 0, free 2MiB: using "), "{text}");
}

#[test]
fn the_command_that_the_hugepages_finding_names_suffices() {
    let mut fake = FakeHost::bare();
    fake.card("0000:3b:00.0", Some("vfio-pci"), None, Some(7));
    fake.hugepages(0, 2048, 16, 4);
    let card = "[interfaces.a]\nkind = \"pci\"\naddress = \"3b:00.0\"\n";
    let problems = problems(&fake, card);
    assert_eq!(problems.len(), 1);
    let (_, fix) = problems[0].split_once("fix: echo ").unwrap();
    let (count, path) = fix.split_once(" > /sys/devices/system/node/node0/").unwrap();
    assert_eq!(path, "hugepages/hugepages-2048kB/nr_hugepages");
    let count: u64 = count.parse().unwrap();
    // Twelve of them are somebody else's.
    fake.hugepages(0, 2048, count - 1, count - 1 - 12);
    assert!(check(&node(card), &fake.probe()).plan().is_none());
    fake.hugepages(0, 2048, count, count - 12);
    assert_eq!(planned(&fake, card).memory.pages, Pages::Hugepages);
}

#[test]
fn memory_below_the_need_is_refused_with_the_need() {
    let fake = FakeHost::bare();
    let need = planned(&fake, NULL).memory.need;
    let text = problems(&fake, &format!("memory = \"8MiB\"\n{NULL}"));
    assert!(text[0].contains("memory = \"8MiB\" is less than the"), "{text:?}");
    assert!(text[0].ends_with(&format!("fix: set memory = \"auto\" or \"{need}\"")), "{text:?}");
    // What the fix says is enough.
    let plan = planned(&fake, &format!("memory = \"{need}\"\n{NULL}"));
    assert!(plan.memory.amount >= need);
}

#[test]
fn memory_that_the_host_does_not_have_is_refused() {
    let fake = FakeHost::bare();
    fake.write("proc/meminfo", "MemAvailable: 10240 kB\n");
    let text = problems(&fake, NULL);
    assert!(text[0].contains("only 10MiB can be had without swapping"), "{text:?}");
}

#[test]
fn a_host_without_interfaces_has_a_plan() {
    let plan = planned(&FakeHost::bare(), "");
    assert_eq!((plan.interfaces.len(), plan.workers.len(), plan.pools.len()), (0, 1, 1));
}

#[test]
fn every_mtu_finds_room_as_the_drivers_ask_for_it() {
    for mtu in 68..=9600 {
        let fake = idle(&"a".parse().unwrap(), 0);
        let interface = PlannedInterface { mtu, ..fake };
        let pools = memory::pools(&[interface], &[], Pages::Ordinary);
        assert!(pools[0].data_room >= rte_rs::data_room_for_mtu(mtu), "{mtu}");
    }
}

proptest! {
    // Each case makes a host of some hundred files.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_plan_contradicts_itself(
        cores in 1u32..=12,
        threads in 1u32..=2,
        nodes in 1u32..=2,
        isolated in 0u32..3,
        list in prop::option::of(prop::collection::btree_set(0u32..26, 1..5)),
        mtus in prop::collection::vec((0usize..4, 68u16..=9600), 0..20),
        hugepages in prop::option::of(0u64..400),
    ) {
        let fake = FakeHost::bare();
        let count = cores * threads * nodes;
        fake.cpus(count, nodes, threads);
        if isolated > 0 && isolated < count {
            let first = count - isolated;
            fake.write("sys/devices/system/cpu/isolated", &format!("{first}-{}", count - 1));
            fake.allow(&format!("0-{}", first - 1));
        }
        if let Some(free) = hugepages {
            fake.hugepages(0, 2048, free, free);
        }
        let mut text = String::new();
        if let Some(list) = list {
            let list: CpuSet = list.into_iter().collect();
            let _ = writeln!(text, "cores = \"{list}\"");
        }
        for (n, (kind, mtu)) in mtus.iter().enumerate() {
            let (kind, mtu) = match kind {
                0 => ("kind = \"null\"".to_owned(), *mtu),
                1 => ("kind = \"tap\"".to_owned(), (*mtu).min(1500)),
                2 => (format!("kind = \"memif\"\nsocket = \"/run/{n}\""), *mtu),
                _ => (format!("kind = \"vhost-user\"\nsocket = \"/run/{n}\""), *mtu),
            };
            let _ = writeln!(text, "[interfaces.n{n}]\n{kind}\nmtu = {mtu}");
        }
        let host = fake.probe();
        let report = check(&node(&text), &host);
        prop_assert_eq!(report.plan().is_none(), report.problems() > 0);
        if let Some(plan) = report.plan() {
            contradicts_nothing(plan, &host)?;
        }
    }
}

fn contradicts_nothing(plan: &Plan, host: &Host) -> Result<(), TestCaseError> {
    let cpus: BTreeSet<u32> = plan.workers.iter().map(|worker| worker.cpu).collect();
    prop_assert_eq!(cpus.len(), plan.workers.len(), "no CPU has two workers");
    prop_assert!(!plan.workers.is_empty() && !plan.control.is_empty());
    for worker in &plan.workers {
        prop_assert!(host.cpus.allowed.contains(worker.cpu));
        let shared = plan.control.contains(worker.cpu);
        prop_assert!(!shared || worker.share == Share::Shared, "a dedicated CPU is nobody else's");
    }
    prop_assert!(plan.control.iter().all(|cpu| host.cpus.allowed.contains(cpu)));
    for interface in &plan.interfaces {
        prop_assert!((1..=plan.workers.len()).contains(&usize::from(interface.queues)));
        let pool = plan.pools.iter().find(|pool| pool.numa == interface.numa);
        let pool = pool.expect("every interface has buffers on its node");
        prop_assert!(pool.data_room >= interface.mtu + 14 + 8);
    }
    // Enough for every ring to be full, every cache to overshoot and every transmit buffer too.
    let rings: u64 = plan
        .interfaces
        .iter()
        .map(|i| u64::from(i.queues) * u64::from(i.rx_descriptors + i.tx_descriptors))
        .sum();
    let caches = plan.workers.len() as u64 * u64::from(CACHE) * 3 / 2;
    let transmit = (plan.workers.len() * plan.interfaces.len() * 32) as u64;
    let buffers: u64 = plan.pools.iter().map(|pool| u64::from(pool.buffers)).sum();
    prop_assert!(buffers >= rings + caches + transmit);
    let payload: u64 = plan
        .pools
        .iter()
        .map(|pool| u64::from(pool.buffers) * (128 + 128 + u64::from(pool.data_room)))
        .sum();
    prop_assert!(plan.memory.need > Octets(payload));
    prop_assert!(plan.memory.amount >= plan.memory.need);
    if plan.memory.pages == Pages::Hugepages {
        let free: u64 = plan.pools.iter().map(|pool| host.memory.free_hugepages(pool.numa).0).sum();
        prop_assert!(Octets(free) >= plan.memory.amount);
    }
    Ok(())
}
