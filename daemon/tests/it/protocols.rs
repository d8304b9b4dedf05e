//! What the control plane makes of spanning tree and LLDP frames.

use proto::v1;

use crate::frames::{ALL, bpdu, frame, lldp, station, tagged};
use crate::gateway::{Gateway, enter_new_namespaces, wait_for};
use crate::wire::Wire;

#[test]
fn a_topology_change_flushes_the_trunks_and_leaves_the_guests() {
    enter_new_namespaces();
    let (trunk, guest) = (Wire::cable("eth1", "p1"), Wire::cable("vm1", "p2"));
    let (gateway, client) = Gateway::usual();
    trunk.send(&tagged(10, ALL, station(1), 0));
    guest.send(&frame(ALL, station(2), 0));
    wait_for("both stations", || (client.mac_lines().len() == 2).then_some(()));

    trunk.send(&bpdu(false));
    trunk.send(&bpdu(true));

    wait_for("the trunk to be flushed", || {
        let lines = client.mac_lines();
        (lines.len() == 1 && lines[0].ends_with(" a1")).then_some(())
    });
    let request = v1::GetAccountingRequest {};
    let accounting = client.state(|mut c| async move { c.get_accounting(request).await }).unwrap();
    let consumed: Vec<_> =
        accounting.consumed.iter().map(|c| (&*c.protocol, &*c.port, c.frames)).collect();
    assert_eq!(consumed, [("bpdu", "trunks/t1", 2)]);
    assert_eq!(accounting.total.unwrap().difference, 0);
    gateway.stop();
}

#[test]
fn a_neighbour_that_announces_itself_is_listed() {
    enter_new_namespaces();
    let (trunk, _guest) = (Wire::cable("eth1", "p1"), Wire::cable("vm1", "p2"));
    let (gateway, client) = Gateway::usual();

    trunk.send(&lldp("leaf-1"));

    let neighbor = wait_for("the neighbour", || {
        let request = v1::ListNeighborsRequest {};
        let reply = client.state(|mut c| async move { c.list_neighbors(request).await }).unwrap();
        reply.neighbors.into_iter().next()
    });
    assert_eq!(
        (&*neighbor.port, &*neighbor.interface, &*neighbor.system_name, &*neighbor.port_id),
        ("trunks/t1", "eth1", "leaf-1", "eth7")
    );
    gateway.stop();
}
