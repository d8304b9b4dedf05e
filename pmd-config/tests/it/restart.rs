//! What a killed daemon leaves does not keep the next one from starting.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use pmd_config::instance::{InstanceLock, file_prefix};
use pmd_config::probe::Environment;

use crate::support::{enter_new_netns, node, start};

/// Set for the process that is to be killed: the folder it works in.
const VICTIM: &str = "SLUICE_TEST_VICTIM";

fn sections(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "[interfaces.vm1]\nkind = \"tap\"\n\
         [interfaces.m]\nkind = \"memif\"\nsocket = \"{folder}/m.sock\"\n\
         [interfaces.v]\nkind = \"vhost-user\"\nsocket = \"{folder}/v.sock\"\n"
    )
}

/// Plays the daemon that gets killed, in a process of its own.
#[test]
fn a_killed_daemon_does_not_keep_the_next_one_from_starting() {
    if let Some(folder) = env::var_os(VICTIM) {
        let node = node(Path::new(&folder), &sections(Path::new(&folder)));
        let _started = start(&node);
        eprintln!("running");
        loop {
            std::thread::park();
        }
    }
    enter_new_netns();
    let folder = tempfile::tempdir().unwrap();
    let mut victim = Command::new(env::current_exe().unwrap())
        .args(["--exact", "restart::a_killed_daemon_does_not_keep_the_next_one_from_starting"])
        .arg("--nocapture")
        .env(VICTIM, folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stderr.take().unwrap()).lines();
    let mut said = Vec::new();
    for line in lines {
        said.push(line.unwrap());
        if said.last().is_some_and(|line| line == "running") {
            break;
        }
    }
    assert_eq!(said.last().map(String::as_str), Some("running"), "{said:#?}");
    let node = node(folder.path(), &sections(folder.path()));
    let held = InstanceLock::take(&node).unwrap_err().to_string();
    assert!(held.contains(&format!("pid {}", victim.id())), "{held}");
    victim.kill().unwrap();
    assert_eq!(victim.wait().unwrap().signal(), Some(9));
    assert!(folder.path().join("m.sock").exists(), "the victim left its sockets");
    assert!(folder.path().join("v.sock").exists(), "the victim left its sockets");

    let started = start(&node);

    let removed: Vec<_> = started.removed.iter().filter_map(|path| path.file_name()).collect();
    assert_eq!(removed, ["m.sock", "v.sock"]);
    assert_eq!(started.running.interfaces.len(), 3);
}

#[test]
fn files_that_dpdk_left_under_our_prefix_are_removed_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(folder.path(), "");
    let prefix = file_prefix(&node, "gw-a");
    let environment = Environment {
        runtime_directory: Some(folder.path().display().to_string()),
        ..Environment::default()
    };
    let ours = folder.path().join("dpdk").join(&prefix);
    let theirs = folder.path().join("dpdk/rte");
    for path in [&ours, &theirs] {
        fs::create_dir_all(path).unwrap();
        fs::write(path.join("config"), b"").unwrap();
    }
    let lock = InstanceLock::take(&node).unwrap();

    let removed = lock.clean_up(&node, &prefix, &environment).unwrap();

    assert_eq!(removed, std::slice::from_ref(&ours));
    assert!(!ours.exists() && theirs.join("config").exists());
    assert!(lock.clean_up(&node, &prefix, &environment).unwrap().is_empty(), "nothing is left");
}

#[test]
fn the_lock_outlives_neither_its_holder_nor_a_file_without_a_pid() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(folder.path(), "");
    let lock = InstanceLock::take(&node).unwrap();
    fs::write(folder.path().join("run/sluiced.sock.pid"), b"").unwrap();
    let error = InstanceLock::take(&node).unwrap_err().to_string();
    assert!(error.contains("(pid unknown)"), "{error}");

    drop(lock);

    assert!(InstanceLock::take(&node).is_ok());
}
