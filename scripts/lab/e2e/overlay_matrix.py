"""The long form of `overlay_transfer`, for `./scripts/soak overlay`: everything with everything."""

from .overlay import Overlay
from .overlay_transfer import OVERHEAD, OCTETS

UNDERLAYS = (1500, 1600, 9000)


def run(report, octets=OCTETS):
    """Every kind, underlay, inner IP version, direction and pair of stations; then jumbo inside."""
    for mtu in UNDERLAYS:
        report.title(f"Everything with everything, underlay of {mtu} octets")
        with Overlay(report, mtu=mtu, capture=False) as net:
            net.host("gw-a", 1, servers={"server": 1}, machines={"vm1": 101})
            net.host("cn-2", 2, machines={"vm2": 102})
            net.host("cn-3", 3, machines={"vm4": 104})
            net.zone["ipVersion"] = "ipv4"
            net.start()
            for (kind, family), overhead in OVERHEAD.items():
                net.zone |= {"kind": kind, "ipVersion": f"ipv{family}"}
                net.apply()
                for station in net.stations.values():
                    station.set_mtu(min(1500, mtu - overhead))
                    station.forget_neighbours()
                for one, other in (("server", "vm2"), ("vm2", "server"), ("vm1", "vm4"),
                                   ("vm4", "vm2")):
                    for inner in (4, 6):
                        _transfer(report, net, f"{kind} over IPv{family}", one, other, inner, octets)
                net.balanced()


def _transfer(report, net, name, one, other, inner, octets):
    equal, rate, why = net.transfer(net.stations[one], net.stations[other], octets, inner)
    report.check(f"{name}, underlay {net.mtu}: {octets / 1e6:.0f} MB over IPv{inner} from {one} to "
                 f"{other} arrive with the same SHA-256 ({rate * 8 / 1e6:.0f} Mbit/s)", equal, why)
