//! Tables in, image out.

use std::collections::BTreeSet;
use std::sync::Arc;

use bridge_model::compile::{
    Class, FidTable, InterfaceTable, MemberRoute, OverLimit, PathTable, PushTags, Relay,
    ReservedTable, Tables, TaggedClasses, VidClasses,
};
use bridge_model::reason::DropReason;
use bridge_model::types::{Epoch, InterfaceId, MemberId, PortId};

use super::error::{ImageError, bound, dangling, index, too_many};
use super::{
    ClassEntry, ClassTable, ClassWord, FidImage, FidRules, Image, InterfaceImage, MemberImage,
    MemberRange, NO_TPID, OtherTags, PeerImage, Push, RelayImage, ReservedImage, UnderlayImage,
};
use crate::counters::{CounterSlots, Owner, PortSlot};
use crate::live::Live;
use crate::mac::{AgeTable, MacTable};
use crate::storm::StormImage;

/// What an image is made of besides the tables.
#[derive(Debug)]
pub struct ImageParts<'a> {
    /// Greater than that of any image before.
    pub epoch: Epoch,
    /// The MAC table that workers look up in.
    pub mac: Arc<MacTable>,
    /// The age clocks; the same for every image.
    pub ages: Arc<AgeTable>,
    /// The learner's live state; the same for every image.
    pub live: Arc<Live>,
    /// The register of counters.
    pub slots: &'a mut CounterSlots,
    /// How many ticks of the workers' clock make a second (for storm control).
    pub ticks_per_second: u64,
}

/// Those above stand for peers in a [`MemberImage`].
const MAX_INTERFACES: usize = 0x8000;
const MAX_PEERS: usize = 0x7fff;
const MAX_FIDS: usize = 0x1_0000;
const MAX_MEMBERS: usize = MemberId::MAX.0 as usize + 1;

struct Builder<'a> {
    tables: &'a Tables,
    ports: Vec<PortFacts>,
    stacks: Vec<Box<ClassTable>>,
    storms: Vec<StormImage>,
    members: Vec<MemberImage>,
    fids: Vec<FidImage>,
    floods: Vec<u32>,
    peers: Vec<PeerImage>,
    ticks_per_second: u64,
    /// Most interfaces are no trunk and share one table that is never read.
    no_classes: Arc<ClassTable>,
}

/// What the ingress side of the underlay is built from, beside its table.
pub(super) struct BuildFacts<'b> {
    /// All tables.
    pub(super) tables: &'b Tables,
    /// By [`PortId`].
    pub(super) slots: Vec<PortSlot>,
    /// By fid.
    pub(super) fids: &'b [FidImage],
    /// Places of all learning domains, and whatever else is sent to.
    pub(super) members: &'b mut Vec<MemberImage>,
    /// By [`PeerId`](bridge_model::types::PeerId).
    pub(super) peers: &'b [PeerImage],
    /// By [`InterfaceId`].
    pub(super) interfaces: &'b [InterfaceImage],
    /// What happens to reserved destinations inside tunnels.
    pub(super) reserved: Option<Box<ReservedImage>>,
}

#[derive(Clone, Copy)]
struct PortFacts {
    slot: PortSlot,
    storm: u16,
    drops_over_limit: bool,
    /// Index of the per-VID counter of VID 0.
    vid_base: u32,
}

impl Image {
    /// Encodes `tables`.
    pub fn build(tables: &Tables, parts: ImageParts<'_>) -> Result<Self, ImageError> {
        bound("interfaces", tables.interfaces.len(), MAX_INTERFACES)?;
        bound("learning domains", tables.fids.len(), MAX_FIDS)?;
        let mut builder = Builder {
            tables,
            ports: Vec::with_capacity(tables.ports.len()),
            stacks: Vec::new(),
            storms: vec![StormImage::default()],
            // What an empty range leads to.
            members: vec![MemberImage::UNUSED],
            fids: Vec::with_capacity(tables.fids.len()),
            floods: Vec::new(),
            peers: Vec::with_capacity(tables.underlay.peers.len()),
            ticks_per_second: parts.ticks_per_second,
            no_classes: Arc::from(uniform(ClassEntry::NONE)),
        };
        builder.ports(parts.slots)?;
        builder.peers(&parts.live)?;
        builder.fids()?;
        let interfaces = tables
            .interfaces
            .iter()
            .map(|interface| builder.interface(interface, parts.slots))
            .collect::<Result<Box<[_]>, _>>()?;
        let absent = builder.absent();
        let reserved = tables.underlay.reserved.as_ref();
        let reserved = reserved.map(|table| builder.reserved(table)).transpose()?.map(Box::new);
        let underlay = UnderlayImage::build(
            &tables.underlay,
            BuildFacts {
                tables,
                slots: builder.ports.iter().map(|facts| facts.slot).collect(),
                fids: &builder.fids,
                members: &mut builder.members,
                peers: &builder.peers,
                interfaces: &interfaces,
                reserved,
            },
        )?;
        let port_limits = tables
            .ports
            .iter()
            .zip(&builder.ports)
            // Stations of a port without a slot are counted together with those of others: a limit on
            // their sum would hit ports that are within theirs.
            .filter(|(_, facts)| facts.slot != PortSlot::UNATTRIBUTED)
            .filter_map(|(port, facts)| port.mac_limit.map(|limit| (facts.slot, limit)))
            .collect();
        Ok(Self {
            epoch: parts.epoch,
            revision: tables.revision,
            mac: parts.mac,
            ages: parts.ages,
            live: parts.live,
            interfaces,
            absent,
            fids: builder.fids.into(),
            members: builder.members.into(),
            has_suppression: tables.fids.iter().any(|fid| fid.suppress),
            floods: builder.floods.into(),
            peers: builder.peers.into(),
            underlay,
            stacks: builder.stacks.into(),
            storms: builder.storms.into(),
            fid_rules: tables
                .fids
                .iter()
                .map(|fid| FidRules { ageing: fid.ageing, limit: fid.mac_limit })
                .collect(),
            port_limits,
        })
    }
}

impl Builder<'_> {
    /// The ports that have VIDs to count for. (An interface with an underlay link reads tags as a trunk
    /// does, whatever port is on it.)
    fn trunks(&self) -> BTreeSet<PortId> {
        let interfaces = self.tables.interfaces.iter().filter(|interface| {
            matches!(interface.tagged, TaggedClasses::Trunk { .. }) && !has_underlay(interface)
        });
        let members = self.tables.fids.iter().flat_map(|fid| &fid.members);
        let with_vid = members.filter_map(|member| match member.route {
            MemberRoute::Port { port, vid: Some(_), .. } => Some(port),
            _ => None,
        });
        interfaces.filter_map(|interface| interface.tagged_port).chain(with_vid).collect()
    }

    fn ports(&mut self, slots: &mut CounterSlots) -> Result<(), ImageError> {
        let trunks = self.trunks();
        for (index, port) in self.tables.ports.iter().enumerate() {
            let id =
                u16::try_from(index).map_err(|_| too_many("ports", self.tables.ports.len()))?;
            let block = if trunks.contains(&PortId(id)) {
                slots.trunk(&port.name)
            } else {
                crate::counters::TrunkBlock::UNATTRIBUTED
            };
            let slot = slots.port(Owner::Port(port.name.clone()));
            let (whole, per_vid) = (&port.storm, &port.storm_per_vid);
            let storm = StormImage::new(slot, whole, per_vid, self.ticks_per_second);
            let storm = if storm.is_unlimited() {
                0
            } else {
                self.storms.push(storm);
                u16::try_from(self.storms.len() - 1)
                    .map_err(|_| too_many("ports with storm control", self.storms.len()))?
            };
            let drops_over_limit =
                port.mac_limit.is_some_and(|limit| limit.over == OverLimit::Drop);
            self.ports.push(PortFacts {
                slot,
                storm,
                drops_over_limit: drops_over_limit && slot != PortSlot::UNATTRIBUTED,
                vid_base: u32::from(block.0) << 12,
            });
        }
        Ok(())
    }

    fn port(&self, port: PortId, object: impl FnOnce() -> String) -> Result<PortFacts, ImageError> {
        let facts = self.ports.get(port.index()).copied();
        facts.ok_or_else(|| dangling(object(), "port", port))
    }

    fn peers(&mut self, live: &Live) -> Result<(), ImageError> {
        let underlay = &self.tables.underlay;
        bound("tunnel peers", underlay.peers.len(), MAX_PEERS)?;
        for peer in &underlay.peers {
            let name = || format!("peer {}", peer.name);
            let slot = self.port(peer.port, name)?.slot;
            for path in &peer.paths {
                let link = underlay.links.get(path.link.index());
                let link = link.ok_or_else(|| dangling(name(), "underlay link", path.link))?;
                self.check_interface(link.interface, name)?;
            }
            let link = |path: &PathTable| underlay.links.get(path.link.index());
            let image = PeerImage::build(peer, slot, live.underlay(), link);
            self.peers.push(image.ok_or_else(|| dangling(name(), "address", peer.remote))?);
        }
        Ok(())
    }

    fn interface(
        &mut self,
        interface: &InterfaceTable,
        slots: &mut CounterSlots,
    ) -> Result<InterfaceImage, ImageError> {
        let name = || format!("interface {}", interface.name);
        let facts = |port: Option<PortId>| port.map(|port| self.port(port, name)).transpose();
        let (untagged_facts, tagged_facts) =
            (facts(interface.untagged_port)?, facts(interface.tagged_port)?);
        let unbound = if untagged_facts.is_none() || tagged_facts.is_none() {
            slots.port(Owner::Interface(interface.name.clone()))
        } else {
            PortSlot::UNATTRIBUTED
        };
        let slot = |facts: Option<PortFacts>| facts.map_or(unbound, |facts| facts.slot);
        let (tpid, classes, other_tags) = match &interface.tagged {
            TaggedClasses::All(class) => {
                (NO_TPID, Arc::clone(&self.no_classes), OtherTags::All(self.class(class)?))
            }
            TaggedClasses::Trunk { tpid, classes } => {
                let classes = Arc::from(self.class_table(classes)?);
                let bad = OtherTags::All(ClassWord::drop(DropReason::BadTpid));
                (u32::from(tpid.ether_type()), classes, bad)
            }
            TaggedClasses::Transparent { base, member } => {
                let tags = OtherTags::Transparent { base: base.0, member: member.0 };
                (NO_TPID, Arc::clone(&self.no_classes), tags)
            }
        };
        Ok(InterfaceImage {
            untagged: self.entry(&interface.untagged)?,
            tpid,
            classes,
            other_tags,
            untagged_port: slot(untagged_facts),
            tagged_port: slot(tagged_facts),
            untagged_storm: untagged_facts.map_or(0, |facts| facts.storm),
            tagged_storm: tagged_facts.map_or(0, |facts| facts.storm),
            untagged_drops_over_limit: untagged_facts.is_some_and(|facts| facts.drops_over_limit),
            tagged_drops_over_limit: tagged_facts.is_some_and(|facts| facts.drops_over_limit),
            has_underlay: has_underlay(interface),
            reserved: Box::new(self.reserved(&interface.reserved)?),
        })
    }

    fn absent(&self) -> InterfaceImage {
        let unbound = ClassWord::drop(DropReason::PortUnbound);
        let action = bridge_model::compile::ReservedAction::Drop(DropReason::PortUnbound);
        InterfaceImage {
            untagged: ClassEntry::without(unbound),
            tpid: NO_TPID,
            classes: Arc::clone(&self.no_classes),
            other_tags: OtherTags::All(unbound),
            untagged_port: PortSlot::UNATTRIBUTED,
            tagged_port: PortSlot::UNATTRIBUTED,
            untagged_storm: 0,
            tagged_storm: 0,
            untagged_drops_over_limit: false,
            tagged_drops_over_limit: false,
            has_underlay: false,
            reserved: Box::new(ReservedImage {
                link_local: [action; 16],
                registration: [action; 16],
                pvst: action,
                vendor: action,
                relay: Box::default(),
            }),
        }
    }

    fn entry(&mut self, class: &Class) -> Result<ClassEntry, ImageError> {
        let word = self.class(class)?;
        let Some(fid) = self.fids.get(word.fid().index()).filter(|_| word.is_forward()) else {
            return Ok(ClassEntry::without(word));
        };
        let member = self.members.get(fid.members.index(word.member()));
        let member = member.unwrap_or(&MemberImage::UNUSED);
        let (vid_counter, group) = (member.vid_counter(), member.group);
        Ok(ClassEntry { word, members: fid.members, vid_counter, group })
    }

    fn class(&mut self, class: &Class) -> Result<ClassWord, ImageError> {
        Ok(match class {
            Class::Forward { fid, member } => {
                let known = self.tables.fids.get(fid.index());
                if known.is_none_or(|fid| fid.members.len() <= member.index()) {
                    return Err(dangling(format!("a class of fid {fid}"), "member", member));
                }
                ClassWord::forward(*fid, *member)
            }
            Class::Drop(reason) => ClassWord::drop(*reason),
            Class::Underlay(link) => ClassWord::underlay(*link),
            Class::Kernel(link) => ClassWord::kernel(*link),
            Class::Stacked(classes) => {
                let table = self.class_table(classes)?;
                self.stacks.push(table);
                let index = u16::try_from(self.stacks.len() - 1)
                    .map_err(|_| too_many("stacked VLANs", self.stacks.len()))?;
                ClassWord::stacked(index)
            }
        })
    }

    /// VID 0 is a priority tag and 4095 is reserved, whatever the tables say.
    fn class_table(&mut self, classes: &VidClasses) -> Result<Box<ClassTable>, ImageError> {
        let reserved = ClassEntry::without(ClassWord::drop(DropReason::VlanReserved));
        let mut table = uniform(reserved);
        for (entry, class) in table.iter_mut().zip(classes.0.iter()).take(4095).skip(1) {
            *entry = self.entry(class)?;
        }
        table[0] = ClassEntry::without(ClassWord::UNTAGGED);
        Ok(table)
    }

    fn reserved(&self, table: &ReservedTable) -> Result<ReservedImage, ImageError> {
        Ok(ReservedImage {
            link_local: table.link_local,
            registration: table.registration,
            pvst: table.pvst,
            vendor: table.vendor,
            relay: table.relay.iter().map(|to| self.relay(to)).collect::<Result<_, _>>()?,
        })
    }

    fn relay(&self, relay: &Relay) -> Result<RelayImage, ImageError> {
        self.check_interface(relay.interface, || "a relay".to_owned())?;
        let facts = self.port(relay.port, || "a relay".to_owned())?;
        let mut vids = Box::new([0; 64]);
        for vid in &relay.vids {
            vids[usize::from(vid.get() / 64) & 63] |= 1 << (vid.get() % 64);
        }
        let mtu = self.tables.interfaces[relay.interface.index()].mtu;
        let count_for = (facts.slot, facts.vid_base);
        let to = MemberImage::new((relay.interface, mtu), count_for, Push::NONE, 0);
        Ok(RelayImage { to, vids })
    }

    fn fids(&mut self) -> Result<(), ImageError> {
        let mut before: Option<(&FidTable, FidImage)> = None;
        for fid in &self.tables.fids {
            // The 4096 domains of a transparent bridge are alike and share what they have.
            let image = match before {
                Some((same, image)) if same == fid => image,
                _ => self.fid(fid)?,
            };
            before = Some((fid, image));
            self.fids.push(image);
        }
        Ok(())
    }

    fn fid(&mut self, fid: &FidTable) -> Result<FidImage, ImageError> {
        if fid.members.is_empty() {
            return Ok(FidImage::default());
        }
        bound("members of a learning domain", fid.members.len(), MAX_MEMBERS)?;
        let end = self.members.len() + fid.members.len();
        bound("members of all learning domains", end, MemberRange::FIRST_LIMIT)?;
        let members = index("members", self.members.len())?;
        let flood = index("flood list elements", self.floods.len())?;
        for (number, member) in fid.members.iter().enumerate() {
            let image = match member.route {
                // Number 0 is what numbers out of range are taken for.
                _ if number == 0 => MemberImage::UNUSED,
                MemberRoute::Retired => MemberImage::UNUSED,
                MemberRoute::Tunnel { peer, vni } => {
                    let image = self.peers.get(peer.index());
                    let slot = image.ok_or_else(|| dangling("a member", "peer", peer))?.slot;
                    let clamps = fid.clamp_mss && fid.tunnel_mtu.is_some();
                    MemberImage::tunnel(peer.0, vni, slot, member.split_horizon, clamps)
                }
                MemberRoute::Port { interface, port, vid, push } => {
                    self.check_interface(interface, || "a member".to_owned())?;
                    let facts = self.port(port, || "a member".to_owned())?;
                    let push = match push {
                        PushTags::None => Push::NONE,
                        PushTags::One(tpid, vid) => Push::one(tpid, vid),
                        PushTags::Two(tpid, outer, inner) => Push::two(tpid, outer, inner),
                    };
                    let mtu = self.tables.interfaces[interface.index()].mtu;
                    let vid_counter = vid.map_or(0, |vid| facts.vid_base | u32::from(vid.get()));
                    let count_for = (facts.slot, vid_counter);
                    MemberImage::new((interface, mtu), count_for, push, member.split_horizon)
                }
            };
            self.members.push(image);
        }
        for member in &fid.flood {
            let used = fid.members.get(member.index());
            if used.is_none_or(|member| member.route == MemberRoute::Retired) {
                let list = format!("the flood list of {:?}", fid.owner);
                return Err(dangling(list, "member", member));
            }
            self.floods.push(members + u32::from(member.0));
        }
        let over = fid.mac_limit.map_or(OverLimit::Forward, |limit| limit.over);
        let count = u16::try_from(fid.members.len()).unwrap_or(u16::MAX);
        Ok(FidImage {
            members: MemberRange::new(members, count),
            flood,
            flood_count: u16::try_from(fid.flood.len()).unwrap_or(u16::MAX),
            drops_over_limit: over == OverLimit::Drop,
            suppresses: fid.suppress,
            clamp_mtu: fid.tunnel_mtu.filter(|_| fid.clamp_mss).unwrap_or(0),
        })
    }

    fn check_interface(
        &self,
        interface: InterfaceId,
        object: impl FnOnce() -> String,
    ) -> Result<(), ImageError> {
        if interface.index() < self.tables.interfaces.len() {
            return Ok(());
        }
        Err(dangling(object(), "interface", interface))
    }
}

/// Some frames of the interface belong to the underlay.
fn has_underlay(interface: &InterfaceTable) -> bool {
    let belongs = |class: &Class| matches!(class, Class::Underlay(_) | Class::Kernel(_));
    let tagged = match &interface.tagged {
        TaggedClasses::All(class) => belongs(class),
        TaggedClasses::Trunk { classes, .. } => classes.0.iter().any(belongs),
        TaggedClasses::Transparent { .. } => false,
    };
    tagged || belongs(&interface.untagged)
}

/// On the heap from the start: 64 KiB are too much for a stack.
fn uniform(entry: ClassEntry) -> Box<ClassTable> {
    match vec![entry; 4096].into_boxed_slice().try_into() {
        Ok(table) => table,
        Err(_) => unreachable!("the vector above has 4096 elements"),
    }
}
