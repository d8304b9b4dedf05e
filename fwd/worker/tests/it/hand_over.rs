//! Frames on their way from one worker to another that has the only transmit queue.

use crate::support::{Far, Gateway, Ground, UP0, VM1, frame};
use bridge_model::reason::DropReason;
use fwd::counters::{Owner, PortSnapshot};
use fwd_worker::Sharing;
use rte_rs::LinkState;

/// What fills a hand-over ring.
const RING: u64 = 512;
/// What fills a memif device.
const DEVICE: u64 = 1024;

impl Gateway {
    /// Frames between two workers. (These are read one after the other.)
    fn waiting(&self) -> u64 {
        let sum = self.counters().accounting();
        sum.handed_over.saturating_sub(sum.taken_over)
    }

    /// The counters of the access port on VM1, of all workers.
    fn p1(&self) -> PortSnapshot {
        let slot = self.slots.find(&Owner::Port("p1".parse().unwrap())).unwrap();
        self.counters().port(slot)
    }

    /// As [`wait`](Gateway::wait), without a look at the links.
    #[track_caller]
    fn wait_blind(&self, done: impl Fn(&Self) -> bool) {
        let deadline = std::time::Instant::now() + crate::support::PATIENCE;
        while !done(self) {
            assert!(std::time::Instant::now() < deadline, "waited in vain");
            std::thread::yield_now();
        }
    }

    /// Every frame has one end, and those counted as sent have arrived: `arrived` at VM1, `others`
    /// elsewhere.
    #[track_caller]
    fn assert_every_frame_has_one_end(&self, arrived: u64, others: u64) {
        let sum = self.counters().accounting();
        assert_eq!(sum.difference(), 0);
        assert_eq!(sum.handed_over, sum.taken_over, "no frame waits");
        let ends = sum.sent + sum.consumed + sum.dropped;
        assert_eq!(sum.received + sum.originated + sum.copied, ends, "{sum:?}");
        assert_eq!((self.p1().tx.frames, self.p1().tx.octets), (arrived, arrived * 96));
        assert_eq!(sum.sent, arrived + others);
    }
}

/// Two workers and a full link of VM1, whose frames come from the worker that does not send there.
#[track_caller]
fn congested(ground: &Ground) -> (Gateway, [Far; 3]) {
    let (mut gateway, mut far) = Gateway::with_links(ground, 2, Sharing::Shared);
    let [up0, vm1, _] = &mut far;
    vm1.send(&frame(0xff, 2, None, 0));
    up0.expect(&frame(0xff, 2, Some(10), 0));
    gateway.wait(|gateway| gateway.learner.statistics().entries >= 1);
    // Nobody collects at vm1.
    let mut offered = 1;
    gateway.wait(|gateway| {
        offered += 1;
        up0.send(&frame(2, 1, Some(10), 0));
        gateway.waiting() >= RING && gateway.p1().tx.frames == DEVICE
    });
    gateway.wait(|gateway| gateway.counters().accounting().received == offered);
    assert_eq!(gateway.counters().accounting().difference(), 0, "what waits is accounted for");
    (gateway, far)
}

/// Sends more and waits until all that was sent has been received.
#[track_caller]
fn offer(gateway: &mut Gateway, up0: &mut Far, frames: u64) {
    let before = gateway.counters().accounting().received;
    for _ in 0..frames {
        up0.send(&frame(2, 1, Some(10), 0));
    }
    gateway.wait(|gateway| gateway.counters().accounting().received == before + frames);
}

/// Everything that has come and still comes.
fn collect(far: &mut Far) -> u64 {
    let mut arrived = 0;
    loop {
        match far.receive().len() as u64 {
            0 => return arrived,
            more => arrived += more,
        }
    }
}

#[test]
fn frames_handed_over_for_a_link_that_goes_down_end_as_dropped() {
    let ground = Ground::new();
    let (mut gateway, [_up0, mut vm1, _vm2]) = congested(&ground);
    let (waiting, sent) = (gateway.waiting(), gateway.p1().tx.frames);

    gateway.monitor.note(VM1, LinkState::Down);
    gateway.wait_blind(|gateway| gateway.waiting() == 0);

    assert_eq!(gateway.dropped(DropReason::TxLinkDown), waiting);
    assert_eq!(gateway.p1().drops[DropReason::TxLinkDown.index()], waiting, "of the egress port");
    assert_eq!(gateway.p1().tx.frames, sent);
    gateway.assert_every_frame_has_one_end(collect(&mut vm1), 2);
}

#[test]
fn frames_handed_over_to_a_worker_that_stops_end_as_dropped() {
    let ground = Ground::new();
    let (mut gateway, [_up0, mut vm1, _vm2]) = congested(&ground);
    let before = ground.pool.available();
    let waiting = gateway.waiting();

    let stopped = gateway.stop();

    assert_eq!(gateway.p1().drops[DropReason::Shutdown.index()], waiting);
    let lost: u64 = stopped.iter().map(|worker| worker.observation.hand_over_lost).sum();
    assert_eq!(lost, waiting);
    gateway.assert_every_frame_has_one_end(collect(&mut vm1), 2);
    assert!(ground.pool.available() >= before + u32::try_from(waiting).unwrap());
}

/// VM1's queue is the second worker's.
#[track_caller]
fn check_taken_away(order: [usize; 2]) {
    let ground = Ground::new();
    let (mut gateway, [mut up0, mut vm1, _vm2]) = congested(&ground);

    for worker in order {
        assert!(gateway.workers[worker].detach(VM1));
        gateway.wait(|gateway| gateway.workers[worker].reclaim().is_some());
        offer(&mut gateway, &mut up0, 100);
    }
    gateway.wait(|gateway| gateway.waiting() == 0);

    assert!(gateway.dropped(DropReason::TxLinkDown) >= RING);
    gateway.assert_every_frame_has_one_end(collect(&mut vm1), 2);
    assert_eq!(gateway.monitor.state(UP0), LinkState::Up);
}

#[test]
fn frames_handed_over_for_a_device_that_its_owner_gives_up_first_end_as_dropped() {
    check_taken_away([1, 0]);
}

#[test]
fn frames_handed_over_for_a_device_that_its_owner_gives_up_last_end_as_dropped() {
    check_taken_away([0, 1]);
}

#[test]
fn frames_handed_over_to_a_worker_that_has_ended_alone_end_as_dropped() {
    let ground = Ground::new();
    let (mut gateway, [mut up0, mut vm1, _vm2]) = congested(&ground);

    let alone = gateway.workers.remove(1).stop().expect("the worker ended well");
    offer(&mut gateway, &mut up0, 100);
    let stopped = gateway.stop();

    assert!(gateway.dropped(DropReason::Shutdown) >= RING);
    gateway.assert_every_frame_has_one_end(collect(&mut vm1), 2);
    drop((alone, stopped));
}
