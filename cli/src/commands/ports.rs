//! `sluice ports`: ports, the devices below them, and the neighbours beyond.

use std::io::Write;

use proto::v1::port::{Role, State};
use proto::v1::{
    Counters, Interface, ListInterfacesRequest, ListNeighborsRequest, ListPortsRequest, Neighbor,
    Port,
};

use crate::args::Ports;
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{
    Colour, Format, Output, Report, Table, Tone, rate, span, vid_ranges, word, yes,
};

/// Shows ports, interfaces or neighbours.
pub(super) async fn run<W: Write>(
    client: &Client,
    given: Ports,
    out: &mut Output<W>,
) -> Result<Exit, Failure> {
    let wide = out.format == Format::Wide;
    let mut state = client.state();
    if given.interfaces {
        let request = ListInterfacesRequest { with_driver_counters: !out.format.is_text() };
        let answer = client.call("list the interfaces", state.list_interfaces(request)).await?;
        let names = answer.interfaces.iter().map(|interface| interface.name.clone()).collect();
        let text = interfaces(&answer.interfaces, wide).text();
        out.report(&Report { value: &answer, names, text })?;
    } else if given.neighbors {
        let request = ListNeighborsRequest {};
        let answer = client.call("list the neighbours", state.list_neighbors(request)).await?;
        let names = answer.neighbors.iter().map(|neighbor| neighbor.system_name.clone()).collect();
        let text = neighbors(&answer.neighbors, wide).text();
        out.report(&Report { value: &answer, names, text })?;
    } else {
        let only = given.port.clone().unwrap_or_default();
        let request = ListPortsRequest { port: only.clone(), with_vlans: given.vlans };
        let answer = client.call("list the ports", state.list_ports(request)).await?;
        if answer.ports.is_empty() && !only.is_empty() {
            return Err(Failure::NotFound {
                message: format!(
                    "this host has no port {only:?}\n  see `sluice ports` for those it has"
                ),
            });
        }
        let names = answer.ports.iter().map(|port| port.name.clone()).collect();
        let table = if given.vlans { vlans(&answer.ports) } else { ports(&answer.ports, wide) };
        let text = tinted(&table.text(), out.colour);
        out.report(&Report { value: &answer, names, text })?;
    }
    Ok(Exit::Ok)
}

/// Lines of ports that do not forward stand out.
fn tinted(text: &str, colour: Colour) -> String {
    let broken = [" link-down ", " waiting "];
    text.lines().fold(String::new(), |all, line| {
        let is_broken = broken.iter().any(|state| line.contains(state));
        all + &if is_broken { colour.paint(Tone::Bad, line) } else { line.to_owned() } + "\n"
    })
}

/// A port by its own name; its role is in a column of its own.
fn bare(name: &str) -> String {
    name.rsplit('/').next().unwrap_or(name).to_owned()
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::Trunk => "trunk",
        Role::Access => "access",
        Role::Unspecified => "unknown",
    }
}

fn state(state: State) -> String {
    word(state.as_str_name(), "STATE_")
}

fn ports(ports: &[Port], wide: bool) -> Table {
    let mut headings = vec![
        "PORT",
        "ROLE",
        "STATE",
        "BRIDGE",
        "INTERFACE",
        "RX",
        "TX",
        "DROPPED",
        "RX RATE",
        "TX RATE",
        "MACS",
    ];
    if wide {
        headings.extend(["LINK", "MTU", "RX OCTETS", "TX OCTETS", "DROP RATE", "FORWARDS"]);
    }
    let mut table = Table::new(&headings).right(&[5, 6, 7, 8, 9, 10, 12, 13, 14, 15]);
    for port in ports {
        let Counters { rx_packets, rx_octets, tx_packets, tx_octets } =
            port.counters.unwrap_or_default();
        let rates = port.rates.unwrap_or_default();
        let mut cells = vec![
            bare(&port.name),
            role(port.role()).to_owned(),
            state(port.state()),
            port.bridge.clone(),
            port.interface.clone(),
            rx_packets.to_string(),
            tx_packets.to_string(),
            port.dropped_packets.to_string(),
            rate(rates.received),
            rate(rates.sent),
            port.mac_entries.to_string(),
        ];
        if wide {
            cells.extend([
                if port.link_up { "up" } else { "down" }.to_owned(),
                port.mtu.to_string(),
                rx_octets.to_string(),
                tx_octets.to_string(),
                rate(rates.dropped),
                vid_ranges(&port.forwarding_vids),
            ]);
        }
        table.row(cells);
    }
    table
}

fn vlans(ports: &[Port]) -> Table {
    let mut table = Table::new(&["PORT", "VLAN", "FORWARDS", "RX", "TX", "RX OCTETS", "TX OCTETS"])
        .right(&[1, 3, 4, 5, 6]);
    for port in ports {
        for vlan in &port.vlans {
            let counters = vlan.counters.unwrap_or_default();
            table.row([
                bare(&port.name),
                vlan.vid.to_string(),
                yes(vlan.forwarding).to_owned(),
                counters.rx_packets.to_string(),
                counters.tx_packets.to_string(),
                counters.rx_octets.to_string(),
                counters.tx_octets.to_string(),
            ]);
        }
    }
    table
}

fn interfaces(interfaces: &[Interface], wide: bool) -> Table {
    let mut headings = vec![
        "INTERFACE",
        "KIND",
        "LINK",
        "SPEED",
        "MTU",
        "MAC",
        "RX",
        "TX",
        "MISSED",
        "ERRORS",
        "PORTS",
    ];
    if wide {
        headings.extend(["DRIVER", "NO BUFFER", "RX OCTETS", "TX OCTETS"]);
    }
    let mut table = Table::new(&headings).right(&[3, 4, 6, 7, 8, 9, 12, 13, 14]);
    for interface in interfaces {
        let counters = interface.counters.unwrap_or_default();
        let link = match (interface.present, interface.link_up) {
            (false, _) if interface.absent_reason.is_empty() => "absent".to_owned(),
            (false, _) => format!("absent: {}", interface.absent_reason),
            (true, true) => "up".to_owned(),
            (true, false) => "down".to_owned(),
        };
        let speed = match interface.link_speed_mbps {
            0 => String::new(),
            mbps if mbps % 1000 == 0 => format!("{}G", mbps / 1000),
            mbps => format!("{mbps}M"),
        };
        let errors = counters.rx_errors.saturating_add(counters.tx_errors);
        let mut cells = vec![
            interface.name.clone(),
            interface.kind.clone(),
            link,
            speed,
            interface.mtu.to_string(),
            interface.mac.clone(),
            counters.rx_packets.to_string(),
            counters.tx_packets.to_string(),
            counters.rx_missed.to_string(),
            errors.to_string(),
            interface.ports.join(","),
        ];
        if wide {
            cells.extend([
                interface.driver.clone(),
                counters.rx_no_buffer.to_string(),
                counters.rx_octets.to_string(),
                counters.tx_octets.to_string(),
            ]);
        }
        table.row(cells);
    }
    table
}

fn neighbors(neighbors: &[Neighbor], wide: bool) -> Table {
    let mut headings = vec!["PORT", "NEIGHBOUR", "ITS PORT", "CHASSIS", "SEEN AGO"];
    if wide {
        headings.extend(["INTERFACE", "PORT DESCRIPTION", "SYSTEM DESCRIPTION"]);
    }
    let mut table = Table::new(&headings);
    for neighbor in neighbors {
        let mut cells = vec![
            bare(&neighbor.port),
            neighbor.system_name.clone(),
            neighbor.port_id.clone(),
            neighbor.chassis_id.clone(),
            span(neighbor.last_seen.as_ref()),
        ];
        if wide {
            cells.extend([
                neighbor.interface.clone(),
                neighbor.port_description.clone(),
                neighbor.system_description.clone(),
            ]);
        }
        table.row(cells);
    }
    table
}
