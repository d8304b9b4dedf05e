//! The forwarding pipeline in process: no device, one core.
//!
//! A source writes frames into buffers, the real burst function forwards them, a sink takes the
//! buffers back. Buffers are 2 KiB apart with their own metadata line, as those of a driver, and go
//! round first in, first out. Time stamps are taken around every 16 bursts; what the source and the sink cost
//! is measured in the same run with the forwarder left out (*empty*) and printed beside the result,
//! never subtracted.

mod buffer;
pub mod flood;
mod rig;
mod scene;
pub mod tunnel;

#[cfg(test)]
mod tests;

use bridge_model::types::InterfaceId;
use fwd::mac::Isa;
use serde::Serialize;

use crate::stats::Summary;
pub use rig::SceneError;
pub use scene::Scene;

/// Which way frames go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// In by the trunk, tag popped, out by the access port.
    TrunkToAccess,
    /// In by the access port, tag pushed, out by the trunk.
    AccessToTrunk,
}

impl Direction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::TrunkToAccess, Self::AccessToTrunk];

    /// As printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TrunkToAccess => "trunk -> access (pop)",
            Self::AccessToTrunk => "access -> trunk (push)",
        }
    }

    const fn ingress(self) -> InterfaceId {
        match self {
            Self::TrunkToAccess => scene::TRUNK,
            Self::AccessToTrunk => scene::ACCESS,
        }
    }
}

/// How much to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Runs of each point.
    pub runs: usize,
    /// Bursts in a run.
    pub bursts: usize,
}

impl Effort {
    /// For figures.
    pub const FULL: Self = Self { runs: 41, bursts: 4096 };
    /// To see that it works.
    pub const SMOKE: Self = Self { runs: 3, bursts: 64 };
}

/// One measured point.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// Stations in the MAC table, half of them on each side.
    pub macs: usize,
    /// The instruction set.
    pub kernel: &'static str,
    /// Which way.
    pub direction: Direction,
    /// Cycles per packet of the forwarder: burst and transmission.
    pub forward: Summary,
    /// Cycles per packet of the whole loop, source and sink included.
    pub whole: Summary,
    /// Cycles per packet of the loop without the forwarder.
    pub empty: Summary,
}

/// Measures one number of stations with every instruction set that this processor has, or only with
/// the one called `kernel`.
pub fn measure(
    macs: usize,
    kernel: Option<&str>,
    effort: Effort,
) -> Result<Vec<Point>, SceneError> {
    let mut points = Vec::new();
    for isa in Isa::available().filter(|isa| kernel.is_none_or(|kernel| kernel == isa.name())) {
        let mut scene = Scene::new(macs, isa)?;
        for direction in Direction::ALL {
            points.push(point(&mut scene, isa, direction, effort)?);
        }
    }
    Ok(points)
}

fn point(
    scene: &mut Scene,
    isa: Isa,
    direction: Direction,
    effort: Effort,
) -> Result<Point, SceneError> {
    // Warm: caches, branch predictors, and the page tables of everything touched.
    scene.run(direction, effort.bursts / 4 + 1)?;
    let (mut forward, mut whole, mut empty) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..effort.runs {
        let run = scene.run(direction, effort.bursts)?;
        forward.push(run.forward);
        whole.push(run.whole);
        empty.push(scene.run_empty(direction, effort.bursts));
    }
    Ok(Point {
        macs: scene.macs(),
        kernel: isa.name(),
        direction,
        forward: Summary::of(forward),
        whole: Summary::of(whole),
        empty: Summary::of(empty),
    })
}
