//! Suppression (end of section 4): a question for an address that is known is answered where it was
//! asked.

use std::net::IpAddr;

use super::Oracle;
use super::classify::Arrival;
use super::outcome::Outcome;
use super::rewrite::Transit;
use crate::compile::{Domain, Place};
use crate::types::{IndividualMac, MacAddr};
use crate::wire::ethernet::{HEADER_LEN, Header, MIN_FRAME_LEN};
use crate::wire::ip::{ETHER_TYPE_IPV6, Packet};
use crate::wire::neighbor::{Arp, Discovery, ETHER_TYPE_ARP};

/// Where the stations of a bridge live, as their own words told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) mac: MacAddr,
    pub(super) is_router: bool,
}

/// A question that may be answered for the one who is asked.
enum Question {
    Arp(Arp),
    Solicitation(Discovery),
}

impl Oracle {
    /// The answer to a frame that would flood, if it asks for a station that is known, elsewhere, and
    /// not the one who asks.
    pub(super) fn answer(&self, arrival: &Arrival, transit: &Transit<'_>) -> Option<Outcome> {
        let (Domain::Bridge(bridge) | Domain::Transparent(bridge)) = &arrival.domain else {
            return None;
        };
        let suppresses = self.site.bridge(bridge)?.neighbor_suppression.is_on();
        // What is inside tags is somebody else's network.
        let is_tagged = transit.tags_kept() > 0;
        if !suppresses || is_tagged || matches!(arrival.place, Place::Peer(_)) {
            return None;
        }
        let question = question(&transit.header, &transit.inside())?;
        let target: IpAddr = match &question {
            Question::Arp(arp) => arp.target.into(),
            Question::Solicitation(solicitation) => solicitation.target.into(),
        };
        let Known { mac, is_router } = *self.known.get(&(bridge.clone(), target))?;
        let station = IndividualMac::try_from(mac).ok()?;
        let place = self.look_up_bridge(arrival, station)?;
        if place == arrival.place || mac == transit.header.source {
            return None;
        }
        let asker = transit.header.source;
        let mut answer = match question {
            Question::Arp(arp) => Arp {
                operation: Arp::REPLY,
                sender_mac: mac,
                sender: arp.target,
                target_mac: arp.sender_mac,
                target: arp.sender,
            }
            .frame(asker, mac),
            Question::Solicitation(solicitation) => Discovery {
                is_advertisement: true,
                source: solicitation.target,
                destination: solicitation.source,
                target: solicitation.target,
                flags: Discovery::SOLICITED
                    | Discovery::OVERRIDE
                    | if is_router { Discovery::ROUTER } else { 0 },
                link_address: Some(mac),
            }
            .frame(asker, mac),
        };
        if answer.len() < MIN_FRAME_LEN {
            answer.resize(MIN_FRAME_LEN, 0);
        }
        let header = Header::parse(&answer).ok()?;
        let answer = Transit::unchanged(&answer, header).with_priority(transit.priority());
        let back = self.site.to_place(&answer, &arrival.place)?;
        Some(Outcome::Answered(back.map_err(|refused| refused.reason)))
    }
}

/// What an untagged frame asks. Announcements (gratuitous ARP, duplicate address detection) are no
/// questions: those whom they concern have to hear them.
fn question(header: &Header, frame: &[u8]) -> Option<Question> {
    let packet = frame.get(HEADER_LEN..)?;
    let is_to_all = header.destination.is_broadcast();
    match u16::from_be_bytes([*frame.get(12)?, *frame.get(13)?]) {
        ETHER_TYPE_ARP if is_to_all => {
            let arp = Arp::parse(packet)?;
            let asks = arp.operation == Arp::REQUEST && arp.target != arp.sender;
            asks.then_some(Question::Arp(arp))
        }
        ether_type @ ETHER_TYPE_IPV6 if header.destination.is_group() => {
            let message = Discovery::parse(&Packet::parse(ether_type, packet)?.ok()?)?;
            let asks = !message.is_advertisement && !message.source.is_unspecified();
            asks.then_some(Question::Solicitation(message))
        }
        _ => None,
    }
}
