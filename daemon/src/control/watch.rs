//! What changes without being asked: links, the site file, counters, conditions.

use std::time::Duration;

use bridge_model::compile::Link;
use bridge_model::types::InterfaceId;
use proto::failure::Failure;
use rte_rs::LinkState;

use super::Control;
use crate::diagnosis;
use crate::shared::FileState;
use crate::store::{Fingerprint, ReadError};

/// How often links are looked at: a bound on how long frames are sent into a dead link.
const LINKS: Duration = Duration::from_millis(100);
/// How often counters are read for rates.
const COUNTERS: Duration = Duration::from_millis(500);
/// How often everything else is looked at.
const REST: Duration = Duration::from_secs(1);

/// A worker that is in one system call for longer than this part of a second is called back.
const STUCK_PER_SECOND: u64 = 20;

/// When something was last done.
#[derive(Debug, Default)]
struct Every {
    last: Option<Duration>,
}

impl Every {
    fn is_due(&mut self, now: Duration, period: Duration) -> bool {
        let due = self.last.is_none_or(|last| now.saturating_sub(last) >= period);
        if due {
            self.last = Some(now);
        }
        due
    }
}

#[derive(Debug, Default)]
pub(super) struct Schedule {
    links: Every,
    counters: Every,
    rest: Every,
}

impl Control {
    pub(super) fn watch(&mut self, now: Duration) {
        if self.schedule.links.is_due(now, LINKS) {
            self.watch_links();
        }
        if self.schedule.counters.is_due(now, COUNTERS) {
            let reading = self.shared.reading();
            self.shared.observed.lock().window.push(now, reading);
        }
        if self.schedule.rest.is_due(now, REST) {
            self.shared.workers.iter().for_each(|worker| worker.counters.arm_all());
            self.watch_file();
            self.shared.observed.lock().neighbors.expire(now);
            self.watch_conditions(now);
            self.dpdk_log.pass_on();
        }
    }

    fn watch_links(&mut self) {
        for worker in &self.workers {
            worker.nudge(self.ticks_per_second / STUCK_PER_SECOND);
        }
        let mut changed = false;
        for (at, interface) in (0_u16..).zip(&self.shared.interfaces) {
            let state = interface.look();
            let Some(change) = self.monitor.note(InterfaceId(at), state) else { continue };
            changed = true;
            let name = &interface.name;
            match change.to {
                LinkState::Up => tracing::info!(interface = %name, "link is up"),
                LinkState::Down => tracing::warn!(interface = %name, "link is down"),
                LinkState::Removed => {
                    tracing::error!(interface = %name, "the device is not there");
                }
            }
            if let Some(view) = self.view.interfaces.get_mut(usize::from(at)) {
                view.link = if state == LinkState::Up { Link::Up } else { Link::Down };
            }
        }
        if changed {
            self.republish(&[]);
        }
    }

    /// Notices an edit of the site file. Reads it only when its time, length or inode has changed.
    fn watch_file(&mut self) {
        let stamp = self.store.stamp();
        if stamp == self.file_stamp {
            return;
        }
        self.file_stamp = stamp;
        let state = match self.store.read() {
            Ok(text) if Some(Fingerprint::of(&text)) == self.fingerprint => FileState::InForce,
            Ok(_) => FileState::Edited,
            Err(ReadError::Missing { .. }) => FileState::Missing,
            Err(error) => FileState::Refused(error.to_string()),
        };
        self.shared.observed.lock().file = state;
    }

    /// The site file was to be loaded and cannot be.
    pub(super) fn refused(&mut self, failure: &Failure) {
        self.file_stamp = self.store.stamp();
        self.shared.observed.lock().file = FileState::Refused(failure.message.clone());
    }

    fn watch_conditions(&mut self, now: Duration) {
        let conditions = diagnosis::conditions(&self.shared, now);
        let changes = self.shared.observed.lock().since.update(now, &conditions);
        for condition in changes.appeared {
            let (reason, object) = (condition.reason.word(), condition.object);
            let message = condition.message;
            match condition.reason.severity() {
                crate::condition::Severity::Error => {
                    tracing::error!(reason, object, message, "condition");
                }
                crate::condition::Severity::Warning => {
                    tracing::warn!(reason, object, message, "condition");
                }
                crate::condition::Severity::Info => {
                    tracing::info!(reason, object, message, "condition");
                }
            }
        }
        for (reason, object) in changes.ended {
            tracing::info!(reason = reason.word(), object, "condition is over");
        }
    }
}
