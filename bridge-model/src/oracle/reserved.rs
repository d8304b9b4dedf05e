//! Section 5: destinations that are addressed to bridges.

use super::outcome::{Leaving, Outcome};
use super::rewrite::Transit;
use super::site::{Ports, Site};
use crate::reason::{DropReason, PuntReason};
use crate::topology::{RedundancyMode, ReservedPolicy, TrunkPort};
use crate::types::{MacAddr, VlanId};
use crate::wire::ethernet::Header;
use crate::wire::reserved::ReservedClass::{self, LinkLocal, Pvst, Registration, Vendor};

impl Site {
    /// The fate of a frame to a reserved destination.
    pub(super) fn reserved(
        &self,
        ports: Ports<'_>,
        class: ReservedClass,
        header: Header,
        frame: &[u8],
    ) -> Outcome {
        let Some(trunk) = ports.trunk else {
            return match class {
                // An interface of the underlay alone leads to a switch of the fabric.
                LinkLocal(0xe) if ports.is_underlay_only() => Outcome::Consumed(PuntReason::Lldp),
                LinkLocal(0x0 | 0x8) | Pvst if ports.access.is_some() => {
                    Outcome::Dropped(DropReason::BpduOnAccess)
                }
                LinkLocal(_) | Pvst | Registration(_) | Vendor => {
                    Outcome::Dropped(DropReason::Reserved)
                }
            };
        };
        let is_tagged = header.outer_vid_raw().is_some_and(|vid| vid != 0);
        let passes_bpdus = self
            .gateway_of(trunk)
            .is_some_and(|gateway| gateway.mode == RedundancyMode::StpTransparent);
        match class {
            LinkLocal(0x0 | 0x8) if is_tagged => Outcome::Dropped(DropReason::BpduTagged),
            LinkLocal(0x0 | 0x8) | Pvst if passes_bpdus => self.relay(trunk, header, frame),
            LinkLocal(0x0 | 0x8) => Outcome::Consumed(PuntReason::Bpdu),
            Pvst => Outcome::Consumed(PuntReason::Pvst),
            LinkLocal(0x2) => Outcome::Consumed(PuntReason::SlowProtocol),
            LinkLocal(0xe) => Outcome::Consumed(PuntReason::Lldp),
            LinkLocal(_) | Registration(_) if self.policy_passes(trunk, header.destination) => {
                self.relay(trunk, header, frame)
            }
            LinkLocal(_) | Registration(_) | Vendor => Outcome::Dropped(DropReason::Reserved),
        }
    }

    fn policy_passes(&self, trunk: &TrunkPort, address: MacAddr) -> bool {
        self.gateway_of(trunk)
            .is_some_and(|gateway| gateway.reserved.get(&address) == Some(&ReservedPolicy::Pass))
    }

    /// To the other trunks of the gateway bridge, byte for byte; with a VID, to those that carry it.
    fn relay(&self, from: &TrunkPort, header: Header, frame: &[u8]) -> Outcome {
        let carries = |trunk: &TrunkPort| match header.outer_vid_raw() {
            None | Some(0) => true,
            Some(raw) => VlanId::new(raw).is_ok_and(|vid| self.carries(trunk, vid)),
        };
        let transit = Transit::unchanged(frame, header);
        let mut leaving = Leaving::default();
        for trunk in self.topology.trunks.values() {
            let is_other = trunk.gateway_bridge == from.gateway_bridge && trunk.name != from.name;
            if !is_other || !self.trunk_is_up(trunk) || !carries(trunk) {
                continue;
            }
            if let Some(interface) = self.live(trunk.binding()) {
                leaving.push(self.send(&transit, interface, &[]));
            }
        }
        if leaving.is_empty() {
            return Outcome::Dropped(DropReason::BpduNoRelay);
        }
        // To groups only, so nobody is told that a frame was too long.
        leaving.finish().0
    }
}
