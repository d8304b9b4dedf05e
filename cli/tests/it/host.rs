//! `check --host` with a daemon of shell script beside the program.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::golden_files::compare;
use crate::sluice::{Outcome, finish};

const FINDINGS: &str = r#"{"findings": [
  {"severity": "ok", "subject": "CPU", "text": "2 cores"},
  {"severity": "warn", "subject": "memory", "text": "no hugepages", "fix": "sysctl vm.nr_hugepages=512"},
  {"severity": "FAIL", "subject": "interface eth1", "text": "no such device", "fix": "ip link show"}
]}"#;

/// The program in a directory of its own, with or without a daemon beside it.
///
/// Both are links: a program that was just written may be busy for as long as another test is about
/// to start one.
struct Place(TempDir);

impl Place {
    fn with_daemon() -> Self {
        let place = Self::without_daemon();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/sluiced.sh");
        symlink(script, place.0.path().join("sluiced")).unwrap();
        place
    }

    fn without_daemon() -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_sluice"));
        let place = Self(tempfile::tempdir_in(program.parent().unwrap()).unwrap());
        fs::hard_link(program, place.0.path().join("sluice")).unwrap();
        place
    }

    /// Runs the check; `daemon` tells the script what to do.
    fn check(&self, arguments: &[&str], daemon: &[(&str, &str)]) -> Outcome {
        let mut command = Command::new(self.0.path().join("sluice"));
        command.env("PATH", "/nonexistent").envs(daemon.iter().copied());
        command.args(["check", "--host"]).args(arguments);
        finish(command, "")
    }
}

#[test]
fn findings_are_shown_one_per_line_with_their_fix() {
    let place = Place::with_daemon();
    for format in ["table", "wide", "name", "json", "yaml"] {
        let outcome = place.check(&["-o", format], &[("ANSWER", FINDINGS), ("CODE", "12")]);
        assert_eq!(outcome.code, 12, "{}", outcome.stderr);
        compare(&format!("check-host.{format}"), &outcome.stdout);
    }
}

#[test]
fn a_host_without_problem_ends_with_0() {
    let fine = r#"[{"severity": "ok", "subject": "CPU", "text": "2 cores"}]"#;
    let outcome = Place::with_daemon().check(&[], &[("ANSWER", fine)]);

    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(outcome.stdout.ends_with("this host can run the daemon\n"), "{}", outcome.stdout);
}

#[test]
fn the_node_file_is_handed_on() {
    let outcome = Place::with_daemon()
        .check(&["--config", "/etc/other.toml"], &[("SAY_ARGUMENTS", "1"), ("CODE", "5")]);

    assert_eq!(outcome.code, 5);
    assert!(outcome.stderr.contains("--check-host -o json --config /etc/other.toml"));
    assert!(outcome.stderr.contains("ended with exit code 5"), "{}", outcome.stderr);
}

#[test]
fn a_daemon_that_is_missing_or_talks_nonsense_is_named() {
    let outcome = Place::without_daemon().check(&[], &[]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("neither beside this program nor in PATH"));

    for nonsense in ["hello", "{}", "[1]"] {
        let outcome = Place::with_daemon().check(&[], &[("ANSWER", nonsense)]);
        assert_eq!(outcome.code, 1, "{nonsense}");
        assert!(outcome.stderr.contains("sluiced --version"), "{}", outcome.stderr);
        assert_eq!(outcome.stdout, "");
    }

    let outcome = Place::with_daemon().check(&[], &[("SIGNAL", "9")]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("by a signal"), "{}", outcome.stderr);
}
