//! How failures are told: the message on stderr, nothing on stdout, the exit code.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use proto::v1::ErrorReason;
use tonic::Code;

use crate::server::{Daemon, Mood};
use crate::sluice::{finish, run};

/// One command of each kind of request.
const COMMANDS: [&[&str]; 14] = [
    &["status"],
    &["get", "bridges"],
    &["get", "bridges", "web"],
    &["describe", "bridges/web"],
    &["fdb", "show"],
    &["fdb", "add", "52:54:00:00:00:01", "--bridge", "web", "--port", "p1"],
    &["fdb", "del", "52:54:00:00:00:01", "--bridge", "web"],
    &["fdb", "flush", "--all"],
    &["ports"],
    &["drops"],
    &["apply", "-f", "/dev/null"],
    &["diff", "-f", "/dev/null"],
    &["export"],
    &["wait", "--for=programmed"],
];

#[test]
fn without_a_daemon_every_command_names_the_socket_and_says_how_to_start_one() {
    let directory = tempfile::tempdir().unwrap();
    let endpoint = format!("unix:{}/none.sock", directory.path().display());
    for arguments in COMMANDS {
        let outcome = run(&[&["--endpoints", &endpoint], arguments].concat());

        assert_eq!(outcome.code, 6, "{arguments:?}");
        assert_eq!(outcome.stdout, "", "{arguments:?}");
        for part in [endpoint.as_str(), "does not exist", "systemctl start sluiced", "--endpoints"]
        {
            assert!(outcome.stderr.contains(part), "{part} in {}", outcome.stderr);
        }
    }
}

#[test]
fn a_socket_that_nobody_listens_on_is_told_apart_from_a_missing_one() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("left.sock");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());

    let outcome = run(&["status", "--endpoints", &format!("unix://{}", socket.display())]);

    assert_eq!(outcome.code, 6);
    assert!(outcome.stderr.contains("nobody listens there"), "{}", outcome.stderr);
}

#[test]
fn the_first_endpoint_that_answers_is_used() {
    let daemon = Daemon::start(Mood::Sound);
    let endpoints = format!("unix:/nonexistent/a.sock, unix:{}", daemon.socket().display());

    let outcome = run(&["status", "--endpoints", &endpoints]);

    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
}

#[test]
fn an_endpoint_that_makes_no_sense_is_a_usage_error() {
    for (endpoint, part) in [
        ("", "it is empty"),
        (",,", "it is empty"),
        ("unix:", "the path is missing"),
        ("/run/x.sock", "write unix:/run/x.sock"),
        ("https://gw:1", "TLS is not in this release"),
        ("http://a b", "expected unix:"),
    ] {
        for command in ["status", "version"] {
            let outcome = run(&[command, "--endpoints", endpoint]);
            assert_eq!(outcome.code, 2, "{endpoint:?}: {}", outcome.stderr);
            assert!(outcome.stderr.contains(part), "{part} in {}", outcome.stderr);
        }
    }
}

#[test]
fn a_socket_that_may_not_be_opened_ends_with_8() {
    let daemon = Daemon::start(Mood::Sound);
    let socket = daemon.socket();
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o000)).unwrap();
    // Root may open everything, unless it gives up that right.
    let mut command = Command::new("env");
    if is_root() {
        command.args(["setpriv", "--bounding-set", "-all"]);
    }
    command.arg(env!("CARGO_BIN_EXE_sluice"));
    command.args(["status", "--endpoints", &format!("unix:{}", socket.display())]);

    let outcome = finish(command, "");

    assert_eq!(outcome.code, 8, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("group that owns the socket"), "{}", outcome.stderr);
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[test]
fn a_daemon_that_does_not_answer_is_given_up_after_the_timeout() {
    for arguments in COMMANDS {
        let daemon = Daemon::start(Mood::Silent);

        let outcome = daemon.run(&[arguments, &["--timeout", "50ms"]].concat());

        assert_eq!(outcome.code, 7, "{arguments:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("within 50ms"), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("DIRECTORY/sluiced.sock"), "{}", outcome.stderr);
    }
}

#[test]
fn waiting_for_workers_that_never_follow_ends_with_7() {
    for object in [&["vlanLinks/gw/10"][..], &[]] {
        let daemon = Daemon::start(Mood::Slow { questions: usize::MAX });

        let outcome =
            daemon.run(&[&["wait", "--for=programmed", "--timeout", "1s"], object].concat());

        assert_eq!(outcome.code, 7, "{}", outcome.stderr);
        assert!(outcome.stderr.contains("is programmed"), "{}", outcome.stderr);
        assert!(daemon.heard().len() > 1);
    }
}

#[test]
fn a_change_that_not_every_worker_runs_is_no_success() {
    let daemon = Daemon::start(Mood::Slow { questions: usize::MAX });

    let outcome = daemon.run_with(&["apply", "-f", "-"], "hosts: []\n");

    assert_eq!(outcome.code, 7);
    assert!(outcome.stdout.contains("revision 57 -> 58"), "{}", outcome.stdout);
    assert!(outcome.stderr.contains("sluice wait --for=programmed"), "{}", outcome.stderr);

    let outcome = daemon.run(&["fdb", "flush", "--all"]);
    assert_eq!(outcome.code, 7);
    assert!(outcome.stderr.contains("sluice status"), "{}", outcome.stderr);
}

#[test]
fn each_reason_of_the_api_ends_with_its_exit_code_and_points_to_its_explanation() {
    let reasons = (1..).map_while(|raw| ErrorReason::try_from(raw).ok());
    for reason in reasons {
        let daemon = Daemon::start(Mood::Refuse(reason));
        let outcome = daemon.run(&["fdb", "flush", "--bridge", "web"]);

        let explained = run(&["explain", reason.word(), "-o", "json"]);
        let topic: serde_json::Value = serde_json::from_str(&explained.stdout).unwrap();
        // A word that is a condition as well is explained twice.
        let topic = topic.get(0).unwrap_or(&topic);
        assert_eq!(topic["exitCode"], outcome.code, "{reason:?}");
        assert_ne!(outcome.code, 0);
        for part in ["flush bridge web", "the daemon says why", reason.word()] {
            assert!(outcome.stderr.contains(part), "{part} in {}", outcome.stderr);
        }
    }
}

#[test]
fn a_bare_code_ends_with_its_exit_code() {
    for (code, exit) in [
        (Code::NotFound, 3),
        (Code::Aborted, 4),
        (Code::InvalidArgument, 5),
        (Code::Unavailable, 6),
        (Code::DeadlineExceeded, 7),
        (Code::PermissionDenied, 8),
        (Code::Unimplemented, 1),
    ] {
        let daemon = Daemon::start(Mood::Fail(code));
        let outcome = daemon.run(&["export"]);
        assert_eq!(outcome.code, exit, "{code:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("export the site: as the test wants it"));
    }
}

#[test]
fn an_object_that_does_not_exist_ends_with_3_and_is_named() {
    let daemon = Daemon::start(Mood::Sound);
    for (arguments, name) in [
        (&["get", "bridge", "nowhere"][..], "bridges/nowhere"),
        (&["describe", "vl/gw/99"], "vlanLinks/gw/99"),
        (&["ports", "nowhere"], "\"nowhere\""),
        (&["wait", "--for=programmed", "vlanLinks/gw/99"], "vlanLinks/gw/99"),
    ] {
        let outcome = daemon.run(arguments);
        assert_eq!(outcome.code, 3, "{arguments:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(name), "{}", outcome.stderr);
        assert_eq!(outcome.stdout, "");
    }
}

#[test]
fn a_document_that_cannot_be_read_is_named_with_what_is_wrong() {
    let daemon = Daemon::start(Mood::Sound);
    let binary = daemon.file("binary.yaml", "");
    std::fs::write(&binary, b"hosts: \xff\xfe").unwrap();
    let binary = binary.display().to_string();
    for command in ["apply", "diff", "check"] {
        for (file, code, part) in [
            ("/nonexistent/site.yaml", 3, "check the path given with -f"),
            ("/", 1, "a site is one document"),
            (binary.as_str(), 5, "octet 7 is not UTF-8"),
            ("/dev/zero", 5, "is longer than 8.0 MiB"),
        ] {
            let outcome = daemon.run(&[command, "-f", file]);
            assert_eq!(outcome.code, code, "{command} {file}: {}", outcome.stderr);
            assert!(outcome.stderr.contains(part), "{part} in {}", outcome.stderr);
        }
    }
}
