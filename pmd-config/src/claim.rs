//! Keeps two gateways off one kernel interface.
//!
//! A kernel interface takes any number of packet sockets, so a second gateway on it would forward
//! every frame once more. The claim is an abstract Unix socket that bears the interface's name: like
//! the interface it is unique in its network namespace, and it vanishes with the process, however
//! that ends.

use std::io::{Error, ErrorKind};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};

/// The interface is this process's until the claim is dropped.
#[derive(Debug)]
pub struct Claim(#[expect(dead_code, reason = "held for its lifetime")] UnixListener);

/// Why an interface cannot be claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Another process has it.
    #[error(
        "kernel interface {interface} is in use by another sluiced: two gateways on one interface \
         would forward every frame twice; stop the other one, or take the interface out of one node \
         file"
    )]
    Taken {
        /// The kernel interface.
        interface: String,
    },
    /// The system refuses.
    #[error("cannot claim kernel interface {interface}: {source}")]
    System {
        /// The kernel interface.
        interface: String,
        /// What the system said.
        source: Error,
    },
}

impl Claim {
    /// Claims the kernel interface in the calling thread's network namespace.
    ///
    /// # Errors
    /// Another process has it, or the system has no socket to give.
    pub fn take(interface: &str) -> Result<Self, ClaimError> {
        let name = format!("sluice/interface/{interface}");
        let listener = SocketAddr::from_abstract_name(name)
            .and_then(|address| UnixListener::bind_addr(&address));
        listener.map(Self).map_err(|source| {
            let interface = interface.to_owned();
            match source.kind() {
                ErrorKind::AddrInUse => ClaimError::Taken { interface },
                _ => ClaimError::System { interface, source },
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_has_one_holder_at_a_time() {
        // No interface of this name need exist; the process id keeps parallel tests apart.
        let name = format!("t{}", std::process::id());
        let first = Claim::take(&name).unwrap();
        assert!(
            matches!(Claim::take(&name), Err(ClaimError::Taken { interface }) if interface == name)
        );
        drop(first);
        assert!(Claim::take(&name).is_ok());
    }
}
