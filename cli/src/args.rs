//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use bridge_model::types::{MacAddr, VlanId};
use clap::{ArgGroup, Args, Parser, Subcommand};

use crate::client::DEFAULT_ENDPOINT;
use crate::kind::{self, Kind};
use crate::output::Format;

/// Operates a Sluice gateway: VLANs of a physical network bridged to virtual ones.
#[derive(Debug, Parser)]
#[command(
    name = "sluice",
    version,
    disable_help_subcommand = false,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = crate::exit::help_section(),
    max_term_width = 100
)]
pub(crate) struct Arguments {
    /// Options of every command.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// Format of the result on stdout
    #[arg(short, long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Format,
    /// Where the daemon listens: unix:PATH or http://HOST:PORT; the first of several that answers
    #[arg(
        long,
        global = true,
        env = "SLUICE_ENDPOINTS",
        default_value = DEFAULT_ENDPOINT,
        value_name = "LIST"
    )]
    pub(crate) endpoints: String,
    /// How long to wait for an answer, for example 500ms, 10s or 2m
    #[arg(long, global = true, default_value = "10s", value_parser = timeout, value_name = "TIME")]
    pub(crate) timeout: Duration,
    /// Colour in the text on a terminal; `NO_COLOR` turns `auto` off
    #[arg(long, global = true, value_enum, default_value_t = clap::ColorChoice::Auto, value_name = "WHEN")]
    pub(crate) color: clap::ColorChoice,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show how the gateway is, the worst thing first; exit code 12 if something is wrong
    Status,
    /// List the objects of a kind, or show one
    Get(Get),
    /// Show one object with everything that refers to it
    Describe(Describe),
    /// Look into the MAC tables and change them
    #[command(subcommand)]
    Fdb(Fdb),
    /// Show ports with their counters
    Ports(Ports),
    /// Show the far ends of tunnels, and how they are reached
    Tunnels(Tunnels),
    /// Show the links to the underlay, and the neighbours there
    Underlay,
    /// Show which frames were dropped, why, and what to do about it
    Drops(Drops),
    /// Explain a drop reason, an error, an exit code or a field; needs no daemon
    Explain(Explain),
    /// Check a site file (offline) or this host, before anything is changed
    Check(Check),
    /// Change the site to what a document says
    Apply(Apply),
    /// Show what `apply` would change; exit code 10 if anything
    Diff(Diff),
    /// Print the site as a document that `apply` accepts
    Export,
    /// Wait until the workers run what is configured
    Wait(Wait),
    /// Show the versions of this program and of the daemon
    Version,
    /// Print a completion script for a shell
    Completion {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a directory
    Man {
        /// Created if it does not exist
        directory: PathBuf,
    },
}

/// Arguments of `get`.
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// bridges, trunks, vlanLinks, ... in singular or plural, or KIND/NAME
    #[arg(value_parser = target)]
    pub(crate) kind: Target,
    /// Name within the kind, for example `web`, or `gw/100` for a VLAN link
    pub(crate) name: Option<String>,
}

/// Arguments of `describe`.
#[derive(Debug, Args)]
pub(crate) struct Describe {
    /// bridges, trunks, vlanLinks, ... in singular or plural, or KIND/NAME
    #[arg(value_parser = target)]
    pub(crate) kind: Target,
    /// Name within the kind, for example `web`, or `gw/100` for a VLAN link
    pub(crate) name: Option<String>,
}

/// A kind, with or without the name of one object.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The kind.
    pub(crate) kind: Kind,
    /// What followed the first `/`.
    pub(crate) name: Option<String>,
}

/// Subcommands of `fdb`.
#[derive(Debug, Subcommand)]
pub(crate) enum Fdb {
    /// List the entries that match every filter
    Show(FdbShow),
    /// Add a static entry; it survives a restart
    Add(FdbAdd),
    /// Remove an entry, static or learned
    Del(FdbDel),
    /// Forget learned entries; static ones stay
    Flush(FdbFlush),
}

/// Filters of `fdb show`.
#[derive(Debug, Args)]
pub(crate) struct FdbShow {
    /// Only this bridge
    #[arg(long)]
    pub(crate) bridge: Option<String>,
    /// Only behind this port; `@gw-b` is the tunnel to that host or endpoint
    #[arg(long)]
    pub(crate) port: Option<String>,
    /// Only this station
    #[arg(long)]
    pub(crate) mac: Option<MacAddr>,
    /// Only this VID
    #[arg(long, value_parser = vid)]
    pub(crate) vid: Option<VlanId>,
    /// Only static entries
    #[arg(long = "static", conflicts_with = "learned")]
    pub(crate) only_static: bool,
    /// Only learned entries
    #[arg(long)]
    pub(crate) learned: bool,
}

/// A static entry.
#[derive(Debug, Args)]
pub(crate) struct FdbAdd {
    /// The station's address
    pub(crate) mac: MacAddr,
    /// The bridge that the station is in
    #[arg(long)]
    pub(crate) bridge: String,
    /// The trunk, access port or tunnel behind which the station is
    #[arg(long)]
    pub(crate) port: String,
    /// If the port is a trunk: the VID of the VLAN link that leads there
    #[arg(long, value_parser = vid)]
    pub(crate) vid: Option<VlanId>,
    /// If that link maps a pair of tags: the inner VID
    #[arg(long, value_parser = vid, requires = "vid")]
    pub(crate) inner_vid: Option<VlanId>,
    /// If the bridge is transparent: the VID of the payload's outer tag
    #[arg(long, value_parser = vid)]
    pub(crate) payload_vid: Option<VlanId>,
    /// Check only; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// An entry to remove.
#[derive(Debug, Args)]
pub(crate) struct FdbDel {
    /// The station's address
    pub(crate) mac: MacAddr,
    /// The bridge that the station is in
    #[arg(long)]
    pub(crate) bridge: String,
    /// The VID, if the address is known under several
    #[arg(long, value_parser = vid)]
    pub(crate) vid: Option<VlanId>,
    /// That there is no such entry is success
    #[arg(long)]
    pub(crate) allow_missing: bool,
}

/// What to forget.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("scope").required(true).args(["bridge", "port", "gateway_bridge", "all"]))]
pub(crate) struct FdbFlush {
    /// Everything learned in this bridge
    #[arg(long)]
    pub(crate) bridge: Option<String>,
    /// Everything learned behind this trunk or access port, or behind a tunnel: `@gw-b`
    #[arg(long)]
    pub(crate) port: Option<String>,
    /// Everything learned behind the trunks of this gateway bridge
    #[arg(long)]
    pub(crate) gateway_bridge: Option<String>,
    /// Everything
    #[arg(long)]
    pub(crate) all: bool,
    /// With --gateway-bridge: only this VID
    #[arg(long, value_parser = vid, conflicts_with_all = ["bridge", "port", "all"])]
    pub(crate) vid: Option<VlanId>,
}

/// Arguments of `ports`.
#[derive(Debug, Args)]
pub(crate) struct Ports {
    /// Only this port
    pub(crate) port: Option<String>,
    /// Counters of each VID of the trunks
    #[arg(long)]
    pub(crate) vlans: bool,
    /// The devices of the node file and the counters of their drivers instead
    #[arg(long, conflicts_with_all = ["vlans", "port", "neighbors"])]
    pub(crate) interfaces: bool,
    /// Who is at the other end of the trunks instead, as heard by LLDP
    #[arg(long, conflicts_with_all = ["vlans", "port"])]
    pub(crate) neighbors: bool,
}

/// Arguments of `tunnels`.
#[derive(Debug, Args)]
pub(crate) struct Tunnels {
    /// Only this host or tunnel
    pub(crate) peer: Option<String>,
}

/// Arguments of `drops`.
#[derive(Debug, Args)]
pub(crate) struct Drops {
    /// Only this reason
    #[arg(value_parser = drop_reason)]
    pub(crate) reason: Option<String>,
    /// Only this port or interface; `@gw-b` is a tunnel, `%up0` an underlay link
    #[arg(long)]
    pub(crate) port: Option<String>,
    /// Also the reasons for which nothing was dropped
    #[arg(long)]
    pub(crate) all: bool,
    /// Only where every frame went, for each worker; exit code 12 if the difference is not 0
    #[arg(long, conflicts_with_all = ["reason", "port", "all"])]
    pub(crate) accounting: bool,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["name", "list", "markdown"]))]
pub(crate) struct Explain {
    /// What to explain: `vlan_unknown`, `SITE_INVALID`, `12`, `trunks.native`, ...
    pub(crate) name: Option<String>,
    /// List everything that can be explained
    #[arg(long)]
    pub(crate) list: bool,
    /// Print a page of the documentation
    #[arg(long, value_enum, value_name = "PAGE")]
    pub(crate) markdown: Option<Page>,
}

/// A generated page of the documentation.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Page {
    /// docs/ops/drop-reasons.md
    DropReasons,
    /// docs/ops/exit-codes.md
    ExitCodes,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("subject").required(true).args(["file", "host"]))]
pub(crate) struct Check {
    /// The site document; `-` is stdin
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// With --file: the site that the document is to be laid over, so that it may refer to it
    #[arg(long, requires = "file", value_name = "FILE")]
    pub(crate) base: Option<PathBuf>,
    /// This host: CPUs, memory, devices, permissions
    #[arg(long)]
    pub(crate) host: bool,
    /// With --host: the node file
    #[arg(long, requires = "host", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Arguments of `apply`.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// The site document; `-` is stdin
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Remove objects that the document does not name
    #[arg(long)]
    pub(crate) prune: bool,
    /// Show the plan; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Refuse if the site is not at this revision
    #[arg(long, value_name = "REVISION")]
    pub(crate) expected_revision: Option<u64>,
    /// Repeated with the same id, the change is made once [default: a new one each time]
    #[arg(long, value_name = "ID")]
    pub(crate) request_id: Option<String>,
}

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The site document; `-` is stdin
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Count objects that the document does not name as removed
    #[arg(long)]
    pub(crate) prune: bool,
}

/// Arguments of `wait`.
#[derive(Debug, Args)]
pub(crate) struct Wait {
    /// What to wait for
    #[arg(long = "for", value_enum, value_name = "CONDITION")]
    pub(crate) condition: Condition,
    /// Resource names such as `vlanLinks/gw/100` [default: the whole site]
    #[arg(value_name = "KIND/NAME", value_parser = target)]
    pub(crate) objects: Vec<Target>,
}

/// What can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Condition {
    /// Every worker of the host runs tables that contain it
    Programmed,
}

/// Parses the command line; clap names the mistake and suggests what comes close.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Arguments, clap::Error> {
    Arguments::try_parse_from(arguments)
}

fn target(text: &str) -> Result<Target, String> {
    let (kind, name) = match text.split_once('/') {
        None => (text, None),
        Some((_, "")) => return Err("the name after `/` is missing".to_owned()),
        Some((kind, name)) => (kind, Some(name.to_owned())),
    };
    Ok(Target { kind: kind::parse(kind)?, name })
}

fn drop_reason(text: &str) -> Result<String, String> {
    use bridge_model::reason::DropReason;

    if text.parse::<DropReason>().is_ok() {
        return Ok(text.to_owned());
    }
    let names = DropReason::ALL.iter().map(|reason| reason.name());
    let hint = crate::nearest::nearest(text, names).map_or_else(
        || "see `sluice explain --list`".to_owned(),
        |name| format!("did you mean `{name}`?"),
    );
    Err(format!("no such drop reason; {hint}"))
}

fn vid(text: &str) -> Result<VlanId, String> {
    let raw: u16 = text.parse().map_err(|_| "expected a VLAN id from 1 to 4094".to_owned())?;
    VlanId::new(raw).map_err(|error| error.to_string())
}

/// The longest `--timeout`: a day. Longer ones are typing errors.
const TIMEOUT_SECONDS_MAX: f64 = 86_400.0;

fn timeout(text: &str) -> Result<Duration, String> {
    let expected = || "expected a time such as 500ms, 10s or 2m, at most 24h".to_owned();
    let unit = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
    let (number, unit) = text.split_at(unit.unwrap_or(text.len()));
    let scale = match unit {
        "ms" => 1e-3,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(expected()),
    };
    let seconds = number.parse::<f64>().map_err(|_| expected())? * scale;
    if seconds > 0.0 && seconds <= TIMEOUT_SECONDS_MAX {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(expected())
    }
}

#[cfg(test)]
mod tests;
