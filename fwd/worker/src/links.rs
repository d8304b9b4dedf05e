//! The state of the links: asked by a control thread, read by workers as one octet.

use bridge_model::types::InterfaceId;
use rte_rs::{Device, LinkState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One flag for each interface: whether it can send. Down until a [`LinkMonitor`] says otherwise.
#[derive(Clone, Debug)]
pub struct Links(Arc<[AtomicBool]>);

impl Links {
    /// For interfaces with numbers below `interfaces`.
    pub fn new(interfaces: usize) -> Self {
        Self((0..interfaces).map(|_| AtomicBool::new(false)).collect())
    }

    /// How many interfaces there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the interface can send.
    #[inline]
    pub fn is_up(&self, interface: InterfaceId) -> bool {
        self.0.get(interface.index()).is_some_and(|up| up.load(Ordering::Relaxed))
    }

    /// Says whether the interface can send.
    pub fn set(&self, interface: InterfaceId, up: bool) {
        if let Some(flag) = self.0.get(interface.index()) {
            flag.store(up, Ordering::Relaxed);
        }
    }
}

/// A link that is not what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkChange {
    /// Whose link.
    pub interface: InterfaceId,
    /// What it was.
    pub from: LinkState,
    /// What it is.
    pub to: LinkState,
}

/// Asks devices for their links and tells the workers. Belongs to a control thread, which calls
/// [`turn`](Self::turn) every 10 ms or so: that is how long frames are sent into a dead link.
#[derive(Debug)]
pub struct LinkMonitor {
    links: Links,
    known: Vec<LinkState>,
}

impl LinkMonitor {
    /// A monitor that takes every link to be down.
    pub fn new(links: Links) -> Self {
        let known = vec![LinkState::Down; links.len()];
        Self { links, known }
    }

    /// Asks each device and returns what has changed since the last call. An interface whose device
    /// is not listed is left as it was.
    pub fn turn<'d>(
        &mut self,
        devices: impl IntoIterator<Item = (InterfaceId, &'d Device)>,
    ) -> Vec<LinkChange> {
        let states = devices.into_iter().map(|(interface, device)| (interface, device.link()));
        states.filter_map(|(interface, to)| self.note(interface, to)).collect()
    }

    /// Takes the state of one link, as from a device that has been unplugged.
    pub fn note(&mut self, interface: InterfaceId, to: LinkState) -> Option<LinkChange> {
        let known = self.known.get_mut(interface.index())?;
        let from = std::mem::replace(known, to);
        self.links.set(interface, to == LinkState::Up);
        (from != to).then_some(LinkChange { interface, from, to })
    }

    /// The state of a link as last asked.
    pub fn state(&self, interface: InterfaceId) -> LinkState {
        self.known.get(interface.index()).copied().unwrap_or(LinkState::Down)
    }
}
