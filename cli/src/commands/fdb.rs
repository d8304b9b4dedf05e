//! `sluice fdb`: the MAC tables.

use std::io::Write;

use bridge_model::types::VlanId;
use proto::v1::flush_macs_request::{AllScope, GatewayBridgeScope, Scope};
use proto::v1::mac::Origin;
use proto::v1::{
    AddMacRequest, DeleteMacRequest, FlushMacsRequest, ListMacsRequest, ListMacsResponse, Mac,
    StaticMac,
};

use super::apply::request_id;
use crate::args::{Fdb, FdbAdd, FdbDel, FdbFlush, FdbShow};
use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Format, Output, Report, Table, grouped, span};

/// Shows or changes the MAC tables.
pub(super) async fn run<W: Write>(
    client: &Client,
    given: Fdb,
    out: &mut Output<W>,
) -> Result<Exit, Failure> {
    match given {
        Fdb::Show(given) => show(client, given, out).await,
        Fdb::Add(given) => add(client, given, out).await,
        Fdb::Del(given) => delete(client, given, out).await,
        Fdb::Flush(given) => flush(client, given, out).await,
    }
}

fn number(vid: Option<VlanId>) -> Option<u32> {
    vid.map(|vid| vid.get().into())
}

async fn show<W: Write>(
    client: &Client,
    given: FdbShow,
    out: &mut Output<W>,
) -> Result<Exit, Failure> {
    let origin = match (given.only_static, given.learned) {
        (true, _) => Origin::Static,
        (false, true) => Origin::Learned,
        (false, false) => Origin::Unspecified,
    };
    let filter = ListMacsRequest {
        bridge: given.bridge.unwrap_or_default(),
        port: given.port.unwrap_or_default(),
        vid: number(given.vid),
        mac: given.mac.map(|mac| mac.to_string()).unwrap_or_default(),
        origin: origin.into(),
        page_size: 0,
        page_token: String::new(),
    };
    let mut state = client.state();
    let mut all = ListMacsResponse::default();
    loop {
        let page_token = std::mem::take(&mut all.next_page_token);
        let request = ListMacsRequest { page_token, ..filter.clone() };
        let page = client.call("read the MAC tables", state.list_macs(request)).await?;
        all.macs.extend(page.macs);
        all.revision = page.revision;
        all.total_size = page.total_size;
        all.next_page_token = page.next_page_token;
        if all.next_page_token.is_empty() {
            break;
        }
    }
    let names = all.macs.iter().map(|entry| entry.mac.clone()).collect();
    out.report(&Report {
        text: table(&all.macs, out.format == Format::Wide).text(),
        names,
        value: &all,
    })?;
    Ok(Exit::Ok)
}

fn table(macs: &[Mac], wide: bool) -> Table {
    let mut headings = vec!["MAC", "BRIDGE", "VLAN", "PORT", "IDLE", "STATE"];
    if wide {
        headings.push("PAYLOAD VLAN");
    }
    let vid = |vid: Option<u32>| vid.map_or_else(String::new, |vid| vid.to_string());
    let mut table = Table::new(&headings).right(&[2, 6]);
    for entry in macs {
        let state = match entry.origin() {
            Origin::Static => "static",
            Origin::Learned => "learned",
            Origin::Unspecified => "unknown",
        };
        let idle = entry.idle_max.as_ref();
        let mut cells = vec![
            entry.mac.clone(),
            entry.bridge.clone(),
            vid(entry.vid),
            entry.port.clone(),
            idle.map_or_else(String::new, |idle| format!("<{}", span(Some(idle)))),
            state.to_owned(),
        ];
        if wide {
            cells.push(vid(entry.payload_vid));
        }
        table.row(cells);
    }
    table
}

async fn add<W: Write>(
    client: &Client,
    given: FdbAdd,
    out: &mut Output<W>,
) -> Result<Exit, Failure> {
    let mac = given.mac.to_string();
    let task = format!("add {mac} to bridge {}", given.bridge);
    let request = AddMacRequest {
        mac: Some(StaticMac {
            bridge: given.bridge,
            mac,
            port: given.port,
            vid: number(given.vid),
            inner_vid: number(given.inner_vid),
            payload_vid: number(given.payload_vid),
        }),
        request_id: request_id()?,
        validate_only: given.dry_run,
    };
    let mut state = client.state();
    let added = client.call(&task, state.add_mac(request)).await?;
    let entry = added.mac.clone().unwrap_or_default();
    let verb = if given.dry_run { "would add" } else { "added" };
    let vid = entry.vid.map_or_else(String::new, |vid| format!(" vlan {vid}"));
    let text = format!(
        "{verb} {} in bridge {} behind {}{vid}   revision {}\n",
        entry.mac, entry.bridge, entry.port, added.revision
    );
    out.report(&Report { value: &added, names: vec![entry.mac], text })?;
    Ok(Exit::Ok)
}

async fn delete<W: Write>(
    client: &Client,
    given: FdbDel,
    out: &mut Output<W>,
) -> Result<Exit, Failure> {
    let mac = given.mac.to_string();
    let task = format!("remove {mac} from bridge {}", given.bridge);
    let request = DeleteMacRequest {
        bridge: given.bridge.clone(),
        mac: mac.clone(),
        vid: number(given.vid),
        allow_missing: given.allow_missing,
        request_id: request_id()?,
    };
    let mut state = client.state();
    let deleted = client.call(&task, state.delete_mac(request)).await?;
    let text = if deleted.removed == 0 {
        format!("no entry {mac} in bridge {}\n", given.bridge)
    } else {
        format!("removed {mac} from bridge {}   revision {}\n", given.bridge, deleted.revision)
    };
    out.report(&Report { value: &deleted, names: vec![mac], text })?;
    Ok(Exit::Ok)
}

async fn flush<W: Write>(
    client: &Client,
    given: FdbFlush,
    out: &mut Output<W>,
) -> Result<Exit, Failure> {
    let (scope, what) = scope(given);
    let mut state = client.state();
    let request = FlushMacsRequest { scope: Some(scope) };
    let flushed = client.call(&format!("flush {what}"), state.flush_macs(request)).await?;
    let text = format!("flushed {} learned entries of {what}\n", grouped(flushed.flushed));
    out.report(&Report { value: &flushed, names: Vec::new(), text })?;
    if flushed.programmed { Ok(Exit::Ok) } else { Err(Failure::NotFlushed) }
}

fn scope(given: FdbFlush) -> (Scope, String) {
    match given {
        FdbFlush { bridge: Some(bridge), .. } => {
            (Scope::Bridge(bridge.clone()), format!("bridge {bridge}"))
        }
        FdbFlush { port: Some(port), .. } => (Scope::Port(port.clone()), format!("port {port}")),
        FdbFlush { gateway_bridge: Some(gateway_bridge), vid, .. } => {
            let vlan = vid.map_or_else(String::new, |vid| format!(" vlan {vid}"));
            let what = format!("gateway bridge {gateway_bridge}{vlan}");
            let vid = number(vid);
            (Scope::GatewayBridge(GatewayBridgeScope { gateway_bridge, vid }), what)
        }
        // The argument parser lets nothing else through than `--all`.
        FdbFlush { .. } => (Scope::All(AllScope {}), "every bridge".to_owned()),
    }
}
