"""A gateway with a raw wire on each of its interfaces, and one way to check a frame.

Silence is proved, not waited for: the daemon says how many frames it received and sent. A check is
over when it has received what was sent to it and every frame that it counts as sent has been
captured; whatever was captured by then is compared octet by octet.
"""

import dataclasses

from ..capture import Port
from ..gateway import Gateway, object_name
from ..netns import Lab, wait_until
from ..wire import Frame


@dataclasses.dataclass
class Outcome:
    """What became of the frames of one check."""

    copies: dict  # wire: [octets]
    drops: dict  # (reason, port): frames
    consumed: dict  # (protocol, port): frames

    def differences(self, copies, drops, consumed):
        """What is not as expected, in words."""
        found = []
        for wire in sorted({*self.copies, *copies}):
            got, want = self.copies.get(wire, []), copies.get(wire, [])
            if got != want:
                found += [f"{wire}: expected {_show(want)}", f"{' ' * len(wire)}  captured {_show(got)}"]
        for what, got, want in (("dropped", self.drops, drops),
                                ("consumed", self.consumed, consumed)):
            if want is not None and got != want:
                found.append(f"{what}: expected {want}, counted {got}")
        return "\n".join(found)


def _show(frames):
    return "; ".join(f"{Frame.read(raw)} [{raw.hex()}]" if isinstance(raw, bytes)
                     else " ".join(map(_word, raw)) for raw in frames) or "nothing"


def _word(part):
    """Part of a tunnelled copy: kind, endpoint, VNI, inner octets."""
    return f"[{Frame.read(part)} {part.hex()}]" if isinstance(part, bytes) else str(part)


class Rig:
    """Wires are veth pairs: one end is the daemon's interface, the other end is ours."""

    def __init__(self, report, wires, taps=(), mtu=None):
        """`wires` names the interfaces; `taps` those that the daemon makes itself as taps."""
        self.report = report
        self.lab = Lab()
        self.lab.__enter__()
        try:
            self.space = self.lab.namespace("gw")
            self.peers = self.lab.namespace("peers")
            self.mtu = mtu or {}
            self.taps = tuple(taps)
            self.ports = {}
            for wire in wires:
                self.cable(wire)
            interfaces = {wire: {"kind": "af_packet", **self._mtu(wire)} for wire in wires}
            interfaces |= {tap: {"kind": "tap", **self._mtu(tap)} for tap in taps}
            self.gateway = Gateway(self.lab, self.space, interfaces)
        except BaseException:
            self.lab.close()
            raise

    def _mtu(self, wire):
        return {"mtu": self.mtu[wire]} if wire in self.mtu else {}

    def cable(self, wire):
        """Lays a cable to an interface and opens our end."""
        self.lab.veth((self.space, wire), (self.peers, wire), self.mtu.get(wire, 1500))
        self.open(wire, self.peers)

    def open(self, wire, namespace):
        """Captures a device; replaces an earlier capture of the same name."""
        port = self.ports[wire] = Port(namespace, wire, self.lab.path(f"{wire}.pcap"))
        self.lab.on_close(port.close)
        return port

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lab.close()

    def start(self, site, forwarding):
        """Starts the daemon and waits until this many ports forward."""
        self.gateway.start(site)
        for tap in self.taps:
            self.open(tap, self.space)
        if not self.gateway.wait_link_up(forwarding):
            self.report.check("all ports forward", False, self.gateway.cli("ports").stdout)

    def pcap(self, wire):
        """The capture file of a wire."""
        return self.lab.path(f"{wire}.pcap")

    def apply(self, site, *options):
        """Changes the site; the daemon reports it programmed."""
        return self.gateway.apply(site, *options)

    def play(self, *sent):
        """Sends (wire, octets) one after the other and returns what became of them.

        The next frame waits until the one before was received: frames on two wires have no order
        of their own.
        """
        before, drops, consumed = self._counts()
        marks = {wire: port.recorder.mark() for wire, port in self.ports.items()}
        for number, (wire, raw) in enumerate(sent, start=1):
            self.ports[wire].send(raw)
            goal = before["received"] + number
            wait_until(lambda: self.gateway.accounting()["received"] >= goal, 3)
        after, drops_after, consumed_after = self._counts()
        count = after["sent"] - before["sent"]
        wait_until(lambda: sum(port.recorder.mark() - marks[wire]
                               for wire, port in self.ports.items()) >= count, 1)
        copies = {wire: [frame.raw for frame in port.recorder.since(marks[wire])]
                  for wire, port in self.ports.items()}
        return Outcome({wire: frames for wire, frames in copies.items() if frames},
                       _grown(drops, drops_after), _grown(consumed, consumed_after))

    def check(self, claim, sent, copies=None, drop=None, consumed=None):
        """Plays frames and compares everything: copies on every wire, drops, consumed frames.

        `sent` is (wire, octets) or a list of them; `copies` is {wire: octets or list of octets};
        `drop` and `consumed` are (name, port), each meaning one frame.
        """
        sent = sent if isinstance(sent, list) else [sent]
        wanted = {wire: raw if isinstance(raw, list) else [raw]
                  for wire, raw in (copies or {}).items()}
        outcome = self.play(*[(wire, bytes(raw)) for wire, raw in sent])
        wanted = {wire: [bytes(raw) for raw in frames] for wire, frames in wanted.items()}
        found = outcome.differences(wanted, {drop: 1} if drop else {},
                                    {consumed: 1} if consumed else {})
        return self.report.check(claim, not found, found)

    def _counts(self):
        accounting = self.gateway.json("drops", "--accounting", check=False)
        consumed = {(entry["protocol"], object_name(entry.get("port", ""))):
                    int(entry.get("frames", 0))
                    for entry in accounting.get("consumed", [])}
        return self.gateway.accounting(), self.gateway.drops(), consumed


def _grown(before, after):
    return {key: count - before.get(key, 0) for key, count in after.items()
            if count != before.get(key, 0)}
