//! One daemon per node file: the lock that says who is alive, and what a dead predecessor left.
//!
//! The kernel drops the lock when its holder ends, however it ends. So whoever gets the lock may
//! remove everything that bears this instance's name, and whoever does not get it touches nothing.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use crate::node::{Kind, NodeFile, Role};
use crate::probe::Environment;

/// The proof that no other daemon uses the same control socket or state folder. Dropping it lets
/// the next one start.
#[derive(Debug)]
pub struct InstanceLock {
    /// Held open: the locks are on them.
    _files: Vec<File>,
}

/// Why this daemon may not run.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// Another one is alive.
    #[error(
        "{} is held by a running daemon ({holder}): stop that one, or give this one its own \
         `state` and `control.socket`",
        path.display()
    )]
    Running {
        /// The lock file.
        path: PathBuf,
        /// Who holds it.
        holder: Holder,
    },
    /// The lock file cannot be made.
    #[error(
        "cannot open the lock file {}: {source}; make its folder writable for this user, or choose \
         another one in the node file",
        path.display()
    )]
    Open {
        /// The lock file.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
}

/// Who holds the lock, as far as the lock file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The process id, which a full disk can have kept from being written.
    pub pid: Option<u32>,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "pid {pid}"),
            None => f.write_str("pid unknown"),
        }
    }
}

/// The lock files of a node: one beside the control socket, one in the state folder.
fn lock_files(node: &NodeFile) -> [PathBuf; 2] {
    let mut beside = node.control_socket.clone().into_os_string();
    beside.push(".pid");
    [beside.into(), node.state.join("lock")]
}

impl InstanceLock {
    /// Takes the lock, making the run and state folders if they are missing.
    ///
    /// # Errors
    /// Who holds it, or why the lock file cannot be made.
    pub fn take(node: &NodeFile) -> Result<Self, InstanceError> {
        let lock = |path: PathBuf| {
            let failed = |source| InstanceError::Open { path: path.clone(), source };
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(failed)?;
            }
            let mut file = open(&path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {
                    note_pid(&mut file);
                    Ok(file)
                }
                Err(TryLockError::WouldBlock) => Err(InstanceError::Running {
                    path: path.clone(),
                    holder: read_holder(&mut file),
                }),
                Err(TryLockError::Error(source)) => Err(failed(source)),
            }
        };
        let files: Result<Vec<File>, InstanceError> =
            lock_files(node).into_iter().map(lock).collect();
        Ok(Self { _files: files? })
    }

    /// Removes what a predecessor that was killed left behind: sockets that nobody listens on, and
    /// DPDK's files under `prefix`. Returns what was removed.
    ///
    /// # Errors
    /// The first thing that could not be removed.
    pub fn clean_up(
        &self,
        node: &NodeFile,
        prefix: &str,
        environment: &Environment,
    ) -> Result<Vec<PathBuf>, CleanUpError> {
        let mut removed = Vec::new();
        for socket in own_sockets(node) {
            if socket_state(&socket) == SocketState::Stale {
                remove(&socket, fs::remove_file(&socket), &mut removed)?;
            }
        }
        for folder in runtime_folders(prefix, environment) {
            if folder.is_dir() {
                remove(&folder, fs::remove_dir_all(&folder), &mut removed)?;
            }
        }
        for file in hugepage_files(prefix) {
            remove(&file, fs::remove_file(&file), &mut removed)?;
        }
        Ok(removed)
    }
}

/// Something of a dead predecessor cannot be removed.
#[derive(Debug, thiserror::Error)]
#[error("cannot remove {}, which an earlier run left: {source}; remove it by hand", path.display())]
pub struct CleanUpError {
    /// What is in the way.
    pub path: PathBuf,
    /// The kernel's answer.
    pub source: io::Error,
}

/// Notes what was removed; that somebody else was faster is no error.
fn remove(
    path: &Path,
    outcome: io::Result<()>,
    removed: &mut Vec<PathBuf>,
) -> Result<(), CleanUpError> {
    match outcome {
        Ok(()) => removed.push(path.to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(CleanUpError { path: path.to_owned(), source }),
    }
    Ok(())
}

/// Who runs with this node file now, this process not counted.
pub(crate) fn other_holder(node: &NodeFile) -> Option<Holder> {
    lock_files(node).iter().find_map(|path| {
        let mut file = File::open(path).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {
                let holder = read_holder(&mut file);
                (holder.pid != Some(std::process::id())).then_some(holder)
            }
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    })
}

fn open(path: &Path) -> io::Result<File> {
    // Not truncated: until the lock is ours, the text is the holder's.
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

/// Writes the process id. A full disk must not keep a gateway from starting, and the lock holds
/// without it.
fn note_pid(file: &mut File) {
    let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
}

fn read_holder(file: &mut File) -> Holder {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.take(32).read_to_string(&mut text));
    Holder { pid: read.ok().and_then(|_| text.trim().parse().ok()) }
}

/// What is at the path of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SocketState {
    /// Nothing.
    Absent,
    /// A socket that nobody listens on.
    Stale,
    /// A socket that somebody listens on.
    Live,
    /// Something else.
    NotASocket,
}

/// Looks at a socket's path without disturbing whoever listens.
pub(crate) fn socket_state(path: &Path) -> SocketState {
    let Ok(metadata) = fs::symlink_metadata(path) else { return SocketState::Absent };
    if !metadata.file_type().is_socket() {
        return SocketState::NotASocket;
    }
    // A datagram socket cannot connect to a listener of another type, so the listener never hears
    // of it; but the kernel's answer differs from the one for a dead socket.
    match UnixDatagram::unbound().and_then(|socket| socket.connect(path)) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => SocketState::Stale,
        Ok(()) | Err(_) => SocketState::Live,
    }
}

/// The sockets that this node's daemon makes.
fn own_sockets(node: &NodeFile) -> Vec<PathBuf> {
    let mut sockets = vec![node.control_socket.clone()];
    for interface in &node.interfaces {
        match &interface.kind {
            Kind::Memif { role: Role::Server, socket, .. }
            | Kind::VhostUser { role: Role::Server, socket } => {
                if !sockets.contains(socket) {
                    sockets.push(socket.clone());
                }
            }
            Kind::Memif { role: Role::Client, .. }
            | Kind::VhostUser { role: Role::Client, .. }
            | Kind::Pci(_)
            | Kind::AfPacket { .. }
            | Kind::Tap { .. }
            | Kind::VirtioUser { .. }
            | Kind::Ring
            | Kind::Pcap { .. }
            | Kind::Null => {}
        }
    }
    sockets
}

/// What keeps this instance's DPDK files apart from everybody else's: the node's name, and a number
/// made from the control socket, since two daemons of one name may run with different sockets.
pub fn file_prefix(node: &NodeFile, name: &str) -> String {
    // FNV-1a, 32 bits: any fixed function does, and the standard one may change between releases.
    let octets = node.control_socket.as_os_str().as_encoded_bytes();
    let hash = octets
        .iter()
        .fold(0x811c_9dc5_u32, |hash, octet| (hash ^ u32::from(*octet)).wrapping_mul(0x0100_0193));
    format!("sluice-{name}-{hash:08x}")
}

/// Where DPDK makes its folder: which of them depends on the environment and the user.
fn runtime_folders(prefix: &str, environment: &Environment) -> Vec<PathBuf> {
    let named = [&environment.runtime_directory, &environment.xdg_runtime_dir];
    named
        .into_iter()
        .flatten()
        .map(String::as_str)
        .chain(["/var/run", "/tmp"])
        .map(|base| Path::new(base).join("dpdk").join(prefix))
        .collect()
}

/// DPDK's files of this prefix in every hugetlbfs. None are made nowadays; an older version or a
/// debugging session may have left some.
fn hugepage_files(prefix: &str) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let folders = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (folder, kind) = (words.nth(1)?, words.next()?);
        (kind == "hugetlbfs").then(|| folder.to_owned())
    });
    let ours = format!("{prefix}map_");
    folders
        .flat_map(fs::read_dir)
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(&ours)))
        .map(|entry| entry.path())
        .collect()
}
