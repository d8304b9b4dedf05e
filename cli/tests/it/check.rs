//! `check -f`: a site document without a daemon.

use crate::golden_files::compare;
use crate::sluice::{command, finish};

const SOUND: &str = "\
hosts:
- name: gw-a
bridges:
- name: web
gatewayBridges:
- name: gw
trunks:
- {name: trunk0, gatewayBridge: gw, host: gw-a, interface: eth1}
vlanLinks:
- {gatewayBridge: gw, vid: 10, bridge: web}
accessPorts:
- {name: p1, bridge: web, host: gw-a, interface: vm1}
";

/// Checks `document` in each format; mistakes go to stderr as text and to stdout as data.
#[track_caller]
fn check(name: &str, document: &str, code: i32) {
    for format in ["table", "wide", "name", "json", "yaml"] {
        let mut command = command();
        command.args(["check", "-f", "-", "-o", format]);
        let outcome = finish(command, document);
        assert_eq!(outcome.code, code, "{name} as {format}: {}", outcome.stderr);
        assert!(outcome.stdout.is_empty() || outcome.stderr.is_empty(), "{name} as {format}");
        compare(&format!("{name}.{format}"), &(outcome.stdout + &outcome.stderr));
    }
}

#[test]
fn a_sound_document_is_summed_up() {
    check("check-sound", SOUND, 0);
    check("check-empty", "", 0);
}

#[test]
fn a_valid_document_that_carries_no_frame_has_problems() {
    check("check-problems", &SOUND.replace(", host: gw-a, interface: eth1", ""), 12);
}

#[test]
fn mistakes_are_shown_with_their_places_all_at_once() {
    let document = SOUND
        .replace("vid: 10, bridge: web", "vid: 4095, bridge: web")
        .replace("bridge: web, host", "bridge: wbe, host")
        .replace("gatewayBridge: gw, host", "gatewayBridge: gw, hots");
    check("check-mistakes", &document, 5);
}

#[test]
fn text_that_is_no_yaml_is_a_mistake_with_a_place() {
    check("check-syntax", "hosts: [{name: gw-a}\nbridges:\n", 5);
}

#[test]
fn a_part_of_a_site_is_checked_over_the_whole() {
    let directory = tempfile::tempdir().unwrap();
    let base = directory.path().join("site.yaml");
    std::fs::write(&base, SOUND).unwrap();
    let check = |part: &str, with_base: bool| {
        let mut command = command();
        command.args(["check", "-f", "-"]);
        if with_base {
            command.arg("--base").arg(&base);
        }
        finish(command, part)
    };
    let part = "accessPorts: [{name: p2, bridge: web, host: gw-a, interface: vm2}]\n";

    let outcome = check(part, false);
    assert_eq!(outcome.code, 5);
    assert!(outcome.stderr.contains("--base FILE"), "{}", outcome.stderr);
    let outcome = check(part, true);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(outcome.stdout, "stdin is valid: 1 access port\n");
    let outcome = check("bridges: [{name: idle}]\n", true);
    assert_eq!(outcome.code, 12);
    assert!(outcome.stdout.contains("bridges/idle: it has neither"), "{}", outcome.stdout);
    std::fs::write(&base, "hosts: 7\n").unwrap();
    let outcome = check(part, true);
    assert_eq!(outcome.code, 5);
    assert!(outcome.stderr.contains("site.yaml:1:"), "{}", outcome.stderr);
}

#[test]
fn apply_shows_the_places_that_the_daemons_answer_has_no_room_for() {
    use crate::server::{Daemon, Mood};

    let daemon = Daemon::start(Mood::Refuse(proto::v1::ErrorReason::SiteInvalid));
    for verb in ["apply", "diff"] {
        let outcome = daemon.run_with(&[verb, "-f", "-"], "hosts: [{nmae: gw-a}]\n");
        assert_eq!(outcome.code, 5);
        assert!(outcome.stderr.contains("stdin:1:"), "{}", outcome.stderr);

        // What the site has already is no mistake of a document that is laid over it.
        let part = "accessPorts: [{name: p2, bridge: web, mtu: 9}]\n";
        let outcome = daemon.run_with(&[verb, "-f", "-"], part);
        assert!(outcome.stderr.contains("stdin has one mistake"), "{}", outcome.stderr);
        let outcome = daemon.run_with(&[verb, "-f", "-", "--prune"], part);
        assert!(outcome.stderr.contains("stdin has 2 mistakes"), "{}", outcome.stderr);

        // A document without a mistake of its own collides with the site: the daemon knows with what.
        let outcome = daemon.run_with(&[verb, "-f", "-"], SOUND);
        assert_eq!(outcome.code, 5);
        for part in ["the daemon says why", "3:7: no such bridge", "sluice explain SITE_INVALID"] {
            assert!(outcome.stderr.contains(part), "{part} in {}", outcome.stderr);
        }
    }
}
