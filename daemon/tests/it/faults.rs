//! What the daemon says, and how it ends, when it cannot run.

use std::fs;

use crate::gateway::{Gateway, INTERFACES, SITE, enter_new_namespaces};
use crate::wire::Wire;

const NULL: &str = "[interfaces.eth1]\nkind = \"null\"\n";

#[track_caller]
fn check(gateway: &Gateway, arguments: &[&str], code: i32, words: &[&str]) {
    let (ended, text) = gateway.run(arguments);
    assert_eq!(ended, code, "{text}");
    for word in words {
        assert!(text.contains(word), "no {word:?} in: {text}");
    }
}

#[test]
fn a_bad_command_line_is_a_usage_error() {
    let gateway = Gateway::new(NULL);
    check(&gateway, &["--colour"], 2, &["--colour"]);
    check(&gateway, &["-o", "json"], 2, &["--check-host"]);
}

#[test]
fn a_node_file_that_is_absent_or_wrong_is_named_with_the_place() {
    let gateway = Gateway::new("[interfaces.eth1]\nkind = \"af_paket\"\n");
    check(&gateway, &[], 5, &["sluice.toml:7", "af_paket"]);

    fs::remove_file(gateway.path("sluice.toml")).unwrap();
    check(&gateway, &[], 3, &["sluice.toml", "--config"]);
}

#[test]
fn a_site_file_that_is_wrong_is_named_with_the_place_before_any_device_is_touched() {
    let gateway = Gateway::new("[interfaces.eth1]\nkind = \"af_packet\"\n");
    fs::write(gateway.site(), "bridges: [{name: web, colour: red}]\n").unwrap();
    check(&gateway, &[], 5, &["site.yaml:1:", "colour", "^"]);

    fs::write(gateway.site(), [0xff, 0xfe]).unwrap();
    check(&gateway, &[], 5, &["site.yaml", "UTF-8"]);

    let lag = "lags: [{name: l, members: [{host: gw-a, interface: eth1}]}]\n";
    let bound = SITE.replace("host: gw-a, interface: eth1", "lag: l");
    fs::write(gateway.site(), format!("{lag}{bound}")).unwrap();
    check(&gateway, &[], 5, &["lags/l", "not in this release"]);
}

#[test]
fn a_host_that_does_not_fit_is_explained_with_the_fix() {
    let gateway = Gateway::new(NULL);
    let node = fs::read_to_string(gateway.path("sluice.toml")).unwrap();
    fs::write(gateway.path("sluice.toml"), format!("cores = \"900\"\n{node}")).unwrap();

    check(&gateway, &[], 12, &["sluice.toml", "900", "fix:"]);
    check(&gateway, &["--check-host"], 12, &["900", "fix:", "1 problem"]);
    let (_, text) = gateway.run(&["--check-host", "-o", "json"]);
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    let findings = report["findings"].as_array().unwrap();
    assert!(findings.iter().any(|finding| finding["severity"] == "FAIL"), "{report:#}");
}

#[test]
fn a_host_that_fits_passes_the_check() {
    enter_new_namespaces();
    let _cables = (Wire::cable("eth1", "p1"), Wire::cable("vm1", "p2"));
    let gateway = Gateway::new(INTERFACES);

    check(&gateway, &["--check-host"], 0, &["0 problems"]);
}
