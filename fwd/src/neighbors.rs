//! Which station of a learning domain has which IP address: what bridges with `neighborSuppression`
//! answer from.
//!
//! One writer, the protocol thread; workers read without a lock. An entry of 32 octets begins with a
//! word that counts its changes and that the writer changes before and after everything else: a worker
//! that read the same word before and after has read one entry, not parts of two. What it could not
//! read so is as good as not there, and the question is flooded: no worker ever waits.
//!
//! The size is fixed. An address lives in one of two buckets of eight entries, chosen by a hash with a
//! secret, so that nothing ever moves; when both are full it is not taken in. That begins at
//! three quarters of the entries, and again costs no more than a flooded question.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::net::IpAddr;

use bridge_model::types::{Fid, MacAddr};
use parking_lot::Mutex;

use crate::sync::{AtomicU64, Ordering, fence};

/// Entries of one bucket: four cache lines.
const WIDTH: usize = 8;

/// Meta word: the entry holds something.
const USED: u64 = 1;
/// Meta word: the neighbour is a router.
const ROUTER: u64 = 2;
/// Meta word: the entry is being changed.
const BUSY: u64 = 4;
/// Meta word: one change.
const CHANGE: u64 = 8;

const MAC: u64 = (1 << 48) - 1;

/// What is known of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbor {
    /// The station that has it.
    pub mac: MacAddr,
    /// The station said that it is a router (flag R of an IPv6 advertisement).
    pub is_router: bool,
}

/// Domain and address, in three words of which the last has room for a MAC address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    high: u64,
    low: u64,
    fid: Fid,
}

impl Key {
    fn new(fid: Fid, address: IpAddr) -> Self {
        match address {
            // The upper half of a multicast address, which no station has.
            IpAddr::V4(v4) => Self { high: u64::MAX, low: u64::from(v4.to_bits()), fid },
            IpAddr::V6(v6) => {
                let bits = v6.to_bits();
                #[expect(clippy::cast_possible_truncation, reason = "both halves")]
                Self { high: (bits >> 64) as u64, low: bits as u64, fid }
            }
        }
    }

    /// Multiply and fold, word by word, as wyhash does.
    fn hash(&self, seed: u64) -> u64 {
        let words = [self.high, self.low, u64::from(self.fid.0)];
        words.into_iter().fold(seed, |hash, word| {
            let product = u128::from(hash ^ word) * 0xd6e8_feb8_6659_fd93_u128;
            #[expect(clippy::cast_possible_truncation, reason = "both halves of the product")]
            {
                product as u64 ^ (product >> 64) as u64
            }
        })
    }
}

#[derive(Debug, Default)]
#[repr(align(32))]
struct Entry {
    /// `changes:61 | BUSY | ROUTER | USED`.
    meta: AtomicU64,
    high: AtomicU64,
    low: AtomicU64,
    /// `fid:16 | MAC:48`.
    station: AtomicU64,
}

impl Entry {
    /// What the entry knows of `key`; `None` also if it changes just now.
    fn get(&self, key: Key) -> Option<Neighbor> {
        let meta = self.meta.load(Ordering::Acquire);
        if meta & (USED | BUSY) != USED || self.low.load(Ordering::Relaxed) != key.low {
            return None;
        }
        let high = self.high.load(Ordering::Relaxed);
        let station = self.station.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        let is_whole = self.meta.load(Ordering::Relaxed) == meta;
        let is_it = high == key.high && station >> 48 == u64::from(key.fid.0);
        (is_whole && is_it).then(|| Neighbor {
            mac: MacAddr::from_u64(station & MAC),
            is_router: meta & ROUTER != 0,
        })
    }

    /// Replaces all of it. For the only writer.
    fn set(&self, key: Key, neighbor: Neighbor) {
        let changes = self.begin();
        self.high.store(key.high, Ordering::Relaxed);
        self.low.store(key.low, Ordering::Relaxed);
        let station = u64::from(key.fid.0) << 48 | neighbor.mac.to_u64();
        self.station.store(station, Ordering::Relaxed);
        let flags = USED | if neighbor.is_router { ROUTER } else { 0 };
        self.meta.store(changes.wrapping_add(CHANGE) | flags, Ordering::Release);
    }

    fn clear(&self) {
        let changes = self.begin();
        self.meta.store(changes.wrapping_add(CHANGE), Ordering::Release);
    }

    /// From here on no reader takes what it reads.
    fn begin(&self) -> u64 {
        let changes = self.meta.load(Ordering::Relaxed) & !(CHANGE - 1);
        self.meta.store(changes | BUSY, Ordering::Relaxed);
        fence(Ordering::Release);
        changes
    }

    fn is_used(&self) -> bool {
        self.meta.load(Ordering::Relaxed) & USED != 0
    }
}

/// The table, in [`Live`](crate::Live).
#[derive(Debug)]
pub struct NeighborTable {
    entries: Box<[Entry]>,
    seed: u64,
    /// Holds the number of entries in use. Only the control side takes it.
    writer: Mutex<usize>,
}

impl NeighborTable {
    /// Entries.
    pub const SIZE: usize = 65_536;

    /// An empty table of [`SIZE`](Self::SIZE) entries: 2 MiB.
    pub(crate) fn new() -> Self {
        Self::with_buckets(Self::SIZE / WIDTH, RandomState::new().build_hasher().finish())
    }

    /// `buckets` is a power of two.
    fn with_buckets(buckets: usize, seed: u64) -> Self {
        let entries = (0..buckets * WIDTH).map(|_| Entry::default()).collect();
        Self { entries, seed, writer: Mutex::new(0) }
    }

    /// Both buckets of a key.
    fn buckets(&self, key: Key) -> [&[Entry]; 2] {
        let hash = key.hash(self.seed);
        let buckets = (self.entries.len() / WIDTH) as u64;
        // 32 bits each: there are never so many buckets.
        [hash >> 32, hash & 0xffff_ffff].map(|hash| {
            let first = usize::try_from(hash & (buckets - 1)).unwrap_or(0) * WIDTH;
            self.entries.get(first..first + WIDTH).unwrap_or_default()
        })
    }

    fn places(&self, key: Key) -> impl Iterator<Item = &Entry> {
        self.buckets(key).into_iter().flatten()
    }

    /// What is known of an address in a learning domain.
    pub fn lookup(&self, fid: Fid, address: IpAddr) -> Option<Neighbor> {
        let key = Key::new(fid, address);
        self.places(key).find_map(|entry| entry.get(key))
    }

    /// A station has an address; what was known of the address before is replaced. False, and nothing
    /// changed, if there is no place for it. Takes effect with the next frame.
    pub fn insert(&self, fid: Fid, address: IpAddr, mac: MacAddr, is_router: bool) -> bool {
        let (key, neighbor) = (Key::new(fid, address), Neighbor { mac, is_router });
        let mut count = self.writer.lock();
        if let Some((entry, known)) =
            self.places(key).find_map(|entry| entry.get(key).map(|known| (entry, known)))
        {
            if known != neighbor {
                entry.set(key, neighbor);
            }
            return true;
        }
        // Into the emptier one, so that buckets fill evenly.
        let used = |bucket: &[Entry]| bucket.iter().filter(|entry| entry.is_used()).count();
        let [one, other] = self.buckets(key);
        let bucket = if used(one) <= used(other) { one } else { other };
        let Some(entry) = bucket.iter().find(|entry| !entry.is_used()) else { return false };
        entry.set(key, neighbor);
        *count += 1;
        true
    }

    /// Forgets an address. False if nothing was known of it.
    pub fn remove(&self, fid: Fid, address: IpAddr) -> bool {
        let key = Key::new(fid, address);
        let mut count = self.writer.lock();
        let Some(entry) = self.places(key).find(|entry| entry.get(key).is_some()) else {
            return false;
        };
        entry.clear();
        *count -= 1;
        true
    }

    /// How many addresses are known.
    pub fn len(&self) -> usize {
        *self.writer.lock()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
#[cfg(loom)]
mod loom_tests;
#[cfg(test)]
#[cfg(not(loom))]
mod tests;
