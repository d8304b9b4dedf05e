"""Peers that are not ours: the kernel's bridge with its VXLAN device, Open vSwitch, FRR's bfdd.

Each runs in a namespace of the run with its own sockets and files, and nothing of it is known to the
system's own services.
"""

import os
import shutil
import socket

from .fabric import device_mac
from .netns import LabError, run, wait_until

_FRR = "/usr/lib/frr"
FLOOD = "00:00:00:00:00:00"


class KernelBridge:
    """A kernel bridge that reaches its remotes by the kernel's own VXLAN device."""

    def __init__(self, leg, vni, mtu=1500, family=4, port=4789, options=()):
        self.namespace = leg.namespace
        self.bridge, self.tunnel = f"br{vni}", f"vx{vni}"
        ip = ("ip", "-n", self.namespace)
        run(*ip, "link", "add", "name", self.bridge, "mtu", mtu, "type", "bridge",
            "mcast_snooping", 0)
        run(*ip, "link", "add", "name", self.tunnel, "mtu", mtu, "type", "vxlan", "id", vni,
            "local", leg.address(family), "dstport", port, "learning", *options)
        run(*ip, "link", "set", self.tunnel, "master", self.bridge)
        for device in (self.tunnel, self.bridge):
            run(*ip, "link", "set", device, "up")

    def add_remote(self, address):
        """Floods to this endpoint as well."""
        run("bridge", "-n", self.namespace, "fdb", "append", FLOOD, "dev", self.tunnel, "dst",
            address)

    def add_port(self, device):
        """A device of this namespace becomes a port of the bridge."""
        run("ip", "-n", self.namespace, "link", "set", device, "master", self.bridge)

    def forget(self):
        """Forgets every station that it learned."""
        run("ip", "-n", self.namespace, "link", "set", self.bridge, "type", "bridge", "fdb_flush")
        for mac in self.learned():
            run("bridge", "-n", self.namespace, "fdb", "del", mac, "dev", self.tunnel, check=False)

    def learned(self):
        """{MAC: remote endpoint} of the VXLAN device."""
        shown = run("bridge", "-n", self.namespace, "fdb", "show", "dev", self.tunnel).stdout
        rows = [line.split() for line in shown.splitlines()]
        return {row[0]: row[row.index("dst") + 1] for row in rows
                if "dst" in row and row[0] != FLOOD}


class OpenVswitch:
    """A private Open vSwitch with the userspace datapath: needs no kernel module.

    Bridge `phy` holds the uplink and the host's addresses; tunnels leave through it. Overlay bridges
    are added with `add_bridge`.
    """

    def __init__(self, lab, leg):
        self.namespace = leg.namespace
        self.folder = lab.path(f"ovs-{leg.name}")
        os.makedirs(self.folder, exist_ok=True)
        self._database = f"{self.folder}/db.sock"
        self._control = f"{self.folder}/vs.ctl"
        self._environment = {**os.environ, "OVS_RUNDIR": self.folder, "OVS_LOGDIR": self.folder,
                             "OVS_DBDIR": self.folder}
        run("ovsdb-tool", "create", f"{self.folder}/conf.db",
            "/usr/share/openvswitch/vswitch.ovsschema", env=self._environment)
        self._start(lab, "ovsdb-server", f"{self.folder}/conf.db",
                    f"--remote=punix:{self._database}", f"--unixctl={self.folder}/ovsdb.ctl")
        if not wait_until(lambda: os.path.exists(self._database), 5):
            raise LabError(f"ovsdb-server did not start: {self.log('ovsdb-server')}")
        self.vsctl("--no-wait", "init")
        self._start(lab, "ovs-vswitchd", f"unix:{self._database}", f"--unixctl={self._control}",
                    f"--pidfile={self.folder}/ovs-vswitchd.pid")
        mac = device_mac(self.namespace, leg.device)
        self.vsctl("add-br", "phy", "--", "set", "bridge", "phy", "datapath_type=netdev",
                   "fail_mode=standalone", f"other_config:hwaddr={mac}",
                   "--", "add-port", "phy", leg.device)
        run("ip", "-n", self.namespace, "link", "set", "phy", "up")

    def _start(self, lab, program, *arguments):
        with open(f"{self.folder}/{program}.log", "ab") as log:
            lab.spawn(self.namespace, program, *arguments, "--no-chdir", "-vconsole:info",
                      "-vsyslog:off", stdout=log, stderr=log, env=self._environment)

    def log(self, program="ovs-vswitchd"):
        with open(f"{self.folder}/{program}.log", encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-30:])

    def vsctl(self, *words):
        return run("ovs-vsctl", "--timeout=20", f"--db=unix:{self._database}", *words,
                   env=self._environment).stdout

    def appctl(self, *words):
        return run("ovs-appctl", "--timeout=20", "-t", self._control, *words,
                   env=self._environment).stdout

    def add_bridge(self, name, *ports):
        """A bridge that learns, with devices of this namespace as its ports."""
        words = ["add-br", name, "--", "set", "bridge", name, "datapath_type=netdev",
                 "fail_mode=standalone"]
        for port in ports:
            words += ["--", "add-port", name, port]
        self.vsctl(*words)

    def add_tunnel(self, bridge, name, kind, remote, key, *options):
        """A port of a bridge that is a tunnel: kind is `vxlan` or `gre`."""
        self.vsctl("add-port", bridge, name, "--", "set", "interface", name, f"type={kind}",
                   f"options:remote_ip={remote}", f"options:key={key}",
                   *[f"options:{option}" for option in options])

    def learned(self, bridge):
        """{MAC: name of the port}."""
        ports = {}
        for name in self.vsctl("list-ports", bridge).split():
            number = self.vsctl("get", "interface", name, "ofport").strip()
            ports[number] = name
        rows = [line.split() for line in self.appctl("fdb/show", bridge).splitlines()[1:]]
        return {row[2]: ports.get(row[0], row[0]) for row in rows if len(row) == 4}

    def packets(self, port):
        """(received, sent) frames of a port."""
        text = [self.vsctl("get", "interface", port, f"statistics:{direction}_packets").strip()
                for direction in ("rx", "tx")]
        return tuple(int(number) for number in text)


class Frr:
    """FRR's zebra and bfdd in a namespace, told what to do by bfdd's own terminal."""

    def __init__(self, lab, namespace, name="frr"):
        self.namespace = namespace
        # It runs as a user of its own, who may not enter the run's folder.
        self.folder = f"{lab.folder}-{name}"
        os.makedirs(self.folder, mode=0o700)
        shutil.chown(self.folder, "frr", "frr")
        lab.on_close(lambda: shutil.rmtree(self.folder, ignore_errors=True))
        self._lab = lab
        self._daemons = {}
        common = ("--vty_socket", self.folder, "-z",
                  f"{self.folder}/zserv.api", "-P", "0", "--log",
                  f"file:{self.folder}/log")
        self._commands = {
            "zebra": (f"{_FRR}/zebra", *common, "-i", f"{self.folder}/zebra.pid"),
            "bfdd": (f"{_FRR}/bfdd", *common, "-i", f"{self.folder}/bfdd.pid", "--bfdctl",
                     f"{self.folder}/bfdd.sock"),
        }
        for daemon in self._commands:
            self.start(daemon)

    def start(self, daemon):
        """Starts `zebra` or `bfdd`, as at the beginning or after `kill`."""
        socket_path = f"{self.folder}/{daemon}.vty"
        if os.path.exists(socket_path):
            os.unlink(socket_path)
        with open(f"{self.folder}/{daemon}.out", "ab") as log:
            self._daemons[daemon] = self._lab.spawn(self.namespace, *self._commands[daemon],
                                                    stdout=log, stderr=log)
        if not wait_until(lambda: os.path.exists(socket_path), 10):
            with open(f"{self.folder}/{daemon}.out", encoding="utf-8", errors="replace") as log:
                raise LabError(f"{daemon} did not start: {log.read()[-2000:]}")

    def kill(self, daemon="bfdd"):
        """kill -9: it says no goodbye."""
        self._daemons[daemon].kill()
        self._daemons[daemon].wait(5)

    def tell(self, *commands, daemon="bfdd"):
        """Types commands at a daemon's terminal; its answers as one text."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as terminal:
            terminal.settimeout(5)
            terminal.connect(f"{self.folder}/{daemon}.vty")
            answers = []
            for command in ("enable", *commands):
                terminal.sendall(command.encode() + b"\0")
                answers.append(_answer(terminal))
        return "\n".join(answers[1:])

    @staticmethod
    def session(remote, local, interface=None, multihop=False):
        """How a session is named at the terminal."""
        words = f"peer {remote}{' multihop' if multihop else ''} local-address {local}"
        return words + (f" interface {interface}" if interface else "")

    def add_peer(self, remote, local, interval=100, multiplier=3, interface=None, multihop=False):
        """A BFD session; the interval is in milliseconds."""
        self.tell("configure terminal", "bfd", self.session(remote, local, interface, multihop), f"receive-interval {interval}",
                  f"transmit-interval {interval}", f"detect-multiplier {multiplier}",
                  "no shutdown")

    def peers(self):
        """What it says about its sessions, as text."""
        return self.tell("show bfd peers")

    def is_up(self):
        """Whether any session is up."""
        return "Status: up" in self.peers()

    def wait_up(self, up=True, seconds=10.0):
        return wait_until(lambda: self.is_up() == up, seconds, every=0.05)


def _answer(terminal):
    """A terminal ends an answer with three zero octets and a status."""
    data = b""
    while len(data) < 4 or data[-4:-1] != b"\0\0\0":
        more = terminal.recv(65536)
        if not more:
            break
        data += more
    return data[:-4].decode(errors="replace")
