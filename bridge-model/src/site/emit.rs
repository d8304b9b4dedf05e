//! A topology as a site file.

use std::fmt::Write as _;

use crate::topology::Topology;

/// The site file of a topology: what [`super::parse`] reads as the same topology. Objects stand in a
/// fixed order, one to a line; what is at its default is left out.
pub fn to_yaml(topology: &Topology) -> String {
    let mut yaml = String::new();
    let mut last = None;
    for (object, fields) in topology.described() {
        if last != Some(object.kind) {
            last = Some(object.kind);
            push(&mut yaml, format_args!("{}:\n", object.kind.collection()));
        }
        let shown = fields.iter().filter(|field| !field.is_default);
        for (index, field) in shown.enumerate() {
            let lead = if index == 0 { "  - {" } else { ", " };
            push(&mut yaml, format_args!("{lead}{}: {}", field.key, field.value));
        }
        yaml.push_str("}\n");
    }
    if yaml.is_empty() {
        yaml.push_str("{}\n");
    }
    yaml
}

fn push(yaml: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = yaml.write_fmt(text);
}
