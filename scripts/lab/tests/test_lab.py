"""The lab tests itself before it judges anything else."""

import os
import subprocess
import sys
import unittest

from lab import netns, wire
from lab.capture import Port
from lab.netns import Lab, inside, run, wait_until
from lab.switch import Access, Switch, Trunk
from lab.wire import BROADCAST, Frame, Tag, ethernet

A, B, C = "52:54:00:00:00:0a", "52:54:00:00:00:0b", "52:54:00:00:00:0c"


class WireTest(unittest.TestCase):
    def test_a_tagged_frame_is_read_back_as_it_was_built(self):
        tags = (Tag(10, pcp=5, dei=1), Tag(20, tpid=0x88A8))
        frame = Frame.read(ethernet(BROADCAST, A, 0x88B5, b"hello", tags))
        self.assertEqual((frame.destination, frame.source, frame.tags, frame.ethertype),
                         (BROADCAST, A, tags, 0x88B5))
        self.assertEqual(len(frame.raw), 60)
        self.assertIn("vlan 10 pcp 5", str(frame))

    def test_no_bytes_make_the_reader_raise(self):
        whole = ethernet(BROADCAST, A, 0x0806, bytes(28), (Tag(1), Tag(2)), pad=False)
        for length in range(len(whole) + 1):
            str(Frame.read(whole[:length]))


    def test_what_is_in_a_tunnel_is_read_from_the_outside(self):
        inner = ethernet(BROADCAST, A, 0x88B5, b"hello")
        v4 = bytes.fromhex("4500000000004000401100000a0000010a000002")
        v6 = bytes.fromhex("6000000000001140") + bytes(15) + b"\1" + bytes(15) + b"\2"
        vxlan = bytes.fromhex("c001 12b5 0000 0000 08000000 00138900") + inner
        gre = bytes.fromhex("20006558 00001389") + inner
        for kind, ethertype, packet, ends in (
                ("VXLAN", 0x0800, v4 + vxlan, ("10.0.0.1", "10.0.0.2")),
                ("VXLAN", 0x86DD, v6 + vxlan, ("::1", "::2")),
                ("GRE", 0x0800, v4[:9] + b"\x2f" + v4[10:] + gre, ("10.0.0.1", "10.0.0.2"))):
            raw = ethernet(A, B, ethertype, packet, (Tag(40),))
            envelope = Frame.read(raw).envelope()
            self.assertEqual((envelope.kind, envelope.source, envelope.destination, envelope.vni,
                              envelope.inner.raw), (kind, *ends, 5001, inner))
            for length in range(len(raw)):
                Frame.read(raw[:length]).envelope()
        self.assertIsNone(Frame.read(inner).envelope())


class NamespaceTest(unittest.TestCase):
    def test_a_lab_leaves_nothing_behind(self):
        with Lab() as lab:
            name, folder = lab.namespace("one"), lab.folder
            sleeper = lab.spawn(name, "sleep", "600")
            self.assertIn(name, [entry[0] for entry in netns.our_namespaces()])
        self.assertIsNotNone(sleeper.poll())
        self.assertNotIn(name, [entry[0] for entry in netns.our_namespaces()])
        self.assertFalse(os.path.exists(folder))

    def test_what_a_killed_run_left_is_removed_by_the_next_and_a_living_run_is_not_touched(self):
        script = ("import sys, time; from lab.netns import Lab\n"
                  "lab = Lab().__enter__(); print(lab.namespace('x'), flush=True)\n"
                  "time.sleep(600)")
        killed = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE,
                                  text=True)
        orphan = killed.stdout.readline().strip()
        killed.kill()
        killed.wait()
        killed.stdout.close()
        with Lab() as living:
            kept = living.namespace("kept")
            self.assertIn(orphan, living.leftovers)
            netns.remove_leftovers()
            names = [entry[0] for entry in netns.our_namespaces()]
            self.assertIn(kept, names)
            self.assertNotIn(orphan, names)


class SwitchTest(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.lab.__enter__()
        self.addCleanup(self.lab.close)
        self.switch = Switch(self.lab)
        self.space = self.lab.namespace("stations")
        self.ports = {}

    def station(self, name, mode):
        self.switch.add_port(name, mode, self.space, name)
        port = Port(self.space, name)
        self.addCleanup(port.close)
        self.ports[name] = port
        return port

    def check(self, sender, raw, expected):
        """Sends a frame; `expected` is {station: frame} and everyone else must stay silent.

        The switch records a frame that it takes in before it forwards it, and forwards under its
        lock. So once the frame is recorded and the lock was free, silence is certain.
        """
        ports = self.switch.ports()
        before = {name: port.recorder.mark() for name, port in ports.items()}
        arrived = {name: port.recorder.mark() for name, port in self.ports.items()}
        self.ports[sender].send(raw)
        took = ports[sender].recorder.wait(lambda _: True, mark=before[sender], direction="in")
        self.assertIsNotNone(took, "the switch did not receive the frame")
        self.switch.learned()  # waits for the lock
        for name, port in ports.items():
            sent = [frame.raw for frame in port.recorder.since(before[name], "out")]
            self.assertEqual(sent, [expected[name]] if name in expected else [], name)
        for name, frame in expected.items():
            got = self.ports[name].recorder.wait(lambda _: True, mark=arrived[name])
            self.assertEqual(got and got.raw, frame, f"{name} received {got}")

    def test_tags_are_pushed_popped_and_kept_apart(self):
        for name, mode in (("a10", Access(10)), ("b10", Access(10)), ("c20", Access(20)),
                           ("trunk", Trunk(frozenset({10, 20})))):
            self.station(name, mode)
        plain = ethernet(BROADCAST, A, 0x88B5, b"x" * 60)
        tagged = ethernet(BROADCAST, A, 0x88B5, b"x" * 60, (Tag(10),))
        self.check("a10", plain, {"b10": plain, "trunk": tagged})
        high = ethernet(BROADCAST, B, 0x88B5, b"y" * 60, (Tag(20, pcp=6),))
        self.check("trunk", high, {"c20": ethernet(BROADCAST, B, 0x88B5, b"y" * 60)})
        self.check("trunk", ethernet(BROADCAST, B, 0x88B5, b"z", (Tag(30),)), {})
        self.check("trunk", ethernet(BROADCAST, B, 0x88B5, b"z"), {})
        self.check("a10", ethernet(BROADCAST, B, 0x88B5, b"z", (Tag(10),)), {})
        self.assertEqual(self.switch.learned()[10, wire.mac_bytes(A)], "a10")
        to_a = ethernet(A, B, 0x88B5, b"w" * 60, (Tag(10),))
        self.check("trunk", to_a, {"a10": ethernet(A, B, 0x88B5, b"w" * 60)})

    def test_a_short_frame_is_padded_as_hardware_would(self):
        self.station("a10", Access(10))
        trunk = self.station("trunk", Trunk(frozenset({10})))
        self.ports["a10"].send(ethernet(BROADCAST, A, 0x0806, bytes(28), pad=False))
        got = trunk.recorder.wait(lambda _: True)
        self.assertEqual(got.raw, ethernet(BROADCAST, A, 0x0806, bytes(46), (Tag(10),)))

    def test_a_bpdu_stays_on_its_link(self):
        self.station("a10", Access(10))
        self.station("b10", Access(10))
        self.check("a10", ethernet("01:80:c2:00:00:00", A, 38, bytes(40)), {})

    def test_two_kernel_stacks_talk_across_an_access_port_and_native_vlan(self):
        for name, mode, address in (("east", Access(7), "10.9.0.1/24"),
                                    ("west", Trunk(frozenset({7}), native=7), "10.9.0.2/24")):
            space = self.lab.namespace(name)
            self.switch.add_port(name, mode, space, "eth0")
            run("ip", "-n", space, "address", "add", address, "dev", "eth0")
        ping = self.lab.execute(f"{self.lab.identity}-east", "ping", "-c", "3", "-i", "0.05",
                                "-W", "2", "10.9.0.2")
        self.assertIn(" 0% packet loss", ping.stdout)

    def test_a_pulled_cable_takes_the_device_away(self):
        self.station("a10", Access(10))
        self.switch.remove_port("a10")
        with inside(self.space):
            gone = wait_until(lambda: not os.path.exists("/proc/sys/net/ipv4/conf/a10"), 2)
        self.assertTrue(gone)


if __name__ == "__main__":
    unittest.main()
