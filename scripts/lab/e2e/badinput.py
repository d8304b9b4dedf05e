"""Bad input: what is wrong, where, what to do, and an exit code; and nothing that ran is lost."""

import os

from ..netns import run as run_command
from .rig import Rig
from .tags import frame, q

GOOD = """\
hosts: [{name: gw-a}]
bridges: [{name: web}, {name: db}]
gatewayBridges: [{name: gw}]
trunks: [{name: t1, gatewayBridge: gw, host: gw-a, interface: t1}]
vlanLinks: [{gatewayBridge: gw, vid: 10, bridge: web}]
accessPorts: [{name: a1, bridge: web, host: gw-a, interface: a1}]
"""

# Claim, document, words that the error must contain.
SITES = [
    ("an unknown key", GOOD.replace("name: web}", "name: web, colour: red}"), ("2:", "colour")),
    ("no YAML", "bridges: [{name: web\n", (":",)),
    ("a list where a map belongs", "bridges: [[web]]\n", ("1:",)),
    ("VID 0", GOOD.replace("vid: 10", "vid: 0"), ("5:", "4094")),
    ("VID 4095", GOOD.replace("vid: 10", "vid: 4095"), ("5:", "4094")),
    ("VID as text", GOOD.replace("vid: 10", "vid: ten"), ("5:",)),
    ("two bridges for one VLAN",
     GOOD.replace("bridge: web}]\nacc",
                  "bridge: web}, {gatewayBridge: gw, vid: 10, bridge: db}]\nacc"),
     ("10", "web", "db")),
    ("two VLANs for one bridge without join",
     GOOD.replace("bridge: web}]\nacc",
                  "bridge: web}, {gatewayBridge: gw, vid: 11, bridge: web}]\nacc"),
     ("join", "web")),
    ("a bridge that does not exist", GOOD.replace("bridge: web}]\nacc", "bridge: wbe}]\nacc"),
     ("wbe",)),
    ("a host that does not exist", GOOD.replace("host: gw-a, interface: t1", "host: gw-z, "
                                                "interface: t1"), ("gw-z",)),
    ("one interface for two access ports",
     GOOD.replace("interface: a1}]",
                  "interface: a1}, {name: a2, bridge: db, host: gw-a, interface: a1}]"),
     ("a1", "a2")),
    ("an ageing time of a second", GOOD.replace("name: web}", "name: web, ageing: 1s}"),
     ("ageing", "10")),
    ("a VNI of 0", GOOD.replace("name: web}", "name: web, vni: 0}"), ("vni",)),
    ("the same name twice", GOOD.replace("{name: db}", "{name: web}"), ("web",)),
    ("a static group address",
     GOOD + 'staticMacs: [{bridge: web, mac: "01:00:5e:00:00:01", port: a1}]\n', ("01:00:5e",)),
    ("a document of nesting only", "[" * 5000, (":",)),
    ("an alias bomb", "a: &a [x, x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(24)),
     (":",)),
]

# Claim, node file, words that the error must contain.
NODES = [
    ("an unknown key", 'name = "gw-a"\ncolour = "red"\n', ("2", "colour")),
    ("no TOML", "name = \n", ("1",)),
    ("an unknown kind of interface", '[interfaces.t1]\nkind = "af_paket"\n', ("af_paket",)),
    ("a CPU that does not exist", 'cores = "900-901"\n[interfaces.t1]\nkind = "af_packet"\n',
     ("900",)),
    ("a CPU mask", 'cores = "0x3"\n', ("0x3",)),
    ("memory without unit", 'memory = "512"\n', ("memory",)),
    ("an MTU beyond any frame", '[interfaces.t1]\nkind = "af_packet"\nmtu = 90000\n', ("90000",)),
]

# Arguments of `sluice`, exit code, words on stderr.
COMMANDS = [
    (["frobnicate"], 2, ("frobnicate",)),
    (["apply"], 2, ("--file",)),
    (["apply", "-f", "/no/such/file"], None, ("/no/such/file",)),
    (["fdb", "add", "not-a-mac", "--bridge", "web", "--port", "a1"], 2, ("not-a-mac",)),
    (["fdb", "add", "01:00:5e:00:00:01", "--bridge", "web", "--port", "a1"], 5, ("01:00:5e",)),
    (["fdb", "show", "--vid", "4095"], 2, ("4095",)),
    (["fdb", "flush"], 2, ("--all",)),
    (["get", "bridges", "nowhere"], 3, ("nowhere",)),
    (["get", "bridgez"], 2, ("bridgez",)),
    (["drops", "vlan_unknwon"], 2, ("vlan_unknown",)),
    (["explain", "no_such_thing"], None, ("no_such_thing",)),
    (["status", "-o", "xml"], 2, ("xml",)),
    (["status", "--timeout", "never"], 2, ("never",)),
]


def run(report):
    report.title("Bad input")
    with Rig(report, ("t1", "a1")) as rig:
        rig.start(GOOD, 2)
        revision = rig.gateway.json("status")["revision"]
        for claim, document, words in SITES:
            _site(report, rig.gateway, claim, document, words)
        for arguments, code, words in COMMANDS:
            _command(report, rig.gateway, arguments, code, words)
        now = rig.gateway.json("status")["revision"]
        report.check("after all of that the site is at the revision it was at", now == revision,
                     f"{revision}, then {now}")
        rig.check("and forwards", ("t1", frame(q(10))), {"a1": frame()})
        for claim, text, words in NODES:
            _node(report, rig, claim, text, words)
    _nobody_home(report)


def _says(text, words):
    return all(word.lower() in text.lower() for word in words)


def _site(report, gateway, claim, document, words):
    """Refused by the offline check and by the daemon, both with exit code 5 and the same place."""
    offline = gateway.cli("check", "-f", "-", check=False, text=document)
    applied = gateway.apply(document, check=False)
    for name, done in (("check", offline), ("apply", applied)):
        text = done.stdout + done.stderr
        report.check(f"site file with {claim}: `sluice {name}` refuses it",
                     done.returncode == 5 and _says(text, words),
                     f"exit code {done.returncode}, wanted 5 and {words}\n{text[:1500]}")


def _command(report, gateway, arguments, code, words):
    done = gateway.cli(*arguments, check=False)
    fits = done.returncode == code if code is not None else done.returncode not in (0, 101)
    report.check(f"`sluice {' '.join(arguments)}` ends with {code or 'an error'} and names the fault",
                 fits and _says(done.stderr, words),
                 f"exit code {done.returncode}, wanted {words}\n{done.stdout}{done.stderr}")


def _node(report, rig, claim, text, words):
    path = rig.lab.path("bad.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    done = run_command("ip", "netns", "exec", rig.space, os.environ["SLUICED"], "--config", path,
                       check=False, timeout=30)
    output = done.stdout + done.stderr
    report.check(f"node file with {claim}: sluiced refuses to start and says where",
                 done.returncode not in (0, 101, -6, 134) and _says(output, ("bad.toml", *words)),
                 f"exit code {done.returncode}, wanted {words}\n{output[:1500]}")


def _nobody_home(report):
    """No daemon at all."""
    done = run_command(os.environ["SLUICE"], "--endpoints", "unix:/nonexistent/sluiced.sock",
                       "status", check=False)
    report.check("without a daemon, `sluice status` ends with 6 and says which socket it tried",
                 done.returncode == 6 and "/nonexistent/sluiced.sock" in done.stderr,
                 f"exit code {done.returncode}\n{done.stderr}")
    done = run_command(os.environ["SLUICED"], "--config", "/nonexistent/sluice.toml", check=False)
    report.check("without a node file, sluiced ends with an error that names it",
                 done.returncode not in (0, 101) and "/nonexistent/sluice.toml" in done.stderr
                 + done.stdout, f"exit code {done.returncode}\n{done.stdout}{done.stderr}")
