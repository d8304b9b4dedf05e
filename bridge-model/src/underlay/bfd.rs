//! A BFD session (RFC 5880 section 6.8) in asynchronous mode, active role, without authentication and
//! without the echo function. It honours a peer in demand mode. Names are those of section 6.8.1.
//!
//! ```text
//!            heard Down                heard Init, Up
//!      .---------------> Init ---------------------------.
//!      |                  |  silence, AdminDown           v
//!     Down <--------------'----------------------------- Up
//!      |          heard Down, AdminDown; silence          ^
//!      `--------------------------------------------------'
//!            heard Init
//! ```
//!
//! A change of our intervals is agreed by a poll sequence (section 6.8.3). What the peer has to know
//! first - that we send less often, or want to hear more often - is not acted on before its end.

use std::time::Duration;

use super::random::Random;
use crate::topology::BfdTimers;
use crate::wire::bfd::{Control, Diagnostic, State};

/// The least `bfd.DesiredMinTxInterval` of a session that is not up (section 6.8.3).
pub(super) const SLOW: Duration = Duration::from_secs(1);
/// Whatever is configured: time passes between two packets.
const LEAST: Duration = Duration::from_millis(1);
/// The first packets of sessions that begin together are spread over this.
const FIRST: Duration = Duration::from_millis(100);

/// A poll sequence (section 6.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Poll {
    /// None, and none is needed.
    Idle,
    /// Packets carry P until one with F is heard.
    Running {
        /// One with P has been sent, so that an answer means what it said.
        is_sent: bool,
        /// The intervals changed since: another sequence has to follow.
        again: bool,
    },
    /// F was heard. The next sequence has to wait for a packet without F, or its answer could be taken
    /// for another one (section 6.8.3).
    Settling {
        /// The intervals have changed since.
        again: bool,
    },
}

/// What a session wants after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Reaction {
    /// A packet to send.
    pub(super) send: Option<Control>,
    /// The state has changed, from this one.
    pub(super) left: Option<State>,
}

/// One side of a session.
#[derive(Clone, Debug)]
pub(super) struct Session {
    state: State,
    diagnostic: Diagnostic,
    local_discriminator: u32,
    remote_discriminator: u32,
    remote_state: State,
    remote_diagnostic: Diagnostic,
    remote_is_on_demand: bool,
    /// What is configured.
    timers: BfdTimers,
    /// What we say: `bfd.DesiredMinTxInterval` and `bfd.RequiredMinRxInterval`.
    said: Intervals,
    /// What we act on; differs from what we say until a poll sequence ends.
    used: Intervals,
    poll: Poll,
    remote_min_rx: Duration,
    remote_desired_tx: Duration,
    remote_multiplier: u8,
    /// When a packet was taken last; `None` before the first, and after the detection time.
    heard: Option<Duration>,
    /// When a packet was sent last, and when the next is due.
    sent: Option<Duration>,
    next: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Intervals {
    min_tx: Duration,
    min_rx: Duration,
}

impl Session {
    pub(super) fn new(
        now: Duration,
        timers: BfdTimers,
        local_discriminator: u32,
        random: &mut Random,
    ) -> Self {
        let said = Intervals { min_tx: timers.interval.max(SLOW), min_rx: timers.interval };
        Self {
            state: State::Down,
            diagnostic: Diagnostic::NONE,
            local_discriminator,
            remote_discriminator: 0,
            remote_state: State::Down,
            remote_diagnostic: Diagnostic::NONE,
            remote_is_on_demand: false,
            timers,
            said,
            used: said,
            poll: Poll::Idle,
            remote_min_rx: Duration::from_micros(1),
            remote_desired_tx: Duration::ZERO,
            remote_multiplier: 0,
            heard: None,
            sent: None,
            next: Some(now + random.share(FIRST, 0..=100)),
        }
    }

    pub(super) const fn state(&self) -> State {
        self.state
    }

    pub(super) const fn diagnostic(&self) -> Diagnostic {
        self.diagnostic
    }

    pub(super) const fn remote(&self) -> (State, Diagnostic) {
        (self.remote_state, self.remote_diagnostic)
    }

    pub(super) const fn discriminators(&self) -> (u32, u32) {
        (self.local_discriminator, self.remote_discriminator)
    }

    pub(super) const fn timers(&self) -> BfdTimers {
        self.timers
    }

    /// When [`Self::tick`] has something to do.
    pub(super) fn due(&self) -> Option<Duration> {
        [self.next, self.expiry()].into_iter().flatten().min()
    }

    /// Between two of our packets, before jitter (section 6.8.7).
    pub(super) fn interval(&self) -> Duration {
        self.used.min_tx.max(self.remote_min_rx).max(LEAST)
    }

    /// After which silence the peer is gone (section 6.8.4). `None` if it has not been heard.
    pub(super) fn detection_time(&self) -> Option<Duration> {
        self.heard?;
        Some(self.used.min_rx.max(self.remote_desired_tx) * u32::from(self.remote_multiplier))
    }

    fn expiry(&self) -> Option<Duration> {
        Some(self.heard? + self.detection_time()?)
    }

    /// Whether packets are sent periodically (section 6.8.7): not if the peer wants none, or is in
    /// demand mode while both are up and there is nothing to ask.
    fn is_periodic(&self) -> bool {
        let both_up = self.state == State::Up && self.remote_state == State::Up;
        let is_quiet = self.remote_is_on_demand && both_up;
        let polls = matches!(self.poll, Poll::Running { .. });
        !self.remote_min_rx.is_zero() && (!is_quiet || polls)
    }

    /// Sets the time of the next packet after the interval or the reason for one has changed: counted
    /// from the last packet, so that a shorter interval counts at once (section 6.8.3).
    fn reschedule(&mut self, now: Duration, random: &mut Random) {
        self.next = self.is_periodic().then(|| {
            let last = self.sent.unwrap_or(now);
            (last + self.jittered(random)).max(now)
        });
    }

    /// 75 to 100 % of the interval, or 90 % at most if one lost packet already counts.
    fn jittered(&self, random: &mut Random) -> Duration {
        let most = if self.timers.multiplier == 1 { 90 } else { 100 };
        random.share(self.interval(), 75..=most)
    }

    /// New timers are configured.
    pub(super) fn set_timers(&mut self, now: Duration, timers: BfdTimers, random: &mut Random) {
        if self.timers != timers {
            self.timers = timers;
            self.say();
            self.reschedule(now, random);
        }
    }

    /// Brings what we say in line with configuration and state, and begins a poll sequence if that
    /// changed it (section 6.8.3).
    fn say(&mut self) {
        let is_up = self.state == State::Up;
        let min_rx = self.timers.interval;
        let min_tx = if is_up { min_rx } else { min_rx.max(SLOW) };
        let said = Intervals { min_tx, min_rx };
        if said != self.said {
            self.said = said;
            self.poll = match self.poll {
                Poll::Idle | Poll::Running { is_sent: false, .. } => {
                    Poll::Running { is_sent: false, again: false }
                }
                Poll::Running { is_sent: true, .. } => Poll::Running { is_sent: true, again: true },
                Poll::Settling { .. } => Poll::Settling { again: true },
            };
        }
        if is_up {
            self.used.min_tx = self.used.min_tx.min(said.min_tx);
            self.used.min_rx = self.used.min_rx.max(said.min_rx);
        } else {
            self.used = said;
        }
    }

    /// The part of section 6.8.6 about F, and the pause between two poll sequences.
    fn follow_poll(&mut self, is_final: bool) {
        self.poll = match self.poll {
            Poll::Running { is_sent: true, again } if is_final => {
                if !again {
                    self.used = self.said;
                }
                Poll::Settling { again }
            }
            Poll::Settling { again } if !is_final => {
                if again {
                    Poll::Running { is_sent: false, again: false }
                } else {
                    Poll::Idle
                }
            }
            other => other,
        };
    }

    /// A packet that belongs to this session was received (section 6.8.6, after the selection of the
    /// session).
    pub(super) fn received(
        &mut self,
        now: Duration,
        packet: &Control,
        random: &mut Random,
    ) -> Reaction {
        let before = (self.interval(), self.is_periodic());
        self.remote_discriminator = packet.my_discriminator;
        self.remote_state = packet.state;
        self.remote_diagnostic = packet.diagnostic;
        self.remote_is_on_demand = packet.demand;
        self.remote_min_rx = micros(packet.required_min_rx_us);
        self.remote_desired_tx = micros(packet.desired_min_tx_us);
        self.remote_multiplier = packet.detect_multiplier;
        self.follow_poll(packet.is_final);
        if self.state == State::AdminDown {
            return Reaction::default();
        }
        self.heard = Some(now);
        let left = self.state;
        match (self.state, packet.state) {
            (State::Down, State::Down) => self.state = State::Init,
            (State::Down, State::Init) | (State::Init, State::Init | State::Up) => {
                self.state = State::Up;
            }
            (State::Init | State::Up, State::AdminDown) | (State::Up, State::Down) => {
                self.diagnostic = Diagnostic::NEIGHBOR_DOWN;
                self.state = State::Down;
            }
            (State::Down, State::AdminDown | State::Up)
            | (State::Init, State::Down)
            | (State::Up, State::Init | State::Up)
            | (State::AdminDown, _) => {}
        }
        let is_changed = left != self.state;
        if is_changed {
            self.say();
        }
        let send = if packet.poll {
            Some(self.packet(true))
        } else if is_changed && !self.remote_min_rx.is_zero() {
            Some(self.next_packet(now))
        } else {
            None
        };
        if is_changed || before != (self.interval(), self.is_periodic()) {
            self.reschedule(now, random);
        }
        Reaction { send, left: is_changed.then_some(left) }
    }

    /// The timer has run out.
    pub(super) fn tick(&mut self, now: Duration, random: &mut Random) -> Reaction {
        let left = self.state;
        let mut is_due = self.next.is_some_and(|next| next <= now);
        if self.expiry().is_some_and(|expiry| expiry <= now) {
            self.heard = None;
            // Section 6.8.1: who is silent that long may come back as another.
            self.remote_discriminator = 0;
            if matches!(left, State::Init | State::Up) {
                self.diagnostic = Diagnostic::TIME_EXPIRED;
                self.state = State::Down;
                self.say();
                is_due |= !self.remote_min_rx.is_zero();
            }
        }
        let send = is_due.then(|| self.next_packet(now));
        if is_due || left != self.state {
            self.reschedule(now, random);
        }
        Reaction { send, left: (left != self.state).then_some(left) }
    }

    /// The session is given up (section 6.8.16): it says so from now on, and hears nothing any more.
    pub(super) fn admin_down(&mut self, now: Duration, random: &mut Random) -> Control {
        self.state = State::AdminDown;
        self.diagnostic = Diagnostic::ADMIN_DOWN;
        self.heard = None;
        self.say();
        let packet = self.next_packet(now);
        self.reschedule(now, random);
        packet
    }

    /// How long a peer that hears nothing any more takes to notice: for so long it is told that the
    /// session is given up.
    pub(super) fn farewell(&self) -> Duration {
        self.interval() * u32::from(self.timers.multiplier)
    }

    /// What kept packets from leaving is over: a session that is not up goes on at once.
    pub(super) fn wake(&mut self, now: Duration) {
        if self.state != State::Up && self.next.is_some() {
            self.next = Some(now);
        }
    }

    /// A packet of ours that is no answer.
    fn next_packet(&mut self, now: Duration) -> Control {
        self.sent = Some(now);
        if let Poll::Running { is_sent, .. } = &mut self.poll {
            *is_sent = true;
        }
        self.packet(false)
    }

    fn packet(&self, is_final: bool) -> Control {
        Control {
            diagnostic: self.diagnostic,
            state: self.state,
            poll: !is_final && matches!(self.poll, Poll::Running { .. }),
            is_final,
            control_plane_independent: false,
            demand: false,
            detect_multiplier: self.timers.multiplier,
            my_discriminator: self.local_discriminator,
            your_discriminator: self.remote_discriminator,
            desired_min_tx_us: micros_of(self.said.min_tx),
            required_min_rx_us: micros_of(self.said.min_rx),
            required_min_echo_rx_us: 0,
        }
    }
}

const fn micros(us: u32) -> Duration {
    Duration::from_micros(us as u64)
}

fn micros_of(interval: Duration) -> u32 {
    u32::try_from(interval.as_micros()).unwrap_or(u32::MAX)
}
