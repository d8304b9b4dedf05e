//! What cannot be brought up says why and what to do, and leaves the host as it was.

use std::os::unix::net::UnixListener;

use nix::unistd::{Gid, Uid, setresgid, setresuid};
use pmd_config::bring_up::{self, StartError};
use pmd_config::check::Severity;
use pmd_config::instance::InstanceLock;
use pmd_config::probe::Environment;

use crate::support::{enter_new_netns, ip, look, node, refused, start};

#[track_caller]
fn problem(error: &StartError) -> String {
    let StartError::NotReady(not_ready) = error else { panic!("{error}") };
    let lines: Vec<String> = not_ready.problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[test]
fn an_absent_interface_is_named_with_those_that_are_there() {
    enter_new_netns();
    ip("link add gw1 type veth peer name host1");
    let folder = tempfile::tempdir().unwrap();
    let node = node(folder.path(), "[interfaces.eth1]\nkind = \"af_packet\"\n");

    assert_eq!(
        problem(&refused(&node)),
        " FAIL  interface eth1   there is no kernel interface eth1 in this network namespace   \
         fix: set interface = to one of: gw1, host1"
    );
}

#[test]
fn without_permission_the_missing_capability_is_named() {
    enter_new_netns();
    ip("link add gw1 type veth peer name host1");
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(folder.path(), Some(65534), Some(65534)).unwrap();
    let node = node(
        folder.path(),
        "[interfaces.gw1]\nkind = \"af_packet\"\n[interfaces.vm1]\nkind = \"tap\"\n",
    );
    let (user, group) = (Uid::from_raw(65534), Gid::from_raw(65534));
    setresgid(group, group, group).unwrap();
    setresuid(user, user, user).unwrap();

    let text = problem(&refused(&node));

    assert!(text.contains(
        "interface gw1    af_packet needs CAP_NET_RAW CAP_NET_ADMIN, which this process lacks   \
         fix: run as root, or set AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN in the service unit"
    ));
    assert!(text.contains("interface vm1"), "{text}");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(folder.path(), "[interfaces.a]\nkind = \"null\"\n");
    let (user, group) = (Uid::from_raw(65534), Gid::from_raw(65534));
    setresgid(group, group, group).unwrap();
    setresuid(user, user, user).unwrap();

    let error = refused(&node);

    assert!(matches!(error, StartError::Instance(_)), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("cannot open the lock file") && text.contains("Permission denied"),
        "{text}"
    );
}

#[test]
fn a_second_start_says_who_runs_and_disturbs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "[interfaces.m]\nkind = \"memif\"\nsocket = \"{}/m.sock\"\n",
        folder.path().display()
    );
    let node = node(folder.path(), &text);
    let _first = start(&node);

    let error = refused(&node);

    let pid = std::process::id();
    let path = folder.path().join("run/sluiced.sock.pid");
    assert_eq!(
        error.to_string(),
        format!(
            "{} is held by a running daemon (pid {pid}): stop that one, or give this one its own \
             `state` and `control.socket`",
            path.display()
        )
    );
    assert!(folder.path().join("m.sock").exists(), "the socket of the first one is still there");
}

#[test]
fn two_nodes_with_one_state_folder_cannot_both_run() {
    let folder = tempfile::tempdir().unwrap();
    let first = node(folder.path(), "");
    let mut second = first.clone();
    second.control_socket = folder.path().join("other.sock");
    let _held = InstanceLock::take(&first).unwrap();

    let error = InstanceLock::take(&second).unwrap_err().to_string();

    assert!(error.contains("state/lock is held by a running daemon"), "{error}");
}

#[test]
fn a_socket_that_somebody_listens_on_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("vm1.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    listener.set_nonblocking(true).unwrap();
    let text =
        format!("[interfaces.vm1]\nkind = \"vhost-user\"\nsocket = \"{}\"\n", socket.display());

    let problem = problem(&refused(&node(folder.path(), &text)));

    assert!(problem.contains("another process listens on"), "{problem}");
    assert!(socket.exists());
    let heard = listener.accept().map_err(|error| error.kind());
    assert!(matches!(heard, Err(std::io::ErrorKind::WouldBlock)), "the listener was not disturbed");
}

#[test]
fn a_virtio_user_without_anybody_to_connect_to_is_refused_before_dpdk_starts() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("absent.sock");
    let text =
        format!("[interfaces.v]\nkind = \"virtio-user\"\nsocket = \"{}\"\n", socket.display());
    let broken = node(folder.path(), &text);

    let problem = problem(&refused(&broken));
    assert!(problem.contains(&format!("the socket {} is missing", socket.display())), "{problem}");

    // DPDK was not touched, so this process can still start it.
    let fine = node(folder.path(), "[interfaces.a]\nkind = \"null\"\n");
    assert!(bring_up::start(&fine, &Environment::default()).is_ok());
}

#[test]
fn a_device_that_dpdk_refuses_is_named_by_its_interface() {
    enter_new_netns();
    // Not an Ethernet interface, which only the driver finds out.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("in.pcap");
    // A valid magic number, and then nothing.
    std::fs::write(&file, [0xd4, 0xc3, 0xb2, 0xa1]).unwrap();
    let text = format!("[interfaces.file]\nkind = \"pcap\"\nrx = \"{}\"\n", file.display());

    let error = refused(&node(folder.path(), &text));

    assert!(matches!(error, StartError::BringUp(_)), "{error}");
    assert!(error.to_string().starts_with("interface file: "), "{error}");
}

#[test]
fn a_check_beside_a_running_daemon_does_not_call_its_own_things_in_the_way() {
    enter_new_netns();
    let folder = tempfile::tempdir().unwrap();
    let node = node(folder.path(), "[interfaces.vm1]\nkind = \"tap\"\n");
    let _running = start(&node);
    // As another process would see it: the lock is held, by somebody else.
    let script = format!("echo 1 > {}/run/sluiced.sock.pid", folder.path().display());
    assert!(std::process::Command::new("sh").args(["-c", &script]).status().unwrap().success());

    let report = look(&node);

    assert_eq!(report.problems(), 0, "{report}");
    let first = &report.findings()[0];
    assert_eq!((first.severity, first.subject.as_str()), (Severity::Warn, "daemon"));
    assert!(first.text.contains("sluiced (pid 1) runs with this node file"), "{report}");
}
