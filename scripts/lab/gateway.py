"""The gateway under test: the real daemon in a namespace, driven by the real CLI."""

import json
import os
import subprocess
import time

from .netns import LabError, run, stop_process, wait_until


TIMED_OUT = 7  # exit code: the site is saved, and some worker does not run it yet


class Gateway:
    """One `sluiced` with its node file, site file and control socket in the run's folder."""

    def __init__(self, lab, namespace, interfaces, name="gw-a", cpu=None):
        """`interfaces` maps names of the node file to their settings: {"eth1": {"kind": ...}}.

        Several daemons on one machine get a CPU each, as far as there are: `cpu` counts from 0.
        """
        self.lab = lab
        self.namespace = namespace
        self.name = name
        self.folder = lab.path(f"node-{name}")
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        self.node_file = self.path("sluice.toml")
        self.site_file = self.path("site.yaml")
        self.socket = self.path("sluiced.sock")
        self.log_file = self.path("sluiced.log")
        self.daemon = None
        self.cpu = cpu
        self.write_node_file(interfaces)

    def path(self, name):
        """A file of this node."""
        return os.path.join(self.folder, name)

    def write_node_file(self, interfaces, extra=""):
        """The node file a user would write: names, kinds, and where things are."""
        lines = [f'name = "{self.name}"', f'site = "{self.site_file}"',
                 f'state = "{self.path("state")}"', extra]
        if self.cpu is not None:
            available = sorted(os.sched_getaffinity(0))
            lines += [f'cores = "{available[self.cpu % len(available)]}"']
        lines += ["[control]", f'socket = "{self.socket}"']
        for interface, settings in interfaces.items():
            lines += [f"[interfaces.{interface}]"]
            lines += [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
        with open(self.node_file, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")

    def start(self, site="", ready=True):
        """Starts the daemon on a site document and waits until it answers."""
        with open(self.site_file, "w", encoding="utf-8") as file:
            file.write(site)
        self.restart(ready)

    def restart(self, ready=True, seconds=30.0):
        """Starts the daemon on the files as they are."""
        with open(self.log_file, "ab") as log:
            self.daemon = self.lab.spawn(
                self.namespace, os.environ["SLUICED"], "--config", self.node_file,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "NO_COLOR": "1"},
            )
        if ready:
            self.wait_ready(seconds)

    def wait_ready(self, seconds=30.0):
        """Waits until `sluice status` has an answer; an error shows the end of the log."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.daemon.poll() is not None:
                raise LabError(f"sluiced ended with {self.daemon.returncode} before it was ready:\n"
                               f"{self.log()}")
            if self.cli("status", check=False).returncode in (0, 12):
                return
            time.sleep(0.05)
        raise LabError(f"sluiced was not ready after {seconds:.0f} s:\n{self.log()}")

    def wait_link_up(self, count, seconds=10.0):
        """Waits until this many ports forward."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            ports = self.json("ports").get("ports", [])
            if sum(port.get("state") == "STATE_FORWARDING" for port in ports) >= count:
                return True
            time.sleep(0.05)
        return False

    def log(self, lines=30):
        """The end of the daemon's log."""
        with open(self.log_file, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-lines:])

    def stop(self, seconds=10.0):
        """SIGTERM; returns the exit code, or None when it had to be killed."""
        clean = stop_process(self.daemon.pid, seconds)
        code = self.daemon.wait(5)
        return code if clean else None

    def kill(self):
        """SIGKILL, as the kernel's OOM killer would."""
        self.daemon.kill()
        self.daemon.wait(5)

    def cli(self, *arguments, check=True, text=None, timeout=60):
        """Runs `sluice` against this node."""
        command = [os.environ["SLUICE"], "--endpoints", f"unix:{self.socket}", *arguments]
        return run(*command, check=check, input=text, timeout=timeout,
                   env={**os.environ, "NO_COLOR": "1", "COLUMNS": "120"})

    def json(self, *arguments, check=True):
        """The JSON that a command prints."""
        return json.loads(self.cli(*arguments, "-o", "json", check=check).stdout or "{}")

    def apply(self, document, *options, check=True):
        """`sluice apply -f -`. On a machine that is busy elsewhere, waits for the workers longer."""
        done = self.cli("apply", "-f", "-", *options, text=document, check=False)
        if done.returncode == TIMED_OUT:
            return self.cli("wait", "--for=programmed", "--timeout", "30s", check=check)
        if check and done.returncode != 0:
            raise LabError(f"`sluice apply` ended with {done.returncode}: {done.stderr.strip()}")
        return done

    def macs(self, **filters):
        """The MAC table: a list of entries."""
        options = [word for key, value in filters.items() for word in (f"--{key}", str(value))]
        return self.json("fdb", "show", *options).get("macs", [])

    def wait_mac(self, mac, port, vid=None, seconds=2.0):
        """The entry of a station once it is known behind a port, or None in time."""
        deadline = time.monotonic() + seconds
        while True:
            for entry in self.macs():
                if (entry["mac"], entry["port"], entry.get("vid")) == (mac, port, vid):
                    return entry
            if time.monotonic() >= deadline:
                return None
            time.sleep(0.02)

    def peers(self):
        """{name: what `sluice tunnels` says} of the far ends of this host's tunnels."""
        return {object_name(peer["name"]): peer for peer in self.json("tunnels").get("peers", [])}

    def ready_peers(self):
        """The peers to which frames are sent."""
        return {name for name, peer in self.peers().items() if peer.get("state") == "STATE_UP"}

    def wait_peers(self, *names, state="STATE_UP", seconds=10.0):
        """Waits until these peers are in a state."""
        def there():
            peers = self.peers()
            return all(peers.get(name, {}).get("state") == state for name in names)
        return wait_until(there, seconds, every=0.05)

    def drops(self):
        """{(reason, port): frames}."""
        return {(drop["reason"], object_name(drop.get("port", ""))): int(drop.get("frames", 0))
                for drop in self.json("drops").get("drops", [])}

    def accounting(self):
        """The accounting line of the node, as integers."""
        total = self.json("drops", "--accounting", check=False).get("total", {})
        fields = ("received", "originated", "copied", "sent", "consumed", "dropped", "difference")
        return {field: int(total.get(field, 0)) for field in fields}


def object_name(resource):
    """`trunk0` of `trunks/trunk0`."""
    return resource.rpartition("/")[2]


def describe_mac(entry):
    """An entry in words, for the report."""
    if entry is None:
        return "no entry"
    vid = f", VLAN {entry['vid']}" if entry.get("vid") else ""
    return f"{entry['mac']} behind {entry['port']}{vid}, in bridge {entry['bridge']}"
