use std::sync::Arc;

use bridge_model::compile::{HostView, Numbering, compile};
use bridge_model::site;
use bridge_model::types::{Epoch, InterfaceId, Revision};
use fwd::counters::{CounterLayout, CounterSlots, Snapshot, counters};
use fwd::mac::Seed;
use fwd::{Image, Learner, LearnerOptions};

use super::*;
use crate::clock::Clock;
use crate::ports;
use crate::shared::{HostFacts, Learning, Reading};
use crate::workers::{WorkerFacts, WorkerView};

const TICKS_PER_SECOND: u64 = 1_000_000_000;

/// A host with this site, one worker and no device.
fn shared(text: &str) -> Shared {
    let topology = site::parse("site.yaml", text).unwrap();
    let name: bridge_model::types::Name = "gw-a".parse().unwrap();
    let view = HostView { host: name.clone(), interfaces: Vec::new() };
    let mut numbering = Numbering::default();
    let compiled = compile(&topology, &view, &mut numbering, Revision(1)).unwrap();
    let layout = CounterLayout::default();
    let mut learner = Learner::new(&LearnerOptions {
        log2_buckets: 17,
        max_log2_buckets: 17,
        seed: Seed::predictable(1),
        layout,
    })
    .unwrap();
    let mut slots = CounterSlots::new(layout);
    slots.port(Owner::Port("t1".parse().unwrap()));
    let parts = learner.image_parts(Epoch(1), &mut slots, TICKS_PER_SECOND);
    let image = Arc::new(Image::build(&compiled.tables, parts).unwrap());
    learner.install(&image, &compiled.static_macs, Duration::ZERO);
    let ports = ports::local(&topology, &view, &compiled.tables, |_: InterfaceId| true);
    let site = SiteView {
        topology: Arc::new(topology),
        revision: Revision(1),
        epoch: Epoch(1),
        view,
        tables: compiled.tables,
        numbering,
        slots,
        ports,
        notes: compiled.notes,
        published: Duration::ZERO,
    };
    let facts = WorkerFacts {
        index: 0,
        cpu: 0,
        interfaces: Vec::new(),
        isa: "scalar",
        ticks_per_second: TICKS_PER_SECOND,
    };
    let worker = WorkerView::new(facts, counters(layout).1);
    worker.runs(Epoch(1), Revision(1));
    let host = HostFacts {
        name,
        node_file: "sluice.toml".to_owned(),
        site_file: "site.yaml".to_owned(),
        notes: Vec::new(),
    };
    let learning = Learning { learner, released: Vec::new(), rebuild: false, refused: 0 };
    let clock = Clock::start();
    Shared::new((clock, host), Arc::new(site), learning, vec![worker], Vec::new())
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
