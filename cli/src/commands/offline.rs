//! Completion scripts and manual pages, from the definition of the command line itself.

use std::fs;
use std::io::Write;
use std::path::Path;

use clap::CommandFactory;

use crate::args::Arguments;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// Prints the completion script for `shell`.
pub(super) fn completion<W: Write>(
    shell: clap_complete::Shell,
    out: &mut Output<W>,
) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "sluice", &mut script);
    out.bytes(&script)?;
    Ok(Exit::Ok)
}

/// Writes one page per command into `directory`.
pub(super) fn man(directory: &Path) -> Result<Exit, Failure> {
    let fail = |source| Failure::Write { path: directory.to_owned(), source };
    fs::create_dir_all(directory).map_err(fail)?;
    clap_mangen::generate_to(Arguments::command(), directory).map_err(fail)?;
    Ok(Exit::Ok)
}
