"""Ping and bulk TCP between a server in a VLAN and a machine behind a tunnel."""

from .overlay import Overlay

OCTETS = 100_000_000
# What an encapsulated packet has around the inner packet: outer IP, UDP and VXLAN or GRE with key,
# inner Ethernet.
OVERHEAD = {("vxlan", 4): 50, ("vxlan", 6): 70, ("gre", 4): 42, ("gre", 6): 62}
JUMBO = 9000


def run(report, combinations=None, octets=OCTETS):
    """Every kind and IP version, over an underlay of 1500 octets and one of 9000."""
    for mtu in (1500, JUMBO):
        report.title(f"Server and machine across VLAN and tunnel, underlay of {mtu} octets")
        with Overlay(report, mtu=mtu, capture=False) as net:
            net.host("gw-a", 1, servers={"server": 1})
            net.host("cn-2", 2, machines={"vm2": 102})
            net.zone["ipVersion"] = "ipv4"
            net.start()
            for kind, family in combinations or OVERHEAD:
                _combination(report, net, kind, family, octets)


def _combination(report, net, kind, family, octets):
    net.zone |= {"kind": kind, "ipVersion": f"ipv{family}"}
    net.apply()
    server, machine = net.stations["server"], net.stations["vm2"]
    inner = min(1500, net.mtu - OVERHEAD[kind, family])
    for station in (server, machine):
        station.set_mtu(inner)
        station.forget_neighbours()
    name = f"{kind.upper() if kind == 'gre' else 'VXLAN'} over IPv{family}"
    full = inner - 28
    pinged = [one.ping(other, "-M", "do", "-s", full, count=3, wait=3)
              for one, other in ((server, machine), (machine, server))]
    report.check(f"{name}: pings that fill the {inner} octets of the inner MTU are answered both "
                 "ways", all(" 0% packet loss" in done.stdout for done in pinged),
                 "".join(done.stdout for done in pinged))
    for one, other in ((server, machine), (machine, server)):
        equal, rate, why = net.transfer(one, other, octets)
        report.check(f"{name}: {octets / 1e6:.0f} MB from {one.name} to {other.name} arrive with "
                     f"the same SHA-256 ({rate * 8 / 1e6:.0f} Mbit/s)", equal, why)
    net.balanced(f"{name}: the accounting difference is 0 on both hosts")
