"""The network of the demo: who is cabled to what, and the site documents of its three stages."""

import subprocess
from concurrent.futures import ThreadPoolExecutor

from .capture import Port
from .fabric import Fabric
from .foreign import KernelBridge
from .gateway import Gateway
from .netns import inside, run, wait_until, write_sysctl
from .switch import Access, Switch, Trunk

SERVERS = {  # name: (VLAN, address, MAC)
    "server1": (10, "10.0.10.1", "52:54:00:00:10:01"),
    "server2": (20, "10.0.20.1", "52:54:00:00:20:01"),
    "server3": (30, "10.0.30.1", "52:54:00:00:30:01"),
}
MACHINES = {  # name: (host, address, MAC)
    "vm1": ("gw-a", "10.0.10.101", "52:54:00:00:00:01"),
    "vm2": ("cn-2", "10.0.10.102", "52:54:00:00:00:02"),
    "vm3": ("cn-2", "10.0.10.103", "52:54:00:00:00:03"),
    "vm4": ("cn-3", "10.0.10.104", "52:54:00:00:00:04"),
    "vm5": ("k-4", "10.0.10.105", "52:54:00:00:00:05"),
    "vm6": ("cn-3", "10.0.20.106", "52:54:00:00:00:06"),
}
GATEWAYS = {"gw-a": 1, "cn-2": 2, "cn-3": 3}  # name: number on the fabric
KERNEL_HOST, KERNEL_NUMBER = "k-4", 4
WEB = ("vm1", "vm2", "vm3", "vm4", "vm5")
WEB_VNI = 5001
FABRIC_MTU = 1600  # a full frame of 1500 and what a tunnel adds
UPLINK_TRUNK = Trunk(frozenset({10, 20, 30}))

PICTURE = """\
 server1      server2      server3                     kernel stacks, one namespace each
 VLAN 10      VLAN 20      VLAN 30
    |            |            |
 +--+------------+------------+--+
 |  802.1Q switch                |                     user space, on tap devices
 +--------------+----------------+
                | first an access port of VLAN 10, then a trunk
              eth1
 +--------------+--+   +-----------+   +-----------+   +-----------------------+
 |  sluiced (gw-a) |   |  sluiced  |   |  sluiced  |   |  the kernel's own     |
 |                 |   |  (cn-2)   |   |  (cn-3)   |   |  bridge + VXLAN (k-4) |
 +--+-----------+--+   +-+---+---+-+   +-+---+---+-+   +---+---------------+---+
    |          up0      up0  |   |      up0  |   |         up0              |
    |           |        |   |   |       |   |   |          |               |
   vm1       === IP fabric (a router): VXLAN 5001 ============             vm5
                             |   |           |   |
                            vm2 vm3         vm4 vm6    kernel stacks, one namespace each
"""

NOTHING = "hosts: [{name: gw-a}, {name: cn-2}, {name: cn-3}]\n"

_OVERLAY = """\
hosts:
  - name: gw-a
    vtep: 10.255.1.1
    underlay: [{interface: up0, addresses: [10.255.1.1/24]}]
    routes: [{to: 0.0.0.0/0, via: [10.255.1.254]}]
  - name: cn-2
    vtep: 10.255.2.1
    underlay: [{interface: up0, addresses: [10.255.2.1/24]}]
    routes: [{to: 0.0.0.0/0, via: [10.255.2.254]}]
  - name: cn-3
    vtep: 10.255.3.1
    underlay: [{interface: up0, addresses: [10.255.3.1/24]}]
    routes: [{to: 0.0.0.0/0, via: [10.255.3.254]}]
tunnelZones:
  - {name: dc, kind: vxlan, hosts: [gw-a, cn-2, cn-3], bfd: {interval: 1s, multiplier: 5}}
tunnels:
  - {name: k-4, zone: dc, remote: 10.255.4.1, bridges: [web]}
bridges:
  - {name: web, vni: 5001}
"""

_MACHINES = """\
accessPorts:
  - {name: p1, bridge: web, host: gw-a, interface: vm1}
  - {name: p2, bridge: web, host: cn-2, interface: vm2}
  - {name: p3, bridge: web, host: cn-2, interface: vm3}
  - {name: p5, bridge: web, host: cn-3, interface: vm4}
"""

WALK1 = _OVERLAY + _MACHINES + """\
  - {name: p4, bridge: web, host: gw-a, interface: eth1}
"""

WALK2 = _OVERLAY + _MACHINES + """\
gatewayBridges:
  - {name: gw}
trunks:
  - {name: trunk0, gatewayBridge: gw, host: gw-a, interface: eth1}
vlanLinks:
  - {gatewayBridge: gw, vid: 10, bridge: web}
"""

VLAN20 = """\
bridges:
  - {name: db, vni: 5002}
vlanLinks:
  - {gatewayBridge: gw, vid: 20, bridge: db}
accessPorts:
  - {name: p6, bridge: db, host: cn-3, interface: vm6}
"""


class Network:
    """Everything of the picture, cabled up; the daemons are not started yet."""

    def __init__(self, lab):
        self.lab = lab
        self.switch = Switch(lab)
        self.fabric = Fabric(lab, mtu=FABRIC_MTU)
        self.spaces, self.machines, self.gateways = {}, {}, {}
        hosts = {}
        for name, number in GATEWAYS.items():
            hosts[name] = lab.namespace(name)
            self.fabric.attach(name, number, hosts[name])
        leg = self.fabric.kernel_host(KERNEL_HOST, KERNEL_NUMBER)
        hosts[KERNEL_HOST] = leg.namespace
        self.kernel = KernelBridge(leg, WEB_VNI)
        for name in GATEWAYS:
            self.kernel.add_remote(self.fabric.legs[name].v4)
        for name, station in SERVERS.items():
            self._server(name, *station)
        self.switch.add_port("uplink", Access(10), hosts["gw-a"], "eth1")
        for name, (host, address, mac) in MACHINES.items():
            self._machine(name, hosts[host], address, mac)
        self.kernel.add_port("vm5")
        for cpu, name in enumerate(GATEWAYS):
            interfaces = {machine: {"kind": "af_packet"} for machine, (host, _, _)
                          in MACHINES.items() if host == name}
            interfaces["up0"] = {"kind": "af_packet", "mtu": FABRIC_MTU}
            if name == "gw-a":
                interfaces["eth1"] = {"kind": "af_packet"}
            self.gateways[name] = Gateway(lab, hosts[name], interfaces, name, cpu)

    def _server(self, name, vid, address, mac):
        space = self.spaces[name] = self.lab.namespace(name)
        self.switch.add_port(name, Access(vid), space, "eth0", mac)
        run("ip", "-n", space, "address", "add", f"{address}/24", "dev", "eth0")
        with inside(space):  # ask again soon, and for long
            write_sysctl("net/ipv4/neigh/eth0/retrans_time_ms", 300)
            write_sysctl("net/ipv4/neigh/eth0/mcast_solicit", 30)

    def _machine(self, name, host, address, mac):
        space = self.spaces[name] = self.lab.namespace(name)
        self.lab.veth((host, name), (space, "eth0"))
        run("ip", "-n", space, "link", "set", "eth0", "address", mac)
        run("ip", "-n", space, "address", "add", f"{address}/24", "dev", "eth0")
        port = Port(space, "eth0", self.lab.path(f"{name}.pcap"), both_directions=True)
        self.machines[name] = port.recorder
        self.lab.on_close(port.close)

    def start(self):
        """Starts the daemons on an empty site and waits until they answer."""
        for gateway in self.gateways.values():
            gateway.start(NOTHING, ready=False)
        self.each(lambda gateway: gateway.wait_ready())

    def each(self, work):
        """{name: result} of some work for every gateway, all at the same time."""
        with ThreadPoolExecutor(len(self.gateways)) as pool:
            return dict(zip(self.gateways, pool.map(work, self.gateways.values())))

    def apply(self, document, *options):
        """One site document for all hosts; what the command said on the first."""
        done = self.each(lambda gateway: gateway.apply(document, *options))
        return done["gw-a"]

    def wait_tunnels(self, seconds=10.0):
        """Waits until every host can send to every other; False when one cannot in time."""
        def complete(gateway):
            others = {*self.gateways, KERNEL_HOST} - {gateway.name}
            return wait_until(lambda: gateway.ready_peers() >= others, seconds, every=0.05)
        return all(self.each(complete).values())

    def cable(self, name):
        """The record of a switch port: `in` came from the station, `out` went to it."""
        return self.switch.ports()[name].recorder

    def forget(self):
        """Every ARP and MAC table is empty: the next packet starts with ARP and is flooded."""
        for space in self.spaces.values():
            run("ip", "-n", space, "neighbour", "flush", "dev", "eth0")
        self.switch.forget()
        self.kernel.forget()
        self.each(lambda gateway: gateway.cli("fdb", "flush", "--all"))

    def set_answers_arp(self, machine, answers):
        """Whether a machine's kernel answers ARP requests for its address."""
        with inside(self.spaces[machine]):
            write_sysctl("net/ipv4/conf/eth0/arp_ignore", 0 if answers else 8)

    def start_ping(self, source, target):
        """Pings once, in the background; the running process."""
        address = {**SERVERS, **MACHINES}[target][1]
        return self.lab.spawn(self.spaces[source], "ping", "-n", "-c", 1, "-W", 10, address,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def ping(self, source, target, count=1, wait=2):
        """Pings by name; the finished process."""
        address = {**SERVERS, **MACHINES}[target][1]
        return self.lab.execute(self.spaces[source], "ping", "-n", "-c", count, "-i", "0.1",
                                "-W", wait, address, check=False)


class Watch:
    """What crossed every wire of the network since now."""

    def __init__(self, network):
        fabric = network.fabric
        self.recorders = {**network.machines, "uplink": network.cable("uplink"),
                          "server1": network.cable("server1")}
        self.legs = {name: fabric.recorder(name) for name in fabric.legs}
        self._marks = {name: recorder.mark() for name, recorder in
                       {**self.recorders, **self.legs}.items()}

    def seen(self, name, wanted, direction=None):
        """The frames of one wire that `wanted(frame)` accepts."""
        return [frame for frame in self.recorders[name].since(self._marks[name], direction)
                if wanted(frame)]

    def first(self, name, wanted, direction, seconds=2.0):
        """The first of them, once there is one; or None in time."""
        return self.recorders[name].wait(wanted, seconds, self._marks[name], direction)

    def envelopes(self, direction, wanted):
        """{host: [Envelope]} of the tunnelled frames that a host sent (`in`) or was sent (`out`)."""
        found = {}
        for name, recorder in self.legs.items():
            envelopes = [frame.envelope() for frame in recorder.since(self._marks[name], direction)]
            found[name] = [envelope for envelope in envelopes
                           if envelope is not None and wanted(envelope.inner)]
        return found
