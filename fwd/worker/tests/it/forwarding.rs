//! Frames through whole workers.

use crate::support::{Far, Gateway, Ground, UP0, VM1, VM2, frame};
use bridge_model::reason::DropReason;
use bridge_model::types::{Fid, MemberId};
use fwd::counters::PortSlot;
use fwd_worker::Sharing;
use rte_rs::LinkState;

/// Makes both stations known, and the trunk's station behind VID 10.
#[track_caller]
fn introduce(gateway: &mut Gateway, [up0, vm1, vm2]: &mut [Far; 3]) {
    up0.send(&frame(0xff, 1, Some(10), 0));
    vm1.expect(&frame(0xff, 1, None, 0));
    vm2.expect(&frame(0xff, 1, None, 0));
    gateway.wait(|gateway| gateway.learner.statistics().entries >= 1);
    vm1.send(&frame(1, 2, None, 0));
    up0.expect(&frame(1, 2, Some(10), 0));
    gateway.wait(|gateway| gateway.learner.statistics().entries >= 2);
}

#[track_caller]
fn both_ways(workers: usize) {
    let ground = Ground::new();
    let (mut gateway, mut far) = Gateway::with_links(&ground, workers, Sharing::Shared);
    let before = ground.pool.available();
    introduce(&mut gateway, &mut far);
    let [up0, vm1, vm2] = &mut far;

    for serial in 1..200 {
        up0.send(&frame(2, 1, Some(10), serial));
        vm1.expect(&frame(2, 1, None, serial));
        vm1.send(&frame(1, 2, None, serial));
        up0.expect(&frame(1, 2, Some(10), serial));
    }

    assert_eq!(vm2.receive(), Vec::<Vec<u8>>::new(), "known unicast goes to one port");
    let stopped = gateway.stop();
    assert_eq!(stopped.len(), workers);
    assert!(stopped.iter().all(|worker| worker.observation.hand_over_lost == 0));
    let accounting = gateway.counters().accounting();
    assert_eq!((accounting.difference(), accounting.received), (0, 400));
    assert_eq!(accounting.sent, 400 + 1, "the broadcast went to two ports");
    assert!(ground.pool.available() >= before, "no buffer is lost");
    drop(stopped);
}

#[test]
fn frames_cross_between_a_trunk_and_an_access_port_with_their_tag_changed() {
    both_ways(1);
}

#[test]
fn workers_that_share_single_queue_devices_hand_frames_to_the_queues_owner() {
    both_ways(2);
}

#[test]
fn three_workers_share_three_devices() {
    both_ways(3);
}

#[test]
fn frames_for_a_dead_link_are_counted_as_such() {
    let ground = Ground::new();
    let (mut gateway, mut far) = Gateway::with_links(&ground, 1, Sharing::Shared);
    introduce(&mut gateway, &mut far);
    let [mut up0, vm1, _vm2] = far;

    drop(vm1);
    gateway.wait_for_link(VM1, LinkState::Down);
    for serial in 0..50 {
        up0.send(&frame(2, 1, Some(10), serial));
    }

    gateway.wait(|gateway| gateway.dropped(DropReason::TxLinkDown) == 50);
    assert_eq!(gateway.counters().accounting().difference(), 0);
}

#[test]
fn a_full_device_costs_frames_and_never_the_worker() {
    let ground = Ground::new();
    let (mut gateway, mut far) = Gateway::with_links(&ground, 1, Sharing::Shared);
    introduce(&mut gateway, &mut far);
    let [up0, vm1, _] = &mut far;

    // Nobody collects at vm1, whose ring holds 1024.
    for serial in 0..3000 {
        up0.send(&frame(2, 1, Some(10), serial));
    }

    gateway.wait(|gateway| gateway.counters().accounting().received >= 3002);
    assert!(gateway.dropped(DropReason::TxFull) > 1000);
    assert_eq!(gateway.counters().accounting().difference(), 0);
    while !vm1.receive().is_empty() {}
    vm1.send(&frame(1, 2, None, 7));
    up0.expect(&frame(1, 2, Some(10), 7));
}

#[test]
fn frames_of_the_control_plane_leave_unchanged_and_are_accounted_for() {
    let ground = Ground::new();
    let (mut gateway, mut far) = Gateway::with_links(&ground, 2, Sharing::Shared);
    let lldp = [&[0x01, 0x80, 0xc2, 0, 0, 0x0e][..], &[0x5a; 80]].concat();

    for worker in &mut gateway.workers {
        let mut originator = worker.take_originator().unwrap();
        assert!(worker.take_originator().is_none());
        for interface in [UP0, VM1, VM2] {
            originator.send(interface, PortSlot::UNATTRIBUTED, &lldp).unwrap();
        }
    }

    for one in &mut far {
        one.expect(&lldp);
        one.expect(&lldp);
    }
    gateway.stop();
    let accounting = gateway.counters().accounting();
    assert_eq!((accounting.originated, accounting.sent, accounting.difference()), (6, 6, 0));
}

#[test]
fn a_frame_for_one_place_of_a_bridge_leaves_as_that_place_wants_it() {
    let ground = Ground::new();
    let (mut gateway, mut far) = Gateway::with_links(&ground, 1, Sharing::Shared);
    let mut originator = gateway.workers[0].take_originator().unwrap();
    // The only bridge is the first domain, and its three places are its first members.
    for member in 1..=3 {
        originator.inject(Fid(1), MemberId(member), &frame(2, 1, None, 7)).unwrap();
    }
    originator.inject(Fid(1), MemberId(9), &frame(2, 1, None, 8)).unwrap();

    let [up0, vm1, vm2] = &mut far;
    up0.expect(&frame(2, 1, Some(10), 7));
    vm1.expect(&frame(2, 1, None, 7));
    vm2.expect(&frame(2, 1, None, 7));
    gateway.wait(|gateway| gateway.dropped(DropReason::NoDestination) == 1);
    gateway.stop();
    let accounting = gateway.counters().accounting();
    assert_eq!((accounting.originated, accounting.sent, accounting.difference()), (4, 3, 0));
}

#[test]
fn control_frames_reach_the_control_plane() {
    let ground = Ground::new();
    let (mut gateway, mut far) = Gateway::with_links(&ground, 1, Sharing::Shared);
    let lldp =
        [&[0x01, 0x80, 0xc2, 0, 0, 0x0e, 2, 0, 0, 0, 0, 1, 0x88, 0xcc][..], &[0; 50]].concat();

    far[0].send(&lldp);

    gateway.wait(|gateway| !gateway.punts[0].is_empty());
    let punt = gateway.punts[0].pop().unwrap();
    assert_eq!((&punt.bytes[..], punt.interface), (&lldp[..], UP0));
}

#[test]
fn no_frame_is_lost_while_images_change() {
    let ground = Ground::new();
    let (mut gateway, mut far) = Gateway::with_links(&ground, 1, Sharing::Shared);
    introduce(&mut gateway, &mut far);
    let [up0, vm1, _] = &mut far;

    for serial in 1..500 {
        gateway.republish();
        up0.send(&frame(2, 1, Some(10), serial));
        vm1.expect(&frame(2, 1, None, serial));
        gateway.turn();
    }

    gateway.wait(|gateway| gateway.publisher.is_quiescent());
    assert_eq!(gateway.counters().accounting().dropped, 0);
}
