use bridge_model::types::{Epoch, InterfaceId, Revision};
use fwd::DropSample;
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

#[test]
fn a_spanning_tree_frame_on_an_access_port_is_reported_until_none_came_for_a_while() {
    let shared = shared(
        "hosts: [{name: gw-a}]\n\
         bridges: [{name: web}]\n\
         accessPorts: [{name: t1, bridge: web}]",
    );
    let at = Duration::from_secs;
    let site = shared.site();
    let port = Owner::Port("t1".parse().unwrap());
    let slot = site.slots.owners().iter().position(|owner| *owner == port).unwrap();
    let head =
        [0x01, 0x80, 0xc2, 0, 0, 0, 0x52, 0x54, 0, 0, 0, 1, 0, 0x26, 0x42, 0x42, 3, 0, 0, 2, 2, 0];
    let arrives = |second, reason| {
        let sample = DropSample {
            reason,
            port: PortSlot::from_index(slot).unwrap(),
            interface: InterfaceId(0),
            octets: 60,
            ticks: 0,
            head: head.into_iter().collect(),
        };
        shared.observed.lock().samples.keep(at(second), sample);
    };
    let messages = |second| {
        let found = conditions(&shared, at(second)).into_iter();
        let found = found.filter(|condition| condition.reason == Reason::BpduOnAccess);
        found.map(|c| format!("{} {}", c.object, c.message)).collect::<Vec<_>>()
    };

    arrives(100, DropReason::Reserved);
    assert_eq!(messages(100), [""; 0]);

    arrives(100, DropReason::BpduOnAccess);
    let reported = |ago| {
        format!(
            "ports/t1 a spanning tree frame arrived {ago} s ago: \
             52:54:00:00:00:01 > 01:80:c2:00:00:00 BPDU RSTP"
        )
    };
    assert_eq!(messages(102), [reported(2)]);
    assert_eq!(messages(129), [reported(29)]);
    assert_eq!(messages(130), [""; 0]);

    arrives(140, DropReason::BpduOnAccess);
    assert_eq!(messages(140), [reported(0)]);
}
