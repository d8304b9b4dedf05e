//! `sluice-perf`: measures, prints a table, writes a result file.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use ::fwd::mac::Isa;
use clap::{Args, Parser, Subcommand};
use perf::clock;
use perf::fwd::flood::{self, Target};
use perf::fwd::tunnel::{self, Wrapping};
use perf::fwd::{self, Effort};
use perf::manifest::Manifest;
use perf::report::{Points, Report};

#[derive(Debug, Parser)]
#[command(name = "sluice-perf", about = "Benchmarks of the Sluice data plane", version)]
struct Cli {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// The forwarding pipeline in process: cycles per packet by number of MACs and instruction set.
    Fwd {
        /// Numbers of stations to measure with.
        #[arg(long, value_delimiter = ',', default_value = "1,1000,100000,1000000")]
        macs: Vec<usize>,
        #[command(flatten)]
        common: Common,
    },
    /// VLANs that lead into tunnels, and back: cycles per packet by number of VLANs and kind of tunnel.
    Tunnel {
        /// Numbers of VLANs to measure with; each has a bridge and a VNI of its own.
        #[arg(long, value_delimiter = ',', default_value = "1,100,1000,4094")]
        vlans: Vec<u16>,
        /// Stations in all, or two for each VLAN if that is more.
        #[arg(long, default_value_t = 1000)]
        macs: usize,
        #[command(flatten)]
        common: Common,
    },
    /// Flooding to many ports and to many tunnels: cycles per copy.
    Flood {
        /// Numbers of copies to measure with, at most 200.
        #[arg(long, value_delimiter = ',', default_value = "2,4,8,16,32,64")]
        copies: Vec<u16>,
        /// Octets of the frames, without frame check sequence, at most 1500.
        #[arg(long, value_delimiter = ',', default_value = "60,1500")]
        octets: Vec<usize>,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Args)]
struct Common {
    /// Only this instruction set: `scalar`, `avx2` or `avx512`. Without, `fwd` takes all that this
    /// processor has, and the others the best.
    #[arg(long)]
    kernel: Option<String>,
    /// Runs of each point.
    #[arg(long, default_value_t = Effort::FULL.runs)]
    runs: usize,
    /// Bursts of 32 frames in a run.
    #[arg(long, default_value_t = Effort::FULL.bursts)]
    bursts: usize,
    /// A few short runs: shows that it works, the figures mean nothing.
    #[arg(long, conflicts_with_all = ["runs", "bursts"])]
    smoke: bool,
    /// Also write the result with all samples to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Common {
    fn effort(&self) -> Effort {
        if self.smoke {
            return Effort::SMOKE;
        }
        Effort { runs: self.runs.max(1), bursts: self.bursts.max(1) }
    }

    /// The instruction set asked for, or the best.
    fn isa(&self) -> Result<Isa, Failure> {
        let Some(name) = &self.kernel else { return Ok(Isa::detect()) };
        let found = Isa::available().find(|isa| isa.name() == name);
        found.ok_or_else(|| Failure::Kernel { name: name.clone() })
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Scene(#[from] fwd::SceneError),
    #[error("this processor has no `{name}`: leave out --kernel, or ask for `scalar`")]
    Kernel { name: String },
    #[error("cannot write {}: {error}", file.display())]
    Write { file: PathBuf, error: io::Error },
    #[error("cannot turn the result into JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}

fn main() -> ExitCode {
    let bench = Cli::parse().bench;
    match run(&bench) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "sluice-perf: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(bench: &Bench) -> Result<(), Failure> {
    let manifest = Manifest::collect();
    let (points, common) = match bench {
        Bench::Fwd { macs, common } => (forwarding(macs, common)?, common),
        Bench::Tunnel { vlans, macs, common } => (tunnels(vlans, *macs, common)?, common),
        Bench::Flood { copies, octets, common } => (floods(copies, octets, common)?, common),
    };
    let ticks_per_second = clock::ticks_per_second();
    let report = Report { manifest, set_up: points.set_up(), ticks_per_second, points };
    io::stdout().write_all(report.markdown().as_bytes())?;
    if let Some(file) = &common.json {
        let text = serde_json::to_string_pretty(&report)?;
        let failed = |error| Failure::Write { file: file.clone(), error };
        fs::write(file, text + "\n").map_err(failed)?;
    }
    Ok(())
}

fn forwarding(macs: &[usize], common: &Common) -> Result<Points, Failure> {
    let macs = if common.smoke { &[1, 1000] } else { macs };
    let mut points = Vec::new();
    for macs in macs {
        points.extend(fwd::measure(*macs, common.kernel.as_deref(), common.effort())?);
    }
    Ok(Points::Fwd(points))
}

fn tunnels(vlans: &[u16], macs: usize, common: &Common) -> Result<Points, Failure> {
    let vlans = if common.smoke { &[1, 100] } else { vlans };
    let mut points = Vec::new();
    for wrapping in Wrapping::ALL {
        for vlans in vlans {
            let scene = (*vlans, macs);
            points.extend(tunnel::measure(wrapping, scene, common.isa()?, common.effort())?);
        }
    }
    Ok(Points::Tunnel(points))
}

fn floods(copies: &[u16], octets: &[usize], common: &Common) -> Result<Points, Failure> {
    let copies = if common.smoke { &[2, 8] } else { copies };
    let mut points = Vec::new();
    for target in Target::ALL {
        for octets in octets {
            for copies in copies {
                let scene = ((*copies).clamp(1, 200), (*octets).clamp(60, 1500));
                points.push(flood::measure(target, scene, common.isa()?, common.effort())?);
            }
        }
    }
    Ok(Points::Flood(points))
}
