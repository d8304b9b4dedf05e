//! Suppression: a question for an address that is known is answered where it was asked.

use std::net::IpAddr;

use bridge_model::compile::MemberRoute;
use bridge_model::oracle::Outcome;
use bridge_model::reason::DropReason;
use bridge_model::types::{MacAddr, Name};
use bridge_model::wire::ethernet::Header;
use bridge_model::wire::ip::Packet;
use bridge_model::wire::neighbor::{Arp, Discovery};

use super::leave::{Leaving, Passing};
use super::{Ingress, Machine};

impl Machine {
    /// A station was heard to have an address, or is forgotten.
    pub(crate) fn set_known(
        &mut self,
        bridge: &Name,
        address: IpAddr,
        known: Option<(MacAddr, bool)>,
    ) {
        let key = (bridge.clone(), address);
        match known {
            Some(known) => self.known.insert(key, known),
            None => self.known.remove(&key),
        };
    }

    /// The answer to a frame that would flood.
    pub(super) fn answer(&self, ingress: Ingress, passing: &Passing<'_>) -> Option<Outcome> {
        let fid = &self.compiled.tables.fids[ingress.fid.index()];
        let route = fid.members[ingress.member.index()].route;
        let is_tagged = passing.header.tag_count() > passing.popped;
        if !fid.suppress || is_tagged || !matches!(route, MemberRoute::Port { .. }) {
            return None;
        }
        let frame = passing.tagged(&[]);
        let asker = passing.header.source;
        let known = |address: IpAddr| {
            let (mac, is_router) = *self.known.get(&(fid.owner.clone()?, address))?;
            let member = self.member_of(ingress.fid, mac)?;
            (member != ingress.member && mac != asker).then_some((mac, is_router))
        };
        let mut reply = match (&frame[12..14], passing.header.destination) {
            (&[0x08, 0x06], MacAddr::BROADCAST) => {
                let arp = Arp::parse(&frame[14..])?;
                if arp.operation != 1 || arp.target == arp.sender {
                    return None;
                }
                let (mac, _) = known(arp.target.into())?;
                let (sender, target) = (arp.target, arp.sender);
                let reply = Arp {
                    operation: 2,
                    sender_mac: mac,
                    sender,
                    target_mac: arp.sender_mac,
                    target,
                };
                reply.frame(asker, mac)
            }
            (&[0x86, 0xdd], destination) if destination.is_group() => {
                let packet = Packet::parse(0x86dd, &frame[14..])?.ok()?;
                let asked = Discovery::parse(&packet).filter(|d| !d.is_advertisement)?;
                if asked.source.is_unspecified() {
                    return None;
                }
                let (mac, is_router) = known(asked.target.into())?;
                let reply = Discovery {
                    is_advertisement: true,
                    source: asked.target,
                    destination: asked.source,
                    target: asked.target,
                    flags: if is_router { 0xe0 } else { 0x60 },
                    link_address: Some(mac),
                };
                reply.frame(asker, mac)
            }
            _ => return None,
        };
        reply.resize(reply.len().max(60), 0);
        let header = Header::parse(&reply).unwrap();
        let reply = Passing { frame: &reply, header, popped: 0, priority: passing.priority };
        let mut leaving = Leaving::default();
        self.leave(fid, ingress.member, &reply, &mut leaving);
        Some(Outcome::Answered(match leaving.outcome() {
            Outcome::Sent { copies, .. } => Ok(copies[0].clone()),
            Outcome::Dropped(reason) => Err(reason),
            _ => Err(DropReason::Malformed),
        }))
    }
}
