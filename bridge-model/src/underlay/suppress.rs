//! Which station of a bridge has which IP address, for bridges that answer requests themselves.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::types::{Fid, MacAddr};

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

    /// Takes a frame as its bridge sees it. What is new or has changed has to be inserted into the
    /// table that workers read.
    pub fn frame(&mut self, now: Duration, fid: Fid, bytes: &[u8]) -> Option<Entry> {
        let _ = (now, fid, bytes);
        None
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
        self.entries.remove(&(entry.fid, entry.ip));
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
        taken
    }
}

impl Known {
    const fn entry(&self, (fid, ip): (Fid, IpAddr)) -> Entry {
        Entry { fid, ip, mac: self.mac, is_router: self.is_router }
    }
}
