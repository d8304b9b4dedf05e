//! Which counter belongs to whom.
//!
//! Port numbers of a compiled image change from one image to the next; counters must not. A slot is
//! given to a name once and for all, so that counts survive a port's removal and return, and the
//! sums over all slots never go back. So slots are used up by names, not by ports that are there at a
//! time: a host that has seen more names than [`CounterLayout::ports`] counts further ports together,
//! until the process is started anew. [`CounterSlots::exhausted`] tells.

use std::collections::BTreeMap;

use bridge_model::types::Name;

/// The number of a set of port counters, the same in every image and on every worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct PortSlot(pub(crate) u16);

impl PortSlot {
    /// What belongs to nobody, or to a port that came when all slots were taken.
    pub const UNATTRIBUTED: Self = Self(0);

    /// The number used as an index.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The slot of this index, as in [`Snapshot::ports`](super::Snapshot::ports).
    pub fn from_index(index: usize) -> Option<Self> {
        u16::try_from(index).ok().map(Self)
    }
}

/// The number of a set of 4096 per-VID counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct TrunkBlock(pub(crate) u16);

impl TrunkBlock {
    /// The block of ports that have no VIDs, and of trunks that came when all blocks were taken.
    pub const UNATTRIBUTED: Self = Self(0);
}

/// How many counters a worker has. Fixed for its life: nothing is allocated later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CounterLayout {
    /// Port slots, 2..=65535, the first of which is nobody's; each takes about 600 octets per worker.
    pub ports: u16,
    /// Trunks with per-VID counters, 1..; each takes 128 KiB per worker.
    pub trunks: u16,
}

impl Default for CounterLayout {
    fn default() -> Self {
        Self { ports: 4096, trunks: 32 }
    }
}

/// Whom a port slot belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// Nobody: [`PortSlot::UNATTRIBUTED`].
    Unattributed,
    /// A bridge port.
    Port(Name),
    /// Frames on an interface that no port is bound to.
    Interface(Name),
}

/// The control side's register of slots. There is one per process, and every image is built with it.
#[derive(Clone, Debug)]
pub struct CounterSlots {
    layout: CounterLayout,
    owners: Vec<Owner>,
    by_owner: BTreeMap<Owner, PortSlot>,
    trunks: BTreeMap<Name, TrunkBlock>,
    exhausted: bool,
}

impl CounterSlots {
    /// An empty register for workers with counters of this layout.
    pub fn new(layout: CounterLayout) -> Self {
        Self {
            layout,
            owners: vec![Owner::Unattributed],
            by_owner: BTreeMap::new(),
            trunks: BTreeMap::new(),
            exhausted: false,
        }
    }

    /// The layout that workers' counters must have.
    pub fn layout(&self) -> CounterLayout {
        self.layout
    }

    /// The slot of `owner`, given now if it has none yet; [`PortSlot::UNATTRIBUTED`] if none is left.
    pub fn port(&mut self, owner: Owner) -> PortSlot {
        if owner == Owner::Unattributed {
            return PortSlot::UNATTRIBUTED;
        }
        if let Some(slot) = self.by_owner.get(&owner) {
            return *slot;
        }
        let next = PortSlot::from_index(self.owners.len());
        let Some(slot) = next.filter(|slot| slot.0 < self.layout.ports) else {
            self.exhausted = true;
            return PortSlot::UNATTRIBUTED;
        };
        self.owners.push(owner.clone());
        self.by_owner.insert(owner, slot);
        slot
    }

    /// The block of per-VID counters of a trunk, given now if it has none yet.
    pub fn trunk(&mut self, name: &Name) -> TrunkBlock {
        if let Some(block) = self.trunks.get(name) {
            return *block;
        }
        let next = u16::try_from(self.trunks.len() + 1).unwrap_or(u16::MAX);
        if next > self.layout.trunks {
            self.exhausted = true;
            return TrunkBlock::UNATTRIBUTED;
        }
        self.trunks.insert(name.clone(), TrunkBlock(next));
        TrunkBlock(next)
    }

    /// Some name found no slot or no block left. Without a slot its frames count for
    /// [`PortSlot::UNATTRIBUTED`], together with those of others, and its MAC limit is not in force;
    /// without a block its VIDs are not told apart from those of other such trunks. Forwarding is not
    /// concerned.
    ///
    /// Names that have [one](Self::find) keep it. It stays so until the process is started anew, or
    /// with a larger layout.
    pub fn exhausted(&self) -> bool {
        self.exhausted
    }

    /// The slot of a port, if it was ever in an image.
    pub fn find(&self, owner: &Owner) -> Option<PortSlot> {
        self.by_owner.get(owner).copied()
    }

    /// The block of a trunk, if it was ever in an image.
    pub fn find_trunk(&self, name: &Name) -> Option<TrunkBlock> {
        self.trunks.get(name).copied()
    }

    /// Whom each slot belongs to, by slot.
    pub fn owners(&self) -> &[Owner] {
        &self.owners
    }
}
