//! Devices that live in this process: ring, capture files, null.

use crate::support::{PATIENCE, World, frame, frames, service_tagged};
use arrayvec::ArrayVec;
use pcap_file::pcap::{PcapPacket, PcapReader, PcapWriter};
use rte_rs::{BURST, Device, DeviceConfig, DeviceError, DeviceSpec, LinkState, Mbuf};
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

#[test]
fn a_ring_returns_frames_up_to_jumbo_and_every_buffer() {
    let world = World::new(9600);
    let mut port = world.start(&DeviceSpec::ring("r0").unwrap());
    assert_eq!(port.device.link(), LinkState::Up);

    world.cross_queues(&mut port.tx, &mut port.rx, &frames(9600));
    world.cross_queues(&mut port.tx, &mut port.rx, &service_tagged(9600));

    assert_eq!(port.device.statistics().unwrap().sent_frames, 19);
    port.close();
    assert_eq!(world.pool.available(), world.pool.capacity());
}

#[test]
fn a_full_ring_leaves_the_rest_of_the_burst_with_its_owner() {
    let world = World::new(1500);
    let mut port = world.start(&DeviceSpec::ring("r0").unwrap());
    let mut sent = 0;
    let mut burst: ArrayVec<Mbuf, BURST> = ArrayVec::new();

    while burst.is_empty() {
        assert!(world.pool.allocate_bulk(&mut burst, BURST));
        sent += port.tx.transmit(&mut burst);
    }

    let mut received = 0;
    burst.clear();
    while port.rx.receive(&mut burst) > 0 {
        received += burst.len();
        burst.clear();
    }
    assert_eq!(received, sent);
}

fn write_capture(path: &Path, frames: &[Vec<u8>]) {
    let mut writer = PcapWriter::new(File::create(path).unwrap()).unwrap();
    for frame in frames {
        let length = u32::try_from(frame.len()).unwrap();
        writer.write_packet(&PcapPacket::new(Duration::ZERO, length, frame)).unwrap();
    }
}

fn read_capture(path: &Path) -> Vec<Vec<u8>> {
    let mut reader = PcapReader::new(File::open(path).unwrap()).unwrap();
    std::iter::from_fn(|| reader.next_packet().map(|packet| packet.unwrap().data.into_owned()))
        .collect()
}

#[test]
fn frames_of_one_capture_file_are_written_to_another_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("a.pcap"), folder.path().join("b.pcap"));
    let frames = [frames(9000), service_tagged(9000)].concat();
    write_capture(&from, &frames);
    let world = World::new(9000);
    let mut port = world.start(&DeviceSpec::pcap("p0", Some(&from), Some(&to)).unwrap());

    let deadline = Instant::now() + PATIENCE;
    let mut passed = 0;
    let mut burst: ArrayVec<Mbuf, BURST> = ArrayVec::new();
    while passed < frames.len() {
        assert!(Instant::now() < deadline, "only {passed} frames came");
        port.rx.receive(&mut burst);
        passed += port.tx.transmit(&mut burst);
    }
    port.close();

    assert_eq!(read_capture(&to), frames);
}

#[test]
fn a_null_device_swallows_what_is_sent_and_receives_nothing() {
    let world = World::new(1500);
    let mut port = world.start(&DeviceSpec::null("n0").unwrap());
    let mut burst: ArrayVec<Mbuf, BURST> = ArrayVec::new();
    burst.push(world.pool.frame(&frame(64, &[])).unwrap());

    assert_eq!(port.tx.transmit(&mut burst), 1);
    assert_eq!(port.rx.receive(&mut burst), 0);

    port.close();
    assert_eq!(world.pool.available(), world.pool.capacity());
}

#[test]
fn a_device_stops_only_when_its_queues_are_back_and_can_start_again() {
    let world = World::new(1500);
    let mut device = Device::plug(&world.eal, &DeviceSpec::ring("r0").unwrap()).unwrap();
    let config = DeviceConfig::bridge(1500);
    let queues = device.start(&config, &world.pool).unwrap();

    assert!(matches!(device.start(&config, &world.pool), Err(DeviceError::Started { .. })));
    assert!(matches!(device.stop(), Err(DeviceError::QueuesInUse { .. })));
    drop(queues);
    device.stop().unwrap();

    let mut queues = device.start(&config, &world.pool).unwrap();
    world.cross_queues(&mut queues.transmit[0], &mut queues.receive[0], &frames(1500));
}

#[test]
fn a_device_unplugged_at_run_time_frees_its_name() {
    let world = World::new(1500);
    for _ in 0..3 {
        let port = world.start(&DeviceSpec::ring("again").unwrap());
        let error = Device::plug(&world.eal, &DeviceSpec::ring("again").unwrap()).unwrap_err();
        assert!(matches!(error, DeviceError::Plugged { .. }), "{error}");
        port.close();
    }
}

#[test]
fn a_pool_too_small_for_the_mtu_is_refused_before_the_device_starts() {
    let world = World::new(1500);
    let mut device = Device::plug(&world.eal, &DeviceSpec::ring("r0").unwrap()).unwrap();

    let error = device.start(&DeviceConfig::bridge(9600), &world.pool).unwrap_err();

    assert!(matches!(error, DeviceError::DataRoom { needed: 9622, room: 2048, .. }), "{error}");
}

#[test]
fn more_queues_than_the_device_has_are_refused_with_the_limit() {
    let world = World::new(1500);
    let mut device = Device::plug(&world.eal, &DeviceSpec::ring("r0").unwrap()).unwrap();

    let config = DeviceConfig { queues: 17, ..DeviceConfig::bridge(1500) };
    let error = device.start(&config, &world.pool).unwrap_err();

    assert!(matches!(error, DeviceError::Queues { asked: 17, most: 16, .. }), "{error}");
}

#[test]
fn extended_statistics_have_names_and_follow_the_traffic() {
    let world = World::new(1500);
    let mut port = world.start(&DeviceSpec::ring("r0").unwrap());
    world.cross_queues(&mut port.tx, &mut port.rx, &frames(1500));

    let all = port.device.extended_statistics().unwrap();

    let good = all.iter().find(|stat| stat.name == "rx_good_packets").unwrap();
    assert_eq!(good.value, frames(1500).len() as u64);
    assert_eq!(port.device.statistics().unwrap().received_frames, good.value);
}
