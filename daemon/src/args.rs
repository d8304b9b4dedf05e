//! The command line of `sluiced`.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// The Sluice gateway daemon: bridges VLANs of a physical network to bridges of an overlay.
///
/// It reads the node file, brings up the devices named there, and serves the API on a local socket.
/// SIGHUP reads the site file again, SIGTERM stops without losing a frame that was accepted.
#[derive(Debug, Parser)]
#[command(name = "sluiced", version, after_help = AFTER)]
pub struct Args {
    /// The node file.
    #[arg(long, value_name = "FILE", default_value = "/etc/sluice/sluice.toml")]
    pub config: PathBuf,
    /// Check whether this host can run the node file, print the findings, and exit: 0 if it can, 12
    /// if there are problems.
    #[arg(long)]
    pub check_host: bool,
    /// How to print the findings.
    #[arg(short, long, value_enum, default_value_t = Format::Table, requires = "check_host")]
    pub output: Format,
}

/// How to print results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Lines for people.
    Table,
    /// One JSON document.
    Json,
}

const AFTER: &str = "\
Environment: RUST_LOG sets the log filter (default: info); NOTIFY_SOCKET and WATCHDOG_USEC as set by
systemd.
Exit status: 0 stopped as asked, 1 error, 2 usage, 3 no such node file, 4 another sluiced holds the
socket, state folder or an interface, 5 invalid node or site file, 8 not permitted, 12 the host does
not fit the node file.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Args as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn an_output_format_without_a_result_is_a_usage_error() {
        let error = Args::try_parse_from(["sluiced", "-o", "json"]).unwrap_err();

        assert_eq!(error.exit_code(), 2);
    }
}
