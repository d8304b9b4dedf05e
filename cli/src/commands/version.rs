//! `sluice version`: this program and, if it answers, the daemon.

use std::io::Write;

use proto::v1::GetStatusRequest;
use serde::Serialize;

use crate::args::Global;
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Report};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Versions {
    client: ClientVersion,
    daemon: DaemonVersion,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ClientVersion {
    version: &'static str,
    api: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DaemonVersion {
    /// Absent if it does not answer.
    version: Option<String>,
    host: Option<String>,
    endpoints: String,
    /// Why it does not answer.
    error: Option<String>,
}

/// Shows both versions. A daemon that does not answer is no failure: its absence is the answer.
pub(super) async fn run<W: Write>(global: &Global, out: &mut Output<W>) -> Result<Exit, Failure> {
    let asked = ask(global).await;
    let version = env!("CARGO_PKG_VERSION");
    let mut daemon = DaemonVersion {
        version: None,
        host: None,
        endpoints: global.endpoints.clone(),
        error: None,
    };
    let answer = match asked {
        Ok((version, host)) => {
            let text = format!("{version} on host {host}");
            (daemon.version, daemon.host) = (Some(version), Some(host));
            text
        }
        Err(failure @ Failure::Endpoint { .. }) => return Err(failure),
        Err(failure) => {
            let first = failure.to_string().lines().next().unwrap_or_default().to_owned();
            daemon.error = Some(first.clone());
            first
        }
    };
    let text = format!("sluice   {version} (API sluice.v1)\nsluiced  {answer}\n");
    let client = ClientVersion { version, api: "sluice.v1" };
    let names = vec![version.to_owned()];
    out.report(&Report { value: &Versions { client, daemon }, names, text })?;
    Ok(Exit::Ok)
}

async fn ask(global: &Global) -> Result<(String, String), Failure> {
    let client = Client::connect(&global.endpoints, global.timeout).await?;
    let mut state = client.state();
    let status = client.call("read the version", state.get_status(GetStatusRequest {})).await?;
    Ok((status.version, status.host))
}
