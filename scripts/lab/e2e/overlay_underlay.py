"""Where tunnels meet the IP network: neighbours, ping, VLANs, one network card, the kernel's share."""

import contextlib
import socket

from ..capture import Port
from ..fabric import Station, add_address, device_mac, enable_ipv6
from ..foreign import Frr, KernelBridge
from ..gateway import Gateway
from ..netns import inside, wait_until, write_sysctl
from ..netns import run as run_command
from ..switch import Access, Switch, Trunk
from ..wire import BROADCAST
from .overlay import VNI, Overlay


def run(report):
    _neighbours(report)
    _one_card(report, vlan=40)
    _one_card(report, vlan=None)
    _kernel_share(report)


def _neighbours(report):
    report.title("The tunnel endpoint as a neighbour")
    with Overlay(report, routed=False, mtu=9000) as net:
        leg = net.host("gw-a", 1, machines={"vm1": 101})
        bridge = net.kernel("k-4", 4, {"vm5": 105})
        bridge.add_remote(leg.v4)
        net.foreign("k-4")
        recorder = net.fabric.recorder("gw-a")
        net.start()
        mac = device_mac(leg.namespace, "up0")
        space = net.fabric.space
        arping = net.lab.execute(space, "arping", "-c", 2, "-w", 3, "-I", "segment", leg.v4,
                                 check=False)
        report.check("arping from the fabric finds the endpoint, at its one hardware address",
                     arping.returncode == 0 and mac in arping.stdout.lower()
                     and "2 response" in arping.stdout, arping.stdout)
        twice = net.lab.execute(space, "arping", "-D", "-c", 1, "-w", 2, "-I", "segment", leg.v4,
                                check=False)
        report.check("duplicate address detection (RFC 5227) finds that it is taken",
                     twice.returncode == 1, twice.stdout)
        for size in (56, 1472, 8952):
            done = net.lab.execute(space, "ping", "-n", "-c", 3, "-i", "0.1", "-W", 2, "-M", "do",
                                   "-s", size, leg.v4, check=False)
            six = net.lab.execute(space, "ping", "-n", "-c", 3, "-i", "0.1", "-W", 2, "-M", "do",
                                  "-s", size, leg.v6, check=False)
            report.check(f"it answers pings of {size} octets, IPv4 and IPv6",
                         " 0% packet loss" in done.stdout and " 0% packet loss" in six.stdout,
                         done.stdout + six.stdout)
        announced = [frame for frame in recorder.since(direction="in")
                     if frame.arp() and frame.arp()[1] == frame.arp()[2] == leg.v4]
        report.check("it announced its address when it came up (gratuitous ARP)",
                     bool(announced) and all(frame.destination == BROADCAST
                                             for frame in announced))
        _moved_neighbour(report, net)
        _conflict(report, net, leg)
        net.balanced()


def _moved_neighbour(report, net):
    """The peer gets another network card: traffic goes on with its new address."""
    vm1, vm5 = net.stations["vm1"], net.stations["vm5"]
    report.check("vm1 pings vm5 behind the kernel's endpoint", vm1.reaches(vm5, count=3))
    space, old = net.legs["k-4"].namespace, device_mac(net.legs["k-4"].namespace, "up0")
    new = "52:54:00:00:aa:04"
    run_command("ip", "-n", space, "link", "set", "up0", "address", new)
    mark = net.fabric.recorder("gw-a").mark()
    net.lab.execute(space, "arping", "-U", "-c", 2, "-I", "up0", net.legs["k-4"].v4, check=False)
    report.check("a peer that announces another hardware address is reached there at once",
                 wait_until(lambda: vm1.reaches(vm5), 3))
    sent = [frame.destination for frame in net.fabric.recorder("gw-a").since(mark, "in")
            if frame.envelope()]
    report.check("and nothing goes to the old one any more", sent and sent[-1] == new
                 and old not in sent[-2:], sent)
    again = "52:54:00:00:aa:05"
    run_command("ip", "-n", space, "link", "set", "up0", "address", again)
    report.check("a peer that changes it in silence is found again by probing, within a minute",
                 wait_until(lambda: vm1.reaches(vm5, wait=1), 60, every=0.5),
                 net.gateways["gw-a"].cli("underlay", check=False).stdout)


def _conflict(report, net, leg):
    """Somebody else uses our address."""
    gateway = net.gateways["gw-a"]
    net.lab.execute(net.legs["k-4"].namespace, "ip", "address", "add", f"{leg.v4}/24", "dev", "up0")
    net.lab.execute(net.legs["k-4"].namespace, "arping", "-U", "-c", 2, "-I", "up0", leg.v4,
                    check=False)
    report.check("an address conflict is on `sluice status`, with the address",
                 wait_until(lambda: "ADDRESS_CONFLICT" in gateway.cli(
                     "status", "-o", "json", check=False).stdout, 3),
                 gateway.cli("status", check=False).stdout)
    net.lab.execute(net.legs["k-4"].namespace, "ip", "address", "del", f"{leg.v4}/24", "dev", "up0")


def _one_card(report, vlan):
    """One interface carries the tagged trunk and the underlay, in a VLAN of its own or untagged."""
    where = f"in VLAN {vlan}" if vlan else "untagged"
    report.title(f"One network card: a tagged trunk and the underlay {where}")
    with Overlay(report, routed=False, mtu=1600) as net:
        lab = net.lab
        space, far = lab.namespace("gw-a"), lab.namespace("k-4")
        switch = Switch(lab)
        server_space = lab.namespace("server")
        switch.add_port("server", Access(10), server_space, "eth0")
        switch.add_port("k-4", Access(40), far, "up0", mtu=1600)
        mode = Trunk(frozenset({10, 40}), native=None if vlan else 40)
        switch.add_port("gw-a", mode, space, "eth1", mtu=1600)
        server = net.stations["server"] = Station(lab, "server", 1, server_space)
        enable_ipv6(far, "up0")
        peer = net.fabric.place("k-4", 4, far)
        own = net.fabric.place("gw-a", 1, space, "eth1")
        for prefix in peer.prefixes:
            add_address(far, "up0", prefix)
        bridge = KernelBridge(peer, VNI)
        bridge.add_remote(own.v4)
        net.machine("vm5", 105, far)
        bridge.add_port("vm5")
        net.legs |= {"gw-a": own, "k-4": peer}
        net.site |= {"hosts": [own.host(vlan=vlan)], "gatewayBridges": [{"name": "gw"}],
                     "trunks": [{"name": "trunk0", "gatewayBridge": "gw", "host": "gw-a",
                                 "interface": "eth1"}],
                     "vlanLinks": [{"gatewayBridge": "gw", "vid": 10, "bridge": "web"}]}
        net.zone["hosts"] = ["gw-a"]
        net.foreign("k-4")
        net.gateways["gw-a"] = Gateway(lab, space, {"eth1": {"kind": "af_packet", "mtu": 1600}})
        net.start()
        done = server.ping(net.stations["vm5"], count=3, wait=3)
        report.check("a server behind the trunk pings a machine behind a tunnel on the same wire",
                     done.returncode == 0, done.stdout)
        wire = switch.ports()["gw-a"].recorder.since(direction="in")
        tunnelled = {frame.vid for frame in wire if frame.envelope()}
        inner = {frame.vid for frame in wire if frame.source == net.stations["vm5"].mac}
        report.check(f"its frames are on that wire tagged 10, the tunnel's {where}",
                     tunnelled == {vlan} and inner == {10}, f"tunnel {tunnelled}, trunk {inner}")
        pinged = lab.execute(far, "ping", "-n", "-c", 2, "-i", "0.1", "-W", 2, own.v4, check=False)
        report.check("and the endpoint answers ping there", pinged.returncode == 0, pinged.stdout)
        equal, rate, why = net.transfer(server, net.stations["vm5"], 10_000_000)
        report.check(f"10 MB across both arrive with the same SHA-256 ({rate * 8 / 1e6:.0f} Mbit/s)",
                     equal, why)
        net.balanced()


def _kernel_share(report):
    """The kernel owns the endpoint's address through a tap: services and routing protocols use it."""
    report.title("The kernel's share: a tap for everything that is no tunnel's")
    with Overlay(report, routed=False) as net:
        leg = net.host("gw-a", 1, machines={"vm1": 101}, kernel="tap0")
        space = leg.namespace
        gateway = net.gateways["gw-a"]
        gateway.write_node_file({"up0": {"kind": "af_packet"}, "vm1": {"kind": "af_packet"},
                                 "tap0": {"kind": "tap"}})
        bridge = net.kernel("k-4", 4, {"vm5": 105})
        for device in (bridge.tunnel, bridge.bridge):
            run_command("ip", "-n", bridge.namespace, "link", "set", device, "mtu", 1450)
        bridge.add_remote(leg.v4)
        net.foreign("k-4")
        for station in net.stations.values():
            station.set_mtu(1450)
        # The kernel gets a copy of what a packet socket reads. With the address on the tap it would
        # answer by itself, so it is told to accept nothing on the interface of the gateway.
        with inside(space):
            write_sysctl("net/ipv4/conf/up0/rp_filter", 1)
            write_sysctl("net/ipv4/conf/up0/arp_ignore", 8)
        net.start(tunnels=False)
        mac = device_mac(space, "up0")
        run_command("ip", "-n", space, "link", "set", "tap0", "address", mac)
        run_command("ip", "-n", space, "link", "set", "tap0", "up")
        enable_ipv6(space, "tap0")
        for prefix in leg.prefixes:
            add_address(space, "tap0", prefix)
        net.ready()
        _shared(report, net, leg)
        net.balanced()


def _shared(report, net, leg):
    vm1, vm5 = net.stations["vm1"], net.stations["vm5"]
    done = vm1.ping(vm5, count=3, wait=3)
    report.check("the tunnel works: vm1 pings vm5", done.returncode == 0, done.stdout)
    far = net.legs["k-4"]
    for address in (leg.v4, leg.v6):
        done = net.lab.execute(far.namespace, "ping", "-n", "-c", 3, "-i", "0.1", "-W", 2, address,
                               check=False)
        report.check(f"the kernel of gw-a answers ping at {address}, once each",
                     " 0% packet loss" in done.stdout and "DUP" not in done.stdout, done.stdout)
    tap = Port(leg.namespace, "tap0")
    net.lab.on_close(tap.close)
    banner = b"a service of the kernel's stack\n"
    with inside(leg.namespace):
        server = socket.create_server((leg.v4, 22))
    said = b""
    with server, contextlib.suppress(OSError):
        with inside(far.namespace):
            client = socket.create_connection((leg.v4, 22), timeout=5)
        accepted, _ = server.accept()
        with client, accepted:
            accepted.sendall(banner)
            said = client.recv(100)
    report.check("a TCP service of the kernel at the endpoint's address is reached", said == banner)
    mark = tap.recorder.mark()
    vm1.ping(vm5, count=10)
    stray = [str(frame) for frame in tap.recorder.since(mark) if frame.envelope()]
    report.check("tunnelled frames do not reach the kernel", not stray, stray[:3])
    ours, theirs = (Frr(net.lab, one.namespace, one.name) for one in (leg, far))
    ours.add_peer(far.v4, leg.v4, interface="tap0")
    theirs.add_peer(leg.v4, far.v4, interface="up0")
    up = ours.wait_up() and theirs.wait_up()
    report.check("FRR's bfdd in the kernel of gw-a holds a session with one on the fabric", up,
                 ours.peers() + theirs.peers())
    equal, rate, why = net.transfer(vm1, vm5, 20_000_000)
    report.check(f"20 MB through the tunnel meanwhile ({rate * 8 / 1e6:.0f} Mbit/s), and that "
                 "session stays up", equal and ours.is_up() and theirs.is_up(), why)
