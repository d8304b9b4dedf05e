//! `sluice check --host`: whether this machine can run the daemon.
//!
//! The daemon knows, because it would have to start there; this program runs its check and shows the
//! findings. So the two cannot come to different results, and this program needs no DPDK.

use std::env;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::Value;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Colour, Output, Report, Tone};

/// The daemon's program name.
const DAEMON: &str = "sluiced";

/// One line of the daemon's answer.
#[derive(Debug, Deserialize)]
struct Finding {
    severity: String,
    subject: String,
    text: String,
    #[serde(default)]
    fix: Option<String>,
}

/// Runs the daemon's check of the node file `config` (default: the daemon's own).
pub(super) fn check<W: Write>(config: Option<&Path>, out: &mut Output<W>) -> Result<Exit, Failure> {
    let daemon = find_daemon()?;
    let mut command = Command::new(&daemon);
    command.args(["--check-host", "-o", "json"]);
    if let Some(config) = config {
        command.arg("--config").arg(config);
    }
    let fail = |reason: String, remedy| Failure::HostCheck { reason, remedy };
    // What the daemon has to say on stderr is for the same reader.
    let answer =
        command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(|error| {
            let reason = format!("{} does not run: {error}", daemon.display());
            fail(reason, "reinstall the package, or name the right one first in PATH")
        })?;
    let code = answer.status.code();
    if answer.stdout.trim_ascii().is_empty() {
        return Err(Failure::DaemonRefused { daemon, code });
    }
    let value: Value = serde_json::from_slice(&answer.stdout).map_err(|error| {
        let reason = format!("{} answers with no JSON: {error}", daemon.display());
        fail(reason, "install the same version of both: `sluice version`, `sluiced --version`")
    })?;
    let findings = findings(&value).map_err(|error| {
        let reason = format!("the answer of {} is not understood: {error}", daemon.display());
        fail(reason, "install the same version of both: `sluice version`, `sluiced --version`")
    })?;
    let names = findings.iter().map(|finding| finding.subject.clone()).collect();
    let text = text(&findings, out.colour);
    out.report(&Report { value: &value, names, text })?;
    let has_problem = findings.iter().any(|finding| finding.severity.eq_ignore_ascii_case("fail"));
    let is_fine = code == Some(0) && !has_problem;
    Ok(if is_fine { Exit::Ok } else { Exit::Problems })
}

/// The findings, in a list of their own or in the field `findings`.
fn findings(value: &Value) -> Result<Vec<Finding>, serde_json::Error> {
    serde_json::from_value(value.get("findings").unwrap_or(value).clone())
}

fn text(findings: &[Finding], colour: Colour) -> String {
    let width = findings.iter().map(|finding| finding.subject.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for Finding { severity, subject, text: found, fix } in findings {
        let tone = match severity.to_ascii_lowercase().as_str() {
            "ok" => Tone::Good,
            "warn" => Tone::Warning,
            _ => Tone::Bad,
        };
        let mark = colour.paint(tone, &format!("{severity:<4}"));
        _ = write!(text, "{mark}  {subject:<width$}  {found}");
        if let Some(fix) = fix {
            _ = write!(text, "   fix: {fix}");
        }
        text.push('\n');
    }
    let count =
        |word: &str| findings.iter().filter(|f| f.severity.eq_ignore_ascii_case(word)).count();
    let (failed, warned) = (count("fail"), count("warn"));
    _ = match (failed, warned) {
        (0, 0) => writeln!(text, "this host can run the daemon"),
        (0, _) => writeln!(text, "this host can run the daemon; {warned} to improve"),
        (_, _) => writeln!(text, "the daemon cannot run: {failed} to mend, {warned} to improve"),
    };
    text
}

/// The daemon beside this program, or the first one in `PATH`.
fn find_daemon() -> Result<PathBuf, Failure> {
    let own = env::current_exe().ok();
    let beside = own.as_deref().and_then(Path::parent).map(|directory| directory.join(DAEMON));
    let path = env::var_os("PATH").unwrap_or_default();
    beside.into_iter().chain(in_path(&path)).find(|candidate| candidate.is_file()).ok_or_else(
        || Failure::HostCheck {
            reason: format!("{DAEMON} is neither beside this program nor in PATH"),
            remedy: "install the daemon on this host, or run the check where it is installed",
        },
    )
}

fn in_path(path: &OsStr) -> impl Iterator<Item = PathBuf> {
    env::split_paths(path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(DAEMON))
        .collect::<Vec<_>>()
        .into_iter()
}
