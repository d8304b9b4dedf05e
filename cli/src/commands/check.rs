//! `sluice check`: finds out before anything is changed.

mod advice;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use bridge_model::site::{self, SiteErrors};
use bridge_model::topology::{Kind, Prune, Topology};
use serde::Serialize;

use self::advice::Advice;
use super::{Document, host};
use crate::args::Check;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Colour, Output, Report, Tone};

/// Said when something is missing that the rest of the site may have.
const PART_HINT: &str = "\n\nif this is a part of a site, lay it over the whole: --base FILE \
     (`sluice export` prints the running site)";

/// What is known about a site document.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Verdict {
    file: String,
    valid: bool,
    /// How many objects of each kind.
    objects: BTreeMap<&'static str, usize>,
    errors: Vec<Mistake>,
    problems: Vec<Advice>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Mistake {
    line: usize,
    column: usize,
    code: &'static str,
    message: String,
    help: String,
}

/// Checks a site document, or this host.
pub(super) fn run<W: Write>(given: &Check, out: &mut Output<W>) -> Result<Exit, Failure> {
    match &given.file {
        Some(file) => check_file(file, given.base.as_deref(), out),
        None => host::check(given.config.as_deref(), out),
    }
}

fn check_file<W: Write>(
    file: &Path,
    base: Option<&Path>,
    out: &mut Output<W>,
) -> Result<Exit, Failure> {
    let base = base.map_or_else(|| Ok(Topology::default()), read_base)?;
    let document = Document::read(file)?;
    match site::parse_over(&document.name, &document.text, &base) {
        // People read mistakes on stderr with the lines they are in; programs get them as data.
        Err(errors) if out.format.is_text() => {
            let is_part = base.objects().next().is_none()
                && errors.iter().any(|error| error.code == "missing_reference");
            let hint = if is_part { PART_HINT } else { "" };
            Err(Failure::Site(shown(&errors) + hint))
        }
        Err(errors) => {
            let verdict = Verdict {
                file: document.name,
                valid: false,
                objects: BTreeMap::new(),
                errors: errors.iter().map(mistake).collect(),
                problems: Vec::new(),
            };
            let names = verdict.errors.iter().map(|error| error.code.to_owned()).collect();
            out.report(&Report { value: &verdict, names, text: String::new() })?;
            Ok(Exit::Invalid)
        }
        Ok(topology) => {
            let verdict = Verdict {
                file: document.name,
                valid: true,
                objects: counts(&topology),
                errors: Vec::new(),
                problems: advice::problems(&base.merge(&topology, Prune::Keep)),
            };
            let names = verdict.problems.iter().map(|advice| advice.object.clone()).collect();
            let text = text(&verdict, out.colour);
            out.report(&Report { value: &verdict, names, text })?;
            Ok(if verdict.problems.is_empty() { Exit::Ok } else { Exit::Problems })
        }
    }
}

fn read_base(path: &Path) -> Result<Topology, Failure> {
    let base = Document::read(path)?;
    site::parse(&base.name, &base.text).map_err(|errors| Failure::Site(shown(&errors)))
}

/// The mistakes as a message: how many, then each with its place.
pub(super) fn shown(errors: &SiteErrors) -> String {
    let count = match errors.len() {
        1 => "one mistake".to_owned(),
        several => format!("{several} mistakes"),
    };
    format!("{} has {count}\n\n{}", errors.source_name(), errors.to_string().trim_end())
}

fn mistake(error: &site::SiteError) -> Mistake {
    Mistake {
        line: error.line,
        column: error.column,
        code: error.code,
        message: error.message.clone(),
        help: error.help.clone(),
    }
}

fn counts(topology: &Topology) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for object in topology.objects() {
        *counts.entry(object.kind.collection()).or_default() += 1;
    }
    counts
}

fn text(verdict: &Verdict, colour: Colour) -> String {
    let mut parts = Vec::new();
    for kind in Kind::ALL {
        match verdict.objects.get(kind.collection()) {
            None => {}
            Some(1) => parts.push(format!("1 {}", kind.noun())),
            Some(count) => parts.push(format!("{count} {}s", kind.noun())),
        }
    }
    let contents = if parts.is_empty() { "no object".to_owned() } else { parts.join(", ") };
    let mut text =
        format!("{} is {}: {contents}\n", verdict.file, colour.paint(Tone::Good, "valid"));
    for advice in &verdict.problems {
        let mark = colour.paint(Tone::Warning, "!");
        _ = writeln!(text, "  {mark} {}: {}", advice.object, advice.message);
        _ = writeln!(text, "      do  {}", advice.remedy);
    }
    text
}
