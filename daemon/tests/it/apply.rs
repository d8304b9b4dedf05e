//! Changes by API: what they do, what they promise, and what they refuse.

use std::fs;

use nix::mount::{MsFlags, mount};
use proto::failure::Failure;
use proto::v1::{self, ErrorReason};
use tonic::{Code, Status};

use crate::frames::{ALL, number, station, tagged};
use crate::gateway::{Gateway, INTERFACES, SITE, enter_new_namespaces, fill, wait_for};
use crate::wire::Wire;

fn document(text: &str) -> v1::ApplyRequest {
    v1::ApplyRequest { document: text.to_owned(), ..Default::default() }
}

#[track_caller]
fn check(result: Result<impl std::fmt::Debug, Status>, code: Code, reason: ErrorReason) -> Failure {
    let status = result.unwrap_err();
    let failure = Failure::from_status(&status).unwrap_or_else(|| panic!("{status:?}"));
    assert_eq!((failure.code, failure.reason), (code, reason), "{}", failure.message);
    failure
}

/// A gateway on the null device, for tests that send no frame.
fn idle() -> (Gateway, crate::client::Client) {
    let mut gateway =
        Gateway::new("[interfaces.eth1]\nkind = \"null\"\n[interfaces.vm1]\nkind = \"null\"\n");
    fs::write(gateway.site(), SITE).unwrap();
    let client = gateway.start();
    (gateway, client)
}

#[test]
fn without_a_site_file_the_first_apply_makes_it_and_frames_flow() {
    enter_new_namespaces();
    let (trunk, guest) = (Wire::cable("eth1", "p1"), Wire::cable("vm1", "p2"));
    let mut gateway = Gateway::new(INTERFACES);
    let client = gateway.start();
    assert!(client.conditions().contains(&("SITE_FILE_MISSING".into(), "host".into())));

    let reply = client.apply(document(SITE)).unwrap();

    assert!(reply.programmed);
    assert_eq!(reply.differences.len(), 6);
    assert_eq!(fs::read_to_string(gateway.site()).unwrap(), SITE, "the operator's own words stay");
    client.wait_forwarding(2);
    trunk.send(&tagged(10, ALL, station(1), 1));
    assert_eq!(number(&guest.expect()), 1);
    assert_eq!(client.conditions(), []);
    gateway.stop();
}

#[test]
fn a_partial_document_adds_and_a_pruning_one_removes() {
    let (gateway, client) = idle();

    let added = client.apply(document("bridges: [{name: db, vni: 7}]")).unwrap();
    assert_eq!(added.revision, 2);
    assert_eq!(added.differences[0].text, "+ bridges/db   vni 7");

    let same = client.apply(document("bridges: [{name: db, vni: 7}]")).unwrap();
    assert_eq!((same.revision, same.differences.len(), same.programmed), (2, 0, true));

    let plan = v1::ApplyRequest { prune: true, validate_only: true, ..document(SITE) };
    let plan = client.apply(plan).unwrap();
    assert_eq!((plan.revision, plan.differences[0].object.as_str()), (2, "bridges/db"));
    assert_eq!(plan.differences[0].kind(), v1::difference::Kind::Removed);

    let removed = client.apply(v1::ApplyRequest { prune: true, ..document(SITE) }).unwrap();
    assert_eq!(removed.revision, 3);
    assert_eq!(fs::read_to_string(gateway.site()).unwrap(), SITE);
    gateway.stop();
}

#[test]
fn a_document_with_mistakes_is_refused_with_their_places_and_changes_nothing() {
    let (gateway, client) = idle();
    let bad =
        "bridges: [{name: db, vni: 0}]\nvlanLinks: [{gatewayBridge: gw, vid: 4095, bridge: web}]\n";

    let failure =
        check(client.apply(document(bad)), Code::InvalidArgument, ErrorReason::SiteInvalid);

    let places: Vec<_> = failure.fields.iter().map(|bad| bad.field.as_str()).collect();
    assert_eq!(places, ["1:27", "2:38"], "{failure:?}");
    assert!(failure.message.contains("document:1:27"), "{}", failure.message);
    let lags = "lags: [{name: l}]\ntrunks: [{name: t2, gatewayBridge: gw, lag: l}]\n";
    let refused = client.apply(document(&lags.replace("{name: l}", "{name: l, members: []}")));
    check(refused, Code::Unimplemented, ErrorReason::NotInThisRelease);
    assert_eq!(client.status().revision, 1);
    assert_eq!(fs::read_to_string(gateway.site()).unwrap(), SITE);
    gateway.stop();
}

#[test]
fn what_a_request_expects_and_how_it_is_repeated_is_kept() {
    let (gateway, client) = idle();
    let db = "bridges: [{name: db}]";
    let expecting = |expected_revision| v1::ApplyRequest { expected_revision, ..document(db) };
    let named = |text: &str| v1::ApplyRequest { request_id: "id-1".to_owned(), ..document(text) };

    let failure = check(client.apply(expecting(9)), Code::Aborted, ErrorReason::RevisionMismatch);
    assert_eq!(failure.metadata["revision"], "1");
    assert_eq!(client.apply(expecting(1)).unwrap().revision, 2);

    let first = client.apply(named("bridges: [{name: a}]")).unwrap();
    client.apply(v1::ApplyRequest { prune: true, ..document(SITE) }).unwrap();
    let again = client.apply(named("bridges: [{name: a}]")).unwrap();
    assert_eq!((again.revision, again.differences), (first.revision, first.differences));
    let seen = v1::ApplyRequest { expected_revision: 4, ..named("bridges: [{name: a}]") };
    assert_eq!(client.apply(seen).unwrap().revision, first.revision, "whatever it expects now");
    assert_eq!(client.status().revision, 4, "the repetition was not done again");
    let reused = client.apply(named("bridges: [{name: b}]"));
    check(reused, Code::InvalidArgument, ErrorReason::RequestIdReused);
    let long = v1::ApplyRequest { request_id: "x".repeat(65), ..document(db) };
    let failure = check(client.apply(long), Code::InvalidArgument, ErrorReason::FieldInvalid);
    assert_eq!(failure.fields[0].field, "request_id");
    gateway.stop();
}

#[test]
fn drops_of_a_port_that_does_not_exist_are_an_error_and_no_empty_list() {
    let (gateway, client) = idle();
    let drops_of = |port: &str| {
        let request = v1::ListDropsRequest { port: port.to_owned(), ..Default::default() };
        client.state(|mut client| async move { client.list_drops(request).await })
    };

    assert!(drops_of("trunks/t1").unwrap().drops.is_empty());
    check(drops_of("nope"), Code::NotFound, ErrorReason::ResourceNotFound);
    gateway.stop();
}

#[test]
fn an_edit_by_hand_is_noticed_and_not_overwritten() {
    let (gateway, client) = idle();
    let edited = SITE.replace("{name: web}]", "{name: web}, {name: db}]");
    fs::write(gateway.site(), &edited).unwrap();
    wait_for("the edit to be noticed", || {
        client.conditions().contains(&("SITE_FILE_EDITED".into(), "host".into())).then_some(())
    });

    let refused = client.apply(document("bridges: [{name: x}]"));
    check(refused, Code::Aborted, ErrorReason::SiteFileChanged);
    assert_eq!(fs::read_to_string(gateway.site()).unwrap(), edited);

    let request = v1::ReloadRequest::default();
    let loaded = client.config(|mut c| async move { c.reload(request).await }).unwrap();
    assert_eq!((loaded.revision, loaded.differences.len()), (2, 1));
    client.apply(document("bridges: [{name: x}]")).unwrap();
    assert_eq!(
        client.conditions().iter().filter(|(reason, _)| reason.starts_with("SITE")).count(),
        0
    );
    gateway.stop();
}

#[test]
fn a_broken_edit_is_refused_the_running_site_stays_and_a_whole_document_mends_it() {
    let (gateway, client) = idle();
    fs::write(gateway.site(), "bridges: [{name: web, colour: red}]\n").unwrap();

    let request = v1::ReloadRequest::default();
    let refused = client.config(|mut c| async move { c.reload(request).await });
    let failure = check(refused, Code::InvalidArgument, ErrorReason::SiteInvalid);
    assert!(failure.message.contains("site.yaml:1:"), "{}", failure.message);
    let status = client.status();
    assert_eq!(status.conditions[0].reason, "SITE_REFUSED");
    assert_eq!(status.health(), v1::status::Health::Failed);
    assert_eq!(status.revision, 1);

    client.apply(v1::ApplyRequest { prune: true, ..document(SITE) }).unwrap();
    let more = SITE.replace("{name: web}]", "{name: web}, {name: db}]");
    client.apply(v1::ApplyRequest { prune: true, ..document(&more) }).unwrap();
    assert_eq!(fs::read_to_string(gateway.site()).unwrap(), more);
    gateway.stop();
}

#[test]
fn a_full_disk_refuses_a_change_and_nothing_is_lost() {
    enter_new_namespaces();
    let (trunk, guest) = (Wire::cable("eth1", "p1"), Wire::cable("vm1", "p2"));
    let mut gateway = Gateway::new(INTERFACES);
    let disk = gateway.small_disk("conf", 64 * 1024);
    fs::write(gateway.site(), SITE).unwrap();
    let client = gateway.start();
    client.wait_forwarding(2);
    let ballast = fill(&disk);

    let bridges = format!("bridges: [{{name: db}}]{}\n", " # words".repeat(1000));
    let refused = client.apply(document(&bridges));

    let failure = check(refused, Code::ResourceExhausted, ErrorReason::StorageFull);
    assert!(failure.message.contains("site.yaml"), "{}", failure.message);
    assert_eq!(client.status().revision, 1);
    assert_eq!(fs::read_to_string(gateway.site()).unwrap(), SITE);
    let names: Vec<_> = fs::read_dir(&disk).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    trunk.send(&tagged(10, ALL, station(1), 4));
    assert_eq!(number(&guest.expect()), 4);

    fs::remove_file(ballast).unwrap();
    client.apply(document(&bridges)).unwrap();
    gateway.stop();
}

#[test]
fn a_read_only_disk_refuses_a_change_and_nothing_is_lost() {
    enter_new_namespaces();
    let _cables = (Wire::cable("eth1", "p1"), Wire::cable("vm1", "p2"));
    let mut gateway = Gateway::new(INTERFACES);
    let disk = gateway.small_disk("conf", 64 * 1024);
    fs::write(gateway.site(), SITE).unwrap();
    let client = gateway.start();
    let none: Option<&str> = None;
    mount(none, &disk, none, MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY, none).unwrap();

    let refused = client.apply(document("bridges: [{name: db}]"));

    check(refused, Code::FailedPrecondition, ErrorReason::StorageReadOnly);
    assert_eq!(client.status().revision, 1);
    gateway.stop();
}

#[test]
fn what_export_gives_apply_accepts_and_resources_can_be_read_one_by_one() {
    let (gateway, client) = idle();
    let export = v1::ExportRequest {};
    let exported = client.config(|mut c| async move { c.export(export).await }).unwrap();

    let request = v1::ApplyRequest { prune: true, ..document(&exported.document) };
    assert_eq!(client.apply(request).unwrap().differences, []);

    let get = |name: &str| {
        let request = v1::GetResourceRequest { name: name.to_owned() };
        client.config(|mut c| async move { c.get_resource(request).await })
    };
    let link = get("vlanLinks/gw/10").unwrap();
    assert!(link.status.unwrap().programmed);
    assert!(matches!(link.spec, Some(v1::resource::Spec::VlanLink(link)) if link.bridge == "web"));
    check(get("vlanLinks/gw/11"), Code::NotFound, ErrorReason::ResourceNotFound);
    check(get("cities/rome"), Code::InvalidArgument, ErrorReason::FieldInvalid);
    gateway.stop();
}

#[test]
fn four_thousand_vlan_links_apply_and_page() {
    let (gateway, client) = idle();
    let bridges = (1..=4094).map(|vid| format!("- {{name: b{vid}}}\n"));
    let links = (1..=4094)
        .filter(|vid| *vid != 10)
        .map(|vid| format!("- {{gatewayBridge: gw, vid: {vid}, bridge: b{vid}}}\n"));
    let head = |key: &str| std::iter::once(format!("{key}:\n"));
    let text: String =
        head("bridges").chain(bridges).chain(head("vlanLinks")).chain(links).collect();

    let reply = client.apply(document(&text)).unwrap();

    assert_eq!(reply.differences.len(), 4094 + 4093);
    assert!(reply.programmed);
    let mut names = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListResourcesRequest {
            kind: v1::ResourceKind::VlanLink.into(),
            page_size: 1500,
            page_token,
        };
        let page = client.config(|mut c| async move { c.list_resources(request).await }).unwrap();
        names.extend(page.resources.into_iter().map(|resource| resource.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 4094);
    gateway.stop();
}
