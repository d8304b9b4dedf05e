//! The site file: YAML or JSON text to a topology and back.
//!
//! Reading goes in three steps, so that all errors come at once: text to a tree of values with their
//! places (`node`), tree to objects (`document`, `overlay`, `object`, `values`), objects to a topology that
//! keeps the limits ([`Topology::check`]), whose errors are shown where the objects stand.

mod document;
mod emit;
mod error;
mod node;
mod object;
mod overlay;
mod values;

pub use emit::to_yaml;
pub use error::{OtherPlace, SiteError, SiteErrors};

use crate::topology::Topology;

/// Reads a site file. Every error is found at once: unknown keys, values, and the limits of
/// [`Topology::check`]; only a text that is not YAML at all ends at its first error. `source_name`
/// stands before line and column in the messages.
pub fn parse(source_name: &str, text: &str) -> Result<Topology, SiteErrors> {
    parse_over(source_name, text, &Topology::default())
}

/// Reads a document that is to be laid over `base`: its objects may refer to those of `base`, and
/// the limits are those of both together. Returns the objects of the document alone. What breaks a
/// limit and stands only in `base` is left to [`Topology::check`] of the merged site.
pub fn parse_over(source_name: &str, text: &str, base: &Topology) -> Result<Topology, SiteErrors> {
    let all = |errors| SiteErrors::new(source_name, text, errors);
    let root = node::read(text).map_err(|error| all(vec![*error]))?;
    let document::Document { topology, errors, .. } = document::Document::read(&root, base);
    if errors.is_empty() { Ok(topology) } else { Err(all(errors)) }
}

#[cfg(test)]
mod overlay_limit_tests;
#[cfg(test)]
mod overlay_tests;
#[cfg(test)]
mod tests;
