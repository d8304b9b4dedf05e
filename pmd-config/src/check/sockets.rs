//! Checks of the kinds that meet a peer or a file: memif, vhost-user, virtio-user, pcap.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::{Context, Findings, subject, unwritable};
use crate::instance::{SocketState, socket_state};
use crate::node::{Interface, Kind, Role};

pub(super) fn listener(
    context: &Context<'_>,
    interface: &Interface,
    role: Role,
    socket: &Path,
    findings: &mut Findings,
) -> bool {
    let kind = interface.kind.as_str();
    let shown = socket.display();
    let state = socket_state(&context.host.root.path(socket));
    if state == SocketState::NotASocket {
        let text = format!("{shown} exists and is not a socket");
        findings.fail(subject(interface), text, "set socket = to a path that is free");
        return false;
    }
    match role {
        Role::Server => {
            if !folder_is_usable(context, interface, socket, findings) {
                return false;
            }
            if state == SocketState::Live && context.holder.is_none() {
                findings.fail(
                    subject(interface),
                    format!("another process listens on {shown}"),
                    "stop that process, set role = \"client\", or set socket = to another path",
                );
                return false;
            }
            let stale = if state == SocketState::Stale {
                " (a stale socket is there and will be removed)"
            } else {
                ""
            };
            findings.ok(subject(interface), format!("{kind} listens on {shown}{stale}"));
        }
        Role::Client => {
            let waits = if state == SocketState::Live {
                "a peer listens"
            } else {
                "nobody listens yet, will keep trying"
            };
            findings.ok(subject(interface), format!("{kind} connects to {shown}: {waits}"));
        }
    }
    true
}

/// The folder of a socket must be there: it is the place that both sides agreed upon, and making it
/// with the wrong owner would only move the error to the peer.
fn folder_is_usable(
    context: &Context<'_>,
    interface: &Interface,
    socket: &Path,
    findings: &mut Findings,
) -> bool {
    let Some(folder) = socket.parent() else { return true };
    let shown = folder.display();
    // The run folder is made at start.
    if !context.host.root.exists(folder) && folder != context.node.run_folder() {
        findings.fail(
            subject(interface),
            format!("the folder {shown} of its socket is missing"),
            format!("mkdir -p {shown}"),
        );
        return false;
    }
    if let Some(reason) = unwritable(context.host, folder) {
        findings.fail(
            subject(interface),
            format!("cannot make a socket in {shown}: {reason}"),
            format!("chown $(id -un) {shown}"),
        );
        return false;
    }
    true
}

pub(super) fn virtio_user(
    context: &Context<'_>,
    interface: &Interface,
    socket: &Path,
    findings: &mut Findings,
) -> bool {
    let shown = socket.display();
    let ours = context.node.interfaces.iter().any(|other| {
        matches!(&other.kind, Kind::VhostUser { role: Role::Server, socket: at } if at == socket)
    });
    let state = socket_state(&context.host.root.path(socket));
    if ours || state == SocketState::Live {
        findings.ok(subject(interface), format!("virtio-user connects to {shown}"));
        return true;
    }
    let text = match state {
        SocketState::Absent => format!("the socket {shown} is missing"),
        SocketState::Stale => format!("nobody listens on {shown}"),
        SocketState::NotASocket => format!("{shown} is not a socket"),
        SocketState::Live => return true,
    };
    let fix = "start the process that offers vhost-user there first, or correct socket =";
    findings.fail(subject(interface), text, fix);
    false
}

pub(super) fn pcap(
    context: &Context<'_>,
    interface: &Interface,
    rx: Option<&Path>,
    tx: Option<&Path>,
    findings: &mut Findings,
) -> bool {
    if let Some(rx) = rx
        && let Err(reason) = is_capture(&context.host.root.path(rx))
    {
        let text = format!("cannot receive from {}: {reason}", rx.display());
        findings.fail(subject(interface), text, "set rx = to a pcap file that can be read");
        return false;
    }
    if let Some(tx) = tx {
        let folder = tx.parent().unwrap_or(Path::new("/"));
        let folder_is_there = context.host.root.exists(folder);
        let reason = if folder_is_there {
            unwritable(context.host, folder)
        } else {
            Some(format!("the folder {} is missing", folder.display()))
        };
        if let Some(reason) = reason {
            findings.fail(
                subject(interface),
                format!("cannot write {}: {reason}", tx.display()),
                format!("install -d -o $(id -un) {}", folder.display()),
            );
            return false;
        }
    }
    findings.ok(subject(interface), "pcap: frames from and to capture files");
    true
}

/// Whether libpcap can read the file, judged by its first four octets.
fn is_capture(path: &Path) -> Result<(), String> {
    let mut magic = [0; 4];
    let mut file = File::open(path).map_err(|error| error.to_string())?;
    file.read_exact(&mut magic)
        .map_err(|_| "it is shorter than a capture file's header".to_owned())?;
    let known = [
        0xa1b2_c3d4_u32, // microseconds
        0xa1b2_3c4d,     // nanoseconds
        0xd4c3_b2a1,     // the same two in the other byte order
        0x4d3c_b2a1,
        0x0a0d_0d0a, // pcapng
    ];
    if known.contains(&u32::from_be_bytes(magic)) {
        Ok(())
    } else {
        Err("it is neither pcap nor pcapng".to_owned())
    }
}
