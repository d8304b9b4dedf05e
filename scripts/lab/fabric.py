"""The IP fabric that joins hosts, and the kernel stacks that sit on it.

Two shapes. Routed: a router with one leg per host, each leg a network of its own; every packet
between hosts passes the router's forwarding, so the kernel checks its IP header, and hosts need a
route. Segment: one Ethernet segment, on which hosts reach each other directly. What crosses a leg is
captured at the fabric's end of it.
"""

import dataclasses

from .capture import Port
from .netns import inside, run, write_sysctl

SEGMENT = 0  # the third octet of the addresses of a segment
ROUTER = 254  # the last octet of the fabric's own addresses


@dataclasses.dataclass(frozen=True)
class Leg:
    """The place of one host on the fabric: addresses, and where its cable ends."""

    name: str
    number: int
    namespace: str
    device: str
    v4: str
    v6: str
    router4: str
    router6: str
    routed: bool

    @property
    def prefixes(self):
        """Its addresses with the prefix lengths of the link."""
        return (f"{self.v4}/24", f"{self.v6}/64")

    def address(self, family):
        """Its address: family is 4 or 6."""
        return self.v4 if family == 4 else self.v6

    def router(self, family):
        """The fabric's own address on its link."""
        return self.router4 if family == 4 else self.router6

    def host(self, vlan=None, kernel=None, routes=True):
        """The host object of a site document."""
        link = {"interface": self.device, "addresses": list(self.prefixes)}
        link |= {"vlan": vlan} if vlan else {}
        link |= {"kernel": kernel} if kernel else {}
        host = {"name": self.name, "vtep": [self.v4, self.v6], "underlay": [link]}
        if routes and self.routed:
            host["routes"] = [{"to": "0.0.0.0/0", "via": [self.router4]},
                              {"to": "::/0", "via": [self.router6]}]
        return host


class Fabric:
    """The fabric: a namespace that routes between its legs, or bridges them."""

    def __init__(self, lab, routed=True, mtu=1500, name="fabric"):
        self.lab = lab
        self.routed = routed
        self.mtu = mtu
        self.space = lab.namespace(name)
        self.legs = {}
        self._ports = {}
        with inside(self.space):
            write_sysctl("net/ipv4/ip_forward", 1)
            write_sysctl("net/ipv6/conf/all/forwarding", 1)
            write_sysctl("net/ipv4/icmp_ratelimit", 0)
        if not routed:
            run("ip", "-n", self.space, "link", "add", "name", "segment", "mtu", mtu, "type",
                "bridge", "mcast_snooping", 0)
            run("ip", "-n", self.space, "link", "set", "segment", "up")
            self._give_addresses("segment", SEGMENT)

    def _give_addresses(self, device, network):
        enable_ipv6(self.space, device, forwarding=True)
        add_address(self.space, device, f"10.255.{network}.{ROUTER}/24")
        add_address(self.space, device, f"fd00:255:{network}::{ROUTER}/64")

    def place(self, name, number, namespace, device="up0"):
        """The addresses that a host has here, without a cable."""
        network, own = (number, 1) if self.routed else (SEGMENT, number)
        return Leg(name, number, namespace, device,
                   v4=f"10.255.{network}.{own}", v6=f"fd00:255:{network}::{own}",
                   router4=f"10.255.{network}.{ROUTER}", router6=f"fd00:255:{network}::{ROUTER}",
                   routed=self.routed)

    def attach(self, name, number, namespace, device="up0", mtu=None, capture=True, narrow=None):
        """Lays the cable of a host; `number` is 1 to 200, its network or its place in the segment.

        `narrow` puts a switch between host and fabric, and gives the fabric's end that MTU: what is
        longer vanishes on its way to the fabric, and is refused with an ICMP error the other way.
        """
        leg = self.place(name, number, namespace, device)
        if narrow:
            self._narrow(name, namespace, device, mtu or self.mtu, narrow)
        else:
            self.lab.veth((namespace, device), (self.space, name), mtu or self.mtu)
        if self.routed:
            self._give_addresses(name, number)
        else:
            run("ip", "-n", self.space, "link", "set", name, "master", "segment")
        self.legs[name] = leg
        if capture:
            port = self._ports[name] = Port(self.space, name, self.lab.path(f"fabric-{name}.pcap"),
                                            both_directions=True)
            self.lab.on_close(port.close)
        return leg

    def _narrow(self, name, namespace, device, mtu, narrow):
        between = self.lab.namespace(f"{name}-switch")
        run("ip", "-n", between, "link", "add", "name", "switch", "mtu", mtu, "type", "bridge",
            "mcast_snooping", 0)
        run("ip", "-n", between, "link", "set", "switch", "up")
        self.lab.veth((namespace, device), (between, "host"), mtu)
        self.lab.veth((between, "fabric"), (self.space, name), mtu)
        for port in ("host", "fabric"):
            run("ip", "-n", between, "link", "set", port, "master", "switch")
        run("ip", "-n", self.space, "link", "set", name, "mtu", narrow)

    def recorder(self, name):
        """What crossed the cable of a host: `in` is what the host sent, `out` what it was sent."""
        return self._ports[name].recorder

    def port(self, name):
        """The fabric's end of the cable of a host."""
        return self._ports[name]

    def pcap(self, name):
        """The capture file of a leg."""
        return self.lab.path(f"fabric-{name}.pcap")

    def set_link(self, name, up):
        """Pulls the cable of a host, or plugs it in."""
        run("ip", "-n", self.space, "link", "set", name, "up" if up else "down")

    def kernel_host(self, name, number, device="up0", mtu=None, capture=True):
        """A host whose own kernel speaks IP on the fabric."""
        namespace = self.lab.namespace(name)
        leg = self.attach(name, number, namespace, device, mtu, capture)
        join(leg)
        return leg


def join(leg, device=None):
    """Gives a host's kernel its addresses on the fabric, and the way to the others."""
    device = device or leg.device
    enable_ipv6(leg.namespace, device)
    for prefix in leg.prefixes:
        add_address(leg.namespace, device, prefix)
    if leg.routed:
        for router in (leg.router4, leg.router6):
            run("ip", "-n", leg.namespace, "route", "add", "default", "via", router)


def add_address(namespace, device, prefix):
    """An address that is usable at once (no duplicate address detection)."""
    options = ["nodad"] if ":" in prefix else []
    run("ip", "-n", namespace, "address", "add", prefix, "dev", device, *options)


def enable_ipv6(namespace, device, forwarding=False):
    """IPv6 on one device, with the addresses that it is given and no others.

    A router has a link-local address besides: it solicits neighbours from that.
    """
    with inside(namespace):
        base = f"net/ipv6/conf/{device}"
        write_sysctl(f"{base}/addr_gen_mode", 0 if forwarding else 1)
        write_sysctl(f"{base}/accept_dad", 0)
        write_sysctl(f"{base}/router_solicitations", 0)
        write_sysctl(f"{base}/accept_ra", 0)
        write_sysctl(f"{base}/disable_ipv6", 0)
        if forwarding:
            write_sysctl(f"{base}/forwarding", 1)


class Station:
    """A machine or server of the overlay: one kernel stack, addresses, and a capture of its device."""

    def __init__(self, lab, name, number, namespace, device="eth0", network=10, capture=True):
        """`number` is the last octet of its addresses; its device exists already."""
        self.lab = lab
        self.name = name
        self.namespace = namespace
        self.device = device
        self.v4 = f"10.0.{network}.{number}"
        self.v6 = f"fd00:0:{network}::{number}"
        self.mac = device_mac(namespace, device)
        enable_ipv6(namespace, device)
        add_address(namespace, device, f"{self.v4}/24")
        add_address(namespace, device, f"{self.v6}/64")
        self.recorder = None
        if capture:
            port = Port(namespace, device, lab.path(f"{name}.pcap"), both_directions=True)
            lab.on_close(port.close)
            self.recorder = port.recorder

    def address(self, family=4):
        return self.v4 if family == 4 else self.v6

    def ping(self, other, *options, family=4, count=1, wait=2, check=False):
        """Pings another station, or an address; the finished process."""
        target = other if isinstance(other, str) else other.address(family)
        return self.lab.execute(self.namespace, "ping", "-n", "-c", count, "-i", "0.1", "-W", wait,
                                *options, target, check=check)

    def reaches(self, other, *options, **settings):
        """Whether a ping is answered."""
        return self.ping(other, *options, **settings).returncode == 0

    def forget_neighbours(self):
        """Empties its neighbour tables: the next packet starts with a request."""
        for family in ("-4", "-6"):
            run("ip", family, "-n", self.namespace, "neighbour", "flush", "dev", self.device)

    def set_mtu(self, mtu):
        run("ip", "-n", self.namespace, "link", "set", self.device, "mtu", mtu)


def device_mac(namespace, device):
    """The hardware address of a device."""
    shown = run("ip", "-n", namespace, "-o", "link", "show", "dev", device).stdout.split()
    return shown[shown.index("link/ether") + 1]
