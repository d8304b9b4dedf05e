"""Jumbo frames, oversized frames, and octets that are no frame at all."""

import random

from scapy.packet import Raw

from ..netns import wait_until
from .rig import Rig
from .tags import ALL, GUEST, SERVER, frame, q

SITE = """\
hosts: [{name: gw-a}]
bridges: [{name: big}, {name: web}]
gatewayBridges: [{name: gw}, {name: jumbo}]
trunks:
  - {name: t1, gatewayBridge: gw, host: gw-a, interface: t1}
  - {name: j1, gatewayBridge: jumbo, host: gw-a, interface: j1}
vlanLinks:
  - {gatewayBridge: jumbo, vid: 10, bridge: big}
  - {gatewayBridge: gw, vid: 10, bridge: web}
accessPorts:
  - {name: j2, bridge: big, host: gw-a, interface: j2}
  - {name: a1, bridge: web, host: gw-a, interface: a1}
"""
GARBAGE = 3000
JUMBO = 9600  # the largest MTU that a node file may set


def run(report):
    report.title("Lengths and garbage")
    # Garbage goes to taps: the kernel drops the worst of it before a packet socket sees it.
    with Rig(report, ("j1", "j2"), taps=("t1", "a1"), mtu={"j1": JUMBO, "j2": JUMBO}) as rig:
        rig.start(SITE, 4)
        giant = Raw(bytes(JUMBO))
        rig.check("4: a jumbo frame of the largest MTU is popped and passes whole",
                  ("j1", frame(q(10), payload=giant)), {"j2": frame(payload=giant)})
        rig.check("4: and tagged the other way",
                  ("j2", frame(dst=SERVER, src=GUEST, payload=giant)),
                  {"j1": frame(q(10), dst=SERVER, src=GUEST, payload=giant)})
        _garbage(report, rig)


def _garbage(report, rig):
    """Random octets behind plausible and implausible beginnings; the seed makes them repeatable."""
    generator = random.Random(802)
    heads = [bytes.fromhex(head) for head in (
        "ffffffffffff", "0180c2000000", "01000ccccccd", "0180c200000e", "0180c2000002",
        "525400000001", "000000000000")]
    before = rig.gateway.accounting()["received"]
    for number in range(GARBAGE):
        head = generator.choice(heads)
        tags = generator.choice((b"", b"\x81\x00", b"\x81\x00\x00\x0a\x81\x00", b"\x88\xa8"))
        body = generator.randbytes(generator.choice((2, 6, 30, 46, 200, 1400)))
        source = b"\x52\x54\0" + generator.randbytes(3) if number % 3 else generator.randbytes(6)
        rig.ports["t1" if number % 2 else "a1"].send(head + source + tags + body)
        if number % 32 == 31:  # no more in flight than a ring holds
            rig.gateway.accounting()
    wait_until(lambda: rig.gateway.accounting()["received"] >= before + GARBAGE, 3)
    line = rig.gateway.accounting()
    report.check(f"{GARBAGE} frames of garbage leave the accounting difference at 0",
                 line["difference"] == 0 and line["received"] == before + GARBAGE, f"{before} before; {line}")
    rig.gateway.cli("fdb", "flush", "--all")
    rig.check("and the gateway forwards as before",
              ("t1", frame(q(10), dst=ALL)), {"a1": frame()})
