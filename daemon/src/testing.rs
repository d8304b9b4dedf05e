//! A host for unit tests: everything real but the devices.

use std::sync::Arc;
use std::time::Duration;

use bridge_model::compile::{HostView, InterfaceView, Link, Numbering, compile};
use bridge_model::site;
use bridge_model::types::{Epoch, InterfaceId, MacAddr, Name, Revision};
use fwd::counters::{CounterLayout, CounterSlots, Owner, counters};
use fwd::mac::Seed;
use fwd::{Image, Learner, LearnerOptions};

use crate::clock::Clock;
use crate::ports;
use crate::shared::{HostFacts, Learning, Shared, SiteView};
use crate::workers::{WorkerFacts, WorkerView};

/// The rate of the workers' clock.
pub(crate) const TICKS_PER_SECOND: u64 = 1_000_000_000;

/// The host gw-a with this site, one worker, and these interfaces, whose links are up. The counters
/// of port `t1` have slot 1.
pub(crate) fn shared(text: &str, interfaces: &[&str]) -> Shared {
    let topology = site::parse("site.yaml", text).unwrap();
    let name: Name = "gw-a".parse().unwrap();
    let interface = |name: &&str| InterfaceView {
        name: name.parse().unwrap(),
        mtu: 1500,
        mac: MacAddr::ZERO,
        link: Link::Up,
    };
    let interfaces = interfaces.iter().map(interface).collect();
    let view = HostView::new(name.clone(), interfaces);
    let mut numbering = Numbering::default();
    let compiled = compile(&topology, &view, &mut numbering, Revision(1)).unwrap();
    let layout = CounterLayout::default();
    let mut slots = CounterSlots::new(layout);
    slots.port(Owner::Port("t1".parse().unwrap()));
    let learner = learner(&compiled, layout, &mut slots);
    let ports = ports::local(&topology, &view, &compiled.tables, |_: InterfaceId| false);
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
    Shared::new((Clock::start(), host), Arc::new(site), learning, vec![worker], Vec::new())
}

fn learner(
    compiled: &bridge_model::compile::Compiled,
    layout: CounterLayout,
    slots: &mut CounterSlots,
) -> Learner {
    let options = LearnerOptions {
        log2_buckets: 17,
        max_log2_buckets: 17,
        seed: Seed::predictable(1),
        layout,
    };
    let mut learner = Learner::new(&options).unwrap();
    let parts = learner.image_parts(Epoch(1), slots, TICKS_PER_SECOND);
    let image = Arc::new(Image::build(&compiled.tables, parts).unwrap());
    assert_eq!(learner.install(&image, &compiled.static_macs, Duration::ZERO), []);
    learner
}
