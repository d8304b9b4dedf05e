"""Network namespaces that belong to one run and go away with it.

Every namespace of a run is called `sluice-lab-PID-START-NODE`, PID and START (the start time of
the process in clock ticks, from /proc) being those of the run that made it. Two runs at the same
time therefore never share a name, and a later run can tell the namespaces of a run that was killed
from those of one that is still alive, and remove the former only.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

PREFIX = "sluice-lab"
NETNS_DIR = "/run/netns"
_OURS = re.compile(rf"^{PREFIX}-(\d+)-(\d+)(?:-(.*))?$")

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x4000_0000
_PR_SET_PDEATHSIG = 1

_SIOCETHTOOL = 0x8946
_ETHTOOL_STXCSUM = 0x17
_ETHTOOL_SGSO = 0x24
_ETHTOOL_SGRO = 0x2C


class LabError(Exception):
    """The lab could not be built; the message says why and what to do."""


def start_time(pid):
    """Start time of a process in clock ticks since boot, or None when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            # The second field is the command in parentheses and may hold anything.
            return int(stat.read().rpartition(")")[2].split()[19])
    except (FileNotFoundError, ProcessLookupError):
        return None


def die_with_parent():
    """For `preexec_fn`: a child of a run that is killed is asked to stop as well."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def run(*command, check=True, timeout=60, **options):
    """Runs a command and returns the finished process with its output as text."""
    done = subprocess.run(
        [str(word) for word in command],
        text=True,
        capture_output=True,
        timeout=timeout,
        check=False,
        **options,
    )
    if check and done.returncode != 0:
        raise LabError(
            f"`{' '.join(str(word) for word in command)}` ended with {done.returncode}: "
            f"{(done.stderr or done.stdout).strip()[:2000]}"
        )
    return done


@contextlib.contextmanager
def inside(namespace):
    """The calling thread is in this namespace for the body; sockets opened there stay there."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        target = os.open(f"{NETNS_DIR}/{namespace}", os.O_RDONLY)
        try:
            _setns(target)
        finally:
            os.close(target)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(home)


def _setns(descriptor):
    if _LIBC.setns(descriptor, _CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise LabError(f"cannot enter a network namespace: {os.strerror(code)}")


def write_sysctl(name, value):
    """Sets a kernel parameter of the namespace that the calling thread is in."""
    with open(f"/proc/sys/{name}", "w", encoding="ascii") as knob:
        knob.write(str(value))


def our_namespaces():
    """(name, pid, start) of every namespace that some run of the lab made."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for name in sorted(os.listdir(NETNS_DIR)):
            match = _OURS.match(name)
            if match:
                found.append((name, int(match[1]), int(match[2])))
    return found


def processes_in(namespace):
    """Ids of the processes whose network namespace this is."""
    done = run("ip", "netns", "pids", namespace, check=False)
    return [int(word) for word in done.stdout.split()]


def wait_until(condition, seconds, every=0.02):
    """True as soon as `condition()` is; False when it was not within `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        if condition():
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(every)


def stop_process(pid, seconds=5.0):
    """SIGTERM, and SIGKILL when that was not enough. True when SIGTERM was."""
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 5.0)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return number == signal.SIGTERM
        if wait_until(lambda: start_time(pid) is None or _is_zombie(pid), patience):
            return number == signal.SIGTERM
    return False


def _is_zombie(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def delete_namespace(name):
    """Stops what runs inside a namespace of ours and removes it."""
    for pid in processes_in(name):
        if pid != os.getpid():
            stop_process(pid)
    run("ip", "netns", "del", name, check=False)


def remove_leftovers(temporary=None):
    """Removes what runs that are no longer alive left behind; returns what it removed."""
    removed = []
    for name, pid, start in our_namespaces():
        if start_time(pid) != start:
            delete_namespace(name)
            removed.append(name)
    folder = temporary or tempfile.gettempdir()
    for name in sorted(os.listdir(folder)):
        match = _OURS.match(name)
        if match and start_time(int(match[1])) != int(match[2]):
            shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
            removed.append(os.path.join(folder, name))
    return removed


def can_make_namespaces():
    """None when the lab can run here, or a sentence that says why not and what to do."""
    probe = f"{PREFIX}-{os.getpid()}-{start_time(os.getpid())}-probe"
    try:
        made = run("ip", "netns", "add", probe, check=False)
    except FileNotFoundError:
        return "`ip` is missing: apt-get install iproute2"
    if made.returncode != 0:
        return f"cannot make a network namespace ({made.stderr.strip()}): run this as root"
    try:
        pair = run("ip", "-n", probe, "link", "add", "name", "probe0", "type", "veth",
                   "peer", "name", "probe1", check=False)
        if pair.returncode != 0:
            return (f"cannot make a pair of veth devices ({pair.stderr.strip()}): run this as root, "
                    "outside of a chroot, on a kernel with veth (modprobe veth)")
        if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
            return "/dev/net/tun is missing or not ours to open: modprobe tun, or run as root"
    finally:
        run("ip", "netns", "del", probe, check=False)
    return None


class Lab:
    """The namespaces, links and processes of one run. Use it as a context manager."""

    def __init__(self):
        pid = os.getpid()
        self.identity = f"{PREFIX}-{pid}-{start_time(pid)}"
        self.folder = None
        self.namespaces = []
        self._processes = []
        self._closers = []

    def __enter__(self):
        refusal = can_make_namespaces()
        if refusal:
            raise LabError(refusal)
        self.leftovers = remove_leftovers()
        self.folder = os.path.join(tempfile.gettempdir(), self.identity)
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Stops every process and removes every namespace and file of this run."""
        for process in reversed(self._processes):
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(5)
        self._processes.clear()
        for closer in reversed(self._closers):
            closer()
        self._closers.clear()
        for name in self.namespaces:
            delete_namespace(name)
        self.namespaces.clear()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def on_close(self, closer):
        """Calls `closer` when the lab is taken down, after the processes have stopped."""
        self._closers.append(closer)

    def path(self, name):
        """A file of this run."""
        return os.path.join(self.folder, name)

    def namespace(self, node):
        """Makes a namespace for a node: loopback up, IPv6 off so that the wire stays quiet."""
        name = f"{self.identity}-{node}"
        run("ip", "netns", "add", name)
        self.namespaces.append(name)
        with inside(name):
            for scope in ("all", "default"):
                with contextlib.suppress(FileNotFoundError):
                    write_sysctl(f"net/ipv6/conf/{scope}/disable_ipv6", 1)
        run("ip", "-n", name, "link", "set", "lo", "up")
        return name

    def remove_namespace(self, name):
        """Removes one namespace before the end of the run."""
        delete_namespace(name)
        self.namespaces.remove(name)

    def veth(self, left, right, mtu=1500):
        """A cable: two (namespace, device) ends, both up, without checksum offload."""
        (left_ns, left_name), (right_ns, right_name) = left, right
        run("ip", "-n", left_ns, "link", "add", "name", left_name, "mtu", mtu, "type", "veth",
            "peer", "name", right_name, "mtu", mtu, "netns", right_ns)
        for namespace, name in (left, right):
            plain_transmit(namespace, name)
            run("ip", "-n", namespace, "link", "set", name, "up")

    def spawn(self, namespace, *command, **options):
        """Starts a process in a namespace; it ends with the lab at the latest."""
        process = subprocess.Popen(
            ["ip", "netns", "exec", namespace, *[str(word) for word in command]],
            preexec_fn=die_with_parent,
            **options,
        )
        self._processes.append(process)
        return process

    def execute(self, namespace, *command, **options):
        """Runs a command in a namespace to its end."""
        return run("ip", "netns", "exec", namespace, *command, **options)


def plain_transmit(namespace, device):
    """Turns off checksum and segmentation offload: what leaves is what a cable would carry.

    A veth hands over frames whose checksums nobody has filled in; a packet socket would take them
    as they are.
    """
    with inside(namespace), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in (_ETHTOOL_STXCSUM, _ETHTOOL_SGSO, _ETHTOOL_SGRO):
            value = ctypes.create_string_buffer(struct.pack("II", command, 0))
            request = struct.pack("16sQ16x", device.encode(), ctypes.addressof(value))
            try:
                fcntl.ioctl(control, _SIOCETHTOOL, request)
            except OSError as error:
                if error.errno != errno.EOPNOTSUPP:
                    raise
