"""The demo: both walks of the blog that the project started from, and what an operator does next.

Every verdict rests on captures of the wires: the switch records what crosses each of its ports, the
fabric what crosses the cable of each host, and each virtual machine's device is captured in its own
namespace.
"""

import argparse
import os
import shutil
import signal
import sys

from . import netns
from .gateway import describe_mac
from .netns import Lab, LabError, run
from .report import Report
from .stream import Stream
from .topology import (KERNEL_HOST, MACHINES, NOTHING, PICTURE, SERVERS, UPLINK_TRUNK, VLAN20,
                       WALK1, WALK2, WEB, WEB_VNI, Network, Watch)
from .wire import BROADCAST, mac_bytes

_SERVER, _VM2, _VM5 = SERVERS["server1"], MACHINES["vm2"], MACHINES["vm5"]


def _request(frame):
    return frame.is_arp_request(_SERVER[1], _VM2[1]) and frame.destination == BROADCAST


def _reply(frame):
    return frame.is_arp_reply(_VM2[1], _SERVER[1])


def _walk(report, network, port, vid):
    """The six steps that follow when server1 wants to talk to vm2; `vid` is None when untagged."""
    gateway, compute = network.gateways["gw-a"], network.gateways["cn-2"]
    network.forget()
    watch = Watch(network)
    # A host learns off the packet path, a moment after the frame. vm2 holds its answer for that
    # moment, so that its reply cannot overtake the learning: it would be flooded, and arrive.
    network.set_answers_arp("vm2", False)
    ping = network.start_ping("server1", "vm2")
    tag = "untagged" if vid is None else f"tagged VLAN {vid}"

    frame = watch.first("uplink", _request, "out")
    kind = "an access port" if vid is None else "a trunk"
    report.step(1, "server1 broadcasts an ARP request for vm2. The switch floods it in VLAN 10, to "
                f"its port towards eth1 of gw-a too, which is {kind}.",
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

    remote = compute.wait_mac(_SERVER[2], "@gw-a")
    _flooded(report, watch, remote)
    _answered(report, network, watch, ping, vid)


def _flooded(report, watch, remote):
    """Step 3: one copy to each machine here, one through the fabric to each other host."""
    remotes = [name for name in watch.legs if name != "gw-a"]

    def counts():
        sent, delivered = (watch.envelopes(direction, _request) for direction in ("in", "out"))
        return ({name: len(found) for name, found in sent.items()},
                {name: len(found) for name, found in delivered.items()})

    def complete():
        # server1 asks again until it is answered: everybody got as many as the wire carried.
        asked = len(watch.seen("uplink", _request, "out"))
        return (asked > 0
                and all(len(watch.seen(name, _request, "in")) == asked for name in WEB)
                and counts() == ({"gw-a": asked * len(remotes), **dict.fromkeys(remotes, 0)},
                                 {"gw-a": 0, **dict.fromkeys(remotes, asked)}))

    exact = netns.wait_until(complete, 2)
    asked = len(watch.seen("uplink", _request, "out"))
    back = watch.seen("uplink", _request, "in")
    machines = {name: watch.seen(name, _request, "in") for name in WEB}
    envelopes = [envelope for found in watch.envelopes("in", _request).values()
                 for envelope in found]
    kinds = {str(found[0]) if found else "nothing" for found in machines.values()}
    report.step(3, "The bridge floods the request: one copy to vm1 here, and one in a tunnel to "
                "each other host, however many ports it has there. Those hand it to their own "
                "machines and into no other tunnel.",
                "on the fabric one VXLAN copy each to cn-2, cn-3 and k-4, none to gw-a; one "
                "untagged copy at vm1 to vm5",
                [f"fabric: {envelope}" for envelope in envelopes[:1]]
                + [f"requests: {asked}; copies on the fabric: " + ", ".join(
                    f"to {name} {count}" for name, count in counts()[1].items()),
                   "at " + ", ".join(f"{name} {len(found)}" for name, found in machines.items())
                   + f"; back to the switch {len(back)}",
                   *(f"each: {text}" for text in sorted(kinds))],
                exact and not back and all(found[0].vid is None for found in machines.values())
                and all(envelope.vni == WEB_VNI for envelope in envelopes) and remote is not None)


def _answered(report, network, watch, ping, vid):
    """Steps 4 to 6: the reply goes one way only."""
    network.set_answers_arp("vm2", True)
    pinged, _ = ping.communicate(timeout=20)
    answer = watch.first("vm2", _reply, "out")
    others = [name for name in WEB if name != "vm2" and watch.seen(name, _reply)]
    frame = watch.first("uplink", _reply, "in")
    delivered = watch.envelopes("out", _reply)
    tunnelled = {name: len(found) for name, found in delivered.items()}
    only = {name: int(name == "gw-a") for name in tunnelled}
    report.step(4, "vm2 answers. The reply is unicast to server1, whom cn-2 has just learned behind "
                "its tunnel to gw-a, so it goes one way only.",
                "the reply leaves vm2; one VXLAN copy to gw-a, none to others; no other machine "
                "sees it",
                [str(answer or "nothing"),
                 *(f"fabric: {envelope}" for envelope in delivered["gw-a"][:1]),
                 "copies on the fabric: " + ", ".join(f"to {name} {count}" for name, count
                                                      in tunnelled.items())
                 + f"; seen by: {', '.join(others) or 'no other machine'}"],
                answer is not None and not others and tunnelled == only)

    tag = "untagged" if vid is None else f"tagged VLAN {vid}"
    count = len(watch.seen("uplink", _reply, "in"))
    what = ("gw-a takes it out of the tunnel and sends it out of p4, that is eth1, as it is."
            if vid is None else
            "On gw-a it leaves bridge web towards gateway bridge gw, which knows server1 behind "
            "trunk0 and pushes the tag.")
    report.step(5, what, f"one copy on the wire from eth1, {tag}",
                [str(frame or "nothing"), f"copies: {count}"],
                frame is not None and frame.vid == vid and count == 1)

    frame = watch.first("server1", _reply, "out")
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


def _ready(report, network, ports):
    """Every port forwards and every host can send to every other."""
    forwarding = all(network.gateways[name].wait_link_up(count) for name, count in ports.items())
    if not (network.wait_tunnels() and forwarding):
        report.check("every port forwards and every tunnel is up", False, "\n".join(
            network.gateways[name].cli(command, check=False).stdout
            for name in ports for command in ("ports", "tunnels")))


def _first_walk(report, network):
    report.title("Walk 1: an untagged access port")
    report.say("The switch port towards eth1 is an access port of VLAN 10; eth1 is access port p4 "
               "of bridge web, which spans four hosts. One site file for all: `sluice apply` on "
               "each.")
    network.apply(WALK1, "--prune")
    _ready(report, network, {"gw-a": 2, "cn-2": 2, "cn-3": 1})
    report.block(network.gateways["gw-a"].cli("tunnels").stdout)
    _walk(report, network, "p4", None)


def _second_walk(report, network):
    report.title("Walk 2: a trunk and a VLAN-aware gateway bridge")
    report.say("The same cable becomes a trunk: the switch now tags VLANs 10, 20 and 30 on it, and "
               "one `sluice apply` replaces p4 by trunk0 of gateway bridge gw, VLAN 10 linked to "
               "web.")
    report.block(network.gateways["gw-a"].cli("diff", "--prune", "-f", "-", text=WALK2,
                                              check=False).stdout)
    network.switch.set_mode("uplink", UPLINK_TRUNK)
    network.apply(WALK2, "--prune")
    _ready(report, network, {"gw-a": 2, "cn-2": 2, "cn-3": 1})
    _walk(report, network, "trunk0", 10)


def _broadcasts(report, network):
    """A machine's broadcast, and one of the host that runs only a kernel."""
    report.title("Broadcasts of machines")
    for name, host in (("vm2", "cn-2"), ("vm5", KERNEL_HOST)):
        watch = Watch(network)
        address = MACHINES[name][1]
        run("ip", "-n", network.spaces[name], "neighbour", "flush", "dev", "eth0")

        def request(frame, sender=address):
            return frame.is_arp_request(sender, _SERVER[1]) and frame.destination == BROADCAST

        pinged = network.ping(name, "server1", wait=5)
        others = [machine for machine in WEB if machine != name]
        asked = len(watch.seen(name, request, "out"))
        wanted = {leg: asked * (leg != host) for leg in watch.legs}

        def copies():
            return {leg: len(found) for leg, found in watch.envelopes("out", request).items()}

        reached = netns.wait_until(
            lambda: copies() == wanted and len(watch.seen("uplink", request, "in")) == asked
            and all(len(watch.seen(machine, request, "in")) == asked for machine in others), 2)
        tagged = {frame.vid for frame in watch.seen("uplink", request, "in")}
        report.check(f"{name} on {host} asks for server1: one copy on the fabric to each other "
                     f"host, none back to {host}; one at every other machine, one tagged VLAN 10 "
                     "on the trunk; it is answered",
                     reached and asked > 0 and tagged == {10} and pinged.returncode == 0,
                     f"{asked} asked, on the fabric {copies()}, wanted {wanted}, on the trunk "
                     f"{tagged}\n{pinged.stdout}")
    learned = network.kernel.learned().get(_SERVER[2])
    report.check("the kernel of k-4 has learned server1 behind gw-a",
                 learned == network.fabric.legs["gw-a"].v4, network.kernel.learned())


def _tables(report, network):
    report.title("What the hosts know: sluice fdb show")
    for name in ("vm1", "vm3", "vm4", "vm5"):
        network.ping("server1", name)
    network.ping("vm2", "vm5")
    wanted = {"gw-a": {"server1": (_SERVER[2], "trunk0", 10), "vm1": "p1", "vm2": "@cn-2",
                       "vm3": "@cn-2", "vm4": "@cn-3", "vm5": "@k-4"},
              "cn-2": {"server1": (_SERVER[2], "@gw-a", None), "vm2": "p2", "vm3": "p3",
                       "vm5": "@k-4"}}
    for host, stations in wanted.items():
        gateway = network.gateways[host]
        entries = [where if isinstance(where, tuple) else (MACHINES[name][2], where, None)
                   for name, where in stations.items()]
        missing = [entry for entry in entries if gateway.wait_mac(*entry) is None]
        report.block(gateway.cli("fdb", "show").stdout)
        report.check(f"{host} knows " + ", ".join(
            f"{name} behind {where[1] if isinstance(where, tuple) else where}"
            for name, where in stations.items()), not missing, f"missing: {missing}")


def _second_vlan(report, network):
    report.title("A second VLAN, added live")
    report.say("Two numbered streams run between server1 and vm2, one each way through VLAN and "
               "tunnel, while `sluice apply` links VLAN 20 to a new bridge db with vm6 on cn-3.")
    spaces = network.spaces
    streams = {"server1 to vm2": Stream(spaces["server1"], spaces["vm2"], _VM2[1]),
               "vm2 to server1": Stream(spaces["vm2"], spaces["server1"], _SERVER[1])}
    before = network.ping("server2", "vm6", wait=0.5)
    report.check("before: server2 in VLAN 20 cannot reach vm6", before.returncode != 0)
    started = all(stream.wait_for(250) for stream in streams.values())
    applied = network.apply(VLAN20)
    report.block(applied.stdout or applied.stderr)
    _ready(report, network, {"gw-a": 2, "cn-2": 2, "cn-3": 2})
    after = network.ping("server2", "vm6", count=3)
    report.check("after: server2 pings vm6", after.returncode == 0, after.stdout)
    network.ping("server1", "vm1", count=3)
    finished = all(stream.wait_for(250) for stream in streams.values())
    for name, stream in streams.items():
        clean, figures = stream.stop().verdict()
        report.check(f"the stream {name} did not notice: {figures}",
                     clean and started and finished)
    leaked = [name for name in WEB if [frame for frame in network.machines[name].since()
                                       if frame.source == SERVERS["server2"][2]]]
    report.check("nothing of VLAN 20 reached bridge web", not leaked, f"seen at: {leaked}")


def _a_drop_explained(report, network):
    report.title("A dropped frame, explained")
    report.say("server3 broadcasts in VLAN 30, which the switch carries to the gateway, but which "
               "is linked to no bridge.")
    gateway = network.gateways["gw-a"]
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
    for name, gateway in network.gateways.items():
        text = gateway.cli("drops", "--accounting", check=False).stdout
        report.block(f"{name}  {_last_line(text, 'difference')}")
        line = gateway.accounting()
        balance = (line["received"] + line["originated"] + line["copied"] - line["sent"]
                   - line["consumed"] - line["dropped"])
        report.check(f"{name}: received + originated + copies = sent + consumed + dropped, "
                     "difference 0",
                     line["received"] > 0 and balance == 0 and line["difference"] == 0, line)


def _judged(report, network):
    """The fabric's captures, read by somebody else's dissector."""
    if not shutil.which("tshark"):
        return
    report.title("The captures of the fabric, read by tshark")
    wanted = f"arp.opcode==1 && arp.src.proto_ipv4=={_SERVER[1]} && arp.dst.proto_ipv4=={_VM2[1]}"
    counts, broken = {}, []
    for name, leg in network.fabric.legs.items():
        done = run("tshark", "-n", "-r", network.fabric.pcap(name), "-Y",
                   f"vxlan && ({wanted} || _ws.malformed)", "-T", "fields", "-e", "ip.dst",
                   "-e", "vxlan.vni", "-e", "_ws.malformed")
        rows = [line.split("\t") for line in done.stdout.splitlines()]
        counts[name] = len([row for row in rows if row[:2] == [leg.v4, str(WEB_VNI)]])
        broken += [row for row in rows if row[2]]
    report.check("it finds the broadcasts of server1 in VXLAN 5001 as often towards each of cn-2, "
                 f"cn-3 and k-4, {counts['cn-2']} times, never towards gw-a, and nothing malformed",
                 not broken and counts["gw-a"] == 0 and counts["cn-2"] > 0
                 and len({counts[name] for name in counts if name != "gw-a"}) == 1,
                 f"{counts} {broken[:5]}")


def _removal(report, network):
    report.title("Clean removal")
    lab = network.lab
    network.apply(NOTHING, "--prune")
    report.check("`sluice apply --prune` of an empty site leaves no port and no MAC on any host",
                 netns.wait_until(lambda: not any(
                     gateway.macs() or gateway.json("ports").get("ports")
                     for gateway in network.gateways.values()), 3))
    codes = network.each(lambda gateway: gateway.stop())
    report.check("sluiced stops on SIGTERM with exit code 0 on every host",
                 set(codes.values()) == {0}, codes)
    report.check("its control socket is gone", not any(
        os.path.exists(gateway.socket) for gateway in network.gateways.values()))
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


def play(report, keep):
    """Runs the whole demo; returns the exit code."""
    lab = Lab()
    try:
        with lab:
            for name in lab.leftovers:
                report.say(f"removed {name}, left by a run that was killed")
            report.line(PICTURE)
            network = Network(lab)
            network.start()
            try:
                for part in (_first_walk, _second_walk, _broadcasts, _tables, _second_vlan,
                             _a_drop_explained, _accounting, _judged):
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
        return play(Report(colour), options.keep)
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
