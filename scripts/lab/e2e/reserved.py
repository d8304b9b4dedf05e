"""Reserved addresses: what is relayed, consumed and dropped (forwarding rules section 5)."""

from scapy.contrib.lacp import LACP, SlowProtocol
from scapy.contrib.lldp import (LLDPDUChassisID, LLDPDUEndOfLLDPDU, LLDPDUPortID, LLDPDUSystemName,
                                LLDPDUTimeToLive)
from scapy.layers.l2 import LLC, SNAP, STP, Dot3, Ether
from scapy.packet import Raw

from ..gateway import object_name
from ..netns import wait_until
from .judge import tshark_fields
from .rig import Rig
from .tags import GUEST, SERVER, SITE, WIRES, frame, q

SWITCH = "52:54:00:00:99:01"
STP_GROUP, PVST_GROUP = "01:80:c2:00:00:00", "01:00:0c:cc:cc:cd"

PASSING = SITE.replace(
    "transit: true}",
    'transit: true, reserved: [{address: "01:80:c2:00:00:21", action: pass}]}')


def bpdu(flags=0, src=SWITCH):
    """An RSTP BPDU, padded as a switch would."""
    packet = (Dot3(dst=STP_GROUP, src=src) / LLC(dsap=0x42, ssap=0x42, ctrl=3)
              / STP(version=2, bpdutype=2, bpduflags=flags, rootmac=SWITCH, bridgemac=SWITCH)
              / Raw(b"\0"))
    packet.len = len(packet) - 14
    return bytes(packet).ljust(60, b"\0")


def tagged(raw, vid, pcp=0):
    """The same frame with a tag."""
    return raw[:12] + bytes([0x81, 0x00, pcp << 5 | vid >> 8, vid & 0xFF]) + raw[12:]


def pvst(vid, flags=0):
    """A Rapid-PVST+ BPDU of a VLAN, with its TLV, untagged."""
    packet = (Dot3(dst=PVST_GROUP, src=SWITCH) / LLC(dsap=0xAA, ssap=0xAA, ctrl=3)
              / SNAP(OUI=0x00000C, code=0x010B)
              / STP(version=2, bpdutype=2, bpduflags=flags, rootmac=SWITCH, bridgemac=SWITCH)
              / Raw(b"\0" + b"\0\0" + b"\0\2" + vid.to_bytes(2, "big")))
    packet.len = len(packet) - 14
    return bytes(packet)


def lldp():
    """An LLDPDU of a switch with a name."""
    return bytes(Ether(dst="01:80:c2:00:00:0e", src=SWITCH, type=0x88CC)
                 / LLDPDUChassisID(subtype=4, id=SWITCH) / LLDPDUPortID(subtype=5, id="ge-0/0/7")
                 / LLDPDUTimeToLive(ttl=120) / LLDPDUSystemName(system_name="leaf7")
                 / LLDPDUEndOfLLDPDU()).ljust(60, b"\0")


def lacp():
    """A LACPDU."""
    return bytes(Ether(dst="01:80:c2:00:00:02", src=SWITCH, type=0x8809) / SlowProtocol()
                 / LACP(actor_system=SWITCH))


def control(dst, ethertype=0x88B5):
    """A frame to a reserved address with no known protocol."""
    return bytes(Ether(dst=dst, src=SWITCH, type=ethertype) / Raw(bytes(46)))


def run(report):
    report.title("Reserved addresses")
    with Rig(report, WIRES, mtu={"t1": 2000}) as rig:
        rig.start(PASSING, len(WIRES))
        _relayed(rig)
        _consumed(report, rig)
        _dropped(rig)
        _topology_change(report, rig)
        rows = tshark_fields(rig.pcap("t3"), "stp.version", "eth.dst", "vlan.id")
        report.check("tshark reads the relayed BPDUs as Rapid Spanning Tree",
                     ["2", STP_GROUP, ""] in rows and ["2", PVST_GROUP, "30"] in rows, rows)


def _relayed(rig):
    rig.check("5: a BPDU crosses between the trunks of a stp-transparent gateway bridge, octet by "
              "octet, and goes nowhere else", ("t2", bpdu()), {"t3": bpdu()})
    rig.check("5: and the other way", ("t3", bpdu()), {"t2": bpdu()})
    rig.check("2.5: a BPDU with a priority tag counts as untagged and is relayed as it came",
              ("t2", tagged(bpdu(), 0, 7)), {"t3": tagged(bpdu(), 0, 7)})
    rig.check("5: a PVST+ BPDU keeps its tag and never enters a bridge",
              ("t2", tagged(pvst(30), 30, 7)), {"t3": tagged(pvst(30), 30, 7)})
    rig.check("5: an untagged PVST+ BPDU is relayed too", ("t2", pvst(1)), {"t3": pvst(1)})
    rig.check("5: a provider bridge BPDU is relayed as a BPDU",
              ("t2", bpdu().replace(bytes.fromhex("0180c2000000"), bytes.fromhex("0180c2000008"))),
              {"t3": bpdu().replace(bytes.fromhex("0180c2000000"), bytes.fromhex("0180c2000008"))})
    passing = control("01:80:c2:00:00:21")
    rig.check("5: an address that the policy passes crosses trunk to trunk",
              ("t2", passing), {"t3": passing})


def _consumed(report, rig):
    rig.check("5: a BPDU on a trunk of a lease gateway bridge is consumed",
              ("t1", bpdu()), consumed=("bpdu", "t1"))
    rig.check("5: a PVST+ BPDU likewise",
              ("t1", tagged(pvst(10), 10)), consumed=("pvst", "t1"))
    rig.check("5: LLDP is consumed on a trunk", ("t1", lldp()), consumed=("lldp", "t1"))
    neighbors = rig.gateway.json("ports", "--neighbors").get("neighbors", [])
    report.check("and the neighbour is shown",
                 any((object_name(entry.get("port", "")), entry.get("systemName"), entry.get("portId"))
                     == ("t1", "leaf7", "ge-0/0/7") for entry in neighbors), neighbors)
    rig.check("5: LACP is consumed on a trunk, before any VLAN rule",
              ("t4", lacp()), consumed=("slow_protocol", "t4"))


def _dropped(rig):
    rig.check("5: a BPDU from a guest is dropped", ("a1", bpdu()), drop=("bpdu_on_access", "a1"))
    rig.check("5: a PVST+ BPDU from a guest is dropped",
              ("a1", pvst(10)), drop=("bpdu_on_access", "a1"))
    rig.check("5: a BPDU with a VLAN tag is dropped",
              ("t2", tagged(bpdu(), 30)), drop=("bpdu_tagged", "t2"))
    rig.check("5: LLDP from a guest is dropped", ("a1", lldp()), drop=("reserved", "a1"))
    rig.check("5: LACP from a guest is dropped", ("a1", lacp()), drop=("reserved", "a1"))
    for name, address in (("CDP", "01:00:0c:cc:cc:cc"), ("PAUSE", "01:80:c2:00:00:01"),
                          ("802.1X", "01:80:c2:00:00:03"), ("GVRP", "01:80:c2:00:00:21")):
        rig.check(f"5: {name} on a trunk that no policy passes it from is dropped",
                  ("t1", control(address)), drop=("reserved", "t1"))
        rig.check(f"5: {name} from a guest is dropped",
                  ("a1", control(address)), drop=("reserved", "a1"))


def _topology_change(report, rig):
    gateway = rig.gateway
    rig.play(("t1", frame(q(10))), ("a1", frame(src=GUEST)))
    known = gateway.wait_mac(SERVER, "t1", 10) and gateway.wait_mac(GUEST, "a1")
    report.check("a server behind t1 and a guest behind a1 are known", bool(known), gateway.macs())
    rig.check("5: a BPDU with the topology change flag is consumed",
              ("t1", bpdu(flags=0x01)), consumed=("bpdu", "t1"))
    gone = wait_until(lambda: not gateway.macs(mac=SERVER), 3)
    kept = gateway.wait_mac(GUEST, "a1") is not None
    report.check("5: it flushes what was learned on the trunks, and nothing else", gone and kept,
                 gateway.macs())
    to_server = frame(dst=SERVER, src=GUEST)
    rig.check("5: the next frame to the server floods", ("a1", to_server),
              {"a2": to_server, "t1": frame(q(10), dst=SERVER, src=GUEST),
               "t2": frame(q(30), dst=SERVER, src=GUEST),
               "t3": frame(q(30), dst=SERVER, src=GUEST)})
