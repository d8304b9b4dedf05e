"""Tap devices: the kind that keeps 802.1ad tags, which packet sockets rewrite."""

from scapy.layers.l2 import Dot1AD

from .rig import Rig
from .tags import frame, q

SITE = """\
hosts: [{name: gw-a}]
bridges: [{name: web}, {name: db}]
gatewayBridges: [{name: gw}, {name: provider}]
trunks:
  - {name: x1, gatewayBridge: gw, host: gw-a, interface: x1}
  - {name: x2, gatewayBridge: provider, host: gw-a, interface: x2, tpid: 0x88a8}
vlanLinks:
  - {gatewayBridge: gw, vid: 10, bridge: web}
  - {gatewayBridge: provider, vid: 20, bridge: web}
  - {gatewayBridge: provider, vid: 30, innerVid: 40, bridge: db}
accessPorts:
  - {name: a1, bridge: web, host: gw-a, interface: a1}
  - {name: a2, bridge: db, host: gw-a, interface: a2}
"""


def s(vid, pcp=0):
    """One 802.1ad service tag."""
    return Dot1AD(vlan=vid, prio=pcp)


def provider(*layers, **fields):
    """A frame whose outer tag is a service tag."""
    raw = bytearray(frame(*[q(layer.vlan, layer.prio) for layer in layers], **fields))
    raw[12:14] = b"\x88\xa8"
    return bytes(raw)


def run(report):
    report.title("Tap devices and service tags")
    with Rig(report, ("a1", "a2"), taps=("x1", "x2")) as rig:
        rig.start(SITE, 4)
        rig.check("3: the outer tag of a trunk with TPID 0x88a8 is popped, and VLAN 10 gets 0x8100",
                  ("x2", provider(s(20, 5))), {"a1": frame(), "x1": frame(q(10, 5))})
        rig.check("3: a trunk with TPID 0x88a8 pushes it",
                  ("x1", frame(q(10, 2), src="52:54:00:00:10:09")),
                  {"a1": frame(src="52:54:00:00:10:09"),
                   "x2": provider(s(20, 2), src="52:54:00:00:10:09")})
        rig.check("2.1: a tag stack that is cut off is malformed (a packet socket never sees one: "
                  "the kernel drops it)", ("x1", frame(q(10))[:16]), drop=("malformed", "x1"))
        rig.check("3: 0x88a8 on a trunk of TPID 0x8100 is never classified by its VID",
                  ("x1", provider(s(10))), drop=("bad_tpid", "x1"))
        rig.check("3: nor 0x8100 on a trunk of TPID 0x88a8",
                  ("x2", frame(q(20))), drop=("bad_tpid", "x2"))
        rig.check("3: a service and customer VID pair is matched and popped as one",
                  ("x2", provider(s(30), q(40))), {"a2": frame()})
        rig.check("3: and pushed as one",
                  ("a2", frame(src="52:54:00:00:00:05")),
                  {"x2": provider(s(30), q(40), src="52:54:00:00:00:05")})
        rig.check("3: another inner VID is not that pair",
                  ("x2", provider(s(30), q(41))), drop=("vlan_unknown", "x2"))
