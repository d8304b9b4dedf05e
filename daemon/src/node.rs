//! The node file and the host it is for.

use std::fs;
use std::io;
use std::path::Path;

use pmd_config::check::{Report, check};
use pmd_config::node::{Interface, Kind, NodeFile};
use pmd_config::probe::{Environment, Host, Root};

use crate::args::Format;
use crate::exit::{Ending, Exit};

/// Reads the node file.
///
/// # Errors
/// It is not there, cannot be read, or says something wrong.
pub fn read(path: &Path) -> Result<NodeFile, Ending> {
    let text = fs::read_to_string(path).map_err(|error| {
        let exit = match error.kind() {
            io::ErrorKind::NotFound => Exit::NotFound,
            io::ErrorKind::PermissionDenied => Exit::Denied,
            io::ErrorKind::InvalidData => Exit::Invalid,
            _ => Exit::Error,
        };
        let path = path.display();
        let message = format!("{path}: cannot read the node file: {error}; name it by --config");
        Ending { exit, message }
    })?;
    NodeFile::parse(&path.display().to_string(), &text)
        .map_err(|errors| Ending::new(Exit::Invalid, &errors))
}

/// What only the environment of this process knows.
pub fn environment() -> Environment {
    let variable = |name| std::env::var(name).ok();
    Environment {
        ssh_connection: variable("SSH_CONNECTION"),
        runtime_directory: variable("RUNTIME_DIRECTORY"),
        xdg_runtime_dir: variable("XDG_RUNTIME_DIR"),
    }
}

/// This host.
pub fn probe() -> Host {
    Host::probe(&Root::default(), &environment())
}

/// The findings of `sluiced --check-host`, and how the process ends because of them.
///
/// # Errors
/// The node file cannot be used.
pub fn check_host(path: &Path, format: Format) -> Result<(String, Exit), Ending> {
    let report = check(&read(path)?, &probe());
    let exit = if report.problems() == 0 { Exit::Ok } else { Exit::Problems };
    Ok((text(&report, format)?, exit))
}

fn text(report: &Report, format: Format) -> Result<String, Ending> {
    match format {
        Format::Table => Ok(report.to_string()),
        Format::Json => {
            serde_json::to_string_pretty(report).map_err(|error| Ending::new(Exit::Error, &error))
        }
    }
}

/// Takes the interfaces out of `node` whose device this host does not have: a gateway forwards with
/// the devices that are there, and says which are not.
pub fn set_absent_aside(node: &mut NodeFile, host: &Host) -> Vec<(Interface, String)> {
    let mut absent = Vec::new();
    node.interfaces.retain(|interface| match why_absent(interface, host) {
        None => true,
        Some(why) => {
            absent.push((interface.clone(), why));
            false
        }
    });
    absent
}

fn why_absent(interface: &Interface, host: &Host) -> Option<String> {
    match &interface.kind {
        Kind::AfPacket { interface: kernel } => host
            .interface(kernel)
            .is_none()
            .then(|| format!("this host has no kernel interface {kernel} (see `ip link`)")),
        Kind::Pci(_)
        | Kind::Tap { .. }
        | Kind::Memif { .. }
        | Kind::VhostUser { .. }
        | Kind::VirtioUser { .. }
        | Kind::Ring
        | Kind::Pcap { .. }
        | Kind::Null => None,
    }
}
