"""Frames in tunnels: who gets a copy, and what is around it, octet by octet."""

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from .judge import tshark_fields
from .tags import ALL, GUEST, OTHER, SERVER, frame, q
from .tunnels import VNI, TunnelRig, gre, host, ip4, ip6, mac, site, to, vxlan

FAR_GUEST, FAR_OTHER = "52:54:00:00:02:01", "52:54:00:00:09:01"
PORTS = {
    "gatewayBridges": [{"name": "gw"}],
    "trunks": [{"name": "t1", "gatewayBridge": "gw", "host": "gw-a", "interface": "t1"}],
    "vlanLinks": [{"gatewayBridge": "gw", "vid": 10, "bridge": "web"}],
    "accessPorts": [
        {"name": "a1", "bridge": "web", "host": "gw-a", "interface": "a1"},
        {"name": "a2", "bridge": "web", "host": "gw-a", "interface": "a2"},
        # Two ports there, one copy.
        {"name": "p2", "bridge": "web", "host": "cn-2", "interface": "vm2"},
        {"name": "p3", "bridge": "web", "host": "cn-2", "interface": "vm3"},
        {"name": "p4", "bridge": "web", "host": "cn-3", "interface": "vm4"},
        # This host has no port in web.
        {"name": "p5", "bridge": "db", "host": "cn-4", "interface": "vm5"},
    ],
}
BRIDGES = [{"name": "web", "vni": VNI}, {"name": "db", "vni": 5002},
           {"name": "clear", "vni": 5003, "transparent": True}]
HOSTS = [host(2, "cn-2"), host(3, "cn-3"), host(4, "cn-4")]
ZONE = {"name": "dc", "hosts": ["gw-a", "cn-2", "cn-3", "cn-4"], "ipVersion": "ipv4"}
FAR = {"name": "far", "zone": "dc", "bridges": ["web"]}
PEERS = ("cn-2", "cn-3", "far")


def document(kind="vxlan", family=4, **zone):
    """The site with one zone of a kind."""
    remote = ip4(9) if family == 4 else ip6(9)
    return site([{**ZONE, "kind": kind, "ipVersion": f"ipv{family}", **zone}],
                [{**FAR, "remote": remote}], BRIDGES, HOSTS, **PORTS)


def run(report):
    report.title("Frames in tunnels")
    with TunnelRig(report, ("t1", "a1", "a2")) as rig:
        rig.start(document(), 3, PEERS)
        for kind in ("vxlan", "gre"):
            for family in (4, 6):
                rig.change(document(kind, family), *PEERS)
                _copies(rig, kind, family)
                _around(report, rig, kind, family)
        _options(report, rig)
        _judged(report, rig)
    _spread(report)


def _copies(rig, kind, family):
    name = f"{kind.upper()} over IPv{family}"
    rig.gateway.cli("fdb", "flush", "--all")
    wrap = (vxlan if kind == "vxlan" else gre)
    link = rig.link

    def from_peer(number, inner, **fields):
        return "up0", wrap(number, inner, family=family, link=link, **fields)

    def copy(number, inner):
        return to(number, inner, kind=kind.upper(), family=family)

    far = frame(src=FAR_GUEST)
    rig.check(f"{name}, F5: a broadcast of a server reaches both guests here, and each remote host "
              "with a port in the bridge in one untagged copy",
              ("t1", frame(q(10, 5))),
              {"a1": frame(), "a2": frame(), "up0": [copy(2, frame()), copy(3, frame()),
                                                     copy(9, frame())]})
    rig.check(f"{name}, F6: a broadcast out of a tunnel goes to local ports only, tagged on the "
              "trunk", from_peer(2, far), {"a1": far, "a2": far, "t1": frame(q(10), src=FAR_GUEST)})
    rig.known(SERVER, "t1", 10)
    rig.known(FAR_GUEST, "@cn-2")
    rig.check(f"{name}, F3: a station behind a peer gets one copy, through its tunnel",
              ("a1", frame(dst=FAR_GUEST, src=GUEST)),
              {"up0": copy(2, frame(dst=FAR_GUEST, src=GUEST))})
    rig.known(GUEST, "a1")
    rig.check(f"{name}, F1: a station here gets a frame out of a tunnel alone",
              from_peer(2, frame(dst=GUEST, src=FAR_GUEST)),
              {"a1": frame(dst=GUEST, src=FAR_GUEST)})
    rig.check(f"{name}, F6: an unknown destination from a tunnel is never sent into another",
              from_peer(9, frame(dst="52:54:00:00:99:99", src=FAR_OTHER)),
              {wire: frame(*tags, dst="52:54:00:00:99:99", src=FAR_OTHER)
               for wire, tags in (("a1", ()), ("a2", ()), ("t1", (q(10),)))})
    rig.known(FAR_OTHER, "@far")
    rig.check(f"{name}, F6: nor is one that is known behind another",
              from_peer(2, frame(dst=FAR_OTHER, src=FAR_GUEST)), drop=("split_horizon", "@cn-2"))
    rig.check(f"{name}, F4: nor back into the same",
              from_peer(9, frame(dst=FAR_OTHER, src="52:54:00:00:09:02")), drop=("hairpin", "@far"))
    short = frame(payload=Raw(b"s" * 20))
    rig.check(f"{name}: a short frame is padded with zeros to 60 octets on both sides of a tunnel",
              [("t1", frame(q(10), dst=FAR_GUEST, payload=Raw(b"s" * 20)).ljust(60, b"\0")),
               from_peer(2, frame(dst=GUEST, src=FAR_GUEST, payload=Raw(b"s" * 20)))],
              {"up0": copy(2, frame(dst=FAR_GUEST, payload=Raw(b"s" * 20)).ljust(60, b"\0")),
               "a1": frame(dst=GUEST, src=FAR_GUEST, payload=Raw(b"s" * 20)).ljust(60, b"\0")})
    assert len(short) < 60
    rig.check(f"{name}, 2.5: a priority tag inside is taken off, and its priority is on the trunk",
              from_peer(2, frame(q(0, 6), dst=SERVER, src=FAR_GUEST)),
              {"t1": frame(q(10, 6), dst=SERVER, src=FAR_GUEST)})


def _packet(seed, tos=0):
    """An inner frame with a TCP segment of flow number `seed`, to a station behind cn-2."""
    return bytes(Ether(dst=FAR_GUEST, src=GUEST)
                 / IP(src="10.0.10.101", dst="10.0.10.102", tos=tos)
                 / TCP(sport=1024 + seed, dport=80) / Raw(b"x" * 40))


def _send_flows(rig, frames):
    """What leaves `up0` for frames from a1, parsed from the outside by scapy."""
    mark = rig.ports["up0"].recorder.mark()
    rig.play(*[("a1", raw) for raw in frames])
    seen = [found for found in rig.ports["up0"].recorder.since(mark) if found.envelope()]
    return [Ether(found.raw) for found in seen]


def _sound(packet, family):
    """What is wrong with the outer headers of a packet, in words."""
    faults = []
    if family == 4:
        ip = packet[IP]
        again = ip.copy()
        del again.chksum
        checks = {"DF": str(ip.flags) == "DF", "identification 0": ip.id == 0, "TTL 64": ip.ttl == 64,
                  "header checksum": IP(bytes(again)).chksum == ip.chksum,
                  "length": ip.len == len(bytes(packet)) - 14,
                  "destination": (packet.dst, ip.src, ip.dst) == (mac(2), ip4(1), ip4(2))}
    else:
        ip = packet[IPv6]
        checks = {"hop limit 64": ip.hlim == 64, "flow label": ip.fl != 0,
                  "length": ip.plen == len(bytes(packet)) - 54,
                  "destination": (packet.dst, ip.src, ip.dst) == (mac(2), ip6(1), ip6(2))}
    if UDP in packet and packet[UDP].dport == 4789:
        checks["UDP length"] = packet[UDP].len == len(bytes(packet[UDP]))
        checks["UDP source port"] = packet[UDP].sport >= 49152
    for name, right in checks.items():
        if not right:
            faults.append(name)
    return faults


def _around(report, rig, kind, family):
    name = f"{kind.upper()} over IPv{family}"
    rig.play(("up0", (vxlan if kind == "vxlan" else gre)(2, frame(src=FAR_GUEST), family=family,
                                                        link=rig.link)))
    rig.known(FAR_GUEST, "@cn-2")
    flows = 16
    packets = _send_flows(rig, [_packet(seed) for seed in range(flows)] * 2)
    faults = [fault for packet in packets for fault in _sound(packet, family)]
    report.check(f"{name}: {2 * flows} segments of {flows} flows arrive, with sound outer headers: "
                 "lengths, checksum, DF, TTL, next hop", len(packets) == 2 * flows and not faults,
                 f"{len(packets)} packets, {sorted(set(faults))}")
    spread = [packet[UDP].sport if kind == "vxlan" else packet[IPv6].fl if family == 6 else 0
              for packet in packets]
    if kind == "vxlan" or family == 6:
        what = "UDP source port" if kind == "vxlan" else "flow label"
        report.check(f"{name}: the {what} is the same for one flow and differs between flows",
                     spread[:flows] == spread[flows:] and len(set(spread)) > flows // 2, spread)
    if kind == "vxlan":
        if family == 4:
            right = all(packet[UDP].chksum == 0 for packet in packets)
        else:
            right = all(_udp_checksum_right(packet) for packet in packets)
        report.check(f"{name}: the UDP checksum is " + ("zero" if family == 4 else "right"), right)
    at = {("vxlan", 4): 42, ("vxlan", 6): 62, ("gre", 4): 34, ("gre", 6): 54}[kind, family]
    header = {"vxlan": bytes.fromhex("08000000") + (VNI << 8).to_bytes(4, "big"),
              "gre": bytes.fromhex("20006558") + VNI.to_bytes(4, "big")}[kind]
    report.check(f"{name}: the tunnel header is {header.hex()}, and the inner frame follows as it "
                 "was", all(bytes(packet)[at:] == header + _packet(seed % flows)
                            for seed, packet in enumerate(packets)))


def _udp_checksum_right(packet):
    again = packet.copy()
    given = again[UDP].chksum
    del again[UDP].chksum
    return given != 0 and Ether(bytes(again))[UDP].chksum == given


def _options(report, rig):
    """DSCP and UDP checksum as the zone says."""
    tos = 46 << 2
    for settings, claim, right in (
            ({"dscp": 10}, "dscp: 10 is on the outer header",
             lambda packet: packet[IP].tos == 10 << 2),
            ({"dscp": "copy"}, "dscp: copy takes 46 from the inner header, ECN is 0",
             lambda packet: packet[IP].tos == tos),
            ({"udpChecksum": "computed"}, "udpChecksum: computed is right over IPv4",
             _udp_checksum_right),
            ({"udpPort": 8472}, "udpPort: 8472 is the destination port",
             lambda packet: packet[UDP].dport == 8472)):
        rig.change(document(**settings), *PEERS)
        rig.play(("up0", vxlan(2, frame(src=FAR_GUEST), link=rig.link,
                               port=settings.get("udpPort", 4789))))
        rig.known(FAR_GUEST, "@cn-2")
        mark = rig.ports["up0"].recorder.mark()
        rig.play(("a1", _packet(1, tos | 1)))
        packets = [Ether(found.raw) for found in rig.ports["up0"].recorder.since(mark)
                   if found.ethertype == 0x0800 and found.payload[9] == 17
                   and found.raw.endswith(_packet(1, tos | 1))]
        report.check(claim, len(packets) == 1 and right(packets[0]),
                     [packet.summary() for packet in packets])
    rig.change(document(udpChecksum="zero", family=6), *PEERS)
    rig.check("udpChecksum: zero over IPv6 (RFC 6935): a zero checksum is accepted",
              ("up0", vxlan(2, frame(src=FAR_GUEST), family=6, link=rig.link, udp_checksum=0)),
              {"a1": frame(src=FAR_GUEST), "a2": frame(src=FAR_GUEST),
               "t1": frame(q(10), src=FAR_GUEST)})
    rig.known(FAR_GUEST, "@cn-2")
    packets = _send_flows(rig, [_packet(1)])
    report.check("udpChecksum: zero over IPv6: and sent", len(packets) == 1
                 and packets[0][UDP].chksum == 0)
    _transparent(rig)


def _transparent(rig):
    """Tags are payload of a transparent bridge, in a tunnel too."""
    transparent = {**PORTS, "accessPorts": [
        {"name": "a1", "bridge": "clear", "host": "gw-a", "interface": "a1"},
        {"name": "p2", "bridge": "clear", "host": "cn-2", "interface": "vm2"}]}
    rig.change(site([{**ZONE, "kind": "vxlan"}], [], BRIDGES, HOSTS, **transparent), "cn-2")
    rig.check("a transparent bridge: the whole stack goes into the tunnel",
              ("a1", frame(q(7, 1), q(8, 2))), {"up0": to(2, frame(q(7, 1), q(8, 2)), 5003)})
    rig.check("and comes out of it",
              ("up0", vxlan(2, frame(q(7, 3), q(9), src=OTHER), 5003, link=rig.link)),
              {"a1": frame(q(7, 3), q(9), src=OTHER)})


def _judged(report, rig):
    """All that left, read by somebody else's dissector."""
    ours = rig.link
    rows = [row for row in tshark_fields(rig.pcap("up0"), "eth.src", "_ws.malformed",
                                         "ip.checksum.status", "udp.checksum.status", "frame.number")
            if row[0].split(",")[0] == ours]
    broken = [row for row in rows if row[1] or "0" in row[2] or "0" in row[3]]
    sound = [row for row in rows if "1" in row[2]]
    report.check(f"tshark finds none of the {len(rows)} frames that left malformed, nor a wrong "
                 "checksum", not broken and len(rows) > 100 and len(sound) > 50, broken[:5])


ROUTED = "198.51.100.9"


def _spread(report):
    """Equal next hops: flows are spread over them, and one that does not answer is left out."""
    report.title("Several next hops")
    own = host(routes=[{"to": "198.51.100.0/24", "via": [ip4(21), ip4(22), ip4(23)]}])
    text = site([{"name": "dc", "kind": "vxlan", "hosts": ["gw-a"]}],
                [{**FAR, "remote": ROUTED}], own=own,
                accessPorts=[{"name": "a1", "bridge": "web", "host": "gw-a", "interface": "a1"}])
    with TunnelRig(report, ("a1",)) as rig:
        rig.silent = {23}
        rig.start(text, 1, ("far",))
        flows = [bytes(Ether(dst=ALL, src=GUEST) / IP(src="10.0.10.101", dst="10.0.10.9")
                       / UDP(sport=1024 + seed, dport=9) / Raw(b"x" * 30)) for seed in range(64)]

        def taken():
            mark = rig.ports["up0"].recorder.mark()
            rig.play(*[("a1", raw) for raw in flows])
            return [found.destination for found in rig.ports["up0"].recorder.since(mark)
                    if found.envelope()]

        first, second = taken(), taken()
        report.check("64 flows are spread over the two next hops that answer, each flow stays on "
                     "one, and none is lost to the third that does not answer",
                     len(first) == len(flows) and first == second
                     and set(first) == {mac(21), mac(22)}, first)
