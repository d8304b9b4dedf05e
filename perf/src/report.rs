//! Results as Markdown tables and as JSON.

use std::fmt::Write as _;

use serde::Serialize;

use crate::fwd::Point;
use crate::fwd::flood::FloodPoint;
use crate::fwd::tunnel::TunnelPoint;
use crate::manifest::Manifest;
use crate::stats::Summary;

/// One result file.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The machine and the program.
    pub manifest: Manifest,
    /// What the numbers are.
    pub set_up: &'static str,
    /// Ticks per second of the time stamp counter.
    pub ticks_per_second: f64,
    /// The points.
    pub points: Points,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Points {
    /// Trunk and access port.
    Fwd(Vec<Point>),
    /// VLANs and tunnels.
    Tunnel(Vec<TunnelPoint>),
    /// Copies of flooded frames.
    Flood(Vec<FloodPoint>),
}

impl Points {
    /// How these figures are taken.
    pub const fn set_up(&self) -> &'static str {
        match self {
            Self::Fwd(_) => {
                "in process, one core, no device: a source writes 64-octet frames into 512 buffers \
                 of 2 KiB, bursts of 32, learning on, stations in random order; TSC cycles per \
                 packet, median (least, most) of the runs"
            }
            Self::Tunnel(_) => {
                "in process, one core, no device: a source writes UDP packets in tagged frames of \
                 64 octets, or the same in a tunnel's packets, into 512 buffers of 2 KiB, bursts \
                 of 32, learning on, stations in random order, one bridge and one VNI for each \
                 VLAN; TSC cycles per packet, median (least, most) of the runs"
            }
            Self::Flood(_) => {
                "in process, one core, no device: broadcasts of one known station, bursts of 32, \
                 copied by the device set into buffers that were sent last; TSC cycles per copy \
                 that leaves, median (least, most) of the runs"
            }
        }
    }
}

impl Report {
    /// A table for people.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        let machine = &self.manifest;
        let _ = writeln!(
            text,
            "{} ({} CPUs, THP {}), revision {}, {} build, load {}, TSC {:.2} GHz",
            machine.cpu_model,
            machine.cpus,
            machine.transparent_hugepages,
            machine.revision,
            machine.profile,
            machine.load,
            self.ticks_per_second / 1e9
        );
        let _ = writeln!(text, "{}\n", self.set_up);
        match &self.points {
            Points::Fwd(points) => forwarding(&mut text, points),
            Points::Tunnel(points) => self.tunnels(&mut text, points),
            Points::Flood(points) => self.floods(&mut text, points),
        }
        text
    }

    /// Millions per second on one core at so many cycles each.
    fn millions(&self, cycles: &Summary) -> f64 {
        self.ticks_per_second / cycles.median.max(1.0) / 1e6
    }

    fn tunnels(&self, text: &mut String, points: &[TunnelPoint]) {
        text.push_str(
            "| VLANs | MACs | tunnel | direction | kernel | forwarder | Mpps | whole loop | empty loop |\n",
        );
        text.push_str("|---:|---:|---|---|---|---:|---:|---:|---:|\n");
        for point in points {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | **{:.1}**{} | {:.1} | {:.1}{} | {:.1}{} |",
                point.vlans,
                point.macs,
                point.wrapping.name(),
                point.way.name(),
                point.kernel,
                point.forward.median,
                spread(&point.forward),
                self.millions(&point.forward),
                point.whole.median,
                spread(&point.whole),
                point.empty.median,
                spread(&point.empty),
            );
        }
    }

    fn floods(&self, text: &mut String, points: &[FloodPoint]) {
        text.push_str(
            "| copies | to | octets | kernel | cycles per copy | million copies/s | empty loop |\n",
        );
        text.push_str("|---:|---|---:|---|---:|---:|---:|\n");
        for point in points {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | **{:.1}**{} | {:.1} | {:.1}{} |",
                point.copies,
                point.target.name(),
                point.octets,
                point.kernel,
                point.forward.median,
                spread(&point.forward),
                self.millions(&point.forward),
                point.empty.median,
                spread(&point.empty),
            );
        }
    }
}

fn forwarding(text: &mut String, points: &[Point]) {
    text.push_str("| MACs | direction | kernel | forwarder | whole loop | empty loop |\n");
    text.push_str("|---:|---|---|---:|---:|---:|\n");
    for point in points {
        let _ = writeln!(
            text,
            "| {} | {} | {} | **{:.1}**{} | {:.1}{} | {:.1}{} |",
            point.macs,
            point.direction.name(),
            point.kernel,
            point.forward.median,
            spread(&point.forward),
            point.whole.median,
            spread(&point.whole),
            point.empty.median,
            spread(&point.empty),
        );
    }
}

/// Least and most.
fn spread(summary: &Summary) -> String {
    format!(" ({:.1}, {:.1})", summary.min, summary.max)
}
