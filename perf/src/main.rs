//! `sluice-perf`: measures, prints a table, writes a result file.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use perf::fwd::{self, Effort};
use perf::manifest::Manifest;
use perf::report::{FWD_SET_UP, Report};

#[derive(Debug, Parser)]
#[command(name = "sluice-perf", about = "Benchmarks of the Sluice data plane", version)]
struct Cli {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// The forwarding pipeline in process: cycles per packet by number of MACs and instruction set.
    Fwd(FwdArgs),
}

#[derive(Debug, Args)]
struct FwdArgs {
    /// Numbers of stations to measure with.
    #[arg(long, value_delimiter = ',', default_value = "1,1000,100000,1000000")]
    macs: Vec<usize>,
    /// Only this instruction set: `scalar`, `avx2` or `avx512`.
    #[arg(long)]
    kernel: Option<String>,
    /// Runs of each point.
    #[arg(long, default_value_t = Effort::FULL.runs)]
    runs: usize,
    /// Bursts of 32 frames in a run.
    #[arg(long, default_value_t = Effort::FULL.bursts)]
    bursts: usize,
    /// A few short runs with few stations: shows that it works, the figures mean nothing.
    #[arg(long, conflicts_with_all = ["macs", "runs", "bursts"])]
    smoke: bool,
    /// Also write the result with all samples to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Scene(#[from] fwd::SceneError),
    #[error("cannot write {}: {error}", file.display())]
    Write { file: PathBuf, error: io::Error },
    #[error("cannot turn the result into JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}

fn main() -> ExitCode {
    let Bench::Fwd(arguments) = Cli::parse().bench;
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "sluice-perf: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &FwdArgs) -> Result<(), Failure> {
    let manifest = Manifest::collect();
    let (macs, effort) = if arguments.smoke {
        (vec![1, 1000], Effort::SMOKE)
    } else {
        let effort = Effort { runs: arguments.runs.max(1), bursts: arguments.bursts.max(1) };
        (arguments.macs.clone(), effort)
    };
    let mut points = Vec::new();
    for macs in macs {
        points.extend(fwd::measure(macs, arguments.kernel.as_deref(), effort)?);
    }
    let report = Report { manifest, set_up: FWD_SET_UP, fwd: points };
    io::stdout().write_all(report.markdown().as_bytes())?;
    if let Some(file) = &arguments.json {
        let text = serde_json::to_string_pretty(&report)?;
        let failed = |error| Failure::Write { file: file.clone(), error };
        fs::write(file, text + "\n").map_err(failed)?;
    }
    Ok(())
}
