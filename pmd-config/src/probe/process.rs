//! What this process may do.

use super::root::Root;
use crate::amount::Octets;

/// The permissions of this process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// The effective user id.
    pub user: u32,
    /// The effective capabilities as the kernel prints them: one bit each.
    capabilities: u64,
    /// How much memory it may lock; `None` is no limit.
    pub memlock: Option<Octets>,
}

/// A capability (capabilities(7)) that some kind of interface needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// Make and change interfaces.
    NetAdmin = 12,
    /// Open packet sockets.
    NetRaw = 13,
    /// Lock memory beyond the limit.
    IpcLock = 14,
}

impl Capability {
    /// The name as systemd and setpriv write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::NetRaw => "CAP_NET_RAW",
            Self::IpcLock => "CAP_IPC_LOCK",
        }
    }
}

impl Process {
    pub(super) fn probe(root: &Root) -> Self {
        let user = super::status_field(root, "Uid")
            .and_then(|text| text.split_whitespace().nth(1)?.parse().ok());
        let capabilities = super::status_field(root, "CapEff")
            .and_then(|text| u64::from_str_radix(&text, 16).ok());
        let limits = root.text("/proc/thread-self/limits").unwrap_or_default();
        let memlock = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max locked memory"))
            .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .map(Octets);
        Self { user: user.unwrap_or(0), capabilities: capabilities.unwrap_or(0), memlock }
    }

    /// Whether it has `capability`.
    pub const fn has(&self, capability: Capability) -> bool {
        self.capabilities >> capability as u32 & 1 != 0
    }
}
