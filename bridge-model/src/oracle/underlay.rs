//! What a frame of the underlay may do, before it turns out to hold a tunnel's: rules U0 to U9 and the
//! way to and from the kernel (U13).

use std::net::{IpAddr, Ipv4Addr};

use super::classify::named_vid;
use super::outcome::{Copy, Exit, Leaving, Notice, Outcome, Refused};
use super::overlay::Underlay;
use super::rewrite::Transit;
use super::site::{Ports, Site};
use super::tunnel::{Decapsulated, Outer};
use crate::reason::{DropReason, PuntReason};
use crate::topology::TunnelKind;
use crate::types::{InterfaceId, Priority, Tpid, VlanTag};
use crate::wire::bfd;
use crate::wire::ethernet::{HEADER_LEN, Header, TAG_LEN};
use crate::wire::ip::{
    Datagram, IpError, PROTOCOL_GRE, PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_IPV6_FRAGMENT,
    PROTOCOL_UDP, Packet,
};
use crate::wire::neighbor::{ETHER_TYPE_ARP, NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION};

/// Where a frame comes from that no bridge port takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side<'a> {
    /// From the underlay, by this link.
    Wire(Underlay<'a>),
    /// From the kernel, which this link gives the rest of its frames to.
    Kernel(Underlay<'a>),
}

/// What a frame of the underlay is to this host.
#[derive(Clone, Copy, Debug)]
enum Verdict<'f> {
    /// For a protocol of ours. The kernel gets it too, if it owns the addresses.
    Protocol(PuntReason),
    /// Liveness of a peer: ours, whoever owns the addresses.
    Liveness,
    /// Not ours. The kernel gets it; without, it is dropped for this.
    Foreign(DropReason),
    /// A tunnel packet.
    Tunnel(Outer<'f>),
}

/// What becomes of a frame of the underlay.
#[derive(Debug)]
pub(super) enum Received {
    /// It ends here, or goes to the kernel.
    Done(Outcome, Vec<Notice>),
    /// A frame for a bridge came out of it.
    Inside(Box<Decapsulated>),
}

impl Site {
    /// U0: whether a frame belongs to the underlay or comes from the kernel, and how many tags are
    /// taken off for that. On an interface with an underlay link tags are read as on a trunk: of that
    /// trunk's TPID, or of 0x8100 if there is none.
    pub(super) fn side(
        &self,
        interface: InterfaceId,
        ports: Ports<'_>,
        header: &Header,
    ) -> Result<Option<(Side<'_>, usize)>, DropReason> {
        let links = self.underlay();
        if let Some(link) = links.iter().find(|link| link.kernel == Some(interface)) {
            return match header.outer.map(named_vid).transpose()? {
                Some(Some(_)) => Err(DropReason::TaggedOnAccess),
                Some(None) => Ok(Some((Side::Kernel(*link), 1))),
                None => Ok(Some((Side::Kernel(*link), 0))),
            };
        }
        let here: Vec<_> = links.iter().filter(|link| link.interface == interface).collect();
        if here.is_empty() {
            return Ok(None);
        }
        let (vid, popped) = match header.outer {
            None => (None, 0),
            Some(tag) if tag.tpid != ports.trunk.map_or(Tpid::CTag, |trunk| trunk.tpid) => {
                return Err(DropReason::BadTpid);
            }
            Some(tag) => (named_vid(tag)?, 1),
        };
        let link = here.into_iter().find(|here| here.link.vlan == vid);
        Ok(link.map(|link| (Side::Wire(*link), popped)))
    }

    /// U1 to U10.
    pub(super) fn receive(
        &self,
        link: &Underlay<'_>,
        transit: &Transit<'_>,
        popped: usize,
    ) -> Result<Received, DropReason> {
        let packet = transit.frame.get(HEADER_LEN + popped * TAG_LEN..).unwrap_or_default();
        let done = |outcome| Ok(Received::Done(outcome, Vec::new()));
        match self.judge(link, transit, packet)? {
            Verdict::Tunnel(outer) => {
                self.decapsulate(&outer).map(|inner| Received::Inside(Box::new(inner)))
            }
            Verdict::Liveness => done(Outcome::Consumed(PuntReason::Bfd)),
            Verdict::Protocol(reason) => match link.kernel {
                Some(kernel) => {
                    let outcome = self.pass(transit, kernel, &[]);
                    Ok(Received::Done(outcome, vec![Notice::Copied(reason)]))
                }
                None => done(Outcome::Consumed(reason)),
            },
            Verdict::Foreign(reason) => match link.kernel {
                Some(kernel) => done(self.pass(transit, kernel, &[])),
                None => Err(reason),
            },
        }
    }

    /// U1 to U9. An error is a drop even where there is a kernel to give frames to.
    fn judge<'f>(
        &self,
        link: &Underlay<'_>,
        transit: &Transit<'_>,
        bytes: &'f [u8],
    ) -> Result<Verdict<'f>, DropReason> {
        let header = &transit.header;
        // U1
        let is_group = header.destination.is_group();
        if !is_group && header.destination != link.view.mac {
            return Err(DropReason::NotForUs);
        }
        let foreign = |reason| Ok(Verdict::Foreign(reason));
        // U2, U3. What has further tags has the type of a tag.
        let is_tagged = transit.tags_kept() > 0;
        let not_ip = if is_group { DropReason::NotForUs } else { DropReason::TunnelUnexpected };
        if header.type_or_length == ETHER_TYPE_ARP && !is_tagged {
            return Ok(Verdict::Protocol(PuntReason::UnderlayNeighbor));
        }
        let parsed = Packet::parse(header.type_or_length, bytes).filter(|_| !is_tagged);
        let (packet, destination) = match parsed {
            None => return foreign(not_ip),
            Some(Err(IpError::Header)) => return Err(DropReason::TunnelBadHeader),
            Some(Err(IpError::Checksum)) => return Err(DropReason::TunnelBadChecksum),
            Some(Err(IpError::Fragment)) => (None, ipv4_destination(bytes)),
            Some(Ok(packet)) => (Some(packet), packet.destination),
        };
        // U4
        if packet.as_ref().is_some_and(is_neighbor_discovery) {
            return Ok(Verdict::Protocol(PuntReason::UnderlayNeighbor));
        }
        if is_group {
            return foreign(DropReason::NotForUs);
        }
        // U5
        if !self.is_ours(destination) {
            return foreign(DropReason::TunnelUnexpected);
        }
        // U6
        let is_fragment = |packet: &Packet<'_>| {
            packet.source.is_ipv6() && packet.protocol == PROTOCOL_IPV6_FRAGMENT
        };
        let Some(packet) = packet.filter(|packet| !is_fragment(packet)) else {
            return foreign(DropReason::TunnelFragment);
        };
        // U7 to U9
        match (packet.protocol, packet.source) {
            (PROTOCOL_ICMP, IpAddr::V4(_)) | (PROTOCOL_ICMPV6, IpAddr::V6(_)) => {
                Ok(Verdict::Protocol(PuntReason::UnderlayIcmp))
            }
            (PROTOCOL_UDP, _) => Ok(self.datagram(packet)),
            (PROTOCOL_GRE, _) if self.uses_gre() => {
                Ok(Verdict::Tunnel(Outer { packet, datagram: None }))
            }
            _ => foreign(DropReason::TunnelUnexpected),
        }
    }

    /// U8.
    fn datagram<'f>(&self, packet: Packet<'f>) -> Verdict<'f> {
        let Some(datagram) = Datagram::parse(packet.payload) else {
            return Verdict::Foreign(DropReason::TunnelBadHeader);
        };
        let is_bfd = matches!(datagram.destination, bfd::PORT_SINGLE_HOP | bfd::PORT_MULTIHOP);
        let is_watched =
            || self.peers().iter().any(|peer| peer.remote == packet.source && peer.has_bfd());
        if self.expects_vxlan(datagram.destination) {
            Verdict::Tunnel(Outer { packet, datagram: Some(datagram) })
        } else if is_bfd && is_watched() {
            Verdict::Liveness
        } else {
            Verdict::Foreign(DropReason::TunnelUnexpected)
        }
    }

    /// U9.
    fn uses_gre(&self) -> bool {
        self.peers().iter().any(|peer| peer.zone.kind == TunnelKind::Gre)
    }

    /// U13: from the kernel out by its link, with the link's tag.
    pub(super) fn leave_kernel(&self, link: &Underlay<'_>, transit: &Transit<'_>) -> Outcome {
        let tag = link.link.vlan.map(|vid| VlanTag::new(Tpid::CTag, vid, Priority::default()));
        let tags: Vec<VlanTag> = tag.into_iter().collect();
        self.pass(transit, link.interface, &tags)
    }

    /// A frame between the underlay and the kernel. Nobody is told if it is too long: it is in no
    /// bridge.
    fn pass(&self, transit: &Transit<'_>, interface: InterfaceId, push: &[VlanTag]) -> Outcome {
        let mtu = self.view.interface(interface).map_or(0, |view| view.mtu);
        let exit = Exit::Interface(interface);
        let copy = transit.leave(push, mtu).map(|bytes| Copy { interface, bytes });
        let mut leaving = Leaving::default();
        leaving.push(copy.map_err(|reason| Refused { exit, reason, told: None }));
        leaving.finish().0
    }
}

fn is_neighbor_discovery(packet: &Packet<'_>) -> bool {
    packet.source.is_ipv6()
        && packet.protocol == PROTOCOL_ICMPV6
        && matches!(packet.payload.first(), Some(&(NEIGHBOR_SOLICITATION | NEIGHBOR_ADVERTISEMENT)))
}

/// The destination of an IPv4 packet of which no more is read.
fn ipv4_destination(bytes: &[u8]) -> IpAddr {
    let octets = bytes.get(16..20).and_then(|octets| octets.try_into().ok());
    octets.map_or(Ipv4Addr::UNSPECIFIED, Ipv4Addr::from_octets).into()
}
