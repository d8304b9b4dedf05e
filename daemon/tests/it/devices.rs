//! Devices that are missing, go away, or lose their link while the gateway runs.

use std::fs;

use proto::v1;

use crate::client::Client;
use crate::frames::{ALL, frame, number, station, tagged};
use crate::gateway::{Gateway, INTERFACES, SITE, enter_new_namespaces, ip, wait_for};
use crate::wire::Wire;

const WITH_SECOND_GUEST: &str = "  - {name: a1, bridge: web, host: gw-a, interface: vm1}
  - {name: a2, bridge: web, host: gw-a, interface: vm2}
";

fn site() -> String {
    SITE.replace(" [{name: a1, bridge: web, host: gw-a, interface: vm1}]\n", "\n")
        + WITH_SECOND_GUEST
}

fn interfaces() -> String {
    format!("{INTERFACES}[interfaces.vm2]\nkind = \"af_packet\"\n")
}

#[track_caller]
fn wait_condition(client: &Client, reason: &str, object: &str) -> v1::Condition {
    wait_for(reason, || {
        let conditions = client.status().conditions;
        conditions.into_iter().find(|c| c.reason == reason && c.object == object)
    })
}

#[test]
fn an_absent_interface_is_reported_and_the_others_forward() {
    enter_new_namespaces();
    let (trunk, guest) = (Wire::cable("eth1", "p1"), Wire::cable("vm1", "p2"));
    let mut gateway = Gateway::new(&interfaces());
    fs::write(gateway.site(), site()).unwrap();
    let client = gateway.start();
    client.wait_forwarding(2);

    let condition = wait_condition(&client, "INTERFACE_ABSENT", "interfaces/vm2");
    assert!(condition.message.contains("vm2"), "{}", condition.message);
    assert_eq!(client.status().health(), v1::status::Health::Failed);
    trunk.send(&tagged(10, ALL, station(1), 1));
    assert_eq!(number(&guest.expect()), 1);
    gateway.stop();
}

#[test]
fn a_port_bound_to_an_interface_that_the_node_file_lacks_waits() {
    enter_new_namespaces();
    let _cables = (Wire::cable("eth1", "p1"), Wire::cable("vm1", "p2"));
    let mut gateway = Gateway::new(INTERFACES);
    fs::write(gateway.site(), site()).unwrap();
    let client = gateway.start();

    let condition = wait_condition(&client, "PORT_WAITING", "accessPorts/a2");
    assert!(condition.message.contains("vm2"), "{}", condition.message);
    gateway.stop();
}

#[test]
fn an_interface_that_vanishes_is_reported_and_the_others_go_on() {
    enter_new_namespaces();
    let (trunk, guest) = (Wire::cable("eth1", "p1"), Wire::cable("vm1", "p2"));
    let second = Wire::cable("vm2", "p3");
    let mut gateway = Gateway::new(&interfaces());
    fs::write(gateway.site(), site()).unwrap();
    let client = gateway.start();
    client.wait_forwarding(3);
    trunk.send(&tagged(10, ALL, station(1), 1));
    assert_eq!((number(&guest.expect()), number(&second.expect())), (1, 1));

    drop(second);
    ip("link del vm2");

    wait_condition(&client, "INTERFACE_GONE", "interfaces/vm2");
    for sent in 2..200 {
        trunk.send(&tagged(10, ALL, station(1), sent));
        assert_eq!(number(&guest.expect()), sent);
    }
    assert_eq!(client.accounting().difference, 0);
    gateway.stop();
}

#[test]
fn a_dead_link_is_reported_its_stations_are_forgotten_and_it_comes_back() {
    enter_new_namespaces();
    let (trunk, guest) = (Wire::cable("eth1", "p1"), Wire::cable("vm1", "p2"));
    let (gateway, client) = Gateway::usual();
    trunk.send(&tagged(10, ALL, station(1), 1));
    guest.expect();
    wait_for("the station", || (client.mac_lines().len() == 1).then_some(()));

    ip("link set p1 down");
    wait_condition(&client, "LINK_DOWN", "trunks/t1");
    assert_eq!(client.mac_lines(), [""; 0]);

    ip("link set p1 up");
    client.wait_forwarding(2);
    let trunk = Wire::at("p1");
    guest.send(&frame(ALL, station(2), 2));
    assert_eq!(number(&trunk.expect()), 2);
    assert!(!client.conditions().iter().any(|(reason, _)| reason == "LINK_DOWN"));
    gateway.stop();
}

#[test]
fn ports_and_interfaces_show_counters_of_both_sides() {
    enter_new_namespaces();
    let (trunk, guest) = (Wire::cable("eth1", "p1"), Wire::cable("vm1", "p2"));
    let (gateway, client) = Gateway::usual();
    for number in 0..10 {
        trunk.send(&tagged(10, ALL, station(1), number));
        guest.expect();
    }

    // A worker publishes its counters at the end of a turn, after the frame has left.
    let ports = wait_for("the last turn to be counted", || {
        let request = v1::ListPortsRequest { with_vlans: true, ..Default::default() };
        let reply = client.state(|mut c| async move { c.list_ports(request).await }).unwrap();
        (reply.ports[0].counters.unwrap().tx_packets == 10 && reply.ports[1].mac_entries == 1)
            .then_some(reply.ports)
    });
    let [access, trunk_port] = &ports[..] else { panic!("{ports:?}") };
    assert_eq!((access.name.as_str(), trunk_port.name.as_str()), ("accessPorts/a1", "trunks/t1"));
    let counted = trunk_port.counters.unwrap();
    assert_eq!((counted.rx_packets, counted.rx_octets), (10, 680));
    assert_eq!(access.counters.unwrap().tx_octets, 640);
    let vlan = &trunk_port.vlans[0];
    assert_eq!((vlan.vid, vlan.counters.unwrap().rx_packets, vlan.forwarding), (10, 10, true));
    let request = v1::ListInterfacesRequest { with_driver_counters: true };
    let reply = client.state(|mut c| async move { c.list_interfaces(request).await }).unwrap();
    let eth1 = &reply.interfaces[0];
    assert_eq!((eth1.name.as_str(), eth1.kind.as_str()), ("eth1", "af_packet"));
    assert!(eth1.driver.contains("af_packet"), "{}", eth1.driver);
    assert_eq!(eth1.counters.unwrap().rx_packets, 10);
    assert!(!eth1.driver_counters.is_empty());
    gateway.stop();
}

#[test]
fn two_workers_poll_each_the_queues_that_a_device_has_for_it() {
    enter_new_namespaces();
    let _trunk = Wire::cable("eth1", "p1");
    let with_tap = INTERFACES.replace("vm1]\nkind = \"af_packet", "vm1]\nkind = \"tap");
    assert_ne!(with_tap, INTERFACES);
    let mut gateway = Gateway::new(&with_tap);
    let node = fs::read_to_string(gateway.path("sluice.toml")).unwrap();
    fs::write(gateway.path("sluice.toml"), format!("cores = \"0-1\"\n{node}")).unwrap();
    fs::write(gateway.site(), SITE).unwrap();
    let client = gateway.start();
    client.wait_forwarding(2);

    // A packet socket has one queue, a tap as many as there are workers.
    let workers = client.status().workers;
    let polled: Vec<_> = workers.iter().map(|worker| worker.interfaces.join(" ")).collect();
    assert_eq!(polled, ["eth1 vm1", "vm1"]);
    gateway.stop();
}

#[test]
fn a_second_gateway_on_the_same_interfaces_is_refused_and_the_first_goes_on() {
    enter_new_namespaces();
    let (trunk, guest) = (Wire::cable("eth1", "p1"), Wire::cable("vm1", "p2"));
    let mut gateway = Gateway::new(INTERFACES);
    fs::write(gateway.site(), SITE).unwrap();
    let client = gateway.start();
    client.wait_forwarding(2);

    // Its own state folder and socket: nothing but the interfaces is shared.
    let other = Gateway::new(INTERFACES);
    let (code, message) = other.run(&[]);
    assert_eq!(code, 4, "{message}");
    assert!(message.contains("kernel interface eth1 is in use by another sluiced"), "{message}");

    trunk.send(&tagged(10, ALL, station(1), 1));
    assert_eq!(number(&guest.expect()), 1);
    gateway.stop();
}
