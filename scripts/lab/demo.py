"""The demo: both walks of the blog that the project started from, and what an operator does next.

Every verdict rests on captures of the wires: the switch records what crosses each of its ports, and
each virtual machine's device is captured in its own namespace.
"""

import argparse
import os
import shutil
import signal
import sys

from . import netns
from .gateway import describe_mac
from .netns import Lab, LabError
from .report import Report
from .stream import Stream
from .topology import (MACHINES, NOTHING, PICTURE, SERVERS, UPLINK_TRUNK, VLAN20, WALK1, WALK2,
                       Network)
from .wire import BROADCAST, mac_bytes

_SERVER, _VM2 = SERVERS["server1"], MACHINES["vm2"]
_WEB = ("vm1", "vm2", "vm3")


def _request(frame):
    return frame.is_arp_request(_SERVER[1], _VM2[1]) and frame.destination == BROADCAST


def _reply(frame):
    return frame.is_arp_reply(_VM2[1], _SERVER[1])


def _walk(report, network, port, vid):
    """The six steps that follow when server1 wants to talk to vm2; `vid` is None when untagged."""
    gateway, uplink = network.gateway, network.cable("uplink")
    network.forget_neighbours()
    gateway.cli("fdb", "flush", "--all")
    recorders = {**network.machines, "uplink": uplink, "server1": network.cable("server1")}
    marks = {name: recorder.mark() for name, recorder in recorders.items()}

    def seen(name, wanted, direction=None):
        return [frame for frame in recorders[name].since(marks[name], direction) if wanted(frame)]

    def first(name, wanted, direction):
        return recorders[name].wait(wanted, 2.0, marks[name], direction)

    # The gateway learns off the packet path, a moment after the frame. vm2 holds its answer for that
    # moment, so that its reply cannot overtake the learning: it would be flooded, and arrive.
    network.set_answers_arp("vm2", False)
    ping = network.start_ping("server1", "vm2")
    tag = "untagged" if vid is None else f"tagged VLAN {vid}"

    frame = first("uplink", _request, "out")
    kind = "an access port" if vid is None else "a trunk"
    report.step(1, "server1 broadcasts an ARP request for vm2. The switch floods it in VLAN 10, to "
                f"its port towards eth1 too, which is {kind}.",
                f"the request on the wire to eth1, {tag}", str(frame or "nothing"),
                frame is not None and frame.vid == vid)

    entry = gateway.wait_mac(_SERVER[2], port, vid)
    where = f"behind {port}" + (f" in VLAN {vid}" if vid else "")
    what = ("eth1 is bound to access port p4: the frame enters bridge web there, and the bridge "
            "learns server1." if vid is None else
            "eth1 carries trunk0 of gateway bridge gw, which learns server1 in VLAN 10, pops the "
            "tag and hands the frame to the one bridge linked to that VLAN.")
    report.step(2, what, f"{_SERVER[2]} {where}, in bridge web", describe_mac(entry),
                entry is not None and entry["bridge"] == "web")

    def each_got_all():
        # server1 asks again until it is answered: every machine got as many as the wire carried.
        count = len(seen("uplink", _request, "out"))
        return count > 0 and all(len(seen(name, _request, "in")) == count for name in _WEB)

    everyone = netns.wait_until(each_got_all, 2)
    copies = {name: seen(name, _request, "in") for name in _WEB}
    back = seen("uplink", _request, "in")
    report.step(3, "The bridge floods the request to every port but the one it came by.",
                "one untagged copy each at vm1, vm2 and vm3, none back to the switch",
                [f"{name}: {found[0] if found else 'nothing'}" for name, found in copies.items()]
                + [f"back to the switch: {len(back)}"],
                everyone and not back and all(frame.vid is None for found in copies.values()
                                              for frame in found))

    network.set_answers_arp("vm2", True)
    pinged, _ = ping.communicate(timeout=20)
    answer = first("vm2", _reply, "out")
    frame = first("uplink", _reply, "in")
    others = [name for name in _WEB if name != "vm2" and seen(name, _reply)]
    report.step(4, "vm2 answers. The reply is unicast to server1, whom the bridge has just learned, "
                "so it goes one way only.",
                "the reply leaves vm2; vm1 and vm3 do not see it",
                [str(answer or "nothing"),
                 f"seen by: {', '.join(others) or 'neither vm1 nor vm3'}"],
                answer is not None and not others)

    count = len(seen("uplink", _reply, "in"))
    what = ("The bridge sends it out of p4, that is eth1, as it is." if vid is None else
            "It leaves bridge web towards gateway bridge gw, which knows server1 behind trunk0 and "
            "pushes the tag.")
    report.step(5, what, f"one copy on the wire from eth1, {tag}",
                [str(frame or "nothing"), f"copies: {count}"],
                frame is not None and frame.vid == vid and count == 1)

    frame = first("server1", _reply, "out")
    learned = network.switch.learned().get((10, mac_bytes(_VM2[2])))
    report.step(6, "The switch learns vm2 in VLAN 10 on that port and forwards the reply to "
                "server1, untagged.",
                "the reply at server1; vm2 known on the switch's uplink; the ping succeeds",
                [str(frame or "nothing"), f"switch: vm2 behind {learned}",
                 "ping: " + _last_line(pinged, "packet loss")],
                frame is not None and frame.vid is None and learned == "uplink"
                and ping.returncode == 0)


def _last_line(text, containing):
    return next((line for line in reversed(text.splitlines()) if containing in line), "no answer")


def _first_walk(report, network):
    report.title("Walk 1: an untagged access port")
    report.say("The switch port towards eth1 is an access port of VLAN 10; eth1 is access port p4 "
               "of bridge web. (On this one host vm2 and vm3 are local; the original walk reaches "
               "them through a tunnel to a second host, which comes with a later release.)")
    network.gateway.apply(WALK1, "--prune")
    network.gateway.wait_link_up(4)
    _walk(report, network, "p4", None)


def _second_walk(report, network):
    report.title("Walk 2: a trunk and a VLAN-aware gateway bridge")
    report.say("The same cable becomes a trunk: the switch now tags VLANs 10, 20 and 30 on it, and "
               "one `sluice apply` replaces p4 by trunk0 of gateway bridge gw, VLAN 10 linked to "
               "web.")
    report.block(network.gateway.cli("diff", "--prune", "-f", "-", text=WALK2, check=False).stdout)
    network.switch.set_mode("uplink", UPLINK_TRUNK)
    network.gateway.apply(WALK2, "--prune")
    network.gateway.wait_link_up(4)
    _walk(report, network, "trunk0", 10)


def _tables(report, network):
    report.title("What the gateway knows: sluice fdb show")
    network.ping("server1", "vm1")
    network.ping("server1", "vm3")
    gateway = network.gateway
    wanted = {"server1": (SERVERS["server1"][2], "trunk0", 10),
              **{name: (MACHINES[name][2], f"p{name[2:]}", None) for name in _WEB}}
    missing = [name for name, entry in wanted.items() if gateway.wait_mac(*entry) is None]
    report.block(gateway.cli("fdb", "show").stdout)
    report.check("server1 is behind trunk0 in VLAN 10, vm1 to vm3 behind p1 to p3", not missing,
                 f"missing: {missing}")


def _second_vlan(report, network):
    report.title("A second VLAN, added live")
    report.say("Two numbered streams run between server1 and vm2, one each way, while `sluice "
               "apply` links VLAN 20 to a new bridge db with vm4.")
    gateway, spaces = network.gateway, network.spaces
    streams = {"server1 to vm2": Stream(spaces["server1"], spaces["vm2"], _VM2[1]),
               "vm2 to server1": Stream(spaces["vm2"], spaces["server1"], _SERVER[1])}
    before = network.ping("server2", "vm4", wait=0.5)
    report.check("before: server2 in VLAN 20 cannot reach vm4", before.returncode != 0)
    started = all(stream.wait_for(250) for stream in streams.values())
    applied = gateway.apply(VLAN20, check=False)
    report.block(applied.stdout or applied.stderr)
    gateway.wait_link_up(5)
    after = network.ping("server2", "vm4", count=3)
    report.check("after: server2 pings vm4", after.returncode == 0, after.stdout)
    network.ping("server1", "vm1", count=3)
    finished = all(stream.wait_for(250) for stream in streams.values())
    for name, stream in streams.items():
        clean, figures = stream.stop().verdict()
        report.check(f"the stream {name} did not notice: {figures}",
                     clean and started and finished)
    leaked = [name for name in _WEB if [frame for frame in network.machines[name].since()
                                        if frame.source == SERVERS["server2"][2]]]
    report.check("nothing of VLAN 20 reached bridge web", not leaked, f"seen at: {leaked}")


def _a_drop_explained(report, network):
    report.title("A dropped frame, explained")
    report.say("server3 broadcasts in VLAN 30, which the switch carries to the gateway, but which "
               "is linked to no bridge.")
    gateway = network.gateway
    ping = network.lab.execute(network.spaces["server3"], "ping", "-c", 1, "-W", "0.3",
                               "10.0.30.99", check=False)
    counted = netns.wait_until(
        lambda: gateway.drops().get(("vlan_unknown", "trunk0"), 0) > 0, 3)
    report.block(gateway.cli("drops").stdout)
    report.line()
    report.block(gateway.cli("explain", "vlan_unknown").stdout)
    sample = next((drop.get("sample") for drop in gateway.json("drops").get("drops", [])
                   if drop["reason"] == "vlan_unknown"), None)
    report.check("the frame was dropped, and counted as vlan_unknown on trunk0",
                 ping.returncode != 0 and counted, gateway.drops())
    report.check("a sample of it was kept", bool(sample), "no sample in `sluice drops -o json`")


def _accounting(report, network):
    report.title("Where every frame went: sluice drops --accounting")
    report.block(network.gateway.cli("drops", "--accounting", check=False).stdout)
    line = network.gateway.accounting()
    balance = (line["received"] + line["originated"] + line["copied"] - line["sent"]
               - line["consumed"] - line["dropped"])
    report.check("received + originated + copies = sent + consumed + dropped, difference 0",
                 line["received"] > 0 and balance == 0 and line["difference"] == 0, line)


def _removal(report, network):
    report.title("Clean removal")
    gateway, lab = network.gateway, network.lab
    gateway.apply(NOTHING, "--prune")
    report.check("`sluice apply --prune` of an empty site leaves no port and no MAC",
                 netns.wait_until(lambda: not gateway.macs()
                                  and not gateway.json("ports").get("ports"), 3))
    code = gateway.stop()
    report.check("sluiced stops on SIGTERM with exit code 0", code == 0,
                 f"exit code {code}\n{gateway.log()}")
    report.check("its control socket is gone", not os.path.exists(gateway.socket))
    lab.close()
    ours = [name for name, _, _ in netns.our_namespaces() if name.startswith(lab.identity)]
    report.check("no namespace and no file of this run is left",
                 not ours and not os.path.exists(lab.folder), ours)


def _keep_captures(lab):
    """Copies captures and logs out of the run's folder, for whoever looks into a failure."""
    if not os.path.isdir(lab.folder):
        return
    target = os.path.join(os.path.dirname(os.environ["SLUICED"]), os.pardir, "lab", lab.identity)
    target = os.path.normpath(target)
    try:
        shutil.copytree(lab.folder, target, dirs_exist_ok=True,
                        ignore=lambda _, names: [name for name in names if name.endswith(".sock")])
    except OSError as error:
        print(f"captures and logs cannot be kept in {target}: {error}", file=sys.stderr)
    else:
        print(f"captures and logs: {target}", file=sys.stderr)


def run(report, keep):
    """Runs the whole demo; returns the exit code."""
    lab = Lab()
    try:
        with lab:
            for name in lab.leftovers:
                report.say(f"removed {name}, left by a run that was killed")
            report.line(PICTURE)
            network = Network(lab)
            network.gateway.start(NOTHING)
            try:
                for part in (_first_walk, _second_walk, _tables, _second_vlan, _a_drop_explained,
                             _accounting):
                    part(report, network)
            finally:
                if keep or report.failed or isinstance(sys.exc_info()[1], Exception):
                    _keep_captures(lab)
            _removal(report, network)
    except LabError as error:
        report.check("the demo runs to its end", False, error)
    return report.close()


def main():
    parser = argparse.ArgumentParser(prog="demo")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    colour = not options.check and sys.stdout.isatty() and "NO_COLOR" not in os.environ
    try:
        return run(Report(colour), options.keep)
    except KeyboardInterrupt:
        print("interrupted; everything that was laid is removed", file=sys.stderr)
        return 130
    except OSError as error:
        # The reader of our output is gone, or its disk is full. Nothing more can be said there.
        print(f"demo: {error}", file=sys.stderr)
        sys.stdout = open(os.devnull, "w", encoding="utf-8")
        return 1


if __name__ == "__main__":
    sys.exit(main())
