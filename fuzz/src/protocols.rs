//! The protocol machines of the underlay and the learner of neighbours.

use std::time::Duration;

use bridge_model::types::UnderlayId;
use bridge_model::underlay::{Action, Machine};

use crate::{records, scene};

/// Actions for one event at most: more would be a storm that one frame starts.
const MOST_ACTIONS: usize = 64;

/// Records of (link and time, frame): no frame panics or makes the machine send without end, and time
/// always moves on.
pub fn protocols(input: &[u8]) {
    let table = &scene::compiled().tables.underlay;
    let mut now = Duration::ZERO;
    let mut machine = Machine::new(1);
    machine.configure(now, table, &vec![true; table.links.len()]);
    drain(&mut machine, table);
    for (first, frame) in records(input) {
        // Three bits choose how much time passes: nothing to 32 s.
        now += Duration::from_millis(u64::from(first >> 5).pow(5) * 2);
        if machine.due().is_some_and(|due| due <= now) {
            machine.tick(now);
            assert!(machine.due().is_none_or(|due| due > now), "a tick settles what was due");
            drain(&mut machine, table);
        }
        let links = u16::try_from(table.links.len()).unwrap_or(1);
        machine.frame(now, UnderlayId(u16::from(first & 31) % links), frame);
        drain(&mut machine, table);
    }
}

fn drain(machine: &mut Machine, table: &bridge_model::compile::UnderlayTable) {
    let mut actions = 0;
    while let Some(action) = machine.poll() {
        actions += 1;
        assert!(actions <= MOST_ACTIONS, "an avalanche: {action:?}");
        if let Action::Send { link, frame } = action {
            let link = table.links.get(link.index());
            assert!(link.is_some_and(|link| frame.len() <= usize::from(link.mtu) + 14));
        }
    }
}
