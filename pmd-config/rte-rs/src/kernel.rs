//! The kernel's side of a device that has one (`net_af_packet`, `net_tap`).
//!
//! Those drivers report "up" whatever happens to the interface, and refuse any MTU above 1500. So
//! the kernel is asked itself, by index: the index stays with an interface that is renamed and dies
//! with it.

use crate::errno::Errno;
use std::ffi::{CString, c_int, c_short};
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Whether frames can cross a device now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// They can.
    Up,
    /// No carrier, no peer, or administratively down.
    Down,
    /// The device or its kernel interface no longer exists. It does not come back: plug a new one.
    Removed,
}

/// The kernel has no interface of this name here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no kernel interface {name:?} in this network namespace ({errno}): see `ip link`")]
pub struct UnknownInterface {
    /// The name asked for.
    pub name: String,
    /// Why.
    pub errno: Errno,
}

/// A kernel interface, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub(crate) struct KernelInterface {
    socket: OwnedFd,
    index: c_int,
}

fn empty_request() -> libc::ifreq {
    let request = MaybeUninit::<libc::ifreq>::zeroed();
    // SAFETY: zeroes are a valid `ifreq`: an empty name and integers.
    unsafe { request.assume_init() }
}

impl KernelInterface {
    /// The interface with this index, as `if_nametoindex` gives it; 0 names none.
    pub(crate) fn open(index: u32) -> Result<Self, Errno> {
        // SAFETY: takes integers.
        let socket =
            unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
        if socket < 0 {
            return Err(Errno::last_os_error());
        }
        // SAFETY: the socket was opened above and belongs to nobody else.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        Ok(Self { socket, index: c_int::try_from(index).map_err(|_| Errno::NO_DEVICE)? })
    }

    /// The interface of this name in the calling thread's network namespace.
    pub(crate) fn named(name: &str) -> Result<Self, UnknownInterface> {
        let unknown = |errno| UnknownInterface { name: name.to_owned(), errno };
        let c_name = CString::new(name).map_err(|_| unknown(Errno::NO_DEVICE))?;
        // SAFETY: `c_name` is a C string.
        let index = unsafe { libc::if_nametoindex(c_name.as_ptr()) };
        if index == 0 {
            return Err(unknown(Errno::last_os_error()));
        }
        Self::open(index).map_err(unknown)
    }

    /// A request that names the interface as it is called now.
    fn request(&self) -> Result<libc::ifreq, Errno> {
        let mut request = empty_request();
        request.ifr_ifru.ifru_ifindex = self.index;
        self.ioctl(libc::SIOCGIFNAME, &mut request)?;
        Ok(request)
    }

    fn ioctl(&self, what: libc::c_ulong, request: &mut libc::ifreq) -> Result<(), Errno> {
        // SAFETY: the socket is open, and every request used here reads and writes one `ifreq`.
        let code =
            unsafe { libc::ioctl(self.socket.as_raw_fd(), what, std::ptr::from_mut(request)) };
        if code < 0 { Err(Errno::last_os_error()) } else { Ok(()) }
    }

    fn flags(&self) -> Result<(libc::ifreq, c_int), Errno> {
        let mut request = self.request()?;
        self.ioctl(libc::SIOCGIFFLAGS, &mut request)?;
        // SAFETY: SIOCGIFFLAGS fills in this member.
        let flags = unsafe { request.ifr_ifru.ifru_flags };
        Ok((request, c_int::from(flags)))
    }

    /// Whether frames can cross the interface.
    pub(crate) fn link(&self) -> LinkState {
        const READY: c_int = libc::IFF_UP | libc::IFF_RUNNING;
        match self.flags() {
            Ok((_, flags)) if flags & READY == READY => LinkState::Up,
            Err(Errno::NO_DEVICE) => LinkState::Removed,
            Ok(_) | Err(_) => LinkState::Down,
        }
    }

    /// Sets the interface administratively up.
    pub(crate) fn set_up(&self) -> Result<(), Errno> {
        let (mut request, flags) = self.flags()?;
        if flags & libc::IFF_UP != 0 {
            return Ok(());
        }
        #[expect(clippy::cast_possible_truncation, reason = "the kernel's type for flags here")]
        let flags = (flags | libc::IFF_UP) as c_short;
        request.ifr_ifru.ifru_flags = flags;
        self.ioctl(libc::SIOCSIFFLAGS, &mut request)
    }

    /// The interface's MTU.
    pub(crate) fn mtu(&self) -> Result<u32, Errno> {
        let mut request = self.request()?;
        self.ioctl(libc::SIOCGIFMTU, &mut request)?;
        // SAFETY: SIOCGIFMTU fills in this member.
        Ok(u32::try_from(unsafe { request.ifr_ifru.ifru_mtu }).unwrap_or(0))
    }

    /// Sets the interface's MTU.
    pub(crate) fn set_mtu(&self, mtu: u16) -> Result<(), Errno> {
        let mut request = self.request()?;
        request.ifr_ifru.ifru_mtu = c_int::from(mtu);
        self.ioctl(libc::SIOCSIFMTU, &mut request)
    }

    /// Turns off generic receive offload: merged segments are longer than any frame, and the
    /// driver would cut them.
    pub(crate) fn disable_receive_merging(&self) -> Result<(), Errno> {
        /// `ETHTOOL_SGRO` and its argument, as in linux/ethtool.h.
        #[repr(C)]
        struct Value {
            command: u32,
            data: u32,
        }
        let mut request = self.request()?;
        let mut value = Value { command: 0x2c, data: 0 };
        request.ifr_ifru.ifru_data = (&raw mut value).cast();
        self.ioctl(libc::SIOCETHTOOL, &mut request)
    }
}

const _: () = assert!(size_of::<libc::ifreq>() == 40);
