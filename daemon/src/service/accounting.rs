//! Where every frame went.

use bridge_model::reason::PuntReason;
use fwd::counters::{Accounting, PortSlot, Snapshot};
use proto::v1;

use crate::diagnosis::owner_text;
use crate::shared::Shared;

fn line(accounting: &Accounting) -> v1::AccountingLine {
    v1::AccountingLine {
        received: accounting.received,
        originated: accounting.originated,
        copied: accounting.copied,
        sent: accounting.sent,
        consumed: accounting.consumed,
        dropped: accounting.dropped,
        difference: i64::try_from(accounting.difference()).unwrap_or(i64::MAX),
    }
}

/// `GetAccounting`.
pub(super) fn accounting(shared: &Shared) -> v1::Accounting {
    let site = shared.site();
    let snapshots: Vec<_> =
        shared.workers.iter().map(|worker| worker.counters.snapshot()).collect();
    let mut total = Snapshot::default();
    for snapshot in &snapshots {
        total += snapshot;
    }
    let mut consumed = Vec::new();
    for (index, owner) in site.slots.owners().iter().enumerate() {
        let Some(slot) = PortSlot::from_index(index) else { continue };
        for reason in PuntReason::ALL {
            let frames = total.port(slot).consumed[reason.index()];
            if frames > 0 {
                let (protocol, port) = (reason.name().to_owned(), owner_text(&site, owner));
                consumed.push(v1::ConsumedFrames { protocol, port, frames });
            }
        }
    }
    v1::Accounting {
        total: Some(line(&total.accounting())),
        workers: snapshots.iter().map(|snapshot| line(&snapshot.accounting())).collect(),
        consumed,
    }
}
