//! What arrives on an underlay link (rules U1 to U11): packets in tunnels, packets of protocols, and
//! what is not for us.
//!
//! Complete and slow enough to be read. The burst takes a short cut for the common packet
//! ([`super::quick`]) and comes here with every other; tests hold the two against each other.

use std::net::IpAddr;

use bridge_model::reason::{DropReason, PuntReason};
use bridge_model::types::{Fid, MacAddr, VlanId, Vni};
use bridge_model::wire::bfd::{PORT_MULTIHOP, PORT_SINGLE_HOP};
use bridge_model::wire::ethernet::{ADDRESSES_LEN, HEADER_LEN, Header, TAG_LEN};
use bridge_model::wire::inner::may_be_congested;
use bridge_model::wire::ip::{
    Datagram, ECN_CONGESTED, IpError, PROTOCOL_GRE, PROTOCOL_ICMP, PROTOCOL_ICMPV6,
    PROTOCOL_IPV6_FRAGMENT, PROTOCOL_UDP, Packet, UDP_HEADER_LEN,
};
use bridge_model::wire::neighbor::{ETHER_TYPE_ARP, NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION};
use bridge_model::wire::reserved;
use bridge_model::wire::tunnel::{TunnelError, VXLAN_HEADER_LEN, gre, vxlan};

use super::admit::{self, Parsed, Shape};
use crate::image::{ClassEntry, ClassWord, Image, LinkImage, SourceImage, UnderlayImage, VniImage};

/// What becomes of a frame of an underlay link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// It carries a frame for one of our bridges.
    Tunnelled(Tunnelled),
    /// It goes to the kernel, a place of the image, and a protocol gets a copy.
    Kernel(usize, Option<PuntReason>),
    /// A protocol takes it.
    Consumed(PuntReason),
    Dropped(DropReason),
}

/// A frame in a tunnel whose outer headers are in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tunnelled {
    /// The number of the peer that it came from.
    pub(crate) peer: u16,
    /// The bridge that it is for.
    pub(crate) vni: VniImage,
    /// The class of an untagged frame in it.
    pub(crate) class: ClassEntry,
    /// Where the inner frame begins.
    pub(crate) start: usize,
    /// Where it ends.
    pub(crate) end: usize,
    /// The outer packet met congestion.
    pub(crate) is_congested: bool,
}

/// Judges a frame of `link`, of which `pop` octets are the tag that selected the link.
pub(crate) fn receive(image: &Image, link: &LinkImage, frame: &[u8], pop: usize) -> Received {
    judge(image, link, frame, pop).unwrap_or_else(Received::Dropped)
}

fn judge(
    image: &Image,
    link: &LinkImage,
    frame: &[u8],
    pop: usize,
) -> Result<Received, DropReason> {
    let underlay = &image.underlay;
    let to_kernel = |reason| {
        let kernel = link.kernel.map(|kernel| Received::Kernel(kernel, None));
        kernel.ok_or(reason)
    };
    let control = |reason| match link.kernel {
        Some(kernel) => Received::Kernel(kernel, Some(reason)),
        None => Received::Consumed(reason),
    };
    let octets = |from, to| frame.get(from..to).unwrap_or_default();
    let destination =
        octets(0, 6).iter().fold(0, |address, octet| address << 8 | u64::from(*octet));
    let is_group = destination >> 40 & 1 != 0;
    // U1
    if !is_group && destination != link.mac {
        return Err(DropReason::NotForUs);
    }
    // U2
    let type_at = ADDRESSES_LEN + pop;
    let ether_type =
        octets(type_at, type_at + 2).iter().fold(0, |t, octet| t << 8 | u16::from(*octet));
    if ether_type == ETHER_TYPE_ARP {
        return Ok(control(PuntReason::UnderlayNeighbor));
    }
    // U3
    let not_ours = if is_group { DropReason::NotForUs } else { DropReason::TunnelUnexpected };
    let bytes = octets(HEADER_LEN + pop, frame.len());
    let packet = match Packet::parse(ether_type, bytes) {
        None => return to_kernel(not_ours),
        Some(Err(IpError::Header)) => return Err(DropReason::TunnelBadHeader),
        Some(Err(IpError::Checksum)) => return Err(DropReason::TunnelBadChecksum),
        // U4 to U6
        Some(Err(IpError::Fragment)) => {
            let address = bytes.get(16..20).and_then(|octets| <[u8; 4]>::try_from(octets).ok());
            let is_local = address.is_some_and(|address| underlay.is_local(IpAddr::from(address)));
            let reason =
                if is_local { DropReason::TunnelFragment } else { DropReason::TunnelUnexpected };
            return to_kernel(if is_group { not_ours } else { reason });
        }
        Some(Ok(packet)) => packet,
    };
    // U4
    let is_v6 = packet.destination.is_ipv6();
    let first = packet.payload.first();
    if is_v6
        && packet.protocol == PROTOCOL_ICMPV6
        && matches!(first, Some(&(NEIGHBOR_SOLICITATION | NEIGHBOR_ADVERTISEMENT)))
    {
        return Ok(control(PuntReason::UnderlayNeighbor));
    }
    // U5
    if is_group || !underlay.is_local(packet.destination) {
        return to_kernel(not_ours);
    }
    let start = frame.len() - bytes.len() + header_octets(bytes, is_v6);
    match packet.protocol {
        // U6
        PROTOCOL_IPV6_FRAGMENT if is_v6 => to_kernel(DropReason::TunnelFragment),
        // U7
        PROTOCOL_ICMP if !is_v6 => Ok(control(PuntReason::UnderlayIcmp)),
        PROTOCOL_ICMPV6 if is_v6 => Ok(control(PuntReason::UnderlayIcmp)),
        // U8
        PROTOCOL_UDP => {
            let Some(datagram) = Datagram::parse(packet.payload) else {
                return to_kernel(DropReason::TunnelBadHeader);
            };
            match datagram.destination {
                port if underlay.is_vxlan(port) => {
                    from_vxlan(underlay, &packet, &datagram, start).map(Received::Tunnelled)
                }
                PORT_SINGLE_HOP | PORT_MULTIHOP
                    if underlay.peer(packet.source).is_some_and(|(_, peer)| peer.has_bfd) =>
                {
                    Ok(Received::Consumed(PuntReason::Bfd))
                }
                _ => to_kernel(DropReason::TunnelUnexpected),
            }
        }
        // U9
        PROTOCOL_GRE if underlay.has_gre => {
            from_gre(underlay, &packet, start).map(Received::Tunnelled)
        }
        _ => to_kernel(DropReason::TunnelUnexpected),
    }
}

/// Octets of the IP header that `bytes` begin with, which was parsed.
fn header_octets(bytes: &[u8], is_v6: bool) -> usize {
    if is_v6 { 40 } else { usize::from(bytes.first().map_or(5, |octet| octet & 15)) * 4 }
}

/// U10 of VXLAN. The payload of the packet begins at `start`.
fn from_vxlan(
    underlay: &UnderlayImage,
    packet: &Packet<'_>,
    datagram: &Datagram<'_>,
    start: usize,
) -> Result<Tunnelled, DropReason> {
    let inner = vxlan(datagram.payload).map_err(|_| DropReason::TunnelBadHeader)?;
    let (peer, source) = known(underlay, packet.source, datagram.destination)?;
    let is_correct = if datagram.checksum == 0 {
        source.accepts_zero
    } else {
        Datagram::checksum_is_correct(packet)
    };
    if !is_correct {
        return Err(DropReason::TunnelBadChecksum);
    }
    let start = start + UDP_HEADER_LEN + VXLAN_HEADER_LEN;
    into_bridge(underlay, peer, inner.vni, packet.ecn, (start, start + inner.frame.len()))
}

/// U10 of GRE.
fn from_gre(
    underlay: &UnderlayImage,
    packet: &Packet<'_>,
    start: usize,
) -> Result<Tunnelled, DropReason> {
    let inner = gre(packet.payload);
    if inner == Err(TunnelError::Header) {
        return Err(DropReason::TunnelBadHeader);
    }
    let (peer, _) = known(underlay, packet.source, 0)?;
    let inner = inner.map_err(|_| DropReason::TunnelBadChecksum)?;
    let end = start + packet.payload.len();
    into_bridge(underlay, peer, inner.vni, packet.ecn, (end - inner.frame.len(), end))
}

/// The peer at this address, if it is up and uses VXLAN at this port, or GRE (0).
fn known(
    underlay: &UnderlayImage,
    address: IpAddr,
    port: u16,
) -> Result<(u16, &SourceImage), DropReason> {
    let (peer, source) = underlay.peer(address).ok_or(DropReason::VtepUnknown)?;
    if source.vxlan_port != port {
        return Err(DropReason::TunnelUnexpected);
    }
    if !source.cell.is_up() {
        return Err(DropReason::PeerDown);
    }
    Ok((peer, source))
}

fn into_bridge(
    underlay: &UnderlayImage,
    peer: u16,
    vni: u32,
    ecn: u8,
    (start, end): (usize, usize),
) -> Result<Tunnelled, DropReason> {
    // A GRE key has 32 bits.
    let vni = Some(vni).filter(|vni| *vni <= Vni::MAX).and_then(|vni| underlay.vni(vni));
    let vni = vni.ok_or(DropReason::VniUnknown)?;
    if !vni.is_up() {
        return Err(DropReason::AdminDown);
    }
    let member = underlay.member(vni, peer).ok_or(DropReason::VtepUnknown)?;
    let is_congested = ecn == ECN_CONGESTED;
    Ok(Tunnelled { peer, vni: *vni, class: vni.class(member), start, end, is_congested })
}

/// Rule U11: admission of the inner frame. The frame counts for the peer, with the `octets` of the
/// outer frame.
pub(crate) fn admit_inner(
    image: &Image,
    tunnelled: &Tunnelled,
    inner: &[u8],
    octets: usize,
) -> Result<Parsed, DropReason> {
    let header = Header::parse(inner).map_err(|_| DropReason::Malformed)?;
    if header.source.is_group() || header.source == MacAddr::ZERO {
        return Err(DropReason::BadSource);
    }
    if let Some(class) = reserved::classify(inner, &header) {
        return Err(admit::reserved_inside(image.underlay.reserved.as_deref(), class));
    }
    let (vni, class) = (&tunnelled.vni, tunnelled.class);
    let (class, tci, pop) = match header.outer {
        None => (class, 0, 0),
        Some(tag) if tag.vid_raw() > VlanId::MAX => return Err(DropReason::VlanReserved),
        Some(tag) if vni.is_transparent() => {
            let fid = Fid(vni.fid.0.saturating_add(tag.vid_raw()));
            // In all domains of the bridge the peer has the same number.
            let word = ClassWord::forward(fid, class.word.member());
            (image.entry(word), tag.tci, 0)
        }
        Some(tag) if tag.vid_raw() == 0 => (class, tag.tci, TAG_LEN),
        Some(_) => return Err(DropReason::TunnelTagged),
    };
    if tunnelled.is_congested && !may_be_congested(inner) {
        return Err(DropReason::TunnelCongested);
    }
    let port = image.underlay.sources.get(usize::from(tunnelled.peer)).map(|peer| peer.slot);
    Ok(Parsed {
        dst: header.destination.to_u64(),
        src: header.source.to_u64(),
        class,
        shape: Shape::of_port(
            octets,
            tci,
            u8::try_from(pop).unwrap_or(0),
            port.unwrap_or_default(),
        ),
    })
}
