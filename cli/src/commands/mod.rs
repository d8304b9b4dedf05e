//! One module per command, or per family of commands.

mod apply;
mod check;
mod describe;
mod drops;
mod explain;
mod fdb;
mod get;
mod host;
mod offline;
mod ports;
mod status;
mod tunnels;
mod underlay;
mod version;
mod wait;

use std::io::{self, Read, Write};
use std::path::Path;

use crate::args::{Arguments, Command, Global};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// The largest document that is read: what the API accepts.
const DOCUMENT_OCTETS_MAX: u64 = 8 << 20;

/// Runs the command that was asked for.
pub(crate) fn run<W: Write>(arguments: Arguments, mut output: Output<W>) -> Result<Exit, Failure> {
    let out = &mut output;
    match arguments.command {
        Command::Explain(given) => explain::run(&given, out),
        Command::Check(given) => check::run(&given, out),
        Command::Completion { shell } => offline::completion(shell, out),
        Command::Man { directory } => offline::man(&directory),
        online => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(Failure::Runtime)?;
            runtime.block_on(talk(online, &arguments.global, out))
        }
    }
}

/// Runs a command that needs a daemon.
async fn talk<W: Write>(
    command: Command,
    global: &Global,
    out: &mut Output<W>,
) -> Result<Exit, Failure> {
    if let Command::Version = command {
        return version::run(global, out).await;
    }
    let client = Client::connect(&global.endpoints, global.timeout).await?;
    match command {
        Command::Status => status::run(&client, out).await,
        Command::Get(given) => get::run(&client, given, out).await,
        Command::Describe(given) => describe::run(&client, given, out).await,
        Command::Fdb(given) => fdb::run(&client, given, out).await,
        Command::Ports(given) => ports::run(&client, given, out).await,
        Command::Tunnels(given) => tunnels::run(&client, given, out).await,
        Command::Underlay => underlay::run(&client, out).await,
        Command::Drops(given) => drops::run(&client, given, out).await,
        Command::Apply(given) => apply::apply(&client, &given, out).await,
        Command::Diff(given) => apply::diff(&client, &given, out).await,
        Command::Export => apply::export(&client, out).await,
        Command::Wait(given) => wait::run(&client, given, out).await,
        Command::Version
        | Command::Explain(_)
        | Command::Check(_)
        | Command::Completion { .. }
        | Command::Man { .. } => Err(Failure::Usage("this command needs no daemon".to_owned())),
    }
}

/// A document and what to call it in messages.
#[derive(Debug)]
struct Document {
    name: String,
    text: String,
}

impl Document {
    /// Reads `path`; `-` is stdin.
    fn read(path: &Path) -> Result<Self, Failure> {
        let fail = |source| Failure::Read { path: path.to_owned(), source };
        let mut octets = Vec::new();
        if path == Path::new("-") {
            io::stdin()
                .lock()
                .take(DOCUMENT_OCTETS_MAX + 1)
                .read_to_end(&mut octets)
                .map_err(fail)?;
        } else {
            let file = std::fs::File::open(path).map_err(fail)?;
            file.take(DOCUMENT_OCTETS_MAX + 1).read_to_end(&mut octets).map_err(fail)?;
        }
        if octets.len() as u64 > DOCUMENT_OCTETS_MAX {
            let limit = crate::output::octets(DOCUMENT_OCTETS_MAX);
            let text = format!("{} is longer than {limit}: not a site document", path.display());
            return Err(Failure::Site(text));
        }
        let name =
            if path == Path::new("-") { "stdin".to_owned() } else { path.display().to_string() };
        let text = String::from_utf8(octets).map_err(|error| Failure::NotText {
            path: path.to_owned(),
            offset: error.utf8_error().valid_up_to(),
        })?;
        Ok(Self { name, text })
    }
}
