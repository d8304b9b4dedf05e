//! How two descriptions of a site differ, and how one is laid over another.

use std::collections::BTreeMap;
use std::fmt;

use super::fields::{Field, Value};
use super::{ObjectRef, Topology};

/// What happens to objects that the newer description does not mention.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prune {
    /// They stay.
    #[default]
    Keep,
    /// They go.
    Remove,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added,
    /// It has other properties.
    Changed,
    /// It is gone.
    Removed,
}

/// One object that differs between two descriptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What happened.
    pub kind: Change,
    /// The object, such as `vlanLinks/gw/100`.
    pub object: ObjectRef,
    /// The properties that differ: key in the site file, old and new text. Of an object that is new
    /// or gone, those that are not at their default; the missing side is empty.
    pub fields: Vec<(String, String, String)>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.kind {
            Change::Added => '+',
            Change::Changed => '~',
            Change::Removed => '-',
        };
        write!(f, "{sign} {}", self.object)?;
        for (index, (key, old, new)) in self.fields.iter().enumerate() {
            let gap = if index == 0 { "   " } else { ", " };
            match self.kind {
                Change::Added => write!(f, "{gap}{key} {new}")?,
                Change::Removed => write!(f, "{gap}{key} {old}")?,
                Change::Changed => write!(f, "{gap}{key} {old} -> {new}")?,
            }
        }
        Ok(())
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Absent => "none".to_owned(),
        Value::Text(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The properties of an object that appears or disappears.
fn properties(fields: &[Field]) -> impl Iterator<Item = (String, String)> + '_ {
    fields
        .iter()
        .filter(|field| !field.identity && !field.is_default)
        .map(|field| (field.key.to_owned(), text(&field.value)))
}

impl Topology {
    /// What changes when `newer` replaces this description, in the order of [`super::Kind::ALL`].
    pub fn diff(&self, newer: &Self) -> Vec<Difference> {
        let mut old: BTreeMap<_, _> = self.described().into_iter().collect();
        let mut differences = Vec::new();
        for (object, fields) in newer.described() {
            match old.remove(&object) {
                None => {
                    let fields = properties(&fields).map(|(key, new)| (key, String::new(), new));
                    let fields = fields.collect();
                    differences.push(Difference { kind: Change::Added, object, fields });
                }
                Some(before) => {
                    let changed: Vec<_> = before
                        .iter()
                        .zip(&fields)
                        .filter(|(before, after)| before.value != after.value)
                        .map(|(before, after)| {
                            (before.key.to_owned(), text(&before.value), text(&after.value))
                        })
                        .collect();
                    if !changed.is_empty() {
                        differences.push(Difference {
                            kind: Change::Changed,
                            object,
                            fields: changed,
                        });
                    }
                }
            }
        }
        for (object, fields) in old {
            let fields = properties(&fields).map(|(key, old)| (key, old, String::new())).collect();
            differences.push(Difference { kind: Change::Removed, object, fields });
        }
        differences.sort_by(|a, b| a.object.cmp(&b.object));
        differences
    }

    /// This description with `newer` laid over it: objects of `newer` replace those of the same
    /// identity; the others stay or go as `prune` says.
    #[must_use]
    pub fn merge(&self, newer: &Self, prune: Prune) -> Self {
        if prune == Prune::Remove {
            return newer.clone();
        }
        let mut merged = self.clone();
        let newer = newer.clone();
        merged.hosts.extend(newer.hosts);
        merged.bridges.extend(newer.bridges);
        merged.gateway_bridges.extend(newer.gateway_bridges);
        merged.lags.extend(newer.lags);
        merged.trunks.extend(newer.trunks);
        merged.vlan_links.extend(newer.vlan_links);
        merged.access_ports.extend(newer.access_ports);
        merged.static_macs.extend(newer.static_macs);
        merged.tunnel_zones.extend(newer.tunnel_zones);
        merged.tunnels.extend(newer.tunnels);
        merged
    }
}
