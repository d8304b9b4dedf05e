"""A small 802.1Q switch in user space: the neighbour that the gateway is cabled to.

The kernels we meet need not have VLAN devices or VLAN filtering bridges, so the lab brings its own
switch. Each port is a tap device that is moved into the namespace of the station it serves; the
switch holds the other end as a file, where tags are part of the data and nothing strips them.

What it does: access ports (untagged, one VID), trunk ports (tagged, an allowed list, optionally a
native VID), learning per VID, flooding, moves, and a record of every frame that crossed each of its
ports, in either direction. What it leaves out: spanning tree, ageing, priorities, TPIDs other than
0x8100. It does not forward the addresses that a bridge must not forward.
"""

import dataclasses
import fcntl
import os
import selectors
import struct
import threading

from .capture import Recorder
from .netns import LabError, run
from .wire import MINIMUM_OCTETS

_TUNSETIFF = 0x4004_54CA
_IFF_TAP = 0x0002
_IFF_NO_PI = 0x1000
_RESERVED = bytes.fromhex("0180c20000")


@dataclasses.dataclass(frozen=True)
class Access:
    """Untagged port of one VLAN."""

    vid: int


@dataclasses.dataclass(frozen=True)
class Trunk:
    """Tagged port; frames of the native VID, if any, are untagged."""

    allowed: frozenset
    native: int | None = None


class SwitchPort:
    """One port: its mode, its tap file and the record of what crossed it.

    Directions are the switch's: `in` is what the station sent, `out` what the switch sent to it.
    """

    def __init__(self, name, descriptor, mode, recorder):
        self.name = name
        self.descriptor = descriptor
        self.mode = mode
        self.recorder = recorder

    def classify(self, raw):
        """(VID, frame without tag, priority bits) of a received frame, or None to drop it."""
        tagged = raw[12:14] == b"\x81\x00"
        tci = int.from_bytes(raw[14:16], "big") if tagged else 0
        vid, priority = tci & 0xFFF, tci & 0xF000
        inner = raw[:12] + raw[16:] if tagged else raw
        if isinstance(self.mode, Access):
            return None if vid else (self.mode.vid, inner, priority)
        if not vid:
            return None if self.mode.native is None else (self.mode.native, inner, priority)
        return (vid, inner, priority) if self._carries(vid) else None

    def encode(self, vid, inner, priority):
        """The octets that leave this port for a frame of a VLAN, or None if it is no member."""
        if isinstance(self.mode, Access):
            return inner if vid == self.mode.vid else None
        if vid == self.mode.native:
            return inner
        if not self._carries(vid):
            return None
        return inner[:12] + struct.pack("!HH", 0x8100, priority | vid) + inner[12:]

    def _carries(self, vid):
        return vid in self.mode.allowed and vid != self.mode.native


class Switch:
    """The switch: a thread that forwards until `close`."""

    def __init__(self, lab, record=True):
        """Without records it is fast enough for bulk."""
        self._lab = lab
        self._record = record
        self._ports = {}
        self._macs = {}
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._closing = False
        self._thread = threading.Thread(target=self._forward_all, name="switch", daemon=True)
        self._thread.start()
        lab.on_close(self.close)

    def add_port(self, name, mode, namespace, device, mac=None, mtu=None):
        """Cables a port to a new device in a namespace."""
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        try:
            request = fcntl.ioctl(descriptor, _TUNSETIFF,
                                  struct.pack("16sH22x", b"slxtap%d", _IFF_TAP | _IFF_NO_PI))
            made = request[:16].rstrip(b"\0").decode()
            run("ip", "link", "set", made, "netns", namespace, "name", device)
            if mac:
                run("ip", "-n", namespace, "link", "set", device, "address", mac)
            if mtu:
                run("ip", "-n", namespace, "link", "set", device, "mtu", mtu)
            run("ip", "-n", namespace, "link", "set", device, "up")
        except (OSError, LabError):
            os.close(descriptor)
            raise
        port = SwitchPort(name, descriptor, mode,
                          Recorder(name, self._lab.path(f"switch-{name}.pcap")))
        with self._lock:
            self._ports[name] = port
            self._selector.register(descriptor, selectors.EVENT_READ, port)
        os.write(self._wake_write, b"+")
        return port

    def remove_port(self, name):
        """Pulls the cable: the device on the other side vanishes."""
        with self._lock:
            port = self._ports.pop(name)
            self._selector.unregister(port.descriptor)
            self._macs = {key: at for key, at in self._macs.items() if at is not port}
            os.close(port.descriptor)
        port.recorder.close()

    def set_mode(self, name, mode):
        """Reconfigures a port; what was learned there is forgotten."""
        with self._lock:
            port = self._ports[name]
            port.mode = mode
            self._macs = {key: at for key, at in self._macs.items() if at is not port}

    def ports(self):
        """{name: SwitchPort}."""
        with self._lock:
            return dict(self._ports)

    def learned(self):
        """{(VID, MAC as octets): port name}."""
        with self._lock:
            return {key: port.name for key, port in self._macs.items()}

    def forget(self):
        """Empties the MAC table."""
        with self._lock:
            self._macs.clear()

    def close(self):
        self._closing = True
        os.write(self._wake_write, b"x")
        self._thread.join(5)
        for name in list(self._ports):
            self.remove_port(name)
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _forward_all(self):
        while not self._closing:
            for key, _ in self._selector.select(1.0):
                if key.data is None:
                    os.read(self._wake_read, 64)
                    continue
                with self._lock:
                    if key.data.name in self._ports:
                        self._drain(key.data)

    def _drain(self, port):
        for _ in range(64):
            try:
                raw = os.read(port.descriptor, 65536)
            except BlockingIOError:
                return
            except OSError:
                return  # the device is down
            if len(raw) >= 14:
                # A tap hands over frames as the stack made them; hardware would have padded them.
                self._forward(port, raw.ljust(MINIMUM_OCTETS, b"\0"))

    def _forward(self, port, raw):
        if self._record:
            port.recorder.add("in", raw)
        classified = port.classify(raw)
        if classified is None or (raw[:5] == _RESERVED and raw[5] < 0x10):
            return
        vid, inner, priority = classified
        destination, source = inner[:6], inner[6:12]
        if not source[0] & 1:
            self._macs[vid, source] = port
        known = None if destination[0] & 1 else self._macs.get((vid, destination))
        for other in [known] if known else list(self._ports.values()):
            if other is port:
                continue
            out = other.encode(vid, inner, priority)
            if out is None:
                continue
            out = out.ljust(MINIMUM_OCTETS, b"\0")
            try:
                os.write(other.descriptor, out)
            except (BlockingIOError, OSError):
                continue  # the station is down or slow, as on a real wire
            if self._record:
                other.recorder.add("out", out)
