"""tshark as a second opinion on captured octets."""

from ..netns import run


def tshark_fields(path, *fields):
    """One row for each frame of a capture, with the text of these fields; checksums are verified."""
    options = ["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]
    options += [word for field in fields for word in ("-e", field)]
    done = run("tshark", "-n", "-r", path, "-T", "fields", "-E", "separator=\t", *options)
    return [line.split("\t") for line in done.stdout.splitlines()]
