//! Sections 2.3, 2.5 and 3: which bridge, which tag.

use super::site::{Ports, Site};
use crate::compile::{Domain, Place, StormLimits};
use crate::reason::DropReason;
use crate::topology::{AccessPort, GatewayBridge, LinkKey, StormControl, TrunkPort};
use crate::types::{Name, Tpid, VlanId, VlanTag};
use crate::wire::ethernet::Header;

/// A frame that belongs somewhere.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    /// Where it is learned and forwarded.
    pub(super) domain: Domain,
    /// Of a transparent bridge: the VID of the payload's outer tag.
    pub(super) payload_vid: Option<VlanId>,
    /// Where it came in.
    pub(super) place: Place,
    /// How many tags are taken off.
    pub(super) popped: usize,
    /// The limits on flooded traffic of the port it came in by.
    pub(super) storm: StormControl,
}

impl Arrival {
    /// The port it came in by, and the VID it had there.
    pub(super) fn port_and_vid(&self) -> (&Name, Option<VlanId>) {
        match &self.place {
            Place::Access(port) | Place::Peer(port) => (port, None),
            Place::Trunk { trunk, vid, .. } => (trunk, Some(*vid)),
        }
    }
}

impl Site {
    /// Rule 2.3. A tagged frame is for the trunk if there is one, and an untagged frame for the trunk
    /// if it has a native VLAN; the rest is for the access port. Control frames are for the trunk.
    /// Beside an underlay link, where tags are read first, a priority tag is none.
    pub(super) fn check_admin(
        &self,
        ports: Ports<'_>,
        header: &Header,
        is_control: bool,
    ) -> Result<(), DropReason> {
        let is_tagged = header.outer_vid_raw().is_some_and(|vid| vid != 0 || !ports.underlay);
        let is_up = match ports {
            Ports { trunk: Some(trunk), access, .. }
                if is_control || is_tagged || trunk.native.is_some() || access.is_none() =>
            {
                self.trunk_is_up(trunk)
            }
            Ports { access, .. } => access.is_none_or(|access| self.access_is_up(access)),
        };
        if is_up { Ok(()) } else { Err(DropReason::AdminDown) }
    }

    /// Rule 2.5 and section 3.
    pub(super) fn classify(
        &self,
        ports: Ports<'_>,
        header: &Header,
    ) -> Result<Arrival, DropReason> {
        let Some(tag) = header.outer else {
            return self.untagged(ports, 0);
        };
        match ports {
            Ports { trunk: Some(trunk), .. } => {
                if tag.tpid != trunk.tpid {
                    return Err(DropReason::BadTpid);
                }
                match named_vid(tag)? {
                    None => self.untagged(ports, 1),
                    Some(vid) => self.on_trunk(trunk, vid, header.inner, 1),
                }
            }
            Ports { access: Some(access), .. } => match (self.is_transparent(access), tag) {
                (true, tag) => Ok(self.on_access(access, named_vid(tag)?, 0)),
                (false, tag) => match named_vid(tag)? {
                    None => self.untagged(ports, 1),
                    Some(_) => Err(DropReason::TaggedOnAccess),
                },
            },
            Ports { trunk: None, access: None, .. } => Err(DropReason::PortUnbound),
        }
    }

    /// A frame without tag, or with a priority tag that is taken off.
    fn untagged(&self, ports: Ports<'_>, popped: usize) -> Result<Arrival, DropReason> {
        match ports {
            Ports { trunk: Some(trunk), .. } if let Some(vid) = trunk.native => {
                self.on_trunk(trunk, vid, None, popped)
            }
            Ports { access: Some(access), .. } => {
                // The port's own state; the trunk's was looked at for a priority-tagged frame.
                if !self.access_is_up(access) {
                    return Err(DropReason::AdminDown);
                }
                Ok(self.on_access(access, None, popped))
            }
            Ports { trunk: Some(_), access: None, .. } => Err(DropReason::UntaggedOnTrunk),
            Ports { trunk: None, access: None, .. } => Err(DropReason::PortUnbound),
        }
    }

    fn is_transparent(&self, access: &AccessPort) -> bool {
        self.bridge(&access.bridge).is_some_and(|bridge| bridge.transparent)
    }

    fn on_access(
        &self,
        access: &AccessPort,
        payload_vid: Option<VlanId>,
        popped: usize,
    ) -> Arrival {
        Arrival {
            domain: self.domain_of(&access.bridge),
            payload_vid,
            place: Place::Access(access.name.clone()),
            popped,
            storm: StormControl { per_vlan: StormLimits::default(), ..access.storm_control },
        }
    }

    fn on_trunk(
        &self,
        trunk: &TrunkPort,
        vid: VlanId,
        inner: Option<VlanTag>,
        popped: usize,
    ) -> Result<Arrival, DropReason> {
        if !self.carries(trunk, vid) {
            return Err(DropReason::VlanUnknown);
        }
        let (link, popped) = self.link(trunk, vid, inner, popped);
        let inner_vid = link.and_then(|link| link.key.inner_vid);
        let place = Place::Trunk { trunk: trunk.name.clone(), vid, inner_vid };
        let domain = match link {
            Some(link) => {
                let bridge = self.bridge(&link.bridge).ok_or(DropReason::VlanUnknown)?;
                if !bridge.admin.is_up() {
                    return Err(DropReason::AdminDown);
                }
                self.domain_of(&bridge.name)
            }
            None => Domain::Transit(trunk.gateway_bridge.clone(), vid),
        };
        if !self.places(&domain).contains(&place) {
            let gateway = self.gateway_of(trunk);
            let transits = gateway.is_some_and(GatewayBridge::transits)
                && !self.is_linked(&trunk.gateway_bridge, vid);
            return Err(if link.is_some() || transits {
                DropReason::TrunkStandby
            } else {
                DropReason::VlanUnknown
            });
        }
        Ok(Arrival { domain, payload_vid: None, place, popped, storm: trunk.storm_control })
    }

    /// The link of `vid`, by itself or as a pair with the customer tag inside, and how many tags are
    /// taken off for it. A pair needs both tags: an untagged frame in the native VLAN is none.
    fn link(
        &self,
        trunk: &TrunkPort,
        vid: VlanId,
        inner: Option<VlanTag>,
        popped: usize,
    ) -> (Option<&crate::topology::VlanLink>, usize) {
        let find = |inner_vid| {
            let gateway_bridge = trunk.gateway_bridge.clone();
            self.topology.vlan_links.get(&LinkKey { gateway_bridge, vid, inner_vid })
        };
        if let Some(link) = find(None) {
            return (Some(link), popped);
        }
        let customer = inner
            .filter(|tag| tag.tpid == Tpid::CTag)
            .and_then(|tag| VlanId::new(tag.vid_raw()).ok());
        // A customer tag that no pair names is payload.
        match customer.and_then(|_| find(customer)) {
            Some(link) => (Some(link), popped + 1),
            None => (None, popped),
        }
    }
}

/// The VID of a tag: `None` for a priority tag.
pub(super) fn named_vid(tag: VlanTag) -> Result<Option<VlanId>, DropReason> {
    match tag.vid_raw() {
        0 => Ok(None),
        raw => VlanId::new(raw).map(Some).map_err(|_| DropReason::VlanReserved),
    }
}
