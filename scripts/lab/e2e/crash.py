"""What goes wrong around the daemon: killed, stopped, reloaded, cables and devices that vanish."""

import glob
import os
import signal
import subprocess

from ..netns import run as run_command
from ..netns import wait_until
from .rig import Rig
from .tags import GUEST, frame, q

SITE = """\
hosts: [{name: gw-a}]
bridges: [{name: web}]
gatewayBridges: [{name: gw}]
trunks: [{name: t1, gatewayBridge: gw, host: gw-a, interface: t1}]
vlanLinks: [{gatewayBridge: gw, vid: 10, bridge: web}]
accessPorts:
  - {name: a1, bridge: web, host: gw-a, interface: a1}
  - {name: a2, bridge: web, host: gw-a, interface: a2}
"""
SECOND_LINK = SITE.replace("bridge: web}]\naccess", "bridge: web}, "
                           "{gatewayBridge: gw, vid: 11, bridge: web, join: true}]\naccess")
BOTH = {"a1": frame(), "a2": frame()}


def run(report):
    report.title("Crashes and absences")
    with Rig(report, ("t1", "a1", "a2")) as rig:
        folders = _dpdk_folders()
        rig.start(SITE, 3)
        rig.check("before: a broadcast of VLAN 10 reaches both guests", ("t1", frame(q(10))), BOTH)
        _restarts(report, rig)
        _second_daemon(report, rig)
        _reload(report, rig)
        _vanishing(report, rig)
        code = rig.gateway.stop()
        report.check("and leaves no run-time folder of DPDK", _dpdk_folders() == folders,
                     _dpdk_folders() - folders)
        report.check("after all that, SIGTERM still ends it with exit code 0", code == 0,
                     f"{code}\n{rig.gateway.log()}")
    _absent_interface(report)


def _restarts(report, rig):
    gateway = rig.gateway
    before = _hugepage_files()
    for attempt in range(1, 4):
        gateway.kill()
        gateway.restart()
        gateway.wait_link_up(3)
        rig.check(f"after kill -9 number {attempt} and a restart it forwards as before",
                  ("t1", frame(q(10))), BOTH)
    report.check("no hugepage file piles up", _hugepage_files() <= before + 64,
                 f"{before} before, {_hugepage_files()} after")


def _hugepage_files():
    return sum(len(files) for _, _, files in os.walk("/dev/hugepages"))


def _dpdk_folders():
    """What DPDK keeps of daemons with the name of this node."""
    return set(glob.glob("/var/run/dpdk/sluice-gw-a-*"))


def _second_daemon(report, rig):
    gateway = rig.gateway
    second = run_command("ip", "netns", "exec", rig.space, os.environ["SLUICED"], "--config",
                         gateway.node_file, check=False, timeout=30)
    text = second.stdout + second.stderr
    report.check("a second daemon on the same node file refuses, and names the socket",
                 second.returncode != 0 and gateway.socket in text, text)
    rig.check("and the first one does not notice", ("t1", frame(q(10))), BOTH)


def _reload(report, rig):
    gateway = rig.gateway
    with open(gateway.site_file, "w", encoding="utf-8") as file:
        file.write(SECOND_LINK)
    gateway.daemon.send_signal(signal.SIGHUP)
    linked = wait_until(
        lambda: gateway.cli("get", "vlanLinks/gw/11", check=False).returncode == 0, 5)
    report.check("SIGHUP reads the site file again", linked, gateway.log(5))
    rig.check("and the link it added forwards: join lets VLAN 11 reach VLAN 10 as well",
              ("t1", frame(q(11), src=GUEST)),
              {"a1": frame(src=GUEST), "a2": frame(src=GUEST),
               "t1": frame(q(10), src=GUEST)})
    with open(gateway.site_file, "w", encoding="utf-8") as file:
        file.write("bridges: [{name: web, colour: red}]\n")
    gateway.daemon.send_signal(signal.SIGHUP)
    told = wait_until(lambda: "colour" in gateway.log(), 5)
    report.check("a site file with an error is refused, and the log says where",
                 told and gateway.daemon.poll() is None, gateway.log(10))
    rig.check("and what ran before goes on, VLAN 11 included", ("t1", frame(q(10))),
              {**BOTH, "t1": frame(q(11))})
    gateway.apply(SITE, "--prune")


def _vanishing(report, rig):
    gateway = rig.gateway
    rig.ports["a2"].close()
    run_command("ip", "-n", rig.space, "link", "del", "a2")
    noticed = wait_until(lambda: gateway.cli("status", check=False).returncode == 12, 10)
    status = gateway.cli("status", check=False)
    report.check("an interface that vanishes makes `sluice status` say so, with exit code 12",
                 noticed and "a2" in status.stdout, status.stdout)
    del rig.ports["a2"]
    outcome = rig.play(("t1", frame(q(10))))
    report.check("the others forward as before", outcome.copies == {"a1": [frame()]},
                 outcome.differences({"a1": [frame()]}, None, None))
    line = gateway.accounting()
    report.check("the accounting difference is 0", line["difference"] == 0, line)


def _absent_interface(report):
    with Rig(report, ("t1", "a1")) as rig:
        gateway = rig.gateway
        gateway.write_node_file({name: {"kind": "af_packet"} for name in ("t1", "a1", "a2")})
        gateway.start(SITE)
        gateway.wait_link_up(2)
        status = gateway.cli("status", check=False)
        report.check("an interface that is absent at the start is named by `sluice status`, with "
                     "exit code 12", status.returncode == 12 and "a2" in status.stdout,
                     status.stdout)
        rig.check("and the others forward", ("t1", frame(q(10))), {"a1": frame()})
        _no_permission(report, rig)


def _no_permission(report, rig):
    """The daemon as a user that may not open packet sockets."""
    gateway = rig.gateway
    gateway.stop()
    done = subprocess.run(
        ["ip", "netns", "exec", rig.space, "capsh", "--drop=cap_net_raw,cap_net_admin,cap_sys_admin",
         "--", "-c", 'exec "$0" --config "$1"', os.environ["SLUICED"], gateway.node_file],
        capture_output=True, text=True, check=False, timeout=60)
    text = done.stdout + done.stderr
    report.check("without the right to open packet sockets it ends with an error that names the "
                 "missing capability", done.returncode not in (0, -6, -11, 134, 139)
                 and "CAP_NET_RAW" in text.upper(), f"exit code {done.returncode}\n{text[-2000:]}")
