"""Tags: what is pushed, popped, kept, padded and refused (forwarding rules sections 2 to 4)."""

from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

from .judge import tshark_fields
from .rig import Rig

ALL = "ff:ff:ff:ff:ff:ff"
SERVER, GUEST, OTHER = "52:54:00:00:10:01", "52:54:00:00:00:01", "52:54:00:00:00:02"
SIZED = Raw(bytes(range(100)))

SITE = """\
hosts: [{name: gw-a}]
bridges: [{name: web}, {name: db}, {name: old}, {name: clear, transparent: true}]
gatewayBridges:
  - {name: gw}
  - {name: fab, mode: stp-transparent, transit: true}
  - {name: nat}
trunks:
  - {name: t1, gatewayBridge: gw, host: gw-a, interface: t1}
  - {name: t2, gatewayBridge: fab, host: gw-a, interface: t2, allowed: [30, 99]}
  - {name: t3, gatewayBridge: fab, host: gw-a, interface: t3, allowed: [30, 99]}
  - {name: t4, gatewayBridge: nat, host: gw-a, interface: t4, native: 5, allowed: [5, 6]}
vlanLinks:
  - {gatewayBridge: gw, vid: 10, bridge: web}
  - {gatewayBridge: gw, vid: 20, bridge: db}
  - {gatewayBridge: fab, vid: 30, bridge: web}
  - {gatewayBridge: nat, vid: 5, bridge: old}
accessPorts:
  - {name: a1, bridge: web, host: gw-a, interface: a1}
  - {name: a2, bridge: web, host: gw-a, interface: a2}
  - {name: a3, bridge: db, host: gw-a, interface: a3}
  - {name: a4, bridge: old, host: gw-a, interface: a4}
  - {name: c1, bridge: clear, host: gw-a, interface: c1}
  - {name: c2, bridge: clear, host: gw-a, interface: c2}
"""
WIRES = ("t1", "t2", "t3", "t4", "a1", "a2", "a3", "a4", "c1", "c2")


def frame(*layers, dst=ALL, src=SERVER, payload=SIZED):
    """Octets of a frame with these tags."""
    packet = Ether(dst=dst, src=src, type=0x88B5)
    if layers:
        packet.type = layers[0].tpid if hasattr(layers[0], "tpid") else 0x8100
    for layer in layers:
        packet = packet / layer
    if layers:
        packet.getlayer(Dot1Q, len(layers)).type = 0x88B5
    return bytes(packet / payload)


def q(vid, pcp=0, dei=0):
    """One 802.1Q tag."""
    return Dot1Q(vlan=vid, prio=pcp, id=dei)


def run(report):
    report.title("Tags")
    with Rig(report, WIRES, mtu={"t1": 2000}) as rig:
        rig.start(SITE, len(WIRES))
        _flooding(rig)
        _known(rig)
        _lengths(rig)
        _refused(rig)
        _stacks(rig)
        _judged_by_tshark(report, rig)


def _flooding(rig):
    rig.check("F5, F7: a broadcast in VLAN 10 goes untagged to access ports and to VLAN 30 with its "
              "priority and DEI kept",
              ("t1", frame(q(10, 5, 1))),
              {"a1": frame(), "a2": frame(), "t2": frame(q(30, 5, 1)), "t3": frame(q(30, 5, 1))})
    rig.check("F5: an untagged broadcast of a guest goes to each VLAN link with its own tag",
              ("a1", frame(src=GUEST)),
              {"a2": frame(src=GUEST), "t1": frame(q(10), src=GUEST),
               "t2": frame(q(30), src=GUEST), "t3": frame(q(30), src=GUEST)})
    rig.check("F5: what is linked to another VLAN stays in its bridge",
              ("t1", frame(q(20, 3))), {"a3": frame()})
    rig.check("3: an untagged frame on a trunk with a native VLAN belongs to it",
              ("t4", frame()), {"a4": frame()})
    rig.check("3, F2: so does one with its tag; what leaves for the native VLAN is tagged",
              [("t4", frame(q(5, 2))), ("a4", frame(src=GUEST))],
              {"a4": frame(), "t4": frame(q(5), src=GUEST)})
    rig.check("F7: transit keeps the tag of a VLAN without link, between trunks only",
              ("t2", frame(q(99, 6))), {"t3": frame(q(99, 6))})


def _known(rig):
    rig.check("F1: a known guest gets the frame alone, untagged",
              ("a2", frame(dst=GUEST, src=OTHER)), {"a1": frame(dst=GUEST, src=OTHER)})
    rig.check("F2: a known server gets the frame alone, tagged with its VLAN",
              ("a1", frame(dst=SERVER, src=GUEST)), {"t1": frame(q(10), dst=SERVER, src=GUEST)})
    rig.check("2.5: the priority of a priority tag is kept on the egress tag",
              ("a1", frame(q(0, 6), dst=SERVER, src=GUEST)),
              {"t1": frame(q(10, 6), dst=SERVER, src=GUEST)})
    rig.check("F4: a frame to a station behind its own port is a hairpin",
              ("t1", frame(q(10), dst=SERVER, src="52:54:00:00:10:02")), drop=("hairpin", "t1"))
    rig.check("4: a station that moved is found at its new port by the very next frame",
              [("a2", frame(dst=SERVER, src=GUEST)), ("t1", frame(q(10), dst=GUEST))],
              {"t1": frame(q(10), dst=SERVER, src=GUEST), "a2": frame(dst=GUEST)})
    rig.check("4: and back again",
              [("a1", frame(dst=SERVER, src=GUEST)), ("t1", frame(q(10), dst=GUEST))],
              {"t1": frame(q(10), dst=SERVER, src=GUEST), "a1": frame(dst=GUEST)})


def _lengths(rig):
    short = frame(q(10), dst=GUEST, payload=Raw(b"s" * 42))
    assert len(short) == 60
    rig.check("4: a frame of 60 octets with its tag is padded with zeros to 60 after the pop",
              ("t1", short), {"a1": frame(dst=GUEST, payload=Raw(b"s" * 42)) + bytes(4)})
    exact = Raw(b"m" * 46)
    rig.check("4: a frame of 64 octets with its tag is not padded",
              ("t1", frame(q(10), dst=GUEST, payload=exact)), {"a1": frame(dst=GUEST, payload=exact)})
    rig.check("4: a frame of 60 octets grows to 64 by its tag",
              ("a1", frame(dst=SERVER, src=GUEST, payload=exact)),
              {"t1": frame(q(10), dst=SERVER, src=GUEST, payload=exact)})
    full = Raw(b"f" * 1500)
    rig.check("4: a full frame of 1500 octets passes with its tag",
              ("t1", frame(q(10), dst=GUEST, payload=full)), {"a1": frame(dst=GUEST, payload=full)})
    rig.check("4: and so it does the other way",
              ("a1", frame(dst=SERVER, src=GUEST, payload=full)),
              {"t1": frame(q(10), dst=SERVER, src=GUEST, payload=full)})
    rig.check("4: one octet more than the egress port's MTU is refused, never cut",
              ("t1", frame(q(10), dst=GUEST, payload=Raw(b"f" * 1501))),
              drop=("mtu_exceeded", "a1"))


def _refused(rig):
    rig.check("3: a VLAN without link is refused",
              ("t1", frame(q(11))), drop=("vlan_unknown", "t1"))
    rig.check("3: a VLAN with link that the trunk does not allow is refused",
              ("t4", frame(q(6))), drop=("vlan_unknown", "t4"))
    rig.check("2.5: VID 4095 is refused", ("t1", frame(q(4095))), drop=("vlan_reserved", "t1"))
    rig.check("3: an untagged frame on a trunk without native VLAN is refused",
              ("t1", frame()), drop=("untagged_on_trunk", "t1"))
    rig.check("2.5, 3: so is a priority-tagged one",
              ("t1", frame(q(0, 4))), drop=("untagged_on_trunk", "t1"))
    rig.check("3: a tagged frame on an access port is refused",
              ("a1", frame(q(10), src=GUEST)), drop=("tagged_on_access", "a1"))
    rig.check("2.2: a group address as source is refused",
              ("t1", frame(q(10), src="01:00:5e:00:00:01")), drop=("bad_source", "t1"))
    rig.check("2.2: so is the zero address",
              ("a1", frame(src="00:00:00:00:00:00")), drop=("bad_source", "a1"))


def _stacks(rig):
    rig.check("3: only the outer tag is popped, the inner one is payload",
              ("t1", frame(q(10, 5), q(77, 2), dst=GUEST)), {"a1": frame(q(77, 2), dst=GUEST)})
    rig.check("3: a transparent bridge passes the whole stack",
              ("c1", frame(q(7, 1), q(8, 2))), {"c2": frame(q(7, 1), q(8, 2))})
    station = "52:54:00:00:00:77"
    rig.check("3: one address in two tags does not move between ports of a transparent bridge",
              [("c1", frame(q(7), src=station)), ("c2", frame(q(8), src=station)),
               ("c2", frame(q(7), dst=station)), ("c1", frame(q(8), dst=station))],
              {"c1": [frame(q(8), src=station), frame(q(7), dst=station)],
               "c2": [frame(q(7), src=station), frame(q(8), dst=station)]})


def _judged_by_tshark(report, rig):
    """The same captures, read by somebody else's dissector."""
    rows = tshark_fields(rig.pcap("t2"), "vlan.id", "vlan.priority", "vlan.dei", "eth.src")
    report.check("tshark reads the copy in VLAN 30 with priority 5 and DEI set",
                 ["30", "5", "1", SERVER] in rows, rows)
    report.check("tshark finds every frame on trunk t1 tagged with VLAN 10",
                 {row[0] for row in tshark_fields(rig.pcap("t1"), "vlan.id")} == {"10"},
                 tshark_fields(rig.pcap("t1"), "vlan.id"))
    inner = tshark_fields(rig.pcap("a1"), "vlan.id")
    report.check("tshark finds one tag on access port a1, the inner 77, and no other",
                 sorted(row[0] for row in inner if row[0]) == ["77"], inner)
