//! Results as a Markdown table and as JSON.

use std::fmt::Write as _;

use serde::Serialize;

use crate::fwd::Point;
use crate::manifest::Manifest;

/// One result file.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The machine and the program.
    pub manifest: Manifest,
    /// What the numbers are.
    pub set_up: &'static str,
    /// The points.
    pub fwd: Vec<Point>,
}

/// How `fwd` figures are taken.
pub const FWD_SET_UP: &str = "in process, one core, no device: a source writes 64-octet frames into \
    512 buffers of 2 KiB, bursts of 32, learning on, stations in random order; TSC cycles per \
    packet, median (least, most) of the runs";

impl Report {
    /// A table for people.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        let machine = &self.manifest;
        let _ = writeln!(
            text,
            "{} ({} CPUs, THP {}), revision {}, {} build, load {}",
            machine.cpu_model,
            machine.cpus,
            machine.transparent_hugepages,
            machine.revision,
            machine.profile,
            machine.load
        );
        let _ = writeln!(text, "{}\n", self.set_up);
        text.push_str("| MACs | direction | kernel | forwarder | whole loop | empty loop |\n");
        text.push_str("|---:|---|---|---:|---:|---:|\n");
        for point in &self.fwd {
            let _ = writeln!(
                text,
                "| {} | {} | {} | **{:.1}** ({:.1}, {:.1}) | {:.1} ({:.1}, {:.1}) | {:.1} ({:.1}, {:.1}) |",
                point.macs,
                point.direction.name(),
                point.kernel,
                point.forward.median,
                point.forward.min,
                point.forward.max,
                point.whole.median,
                point.whole.min,
                point.whole.max,
                point.empty.median,
                point.empty.min,
                point.empty.max,
            );
        }
        text
    }
}
