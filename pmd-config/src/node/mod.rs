//! The node file `sluice.toml`: which devices, CPUs and memory this host gives to the gateway.
//!
//! Strict on purpose: an unknown key, a value of the wrong type, or two interfaces that need the
//! same thing are errors with their place in the text and what to write instead. All errors of a
//! file are reported at once. Reading it touches nothing but the text: whether the devices exist is
//! a question for [`check`](crate::check).

mod error;
mod interface;
mod reader;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use toml::de::{DeTable, DeValue};

use self::reader::{At, Fields, Reader};
use crate::amount::Octets;
use crate::cpu_set::CpuSet;

pub use self::error::{NodeError, NodeErrors};
pub use self::interface::{Interface, Kind, Mac, PciAddress, PciSelector, Role};

/// The most interfaces a node file may have: what Debian's DPDK is built for
/// (`RTE_MAX_ETHPORTS`).
pub const MAX_INTERFACES: usize = 32;

/// A node file that holds no contradiction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFile {
    /// This host's name in the site file; `None` means the kernel's host name.
    pub name: Option<ObjectName>,
    /// Which CPUs the workers run on.
    pub cores: Cores,
    /// Memory for packets and queues.
    pub memory: Memory,
    /// The site file.
    pub site: PathBuf,
    /// The folder for what must survive a restart.
    pub state: PathBuf,
    /// The local API socket.
    pub control_socket: PathBuf,
    /// The interfaces in the order of the text; the position is the `InterfaceId`.
    pub interfaces: Vec<Interface>,
}

/// Which CPUs the workers run on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cores {
    /// Chosen from what the host has.
    #[default]
    Auto,
    /// One worker on each of these.
    List(CpuSet),
}

/// Memory for packets and queues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Memory {
    /// What the plan needs.
    #[default]
    Auto,
    /// As much as this; less than the plan needs is an error.
    Amount(Octets),
}

/// The name of a host or interface, by which site documents refer to it: 1 to 63 characters of
/// `a-z A-Z 0-9 - _ .`, starting with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct ObjectName(String);

/// The text cannot name a host or interface.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a name")]
pub struct InvalidObjectName {
    /// What was given.
    pub text: String,
}

impl ObjectName {
    /// The longest name, in characters.
    pub const MAX_LEN: usize = 63;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ObjectName {
    type Err = InvalidObjectName;

    fn from_str(text: &str) -> Result<Self, InvalidObjectName> {
        let starts = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        let plain =
            text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if starts && plain && text.len() <= Self::MAX_LEN {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidObjectName { text: text.to_owned() })
        }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

const NAME_HELP: &str =
    "write 1 to 63 letters, digits, '-', '_' or '.', starting with a letter or digit";

impl NodeFile {
    /// Where the site file is unless the node file says otherwise.
    pub const DEFAULT_SITE: &str = "/etc/sluice/site.yaml";
    /// Where state is kept unless the node file says otherwise.
    pub const DEFAULT_STATE: &str = "/var/lib/sluice";
    /// Where the API socket is unless the node file says otherwise.
    pub const DEFAULT_CONTROL_SOCKET: &str = "/run/sluice/sluiced.sock";

    /// Reads the node file `text`; `source_name` is how errors call it.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the text.
    pub fn parse(source_name: &str, text: &str) -> Result<Self, NodeErrors> {
        let reader = Reader::new(source_name, text);
        let (document, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            for error in errors {
                let span = error.span().unwrap_or(0..0);
                reader.error(
                    span,
                    error.message(),
                    "the file is TOML: sections in brackets, and lines of key = value",
                );
            }
            // What is left of a broken document would only give rise to misleading errors.
            return reader.finish(None);
        }
        let top = Fields::new(&reader, String::new(), 0..0, document.get_ref());
        let file = read(&top);
        reader.finish(Some(file))
    }

    /// The folder of the control socket: where everything lives that a restart makes anew.
    pub fn run_folder(&self) -> &Path {
        self.control_socket.parent().unwrap_or(Path::new("/"))
    }
}

fn read(top: &Fields<'_, '_>) -> NodeFile {
    let name = top.parsed("name", NAME_HELP, str::parse).map(|at| at.value);
    let cores = read_cores(top);
    let memory = read_memory(top);
    let path = |key, default: &str| {
        top.absolute_path(key, default).map_or_else(|| PathBuf::from(default), |at| at.value)
    };
    let site = path("site", NodeFile::DEFAULT_SITE);
    let state = path("state", NodeFile::DEFAULT_STATE);
    let mut claims = interface::Claims::default();
    let control_socket = read_control(top, &mut claims);
    let interfaces = read_interfaces(top, &mut claims);
    top.refuse_the_rest();
    NodeFile { name, cores, memory, site, state, control_socket, interfaces }
}

fn read_cores(top: &Fields<'_, '_>) -> Cores {
    const HELP: &str =
        "write \"auto\", or the CPUs that workers run on as a list such as \"2,4-7\"";
    let Some(value) = top.any("cores") else { return Cores::Auto };
    let cores = match value.get_ref() {
        DeValue::String(text) if text == "auto" => return Cores::Auto,
        DeValue::String(text) => text.parse().map_err(|error| format!("cores: {error}")),
        DeValue::Integer(number) => Err(format!(
            "cores: is {number} a CPU or a number of CPUs? A list is text: expected it in quotes"
        )),
        other => {
            top.wrong_type("cores", value.span(), other, "text", HELP);
            return Cores::Auto;
        }
    };
    match cores {
        Ok(cores) => Cores::List(cores),
        Err(message) => {
            top.error(value.span(), message, HELP);
            Cores::Auto
        }
    }
}

fn read_memory(top: &Fields<'_, '_>) -> Memory {
    const HELP: &str = "write \"auto\", or an amount such as \"512MiB\"";
    let memory = top.parsed("memory", HELP, |text| match text {
        "auto" => Ok(Memory::Auto),
        text => text.parse().map(Memory::Amount),
    });
    memory.map_or(Memory::Auto, |at| at.value)
}

fn read_control(top: &Fields<'_, '_>, claims: &mut interface::Claims) -> PathBuf {
    let default = PathBuf::from(NodeFile::DEFAULT_CONTROL_SOCKET);
    let Some(control) = top.table("control") else { return default };
    let socket = control.socket_path("socket", NodeFile::DEFAULT_CONTROL_SOCKET);
    control.refuse_the_rest();
    let Some(At { value, span }) = socket else { return default };
    claims.claim(
        control.reader(),
        format!("the socket {}", value.display()),
        "control.socket",
        span,
    );
    value
}

fn read_interfaces(top: &Fields<'_, '_>, claims: &mut interface::Claims) -> Vec<Interface> {
    let Some(section) = top.table("interfaces") else { return Vec::new() };
    let entries = section.entries();
    if let Some((_, span, _)) = entries.get(MAX_INTERFACES) {
        section.error(
            span.clone(),
            format!("{} interfaces: at most {MAX_INTERFACES} are possible", entries.len()),
            format!("remove {}: DPDK here is built for no more", entries.len() - MAX_INTERFACES),
        );
    }
    let mut interfaces = Vec::with_capacity(entries.len());
    for (key, span, value) in entries {
        let Ok(name) = key.parse::<ObjectName>() else {
            section.error(span, format!("interfaces: {key:?} is not a name"), NAME_HELP);
            continue;
        };
        let DeValue::Table(table) = value.get_ref() else {
            let help = format!("write a section [interfaces.{key}]");
            section.wrong_type(key, value.span(), value.get_ref(), "a section", &help);
            continue;
        };
        let fields = Fields::new(top.reader(), format!("interfaces.{key}."), span, table);
        interfaces.extend(interface::read(&fields, name, claims));
    }
    interfaces
}
