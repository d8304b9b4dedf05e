//! The compiler: limits of a host, numbers that stay, and size at 4094 VLANs.

mod attached;
mod overlay;
mod properties;
mod rights;

use bridge_model::compile::{
    Class, CompileError, Domain, Location, MemberRoute, Numbering, Place, PushTags, Scope,
    TaggedClasses, compile,
};
use bridge_model::topology::Topology;
use bridge_model::types::{Fid, MemberId, Revision, VlanId};

use crate::admission::SITE;
use crate::world::{name, topology, view};

fn vid(raw: u16) -> VlanId {
    VlanId::new(raw).unwrap()
}

/// One trunk, and for each VID a link to a bridge of its own with an access port.
pub(crate) fn many_vlans(count: u16) -> Topology {
    use std::fmt::Write as _;
    let mut text = "hosts: [{name: h}]\ngatewayBridges: [{name: gw}]\n\
        trunks: [{name: t, gatewayBridge: gw, host: h, interface: eth1}]\n"
        .to_owned();
    let mut list = |key: &str, item: &dyn Fn(u16) -> String| {
        writeln!(text, "{key}:").unwrap();
        for i in 1..=count {
            writeln!(text, "- {}", item(i)).unwrap();
        }
    };
    list("bridges", &|i| format!("{{name: b{i}}}"));
    list("vlanLinks", &|i| format!("{{gatewayBridge: gw, vid: {i}, bridge: b{i}}}"));
    list("accessPorts", &|i| format!("{{name: p{i}, bridge: b{i}, host: h, interface: vm{i}}}"));
    topology(&text)
}

#[test]
fn each_of_4094_vlans_on_one_trunk_has_its_own_fid_with_two_members() {
    let topology = many_vlans(4094);
    let names: Vec<String> = (1..=4094).map(|i| format!("vm{i}")).collect();
    let mut interfaces = vec!["eth1"];
    interfaces.extend(names.iter().map(String::as_str));
    let view = view(&interfaces);
    let mut numbering = Numbering::default();
    let compiled = compile(&topology, &view, &mut numbering, Revision(7)).unwrap();
    let tables = &compiled.tables;
    assert_eq!(tables.revision, Revision(7));
    // Fids are dense from 1, so the table is no larger than it has to be.
    assert_eq!(tables.fids.len(), 4095);
    assert_eq!(tables.ports.len(), 4095);
    let TaggedClasses::Trunk { classes, .. } = &tables.interfaces[0].tagged else { panic!() };
    let mut seen = std::collections::BTreeSet::new();
    for raw in 1..=4094 {
        let Class::Forward { fid, member } = classes.get(vid(raw)) else { panic!("{raw}") };
        assert!(seen.insert(*fid), "{fid} is shared");
        let table = &tables.fids[fid.index()];
        assert_eq!(table.owner, Some(name(&format!("b{raw}"))));
        assert_eq!(table.flood.len(), 2);
        let MemberRoute::Port { vid: on, push, .. } = table.members[member.index()].route else {
            panic!("{raw}")
        };
        assert_eq!(on, Some(vid(raw)));
        assert!(matches!(push, PushTags::One(_, pushed) if pushed == vid(raw)));
    }
    // A second compile of the same gives the same, and nothing to sweep.
    let again = compile(&topology, &view, &mut numbering, Revision(7)).unwrap();
    assert_eq!(again, compiled);
    assert!(numbering.retired().is_empty() && numbering.retired_fids().is_empty());
}

#[test]
fn an_error_leaves_the_numbering_as_it_was() {
    let mut numbering = Numbering::default();
    let good = topology(SITE);
    let view = view(&["eth1", "vm1", "vm2", "vm3"]);
    let before = compile(&good, &view, &mut numbering, Revision(1)).unwrap();
    let mut bad = good.clone();
    for index in 0..8 {
        let text = format!("bridges: [{{name: x{index}, transparent: true}}]");
        bad = bad.merge(&topology(&text), bridge_model::topology::Prune::Keep);
        let mut port = bad.access_ports["p3"].clone();
        port.name = name(&format!("x{index}"));
        port.bridge = port.name.clone();
        port.binding.as_mut().unwrap().interface = name(&format!("x{index}"));
        bad.access_ports.insert(port.name.clone(), port);
    }
    let mut wide = view.clone();
    for index in 0..8 {
        wide.interfaces.extend(crate::world::view(&[&format!("x{index}")]).interfaces);
    }
    let error = compile(&bad, &wide, &mut numbering, Revision(2)).unwrap_err();
    assert_eq!(
        error,
        CompileError::TooManyTransparentBridges { bridge: name("x7"), limit: 7 },
        "{error}"
    );
    assert_eq!(compile(&good, &view, &mut numbering, Revision(1)).unwrap(), before);
    // Seven fit, beside each other and beside the others.
    bad.access_ports.remove("x7");
    bad.bridges.remove("x7");
    let compiled = compile(&bad, &wide, &mut numbering, Revision(2)).unwrap();
    assert_eq!(compiled.tables.fids.len(), 65_536);
    let owners = compiled.tables.fids.iter().filter(|fid| fid.owner.is_some()).count();
    assert_eq!(owners, 2 + 7 * 4096);
}

#[test]
fn what_this_release_cannot_do_is_refused_with_the_object_named() {
    let mut numbering = Numbering::default();
    let view = view(&["eth1"]);
    let mlag = topology("gatewayBridges: [{name: gw, mode: mlag}]");
    let error = compile(&mlag, &view, &mut numbering, Revision(1)).unwrap_err().to_string();
    assert!(error.starts_with("gatewayBridges/gw: mode mlag is not in this release"), "{error}");
    let lag = topology(
        "hosts: [{name: h}]\ngatewayBridges: [{name: gw}]\n\
         lags: [{name: bond0, members: [{host: h, interface: eth1}]}]\n\
         trunks: [{name: t, gatewayBridge: gw, lag: bond0}]",
    );
    let error = compile(&lag, &view, &mut numbering, Revision(1)).unwrap_err().to_string();
    assert!(error.starts_with("trunks/t: bound to lags/bond0"), "{error}");
}

#[test]
fn notes_tell_of_what_waits() {
    let mut numbering = Numbering::default();
    let notes = |text: &str, interfaces: &[&str], numbering: &mut Numbering| -> Vec<String> {
        let compiled = compile(&topology(text), &view(interfaces), numbering, Revision(1)).unwrap();
        compiled.notes.iter().map(ToString::to_string).collect()
    };
    let waiting = notes(SITE, &["eth1", "vm1", "vm2"], &mut numbering);
    assert_eq!(
        waiting,
        [
            "accessPorts/p3 waits: the node file of this host has no interface vm3",
            "bridges/web has ports here and on hosts/other, but no VNI, so the hosts' parts of it \
             are separate; set `vni` on it",
        ]
    );
    let unknown = notes("bridges: [{name: b}]", &[], &mut numbering);
    assert_eq!(unknown, ["hosts/h is not in the site, so no port is bound here"]);
    let stp = SITE.replace("{name: gw}", "{name: gw, mode: stp-transparent}").replace(
        "interface: eth1}]",
        "interface: eth1, native: 9}, {name: u, gatewayBridge: gw, host: h, interface: vm9}]",
    );
    let remarks = notes(&stp, &["eth1", "vm1", "vm2", "vm3", "vm9"], &mut numbering);
    assert_eq!(remarks.len(), 3, "{remarks:?}");
    assert!(remarks[1].contains("passes spanning tree frames but no data"), "{remarks:?}");
    assert!(remarks[2].contains("native VLAN 9 has no VLAN link"), "{remarks:?}");
}

#[test]
fn numbers_are_looked_up_both_ways() {
    let mut numbering = Numbering::default();
    let view = view(&["eth1", "vm1", "vm2", "vm3"]);
    compile(&topology(SITE), &view, &mut numbering, Revision(1)).unwrap();
    let web = Domain::Bridge(name("web"));
    let fid = numbering.fid_of_bridge(&name("web"), None).unwrap();
    assert_eq!(numbering.fid_of(&web), Some(fid));
    let place = Place::Trunk { trunk: name("t"), vid: vid(10), inner_vid: None };
    let member = numbering.member_of(&web, &place).unwrap();
    let location =
        Location { owner: name("web"), port: name("t"), vid: Some(vid(10)), inner_vid: None };
    assert_eq!(numbering.locate(fid, member), Some(location));
    assert_eq!(numbering.locate(fid, MemberId(99)), None);
    assert_eq!(numbering.locate(Fid(99), MemberId(1)), None);
    assert_eq!(numbering.fid_of_bridge(&name("nobody"), None), None);
    assert_eq!(numbering.domain_of(fid), Some((&web, None)));
}

#[test]
fn a_retired_number_is_not_used_again_before_it_is_released() {
    let mut numbering = Numbering::default();
    let view = view(&["eth1", "vm1", "vm2", "vm3"]);
    let site = topology(SITE);
    compile(&site, &view, &mut numbering, Revision(1)).unwrap();
    let web = Domain::Bridge(name("web"));
    let place = Place::Access(name("p1"));
    let fid = numbering.fid_of(&web).unwrap();
    let first = numbering.member_of(&web, &place).unwrap();
    let retired = numbering.retire(&site, &Scope::Port(name("p1")));
    assert_eq!(retired, [(fid, first)]);
    assert_eq!(numbering.retired(), retired);
    assert_eq!(numbering.locate(fid, first), None);
    compile(&site, &view, &mut numbering, Revision(2)).unwrap();
    let second = numbering.member_of(&web, &place).unwrap();
    assert_ne!(first, second);
    assert!(numbering.retire(&site, &Scope::Port(name("nobody"))).is_empty());
    numbering.retire(&site, &Scope::Port(name("p1")));
    compile(&site, &view, &mut numbering, Revision(3)).unwrap();
    let third = numbering.member_of(&web, &place).unwrap();
    assert!(third != first && third != second);
    // Released, the first comes back; a number in use cannot be released.
    numbering.release(&[(fid, first), (fid, third)], &[fid]);
    numbering.retire(&site, &Scope::Port(name("p1")));
    compile(&site, &view, &mut numbering, Revision(4)).unwrap();
    assert_eq!(numbering.member_of(&web, &place), Some(first));
    assert_eq!(numbering.fid_of(&web), Some(fid));
}

#[test]
fn a_removed_bridge_gives_its_fid_back_after_release_only() {
    let mut numbering = Numbering::default();
    let view = view(&["eth1", "vm1", "vm2", "vm3"]);
    let site = topology(SITE);
    compile(&site, &view, &mut numbering, Revision(1)).unwrap();
    let db = Domain::Bridge(name("db"));
    let fid = numbering.fid_of(&db).unwrap();
    let renamed = topology(&SITE.replace("db", "newdb"));
    compile(&renamed, &view, &mut numbering, Revision(2)).unwrap();
    assert_eq!(numbering.fid_of(&db), None);
    assert_eq!(numbering.retired_fids(), [fid]);
    assert_ne!(numbering.fid_of(&Domain::Bridge(name("newdb"))), Some(fid));
    numbering.release(&[], &[fid]);
    assert!(numbering.retired_fids().is_empty());
    let both = SITE.replace("{name: db}", "{name: db}, {name: newdb}");
    let both = both
        .replace("bridge: web, host: h, interface: vm2", "bridge: newdb, host: h, interface: vm2");
    let compiled = compile(&topology(&both), &view, &mut numbering, Revision(3)).unwrap();
    assert_eq!(numbering.fid_of(&db), Some(fid));
    assert_eq!(compiled.tables.fids.len(), 4);
}

#[test]
fn a_bridge_port_keeps_its_number_while_others_come_and_go() {
    let mut numbering = Numbering::default();
    let view = view(&["eth1", "vm1", "vm2", "vm3"]);
    compile(&topology(SITE), &view, &mut numbering, Revision(1)).unwrap();
    let before = ["p1", "p2", "p3", "t"].map(|port| numbering.port_id(&name(port)).unwrap());
    let without = SITE.replace("- {name: p1, bridge: web, host: h, interface: vm1}\n", "");
    compile(&topology(&without), &view, &mut numbering, Revision(2)).unwrap();
    assert_eq!(numbering.port_id(&name("t")), Some(before[3]));
    let with_a = without
        .replace("accessPorts:", "accessPorts:\n- {name: a, bridge: web, host: h, interface: vm1}");
    let compiled = compile(&topology(&with_a), &view, &mut numbering, Revision(3)).unwrap();
    assert_eq!(numbering.port_id(&name("a")), Some(before[0]), "the free number is taken");
    assert_eq!(numbering.port_id(&name("t")), Some(before[3]));
    assert_eq!(compiled.tables.ports.len(), 4);
}
