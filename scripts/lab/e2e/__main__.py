"""`lab e2e [PART ...]`: runs the end-to-end tests, or the parts that are named."""

import signal
import sys
import traceback

from ..netns import LabError
from ..report import Report
from . import (badinput, crash, lengths, overlay_bfd, overlay_foreign, overlay_matrix, overlay_moves,
               overlay_mtu, overlay_refused, overlay_transfer, overlay_trunks, overlay_underlay,
               overlay_wire, reserved, scale, tags, taps)

PARTS = {module.__name__.rpartition(".")[2]: module for module in (
    tags, reserved, taps, lengths, scale, badinput, crash, overlay_wire, overlay_refused,
    overlay_moves, overlay_foreign, overlay_mtu, overlay_underlay, overlay_bfd, overlay_trunks,
    overlay_transfer, overlay_matrix)}
LONG = ("overlay_matrix",)  # only when it is named


def main(names):
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        print(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    report = Report()
    for name in names or [name for name in PARTS if name not in LONG]:
        try:
            PARTS[name].run(report)
        except LabError as error:
            report.check(f"{name} runs to its end", False, error)
        except Exception:  # the other parts still have something to say
            report.check(f"{name} runs to its end", False, traceback.format_exc())
    return report.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
