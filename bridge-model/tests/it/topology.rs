//! Section 1: limits that the site file's own tests do not show, differences, merging, references.

use bridge_model::topology::{Change, Kind, ObjectRef, Prune, Topology};

use crate::admission::SITE;
use crate::world::topology;

#[test]
fn section_1_an_object_that_others_name_cannot_go_and_they_are_named() {
    let site = topology(SITE);
    let refs = |kind, id: &str| -> Vec<String> {
        site.referrers(&ObjectRef::new(kind, id)).iter().map(ToString::to_string).collect()
    };
    assert_eq!(refs(Kind::Bridge, "db"), ["vlanLinks/gw/20", "accessPorts/p3"]);
    assert_eq!(refs(Kind::GatewayBridge, "gw"), ["trunks/t", "vlanLinks/gw/10", "vlanLinks/gw/20"]);
    assert_eq!(refs(Kind::Host, "other"), ["accessPorts/far"]);
    assert!(refs(Kind::Bridge, "nobody").is_empty());
    let mut broken = site.clone();
    broken.bridges.remove("db");
    let errors = broken.check().unwrap_err();
    let shown: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "vlanLinks/gw/20: bridge names bridges/db, which does not exist",
            "accessPorts/p3: bridge names bridges/db, which does not exist",
        ]
    );
    assert!(errors.iter().all(|error| !error.help().is_empty() && error.other().is_some()));
}

#[test]
fn a_difference_names_object_field_old_and_new() {
    let old = topology(SITE);
    let new =
        topology(&SITE.replace("{name: web}", "{name: web, macLimit: 4000, ageing: 10s}").replace(
            "- {gatewayBridge: gw, vid: 20, bridge: db}",
            "- {gatewayBridge: gw, vid: 30, bridge: db}",
        ));
    let shown: Vec<String> = old.diff(&new).iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "~ bridges/web   ageing 300s -> 10s, macLimit none -> 4000",
            "- vlanLinks/gw/20   bridge db",
            "+ vlanLinks/gw/30   bridge db",
        ]
    );
    assert!(old.diff(&old).is_empty());
    let back: Vec<Change> = new.diff(&old).iter().map(|difference| difference.kind).collect();
    assert_eq!(back, [Change::Changed, Change::Added, Change::Removed]);
    assert_eq!(Topology::default().diff(&old).len(), old.objects().count());
}

#[test]
fn merging_adds_and_replaces_and_pruning_removes() {
    let site = topology(SITE);
    let more = topology("bridges: [{name: web, vni: 9}, {name: extra}]");
    let kept = site.merge(&more, Prune::Keep);
    assert_eq!(kept.bridges.len(), 3);
    assert_eq!(kept.bridges["web"].vni.unwrap().get(), 9);
    assert_eq!(kept.access_ports, site.access_ports);
    assert_eq!(site.merge(&more, Prune::Remove), more);
    assert_eq!(site.merge(&site, Prune::Keep), site);
}

#[test]
fn section_1_what_names_a_zone_or_a_tunnel_holds_it() {
    let site = topology(
        "hosts: [{name: a, vtep: 192.0.2.1}]\nbridges: [{name: web, vni: 7}]\n\
         tunnelZones: [{name: z, kind: gre, hosts: [a]}]\n\
         tunnels: [{name: far, zone: z, remote: 192.0.2.9, bridges: [web]}]\n\
         staticMacs: [{bridge: web, mac: 02:00:00:00:00:01, port: far}]\n",
    );
    let refs = |kind, id: &str| -> Vec<String> {
        site.referrers(&ObjectRef::new(kind, id)).iter().map(ToString::to_string).collect()
    };
    assert_eq!(refs(Kind::Tunnel, "far"), ["staticMacs/web/02:00:00:00:00:01"]);
    assert_eq!(refs(Kind::TunnelZone, "z"), ["tunnels/far"]);
    assert_eq!(refs(Kind::Host, "a"), ["tunnelZones/z"]);
    let mut without = site.clone();
    without.tunnels.clear();
    let errors = without.check().unwrap_err();
    assert_eq!((errors.len(), errors[0].code()), (1, "missing_reference"));
}
