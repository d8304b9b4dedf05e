//! One next hop: RFC 4861 section 7.3 for neighbour discovery, and the same for ARP (RFC 826), which has
//! no such rules of its own.
//!
//! ```text
//!  Incomplete --3 unanswered--> Failed ----asked after 1, 2, 4 ... 30 s, for ever
//!      |  \___________________/   ^
//!      | heard                    | 3 unicast and 1 multicast unanswered
//!      v                          |
//!  Stale --5 s--> Probe ----------'
//!      ^            | ^
//!      | new MAC    v | 15 to 45 s, less the time that probing takes
//!      `--------- Reachable
//! ```
//!
//! A next hop is in use by definition, whether frames flow or not. So the state `STALE`, in which the RFC
//! waits for the first packet, and `DELAY` fall together, and a reachable neighbour is probed before its
//! time is over: one that answers never lapses. The last question before it is given up goes to
//! everybody (RFC 7048 section 3), because a router that was replaced has another MAC.
//!
//! A failed one is asked for more and more rarely (RFC 7048 section 3 again): each question reaches every
//! station of the link, and a rack that is switched off must not cost the others their attention. Whatever
//! is heard from there, or through it, makes the next question come at once.

use std::net::IpAddr;
use std::time::Duration;

use super::discovery::Ask;
use super::random::Random;
use super::view::{NeighborState, NeighborView};
use crate::types::{MacAddr, UnderlayId};

/// `REACHABLE_TIME` of RFC 4861 section 10; each confirmation lasts 50 to 150 % of it.
const REACHABLE_TIME: Duration = Duration::from_secs(30);
/// `DELAY_FIRST_PROBE_TIME`.
const DELAY_FIRST_PROBE: Duration = Duration::from_secs(5);
/// `RETRANS_TIMER`: between two probes, and the least between two questions after the first few.
const RETRANS: Duration = Duration::from_secs(1);
/// Between the first two questions. It doubles up to [`RETRANS`], so that a start takes no second when
/// only the first question is lost.
const FIRST_RETRANS: Duration = Duration::from_millis(100);
/// Between two questions for one that has failed: [`RETRANS`] doubles up to this.
const FAILED_RETRANS: Duration = Duration::from_secs(30);
/// `MAX_MULTICAST_SOLICIT`: questions to everybody until the neighbour is called failed.
const MULTICAST_SOLICIT: u32 = 3;
/// `MAX_UNICAST_SOLICIT`.
const UNICAST_SOLICIT: u32 = 3;
/// What probing takes at most: the unicast questions, one to everybody, each with its second.
const PROBING: Duration = Duration::from_secs(4);

/// What a neighbour said about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// Its MAC, if it said that.
    pub(super) mac: Option<MacAddr>,
    /// In answer to a question (flag S).
    pub(super) solicited: bool,
    /// It replaces what was known (flag O; always, in ARP).
    pub(super) overrides: bool,
}

/// What a timer made of a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tick {
    /// Its MAC is not known any more.
    pub(super) is_lost: bool,
    /// Whom to ask.
    pub(super) ask: Ask,
}

/// A next hop.
#[derive(Clone, Debug)]
pub(super) struct Neighbor {
    state: NeighborState,
    mac: Option<MacAddr>,
    since: Duration,
    /// `None` while the link has no carrier.
    due: Option<Duration>,
    /// Questions in this state.
    sent: u32,
    /// When the last one was sent.
    asked: Duration,
    /// A question is open: an answer is one.
    is_asked: bool,
}

impl Neighbor {
    /// Nobody knows it yet; it is asked for at once.
    pub(super) const fn new(now: Duration) -> Self {
        Self {
            state: NeighborState::Incomplete,
            mac: None,
            since: now,
            due: Some(now),
            sent: 0,
            asked: now,
            is_asked: false,
        }
    }

    /// One on a link without carrier.
    pub(super) const fn unplugged(now: Duration) -> Self {
        let mut neighbor = Self::new(now);
        neighbor.due = None;
        neighbor
    }

    pub(super) const fn mac(&self) -> Option<MacAddr> {
        self.mac
    }

    pub(super) const fn due(&self) -> Option<Duration> {
        self.due
    }

    pub(super) const fn view(&self, link: UnderlayId, ip: IpAddr) -> NeighborView {
        NeighborView { link, ip, state: self.state, mac: self.mac, since: self.since }
    }

    fn enter(&mut self, now: Duration, state: NeighborState) {
        if self.state != state {
            self.state = state;
            self.since = now;
        }
    }

    /// The timer has run out: there is always somebody to ask.
    pub(super) fn tick(&mut self, now: Duration, random: &mut Random) -> Tick {
        let mut is_lost = false;
        match self.state {
            NeighborState::Reachable | NeighborState::Stale => {
                self.sent = 0;
                self.enter(now, NeighborState::Probe);
            }
            NeighborState::Probe if self.sent > UNICAST_SOLICIT => {
                is_lost = self.mac.take().is_some();
                self.sent = 0;
                self.enter(now, NeighborState::Failed);
            }
            NeighborState::Incomplete if self.sent >= MULTICAST_SOLICIT => {
                self.sent = 0;
                self.enter(now, NeighborState::Failed);
            }
            NeighborState::Incomplete | NeighborState::Probe | NeighborState::Failed => {}
        }
        let ask = match self.mac {
            Some(mac) if self.sent < UNICAST_SOLICIT => Ask::Neighbor(mac),
            _ => Ask::Everybody,
        };
        self.due = Some(now + self.patience(random));
        self.sent = self.sent.saturating_add(1);
        self.asked = now;
        self.is_asked = true;
        Tick { is_lost, ask }
    }

    /// How long to wait for an answer to the question that is about to be sent.
    fn patience(&self, random: &mut Random) -> Duration {
        match self.state {
            NeighborState::Incomplete => {
                let doubled = FIRST_RETRANS * (1 << self.sent.min(8));
                random.share(doubled.min(RETRANS), 75..=100)
            }
            // Of many that failed together, each at another time.
            NeighborState::Failed => {
                let doubled = RETRANS * (1 << self.sent.min(8));
                random.share(doubled.min(FAILED_RETRANS), 75..=100)
            }
            _ => RETRANS,
        }
    }

    /// It said something: the table of RFC 4861 sections 7.2.3 and 7.2.5. Its MAC, if that is new.
    pub(super) fn heard(
        &mut self,
        now: Duration,
        heard: &Heard,
        random: &mut Random,
    ) -> Option<MacAddr> {
        // The answer to no question is as good as anything that nobody asked for.
        let confirms = heard.solicited && self.is_asked;
        let is_new = heard.mac.is_some_and(|mac| Some(mac) != self.mac);
        if self.mac.is_some() && is_new && !heard.overrides {
            // Two claim the address: the one that was there is kept, and asked.
            if self.state == NeighborState::Reachable {
                self.doubt(now);
            }
            return None;
        }
        if is_new {
            self.mac = heard.mac;
        }
        // Without a MAC, an answer that does not say it is no help; but somebody is there.
        if self.mac.is_none() {
            self.retry(now);
            return None;
        }
        if confirms {
            self.confirm(now, random);
        } else if is_new {
            self.doubt(now);
        }
        self.mac.filter(|_| is_new)
    }

    fn confirm(&mut self, now: Duration, random: &mut Random) {
        self.enter(now, NeighborState::Reachable);
        self.is_asked = false;
        let lasts = random.share(REACHABLE_TIME, 50..=150);
        self.due = Some(now + lasts.saturating_sub(PROBING));
    }

    fn doubt(&mut self, now: Duration) {
        self.enter(now, NeighborState::Stale);
        self.due = Some(now + DELAY_FIRST_PROBE);
    }

    /// Something is heard from it, or from behind it, that does not tell its MAC: if it has failed, it is
    /// asked for now, but hardly more often than once a second, whoever sends that.
    pub(super) fn retry(&mut self, now: Duration) {
        if self.state == NeighborState::Failed
            && let Some(due) = self.due
        {
            self.sent = 0;
            self.due = Some(due.min(now.max(self.asked + RETRANS)));
        }
    }

    /// Something behind it went silent (negative advice, RFC 4861 section 7.3.1): it is probed now.
    pub(super) fn suspect(&mut self, now: Duration) {
        let knows = matches!(self.state, NeighborState::Reachable | NeighborState::Stale);
        if knows && self.due.is_some() {
            self.due = Some(now);
        }
    }
}
