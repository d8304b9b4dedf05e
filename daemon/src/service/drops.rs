//! Why frames were dropped, with an example of each kind.

use bridge_model::reason::{DropReason, Severity};
use bridge_model::topology::Topology;
use bridge_model::wire;
use fwd::counters::PortSlot;
use proto::failure::Failure;
use proto::{field, v1};

use super::timestamp;
use crate::diagnosis::owner_text;
use crate::failures;
use crate::shared::{Observed, Shared};

const fn badness(severity: Severity) -> u8 {
    match severity {
        Severity::Bug => 4,
        Severity::Attack => 3,
        Severity::Capacity => 2,
        Severity::Config => 1,
        Severity::Expected => 0,
    }
}

/// One line of `ListDrops` for `slot`, without the counts.
fn drop_line(
    shared: &Shared,
    observed: &Observed,
    (slot, reason): (PortSlot, DropReason),
) -> v1::Drop {
    let sample = observed.samples.get(slot, reason).map(|(moment, sample)| v1::FrameSample {
        octets: sample.head.to_vec().into(),
        frame_length: sample.octets,
        time: Some(timestamp(shared.clock.wall_at(*moment))),
        summary: wire::text::describe(&sample.head),
        interface: shared
            .interfaces
            .get(sample.interface.index())
            .map(|interface| interface.name.to_string())
            .unwrap_or_default(),
    });
    v1::Drop {
        reason: reason.name().to_owned(),
        stage: reason.stage().name().to_owned(),
        severity: reason.severity().name().to_owned(),
        meaning: reason.meaning().to_owned(),
        remedy: reason.remedy().to_owned(),
        sample,
        ..v1::Drop::default()
    }
}

/// Whether the site has a port of this name, here or on another host.
fn is_port(topology: &Topology, name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or(name);
    topology.trunks.contains_key(name) || topology.access_ports.contains_key(name)
}

/// `ListDrops`.
pub(super) fn drops(
    shared: &Shared,
    request: &v1::ListDropsRequest,
) -> Result<v1::ListDropsResponse, Failure> {
    let wanted: Option<DropReason> = match request.reason.as_str() {
        "" => None,
        text => Some(text.parse().map_err(|why| field::bad("reason", &why))?),
    };
    let site = shared.site();
    let total = shared.reading().total;
    let observed = shared.observed.lock();
    let mut lines: Vec<(DropReason, v1::Drop)> = Vec::new();
    let mut is_known = request.port.is_empty() || is_port(&site.topology, &request.port);
    let reasons = || DropReason::ALL.iter().copied().filter(|r| wanted.is_none_or(|w| w == *r));
    for (index, owner) in site.slots.owners().iter().enumerate() {
        let Some(slot) = PortSlot::from_index(index) else { continue };
        let name = owner_text(&site, owner);
        let is_named = |name: &str| name.rsplit('/').next() == Some(request.port.as_str());
        if !request.port.is_empty() && request.port != name && !is_named(&name) {
            continue;
        }
        is_known = true;
        for reason in reasons() {
            let frames = total.port(slot).drops[reason.index()];
            if frames == 0 {
                continue;
            }
            let mut line = drop_line(shared, &observed, (slot, reason));
            line.port.clone_from(&name);
            line.frames = frames;
            line.frames_per_second =
                observed.window.per_second(|r| r.total.port(slot).drops[reason.index()]);
            lines.push((reason, line));
        }
    }
    if !is_known {
        return Err(failures::not_found(&format!("port {}", request.port)));
    }
    if request.with_zero {
        for reason in reasons() {
            if !lines.iter().any(|(seen, _)| *seen == reason) {
                let at = (PortSlot::UNATTRIBUTED, reason);
                lines.push((reason, v1::Drop { sample: None, ..drop_line(shared, &observed, at) }));
            }
        }
    }
    lines.sort_by(|(a, line_a), (b, line_b)| {
        let dropped = (line_a.frames == 0).cmp(&(line_b.frames == 0));
        let severity = badness(b.severity()).cmp(&badness(a.severity()));
        dropped.then(severity).then(line_b.frames.cmp(&line_a.frames))
    });
    Ok(v1::ListDropsResponse { drops: lines.into_iter().map(|(_, line)| line).collect() })
}
