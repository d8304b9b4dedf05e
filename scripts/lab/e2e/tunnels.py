"""A gateway whose underlay is a raw wire: the test plays every peer itself, octet by octet.

A responder answers what a neighbour must answer (ARP, neighbour solicitations, ping) for every
address of the underlay but the gateway's. Those exchanges are no part of what a check compares.
"""

import json
import threading

from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import (ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS,
                                ICMPv6NDOptDstLLAddr, IPv6)
from scapy.layers.l2 import ARP, GRE, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from ..fabric import device_mac
from ..netns import wait_until
from ..wire import Frame
from .rig import Outcome, Rig, _grown

NETWORK4, NETWORK6 = "192.0.2.", "2001:db8::"
OWN = 1
VNI = 5001
LINK = "%up0"


def ip4(number):
    """An address of the underlay; number 1 is the gateway's."""
    return f"{NETWORK4}{number}"


def ip6(number):
    return f"{NETWORK6}{number:x}"


def mac(number):
    """The hardware address that the responder gives an address of the underlay."""
    return f"02:00:5e:00:00:{number:02x}"


def host(number=OWN, name="gw-a", routes=(), **link):
    """The host object of the gateway, or of a host that the test plays."""
    found = {"name": name, "vtep": [ip4(number), ip6(number)]}
    if number == OWN:
        found["underlay"] = [{"interface": "up0", **link,
                              "addresses": [f"{ip4(number)}/24", f"{ip6(number)}/64"]}]
    if routes:
        found["routes"] = list(routes)
    return found


def site(zones, tunnels=(), bridges=None, hosts=(), own=None, **more):
    """A site document; zones are without BFD unless they say otherwise."""
    document = {"hosts": [own or host(), *hosts],
                "bridges": bridges or [{"name": "web", "vni": VNI}],
                "tunnelZones": [{"bfd": "off", **zone} for zone in zones],
                "tunnels": list(tunnels), **more}
    return json.dumps({key: value for key, value in document.items() if value})


def vxlan(number, inner, vni=VNI, family=4, source_port=50000, port=4789, link=None, **fields):
    """A frame from peer `number` to the gateway that carries `inner`; fields override the IP header's.

    `udp_checksum`: None computes it; over IPv4 the default is zero. `header`: octets of the VXLAN
    header by their index.
    """
    checksum = fields.pop("udp_checksum", 0 if family == 4 else None)
    header = bytearray(bytes(VXLAN(flags=8, vni=vni)))
    for index, octet in fields.pop("header", {}).items():
        header[index] = octet
    packet = (UDP(sport=source_port, dport=port, chksum=checksum)
              / Raw(bytes(header) + bytes(inner)))
    return outer(number, packet, family, link, **fields)


def gre(number, inner, key=VNI, family=4, link=None, **fields):
    """The same in GRE with a key."""
    packet = GRE(key_present=1, key=key, proto=0x6558,
                 chksum_present=fields.pop("checksum", 0)) / Raw(bytes(inner))
    return outer(number, packet, family, link, **fields)


def outer(number, packet, family=4, link=None, to=OWN, **fields):
    """Ethernet and IP from peer `number` around a packet."""
    ether = Ether(src=mac(number), dst=link or "ff:ff:ff:ff:ff:ff")
    if family == 4:
        fields = {"flags": "DF", "id": 0, **fields}
        return bytes(ether / IP(src=ip4(number), dst=ip4(to), **fields) / packet)
    return bytes(ether / IPv6(src=ip6(number), dst=ip6(to), **fields) / packet)


class TunnelRig(Rig):
    """A rig with underlay `up0`. In its checks, copies on `up0` are tuples that `to` makes."""

    def __init__(self, report, wires, mtu=1600, more=None):
        super().__init__(report, (*wires, "up0"), mtu={"up0": mtu, **(more or {})})
        self._sent, self._count_lock = 0, threading.Lock()
        self.silent = set()  # numbers that do not answer
        self._closing = False
        self.answered = []

    def start(self, document, forwarding, peers=()):
        """Starts the daemon, answers for its neighbours, and waits until peers are reachable."""
        self._thread = threading.Thread(target=self._respond, daemon=True)
        self._thread.start()
        self.lab.on_close(self._stop)
        super().start(document, forwarding)
        self.ready(*peers)

    def ready(self, *peers):
        if not self.gateway.wait_peers(*peers):
            self.report.check(f"peers {', '.join(peers)} are reachable", False,
                              self.gateway.cli("tunnels", check=False).stdout
                              + self.gateway.cli("underlay", check=False).stdout)

    def change(self, document, *peers):
        """Another site document."""
        self.apply(document, "--prune")
        self.ready(*peers)

    @property
    def link(self):
        """The hardware address of the underlay's interface."""
        return device_mac(self.space, "up0")

    def send(self, wire, raw):
        """Sends and counts."""
        with self._count_lock:
            self._sent += 1
        self.ports[wire].send(raw)

    def play(self, *sent):
        before_drops, before_consumed = self._counts()[1:]
        marks = {wire: port.recorder.mark() for wire, port in self.ports.items()}
        for wire, raw in sent:
            self.send(wire, raw)
            wait_until(lambda: self.gateway.accounting()["received"] >= self._sent, 3)
        after, drops, consumed = self._counts()
        wait_until(lambda: sum(port.recorder.mark() for port in self.ports.values())
                   >= after["sent"], 1)
        copies = {wire: [frame.raw for frame in port.recorder.since(marks[wire])]
                  for wire, port in self.ports.items() if wire != "up0"}
        copies["up0"] = sorted(filter(None, map(read, self.ports["up0"].recorder.since(
            marks["up0"]))))
        consumed = {what: count for what, count in _grown(before_consumed, consumed).items()
                    if not what[0].startswith("underlay") and what[1] != LINK}
        return Outcome({wire: frames for wire, frames in copies.items() if frames},
                       _grown(before_drops, drops), consumed)

    def check(self, claim, sent, copies=None, drop=None, consumed=None):
        sent = sent if isinstance(sent, list) else [sent]
        wanted = {wire: what if isinstance(what, list) else [what]
                  for wire, what in (copies or {}).items()}
        wanted = {wire: sorted(what) if wire == "up0" else [bytes(raw) for raw in what]
                  for wire, what in wanted.items()}
        outcome = self.play(*[(wire, bytes(raw)) for wire, raw in sent])
        drops = drop if isinstance(drop, dict) else {drop: 1} if drop else {}
        found = outcome.differences(wanted, drops, {consumed: 1} if consumed else {})
        return self.report.check(claim, not found, found)

    def known(self, mac, port, vid=None):
        """Waits until a station is known; a new one is entered off the packet path."""
        if self.gateway.wait_mac(mac, port, vid) is None:
            self.report.check(f"{mac} is known behind {port}", False, self.gateway.macs())

    def eventually(self, claim, sent, copies, seconds=2.0, **expected):
        """A check of something that is learned off the packet path: played until it holds."""
        goal = {wire: [bytes(raw)] for wire, raw in copies.items()}
        wait_until(lambda: self.play(sent).copies == goal, seconds)
        return self.check(claim, sent, copies, **expected)

    def _stop(self):
        self._closing = True
        self._thread.join(3)

    def _respond(self):
        recorder, at = self.ports["up0"].recorder, 0
        while not self._closing:
            frame = recorder.wait(lambda _: True, 0.2, at)
            if frame is None:
                continue
            at += 1
            answer = self._answer(frame)
            if answer is not None:
                try:
                    self.send("up0", bytes(answer))
                except OSError:
                    return
                self.answered.append(answer)

    def _answer(self, frame):
        """What the neighbour that is asked replies, or None."""
        if frame.envelope() is not None:
            return None
        packet = Ether(frame.raw)
        if ARP in packet and packet[ARP].op == 1:
            number = _number(packet[ARP].pdst)
            if number and packet[ARP].psrc != packet[ARP].pdst and number not in self.silent:
                return (Ether(src=mac(number), dst=packet.src)
                        / ARP(op=2, hwsrc=mac(number), psrc=packet[ARP].pdst,
                              hwdst=packet.src, pdst=packet[ARP].psrc))
        if ICMPv6ND_NS in packet:
            target = packet[ICMPv6ND_NS].tgt
            number = _number(target)
            if number and packet[IPv6].src != "::" and number not in self.silent:
                return (Ether(src=mac(number), dst=packet.src) / IPv6(src=target, dst=packet[IPv6].src)
                        / ICMPv6ND_NA(tgt=target, R=0, S=1, O=1)
                        / ICMPv6NDOptDstLLAddr(lladdr=mac(number)))
        if ICMP in packet and packet[ICMP].type == 8:
            reply = packet.copy()
            reply.src, reply.dst = packet.dst, packet.src
            reply[IP].src, reply[IP].dst = packet[IP].dst, packet[IP].src
            reply[ICMP].type = 0
            del reply[IP].chksum, reply[ICMP].chksum
            return reply if _number(packet[IP].dst) not in self.silent else None
        if ICMPv6EchoRequest in packet:
            asked = packet[ICMPv6EchoRequest]
            return (Ether(src=packet.dst, dst=packet.src)
                    / IPv6(src=packet[IPv6].dst, dst=packet[IPv6].src)
                    / ICMPv6EchoReply(id=asked.id, seq=asked.seq, data=asked.data))
        return None


def _number(address):
    """The number of an address of the underlay that is not the gateway's, or None."""
    for prefix, base in ((NETWORK4, 10), (NETWORK6, 16)):
        if address.startswith(prefix):
            number = int(address[len(prefix):] or "0", base)
            return number if number not in (0, OWN) else None
    return None


def to(number, inner, vni=VNI, kind="VXLAN", family=4):
    """One encapsulated copy to peer `number`, as checks compare it."""
    address = ip4(number) if family == 4 else ip6(number)
    return kind, address, vni, bytes(inner)


def read(frame):
    """The tuple of a captured frame; None for what is not tunnelled."""
    envelope = frame.envelope() if isinstance(frame, Frame) else Frame.read(frame).envelope()
    if envelope is None:
        return None
    return envelope.kind, envelope.destination, envelope.vni, envelope.inner.raw
