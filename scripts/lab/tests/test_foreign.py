"""The foreign peers prove themselves against each other before they judge anything else."""

import unittest

from lab.fabric import Fabric, Station, join
from lab.foreign import Frr, KernelBridge, OpenVswitch
from lab.netns import Lab, wait_until

VNI = 5001


class ForeignTest(unittest.TestCase):
    routed = True

    def setUp(self):
        self.lab = Lab()
        self.lab.__enter__()
        self.addCleanup(self.lab.close)

    def station(self, name, number, host, bridge_port):
        """A station in a namespace of its own, cabled to a device of a host."""
        space = self.lab.namespace(name)
        self.lab.veth((host, bridge_port), (space, "eth0"))
        return Station(self.lab, name, number, space, capture=False)

    def kernel(self, fabric, name, number, family):
        leg = fabric.kernel_host(name, number)
        bridge = KernelBridge(leg, VNI, family=family)
        station = self.station(f"vm{number}", number, leg.namespace, f"p{number}")
        bridge.add_port(f"p{number}")
        return leg, bridge, station

    def switch(self, fabric, name, number):
        leg = fabric.attach(name, number, self.lab.namespace(name))
        switch = OpenVswitch(self.lab, leg)
        join(leg, "phy")
        station = self.station(f"vm{number}", number, leg.namespace, f"p{number}")
        switch.add_bridge("web", f"p{number}")
        return leg, switch, station

    def assert_talk(self, one, other):
        done = one.ping(other, count=3, wait=3)
        self.assertIn(" 0% packet loss", done.stdout, done.stdout)

    def test_kernel_vxlan_to_kernel_vxlan(self):
        for family in (4, 6):
            with self.subTest(family=family), Lab() as self.lab:
                fabric = Fabric(self.lab)
                a, bridge_a, vm1 = self.kernel(fabric, "k-1", 1, family)
                b, bridge_b, vm2 = self.kernel(fabric, "k-2", 2, family)
                bridge_a.add_remote(b.address(family))
                bridge_b.add_remote(a.address(family))
                self.assert_talk(vm1, vm2)
                self.assertEqual(bridge_a.learned().get(vm2.mac), b.address(family))

    def test_open_vswitch_vxlan_to_kernel_vxlan(self):
        for family in (4, 6):
            with self.subTest(family=family), Lab() as self.lab:
                fabric = Fabric(self.lab)
                a, bridge, vm1 = self.kernel(fabric, "k-1", 1, family)
                b, switch, vm2 = self.switch(fabric, "ovs", 2)
                bridge.add_remote(b.address(family))
                switch.add_tunnel("web", "far", "vxlan", a.address(family), VNI)
                self.assert_talk(vm1, vm2)
                self.assertEqual(bridge.learned().get(vm2.mac), b.address(family))
                self.assertEqual(switch.learned("web").get(vm1.mac), "far")

    def test_open_vswitch_gre_to_open_vswitch_gre(self):
        for family in (4, 6):
            with self.subTest(family=family), Lab() as self.lab:
                fabric = Fabric(self.lab)
                a, switch_a, vm1 = self.switch(fabric, "ovs-1", 1)
                b, switch_b, vm2 = self.switch(fabric, "ovs-2", 2)
                switch_a.add_tunnel("web", "far", "gre", b.address(family), VNI)
                switch_b.add_tunnel("web", "far", "gre", a.address(family), VNI)
                self.assert_talk(vm1, vm2)
                self.assertEqual(switch_a.learned("web").get(vm2.mac), "far")

    def test_frr_to_frr_bfd_single_hop_and_multihop(self):
        for routed in (False, True):
            with self.subTest(routed=routed), Lab() as self.lab:
                fabric = Fabric(self.lab, routed=routed)
                legs = [fabric.kernel_host(f"f-{number}", number) for number in (1, 2)]
                peers = [Frr(self.lab, leg.namespace, leg.name) for leg in legs]
                for frr, own, far in zip(peers, legs, reversed(legs)):
                    frr.add_peer(far.v4, own.v4, multihop=routed,
                                 interface=None if routed else "up0")
                self.assertTrue(all(frr.wait_up() for frr in peers), peers[0].peers())
                peers[0].kill()
                self.assertTrue(peers[1].wait_up(False, 3), peers[1].peers())
                peers[0].start("bfdd")
                peers[0].add_peer(legs[1].v4, legs[0].v4, multihop=routed,
                                  interface=None if routed else "up0")
                self.assertTrue(peers[1].wait_up(), peers[1].peers())


if __name__ == "__main__":
    unittest.main()
