use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixDatagram, UnixListener};

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket,
};

use super::*;
use crate::instance::{SocketState, socket_state};
use crate::probe::tests::FakeHost;
use crate::probe::{Environment, Root};

fn node(text: &str) -> NodeFile {
    NodeFile::parse("sluice.toml", text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The failures and warnings about interface `a` that is written so.
#[track_caller]
fn complaints(fake: &FakeHost, section: &str) -> Vec<String> {
    complaints_in(fake, section, &Environment::default())
}

#[track_caller]
fn complaints_in(fake: &FakeHost, section: &str, environment: &Environment) -> Vec<String> {
    let node = node(&format!("[interfaces.a]\n{section}\n"));
    let report = check(&node, &fake.probe_in(environment));
    report
        .findings()
        .iter()
        .filter(|f| f.severity != Severity::Ok && f.subject == "interface a")
        .map(|f| format!("{} {} => {}", f.severity, f.text, f.fix.as_deref().unwrap_or("")))
        .collect()
}

/// One complaint, and no plan if it is a failure.
#[track_caller]
fn complains(fake: &FakeHost, section: &str, expected: &str) {
    assert_eq!(complaints(fake, section), [expected]);
}

#[track_caller]
fn content(fake: &FakeHost, section: &str) {
    assert_eq!(complaints(fake, section), Vec::<String>::new());
}

const PCI: &str = "kind = \"pci\"\naddress = \"0000:5e:00.1\"";
const AF_PACKET: &str = "kind = \"af_packet\"\ninterface = \"eth1\"";
const TAP: &str = "kind = \"tap\"\ninterface = \"vm1\"";

#[test]
fn a_finding_is_one_line_with_its_fix() {
    let finding = Finding {
        severity: Severity::Warn,
        subject: "CPU".to_owned(),
        text: "slow".to_owned(),
        fix: Some("buy another".to_owned()),
    };
    assert_eq!(finding.to_string(), " warn  CPU              slow   fix: buy another");
    assert_eq!(
        serde_json::to_string(&finding).unwrap(),
        r#"{"severity":"warn","subject":"CPU","text":"slow","fix":"buy another"}"#
    );
}

#[test]
fn a_report_ends_with_the_count_and_every_other_line_is_a_finding() {
    let fake = FakeHost::bare();
    let report = check(&node("[interfaces.eth1]\nkind = \"af_packet\"\n"), &fake.probe());
    let text = report.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), report.findings().len() + 1);
    assert_eq!(lines.last(), Some(&"1 problem, 0 warnings"));
    assert_eq!((report.problems(), report.plan().is_none()), (1, true));
    let refusal = report.into_plan().unwrap_err().to_string();
    assert!(refusal.starts_with("this host does not fit the node file:\n FAIL  interface eth1"));
}

#[test]
fn every_problem_and_warning_says_what_to_do() {
    let mut fake = FakeHost::bare();
    fake.may("0", "1000");
    fake.card("0000:5e:00.1", Some("ixgbe"), Some("eth1"), None);
    let report = check(
        &node(
            "cores = \"9\"\n[interfaces.a]\nkind = \"pci\"\nkernel = \"eth1\"\n\
             [interfaces.b]\nkind = \"tap\"\n[interfaces.c]\nkind = \"memif\"\nsocket = \"/no/x\"\n",
        ),
        &fake.probe(),
    );
    assert!(report.problems() >= 4, "{report}");
    for finding in report.findings() {
        assert_eq!(finding.fix.is_none(), finding.severity == Severity::Ok, "{finding}");
        assert!(!finding.to_string().contains('\n'), "{finding}");
    }
}

#[test]
fn a_node_needs_a_name_that_can_be_one() {
    let fake = FakeHost::bare();
    fake.write("proc/sys/kernel/hostname", "gw_ä");
    let report = check(&node(""), &fake.probe());
    assert!(report.to_string().contains(
        "FAIL  name             the host name \"gw_ä\" cannot name a node   \
         fix: add name = \"..\" to the node file"
    ));
    assert!(check(&node("name = \"gw-a\""), &fake.probe()).plan().is_some());
}

#[test]
fn folders_that_cannot_be_made_are_named() {
    let fake = FakeHost::bare();
    fake.write("srv", "a file");
    let report = check(&node("state = \"/srv/sluice\""), &fake.probe());
    assert!(
        report.to_string().contains(
            "FAIL  state            cannot make files in /srv/sluice: /srv is not a folder   \
         fix: install -d -o $(id -un) /srv/sluice"
        ),
        "{report}"
    );
}

#[test]
fn what_the_administrator_comes_in_by_is_said() {
    let fake = FakeHost::bare();
    fake.default_route("eth0");
    let text = check(&node(""), &fake.probe()).to_string();
    assert!(text.contains("ok    management       eth0 carries the default route: left alone"));
}

#[test]
fn af_packet_needs_an_ethernet_interface_of_its_own() {
    let mut fake = FakeHost::bare();
    let absent = "FAIL there is no kernel interface eth1 in this network namespace";
    complains(
        &fake,
        AF_PACKET,
        &format!("{absent} => make one, such as: ip link add eth1 type veth peer name peer0"),
    );
    fake.interface("lo", "00:00:00:00:00:00").interface("eth2", "52:54:00:00:00:02");
    complains(&fake, AF_PACKET, &format!("{absent} => set interface = to one of: eth2"));
    complains(
        &fake,
        "kind = \"af_packet\"\ninterface = \"lo\"",
        "FAIL lo is the loopback interface, which carries no Ethernet => name an Ethernet interface in interface =",
    );
    fake.interface("eth1", "52:54:00:00:00:01");
    content(&fake, AF_PACKET);
    fake.link("../br0", "sys/class/net/eth1/master");
    complains(
        &fake,
        AF_PACKET,
        "FAIL eth1 is a member of br0, which takes its frames => ip link set eth1 nomaster",
    );
}

#[test]
fn af_packet_on_the_way_in_is_warned_about() {
    let mut fake = FakeHost::bare();
    fake.interface("eth1", "52:54:00:00:00:01").default_route("eth1");
    complains(
        &fake,
        AF_PACKET,
        "warn eth1 carries the default route: its frames will be bridged as well => use an interface of its own for the gateway",
    );
}

#[test]
fn permissions_are_asked_for_by_kind() {
    let mut fake = FakeHost::bare();
    fake.interface("eth1", "52:54:00:00:00:01").may("0000000000002000", "1000");
    complains(
        &fake,
        AF_PACKET,
        "FAIL af_packet needs CAP_NET_ADMIN, which this process lacks => run as root, or set AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN in the service unit",
    );
    complains(
        &fake,
        TAP,
        "FAIL tap needs CAP_NET_ADMIN, which this process lacks => run as root, or set AmbientCapabilities=CAP_NET_ADMIN in the service unit",
    );
    content(&fake, "kind = \"null\"");
    content(&fake, "kind = \"memif\"\nsocket = \"/run/m.sock\"");
}

#[test]
fn a_kernel_without_the_feature_is_named() {
    let mut fake = FakeHost::bare();
    fake.interface("eth1", "52:54:00:00:00:01");
    std::fs::remove_file(fake.path("proc/thread-self/net/packet")).unwrap();
    std::fs::remove_file(fake.path("dev/net/tun")).unwrap();
    complains(&fake, AF_PACKET, "FAIL this kernel has no packet sockets => modprobe af_packet");
    complains(&fake, TAP, "FAIL /dev/net/tun is missing => modprobe tun");
}

#[test]
fn a_tap_takes_no_name_that_something_else_has() {
    let mut fake = FakeHost::bare();
    content(&fake, TAP);
    fake.interface("vm1", "52:54:00:00:00:01");
    complains(
        &fake,
        TAP,
        "FAIL the kernel has an interface vm1 already, and it is not a tap => set interface = to a free name",
    );
    fake.write("sys/class/net/vm1/tun_flags", "0x1002");
    content(&fake, TAP);
}

#[test]
fn a_server_needs_a_folder_and_a_path_that_nobody_uses() {
    let fake = FakeHost::bare();
    for kind in ["memif", "vhost-user"] {
        let at = |path: &str| format!("kind = \"{kind}\"\nsocket = \"{path}\"");
        complains(
            &fake,
            &at("/srv/vm/1.sock"),
            "FAIL the folder /srv/vm of its socket is missing => mkdir -p /srv/vm",
        );
        // The daemon makes its own run folder.
        content(&fake, &at("/run/sluice/1.sock"));
        fake.write("run/file", "");
        complains(
            &fake,
            &at("/run/file"),
            "FAIL /run/file exists and is not a socket => set socket = to a path that is free",
        );
        let path = fake.path("run/live");
        let listener = UnixListener::bind(&path).unwrap();
        complains(
            &fake,
            &at("/run/live"),
            "FAIL another process listens on /run/live => stop that process, set role = \"client\", or set socket = to another path",
        );
        content(&fake, &format!("{}\nrole = \"client\"", at("/run/live")));
        drop(listener);
        content(&fake, &at("/run/live"));
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_live_socket_of_any_type_is_told_from_a_stale_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    assert_eq!(socket_state(&path), SocketState::Absent);
    let live = UnixDatagram::bind(&path).unwrap();
    assert_eq!(socket_state(&path), SocketState::Live);
    drop(live);
    assert_eq!(socket_state(&path), SocketState::Stale);
    std::fs::remove_file(&path).unwrap();
    // memif listens with this type, which the standard library does not have.
    let packets =
        socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::empty(), None).unwrap();
    bind(packets.as_raw_fd(), &UnixAddr::new(&path).unwrap()).unwrap();
    listen(&packets, Backlog::new(1).unwrap()).unwrap();
    assert_eq!(socket_state(&path), SocketState::Live);
    drop(packets);
    assert_eq!(socket_state(&path), SocketState::Stale);
}

#[test]
fn virtio_user_needs_somebody_to_connect_to() {
    let fake = FakeHost::bare();
    let section = "kind = \"virtio-user\"\nsocket = \"/run/v.sock\"";
    let fix = "start the process that offers vhost-user there first, or correct socket =";
    complains(&fake, section, &format!("FAIL the socket /run/v.sock is missing => {fix}"));
    let listener = UnixListener::bind(fake.path("run/v.sock")).unwrap();
    content(&fake, section);
    drop(listener);
    complains(&fake, section, &format!("FAIL nobody listens on /run/v.sock => {fix}"));
    let ours =
        format!("{section}\n[interfaces.b]\nkind = \"vhost-user\"\nsocket = \"/run/v.sock\"");
    content(&fake, &ours);
}

#[test]
fn capture_files_must_be_some() {
    let fake = FakeHost::bare();
    let rx = |path: &str| format!("kind = \"pcap\"\nrx = \"{path}\"");
    let fix = "set rx = to a pcap file that can be read";
    complains(
        &fake,
        &rx("/run/in.pcap"),
        &format!(
            "FAIL cannot receive from /run/in.pcap: No such file or directory (os error 2) => {fix}"
        ),
    );
    fake.write("run/in.pcap", "abc");
    complains(
        &fake,
        &rx("/run/in.pcap"),
        &format!(
            "FAIL cannot receive from /run/in.pcap: it is shorter than a capture file's header => {fix}"
        ),
    );
    fake.write("run/in.pcap", "text that is long enough");
    complains(
        &fake,
        &rx("/run/in.pcap"),
        &format!("FAIL cannot receive from /run/in.pcap: it is neither pcap nor pcapng => {fix}"),
    );
    std::fs::write(fake.path("run/in.pcap"), 0xa1b2_c3d4_u32.to_le_bytes()).unwrap();
    content(&fake, &rx("/run/in.pcap"));
    complains(
        &fake,
        "kind = \"pcap\"\ntx = \"/srv/out.pcap\"",
        "FAIL cannot write /srv/out.pcap: the folder /srv is missing => install -d -o $(id -un) /srv",
    );
}

#[test]
fn a_card_must_exist_and_be_one() {
    let mut fake = FakeHost::bare();
    complains(
        &fake,
        PCI,
        "FAIL there is no PCI device 0000:5e:00.1 => this host has no PCI network card: use kind = \"af_packet\"",
    );
    fake.card("0000:3b:00.0", Some("ixgbe"), Some("ens1"), Some(1));
    fake.interface("veth0", "52:54:00:00:00:09");
    complains(
        &fake,
        PCI,
        "FAIL there is no PCI device 0000:5e:00.1 => set address = to one of: 0000:3b:00.0 (ens1)",
    );
    complains(
        &fake,
        "kind = \"pci\"\nkernel = \"ens9\"",
        "FAIL the kernel knows no card ens9: on vfio-pci a card has no kernel name => set address = to one of: 0000:3b:00.0 (ens1)",
    );
    complains(
        &fake,
        "kind = \"pci\"\nkernel = \"veth0\"",
        "FAIL veth0 is not a PCI card => set address = to one of: 0000:3b:00.0 (ens1)",
    );
    complains(
        &fake,
        "kind = \"pci\"\nmac = \"52:54:00:00:00:07\"",
        "FAIL the kernel knows no card with MAC 52:54:00:00:00:07: on vfio-pci it does not see the MAC => set address = to one of: 0000:3b:00.0 (ens1)",
    );
    fake.card("0000:5e:00.1", None, None, None);
    fake.write("sys/bus/pci/devices/0000:5e:00.1/class", "0x010802");
    complains(
        &fake,
        PCI,
        "FAIL 0000:5e:00.1 (8086:1572) is not a network card => choose one of: 0000:3b:00.0 (ens1)",
    );
}

#[test]
fn a_card_on_a_kernel_driver_is_refused_with_the_command_that_hands_it_over() {
    let mut fake = FakeHost::bare();
    fake.card("0000:5e:00.1", Some("ixgbe"), Some("ens1"), Some(23));
    let expected = "FAIL 0000:5e:00.1 (ens1) is on the kernel driver ixgbe => apt install driverctl && driverctl set-override 0000:5e:00.1 vfio-pci and name the card by address = \"0000:5e:00.1\": its kernel name and MAC vanish";
    for selector in ["address = \"5e:00.1\"", "kernel = \"ens1\"", "mac = \"52:54:00:00:00:01\""] {
        complains(&fake, &format!("kind = \"pci\"\n{selector}"), expected);
    }
}

#[test]
fn a_card_that_dpdk_does_not_know_goes_through_the_kernel() {
    let mut fake = FakeHost::bare();
    fake.card("0000:5e:00.1", Some("r8169"), Some("enp1s0"), Some(23));
    complains(
        &fake,
        PCI,
        "FAIL 0000:5e:00.1 (enp1s0) is on r8169, for which DPDK has no driver => set kind = \"af_packet\", interface = \"enp1s0\"",
    );
}

#[test]
fn a_card_without_iommu_is_refused() {
    let mut fake = FakeHost::bare();
    let boot = "enable VT-d or AMD-Vi in the firmware and boot with intel_iommu=on iommu=pt";
    fake.card("0000:5e:00.1", Some("ixgbe"), Some("ens1"), None);
    complains(
        &fake,
        PCI,
        &format!(
            "FAIL 0000:5e:00.1 (ens1) is on the kernel driver ixgbe, and there is no IOMMU => {boot}, or use kind = \"af_packet\""
        ),
    );
    let mut fake = FakeHost::bare();
    fake.card("0000:5e:00.1", Some("vfio-pci"), None, None);
    complains(&fake, PCI, &format!("FAIL 0000:5e:00.1 is on vfio-pci without an IOMMU => {boot}"));
}

#[test]
fn the_card_that_carries_the_session_is_never_taken() {
    let environment = Environment {
        ssh_connection: Some("192.0.2.7 50000 192.0.2.2 22".to_owned()),
        ..Environment::default()
    };
    for driver in ["ixgbe", "mlx5_core"] {
        let mut fake = FakeHost::bare();
        fake.card("0000:5e:00.1", Some(driver), Some("eth0"), Some(23)).default_route("eth0");
        assert_eq!(
            complaints_in(&fake, PCI, &environment),
            [
                "FAIL 0000:5e:00.1 is eth0, which carries the default route and your SSH session: refusing to take it => use another card"
            ]
        );
    }
}

#[test]
fn a_card_whose_group_holds_the_session_is_never_taken() {
    for driver in [Some("ixgbe"), Some("vfio-pci"), None] {
        let mut fake = FakeHost::bare();
        fake.hugepages(0, 2048, 1024, 1024);
        let kernel = (driver == Some("ixgbe")).then_some("ens2");
        fake.card("0000:5e:00.0", Some("ixgbe"), Some("eth0"), Some(23)).default_route("eth0");
        fake.card("0000:5e:00.1", driver, kernel, Some(23));
        complains(
            &fake,
            PCI,
            "FAIL 0000:5e:00.1: IOMMU group 23 also holds 0000:5e:00.0 (eth0: the default route): refusing to take the group => use another card, or another slot",
        );
    }
}

#[test]
fn a_card_whose_group_is_in_use_names_what_must_follow() {
    let mut fake = FakeHost::bare();
    fake.card("0000:5e:00.0", Some("ixgbe"), Some("ens2"), Some(23));
    fake.card("0000:5e:00.1", Some("vfio-pci"), None, Some(23));
    // A bridge in the group is harmless.
    fake.card("0000:5d:00.0", Some("pcieport"), None, Some(23));
    fake.write("sys/bus/pci/devices/0000:5d:00.0/class", "0x060400");
    complains(
        &fake,
        PCI,
        "FAIL 0000:5e:00.1: IOMMU group 23 also holds 0000:5e:00.0 (ens2, ixgbe), which must be handed over too => apt install driverctl && driverctl set-override 0000:5e:00.0 vfio-pci",
    );
}

#[test]
fn a_card_that_is_handed_over_needs_hugepages_and_locked_memory() {
    let mut fake = FakeHost::bare();
    fake.card("0000:5e:00.1", Some("vfio-pci"), None, Some(23)).hugepages(0, 2048, 1024, 1024);
    content(&fake, PCI);
    let report = check(&node(&format!("[interfaces.a]\n{PCI}\n")), &fake.probe());
    let text = report.to_string();
    assert!(
        text.contains("ok    interface a      0000:5e:00.1 vfio-pci, IOMMU group 23"),
        "{text}"
    );
    assert!(report.plan().is_some());
    fake.may("0", "1000");
    fake.write("proc/thread-self/limits", "Max locked memory  8388608  8388608  bytes\n");
    complains(
        &fake,
        PCI,
        "FAIL 0000:5e:00.1: only 8MiB may be locked, and the card needs all packet memory locked => set LimitMEMLOCK=infinity in the service unit, or ulimit -l unlimited",
    );
}

#[test]
fn a_bifurcated_card_stays_with_its_driver() {
    let mut fake = FakeHost::bare();
    fake.card("0000:5e:00.1", Some("mlx5_core"), Some("ens1"), None);
    fake.hugepages(0, 2048, 1024, 1024);
    complains(
        &fake,
        PCI,
        "FAIL 0000:5e:00.1 (mlx5_core) needs /dev/infiniband/uverbs*, which is missing => modprobe ib_uverbs mlx5_ib",
    );
    fake.write("dev/infiniband/uverbs0", "");
    for selector in ["address = \"5e:00.1\"", "kernel = \"ens1\"", "mac = \"52:54:00:00:00:01\""] {
        let section = format!("kind = \"pci\"\n{selector}");
        content(&fake, &section);
        let report = check(&node(&format!("[interfaces.a]\n{section}\n")), &fake.probe());
        assert!(
            report
                .to_string()
                .contains("0000:5e:00.1 mlx5_core (bifurcated driver: no rebinding needed)")
        );
        let device = &report.plan().unwrap().interfaces[0].device;
        assert_eq!(device.kernel_name(), Some("ens1"));
    }
}

#[test]
fn a_narrow_slot_is_warned_about() {
    let mut fake = FakeHost::bare();
    fake.card("0000:5e:00.1", Some("vfio-pci"), None, Some(23)).hugepages(0, 2048, 1024, 1024);
    fake.write("sys/bus/pci/devices/0000:5e:00.1/current_link_width", "8");
    fake.write("sys/bus/pci/devices/0000:5e:00.1/max_link_width", "16");
    complains(
        &fake,
        PCI,
        "warn 0000:5e:00.1 runs on 8 of its 16 PCIe lanes => move the card to a x16 slot",
    );
    // "Unknown", as virtual machines have it.
    fake.write("sys/bus/pci/devices/0000:5e:00.1/current_link_width", "0");
    content(&fake, PCI);
}

#[test]
fn one_card_under_two_names_is_found_out() {
    let mut fake = FakeHost::bare();
    fake.card("0000:5e:00.1", Some("mlx5_core"), Some("ens1"), None);
    fake.write("dev/infiniband/uverbs0", "");
    fake.hugepages(0, 2048, 2048, 2048);
    let report = check(
        &node(&format!(
            "[interfaces.x]\nkind = \"pci\"\nkernel = \"ens1\"\n[interfaces.a]\n{PCI}\n"
        )),
        &fake.probe(),
    );
    assert!(report.plan().is_none());
    assert!(report.to_string().contains(
        "FAIL  interface a      it is the same card as interface x: 0000:5e:00.1   fix: remove [interfaces.x] or [interfaces.a]"
    ), "{report}");
}

#[test]
fn checking_the_real_host_changes_nothing_and_never_panics() {
    let host = Host::probe(&Root::default(), &Environment::default());
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().display();
    let text = format!(
        "name = \"x\"\nstate = \"{base}/state\"\n[control]\nsocket = \"{base}/run/s\"\n[interfaces.a]\nkind = \"null\"\n"
    );
    assert!(check(&node(&text), &host).plan().is_some());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
