//! Answers to pings (RFC 792, RFC 4443 section 4.2), so that an endpoint can be checked with what every
//! operator has at hand, and peers can find their path MTU.

use std::time::Duration;

use crate::wire::icmp;
use crate::wire::ip::{Packet, is_station};

/// At most one answer in this time on average: 1000 a second.
const INTERVAL: Duration = Duration::from_millis(1);
/// So many may be answered at once: a burst of [`INTERVAL`]s.
const BURST: Duration = Duration::from_millis(100);

/// One for peers, one for everybody else.
#[derive(Clone, Debug, Default)]
pub(super) struct Responders {
    peers: Responder,
    others: Responder,
}

impl Responders {
    pub(super) const fn of(&mut self, is_peer: bool) -> &mut Responder {
        if is_peer { &mut self.peers } else { &mut self.others }
    }
}

/// The rate limit of answers, as a virtual clock (GCRA): when the last one would have been answered, had
/// they come evenly.
#[derive(Clone, Debug, Default)]
pub(super) struct Responder {
    clock: Duration,
}

impl Responder {
    /// The packet that answers a request with `data`, unless there were too many.
    pub(super) fn answer(
        &mut self,
        now: Duration,
        request: &Packet<'_>,
        id: u32,
        data: &[u8],
    ) -> Option<Vec<u8>> {
        if !is_station(request.source) {
            return None;
        }
        let clock = self.clock.max(now) + INTERVAL;
        if clock > now + BURST {
            return None;
        }
        self.clock = clock;
        icmp::echo((request.destination, request.source), true, id, data)
    }
}
