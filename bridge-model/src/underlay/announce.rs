//! Telling a link which addresses are here, and defending them (RFC 5227 sections 2.3 and 2.4, RFC 4861
//! section 7.2.6).
//!
//! Addresses are not probed before use: they come from a site file in which they are unique, and a probe
//! would keep a gateway that restarts silent for up to seven seconds. A conflict is noticed as soon as
//! the other side says anything.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::random::Random;
use crate::types::UnderlayId;

/// `ANNOUNCE_NUM` and `ANNOUNCE_INTERVAL` of RFC 5227 section 1.1.
const ARP_ANNOUNCEMENTS: (u8, Duration) = (2, Duration::from_secs(2));
/// `MAX_NEIGHBOR_ADVERTISEMENT` and `RETRANS_TIMER` of RFC 4861 section 10.
const ADVERTISEMENTS: (u8, Duration) = (3, Duration::from_secs(1));
/// The groups of IPv6 addresses are joined again at least that often, and with each announcement, in case
/// a report or a switch's memory was lost.
const REPORT: Duration = Duration::from_secs(60);
/// `DEFEND_INTERVAL` of RFC 5227 section 1.1: an address is defended, and its conflict reported, at most
/// that often, so that two that defend it do not fill the link.
const DEFEND_INTERVAL: Duration = Duration::from_secs(10);

/// The addresses of this host on links whose owner it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Announcer {
    addresses: BTreeMap<(UnderlayId, IpAddr), Address>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Address {
    /// Announcements to come.
    left: u8,
    due: Option<Duration>,
    conflict: Option<Duration>,
}

impl Address {
    /// One that is to be announced from `now` on.
    pub(super) const fn new(now: Duration, ip: IpAddr) -> Self {
        let (left, _) = plan(ip);
        Self { left, due: Some(now), conflict: None }
    }

    pub(super) const fn due(&self) -> Option<Duration> {
        self.due
    }
}

const fn plan(ip: IpAddr) -> (u8, Duration) {
    if ip.is_ipv4() { ARP_ANNOUNCEMENTS } else { ADVERTISEMENTS }
}

impl Announcer {
    pub(super) fn insert(&mut self, key: (UnderlayId, IpAddr), address: Address) {
        self.addresses.insert(key, address);
    }

    pub(super) fn take(&mut self, key: (UnderlayId, IpAddr)) -> Option<Address> {
        self.addresses.remove(&key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&(UnderlayId, IpAddr), &Address)> {
        self.addresses.iter()
    }

    /// Whether an address is still to be announced.
    pub(super) fn is_news(&self, key: (UnderlayId, IpAddr)) -> bool {
        self.addresses.get(&key).is_some_and(|address| address.left > 0)
    }

    /// The timer of an address has run out: it was announced if it was news, and its group joined. When
    /// to be called next.
    pub(super) fn tick(
        &mut self,
        now: Duration,
        key: (UnderlayId, IpAddr),
        random: &mut Random,
    ) -> Option<Duration> {
        let address = self.addresses.get_mut(&key)?;
        address.left = address.left.saturating_sub(1);
        address.due = if address.left > 0 {
            Some(now + plan(key.1).1)
        } else {
            key.1.is_ipv6().then(|| now + random.share(REPORT, 80..=100))
        };
        address.due
    }

    /// Somebody else uses an address of ours: whether that is to be said, and the address to be
    /// announced again.
    pub(super) fn conflict(&mut self, now: Duration, key: (UnderlayId, IpAddr)) -> bool {
        let Some(address) = self.addresses.get_mut(&key) else { return false };
        let is_over = |last: Duration| now.saturating_sub(last) >= DEFEND_INTERVAL;
        let is_due = address.conflict.is_none_or(is_over);
        if is_due {
            address.conflict = Some(now);
        }
        is_due
    }
}
