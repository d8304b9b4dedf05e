//! Which station of a bridge has which IP address, for bridges that answer requests themselves
//! (`neighborSuppression`).
//!
//! A station is believed what it says about itself: the sender of an ARP message, the source of a
//! solicitation, the target of an advertisement. Nothing is learned from what somebody asks for. The last
//! word counts, except that an advertisement without flag O does not replace another one's (RFC 4861
//! section 7.2.5). Whether an answer may be given is decided with each request: only for an address
//! whose MAC the bridge knows at that moment.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::types::{Fid, IndividualMac, MacAddr};
use crate::wire::ethernet::Header;
use crate::wire::ip::{Packet, is_station};
use crate::wire::neighbor::{Arp, Discovery, ETHER_TYPE_ARP};

/// A station of a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its learning domain.
    pub fid: Fid,
    /// Its IP address.
    pub ip: IpAddr,
    /// Its MAC.
    pub mac: MacAddr,
    /// It said that it is a router (flag R of RFC 4861).
    pub is_router: bool,
}

/// Learns neighbours from copies of ARP and ND frames.
#[derive(Clone, Debug, Default)]
pub struct NeighborLearner {
    entries: BTreeMap<(Fid, IpAddr), Known>,
    /// Entries of each learning domain.
    counts: BTreeMap<Fid, usize>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    mac: MacAddr,
    is_router: bool,
    heard: Duration,
}

impl NeighborLearner {
    /// Nothing known.
    pub fn new() -> Self {
        Self::default()
    }

    /// The most entries in all: three quarters of the table that workers read.
    pub const CAPACITY: usize = 49_152;
    /// The most entries of one learning domain, so that one station that invents addresses does not
    /// take the room of other bridges. Requests for what does not fit are flooded.
    pub const CAPACITY_OF_DOMAIN: usize = 8192;

    /// Takes a frame as its bridge sees it. What is new or has changed has to be inserted into the
    /// table that workers read.
    pub fn frame(&mut self, now: Duration, fid: Fid, bytes: &[u8]) -> Option<Entry> {
        let Said { ip, mac, is_router, overrides } = Said::parse(bytes)?;
        if let Some(known) = self.entries.get_mut(&(fid, ip)) {
            if known.mac != mac && !overrides {
                return None;
            }
            let said = Known { mac, is_router: is_router.unwrap_or(known.is_router), heard: now };
            let is_new = (known.mac, known.is_router) != (said.mac, said.is_router);
            *known = said;
            return is_new.then(|| said.entry((fid, ip)));
        }
        let count = self.counts.get(&fid).copied().unwrap_or(0);
        if count >= Self::CAPACITY_OF_DOMAIN || self.entries.len() >= Self::CAPACITY {
            return None;
        }
        let known = Known { mac, is_router: is_router.unwrap_or(false), heard: now };
        self.entries.insert((fid, ip), known);
        self.counts.insert(fid, count + 1);
        Some(known.entry((fid, ip)))
    }

    /// Forgets what was silent for longer than its domain's ageing time, and domains that have none.
    /// To be called about once a second; what is returned has to be removed from the table.
    pub fn expire(
        &mut self,
        now: Duration,
        mut ageing: impl FnMut(Fid) -> Option<Duration>,
    ) -> Vec<Entry> {
        self.take(|entry, heard| {
            ageing(entry.fid).is_none_or(|ageing| now.saturating_sub(heard) > ageing)
        })
    }

    /// Forgets a learning domain.
    pub fn withdraw(&mut self, fid: Fid) -> Vec<Entry> {
        self.forget(|entry| entry.fid == fid)
    }

    /// Forgets those for which `gone` holds: stations whose MACs were flushed.
    pub fn forget(&mut self, mut gone: impl FnMut(&Entry) -> bool) -> Vec<Entry> {
        self.take(|entry, _| gone(entry))
    }

    /// The table had no room for an entry.
    pub fn refused(&mut self, entry: &Entry) {
        if self.entries.remove(&(entry.fid, entry.ip)).is_some() {
            self.uncount(entry.fid);
        }
    }

    /// All that is known, by learning domain and address.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        self.entries.iter().map(|(key, known)| known.entry(*key))
    }

    fn take(&mut self, mut gone: impl FnMut(&Entry, Duration) -> bool) -> Vec<Entry> {
        let mut taken = Vec::new();
        self.entries.retain(|key, known| {
            let entry = known.entry(*key);
            let is_gone = gone(&entry, known.heard);
            if is_gone {
                taken.push(entry);
            }
            !is_gone
        });
        for entry in &taken {
            self.uncount(entry.fid);
        }
        taken
    }

    fn uncount(&mut self, fid: Fid) {
        if let Some(count) = self.counts.get_mut(&fid) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&fid);
            }
        }
    }
}

impl Known {
    const fn entry(&self, (fid, ip): (Fid, IpAddr)) -> Entry {
        Entry { fid, ip, mac: self.mac, is_router: self.is_router }
    }
}

/// What a station says about itself.
struct Said {
    ip: IpAddr,
    mac: MacAddr,
    /// If the message tells.
    is_router: Option<bool>,
    /// It replaces what another one said.
    overrides: bool,
}

impl Said {
    fn parse(frame: &[u8]) -> Option<Self> {
        let header = Header::parse(frame).ok()?;
        let bytes = frame.get(header.payload_offset()..)?;
        let said = if header.type_or_length == ETHER_TYPE_ARP {
            let arp = Arp::parse(bytes)?;
            Self { ip: arp.sender.into(), mac: arp.sender_mac, is_router: None, overrides: true }
        } else {
            let message = Discovery::parse(&Packet::parse(header.type_or_length, bytes)?.ok()?)?;
            let mac = message.link_address?;
            if message.is_advertisement {
                Self {
                    ip: message.target.into(),
                    mac,
                    is_router: Some(message.flags & Discovery::ROUTER != 0),
                    overrides: message.flags & Discovery::OVERRIDE != 0,
                }
            } else {
                Self { ip: message.source.into(), mac, is_router: None, overrides: true }
            }
        };
        (is_station(said.ip) && IndividualMac::try_from(said.mac).is_ok()).then_some(said)
    }
}
