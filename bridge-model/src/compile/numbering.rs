//! Numbers that mean the same from one compile to the next, so that what was learned survives a
//! change of something else.
//!
//! A number that is no longer wanted is *retired*: the tables do not use it, yet the MAC table may
//! still hold entries with it. It is handed out again only after [`Numbering::release`], which the
//! writer of the MAC table calls when it has swept those entries away. So a flush costs no scan: it
//! retires the numbers, and the next compile hands out others.

use std::collections::{BTreeMap, BTreeSet};

use super::{CompileError, Scope};
use crate::topology::Topology;
use crate::types::{Fid, MemberId, Name, PortId, VlanId};

/// A learning domain by name. That of a transparent bridge has one [`Fid`] for each VID, 0 (untagged)
/// included.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain {
    /// A bridge.
    Bridge(Name),
    /// A transparent bridge.
    Transparent(Name),
    /// A VID of a gateway bridge that passes from trunk to trunk without a link.
    Transit(Name, VlanId),
}

impl Domain {
    /// The bridge, or the gateway bridge of a transit VID.
    pub fn owner(&self) -> &Name {
        match self {
            Self::Bridge(name) | Self::Transparent(name) | Self::Transit(name, _) => name,
        }
    }

    /// How many fids it takes.
    const fn width(&self) -> u16 {
        match self {
            Self::Transparent(_) => TRANSPARENT_WIDTH,
            Self::Bridge(_) | Self::Transit(..) => 1,
        }
    }
}

/// A place that a learning domain can send to, by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// An access port.
    Access(Name),
    /// One VID of a trunk, or one pair.
    Trunk {
        /// The trunk.
        trunk: Name,
        /// The VID of the outer tag.
        vid: VlanId,
        /// The VID of the inner tag, of a pair.
        inner_vid: Option<VlanId>,
    },
    /// Another host or a foreign endpoint: the name of its port, [`Name::of_peer`].
    Peer(Name),
}

impl Place {
    /// The bridge port.
    pub fn port(&self) -> &Name {
        match self {
            Self::Access(port) | Self::Trunk { trunk: port, .. } | Self::Peer(port) => port,
        }
    }
}

/// What a pair of numbers stands for, as users want to read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The bridge; the gateway bridge, for a transit VID.
    pub owner: Name,
    /// The bridge port.
    pub port: Name,
    /// The VID on a trunk; of a transparent bridge, the outer VID of the payload.
    pub vid: Option<VlanId>,
    /// The inner VID of a pair.
    pub inner_vid: Option<VlanId>,
}

/// Fids of one transparent bridge.
pub(super) const TRANSPARENT_WIDTH: u16 = 4096;
/// Transparent bridges on one host: their fids are the upper ones, 4096 each.
pub(super) const TRANSPARENT_MAX: u16 = 7;
const FIRST_TRANSPARENT_SLOT: u16 = 16 - TRANSPARENT_MAX;
const LAST_PLAIN_FID: u16 = FIRST_TRANSPARENT_SLOT * TRANSPARENT_WIDTH - 1;

/// Numbers from 1 up to a limit: released ones first, the least of them first.
#[derive(Clone, Debug, Default)]
struct Pool {
    used: u16,
    released: BTreeSet<u16>,
}

impl Pool {
    fn take(&mut self, limit: u16) -> Option<u16> {
        if let Some(number) = self.released.pop_first() {
            return Some(number);
        }
        (self.used < limit).then(|| {
            self.used += 1;
            self.used
        })
    }

    fn give_back(&mut self, number: u16) {
        self.released.insert(number);
    }
}

/// What is known of one fid, or of the first fid of a transparent bridge.
#[derive(Clone, Debug)]
struct Numbered {
    domain: Domain,
    retired: bool,
    pool: Pool,
    members: BTreeMap<Place, MemberId>,
    places: BTreeMap<MemberId, Place>,
    retired_members: BTreeSet<MemberId>,
}

impl Numbered {
    fn fids(&self, first: Fid) -> impl Iterator<Item = Fid> + use<> {
        (first.0..=first.0 + (self.domain.width() - 1)).map(Fid)
    }

    fn retire_members(&mut self, goes: impl Fn(&Place) -> bool) {
        let retired_members = &mut self.retired_members;
        self.members.retain(|place, member| {
            let stays = !goes(place);
            if !stays {
                retired_members.insert(*member);
            }
            stays
        });
        self.places.retain(|_, place| !goes(place));
    }
}

/// The numbers in use on one host. Deterministic: the same history gives the same numbers.
#[derive(Clone, Debug, Default)]
pub struct Numbering {
    domains: BTreeMap<Domain, Fid>,
    fids: BTreeMap<Fid, Numbered>,
    plain_pool: Pool,
    /// Names by [`PortId`]. A name whose port is gone stays until another port takes its place.
    ports: Vec<Name>,
    /// The numbers of the ports that are there.
    port_ids: BTreeMap<Name, PortId>,
    /// What each port of this host was bound to at the last compile: the name of an interface, or the
    /// address of a peer.
    bindings: BTreeMap<Name, String>,
}

impl Numbering {
    /// The fid of a domain; of a transparent bridge, that of untagged frames.
    pub fn fid_of(&self, domain: &Domain) -> Option<Fid> {
        self.domains.get(domain).copied()
    }

    /// The fid in which a bridge learns: of a transparent one, for frames whose outer tag has
    /// `payload_vid`.
    pub fn fid_of_bridge(&self, bridge: &Name, payload_vid: Option<VlanId>) -> Option<Fid> {
        if let Some(fid) = self.fid_of(&Domain::Bridge(bridge.clone())) {
            return Some(fid);
        }
        let base = self.fid_of(&Domain::Transparent(bridge.clone()))?;
        Some(Fid(base.0 + payload_vid.map_or(0, VlanId::get)))
    }

    /// The number of a place in a domain.
    pub fn member_of(&self, domain: &Domain, place: &Place) -> Option<MemberId> {
        self.fids.get(&self.fid_of(domain)?)?.members.get(place).copied()
    }

    /// What a pair of numbers stands for; `None` if it is not in use (any more).
    pub fn locate(&self, fid: Fid, member: MemberId) -> Option<Location> {
        let (first, numbered) = self.numbered(fid)?;
        let place = numbered.places.get(&member).filter(|_| !numbered.retired)?;
        let payload_vid = VlanId::new(fid.0 - first.0).ok();
        let (vid, inner_vid) = match place {
            Place::Access(_) | Place::Peer(_) => (payload_vid, None),
            Place::Trunk { vid, inner_vid, .. } => (Some(*vid), *inner_vid),
        };
        let owner = numbered.domain.owner().clone();
        Some(Location { owner, port: place.port().clone(), vid, inner_vid })
    }

    /// The domain that a fid belongs to, and the outer VID of the payload if it is that of a
    /// transparent bridge.
    pub fn domain_of(&self, fid: Fid) -> Option<(&Domain, Option<VlanId>)> {
        let (first, numbered) = self.numbered(fid).filter(|(_, numbered)| !numbered.retired)?;
        Some((&numbered.domain, VlanId::new(fid.0 - first.0).ok()))
    }

    /// The number of a bridge port of this host.
    pub fn port_id(&self, port: &Name) -> Option<PortId> {
        self.port_ids.get(port).copied()
    }

    /// The names of bridge ports by number; a name whose port is gone stays until another port takes
    /// its number.
    pub fn port_names(&self) -> &[Name] {
        &self.ports
    }

    /// Retires every member in `scope`, so that the next compile gives their places other numbers
    /// and everything learned there is void. Returns those retired now.
    pub fn retire(&mut self, topology: &Topology, scope: &Scope) -> Vec<(Fid, MemberId)> {
        let mut retired = Vec::new();
        for (&first, numbered) in &mut self.fids {
            let before = numbered.retired_members.clone();
            let domain = numbered.domain.clone();
            numbered.retire_members(|place| scope.covers(topology, &domain, place));
            for member in numbered.retired_members.difference(&before) {
                retired.extend(numbered.fids(first).map(|fid| (fid, *member)));
            }
        }
        retired
    }

    /// Every retired member that is not released yet.
    pub fn retired(&self) -> Vec<(Fid, MemberId)> {
        let mut retired = Vec::new();
        for (&first, numbered) in &self.fids {
            for member in &numbered.retired_members {
                retired.extend(numbered.fids(first).map(|fid| (fid, *member)));
            }
        }
        retired
    }

    /// Every retired fid that is not released yet: all entries under it are void.
    pub fn retired_fids(&self) -> Vec<Fid> {
        self.fids
            .iter()
            .filter(|(_, numbered)| numbered.retired)
            .flat_map(|(&first, numbered)| numbered.fids(first))
            .collect()
    }

    /// Makes retired numbers available again. The caller has removed every entry that uses them. Of a
    /// transparent bridge the first fid stands for all: release them together, as they were retired.
    /// Numbers that are not retired are left alone.
    pub fn release(&mut self, members: &[(Fid, MemberId)], fids: &[Fid]) {
        for (fid, member) in members {
            if let Some(numbered) = self.fids.get_mut(fid)
                && numbered.retired_members.remove(member)
            {
                numbered.pool.give_back(member.0);
            }
        }
        for fid in fids {
            let Some(numbered) = self.fids.get(fid).filter(|numbered| numbered.retired) else {
                continue;
            };
            if numbered.domain.width() == 1 {
                self.plain_pool.give_back(fid.0);
            }
            self.fids.remove(fid);
        }
    }

    fn numbered(&self, fid: Fid) -> Option<(Fid, &Numbered)> {
        let (&first, numbered) = self.fids.range(..=fid).next_back()?;
        (fid.0 - first.0 < numbered.domain.width()).then_some((first, numbered))
    }

    /// Numbers exactly the places of `wanted`: known ones keep their numbers, the rest are retired.
    pub(super) fn assign(
        &mut self,
        wanted: &BTreeMap<Domain, BTreeSet<Place>>,
    ) -> Result<(), CompileError> {
        let gone: Vec<Domain> =
            self.domains.keys().filter(|domain| !wanted.contains_key(domain)).cloned().collect();
        for domain in gone {
            if let Some(numbered) =
                self.domains.remove(&domain).and_then(|fid| self.fids.get_mut(&fid))
            {
                numbered.retired = true;
                // The fid as a whole is retired, so its members need no sweep of their own.
                numbered.members.clear();
                numbered.places.clear();
                numbered.retired_members.clear();
            }
        }
        for (domain, places) in wanted {
            let fid = match self.domains.get(domain) {
                Some(&fid) => fid,
                None => self.allot(domain)?,
            };
            let Some(numbered) = self.fids.get_mut(&fid) else { continue };
            numbered.retire_members(|place| !places.contains(place));
            for place in places {
                if numbered.members.contains_key(place) {
                    continue;
                }
                let number = numbered.pool.take(MemberId::MAX.0).ok_or_else(|| {
                    CompileError::MembersExhausted {
                        owner: domain.owner().clone(),
                        retired: numbered.retired_members.len(),
                    }
                })?;
                numbered.members.insert(place.clone(), MemberId(number));
                numbered.places.insert(MemberId(number), place.clone());
            }
        }
        Ok(())
    }

    fn allot(&mut self, domain: &Domain) -> Result<Fid, CompileError> {
        let fid = match domain {
            Domain::Transparent(bridge) => (FIRST_TRANSPARENT_SLOT..16)
                .map(|slot| Fid(slot * TRANSPARENT_WIDTH))
                .find(|fid| !self.fids.contains_key(fid))
                .ok_or_else(|| CompileError::TooManyTransparentBridges {
                    bridge: bridge.clone(),
                    limit: TRANSPARENT_MAX,
                })?,
            Domain::Bridge(owner) | Domain::Transit(owner, _) => {
                Fid(self.plain_pool.take(LAST_PLAIN_FID).ok_or_else(|| {
                    CompileError::FidsExhausted { owner: owner.clone(), limit: LAST_PLAIN_FID }
                })?)
            }
        };
        self.domains.insert(domain.clone(), fid);
        self.fids.insert(
            fid,
            Numbered {
                domain: domain.clone(),
                retired: false,
                pool: Pool::default(),
                members: BTreeMap::new(),
                places: BTreeMap::new(),
                retired_members: BTreeSet::new(),
            },
        );
        Ok(fid)
    }

    /// Numbers exactly the ports of `bindings` (port to interface or address): known ones keep their
    /// numbers, and the places of those that are gone go to new ones. A port that moved to another
    /// interface, or a peer that moved to another address, has lost its binding, and with it what was
    /// learned behind it.
    pub(super) fn assign_ports(
        &mut self,
        bindings: BTreeMap<Name, String>,
    ) -> Result<(), CompileError> {
        let known: BTreeSet<Name> = self.ports.iter().cloned().collect();
        let mut new = bindings.keys().filter(|name| !known.contains(*name));
        for slot in &mut self.ports {
            if !bindings.contains_key(slot)
                && let Some(name) = new.next()
            {
                *slot = name.clone();
            }
        }
        self.ports.extend(new.cloned());
        while self.ports.last().is_some_and(|name| !bindings.contains_key(name)) {
            self.ports.pop();
        }
        if self.ports.len() > usize::from(u16::MAX) {
            return Err(CompileError::TooManyPorts { count: self.ports.len() });
        }
        self.port_ids = self
            .ports
            .iter()
            .zip(0_u16..)
            .filter(|(name, _)| bindings.contains_key(*name))
            .map(|(name, index)| (name.clone(), PortId(index)))
            .collect();
        let moved: BTreeSet<&Name> = self
            .bindings
            .iter()
            .filter(|(port, before)| bindings.get(*port).is_some_and(|now| now != *before))
            .map(|(port, _)| port)
            .collect();
        if !moved.is_empty() {
            for numbered in self.fids.values_mut() {
                numbered.retire_members(|place| moved.contains(place.port()));
            }
        }
        self.bindings = bindings;
        Ok(())
    }
}
