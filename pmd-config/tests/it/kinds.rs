//! Every virtual kind of the node file ends up able to carry frames.

use std::fmt::Write as _;
use std::fs::File;

use pcap_file::pcap::{PcapPacket, PcapReader, PcapWriter};
use pmd_config::plan::{Pages, Share};

use crate::support::{cross, enter_new_netns, forward, frame, ip, is_ours, node, receive, start};
use crate::wire::Wire;

#[test]
fn af_packet_carries_frames_between_two_kernel_interfaces() {
    enter_new_netns();
    // Down: bring-up sets its own side up.
    ip("link add gw1 type veth peer name host1");
    ip("link add gw2 type veth peer name host2");
    ip("link set host1 up");
    ip("link set host2 up");
    let folder = tempfile::tempdir().unwrap();
    let node = node(
        folder.path(),
        "[interfaces.left]\nkind = \"af_packet\"\ninterface = \"gw1\"\n\
         [interfaces.gw2]\nkind = \"af_packet\"\n",
    );

    let mut started = start(&node);

    let (left, right) = (Wire::at("host1"), Wire::at("host2"));
    for frame in [frame(1, 60), frame(2, 1514)] {
        left.send(&frame);
        forward(&mut started.running, 0, 1, || right.has(&frame));
        right.send(&frame);
        forward(&mut started.running, 1, 0, || left.has(&frame));
    }
    let names: Vec<_> = started.running.interfaces.iter().map(|i| i.name.as_str()).collect();
    assert_eq!(names, ["left", "gw2"]);
}

#[test]
fn af_packet_carries_jumbo_frames_when_the_node_file_says_so() {
    enter_new_netns();
    ip("link add gw1 type veth peer name host1");
    ip("link set host1 up mtu 9000");
    let folder = tempfile::tempdir().unwrap();
    let node = node(folder.path(), "[interfaces.gw1]\nkind = \"af_packet\"\nmtu = 9000\n");

    let mut started = start(&node);

    let host = Wire::at("host1");
    let frame = frame(3, 9014);
    host.send(&frame);
    forward(&mut started.running, 0, 0, || host.has(&frame));
}

#[test]
fn tap_makes_kernel_interfaces_and_carries_frames_between_them() {
    enter_new_netns();
    let folder = tempfile::tempdir().unwrap();
    let node =
        node(folder.path(), "[interfaces.vm1]\nkind = \"tap\"\n[interfaces.vm2]\nkind = \"tap\"\n");

    let mut started = start(&node);

    let (left, right) = (Wire::at("vm1"), Wire::at("vm2"));
    let frame = frame(4, 1514);
    left.send(&frame);
    forward(&mut started.running, 0, 1, || right.has(&frame));
    right.send(&frame);
    forward(&mut started.running, 1, 0, || left.has(&frame));
}

#[test]
fn memif_carries_frames_between_its_server_and_its_client() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("memif.sock");
    let section = |name, role| {
        let socket = socket.display();
        format!(
            "[interfaces.{name}]\nkind = \"memif\"\nrole = \"{role}\"\nsocket = \"{socket}\"\nid = 3\nmtu = 9000\n"
        )
    };
    let node = node(folder.path(), &(section("s", "server") + &section("c", "client")));

    let mut started = start(&node);

    cross(&mut started.running, 0, 1, &frame(5, 60));
    cross(&mut started.running, 1, 0, &frame(6, 9014));
    drop(started);
    assert!(!socket.exists(), "a clean stop leaves no socket");
}

#[test]
fn virtio_user_finds_a_vhost_user_of_the_same_node_file_whatever_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("vm1.sock");
    let section = |name, kind| {
        format!(
            "[interfaces.{name}]\nkind = \"{kind}\"\nsocket = \"{}\"\nmtu = 9000\n",
            socket.display()
        )
    };
    let text = section("guest", "virtio-user") + &section("vm1", "vhost-user");
    let node = node(folder.path(), &text);

    let mut started = start(&node);

    cross(&mut started.running, 0, 1, &frame(7, 60));
    cross(&mut started.running, 1, 0, &frame(8, 9014));
    let names: Vec<_> = started.running.interfaces.iter().map(|i| i.name.as_str()).collect();
    assert_eq!(names, ["guest", "vm1"], "the order of the node file is the order of ids");
}

#[test]
fn ring_gives_back_what_is_sent_and_null_gives_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[interfaces.loop]\nkind = \"ring\"\n[interfaces.void]\nkind = \"null\"\n";
    let node = node(folder.path(), text);

    let mut started = start(&node);

    cross(&mut started.running, 0, 0, &frame(9, 60));
    let mut burst = one(&started.running, &frame(10, 60));
    started.running.workers[0].queues[0].1.transmit(&mut burst);
    let mut carried = false;
    forward(&mut started.running, 0, 1, || std::mem::replace(&mut carried, true));
    assert!(receive(&mut started.running, 1).is_empty());
}

fn one(
    running: &pmd_config::bring_up::Running,
    frame: &[u8],
) -> arrayvec::ArrayVec<rte_rs::Mbuf, { rte_rs::BURST }> {
    std::iter::once(running.pool.frame(frame).unwrap()).collect()
}

#[test]
fn pcap_receives_from_one_file_and_writes_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let (rx, tx) = (folder.path().join("in.pcap"), folder.path().join("out.pcap"));
    let frames = [frame(11, 60), frame(12, 1514)];
    let mut writer = PcapWriter::new(File::create(&rx).unwrap()).unwrap();
    for frame in &frames {
        let length = u32::try_from(frame.len()).unwrap();
        let time = std::time::Duration::ZERO;
        writer.write_packet(&PcapPacket::new(time, length, frame)).unwrap();
    }
    drop(writer);
    let text = format!(
        "[interfaces.file]\nkind = \"pcap\"\nrx = \"{}\"\ntx = \"{}\"\n",
        rx.display(),
        tx.display()
    );

    let mut started = start(&node(folder.path(), &text));
    let mut polls = 0;
    forward(&mut started.running, 0, 0, || {
        polls += 1;
        polls > 10
    });
    drop(started);

    let mut reader = PcapReader::new(File::open(&tx).unwrap()).unwrap();
    let mut written = Vec::new();
    while let Some(packet) = reader.next_packet() {
        written.push(packet.unwrap().data.to_vec());
    }
    assert_eq!(written, frames);
    assert!(written.iter().all(|frame| is_ours(frame)));
}

#[test]
fn two_workers_get_a_queue_each_where_the_driver_has_two() {
    enter_new_netns();
    ip("link add gw1 type veth peer name host1");
    let folder = tempfile::tempdir().unwrap();
    let mut node = node(
        folder.path(),
        "[interfaces.gw1]\nkind = \"af_packet\"\n[interfaces.vm1]\nkind = \"tap\"\n\
         [interfaces.void]\nkind = \"null\"\n",
    );
    let host = pmd_config::probe::Host::probe(
        &pmd_config::probe::Root::default(),
        &pmd_config::probe::Environment::default(),
    );
    let two: pmd_config::cpu_set::CpuSet = host.cpus.allowed.iter().take(2).collect();
    if two.len() < 2 {
        return; // A host with one CPU has no place for a second worker.
    }
    node.cores = pmd_config::node::Cores::List(two.clone());

    let started = start(&node);

    let cpus: Vec<u32> = started.running.workers.iter().map(|w| w.worker.cpu).collect();
    assert_eq!(cpus, two.iter().collect::<Vec<_>>());
    // af_packet has one queue only: see the plan.
    let queues: Vec<usize> = started.running.workers.iter().map(|w| w.queues.len()).collect();
    assert_eq!(queues, [3, 2]);
    for (number, worker) in started.running.workers.iter().enumerate() {
        let number = u16::try_from(number).unwrap();
        assert!(worker.queues.iter().all(|(rx, tx)| rx.index() == number && tx.index() == number));
    }
}

#[test]
fn thirty_two_interfaces_of_jumbo_frames_fit_the_memory_that_was_planned() {
    let folder = tempfile::tempdir().unwrap();
    let text = (0..32).fold(String::new(), |mut text, n| {
        let _ = write!(text, "[interfaces.n{n}]\nkind = \"null\"\nmtu = 9600\n");
        text
    });

    let started = start(&node(folder.path(), &text));

    let plan = &started.running.plan;
    assert_eq!(started.running.interfaces.len(), 32);
    assert_eq!(started.running.pool.capacity(), plan.pools[0].buffers);
    assert!(plan.memory.amount >= plan.memory.need);
    // This holds where the tests run without hugepages, and is what the plan must say then.
    if plan.memory.pages == Pages::Ordinary {
        assert!(plan.workers.iter().all(|worker| worker.share == Share::Shared));
    }
}

#[test]
fn thirty_two_interfaces_of_the_hungriest_kinds_fit_the_memory_that_was_planned() {
    enter_new_netns();
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().display().to_string();
    let text = (0..8).fold(String::new(), |mut text, n| {
        let _ = write!(
            text,
            "[interfaces.t{n}]\nkind = \"tap\"\n\
             [interfaces.m{n}]\nkind = \"memif\"\nsocket = \"{at}/m{n}\"\n\
             [interfaces.v{n}]\nkind = \"vhost-user\"\nsocket = \"{at}/v{n}\"\n\
             [interfaces.u{n}]\nkind = \"virtio-user\"\nsocket = \"{at}/v{n}\"\n"
        );
        text
    });

    let mut started = start(&node(folder.path(), &text));

    assert_eq!(started.running.interfaces.len(), 32);
    for n in 0..8 {
        cross(&mut started.running, 4 * n + 3, 4 * n + 2, &frame(13, 1514));
    }
}
