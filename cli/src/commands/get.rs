//! `sluice get`: the objects of a site.

use std::io::Write;

use proto::v1::condition::Severity;
use proto::v1::resource::Spec;
use proto::v1::{
    AdminState, BfdTimers, GetResourceRequest, Host, ListResourcesRequest, ListResourcesResponse,
    MacLimit, Resource, TunnelZone, host, mac_limit, tunnel_zone,
};

use crate::args::{Get, Target};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kind::{self, Kind};
use crate::output::{Output, Report, Table, span, vid_ranges, word, yes};

/// Shows one object, or all of a kind.
pub(super) async fn run<W: Write>(
    client: &Client,
    given: Get,
    out: &mut Output<W>,
) -> Result<Exit, Failure> {
    let kind = given.kind.kind;
    if let Some(name) = single(given.kind, given.name)? {
        let resource = fetch(client, kind, &name).await?;
        let text = table(kind, std::slice::from_ref(&resource)).text();
        out.report(&Report { value: &resource, names: vec![resource.name.clone()], text })?;
    } else {
        let list = list(client, kind).await?;
        let names = list.resources.iter().map(|resource| resource.name.clone()).collect();
        let text = table(kind, &list.resources).text();
        out.report(&Report { value: &list, names, text })?;
    }
    Ok(Exit::Ok)
}

/// The name that `KIND/NAME` or `KIND NAME` gives.
pub(super) fn single(target: Target, name: Option<String>) -> Result<Option<String>, Failure> {
    match (target.name, name) {
        (Some(first), Some(second)) => Err(Failure::Usage(format!(
            "two names are given, {first:?} and {second:?}: name one object, or none"
        ))),
        (first, second) => Ok(first.or(second)),
    }
}

/// Reads one object.
pub(super) async fn fetch(client: &Client, kind: Kind, name: &str) -> Result<Resource, Failure> {
    let name = kind::resource_name(kind, name);
    let task = format!("read {name}");
    let mut config = client.config();
    client.call(&task, config.get_resource(GetResourceRequest { name })).await
}

/// Reads all objects of a kind, page by page.
pub(super) async fn list(client: &Client, kind: Kind) -> Result<ListResourcesResponse, Failure> {
    let task = format!("list {}", kind.collection());
    let mut config = client.config();
    let mut all = ListResourcesResponse::default();
    loop {
        let request = ListResourcesRequest {
            kind: kind::resource_kind(kind).into(),
            page_size: 0,
            page_token: std::mem::take(&mut all.next_page_token),
        };
        let page = client.call(&task, config.list_resources(request)).await?;
        all.resources.extend(page.resources);
        all.revision = page.revision;
        all.next_page_token = page.next_page_token;
        if all.next_page_token.is_empty() {
            return Ok(all);
        }
    }
}

fn headings(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Host => &["NAME", "VTEP", "UNDERLAY", "ROUTES"],
        Kind::Bridge => &[
            "NAME",
            "VNI",
            "EFFECTIVE MTU",
            "AGEING",
            "MAC LIMIT",
            "TRANSPARENT",
            "SUPPRESSION",
            "MSS CLAMP",
            "ADMIN",
        ],
        Kind::GatewayBridge => &["NAME", "MODE", "TRANSIT", "RESERVED", "ADMIN"],
        Kind::Trunk => {
            &["NAME", "GATEWAY BRIDGE", "HOST", "INTERFACE", "ALLOWED", "NATIVE", "TPID", "ADMIN"]
        }
        Kind::VlanLink => &["NAME", "GATEWAY BRIDGE", "VID", "INNER VID", "BRIDGE", "JOIN"],
        Kind::AccessPort => &["NAME", "BRIDGE", "HOST", "INTERFACE", "MAC LIMIT", "ADMIN"],
        Kind::Lag => &["NAME", "MEMBERS"],
        Kind::StaticMac => &["NAME", "BRIDGE", "MAC", "PORT", "VID", "INNER VID", "PAYLOAD VID"],
        Kind::TunnelZone => {
            &["NAME", "KIND", "HOSTS", "IP VERSION", "UDP PORT", "UDP CHECKSUM", "DSCP", "BFD"]
        }
        Kind::Tunnel => &["NAME", "ZONE", "REMOTE", "BRIDGES", "BFD"],
    }
}

/// The objects in columns; the last one says whether the workers run them.
fn table(kind: Kind, resources: &[Resource]) -> Table {
    let mut all = headings(kind).to_vec();
    all.extend(["PROGRAMMED", "CONDITION"]);
    let mut table = Table::new(&all);
    for resource in resources {
        let mut cells = vec![short(&resource.name).to_owned()];
        let status = resource.status.as_ref();
        let mtu = status.and_then(|status| status.effective_mtu);
        cells.extend(resource.spec.as_ref().map(|spec| cells_of(spec, mtu)).unwrap_or_default());
        cells.resize(headings(kind).len(), String::new());
        cells.push(status.map_or("", |status| yes(status.programmed)).to_owned());
        let worst = status.and_then(|status| status.conditions.first());
        cells.push(worst.map_or_else(String::new, |worst| match worst.severity() {
            Severity::Info | Severity::Unspecified => worst.reason.clone(),
            Severity::Warning | Severity::Error => format!("{}: {}", worst.reason, worst.message),
        }));
        table.row(cells);
    }
    table
}

/// A resource name without its collection.
fn short(name: &str) -> &str {
    name.split_once('/').map_or(name, |(_, name)| name)
}

fn cells_of(spec: &Spec, effective_mtu: Option<u32>) -> Vec<String> {
    let vid = |vid: Option<u32>| vid.map_or_else(String::new, |vid| vid.to_string());
    match spec {
        Spec::Host(host) => host_cells(host),
        Spec::Bridge(bridge) => vec![
            vid(bridge.vni),
            vid(effective_mtu),
            span(bridge.ageing.as_ref()),
            limit(bridge.mac_limit.as_ref()),
            yes(bridge.transparent).to_owned(),
            yes(bridge.neighbor_suppression).to_owned(),
            yes(bridge.mss_clamp).to_owned(),
            admin(bridge.admin()),
        ],
        Spec::GatewayBridge(gateway) => vec![
            word(gateway.mode().as_str_name(), "MODE_"),
            yes(gateway.transit).to_owned(),
            gateway
                .reserved
                .iter()
                .map(|policy| format!("{} {}", policy.action, policy.address))
                .collect::<Vec<_>>()
                .join(","),
            admin(gateway.admin()),
        ],
        Spec::Trunk(trunk) => {
            let carrier =
                if trunk.lag.is_empty() { trunk.interface.clone() } else { trunk.lag.clone() };
            let allowed = match vid_ranges(&trunk.allowed) {
                all if all.is_empty() => "linked".to_owned(),
                list => list,
            };
            vec![
                trunk.gateway_bridge.clone(),
                trunk.host.clone(),
                carrier,
                allowed,
                vid(trunk.native_vid),
                format!("{:#06x}", trunk.tpid),
                admin(trunk.admin()),
            ]
        }
        Spec::VlanLink(link) => vec![
            link.gateway_bridge.clone(),
            link.vid.to_string(),
            vid(link.inner_vid),
            link.bridge.clone(),
            yes(link.join).to_owned(),
        ],
        Spec::AccessPort(port) => vec![
            port.bridge.clone(),
            port.host.clone(),
            port.interface.clone(),
            limit(port.mac_limit.as_ref()),
            admin(port.admin()),
        ],
        Spec::Lag(lag) => {
            let members =
                lag.members.iter().map(|link| format!("{}/{}", link.host, link.interface));
            vec![members.collect::<Vec<_>>().join(",")]
        }
        Spec::StaticMac(entry) => vec![
            entry.bridge.clone(),
            entry.mac.clone(),
            entry.port.clone(),
            vid(entry.vid),
            vid(entry.inner_vid),
            vid(entry.payload_vid),
        ],
        Spec::TunnelZone(zone) => zone_cells(zone),
        Spec::Tunnel(tunnel) => vec![
            tunnel.zone.clone(),
            tunnel.remote.clone(),
            tunnel.bridges.join(","),
            bfd(tunnel.bfd.as_ref()),
        ],
    }
}

fn host_cells(host: &Host) -> Vec<String> {
    let link = |link: &host::UnderlayLink| {
        let vlan = link.vlan.map_or_else(String::new, |vlan| format!(":{vlan}"));
        format!("{}{vlan} {}", link.interface, link.addresses.join(" "))
    };
    let route = |route: &host::Route| format!("{} via {}", route.to, route.via.join(" "));
    vec![
        host.vtep.join(","),
        host.underlay.iter().map(link).collect::<Vec<_>>().join(", "),
        host.routes.iter().map(route).collect::<Vec<_>>().join(", "),
    ]
}

fn zone_cells(zone: &TunnelZone) -> Vec<String> {
    let is_udp = zone.kind() == tunnel_zone::Kind::Vxlan;
    let udp = |text: String| if is_udp { text } else { String::new() };
    vec![
        word(zone.kind().as_str_name(), "KIND_"),
        zone.hosts.join(","),
        word(zone.ip_version().as_str_name(), "IP_VERSION_"),
        udp(zone.udp_port.to_string()),
        udp(word(zone.udp_checksum().as_str_name(), "UDP_CHECKSUM_")),
        zone.dscp.clone(),
        bfd(zone.bfd.as_ref()),
    ]
}

/// `100ms x 3`, or `off`.
fn bfd(timers: Option<&BfdTimers>) -> String {
    timers.map_or_else(
        || "off".to_owned(),
        |timers| format!("{} x {}", span(timers.interval.as_ref()), timers.multiplier),
    )
}

fn admin(state: AdminState) -> String {
    word(state.as_str_name(), "ADMIN_STATE_")
}

fn limit(limit: Option<&MacLimit>) -> String {
    limit.map_or_else(String::new, |limit| {
        let policy = match limit.policy() {
            mac_limit::Policy::Drop => " drop",
            mac_limit::Policy::Forward | mac_limit::Policy::Unspecified => "",
        };
        format!("{}{policy}", limit.entries)
    })
}
