//! `sluice status`: the worst thing first.

use std::fmt::Write as _;
use std::io::Write;

use proto::v1::condition::Severity;
use proto::v1::status::Health;
use proto::v1::{Condition, GetStatusRequest, Status, Worker};

use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Colour, Format, Output, Report, Table, Tone, grouped, rate, span};

/// Shows the state of the host; what is wrong decides the exit code.
pub(super) async fn run<W: Write>(client: &Client, out: &mut Output<W>) -> Result<Exit, Failure> {
    let mut state = client.state();
    let status = client.call("read the status", state.get_status(GetStatusRequest {})).await?;
    let text = text(&status, out.colour, out.format == Format::Wide);
    out.report(&Report { value: &status, names: vec![format!("hosts/{}", status.host)], text })?;
    Ok(match status.health() {
        Health::Ok => Exit::Ok,
        Health::Degraded | Health::Failed | Health::Unspecified => Exit::Problems,
    })
}

fn text(status: &Status, colour: Colour, wide: bool) -> String {
    let (word, tone) = match status.health() {
        Health::Ok => ("OK", Tone::Good),
        Health::Degraded => ("DEGRADED", Tone::Warning),
        Health::Failed => ("FAILED", Tone::Bad),
        Health::Unspecified => ("UNKNOWN", Tone::Bad),
    };
    let applied = if status.revision == status.applied_revision {
        "programmed".to_owned()
    } else {
        format!("workers run {}", status.applied_revision)
    };
    let mut text = format!(
        "{}   host {}   revision {} ({applied})   up {}   sluiced {}\n",
        colour.paint(tone, word),
        status.host,
        status.revision,
        span(status.uptime.as_ref()),
        status.version,
    );
    for condition in &status.conditions {
        text.push_str(&condition_text(condition, colour));
    }
    for note in &status.notes {
        _ = writeln!(text, "  note: {note}");
    }
    text.push('\n');
    text.push_str(&summary(status).text());
    if !status.workers.is_empty() {
        text.push('\n');
        text.push_str(&workers(&status.workers, wide).text());
    }
    text
}

/// One condition: what, then its effect and what to do, each in a line.
pub(super) fn condition_text(condition: &Condition, colour: Colour) -> String {
    let (mark, tone) = match condition.severity() {
        Severity::Error => ("!!", Tone::Bad),
        Severity::Warning => ("! ", Tone::Warning),
        Severity::Info | Severity::Unspecified => ("- ", Tone::Good),
    };
    let since = match condition.duration.as_ref() {
        Some(duration) => format!("   for {}", span(Some(duration))),
        None => String::new(),
    };
    let mut text = format!(
        "  {} {}: {}{since}   [{}]\n",
        colour.paint(tone, mark),
        condition.object,
        condition.message,
        condition.reason
    );
    for (label, words) in [("effect", &condition.effect), ("do", &condition.remedy)] {
        if !words.is_empty() {
            _ = writeln!(text, "       {label:<6}  {words}");
        }
    }
    text
}

fn summary(status: &Status) -> Table {
    let mut headings = vec!["PORTS UP", "BRIDGES", "VLAN LINKS", "MACS", "RX", "TX", "DROPS"];
    if status.peers.is_some() {
        headings.extend(["PEERS UP", "BRIDGE MTU"]);
    }
    let mut table = Table::new(&headings);
    let ports = status.ports.unwrap_or_default();
    let macs = status.mac_table.unwrap_or_default();
    let rates = status.rates.unwrap_or_default();
    let mut cells = vec![
        format!("{} of {}", ports.up, ports.total),
        status.bridge_count.to_string(),
        status.vlan_link_count.to_string(),
        format!("{} of {}", grouped(macs.entries), grouped(macs.capacity)),
        rate(rates.received),
        rate(rates.sent),
        rate(rates.dropped),
    ];
    if let Some(peers) = status.peers {
        cells.push(format!("{} of {}", peers.up, peers.total));
        cells.push(match peers.effective_mtu_min {
            0 => String::new(),
            octets => octets.to_string(),
        });
    }
    table.row(cells);
    table
}

fn workers(workers: &[Worker], wide: bool) -> Table {
    let headings =
        ["WORKER", "CPU", "BUSY", "REVISION", "SEEN AGO", "INTERFACES", "ISA", "POLL GAP MAX"];
    let shown = if wide { headings.len() } else { 6 };
    let mut table = Table::new(headings.get(..shown).unwrap_or(&headings));
    for worker in workers {
        let seen = if worker.stalled { "STALLED:" } else { "" };
        let cells = [
            worker.index.to_string(),
            worker.cpu.to_string(),
            format!("{:.0}%", worker.busy_ratio * 100.0),
            worker.revision.to_string(),
            format!("{seen}{}", span(worker.last_seen.as_ref())),
            worker.interfaces.join(","),
            worker.isa.clone(),
            span(worker.poll_gap_max.as_ref()),
        ];
        table.row(cells.into_iter().take(shown));
    }
    table
}
