//! The compiled configuration as workers read it: an immutable, compact copy of
//! [`Tables`](bridge_model::compile::Tables).
//!
//! What a known unicast frame touches, and why it has this size:
//!
//! | array | element | octets | note |
//! |---|---|---|---|
//! | interfaces | [`InterfaceImage`] | 64 | one line: the whole burst reads the same one |
//! | classes | [`ClassEntry`] by VID | 16 | four to a line; only those of the VIDs in use are read |
//! | members | [`MemberImage`] | 16 | four to a line; a learning domain has a handful, so they share one |
//!
//! A class carries what is needed of its learning domain and of the ingress member, so those are
//! read for flooding only. Everything else (reserved addresses, storm limits, names, ageing) is read rarely and lies apart.

mod build;
mod class;
mod error;
mod member;
mod peer;
mod underlay;

use std::sync::Arc;
use std::time::Duration;

use bridge_model::compile::{MacLimit, ReservedAction};
use bridge_model::reason::DropReason;
use bridge_model::types::{Epoch, Fid, InterfaceId, MemberId, Revision};

use crate::counters::PortSlot;
use crate::live::Live;
use crate::mac::{AgeTable, MacTable};
use crate::pipeline::Parsed;
use crate::storm::StormImage;

pub use build::ImageParts;
pub(crate) use class::{ClassEntry, ClassKind, ClassTable, ClassWord, MemberRange};
pub use error::ImageError;
pub(crate) use member::{MemberImage, Push};
pub(crate) use peer::{Format, PathImage, PeerImage};
pub(crate) use underlay::{LinkImage, SourceImage, UnderlayImage, VniImage};

/// Everything that workers read, frozen.
#[derive(Debug)]
pub struct Image {
    epoch: Epoch,
    revision: Revision,
    pub(crate) mac: Arc<MacTable>,
    pub(crate) ages: Arc<AgeTable>,
    pub(crate) live: Arc<Live>,
    pub(crate) interfaces: Box<[InterfaceImage]>,
    /// What an interface that the image does not have looks like.
    pub(crate) absent: InterfaceImage,
    pub(crate) fids: Box<[FidImage]>,
    pub(crate) members: Box<[MemberImage]>,
    /// Indices into `members`.
    pub(crate) floods: Box<[u32]>,
    /// The far ends of tunnels, by [`PeerId`](bridge_model::types::PeerId).
    pub(crate) peers: Box<[PeerImage]>,
    /// Some bridge answers for known neighbours.
    pub(crate) has_suppression: bool,
    /// What arrives on the underlay.
    pub(crate) underlay: UnderlayImage,
    pub(crate) stacks: Box<[Box<ClassTable>]>,
    /// Element 0 is "no limit".
    pub(crate) storms: Box<[StormImage]>,
    fid_rules: Box<[FidRules]>,
    port_limits: Box<[(PortSlot, MacLimit)]>,
}

/// What happens to a frame that arrives on an interface.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct InterfaceImage {
    /// Untagged frames.
    pub(crate) untagged: ClassEntry,
    /// The TPID that `classes` is for; [`NO_TPID`] if this is not a trunk.
    pub(crate) tpid: u32,
    /// Frames with a tag of this TPID, by VID.
    pub(crate) classes: Arc<ClassTable>,
    /// Frames with any other tag.
    pub(crate) other_tags: OtherTags,
    pub(crate) untagged_port: PortSlot,
    pub(crate) tagged_port: PortSlot,
    pub(crate) untagged_storm: u16,
    pub(crate) tagged_storm: u16,
    /// Frames of stations beyond the port's MAC limit are dropped.
    pub(crate) untagged_drops_over_limit: bool,
    pub(crate) tagged_drops_over_limit: bool,
    /// Some of its frames belong to the underlay: bursts take the way that looks for them.
    pub(crate) has_underlay: bool,
    pub(crate) reserved: Box<ReservedImage>,
}

const _: () = assert!(size_of::<InterfaceImage>() == 64, "one cache line");

impl InterfaceImage {
    /// The port that a frame counts for, and whether that drops frames beyond its MAC limit.
    #[inline]
    pub(crate) fn port(&self, tagged: bool) -> (PortSlot, bool) {
        if tagged {
            (self.tagged_port, self.tagged_drops_over_limit)
        } else {
            (self.untagged_port, self.untagged_drops_over_limit)
        }
    }

    /// The index of the storm limits that a frame falls under; 0 is none.
    #[inline]
    pub(crate) fn storm(&self, tagged: bool) -> u16 {
        if tagged { self.tagged_storm } else { self.untagged_storm }
    }
}

/// A TPID that no frame has.
pub(crate) const NO_TPID: u32 = 0x1_0000;

/// What a tag means where no trunk speaks its TPID.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OtherTags {
    /// All VIDs alike.
    All(ClassWord),
    /// The tags are payload and the VID selects the fid.
    Transparent { base: u16, member: u16 },
}

#[derive(Debug)]
pub(crate) struct ReservedImage {
    pub(crate) link_local: [ReservedAction; 16],
    pub(crate) registration: [ReservedAction; 16],
    pub(crate) pvst: ReservedAction,
    pub(crate) vendor: ReservedAction,
    pub(crate) relay: Box<[RelayImage]>,
}

/// A trunk that control frames are passed on to.
#[derive(Debug)]
pub(crate) struct RelayImage {
    /// The trunk as a member that nothing is pushed for; its counter is that of VID 0.
    pub(crate) to: MemberImage,
    /// A bit for each VID that it carries.
    pub(crate) vids: Box<[u64; 64]>,
}

impl RelayImage {
    /// Whether a frame with this VID goes there; 0, untagged, goes everywhere.
    pub(crate) fn carries(&self, vid: u16) -> bool {
        vid == 0 || self.vids[usize::from(vid / 64) & 63] >> (vid % 64) & 1 != 0
    }
}

/// A learning domain as the packet path reads it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FidImage {
    pub(crate) members: MemberRange,
    /// Its first element in `floods`.
    pub(crate) flood: u32,
    pub(crate) flood_count: u16,
    /// Frames of stations beyond the domain's MAC limit are dropped.
    pub(crate) drops_over_limit: bool,
    /// Known neighbours are answered for.
    pub(crate) suppresses: bool,
    /// TCP SYN segments to and from tunnels announce what fits packets of so many octets; 0 is off.
    pub(crate) clamp_mtu: u16,
}

/// A learning domain as the learner reads it.
#[derive(Clone, Copy, Debug)]
struct FidRules {
    ageing: Duration,
    limit: Option<MacLimit>,
}

impl Image {
    /// The generation of this image: each has a greater number than the one before.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The topology that it was compiled from.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The MAC table that it uses.
    pub fn mac_table(&self) -> &Arc<MacTable> {
        &self.mac
    }

    /// How many interfaces it knows; numbers below are valid.
    pub fn interface_count(&self) -> usize {
        self.interfaces.len()
    }

    #[inline]
    pub(crate) fn interface(&self, interface: InterfaceId) -> &InterfaceImage {
        self.interfaces.get(interface.index()).unwrap_or(&self.absent)
    }

    #[inline]
    pub(crate) fn fid(&self, fid: Fid) -> FidImage {
        self.fids.get(fid.index()).copied().unwrap_or_default()
    }

    /// Where a member leads; `None` if the number is not in use (any more).
    #[inline]
    pub(crate) fn member(&self, members: MemberRange, member: MemberId) -> Option<&MemberImage> {
        let member = self.members.get(members.index(member))?;
        member.is_used().then_some(member)
    }

    /// The place can be sent to: the member is in use and, if it is a peer, that is up.
    #[inline]
    pub(crate) fn member_is_usable(&self, member: &MemberImage) -> bool {
        member.is_local() || self.peer_is_up(member)
    }

    /// Apart, so that what is common stays in registers.
    #[inline(never)]
    fn peer_is_up(&self, member: &MemberImage) -> bool {
        self.peer(member).is_some_and(|(peer, _)| peer.is_up())
    }

    /// The peer that a member is, and the VNI of its learning domain.
    #[inline]
    pub(crate) fn peer(&self, member: &MemberImage) -> Option<(&PeerImage, u32)> {
        let (index, vni) = member.as_tunnel();
        self.peers.get(index).map(|peer| (peer, vni))
    }

    /// A class with all that belongs to it, for classes that are not kept so.
    pub(crate) fn entry(&self, word: ClassWord) -> ClassEntry {
        if !word.is_forward() {
            return ClassEntry::without(word);
        }
        let members = self.fid(word.fid()).members;
        let member = self.member(members, word.member()).unwrap_or(&MemberImage::UNUSED);
        ClassEntry { word, members, vid_counter: member.vid_counter(), group: member.group }
    }

    /// The members that a frame is flooded to: the flood list of its domain without peers that are
    /// down, the member that it came in by and that member's split-horizon group. If there is none,
    /// why. A peer may go down between this and the iteration, which then yields nothing.
    #[inline]
    pub(crate) fn flood(
        &self,
        parsed: &Parsed,
    ) -> Result<impl Iterator<Item = &MemberImage>, DropReason> {
        let fid = self.fid(parsed.class.word.fid());
        let from = fid.members.index(parsed.class.word.member());
        let group = parsed.class.group;
        let first = fid.flood as usize;
        let list = self.floods.get(first..first + usize::from(fid.flood_count));
        let members = list.unwrap_or_default().iter().filter_map(move |index| {
            let index = *index as usize;
            let member = self.members.get(index).filter(|_| index != from)?;
            self.member_is_usable(member).then_some(member)
        });
        let returns = move |member: &&MemberImage| group != 0 && member.group == group;
        match (members.clone().next(), members.clone().all(|member| returns(&member))) {
            (None, _) => Err(DropReason::NoDestination),
            (Some(_), true) => Err(DropReason::SplitHorizon),
            (Some(_), false) => Ok(members.filter(move |member| !returns(member))),
        }
    }

    /// The port that a member of a learning domain is counted for; `None` if it is retired.
    pub fn port_of(&self, fid: Fid, member: MemberId) -> Option<PortSlot> {
        self.member(self.fid(fid).members, member).map(MemberImage::port)
    }

    /// The members of a learning domain that are in use, with the ports that they count for.
    pub fn members(&self, fid: Fid) -> impl Iterator<Item = (MemberId, PortSlot)> {
        let members = self.fid(fid).members;
        members.numbers().filter_map(move |number| {
            self.member(members, number).map(|member| (number, member.port()))
        })
    }

    /// How long a learned entry of this domain may stay idle.
    pub fn ageing(&self, fid: Fid) -> Duration {
        self.fid_rules.get(fid.index()).map_or(Duration::MAX, |rules| rules.ageing)
    }

    /// How many stations may be learned in this domain.
    pub fn fid_limit(&self, fid: Fid) -> Option<MacLimit> {
        self.fid_rules.get(fid.index()).and_then(|rules| rules.limit)
    }

    /// The ports that have a MAC limit, without those that share [`PortSlot::UNATTRIBUTED`].
    pub fn port_limits(&self) -> &[(PortSlot, MacLimit)] {
        &self.port_limits
    }

    /// Learning domains that are in use.
    pub fn fids(&self) -> impl Iterator<Item = Fid> {
        let used =
            self.fids.iter().enumerate().filter(|(_, fid)| fid.members != MemberRange::EMPTY);
        used.filter_map(|(index, _)| u16::try_from(index).ok().map(Fid))
    }
}
