"""Oversize packets: nobody is left wondering where they went."""

import re

from ..netns import wait_until
from .overlay import Overlay
from .overlay_transfer import OVERHEAD

MSS_LESS = {4: 40, 6: 60}


def run(report):
    report.title("Oversize packets and an underlay of 1500 octets")
    with Overlay(report) as net:
        net.host("gw-a", 1, servers={"server": 1}, machines={"vm1": 101})
        net.host("cn-2", 2, machines={"vm2": 102})
        net.zone["ipVersion"] = "ipv4"
        net.start()
        for kind, family in OVERHEAD:
            net.zone |= {"kind": kind, "ipVersion": f"ipv{family}"}
            net.apply()
            _told(report, net, f"{kind.upper()} over IPv{family}", 1500 - OVERHEAD[kind, family])
        net.zone |= {"kind": "vxlan", "ipVersion": "ipv4"}
        _discovered(report, net)
        _clamped(report, net)
        net.balanced()
    _shrunk(report)


def _told(report, net, name, mtu):
    """ping that may not be fragmented gets the ICMP error with the MTU, from both sides."""
    status = net.gateways["cn-2"].cli("status", check=False).stdout
    report.check(f"{name}: `sluice status` shows the effective MTU of bridge web, {mtu}",
                 str(mtu) in status, status)
    pairs = (("vm2", "server"), ("server", "vm2"), ("vm1", "vm2"))
    for source, target in pairs:
        one, other = net.stations[source], net.stations[target]
        for family, header in ((4, 28), (6, 48)):
            _known(net, one, other, family)
            fits = one.ping(other, "-M", "do", "-s", mtu - header, family=family, count=2)
            _forget_path(one)
            over = one.ping(other, "-M", "do", "-s", mtu - header + 1, family=family, wait=1)
            said = re.search(r"(?:Frag needed and DF set \(mtu = |Packet too big: mtu=)(\d+)",
                             over.stdout)
            report.check(f"{name}: IPv{family} packets of {mtu} octets pass from {source} to {target}; "
                         "one octet more gets the ICMP error with that MTU",
                         fits.returncode == 0 and said is not None and int(said[1]) == mtu,
                         fits.stdout + over.stdout)
            _forget_path(one)


def _known(net, one, other, family=4):
    """Both are known to every host: about a frame that is flooded nobody is told anything."""
    one.ping(other, family=family, count=2)
    macs = {one.mac, other.mac}
    wait_until(lambda: all(macs <= {entry["mac"] for entry in gateway.macs()}
                           for gateway in net.gateways.values()), 2)
    _forget_path(one)


def _forget_path(station):
    """Forgets what ICMP errors told a station."""
    for family in ("-4", "-6"):
        station.lab.execute(station.namespace, "ip", family, "route", "flush", "cache", check=False)


def _discovered(report, net):
    """TCP at 1500 octets finds the MTU by those errors alone."""
    net.apply()
    server, machine = net.stations["server"], net.stations["vm2"]
    for one, other, family in ((server, machine, 4), (machine, server, 6)):
        _forget_path(one)
        equal, rate, why = net.transfer(one, other, 20_000_000, family)
        report.check(f"20 MB over IPv{family} from {one.name} to {other.name}, both with an MTU of "
                     f"1500, arrive by path MTU discovery ({rate * 8 / 1e6:.0f} Mbit/s)", equal, why)
        _forget_path(one)


def _clamped(report, net):
    """The MSS option in the segments that open a connection."""
    server, machine = net.stations["server"], net.stations["vm2"]
    for clamp, mtu in ((False, 1500), (True, 1500 - OVERHEAD["vxlan", 4])):
        net.bridge["mssClamp"] = clamp
        net.apply()
        for family in (4, 6):
            _forget_path(server)
            _forget_path(machine)
            marks = {station: station.recorder.mark() for station in (server, machine)}
            equal, _, why = net.transfer(server, machine, 100_000, family)
            want = mtu - MSS_LESS[family]

            def seen():
                return {station.name: _mss(station.recorder.since(marks[station], "in"))
                        for station in (server, machine)}
            arrived = wait_until(lambda: all(seen().values()), 2)
            report.check(f"mssClamp {'on' if clamp else 'off'}: both ends of an IPv{family} "
                         f"connection are offered segments of {want} octets", arrived and equal
                         and set(seen().values()) == {(want,)}, f"{seen()} {why}")
    net.bridge["mssClamp"] = False
    net.apply()


def _shrunk(report):
    """A router on the way takes less than the links of the hosts."""
    report.title("A path that carries less than its ends")
    with Overlay(report, mtu=1600) as net:
        net.host("gw-a", 1, machines={"vm1": 101})
        # From gw-a the router says so; towards it, what is too long vanishes without a word.
        net.host("cn-2", 2, machines={"vm2": 102}, narrow=1400)
        net.zone["ipVersion"] = "ipv4"
        net.start()
        for name, peer, seconds in (("gw-a", "cn-2", 15), ("cn-2", "gw-a", 45)):
            gateway = net.gateways[name]

            def measured():
                return gateway.peers()[peer].get("mtu")
            found = wait_until(lambda: measured() == 1400, seconds, every=0.2)
            how = "a router's word" if name == "gw-a" else "probes, since the router says nothing"
            report.check(f"{name} finds the 1400 octets to {peer} by {how}", found,
                         gateway.peers()[peer])
            status = gateway.cli("status", "-o", "json", check=False).stdout
            report.check(f"`sluice status` of {name} warns that ports take more than the tunnel",
                         wait_until(lambda: "PATH_MTU" in gateway.cli(
                             "status", "-o", "json", check=False).stdout, 3), status)
        one, other = net.stations["vm2"], net.stations["vm1"]
        _known(net, one, other)
        over = one.ping(other, "-M", "do", "-s", 1350 - 28 + 1, wait=1)
        report.check("a machine that sends more is told what fits",
                     "Frag needed and DF set (mtu = 1350)" in over.stdout, over.stdout)
        _forget_path(one)
        equal, rate, why = net.transfer(one, other, 10_000_000)
        report.check(f"10 MB across it arrive with the same SHA-256 ({rate * 8 / 1e6:.0f} Mbit/s)",
                     equal, why)
        net.balanced()


def _mss(frames):
    """The MSS options of the SYN segments among frames."""
    found = set()
    for frame in frames:
        at = {0x0800: 20, 0x86DD: 40}.get(frame.ethertype)
        payload = frame.payload
        if at is None or len(payload) < at + 24 or payload[9 if at == 20 else 6] != 6 \
                or not payload[at + 13] & 0x02:
            continue
        if payload[at + 20:at + 22] == b"\x02\x04":  # the kernel puts it first
            found.add(int.from_bytes(payload[at + 22:at + 24], "big"))
    return tuple(sorted(found))
