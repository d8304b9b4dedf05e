//! One interface of the node file: a real device or one of the virtual kinds.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

use super::ObjectName;
use super::reader::{At, Fields, Reader, nearest};

/// An interface: a device on this host that the site file refers to by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// What the site file calls it.
    pub name: ObjectName,
    /// The largest layer-3 packet it carries, in octets; 1500 unless said otherwise.
    pub mtu: u16,
    /// Which device it is.
    pub kind: Kind,
}

/// Which device an interface is, with what its kind needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A network card, driven by DPDK.
    Pci(PciSelector),
    /// A kernel interface, through a packet socket. Functional, not fast.
    AfPacket {
        /// The kernel's name of it.
        interface: String,
    },
    /// A kernel interface that the gateway makes. Functional, not fast.
    Tap {
        /// The kernel's name of it.
        interface: String,
    },
    /// Shared memory to another process on this host.
    Memif {
        /// Who listens on the socket.
        role: Role,
        /// The socket both sides know.
        socket: PathBuf,
        /// Which of the connections over that socket.
        id: u32,
    },
    /// A virtual machine's network card (the device side of virtio).
    VhostUser {
        /// Who listens on the socket.
        role: Role,
        /// The socket that the virtual machine monitor knows.
        socket: PathBuf,
    },
    /// The driver side of virtio, towards another process that offers vhost-user.
    VirtioUser {
        /// The socket that the other process listens on.
        socket: PathBuf,
    },
    /// A loop: what is sent comes in again. For tests.
    Ring,
    /// Capture files: frames come from one and go to the other.
    Pcap {
        /// Frames to receive, once; none when absent.
        rx: Option<PathBuf>,
        /// Where sent frames are written; thrown away when absent.
        tx: Option<PathBuf>,
    },
    /// Receives nothing, and throws away what is sent.
    Null,
}

impl Kind {
    /// The kinds as the node file writes them.
    pub const NAMES: [&str; 9] =
        ["pci", "af_packet", "tap", "memif", "vhost-user", "virtio-user", "ring", "pcap", "null"];

    /// The kind as the node file writes it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pci(_) => "pci",
            Self::AfPacket { .. } => "af_packet",
            Self::Tap { .. } => "tap",
            Self::Memif { .. } => "memif",
            Self::VhostUser { .. } => "vhost-user",
            Self::VirtioUser { .. } => "virtio-user",
            Self::Ring => "ring",
            Self::Pcap { .. } => "pcap",
            Self::Null => "null",
        }
    }

    /// Whether this kind can be fast: frames do not pass the kernel.
    pub const fn is_fast(&self) -> bool {
        matches!(
            self,
            Self::Pci(_) | Self::Memif { .. } | Self::VhostUser { .. } | Self::VirtioUser { .. }
        )
    }
}

/// How a network card is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PciSelector {
    /// By where it is plugged in.
    Address(PciAddress),
    /// By its MAC address, which the kernel must see.
    Mac(Mac),
    /// By the kernel's name of it.
    Kernel(String),
}

impl fmt::Display for PciSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Mac(mac) => mac.fmt(f),
            Self::Kernel(name) => f.write_str(name),
        }
    }
}

/// Who listens on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The gateway makes the socket and waits for the peer.
    Server,
    /// The peer makes the socket; the gateway keeps trying to connect.
    Client,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "server",
            Self::Client => "client",
        })
    }
}

/// Where a PCI function is plugged in: domain, bus, device, function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PciAddress {
    domain: u32,
    bus: u8,
    device: u8,
    function: u8,
}

/// The text is not a PCI address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a PCI address")]
pub struct ParsePciAddressError {
    /// What was read.
    pub text: String,
}

impl FromStr for PciAddress {
    type Err = ParsePciAddressError;

    /// Reads `0000:3b:00.0`, or `3b:00.0` in domain 0, as lspci prints them.
    fn from_str(text: &str) -> Result<Self, ParsePciAddressError> {
        let parse = || {
            let (rest, function) = text.rsplit_once('.')?;
            let mut parts = rest.rsplit(':');
            let device = hex(parts.next()?, 2)?;
            let bus = hex(parts.next()?, 2)?;
            let domain = parts.next().map_or(Some(0), |domain| {
                (4..=8).contains(&domain.len()).then(|| hex(domain, domain.len())).flatten()
            })?;
            let function = hex(function, 1)?;
            let known = parts.next().is_none() && device < 32 && function < 8;
            known.then_some(Self {
                domain,
                bus: u8::try_from(bus).ok()?,
                device: u8::try_from(device).ok()?,
                function: u8::try_from(function).ok()?,
            })
        };
        parse().ok_or_else(|| ParsePciAddressError { text: text.to_owned() })
    }
}

/// Exactly `digits` hexadecimal digits.
fn hex(text: &str, digits: usize) -> Option<u32> {
    let plain = text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit());
    plain.then(|| u32::from_str_radix(text, 16).ok()).flatten()
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, bus, device, function } = self;
        write!(f, "{domain:04x}:{bus:02x}:{device:02x}.{function:x}")
    }
}

/// A MAC address as six octets in the order of transmission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

/// The text is not a MAC address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a MAC address")]
pub struct ParseMacError {
    /// What was read.
    pub text: String,
}

impl FromStr for Mac {
    type Err = ParseMacError;

    /// Reads six pairs of hexadecimal digits with colons between them.
    fn from_str(text: &str) -> Result<Self, ParseMacError> {
        let octets: Option<Vec<u8>> = text
            .split(':')
            .map(|part| hex(part, 2).and_then(|octet| u8::try_from(octet).ok()))
            .collect();
        let octets = octets.and_then(|octets| octets.try_into().ok());
        octets.map(Self).ok_or_else(|| ParseMacError { text: text.to_owned() })
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// What only one interface can have, and who has it: finds two interfaces on one device.
#[derive(Default)]
pub(super) struct Claims(BTreeMap<String, (String, usize)>);

impl Claims {
    /// Notes that `owner` needs `what`; an error when somebody else has it already.
    pub(super) fn claim(
        &mut self,
        reader: &Reader<'_>,
        what: String,
        owner: &str,
        span: Range<usize>,
    ) {
        let line = reader.line(&span);
        match self.0.get(&what) {
            Some((other, other_line)) => reader.error(
                span,
                format!("{owner} needs {what}, which {other} (line {other_line}) already has"),
                format!("give {owner} another one, or remove one of the two"),
            ),
            None => {
                self.0.insert(what, (owner.to_owned(), line));
            }
        }
    }
}

/// The largest MTU (forwarding rules, section 4). A card that takes less says so at bring-up.
const MAX_MTU: u32 = 9600;
/// The smallest MTU that carries IPv4 (RFC 791).
const MIN_MTU: u32 = 68;
const DEFAULT_MTU: u16 = 1500;
/// DPDK's tap driver blocks on longer frames.
const MAX_TAP_MTU: u16 = 1500;

pub(super) fn read(
    fields: &Fields<'_, '_>,
    name: ObjectName,
    claims: &mut Claims,
) -> Option<Interface> {
    let asked = fields.number("mtu", MIN_MTU..=MAX_MTU);
    let mtu =
        asked.as_ref().map_or(DEFAULT_MTU, |at| u16::try_from(at.value).unwrap_or(DEFAULT_MTU));
    let Some(kind) = fields.text("kind", &kinds_help()) else {
        if !fields.has("kind") {
            let message = format!("interfaces.{name} has no kind");
            fields.error(fields.span(), message, kinds_help());
        }
        return None;
    };
    let mut section = Section { fields, name: &name, claims };
    let read = match kind.value {
        "pci" => section.pci(),
        "af_packet" => section.af_packet(),
        "tap" => section.tap(),
        "memif" => section.memif(),
        "vhost-user" => section.vhost_user(),
        "virtio-user" => section.virtio_user(),
        "ring" => Some(Kind::Ring),
        "pcap" => section.pcap(),
        "null" => Some(Kind::Null),
        unknown => {
            let message = format!("interfaces.{name}: unknown kind {unknown:?}");
            let near = nearest(unknown, &Kind::NAMES);
            let help = near.map_or_else(kinds_help, |near| format!("did you mean {near:?}?"));
            fields.error(kind.span, message, help);
            // The keys of an unknown kind are unknown too: one error is enough.
            return None;
        }
    };
    fields.refuse_the_rest();
    if let (Some(Kind::Tap { .. }), Some(asked)) = (&read, asked)
        && mtu > MAX_TAP_MTU
    {
        let message = format!("interfaces.{name}.mtu: {mtu} is more than a tap carries");
        let help = format!("write {MAX_TAP_MTU} or less, or use kind = \"af_packet\" on a veth");
        fields.error(asked.span, message, help);
    }
    read.map(|kind| Interface { name, mtu, kind })
}

fn kinds_help() -> String {
    format!("write kind = with one of: {}", Kind::NAMES.join(", "))
}

/// One `[interfaces.NAME]` section while its kind is read.
struct Section<'s, 'r, 'a> {
    fields: &'s Fields<'r, 'a>,
    name: &'s ObjectName,
    claims: &'s mut Claims,
}

impl Section<'_, '_, '_> {
    fn claim(&mut self, what: String, span: Range<usize>) {
        let owner = format!("interfaces.{}", self.name);
        self.claims.claim(self.fields.reader(), what, &owner, span);
    }

    fn pci(&mut self) -> Option<Kind> {
        const HELP: &str =
            "write one of address = \"0000:3b:00.0\", mac = \"..\" or kernel = \"..\"";
        let address = self.fields.parsed(
            "address",
            "write the address as lspci -D prints it, such as \"0000:3b:00.0\"",
            str::parse::<PciAddress>,
        );
        let mac = self.fields.parsed(
            "mac",
            "write six pairs of hexadecimal digits, such as \"52:54:00:12:34:56\"",
            str::parse::<Mac>,
        );
        let kernel = self.fields.parsed("kernel", KERNEL_NAME_HELP, kernel_name);
        let given = ["address", "mac", "kernel"].iter().filter(|key| self.fields.has(key)).count();
        if given != 1 {
            let count = if given == 0 {
                "does not say which card it is"
            } else {
                "names its card more than once"
            };
            let message = format!("interfaces.{} {count}", self.name);
            self.fields.error(self.fields.span(), message, HELP);
            return None;
        }
        let (what, selector, span) = match (address, mac, kernel) {
            (Some(At { value, span }), _, _) => {
                (format!("the card {value}"), PciSelector::Address(value), span)
            }
            (_, Some(At { value, span }), _) => {
                (format!("the card with MAC {value}"), PciSelector::Mac(value), span)
            }
            (_, _, Some(At { value, span })) => {
                (format!("the kernel interface {value}"), PciSelector::Kernel(value), span)
            }
            _ => return None,
        };
        self.claim(what, span);
        Some(Kind::Pci(selector))
    }

    /// The kernel's name of an interface: `interface`, or the section's own name.
    fn kernel_interface(&mut self) -> Option<String> {
        let (interface, span) = if self.fields.has("interface") {
            let At { value, span } =
                self.fields.parsed("interface", KERNEL_NAME_HELP, kernel_name)?;
            (value, span)
        } else {
            // Taken nevertheless, so that the key counts as known.
            let _ = self.fields.text("interface", KERNEL_NAME_HELP);
            match kernel_name(self.name.as_str()) {
                Ok(interface) => (interface, self.fields.span()),
                Err(reason) => {
                    let message = format!("interfaces.{}: {reason}", self.name);
                    let help = "add interface = with the kernel's name of it";
                    self.fields.error(self.fields.span(), message, help);
                    return None;
                }
            }
        };
        self.claim(format!("the kernel interface {interface}"), span);
        Some(interface)
    }

    fn af_packet(&mut self) -> Option<Kind> {
        self.kernel_interface().map(|interface| Kind::AfPacket { interface })
    }

    fn tap(&mut self) -> Option<Kind> {
        self.kernel_interface().map(|interface| Kind::Tap { interface })
    }

    fn role(&self, default: Role) -> Option<Role> {
        let help = "write \"server\" (the gateway listens) or \"client\" (the peer listens)";
        let role = self.fields.parsed("role", help, |text| match text {
            "server" => Ok(Role::Server),
            "client" => Ok(Role::Client),
            other => Err(format!("{other:?} is not a role")),
        });
        if self.fields.has("role") { role.map(|at| at.value) } else { Some(default) }
    }

    fn socket(&self, example: &str) -> Option<At<PathBuf>> {
        let socket = self.fields.socket_path("socket", example);
        if !self.fields.has("socket") {
            let message = format!("interfaces.{} needs a socket", self.name);
            self.fields.error(self.fields.span(), message, format!("add socket = \"{example}\""));
        }
        socket
    }

    fn memif(&mut self) -> Option<Kind> {
        let role = self.role(Role::Server);
        let id = self.fields.number("id", 0..=u32::MAX);
        let bad_id = id.is_none() && self.fields.has("id");
        let socket = self.socket("/run/sluice/memif.sock");
        let (role, At { value: socket, span }) = (role?, socket?);
        if bad_id {
            return None;
        }
        let id = id.map_or(0, |at| at.value);
        // The two ends of one link may both be here.
        self.claim(format!("the {role} end of memif {id} on {}", socket.display()), span);
        Some(Kind::Memif { role, socket, id })
    }

    fn vhost_user(&mut self) -> Option<Kind> {
        let role = self.role(Role::Server);
        let socket = self.socket("/run/sluice/vm1.sock");
        let (role, At { value: socket, span }) = (role?, socket?);
        // The two ends of one socket may both be here (virtio-user towards our own vhost-user).
        self.claim(format!("the socket {}", socket.display()), span);
        Some(Kind::VhostUser { role, socket })
    }

    fn virtio_user(&mut self) -> Option<Kind> {
        let At { value: socket, span } = self.socket("/run/sluice/vm1.sock")?;
        self.claim(format!("the driver side of {}", socket.display()), span);
        Some(Kind::VirtioUser { socket })
    }

    fn pcap(&mut self) -> Option<Kind> {
        let rx = self.fields.absolute_path("rx", "/tmp/in.pcap");
        let tx = self.fields.absolute_path("tx", "/tmp/out.pcap");
        if !self.fields.has("rx") && !self.fields.has("tx") {
            let message = format!("interfaces.{} has neither rx nor tx", self.name);
            let help = "add rx = \"/path/in.pcap\", tx = \"/path/out.pcap\" or both";
            self.fields.error(self.fields.span(), message, help);
            return None;
        }
        if let Some(At { value, span }) = &tx {
            self.claim(format!("the capture file {}", value.display()), span.clone());
        }
        if let (Some(rx), Some(tx)) = (&rx, &tx)
            && rx.value == tx.value
        {
            let path = rx.value.display();
            let message = format!("interfaces.{} reads and writes the same file {path}", self.name);
            self.fields.error(tx.span.clone(), message, "write tx to another file");
        }
        Some(Kind::Pcap { rx: rx.map(|at| at.value), tx: tx.map(|at| at.value) })
    }
}

const KERNEL_NAME_HELP: &str =
    "write the kernel's name as `ip link` shows it: at most 15 characters, no spaces, no '/'";

/// `IFNAMSIZ` less the terminating zero.
const MAX_KERNEL_NAME: usize = 15;

fn kernel_name(text: &str) -> Result<String, String> {
    let length = text.len();
    if length > MAX_KERNEL_NAME {
        return Err(format!(
            "{text:?} has {length} characters, a kernel interface name at most {MAX_KERNEL_NAME}"
        ));
    }
    // The kernel's own rule, less what DPDK splits its device arguments at.
    let bad =
        |c: char| !c.is_ascii_graphic() || matches!(c, '/' | ':' | ',' | '=' | '[' | ']' | '"');
    if text.is_empty() || text == "." || text == ".." || text.contains(bad) {
        return Err(format!("{text:?} is not a kernel interface name"));
    }
    Ok(text.to_owned())
}
