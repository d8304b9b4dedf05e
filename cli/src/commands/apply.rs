//! `sluice apply`, `diff` and `export`: the site as a document.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::path::PathBuf;

use bridge_model::site;
use bridge_model::topology::Topology;
use proto::v1::difference::Kind;
use proto::v1::{ApplyRequest, ApplyResponse, Difference, ErrorReason, ExportRequest};

use super::Document;
use super::check::shown;
use crate::args::{Apply, Diff};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Colour, Format, Output, Report, Tone, span};

/// Makes the site what the document says: shows the plan, then carries out exactly that plan.
pub(super) async fn apply<W: Write>(
    client: &Client,
    given: &Apply,
    out: &mut Output<W>,
) -> Result<Exit, Failure> {
    let document = Document::read(&given.file)?;
    let request = ApplyRequest {
        document: document.text.clone(),
        source_name: document.name.clone(),
        prune: given.prune,
        validate_only: true,
        expected_revision: given.expected_revision.unwrap_or(0),
        request_id: String::new(),
    };
    let plan = call(client, &document, request.clone()).await?;
    if given.dry_run {
        let text = format!("{}nothing was changed (--dry-run)\n", plan_text(&plan, out.colour));
        out.report(&Report { value: &plan, names: objects(&plan), text })?;
        return Ok(Exit::Ok);
    }
    if out.format.is_text() {
        out.raw(&plan_text(&plan, out.colour))?;
    }
    let id = match &given.request_id {
        Some(id) => id.clone(),
        None => request_id()?,
    };
    // The plan that was shown is the one that is carried out, or none.
    let request = ApplyRequest {
        validate_only: false,
        expected_revision: given.expected_revision.unwrap_or(plan.revision),
        request_id: id,
        ..request
    };
    let applied = call(client, &document, request).await?;
    let text = applied_text(&applied, plan.revision);
    out.report(&Report { value: &applied, names: objects(&applied), text })?;
    if applied.programmed {
        Ok(Exit::Ok)
    } else {
        Err(Failure::NotProgrammed { revision: applied.revision })
    }
}

/// Shows what `apply` would do.
pub(super) async fn diff<W: Write>(
    client: &Client,
    given: &Diff,
    out: &mut Output<W>,
) -> Result<Exit, Failure> {
    let document = Document::read(&given.file)?;
    let request = ApplyRequest {
        document: document.text.clone(),
        source_name: document.name.clone(),
        prune: given.prune,
        validate_only: true,
        expected_revision: 0,
        request_id: String::new(),
    };
    let plan = call(client, &document, request).await?;
    let text = plan_text(&plan, out.colour);
    out.report(&Report { value: &plan, names: objects(&plan), text })?;
    Ok(if plan.differences.is_empty() { Exit::Ok } else { Exit::Differences })
}

/// Prints the site as `apply` accepts it.
pub(super) async fn export<W: Write>(
    client: &Client,
    out: &mut Output<W>,
) -> Result<Exit, Failure> {
    let mut config = client.config();
    let site = client.call("export the site", config.export(ExportRequest {})).await?;
    match out.format {
        // YAML already, and JSON is what `apply` accepts too.
        Format::Table | Format::Wide | Format::Yaml => out.raw(&site.document)?,
        Format::Name => {
            let names = names_in(&site.document)?;
            out.report(&Report { value: &site, names, text: String::new() })?;
        }
        Format::Json => {
            let value: serde_json::Value = serde_saphyr::from_str(&site.document)
                .map_err(|error| Failure::Encode { format: "JSON", reason: error.to_string() })?;
            out.report(&Report { value: &value, names: Vec::new(), text: String::new() })?;
        }
    }
    Ok(Exit::Ok)
}

fn names_in(document: &str) -> Result<Vec<String>, Failure> {
    let topology =
        site::parse("export", document).map_err(|errors| Failure::Site(shown(&errors)))?;
    Ok(topology.objects().map(|object| object.to_string()).collect())
}

/// Sends the document. If it has mistakes, they are shown with their places in the document as this
/// program sees them, since the daemon's answer has room for a few only.
async fn call(
    client: &Client,
    document: &Document,
    request: ApplyRequest,
) -> Result<ApplyResponse, Failure> {
    let verb = if request.validate_only { "compare" } else { "apply" };
    let prune = request.prune;
    let mut config = client.config();
    let answer = client.call(&format!("{verb} {}", document.name), config.apply(request)).await;
    match answer {
        Err(failure) if failure.reason() == Some(ErrorReason::SiteInvalid) => {
            Err(mistakes(client, document, prune).await.unwrap_or(failure))
        }
        other => other,
    }
}

/// The mistakes that this program finds in the document, laid over the site of the daemon; nothing if
/// it finds none, because it is of another version or the site has changed meanwhile.
async fn mistakes(client: &Client, document: &Document, prune: bool) -> Option<Failure> {
    let base = if prune {
        Topology::default()
    } else {
        let mut config = client.config();
        let site = client.call("export the site", config.export(ExportRequest {})).await.ok()?;
        site::parse("the site", &site.document).ok()?
    };
    let errors = site::parse_over(&document.name, &document.text, &base).err()?;
    Some(Failure::Site(shown(&errors)))
}

fn objects(answer: &ApplyResponse) -> Vec<String> {
    answer.differences.iter().map(|difference| difference.object.clone()).collect()
}

fn plan_text(plan: &ApplyResponse, colour: Colour) -> String {
    if plan.differences.is_empty() {
        return format!("no differences: the site is at revision {}\n", plan.revision);
    }
    let count =
        |kind| plan.differences.iter().filter(|difference| difference.kind() == kind).count();
    let mut text = format!(
        "revision {}: {} to add, {} to change, {} to remove\n",
        plan.revision,
        count(Kind::Added),
        count(Kind::Changed),
        count(Kind::Removed)
    );
    for difference in &plan.differences {
        _ = writeln!(text, "  {}", difference_text(difference, colour));
    }
    for note in &plan.notes {
        _ = writeln!(text, "  note: {note}");
    }
    text
}

fn difference_text(difference: &Difference, colour: Colour) -> String {
    let (mark, tone) = match difference.kind() {
        Kind::Added => ("+", Tone::Good),
        Kind::Changed => ("~", Tone::Warning),
        Kind::Removed => ("-", Tone::Bad),
        Kind::Unspecified => ("?", Tone::Bad),
    };
    let text = if difference.text.is_empty() {
        format!("{mark} {}", difference.object)
    } else {
        difference.text.clone()
    };
    colour.paint(tone, &text)
}

fn applied_text(applied: &ApplyResponse, before: u64) -> String {
    let revision = if applied.revision == before {
        format!("unchanged   revision {before}")
    } else {
        format!("applied   revision {before} -> {}", applied.revision)
    };
    let programmed = match &applied.elapsed {
        _ if !applied.programmed => String::new(),
        Some(elapsed) if applied.revision != before => {
            format!("   programmed on every worker in {}", span(Some(elapsed)))
        }
        _ => "   programmed on every worker".to_owned(),
    };
    format!("{revision}{programmed}\n")
}

/// A random UUID (RFC 9562, version 4), so that a repeated request changes things once.
pub(super) fn request_id() -> Result<String, Failure> {
    let path = PathBuf::from("/dev/urandom");
    let mut octets = [0_u8; 16];
    std::fs::File::open(&path)
        .and_then(|mut source| source.read_exact(&mut octets))
        .map_err(|source| Failure::Read { path, source })?;
    octets[6] = octets[6] & 0x0f | 0x40;
    octets[8] = octets[8] & 0x3f | 0x80;
    let digits = octets.iter().fold(String::new(), |mut text, octet| {
        _ = write!(text, "{octet:02x}");
        text
    });
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    Ok(format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_are_uuids_and_differ() {
        let (one, other) = (request_id().unwrap(), request_id().unwrap());

        assert_ne!(one, other);
        let lengths: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(one.as_bytes()[14], b'4');
    }
}
