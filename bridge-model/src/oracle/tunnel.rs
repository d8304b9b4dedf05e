//! Section 3, row "tunnel", and rule F3: into a tunnel and out of it.
//!
//! ```text
//! Ethernet [tag of the link] | IP | UDP, VXLAN  or  GRE | inner frame, as its bridge sees it
//! ```

use std::net::IpAddr;

use super::classify::named_vid;
use super::outcome::{Copy, Exit, Refused};
use super::overlay::{Path, Peer};
use super::rewrite::Transit;
use super::site::Site;
use crate::reason::DropReason;
use crate::topology::{Bridge, TunnelDscp, TunnelKind, UdpChecksum};
use crate::types::{IndividualMac, MacAddr, Name, Priority, Tpid, VlanId, VlanTag, Vni};
use crate::wire::checksum::Sum;
use crate::wire::ethernet::{self, HEADER_LEN, Header, MIN_FRAME_LEN, TAG_LEN};
use crate::wire::inner::{
    InnerIp, flow_hash, mark_congested, may_be_congested, mss_option, source_port,
};
use crate::wire::ip::{
    self, Datagram, ECN_CONGESTED, HOP_LIMIT, PROTOCOL_GRE, PROTOCOL_UDP, Packet,
};
use crate::wire::reserved::{self, ReservedClass};
use crate::wire::tunnel::{self, Inner, TunnelError};

/// A tunnel packet for one of our addresses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outer<'f> {
    pub(super) packet: Packet<'f>,
    /// The datagram of VXLAN; `None` is GRE.
    pub(super) datagram: Option<Datagram<'f>>,
}

/// What came out of a tunnel: a frame for a bridge.
#[derive(Clone, Debug)]
pub(super) struct Decapsulated {
    pub(super) bridge: Name,
    /// Of a transparent bridge: the VID of the outer tag, which stays.
    pub(super) payload_vid: Option<VlanId>,
    /// The peer's port.
    pub(super) place: crate::compile::Place,
    pub(super) source: IndividualMac,
    /// The frame as its bridge sees it.
    pub(super) frame: Vec<u8>,
    pub(super) header: Header,
    /// Of a priority tag that was taken off.
    pub(super) priority: Priority,
}

impl Site {
    /// U10: from whom it is, and for which bridge.
    pub(super) fn decapsulate(&self, outer: &Outer<'_>) -> Result<Decapsulated, DropReason> {
        let inner = match outer.datagram {
            Some(datagram) => tunnel::vxlan(datagram.payload),
            None => tunnel::gre(outer.packet.payload),
        };
        if inner == Err(TunnelError::Header) {
            return Err(DropReason::TunnelBadHeader);
        }
        let mut peers = self.peers().into_iter();
        let peer =
            peers.find(|peer| peer.remote == outer.packet.source).ok_or(DropReason::VtepUnknown)?;
        let is_expected = match outer.datagram {
            Some(datagram) => {
                peer.zone.kind == TunnelKind::Vxlan && peer.zone.udp_port == datagram.destination
            }
            None => peer.zone.kind == TunnelKind::Gre,
        };
        if !is_expected {
            return Err(DropReason::TunnelUnexpected);
        }
        if self.is_down(&peer) {
            return Err(DropReason::PeerDown);
        }
        if !checksum_passes(outer, &peer) {
            return Err(DropReason::TunnelBadChecksum);
        }
        let inner = inner.map_err(|_| DropReason::TunnelBadChecksum)?;
        let vni = inner.vni().ok_or(DropReason::VniUnknown)?;
        let mut bridges = self.topology.bridges.values();
        let bridge = bridges
            .find(|bridge| bridge.vni == Some(vni) && self.is_here(&bridge.name))
            .ok_or(DropReason::VniUnknown)?;
        if !bridge.admin.is_up() {
            return Err(DropReason::AdminDown);
        }
        if !self.peers_in(bridge).iter().any(|member| member.name == peer.name) {
            return Err(DropReason::VtepUnknown);
        }
        self.unwrap_frame(bridge, &peer, &inner, outer.packet.ecn)
    }

    /// U11: sections 2, 3 and 5 for the inner frame.
    fn unwrap_frame(
        &self,
        bridge: &Bridge,
        peer: &Peer<'_>,
        inner: &Inner<'_>,
        outer_ecn: u8,
    ) -> Result<Decapsulated, DropReason> {
        let header = Header::parse(inner.frame).map_err(|_| DropReason::Malformed)?;
        let source = IndividualMac::try_from(header.source).map_err(|_| DropReason::BadSource)?;
        match reserved::classify(inner.frame, &header) {
            Some(ReservedClass::LinkLocal(0x0 | 0x8) | ReservedClass::Pvst) => {
                return Err(DropReason::BpduOnAccess);
            }
            Some(_) => return Err(DropReason::Reserved),
            None => {}
        }
        let (payload_vid, popped) = match header.outer {
            None => (None, 0),
            Some(tag) => match (named_vid(tag)?, bridge.transparent) {
                (vid, true) => (vid, 0),
                (None, false) => (None, 1),
                (Some(_), false) => return Err(DropReason::TunnelTagged),
            },
        };
        let mut bytes = inner.frame.to_vec();
        if outer_ecn == ECN_CONGESTED {
            if !may_be_congested(&bytes) {
                return Err(DropReason::TunnelCongested);
            }
            mark_congested(&mut bytes);
        }
        let transit = Transit::new(&bytes, header, popped);
        let mut frame = transit.inside();
        if frame.len() < MIN_FRAME_LEN {
            frame.resize(MIN_FRAME_LEN, 0);
        }
        self.clamp_mss(bridge, &mut frame);
        Ok(Decapsulated {
            bridge: bridge.name.clone(),
            payload_vid,
            place: peer.place(),
            source,
            header: Header::parse(&frame).map_err(|_| DropReason::Malformed)?,
            frame,
            priority: transit.priority(),
        })
    }

    /// One copy to a peer.
    pub(super) fn encapsulate(
        &self,
        bridge: &Bridge,
        peer: &Peer<'_>,
        transit: &Transit<'_>,
    ) -> Result<Copy, Refused> {
        let refused = |reason| Refused { exit: Exit::Peer(peer.name.clone()), reason, told: None };
        let mut inner = transit.inside();
        let vni = bridge.vni.ok_or_else(|| refused(DropReason::TunnelNoRoute))?;
        let longest = self.max_frame(peer).ok_or_else(|| refused(DropReason::TunnelNoRoute))?;
        if inner.len() > longest {
            let headers = HEADER_LEN + transit.tags_kept() * TAG_LEN;
            let mtu = u16::try_from(longest.saturating_sub(headers)).unwrap_or(u16::MAX);
            let told = (!transit.header.destination.is_group()).then_some(mtu);
            return Err(Refused { told, ..refused(DropReason::MtuExceeded) });
        }
        self.clamp_mss(bridge, &mut inner);
        let (path, next_hop) = self
            .resolved_path(peer, flow_hash(&inner))
            .ok_or_else(|| refused(DropReason::NeighborUnresolved))?;
        let packet = wrap(peer, vni, &inner).ok_or_else(|| refused(DropReason::MtuExceeded))?;
        let tag = path.link.link.vlan.map(|vid| VlanTag::new(Tpid::CTag, vid, Priority::default()));
        let tags: Vec<VlanTag> = tag.into_iter().collect();
        let ether_type =
            if peer.remote.is_ipv4() { ip::ETHER_TYPE_IPV4 } else { ip::ETHER_TYPE_IPV6 };
        let bytes = ethernet::build(next_hop, path.link.view.mac, &tags, ether_type, &packet);
        Ok(Copy { interface: path.link.interface, bytes })
    }

    /// The way of a flow, and the address of its next hop: that which the hash picks, or the first
    /// behind it whose next hop is known.
    fn resolved_path(&self, peer: &Peer<'_>, hash: u16) -> Option<(Path<'_>, MacAddr)> {
        let paths = self.paths(peer.remote);
        let first = (usize::from(hash) * paths.len()) >> 16;
        let in_turn = paths.iter().cycle().skip(first).take(paths.len());
        in_turn.copied().find_map(|path| Some((path, *self.neighbors.get(&path.next_hop)?)))
    }

    /// Lowers the segment size that a TCP SYN segment announces to what the bridge's tunnels take.
    fn clamp_mss(&self, bridge: &Bridge, frame: &mut [u8]) {
        if !bridge.mss_clamp.is_on() {
            return;
        }
        let (Some(mtu), Some(ip)) = (self.tunnel_mtu(bridge), InnerIp::of(frame)) else { return };
        let headers = if ip.version == 4 { 40 } else { 60 };
        let most = u16::try_from(mtu.saturating_sub(headers)).unwrap_or(u16::MAX);
        let Some((at, announced)) = mss_option(frame, &ip).filter(|(_, mss)| *mss > most) else {
            return;
        };
        let tcp = ip.offset + ip.header_len;
        let checksum_at = tcp + 16;
        let old = u16::from_be_bytes([frame[checksum_at], frame[checksum_at + 1]]);
        // RFC 1624 equation 3. An option may begin at an odd octet: its halves then lie in the other
        // halves of two words.
        let in_place =
            |word: u16| if (at - tcp).is_multiple_of(2) { word } else { word.swap_bytes() };
        let new =
            Sum::default().word(!old).word(!in_place(announced)).word(in_place(most)).checksum();
        frame[at..at + 2].copy_from_slice(&most.to_be_bytes());
        frame[checksum_at..checksum_at + 2].copy_from_slice(&new.to_be_bytes());
    }
}

/// U10: a checksum that is there is right, and one that is missing may be missing.
fn checksum_passes(outer: &Outer<'_>, peer: &Peer<'_>) -> bool {
    match outer.datagram {
        // That of GRE was looked at with its header.
        None => true,
        Some(Datagram { checksum: 0, .. }) => {
            outer.packet.source.is_ipv4() || peer.zone.udp_checksum == UdpChecksum::Zero
        }
        Some(_) => Datagram::checksum_is_correct(&outer.packet),
    }
}

/// The IP packet that carries a frame; `None` if it would be too long for IP.
fn wrap(peer: &Peer<'_>, vni: Vni, inner: &[u8]) -> Option<Vec<u8>> {
    let hash = flow_hash(inner);
    let addresses: (IpAddr, IpAddr) = (peer.local, peer.remote);
    let (protocol, payload) = match peer.zone.kind {
        TunnelKind::Vxlan => {
            let payload = [&tunnel::vxlan_header(vni)[..], inner].concat();
            let ports = (source_port(hash), peer.zone.udp_port);
            let datagram = Datagram::build(addresses, ports, &payload, peer.computes_checksum())?;
            (PROTOCOL_UDP, datagram)
        }
        TunnelKind::Gre => (PROTOCOL_GRE, [&tunnel::gre_header(vni)[..], inner].concat()),
    };
    let dscp = match peer.zone.dscp {
        TunnelDscp::Fixed(dscp) => dscp,
        TunnelDscp::Copy => InnerIp::of(inner).map_or(0, |ip| ip.dscp),
    };
    let header = ip::Header::new(peer.local, peer.remote, protocol, HOP_LIMIT);
    ip::Header { dscp, flow_label: u32::from(hash), ..header }.packet(&payload)
}
