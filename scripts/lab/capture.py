"""Captures: what was really on a wire, and waiting for it instead of sleeping."""

import dataclasses
import socket
import struct
import threading
import time

from .netns import inside
from .wire import Frame, PcapWriter

_ETH_P_ALL = 0x0003
_SOL_PACKET = 263
_PACKET_ADD_MEMBERSHIP = 1
_PACKET_MR_PROMISC = 1
_PACKET_AUXDATA = 8
_PACKET_IGNORE_OUTGOING = 23
_PACKET_OUTGOING = 4
_VLAN_VALID = 1 << 4
_VLAN_TPID_VALID = 1 << 6


@dataclasses.dataclass(frozen=True)
class Seen:
    """A captured frame: when (seconds of the epoch), in which direction, and its bytes."""

    when: float
    direction: str
    frame: Frame


class Recorder:
    """An append-only list of captured frames that can be waited on."""

    def __init__(self, name, pcap=None):
        self.name = name
        self._seen = []
        self._changed = threading.Condition()
        self._pcap = PcapWriter(pcap) if pcap else None

    def add(self, direction, raw):
        now = time.time()
        with self._changed:
            self._seen.append(Seen(now, direction, Frame.read(bytes(raw))))
            if self._pcap:
                self._pcap.write(now, raw)
            self._changed.notify_all()

    def mark(self):
        """A place in the capture to look from later."""
        with self._changed:
            return len(self._seen)

    def since(self, mark=0, direction=None):
        """The frames captured after a mark."""
        with self._changed:
            return [seen.frame for seen in self._seen[mark:]
                    if direction in (None, seen.direction)]

    def wait(self, wanted, seconds=2.0, mark=0, direction=None):
        """The first frame after a mark that `wanted(frame)` accepts, or None in time."""
        deadline = time.monotonic() + seconds
        at = mark
        with self._changed:
            while True:
                while at < len(self._seen):
                    seen = self._seen[at]
                    at += 1
                    if direction in (None, seen.direction) and wanted(seen.frame):
                        return seen.frame
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    if at >= len(self._seen):
                        return None

    def forget(self):
        """Drops what was captured so far (the file keeps it); older marks are void."""
        with self._changed:
            self._seen.clear()

    def close(self):
        if self._pcap:
            self._pcap.close()


class Port:
    """One device in a namespace: sends whole frames and records every frame that arrives.

    The kernel takes the outer tag off a received frame and reports it beside the data; it is put
    back here, so what is recorded is what was on the wire.
    """

    def __init__(self, namespace, device, pcap=None, both_directions=False):
        self.device = device
        self.recorder = Recorder(device, pcap)
        with inside(namespace):
            # Protocol 0: nothing is received before the socket is bound to its device.
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self._socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
            if not both_directions:
                self._socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            index = socket.if_nametoindex(device)
            self._socket.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP,
                                    struct.pack("iHH8s", index, _PACKET_MR_PROMISC, 0, b""))
            self._socket.bind((device, _ETH_P_ALL))
        self._closing = False
        self._socket.settimeout(0.2)
        self._thread = threading.Thread(target=self._receive, name=f"capture {device}",
                                        daemon=True)
        self._thread.start()

    def send(self, raw):
        """Puts these exact octets on the wire."""
        self._socket.send(bytes(raw))

    def _receive(self):
        while not self._closing:
            try:
                data, ancillary, _, address = self._socket.recvmsg(65536, 128)
            except TimeoutError:
                continue
            except OSError:
                return  # the device or the socket is gone
            direction = "out" if address[2] == _PACKET_OUTGOING else "in"
            self.recorder.add(direction, _with_tag(data, ancillary))

    def close(self):
        self._closing = True
        self._thread.join(2)
        self._socket.close()
        self.recorder.close()


def _with_tag(data, ancillary):
    for level, kind, value in ancillary:
        if (level, kind) == (_SOL_PACKET, _PACKET_AUXDATA) and len(value) >= 20:
            status, _, _, _, _, tci, tpid = struct.unpack_from("IIIHHHH", value)
            if status & _VLAN_VALID:
                tpid = tpid if status & _VLAN_TPID_VALID else 0x8100
                return data[:12] + struct.pack("!HH", tpid, tci) + data[12:]
    return data
