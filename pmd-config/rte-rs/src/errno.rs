//! Error numbers as DPDK reports them.

use std::fmt;

/// A positive `errno`. 0 means that DPDK failed without saying why.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(i32);

impl Errno {
    /// "No such device": what DPDK and the kernel say of an interface that is gone.
    pub const NO_DEVICE: Self = Self(libc::ENODEV);

    /// The number.
    pub const fn get(self) -> i32 {
        self.0
    }

    /// The error in a return value: DPDK returns `-errno`, and here and there -1 and `rte_errno`.
    pub(crate) fn check(code: i32) -> Result<i32, Self> {
        match code {
            0.. => Ok(code),
            -1 => Err(Self::of_thread()),
            negative => Err(Self(negative.saturating_neg())),
        }
    }

    /// `rte_errno` of the calling thread.
    pub(crate) fn of_thread() -> Self {
        // SAFETY: reads a thread-local integer.
        Self(unsafe { dpdk_sys::sluice_rte_errno() })
    }

    /// `errno` of the calling thread.
    pub(crate) fn last_os_error() -> Self {
        Self(std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("no error number given"),
            code => std::io::Error::from_raw_os_error(code).fmt(f),
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({self})", self.0)
    }
}

impl std::error::Error for Errno {}
