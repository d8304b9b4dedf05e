//! Frames of the underlay: which protocol each is for.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use super::discovery::Told;
use super::net::Owner;
use super::quote::{Quote, Quoted};
use super::{Action, Machine, Timer, discovery};
use crate::types::{IndividualMac, MacAddr, UnderlayId};
use crate::wire::bfd::{Control, PORT_MULTIHOP, PORT_SINGLE_HOP};
use crate::wire::ethernet::{HEADER_LEN, Header};
use crate::wire::icmp::Message;
use crate::wire::ip::{
    Datagram, ETHER_TYPE_IPV4, ETHER_TYPE_IPV6, IPV4_HEADER_LEN, IPV6_HEADER_LEN, PROTOCOL_ICMP,
    PROTOCOL_ICMPV6, PROTOCOL_UDP, Packet,
};
use crate::wire::neighbor::{
    Arp, Discovery, ETHER_TYPE_ARP, NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION,
};

/// A packet that is shorter than this and than it says is broken; a longer one may have been cut on its
/// way here.
const WHOLE: usize = 1500;

impl Machine {
    /// Takes a frame that arrived by `link`, without the tag that selected the link. Frames that have
    /// arrived are to be handed in before [`Self::tick`] is called, or a caller that was kept from
    /// running takes its own pause for the silence of a peer.
    ///
    /// Of a longer packet the first 1500 octets are enough if the rest is zero, as in our own pings.
    pub fn frame(&mut self, now: Duration, link: UnderlayId, frame: &[u8]) {
        let Ok(header) = Header::parse(frame) else { return };
        let Some(us) = self.net.link(link).filter(|link| link.has_carrier) else { return };
        let is_for_us = header.destination == us.mac || header.destination.is_group();
        let is_foreign = header.source != us.mac && IndividualMac::try_from(header.source).is_ok();
        if header.outer.is_some() || !is_for_us || !is_foreign {
            return;
        }
        let bytes = frame.get(HEADER_LEN..).unwrap_or_default();
        if header.type_or_length == ETHER_TYPE_ARP {
            let told = Arp::parse(bytes).and_then(|arp| Told::arp(us, &arp));
            self.told(now, link, header.source, told);
            return;
        }
        let bytes = completed(header.type_or_length, bytes, us.mtu.into());
        let Some(Ok(packet)) = Packet::parse(header.type_or_length, &bytes) else { return };
        let kind = packet.payload.first().copied();
        let is_discovery = packet.protocol == PROTOCOL_ICMPV6
            && matches!(kind, Some(NEIGHBOR_SOLICITATION | NEIGHBOR_ADVERTISEMENT));
        if is_discovery {
            let told = Discovery::parse(&packet)
                .and_then(|message| Told::discovery(us, header.source, &message));
            self.told(now, link, header.source, told);
        } else if self.local.contains(&packet.destination) {
            self.retry(now, link, packet.source);
            match packet.protocol {
                PROTOCOL_ICMP | PROTOCOL_ICMPV6 => self.icmp(now, link, header.source, &packet),
                PROTOCOL_UDP => self.datagram(now, &packet),
                _ => {}
            }
        }
    }

    /// A message of ARP or neighbour discovery, from the station `from`.
    fn told(&mut self, now: Duration, link: UnderlayId, from: MacAddr, told: Option<Told>) {
        let (Some(told), Some(us)) = (told, self.net.link(link)) else { return };
        let owns = us.owner == Owner::Us;
        let question = told.question.filter(|(ip, _)| owns && us.has(*ip));
        if let Some((ip, heard)) = told.about {
            if us.has(ip) {
                let mac = heard.mac.unwrap_or(from);
                if mac != us.mac {
                    self.conflict(now, link, ip, mac);
                }
                // Whoever speaks as one of us gets no answer but that.
                return;
            }
            let is_new = self.net.heard(now, (link, ip), &heard, &mut self.random);
            let due = self.net.neighbors.get(&(link, ip)).and_then(super::neighbor::Neighbor::due);
            self.schedule.set(Timer::Neighbor(link, ip), due);
            if is_new {
                self.wake(now, link, ip);
            }
        }
        if let Some((_, answer)) = question {
            self.net.send(link, answer);
        }
    }

    /// Somebody else uses an address of ours (RFC 5227 section 2.4). We keep it, as a server has to,
    /// and say so at most every ten seconds.
    fn conflict(&mut self, now: Duration, link: UnderlayId, address: IpAddr, mac: MacAddr) {
        if !self.announcer.conflict(now, (link, address)) {
            return;
        }
        self.net.actions.push_back(Action::Conflict { link, address, mac });
        if let Some(us) = self.net.link(link).filter(|link| link.owner == Owner::Us) {
            let defence = discovery::announcement(us, address);
            self.net.send(link, defence);
        }
    }

    /// A packet from `ip` came by `link`: if that is a next hop which has failed, or a peer behind one, it
    /// seems to be back.
    fn retry(&mut self, now: Duration, link: UnderlayId, ip: IpAddr) {
        let peer = self.by_address.get(&ip).and_then(|&index| self.peers.get(index));
        let ways = peer.into_iter().flat_map(|peer| &peer.paths).map(|path| &path.table);
        let ways = ways.filter(|path| path.link == link).map(|path| path.next_hop);
        for next_hop in std::iter::once(ip).chain(ways) {
            let Some(neighbor) = self.net.neighbors.get_mut(&(link, next_hop)) else { continue };
            neighbor.retry(now);
            self.schedule.set(Timer::Neighbor(link, next_hop), neighbor.due());
        }
    }

    /// A next hop is known now: sessions that could not send because of it go on.
    fn wake(&mut self, now: Duration, link: UnderlayId, next_hop: IpAddr) {
        for (index, peer) in self.peers.iter_mut().enumerate() {
            let is_way = |path: &super::peer::Path| {
                path.table.link == link && path.table.next_hop == next_hop
            };
            if peer.paths.iter().any(is_way)
                && let Some(watch) = &mut peer.watch
                && watch.wake(now)
            {
                self.schedule.set(Timer::Watch(index), watch.due());
            }
        }
    }

    fn icmp(&mut self, now: Duration, link: UnderlayId, from: MacAddr, packet: &Packet<'_>) {
        match Message::parse(packet) {
            Some(Message::EchoRequest { id, data }) => {
                let octets = packet.payload.len() + header_len(packet.source);
                let fits = |mtu: u16| octets <= usize::from(mtu);
                let us = self.net.link(link);
                let owns = us.is_some_and(|link| link.owner == Owner::Us && fits(link.mtu));
                let is_peer = self.by_address.contains_key(&packet.source);
                let responder = self.responders.of(is_peer);
                let answer = owns.then(|| responder.answer(now, packet, id, data)).flatten();
                if let Some(answer) = answer {
                    self.net.send_packet_to(link, from, &answer);
                }
            }
            Some(Message::EchoReply { id, .. }) => self.answered(now, packet, id),
            Some(Message::TooBig { mtu, .. }) => self.too_big(now, packet, mtu),
            None => {}
        }
    }

    fn answered(&mut self, now: Duration, packet: &Packet<'_>, id: u32) {
        let Some(&index) = self.by_address.get(&packet.source) else { return };
        let Some(peer) = self.peers.get_mut(index) else { return };
        if packet.destination != peer.local {
            return;
        }
        let octets = packet.payload.len() + header_len(packet.source);
        for (number, path) in peer.paths.iter_mut().enumerate() {
            path.mtu.answered(now, id, octets, &mut self.random);
            self.schedule.set(Timer::Path(index, number), Some(path.mtu.due()));
        }
        self.tell_mtu(index);
    }

    /// A router says that a packet of ours was too big (RFC 1191, RFC 8201).
    fn too_big(&mut self, now: Duration, packet: &Packet<'_>, mtu: u32) {
        let quote = packet.payload.get(8..).and_then(Quote::parse);
        let Some(quote) = quote else { return };
        let Some(&index) = self.by_address.get(&quote.destination) else { return };
        let Some(peer) = self.peers.get_mut(index) else { return };
        let Some(quoted) = quote.of(peer) else { return };
        let passes = usize::try_from(mtu).is_ok_and(|mtu| mtu >= quote.octets);
        for (number, path) in peer.paths.iter_mut().enumerate() {
            if passes || quote.octets > usize::from(path.mtu.link_mtu()) {
                continue;
            }
            match quoted {
                Quoted::Ping(id) => {
                    if path.mtu.tried(id).is_some_and(|size| usize::from(size) == quote.octets) {
                        path.mtu.too_big(now, id, mtu, &mut self.random);
                    }
                }
                Quoted::Traffic => path.mtu.hint(now),
            }
            self.schedule.set(Timer::Path(index, number), Some(path.mtu.due()));
        }
        self.tell_mtu(index);
    }

    fn datagram(&mut self, now: Duration, packet: &Packet<'_>) {
        let Some(datagram) = Datagram::parse(packet.payload) else { return };
        let port = datagram.destination;
        let has_none = datagram.checksum == 0 && packet.source.is_ipv4();
        if !matches!(port, PORT_SINGLE_HOP | PORT_MULTIHOP)
            || !(has_none || datagram.checksum != 0 && Datagram::checksum_is_correct(packet))
        {
            return;
        }
        let Some(control) = Control::parse(datagram.payload) else { return };
        // A session is that of its two addresses. RFC 5880 section 6.8.6 selects it by discriminator
        // where there is one; here both have to agree, so that nobody else can speak for a peer.
        let Some(&index) = self.by_address.get(&packet.source) else { return };
        let Some(peer) = self.peers.get_mut(index) else { return };
        if packet.destination != peer.local {
            return;
        }
        let Some(watch) = &mut peer.watch else { return };
        let (ours, _) = watch.session().discriminators();
        let is_ours = control.your_discriminator == 0 || control.your_discriminator == ours;
        if !is_ours || !watch.admits(port, packet.hop_limit) {
            return;
        }
        let (send, verdict) = watch.received(now, &control, &mut self.random);
        self.follow(now, index, send.as_ref(), verdict);
        let watch = self.peers.get(index).and_then(|peer| peer.watch.as_ref());
        self.schedule.set(Timer::Watch(index), watch.and_then(super::watch::Watch::due));
    }
}

const fn header_len(ip: IpAddr) -> usize {
    if ip.is_ipv4() { IPV4_HEADER_LEN } else { IPV6_HEADER_LEN }
}

/// The packet in full: what was cut off on its way here is taken to be zeros, and a checksum tells
/// whether it was.
fn completed(ether_type: u16, bytes: &[u8], mtu: usize) -> Cow<'_, [u8]> {
    let field = |at: usize| match bytes.get(at..at + 2) {
        Some(&[high, low]) => usize::from(u16::from_be_bytes([high, low])),
        _ => 0,
    };
    let octets = match ether_type {
        ETHER_TYPE_IPV4 => field(2),
        ETHER_TYPE_IPV6 => field(4) + IPV6_HEADER_LEN,
        _ => 0,
    };
    if bytes.len() < WHOLE || octets <= bytes.len() || octets > mtu {
        return Cow::Borrowed(bytes);
    }
    let mut whole = bytes.to_vec();
    whole.resize(octets, 0);
    Cow::Owned(whole)
}
