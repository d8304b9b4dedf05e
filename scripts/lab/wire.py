"""Frames as bytes: building, reading, describing, and the pcap file format.

Deliberately small and written without a packet library: the demo must run with the Python standard
library alone. The end-to-end tests let scapy and tshark judge the same bytes.
"""

import dataclasses
import socket
import struct

BROADCAST = "ff:ff:ff:ff:ff:ff"
MINIMUM_OCTETS = 60  # IEEE 802.3 minimum without the FCS
TPIDS = (0x8100, 0x88A8)
ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_ARP = 0x0806
ETHERTYPE_IPV6 = 0x86DD
ETHERTYPE_TEB = 0x6558  # transparent Ethernet bridging, in GRE
VXLAN_PORT = 4789
_UDP, _GRE = 17, 47


def mac_bytes(text):
    """Six octets from aa:bb:cc:dd:ee:ff."""
    octets = bytes.fromhex(text.replace(":", ""))
    if len(octets) != 6:
        raise ValueError(f"{text!r} is not a MAC address")
    return octets


def mac_text(octets):
    """aa:bb:cc:dd:ee:ff from six octets."""
    return ":".join(f"{octet:02x}" for octet in octets)


@dataclasses.dataclass(frozen=True)
class Tag:
    """One tag: TPID, VID, priority code point, drop eligible indicator."""

    vid: int
    pcp: int = 0
    dei: int = 0
    tpid: int = 0x8100

    def bytes(self):
        return struct.pack("!HH", self.tpid, self.pcp << 13 | self.dei << 12 | self.vid)

    def __str__(self):
        prefix = "vlan" if self.tpid == 0x8100 else f"{self.tpid:#06x} vlan"
        return f"{prefix} {self.vid}" + (f" pcp {self.pcp}" if self.pcp else "")


@dataclasses.dataclass(frozen=True)
class Frame:
    """What a frame says, read leniently: never raises on any bytes."""

    raw: bytes
    destination: str = ""
    source: str = ""
    tags: tuple = ()
    ethertype: int = 0
    payload: bytes = b""

    @classmethod
    def read(cls, raw):
        if len(raw) < 14:
            return cls(raw)
        tags, at = [], 12
        while len(raw) >= at + 4 and int.from_bytes(raw[at:at + 2], "big") in TPIDS:
            tpid, tci = struct.unpack_from("!HH", raw, at)
            tags.append(Tag(tci & 0xFFF, tci >> 13, tci >> 12 & 1, tpid))
            at += 4
        ethertype = int.from_bytes(raw[at:at + 2], "big")
        return cls(raw, mac_text(raw[:6]), mac_text(raw[6:12]), tuple(tags), ethertype,
                   raw[at + 2:])

    @property
    def vid(self):
        """The outer VID, or None for an untagged frame."""
        return self.tags[0].vid if self.tags else None

    def arp(self):
        """(operation, sender IP, target IP) of an ARP packet for IPv4, or None."""
        if self.ethertype != ETHERTYPE_ARP or len(self.payload) < 28:
            return None
        operation = int.from_bytes(self.payload[6:8], "big")
        return operation, socket.inet_ntoa(self.payload[14:18]), socket.inet_ntoa(
            self.payload[24:28])

    def is_arp_request(self, sender, target):
        return self.arp() == (1, sender, target)

    def is_arp_reply(self, sender, target):
        return self.arp() == (2, sender, target)

    def envelope(self):
        """The tunnel's header around another frame, or None when this is no VXLAN and no GRE."""
        if self.ethertype == ETHERTYPE_IPV4 and len(self.payload) >= 20:
            header = (self.payload[0] & 15) * 4
            protocol, addresses, family = self.payload[9], self.payload[12:20], socket.AF_INET
        elif self.ethertype == ETHERTYPE_IPV6 and len(self.payload) >= 40:
            header, protocol, addresses = 40, self.payload[6], self.payload[8:40]
            family = socket.AF_INET6
        else:
            return None
        half = len(addresses) // 2
        ends = (socket.inet_ntop(family, addresses[:half]),
                socket.inet_ntop(family, addresses[half:]))
        return _envelope(protocol, ends, self.payload[header:])

    def __str__(self):
        if not self.destination:
            return f"{len(self.raw)} octets, too short for Ethernet"
        tags = ", ".join(str(tag) for tag in self.tags) or "untagged"
        return (f"{self.source} > {self.destination}, {tags}, {self._content()}, "
                f"{len(self.raw)} octets")

    def _content(self):
        arp = self.arp()
        if arp:
            operation, sender, target = arp
            return (f"ARP who-has {target} tell {sender}" if operation == 1
                    else f"ARP {sender} is-at {mac_text(self.payload[8:14])}")
        if self.ethertype == ETHERTYPE_IPV4 and len(self.payload) >= 20:
            name = {1: "ICMP", 6: "TCP", 17: "UDP"}.get(self.payload[9], f"IP {self.payload[9]}")
            return (f"{name} {socket.inet_ntoa(self.payload[12:16])} > "
                    f"{socket.inet_ntoa(self.payload[16:20])}")
        if self.ethertype < 0x600:
            return f"802.3 length {self.ethertype}"
        return f"ethertype {self.ethertype:#06x}"


@dataclasses.dataclass(frozen=True)
class Envelope:
    """What is around a frame in a tunnel: endpoints, VNI or key, and the frame itself."""

    kind: str
    source: str
    destination: str
    vni: int
    inner: Frame
    source_port: int | None = None

    def __str__(self):
        return f"{self.source} > {self.destination}, {self.kind} {self.vni} [{self.inner}]"


def _envelope(protocol, ends, packet):
    if protocol == _UDP and len(packet) >= 16:
        source_port, port = struct.unpack_from("!HH", packet)
        if port == VXLAN_PORT and packet[8] & 0x08:
            return Envelope("VXLAN", *ends, int.from_bytes(packet[12:15], "big"),
                            Frame.read(packet[16:]), source_port)
    if protocol == _GRE and len(packet) >= 8:
        flags, inner = struct.unpack_from("!HH", packet)
        if inner == ETHERTYPE_TEB and flags & 0x2000:
            at = 8 if flags & 0x8000 else 4  # a checksum comes before the key
            return Envelope("GRE", *ends, int.from_bytes(packet[at:at + 4], "big"),
                            Frame.read(packet[at + 4:]))
    return None


def ethernet(destination, source, ethertype, payload=b"", tags=(), pad=True):
    """A frame; padded to the Ethernet minimum unless told otherwise."""
    raw = (mac_bytes(destination) + mac_bytes(source)
           + b"".join(tag.bytes() for tag in tags) + struct.pack("!H", ethertype) + payload)
    return raw.ljust(MINIMUM_OCTETS, b"\0") if pad else raw


class PcapWriter:
    """A classic pcap file with microsecond stamps, link type Ethernet."""

    def __init__(self, path):
        self._file = open(path, "wb")  # closed by close()
        self._file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))

    def write(self, seconds, raw):
        whole = int(seconds)
        self._file.write(struct.pack("<IIII", whole, int((seconds - whole) * 1e6), len(raw),
                                     len(raw)) + raw)
        self._file.flush()

    def close(self):
        self._file.close()
