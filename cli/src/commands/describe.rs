//! `sluice describe`: one object, its state, and everything that refers to it.

use std::fmt::Write as _;
use std::io::Write;

use proto::v1::{ListPortsRequest, Port, Resource};
use serde::Serialize;
use serde_json::Value;

use super::get;
use super::status::condition_text;
use crate::args::Describe;
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kind::Kind;
use crate::output::{Colour, Output, Report, grouped, word, yes};

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
        &[
            ("bridge", Kind::Bridge),
            ("port", Kind::Trunk),
            ("port", Kind::AccessPort),
            ("port", Kind::Tunnel),
        ],
    ),
];

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    resource: Resource,
    /// Of a port that is bound to this host: what it does right now.
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<Port>,
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
    let port = port(client, kind, &resource.name).await?;
    let description = Description { resource, port, referrers };
    let text = text(&description, out.colour)?;
    let names = vec![description.resource.name.clone()];
    out.report(&Report { value: &description, names, text })?;
    Ok(Exit::Ok)
}

async fn port(client: &Client, kind: Kind, name: &str) -> Result<Option<Port>, Failure> {
    if !matches!(kind, Kind::Trunk | Kind::AccessPort) {
        return Ok(None);
    }
    let mut state = client.state();
    let request = ListPortsRequest { port: name.to_owned(), with_vlans: false };
    let answer = client.call("read the port", state.list_ports(request)).await;
    match answer {
        Ok(answer) => Ok(answer.ports.into_iter().find(|port| port.name == name)),
        // It is bound to another host, or to none.
        Err(failure) if failure.exit() == Exit::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
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
    let mut lines = vec![("Name".to_owned(), resource.name.clone())];
    flatten("", &spec_value(resource)?, &mut lines);
    if let Some(status) = &resource.status {
        let programmed = format!("{} (revision {})", yes(status.programmed), status.revision);
        lines.push(("Programmed".to_owned(), programmed));
        if let Some(octets) = status.effective_mtu {
            lines.push(("Effective MTU".to_owned(), octets.to_string()));
        }
    }
    if let Some(port) = &description.port {
        lines.push(("State".to_owned(), word(port.state().as_str_name(), "STATE_")));
        let counters = port.counters.unwrap_or_default();
        let frames = |count| format!("{} frames", grouped(count));
        lines.push(("Received".to_owned(), frames(counters.rx_packets)));
        lines.push(("Sent".to_owned(), frames(counters.tx_packets)));
        lines.push(("Dropped".to_owned(), frames(port.dropped_packets)));
        lines.push(("Stations".to_owned(), grouped(port.mac_entries)));
    }
    let width = lines.iter().map(|(label, _)| label.len()).max().unwrap_or(0) + 1;
    let mut text = String::new();
    for (label, value) in lines {
        _ = writeln!(text, "{:<width$}  {value}", format!("{label}:"));
    }
    let conditions = resource.status.as_ref().map_or(&[][..], |status| &status.conditions);
    text.push_str(if conditions.is_empty() { "" } else { "Conditions:\n" });
    for condition in conditions {
        text.push_str(&condition_text(condition, colour));
    }
    text.push_str(if description.referrers.is_empty() { "" } else { "Referred to by:\n" });
    for name in &description.referrers {
        _ = writeln!(text, "  {name}");
    }
    Ok(text)
}

/// The fields that are set, as lines: `stormControl.broadcast.burst` is a line of its own.
fn flatten(path: &str, value: &Value, lines: &mut Vec<(String, String)>) {
    let text = match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                flatten(&format!("{path}{dot}{key}"), value, lines);
            }
            return;
        }
        Value::Null => return,
        // A list of objects with lists in them does not fit on a line.
        Value::Array(items) if items.iter().any(is_nested) => {
            for (index, item) in items.iter().enumerate() {
                flatten(&format!("{path}[{index}]"), item, lines);
            }
            return;
        }
        Value::Array(items) => items.iter().map(item).collect::<Vec<_>>().join(", "),
        Value::Number(tpid) if path == "tpid" => {
            tpid.as_u64().map_or_else(String::new, |tpid| format!("{tpid:#06x}"))
        }
        other => item(other),
    };
    if !text.is_empty() {
        lines.push((path.to_owned(), text));
    }
}

fn is_nested(value: &Value) -> bool {
    value.as_object().is_some_and(|fields| fields.values().any(Value::is_array))
}

/// A value on one line: VID ranges as in the site file, enum values without their prefix.
fn item(value: &Value) -> String {
    const PREFIXES: [&str; 6] =
        ["ADMIN_STATE_", "POLICY_", "MODE_", "KIND_", "IP_VERSION_", "UDP_CHECKSUM_"];
    match value {
        Value::String(text) => match PREFIXES.iter().find(|prefix| text.starts_with(**prefix)) {
            Some(prefix) => word(text, prefix),
            None => text.clone(),
        },
        Value::Object(fields) => match (fields.get("first"), fields.get("last")) {
            (Some(first), Some(last)) if first == last => first.to_string(),
            (Some(first), Some(last)) => format!("{first}-{last}"),
            _ => fields.values().map(item).collect::<Vec<_>>().join(" "),
        },
        other => other.to_string(),
    }
}
