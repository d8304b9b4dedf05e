//! How copies of a frame leave: by a device or in a tunnel.

use bridge_model::compile::{
    Encapsulation, FidTable, MemberRoute, PathTable, PeerTable, PushTags, UnderlayLinkTable,
};
use bridge_model::oracle::{Copy, Exit, Notice, Outcome};
use bridge_model::reason::DropReason;
use bridge_model::topology::TunnelDscp;
use bridge_model::types::{InterfaceId, MacAddr, MemberId, Priority, Tpid, VlanId, VlanTag, Vni};
use bridge_model::wire::checksum::Sum;
use bridge_model::wire::ethernet::{self, Header};
use bridge_model::wire::inner::{self, InnerIp};
use bridge_model::wire::ip::{self, Datagram};
use bridge_model::wire::tunnel;

use super::Machine;

/// A frame on its way, from which `popped` tags come off.
pub(super) struct Passing<'a> {
    pub(super) frame: &'a [u8],
    pub(super) header: Header,
    pub(super) popped: usize,
    /// What new tags get.
    pub(super) priority: Priority,
}

impl Passing<'_> {
    /// The frame with other tags in place of those that come off.
    pub(super) fn tagged(&self, push: &[VlanTag]) -> Vec<u8> {
        let mut bytes = self.frame[..12].to_vec();
        for tag in push {
            bytes.extend(tag.tpid.ether_type().to_be_bytes());
            bytes.extend(tag.tci.to_be_bytes());
        }
        bytes.extend(&self.frame[12 + 4 * self.popped..]);
        if bytes.len() < 60 && bytes.len() < self.frame.len() {
            bytes.resize(60, 0);
        }
        bytes
    }
}

/// What became of the copies.
#[derive(Default)]
pub(super) struct Leaving {
    copies: Vec<Copy>,
    refused: Vec<(Exit, DropReason)>,
    notices: Vec<Notice>,
}

impl Leaving {
    fn push(&mut self, copy: Result<Copy, DropReason>, exit: Exit) {
        match copy {
            Ok(copy) => self.copies.push(copy),
            Err(reason) => self.refused.push((exit, reason)),
        }
    }

    /// Of a frame to one station: its sender may be told what passes.
    fn tell(&mut self, passing: &Passing<'_>, mtu: u16) {
        if !passing.header.destination.is_group() {
            self.notices.push(Notice::TooBig { mtu });
        }
    }

    /// What the protocols are told.
    pub(super) fn take_notices(&mut self) -> Vec<Notice> {
        self.notices.sort();
        std::mem::take(&mut self.notices)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.copies.is_empty() && self.refused.is_empty()
    }

    pub(super) fn outcome(mut self) -> Outcome {
        self.copies.sort();
        self.refused.sort();
        if self.copies.is_empty() && self.refused.len() == 1 {
            return Outcome::Dropped(self.refused[0].1);
        }
        Outcome::Sent { copies: self.copies, refused: self.refused }
    }
}

impl Machine {
    /// One copy to one member.
    pub(super) fn leave(
        &self,
        fid: &FidTable,
        member: MemberId,
        passing: &Passing<'_>,
        leaving: &mut Leaving,
    ) {
        let (interface, push) = match fid.members[member.index()].route {
            MemberRoute::Port { interface, push, .. } => (interface, push),
            MemberRoute::Tunnel { peer, vni } => {
                let peer = &self.compiled.tables.underlay.peers[peer.index()];
                let copy = self.encapsulate(fid, peer, vni, passing);
                if copy == Err(DropReason::MtuExceeded) {
                    let tags = u16::try_from(passing.header.tag_count() - passing.popped).unwrap();
                    leaving.tell(passing, peer.max_frame().saturating_sub(14 + 4 * tags));
                }
                leaving.push(copy, Exit::Peer(peer.name.clone()));
                return;
            }
            MemberRoute::Retired => panic!("flooding to a retired member"),
        };
        let priority = passing.priority;
        let push = match push {
            PushTags::None => Vec::new(),
            PushTags::One(tpid, vid) => vec![VlanTag::new(tpid, vid, priority)],
            PushTags::Two(tpid, outer, inner) => {
                vec![VlanTag::new(tpid, outer, priority), VlanTag::new(Tpid::CTag, inner, priority)]
            }
        };
        self.leave_by(interface, passing, &push, leaving);
    }

    /// One copy by a device.
    pub(super) fn leave_by(
        &self,
        interface: InterfaceId,
        passing: &Passing<'_>,
        push: &[VlanTag],
        leaving: &mut Leaving,
    ) {
        let bytes = passing.tagged(push);
        let tags = (passing.header.tag_count() - passing.popped + push.len()).min(2);
        let mtu = self.compiled.tables.interfaces[interface.index()].mtu;
        if bytes.len() > 14 + 4 * tags + usize::from(mtu) {
            leaving.tell(passing, mtu);
            leaving.push(Err(DropReason::MtuExceeded), Exit::Interface(interface));
        } else {
            leaving.push(Ok(Copy { interface, bytes }), Exit::Interface(interface));
        }
    }

    fn encapsulate(
        &self,
        fid: &FidTable,
        peer: &PeerTable,
        vni: Vni,
        passing: &Passing<'_>,
    ) -> Result<Copy, DropReason> {
        let mut frame = passing.tagged(&[]);
        if peer.paths.is_empty() {
            return Err(DropReason::TunnelNoRoute);
        }
        if frame.len() > usize::from(peer.max_frame()) {
            return Err(DropReason::MtuExceeded);
        }
        clamp_mss(fid, &mut frame);
        let hash = inner::flow_hash(&frame);
        let (link, next_hop) = self.way(&peer.paths, hash).ok_or(DropReason::NeighborUnresolved)?;
        let (protocol, payload) = match peer.encapsulation {
            Encapsulation::Vxlan { port, checksum, .. } => {
                let payload = [&tunnel::vxlan_header(vni), &frame[..]].concat();
                let ends = (peer.local, peer.remote);
                let ports = (inner::source_port(hash), port);
                (17, Datagram::build(ends, ports, &payload, checksum).unwrap())
            }
            Encapsulation::Gre => (47, [&tunnel::gre_header(vni), &frame[..]].concat()),
        };
        let dscp = match peer.dscp {
            TunnelDscp::Fixed(dscp) => dscp,
            TunnelDscp::Copy => InnerIp::of(&frame).map_or(0, |ip| ip.dscp),
        };
        let flow_label = u32::from(hash);
        let header = ip::Header {
            dscp,
            flow_label,
            ..ip::Header::new(peer.local, peer.remote, protocol, 64)
        };
        let packet = header.packet(&payload).unwrap();
        let tags: Vec<VlanTag> = link_tags(link.vlan);
        let bytes = ethernet::build(next_hop, link.mac, &tags, header.ether_type(), &packet);
        Ok(Copy { interface: link.interface, bytes })
    }

    /// The way of a flow: the one of its number, or the next one whose next hop is known.
    fn way(&self, paths: &[PathTable], hash: u16) -> Option<(&UnderlayLinkTable, MacAddr)> {
        let first = (usize::from(hash) * paths.len()) >> 16;
        (first..first + paths.len()).map(|at| &paths[at % paths.len()]).find_map(|path| {
            let mac = self.neighbors.get(&path.next_hop)?;
            Some((&self.compiled.tables.underlay.links[path.link.index()], *mac))
        })
    }
}

/// The tag of an underlay link.
pub(super) fn link_tags(vlan: Option<VlanId>) -> Vec<VlanTag> {
    vlan.map(|vid| VlanTag::new(Tpid::CTag, vid, Priority::default())).into_iter().collect()
}

/// Lowers the segment size of a SYN segment, and computes the checksum anew from its difference.
pub(super) fn clamp_mss(fid: &FidTable, frame: &mut [u8]) {
    let Some(mtu) = fid.tunnel_mtu.filter(|_| fid.clamp_mss) else { return };
    let Some(ip) = InnerIp::of(frame) else { return };
    let Some((at, mss)) = inner::mss_option(frame, &ip) else { return };
    let most = mtu.saturating_sub(if ip.version == 4 { 40 } else { 60 });
    if mss <= most {
        return;
    }
    let tcp = ip.offset + ip.header_len;
    // The words of the segment that the option's two octets are in.
    let first = at - (at - tcp) % 2;
    let last = (at + 1) - (at + 1 - tcp) % 2 + 2;
    let words = |frame: &[u8]| -> Vec<u16> {
        (first..last).step_by(2).map(|at| u16::from_be_bytes([frame[at], frame[at + 1]])).collect()
    };
    let before = words(frame);
    frame[at..at + 2].copy_from_slice(&most.to_be_bytes());
    // HC' = ~(~HC + ~m + m') (RFC 1624).
    let field = tcp + 16;
    let old = u16::from_be_bytes([frame[field], frame[field + 1]]);
    let mut sum = Sum::default().word(!old);
    for (old, new) in before.into_iter().zip(words(frame)) {
        sum = sum.word(!old).word(new);
    }
    frame[field..field + 2].copy_from_slice(&sum.checksum().to_be_bytes());
}
