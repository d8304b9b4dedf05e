//! Interfaces on the underlay, notes, and numbers that outlive a change of the overlay.

use std::fmt::Write as _;

use bridge_model::compile::{
    Class, Compiled, HostView, Numbering, ReservedAction, Scope, TaggedClasses, UnderlayTable,
    compile,
};
use bridge_model::reason::{DropReason, PuntReason};
use bridge_model::topology::{AccessPort, AdminState, Binding};
use bridge_model::types::{
    Fid, InterfaceId, MemberId, Name, PortId, Revision, Tpid, UnderlayId, VlanId,
};
use bridge_model::wire::reserved::ReservedClass;

use super::overlay::{SITE, compiled, down, here, notes, paths, site, with};
use super::rights::gateways;
use crate::world::{World, check, frame, name, topology, view};

/// The tables of an interface: untagged, VID 40, VID 9, LLDP and BPDU.
fn interface(compiled: &Compiled, of: &str) -> (Class, Option<Class>, Class, [ReservedAction; 2]) {
    let table = compiled.tables.interfaces.iter().find(|i| i.name == name(of)).unwrap();
    let (forty, nine) = match &table.tagged {
        TaggedClasses::All(class) => (None, class.clone()),
        TaggedClasses::Trunk { classes, tpid } => {
            assert_eq!(*tpid, Tpid::CTag);
            let class = |vid| classes.get(VlanId::new(vid).unwrap()).clone();
            (Some(class(40)), class(9))
        }
        TaggedClasses::Transparent { .. } => panic!("{of} is transparent"),
    };
    let reserved = [0x0e, 0].map(|low| table.reserved.action(ReservedClass::LinkLocal(low)));
    (table.untagged.clone(), forty, nine, reserved)
}

fn on_vlan(interface: &str) -> String {
    with("{interface: up0, addresses", &format!("{{interface: {interface}, vlan: 40, addresses"))
}

#[test]
fn c7_an_untagged_link_takes_untagged_frames_and_an_interface_alone_reads_lldp() {
    let drop = Class::Drop;
    let underlay = Class::Underlay(UnderlayId(0));
    let [lldp, reserved] =
        [ReservedAction::Consume(PuntReason::Lldp), ReservedAction::Drop(DropReason::Reserved)];
    let found = site(SITE);
    let unbound = drop(DropReason::PortUnbound);
    assert_eq!(
        interface(&found, "up0"),
        (underlay.clone(), Some(unbound.clone()), unbound.clone(), [lldp, reserved])
    );
    let tables = &found.tables;
    let port = tables.ports.iter().position(|p| p.name == Name::of_underlay(&name("up0"), None));
    let port = port.map(|port| PortId(u16::try_from(port).unwrap()));
    assert_eq!(tables.interfaces[0].untagged_port, port);
    assert_eq!(tables.interfaces[0].tagged_port, port);
    assert_eq!(Some(tables.underlay.links[0].port), port);
    assert_eq!(tables.ports[usize::from(port.unwrap().0)].interface, InterfaceId(0));
    // A VLAN alone.
    assert_eq!(
        interface(&site(&on_vlan("up0")), "up0"),
        (unbound.clone(), Some(underlay), unbound, [lldp, reserved])
    );
}

#[test]
fn c7_a_vlan_link_lives_beside_an_access_port_and_a_trunk_up_or_down() {
    let underlay = Some(Class::Underlay(UnderlayId(0)));
    let drop = Class::Drop;
    let bpdu = ReservedAction::Drop(DropReason::BpduOnAccess);
    let found = site(&on_vlan("vm1"));
    let (untagged, forty, nine, reserved) = interface(&found, "vm1");
    assert!(matches!(untagged, Class::Forward { .. }));
    assert_eq!((forty, nine), (underlay.clone(), drop(DropReason::TaggedOnAccess)));
    assert_eq!(reserved, [ReservedAction::Drop(DropReason::Reserved), bpdu]);
    let mut topology = topology(&format!(
        "{}gatewayBridges: [{{name: gw}}]\n\
         vlanLinks: [{{gatewayBridge: gw, vid: 9, bridge: web}}]\n\
         trunks: [{{name: t, gatewayBridge: gw, host: h, interface: eth1}}]\n",
        on_vlan("eth1")
    ));
    let found = compiled(&topology, &here());
    let (untagged, forty, nine, reserved) = interface(&found, "eth1");
    assert_eq!(untagged, drop(DropReason::UntaggedOnTrunk));
    assert_eq!(forty, underlay);
    assert!(matches!(nine, Class::Forward { .. }));
    assert_eq!(reserved[1], ReservedAction::Consume(PuntReason::Bpdu));
    // The trunk's administrator does not take the underlay with it, the cable does.
    topology.trunks.get_mut("t").unwrap().admin = AdminState::Down;
    let found = compiled(&topology, &here());
    let (_, forty, nine, _) = interface(&found, "eth1");
    assert_eq!((forty, nine), (underlay, drop(DropReason::AdminDown)));
    let found = compiled(&topology, &down("eth1"));
    let no_carrier = drop(DropReason::RxLinkDown);
    let reserved = [ReservedAction::Drop(DropReason::RxLinkDown); 2];
    assert_eq!(interface(&found, "eth1"), (no_carrier.clone(), None, no_carrier, reserved));
}

#[test]
fn c7_an_interface_to_the_kernel_takes_untagged_frames_only() {
    let text = on_vlan("eth1").replace("'2001:db8::1/64']}]", "'2001:db8::1/64'], kernel: tap0}]");
    let found = site(&text);
    let reserved = [ReservedAction::Drop(DropReason::Reserved); 2];
    let tagged = Class::Drop(DropReason::TaggedOnAccess);
    assert_eq!(interface(&found, "tap0"), (Class::Kernel(UnderlayId(0)), None, tagged, reserved));
    let [link] = &*found.tables.underlay.links else { panic!() };
    assert_eq!(link.kernel, Some(InterfaceId(4)));
    assert_eq!((link.vlan, link.mtu), (VlanId::new(40).ok(), 1500));
    assert_eq!(link.mac, here().interfaces[3].mac);
}

#[test]
fn u0_beside_a_link_a_priority_tag_counts_as_none_whatever_the_trunks_state() {
    for (link, trunk, expected) in [
        ("vlan: 40, ", "up", "vm1[]"),
        ("vlan: 40, ", "down", "vm1[]"),
        ("", "up", "drop not_for_us"),
        ("", "down", "drop not_for_us"),
    ] {
        let link = format!("{{interface: eth1, {link}addresses");
        let mut text = with("{interface: up0, addresses", &link);
        write!(
            text,
            "gatewayBridges: [{{name: gw}}]\n\
             trunks: [{{name: t, gatewayBridge: gw, host: h, interface: eth1, admin: {trunk}}}]\n"
        )
        .unwrap();
        if expected == "vm1[]" {
            text = text.replace(
                "accessPorts:\n",
                "accessPorts:\n- {name: q, bridge: web, host: h, interface: eth1}\n",
            );
            text = text
                .replace("bridges: [web]}", "bridges: []}")
                .replace("name: pa, bridge: web", "name: pa, bridge: lone");
        }
        let mut world = World::with(topology(&text), here());
        check(&mut world, &[("eth1", frame("A", "B").tag(0), expected)]);
        let state = if trunk == "up" { "vlan_unknown" } else { "admin_down" };
        check(&mut world, &[("eth1", frame("A", "B").tag(9), &format!("drop {state}"))]);
        check(&mut world, &[("eth1", frame("A", "B").tag(4095), "drop vlan_reserved")]);
        check(&mut world, &[("eth1", frame("A", "B").stag(9), "drop bad_tpid")]);
    }
}

#[test]
fn c8_notes_tell_of_what_keeps_hosts_apart() {
    let of = |text: &str, view: &HostView| notes(&compiled(&topology(text), view)).join("\n");
    assert_eq!(of(SITE, &here()), "");
    let no_link = with("[{interface: up0, addresses: [192.0.2.1/24, '2001:db8::1/64']}]", "[]")
        .replace("[{to: 0.0.0.0/0, via: [192.0.2.254, 192.0.2.253]}]", "[]");
    let text = of(&no_link, &here());
    assert!(text.contains("hosts/h is in tunnelZones/dc but has no underlay link"), "{text}");
    let no_route = with("to: 0.0.0.0/0", "to: 203.0.113.0/24");
    assert_eq!(
        of(&no_route, &here()),
        "hosts/b: no underlay link with carrier and no route leads to 198.51.100.3; add a route to \
         hosts/h, or an address of that network to a link of its `underlay`"
    );
    assert_eq!(of(SITE, &down("up0")).lines().count(), 3);
    let no_vni = with("{name: db, vni: 5002}", "{name: db}");
    assert_eq!(
        of(&no_vni, &here()),
        "bridges/db has ports here and on hosts/b, but no VNI, so the hosts' parts of it are \
         separate; set `vni` on it"
    );
    let apart = with("hosts: [h, b]", "hosts: [b]");
    assert_eq!(
        of(&apart, &here()),
        "bridges/db has ports here and on hosts/b, with which this host shares no tunnel zone: no \
         frame of the bridge reaches them; put the hosts into one of `tunnelZones`"
    );
    let missing = view(&["vm1", "vm2"]);
    let kernel = with("'2001:db8::1/64']}]", "'2001:db8::1/64'], kernel: tap0}]");
    let text = of(&kernel, &missing);
    for interface in ["up0", "tap0"] {
        let waits =
            format!("underlay waits: the node file of this host has no interface {interface}");
        assert!(text.contains(&waits), "{text}");
    }
}

#[test]
fn c8_a_missing_way_to_the_kernel_is_told_as_what_it_does() {
    let kernel = with("'2001:db8::1/64']}]", "'2001:db8::1/64'], kernel: tap0}]");
    let found = compiled(&topology(&kernel), &view(&["up0", "vm1", "vm2"]));
    assert_eq!(
        notes(&found),
        ["hosts/h: the node file of this host has no interface tap0, the way of underlay up0 to \
          the kernel: frames for the kernel are dropped, and the gateway itself answers ARP, \
          neighbour discovery and ping; add tap0 to the node file"]
    );
}

#[test]
fn a_bridge_whose_tunnels_are_too_narrow_for_ipv6_is_told_of_once() {
    let mut view = here();
    // VXLAN over IPv4 takes 50 octets of it.
    for (probed, expected) in [(1330, 0), (1329, 1)] {
        view.path_mtus.insert(name("a"), probed);
        for text in [SITE.to_owned(), with("vni: 5001}", "vni: 5001, transparent: true}")] {
            let found = notes(&compiled(&topology(&text), &view));
            assert_eq!(found.len(), expected, "{found:?}");
            let start =
                "bridges/web: a tunnel of it takes packets of 1279 octets at most, but IPv6";
            assert!(found.iter().all(|note| note.starts_with(start)), "{found:?}");
        }
    }
}

#[test]
fn c8_a_link_works_without_its_missing_way_to_the_kernel() {
    let kernel = with("'2001:db8::1/64']}]", "'2001:db8::1/64'], kernel: tap0}]");
    let found = compiled(&topology(&kernel), &view(&["up0", "vm1", "vm2"]));
    assert_eq!(found.tables.underlay.links[0].kernel, None);
    assert_eq!(paths(&found, "a").0, ["up0 192.0.2.2"]);
}

#[test]
fn c9_reserved_destinations_inside_tunnels_are_dropped_as_on_access_ports() {
    let found = site(SITE);
    let reserved = found.tables.underlay.reserved.unwrap();
    let action = |class| reserved.action(class);
    let bpdu = ReservedAction::Drop(DropReason::BpduOnAccess);
    let rest = ReservedAction::Drop(DropReason::Reserved);
    assert_eq!(action(ReservedClass::Pvst), bpdu);
    assert_eq!(action(ReservedClass::Vendor), rest);
    for low in 0..16 {
        let expected = if matches!(low, 0 | 8) { bpdu } else { rest };
        assert_eq!(action(ReservedClass::LinkLocal(low)), expected, "{low}");
        assert_eq!(action(ReservedClass::Registration(low)), rest, "{low}");
    }
}

#[test]
fn a_host_without_overlay_has_an_empty_underlay_table_and_no_ports_for_it() {
    let found = compiled(&topology(crate::admission::SITE), &view(&["eth1", "vm1", "vm2", "vm3"]));
    assert_eq!(found.tables.underlay, UnderlayTable::default());
    assert_eq!(found.tables.ports.len(), 4);
}

#[test]
fn our_addresses_are_those_of_links_and_of_the_tunnel_endpoint() {
    let text = with("vtep: [192.0.2.1, '2001:db8::1']", "vtep: [203.0.113.1, '2001:db8::1']");
    let local = site(&text).tables.underlay.local;
    let expected: [std::net::IpAddr; 3] =
        ["192.0.2.1", "203.0.113.1", "2001:db8::1"].map(|text| text.parse().unwrap());
    assert_eq!(local, expected);
}

#[test]
fn numbers_of_members_stay_when_a_peer_goes_and_comes_and_what_was_behind_it_is_retired() {
    let mut numbering = Numbering::default();
    let site = topology(SITE);
    let first = compile(&site, &here(), &mut numbering, Revision(1)).unwrap();
    let web = first.tables.fids.iter().position(|fid| fid.owner == Some(name("web"))).unwrap();
    let members = |numbering: &Numbering| -> Vec<(String, u16)> {
        let fid = Fid(u16::try_from(web).unwrap());
        let all = (1..20).map(MemberId);
        all.filter_map(|m| Some((numbering.locate(fid, m)?.port.to_string(), m.0))).collect()
    };
    let before = members(&numbering);
    assert_eq!(before.iter().map(|(port, _)| &**port).collect::<Vec<_>>(), ["p1", "@a", "@far"]);
    let mut view = here();
    view.peers_down.insert(name("a"));
    compile(&site, &view, &mut numbering, Revision(2)).unwrap();
    assert_eq!(members(&numbering), [before[0].clone(), before[2].clone()]);
    let [(_, gone)] = &*numbering.retired() else { panic!() };
    assert_eq!(gone.0, before[1].1);
    compile(&site, &here(), &mut numbering, Revision(3)).unwrap();
    let after = members(&numbering);
    assert!(
        after.contains(&before[0]) && after.contains(&before[2]) && !after.contains(&before[1])
    );
    assert_eq!(after.len(), 3);
}

#[test]
fn a_peer_whose_address_changes_loses_what_was_learned_behind_it() {
    let mut numbering = Numbering::default();
    compile(&topology(SITE), &here(), &mut numbering, Revision(1)).unwrap();
    let moved = with("remote: 192.0.2.9", "remote: 192.0.2.10");
    compile(&topology(&moved), &here(), &mut numbering, Revision(2)).unwrap();
    assert_eq!(numbering.retired().len(), 1);
    // Another way of wrapping is the same endpoint.
    let other = moved.replace("kind: vxlan", "kind: gre");
    compile(&topology(&other), &here(), &mut numbering, Revision(3)).unwrap();
    assert_eq!(numbering.retired().len(), 1);
}

#[test]
fn a_flush_of_a_peers_port_covers_the_peer_and_one_of_a_gateway_bridge_does_not() {
    let mut numbering = Numbering::default();
    let mut site = gateways("stp-transparent");
    site.trunks.get_mut("t2").unwrap().admin = AdminState::Down;
    for vid in 1..=40 {
        let (port, bridge) = (name(&format!("a{vid}")), name(&format!("v{vid}")));
        let binding = Binding { host: name("a"), interface: port.clone() };
        site.access_ports.insert(port.clone(), AccessPort::new(port, bridge, Some(binding)));
    }
    compile(&site, &here(), &mut numbering, Revision(1)).unwrap();
    let retired = |numbering: &Numbering, scope: &Scope| {
        let mut numbering = numbering.clone();
        let names = |numbering: &Numbering, list: Vec<_>| -> Vec<String> {
            list.into_iter()
                .map(|(fid, member)| numbering.locate(fid, member).unwrap().port.to_string())
                .collect()
        };
        let before = numbering.clone();
        names(&before, numbering.retire(&site, scope))
    };
    let of_a = retired(&numbering, &Scope::Port(Name::of_peer(&name("a"))));
    // In web and in the 40 bridges of the links.
    assert_eq!((of_a.len(), of_a.iter().all(|port| port == "@a")), (41, true));
    let gateway = Scope::GatewayBridge { name: name("gw"), vid: None };
    assert_eq!(retired(&numbering, &gateway), vec!["t1"; 40]);
    assert_eq!(retired(&numbering, &Scope::Bridge(name("v7"))), ["t1", "@a"]);
    assert!(retired(&numbering, &Scope::Port(name("a"))).is_empty());
}
