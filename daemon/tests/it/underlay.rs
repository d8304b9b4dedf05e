//! One gateway and the kernel as its neighbour on the underlay.

use std::fs;
use std::process::{Child, Command, Stdio};

use nix::sched::{CloneFlags, setns};
use proto::v1;
use proto::v1::peer::State;

use crate::client::Client;
use crate::frames::{ALL, frame, number, station, text};
use crate::gateway::{Gateway, enter_new_namespaces, ip, wait_for};
use crate::packets;
use crate::wire::Wire;

const SITE: &str = "\
hosts:
  - name: gw-a
    vtep: [192.0.2.1, \"2001:db8::1\"]
    underlay: [{interface: up0, KERNELaddresses: [192.0.2.1/24, \"2001:db8::1/64\"]}]
    routes: [{to: 0.0.0.0/0, via: [192.0.2.254]}]
bridges: [{name: web, vni: 5001}]
tunnelZones: [{name: dc, kind: vxlan, hosts: [gw-a]}]
tunnels: [{name: far, zone: dc, remote: 192.0.2.9, bridges: [web]}]
accessPorts: [{name: a1, bridge: web, host: gw-a, interface: vm1}]
";

const INTERFACES: &str = "\
[interfaces.up0]
kind = \"af_packet\"
[interfaces.vm1]
kind = \"af_packet\"
";

/// A network namespace of its own: the kernel of another machine.
struct Machine(Child);

impl Machine {
    fn new() -> Self {
        let mut command = Command::new("unshare");
        command.args(["--net", "sleep", "1000"]).stdin(Stdio::null());
        let machine = Self(command.spawn().unwrap());
        let id = machine.0.id();
        let ours = fs::read_link("/proc/thread-self/ns/net").unwrap();
        wait_for("the namespace", || {
            let theirs = fs::read_link(format!("/proc/{id}/ns/net")).ok()?;
            (theirs != ours).then_some(())
        });
        machine
    }

    /// Runs a program there: whether it succeeded, and what it printed.
    fn run(&self, words: &str) -> (bool, String) {
        let id = self.0.id().to_string();
        let mut command = Command::new("nsenter");
        command.args(["--net", "-t", &id]).args(words.split_whitespace());
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    }

    /// The wire at one of its interfaces.
    fn wire(&self, interface: &str) -> Wire {
        let path = format!("/proc/{}/ns/net", self.0.id());
        let interface = interface.to_owned();
        // A thread of its own moves there; the socket stays there.
        let there = move || {
            let namespace = fs::File::open(path).unwrap();
            setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
            Wire::at(&interface)
        };
        std::thread::spawn(there).join().unwrap()
    }

    #[track_caller]
    fn ip(&self, words: &str) {
        let (ok, text) = self.run(&format!("ip {words}"));
        assert!(ok, "ip {words}: {text}");
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running gateway with a guest, and another machine at its underlay interface with the addresses
/// `192.0.2.9` and `2001:db8::9`.
struct Scene {
    gateway: Gateway,
    client: Client,
    guest: Wire,
    /// The underlay as the other machine sees it.
    wire: Wire,
    peer: Machine,
}

impl Scene {
    #[track_caller]
    fn start(site: &str, interfaces: &str) -> Self {
        enter_new_namespaces();
        let guest = Wire::cable("vm1", "p1");
        drop(Wire::cable("up0", "k0"));
        let peer = Machine::new();
        ip(&format!("link set k0 netns {}", peer.0.id()));
        peer.ip("link set k0 up");
        let wire = peer.wire("k0");
        let mut gateway = Gateway::new(interfaces);
        fs::write(gateway.site(), site).unwrap();
        let client = gateway.start();
        Self { gateway, client, guest, wire, peer }
    }

    /// Gives the other machine its addresses.
    #[track_caller]
    fn address(&self) {
        self.peer.run("sysctl -w net.ipv6.conf.k0.disable_ipv6=0");
        self.peer.ip("addr add 192.0.2.9/24 dev k0");
        self.peer.ip("addr add 2001:db8::9/64 dev k0 nodad");
    }

    /// Pings the gateway's addresses from the other machine.
    #[track_caller]
    fn ping(&self, octets: usize) {
        for address in ["192.0.2.1", "2001:db8::1"] {
            let words = format!("ping -n -c 1 -i 0.2 -w 20 -s {octets} {address}");
            let (ok, text) = self.peer.run(&words);
            assert!(ok, "{words}: {text}");
        }
    }
}

#[test]
fn the_kernel_of_a_neighbour_pings_the_tunnel_endpoint() {
    let scene = Scene::start(&SITE.replace("KERNEL", ""), INTERFACES);
    scene.address();

    scene.ping(56);
    scene.ping(1400);

    let (_, neighbors) = scene.peer.run("ip neigh show dev k0");
    let mac = scene.client.underlay().links.remove(0).mac;
    for address in ["192.0.2.1 ", "2001:db8::1 "] {
        let line = neighbors.lines().find(|line| line.starts_with(address)).unwrap();
        assert!(line.contains(&mac), "{line}");
    }
    let peer = scene.client.wait_peer(State::Up, "off");
    assert_eq!((&*peer.name, &*peer.port), ("tunnels/far", "@far"));
    assert_eq!(peer.next_hops[0].address, "192.0.2.9");
    scene.gateway.stop();
}

#[test]
fn a_next_hop_that_does_not_answer_is_reported_until_it_does() {
    let scene = Scene::start(&SITE.replace("KERNEL", ""), INTERFACES);
    let silent = ("NEIGHBOR_UNRESOLVED".to_owned(), "underlay/%up0/192.0.2.9".to_owned());
    wait_for("the condition", || scene.client.conditions().contains(&silent).then_some(()));
    assert_eq!(scene.client.wait_peer(State::Unresolved, "off").next_hops[0].mac, "");
    scene.guest.send(&frame(ALL, station(1), 1));
    wait_for("the frame to be counted", || {
        let drops = scene.client.drops();
        drops.iter().find(|d| d.reason == "neighbor_unresolved" && d.port == "@far").map(|_| ())
    });

    scene.address();
    scene.client.wait_peer(State::Up, "off");
    wait_for("its end", || (!scene.client.conditions().contains(&silent)).then_some(()));
    scene.gateway.stop();
}

#[test]
fn a_station_that_uses_our_address_is_reported() {
    let scene = Scene::start(&SITE.replace("KERNEL", ""), INTERFACES);
    scene.address();
    scene.client.wait_peer(State::Up, "off");

    // Sent by our own end of the wire, it would not come in: the other machine has to send it.
    scene.peer.ip("addr add 192.0.2.1/24 dev k0");
    let conflict = ("ADDRESS_CONFLICT".to_owned(), "underlay/%up0/192.0.2.1".to_owned());
    wait_for("the condition", || {
        scene.peer.run("ping -n -c 1 -W 1 -I 192.0.2.1 192.0.2.77");
        scene.client.conditions().contains(&conflict).then_some(())
    });
    scene.gateway.stop();
}

#[test]
fn stations_behind_a_tunnel_are_learned_flushed_and_fixed_by_its_port() {
    let scene = Scene::start(&SITE.replace("KERNEL", ""), INTERFACES);
    scene.address();
    scene.client.wait_peer(State::Up, "off");
    let Scene { gateway, client, guest, wire, .. } = &scene;
    client.wait_forwarding(1);
    let is_tunnel =
        |frame: &[u8]| frame.get(23) == Some(&17) && frame.get(36..38) == Some(&[0x12, 0xb5]);

    guest.send(&frame(ALL, station(1), 1));
    let outer = wire.expect_where(is_tunnel);
    assert_eq!(outer[26..34], [192, 0, 2, 1, 192, 0, 2, 9]);
    assert_eq!(outer[42..50], [8, 0, 0, 0, 0, 0x13, 0x89, 0]);
    assert_eq!(outer[50..], frame(ALL, station(1), 1)[..]);

    let inner = frame(station(1), station(2), 3);
    let datagram = packets::udp(50_000, 4789, &packets::vxlan(5001, &inner));
    let to: [u8; 6] = outer[6..12].try_into().unwrap();
    let ends = ([192, 0, 2, 9], [192, 0, 2, 1]);
    wire.send(&packets::ipv4((to, station(9)), ends, 17, &datagram));
    assert_eq!(guest.expect(), inner);
    let learned = format!("web {} @far", text(station(2)));
    wait_for("the station", || client.mac_lines().contains(&learned).then_some(()));

    let entry = v1::StaticMac {
        bridge: "web".to_owned(),
        mac: text(station(7)),
        port: "far".to_owned(),
        ..Default::default()
    };
    let request = v1::AddMacRequest { mac: Some(entry), ..Default::default() };
    client.state(|mut c| async move { c.add_mac(request).await }).unwrap();
    let fixed = format!("web {} @far static", text(station(7)));
    wait_for("the static entry", || client.mac_lines().contains(&fixed).then_some(()));
    guest.send(&frame(station(7), station(1), 2));
    assert_eq!(number(&wire.expect_where(is_tunnel)[50..]), 2);

    let scope = v1::flush_macs_request::Scope::Port("@far".to_owned());
    let request = v1::FlushMacsRequest { scope: Some(scope) };
    let flushed = client.state(|mut c| async move { c.flush_macs(request).await }).unwrap();
    assert_eq!((flushed.flushed, flushed.programmed), (1, true));
    let lines = client.mac_lines();
    assert!(lines.contains(&fixed) && !lines.contains(&learned), "statics stay: {lines:?}");
    assert_eq!(client.accounting().difference, 0);
    let unknown = v1::flush_macs_request::Scope::Port("@nobody".to_owned());
    let request = v1::FlushMacsRequest { scope: Some(unknown) };
    let refused = client.state(|mut c| async move { c.flush_macs(request).await }).unwrap_err();
    assert_eq!(refused.code(), tonic::Code::NotFound);
    assert!(gateway.socket().exists());
    scene.gateway.stop();
}

#[test]
fn a_tap_shares_the_underlay_with_the_kernel_and_has_the_address_of_the_link() {
    let site = SITE.replace("KERNEL", "kernel: tap0, ");
    let with_tap = format!("{INTERFACES}[interfaces.tap0]\nkind = \"tap\"\n");
    let scene = Scene::start(&site, &with_tap);
    let mac = scene.client.underlay().links.remove(0).mac;
    wait_for("the tap's address", || {
        let address = fs::read_to_string("/sys/class/net/tap0/address").ok()?;
        (address.trim() == mac).then_some(())
    });

    // The kernel of this machine owns the address now, and answers for it.
    ip("addr add 192.0.2.1/24 dev tap0");
    ip("addr add 2001:db8::1/64 dev tap0 nodad");
    scene.address();

    scene.ping(56);
    scene.client.wait_peer(State::Up, "off");
    let request = v1::ListInterfacesRequest::default();
    let reply = scene.client.state(|mut c| async move { c.list_interfaces(request).await });
    let ports: Vec<_> = reply.unwrap().interfaces.into_iter().map(|one| one.ports).collect();
    assert_eq!(ports, [["%up0"], ["accessPorts/a1"], ["%up0"]]);
    assert_eq!(scene.client.accounting().difference, 0);
    scene.gateway.stop();
}
