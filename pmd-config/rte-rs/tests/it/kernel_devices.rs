//! Devices with a kernel interface behind them: `net_af_packet` on veth, `net_tap`.

use crate::support::{World, enter_new_netns, frame, frames, ip, ip_fragment, service_tagged};
use arrayvec::ArrayVec;
use rte_rs::{BURST, Device, DeviceConfig, DeviceError, DeviceSpec, LinkState, MacSource, Mbuf};

fn veth(world_mtu: u16) -> (World, DeviceSpec, DeviceSpec) {
    enter_new_netns();
    ip("link add v0 type veth peer name v1");
    let world = World::new(world_mtu);
    let spec = |name| DeviceSpec::af_packet(name, name, world_mtu, 1).unwrap();
    (world, spec("v0"), spec("v1"))
}

#[test]
fn a_tagged_frame_crosses_a_veth_pair_unchanged() {
    let (world, v0, v1) = veth(1500);
    let (mut v0, mut v1) = (world.start(&v0), world.start(&v1));
    v0.wait_for(LinkState::Up);

    world.cross(&mut v0, &mut v1, &frames(1500));
    world.cross(&mut v1, &mut v0, &frames(1500));

    v0.close();
    v1.close();
    assert_eq!(world.pool.available(), world.pool.capacity());
}

#[test]
fn jumbo_frames_cross_a_veth_pair_unchanged() {
    let (world, v0, v1) = veth(9600);
    let (mut v0, mut v1) = (world.start(&v0), world.start(&v1));
    v0.wait_for(LinkState::Up);

    world.cross(&mut v0, &mut v1, &frames(9600));
}

#[test]
fn fragments_of_an_ip_packet_cross_one_by_one_and_are_not_put_together() {
    let (world, v0, v1) = veth(1500);
    let (mut v0, mut v1) = (world.start(&v0), world.start(&v1));
    v0.wait_for(LinkState::Up);

    world.cross(&mut v0, &mut v1, &[ip_fragment(0, true), ip_fragment(1480, false)]);
    world.cross(&mut v0, &mut v1, &[ip_fragment(1480, true)]);
}

#[test]
fn the_link_follows_the_kernel_interface() {
    let (world, v0, v1) = veth(1500);
    let (mut v0, mut v1) = (world.start(&v0), world.start(&v1));
    v0.wait_for(LinkState::Up);

    ip("link set v1 down");
    v0.wait_for(LinkState::Down);
    ip("link set v1 up");
    v0.wait_for(LinkState::Up);
    ip("link set v0 down");
    v0.wait_for(LinkState::Down);
    v1.wait_for(LinkState::Down);
}

#[test]
fn an_interface_removed_while_it_is_polled_is_reported_and_nothing_crashes() {
    let (world, v0, v1) = veth(1500);
    let (mut v0, mut v1) = (world.start(&v0), world.start(&v1));
    v0.wait_for(LinkState::Up);
    world.cross(&mut v0, &mut v1, &frames(1500));

    ip("link del v0");

    v0.wait_for(LinkState::Removed);
    v1.wait_for(LinkState::Removed);
    let mut burst: ArrayVec<Mbuf, BURST> = ArrayVec::new();
    for _ in 0..2000 {
        v0.rx.receive(&mut burst);
        burst.clear();
        burst.push(world.pool.frame(&frame(64, &[])).unwrap());
        v0.tx.transmit(&mut burst);
    }
    burst.clear();
    v0.close();
    v1.close();
    assert_eq!(world.pool.available(), world.pool.capacity());
}

#[test]
fn an_interface_that_came_back_can_be_plugged_again() {
    let (world, v0, v1) = veth(1500);
    let port = world.start(&v0);
    ip("link del v0");
    port.close();

    ip("link add v0 type veth peer name v1");
    let (mut v0, mut v1) = (world.start(&v0), world.start(&v1));
    v0.wait_for(LinkState::Up);
    world.cross(&mut v0, &mut v1, &frames(1500));
}

#[test]
fn a_tap_interface_exchanges_frames_with_the_kernel_unchanged() {
    enter_new_netns();
    let world = World::new(1500);
    let mac = MacSource::Given([0x02, 0, 0, 0, 0, 0x77]);
    let mut tap = world.start(&DeviceSpec::tap("t0", "t0", mac).unwrap());
    tap.wait_for(LinkState::Up);
    assert_eq!(tap.device.info().mac, [0x02, 0, 0, 0, 0, 0x77]);
    // The kernel's end of the tap interface, opened like any other interface.
    let mut kernel = world.start(&DeviceSpec::af_packet("k0", "t0", 1500, 1).unwrap());

    world.cross(&mut tap, &mut kernel, &frames(1500));
    world.cross(&mut kernel, &mut tap, &frames(1500));
    world.cross(&mut kernel, &mut tap, &service_tagged(1500));

    kernel.close();
    tap.close();
    ip("tuntap add t0 mode tap"); // the name is free: the interface went with the device
}

#[test]
fn a_tap_interface_has_the_address_that_its_device_is_given_while_it_runs() {
    enter_new_netns();
    let world = World::new(1500);
    let mut tap = world.start(&DeviceSpec::tap("t0", "t0", MacSource::Random).unwrap());
    tap.wait_for(LinkState::Up);
    let mac = [0x02, 0, 0, 0, 0, 0x78];

    tap.device.set_mac(mac).unwrap();

    assert_eq!(tap.device.info().mac, mac);
    let kernel = std::process::Command::new("ip").args(["link", "show", "t0"]).output().unwrap();
    let text = String::from_utf8(kernel.stdout).unwrap();
    assert!(text.contains("link/ether 02:00:00:00:00:78"), "{text}");
    assert!(tap.device.set_mac([0xff; 6]).is_err());
}

#[test]
fn a_jumbo_tap_interface_is_refused_because_its_driver_would_block_on_long_frames() {
    enter_new_netns();
    let world = World::new(9000);
    let spec = DeviceSpec::tap("t0", "t0", MacSource::Random).unwrap();
    let mut device = Device::plug(&world.eal, &spec).unwrap();

    let error = device.start(&DeviceConfig::bridge(9000), &world.pool).unwrap_err();

    assert!(matches!(error, DeviceError::Mtu { mtu: 9000, .. }), "{error}");
}

#[test]
fn a_tap_interface_that_is_deleted_is_reported() {
    enter_new_netns();
    let world = World::new(1500);
    let mut tap = world.start(&DeviceSpec::tap("t0", "t0", MacSource::Random).unwrap());
    tap.wait_for(LinkState::Up);

    ip("link del t0");

    tap.wait_for(LinkState::Removed);
    let mut burst: ArrayVec<Mbuf, BURST> = ArrayVec::new();
    for _ in 0..100 {
        tap.rx.receive(&mut burst);
        burst.clear();
        burst.push(world.pool.frame(&frame(64, &[])).unwrap());
        tap.tx.transmit(&mut burst);
    }
    burst.clear();
    tap.close();
}
