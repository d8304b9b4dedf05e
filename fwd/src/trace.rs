//! What the pipeline would do with a frame, step by step, without doing it.
//!
//! The steps are taken by the pipeline's own code (admission, lookup, rewrite or encapsulation), so the
//! answer cannot drift away from what happens. Nothing is learned, counted or sent, and no token is
//! spent: storm control and the budget of control frames are not asked.

use std::fmt;

use bridge_model::compile::ReservedAction;
use bridge_model::reason::{DropReason, PuntReason};
use bridge_model::types::{Fid, InterfaceId, MacAddr, MemberId, PeerId, UnderlayId, VlanId};

use crate::counters::PortSlot;
use crate::frame::Frame as _;
use crate::heap::HeapFrame;
use crate::image::{Image, InterfaceImage, LinkImage, MemberImage};
use crate::mac::Scalar;
use crate::pipeline::{
    Admission, Control, Destination, Parsed, Received, Shape, Source, Tunnelled, admit,
    admit_inner, answerable, destination, enter, fits, judge, open, receive, rewrite,
};

/// One thing that the pipeline finds out or decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The frame counts for this port.
    Arrived {
        /// Where it came in.
        interface: InterfaceId,
        /// What it counts for.
        port: PortSlot,
    },
    /// The destination is reserved: what the interface does with it.
    Reserved(ReservedAction),
    /// It belongs to an underlay link, and counts for that.
    Underlay {
        /// The link.
        link: UnderlayId,
        /// What it counts for.
        port: PortSlot,
    },
    /// It comes from the kernel, for an underlay link.
    FromKernel {
        /// The link.
        link: UnderlayId,
    },
    /// It goes to the kernel, which has the link's addresses.
    ToKernel {
        /// Our own protocol gets a copy.
        copied: Option<PuntReason>,
    },
    /// It came in a tunnel whose outer headers are in order; from here on this is about the frame in
    /// it.
    Tunnelled {
        /// Who sent it.
        peer: PeerId,
        /// What it counts for.
        port: PortSlot,
        /// Where the inner frame begins, in octets.
        offset: usize,
        /// The inner frame's length in octets.
        octets: usize,
    },
    /// It belongs to a learning domain.
    Classified {
        /// The domain.
        fid: Fid,
        /// The place in it that the frame came from.
        member: MemberId,
        /// The VID of that place, on a trunk.
        vid: Option<VlanId>,
        /// How many tags are taken off.
        popped: usize,
    },
    /// The source's entry is as it should be.
    SourceKnown {
        /// The station.
        station: MacAddr,
    },
    /// The source has no entry; it would be learned.
    SourceNew {
        /// The station.
        station: MacAddr,
    },
    /// The source's entry would be moved here.
    SourceMoves {
        /// The station.
        station: MacAddr,
        /// Where it was.
        from: MemberId,
    },
    /// A limit keeps the source from being learned; the frame goes on.
    SourceLimited {
        /// The station.
        station: MacAddr,
    },
    /// The destination's entry was found.
    DestinationKnown {
        /// Where it leads.
        port: PortSlot,
        /// By which device.
        interface: InterfaceId,
    },
    /// The destination's entry was found, and leads into a tunnel.
    DestinationInTunnel {
        /// What it counts for.
        port: PortSlot,
        /// To whom.
        peer: PeerId,
        /// The VNI, or the key of GRE.
        vni: u32,
    },
    /// It asks for a station that is known; the answer takes its place.
    Answered {
        /// The station.
        station: MacAddr,
    },
    /// A group address, or a station that nobody knows: to all members but the ingress.
    Floods {
        /// Not a group address.
        unknown: bool,
    },
}

/// One copy on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// The device; `None` of a tunnel without a way.
    pub interface: Option<InterfaceId>,
    /// The port that it counts for.
    pub port: PortSlot,
    /// The frame as it would stand on the wire, outer headers included, or why it would not.
    pub frame: Result<Vec<u8>, DropReason>,
}

/// How it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Copies, at least one.
    Send(Vec<Copy>),
    /// The control plane takes it.
    Punt(PuntReason),
    /// It is consumed, and this answer goes back.
    Answered(Copy),
    /// Nowhere.
    Drop(DropReason),
}

/// A frame's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// In order.
    pub steps: Vec<Step>,
    /// The end.
    pub verdict: Verdict,
}

/// What would become of `frame` if it arrived on `interface` now.
pub fn what_if(image: &Image, interface: InterfaceId, frame: &[u8]) -> Trace {
    let mut steps = Vec::new();
    let here = image.interface(interface);
    let admission = admit(image, here, frame, true);
    let tagged = match admission {
        Admission::Forward(parsed) => parsed.shape.tagged(),
        Admission::Control(Control { tagged, .. }) | Admission::Drop { tagged, .. } => tagged,
        Admission::Underlay { shape, .. } | Admission::FromKernel { shape, .. } => shape.tagged(),
    };
    steps.push(Step::Arrived { interface, port: here.port(tagged).0 });
    let verdict = match admission {
        Admission::Drop { reason, .. } => Verdict::Drop(reason),
        Admission::Control(control) => {
            steps.push(Step::Reserved(control.action));
            reserved(here, control, frame)
        }
        Admission::Forward(parsed) => {
            forward(image, here, &parsed, frame, &mut steps).unwrap_or_else(Verdict::Drop)
        }
        Admission::Underlay { link, shape } => match image.underlay.link(link) {
            Some(link) => underlay(image, here, link, (frame, shape), &mut steps),
            None => Verdict::Drop(DropReason::VlanUnknown),
        },
        Admission::FromKernel { link, shape } => {
            steps.push(Step::FromKernel { link });
            let way_out = image.underlay.link(link).map(|link| link.way_out);
            to_member(image, way_out, frame, shape.without_priority())
        }
    };
    Trace { steps, verdict }
}

fn to_member(image: &Image, member: Option<usize>, frame: &[u8], shape: Shape) -> Verdict {
    let to = member.and_then(|member| image.members.get(member));
    let to = to.unwrap_or(&MemberImage::UNUSED);
    Verdict::Send(vec![copy(image, Fid(0), frame, shape, to)])
}

fn reserved(here: &InterfaceImage, control: Control, frame: &[u8]) -> Verdict {
    match control.action {
        ReservedAction::Drop(reason) => Verdict::Drop(reason),
        ReservedAction::Consume(reason) => Verdict::Punt(reason),
        ReservedAction::Relay(_) => {
            let targets = here.reserved.relay.iter().filter(|to| to.carries(control.vid));
            let copies: Vec<Copy> = targets.map(|to| local(frame, 0, 0, &to.to)).collect();
            if copies.is_empty() {
                return Verdict::Drop(DropReason::BpduNoRelay);
            }
            Verdict::Send(copies)
        }
    }
}

fn underlay(
    image: &Image,
    here: &InterfaceImage,
    link: &LinkImage,
    (frame, shape): (&[u8], Shape),
    steps: &mut Vec<Step>,
) -> Verdict {
    steps.push(Step::Underlay { link: link.id, port: link.slot });
    match receive(image, link, frame, shape.pop()) {
        Received::Dropped(reason) => Verdict::Drop(reason),
        Received::Consumed(reason) => Verdict::Punt(reason),
        Received::Kernel(kernel, copied) => {
            steps.push(Step::ToKernel { copied });
            to_member(image, Some(kernel), frame, shape)
        }
        Received::Tunnelled(tunnelled) => {
            inside(image, here, &tunnelled, frame, steps).unwrap_or_else(Verdict::Drop)
        }
    }
}

/// The frame in a tunnel.
fn inside(
    image: &Image,
    here: &InterfaceImage,
    tunnelled: &Tunnelled,
    frame: &[u8],
    steps: &mut Vec<Step>,
) -> Result<Verdict, DropReason> {
    let inner = frame.get(tunnelled.start..tunnelled.end).unwrap_or_default();
    let source = image.underlay.sources.get(usize::from(tunnelled.peer));
    steps.push(Step::Tunnelled {
        peer: PeerId(tunnelled.peer),
        port: source.map_or(PortSlot::UNATTRIBUTED, |source| source.slot),
        offset: tunnelled.start,
        octets: inner.len(),
    });
    let mut parsed = admit_inner(image, tunnelled, inner, frame.len())?;
    let mut opened = HeapFrame::new(frame);
    open(&mut opened, tunnelled, parsed.shape.pop());
    parsed.shape = parsed.shape.popped();
    forward(image, here, &parsed, opened.bytes(), steps)
}

fn forward(
    image: &Image,
    here: &InterfaceImage,
    parsed: &Parsed,
    frame: &[u8],
    steps: &mut Vec<Step>,
) -> Result<Verdict, DropReason> {
    let (fid, member) = (parsed.class.word.fid(), parsed.class.word.member());
    let vid = VlanId::new(parsed.class.vid()).ok();
    steps.push(Step::Classified { fid, member, vid, popped: parsed.shape.pop() / 4 });
    let station = MacAddr::from_u64(parsed.src);
    let hit = image.mac.find(Scalar, image.mac.hash(fid, parsed.src));
    steps.push(match judge(image, here, parsed, hit.as_ref()) {
        Source::Same => Step::SourceKnown { station },
        Source::New => Step::SourceNew { station },
        Source::Moved { from } => Step::SourceMoves { station, from },
        Source::Limited => Step::SourceLimited { station },
        Source::Drop(reason) => return Err(reason),
    });
    let found = if parsed.is_group() {
        Destination::Unknown
    } else {
        destination(Scalar, image, parsed, image.mac.hash(fid, parsed.dst))
    };
    let one = |to: &MemberImage| copy(image, fid, frame, parsed.shape, to);
    match found {
        Destination::Drop(reason) => Err(reason),
        Destination::Member(index) => {
            let to = image.members.get(index).unwrap_or(&MemberImage::UNUSED);
            steps.push(leads_to(to));
            Ok(Verdict::Send(vec![one(to)]))
        }
        Destination::Unknown => {
            if let Some((station, answer)) = answer(image, parsed, frame) {
                steps.push(Step::Answered { station });
                return Ok(Verdict::Answered(answer));
            }
            steps.push(Step::Floods { unknown: !parsed.is_group() });
            let others = image.flood(parsed)?;
            Ok(Verdict::Send(others.map(one).collect()))
        }
    }
}

fn leads_to(to: &MemberImage) -> Step {
    if to.is_local() {
        return Step::DestinationKnown { port: to.port(), interface: to.interface() };
    }
    let (peer, vni) = to.as_tunnel();
    let peer = PeerId(u16::try_from(peer).unwrap_or(u16::MAX));
    Step::DestinationInTunnel { port: to.port(), peer, vni }
}

/// The answer to a question for a known station, which is sent back.
fn answer(image: &Image, parsed: &Parsed, frame: &[u8]) -> Option<(MacAddr, Copy)> {
    let class = parsed.class;
    // What came in a tunnel has been through this on its host.
    let asks_here = parsed.is_group() && !parsed.shape.has_own_port();
    if !asks_here || !image.fid(class.word.fid()).suppresses {
        return None;
    }
    let (question, neighbor) = answerable(Scalar, image, parsed, frame)?;
    let mut answer = HeapFrame::new(frame);
    if !question.answer(&mut answer, parsed.shape.pop(), parsed.src, neighbor) {
        return None;
    }
    let back = image.member(class.members, class.word.member())?;
    Some((neighbor.mac, local(answer.bytes(), parsed.shape.pop(), parsed.shape.tci(), back)))
}

fn copy(image: &Image, fid: Fid, frame: &[u8], shape: Shape, to: &MemberImage) -> Copy {
    if to.is_local() {
        return local(frame, shape.pop(), shape.tci(), to);
    }
    let mut copy = HeapFrame::new(frame);
    let way = enter(image, &mut copy, (shape.pop(), None), fid, to);
    let frame = way.map(|_| copy.bytes().to_vec());
    Copy { interface: way.ok(), port: to.port(), frame }
}

/// One that leaves by a device of the member's own.
fn local(frame: &[u8], pop: usize, tci: u16, to: &MemberImage) -> Copy {
    let mut copy = HeapFrame::new(frame);
    let frame = if !fits(&copy, pop, to) {
        Err(DropReason::MtuExceeded)
    } else if rewrite(&mut copy, pop, tci, to) {
        Ok(copy.bytes().to_vec())
    } else {
        Err(DropReason::NoBuffer)
    };
    Copy { interface: Some(to.interface()), port: to.port(), frame }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arrived { interface, port } => {
                write!(f, "arrives on interface {interface}, counted for port {}", port.index())
            }
            Self::Reserved(ReservedAction::Drop(reason)) => write!(f, "reserved address: {reason}"),
            Self::Reserved(ReservedAction::Consume(reason)) => {
                write!(f, "reserved address: {reason}, for the control plane")
            }
            Self::Reserved(ReservedAction::Relay(_)) => {
                f.write_str("reserved address: to the other trunks")
            }
            Self::Underlay { link, port } => {
                write!(f, "belongs to underlay link {link}, counted for port {}", port.index())
            }
            Self::FromKernel { link } => write!(f, "from the kernel, for underlay link {link}"),
            Self::ToKernel { copied: None } => f.write_str("for the kernel"),
            Self::ToKernel { copied: Some(reason) } => {
                write!(f, "for the kernel, with a copy for us: {reason}")
            }
            Self::Tunnelled { peer, port, offset, octets } => write!(
                f,
                "came in a tunnel from peer {peer}, counted for port {}: a frame of {octets} octets \
                 at offset {offset}",
                port.index()
            ),
            Self::DestinationInTunnel { port, peer, vni } => write!(
                f,
                "destination is behind port {}: to peer {peer} with VNI {vni}",
                port.index()
            ),
            Self::Answered { station } => write!(f, "asks for {station}, which is known: answered"),
            Self::Classified { fid, member, vid, popped } => {
                write!(f, "belongs to domain {fid}, as from member {member}")?;
                vid.map_or(Ok(()), |vid| write!(f, ", VID {vid}"))?;
                write!(f, "; {popped} tags come off")
            }
            Self::SourceKnown { station } => write!(f, "source {station} is known here"),
            Self::SourceNew { station } => write!(f, "source {station} is new"),
            Self::SourceMoves { station, from } => {
                write!(f, "source {station} moves here from member {from}")
            }
            Self::SourceLimited { station } => {
                write!(f, "source {station} is not learned: a limit is reached")
            }
            Self::DestinationKnown { port, interface } => {
                write!(f, "destination is behind port {} on interface {interface}", port.index())
            }
            Self::Floods { unknown: true } => f.write_str("destination is unknown: to all others"),
            Self::Floods { unknown: false } => f.write_str("group destination: to all others"),
        }
    }
}
