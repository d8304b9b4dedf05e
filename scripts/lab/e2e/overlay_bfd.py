"""Peers that die and come back: BFD between hosts, and with FRR's bfdd."""

import time

from ..foreign import Frr
from ..netns import wait_until
from .overlay import Overlay


def run(report):
    _hosts(report)
    _frr(report, routed=False)
    _frr(report, routed=True)


def _copies(net, source, wanted):
    """{peer: encapsulated copies} on the cables of the other hosts of a broadcast by a station."""
    marks = {name: net.fabric.recorder(name).mark() for name in net.legs}
    station = net.stations[source]
    station.forget_neighbours()
    station.ping("10.0.10.250", wait=0.3)

    def seen():
        return {name: len([frame for frame in net.fabric.recorder(name).since(marks[name], "out")
                           if (envelope := frame.envelope())
                           and envelope.inner.source == station.mac]) for name in net.legs}
    wait_until(lambda: {name for name, count in seen().items() if count} == set(wanted), 1)
    return {name for name, count in seen().items() if count}


def _hosts(report):
    """A host is killed: without it at once; it returns: with it again."""
    report.title("A host that dies and comes back")
    with Overlay(report, mtu=1600) as net:
        net.host("gw-a", 1, machines={"vm1": 101})
        net.host("cn-2", 2, machines={"vm2": 102})
        net.host("cn-3", 3, machines={"vm4": 104})
        net.zone["bfd"] = {"interval": "200ms", "multiplier": 3}
        net.start()
        gateway, victim = net.gateways["gw-a"], net.gateways["cn-3"]
        vm1, vm2, vm4 = (net.stations[name] for name in ("vm1", "vm2", "vm4"))
        report.check("before: vm1 reaches vm2 and vm4", vm1.reaches(vm2, count=2)
                     and vm1.reaches(vm4, count=2))
        report.check("before: gw-a knows vm4 behind @cn-3",
                     gateway.wait_mac(vm4.mac, "@cn-3") is not None)
        report.check("before: a broadcast goes to both other hosts",
                     _copies(net, "vm1", {"cn-2", "cn-3"}) == {"cn-2", "cn-3"})
        victim.kill()
        began = time.monotonic()
        down = gateway.wait_peers("cn-3", state="STATE_DOWN", seconds=5)
        took = time.monotonic() - began
        report.check(f"cn-3 is killed: gw-a says that the peer is down, {took:.1f} s later", down,
                     gateway.cli("tunnels", check=False).stdout)
        report.check("what was learned behind it is forgotten",
                     wait_until(lambda: not [entry for entry in gateway.macs()
                                             if entry["port"] == "@cn-3"], 2), gateway.macs())
        report.check("a broadcast goes to the other host only",
                     _copies(net, "vm1", {"cn-2"}) == {"cn-2"})
        status = gateway.cli("status", check=False)
        report.check("`sluice status` names the tunnel that is down, with exit code 12",
                     status.returncode == 12 and "cn-3" in status.stdout, status.stdout)
        report.check("the other tunnel does not notice", vm1.reaches(vm2, count=3))
        victim.restart()
        report.check("it comes back: the peer is up again",
                     gateway.wait_peers("cn-3", seconds=15)
                     and net.gateways["cn-2"].wait_peers("cn-3", seconds=5),
                     gateway.cli("tunnels", check=False).stdout)
        report.check("a broadcast goes to both again",
                     _copies(net, "vm1", {"cn-2", "cn-3"}) == {"cn-2", "cn-3"})
        report.check("and vm1 reaches vm4", wait_until(lambda: vm1.reaches(vm4), 5))
        _cable(report, net)
        net.balanced()


def _cable(report, net):
    """The cable of a host is cut, which neither side's link shows to the other."""
    gateway, victim = net.gateways["gw-a"], net.gateways["cn-3"]
    net.fabric.set_link("cn-3", False)
    report.check("a cut cable on the other side: the peer is down",
                 gateway.wait_peers("cn-3", state="STATE_DOWN", seconds=5),
                 gateway.cli("tunnels", check=False).stdout)
    net.fabric.set_link("cn-3", True)
    report.check("mended: both see each other again",
                 gateway.wait_peers("cn-3", seconds=15) and victim.wait_peers("gw-a", seconds=15),
                 gateway.cli("tunnels", check=False).stdout)


def _frr(report, routed):
    """A foreign endpoint that FRR's bfdd watches over, and that watches us."""
    kind = "multihop, RFC 5883" if routed else "single hop, RFC 5881"
    report.title(f"BFD with FRR's bfdd ({kind})")
    with Overlay(report, routed=routed, mtu=1600) as net:
        leg = net.host("gw-a", 1, machines={"vm1": 101})
        bridge = net.kernel("k-4", 4, {"vm5": 105})
        bridge.add_remote(leg.v4)
        far = net.legs["k-4"]
        frr = Frr(net.lab, far.namespace)
        line = Frr.session(leg.v4, far.v4, None if routed else "up0", routed)
        settings = {"multihop": routed, "interface": None if routed else "up0", "interval": 100}
        frr.add_peer(leg.v4, far.v4, **settings)
        net.foreign("k-4", bfd={"interval": "100ms", "multiplier": 3})
        net.start()
        gateway, vm1, vm5 = net.gateways["gw-a"], net.stations["vm1"], net.stations["vm5"]
        report.check("FRR says that the session is up", frr.wait_up(), frr.peers())
        peer = gateway.peers().get("k-4", {})
        report.check("and so does `sluice tunnels`", wait_until(
            lambda: gateway.peers()["k-4"].get("bfd", {}).get("state") == "up", 3), peer)
        report.check("vm1 pings vm5", vm1.reaches(vm5, count=3, wait=3))
        frr.kill()
        began = time.monotonic()
        down = gateway.wait_peers("k-4", state="STATE_DOWN", seconds=5)
        report.check(f"bfdd is killed: the peer is down {time.monotonic() - began:.1f} s later, its "
                     "stations are forgotten and nothing is sent to it", down and wait_until(
                         lambda: not [entry for entry in gateway.macs()
                                      if entry["port"] == "@k-4"], 2)
                     and _copies(net, "vm1", set()) == set(), gateway.cli("tunnels").stdout)
        frr.start("bfdd")
        frr.add_peer(leg.v4, far.v4, **settings)
        report.check("it returns: both sides are up, and vm1 pings vm5",
                     frr.wait_up() and gateway.wait_peers("k-4") and wait_until(
                         lambda: vm1.reaches(vm5), 5), frr.peers())
        frr.tell("configure terminal", "bfd", line, "shutdown")
        report.check("FRR's session is shut down by its administrator: the peer is down",
                     gateway.wait_peers("k-4", state="STATE_DOWN", seconds=5),
                     gateway.cli("tunnels", check=False).stdout)
        frr.tell("configure terminal", "bfd", line, "no shutdown")
        report.check("and up again", frr.wait_up() and gateway.wait_peers("k-4"), frr.peers())
        gateway.kill()
        report.check("sluiced is killed: FRR says that the session is down", frr.wait_up(False, 5),
                     frr.peers())
        gateway.restart()
        report.check("sluiced is started again: FRR says that it is up", frr.wait_up(seconds=15),
                     frr.peers())
        net.ready()
        net.balanced()
