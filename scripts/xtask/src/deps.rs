//! The dependency rule: who may depend on whom inside the workspace.
//!
//! The rule is what makes the architecture's absences hold: a crate that cannot name tokio or DPDK
//! cannot block on one or crash in the other. Test and build dependencies count as well: a test
//! that needs a forbidden crate belongs to another crate.

use std::collections::BTreeSet;

use cargo_metadata::MetadataCommand;

use crate::tree::{self, TreeError};

/// Crate of the workspace -> the crates of the workspace that it may depend on, directly.
///
/// A crate that is not in this table may not exist: add it here, with its reasons, first.
/// `cluster` and `loadgen` have their place reserved.
const ALLOWED: &[(&str, &[&str])] = &[
    ("bridge-model", &[]),
    ("proto", &["bridge-model"]),
    ("cluster", &["bridge-model", "proto"]),
    ("fwd", &["bridge-model"]),
    ("dpdk-sys", &[]),
    ("rte-rs", &["dpdk-sys"]),
    ("pmd-config", &["rte-rs"]),
    ("fwd-worker", &["bridge-model", "fwd", "rte-rs"]),
    ("loadgen", &["rte-rs"]),
    ("cli", &["bridge-model", "proto"]),
    ("daemon", &EVERYTHING),
    ("perf", &["bridge-model", "fwd", "loadgen"]),
    // Sees what a packet meets and nothing else, so that it runs without DPDK.
    ("fuzz", &["bridge-model", "fwd"]),
    ("xtask", &[]),
];

/// What the composition root may see.
const EVERYTHING: [&str; 9] = [
    "bridge-model",
    "proto",
    "cluster",
    "fwd",
    "fwd-worker",
    "pmd-config",
    "rte-rs",
    "dpdk-sys",
    "loadgen",
];

/// Crate, crates from outside that it must never name, and the reason.
const NEVER: &[(&str, &[&str], &str)] = &[
    (
        "bridge-model",
        &["tokio", "libc", "nix", "rand", "parking_lot", "tracing"],
        "it decides, and does nothing else: no I/O, clock, thread or randomness",
    ),
    ("proto", &["libc", "nix", "rand"], "it is a contract and its conversions"),
    (
        "fwd",
        &["tokio", "tonic", "tracing", "nix"],
        "no executor, log line or system interface belongs on the packet path",
    ),
    ("fwd-worker", &["tokio", "tonic"], "a worker polls; an executor belongs to the control plane"),
];

/// A dependency between two crates, by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    from: String,
    to: String,
    /// Whether `to` is a crate of the workspace.
    inside: bool,
}

/// What is wrong with the dependencies of this workspace.
pub(crate) fn findings() -> Result<Vec<String>, TreeError> {
    let metadata =
        MetadataCommand::new().manifest_path(tree::root().join("Cargo.toml")).no_deps().exec()?;
    let members: BTreeSet<String> =
        metadata.packages.iter().map(|package| package.name.to_string()).collect();
    let edges: BTreeSet<Edge> = metadata
        .packages
        .iter()
        .flat_map(|package| {
            package.dependencies.iter().map(|dependency| Edge {
                from: package.name.to_string(),
                to: dependency.name.clone(),
                inside: dependency.path.is_some(),
            })
        })
        .collect();
    Ok(judge(&members, &edges))
}

fn judge(members: &BTreeSet<String>, edges: &BTreeSet<Edge>) -> Vec<String> {
    let unknown = members.iter().filter(|name| allowed(name).is_none()).map(|name| {
        format!("{name} is not in the dependency rule: give it a row in scripts/xtask/src/deps.rs")
    });
    let broken =
        edges.iter().filter_map(|edge| if edge.inside { inner(edge) } else { outer(edge) });
    unknown.chain(broken).collect()
}

fn allowed(name: &str) -> Option<&'static [&'static str]> {
    ALLOWED.iter().find(|(from, _)| *from == name).map(|(_, to)| *to)
}

fn inner(edge: &Edge) -> Option<String> {
    let may = allowed(&edge.from)?;
    if may.contains(&edge.to.as_str()) {
        return None;
    }
    let list = if may.is_empty() { "no crate of the workspace".to_owned() } else { may.join(", ") };
    Some(format!(
        "{} -> {}: forbidden; {} may depend on {list} (ARCHITECTURE.md, dependency rule)",
        edge.from, edge.to, edge.from
    ))
}

fn outer(edge: &Edge) -> Option<String> {
    let (_, _, reason) = NEVER
        .iter()
        .find(|(from, never, _)| *from == edge.from && never.contains(&edge.to.as_str()))?;
    Some(format!("{} -> {}: forbidden; {reason}", edge.from, edge.to))
}

#[cfg(test)]
mod tests;
