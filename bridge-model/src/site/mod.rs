//! The site file: YAML or JSON text to a topology and back.

mod emit;
mod error;

pub use emit::to_yaml;
pub use error::{OtherPlace, SiteError, SiteErrors};

use crate::topology::Topology;

/// Reads a site file. Every error is found at once: syntax, unknown keys, values, and the limits of
/// [`Topology::check`]. `source_name` stands before line and column in the messages.
pub fn parse(source_name: &str, text: &str) -> Result<Topology, SiteErrors> {
    let error = SiteError {
        line: 1,
        column: 1,
        span: 0..text.len().min(1),
        code: "not_yet",
        message: "site files are not read yet".to_owned(),
        help: "come back later".to_owned(),
        other: None,
    };
    Err(SiteErrors::new(source_name, text, vec![error]))
}
