//! `sluice describe`: one object, its state, and everything that refers to it.

use std::fmt::Write as _;
use std::io::Write;

use proto::v1::Resource;
use serde::Serialize;
use serde_json::Value;

use super::get;
use super::status::condition_text;
use crate::args::Describe;
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kind::Kind;
use crate::output::{Colour, Output, Report, yes};

/// Kinds whose objects refer to others, and the fields that do.
const REFERENCES: [(Kind, &[(&str, Kind)]); 6] = [
    (
        Kind::Trunk,
        &[("gatewayBridge", Kind::GatewayBridge), ("host", Kind::Host), ("lag", Kind::Lag)],
    ),
    (Kind::VlanLink, &[("gatewayBridge", Kind::GatewayBridge), ("bridge", Kind::Bridge)]),
    (Kind::AccessPort, &[("bridge", Kind::Bridge), ("host", Kind::Host)]),
    (Kind::TunnelZone, &[("hosts", Kind::Host)]),
    (Kind::Tunnel, &[("zone", Kind::TunnelZone), ("bridges", Kind::Bridge)]),
    (
        Kind::StaticMac,
        &[("bridge", Kind::Bridge), ("port", Kind::Trunk), ("port", Kind::AccessPort)],
    ),
];

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    resource: Resource,
    /// Resource names of the objects that refer to it.
    referrers: Vec<String>,
}

/// Shows everything about one object.
pub(super) async fn run<W: Write>(
    client: &Client,
    given: Describe,
    out: &mut Output<W>,
) -> Result<Exit, Failure> {
    let kind = given.kind.kind;
    let Some(name) = get::single(given.kind, given.name)? else {
        return Err(Failure::Usage(format!(
            "the name is missing: sluice describe {} NAME; see `sluice get {0}`",
            kind.collection()
        )));
    };
    let resource = get::fetch(client, kind, &name).await?;
    let referrers = referrers(client, kind, &name).await?;
    let description = Description { resource, referrers };
    let text = text(&description, out.colour)?;
    let names = vec![description.resource.name.clone()];
    out.report(&Report { value: &description, names, text })?;
    Ok(Exit::Ok)
}

async fn referrers(client: &Client, kind: Kind, name: &str) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    for (from, fields) in REFERENCES {
        let fields: Vec<&str> =
            fields.iter().filter(|(_, to)| *to == kind).map(|(field, _)| *field).collect();
        if fields.is_empty() {
            continue;
        }
        for resource in get::list(client, from).await?.resources {
            let spec = spec_value(&resource)?;
            if fields.iter().any(|field| spec.get(*field).is_some_and(|value| names(value, name))) {
                found.push(resource.name);
            }
        }
    }
    Ok(found)
}

/// Whether a field names the object, alone or in a list.
fn names(value: &Value, name: &str) -> bool {
    match value {
        Value::String(text) => text == name,
        Value::Array(items) => items.iter().any(|item| item.as_str() == Some(name)),
        _ => false,
    }
}

/// The specification as JSON, without the name of its kind around it.
fn spec_value(resource: &Resource) -> Result<Value, Failure> {
    let bare = Resource { name: String::new(), status: None, spec: resource.spec.clone() };
    let value = serde_json::to_value(bare)
        .map_err(|error| Failure::Encode { format: "JSON", reason: error.to_string() })?;
    let spec = value.as_object().and_then(|object| object.values().find(|value| value.is_object()));
    Ok(spec.cloned().unwrap_or_default())
}

fn text(description: &Description, colour: Colour) -> Result<String, Failure> {
    let resource = &description.resource;
    let mut text = format!("Name:         {}\n", resource.name);
    if let Value::Object(fields) = spec_value(resource)? {
        for (key, value) in fields {
            let shown = match &value {
                Value::String(text) if text.is_empty() => continue,
                Value::Null => continue,
                Value::Array(items) if items.is_empty() => continue,
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            _ = writeln!(text, "{:<13} {shown}", format!("{key}:"));
        }
    }
    if let Some(status) = &resource.status {
        _ = writeln!(
            text,
            "{:<13} {} (revision {})",
            "Programmed:",
            yes(status.programmed),
            status.revision
        );
        text.push_str(if status.conditions.is_empty() { "" } else { "Conditions:\n" });
        for condition in &status.conditions {
            text.push_str(&condition_text(condition, colour));
        }
    }
    text.push_str(if description.referrers.is_empty() { "" } else { "Referred to by:\n" });
    for name in &description.referrers {
        _ = writeln!(text, "  {name}");
    }
    Ok(text)
}
