"""Hosts, kernel stacks and foreign endpoints on one fabric, and the site document that joins them."""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from ..fabric import Fabric, Station, join
from ..foreign import KernelBridge, OpenVswitch
from ..gateway import Gateway
from ..netns import Lab, wait_until
from ..switch import Access, Switch, Trunk

VID, VNI = 10, 5001
TRANSFER_PORT = 7100


class Overlay:
    """Everything is in bridge `web`; servers are in VLAN 10 behind trunk `trunk0` of the first host.

    Use it as a context manager: add hosts, then `start`.
    """

    def __init__(self, report, routed=True, mtu=1500, capture=True):
        self.report = report
        self.lab = Lab()
        self.lab.__enter__()
        self.mtu = mtu
        self.capture = capture
        self.gateways, self.stations, self.legs = {}, {}, {}
        self.kernels, self.switches = {}, {}
        self.bulk = {}
        self.switch = None
        # Patient: tests share their CPUs with builds. What is about liveness sets its own.
        self.zone = {"name": "dc", "kind": "vxlan", "hosts": [],
                     "bfd": {"interval": "1s", "multiplier": 5}}
        self.bridge = {"name": "web", "vni": VNI}
        self.site = {"hosts": [], "bridges": [self.bridge], "tunnelZones": [self.zone],
                     "tunnels": [], "accessPorts": [], "gatewayBridges": [], "trunks": [],
                     "vlanLinks": []}
        with self._undone_on_error():
            self.fabric = Fabric(self.lab, routed=routed, mtu=mtu)

    @contextlib.contextmanager
    def _undone_on_error(self):
        try:
            yield
        except BaseException:
            self.lab.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lab.close()

    # Who is there.

    def host(self, name, number, machines=(), servers=(), mtu=None, narrow=None, trunk=False, **link):
        """A host that runs sluiced, with machines on access ports and servers behind a trunk.

        `trunk` gives a further host a trunk to the switch that serves the servers.
        """
        with self._undone_on_error():
            space = self.lab.namespace(name)
            leg = self.legs[name] = self.fabric.attach(name, number, space, mtu=mtu,
                                                       capture=self.capture, narrow=narrow)
            interfaces = {"up0": {"kind": "af_packet", "mtu": mtu or self.mtu}}
            for machine, address in dict(machines).items():
                self.machine(machine, address, space)
                interfaces[machine] = {"kind": "af_packet"}
                self.site["accessPorts"].append({"name": f"p-{machine}", "bridge": "web",
                                                 "host": name, "interface": machine})
            if servers:
                self._servers(dict(servers))
            if servers or trunk:
                self._trunk(space, name)
                interfaces["eth1"] = {"kind": "af_packet"}
            self.site["hosts"].append(leg.host(**link))
            self.zone["hosts"].append(name)
            self.gateways[name] = Gateway(self.lab, space, interfaces, name,
                                          len(self.gateways))
        return leg

    def machine(self, name, address, host_space):
        """A machine cabled to a device of the same name in a host's namespace."""
        space = self.lab.namespace(name)
        self.lab.veth((host_space, name), (space, "eth0"))
        self.stations[name] = Station(self.lab, name, address, space, capture=self.capture)

    def _servers(self, servers):
        self.switch = Switch(self.lab, record=self.capture)
        for server, address in servers.items():
            own = self.lab.namespace(server)
            self.switch.add_port(server, Access(VID), own, "eth0")
            self.stations[server] = Station(self.lab, server, address, own, capture=self.capture)
        self.site["gatewayBridges"] = [{"name": "gw"}]
        self.site["vlanLinks"] = [{"gatewayBridge": "gw", "vid": VID, "bridge": "web"}]

    def _trunk(self, space, host):
        trunks = self.site["trunks"]
        self.switch.add_port(f"to-{host}", Trunk(frozenset({VID})), space, "eth1")
        trunks.append({"name": f"trunk{len(trunks)}", "gatewayBridge": "gw", "host": host,
                       "interface": "eth1"})

    def kernel(self, name, number, machines, family=4, **settings):
        """A host that has the kernel's bridge and VXLAN device; `peer_with` makes it a peer."""
        with self._undone_on_error():
            leg = self.legs[name] = self.fabric.kernel_host(name, number, capture=self.capture)
            bridge = self.kernels[name] = KernelBridge(leg, VNI, family=family, **settings)
            for machine, address in dict(machines).items():
                self.machine(machine, address, leg.namespace)
                bridge.add_port(machine)
        return bridge

    def open_vswitch(self, name, number, machines):
        """A host that runs Open vSwitch with bridge `web`."""
        with self._undone_on_error():
            space = self.lab.namespace(name)
            leg = self.legs[name] = self.fabric.attach(name, number, space, capture=self.capture)
            switch = self.switches[name] = OpenVswitch(self.lab, leg)
            join(leg, "phy")
            for machine, address in dict(machines).items():
                self.machine(machine, address, space)
            switch.add_bridge("web", *dict(machines))
        return switch

    def foreign(self, name, family=4, zone="dc", **settings):
        """The tunnel to a host that is not ours, in the site document."""
        tunnel = {"name": name, "zone": zone, "remote": self.legs[name].address(family),
                  "bridges": ["web"], **settings}
        self.site["tunnels"] = [other for other in self.site["tunnels"] if other["name"] != name]
        self.site["tunnels"].append(tunnel)

    # What they do.

    def document(self):
        """The site document; JSON is YAML."""
        return json.dumps({kind: objects for kind, objects in self.site.items() if objects})

    def start(self, tunnels=True):
        """Starts every daemon on the site and waits until ports forward and tunnels are up."""
        for gateway in self.gateways.values():
            gateway.start(self.document(), ready=False)
        self.each(lambda gateway: gateway.wait_ready())
        self.ready(tunnels)

    def each(self, work):
        """{name: result} of some work for every gateway, all at the same time."""
        with ThreadPoolExecutor(len(self.gateways)) as pool:
            return dict(zip(self.gateways, pool.map(work, self.gateways.values())))

    def apply(self, tunnels=True):
        """The site document as it is now, on every host."""
        document = self.document()
        self.each(lambda gateway: gateway.apply(document, "--prune"))
        self.ready(tunnels)

    def ready(self, tunnels=True, seconds=15.0):
        """Waits until all ports forward and every host can send to every peer; a check if not."""
        def complete(gateway):
            # Only one trunk of a gateway bridge forwards, the first.
            ports = [*self.site["accessPorts"], *self.site["trunks"][:1]]
            count = sum(port["host"] == gateway.name for port in ports)
            return gateway.wait_link_up(count, seconds) and (
                not tunnels or wait_until(
                    lambda: (peers := gateway.peers()) and all(
                        peer["state"] == "STATE_UP" for peer in peers.values()), seconds, 0.05))
        done = self.each(complete)
        for name, came in done.items():
            if not came:
                gateway = self.gateways[name]
                self.report.check(f"{name}: all ports forward and all tunnels are up", False, "".join(
                    gateway.cli(command, check=False).stdout for command in ("ports", "tunnels",
                                                                             "underlay", "status")))
        return all(done.values())

    def balanced(self, claim="the accounting difference is 0 on every host"):
        """Every frame is accounted for, on every host."""
        lines = {}

        def zero(gateway):
            def settled():
                lines[gateway.name] = gateway.accounting()
                return lines[gateway.name]["difference"] == 0 and lines[gateway.name]["received"] > 0
            return wait_until(settled, 3, every=0.1)
        return self.report.check(claim, all(self.each(zero).values()), lines)

    def transfer(self, source, target, octets, family=4, timeout=60):
        """One TCP transfer of random octets; (equal, octets per second, what went wrong)."""
        path, digest = self._bulk(octets)
        address = target.address(family)
        words = [sys.executable, "-m", "lab.transfer"]
        receiver = self.lab.spawn(target.namespace, *words, "receive", address, TRANSFER_PORT,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if receiver.stdout.readline().strip() != "ready":
            return False, 0.0, receiver.stdout.read()
        sender = self.lab.spawn(source.namespace, *words, "send", address, TRANSFER_PORT, path,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            said, _ = receiver.communicate(timeout=timeout)
            complaint, _ = sender.communicate(timeout=5)
            result = json.loads(said.splitlines()[-1])
        except (subprocess.TimeoutExpired, ValueError, IndexError) as error:
            for process in (sender, receiver):
                process.kill()
            return False, 0.0, repr(error) + sender.communicate()[0]
        equal = (result["octets"], result["sha256"]) == (octets, digest)
        return equal, result["octets"] / max(result["seconds"], 1e-9), complaint or str(result)

    def _bulk(self, octets):
        """A file of random octets and its SHA-256."""
        if octets not in self.bulk:
            path, digest = self.lab.path(f"bulk-{octets}"), hashlib.sha256()
            with open(path, "wb") as file:
                left = octets
                while left:
                    data = os.urandom(min(left, 1 << 20))
                    file.write(data)
                    digest.update(data)
                    left -= len(data)
            self.bulk[octets] = path, digest.hexdigest()
        return self.bulk[octets]
