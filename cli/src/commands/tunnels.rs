//! `sluice tunnels`: the far ends of this host's tunnels.

use std::io::Write;

use proto::v1::peer::{Role, State};
use proto::v1::tunnel_zone::Kind;
use proto::v1::{Bfd, Counters, ListTunnelsRequest, Peer};

use crate::args::Tunnels;
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Colour, Format, Output, Report, Table, Tone, rate, span, word};

/// Shows all of them, or one.
pub(super) async fn run<W: Write>(
    client: &Client,
    given: Tunnels,
    out: &mut Output<W>,
) -> Result<Exit, Failure> {
    let wide = out.format == Format::Wide;
    let request = ListTunnelsRequest { peer: given.peer.unwrap_or_default() };
    let mut state = client.state();
    let answer = client.call("list the tunnels", state.list_tunnels(request)).await?;
    let names = answer.peers.iter().map(|peer| peer.name.clone()).collect();
    let text = tinted(&table(&answer.peers, wide).text(), out.colour);
    out.report(&Report { value: &answer, names, text })?;
    Ok(Exit::Ok)
}

/// Lines of peers that get no frames stand out.
fn tinted(text: &str, colour: Colour) -> String {
    let broken = [" down ", " unresolved ", " no-route "];
    text.lines().fold(String::new(), |all, line| {
        let is_broken = broken.iter().any(|state| line.contains(state));
        all + &if is_broken { colour.paint(Tone::Bad, line) } else { line.to_owned() } + "\n"
    })
}

fn table(peers: &[Peer], wide: bool) -> Table {
    let mut headings = vec![
        "PEER", "KIND", "LOCAL", "REMOTE", "STATE", "NEXT HOP", "MTU", "BFD", "BRIDGES", "RX", "TX",
    ];
    if wide {
        headings.extend([
            "ROLE",
            "ZONE",
            "INNER MTU",
            "PATH MTU",
            "BFD FOR",
            "DETECTION",
            "DROPPED",
            "RX RATE",
            "TX RATE",
            "MACS",
        ]);
    }
    let mut table = Table::new(&headings).right(&[6, 9, 10, 13, 16, 17, 18, 19, 20]);
    for peer in peers {
        table.row(cells(peer, wide));
    }
    table
}

fn cells(peer: &Peer, wide: bool) -> Vec<String> {
    let Counters { rx_packets, tx_packets, .. } = peer.counters.unwrap_or_default();
    let mut cells = vec![
        peer.name.rsplit('/').next().unwrap_or(&peer.name).to_owned(),
        kind(peer.kind()),
        peer.local.clone(),
        peer.remote.clone(),
        state(peer.state()),
        next_hops(peer, wide),
        peer.mtu.to_string(),
        peer.bfd.as_ref().map_or_else(|| "off".to_owned(), |bfd| bfd.state.clone()),
        bridges(&peer.bridges, wide),
        rx_packets.to_string(),
        tx_packets.to_string(),
    ];
    if wide {
        let rates = peer.rates.unwrap_or_default();
        let Bfd { duration, detection_time, .. } = peer.bfd.clone().unwrap_or_default();
        let measured = peer.path_mtu.as_ref();
        cells.extend([
            role(peer.role()).to_owned(),
            peer.zone.clone(),
            peer.inner_mtu.to_string(),
            measured.map_or_else(String::new, |path| format!("{} {}", path.mtu, path.state)),
            span(duration.as_ref()),
            span(detection_time.as_ref()),
            peer.dropped_packets.to_string(),
            rate(rates.received),
            rate(rates.sent),
            peer.mac_entries.to_string(),
        ]);
    }
    cells
}

fn kind(kind: Kind) -> String {
    word(kind.as_str_name(), "KIND_")
}

fn state(state: State) -> String {
    word(state.as_str_name(), "STATE_")
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::Host => "host",
        Role::Foreign => "foreign",
        Role::Unspecified => "unknown",
    }
}

/// The first way, and how many more there are; all of them with their links if there is room.
fn next_hops(peer: &Peer, wide: bool) -> String {
    if wide {
        let all = peer.next_hops.iter().map(|hop| {
            let mark = if hop.mac.is_empty() { "?" } else { "" };
            format!("{}{}{mark}", hop.address, hop.link)
        });
        return all.collect::<Vec<_>>().join(",");
    }
    match peer.next_hops.as_slice() {
        [] => String::new(),
        [only] => only.address.clone(),
        [first, more @ ..] => format!("{} +{}", first.address, more.len()),
    }
}

/// The first bridges, and how many more there are.
fn bridges(names: &[String], wide: bool) -> String {
    const SHOWN: usize = 3;
    if wide || names.len() <= SHOWN {
        return names.join(",");
    }
    let shown = names.get(..SHOWN).unwrap_or(names).join(",");
    format!("{shown} +{}", names.len() - SHOWN)
}
