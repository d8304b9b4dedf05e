//! What device to plug: the bus, the name and the arguments that its driver reads.

use crate::mempool::data_room_for_mtu;
use std::ffi::CString;
use std::fmt;
use std::path::Path;

/// Who opens a socket that two processes share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Makes the socket and waits for the other.
    Server,
    /// Connects, again and again until it succeeds and after every loss.
    Client,
}

/// Where the MAC address of a new kernel interface comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacSource {
    /// The kernel or the driver picks one.
    Random,
    /// This one.
    Given([u8; 6]),
}

/// A value that cannot be part of a driver's arguments.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSpec {
    /// The syntax of arguments has no escapes.
    #[error(
        "{what} {value:?} cannot be given to DPDK: no comma, equals sign, blank or NUL, not empty"
    )]
    Character {
        /// What the value is.
        what: &'static str,
        /// The refused value.
        value: String,
    },
    /// Longer than DPDK or the kernel takes.
    #[error("{what} {value:?} is too long: at most {limit} octets")]
    Length {
        /// What the value is.
        what: &'static str,
        /// The refused value.
        value: String,
        /// The limit.
        limit: usize,
    },
}

/// What the kernel has to do with a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Backing {
    /// Nothing.
    None,
    /// An interface of this name that was there before, opened beside the kernel's own stack.
    Opened(String),
    /// An interface that the driver makes and that goes with it.
    Made,
}

/// A device to plug with [`Device::plug`](crate::Device::plug).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceSpec {
    bus: &'static str,
    name: String,
    arguments: String,
    backing: Backing,
    frame_slot: Option<u16>,
    /// It has one queue pair for certain.
    alone: bool,
    /// The driver says that it takes 1518 octets and takes more.
    understates_mtu: bool,
}

/// The kernel's limit for an interface name, without the terminator.
const INTERFACE_NAME_MAX: usize = 15;
/// DPDK's limit for a device name, without the terminator.
const DEVICE_NAME_MAX: usize = 63;
/// The kernel's limit for a socket path, without the terminator.
const SOCKET_PATH_MAX: usize = 107;

fn checked<'a>(what: &'static str, value: &'a str, limit: usize) -> Result<&'a str, InvalidSpec> {
    let wrong = |c: char| matches!(c, ',' | '=' | '\0' | '[' | ']') || c.is_whitespace();
    if value.is_empty() || value.contains(wrong) {
        return Err(InvalidSpec::Character { what, value: value.to_owned() });
    }
    if value.len() > limit {
        return Err(InvalidSpec::Length { what, value: value.to_owned(), limit });
    }
    Ok(value)
}

fn checked_path<'a>(
    what: &'static str,
    path: &'a Path,
    limit: usize,
) -> Result<&'a str, InvalidSpec> {
    let text = path
        .to_str()
        .ok_or_else(|| InvalidSpec::Character { what, value: path.display().to_string() })?;
    checked(what, text, limit)
}

impl DeviceSpec {
    fn vdev(driver: &'static str, name: &str, arguments: String) -> Result<Self, InvalidSpec> {
        let name = checked("device name", name, DEVICE_NAME_MAX - driver.len() - 1)?;
        Ok(Self {
            bus: "vdev",
            name: format!("{driver}_{name}"),
            arguments,
            backing: Backing::None,
            frame_slot: None,
            understates_mtu: false,
            alone: false,
        })
    }

    /// A kernel interface of the caller's network namespace, opened through `AF_PACKET`: `veth`, a
    /// NIC without DPDK driver. `queues` receive and transmit pairs; with more than one, the kernel
    /// puts IP fragments together on their way here, and what is longer than the MTU then is lost.
    ///
    /// Every slot of its rings holds a frame of this MTU with two tags.
    pub fn af_packet(
        name: &str,
        interface: &str,
        mtu: u16,
        queues: u16,
    ) -> Result<Self, InvalidSpec> {
        let interface = checked("interface", interface, INTERFACE_NAME_MAX)?;
        // The driver takes slots to lie next to each other, which is so only if they fill whole
        // blocks of whole pages: slots are multiples of 512 octets, blocks of 8 slots.
        let slot = data_room_for_mtu(mtu);
        let block = u32::from(slot) * 8;
        let arguments = format!(
            "iface={interface},qpairs={queues},framesz={slot},blocksz={block},framecnt=512"
        );
        let spec = Self::vdev("net_af_packet", name, arguments)?;
        Ok(Self {
            backing: Backing::Opened(interface.to_owned()),
            frame_slot: Some(slot),
            understates_mtu: true,
            alone: queues == 1,
            ..spec
        })
    }

    /// A kernel interface that is made with the device and goes with it. Its MTU is at most 1500: the
    /// driver takes no longer frames and lets none pass behind one.
    pub fn tap(name: &str, interface: &str, mac: MacSource) -> Result<Self, InvalidSpec> {
        let interface = checked("interface", interface, INTERFACE_NAME_MAX)?;
        let arguments = match mac {
            MacSource::Random => format!("iface={interface}"),
            MacSource::Given([a, b, c, d, e, f]) => {
                format!("iface={interface},mac={a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
            }
        };
        Ok(Self { backing: Backing::Made, ..Self::vdev("net_tap", name, arguments)? })
    }

    /// One end of a `memif` shared-memory link: packet buffers for frames of this MTU with two tags.
    /// One socket carries several links, told apart by `id`.
    pub fn memif(
        name: &str,
        socket: &Path,
        id: u32,
        role: Role,
        mtu: u16,
    ) -> Result<Self, InvalidSpec> {
        let socket = checked_path("socket", socket, SOCKET_PATH_MAX)?;
        let role = match role {
            Role::Server => "server",
            Role::Client => "client",
        };
        let buffer = data_room_for_mtu(mtu);
        // In the file system, not abstract: so that permissions apply and namespaces do not.
        let arguments =
            format!("role={role},id={id},socket={socket},socket-abstract=no,bsize={buffer}");
        Ok(Self { understates_mtu: true, ..Self::vdev("net_memif", name, arguments)? })
    }

    /// The host's end of a vhost-user link: what a virtual machine's `virtio-net` attaches to.
    pub fn vhost_user(
        name: &str,
        socket: &Path,
        role: Role,
        queues: u16,
    ) -> Result<Self, InvalidSpec> {
        let socket = checked_path("socket", socket, SOCKET_PATH_MAX)?;
        let client = u8::from(role == Role::Client);
        let arguments = format!("iface={socket},queues={queues},client={client}");
        Self::vdev("eth_vhost", name, arguments)
    }

    /// The guest's end of a vhost-user link, in a process instead of a virtual machine.
    pub fn virtio_user(
        name: &str,
        socket: &Path,
        role: Role,
        queues: u16,
    ) -> Result<Self, InvalidSpec> {
        let socket = checked_path("socket", socket, SOCKET_PATH_MAX)?;
        let server = u8::from(role == Role::Server);
        let arguments = format!("path={socket},queues={queues},server={server}");
        Self::vdev("net_virtio_user", name, arguments)
    }

    /// A software ring that returns every frame to its sender.
    pub fn ring(name: &str) -> Result<Self, InvalidSpec> {
        Self::vdev("net_ring", name, String::new())
    }

    /// Receives the frames of one capture file, once, and writes what is sent to another.
    pub fn pcap(
        name: &str,
        receive: Option<&Path>,
        transmit: Option<&Path>,
    ) -> Result<Self, InvalidSpec> {
        const PATH_MAX: usize = 4095;
        let mut arguments = Vec::new();
        if let Some(path) = receive {
            arguments.push(format!("rx_pcap={}", checked_path("capture file", path, PATH_MAX)?));
        }
        if let Some(path) = transmit {
            arguments.push(format!("tx_pcap={}", checked_path("capture file", path, PATH_MAX)?));
        }
        Self::vdev("net_pcap", name, arguments.join(","))
    }

    /// Swallows what is sent and receives nothing.
    pub fn null(name: &str) -> Result<Self, InvalidSpec> {
        Self::vdev("net_null", name, "no-rx=1".to_owned())
    }

    /// A PCI device by its address, such as `0000:3b:00.0`, which a DPDK driver can attach.
    pub fn pci(address: &str) -> Result<Self, InvalidSpec> {
        let address = checked("PCI address", address, "0000:00:00.0".len() + 4)?;
        Ok(Self {
            bus: "pci",
            name: address.to_owned(),
            arguments: String::new(),
            backing: Backing::None,
            frame_slot: None,
            understates_mtu: false,
            alone: false,
        })
    }

    /// DPDK's name of the device.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) const fn backing(&self) -> &Backing {
        &self.backing
    }

    /// Whether the driver reports a smaller largest MTU than it can carry.
    pub(crate) const fn understates_mtu(&self) -> bool {
        self.understates_mtu
    }

    /// Octets of one slot in the driver's rings, if it has such a limit.
    pub(crate) const fn frame_slot(&self) -> Option<u16> {
        self.frame_slot
    }

    /// Whether the driver unmaps the peer's memory without regard to bursts under way.
    pub(crate) fn unmaps_under_bursts(&self) -> bool {
        self.name.starts_with("net_memif_")
    }

    /// Whether all frames arrive by one queue, so that the driver needs no fan-out group.
    pub(crate) const fn is_alone(&self) -> bool {
        self.alone
    }

    /// Bus, name and arguments for DPDK.
    pub(crate) fn words(&self) -> (CString, CString, CString) {
        // `checked` kept NULs out; everything else is written above.
        let c = |text: &str| CString::new(text).unwrap_or_default();
        (c(self.bus), c(&self.name), c(&self.arguments))
    }
}

impl fmt::Display for DeviceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if self.arguments.is_empty() { Ok(()) } else { write!(f, ",{}", self.arguments) }
    }
}
