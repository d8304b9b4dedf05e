//! What works without a daemon.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

use crate::golden_files::compare;
use crate::sluice::{command, run};

/// A page under `docs/ops` and what the program prints for it.
#[track_caller]
fn check_page(page: &str) {
    let path = format!("{}/../docs/ops/{page}.md", env!("CARGO_MANIFEST_DIR"));
    let printed = run(&["explain", "--markdown", page]).stdout;

    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        printed,
        "renew it: sluice explain --markdown {page} > docs/ops/{page}.md"
    );
}

#[test]
fn the_page_of_drop_reasons_is_current() {
    check_page("drop-reasons");
}

#[test]
fn the_page_of_exit_codes_is_current() {
    check_page("exit-codes");
}

#[test]
fn explain_shows_each_sort_of_word_in_every_format() {
    for (name, word) in [
        ("drop", "vlan_unknown"),
        ("consumed", "bpdu"),
        ("error", "REVISION_MISMATCH"),
        ("condition", "PORT_WAITING"),
        ("mistake", "join_needed"),
        ("exit", "12"),
        ("field", "trunks.native"),
        ("key", "macLimit"),
        ("nested-key", "multiplier"),
        ("underlay-mistake", "next_hop_off_link"),
    ] {
        for format in ["table", "wide", "name", "json", "yaml"] {
            let outcome = run(&["explain", word, "-o", format]);
            assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
            compare(&format!("explain-{name}.{format}"), &outcome.stdout);
        }
    }
}

#[test]
fn everything_that_is_listed_can_be_explained() {
    let names = run(&["explain", "--list", "-o", "name"]).stdout;
    assert!(names.lines().count() > 100);
    for name in names.lines().step_by(7) {
        assert_eq!(run(&["explain", name]).code, 0, "{name}");
    }
}

#[test]
fn an_unknown_word_is_answered_with_the_nearest() {
    let outcome = run(&["explain", "vlan_unkown"]);

    assert_eq!(outcome.code, 3);
    assert!(outcome.stderr.contains("did you mean `vlan_unknown`?"), "{}", outcome.stderr);
}

#[test]
fn an_unknown_command_is_answered_with_the_nearest() {
    for (given, meant) in [("stauts", "status"), ("drop", "drops"), ("aply", "apply")] {
        let outcome = run(&[given]);
        assert_eq!(outcome.code, 2);
        assert_eq!(outcome.stdout, "");
        assert!(outcome.stderr.contains(&format!("'{meant}'")), "{}", outcome.stderr);
    }
}

#[test]
fn a_wrong_command_line_ends_with_2_and_says_what_is_wrong() {
    for (arguments, part) in [
        (&[][..], "Usage"),
        (&["get"], "<KIND>"),
        (&["get", "birdges"], "did you mean `bridges`?"),
        (&["get", "bridges/"], "the name after `/` is missing"),
        (&["get", "bridges/a", "b"], "two names are given"),
        (&["describe", "bridges"], "the name is missing"),
        (&["status", "-o", "xml"], "possible values"),
        (&["status", "--timeout", "1y"], "500ms, 10s or 2m"),
        (&["fdb", "show", "--mac", "52:54"], "--mac"),
        (&["fdb", "show", "--vid", "4095"], "1 to 4094"),
        (&["fdb", "show", "--static", "--learned"], "cannot be used with"),
        (&["fdb", "flush"], "--all"),
        (&["fdb", "flush", "--all", "--bridge", "web"], "cannot be used with"),
        (&["fdb", "flush", "--bridge", "web", "--vid", "10"], "cannot be used with"),
        (&["fdb", "flush", "--vid", "10"], "--gateway-bridge"),
        (&["drops", "vlan_unkown"], "did you mean `vlan_unknown`?"),
        (&["apply"], "--file"),
        (&["check"], "--host"),
        (&["check", "-f", "x", "--host"], "cannot be used with"),
        (&["wait", "--for", "peace"], "programmed"),
        (&["explain"], "--list"),
        (&["completion", "tcl"], "possible values"),
    ] {
        // Parsed first, so that no daemon is needed to learn of the mistake; the two that are found
        // later need one, and are tested with one.
        let daemon = crate::server::Daemon::start(crate::server::Mood::Sound);
        let outcome = daemon.run(arguments);
        assert_eq!(outcome.code, 2, "{arguments:?}: {}", outcome.stderr);
        assert_eq!(outcome.stdout, "", "{arguments:?}");
        assert!(outcome.stderr.contains(part), "{part} in {}", outcome.stderr);
    }
}

#[test]
fn arguments_that_are_no_text_are_refused_and_files_may_have_any_name() {
    let strange = OsStr::from_bytes(b"\xff\xfe");
    let outcome = run(&[OsStr::new("explain"), strange]);
    assert_eq!(outcome.code, 2, "{}", outcome.stderr);

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(OsStr::from_bytes(b"\xff.yaml"));
    let outcome = run(&[OsStr::new("check"), OsStr::new("-f"), file.as_os_str()]);
    assert_eq!(outcome.code, 3, "{}", outcome.stderr);
    std::fs::write(&file, "hosts: [{name: gw-a}]\n").unwrap();
    let outcome = run(&[OsStr::new("check"), OsStr::new("-f"), file.as_os_str()]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let mut child = command()
        .args(["explain", "--list"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    stdout.read_line(&mut first).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();

    assert!(first.starts_with("NAME"));
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");

    // And one that was never there.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command()
        .args(["explain", "--list"])
        .stdout(writer)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn a_full_disk_under_stdout_is_an_error() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output =
        command().args(["explain", "--list"]).stdout(full).stderr(Stdio::piped()).output().unwrap();

    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("cannot write the result to stdout"), "{stderr}");
}

#[test]
fn help_and_version_are_results() {
    let help = run(&["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    for exit in ["Exit codes:", "  10  diff found differences", "SLUICE_ENDPOINTS", "NO_COLOR"] {
        assert!(help.stdout.contains(exit), "{exit} in {}", help.stdout);
    }
    let version = run(&["--version"]);
    assert_eq!(version.stdout, format!("sluice {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn version_without_a_daemon_says_so_and_succeeds() {
    let outcome = run(&["version", "--endpoints", "unix:/nonexistent/x.sock", "-o", "json"]);

    assert_eq!(outcome.code, 0);
    let value: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(value["client"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(value["daemon"]["version"].is_null());
    assert!(value["daemon"]["error"].as_str().unwrap().contains("does not exist"));
}

#[test]
fn completion_knows_every_command_in_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let outcome = run(&["completion", shell]);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
        for word in ["explain", "flush", "endpoints"] {
            assert!(outcome.stdout.contains(word), "{word} in {shell}");
        }
    }
}

#[test]
fn bash_accepts_the_completion_script() {
    let script = run(&["completion", "bash"]).stdout;
    let output = std::process::Command::new("bash").args(["-n", "-c", &script]).output().unwrap();

    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("man1");

    let outcome = run(&[OsStr::new("man"), pages.as_os_str()]);

    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, ""), "{}", outcome.stderr);
    for page in ["sluice", "sluice-status", "sluice-fdb", "sluice-fdb-flush", "sluice-check"] {
        let text = std::fs::read_to_string(pages.join(format!("{page}.1"))).unwrap();
        assert!(text.starts_with(".ie"), "{page}");
    }
    let main = std::fs::read_to_string(pages.join("sluice.1")).unwrap();
    for code in ["12  status", "Exit codes"] {
        assert!(main.contains(code), "{code} in {main}");
    }

    let outcome = run(&["man", "/proc/nowhere"]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("/proc/nowhere"), "{}", outcome.stderr);
}

#[test]
fn colour_is_an_option_and_never_reaches_a_file_by_itself() {
    let daemon = crate::server::Daemon::start(crate::server::Mood::Degraded);

    assert!(!daemon.run(&["status"]).stdout.contains('\u{1b}'));
    assert!(daemon.run(&["status", "--color", "always"]).stdout.contains("\u{1b}[33mDEGRADED"));
}

#[test]
fn a_terminal_gets_colour_unless_no_color_is_set() {
    let daemon = crate::server::Daemon::start(crate::server::Mood::Degraded);
    let on_terminal = |no_color: Option<&str>| {
        let mut script = std::process::Command::new("script");
        let line = format!(
            "{} status --endpoints unix:{}",
            env!("CARGO_BIN_EXE_sluice"),
            daemon.socket().display()
        );
        script.args(["-qec", &line, "/dev/null"]).stdin(Stdio::null());
        match no_color {
            Some(value) => script.env("NO_COLOR", value),
            None => script.env_remove("NO_COLOR"),
        };
        String::from_utf8(script.output().unwrap().stdout).unwrap()
    };

    assert!(on_terminal(None).contains("\u{1b}[33mDEGRADED"));
    assert!(on_terminal(Some("")).contains("\u{1b}[33mDEGRADED"));
    let plain = on_terminal(Some("1"));
    assert!(plain.contains("DEGRADED") && !plain.contains('\u{1b}'), "{plain:?}");
}
