//! Checks of real network cards: which one it is, whether DPDK can have it, and whether taking it
//! would cut off the administrator.

use std::collections::BTreeMap;

use super::{Context, Findings, subject};
use crate::node::{Interface, Mac, NodeFile, PciAddress, PciSelector};
use crate::plan::PlannedDevice;
use crate::probe::{Capability, Host, PciDevice};

type Device = (PlannedDevice, Option<u32>);

/// Drivers that DPDK works together with: the card stays with its kernel driver.
const BIFURCATED: [&str; 3] = ["mlx4_core", "mlx5_core", "mana"];

/// Drivers that hand a card to DPDK.
const HANDED_OVER: [&str; 3] = ["vfio-pci", "uio_pci_generic", "igb_uio"];

/// Kernel drivers whose cards DPDK 22.11 has a driver for, once they are handed over.
const KNOWN: [&str; 24] = [
    "atlantic",
    "be2net",
    "bnx2x",
    "bnxt_en",
    "cxgb4",
    "e1000",
    "e1000e",
    "ena",
    "enic",
    "fm10k",
    "gve",
    "hinic",
    "hns3",
    "i40e",
    "iavf",
    "ice",
    "igb",
    "igc",
    "ixgbe",
    "ixgbevf",
    "nfp",
    "qede",
    "virtio-pci",
    "vmxnet3",
];

pub(super) fn check(
    context: &Context<'_>,
    interface: &Interface,
    selector: &PciSelector,
    findings: &mut Findings,
) -> Option<Device> {
    let host = context.host;
    let device = find(host, interface, selector, findings)?;
    let subject = subject(interface);
    let address = device.address;
    if !device.is_network {
        findings.fail(
            subject,
            format!("{address} ({}) is not a network card", device.id),
            format!("choose one of: {}", list_cards(host)),
        );
        return None;
    }
    // Before anything about drivers: a fix that costs the session is no fix.
    for name in &device.kernel_names {
        if let Some(reason) = host.management.reason(name) {
            findings.fail(
                subject,
                format!("{address} is {name}, which carries {reason}: refusing to take it"),
                "use another card",
            );
            return None;
        }
    }
    let driver = device.driver.as_deref();
    let ready = match driver {
        Some(driver) if BIFURCATED.contains(&driver) => {
            bifurcated(host, &subject, device, driver, findings)
        }
        Some(driver) if HANDED_OVER.contains(&driver) => {
            handed_over(host, &subject, device, driver, findings)
        }
        Some(driver) => on_kernel_driver(host, &subject, device, driver, findings),
        None => unbound(host, &subject, device, findings),
    };
    if !ready {
        return None;
    }
    link_width(&subject, device, findings);
    let kernel = device.kernel_names.first().cloned();
    Some((PlannedDevice::Pci { address, kernel }, device.numa))
}

/// The card that the selector names.
fn find<'h>(
    host: &'h Host,
    interface: &Interface,
    selector: &PciSelector,
    findings: &mut Findings,
) -> Option<&'h PciDevice> {
    let (device, text) = match selector {
        PciSelector::Address(address) => {
            (host.pci_device(*address), format!("there is no PCI device {address}"))
        }
        PciSelector::Kernel(name) => (
            host.pci.iter().find(|device| device.kernel_names.contains(name)),
            match host.interface(name) {
                Some(_) => format!("{name} is not a PCI card"),
                None => format!(
                    "the kernel knows no card {name}: on vfio-pci a card has no kernel name"
                ),
            },
        ),
        PciSelector::Mac(mac) => (
            by_mac(host, *mac),
            format!("the kernel knows no card with MAC {mac}: on vfio-pci it does not see the MAC"),
        ),
    };
    if device.is_none() {
        let cards = list_cards(host);
        let fix = if cards.is_empty() {
            "this host has no PCI network card: use kind = \"af_packet\"".to_owned()
        } else {
            format!("set address = to one of: {cards}")
        };
        findings.fail(subject(interface), text, fix);
    }
    device
}

fn by_mac(host: &Host, mac: Mac) -> Option<&PciDevice> {
    let has_mac = |name: &String| {
        let detail = host.interface(name).and_then(|kernel| kernel.detail.as_ref());
        detail.is_some_and(|detail| detail.mac == Some(mac))
    };
    host.pci.iter().find(|device| device.kernel_names.iter().any(has_mac))
}

/// The network cards that could be taken: address, and kernel name where there is one.
fn list_cards(host: &Host) -> String {
    let free = host.pci.iter().filter(|device| {
        let names = &device.kernel_names;
        device.is_network && !names.iter().any(|name| host.management.reason(name).is_some())
    });
    let cards = free.map(|device| match device.kernel_names.first() {
        Some(name) => format!("{} ({name})", device.address),
        None => device.address.to_string(),
    });
    cards.collect::<Vec<_>>().join(", ")
}

fn bifurcated(
    host: &Host,
    subject: &str,
    device: &PciDevice,
    driver: &str,
    findings: &mut Findings,
) -> bool {
    let address = device.address;
    let verbs = host.root.names("/dev/infiniband");
    if !verbs.iter().any(|name| name.starts_with("uverbs")) {
        findings.fail(
            subject,
            format!("{address} ({driver}) needs /dev/infiniband/uverbs*, which is missing"),
            format!("modprobe ib_uverbs {}", driver.replace("_core", "_ib")),
        );
        return false;
    }
    let needed = [Capability::NetRaw, Capability::NetAdmin];
    if needed.iter().any(|capability| !host.process.has(*capability)) {
        findings.fail(
            subject,
            format!(
                "{address} ({driver}) needs CAP_NET_RAW CAP_NET_ADMIN, which this process lacks"
            ),
            "run as root, or set AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN in the service unit",
        );
        return false;
    }
    findings.ok(subject, format!("{address} {driver} (bifurcated driver: no rebinding needed)"));
    true
}

fn handed_over(
    host: &Host,
    subject: &str,
    device: &PciDevice,
    driver: &str,
    findings: &mut Findings,
) -> bool {
    let address = device.address;
    if driver != "vfio-pci" {
        findings.warn(
            subject,
            format!("{address} is on {driver}, which lets the card write anywhere in memory"),
            bind_command(address),
        );
        findings.ok(subject, format!("{address} {driver}"));
        return true;
    }
    let Some(group) = device.iommu_group else {
        findings.fail(
            subject,
            format!("{address} is on vfio-pci without an IOMMU"),
            "enable VT-d or AMD-Vi in the firmware and boot with intel_iommu=on iommu=pt",
        );
        return false;
    };
    if !group_is_ours(host, subject, device, group, findings) {
        return false;
    }
    let node = format!("/dev/vfio/{group}");
    if !host.root.may_use(&node) {
        findings.fail(
            subject,
            format!("{address}: this process may not open {node}"),
            format!("chown $(id -un) {node}"),
        );
        return false;
    }
    if let Some(limit) = host.process.memlock
        && !host.process.has(Capability::IpcLock)
    {
        findings.fail(
            subject,
            format!(
                "{address}: only {limit} may be locked, and the card needs all packet memory locked"
            ),
            "set LimitMEMLOCK=infinity in the service unit, or ulimit -l unlimited",
        );
        return false;
    }
    findings.ok(subject, format!("{address} vfio-pci, IOMMU group {group}"));
    true
}

/// Everything in an IOMMU group is handed over together; so nothing in it may be in use.
fn group_is_ours(
    host: &Host,
    subject: &str,
    device: &PciDevice,
    group: u32,
    findings: &mut Findings,
) -> bool {
    let address = device.address;
    for other in host.group_of(device) {
        let Some(driver) = other.driver.as_deref() else { continue };
        if HANDED_OVER.contains(&driver) {
            continue;
        }
        let what = describe(host, other);
        if is_management(host, other) {
            findings.fail(
                subject,
                format!(
                    "{address}: IOMMU group {group} also holds {what}: refusing to take the group"
                ),
                "use another card, or another slot",
            );
        } else {
            findings.fail(
                subject,
                format!("{address}: IOMMU group {group} also holds {what}, which must be handed over too"),
                bind_command(other.address),
            );
        }
        return false;
    }
    true
}

fn is_management(host: &Host, device: &PciDevice) -> bool {
    device.kernel_names.iter().any(|name| host.management.reason(name).is_some())
}

/// `0000:5e:00.0 (eth0: the default route and your SSH session)`
fn describe(host: &Host, device: &PciDevice) -> String {
    let address = device.address;
    let driver = device.driver.as_deref().unwrap_or("no driver");
    match device.kernel_names.first() {
        Some(name) => match host.management.reason(name) {
            Some(reason) => format!("{address} ({name}: {reason})"),
            None => format!("{address} ({name}, {driver})"),
        },
        None => format!("{address} ({driver})"),
    }
}

fn on_kernel_driver(
    host: &Host,
    subject: &str,
    device: &PciDevice,
    driver: &str,
    findings: &mut Findings,
) -> bool {
    let address = device.address;
    let name = device.kernel_names.first();
    let called = name.map(|name| format!(" ({name})")).unwrap_or_default();
    if !KNOWN.contains(&driver) {
        let text = format!("{address}{called} is on {driver}, for which DPDK has no driver");
        let instead = name.map_or_else(
            || "use another card".to_owned(),
            |name| format!("set kind = \"af_packet\", interface = \"{name}\""),
        );
        findings.fail(subject, text, instead);
        return false;
    }
    // Worth nothing to bind the card when its group could not be used afterwards.
    let Some(group) = device.iommu_group else {
        findings.fail(
            subject,
            format!("{address}{called} is on the kernel driver {driver}, and there is no IOMMU"),
            "enable VT-d or AMD-Vi in the firmware and boot with intel_iommu=on iommu=pt, \
             or use kind = \"af_packet\"",
        );
        return false;
    };
    if host.group_of(device).any(|other| is_management(host, other)) {
        return group_is_ours(host, subject, device, group, findings);
    }
    findings.fail(
        subject,
        format!("{address}{called} is on the kernel driver {driver}"),
        format!(
            "{} and name the card by address = \"{address}\": its kernel name and MAC vanish",
            bind_command(address)
        ),
    );
    false
}

fn unbound(host: &Host, subject: &str, device: &PciDevice, findings: &mut Findings) -> bool {
    let address = device.address;
    if let Some(group) = device.iommu_group
        && host.group_of(device).any(|other| is_management(host, other))
    {
        return group_is_ours(host, subject, device, group, findings);
    }
    findings.fail(subject, format!("{address} has no driver"), bind_command(address));
    false
}

/// Persistent across reboots, unlike writing to sysfs.
fn bind_command(address: PciAddress) -> String {
    format!("apt install driverctl && driverctl set-override {address} vfio-pci")
}

fn link_width(subject: &str, device: &PciDevice, findings: &mut Findings) {
    // 0 and 255 stand for "unknown" in the kernel's files.
    let known = |width: u32| (1..=32).contains(&width);
    if let (Some(width), Some(max)) = (device.link_width, device.link_width_max)
        && known(width)
        && known(max)
        && width < max
    {
        findings.warn(
            subject,
            format!("{} runs on {width} of its {max} PCIe lanes", device.address),
            format!("move the card to a x{max} slot"),
        );
    }
}

/// Two names for one card, which the node file alone cannot show.
pub(super) fn same_card_twice(
    node: &NodeFile,
    devices: &[Option<Device>],
    findings: &mut Findings,
) {
    let mut seen: BTreeMap<PciAddress, &Interface> = BTreeMap::new();
    for (interface, device) in node.interfaces.iter().zip(devices) {
        let Some((PlannedDevice::Pci { address, .. }, _)) = device else { continue };
        if let Some(first) = seen.insert(*address, interface) {
            findings.fail(
                subject(interface),
                format!("it is the same card as interface {}: {address}", first.name),
                format!("remove [interfaces.{}] or [interfaces.{}]", first.name, interface.name),
            );
        }
    }
}
