//! A packet socket on a kernel interface: the other end of the wire.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, bind, recv, send, socket,
};

/// One end of a wire.
pub(crate) struct Wire(OwnedFd);

impl Wire {
    /// The wire at a kernel interface, which must be up.
    pub(crate) fn at(interface: &str) -> Self {
        let socket = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_NONBLOCK,
            SockProtocol::EthAll,
        )
        .unwrap();
        let mut addresses = getifaddrs().unwrap();
        let link = addresses
            .find_map(|address| {
                let link = *address.address?.as_link_addr()?;
                (address.interface_name == interface).then_some(link)
            })
            .unwrap_or_else(|| panic!("no interface {interface}"));
        bind(socket.as_raw_fd(), &link).unwrap();
        Self(socket)
    }

    pub(crate) fn send(&self, frame: &[u8]) {
        let sent = send(self.0.as_raw_fd(), frame, MsgFlags::empty()).unwrap();
        assert_eq!(sent, frame.len());
    }

    /// The next frame that has arrived.
    pub(crate) fn receive(&self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 16384];
        match recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Ok(octets) => {
                buffer.truncate(octets);
                Some(buffer)
            }
            Err(nix::errno::Errno::EAGAIN) => None,
            Err(error) => panic!("{}", io::Error::from(error)),
        }
    }

    /// Whether `frame` has arrived since the last call.
    pub(crate) fn has(&self, frame: &[u8]) -> bool {
        std::iter::from_fn(|| self.receive()).any(|got| got == frame)
    }
}
