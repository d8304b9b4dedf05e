"""Two hosts with trunks to one physical network: one of them forwards each VLAN, and nothing loops."""

from ..netns import wait_until
from ..wire import BROADCAST
from .overlay import VID, Overlay

NOBODY = "10.0.10.250"


def run(report):
    report.title("Trunks of two hosts into one physical network")
    with Overlay(report, mtu=1600) as net:
        net.host("gw-a", 1, servers={"server": 1}, machines={"vm1": 101})
        net.host("gw-b", 2, trunk=True, machines={"vm3": 103})
        net.host("cn-2", 3, machines={"vm2": 102})
        net.start()
        server = net.stations["server"]
        machines = [net.stations[name] for name in ("vm1", "vm2", "vm3")]
        for machine in machines:
            done = server.ping(machine, count=3, wait=3)
            report.check(f"server pings {machine.name}, and no answer comes twice",
                         " 0% packet loss" in done.stdout and "DUP" not in done.stdout, done.stdout)
        for source in (server, *machines):
            _once(report, net, source)
        _by_tunnel(report, net)
        net.balanced()


def _asks(station):
    """Whether a frame is this station's question for an address that nobody has."""
    return lambda frame: (frame.is_arp_request(station.v4, NOBODY)
                          and frame.destination == BROADCAST)


def _once(report, net, source):
    """A broadcast is everywhere once: at each machine, and on the physical network."""
    wanted = _asks(source)
    others = {name: station.recorder for name, station in net.stations.items()
              if station is not source}
    marks = {name: recorder.mark() for name, recorder in {**others, "own": source.recorder}.items()}
    source.ping(NOBODY, wait=0.3)

    def counts():
        return {name: len([frame for frame in recorder.since(marks[name], "in") if wanted(frame)])
                for name, recorder in others.items()}

    def asked():
        return len([frame for frame in source.recorder.since(marks["own"], "out") if wanted(frame)])

    def returned():
        return len([frame for frame in source.recorder.since(marks["own"], "in") if wanted(frame)])

    complete = wait_until(lambda: asked() > 0 and set(counts().values()) == {asked()}, 2)
    report.check(f"a broadcast of {source.name} is once at every other station, and does not return",
                 complete and returned() == 0,
                 f"{asked()} asked, seen {counts()}, returned {returned()}")


def _by_tunnel(report, net):
    """F8: a machine beside the trunk that does not forward reaches the server by the other host."""
    gateway, server, machine = net.gateways["gw-b"], net.stations["server"], net.stations["vm3"]
    entry = gateway.wait_mac(server.mac, "@gw-a")
    report.check("F8: gw-b knows the server behind @gw-a, whose trunk forwards VLAN "
                 f"{VID}, not behind its own", entry is not None, gateway.macs())
    standby = net.switch.ports()["to-gw-b"].recorder
    mark = standby.mark()
    done = machine.ping(server, count=5)
    sent = [str(frame) for frame in standby.since(mark, "in")]
    report.check("F8: vm3 beside it pings the server, and nothing leaves by the standby trunk",
                 done.returncode == 0 and not sent, done.stdout + "\n".join(sent[:3]))
    report.check("what the physical network floods to the standby trunk is dropped as trunk_standby",
                 ("trunk_standby", "trunk1") in gateway.drops(), gateway.drops())
