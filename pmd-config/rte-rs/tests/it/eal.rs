//! Starting DPDK, and being told why it did not start.

use crate::support::{World, enter_new_netns};
use rte_rs::{
    Device, DeviceError, DeviceSpec, Eal, EalError, EalOptions, LcoreThread, MacSource, Memory,
};

#[test]
fn a_second_start_in_one_process_is_refused_with_the_remedy() {
    let _eal = Eal::start(&EalOptions::ordinary(16)).unwrap();

    let error = Eal::start(&EalOptions::ordinary(16)).unwrap_err();

    assert_eq!(error, EalError::AlreadyStarted);
    assert!(error.to_string().contains("restart the process"), "{error}");
}

#[test]
fn a_start_leaves_no_file_behind() {
    let prefix = format!("sluice-test-{}", std::process::id());
    let options = EalOptions { file_prefix: Some(prefix.clone()), ..EalOptions::ordinary(16) };

    let _eal = Eal::start(&options).unwrap();

    assert!(!std::path::Path::new("/var/run/dpdk").join(prefix).exists());
}

#[test]
fn a_file_prefix_that_is_a_path_is_refused() {
    for prefix in ["", "../x", "a/b", ".", "a b"] {
        let options =
            EalOptions { file_prefix: Some(prefix.to_owned()), ..EalOptions::ordinary(16) };
        assert_eq!(
            Eal::start(&options).unwrap_err(),
            EalError::FilePrefix { value: prefix.to_owned() }
        );
    }
}

#[test]
fn missing_hugepages_are_named_with_the_command_that_reserves_them() {
    let reserved = std::fs::read_to_string("/proc/sys/vm/nr_hugepages").unwrap();
    if reserved.trim() != "0" {
        return; // this host has what the test needs to be missing
    }
    let options =
        EalOptions { memory: Memory::Hugepages { mebibytes: 64 }, ..EalOptions::ordinary(64) };

    let error = Eal::start(&options).unwrap_err();

    assert!(error.to_string().contains("vm.nr_hugepages"), "{error}");
}

#[test]
fn the_starting_thread_keeps_the_cpus_it_had() {
    let cpus = || std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let allowed = |status: String| {
        status.lines().find(|line| line.starts_with("Cpus_allowed:")).unwrap().to_owned()
    };
    let before = allowed(cpus());

    let _eal = Eal::start(&EalOptions::ordinary(16)).unwrap();

    assert_eq!(allowed(cpus()), before);
}

#[test]
fn each_worker_thread_gets_an_lcore_number_of_its_own_and_gives_it_back() {
    let eal = Eal::start(&EalOptions::ordinary(16)).unwrap();
    assert!(LcoreThread::register(&eal).is_err(), "the starting thread is lcore 0 already");

    let id_of_a_thread = || {
        let eal = eal.clone();
        std::thread::spawn(move || LcoreThread::register(&eal).unwrap().id()).join().unwrap()
    };

    let first = id_of_a_thread();
    assert_ne!(first, 0);
    assert_eq!(id_of_a_thread(), first);
}

#[test]
fn an_interface_that_does_not_exist_is_named_with_the_remedy() {
    enter_new_netns();
    let world = World::new(1500);

    let spec = DeviceSpec::af_packet("up0", "absent0", 1500, 1).unwrap();
    let error = Device::plug(&world.eal, &spec).unwrap_err();

    let text = error.to_string();
    assert!(matches!(error, DeviceError::Interface(_)), "{text}");
    assert!(text.contains("absent0") && text.contains("`ip link`"), "{text}");
}

#[test]
fn words_that_would_become_other_arguments_are_refused() {
    assert!(DeviceSpec::af_packet("a", "v0,qpairs=9", 1500, 1).is_err());
    assert!(DeviceSpec::tap("a", "sixteen-letters-", MacSource::Random).is_err());
    assert!(DeviceSpec::ring("").is_err());
    assert!(DeviceSpec::pci("0000:00:1f.6 --bad").is_err());
}

#[test]
fn dpdk_prints_nothing_and_its_lines_can_be_taken() {
    let world = World::new(1500);
    drop(world.eal.take_log());

    let absent = std::path::Path::new("/absent/file.pcap");
    let error =
        Device::plug(&world.eal, &DeviceSpec::pcap("p", Some(absent), None).unwrap()).unwrap_err();

    assert!(error.to_string().contains("check that the file exists"), "{error}");
    let lines = world.eal.take_log();
    assert!(lines.iter().any(|line| line.text.contains("/absent/file.pcap")), "{lines:?}");
    assert_eq!(world.eal.take_log(), []);
}

#[test]
fn a_thread_that_waits_in_a_system_call_can_be_called_out_of_it() {
    use std::io::{ErrorKind, Read as _, pipe};
    let (mut reader, _writer) = pipe().unwrap();
    // `read` and not `read_exact`, which would go back into the call.
    let waiting = std::thread::spawn(move || reader.read(&mut [0]).unwrap_err().kind());

    while !waiting.is_finished() {
        rte_rs::interrupt(&waiting);
        std::thread::yield_now();
    }

    assert_eq!(waiting.join().unwrap(), ErrorKind::Interrupted);
}
