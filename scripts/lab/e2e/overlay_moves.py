"""Stations that move between a port here and a peer, static ones, and answers for known addresses."""

import socket

from scapy.layers.inet6 import (ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr,
                                ICMPv6NDOptSrcLLAddr, IPv6)
from scapy.layers.l2 import ARP, Ether

from .overlay_wire import FAR, FAR_GUEST, HOSTS, PEERS, PORTS, ZONE
from .tags import ALL, GUEST, SERVER, frame, q
from .tunnels import VNI, TunnelRig, ip4, site, to, vxlan

STATIC = "52:54:00:00:77:77"


def _document(**bridge):
    hosts = [one for one in HOSTS if one["name"] != "cn-4"]
    ports = {**PORTS, "accessPorts": [port for port in PORTS["accessPorts"]
                                      if port["host"] != "cn-4"]}
    return site([{**ZONE, "kind": "vxlan", "hosts": ["gw-a", "cn-2", "cn-3"]}],
                [{**FAR, "remote": ip4(9)}], [{"name": "web", "vni": VNI, **bridge}], hosts,
                staticMacs=[{"bridge": "web", "mac": STATIC, "port": "far"}], **ports)


def run(report):
    report.title("Stations that move between ports and peers")
    with TunnelRig(report, ("t1", "a1", "a2")) as rig:
        rig.start(_document(), 3, PEERS)
        _moves(rig)
        report.title("ARP and neighbour solicitations for known stations")
        _flooded(rig)
        rig.change(_document(neighborSuppression=True), *PEERS)
        _answered(rig)
        line = rig.gateway.accounting()
        report.check("the accounting difference is 0", line["difference"] == 0, line)


def _moves(rig):
    link = rig.link
    from_2, from_9 = (lambda inner: ("up0", vxlan(2, inner, link=link)),
                      lambda inner: ("up0", vxlan(9, inner, link=link)))
    to_guest = frame(dst=GUEST, src=SERVER)
    hello = frame(dst=SERVER, src=GUEST)
    tagged = frame(q(10), dst=SERVER, src=GUEST)
    rig.check("a station that nobody knows is looked for everywhere",
              ("t1", frame(q(10), dst=GUEST)),
              {"a1": to_guest, "a2": to_guest, "up0": [to(number, to_guest) for number in (2, 3, 9)]})
    rig.known(SERVER, "t1", 10)
    rig.check("it speaks at a port here", ("a1", hello), {"t1": tagged})
    rig.known(GUEST, "a1")
    rig.check("and is found there", ("t1", frame(q(10), dst=GUEST)), {"a1": to_guest})
    rig.check("it moves behind peer cn-2: the very next frame goes into that tunnel, and there only",
              [from_2(hello), ("t1", frame(q(10), dst=GUEST))],
              {"t1": tagged, "up0": to(2, to_guest)})
    rig.check("it moves on behind peer far", [from_9(hello), ("t1", frame(q(10), dst=GUEST))],
              {"t1": tagged, "up0": to(9, to_guest)})
    rig.check("and back to a port here",
              [("a2", hello), ("t1", frame(q(10), dst=GUEST))],
              {"t1": tagged, "a2": to_guest})
    rig.check("a static station behind a peer is found there without a frame of its own",
              ("a1", frame(dst=STATIC, src=GUEST)), {"up0": to(9, frame(dst=STATIC, src=GUEST))})
    rig.check("and nobody takes its address", ("a2", frame(src=STATIC)),
              drop=("static_mac_violation", "a2"))
    rig.check("nor does another peer", from_2(frame(src=STATIC)),
              drop=("static_mac_violation", "@cn-2"))


IP_SERVER, IP_FAR, IP_GUEST = "10.0.10.1", "10.0.10.102", "10.0.10.101"
IP6_FAR, IP6_GUEST = "fd00:0:10::102", "fd00:0:10::101"


def arp(operation, sender_mac, sender, target, target_mac="00:00:00:00:00:00", dst=ALL):
    return bytes(Ether(src=sender_mac, dst=dst)
                 / ARP(op=operation, hwsrc=sender_mac, psrc=sender, hwdst=target_mac,
                       pdst=target)).ljust(60, b"\0")


def solicit(source_mac, source, target):
    """A neighbour solicitation to the solicited-node group of its target."""
    low = socket.inet_pton(socket.AF_INET6, target)[-3:]
    group = socket.inet_ntop(socket.AF_INET6, bytes.fromhex("ff0200000000000000000001ff") + low)
    packet = (Ether(src=source_mac, dst="33:33:ff:" + ":".join(f"{octet:02x}" for octet in low))
              / IPv6(src=source, dst=group, hlim=255) / ICMPv6ND_NS(tgt=target))
    if source != "::":
        packet /= ICMPv6NDOptSrcLLAddr(lladdr=source_mac)
    return bytes(packet)


def everywhere(inner):
    """A frame of guest a1 that floods."""
    raw = bytearray(inner)
    tagged = bytes(raw[:12]) + bytes.fromhex("8100000a") + bytes(raw[12:])
    return {"a2": bytes(inner), "t1": tagged, "up0": [to(number, inner) for number in (2, 3, 9)]}


def _teach(rig):
    """The station behind cn-2 says who it is, by ARP and by neighbour discovery."""
    link = rig.link
    rig.gateway.cli("fdb", "flush", "--all")
    advert = bytes(Ether(src=FAR_GUEST, dst="33:33:00:00:00:01")
                   / IPv6(src=IP6_FAR, dst="ff02::1", hlim=255)
                   / ICMPv6ND_NA(tgt=IP6_FAR, R=0, S=0, O=1)
                   / ICMPv6NDOptDstLLAddr(lladdr=FAR_GUEST))
    rig.play(("up0", vxlan(2, arp(1, FAR_GUEST, IP_FAR, IP_FAR), link=link)),
             ("up0", vxlan(2, advert, link=link)))


def _flooded(rig):
    """Off, which is the default: everything floods."""
    _teach(rig)
    asked = arp(1, GUEST, IP_GUEST, IP_FAR)
    rig.check("suppression off: an ARP request for a known station is flooded", ("a1", asked),
              everywhere(asked))
    asked = solicit(GUEST, IP6_GUEST, IP6_FAR)
    rig.check("so is a neighbour solicitation", ("a1", asked), everywhere(asked))


def _answered(rig):
    _teach(rig)
    suppressed = ("neighbor_suppressed", "a1")
    asked = arp(1, GUEST, IP_GUEST, IP_FAR)
    answer = arp(2, FAR_GUEST, IP_FAR, IP_GUEST, GUEST, GUEST)
    rig.eventually("suppression on: an ARP request for a known station behind a peer is answered "
                   "where it came from, and flooded nowhere", ("a1", asked), {"a1": answer},
                   consumed=suppressed)
    probe = arp(1, GUEST, "0.0.0.0", IP_FAR)
    rig.check("an ARP probe for a known address is answered: it is taken", ("a1", probe),
              {"a1": arp(2, FAR_GUEST, IP_FAR, "0.0.0.0", GUEST, GUEST)}, consumed=suppressed)
    asked = solicit(GUEST, IP6_GUEST, IP6_FAR)
    advert = bytes(Ether(src=FAR_GUEST, dst=GUEST) / IPv6(src=IP6_FAR, dst=IP6_GUEST, hlim=255)
                   / ICMPv6ND_NA(tgt=IP6_FAR, R=0, S=1, O=1)
                   / ICMPv6NDOptDstLLAddr(lladdr=FAR_GUEST))
    rig.eventually("a neighbour solicitation is answered by an advertisement", ("a1", asked),
                   {"a1": advert}, consumed=suppressed)
    for claim, raw in (
            ("an ARP request for an unknown address", arp(1, GUEST, IP_GUEST, "10.0.10.200")),
            ("a gratuitous ARP request", arp(1, GUEST, IP_GUEST, IP_GUEST)),
            ("a gratuitous ARP reply", arp(2, GUEST, IP_GUEST, IP_GUEST, ALL)),
            ("an ARP probe for an unknown address", arp(1, GUEST, "0.0.0.0", "10.0.10.201")),
            ("a RARP announcement", bytes(Ether(src=GUEST, dst=ALL, type=0x8035) / ARP(
                op=3, hwsrc=GUEST, psrc="0.0.0.0", hwdst=GUEST, pdst="0.0.0.0")).ljust(60, b"\0")),
            ("duplicate address detection", solicit(GUEST, "::", IP6_FAR)),
            ("an unsolicited neighbour advertisement",
             bytes(Ether(src=GUEST, dst="33:33:00:00:00:01")
                   / IPv6(src=IP6_GUEST, dst="ff02::1", hlim=255)
                   / ICMPv6ND_NA(tgt=IP6_GUEST, R=0, S=0, O=1)
                   / ICMPv6NDOptDstLLAddr(lladdr=GUEST)))):
        rig.check(f"suppression on: {claim} is flooded", ("a1", raw), everywhere(raw))
    rig.gateway.cli("fdb", "flush", "--all")
    asked = arp(1, GUEST, IP_GUEST, IP_FAR)
    rig.check("suppression on: nobody answers for a station that was forgotten", ("a1", asked),
              everywhere(asked))
