//! A packet socket on a kernel interface: the other end of a gateway's wire.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, bind, recv, send, socket,
};

use crate::gateway::{PATIENCE, ip};

/// One end of a wire.
pub(crate) struct Wire(OwnedFd);

impl Wire {
    /// The wire at a kernel interface, which must be up.
    pub(crate) fn at(interface: &str) -> Self {
        let flags = SockFlag::SOCK_NONBLOCK;
        let protocol = SockProtocol::EthAll;
        let socket = socket(AddressFamily::Packet, SockType::Raw, flags, protocol).unwrap();
        let link = getifaddrs()
            .unwrap()
            .find_map(|address| {
                let link = *address.address?.as_link_addr()?;
                (address.interface_name == interface).then_some(link)
            })
            .unwrap_or_else(|| panic!("no interface {interface}"));
        bind(socket.as_raw_fd(), &link).unwrap();
        Self(socket)
    }

    /// Makes a cable: `name` is the gateway's end, `peer` is ours.
    pub(crate) fn cable(name: &str, peer: &str) -> Self {
        ip(&format!("link add {name} type veth peer name {peer}"));
        for end in [name, peer] {
            // The kernel's own frames would be counted as well.
            let setting = format!("/proc/sys/net/ipv6/conf/{end}/disable_ipv6");
            std::fs::write(&setting, "1").unwrap_or_else(|error| panic!("{setting}: {error}"));
            ip(&format!("link set {end} up"));
        }
        Self::at(peer)
    }

    pub(crate) fn send(&self, frame: &[u8]) {
        let sent = send(self.0.as_raw_fd(), frame, MsgFlags::empty()).unwrap();
        assert_eq!(sent, frame.len());
    }

    /// The next frame of ours that has arrived. The kernel takes the outer tag off.
    pub(crate) fn receive(&self) -> Option<Vec<u8>> {
        self.receive_where(crate::frames::is_ours)
    }

    fn receive_where(&self, is_wanted: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 16384];
        loop {
            match recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Ok(octets) if is_wanted(&buffer[..octets]) => {
                    return Some(buffer[..octets].to_vec());
                }
                Ok(_) => {}
                Err(Errno::EAGAIN) => return None,
                Err(error) => panic!("receive: {error}"),
            }
        }
    }

    /// Waits for the next frame of ours.
    #[track_caller]
    pub(crate) fn expect(&self) -> Vec<u8> {
        self.expect_where(crate::frames::is_ours)
    }

    /// Waits for the next frame, whoever sent it, for which `is_wanted` holds.
    #[track_caller]
    pub(crate) fn expect_where(&self, is_wanted: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(frame) = self.receive_where(&is_wanted) {
                return frame;
            }
            assert!(Instant::now() < deadline, "no frame arrived");
            std::thread::yield_now();
        }
    }
}
