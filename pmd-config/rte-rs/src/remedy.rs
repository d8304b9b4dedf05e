//! From what DPDK logged to what a person can do about it.

use crate::log::{LogLevel, LogLine};
use std::fmt;

/// What DPDK said when it refused something, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// DPDK's own lines, oldest first.
    pub lines: Vec<LogLine>,
    /// What to do, if the lines are known ones.
    pub remedy: Option<&'static str>,
}

/// Parts of DPDK's lines, lower case, in the order of preference, with what helps.
const REMEDIES: &[(&str, &str)] = &[
    (
        "is another primary process running",
        "another process uses the same file prefix: stop it, or give this one a prefix of its own",
    ),
    (
        "not enough memory available on socket",
        "reserve more hugepages (`sysctl vm.nr_hugepages=N`) or ask for less memory",
    ),
    ("no free", "reserve hugepages (`sysctl vm.nr_hugepages=N`), or run with ordinary memory"),
    (
        "cannot get hugepage information",
        "mount hugetlbfs and reserve hugepages (`sysctl vm.nr_hugepages=N`), or run with ordinary memory",
    ),
    (
        "couldn't get fd on hugepage file",
        "free hugepages or reserve more (`sysctl vm.nr_hugepages=N`)",
    ),
    ("cannot reserve memory", "ask for less memory, or free some on this host"),
    ("unsupported cpu type", "DPDK was built for a newer CPU: install a build for this one"),
    ("requires cpu flags", "DPDK was built for a newer CPU: install a build for this one"),
    ("lcore", "name only CPUs that this process may run on (`taskset -p $$`)"),
    (
        "could not open af_packet socket",
        "grant CAP_NET_RAW (the service unit does: AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN)",
    ),
    (
        "could not set packet_rx_ring",
        "the kernel has no memory for the receive ring: fewer queues or a smaller MTU",
    ),
    ("mmap failed", "raise the limit of locked memory (LimitMEMLOCK=infinity)"),
    (
        "/dev/net/tun",
        "load the tun module (`modprobe tun`) and grant CAP_NET_ADMIN and access to /dev/net/tun",
    ),
    ("tunsetiff", "the name is taken by another kind of interface, or CAP_NET_ADMIN is missing"),
    (
        "failed to bind to",
        "the socket's path is in use or its folder is missing: remove a stale socket",
    ),
    ("couldn't open", "check that the file exists and can be read"),
    (
        "driver cannot attach the device",
        "bind the device to vfio-pci (`dpdk-devbind.py -b vfio-pci`)",
    ),
    ("vfio", "enable the IOMMU, bind the device to vfio-pci and allow access to /dev/vfio"),
    ("cannot find device", "no such device: check its address with `dpdk-devbind.py --status`"),
    ("permission denied", "run as root or grant the capabilities that the service unit lists"),
];

impl Diagnosis {
    /// Looks for a known complaint; errors count before warnings.
    pub(crate) fn of(lines: Vec<LogLine>) -> Self {
        let find = |wanted: fn(LogLevel) -> bool| {
            let texts: Vec<_> = lines
                .iter()
                .filter(|line| wanted(line.level))
                .map(|line| line.text.to_ascii_lowercase())
                .collect();
            REMEDIES
                .iter()
                .find(|(part, _)| texts.iter().any(|text| text.contains(part)))
                .map(|(_, remedy)| *remedy)
        };
        let remedy = find(|level| level == LogLevel::Error)
            .or_else(|| find(|level| level > LogLevel::Error));
        Self { lines, remedy }
    }

    /// The lines that say what went wrong: errors, or else whatever is more than detail.
    fn complaints(&self) -> impl Iterator<Item = &str> {
        let worst = if self.lines.iter().any(|line| line.level == LogLevel::Error) {
            LogLevel::Error
        } else {
            LogLevel::Notice
        };
        self.lines.iter().filter(move |line| line.level <= worst).map(|line| line.text.as_str())
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for line in self.complaints() {
            write!(f, "{separator}{line}")?;
            separator = "; ";
        }
        if separator.is_empty() {
            f.write_str("DPDK gave no reason")?;
        }
        if let Some(remedy) = self.remedy {
            write!(f, ". To do: {remedy}")?;
        }
        Ok(())
    }
}
