//! `check --host` with a daemon of shell script beside the program.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use tempfile::TempDir;

use crate::golden_files::compare;
use crate::sluice::{Outcome, finish};

const FINDINGS: &str = r#"{"findings": [
  {"severity": "ok", "subject": "CPU", "text": "2 cores"},
  {"severity": "warn", "subject": "memory", "text": "no hugepages", "fix": "sysctl vm.nr_hugepages=512"},
  {"severity": "FAIL", "subject": "interface eth1", "text": "no such device", "fix": "ip link show"}
]}"#;

/// The program in a directory of its own, with a `sluiced` that runs `script` if one is given.
struct Place(TempDir);

impl Place {
    fn new(script: Option<&str>) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::copy(env!("CARGO_BIN_EXE_sluice"), place.0.path().join("sluice")).unwrap();
        if let Some(script) = script {
            let path = place.0.path().join("sluiced");
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        place
    }

    fn check(&self, arguments: &[&str]) -> Outcome {
        let mut command = Command::new(self.0.path().join("sluice"));
        command.env("PATH", "/nonexistent").args(["check", "--host"]).args(arguments);
        finish(command, "")
    }
}

/// A daemon that prints `json` and ends with `code`.
fn answering(json: &str, code: i32) -> Place {
    Place::new(Some(&format!("echo '{}'\nexit {code}", json.replace('\n', " "))))
}

#[test]
fn findings_are_shown_one_per_line_with_their_fix() {
    let place = answering(FINDINGS, 12);
    for format in ["table", "wide", "name", "json", "yaml"] {
        let outcome = place.check(&["-o", format]);
        assert_eq!(outcome.code, 12, "{}", outcome.stderr);
        compare(&format!("check-host.{format}"), &outcome.stdout);
    }
}

#[test]
fn a_host_without_problem_ends_with_0() {
    let fine = r#"[{"severity": "ok", "subject": "CPU", "text": "2 cores"}]"#;
    let outcome = answering(fine, 0).check(&[]);

    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(outcome.stdout.ends_with("this host can run the daemon\n"), "{}", outcome.stdout);
}

#[test]
fn the_node_file_is_handed_on() {
    let place = Place::new(Some("echo \"$*\" >&2; exit 5"));

    let outcome = place.check(&["--config", "/etc/other.toml"]);

    assert_eq!(outcome.code, 5);
    assert!(outcome.stderr.contains("--check-host -o json --config /etc/other.toml"));
    assert!(outcome.stderr.contains("ended with exit code 5"), "{}", outcome.stderr);
}

#[test]
fn a_daemon_that_is_missing_or_talks_nonsense_is_named() {
    let outcome = Place::new(None).check(&[]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("neither beside this program nor in PATH"));

    for nonsense in ["hello", "{}", "[1]"] {
        let outcome = answering(nonsense, 0).check(&[]);
        assert_eq!(outcome.code, 1, "{nonsense}");
        assert!(outcome.stderr.contains("sluiced --version"), "{}", outcome.stderr);
        assert_eq!(outcome.stdout, "");
    }

    let outcome = Place::new(Some("kill -9 $$")).check(&[]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("by a signal"), "{}", outcome.stderr);
}
