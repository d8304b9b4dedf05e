//! A world for one test: its network namespace, its folders, its frames.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use arrayvec::ArrayVec;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use pmd_config::bring_up::{self, Running, StartError, Started};
use pmd_config::check::{Report, check};
use pmd_config::node::NodeFile;
use pmd_config::probe::{Environment, Host, Root};
use rte_rs::{BURST, Mbuf};

/// Longer than any of these tests waits for anything on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Moves the calling thread, and what it starts from now on, to a network namespace of its own, with
/// the `/sys` that belongs to it.
pub(crate) fn enter_new_netns() {
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).expect("these tests run as root");
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
    mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), none).unwrap();
    ip("link set lo up");
}

/// Runs `ip` with these words.
#[track_caller]
pub(crate) fn ip(words: &str) {
    let output = Command::new("ip").args(words.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A node file that keeps everything in `folder`.
pub(crate) fn node(folder: &Path, interfaces: &str) -> NodeFile {
    let folder = folder.display();
    let mut text = format!("name = \"gw-a\"\nstate = \"{folder}/state\"\n");
    writeln!(text, "[control]\nsocket = \"{folder}/run/sluiced.sock\"\n{interfaces}").unwrap();
    NodeFile::parse("sluice.toml", &text).unwrap_or_else(|errors| panic!("{errors}"))
}

#[track_caller]
pub(crate) fn start(node: &NodeFile) -> Started {
    match bring_up::start(node, &Environment::default()) {
        Ok(started) => started,
        Err(error) => panic!("{error}"),
    }
}

#[track_caller]
pub(crate) fn refused(node: &NodeFile) -> StartError {
    match bring_up::start(node, &Environment::default()) {
        Err(error) => error,
        Ok(_) => panic!("started"),
    }
}

pub(crate) fn look(node: &NodeFile) -> Report {
    check(node, &Host::probe(&Root::default(), &Environment::default()))
}

/// A frame of our own: locally administered source, experimental `EtherType`, `number` in front.
pub(crate) fn frame(number: u8, octets: usize) -> Vec<u8> {
    let mut frame =
        vec![0x02, 0, 0, 0, 0, 1, 0x02, b'S', b'l', b'u', b'i', b'c', 0x88, 0xb5, number];
    frame.resize(octets, number);
    frame
}

/// Whether a frame is one of ours, not something that the kernel sent by itself.
pub(crate) fn is_ours(frame: &[u8]) -> bool {
    frame.get(6..14) == Some(&[0x02, b'S', b'l', b'u', b'i', b'c', 0x88, 0xb5])
}

/// Sends a frame out of interface `from` of the first worker until interface `to` has received it.
#[track_caller]
pub(crate) fn cross(running: &mut Running, from: usize, to: usize, frame: &[u8]) {
    let deadline = Instant::now() + PATIENCE;
    let pool = running.pool.clone();
    let mut out: ArrayVec<Mbuf, BURST> = ArrayVec::new();
    loop {
        assert!(Instant::now() < deadline, "a frame of {} octets did not arrive", frame.len());
        if out.is_empty() {
            out.push(pool.frame(frame).unwrap());
        }
        let queues = &mut running.workers[0].queues;
        queues[from].1.transmit(&mut out);
        if receive(running, to).iter().any(|got| got == frame) {
            return;
        }
    }
}

/// What interface `index` has received for the first worker.
pub(crate) fn receive(running: &mut Running, index: usize) -> Vec<Vec<u8>> {
    let mut burst: ArrayVec<Mbuf, BURST> = ArrayVec::new();
    running.workers[0].queues[index].0.receive(&mut burst);
    burst.iter().map(|mbuf| mbuf.bytes().to_vec()).collect()
}

/// Carries what arrives at `from` to `to` until `done` says so: what a gateway does with two ports.
#[track_caller]
pub(crate) fn forward(
    running: &mut Running,
    from: usize,
    to: usize,
    mut done: impl FnMut() -> bool,
) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "nothing came out at the far end");
        let queues = &mut running.workers[0].queues;
        let mut burst: ArrayVec<Mbuf, BURST> = ArrayVec::new();
        queues[from].0.receive(&mut burst);
        while !burst.is_empty() {
            queues[to].1.transmit(&mut burst);
            assert!(Instant::now() < deadline, "the far end takes no frame");
        }
    }
}
