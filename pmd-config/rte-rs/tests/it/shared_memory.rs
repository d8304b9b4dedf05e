//! Devices whose other end is another process in production, and another device of this one here:
//! memif, vhost-user, virtio-user.

use crate::support::{PATIENCE, Port, World, frame, frames, service_tagged};
use arrayvec::ArrayVec;
use rte_rs::{BURST, DeviceSpec, LinkState, Mbuf, Role};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

#[test]
fn frames_up_to_jumbo_cross_a_memif_link_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("memif.sock");
    let world = World::new(9600);
    let mut server = world.start(&DeviceSpec::memif("s", &socket, 7, Role::Server, 9600).unwrap());
    let mut client = world.start(&DeviceSpec::memif("c", &socket, 7, Role::Client, 9600).unwrap());
    server.wait_for(LinkState::Up);
    client.wait_for(LinkState::Up);

    world.cross(&mut server, &mut client, &frames(9600));
    world.cross(&mut client, &mut server, &frames(9600));
    world.cross(&mut client, &mut server, &service_tagged(9600));
}

#[test]
fn a_memif_link_heals_when_the_client_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("memif.sock");
    let world = World::new(1500);
    let client_spec = DeviceSpec::memif("c", &socket, 0, Role::Client, 1500).unwrap();
    let mut server = world.start(&DeviceSpec::memif("s", &socket, 0, Role::Server, 1500).unwrap());
    for _ in 0..3 {
        assert_eq!(server.device.link(), LinkState::Down);
        let mut client = world.start(&client_spec);
        server.wait_for(LinkState::Up);
        client.wait_for(LinkState::Up);
        world.cross(&mut server, &mut client, &frames(1500));
        client.close();
        server.wait_for(LinkState::Down);
        send_into_the_void(&world, &mut server);
    }
}

#[test]
fn a_memif_peer_that_leaves_under_load_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("memif.sock");
    let world = World::new(1500);
    let client_spec = DeviceSpec::memif("c", &socket, 0, Role::Client, 1500).unwrap();
    let Port { device, mut rx, mut tx } =
        world.start(&DeviceSpec::memif("s", &socket, 0, Role::Server, 1500).unwrap());
    let done = AtomicBool::new(false);
    let received = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut burst: ArrayVec<Mbuf, BURST> = ArrayVec::new();
            while !done.load(Ordering::Relaxed) {
                received.fetch_add(rx.receive(&mut burst) as u64, Ordering::Relaxed);
                while !burst.is_full() {
                    burst.extend(world.pool.frame(&frame(1514, &[])));
                }
                tx.transmit(&mut burst);
                burst.clear();
            }
        });
        for _ in 0..50 {
            let mut client = world.start(&client_spec);
            client.wait_for(LinkState::Up);
            let before = received.load(Ordering::Relaxed);
            let mut burst: ArrayVec<Mbuf, BURST> = ArrayVec::new();
            while received.load(Ordering::Relaxed) < before + 1000 {
                client.rx.receive(&mut burst);
                burst.clear();
                burst.extend((0..BURST).filter_map(|_| world.pool.frame(&frame(1514, &[]))));
                client.tx.transmit(&mut burst);
                burst.clear();
            }
            client.close();
            let deadline = Instant::now() + PATIENCE;
            while device.link() == LinkState::Up {
                assert!(Instant::now() < deadline, "the loss of the peer goes unnoticed");
                std::thread::yield_now();
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

/// Sends more than any ring holds: a driver must neither wait nor crash without a peer.
fn send_into_the_void(world: &World, port: &mut Port) {
    let mut burst: ArrayVec<Mbuf, BURST> = ArrayVec::new();
    for _ in 0..200 {
        if burst.is_empty() {
            burst.extend((0..BURST).map(|_| world.pool.frame(&frame(64, &[])).unwrap()));
        }
        port.tx.transmit(&mut burst);
    }
}

/// Both directions between a host's and a guest's end in these roles, then without the guest.
fn vhost_pair(mtu: u16, host: Role, guest: Role) {
    let world = World::new(mtu);
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("vhost.sock");
    let host = DeviceSpec::vhost_user("h", &socket, host, 1).unwrap();
    let guest = DeviceSpec::virtio_user("g", &socket, guest, 1).unwrap();
    let mut host = world.start(&host);
    let mut guest = world.start(&guest);
    host.wait_for(LinkState::Up);
    guest.wait_for(LinkState::Up);

    world.cross(&mut host, &mut guest, &frames(mtu));
    world.cross(&mut guest, &mut host, &frames(mtu));
    world.cross(&mut guest, &mut host, &service_tagged(mtu));

    guest.close();
    host.wait_for(LinkState::Down);
    send_into_the_void(&world, &mut host);
    host.close();
}

#[test]
fn frames_cross_from_vhost_user_to_virtio_user_and_back_unchanged() {
    vhost_pair(1500, Role::Server, Role::Client);
}

#[test]
fn jumbo_frames_cross_between_vhost_user_and_virtio_user_unchanged() {
    vhost_pair(9000, Role::Server, Role::Client);
}

#[test]
fn a_vhost_user_client_finds_a_virtio_user_server() {
    vhost_pair(1500, Role::Client, Role::Server);
}
