//! Workers on kernel interfaces that come and go.

use crate::support::{Gateway, Ground, UP0, VM1, frame};
use fwd_worker::Sharing;
use nix::sched::{CloneFlags, unshare};
use rte_rs::{DeviceSpec, LinkState};
use std::process::Command;

#[track_caller]
fn ip(words: &str) {
    let output = Command::new("ip").args(words.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn an_interface_removed_under_a_worker_is_reported_and_the_others_go_on() {
    unshare(CloneFlags::CLONE_NEWNET).expect("tests of kernel interfaces run as root");
    ip("link add up0 type veth peer name far0");
    let ground = Ground::new();
    let veth = |name| DeviceSpec::af_packet(name, name, 1500, 1).unwrap();
    let near = vec![ground.start(&veth("up0")), ground.near("vm1"), ground.near("vm2")];
    let (_far_up0, _queues) = ground.start(&veth("far0"));
    let (mut vm1, mut vm2) = (ground.far("vm1"), ground.far("vm2"));
    let mut gateway = Gateway::start(&ground, 1, Sharing::Shared, near);
    gateway.wait_for_link(UP0, LinkState::Up);
    gateway.wait_for_link(VM1, LinkState::Up);
    gateway.wait(|_| vm1.is_ready());
    gateway.wait(|_| vm2.is_ready());

    ip("link del up0");

    gateway.wait_for_link(UP0, LinkState::Removed);
    for serial in 0..1000 {
        vm1.send(&frame(0xff, 2, None, serial));
        vm2.expect(&frame(0xff, 2, None, serial));
    }
    assert_eq!(gateway.counters().accounting().difference(), 0);
}
