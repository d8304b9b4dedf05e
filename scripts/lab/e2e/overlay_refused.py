"""What the underlay may not bring in, and what may not leave: each with its drop reason and port."""

from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from .overlay_wire import BRIDGES, FAR_GUEST, HOSTS, PEERS, PORTS, ZONE
from .tags import frame, q
from .tunnels import (LINK, VNI, TunnelRig, gre, host, ip4, ip6, mac, outer, site, vxlan)

ROUTELESS = "203.0.113.1"
BPDU = bytes.fromhex("0180c2000000" "525400000001" "0026" "424203" + "00" * 35) + bytes(8)
INNER = frame(src=FAR_GUEST)


def _document(**more):
    tunnels = [{"name": "far", "zone": "dc", "remote": ip4(9), "bridges": ["web"]},
               {"name": "lost", "zone": "dc", "remote": ROUTELESS, "bridges": ["db"]},
               {"name": "mute", "zone": "dc", "remote": ip4(66), "bridges": ["db"]},
               {"name": "six", "zone": "dc", "remote": ip6(9), "bridges": ["web"]}]
    ports = {**PORTS, **more}
    ports["accessPorts"] = [*ports["accessPorts"], {"name": "a3", "bridge": "db", "host": "gw-a",
                                                    "interface": "a3"}]
    zone = {key: value for key, value in ZONE.items() if key != "ipVersion"}
    zone["hosts"] = [name for name in zone["hosts"] if name != "cn-4"]
    hosts = [one for one in HOSTS if one["name"] != "cn-4"]
    bridges = [*BRIDGES, {"name": "shut", "vni": 5004, "admin": "down"}]
    ports["accessPorts"] = [port for port in ports["accessPorts"] if port["host"] != "cn-4"]
    ports["accessPorts"].append({"name": "a4", "bridge": "shut", "host": "gw-a",
                                 "interface": "a4"})
    return site([{**zone, "kind": "vxlan"}], tunnels, bridges, hosts, **ports)


def run(report):
    report.title("Frames that the underlay may not bring, and those that may not leave")
    with TunnelRig(report, ("t1", "a1", "a2", "a3", "a4"), mtu=1560) as rig:
        rig.silent = {66}
        rig.start(_document(), 4, ("cn-2", "cn-3", "far", "six"))
        _headers(rig)
        _inner(rig)
        _leaving(rig)
    _gre(report)


def _headers(rig):
    link = rig.link

    def refused(claim, raw, reason, port=LINK):
        rig.check(claim, ("up0", raw), drop=(reason, port))

    good = vxlan(2, INNER, link=link)
    rig.check("before: a frame of a peer arrives", ("up0", good),
              {"a1": INNER, "a2": INNER, "t1": frame(q(10), src=FAR_GUEST)})
    refused("RFC 7348: flag I is required", vxlan(2, INNER, link=link, header={0: 0}),
            "tunnel_bad_header")
    rig.check("RFC 7348: every reserved bit is ignored",
              ("up0", vxlan(2, INNER, link=link, header={0: 0xFF, 1: 0xFF, 2: 0xFF, 3: 0xFF, 7: 0xFF})),
              {"a1": INNER, "a2": INNER, "t1": frame(q(10), src=FAR_GUEST)})
    refused("a VNI of no bridge", vxlan(2, INNER, 9999, link=link), "vni_unknown")
    refused("VNI 0", vxlan(2, INNER, 0, link=link), "vni_unknown")
    refused("an address that is no peer", vxlan(77, INNER, link=link), "vtep_unknown")
    refused("a peer that has no port in that bridge", vxlan(9, INNER, 5002, link=link),
            "vtep_unknown")
    refused("a bridge that is down", vxlan(2, INNER, 5004, link=link), "admin_down")
    refused("another UDP port", vxlan(2, INNER, link=link, port=8472), "tunnel_unexpected")
    refused("GRE, when nobody uses it", gre(2, INNER, link=link), "tunnel_unexpected")
    refused("a TCP segment", outer(2, TCP(sport=1, dport=22), link=link), "tunnel_unexpected")
    refused("BFD of a host that is not watched", outer(2, UDP(sport=49152, dport=3784) / Raw(
        bytes.fromhex("20c00318" + "00000001" + "00000000" + "000f4240" * 2 + "00000000")),
        link=link, ttl=255), "tunnel_unexpected")
    refused("another destination address", vxlan(2, INNER, link=link, to=99), "tunnel_unexpected")
    refused("another destination MAC", vxlan(2, INNER, link="02:00:00:00:00:99"), "not_for_us")
    refused("a multicast that is no neighbour discovery",
            vxlan(2, INNER, link="01:00:5e:00:00:01"), "not_for_us")
    refused("what is not IP", bytes(Ether(src=mac(2), dst=link, type=0x88B5) / Raw(bytes(60))),
            "tunnel_unexpected")
    refused("a tagged frame on an underlay without VLANs",
            bytes(Ether(src=mac(2), dst=link, type=0x8100) / Raw(bytes.fromhex("00050800"))
                  / Raw(bytes(60))), "port_unbound")
    for count in (20, 27, 35, 41, 49):
        refused(f"VXLAN cut off after {count} octets", _cut(good, count), "tunnel_bad_header")
    refused("a wrong IPv4 header checksum", vxlan(2, INNER, link=link, chksum=0x1234),
            "tunnel_bad_checksum")
    refused("a wrong UDP checksum", vxlan(2, INNER, link=link, udp_checksum=0x1234),
            "tunnel_bad_checksum")
    rig.check("a right UDP checksum is accepted over IPv4",
              ("up0", vxlan(2, INNER, link=link, udp_checksum=None)),
              {"a1": INNER, "a2": INNER, "t1": frame(q(10), src=FAR_GUEST)})
    refused("RFC 6935: a zero UDP checksum over IPv6", vxlan(9, INNER, family=6, link=link,
                                                             udp_checksum=0),
            "tunnel_bad_checksum")
    refused("a wrong one over IPv6", vxlan(9, INNER, family=6, link=link, udp_checksum=0x1234),
            "tunnel_bad_checksum")
    refused("an IP version that the header contradicts",
            good[:12] + b"\x86\xdd" + good[14:], "tunnel_bad_header")
    refused("an IP header of less than 20 octets", good[:14] + b"\x44" + good[15:],
            "tunnel_bad_header")
    for piece in fragment(Ether(_unlocked(good)), 64)[:2]:
        refused("a fragment of a tunnelled frame", bytes(piece), "tunnel_fragment")
    refused("2.2: a group address as outer source",
            good[:6] + bytes.fromhex("01005e000001") + good[12:], "bad_source")


def _unlocked(raw):
    """Without DF, so that scapy cuts it into fragments."""
    packet = Ether(raw)
    packet[IP].flags = 0
    del packet[IP].chksum
    return bytes(packet)


def _cut(raw, count):
    """The frame with `count` octets of IP, and an IP header that says so."""
    packet = IP(raw[14:14 + max(count, 20)])
    packet.len = max(count, 20)
    del packet.chksum
    return raw[:14] + bytes(packet)[:max(count, 20)].ljust(46, b"\0")


def _inner(rig):
    link = rig.link

    def refused(claim, inner, reason, port="@cn-2", vni=VNI):
        rig.check(claim, ("up0", vxlan(2, inner, vni, link=link)), drop=(reason, port))

    refused("inside: less than an Ethernet header", bytes(13), "malformed")
    refused("inside: nothing", b"", "malformed")
    refused("inside: a group address as source", frame(src="01:00:5e:00:00:01"), "bad_source")
    refused("inside: the zero address as source", frame(src="00:00:00:00:00:00"), "bad_source")
    refused("inside: a tag", frame(q(7), src=FAR_GUEST), "tunnel_tagged")
    refused("inside: VID 4095", frame(q(4095), src=FAR_GUEST), "vlan_reserved")
    refused("5, inside: a spanning tree frame", BPDU, "bpdu_on_access")
    refused("5, inside: LACP", bytes.fromhex("0180c2000002") + BPDU[6:], "reserved")
    refused("5, inside: LLDP", bytes.fromhex("0180c200000e") + BPDU[6:], "reserved")


def _leaving(rig):
    rig.check("4: a frame that does not fit the tunnel is refused for each peer, never cut",
              ("t1", frame(q(10), payload=Raw(b"b" * 1500))),
              {"a1": frame(payload=Raw(b"b" * 1500)), "a2": frame(payload=Raw(b"b" * 1500)),
               "up0": [_copy(number, frame(payload=Raw(b"b" * 1500))) for number in (2, 3, 9)]},
              drop=("mtu_exceeded", "@six"))
    rig.check("to a peer whose address does not resolve, and to one without route: counted, and "
              "nothing is queued", ("a3", frame(src="52:54:00:00:03:01")),
              drop={("neighbor_unresolved", "@mute"): 1, ("tunnel_no_route", "@lost"): 1})


def _copy(number, inner):
    return "VXLAN", ip4(number), VNI, inner


def _gre(report):
    """The same for GRE."""
    text = site([{"name": "old", "kind": "gre", "hosts": ["gw-a"]}],
                [{"name": "far", "zone": "old", "remote": ip4(9), "bridges": ["web"]},
                 {"name": "six", "zone": "old", "remote": ip6(9), "bridges": ["web"]}],
                own=host(), accessPorts=[{"name": "a1", "bridge": "web", "host": "gw-a",
                                          "interface": "a1"}])
    with TunnelRig(report, ("a1",)) as rig:
        rig.start(text, 1, ("far", "six"))
        link = rig.link

        def refused(claim, raw, reason, port=LINK):
            rig.check(claim, ("up0", raw), drop=(reason, port))

        rig.check("before: a frame in GRE arrives", ("up0", gre(9, INNER, link=link)),
                  {"a1": INNER})
        rig.check("RFC 2784: one with a right checksum too",
                  ("up0", gre(9, INNER, link=link, checksum=1)), {"a1": INNER})
        wrong = bytearray(gre(9, INNER, link=link, checksum=1))
        wrong[38] ^= 0xFF
        refused("RFC 2784: a wrong GRE checksum", bytes(wrong), "tunnel_bad_checksum")
        good = gre(9, INNER, link=link)
        refused("a key of no bridge", gre(9, INNER, 9999, link=link), "vni_unknown")
        refused("a key beyond 24 bits", gre(9, INNER, 0x01001389, link=link), "vni_unknown")
        refused("GRE without key", good[:34] + bytes.fromhex("00006558") + good[42:],
                "tunnel_bad_header")
        refused("GRE version 1", good[:34] + bytes.fromhex("20016558") + good[38:],
                "tunnel_bad_header")
        refused("GRE with another payload than Ethernet", good[:36] + b"\x08\x00" + good[38:],
                "tunnel_bad_header")
        refused("VXLAN from a peer that uses GRE", vxlan(9, INNER, link=link),
                "tunnel_unexpected")
        refused("an address that is no peer", gre(77, INNER, link=link), "vtep_unknown")
        rig.check("over IPv6 it arrives", ("up0", gre(9, INNER, family=6, link=link)),
                  {"a1": INNER})
