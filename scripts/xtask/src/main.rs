//! `cargo run -p xtask -- COMMAND`: checks of the tree that are longer than 50 lines of shell.
//!
//! Architecture invariant: it reads the tree and nothing else; no crate of the product depends on
//! it, and it depends on none of them.

mod deps;
mod tidy;
mod tree;

use std::io::Write as _;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo run -p xtask -- COMMAND

  deps    every dependency between crates of the workspace is one that the architecture allows
  tidy    raw memory access in its home only, file lengths, left-overs, documentation that keeps up
  check   both
";

fn main() -> ExitCode {
    let command = std::env::args().nth(1).unwrap_or_default();
    let findings = match command.as_str() {
        "deps" => deps::findings(),
        "tidy" => tidy::findings(),
        "check" => deps::findings().and_then(|mut all| {
            all.extend(tidy::findings()?);
            Ok(all)
        }),
        _ => return report(USAGE, 2),
    };
    match findings {
        Ok(findings) if findings.is_empty() => report(&format!("xtask {command}: ok\n"), 0),
        Ok(findings) => {
            let count = findings.len();
            report(&format!("{}\nxtask {command}: {count} to repair\n", findings.join("\n")), 1)
        }
        Err(error) => report(&format!("xtask {command}: {error}\n"), 1),
    }
}

/// Writes the text to the stream that its exit code calls for.
fn report(text: &str, code: u8) -> ExitCode {
    let written = if code == 0 {
        std::io::stdout().write_all(text.as_bytes())
    } else {
        std::io::stderr().write_all(text.as_bytes())
    };
    // A reader that closed the pipe early must not turn a finding into a success.
    match written {
        Ok(()) => ExitCode::from(code),
        Err(_) => ExitCode::FAILURE,
    }
}
