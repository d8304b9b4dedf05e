//! Every command in every format against the files in `golden/`.
//!
//! After an intended change: `SNAPSHOTS=overwrite cargo test -p cli`, then read the diff.

use snapbox::{Data, assert_data_eq};

use crate::server::{Daemon, Mood};

/// Runs `arguments` in each format and compares stdout with `golden/NAME.FORMAT`.
#[track_caller]
fn check(mood: Mood, name: &str, arguments: &[&str], code: i32) {
    let daemon = Daemon::start(mood);
    let mut values: Vec<serde_json::Value> = Vec::new();
    for format in ["table", "wide", "name", "json", "yaml"] {
        let mut all = arguments.to_vec();
        all.extend(["-o", format]);
        let outcome = daemon.run_with(&all, "hosts: []\n");
        assert_eq!(outcome.code, code, "{name} as {format}: {}", outcome.stderr);
        assert_eq!(outcome.stderr, "", "{name} as {format}");
        compare(&format!("{name}.{format}"), &outcome.stdout);
        match format {
            "json" => values.push(serde_json::from_str(&outcome.stdout).unwrap()),
            "yaml" => values.push(serde_saphyr::from_str(&outcome.stdout).unwrap()),
            _ => {}
        }
    }
    assert_eq!(values[0], values[1], "{name}: JSON and YAML differ");
}

#[track_caller]
pub(crate) fn compare(file: &str, actual: &str) {
    let path = format!("{}/tests/it/golden/{file}", env!("CARGO_MANIFEST_DIR"));
    let expected = Data::read_from(path.as_ref(), Some(snapbox::data::DataFormat::Text));
    assert_data_eq!(Data::text(actual), expected.raw());
}

#[test]
fn status_shows_the_worst_thing_first_and_ends_with_12() {
    check(Mood::Degraded, "status", &["status"], 12);
}

#[test]
fn status_of_a_sound_gateway_ends_with_0() {
    check(Mood::Sound, "status-sound", &["status"], 0);
}

#[test]
fn get_lists_every_kind() {
    for kind in [
        "hosts",
        "bridges",
        "gatewayBridges",
        "trunks",
        "vlanLinks",
        "accessPorts",
        "lags",
        "staticMacs",
        "tunnelZones",
        "tunnels",
    ] {
        check(Mood::Sound, &format!("get-{kind}"), &["get", kind], 0);
    }
}

#[test]
fn get_shows_one_object() {
    check(Mood::Sound, "get-one", &["get", "trunk", "trunk0"], 0);
}

#[test]
fn describe_shows_what_refers_to_an_object() {
    check(Mood::Sound, "describe-bridge", &["describe", "bridges/web"], 0);
    check(Mood::Sound, "describe-trunk", &["describe", "trunk", "trunk1"], 0);
    check(Mood::Sound, "describe-port", &["describe", "trunks/trunk0"], 0);
    check(Mood::Sound, "describe-gateway", &["describe", "gw/gw"], 0);
    check(Mood::Sound, "describe-host", &["describe", "hosts/gw-a"], 0);
    check(Mood::Sound, "describe-zone", &["describe", "tunnelZones/fabric"], 0);
    check(Mood::Sound, "describe-tunnel", &["describe", "tunnels/far"], 0);
}

#[test]
fn fdb_shows_all_pages() {
    check(Mood::Sound, "fdb-show", &["fdb", "show"], 0);
}

#[test]
fn fdb_says_what_it_changed() {
    let add =
        ["fdb", "add", "52:54:00:00:00:01", "--bridge", "web", "--port", "trunk0", "--vid", "10"];
    check(Mood::Sound, "fdb-add", &add, 0);
    let del = ["fdb", "del", "52:54:00:00:00:01", "--bridge", "web"];
    check(Mood::Sound, "fdb-del", &del, 0);
    let missing = ["fdb", "del", "52:54:00:00:00:01", "--bridge", "web", "--allow-missing"];
    check(Mood::Sound, "fdb-del-missing", &missing, 0);
    let flush = ["fdb", "flush", "--gateway-bridge", "gw", "--vid", "10"];
    check(Mood::Sound, "fdb-flush", &flush, 0);
}

#[test]
fn ports_show_counters() {
    check(Mood::Sound, "ports", &["ports"], 0);
    check(Mood::Sound, "ports-vlans", &["ports", "--vlans"], 0);
    check(Mood::Sound, "ports-interfaces", &["ports", "--interfaces"], 0);
    check(Mood::Sound, "ports-neighbors", &["ports", "--neighbors"], 0);
}

#[test]
fn tunnels_show_how_each_peer_is_reached_and_that_it_is_not() {
    check(Mood::Sound, "tunnels", &["tunnels"], 0);
    check(Mood::Sound, "tunnels-one", &["tunnels", "cn-2"], 0);
}

#[test]
fn the_underlay_shows_links_and_neighbours() {
    check(Mood::Sound, "underlay", &["underlay"], 0);
}

#[test]
fn drops_are_explained_by_example_and_closed_by_the_accounting_line() {
    check(Mood::Degraded, "drops", &["drops"], 0);
    check(Mood::Sound, "drops-none", &["drops"], 0);
    check(Mood::Sound, "drops-accounting", &["drops", "--accounting"], 0);
}

#[test]
fn accounting_that_does_not_balance_is_a_problem() {
    check(Mood::Unbalanced, "drops-unbalanced", &["drops", "--accounting"], 12);
}

#[test]
fn apply_shows_the_plan_then_the_revision() {
    check(Mood::Sound, "apply", &["apply", "-f", "-"], 0);
    check(Mood::Sound, "apply-dry-run", &["apply", "-f", "-", "--dry-run"], 0);
}

#[test]
fn apply_of_what_is_there_already_changes_nothing() {
    check(Mood::Sound, "apply-none", &["apply", "-f", "/dev/null"], 0);
}

#[test]
fn diff_ends_with_10_when_something_differs() {
    check(Mood::Sound, "diff", &["diff", "-f", "-"], 10);
    check(Mood::Sound, "diff-none", &["diff", "-f", "/dev/null"], 0);
}

#[test]
fn export_prints_what_apply_accepts() {
    check(Mood::Sound, "export", &["export"], 0);
}

#[test]
fn wait_returns_once_the_workers_run_it() {
    check(Mood::Sound, "wait-object", &["wait", "--for=programmed", "vlanLinks/gw/10"], 0);
    check(Mood::Sound, "wait-site", &["wait", "--for", "programmed"], 0);
}

#[test]
fn version_names_both_programs() {
    check(Mood::Sound, "version", &["version"], 0);
}
