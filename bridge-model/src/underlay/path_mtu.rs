//! The largest packet that one path takes: packetisation layer path MTU discovery (RFC 4821, RFC 8899
//! section 5) with pings that may not be fragmented.
//!
//! ```text
//!        every 10 s             lost 3 times while short pings pass
//!  Rest ------------> Check ---------------------------------------> Search --> Rest
//!    \  every 10 min, if below the links' MTU                           ^
//!     `-----------------------------------------> Raise ---passed-------'
//! ```
//!
//! What a router says about its MTU is never believed for itself. It is an answer to one of our pings,
//! which it quotes with an identifier that nobody else knows; or it makes us ping at once (RFC 8899
//! section 4.6, against RFC 5927's blind throughput reduction).

use std::time::Duration;

use super::random::Random;
use super::view::PathMtuState;

/// Octets of the short ping: less than any MTU may be.
pub(super) const SHORT: u16 = 64;
/// Between two checks.
const CHECK: Duration = Duration::from_secs(10);
/// Between two attempts to raise the size (RFC 1191 section 6.3, `PMTU_RAISE_TIMER` of RFC 8899).
const RAISE: Duration = Duration::from_secs(600);
/// `MAX_PROBES` of RFC 8899 section 5.1.2: so often a size is tried.
const TRIES: usize = 3;
/// Bounds of the wait for an answer, which is four round trips.
const WAIT_MIN: Duration = Duration::from_millis(200);
const WAIT_MAX: Duration = Duration::from_secs(1);
/// Between two checks because of what routers say.
const HINT: Duration = Duration::from_secs(1);

/// A ping to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ping {
    /// Its identifier and sequence number.
    pub(super) id: u32,
    /// Octets of the IP packet.
    pub(super) size: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waiting for the next check.
    Rest,
    /// Does the size still pass?
    Check,
    /// Does a larger one: the links' MTU, or at least one octet more?
    Raise,
    /// Between a size that passes and one that does not.
    Search(Search),
}

/// A search: `lo` passes, `hi` does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Search {
    lo: u16,
    hi: u16,
    /// The size that began it by not passing.
    from: u16,
    /// `hi` is being tried again, when nothing is left between: pings are lost for other reasons too,
    /// and if it passes now, what is between it and `from` was not looked at.
    is_doubted: bool,
    /// How often that may still be done.
    doubts: u8,
}

impl Search {
    const fn new(lo: u16, hi: u16) -> Self {
        Self { lo, hi, from: hi, is_doubted: false, doubts: 3 }
    }
}

/// The tries with one size.
#[derive(Clone, Debug)]
struct Trial {
    size: u16,
    /// Identifier and time of each ping of this size, and of the short ones.
    long: Vec<(u32, Duration)>,
    short: Vec<(u32, Duration)>,
    short_passed: bool,
}

/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Passed,
    /// Lost, while short pings pass.
    Lost,
    /// A router says what would have passed.
    TooBig(u16),
    /// The peer answers no pings at all.
    Silence,
}

/// What is known about one path.
#[derive(Clone, Debug)]
pub(super) struct PathMtu {
    link_mtu: u16,
    floor: u16,
    mtu: u16,
    phase: Phase,
    trial: Option<Trial>,
    is_confirmed: bool,
    round_trip: Option<Duration>,
    due: Duration,
    raise_at: Duration,
    hinted: Option<Duration>,
}

impl PathMtu {
    /// A path over a link with this MTU, of which nothing is known.
    pub(super) fn new(now: Duration, link_mtu: u16, is_v4: bool, random: &mut Random) -> Self {
        // RFC 8200 section 5: what every link takes. Over IPv4 that would be 68, which no tunnel can
        // live with; RFC 791 has every host take 576, and links of less are history.
        let floor = if is_v4 { 576 } else { 1280 };
        Self {
            link_mtu,
            floor,
            mtu: link_mtu,
            phase: Phase::Rest,
            trial: None,
            is_confirmed: false,
            round_trip: None,
            due: now + random.share(WAIT_MAX, 0..=100),
            raise_at: now + RAISE,
            hinted: None,
        }
    }

    pub(super) const fn mtu(&self) -> u16 {
        self.mtu
    }

    pub(super) const fn link_mtu(&self) -> u16 {
        self.link_mtu
    }

    pub(super) const fn due(&self) -> Duration {
        self.due
    }

    pub(super) const fn state(&self) -> PathMtuState {
        match self.phase {
            Phase::Search(_) => PathMtuState::Searching,
            _ if self.is_confirmed => PathMtuState::Confirmed,
            _ => PathMtuState::Unknown,
        }
    }

    /// The link's MTU is configured anew.
    pub(super) fn set_link_mtu(&mut self, now: Duration, link_mtu: u16) {
        if link_mtu == self.link_mtu {
            return;
        }
        let was_free = self.mtu == self.link_mtu;
        self.link_mtu = link_mtu;
        self.mtu = if was_free { link_mtu } else { self.mtu.min(link_mtu) };
        self.raise_at = now;
        self.rest(now);
    }

    /// Whether `id` is that of a ping of the size in question that may still be answered; its octets.
    pub(super) fn tried(&self, id: u32) -> Option<u16> {
        let trial = self.trial.as_ref()?;
        trial.long.iter().any(|(long, _)| *long == id).then_some(trial.size)
    }

    /// The next hop is not known: nothing can be sent.
    pub(super) fn wait(&mut self, now: Duration) {
        self.due = now + WAIT_MAX;
    }

    /// The timer has run out: pings to send.
    pub(super) fn tick(&mut self, now: Duration, random: &mut Random) -> Vec<Ping> {
        if self.phase == Phase::Rest {
            self.phase = Phase::Check;
            self.begin(now, self.mtu);
        }
        if let Some(trial) = &self.trial
            && trial.long.len() >= TRIES
        {
            let (size, passed) = (trial.size, trial.short_passed);
            self.judge(now, size, if passed { Verdict::Lost } else { Verdict::Silence }, random);
        }
        let Some(trial) = &mut self.trial else { return Vec::new() };
        let mut pings = vec![Ping { id: random.number(), size: trial.size }];
        // The first loss is no reason for more pings than one.
        if !trial.long.is_empty() {
            let short = Ping { id: random.number(), size: SHORT };
            trial.short.push((short.id, now));
            pings.push(short);
        }
        trial.long.push((pings[0].id, now));
        self.due = now + self.patience();
        pings
    }

    fn patience(&self) -> Duration {
        self.round_trip.map_or(WAIT_MAX, |trip| (trip * 4).clamp(WAIT_MIN, WAIT_MAX))
    }

    fn begin(&mut self, now: Duration, size: u16) {
        self.trial = Some(Trial { size, long: Vec::new(), short: Vec::new(), short_passed: false });
        self.due = now;
    }

    fn rest(&mut self, due: Duration) {
        self.phase = Phase::Rest;
        self.trial = None;
        self.due = due;
    }

    /// The peer has answered a ping, with a packet of so many octets.
    pub(super) fn answered(&mut self, now: Duration, id: u32, octets: usize, random: &mut Random) {
        let Some(trial) = &mut self.trial else { return };
        let sent = |pings: &[(u32, Duration)]| pings.iter().find(|(ping, _)| *ping == id).copied();
        if let Some((_, at)) = sent(&trial.short) {
            trial.short_passed = true;
            self.round_trip = Some(now.saturating_sub(at));
        } else if let Some((_, at)) = sent(&trial.long)
            && octets == usize::from(trial.size)
        {
            self.round_trip = Some(now.saturating_sub(at));
            let size = trial.size;
            self.judge(now, size, Verdict::Passed, random);
        }
    }

    /// A router quotes a ping of ours and says what it could have passed on; 0 if it does not say
    /// (RFC 1191 section 5).
    pub(super) fn too_big(&mut self, now: Duration, id: u32, mtu: u32, random: &mut Random) {
        let Some(size) = self.tried(id) else { return };
        let said = u16::try_from(mtu).ok().filter(|mtu| (self.floor..size).contains(mtu));
        self.judge(now, size, said.map_or(Verdict::Lost, Verdict::TooBig), random);
    }

    /// A router quotes a packet of ours that is no ping: worth a check.
    pub(super) fn hint(&mut self, now: Duration) {
        let is_early = self.hinted.is_some_and(|last| now.saturating_sub(last) < HINT);
        if self.phase == Phase::Rest && !is_early {
            self.hinted = Some(now);
            self.due = now;
        }
    }

    fn judge(&mut self, now: Duration, size: u16, verdict: Verdict, random: &mut Random) {
        let pause = now + random.share(CHECK, 90..=110);
        match (self.phase, verdict) {
            (Phase::Rest, _) => {}
            (_, Verdict::Silence) => {
                self.is_confirmed = false;
                self.rest(pause);
            }
            (Phase::Check, Verdict::Passed) => {
                self.is_confirmed = true;
                if self.mtu < self.link_mtu && now >= self.raise_at {
                    self.phase = Phase::Raise;
                    self.begin(now, self.link_mtu);
                } else {
                    self.rest(pause);
                }
            }
            (Phase::Check, Verdict::TooBig(mtu)) => {
                self.settle(now, mtu);
                self.phase = Phase::Check;
                self.begin(now, mtu);
            }
            (Phase::Check, Verdict::Lost) if size <= self.floor => {
                self.is_confirmed = false;
                self.rest(pause);
            }
            (Phase::Check, Verdict::Lost) => {
                self.search(now, Search::new(self.floor, size), None, pause);
            }
            (Phase::Raise, Verdict::Passed) if size == self.link_mtu => {
                self.settle(now, size);
                self.rest(pause);
            }
            (Phase::Raise, Verdict::Passed) => {
                self.search(now, Search::new(size, self.link_mtu), None, pause);
            }
            (Phase::Raise, Verdict::TooBig(mtu)) if mtu > self.mtu => {
                self.search(now, Search::new(self.mtu, size), Some(mtu), pause);
            }
            (Phase::Raise, Verdict::Lost) if size == self.link_mtu && size > self.mtu + 1 => {
                self.begin(now, self.mtu + 1);
            }
            (Phase::Raise, Verdict::Lost | Verdict::TooBig(_)) => {
                self.raise_at = now + RAISE;
                self.rest(pause);
            }
            (Phase::Search(search), Verdict::Passed) => {
                let hi = if search.is_doubted { search.from } else { search.hi };
                let next = Search { lo: size, hi, is_doubted: false, ..search };
                self.search(now, next, None, pause);
            }
            (Phase::Search(search), Verdict::Lost) => {
                self.search(now, Search { hi: size, ..search }, None, pause);
            }
            (Phase::Search(search), Verdict::TooBig(mtu)) => {
                self.search(now, Search { hi: size, ..search }, Some(mtu), pause);
            }
        }
    }

    /// Goes on searching, or is done.
    fn search(&mut self, now: Duration, search: Search, said: Option<u16>, pause: Duration) {
        let Search { lo, hi, is_doubted, doubts, .. } = search;
        if hi > lo + 1 {
            self.phase = Phase::Search(search);
            let middle = lo + (hi - lo) / 2;
            self.begin(now, said.filter(|said| (lo + 1..hi).contains(said)).unwrap_or(middle));
        } else if hi > lo && !is_doubted && doubts > 0 {
            let doubts = doubts - 1;
            self.phase = Phase::Search(Search { is_doubted: true, doubts, ..search });
            self.begin(now, hi);
        } else {
            self.settle(now, lo);
            self.rest(pause);
        }
    }

    fn settle(&mut self, now: Duration, mtu: u16) {
        self.mtu = mtu;
        self.is_confirmed = true;
        self.raise_at = now + RAISE;
    }
}
