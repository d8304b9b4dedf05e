"""Foreign endpoints: the kernel's VXLAN device, Open vSwitch with VXLAN and with GRE."""

from ..netns import wait_until
from .judge import tshark_fields
from .overlay import VNI, Overlay


def run(report):
    _kernel(report)
    _open_vswitch(report, "vxlan")
    _open_vswitch(report, "gre")


def _hosts(report):
    """Two hosts of ours: gw-a with the server and vm1, cn-2 with vm2, whose cable is the witness."""
    net = Overlay(report, mtu=1600)
    net.host("gw-a", 1, machines={"vm1": 101}, servers={"server": 1})
    net.host("cn-2", 2, machines={"vm2": 102})
    return net


def _kernel(report):
    for family in (4, 6):
        report.title(f"The kernel's bridge and VXLAN device over IPv{family}")
        with _hosts(report) as net:
            bridge = net.kernel("k-4", 4, {"vm5": 105}, family=family)
            for name in ("gw-a", "cn-2"):
                bridge.add_remote(net.legs[name].address(family))
            net.zone["ipVersion"] = f"ipv{family}"
            net.foreign("k-4", family)
            net.start()
            _both_ways(report, net, "k-4", lambda: bridge.learned(),
                       net.legs["gw-a"].address(family))
            _judged(report, net, "k-4", "vxlan", family)
            net.balanced()


def _open_vswitch(report, kind):
    for family in (4, 6):
        report.title(f"Open vSwitch with a {kind.upper()} port over IPv{family}")
        with _hosts(report) as net:
            switch = net.open_vswitch("ovs", 5, {"vm5": 105})
            for name in ("gw-a", "cn-2"):
                switch.add_tunnel("web", f"to-{name}", kind, net.legs[name].address(family), VNI)
            # Ours does not flood from tunnel to tunnel, and neither may the other side: it is told so
            # as an operator would, by a rule for each tunnel.
            _split_horizon(switch)
            net.zone |= {"kind": kind, "ipVersion": f"ipv{family}"}
            net.foreign("ovs", family)
            net.start()
            _both_ways(report, net, "ovs", lambda: switch.learned("web"), "to-gw-a")
            _judged(report, net, "ovs", kind, family)
            net.balanced()


def _split_horizon(switch):
    """Both tunnels are protected ports: nothing goes from one to the other."""
    for name in ("gw-a", "cn-2"):
        switch.vsctl("set", "port", f"to-{name}", "protected=true")


def _both_ways(report, net, name, learned, where):
    """Ping between both sides, what each learned, and that unicast is not flooded any more."""
    gateway, far = net.gateways["gw-a"], net.stations["vm5"]
    for station in ("server", "vm1", "vm2"):
        done = net.stations[station].ping(far, count=3, wait=3)
        report.check(f"{station} pings vm5 behind {name}", done.returncode == 0, done.stdout)
    done = far.ping(net.stations["server"], count=3, wait=3)
    report.check("vm5 pings server", done.returncode == 0, done.stdout)
    entry = gateway.wait_mac(far.mac, f"@{name}")
    report.check(f"gw-a has learned vm5 behind @{name}", entry is not None, gateway.macs())
    server = net.stations["server"]
    report.check(f"{name} has learned server and vm1 behind gw-a", wait_until(
        lambda: all(learned().get(station.mac) == where
                    for station in (server, net.stations["vm1"])), 2), learned())
    witness = net.fabric.recorder("cn-2")
    mark, count = witness.mark(), 20
    done = server.ping(far, count=count)
    back = far.ping(server, count=count)

    def stray():
        envelopes = (frame.envelope() for frame in witness.since(mark))
        return [str(envelope) for envelope in envelopes if envelope
                and {envelope.inner.source, envelope.inner.destination} == {server.mac, far.mac}]

    report.check(f"after learning, {2 * count} pings between server and vm5 are answered and not "
                 "one of their frames is on the cable of cn-2",
                 done.returncode == back.returncode == 0 and not stray(), stray()[:5])
    equal, rate, why = net.transfer(server, far, 5_000_000)
    report.check(f"5 MB from server to vm5 arrive with the same SHA-256 ({rate * 8 / 1e6:.0f} "
                 "Mbit/s)", equal, why)
    equal, rate, why = net.transfer(far, server, 5_000_000)
    report.check(f"5 MB from vm5 to server arrive with the same SHA-256 ({rate * 8 / 1e6:.0f} "
                 "Mbit/s)", equal, why)


def _judged(report, net, name, kind, family):
    """tshark reads what crossed the cable of the foreign endpoint."""
    number = {"vxlan": "vxlan.vni", "gre": "gre.key"}[kind]
    protocol = {4: "ip", 6: "ipv6"}[family]
    ours = net.legs["gw-a"].address(family)
    rows = tshark_fields(net.fabric.pcap(name), f"{protocol}.src", number, "_ws.malformed",
                         "frame.protocols")
    tunnelled = [row for row in rows if row[0].split(",")[0] == ours and row[1]]
    numbers = {int(row[1], 0) for row in tunnelled}
    broken = [row for row in tunnelled if row[2]]
    report.check(f"tshark finds every frame from gw-a towards {name} well formed, with key {VNI}",
                 len(tunnelled) > 100 and numbers == {VNI} and not broken,
                 f"{len(tunnelled)} frames, keys {numbers}, malformed {broken[:3]}")
