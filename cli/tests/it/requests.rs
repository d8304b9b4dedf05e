//! What the program asks the daemon for.

use crate::server::{Daemon, Mood};

#[track_caller]
fn asked(arguments: &[&str]) -> String {
    let daemon = Daemon::start(Mood::Sound);
    let outcome = daemon.run_with(arguments, "hosts: []\n");
    assert!(outcome.stderr.is_empty(), "{}", outcome.stderr);
    daemon.heard().join("\n")
}

#[test]
fn every_filter_of_fdb_show_reaches_the_daemon() {
    let asked = asked(&[
        "fdb",
        "show",
        "--bridge",
        "web",
        "--port",
        "p1",
        "--mac",
        "52:54:00:AA:00:01",
        "--vid",
        "10",
        "--static",
    ]);

    for part in ["\"web\"", "\"p1\"", "\"52:54:00:aa:00:01\"", "vid: Some(10)", "origin: Static"] {
        assert!(asked.contains(part), "{part} in {asked}");
    }
}

#[test]
fn a_flush_names_exactly_one_scope() {
    for (arguments, scope) in [
        (vec!["--all"], "All(AllScope)"),
        (vec!["--bridge", "web"], "Bridge(\"web\")"),
        (vec!["--port", "p1"], "Port(\"p1\")"),
        (
            vec!["--gateway-bridge", "gw"],
            "GatewayBridgeScope { gateway_bridge: \"gw\", vid: None }",
        ),
        (vec!["--gateway-bridge", "gw", "--vid", "10"], "vid: Some(10)"),
    ] {
        let all: Vec<&str> = ["fdb", "flush"].into_iter().chain(arguments).collect();
        let asked = asked(&all);
        assert!(asked.contains(scope), "{scope} in {asked}");
    }
}

#[test]
fn apply_carries_out_the_plan_that_it_showed_and_no_other() {
    let daemon = Daemon::start(Mood::Sound);

    let outcome = daemon.run_with(&["apply", "-f", "-", "--prune"], "hosts: []\n");

    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let heard = daemon.heard();
    assert_eq!(heard.len(), 2);
    assert!(heard[0].contains("validate_only: true, expected_revision: 0"), "{}", heard[0]);
    assert!(heard[1].contains("validate_only: false, expected_revision: 57"), "{}", heard[1]);
    assert!(heard.iter().all(|request| request.contains("prune: true")));
    assert!(!heard[1].contains("request_id: \"\""), "{}", heard[1]);
}

#[test]
fn a_dry_run_and_a_diff_change_nothing() {
    for arguments in [["apply", "-f", "-", "--dry-run"].as_slice(), &["diff", "-f", "-"]] {
        let asked = asked(arguments);
        assert_eq!(asked.lines().count(), 1);
        assert!(asked.contains("validate_only: true"), "{asked}");
    }
}

#[test]
fn what_the_operator_expects_and_calls_a_request_is_sent() {
    let asked =
        asked(&["apply", "-f", "-", "--expected-revision", "41", "--request-id", "change-7"]);

    assert!(asked.lines().all(|request| request.contains("expected_revision: 41")), "{asked}");
    assert!(asked.contains("request_id: \"change-7\""), "{asked}");
}

#[test]
fn drops_can_be_narrowed() {
    let asked = asked(&["drops", "vlan_unknown", "--port", "trunk0", "--all"]);

    let first = asked.lines().next().unwrap_or_default();
    assert!(
        first.contains("reason: \"vlan_unknown\", port: \"trunk0\", with_zero: true"),
        "{first}"
    );
}

#[test]
fn wait_asks_again_until_the_workers_run_it() {
    let daemon = Daemon::start(Mood::Slow { questions: 3 });

    let outcome = daemon.run(&["wait", "--for=programmed", "vlanLinks/gw/10"]);

    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(daemon.heard().len(), 4);
}
