//! What the pipeline would do with a frame, step by step, without doing it.
//!
//! The steps are taken by the pipeline's own code (admission, lookup, rewrite), so the answer cannot
//! drift away from what happens. Nothing is learned, counted or sent, and no token is spent: storm
//! control and the budget of control frames are not asked.

use std::fmt;

use bridge_model::compile::ReservedAction;
use bridge_model::reason::{DropReason, PuntReason};
use bridge_model::types::{Fid, InterfaceId, MacAddr, MemberId, VlanId};

use crate::counters::PortSlot;
use crate::frame::Frame as _;
use crate::heap::HeapFrame;
use crate::image::{Image, InterfaceImage, MemberImage};
use crate::mac::Scalar;
use crate::pipeline::{
    Admission, Control, Destination, Parsed, Source, admit, destination, fits, judge, rewrite,
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
    /// A group address, or a station that nobody knows: to all members but the ingress.
    Floods {
        /// Not a group address.
        unknown: bool,
    },
}

/// One copy on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// The device.
    pub interface: InterfaceId,
    /// The port that it counts for.
    pub port: PortSlot,
    /// The frame as it would stand on the wire, or why it would not.
    pub frame: Result<Vec<u8>, DropReason>,
}

/// How it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Copies, at least one.
    Send(Vec<Copy>),
    /// The control plane takes it.
    Punt(PuntReason),
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
        Admission::Underlay { .. } | Admission::FromKernel { .. } => {
            Verdict::Drop(DropReason::VlanUnknown)
        }
        Admission::Control(control) => {
            steps.push(Step::Reserved(control.action));
            reserved(here, control, frame)
        }
        Admission::Forward(parsed) => {
            forward(image, here, &parsed, frame, &mut steps).unwrap_or_else(Verdict::Drop)
        }
    };
    Trace { steps, verdict }
}

fn reserved(here: &InterfaceImage, control: Control, frame: &[u8]) -> Verdict {
    match control.action {
        ReservedAction::Drop(reason) => Verdict::Drop(reason),
        ReservedAction::Consume(reason) => Verdict::Punt(reason),
        ReservedAction::Relay(_) => {
            let targets = here.reserved.relay.iter().filter(|to| to.carries(control.vid));
            let copies: Vec<Copy> = targets.map(|to| copy(frame, 0, 0, &to.to)).collect();
            if copies.is_empty() {
                return Verdict::Drop(DropReason::BpduNoRelay);
            }
            Verdict::Send(copies)
        }
    }
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
    let one = |to: &MemberImage| copy(frame, parsed.shape.pop(), parsed.shape.tci(), to);
    match found {
        Destination::Drop(reason) => Err(reason),
        Destination::Member(index) => {
            let to = image.members.get(index).unwrap_or(&MemberImage::UNUSED);
            steps.push(Step::DestinationKnown { port: to.port(), interface: to.interface() });
            Ok(Verdict::Send(vec![one(to)]))
        }
        Destination::Unknown => {
            steps.push(Step::Floods { unknown: !parsed.is_group() });
            let others = image.flood(parsed)?;
            Ok(Verdict::Send(others.map(one).collect()))
        }
    }
}

fn copy(frame: &[u8], pop: usize, tci: u16, to: &MemberImage) -> Copy {
    let mut copy = HeapFrame::new(frame);
    let frame = if !fits(&copy, pop, to) {
        Err(DropReason::MtuExceeded)
    } else if rewrite(&mut copy, pop, tci, to) {
        Ok(copy.bytes().to_vec())
    } else {
        Err(DropReason::NoBuffer)
    };
    Copy { interface: to.interface(), port: to.port(), frame }
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
