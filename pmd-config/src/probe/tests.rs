//! A made-up host in a temporary folder, and what the probe sees of it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;
use crate::amount::Octets;
use crate::cpu_set::CpuSet;

/// A host made of files. Two sockets of eight CPUs with two hardware threads per core.
pub(crate) struct FakeHost {
    folder: tempfile::TempDir,
    interfaces: Vec<String>,
}

impl FakeHost {
    /// Nothing but a kernel: one CPU, all permissions, 8 GiB free, no hugepages, no interfaces.
    pub(crate) fn bare() -> Self {
        let host = Self { folder: tempfile::tempdir().unwrap(), interfaces: Vec::new() };
        host.write("proc/sys/kernel/hostname", "gw-a\n");
        host.write("proc/meminfo", "MemTotal: 16000000 kB\nMemAvailable:    8388608 kB\n");
        host.write(
            "proc/thread-self/limits",
            "Limit                     Soft Limit           Hard Limit           Units\n\
             Max locked memory         unlimited            unlimited            bytes\n",
        );
        host.write("proc/thread-self/net/packet", "sk RefCnt\n");
        host.write("dev/net/tun", "");
        host.write("run/.keep", "");
        host.write("var/lib/.keep", "");
        host.cpus(1, 1, 1);
        host.may("000001ffffffffff", "0");
        host
    }

    /// `count` CPUs on `nodes` NUMA nodes, `threads` hardware threads per core. As Linux does, the
    /// second threads of all cores are numbered after the first ones.
    pub(crate) fn cpus(&self, count: u32, nodes: u32, threads: u32) -> &Self {
        let last = count - 1;
        self.write("sys/devices/system/cpu/online", &format!("0-{last}\n"));
        self.write("sys/devices/system/cpu/isolated", "\n");
        let cores = count / threads;
        let per_node = cores / nodes;
        for cpu in 0..count {
            let core = cpu % cores;
            let siblings: CpuSet = (0..threads).map(|thread| core + thread * cores).collect();
            self.write(
                &format!("sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"),
                &siblings.to_string(),
            );
        }
        for node in 0..nodes {
            let of_node: CpuSet = (0..count).filter(|cpu| cpu % cores / per_node == node).collect();
            self.write(
                &format!("sys/devices/system/node/node{node}/cpulist"),
                &of_node.to_string(),
            );
        }
        self.allow(&format!("0-{last}"));
        self
    }

    pub(crate) fn allow(&self, list: &str) -> &Self {
        let path = self.path("proc/thread-self/status");
        let old = fs::read_to_string(path).unwrap_or_default();
        let mut lines: Vec<&str> =
            old.lines().filter(|line| !line.starts_with("Cpus_allowed_list")).collect();
        let line = format!("Cpus_allowed_list:\t{list}");
        lines.push(&line);
        self.write("proc/thread-self/status", &lines.join("\n"));
        self
    }

    /// Capabilities as a mask, and how much memory may be locked.
    pub(crate) fn may(&self, capabilities: &str, user: &str) -> &Self {
        let path = self.path("proc/thread-self/status");
        let old = fs::read_to_string(path).unwrap_or_default();
        let mut lines: Vec<&str> = old
            .lines()
            .filter(|line| !line.starts_with("CapEff") && !line.starts_with("Uid"))
            .collect();
        let (cap, uid) =
            (format!("CapEff:\t{capabilities}"), format!("Uid:\t{user}\t{user}\t{user}"));
        lines.extend([cap.as_str(), uid.as_str()]);
        self.write("proc/thread-self/status", &lines.join("\n"));
        self
    }

    pub(crate) fn hugepages(&self, node: u32, kib: u32, total: u64, free: u64) -> &Self {
        let folder = format!("sys/devices/system/node/node{node}/hugepages/hugepages-{kib}kB");
        self.write(&format!("{folder}/nr_hugepages"), &total.to_string());
        self.write(&format!("{folder}/free_hugepages"), &free.to_string());
        self
    }

    /// A kernel interface, up, with MTU 1500.
    pub(crate) fn interface(&mut self, name: &str, mac: &str) -> &mut Self {
        let folder = format!("sys/class/net/{name}");
        for (file, text) in
            [("address", mac), ("mtu", "1500"), ("flags", "0x1003"), ("ifindex", "7")]
        {
            self.write(&format!("{folder}/{file}"), text);
        }
        self.interfaces.push(name.to_owned());
        let head = "Inter-|   Receive\n face |bytes\n";
        let lines = self.interfaces.join(": 0 0 0 0\n  ");
        self.write("proc/thread-self/net/dev", &format!("{head}  {lines}: 0 0 0 0\n"));
        self
    }

    /// A network card, optionally on a driver, with a kernel interface and in an IOMMU group.
    pub(crate) fn card(
        &mut self,
        address: &str,
        driver: Option<&str>,
        kernel: Option<&str>,
        group: Option<u32>,
    ) -> &mut Self {
        let folder = format!("sys/bus/pci/devices/{address}");
        for (file, text) in
            [("class", "0x020000"), ("vendor", "0x8086"), ("device", "0x1572"), ("numa_node", "0")]
        {
            self.write(&format!("{folder}/{file}"), text);
        }
        if let Some(driver) = driver {
            self.link(&format!("../../drivers/{driver}"), &format!("{folder}/driver"));
        }
        if let Some(group) = group {
            let target = format!("../../../kernel/iommu_groups/{group}");
            self.link(&target, &format!("{folder}/iommu_group"));
            self.write(&format!("dev/vfio/{group}"), "");
        }
        if let Some(name) = kernel {
            self.write(&format!("{folder}/net/{name}/mtu"), "1500");
            let last = address.as_bytes()[address.len() - 1] - b'0';
            self.interface(name, &format!("52:54:00:00:00:0{last}"));
        }
        self
    }

    pub(crate) fn default_route(&self, interface: &str) -> &Self {
        self.write(
            "proc/thread-self/net/route",
            &format!(
                "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n\
                 {interface}\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\n\
                 {interface}\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\n"
            ),
        );
        self
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn link(&self, target: &str, path: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    pub(crate) fn path(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn probe(&self) -> Host {
        self.probe_in(&Environment::default())
    }

    pub(crate) fn probe_in(&self, environment: &Environment) -> Host {
        Host::probe(&Root::at(self.folder.path()), environment)
    }
}

fn set(list: &str) -> CpuSet {
    list.parse().unwrap()
}

#[test]
fn an_empty_folder_is_a_host_without_anything() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::probe(&Root::at(folder.path()), &Environment::default());
    assert!(host.pci.is_empty() && host.interfaces.is_empty() && !host.memory.has_hugepages());
    assert_eq!(host.cpus.allowed, set("0"), "something runs this test");
}

#[test]
fn the_real_host_can_be_read() {
    let host = Host::probe(&Root::default(), &Environment::default());
    assert!(!host.cpus.allowed.is_empty() && host.memory.available > Octets::mib(1));
    assert!(!host.hostname.is_empty());
}

#[test]
fn cpus_have_siblings_and_nodes() {
    let fake = FakeHost::bare();
    fake.cpus(16, 2, 2);
    let cpus = fake.probe().cpus;
    assert_eq!(cpus.online.len(), 16);
    let cpu = cpus.get(5).unwrap();
    assert_eq!((cpu.numa, cpu.siblings.to_string()), (1, "5,13".to_owned()));
}

#[test]
fn isolated_cpus_are_in_reach_although_nobody_is_put_there() {
    let fake = FakeHost::bare();
    fake.cpus(8, 1, 1).allow("0-3");
    fake.write("sys/devices/system/cpu/isolated", "4-7");
    assert_eq!(fake.probe().cpus.allowed, set("0-7"));
    // Unless the cpuset says otherwise.
    fake.write("proc/thread-self/cgroup", "0::/a/b\n");
    fake.write("sys/fs/cgroup/a/cpuset.cpus.effective", "0-5");
    assert_eq!(fake.probe().cpus.allowed, set("0-5"));
}

#[test]
fn the_tightest_limit_of_the_control_groups_counts() {
    let fake = FakeHost::bare();
    fake.write("proc/thread-self/cgroup", "0::/a/b\n");
    fake.write("sys/fs/cgroup/a/b/cpu.max", "max 100000");
    fake.write("sys/fs/cgroup/a/cpu.max", "150000 100000");
    fake.write("sys/fs/cgroup/a/b/memory.max", "1073741824");
    fake.write("sys/fs/cgroup/a/memory.max", "max");
    let host = fake.probe();
    assert_eq!(host.cpus.quota_milli, Some(1500));
    assert_eq!(host.memory.available, Octets::mib(1024));
}

#[test]
fn version_1_control_groups_count_too() {
    let fake = FakeHost::bare();
    fake.write("proc/thread-self/cgroup", "4:memory:/x\n2:cpu,cpuacct:/x\n0::/\n");
    fake.write("sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "50000");
    fake.write("sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000");
    fake.write("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "9223372036854771712");
    let host = fake.probe();
    assert_eq!(host.cpus.quota_milli, Some(500));
    assert_eq!(host.memory.available, Octets::mib(8192), "that number means no limit");
}

#[test]
fn hugepages_are_counted_per_node_and_length() {
    let fake = FakeHost::bare();
    fake.cpus(4, 2, 1).hugepages(0, 2048, 512, 500).hugepages(1, 1_048_576, 2, 1);
    let memory = fake.probe().memory;
    assert_eq!(memory.free_hugepages(0), Octets::mib(1000));
    assert_eq!(memory.free_hugepages(1), Octets::mib(1024));
}

#[test]
fn a_card_knows_its_driver_group_and_kernel_name() {
    let mut fake = FakeHost::bare();
    fake.card("0000:3b:00.0", Some("i40e"), Some("ens1f0"), Some(23));
    fake.card("0000:3b:00.1", Some("vfio-pci"), None, Some(23));
    let host = fake.probe();
    let card = host.pci_device("3b:00.0".parse().unwrap()).unwrap();
    assert_eq!(card.driver.as_deref(), Some("i40e"));
    assert_eq!(card.kernel_names, ["ens1f0"]);
    assert_eq!((card.iommu_group, card.numa, card.is_network), (Some(23), Some(0), true));
    let others: Vec<_> = host.group_of(card).map(|other| other.address.to_string()).collect();
    assert_eq!(others, ["0000:3b:00.1"]);
}

#[test]
fn a_virtio_card_finds_its_name_one_folder_down() {
    let mut fake = FakeHost::bare();
    fake.card("0000:00:03.0", Some("virtio-pci"), None, None);
    fake.write("sys/bus/pci/devices/0000:00:03.0/virtio2/net/eth0/mtu", "1500");
    assert_eq!(fake.probe().pci[0].kernel_names, ["eth0"]);
}

#[test]
fn what_sysfs_shows_of_another_namespace_is_not_believed() {
    let mut fake = FakeHost::bare();
    fake.interface("eth0", "52:54:00:00:00:01");
    assert!(fake.probe().interface("eth0").unwrap().detail.is_some());
    fake.write("proc/thread-self/net/dev", "Inter-|\n face |\n  eth0: 0 0\n  vm1: 0 0\n");
    let host = fake.probe();
    assert!(host.interface("vm1").is_some());
    assert!(host.interface("eth0").unwrap().detail.is_none());
}

#[test]
fn the_session_is_found_by_ssh_connection() {
    let fake = FakeHost::bare();
    fake.default_route("eth0");
    let environment = Environment {
        ssh_connection: Some("192.0.2.7 50000 192.0.2.2 22".to_owned()),
        ..Environment::default()
    };
    let management = fake.probe_in(&environment).management;
    assert_eq!(management.reason("eth0"), Some("the default route and your SSH session"));
    assert_eq!(fake.probe().management.reason("eth0"), Some("the default route"));
}

#[test]
fn the_session_is_found_in_the_kernels_table_when_sudo_hides_it() {
    let fake = FakeHost::bare();
    fake.write(
        "proc/thread-self/net/route",
        "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU\n\
         mgmt 000200C0 00000000 0001 0 0 0 00FFFFFF 0\n\
         data 00000000 010200C0 0003 0 0 0 00000000 0\n",
    );
    // 192.0.2.2:22 <- 192.0.2.7:50000, established; and a listener, which is no session.
    fake.write(
        "proc/thread-self/net/tcp",
        "sl local rem st\n 0: 00000000:0016 00000000:0000 0A 0\n 1: 020200C0:0016 070200C0:C350 01 0\n",
    );
    let management = fake.probe().management;
    assert_eq!(management.reason("mgmt"), Some("your SSH session"));
    assert_eq!(management.reason("data"), Some("the default route"));
}

#[test]
fn ipv6_sessions_and_the_members_of_a_bond_count() {
    let mut fake = FakeHost::bare();
    fake.interface("bond0", "52:54:00:00:00:01").interface("ens1", "52:54:00:00:00:01");
    fake.write("sys/class/net/bond0/lower_ens1", "");
    fake.write(
        "proc/thread-self/net/ipv6_route",
        "20010db8000000000000000000000000 40 00000000000000000000000000000000 00 \
         00000000000000000000000000000000 00000100 00000001 00000000 00000001 bond0\n\
         00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
         00000000000000000000000000000000 ffffffff 00000001 00000000 00200200 lo\n",
    );
    let environment = Environment {
        ssh_connection: Some("2001:db8::7 50000 2001:db8::2 2222".to_owned()),
        ..Environment::default()
    };
    let management = fake.probe_in(&environment).management;
    assert_eq!(management.reason("ens1"), Some("your SSH session"));
    assert_eq!(management.reason("lo"), None);
}

#[test]
fn permissions_are_read() {
    let fake = FakeHost::bare();
    fake.may("0000000000002000", "1000");
    fake.write(
        "proc/thread-self/limits",
        "Max locked memory         8388608              8388608              bytes\n",
    );
    let process = fake.probe().process;
    assert!(process.has(Capability::NetRaw) && !process.has(Capability::NetAdmin));
    assert_eq!((process.user, process.memlock), (1000, Some(Octets::mib(8))));
}

#[test]
fn garbage_in_every_file_is_no_reason_to_panic() {
    let mut fake = FakeHost::bare();
    fake.card("0000:3b:00.0", Some("i40e"), Some("ens1f0"), Some(23)).default_route("ens1f0");
    let files = walk(fake.folder.path());
    assert!(files.len() > 20);
    for garbage in [
        "",
        "\n",
        "-1",
        "99999999999999999999",
        ":::\n: : :\n",
        "0::\n1:2\n",
        "0-99999999999",
        "é€\u{0}",
    ] {
        for file in &files {
            fs::write(file, garbage).unwrap();
        }
        let environment =
            Environment { ssh_connection: Some(garbage.to_owned()), ..Environment::default() };
        let _ = fake.probe_in(&environment);
    }
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files
}
