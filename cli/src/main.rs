//! `sluice`, the operator's command line: a client of `sluice.v1` and of nothing else.
//!
//! Results go to stdout, everything else to stderr, and the exit code says what happened
//! (`docs/ops/exit-codes.md`).
//!
//! **Architecture invariant:** no knowledge of the gateway's inside. What it prints comes from the API,
//! from the lists in `bridge-model`, or from a file that it was given.
#![forbid(unsafe_code)]

mod args;
mod client;
mod commands;
mod exit;
mod explain;
mod failure;
mod kind;
mod nearest;
mod output;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::ColorChoice;

use crate::args::Arguments;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Colour, Output, Tone};

fn main() -> ExitCode {
    let arguments = match args::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are results; a reader that has left does not matter.
            _ = error.print();
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
            return exit.code().into();
        }
    };
    let choice = arguments.global.color;
    match run(arguments) {
        Ok(exit) => exit.code().into(),
        Err(failure) => {
            complain(choice, &failure);
            failure.exit().code().into()
        }
    }
}

fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let stdout = io::stdout();
    let colour = colour(arguments.global.color, stdout.is_terminal());
    let output = Output::new(stdout.lock(), arguments.global.output, colour);
    commands::run(arguments, output)
}

/// `NO_COLOR` counts when it is set to anything but nothing (no-color.org).
fn colour(choice: ColorChoice, is_terminal: bool) -> Colour {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Colour::choose(choice, no_color, is_terminal)
}

fn complain(choice: ColorChoice, failure: &Failure) {
    let stderr = io::stderr();
    let label = colour(choice, stderr.is_terminal()).paint(Tone::Bad, "error:");
    // Nobody is left to tell if stderr is closed.
    _ = writeln!(stderr.lock(), "{label} {failure}");
}
