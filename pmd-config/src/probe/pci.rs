//! Network cards on the PCI bus.

use super::root::Root;
use crate::node::PciAddress;

/// A PCI function; only the network ones carry names, MACs and links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PciDevice {
    /// Where it is plugged in.
    pub address: PciAddress,
    /// Vendor and device id, as lspci -n prints them.
    pub id: String,
    /// Whether it is a network controller.
    pub is_network: bool,
    /// Whether it is a bridge, which an IOMMU group may hold without harm.
    pub is_bridge: bool,
    /// The kernel driver it is bound to.
    pub driver: Option<String>,
    /// The NUMA node next to it, where the firmware says so.
    pub numa: Option<u32>,
    /// What the kernel calls its interfaces: empty when no kernel network driver has it.
    pub kernel_names: Vec<String>,
    /// The IOMMU group it is in.
    pub iommu_group: Option<u32>,
    /// Lanes in use.
    pub link_width: Option<u32>,
    /// Lanes that the card has.
    pub link_width_max: Option<u32>,
}

impl PciDevice {
    pub(super) fn probe_all(root: &Root) -> Vec<Self> {
        const FOLDER: &str = "/sys/bus/pci/devices";
        let devices = root.names(FOLDER).into_iter().filter_map(|name| {
            let folder = format!("{FOLDER}/{name}");
            let field = |key: &str| root.text(format!("{folder}/{key}"));
            let hex = |key: &str| {
                let text = field(key)?;
                u32::from_str_radix(text.trim_start_matches("0x"), 16).ok()
            };
            let class = hex("class").unwrap_or(0) >> 16;
            Some(Self {
                address: name.parse().ok()?,
                id: format!(
                    "{:04x}:{:04x}",
                    hex("vendor").unwrap_or_default(),
                    hex("device").unwrap_or_default()
                ),
                is_network: class == 0x02,
                is_bridge: class == 0x06,
                driver: root.link_name(format!("{folder}/driver")),
                // -1 where the firmware does not say.
                numa: root.number(format!("{folder}/numa_node")),
                kernel_names: kernel_names(root, &folder),
                iommu_group: root
                    .link_name(format!("{folder}/iommu_group"))
                    .and_then(|group| group.parse().ok()),
                link_width: root.number(format!("{folder}/current_link_width")),
                link_width_max: root.number(format!("{folder}/max_link_width")),
            })
        });
        devices.collect()
    }
}

/// The interfaces of the function itself, or of the virtio device that it carries.
fn kernel_names(root: &Root, folder: &str) -> Vec<String> {
    let mut names = root.names(format!("{folder}/net"));
    for child in super::numbered(root, folder, "virtio") {
        names.extend(root.names(format!("{folder}/virtio{child}/net")));
    }
    names
}
