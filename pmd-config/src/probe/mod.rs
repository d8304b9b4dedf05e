//! What this host has: CPUs, memory, network cards, kernel interfaces and permissions.
//!
//! Reading only, and never an error: what cannot be read is absent. Everything is read below a
//! [`Root`], so that tests can make up a host.

mod cgroup;
mod cpu;
mod memory;
mod net;
mod pci;
mod process;
mod root;
#[cfg(test)]
pub(crate) mod tests;

pub use self::cpu::{Cpu, Cpus};
pub use self::memory::{HostMemory, Hugepages};
pub use self::net::{InterfaceDetail, KernelInterface, Management};
pub use self::pci::PciDevice;
pub use self::process::{Capability, Process};
pub use self::root::Root;

use crate::node::PciAddress;

/// What only the process's environment knows, handed in because only the daemon reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `SSH_CONNECTION`: client address and port, server address and port.
    pub ssh_connection: Option<String>,
    /// `RUNTIME_DIRECTORY`, which systemd sets and DPDK obeys.
    pub runtime_directory: Option<String>,
    /// `XDG_RUNTIME_DIR`, where DPDK goes without root.
    pub xdg_runtime_dir: Option<String>,
}

/// What a host has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Below which folder all of it was read.
    pub root: Root,
    /// The kernel's name of the host.
    pub hostname: String,
    /// CPUs.
    pub cpus: Cpus,
    /// Memory.
    pub memory: HostMemory,
    /// Everything on the PCI bus, by address.
    pub pci: Vec<PciDevice>,
    /// Kernel interfaces of this network namespace, by name.
    pub interfaces: Vec<KernelInterface>,
    /// What the administrator reaches this host through.
    pub management: Management,
    /// What this process may do.
    pub process: Process,
    /// The environment that was handed in.
    pub environment: Environment,
}

impl Host {
    /// Looks at the host below `root`.
    pub fn probe(root: &Root, environment: &Environment) -> Self {
        let cgroup = cgroup::Cgroup::probe(root);
        let interfaces = net::interfaces(root);
        Self {
            root: root.clone(),
            hostname: root.text("/proc/sys/kernel/hostname").unwrap_or_default(),
            cpus: Cpus::probe(root, &cgroup),
            memory: HostMemory::probe(root, &cgroup),
            pci: PciDevice::probe_all(root),
            management: net::management(root, environment, &interfaces),
            interfaces,
            process: Process::probe(root),
            environment: environment.clone(),
        }
    }

    /// The PCI function at `address`.
    pub fn pci_device(&self, address: PciAddress) -> Option<&PciDevice> {
        self.pci.iter().find(|device| device.address == address)
    }

    /// The kernel interface called `name`.
    pub fn interface(&self, name: &str) -> Option<&KernelInterface> {
        self.interfaces.iter().find(|interface| interface.name == name)
    }

    /// The other members of a device's IOMMU group, bridges left out.
    pub fn group_of<'h>(&'h self, device: &'h PciDevice) -> impl Iterator<Item = &'h PciDevice> {
        self.pci.iter().filter(move |other| {
            device.iommu_group.is_some()
                && other.iommu_group == device.iommu_group
                && other.address != device.address
                && !other.is_bridge
        })
    }
}

/// The value of one line of `/proc/thread-self/status`.
///
/// Of the calling thread rather than of the process: threads can have namespaces, CPUs and
/// capabilities of their own, and the devices are opened by this one.
fn status_field(root: &Root, key: &str) -> Option<String> {
    let status = root.text("/proc/thread-self/status")?;
    let value = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    Some(value.trim().to_owned())
}

/// The numbers N of the entries `prefixN` in a folder, ascending.
fn numbered(root: &Root, folder: &str, prefix: &str) -> Vec<u32> {
    let names = root.names(folder);
    let mut numbers: Vec<u32> =
        names.iter().filter_map(|name| name.strip_prefix(prefix)?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}
