//! Topology changes of the fabric, read off spanning tree frames that pass or end here, and what to
//! forget because of them (forwarding rules section 5, redundancy rules section 4).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::compile::Scope;
use crate::topology::{Binding, Topology};
use crate::types::{Name, VlanId};
use crate::wire::bpdu::Bpdu;
use crate::wire::ethernet::Header;

/// What a spanning tree frame says about the topology of the fabric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal {
    /// The VLAN whose tree it is about; `None` is all VLANs (or VLANs that cannot be known).
    pub vid: Option<VlanId>,
    /// Whether it signals a topology change.
    pub topology_change: bool,
}

/// The signal in `frame`, which arrived on a trunk with native VLAN `native`. `None` if it is no
/// spanning tree frame.
pub fn signal(frame: &[u8], native: Option<VlanId>) -> Option<Signal> {
    let header = Header::parse(frame).ok()?;
    let bpdu = Bpdu::parse(frame, &header).ok()?;
    let vid = bpdu.per_vlan.and_then(|named| {
        let tagged = header.outer_vid_raw().and_then(|raw| VlanId::new(raw).ok());
        tagged.or(named).or(native)
    });
    Some(Signal { vid, topology_change: bpdu.topology_change })
}

/// What `frame`, which arrived on `interface` of `host`, asks to be forgotten, ignoring that it may
/// be one of many: the MACs behind every trunk of the gateway bridge, for PVST+ in that VLAN only.
/// [`Snooper`] turns the repetitions of one change into one flush.
pub fn topology_change(
    topology: &Topology,
    host: &Name,
    interface: &Name,
    frame: &[u8],
) -> Option<Scope> {
    let binding = Binding { host: host.clone(), interface: interface.clone() };
    let trunk = topology.trunks.values().find(|trunk| trunk.binding() == Some(&binding))?;
    let signal = signal(frame, trunk.native)?;
    let name = trunk.gateway_bridge.clone();
    signal.topology_change.then_some(Scope::GatewayBridge { name, vid: signal.vid })
}

/// Turns the topology change flags that a trunk receives into flushes: one when the flag of a tree
/// goes up, none while it stays up, at most one per second and (gateway bridge, VLAN).
///
/// A flag that goes up too early after the last flush is not lost: its flush is due when the second
/// is over, see [`Snooper::due`].
#[derive(Clone, Debug, Default)]
pub struct Snooper {
    /// Trees whose flag is up, by (trunk, VLAN), with the time of the last frame that said so.
    raised: BTreeMap<(Name, Option<VlanId>), Duration>,
    /// When each (gateway bridge, VLAN) was flushed last, and whether another flush is waiting.
    flushed: BTreeMap<(Name, Option<VlanId>), Flushed>,
}

#[derive(Clone, Copy, Debug)]
struct Flushed {
    at: Duration,
    waiting: bool,
}

impl Snooper {
    /// The least time between two flushes of one (gateway bridge, VLAN).
    pub const HOLD: Duration = Duration::from_secs(1);
    /// A flag that was not seen for this long is down: three hellos at the default of 2 s.
    pub const FORGET: Duration = Duration::from_secs(6);

    /// Takes a frame that arrived on `interface` of `host` at `now`. Returns what to flush at once.
    pub fn frame(
        &mut self,
        now: Duration,
        topology: &Topology,
        (host, interface): (&Name, &Name),
        frame: &[u8],
    ) -> Option<Scope> {
        let binding = Binding { host: host.clone(), interface: interface.clone() };
        let trunk = topology.trunks.values().find(|trunk| trunk.binding() == Some(&binding))?;
        let signal = signal(frame, trunk.native)?;
        let tree = (trunk.name.clone(), signal.vid);
        if !signal.topology_change {
            self.raised.remove(&tree);
            return None;
        }
        let before = self.raised.insert(tree, now);
        if before.is_some_and(|seen| now.saturating_sub(seen) < Self::FORGET) {
            return None;
        }
        self.flush(now, &trunk.gateway_bridge, signal.vid)
    }

    /// The flushes that had to wait and whose time has come at `now`.
    pub fn due(&mut self, now: Duration) -> Vec<Scope> {
        self.raised.retain(|_, seen| now.saturating_sub(*seen) < Self::FORGET);
        let mut due = Vec::new();
        self.flushed.retain(|(gateway, vid), flushed| {
            let held = now.saturating_sub(flushed.at) < Self::HOLD;
            if flushed.waiting && !held {
                *flushed = Flushed { at: now, waiting: false };
                due.push(Scope::GatewayBridge { name: gateway.clone(), vid: *vid });
                return true;
            }
            held
        });
        due
    }

    fn flush(&mut self, now: Duration, gateway: &Name, vid: Option<VlanId>) -> Option<Scope> {
        let key = (gateway.clone(), vid);
        if let Some(flushed) = self.flushed.get_mut(&key)
            && now.saturating_sub(flushed.at) < Self::HOLD
        {
            flushed.waiting = true;
            return None;
        }
        self.flushed.insert(key, Flushed { at: now, waiting: false });
        Some(Scope::GatewayBridge { name: gateway.clone(), vid })
    }
}
