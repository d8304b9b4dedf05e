use bridge_model::types::{Epoch, Revision};
use fwd::counters::Snapshot;

use super::*;
use crate::shared::Reading;
use crate::testing::{TICKS_PER_SECOND, shared as host};

fn shared(text: &str) -> Shared {
    host(text, &[])
}

fn words(shared: &Shared, now: Duration) -> Vec<(&'static str, String)> {
    conditions(shared, now).into_iter().map(|c| (c.reason.word(), c.object)).collect()
}

const SITE: &str = "\
hosts: [{name: gw-a}]
bridges: [{name: web}]
gatewayBridges: [{name: gw}]
trunks: [{name: t1, gatewayBridge: gw, host: gw-a, interface: eth1}]
";

#[test]
fn a_host_in_order_has_no_condition() {
    assert_eq!(words(&shared("hosts: [{name: gw-a}]"), Duration::ZERO), []);
}

#[test]
fn a_host_that_the_site_does_not_know_is_told_so() {
    let shared = shared("hosts: [{name: gw-b}]");

    assert_eq!(words(&shared, Duration::ZERO), [("HOST_UNKNOWN", "host".to_owned())]);
}

#[test]
fn a_worker_that_was_not_seen_for_a_second_is_stalled() {
    let shared = shared("hosts: [{name: gw-a}]");
    let seen_ago = |ticks: u64| {
        let alive_at = rte_rs::ticks().saturating_sub(ticks);
        shared.workers[0].observe(&fwd_worker::Observation { alive_at, ..Default::default() });
        words(&shared, Duration::ZERO)
    };

    assert_eq!(seen_ago(TICKS_PER_SECOND / 2), []);
    assert_eq!(seen_ago(TICKS_PER_SECOND), [("WORKER_STALLED", "workers/0".to_owned())]);
}

#[test]
fn a_worker_on_old_tables_is_reported_when_it_had_time_to_take_the_new_ones() {
    let shared = shared("hosts: [{name: gw-a}]");
    shared.workers[0].runs(Epoch(0), Revision(0));

    assert_eq!(words(&shared, STALLED / 2), []);
    assert_eq!(words(&shared, STALLED), [("NOT_PROGRAMMED", "workers/0".to_owned())]);
}

#[test]
fn the_state_of_the_site_file_comes_before_a_port_that_waits() {
    let shared = shared(SITE);
    let waiting = ("PORT_WAITING", "trunks/t1".to_owned());
    assert_eq!(words(&shared, Duration::ZERO).first(), Some(&waiting));

    for (file, word) in [
        (FileState::Missing, "SITE_FILE_MISSING"),
        (FileState::Edited, "SITE_FILE_EDITED"),
        (FileState::Refused("why".to_owned()), "SITE_REFUSED"),
    ] {
        shared.observed.lock().file = file;
        let words = words(&shared, Duration::ZERO);
        assert_eq!(words.len(), 2);
        assert!(
            words.contains(&(word, "host".to_owned())) && words.contains(&waiting),
            "{words:?}"
        );
    }
}

#[test]
fn drops_are_reported_while_they_rise_by_the_worst_reason_of_each_kind() {
    let shared = shared("hosts: [{name: gw-a}]");
    let at = |second: u64, malformed: u64, bad_source: u64, chained: u64, unknown: u64| {
        let mut total = Snapshot::default();
        total.ports.resize_with(2, Default::default);
        let drops = &mut total.ports[1].drops;
        drops[DropReason::Malformed.index()] = malformed;
        drops[DropReason::BadSource.index()] = bad_source;
        drops[DropReason::BufferChained.index()] = chained;
        drops[DropReason::VlanUnknown.index()] = unknown;
        let reading = Reading { total, ..Default::default() };
        shared.observed.lock().window.push(Duration::from_secs(second), reading);
    };
    at(1, 0, 0, 0, 0);
    at(2, 4, 40, 3, 999);

    let found = conditions(&shared, Duration::from_secs(2));
    let words: Vec<_> = found.iter().map(|c| (c.reason.word(), c.object.as_str())).collect();
    assert_eq!(words, [("DROPS_BUG", "ports/t1"), ("DROPS_ATTACK", "ports/t1")]);
    assert!(found[1].message.starts_with("40.0 frames/s are dropped as bad_source"));

    at(3, 4, 40, 3, 5999);
    at(4, 4, 40, 3, 5999);
    at(5, 4, 40, 3, 5999);
    assert_eq!(conditions(&shared, Duration::from_secs(5)), []);
}
