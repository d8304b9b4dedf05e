//! What a frame of the underlay may do: the tables read in the order of the steps that their
//! documentation and the design number U1 to U13.

use std::net::{IpAddr, Ipv4Addr};

use bridge_model::compile::{Encapsulation, PeerTable, ReservedAction};
use bridge_model::oracle::{Notice, Outcome};
use bridge_model::reason::{DropReason, PuntReason};
use bridge_model::types::{Fid, IndividualMac, MemberId, PeerId, Priority, UnderlayId, VlanTag};
use bridge_model::wire::ethernet::Header;
use bridge_model::wire::inner::InnerIp;
use bridge_model::wire::ip::{Datagram, IpError, Packet};
use bridge_model::wire::reserved;
use bridge_model::wire::tunnel::{self, Inner, TunnelError};

use super::leave::{Leaving, Passing, clamp_mss, link_tags};
use super::{Ingress, Machine};

/// A step: the frame is done with, or goes on.
type Step<T> = Result<T, DropReason>;

impl Machine {
    /// U13: from the kernel, out of the link.
    pub(super) fn to_link(&self, link: UnderlayId, passing: &Passing<'_>) -> Outcome {
        let link = &self.compiled.tables.underlay.links[link.index()];
        let mut leaving = Leaving::default();
        self.leave_by(link.interface, passing, &link_tags(link.vlan), &mut leaving);
        leaving.outcome()
    }

    /// To the kernel, if the link has one; otherwise it is dropped.
    fn kernel_or(
        &self,
        link: UnderlayId,
        reason: DropReason,
        passing: &Passing<'_>,
    ) -> Step<Outcome> {
        let link = &self.compiled.tables.underlay.links[link.index()];
        let kernel = link.kernel.ok_or(reason)?;
        let mut leaving = Leaving::default();
        self.leave_by(kernel, passing, &[], &mut leaving);
        Ok(leaving.outcome())
    }

    /// To the kernel, if the link has one; otherwise it is consumed.
    fn protocol(&mut self, link: UnderlayId, reason: PuntReason, passing: &Passing<'_>) -> Outcome {
        let Ok(outcome) = self.kernel_or(link, DropReason::NotForUs, passing) else {
            return Outcome::Consumed(reason);
        };
        self.notices = vec![Notice::Copied(reason)];
        outcome
    }

    pub(super) fn received(&mut self, id: UnderlayId, passing: &Passing<'_>) -> Step<Outcome> {
        let underlay = &self.compiled.tables.underlay;
        let link = &underlay.links[id.index()];
        let destination = passing.header.destination;
        let is_group = destination.is_group();
        // U1
        if !is_group && destination != link.mac {
            return Err(DropReason::NotForUs);
        }
        let at = 12 + 4 * passing.popped;
        let ether_type = u16::from_be_bytes([passing.frame[at], passing.frame[at + 1]]);
        let bytes = &passing.frame[at + 2..];
        // U2
        if ether_type == 0x0806 {
            return Ok(self.protocol(id, PuntReason::UnderlayNeighbor, passing));
        }
        // U3
        let packet = match Packet::parse(ether_type, bytes) {
            None if is_group => return self.kernel_or(id, DropReason::NotForUs, passing),
            None => return self.kernel_or(id, DropReason::TunnelUnexpected, passing),
            Some(Err(IpError::Header)) => return Err(DropReason::TunnelBadHeader),
            Some(Err(IpError::Checksum)) => return Err(DropReason::TunnelBadChecksum),
            Some(Err(IpError::Fragment)) => None,
            Some(Ok(packet)) => Some(packet),
        };
        let fragment_to = || IpAddr::V4(Ipv4Addr::new(bytes[16], bytes[17], bytes[18], bytes[19]));
        let to = packet.map_or_else(fragment_to, |packet| packet.destination);
        // U4
        let icmpv6 = packet.filter(|p| p.destination.is_ipv6() && p.protocol == 58);
        if icmpv6.is_some_and(|p| matches!(p.payload.first(), Some(135 | 136))) {
            return Ok(self.protocol(id, PuntReason::UnderlayNeighbor, passing));
        }
        if is_group {
            return self.kernel_or(id, DropReason::NotForUs, passing);
        }
        // U5
        if !underlay.local.contains(&to) {
            return self.kernel_or(id, DropReason::TunnelUnexpected, passing);
        }
        // U6
        let Some(packet) = packet.filter(|p| p.destination.is_ipv4() || p.protocol != 44) else {
            return self.kernel_or(id, DropReason::TunnelFragment, passing);
        };
        match (packet.protocol, packet.destination) {
            // U7
            (1, IpAddr::V4(_)) | (58, IpAddr::V6(_)) => {
                Ok(self.protocol(id, PuntReason::UnderlayIcmp, passing))
            }
            // U8
            (17, _) => self.datagram(id, packet, passing),
            // U9
            (47, _) if underlay.peers.iter().any(|p| p.encapsulation == Encapsulation::Gre) => {
                self.decapsulate(&packet, None)
            }
            _ => self.kernel_or(id, DropReason::TunnelUnexpected, passing),
        }
    }

    fn datagram(
        &mut self,
        id: UnderlayId,
        packet: Packet<'_>,
        passing: &Passing<'_>,
    ) -> Step<Outcome> {
        let Some(datagram) = Datagram::parse(packet.payload) else {
            return self.kernel_or(id, DropReason::TunnelBadHeader, passing);
        };
        let underlay = &self.compiled.tables.underlay;
        if underlay.vxlan_ports.contains(&datagram.destination) {
            return self.decapsulate(&packet, Some(datagram));
        }
        let watched = self.peer_at(packet.source).is_some_and(|(_, peer)| peer.bfd.is_some());
        if matches!(datagram.destination, 3784 | 4784) && watched {
            return Ok(Outcome::Consumed(PuntReason::Bfd));
        }
        self.kernel_or(id, DropReason::TunnelUnexpected, passing)
    }

    fn peer_at(&self, address: IpAddr) -> Option<(PeerId, &PeerTable)> {
        let peers = self.compiled.tables.underlay.peers.iter();
        (0..).map(PeerId).zip(peers).find(|(_, peer)| peer.remote == address)
    }

    /// U10
    fn decapsulate(
        &mut self,
        packet: &Packet<'_>,
        datagram: Option<Datagram<'_>>,
    ) -> Step<Outcome> {
        let inner = match datagram {
            Some(datagram) => tunnel::vxlan(datagram.payload),
            None => tunnel::gre(packet.payload),
        };
        if inner == Err(TunnelError::Header) {
            return Err(DropReason::TunnelBadHeader);
        }
        let (id, peer) = self.peer_at(packet.source).ok_or(DropReason::VtepUnknown)?;
        let checksum_is_good = match (peer.encapsulation, datagram) {
            (Encapsulation::Gre, None) => inner.is_ok(),
            (Encapsulation::Vxlan { port, accept_zero, .. }, Some(datagram))
                if port == datagram.destination =>
            {
                match datagram.checksum {
                    0 => packet.source.is_ipv4() || accept_zero,
                    _ => Datagram::checksum_is_correct(packet),
                }
            }
            _ => return Err(DropReason::TunnelUnexpected),
        };
        if self.view.peers_down.contains(&peer.name) {
            return Err(DropReason::PeerDown);
        }
        let inner = inner.ok().filter(|_| checksum_is_good).ok_or(DropReason::TunnelBadChecksum)?;
        let vni = inner.vni().ok_or(DropReason::VniUnknown)?;
        let vni = self.compiled.tables.underlay.vnis.get(&vni).ok_or(DropReason::VniUnknown)?;
        if !vni.is_up {
            return Err(DropReason::AdminDown);
        }
        let member = *vni.members.get(&id).ok_or(DropReason::VtepUnknown)?;
        let (fid, transparent) = (vni.fid, vni.transparent);
        self.unwrapped((fid, member), transparent, inner, packet.ecn)
    }

    /// U11 and U12
    fn unwrapped(
        &mut self,
        (fid, member): (Fid, MemberId),
        transparent: bool,
        inner: Inner<'_>,
        outer_ecn: u8,
    ) -> Step<Outcome> {
        let header = Header::parse(inner.frame).map_err(|_| DropReason::Malformed)?;
        let source = IndividualMac::try_from(header.source).map_err(|_| DropReason::BadSource)?;
        if let Some(class) = reserved::classify(inner.frame, &header) {
            let table = self.compiled.tables.underlay.reserved.as_ref().unwrap();
            let ReservedAction::Drop(reason) = table.action(class) else {
                panic!("a tunnel does not drop {class:?}");
            };
            return Err(reason);
        }
        let (fid, popped) = match (header.outer_vid_raw(), transparent) {
            (None, _) => (fid, 0),
            (Some(4095), _) => return Err(DropReason::VlanReserved),
            (Some(raw), true) => (Fid(fid.0 + raw), 0),
            (Some(0), false) => (fid, 1),
            (Some(_), false) => return Err(DropReason::TunnelTagged),
        };
        let priority = header.outer.map(VlanTag::priority).unwrap_or_default();
        let mut bytes = inner.frame.to_vec();
        if outer_ecn == 3 {
            congested(&mut bytes)?;
        }
        let stripped = Passing { frame: &bytes, header, popped, priority: Priority::default() };
        let mut frame = stripped.tagged(&[]);
        if frame.len() < 60 {
            frame.resize(60, 0);
        }
        clamp_mss(&self.compiled.tables.fids[fid.index()], &mut frame);
        let header = Header::parse(&frame).map_err(|_| DropReason::Malformed)?;
        let passing = Passing { frame: &frame, header, popped: 0, priority };
        self.bridged(Ingress { fid, member }, source, &passing)
    }
}

/// RFC 6040 figure 4, the column of CE.
fn congested(frame: &mut [u8]) -> Step<()> {
    let Some(ip) = InnerIp::of(frame) else { return Ok(()) };
    // The field is the end of the second octet, or lies in its middle.
    let (shift, octet) = (if ip.version == 4 { 0 } else { 4 }, ip.offset + 1);
    match frame[octet] >> shift & 3 {
        0 => return Err(DropReason::TunnelCongested),
        3 => return Ok(()),
        ecn if ip.version == 4 => {
            // The sum grows by what the field lacks to 3, so the checksum shrinks, in ones' complement.
            let at = ip.offset + 10;
            let sum = u16::from_be_bytes([frame[at], frame[at + 1]]);
            let (less, borrows) = sum.overflowing_sub(u16::from(3 - ecn));
            let sum = if borrows { less - 1 } else { less };
            frame[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        }
        _ => {}
    }
    frame[octet] |= 3 << shift;
    Ok(())
}
