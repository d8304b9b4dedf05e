//! Starting, watching, changing and stopping workers.

use crate::support::{Gateway, Ground, UP0, VM1, frame};
use fwd_worker::{PortPlan, Sharing, distribute};
use rte_rs::LinkState;
use std::time::{Duration, Instant};

#[track_caller]
fn check_sleep(sharing: Sharing, sleeps: bool) {
    let ground = Ground::new();
    let (mut gateway, _far) = Gateway::with_links(&ground, 1, sharing);

    gateway.wait(|gateway| gateway.workers[0].observe().turns > 5000);

    let seen = gateway.workers[0].observe();
    assert_eq!((seen.naps > 0, seen.slept_ticks > 0), (sleeps, sleeps), "{seen:?}");
    assert!(seen.idle_ticks > 0);
}

#[test]
fn a_dedicated_worker_never_sleeps() {
    check_sleep(Sharing::Dedicated, false);
}

#[test]
fn a_sharing_worker_sleeps_when_nothing_comes() {
    check_sleep(Sharing::Shared, true);
}

#[test]
fn a_worker_shows_that_it_lives_and_what_its_time_went_into() {
    let ground = Ground::new();
    let (mut gateway, mut far) = Gateway::with_links(&ground, 1, Sharing::Dedicated);
    let first = gateway.workers[0].observe();

    far[0].send(&frame(0xff, 1, Some(10), 1));
    far[1].expect(&frame(0xff, 1, None, 1));
    gateway.wait(|gateway| gateway.workers[0].observe().busy_ticks > first.busy_ticks);

    let later = gateway.workers[0].observe();
    assert!(later.alive_at > first.alive_at && later.turns > first.turns);
    assert!(!gateway.workers[0].nudge(rte_rs::ticks_per_second(&ground.eal)));
    assert!(!gateway.workers[0].is_finished());
}

#[test]
fn workers_stop_within_a_fraction_of_a_second_under_load() {
    let ground = Ground::new();
    let (mut gateway, mut far) = Gateway::with_links(&ground, 2, Sharing::Shared);
    for serial in 0..2000 {
        far[0].send(&frame(0xff, 1, Some(10), serial));
        if serial % 16 == 0 {
            for one in &mut far {
                drop(one.receive());
            }
        }
    }

    let asked = Instant::now();
    let stopped = gateway.stop();

    assert!(asked.elapsed() < Duration::from_secs(2), "took {:?}", asked.elapsed());
    assert_eq!(gateway.counters().accounting().difference(), 0);
    drop(stopped);
    for device in gateway.devices.iter_mut().flatten() {
        device.stop().unwrap();
    }
}

#[test]
fn a_device_can_be_taken_from_running_workers_and_another_given() {
    let ground = Ground::new();
    let (mut gateway, mut far) = Gateway::with_links(&ground, 2, Sharing::Shared);
    far[0].send(&frame(0xff, 1, Some(10), 1));
    far[1].expect(&frame(0xff, 1, None, 1));

    // Take vm1 from every worker; its device stops once all shares are back.
    for worker in 0..gateway.workers.len() {
        assert!(gateway.workers[worker].detach(VM1));
        gateway.wait(|gateway| gateway.workers[worker].reclaim().is_some());
    }
    gateway.devices[1].take().unwrap().stop().unwrap();
    let [mut up0, old, _vm2] = far;
    drop(old);
    gateway.monitor.note(VM1, LinkState::Removed);

    // Plug it again and hand it out anew.
    let (device, queues) = ground.near("vm1");
    let mut vm1 = ground.far("vm1");
    gateway.devices[1] = Some(device);
    let shares = distribute(2, vec![PortPlan { interface: VM1, queues }]);
    for (worker, share) in gateway.workers.iter_mut().zip(shares) {
        for attachment in share.into_attachments() {
            worker.attach(attachment).unwrap();
        }
    }
    gateway.wait_for_link(VM1, LinkState::Up);
    gateway.wait(|_| vm1.is_ready());
    up0.send(&frame(0xff, 1, Some(10), 2));
    vm1.expect(&frame(0xff, 1, None, 2));
    vm1.send(&frame(0xff, 2, None, 3));
    up0.expect(&frame(0xff, 2, Some(10), 3));
    assert_eq!(gateway.monitor.state(UP0), LinkState::Up);
}

/// A measurement: `cargo nextest run --release -p fwd-worker --run-ignored only --no-capture`.
#[test]
#[ignore = "needs a quiet machine: cargo nextest run --release -p fwd-worker --run-ignored only"]
fn a_frame_that_wakes_a_sleeping_worker_waits_less_than_100_us() {
    let ground = Ground::new();
    let (mut gateway, mut far) = Gateway::with_links(&ground, 1, Sharing::Shared);
    let [up0, vm1, _] = &mut far;
    let mut took: Vec<Duration> = (0..2000)
        .map(|serial| {
            // Long enough for the worker to fall asleep.
            std::thread::sleep(Duration::from_micros(700));
            let sent = Instant::now();
            up0.send(&frame(0xff, 1, Some(10), serial));
            vm1.expect(&frame(0xff, 1, None, serial));
            sent.elapsed()
        })
        .collect();
    took.sort();

    let percentile = |share: usize| took[took.len() * share / 100];
    println!("median {:?}, 90 % {:?}, 99 % {:?}", percentile(50), percentile(90), percentile(99));
    assert!(gateway.workers[0].observe().naps > 1000);
    assert!(percentile(50) < Duration::from_micros(100), "median {:?}", percentile(50));
    gateway.stop();
}
