//! `sluice drops`: why frames were dropped, by example, and where all the others went.

use std::fmt::Write as _;
use std::io::Write;

use proto::v1::{Accounting, AccountingLine, Drop, GetAccountingRequest, ListDropsRequest};
use serde::Serialize;

use crate::args::Drops;
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Colour, Format, Output, Report, Table, Tone, grouped, rate};

/// What `drops` shows.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    drops: Vec<Drop>,
    accounting: Accounting,
}

/// Shows drops and the accounting line, or the accounting of each worker.
pub(super) async fn run<W: Write>(
    client: &Client,
    given: Drops,
    out: &mut Output<W>,
) -> Result<Exit, Failure> {
    let mut state = client.state();
    if given.accounting {
        let accounting = client
            .call("read the accounting", state.get_accounting(GetAccountingRequest {}))
            .await?;
        let names = vec!["accounting".to_owned()];
        let text = accounting_text(&accounting, out.colour);
        out.report(&Report { value: &accounting, names, text })?;
        return Ok(if is_balanced(&accounting) { Exit::Ok } else { Exit::Problems });
    }
    let request = ListDropsRequest {
        reason: given.reason.unwrap_or_default(),
        port: given.port.unwrap_or_default(),
        with_zero: given.all,
    };
    let drops = client.call("read the drops", state.list_drops(request)).await?.drops;
    let accounting =
        client.call("read the accounting", state.get_accounting(GetAccountingRequest {})).await?;
    let answer = Answer { drops, accounting };
    let mut names: Vec<String> = answer.drops.iter().map(|drop| drop.reason.clone()).collect();
    names.dedup();
    let text = text(&answer, out.format == Format::Wide, out.colour);
    out.report(&Report { value: &answer, names, text })?;
    Ok(Exit::Ok)
}

fn is_balanced(accounting: &Accounting) -> bool {
    let lines = accounting.total.iter().chain(&accounting.workers);
    lines.into_iter().all(|line| line.difference == 0)
}

fn text(answer: &Answer, wide: bool, colour: Colour) -> String {
    let mut text = String::new();
    if answer.drops.is_empty() {
        text.push_str("no frame was dropped\n");
    } else {
        let table = table(&answer.drops, wide).text();
        let mut lines = table.lines();
        _ = writeln!(text, "{}", lines.next().unwrap_or_default());
        for (line, drop) in lines.zip(&answer.drops) {
            _ = writeln!(text, "{}", colour.paint(tone(&drop.severity), line));
            detail(drop, wide, &mut text);
        }
    }
    text.push('\n');
    text.push_str(&identity(answer.accounting.total.unwrap_or_default(), colour));
    text.push('\n');
    text
}

fn tone(severity: &str) -> Tone {
    match severity {
        "bug" | "attack" => Tone::Bad,
        "config" | "capacity" => Tone::Warning,
        _ => Tone::Good,
    }
}

fn table(drops: &[Drop], wide: bool) -> Table {
    let mut headings = vec!["REASON", "SEVERITY", "PORT", "FRAMES", "RATE"];
    if wide {
        headings.push("STAGE");
    }
    let mut table = Table::new(&headings).right(&[3, 4]);
    for drop in drops {
        let mut cells = vec![
            drop.reason.clone(),
            drop.severity.clone(),
            drop.port.clone(),
            drop.frames.to_string(),
            rate(drop.frames_per_second),
        ];
        if wide {
            cells.push(drop.stage.clone());
        }
        table.row(cells);
    }
    table
}

fn detail(drop: &Drop, wide: bool, text: &mut String) {
    if wide {
        _ = writeln!(text, "    why     {}", drop.meaning);
    }
    if let Some(sample) = &drop.sample {
        _ = write!(text, "    sample  {}   ({} octets", sample.summary, sample.frame_length);
        if !sample.interface.is_empty() {
            _ = write!(text, " from {}", sample.interface);
        }
        text.push_str(")\n");
    }
    _ = writeln!(text, "    do      {}", drop.remedy);
}

/// The identity in one line. Copies made for flooding are neither received nor originated, and stand
/// on their own: they are sent or dropped like every other frame.
fn identity(line: AccountingLine, colour: Colour) -> String {
    let tone = if line.difference == 0 { Tone::Good } else { Tone::Bad };
    let bug = if line.difference == 0 { "" } else { "   this is a bug: please report it" };
    format!(
        "received {} + originated {} (+ {} copies) = sent {} + consumed {} + dropped {}   {}{bug}",
        grouped(line.received),
        grouped(line.originated),
        grouped(line.copied),
        grouped(line.sent),
        grouped(line.consumed),
        grouped(line.dropped),
        colour.paint(tone, &format!("difference {}", line.difference)),
    )
}

fn accounting_text(accounting: &Accounting, colour: Colour) -> String {
    let mut table = Table::new(&[
        "WORKER",
        "RECEIVED",
        "ORIGINATED",
        "COPIES",
        "SENT",
        "CONSUMED",
        "DROPPED",
        "DIFFERENCE",
    ])
    .right(&[1, 2, 3, 4, 5, 6, 7]);
    let total = accounting.total.unwrap_or_default();
    let numbered = accounting.workers.iter().enumerate();
    let lines = numbered.map(|(index, line)| (index.to_string(), *line));
    for (name, line) in lines.chain([("all".to_owned(), total)]) {
        let counts =
            [line.received, line.originated, line.copied, line.sent, line.consumed, line.dropped];
        let difference = line.difference.to_string();
        table.row(
            [name].into_iter().chain(counts.map(|count| count.to_string())).chain([difference]),
        );
    }
    let mut text = table.text();
    if !accounting.consumed.is_empty() {
        let mut consumed = Table::new(&["CONSUMED", "PORT", "FRAMES"]).right(&[2]);
        for line in &accounting.consumed {
            consumed.row([line.protocol.clone(), line.port.clone(), line.frames.to_string()]);
        }
        _ = write!(text, "\n{}", consumed.text());
    }
    _ = writeln!(text, "\n{}", identity(total, colour));
    text
}
