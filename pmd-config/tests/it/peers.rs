//! Shared-memory peers that come and go, by kill -9, while a worker polls: the gateway lives on, and
//! the next peer gets frames again.

use std::env;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use arrayvec::ArrayVec;
use rte_rs::{BURST, Mbuf};

use crate::support::{PATIENCE, frame, node, receive, start};

/// Set for the process that plays the peer: the folder it works in.
const PEER: &str = "SLUICE_TEST_PEER";

/// How often the peer is killed.
const LIVES: u32 = 5;

/// The peer: sends as fast as it can until it is killed.
fn play_peer(folder: &Path, section: &str) -> ! {
    let mut started = start(&node(&folder.join("peer"), section));
    let pool = started.running.pool.clone();
    let mut burst: ArrayVec<Mbuf, BURST> = ArrayVec::new();
    loop {
        while !burst.is_full() {
            let Some(mbuf) = pool.frame(&frame(1, 60)) else { break };
            burst.push(mbuf);
        }
        started.running.workers[0].queues[0].1.transmit(&mut burst);
        receive(&mut started.running, 0);
    }
}

fn spawn_peer(folder: &Path, test: &str) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(PEER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Polls and sends without a pause, as a worker does, while peers come and are killed.
#[track_caller]
fn outlives(test: &str, ours: &str, theirs: &str) {
    if let Some(folder) = env::var_os(PEER) {
        let folder = Path::new(&folder);
        play_peer(folder, &theirs.replace("FOLDER", &folder.display().to_string()));
    }
    let folder = tempfile::tempdir().unwrap();
    let ours = ours.replace("FOLDER", &folder.path().display().to_string());
    let mut started = start(&node(folder.path(), &ours));
    let pool = started.running.pool.clone();
    let mut out: ArrayVec<Mbuf, BURST> = ArrayVec::new();
    for life in 0..LIVES {
        let mut peer = spawn_peer(folder.path(), test);
        let deadline = Instant::now() + PATIENCE;
        let mut received = 0;
        let mut killed = false;
        // Some frames with the peer alive, and some polls after its death.
        let mut polls_after = 0;
        while polls_after < 200_000 {
            assert!(Instant::now() < deadline, "life {life}: {received} frames");
            while !out.is_full() {
                let Some(mbuf) = pool.frame(&frame(2, 60)) else { break };
                out.push(mbuf);
            }
            started.running.workers[0].queues[0].1.transmit(&mut out);
            received += receive(&mut started.running, 0).len();
            if received > 1000 && !killed {
                peer.kill().unwrap();
                killed = true;
            }
            polls_after += u32::from(killed);
        }
        peer.wait().unwrap();
    }
}

/// `net_memif` of DPDK 22.11 unmaps its memory on DPDK's interrupt thread when the peer is gone,
/// while the worker may be copying into it. `rte_rs` keeps the two apart; without that, about one
/// kill in 25 ended in a crash.
#[test]
fn a_memif_client_that_is_killed_again_and_again_does_no_harm() {
    outlives(
        "peers::a_memif_client_that_is_killed_again_and_again_does_no_harm",
        "[interfaces.m]\nkind = \"memif\"\nsocket = \"FOLDER/m.sock\"\n",
        "[interfaces.m]\nkind = \"memif\"\nrole = \"client\"\nsocket = \"FOLDER/m.sock\"\n",
    );
}

#[test]
fn a_virtual_machine_that_is_killed_again_and_again_does_no_harm() {
    outlives(
        "peers::a_virtual_machine_that_is_killed_again_and_again_does_no_harm",
        "[interfaces.v]\nkind = \"vhost-user\"\nsocket = \"FOLDER/v.sock\"\n",
        "[interfaces.v]\nkind = \"virtio-user\"\nsocket = \"FOLDER/v.sock\"\n",
    );
}
