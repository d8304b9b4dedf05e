//! `sluice underlay`: where this host joins the underlay, and its neighbours there.

use std::fmt::Write as _;
use std::io::Write;

use proto::v1::underlay_neighbor::State;
use proto::v1::{
    Counters, ListUnderlayRequest, ListUnderlayResponse, ProtocolThread, UnderlayLink,
};

use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Colour, Format, Output, Report, Table, Tone, grouped, rate, span, word};

/// Shows links, neighbours, and with `-o wide` how the protocols fare.
pub(super) async fn run<W: Write>(client: &Client, out: &mut Output<W>) -> Result<Exit, Failure> {
    let wide = out.format == Format::Wide;
    let mut state = client.state();
    let answer =
        client.call("read the underlay", state.list_underlay(ListUnderlayRequest {})).await?;
    let names = answer.links.iter().map(|link| link.name.clone()).collect();
    let text = text(&answer, out.colour, wide);
    out.report(&Report { value: &answer, names, text })?;
    Ok(Exit::Ok)
}

fn text(answer: &ListUnderlayResponse, colour: Colour, wide: bool) -> String {
    let mut text = String::new();
    if !answer.vtep.is_empty() {
        _ = writeln!(text, "VTEP   {}\n", answer.vtep.join(", "));
    }
    text.push_str(&links(&answer.links, wide).text());
    let neighbors = tinted(&neighbors(&answer.links).text(), colour);
    text.push('\n');
    text.push_str(&neighbors);
    if wide && let Some(did) = &answer.protocols {
        text.push('\n');
        text.push_str(&protocols(did).text());
    }
    text
}

/// Neighbours that do not answer stand out.
fn tinted(text: &str, colour: Colour) -> String {
    text.lines().fold(String::new(), |all, line| {
        let is_broken = line.contains(" failed ");
        all + &if is_broken { colour.paint(Tone::Bad, line) } else { line.to_owned() } + "\n"
    })
}

fn links(links: &[UnderlayLink], wide: bool) -> Table {
    let mut headings =
        vec!["LINK", "STATE", "ADDRESSES", "MAC", "MTU", "KERNEL", "RX", "TX", "DROPPED"];
    if wide {
        headings.extend(["RX RATE", "TX RATE", "RX OCTETS", "TX OCTETS"]);
    }
    let mut table = Table::new(&headings).right(&[4, 6, 7, 8, 9, 10, 11, 12]);
    for link in links {
        let Counters { rx_packets, rx_octets, tx_packets, tx_octets } =
            link.counters.unwrap_or_default();
        let mut cells = vec![
            link.name.clone(),
            if link.link_up { "up" } else { "down" }.to_owned(),
            link.addresses.join(","),
            link.mac.clone(),
            link.mtu.to_string(),
            link.kernel.clone(),
            rx_packets.to_string(),
            tx_packets.to_string(),
            link.dropped_packets.to_string(),
        ];
        if wide {
            let rates = link.rates.unwrap_or_default();
            cells.extend([
                rate(rates.received),
                rate(rates.sent),
                rx_octets.to_string(),
                tx_octets.to_string(),
            ]);
        }
        table.row(cells);
    }
    table
}

fn neighbors(links: &[UnderlayLink]) -> Table {
    let mut table = Table::new(&["NEIGHBOR", "LINK", "MAC", "STATE", "FOR"]);
    for link in links {
        for neighbor in &link.neighbors {
            table.row([
                neighbor.address.clone(),
                link.name.clone(),
                neighbor.mac.clone(),
                state(neighbor.state()),
                span(neighbor.duration.as_ref()),
            ]);
        }
    }
    table
}

fn state(state: State) -> String {
    word(state.as_str_name(), "STATE_")
}

fn protocols(did: &ProtocolThread) -> Table {
    let mut table = Table::new(&[
        "PROTOCOLS RX",
        "TX",
        "LOST",
        "TOO BIG",
        "KNOWN STATIONS",
        "LATE",
        "LATEST EVER",
        "SCHEDULING",
    ]);
    table.row([
        grouped(did.frames_received),
        grouped(did.frames_sent),
        grouped(did.frames_lost),
        grouped(did.too_big_answers),
        grouped(did.known_neighbors),
        span(did.lateness_recent.as_ref()),
        span(did.lateness_max.as_ref()),
        did.scheduling.clone(),
    ]);
    table
}
