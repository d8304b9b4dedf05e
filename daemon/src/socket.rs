//! The control socket: replaced when a dead daemon left it, removed when this one stops.
//!
//! That no other daemon is alive is the caller's to know: it holds the instance lock.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// Owner and group may talk to the daemon.
const MODE: u32 = 0o660;

/// The socket could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step} the control socket {path}: {source}", path = path.display())]
pub struct SocketError {
    /// What was being done.
    pub step: &'static str,
    /// The socket.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

/// A socket file that goes when this goes.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

/// Listens at `path`, whatever was there. Clients see the old socket or the new one with its
/// permissions, nothing between.
pub fn listen(path: &Path) -> Result<(UnixListener, SocketFile), SocketError> {
    let error = |step| move |source| SocketError { step, path: path.to_owned(), source };
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(error("make the directory of"))?;
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    match fs::remove_file(&temporary) {
        Err(refused) if refused.kind() != io::ErrorKind::NotFound => {
            return Err(error("clear the place of")(refused));
        }
        _ => {}
    }
    let listener = UnixListener::bind(&temporary).map_err(error("make"))?;
    fs::set_permissions(&temporary, Permissions::from_mode(MODE))
        .map_err(error("set the permissions of"))?;
    fs::rename(&temporary, path).map_err(error("put in place"))?;
    Ok((listener, SocketFile(path.to_owned())))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // If it is gone already, so be it.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_socket_that_a_dead_daemon_left_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run/sluiced.sock");
        fs::create_dir(directory.path().join("run")).unwrap();
        drop(UnixListener::bind(&path).unwrap());
        drop(UnixListener::bind(directory.path().join("run/sluiced.sock.new")).unwrap());
        assert!(UnixStream::connect(&path).is_err());

        let _socket = listen(&path).unwrap();

        UnixStream::connect(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
    }

    #[test]
    fn the_socket_is_gone_when_the_daemon_stops() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run/sluiced.sock");
        let socket = listen(&path).unwrap();
        assert!(path.exists());

        drop(socket);

        assert!(!path.exists());
    }

    #[test]
    fn a_place_that_cannot_be_used_is_named_with_what_was_tried() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();

        let error = listen(&file.join("sluiced.sock")).unwrap_err().to_string();

        assert!(error.contains("cannot make the directory"), "{error}");
    }
}
