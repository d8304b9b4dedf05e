//! MAC tables.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::compile::Place;
use crate::types::IndividualMac;

/// Where a station was seen last, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) seen: Duration,
}

/// The stations that one learning domain knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Fdb(BTreeMap<IndividualMac, Entry>);

impl Fdb {
    pub(super) fn get(&self, mac: IndividualMac) -> Option<&Place> {
        self.0.get(&mac).map(|entry| &entry.place)
    }

    pub(super) fn learn(&mut self, now: Duration, mac: IndividualMac, place: &Place) {
        self.0.insert(mac, Entry { place: place.clone(), seen: now });
    }

    pub(super) fn forget(&mut self, mac: IndividualMac) {
        self.0.remove(&mac);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (IndividualMac, &Entry)> {
        self.0.iter().map(|(mac, entry)| (*mac, entry))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// An entry goes when it was idle for longer than `ageing`.
    pub(super) fn expire(&mut self, now: Duration, ageing: Duration) {
        self.0.retain(|_, entry| now.saturating_sub(entry.seen) <= ageing);
    }

    pub(super) fn retain(&mut self, mut keeps: impl FnMut(&Place) -> bool) {
        self.0.retain(|_, entry| keeps(&entry.place));
    }

    pub(super) fn count_port(&self, port: &crate::types::Name) -> usize {
        self.0.values().filter(|entry| entry.place.port() == port).count()
    }
}
