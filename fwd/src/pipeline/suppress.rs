//! Between lookup and flooding, in bridges with `neighborSuppression`: a question for an address that
//! is known is answered where it was asked, and whoever learns addresses gets copies of what stations
//! say about theirs.
//!
//! A tagged frame in a transparent bridge is somebody else's network and is left alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bridge_model::reason::PuntReason;
use bridge_model::types::MacAddr;
use bridge_model::wire::checksum::Sum;
use bridge_model::wire::ethernet::{ADDRESSES_LEN, HEADER_LEN, MIN_FRAME_LEN};
use bridge_model::wire::ip::{ETHER_TYPE_IPV6, IPV6_HEADER_LEN, PROTOCOL_ICMPV6, Packet};
use bridge_model::wire::neighbor::{
    Arp, Discovery, ETHER_TYPE_ARP, NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION,
};

use super::admit::Parsed;
use super::egress::{Egress, Ingress};
use super::scratch::{Fate, Scratch};
use crate::frame::Frame;
use crate::image::{ClassEntry, Image};
use crate::mac::Kernel;
use crate::neighbors::Neighbor;

/// Octets of an ARP message for IPv4.
const ARP_LEN: usize = 28;
/// Octets of an advertisement with the link-layer address of its target.
const ADVERTISEMENT_LEN: u16 = 32;
const IPV6_FIXED: [u8; 4] = [0x60, 0, 0, 0];

/// What is asked, by whom.
pub(crate) enum Question {
    Arp(Arp),
    Solicitation(Discovery),
}

/// Looks whether a frame says something about an address, and answers it if it can: the frame has the
/// answer in its place then, and goes back.
#[inline(never)]
pub(super) fn suppress<K: Kernel, F: Frame>(
    kernel: K,
    image: &Image,
    frame: &mut F,
    (scratch, index): (&mut Scratch, usize),
    egress: &mut Egress<F>,
    ingress: &Ingress,
) {
    let fate = scratch.fates[index];
    let parsed = scratch.get(index);
    let pop = parsed.shape.pop();
    let goes_on = fate == Fate::FLOOD || fate.is_send();
    if !goes_on || !is_about_addresses(frame.bytes(), pop) {
        return;
    }
    let place = (parsed.class.word.fid(), parsed.class.word.member());
    if !image.fid(place.0).suppresses {
        return;
    }
    egress.protocol.neighbor(place, (frame.bytes(), pop), (ingress.interface, ingress.now));
    // What came in a tunnel has been through this on its host.
    if fate != Fate::FLOOD || !parsed.is_group() || parsed.shape.has_own_port() {
        return;
    }
    if let Some((question, neighbor)) = answerable(kernel, image, &parsed, frame.bytes())
        && question.answer(frame, pop, parsed.src, neighbor)
    {
        let port = ingress.origin(parsed.shape).port;
        egress.counters.consumed(port, PuntReason::NeighborSuppressed);
        egress.counters.originated();
        scratch.fates[index] = Fate::send(parsed.class.members.index(place.1));
        // Nobody is to be told if it is too long.
        scratch.classes[index] = ClassEntry::NONE;
    }
}

/// ARP, or neighbour discovery over IPv6.
#[inline]
fn is_about_addresses(frame: &[u8], pop: usize) -> bool {
    let Some([high, low, rest @ ..]) = frame.get(ADDRESSES_LEN + pop..) else { return false };
    match u16::from_be_bytes([*high, *low]) {
        ETHER_TYPE_ARP => true,
        ETHER_TYPE_IPV6 => {
            rest.get(6) == Some(&PROTOCOL_ICMPV6)
                && matches!(
                    rest.get(IPV6_HEADER_LEN),
                    Some(&(NEIGHBOR_SOLICITATION | NEIGHBOR_ADVERTISEMENT))
                )
        }
        _ => false,
    }
}

/// The question in a frame that would flood, and the answer to it, if the station that it asks for is
/// known, elsewhere, and not the one who asks.
pub(crate) fn answerable<K: Kernel>(
    kernel: K,
    image: &Image,
    parsed: &Parsed,
    frame: &[u8],
) -> Option<(Question, Neighbor)> {
    let question = Question::parse(frame, parsed)?;
    let fid = parsed.class.word.fid();
    let neighbor = image.live.neighbors.lookup(fid, question.target())?;
    let station = neighbor.mac.to_u64();
    let hit = image.mac.find(kernel, image.mac.hash(fid, station))?;
    let member = image.member(parsed.class.members, hit.member())?;
    let is_elsewhere = image.member_is_usable(member) && hit.member() != parsed.class.word.member();
    (is_elsewhere && station != parsed.src).then_some((question, neighbor))
}

impl Question {
    /// Announcements (gratuitous ARP, duplicate address detection) are no questions: those whom they
    /// concern have to hear them.
    fn parse(frame: &[u8], parsed: &Parsed) -> Option<Self> {
        let at = ADDRESSES_LEN + parsed.shape.pop();
        let ether_type = u16::from_be_bytes(*frame.get(at..)?.first_chunk()?);
        let packet = frame.get(at + 2..)?;
        match ether_type {
            ETHER_TYPE_ARP if parsed.is_broadcast() => {
                let arp = Arp::parse(packet)?;
                let asks = arp.operation == Arp::REQUEST && arp.target != arp.sender;
                asks.then_some(Self::Arp(arp))
            }
            ETHER_TYPE_IPV6 => {
                let message = Discovery::parse(&Packet::parse(ether_type, packet)?.ok()?)?;
                let asks = !message.is_advertisement && !message.source.is_unspecified();
                asks.then_some(Self::Solicitation(message))
            }
            _ => None,
        }
    }

    fn target(&self) -> IpAddr {
        match self {
            Self::Arp(arp) => arp.target.into(),
            Self::Solicitation(message) => message.target.into(),
        }
    }

    /// Turns the frame into the answer, behind the `pop` octets of tags that it has. False, and the
    /// frame is as it was, if the buffer has no room for it.
    pub(crate) fn answer<F: Frame>(
        &self,
        frame: &mut F,
        pop: usize,
        asker: u64,
        neighbor: Neighbor,
    ) -> bool {
        let payload = match self {
            Self::Arp(_) => ARP_LEN,
            Self::Solicitation(_) => IPV6_HEADER_LEN + usize::from(ADVERTISEMENT_LEN),
        };
        let octets = pop + MIN_FRAME_LEN.max(HEADER_LEN + payload);
        if frame.octets() < octets && !frame.pad_to(octets) {
            return false;
        }
        frame.truncate(octets);
        let mut out = Writer(frame.bytes_mut());
        out.put(&MacAddr::from_u64(asker).octets());
        out.put(&neighbor.mac.octets());
        // The tags, whose priority the answer keeps, and the type stay.
        out.skip(pop + 2);
        match self {
            Self::Arp(arp) => arp_reply(&mut out, arp, neighbor.mac),
            Self::Solicitation(message) => advertisement(&mut out, message, neighbor),
        }
        out.fill();
        true
    }
}

fn arp_reply(out: &mut Writer<'_>, request: &Arp, mac: MacAddr) {
    out.put(&[0, 1, 8, 0, 6, 4]);
    out.put(&Arp::REPLY.to_be_bytes());
    out.put(&mac.octets());
    out.put(&Ipv4Addr::octets(&request.target));
    out.put(&request.sender_mac.octets());
    out.put(&Ipv4Addr::octets(&request.sender));
}

fn advertisement(out: &mut Writer<'_>, question: &Discovery, neighbor: Neighbor) {
    let router = if neighbor.is_router { Discovery::ROUTER } else { 0 };
    let flags = Discovery::SOLICITED | Discovery::OVERRIDE | router;
    let (target, mac) = (Ipv6Addr::octets(&question.target), neighbor.mac.octets());
    let mut message = [0; ADVERTISEMENT_LEN as usize];
    message[0] = NEIGHBOR_ADVERTISEMENT;
    message[4] = flags;
    message[8..24].copy_from_slice(&target);
    // The option with the target's address: type 2, 8 octets.
    message[24..26].copy_from_slice(&[2, 1]);
    message[26..].copy_from_slice(&mac);
    let (from, to) = (question.target.into(), question.source.into());
    let sum = Sum::default()
        .pseudo(from, to, PROTOCOL_ICMPV6, u32::from(ADVERTISEMENT_LEN))
        .octets(&message)
        .checksum();
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    out.put(&IPV6_FIXED);
    out.put(&ADVERTISEMENT_LEN.to_be_bytes());
    out.put(&[PROTOCOL_ICMPV6, 255]);
    out.put(&target);
    out.put(&Ipv6Addr::octets(&question.source));
    out.put(&message);
}

/// Writes one part after the other; what has no room is left out.
struct Writer<'b>(&'b mut [u8]);

impl Writer<'_> {
    fn put(&mut self, part: &[u8]) {
        if let Some((here, rest)) = std::mem::take(&mut self.0).split_at_mut_checked(part.len()) {
            here.copy_from_slice(part);
            self.0 = rest;
        }
    }

    fn skip(&mut self, octets: usize) {
        let all = std::mem::take(&mut self.0);
        self.0 = all.get_mut(octets..).unwrap_or_default();
    }

    /// Zeros to the end.
    fn fill(&mut self) {
        self.0.fill(0);
    }
}
