//! sluiced, the gateway daemon.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use daemon::args::Args;
use daemon::exit::Exit;
use daemon::{logging, node};

fn main() -> ExitCode {
    let args = Args::parse();
    let result = if args.check_host {
        node::check_host(&args.config, args.output).map(|(text, exit)| {
            // Nobody reads it any more: the exit code still says it.
            let _ = writeln!(std::io::stdout(), "{text}");
            exit
        })
    } else {
        logging::start();
        daemon::daemon::run(&args.config).map(|()| Exit::Ok)
    };
    match result {
        Ok(exit) => exit.into(),
        Err(ending) => {
            let _ = writeln!(std::io::stderr(), "sluiced: {ending}");
            ending.exit.into()
        }
    }
}
