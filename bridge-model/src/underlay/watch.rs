//! A BFD session as a peer's liveness: its packets over UDP (RFC 5881, RFC 5883), and what its state
//! means for the peer.
//!
//! A peer is up from the start. It goes down when an established session fails, or when none could be
//! established for three detection times after the first packet left. `AdminDown` of the peer is a failure
//! too, since nothing else would tell us that it is alive (RFC 5882 section 4.2).

use std::net::IpAddr;
use std::time::Duration;

use super::bfd::{Reaction, SLOW, Session};
use super::random::Random;
use super::view::{BfdView, Hops};
use crate::topology::BfdTimers;
use crate::wire::bfd::{Control, Diagnostic, PORT_MULTIHOP, PORT_SINGLE_HOP, State};
use crate::wire::ip::{Datagram, Header, PROTOCOL_UDP};

/// RFC 5881 section 5: a packet with less has passed a router.
pub(super) const TTL: u8 = 255;
/// CS6, network control (RFC 4594 section 3.1): liveness must not depend on how full the network is.
const DSCP: u8 = 48;
/// Detection times without an established session until a peer is called down.
const PATIENCE: u32 = 3;

/// What a peer's liveness has become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Up,
    Down(Diagnostic),
}

/// The session with one peer.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    session: Session,
    /// Our UDP port, the same for every packet of the session and no other's (RFC 5881 section 4).
    source_port: u16,
    pub(super) hops: Hops,
    peer_is_up: bool,
    /// When a session that never came up counts as failed.
    deadline: Option<Duration>,
    has_sent: bool,
    /// The last packet could not leave, as no next hop was known.
    is_stuck: bool,
    ups: u64,
    last_change: Duration,
}

impl Watch {
    pub(super) fn new(
        now: Duration,
        timers: BfdTimers,
        hops: Hops,
        (discriminator, source_port): (u32, u16),
        random: &mut Random,
    ) -> Self {
        Self {
            session: Session::new(now, timers, discriminator, random),
            source_port,
            hops,
            peer_is_up: true,
            deadline: None,
            has_sent: false,
            is_stuck: false,
            ups: 0,
            last_change: now,
        }
    }

    pub(super) const fn source_port(&self) -> u16 {
        self.source_port
    }

    pub(super) const fn peer_is_up(&self) -> bool {
        self.peer_is_up
    }

    pub(super) const fn session(&self) -> &Session {
        &self.session
    }

    pub(super) fn set_timers(&mut self, now: Duration, timers: BfdTimers, random: &mut Random) {
        self.session.set_timers(now, timers, random);
    }

    pub(super) fn due(&self) -> Option<Duration> {
        [self.session.due(), self.deadline].into_iter().flatten().min()
    }

    /// Whether a packet that came to `port` with this TTL may be for the session. Single hop, it has to
    /// come from the link. A peer that we see behind routers may see us on a link of its own, so both
    /// ports are taken there.
    pub(super) fn admits(&self, port: u16, ttl: u8) -> bool {
        match (self.hops, port) {
            (_, PORT_SINGLE_HOP) => ttl == TTL,
            (Hops::Multi, PORT_MULTIHOP) => true,
            _ => false,
        }
    }

    pub(super) fn received(
        &mut self,
        now: Duration,
        packet: &Control,
        random: &mut Random,
    ) -> (Option<Control>, Option<Verdict>) {
        let reaction = self.session.received(now, packet, random);
        self.react(now, reaction)
    }

    pub(super) fn tick(
        &mut self,
        now: Duration,
        random: &mut Random,
    ) -> (Option<Control>, Option<Verdict>) {
        let reaction = self.session.tick(now, random);
        let (send, mut verdict) = self.react(now, reaction);
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.deadline = None;
            if self.peer_is_up {
                self.peer_is_up = false;
                verdict = Some(Verdict::Down(Diagnostic::TIME_EXPIRED));
            }
        }
        (send, verdict)
    }

    fn react(&mut self, now: Duration, reaction: Reaction) -> (Option<Control>, Option<Verdict>) {
        let Reaction { send, left } = reaction;
        let Some(left) = left else { return (send, None) };
        self.last_change = now;
        if self.session.state() == State::Up {
            self.ups += 1;
            self.deadline = None;
            self.peer_is_up = true;
            return (send, Some(Verdict::Up));
        }
        let fell = left == State::Up && self.peer_is_up;
        if fell {
            self.peer_is_up = false;
        }
        (send, fell.then(|| Verdict::Down(self.session.diagnostic())))
    }

    /// A packet has left, or could not.
    pub(super) fn sent(&mut self, now: Duration, has_left: bool) {
        self.is_stuck = !has_left;
        if has_left && !self.has_sent {
            self.has_sent = true;
            if self.session.state() != State::Up {
                let timers = self.session.timers();
                let detection = timers.interval.max(SLOW) * u32::from(timers.multiplier);
                self.deadline = Some(now + detection * PATIENCE);
            }
        }
    }

    /// A next hop has become known. True if the session had waited for it.
    pub(super) fn wake(&mut self, now: Duration) -> bool {
        if self.is_stuck {
            self.is_stuck = false;
            self.session.wake(now);
            return true;
        }
        false
    }

    /// Gives the session up; its next packet, which is due, says so.
    pub(super) fn give_up(&mut self, now: Duration, random: &mut Random) {
        self.admin_down(now, random);
        self.session.wake(now);
    }

    /// Gives the session up. The packet that says so.
    pub(super) fn admin_down(&mut self, now: Duration, random: &mut Random) -> Control {
        self.last_change = now;
        self.deadline = None;
        self.session.admin_down(now, random)
    }

    /// The IP packet that carries a control packet.
    pub(super) fn packet(
        &self,
        (local, remote): (IpAddr, IpAddr),
        control: &Control,
    ) -> Option<Vec<u8>> {
        let port = match self.hops {
            Hops::Single => PORT_SINGLE_HOP,
            Hops::Multi => PORT_MULTIHOP,
        };
        let ports = (self.source_port, port);
        let datagram = Datagram::build((local, remote), ports, &control.build(), true)?;
        let mut header = Header::new(local, remote, PROTOCOL_UDP, TTL);
        header.dscp = DSCP;
        header.packet(&datagram)
    }

    pub(super) fn view(&self) -> BfdView {
        let (remote_state, remote_diagnostic) = self.session.remote();
        let (local_discriminator, remote_discriminator) = self.session.discriminators();
        BfdView {
            state: self.session.state(),
            diagnostic: self.session.diagnostic(),
            remote_state,
            remote_diagnostic,
            hops: self.hops,
            local_discriminator,
            remote_discriminator,
            transmit_interval: self.session.interval(),
            detection_time: self.session.detection_time(),
            ups: self.ups,
            last_change: self.last_change,
            peer_is_up: self.peer_is_up,
        }
    }
}
