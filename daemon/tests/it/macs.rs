//! The MAC tables by API.

use std::fs;

use proto::failure::Failure;
use proto::v1::{self, ErrorReason};
use tonic::Status;

use crate::client::Client;
use crate::frames::{ALL, frame, number, station, tagged, text};
use crate::gateway::{Gateway, enter_new_namespaces, wait_for};
use crate::wire::Wire;

fn entry(mac: &str, port: &str, vid: Option<u32>) -> v1::StaticMac {
    v1::StaticMac {
        bridge: "web".into(),
        mac: mac.into(),
        port: port.into(),
        vid,
        ..Default::default()
    }
}

fn add(client: &Client, mac: v1::StaticMac) -> Result<v1::AddMacResponse, Status> {
    let request = v1::AddMacRequest { mac: Some(mac), ..Default::default() };
    client.state(|mut c| async move { c.add_mac(request).await })
}

fn delete(client: &Client, mac: &str, allow_missing: bool) -> Result<u64, Status> {
    let request = v1::DeleteMacRequest {
        bridge: "web".into(),
        mac: mac.into(),
        allow_missing,
        ..Default::default()
    };
    client.state(|mut c| async move { c.delete_mac(request).await }).map(|reply| reply.removed)
}

fn flush(client: &Client, scope: v1::flush_macs_request::Scope) -> Result<u64, Status> {
    let request = v1::FlushMacsRequest { scope: Some(scope) };
    let reply = client.state(|mut c| async move { c.flush_macs(request).await })?;
    assert!(reply.programmed);
    Ok(reply.flushed)
}

#[track_caller]
fn refused(result: Result<impl std::fmt::Debug, Status>, reason: ErrorReason) -> Failure {
    let failure = Failure::from_status(&result.unwrap_err()).unwrap();
    assert_eq!(failure.reason, reason, "{}", failure.message);
    failure
}

/// Has the stations be learned: `behind` the trunk in VLAN 10.
#[track_caller]
fn learn(client: &Client, trunk: &Wire, stations: &[u8]) {
    let before = client.mac_lines().len();
    for number in stations {
        trunk.send(&tagged(10, ALL, station(*number), 0));
    }
    wait_for("stations to be learned", || {
        (client.mac_lines().len() >= before + stations.len()).then_some(())
    });
}

#[test]
fn a_static_mac_directs_frames_survives_a_restart_and_can_be_taken_back() {
    enter_new_namespaces();
    let (trunk, guest) = (Wire::cable("eth1", "p1"), Wire::cable("vm1", "p2"));
    let (mut gateway, client) = Gateway::usual();
    let mac = text(station(9));

    let added = add(&client, entry(&mac, "t1", Some(10))).unwrap();
    assert_eq!(added.revision, 2);
    assert_eq!(add(&client, entry(&mac, "t1", Some(10))).unwrap().revision, 2, "idempotent");
    assert!(fs::read_to_string(gateway.site()).unwrap().contains(&mac));

    gateway.signal(nix::sys::signal::Signal::SIGKILL);
    gateway.wait();
    let client = gateway.start();
    client.wait_forwarding(2);
    wait_for("the static entry", || {
        (client.mac_lines() == [format!("web {mac} t1.10 static")]).then_some(())
    });
    guest.send(&frame(station(9), station(2), 5));
    assert_eq!(number(&trunk.expect()), 5);

    assert_eq!(delete(&client, &mac, false).unwrap(), 1);
    assert!(!fs::read_to_string(gateway.site()).unwrap().contains(&mac));
    refused(delete(&client, &mac, false), ErrorReason::ResourceNotFound);
    assert_eq!(delete(&client, &mac, true).unwrap(), 0);
    gateway.stop();
}

#[test]
fn a_flush_forgets_what_it_names_and_nothing_else() {
    use v1::flush_macs_request::Scope;
    enter_new_namespaces();
    let (trunk, guest) = (Wire::cable("eth1", "p1"), Wire::cable("vm1", "p2"));
    let (gateway, client) = Gateway::usual();
    add(&client, entry(&text(station(9)), "a1", None)).unwrap();
    learn(&client, &trunk, &[1, 2]);
    guest.send(&frame(ALL, station(3), 0));
    wait_for("the guest", || (client.mac_lines().len() == 4).then_some(()));

    assert_eq!(flush(&client, Scope::Port("trunks/t1".into())).unwrap(), 2);
    let left: Vec<_> = [station(3), station(9)].map(text).to_vec();
    let lines = client.mac_lines();
    assert!(
        lines.len() == 2 && lines.iter().zip(&left).all(|(line, mac)| line.contains(mac)),
        "{lines:?}"
    );

    learn(&client, &trunk, &[1, 2]);
    assert_eq!(flush(&client, Scope::Bridge("web".into())).unwrap(), 3);
    assert_eq!(client.mac_lines(), [format!("web {} a1 static", text(station(9)))]);
    learn(&client, &trunk, &[1]);
    assert_eq!(flush(&client, Scope::All(v1::flush_macs_request::AllScope {})).unwrap(), 1);
    refused(flush(&client, Scope::Port("nowhere".into())), ErrorReason::ResourceNotFound);
    let nothing = v1::FlushMacsRequest { scope: None };
    let nothing = client.state(|mut c| async move { c.flush_macs(nothing).await });
    refused(nothing, ErrorReason::FieldInvalid);
    gateway.stop();
}

#[test]
fn one_learned_station_can_be_forgotten() {
    enter_new_namespaces();
    let (trunk, _guest) = (Wire::cable("eth1", "p1"), Wire::cable("vm1", "p2"));
    let (gateway, client) = Gateway::usual();
    learn(&client, &trunk, &[1, 2]);

    assert_eq!(delete(&client, &text(station(1)), false).unwrap(), 1);

    assert_eq!(client.mac_lines(), [format!("web {} t1.10", text(station(2)))]);
    gateway.stop();
}

#[test]
fn a_listing_is_filtered_and_comes_in_pages() {
    enter_new_namespaces();
    let (trunk, _guest) = (Wire::cable("eth1", "p1"), Wire::cable("vm1", "p2"));
    let (gateway, client) = Gateway::usual();
    learn(&client, &trunk, &[1, 2, 3, 4, 5]);
    add(&client, entry(&text(station(6)), "a1", None)).unwrap();

    let mut seen = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListMacsRequest { page_size: 4, page_token, ..Default::default() };
        let page = client.macs(request);
        assert_eq!(page.total_size, 6);
        seen.extend(page.macs.into_iter().map(|entry| entry.mac));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, [1, 2, 3, 4, 5, 6].map(|number| text(station(number))));
    let count = |request| client.macs(request).total_size;
    let all = v1::ListMacsRequest::default;
    assert_eq!(count(v1::ListMacsRequest { port: "a1".into(), ..all() }), 1);
    assert_eq!(count(v1::ListMacsRequest { vid: Some(10), ..all() }), 5);
    assert_eq!(count(v1::ListMacsRequest { mac: text(station(2)), ..all() }), 1);
    let origin = v1::mac::Origin::Static.into();
    assert_eq!(count(v1::ListMacsRequest { origin, ..all() }), 1);
    gateway.stop();
}

#[test]
fn each_bad_field_is_named_with_its_path() {
    let mut gateway =
        Gateway::new("[interfaces.eth1]\nkind = \"null\"\n[interfaces.vm1]\nkind = \"null\"\n");
    fs::write(gateway.site(), crate::gateway::SITE).unwrap();
    let client = gateway.start();
    let check = |mac: v1::StaticMac, field: &str| {
        let failure = refused(add(&client, mac), ErrorReason::FieldInvalid);
        assert_eq!(failure.fields[0].field, field);
    };

    check(entry("52:54", "a1", None), "mac.mac");
    check(entry("ff:ff:ff:ff:ff:ff", "a1", None), "mac.mac");
    check(entry(&text(station(1)), "a b", None), "mac.port");
    check(entry(&text(station(1)), "t1", Some(4095)), "mac.vid");
    refused(add(&client, entry(&text(station(1)), "a9", None)), ErrorReason::ResourceNotFound);
    refused(add(&client, entry(&text(station(1)), "t1", Some(11))), ErrorReason::SiteInvalid);
    let list = |request| client.state(|mut c| async move { c.list_macs(request).await });
    let all = v1::ListMacsRequest::default;
    let failure =
        refused(list(v1::ListMacsRequest { page_size: -1, ..all() }), ErrorReason::FieldInvalid);
    assert_eq!(failure.fields[0].field, "page_size");
    let other = v1::ListMacsRequest { page_token: "vlanLinks:x".into(), ..all() };
    refused(list(other), ErrorReason::FieldInvalid);
    let nowhere = v1::ListMacsRequest { bridge: "nowhere".into(), ..all() };
    refused(list(nowhere), ErrorReason::ResourceNotFound);
    gateway.stop();
}
