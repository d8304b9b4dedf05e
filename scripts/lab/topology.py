"""The network of the demo: who is cabled to what, and the site documents of its three stages."""

import subprocess

from .capture import Port
from .gateway import Gateway
from .netns import inside, run, write_sysctl
from .switch import Access, Switch, Trunk

SERVERS = {  # name: (VLAN, address, MAC)
    "server1": (10, "10.0.10.1", "52:54:00:00:10:01"),
    "server2": (20, "10.0.20.1", "52:54:00:00:20:01"),
    "server3": (30, "10.0.30.1", "52:54:00:00:30:01"),
}
MACHINES = {  # name: (bridge, address, MAC)
    "vm1": ("web", "10.0.10.101", "52:54:00:00:00:01"),
    "vm2": ("web", "10.0.10.102", "52:54:00:00:00:02"),
    "vm3": ("web", "10.0.10.103", "52:54:00:00:00:03"),
    "vm4": ("db", "10.0.20.104", "52:54:00:00:00:04"),
}
UPLINK_TRUNK = Trunk(frozenset({10, 20, 30}))

PICTURE = """\
 server1      server2      server3                    kernel stacks, one namespace each
 VLAN 10      VLAN 20      VLAN 30
    |            |            |
 +--+------------+------------+--+
 |  802.1Q switch                |                    user space, on tap devices
 +--------------+----------------+
                | first an access port of VLAN 10, then a trunk
              eth1
 +--------------+----------------+
 |  sluiced (gw-a)               |                    DPDK on af_packet
 |   bridge web        bridge db |
 +---+------+------+--------+----+
    vm1    vm2    vm3      vm4
     |      |      |        |
    vm1    vm2    vm3      vm4                        kernel stacks, one namespace each
"""

NOTHING = "hosts:\n  - {name: gw-a}\n"

WALK1 = """\
hosts:
  - {name: gw-a}
bridges:
  - {name: web}
accessPorts:
  - {name: p1, bridge: web, host: gw-a, interface: vm1}
  - {name: p2, bridge: web, host: gw-a, interface: vm2}
  - {name: p3, bridge: web, host: gw-a, interface: vm3}
  - {name: p4, bridge: web, host: gw-a, interface: eth1}
"""

WALK2 = """\
hosts:
  - {name: gw-a}
bridges:
  - {name: web}
gatewayBridges:
  - {name: gw}
trunks:
  - {name: trunk0, gatewayBridge: gw, host: gw-a, interface: eth1}
vlanLinks:
  - {gatewayBridge: gw, vid: 10, bridge: web}
accessPorts:
  - {name: p1, bridge: web, host: gw-a, interface: vm1}
  - {name: p2, bridge: web, host: gw-a, interface: vm2}
  - {name: p3, bridge: web, host: gw-a, interface: vm3}
"""

VLAN20 = """\
bridges:
  - {name: db}
vlanLinks:
  - {gatewayBridge: gw, vid: 20, bridge: db}
accessPorts:
  - {name: p5, bridge: db, host: gw-a, interface: vm4}
"""


class Network:
    """Everything of the picture, cabled up; the daemon is not started yet."""

    def __init__(self, lab):
        self.lab = lab
        self.switch = Switch(lab)
        self.spaces = {}
        self.machines = {}
        gateway_space = lab.namespace("gw")
        for name, (vid, address, mac) in SERVERS.items():
            space = self.spaces[name] = lab.namespace(name)
            self.switch.add_port(name, Access(vid), space, "eth0", mac)
            run("ip", "-n", space, "address", "add", f"{address}/24", "dev", "eth0")
            with inside(space):  # ask again soon, and for long
                write_sysctl("net/ipv4/neigh/eth0/retrans_time_ms", 300)
                write_sysctl("net/ipv4/neigh/eth0/mcast_solicit", 30)
        self.switch.add_port("uplink", Access(10), gateway_space, "eth1")
        for name, (_, address, mac) in MACHINES.items():
            space = self.spaces[name] = lab.namespace(name)
            lab.veth((gateway_space, name), (space, "eth0"))
            run("ip", "-n", space, "link", "set", "eth0", "address", mac)
            run("ip", "-n", space, "address", "add", f"{address}/24", "dev", "eth0")
            port = Port(space, "eth0", lab.path(f"{name}.pcap"), both_directions=True)
            self.machines[name] = port.recorder
            lab.on_close(port.close)
        interfaces = {name: {"kind": "af_packet"} for name in ("eth1", *MACHINES)}
        self.gateway = Gateway(lab, gateway_space, interfaces)

    def cable(self, name):
        """The record of a switch port: `in` came from the station, `out` went to it."""
        return self.switch.ports()[name].recorder

    def forget_neighbours(self):
        """Empties every ARP table and the switch's MAC table: the next packet starts with ARP."""
        for space in self.spaces.values():
            run("ip", "-n", space, "neighbour", "flush", "dev", "eth0")
        self.switch.forget()

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
