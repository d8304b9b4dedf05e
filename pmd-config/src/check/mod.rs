//! Whether the host fits the node file: every finding with the exact fix, before anything starts.
//!
//! Serves `sluice check --host` and the daemon's own start. Opens no device and changes nothing.

mod cards;
mod finding;
mod kernel;
mod sockets;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::instance::{self, Holder};
use crate::node::{Interface, Kind, NodeFile, ObjectName};
use crate::plan::{self, Plan, PlannedDevice};
use crate::probe::Host;

pub use self::finding::{Finding, Severity};

pub(crate) use self::finding::Findings;

/// All findings, and the plan if none of them is a failure. Displayed one finding a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    findings: Vec<Finding>,
    #[serde(skip)]
    plan: Option<Plan>,
}

impl Report {
    /// The findings in the order they were made.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How many findings keep the daemon from starting.
    pub fn problems(&self) -> usize {
        self.count(Severity::Fail)
    }

    /// How many findings could be better.
    pub fn warnings(&self) -> usize {
        self.count(Severity::Warn)
    }

    /// The plan, when there are no problems.
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    /// The plan, or the problems.
    ///
    /// # Errors
    /// The findings that are failures.
    pub fn into_plan(self) -> Result<Plan, NotReady> {
        let fails = |finding: &Finding| finding.severity == Severity::Fail;
        self.plan.ok_or(NotReady { problems: self.findings.into_iter().filter(fails).collect() })
    }

    fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        let plural = |count| if count == 1 { "" } else { "s" };
        let (problems, warnings) = (self.problems(), self.warnings());
        write!(f, "{problems} problem{}, {warnings} warning{}", plural(problems), plural(warnings))
    }
}

/// The host does not fit the node file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotReady {
    /// The failures; at least one.
    pub problems: Vec<Finding>,
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this host does not fit the node file:")?;
        for problem in &self.problems {
            write!(f, "\n{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for NotReady {}

/// What one interface's check may look at.
pub(crate) struct Context<'a> {
    pub(crate) node: &'a NodeFile,
    pub(crate) host: &'a Host,
    /// A daemon that runs with this node file already: what it made is not in the way.
    pub(crate) holder: Option<Holder>,
}

/// Checks `host` against `node`, and plans.
pub fn check(node: &NodeFile, host: &Host) -> Report {
    let mut findings = Findings::default();
    let context = Context { node, host, holder: instance::other_holder(node) };
    if let Some(holder) = context.holder {
        findings.warn(
            "daemon",
            format!("sluiced ({holder}) runs with this node file: what it holds is not checked"),
            "none needed unless you want to start a second one: give that its own node file",
        );
    }
    let name = name(node, host, &mut findings);
    folders(&context, &mut findings);
    management(host, &mut findings);
    let devices: Vec<_> = node
        .interfaces
        .iter()
        .map(|interface| device(&context, interface, &mut findings))
        .collect();
    cards::same_card_twice(node, &devices, &mut findings);
    let plan = name.and_then(|name| plan::plan(node, host, name, devices, &mut findings));
    let plan = plan.filter(|_| !findings.has_failed());
    if node.interfaces.is_empty() {
        findings.warn(
            "interfaces",
            "the node file names none: nothing will be forwarded",
            "add a section [interfaces.NAME] with kind = ..",
        );
    }
    Report { findings: findings.into_vec(), plan }
}

/// How findings call an interface.
pub(crate) fn subject(interface: &Interface) -> String {
    format!("interface {}", interface.name)
}

fn name(node: &NodeFile, host: &Host, findings: &mut Findings) -> Option<ObjectName> {
    if let Some(name) = &node.name {
        return Some(name.clone());
    }
    let name = host.hostname.parse::<ObjectName>();
    if name.is_err() {
        findings.fail(
            "name",
            format!("the host name {:?} cannot name a node", host.hostname),
            "add name = \"..\" to the node file",
        );
    }
    name.ok()
}

/// The device of an interface and the NUMA node it is on, unless something speaks against it.
fn device(
    context: &Context<'_>,
    interface: &Interface,
    findings: &mut Findings,
) -> Option<(PlannedDevice, Option<u32>)> {
    let fits = match &interface.kind {
        Kind::Pci(selector) => return cards::check(context, interface, selector, findings),
        Kind::AfPacket { interface: kernel } => {
            kernel::af_packet(context, interface, kernel, findings)
        }
        Kind::Tap { interface: kernel } => kernel::tap(context, interface, kernel, findings),
        Kind::Memif { role, socket, .. } | Kind::VhostUser { role, socket } => {
            sockets::listener(context, interface, *role, socket, findings)
        }
        Kind::VirtioUser { socket } => sockets::virtio_user(context, interface, socket, findings),
        Kind::Pcap { rx, tx } => {
            sockets::pcap(context, interface, rx.as_deref(), tx.as_deref(), findings)
        }
        Kind::Ring => {
            findings.ok(subject(interface), "ring: what is sent comes in again");
            true
        }
        Kind::Null => {
            findings.ok(subject(interface), "null: receives nothing, throws away what is sent");
            true
        }
    };
    let device = PlannedDevice::of_virtual(&interface.kind).filter(|_| fits)?;
    Some((device, None))
}

/// The folders that the daemon writes to.
fn folders(context: &Context<'_>, findings: &mut Findings) {
    let run = context.node.run_folder();
    for (subject, folder) in [("control socket", run), ("state", &context.node.state)] {
        if let Some(missing) = unwritable(context.host, folder) {
            findings.fail(
                subject,
                format!("cannot make files in {}: {missing}", folder.display()),
                format!("install -d -o $(id -un) {}", folder.display()),
            );
        }
    }
}

/// Why no files can be made in `folder`, which the daemon makes itself if it is missing.
fn unwritable(host: &Host, folder: &Path) -> Option<String> {
    let existing = folder.ancestors().find(|folder| host.root.exists(folder))?;
    if host.root.may_make_files(existing) {
        return None;
    }
    Some(if host.root.path(existing).is_dir() {
        format!("{} is not writable for this user", existing.display())
    } else {
        format!("{} is not a folder", existing.display())
    })
}

fn management(host: &Host, findings: &mut Findings) {
    let names = host.management.default_route.union(&host.management.ssh);
    for name in names {
        if let Some(reason) = host.management.reason(name) {
            findings.ok("management", format!("{name} carries {reason}: left alone"));
        }
    }
}
