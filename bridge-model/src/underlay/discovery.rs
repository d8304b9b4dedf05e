//! The messages of ARP (RFC 826, RFC 5227) and neighbour discovery (RFC 4861), as questions, answers,
//! announcements, and what a received one says.

use std::net::{IpAddr, Ipv6Addr};

use super::neighbor::Heard;
use super::net::Link;
use crate::types::{IndividualMac, MacAddr};
use crate::wire::ip::is_station;
use crate::wire::neighbor::{Arp, Discovery, multicast_mac, solicited_node};

/// All nodes on the link (RFC 4291 section 2.7.1).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// Whom a question goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Everybody on the link, or all that could own the address.
    Everybody,
    /// The neighbour itself, where it was known last.
    Neighbor(MacAddr),
}

/// The frame that asks for `ip`. `None` if the link has no address to ask from.
pub(super) fn question(link: &Link, ip: IpAddr, ask: Ask) -> Option<Vec<u8>> {
    match (link.source_for(ip)?, ip) {
        (IpAddr::V4(sender), IpAddr::V4(target)) => {
            let arp = Arp {
                operation: Arp::REQUEST,
                sender_mac: link.mac,
                sender,
                target_mac: MacAddr::ZERO,
                target,
            };
            let to = match ask {
                Ask::Everybody => MacAddr::BROADCAST,
                Ask::Neighbor(mac) => mac,
            };
            Some(arp.frame(to, link.mac))
        }
        (IpAddr::V6(source), IpAddr::V6(target)) => {
            let group = solicited_node(target);
            let (destination, to) = match ask {
                Ask::Everybody => (group, multicast_mac(group)),
                Ask::Neighbor(mac) => (target, mac),
            };
            let question = Discovery {
                is_advertisement: false,
                source,
                destination,
                target,
                flags: 0,
                link_address: Some(link.mac),
            };
            Some(question.frame(to, link.mac))
        }
        _ => None,
    }
}

/// The frame that tells everybody that `ip` is here: an ARP announcement (RFC 5227 section 2.3) or an
/// unsolicited advertisement (RFC 4861 section 7.2.6).
pub(super) fn announcement(link: &Link, ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => Arp {
            operation: Arp::REQUEST,
            sender_mac: link.mac,
            sender: ip,
            target_mac: MacAddr::ZERO,
            target: ip,
        }
        .frame(MacAddr::BROADCAST, link.mac),
        IpAddr::V6(ip) => advertisement(link, ip, ALL_NODES, Discovery::OVERRIDE)
            .frame(multicast_mac(ALL_NODES), link.mac),
    }
}

const fn advertisement(link: &Link, ip: Ipv6Addr, to: Ipv6Addr, flags: u8) -> Discovery {
    Discovery {
        is_advertisement: true,
        source: ip,
        destination: to,
        target: ip,
        flags,
        link_address: Some(link.mac),
    }
}

/// What a received message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// Whom it says something about, and what; nobody in a probe and in duplicate address detection.
    pub(super) about: Option<(IpAddr, Heard)>,
    /// The address that it asks for, and our answer if that is ours.
    pub(super) question: Option<(IpAddr, Vec<u8>)>,
}

impl Told {
    /// Reads an ARP message. `None` if its sender is nobody.
    pub(super) fn arp(link: &Link, arp: &Arp) -> Option<Self> {
        let sender_mac = IndividualMac::try_from(arp.sender_mac).ok()?.get();
        let is_request = arp.operation == Arp::REQUEST;
        if !is_request && arp.operation != Arp::REPLY {
            return None;
        }
        let solicited =
            !is_request && arp.target_mac == link.mac && link.has(IpAddr::V4(arp.target));
        let heard = Heard { mac: Some(sender_mac), solicited, overrides: true };
        let about = is_station(arp.sender.into()).then_some((arp.sender.into(), heard));
        // An announcement asks nobody.
        let question = (is_request && arp.sender != arp.target).then(|| {
            let answer = Arp {
                operation: Arp::REPLY,
                sender_mac: link.mac,
                sender: arp.target,
                target_mac: sender_mac,
                target: arp.sender,
            };
            (arp.target.into(), answer.frame(sender_mac, link.mac))
        });
        Some(Self { about, question })
    }

    /// Reads a message of neighbour discovery from the station `from`. `None` if RFC 4861 section 7.1
    /// tells to discard it.
    pub(super) fn discovery(link: &Link, from: MacAddr, message: &Discovery) -> Option<Self> {
        let Discovery { source, destination, target, link_address, .. } = *message;
        if link_address.is_some_and(|mac| IndividualMac::try_from(mac).is_err())
            || source.is_multicast()
        {
            return None;
        }
        let flag = |flag| message.flags & flag != 0;
        if message.is_advertisement {
            let solicited = flag(Discovery::SOLICITED);
            if solicited && destination.is_multicast() {
                return None;
            }
            let overrides = flag(Discovery::OVERRIDE);
            let heard = Heard { mac: link_address, solicited, overrides };
            return Some(Self { about: Some((target.into(), heard)), question: None });
        }
        if source.is_unspecified() {
            // Duplicate address detection: section 7.1.1 and, for the answer, section 7.2.4.
            let valid = destination == solicited_node(target) && link_address.is_none();
            let answer = advertisement(link, target, ALL_NODES, Discovery::OVERRIDE);
            let frame = answer.frame(multicast_mac(ALL_NODES), link.mac);
            return valid.then_some(Self { about: None, question: Some((target.into(), frame)) });
        }
        let heard = Heard { mac: link_address, solicited: false, overrides: true };
        let flags = Discovery::SOLICITED | Discovery::OVERRIDE;
        let answer = advertisement(link, target, source, flags);
        let frame = answer.frame(link_address.unwrap_or(from), link.mac);
        Some(Self {
            about: link_address.map(|_| (source.into(), heard)),
            question: Some((target.into(), frame)),
        })
    }
}
