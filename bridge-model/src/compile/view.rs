//! What a host has: the other half of what tables are compiled from.

use std::collections::{BTreeMap, BTreeSet};

use crate::types::{InterfaceId, MacAddr, Name};

/// Whether a device has carrier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// It can send and receive.
    #[default]
    Up,
    /// It cannot: its ports are no place to send to, and what was learned behind them is void.
    Down,
}

/// An interface of the node file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceView {
    /// Its name in the node file.
    pub name: Name,
    /// The largest layer 3 packet it can send, in octets.
    pub mtu: u16,
    /// Its own address: the source of what this host sends as a station.
    pub mac: MacAddr,
    /// Whether it has carrier.
    pub link: Link,
}

/// One host as its daemon sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostView {
    /// The host's name, as the topology knows it.
    pub host: Name,
    /// Its interfaces; the index is the [`InterfaceId`].
    pub interfaces: Vec<InterfaceView>,
    /// Hosts and tunnels (by the names of those objects) that are known to be out of reach: nothing is
    /// sent to them, and what was learned behind them is void.
    pub peers_down: BTreeSet<Name>,
    /// The largest IP packet that was found to reach a peer, in octets, where that is less than what
    /// the links take.
    pub path_mtus: BTreeMap<Name, u16>,
}

impl HostView {
    /// A host that knows of no peer that is out of reach.
    pub const fn new(host: Name, interfaces: Vec<InterfaceView>) -> Self {
        Self { host, interfaces, peers_down: BTreeSet::new(), path_mtus: BTreeMap::new() }
    }

    /// The number of the interface `name`.
    pub fn interface_id(&self, name: &Name) -> Option<InterfaceId> {
        let index = self.interfaces.iter().position(|interface| interface.name == *name)?;
        u16::try_from(index).ok().map(InterfaceId)
    }

    /// The interface with number `id`.
    pub fn interface(&self, id: InterfaceId) -> Option<&InterfaceView> {
        self.interfaces.get(id.index())
    }
}
