//! `sluice wait`: a barrier for scripts and orchestrators.

use std::fmt::Write as _;
use std::io::Write;
use std::time::Duration;

use proto::v1::GetStatusRequest;
use serde::Serialize;

use super::get;
use crate::args::{Condition, Target, Wait};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kind::{Kind, resource_name};
use crate::output::{Output, Report};

/// Between two questions: short against a person's patience, long against what a question costs.
const PERIOD: Duration = Duration::from_millis(50);

/// What was waited for, as it is now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Reached {
    /// Resource names, or `site`.
    objects: Vec<String>,
    condition: &'static str,
    /// The revision that is programmed.
    revision: String,
}

/// Waits until every worker runs the objects, or the whole site.
pub(super) async fn run<W: Write>(
    client: &Client,
    given: Wait,
    out: &mut Output<W>,
) -> Result<Exit, Failure> {
    let Condition::Programmed = given.condition;
    let objects = given
        .objects
        .into_iter()
        .map(|Target { kind, name }| match name {
            Some(name) => Ok((kind, name)),
            None => Err(Failure::Usage(format!(
                "the name is missing: write {}/NAME, or nothing for the whole site",
                kind.collection()
            ))),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut names: Vec<String> =
        objects.iter().map(|(kind, name)| resource_name(*kind, name)).collect();
    if names.is_empty() {
        names.push("site".to_owned());
    }
    let task = format!("wait until {} is programmed", names.join(", "));
    let reached = tokio::time::timeout(client.limit(), async {
        if objects.is_empty() {
            return site(client).await;
        }
        let mut revision = 0;
        for (kind, name) in objects {
            revision = object(client, kind, &name).await?.max(revision);
        }
        Ok(revision)
    });
    let revision = reached.await.map_err(|_| client.late(&task))??;
    let text = names.iter().fold(String::new(), |mut text, name| {
        _ = writeln!(text, "{name} programmed   revision {revision}");
        text
    });
    let revision = revision.to_string();
    let value = Reached { objects: names.clone(), condition: "programmed", revision };
    out.report(&Report { value: &value, names, text })?;
    Ok(Exit::Ok)
}

async fn object(client: &Client, kind: Kind, name: &str) -> Result<u64, Failure> {
    loop {
        let status = get::fetch(client, kind, name).await?.status.unwrap_or_default();
        if status.programmed {
            return Ok(status.revision);
        }
        tokio::time::sleep(PERIOD).await;
    }
}

async fn site(client: &Client) -> Result<u64, Failure> {
    loop {
        let mut state = client.state();
        let status = client.call("read the status", state.get_status(GetStatusRequest {})).await?;
        if status.applied_revision == status.revision {
            return Ok(status.revision);
        }
        tokio::time::sleep(PERIOD).await;
    }
}
