//! The protocol thread: ARP, neighbour discovery, ping, BFD and path MTU on the underlay, and answers
//! on behalf of tunnels.
//!
//! ```text
//!  workers ==== protocol rings ===> Thread: Machine, NeighborLearner ==== Originator ===> workers
//!                                     |  ^          |
//!                     live cells <----+  | Order    | Report
//!                                        |          v
//!                                       control thread
//! ```
//!
//! It never waits for the control thread: that a peer is gone takes effect by a store into the peer's
//! cell, and the control thread compiles the site without the peer when it gets to it. All it waits
//! for is the time, in steps of at most a millisecond, so that BFD intervals of 10 ms hold while the
//! rest of the daemon compiles.

mod answers;
mod attention;
mod thread;
mod timing;
mod view;

use std::collections::BTreeSet;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use bridge_model::compile::{Tables, UnderlayTable};
use bridge_model::types::{Fid, Name, PortId};
use bridge_model::wire::bfd::Diagnostic;
use fwd::counters::{CounterSlots, Owner, PortSlot};
use fwd::{Live, ProtocolFrame};
use fwd_worker::{Links, Originator};
use rtrb::Consumer;

pub use view::{Board, Conflict, ProtocolView, Statistics};

use crate::clock::Clock;
use thread::Thread;

/// What the thread needs to know of the site in force.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Links and peers.
    pub table: UnderlayTable,
    /// By link: what its packets are counted for, and the name of that.
    pub ports: Vec<Option<(PortSlot, Name)>>,
    /// How long what is learned in a domain with `neighborSuppression` lives, by fid.
    pub suppress: Vec<Option<Duration>>,
    /// Domains in which stations have been forgotten.
    pub withdrawn: BTreeSet<Fid>,
}

impl Facts {
    /// Those of compiled tables.
    pub fn new(tables: &Tables, slots: &CounterSlots, withdrawn: BTreeSet<Fid>) -> Self {
        let port = |id: PortId| {
            let name = tables.ports.get(id.index())?.name.clone();
            let slot = slots.find(&Owner::Port(name.clone())).unwrap_or_default();
            Some((slot, name))
        };
        Self {
            ports: tables.underlay.links.iter().map(|link| port(link.port)).collect(),
            table: machine_part(&tables.underlay),
            suppress: tables.fids.iter().map(|fid| fid.suppress.then_some(fid.ageing)).collect(),
            withdrawn,
        }
    }
}

/// What the machines read. The bridges of each VNI are not among it: of a large site they would take
/// longer to free than a BFD interval.
fn machine_part(table: &UnderlayTable) -> UnderlayTable {
    UnderlayTable {
        links: table.links.clone(),
        local: table.local.clone(),
        peers: table.peers.clone(),
        vxlan_ports: table.vxlan_ports.clone(),
        ..UnderlayTable::default()
    }
}

/// What the control thread asks of the protocol thread.
#[derive(Debug)]
enum Order {
    /// Another site is in force.
    Site(Box<Facts>),
    /// Take leave of peers and end.
    Stop,
}

/// What the protocol thread tells the control thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// Nothing is sent to a peer any more.
    PeerDown {
        /// The host or tunnel.
        name: Name,
        /// Why.
        diagnostic: Diagnostic,
    },
    /// Frames are sent to it again.
    PeerUp {
        /// The host or tunnel.
        name: Name,
    },
    /// The largest packet that reaches a peer has changed.
    PathMtu {
        /// The host or tunnel.
        name: Name,
        /// In octets.
        mtu: u16,
    },
    /// Another station uses an address of ours.
    Conflict(Conflict),
}

/// What the thread is made of.
#[derive(Debug)]
pub struct Parts {
    /// The clock.
    pub clock: Clock,
    /// Makes discriminators and jitter; differs from start to start.
    pub seed: u64,
    /// Which interfaces can send.
    pub links: Links,
    /// The cells of next hops and peers, and the neighbours that workers answer for.
    pub live: Arc<Live>,
    /// Frames from each worker.
    pub rings: Vec<Consumer<ProtocolFrame>>,
    /// The way to send by each worker.
    pub originators: Vec<Originator>,
    /// The site in force.
    pub facts: Facts,
    /// Where it shows itself.
    pub board: Arc<Board>,
}

/// The control thread's end.
#[derive(Debug)]
pub struct ProtocolHandle {
    orders: mpsc::Sender<Order>,
    reports: mpsc::Receiver<Report>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the thread.
///
/// # Errors
/// The system has no thread left.
pub fn spawn(parts: Parts) -> std::io::Result<ProtocolHandle> {
    let (orders, given) = mpsc::channel();
    let (reported, reports) = mpsc::channel();
    let thread = std::thread::Builder::new().name("sluice-proto".to_owned());
    let thread = thread.spawn(move || Thread::new(parts, given, reported).run())?;
    Ok(ProtocolHandle { orders, reports, thread: Some(thread) })
}

impl ProtocolHandle {
    /// Another site is in force. Does not wait.
    pub fn site(&self, facts: Facts) {
        // If the thread is gone there is nobody to be told.
        let _ = self.orders.send(Order::Site(Box::new(facts)));
    }

    /// What the thread has to tell, oldest first.
    pub fn reports(&self) -> impl Iterator<Item = Report> {
        self.reports.try_iter()
    }

    /// Takes leave of the peers and ends the thread. What it sends last is with the workers then.
    pub fn stop(&mut self) {
        let _ = self.orders.send(Order::Stop);
        if let Some(thread) = self.thread.take() {
            // It does not panic; and if it has, there is nothing left to stop.
            let _ = thread.join();
        }
    }
}

impl Drop for ProtocolHandle {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What a diagnostic says (RFC 5880 section 4.1); empty for "none".
pub const fn diagnostic_text(diagnostic: Diagnostic) -> &'static str {
    match diagnostic.0 {
        0 => "",
        1 => "nothing was heard for the detection time",
        2 => "the echo function failed",
        3 => "the other side says that it is down",
        4 => "the forwarding plane was reset",
        5 => "the path is down",
        6 => "a concatenated path is down",
        7 => "held down by the administrator",
        8 => "a reverse concatenated path is down",
        _ => "an unknown reason",
    }
}
