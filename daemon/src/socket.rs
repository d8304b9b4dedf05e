//! The control socket: owned by one daemon, replaced when a dead one left it.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// Owner and group may talk to the daemon.
const MODE: u32 = 0o660;

/// The socket could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another daemon has it.
    #[error(
        "another sluiced is running with the control socket {path}: stop it, or set another `control.socket` in the node file",
        path = path.display()
    )]
    Busy {
        /// The socket.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot {step} {path}: {source}", path = path.display())]
    Io {
        /// What was being done.
        step: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

/// The right to be the daemon of a control socket. The kernel takes it back when the process ends,
/// however it ends.
#[derive(Debug)]
pub struct SocketLock {
    path: PathBuf,
    _lock: File,
}

impl SocketLock {
    /// Takes the right to `path`, and makes its directory if there is none.
    pub fn take(path: &Path) -> Result<Self, SocketError> {
        let io = |step, path: &Path| {
            let path = path.to_owned();
            move |source| SocketError::Io { step, path, source }
        };
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(io("make the directory", directory))?;
        }
        let lock = with_suffix(path, ".lock");
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o600).open(&lock);
        let file = file.map_err(io("open the lock file", &lock))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: file }),
            Err(TryLockError::WouldBlock) => Err(SocketError::Busy { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(io("lock", &lock)(source)),
        }
    }

    /// Listens. A socket that a dead daemon left is replaced; clients see the old one or the new
    /// one with its permissions, nothing between.
    pub fn listen(&self) -> Result<UnixListener, SocketError> {
        let io = |step| {
            let path = self.path.clone();
            move |source| SocketError::Io { step, path, source }
        };
        let temporary = with_suffix(&self.path, ".new");
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io("replace the leftover beside")(error));
            }
            _ => {}
        }
        let listener = UnixListener::bind(&temporary).map_err(io("make the control socket"))?;
        fs::set_permissions(&temporary, Permissions::from_mode(MODE))
            .map_err(io("set the permissions of"))?;
        fs::rename(&temporary, &self.path).map_err(io("put in place"))?;
        Ok(listener)
    }
}

impl Drop for SocketLock {
    fn drop(&mut self) {
        // The lock file stays: removing it would let two daemons lock two files of one name.
        let _ = fs::remove_file(&self.path);
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(suffix);
    PathBuf::from(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_second_daemon_is_refused_until_the_first_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run/sluiced.sock");
        let first = SocketLock::take(&path).unwrap();

        let refused = SocketLock::take(&path).unwrap_err();
        assert!(matches!(refused, SocketError::Busy { .. }), "{refused}");

        drop(first);
        SocketLock::take(&path).unwrap();
    }

    #[test]
    fn a_socket_that_a_dead_daemon_left_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sluiced.sock");
        drop(UnixListener::bind(&path).unwrap());
        drop(UnixListener::bind(with_suffix(&path, ".new")).unwrap());
        assert!(UnixStream::connect(&path).is_err());

        let lock = SocketLock::take(&path).unwrap();
        let _listener = lock.listen().unwrap();

        UnixStream::connect(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
    }

    #[test]
    fn the_socket_is_gone_when_the_daemon_stops() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sluiced.sock");
        let lock = SocketLock::take(&path).unwrap();
        let listener = lock.listen().unwrap();

        drop((listener, lock));

        assert!(!path.exists());
    }
}
