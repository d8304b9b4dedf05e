//! Admission and classification, complete (forwarding rules sections 2, 3 and 5).
//!
//! The burst takes a short cut for the common frame ([`super::parse`]) and comes here with every
//! other; a property test holds the two against each other.

use bridge_model::compile::ReservedAction;
use bridge_model::reason::DropReason;
use bridge_model::types::{Fid, MacAddr, MemberId, Tpid, UnderlayId, VlanId, VlanTag};
use bridge_model::wire::ethernet::Header;
use bridge_model::wire::reserved::{self, ReservedClass};

use crate::counters::PortSlot;
use crate::image::{
    ClassEntry, ClassKind, ClassWord, Image, InterfaceImage, OtherTags, ReservedImage,
};

/// What is known of a frame that may be forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parsed {
    /// The destination address in the low 48 bits.
    pub(crate) dst: u64,
    /// The source address in the low 48 bits.
    pub(crate) src: u64,
    /// Always a forwarding class.
    pub(crate) class: ClassEntry,
    pub(crate) shape: Shape,
}

/// How a frame came in, beside its addresses and its class, in one word:
/// `octets:24 | TCI:16 | port slot:16 | octets of tags that are taken off:4 | flags:4`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Shape(u64);

/// Flag: it counts for the interface's tagged port.
const TAGGED: u64 = 1;
/// Flag: it counts for the port slot in the word, whatever the interface says.
const OWN_PORT: u64 = 2;

impl Shape {
    /// `pop` is 0, 4 or 8; of `tci` only PCP and DEI are used. A `tagged` frame counts for the
    /// interface's tagged port.
    #[inline]
    pub(crate) const fn new(octets: usize, tci: u16, pop: u8, tagged: bool) -> Self {
        // A frame of 16 MiB does not fit a buffer.
        Self((octets as u64) << 40 | (tci as u64) << 24 | (pop as u64) << 4 | tagged as u64)
    }

    /// Of a frame that counts for `port`, not for its interface's: it belongs to an underlay link, or
    /// came in a tunnel.
    #[inline]
    pub(crate) const fn of_port(octets: usize, tci: u16, pop: u8, port: PortSlot) -> Self {
        Self(Self::new(octets, tci, pop, false).0 | (port.0 as u64) << 8 | OWN_PORT)
    }

    /// Octets of the frame as it was received.
    #[inline]
    pub(crate) const fn octets(self) -> u64 {
        self.0 >> 40
    }

    /// The tag whose PCP and DEI the frame keeps; 0 without.
    #[inline]
    pub(crate) const fn tci(self) -> u16 {
        (self.0 >> 24 & 0xffff) as u16
    }

    /// The same frame once its tags are off.
    #[inline]
    pub(crate) const fn popped(self) -> Self {
        Self(self.0 & !(0xf << 4))
    }

    /// The same frame without PCP and DEI.
    #[inline]
    pub(crate) const fn without_priority(self) -> Self {
        Self(self.0 & !(0xffff << 24))
    }

    /// The same frame, which counts for `port`.
    #[inline]
    pub(crate) const fn for_port(self, port: PortSlot) -> Self {
        Self(self.0 & !(0xffff << 8 | TAGGED) | (port.0 as u64) << 8 | OWN_PORT)
    }

    /// The port that it counts for, if that is not one of the interface's. Frames that are forwarded
    /// and have one came in a tunnel.
    #[inline]
    pub(crate) const fn port(self) -> Option<PortSlot> {
        if self.has_own_port() { Some(PortSlot((self.0 >> 8 & 0xffff) as u16)) } else { None }
    }

    /// It does not count for a port of the interface.
    #[inline]
    pub(crate) const fn has_own_port(self) -> bool {
        self.0 & OWN_PORT != 0
    }

    /// Octets of tags that are taken off: 0, 4 or 8.
    #[inline]
    pub(crate) const fn pop(self) -> usize {
        (self.0 >> 4 & 0xf) as usize
    }

    /// It counts for the interface's tagged port.
    #[inline]
    pub(crate) const fn tagged(self) -> bool {
        self.0 & TAGGED != 0
    }
}

impl Parsed {
    pub(crate) const NONE: Self = Self { dst: 0, src: 0, class: ClassEntry::NONE, shape: Shape(0) };

    /// The destination is a group address.
    #[inline]
    pub(crate) const fn is_group(&self) -> bool {
        self.dst >> 40 & 1 != 0
    }

    /// The destination is ff:ff:ff:ff:ff:ff.
    #[inline]
    pub(crate) const fn is_broadcast(&self) -> bool {
        self.dst == 0xffff_ffff_ffff
    }
}

/// A frame to a reserved destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Control {
    pub(crate) action: ReservedAction,
    /// The VID of its outer tag, whatever it is; 0 without.
    pub(crate) vid: u16,
    pub(crate) tagged: bool,
}

/// How admission ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Forward(Parsed),
    Control(Control),
    /// A frame of an underlay link. So many octets of tag selected it.
    Underlay {
        link: UnderlayId,
        shape: Shape,
    },
    /// A frame of the kernel, for an underlay link.
    FromKernel {
        link: UnderlayId,
        shape: Shape,
    },
    Drop {
        reason: DropReason,
        tagged: bool,
    },
}

/// Admits and classifies one frame. `contiguous` as in [`crate::frame::Frame::is_contiguous`].
#[inline(never)]
pub(crate) fn admit(
    image: &Image,
    interface: &InterfaceImage,
    frame: &[u8],
    contiguous: bool,
) -> Admission {
    let drop = |reason, tagged| Admission::Drop { reason, tagged };
    if !contiguous {
        return drop(DropReason::BufferChained, false);
    }
    let Ok(header) = Header::parse(frame) else {
        return drop(DropReason::Malformed, false);
    };
    let tagged = header.outer.is_some_and(|tag| tag.vid_raw() != 0);
    if header.source.is_group() || header.source == MacAddr::ZERO {
        return drop(DropReason::BadSource, tagged);
    }
    if let Some(class) = reserved::classify(frame, &header) {
        return control(interface, class, header.outer, tagged);
    }
    match classify(image, interface, &header) {
        Ok(class) => {
            let shape = Shape::new(frame.len(), class.tci, class.pop, tagged);
            match class.entry.word.kind() {
                ClassKind::Underlay(link) => Admission::Underlay { link, shape },
                ClassKind::Kernel(link) => Admission::FromKernel { link, shape },
                _ => Admission::Forward(Parsed {
                    dst: header.destination.to_u64(),
                    src: header.source.to_u64(),
                    class: class.entry,
                    shape,
                }),
            }
        }
        Err(reason) => drop(reason, tagged),
    }
}

fn reserved_action(table: &ReservedImage, class: ReservedClass) -> ReservedAction {
    match class {
        ReservedClass::LinkLocal(low) => table.link_local[usize::from(low & 15)],
        ReservedClass::Registration(low) => table.registration[usize::from(low & 15)],
        ReservedClass::Pvst => table.pvst,
        ReservedClass::Vendor => table.vendor,
    }
}

/// What happens to a reserved destination inside a tunnel: it is dropped, whatever the table says.
pub(super) fn reserved_inside(table: Option<&ReservedImage>, class: ReservedClass) -> DropReason {
    match table.map(|table| reserved_action(table, class)) {
        Some(ReservedAction::Drop(reason)) => reason,
        _ => DropReason::Reserved,
    }
}

fn control(
    interface: &InterfaceImage,
    class: ReservedClass,
    outer: Option<VlanTag>,
    tagged: bool,
) -> Admission {
    let action = reserved_action(&interface.reserved, class);
    let is_stp = matches!(class, ReservedClass::LinkLocal(0x0 | 0x8));
    let action = match action {
        ReservedAction::Drop(_) => action,
        _ if is_stp && tagged => ReservedAction::Drop(DropReason::BpduTagged),
        _ => action,
    };
    if let ReservedAction::Drop(reason) = action {
        return Admission::Drop { reason, tagged };
    }
    let vid = outer.map_or(0, VlanTag::vid_raw);
    Admission::Control(Control { action, vid, tagged })
}

/// Reasons that come before a look at the VID: no port to look for it at, or no tag of ours.
const WHATEVER_THE_VID: [DropReason; 4] =
    [DropReason::AdminDown, DropReason::PortUnbound, DropReason::RxLinkDown, DropReason::BadTpid];

struct Classified {
    entry: ClassEntry,
    tci: u16,
    pop: u8,
}

fn classify(
    image: &Image,
    interface: &InterfaceImage,
    header: &Header,
) -> Result<Classified, DropReason> {
    let Some(outer) = header.outer else {
        return forward(interface.untagged, 0, 0);
    };
    if u32::from(outer.tpid.ether_type()) == interface.tpid {
        let entry = interface.classes[usize::from(outer.vid_raw())];
        return match entry.word.kind() {
            ClassKind::Stacked(table) => stacked(image, table, outer, header.inner),
            ClassKind::Untagged => forward(interface.untagged, outer.tci, 4),
            _ => forward(entry, outer.tci, 4),
        };
    }
    match interface.other_tags {
        OtherTags::Transparent { base, member } if outer.vid_raw() <= VlanId::MAX => {
            let fid = Fid(base.saturating_add(outer.vid_raw()));
            let word = ClassWord::forward(fid, MemberId(member));
            forward(image.entry(word), outer.tci, 0)
        }
        OtherTags::Transparent { .. } => Err(DropReason::VlanReserved),
        OtherTags::All(word) => match (word.kind(), outer.vid_raw()) {
            (ClassKind::Drop(reason), _) if WHATEVER_THE_VID.contains(&reason) => Err(reason),
            (_, 0) => forward(interface.untagged, outer.tci, 4),
            (_, 4095) => Err(DropReason::VlanReserved),
            _ => forward(image.entry(word), outer.tci, 4),
        },
    }
}

/// A pair of tags selects the class; both are taken off.
fn stacked(
    image: &Image,
    table: u16,
    outer: VlanTag,
    inner: Option<VlanTag>,
) -> Result<Classified, DropReason> {
    let inner = inner.filter(|tag| tag.tpid == Tpid::CTag).ok_or(DropReason::VlanUnknown)?;
    let table = image.stacks.get(usize::from(table)).ok_or(DropReason::VlanUnknown)?;
    match inner.vid_raw() {
        0 | 4095 => Err(DropReason::VlanUnknown),
        vid => forward(table[usize::from(vid)], outer.tci, 8),
    }
}

fn forward(entry: ClassEntry, tci: u16, pop: u8) -> Result<Classified, DropReason> {
    match entry.word.kind() {
        ClassKind::Forward { .. } | ClassKind::Underlay(_) | ClassKind::Kernel(_) => {
            Ok(Classified { entry, tci, pop })
        }
        ClassKind::Drop(reason) => Err(reason),
        ClassKind::Stacked(_) | ClassKind::Untagged => Err(DropReason::VlanUnknown),
    }
}
